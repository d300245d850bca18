"""The sequencer: every event once, in order, never lost, never forked, whoever dies or races."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import pairwise
from threading import Thread, get_ident
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import DBAPIError

from audit import log, sequence
from audit.chain import Problem
from audit.checkpoint import cosign
from audit.entries import Draft
from audit.merkle import check_consistency, check_inclusion, prove_consistency, prove_inclusion
from audit.note import Note
from audit.policy import Policy, signers
from audit.sequence import SequencedElsewhere, TreeDiffers
from engine.cases import Place, Report, open_case
from engine.sequencer import AT_ONCE, Pace, Sequenced, run_sequencer
from tests.conftest import NOON, ORIGIN, ROOT, Street
from tests.engine.crash_sequencer import KILLED
from tests.engine.tampering import beneath, forge
from tests.engine.test_concurrency_and_crash import Killed, at_once
from tests.witnessing import signer, witness_signer

KEY = signer(ORIGIN)


def run(database: Engine, *, at: Any = NOON, pace: Pace = AT_ONCE) -> Sequenced:
    return run_sequencer(database, [KEY], at=at, pace=pace)


def record(database: Engine, stream: str, count: int) -> None:
    """So many events in a stream; what they say is no business of the sequencer's."""
    with database.begin() as conn:
        for n in range(count):
            told = Draft("case.urged", {"text": f"{n}"}, {"engine": "shaoji"}, NOON)
            log.append(conn, log.take(conn, stream), [told])


def problems(database: Engine) -> list[Problem]:
    with database.begin() as conn:
        return list(sequence.check(conn))


def leaves(database: Engine) -> list[tuple[int, str, int]]:
    """Leaf index, stream and number of every leaf."""
    told = (
        "SELECT l.leaf_index, e.stream, e.seq FROM leaf l JOIN event e ON e.hash = l.hash"
        " ORDER BY l.leaf_index"
    )
    with database.begin() as conn:
        return [tuple(row) for row in conn.execute(text(told))]


