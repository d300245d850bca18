"""What share of their limits steps took over the last whole days, worked out once a day.

What was done before this morning is on the record and moves no more, but for a case that becomes
confidential afterwards: its steps are out of the figures from the next day on.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, time, timedelta
from typing import Final
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Pool

from engine.pace import Pace, paces
from web.quantities import ZONE

# Over so many whole days, the last of them yesterday.
DAYS: Final = 30
MOST_KEPT: Final = 100

_Asked = tuple[datetime, frozenset[str], str]
# By the pool: engines that differ by their options only are of one database, and share it.
_kept: WeakKeyDictionary[Pool, dict[_Asked, Mapping[str, Pace]]] = WeakKeyDictionary()


def paces_till(
    conn: Connection, places: Collection[str], at: datetime, *, process: str = ""
) -> Mapping[str, Pace]:
    """By unit: the pace of what was done in these places in the days before that of `at`."""
    morning = datetime.combine(at.astimezone(ZONE).date(), time(), ZONE)
    kept = _kept.setdefault(conn.engine.pool, {})
    asked = (morning, frozenset(places), process)
    found = kept.get(asked)
    if found is None:
        found = paces(conn, places, morning - timedelta(DAYS), morning, process=process)
        if len(kept) >= MOST_KEPT:
            kept.clear()
        kept[asked] = found
    return found
