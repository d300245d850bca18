"""Commands decided while others write: written as rehearsed, or decided anew behind the lock."""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select

from audit import log
from audit.log import head_table
from audit.rehearsal import NotRehearsed, Rehearsal
from audit.statements import Statement, done_as_rehearsed, sent_together
from engine import together
from engine.cases import NotYourTask, Place, Report, StepNotOpen, complete_task, open_case
from engine.casework import Done, answer_table
from engine.holding import claim_task
from engine.people import directory, end_post
from engine.together import Group, carried_out, writing
from engine.writer_turn import Line, turn_of
from tests.conftest import Street, photo
from tests.engine.tampering import forget_live_states

PREPARED = {"kind": "wood", "pieces": 3}
HEADS = Statement(select(head_table.c.stream))
KEEP_ANSWER = Statement(insert(answer_table))

# What a command did: whether for rehearsal, and on which connection.
Given = list[type]


@pytest.fixture
def crowded(sqlite_street: Street, monkeypatch: pytest.MonkeyPatch) -> Iterator[Street]:
    """A street where whoever writes has to wait; its log is verified at the end."""
    monkeypatch.setattr(Group, "is_crowded", lambda _: True)
    yield sqlite_street
    forget_live_states()
    sqlite_street.check()


def preparing(street: Street, case: str, **more: Any) -> Callable[[Connection], Done]:
    """Complete the first step of a case."""
    return lambda conn: complete_task(
        conn, case, "prepare#1", PREPARED, by=street.by("head"), at=street.at, **more
    )


def carry_out(
    street: Street, command: Callable[[Connection], Any], between: Callable[[], Any] = lambda: None
) -> tuple[Any, Given]:
    """Carry a command out; `between` happens after its rehearsal. What it answered, and how."""
    given: Given = []

    def noted(conn: Connection) -> Any:
        given.append(type(conn))
        told = command(conn)
        if type(conn) is Rehearsal:
            between()
        return told

    with carried_out(street.database, noted) as (_, told):
        pass
    return told, given


# --- as rehearsed ---------------------------------------------------------------------------------


def test_what_still_holds_behind_the_lock_is_written_as_it_was_rehearsed(crowded: Street) -> None:
    case = crowded.report()
    done, given = carry_out(crowded, preparing(crowded, case, key="k"))
    assert given == [Rehearsal]
    assert crowded.entries(case)[-1].hash == done.entries[-1].hash
    again, given = carry_out(crowded, preparing(crowded, case, key="k"))
    assert (again.repeated, again.seq, given) == (True, done.seq, [Rehearsal])


def test_an_act_elsewhere_makes_nobody_decide_again(crowded: Street) -> None:
    case, other = crowded.report(), crowded.report()
    _, given = carry_out(
        crowded,
        preparing(crowded, case),
        between=lambda: crowded.complete(other, "prepare#1", "head", PREPARED),
    )
    assert given == [Rehearsal]


def test_the_block_sees_what_was_written_and_takes_it_back_if_it_fails(crowded: Street) -> None:
    case = crowded.report()

    def see_and_fail() -> None:
        with carried_out(crowded.database, preparing(crowded, case)) as (conn, done):
            assert log.peek(conn, case) == done.seq
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        see_and_fail()
    assert "task.completed" not in crowded.types(case)


def test_where_nobody_waits_nothing_is_rehearsed(sqlite_street: Street) -> None:
    case = sqlite_street.report()
    _, given = carry_out(sqlite_street, preparing(sqlite_street, case))
    assert given == [Connection]
    sqlite_street.check()


def test_whoever_comes_while_another_writes_does_rehearse(sqlite_street: Street) -> None:
    case = sqlite_street.report()

    def command(conn: Connection) -> Done:
        given.append(type(conn))
        return preparing(sqlite_street, case)(conn)

    def come() -> Given:
        with carried_out(sqlite_street.database, command):
            return given

    given: Given = []
    with ThreadPoolExecutor(1) as pool:
        with writing(sqlite_street.database):
            coming = pool.submit(come)
            thinking = together._group(sqlite_street.database)._thinking
            while not thinking.waits():
                time.sleep(0.001)
            # Nobody of this process thinks while one of them writes: they would be in its way.
            assert given == []
        assert coming.result(20) == [Rehearsal]
    sqlite_street.check()


