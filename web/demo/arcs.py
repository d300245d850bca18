"""The stories that docs/demo.md tells: one place, one firm, one evening, one worker."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from web.demo.chance import Chance
from web.demo.matters import CORRIDOR, FALLING, GAS, ROAD, Matter
from web.demo.story import Report, Story, draw_category, draw_matter, draw_place, draw_reporter
from web.demo.town import Size, Spot, Town, local

# Everything done soon after it opens, so that what the story is about comes at its hour.
BRISK: Final = {
    "confirm": 60, "second_look": 60, "assign": 100, "sign_in": 300, "rule_objection": 80,
    "write_plan": 150, "approve_plan": 150, "publish_listing": 80, "accept": 60,
    "second_accept": 60, "close": 60, "first_response": 600, "reinspect": 60,
}  # fmt: skip
RECYCLER, PARTNER = "u-wanghai", "u-tingning"

SHED: Final = Matter(
    "电动车棚飞线充电",
    "有人从楼上拉线到北侧车棚充电，线从二楼窗口垂下来，车棚里停满了车。",
    "北侧电动车棚",
    "拆除私拉电线六处，收走插线板，车棚加锁。",
)
FIRE: Final = Matter(
    "电动车棚起火冒烟",
    "北侧车棚起火，冒黑烟，两辆车烧着，有人往外推车。",
    "北侧电动车棚",
    "拆除烧毁的车棚，新建室外充电桩十二个，装烟感和喷淋，检测合格。",
)


def arc_stories(town: Town, size: Size) -> list[Story]:
    """All told stories that are over by the end of the year."""
    return [
        *_shed(town),
        *_recycler(town),
        *_one_wall(town),
        *_month_end(town, size.closings),
        *_storm(town, size.storm),
        *_honest(town),
    ]


def spot_of(town: Town, unit: str) -> Spot:
    """The spot with this unit."""
    return next(spot for spot in town.spots if spot.unit == unit)


# --- 1: the shed ----------------------------------------------------------------------------------


STEPS: Final = {**BRISK, "confirm": 46}
SHED_FIRM, GRID, DEPUTY = "u-lanan", "grid u-tingtao-g1", "deputy u-tingtao"


def _shed(town: Town) -> Iterator[Story]:
    spot = spot_of(town, "u-tingtao-g1-m1")
    yield _put_right(_at_shed(spot, local(2025, 11, 20, 13, 43), SHED, DEPUTY, "resident"))
    yield _no_hazard(_at_shed(spot, local(2025, 12, 18, 9, 12), SHED, GRID))
    yield _merged_into_closed(_at_shed(spot, local(2026, 1, 14, 10, 5), SHED, GRID, "grid_worker"))
    yield _late_and_reopened(_at_shed(spot, local(2026, 2, 10, 16, 20), SHED, "head u-tingtao"))
    fire = _at_shed(spot, local(2026, 3, 15, 6, 20), FIRE, GRID)
    yield _fire(replace(fire, danger=True, discovered=3))
    yield _merged_into_open(_at_shed(spot, local(2026, 3, 17, 10, 40), SHED, DEPUTY, "resident"))


def _at_shed(
    spot: Spot, at: datetime, matter: Matter, reporter: str, spoken_by: str | None = None
) -> Report:
    address = "听涛苑 3 幢北侧电动车棚"
    return Report(at, spot, "3 幢", address, "charging", matter, reporter, spoken_by)


def _put_right(report: Report) -> Story:
    return Story(
        "shed|1",
        replace(report, photo=True),
        unit=SHED_FIRM,
        rework=1,
        doers={"confirm": GRID, "assign": "dispatch 1"},
        paces={**STEPS, "sign_in": 1350, "rectify": 160},
    )


def _no_hazard(report: Report) -> Story:
    return Story(
        "shed|2",
        report,
        unit=SHED_FIRM,
        verdict="not_hazard",
        doers={"confirm": DEPUTY, "second_look": "review 2"},
        # The second look takes three minutes: nobody can have gone there.
        paces={**STEPS, "second_look": 8},
        tale={
            "confirm": "看过现场，线已收走，上个月刚整改销号，不再按隐患办理。",
            "second_look": "同意社区的结论。",
        },
    )


def _merged_into_closed(report: Report) -> Story:
    return Story(
        "shed|3",
        report,
        unit=SHED_FIRM,
        verdict="duplicate",
        same_as="shed|1",
        doers={"confirm": DEPUTY, "second_look": "review 2"},
        paces={**STEPS, "second_look": 10},
        tale={"confirm": "与去年十一月那件是同一处，那件已经销号。"},
    )


def _late_and_reopened(report: Report) -> Story:
    return Story(
        "shed|4",
        report,
        unit=SHED_FIRM,
        objection="rejected",
        urged=True,
        supervised=True,
        reopened=True,
        doers={"confirm": GRID},
        paces={**STEPS, "rectify": 2000},
        at={"reopen": local(2026, 3, 16, 9, 30)},
        tale={"rule_objection": "车棚由该物业管理并收费，异议不成立，按原指派整改。"},
    )


def _fire(report: Report) -> Story:
    return Story(
        "shed|5",
        report,
        unit=SHED_FIRM,
        level="major",
        doers={"confirm": "head u-tingtao", "first_response": GRID},
        paces={**STEPS, "confirm": 200, "first_response": 700, "rectify": 600},
        tale={
            "first_response": "断电，搬离车辆十一辆，用灭火器压住火，消防到场后交接。",
            "closing_review": "同一车棚四个月内报过四次：一次只清了表面，一次按“不是隐患”了结，"
            "一次并入已销号的案件，一次拖到逾期。",
        },
    )


def _merged_into_open(report: Report) -> Story:
    return Story(
        "shed|6",
        report,
        unit=SHED_FIRM,
        verdict="duplicate",
        same_as="shed|5",
        doers={"confirm": GRID},
        paces=STEPS,
        tale={"confirm": "与十五日起火的是同一处，那件正在办理，并入办理并告知居民。"},
    )


# --- 4: the photo recycler ------------------------------------------------------------------------

SHARED: Final = (
    ("楼道整改后甲",),
    ("楼道整改后甲", "楼道整改后乙"),
    ("楼道整改后乙", "楼道整改后丙"),
    (),
    ("楼道整改后甲",),
)
# The fourth time it is not the file itself, but the photo made lighter and saved again.
RETOUCHED: Final = ((), (), (), ("楼道整改后丙",), ())


def _recycler(town: Town) -> Iterator[Story]:
    """Seven uses of three photos over five cases; the partner firm's engineer accepts them."""
    spots = [spot for spot in town.spots if spot.firm == RECYCLER]
    for index, (names, retouched) in enumerate(zip(SHARED, RETOUCHED, strict=True)):
        chance = Chance("recycler", index)
        at = local(2026, 4, 8, 9, 20) + timedelta(days=17 * index, minutes=chance.below(300))
        story = _corridor(f"recycler|{index + 1}", at, spots[index % len(spots)], RECYCLER)
        yield replace(
            story,
            acceptor=f"engineer {PARTNER}",
            recycled=names,
            retouched=retouched,
            site_photo_borrowed=index in (1, 2),
            disputes_result="fail" if index == 4 else None,
            paces={**BRISK, "rectify": 500, "accept": 5},
        )
    # And the other way round: what the partner did, the recycler's engineer accepts.
    others = [spot for spot in town.spots if spot.firm == PARTNER]
    for index in range(3):
        at = local(2026, 4, 20, 10) + timedelta(days=21 * index)
        story = _corridor(f"partner|{index + 1}", at, others[index % len(others)], PARTNER)
        paces = {**BRISK, "rectify": 400, "accept": 6}
        yield replace(story, acceptor=f"engineer {RECYCLER}", paces=paces)


