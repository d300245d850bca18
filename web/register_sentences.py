"""Changes of the registers as sentences: who changed what, from what, to what."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from flask import url_for
from markupsafe import Markup

from audit.encoding import instant
from audit.entries import ENGINE
from audit.vocabulary import TYPES
from engine.directory import KINDS, Directory
from engine.register_changes import Changed
from web.frame import day, duties, moment, time_of_day
from web.quantities import ZONE
from web.texts import either, say, say_html

# The registers as addresses name them, and their streams.
REGISTERS: Final[Mapping[str, str]] = {
    "units": "@units",
    "people": "@people",
    "accounts": "@accounts",
    "calendars": "@calendar",
    "definitions": "@definitions",
}
_NAMED: Final = {stream: register for register, stream in REGISTERS.items()}


@dataclass(frozen=True, slots=True)
class Called:
    """What names are looked up in: the register, account names by id, titles by process."""

    people: Directory
    accounts: Mapping[str, str]
    processes: Mapping[str, str]

    def unit(self, unit: str) -> str:
        """A unit's present name, or its id where there is none."""
        known = self.people.units.get(unit)
        return known.name if known else unit


@dataclass(frozen=True, slots=True)
class Told:
    """A change as a line of a history; address: of its event."""

    seq: int
    time: str
    said: Markup
    address: str


def history(changed: Iterable[Changed], called: Called) -> list[tuple[str, list[Told]]]:
    """Changes by day, newest first."""
    newest = sorted(changed, key=lambda one: (one.entry.at, one.entry.seq), reverse=True)
    by_day = groupby(newest, key=lambda one: one.entry.at.astimezone(ZONE).date())
    return [(day(on), [_told(one, called) for one in group]) for on, group in by_day]


def _told(changed: Changed, called: Called) -> Told:
    entry = changed.entry
    register = _NAMED[entry.stream]
    address = url_for("admin.record", register=register, seq=entry.seq)
    return Told(entry.seq, time_of_day(entry.at), sentence(changed, called), address)


def sentence(changed: Changed, called: Called) -> Markup:
    """One change as a sentence."""
    tell = _SENTENCES.get(changed.entry.type, _other)
    return tell(who(changed.entry.actor, called), changed, called)


def who(actor: Mapping[str, Any], called: Called) -> str:
    """The person behind an event, or the installation."""
    if actor == ENGINE:
        return say("建库程序")
    name = called.people.name(actor["person"])
    absent = actor.get("on_behalf_of")
    if absent is None:
        return name
    return say("{name}（代{absent}）", name=name, absent=called.people.name(absent))


def _unit_created(by: str, one: Changed, called: Called) -> Markup:
    data = one.entry.data
    above = data.get("parent")
    return say_html(
        "{by} 设立<b>{unit}</b>（{kind}{above}），{period}。",
        by=by,
        unit=data["name"],
        kind=either(*KINDS[data["kind"]][:2]),
        above=say("，上级{unit}", unit=called.unit(above)) if above else "",
        period=_period(data),
    )


def _unit_renamed(by: str, one: Changed, called: Called) -> Markup:
    return say_html(
        "{by} 把<b>{old}</b>改名为<b>{new}</b>。",
        by=by,
        old=one.before.get("name", one.subject),
        new=one.entry.data["name"],
    )


def _unit_closed(by: str, one: Changed, called: Called) -> Markup:
    return say_html(
        "{by} 撤销<b>{unit}</b>：原来{old}，现在{new}。原因：{reason}",
        by=by,
        unit=one.known.get("name", one.subject),
        old=_until(one.before),
        new=_until(one.entry.data),
        reason=one.entry.data["reason"],
    )


def _person_registered(by: str, one: Changed, called: Called) -> Markup:
    return say_html(
        "{by} 登记<b>{name}</b>，记录中的代号 {id}。",
        by=by,
        name=called.people.name(one.subject),
        id=one.subject,
    )


