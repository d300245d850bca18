"""Heads leave the house: what comes back is checked, and nobody outside can stop the log."""

import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event

import pytest
from flask import Response
from sqlalchemy import text

from audit import sequence
from audit.checkpoint import check_cosignatures, cosign, open_checkpoint
from audit.note import COSIGNATURE, Note, Signature, Signer
from audit.policy import Policy, Witness
from audit.sequence import Stored
from audit.timestamp import check_stamp
from audit.witness import MOST_AHEAD
from engine import anchoring
from engine.anchoring import (
    LONGEST_WAIT,
    Anchors,
    NotAnchored,
    anchor,
    anchors_of,
    authority_place,
    states,
    witness_place,
)
from engine.checkpoint_files import file_name
from engine.sequencer import run_sequencer
from engine.witnessed import evidence, witness
from tests.conftest import Street
from tests.offices import Office, open_office, speaking
from tests.tsa import Authority, make_authority
from tests.tsa import served as served_authority
from tests.witnessing import ORIGIN, Grown, signer, witness_signer

KEY = signer(ORIGIN)
# Seconds. Long enough for whoever answers on a busy machine, and what a silent one costs here.
SOON = 3.0


def publish(street: Street) -> Stored:
    """One more case, in the tree and under a checkpoint."""
    street.report()
    run_sequencer(street.database, [KEY], at=street.later(minutes=1))
    return last(street)


def last(street: Street) -> Stored:
    with street.database.begin() as conn:
        found = sequence.latest(conn)
    assert found
    return found


def go(street: Street, anchors: Anchors) -> list[NotAnchored]:
    return anchor(street.database, anchors, at=street.at)


def cosigned(street: Street, witness: Witness) -> bool:
    return witness.key in check_cosignatures(last(street).note, [witness.key])


@pytest.fixture
def office(street: Street, tmp_path: Path) -> Iterator[Office]:
    with open_office(tmp_path / "office", [KEY.key], clock=lambda: street.at) as opened:
        yield opened


@pytest.fixture
def anchors(office: Office) -> Anchors:
    return Anchors((office.witness,))


# --- witnesses ------------------------------------------------------------------------------------


def test_a_checkpoint_is_cosigned_once_and_nobody_is_asked_again(
    street: Street, office: Office, anchors: Anchors
) -> None:
    publish(street)
    assert go(street, anchors) == []
    assert cosigned(street, office.witness)
    assert go(street, anchors) == []
    assert len(office.requests) == 1
    street.check()


def test_before_the_first_checkpoint_nobody_is_asked(
    street: Street, office: Office, anchors: Anchors
) -> None:
    assert go(street, anchors) == []
    assert office.requests == []


def test_the_size_a_witness_knows_is_remembered_and_proved_from(
    street: Street, office: Office, anchors: Anchors
) -> None:
    for _ in range(4):
        known = last(street).checkpoint.size if office.requests else 0
        publish(street)
        assert go(street, anchors) == []
        assert office.requests[-1].startswith(f"old {known}\n".encode())
    assert len(office.requests) == 4


def test_a_size_forgotten_here_is_told_by_the_witness_and_asked_from_once_more(
    street: Street, office: Office, anchors: Anchors
) -> None:
    publish(street)
    go(street, anchors)
    known = last(street).checkpoint.size
    publish(street)
    with street.database.begin() as conn:
        conn.execute(text("DELETE FROM anchor"))
    assert go(street, anchors) == []
    assert cosigned(street, office.witness)
    assert [data.split(b"\n", 1)[0] for data in office.requests[1:]] == [
        b"old 0", f"old {known}".encode(),
    ]  # fmt: skip


def test_an_answer_lost_on_the_way_is_asked_for_again(
    street: Street, office: Office, anchors: Anchors
) -> None:
    """The witness was killed after it had written, before it had answered."""
    publish(street)
    office.after = lambda response: Response("", 502)
    (failed,) = go(street, anchors)
    assert "502" in failed.english
    office.after = lambda response: response
    street.later(minutes=1)
    assert go(street, anchors) == []
    assert cosigned(street, office.witness)


