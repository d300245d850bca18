"""Whistles, patrols, directives, drills, an accident: lived through like the hazards.

Their hazards come on the last evening, after the last report: the numbers of the others stay.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from engine import cases, outbox, site_codes, turns
from web.demo.chance import Chance
from web.demo.life import World
from web.demo.rechecks import plan_recheck
from web.demo.town import STREET, local

# Beside the hazards; all that can open each other.
AMONG: Final = (
    "whistle", "response", "consultation", "opinion", "patrol_plan", "patrol", "directive",
    "directive_receipt", "drill", "accident",
)  # fmt: skip
BASIS: Final = "《听澜街道职责清单（演示）》"


@dataclass(slots=True)
class Tale:
    """One of these cases with all it opens; `case` is its id once it is opened."""

    world: World
    key: str
    case: str = ""
    begun_by: str = ""
    codes: int = 0

    def at(self, when: datetime, act: Callable[..., None], *args: Any, **form: Any) -> "Tale":
        """Put an act on the agenda."""
        self.world.plan(when, partial(act, *args, **form))
        return self

    def open(self, process: str, role: str, unit: str, **form: Any) -> None:
        """Begin it; an audience is given by roles, and is whoever has them by then."""
        if "audience" in form:
            roles = map(self.world.current, form["audience"])
            form["audience"] = [self.world.person[role] for role in roles]
        report = cases.Report(
            process=process,
            category=form["category"],
            title=form["title"],
            place=cases.Place(unit, form.get("address", "")),
            form=form,
        )
        world, self.begun_by = self.world, role
        self.case = cases.open_case(world.conn, report, by=world.by(role), at=world.now).case
        world.deliver()

    def do(self, element: str, role: str, of: str = "", **form: Any) -> None:
        """Complete the open step of this element; of: a unit or role whose case it is."""
        world, where = self.world, self.find(of)
        found = [task for task in world.case(where).tasks.values() if task.element == element]
        if not found:
            raise AssertionError(f"{self.key}: {element} of {where} is not open at {world.now}")
        photo = form.pop("photo", False)
        shot = (world.at_the_site(self.case, role, scene=f"{self.key}|{role}"),) if photo else ()
        code = self._code() if element.startswith("arrive") else ""
        cases.complete_task(
            world.conn, where, found[-1].key, form, by=world.by(role), at=world.now,
            evidence=shot, code=code, vault=world.vault,
        )  # fmt: skip
        world.deliver()
        if element == "walk":
            plan_recheck(world, where, form["checked"])

    def object(self, element: str, role: str, of: str, **form: Any) -> None:
        """Say that a step is not one's own."""
        world, where = self.world, self.find(of)
        task = next(t for t in world.case(where).tasks.values() if t.element == element)
        turns.raise_objection(world.conn, where, task.key, form, by=world.by(role), at=world.now)
        world.deliver()

    def find(self, of: str) -> str:
        """The newest case below this one for a unit or role, or of a process."""
        if not of:
            return self.case
        party = self.world.person.get(self.world.current(of), of)
        found, above = [], [self.case]
        while above:
            above = [child for _, _, child in outbox.children_of(self.world.conn, above)]
            found += above
        told = [one for one in found if self.world.case(one).opened.get("party") == party]
        return (told or [one for one in found if one.startswith(f"{of}-")])[-1]

    def _code(self) -> str:
        """The code held up by whoever blew; drawn like everything else here, not at random."""
        chance, world = Chance("site code", self.key, self.codes), self.world
        self.codes += 1
        # By whoever has the post by now: the one who blew may have left it since.
        shown = site_codes.show(
            world.conn, self.case, by=world.by(self.begun_by), at=world.now,
            randomness=lambda count: chance.token()[:count],
        )  # fmt: skip
        return shown.code


def plan_among(world: World) -> None:
    """Put all of them on the agenda."""
    _market(Tale(world, "market"))
    _cylinders(Tale(world, "cylinders"))
    _smell(Tale(world, "smell"))
    _facade(Tale(world, "facade"))
    _wires(Tale(world, "wires"))
    _last_evening(Tale(world, "last evening"))
    _patrols(Tale(world, "patrols"))
    _typhoon(Tale(world, "typhoon"))
    _fire_season(Tale(world, "fire season"))
    _drills(Tale(world, "drill done"), Tale(world, "drill to come"))
    _shed_fire(Tale(world, "shed fire"))


