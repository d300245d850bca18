"""The ordinary hazards of the year: most go well and in time, some do not."""

from calendar import monthrange
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from web.demo.chance import Chance
from web.demo.matters import MONTHS
from web.demo.story import (
    Report,
    Story,
    draw_category,
    draw_matter,
    draw_place,
    draw_reporter,
    draw_unit,
)
from web.demo.town import END, ZONE, Spot, Town

HONEST_GRID: Final = "u-nanbu-g1"
# What befalls a hazard, and how often in a thousand. One thing each, so that each can be told.
LOTS: Final[tuple[tuple[str, int], ...]] = (
    ("plain", 423),
    ("not_hazard", 38),
    ("not_hazard_disputed", 10),
    ("duplicate", 42),
    ("other_authority", 14),
    ("major", 42),
    ("danger", 36),
    ("danger_major", 5),
    ("downgraded", 6),
    ("sent_back", 14),
    ("taken_back", 12),
    ("objection_upheld", 14),
    ("objection_rejected", 12),
    ("plan", 8),
    ("rework_1", 66),
    ("rework_2", 18),
    ("rework_3", 6),
    ("extension_granted", 30),
    ("extension_refused", 8),
    ("extension_twice", 6),
    ("pause_granted", 22),
    ("pause_refused", 6),
    ("pause_self", 4),
    ("passed_on", 10),
    ("submits_again", 8),
    ("closing_returned", 12),
    ("result_disputed", 8),
    ("result_refuted", 7),
    ("reopened", 6),
    ("backdated", 9),
    ("found_again", 3),
    ("late", 95),
)
GIVEN_TO: Final[dict[str, dict[str, Any]]] = {
    "plain": {},
    "not_hazard": {"verdict": "not_hazard"},
    "not_hazard_disputed": {"verdict": "not_hazard", "disputes_verdict": True},
    "duplicate": {"verdict": "duplicate"},
    "other_authority": {"verdict": "other_authority"},
    "major": {"level": "major"},
    "danger": {},
    "danger_major": {"level": "major"},
    "downgraded": {"level": "major", "override": "general"},
    "sent_back": {"sent_back": True},
    "taken_back": {"taken_back": True, "named": True},
    "objection_upheld": {"objection": "upheld"},
    "objection_rejected": {"objection": "rejected"},
    "plan": {"plan": True, "plan_rejected": True},
    "rework_1": {"rework": 1},
    "rework_2": {"rework": 2},
    "rework_3": {"rework": 3},
    "extension_granted": {"extension": "granted", "paces": {"rectify": 1350}},
    "extension_refused": {"extension": "refused", "paces": {"rectify": 1200}},
    "extension_twice": {"extension": "twice", "paces": {"rectify": 1800}},
    "pause_granted": {"pause": "granted", "paces": {"rectify": 800}},
    "pause_refused": {"pause": "refused"},
    "pause_self": {"pause": "self", "paces": {"rectify": 1500}},
    "passed_on": {"passed_on": 3, "paces": {"rectify": 850}},
    "submits_again": {"submits_again": True},
    "closing_returned": {"closing_returned": True},
    "result_disputed": {"disputes_result": "pass"},
    "result_refuted": {"disputes_result": "fail"},
    "reopened": {"reopened": True},
    "backdated": {"backdated": True},
    "found_again": {"level": "major", "found_again": True},
    "late": {},
}
LATE: Final = (
    ("confirm", 20),
    ("assign", 12),
    ("sign_in", 20),
    ("rectify", 34),
    ("accept", 16),
    ("close", 8),
)
# A change of hands at the unit needs a colleague; a wrong unit needs a right one.
ALONE: Final = ("u-gas", "u-urban", "u-marketwatch", "u-power")


def ordinary_stories(town: Town, count: int) -> list[Story]:
    """So many hazards, each drawn from its own number; the first ones so that each lot falls."""
    lots = [lot for lot, _ in LOTS if lot != "plain"]
    drawn = [_story(town, index, lots[index] if index < len(lots) else None)
             for index in range(count)]  # fmt: skip
    return _with_masters(sorted(drawn, key=lambda story: story.report.at))


