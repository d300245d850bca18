"""Reports on a risk, a period, and what is published: their jobs, and the record of each export."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from audit import log
from audit.entries import Draft, Entry
from engine.directory import Authority
from engine.exports import LOG, PDF, Content, format_told
from engine.people import By, actor
from engine.reasons import reasoned

RISK: Final = "risk"
PERIOD: Final = "period"
PUBLICATION: Final = "publication"
KINDS: Final = (RISK, PERIOD, PUBLICATION)
# The kind of their jobs; which of them is in `told`.
SPECIAL: Final = "special"
CAPACITY: Final = "audit"


@dataclass(frozen=True, slots=True)
class Left:
    """A report as it leaves the house.

    about: its parameters as the log has them (case, unit, since, until). cases: that it rests on;
    left_out: that whoever asked may not see. formulas: SHA-256 (hex) of the file of formulas, if
    one was used. sha256: of the file (hex); pages: of a workbook its sheets.
    """

    kind: str
    about: Mapping[str, Any]
    cases: int
    left_out: int
    content: Content
    sha256: str
    pages: int
    format: str = PDF
    formulas: str | None = None


def record_special_export(
    conn: Connection, left: Left, *, purpose: str, held: Authority, by: By, at: datetime
) -> Entry:
    """Put on the record that a report leaves the house; call it before it does.

    held: the post by which somebody may have it, asked for again in this transaction. Raises
    NoReason.
    """
    told = {
        "kind": left.kind,
        **left.about,
        **left.content.told,
        "cases": left.cases,
        "left_out": left.left_out,
        "sha256": left.sha256,
        "pages": left.pages,
        "purpose": reasoned(purpose, what="用途", english="a purpose"),
        **format_told(left.format),
        **({"formulas": left.formulas} if left.formulas else {}),
    }
    draft = Draft("special.exported", told, actor(held, CAPACITY, channel=by.channel), at)
    (entry,), _ = log.append(conn, log.take(conn, LOG), [draft])
    return entry
