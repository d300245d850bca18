"""The evidence file: one case complete, fit to travel inside a report and to be checked without us.

Its entries verbatim, each with the proof of its place in the log's tree, the signed checkpoint,
time stamps, and the definitions and calendars that the entries name. docs/audit-format.md §12.
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from audit import vocabulary
from audit.between import check_proofs
from audit.chain import Given, Problem, check_stream
from audit.checkpoint import check_plain, read_checkpoint
from audit.encoding import NotCanonical
from audit.entries import Entry, leaf_hash, unseal
from audit.merkle import ProofFailed
from audit.note import BadSignature, NotANote, Note, VerifierKey, check_note, read_note, read_vkey
from audit.pinned import (
    Calendar,
    DefinitionSet,
    calendars_named,
    check_pinned,
    definitions_named,
    sha256,
)
from audit.revealed import check_revealed
from audit.steps import Findings, Step, failed, findings, held, not_needed, unchecked
from audit.tlog_proof import NotAProof, Proof, check, read_proof
from audit.trust import (
    Trust,
    check_signature,
    check_timestamps,
    check_witnesses,
    compare_one,
    no_checkpoint,
    nothing_outside,
)

FORMAT: Final = "shaoji-evidence/2"
LARGEST: Final = 256 * 1024 * 1024
_CHECK: Final = (
    "hash = SHA-256(0x00 || UTF-8 of body); prev in a body = hash of the one before; "
    "proof = c2sp.org/tlog-proof@v1 of that hash; shaoji: python -m audit FILE, or verify.html"
)
_MEMBERS: Final = {
    "format", "log", "case", "count", "head", "check", "events", "checkpoint", "timestamps", "keys",
    "definitions", "calendars",
}  # fmt: skip


OTHER_FORM: Final = "it is not in the form in which it was written, or says other than it holds"


class NotEvidence(ValueError):
    """The bytes are not an evidence file of a format known here."""


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """What an evidence file holds; count and head are what it says of itself.

    proofs: one an entry, None where the entry was not in the tree yet. timestamps: tokens (DER)
    over the checkpoint's text. keys: what the log says the keys are that signed the checkpoint;
    nothing rests on them, they are there to be compared with what is known from outside.
    """

    log: str
    case: str
    bodies: tuple[bytes, ...]
    proofs: tuple[Proof | None, ...]
    note: Note | None = None
    timestamps: tuple[bytes, ...] = ()
    keys: tuple[VerifierKey, ...] = ()
    definitions: tuple[DefinitionSet, ...] = ()
    calendars: tuple[Calendar, ...] = ()

    @property
    def head(self) -> str:
        """The hash of the last entry, in hex."""
        return leaf_hash(self.bodies[-1]).hex() if self.bodies else ""


def write_evidence(evidence: EvidenceFile) -> bytes:
    """The file, as UTF-8 JSON.

    Each body stands there as a string: its UTF-8 bytes are what was hashed.
    """
    events = [
        {
            "seq": seq,
            "hash": leaf_hash(body).hex(),
            "body": body.decode(),
            "proof": proof.data.decode() if proof else None,
        }
        for seq, (body, proof) in enumerate(zip(evidence.bodies, evidence.proofs, strict=True), 1)
    ]
    told = {
        "format": FORMAT,
        "log": evidence.log,
        "case": evidence.case,
        "count": len(events),
        "head": evidence.head,
        "check": _CHECK,
        "events": events,
        "checkpoint": evidence.note.data.decode() if evidence.note else None,
        "timestamps": [_text(token) for token in evidence.timestamps],
        "keys": [key.vkey for key in evidence.keys],
        "definitions": [_definition(one) for one in evidence.definitions],
        "calendars": [
            {"version": one.version, "sha256": sha256(one.content), "content": _text(one.content)}
            for one in evidence.calendars
        ],
    }
    return orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def read_evidence(data: bytes) -> EvidenceFile:
    """Read an evidence file, believing nothing yet. Raises NotEvidence.

    Only the one form that `write_evidence` gives is read: a byte that could be another one is one
    that nobody has vouched for.
    """
    evidence = _parse(data)
    if write_evidence(evidence) != data:
        raise NotEvidence(OTHER_FORM)
    return evidence


def check_entries(evidence: EvidenceFile) -> Iterator[Entry | Problem]:
    """Yield each entry, or the first problem of bytes, chain or words and then nothing more."""
    rows = [
        Given(evidence.case, seq, _type(body), body, leaf_hash(body))
        for seq, body in enumerate(evidence.bodies, 1)
    ]
    entries: list[Entry] = []
    for found in check_stream(evidence.log, evidence.case, rows):
        if isinstance(found, Entry) and (what := vocabulary.check(found)):
            found = Problem(evidence.case, found.seq, what, "words")
        yield found
        if isinstance(found, Problem):
            return
        entries.append(found)
    yield from check_revealed(entries)
    yield from check_proofs(own_proofs(evidence.case, entries), _shown(entries))


def own_proofs(case: str, entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries in which a code was typed that was shown in this very case."""
    for entry in entries:
        if entry.data.get("proof", {}).get("case") == case:
            yield entry


