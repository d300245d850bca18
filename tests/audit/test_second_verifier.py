"""Two verifiers, written apart from each other, find the same.

tests/second_verifier.py was written from docs/audit-format.md alone. Here both get every golden
file, good and bad, and a few hundred random changes of good ones.
"""

import ast
import base64
import contextlib
import hashlib
import io
import json
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import __main__ as first
from tests import second_verifier as second

GOLDEN = Path(__file__).parents[1] / "golden"
EVIDENCE, EXPORTS, PDFS = GOLDEN / "evidence", GOLDEN / "exports", GOLDEN / "pdfs"
PROOFS = GOLDEN / "proofs"
SEED = 20260302
Told = dict[str, Any]


@dataclass
class Verdict:
    """What a verifier says: its exit status, and the steps that do not hold."""

    status: int
    failing: set[str]
    steps: dict[str, str]


@dataclass
class Given:
    """What is known from elsewhere, for both."""

    options: list[str] = field(default_factory=list)
    trust: second.Trust = field(default_factory=second.Trust)


def ask_first(path: Path, options: list[str]) -> Verdict:
    """Run what `python -m audit` runs, within this process."""
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="utf-8")
    with contextlib.redirect_stdout(out):
        status = first.main([str(path), *options, "--json"])
        out.flush()
    steps = {step["name"]: step["outcome"] for step in json.loads(raw.getvalue())["steps"]}
    failing = {name for name, outcome in steps.items() if outcome == "fails"}
    return Verdict(status, failing, steps)


def ask_second(path: Path, trust: second.Trust, **beside: bytes) -> Verdict:
    """Run the second verifier."""
    found = second.verify(path, trust, **beside)
    steps = {step: outcome for step, (outcome, _) in found.steps.items()}
    return Verdict(found.status, found.failing(), steps)


def both(path: Path, given: Given, **beside: Path) -> tuple[Verdict, Verdict]:
    """Ask both; the keywords are --event and --evidence."""
    options = [word for name, file in beside.items() for word in (f"--{name}", str(file))]
    contents = {name: file.read_bytes() for name, file in beside.items()}
    first = ask_first(path, [*given.options, *options])
    return first, ask_second(path, given.trust, **contents)


def given_in(folder: Path, roots: Path | None = None, certificate: Path | None = None) -> Given:
    """What a folder of golden files has from elsewhere."""
    policy, kept = folder / "policy.txt", folder / "kept.checkpoint"
    roots = roots or folder / "tsa.pem"
    options = ["--policy", policy, "--checkpoint", kept, "--tsa-roots", roots]
    options += ["--certificate", certificate] if certificate else []
    receipts = [word for word in policy.read_text().split() if "/receipt+" in word]
    options += [word for vkey in receipts for word in ("--receipt-key", vkey)]
    certificates = [certificate] if certificate else []
    trust = second.read_trust(policy, [kept], [roots], certificates, receipts)
    return Given([str(option) for option in options], trust)


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Given:
    """For PDFs: keys and authorities of the evidence in them, and of the seal."""
    roots = tmp_path_factory.mktemp("roots") / "roots.pem"
    roots.write_bytes((PDFS / "tsa.pem").read_bytes() + (EVIDENCE / "tsa.pem").read_bytes())
    return given_in(EVIDENCE, roots, PDFS / "seal.pem")


# A step for which nothing was given is not done; one who sees already that it fails may say so.
REFUSED_OR_NOT_DONE = (1, 3)


def agree(path: Path, first: Verdict, other: Verdict, also: tuple[int, ...] = ()) -> None:
    """The same exit status, and a step in common where it does not hold."""
    same = first.status == other.status or {first.status, other.status} == set(also)
    assert same, (path.name, first, other)
    if also and first.status != other.status:
        return
    if first.status == other.status == 1:
        assert first.failing & other.failing, (path.name, first, other)