def test_while_a_witness_takes_its_time_others_write(
    street: Street, office: Office, anchors: Anchors
) -> None:
    """No transaction is open while a stranger is waited for: on SQLite this would lock up."""
    office.before = lambda data: street.report() and None
    publish(street)
    assert go(street, anchors) == []
    assert cosigned(street, office.witness)
    street.check()


def test_a_witness_that_is_down_is_told_of_tried_less_and_less_and_reached_when_it_is_back(
    sqlite_street: Street, tmp_path: Path
) -> None:
    street = sqlite_street
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    down = Witness("district", witness_signer().key, nobody)
    publish(street)
    tried, since = 0, street.at
    while street.at < since + timedelta(hours=1):
        failed = go(street, Anchors((down,), timeout=SOON))
        tried += len(failed)
        assert all("没有回音" in one.chinese and not one.grave for one in failed)
        street.later(seconds=30)
    assert 6 <= tried <= 12
    publish(street)  # the log goes on
    with open_office(tmp_path, [KEY.key], clock=lambda: street.at) as office:
        street.later(seconds=LONGEST_WAIT.total_seconds())
        assert go(street, Anchors((office.witness,))) == []
    with street.database.begin() as conn:
        state = states(conn)[witness_place(down)]
    assert (state.failures, state.size) == (0, last(street).checkpoint.size)
    assert cosigned(street, down)
    street.check()


def test_an_unknown_log_is_told_what_to_do(street: Street, tmp_path: Path) -> None:
    publish(street)
    for keys, status in (([], 404), ([signer(ORIGIN, seed="old").key], 403)):
        with open_office(tmp_path / str(status), keys, clock=lambda: street.at) as office:
            (failed,) = go(street, Anchors((office.witness,)))
        assert str(status) in failed.english
        assert "登记" in failed.chinese
        street.later(hours=1)


# --- witnesses that do not do their work ----------------------------------------------------------


def silent(link: socket.socket) -> None:
    """Until the other side hangs up."""
    while link.recv(1024):
        pass


def dripping(link: socket.socket) -> None:
    """A byte now and then, for ever: each in time."""
    link.sendall(b"HTTP/1.1 200 OK\r\nX-Patience: ")
    while True:
        link.sendall(b"x")
        Event().wait(0.05)


def raw(data: bytes) -> Callable[[socket.socket], None]:
    return lambda link: link.sendall(data)


def http(body: bytes, head: str = "200 OK") -> Callable[[socket.socket], None]:
    return raw(f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)


