"""Duties: what each lets its holder do and see, in words; and which unit has whom for it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from flask import render_template, request
from sqlalchemy import Connection, select

from engine.definition_sets import latest, set_table
from engine.definitions import BY_CASES, Definition
from engine.directory import DUTIES, KINDS, Directory, valid
from engine.holding import REASSIGNING
from engine.oversight import URGING
from engine.people import directory
from engine.rights import DECIDING, DISCIPLINE, WATCHING, sight
from web.admin_pages import pages
from web.desk import unit_name
from web.texts import either, later, say
from web.visit import at, reads

SIGHTS: Final = {
    "nothing": later("不因此看到任何案件"),
    "own": later("只看自己经办过的、正等自己办的案件"),
    "place": later("看本单位和下级单位的案件"),
    "street": later("看本单位和下级单位的案件；单位是街道的内设部门的，看全街道的"),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """A duty in words. steps: by process, what waits for it. more: what else it may do."""

    duty: str
    name: str
    seeing: str
    steps: tuple[tuple[str, str], ...]
    more: tuple[str, ...]
    holders: int


@dataclass(frozen=True, slots=True)
class Cell:
    """Who holds a duty in a unit now: names, with whom they stand in for; empty: 空岗."""

    duty: str
    name: str
    holders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """A unit with a cell for every duty that units of its kind have."""

    unit: str
    name: str
    cells: tuple[Cell, ...]

    @property
    def vacant(self) -> tuple[Cell, ...]:
        """The duties nobody holds here."""
        return tuple(cell for cell in self.cells if not cell.holders)


@pages.get("/duties")
def duties() -> str:
    """The one table of rules, in words: read from the rules and the drawings themselves."""
    with reads() as conn:
        people = directory(conn)
        drawn = _drawn(conn)
    rules = [_rule(duty, people, drawn) for duty in DUTIES]
    return render_template("admin_duties.html", rules=rules)


@pages.get("/duties/matrix")
def matrix() -> str:
    """Unit by duty, who holds it now; for each kind of unit the duties that such units have."""
    with reads() as conn:
        people = directory(conn)
    kinds = [kind for kind in KINDS if _units(people, kind)]
    asked = request.args.get("kind", "")
    kind = asked if asked in kinds else ("community" if "community" in kinds else kinds[0])
    held = _held(people, kind)
    return render_template(
        "admin_matrix.html",
        kinds=[(one, either(*KINDS[one][:2])) for one in kinds],
        kind=kind,
        duties=[(duty, either(*DUTIES[duty])) for duty in _usual(people, kind)],
        held=held,
        vacant=sum(len(one.vacant) for one in held),
        nobody=_nobody(people),
    )


# --- the table of rules -------------------------------------------------------------------------


def _drawn(conn: Connection) -> list[Definition]:
    keys = conn.execute(select(set_table.c.key).distinct().order_by(set_table.c.key)).scalars()
    return [latest(conn, key) for key in keys.all()]


def _rule(duty: str, people: Directory, drawn: Sequence[Definition]) -> Rule:
    held = people.holders(duty, people.units, at())
    return Rule(
        duty,
        either(*DUTIES[duty]),
        say(SIGHTS[sight(duty)]),
        tuple(_steps(duty, drawn)),
        tuple(_more(duty, drawn)),
        len({one.person for one in held}),
    )


def _steps(duty: str, drawn: Iterable[Definition]) -> Iterator[tuple[str, str]]:
    for one in drawn:
        names = dict.fromkeys(
            either(task.name, task.name_en)
            for task in one.tasks.values()
            if one.lanes[task.lane].duty == duty
        )
        if names:
            yield either(one.title, one.title_en), say("、").join(names)


def _more(duty: str, drawn: Iterable[Definition]) -> Iterator[str]:
    begun = [either(d.title, d.title_en) for d in drawn if _begins(duty, d)]
    if begun:
        yield say("发起：{processes}", processes=say("、").join(begun))
    if duty in URGING:
        yield say("催办")
    if duty == "supervise":
        yield say("督办，导出任何看得到的案件的责任报告")
    if duty in REASSIGNING:
        yield say("改派别人手里的步骤，恢复暂停的计时")
    if duty == DECIDING["extension"]:
        yield say("批延期，决定挂账")
    if duty == DECIDING["pause"]:
        yield say("批暂停计时")
    if duty == DISCIPLINE:
        yield say("保密案件里，批延期和暂停计时")
    if duty in WATCHING:
        yield say("查谁在哪天任什么岗位")
    if duty == "administer":
        yield say("登记单位、人员、岗位、账号，发布日历，部署流程")


def _begins(duty: str, one: Definition) -> bool:
    """Whether the drawing has this duty begin a case; where none is asked, its first lane says."""
    if one.opened_by is not None or one.started_by_complainant:
        return one.opened_by == duty != BY_CASES
    lane = one.elements[one.start].lane
    return lane is not None and one.lanes[lane].duty == duty


# --- who holds what where -----------------------------------------------------------------------


def _units(people: Directory, kind: str) -> list[str]:
    return [u.id for u in people.units.values() if u.kind == kind and valid(u, at())]


def _usual(people: Directory, kind: str) -> list[str]:
    """The duties that some unit of this kind has or had: where another lacks one, it is vacant."""
    units = frozenset(_units(people, kind))
    held = {duty for post in people.posts_in(units) for duty in post.duties}
    return [duty for duty in DUTIES if duty in held]


def _held(people: Directory, kind: str) -> list[Held]:
    usual = _usual(people, kind)
    return [
        Held(unit, unit_name(people, unit), tuple(_cell(people, unit, duty) for duty in usual))
        for unit in _units(people, kind)
    ]


def _cell(people: Directory, unit: str, duty: str) -> Cell:
    held = people.holders(duty, {unit}, at())
    names = dict.fromkeys(
        people.name(one.person)
        if one.on_behalf_of is None
        else say(
            "{name}（代{absent}）",
            name=people.name(one.person),
            absent=people.name(one.on_behalf_of),
        )
        for one in held
    )
    return Cell(duty, either(*DUTIES[duty]), tuple(names))


def _nobody(people: Directory) -> list[str]:
    """Duties that nobody anywhere holds now."""
    return [
        either(*DUTIES[duty]) for duty in DUTIES if not people.holders(duty, people.units, at())
    ]
