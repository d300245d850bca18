"""Events kept by month on PostgreSQL: nothing is lost, rewritten, forked, or looked for in vain."""

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import pytest
from sqlalchemy import Connection, event, select, text
from sqlalchemy.exc import DBAPIError

from audit import log, sequence
from engine import metrics, partitions
from engine.database import open_database
from engine.partitions import (
    NotAsMade,
    NotTheOwner,
    OneFile,
    Parts,
    TablesBusy,
    check_bound,
    check_parts,
    keep_by_month,
    read_bound,
    read_parts,
)
from engine.verification import verify
from tests.conftest import NOON, ROOT, Street

FORM = {"kind": "wood", "pieces": 3}
FIRST = "event_before_2026_04"


@pytest.fixture
def divided(postgres_street: Street) -> Street:
    """A street whose log is kept by month from April 2026 on."""
    divide(postgres_street)
    return postgres_street


def divide(street: Street, ahead: int = 3) -> Parts:
    return keep_by_month(street.database, ahead=ahead, at=street.at)


def where(street: Street, stream: str) -> list[str]:
    """In which tables the events of a stream lie, in their order."""
    told = text("SELECT tableoid::regclass::text FROM event WHERE stream = :s ORDER BY seq")
    with street.database.begin() as conn:
        return list(conn.execute(told, {"s": stream}).scalars())


def sequenced(street: Street) -> None:
    with street.database.begin() as conn:
        while sequence.integrate(conn):
            pass


def rows(conn: Connection) -> list[Any]:
    asked = "SELECT stream, seq, type, at, body, hash FROM event ORDER BY stream, seq"
    return [tuple(row) for row in conn.execute(text(asked))]


def problems(street: Street) -> list[str]:
    with street.database.begin() as conn:
        return [one.what for one in (*verify(conn).problems, *sequence.check(conn))]


# --- dividing -------------------------------------------------------------------------------------


def test_only_postgresql_keeps_events_by_month(sqlite_street: Street) -> None:
    with sqlite_street.database.begin() as conn:
        assert read_parts(conn) is None
    with pytest.raises(OneFile, match="SQLite"):
        divide(sqlite_street)


@pytest.mark.postgres
def test_a_log_divided_keeps_every_row_and_the_work_goes_on_in_the_tables_of_its_months(
    postgres_street: Street,
) -> None:
    street = postgres_street
    with street.database.begin() as conn:
        assert read_parts(conn) is None
    begun = street.report()
    sequenced(street)
    waits = street.report()
    with street.database.begin() as conn:
        before = rows(conn)
    parts = divide(street)
    months = ("event_2026_04", "event_2026_05", "event_2026_06")
    assert parts == Parts((*months, FIRST, "event_rest"), "2026-07", strays=False)
    with street.database.begin() as conn:
        assert rows(conn) == before
    street.check()

    street.later(days=31)
    street.complete(begun, "prepare#1", "head", FORM)
    new = street.report()
    assert set(where(street, new)) == {"event_2026_04"}
    spread = where(street, begun)
    assert set(spread) == {FIRST, "event_2026_04"}
    assert [one.seq for one in street.entries(begun)] == list(range(1, len(spread) + 1))
    sequenced(street)
    street.check()
    with street.database.begin() as conn:
        assert log.read_each(conn, [begun, new, waits]) == {
            one: street.entries(one) for one in (begun, new, waits)
        }
        last = log.peek(conn, begun)
        assert last is not None
        assert log.read_one(conn, begun, last) == street.entries(begun)[-1]
        assert conn.execute(text("SELECT count(*) FROM outbox")).scalar() == 0
        size = sequence.tree_size(conn)
        assert size == len(rows(conn))
        assert metrics._beyond(conn, size - 1)


@pytest.mark.postgres
def test_asked_again_it_adds_the_months_that_are_missing_and_nothing_else(divided: Street) -> None:
    again = divide(divided)
    assert again.until == "2026-07"
    divided.later(days=40)
    assert divide(divided).until == "2026-08"
    assert len(divide(divided, ahead=24).names) == 2 + 25


@pytest.mark.postgres
def test_a_try_cut_off_half_way_is_taken_up_by_the_next(postgres_street: Street) -> None:
    street = postgres_street
    street.report()
    with street.database.begin() as conn:
        cut = "ALTER TABLE event ADD CONSTRAINT event_before CHECK (at < '2026-04') NOT VALID"
        conn.execute(text(cut))
        conn.execute(text("UPDATE stream_head SET began = ''"))
        assert read_bound(conn) == "2026-04"
    assert check_bound("2026-04").outcome == "fails"
    street.later(days=40)
    with pytest.raises(DBAPIError, match="event_before"):
        street.report()
    divide(street)
    with street.database.begin() as conn:
        assert read_bound(conn) is None
    street.report()
    street.check()
    with street.database.begin() as conn:
        assert conn.execute(text("SELECT count(*) FROM stream_head WHERE began = ''")).scalar() == 0


