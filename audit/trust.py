"""What a verifier has from outside, and what follows from it about one checkpoint.

Everything believed comes from here and nothing from what is checked: keys, certificates, and
checkpoints that were kept elsewhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.x509 import Certificate

from audit.checkpoint import Checkpoint, read_checkpoint
from audit.note import BadSignature, Note, VerifierKey
from audit.policy import NONE, Policy, has_quorum, signers, witnessed
from audit.steps import Outcome, Step, failed, held, not_needed, unchecked
from audit.timestamp import NotStamped, check_imprint, check_stamp


@dataclass(frozen=True, slots=True)
class Trust:
    """What the verifier brings along.

    policy: whose keys to believe; None where nothing is known. outside: checkpoints kept elsewhere.
    stampers: roots of time-stamping authorities. sealers: certificates that may seal a PDF.
    receipts: keys that sign receipts.
    """

    policy: Policy | None = None
    outside: tuple[Note, ...] = ()
    stampers: tuple[Certificate, ...] = ()
    sealers: tuple[Certificate, ...] = ()
    receipts: tuple[VerifierKey, ...] = ()


def check_signature(note: Note, trust: Trust) -> Step:
    """Whether a key of the log that is known from outside has signed the checkpoint."""
    origin = note.text.split("\n", 1)[0]
    if trust.policy is None or not any(key.name == origin for key in trust.policy.logs):
        return unchecked(
            "signature",
            f"没有给出从外部得到的日志 {origin[:80]} 的公钥（--policy）",
            f"no key of the log {origin[:80]} was given from outside (--policy)",
        )
    try:
        found = signers(note, trust.policy)
    except BadSignature as error:
        return failed("signature", f"签名是伪造的：{error}", f"a signature is forged: {error}")
    if not found:
        return failed(
            "signature",
            "检查点没有外部已知的日志密钥的签名",
            "no key of the log that is known from outside has signed the checkpoint",
        )
    told = "、".join(key.id.hex() for key in found)
    return held("signature", f"密钥 {told}", f"key {told}")


def check_witnesses(note: Note, trust: Trust) -> Step:
    """Whether the quorum that the policy wants has cosigned the checkpoint."""
    step = check_cosigned(note, trust)
    if trust.policy is None or step.outcome is Outcome.FAILS:
        return step
    witnesses = witnessed(note, trust.policy)
    there = "、".join(f"{name}（{_told(at)}）" for name, at in witnesses.items())
    if not has_quorum(trust.policy, witnesses):
        return failed(
            "witnesses",
            f"见证不够，已有：{there or '无'}",
            f"the quorum is not met; there are: {there or 'none'}",
        )
    if step.outcome is Outcome.UNCHECKED:
        return step
    if trust.policy.quorum == NONE and not there:
        return not_needed(
            "witnesses", "策略没有要求见证（quorum none）", "the policy wants none (quorum none)"
        )
    return held("witnesses", there, there)


def check_cosigned(note: Note, trust: Trust) -> Step:
    """Whether every signature line that there is, is what it says; how many are wanted aside.

    A line of a key that the policy does not know proves nothing, and is told as not checked.
    """
    if trust.policy is None:
        return unchecked(
            "witnesses",
            "没有给出策略，不知道该有谁见证",
            "without a policy nobody knows who should",
        )
    try:
        witnessed(note, trust.policy)
    except BadSignature as error:
        return failed("witnesses", f"见证是伪造的：{error}", f"a cosignature is forged: {error}")
    if strangers := _strangers(note, trust.policy):
        return unchecked(
            "witnesses",
            f"有策略里不认识的签名：{strangers}",
            f"there are signatures of keys that the policy does not know: {strangers}",
        )
    return held("witnesses")


def _strangers(note: Note, policy: Policy) -> str:
    # The key of another log on this one's checkpoint is nobody's: `signers` does not look at it.
    origin = note.text.split("\n", 1)[0]
    known = {(key.name, key.id) for key in policy.logs if key.name == origin}
    known |= {(one.key.name, one.key.id) for one in policy.witnesses}
    return "、".join(
        f"{one.name} {one.id.hex()}" for one in note.signatures if (one.name, one.id) not in known
    )


def check_timestamps(note: Note, tokens: Sequence[bytes], trust: Trust) -> Step:
    """Whether every time stamp over the checkpoint is one, by an authority that is believed."""
    if not tokens:
        return not_needed("timestamp", "检查点没有时间戳", "the checkpoint bears no time stamp")
    text, told = note.text.encode(), []
    for token in tokens:
        try:
            # Without a root one can still see that it is a token, and over this text.
            stamp = (
                check_stamp(token, text, trust.stampers)
                if trust.stampers
                else check_imprint(token, text)
            )
        except NotStamped as error:
            return failed("timestamp", f"时间戳不成立：{error}", f"a time stamp fails: {error}")
        told.append(f"{_told(int(stamp.at.timestamp()))} {stamp.authority}")
    if not trust.stampers:
        return unchecked(
            "timestamp",
            f"没有给出时间戳机构的根证书（--tsa-roots）：{'；'.join(told)}",
            f"no root certificate of the authority was given (--tsa-roots): {'; '.join(told)}",
        )
    return held("timestamp", "；".join(told), "; ".join(told))


def check_checkpoints(
    notes: Sequence[Note], tokens: Mapping[int, Sequence[bytes]], trust: Trust
) -> Iterator[Step]:
    """Signatures of all checkpoints of a log, the last one's quorum, and all time stamps.

    notes: the smallest tree first. tokens: size of the tree -> tokens (DER). A forged cosignature
    counts wherever it stands; a quorum is wanted of the last checkpoint, which covers the others.
    """
    if not notes:
        yield from no_checkpoint()
        return
    yield worst("signature", [check_signature(note, trust) for note in notes])
    earlier = [check_cosigned(note, trust) for note in notes[:-1]]
    odd = [one for one in earlier if one.outcome is not Outcome.HOLDS]
    yield worst("witnesses", [check_witnesses(notes[-1], trust), *odd])
    yield worst("timestamp", [
        check_timestamps(note, tokens.get(read_checkpoint(note).size, ()), trust) for note in notes
    ])  # fmt: skip


def no_checkpoint() -> Iterator[Step]:
    """The steps about a checkpoint, where there is none."""
    for name in ("signature", "witnesses", "timestamp"):
        yield unchecked(name, "没有检查点", "there is no checkpoint")


def known_outside(trust: Trust, origin: str) -> Iterator[Checkpoint | Step]:
    """The checkpoints kept elsewhere that are this log's by its own signature; else what is wrong.

    A checkpoint that nobody believed has signed shows nothing: anybody can write one.
    """
    for note in trust.outside:
        signature = check_signature(note, trust)
        checkpoint = read_checkpoint(note)
        if checkpoint.origin != origin:
            yield unchecked(
                "outside",
                f"外部的检查点属于另一个日志 {checkpoint.origin}",
                f"the checkpoint kept elsewhere is of another log, {checkpoint.origin}",
            )
        elif signature.outcome is not Outcome.HOLDS:
            yield unchecked(
                "outside",
                f"外部的检查点 {checkpoint.size} 没有可信的签名，不能作数",
                f"checkpoint {checkpoint.size} kept elsewhere bears no signature that is believed",
            )
        else:
            yield checkpoint


def nothing_outside() -> Step:
    """That there is no checkpoint kept elsewhere to compare with."""
    return unchecked(
        "outside",
        "没有给出外部保存的检查点：整个日志被重写或恢复了旧备份，这里看不出来",
        "no checkpoint kept elsewhere was given: a rewritten log or a restored backup goes unseen",
    )


def forked(size: int) -> Step:
    """That the log has told two trees of one size: proof that history was rewritten."""
    return failed(
        "outside",
        f"{size} 片叶子时的树与外部保存的检查点不同：历史被改写过；签名都成立的话，"
        "两份检查点就是证据",
        f"the tree of {size} leaves is not that of the checkpoint kept elsewhere: history was "
        "rewritten, and if the signatures hold, the two checkpoints prove it",
    )


def _by_witnesses(note: Note, trust: Trust) -> Step | None:
    wanted = trust.policy is not None and trust.policy.quorum != NONE
    if not wanted or check_witnesses(note, trust).outcome is not Outcome.HOLDS:
        return None
    return not_needed(
        "outside",
        "没有给出外部保存的检查点；要求的见证已核对过前后一致",
        "no checkpoint kept elsewhere was given; the wanted witnesses have checked consistency",
    )


def compare_one(note: Note, trust: Trust) -> Step:
    """Whether a checkpoint and those kept elsewhere can be of one history, as far as that shows.

    Where none was kept and the wanted witnesses have cosigned, they have looked at that: no quorum
    cosigns a second history. (That a whole log was cut short they do not show: `compare_outside`.)
    """
    if not trust.outside:
        return _by_witnesses(note, trust) or nothing_outside()
    tree = read_checkpoint(note)
    return worst("outside", [
        one if isinstance(one, Step)
        else _other_size(tree.size, one.size) if one.size != tree.size
        else held("outside") if one.root == tree.root
        else forked(tree.size)
        for one in known_outside(trust, tree.origin)
    ])  # fmt: skip


def _other_size(here: int, kept: int) -> Step:
    return unchecked(
        "outside",
        f"外部的检查点是 {kept} 片叶子，文件里是 {here}，要用整个日志才能比",
        f"the checkpoint kept elsewhere has {kept} leaves, the file's {here}: "
        "comparing them takes the whole log",
    )


def worst(name: str, steps: Sequence[Step]) -> Step:
    """One step for several of its kind: the worst of them, and all of one mind if they hold."""
    order = ("fails", "unchecked", "holds", "not_needed")
    ranked = sorted(steps, key=lambda one: order.index(one.outcome.value))
    if not ranked:
        return held(name)
    same = [one for one in ranked if one.outcome is ranked[0].outcome and one.chinese]
    chinese = "；".join(dict.fromkeys(one.chinese for one in same))
    english = "; ".join(dict.fromkeys(one.english for one in same))
    return Step(name, ranked[0].outcome, chinese, english)


def _told(at: int) -> str:
    try:
        told = datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError):
        return f"{at} s"  # a witness may sign any number: no year of ours has it
    return told.isoformat(timespec="minutes").replace("+00:00", "Z")