EVIDENCE_FILES = sorted(p for p in EVIDENCE.glob("*.json") if p.name != "expected.json")
FOLDERS = sorted(path for path in EXPORTS.glob("*") if path.is_dir())
REPORTS = sorted(PDFS.glob("*.pdf"))


@pytest.mark.parametrize("path", EVIDENCE_FILES, ids=lambda path: path.stem)
def test_both_judge_a_golden_evidence_file_alike(path: Path) -> None:
    agree(path, *both(path, given_in(EVIDENCE)))
    agree(path, *both(path, Given()), also=REFUSED_OR_NOT_DONE)


@pytest.mark.parametrize("path", FOLDERS, ids=lambda path: path.name)
def test_both_judge_a_golden_export_alike(path: Path) -> None:
    agree(path, *both(path, given_in(EXPORTS)))
    agree(path, *both(path, Given()), also=REFUSED_OR_NOT_DONE)


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_both_judge_a_golden_report_alike(path: Path, sealed: Given) -> None:
    agree(path, *both(path, sealed))
    agree(path, *both(path, Given()), also=REFUSED_OR_NOT_DONE)


def test_good_files_hold_and_bad_ones_do_not(sealed: Given) -> None:
    assert ask_second(EVIDENCE / "early.json", given_in(EVIDENCE).trust).status == 0
    assert ask_second(EXPORTS / "good", given_in(EXPORTS).trust).status == 0
    assert ask_second(PDFS / "good.pdf", sealed.trust).status == 0
    assert ask_second(PDFS / "good_stamped.pdf", sealed.trust).status == 0
    assert EVIDENCE_FILES
    assert FOLDERS
    assert REPORTS


@pytest.mark.parametrize("path", sorted(GOLDEN.rglob("*.checkpoint")), ids=str)
def test_both_judge_a_checkpoint_alike(path: Path) -> None:
    agree(path, *both(path, given_in(path.parent)))


@pytest.mark.parametrize("path", EVIDENCE_FILES, ids=lambda path: path.stem)
def test_both_look_up_a_receipt_alike(path: Path) -> None:
    given = given_in(EVIDENCE)
    if ask_second(path, given.trust).status != 1:  # a file that does not hold shows nothing
        first, other = both(EVIDENCE / "last.receipt", given, evidence=path)
        assert first.steps["promises"] == other.steps["promises"], (path, first, other)


@pytest.mark.parametrize("path", sorted(PROOFS.glob("*.tlog-proof")), ids=lambda path: path.stem)
def test_both_judge_a_golden_proof_alike(path: Path) -> None:
    # What a receipt promises is looked for where there is no event beside it.
    beside = {} if "receipt" in path.name else {"event": PROOFS / "event.json"}
    agree(path, *both(path, given_in(PROOFS), **beside))


def test_both_judge_proofs_alike(tmp_path: Path) -> None:
    events = json.loads((EVIDENCE / "early.json").read_bytes())["events"]
    path, event = tmp_path / "one.tlog-proof", tmp_path / "event.json"
    for number, told in enumerate(events):
        path.write_text(told["proof"], encoding="utf-8")
        agree(path, *both(path, given_in(EVIDENCE)))
        for body in (told["body"], events[number - 1]["body"]):
            event.write_text(body, encoding="utf-8")
            agree(path, *both(path, given_in(EVIDENCE), event=event))


# --- Logs of the golden cases, as evidence files without a checkpoint -----------------------------


def unanchored(template: Told, events: list[Told]) -> Told:
    """An evidence file of these events, before the first checkpoint."""
    bare = [{"seq": e["seq"], "hash": e["hash"], "body": e["body"], "proof": None} for e in events]
    return {
        **template,
        "count": len(bare),
        "head": bare[-1]["hash"],
        "events": bare,
        "checkpoint": None,
        "timestamps": [],
        "keys": [],
    }


