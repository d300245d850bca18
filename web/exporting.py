"""A report leaves the house: read, print, seal, put on the record, hand out – in this order.

Nothing is held while the pages are set: that takes seconds, and the database has one writer. If the
server dies before the record is written, nobody has the file; after it, the export is on the record
even if the file never arrived.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine

from audit import log, sequence
from audit.checkpoint import read_checkpoint
from audit.encoding import instant
from audit.entries import Entry
from audit.evidence_file import EvidenceFile
from audit.note import BadSignature, Note
from audit.policy import Policy, witnessed
from audit.reports.case import DIGEST_VERSION, case_record, content_digest
from audit.reports.facts import CaseRecord
from audit.sequence import SequencedElsewhere, TreeDiffers
from audit.timestamp import read_stamp
from engine.anchoring import Anchors, anchor
from engine.case_evidence import case_evidence
from engine.casework import UnknownCase
from engine.database import reading
from engine.definition_sets import load
from engine.directory import Directory
from engine.exports import PDF, XLSX, Content, element_facts, record_export
from engine.keys import Keys, Places, open_keys
from engine.people import By, directory
from engine.report_jobs import Made
from engine.rights import may_see
from engine.sequencer import sequence_log
from web.case_book import case_book
from web.pdf import Anchored, Issue, RecordBroken, checked, render_case_report
from web.printing import Printed
from web.records import names
from web.related import with_cases
from web.replica import Replica
from web.visit import utc_now
from web.wording import Names

# A sequencer at work elsewhere needs a moment to sign what it has just taken in.
SEQUENCING_TRIES: Final = 3
NO_KEYS: Final = Keys(None, None, None, Policy(()))


@dataclass(frozen=True, slots=True)
class Means:
    """What reports are made with besides the record.

    keys: where the log's keys are; without them reports are not sealed, and no checkpoint is signed
    for them. tsa_url: the authority that stamps the time of the seal, if one is to. revocation: the
    folder with what proves that no certificate of the seal was revoked, if there is one. anchors:
    who is asked to cosign the checkpoint that a report rests on. replica: where reports on much are
    read, if there is one.
    """

    keys: Places | None = None
    tsa_url: str = ""
    revocation: Path | None = None
    anchors: Callable[[], Anchors] = Anchors
    replica: Replica | None = None


@dataclass(frozen=True, slots=True)
class Exported:
    """A report: its bytes, their SHA-256 (hex), pages, the head (hex) it rests on, its content.

    format: of engine.exports.FORMATS; of a workbook pages are its sheets.
    """

    content: bytes
    sha256: str
    pages: int
    head: str
    says: Content
    format: str = PDF

    @property
    def made(self) -> Made:
        """What of it is put on the record."""
        return Made(self.sha256, self.pages, self.head, self.says, self.format)


def export_case_report(
    engine: Engine,
    case_id: str,
    *,
    by: By | None,
    clock: Callable[[], datetime],
    purpose: str,
    locale: str = "zh",
    means: Means = Means(),
    format_: str = PDF,
) -> Exported:
    """Make the accountability report of a case and record that it was made.

    by: None stands for whoever operates the server. Raises MayNotExport, NoReason, and what
    `make_case_report` does.
    """
    report = make_case_report(
        engine, case_id, by=by, at=clock(), purpose=purpose, locale=locale, means=means,
        format_=format_,
    )  # fmt: skip
    with engine.begin() as conn:
        record_export(
            conn, case_id, kind="case_report", sha256=report.sha256, head=report.head,
            purpose=purpose, pages=report.pages, content=report.says, format_=report.format, by=by,
            at=clock(),
        )  # fmt: skip
    return report


def make_case_report(
    engine: Engine,
    case_id: str,
    *,
    by: By | None,
    at: datetime,
    purpose: str,
    locale: str,
    means: Means,
    tell: Callable[[str], None] = lambda stage: None,
    format_: str = PDF,
) -> Exported:
    """Make the report without recording it; it must not leave the house before that.

    tell: is told each stage as it begins: reading, setting, sealing. A workbook (format_ xlsx) is
    not sealed. Raises UnknownCase,
    RecordBroken, MissingGlyphs, NotSealed, and what is wrong with the keys.
    """
    tell("reading")
    keys = sequenced(engine, means, at)
    with reading(engine).begin() as conn:
        told = _read(conn, case_id, by, at, keys)
    issue = Issue(
        at,
        made_by(told.people, by, at, locale),
        purpose,
        organisation=organisation(told.people, told.record.path[-1]),
        sealed=keys.seal is not None,
    )
    tell("setting")
    printed = _set(told, issue, locale, format_)
    data = printed.data
    if format_ == PDF:
        tell("sealing")
        data = sealed(data, keys, at, means)
    sha256 = hashlib.sha256(data).hexdigest()
    return Exported(data, sha256, printed.pages, told.record.head, _content(told), format_)


def _set(told: "_Told", issue: Issue, locale: str, format_: str) -> Printed:
    if format_ == XLSX:
        entries = checked(told.record, told.evidence)
        return case_book(
            told.record, entries, issue, names=told.names, anchored=told.anchored, locale=locale
        )
    return render_case_report(
        told.record, issue, names=told.names, evidence=told.evidence, anchored=told.anchored,
        locale=locale,
    )  # fmt: skip


def _content(told: "_Told") -> Content:
    tree = told.anchored.checkpoint if told.anchored else None
    size, root = (tree.size, tree.root.hex()) if tree else (None, None)
    return Content(content_digest(told.record), DIGEST_VERSION, size, root)


# --- reading --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Told:
    record: CaseRecord
    evidence: EvidenceFile
    anchored: Anchored | None
    names: Names
    people: Directory


def sequenced(engine: Engine, means: Means, at: datetime) -> Keys:
    """The keys, after the tree has taken in what waits and was signed, if that is for us to do."""
    if means.keys is None:
        return NO_KEYS
    with reading(engine).begin() as conn:
        keys = open_keys(means.keys, log.origin(conn))
    for _ in range(SEQUENCING_TRIES if keys.checkpoint else 0):
        try:
            sequence_log(engine, means.keys, at=at)
            # Asked for now, so that the report bears the cosignatures of its own checkpoint.
            anchor(engine, means.anchors(), at=utc_now())
            break
        except SequencedElsewhere:
            continue
        except TreeDiffers as error:
            raise RecordBroken(str(error)) from error
    return keys


def _read(conn: Connection, case_id: str, by: By | None, at: datetime, keys: Keys) -> _Told:
    """All that the report rests on, as of one moment."""
    entries = log.read(conn, case_id)
    if not entries or case_id.startswith("@"):
        raise UnknownCase(case_id)
    known = keys.policy.trusting(one.key for one in keys.checkpoint_signers)
    evidence = case_evidence(conn, case_id, known)
    people, record = directory(conn), _record(conn, entries)
    called = with_cases(
        conn, names(people), record, people,
        sees=lambda case: by is None or may_see(case, people, by, at),
    )  # fmt: skip
    tree = _anchored(conn, evidence, keys.policy)
    return _Told(record, evidence, tree, called, people)


def _record(conn: Connection, entries: list[Entry]) -> CaseRecord:
    definition = load(conn, entries[0].data["definition"]["sha256"])
    return case_record(entries, element_facts(definition))


def _anchored(conn: Connection, evidence: EvidenceFile, policy: Policy) -> Anchored | None:
    """The checkpoint as it is printed, or None where no entry stands under it yet."""
    covered = sum(proof is not None for proof in evidence.proofs)
    if evidence.note is None or not covered:
        return None
    return anchored_under(conn, evidence.note, evidence.timestamps, covered, policy)


def anchored_under(
    conn: Connection, note: Note, stamps: Sequence[bytes], covered: int, policy: Policy
) -> Anchored:
    """A stored checkpoint as it is printed. Raises RecordBroken for a signature that is none."""
    try:
        cosigned = witnessed(note, policy)
    except BadSignature as error:
        raise RecordBroken(str(error)) from error
    told, read = read_checkpoint(note), map(read_stamp, stamps)
    return Anchored(
        note,
        told,
        covered,
        instant(sequence.signed_at(conn, told.size)),
        tuple((name, datetime.fromtimestamp(at, UTC)) for name, at in cosigned.items()),
        tuple((stamp.authority, stamp.at) for stamp in read),
    )


def anchored_over(conn: Connection, heads: Sequence[bytes], policy: Policy) -> Anchored | None:
    """The checkpoint over the last entries of cases; covered: of how many of them it is."""
    found = sequence.leaf_indexes(conn, heads)
    last = sequence.latest(conn)
    if len(found) == len(set(heads)) and found:
        last = sequence.covering(conn, max(found.values()), policy) or last
    if last is None:
        return None
    size = last.checkpoint.size
    covered = sum(found.get(head, size) < size for head in heads)
    stamps = tuple(sequence.timestamps(conn, size).values())
    return anchored_under(conn, last.note, stamps, covered, policy)


# --- sealing --------------------------------------------------------------------------------------


def sealed(pdf: bytes, keys: Keys, at: datetime, means: Means) -> bytes:
    """The PDF under the log's seal; as it is where there is none."""
    if keys.seal is None:
        return pdf
    # Half a second to import, which nobody should wait for who asks for no report.
    from web.sealing import StampingAuthority, read_revocation, seal_pdf

    tsa = StampingAuthority(means.tsa_url) if means.tsa_url else None
    proof = read_revocation(means.revocation) if means.revocation else None
    return seal_pdf(pdf, keys.seal, at=at, tsa=tsa, revocation=proof)


def made_by(people: Directory, by: By | None, at: datetime, locale: str) -> str:
    """Who has a report made, as it is printed: name and first post."""
    if by is None:
        return "服务器管理者" if locale == "zh" else "the operator of the server"
    held = people.capacities(by.person, at)
    where = f"（{people.unit(held[0].unit).name}·{held[0].title}）" if held else ""
    return f"{people.name(by.person)}{where}"


def organisation(people: Directory, street: str) -> str:
    """The street with the units above it, outermost first: 澜江市南屿区听澜街道."""
    above = reversed((street, *people.ancestors(street)))
    return "".join(people.unit(unit).name for unit in above)