# --- decided anew ---------------------------------------------------------------------------------


def test_a_step_somebody_else_did_meanwhile_is_refused(crowded: Street) -> None:
    case = crowded.report()
    with pytest.raises(StepNotOpen):
        carry_out(
            crowded,
            preparing(crowded, case),
            between=lambda: crowded.complete(case, "prepare#1", "head", PREPARED),
        )
    assert crowded.types(case).count("task.completed") == 1


def test_a_case_that_has_moved_is_decided_on_as_it_stands_then(crowded: Street) -> None:
    case = crowded.report()
    done, given = carry_out(
        crowded,
        preparing(crowded, case),
        between=lambda: crowded.do(claim_task, case, "prepare#1", by=crowded.by("head")),
    )
    assert given == [Rehearsal, Connection]
    assert done.entries[0].type == "task.completed", "claimed before"


def test_whoever_lost_the_post_meanwhile_is_refused(crowded: Street) -> None:
    case = crowded.report()
    with crowded.database.begin() as conn:
        posts = directory(conn).posts.values()
        post = next(one.id for one in posts if one.person == crowded.person["head"])
    with pytest.raises(NotYourTask):
        carry_out(
            crowded,
            preparing(crowded, case),
            between=lambda: crowded.do(end_post, post, reason="离任", by=None),
        )
    assert "task.completed" not in crowded.types(case)


def test_of_two_with_one_key_the_second_is_answered_as_the_first(crowded: Street) -> None:
    case = crowded.report()
    first: list[Done] = []

    def send_first() -> None:
        first.append(crowded.complete(case, "prepare#1", "head", PREPARED, key="k"))

    second, given = carry_out(crowded, preparing(crowded, case, key="k"), between=send_first)
    assert given == [Rehearsal, Connection]
    assert (second.repeated, second.seq) == (True, first[0].seq)


# --- not to be rehearsed --------------------------------------------------------------------------


def test_what_asks_by_other_means_is_done_behind_the_lock(crowded: Street) -> None:
    asked, given = carry_out(
        crowded, lambda conn: conn.execute(select(head_table.c.stream)).scalars().all()
    )
    assert asked
    assert given == [Rehearsal, Connection]


def test_an_opening_is_done_behind_the_lock_as_its_number_is_held_there(crowded: Street) -> None:
    place, form = Place("u-micro-1", "听涛苑 3 幢"), {"description": "有人从楼上拉线充电"}
    report = Report("workshop", "wiring", "车棚飞线充电", place, form)
    who = crowded.by("grid")
    opened, given = carry_out(crowded, lambda conn: open_case(conn, report, by=who, at=crowded.at))
    assert given == [Rehearsal, Connection]
    assert crowded.types(opened.case)[0] == "case.opened"


def test_a_command_that_swallows_that_it_cannot_be_rehearsed_is_done_behind_the_lock(
    crowded: Street,
) -> None:
    def swallow(conn: Connection) -> int:
        with contextlib.suppress(Exception):
            return len(conn.execute(select(head_table.c.stream)).scalars().all())
        return -1

    told, given = carry_out(crowded, swallow)
    assert told > 0
    assert given == [Rehearsal, Connection]


def test_what_is_asked_after_something_was_written_is_not_rehearsed(crowded: Street) -> None:
    def write_and_ask(conn: Connection) -> int:
        KEEP_ANSWER.run_all(conn, [{"key": "k", "case": "c", "seq": 1, "at": "now"}])
        return len(HEADS.rows(conn, {}))

    told, given = carry_out(crowded, write_and_ask)
    assert told
    assert given == [Rehearsal, Connection]


def test_what_is_written_in_a_second_block_is_not_rehearsed(crowded: Street) -> None:
    rehearsal: Any = Rehearsal(crowded.database, sqlite3.connect(":memory:"))
    with sent_together(rehearsal), sent_together(rehearsal):
        KEEP_ANSWER.run_all(rehearsal, [{"key": "k", "case": "c", "seq": 1, "at": "now"}])
    with pytest.raises(NotRehearsed), sent_together(rehearsal):
        pass


