"""What a verification of the running log has found, as the numbered steps of audit.steps.

The problems that engine.verification names, sorted into their steps, and the steps about the tree
and what left the house: leaves, tiles, checkpoints, signatures, witnesses, time stamps, checkpoints
kept elsewhere, receipts, and what waits for the tree.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from audit import log, sequence
from audit.chain import Problem
from audit.checkpoint import Checkpoint, read_checkpoint
from audit.encoding import instant
from audit.entries import Entry
from audit.evidence_file import verify_evidence, write_evidence
from audit.exported import shorter, trust_rotations
from audit.note import NotANote, Note
from audit.promised import There, check_promise
from audit.receipt import read_receipt
from audit.steps import Findings, Outcome, Step, failed, findings, held, not_needed, unchecked
from audit.trust import Trust, check_checkpoints, forked, known_outside, nothing_outside, worst
from engine.case_evidence import NOBODY, case_evidence

# How long an event may wait for the tree before a sequencer that stands still counts as a fault.
PATIENCE: Final = timedelta(hours=1)
_FROM_PROBLEMS: Final = ("bytes", "chain", "words", "tree", "consistency", "pinned", "replay")


def log_findings(
    conn: Connection,
    problems: Sequence[Problem],
    trust: Trust,
    *,
    receipts: Sequence[bytes] = (),
    files: bool,
    at: datetime,
    patience: timedelta = PATIENCE,
) -> Findings:
    """The steps of a verification of the whole log.

    problems: what engine.verification and audit.sequence.check have found. receipts: files that
    people hold. files: whether the evidence files were looked at.
    """
    steps = [_step(name, problems) for name in (*_FROM_PROBLEMS, *(["files"] if files else []))]
    if not files:
        steps.append(_files_not_looked_at())
    notes = list(_notes(conn))
    trust = trust_rotations(trust, _own(conn), notes)
    tokens = {size: tuple(sequence.timestamps(conn, size).values()) for size in _sizes(notes)}
    steps += check_checkpoints(notes, tokens, trust)
    steps.append(check_outside(conn, trust))
    steps.append(check_waiting(conn, at=at, patience=patience))
    if receipts:
        kept = [_promise(conn, data, trust, at, patience) for data in receipts]
        steps.append(worst("promises", kept))
    return findings(steps)


def case_findings(
    conn: Connection,
    case: str,
    problems: Sequence[Problem],
    trust: Trust,
    *,
    files: bool,
    at: datetime,
    patience: timedelta = PATIENCE,
) -> Findings:
    """The steps of a verification of one case: its evidence file, and what only the log shows.

    Raises UnknownCase.
    """
    evidence = case_evidence(conn, case, trust.policy or NOBODY)
    notes = list(_notes(conn))
    found = verify_evidence(write_evidence(evidence), trust_rotations(trust, _own(conn), notes))
    steps = {step.name: step for step in found.steps} | {"outside": check_outside(conn, trust)}
    named = {one.step for one in problems}
    steps |= {name: _step(name, problems) for name in (*named, "replay")}
    steps["files"] = _step("files", problems) if files else _files_not_looked_at()
    steps["waiting"] = check_waiting(conn, at=at, patience=patience)
    if steps["tree"].outcome is Outcome.UNCHECKED and steps["waiting"].outcome is Outcome.HOLDS:
        # What was recorded a moment ago waits for its leaf, as it should.
        steps["tree"] = held("tree", steps["tree"].chinese, steps["tree"].english)
    return findings(steps.values())


def check_outside(conn: Connection, trust: Trust) -> Step:
    """Whether the tree begins with every checkpoint that was kept elsewhere."""
    if not trust.outside:
        return nothing_outside()
    size = sequence.tree_size(conn)

    def compare(kept: Checkpoint) -> Step:
        if kept.size > size:
            return shorter(kept.size, size)
        told = sequence.root_of(conn, kept.size)
        if told is None:
            return unchecked("outside", "树已损坏，比不了", "the tree is damaged: no comparing")
        if told != kept.root:
            return forked(kept.size)
        return held("outside", f"检查点 {kept.size}", f"checkpoint {kept.size}")

    known = known_outside(trust, log.origin(conn))
    return worst("outside", [one if isinstance(one, Step) else compare(one) for one in known])


def check_waiting(conn: Connection, *, at: datetime, patience: timedelta) -> Step:
    """Whether the sequencer keeps up: nothing waits longer than it may."""
    count, oldest = sequence.waiting_since(conn)
    if oldest is None:
        return held("waiting")
    minutes = int((at - instant(oldest)).total_seconds() // 60)
    if at - instant(oldest) > patience:
        return failed(
            "waiting",
            f"{count} 条记录在等，最早的等了 {minutes} 分钟：排序进程没有在跑（shaoji worker）",
            f"{count} events wait, the oldest for {minutes} minutes: no sequencer runs "
            "(shaoji worker)",
        )
    return held("waiting", f"{count} 条在等", f"{count} wait")


def _files_not_looked_at() -> Step:
    return not_needed(
        "files",
        "没有要求核对证据文件（--no-evidence）",
        "evidence files not asked for (--no-evidence)",
    )


def _step(name: str, problems: Iterable[Problem]) -> Step:
    found = [one for one in problems if one.step == name]
    if not found:
        return held(name)
    first = f"{found[0].case} #{found[0].seq}: {found[0].what}"
    more = f"（共 {len(found)} 处）" if len(found) > 1 else ""
    return failed(name, f"{first}{more}", first)


def _notes(conn: Connection) -> Iterator[Note]:
    """The stored checkpoints that can be read; of the others audit.sequence.check has told."""
    try:
        for one in sequence.checkpoints(conn):
            yield one.note
    except NotANote:
        return


def _sizes(notes: Iterable[Note]) -> list[int]:
    return [read_checkpoint(note).size for note in notes]


def _own(conn: Connection) -> list[tuple[Entry, int]]:
    entries = log.read(conn, "@log")
    indexes = sequence.leaf_indexes(conn, [entry.hash for entry in entries])
    return [(entry, indexes[entry.hash]) for entry in entries if entry.hash in indexes]


def _promise(
    conn: Connection, data: bytes, trust: Trust, at: datetime, patience: timedelta
) -> Step:
    try:
        note, receipt = read_receipt(data)
    except NotANote as error:
        return failed("promises", f"不是完好的回执：{error}", f"not a receipt: {error}")
    if receipt.origin != log.origin(conn):
        told = f"{receipt.origin} 的回执，不是本日志的", f"a receipt of {receipt.origin}"
        return unchecked("promises", *told)
    entry = next(iter(log.read(conn, receipt.stream, after=receipt.seq - 1)), None)
    if entry is None or entry.seq != receipt.seq:
        there = There(None)
    else:
        index = sequence.leaf_index(conn, entry.hash)
        waiting = None if index is not None else max(at - entry.at, timedelta())
        there = There(entry.body, in_tree=index is not None, waiting=waiting)
    return check_promise(note, receipt, trust.receipts, there, limit=patience)