def _name_corrected(by: str, one: Changed, called: Called) -> Markup:
    return say_html(
        "{by} 更正 {id} 的姓名，现在叫<b>{name}</b>。旧名不保存，记录里只有它的指纹。",
        by=by,
        name=called.people.name(one.subject),
        id=one.subject,
    )


def _post_granted(by: str, one: Changed, called: Called) -> Markup:
    data = one.entry.data
    return say_html(
        "{by} 任命<b>{name}</b>为{unit}·{title}，职责：{duties}，{period}。原因：{reason}",
        by=by,
        name=called.people.name(data["person"]),
        unit=called.unit(data["unit"]),
        title=data["title"],
        duties=duties(data["duties"]) or say("无"),
        period=_period(data),
        reason=data["reason"],
    )


def _post_ended(by: str, one: Changed, called: Called) -> Markup:
    known = one.known
    return say_html(
        "{by} 结束<b>{name}</b>的岗位{unit}·{title}：原来{old}，现在{new}。原因：{reason}",
        by=by,
        name=called.people.name(known.get("person", "")),
        unit=called.unit(known.get("unit", "")),
        title=known.get("title", one.subject),
        old=_until(one.before),
        new=_until(one.entry.data),
        reason=one.entry.data["reason"],
    )


def _substitute_named(by: str, one: Changed, called: Called) -> Markup:
    data = one.entry.data
    return say_html(
        "{by} 指定<b>{name}</b>代理{absent}{posts}，{period}。原因：{reason}",
        by=by,
        name=called.people.name(data["substitute"]),
        absent=called.people.name(data["absent"]),
        posts=_posts(data.get("posts"), called),
        period=_period(data),
        reason=data["reason"],
    )


def _substitute_ended(by: str, one: Changed, called: Called) -> Markup:
    known = one.known
    return say_html(
        "{by} 结束<b>{name}</b>对{absent}的代理：原来{old}，现在{new}。原因：{reason}",
        by=by,
        name=called.people.name(known.get("substitute", "")),
        absent=called.people.name(known.get("absent", "")),
        old=_until(one.before),
        new=_until(one.entry.data),
        reason=one.entry.data["reason"],
    )


def _calendar_published(by: str, one: Changed, called: Called) -> Markup:
    data = one.entry.data
    years = say("、").join(map(str, data["years"]))
    if not one.before:
        return say_html(
            "{by} 发布工作日历<b>第 {new} 版</b>，已公布的年份：{years}。",
            by=by, new=data["version"], years=years,
        )  # fmt: skip
    return say_html(
        "{by} 发布工作日历<b>第 {new} 版</b>，原来是第 {old} 版；已公布的年份：{years}。",
        by=by, new=data["version"], old=one.before["version"], years=years,
    )  # fmt: skip


def _definition_deployed(by: str, one: Changed, called: Called) -> Markup:
    data = one.entry.data
    title = called.processes.get(data["key"], data["key"])
    if not one.before:
        return say_html(
            "{by} 部署流程<b>{title}</b>第 {new} 版。", by=by, title=title, new=data["version"]
        )
    return say_html(
        "{by} 部署流程<b>{title}</b>第 {new} 版，原来是第 {old} 版；有变动的文件：{files}。",
        by=by,
        title=title,
        new=data["version"],
        old=one.before["version"],
        files=say("、").join(_differing(one.before["files"], data["files"])) or say("无"),
    )


def _account_created(by: str, one: Changed, called: Called) -> Markup:
    return say_html(
        "{by} 给<b>{name}</b>开设账号 {account}。",
        by=by,
        name=called.people.name(one.entry.data["person"]),
        account=called.accounts.get(one.subject, one.subject),
    )


def _password_changed(by: str, one: Changed, called: Called) -> Markup:
    account = called.accounts.get(one.subject, one.subject)
    if one.entry.actor.get("capacity") == "owner":
        return say_html("{by} 换了自己的密码（账号 {account}）。", by=by, account=account)
    return say_html("{by} 给账号<b>{account}</b>设了新密码。", by=by, account=account)


