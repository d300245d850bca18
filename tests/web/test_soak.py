"""The soak runs, looks at every process, and finds everything it was told is done."""

import json
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from tests.web.demo_street import Built


def test_a_soak_of_some_seconds_finds_every_step_and_watches_every_process(
    built: Built, tmp_path: Path
) -> None:
    samples = tmp_path / "samples.jsonl"
    command = [
        sys.executable, "benchmarks/soak.py", "--minutes", "0.2", "--every", "2", "--pace", "12",
        "--street", str(built.files.parent), "--samples", str(samples), "--json",
    ]  # fmt: skip
    ran = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = json.loads(ran.stdout)
    assert told["surprises"] == told["not in the log"] == told["problems of the log"] == []
    assert told["requests"] == sum(told["asked"].values()) > 20
    assert told["verdict"] == "too short to be judged"
    lines = [json.loads(line) for line in samples.read_text(encoding="utf-8").splitlines()]
    assert len(lines) >= 4
    for line in lines:
        first, *others = line["of"]
        assert first["role"] == "server"
        assert all(one["rss_mb"] >= one["pss_mb"] > 0 and one["files"] > 3 for one in line["of"])
        assert {one["pid"] for one in others}.isdisjoint({first["pid"]})
