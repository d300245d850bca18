"""A promise is kept, not kept, or nobody's: judged from what stands at the place it names."""

import base64
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.checkpoint import Checkpoint, sign_checkpoint
from audit.entries import Draft, Entry, leaf_hash, seal
from audit.merkle import root
from audit.note import ED25519, Note, VerifierKey
from audit.promised import There, check_carried, check_promise
from audit.receipt import Receipt, give_receipt, read_receipt
from audit.steps import Outcome, Step
from audit.tiles import read_hashes
from audit.tlog_proof import Proof, prove, read_proof

LOG = "log.tinglan.example"
AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
LIMIT = timedelta(hours=1)


@dataclass(frozen=True)
class Pen:
    """A key in memory, under a name."""

    name: str
    secret: Ed25519PrivateKey

    @property
    def key(self) -> VerifierKey:
        return VerifierKey(self.name, ED25519, self.secret.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        return self.secret.sign(message)


def pen(name: str, seed: int) -> Pen:
    return Pen(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


OURS, LOGS, STRANGER = pen(f"{LOG}/receipt", 1), pen(LOG, 2), pen(f"{LOG}/receipt", 3)


def event(seq: int = 4, *, title: str = "车棚飞线充电", at: datetime = AT) -> Entry:
    draft = Draft("task.completed", {"title": title}, {"person": "p-1"}, at)
    return seal(draft, log=LOG, stream="hazard-2026-00007", seq=seq, prev="ab" * 32)


def promised(entry: Entry, at: str = "2026-03-02T01:00:00.000Z") -> Receipt:
    return Receipt(LOG, entry.stream, entry.seq, entry.hash, at)


def judged(
    there: There | None, receipt: Receipt | None = None, by: Pen = OURS, note: Note | None = None
) -> Step:
    receipt = receipt or promised(event())
    note = note or give_receipt(receipt, by)
    return check_promise(note, receipt, [OURS.key], there, limit=LIMIT)


def test_a_record_that_is_there_and_in_the_tree_keeps_the_promise() -> None:
    step = judged(There(event().body, in_tree=True))
    assert (step.name, step.outcome) == ("promises", Outcome.HOLDS)
    assert "hazard-2026-00007 #4" in step.chinese


def test_a_record_may_wait_for_the_tree_for_a_while() -> None:
    step = judged(There(event().body, in_tree=False, waiting=timedelta(minutes=12)))
    assert step.outcome is Outcome.HOLDS
    assert "12 分钟" in step.chinese
    late = judged(There(event().body, in_tree=False, waiting=LIMIT + timedelta(seconds=1)))
    assert late.outcome is Outcome.FAILS
    assert "迟迟没有编入" in late.chinese


@pytest.mark.parametrize(
    ("there", "told"),
    [
        (There(None), "不在了"),
        (There(None, in_tree=True), "不在了"),
        (There(event(title="别的").body, in_tree=True), "换了内容"),
        (There(event(seq=5).body, in_tree=True), "换了内容"),
        (There(b"", in_tree=True), "换了内容"),
        (There(event().body, in_tree=False), "也不在等"),
    ],
)
def test_a_missing_or_rewritten_record_is_proved_by_the_receipt(there: There, told: str) -> None:
    step = judged(there)
    assert step.outcome is Outcome.FAILS
    assert told in step.chinese
    assert "证据" in step.chinese
    assert "proves" in step.english


def test_what_cannot_be_looked_up_is_told_as_unchecked() -> None:
    assert judged(None).outcome is Outcome.UNCHECKED
    assert judged(There(event().body)).outcome is Outcome.UNCHECKED


def test_anybody_can_write_a_receipt_so_the_signature_comes_first() -> None:
    for note in (
        give_receipt(promised(event()), STRANGER),
        Note(promised(event()).text),
        # Our line under a text that was changed.
        Note(promised(event(seq=9)).text, give_receipt(promised(event()), OURS).signatures),
    ):
        step = judged(There(None), note=note)
        assert step.outcome is Outcome.FAILS
        assert "谁都可能写出" in step.chinese
        assert "证据" not in step.chinese


def test_no_byte_of_a_receipt_can_be_changed() -> None:
    data = give_receipt(promised(event()), OURS).data
    there = There(event().body, in_tree=True)
    for at in range(len(data)):
        for bit in (1, 32, 128):
            changed = data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]
            try:
                note, receipt = read_receipt(changed)
            except ValueError:
                continue
            step = check_promise(note, receipt, [OURS.key], there, limit=LIMIT)
            assert step.outcome is Outcome.FAILS, (at, bit)


def test_a_receipt_may_tell_the_date_alone_but_no_other_date() -> None:
    there = There(event().body, in_tree=True)
    assert judged(there, promised(event(), "2026-03-02")).outcome is Outcome.HOLDS
    for at in ("2026-03-03", "2026-03-02T01:00:00.001Z"):
        step = judged(there, promised(event(), at))
        assert step.outcome is Outcome.FAILS
        assert "时间" in step.chinese


def test_a_receipt_cannot_name_another_place_than_its_record() -> None:
    for other in (
        replace(promised(event()), seq=5),
        replace(promised(event()), stream="hazard-2026-00008"),
    ):
        assert judged(There(event().body, in_tree=True), other).outcome is Outcome.FAILS


# --- carried by a proof ---------------------------------------------------------------------------


def proof_of(entry: Entry, extra: bytes, signer: Pen = LOGS) -> Proof:
    leaves = [leaf_hash(bytes([n])) for n in range(3)] + [entry.hash]
    read = read_hashes(lambda level, number: b"".join(leaves) if level == number == 0 else b"")
    note = sign_checkpoint(Checkpoint(signer.name, 4, root(read, 4)), signer)
    return read_proof(prove(read, 3, note, extra=extra).data)


def test_a_proof_that_carries_a_receipt_shows_the_promise_kept() -> None:
    extra = give_receipt(promised(event()), OURS).data
    assert check_carried(proof_of(event(), extra), [OURS.key]).outcome is Outcome.HOLDS


@pytest.mark.parametrize(
    ("proof", "told"),
    [
        (proof_of(event(), b""), "不是回执"),
        (proof_of(event(), base64.b64encode(b"x")), "不是回执"),
        (proof_of(event(), give_receipt(promised(event()), STRANGER).data), "谁都可能写出"),
        (proof_of(event(5), give_receipt(promised(event()), OURS).data), "对不上"),
        (
            proof_of(event(), give_receipt(promised(event()), OURS).data, pen("other.example", 4)),
            "不是同一本日志",
        ),
    ],
)
def test_a_proof_with_the_wrong_receipt_is_refused(proof: Proof, told: str) -> None:
    step = check_carried(proof, [OURS.key])
    assert step.outcome is Outcome.FAILS
    assert told in step.chinese
