"""Patrols by plan, walked nearly always: in a year on order by every general grid.

In the demonstration itself one grid walks through its last two months; what befalls a week of
patrols is told in among.py.
"""

from datetime import datetime, timedelta
from functools import partial
from typing import Final

from engine import cases, outbox
from web.demo.chance import Chance
from web.demo.life import World
from web.demo.rechecks import plan_recheck
from web.demo.town import END, PATROLLED, Size, Town, local

FIRST: Final = local(2025, 11, 3, 8, 30)
AUTUMN: Final = local(2026, 9, 1, 8, 30)
AUTUMN_ROUNDS: Final = 60
SHEET: Final = ("corridor", "charging", "fire_lane", "fire_equipment", "electricity", "gas",
                "falling", "road")  # fmt: skip


def plan_patrols(world: World, town: Town, size: Size) -> None:
    """Put a plan for each grid and its rounds on the agenda: so many sheets in all."""
    estates = {spot.grid: spot.estate for spot in town.spots if spot.grid}
    if not size.sheets:
        walks = _Walks(world, PATROLLED[2], estates[PATROLLED[2]], 0)
        world.plan(AUTUMN, partial(walks.begin, AUTUMN_ROUNDS))
    for number, (grid, estate) in enumerate(sorted(estates.items()) if size.sheets else ()):
        rounds = size.sheets * (number + 1) // len(estates) - size.sheets * number // len(estates)
        # A year has so many days; more sheets are more plans of the same grid.
        for part in range(-(-rounds // 320)):
            count = min(320, rounds - 320 * part)
            walks = _Walks(world, grid, estate, part)
            start = FIRST + timedelta(minutes=7 * number + part)
            world.plan(start, partial(walks.begin, count))


class _Walks:
    """A plan of one grid, and who walks its rounds."""

    def __init__(self, world: World, grid: str, estate: str, part: int) -> None:
        self.world, self.grid, self.estate, self.part = world, grid, estate, part
        self.role, self.plan = f"grid {grid}", ""

    def begin(self, rounds: int) -> None:
        """Set the plan; its first round opens at once, the others each a day later."""
        world = self.world
        form = {
            "title": "楼道、车棚和消防通道", "category": "patrol_daily", "address": self.estate,
            "interval": "EVERY_DAY", "rounds": rounds, "patroller": world.person[self.role],
        }  # fmt: skip
        report = cases.Report(
            process="patrol_plan", category="patrol_daily", title="楼道、车棚和消防通道",
            place=cases.Place(self.grid, self.estate), form=form,
        )  # fmt: skip
        self.plan = cases.open_case(
            world.conn, report, by=world.by(self.role), at=world.now
        ).case  # fmt: skip
        world.deliver()
        for number in range(rounds):
            world.plan(self._when(world.now, number), partial(self.walk, number))

    def _when(self, begun: datetime, number: int) -> datetime:
        """In the afternoon; now and then only days later, or (at the end) not at all."""
        chance = Chance("round", self.grid, self.part, number)
        days = 4 if chance.happens(12) else 0
        late = timedelta(hours=chance.between(5, 8), minutes=chance.below(60))
        return min(begun + timedelta(days=number + days) + late, END + timedelta(days=1))

    def walk(self, number: int) -> None:
        """Fill in the sheet of one round: nothing was found."""
        world = self.world
        children = [child for _, _, child in outbox.children_of(world.conn, [self.plan])]
        if len(children) <= number:
            return
        walked = (world.now - timedelta(minutes=25)).isoformat(timespec="seconds")
        form = {"walked_at": walked, "checked": list(SHEET), "result": "nil"}
        cases.complete_task(
            world.conn, children[number], "walk#1", form, by=world.by(self.role), at=world.now
        )  # fmt: skip
        world.deliver()
        plan_recheck(world, children[number], SHEET)
