"""移交: an accusation under supervision law is sealed for the body that may handle it, and goes.

What a file looks like, and how the receiving body opens it without this program, is told in
docs/sealed-identity.md. Crash order: the sealed file is committed in the vault before anything here
is destroyed, and destroyed before the log says so. A crash at any point loses nothing and lets the
log say nothing that is not so; whoever does it again goes on where it stopped.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from zoneinfo import ZoneInfo

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from sqlalchemy import Connection, Row, delete, insert, select

from audit import log
from audit.commitments import opens
from audit.encoding import NotCanonical, canonical, decode
from audit.entries import Draft, Entry
from engine import vault as store
from engine.casework import Desk, Done, change
from engine.errors import BadInput, Conflict
from engine.mailbox import reading_step
from engine.people import By, actor
from engine.reasons import reasoned
from engine.sealed_answers import Sealed, sealed_in, subject_of
from engine.vault import SealMissing, Vault, handover_table

MAGIC: Final = b"shaoji handover 1\n"
SUITE_NAME: Final = "HPKE base, X25519-HKDF-SHA256, HKDF-SHA256, AES-256-GCM (RFC 9180)"
_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
REASON: Final = "已密封移交有权处理的机关"
GOES: Final = ("content", "identity")


class BadPublicKey(BadInput):
    """The receiving body's key is none."""

    def __init__(self) -> None:
        super().__init__(
            "接收机关的公钥不对，应是 32 字节的 X25519 公钥。请与对方核对。",
            "The receiving body's key is no X25519 public key of 32 bytes; check it with them.",
        )


class BadHandover(BadInput):
    """The file is not one for this key, or it was changed."""

    def __init__(self) -> None:
        super().__init__(
            "这个文件打不开：不是用这把公钥密封的，或已损坏、被人动过。",
            "This file does not open: it was sealed for another key, is damaged, or was changed.",
        )


class AlreadyHandedOver(Conflict):
    """The accusation has gone to another body already."""


@dataclass(frozen=True, slots=True)
class Handed:
    """A hand-over: what was recorded, and the sealed file; it may leave once that is committed."""

    done: Done
    file: bytes


@dataclass(frozen=True, slots=True)
class Item:
    """One answer of an accusation as its receiver reads it; event: where the log commits to it."""

    event: int
    field: str
    seal: str
    value: Any
    commitment: str


@dataclass(frozen=True, slots=True)
class Accusation:
    """An opened file: what its first line says (log, case, class, body, date), and the answers."""

    header: dict[str, Any]
    items: tuple[Item, ...]


def hand_over(
    conn: Connection,
    vault: Vault,
    case_id: str,
    *,
    body: str,
    public_key: bytes,
    by: By,
    at: datetime,
    key: str | None = None,
) -> Handed:
    """Seal content and identity for a body, destroy what can be read here, and record that.

    By the holder of an open step that reads. public_key: X25519, 32 bytes. The log keeps date,
    class, body, and what names key and file. Raises NotYoursToRead, KeptOut, BadPublicKey,
    AlreadyHandedOver, SealMissing (nothing is sealed), SealDestroyed, SealDamaged, NoReason.
    """
    told_body = reasoned(body, what="接收机关", english="the receiving body")
    receiver = _public(public_key)

    def decide(desk: Desk) -> list[Draft]:
        task, authority = reading_step(desk, by)
        entries = log.read(conn, case_id)
        _check_here(entries)
        header = _header(desk, told_body, public_key)
        file = _prepared(vault, entries, header, receiver)
        who = actor(authority, task.capacity, channel=by.channel)
        handed = Draft("accusation.handed_over", _told(header, file), who, at)
        return [handed, *_destroyed(vault, entries, case_id, who, at)]

    done = change(conn, case_id, decide, at=at, key=key)
    kept = _kept(vault, case_id)
    if kept is None:
        raise SealMissing
    return Handed(done, bytes(kept.file))


def _public(key: bytes) -> X25519PublicKey:
    try:
        public = X25519PublicKey.from_public_bytes(key)
        _SUITE.encrypt(b"", public)  # a point of low order is found out here
    except ValueError:
        raise BadPublicKey from None
    return public


def _check_here(entries: Iterable[Entry]) -> None:
    if any(entry.type == "accusation.handed_over" for entry in entries):
        raise AlreadyHandedOver(
            "本案已经移交，不能再移交。", "This case has been handed over already."
        )


def _header(desk: Desk, body: str, public_key: bytes) -> dict[str, Any]:
    case = desk.case
    return {
        "case": case.case,
        "class": str(case.variables["case"]["category"]),
        "body": body,
        "key_id": sha256(public_key).hexdigest(),
        "date": desk.at.astimezone(ZoneInfo(desk.context.calendar.zone)).date().isoformat(),
        "suite": SUITE_NAME,
    }


