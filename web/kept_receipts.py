"""Receipts that can be kept: the log's signed promise as text, as a code to photograph, as files.

A receipt is made anew whenever it is asked for, and only of what is committed; nothing of it is
stored. Should the log ever hold another event at that place, the key signs that one too: then two
receipts contradict each other, and both are proof. Once a checkpoint covers the event, its proof
carries the receipt (audit.receipt).
"""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import segno
from flask import Blueprint, Flask, Response, current_app, render_template
from flask_login import login_required
from markupsafe import Markup
from sqlalchemy import Connection

from audit import log, sequence
from audit.checkpoint import read_checkpoint
from audit.encoding import timestamp
from audit.entries import Entry
from audit.note import Note, Signer
from audit.receipt import KEY_SUFFIX, Receipt, give_receipt
from audit.reports.case import actor_of
from audit.tlog_proof import SUFFIX, check, prove
from engine.errors import NotAllowed, NotFound, Refusal
from engine.key_files import NoKey
from engine.key_files import signer as signer_at
from engine.state import CaseState
from web.desk import desk_of
from web.tree_standing import believed
from web.visit import by, reads, settings

pages = Blueprint("kept_receipts", __name__)
PATH: Final = "/cases/<case_id>/receipts/<int(max=999999999):seq>"

EXTENSION: Final = "shaoji.receipts"
DATE_LENGTH: Final = len("2026-03-02")

logger = logging.getLogger("shaoji.pages")


class NotYourAct(NotAllowed):
    """Receipts are for whoever did it, and for whoever reported the case."""

    def __init__(self) -> None:
        super().__init__(
            "这条记录不是您办的，这一案也不是您上报的，不能替别人留存回执。",
            "You did not do this, nor report the case; a receipt is for whoever did.",
        )


class NoSuchRecord(NotFound):
    """The case has no record of this number, or none of this complainant."""

    def __init__(self, seq: int) -> None:
        super().__init__(
            f"没有您可以留存的第 {seq} 条记录。", f"There is no record {seq} here for you to keep."
        )


class NotSignedHere(NotFound):
    """There is no receipt key in this process."""

    def __init__(self) -> None:
        super().__init__(
            "这台服务器没有回执密钥，给不出签名的回执。请管理员执行 shaoji keys init。",
            "This server has no receipt key and signs no receipts. Ask the administrator to run "
            "`shaoji keys init`.",
        )


