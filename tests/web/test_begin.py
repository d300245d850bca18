"""Beginning cases: each post is offered what it may begin, and refused the rest in plain words."""

import re

import pytest

from tests.conftest import Street
from tests.engine.light_street import Light
from tests.web.whistle_pages import *  # noqa: F403
from tests.web.whistle_pages import Enter

DIRECTIVE = {
    "title": "防汛备勤",
    "category": "directive_order",
    "level": "important",
    "text": "今晚值守",
    "legal_basis": "防汛预案",
}


@pytest.mark.parametrize(
    ("who", "offered"),
    [
        ("grid", ["上报隐患"]),
        ("blower", ["上报隐患", "吹哨"]),
        ("walker", ["上报隐患", "巡查一次", "定巡查计划"]),
        ("director", ["上报隐患", "发布指令"]),
        ("dispatch", ["上报隐患", "安排演练"]),
        ("head", ["上报隐患", "报告事故"]),
    ],
)
def test_each_post_is_offered_what_it_may_begin(
    signed_in: Enter, who: str, offered: list[str]
) -> None:
    page = signed_in(who).text("/begin").partition('class="begin')[2].partition("</ul>")[0]
    assert re.findall(r"<b>([^<]+)</b>", page) == offered


def test_the_frame_leads_to_beginning_only_where_there_is_a_choice(signed_in: Enter) -> None:
    assert "/begin" in signed_in("blower").text("/inbox")
    assert "/begin" not in signed_in("grid").text("/inbox")


@pytest.mark.parametrize("process", ["patrol_plan", "patrol", "directive", "drill"])
def test_without_the_post_the_form_is_refused_with_its_reason(
    signed_in: Enter, process: str
) -> None:
    for answer in (
        signed_in("grid").get(f"/reports?process={process}"),
        signed_in("grid").post(f"/reports?process={process}", {"title": "x"}),
    ):
        assert answer.status_code == 403
        assert "岗位可以发起" in answer.text


@pytest.mark.parametrize("process", ["response", "consultation", "opinion", "directive_receipt"])
def test_what_other_cases_open_nobody_begins(signed_in: Enter, process: str) -> None:
    answer = signed_in("desk").get(f"/reports?process={process}")
    assert answer.status_code == 403
    assert "由别的案件自动立案" in answer.text


def test_a_patrol_plan_offers_those_who_patrol(signed_in: Enter, web_street: Street) -> None:
    who = signed_in("walker")
    page = who.text("/reports?process=patrol_plan")
    offered = page.partition('id="f-patroller"')[2].partition("</select>")[0]
    assert web_street.person["walker2"] in offered
    assert web_street.person["grid"] not in offered
    told = {"title": "楼道和车棚", "category": "patrol_daily", "address": "听涛苑",
            "interval": "EVERY_DAY", "rounds": "2", "place_unit": "u-grid-1"}  # fmt: skip
    answer = who.post("/reports?process=patrol_plan", told)
    assert answer.location == "/reports/patrol_plan-2026-00001"
    page = who.text(answer.location)
    assert "已发起：巡查计划" in page
    assert "听澜-计-2026-00001" in page
    assert "听澜-巡-2026-00001" in who.text("/cases/patrol_plan-2026-00001")
    web_street.check()


def test_a_directive_goes_to_whole_units_and_single_people_without_an_address(
    signed_in: Enter, web_street: Street
) -> None:
    who = signed_in("director")
    page = who.text("/reports?process=directive")
    assert 'name="place_unit"' not in page
    offered = set(re.findall(r'name="audience" value="([^"]+)"', page))
    assert offered == {web_street.person[n] for n in ("warden", "warden2", "warden3")}
    one = web_street.person["warden2"]
    answer = who.post("/reports?process=directive", {**DIRECTIVE, "audience": [one]})
    assert answer.status_code == 303
    place = web_street.entries("directive-2026-00001")[0].data["place"]
    assert place["unit"] == "u-street"
    assert "1 人里 0 人已办结" in who.text("/cases/directive-2026-00001")
    web_street.check()


def test_a_unit_chosen_as_a_whole_stands_for_its_people(
    signed_in: Enter, web_street: Street, lights: Light
) -> None:
    from engine.people import By, directory, grant_post

    with web_street.database.begin() as conn:
        people = directory(conn)
    admin = next(p.person for p in people.posts.values() if "administer" in p.duties)
    web_street.do(grant_post, web_street.person["head2"], "u-tingtao", "网格员", ["receive"],
                  reason="任", by=By(admin))  # fmt: skip
    who = signed_in("director")
    assert "全部 2 人" in who.text("/reports?process=directive")
    who.post("/reports?process=directive", {**DIRECTIVE, "audience.all": ["听涛社区"]})
    told = web_street.entries("directive-2026-00001")[0].data["form"]["audience"]
    assert set(told) == {web_street.person["warden"], web_street.person["head2"]}


def test_nobody_chosen_is_a_fault_beside_the_field(signed_in: Enter) -> None:
    answer = signed_in("director").post("/reports?process=directive", DIRECTIVE)
    assert answer.status_code == 422
    assert 'href="#f-audience"' in answer.text


def test_a_receipt_of_a_process_without_five_duties_lists_no_steps(
    signed_in: Enter, lights: Light, web_street: Street
) -> None:
    light = lights.begin("drill")
    receipt = light.all("receipt.issued")[0].data["receipt"]
    page = signed_in("grid").text(f"/receipt?number={receipt}")
    assert "一步一步" not in page
    assert "疏散转移" in page
