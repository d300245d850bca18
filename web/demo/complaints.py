"""Complaints beside those that are told of: the ordinary ones of a year on order, and planted ones.

What is planted: an investigator who is ruled out only after reading everything (B12), inspections
of a place after a complaint about it (B13), calls of seconds, answers at once, one recording for
several cases (B15); beside them what only looks like it.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from web.demo.among import Tale
from web.demo.chance import Chance
from web.demo.hotline import Plot, Teller, tell
from web.demo.life import World
from web.demo.ordinary import moment
from web.demo.story import Story
from web.demo.town import COMMUNITIES, FIRMS, PATROLLED, VILLAGES, Size, local

MATTERS: Final = (
    ("service", "报修一周没有人上门，电话里说再等等。"),
    ("service", "同一件事跑了三趟，每次让找别处。"),
    ("rights", "缴费以后不开票，问了不答。"),
    ("hazard", "消防通道堵了半个月，报过没有动静。"),
    ("service", "窗口中午没有人，门口也没有告示。"),
)
QUIET: Final = "quiet"
RECORDING: Final = "同一段录音"
# Calls and pauses in seconds: what is planted lies below the rule's limits, what is not above.
SHORT, USUAL_CALL, AT_ONCE, SOON = (3, 8), (45, 420), (12, 28), (60, 240)


@dataclass(frozen=True, slots=True)
class Marked:
    """A complaint and what of it is to be found: the behaviour, `decoy …`, or nothing."""

    plot: Plot
    behaviour: str = ""


def marked_complaints(size: Size) -> list[Marked]:
    """Every complaint that this file adds, in the order of planning."""
    return [*_recused(size), *_rated(size), *_ordinary(size)]


def plan_complaints(world: World, stories: Sequence[Story], size: Size) -> None:
    """Put them on the agenda, and the inspections that follow some."""
    before: Teller | None = None
    for one in marked_complaints(size):
        teller = Teller(world, one.plot, coded=False)
        if one.plot.until == "merged":
            teller.master = before
        tell(teller)
        before = before if teller.master else teller
    for linked in linked_complaints(stories, size):
        case = world.ids[linked.story.key]
        plot = replace(linked.marked.plot, linked=case)
        tell(Teller(world, plot, coded=False, denied=plot.key == QUIET))
        for number, when in enumerate(linked.visits):
            _inspect(world, linked, number, when)


def _plot(key: str, opened: datetime, **more: Any) -> Plot:
    chance = Chance("plot", key)
    place = chance.pick([*COMMUNITIES, *VILLAGES])[0]
    firm = chance.pick(FIRMS[:5])[0]
    category, text = chance.pick(MATTERS)
    result = chance.weigh([("substantiated", 4), ("unsubstantiated", 6)])
    name = (
        ""
        if chance.happens(350)
        else f"演示{chance.pick('林方秦唐纪温')}{chance.pick('夏渔柚蔚舟禾')}"
    )
    told: dict[str, Any] = {"name": name, "result": result, "call": chance.between(*USUAL_CALL)}
    told |= {"category": category, "text": text} | more
    return Plot(key, opened, place, firm, **told)


def _office_hour(chance: Chance, day: datetime) -> datetime:
    return day.replace(hour=chance.between(9, 15), minute=chance.below(60))


def _spread(key: str, index: int, count: int) -> datetime:
    """Of so many one each some days after the other; with one only, in the first December."""
    chance = Chance(key, index)
    days = 290 * index // (count - 1) if count > 2 else 10 + 3 * index
    return _office_hour(chance, local(2025, 11, 24) + timedelta(days=days))


def _recused(size: Size) -> Iterator[Marked]:
    for index in range(size.recused):
        key = f"recused|{index + 1}"
        told = {"name": "演示宋遥", "demand": "upheld", "result": "unsubstantiated"}
        yield Marked(_plot(key, _spread(key, index, size.recused), **told), "B12")
    told = {"name": "演示宋遥", "demand": "rejected", "result": "unsubstantiated"}
    yield Marked(_plot("recused|no", local(2025, 12, 8, 11), **told), "decoy B12")


def _rated(size: Size) -> Iterator[Marked]:
    """Calls of seconds; revisits at once; one recording for several calls."""
    same = hashlib.sha256(RECORDING.encode()).hexdigest()
    usual: dict[str, Any] = {"name": "演示许问", "result": "unsubstantiated"}
    for index in range(size.rated):
        for kind in ("short", "at once"):
            key = f"{kind}|{index + 1}"
            chance = Chance("rated", key)
            of = {"call": chance.between(*SHORT)} if kind == "short" else {
                "pause": chance.between(*AT_ONCE)}  # fmt: skip
            yield Marked(_plot(key, _spread(key, index, size.rated), **(usual | of)), "B15")
    for index in range(max(2, size.rated)):
        key = f"recorded|{index + 1}"
        told = usual | {"recording": same}
        yield Marked(_plot(key, _spread(key, index, max(2, size.rated)), **told), "B15")
    told = usual | {"unreachable": True, "call": 5}
    yield Marked(_plot("short|no", local(2025, 12, 3, 9, 20), **told), "decoy B15")
    told = usual | {"pause": Chance("rated", "at once|no").between(*SOON)}
    yield Marked(_plot("at once|no", local(2025, 12, 4, 9, 20), **told), "decoy B15")


def _ordinary(size: Size) -> Iterator[Marked]:
    count = size.complaints - 3 * size.rated - size.recused - size.linked
    drawn = [Chance("complaint of the year", index) for index in range(max(0, count))]
    for index, at in enumerate(sorted(map(moment, drawn))):
        key = f"complaint|{index}"
        repeats = index > 0 and Chance("repeats", key).happens(180)
        yield Marked(_plot(key, at, until="merged" if repeats else ""))


# --- a place, a complaint about it, and inspections -----------------------------------------------


@dataclass(frozen=True, slots=True)
class Linked:
    """A complaint about how a hazard was dealt with, and inspections of that hazard's door."""

    marked: Marked
    story: Story
    visits: tuple[datetime, ...]


