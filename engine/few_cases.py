"""Where some condition of a search leaves few cases: which these are, by its index.

A list goes from the newest case on until a page is full. That is quick unless hardly any case
passes; then it would go through the whole register. Nobody counts the tables of a street
(ANALYZE), so what is rare is found out by asking each index for so many.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from sqlalchemy import ColumnElement, Connection, Select, and_, select, union_all

from engine.register import RUNNING, register_table
from engine.taking_part import part_table

_CASE: Final = register_table.c
_PART: Final = part_table.c
# Up to so many are read one by one: some 20 ms.
FEW: Final = 3000


def few_cases(conn: Connection, conditions: Sequence[Select[tuple[str]]]) -> list[str] | None:
    """The cases of the first of these questions that has few; None if each has many."""
    for asked in conditions:
        found = [str(case) for case in conn.execute(asked.limit(FEW + 1)).scalars()]
        if len(found) <= FEW:
            return found
    return None


def narrowed(
    *, process: str, category: str, level: str, units: Collection[str], running: bool | None
) -> Iterator[Select[tuple[str]]]:
    """The questions of which an index knows the answer, for the parts of a search that are asked.

    units: the places asked for, none: anywhere. running: only cases that have not ended, or only
    those that have; None for both.
    """
    exact = ((_CASE.level, level), (_CASE.category, category), (_CASE.process, process))
    yield from (_cases(column == value) for column, value in exact if value)
    if units and running is not None:
        status = _CASE.status == RUNNING if running else _CASE.status != RUNNING
        yield _cases(and_(_CASE.unit.in_(units), status))
    if units:
        yield _cases(_CASE.unit.in_(units))


def seen_by(person: str, places: Collection[str]) -> Select[tuple[str]]:
    """The question which cases are in places that somebody looks over, or have a part of theirs."""
    parts = select(_PART.case).where(_PART.person == person)
    over = _cases(_CASE.unit.in_(places)).limit(FEW + 1)
    both = union_all(over.subquery().select(), parts.limit(FEW + 1).subquery().select()).subquery()
    return select(both.c.case)


def _cases(condition: ColumnElement[bool]) -> Select[tuple[str]]:
    return select(_CASE.case).where(condition)
