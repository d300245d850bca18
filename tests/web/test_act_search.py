"""Who did what: sentences linked to their records, for whoever may see them; searches are told."""

import csv
import json
import re
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from werkzeug.test import TestResponse

from audit.vocabulary import TYPES
from engine import oversight
from engine.people import grant_post, register_person
from tests.conftest import ROOT, Street
from tests.web.conftest import PASSWORD, Visitor
from tests.web.paths import rectified, reported, signed_for
from web.act_kinds import KINDS
from web.act_search import formula_safe

Enter = Callable[[str], Visitor]


def ask(visitor: Visitor, **told: str) -> TestResponse:
    return visitor.post("/acts", dict(told))


def results(page: str) -> str:
    return page.partition('<ul class="said found">')[2].partition("</ul>")[0]


def searches(street: Street) -> list[dict[str, Any]]:
    entries = street.entries("@access")
    return [entry.data for entry in entries if entry.type == "person.searched"]


def test_acts_are_sentences_with_time_limit_and_a_link_to_their_record(
    signed_in: Enter, web_street: Street
) -> None:
    case = signed_for(web_street)
    page = results(signed_in("watch").text("/acts"))
    first = page.partition("</li>")[0]
    assert "fixer演示（澜安物业（演示）·工程主管）<b>签收</b>" in first
    assert "用时 10 分钟（工作时），时限 1 工作时" in first
    assert "按时" in first
    number = next(e.seq for e in web_street.entries(case)
                  if e.data.get("task") == "sign_in#1" and e.type == "task.completed")  # fmt: skip
    assert f'href="/cases/{case}#e{number}"' in first
    assert "车棚飞线充电" in first


def test_what_was_late_is_said_with_its_minutes_and_found_apart(
    signed_in: Enter, web_street: Street
) -> None:
    case = reported(web_street)
    web_street.later(days=4)
    from tests.web.paths import CONFIRMED

    web_street.complete(case, "confirm#1", "head", CONFIRMED)
    page = results(signed_in("watch").text("/acts?late=1"))
    assert page.count("<li>") == 1
    assert re.search(r'is-late">.*?超 \d', page)


@pytest.mark.parametrize(
    ("query", "verbs"),
    [
        ("kind=hazard.sign_in", ["签收"]),
        ("kind=opened", ["上报"]),
        ("kind=urged", []),
        ("kind=nonsense", []),
        ("unit=u-tingtao", ["确认", "认领", "上报"]),
        ("unit=u-property", ["签收"]),
        ("unit=u-nowhere", []),
        ("title=工程主管", ["签收"]),
        ("place=u-other", []),
        ("place=u-grid-1", ["签收", "指派", "认领", "确认", "认领", "上报"]),
        ("process=workshop", []),
        ("process=workshop&kind=hazard.sign_in", []),
        ("since=3月3日", []),
        ("until=2026-03-02", ["签收", "指派", "认领", "确认", "认领", "上报"]),
    ],
)
def test_each_filter_finds_what_it_says(
    signed_in: Enter, web_street: Street, query: str, verbs: list[str]
) -> None:
    signed_for(web_street)
    page = results(signed_in("watch").text(f"/acts?{query}"))
    assert re.findall(r"<b>([^<]+)</b>", page) == verbs


def test_every_condition_is_a_chip_that_takes_it_off(signed_in: Enter, web_street: Street) -> None:
    reported(web_street)
    page = signed_in("watch").text("/acts?unit=u-tingtao&kind=hazard.confirm&late=1")
    chips = page.partition('<nav class="chips chips--off')[2].partition("</nav>")[0]
    assert re.findall(r'href="([^"]+)">([^<]+)<span', chips) == [
        ("/acts?kind=hazard.confirm&amp;late=1", "单位：听涛社区"),
        ("/acts?unit=u-tingtao&amp;late=1", "做了：确认"),
        ("/acts?unit=u-tingtao&amp;kind=hazard.confirm", "超时办完的"),
    ]


