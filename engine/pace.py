"""How much of their limits the steps of each unit took: halves and nine tenths, no averages.

Told as per cent of the limit, since a unit's steps have different limits; only of units with enough
steps that no single one can be read off.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, func, literal_column, select

from audit.encoding import timestamp
from audit.ranks import nearest_rank
from engine.acts import MEASURED, act_table

FEWEST: Final = 5
# Whole per cent of its limit that a step took; both are whole minutes.
_SHARE: Final = act_table.c.used * literal_column("100") // act_table.c.allowed


@dataclass(frozen=True, slots=True)
class Pace:
    """Of so many steps half took at most `half` per cent of their limit, nine tenths `most`."""

    steps: int
    half: int
    most: int


def paces(
    conn: Connection,
    places: Collection[str],
    since: datetime,
    before: datetime,
    *,
    process: str = "",
) -> Mapping[str, Pace]:
    """By unit of whoever did it: steps done in [since, before), in these places.

    None of confidential cases.
    """
    act = act_table.c
    query = (
        select(act.unit, _SHARE.label("share"), func.count().label("steps"))
        .where(MEASURED, act.at >= timestamp(since), act.at < timestamp(before))
        .where(act.place.in_(places), act.confidential == 0)
        # The share first: by the unit, SQLite would go through the acts of all years in its order.
        .group_by(_SHARE, act.unit)
    )
    if process:
        query = query.where(act.process == process)
    shares: dict[str, list[int]] = {}
    for row in conn.execute(query):
        if row.unit is not None:
            shares.setdefault(row.unit, []).extend([row.share] * row.steps)
    return {unit: _pace(found) for unit, found in shares.items() if len(found) >= FEWEST}


def _pace(shares: Sequence[int]) -> Pace:
    ordered = sorted(shares)
    return Pace(len(ordered), nearest_rank(ordered, 50), nearest_rank(ordered, 90))
