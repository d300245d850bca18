"""代录 on pages and by programs: for whom one may type, and how it is told afterwards."""

import re
from typing import Any

import pytest
from flask import Flask

from tests.conftest import Street
from tests.engine.light_street import Light
from tests.web.api_client import program
from tests.web.whistle_pages import *  # noqa: F403
from tests.web.whistle_pages import Enter

HAZARD = {
    "title": "楼道堆旧家具",
    "category": "corridor",
    "address": "听涛苑 2 幢",
    "description": "二层平台堆满",
    "place_unit": "u-grid-1",
    "proxy": "true",
    "spoken_by": "colleague",
}
WALKED = {
    "walked_at.day": "今天",
    "walked_at.time": "9:00",
    "checked": "corridor",
    "result": "nil",
}
PATROL = {"title": "楼道和车棚", "category": "patrol_daily", "address": "听涛苑",
          "place_unit": "u-grid-1"}  # fmt: skip


@pytest.fixture
def patrol(lights: Light) -> str:
    """A patrol that walker, who has no smartphone, holds."""
    (found,) = lights.begin("patrol_plan", patroller="walker").children
    lights.street.later(minutes=30)
    return found.case


def select(page: str) -> str:
    return page.partition('id="f-informant"')[2].partition("</select>")[0]


# --- a report -------------------------------------------------------------------------------------


def test_a_report_asks_for_which_colleague_among_those_nearby(
    signed_in: Enter, web_street: Street
) -> None:
    person = web_street.person
    offered = select(signed_in("head").text("/reports"))
    assert person["walker"] in offered
    assert person["grid"] in offered
    for stranger in ("head", "other", "director", "fixer"):
        assert person[stranger] not in offered


def test_a_report_typed_for_a_colleague_is_theirs_and_says_so_everywhere(
    signed_in: Enter, web_street: Street
) -> None:
    head, person = signed_in("head"), web_street.person
    answer = head.post("/reports", HAZARD | {"informant": person["walker"]})
    case = "hazard-2026-00001"
    assert answer.location == f"/reports/{case}"
    opened = web_street.entries(case)[0]
    assert opened.actor["person"] == person["head"]
    assert opened.actor["informant"]["person"] == person["walker"]
    assert (opened.data["source"], opened.data["spoken_by"]) == ("proxy", "colleague")
    told = "walker演示（听涛社区·第一网格·巡查员，head演示代录）"
    for who in (head, signed_in("walker")):
        page = re.sub("<[^>]+>", "", who.text(f"/cases/{case}"))
        assert "head演示代录" in page
        assert told.partition("（")[0] in page
    # The colleague finds it among what they began, and may keep its receipt.
    walker = signed_in("walker")
    assert case in walker.text("/inbox/started")
    for who in (walker, head):
        assert "回执" in who.text(f"/cases/{case}/receipts/1")
    web_street.check()


def test_a_report_for_a_colleague_nobody_named_is_asked_again(
    signed_in: Enter, web_street: Street
) -> None:
    answer = signed_in("head").post("/reports", HAZARD)
    assert answer.status_code == 422
    assert 'href="#f-informant"' in answer.text
    assert "二层平台堆满" in answer.text


def test_a_report_for_somebody_elsewhere_is_refused_with_the_reason(
    signed_in: Enter, web_street: Street
) -> None:
    person = web_street.person
    answer = signed_in("head").post("/reports", HAZARD | {"informant": person["other"]})
    assert answer.status_code == 403
    assert "不在您的单位或下级单位" in answer.text
    answer = signed_in("head").post("/reports", HAZARD | {"informant": person["head"]})
    assert answer.status_code == 400
    assert "自己的事不用代录" in answer.text
    assert web_street.types("hazard-2026-00001") == []


def test_a_patrol_begun_for_a_colleague_is_theirs(signed_in: Enter, web_street: Street) -> None:
    who, person = signed_in("walker2"), web_street.person
    page = who.text("/reports?process=patrol")
    assert person["walker"] in select(page)
    assert person["grid"] not in select(page)  # who has not the duty
    who.post("/reports?process=patrol", PATROL | {"informant": person["walker"]})
    opened = web_street.entries("patrol-2026-00001")[0]
    assert opened.actor["informant"]["person"] == person["walker"]
    assert opened.data["source"] == "proxy"
    assert 'name="informant"' not in signed_in("walker").text("/reports?process=patrol_plan")


# --- a step ---------------------------------------------------------------------------------------


def test_a_patrol_of_a_colleague_is_typed_on_its_page(
    signed_in: Enter, web_street: Street, patrol: str
) -> None:
    head, person = signed_in("head"), web_street.person
    path = f"/cases/{patrol}/tasks/walk%231"
    assert "替同事录入 1 件" in head.text("/inbox")
    assert f'href="{path}"' in head.text("/begin")
    page = head.text(path)
    assert f'value="{person["walker"]}" selected' in select(page)
    answer = head.post(f"{path}/completion", WALKED | {"informant": person["walker"]})
    assert answer.status_code == 303
    done = next(e for e in web_street.entries(patrol) if e.type == "task.completed")
    assert (done.actor["person"], done.actor["informant"]["person"]) == (
        person["head"], person["walker"],
    )  # fmt: skip
    assert "head演示代录" in re.sub("<[^>]+>", "", head.text(f"/cases/{patrol}"))
    web_street.check()


def test_without_naming_the_colleague_a_step_of_theirs_stays_theirs(
    signed_in: Enter, web_street: Street, patrol: str
) -> None:
    answer = signed_in("head").post(f"/cases/{patrol}/tasks/walk%231/completion", WALKED)
    assert answer.status_code == 403
    assert "walker演示" in answer.text


