"""Exported logs: every golden one judged as it is named, and a folder that holds nothing else."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509 import load_pem_x509_certificates

from audit.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from audit.encoding import canonical
from audit.entries import Draft, leaf_hash, seal
from audit.exported import Folded, fold, verify_export
from audit.note import Note, Signature, read_note
from audit.policy import Policy, read_policy
from audit.steps import Findings, Outcome
from audit.tiles import split_entries, tile_path, tiles_of, write_entries
from audit.trust import Trust
from tests.conftest import NOON, ORIGIN
from tests.golden.exports import make
from tests.witnessing import signer

GOLDEN = Path(make.__file__).parent
POLICY = read_policy((GOLDEN / "policy.txt").read_text(encoding="utf-8"))
KEPT = read_note((GOLDEN / "kept.checkpoint").read_bytes())
STAMPERS = tuple(load_pem_x509_certificates((GOLDEN / "tsa.pem").read_bytes()))
TRUST = Trust(POLICY, (KEPT,), STAMPERS)
GOOD = make.read(GOLDEN / "good")
EXPECTED: dict[str, dict[str, Any]] = json.loads((GOLDEN / "expected.json").read_text())


def ended(found: Findings, *outcomes: Outcome) -> set[str]:
    return {one.name for one in found.steps if one.outcome in outcomes}


def judged(place: Path, change: Callable[[make.Files], object], trust: Trust = TRUST) -> Findings:
    """What is found of the good export after a change."""
    files = dict(GOOD)
    change(files)
    return verify_export(make.write(place / "export", files), trust)


# --- golden ---------------------------------------------------------------------------------------


def test_the_good_export_holds() -> None:
    found = verify_export(GOLDEN / "good", TRUST)
    assert found.exit_status == 0, found
    assert ended(found, Outcome.NOT_NEEDED) == {"replay"}


def test_the_folders_are_those_that_are_made_and_say_the_same() -> None:
    there = {path.name for path in GOLDEN.iterdir() if path.is_dir() and path.name[0] != "_"}
    assert there == {"good", *EXPECTED}
    assert make.good() == GOOD, "run it again: python -m tests.golden.exports.make"
    for fault in make.FAULTS:
        assert make.bad(GOOD, fault) == make.read(GOLDEN / f"bad_{fault.__name__}")


@pytest.mark.parametrize("name", EXPECTED)
def test_a_bad_export_is_refused_by_the_step_it_is_named_for(name: str) -> None:
    found = verify_export(GOLDEN / name, TRUST)
    wanted = EXPECTED[name]
    assert ended(found, Outcome(wanted["outcome"])) & set(wanted["steps"]), found
    assert found.exit_status == (1 if wanted["outcome"] == "fails" else 3)


def test_without_what_left_the_house_a_rewritten_log_and_a_restored_backup_go_unseen() -> None:
    """The honest limit: who holds key and database contradicts nothing that he holds."""
    alone = Trust(Policy(POLICY.logs), (), STAMPERS)
    for name in ("bad_rewound_and_resigned", "bad_restored_backup", "good"):
        found = verify_export(GOLDEN / name, alone)
        told = ended(found, Outcome.FAILS, Outcome.UNCHECKED)
        # That nothing was brought to compare with is said, and is no success.
        assert "outside" in told
        assert not found.fails
        assert found.exit_status == 3


def test_nothing_is_believed_that_is_not_known_from_outside() -> None:
    found = verify_export(GOLDEN / "good", Trust())
    assert ended(found, Outcome.UNCHECKED) == {"signature", "witnesses", "timestamp", "outside"}
    assert found.exit_status == 3
    stranger = Policy((signer(ORIGIN, seed="stranger").key,))
    assert "signature" in ended(verify_export(GOLDEN / "good", Trust(stranger)), Outcome.FAILS)


def test_every_step_is_told_though_one_before_it_fails() -> None:
    whole = {one.name for one in verify_export(GOLDEN / "good", TRUST).steps}
    for name in ("bad_byte_changed", "bad_events_swapped", "bad_word_nobody_knows"):
        assert {one.name for one in verify_export(GOLDEN / name, TRUST).steps} == whole


def test_a_damaged_byte_is_not_told_as_a_rewritten_history() -> None:
    """Who says that history was rewritten accuses somebody: damage alone is no ground for that."""
    for name in ("bad_byte_changed", "bad_rechained", "bad_streams_swapped"):
        found = verify_export(GOLDEN / name, TRUST)
        assert "outside" in ended(found, Outcome.UNCHECKED)


def test_an_older_checkpoint_kept_elsewhere_is_the_beginning_of_the_tree() -> None:
    for size in (12, 16):
        older = open_checkpoint(GOOD[f"checkpoints/{size}"])[0]
        assert verify_export(GOLDEN / "good", replace(TRUST, outside=(older, KEPT))).ok
    tree = [leaf_hash(body) for body in split_entries(GOOD["tile/entries/000.p/27"])][:20]
    unpublished = make.cosigned(make_checkpoint(tree))
    assert verify_export(GOLDEN / "good", replace(TRUST, outside=(unpublished,))).ok


def make_checkpoint(tree: list[bytes]) -> Note:
    folded = Folded()
    folded.tree.extend(tree)
    return sign_checkpoint(Checkpoint(ORIGIN, len(tree), folded.tree.root()), make.LOG)


def test_a_checkpoint_kept_elsewhere_that_nobody_believed_has_signed_shows_nothing() -> None:
    unsigned = Note(Checkpoint(ORIGIN, 9, bytes(32)).text, (Signature("k", b"abcd", b"x"),))
    other = sign_checkpoint(Checkpoint(make.OTHER_LOG.name, 9, bytes(32)), make.OTHER_LOG)
    for note in (unsigned, other):
        found = verify_export(GOLDEN / "good", replace(TRUST, outside=(note,)))
        assert ended(found, Outcome.UNCHECKED) == {"outside"}
        assert not found.fails
    forked = sign_checkpoint(Checkpoint(ORIGIN, 9, bytes(32)), make.LOG)
    found = verify_export(GOLDEN / "good", replace(TRUST, outside=(KEPT, forked)))
    assert ended(found, Outcome.FAILS) == {"outside"}


# --- the folder -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(GOOD))
def test_no_file_can_be_missing_but_an_earlier_checkpoint_and_a_stamp(
    path: str, tmp_path: Path
) -> None:
    found = judged(tmp_path, lambda files: files.pop(path))
    # Nothing that is signed says how many of these there were. They are not needed either: the
    # last checkpoint covers what the earlier ones do, and a stamp only adds to it.
    assert found.ok is (path == "checkpoints/12" or path.startswith("timestamps/"))


@pytest.mark.parametrize(
    "path",
    ["x", "README.md", ".hidden", "checkpoints/x", "checkpoints/28", "checkpoints/x/27",
     "tile/0/000", "tile/0/000.p/28", "tile/1/000.p/1", "tile/entries/001", "tile/x",
     "definitions/x", f"definitions/{'0' * 64}", "calendars/x", "definitions/x/y", "cases.json",
     "timestamps/x", "timestamps/27", "timestamps/27.0", "timestamps/27.3", "timestamps/27.02",
     "timestamps/027.2", "timestamps/12.2", "timestamps/5.1", "timestamps/２７.2", "timestamps/².1",
     "timestamps/27.1.1"],
)  # fmt: skip
def test_no_file_can_be_there_that_nothing_vouches_for(path: str, tmp_path: Path) -> None:
    found = judged(tmp_path, lambda files: files.update({path: b"x"}))
    assert found.exit_status == 1
    assert ended(found, Outcome.FAILS) <= {"file", "pinned"}


def test_no_folder_and_no_link_can_be_there_that_nothing_vouches_for(tmp_path: Path) -> None:
    elsewhere = make.write(tmp_path / "elsewhere", {"x": b"x"})
    for n, name in enumerate(["verified-by-the-ministry", "checkpoints/x", "definitions/x"]):
        folder = make.write(tmp_path / f"folder{n}", GOOD)
        (folder / name).mkdir()
        assert ended(verify_export(folder, TRUST), Outcome.FAILS) == {"file"}
        linked = make.write(tmp_path / f"link{n}", GOOD)
        (linked / name).symlink_to(elsewhere, target_is_directory=True)
        assert ended(verify_export(linked, TRUST), Outcome.FAILS) == {"file"}


def test_what_is_no_export_at_all_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    empty = tmp_path / "empty"
    empty.mkdir()
    for place in (empty, tmp_path / "nowhere"):
        found = verify_export(place, TRUST)
        assert ended(found, Outcome.FAILS) == {"file"}


def test_a_checkpoint_that_claims_a_huge_tree_is_refused_at_once(tmp_path: Path) -> None:
    huge = sign_checkpoint(Checkpoint(ORIGIN, 10**18, bytes(32)), make.LOG)
    found = judged(tmp_path, lambda files: make.put_last(files, huge))
    assert ended(found, Outcome.FAILS) == {"file"}


def test_a_tree_of_nothing_is_whole(tmp_path: Path) -> None:
    folded = Folded()
    nothing = sign_checkpoint(Checkpoint(ORIGIN, 0, folded.tree.root()), make.LOG)
    files = {"checkpoint": nothing.data, "checkpoints/0": nothing.data}
    found = verify_export(make.write(tmp_path / "export", files), Trust(Policy(POLICY.logs)))
    assert not found.fails


@pytest.mark.parametrize(
    "told",
    [b"", b"x", b"log\n1\n\xff\n", "log\n5\n根\n\n— log AAAAAAAA\n".encode(), bytes(100)],
)
def test_a_checkpoint_that_is_none_is_said_in_words(told: bytes, tmp_path: Path) -> None:
    found = judged(tmp_path, lambda files: files.update({"checkpoints/12": told}))
    assert ended(found, Outcome.FAILS) == {"file"}


def test_a_witness_that_signs_a_time_beyond_all_years_is_told_as_it_is(tmp_path: Path) -> None:
    def beyond(files: make.Files) -> None:
        note = make.last(files)
        own = Note(note.text, note.signatures[:1])
        lines = [make.cosign(note, one, at=2**62) for one in (make.DISTRICT, make.ARCHIVE)]
        make.put_last(files, own.signed(*lines))

    assert str(2**62) in str(judged(tmp_path, beyond))


def test_a_line_of_a_key_that_is_not_this_logs_is_told_as_not_checked(tmp_path: Path) -> None:
    """A policy may name other keys, as that of receipts: on a checkpoint they are nobody's."""
    receipts = next(key for key in POLICY.logs if key.name != ORIGIN)

    def add(files: make.Files) -> None:
        line = Signature(receipts.name, receipts.id, bytes(64))
        make.put_last(files, make.last(files).signed(line))

    found = judged(tmp_path, add)
    assert ended(found, Outcome.UNCHECKED) == {"witnesses"}


