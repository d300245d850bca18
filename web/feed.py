"""One's deadlines as a calendar: a secret address that a phone looks at by itself (RFC 5545).

Two forms. As events, which the calendars of phones show: they leave out tasks. As tasks (VTODO with
DUE), for programs that keep lists of them. Of a confidential case neither says more than that
something is due.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from flask import Blueprint, Response, request
from icalendar import Alarm, Calendar, Component, Event, Todo
from sqlalchemy import Connection, select

from engine import calendar_feeds
from engine.accounts import account_table
from engine.errors import NotFound
from engine.inbox import InboxRow, held_by
from engine.notices import Notice
from web import notice_texts
from web.notice_texts import Told, say_in
from web.texts import Language, later
from web.visit import at, reads, settings

pages = Blueprint("feed", __name__)

Form = Literal["events", "tasks"]
# How long before the limit an event begins, and when a phone rings.
SHOWN: Final = timedelta(minutes=30)
RINGS: Final = (timedelta(days=-1), timedelta(hours=-1))
REFRESH: Final = timedelta(hours=1)
AGE: Final = timedelta(minutes=15)


class NoSuchFeed(NotFound):
    """No calendar has this address; it may have been renewed."""

    def __init__(self) -> None:
        super().__init__(
            "没有这个日历地址，可能已换新。请登录后在“我的－通知”里重新生成。",
            "There is no calendar at this address; it may have been renewed. Sign in and make one.",
        )


@dataclass(frozen=True, slots=True)
class Due:
    """A deadline in words, with what tells it from others and does not change."""

    key: str
    told: Told
    due: datetime
    since: datetime


@pages.get("/calendar/<token>.ics")
def events(token: str) -> Response:
    """The calendar as phones show it."""
    return _answer(token, "events")


@pages.get("/calendar/<token>/tasks.ics")
def tasks(token: str) -> Response:
    """The same as tasks, for programs that keep lists of them."""
    return _answer(token, "tasks")


def _answer(token: str, form: Form) -> Response:
    with reads() as conn:
        person = calendar_feeds.whose(conn, token)
        locale = person and _locale(conn, person)
        if not person or not locale:
            raise NoSuchFeed
        held = deadlines(conn, person, locale, at())
    body = calendar(held, form, locale, settings().public_url, salt=token)
    response = Response(body, content_type="text/calendar; charset=utf-8")
    response.headers["Cache-Control"] = f"private, max-age={int(AGE.total_seconds())}"
    response.headers["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    response.set_etag(hashlib.sha256(body).hexdigest()[:32])
    response.make_conditional(request)
    return response


def _locale(conn: Connection, person: str) -> Language | None:
    """The language of a person's account, or None where it is disabled."""
    query = select(account_table.c.locale).where(
        account_table.c.person == person, account_table.c.disabled_at.is_(None)
    )
    row = conn.execute(query.order_by(account_table.c.id)).first()
    return None if row is None else "en" if row.locale == "en" else "zh"


def deadlines(conn: Connection, person: str, locale: Language, now: datetime) -> list[Due]:
    """The steps a person holds whose clocks run, as they are told to a calendar."""
    rows = [row for row in held_by(conn, person) if row.due and row.paused_until is None]
    return [_due(conn, row, person, locale, now) for row in rows]


def _due(conn: Connection, row: InboxRow, person: str, locale: Language, now: datetime) -> Due:
    notice = Notice(person, "handed", row.case, row.task, 0, row.opened_at)
    told = notice_texts.read(conn, notice, locale, now)
    assert row.due is not None  # noqa: S101 - deadlines leaves the others out
    return Due(f"{row.case} {row.task}", told, row.due, row.started or row.opened_at)


def calendar(
    held: Iterable[Due], form: Form, locale: Language, public_url: str, *, salt: str
) -> bytes:
    """These deadlines as an iCalendar object; equal ones give equal bytes.

    salt: mixed into the ids, so that none tells which case it stands for.
    """
    made = Calendar()
    made.add("prodid", "-//shaoji//deadlines//ZH")
    made.add("version", "2.0")
    made.add("method", "PUBLISH")
    name = say_in(locale, later("哨迹时限"))
    made.add("name", name)
    made.add("x-wr-calname", name)
    made.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    made.add("x-published-ttl", "PT1H")
    for one in held:
        made.add_component(_component(one, form, locale, public_url, salt))
    return bytes(made.to_ical())


def _component(one: Due, form: Form, locale: Language, public_url: str, salt: str) -> Component:
    item: Component = Event() if form == "events" else Todo()
    due = one.due.astimezone(UTC)
    item.add("uid", f"{hashlib.sha256(f'{salt} {one.key}'.encode()).hexdigest()[:32]}@shaoji")
    item.add("dtstamp", one.since.astimezone(UTC))
    item.add("summary", summary(one.told, locale))
    if one.told.place:
        item.add("location", one.told.place)
    if public_url:
        item.add("url", public_url + one.told.path)
    if form == "events":
        item.add("dtstart", due - SHOWN)
        item.add("dtend", due)
        item.add("transp", "TRANSPARENT")  # a limit keeps nobody from other appointments
    else:
        item.add("due", due)
        item.add("status", "NEEDS-ACTION")
    for before in RINGS:
        item.add_component(_alarm(summary(one.told, locale), before, form))
    return item


def _alarm(words: str, before: timedelta, form: Form) -> Alarm:
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", words)
    # Of an event the limit is its end; of a task DUE is what END stands for (RFC 5545 §3.8.6.3).
    alarm.add("trigger", before, parameters={"RELATED": "END"})
    return alarm


def summary(told: Told, locale: Language) -> str:
    """`整改 车棚飞线充电 到时`; of a confidential case only that something waits."""
    if not told.title:
        return told.what
    return say_in(locale, later("{verb} {title} 到时"), verb=told.verb, title=told.title)