def _corridor(key: str, at: datetime, spot: Spot, unit: str) -> Story:
    chance = Chance(key)
    where, address = draw_place(chance, spot, "corridor")
    matter = chance.pick(CORRIDOR)
    report = Report(at, spot, where, address, "corridor", matter, f"grid {spot.grid}", photo=True)
    return Story(key, report, unit=unit)


def _one_wall(town: Town) -> Iterator[Story]:
    """No misdeed: two hazards of one wall, and one honest photo that shows both put right."""
    spot = spot_of(town, "u-guanchao-g1-m1")
    for index, matter in enumerate((FALLING[0], FALLING[1])):
        at = local(2026, 5, 12, 9, 40) + timedelta(minutes=35 * index)
        address = "观潮雅苑 2 幢北墙"
        report = Report(at, spot, "2 幢", address, "falling", matter, f"grid {spot.grid}")
        yield Story(
            f"wall|{index + 1}",
            replace(report, photo=True),
            unit=spot.firm,
            acceptor="accept 2",
            recycled=("观潮雅苑 2 幢北墙",),
            # Beside the file that both have, the same wall once more in another file.
            retouched=("观潮雅苑 2 幢北墙",) if index else (),
            paces={**BRISK, "rectify": 700},
        )


# --- 5: the month's end, and a night that only looks like it --------------------------------------


