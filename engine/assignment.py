"""Whom to assign, suggested and explained: whose it is, how much they have, how it went before.

Candidates are only those whom the command would take. A suggestion decides nothing: whoever assigns
names anybody of them. The order goes by these reasons and by nothing else, so that the sentence
beside a name is the whole of why it stands there:

1. whose it is: a unit the case lies in, one the duty list names for the category, or one that
   worked in this community lately; before all others;
2. who is there: holders of the duty, then whoever stands in for one, then those who are absent;
3. what they have: fewer steps past their limit, then near it, then open;
4. how it went: more cases of the category in time lately;
5. the name.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from engine.casework import Desk
from engine.definitions import UserTask
from engine.directory import ABOVE_COMMUNITIES, Authority, each_once
from engine.exclusion import is_excluded
from engine.fitness import kept_apart
from engine.load import NO_LOAD, NO_PAST, Load, Past

_Kind = TypeVar("_Kind")

# How far back it is looked at how such work went.
LOOKED_BACK: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class InPlace:
    """Their post is in a unit the case lies in."""

    unit: str


@dataclass(frozen=True, slots=True)
class Listed:
    """The duty list names their unit for this category."""

    unit: str


@dataclass(frozen=True, slots=True)
class StandsIn:
    """They act for somebody absent, until then."""

    absent: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Away:
    """They are absent until then; the substitute acts for them."""

    substitute: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Holds:
    """What they have in hand now."""

    load: Load


@dataclass(frozen=True, slots=True)
class WorkedHere:
    """In so many cases of this community their unit ended a step lately."""

    cases: int


@dataclass(frozen=True, slots=True)
class DidAlike:
    """In so many cases of this category they ended a step lately, and in how many of them late."""

    cases: int
    late: int


Reason = InPlace | Listed | StandsIn | Away | Holds | WorkedHere | DidAlike


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A person or unit that may be named, with every reason its place in the order has."""

    id: str
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of candidates: by their ids, how much they have and how it went.

    here: by unit, cases of the community it worked on lately. listed: units of the duty list.
    """

    loads: Mapping[str, Load]
    past: Mapping[str, Past]
    here: Mapping[str, int]
    listed: Collection[str] = ()


def community_of(desk: Desk) -> str:
    """The community the case lies in, as the register has it; its only unit where it has no more.

    The last unit of a place is its street.
    """
    return desk.case.place[-2] if len(desk.case.place) > 1 else desk.case.place[0]


def nameable(desk: Desk, step: UserTask) -> list[Authority]:
    """Who may be named for a step before it opens, each once: own posts with its duty, not barred.

    A substitution ends; what somebody holds by name does not.
    """
    duty = desk.context.definition.lanes[step.lane].duty
    held = each_once(desk.directory.holders(duty, desk.directory.units, desk.at))
    return [one for one in held if one.on_behalf_of is None and _may_do(desk, step, one.person)]


def _may_do(desk: Desk, step: UserTask, person: str) -> bool:
    apart = kept_apart(desk, step, person)
    return apart is None and not is_excluded(desk.case, desk.directory, person, desk.at)


def suggested_persons(
    desk: Desk, candidates: Iterable[Authority], known: Known
) -> list[Suggestion]:
    """These candidates with their reasons, best first; each person once."""
    told = {
        held.person: Suggestion(
            held.person,
            (
                *_whose(desk, held.unit, known),
                *_presence(desk, held),
                *_facts(held.person, known),
            ),
        )
        for held in reversed([*candidates])
    }
    return _ordered(told.values(), desk.directory.name)


def suggested_units(desk: Desk, candidates: Sequence[str], known: Known) -> list[Suggestion]:
    """These units with their reasons, best first."""
    told = [
        Suggestion(unit, (*_whose(desk, unit, known), *_facts(unit, known)))
        for unit in dict.fromkeys(candidates)
    ]
    return _ordered(told, lambda unit: desk.directory.unit(unit).name)


def _whose(desk: Desk, unit: str, known: Known) -> Iterable[Reason]:
    # What stands above the communities is there for all of them: that sets nobody apart.
    above = desk.directory.unit(unit).kind in ABOVE_COMMUNITIES
    if unit in desk.case.place and not above:
        yield InPlace(unit)
    if unit in known.listed:
        yield Listed(unit)
    if known.here.get(unit) and not above:
        yield WorkedHere(known.here[unit])


def _presence(desk: Desk, held: Authority) -> Iterable[Reason]:
    for sub in desk.directory.absences(held.post, desk.at):
        if held.on_behalf_of is None:
            yield Away(sub.substitute, sub.until)
            return
        if sub.substitute == held.person:
            yield StandsIn(held.on_behalf_of, sub.until)
            return


def _facts(who: str, known: Known) -> Iterable[Reason]:
    yield Holds(known.loads.get(who, NO_LOAD))
    past = known.past.get(who, NO_PAST)
    if past.cases:
        yield DidAlike(past.cases, past.late)


def _ordered(told: Iterable[Suggestion], name: Callable[[str], str]) -> list[Suggestion]:
    return sorted(told, key=lambda one: (*_rank(one.reasons), name(one.id), one.id))


def _rank(reasons: Sequence[Reason]) -> tuple[int, ...]:
    """What the order goes by; every number in it is one of the reasons."""
    theirs = any(isinstance(one, InPlace | Listed | WorkedHere) for one in reasons)
    presence = 2 if _of(reasons, Away) else 1 if _of(reasons, StandsIn) else 0
    held, alike = _of(reasons, Holds), _of(reasons, DidAlike)
    load = held.load if held else NO_LOAD
    in_time = alike.cases - alike.late if alike else 0
    return int(not theirs), presence, load.late, load.near, load.open, -in_time


def _of(reasons: Iterable[Reason], kind: type[_Kind]) -> _Kind | None:
    return next((one for one in reasons if isinstance(one, kind)), None)
