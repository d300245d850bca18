"""The report on a period on its page, as PDF and as Excel: its figures are those of the metrics."""

import hashlib
import io
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
from openpyxl import load_workbook

from audit import log
from audit.sealed_pdf import open_pdf
from engine.database import reading
from engine.keys import make_keys
from engine.metric_periods import kept_figures
from engine.people import By, directory
from engine.period_reports import Wanted, read_period, read_whole_period
from engine.periods import begin_of
from engine.signal_queue import signal_counts, signals_for
from tests.conftest import ORIGIN, Street
from tests.web.conftest import Visitor
from tests.web.paths import assigned, closed, signed_for
from tests.web.test_metric_pages import counted
from tests.web.test_signal_queue import judging, late, look
from web.config import Settings
from web.formulas import formulas
from web.period_text import PeriodText, period_files
from web.press import make_waiting
from web.quantities import ZONE
from web.signal_rules import signal_rules
from web.texts import spoken

Enter = Callable[[str], Visitor]
MONTH = "2026-03"


def exports(street: Street) -> list[Any]:
    with reading(street.database).begin() as conn:
        return [one for one in log.read(conn, "@log") if one.type == "special.exported"]


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", html.partition("<main")[2]))


def made(who: Visitor, street: Street, settings: Settings, format_: str, **more: str) -> Any:
    form = {"purpose": "例会", "format": format_, "period": MONTH, "unit": "u-street", **more}
    answer = who.post("/period", form)
    assert answer.status_code == 303, answer.text
    assert make_waiting(street.database, settings, clock=lambda: street.at) == 1
    return who.get(f"{answer.location}/file")


def test_the_page_tells_what_is_kept_each_metric_leading_to_its_cases(
    signed_in: Enter, web_street: Street
) -> None:
    for _ in range(10):
        closed(web_street)
    assigned(web_street)
    web_street.later(days=12)
    counted(web_street)
    watch = signed_in("watch")
    page = watch.text("/period")
    told = plain(page)
    assert "按时做到的：按期整改率" in told
    assert "90.9%" in told
    assert "分子 10 其余 1 共 11" in told
    assert "95% 区间 62.3% 到 98.4%" in told
    address = re.search(r'href="(/metrics/rectified_of_found[^"]+)"', page)
    assert address
    assert "2026-03" in address[1]
    assert len(re.findall("/cases/", watch.text(address[1].replace("&amp;", "&")))) >= 10
    # A unit below has a report, and lists, of its own.
    below = watch.text("/period?unit=u-tingtao")
    assert "听涛社区" in plain(below)
    web_street.check()


def test_as_pdf_and_excel_it_has_figures_positions_and_the_entries_behind(
    signed_in: Enter, web_street: Street, settings: Settings
) -> None:
    make_keys(settings.keys, ORIGIN, "听澜街道（演示）", at=web_street.at)
    cases = [closed(web_street, title="=1+1") for _ in range(3)]
    counted(web_street)
    watch = signed_in("watch")
    # Three cases are too few for a rate, and their counts are told all the same.
    page = plain(watch.text("/period"))
    assert "样本不足" in page
    assert "共 3" in page
    pdf = made(watch, web_street, settings, "pdf").data
    (left,) = exports(web_street)
    attached = open_pdf(pdf).attachments["period.json"]
    assert hashlib.sha256(attached).hexdigest() == left.data["digest"]
    told = orjson.loads(attached)
    with reading(web_street.database).begin() as conn:
        kept = kept_figures(conn, MONTH, "", "u-street", formulas(), zone=ZONE)
    assert told["figures"] == orjson.loads(orjson.dumps(kept))
    assert told["now"]["size"] > 0
    assert left.data["formulas"] == told["formulas"] == formulas().sha256
    assert (left.data["unit"], left.data["cases"], left.data["left_out"]) == ("u-street", 3, 0)
    found = [one for one in told["behind"] if one["metric"] == "rectified_of_found"]
    assert sorted(one["case"] for one in found) == sorted(cases)
    book = load_workbook(io.BytesIO(made(watch, web_street, settings, "xlsx").data))
    _, left = exports(web_street)
    assert left.data["format"] == "xlsx"
    rows = next(sheet for sheet in book if "计入的记录" in sheet.title)
    listed = list(rows.iter_rows(min_row=2, values_only=True))
    assert len(listed) == len(told["behind"])
    assert {row[2] for row in listed} == {"=1+1"}
    assert all(cell.data_type != "f" for row in rows.iter_rows() for cell in row)
    check = {row[0]: row[1] for row in book[book.sheetnames[-1]].iter_rows(values_only=True)}
    assert check["内容摘要"] == left.data["digest"]
    assert check["口径的摘要"] == formulas().sha256
    assert check["规则的摘要"] == signal_rules().sha256
    web_street.check()