def _told(header: dict[str, Any], file: bytes) -> dict[str, Any]:
    """What the log keeps of it."""
    kept = {name: header[name] for name in ("class", "body", "key_id", "date")}
    return kept | {"sha256": sha256(file).hexdigest(), "bytes": len(file)}


def _prepared(
    vault: Vault, entries: list[Entry], header: dict[str, Any], receiver: X25519PublicKey
) -> bytes:
    """The sealed file, committed in the vault: from here on a crash loses nothing."""
    case = header["case"]
    kept = _kept(vault, case)
    if kept is not None and store.destroyed(vault, subject_of(case, "content")):
        # An earlier attempt got as far as destroying: its file is the only copy there is.
        if kept.key_id != header["key_id"]:
            raise AlreadyHandedOver(
                "本案内容已为另一接收机关密封，请仍选原接收机关完成移交。",
                "The content is sealed for another body already; finish handing it to that one.",
            )
        return bytes(kept.file)
    going = [one for one in sealed_in(entries) if one.seal in GOES]
    if not going:
        raise SealMissing
    first = MAGIC + canonical({**header, "log": entries[0].log}) + b"\n"
    inside = canonical([_item(vault, one) for one in going])
    file = first + _SUITE.encrypt(inside, receiver, info=first)
    _keep(vault, case, header["key_id"], file)
    return file


def _item(vault: Vault, one: Sealed) -> dict[str, Any]:
    value, salt = store.opened(vault, one.subject, one.commitment)
    return {
        "event": one.seq,
        "field": one.field,
        "as": one.seal,
        "value": value,
        "salt": salt.hex(),
        "commitment": one.commitment,
    }


def _destroyed(
    vault: Vault, entries: list[Entry], case: str, who: dict[str, Any], at: datetime
) -> list[Draft]:
    named = {one.subject for one in sealed_in(entries) if one.seal in GOES}
    subjects = sorted(named | {subject_of(case, "content")})
    for subject in subjects:
        store.destroy(vault, subject, at=at)
    told = [{"subject": subject, "reason": REASON} for subject in subjects]
    return [Draft("sealed.destroyed", data, who, at) for data in told]


# --- files that wait to be fetched ----------------------------------------------------------------


def waiting_files(vault: Vault) -> dict[str, str]:
    """Files not yet taken away: case -> SHA-256 (hex) of the file."""
    rows = select(handover_table.c.case, handover_table.c.sha256).order_by(handover_table.c.case)
    with store.transaction(vault) as conn:
        return {row.case: row.sha256 for row in conn.execute(rows)}


def fetch_file(vault: Vault, case: str) -> bytes:
    """The sealed file of a case, as often as needed; raises SealMissing once taken away."""
    kept = _kept(vault, case)
    if kept is None:
        raise SealMissing
    return bytes(kept.file)


def take_away(vault: Vault, case: str) -> None:
    """Drop a sealed file that its receiver has acknowledged."""
    with store.transaction(vault) as conn:
        conn.execute(delete(handover_table).where(handover_table.c.case == case))


def _kept(vault: Vault, case: str) -> Row[Any] | None:
    with store.transaction(vault) as conn:
        return conn.execute(select(handover_table).where(handover_table.c.case == case)).first()


def _keep(vault: Vault, case: str, key_id: str, file: bytes) -> None:
    row = {"case": case, "key_id": key_id, "sha256": sha256(file).hexdigest(), "file": file}
    with store.transaction(vault) as conn:
        conn.execute(delete(handover_table).where(handover_table.c.case == case))
        conn.execute(insert(handover_table), row)


# --- the receiving body ---------------------------------------------------------------------------


def open_handover(private_key: bytes, file: bytes) -> Accusation:
    """Open a sealed file as its receiver; every answer is checked against its commitment.

    private_key: X25519, 32 bytes. Raises BadHandover.
    """
    if not file.startswith(MAGIC):
        raise BadHandover
    end = file.find(b"\n", len(MAGIC)) + 1
    try:
        mine = X25519PrivateKey.from_private_bytes(private_key)
        header = decode(file[len(MAGIC) : end - 1])
        inside = decode(_SUITE.decrypt(file[end:], mine, info=file[:end]))
        return Accusation(header, tuple(map(_opened, inside)))
    except (InvalidTag, NotCanonical, KeyError, TypeError, ValueError):
        raise BadHandover from None


def _opened(item: dict[str, Any]) -> Item:
    salt, field = bytes.fromhex(item["salt"]), item["field"]
    if not opens(item["commitment"], field, item["value"], salt):
        raise BadHandover
    return Item(item["event"], field, item["as"], item["value"], item["commitment"])
