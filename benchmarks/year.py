"""A street with a year's events: lived through the public commands, and then told many times over.

A million events by commands take an hour and more. So a year of the demonstration is lived once,
and each of its hazards is then told again under further numbers: the same acts by the same people
at the same times, sealed anew in a chain of their own, with a receipt of their own. Where the new
hashes draw another lot than the one the acts go on from, the number goes to the next. What comes
out is a log like any other, which `shaoji verify` replays and accepts.
"""

import itertools
import shutil
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, func, select, update

from audit import log
from audit.entries import Draft, Entry
from engine import acts, inbox, outbox, register, taking_part
from engine.advance import receipt_number
from engine.cases import number_table
from engine.casework import read_case
from engine.database import open_database
from engine.definition_sets import load
from engine.process import draw
from engine.sequencer import take_in
from engine.state import CaseState
from web.config import Settings
from web.demo import ORIGIN
from web.demonstration import prepare

PROCESS = "hazard"
# Of cases with an open step one in so many rounds is told again: about 4 % are open in the end.
OPEN_ROUNDS = 3
BATCH = 1000
SECRET = "k" * 48


@dataclass(frozen=True)
class Told:
    """A hazard as it was lived, and how it stands; open: a step of it waits for somebody."""

    entries: tuple[Entry, ...]
    state: CaseState

    @property
    def open(self) -> bool:
        return bool(self.state.tasks)


def settings_of(folder: Path) -> Settings:
    """The settings a street in this folder is served with."""
    return Settings(
        secret_key=SECRET, database_url=f"sqlite:///{folder}/street.db", origin=ORIGIN, demo=True,
        evidence_dir=folder / "evidence", cookie_secure=False,
    )  # fmt: skip


def make(folder: Path, cases: int, *, lived: Path | None, size: str) -> None:
    """Make a street with so many hazards in a folder, unless it is there: whole or not at all.

    lived: the database of a demonstration to begin with; None lives one first, of this size.
    """
    if (folder / "street.db").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    begun = folder / "begun"
    shutil.rmtree(begun, ignore_errors=True)
    begun.mkdir()
    _live(begun, lived, size)
    engine = open_database(f"sqlite:///{begun}/street.db")
    tell_again(engine, cases, _tell)
    _tell(f"{take_in(engine):,} events taken into the tree")
    engine.dispose()
    for made in begun.iterdir():
        made.replace(folder / made.name)
    begun.rmdir()


def _live(begun: Path, lived: Path | None, size: str) -> None:
    if lived is None:
        _tell(f"living a year ({size})")
        prepare(settings_of(begun), size=size, progress=_silently)
        return
    with sqlite3.connect(lived) as source, sqlite3.connect(begun / "street.db") as target:
        source.backup(target)
    for beside in ("vault.db", "vault.key"):
        if (lived.parent / beside).exists():
            shutil.copy(lived.parent / beside, begun / beside)


class _silently:  # noqa: N801 - called like the function it stands for
    def __init__(self, steps: int) -> None:
        pass

    def __enter__(self) -> Callable[[int], None]:
        return lambda steps: None

    def __exit__(self, *_: object) -> None:
        pass


def tell_again(engine: Engine, cases: int, told: Callable[[str], None]) -> None:
    """Tell the hazards of this street again until there are so many, some in a transaction."""
    with engine.connect() as conn:
        known = _known(conn)
        wanted = cases - conn.execute(
            select(func.count()).select_from(register.register_table)
            .where(register.register_table.c.process == PROCESS)
        ).scalar_one()  # fmt: skip
    plan = _plan(known, wanted)
    made = 0
    while made < wanted:
        with engine.begin() as conn:
            for one in itertools.islice(plan, min(BATCH, wanted - made)):
                made += _again(conn, one)
        told(f"{made:,} hazards told again")


