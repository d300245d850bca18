"""Whether a log has kept what a receipt promises: the event is there, unchanged, and in the tree.

Whoever looks an event up (in a database, an export, a file) says what stands at its place; the
judging is here. A receipt that its log has signed and not kept is proof against the log, whatever
else verifies; one that nobody known has signed proves nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from audit.encoding import NotCanonical, timestamp
from audit.entries import leaf_hash, unseal
from audit.merkle import ProofFailed
from audit.note import BadSignature, NotANote, Note, VerifierKey
from audit.receipt import NotSignedByLog, Receipt, check_receipt, read_receipt
from audit.steps import Step, failed, held, unchecked
from audit.tlog_proof import Proof, check

STEP: Final = "promises"


@dataclass(frozen=True, slots=True)
class There:
    """What a log has at the place that a receipt names.

    event: the stored bytes of that number of that stream, None if there are none. in_tree: whether
    their leaf is in the tree, None if what is looked at does not tell. waiting: how long they have
    waited for the tree, None if they do not wait.
    """

    event: bytes | None
    in_tree: bool | None = None
    waiting: timedelta | None = None


def check_promise(
    note: Note, receipt: Receipt, keys: Sequence[VerifierKey], there: There | None, *,
    limit: timedelta,
) -> Step:  # fmt: skip
    """Check one receipt against what is there.

    keys: the receipt keys that are believed, known from elsewhere than the receipt. there: None if
    what is looked at does not hold this stream, as a file of another case. limit: how long an event
    may wait for the tree.
    """
    return _not_ours(note, receipt, keys) or _kept(receipt, there, limit)


def check_carried(proof: Proof, keys: Sequence[VerifierKey]) -> Step:
    """Check the receipt that a proof carries in `extra`: what it promises is the leaf proven.

    Who has signed the proof's checkpoint is for audit.policy to say.
    """
    try:
        note, receipt = read_receipt(proof.extra)
    except NotANote as error:
        return failed(STEP, f"证明里带的不是回执（{error}）", f"no receipt is carried: {error}")
    wrong = _not_ours(note, receipt, keys)
    if wrong is not None:
        return wrong
    if receipt.origin != proof.checkpoint.origin:
        return failed(STEP, "回执和检查点不是同一本日志的", "receipt and checkpoint: two logs")
    try:
        check(proof, receipt.hash)
    except ProofFailed:
        return failed(
            STEP,
            f"{_place(receipt)} 不在证明所指的位置，证明和回执对不上",
            f"{_place(receipt)} is not the leaf that is proven: proof and receipt do not fit",
        )
    return _in_tree(receipt)


def _not_ours(note: Note, receipt: Receipt, keys: Sequence[VerifierKey]) -> Step | None:
    try:
        check_receipt(note, receipt, keys)
    except (NotSignedByLog, BadSignature):
        return failed(
            STEP,
            f"{_place(receipt)}：已知的回执密钥都没有签过它，谁都可能写出这张纸，什么也证明不了",
            f"{_place(receipt)}: signed by no receipt key that is known; anybody can have written "
            "it, and it proves nothing",
        )
    return None


def _kept(receipt: Receipt, there: There | None, limit: timedelta) -> Step:
    if there is None:
        return unchecked(
            STEP,
            f"这里没有 {receipt.stream} 这一案，查不了 {_place(receipt)}",
            f"there is no {receipt.stream} here to look {_place(receipt)} up in",
        )
    if there.event is None:
        return _broken(receipt, "许诺过的记录不在了", "what was promised is missing")
    if leaf_hash(there.event) != receipt.hash:
        return _broken(receipt, "那里的记录换了内容", "another record stands there")
    if not _fits(receipt, there.event):
        return _broken(
            receipt,
            "回执写的地方或时间和记录自己写的不同",
            "the receipt tells another place or time than the record itself",
        )
    return _placed(receipt, there, limit)


def _placed(receipt: Receipt, there: There, limit: timedelta) -> Step:
    """Where a record that is there stands with the tree."""
    place, waited = _place(receipt), there.waiting
    if there.in_tree:
        return _in_tree(receipt)
    if waited is not None and waited <= limit:
        minutes = int(waited.total_seconds() // 60)
        return held(
            STEP,
            f"{place} 在，已等编入 {minutes} 分钟，没有超过限度",
            f"{place} is there and has waited {minutes} minutes for the tree, not too long",
        )
    if waited is not None:
        return _broken(receipt, "记录在，却迟迟没有编入", "it has waited too long for the tree")
    if there.in_tree is None:
        return unchecked(
            STEP,
            f"{place} 在，内容没变；是否已编入，这里看不出",
            f"{place} is there, unchanged; whether it is in the tree cannot be seen here",
        )
    return _broken(
        receipt, "记录在，却没有编入，也不在等", "it is not in the tree, and does not wait for it"
    )


def _fits(receipt: Receipt, event: bytes) -> bool:
    """Whether the event says of itself what the receipt says of it; the time may be its date."""
    try:
        told = unseal(event)
    except NotCanonical:
        return False
    named = (told.log, told.stream, told.seq)
    same_place = named == (receipt.origin, receipt.stream, receipt.seq)
    return same_place and timestamp(told.at).startswith(receipt.at)


def _in_tree(receipt: Receipt) -> Step:
    place = _place(receipt)
    return held(STEP, f"{place} 在，已编入", f"{place} is there and in the tree")


def _broken(receipt: Receipt, chinese: str, english: str) -> Step:
    return failed(
        STEP,
        f"{_place(receipt)}：{chinese}。回执确由本日志签名，这就是记录被删改的证据",
        f"{_place(receipt)}: {english}. The log itself has signed the receipt: this proves that "
        "its record was removed or rewritten",
    )


def _place(receipt: Receipt) -> str:
    return f"{receipt.stream} #{receipt.seq}"
