"""Counts of this server: requests by address, method and status, and how long they took.

In memory only, from its start; where it is several processes all add to the same sums. The address
is the rule (`/cases/<case_id>`), never what somebody asked for.
"""

from bisect import bisect_left
from typing import Final

from web.exposition import Family, Sample
from web.shared_counts import Counts

# Upper bounds in seconds: the measure of a page is 0.05; beyond 10 somebody has gone away.
BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
OF_PROCESS: Final = {"scope": "process"}


_COUNT: Final = "count"
_TIMES: Final = "times"
# Of the times of a rule: how many fell under each bound, the last over all; and their sum.
_WIDTH: Final = len(BOUNDS) + 2


class Tally:
    """What one server has served since it started, in all its processes."""

    def __init__(self, started: float) -> None:
        self.started = started
        self._counts = Counts()

    def count(self, rule: str, method: str, status: int, seconds: float) -> None:
        """Count one request."""
        times = {bisect_left(BOUNDS, seconds): 1.0, _WIDTH - 1: seconds}
        self._counts.add(
            ((_COUNT, rule, method, str(status)), 1, {0: 1.0}), ((_TIMES, rule), _WIDTH, times)
        )

    def families(self) -> list[Family]:
        """What was counted so far."""
        told = self._counts.all()
        counts = sorted((name[1:], int(n)) for name, (n, *_) in told.items() if name[0] == _COUNT)
        times = sorted(
            (name[1], list(map(int, sums[:-1])), sums[-1])
            for name, sums in told.items()
            if name[0] == _TIMES
        )
        return [
            Family(
                "shaoji_process_start_time_seconds", "gauge",
                "When this server started, seconds since 1970; its counts begin there.",
                (Sample(self.started, OF_PROCESS),),
            ),
            Family(
                "shaoji_requests_total", "counter",
                "Requests this server has answered since it started, probes left out.",
                tuple(
                    Sample(n, {"rule": rule, "method": method, "status": status} | OF_PROCESS)
                    for (rule, method, status), n in counts
                ),
            ),
            Family(
                "shaoji_request_seconds", "histogram",
                "How long this server took to answer, by rule.",
                tuple(sample for row in times for sample in _histogram(*row)),
            ),
        ]  # fmt: skip


def _histogram(rule: str, under: list[int], seconds: float) -> list[Sample]:
    labels, total, samples = {"rule": rule} | OF_PROCESS, 0, []
    for bound, count in zip((*map(str, BOUNDS), "+Inf"), under, strict=True):
        total += count
        samples.append(Sample(total, labels | {"le": bound}, "_bucket"))
    return [*samples, Sample(seconds, labels, "_sum"), Sample(total, labels, "_count")]
