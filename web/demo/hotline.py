"""The supervision hotline of the year: complaints from the web and the desk, to their guard or now.

Who complains is drawn, like everything else here, and so are the salts of what is sealed: the log
is the same on every machine. In a real street both are random. The codes are announced.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple

from audit import log
from engine import cases, holding, mailbox, turns, unsealing
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

    until: the step at which it stands on the last evening; "" = it went its way to the end;
    `merged` = it repeats another. linked: case it is about. demand: what is ruled on a demand that
    the investigator be kept out. call: seconds that the revisit took; recording: the SHA-256 of it;
    unreachable: nobody answered. pause: seconds from the reply to the revisit, None = some days.
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
    linked: str = ""
    demand: str = ""
    call: int | None = None
    recording: str = ""
    unreachable: bool = False
    pause: int | None = None


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


def plan_hotline(world: World) -> None:
    """Put every complaint that is told of on the agenda."""
    for plot in PLOTS:
        tell(Teller(world, plot))


def tell(teller: "Teller") -> None:
    """Put everything that happens to a complaint on the agenda."""
    for when, act in teller.way():
        teller.world.plan(when, act)


def complainant(key: str) -> str:
    """Who made the complaint with this key, as the log has it."""
    return f"complainant:{Chance('complainant', key).token().hex()[:16]}"


def _secret(key: str) -> bytes:
    return Chance("complaint", key).token()


@dataclass(slots=True)
class Teller:
    """A complaint being lived; `case` is its id once it is opened.

    coded: whether its receipt code opens the mailbox; what nobody is told need not cost its while.
    master: the complaint it repeats. denied: the investigator asks who complained, and is refused.
    """

    world: World
    plot: Plot
    case: str = ""
    searcher: str = "searcher 1"
    coded: bool = True
    at_once: dict[str, Any] = field(default_factory=dict)
    master: "Teller | None" = None
    denied: bool = False

    @property
    def complainant(self) -> str:
        """Who complains, as the log has it."""
        return complainant(self.plot.key)

    def way(self) -> Iterator[tuple[datetime, Callable[[], None]]]:
        """What happens to it, and when."""
        start, plot = self.plot.opened, self.plot
        yield start, self.open
        if plot.until == "accept":
            return
        if self.master:
            yield _at(start, 0, 40), self.merge
            yield _at(start, 0, 90), self.merge_too
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
        yield _at(start, 1, 90), partial(self.do, "declare", self.searcher, relation="none")
        if plot.demand:
            yield _at(start, 2, 0), partial(self.hold, "investigate", self.searcher)
            yield from self._demanded(start)
            start = _at(start, 3, 0)
        yield from self._investigated(start)

    def _demanded(self, start: datetime) -> Iterator[tuple[datetime, Callable[[], None]]]:
        """The complainant wants the investigator kept out, who has read everything by then."""
        plot, first = self.plot, self.searcher
        upheld = plot.demand == "upheld"
        ruling = {"ruling": plot.demand, "to_complainant": "您要求回避，已经裁定。",
                  "reason": "和被投诉单位的人是亲戚。" if upheld else "没有关系。"}  # fmt: skip
        yield _at(start, 3, 0), self.demand
        yield _at(start, 3, 60), partial(self.rule, first, ruling)
        if upheld:
            self.searcher = "searcher 2"
            yield _at(start, 3, 200), partial(
                self.do, "dispatch", "dispatch 2", unit="u-inspection", facts="换人核查。"
            )  # fmt: skip
            yield _at(start, 4, 90), partial(self.do, "declare", self.searcher, relation="none")

    def _investigated(self, start: datetime) -> Iterator[tuple[datetime, Callable[[], None]]]:
        plot = self.plot
        yield _at(start, 2, 0), partial(self.hold, "investigate", self.searcher)
        if plot.said:
            yield _at(start, 3, 30), self.say
        if self.denied:
            yield _at(start, 2, 60), self.ask_identity
            yield _at(start, 2, 200), self.deny_identity
        if plot.until == "investigate":
            yield _at(start, 4, 0), self.ask_identity
            return
        yield _at(start, 5, 0), partial(
            self.do, "investigate", self.searcher, findings="逐项核对报修单、照片时间和来往电话。",
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
        answer: dict[str, Any] = {
            "reached": "reached", "how": "phone" if named else "mailbox", "solved": "yes",
            "satisfied": "partly", "objects": "no",
        }  # fmt: skip
        if not named:
            yield _at(start, 8, 0), partial(
                self.do, "ask", "revisit 1",
                to_complainant="解决了吗，满意吗，认不认可结果？写在信箱里就行。",
            )  # fmt: skip
        if self.plot.unreachable:
            yield _at(start, 10, 90), partial(self.do, "revisit_again", "revisit 1", **answer)
            answer = {"reached": "unreachable", "how": "phone"}
        if named and self.plot.call is not None:
            answer |= {"call_seconds": self.plot.call}
        if self.plot.recording:
            answer |= {"call_sha256": self.plot.recording}
        if self.plot.pause is None:
            when = _at(start, 9 if named else 16, 0)
            yield when, partial(self.do, "revisit", "revisit 1", **answer)
        else:
            self.at_once = answer
        if self.plot.category == "concealment":
            yield (
                _at(start, 36, 0),
                partial(self.do, "assess_reward", "intake 1", eligible="no", reason="不在奖励范围"),
            )

    # --- acts -----------------------------------------------------------------------------------

    def open(self) -> None:
        """Somebody complains."""
        plot, world = self.plot, self.world
        form = {"channel": "web", "category": plot.category, "text": plot.text, "unit": plot.unit,
                "identity": "anonymous"}  # fmt: skip
        if plot.linked:
            form |= {"linked": plot.linked}
        if plot.name:
            form |= {"identity": "confidential", "name": plot.name, "phone": "000-5566"}
        report = cases.Report(
            process=PROCESS, category=plot.category, title="投诉举报",
            place=cases.Place(plot.place, ""), form=form, source="resident",
            actor={"person": self.complainant, "capacity": "report", "channel": "web"},
        )  # fmt: skip
        done = cases.open_case(world.conn, report, by=None, at=world.now, vault=self.world.vault)
        self.case = done.case
        if self.coded:
            register(
                world.vault, prepare(world.vault, code_of(_secret(plot.key))),
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
            mailbox.read_content(world.conn, self.world.vault, self.case, by=by, at=world.now)

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
            vault=self.world.vault,
        )  # fmt: skip
        world.deliver()
        if element == "reply" and self.plot.pause is not None:
            self._ask_at_once(self.plot.pause)

    def _ask_at_once(self, seconds: int) -> None:
        world = self.world
        hold, done = (world.now + timedelta(seconds=n) for n in (seconds // 2, seconds))
        world.plan(hold, partial(self.hold, "revisit", "revisit 1"))
        world.plan(done, partial(self._complete, "revisit", "revisit 1", self.at_once))

    def merge(self) -> None:
        """The desk finds that it repeats another."""
        assert self.master  # noqa: S101 - asked only of those that have one
        self.do("accept", "intake 1", decision="merge", merged_into=self.master.case,
                reason="说的是同一件事。", to_complainant=SEEN)  # fmt: skip

    def merge_too(self) -> None:
        """And somebody else finds the same."""
        assert self.master  # noqa: S101 - asked only of those that have one
        self.do("second_look", "intake 3", verdict="merge", merged_into=self.master.case,
                reason="看过两件，是同一件事。", to_complainant=SEEN)  # fmt: skip

    def demand(self) -> None:
        """Whoever complained wants the investigator kept out."""
        who = {"person": self.complainant, "capacity": "report", "channel": "web"}
        turns.complain(
            self.world.conn, self.case, "recusal", {"text": "核查的人和那边是亲戚。"},
            complainant=who, at=self.world.now, vault=self.world.vault,
        )  # fmt: skip
        self.world.deliver()

    def rule(self, investigator: str, ruling: dict[str, Any]) -> None:
        """The discipline officer rules on the demand."""
        if ruling["ruling"] == "upheld":
            ruling = ruling | {"recused": self.world.person[investigator]}
        self.do("rule_recusal", "discipline 1", **ruling)

    def say(self) -> None:
        """Whoever complained adds something."""
        mailbox.write_as_complainant(
            self.world.conn, self.world.vault, self.case, self.plot.said,
            complainant=self.complainant, at=self.world.now,
        )  # fmt: skip

    def ask_identity(self) -> None:
        """The investigator asks who complained; the keeper has not decided yet."""
        unsealing.request_unsealing(
            self.world.conn, self.case, ["name", "phone"], "要当面看本人手里的群聊截图。",
            by=self.world.by(self.searcher), at=self.world.now,
        )  # fmt: skip

    def deny_identity(self) -> None:
        """The keeper sees no need for it."""
        asked = unsealing.requests_in(log.read(self.world.conn, self.case))
        unsealing.deny_unsealing(
            self.world.conn, self.case, max(asked), "案卷记录够查，不用知道是谁说的。",
            by=self.world.by("keeper 1"), at=self.world.now,
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
