"""The administrator's pages: where they begin, and what was changed by whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from flask import abort, render_template, request, url_for

from audit import sequence
from audit.vocabulary import TYPES
from engine.account_list import Listed, list_accounts
from engine.calendar import Calendar
from engine.calendar_versions import NoCalendar, calendar
from engine.directory import DUTIES, Directory, valid
from engine.people import directory
from web import (
    admin_accounts,
    admin_calendars,
    admin_definitions,
    admin_duties,
    admin_import,
    admin_index,
    admin_people,
    admin_units,
)
from web.admin_pages import pages
from web.quantities import ZONE
from web.register_sentences import REGISTERS, history, sentence, who
from web.registers import called, changed
from web.texts import either, say
from web.visit import at, reads

# Each brings its own pages under /admin.
PARTS: Final = (
    admin_units, admin_people, admin_accounts, admin_duties, admin_calendars, admin_definitions,
    admin_import, admin_index,
)  # fmt: skip

LATELY: Final = 8
A_PAGE: Final = 100
# From October on the next year's calendar is due: its notice appears in November.
NOTICE_MONTH: Final = 10


@dataclass(frozen=True, slots=True)
class Place:
    """Where one can go: icon, name, and what is to be found there."""

    address: str
    icon: str
    name: str
    told: str


@pages.get("/")
def home() -> str:
    """All registers, what asks for a look, and the latest changes."""
    with reads() as conn:
        people = directory(conn)
        accounts = list_accounts(conn, at=at())
        try:
            cal = calendar(conn)
        except NoCalendar:
            cal = None
        newest = sorted(changed(conn, *REGISTERS), key=lambda one: one.entry.at)[-LATELY:]
        lately = history(newest, called(conn))
    return render_template(
        "admin.html",
        places=_places(people, accounts),
        concerns=_concerns(people, accounts, cal),
        history=lately,
    )


@pages.get("/history/<register>")
def register_history(register: str) -> str:
    """Everything that was changed in a register, newest first."""
    if register not in REGISTERS:
        abort(404)
    asked = request.args.get("page", "1")
    page = int(asked[:6]) if asked.isdecimal() else 1
    with reads() as conn:
        everything = changed(conn, register)[::-1]
        shown = everything[(max(page, 1) - 1) * A_PAGE :][:A_PAGE]
        told = history(shown, called(conn))
    return render_template(
        "admin_history.html",
        register=register,
        name=_register_name(register),
        history=told,
        count=len(everything),
        page=page,
        further=len(everything) > page * A_PAGE,
    )


@pages.get("/records/<register>/<int:seq>")
def record(register: str, seq: int) -> str:
    """One event: what it says, who is behind it, its bytes and its hash."""
    if register not in REGISTERS:
        abort(404)
    with reads() as conn:
        one = next((c for c in changed(conn, register) if c.entry.seq == seq), None)
        if one is None:
            abort(404)
        names = called(conn)
        leaf = sequence.leaf_index(conn, one.entry.hash)
    actor = one.entry.actor
    type_ = TYPES[one.entry.type]
    return render_template(
        "admin_record.html",
        register=register,
        name=_register_name(register),
        entry=one.entry,
        said=sentence(one, names),
        who=who(actor, names),
        where=_where(actor, names.people),
        kind=either(type_.chinese, type_.english.rstrip(".")),
        body=one.entry.body.decode(),
        leaf=leaf,
    )


def _where(actor: dict[str, Any], people: Directory) -> str:
    post = people.posts.get(actor.get("post", ""))
    return f"{people.unit(post.unit).name}·{post.title}" if post else ""


def _register_name(register: str) -> str:
    return {
        "units": say("单位"),
        "people": say("人员和岗位"),
        "accounts": say("账号"),
        "calendars": say("工作日历"),
        "definitions": say("流程定义"),
    }[register]


def _places(people: Directory, accounts: Sequence[Listed]) -> list[Place]:
    units = sum(valid(unit, at()) for unit in people.units.values())
    posts = [post for post in people.posts.values() if valid(post, at())]
    open_ = sum(one.disabled_at is None for one in accounts)
    return [
        Place(url_for("admin.units"), "sign", say("单位"), say("现有 {count} 个", count=units)),
        Place(
            url_for("admin.people"), "people", say("人员和岗位"),
            say(
                "{people} 人在岗，{posts} 个岗位",
                people=len({p.person for p in posts}), posts=len(posts),
            ),
        ),
        Place(url_for("admin.accounts"), "lock", say("账号"), say("在用 {count} 个", count=open_)),
        Place(
            url_for("admin.imports"), "paper", say("导入名册"),
            say("从 Excel 或 CSV，先看结果再确认"),
        ),
        Place(
            url_for("admin.matrix"), "board", say("职责分布"),
            say("哪个单位谁担什么职责，哪里空岗"),
        ),
        Place(url_for("admin.duties"), "eye", say("职责和权限"), say("每项职责能办什么、看什么")),
        Place(url_for("admin.calendars"), "walk", say("工作日历"), say("放假、调休、各版本")),
        Place(url_for("admin.deadlines"), "near", say("时限"), say("各流程每一步限多久")),
        Place(url_for("admin.weights"), "sign", say("指数权重"), say("管控指数按它算，从哪个月起")),
        Place(url_for("admin.definitions"), "case", say("流程定义"), say("查看、检查、部署新版本")),
        Place(
            url_for("people.who_held"), "search", say("谁在哪天任什么岗位"),
            say("按记录回答，代理也算"),
        ),
    ]  # fmt: skip


def _concerns(
    people: Directory, accounts: Sequence[Listed], cal: Calendar | None
) -> list[tuple[str, str]]:
    """What asks for a look: (sentence, address)."""
    told = []
    vacant = [duty for duty in DUTIES if not people.holders(duty, people.units, at())]
    if vacant:
        words = say("、").join(either(*DUTIES[duty]) for duty in vacant)
        told.append((say("没有人担任的职责：{duties}", duties=words), url_for("admin.matrix")))
    locked = [one.name for one in accounts if one.locked_until]
    if locked:
        words = say("密码输错太多次，暂时锁住的账号：{names}", names=say("、").join(locked))
        told.append((words, url_for("admin.accounts")))
    if (year := _unpublished(cal)) is not None:
        words = say("{year} 年的放假安排还没有发布，跨到那一年的时限先按周一到周五算", year=year)
        told.append((words, url_for("admin.calendars")))
    return told


def _unpublished(cal: Calendar | None) -> int | None:
    today = at().astimezone(ZONE).date()
    years = (today.year, today.year + 1) if today.month >= NOTICE_MONTH else (today.year,)
    return next((year for year in years if cal is None or year not in cal.published), None)
