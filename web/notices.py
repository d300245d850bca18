"""通知: what one was told, how one wants to be told; for administrators what waits or failed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from flask import Blueprint, flash, render_template, request, url_for
from flask_login import login_required
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from engine import calendar_feeds, early_warning, news, notice_board, notice_choices, notice_queue
from engine.casework import look
from engine.directory import Directory
from engine.errors import NotAllowed, NotFound
from engine.notice_board import GROUP
from engine.notice_choices import MAIL, PORTAL, SMS, Address, WrongCode, masked
from engine.notice_queue import OPEN, Message
from engine.notices import Notice
from engine.people import directory
from engine.rights import may_see
from web import notice_texts
from web.channels import NAMES, configured
from web.texts import either, language, later, say
from web.visit import at, by, reads, see_other, settings, writes
from web.warning_words import as_notice

pages = Blueprint("notices", __name__)

SHOWN: Final = 30
ASKED: Final = {MAIL: later("邮箱"), SMS: later("手机号")}
KINDS: Final = {
    "single": later("一条通知"),
    "digest": later("每日汇总"),
    "test": later("试发"),
    "confirm": later("确认码"),
    "group": later("群通知"),
}
STATES: Final = {
    "waiting": later("在等"),
    "sending": later("正在发"),
    "sent": later("已发出"),
    "needless": later("已不必发"),
    "given up": later("已放弃"),
}


class NotForYou(NotAllowed):
    """How notices of everybody stand is for administrators."""

    def __init__(self) -> None:
        super().__init__(
            "只有管理员可以看通知的发送情况。需要了解的，请找管理员。",
            "Only administrators see how notices are being sent; ask one of them.",
        )


class NoSuchChannel(NotFound):
    """No such channel is configured here."""

    def __init__(self) -> None:
        super().__init__(
            "本系统没有配置这个渠道，没有保存。请找管理员。",
            "This channel is not configured here; nothing was saved. Ask the administrator.",
        )


@dataclass(frozen=True, slots=True)
class Line:
    """A notice as a line of one's own page."""

    words: str
    place: str
    due: datetime | None
    at: datetime
    address: str


@dataclass(frozen=True, slots=True)
class Way:
    """A channel as its owner sees it; address: masked, None where there is none yet."""

    channel: str
    name: str
    asked: str
    address: Address | None


@pages.get("/me/notices")
@login_required  # type: ignore[untyped-decorator]
def own() -> str:
    """What one was told of late, and how one wants to be told."""
    return _own()


def _own(feed: str = "") -> str:
    with reads() as conn:
        people = directory(conn)
        mine = notice_board.notices_of(conn, by().person, limit=SHOWN)
        return render_template(
            "notices.html",
            lines=[line for one in mine if (line := _line(conn, one))],
            choice=notice_choices.read_choice(conn, by().person),
            ways=_ways(conn),
            posts=_posts(people),
            has_feed=calendar_feeds.has_feed(conn, by().person),
            feed=feed and _absolute("feed.events", feed),
            feed_tasks=feed and _absolute("feed.tasks", feed),
            demo=settings().demo,
            administers=_administers(people),
        )


def _line(conn: Connection, notice: Notice) -> Line | None:
    """A notice in words; None of what one may not see any more."""
    if notice.kind == early_warning.KIND:
        return _warning(conn, notice)
    desk = look(conn, notice.case, at())
    if not may_see(desk.case, desk.directory, by(), at()):
        return None
    told = notice_texts.tell(notice, desk, notice_texts.place_of(conn, desk), language())
    return Line(told.subject, told.place, told.due, notice.at, told.path)


def _warning(conn: Connection, notice: Notice) -> Line | None:
    people = directory(conn)
    warning = early_warning.warning_told(conn, notice, people, at())
    if warning is None:
        return None
    told = as_notice(warning, people.unit(warning.unit).name, language())
    return Line(told.subject, told.place, None, notice.at, told.path)


def _ways(conn: Connection) -> list[Way]:
    known = notice_choices.addresses(conn, by().person)
    return [
        Way(name, say(NAMES[name]), say(ASKED.get(name, "")), _masked(known.get(name)))
        for name in NAMES
        if name in configured(settings())
    ]


def _masked(address: Address | None) -> Address | None:
    return address and masked(address)


def _posts(people: Directory) -> list[tuple[str, str]]:
    """The posts one holds or stands in for: id, and unit with title."""
    held = {one.post: one for one in people.capacities(by().person, at())}
    return [(id_, f"{people.unit(one.unit).name}·{one.title}") for id_, one in held.items()]


def _absolute(endpoint: str, token: str) -> str:
    """An address to copy: as people reach these pages, where that is configured."""
    if settings().public_url:
        return settings().public_url + url_for(endpoint, token=token)
    return url_for(endpoint, token=token, _external=True)


# --- choosing -------------------------------------------------------------------------------------


@pages.post("/me/notices")
@login_required  # type: ignore[untyped-decorator]
def choose() -> Response:
    """Keep when and by which channels one wants to be told."""
    form = request.form
    with writes() as conn:
        held = {id_ for id_, _ in _posts(directory(conn))}
        notice_choices.choose(
            conn, by().person,
            posts=held & set(form.getlist("post")),
            quiet_from=form.get("quiet_from", ""),
            quiet_until=form.get("quiet_until", ""),
            digest_at=form.get("digest_at", "") if form.get("how") == "digest" else "",
        )  # fmt: skip
        wanted = form.getlist("channel")
        if PORTAL in wanted and PORTAL in configured(settings()):
            notice_choices.use_portal(conn, by().person, at=at())
        notice_choices.want(conn, by().person, wanted)
    flash(say("已保存。"))
    return see_other("notices.own")


