"""Logs of other systems, whole and broken: what is read, what is refused, and in which words."""

import gzip
import io
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

import engine.foreign
from audit.foreign.facts import facts_of
from audit.foreign.fit import fit
from audit.foreign.found import found_in
from audit.foreign.happenings import Happening
from audit.foreign.heard import heard
from audit.foreign.rule_needs import able
from engine import foreign_rows, xes_reading
from engine.definitions import parse, read_folder
from engine.errors import Refusal
from engine.foreign import DamagedPacking, TooLarge, unpacked
from engine.foreign_drawings import drawing
from engine.foreign_maps import BadForeignMap, read_foreign_map
from engine.foreign_rows import Read, TooMuch, read_log
from engine.import_rows import WrongFile
from engine.xes_reading import BadXes
from tests.conftest import ROOT
from web.formulas import formulas
from web.signal_rules import signal_rules

GOLDEN = ROOT / "tests/golden/foreign"
MAPS = ROOT / "workflows/foreign"
RULES = signal_rules()
HAZARD = drawing(parse(read_folder(ROOT / "workflows/hazard")))
AT = datetime(2026, 3, 1, tzinfo=UTC)


def by(map_: str, data: bytes) -> Read:
    told = read_foreign_map((MAPS / map_).read_bytes())
    return read_log(told, io.BytesIO(unpacked(data)), at=AT)


def bad(name: str) -> Read:
    map_ = "dispatch-ledger.toml" if ".csv" in name else "shaoji-xes.toml"
    return by(map_, (GOLDEN / "bad" / name).read_bytes())


# The whole file is refused: by which refusal, and with which word in its sentence.
REFUSED: dict[str, tuple[type[Refusal], str]] = {
    "xxe.xes": (BadXes, "DOCTYPE"),
    "billion_laughs.xes": (BadXes, "DOCTYPE"),
    "external_dtd.xes": (BadXes, "DOCTYPE"),
    "utf16_hides_a_doctype.xes": (BadXes, "UTF-8"),
    "declares_gbk.xes": (BadXes, "GBK"),
    "deep.xes": (BadXes, "过深"),
    "long_value.xes": (BadXes, "过长"),
    "many_attributes.xes": (BadXes, "过多"),
    "no_log.xml": (BadXes, "不是 XES"),
    "cut_off.xes": (BadXes, "格式良好"),
    "duplicate_column.csv": (WrongFile, "重名"),
    "missing_column.csv": (WrongFile, "办结时间"),
    "gbk_called_utf8.csv": (WrongFile, "编码"),
    "cut_off.csv.gz": (DamagedPacking, "重新取得"),
    "packed_twice.csv.gz": (TooLarge, "不止一层"),
}
# One row, or what one row became, is rejected: its line, why; how many whole cases are left.
REJECTED: dict[str, tuple[int, str, int]] = {
    "no_case_id.xes": (8, "case:concept:name", 1),
    "event_outside_a_trace.xes": (7, "不在任何 trace", 1),
    "no_zone.xes": (8, "没有时区", 1),
    "no_time_of_this_world.xes": (8, "读不出来", 1),
    "future.xes": (8, "不可能", 1),
    "done_before_it_began.xes": (9, "没开始就办完", 1),
    "gbk_in_one_row.csv": (3, "字节", 1),
    "closed_before_it_was_given.csv": (3, "早于", 1),
    "future.csv": (3, "不可能", 1),
    "no_date.csv": (3, "三月九日", 1),
    "no_number.csv": (3, "工单编号", 1),
    "same_line_twice.csv": (4, "第 3 行", 1),
    "stray_quote.csv": (3, "连成了一条", 1),
    "too_few_cells.csv": (3, "列", 1),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_would_do_harm_or_means_nothing_is_refused_whole(name: str) -> None:
    refusal, word = REFUSED[name]
    with pytest.raises(refusal) as told:
        bad(name)
    assert word in told.value.chinese
    assert told.value.english


@pytest.mark.parametrize("name", REJECTED)
def test_a_row_that_cannot_be_read_is_rejected_with_line_and_reason(name: str) -> None:
    line, word, cases = REJECTED[name]
    told = bad(name)
    first = told.rejected[0]
    assert (first.row.line, len(told.cases)) == (line, cases)
    assert word in first.chinese
    assert first.english


def test_every_broken_file_is_tried() -> None:
    names = {path.name for path in (GOLDEN / "bad").iterdir()}
    assert names == {*REFUSED, *REJECTED, "bomb.csv.gz"}


def test_a_packed_file_is_unpacked_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = (GOLDEN / "ledger.csv").read_bytes()
    assert unpacked(gzip.compress(whole)) == whole
    monkeypatch.setattr(engine.foreign, "LARGEST_UNPACKED", 1_000_000)
    with pytest.raises(TooLarge, match="不合常理"):
        bad("bomb.csv.gz")
    monkeypatch.setattr(engine.foreign, "LARGEST_FILE", 1_000)
    with pytest.raises(TooLarge, match="64 MB"):
        unpacked(whole)


def test_more_than_is_read_at_once_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_rows, "MOST_HAPPENINGS", 10)
    with pytest.raises(TooMuch, match="分成几个文件"):
        by("dispatch-ledger.toml", (GOLDEN / "ledger.csv").read_bytes())
    monkeypatch.setattr(foreign_rows, "MOST_REJECTED", 0)
    with pytest.raises(TooMuch, match="用错了映射"):
        bad("no_number.csv")
    monkeypatch.setattr(xes_reading, "MOST_EVENTS_OF_A_TRACE", 1)
    with pytest.raises(BadXes, match="事件过多"):
        bad("no_zone.xes")