# --- folding --------------------------------------------------------------------------------------


def entry(stream: str, seq: int, type_: str, data: dict[str, Any], prev: str = "") -> bytes:
    draft = Draft(type_, data, {"engine": "shaoji"}, NOON)
    return seal(draft, log=ORIGIN, stream=stream, seq=seq, prev=prev).body


def test_a_definition_named_by_another_digest_than_its_files_give_is_a_lie(
    tmp_path: Path,
) -> None:
    """Only the log's holder can say such a thing; every case that pins it pins something else."""

    def lie(files: make.Files) -> None:
        bodies, prev = make.entries(files), ""
        for n, body in enumerate(bodies):
            told = json.loads(body)
            if told["case"] == "@definitions":
                told["data"]["files"][0]["name"] = "another.bpmn"
                bodies[n] = canonical(told | {"prev": prev})
                prev = leaf_hash(bodies[n]).hex()
        make.rebuild(files, bodies)
        make.lie(files)

    assert "pinned" in ended(judged(tmp_path, lie), Outcome.FAILS)


def test_folding_tells_the_roots_that_were_asked_for_and_stops_at_the_first_problem() -> None:
    bodies = split_entries(GOOD["tile/entries/000.p/27"])
    told = fold(ORIGIN, bodies, [0, 12, 16, 27, 99])
    for size in (12, 16, 27):
        assert told.roots[size] == open_checkpoint(GOOD[f"checkpoints/{size}"])[1].root
    assert set(told.roots) == {0, 12, 16, 27}
    assert told.problem is None
    assert len(told.streams) == 6
    bad = fold(ORIGIN, [*bodies[:5], b"{}", *bodies[5:]])
    assert bad.problem
    assert (bad.problem.case, bad.problem.seq, bad.problem.step) == ("@tree", 5, "bytes")
    assert bad.tree.size == 5


