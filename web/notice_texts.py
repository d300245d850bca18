"""What notices say, in Chinese and English; of a confidential case only that something waits.

An ordinary notice has verb, title, place, limit and link: no name, no reason, no answer of a form.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote

from sqlalchemy import Connection

from audit.encoding import instant
from engine.casework import Desk, look
from engine.notices import Notice
from engine.state import OpenTask
from web.letters import Letter
from web.moments import moment
from web.quantities import ZONE
from web.texts import Language, english, later

WHAT: Final[Mapping[str, str]] = {
    "handed": later("交给您办"),
    "claimable": later("可以认领"),
    "returned": later("退回给您，请重办"),
    "warned": later("时限已用 {percent}%"),
    "overdue": later("已超过时限"),
    "escalated": later("逾期未办，请您督促"),
    "urged": later("催办"),
    "ordered": later("督办，请办理并答复"),
    "request": later("有申请等您审批"),
    "granted": later("您的申请已同意"),
    "refused": later("您的申请没有同意"),
    "answered": later("您的督办有答复"),
    "closed": later("您上报的事已办结"),
    "ruled": later("您提的异议已裁定"),
    "typed": later("有人替您录入，请看是不是您说的"),
    "disavowed": later("您代录的，本人说不是他说的"),
}
SEALED: Final = later("您有一件待办，请登录查看")
# In a unit's group nobody is "you".
IN_GROUPS: Final[Mapping[str, str]] = {
    "handed": later("已交办"),
    "returned": later("已退回重办"),
    "escalated": later("逾期未办"),
    "request": later("有申请等审批"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """One notice in words. what: why it comes, and the verb; of confidential cases no more."""

    what: str
    verb: str
    title: str
    place: str
    due: datetime | None
    path: str

    @property
    def subject(self) -> str:
        """In one line, without place and limit."""
        return f"{self.what} {self.title}" if self.title else self.what


def tell(notice: Notice, desk: Desk, place: str, locale: Language, *, group: bool = False) -> Told:
    """A notice in words. place: the address of the case, or the name of its unit."""
    task = desk.case.tasks.get(notice.task)
    due = _due(task)
    if desk.case.confidential:
        return Told(say_in(locale, SEALED), "", "", "", due, "/inbox")
    kinds = {**WHAT, **IN_GROUPS} if group else WHAT
    why = say_in(locale, kinds[notice.kind], **_percent(notice))
    drawn = desk.context.definition.tasks[task.element] if task else None
    verb = drawn and (drawn.verb if locale == "zh" else drawn.verb_en or drawn.name_en)
    what = say_in(locale, later("{why}：{verb}"), why=why, verb=verb) if verb else why
    path = f"/cases/{quote(notice.case)}"
    if task is not None:
        path += f"/tasks/{quote(notice.task)}"
    return Told(what, verb or "", " ".join(desk.case.title.split()), place, due, path)


def read(conn: Connection, notice: Notice, locale: Language, at: datetime) -> Told:
    """A notice in words as its case stands now."""
    desk = look(conn, notice.case, at)
    return tell(notice, desk, place_of(conn, desk), locale)


def place_of(conn: Connection, desk: Desk) -> str:
    """Where a case is, in words."""
    place = desk.case.opened["place"]
    return str(place.get("address") or desk.directory.unit(place["unit"]).name)


def single(told: Told, public_url: str, locale: Language, at: datetime) -> Letter:
    """One notice as a letter of its own."""
    lines = [told.subject, *_details(told, locale, at)]
    return Letter(told.subject, tuple(lines), public_url + told.path, told.due, locale)


def digest(all_: Sequence[Told], public_url: str, locale: Language, at: datetime) -> Letter:
    """Many notices as one letter, each a line."""
    subject = say_in(locale, later("今天有 {count} 件事要您知道"), count=len(all_))
    lines = [" · ".join([told.subject, *_details(told, locale, at)]) for told in all_]
    due = min((told.due for told in all_ if told.due), default=None)
    return Letter(subject, (subject, *lines), f"{public_url}/inbox", due, locale)


def trial(public_url: str, locale: Language) -> Letter:
    """A letter that shows that the channel works."""
    subject = say_in(locale, later("哨迹试发的通知"))
    line = say_in(locale, later("收到这一条，说明这个渠道能用。"))
    return Letter(subject, (subject, line), f"{public_url}/me/notices", None, locale)


def confirmation(code: str, public_url: str, locale: Language) -> Letter:
    """A letter with the code that confirms its own address."""
    subject = say_in(locale, later("哨迹确认码 {code}"), code=code)
    line = say_in(
        locale, later("请在“我的－通知”里填写确认码，一小时内有效。不是您本人操作的，请不要理会。")
    )
    return Letter(subject, (subject, line), f"{public_url}/me/notices", None, locale)


def say_in(locale: Language, chinese: str, **values: object) -> str:
    """A sentence in the language of whoever reads it, wherever no request says which."""
    text = chinese if locale == "zh" else english().get(chinese, chinese)
    return text.format(**values) if values else text


def _details(told: Told, locale: Language, at: datetime) -> list[str]:
    lines = []
    if told.place:
        lines.append(say_in(locale, later("地点：{place}"), place=told.place))
    if told.due is not None:
        due = moment(told.due, ZONE, at, locale)
        lines.append(say_in(locale, later("时限：{due}"), due=due))
    return lines


def _percent(notice: Notice) -> dict[str, object]:
    return {"percent": notice.percent} if notice.kind == "warned" else {}


def _due(task: OpenTask | None) -> datetime | None:
    running = task is not None and task.clock is not None and task.pause is None
    return instant(task.clock.due) if running and task and task.clock else None
