"""Verifies whatever was handed over – an export, an evidence file, a proof, a receipt, a PDF.

Told apart by what is in it, never by its name. Needs no database, no engine and no network.
"""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

from audit import receipt, tlog_proof
from audit.checkpoint import open_checkpoint
from audit.encoding import NotCanonical
from audit.entries import leaf_hash, unseal
from audit.evidence_file import NotEvidence, read_evidence, verify_evidence
from audit.exported import verify_export
from audit.merkle import ProofFailed
from audit.note import NotANote, Note
from audit.promised import There, check_carried, check_promise
from audit.reports.conduct import ATTACHMENT as CONDUCT
from audit.steps import Findings, Outcome, Step, failed, findings, held, unchecked
from audit.tlog_proof import NotAProof, Proof, read_proof
from audit.trust import Trust, check_checkpoints, check_signature, compare_one, worst

EVIDENCE: Final = "evidence.json"
CASES: Final = "cases"
PATIENCE: Final = timedelta(days=1)
LARGEST_FILE: Final = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Beside:
    """What is brought along for one kind of file.

    event: the body of the event a proof is about. evidence: an evidence file in which a receipt's
    event is to be looked up.
    """

    event: bytes | None = None
    evidence: bytes | None = None


def verify_path(path: Path, trust: Trust, beside: Beside | None = None) -> Findings:
    """Verify a file or a folder; raises OSError if it cannot be read."""
    beside = beside or Beside()
    if path.is_dir():
        return verify_cases(path, trust) if (path / CASES).is_dir() else verify_export(path, trust)
    if path.stat().st_size > LARGEST_FILE:
        return Findings((failed("file", "文件太大", "the file is too large"),))
    return verify_file(path.read_bytes(), trust, beside)


def verify_file(data: bytes, trust: Trust, beside: Beside) -> Findings:
    """Verify the bytes of one file."""
    if data.startswith(b"%PDF-"):
        return verify_pdf(data, trust)
    if data.startswith(tlog_proof.FIRST_LINE.encode()):
        return verify_proof(data, trust, beside.event)
    if data.startswith(receipt.FIRST_LINE.encode()):
        return verify_receipt(data, trust, beside.evidence)
    if data.lstrip()[:1] == b"{":
        return verify_evidence(data, trust)
    return verify_checkpoint(data, trust)


def verify_pdf(data: bytes, trust: Trust) -> Findings:
    """The seal of a PDF, and the evidence file it carries."""
    # PDFs take pyHanko; every other file is verified without it.
    from audit.sealed_pdf import PdfRefused, check_seal, open_pdf

    try:
        attachments = open_pdf(data).attachments
    except PdfRefused as refused:
        return Findings((failed("file", refused.chinese, refused.english),))
    seal = check_seal(data, trusted=trust.sealers, authorities=trust.stampers)
    if EVIDENCE not in attachments and CONDUCT in attachments:
        return findings([*_conduct(attachments[CONDUCT]), *seal])
    if EVIDENCE not in attachments:
        missing = failed("file", f"PDF 里没有 {EVIDENCE}", f"the PDF carries no {EVIDENCE}")
        return findings([missing, *seal])
    return findings([*verify_evidence(attachments[EVIDENCE], trust).steps, *seal])


def _conduct(data: bytes) -> Iterator[Step]:
    """The data of a report on a person or a unit: it names its cases, and carries none of them."""
    digest = hashlib.sha256(data).hexdigest()
    yield held(
        "file", f"履责报告，内容摘要 {digest}", f"a record of duties, content digest {digest}"
    )
    yield unchecked(
        "bytes",
        "履责报告只列出各案的末条哈希，没有附记录；请逐案核对证据文件",
        "it names the last hash of each case and carries no entries; check their evidence files",
    )


def verify_proof(data: bytes, trust: Trust, event: bytes | None) -> Findings:
    """A proof by itself: of the event that is brought along, or of the receipt it carries."""
    try:
        proof = read_proof(data)
    except NotAProof as error:
        return Findings((failed("file", f"不是完好的证明：{error}", str(error)),))
    index, size = proof.index, proof.checkpoint.size
    whole = held("file", f"第 {index} 片叶子，共 {size}", f"leaf {index} of {size}")
    return findings([whole, *_place(proof, trust, event), *_checkpoint(proof.note, trust)])


def _place(proof: Proof, trust: Trust, event: bytes | None) -> Iterator[Step]:
    if proof.extra:
        carried = check_carried(proof, trust.receipts)
        if carried.outcome is Outcome.FAILS and not trust.receipts:
            carried = _no_receipt_key()
        yield carried
    if event is not None and (wrong := _of_other_log(event, proof)):
        yield failed("bytes", *wrong)
    leaf = leaf_hash(event) if event is not None else _promised(proof)
    if leaf is None:
        yield unchecked(
            "tree",
            "没有给出证明所指的记录（--event）",
            "the event it is about was not given (--event)",
        )
        return
    try:
        tlog_proof.check(proof, leaf)
        yield held("tree")
    except ProofFailed as error:
        yield failed("tree", f"证明不成立：{error}", f"the proof fails: {error}")