def count(database: Engine, table: str) -> int:
    with database.begin() as conn:
        return int(conn.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def whole(database: Engine) -> None:
    """Every event is in the tree, once, without gaps, in the order of its stream."""
    told = leaves(database)
    assert [index for index, _, _ in told] == list(range(len(told)))
    assert len(told) == count(database, "event")
    assert count(database, "outbox") == 0
    for stream in {stream for _, stream, _ in told}:
        numbers = [seq for _, one, seq in told if one == stream]
        assert numbers == list(range(1, len(numbers) + 1)), stream
    assert problems(database) == []


# --- one sequencer --------------------------------------------------------------------------------


def test_every_event_of_every_stream_enters_the_tree_once_and_in_order(street: Street) -> None:
    first = run(street.database)
    assert first.integrated == count(street.database, "event")
    case = street.report()
    street.complete(case, "prepare#1", "head", {"kind": "wood", "pieces": 3})
    street.report()
    second = run(street.database)
    whole(street.database)
    assert first.published
    assert second.published
    assert signers(second.published, Policy((KEY.key,))) == [KEY.key]
    # Nothing new: nothing is said again.
    assert run(street.database) == Sequenced(0, None)


def test_a_backlog_is_taken_in_batches_across_tiles_and_every_proof_holds(bare: Engine) -> None:
    for stream, events in (("a", 300), ("b", 250), ("c", 50)):
        record(bare, stream, events)
    sizes = []
    while True:
        with bare.begin() as conn:
            moved = sequence.integrate(conn, limit=97)
        if not moved:
            break
        assert moved <= 97
        assert problems(bare) == []
        with bare.begin() as conn:
            note = sequence.publish(conn, [KEY], at=NOON)
            assert note
            sizes.append(sequence.tree_size(conn))
    assert sizes == [97, 194, 291, 388, 485, 582, 600]
    whole(bare)
    with bare.begin() as conn:
        trees = [one.checkpoint for one in sequence.checkpoints(conn)]
        assert [one.size for one in trees] == sizes
        read = sequence.read_hashes(conn)
        for old, new in pairwise(trees):
            proof = prove_consistency(read, old.size, new.size)
            check_consistency(proof, old.size, new.size, old.root, new.root)
        for index in (0, 255, 256, 511, 512, 599):
            query = text("SELECT hash FROM leaf WHERE leaf_index = :n")
            hash_ = bytes(conn.execute(query, {"n": index}).scalar_one())
            path = prove_inclusion(read, index, 600)
            check_inclusion(path, index, 600, hash_, trees[-1].root)
            assert sequence.leaf_index(conn, hash_) == index


def test_without_a_key_the_tree_grows_unsigned_and_is_signed_when_there_is_one(
    street: Street,
) -> None:
    assert run_sequencer(street.database, [], at=NOON).published is None
    whole(street.database)
    assert run(street.database).published


def test_an_empty_log_has_no_checkpoint(bare: Engine) -> None:
    assert run(bare) == Sequenced(0, None)
    assert problems(bare) == []
    with bare.begin() as conn:
        assert sequence.latest(conn) is None


def test_a_checkpoint_is_signed_every_so_many_events_or_so_long_after_the_last(
    bare: Engine,
) -> None:
    pace = Pace(events=5, every=timedelta(minutes=10))
    record(bare, "a", 1)
    assert run(bare, pace=pace).published, "the first one does not wait"
    record(bare, "a", 4)
    assert run(bare, pace=pace).published is None
    record(bare, "a", 1)
    assert run(bare, pace=pace).published, "five events"
    record(bare, "a", 1)
    soon, later = NOON + timedelta(minutes=9), NOON + timedelta(minutes=10)
    assert run(bare, at=soon, pace=pace).published is None
    assert run(bare, at=later, pace=pace).published, "ten minutes"
    assert run(bare, at=later + timedelta(days=1), pace=pace).published is None, "nothing new"


def test_a_clock_that_was_set_back_does_not_stop_the_signing(bare: Engine) -> None:
    pace = Pace(events=100, every=timedelta(minutes=10))
    record(bare, "a", 1)
    assert run(bare, at=NOON + timedelta(days=365), pace=pace).published
    record(bare, "a", 1)
    assert run(bare, at=NOON, pace=pace).published


# --- two sequencers, and writers beside them ------------------------------------------------------


def test_of_two_sequencers_one_wins_and_the_other_fails_or_finds_nothing(street: Street) -> None:
    for n in range(12):
        record(street.database, f"s{n}", 3)
        told = at_once(*[lambda: run(street.database)] * 3)
        done = [one for one in told if isinstance(one, Sequenced)]
        assert done, told
        assert all(isinstance(one, Sequenced | SequencedElsewhere) for one in told), told
        assert all(one.integrated for one in done[:1]) or count(street.database, "outbox") == 0
        whole(street.database)
    run(street.database)
    whole(street.database)


def test_events_written_while_sequencers_run_are_all_in_the_tree_at_the_end(
    street: Street,
) -> None:
    def write(n: int) -> Any:
        for _ in range(5):
            record(street.database, f"w{n}", 2)

    def sequence_some() -> Any:
        for _ in range(6):
            try:
                run(street.database)
            except SequencedElsewhere:
                continue

    writers = [lambda n=n: write(n) for n in range(3)]
    told = at_once(*writers, sequence_some, sequence_some)
    assert told == [None] * 5
    run(street.database)
    whole(street.database)


@pytest.mark.postgres
def test_what_commits_late_is_not_lost(postgres_street: Street) -> None:
    """It was written before others that are in the tree already; the next run takes it in."""
    street = postgres_street
    told = Report(
        "workshop", "wiring", "晚到", Place("u-micro-1", "听涛苑"), {"description": "飞线"}
    )
    with street.database.connect() as late, late.begin():
        done = open_case(late, told, by=street.by("grid"), at=street.at)
        # The case's number is locked until the commit: others write elsewhere meanwhile.
        record(street.database, "s", 3)
        first = run(street.database)
        assert first.integrated
        assert done.case not in {stream for _, stream, _ in leaves(street.database)}
    assert run(street.database).integrated
    whole(street.database)
    assert done.case in {stream for _, stream, _ in leaves(street.database)}


@contextmanager
def meanwhile(database: Engine, number: int, work: Callable[[], object]) -> Iterator[list[bool]]:
    """Do some work before the statement of this number, as if it were done beside it."""
    seen, done, ours = 0, [False], get_ident()

    def between(*_: Any) -> None:
        nonlocal seen
        if get_ident() != ours:
            return
        seen += 1
        if seen == number:
            done[0] = True
            work()

    event.listen(database, "before_cursor_execute", between)
    try:
        yield done
    finally:
        event.remove(database, "before_cursor_execute", between)


def record_and_run(database: Engine, stream: str) -> None:
    record(database, stream, 2)
    with suppress(SequencedElsewhere):
        run(database)


@pytest.mark.postgres
def test_another_sequencer_between_any_two_statements_is_no_tampering(
    postgres_street: Street,
) -> None:
    database = postgres_street.database
    run(database)
    for number in range(1, 40):
        record(database, "mine", 1)

        # Beside it, in a thread: where it has to wait for a lock of ours, it goes on behind us.
        beside = Thread(target=record_and_run, args=(database, f"o{number}"))

        def other(beside: Thread = beside) -> None:
            beside.start()
            beside.join(0.5)

        with meanwhile(database, number, other) as done, suppress(SequencedElsewhere):
            run(database)
        if done[0]:
            beside.join()
        if not done[0]:
            break
        run(database)
        whole(database)
    assert number > 5


# --- death ----------------------------------------------------------------------------------------


def test_dead_between_any_two_statements_the_next_run_goes_on(street: Street) -> None:
    database, deaths = street.database, 0
    for number in range(1, 60):
        record(database, f"s{number}", 2)

        def die() -> None:
            raise Killed

        with meanwhile(database, number, die):
            try:
                run(database)
            except Killed:
                deaths += 1
                assert problems(database) == []
                assert run(database).integrated or count(database, "outbox") == 0
                whole(database)
                continue
        break
    assert deaths > 6


def test_killed_without_notice_at_any_point_nothing_is_lost(street: Street) -> None:
    database = street.database
    url = database.url.render_as_string(hide_password=False)
    for number in range(2, 60, 4):
        record(database, f"s{number}", 2)
        command = [sys.executable, "-m", "tests.engine.crash_sequencer", url, str(number)]
        status = subprocess.run(command, cwd=ROOT, check=False).returncode
        assert status in (0, KILLED)
        assert problems(database) == []
        if status == 0:
            break
    assert number > 6
    run(database)
    whole(database)


# --- tampering ------------------------------------------------------------------------------------


SWAPPED = (
    "UPDATE leaf SET leaf_index = 9000 WHERE leaf_index = 10;"
    "UPDATE leaf SET leaf_index = 10 WHERE leaf_index = 11;"
    "UPDATE leaf SET leaf_index = 11 WHERE leaf_index = 9000"
)
TAMPERED: dict[str, tuple[str, str, str]] = {
    # what was done beneath the triggers: statement, step, part of what is told
    "a leaf in the middle removed": (
        "DELETE FROM leaf WHERE leaf_index = 5", "tree", "leaf 5 is missing"),
    "the last leaf removed": (
        "DELETE FROM leaf WHERE leaf_index = (SELECT max(leaf_index) FROM leaf)",
        "tree", "neither in the tree nor on its way"),
    "a leaf changed": (
        "UPDATE leaf SET hash = :zeros WHERE leaf_index = 5", "tree", "leaf 5 is no event"),
    "a leaf added": (
        "INSERT INTO leaf (leaf_index, hash) SELECT max(leaf_index) + 1, :zeros FROM leaf",
        "tree", "is no event of the log"),
    "leaves moved up": (
        "UPDATE leaf SET leaf_index = leaf_index + 1000 WHERE leaf_index > 20",
        "tree", "leaf 21 is missing"),
    "two leaves of a stream swapped": (
        SWAPPED, "tree", "out of its order"),
    "a tile changed": (
        "UPDATE tile SET hashes = :tile WHERE level = 0", "tree", "the tiles are not"),
    "a tile cut": ("UPDATE tile SET hashes = :zeros WHERE level = 0", "tree", "has not the width"),
    "a tile cut within a hash": (
        "UPDATE tile SET hashes = :odd WHERE level = 0", "tree", "has not the width"),
    "a tile emptied": ("UPDATE tile SET hashes = :nothing", "tree", "has not the width"),
    "a tile removed": ("DELETE FROM tile", "tree", "has not the width"),
    "a tile added": (
        "INSERT INTO tile (level, number, hashes) VALUES (1, 0, :zeros)", "tree", "tile 1/0"),
    "a checkpoint of another tree": (
        "UPDATE checkpoint SET note = :other", "consistency", "is not of this tree"),
    "a checkpoint of another size": (
        "UPDATE checkpoint SET size = size + 1", "consistency", "another log or size"),
    "a checkpoint that is none": (
        "UPDATE checkpoint SET note = :zeros", "consistency", "cannot be read"),
    "a cosignature that is none": (
        "INSERT INTO cosignature (size, line) SELECT size, 'nothing' FROM checkpoint",
        "consistency", "cannot be read"),
    "an event removed": (
        "DELETE FROM event WHERE seq = 2 AND stream = 'workshop-2026-00001'",
        "tree", "is no event of the log"),
    "an event back on its way": (
        "INSERT INTO outbox (hash) SELECT hash FROM leaf WHERE leaf_index = 5", "tree", "twice"),
}  # fmt: skip


def other_checkpoint(database: Engine) -> bytes:
    with database.begin() as conn:
        last = sequence.latest(conn)
    assert last
    lines = last.note.text.split("\n")
    return Note("\n".join([*lines[:2], f"{'A' * 43}=", ""]), last.note.signatures).data


@pytest.mark.parametrize("what", TAMPERED)
def test_whatever_is_changed_beneath_the_triggers_is_found_and_named(
    street: Street, what: str
) -> None:
    street.report()
    run(street.database)
    assert problems(street.database) == []
    statements, step, told = TAMPERED[what]
    size = count(street.database, "leaf")
    values = {
        "zeros": bytes(32), "odd": bytes(33), "nothing": b"", "tile": bytes(32 * size),
        "other": other_checkpoint(street.database),
    }  # fmt: skip
    for statement in statements.split(";"):
        used = {name: value for name, value in values.items() if f":{name}" in statement}
        beneath(street, statement, **used)
    found = problems(street.database)
    assert found
    assert any(one.step == step and told in one.what for one in found), found


def test_text_where_bytes_should_be_is_found(sqlite_street: Street) -> None:
    """SQLite keeps whatever it is given."""
    street = sqlite_street
    run(street.database)
    for statement, step in (
        ("UPDATE checkpoint SET note = 'nothing'", "consistency"),
        ("UPDATE tile SET hashes = 'nothing'", "tree"),
        ("UPDATE leaf SET hash = 'nothing' WHERE leaf_index = 3", "tree"),
    ):
        beneath(street, statement)
        assert step in {one.step for one in problems(street.database)}, statement


def test_an_event_that_was_rewritten_with_its_chain_is_found_by_the_tree(street: Street) -> None:
    case = street.report()
    run(street.database)
    forge(street, case, lambda bodies: bodies[0]["data"].update(title="没有事"))
    found = problems(street.database)
    assert {one.step for one in found} == {"tree"}


def test_an_event_that_was_taken_off_its_way_is_found(street: Street) -> None:
    run(street.database)
    case = street.report()
    beneath(street, "DELETE FROM outbox")
    found = problems(street.database)
    assert {(one.case, one.step) for one in found} == {(case, "tree")}
    assert "neither in the tree nor on its way" in found[0].what


SIGNED_NO_MORE: dict[str, str] = {
    "a tile of before the last checkpoint": "UPDATE tile SET hashes = :tile WHERE level = 0",
    "leaves and tiles removed": "DELETE FROM leaf; DELETE FROM tile; DELETE FROM outbox",
    "the tile removed": "DELETE FROM tile",
    "the tile cut": "UPDATE tile SET hashes = :zeros",
    "the tile cut within a hash": "UPDATE tile SET hashes = :odd",
    "the last leaves removed": "DELETE FROM leaf WHERE leaf_index > 3",
}


@pytest.mark.parametrize("what", SIGNED_NO_MORE)
@pytest.mark.parametrize("more", [0, 1, 300])
def test_nothing_is_signed_on_top_of_a_history_that_was_changed(
    bare: Engine, what: str, more: int
) -> None:
    record(bare, "a", 12)
    first = run(bare).published
    street = Street(bare)
    for statement in SIGNED_NO_MORE[what].split(";"):
        values = {"tile": bytes(32 * 12), "zeros": bytes(32), "odd": bytes(33)}
        used = {name: value for name, value in values.items() if f":{name}" in statement}
        beneath(street, statement, **used)
    record(bare, "b", more)
    if not more and "leaf" not in SIGNED_NO_MORE[what] and "leaves" not in what:
        # Nothing new is to be signed, and nothing is looked at: verification finds it.
        assert run(bare).published is None
        assert problems(bare)
        return
    with pytest.raises(TreeDiffers):
        run(bare)
    with bare.begin() as conn:
        last = sequence.latest(conn)
    assert last
    assert last.note == first


# --- nothing is changed or taken away -------------------------------------------------------------


def filled(database: Engine) -> None:
    note = run(database).published
    assert note
    with database.begin() as conn:
        last = sequence.latest(conn)
        assert last
        size = last.checkpoint.size
        line = cosign(last.note, witness_signer(), at=1772618400)
        sequence.add_cosignatures(conn, size, [line])
        sequence.add_timestamp(conn, size, "tsa.example", b"token", at=NOON)


ROWS = {
    # table: a column, the columns, the key
    "leaf": ("hash", "leaf_index, hash", "leaf_index"),
    "checkpoint": ("note", "size, note, at", "size"),
    "cosignature": ("line", "size, line", "size, line"),
    "timestamp_token": ("token", "size, authority, token, at", "size, authority"),
}


@pytest.mark.parametrize("table", ROWS)
def test_rows_of_the_tree_are_never_changed_or_removed(street: Street, table: str) -> None:
    filled(street.database)
    column, columns, key = ROWS[table]
    change, same = f"SET {column} = {column}", f"SELECT {columns} FROM {table}"
    statements = [
        f"UPDATE {table} {change}",
        f"DELETE FROM {table}",
        f"INSERT INTO {table} ({columns}) {same}",
    ]
    if street.database.dialect.name == "sqlite":
        statements += [
            f"INSERT OR REPLACE INTO {table} ({columns}) {same}",
            f"UPDATE OR REPLACE {table} {change}",
            f"PRAGMA recursive_triggers = OFF;REPLACE INTO {table} ({columns}) {same}",
        ]
    else:
        upsert = f"ON CONFLICT ({key}) DO UPDATE SET {column} = excluded.{column}"
        statements += [
            f"TRUNCATE {table}",
            f"SET session_replication_role = replica;DELETE FROM {table}",
            f"INSERT INTO {table} ({columns}) {same} {upsert}",
        ]
    before = rows(street.database, table)
    assert before
    for told in statements:
        with pytest.raises(DBAPIError):
            run_sql(street.database, told)
        assert rows(street.database, table) == before, told


def run_sql(database: Engine, statements: str) -> None:
    with database.begin() as conn:
        for one in statements.split(";"):
            conn.execute(text(one))


def rows(database: Engine, table: str) -> list[Any]:
    with database.begin() as conn:
        return sorted(map(repr, conn.execute(text(f"SELECT * FROM {table}"))))


# --- what comes later -----------------------------------------------------------------------------


def test_cosignatures_arrive_later_in_any_order_and_as_often_as_they_like(bare: Engine) -> None:
    record(bare, "a", 3)
    run(bare)
    lines = [witness_signer(f"w{n}.example") for n in range(3)]
    with bare.begin() as conn:
        last = sequence.latest(conn)
        assert last
        told = [cosign(last.note, one, at=1772618400) for one in lines]
        for signatures in ([told[2], told[2]], told, told[:1]):
            sequence.add_cosignatures(conn, 3, signatures)
        merged = sequence.latest(conn)
    assert merged
    assert set(merged.note.signatures[1:]) == set(told)
    assert len(merged.note.signatures) == 4
    assert merged.note.signatures[0] == last.note.signatures[0]
    assert problems(bare) == []


def test_stamps_are_kept_by_authority_and_never_replaced(bare: Engine) -> None:
    record(bare, "a", 3)
    run(bare)
    with bare.begin() as conn:
        sequence.add_timestamp(conn, 3, "one", b"1", at=NOON)
        sequence.add_timestamp(conn, 3, "another", b"2", at=NOON)
        assert sequence.timestamps(conn, 3) == {"another": b"2", "one": b"1"}
        assert sequence.timestamps(conn, 2) == {}
    with pytest.raises(DBAPIError), bare.begin() as conn:
        sequence.add_timestamp(conn, 3, "one", b"3", at=NOON)


def test_what_waits_is_counted_from_the_oldest(street: Street) -> None:
    run(street.database)

    def waiting(conn: Connection) -> tuple[int, str | None]:
        return sequence.waiting_since(conn)

    with street.database.begin() as conn:
        assert waiting(conn) == (0, None)
    street.report()
    street.later(hours=1)
    street.report()
    with street.database.begin() as conn:
        events, oldest = waiting(conn)
    assert events == 8
    assert oldest == "2026-03-02T01:00:00.000Z"
