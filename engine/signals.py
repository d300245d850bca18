"""线索: what the rules find in the log as it stands, kept up to date, and what people found of it.

Two projections. A case's brief changes only when the case does; what is found is found anew from
all briefs, so that keeping up and starting over come to the same. Neither is what anything rests
on: the log is, and what a person says of a signal is an entry of its case.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import orjson
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    Row,
    Table,
    Text,
    delete,
    insert,
    or_,
    select,
    update,
)

from audit import log
from audit.checkpoint import Checkpoint
from audit.entries import Draft
from audit.log import metadata
from audit.signals.among_cases import signals
from audit.signals.brief import JUDGEMENTS, brief
from audit.signals.facts import Brief, Signal
from audit.signals.kept import from_json, to_json
from audit.signals.offices import Offices, offices
from audit.signals.rules import Rules
from audit.trust import Trust
from engine.casework import Desk, Done, change
from engine.errors import Conflict, NotAllowed, NotFound
from engine.exported_cases import fold_export
from engine.holding import overseer
from engine.mining import open_cases
from engine.people import By, actor
from engine.photo_prints import Both, keep_up, pairs
from engine.reasons import reasoned
from engine.rights import DISCIPLINE, SUPERVISION

brief_table = Table(
    "signal_brief",
    metadata,
    Column("case", Text, primary_key=True),
    # The case's last entry and the file of rules it was folded with.
    Column("seq", Integer, nullable=False),
    Column("rules", Text, nullable=False),
    Column("brief", LargeBinary, nullable=False),
)
signal_table = Table(
    "signal",
    metadata,
    Column("case", Text, primary_key=True),
    Column("entry", Integer, primary_key=True),
    Column("rule", Text, primary_key=True),
    # Numbers of entries here, and [case, number] of others, as JSON.
    Column("events", Text, nullable=False),
    Column("others", Text, nullable=False),
    Column("state", Text, nullable=False),
)

JUDGING: Final = (SUPERVISION, DISCIPLINE)
OPEN: Final = "open"
BATCH: Final = 200


class NoSuchSignal(NotFound):
    """No rule finds that in the case."""

    def __init__(self) -> None:
        super().__init__(
            "这件案子里没有这条线索，可能刚刚变了。请刷新后再看。",
            "There is no such signal in this case, or not any more. Look again.",
        )


class AlreadyJudged(Conflict):
    """Somebody has said already how it stands."""

    def __init__(self) -> None:
        super().__init__(
            "这条线索已经有人核实过，结论记录在案。要补充的，请写进案件。",
            "Somebody has looked into this signal; what they found is on the record.",
        )


class OwnSignal(NotAllowed):
    """Whoever did what a signal is about does not judge it."""

    def __init__(self) -> None:
        super().__init__(
            "这条线索说的就是您本人做的事，要由别人核实。",
            "This signal is about what you did yourself; somebody else has to look into it.",
        )


@dataclass(frozen=True, slots=True)
class Found:
    """A signal and how it stands: open, confirmed or dismissed."""

    signal: Signal
    state: str


def refresh(engine: Engine, rules: Rules, seen: Callable[[int], None]) -> int:
    """Bring briefs and signals up to date; how many cases had changed. seen: so many more done.

    Some cases a transaction: a street's first time takes minutes, and the desks go on working.
    """
    with engine.connect() as conn:
        waiting = changed(conn, rules)
    for start in range(0, len(waiting), BATCH):
        part = waiting[start : start + BATCH]
        with engine.connect() as conn:
            briefs = [(brief(log.read(conn, case), rules), seq) for case, seq in part]
        with engine.begin() as conn:
            for one, seq in briefs:
                _keep(conn, one, seq, rules)
        seen(len(part))
    if waiting:
        # In one transaction with what it reads: nobody's judgement falls in between.
        with engine.begin() as conn:
            _find(conn, rules)
    return len(waiting)


def look_at_photos(
    engine: Engine,
    root: Path,
    rules: Rules,
    *,
    seen: Callable[[int], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Compare the photos of open cases in the store at `root`, and find anew what rests on it.

    After `refresh`, which takes what is known of them. seen, stopped: see `keep_up`.
    """
    with engine.connect() as conn:
        wanted = files_of_open_cases(conn)
    if keep_up(engine, root, wanted, seen=seen, stopped=stopped):
        with engine.begin() as conn:
            _find(conn, rules)


def files_of_open_cases(conn: Connection) -> set[str]:
    """What the acts that B5 looks at named, by SHA-256 (hex), in cases that are not confidential.

    As of the last `refresh`.
    """
    shown = set(open_cases(conn))
    kept = conn.execute(select(brief_table.c.case, brief_table.c.brief))
    briefs = [from_json(bytes(row.brief)) for row in kept if row.case in shown]
    return {photo.sha256 for one in briefs for photo in one.photos}


def changed(conn: Connection, rules: Rules) -> Sequence[tuple[str, int]]:
    """The cases that have changed since they were folded, or were folded by other rules."""
    head, kept = log.head_table.c, brief_table.c
    query = (
        select(head.stream, head.seq)
        .outerjoin(brief_table, kept.case == head.stream)
        .where(~head.stream.startswith("@"))
        .where(or_(kept.seq.is_(None), kept.seq != head.seq, kept.rules != rules.sha256))
        .order_by(head.stream)
    )
    return [(row.stream, row.seq) for row in conn.execute(query)]


def _keep(conn: Connection, one: Brief, seq: int, rules: Rules) -> None:
    row = {"case": one.case, "seq": seq, "rules": rules.sha256, "brief": to_json(one)}
    conn.execute(delete(brief_table).where(brief_table.c.case == one.case))
    conn.execute(insert(brief_table), row)


