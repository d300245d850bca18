"""The evidence file: the entries of one case, verbatim, fit to travel inside a report.

Whoever holds it can check every hash and link without us; docs/audit-format.md says how.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import orjson

from audit.chain import Given, Problem, check_stream
from audit.encoding import NotCanonical
from audit.entries import Entry, leaf_hash, unseal

FORMAT: Final = "shaoji-events/1"


class NotABundle(ValueError):
    """The bytes are not an evidence file of a format known here."""


def write_bundle(log: str, case: str, bodies: Iterable[bytes]) -> bytes:
    """Pack the stored bytes of a case's entries, in order, with the hash of each (hex).

    Each body stands there as a JSON string: its UTF-8 bytes are the bytes that were hashed.
    """
    events = [
        {"seq": seq, "hash": leaf_hash(body).hex(), "body": body.decode()}
        for seq, body in enumerate(bodies, 1)
    ]
    told = {
        "format": FORMAT,
        "log": log,
        "case": case,
        "count": len(events),
        "head": events[-1]["hash"] if events else "",
        "check": "hash = SHA-256(0x00 || UTF-8 of body); prev in a body = hash of the one before",
        "events": events,
    }
    return orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def check_bundle(data: bytes) -> Iterator[Entry | Problem]:
    """Yield each entry, or the first problem found and then nothing more (audit.chain).

    Raises NotABundle. That the file is complete, and that `head` is the one some other place
    knows, is for its reader to compare.
    """
    try:
        told = orjson.loads(data)
        if told["format"] != FORMAT:
            raise NotABundle(f"format {told['format']} is not known here")
        log, case, count, head = told["log"], told["case"], told["count"], told["head"]
        rows = [_row(case, event) for event in told["events"]]
    except (KeyError, TypeError, ValueError) as error:
        raise NotABundle(f"not an evidence file: {error}") from None
    yield from check_stream(log, case, rows)
    last = rows[-1].hash.hex() if rows else ""
    if (count, head) != (len(rows), last):
        yield Problem(case, len(rows) + 1, "count and head are not those of the events")


def _row(case: str, event: dict[str, object]) -> Given:
    body = str(event["body"]).encode()
    try:
        type_ = unseal(body).type
    except NotCanonical:
        type_ = ""  # check_stream says what is wrong with it
    return Given(case, int(str(event["seq"])), type_, body, bytes.fromhex(str(event["hash"])))
