"""What the processes of a node hold: memory, files, threads; and how large its files are."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Sample:
    """A process at a moment; rss_mb: resident; pss_mb: with its share of what others have, too.

    role: `server` for the one that was started and those it forked, else what it is for them.
    """

    minute: float
    role: str
    pid: int
    rss_mb: float
    pss_mb: float
    files: int
    threads: int


def look(pid: int, minute: float) -> list[Sample]:
    """The server, its children and theirs, those that are still there."""
    found, todo = [], [pid]
    while todo:
        one = todo.pop(0)
        todo += _children(one)
        try:
            found.append(_sample(one, _role(one, pid), minute))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
    return found


def together(samples: Sequence[Sample], role: str = "server") -> list[Sample]:
    """What all processes of this role held at each moment, as if they were one (pid 0)."""
    moments: dict[float, list[Sample]] = {}
    for one in samples:
        if one.role == role:
            moments.setdefault(one.minute, []).append(one)
    return [
        Sample(
            minute, role, 0, sum(one.rss_mb for one in held), sum(one.pss_mb for one in held),
            sum(one.files for one in held), sum(one.threads for one in held),
        )
        for minute, held in sorted(moments.items())
    ]  # fmt: skip


def processor_s(pid: int) -> float:
    """Seconds of processor the server and those it forked have used, those that ended left out."""
    ticks = os.sysconf("SC_CLK_TCK")
    return sum(_ticks(one.pid) for one in look(pid, 0) if one.role == "server") / ticks


def _ticks(pid: int) -> int:
    # Behind the name, which may have anything in it: user and system time are fields 14 and 15.
    told = (PROC / str(pid) / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return int(told[11]) + int(told[12])


def sizes(database: Path) -> dict[str, float]:
    """MB of the database's file and of its WAL."""
    return {
        name: round(path.stat().st_size / 1e6, 2) if path.exists() else 0.0
        for name, path in (("database_mb", database), ("wal_mb", Path(f"{database}-wal")))
    }


def _sample(pid: int, role: str, minute: float) -> Sample:
    told = _numbers(PROC / str(pid) / "status")
    shared = _numbers(PROC / str(pid) / "smaps_rollup")
    return Sample(
        round(minute, 3), role, pid, round(told["VmRSS"] / 1024, 2), round(shared["Pss"] / 1024, 2),
        sum(1 for _ in (PROC / str(pid) / "fd").iterdir()), told["Threads"],
    )  # fmt: skip


def _numbers(path: Path) -> dict[str, int]:
    """Lines like `VmRSS:  1234 kB`."""
    lines = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
    return {words[0].rstrip(":"): int(words[1]) for words in lines
            if len(words) > 1 and words[1].isdecimal()}  # fmt: skip


def _children(pid: int) -> list[int]:
    found = []
    for tasks in (PROC / str(pid) / "task").glob("*/children"):
        try:
            found += [int(one) for one in tasks.read_text(encoding="ascii").split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return sorted(found)


def _role(pid: int, server: int) -> str:
    command, first = _command(pid), _command(server)
    if command == first:
        return "server"
    return "press" if "spawn_main" in command else "helper"


def _command(pid: int) -> str:
    return (PROC / str(pid) / "cmdline").read_text(encoding="utf-8").replace("\0", " ")