# --- whistles -------------------------------------------------------------------------------------


def _blow(tale: Tale, when: datetime, role: str, unit: str, **form: Any) -> None:
    tale.at(when, tale.open, "whistle", role, unit, **form)


def _market(tale: Tale) -> None:
    """Four departments on one visit (arc 2): one of them dodges twice before it comes."""
    head, lead, dodger = "head u-yanhe", "u-marketwatch", "u-urban"
    day = partial(local, 2025, 12)
    called = [lead, "u-fire", dodger, "u-power"]
    _blow(tale, day(9, 9, 10), head, "u-x-market", kind="tackle", category="fire_lane",
          title="农贸市场通道、用电、占道、食品一次查清", address="沿河农贸市场",
          why="四件事分属四家，各来各的，摊主一个月被查了七次。")  # fmt: skip
    tale.at(day(9, 10), tale.do, "review", "leader 2", note="一次上门，一份记录。")
    tale.at(day(9, 10, 20), tale.do, "fix_list", "command 1", departments=called, lead=lead)
    for minute, unit in enumerate((lead, "u-fire", "u-power")):
        tale.at(day(9, 11, 5 * minute), tale.do, "sign_in", f"engineer {unit}", unit)
    for minute, unit in enumerate((lead, "u-power")):
        tale.at(day(9, 11, 20 + 6 * minute), tale.do, "contact", f"engineer {unit}", unit,
                how="telephone", agreed="12 日早上 8 点半在 1 号门碰头。")  # fmt: skip
    tale.at(day(9, 11, 40), tale.object, "sign_in", f"engineer {dodger}", dodger,
            proposed_unit="u-housing", legal_basis=BASIS, reason="市场里面不归城管。")  # fmt: skip
    tale.at(day(9, 15), tale.do, "rule_objection", "command 1", dodger, ruling="rejected",
            legal_basis=BASIS, reason="占道经营在清单里写明归城管。")  # fmt: skip
    # And then it does not sign in until its leader, and the supervisor after that, were told.
    tale.at(day(10, 15, 30), tale.do, "leader_called", f"chief {dodger}", dodger,
            reason="值班表换人没有交接。", measure="明天上午签收，后天到场。")  # fmt: skip
    tale.at(day(11, 11), tale.do, "sign_in_bound", f"engineer {dodger}", dodger)
    for minute, unit in ((0, "u-fire"), (12, lead), (15, "u-power"), (50, dodger)):
        tale.at(day(12, 8, 35) + timedelta(minutes=minute), tale.do, "arrive",
                f"engineer {unit}", unit, people=2)  # fmt: skip
    tale.at(day(12, 8, 44), tale.do, "first_measures", "engineer u-fire", safe="safe",
            measures="代各部门先清开 3 号通道，拉闸停用两处私接线。",
            seen="通道堆货，六个摊位共用一个插座。")  # fmt: skip
    did = ((lead, "查了 23 个摊位，一份记录，两户补证。"), ("u-fire", "通道画线，灭火器换新。"),
           ("u-power", "私接线拆除，分户装表。"), (dodger, "占道摊位退回线内。"))  # fmt: skip
    for minute, (unit, what) in enumerate(did):
        tale.at(day(12, 11, 5 * minute), tale.do, "do_part", f"engineer {unit}", unit, done=what,
                photo=True)  # fmt: skip
    for minute, (unit, _) in enumerate(did[1:]):
        tale.at(day(12, 14, 5 * minute), tale.do, "release_part", f"deputy {lead}", unit,
                decision="release")  # fmt: skip
    tale.at(day(12, 14, 30), tale.do, "release_by_desk", "command 1", lead, decision="release")
    tale.at(day(12, 15), tale.do, "joint_record", f"engineer {lead}", result="solved",
            summary="四个部门一次到场，一份记录；摊主只接待一回。")  # fmt: skip
    for minute, (unit, _) in enumerate(did):
        late = {"result": "fair", "effort": "some", "reason": "推了两次才来，来了以后办得好。"}
        good = {"result": "satisfied", "effort": "full"}
        tale.at(day(15, 9, 10 * minute), tale.do, "evaluate", head, unit,
                **(late if unit == dodger else good))  # fmt: skip
        tale.at(day(15, 10, 10 * minute), tale.do, "evaluate_whistle", f"engineer {unit}", unit,
                justified="yes", complete="yes")  # fmt: skip
        tale.at(day(15, 11, 10 * minute), tale.do, "defend", f"engineer {unit}", unit,
                answer="accept")  # fmt: skip
    tale.at(day(15, 15), tale.do, "close", "close 1", summary="一次到场查清四件事。")
    tale.at(local(2026, 1, 16, 15), tale.do, "recheck", head, result="absent")


