"""Whether the tables hold what the log recorded: definitions, calendars, people, projections.

The log is the truth; the tables are what the program reads. Each difference is a problem of the
stream that says otherwise.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import orjson
from sqlalchemy import Connection, bindparam, select

from audit.chain import Problem
from audit.encoding import timestamp
from audit.entries import Entry
from audit.note import NotANote
from audit.pinned import listing_digest, sha256
from audit.risk_index.signed import Adoption, read_adoption
from audit.statements import Statement
from engine import acts, case_texts, inbox, place_codes, provider_links, register, taking_part
from engine.calendar_versions import calendar_table
from engine.cases import number_table
from engine.definition_sets import file_table, set_table
from engine.inbox import open_task_table
from engine.index_editions import edition_table
from engine.index_weights import weights_table
from engine.process import KERNEL
from engine.register import register_table
from engine.roster import (
    change_of,
    person_table,
    post_table,
    substitution_table,
    swapped_names,
    unit_table,
)
from engine.state import CaseState

_REGISTER = Statement(select(register_table).where(register_table.c.case == bindparam("c")))
_TEXTS = Statement(
    select(*(register_table.c[name] for name in (*register.SEARCHED, "texts_listed"))).where(
        register_table.c.case == bindparam("c")
    )
)
_INBOX = Statement(select(open_task_table).where(open_task_table.c.case == bindparam("c")))


def check_register(conn: Connection, stream: str, entries: Sequence[Entry]) -> Iterator[Problem]:
    """What the tables behind a register stream hold that its events did not record."""
    check = _REGISTERS.get(stream)
    if check is not None:
        yield from check(conn, entries)


def check_projection(conn: Connection, case: CaseState, entries: Sequence[Entry]) -> Problem | None:
    """Whether stored state, register, inbox, parts, acts and texts are as its log leaves it."""
    what = _register_differs(conn, case) or _inbox_differs(conn, case)
    what = what or _parts_differ(conn, case, entries[0]) or _acts_differ(conn, case, entries)
    what = what or _texts_differ(conn, case, entries[0])
    return Problem(case.case, case.seq, what) if what else None


def _register_differs(conn: Connection, case: CaseState) -> str | None:
    row = next(iter(_REGISTER.rows(conn, {"c": case.case})), None)
    if row is None:
        return "the register has nothing of it"
    if (row["seq"], row["kernel"]) != (case.seq, KERNEL):
        return f"the stored state is that of event {row['seq']} and kernel {row['kernel']}"
    wanted = register.row_of(case)
    if bytes(row["state"]) != wanted.pop("state"):
        return "the stored state is not what replay gives"
    wrong = [name for name, value in wanted.items() if row[name] != value]
    return f"the register shows another {wrong[0]} than the log" if wrong else None


def _inbox_differs(conn: Connection, case: CaseState) -> str | None:
    shown = {row["task"]: row for row in _INBOX.rows(conn, {"c": case.case})}
    wanted = {key: inbox.row_of(case, task) for key, task in case.tasks.items()}
    return None if shown == wanted else "the inbox shows other open steps than the log"


def _parts_differ(conn: Connection, case: CaseState, opening: Entry) -> str | None:
    opened = {"opened_at": timestamp(opening.at)}
    wanted = {person: row | opened for person, row in taking_part.rows_of(case).items()}
    return (
        None
        if taking_part.kept(conn, case.case) == wanted
        else "others are told to have a part in it than the log says"
    )


def _acts_differ(conn: Connection, case: CaseState, entries: Sequence[Entry]) -> str | None:
    shown, wanted = acts.kept(conn, case.case), list(acts.rows_of(case, entries))
    return None if shown == wanted else "the search for acts shows others than the log"


def _texts_differ(conn: Connection, case: CaseState, opening: Entry) -> str | None:
    """What is there of it too much does no harm: whatever is found is compared once more."""
    row = _TEXTS.first(conn, {"c": case.case})
    texts = (case.number, case.title, opening.data["place"].get("address", ""))
    if [getattr(row, name) for name in register.SEARCHED] != [*texts]:
        return "the register tells another number, title or address than the log"
    if not row.texts_listed or case_texts.is_kept(conn, case.case, timestamp(opening.at), texts):
        return None
    return "a search for a part of its number, title or address would not find it"


def check_cases(conn: Connection, streams: Sequence[str]) -> Iterator[Problem]:
    """Cases of which a table knows and the log does not: numbers are given out without gaps."""
    known = set(streams)
    given = {
        f"{row.process}-{row.year}-{number:05d}"
        for row in conn.execute(select(number_table))
        for number in range(1, row.last + 1)
    }
    listed = set(conn.execute(select(register_table.c.case)).scalars())
    for case in sorted((given | listed) - known):
        yield Problem(case, 1, "its number was given out, and the log has nothing of it")


# --- definitions and calendars --------------------------------------------------------------------


def _definitions(conn: Connection, entries: Sequence[Entry]) -> Iterator[Problem]:
    stored = {row.digest: row for row in conn.execute(select(set_table))}
    hashes = {row.sha256: sha256(bytes(row.bytes)) for row in conn.execute(select(file_table))}
    for entry in entries:
        data = entry.data
        files = {file["name"]: file["sha256"] for file in data["files"]}
        row = stored.pop(data["sha256"], None)
        told = f"definition {data['key']} version {data['version']}"
        if listing_digest(files) != data["sha256"]:
            yield _problem(entry, f"{told}: its files do not give its digest")
        if row is None or (row.key, row.version, orjson.loads(row.files), row.deployed_at) != (
            data["key"], data["version"], files, timestamp(entry.at),
        ):  # fmt: skip
            yield _problem(entry, f"{told} is not stored as it was deployed")
        for name, hash_ in files.items():
            if hashes.get(hash_) != hash_:
                yield _problem(entry, f"{told}: {name} is missing or was changed")
    for digest in sorted(stored):
        yield Problem(
            "@definitions", len(entries), f"definition {digest} was never deployed", "pinned"
        )


def _calendars(conn: Connection, entries: Sequence[Entry]) -> Iterator[Problem]:
    stored = {row.version: row for row in conn.execute(select(calendar_table))}
    for entry in entries:
        version, hash_ = entry.data["version"], entry.data["sha256"]
        row = stored.pop(version, None)
        if row is None or row.sha256 != hash_ or sha256(bytes(row.bytes)) != hash_:
            yield _problem(entry, f"calendar {version} is missing or was changed")
    for version in sorted(stored):
        yield Problem(
            "@calendar", len(entries), f"calendar {version} was never published", "pinned"
        )


# --- the index ------------------------------------------------------------------------------------


def _index(conn: Connection, entries: Sequence[Entry]) -> Iterator[Problem]:
    files = {row.version: bytes(row.bytes) for row in conn.execute(select(weights_table))}
    tables = {row.seq: bytes(row.figures) for row in conn.execute(select(edition_table))}
    for entry in entries:
        if entry.type == "index.weights_adopted":
            data, version = files.pop(entry.data["version"], b""), entry.data["version"]
            if sha256(data) != entry.data["sha256"]:
                yield _problem(entry, f"file {version} of weights is missing or was changed")
            if not _is_adoption(entry):
                yield _problem(entry, f"the note on file {version} of weights tells of another")
        elif entry.type == "index.computed":
            data = tables.pop(entry.seq, b"")
            if sha256(data) != entry.data["figures"]:
                yield _problem(entry, "the figures of this edition are missing or were changed")
    for version in sorted(files):
        yield Problem("@index", len(entries), f"file {version} of weights was never adopted")
    for seq in sorted(tables):
        yield Problem("@index", len(entries), f"edition #{seq} of the index was never computed")


def _is_adoption(entry: Entry) -> bool:
    data = entry.data
    wanted = Adoption(entry.log, data["version"], data["from"], data["sha256"])
    try:
        return read_adoption(data["note"].encode())[1] == wanted
    except NotANote:
        return False


# --- codes on doors -------------------------------------------------------------------------------


def _codes(conn: Connection, entries: Sequence[Entry]) -> Iterator[Problem]:
    told = {entry.data["code"]: entry.seq for entry in entries if "code" in entry.data}
    recorded = place_codes.folded(entries)
    for row in conn.execute(select(place_codes.place_code_table)).mappings():
        if recorded.pop(row["code"], None) != dict(row):
            seq = told.get(row["code"], len(entries))
            yield Problem("@codes", seq, f"the code {row['code']} is not kept as it was issued")
    for code in sorted(recorded):
        yield Problem("@codes", told[code], f"the code {code} is missing")


# --- whom providers vouch for ---------------------------------------------------------------------


def _links(conn: Connection, entries: Sequence[Entry]) -> Iterator[Problem]:
    for seq, link in provider_links.differing(conn, entries):
        told = f"the link {link} to a provider is not kept as it was recorded"
        yield Problem("@accounts", seq or len(entries), told)


# --- units, people, names -------------------------------------------------------------------------


def _units(conn: Connection, entries: Sequence[Entry]) -> Iterator[Problem]:
    yield from _differences(conn, "@units", entries, (unit_table,))


def _people(conn: Connection, entries: Sequence[Entry]) -> Iterator[Problem]:
    yield from _differences(
        conn, "@people", entries, (person_table, post_table, substitution_table)
    )
    registered = {entry.data["person"]: entry.seq for entry in entries if _names(entry)}
    for person in swapped_names(conn):
        seq = registered.get(person, len(entries))
        yield Problem("@people", seq, f"the name kept for {person} is not the one recorded")


def _names(entry: Entry) -> bool:
    return entry.type in ("person.registered", "person.name_corrected")


def _differences(
    conn: Connection, stream: str, entries: Sequence[Entry], tables: Sequence[Any]
) -> Iterator[Problem]:
    """Rows that are not what folding the events gives, each named by the last event about it."""
    recorded: dict[tuple[str, str], tuple[int, dict[str, Any]]] = {}
    for entry in entries:
        change = change_of(entry)
        if change is not None:
            at = (change.table.name, change.id)
            before = recorded[at][1] if at in recorded else {}
            recorded[at] = (entry.seq, {**before, **change.values})
    for table in tables:
        for row in conn.execute(select(table)).mappings():
            seq, values = recorded.pop((table.name, row["id"]), (len(entries), None))
            if values is None or any(row[name] != value for name, value in values.items()):
                told = "is not what was recorded" if values else "was never recorded"
                yield Problem(stream, seq, f"the {table.name} {row['id']} {told}")
    for (name, id_), (seq, _) in sorted(recorded.items()):
        yield Problem(stream, seq, f"the {name} {id_} is missing")


def _problem(entry: Entry, what: str) -> Problem:
    return Problem(entry.stream, entry.seq, what, "pinned")


_Check = Callable[[Connection, Sequence[Entry]], Iterator[Problem]]

_REGISTERS: Final[dict[str, _Check]] = {
    "@accounts": _links,
    "@calendar": _calendars,
    "@codes": _codes,
    "@definitions": _definitions,
    "@index": _index,
    "@people": _people,
    "@units": _units,
}
# Asked even where the whole stream is gone: then every row was never recorded.
REGISTERS: Final = tuple(_REGISTERS)
