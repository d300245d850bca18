"""Who did what: acts on cases found as the page finds them; a person only after it is recorded."""

from datetime import date, datetime
from typing import Literal

from pydantic import Field
from sqlalchemy import Connection

from audit.reports.facts import Timing
from engine.act_search import search_acts
from engine.inquiries import record_search, searched
from engine.people import directory
from web.act_kinds import kind_of, offered
from web.acts_found import Act, act_query, acts_found
from web.api import telling
from web.api.actors import Who, sentence, who
from web.api.operations import Command, acts, shows, subject
from web.api.shapes import Acting, Asked, Bilingual, Choice, Named, Paging, Told, Word
from web.texts import later
from web.visit import at, by, reads, surveys

operations = subject("acts", later("谁做了什么"))
SCOPE = "cases:read"


class ActsWanted(Paging):
    """What narrows it. search: number of a recorded search for a person.

    unit: of whoever did it, with the units below. title: of their post. place: where the case is,
    with the places below. kind: see /acts/kinds. late: 0 what was done in time, 1 what was late.
    since, until: days.
    """

    search: int | None = Field(default=None, ge=1, le=999_999_999)
    unit: Word = ""
    title: Word = ""
    place: Word = ""
    kind: Word = ""
    process: Word = ""
    late: Literal["", "0", "1"] = ""
    since: date | None = Field(default=None, ge=date(1900, 1, 1), le=date(2100, 1, 1))
    until: date | None = Field(default=None, ge=date(1900, 1, 1), le=date(2100, 1, 1))


class TimingTold(Told):
    """How long it took against how long it might: minutes of its own clock (natural, working).

    state: in_time or late; late with late 0: an earlier limit was missed.
    """

    state: str
    clock: str
    used: int | None
    allowed: int | None
    late: int


class ActTold(Told):
    """An act on a case; timing null: it had no limit."""

    case: str
    href: str
    number: str
    title: str
    seq: int
    at: datetime
    type: str
    who: Who
    sentence: Bilingual
    timing: TimingTold | None


class ActPage(Told):
    """Acts, newest first. person: whom the search is about.

    A page may be short though more follows: of cases somebody is kept out of nothing is told.
    """

    person: Named | None
    items: list[ActTold]
    next: str | None


class ActKinds(Told):
    """What may be asked for as kind, by heading, in the language of the request."""

    items: list[Choice]


class Looked(Asked):
    """Whom to look up: the id of a person."""

    person: Word


class SearchTold(Told):
    """A search for a person, on the record: its number opens their acts for 12 hours."""

    search: int
    person: Named
    href: str


@shows(operations, "/acts", later("谁做了什么：我看得到的案件里的经过"), ActPage, SCOPE)
def found(query: ActsWanted) -> ActPage:
    """What was done on cases this person may see."""
    told = query.model_dump(mode="json", exclude={"search", "after", "limit"})
    narrowed = {name: value for name, value in told.items() if value}
    with surveys() as conn:
        people = directory(conn)
        person = searched(conn, query.search, by=by(), at=at()) if query.search else ""
        kind = kind_of(conn, query.kind) if query.kind else None
        asked = act_query(people, person, narrowed, kind)
        page = search_acts(
            conn, asked, people, by=by(), at=at(), after=query.after, limit=query.limit
        )
        items = [_act(one) for one in acts_found(conn, people, page)]
    return ActPage(
        person=telling.person(people, person) if person else None,
        items=items,
        next=telling.next_href(page.after),
    )


@shows(operations, "/acts/kinds", later("查经过时可以选哪些种类"), ActKinds, SCOPE)
def kinds() -> ActKinds:
    """What may be asked for as kind."""
    with reads() as conn:
        return ActKinds(items=telling.choices(offered(conn)))


@acts(
    operations, "/acts", later("按人查经过：先留下记录，再看"), SCOPE, answer=SearchTold, status=201
)  # fmt: skip
def look_up(header: Acting, body: Looked) -> Command:
    """Look somebody up: that is on the record before anything is told."""

    def look(conn: Connection, _key: str) -> SearchTold:
        number = record_search(conn, body.person, by=by(), at=at())
        return SearchTold(
            search=number,
            person=telling.person(directory(conn), body.person),
            href=f"{operations.url_prefix}/acts?search={number}",
        )

    return look


def _act(act: Act) -> ActTold:
    record, row, called = act.record, act.row, act.called
    return ActTold(
        case=record.case,
        href=telling.case_href(record.case),
        number=record.number,
        title=record.title,
        seq=row.seq,
        at=row.at,
        type=row.type,
        who=who(row.actor, called),
        sentence=sentence(record, row, called),
        timing=_timing(row.timing),
    )


def _timing(timing: Timing | None) -> TimingTold | None:
    if timing is None or timing.clock is None or timing.state not in ("in_time", "late"):
        return None
    return TimingTold(
        state=timing.state, clock=timing.clock, used=timing.used, allowed=timing.allowed,
        late=timing.late,
    )  # fmt: skip