def _shown(entries: Sequence[Entry]) -> Callable[[str, int], Entry | None]:
    return lambda _, seq: entries[seq - 1] if seq <= len(entries) else None


def verify_evidence(data: bytes, trust: Trust) -> Findings:
    """Everything that can be checked of an evidence file without the log it comes from."""
    try:
        evidence = _parse(data)
        again = write_evidence(evidence)
    except NotEvidence as error:
        return Findings((failed("file", f"不是完好的证据文件：{error}", str(error)),))
    steps = [*_steps(evidence, trust)]
    if again != data:
        # The other steps are told all the same: they say what it is that was changed.
        steps = [one for one in steps if one.name != "file"]
        steps.append(failed("file", f"不是完好的证据文件：{OTHER_FORM}", OTHER_FORM))
    return findings(steps)


def _steps(evidence: EvidenceFile, trust: Trust) -> Iterator[Step]:
    yield _whole(evidence)
    found = list(check_entries(evidence))
    entries = [one for one in found if isinstance(one, Entry)]
    problem = next((one for one in found if isinstance(one, Problem)), None)
    yield from entry_steps(problem)
    yield _check_tree(evidence)
    yield from _checkpoint_steps(evidence, trust)
    yield compare_one(evidence.note, trust) if evidence.note else nothing_outside()
    named = definitions_named(entries), calendars_named(entries)
    yield check_pinned(*named, evidence.definitions, evidence.calendars)
    yield not_needed(
        "replay", "重算要用流程引擎：shaoji verify", "replay takes the engine: shaoji verify"
    )


def _whole(evidence: EvidenceFile) -> Step:
    """What the file is; the tree of another log, whoever signed it, says nothing of this one."""
    if evidence.note is None and (any(evidence.proofs) or evidence.keys or evidence.timestamps):
        told = "without a checkpoint there are proofs, keys or time stamps"
        return failed("file", "没有检查点，却有证明、公钥或时间戳", told)
    if evidence.note and read_checkpoint(evidence.note).origin != evidence.log:
        told = "the checkpoint is of another log than the events"
        return failed("file", "检查点属于另一个日志", told)
    count = len(evidence.bodies)
    return held("file", f"{evidence.case}，{count} 条记录", f"{evidence.case}, {count} events")


def entry_steps(problem: Problem | None) -> Iterator[Step]:
    """The steps about bytes, chain and words; those behind the one that failed were not reached."""
    names = ("bytes", "chain", "words")
    at = names.index(problem.step) if problem and problem.step in names else len(names)
    for n, name in enumerate(names):
        if n < at:
            yield held(name)
        elif n == at and problem:
            told = f"{problem.case} #{problem.seq}: {problem.what}"
            yield failed(name, told, told)
        else:
            yield from not_reached(name)


def not_reached(*names: str) -> Iterator[Step]:
    """That these steps could not be done because one before them fails."""
    for name in names:
        yield unchecked(name, "前一步不符，没有往下核对", "not reached: the step before fails")


def _checkpoint_steps(evidence: EvidenceFile, trust: Trust) -> Iterator[Step]:
    """Who has signed, cosigned and stamped the checkpoint."""
    if evidence.note is None:
        yield from no_checkpoint()
        return
    told = "the keys in the file are not those that signed its checkpoint"
    differ = failed("signature", "文件里的公钥不是签检查点的公钥", told)
    yield differ if _keys_differ(evidence) else check_signature(evidence.note, trust)
    yield check_witnesses(evidence.note, trust)
    yield check_timestamps(evidence.note, evidence.timestamps, trust)


