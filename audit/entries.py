"""What an entry of the log is, and which bytes its hash covers."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from audit.encoding import NotCanonical, canonical, decode, instant, timestamp

FORMAT: Final = 1
# C2SP tlog-tiles entry bundles count a leaf's length in 16 bits; half of that leaves room.
LARGEST_BODY: Final = 32 * 1024
ENGINE: Final = {"engine": "shaoji"}
# The fields of a body; the last three only where there is something to say.
_FIELDS: Final[dict[str, type]] = {
    "v": int, "log": str, "case": str, "seq": int, "prev": str, "type": str, "at": str,
    "actor": dict, "data": dict, "evidence": list, "cause": int, "claimed_at": str,
}  # fmt: skip


class BodyTooLarge(ValueError):
    """An event's canonical bytes exceed 32 KiB; large content belongs in the evidence store."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be recorded, before the log gives it a place.

    actor: who did it ({person, post, unit, capacity, on_behalf_of?, channel} or {engine}).
    at: server time, aware. cause: seq of the entry this one follows from. claimed_at: the time
    somebody says it happened, where that is another.
    """

    type: str
    data: dict[str, Any]
    actor: dict[str, Any]
    at: datetime
    evidence: tuple[dict[str, Any], ...] = ()
    cause: int | None = None
    claimed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One recorded event: its content, its place in the stream, its bytes and their leaf hash."""

    log: str
    stream: str
    seq: int
    prev: str
    type: str
    at: datetime
    actor: dict[str, Any]
    data: dict[str, Any]
    evidence: tuple[dict[str, Any], ...]
    cause: int | None
    claimed_at: datetime | None
    body: bytes
    hash: bytes


def leaf_hash(body: bytes) -> bytes:
    """Hash a body as an RFC 6962 §2.1 Merkle tree leaf: SHA-256(0x00 || body)."""
    return hashlib.sha256(b"\x00" + body).digest()


def seal(draft: Draft, *, log: str, stream: str, seq: int, prev: str) -> Entry:
    """Give a draft its place: canonical body with `seq` and `prev` inside, and its leaf hash.

    Raises NotCanonical for content outside the profile, BodyTooLarge beyond 32 KiB.
    """
    content: dict[str, Any] = {
        "v": FORMAT,
        "log": log,
        "case": stream,
        "seq": seq,
        "prev": prev,
        "type": draft.type,
        "at": timestamp(draft.at),
        "actor": draft.actor,
        "data": draft.data,
    }
    if draft.evidence:
        content["evidence"] = list(draft.evidence)
    if draft.cause is not None:
        content["cause"] = draft.cause
    if draft.claimed_at is not None:
        content["claimed_at"] = timestamp(draft.claimed_at)
    body = canonical(content)
    if len(body) > LARGEST_BODY:
        raise BodyTooLarge(f"{draft.type}: {len(body)} bytes, at most {LARGEST_BODY}")
    return Entry(
        log, stream, seq, prev, draft.type, instant(content["at"]), draft.actor, draft.data,
        draft.evidence, draft.cause, draft.claimed_at and instant(content["claimed_at"]),
        body, leaf_hash(body),
    )  # fmt: skip


def unseal(body: bytes) -> Entry:
    """Read an entry back from its stored bytes; raises NotCanonical if they are not an entry."""
    if len(body) > LARGEST_BODY:
        raise NotCanonical(f"a body has at most {LARGEST_BODY} bytes")
    content = decode(body)
    _check_fields(content)
    try:
        if content["v"] != FORMAT:
            raise NotCanonical(f"format {content['v']} is not known here")
        return _entry(content, body)
    except (KeyError, TypeError, ValueError) as error:
        raise NotCanonical(f"not an entry: {error}") from None


def reread(body: bytes) -> Entry:
    """Read an entry again whose bytes have been checked before: four times as fast, checks nothing.

    Raises KeyError, TypeError or ValueError for what is none.
    """
    return _entry(orjson.loads(body), body)


def _entry(content: dict[str, Any], body: bytes) -> Entry:
    claimed = content.get("claimed_at")
    return Entry(
        content["log"], content["case"], content["seq"], content["prev"], content["type"],
        instant(content["at"]), content["actor"], content["data"],
        tuple(content.get("evidence", ())), content.get("cause"),
        None if claimed is None else instant(claimed), body, leaf_hash(body),
    )  # fmt: skip


def _check_fields(content: Any) -> None:
    """Exactly what `seal` writes: a field more would be told to one reader and not to another."""
    if type(content) is not dict or not content.keys() <= _FIELDS.keys():
        raise NotCanonical("not an entry: other fields than an entry has")
    wrong = [name for name, value in content.items() if type(value) is not _FIELDS[name]]
    if wrong or content.get("evidence") == []:
        raise NotCanonical(f"not an entry: {wrong or 'evidence'} of another shape")