def _account_disabled(by: str, one: Changed, called: Called) -> Markup:
    return say_html(
        "{by} 停用账号<b>{account}</b>，不能再登录。原因：{reason}",
        by=by,
        account=called.accounts.get(one.subject, one.subject),
        reason=one.entry.data["reason"],
    )


def _account_linked(by: str, one: Changed, called: Called) -> Markup:
    account = called.accounts.get(one.subject, one.subject)
    data = one.entry.data
    if one.entry.actor.get("capacity") == "owner":
        return say_html(
            "{by} 给自己的账号 {account} 绑定了统一登录（{link}，{issuer}）。",
            by=by, account=account, link=data["link"], issuer=data["issuer"],
        )  # fmt: skip
    return say_html(
        "{by} 给账号<b>{account}</b>绑定了统一登录（{link}，{issuer}）。原因：{reason}",
        by=by, account=account, link=data["link"], issuer=data["issuer"], reason=data["reason"],
    )  # fmt: skip


def _account_unlinked(by: str, one: Changed, called: Called) -> Markup:
    account = called.accounts.get(one.subject, one.subject)
    data = one.entry.data
    issuer = one.before.get("issuer", "")
    if one.entry.actor.get("capacity") == "owner":
        return say_html(
            "{by} 解除了自己账号 {account} 的统一登录（{link}，{issuer}）。",
            by=by, account=account, link=data["link"], issuer=issuer,
        )  # fmt: skip
    return say_html(
        "{by} 解除了账号<b>{account}</b>的统一登录（{link}，{issuer}）。原因：{reason}",
        by=by, account=account, link=data["link"], issuer=issuer, reason=data["reason"],
    )  # fmt: skip


def _other(by: str, one: Changed, called: Called) -> Markup:
    type_ = TYPES[one.entry.type]
    subject = called.accounts.get(one.subject, one.subject)
    return say_html(
        "{by} {what}：<b>{subject}</b>。",
        by=by, what=either(type_.chinese, type_.english), subject=subject,
    )  # fmt: skip


_SENTENCES: Final[Mapping[str, Callable[[str, Changed, Called], Markup]]] = {
    "unit.created": _unit_created,
    "unit.renamed": _unit_renamed,
    "unit.closed": _unit_closed,
    "person.registered": _person_registered,
    "person.name_corrected": _name_corrected,
    "post.granted": _post_granted,
    "post.ended": _post_ended,
    "substitute.named": _substitute_named,
    "substitute.ended": _substitute_ended,
    "calendar.published": _calendar_published,
    "definition.deployed": _definition_deployed,
    "account.created": _account_created,
    "account.password_changed": _password_changed,
    "account.disabled": _account_disabled,
    "account.linked": _account_linked,
    "account.unlinked": _account_unlinked,
}


def _posts(posts: Iterable[str] | None, called: Called) -> str:
    if posts is None:
        return ""
    titles = [called.people.posts[post].title for post in posts if post in called.people.posts]
    return say("（只代{titles}）", titles=say("、").join(titles))


def _period(data: Mapping[str, Any]) -> str:
    begins = moment(instant(data["from"]))
    if "to" not in data:
        return say("从 {begins} 起", begins=begins)
    return say("从 {begins} 到 {ends}", begins=begins, ends=moment(instant(data["to"])))


def _until(data: Mapping[str, Any]) -> str:
    if "to" not in data:
        return say("没有期限")
    return say("到 {moment} 为止", moment=moment(instant(data["to"])))


def _differing(old: Iterable[Mapping[str, str]], new: Iterable[Mapping[str, str]]) -> list[str]:
    """Names of files that are new, gone, or of other content."""
    was = {file["name"]: file["sha256"] for file in old}
    now = {file["name"]: file["sha256"] for file in new}
    return sorted(name for name in was.keys() | now.keys() if was.get(name) != now.get(name))