def linked_complaints(stories: Sequence[Story], size: Size) -> list[Linked]:
    """Some with inspections only afterwards, and one that was inspected as often before."""
    fitting = [story for story in stories if _fits(story, size)]
    picked = [fitting[len(fitting) * n // size.linked] for n in range(size.linked)]
    found = [_linked(f"linked|{n + 1}", story, (6, 13, 27), "B13")
             for n, story in enumerate(picked)]  # fmt: skip
    other = next(story for story in fitting if story.report.address
                 not in {one.report.address for one in picked})  # fmt: skip
    return [_quiet(stories), *found, _linked("linked|no", other, (-9, -5, 6, 13), "decoy B13")]


def _quiet(stories: Sequence[Story]) -> Linked:
    """The quiet complainant (arc 6): of the shed that was said to be no hazard."""
    story = next(story for story in stories if story.key == "shed|2")
    plot = Plot(
        QUIET, local(2025, 12, 22, 9, 40), "u-tingtao", "u-tingtao", "service",
        "北侧车棚又拉线充电，社区说不是隐患，没有人来看过。", name="演示安舒",
        result="unsubstantiated", demand="upheld",
    )  # fmt: skip
    days = (local(2025, 12, 29, 9, 20), local(2026, 1, 6, 14, 10), local(2026, 1, 12, 10, 30))
    return Linked(Marked(plot, "B13"), story, days)


def _fits(story: Story, size: Size) -> bool:
    """Of a door where somebody patrols, early in the year."""
    grid = story.report.spot.grid
    patrolled = size.sheets > 0 or grid in PATROLLED
    early = story.report.at < (local(2026, 4, 1) if size.sheets else local(2025, 12, 10))
    told = story.key.startswith("shed|")
    return grid is not None and patrolled and early and story.verdict == "hazard" and not told


def _linked(key: str, story: Story, days: Sequence[int], behaviour: str) -> Linked:
    chance = Chance("linked", key)
    opened = _office_hour(chance, story.report.at + timedelta(days=12))
    plot = _plot(key, opened, name="演示程默", result="unsubstantiated", category="service")
    visits = tuple(_office_hour(chance, opened + timedelta(days=day)) for day in days)
    return Linked(Marked(plot, behaviour), story, visits)


def _inspect(world: World, linked: Linked, number: int, when: datetime) -> None:
    report = linked.story.report
    tale, role = Tale(world, f"{linked.marked.plot.key}|visit {number}"), f"grid {report.spot.grid}"
    tale.at(when, tale.open, "patrol", role, report.spot.unit, title="专项检查",
            category="patrol_special", address=report.address)  # fmt: skip
    walked = (when + timedelta(minutes=20)).isoformat(timespec="seconds")
    tale.at(when + timedelta(minutes=40), tale.do, "walk", role, walked_at=walked,
            checked=["charging", "corridor"], result="nil")  # fmt: skip