def _cylinders(tale: Tale) -> None:
    """An everyday whistle, from blowing to closing; nobody evaluates in time."""
    head, lead = "head u-yanhe", "u-marketwatch"
    day = partial(local, 2026, 5)
    _blow(tale, day(12, 9, 20), head, "u-yanhe-g1-m1", kind="daily", category="gas",
          title="餐馆液化气瓶放在楼梯间", address="沿河路 18 号",
          why="劝过两次不搬。社区没有检查和扣押的权力。")  # fmt: skip
    tale.at(day(12, 10, 5), tale.do, "review", "leader 2", note="社区确实办不了，同意。")
    tale.at(day(12, 10, 40), tale.do, "fix_list", "command 1",
            departments=[lead, "u-fire"], lead=lead)  # fmt: skip
    tale.at(day(12, 11, 10), tale.do, "sign_in", f"engineer {lead}", lead, who="值班执法组")
    tale.at(day(12, 11, 25), tale.do, "sign_in", "engineer u-fire", "u-fire", who="防火监督员")
    tale.at(day(12, 14, 30), tale.do, "arrive", f"engineer {lead}", lead, people=2)
    tale.at(day(12, 14, 50), tale.do, "arrive", "engineer u-fire", "u-fire", people=2)
    tale.at(day(12, 15, 10), tale.do, "first_measures", f"engineer {lead}",
            measures="当场搬走气瓶，封存两只。", safe="safe")  # fmt: skip
    tale.at(day(12, 16), tale.do, "do_part", f"engineer {lead}", lead,
            done="查扣超期气瓶两只，开具责令改正通知。", photo=True)  # fmt: skip
    tale.at(day(12, 16, 20), tale.do, "do_part", "engineer u-fire", "u-fire",
            done="清空楼梯间，讲清疏散要求。", photo=True)  # fmt: skip
    tale.at(day(12, 16, 40), tale.do, "release_part", f"deputy {lead}", "u-fire",
            decision="release")  # fmt: skip
    tale.at(day(12, 16, 50), tale.do, "release_by_desk", "command 1", lead, decision="release")
    tale.at(day(13, 9, 30), tale.do, "joint_record", f"engineer {lead}", result="solved",
            summary="气瓶已搬离，店主改用电磁炉，楼梯间清空。")  # fmt: skip
    tale.at(day(22, 10), tale.do, "close", "close 1", summary="气瓶已搬离，两个部门各办各的一段。")


