"""Reports on what a person or a unit did in a period: who may ask, which cases, what is recorded.

Looking up somebody else takes a reason and is an event of the log; so is every report that leaves
the house. The content is audit.reports.conduct.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, or_, select

from audit import log
from audit.encoding import instant, timestamp
from audit.entries import Draft, Entry
from audit.reports.case import case_record
from audit.reports.conduct import Conduct, Subject, conduct
from audit.reports.facts import CaseRecord
from engine.casework import read_case
from engine.definition_sets import load
from engine.directory import Authority, Directory
from engine.errors import BadInput
from engine.exports import LOG, PDF, Content, element_facts, format_told
from engine.people import By, actor, directory, oneself
from engine.reasons import reasoned
from engine.register import register_table
from engine.rights import (
    DISCIPLINE,
    SUPERVISION,
    NotYoursToReport,
    may_report_on,
    may_see,
    places_reported,
)

LONGEST: Final = timedelta(days=366)
CAPACITY: Final = "audit"
KINDS: Final = ("person", "unit")


class NoSuchPeriod(BadInput):
    """The period ends before it begins, has not begun, or is longer than a year."""

    def __init__(self) -> None:
        super().__init__(
            "请选一段已经开始的时间，起在前、止在后，最长一年。",
            "Choose a period that has begun, its start before its end, of a year at most.",
        )


class NobodySuch(BadInput):
    """There is no such person or unit."""

    def __init__(self) -> None:
        super().__init__("请选择一个人或一个单位。", "Choose a person or a unit.")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whom a report is about (kind: person or unit), from `since` up to, not including, `until`."""

    kind: str
    id: str
    since: datetime
    until: datetime

    @property
    def told(self) -> dict[str, str]:
        """As the log and a job have it."""
        period = {"since": timestamp(self.since), "until": timestamp(self.until)}
        return {"kind": self.kind, self.kind: self.id, **period}


def wanted_of(told: Mapping[str, Any]) -> Wanted:
    """What `Wanted.told` told."""
    kind = told["kind"]
    return Wanted(kind, told[kind], instant(told["since"]), instant(told["until"]))


def check_wanted(people: Directory, wanted: Wanted, *, by: By, at: datetime) -> None:
    """Raise NobodySuch, NoSuchPeriod, NotYoursToReport unless this person may have this made."""
    known = (
        people.units if wanted.kind == "unit" else {post.person for post in people.posts.values()}
    )
    if wanted.kind not in KINDS or wanted.id not in known:
        raise NobodySuch
    since, until = wanted.since, wanted.until
    if not since < until or since >= at or until - since > LONGEST:
        raise NoSuchPeriod
    if wanted.kind == "unit":
        allowed = wanted.id in places_reported(people, by, at)
    else:
        allowed = may_report_on(people, by, wanted.id, since, until, at)
    if not allowed:
        raise NotYoursToReport


def is_own(wanted: Wanted, by: By) -> bool:
    """Whether somebody asks about themselves."""
    return (wanted.kind, wanted.id) == ("person", by.person)


# --- the content ----------------------------------------------------------------------------------


def read_conduct(
    conn: Connection, wanted: Wanted, *, by: By, at: datetime
) -> tuple[Conduct, Mapping[str, CaseRecord]]:
    """The record of a person or unit, and the cases it rests on as they stood at its end.

    Of cases this person may see; about a unit, of none that is confidential. Raises what
    `check_wanted` does.
    """
    people = directory(conn)
    check_wanted(people, wanted, by=by, at=at)
    records = [
        record
        for case in _concerned(conn, wanted)
        if may_see(read_case(conn, case), people, by, at)
        if (record := record_at(conn, case, wanted.until)) is not None
    ]
    subject = subject_of(people, wanted)
    told = conduct(log.origin(conn), records, subject, wanted.since, wanted.until)
    kept = {ref.case for ref in told.cases}
    return told, {record.case: record for record in records if record.case in kept}