@pages.post("/me/notices/<channel>/address")
@login_required  # type: ignore[untyped-decorator]
def set_address(channel: str) -> Response:
    """Give an address; a code is sent there, and it is used once that has come back."""
    _check_channel(channel)
    with writes() as conn:
        told = request.form.get("address", "")
        found = notice_choices.set_address(conn, by().person, channel, told, at=at())
        if not found.confirmed:
            notice_queue.add(conn, by().person, channel, "confirm", due=at())
    if not found.confirmed:
        flash(
            say(
                "确认码已发往 {address}，收到后请填在下面，一小时内有效。",
                address=masked(found).address,
            )
        )
    return see_other("notices.own")


@pages.post("/me/notices/<channel>/confirmation")
@login_required  # type: ignore[untyped-decorator]
def confirm(channel: str) -> Response:
    """Bring back the code that was sent to an address. Raises WrongCode."""
    with writes() as conn:
        code = request.form.get("code", "")
        right = notice_choices.confirm(conn, by().person, channel, code, at=at())
    if not right:  # after the commit: the wrong try stays counted
        raise WrongCode
    flash(say("已确认，今后的通知发到这里。"))
    return see_other("notices.own")


@pages.post("/me/notices/<channel>/removal")
@login_required  # type: ignore[untyped-decorator]
def remove(channel: str) -> Response:
    """Keep an address no longer."""
    with writes() as conn:
        notice_choices.forget_address(conn, by().person, channel)
    flash(say("已删除这个地址。"))
    return see_other("notices.own")


@pages.post("/me/notices/<channel>/test")
@login_required  # type: ignore[untyped-decorator]
def test(channel: str) -> Response:
    """Send oneself a message to see that a channel works."""
    _check_channel(channel)
    with writes() as conn:
        notice_board.try_out(conn, by().person, channel, at=at())
    flash(say("已试发一条，一般一分钟内收到。没有收到的，请告诉管理员。"))
    return see_other("notices.own")


@pages.post("/me/notices/calendar")
@login_required  # type: ignore[untyped-decorator]
def renew_calendar() -> str:
    """Make a calendar address, or another one in place of it; it is shown this once."""
    with writes() as conn:
        token = calendar_feeds.renew(conn, by().person, at=at())
    return _own(token)


@pages.post("/me/notices/calendar/removal")
@login_required  # type: ignore[untyped-decorator]
def remove_calendar() -> Response:
    """End the calendar address."""
    with writes() as conn:
        calendar_feeds.forget(conn, by().person)
    flash(say("日历地址已停用。"))
    return see_other("notices.own")


def _check_channel(channel: str) -> None:
    if channel not in configured(settings()):
        raise NoSuchChannel


# --- for administrators ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trouble:
    """A message that did not leave: to whom, by what, how often tried, and why not."""

    id: str
    what: str
    who: str
    channel: str
    state: str
    since: datetime
    due: datetime | None
    attempts: int
    why: str


@pages.get("/admin/notices")
@login_required  # type: ignore[untyped-decorator]
def sending() -> str:
    """What waits, what failed, and why; never what it says."""
    with reads() as conn:
        people = _for_administrators(conn)
        counts = notice_queue.counts(conn)
        return render_template(
            "notices_sending.html",
            channels=[say(NAMES[name]) for name in NAMES if name in configured(settings())],
            robots=settings().robots is not None,
            untold=news.count(conn),
            counts=[(_channel(name), _counted(states)) for name, states in counts.items()],
            troubles=[_trouble(one, people) for one in notice_queue.troubled(conn)],
            waiting=sum(n for one in counts.values() for state, n in one.items() if state in OPEN),
            demo=settings().demo,
        )


@pages.post("/admin/notices/<message>/retry")
@login_required  # type: ignore[untyped-decorator]
def retry(message: str) -> Response:
    """Send what was given up once more, for another day."""
    with writes() as conn:
        _for_administrators(conn)
        notice_queue.try_again(conn, message, at=at())
    flash(say("已排队重新发送。"))
    return see_other("notices.sending")


def _for_administrators(conn: Connection) -> Directory:
    people = directory(conn)
    if not _administers(people):
        raise NotForYou
    return people


def _administers(people: Directory) -> bool:
    return people.authority(by().person, "administer", None, at()) is not None


def _channel(channel: str) -> str:
    if channel.startswith(GROUP):
        return say("群机器人 {name}", name=channel.removeprefix(GROUP))
    return say(NAMES[channel]) if channel in NAMES else channel


def _counted(states: dict[str, int]) -> list[tuple[str, int]]:
    return [(say(words), states[state]) for state, words in STATES.items() if state in states]


def _trouble(message: Message, people: Directory) -> Trouble:
    return Trouble(
        message.id,
        say(KINDS[message.kind]),
        people.name(message.person) if message.person else "",
        _channel(message.channel),
        message.state,
        message.since,
        message.due if message.state in OPEN else None,
        message.attempts,
        either(message.chinese, message.english),
    )