def _smell(tale: Tale) -> None:
    """An emergency (arc 3): one there in 14 minutes, one in 40 who says that it was nine."""
    head, street = "head u-yanhe", partial(local, 2026, 7, 21)
    called = ["u-fire", "u-gas", "u-police", "u-marketwatch"]
    _blow(tale, street(9, 32), head, "u-x-market", kind="emergency", category="gas",
          title="市场 2 号门燃气异味", address="沿河农贸市场 2 号门",
          why="要停气、疏散，社区没有手段。", departments=called)  # fmt: skip
    tale.at(street(9, 46), tale.do, "arrive_at_once", "engineer u-fire", "u-fire", people=6)
    tale.at(street(9, 50), tale.do, "arrive_at_once", "engineer u-gas", "u-gas", people=3)
    tale.at(street(9, 52), tale.do, "name_lead", "command 1", lead="u-gas")
    tale.at(street(9, 55), tale.do, "first_measures", "engineer u-fire",
            measures="疏散 11 人，关总阀，开窗通风。", safe="safe", people_moved=11,
            seen="2 号门地沟盖板下有异味，阀门井积水。")  # fmt: skip
    tale.at(street(9, 56), tale.do, "leader_at_once", "chief u-police", "u-police",
            reason="路口有事故，值班组正在处置。", measure="另派一组，十分钟内到。")  # fmt: skip
    tale.at(street(9, 58), tale.do, "leader_at_once", "chief u-marketwatch", "u-marketwatch",
            reason="值班员手机没有信号。", measure="副值班员马上出发。")  # fmt: skip
    tale.at(street(10, 3), tale.do, "arrive_at_once", "engineer u-police", "u-police", people=2)
    tale.at(street(10, 12), tale.do, "arrive_at_once", "deputy u-marketwatch", "u-marketwatch",
            people=1, arrived_at=street(9, 41).isoformat(timespec="seconds"))  # fmt: skip
    tale.at(street(11, 30), tale.do, "ratify", "leader 2", decision="ratified",
            reason="确有泄漏，该吹。")  # fmt: skip
    parts = (("u-gas", "更换阀门，检漏合格。"), ("u-fire", "守护到复测合格。"),
             ("u-police", "维持秩序。"), ("u-marketwatch", "查两户用气设备。"))  # fmt: skip
    for number, (unit, did) in enumerate(parts):
        role = "deputy u-marketwatch" if unit == "u-marketwatch" else f"engineer {unit}"
        tale.at(street(13, number), tale.do, "do_part", role, unit, done=did,
                no_photo="emergency")  # fmt: skip
    for number, unit in enumerate(("u-fire", "u-police", "u-marketwatch")):
        tale.at(street(13, 5 + number), tale.do, "release_part", "deputy u-gas", unit,
                decision="release")  # fmt: skip
    tale.at(street(13, 9), tale.do, "release_by_desk", "command 1", "u-gas", decision="release")
    tale.at(street(14), tale.do, "joint_record", "engineer u-gas", result="solved",
            summary="地沟阀门老化漏气，已更换，复测合格。")  # fmt: skip
    tale.at(local(2026, 7, 31, 10), tale.do, "close", "close 1", summary="已修好，复测合格。")
    tale.at(local(2026, 8, 31, 15), tale.do, "recheck", head, result="absent")


def _facade(tale: Tale) -> None:
    """An old problem that cannot be done on the spot: a consultation, still being written."""
    day = partial(local, 2026, 10)
    lead = "u-housing"
    _blow(tale, day(26, 9, 10), "head u-tingtao", "u-tingtao-g2-m1", kind="tackle",
          category="falling", title="临街外墙砖成片空鼓", address="涛声里 5 幢",
          why="要动公共维修资金，产权分属三家，社区协调不了。")  # fmt: skip
    tale.at(day(26, 11), tale.do, "review", "leader 2")
    tale.at(day(26, 11, 30), tale.do, "fix_list", "command 1",
            departments=[lead, "u-urban"], lead=lead)  # fmt: skip
    for minute, unit in enumerate((lead, "u-urban")):
        tale.at(day(26, 15, minute), tale.do, "sign_in", f"engineer {unit}", unit)
        tale.at(day(26, 15, 10 + minute), tale.do, "contact", f"engineer {unit}", unit,
                how="telephone", agreed="27 日上午 9 点半到，带测厚锤。")  # fmt: skip
        tale.at(day(27, 9, 30 + minute), tale.do, "arrive", f"engineer {unit}", unit, people=2)
    tale.at(day(27, 10), tale.do, "first_measures", f"engineer {lead}",
            measures="拉起围挡，人行道改线。", safe="safe")  # fmt: skip
    tale.at(day(28, 16), tale.do, "joint_record", f"engineer {lead}", result="cannot",
            summary="空鼓约三成，须整面重做。", question="先拆还是先挂网，钱从哪出。")  # fmt: skip
    world = tale.world

    def convene() -> None:
        names = ("engineer u-housing", "engineer u-urban", "engineer u-emergency")
        persons = [world.person[name] for name in names]
        tale.do("convene", "command 1", "consultation", risk="general", participants=persons)

    tale.at(day(30, 16), convene)