def test_a_search_by_person_is_recorded_once_and_pages_and_filters_go_with_it(
    signed_in: Enter, web_street: Street
) -> None:
    signed_for(web_street)
    watch = signed_in("watch")
    answer = ask(watch, who="fixer演示", kind="completed")
    assert answer.status_code == 303
    page = watch.text(answer.location)
    assert re.findall(r"<b>([^<]+)</b>", results(page)) == ["签收"]
    assert "本次按人查询已留下记录" in page
    assert "谁：fixer演示" in page
    assert searches(web_street) == [{"of": web_street.person["fixer"]}]
    number = re.search(r"search=(\d+)", answer.location)
    assert number
    narrowed = ask(watch, who="fixer演示", search=number[1], kind="urged")
    assert f"search={number[1]}" in narrowed.location
    assert len(searches(web_street)) == 1
    web_street.check()


def test_an_address_alone_looks_nobody_up(signed_in: Enter, web_street: Street) -> None:
    signed_for(web_street)
    fixer = web_street.person["fixer"]
    page = signed_in("watch").text(f"/acts?person={fixer}&who=fixer演示")
    assert len(re.findall(r"<li>", results(page))) == 6
    assert searches(web_street) == []


def test_a_recorded_search_serves_nobody_else(signed_in: Enter, web_street: Street) -> None:
    location = ask(signed_in("watch"), who="fixer演示").location
    answer = signed_in("leader").get(location)
    assert answer.status_code == 404
    assert "请再查一次" in answer.text
    assert signed_in("watch").get("/acts?search=-1").status_code == 404


def test_a_name_that_is_nobodys_or_several_peoples_is_asked_again_and_not_recorded(
    signed_in: Enter, web_street: Street
) -> None:
    watch = signed_in("watch")
    nobody = ask(watch, who="无名氏", kind="urged")
    assert nobody.status_code == 422
    assert "没有叫“无名氏”的人" in nobody.text
    assert '<option value="urged" selected>' in nobody.text
    several = ask(watch, who="fixer")
    assert several.status_code == 422
    assert "不止一人" in several.text
    assert "fixer2演示（澜安物业（演示）·工程员）" in several.text
    assert searches(web_street) == []
    chosen = ask(watch, who="fixer", person=web_street.person["fixer2"])
    assert chosen.status_code == 303
    assert searches(web_street) == [{"of": web_street.person["fixer2"]}]
    assert ask(watch, who="x", person="p-9999").status_code == 404


def test_namesakes_are_told_apart_by_their_posts(signed_in: Enter, web_street: Street) -> None:
    admin = web_street.by("admin")
    twin = web_street.do(register_person, "fixer演示", by=admin)
    web_street.do(
        grant_post, twin, "u-other", "楼长", ["report"], reason="到任", by=admin
    )  # fmt: skip
    page = ask(signed_in("watch"), who="fixer演示").text
    assert "fixer演示（沿河社区·楼长）" in page
    assert "fixer演示（澜安物业（演示）·工程主管）" in page


def test_nobody_finds_what_they_may_not_see(signed_in: Enter, web_street: Street) -> None:
    signed_for(web_street)
    assert "没有查到" in signed_in("other").text("/acts")
    assert "没有查到" in signed_in("admin").text("/acts")
    assert len(re.findall("<li>", results(signed_in("fixer").text("/acts")))) == 6


def test_a_day_that_is_none_is_refused_in_words(signed_in: Enter) -> None:
    answer = signed_in("watch").get("/acts?since=三十二号")
    assert answer.status_code == 400
    assert "11月24日" in answer.text


