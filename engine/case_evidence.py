"""Everything an evidence file of a case holds, read from the database in one transaction."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection

from audit import log, sequence
from audit.entries import Entry
from audit.evidence_file import EvidenceFile
from audit.note import Note, VerifierKey, of_key
from audit.pinned import Calendar, DefinitionSet, calendars_named, definitions_named
from audit.policy import Policy
from audit.tlog_proof import Proof, prove
from engine.calendar_versions import calendar_file
from engine.casework import UnknownCase
from engine.definition_sets import files_of

NOBODY: Final = Policy(())


def case_evidence(conn: Connection, case: str, policy: Policy = NOBODY) -> EvidenceFile:
    """The evidence file of a case as it stands.

    policy: the log's public keys, of which those that signed the checkpoint are told in the file;
    and who is wanted as a witness: a checkpoint that has them is taken rather than a later one that
    has not. Entries that are not under a checkpoint yet have no proof. Raises UnknownCase.
    """
    entries = log.read(conn, case)
    if not entries or case.startswith("@"):
        raise UnknownCase(case)
    indexes = sequence.leaf_indexes(conn, [entry.hash for entry in entries])
    last = _shown(conn, entries, indexes, policy)
    note = last.note if last else None
    return EvidenceFile(
        log=entries[0].log,
        case=case,
        bodies=tuple(entry.body for entry in entries),
        proofs=_proofs(conn, entries, indexes, last),
        note=note,
        timestamps=tuple(sequence.timestamps(conn, last.checkpoint.size).values()) if last else (),
        keys=signing(note, policy.logs) if note else (),
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


def _shown(
    conn: Connection, entries: Sequence[Entry], indexes: Mapping[bytes, int], policy: Policy
) -> sequence.Stored | None:
    """The checkpoint to rest on: one over all entries, or as many of them as there is one over."""
    head = indexes.get(entries[-1].hash)
    over_all = None if head is None else sequence.covering(conn, head, policy)
    return over_all or sequence.latest(conn)


def _proofs(
    conn: Connection,
    entries: Sequence[Entry],
    indexes: Mapping[bytes, int],
    last: sequence.Stored | None,
) -> tuple[Proof | None, ...]:
    if last is None:
        return (None,) * len(entries)
    read, size = sequence.read_hashes(conn), last.checkpoint.size
    at = [indexes.get(entry.hash, size) for entry in entries]
    return tuple(prove(read, index, last.note) if index < size else None for index in at)
