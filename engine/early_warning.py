"""预警: the lines that kept figures cross are put on record once, told, and answered by a person.

Raising and its notices are one transaction behind the lock on `@warnings`: after a crash both are
there or neither, and two workers raise nothing twice. What is warned of rests on the kept figures
of one checkpoint, which the entry names, so that anybody with an export of it can count again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine

from audit import log
from audit.early_warning.crossed import Crossed, crossed
from audit.early_warning.record import STREAM, EarlyWarning, warnings_told
from audit.early_warning.thresholds import Thresholds
from audit.encoding import timestamp
from audit.entries import ENGINE, Draft, Entry
from audit.metrics.catalogue import METRICS
from audit.metrics.contributions import Contribution
from audit.metrics.formulas import Formulas
from audit.metrics.places import UNITS, Places, places
from engine.database import reading
from engine.directory import Directory
from engine.errors import NotAllowed, NotFound
from engine.metric_periods import Basis, Counted, at_one_position, basis, kept_list, months
from engine.notice_board import Outlets, put_up
from engine.notices import Notice
from engine.people import By, actor, directory
from engine.reasons import reasoned
from engine.rights import may_answer_for, places_measured

# The month that runs, and the one before it: its last figures may be counted after its end.
LOOKED_AT: Final = 2
# Of the notices that tell of a warning; their case is the stream of warnings.
KIND: Final = "warning"


class NoSuchWarning(NotFound):
    """There is no warning of this number that this person may see."""

    def __init__(self) -> None:
        super().__init__(
            "没有这条预警，或者不归您督查。请从预警列表里打开。",
            "There is no such warning, or it is not yours to look over. Open it from the list.",
        )


class NoWarningsForYou(NotAllowed):
    """Early warnings go to posts that supervise or discipline."""

    def __init__(self) -> None:
        super().__init__(
            "预警发给督查和纪检的岗位，您现在没有这样的岗位。",
            "Early warnings go to posts that supervise or discipline; you hold none now.",
        )


@dataclass(frozen=True, slots=True)
class _Counted:
    """What a month's figures cross, and the position they were counted at."""

    basis: Basis
    month: Counted
    found: Sequence[Crossed]


# --- raised ---------------------------------------------------------------------------------------


def raise_warnings(
    engine: Engine, thresholds: Thresholds, formulas: Formulas, outlets: Outlets, *, at: datetime
) -> int:
    """Put on record which lines the kept figures of the last two months newly cross; how many.

    Nothing is raised before figures were counted by these formulas.
    """
    with reading(engine).begin() as conn:
        counted = at_one_position(conn, lambda: _count(conn, thresholds, formulas))
        known = {one.key for one in warnings_told(log.read(conn, STREAM))}
    if all(_key(one, found) in known for one in counted for found in one.found):
        return 0
    with engine.begin() as conn:
        head = log.take(conn, STREAM)
        known = {one.key for one in warnings_told(log.read(conn, STREAM))}
        drafts = [
            Draft("warning.raised", _data(one, found, thresholds), dict(ENGINE), at)
            for one in counted
            for found in one.found
            if _key(one, found) not in known
        ]
        if not drafts:
            return 0  # Another worker was faster.
        raised, _ = log.append(conn, head, drafts)
        people = directory(conn)
        put_up(conn, _notices(raised, people, at), outlets, at=at)
        return len(raised)


def crossed_in(
    conn: Connection, month: str, thresholds: Thresholds, formulas: Formulas
) -> list[Crossed]:
    """The lines that the kept figures of a month cross, raised or not."""
    told = [one.key for one in months(conn)]
    before = [one for one in told if one < month][-1:]
    rows, earlier = _lists(conn, month), _lists(conn, before[0]) if before else {}
    return crossed(rows, earlier, thresholds, formulas, _units(conn))


def _count(conn: Connection, thresholds: Thresholds, formulas: Formulas) -> list[_Counted]:
    rests = basis(conn)
    if rests is None or rests.formulas != formulas.sha256:
        return []
    return [
        _Counted(rests, one, crossed_in(conn, one.key, thresholds, formulas))
        for one in months(conn)[-LOOKED_AT:]
    ]


