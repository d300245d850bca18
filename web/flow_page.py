"""流程走向: which ways cases went, who handed on to whom, where time went; whether they replay."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from flask import Blueprint, render_template, request, url_for
from flask_login import login_required
from sqlalchemy import Connection

from audit.mining.views import ENOUGH, Bottleneck, Handover, Spread, Variant
from engine.casework import read_cases
from engine.directory import Directory
from engine.errors import NotAllowed
from engine.flow_months import Basis, Flow, bases, flow_of
from engine.people import directory
from engine.periods import end_of
from engine.rights import may_see, measures_everything
from web.act_kinds import processes
from web.desk import unit_name
from web.periods import period_words
from web.quantities import ZONE, bare_duration
from web.texts import either, language, say
from web.visit import at, by, reads

pages = Blueprint("flow", __name__)

# So many variants and units of the matrix are shown at once; the others are told in sum.
SHOWN: Final = 8
# A cell is one of so many shades, by its share of the largest.
SHADES: Final = 4


class NoFlowForYou(NotAllowed):
    """How cases go is told of the whole street, to posts that look over all of it."""

    def __init__(self) -> None:
        super().__init__(
            "流程走向按全街道算，给督查和纪检全街道的岗位看，您现在没有这样的岗位。",
            "How cases go is told of the whole street, to posts that supervise or discipline all "
            "of it; you hold none now.",
        )


@dataclass(frozen=True, slots=True)
class Way:
    """One variant: its steps in words, in how many cases, per mille, how long, some of them."""

    steps: Sequence[str]
    cases: int
    share: int
    took: str
    examples: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Giver:
    """A row of the matrix: number and name of a unit, and how often it handed to each (shade)."""

    number: int
    name: str
    cells: Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Hand-overs between the units that have most of them. others: how many are not in it."""

    rows: Sequence[Giver]
    others: int


@dataclass(frozen=True, slots=True)
class StepTimes:
    """A step and each unit that did it often: name, how many times, and three pairs of words.

    few: how many other units did it.
    """

    rows: Sequence[tuple[str, int, Sequence[tuple[str, str]]]]
    few: int


@pages.get("/flow")
@login_required  # type: ignore[untyped-decorator]
def page() -> str:
    """The cases of one process opened in one month: the last month that there is, if not asked."""
    with reads() as conn:
        people = directory(conn)
        if not measures_everything(people, by(), at()):
            raise NoFlowForYou
        known = bases(conn)
        titles = dict(processes(conn))
        asked = _asked(known)
        flow = flow_of(conn, asked.process, asked.month) if asked else None
        if flow is None:
            return render_template("flow.html", flow=None)
        shown = _visible(conn, people, flow)
    return render_template(
        "flow.html",
        flow=flow,
        title=titles.get(flow.basis.process, flow.basis.process),
        month=period_words(flow.basis.month),
        processes=[(words, _address(known, key), key == flow.basis.process)
                   for key, words in titles.items() if any(one.process == key for one in known)],
        months=[(period_words(one.month),
                 url_for("flow.page", process=one.process, month=one.month),
                 one.month == flow.basis.month)
                for one in reversed(known) if one.process == flow.basis.process],
        differing=[one for one in flow.conformance.differing if one[0] in shown],
        ways=[_way(one, flow, shown) for one in flow.variants],
        shown=SHOWN,
        matrix=_matrix(people, flow.handovers),
        posts=_posts(people, flow),
        steps=_steps(people, flow),
        rare=_rare(flow),
        command=_command(flow.basis),
    )  # fmt: skip


def _asked(known: Sequence[Basis]) -> Basis | None:
    """What is asked for, else the last month of what is asked for, else of what has most cases."""
    process, month = request.args.get("process", ""), request.args.get("month", "")
    count = Counter[str]()
    for one in known:
        count[one.process] += one.cases
    if process not in count:
        process = max(sorted(count), key=lambda key: count[key], default="")
    mine = [one for one in known if one.process == process]
    return next((one for one in mine if one.month == month), mine[-1] if mine else None)


def _address(known: Sequence[Basis], process: str) -> str:
    """The same month of another process, if it has one."""
    month = request.args.get("month", "")
    if any(one.process == process and one.month == month for one in known):
        return url_for("flow.page", process=process, month=month)
    return url_for("flow.page", process=process)


def _visible(conn: Connection, people: Directory, flow: Flow) -> set[str]:
    """Of the cases that are named those this person may see now: what is kept is an hour old."""
    named = {case for cases in flow.examples.values() for case in cases}
    named |= {case for case, _, _ in flow.conformance.differing}
    states = read_cases(conn, named)
    return {case for case, state in states.items() if may_see(state, people, by(), at())}


