"""Many at once, and death in the middle: what was acknowledged is there, and it verifies."""

import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, OperationalError

from audit import log
from audit.entries import Draft
from engine.cases import Place, Report, complete_task, open_case
from engine.casework import Done
from engine.database import reading
from engine.errors import Refusal
from engine.holding import claim_task, release_task
from engine.oversight import urge
from engine.people import By, grant_post, register_person
from engine.rebuild import rebuild
from engine.timekeeping import ring
from engine.verification import verify
from engine.worker import ring_due
from tests.conftest import ROOT, Street, photo
from tests.engine.tampering import forget_live_states

PREPARED = {"kind": "wood", "pieces": 3}
MADE = {"what": "拆除"}


@pytest.fixture(autouse=True)
def _whole_log(street: Street) -> Iterator[None]:
    yield
    forget_live_states()
    street.check()


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Run all at the same moment; returns what each returned, or what it raised."""
    ready = Barrier(len(works))
    told: list[Any] = [None] * len(works)

    def run(place: int) -> None:
        ready.wait()
        try:
            told[place] = works[place]()
        except Exception as error:
            told[place] = error

    threads = [Thread(target=run, args=(place,)) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


def report(street: Street, key: str | None = None, title: str = "车棚飞线充电") -> Done:
    form = {"description": "有人从楼上拉线充电"}
    told = Report("workshop", "wiring", title, Place("u-micro-1", "听涛苑 3 幢"), form)
    done: Done = street.do(open_case, told, by=street.by("grid"), key=key)
    return done


# --- many at once ---------------------------------------------------------------------------------


def test_the_first_reports_of_a_year_made_at_once_each_get_their_own_number(street: Street) -> None:
    told = at_once(*[lambda: report(street).case for _ in range(6)])
    assert sorted(map(str, told)) == [f"workshop-2026-{n:05d}" for n in range(1, 7)]


def test_numbers_are_given_out_without_gaps_however_many_report_and_fail(street: Street) -> None:
    def refused() -> Any:
        with pytest.raises(Refusal):
            street.report(place=Place("u-nowhere", "x"))

    def torn() -> Any:
        with pytest.raises(Killed):
            street.do(report_and_die)

    works = [lambda: report(street).case, refused, torn] * 4
    told = [case for case in at_once(*works) if case is not None]
    assert sorted(map(str, told)) == [f"workshop-2026-{n:05d}" for n in range(1, 5)]


def test_eight_people_completing_one_step_complete_it_once(street: Street) -> None:
    for _ in range(5):
        case = street.report()
        names = ["head", "grid"] * 4
        told = at_once(
            *[
                lambda name=name: street.complete(case, "prepare#1", name, PREPARED)  # noqa: B023
                for name in names
            ]
        )
        won = [one for one in told if isinstance(one, Done)]
        assert len(won) == 1
        assert all(isinstance(one, Refusal) for one in told if one not in won), told
        assert street.types(case).count("task.completed") == 1


def test_different_acts_on_one_case_at_once_are_done_one_after_the_other(street: Street) -> None:
    case = street.report()
    street.later(hours=3)
    acts: list[Callable[[], Any]] = [
        lambda: street.complete(case, "prepare#1", "head", PREPARED),
        lambda: street.do(urge, case, "请抓紧", by=street.by("watch")),
        lambda: street.do(urge, case, "再催", by=street.by("leader")),
        lambda: street.do(ring, case),
        lambda: street.do(claim_task, case, "prepare#1", by=street.by("head")),
        lambda: street.do(release_task, case, "prepare#1", "轮休", by=street.by("head")),
    ]
    told = at_once(*acts)
    assert all(not isinstance(one, Exception) or isinstance(one, Refusal) for one in told), told
    types = street.types(case)
    assert types.count("case.urged") == 2
    assert types.count("deadline.warned") == 1


def test_an_act_sent_several_times_at_once_is_done_once_and_answered_alike(street: Street) -> None:
    case = street.report()
    works = [lambda: street.complete(case, "prepare#1", "head", PREPARED, key="form-1")] * 5
    told = at_once(*works)
    assert all(isinstance(one, Done) for one in told), told
    assert len({(one.case, one.seq) for one in told}) == 1
    assert sorted(one.repeated for one in told) == [False, True, True, True, True]
    assert street.types(case).count("task.completed") == 1


def test_an_act_that_changes_no_step_is_done_once_too(street: Street) -> None:
    case = street.report()
    works = [lambda: street.do(urge, case, "请抓紧", by=street.by("watch"), key="urge-1")] * 5
    told = at_once(*works)
    assert all(isinstance(one, Done) for one in told), told
    assert street.types(case).count("case.urged") == 1


def test_a_report_sent_several_times_at_once_opens_one_case(street: Street) -> None:
    street.report()
    for n in range(3):
        told = at_once(*[lambda: report(street, key=f"report-{n}")] * 5)  # noqa: B023
        assert all(isinstance(one, Done) for one in told), told
        assert len({one.case for one in told}) == 1
        assert sorted(one.repeated for one in told) == [False, True, True, True, True]
    with street.database.begin() as conn:
        assert verify(conn).cases == 4


def test_the_first_report_of_a_year_sent_twice_at_once_opens_one_case(street: Street) -> None:
    told = at_once(*[lambda: report(street, key="report")] * 4)
    assert all(isinstance(one, Done) for one in told), told
    assert {one.case for one in told} == {"workshop-2026-00001"}


def test_people_registered_at_once_get_different_pseudonyms(street: Street) -> None:
    told = at_once(*[lambda n=n: street.do(register_person, f"新人{n}", by=None) for n in range(6)])
    assert len(set(map(str, told))) == 6
    assert all(isinstance(one, str) for one in told), told


def test_the_register_changing_under_the_hands_of_those_who_act_loses_nothing(
    street: Street,
) -> None:
    cases = [street.report() for _ in range(4)]

    def grant(n: int) -> Any:
        return street.do(
            grant_post, street.person["fixer"], "u-street", f"兼岗{n}", ["accept"], reason="兼",
            by=None,
        )  # fmt: skip

    acts = [lambda c=case: street.complete(c, "prepare#1", "head", PREPARED) for case in cases]
    told = at_once(*acts, *[lambda n=n: grant(n) for n in range(4)])
    assert not [one for one in told if isinstance(one, Exception)], told


def report_and_die(conn: Any, *, at: Any) -> None:
    told = Report("workshop", "wiring", "x", Place("u-micro-1", "y"), {"description": "飞线"})
    open_case(conn, told, by=By("p-0001"), at=at)
    raise Killed


# --- death in the middle --------------------------------------------------------------------------


def writers(url: str, count: int, threads: int = 1) -> list["subprocess.Popen[str]"]:
    return [
        subprocess.Popen(
            [sys.executable, "-m", "tests.engine.crash_writer", url, f"w{n}", str(threads)],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )
        for n in range(count)
    ]  # fmt: skip


def acknowledged(writer: "subprocess.Popen[str]", enough: int) -> list[tuple[str, int, str]]:
    """Read what a writer says until it has said enough, kill it, read what it still had said."""
    assert writer.stdout
    lines = [writer.stdout.readline() for _ in range(enough)]
    writer.kill()
    lines += writer.stdout.readlines()
    writer.stdout.close()
    writer.wait()
    # The last line may be torn: it was never read as a whole, so it acknowledged nothing.
    whole = [line.split() for line in lines if line.endswith("\n")]
    return [(case, int(seq), hash_) for case, seq, hash_ in whole]


def test_writers_killed_in_the_middle_lose_nothing_they_had_acknowledged(street: Street) -> None:
    writers_are_killed(street, threads=1)


def test_writers_killed_while_threads_share_a_transaction_lose_nothing_acknowledged(
    sqlite_street: Street,
) -> None:
    writers_are_killed(sqlite_street, threads=4)


def writers_are_killed(street: Street, *, threads: int) -> None:
    chance = random.Random(2026)
    url = street.database.url.render_as_string(hide_password=False)
    told: list[tuple[str, int, str]] = []
    for _ in range(3):
        for writer in writers(url, 2, threads):
            told += acknowledged(writer, chance.randint(5, 40))
    street.check()
    with street.database.begin() as conn:
        rows = conn.execute(text("SELECT stream, seq, hash FROM event"))
        kept = {(row.stream, row.seq, bytes(row.hash).hex()) for row in rows}
    assert len(told) > 30
    assert set(told) <= kept
    # Those who come after go on from there: no lock is left, no number is lost.
    case = street.report()
    assert int(case[-5:]) == 1 + max(int(case[-5:]) for case, _, _ in kept if case[0] != "@")


STEPS: dict[str, Callable[[Street, str], Any]] = {
    "opening a case": lambda street, case: street.report(title="另一件"),
    "completing a step": lambda street, case: street.complete(case, "prepare#1", "head", PREPARED),
    "ringing clocks": lambda street, case: street.do(ring, case),
    "registering a person": lambda street, case: street.do(register_person, "新人", by=None),
    "rebuilding": lambda street, case: street.do(lambda conn, at: rebuild(conn)),
}


def test_what_a_reader_reads_is_of_one_moment_whatever_is_recorded_meanwhile(
    street: Street,
) -> None:
    case = street.report()
    with reading(street.database).begin() as conn:
        before = log.read(conn, case)
        street.complete(case, "prepare#1", "head", {"kind": "wood", "pieces": 3})
        other = street.report()
        assert log.read(conn, case) == before
        assert log.read(conn, other) == []
    with reading(street.database).begin() as conn:
        assert len(log.read(conn, case)) > len(before)
        assert log.read(conn, other)


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_dies_at_any_of_its_writes_leaves_nothing_behind(
    street: Street, step: str
) -> None:
    case = street.report()
    street.later(days=3)
    before = everything(street)
    for deaths in range(60):
        if not died(street, deaths, lambda: STEPS[step](street, case)):
            break
        forget_live_states()
        assert everything(street) == before, f"after write {deaths}"
    assert deaths > 1
    street.check()


class Killed(Exception):
    """Power was cut before this statement."""


def died(street: Street, writes: int, work: Callable[[], Any]) -> bool:
    """Run a step that dies before its statement number `writes` that writes; whether it died."""
    seen = 0

    def cut(conn: Any, cursor: Any, sql: str, *_: Any) -> None:
        nonlocal seen
        if sql.lstrip()[:6].upper() in ("INSERT", "UPDATE", "DELETE"):
            seen += 1
            if seen > writes:
                raise Killed

    event.listen(street.database, "before_cursor_execute", cut)
    try:
        work()
    except Killed:
        return True
    finally:
        event.remove(street.database, "before_cursor_execute", cut)
    return False


def everything(street: Street) -> dict[str, list[Any]]:
    """All rows of all tables."""
    tables = ("event", "stream_head", "outbox", "case_register", "open_task", "answered",
              "case_number", "person", "person_name", "post", "unit")  # fmt: skip
    with street.database.begin() as conn:
        return {
            name: sorted(map(repr, conn.execute(text(f"SELECT * FROM {name}")))) for name in tables
        }


def test_a_step_after_one_that_died_is_decided_on_what_is_stored_not_on_what_was_lost(
    street: Street,
) -> None:
    case = street.report()
    for writes in range(1, 60):
        work = lambda: street.complete(case, "prepare#1", "head", PREPARED)  # noqa: E731
        if not died(street, writes, work):
            break
        # No state of the step that died is remembered by the living process.
        with pytest.raises(Refusal):
            street.complete(case, "make#1", "grid", MADE, evidence=[photo()])
    street.complete(case, "make#1", "grid", MADE, evidence=[photo()])


# --- no room, no writing --------------------------------------------------------------------------


def full(conn: Any) -> None:
    """Let this SQLite database grow no further."""
    pages = conn.exec_driver_sql("PRAGMA page_count").scalar()
    conn.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


def open_on_a_full_disk(conn: Any, n: int, *, by: By, at: Any) -> str:
    full(conn)
    form = {"description": "飞线" * 100}
    told = Report("workshop", "wiring", f"第 {n} 件", Place("u-micro-1", "x"), form)
    return open_case(conn, told, by=by, at=at).case


def test_a_full_disk_refuses_the_step_and_loses_nothing(sqlite_street: Street) -> None:
    street = sqlite_street
    done, refused = [street.report()], ""
    for n in range(500):
        try:
            done.append(street.do(open_on_a_full_disk, n, by=street.by("grid")))
        except OperationalError as error:
            refused = str(error)
            break
    assert "full" in refused
    street.check()
    with street.database.begin() as conn:
        conn.exec_driver_sql("PRAGMA max_page_count = 1000000")
        cases = [name for name in log.streams(conn) if not name.startswith("@")]
    assert cases == done
    street.report()


@contextmanager
def only_read(street: Street) -> Iterator[None]:
    """Let every connection only read, as a replica or a disk gone read-only does."""
    on = {"sqlite": "PRAGMA query_only = ON",
          "postgresql": "SET default_transaction_read_only = on"}  # fmt: skip

    def begun(connection: Any, _record: Any, _proxy: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(on[street.database.dialect.name])
        cursor.close()
        if street.database.dialect.name == "postgresql":
            connection.commit()

    event.listen(street.database, "checkout", begun)
    yield
    event.remove(street.database, "checkout", begun)
    street.database.dispose()


def test_a_database_that_may_only_be_read_refuses_and_loses_nothing(street: Street) -> None:
    case = street.report()
    before = everything(street)
    with only_read(street):
        for work in (
            lambda: street.complete(case, "prepare#1", "head", PREPARED),
            lambda: street.do(urge, case, "请抓紧", by=street.by("watch")),
            lambda: street.do(register_person, "新人", by=None),
            lambda: report(street),
        ):
            with pytest.raises(DBAPIError, match="read"):
                work()
    assert everything(street) == before
    street.complete(case, "prepare#1", "head", PREPARED)


@pytest.mark.postgres
def test_a_connection_cut_in_the_middle_loses_only_what_was_not_acknowledged(
    postgres_street: Street,
) -> None:
    street = postgres_street
    case = street.report()
    with suppress(DBAPIError), street.database.begin() as conn:
        complete_task(conn, case, "prepare#1", PREPARED, by=street.by("head"), at=street.at)
        backend = conn.execute(text("SELECT pg_backend_pid()")).scalar()
        with street.database.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(:p)"), {"p": backend})
    assert "task.completed" not in street.types(case)
    street.complete(case, "prepare#1", "head", PREPARED)


def test_a_worker_that_died_leaves_its_alarms_to_the_next(street: Street) -> None:
    cases = [street.report() for _ in range(3)]
    street.later(days=20)
    for writes in (0, 1, 2, 3):
        with suppress(Killed):
            died(street, writes, lambda: ring_due(street.database, at=street.at))
    ring_due(street.database, at=street.at)
    for case in cases:
        types = street.types(case)
        for type_, times in (("deadline.warned", 2), ("overdue.opened", 1),
                             ("deadline.escalated", 1)):  # fmt: skip
            assert types.count(type_) == times


def test_a_writer_beside_the_log_cannot_fork_what_a_command_holds(street: Street) -> None:
    case = street.report()
    actor = street.entries(case)[0].actor
    with street.database.begin() as conn:
        stale = log.take(conn, case)
    street.do(urge, case, "请抓紧", by=street.by("watch"))
    with pytest.raises((DBAPIError, log.ForkRefused)), street.database.begin() as conn:
        log.append(conn, stale, [Draft("case.urged", {"text": "别的"}, actor, street.at)])
