"""A log leaves the house whole, or a unit's cases: verified outside, whatever goes on beside."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from audit import sequence
from audit.checkpoint import cosign, read_checkpoint
from audit.evidence_file import read_evidence, verify_evidence, write_evidence
from audit.exported import verify_export
from audit.note import COSIGNATURE
from audit.offline import verify_path
from audit.policy import Policy, Witness
from audit.steps import Findings, Outcome
from audit.trust import Trust
from engine.case_evidence import case_evidence
from engine.casework import UnknownCase
from engine.log_export import (
    Exported,
    NothingToExport,
    PlaceTaken,
    cases_of,
    export_cases,
    export_log,
)
from engine.people import register_person
from engine.sequencer import run_sequencer
from tests.conftest import NOON, ORIGIN, Street
from tests.engine.tampering import beneath
from tests.engine.test_sequencer import meanwhile
from tests.golden.evidence.make import stamp, tsa_certificate
from tests.witnessing import signer

KEY, WITNESS = signer(ORIGIN), signer("witness.nanyu.example", COSIGNATURE)
POLICY = Policy((KEY.key,), (Witness("nanyu", WITNESS.key),), quorum="nanyu")


def sign(street: Street) -> None:
    """Sign what is new; the witness cosigns."""
    run_sequencer(street.database, [KEY], at=street.at)
    with street.database.begin() as conn:
        last = sequence.latest(conn)
        assert last
        line = cosign(last.note, WITNESS, at=int(street.at.timestamp()))
        sequence.add_cosignatures(conn, last.checkpoint.size, [line])


def trust(street: Street) -> Trust:
    """What somebody outside has: the policy, and the last checkpoint."""
    with street.database.begin() as conn:
        last = sequence.latest(conn)
    assert last
    return Trust(POLICY, (last.note,))


def export(street: Street, folder: Path) -> Exported:
    with street.database.begin() as conn:
        return export_log(conn, folder, seen=lambda _: None)


def lived(street: Street) -> list[str]:
    """Two cases and three checkpoints."""
    sign(street)
    cases = [street.report()]
    sign(street)
    street.complete(cases[0], "prepare#1", "head", {"kind": "wood", "pieces": 3})
    cases.append(street.report("minimal", title="楼道堆物"))
    sign(street)
    return cases


def files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def ended(found: Findings, *outcomes: Outcome) -> set[str]:
    return {one.name for one in found.steps if one.outcome in outcomes}


# --- a whole log ----------------------------------------------------------------------------------


def test_an_exported_log_is_verified_from_its_files_alone(street: Street, tmp_path: Path) -> None:
    lived(street)
    told = export(street, tmp_path / "log")
    found = verify_export(tmp_path / "log", trust(street))
    assert found.exit_status == 0, found
    with street.database.begin() as conn:
        last = sequence.latest(conn)
    assert last
    assert told == Exported(2, last.checkpoint.size, last.checkpoint.size,
                            last.checkpoint.root.hex())  # fmt: skip
    assert (tmp_path / "log" / "checkpoint").read_bytes() == last.note.data
    street.check()


def test_what_is_not_under_a_checkpoint_yet_does_not_leave(street: Street, tmp_path: Path) -> None:
    lived(street)
    whole = trust(street)
    late = street.report(title="还没有签的一件")
    run_sequencer(street.database, [], at=street.at)
    told = export(street, tmp_path / "log")
    assert verify_export(tmp_path / "log", whole).ok
    assert told.cases == 2
    bodies = b"".join(p.read_bytes() for p in (tmp_path / "log/tile/entries").rglob("*.p/*"))
    assert late.encode() not in bodies


def test_a_log_of_many_tiles_leaves_whole_and_tells_how_far_it_is(
    sqlite_street: Street, tmp_path: Path
) -> None:
    street, seen = sqlite_street, list[int]()
    for n in range(60):
        street.report("minimal", title=f"第 {n} 件")
        if n % 20 == 0:
            sign(street)
    sign(street)
    with street.database.begin() as conn:
        told = export_log(conn, tmp_path / "log", seen=seen.append)
    assert sum(seen) == told.events > 256
    assert {"tile/0/000", "tile/1/000.p/1", "tile/entries/000"} <= files(tmp_path / "log")
    assert verify_export(tmp_path / "log", trust(street)).ok


def test_two_exports_of_one_state_are_the_same_bytes(street: Street, tmp_path: Path) -> None:
    lived(street)
    for name in ("one", "other"):
        export(street, tmp_path / name)
    names = files(tmp_path / "one")
    assert names == files(tmp_path / "other")
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


@pytest.mark.postgres
def test_a_sequencer_that_signs_meanwhile_does_not_tear_the_export(
    postgres_street: Street, tmp_path: Path
) -> None:
    street = postgres_street
    lived(street)
    for number in range(1, 60):
        with meanwhile(street.database, number, lambda: grow(street)) as done:
            export(street, tmp_path / f"{number}")
        found = verify_export(tmp_path / f"{number}", replace(trust(street), outside=()))
        assert not found.fails, found
        if not done[0]:
            break
    assert number > 8


def grow(street: Street) -> None:
    """Beside whatever is being done: somebody is registered, and the tree signed."""

    def live_on() -> None:
        street.do(register_person, "新人演示", by=None)
        sign(street)

    beside = Thread(target=live_on)
    beside.start()
    beside.join()


def test_stamps_and_cosignatures_leave_with_their_checkpoints(
    street: Street, tmp_path: Path
) -> None:
    lived(street)
    with street.database.begin() as conn:
        notes = {one.checkpoint.size: one.note for one in sequence.checkpoints(conn)}
        sizes = sorted(notes)
        token = stamp(notes[sizes[1]].text)
        for authority in ("b.example", "a.example"):
            sequence.add_timestamp(conn, sizes[1], authority, token, at=NOON)
    export(street, tmp_path / "log")
    assert {f"checkpoints/{size}" for size in sizes} <= files(tmp_path / "log")
    stamps = {f"timestamps/{sizes[1]}.{n}" for n in (1, 2)}
    assert {name for name in files(tmp_path / "log") if "stamp" in name} == stamps
    assert verify_export(tmp_path / "log", replace(trust(street), stampers=(tsa_certificate(),))).ok


def test_a_log_without_a_checkpoint_does_not_leave(street: Street, tmp_path: Path) -> None:
    with pytest.raises(NothingToExport):
        export(street, tmp_path / "log")
    assert list(tmp_path.glob("log*")) == []


def test_nothing_is_written_over_and_an_empty_folder_will_do(
    sqlite_street: Street, tmp_path: Path
) -> None:
    lived(sqlite_street)
    full, empty, file = tmp_path / "full", tmp_path / "empty", tmp_path / "file"
    for folder in (full, empty):
        folder.mkdir()
    (full / "x").write_text("x", encoding="utf-8")
    file.write_text("x", encoding="utf-8")
    for taken in (full, file):
        with pytest.raises(PlaceTaken):
            export(sqlite_street, taken)
    assert (full / "x").read_text(encoding="utf-8") == file.read_text(encoding="utf-8") == "x"
    export(sqlite_street, empty)
    assert verify_export(empty, trust(sqlite_street)).ok
    with pytest.raises(PlaceTaken):
        export(sqlite_street, empty)


def test_an_export_that_dies_leaves_nothing_under_its_name_and_the_next_one_is_whole(
    sqlite_street: Street, tmp_path: Path
) -> None:
    lived(sqlite_street)

    def die(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), sqlite_street.database.begin() as conn:
        export_log(conn, tmp_path / "log", seen=die)
    assert list(tmp_path.glob("log*")) == []
    # What a run leaves that was killed is thrown away.
    (tmp_path / "log.partial").mkdir()
    (tmp_path / "log.partial" / "half").write_text("x", encoding="utf-8")
    export(sqlite_street, tmp_path / "log")
    assert verify_export(tmp_path / "log", trust(sqlite_street)).ok
    assert not (tmp_path / "log.partial").exists()


SMALLEST = "(SELECT min(sha256) FROM definition_file)"
TAMPERED = {
    "a definition's file": f"UPDATE definition_file SET bytes = :x WHERE sha256 = {SMALLEST}",
    "a leaf": "UPDATE leaf SET hash = :zeros WHERE leaf_index = 5",
    "a tile": "UPDATE tile SET hashes = :zeros WHERE level = 0",
    "a body": "UPDATE event SET body = :x WHERE stream = '@units' AND seq = 2",
}


@pytest.mark.parametrize("what", TAMPERED)
def test_what_was_changed_in_the_database_shows_in_the_export(
    sqlite_street: Street, what: str, tmp_path: Path
) -> None:
    street = sqlite_street
    lived(street)
    outside = trust(street)
    values = {"zeros": bytes(32), "x": b"{}"}
    used = {name: value for name, value in values.items() if f":{name}" in TAMPERED[what]}
    beneath(street, TAMPERED[what], **used)
    export(street, tmp_path / "log")
    assert verify_export(tmp_path / "log", outside).exit_status == 1


# --- cases ----------------------------------------------------------------------------------------


def test_the_evidence_of_a_case_is_complete_and_verified_without_the_log(street: Street) -> None:
    for case in lived(street):
        with street.database.begin() as conn:
            told = case_evidence(conn, case, Policy((KEY.key, signer("other").key)))
        assert told.keys == (KEY.key,)
        data = write_evidence(told)
        assert read_evidence(data) == told
        found = verify_evidence(data, trust(street))
        assert found.exit_status == 0, found


def test_the_evidence_of_a_case_grows_with_it(street: Street) -> None:
    """Before the first checkpoint, under one, and with a last event that waits for the next."""

    def told(case: str) -> Findings:
        with street.database.begin() as conn:
            data = write_evidence(case_evidence(conn, case, POLICY))
        last = None
        with suppress(AssertionError):
            last = trust(street)
        return verify_evidence(data, last or Trust(POLICY))

    case = street.report()
    early = told(case)
    assert not early.fails
    assert {"tree", "signature"} <= ended(early, Outcome.UNCHECKED)
    sign(street)
    assert told(case).ok
    street.complete(case, "prepare#1", "head", {"kind": "wood", "pieces": 3})
    late = told(case)
    assert ended(late, Outcome.UNCHECKED) == {"tree"}
    assert not late.fails
    sign(street)
    assert told(case).ok


def test_a_checkpoint_with_its_witnesses_is_shown_rather_than_a_later_one_without(
    street: Street,
) -> None:
    case = street.report()
    sign(street)
    street.report()
    run_sequencer(street.database, [KEY], at=street.at)
    with street.database.begin() as conn:
        sizes = [one.checkpoint.size for one in sequence.checkpoints(conn)]
        told = case_evidence(conn, case, POLICY)
        assert told.note
        assert read_checkpoint(told.note).size == sizes[-2]
        # Nobody is wanted: then the last one it is. Nor is one shown that does not cover the case.
        alone = case_evidence(conn, case, replace(POLICY, quorum="none"))
        assert alone.note
        assert read_checkpoint(alone.note).size == sizes[-1]
    street.complete(case, "prepare#1", "head", {"kind": "wood", "pieces": 3})
    run_sequencer(street.database, [KEY], at=street.at)
    with street.database.begin() as conn:
        late = case_evidence(conn, case, POLICY)
    assert late.note
    assert read_checkpoint(late.note).size > sizes[-1]
    assert all(late.proofs)


def test_only_a_case_has_an_evidence_file(street: Street) -> None:
    for name in ("workshop-2026-00009", "@people", "@definitions", ""):
        with pytest.raises(UnknownCase), street.database.begin() as conn:
            case_evidence(conn, name)


def test_the_cases_of_a_unit_leave_and_are_verified(street: Street, tmp_path: Path) -> None:
    cases, seen = lived(street), list[int]()
    with street.database.begin() as conn:
        wanted = cases_of(conn, ["u-tingtao", "u-grid-1", "u-micro-1"], confidential=False)
        assert wanted == sorted(cases)
        assert cases_of(conn, ["u-other"], confidential=True) == []
        told = export_cases(conn, tmp_path / "cases", wanted, POLICY, seen=seen.append)
    assert told.cases == 2
    assert told.events == sum(seen)
    assert files(tmp_path / "cases") == {f"cases/{case}.json" for case in cases}
    assert verify_path(tmp_path / "cases", trust(street)).ok


def test_no_case_and_an_unknown_case_leave_nothing(street: Street, tmp_path: Path) -> None:
    lived(street)

    def exported(*cases: str) -> Callable[[Any], Exported]:
        return lambda conn: export_cases(
            conn, tmp_path / "cases", cases, POLICY, seen=lambda _: None
        )

    for refusal, work in (
        (NothingToExport, exported()),
        (UnknownCase, exported("workshop-2026-00001", "workshop-2026-00009")),
    ):
        with pytest.raises(refusal), street.database.begin() as conn:
            work(conn)
    assert list(tmp_path.glob("cases*")) == []
