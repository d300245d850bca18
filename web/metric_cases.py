"""The cases behind a number, each with the entry that decided, for whoever may see them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flask import url_for
from markupsafe import Markup
from sqlalchemy import Connection

from audit.metrics.catalogue import METRICS
from audit.metrics.contributions import Contribution, within
from audit.metrics.places import Places
from audit.metrics.results import grouping
from engine.directory import Directory
from engine.guarded import kept_from
from web.desk import unit_name
from web.frame import moment
from web.metric_words import NOTES
from web.quantities import ZONE, bare_duration
from web.records import CaseFile, names, read_files
from web.sentences import markup, timeline_sentence
from web.texts import language, say
from web.visit import at, by
from web.wording import Names

# So many are written out on a page.
CASES_LISTED: Final = 20


@dataclass(frozen=True, slots=True)
class CaseLine:
    """A case and the entry that decided. belongs: the instant by which it is of this month."""

    title: str
    place: str
    number: str
    address: str
    belongs: str
    note: str
    when: str
    said: Markup | str
    entry: str
    entry_address: str


@dataclass(frozen=True, slots=True)
class Listed:
    """Some of the cases of a part. count: all that one may see; hidden: those one may not."""

    lines: tuple[CaseLine, ...]
    count: int
    hidden: int


def parts_of(
    metric: str,
    rows: Sequence[Contribution],
    place: str,
    by_: str,
    group: str | None,
    people: Directory,
    *,
    own: bool = False,
) -> Mapping[str, list[Contribution]]:
    """What was contributed to one figure, by the number it stands behind.

    own: only what the place's own people had to do, as the index of a community counts it.
    """
    units = people.units.values()
    known = Places(
        {unit.id: unit.kind for unit in units},
        {unit.id: unit.name for unit in units},
        {unit.id: unit.parent or "" for unit in units},
    )
    group_of = grouping(by_, known, ZONE)
    found: dict[str, list[Contribution]] = {}
    for one in within({metric: rows}, place)[metric]:
        if own and one.unit not in known.block(one.path):
            continue
        if group is None or group_of(one) == group:
            found.setdefault(_part(metric, one), []).append(one)
    return {part: found[part] for part in sorted(found, key=_order)}


_FIRST: Final = ("hits", "ended", "counted", "others", "censored")


def _order(part: str) -> tuple[int, str]:
    return (_FIRST.index(part) if part in _FIRST else len(_FIRST), part)


def _part(metric: str, one: Contribution) -> str:
    if one.reason:
        return one.reason
    kind = METRICS[metric].kind
    if kind == "duration":
        return "censored" if one.minutes is None else "ended"
    if kind == "count":
        return one.apart or "counted"
    return "hits" if one.hits == one.of else "others"


def rows_of(
    conn: Connection, people: Directory, metric: str, told: Sequence[Contribution], first: int
) -> Listed:
    """A page of these from number `first` on, the newest first."""
    closed = kept_from(conn, people, {one.case for one in told}, by(), at())
    seen = sorted(
        (one for one in told if one.case not in closed),
        key=lambda one: (one.at, one.case, one.entry),
        reverse=True,
    )
    page = seen[first : first + CASES_LISTED]
    files, called = read_files(conn, {one.case for one in page}), names(people)
    lines = tuple(_line(metric, one, files[one.case], called, people) for one in page)
    return Listed(lines, len(seen), len(told) - len(seen))


def _line(
    metric: str, one: Contribution, file: CaseFile, called: Names, people: Directory
) -> CaseLine:
    record, row = file.record, file.record.timeline[one.entry - 1]
    return CaseLine(
        title=record.title,
        place=record.address or unit_name(people, record.unit),
        number=record.number,
        address=url_for("cases.page", case_id=one.case),
        belongs=moment(one.at),
        note=_note(metric, one),
        when=moment(row.at),
        said=markup(timeline_sentence(record, row, called, language())),
        entry=f"#{row.seq}",
        entry_address=url_for("cases.page", case_id=one.case, _anchor=f"e{row.seq}"),
    )


def _note(metric: str, one: Contribution) -> str:
    """What this one adds to the figure, where that is more than one more."""
    if one.minutes is not None:
        return bare_duration(one.minutes, None, language())
    if METRICS[metric].kind == "rate" and one.of > 1:
        return say("{of} 项里 {hits} 项", of=one.of, hits=one.hits)
    if METRICS[metric].kind == "count" and one.of != one.hits:
        return say("合计 {sum}", sum=one.of)
    return say(NOTES[one.apart]) if one.apart in NOTES else ""
