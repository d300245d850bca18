"""How a case stands with the log's tree: which checkpoint covers it, and who has cosigned that."""

import logging
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from audit import sequence
from audit.encoding import instant
from audit.note import BadSignature
from audit.policy import Policy, witnessed
from audit.reports.facts import CaseRecord
from engine.case_evidence import NOBODY
from engine.keys import PolicyUnfit, policy_of
from web.visit import settings

logger = logging.getLogger("shaoji.pages")


def believed() -> Policy:
    """Whom this installation believes. A policy that cannot be read must not close the pages."""
    try:
        return policy_of(settings().keys)
    except PolicyUnfit as unfit:
        logger.warning("the policy is not read: %s", unfit.english)
        return NOBODY


@dataclass(frozen=True, slots=True)
class Standing:
    """A checkpoint: how many leaves, signed when, cosigned by whom.

    covers: whether it covers the last event of the case.
    """

    size: int
    at: datetime
    witnesses: tuple[str, ...]
    covers: bool


def standing_of(conn: Connection, record: CaseRecord, policy: Policy) -> Standing | None:
    """How a case stands with the checkpoint that is shown for it; None before the first one."""
    index = sequence.leaf_index(conn, bytes.fromhex(record.head))
    over = None if index is None else sequence.covering(conn, index, policy)
    last = over or sequence.latest(conn)
    if last is None:
        return None
    try:
        names = tuple(witnessed(last.note, policy))
    except BadSignature:
        names = ()  # who has forged a line is for shaoji verify to say
    size = last.checkpoint.size
    return Standing(size, instant(last.at), names, over is not None)
