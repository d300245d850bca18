"""What follows from an act: the pure heart. The same function writes the log and judges it.

`advance` takes a case and one cause (a person's act, or a clock that ran out) and returns the case
after it with the facts a machine computed on the way. A command appends those facts; replay
computes them again and compares.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from audit.encoding import instant, timestamp
from audit.entries import Draft, Entry
from engine import moves
from engine.calendar import Calendar, named, used, working_minutes_per_day
from engine.clocks import set_deadline
from engine.definitions import Definition, Lane, UserTask
from engine.errors import Refusal
from engine.forms import routing
from engine.process import Marking, Step, Waiting, draw, say_to_party
from engine.separation import barred_by
from engine.state import (
    CaseState,
    Clock,
    Doer,
    OpenTask,
    OpenTimer,
    Pause,
    Request,
    with_doer,
    with_task,
)
from engine.telling import ORDERED, awaiting, child_told, ending, fact, told_others

FACTS: Final = frozenset(
    {"case.advanced", "deadline.set", "deadline.stopped", "receipt.issued", "message.sent"}
)
# Without 0 O 1 I: a receipt is read out over the telephone.
_RECEIPT_LETTERS: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"


class NobodyResponsible(Refusal):
    """A step would open for no unit at all; the act that led there is refused."""


class NoDeadline(Refusal):
    """A step would open without the clock its process says it has."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a case is judged with. communities: among whom a lot draws, asked only if one does."""

    definition: Definition
    calendar: Calendar
    communities: Callable[[], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Effect:
    """A case after an act, and the facts that followed, in the order in which they are recorded."""

    case: CaseState
    facts: tuple[Draft, ...]


def open_case(cause: Entry, context: Context) -> Effect:
    """The case that `case.opened` begins, with its receipt, first steps and their clocks."""
    data = cause.data
    start = _start(cause, context.definition)
    case = CaseState(
        case=cause.stream, seq=cause.seq, at=timestamp(cause.at), process=data["process"],
        number=data["number"], title=data["title"], definition=data["definition"]["sha256"],
        opened=_kept_of_opening(data, context.definition),
        marking=Marking([], {}), variables={"case": start},
    )  # fmt: skip
    if "person" in cause.actor:
        case = _done_by(case, "report", cause)
    step = moves.begin(context.definition, case.variables, seed=cause.hash)
    effect = _step(case, step, cause, context)
    receipt = fact(cause, "receipt.issued", {"receipt": receipt_number(cause.hash)})
    return _sealed(replace(effect, facts=(*effect.facts, receipt)), cause, context)


def _kept_of_opening(data: dict[str, Any], definition: Definition) -> dict[str, Any]:
    names = ("place", "source", "category", "origin", "party", "resident")
    kept = {name: data[name] for name in names if name in data}
    return kept | ({"confidential": True} if definition.confidential else {})


def _start(cause: Entry, definition: Definition) -> dict[str, Any]:
    """What reads as `case.…`: the routing answers of the opening form, and where the case is."""
    data, place = cause.data, cause.data["place"]
    street = place["path"][-1]
    community = place["path"][-2] if len(place["path"]) > 1 else street
    facts = {
        "source": data["source"],
        "category": data["category"],
        "concluded": bool(data.get("imported", {}).get("concluded")),
        "party": data.get("party"),
        "place": place["unit"],
        "street": street,
        # The unit of whoever opened the case; what a machine opened came from the community.
        "opener": _did(cause).get("unit", community),
        # Where nothing stands above the street, what goes up to the district ends at the street.
        "district": place.get("district", street),
    }
    return {**routing(definition.forms["report"], data["form"]), **facts}


def advance(case: CaseState, cause: Entry, context: Context) -> Effect:
    """The case after one cause, with what follows from it.

    Raises the refusals of the process itself (StepNotOpen, ProcessStuck, NobodyResponsible,
    rules and expressions that fail); nothing has been written then.
    """
    handler = _HANDLERS.get(cause.type)
    effect = handler(case, cause, context) if handler else Effect(case, ())
    return _sealed(effect, cause, context)


def receipt_number(seed: bytes) -> str:
    """The receipt of a case: eight letters drawn from the hash of its first event."""
    letters = [_RECEIPT_LETTERS[draw(seed, f"receipt {n}", 32)] for n in range(8)]
    return f"R-{''.join(letters[:4])}-{''.join(letters[4:])}"


def _sealed(effect: Effect, cause: Entry, context: Context) -> Effect:
    case, seq = effect.case, cause.seq + len(effect.facts)
    kept_out = _kept_out(case, context.definition)
    case = replace(case, seq=seq, at=timestamp(cause.at), kept_out=kept_out)
    return Effect(case, effect.facts)


def _kept_out(case: CaseState, definition: Definition) -> tuple[str, ...]:
    """The units and persons named so far as those the case is about; none is let in again.

    Who was kept out and is not named any more, as a step was done anew, has not become a stranger.
    """
    named = list(case.kept_out)
    for expression in definition.excluded:
        value = expression.evaluate(case.variables)
        named += value if isinstance(value, list) else [value] if value else []
    return tuple(dict.fromkeys(named))


def _done_by(case: CaseState, element: str, cause: Entry) -> CaseState:
    """The case remembering who did an element; of what was typed for a colleague, both did it.

    The colleague last: what follows from having done it is theirs, and either is kept from what
    whoever did it is kept from.
    """
    actor = cause.actor
    told = [actor, actor["informant"]] if "informant" in actor else [actor]
    for one in told:
        doer = Doer(one["person"], one.get("on_behalf_of"), one.get("unit"))
        case = with_doer(case, element, doer)
    return case


def _did(cause: Entry) -> Mapping[str, Any]:
    """Whose act it was: the colleague's who said it, where somebody else typed it."""
    informant: Mapping[str, Any] | None = cause.actor.get("informant")
    return informant or cause.actor


# --- causes that move the process -------------------------------------------------------------


def _completed(case: CaseState, cause: Entry, context: Context) -> Effect:
    key = cause.data["task"]
    element = case.tasks[key].element
    form = context.definition.forms[context.definition.tasks[element].form]
    outcome = {**routing(form, cause.data["form"]), "by": _did(cause)["person"]}
    step = moves.complete(
        context.definition, case.marking, key, outcome, case.variables, seed=cause.hash
    )
    return _step(_done_by(case, element, cause), step, cause, context)


def _fired(key: str, case: CaseState, cause: Entry, context: Context) -> Effect:
    step = moves.fire(context.definition, case.marking, key, case.variables, seed=cause.hash)
    return _step(case, step, cause, context)


def _timer_fired(case: CaseState, cause: Entry, context: Context) -> Effect:
    return _fired(cause.data["timer"], case, cause, context)


def _message(case: CaseState, cause: Entry, context: Context) -> Effect:
    """A verb the process has drawn as a message: 退回 撤回 异议 重开 and the reporter's dispute."""
    return _told(cause.data["message"], case, cause, context)


def _told(key: str, case: CaseState, cause: Entry, context: Context) -> Effect:
    element = case.messages[key]
    form = context.definition.messages[element].form
    told = routing(context.definition.forms[form], cause.data.get("form", {})) if form else {}
    known = {**case.variables, element: {**told, "by": cause.actor.get("person")}}
    return _fired(key, replace(case, variables=known), cause, context)


def _received(case: CaseState, cause: Entry, context: Context) -> Effect:
    """What another case told. `key` = the message that waited for it; without one, a note only."""
    data = cause.data
    if data.get("key") != awaiting(case, context.definition, data["message"]):
        raise ValueError(f"{data['message']} was not taken by what waited for it")
    case = child_told(case, data)
    if data["message"] == ORDERED:
        case = replace(case, orders={**case.orders, str(cause.seq): "case"})
    return _told(data["key"], case, cause, context) if "key" in data else Effect(case, ())


def _join_met(case: CaseState, cause: Entry, context: Context) -> Effect:
    return _fired(cause.data["join"], case, cause, context)


def _party_added(case: CaseState, cause: Entry, context: Context) -> Effect:
    """加签: one more party of a group, told what the others were told, from what is known now."""
    group, party = cause.data["group"], cause.data["party"]
    sending, counts = say_to_party(context.definition, group, party, case.variables)
    case = replace(case, variables={**case.variables, group: counts})
    return Effect(*told_others(case, context.definition, [sending], cause, cause.seq + 1))


def _party_removed(case: CaseState, cause: Entry, context: Context) -> Effect:
    """减签: the party's own case is told, and counts until it has ended."""
    seq = str(cause.data["child"])
    child = replace(case.children[seq], removed=True)
    told = {
        "message": "party.removed",
        "to": f"child:{seq}",
        "form": {"reason": cause.data["reason"]},
    }
    case = replace(case, children={**case.children, seq: child})
    return Effect(case, (fact(cause, "message.sent", told),))


def _step(case: CaseState, step: Step, cause: Entry, context: Context) -> Effect:
    """Turn one move of the process into facts: what closed, what opened, whose clocks run."""
    closed = [_closing(case, key, cause, context) for key in step.closed]
    case = _without(case, step, cause, context.definition)
    openings = [_opening(case, waiting, cause, context) for waiting in step.opened]
    data = _advanced(step, context, closed, openings)
    if case.ended:
        data["ended"] = case.ended
    facts = [fact(cause, "case.advanced", data)]
    placed = []
    for opening in openings:
        opened, more = _place(opening, cause, context, cause.seq + 1 + len(facts))
        placed.append(opened)
        facts.extend(more)
    case = _with(case, placed, context.definition)
    case, told = told_others(
        case, context.definition, step.sends, cause, cause.seq + 1 + len(facts)
    )
    return Effect(case, (*facts, *told, *ending(case, cause)))


def _advanced(
    step: Step, context: Context, closed: list[dict[str, Any] | None], openings: list["_Opening"]
) -> dict[str, Any]:
    steps = [opening.step for opening in openings]
    told = {
        "gateways": step.gateways,
        "rules": step.rules,
        "lots": [*step.lots, *(opening.lot for opening in openings if opening.lot)],
        "closed": [row for row in closed if row],
        "opened": [_told_task(opened) for opened in steps if isinstance(opened, OpenTask)],
        "timers": [_told_timer(opened) for opened in steps if isinstance(opened, OpenTimer)],
        "ends": step.ends,
    }
    start = {"path": step.path, "calendar": named(context.calendar)}
    return start | {name: value for name, value in told.items() if value}


def _told_task(task: OpenTask) -> dict[str, Any]:
    told = {
        "task": task.key,
        "element": task.element,
        "duty": task.duty,
        "capacity": task.capacity,
        "units": list(task.units),
    }
    return told | ({"holder": task.holder} if task.holder else {})


def _told_timer(timer: OpenTimer) -> dict[str, Any]:
    return {"timer": timer.key, "element": timer.element}


def _without(case: CaseState, step: Step, cause: Entry, definition: Definition) -> CaseState:
    """The case after a move, without what closed; `outcome` = the last end that says one.

    A side branch may end last (a review, a ratification): it does not say how the case came out.
    """
    gone = set(step.closed)
    told = [end for end in step.ends if "outcome" in definition.elements[end].properties]
    outcome = told[-1] if told else case.outcome
    return replace(
        case,
        marking=step.marking,
        variables=step.variables,
        tasks={key: task for key, task in case.tasks.items() if key not in gone},
        timers={key: timer for key, timer in case.timers.items() if key not in gone},
        messages={key: name for key, name in case.messages.items() if key not in gone},
        joins={key: group for key, group in case.joins.items() if key not in gone},
        outcome=outcome,
        ended=(outcome or step.ends[-1]) if step.finished else None,
        ended_at=timestamp(cause.at) if step.finished else None,
    )


def _closing(case: CaseState, key: str, cause: Entry, context: Context) -> dict[str, Any] | None:
    task = case.tasks.get(key)
    if task is None:
        return None
    done = cause.type == "task.completed" and cause.data["task"] == key
    row: dict[str, Any] = {"task": key, "how": "completed" if done else "cancelled"}
    if task.holder:
        row["holder"] = task.holder
    if task.clock is None:
        return row
    return row | measure(task, cause.at, context.calendar)


def measure(task: OpenTask, at: datetime, calendar: Calendar) -> dict[str, Any]:
    """How a clock stands at an instant: {clock, class, allowed, used, due, in_time, late}.

    Minutes are of the clock's own kind, rounded down; `late` is at least 1 once the limit passed.
    """
    clock = task.clock
    assert clock is not None  # noqa: S101 - callers ask only of tasks with a clock
    if task.pause is not None:
        # A stopped clock stands where it was stopped, and that may be behind its limit already.
        at, spent = instant(task.pause.since), task.pause.used
    else:
        spent = clock.used + used(calendar, clock.kind, instant(clock.start), at)
    in_time = at <= instant(clock.due)
    return {
        "clock": clock.kind,
        "class": clock.deadline_class,
        "allowed": clock.allowed,
        "used": spent,
        "due": clock.due,
        "in_time": in_time,
        "late": 0 if in_time else max(1, spent - clock.allowed),
    }


# --- what opens ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Opening:
    """One step that opens, before its clock is set; `lot` tells how its unit was drawn."""

    step: OpenTask | OpenTimer | Waiting
    deadline_class: str | None = None
    lot: dict[str, Any] | None = None


def _opening(case: CaseState, waiting: Waiting, cause: Entry, context: Context) -> _Opening:
    if waiting.kind == "user":
        return _opening_task(case, waiting, cause, context)
    if waiting.kind == "message":
        return _Opening(waiting)
    timer = context.definition.timers[waiting.element]
    opened = OpenTimer(waiting.key, waiting.element, timer.attached_to, None)
    if timer.expression is None:
        return _Opening(opened)
    return _Opening(opened, str(timer.expression.evaluate(case.variables)))


def _opening_task(case: CaseState, waiting: Waiting, cause: Entry, context: Context) -> _Opening:
    drawn = context.definition.tasks[waiting.element]
    lane = context.definition.lanes[drawn.lane]
    units, lot = _units(case, lane, waiting, cause, context)
    holder = drawn.holder.evaluate(case.variables) if drawn.holder else None
    if holder is not None and barred_by(case, drawn, Doer(holder, None, None)):
        # Somebody named beforehand has meanwhile done a step that bars them: the step is open to
        # the others with this duty instead of stuck with one who may not do it.
        holder = None
    task = OpenTask(
        waiting.key, waiting.element, lane.duty, drawn.capacity, units, holder,
        timestamp(cause.at), cause.seq + 1,
    )  # fmt: skip
    return _Opening(task, _deadline_class(case, drawn), lot)


def _deadline_class(case: CaseState, drawn: UserTask) -> str | None:
    """The deadline class of a step; only a step drawn to have no clock may be without one."""
    if drawn.deadline is None:
        return None
    named = drawn.deadline.evaluate(case.variables)
    if named is None and None not in (drawn.deadline.outcomes or ()):
        raise NoDeadline(
            f"“{drawn.name}”的时限算不出来，所以这一步没有生效。请让管理员检查流程定义。",
            f"No deadline follows for {drawn.id}; nothing was done. Ask the administrator.",
        )
    return None if named is None else str(named)


def _units(
    case: CaseState, lane: Lane, waiting: Waiting, cause: Entry, context: Context
) -> tuple[tuple[str, ...], dict[str, Any] | None]:
    place = case.place
    if lane.scope == "place":
        return place[:-1] or place, None
    if lane.scope == "street":
        return place[-1:], None
    if lane.scope == "opener":
        return _opening_units(case), None
    if lane.scope == "lot":
        return _draw_unit(place, waiting, cause, context)
    unit = lane.unit.evaluate(case.variables) if lane.unit else None
    if not isinstance(unit, str):
        raise _nobody(waiting.element)
    return (unit,), None


def _opening_units(case: CaseState) -> tuple[str, ...]:
    """Where the case came from: its community, or the office of somebody who opened it from there.

    What a machine opened came from the place.
    """
    first = case.last.get("report")
    unit = first.unit if first else None
    near = case.place[:-1] or case.place
    return near if unit is None or unit in near else (unit,)


def _draw_unit(
    place: tuple[str, ...], waiting: Waiting, cause: Entry, context: Context
) -> tuple[tuple[str, ...], dict[str, Any]]:
    # Where the street has no other community, its own office looks.
    candidates = [unit for unit in context.communities() if unit not in place] or [place[-1]]
    chosen = candidates[draw(cause.hash, waiting.key, len(candidates))]
    return (chosen,), {"lot": waiting.key, "candidates": candidates, "unit": chosen}


def _nobody(element: str) -> NobodyResponsible:
    return NobodyResponsible(
        f"下一步（{element}）没有单位可以承担，所以这一步没有生效。请先指定承办单位。",
        f"The next step ({element}) would belong to no unit; nothing was done. Name a unit first.",
    )


def _place(
    opening: _Opening, cause: Entry, context: Context, seq: int
) -> tuple[OpenTask | OpenTimer | Waiting, list[Draft]]:
    """An opened step with its clock; `seq` is the number its deadline.set will get, if any."""
    step = opening.step
    if isinstance(step, Waiting) or opening.deadline_class is None:
        return step, []
    data = set_deadline(
        context.calendar,
        context.definition.classes[opening.deadline_class],
        task=step.key,
        start=cause.at,
    )
    set_ = fact(cause, "deadline.set", data)
    if isinstance(step, OpenTimer):
        return replace(step, due=data["due"]), [set_]
    return replace(step, clock=clock_of(data, seq)), [set_]


def _with(
    case: CaseState, placed: list[OpenTask | OpenTimer | Waiting], definition: Definition
) -> CaseState:
    """The case with what has opened."""
    tasks, timers, messages = dict(case.tasks), dict(case.timers), dict(case.messages)
    joins = dict(case.joins)
    for opened in placed:
        if isinstance(opened, OpenTask):
            tasks[opened.key] = opened
        elif isinstance(opened, OpenTimer):
            timers[opened.key] = opened
        else:
            messages[opened.key] = opened.element
            join = definition.messages[opened.element].join
            if join is not None:
                joins[opened.key] = join
    return replace(case, tasks=tasks, timers=timers, messages=messages, joins=joins)


def clock_of(data: dict[str, Any], seq: int, extended: int = 0) -> Clock:
    """The clock that a deadline.set event with this number starts."""
    return Clock(
        seq, data["class"], data["clock"], data["allowed"], data["used"], data["start"],
        data["due"], tuple(data["warn"]), data["escalate"], 0, extended,
    )  # fmt: skip


# --- causes that change who holds a step, or its clock --------------------------------------------


def _task(case: CaseState, cause: Entry) -> OpenTask:
    return case.tasks[cause.data["task"]]


def _held_by(holder: Callable[[Entry], str | None]) -> "_Handler":
    def handler(case: CaseState, cause: Entry, context: Context) -> Effect:
        task = replace(_task(case, cause), holder=holder(cause))
        return Effect(with_task(case, task), ())

    return handler


def _asked(kind: str) -> "_Handler":
    def handler(case: CaseState, cause: Entry, context: Context) -> Effect:
        data = cause.data
        request = Request(
            cause.seq, kind, cause.actor["person"], data.get("days", 0),
            data.get("resume_by", ""), data.get("counterparty", ""),
        )  # fmt: skip
        return Effect(with_task(case, replace(_task(case, cause), request=request)), ())

    return handler


def _refused(case: CaseState, cause: Entry, context: Context) -> Effect:
    return Effect(with_task(case, replace(_task(case, cause), request=None)), ())


def _extended(case: CaseState, cause: Entry, context: Context) -> Effect:
    """More time: a new deadline that names the old one; the clock goes on from where it stands."""
    task = _task(case, cause)
    clock, request = task.clock, task.request
    assert clock  # noqa: S101 - the command has refused anything else
    assert request  # noqa: S101
    days = request.days * _minutes_per_day(clock, context)
    return _reset_clock(
        case, replace(task, request=None), cause, context, allowed=clock.allowed + days,
        extended=clock.extended + 1,
    )  # fmt: skip


def _minutes_per_day(clock: Clock, context: Context) -> int:
    return working_minutes_per_day(context.calendar) if clock.kind == "working" else 24 * 60


def _paused(case: CaseState, cause: Entry, context: Context) -> Effect:
    task = _task(case, cause)
    request = task.request
    assert request  # noqa: S101 - the command has refused anything else
    spent = measure(task, cause.at, context.calendar)["used"]
    pause = Pause(cause.seq, timestamp(cause.at), request.resume_by, request.counterparty, spent)
    return Effect(with_task(case, replace(task, request=None, pause=pause)), ())


def _resumed(case: CaseState, cause: Entry, context: Context) -> Effect:
    task = _task(case, cause)
    clock, pause = task.clock, task.pause
    assert clock  # noqa: S101 - the command has refused anything else
    assert pause  # noqa: S101
    return _reset_clock(
        case, replace(task, pause=None), cause, context, allowed=clock.allowed,
        used_before=pause.used, extended=clock.extended, rung=clock.rung,
    )  # fmt: skip


def _listed(case: CaseState, cause: Entry, context: Context) -> Effect:
    """挂账: on the standing list, reviewed by the class named, until it can be done."""
    task = replace(_task(case, cause), standing=True, request=None, pause=None)
    return _new_class(case, task, cause, context, cause.data["review_class"])


def _supervised(case: CaseState, cause: Entry, context: Context) -> Effect:
    """督办: an order that must be answered; with a class it sets a new, shorter clock."""
    case = replace(case, orders={**case.orders, str(cause.seq): cause.actor["person"]})
    deadline_class = cause.data.get("deadline_class")
    if deadline_class is None:
        return Effect(case, ())
    return _new_class(case, replace(_task(case, cause), pause=None), cause, context, deadline_class)


def _answered(case: CaseState, cause: Entry, context: Context) -> Effect:
    order = str(cause.data["order"])
    given = case.orders.get(order)
    orders = {seq: person for seq, person in case.orders.items() if seq != order}
    case = replace(case, orders=orders)
    if given != "case":
        return Effect(case, ())
    told = {
        "message": "supervision.answered",
        "to": f"reply:{order}",
        "form": {"text": cause.data["text"]},
    }
    return Effect(case, (fact(cause, "message.sent", told),))


def _new_class(
    case: CaseState, task: OpenTask, cause: Entry, context: Context, deadline_class: str
) -> Effect:
    extended = task.clock.extended if task.clock else 0
    data = set_deadline(
        context.calendar, context.definition.classes[deadline_class], task=task.key,
        start=cause.at, predecessor=task.clock.seq if task.clock else None,
        reason=cause.data.get("reason") or cause.data.get("text"),
        approver=cause.actor.get("person"),
    )  # fmt: skip
    task = replace(task, clock=clock_of(data, cause.seq + 1, extended))
    return Effect(with_task(case, task), (fact(cause, "deadline.set", data),))


def _reset_clock(
    case: CaseState,
    task: OpenTask,
    cause: Entry,
    context: Context,
    *,
    allowed: int,
    extended: int,
    used_before: int | None = None,
    rung: int = 0,
) -> Effect:
    clock = task.clock
    assert clock  # noqa: S101 - the command has refused a task without a clock
    if used_before is None:
        used_before = measure(task, cause.at, context.calendar)["used"]
    data = set_deadline(
        context.calendar, context.definition.classes[clock.deadline_class], task=task.key,
        start=cause.at, used=used_before, allowed=allowed, predecessor=clock.seq,
        reason=cause.data.get("reason"), approver=cause.actor.get("person"),
    )  # fmt: skip
    fresh = replace(clock_of(data, cause.seq + 1, extended), rung=rung)
    task = replace(task, clock=fresh)
    return Effect(with_task(case, task), (fact(cause, "deadline.set", data),))


def _rang(case: CaseState, cause: Entry, context: Context) -> Effect:
    task = _task(case, cause)
    clock = task.clock
    assert clock  # noqa: S101 - only a clock can ring
    return Effect(with_task(case, replace(task, clock=replace(clock, rung=clock.rung + 1))), ())


_Handler = Callable[[CaseState, Entry, Context], Effect]

_HANDLERS: Final[dict[str, _Handler]] = {
    "task.completed": _completed,
    "timer.fired": _timer_fired,
    "task.returned": _message,
    "task.withdrawn": _message,
    "objection.raised": _message,
    "result.disputed": _message,
    "case.reopened": _message,
    "case.recalled": _message,
    "recusal.demanded": _message,
    "retaliation.reported": _message,
    "message.received": _received,
    "join.met": _join_met,
    "party.added": _party_added,
    "party.removed": _party_removed,
    "task.claimed": _held_by(lambda cause: str(_did(cause)["person"])),
    "task.released": _held_by(lambda cause: None),
    "task.reassigned": _held_by(lambda cause: str(cause.data["to"])),
    "task.delegated": _held_by(lambda cause: str(cause.data["to"])),
    "extension.requested": _asked("extension"),
    "extension.granted": _extended,
    "extension.refused": _refused,
    "pause.requested": _asked("pause"),
    "pause.granted": _paused,
    "pause.refused": _refused,
    "clock.resumed": _resumed,
    "standing.listed": _listed,
    "case.supervised": _supervised,
    "supervision.answered": _answered,
    "deadline.warned": _rang,
    "overdue.opened": _rang,
    "deadline.escalated": _rang,
}