def written(told: Told) -> bytes:
    """The form of section 12."""
    return (json.dumps(told, indent=2, ensure_ascii=False) + "\n").encode()


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("logs/*.jsonl")), ids=lambda path: path.stem)
def test_both_judge_a_golden_log_alike(path: Path, tmp_path: Path) -> None:
    events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    template = json.loads((EVIDENCE / "good.json").read_bytes())
    file = tmp_path / f"{path.stem}.json"
    file.write_bytes(written(unanchored(template, events)))
    agree(file, *both(file, Given()))


# --- Random changes -------------------------------------------------------------------------------


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths to everything within a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in inner:
        yield (*path, key)
        if isinstance(one, dict | list):
            yield from places(one, (*path, key))


OTHER_VALUES = (None, True, 0, 1, -1, 7, "", " ", "x", "2026-03-02T01:00:00.000Z", [], {}, "0" * 64)


def changed_text(chance: random.Random, text: str) -> str:
    """A string with a character taken out, put in or exchanged."""
    at = chance.randrange(len(text) + 1)
    put = chance.choice(["", "a", "0", "9", "é", "e\u0301", "\n", " ", "="])
    return text[:at] + put + text[at + chance.randrange(2) :]


def change_value(chance: random.Random, told: Any) -> None:
    """Change something somewhere in a JSON value."""
    *way, key = chance.choice(list(places(told)))
    holder = told
    for one in way:
        holder = holder[one]
    before = holder[key]
    kind = chance.randrange(6)
    if kind == 0:
        del holder[key]
    elif kind == 1:
        holder[key] = chance.choice(OTHER_VALUES)
    elif isinstance(before, str):
        holder[key] = changed_text(chance, before)
    elif isinstance(before, bool):
        holder[key] = not before
    elif isinstance(before, int):
        holder[key] = before + chance.choice([-1, 1, 10**6, 2**53])
    elif isinstance(before, list) and before:
        at = chance.randrange(len(before))
        before.insert(chance.randrange(len(before) + 1), before[at] if kind < 4 else before.pop(at))
    elif isinstance(before, dict):
        before[chance.choice(["zz", "calendar", "version"])] = chance.choice(OTHER_VALUES)


def flipped(chance: random.Random, raw: bytes) -> bytes:
    """One bit changed."""
    at = chance.randrange(len(raw))
    return raw[:at] + bytes([raw[at] ^ 1 << chance.randrange(8)]) + raw[at + 1 :]


def changed_member(chance: random.Random, raw: bytes) -> bytes:
    """Something changed in the file, written in its form again."""
    told = json.loads(raw)
    check = told["check"]  # a sentence for people; the first verifier wants its own words there
    if chance.randrange(3):
        change_value(chance, told)
        told = {name: check if name == "check" else value for name, value in told.items()}
    else:
        change_value(chance, told["events"][chance.randrange(len(told["events"]))])
    return written(told)


def changed_body(chance: random.Random, raw: bytes) -> bytes:
    """Something changed in an entry, and all hashes made to fit: only what it says is wrong."""
    told = json.loads(raw)
    bodies = [json.loads(event["body"]) for event in told["events"]]
    change_value(chance, bodies[chance.randrange(len(bodies))])
    prev, events = "", []
    for number, body in enumerate(bodies, 1):
        body["prev"] = prev
        text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        prev = second.leaf_hash(text.encode()).hex()
        events.append({"seq": number, "hash": prev, "body": text})
    return written(unanchored(told, events))


CHANGES: list[Callable[[random.Random, bytes], bytes]] = [flipped, changed_member, changed_body]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_neither_accepts_a_changed_file_that_the_other_refuses(
    change: Callable[[random.Random, bytes], bytes], tmp_path: Path
) -> None:
    chance, given = random.Random(SEED), given_in(EVIDENCE)
    file, good = tmp_path / "changed.json", (EVIDENCE / "early.json").read_bytes()
    refused = 0
    for number in range(150):
        file.write_bytes(change(chance, good))
        first, other = both(file, given)
        assert first.status == other.status, (number, first, other)
        refused += first.status == 1
    assert refused > 50