def _wires(tale: Tale) -> None:
    """Called yesterday: one has signed, one objected, one let its limit pass."""
    day = partial(local, 2026, 10, 30)
    _blow(tale, day(14, 10), "head u-tingtao", "u-tingtao-g1-m2", kind="daily",
          category="electricity", title="架空线垂到二楼窗口", address="听涛苑 6 幢",
          why="线缆权属不清，社区不能动。")  # fmt: skip
    tale.at(day(14, 40), tale.do, "review", "leader 2")
    tale.at(day(15), tale.do, "fix_list", "command 1",
            departments=["u-power", "u-urban", "u-housing"], lead="u-power")  # fmt: skip
    tale.at(day(15, 10), tale.object, "sign_in", "engineer u-housing", "u-housing",
            proposed_unit="u-urban", legal_basis=BASIS, reason="架空线归城市管理。")  # fmt: skip
    tale.at(day(15, 30), tale.do, "sign_in", "engineer u-power", "u-power", who="抢修班")


def _last_evening(tale: Tale) -> None:
    """It is happening now: one is there, one is late, one says it is not theirs and comes."""
    now = partial(local, 2026, 10, 31)
    _blow(tale, now(17, 28), "head u-yanhe", "u-yanhe-g1-m2", kind="emergency", category="gas",
          title="地下车库入口闻到燃气味", address="河畔人家 3 幢地下车库",
          why="要停气检漏，社区没有设备。", departments=["u-fire", "u-gas", "u-urban"])  # fmt: skip
    tale.at(now(17, 33), tale.object, "arrive_at_once", "engineer u-urban", "u-urban",
            proposed_unit="u-housing", legal_basis=BASIS, reason="管线在小区红线内。")  # fmt: skip
    tale.at(now(17, 41), tale.do, "arrive_at_once", "engineer u-fire", "u-fire", people=5)


# --- patrols, directives, drills, an accident -----------------------------------------------------


def _patrols(tale: Tale) -> None:
    """A week of patrols: nil reports, one missed, and on the last evening something found."""
    role, day = "grid u-yanhe-g1", partial(local, 2026, 10)
    tale.at(day(26, 8, 30), tale.open, "patrol_plan", role, "u-yanhe-g1",
            title="楼道、车棚和消防通道", category="patrol_daily", address="河畔人家",
            interval="EVERY_DAY", patroller=tale.world.person[role])  # fmt: skip
    seen = ["corridor", "charging", "fire_lane"]
    for date in (26, 27, 28, 30):
        walked = day(date, 16, 20).isoformat(timespec="seconds")
        tale.at(day(date, 16, 40), tale.do, "walk", role, "patrol", walked_at=walked,
                checked=seen, result="nil")  # fmt: skip
    walked = day(31, 17, 20).isoformat(timespec="seconds")
    tale.at(day(31, 17, 45), tale.do, "walk", role, "patrol", walked_at=walked, checked=seen,
            result="found", count=2)  # fmt: skip
    tale.at(day(31, 17, 48), tale.do, "record_item", role, "patrol", title="楼道堆放旧家具",
            category="corridor", address="河畔人家 2 幢 1 单元",
            description="二层平台堆了旧柜子，只能侧身过。")  # fmt: skip


def _typhoon(tale: Tale) -> None:
    """An urgent directive that everybody read and carried out, one of them late."""
    day = partial(local, 2026, 8, 6)
    heads = _heads(tale.world)
    tale.at(day(9), tale.open, "directive", "leader 2", STREET, title="台风防御：转移危房住户",
            category="directive_order", level="urgent", needs_execution=True,
            text="今天 18 时前转移危房和低洼处住户，逐户登记，报转移人数。",
            legal_basis="《听澜街道防汛防台风应急预案（演示）》", audience=heads)  # fmt: skip
    for number, role in enumerate(heads):
        late = role == "head u-xiayu"
        tale.at(day(10, 25) if late else day(9, 6 + 4 * number), tale.do, "read", role, role)
        tale.at(day(15, 2 * number), tale.do, "execute", role, role, result="done",
                done="已逐户通知，危房住户已转移到学校。")  # fmt: skip
    tale.at(day(10, 30), tale.do, "press", "leader 1", "head u-xiayu", reached="yes",
            remark="电话打到村里，已收到。")  # fmt: skip
    tale.at(local(2026, 8, 7, 10), tale.do, "review", "leader 2", carried_out="all",
            summary="九个社区、村都已落实，转移 43 人。")  # fmt: skip