def test_long_results_go_on_page_by_page(signed_in: Enter, web_street: Street) -> None:
    for _ in range(35):
        reported(web_street)
    watch = signed_in("watch")
    page = watch.text("/acts?kind=opened")
    assert results(page).count("<li>") == 20
    further = re.search(r'<p class="pages"><a class="btn" href="([^"]+)"', page)
    assert further
    assert results(watch.text(further[1].replace("&amp;", "&"))).count("<li>") == 15


def test_visitors_are_asked_to_sign_in_first(visitor: Visitor) -> None:
    assert visitor.get("/acts").status_code in (302, 303)
    assert visitor.post("/acts", {"who": "fixer演示"}).status_code in (302, 303)


# --- the file -------------------------------------------------------------------------------------


def test_what_was_found_leaves_as_a_file_only_with_its_purpose_and_on_the_record(
    signed_in: Enter, web_street: Street
) -> None:
    rectified(web_street, title="=HYPERLINK(1)")
    watch = signed_in("watch")
    search = re.search(r"search=(\d+)", ask(watch, who="fixer演示").location)
    assert search
    bare = watch.post("/acts/export", {"search": search[1], "purpose": " "})
    assert bare.status_code == 400
    assert "请写明用途" in bare.text
    answer = watch.post("/acts/export", {"search": search[1], "purpose": "季度督查"})
    assert answer.mimetype == "text/csv"
    text = answer.data.decode("utf-8-sig")
    rows = list(csv.DictReader(StringIO(text)))
    assert [row["经过"].partition("）·工程主管）")[2][:2] for row in rows] == ["整改", "签收"]
    assert {row["谁"] for row in rows} == {"fixer演示"}
    assert {row["案件"] for row in rows} == {"'=HYPERLINK(1)"}
    assert rows[1]["用时（分钟）"] == "10"
    left = [e for e in web_street.entries("@access") if e.type == "acts.exported"]
    assert [e.data["rows"] for e in left] == [2]
    assert left[0].data["of"] == web_street.person["fixer"]
    assert left[0].data["purpose"] == "季度督查"
    web_street.check()


def test_more_than_one_file_may_hold_is_refused(
    signed_in: Enter, web_street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.act_search.MOST_ROWS", 2)
    signed_for(web_street)
    answer = signed_in("watch").post("/acts/export", {"purpose": "季度督查"})
    assert answer.status_code == 400
    assert "缩小范围" in answer.text
    assert all(e.type != "acts.exported" for e in web_street.entries("@access"))


@pytest.mark.parametrize("cell", ["=1+1", "+86", "-1", "@SUM", "\tx", "\rx", "\nx"])
def test_no_cell_is_a_formula(cell: str) -> None:
    assert formula_safe(cell) == f"'{cell}"
    assert formula_safe(f"a{cell}") == f"a{cell}"


def test_every_act_of_a_case_is_of_exactly_one_kind() -> None:
    told = [type_ for _, _, types in KINDS for type_ in types]
    known = {t.name for t in TYPES.values() if t.stream == "case" and t.cause in ("act", "either")}
    assert sorted(told) == sorted(known)


def test_urging_is_found_by_its_kind(signed_in: Enter, web_street: Street) -> None:
    case = reported(web_street)
    web_street.do(oversight.urge, case, "请抓紧", by=web_street.by("watch"))
    page = results(signed_in("leader").text("/acts?kind=urged"))
    assert "<b>催办</b>：“请抓紧。”" in page


def test_the_benchmark_measures_a_copy_and_leaves_the_street_alone(web_street: Street) -> None:
    signed_for(web_street)
    before = web_street.entries("@access")
    database = str(web_street.database.url.database)
    more = ["--account", "watch", "--password", PASSWORD, "--times", "1", "--json"]
    command = [sys.executable, "benchmarks/acts.py", database, *more]
    ran = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    told = json.loads(ran.stdout)
    assert (told["cases"], told["acts"]) == (1, 6)
    assert {"query_person_ms", "page_late_ms", "own_cases_ms"} <= set(told)
    assert web_street.entries("@access") == before