def _month_end(town: Town, count: int) -> Iterator[Story]:
    """Left lying, stamped on one afternoon, closed on the last evening of the half-year."""
    spots = [spot for spot in town.spots if spot.setting == "estate"]
    for index in range(count):
        chance = Chance("month end", index)
        at = local(2026, 6, 8, 8, 40) + timedelta(
            days=index % 9, hours=chance.below(8), minutes=chance.below(60)
        )
        story = _estate_story(chance, f"monthend|{index + 1}", at, chance.pick(spots))
        closed = local(2026, 6, 30, 20, 2) + timedelta(seconds=47 * index + chance.below(15))
        accepted = local(2026, 6, 29, 16, 30) + timedelta(seconds=38 * index + chance.below(12))
        yield replace(
            story,
            acceptor="accept 3",
            doers={"close": "close 2"},
            paces={**BRISK, "rectify": chance.between(120, 500)},
            at={"accept": accepted, "close": closed, "reopen": _seen_again(index)},
            disputes_result="fail" if index % 7 == 3 else None,
            reopened=index % 7 == 5 or index == 30,
        )


def _seen_again(index: int) -> datetime:
    days = (0, 1, 2, 5)[index % 4]
    return local(2026, 7, 8, 9, 30) + timedelta(days=days, minutes=19 * index % 400)


def _storm(town: Town, count: int) -> Iterator[Story]:
    """No misdeed: a storm on a Saturday night, and all hands until everything is put right."""
    spots = [spot for spot in town.spots if spot.setting != "site"]
    for index in range(count):
        chance = Chance("storm", index)
        spot = chance.pick(spots)
        category, matters = ("falling", FALLING) if index % 2 else ("road", ROAD)
        where, address = draw_place(chance, spot, category)
        at = local(2026, 8, 8, 19, 5) + timedelta(minutes=11 * index + chance.below(9))
        reporter = f"micro {spot.unit}"
        report = Report(
            at, spot, where, address, category, chance.pick(matters), reporter, photo=True
        )
        yield Story(
            f"storm|{index + 1}",
            report,
            unit=spot.firm,
            acceptor=f"accept {index % 4 + 1}",
            doers={"close": "close 1"},
            at=_night_shift(chance, at, index),
        )


def _night_shift(chance: Chance, at: datetime, index: int) -> dict[str, datetime]:
    """Seen and given out the same night, put right on Sunday, accepted and closed on Monday."""
    confirmed = at + timedelta(minutes=chance.between(9, 30), seconds=chance.below(60))
    assigned = confirmed + timedelta(minutes=chance.between(5, 20), seconds=chance.below(60))
    monday = local(2026, 8, 10, 9)
    return {
        "confirm": confirmed,
        "assign": assigned,
        "sign_in": assigned + timedelta(minutes=chance.between(5, 25)),
        "rectify": local(2026, 8, 9, 7, 30) + timedelta(minutes=chance.between(0, 600)),
        "accept": monday + timedelta(minutes=17 * index, seconds=chance.below(90)),
        "close": local(2026, 8, 10, 18, 20) + timedelta(minutes=4 * index, seconds=chance.below(9)),
    }


def _estate_story(chance: Chance, key: str, at: datetime, spot: Spot) -> Story:
    category = draw_category(chance, spot.setting, at.month)
    category = category if category in ("corridor", "fire_lane", "fire_equipment") else "corridor"
    where, address = draw_place(chance, spot, category)
    matter = draw_matter(chance, category, spot.setting)
    reporter, spoken_by = draw_reporter(chance, spot)
    report = Report(at, spot, where, address, category, matter, reporter, spoken_by)
    return Story(key, report, unit=spot.firm)


# --- 7: the honest worker -------------------------------------------------------------------------


def _honest(town: Town) -> Iterator[Story]:
    """In time at every step; in the fourth case the unit is late, in the sixth he goes at night."""
    spot = spot_of(town, "u-nanbu-g1-m1")
    me = "grid u-nanbu-g1"
    for index in range(8):
        chance = Chance("honest", index)
        at = local(2025, 11, 18, 9, 10) + timedelta(days=41 * index, minutes=chance.below(400))
        story = _estate_story(chance, f"honest|{index + 1}", at, spot)
        reporter = me if index in (1, 6) else f"micro {spot.unit}"
        story = replace(
            story,
            report=replace(story.report, reporter=reporter, spoken_by=None, photo=True),
            doers={} if reporter == me else {"confirm": me},
            paces={**BRISK, "confirm": chance.between(25, 110)},
        )
        if index == 3:
            paces = {**story.paces, "sign_in": 2300, "rectify": 1700}
            story = replace(story, paces=paces, urged=True, supervised=True)
        yield _night(story, me) if index == 5 else story


def _night(story: Story, me: str) -> Story:
    at = story.report.at.replace(hour=22, minute=41)
    report = replace(story.report, at=at, category="gas", matter=GAS[2], danger=True, photo=False)
    return replace(
        story,
        report=report,
        unit="u-gas",
        doers={"confirm": me, "first_response": me},
        paces={**BRISK, "confirm": 250, "first_response": 500, "rectify": 450},
    )
