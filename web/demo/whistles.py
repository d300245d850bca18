"""Whistles beside those that are told of: the ordinary ones of a year on order, and planted ones.

What is planted (B14): for a place where an inspection stood planned, about the community's own,
sent back as incomplete too often, all at the end of a month; beside them what only looks like it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from engine import turns
from web.demo.among import Tale
from web.demo.chance import Chance
from web.demo.life import World
from web.demo.ordinary import moment
from web.demo.story import draw_place
from web.demo.town import PATROLLED, Size, Spot, Town, local

# Who is called for what: (matter, departments, the first of which leads).
CALLED: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "charging": ("多人飞线充电劝不住", ("u-fire", "u-power")),
    "fire_equipment": ("消火栓无水无人认领", ("u-fire",)),
    "fire_lane": ("消防通道被占，劝离无效", ("u-fire", "u-police")),
    "electricity": ("配电箱漏电，产权不清", ("u-power", "u-fire")),
    "gas": ("餐馆气瓶违规存放", ("u-gas", "u-marketwatch")),
    "falling": ("外墙砖松动", ("u-housing", "u-urban")),
    "road": ("窨井盖缺失，权属不清", ("u-urban",)),
    "illegal_building": ("楼顶加盖阻工", ("u-urban", "u-housing")),
    "food": ("无证加工食品", ("u-marketwatch",)),
    "corridor": ("楼道堆物反复", ("u-fire", "u-housing")),
    "facility": ("健身器材松动", ("u-urban",)),
}
# What a community may rightly call others for every day.
OTHERS: Final = tuple(name for name in CALLED if name not in ("corridor", "facility"))
MONTH_END: Final = "u-wanglan"
# Which community blows whistles half written in spring.
HASTY: Final = "u-changting"


@dataclass(frozen=True, slots=True)
class Blown:
    """A whistle to be blown. returned: sent back as incomplete, and then given up or blown again.

    behaviour: what of its opening is to be found, `decoy …`, or nothing. planned: so many hours
    before it an inspection of the same address was planned.
    """

    key: str
    at: datetime
    spot: Spot
    where: str
    address: str
    category: str
    kind: str
    returned: str = ""
    behaviour: str = ""
    planned: int = 0

    @property
    def title(self) -> str:
        """Where it is, and what."""
        return f"{self.where}{CALLED[self.category][0]}"


def blown_whistles(town: Town, size: Size) -> list[Blown]:
    """Every whistle that this file adds."""
    return [*_abused(town), *_idle(town, size), *_ordinary(town, size)]


def plan_whistles(world: World, town: Town, size: Size) -> None:
    """Put every whistle on the agenda, and the inspections that stand planned; joint ones too."""
    patrols = {post.role for post in town.posts if "patrol" in post.duties}
    for one in blown_whistles(town, size):
        if one.planned and f"grid {one.spot.grid}" in patrols:
            _plan_inspection(world, one, one.at - timedelta(hours=one.planned), rounds=2)
        _Life(world, one).plan()
    spots = [spot for spot in town.spots if f"grid {spot.grid}" in patrols]
    for index in range(size.joint):
        key = f"joint|{index}"
        chance = Chance(key)
        spot, at = chance.pick(spots), moment(chance)
        where = f"{spot.estate}第 {index + 1} 次联合检查"
        one = Blown(key, at, spot, where, where, "fire_lane", "daily")
        _plan_inspection(world, one, at, rounds=1)


def _drawn(key: str, spot: Spot, at: datetime, kind: str, category: str, **more: Any) -> Blown:
    where, address = draw_place(Chance("where", key), spot, category)
    return Blown(key, at, spot, where, address, category, kind, **more)


def _abused(town: Town) -> Iterator[Blown]:
    """The last days of November at 望澜: what was planned, what was not thought through (arc 8)."""
    rows: tuple[tuple[int, int, str, dict[str, Any]], ...] = (
        (28, 9, "fire_lane", {"planned": 48}), (28, 11, "charging", {"planned": 48}),
        (28, 15, "fire_equipment", {"returned": "give_up"}),
        (29, 10, "road", {"returned": "give_up"}),
        (30, 10, "corridor", {}), (30, 16, "falling", {"planned": 72}),
    )  # fmt: skip
    spots = [spot for spot in town.spots if spot.grid == f"{MONTH_END}-g1"]
    for number, (day, hour, category, more) in enumerate(rows):
        at = local(2025, 11, day, hour, 10 + 4 * number)
        spot = spots[number % len(spots)]
        key = f"abused|{number + 1}"
        yield _drawn(key, spot, at, "daily", category, behaviour="B14", **more)
    decoys = (("tackle", "corridor", 0), ("emergency", "gas", 48))
    others = [spot for spot in town.spots if spot.grid == PATROLLED[0]]
    for number, (kind, category, planned) in enumerate(decoys):
        at = local(2025, 12, 2 + number, 10, 15)
        key = f"needed|{number + 1}"
        spot = others[number]
        yield _drawn(key, spot, at, kind, category, behaviour="decoy B14", planned=planned)


def _idle(town: Town, size: Size) -> Iterator[Blown]:
    """All year and everywhere: planned already, or the community's own."""
    for index in range(size.idle):
        key = f"idle|{index + 1}"
        chance = Chance("idle", index)
        spot = chance.pick([spot for spot in town.spots if spot.grid])
        at = local(2025, 12, 9, 10) + timedelta(days=300 * index // size.idle)
        at += timedelta(minutes=chance.below(300))
        own = index % 2 == 0
        category = chance.pick(("corridor", "facility") if own else OTHERS)
        kind = "daily" if own else chance.pick(("daily", "tackle"))
        yield _drawn(key, spot, at, kind, category, behaviour="B14", planned=0 if own else 48)


def _ordinary(town: Town, size: Size) -> Iterator[Blown]:
    for index in range(size.whistles - size.idle - 13):
        key = f"ordinary|{index}"
        chance = Chance("whistle of the year", index)
        kind = chance.weigh([("daily", 340), ("tackle", 110), ("emergency", 30)])
        category = "gas" if kind == "emergency" else chance.pick(
            tuple(CALLED) if kind == "tackle" else OTHERS)  # fmt: skip
        spot, at = chance.pick(town.spots), moment(chance)
        hasty = spot.community == HASTY and at.year == 2026 and at.month in (4, 5, 6)
        incomplete = kind != "emergency" and chance.happens(550 if hasty else 60)
        yield _drawn(key, spot, at, kind, category, returned="again" if incomplete else "")


# --- an inspection that is planned ----------------------------------------------------------------


def _plan_inspection(world: World, one: Blown, when: datetime, *, rounds: int) -> None:
    """A round of inspections is planned for an address: one at once, the next a week later."""
    role = f"grid {one.spot.grid}"
    tale = Tale(world, f"{one.key}|inspection")
    tale.at(when, tale.open, "patrol_plan", role, one.spot.unit, title="联合检查",
            category="patrol_special", address=one.address, interval="EVERY_WEEK", rounds=rounds,
            patroller=world.person[role])  # fmt: skip
    for number in range(rounds):
        due = when + timedelta(days=7 * number, hours=3)
        walked = due.isoformat(timespec="seconds")
        tale.at(due + timedelta(minutes=50), tale.do, "walk", role, "patrol", walked_at=walked,
                checked=[one.category], result="nil")  # fmt: skip


# --- its life -------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Life:
    """A whistle while it is being answered; what is not open any more is not done."""

    world: World
    blown: Blown
    tale: Tale | None = None
    clock: datetime | None = None

    def plan(self) -> None:
        """Put blowing it on the agenda; the rest follows from when that was."""
        self.world.plan(self.blown.at, self.blow)

    def blow(self) -> None:
        """Blow it, and put everything that follows on the agenda."""
        one, world = self.blown, self.world
        self.tale, self.clock = Tale(world, f"whistle|{one.key}"), world.now
        _, departments = CALLED[one.category]
        form: dict[str, Any] = {
            "kind": one.kind, "category": one.category, "title": one.title,
            "address": one.address, "why": "社区劝过，没有手段，也没有执法权。",
        }  # fmt: skip
        if one.kind == "emergency":
            form["departments"] = list(departments)
        self.tale.open("whistle", self.head, one.spot.unit, **form)
        steps = self._at_once() if one.kind == "emergency" else self._by_day()
        for when, act in steps:
            world.plan(when, act)

    @property
    def head(self) -> str:
        return f"head {self.blown.spot.community}"

    def _after(self, what: str, first: int, last: int) -> datetime:
        """So many office minutes later than what came before."""
        assert self.clock  # noqa: S101 - set when it is blown
        minutes = Chance("whistle pace", self.blown.key, what).between(first, last)
        self.clock = self.world.office(minutes, after=self.clock)
        return self.clock

    def _called(self, unit: str) -> datetime:
        """When a department calls whoever blew: soon, or so late that it has come before."""
        chance = Chance("whistle call", self.blown.key, unit)
        minutes = chance.between(2, 15) if chance.happens(800) else 480
        return self.world.office(minutes, after=self.clock)

    def _soon(self, what: str, first: int, last: int) -> datetime:
        assert self.clock  # noqa: S101 - set when it is blown
        seconds = Chance("whistle pace", self.blown.key, what).between(first * 60, last * 60)
        self.clock += timedelta(seconds=seconds)
        return self.clock

    def _by_day(self) -> Iterator[tuple[datetime, Any]]:
        one = self.blown
        if one.returned:
            yield self._after("return", 20, 90), self.send_back
            more = {"decision": one.returned}
            if one.returned == "again":
                more["matter"] = "补充：劝过三次，写明了位置。"
            yield self._after("amend", 30, 200), partial(self.do, "amend", self.head, **more)
            if one.returned == "give_up":
                return
        _, departments = CALLED[one.category]
        yield self._after("review", 20, 150), partial(self.do, "review", "leader 2")
        yield (
            self._after("list", 5, 40),
            partial(
                self.do, "fix_list", "command 1", departments=list(departments), lead=departments[0]
            ),
        )
        for unit in departments:
            yield (
                self._after(f"sign {unit}", 3, 20),
                partial(self.do, "sign_in", f"engineer {unit}", unit),
            )
            yield self._called(unit), partial(
                self.do, "contact", f"engineer {unit}", unit, how="telephone",
                agreed="问清位置和要带的东西，说好什么时候到。",
            )  # fmt: skip
        for unit in departments:
            yield (
                self._after(f"come {unit}", 20, 90),
                partial(self.do, "arrive", f"engineer {unit}", unit, people=2),
            )
        yield self._after("first", 5, 30), partial(
            self.do, "first_measures", f"engineer {departments[0]}",
            measures="先围挡、断电，劝离。", safe="safe",
        )  # fmt: skip
        yield from self._worked(departments)

    def _at_once(self) -> Iterator[tuple[datetime, Any]]:
        _, departments = CALLED[self.blown.category]
        for unit in departments:
            yield (
                self._soon(f"come {unit}", 4, 8),
                partial(self.do, "arrive_at_once", f"engineer {unit}", unit, people=3),
            )
        yield (
            self._soon("lead", 1, 1),
            partial(self.do, "name_lead", "command 1", lead=departments[0]),
        )
        yield self._soon("first", 1, 3), partial(
            self.do, "first_measures", f"engineer {departments[0]}",
            measures="关阀、疏散、通风。", safe="safe",
        )  # fmt: skip
        yield (
            self._soon("ratify", 30, 200),
            partial(self.do, "ratify", "leader 2", decision="ratified", reason="确有危险。"),
        )
        yield from self._worked(departments)

    def _worked(self, departments: tuple[str, ...]) -> Iterator[tuple[datetime, Any]]:
        lead, *others = departments
        emergency = self.blown.kind == "emergency"
        later = self._soon if emergency else self._after
        for unit in departments:
            yield later(f"part {unit}", 1 if emergency else 10, 2 if emergency else 60), partial(
                self.do, "do_part", f"engineer {unit}", unit, done="本部门的一段办完。",
                no_photo="emergency" if emergency else "unsafe",
            )  # fmt: skip
        for unit in others:
            yield (
                later(f"release {unit}", 1, 4),
                partial(self.do, "release_part", f"deputy {lead}", unit, decision="release"),
            )
        yield (
            later("release lead", 1, 3),
            partial(self.do, "release_by_desk", "command 1", lead, decision="release"),
        )
        yield (
            later("joint", 20, 100),
            partial(
                self.do,
                "joint_record",
                f"engineer {lead}",
                result="solved",
                summary="一次到场，办完。",
            ),
        )
        for unit in departments:
            yield (
                self._after(f"evaluate {unit}", 20, 120),
                partial(self.do, "evaluate", self.head, unit, result="satisfied", effort="full"),
            )
            yield self._after(f"judged {unit}", 10, 60), partial(
                self.do, "evaluate_whistle", f"engineer {unit}", unit, justified="yes",
                complete="yes",
            )  # fmt: skip
            yield (
                self._after(f"answer {unit}", 10, 40),
                partial(self.do, "defend", f"engineer {unit}", unit, answer="accept"),
            )
        yield (
            self._after("close", 60, 200),
            partial(self.do, "close", "close 1", summary="各部门一次到场，办完。"),
        )
        if self.blown.kind != "daily":
            assert self.clock  # noqa: S101 - set when it is blown
            self.clock += timedelta(days=30)
            yield (
                self._after("again", 60, 400),
                partial(self.do, "recheck", self.head, result="absent"),
            )

    def do(self, element: str, role: str, of: str = "", **form: Any) -> None:
        """Complete a step that is open; what took another way is left to whoever it fell to."""
        assert self.tale  # noqa: S101 - set when it is blown
        where = self.tale.find(of)
        if any(task.element == element for task in self.world.case(where).tasks.values()):
            self.tale.do(element, role, of, **form)

    def send_back(self) -> None:
        """The street's office sends it back: what it says is not enough."""
        assert self.tale  # noqa: S101 - set when it is blown
        world = self.world
        task = next(t for t in world.case(self.tale.case).tasks.values() if t.element == "review")
        turns.return_task(
            world.conn, self.tale.case, task.key, "没有写清在哪里、劝过几次。",
            by=world.by("leader 2"), at=world.now,
        )  # fmt: skip
        world.deliver()
