"""A report that left the house, computed again today: does the log still say what it said then?"""

from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import Connection

from audit import log, sequence
from audit.chain import Problem
from audit.entries import Entry
from audit.reports.case import DIGEST_VERSION, case_record, content_digest
from engine.definition_sets import load
from engine.errors import NotFound
from engine.exports import element_facts

EXPORTED: Final = "report.exported"
# unknown: what it would be compared with was not recorded, or was computed in another way.
Outcome = Literal["holds", "fails", "unknown"]


class NoSuchExport(NotFound):
    """There is no record of such an export in this case."""

    def __init__(self) -> None:
        super().__init__(
            "这一案没有这次导出的记录。请回到查阅记录，从列出的里面选。",
            "This case has no record of such an export. Choose one of those listed.",
        )


@dataclass(frozen=True, slots=True)
class Rechecked:
    """What came out. problem: of the case's own entries, up to the one the report rests on.

    at: the number of that entry, None if the case has none of this hash any more. digest: of the
    content as computed today.
    """

    content: Outcome
    tree: Outcome
    problem: Problem | None
    at: int | None
    digest: str | None

    @property
    def outcome(self) -> Outcome:
        """Both together: one that fails is enough."""
        both = (self.content, self.tree)
        if "fails" in both:
            return "fails"
        return "holds" if set(both) == {"holds"} else "unknown"


def exports_of(conn: Connection, case_id: str) -> list[Entry]:
    """The records of all reports of a case that left the house, newest first."""
    found = [entry for entry in log.read(conn, case_id) if entry.type == EXPORTED]
    return found[::-1]


def recheck(conn: Connection, case_id: str, seq: int) -> Rechecked:
    """Compute the content of an exported report again, from the entries it rested on then.

    seq: number of the record of the export. Raises NoSuchExport.
    """
    export = next((one for one in exports_of(conn, case_id) if one.seq == seq), None)
    if export is None:
        raise NoSuchExport
    entries: list[Entry] = []
    for found in log.check(conn, case_id, log=log.origin(conn)):
        if isinstance(found, Problem):
            return Rechecked("fails", _tree(conn, export), found, None, None)
        entries.append(found)
        if found.hash.hex() == export.data["head"]:
            return _compared(conn, export, entries)
    return Rechecked("fails", _tree(conn, export), None, None, None)


def _compared(conn: Connection, export: Entry, entries: list[Entry]) -> Rechecked:
    definition = load(conn, entries[0].data["definition"]["sha256"])
    digest = content_digest(case_record(entries, element_facts(definition)))
    told = export.data
    content: Outcome = "unknown"
    if told.get("version") == DIGEST_VERSION:
        content = "holds" if digest == told.get("digest") else "fails"
    return Rechecked(content, _tree(conn, export), None, len(entries), digest)


def _tree(conn: Connection, export: Entry) -> Outcome:
    """Whether the tree of today begins with the one under the report's checkpoint."""
    size, root = export.data.get("size"), export.data.get("root")
    if size is None or root is None:
        return "unknown"
    if sequence.tree_size(conn) < size:
        return "fails"
    told = sequence.root_of(conn, size)
    return "holds" if told is not None and told.hex() == root else "fails"
