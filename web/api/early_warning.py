"""Early warnings of what one looks over, and what is said to come of one."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field
from sqlalchemy import Connection

from audit.early_warning.record import EarlyWarning
from engine.directory import Directory
from engine.early_warning import answer_warning, warning_of, warnings_for
from engine.people import directory
from web.api import telling
from web.api.operations import Command, acts, shows, subject
from web.api.shapes import Acting, Asked, Bilingual, Named, Paging, Told
from web.early_warning import OPEN, is_in
from web.texts import later
from web.visit import at, by, reads
from web.warning_words import asks_of, name_of, says_of

operations = subject("warnings", later("预警"))
LONGEST = 10
READING, ACTING = "cases:read", "cases:act"


class WarningPaging(Paging):
    """state: whether somebody has answered it."""

    state: Literal["open", "answered", "all"] = OPEN


class WarningPath(Asked):
    """seq: the number of the warning."""

    seq: int = Field(ge=1, le=999_999_999)


class Answering(Asked):
    """text: what comes of the warning."""

    text: str = Field(min_length=1, max_length=4000)


class AnswerTold(Told):
    """What somebody said comes of it."""

    seq: int
    at: datetime
    person: Named
    text: str


class WarningTold(Told):
    """A line that the figure of a unit crossed. says: figure and line in words.

    test, limit: per cent, points, hours or a count, as its name says. numbers: of the figure, by
    name. until: up to when the month was counted; size, root: of the checkpoint it was counted at.
    """

    seq: int
    at: datetime
    href: str
    rule: str
    name: Bilingual
    says: Bilingual
    asks: Bilingual
    metric: str
    month: str
    until: datetime
    by: str
    unit: Named
    test: str
    limit: int
    numbers: dict[str, int]
    size: int
    root: str
    thresholds: dict[str, Any]
    formulas: dict[str, Any]
    answers: list[AnswerTold]


class WarningPage(Told):
    """Early warnings, newest first."""

    items: list[WarningTold]
    next: str | None


@shows(operations, "/warnings", later("预警：哪个指标越过了线"), WarningPage, READING)
def warnings(query: WarningPaging) -> WarningPage:
    """The early warnings about what this person looks over."""
    place = query.after or ""
    behind = int(place) if place.isdecimal() and len(place) < LONGEST else None
    with reads() as conn:
        people = directory(conn)
        told = [one for one in warnings_for(conn, people, by(), at()) if is_in(one, query.state)]
    found = [one for one in told if behind is None or one.seq < behind]
    shown = found[: query.limit]
    after = str(shown[-1].seq) if len(found) > len(shown) else None
    return WarningPage(items=[_told(one, people) for one in shown], next=telling.next_href(after))


@shows(operations, "/warnings/<int:seq>", later("一条预警"), WarningTold, READING)
def one(path: WarningPath) -> WarningTold:
    """One early warning."""
    with reads() as conn:
        people = directory(conn)
        return _told(warning_of(conn, path.seq, people, by(), at()), people)


@acts(
    operations, "/warnings/<int:seq>/answers", later("答复预警"), ACTING,
    answer=WarningTold, status=201,
)  # fmt: skip
def answer(path: WarningPath, header: Acting, body: Answering) -> Command:
    """Say what comes of an early warning."""

    def say(conn: Connection, _key: str) -> WarningTold:
        answer_warning(conn, path.seq, body.text, by=by(), at=at())
        people = directory(conn)
        return _told(warning_of(conn, path.seq, people, by(), at()), people)

    return say


def _told(one: EarlyWarning, people: Directory) -> WarningTold:
    return WarningTold(
        seq=one.seq,
        at=one.at,
        href=f"{operations.url_prefix}/warnings/{one.seq}",
        rule=one.rule,
        name=Bilingual(zh=name_of(one, "zh"), en=name_of(one, "en")),
        says=Bilingual(zh=says_of(one, "zh"), en=says_of(one, "en")),
        asks=Bilingual(zh=asks_of(one, "zh"), en=asks_of(one, "en")),
        metric=one.metric,
        month=one.month,
        until=one.until,
        by=one.by,
        unit=telling.unit(people, one.unit),
        test=one.test,
        limit=one.limit,
        numbers=dict(one.numbers),
        size=one.size,
        root=one.root,
        thresholds=dict(one.thresholds),
        formulas=dict(one.formulas),
        answers=[
            AnswerTold(
                seq=said.seq, at=said.at, person=telling.person(people, said.person),
                text=said.text,
            )
            for said in one.answers
        ],
    )  # fmt: skip
