"""python -m audit: whatever is handed over, told apart by what is in it, by nothing but outside."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from audit.__main__ import SUMMARY, main
from audit.checkpoint import Checkpoint, sign_checkpoint
from audit.evidence_file import read_evidence, write_evidence
from audit.merkle import levels
from audit.note import read_note
from audit.offline import Beside, verify_file, verify_path
from audit.policy import Policy
from audit.receipt import Receipt, give_receipt
from audit.steps import STEPS, Findings, Outcome
from audit.tlog_proof import prove, read_proof
from audit.trust import Trust
from tests.audit.test_evidence_file import EARLY, GOLDEN, POLICY, TRUST
from tests.conftest import ROOT
from tests.golden.evidence import make

EXPORTS = ROOT / "tests/golden/exports"
TOLD = read_evidence(EARLY)
PROOF = TOLD.proofs[2]
EVENT = TOLD.bodies[2]
RECEIPT = (GOLDEN / "last.receipt").read_bytes()
assert PROOF


def ended(found: Findings, *outcomes: Outcome) -> set[str]:
    return {one.name for one in found.steps if one.outcome in outcomes}


def outside(folder: Path) -> list[str]:
    """The options that give what somebody outside has."""
    given = {"--policy": "policy.txt", "--checkpoint": "kept.checkpoint", "--tsa-roots": "tsa.pem"}
    return [word for option, name in given.items() for word in (option, str(folder / name))]


# --- proofs ---------------------------------------------------------------------------------------


def test_a_proof_holds_for_its_event_and_for_no_other() -> None:
    assert verify_file(PROOF.data, TRUST, Beside(event=EVENT)).ok
    other = verify_file(PROOF.data, TRUST, Beside(event=TOLD.bodies[3]))
    assert ended(other, Outcome.FAILS) == {"tree"}
    alone = verify_file(PROOF.data, TRUST, Beside())
    assert ended(alone, Outcome.UNCHECKED) == {"tree"}


def test_an_event_proven_in_the_tree_of_another_log_is_not_proven() -> None:
    leaves = make.leaves(list(TOLD.bodies), make.EARLY_SIZE)[0]
    note = make.checkpoint(leaves, signer=make.OTHER_LOG)
    [proof] = make.proofs(leaves, [11], note)
    trust = Trust(Policy((make.LOG.key, make.OTHER_LOG.key)), (note,))
    found = verify_file(proof.data, trust, Beside(event=EVENT))
    assert ended(found, Outcome.FAILS) == {"bytes"}
    nonsense = verify_file(PROOF.data, TRUST, Beside(event=b"nonsense"))
    assert ended(nonsense, Outcome.FAILS) == {"bytes", "tree"}


def test_a_receipt_carried_in_a_proof_is_kept_by_it() -> None:
    last = TOLD.proofs[-1]
    assert last
    carried = replace(last, extra=RECEIPT)
    assert verify_file(carried.data, TRUST, Beside()).ok
    unknown = verify_file(carried.data, replace(TRUST, receipts=()), Beside())
    assert ended(unknown, Outcome.UNCHECKED) == {"promises"}
    wrong = verify_file(replace(PROOF, extra=RECEIPT).data, TRUST, Beside())
    assert "promises" in ended(wrong, Outcome.FAILS)
    none = verify_file(replace(PROOF, extra=b"no receipt").data, TRUST, Beside())
    assert "promises" in ended(none, Outcome.FAILS)


def test_a_proof_that_is_none_is_said_in_words() -> None:
    found = verify_file(PROOF.data.replace(b"index 11", b"index"), TRUST, Beside())
    assert ended(found, Outcome.FAILS) == {"file"}
    assert len(found.steps) == 1


# --- receipts -------------------------------------------------------------------------------------


def test_a_promise_is_looked_up_in_the_file_of_its_case() -> None:
    assert verify_file(RECEIPT, TRUST, Beside(evidence=EARLY)).ok
    alone = verify_file(RECEIPT, TRUST, Beside())
    assert ended(alone, Outcome.UNCHECKED) == {"promises"}
    assert not alone.fails
    for evidence in (b"none", of_another_case()):
        found = verify_file(RECEIPT, TRUST, Beside(evidence=evidence))
        assert "promises" in ended(found, Outcome.UNCHECKED)


def test_a_promise_is_worth_what_the_file_is_in_which_it_is_looked_up() -> None:
    proofs = tuple(replace(one, path=one.path[:-1]) for one in TOLD.proofs if one)
    broken = write_evidence(replace(TOLD, proofs=proofs))
    found = verify_file(RECEIPT, TRUST, Beside(evidence=broken))
    assert "tree" in ended(found, Outcome.FAILS)
    assert found.exit_status == 1


def of_another_case() -> bytes:
    return write_evidence(replace(TOLD, case="workshop-2026-00002"))


def test_a_promise_is_kept_in_the_tree_only_under_a_checkpoint_that_is_believed() -> None:
    for trust in (
        Trust(receipts=POLICY.logs),
        Trust(Policy((make.STRANGER.key,)), receipts=POLICY.logs),
    ):
        found = verify_file(RECEIPT, trust, Beside(evidence=EARLY))
        assert "promises" in ended(found, Outcome.UNCHECKED)


def test_a_promise_is_not_kept_in_the_tree_of_another_log() -> None:
    leaves = make.leaves(list(TOLD.bodies), make.EARLY_SIZE)[0]
    note = make.checkpoint(leaves, signer=make.OTHER_LOG)
    places = [3 + 4 * n for n in range(len(TOLD.bodies))]
    foreign = replace(
        TOLD, note=note, keys=(), timestamps=(), proofs=tuple(make.proofs(leaves, places, note))
    )
    trust = replace(TRUST, policy=Policy((make.LOG.key, make.OTHER_LOG.key)))
    found = verify_file(RECEIPT, trust, Beside(evidence=write_evidence(foreign)))
    assert "promises" in ended(found, Outcome.UNCHECKED)


def test_a_promise_of_another_record_is_broken_and_one_of_nobody_proves_nothing() -> None:
    entry = json.loads(TOLD.bodies[-1])
    false = Receipt(make.ORIGIN, make.CASE, 9, bytes(32), entry["at"])
    told = verify_file(give_receipt(false, make.RECEIPTS).data, TRUST, Beside(evidence=EARLY))
    assert ended(told, Outcome.FAILS) == {"promises"}
    impostor = make.KeyForTests(make.RECEIPTS.name, word="a key of somebody else")
    nobody = verify_file(give_receipt(false, impostor).data, TRUST, Beside(evidence=EARLY))
    assert ended(nobody, Outcome.FAILS) == {"promises"}
    unknown = verify_file(RECEIPT, replace(TRUST, receipts=()), Beside(evidence=EARLY))
    assert ended(unknown, Outcome.UNCHECKED) == {"promises"}


# --- checkpoints, and what is none of these -------------------------------------------------------


def test_a_checkpoint_by_itself_is_held_against_those_kept_elsewhere() -> None:
    kept = (GOLDEN / "kept.checkpoint").read_bytes()
    assert verify_file(kept, TRUST, Beside()).ok
    forked = sign_checkpoint(Checkpoint(make.ORIGIN, make.EARLY_SIZE, bytes(32)), make.LOG)
    assert "outside" in ended(verify_file(forked.data, TRUST, Beside()), Outcome.FAILS)
    longer = sign_checkpoint(Checkpoint(make.ORIGIN, 999, bytes(32)), make.LOG)
    assert "outside" in ended(verify_file(longer.data, TRUST, Beside()), Outcome.UNCHECKED)


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 100, b"hello", b"{}", b"[]", b"%PDF-1.7", b"shaoji-receipt/v1\n",
             b"c2sp.org/tlog-proof@v1\n\n", "摘\n5\n根\n\n— x AAAAAAAA\n".encode()],
)  # fmt: skip
def test_a_file_that_is_none_of_ours_is_said_in_words(data: bytes) -> None:
    found = verify_file(data, TRUST, Beside())
    assert "file" in ended(found, Outcome.FAILS)
    assert found.exit_status == 1


# --- a folder of cases ----------------------------------------------------------------------------


def cases(folder: Path, **files: bytes) -> Path:
    (folder / "cases").mkdir(parents=True)
    for name, data in files.items():
        (folder / "cases" / f"{name}.json").write_bytes(data)
    return folder


def test_a_folder_of_cases_holds_if_each_of_them_does(tmp_path: Path) -> None:
    good = cases(tmp_path / "good", **{make.CASE: EARLY})
    assert verify_path(good, TRUST).ok
    bad = (GOLDEN / "bad_rechained.json").read_bytes()
    (good / "cases" / "another.json").write_bytes(bad)
    found = verify_path(good, TRUST)
    assert "tree" in ended(found, Outcome.FAILS)
    assert "another" in str(found)


def test_a_case_under_the_name_of_another_is_refused(tmp_path: Path) -> None:
    swapped = cases(tmp_path / "swapped", **{"workshop-2026-00002": EARLY})
    assert ended(verify_path(swapped, TRUST), Outcome.FAILS) == {"file"}


def test_nothing_else_is_in_a_folder_of_cases(tmp_path: Path) -> None:
    for n, odd in enumerate(["README", "cases/folder/x", "cases/x.txt"]):
        place = cases(tmp_path / f"{n}", **{make.CASE: EARLY})
        (place / odd).parent.mkdir(parents=True, exist_ok=True)
        (place / odd).write_bytes(EARLY)
        assert "file" in ended(verify_path(place, TRUST), Outcome.FAILS), odd
    assert "file" in ended(verify_path(cases(tmp_path / "none"), TRUST), Outcome.FAILS)


# --- the command ----------------------------------------------------------------------------------


def run(*words: str | Path, isolated: str = "-m audit") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *isolated.split(), *map(str, words)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_exit_status_says_whether_it_holds_fails_or_could_not_be_checked() -> None:
    good, bad = EXPORTS / "good", EXPORTS / "bad_rechained"
    held = run(good, *outside(EXPORTS))
    assert (held.returncode, held.stderr) == (0, "")
    assert held.stdout.rstrip().endswith(SUMMARY[0])
    failed = run(bad, *outside(EXPORTS))
    assert failed.returncode == 1
    assert "[FAILS]" in failed.stdout
    unknown = run(good)
    assert unknown.returncode == 3
    assert "NOT CHECKED" in unknown.stdout
    assert unknown.stdout.rstrip().endswith(SUMMARY[3])


def test_every_kind_of_file_is_verified_by_the_command(tmp_path: Path) -> None:
    event = tmp_path / "event"
    event.write_bytes(EVENT)
    (tmp_path / "p").write_bytes(PROOF.data)
    given = outside(GOLDEN)
    receipts = ["--receipt-key", make.RECEIPTS.key.vkey]
    for words in (
        [GOLDEN / "early.json", *given],
        [tmp_path / "p", "--event", event, *given],
        [GOLDEN / "kept.checkpoint", *given],
        [GOLDEN / "last.receipt", *receipts, "--evidence", GOLDEN / "early.json", *given],
    ):
        assert main([str(word) for word in words]) == 0, words


def test_machines_read_json(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    status = main([str(EXPORTS / "good"), "--json", *outside(EXPORTS)])
    told = json.loads(capsysbinary.readouterr().out)
    assert (status, told["ok"], told["status"]) == (0, True, 0)
    assert [one["step"] for one in told["steps"]] == sorted(one["step"] for one in told["steps"])
    assert {one["name"] for one in told["steps"]} <= set(STEPS)
    assert main([str(EXPORTS / "good"), "--json"]) == 3
    assert json.loads(capsysbinary.readouterr().out)["ok"] is False


def test_what_need_not_be_checked_is_said_outright_and_what_fails_fails() -> None:
    good, bad = str(EXPORTS / "good"), str(EXPORTS / "bad_rechained")
    policy = ["--policy", str(EXPORTS / "policy.txt")]
    assert main([good, *policy]) == 3
    assert main([good, *policy, "--without", "outside"]) == 3
    assert main([good, *policy, "--without", "outside", "--without", "timestamp"]) == 0
    assert main([good, "--without", "all"]) == 0
    assert main([bad, "--without", "all"]) == 1


@pytest.mark.parametrize(
    "words",
    [
        ["nowhere"],
        ["{good}", "--policy", "nowhere"],
        ["{good}", "--checkpoint", "nowhere"],
        ["{good}", "--tsa-roots", "nowhere"],
        ["{good}", "--certificate", "nowhere"],
        ["{good}", "--event", "nowhere"],
        ["{good}", "--evidence", "nowhere"],
        ["{good}", "--event", "{folder}"],
        ["{good}", "--policy", "{good}"],
        ["{good}", "--checkpoint", "{good}"],
        ["{good}", "--checkpoint", "{receipt}"],
        ["{good}", "--tsa-roots", "{good}"],
        ["{good}", "--receipt-key", "no key"],
        ["{good}", "--without", "everything"],
        [],
    ],
)
def test_a_wrong_call_is_refused_in_words(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"good": GOLDEN / "early.json", "folder": GOLDEN, "receipt": GOLDEN / "last.receipt"}
    try:
        status = main([word.format(**places) for word in words])
    except SystemExit as ended_:
        status = int(str(ended_.code))
    told = capsys.readouterr()
    assert status == 2
    assert told.err
    assert "Traceback" not in told.err


FENCED = ("sqlalchemy", "flask", "SpiffWorkflow", "weasyprint", "alembic", "pyhanko", "engine",
          "web", "lxml", "jinja2")  # fmt: skip


def test_a_verifier_needs_no_database_engine_or_pages() -> None:
    """Everything but a PDF is verified with the standard library, orjson, cryptography and the
    reader of time stamps."""
    script = (
        "import sys\n"
        "sys.path.insert(0, '.')\n"
        "from audit.__main__ import main\n"
        "status = main(sys.argv[1:])\n"
        f"there = sorted(set({FENCED!r}) & {{name.split('.')[0] for name in sys.modules}})\n"
        "print(there, file=sys.stderr)\n"
        "sys.exit(status)\n"
    )
    for words in (
        [EXPORTS / "good", *outside(EXPORTS)],
        [GOLDEN / "early.json", *outside(GOLDEN)],
        [GOLDEN / "last.receipt", "--receipt-key", make.RECEIPTS.key.vkey,
         "--evidence", GOLDEN / "early.json", *outside(GOLDEN)],
    ):  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-I", "-c", script, *map(str, words)],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "[]\n")


def test_a_file_is_told_apart_by_what_is_in_it(tmp_path: Path) -> None:
    named = tmp_path / "photo.jpg"
    named.write_bytes(EARLY)
    assert verify_path(named, TRUST).ok


def test_proofs_made_of_small_trees_verify_by_themselves() -> None:
    """The first leaf of a log: a tree of one, whose path is empty."""
    leaf = levels([read_evidence(EARLY).bodies and make.leaf_hash(EVENT)])[0][0]
    note = make.cosigned(sign_checkpoint(Checkpoint(make.ORIGIN, 1, leaf), make.LOG))
    proof = prove(lambda level, index: leaf, 0, note)
    assert read_proof(proof.data).path == ()
    trust = replace(TRUST, outside=(read_note(note.data),))
    assert verify_file(proof.data, trust, Beside(event=EVENT)).ok


def test_wanted_witnesses_stand_in_for_a_checkpoint_kept_elsewhere() -> None:
    without = replace(TRUST, outside=())
    found = verify_file(EARLY, without, Beside())
    assert found.ok, found
    assert ended(found, Outcome.NOT_NEEDED) >= {"outside"}
    # Where none are wanted, or they have not cosigned, nobody has looked at that.
    alone = replace(without, policy=replace(POLICY, groups=None, quorum="none"))
    assert "outside" in ended(verify_file(EARLY, alone, Beside()), Outcome.UNCHECKED)
    missing = (GOLDEN / "bad_witness_missing.json").read_bytes()
    assert "outside" in ended(verify_file(missing, without, Beside()), Outcome.UNCHECKED)