def _fire_season(tale: Tale) -> None:
    """A directive of yesterday: some have read it."""
    day = partial(local, 2026, 10)
    heads = _heads(tale.world)
    tale.at(day(30, 14), tale.open, "directive", "leader 2", STREET, title="冬季消防检查",
            category="directive_order", level="important", needs_execution=True,
            text="两周内把车棚、楼道、九小场所各查一遍，查到的都上报。",
            legal_basis="《听澜街道冬春火灾防控方案（演示）》", audience=heads)  # fmt: skip
    for number, role in enumerate(heads[:6]):
        tale.at(day(30, 14, 20 + 7 * number), tale.do, "read", role, role)
    tale.at(day(31, 10), tale.do, "execute", heads[1], heads[1], result="done",
            done="车棚和楼道查完，上报两处。")  # fmt: skip


def _drills(done: Tale, to_come: Tale) -> None:
    scenario: Mapping[str, str] = {
        "category": "drill_evacuation",
        "scenario": "夜间三层厨房起火，楼道有烟。",
        "takes_part": "网格员 4 人、物业 3 人、居民 40 人",
    }
    done.at(local(2026, 9, 14, 9), done.open, "drill", "dispatch 1", "u-yanhe",
            title="夜间疏散演练", address="河畔人家", within="DRILL7", **scenario)  # fmt: skip
    held = local(2026, 9, 17, 19).isoformat(timespec="seconds")
    done.at(local(2026, 9, 18, 9), done.do, "conduct", "head u-yanhe", held_at=held,
            participants=47, course="2 分钟发现，4 分钟集合，7 分钟清点完。")  # fmt: skip
    done.at(local(2026, 9, 22, 10), done.do, "review", "review 1", went_well="集合快，清点不漏。",
            went_wrong="手提喇叭没电。", lessons="喇叭每月试一次。", count=0)  # fmt: skip
    to_come.at(local(2026, 10, 29, 10), to_come.open, "drill", "dispatch 1", "u-tingtao",
               title="车棚起火演练", address="听涛苑", within="DRILL7", **scenario)  # fmt: skip


def _shed_fire(tale: Tale) -> None:
    """A fire at night that hurt nobody, and of which somebody could have known (an accident)."""
    day = partial(local, 2026, 6)
    happened = day(11, 2, 40).isoformat(timespec="seconds")
    tale.at(day(11, 3, 5), tale.open, "accident", "head u-songping", "u-songping",
            title="电动车车棚起火", category="accident_fire", address="松坪二里 4 幢车棚",
            happened_at=happened, injured=0, dead=0,
            description="充电时起火，烧毁电动车三辆，七分钟扑灭，无人受伤。")  # fmt: skip
    tale.at(day(11, 3, 50), tale.do, "verify", "dispatch 1", verdict="accident", level="general",
            injured=0, dead=0, findings="过火约 6 平方米，烟进了一单元楼道，已通风。")  # fmt: skip
    tale.at(day(11, 4, 5), tale.do, "report_up", "dispatch 1", body="区应急管理局",
            reported_at=day(11, 4).isoformat(timespec="seconds"), how="telephone")  # fmt: skip
    tale.at(day(24, 10), tale.do, "review", "review 1", cause="插线板过载，车棚没有断电装置。",
            known="两次巡查写“未见异常”，车棚不在检查表上。",
            handled="居民先用灭火器，消防七分钟到。",
            lessons="车棚写进每日巡查的检查表，充电桩统一装断电装置。", count=0)  # fmt: skip
    tale.at(day(29, 15), tale.do, "determine", "leader 2", answerable="answerable",
            basis=f"{BASIS}：车棚日常巡查归社区",
            reason="该巡查的没有列入，没有看到。")  # fmt: skip


def _heads(world: World) -> list[str]:
    return sorted(role for role in world.person
                  if role.startswith("head ") and role.count(" ") == 1)  # fmt: skip