# --- refusals and faults --------------------------------------------------------------------------


def test_what_is_refused_at_the_rehearsal_waits_for_no_lock(crowded: Street) -> None:
    case = crowded.report()
    crowded.complete(case, "prepare#1", "head", PREPARED)
    with other_writer(crowded), pytest.raises(StepNotOpen):
        carry_out(crowded, preparing(crowded, case))


@contextmanager
def other_writer(street: Street) -> Iterator[None]:
    """Another program that writes for as long as this lasts."""
    file = sqlite3.connect(str(street.database.url.database), isolation_level=None)
    file.execute("BEGIN IMMEDIATE")
    yield
    file.execute("ROLLBACK")
    file.close()


def test_a_file_that_cannot_be_read_is_told_behind_the_lock(
    crowded: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    case = crowded.report()
    monkeypatch.setattr(Rehearsal, "ask", fail)
    _, given = carry_out(crowded, preparing(crowded, case))
    assert given == [Rehearsal, Connection]


@pytest.mark.parametrize(("keeps", "told"), [("event", "append-only"), ("stream_head", "0 rows")])
def test_what_would_not_fit_behind_the_lock_is_refused_by_the_tables_themselves(
    crowded: Street, keeps: str, told: str
) -> None:
    case = crowded.report()
    done = Group(crowded.database).rehearse(preparing(crowded, case))
    assert done
    # As if it had asked nothing, and would write only this.
    done[0].asked.clear()
    done[0].written[:] = [one for one in done[0].written if keeps in one.sql.split("(")[0]]
    crowded.complete(case, "prepare#1", "head", PREPARED)
    with pytest.raises(Exception, match=told), crowded.database.begin() as conn:
        done_as_rehearsed(conn, done[0])
    assert crowded.types(case).count("task.completed") == 1


# --- many at once ---------------------------------------------------------------------------------


def test_steps_of_eight_threads_on_few_cases_are_each_done_once(crowded: Street) -> None:
    """Every case is wanted by several at once: one does the step, the others are refused."""
    cases = [crowded.report() for _ in range(5)]

    def work(case: str) -> bool:
        mine = Street(crowded.database, person=crowded.person)
        try:
            with carried_out(crowded.database, preparing(mine, case)):
                pass
            with carried_out(
                crowded.database,
                lambda conn: complete_task(
                    conn, case, "make#1", {"what": "拆除"}, by=mine.by("grid"), at=mine.at,
                    evidence=[photo()],
                ),
            ):  # fmt: skip
                pass
        except StepNotOpen:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(work, cases * 8))
    assert done.count(True) == len(cases)
    for case in cases:
        assert crowded.types(case).count("task.completed") == 2


def test_on_a_server_a_command_is_called_once_in_a_transaction(postgres_street: Street) -> None:
    case = postgres_street.report()
    _, given = carry_out(postgres_street, preparing(postgres_street, case))
    assert given == [Connection]
    postgres_street.check()


# --- whether somebody waits -----------------------------------------------------------------------


def test_a_turn_another_process_has_is_seen_without_waiting(sqlite_street: Street) -> None:
    path = str(sqlite_street.database.url.database)
    turn = turn_of(path)
    assert turn.is_free()
    assert turn.is_free(), "looking takes nothing"
    assert turn.take()
    assert not turn.is_free()
    turn.give()
    assert turn.is_free()


def test_for_a_moment_after_somebody_waited_it_stays_crowded(
    sqlite_street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(together.time, "monotonic", lambda: now[0])
    group = Group(sqlite_street.database)
    assert not group.is_crowded()
    group._thinking.take()
    assert group.is_crowded()
    group._thinking.give()
    now[0] += together.LATELY / 2
    assert group.is_crowded()
    now[0] += together.LATELY
    assert not group.is_crowded()


def test_a_line_tells_whether_somebody_is_at_its_front() -> None:
    line = Line()
    assert not line.is_busy()
    line.take()
    assert line.is_busy()
