"""What happens without a person: clocks that run out are recorded. Asks no clock itself.

Exactly once, whatever dies: an alarm is recorded in the same transaction that moves the case on,
and a case looked at twice has nothing left to record the second time. Several workers may run.
"""

from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError

from engine.database import reading
from engine.errors import Refusal, named
from engine.register import alarmed
from engine.timekeeping import ring


def ring_due(engine: Engine, *, at: datetime, limit: int = 100) -> tuple[int, list[str]]:
    """Record what has run out by `at`, one transaction a case, until `limit` cases were looked at.

    Returns how many alarms were recorded, and a sentence for each case that cannot go on. Such a
    case, damaged ones too, keeps no other from ringing: where all that were looked at are stuck,
    the next ones are. Raises OperationalError, InterfaceError where the database is not there.
    """
    recorded, stuck = 0, dict[str, str]()
    while recorded == 0:
        with reading(engine).begin() as conn:
            due = alarmed(conn, at, limit=limit + len(stuck))
        cases = [case for case in due if case not in stuck]
        for case in cases:
            try:
                with engine.begin() as conn:
                    recorded += ring(conn, case, at=at)
            except (OperationalError, InterfaceError):
                raise
            except Refusal as refusal:
                stuck[case] = f"{case}: {refusal.chinese} / {refusal.english}"
            except Exception as error:
                # Whatever a damaged record makes the engine trip over concerns this case alone.
                stuck[case] = f"{case}: {named(error)}"
        if not cases or not stuck:
            break
    return recorded, list(stuck.values())
