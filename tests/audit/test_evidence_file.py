"""Evidence files: every golden one judged as it is named, and one form only for what they say."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.x509 import load_pem_x509_certificates

from audit.entries import leaf_hash
from audit.evidence_file import (
    EvidenceFile,
    NotEvidence,
    read_evidence,
    verify_evidence,
    write_evidence,
)
from audit.note import read_note
from audit.offline import Beside, verify_file
from audit.policy import Policy, read_policy
from audit.steps import Findings, Outcome
from audit.trust import Trust
from tests.golden.evidence import make

GOLDEN = Path(make.__file__).parent
POLICY = read_policy((GOLDEN / "policy.txt").read_text(encoding="utf-8"))
KEPT = read_note((GOLDEN / "kept.checkpoint").read_bytes())
STAMPERS = tuple(load_pem_x509_certificates((GOLDEN / "tsa.pem").read_bytes()))
TRUST = Trust(POLICY, (KEPT,), STAMPERS, receipts=POLICY.logs)
EARLY = (GOLDEN / "early.json").read_bytes()
EXPECTED: dict[str, dict[str, Any]] = json.loads((GOLDEN / "expected.json").read_text())


def ended(found: Findings, *outcomes: Outcome) -> set[str]:
    """The names of the steps that ended so."""
    return {one.name for one in found.steps if one.outcome in outcomes}


def read(name: str) -> bytes:
    return (GOLDEN / f"{name}.json").read_bytes()


# --- golden ---------------------------------------------------------------------------------------


def test_the_good_file_holds_and_says_what_only_the_whole_log_could_tell() -> None:
    whole = verify_evidence(EARLY, TRUST)
    assert whole.ok, whole
    assert ended(whole, Outcome.NOT_NEEDED) == {"replay"}
    later = verify_evidence(read("good"), TRUST)
    assert not later.fails
    # The checkpoint kept elsewhere is of a smaller tree: one case cannot be held against it.
    assert ended(later, Outcome.UNCHECKED) == {"outside"}


def test_every_file_of_the_folder_is_good_or_named_by_its_fault() -> None:
    there = {path.stem for path in GOLDEN.glob("*.json")}
    assert there == {"good", "early", "expected", *EXPECTED}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_bad_file_is_refused_by_the_step_it_is_named_for(name: str) -> None:
    receipt = (GOLDEN / "last.receipt").read_bytes()
    promised = verify_file(receipt, TRUST, Beside(evidence=read(name)))
    found = Findings((*verify_evidence(read(name), TRUST).steps, *promised.steps))
    wanted = EXPECTED[name]
    told = ended(found, Outcome(wanted["outcome"]))
    assert told & set(wanted["steps"]), found
    assert found.exit_status == (1 if wanted["outcome"] == "fails" else 3)


def test_the_promise_of_the_last_event_is_kept_in_the_good_file() -> None:
    receipt = (GOLDEN / "last.receipt").read_bytes()
    assert verify_file(receipt, TRUST, Beside(evidence=EARLY)).ok
    # Without the file it is a promise, and whether it was kept is not known.
    assert verify_file(receipt, TRUST, Beside()).exit_status == 3


# --- nothing is believed that is not known from outside -------------------------------------------


def test_a_file_is_not_believed_on_its_own_word() -> None:
    """It carries its keys; who knows nothing from outside is told that nothing was checked."""
    found = verify_evidence(EARLY, Trust())
    assert found.exit_status == 3
    assert ended(found, Outcome.UNCHECKED) == {"signature", "witnesses", "timestamp", "outside"}


def test_each_thing_that_is_not_brought_along_is_a_step_that_was_not_done() -> None:
    # Witnesses that are wanted would stand in for a checkpoint kept elsewhere.
    assert TRUST.policy
    nobody_wanted = replace(TRUST.policy, groups=None, quorum="none")
    for step, trust in {
        "outside": replace(TRUST, outside=(), policy=nobody_wanted),
        "timestamp": replace(TRUST, stampers=()),
    }.items():
        found = verify_evidence(EARLY, trust)
        assert ended(found, Outcome.UNCHECKED) == {step}
        assert found.without([step]).ok


def test_the_tree_of_another_log_proves_nothing_though_its_key_is_believed() -> None:
    """A district believes the keys of all its streets; none of them speaks for another."""
    told = read_evidence(EARLY)
    tree = make.leaves(list(told.bodies), make.EARLY_SIZE)[0]
    foreign = make.checkpoint(tree, signer=make.OTHER_LOG)
    places = [3 + 4 * n for n in range(len(told.bodies))]
    proofs = tuple(make.proofs(tree, places, foreign))
    bad = replace(told, note=foreign, proofs=proofs, keys=(), timestamps=())
    trust = Trust(Policy((make.LOG.key, make.OTHER_LOG.key)), (foreign,))
    found = verify_evidence(write_evidence(bad), trust)
    assert ended(found, Outcome.FAILS) == {"file"}


def test_a_second_definition_or_calendar_under_the_name_of_the_first_is_refused() -> None:
    """Whichever of two a reader is shown, the other one would have been checked."""
    told = read_evidence(EARLY)
    [real], [calendar] = told.definitions, told.calendars
    false = replace(real, files={**real.files, "workshop.bpmn": b"<another/>"})
    late = replace(calendar, content=calendar.content + b"\n")
    for bad in (
        replace(told, definitions=(false, real)),
        replace(told, definitions=(real, real)),
        replace(told, calendars=(late, calendar)),
        replace(told, calendars=(calendar, calendar)),
        replace(told, definitions=()),
        replace(told, calendars=()),
    ):
        assert ended(verify_evidence(write_evidence(bad), TRUST), Outcome.FAILS) == {"pinned"}


def test_keys_that_are_told_are_exactly_those_that_signed_or_none() -> None:
    told = read_evidence(EARLY)
    assert verify_evidence(write_evidence(replace(told, keys=())), TRUST).ok
    for keys in (
        (make.LOG.key, make.LOG.key),
        (make.LOG.key, make.STRANGER.key),
        (make.OTHER_LOG.key,),
        (make.DISTRICT.key,),
    ):
        found = verify_evidence(write_evidence(replace(told, keys=keys)), TRUST)
        assert ended(found, Outcome.FAILS) == {"signature"}


# --- one form -------------------------------------------------------------------------------------


def test_a_file_is_read_back_as_it_was_written() -> None:
    told = read_evidence(EARLY)
    assert write_evidence(told) == EARLY
    assert told.head == leaf_hash(told.bodies[-1]).hex()
    assert [proof.index for proof in told.proofs if proof] == [3 + 4 * n for n in range(9)]


def test_a_file_before_the_first_checkpoint_is_whole_and_proves_nothing_yet() -> None:
    told = read_evidence(EARLY)
    none = (None,) * len(told.bodies)
    early = EvidenceFile(told.log, told.case, told.bodies, none, definitions=told.definitions,
                         calendars=told.calendars)  # fmt: skip
    found = verify_evidence(write_evidence(early), TRUST)
    assert found.exit_status == 3
    unchecked = {"tree", "signature", "witnesses", "timestamp", "outside"}
    assert ended(found, Outcome.UNCHECKED) == unchecked
    # A key or a stamp would be of no checkpoint.
    keyed = verify_evidence(write_evidence(replace(early, keys=told.keys)), TRUST)
    assert not keyed.ok


OTHER_FORMS: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda data: b"",
    "null": lambda data: b"null",
    "a list": lambda data: b"[]",
    "a number": lambda data: b"2",
    "no JSON": lambda data: data[:-3],
    "something behind": lambda data: data + b"\n",
    "something before": lambda data: b" " + data,
    "a byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "no indentation": lambda data: orjson.dumps(orjson.loads(data)),
    "carriage returns": lambda data: data.replace(b"\n", b"\r\n"),
    "escapes for letters": lambda data: json.dumps(json.loads(data), indent=2).encode() + b"\n",
    "keys sorted": lambda data: orjson.dumps(
        orjson.loads(data),
        option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE,
    ),
    "a member twice": lambda data: data.replace(b'"log"', b'"count": 9,\n  "log"', 1),
    "hex in capitals": lambda data: data.replace(b'"head": "', b'"head": "A', 1),
    "deeply nested": lambda data: b'{"events":' * 5000,
    "not UTF-8": lambda data: data.replace("听".encode(), b"\xff\xff\xff"),
}  # fmt: skip


@pytest.mark.parametrize("what", OTHER_FORMS)
def test_the_same_in_another_form_is_refused(what: str) -> None:
    bad = OTHER_FORMS[what](EARLY)
    assert bad != EARLY
    with pytest.raises(NotEvidence):
        read_evidence(bad)
    assert ended(verify_evidence(bad, TRUST), Outcome.FAILS) == {"file"}


def told_otherwise(path: tuple[Any, ...], value: Any) -> bytes:
    told = orjson.loads(EARLY)
    place = told
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    1.0,
    2**63,
    "",
    "x",
    "１",
    [],
    [None],
    {},
    {"x": 1},
)


def paths(told: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    inside = (
        told.items()
        if isinstance(told, dict)
        else enumerate(told)
        if isinstance(told, list)
        else ()
    )
    return [*([above] if above else []), *(p for k, v in inside for p in paths(v, (*above, k)))]


def test_no_member_can_be_of_another_kind_or_value() -> None:
    """Whatever JSON can hold is put in every place of the file, and none of it passes."""
    told, tried = orjson.loads(EARLY), 0
    for path in paths(told):
        if path[0] == "events" and len(path) > 1 and path[1] not in (0, 8):
            continue  # the first and the last stand for the others
        for value in VALUES:
            bad = told_otherwise(path, value)
            if bad == EARLY:
                continue
            if path == ("keys",) and value == []:
                continue  # an empty list of keys says nothing, and may
            if path == ("timestamps",) and value == []:
                continue  # no stamp at all: the next test
            assert not verify_evidence(bad, TRUST).ok, (path, value)
            tried += 1
    assert tried > 500


def test_a_stamp_that_was_taken_out_is_told_not_to_be_there() -> None:
    """Nothing that is signed says that there ever was one: that is all a verifier can say."""
    found = verify_evidence(told_otherwise(("timestamps",), []), TRUST)
    [step] = [one for one in found.steps if one.name == "timestamp"]
    assert step.outcome is Outcome.NOT_NEEDED
    assert "bears no time stamp" in step.english


def test_a_file_without_events_is_none() -> None:
    told = orjson.loads(EARLY)
    told |= {"events": [], "count": 0, "head": "", "definitions": [], "calendars": []}
    data = orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    assert ended(verify_evidence(data, TRUST), Outcome.FAILS) == {"file"}
