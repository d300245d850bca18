"""Checks what runs between cases: every message sent arrived exactly once, unchanged.

A `message.sent` is pending in the outbox, or one event elsewhere names its hash; what arrived says
what was sent; and a code that was typed on the spot is the one that had been shown.
"""

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Connection, select

from audit import log
from audit.between import check_arrivals, check_proofs
from audit.chain import Problem
from audit.entries import Entry
from engine.outbox import link_table, message_table

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
    yield from check_arrivals(sent, arrived)
    yield from _departures(conn, sent, arrived)
    yield from _links(conn, sent, arrived)


def check_codes(conn: Connection, entries: Sequence[Entry]) -> Iterator[Problem]:
    """The codes typed in one case's entries that nobody had shown where they say."""

    def shown(case: str, seq: int) -> Entry | None:
        return next(iter(log.read(conn, case, after=seq - 1)), None)

    return check_proofs(entries, shown)


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
