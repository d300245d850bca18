"""The risk report of a hazard: which cases are about the same thing, who may ask, the content.

The same thing is what signals take for it: the same unit, category and address, as they were when
the cases were opened; and what was merged into one of these cases, or one of them into.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from audit import log
from audit.encoding import timestamp
from audit.reports.facts import CaseRecord
from audit.reports.risk import risk
from audit.reports.risk_facts import Place, Risk
from engine.cases import NotYourTask
from engine.casework import Desk, look, read_cases
from engine.conduct import records_at
from engine.directory import Authority, Directory
from engine.errors import BadInput, NotAllowed
from engine.holding import overseer
from engine.people import By
from engine.register import register_table
from engine.rights import DISCIPLINE, SUPERVISION, check_may_see, may_see

HAZARD: Final = "hazard"
PATROL: Final = "patrol"
# Ends of the two processes: merged into another hazard; a patrol that found nothing.
MERGED: Final = "merged"
NIL: Final = "nil_report"
COMMUNITY: Final = "community"
_FILE: Final = register_table.c


class NoRiskHere(BadInput):
    """The case is no hazard."""

    def __init__(self) -> None:
        super().__init__(
            "只有隐患案件能出风险报告。请从一件隐患打开。",
            "Only hazards have a risk report. Open it from a hazard.",
        )


class NotYoursToTrace(NotAllowed):
    """Risk reports are for supervision and discipline over the place."""

    def __init__(self) -> None:
        super().__init__(
            "风险报告给本地方的督查岗位和本街道的纪检岗位看。需要的，请找他们。",
            "Risk reports are for the supervising posts of the place and the discipline office of "
            "its street. Ask one of them.",
        )


@dataclass(frozen=True, slots=True)
class Traced:
    """A risk, the hazard cases it rests on as they stood, and the post by which one may have it."""

    content: Risk
    records: Mapping[str, CaseRecord]
    held: Authority


def tracer(desk: Desk, by: By) -> Authority:
    """The post by which somebody may have a risk report of this case.

    Raises NoRiskHere, NotYoursToTrace, NotYoursToSee.
    """
    check_may_see(desk.case, desk.directory, by, desk.at)
    if desk.case.process != HAZARD:
        raise NoRiskHere
    try:
        return overseer(desk, by, (SUPERVISION, DISCIPLINE))
    except NotYourTask:
        raise NotYoursToTrace from None


def read_risk(conn: Connection, case_id: str, until: datetime, *, by: By, at: datetime) -> Traced:
    """The risk a hazard case is about, as it stood at `until`, of the cases this person may see.

    Raises UnknownCase and what `tracer` does.
    """
    desk = look(conn, case_id, at)
    held = tracer(desk, by)
    row = conn.execute(
        select(_FILE.unit, _FILE.category, _FILE.address).where(_FILE.case == case_id)
    ).one()
    place = Place(case_id, row.unit, row.category, row.address)
    alike = _alike(conn, place, desk, until)
    records = {one: alike[one] for one in _seen(conn, desk, alike, by)}
    told = risk(
        log.origin(conn), place, records.values(), _patrols(conn, place, desk, until, by), until,
        left_out=len(alike) - len(records),
    )  # fmt: skip
    return Traced(told, records, held)


def _seen(conn: Connection, desk: Desk, cases: Iterable[str], by: By) -> list[str]:
    """Of these cases those that this person may see."""
    states = read_cases(conn, set(cases))
    return sorted(
        case for case, state in states.items() if may_see(state, desk.directory, by, desk.at)
    )


def _alike(conn: Connection, place: Place, desk: Desk, until: datetime) -> Mapping[str, CaseRecord]:
    """The hazards about the same thing, by case, as they stood."""
    same = _FILE.case == place.case
    if place.address:
        there = (_FILE.unit == place.unit, _FILE.address == place.address)
        same = or_(same, and_(*there, _FILE.category == place.category))
    found = _records(conn, same, until)
    merged = _records(conn, _merged_near(conn, place), until)
    while more := _merges(conn, found, merged, until):
        found |= more
    return found


def _merged_near(conn: Connection, place: Place) -> ColumnElement[bool]:
    community = select(_FILE.community).where(_FILE.case == place.case).scalar_subquery()
    return and_(_FILE.status == MERGED, _FILE.community == community)


def _merges(
    conn: Connection,
    found: Mapping[str, CaseRecord],
    merged: Mapping[str, CaseRecord],
    until: datetime,
) -> dict[str, CaseRecord]:
    """Of what is not found yet: what was merged into one of these, or one of these into."""
    numbers = {record.number for record in found.values()}
    into = {case: one for case, one in merged.items() if _into(one) & numbers}
    wanted = {number for one in found.values() for number in _into(one)} - numbers
    masters = _records(conn, _FILE.number.in_(sorted(wanted)), until) if wanted else {}
    return {case: one for case, one in (into | masters).items() if case not in found}


def _into(record: CaseRecord) -> set[str]:
    """The numbers of the cases it was said to be the same as, where that is how it ended."""
    if record.ended != MERGED:
        return set()
    said = (line.outcome.get("duplicate_of") for line in record.responsibility)
    return {str(number) for number in said if number}


def _records(
    conn: Connection, which: ColumnElement[bool], until: datetime
) -> dict[str, CaseRecord]:
    query = select(_FILE.case).where(
        which, _FILE.process == HAZARD, _FILE.opened_at < timestamp(until)
    )
    return records_at(conn, list(conn.execute(query).scalars()), until)


def _patrols(
    conn: Connection, place: Place, desk: Desk, until: datetime, by: By
) -> Iterable[CaseRecord]:
    """Nil reports of where the risk lies: of its grids, of its unit, or of the same address."""
    units = _walked(desk.directory, place.unit)
    there: ColumnElement[bool] = _FILE.unit.in_(units)
    if place.address:
        there = or_(there, _FILE.address == place.address)
    # One whose lot was drawn has said so, too, while another community is still to look again.
    said = or_(_FILE.status == NIL, _FILE.ended_at.is_(None))
    query = select(_FILE.case).where(
        _FILE.process == PATROL, said, there, _FILE.opened_at < timestamp(until)
    )
    seen = _seen(conn, desk, conn.execute(query).scalars().all(), by)
    return records_at(conn, seen, until).values()


def _walked(people: Directory, unit: str) -> list[str]:
    """A unit and the grids above it, up to but not with its community; alone it may be one."""
    path = people.path(unit)
    grids = [one for one in path if people.unit(one).kind.endswith("_grid")]
    return [unit, *(one for one in grids if one != unit)]