def _of_other_log(event: bytes, proof: Proof) -> tuple[str, str] | None:
    """Why the event is none of the log whose tree this is, in Chinese and English."""
    try:
        told = unseal(event).log
    except NotCanonical as error:
        return f"不是一条记录：{error}", f"not an event: {error}"
    if told != proof.checkpoint.origin:
        return "记录和检查点不是同一本日志的", "event and checkpoint are of two logs"
    return None


def _promised(proof: Proof) -> bytes | None:
    try:
        return receipt.read_receipt(proof.extra)[1].hash if proof.extra else None
    except NotANote:
        return None


def verify_receipt(data: bytes, trust: Trust, evidence: bytes | None) -> Findings:
    """A receipt by itself, or held against an evidence file that should have what it promises."""
    try:
        note, promised = receipt.read_receipt(data)
    except NotANote as error:
        return Findings((failed("file", f"不是完好的回执：{error}", str(error)),))
    whole = held("file", f"{promised.stream} #{promised.seq}", f"{promised.stream} #{promised.seq}")
    if not trust.receipts:
        return findings([whole, _no_receipt_key()])
    there = _looked_up(promised, evidence, trust)
    # What the evidence file shows is worth what the file itself is.
    beside = verify_evidence(evidence, trust).steps if evidence is not None else ()
    others = [step for step in beside if step.name != "file" or step.outcome is Outcome.FAILS]
    kept = check_promise(note, promised, trust.receipts, there, limit=PATIENCE)
    return findings([whole, kept, *others])


def _looked_up(promised: receipt.Receipt, evidence: bytes | None, trust: Trust) -> There | None:
    try:
        told = read_evidence(evidence) if evidence is not None else None
    except NotEvidence:
        told = None
    if told is None or (told.log, told.case) != (promised.origin, promised.stream):
        return None
    if promised.seq > len(told.bodies):
        return There(None)
    body, proof = told.bodies[promised.seq - 1], told.proofs[promised.seq - 1]
    proven = proof is not None and _is_in_tree(body, proof, promised.origin, trust)
    return There(body, in_tree=proven or None)


def _is_in_tree(body: bytes, proof: Proof, origin: str, trust: Trust) -> bool:
    try:
        tlog_proof.check(proof, leaf_hash(body))
    except ProofFailed:
        return False
    return (
        proof.checkpoint.origin == origin
        and check_signature(proof.note, trust).outcome is Outcome.HOLDS
    )


def _no_receipt_key() -> Step:
    return unchecked(
        "promises",
        "没有给出从外部得到的回执公钥（--receipt-key）",
        "no receipt key was given from outside (--receipt-key)",
    )


def verify_checkpoint(data: bytes, trust: Trust) -> Findings:
    """A checkpoint by itself: who has signed it, and whether it fits others kept elsewhere."""
    try:
        note, checkpoint = open_checkpoint(data)
    except NotANote as error:
        told = "不认识的文件：不是 PDF、证据文件、证明、回执或检查点"
        return Findings((failed("file", told, f"not a file known here: {error}"),))
    told = f"{checkpoint.origin}，{checkpoint.size} 片叶子"
    whole = held("file", told, f"{checkpoint.origin}, {checkpoint.size} leaves")
    return findings([whole, *_checkpoint(note, trust)])


def _checkpoint(note: Note, trust: Trust) -> Iterator[Step]:
    yield from check_checkpoints([note], {}, trust)
    yield compare_one(note, trust)


def verify_cases(folder: Path, trust: Trust) -> Findings:
    """A folder of evidence files; a step holds if it holds in every one of them."""
    files = sorted(path for path in (folder / CASES).iterdir() if path.is_file())
    odd = [path.name for path in (folder / CASES).iterdir() if not path.is_file()]
    found: dict[str, list[Step]] = {}
    odd += [path.name for path in folder.iterdir() if path.name != CASES]
    for path in files:
        for step in _verify_case(path, trust):
            bad = step.outcome in (Outcome.FAILS, Outcome.UNCHECKED)
            told = (f"{path.stem}：{step.chinese}", f"{path.stem}: {step.english}")
            one = replace(step, chinese=told[0], english=told[1]) if bad else step
            found.setdefault(step.name, []).append(one)
    if odd or not files:
        what = f"{odd[0]} does not belong here" if odd else "there is no case"
        found.setdefault("file", []).append(failed("file", f"导出不完整：{what}", what))
    return findings(worst(name, steps) for name, steps in found.items())


def _verify_case(path: Path, trust: Trust) -> Iterator[Step]:
    data = path.read_bytes()
    yield from verify_evidence(data, trust).steps
    with suppress(NotEvidence):
        if path.name != f"{read_evidence(data).case}.json":
            yield failed("file", "文件名不是案件号", "it does not bear the name of its case")