def _story(town: Town, index: int, lot: str | None) -> Story:
    chance = Chance("ordinary", index)
    lot = lot or chance.weigh(LOTS)
    report = _report(chance, town, danger=lot.startswith("danger"))
    unit = draw_unit(chance, report.spot, report.category)
    drawn: dict[str, Any] = {
        "unit": unit,
        "named": chance.happens(800),
        "acceptor": f"accept {chance.between(1, 4)}",
        "found_again": chance.happens(150),
    }
    story = Story(f"ordinary|{index}", report, **(drawn | GIVEN_TO[lot]))
    return _completed(chance, story, lot, town)


def _completed(chance: Chance, story: Story, lot: str, town: Town) -> Story:
    """What a lot needs beside its marks: a late step, a wrong unit, a second acceptor."""
    second = next(f"accept {n}" for n in (1, 2, 3, 4) if f"accept {n}" != story.acceptor)
    story = replace(story, second_acceptor=second)
    if lot in ("taken_back", "objection_upheld"):
        wrong = [spot.firm for spot in town.spots if spot.firm != story.unit]
        return replace(story, first_unit=chance.pick(wrong))
    if lot == "passed_on" and (story.unit in ALONE or story.report.spot.setting == "site"):
        return replace(story, passed_on=0)
    if lot in ("rework_2", "rework_3", "extension_refused", "late"):
        story = replace(story, urged=chance.happens(400), supervised=chance.happens(250))
    return _made_late(chance, story) if lot == "late" else story


def _made_late(chance: Chance, story: Story) -> Story:
    element = chance.weigh(LATE)
    if element == "confirm" and story.report.spot.grid == HONEST_GRID:
        element = "accept"
    return replace(story, paces={element: chance.between(1080, 2400)})


def _report(chance: Chance, town: Town, *, danger: bool) -> Report:
    at = moment(chance)
    spot = _spot(chance, town)
    category = draw_category(chance, spot.setting, at.month)
    where, address = draw_place(chance, spot, category)
    reporter, spoken_by = draw_reporter(chance, spot)
    return Report(
        at,
        spot,
        where,
        address,
        category,
        draw_matter(chance, category, spot.setting),
        reporter,
        spoken_by,
        photo=chance.happens(550),
        danger=danger,
        discovered=chance.between(3, 90),
    )


def _spot(chance: Chance, town: Town) -> Spot:
    weights = {"estate": 10, "village": 9, "site": 8}
    return chance.weigh([(spot, weights[spot.setting]) for spot in town.spots])


def moment(chance: Chance) -> datetime:
    """A time of the year: more at the ends of months, fewer on Sundays, hardly any at night."""
    year, month = chance.weigh(list(MONTHS.items()))
    last = monthrange(year, month)[1]
    days = [date(year, month, day) for day in range(1, last + 1)]
    day = chance.weigh([(day, _busy(day, last)) for day in days])
    hour = chance.weigh([(6, 1), (7, 4), (8, 10), (9, 14), (10, 14), (11, 9), (12, 3), (13, 6),
                         (14, 11), (15, 11), (16, 9), (17, 6), (18, 4), (19, 4), (20, 2),
                         (21, 1)])  # fmt: skip
    clock = time(hour, chance.below(60), chance.below(60), chance.below(1000) * 1000)
    return min(datetime.combine(day, clock, ZONE), END - timedelta(minutes=chance.between(5, 90)))


def _busy(day: date, last: int) -> int:
    weekend = (6, 6, 6, 6, 6, 4, 3)[day.weekday()]
    return weekend * (2 if day.day > last - 3 else 1)


def _with_masters(stories: list[Story]) -> list[Story]:
    """Give each duplicate the case it repeats: the last real one before it, at the same place."""
    told: list[Story] = []
    master: Story | None = None
    for story in stories:
        if story.verdict == "duplicate" and master is not None:
            same = master.report
            report = replace(
                story.report,
                spot=same.spot,
                where=same.where,
                address=same.address,
                category=same.category,
                matter=same.matter,
                reporter=_another(same),
                spoken_by="resident",
            )
            story = replace(story, report=report, same_as=master.key)
        elif story.verdict == "duplicate":
            story = replace(story, verdict="hazard")
        elif story.verdict == "hazard" and not story.report.danger:
            master = story
        told.append(story)
    return told


def _another(report: Report) -> str:
    spot = report.spot
    if spot.grid and report.reporter != f"grid {spot.grid}":
        return f"grid {spot.grid}"
    return f"deputy {spot.community}"
