"""Calendar files written from a calendar and some days; processes unpacked as they were packed."""

from datetime import date

import pytest

from engine.calendar import read_calendar
from engine.calendar_files import BadDays, read_days, with_days
from engine.definition_uploads import pack, unpack
from engine.definitions import read_folder
from engine.directory import DUTIES
from engine.rights import BLIND, OWN_ONLY, STREET_DUTIES, sight
from engine.spreadsheets import read_sheets
from tests.conftest import ROOT

BASE = read_calendar((ROOT / "workflows/calendar/cn.toml").read_bytes(), version=1)


def test_a_calendar_written_and_read_again_says_the_same() -> None:
    again = read_calendar(with_days(BASE, {}))
    assert (again.days, again.office, again.zone) == (BASE.days, BASE.office, BASE.zone)
    assert again.published == BASE.published


def test_only_the_days_given_differ_and_their_years_are_published() -> None:
    days = {date(2027, 1, 1): False, date(2027, 1, 2): True, date(2026, 1, 1): None}
    new = read_calendar(with_days(BASE, days))
    changed = {d for d in new.days.keys() | BASE.days.keys() if new.days.get(d) != BASE.days.get(d)}
    assert changed == set(days)
    assert new.published == BASE.published | {2027}


def test_days_are_read_from_a_table_with_its_columns_in_any_order() -> None:
    table = "备注,类型,日期\n元旦,放假,2027/01/01\n,work,2027.01.02\n,照常,2027-01-03".encode()
    assert read_days(read_sheets(table, most_lines=9)) == {
        date(2027, 1, 1): False,
        date(2027, 1, 2): True,
        date(2027, 1, 3): None,
    }


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("日子,类型\n2027-01-01,放假", "“日期”和“类型”"),
        ("日期,类型\n元旦,放假", "第 2 行的“元旦”"),
        ("日期,类型\n2027-01-01,或许", "第 2 行的“或许”"),
        ("日期,类型\n2027-01-01,放假\n2027-01-01,上班", "写了两次"),
        ("日期,类型", "没有日期"),
    ],
)
def test_a_table_that_is_no_list_of_days_is_refused_by_its_line(table: str, said: str) -> None:
    with pytest.raises(BadDays, match=said) as refused:
        read_days(read_sheets(table.encode(), most_lines=9))
    assert refused.value.english


def test_a_process_unpacked_is_what_was_packed() -> None:
    files = read_folder(ROOT / "workflows" / "hazard")
    assert unpack([("x.zip", pack(files))]) == files


def test_how_far_a_duty_sees_is_told_by_the_rules_that_decide_it() -> None:
    told = {duty: sight(duty) for duty in DUTIES}
    assert {d for d, far in told.items() if far == "nothing"} == BLIND
    assert {d for d, far in told.items() if far == "own"} == OWN_ONLY
    assert {d for d, far in told.items() if far == "street"} == STREET_DUTIES
