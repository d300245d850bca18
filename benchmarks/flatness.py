"""Whether a series of samples grows: its slope by least squares, how sure that is, and a verdict.

Samples of a process lie close together and resemble their neighbours, so that the usual interval
would be too narrow: the number of samples is reduced by how much each tells of the next (lag-one
correlation r of the residuals, n (1 - r) / (1 + r)), as is usual for such series.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

# Two-sided, 95 %, of the normal distribution; below thirty samples in effect it is too small, and
# a run that short is not judged.
Z = 1.96
# The first third of a run is warming up: caches fill, threads make their first connections.
WARMING = 1 / 3
# Of a run: what its beginning and its end were.
TENTH = 10
SHORTEST_MINUTES = 30.0
# What is still flat: in an hour, and from the first to the last tenth of what is judged, no more
# than so much of the median.
MOST_AN_HOUR = 0.05
MOST_BETWEEN = 0.05


@dataclass(frozen=True, slots=True)
class Slope:
    """What a series does in an hour; low, high: the 95 % interval. first, last: tenths' medians."""

    an_hour: float
    low: float
    high: float
    median: float
    first: float
    last: float

    @property
    def flat(self) -> bool:
        """No more than MOST_AN_HOUR by the upper end of the interval, nor than MOST_BETWEEN."""
        steady = self.high <= MOST_AN_HOUR * self.median
        return steady and self.last - self.first <= MOST_BETWEEN * self.median


def slope(minutes: Sequence[float], values: Sequence[float]) -> Slope:
    """How the last two thirds of a series went; minutes: since its beginning, rising.

    Raises ValueError for fewer than four samples there.
    """
    since = minutes[0] + (minutes[-1] - minutes[0]) * WARMING
    pairs = [(at / 60, value) for at, value in zip(minutes, values, strict=True) if at >= since]
    if len(pairs) < 4:
        raise ValueError("four samples are needed to tell how a series goes")
    hours, told = [at for at, _ in pairs], [value for _, value in pairs]
    an_hour, start = statistics.linear_regression(hours, told)
    rests = [value - start - an_hour * at for at, value in pairs]
    spread = math.fsum((at - statistics.fmean(hours)) ** 2 for at in hours)
    freedom = max(1.0, _in_effect(rests) - 2)
    error = math.sqrt(math.fsum(rest**2 for rest in rests) / len(rests))
    wide = Z * error * math.sqrt(len(rests) / freedom / spread)
    tenth = max(1, len(told) // TENTH)
    return Slope(
        an_hour, an_hour - wide, an_hour + wide, statistics.median(told),
        statistics.median(told[:tenth]), statistics.median(told[-tenth:]),
    )  # fmt: skip


def _in_effect(rests: Sequence[float]) -> float:
    """How many samples that do not depend on each other these are worth."""
    whole = math.fsum(rest**2 for rest in rests)
    if whole == 0:
        return len(rests)
    next_ = math.fsum(one * other for one, other in pairwise(rests)) / whole
    likeness = min(max(next_, 0.0), 0.99)
    return len(rests) * (1 - likeness) / (1 + likeness)