class NotInTreeYet(NotFound):
    """No checkpoint covers the event yet."""

    def __init__(self) -> None:
        super().__init__(
            "这条记录正在编入见证树，还没有完整证明。请稍后再取。",
            "This record is on its way into the tree; there is no proof yet. Come back later.",
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """A receipt as it is shown and given out.

    note: the receipt, signed; None where nobody signs here. vkey: the key that signed it. leaf: the
    index of the event in the tree. checkpoint: the latest, if it covers that leaf, else None.
    """

    receipt: Receipt
    note: Note | None
    vkey: str
    leaf: int | None
    checkpoint: Note | None

    @property
    def text(self) -> str:
        """The signed note as text; raises NotSignedHere."""
        if self.note is None:
            raise NotSignedHere
        return self.note.data.decode()

    @property
    def qr(self) -> Markup:
        """The same as a code: dark on light whatever the page is, or no telephone reads it."""
        made = segno.make(self.text, error="m", micro=False)
        told = made.svg_inline(
            border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr", lineclass=None
        )
        # Numbers of ours: nothing anybody wrote is in the drawing.
        return Markup(told)  # noqa: S704

    @property
    def size(self) -> int:
        """How many leaves the checkpoint covers."""
        return read_checkpoint(self.checkpoint).size if self.checkpoint else 0


@dataclass(slots=True)
class Signing:
    """Who signs receipts in this application; asked for until there is a key, then kept."""

    signer: Signer | None = field(default=None, repr=False)


def init_app(app: Flask) -> None:
    """Set up what signs receipts in this application."""
    app.extensions[EXTENSION] = Signing()


# --- pages ----------------------------------------------------------------------------------------


@pages.get(PATH)
@login_required  # type: ignore[untyped-decorator]
def page(case_id: str, seq: int) -> str:
    """The receipt of something this person did, or of a case they reported."""
    with reads() as conn:
        entry, case = own_entry(conn, case_id, seq)
        kept = keep(conn, entry, case)
    return render_template("kept.html", kept=kept, case=case, entry=entry)


@pages.get(f"{PATH}.txt")
@login_required  # type: ignore[untyped-decorator]
def text(case_id: str, seq: int) -> Response:
    """The receipt as a file."""
    with reads() as conn:
        kept = keep(conn, *own_entry(conn, case_id, seq))
    return as_text(kept, f"receipt-{case_id}-{seq}")


@pages.get(f"{PATH}{SUFFIX}")
@login_required  # type: ignore[untyped-decorator]
def proof(case_id: str, seq: int) -> Response:
    """The proof that the event is in the tree, with the receipt in it."""
    with reads() as conn:
        kept = keep(conn, *own_entry(conn, case_id, seq))
        return as_proof(conn, kept, f"receipt-{case_id}-{seq}")


def own_entry(conn: Connection, case_id: str, seq: int) -> tuple[Entry, CaseState]:
    """An event of which this person may keep the receipt, and its case.

    Raises UnknownCase, NotYoursToSee, NoSuchRecord, NotYourAct.
    """
    desk = desk_of(conn, case_id)
    opening, entry = entry_of(conn, case_id, 1), entry_of(conn, case_id, seq)
    doing = [actor_of(one) for one in (opening, entry)]
    if by().person not in {one.person for one in doing} | {one.doer.person for one in doing}:
        raise NotYourAct
    return entry, desk.case


def entry_of(conn: Connection, case_id: str, seq: int) -> Entry:
    """One event of a case; raises NoSuchRecord."""
    found = log.read(conn, case_id, after=seq - 1) if seq > 0 else []
    if not found:
        raise NoSuchRecord(seq)
    return found[0]


# --- making them ----------------------------------------------------------------------------------


def keep(conn: Connection, entry: Entry, case: CaseState) -> Kept:
    """The receipt of a committed event: call it in a transaction that only reads.

    Of a confidential case it tells the date (UTC) and no hour: the paper may be found.
    """
    at = timestamp(entry.at)
    told = at[:DATE_LENGTH] if case.confidential else at
    receipt = Receipt(entry.log, entry.stream, entry.seq, entry.hash, told)
    signer = receipt_signer(entry.log)
    leaf = sequence.leaf_index(conn, entry.hash)
    last = None if leaf is None else sequence.covering(conn, leaf, believed())
    return Kept(
        receipt,
        give_receipt(receipt, signer) if signer else None,
        signer.key.vkey if signer else "",
        leaf,
        last.note if last else None,
    )


def as_text(kept: Kept, name: str) -> Response:
    """The signed receipt as a file of this name; raises NotSignedHere."""
    return _file(kept.text.encode(), f"{name}.txt")


def as_proof(conn: Connection, kept: Kept, name: str) -> Response:
    """The proof as a file of this name; raises NotInTreeYet.

    Checked before it is given out: a proof that does not hold would look like a broken promise.
    """
    if kept.checkpoint is None or kept.leaf is None:
        raise NotInTreeYet
    extra = kept.note.data if kept.note else b""
    made = prove(sequence.read_hashes(conn), kept.leaf, kept.checkpoint, extra=extra)
    check(made, kept.receipt.hash)
    return _file(made.data, f"{name}{SUFFIX}")


def _file(data: bytes, name: str) -> Response:
    response = Response(data, mimetype="text/plain")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def receipt_signer(origin: str) -> Signer | None:
    """The receipt key of this log, if this process has it and it is fit to be used.

    That key alone is read: pages have no business with the others.
    """
    signing: Signing = current_app.extensions[EXTENSION]
    if signing.signer is None:
        signing.signer = _read_signer(settings().keys.receipt, origin)
    return signing.signer


def _read_signer(place: str | Path, origin: str) -> Signer | None:
    try:
        return signer_at(place, origin + KEY_SUFFIX)
    except NoKey:
        return None
    except Refusal as unfit:
        logger.warning("receipts are not signed: %s", unfit.english)
        return None
