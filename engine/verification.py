"""Verifies the log: every stream's bytes and chain, and every case by replay.

The steps, for each stream: (1) the checks of audit.chain on the stored rows, and that the head
names the last event; (2) the vocabulary; for a case: (3) replay through the pinned definition and
calendars, comparing every recorded fact; (4) the stored state equals the replayed one, and
register, inbox, parts and acts show it, and answers that were opened are those that had been
sealed; for a register: (5) what the tables hold of definitions, calendars, units, people and names
is what was recorded. Then, once: (6) no number was given out to a case of which the log has
nothing; (7) what cases told each other arrived once, unchanged, or is on its way, and codes typed
are those that were shown; (8) what was published last of hazards is what the log gives.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from audit import log, vocabulary
from audit.chain import Problem
from audit.entries import Entry
from audit.revealed import check_revealed
from engine import between, evidence, kept, published_hazards
from engine.database import open_database, reading
from engine.errors import NotFound
from engine.replay import Library, RecordDiffers, library, replay


class NothingToVerify(NotFound):
    """There is no such case."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verification saw: how many cases and events, and every problem.

    Of a stream's own events only the first problem: what comes after it rests on it.
    """

    cases: int
    events: int
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was wrong."""
        return not self.problems


def verify(
    conn: Connection, *, case: str | None = None, seen: Callable[[str], None] | None = None
) -> Verdict:
    """Verify the whole log, or one case; `seen` is told each stream as it is done."""
    names = log.streams(conn)
    if case is None:
        streams = _verify_streams(conn, _with_registers(names), seen)
        return merge([*streams, _once(conn, names), _published(conn)])
    if case not in names:
        raise NothingToVerify(f"没有找到案件 {case}。", f"There is no case {case}.")
    return merge(_verify_streams(conn, [case], seen))


def verify_evidence(conn: Connection, root: Path, *, case: str | None = None) -> list[Problem]:
    """The events whose evidence files are missing from this store or not what they were."""
    named: dict[str, Problem] = {}
    for name in [case] if case else log.streams(conn):
        for entry in log.read(conn, name):
            for item in entry.evidence:
                told = Problem(name, entry.seq, f"evidence {item['sha256']}", "files")
                named.setdefault(item["sha256"], told)
    wrong = {found.sha256: found.fault for found in evidence.check(root, named)}
    return [
        replace(problem, what=f"{problem.what} is {wrong[sha256]}")
        for sha256, problem in named.items()
        if sha256 in wrong
    ]


def verify_on_all_cores(url: str, *, workers: int, seen: Callable[[str], None]) -> Verdict:
    """Verify the whole log in several processes, each with its own connection."""
    engine = reading(open_database(url))
    with engine.begin() as conn:
        names = log.streams(conn)
        verdicts = [_once(conn, names)]
    engine.dispose()
    names = _with_registers(names)
    share = max(1, -(-len(names) // (workers * 8)))
    parts = [names[start : start + share] for start in range(0, len(names), share)]
    with ProcessPoolExecutor(workers) as pool:
        published = pool.submit(_verify_published, url)
        for part, verdict in zip(parts, pool.map(partial(_verify_part, url), parts), strict=True):
            verdicts.append(verdict)
            for name in part:
                seen(name)
        verdicts.append(published.result())
    return merge(verdicts)


def merge(verdicts: Iterable[Verdict]) -> Verdict:
    """One verdict over disjoint streams."""
    cases = events = 0
    problems: list[Problem] = []
    for verdict in verdicts:
        cases += verdict.cases
        events += verdict.events
        problems.extend(verdict.problems)
    return Verdict(cases, events, tuple(problems))


def _with_registers(names: list[str]) -> list[str]:
    """The streams to look at: a register that is gone altogether has left its tables behind."""
    return sorted({*names, *kept.REGISTERS})


def _once(conn: Connection, names: list[str]) -> Verdict:
    return Verdict(0, 0, (*kept.check_cases(conn, names), *between.check_between(conn)))


def _published(conn: Connection) -> Verdict:
    return Verdict(0, 0, tuple(published_hazards.check(conn)))


def _verify_part(url: str, names: list[str]) -> Verdict:
    with _connected(url) as conn:
        return merge(_verify_streams(conn, names, None))


def _verify_published(url: str) -> Verdict:
    with _connected(url) as conn:
        return _published(conn)


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    engine = reading(open_database(url))
    try:
        with engine.begin() as conn:
            yield conn
    finally:
        engine.dispose()


def _verify_streams(
    conn: Connection, names: Iterable[str], seen: Callable[[str], None] | None
) -> Iterator[Verdict]:
    origin, books = log.origin(conn), library(conn)
    for name in names:
        yield _verify_stream(conn, name, origin, books)
        if seen:
            seen(name)


def _verify_stream(conn: Connection, name: str, origin: str, books: Library) -> Verdict:
    entries, problem = _read_checked(conn, name, origin)
    is_case = not name.startswith("@")
    if problem is not None:
        return Verdict(int(is_case), len(entries), (problem,))
    if not is_case:
        return Verdict(0, len(entries), tuple(kept.check_register(conn, name, entries)))
    problem = _replay_problem(conn, entries, books)
    problem = problem or next(check_revealed(entries), None)
    problem = problem or next(between.check_codes(conn, entries), None)
    return Verdict(1, len(entries), () if problem is None else (problem,))


def _read_checked(conn: Connection, name: str, origin: str) -> tuple[list[Entry], Problem | None]:
    entries: list[Entry] = []
    for found in log.check(conn, name, log=origin):
        if isinstance(found, Problem):
            return entries, found
        what = vocabulary.check(found)
        if what is not None:
            return entries, Problem(name, found.seq, what, "words")
        entries.append(found)
    return entries, None


def _replay_problem(conn: Connection, entries: list[Entry], books: Library) -> Problem | None:
    try:
        case = replay(entries, books)
    except RecordDiffers as difference:
        return difference.problem
    return kept.check_projection(conn, case, entries)
