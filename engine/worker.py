"""What happens without a person: clocks that run out are recorded. Asks no clock itself.

Exactly once, whatever dies: an alarm is recorded in the same transaction that moves the case on,
and a case looked at twice has nothing left to record the second time. Several workers may run.
"""

from datetime import datetime

from sqlalchemy import Engine

from engine.database import reading
from engine.errors import Refusal
from engine.register import alarmed
from engine.timekeeping import ring


def ring_due(engine: Engine, *, at: datetime, limit: int = 100) -> tuple[int, list[str]]:
    """Record what has run out by `at` in up to `limit` cases, one transaction each.

    Returns how many alarms were recorded, and a sentence for each case that refused: one case that
    cannot go on must not keep the clocks of all others from ringing.
    """
    with reading(engine).begin() as conn:
        cases = alarmed(conn, at, limit=limit)
    recorded, refused = 0, []
    for case in cases:
        try:
            with engine.begin() as conn:
                recorded += ring(conn, case, at=at)
        except Refusal as refusal:
            refused.append(f"{case}: {refusal.chinese} / {refusal.english}")
    return recorded, refused