def _way(one: Variant, flow: Flow, shown: Collection[str]) -> Way:
    examples = [case for case in flow.examples.get(one.steps, ()) if case in shown]
    return Way(
        [_step_name(flow, step) for step in one.steps], one.cases, one.share,
        _spread_words(one.minutes),
        [(case, url_for("cases.page", case_id=case)) for case in examples],
    )  # fmt: skip


def _step_name(flow: Flow, element: str) -> str:
    return either(*flow.names.get(element, (element, "")))


def _spread_words(told: Spread) -> str:
    middle, most = _pair(told)
    return say("一半在 {middle} 内，九成在 {most} 内", middle=middle, most=most) if most else middle


def _matrix(people: Directory, told: Sequence[Handover]) -> Matrix:
    """Of the units with most hand-overs, by name: who stands first says nothing of anybody."""
    between = [one for one in told if one.kind == "units" and one.giver != one.taker]
    total = Counter[str]()
    for one in between:
        total[one.giver] += one.count
        total[one.taker] += one.count
    shown = [unit for unit, _ in total.most_common(SHOWN)]
    shown.sort(key=lambda unit: unit_name(people, unit))
    count = {(one.giver, one.taker): one.count for one in between}
    inside = {key: n for key, n in count.items() if set(key) <= set(shown)}
    most = max(inside.values(), default=1)
    rows = [
        Giver(number, unit_name(people, giver), [
            (n := inside.get((giver, taker), 0), -(-n * SHADES // most)) for taker in shown
        ])
        for number, giver in enumerate(shown, 1)
    ]  # fmt: skip
    return Matrix(rows, sum(count.values()) - sum(inside.values()))


def _posts(people: Directory, flow: Flow) -> list[tuple[str, str, str, int]]:
    """Within units: unit, the post that handed on, the one that took over, how often."""
    known = people.posts
    return [
        (unit_name(people, one.within),
         known[one.giver].title if one.giver in known else one.giver,
         known[one.taker].title if one.taker in known else one.taker, one.count)
        for one in flow.handovers if one.kind == "posts" and one.within and one.giver != one.taker
    ]  # fmt: skip


def _steps(people: Directory, flow: Flow) -> list[StepTimes]:
    """By step in the order of the commonest ways: of all, then of units with enough, by name."""
    return [_step(people, flow, one) for one in _ordered(flow) if _count(one) >= ENOUGH]


def _rare(flow: Flow) -> list[tuple[str, int]]:
    """The steps that were done too few times to say how long they took, and how often."""
    told = [(_step_name(flow, one.element), _count(one)) for one in _ordered(flow)]
    return [(name, count) for name, count in told if count < ENOUGH]


def _ordered(flow: Flow) -> list[Bottleneck]:
    way = [step for one in flow.variants[:SHOWN] for step in one.steps]
    order = {step: n for n, step in reversed(list(enumerate(way)))}
    return sorted(flow.steps, key=lambda one: (order.get(one.element, 999), one.element))


def _step(people: Directory, flow: Flow, whole: Bottleneck) -> StepTimes:
    mine = [one for one in flow.bottlenecks if one.element == whole.element]
    enough = [one for one in mine if _count(one) >= ENOUGH]
    units = sorted((unit_name(people, one.unit or ""), one) for one in enough)
    rows = [_times(name, one) for name, one in units if len(mine) > 1]
    return StepTimes(
        [_times(_step_name(flow, whole.element), whole), *rows], len(mine) - len(enough)
    )


def _count(one: Bottleneck) -> int:
    return max(told.n for told in (one.waiting, one.working, one.used))


def _times(name: str, one: Bottleneck) -> tuple[str, int, Sequence[tuple[str, str]]]:
    return name, _count(one), [_pair(told) for told in (one.waiting, one.working, one.used)]


def _pair(told: Spread) -> tuple[str, str]:
    """Median and P90 in words; nothing where nothing was measured."""
    if told.median is None or told.p90 is None:
        return (say("样本不足") if told.n else "", "")
    middle, most = (bare_duration(one, None, language()) for one in (told.median, told.p90))
    return middle, most


def _command(basis: Basis) -> str:
    last = end_of(basis.month, ZONE) - timedelta(days=1)
    period = f"--from {basis.month}-01 --to {last:%Y-%m-%d}"
    return f"shaoji mining conformance --process {basis.process} {period}"