def _find(conn: Connection, rules: Rules) -> None:
    """Find everything anew, and write what is found now and was not, and the other way round."""
    briefs = [from_json(bytes(row.brief)) for row in conn.execute(select(brief_table.c.brief))]
    found = {
        _key(row): row for row in map(_row, standing(briefs, rules, pairs(conn), offices_of(conn)))
    }
    kept = {_key(row): dict(row) for row in conn.execute(select(signal_table)).mappings()}
    table = signal_table.c
    for case, entry, rule in [key for key, row in kept.items() if found.get(key) != row]:
        conn.execute(
            delete(signal_table).where(table.case == case, table.entry == entry, table.rule == rule)
        )
    new = [row for key, row in found.items() if kept.get(key) != row]
    if new:
        conn.execute(insert(signal_table), new)


def offices_of(conn: Connection) -> Offices:
    """Which unit stands above which, and which posts approve, as the registers tell."""
    return offices(log.read(conn, "@units"), log.read(conn, "@people"))


def standing(
    briefs: Iterable[Brief], rules: Rules, alike: Collection[Both], known: Offices
) -> list[Found]:
    """What is found in these briefs, and how each stands; the last word counts."""
    told = list(briefs)
    judged = {(one.case, said.entry, said.rule): said.state for one in told for said in one.judged}
    return [
        Found(one, judged.get((one.case, one.events[0], one.rule), OPEN))
        for one in signals(told, rules, alike, known)
    ]


def _row(found: Found) -> dict[str, Any]:
    one = found.signal
    return {
        "case": one.case,
        "entry": one.events[0],
        "rule": one.rule,
        "events": orjson.dumps(one.events).decode(),
        "others": orjson.dumps(one.others).decode(),
        "state": found.state,
    }


def _key(row: Any) -> tuple[str, int, str]:
    return row["case"], row["entry"], row["rule"]


def signals_of_export(
    folder: Path, trust: Trust, rules: Rules, *, workers: int
) -> tuple[Checkpoint, list[Found]]:
    """What the rules find in an exported log, by its entries alone, and its checkpoint.

    An export holds no photos: look-alikes are not looked for. Raises ExportFails.
    """
    told = fold_export(folder, trust, partial(brief, rules=rules), workers=workers)
    known = offices(told.registers["@units"], told.registers["@people"])
    found = standing(told.cases, rules, (), known)
    return told.tree, sorted(found, key=lambda one: (one.signal.case, one.signal.events[0]))


def all_signals(conn: Connection) -> list[Found]:
    """Everything found as of the last refresh, by case; for whoever operates the server."""
    table = signal_table.c
    query = select(signal_table).order_by(table.case, table.entry, table.rule)
    return [read_signal(row) for row in conn.execute(query)]


def read_signal(row: Row[Any]) -> Found:
    """What a row of `signal` holds."""
    others = tuple((case, seq) for case, seq in orjson.loads(row.others))
    return Found(Signal(row.rule, row.case, tuple(orjson.loads(row.events)), others), row.state)


def confirm(
    conn: Connection,
    case_id: str,
    rule: str,
    entry: int,
    reason: str,
    *,
    rules: Rules,
    by: By,
    at: datetime,
    key: str | None = None,
) -> Done:
    """Say that a signal holds; entry: the first it rests on.

    Raises NotYourTask, NotYoursToSee, NoSuchSignal, AlreadyJudged, OwnSignal, NoReason.
    """
    return _judge(conn, "signal.confirmed", case_id, rule, entry, reason, rules, by, at, key)


def dismiss(
    conn: Connection,
    case_id: str,
    rule: str,
    entry: int,
    reason: str,
    *,
    rules: Rules,
    by: By,
    at: datetime,
    key: str | None = None,
) -> Done:
    """Say that a signal does not hold; raises what `confirm` raises."""
    return _judge(conn, "signal.dismissed", case_id, rule, entry, reason, rules, by, at, key)


def _judge(
    conn: Connection,
    said: str,
    case_id: str,
    rule: str,
    entry: int,
    reason: str,
    rules: Rules,
    by: By,
    at: datetime,
    key: str | None,
) -> Done:
    def decide(desk: Desk) -> list[Draft]:
        authority = overseer(desk, by, JUDGING)
        entries = log.read(conn, case_id)
        found = _kept_signal(conn, case_id, rule, entry)
        if any(one.type in JUDGEMENTS and one.data["rule"] == rule and one.data["entry"] == entry
               for one in entries):  # fmt: skip
            raise AlreadyJudged
        mine = {one.seq for one in entries if one.actor.get("person") == by.person}
        if mine & set(found.events):
            raise OwnSignal
        data = {"rule": rule, "entry": entry, "rules": rules.sha256, "reason": reasoned(reason)}
        return [Draft(said, data, actor(authority, authority.duty, channel=by.channel), at)]

    done = change(conn, case_id, decide, at=at, key=key)
    entries = log.read(conn, case_id)
    _keep(conn, brief(entries, rules), entries[-1].seq, rules)
    table = signal_table.c
    conn.execute(
        update(signal_table)
        .where(table.case == case_id, table.entry == entry, table.rule == rule)
        .values(state=JUDGEMENTS[said])
    )
    return done


def _kept_signal(conn: Connection, case: str, rule: str, entry: int) -> Signal:
    table = signal_table.c
    query = select(signal_table).where(table.case == case, table.rule == rule, table.entry == entry)
    row = conn.execute(query).first()
    if row is None:
        raise NoSuchSignal
    return read_signal(row).signal