def _lists(conn: Connection, month: str) -> Mapping[str, Sequence[Contribution]]:
    return {metric: kept_list(conn, month, metric) for metric in METRICS}


def _units(conn: Connection) -> Places:
    return places(log.read(conn, UNITS))


def _key(counted: _Counted, found: Crossed) -> tuple[str, str, str, int]:
    return found.rule.id, counted.month.key, found.group, found.rule.limit


def _data(counted: _Counted, found: Crossed, thresholds: Thresholds) -> dict[str, Any]:
    rule, rests = found.rule, counted.basis
    return {
        "rule": rule.id,
        "month": counted.month.key,
        "until": timestamp(counted.month.until),
        "metric": rule.metric,
        "by": rule.by,
        "unit": found.group,
        "test": rule.test,
        "limit": rule.limit,
        "thresholds": _pinned("early_warning", thresholds.version, thresholds.sha256),
        "formulas": _pinned("metrics", rests.version, rests.formulas),
        "size": rests.size,
        "root": rests.root,
        **found.numbers,
    }


def _pinned(key: str, version: int, sha256: str) -> dict[str, Any]:
    return {"key": key, "sha256": sha256, "version": version}


def _notices(raised: Iterable[Entry], people: Directory, at: datetime) -> list[Notice]:
    persons = sorted({post.person for post in people.posts.values()})
    return [
        Notice(person, KIND, STREAM, "", entry.seq, entry.at)
        for entry in raised
        for person in persons
        if may_answer_for(people, By(person), entry.data["unit"], at)
    ]


# --- looked at, and answered ----------------------------------------------------------------------


def warnings_for(conn: Connection, people: Directory, by: By, at: datetime) -> list[EarlyWarning]:
    """The warnings about what this person looks over, newest first; raises NoWarningsForYou."""
    if not places_measured(people, by, at):
        raise NoWarningsForYou
    told = warnings_told(log.read(conn, STREAM))
    return [one for one in reversed(told) if may_answer_for(people, by, one.unit, at)]


def unanswered(conn: Connection, people: Directory, by: By, at: datetime) -> int | None:
    """How many warnings wait for this person or their like; None for whoever gets none."""
    if not places_measured(people, by, at):
        return None
    return sum(not one.answers for one in warnings_for(conn, people, by, at))


def warning_of(conn: Connection, seq: int, people: Directory, by: By, at: datetime) -> EarlyWarning:
    """One warning by the number of its entry; raises NoWarningsForYou, NoSuchWarning."""
    told = warnings_for(conn, people, by, at)
    found = next((one for one in told if one.seq == seq), None)
    if found is None:
        raise NoSuchWarning
    return found


def warning_told(
    conn: Connection, notice: Notice, people: Directory, at: datetime
) -> EarlyWarning | None:
    """The warning a notice is about; None if its person looks over that unit no more."""
    told = warnings_told(log.read(conn, STREAM))
    found = next(one for one in told if one.seq == notice.seq)
    mine = may_answer_for(people, By(notice.person), found.unit, at)
    return found if mine is not None else None


def answer_warning(conn: Connection, seq: int, text: str, *, by: By, at: datetime) -> Entry:
    """Say what comes of a warning; more may be said later. Raises what `warning_of` does, NoReason.

    Whoever looks over the unit answers, not the unit: a warning is a question to supervision. The
    same said twice by one person, one straight after the other, is said once.
    """
    said = reasoned(text, what="怎么处理", english="what comes of it")
    head, people = log.take(conn, STREAM), directory(conn)
    told = warning_of(conn, seq, people, by, at)
    authority = may_answer_for(people, by, told.unit, at)
    if authority is None:
        raise NoSuchWarning
    last = told.answers[-1] if told.answers else None
    if last is not None and (last.person, last.text) == (by.person, said):
        return log.read(conn, STREAM, after=last.seq - 1)[0]
    who = actor(authority, authority.duty, channel=by.channel)
    data = {"warning": seq, "text": said}
    (entry,), _ = log.append(conn, head, [Draft("warning.answered", data, who, at)])
    return entry
