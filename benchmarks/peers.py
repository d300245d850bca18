"""The same seven steps in two other engines, in turn with ours: what a durable human step costs.

Confirm, assign, sign in, rectify, accept (not passed), rectify, accept (passed), with the same
answers, one client, SQLite with WAL and `synchronous=FULL`, the state on the disk after every step:
bpmn-engine (JavaScript; its state stored as one row; once with the case kept alive in memory, once
recovered from its row for every step) and django-viewflow (its own tables). Neither paints forms or
speaks HTTP here. They keep no log that can be verified, check no form, right or separation of
duties and set no clock; ours does with every step.

    python benchmarks/peers.py --folder DIR [--install] [--cases 15] [--rounds 5] [--json]

--install: fetch them into DIR by npm and pip, at the versions named in PEERS, with what these need;
takes minutes. Nothing of it enters our environment.
"""

import argparse
import gc
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import steps

HERE = Path(__file__).parent / "peers_of_ours"
PEERS = {
    "npm": ("bpmn-engine@25.0.1", "better-sqlite3@12.4.1"),
    "pip": ("django-viewflow==2.4.0", "Django==5.2.19"),
}
# Which of the ten steps of a case of steps.py are the seven: one round of rework, then passed.
SEVEN = (0, 1, 2, 3, 4, 5, 8)


def install(folder: Path) -> None:
    """Fetch the peers; raises CalledProcessError where a registry or a compiler is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text('{"private": true}')
    npm = ["npm", "install", "--no-audit", "--no-fund", "--save-exact", *PEERS["npm"]]
    subprocess.run(npm, cwd=folder, check=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder / "python")], check=True)
    pip = [str(folder / "python/bin/pip"), "install", "--quiet", *PEERS["pip"]]
    subprocess.run(pip, check=True)


class Peer:
    """A program that does cases when told how many, and says what each step took."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self.program = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def cases(self, count: int) -> list[float]:
        """Do so many cases; ms of each step."""
        assert self.program.stdin
        assert self.program.stdout
        self.program.stdin.write(f"{count}\n")
        self.program.stdin.flush()
        line = self.program.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.program.args!r} ended with {self.program.wait()}")
        told: list[float] = json.loads(line)
        return told

    def close(self) -> None:
        """Let it end."""
        self.program.communicate()


class Ours:
    """The same cases by our commands, and their rows alone on the floor."""

    def __init__(self, folder: Path) -> None:
        self.bench = steps.found(folder)
        self.floor: list[float] = []

    def cases(self, count: int) -> list[float]:
        """Do so many cases; ms of each step."""
        spent = []
        for _ in range(count):
            case = self.bench.open()
            for task, who, form, purposes in seven(self.bench):
                spent.append(self.bench.step(case, task, who, form, *purposes))
                self.floor.append(self.bench.floor_ms())
        return spent


def seven(bench: steps.HasPeople) -> list[tuple[str, str, dict[str, Any], tuple[str, ...]]]:
    """The seven steps, numbered as they come."""
    told = steps.steps_of_a_case(bench)
    chosen = [told[n] for n in SEVEN[:-1]] + [told[SEVEN[-1]]]
    last_task = "accept#2"
    return [*chosen[:-1], (last_task, *chosen[-1][1:])]


def measure(folder: Path, cases: int, rounds: int) -> dict[str, Any]:
    """All rounds, one engine after the other in each; the first cases of each warm it up."""
    with tempfile.TemporaryDirectory() as store:
        ours = Ours(Path(store))
        told = [[task.partition("#")[0], form] for task, _, form, _ in seven(ours.bench)]
        answers = Path(store) / "steps.json"
        answers.write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
        script = folder / "bpmn_engine.cjs"
        script.write_text((HERE / "bpmn_engine.cjs").read_text())
        drawing = HERE / "hazard.bpmn"
        node = [
            ["node", str(script), f"{store}/{mode}.db", str(drawing), str(answers), mode]
            for mode in ("kept", "recovered")
        ]
        flow = [str(folder / "python/bin/python"), str(HERE / "viewflow_case.py"),
                f"{store}/viewflow.db", str(answers)]  # fmt: skip
        engines: dict[str, Any] = {
            "ours": ours,
            "bpmn-engine kept alive": Peer(node[0], folder),
            "bpmn-engine recovered": Peer(node[1], folder),
            "django-viewflow": Peer(flow, folder),
        }
        for engine in engines.values():
            engine.cases(5)
        ours.floor.clear()
        gc.freeze()
        spent: dict[str, list[list[float]]] = {name: [] for name in engines}
        for _ in range(rounds):
            for name, engine in engines.items():
                spent[name].append(engine.cases(cases))
        for name in list(engines)[1:]:
            engines[name].close()
    return _told(spent, ours.floor)


def _told(spent: dict[str, list[list[float]]], floor: list[float]) -> dict[str, Any]:
    medians = {name: [statistics.median(one) for one in each] for name, each in spent.items()}
    told: dict[str, Any] = {"machine": f"{platform.machine()}, Python {platform.python_version()}"}
    told["steps_each"] = sum(map(len, spent["ours"]))
    told["floor_ms"] = round(statistics.median(floor), 3)
    for name, each in medians.items():
        told[f"{name}, ms"] = round(statistics.median(each), 3)
    for name in list(medians)[1:]:
        ratios = [
            theirs / mine for theirs, mine in zip(medians[name], medians["ours"], strict=True)
        ]
        told[f"{name}, times_ours"] = round(statistics.median(ratios), 2)
        told[f"{name}, times_ours_least_and_most"] = [round(min(ratios), 2), round(max(ratios), 2)]
    return told


def main() -> None:
    """Install if asked to, measure, print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--cases", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    folder = chosen.folder.resolve()
    if chosen.install:
        install(folder)
    told = measure(folder, chosen.cases, chosen.rounds)
    if chosen.json:
        print(json.dumps(told, indent=1))
        return
    for name, value in told.items():
        print(f"{name:44} {value}")


if __name__ == "__main__":
    main()
