"""Proofs and checkpoints in files, each bad one named by its fault and rejected for that reason."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509 import load_pem_x509_certificates

from audit.note import read_note
from audit.offline import Beside, verify_file
from audit.policy import read_policy
from audit.steps import Findings
from audit.trust import Trust
from tests.golden.proofs import make

GOLDEN = Path(make.__file__).parent
EXPECTED: dict[str, dict[str, Any]] = json.loads((GOLDEN / "expected.json").read_bytes())
POLICY = read_policy((GOLDEN / "policy.txt").read_text(encoding="utf-8"))
TRUST = Trust(
    policy=POLICY,
    outside=(read_note((GOLDEN / "kept.checkpoint").read_bytes()),),
    stampers=tuple(load_pem_x509_certificates((GOLDEN / "tsa.pem").read_bytes())),
    receipts=tuple(key for key in POLICY.logs if key.name.endswith("/receipt")),
)


def verified(name: str) -> Findings:
    event = (GOLDEN / "event.json").read_bytes() if name.endswith(".tlog-proof") else None
    return verify_file((GOLDEN / name).read_bytes(), TRUST, Beside(event=event))


@pytest.mark.parametrize(
    "name", ["good.tlog-proof", "good_with_receipt.tlog-proof", "good.checkpoint"]
)
def test_a_good_one_holds(name: str) -> None:
    found = verified(name)
    assert found.ok, found


@pytest.mark.parametrize("name", EXPECTED)
def test_a_bad_one_is_rejected_for_its_reason(name: str) -> None:
    wanted = EXPECTED[name]
    steps = {step.name: step.outcome.value for step in verified(name).steps}
    assert steps[wanted["step"]] == wanted["outcome"], steps
    assert not verified(name).ok


def test_every_file_is_tried_and_is_what_its_maker_makes() -> None:
    there = {path.name: path.read_bytes() for path in GOLDEN.iterdir() if path.suffix != ".py"
             and path.is_file()}  # fmt: skip
    assert there == make.files()
    assert {name for name in there if name.startswith("bad_")} == set(EXPECTED)