def test_signals_are_counted_by_how_they_stand_and_are_no_verdicts(
    signed_in: Enter, web_street: Street
) -> None:
    open_, judged = late(web_street), late(web_street)
    look(web_street, open_, judged)
    counted(web_street)
    watch = signed_in("watch")
    page = watch.text(f"/signals?rule=B1&case={judged}")
    watch.post(judging(page, judged), {"reason": "已核对"})
    told = plain(watch.text(f"/period?period={MONTH}"))
    assert re.search(r"B1 逾期 1 0 1\b", told), told
    assert "待核实的只是提示，不是结论" in told
    # Those of another unit are counted there.
    assert "B1 逾期" not in plain(watch.text(f"/period?period={MONTH}&unit=u-other"))
    web_street.check()


def test_signals_are_of_the_month_in_which_their_first_entry_was_recorded(
    signed_in: Enter, web_street: Street
) -> None:
    early = late(web_street)
    web_street.later(days=31)
    look(web_street, early, late(web_street))
    counted(web_street)
    watch = signed_in("watch")
    with reading(web_street.database).begin() as conn:
        people, by, at = directory(conn), By(web_street.person["watch"]), web_street.at
        all_ = signals_for(conn, people, by, at)
        begin, end = (begin_of(one, ZONE) for one in ("2026-04", "2026-05"))
        first = {
            (one.stream, one.seq): one.at
            for found in all_
            for one in log.read(conn, found.signal.case)
        }
        expected = Counter(
            (one.signal.rule, one.state)
            for one in all_
            if begin <= first[one.signal.case, one.signal.events[0]] < end
        )
        counts = signal_counts(conn, people, by, at, since=begin, until=end)
    assert 0 < expected.total() < len(all_)
    assert counts == expected
    assert "B1 逾期 1 0 0" in plain(watch.text("/period?period=2026-04"))
    web_street.check()


def test_the_page_leaves_the_entries_behind_its_figures_and_their_digest_to_files(
    signed_in: Enter, web_street: Street
) -> None:
    closed(web_street, title="井盖松动")
    signed_for(web_street, title="消防通道堵塞")
    web_street.later(days=25)
    counted(web_street)
    wanted = Wanted(MONTH, "u-street")
    with reading(web_street.database).begin() as conn:
        told = {"by": By(web_street.person["watch"]), "at": web_street.at}
        report = read_period(conn, wanted, period_files(), **told)
        whole = read_whole_period(conn, wanted, period_files(), **told)
    assert whole.report == report
    assert report.cases == len({one.case for one in whole.behind}) == 2
    assert report.overdue == tuple(
        one for one in whole.behind if one.metric == "overdue" and one.hits
    )
    assert [one.title for one in report.overdue] == ["消防通道堵塞"]
    page = signed_in("watch").text("/period")
    assert "消防通道堵塞" in page
    assert "井盖松动" not in page
    assert "写在导出的文件里" in page


