"""Codes on doors of 听涛社区, from the first Monday of the year on; drawn, so that they last."""

from collections.abc import Callable
from functools import partial
from typing import Final

from engine.place_codes import drawn, issue
from web.demo.chance import Chance
from web.demo.hotline import Code
from web.demo.life import World
from web.demo.town import local

KEEPER: Final = "head u-tingtao"
DOORS: Final = {
    "u-tingtao-g1": "听涛社区 听涛苑一般网格",
    "u-tingtao-g1-m1": "听涛苑的微网格，在上一处里面",
}


def door_codes() -> tuple[Code, ...]:
    """The announced codes, and the places they name."""
    return tuple(Code(drawn(_randomness(unit)), what) for unit, what in DOORS.items())


def plan_doors(world: World) -> None:
    """Put it on the agenda that the head of the community issues the codes."""
    for minute, unit in enumerate(DOORS):
        world.plan(local(2025, 11, 3, 10, minute), partial(_issue, world, unit))


def _issue(world: World, unit: str) -> None:
    issue(world.conn, unit, by=world.by(KEEPER), at=world.now, randomness=_randomness(unit))


def _randomness(unit: str) -> Callable[[int], bytes]:
    chance = Chance("place code", unit)
    return lambda count: chance.token()[:count]
