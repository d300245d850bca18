"""What the rules find in a lived year against what was planted in it, and the command for both."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Event, Thread
from time import sleep

import pytest
from click.testing import CliRunner, Result

from audit import log
from audit.signals.among_cases import signals
from audit.signals.brief import brief
from audit.signals.facts import Brief
from audit.signals.rules import BadRules, read_rules
from engine.alike_photos import alike_groups, fingerprints
from engine.database import open_database
from engine.signals import all_signals, offices_of
from tests.conftest import ROOT
from tests.web.demo_street import Built
from web.background import run_signals
from web.cli import main
from web.demo.town import SIZES
from web.demo.truth import planted, told_cases, truth
from web.signal_rules import signal_rules

Shaoji = Callable[..., Result]
RECALL, PRECISION = 0.98, 0.95


def judged(found: list[dict], planted: list[dict]) -> dict[str, tuple[float, float]]:
    """Recall and precision by rule."""
    told, wanted = defaultdict(list), defaultdict(set)
    for one in found:
        told[one["rule"]].append((one["case"], set(one["events"])))
    for one in planted:
        wanted[one["rule"]].add((one["case"], one["seq"]))
    scores = {}
    for rule in told.keys() | wanted.keys():
        hit = {(c, s) for c, s in wanted[rule] if any(c == d and s in e for d, e in told[rule])}
        right = [1 for c, e in told[rule] if any((c, s) in wanted[rule] for s in e)]
        scores[rule] = (
            len(hit) / len(wanted[rule]) if wanted[rule] else 1.0,
            len(right) / len(told[rule]) if told[rule] else 1.0,
        )
    return scores


@pytest.fixture(scope="module")
def briefs(built: Built) -> list[Brief]:
    with built.database.connect() as conn:
        cases = [name for name in log.streams(conn) if not name.startswith("@")]
        return [brief(log.read(conn, name), signal_rules()) for name in cases]


@pytest.fixture(scope="module")
def alike(built: Built, briefs: list[Brief]) -> list[tuple[str, str]]:
    """Of all files of acts, not by what is kept: nothing is written into the street here."""
    files = {photo.sha256 for one in briefs for photo in one.photos}
    groups = alike_groups(fingerprints(built.files, sorted(files)).found)
    return [(pair.first, pair.second) for group in groups for pair in group.pairs]


def test_what_was_planted_is_found_and_hardly_anything_else(
    built: Built, briefs: list[Brief], alike: list[tuple[str, str]]
) -> None:
    with built.database.connect() as conn:
        known = offices_of(conn)
    found = signals(briefs, signal_rules(), alike, known)
    with built.database.connect() as conn:
        wanted = truth(conn, SIZES["small"])
    told = [{"rule": one.rule, "case": one.case, "events": one.events} for one in found]
    scores = judged(told, wanted)
    assert {rule: score for rule, score in scores.items()
            if score[0] < RECALL or score[1] < PRECISION} == {}  # fmt: skip
    assert scores.keys() == {f"B{number}" for number in range(1, 18)}


def test_a_photo_made_lighter_and_saved_again_is_found_by_its_looks_alone(
    briefs: list[Brief], alike: list[tuple[str, str]]
) -> None:
    by_file, by_looks = (
        {one.case for one in signals(briefs, signal_rules(), pairs) if one.rule == "B5"}
        for pairs in ((), alike)
    )
    assert by_file < by_looks
    assert told_cases(SIZES["small"])["recycler|4"] in by_looks - by_file


def test_what_only_looks_like_it_is_not_found(
    built: Built, briefs: list[Brief], alike: list[tuple[str, str]]
) -> None:
    with built.database.connect() as conn:
        known = offices_of(conn)
    found = signals(briefs, signal_rules(), alike, known)
    with built.database.connect() as conn:
        decoys = {
            (row.behaviour.removeprefix("decoy "), row.case)
            for row in planted(conn, SIZES["small"])
            if row.behaviour.startswith("decoy ")
        }
    assert len(decoys) == SIZES["small"].storm + 8
    assert {rule for rule, _ in decoys} == {"B5", "B12", "B13", "B14", "B15", "B17"}
    assert decoys & {(one.rule, one.case) for one in found} == set()


def test_the_told_whistles_and_complaints_show_what_the_document_says_of_them(
    built: Built, briefs: list[Brief]
) -> None:
    with built.database.connect() as conn:
        found = signals(briefs, signal_rules(), (), offices_of(conn))
        arrived = {one.case: log.read(conn, one.case)[0].data for one in briefs
                   if one.process == "response"}  # fmt: skip
    told = defaultdict(list)
    for one in found:
        if one.rule != "B1":
            told[one.case].append(one.rule)
    for number in range(1, 7):
        assert told.pop(f"whistle-2025-{number:05d}")[0] == "B14"
    assert told.pop("hotline-2025-00009") == ["B13", "B12"]
    parties = {(data["party"], data["origin"]["case"]): case for case, data in arrived.items()}
    assert told.pop(parties["u-urban", "whistle-2025-00009"]) == ["B2", "B2"]
    assert told.pop(parties["u-marketwatch", "whistle-2026-00002"]) == ["B6"]
    assert [case for case in told if case.startswith("whistle-")] == []
    assert [told[case] for case in told if case.startswith("hotline-")] == [["B15"]] * 4
    document = (ROOT / "docs/demo.md").read_text(encoding="utf-8")
    for number in (
        "哨-2025-00001",
        "哨-2025-00006",
        "哨-2025-00009",
        "哨-2026-00002",
        "诉-2025-00009",
    ):
        assert f"听澜-{number}" in document


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shaoji:
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, list(arguments))
        assert result.exit_code == code, (result.output, result.exception)
        return result

    return invoke


def judge(run: Shaoji) -> None:
    """A supervisor of the lived street says at the command line how two signals stand."""
    listed = json.loads(run("signals", "--by", "supervise", "--json").stdout)
    assert json.loads(run("signals", "--by", "grid", "--json").stdout) == []
    first, second = [one for one in listed if one["rule"] == "B6"][:2]
    for verb, one in (("confirm", first), ("dismiss", second)):
        named = one["case"], one["rule"], str(one["events"][0])
        told = run("signals", verb, *named, "--by", "supervise", "--reason", "看过现场")
        assert "已记录" in told.stdout
        again = run("signals", verb, *named, "--by", "supervise", "--reason", "看过现场", code=1)
        assert "已经有人核实过" in again.output
        other = run("signals", verb, *named, "--by", "grid", "--reason", "看过现场", code=1)
        assert "只有本街道" in other.output
    states = {
        (one["case"], one["rule"], one["events"][0]): one["state"]
        for one in json.loads(run("signals", "--json").stdout)
    }
    assert states[first["case"], "B6", first["events"][0]] == "confirmed"
    assert states[second["case"], "B6", second["events"][0]] == "dismissed"


def test_a_year_from_another_seed_is_lived_and_its_truth_found(run: Shaoji, tmp_path: Path) -> None:
    run("scenario", "--seed", "another year", "--small", "--truth", "truth.json")
    wanted = json.loads((tmp_path / "truth.json").read_text("utf-8"))
    assert all(one.keys() == {"rule", "case", "seq"} for one in wanted)
    found = json.loads(run("signals", "--json").stdout)
    assert all(one.keys() >= {"rule", "case", "events", "state"} for one in found)
    assert {one["state"] for one in found} == {"open"}
    scores = judged(found, wanted)
    assert {rule: score for rule, score in scores.items()
            if score[0] < RECALL or score[1] < PRECISION} == {}  # fmt: skip
    assert f"条线索，规则第 {signal_rules().version} 版" in run("signals").stdout
    judge(run)
    assert run("verify", "--without", "all", "--json").exit_code == 0
    again = run("scenario", "--seed", "another year", "--small", code=1)
    assert "SHAOJI_DATABASE_URL" in again.output


def test_a_file_that_is_there_is_not_written_over(run: Shaoji, tmp_path: Path) -> None:
    (tmp_path / "truth.json").write_text("mine")
    told = run("scenario", "--seed", "x", "--small", "--truth", "truth.json", code=2)
    assert "请换一个文件名" in told.output
    assert (tmp_path / "truth.json").read_text() == "mine"
    told = run("scenario", "--seed", "x", "--small", "--truth", "nowhere/truth.json", code=2)
    assert "没有这个目录" in told.output
    assert not list(tmp_path.glob("**/*.db"))


@pytest.mark.parametrize(
    "toml",
    [
        b"\xff",
        b"version = 1",
        b"version = 'one'\n[rules]\n[steps]",
        b"version = 1\n[steps]\n[rules.B1]\nname = 'x'",
        b"version = 1\n[steps]\n[rules.B1]\nname='x'\nname_en='x'\nsays='{n}'\nsays_en='x'",
        b"version = 1\n[steps]\n[rules.B1]\nname='x'\nname_en='x'\nsays='x'\nsays_en='x'\nn=-1",
    ],
)
def test_a_file_of_rules_that_lacks_something_is_refused(toml: bytes) -> None:
    with pytest.raises(BadRules, match="the file of rules is wrong"):
        read_rules(toml)


def test_every_rule_says_its_numbers_in_both_languages() -> None:
    for rule in signal_rules().rules.values():
        for number in rule.numbers.values():
            assert str(number) in rule.says, rule.id
            assert str(number) in rule.says_en, rule.id


def test_the_worker_looks_for_signals_beside_its_clocks(built: Built, tmp_path: Path) -> None:
    copy = tmp_path / "street.db"
    with closing(sqlite3.connect(copy)) as target, built.database.connect() as conn:
        conn.connection.driver_connection.backup(target)
    database, stop = open_database(f"sqlite:///{copy}"), Event()
    thread = Thread(target=run_signals, args=(database, stop))
    thread.start()
    try:
        for _ in range(600):
            with database.connect() as conn:
                found = all_signals(conn)
            if found:
                break
            sleep(0.1)
    finally:
        stop.set()
        thread.join()
    assert {one.state for one in found} == {"open"}
    database.dispose()
