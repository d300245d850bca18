"""Acts on cases as they are asked for and found: what narrows a search, and each act's record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy import Connection

from audit.reports.facts import CaseRecord, TimelineRow
from engine.act_search import ActQuery, ActsPage
from engine.directory import Directory
from engine.errors import BadInput
from engine.rights import may_see
from web.act_kinds import Kind
from web.moments import read_day
from web.quantities import ZONE
from web.records import names, read_files
from web.related import with_cases_each
from web.visit import at, by
from web.wording import Names

# What `late` says for what was done within its limit; anything else means past it.
IN_TIME: Final = "0"


@dataclass(frozen=True, slots=True)
class Act:
    """One act with the record it stands in and the names it speaks of."""

    record: CaseRecord
    row: TimelineRow
    called: Names

    @property
    def key(self) -> tuple[str, int]:
        """Its case and number, as it was found."""
        return self.record.case, self.row.seq


def act_query(
    people: Directory, person: str, told: Mapping[str, str], kind: Kind | None
) -> ActQuery:
    """What is looked for. person: "" = anybody; told: what narrows it, as it stands in an address.

    Raises BadInput for a day that is none.
    """
    process, title = told.get("process", ""), told.get("title")
    none: frozenset[str] = frozenset()
    types = kind.types if kind else none if "kind" in told else None
    if kind and kind.process and process not in ("", kind.process):
        types = none
    posts = frozenset(post.id for post in people.posts.values() if post.title == title)
    return ActQuery(
        person=person,
        posts=posts if title else None,
        units=_below(people, told.get("unit")),
        within=_below(people, told.get("place")),
        process=(kind.process if kind else "") or process,
        types=types,
        elements=kind.elements if kind else None,
        late=told.get("late", IN_TIME) != IN_TIME,
        in_time=told.get("late") == IN_TIME,
        since=_midnight(told.get("since", ""), 0),
        until=_midnight(told.get("until", ""), 1),
    )


def _below(people: Directory, unit: str | None) -> frozenset[str] | None:
    if unit is None:
        return None
    return people.subtree(unit) if unit in people.units else frozenset()


def _midnight(text: str, days: int) -> datetime | None:
    """The beginning of a typed day, or of the day after it; None if nothing was typed."""
    if not text:
        return None
    on = read_day(text, at().astimezone(ZONE).date())
    if on is None:
        raise BadInput("日期请写成 11月24日 这样。", "Write the day like 2026-11-24.")
    return datetime(on.year, on.month, on.day, tzinfo=ZONE) + timedelta(days)


def acts_found(conn: Connection, people: Directory, found: ActsPage) -> list[Act]:
    """Each act that was found, with its record; names of cases one may not see are not in it."""
    called, wanted = names(people), dict[str, list[int]]()
    for case, seq in found.acts:
        wanted.setdefault(case, []).append(seq)
    records = [file.record for file in read_files(conn, wanted).values()]
    said = [_only(record, wanted[record.case]) for record in records]
    sees = partial(may_see, people=people, by=by(), at=at())
    speaking = with_cases_each(conn, called, said, sees)
    told = {act.key: act for record, part, names_ in zip(records, said, speaking, strict=True)
            for act in (Act(record, row, names_) for row in part.timeline)}  # fmt: skip
    return [told[key] for key in found.acts]


def _only(record: CaseRecord, seqs: Sequence[int]) -> CaseRecord:
    return replace(record, timeline=tuple(record.timeline[seq - 1] for seq in seqs))