def test_quarters_and_years_are_told_like_months_beside_the_one_before(
    signed_in: Enter, web_street: Street, settings: Settings
) -> None:
    make_keys(settings.keys, ORIGIN, "听澜街道（演示）", at=web_street.at)
    first = [closed(web_street) for _ in range(2)]
    web_street.later(days=31)
    second = [closed(web_street) for _ in range(3)]
    web_street.later(days=92)
    third = [closed(web_street)]
    counted(web_street)
    watch = signed_in("watch")
    page = watch.text("/period?period=2026-Q2")
    told = plain(page)
    assert "季报" in told
    assert "2026年第二季度" in told
    # Three of this quarter beside two of the one before, no month among them.
    assert re.search(r"共 3 ", told)
    assert '<option value="2026-Q2" selected>2026年第二季度</option>' in page
    listed = watch.text("/metrics/rectified_of_found?period=2026-Q2")
    assert {case for case in second if case in listed} == set(second)
    assert not {case for case in (*first, *third) if case in listed}
    assert "年报" in plain(watch.text("/period?period=2026"))
    assert re.search(r"共 6 ", plain(watch.text("/period?period=2026")))
    pdf = made(watch, web_street, settings, "pdf", period="2026").data
    (left,) = exports(web_street)
    attached = orjson.loads(open_pdf(pdf).attachments["period.json"])
    assert (attached["format"], attached["period"]) == ("shaoji-period/1", "2026")
    found = [one for one in attached["behind"] if one["metric"] == "rectified_of_found"]
    assert sorted(one["case"] for one in found) == sorted([*first, *second, *third])
    assert left.data["kind"] == "period"
    assert left.data["since"] == "2025-12-31T16:00:00.000Z"
    assert left.data["until"] == attached["until"]
    web_street.check()


def test_it_is_for_supervision_and_discipline_of_their_own_units_and_of_months_that_are_counted(
    signed_in: Enter, web_street: Street
) -> None:
    watch = signed_in("watch")
    assert "还没有算出来" in watch.text("/period")
    closed(web_street)
    counted(web_street)
    watch = signed_in("watch")
    for name in ("fixer", "head"):
        who = signed_in(name)
        assert who.get("/period").status_code == 403
        assert who.post("/period", {"purpose": "x", "unit": "u-street"}).status_code == 403
    assert watch.get("/period?unit=u-nowhere").status_code == 403
    for unknown in ("1999-01", "1999-Q1", "1999", "2026-13", "Q"):
        answer = watch.get(f"/period?period={unknown}")
        assert answer.status_code == 400
        assert "这一期还没有算出指标" in answer.text
    assert exports(web_street) == []


def test_in_english_it_says_the_same(
    signed_in: Enter, web_street: Street, settings: Settings
) -> None:
    closed(web_street)
    counted(web_street)
    watch = signed_in("watch")
    watch.post("/display", {"language": "en"})
    told = plain(watch.text("/period"))
    assert "Metric This period Period before" in told
    book = load_workbook(io.BytesIO(made(watch, web_street, settings, "xlsx").data))
    assert any("By community" in name for name in book.sheetnames)


def test_a_unit_without_any_of_the_figures_told_by_unit_is_not_listed(
    signed_in: Enter, web_street: Street
) -> None:
    closed(web_street)
    web_street.later(days=25)
    counted(web_street)
    with reading(web_street.database).begin() as conn:
        wanted, who = Wanted(MONTH, "u-street"), By(web_street.person["watch"])
        report = read_period(conn, wanted, period_files(), by=who, at=web_street.at)
    (in_time,) = (one for one in report.groups["unit"] if one["metric"] == "in_time")
    # Whatever this unit was given was merged: none of it is in any rate.
    merged = in_time | {"groups": ["u-other"], "numerator": 0, "denominator": 0}
    report = replace(report, groups=report.groups | {"unit": (*report.groups["unit"], merged)})
    with spoken("zh"):
        told = PeriodText(report, {}, "zh").told()
    by_unit = next(one for one in told.sections if one.title == "各单位")
    names = [row[0].text for row in by_unit.rows]
    assert "u-property" in names
    assert "u-other" not in names
    assert "这些数一个也没有的不列" in by_unit.note
    assert "这些数一个也没有的不列" in signed_in("watch").text("/period")
