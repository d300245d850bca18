"""Second looks at patrols: the community that the lot drew goes, mostly within a day.

Most find what the patrol said. What was missed has been reported by then and is not entered twice:
the hazards of the year keep their numbers.
"""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final

from engine import cases
from engine.state import OpenTask
from web.demo.answers import written
from web.demo.chance import Chance
from web.demo.life import World

CHANGED_PER_MILLE: Final = 180


def plan_recheck(world: World, case: str, checked: Sequence[str]) -> None:
    """Put the second look at a patrol on the agenda, if the lot has just asked for one.

    checked: what the patrol says it looked at.
    """
    task = _open(world, case)
    if task is not None:
        chance = Chance("recheck", case)
        role = f"{chance.pick(('head', 'deputy'))} {task.units[0]}"
        when = world.office(chance.between(90, 700))
        world.plan(when, partial(_look, world, case, role, checked))


def _open(world: World, case: str) -> OpenTask | None:
    return next((one for one in world.case(case).tasks.values() if one.element == "recheck"), None)


def _look(world: World, case: str, role: str, checked: Sequence[str]) -> None:
    task = _open(world, case)
    if task is not None:
        photo = world.at_the_site(case, role, scene=f"{case}|recheck", category=checked[0])
        cases.complete_task(
            world.conn, case, task.key, _answer(world, case, checked), by=world.by(role),
            at=world.now, evidence=(photo,),
        )  # fmt: skip
        world.deliver()


def _answer(world: World, case: str, checked: Sequence[str]) -> dict[str, Any]:
    chance = Chance("looked again", case)
    visited = world.now - timedelta(minutes=chance.between(10, 50))
    form: dict[str, Any] = {
        "visited_at": written(visited), "looked_again": list(checked),
        "result": "same", "findings": "逐项看过，与巡查所报一致。",
    }  # fmt: skip
    if chance.happens(CHANGED_PER_MILLE):
        form |= {
            "result": "changed", "changed": [chance.pick(checked)], "count": 0,
            "findings": "这一项当时就该看到，巡查没有报；已有人另行上报，不重复立案。",
        }  # fmt: skip
    return form
