"""A replaced key is on the record, signed by both, and gone; whatever happens on the way."""

import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from audit import log, sequence
from audit.checkpoint import read_checkpoint
from audit.note import Note, VerifierKey, check_note
from audit.policy import read_policy
from audit.rotations import Rotation, by_tree, extend
from audit.vocabulary import check
from engine.database import open_database
from engine.errors import BadInput
from engine.key_files import NoKey, signer
from engine.key_rotation import (
    KeyNamedInSetting,
    RotationUnderWay,
    finish_rotation,
    rotate_checkpoint_key,
)
from engine.keys import Places, PolicyUnfit, make_keys, make_witness_key, open_keys
from engine.people import NotAdministrator, grant_post, register_person
from engine.sequencer import run_sequencer
from tests.conftest import NOON, ORIGIN, ROOT, Street
from tests.engine.crash_rotator import KILLED, go_on


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path / "keys")
    make_keys(places, ORIGIN, "听澜街道", at=NOON)
    return places


def rotate(street: Street, places: Places, **more: Any) -> Rotation:
    told: dict[str, Any] = {"reason": "例行", "by": None} | more
    rotation: Rotation = street.do(rotate_checkpoint_key, places, **told)
    return rotation


def publish(street: Street, places: Places) -> Note:
    """Sign what is new with whoever is to sign now."""
    signers = open_keys(places, ORIGIN).checkpoint_signers
    note = run_sequencer(street.database, signers, at=street.at).published
    assert note
    return note


def finish(street: Street, places: Places, note: Note) -> bool:
    with street.database.begin() as conn:
        return finish_rotation(conn, places, note)


def current(places: Places) -> VerifierKey:
    found = open_keys(places, ORIGIN).checkpoint
    assert found
    return found.key


def believed(database: Engine, *keys: VerifierKey) -> tuple[VerifierKey, ...]:
    """Whom a verifier believes who has these keys from outside, and the whole log."""
    with database.begin() as conn:
        entries = log.read(conn, "@log")
        places = [(entry, sequence.leaf_index(conn, entry.hash)) for entry in entries]
        events = [(entry, index) for entry, index in places if index is not None]
        notes = [one.note for one in sequence.checkpoints(conn)]
    return extend(keys, by_tree(events, notes))


def test_a_rotation_is_recorded_signed_by_both_and_then_the_new_key_signs_alone(
    street: Street, places: Places
) -> None:
    old = current(places)
    first = publish(street, places)
    assert check_note(first, [old]) == [old]

    rotation = rotate(street, places)
    assert rotation.old == old
    street.report()
    both = publish(street, places)
    assert check_note(both, [old, rotation.new]) == [old, rotation.new]
    assert finish(street, places, both)
    assert current(places) == rotation.new

    street.report()
    after = publish(street, places)
    assert check_note(after, [old, rotation.new]) == [rotation.new]
    assert believed(street.database, old) == (old, rotation.new)
    [event] = street.entries("@log")
    assert event.data == {
        "old_vkey": old.vkey, "new_vkey": rotation.new.vkey, "reason": "例行",
    }  # fmt: skip
    assert check(event) is None
    street.check()


def test_the_old_private_key_is_gone_and_the_policy_names_both(
    street: Street, places: Places
) -> None:
    before = Path(places.checkpoint).read_bytes()
    rotation = rotate(street, places)
    assert stat.S_IMODE(places.next.stat().st_mode) == 0o600
    note = publish(street, places)
    finish(street, places, note)
    assert not places.next.exists()
    assert before not in [path.read_bytes() for path in places.folder.iterdir()]
    assert stat.S_IMODE(Path(places.checkpoint).stat().st_mode) == 0o600
    text = places.policy.read_text(encoding="utf-8")
    assert read_policy(text).logs == (rotation.old, rotation.new)
    size = read_checkpoint(note).size
    assert f"# {rotation.old.id.hex()} 已停用" in text
    assert f"its last tree has {size} leaves\nlog {rotation.old.vkey}" in text
    assert stat.S_IMODE(places.policy.stat().st_mode) == 0o644


def test_what_the_operator_wrote_into_the_policy_stays(
    street: Street, places: Places, tmp_path: Path
) -> None:
    witness = f"witness district {make_witness_key(tmp_path / 'district', 'district').key.vkey}"
    text = places.policy.read_text(encoding="utf-8")
    text = text.replace("quorum none", f"# 区里的\n{witness}\nquorum district")
    places.policy.write_text(text, encoding="utf-8")
    rotate(street, places)
    finish(street, places, publish(street, places))
    after = places.policy.read_text(encoding="utf-8")
    assert f"# 区里的\n{witness}\nquorum district" in after
    assert set(text.split("\n")) < set(after.split("\n"))


def test_keys_are_replaced_again_and_again_and_the_first_still_vouches_for_the_last(
    street: Street, places: Places
) -> None:
    keys = [current(places)]
    for _ in range(3):
        rotate(street, places)
        assert finish(street, places, publish(street, places))
        keys.append(current(places))
    assert len(set(keys)) == 4
    assert believed(street.database, keys[0]) == tuple(keys)
    assert believed(street.database, keys[2]) == (keys[2], keys[3])
    assert open_keys(places, ORIGIN).policy.logs == tuple(keys)


def test_a_rotation_ends_only_with_a_checkpoint_that_covers_it(
    street: Street, places: Places
) -> None:
    early = publish(street, places)
    rotation = rotate(street, places)
    assert not finish(street, places, early)
    old = signer(places.checkpoint, ORIGIN)
    alone = run_sequencer(street.database, [old], at=street.at).published
    assert alone
    assert not finish(street, places, alone)
    assert current(places) == rotation.old
    street.report()
    assert finish(street, places, publish(street, places))