def test_a_forged_line_beside_a_rotation_is_told_and_nothing_falls_over(tmp_path: Path) -> None:
    new = signer(ORIGIN, seed="new")
    told = {"old_vkey": make.LOG.key.vkey, "new_vkey": new.key.vkey, "reason": "例行"}
    [body] = [entry("@log", 1, "log.key_rotated", told)]
    note = make_checkpoint([leaf_hash(body)])

    def export(note: Note) -> Path:
        files = {
            "checkpoint": note.data, "checkpoints/1": note.data,
            "tile/0/000.p/1": leaf_hash(body), "tile/entries/000.p/1": write_entries([body]),
        }  # fmt: skip
        return make.write(tmp_path / "export", files)

    trust = Trust(Policy((make.LOG.key,)), (note,))
    assert verify_export(export(note), trust).ok
    forged = Note(note.text, (Signature(ORIGIN, make.LOG.key.id, bytes(64)),))
    assert "signature" in ended(verify_export(export(forged), trust), Outcome.FAILS)
    # The new key alone is believed by who knows the old one, for the old one has vouched for it.
    both = sign_checkpoint(open_checkpoint(note.data)[1], make.LOG, new)
    assert verify_export(export(both), trust).ok


def test_a_log_of_several_tiles_is_computed_again_whole(tmp_path: Path) -> None:
    bodies, prev = [], ""
    for seq in range(1, 601):
        told = {"old_vkey": "x", "new_vkey": f"{seq}", "reason": "例行"}
        body = entry("@log", seq, "log.key_rotated", told, prev)
        bodies.append(body)
        prev = leaf_hash(body).hex()
    leaves = [leaf_hash(body) for body in bodies]
    note = make_checkpoint(leaves)
    files = {"checkpoint": note.data, "checkpoints/600": note.data}
    for level, number, width in tiles_of(600):
        if level == 0:
            start = number * 256
            part = slice(start, start + width)
            files[tile_path(0, number, width)] = b"".join(leaves[part])
            files[tile_path("entries", number, width)] = write_entries(bodies[part])
    folded = [Folded(), Folded()]
    for n, one in enumerate(folded):
        one.tree.extend(leaves[n * 256 : n * 256 + 256])
    files["tile/1/000.p/2"] = b"".join(one.tree.root() for one in folded)
    trust = Trust(Policy((make.LOG.key,)), (note,))
    assert verify_export(make.write(tmp_path / "export", files), trust).ok
    for path in files:
        bad = {**files, path: files[path][:-1] + bytes([files[path][-1] ^ 1])}
        assert not verify_export(make.write(tmp_path / "export", bad), trust).ok, path