@pytest.mark.postgres
def test_what_was_recorded_ahead_of_the_clock_lies_before_the_first_month(
    postgres_street: Street,
) -> None:
    street = postgres_street
    street.later(days=100)
    street.report()
    parts = keep_by_month(street.database, ahead=3, at=NOON)
    assert "event_before_2026_07" in parts.names
    assert parts.until == "2026-07"
    street.check()


@pytest.mark.postgres
def test_divided_under_load_no_acknowledged_step_is_lost(postgres_street: Street) -> None:
    street = postgres_street
    cases = [street.report() for _ in range(24)]
    begun = Event()

    def work(mine: list[str]) -> list[str]:
        for case in mine:
            street.complete(case, "prepare#1", "head", FORM)
            begun.set()
        return mine

    with ThreadPoolExecutor(4) as pool:
        working = [pool.submit(work, cases[n::4]) for n in range(4)]
        begun.wait(30)
        divide(street)
        done = [case for one in working for case in one.result()]
    assert sorted(done) == sorted(cases)
    assert all("task.completed" in street.types(case) for case in cases)
    sequenced(street)
    street.check()


# --- months to come -------------------------------------------------------------------------------


@pytest.mark.postgres
def test_an_event_of_no_month_goes_to_the_rest_and_is_told_and_stays_there(divided: Street) -> None:
    street = divided
    with street.database.begin() as conn:
        told = read_parts(conn)
    assert told is not None
    assert check_parts(told, NOON).outcome == "holds"
    street.at = datetime(2026, 8, 20, 2, 0, tzinfo=UTC)
    assert check_parts(told, street.at).outcome == "look"
    case = street.report()
    assert set(where(street, case)) == {"event_rest"}
    with street.database.begin() as conn:
        told = read_parts(conn)
    assert told is not None
    assert told.strays

    parts = divide(street)
    assert "event_2026_08" not in parts.names, "its events lie in the rest"
    assert {"event_2026_07", "event_2026_09", "event_2026_11"} <= set(parts.names)
    assert parts.strays
    finding = check_parts(parts, street.at)
    assert finding.outcome == "holds"
    assert "event_rest" in finding.found[1]
    street.later(days=20)
    street.complete(case, "prepare#1", "head", FORM)
    assert set(where(street, case)) == {"event_rest", "event_2026_09"}
    sequenced(street)
    street.check()


@pytest.mark.postgres
def test_a_month_is_that_of_coordinated_universal_time(divided: Street) -> None:
    # Shanghai has had April for seven hours.
    divided.at = datetime(2026, 3, 31, 23, 30, tzinfo=UTC)
    assert set(where(divided, divided.report())) == {FIRST}
    divided.later(hours=1)
    assert set(where(divided, divided.report())) == {"event_2026_04"}


# --- what is not looked into ----------------------------------------------------------------------


def looked_into(conn: Connection, query: Any) -> set[str]:
    """The tables of months that a query reads, as PostgreSQL says after having done it."""
    sql = query.compile(conn, compile_kwargs={"literal_binds": True})
    told = conn.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}").scalar_one()
    return {name for name in _read(told[0]["Plan"]) if name.startswith("event_")}


def _read(node: dict[str, Any]) -> Iterator[str]:
    if node["Actual Loops"] and "Relation Name" in node:
        yield node["Relation Name"]
    for one in node.get("Plans", ()):
        yield from _read(one)


@pytest.mark.postgres
def test_a_stream_is_not_looked_for_in_months_before_it_began(divided: Street) -> None:
    street = divided
    old = street.report()
    street.later(days=65)
    new = street.report()
    with street.database.begin() as conn:
        for query, of in (
            (log._SELECT_BODIES, lambda one: {"s": one, "after": 0}),
            (log._SELECT_EACH, lambda one: {"streams": [one]}),
        ):
            read = looked_into(conn, query.params(**of(new)))
            assert read == {"event_2026_05", "event_2026_06", "event_rest"}
            assert FIRST in looked_into(conn, query.params(**of(old)))


