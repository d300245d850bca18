"""管控指数（块）: the index of each community, with every part it is the sum of. Pure and exact.

Formula: `I = sum of weight x part - deductions`, 0 at least, 100 at most. A part that is a
proportion is drawn towards the median of the stratum in the period before, by so many cases as the
file says: few cases make neither a hero nor a culprit. No weight is given from one part to another.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from audit.metrics.accidents import level_of
from audit.metrics.contributions import Contribution
from audit.metrics.figures import Count, Figure, Rate
from audit.metrics.results import metric_figures
from audit.risk_index.index import Index, summed
from audit.risk_index.parts import NOTHING, Part, Share, amount_part, median, share_part, usual
from audit.risk_index.told import (
    Group,
    Told,
    anyhow,
    by_community,
    hits,
    own,
    rest,
    shares,
    sums,
)
from audit.risk_index.weights import Community, Weights


@dataclass(frozen=True, slots=True)
class Done:
    """Of one community in a period. shares: by part of the index.

    overdue_days: weighted days at its end. found_true: complaints, of all `households` with which
    they are told together. suppressed: hazards its own people said were none, where that signal was
    found to hold. accidents: those it was found to be answerable for, by level.
    """

    shares: Mapping[str, Share]
    overdue_days: int
    found_true: int
    households: int
    suppressed: int
    accidents: Mapping[str, int]


def block_indices(now: Told, before: Told, weights: Weights) -> list[Index]:
    """The index of every community of the file, by id; never in the order of its value.

    before: the period before, as it stood at its own end.
    """
    told, earlier = (_done(one, weights.communities) for one in (now, before))
    priors = {
        stratum: _priors(earlier, weights, stratum)
        for stratum in {one.stratum for one in weights.communities.values()}
    }
    return [
        _index(unit, told[unit], priors[weights.communities[unit].stratum], weights)
        for unit in sorted(weights.communities)
    ]


# --- what each did --------------------------------------------------------------------------------


def _done(told: Told, communities: Mapping[str, Community]) -> dict[str, Done]:
    rows, mine, group = told.rows, own(told), by_community(told)
    rates = {
        "patrols": shares(rows["walked"], anyhow, group, hits),
        "self_found": shares(rows["found_by_others"], anyhow, group, rest),
        "in_time": shares(rows["in_time"], mine, group, hits),
        "closings_true": shares(rows["refuted"], anyhow, group, rest),
    }
    days = sums(rows["overdue"], mine, group)
    suppressed = sums(rows["suppressed"], mine, group)
    accidents = _accidents(rows["accidents"], group)
    solved, found = _figures(told, "solved"), _figures(told, "found_true")
    return {
        unit: Done(
            {part: found_.get(unit, NOTHING) for part, found_ in rates.items()}
            | {"solved": _solved(solved, unit)},
            days.get(unit, 0),
            *_found_true(found, unit, communities),
            suppressed.get(unit, 0),
            accidents.get(unit, {}),
        )
        for unit in communities
    }


def _accidents(rows: Iterable[Contribution], group: Group) -> dict[str, Counter[str]]:
    found = defaultdict[str, Counter[str]](Counter)
    for one in rows:
        if level := level_of(one.apart):
            found[group(one)][level] += 1
    return found


# Complaints are told together where they are few.
Together = Mapping[tuple[str, ...], Figure]


def _figures(told: Told, metric: str) -> Together:
    found = metric_figures(
        metric, told.rows[metric], told.formulas, told.places, by="community", zone=told.zone
    )
    return {one.groups: one.figure for one in found}


def _solved(told: Together, unit: str) -> Share:
    """The lower bound: who could not be reached counts as not solved."""
    for groups, figure in told.items():
        if unit in groups and isinstance(figure, Rate) and figure.lower is not None:
            return Share(figure.lower.numerator, figure.lower.denominator)
    return NOTHING


def _found_true(told: Together, unit: str, known: Mapping[str, Community]) -> tuple[int, int]:
    for groups, figure in told.items():
        if unit in groups and isinstance(figure, Count):
            return figure.count, sum(known[one].households for one in groups if one in known)
    return 0, known[unit].households


# --- the sum --------------------------------------------------------------------------------------


def _priors(earlier: Mapping[str, Done], weights: Weights, stratum: str) -> Mapping[str, Fraction]:
    members = [earlier[u] for u, one in weights.communities.items() if one.stratum == stratum]
    found = {
        part: median(value for one in members if (value := one.shares[part].value) is not None)
        for part in members[0].shares
    }
    else_ = usual(weights.numbers["prior_percent"])
    return {part: else_ if value is None else value for part, value in found.items()}


def _index(unit: str, told: Done, priors: Mapping[str, Fraction], weights: Weights) -> Index:
    off = told.suppressed * weights.numbers["suppressed"]
    off += sum(weights.accidents.get(level, 0) * n for level, n in told.accidents.items())
    accidents = sum(told.accidents.values()) if weights.accidents else None
    stratum = weights.communities[unit].stratum
    parts = _parts(told, unit, priors, weights)
    return summed(unit, stratum, parts, weights.bands, suppressed=told.suppressed,
                  accidents=accidents, off=off)  # fmt: skip


def _parts(
    told: Done, unit: str, priors: Mapping[str, Fraction], weights: Weights
) -> Iterator[Part]:
    numbers, own_households = weights.numbers, weights.communities[unit].households
    for name, weight in weights.block.items():
        if name == "overdue":
            most = numbers["overdue_days"]
            yield amount_part(name, weight, told.overdue_days, own_households, most)
        elif name == "found_true":
            most = numbers["complaints"]
            yield amount_part(name, weight, told.found_true, told.households, most)
        else:
            share, prior = told.shares[name], priors[name]
            yield share_part(name, weight, share, prior, numbers["shrinkage"])