def _keys_differ(evidence: EvidenceFile) -> bool:
    """Whether keys are told, and other ones than the log's that have signed the checkpoint."""
    if evidence.note is None or not evidence.keys:
        return bool(evidence.keys)
    signed = {(one.name, one.id) for one in evidence.note.signatures if one.name == evidence.log}
    try:
        there = check_note(evidence.note, evidence.keys)
    except BadSignature:
        return True
    return {(key.name, key.id) for key in there} != signed or len(signed) != len(evidence.keys)


def _check_tree(evidence: EvidenceFile) -> Step:
    if evidence.note is None:
        return unchecked("tree", "还没有检查点", "there is no checkpoint yet")
    missing, last = 0, -1
    for seq, (body, proof) in enumerate(zip(evidence.bodies, evidence.proofs, strict=True), 1):
        if proof is None:
            missing += 1
            continue
        what = _proof_fails(proof, body, evidence.note, last)
        if what or missing:
            what = what or "an entry before it has no proof"
            return failed("tree", f"第 {seq} 条：{what}", f"event {seq}: {what}")
        last = proof.index
    if missing:
        return unchecked(
            "tree",
            f"最后 {missing} 条还没有入树",
            f"the last {missing} events are not in the tree yet",
        )
    tree = read_checkpoint(evidence.note)
    return held("tree", f"检查点 {tree.size}", f"checkpoint {tree.size}")


def _proof_fails(proof: Proof, body: bytes, note: Note, last: int) -> str | None:
    if proof.note != note or proof.extra:
        return "its proof is about another checkpoint"
    if proof.index <= last:
        return "it stands in the tree before the event it follows"
    try:
        check(proof, leaf_hash(body))
    except ProofFailed as error:
        return f"its proof does not hold: {error}"
    return None


# --- reading --------------------------------------------------------------------------------------


def _parse(data: bytes) -> EvidenceFile:
    if len(data) > LARGEST:
        raise NotEvidence("the file is too large")
    try:
        evidence = _read(orjson.loads(data))
        write_evidence(evidence)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NotEvidence(f"not an evidence file: {error}") from None
    return evidence


def _read(told: Any) -> EvidenceFile:
    if told["format"] != FORMAT:
        raise NotEvidence(f"format {told['format']} is not known here")
    if told.keys() != _MEMBERS:
        raise NotEvidence("members are missing, or there are some that are not known")
    if not told["events"]:
        raise NotEvidence("there is no event")
    if any(type(one["version"]) is not int for one in told["calendars"]):
        raise NotEvidence("the version of a calendar is a whole number")  # JSON's true equals 1
    return EvidenceFile(
        log=str(told["log"]),
        case=str(told["case"]),
        bodies=tuple(event["body"].encode() for event in told["events"]),
        proofs=tuple(_proof(event["proof"]) for event in told["events"]),
        note=_note(told["checkpoint"]),
        timestamps=tuple(_bytes(token) for token in told["timestamps"]),
        keys=tuple(read_vkey(key) for key in told["keys"]),
        definitions=tuple(
            DefinitionSet(
                one["key"],
                one["sha256"],
                {file["name"]: _bytes(file["content"]) for file in one["files"]},
            )
            for one in told["definitions"]
        ),
        calendars=tuple(
            Calendar(one["version"], _bytes(one["content"])) for one in told["calendars"]
        ),
    )


def _proof(told: str | None) -> Proof | None:
    try:
        return None if told is None else read_proof(told.encode())
    except NotAProof as error:
        raise NotEvidence(f"a proof is none: {error}") from None


def _note(told: str | None) -> Note | None:
    try:
        note = None if told is None else read_note(told.encode())
        if note is not None:
            check_plain(note)
    except NotANote as error:
        raise NotEvidence(f"the checkpoint is none: {error}") from None
    return note


def _definition(one: DefinitionSet) -> dict[str, Any]:
    files = [
        {"name": name, "sha256": sha256(content), "content": _text(content)}
        for name, content in sorted(one.files.items())
    ]
    return {"key": one.key, "sha256": one.sha256, "files": files}


def _type(body: bytes) -> str:
    try:
        return unseal(body).type
    except NotCanonical:
        return ""  # check_stream says what is wrong with it


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(told: str) -> bytes:
    try:
        return base64.b64decode(told, validate=True)
    except binascii.Error:
        raise NotEvidence("not base64") from None