@pytest.mark.postgres
def test_what_a_leaf_or_the_outbox_names_is_looked_for_in_its_month_alone(divided: Street) -> None:
    street = divided
    street.later(days=35)
    sequenced(street)
    street.report()
    with street.database.begin() as conn:
        size = sequence.tree_size(conn)
        for month in ("2026-04", log.outbox_table.c.month):
            both, event = log.named_by(conn, log.outbox_table, month)
            waiting = select(event.stream).select_from(both)
            assert looked_into(conn, waiting) == {"event_2026_04"}
    sequenced(street)
    with street.database.begin() as conn:
        leaf = sequence.leaf_table
        both, event = log.named_by(conn, leaf, leaf.c.month)
        leaves = select(event.stream).select_from(both).where(leaf.c.leaf_index >= size)
        assert looked_into(conn, leaves) == {"event_2026_04"}


@pytest.mark.postgres
def test_however_little_is_known_of_a_table_no_log_is_read_through_for_what_waits(
    postgres_street: Street,
) -> None:
    street = postgres_street
    sequenced(street)
    with street.database.begin() as conn:
        conn.execute(text("ANALYZE outbox"))
    for _ in range(3):
        street.report()
    with street.database.begin() as conn:
        conn.execute(text("ANALYZE event"))
        both, event = log.named_by(conn, log.outbox_table, "2026-03")
        query = select(event.stream).select_from(both)
        sql = query.compile(conn, compile_kwargs={"literal_binds": True})
        (told,) = conn.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {sql}").scalar_one()
        assert told["Plan"]["Node Type"] == "Nested Loop"
        asked = [one.get("Relation Name") for one in told["Plan"]["Plans"]]
        assert asked[0] == "outbox"


@pytest.mark.postgres
def test_events_go_into_the_tree_month_by_month_and_each_stream_in_its_order(
    divided: Street,
) -> None:
    street = divided
    street.at = datetime(2026, 3, 31, 23, 59, tzinfo=UTC)
    cases = [street.report() for _ in range(3)]
    street.later(minutes=2)
    for case in cases:
        street.complete(case, "prepare#1", "head", FORM)
    with street.database.begin() as conn:
        count, oldest = sequence.waiting_since(conn)
        told = sorted(sequence.beyond(conn, 0))
        assert count == len(told) == len(rows(conn))
        assert oldest == min(row[3] for row in rows(conn))
    with street.database.begin() as conn:
        assert sequence.integrate(conn, limit=4) == 4
    sequenced(street)
    with street.database.begin() as conn:
        assert list(sequence.check(conn)) == []
        assert sorted(sequence.beyond(conn, 0)) == told
        assert sequence.unsigned_since(conn, 0, len(told)) == (len(told), oldest)
        assert sequence.waiting_since(conn) == (0, None)


@pytest.mark.postgres
@pytest.mark.parametrize("kept", ["2026-03", ""])
def test_what_is_recorded_over_the_turn_of_a_month_while_a_batch_is_read_keeps_its_order(
    divided: Street, kept: str
) -> None:
    street = divided
    street.at = datetime(2026, 4, 1, 0, 0, tzinfo=UTC)
    street.report()
    sequenced(street)
    street.report()
    meanwhile = []

    def recorded(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "min(outbox.month)" not in statement or meanwhile:
            return
        meanwhile.append(statement)
        # One stream with entries of March and of April, by our program or by one of before.
        street.at = datetime(2026, 3, 31, 23, 59, tzinfo=UTC)
        case = street.report()
        street.later(minutes=2)
        street.complete(case, "prepare#1", "head", FORM)
        with street.database.begin() as conn:
            told = text("UPDATE outbox SET month = :k WHERE month = '2026-03'")
            conn.execute(told, {"k": kept})

    event.listen(street.database, "after_cursor_execute", recorded)
    try:
        sequenced(street)
    finally:
        event.remove(street.database, "after_cursor_execute", recorded)
    assert meanwhile
    assert problems(street) == []


# --- append-only, and no fork ---------------------------------------------------------------------


@pytest.mark.postgres
@pytest.mark.parametrize("table", ["event", FIRST, "event_2026_04", "event_rest"])
@pytest.mark.parametrize("act", ["UPDATE {} SET type = 'x'", "DELETE FROM {}", "TRUNCATE {}"])
def test_no_part_lets_a_row_be_changed_or_taken_away(divided: Street, table: str, act: str) -> None:
    street = divided
    for days in (0, 35, 150):
        street.later(days=days)
        street.report()
    for mode in ("origin", "replica"):
        with street.database.connect() as conn:
            conn.execute(text(f"SET session_replication_role = {mode}"))
            with pytest.raises(DBAPIError, match="append-only"):
                conn.execute(text(act.format(table)))
            conn.rollback()


@pytest.mark.postgres
def test_a_second_entry_of_the_same_number_in_another_month_is_found(divided: Street) -> None:
    street = divided
    case = street.report()
    with street.database.begin() as conn:
        forged = """
            INSERT INTO event (stream, seq, type, at, body, hash)
            SELECT stream, seq, type, replace(at, '2026-03', '2026-05'), body, sha256(body)
            FROM event WHERE stream = :c AND seq = 2
        """
        conn.execute(text(forged), {"c": case})
    assert any("2" in one for one in problems(street))


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("forged", "told"),
    [
        ("UPDATE stream_head SET began = '2026-05-01T00:00:00Z' WHERE stream = :c", "it began at"),
        ("UPDATE outbox SET month = '2026-05'", "waits under another month"),
        ("INSERT INTO outbox (hash) VALUES (sha256('x'))", "waits for the tree is no event"),
    ],
)
def test_what_would_hide_or_feign_entries_is_found_by_whoever_verifies(
    divided: Street, forged: str, told: str
) -> None:
    case = divided.report()
    with divided.database.begin() as conn:
        conn.execute(text(forged), {"c": case} if ":c" in forged else {})
    assert any(told in one for one in problems(divided)), problems(divided)


