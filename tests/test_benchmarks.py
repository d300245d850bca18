"""The benchmarks run and print what they promise; how fast is no business of a test."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.clusters import cluster

ROOT = Path(__file__).parents[1]


def test_the_step_benchmark_measures_ours_and_the_floor_in_one_run() -> None:
    command = [sys.executable, "benchmarks/steps.py", "--cases", "1", "--rounds", "16", "--json"]
    ran = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    told = json.loads(ran.stdout)
    assert {"step_ratio_to_floor", "rework_ratio", "replay_cases_per_s"} <= set(told)
    assert told["steps"] == 10
    # Round 16 writes what round 2 wrote, but for numbers that have grown a digit.
    assert told["bytes_last_round"] <= told["bytes_round_2"] * 1.02


def test_the_benchmark_of_eight_clients_measures_ours_and_the_floor_in_turn() -> None:
    command = [sys.executable, "benchmarks/clients.py", "--seconds", "0.5", "--rounds", "1"]
    ran = subprocess.run([*command, "--json"], cwd=ROOT, check=True, capture_output=True, text=True)
    told = json.loads(ran.stdout)
    assert told["ratio"] > 0
    assert told["p95_ms"] <= told["longest_ms"]


def test_the_benchmark_of_the_server_completes_a_step_with_every_request() -> None:
    command = [sys.executable, "benchmarks/serving.py", "--steps", "2", "--rounds", "1", "--json"]
    ran = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    told = json.loads(ran.stdout)
    assert told["completed"] == 16
    assert told["median_ms"] <= told["p95_ms"] <= told["longest_ms"]


def test_the_proof_benchmark_measures_with_and_without_in_one_run() -> None:
    sizes = ["--cases", "1", "--events", "600", "--leaves", "700"]
    command = [sys.executable, "benchmarks/proof.py", *sizes, "--json"]
    ran = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    told = json.loads(ran.stdout)
    assert {"append_overhead", "links_events_per_s", "prove_us", "check_us"} <= set(told)


def test_the_report_benchmark_sets_real_cases() -> None:
    command = [sys.executable, "benchmarks/report.py", "--rounds", "0", "--times", "1", "--json"]
    ran = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    (told,) = json.loads(ran.stdout)["reports"]
    assert {"report_s", "cpu_ms_page", "peak_rss_mb"} <= set(told)
    assert told["entries"] == 25
    assert told["pages"] <= 4


def test_the_photo_benchmark_finds_the_copies_it_made() -> None:
    command = [sys.executable, "benchmarks/photos.py", "--photos", "12", "--copies", "3", "--json"]
    ran = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    told = json.loads(ran.stdout)
    assert {"photo_ms", "pairs_s", "peak_rss_mb"} <= set(told)
    assert told["copies_found"] == "3/3"
    assert told["pairs_that_are_none"] == 0


SIZES = ["--small", "210", "--cases", "230", "--times", "3", "--json"]


def test_a_log_of_many_cases_is_asked_and_acted_in_at_two_sizes() -> None:
    _check_both_sizes(["benchmarks/million.py", *SIZES])


@pytest.mark.postgres
def test_a_log_of_many_cases_is_written_in_postgresql_too() -> None:
    with cluster() as server:
        _check_both_sizes(["benchmarks/million.py", "--postgres", server.url(), *SIZES])


def _check_both_sizes(arguments: list[str]) -> None:
    command = [sys.executable, *arguments]
    ran = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    told = json.loads(ran.stdout)
    # Thirty new cases of ten steps come with each measurement.
    assert (told["210 cases"], told["230 cases"]) == (240, 290)
    assert told["210 events"] < told["230 events"]
    for size in (210, 230):
        assert told[f"{size} step_ms"] > 0
        assert told[f"{size} a word of a title wall_p50_ms"] > 0