def test_a_case_of_which_a_row_was_rejected_is_not_computed_by_half() -> None:
    told = by("dispatch-ledger.toml", (GOLDEN / "ledger.csv").read_bytes())
    assert [case.id for case in told.cases] == [
        "GD-1001",
        "GD-1002",
        "GD-1003",
        "GD-1004",
        "GD-1006",
    ]
    assert (told.rows, len(told.rejected), told.left_out) == (6, 1, 1)
    assert told.unmapped == {"问题类别=路灯": 1}


def test_a_line_of_a_ledger_becomes_the_happenings_the_map_says() -> None:
    (first, *_), at = by("dispatch-ledger.toml", (GOLDEN / "ledger.csv").read_bytes()).cases, 2
    assert [(one.what, one.element) for one in first.happenings] == [
        ("complete", "report"), ("complete", "confirm"), ("complete", "assign"),
        ("complete", "sign_in"), ("schedule", "rectify"), ("complete", "rectify"),
        ("complete", "accept"), ("complete", "close"), ("rate", ""),
    ]  # fmt: skip
    assert first.happenings[4] == Happening(
        at, datetime(2025, 3, 3, 3, tzinfo=UTC), "schedule", "rectify", "", "陈演示", "东塘社区",
        datetime(2025, 3, 6, 10, tzinfo=UTC),
    )  # fmt: skip
    assert first.happenings[6].said == {"result": "pass"}
    assert (first.path, first.category, first.level) == (("东塘社区",), "fire_lane", "general")


def test_steps_in_gb18030_are_read_and_what_has_no_word_of_ours_is_counted() -> None:
    told = by("dispatch-steps.toml", (GOLDEN / "steps.csv").read_bytes())
    assert told.unmapped == {"操作=回访": 1}
    first, second, third = told.cases
    assert [one.what for one in first.happenings][5:] == [
        "reassign", "extend", "complete", "complete", "complete", "reopen",
    ]  # fmt: skip
    assert (second.happenings[-1].what, second.happenings[-1].element) == (
        "end", "closed_not_hazard",
    )  # fmt: skip
    assert third.happenings[-1].what == "object"


def test_what_is_said_of_a_trace_may_stand_behind_its_events() -> None:
    log = b"""<log><trace>
      <event><date key="time:timestamp" value="2025-03-01T09:00:00Z"/>
        <string key="element" value="report"><string key="nested" value="passed over"/></string>
        <string key="lifecycle:transition" value="complete"/></event>
      <string key="concept:name" value="C-9"/><string key="process" value="hazard"/>
    </trace></log>"""
    (case,) = by("shaoji-xes.toml", log).cases
    assert (case.id, case.process, case.happenings[0].line) == ("C-9", "hazard", 2)


@pytest.mark.parametrize("seed", range(200))
def test_a_file_damaged_anyhow_is_refused_or_read_and_never_trips_us(seed: int) -> None:
    dice = random.Random(seed)
    name, map_ = dice.choice([
        ("ledger.csv", "dispatch-ledger.toml"), ("steps.csv", "dispatch-steps.toml"),
        ("bad/no_case_id.xes", "shaoji-xes.toml"),
        ("bad/done_before_it_began.xes", "shaoji-xes.toml"),
    ])  # fmt: skip
    data = bytearray((GOLDEN / name).read_bytes())
    for _ in range(dice.randint(1, 12)):
        at = dice.randrange(len(data))
        data[at : at + dice.randint(0, 9)] = dice.randbytes(dice.randint(0, 9))
    try:
        read = by(map_, bytes(data))
    except Refusal:
        return
    for case in read.cases:
        facts_of(case, formulas())
    found_in(read.cases, RULES, able(RULES, heard(read.cases)))
    fit("hazard", read.cases, HAZARD)


# --- maps -----------------------------------------------------------------------------------------

LEDGER = (MAPS / "dispatch-ledger.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("map_", sorted(path.name for path in MAPS.glob("*.toml")))
def test_the_maps_that_are_shipped_can_be_read(map_: str) -> None:
    assert read_foreign_map((MAPS / map_).read_bytes()).events


@pytest.mark.parametrize(
    ("wrong", "right", "where"),
    [
        ("version = 1", "version = 2", "version"),
        ("version = 1", "version = = 1", "TOML"),
        ('zone = "Asia/Shanghai"', 'zone = "Mars/Olympus"', "time.zone"),
        ('zone = "Asia/Shanghai"', "", "time.zone"),
        ('"%Y/%m/%d %H:%M"', '"%Y/%m/%d"', "time.formats"),
        ('what = "schedule"', 'what = "begin"', "event 5"),
        ('step = "report"', "", "event 1"),
        ('id = "工单编号"', "", "case"),
    ],
)
def test_a_wrong_map_is_refused_naming_the_place(wrong: str, right: str, where: str) -> None:
    assert wrong in LEDGER
    with pytest.raises(BadForeignMap) as told:
        read_foreign_map(LEDGER.replace(wrong, right, 1).encode())
    assert f"“{where}" in told.value.chinese


def test_a_map_is_toml_in_utf_8(tmp_path: Path) -> None:
    with pytest.raises(BadForeignMap, match="TOML"):
        read_foreign_map(LEDGER.encode("gb18030"))