BROKEN = {
    "says nothing": silent,
    "drips": dripping,
    "hangs up": raw(b""),
    "speaks another language": raw(b"220 smtp.example ESMTP\x1b[2J\r\n"),
    "answers with a page": http(b"<html>Welcome!</html>"),
    "sends elsewhere": http(b"", "302 Found\r\nLocation: http://127.0.0.1:1/"),
    "answers without end": http(b"A" * 3_000_000),
    "promises more than it sends": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nshort"),
    "tells a size that is none": http(
        b"all\n", "409 Conflict\r\nContent-Type: text/x.tlog.size"
    ),
    "tells always another size": http(
        b"1\n", "409 Conflict\r\nContent-Type: text/x.tlog.size"
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_witness_stops_neither_the_log_nor_the_others(
    sqlite_street: Street, tmp_path: Path, fault: str
) -> None:
    street = sqlite_street
    publish(street)
    with (
        speaking(BROKEN[fault]) as url,
        open_office(tmp_path, [KEY.key], clock=lambda: street.at) as office,
    ):
        broken = Witness("broken", witness_signer("broken.example").key, url)
        (failed,) = go(street, Anchors((broken, office.witness), timeout=SOON))
        assert not failed.grave
        assert failed.chinese.isprintable()
        assert failed.english.isprintable()
        assert cosigned(street, office.witness)
        assert not cosigned(street, broken)
    publish(street)
    street.check()


LYING = {
    "an older checkpoint's": lambda note, old: cosign(old, witness_signer(), at=0),
    "another witness's": lambda note, old: cosign(note, witness_signer("x.example"), at=0),
    "one by another key under its name": lambda note, old: cosign(note, thief(), at=0),
    "one with a changed byte": lambda note, old: spoilt(cosign(note, witness_signer(), at=0)),
}  # fmt: skip


def thief() -> Signer:
    return signer(witness_signer().key.name, COSIGNATURE, seed="thief")


def spoilt(line: Signature) -> Signature:
    return replace(line, signature=line.signature[:-1] + bytes([line.signature[-1] ^ 1]))


@pytest.mark.parametrize("lie", LYING)
def test_a_cosignature_that_does_not_hold_is_not_kept(sqlite_street: Street, lie: str) -> None:
    street = sqlite_street
    old = publish(street).note
    note = publish(street).note
    line = LYING[lie](Note(note.text), Note(old.text)).line.encode()
    with speaking(http(line)) as url:
        witness = Witness("district", witness_signer().key, url)
        (failed,) = go(street, Anchors((witness,), timeout=SOON))
    assert "不能用" in failed.chinese
    assert last(street).note == note


@pytest.mark.parametrize(("ahead", "kept"), [(MOST_AHEAD, True), (MOST_AHEAD + 1, False)])
def test_a_witness_whose_clock_is_far_ahead_is_not_believed(
    sqlite_street: Street, tmp_path: Path, ahead: int, kept: bool
) -> None:
    street = sqlite_street
    publish(street)

    def fast() -> datetime:
        return street.at + timedelta(seconds=ahead)

    with open_office(tmp_path, [KEY.key], clock=fast) as office:
        failed = go(street, Anchors((office.witness,)))
        assert [("ahead" in one.english) for one in failed] == [True] * (not kept)
        assert cosigned(street, office.witness) is kept


# --- two histories --------------------------------------------------------------------------------


def test_a_restored_backup_is_told_by_the_witness(sqlite_street: Street, tmp_path: Path) -> None:
    street, backup = sqlite_street, tmp_path / "backup.db"
    with open_office(tmp_path / "office", [KEY.key], clock=lambda: street.at) as office:
        anchors = Anchors((office.witness,))
        publish(street)
        go(street, anchors)
        path = street.database.url.database or ""
        with closing(sqlite3.connect(path)) as live, closing(sqlite3.connect(backup)) as copy:
            live.backup(copy)
        publish(street)
        go(street, anchors)
        larger = last(street).checkpoint.size
        with closing(sqlite3.connect(path)) as live, closing(sqlite3.connect(backup)) as copy:
            copy.backup(live)
        run_sequencer(street.database, [KEY], at=street.at)
        assert last(street).checkpoint.size < larger
        with street.database.begin() as conn:
            conn.execute(text("DROP TRIGGER cosignature_no_delete"))
            conn.execute(text("DELETE FROM cosignature"))
        (failed,) = go(street, anchors)
        assert failed.grave
        assert "备份" in failed.chinese
        assert str(larger) in failed.english
        # It grows again past what the witness knows, with other events: that is another history.
        while last(street).checkpoint.size <= larger:
            publish(street)
        street.later(hours=1)
        (failed,) = go(street, anchors)
        assert failed.grave
        assert "422" in failed.english
        with office.store.begin() as conn:
            assert evidence(conn, ORIGIN), "the witness keeps what was signed twice"
    publish(street)  # the log goes on all the same


def test_a_second_log_under_the_same_key_is_found_out_by_the_witness(
    sqlite_street: Street, tmp_path: Path
) -> None:
    street = sqlite_street
    note = publish(street).note
    size = last(street).checkpoint.size
    with open_office(tmp_path, [KEY.key], clock=lambda: street.at) as office:
        forger = Grown(history="forged ", key=KEY)
        witness(
            office.store, forger.request(0, size), signer=office.signer, keys=[KEY.key],
            now=lambda: street.at,
        )  # fmt: skip
        (failed,) = go(street, Anchors((office.witness,)))
        assert failed.grave
        assert "409" in failed.english
        with office.store.begin() as conn:
            (found,) = evidence(conn, ORIGIN)
    assert found.fork
    assert {found.known.text, found.told.text} == {note.text, forger.note(size).text}


# --- time stamps ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("tsa"))


def tokens(street: Street) -> dict[str, bytes]:
    size = last(street).checkpoint.size
    with street.database.begin() as conn:
        return sequence.timestamps(conn, size)


def test_a_checkpoint_is_stamped_and_not_each_of_many(street: Street, authority: Authority) -> None:
    first = publish(street)
    with served_authority(authority) as url:
        anchors = Anchors(tsa_url=url, roots=(authority.root,))
        assert go(street, anchors) == []
        (token,) = tokens(street).values()
        stamp = check_stamp(token, first.note.text.encode(), [authority.root])
        assert list(tokens(street)) == [stamp.authority]
        publish(street)
        assert go(street, anchors) == []
        assert tokens(street) == {}
        street.later(minutes=10)
        assert go(street, anchors) == []
        assert len(tokens(street)) == 1
    street.check()


def test_a_stamp_of_a_stranger_is_not_kept_where_roots_are_configured(
    sqlite_street: Street, authority: Authority, tmp_path: Path
) -> None:
    street = sqlite_street
    publish(street)
    other = make_authority(tmp_path / "other")
    with served_authority(authority) as url:
        (failed,) = go(street, Anchors(tsa_url=url, roots=(other.root,)))
        assert "certificate" in failed.english
        assert tokens(street) == {}
        street.later(minutes=1)
        assert go(street, Anchors(tsa_url=url)) == []
    assert len(tokens(street)) == 1


@pytest.mark.parametrize("fault", ["says nothing", "hangs up", "answers with a page"])
def test_an_authority_that_is_down_is_told_of_and_asked_again(
    sqlite_street: Street, authority: Authority, fault: str
) -> None:
    street = sqlite_street
    publish(street)
    with speaking(BROKEN[fault]) as url:
        (failed,) = go(street, Anchors(tsa_url=url + "/secret?key=1", timeout=SOON))
    assert not failed.grave
    with street.database.begin() as conn:
        (place,) = states(conn)
    assert place == authority_place(url + "/secret?key=1")
    assert "key" not in place
    with served_authority(authority) as url:
        assert go(street, Anchors(tsa_url=url, roots=(authority.root,))) == []
    assert len(tokens(street)) == 1


# --- the file of each day -------------------------------------------------------------------------


def test_the_file_of_the_day_grows_with_the_log_and_bears_the_cosignatures(
    street: Street, office: Office, tmp_path: Path
) -> None:
    folder = tmp_path / "disk"
    anchors = Anchors((office.witness,), folder=folder)
    for _ in range(2):
        publish(street)
        assert go(street, anchors) == []
        (path,) = folder.iterdir()
        assert path.name == f"{ORIGIN}-2026-03-02.checkpoint"
        note, checkpoint = open_checkpoint(path.read_bytes())
        assert checkpoint == last(street).checkpoint
        assert check_cosignatures(note, [office.signer.key])
    before = path.stat().st_mtime_ns
    assert go(street, anchors) == []
    assert path.stat().st_mtime_ns == before


def test_whoever_comes_late_with_an_older_head_raises_no_alarm(
    street: Street, office: Office, tmp_path: Path
) -> None:
    """A report is sealed and takes a newer head out while the worker is on its way with one."""
    folder = tmp_path / "disk"
    anchors = Anchors((office.witness,), folder=folder)
    publish(street)
    older = last(street)
    publish(street)
    assert go(street, anchors) == []
    (path,) = folder.iterdir()
    before = path.read_bytes()
    newer, day = last(street).checkpoint.size, street.at.astimezone(anchors.zone).date()
    filed = anchoring._filed(street.database, folder, older, day)
    asked = anchoring._Asked(street.database, office.witness, older, 5.0, street.at).go(0)
    assert older.checkpoint.size < filed.size == asked.size == newer
    assert path.read_bytes() == before


def test_another_days_file_is_never_touched(sqlite_street: Street, tmp_path: Path) -> None:
    street, anchors = sqlite_street, Anchors(folder=tmp_path)
    publish(street)
    go(street, anchors)
    (monday,) = tmp_path.glob("*.checkpoint")
    held = monday.read_bytes()
    street.later(days=1)
    publish(street)
    assert go(street, anchors) == []
    assert monday.read_bytes() == held
    tuesday = tmp_path / file_name(ORIGIN, street.at.date())
    held = tuesday.read_bytes()
    street.later(days=-1)  # the clock was set back
    publish(street)
    (failed,) = go(street, anchors)
    assert "时钟" in failed.chinese
    assert tuesday.read_bytes() == held


def faulty(path: Path, note: Note, fault: str) -> bytes:
    size = open_checkpoint(path.read_bytes())[1].size
    forger = Grown(history="forged ", key=KEY)
    return {
        "larger": forger.note(size + 50).data,
        "rewritten": forger.note(size - 1).data,
        "damaged": path.read_bytes()[:-9],
        "of another log": Grown(origin="x.example", key=signer("x.example")).note(2).data,
    }[fault]


@pytest.mark.parametrize(
    ("fault", "grave"),
    [("larger", True), ("rewritten", True), ("damaged", True), ("of another log", False)],
)
def test_a_file_that_does_not_fit_is_told_and_left_alone(
    sqlite_street: Street, tmp_path: Path, fault: str, grave: bool
) -> None:
    street, anchors = sqlite_street, Anchors(folder=tmp_path)
    publish(street)
    go(street, anchors)
    (path,) = tmp_path.glob("*.checkpoint")
    held = faulty(path, last(street).note, fault)
    path.write_bytes(held)
    publish(street)
    (failed,) = go(street, anchors)
    assert failed.grave is grave
    assert path.read_bytes() == held
    publish(street)  # the log goes on


def test_a_disk_that_is_not_there_is_told_and_not_made(
    sqlite_street: Street, tmp_path: Path
) -> None:
    street = sqlite_street
    publish(street)
    missing = tmp_path / "not" / "mounted"
    (failed,) = go(street, Anchors(folder=missing))
    assert str(missing) in failed.chinese
    assert not missing.parent.exists()


def test_of_one_tree_the_signatures_of_file_and_database_are_kept(
    sqlite_street: Street, tmp_path: Path
) -> None:
    """A cosignature that the database has lost stays in the file."""
    street, anchors = sqlite_street, Anchors(folder=tmp_path)
    note = publish(street).note
    go(street, anchors)
    (path,) = tmp_path.glob("*.checkpoint")
    line = cosign(note, witness_signer(), at=1)
    path.write_bytes(note.signed(line).data)
    go(street, anchors)
    assert open_checkpoint(path.read_bytes())[0].signatures[-1] == line


@pytest.mark.parametrize("origin", ["../../etc/x", "a/b", ".hidden", "街道 日志", "x" * 300])
def test_whatever_a_log_is_called_its_files_stay_in_the_folder(origin: str) -> None:
    name = file_name(origin, datetime(2026, 3, 2).date())  # noqa: DTZ001 - a date only
    assert Path(name).name == name
    assert not name.startswith(".")
    assert len(name.encode()) < 255 or origin == "街道 日志"


def test_witnesses_without_an_address_are_not_asked() -> None:
    named = Witness("a", witness_signer("a.example").key)
    reached = Witness("b", witness_signer("b.example").key, "http://127.0.0.1:1")
    assert anchors_of(Policy((), (named, reached))).witnesses == (reached,)
