"""The supervision hotline of the year: complaints from the web and the desk, to their guard or now.

Who complains is drawn, like everything else here, and so are the salts of what is sealed: the log
is the same on every machine. In a real street both are random. The codes are announced.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple

from engine import cases, holding, mailbox, unsealing
from engine.definition_sets import latest
from engine.receipt_codes import code_of, prepare, register
from engine.sealed_answers import subject_of
from engine.vault import Vault, open_vault
from web.demo.chance import Chance
from web.demo.life import World
from web.demo.town import local

PROCESS: Final = "hotline"
SEEN: Final = "已经看过您反映的情况，决定受理。接下来会指派和被投诉单位没有关系的人核查。"
TOLD: Final = ["checked", "result", "basis", "rights"]


class Code(NamedTuple):
    """A receipt code of the demonstration, and what its complaint is about."""

    code: str
    what: str


@dataclass(frozen=True, slots=True)
class Plot:
    """A complaint to be lived. name: of who complains, "" for an anonymous one.

    until: the step at which it stands on the last evening; "" = it went its way to the end.
    """

    key: str
    opened: datetime
    place: str
    unit: str
    category: str
    text: str
    name: str = ""
    result: str = "substantiated"
    until: str = ""
    said: str = ""


def _found(key: str, opened: datetime, place: str, unit: str, text: str, **more: Any) -> Plot:
    return Plot(key, opened, place, unit, more.pop("category", "service"), text, **more)


PLOTS: Final = (
    # Spring: enough were found true in April to be published, one office's with another's.
    _found("lift", local(2026, 3, 24, 10), "u-tingtao", "u-lanan",
           "电梯困人报了三次，物业每次都说已约维保，没有人来过。", name="演示林夏"),
    _found("heat", local(2026, 3, 25, 20, 10), "u-tingtao", "u-lanan",
           "报修单被改成已办结，其实没有修。", category="concealment"),
    _found("queue", local(2026, 3, 26, 9, 30), "u-wanglan", "u-lanan",
           "物业前台让居民自己去找供电，供电又让回来找物业。"),
    _found("notice", local(2026, 3, 27, 15), "u-songping", "u-songping",
           "公示栏的电话一直打不通，社区说不归他们管。", name="演示方渔"),
    _found("window", local(2026, 3, 30, 10), "u-songping", "u-songping",
           "办证跑了三趟，每趟说的材料都不一样。"),
    _found("lamp", local(2026, 3, 31, 9), "u-songping", "u-songping",
           "路灯报修被退了两次，理由都是请联系别处。"),
    _found("parking", local(2026, 4, 7, 11), "u-yanhe", "u-wanghai",
           "物业收了清障费没有开票。", category="rights", result="unsubstantiated"),
    # Summer.
    _found("drain", local(2026, 7, 6, 9), "u-nanbu", "u-nanbu",
           "积水报到社区，回复说已清掏，照片是去年的。", category="service"),
    _found("noise", local(2026, 7, 7, 21), "u-nanbu", "u-wanghai",
           "夜间施工投诉两次，物业把投诉人的楼号告诉了施工队。", category="rights"),
    _found("fire", local(2026, 7, 8, 10), "u-changting", "u-wanghai",
           "消防通道的锁说拆了，第二天又锁上。", name="演示纪舟"),
    # Autumn, and now.
    _found("guarded", local(2026, 8, 26, 9), "u-wanglan", "u-wanghai",
           "反映充电棚的问题后，物业停了我家的门禁卡。", name="演示秦柚", until="guard"),
    _found("answered", local(2026, 10, 9, 10), "u-tingtao", "u-lanan",
           "楼道灯坏了两个月，物业让等下一批。", until="objection"),
    _found("asked", local(2026, 10, 23, 14), "u-songping", "u-songping",
           "社区把我反映的事在业主群里点了名。", category="rights", name="演示唐蔚",
           until="investigate", said="群聊截图我可以给核查的人看，别给社区。"),
    _found("accused", local(2026, 10, 30, 9, 20), "u-guanchao", "u-tinghe",
           "举报一名工作人员收了施工队的好处。", category="accusation", until="hand_over"),
    _found("fresh", local(2026, 10, 31, 16, 40), "u-guanchao", "u-tinghe",
           "物业说消防水压正常，可是顶楼没有水。", until="accept"),
)  # fmt: skip
ANNOUNCED: Final = {
    "fresh": "刚提交的匿名投诉，等受理",
    "asked": "保密投诉，核查中，可以要求核查人回避",
    "answered": "匿名投诉，已答复，可以不认可结果",
    "guarded": "实名投诉，办结后的保护期，可以报告打击报复",
}


def codes() -> tuple[Code, ...]:
    """The announced receipt codes."""
    return tuple(Code(code_of(_secret(key)), what) for key, what in ANNOUNCED.items())


def vault_of(url: str, key: bytes) -> Vault:
    """A vault of the demonstration: its salts are drawn, so that the log can be lived again."""
    return drawn(open_vault(url, key))


def drawn(vault: Vault) -> Vault:
    """A vault whose commitments are salted by the chance of the demonstration."""
    return replace(vault, salt=Chance("salts of what is sealed").token)


def plan_hotline(world: World, vault: Vault) -> None:
    """Put every complaint of the year on the agenda."""
    for plot in PLOTS:
        teller = Teller(world, vault, plot)
        for when, act in teller.way():
            world.plan(when, act)


def _secret(key: str) -> bytes:
    return Chance("complaint", key).token()


@dataclass(slots=True)
class Teller:
    """A complaint being lived; `case` is its id once it is opened."""

    world: World
    vault: Vault
    plot: Plot
    case: str = ""
    complainant: str = ""

    def way(self) -> Iterator[tuple[datetime, Callable[[], None]]]:
        """What happens to it, and when."""
        start, plot = self.plot.opened, self.plot
        yield start, self.open
        if plot.until == "accept":
            return
        handed = {"decision": "hand_over", "reason": "说的是个人收受好处"}
        decision = handed if plot.until == "hand_over" else {"decision": "accept"}
        yield _at(start, 0, 40), partial(self.do, "accept", "intake 1", to_complainant=SEEN,
                                         **decision)  # fmt: skip
        if plot.until == "hand_over":
            return
        yield (
            _at(start, 1, 0),
            partial(
                self.do,
                "dispatch",
                "dispatch 2",
                unit="u-inspection",
                facts="按投诉内容逐项核对记录。",
            ),
        )
        yield _at(start, 1, 90), partial(self.do, "declare", "searcher 1", relation="none")
        yield from self._investigated(start)

    def _investigated(self, start: datetime) -> Iterator[tuple[datetime, Callable[[], None]]]:
        plot = self.plot
        yield _at(start, 2, 0), partial(self.hold, "investigate", "searcher 1")
        if plot.said:
            yield _at(start, 3, 30), self.say
        if plot.until == "investigate":
            yield _at(start, 4, 0), self.ask_identity
            return
        yield _at(start, 5, 0), partial(
            self.do, "investigate", "searcher 1", findings="逐项核对报修单、照片时间和来往电话。",
            heard="yes", proposal=plot.result,
        )  # fmt: skip
        found = {"unit": plot.unit} if plot.result == "substantiated" else {}
        yield _at(start, 6, 30), partial(
            self.do, "verify", "verifier 1", result=plot.result, allegations="逐项结论见底稿。",
            basis="报修记录和现场照片", **found,
        )  # fmt: skip
        yield _at(start, 7, 0), partial(
            self.do, "reply", "intake 2", told=TOLD,
            to_complainant="查过了。结论和依据写在这里；您不认可，30 天内可以说。",
        )  # fmt: skip
        if found:
            yield _at(start, 7, 60), partial(self.do, "check_figures", "publisher 1", correct="yes")
        yield from self._settled(start)

    def _settled(self, start: datetime) -> Iterator[tuple[datetime, Callable[[], None]]]:
        named = bool(self.plot.name)
        answer = {"reached": "reached", "how": "phone" if named else "mailbox", "solved": "yes",
                  "satisfied": "partly", "objects": "no"}  # fmt: skip
        if not named:
            yield _at(start, 8, 0), partial(
                self.do, "ask", "revisit 1",
                to_complainant="解决了吗，满意吗，认不认可结果？写在信箱里就行。",
            )  # fmt: skip
        yield _at(start, 9 if named else 16, 0), partial(self.do, "revisit", "revisit 1", **answer)
        if self.plot.category == "concealment":
            yield (
                _at(start, 36, 0),
                partial(self.do, "assess_reward", "intake 1", eligible="no", reason="不在奖励范围"),
            )

    # --- acts -----------------------------------------------------------------------------------

    def open(self) -> None:
        """Somebody complains."""
        plot, world = self.plot, self.world
        self.complainant = f"complainant:{Chance('complainant', plot.key).token().hex()[:16]}"
        form = {"channel": "web", "category": plot.category, "text": plot.text, "unit": plot.unit,
                "identity": "anonymous"}  # fmt: skip
        if plot.name:
            form |= {"identity": "confidential", "name": plot.name, "phone": "000-5566"}
        report = cases.Report(
            process=PROCESS, category=plot.category, title="投诉举报",
            place=cases.Place(plot.place, ""), form=form, source="resident",
            actor={"person": self.complainant, "capacity": "report", "channel": "web"},
        )  # fmt: skip
        done = cases.open_case(world.conn, report, by=None, at=world.now, vault=self.vault)
        self.case = done.case
        register(
            self.vault, prepare(self.vault, code_of(_secret(plot.key))),
            subject_of(done.case, "content"), done.case, complainant=self.complainant,
            at=world.now,
        )  # fmt: skip
        world.deliver()

    def hold(self, element: str, role: str) -> None:
        """Claim a step, if it is not held by name, and read what is sealed."""
        world, by = self.world, self.world.by(role)
        task = self._task(element)
        if task.holder is None:
            holding.claim_task(world.conn, self.case, task.key, by=by, at=world.now)
        if latest(world.conn, PROCESS).tasks[element].reads:
            mailbox.read_content(world.conn, self.vault, self.case, by=by, at=world.now)

    def do(self, element: str, role: str, **form: Any) -> None:
        """Hold a step, read what it may read, and complete it a little later."""
        if element != "investigate":  # held and read days before
            self.hold(element, role)
        later = timedelta(seconds=Chance("hand", self.case, element).between(60, 600))
        self.world.plan(self.world.now + later, partial(self._complete, element, role, form))

    def _complete(self, element: str, role: str, form: dict[str, Any]) -> None:
        world = self.world
        cases.complete_task(
            world.conn, self.case, self._task(element).key, form, by=world.by(role), at=world.now,
            vault=self.vault,
        )  # fmt: skip
        world.deliver()

    def say(self) -> None:
        """Whoever complained adds something."""
        mailbox.write_as_complainant(
            self.world.conn, self.vault, self.case, self.plot.said,
            complainant=self.complainant, at=self.world.now,
        )  # fmt: skip

    def ask_identity(self) -> None:
        """The investigator asks who complained; the keeper has not decided yet."""
        unsealing.request_unsealing(
            self.world.conn, self.case, ["name", "phone"], "要当面看本人手里的群聊截图。",
            by=self.world.by("searcher 1"), at=self.world.now,
        )  # fmt: skip

    def _task(self, element: str) -> Any:
        found = [one for one in self.world.case(self.case).tasks.values() if one.element == element]
        if not found:
            raise AssertionError(f"{self.plot.key}: {element} is not open at {self.world.now}")
        return found[-1]


def _at(start: datetime, days: int, minutes: int) -> datetime:
    """So many working days later, in office hours."""
    day = start.replace(hour=10, minute=0)
    days += start.hour >= 17  # in the evening nobody is at the desk
    if days == 0:
        return start + timedelta(minutes=minutes)
    while days:
        day += timedelta(days=1)
        days -= day.weekday() < 5
    return day + timedelta(minutes=minutes)