@pytest.mark.postgres
def test_two_first_entries_of_a_stream_cannot_lie_in_two_months(divided: Street) -> None:
    street = divided
    case = street.report()
    draft = street.entries(case)[0]
    with street.database.begin() as conn:
        head = log.take(conn, case)
    rival = log.Head(head.log, "A-rival", 0, b"", "")
    with street.database.begin() as conn:
        log.append(conn, rival, [_again(draft, NOON)])
    with pytest.raises(DBAPIError, match="stream_head"), street.database.begin() as conn:
        log.append(conn, rival, [_again(draft, NOON + timedelta(days=40))])
    with street.database.begin() as conn:
        assert len(log.read(conn, "A-rival")) == 1


def _again(entry: Any, at: datetime) -> Any:
    from audit.entries import Draft

    return Draft(entry.type, entry.data, entry.actor, at)


# --- who may --------------------------------------------------------------------------------------


@pytest.fixture
def stranger(postgres_street: Street) -> Iterator[str]:
    """The address of a role that may append and no more."""
    database = postgres_street.database
    with database.begin() as conn:
        conn.execute(text("CREATE ROLE shaoji_appends LOGIN PASSWORD 'x'"))
        conn.execute(text("GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO shaoji_appends"))
    url = database.url.set(username="shaoji_appends", password="x")
    yield url.render_as_string(hide_password=False)
    with database.begin() as conn:
        conn.execute(text("DROP OWNED BY shaoji_appends"))
        conn.execute(text("DROP ROLE shaoji_appends"))


@pytest.mark.postgres
def test_only_the_owner_divides_and_rights_on_the_whole_are_kept_on_parts_taken(
    postgres_street: Street, stranger: str
) -> None:
    street = postgres_street
    other = open_database(stranger)
    try:
        with pytest.raises(NotTheOwner, match="所有者"):
            keep_by_month(other, ahead=3, at=NOON)
        street.check()
        parts = divide(street)
        with other.begin() as conn:
            assert rows(conn)
            assert read_parts(conn) == parts
        for part in parts.names:
            with pytest.raises(DBAPIError, match="permission denied"), other.begin() as conn:
                conn.execute(text(f"SELECT count(*) FROM {part}"))
        with street.database.begin() as conn:
            conn.execute(text("GRANT ALL ON ALL TABLES IN SCHEMA public TO shaoji_appends"))
        divide(street)
        for part in parts.names:
            with pytest.raises(DBAPIError, match="permission denied"), other.begin() as conn:
                conn.execute(text(f"SELECT count(*) FROM {part}"))
    finally:
        other.dispose()


@pytest.mark.postgres
def test_while_somebody_holds_the_table_it_is_refused_and_nothing_is_lost(
    postgres_street: Street,
) -> None:
    street = postgres_street
    street.report()
    with street.database.begin() as held:
        held.execute(text("SELECT count(*) FROM event"))
        with pytest.raises(TablesBusy, match="再执行一次"):
            divide(street)
        street.report()
    # Nor does anything of the next month meet a bound that was left behind.
    street.later(days=40)
    street.report()
    divide(street)
    street.check()


@pytest.mark.postgres
def test_of_those_who_divide_at_once_one_does_and_the_others_are_told(
    postgres_street: Street,
) -> None:
    street = postgres_street
    case = street.report()
    begin = Barrier(4)

    def once() -> Parts | None:
        begin.wait(30)
        try:
            return divide(street)
        except TablesBusy:
            return None

    with ThreadPoolExecutor(4) as pool:
        told = [one.result() for one in [pool.submit(once) for _ in range(4)]]
    assert any(told)
    assert divide(street).until == "2026-07"
    with street.database.begin() as conn:
        assert read_bound(conn) is None
    street.later(days=40)
    street.complete(case, "prepare#1", "head", FORM)
    street.check()