def _known(conn: Connection) -> list[Told]:
    """The hazards that can stand alone: those that told other cases nothing."""
    streams = [name for name in log.streams(conn) if name.startswith(f"{PROCESS}-")]
    told = (Told(tuple(log.read(conn, name)), read_case(conn, name)) for name in streams)
    alone = [one for one in told if not any("message." in e.type for e in one.entries)]
    return sorted(alone, key=lambda one: one.entries[0].at)


def _plan(known: Sequence[Told], wanted: int) -> Iterator[Told]:
    """Whom to tell again, in the order of their reports, and some more in case lots fall badly."""
    share = sum(1 / OPEN_ROUNDS if one.open else 1 for one in known)
    rounds = int(wanted / share) + 1
    for one in known:
        yield from itertools.repeat(one, -(-rounds // OPEN_ROUNDS) if one.open else rounds)
    yield from itertools.cycle([one for one in known if not one.open])


def _again(conn: Connection, one: Told) -> bool:
    """Tell a hazard under the next number of its year; False where its lots fell otherwise."""
    opened = one.entries[0]
    _, year, _ = opened.stream.split("-")
    last = select(number_table.c.last).where(
        number_table.c.process == PROCESS, number_table.c.year == int(year)
    )
    number = conn.execute(last).scalar_one() + 1
    worked = _worked(opened.log, one, f"{year}-{number:05d}")
    if worked is None:
        return False
    conn.execute(
        update(number_table)
        .where(number_table.c.process == PROCESS, number_table.c.year == int(year))
        .values(last=number)
    )
    case, entries = worked
    log.write(conn, log.Head(opened.log, case.case, 0, b"", ""), entries)
    outbox.keep(conn, entries)
    register.enter(conn, case, entries)
    inbox.project(conn, None, case, load(conn, case.definition))
    acts.keep(conn, case, entries)
    taking_part.project(conn, None, case)
    return True


def _worked(origin: str, one: Told, number: str) -> tuple[CaseState, list[Entry]] | None:
    """The case that these events make under this number; None where a lot falls otherwise."""
    name = f"{PROCESS}-{number}"
    head = log.Head(origin, name, 0, b"", "")
    entries: list[Entry] = []
    for entry in one.entries:
        data = entry.data
        if entry.seq == 1:
            data = data | {"number": f"{data['number'].rsplit('-', 2)[0]}-{number}"}
        elif entry.type == "receipt.issued":
            data = {"receipt": receipt_number(entries[0].hash)}
        cause = entries[entry.cause - 1] if entry.cause else None
        if cause and not all(_falls(lot, cause.hash) for lot in data.get("lots", ())):
            return None
        placed, head = log.place(head, replace(_draft(entry), data=data))
        entries.append(placed)
    return replace(one.state, case=name, number=entries[0].data["number"]), entries


def _falls(lot: Mapping[str, Any], seed: bytes) -> bool:
    """Whether a lot falls for this seed as it did (engine.advance, engine.process)."""
    if "candidates" in lot:
        candidates = lot["candidates"]
        return bool(candidates[draw(seed, lot["lot"], len(candidates))] == lot["unit"])
    return bool((draw(seed, lot["lot"], 1000) < lot["per_mille"]) == lot["drawn"])


def _draft(entry: Entry) -> Draft:
    return Draft(
        entry.type, entry.data, entry.actor, entry.at, entry.evidence, entry.cause,
        entry.claimed_at,
    )  # fmt: skip


def contents(engine: Engine) -> dict[str, int]:
    """How much there is: events, cases, open ones, acts, open steps."""
    tables = {
        "events": log.event_table,
        "acts": acts.act_table,
        "open_steps": inbox.open_task_table,
    }
    case = register.register_table
    with engine.connect() as conn:
        counts = {
            name: conn.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in tables.items()
        }
        states = Counter(conn.execute(select(case.c.ended_at.is_(None))).scalars())
    return counts | {"cases": states.total(), "cases_open": states[True]}


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
