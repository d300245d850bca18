"""How a case stands with the log's tree: which checkpoint covers it, and who has cosigned that."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from audit import sequence
from audit.encoding import instant
from audit.note import BadSignature
from audit.policy import Policy, witnessed
from audit.reports.facts import CaseRecord


@dataclass(frozen=True, slots=True)
class Standing:
    """The last checkpoint: how many leaves, signed when, cosigned by whom.

    covers: whether it covers the last event of the case.
    """

    size: int
    at: datetime
    witnesses: tuple[str, ...]
    covers: bool


def standing_of(conn: Connection, record: CaseRecord, policy: Policy) -> Standing | None:
    """How a case stands with the last checkpoint; None before the first one."""
    last = sequence.latest(conn)
    if last is None:
        return None
    index = sequence.leaf_index(conn, bytes.fromhex(record.head))
    try:
        names = tuple(witnessed(last.note, policy))
    except BadSignature:
        names = ()  # who has forged a line is for shaoji verify to say
    size = last.checkpoint.size
    return Standing(size, instant(last.at), names, index is not None and index < size)
