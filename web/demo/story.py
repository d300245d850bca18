"""What is to happen to one hazard: its report, and how each step of it will go."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from web.demo.chance import Chance
from web.demo.matters import MATTERS, ONLY_AT, SEASONS, USUAL, WHERE, Matter
from web.demo.town import ENFORCEMENT, ZONE, Spot

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Report:
    """What somebody finds: when, where, what. spoken_by: for a proxy entry, who told it.

    where: the place inside the spot, as the title says it. reporter: a role (web.demo.town).
    discovered: minutes before the report.
    """

    at: datetime
    spot: Spot
    where: str
    address: str
    category: str
    matter: Matter
    reporter: str
    spoken_by: str | None = None
    photo: bool = False
    danger: bool = False
    discovered: int = 20


@dataclass(frozen=True, slots=True)
class Story:
    """One hazard and its way. Persons are named by role, other cases by the key of their story.

    unit: who puts it right; first_unit: who was wrongly assigned at first. doers: element -> role
    that does it whoever else could. paces: element -> thousandths of its time that the step takes
    (over 1000 = late). at: element (or the reporter's `dispute`, the supervisor's `reopen`) -> when
    it is done, or as soon after as it can be. stop: elements or step keys at which the case still
    stands at the end of the year. tale: what the forms say instead of the usual. term: as in the
    form `assign`.

    extension, pause: granted, refused, pending or twice. disputes_result: pass or fail, what the
    second acceptance then says. rework: how many acceptances fail (three: the leader's order).
    recycled: names of after-photos that other cases share; retouched: of such that are handed in
    made lighter and saved again. same_as: the case it is merged into.
    """

    key: str
    report: Report
    unit: str = ""
    first_unit: str | None = None
    named: bool = True
    acceptor: str = "accept 1"
    second_acceptor: str = "accept 2"
    verdict: str = "hazard"
    level: str = "general"
    override: str | None = None
    same_as: str | None = None
    disputes_verdict: bool = False
    sent_back: bool = False
    taken_back: bool = False
    objection: str | None = None
    term: str = "graded"
    plan: bool = False
    plan_rejected: bool = False
    rework: int = 0
    extension: str | None = None
    pause: str | None = None
    standing: bool = False
    passed_on: int = 0
    submits_again: bool = False
    closing_returned: bool = False
    disputes_result: str | None = None
    reopened: bool = False
    found_again: bool = False
    urged: bool = False
    supervised: bool = False
    recycled: tuple[str, ...] = ()
    retouched: tuple[str, ...] = ()
    site_photo_borrowed: bool = False
    backdated: bool = False
    doers: Mapping[str, str] = field(default_factory=lambda: NOTHING, hash=False)
    paces: Mapping[str, int] = field(default_factory=lambda: NOTHING, hash=False)
    at: Mapping[str, datetime] = field(default_factory=lambda: NOTHING, hash=False)
    tale: Mapping[str, str] = field(default_factory=lambda: NOTHING, hash=False)
    stop: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The title of the case."""
        return f"{self.report.where}{self.report.matter.what}"

    @property
    def major(self) -> bool:
        """Whether the hazard ends up as a major one."""
        return self.level == "major" and self.override is None

    def stops(self, task: str) -> bool:
        """Whether the case still stands at this step (a key, `element#round`) at the end."""
        return task in self.stop or task.partition("#")[0] in self.stop


def case_ids(stories: Iterable[Story]) -> dict[str, str]:
    """Key of each story -> id of the case it will be: reports are numbered as they come in."""
    ids: dict[str, str] = {}
    counts: dict[int, int] = {}
    for story in sorted(stories, key=in_order):
        year = story.report.at.astimezone(ZONE).year
        counts[year] = counts.get(year, 0) + 1
        ids[story.key] = f"hazard-{year}-{counts[year]:05d}"
    return ids


def in_order(story: Story) -> tuple[datetime, str]:
    """Sorts stories as they are reported."""
    return story.report.at, story.key


def number(case: str) -> str:
    """The number people call a case by, from its id."""
    _, year, count = case.split("-")
    return f"听澜-隐-{year}-{count}"


def draw_category(chance: Chance, setting: str, month: int) -> str:
    """What is likely to be found there in that month."""
    season = SEASONS.get(month, {})
    return chance.weigh([(name, n * season.get(name, 1)) for name, n in USUAL[setting].items()])


def draw_matter(chance: Chance, category: str, setting: str) -> Matter:
    """One of the findings of a category that there can be in this setting."""
    fitting = [m for m in MATTERS[category] if not m.only or setting in m.only.split()]
    return chance.pick(fitting)


def draw_place(chance: Chance, spot: Spot, category: str) -> tuple[str, str]:
    """A place inside a spot: in short for the title, and as an address."""
    if spot.setting == "estate":
        building = spot.first + chance.below(4)
        return f"{building} 幢", f"{spot.estate} {building} 幢 {chance.between(1, 3)} 单元"
    where = chance.pick(ONLY_AT.get((spot.setting, category), WHERE[spot.setting]))
    return where, f"{spot.estate} {where}"


def draw_reporter(chance: Chance, spot: Spot) -> tuple[str, str | None]:
    """Who reports from a spot, and in whose words if it is a proxy entry."""
    if spot.grid is None:
        company = spot.firm
        return chance.weigh([(f"engineer {company}", 5), (f"deputy {spot.community}", 3)]), None
    return chance.weigh(
        [
            ((f"grid {spot.grid}", None), 45),
            ((f"micro {spot.unit}", None), 18),
            ((f"grid {spot.grid}", "grid_worker"), 12),
            ((f"grid {spot.grid}", "resident"), 15),
            ((f"deputy {spot.community}", "resident"), 5),
            ((f"deputy {spot.community}", None), 5),
        ]
    )


def draw_unit(chance: Chance, spot: Spot, category: str) -> str:
    """Whose it is to put such a thing right there."""
    if category == "illegal_building":
        return ENFORCEMENT
    others = {"gas": "u-gas", "road": "u-urban", "food": "u-marketwatch", "electricity": "u-power"}
    if category in others and chance.happens(350 if category != "gas" else 600):
        return others[category]
    if category == "facility" and chance.happens(500):
        return spot.community
    return spot.firm