def test_neither_accepts_a_changed_export_that_the_other_refuses(tmp_path: Path) -> None:
    chance, given = random.Random(SEED), given_in(EXPORTS)
    files = sorted(path for path in (EXPORTS / "good").rglob("*") if path.is_file())
    for number in range(60):
        folder = tmp_path / str(number)
        shutil.copytree(EXPORTS / "good", folder)
        file = folder / chance.choice(files).relative_to(EXPORTS / "good")
        if number % 6 == 0:
            file.unlink()
        elif number % 6 == 1:
            file.rename(file.with_name(file.name + "0"))
        elif number % 6 == 2:
            shutil.copyfile(chance.choice(files), file)
        else:
            file.write_bytes(flipped(chance, file.read_bytes()))
        first, other = both(folder, given)
        assert first.status == other.status, (number, file, first, other)


def test_neither_accepts_a_changed_report(tmp_path: Path, sealed: Given) -> None:
    chance, file = random.Random(SEED), tmp_path / "changed.pdf"
    for name in ("good", "good_stamped"):
        good = (PDFS / f"{name}.pdf").read_bytes()
        for number in range(40):
            file.write_bytes(flipped(chance, good))
            first, other = both(file, sealed)
            assert (first.status, other.status) == (1, 1), (number, first, other)


# --- Replaced keys, for which there is no golden export -------------------------------------------

ORIGIN = "log.tinglan.example"


def made_key(seed: str) -> tuple[second.Key, Ed25519PrivateKey]:
    """A checkpoint key of the log, from a word."""
    private = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed.encode()).digest())
    return second.Key(ORIGIN, 1, private.public_key().public_bytes_raw()), private


def vkey(key: second.Key) -> str:
    """A key as a policy has it."""
    told = base64.b64encode(bytes([key.type]) + key.public).decode()
    return f"{key.name}+{key.id.hex()}+{told}"


OLD, NEW, NEWEST = made_key("old"), made_key("new"), made_key("newest")


def signed_note(leaves: list[bytes], signers: list[tuple[second.Key, Ed25519PrivateKey]]) -> str:
    """A checkpoint over leaves."""
    root = base64.b64encode(second.tree_root(leaves)).decode()
    text = f"{ORIGIN}\n{len(leaves)}\n{root}\n"
    lines = [
        f"\u2014 {key.name} {base64.b64encode(key.id + private.sign(text.encode())).decode()}\n"
        for key, private in signers
    ]
    return text + "\n" + "".join(lines)


def turned(old: second.Key, new: second.Key, before: list[bytes]) -> bytes:
    """The next entry of @log, which tells of another key."""
    entry = {
        "v": 1,
        "log": ORIGIN,
        "case": "@log",
        "seq": len(before) + 1,
        "prev": second.leaf_hash(before[-1]).hex() if before else "",
        "type": "log.key_rotated",
        "at": "2026-03-02T01:00:00.000Z",
        "actor": {"engine": "shaoji"},
        "data": {"old_vkey": vkey(old), "new_vkey": vkey(new), "reason": "once a year"},
    }
    return second.canonical_text(entry).encode()


def export_of(folder: Path, bodies: list[bytes], signers: dict[int, list[Any]]) -> Path:
    """An export with a checkpoint of each size, signed by these."""
    leaves = [second.leaf_hash(body) for body in bodies]
    (folder / "tile/0/000.p").mkdir(parents=True)
    (folder / "tile/entries/000.p").mkdir(parents=True)
    (folder / "checkpoints").mkdir()
    bundle = b"".join(len(body).to_bytes(2, "big") + body for body in bodies)
    (folder / f"tile/entries/000.p/{len(bodies)}").write_bytes(bundle)
    (folder / f"tile/0/000.p/{len(bodies)}").write_bytes(b"".join(leaves))
    for size, keys in signers.items():
        for path in (folder / f"checkpoints/{size}", folder / "checkpoint"):
            path.write_text(signed_note(leaves[:size], keys), encoding="utf-8")
    return folder


