"""Counts of this process: requests by address, method and status, and how long they took.

In memory only, from its start; every process counts its own. The address is the rule
(`/cases/<case_id>`), never what somebody asked for.
"""

from bisect import bisect_left
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from web.exposition import Family, Sample

# Upper bounds in seconds: the measure of a page is 0.05; beyond 10 somebody has gone away.
BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
OF_PROCESS: Final = {"scope": "process"}


@dataclass(slots=True)
class Times:
    """How many requests to one rule fell under each bound (the last: over all), and their sum."""

    under: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0


@dataclass(slots=True)
class Tally:
    """What one process has served since it started."""

    started: float
    counts: dict[tuple[str, str, int], int] = field(default_factory=dict)
    times: dict[str, Times] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def count(self, rule: str, method: str, status: int, seconds: float) -> None:
        """Count one request."""
        with self.lock:
            key = (rule, method, status)
            self.counts[key] = self.counts.get(key, 0) + 1
            times = self.times.setdefault(rule, Times())
            times.under[bisect_left(BOUNDS, seconds)] += 1
            times.seconds += seconds

    def families(self) -> list[Family]:
        """What was counted so far."""
        with self.lock:
            counts = sorted(self.counts.items())
            times = sorted((rule, list(one.under), one.seconds) for rule, one in self.times.items())
        return [
            Family(
                "shaoji_process_start_time_seconds", "gauge",
                "When this process started, seconds since 1970; its counts begin there.",
                (Sample(self.started, OF_PROCESS),),
            ),
            Family(
                "shaoji_requests_total", "counter",
                "Requests this process has answered since it started, probes left out.",
                tuple(
                    Sample(n, {"rule": rule, "method": method, "status": str(status)} | OF_PROCESS)
                    for (rule, method, status), n in counts
                ),
            ),
            Family(
                "shaoji_request_seconds", "histogram",
                "How long this process took to answer, by rule.",
                tuple(sample for row in times for sample in _histogram(*row)),
            ),
        ]  # fmt: skip


def _histogram(rule: str, under: list[int], seconds: float) -> list[Sample]:
    labels, total, samples = {"rule": rule} | OF_PROCESS, 0, []
    for bound, count in zip((*map(str, BOUNDS), "+Inf"), under, strict=True):
        total += count
        samples.append(Sample(total, labels | {"le": bound}, "_bucket"))
    return [*samples, Sample(seconds, labels, "_sum"), Sample(total, labels, "_count")]