def test_a_step_of_a_colleague_is_no_business_of_whoever_sits_elsewhere(
    signed_in: Enter, web_street: Street, patrol: str
) -> None:
    watch = signed_in("watch")
    path = f"/cases/{patrol}/tasks/walk%231"
    told = WALKED | {"informant": web_street.person["walker"]}
    assert signed_in("other").post(f"{path}/completion", told).status_code == 403
    wrong = watch.post(f"{path}/completion", WALKED | {"informant": web_street.person["grid"]})
    assert wrong.status_code == 403
    assert "所以不能代录" in wrong.text
    assert path not in signed_in("other").text("/begin")


def test_a_step_not_drawn_so_offers_no_colleague(signed_in: Enter, web_street: Street) -> None:
    signed_in("walker").post("/reports", HAZARD | {"proxy": "", "spoken_by": ""})
    case = "hazard-2026-00001"
    page = signed_in("head").text(f"/cases/{case}/tasks/confirm%231")
    assert 'name="informant"' not in page
    answer = signed_in("head").post(
        f"/cases/{case}/tasks/confirm%231/completion", {"informant": web_street.person["head2"]}
    )
    assert answer.status_code == 403
    assert "须由本人办理" in answer.text


def test_a_form_sent_late_and_twice_is_one_act_with_its_claimed_time(
    signed_in: Enter, web_street: Street, patrol: str
) -> None:
    head = signed_in("head")
    told = WALKED | {"informant": web_street.person["walker"], "key": "once",
                     "filled_at": "2026-03-02T01:05:00.000Z"}  # fmt: skip
    for _ in range(2):
        assert head.post(f"/cases/{patrol}/tasks/walk%231/completion", told).status_code == 303
    done = [e for e in web_street.entries(patrol) if e.type == "task.completed"]
    assert len(done) == 1
    assert done[0].claimed_at is not None


# --- programs -------------------------------------------------------------------------------------


def test_a_program_types_for_a_colleague_as_the_pages_do(
    app: Flask, web_street: Street, patrol: str
) -> None:
    head, person = program(app, web_street, "head"), web_street.person
    step = head.read(f"/cases/{patrol}/tasks/walk%231")
    (offered,) = (one for one in step["acts"] if one["act"] == "completion")
    assert [one["id"] for one in offered["choices"]] == [person["walker"]]
    form = {"walked_at": "2026-03-02T09:00:00+08:00", "checked": ["corridor"], "result": "nil"}
    path = f"/cases/{patrol}/tasks/walk%231/completion"
    assert head.act(path, {"form": form}).status_code == 403
    head.do(path, {"form": form, "informant": person["walker"]})
    table = head.read(f"/cases/{patrol}/responsibility")["items"]
    who = next(line["who"] for line in table if line["element"] == "walk")
    assert (who["person"]["id"], who["informant"]["id"]) == (person["head"], person["walker"])


def test_a_program_reports_for_a_colleague(app: Flask, web_street: Street) -> None:
    head, person = program(app, web_street, "head"), web_street.person
    form: dict[str, Any] = {"title": "楼道", "category": "corridor", "address": "2 幢",
                            "description": "堆满了", "proxy": True, "spoken_by": "colleague",
                            "informant": person["walker"]}  # fmt: skip
    head.do("/cases", {"process": "hazard", "place": "u-grid-1", "form": form})
    opened = web_street.entries("hazard-2026-00001")[0]
    assert opened.actor["informant"]["person"] == person["walker"]
    form["informant"] = person["other"]
    told = {"process": "hazard", "place": "u-grid-1", "form": form}
    assert head.act("/cases", told).status_code == 403


# --- denied ---------------------------------------------------------------------------------------


def test_the_colleague_finds_what_was_typed_for_them_and_may_deny_it(
    signed_in: Enter, web_street: Street
) -> None:
    head, person = signed_in("head"), web_street.person
    head.post("/reports", HAZARD | {"informant": person["walker"]})
    case = "/cases/hazard-2026-00001"
    assert "别人替您录的" not in head.text(case)
    walker = signed_in("walker")
    assert "head演示录入：不是我说的" in walker.text(case)
    answer = walker.post(f"{case}/disavowals", {"entry": "1", "reason": "当天没有上班"})
    assert answer.status_code == 303
    page = re.sub("<[^>]+>", "", walker.text(case))
    assert "不认可代录：#1 不是本人所说，理由：“当天没有上班" in page
    assert "别人替您录的" not in page
    again = walker.post(f"{case}/disavowals", {"entry": "1", "reason": "再说"})
    assert again.status_code == 409
    assert "您已经说明过" in again.text
    assert head.post(f"{case}/disavowals", {"entry": "1", "reason": "x"}).status_code == 403
    assert head.post(f"{case}/disavowals", {"entry": "?", "reason": "x"}).status_code == 400
    web_street.check()


def test_a_program_of_the_colleague_denies_it_too(app: Flask, web_street: Street) -> None:
    head, walker = (program(app, web_street, name) for name in ("head", "walker"))
    form = {"title": "楼道", "category": "corridor", "address": "2 幢", "description": "堆满了",
            "proxy": True, "spoken_by": "colleague",
            "informant": web_street.person["walker"]}  # fmt: skip
    head.do("/cases", {"process": "hazard", "place": "u-grid-1", "form": form})
    path = "/cases/hazard-2026-00001"
    assert "disavowals" in {one["act"] for one in walker.read(path)["acts"]}
    assert "disavowals" not in {one["act"] for one in head.read(path)["acts"]}
    walker.do(f"{path}/disavowals", {"entry": 1, "reason": "当天没有上班"})
    assert web_street.types("hazard-2026-00001")[-1] == "word.disavowed"
    refused = walker.act(f"{path}/disavowals", {"entry": 2, "reason": "不是"})
    assert refused.status_code == 403