@pytest.mark.postgres
@pytest.mark.parametrize(
    "off",
    [
        "DROP TRIGGER event_no_change ON event",
        "ALTER TABLE event DISABLE TRIGGER event_no_truncate",
    ],
)
def test_a_log_whose_triggers_were_off_is_not_divided_and_made_whole_unseen(
    postgres_street: Street, off: str
) -> None:
    street = postgres_street
    with street.database.begin() as conn:
        conn.execute(text(off))
    with pytest.raises(NotAsMade, match="没有分表"):
        divide(street)
    with street.database.begin() as conn:
        assert read_parts(conn) is None
        assert read_bound(conn) is None


@pytest.mark.postgres
def test_what_fails_half_way_leaves_no_bound(
    postgres_street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    street = postgres_street

    def dies(*_: Any) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as m:
        m.setattr(partitions, "_add_table", dies)
        with pytest.raises(RuntimeError, match="disk"):
            divide(street)
    with street.database.begin() as conn:
        assert read_parts(conn) is None
        assert read_bound(conn) is None
    street.later(days=40)
    street.report()
    street.check()


# --- beside the program before --------------------------------------------------------------------

# The last commit whose tables are of release 0033: it knows nothing of months.
OLD = "9208c0d"
IN_OLD_HANDS = """
import sys
from datetime import datetime
from audit import sequence
from engine.cases import Place, Report, complete_task, open_case
from engine.database import open_database
from engine.people import By
from engine.schema import check_schema

url, at, grid, head, case = sys.argv[1:]
at = datetime.fromisoformat(at)
database = open_database(url)
check_schema(database)
told = Report(process="workshop", category="wiring", title="车棚飞线充电",
              place=Place("u-micro-1", "听涛苑 3 幢"), form={"description": "有人拉线充电"})
with database.begin() as conn:
    complete_task(conn, case, "prepare#1", {"kind": "wood", "pieces": 3}, by=By(head), at=at)
with database.begin() as conn:
    print(open_case(conn, told, by=By(grid), at=at).case)
with database.begin() as conn:
    assert sequence.integrate(conn)
"""


@pytest.mark.postgres
def test_a_program_that_knows_nothing_of_months_goes_on_beside_this_one(
    divided: Street, tmp_path: Path
) -> None:
    street = divided
    archived = subprocess.run(
        ["git", "-C", ROOT, "archive", OLD, "audit", "engine", "workflows"],
        capture_output=True, check=False,
    )  # fmt: skip
    if archived.returncode:
        pytest.skip("this checkout has no history")
    with tarfile.open(fileobj=io.BytesIO(archived.stdout)) as archive:
        archive.extractall(tmp_path, filter="data")
    ours = street.report()
    street.later(days=40)
    url = street.database.url.render_as_string(hide_password=False)
    people = (street.person["grid"], street.person["head"])
    done = subprocess.run(
        [sys.executable, "-P", "-c", IN_OLD_HANDS, url, street.at.isoformat(), *people, ours],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    theirs = done.stdout.strip()
    assert set(where(street, theirs)) == {"event_2026_04"}
    assert set(where(street, ours)) == {FIRST, "event_2026_04"}
    street.complete(theirs, "prepare#1", "head", FORM)
    sequenced(street)
    street.check()
    assert problems(street) == []


REPLICA = "test_the_table_cannot_be_emptied_nor_the_triggers_passed_as_a_replica"


@pytest.mark.long
@pytest.mark.postgres
def test_what_holds_of_a_log_in_one_table_holds_of_one_kept_by_month(tmp_path: Path) -> None:
    """The contract suite again; not what is about dividing, or about how the one table is made."""
    about_tables = (
        "tests/engine/test_partitions.py",
        "tests/engine/test_schema.py",
        # PostgreSQL refuses its upsert for want of a key, before a trigger could.
        f"tests/audit/test_log.py::{REPLICA}",
    )
    alone = {name: told for name, told in os.environ.items() if "XDIST" not in name}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile",
         "-m", "postgres and not long", "-o", f"cache_dir={tmp_path}/cache",
         f"--basetemp={tmp_path}/again", *(f"--deselect={one}" for one in about_tables),
         "tests/audit", "tests/engine"],
        cwd=ROOT, env=alone | {"TEST_LOG_BY_MONTH": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