def subject_of(people: Directory, wanted: Wanted) -> Subject:
    """Whom a report is about, with the units below and to which part of it each belongs."""
    if wanted.kind == "person":
        return Subject("person", wanted.id)
    return Subject(
        "unit",
        wanted.id,
        {unit: _part(people, unit, wanted.id) for unit in sorted(people.subtree(wanted.id))},
    )


def _part(people: Directory, unit: str, of: str) -> str:
    path = (unit, *people.ancestors(unit))
    return path[max(path.index(of) - 1, 0)]


def _concerned(conn: Connection, wanted: Wanted) -> Sequence[str]:
    if wanted.kind == "person":
        return log.naming(conn, wanted.id, before=wanted.until)
    case = register_table.c
    running = or_(case.ended_at.is_(None), case.last_at >= timestamp(wanted.since))
    query = select(case.case).where(
        case.confidential == 0, case.opened_at < timestamp(wanted.until), running
    )
    return list(conn.execute(query.order_by(case.opened_at, case.case)).scalars())


def record_at(conn: Connection, case: str, until: datetime) -> CaseRecord | None:
    """The record of a case as it stood at an instant; None if there was none yet."""
    return records_at(conn, [case], until).get(case)


def records_at(conn: Connection, cases: Collection[str], until: datetime) -> dict[str, CaseRecord]:
    """The records of cases as they stood at an instant, of those that there were."""
    found: dict[str, CaseRecord] = {}
    for case, told in log.read_each(conn, cases).items():
        entries = [entry for entry in told if entry.at < until]
        if entries:
            definition = load(conn, entries[0].data["definition"]["sha256"])
            found[case] = case_record(entries, element_facts(definition))
    return found


# --- on the record --------------------------------------------------------------------------------


def record_lookup(
    conn: Connection, wanted: Wanted, purpose: str, *, by: By, at: datetime
) -> Entry | None:
    """Put on the record that somebody is about to look up a person or a unit, and what for.

    None, and nothing recorded, for whoever looks up themselves. Raises what `check_wanted` does,
    NoReason.
    """
    people = directory(conn)
    check_wanted(people, wanted, by=by, at=at)
    if is_own(wanted, by):
        return None
    told = {**wanted.told, "purpose": _purpose(purpose)}
    return _append(conn, Draft("conduct.viewed", told, _who(people, wanted, by, at), at))


def record_conduct_export(
    conn: Connection,
    wanted: Wanted,
    *,
    cases: int,
    sha256: str,
    pages: int,
    content: Content,
    purpose: str,
    format_: str = PDF,
    by: By,
    at: datetime,
) -> Entry:
    """Put on the record that such a report leaves the house; call it before it does.

    sha256: of the file (hex). pages: of a workbook its sheets. Raises what
    `check_wanted` does, NoReason.
    """
    people = directory(conn)
    check_wanted(people, wanted, by=by, at=at)
    told = {
        **wanted.told, **content.told, "cases": cases, "sha256": sha256, "pages": pages,
        "purpose": _purpose(purpose), **format_told(format_),
    }  # fmt: skip
    return _append(conn, Draft("conduct.exported", told, _who(people, wanted, by, at), at))


def _append(conn: Connection, draft: Draft) -> Entry:
    (entry,), _ = log.append(conn, log.take(conn, LOG), [draft])
    return entry


def _purpose(text: str) -> str:
    return reasoned(text, what="用途", english="a purpose")


def _who(people: Directory, wanted: Wanted, by: By, at: datetime) -> dict[str, Any]:
    held = reporting_post(people, by, at)
    if held is None or is_own(wanted, by):
        return oneself(by, CAPACITY)
    return actor(held, CAPACITY, channel=by.channel)


def reporting_post(people: Directory, by: By, at: datetime) -> Authority | None:
    """A post of discipline or supervision this person holds; None for none."""
    held = people.capacities(by.person, at)
    return next((one for one in held if one.duty in (DISCIPLINE, SUPERVISION)), None)
