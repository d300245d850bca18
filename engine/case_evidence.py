"""Everything an evidence file of a case holds, read from the database in one transaction."""

from collections.abc import Sequence

from sqlalchemy import Connection

from audit import log, sequence
from audit.entries import Entry
from audit.evidence_file import EvidenceFile
from audit.note import Note, VerifierKey, of_key
from audit.pinned import Calendar, DefinitionSet, calendars_named, definitions_named
from audit.tlog_proof import Proof, prove
from engine.calendar_versions import calendar_file
from engine.casework import UnknownCase
from engine.definition_sets import files_of


def case_evidence(conn: Connection, case: str, keys: Sequence[VerifierKey] = ()) -> EvidenceFile:
    """The evidence file of a case as it stands.

    keys: the log's public keys; those that signed the last checkpoint are told in the file. Entries
    that are not under a checkpoint yet have no proof. Raises UnknownCase.
    """
    entries = log.read(conn, case)
    if not entries or case.startswith("@"):
        raise UnknownCase(case)
    last = sequence.latest(conn)
    note = last.note if last else None
    return EvidenceFile(
        log=entries[0].log,
        case=case,
        bodies=tuple(entry.body for entry in entries),
        proofs=_proofs(conn, entries, last),
        note=note,
        timestamps=tuple(sequence.timestamps(conn, last.checkpoint.size).values()) if last else (),
        keys=signing(note, keys) if note else (),
        definitions=pinned_sets(conn, entries),
        calendars=pinned_calendars(conn, entries),
    )


def signing(note: Note, keys: Sequence[VerifierKey]) -> tuple[VerifierKey, ...]:
    """Those of these keys under whose name and id the note has a line."""
    return tuple(key for key in keys if of_key(note, key))


def pinned_sets(conn: Connection, entries: Sequence[Entry]) -> tuple[DefinitionSet, ...]:
    """The definition sets that these entries pin, with their files."""
    return tuple(
        DefinitionSet(key, digest, files_of(conn, digest))
        for digest, key in sorted(definitions_named(entries))
    )


def pinned_calendars(conn: Connection, entries: Sequence[Entry]) -> tuple[Calendar, ...]:
    """The calendars that these entries were computed with."""
    return tuple(
        Calendar(version, calendar_file(conn, version))
        for version, _ in sorted(calendars_named(entries))
    )


def _proofs(
    conn: Connection, entries: Sequence[Entry], last: sequence.Stored | None
) -> tuple[Proof | None, ...]:
    if last is None:
        return (None,) * len(entries)
    read, size = sequence.read_hashes(conn), last.checkpoint.size
    indexes = sequence.leaf_indexes(conn, [entry.hash for entry in entries])
    at = [indexes.get(entry.hash, size) for entry in entries]
    return tuple(prove(read, index, last.note) if index < size else None for index in at)
