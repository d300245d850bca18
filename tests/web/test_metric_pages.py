"""The metrics on pages: who sees them, what stands beside a number, and the cases behind it."""

import re
from collections.abc import Callable
from html import unescape

import pytest
from sqlalchemy import update

from audit import sequence
from engine.cases import Place
from engine.metric_periods import keep_figures
from engine.people import grant_post
from engine.register import register_table
from engine.sequencer import run_sequencer
from tests.conftest import Street
from tests.engine.test_anchoring import KEY
from tests.web.conftest import Visitor
from tests.web.paths import assigned, closed, reported
from web.formulas import formulas
from web.quantities import ZONE

Enter = Callable[[str], Visitor]


def counted(street: Street) -> None:
    """Sign what there is, and let the worker count."""
    run_sequencer(street.database, [KEY], at=street.later(minutes=1))
    keep_figures(street.database, formulas(), zone=ZONE)


def metric(page: str, id_: str) -> str:
    """What the page says of one metric, without its marks."""
    found = re.search(rf'<article class="metric" id="{id_}">(.*?)</article>', page, re.DOTALL)
    assert found, page
    return found[1]


def words(html: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


def links(html: str) -> list[str]:
    return [unescape(one) for one in re.findall(r'href="([^"]+)"', html)]


def test_each_number_stands_with_its_counts_and_leads_to_its_cases(
    signed_in: Enter, web_street: Street
) -> None:
    cases = [closed(web_street) for _ in range(10)]
    open_ = assigned(web_street)
    counted(web_street)
    watch = signed_in("watch")
    page = watch.text("/metrics")
    told = metric(page, "rectified_of_found")
    assert "90.9%" in told
    assert "分子 10 其余 1 共 11" in words(told)
    assert "95% 区间 62.3% 到 98.4%" in words(told)
    assert "看过 11 件" in words(told)
    assert '<rect class="wilson__span"' in told
    hits, others = links(told)
    listed = watch.text(hits)
    assert all(case in listed for case in cases)
    assert open_ not in listed
    assert len(set(re.findall(r'href="/cases/[^"]+#e\d+"', listed))) == 10
    assert open_ in watch.text(others)
    web_street.check()


def test_the_entry_that_decided_is_told_and_linked(signed_in: Enter, web_street: Street) -> None:
    case = closed(web_street)
    counted(web_street)
    page = signed_in("watch").text("/metrics/found_by_others?part=others")
    assert f'href="/cases/{case}#e1"' in page
    assert "上报" in page
    web_street.check()


def test_fewer_than_ten_are_too_few_for_a_rate(signed_in: Enter, web_street: Street) -> None:
    closed(web_street)
    counted(web_street)
    told = metric(signed_in("watch").text("/metrics"), "rectified_of_found")
    assert "样本不足" in told
    assert "%" not in told
    assert "分子 1 其余 0 共 1" in words(told)
    assert "<svg" not in told


def test_the_page_says_what_it_rests_on(signed_in: Enter, web_street: Street) -> None:
    closed(web_street)
    counted(web_street)
    page = signed_in("watch").text("/metrics")
    with web_street.database.begin() as conn:
        last = sequence.latest(conn)
    assert last
    assert last.checkpoint.root.hex() in page
    assert f"第 {last.checkpoint.size + 1} 条以前" in page
    assert formulas().sha256 in page
    assert "shaoji metrics --from 2026-03-01 --to 2026-03-0" in page


def test_what_came_after_the_checkpoint_is_not_on_the_page(
    signed_in: Enter, web_street: Street
) -> None:
    closed(web_street)
    counted(web_street)
    before = metric(signed_in("watch").text("/metrics"), "rectified_of_found")
    closed(web_street)
    assert metric(signed_in("watch").text("/metrics"), "rectified_of_found") == before
    counted(web_street)
    assert "共 2" in words(metric(signed_in("watch").text("/metrics"), "rectified_of_found"))


@pytest.mark.parametrize(
    ("by", "name"), [("community", "听涛社区"), ("unit", "物业"), ("class", "充电")]
)
def test_figures_are_told_by_group_each_with_its_own_lists(
    signed_in: Enter, web_street: Street, by: str, name: str
) -> None:
    case = closed(web_street)
    counted(web_street)
    watch = signed_in("watch")
    told = metric(watch.text(f"/metrics?by={by}"), "rectified_of_found")
    assert name in told
    grouped = [one for one in links(told) if "group=" in one]
    assert len(grouped) == 1
    assert case in watch.text(grouped[0])
    assert case not in watch.text(grouped[0].replace("group=", "group=u-none-"))


def test_months_lead_to_those_before_and_after(signed_in: Enter, web_street: Street) -> None:
    closed(web_street)
    web_street.later(days=40)
    closed(web_street)
    counted(web_street)
    watch = signed_in("watch")
    last = watch.text("/metrics")
    assert "2026年4月" in last
    assert "这一期还没有过完" in last
    before = next(one for one in links(last) if "period=2026-03" in one)
    first = watch.text(before)
    assert "2026年3月" in first
    assert "这一期还没有过完" not in first
    assert "上期" not in first
    assert "period=2026-04" in first
    # A month there is none of is the last one, another word no grouping.
    assert "2026年4月" in watch.text("/metrics?period=1999-01&by=person")


def test_from_a_month_one_goes_to_its_quarter_and_year_and_back(
    signed_in: Enter, web_street: Street
) -> None:
    for days in (40, 62, 0):
        closed(web_street)
        web_street.later(days=days)
    counted(web_street)
    watch = signed_in("watch")

    def ways(page: str) -> list[str]:
        chips = page.partition('aria-label="按月、按季、按年"')[2].partition("</nav>")[0]
        return re.findall(r"period=([^&\"]+)", chips)

    april = watch.text("/metrics?period=2026-04&by=community")
    assert ways(april) == ["2026-04", "2026-Q2", "2026"]
    quarter = watch.text("/metrics?period=2026-Q2&by=community")
    assert "2026年第二季度" in quarter
    assert ways(quarter) == ["2026-06", "2026-Q2", "2026"]
    assert "共 2" in words(metric(quarter, "rectified_of_found"))
    assert "period=2026-Q1" in quarter.partition('rel="prev"')[0]
    year = watch.text("/metrics?period=2026")
    assert ways(year) == ["2026-06", "2026-Q2", "2026"]
    assert "共 3" in words(metric(year, "rectified_of_found"))
    assert "shaoji metrics --from 2026-01-01 --to" in year


@pytest.mark.parametrize("name", ["grid", "head", "fixer", "leader", "admin"])
def test_metrics_are_for_posts_that_supervise_or_discipline(
    signed_in: Enter, web_street: Street, name: str
) -> None:
    closed(web_street)
    counted(web_street)
    visitor = signed_in(name)
    for path in ("/metrics", "/metrics/in_time"):
        answer = visitor.get(path)
        assert answer.status_code == 403
        assert "给督查和纪检的岗位看" in answer.text


def test_whoever_supervises_one_community_sees_its_figures_alone(
    signed_in: Enter, web_street: Street
) -> None:
    here = closed(web_street)
    there = reported(web_street, place=Place("u-other", "沿河里"))
    web_street.do(
        grant_post, web_street.person["close"], "u-other", "社区督查", ["supervise"],
        reason="到任", by=web_street.by("admin"),
    )  # fmt: skip
    counted(web_street)
    street, block = signed_in("watch"), signed_in("close")
    assert "共 1" in words(metric(street.text("/metrics"), "rectified_of_found"))
    assert "本期没有" in metric(block.text("/metrics"), "rectified_of_found")
    # Asking for another place is answered with one's own.
    assert "本期没有" in metric(block.text("/metrics?place=u-street"), "rectified_of_found")
    page = block.text("/metrics/rectified_of_found?place=u-street")
    assert here not in page
    assert there not in page


def test_a_case_one_is_kept_out_of_counts_and_is_not_named(
    signed_in: Enter, web_street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = closed(web_street)
    counted(web_street)
    with web_street.database.begin() as conn:
        conn.execute(update(register_table).values(kept_out=1))
    watch = signed_in("watch")
    assert case in watch.text("/metrics/rectified_of_found")
    monkeypatch.setattr("engine.guarded.may_see", lambda *_: False)
    page = watch.text("/metrics/rectified_of_found")
    assert case not in page
    assert "另有 1 件您无权查看" in page


def test_lists_go_on_page_by_page(
    signed_in: Enter, web_street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.metric_cases.CASES_LISTED", 2)
    monkeypatch.setattr("web.metrics_page.CASES_LISTED", 2)
    cases = {closed(web_street) for _ in range(3)}
    counted(web_street)
    watch = signed_in("watch")
    first = watch.text("/metrics/rectified_of_found?part=hits")
    second = watch.text(next(one for one in links(first) if "page=2" in one))
    seen = [set(re.findall(r'href="/cases/([^"#]+)"', one)) for one in (first, second)]
    assert [len(one) for one in seen] == [2, 1]
    assert seen[0] | seen[1] == cases
    assert "part=hits" in second


def test_before_the_first_checkpoint_the_pages_say_so(signed_in: Enter, web_street: Street) -> None:
    closed(web_street)
    watch = signed_in("watch")
    assert "还没有算出来" in watch.text("/metrics")
    assert "还没有算出来" in watch.text("/metrics/in_time")
    assert watch.get("/metrics/not_one").status_code == 404


def test_an_unknown_metric_is_not_found(signed_in: Enter, web_street: Street) -> None:
    closed(web_street)
    counted(web_street)
    watch = signed_in("watch")
    assert watch.get("/metrics/nonsense").status_code == 404
    assert "没有案件算进这个数" in watch.text("/metrics/dodged?by=unit&group=u-none")
