"""What stands around every page: who is here, where they can go, how they want to see it."""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from flask import Flask, g, request, url_for
from flask_login import current_user
from sqlalchemy import Connection
from werkzeug.local import LocalProxy

from audit.encoding import instant
from audit.reports.facts import CaseRecord
from engine.directory import DUTIES, Directory
from engine.inbox import held_by
from engine.people import By, directory
from engine.rights import watches
from web import moments
from web.anonymous import is_quiet
from web.errands import errands
from web.quantities import ZONE
from web.texts import chosen, either, language, say, say_html
from web.visit import at, fresh_key, here, reads, settings
from web.wording import PURPOSES, category_words, level_words

SCALES: Final = ("120", "140", "160")
THEMES: Final = ("light", "dark")
LIMIT: Final = 99
# What stands under a place in the navigation beside its own pages.
BESIDE: Final = {
    "inbox.mine": ("tasks",),
    "cases.search_page": ("act_search",),
    "receipts.ask": ("residents", "followed"),
    "publication.page": ("hazard_publication",),
}
# Whoever has one of these begins more than hazards.
BEGINNING: Final = frozenset({"whistle", "patrol", "direct", "dispatch"})


@dataclass(frozen=True, slots=True)
class Item:
    """One place in the navigation; count: how many things wait there."""

    address: str
    label: str
    icon: str
    current: bool
    count: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """The spine and the mast of a page; owner: what the browser calls whoever is signed in."""

    where: str
    who: str
    items: tuple[Item, ...]
    demo: bool
    owner: str = ""


def init_app(app: Flask) -> None:
    """Give the templates of this application their words, times and frame."""
    app.jinja_env.globals.update(
        _=say,
        _h=say_html,
        now=at,
        fresh_key=fresh_key,
        moment=moment,
        day=day,
        today=lambda: f"{at().astimezone(ZONE):%Y-%m-%d}",
        time_of_day=time_of_day,
        duties=duties,
        purpose=lambda purpose: either(*PURPOSES[purpose]),
        kind_words=kind_words,
        instant=instant,
        look=look,
        errands=errands,
    )
    app.context_processor(context)

    @app.url_defaults
    def name_the_version(endpoint: str, values: dict[str, Any]) -> None:
        # Browsers keep these files for a year: a new release asks for them by another address.
        if endpoint == "static" and app.static_folder:
            values["v"] = digest(Path(app.static_folder) / values["filename"])


@cache
def digest(path: Path) -> str:
    """The beginning of a file's SHA-256; "" for one that is not there."""
    if not path.is_file():
        return ""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10]


def context() -> dict[str, Any]:
    """What every template knows."""
    return {
        "language": language(),
        "scale": _one_of("scale", SCALES),
        "theme": _one_of("theme", THEMES),
        "quiet": is_quiet(),
        # What was refused cannot be opened as a page again.
        "here": here() if request.method == "GET" else url_for("inbox.home"),
        # Only what stands in a frame reads the database for one: a page that says the database
        # cannot be reached must not need it.
        "frame": LocalProxy(frame),
    }


def _one_of(name: str, known: tuple[str, ...]) -> str:
    told = chosen(name)
    return told if told in known else ""


def look(**changed: str) -> str:
    """This page's address with another choice of language or size, where no cookie keeps it."""
    told = {**(request.view_args or {}), **request.args.to_dict(), **changed}
    return url_for(str(request.endpoint), **{name: value for name, value in told.items() if value})


def frame() -> Frame:
    """The frame of this page for whoever looks at it; made once per request."""
    if "frame" not in g:
        g.frame = _frame()
    made: Frame = g.frame
    return made


def _frame() -> Frame:
    with reads() as conn:
        people = directory(conn)
        # Who is signed in is not even looked up there: that alone would be a trace of the hour.
        if is_quiet() or not current_user.is_authenticated:
            return Frame(
                street(people), say("居民查询，不用登录"), visitor_items(), settings().demo
            )
        by: By = current_user.by
        count = len(held_by(conn, by.person, limit=LIMIT + 1))
        return Frame(
            street(people), who(people, by), worker_items(conn, people, by, count),
            settings().demo, by.person,
        )  # fmt: skip


def street(people: Directory) -> str:
    """The name of the street this log belongs to."""
    names = [unit.name for unit in people.units.values() if unit.kind == "street"]
    return names[0] if names else say("哨迹")


def who(people: Directory, by: By) -> str:
    """王演示　听涛社区·一般网格长: the person and their first post."""
    posts = people.posts_of(by.person, at())
    where = [f"{people.unit(post.unit).name}·{post.title}" for post in posts[:1]]
    return "　".join([people.name(by.person), *(where or [say("现在没有岗位")])])


def visitor_items() -> tuple[Item, ...]:
    """Where somebody can go without signing in."""
    return (
        _item("receipts.ask", say("查回执"), "search"),
        _item("complaints.form", say("投诉"), "report"),
        _item("mailboxes.ask", say("信箱"), "letter"),
        _item("publication.page", say("公示"), "sign"),
        _item("signin.form", say("登录"), "person"),
    )


def worker_items(conn: Connection, people: Directory, by: By, count: int) -> tuple[Item, ...]:
    """Where a signed-in person can go; at most five, so that they fit on a phone."""
    waiting = f"{LIMIT}+" if count > LIMIT else str(count or "")
    held = {one.duty for one in people.capacities(by.person, at())}
    return (
        _item("inbox.mine", say("待办"), "inbox", waiting),
        _item("reporting.begin", say("发起"), "report")
        if held & BEGINNING
        else _item("reporting.form", say("上报"), "report"),
        _item("cases.search_page", say("案件"), "case"),
        _fourth(people, by, held),
        _item("display.own", say("我的"), "person"),
    )


def _fourth(people: Directory, by: By, held: Collection[str]) -> Item:
    """What this person opens most beside their inbox."""
    if "whistle" in held:
        return _item("whistles.form", say("吹哨"), "whistle")
    if {"respond", "command", "dispatch", "supervise", "approve"} & set(held):
        return _item("board.page", say("看板"), "board")
    if "administer" in held:
        return _item("admin.home", say("管理"), "people")
    if watches(people, by, at()):
        return _item("people.who_held", say("岗位"), "people")
    return _item("receipts.ask", say("查回执"), "search")


def moment(instant: datetime) -> str:
    """`11月24日 09:02` in the zone of the street and the language of the page."""
    return moments.moment(instant, ZONE, at(), language())


def day(on: date | datetime) -> str:
    """`11月20日 星期四`."""
    local = on.astimezone(ZONE).date() if isinstance(on, datetime) else on
    return moments.day(local, at(), ZONE, language())


def time_of_day(instant: datetime) -> str:
    """`09:02`."""
    return f"{instant.astimezone(ZONE):%H:%M}"


def duties(held: Iterable[str]) -> str:
    """Duties in words, in the order of the table of duties."""
    kept = set(held)
    return say("、").join(either(*DUTIES[duty]) for duty in DUTIES if duty in kept)


def kind_words(record: CaseRecord) -> str:
    """Category and level of a case: 飞线充电　一般隐患."""
    told = (category_words(record, language()), level_words(record, language()))
    return "　".join(words for words in told if words)


def _item(endpoint: str, label: str, icon: str, count: str = "") -> Item:
    subjects = {endpoint.partition(".")[0], *BESIDE.get(endpoint, ())} - {"display"}
    current = request.endpoint == endpoint or request.blueprint in subjects
    return Item(url_for(endpoint), label, icon, current, count)
