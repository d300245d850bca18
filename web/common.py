"""What the processes of one server count together, made before they are forked; in memory only."""

import time
from dataclasses import dataclass, field

from web.accepting import Loads
from web.anonymous import Doors
from web.shared_counts import Counts
from web.tallies import Tally


@dataclass(frozen=True, slots=True)
class Common:
    """Who guesses and floods, what was asked and how long it took, where much was read, who has
    how many connections.
    """

    doors: Doors
    tally: Tally
    replica_reads: Counts = field(default_factory=Counts)
    loads: Loads = field(default_factory=lambda: Loads(1))

    @classmethod
    def of(cls, processes: int) -> "Common":
        """That of a server of so many processes, which starts now."""
        return cls(Doors.of(processes), Tally(time.time()), loads=Loads(processes))
