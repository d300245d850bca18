"""Checks what runs between cases: every message sent arrived exactly once, unchanged.

A `message.sent` is pending in the outbox, or one event elsewhere names its hash; what arrived says
what was sent; and a code that was typed on the spot is the one that had been shown.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from audit import log
from audit.chain import Problem
from audit.commitments import opens
from audit.entries import Entry
from engine.outbox import link_table, message_table
from engine.sealed_answers import is_sealed
from engine.site_codes import FIELD

_TYPES = ("message.sent", "message.received", "case.opened")


def check_between(conn: Connection) -> Iterator[Problem]:
    """Every message that was lost, doubled, changed or invented."""
    sent: dict[str, Entry] = {}
    arrived: list[Entry] = []
    for entry in log.of_types(conn, _TYPES):
        if entry.type == "message.sent":
            sent[entry.hash.hex()] = entry
        elif "origin" in entry.data:
            arrived.append(entry)
    yield from _arrivals(sent, arrived)
    yield from _departures(conn, sent, arrived)
    yield from _links(conn, sent, arrived)


def check_proofs(conn: Connection, entries: Sequence[Entry]) -> Iterator[Problem]:
    """The codes typed in one case's entries that nobody had shown where they say."""
    for entry in entries:
        if "proof" in entry.data and not _is_proven(conn, entry):
            yield Problem(entry.stream, entry.seq, "the code typed is not one that was shown")


def _arrivals(sent: Mapping[str, Entry], arrived: list[Entry]) -> Iterator[Problem]:
    seen: set[str] = set()
    for entry in arrived:
        origin = entry.data["origin"]
        source = sent.get(origin["hash"])
        if source is None:
            yield Problem(entry.stream, entry.seq, "follows from a message nobody sent")
        elif not _same(entry, source, origin):
            yield Problem(entry.stream, entry.seq, "says other than the message it follows from")
        if origin["hash"] in seen:
            yield Problem(entry.stream, entry.seq, "follows from a message that arrived before")
        seen.add(origin["hash"])


def _same(entry: Entry, source: Entry, origin: Mapping[str, Any]) -> bool:
    place = (origin.get("case", source.stream), origin.get("seq", source.seq))
    if place != (source.stream, source.seq) or entry.at < source.at:
        return False
    told = source.data
    if entry.type == "message.received":
        return (entry.data["message"], entry.data["form"]) == (told["message"], told["form"])
    # What the new case sealed came from the vault and stands in no message.
    form = {name: v for name, v in entry.data["form"].items() if not is_sealed(v)}
    asked = {name: value for name, value in told["form"].items() if name in form}
    return told["to"] == f"opens:{entry.data['process']}" and form == asked


def _departures(
    conn: Connection, sent: Mapping[str, Entry], arrived: list[Entry]
) -> Iterator[Problem]:
    there = {entry.data["origin"]["hash"] for entry in arrived}
    rows = conn.execute(select(message_table))
    pending = {bytes(row.hash).hex(): (row.case, row.seq) for row in rows}
    for hash_, source in sent.items():
        if (hash_ in there) is (hash_ in pending):
            what = "is on its way and arrived" if hash_ in there else "never arrived"
            yield Problem(source.stream, source.seq, f"the message {what}")
    for hash_, (case, seq) in pending.items():
        if hash_ not in sent:
            yield Problem(case, seq, "a message is on its way that nobody sent")


def _links(conn: Connection, sent: Mapping[str, Entry], arrived: list[Entry]) -> Iterator[Problem]:
    linked = {row.child: (row.parent, row.seq) for row in conn.execute(select(link_table))}
    told = {
        entry.stream: (source.stream, source.seq)
        for entry in arrived
        if entry.type == "case.opened" and (source := sent.get(entry.data["origin"]["hash"]))
    }
    for child in sorted(linked.keys() | told.keys()):
        if linked.get(child) != told.get(child):
            yield Problem(child, 1, "the table of related cases shows another parent than the log")


def _is_proven(conn: Connection, entry: Entry) -> bool:
    proof = entry.data["proof"]
    shown = next(iter(log.read(conn, proof["case"], after=proof["seq"] - 1)), None)
    if shown is None or shown.type != "code.shown" or entry.at < shown.at:
        return False
    salt = bytes.fromhex(proof["salt"])
    return opens(shown.data["commitment"], FIELD, proof["code"], salt)
