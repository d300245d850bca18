from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.import_maps import BadMap, Rule, Template, read_map

ROOT = Path(__file__).parents[2]
GOOD = (ROOT / "tests/golden/import/old-system.toml").read_text()


@pytest.mark.parametrize("path", sorted((ROOT / "workflows/imports").glob("*.toml")))
def test_every_map_we_ship_can_be_read(path: Path) -> None:
    read_map(path.read_bytes())


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("version = 1", "version = 2", "version"),
        ("version = 1", "version = ", "TOML"),
        ('process = "workshop"', "", "TOML"),
        ('process = "workshop"', 'process = "../x"', "process"),
        ('system = "old-system"', 'system = "旧平台"', "system"),
        ('id = "编号"', 'id = ""', "id"),
        ('id = "编号"', 'ids = "编号"', "TOML"),
        ('leave_out = ["联系电话"]', 'leave_out = ["编号"]', "leave_out"),
        ('"Asia/Shanghai"', '"Asia/Tinglan"', "dates.zone"),
        ('"Asia/Shanghai"', '"../../etc/passwd"', "dates.zone"),
        ('"%Y/%m/%d"', '"%m/%d"', "dates.formats"),
        ('"%Y/%m/%d"', '"%Q"', "dates.formats"),
        ('"2010-01-01"', '"1.1.2010"', "dates.earliest"),
        ('description = "{说明}"', 'description = "{说明"', "form.description"),
        ('description = "{说明}"', 'description = "[{说明}"', "form.description"),
        ("most = 20", "most = 2", "form.title"),
        ("most = 20", "longest = 20", "form.title"),
        ('is = "clutter"', 'becomes = "clutter"', "category.rules.0"),
    ],
)
def test_a_wrong_map_is_refused_and_the_place_named(old: str, new: str, where: str) -> None:
    assert old in GOOD
    with pytest.raises(BadMap, match=where.replace(".", r"\.")) as refused:
        read_map(GOOD.replace(old, new).encode())
    assert where in refused.value.english


def test_a_map_knows_every_column_it_reads() -> None:
    assert read_map(GOOD.encode()).columns == {
        "编号", "类型", "地点", "说明", "受理时间", "办结时间", "状态", "网格",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{a}[：{b}]", "甲"),
        ("{a}[：{c}]", "甲：丙"),
        ("[{b}，]{a}[/{b}{c}]", "甲"),
        ("  {a}\n {c}  ", "甲 丙"),
        ("没有栏目", "没有栏目"),
        ("{b}[{b}]", "（空）"),
    ],
)
def test_a_part_in_brackets_falls_away_with_an_empty_column(text: str, filled: str) -> None:
    row = {"a": "甲", "b": " ", "c": "丙"}
    assert Template(text, otherwise="（空）").fill(row) == filled


def test_a_cell_that_looks_like_a_template_is_only_text() -> None:
    assert Template("{a}").fill({"a": "[{b}] {a}", "b": "x"}) == "[{b}] {a}"


@given(st.text(max_size=50), st.integers(10, 20))
def test_a_filled_template_is_one_line_within_its_length(cell: str, most: int) -> None:
    text = Template("{a}", most=most).fill({"a": cell})
    assert len(text) <= most
    assert text == " ".join(text.split())


def test_a_rule_fits_when_every_column_does() -> None:
    rule = Rule("gas", {"a": frozenset({"x", "y"}), "b": frozenset({"z"})})
    assert rule.fits({"a": " y ", "b": "z"})
    assert not rule.fits({"a": "y", "b": ""})