def test_without_a_rotation_there_is_nothing_to_end(street: Street, places: Places) -> None:
    note = publish(street, places)
    assert not finish(street, places, note)


def test_a_new_key_nobody_has_heard_of_takes_over_from_nobody(
    street: Street, places: Places
) -> None:
    # What a run leaves that died before its COMMIT.
    before = current(places)
    with street.database.connect() as conn:
        rotate_checkpoint_key(conn, places, reason="例行", by=None, at=street.at)
        conn.rollback()
    left = signer(places.next, ORIGIN).key
    note = publish(street, places)
    assert not finish(street, places, note)
    assert current(places) == before
    assert believed(street.database, before) == (before,)
    assert rotate(street, places).new == left


def test_one_rotation_at_a_time(street: Street, places: Places) -> None:
    rotate(street, places)
    with pytest.raises(RotationUnderWay):
        rotate(street, places)
    assert len(street.entries("@log")) == 1
    finish(street, places, publish(street, places))
    rotate(street, places)


def test_a_rotation_has_a_reason(street: Street, places: Places) -> None:
    with pytest.raises(BadInput):
        rotate(street, places, reason=" ")
    assert not places.next.exists()


def test_only_an_administrator_or_the_operator_replaces_a_key(
    street: Street, places: Places
) -> None:
    with pytest.raises(NotAdministrator):
        rotate(street, places, by=street.by("grid"))
    assert not places.next.exists()
    clerk = street.person["clerk"] = street.do(register_person, "管理演示", by=None)
    street.do(grant_post, clerk, "u-street", "管理员", ["administer"], reason="到任", by=None)
    rotate(street, places, by=street.by("clerk"))
    [event] = street.entries("@log")
    assert event.actor["person"] == clerk
    assert check(event) is None


def test_who_does_not_hold_the_key_does_not_replace_it(street: Street, places: Places) -> None:
    Path(places.checkpoint).unlink()
    with pytest.raises(NoKey):
        rotate(street, places)


def test_a_key_named_in_a_setting_is_not_replaced_from_here(street: Street, places: Places) -> None:
    device = Places(places.folder, "pkcs11:object=x?module-path=/nowhere.so")
    with pytest.raises(KeyNamedInSetting, match=r"checkpoint\.key"):
        rotate(street, device)


def test_a_policy_that_cannot_be_written_leaves_the_rotation_under_way(
    street: Street, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    rotation = rotate(street, places)
    note = publish(street, places)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("engine.key_rotation.write_over", full)
        with pytest.raises(PolicyUnfit, match="No space left"):
            finish(street, places, note)
    assert current(places) == rotation.old
    assert finish(street, places, note)


def test_the_end_is_the_same_if_it_was_cut_short_between_policy_and_key(
    street: Street, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    rotation = rotate(street, places)
    note = publish(street, places)
    monkeypatch.setattr(Path, "replace", dead_at_key(Path.replace))
    with pytest.raises(ZeroDivisionError):
        finish(street, places, note)
    monkeypatch.undo()
    once = places.policy.read_text(encoding="utf-8")
    assert open_keys(places, ORIGIN).checkpoint_signers[1].key == rotation.new
    street.report()
    assert finish(street, places, publish(street, places))
    twice = places.policy.read_text(encoding="utf-8")
    assert once.count("\n") == twice.count("\n")
    assert read_policy(twice).logs == (rotation.old, rotation.new)


def dead_at_key(replace: Any) -> Any:
    def renamed(path: Path, target: Path) -> Path:
        if path.name == "checkpoint.next.key":
            raise ZeroDivisionError
        found: Path = replace(path, target)
        return found

    return renamed


def test_signers_read_before_a_rotation_do_not_end_it(street: Street, places: Places) -> None:
    signers = open_keys(places, ORIGIN).checkpoint_signers
    rotate(street, places)
    note = run_sequencer(street.database, signers, at=street.at).published
    assert note
    assert not finish(street, places, note)


# --- killed ---------------------------------------------------------------------------------------


def test_killed_before_anything_it_does_on_disk_a_rotation_is_gone_on_with(
    sqlite_template: Path, tmp_path: Path, places: Places
) -> None:
    old, n, status = current(places), 0, KILLED
    while status == KILLED:
        n += 1
        here = tmp_path / str(n)
        shutil.copytree(places.folder, here / "keys")
        shutil.copy(sqlite_template, here / "street.db")
        url, copied = f"sqlite:///{here / 'street.db'}", Places(here / "keys")
        status = killed(url, copied, n)
        ended(open_database(url), copied, old)
    assert status == 0
    assert n > 7  # made, linked, recorded, taken in, signed, policy made, policy put, key put


def killed(url: str, places: Places, n: int) -> int:
    command = [sys.executable, "-m", "tests.engine.crash_rotator", url, str(places.folder), str(n)]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def ended(database: Engine, places: Places, old: VerifierKey) -> None:
    """Go on as an operator and the sequencer do, and look at what there is in the end."""
    if current(places) == old:
        with database.begin() as conn:
            try:
                rotate_checkpoint_key(conn, places, reason="再来", by=None, at=NOON)
            except RotationUnderWay:
                something_new(conn)
        go_on(database, places)
    new = current(places)
    assert new != old
    assert not places.next.exists()
    assert open_keys(places, ORIGIN).policy.logs == (old, new)
    assert believed(database, old) == (old, new)
    with database.begin() as conn:
        assert len(log.read(conn, "@log")) == 1
        last = sequence.latest(conn)
        assert last
        assert check_note(last.note, [old, new]) == [old, new]
        assert list(sequence.check(conn)) == []
    database.dispose()


def something_new(conn: Any) -> None:
    """An event, so that there is a checkpoint to sign."""
    register_person(conn, "新人演示", by=None, at=NOON)