ROTATIONS = {
    # name: (keys in the policy, who signed the checkpoints of 1, 2 and 3 leaves, status)
    "as it is done": ([OLD], {1: [OLD, NEW], 2: [NEW]}, 3),
    "covered by the old key alone": ([OLD], {1: [OLD], 2: [NEW]}, 3),
    "covered by no believed key": ([OLD], {1: [NEW], 2: [NEW]}, 1),
    "twice": ([OLD], {1: [OLD, NEW], 2: [NEW, NEWEST], 3: [NEWEST]}, 3),
    "the last one by the first key": ([OLD], {1: [NEW], 2: [NEWEST], 3: [OLD]}, 3),
    "only the new one known": ([NEW], {1: [OLD, NEW], 2: [NEW]}, 3),
    "the new one does not vouch for the old one": ([NEW], {1: [OLD], 2: [NEW]}, 1),
    "a key nobody told of": ([OLD], {1: [OLD], 2: [made_key("stranger")]}, 1),
}


@pytest.mark.parametrize("name", ROTATIONS)
def test_both_believe_a_new_key_for_the_same_reasons(name: str, tmp_path: Path) -> None:
    known, signers, status = ROTATIONS[name]
    bodies: list[bytes] = []
    for old, new in ((OLD, NEW), (NEW, NEWEST), (NEWEST, OLD))[: max(signers)]:
        bodies.append(turned(old[0], new[0], bodies))
    folder = export_of(tmp_path / "export", bodies, signers)
    policy = tmp_path / "policy.txt"
    policy.write_text("".join(f"log {vkey(key)}\n" for key, _ in known) + "quorum none\n")
    first, other = both(folder, Given(["--policy", str(policy)], second.read_trust(policy)))
    assert (first.status, other.status) == (status, status), (first, other)
    agree(folder, first, other)


# --- The second verifier by itself ----------------------------------------------------------------


def test_the_tree_of_the_second_verifier_proves_what_it_is() -> None:
    leaves = [second.leaf_hash(bytes([n])) for n in range(20)]
    roots = [second.tree_root(leaves[:n]) for n in range(21)]
    for size in range(1, 21):
        for n in range(size):
            path = second.inclusion_path(n, leaves[:size])
            assert second.included(n, size, leaves[n], path, roots[size])
            assert not second.included(n, size, leaves[n - 1], path, roots[size]) or size == 1
            path = second.consistency_path(n, leaves[:size]) if n else []
            assert second.consistent(n, roots[n], size, roots[size], path)
            assert not second.consistent(n, roots[n], size, roots[size], [*path, roots[1]])


def test_the_second_verifier_takes_the_vocabulary_from_the_document(tmp_path: Path) -> None:
    words = second.read_vocabulary()
    assert len(words.kinds) > 60
    assert words.kinds["case.opened"].evidence
    assert words.members["cause"] == "facts only"
    text = second.DOCUMENT.read_text(encoding="utf-8").replace("`task.claimed`", "`task.grabbed`")
    other = tmp_path / "audit-format.md"
    other.write_text(text, encoding="utf-8")
    found = second.verify(
        EVIDENCE / "early.json", given_in(EVIDENCE).trust, second.read_vocabulary(other)
    )
    assert found.failing() == {"words"}


def test_the_second_verifier_imports_nothing_of_the_project() -> None:
    tree = ast.parse(Path(second.__file__).read_text(encoding="utf-8"))
    names = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= {*sys.stdlib_module_names, "cryptography"}


def test_the_second_verifier_runs_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    options = given_in(EVIDENCE).options
    assert second.main([str(EVIDENCE / "early.json"), *options]) == 0
    assert second.main([str(EVIDENCE / "good.json"), *options]) == 3
    assert second.main([str(EVIDENCE / "bad_rechained.json"), *options]) == 1
    assert " 5. fails      tree" in capsys.readouterr().out
