"""The board: every running clock of one's units as a mark that leads to its step."""

import re

import pytest

from audit.ranks import nearest_rank
from engine.cases import Place
from engine.people import grant_post
from tests.conftest import Street
from tests.engine.whistle_street import Whistle
from tests.web.paths import confirmed, reported, signed_for
from tests.web.whistle_pages import *  # noqa: F403
from tests.web.whistle_pages import Enter


def test_a_department_sees_its_own_clocks_and_no_others(
    signed_in: Enter, w: Whistle, web_street: Street
) -> None:
    w.called()
    page = signed_in("fire").text("/board")
    assert f"/cases/{w.find('u-fire')}/tasks/sign_in%231" in page
    assert w.find("u-urban") not in page
    assert "等您的岗位办" not in page


def test_a_late_clock_is_a_mark_beyond_the_limit_and_said_in_words(
    signed_in: Enter, w: Whistle, web_street: Street
) -> None:
    w.called()
    web_street.later(hours=3)
    page = signed_in("fire").text("/board")
    assert 'class="la"' in page
    assert "签收：外墙砖松动，已逾期" in page


def test_the_command_desk_sees_all_departments_and_what_it_has_to_rule(
    signed_in: Enter, w: Whistle, web_street: Street
) -> None:
    from engine import turns
    from tests.engine.whistle_street import OBJECTION

    w.called()
    w.act(turns.raise_objection, "sign_in#1", OBJECTION, by="fire", case="u-fire")
    page = signed_in("desk").text("/board")
    rulings = page.partition("等您裁定")[2].partition("</section>")[0]
    assert f'href="/cases/{w.find("u-fire")}/tasks/rule_objection%231"' in rulings
    assert "fire演示（区消防救援局·值班员）对“签收”<b>提出异议</b>" in rulings
    assert "外墙归住建" in rulings
    rest = page.partition("等您的岗位办")[2].partition("</section>")[0]
    assert "裁定" not in rest
    assert "区城市管理局" in page


def test_load_is_told_per_person_by_name_without_rank(signed_in: Enter, web_street: Street) -> None:
    signed_for(web_street)
    signed_for(web_street)
    page = signed_in("fixer").text("/board")
    persons = page.partition("每个人手上的事")[2]
    lane = persons.partition('<th scope="row">fixer演示<')[2].partition("</tr>")[0]
    assert re.search(
        r'href="/board\?holder=[^"]+#rows"><span class="hands__h">在办 </span>2<', lane
    )
    assert "不排名、不打分" in page


def test_an_empty_board_says_so(signed_in: Enter) -> None:
    assert "您的单位现在没有要办的事" in signed_in("housing").text("/board")


def test_who_works_for_no_unit_and_watches_over_none_has_no_board(signed_in: Enter) -> None:
    answer = signed_in("blower2").get("/board")
    assert answer.status_code == 403
    assert "看板给承办、确认、指派、验收、销号、调度、督查和领导的岗位用" in answer.text


# --- whoever watches over places ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["watch", "leader"])
def test_whoever_watches_sees_all_units_of_their_places_in_the_order_of_the_directory(
    signed_in: Enter, web_street: Street, name: str
) -> None:
    signed_for(web_street)
    reported(web_street, place=Place("u-other", "沿河里"))
    reported(web_street)
    page = signed_in(name).text("/board")
    units = page.partition("各单位</h2>")[2] or page.partition("<h2>各单位")[2]
    names = re.findall(r'<th scope="row">([^<]+)</th>', units.partition("</table>")[0])
    assert names == ["沿河社区", "听涛社区·第一微网格", "澜安物业（演示）"]
    assert "每个人手上的事" not in page
    assert "不排名" in page


def test_who_watches_one_community_sees_nothing_of_another(
    signed_in: Enter, web_street: Street
) -> None:
    web_street.do(
        grant_post, web_street.person["close"], "u-other", "社区督查", ["supervise"],
        reason="到任", by=web_street.by("admin"),
    )  # fmt: skip
    here = reported(web_street)
    there = reported(web_street, place=Place("u-other", "沿河里"))
    page = signed_in("close").text("/board")
    assert there in page
    assert here not in page


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("process=hazard", "AB"), ("process=whistle", ""), ("place=u-other", "B"),
        ("place=u-nowhere", ""), ("state=ok", "B"), ("state=late", "A"), ("state=paused", ""),
        ("state=late&place=u-other", ""), ("state=nonsense", ""),
    ],
)  # fmt: skip
def test_the_board_is_narrowed_by_process_community_and_state(
    signed_in: Enter, web_street: Street, query: str, shown: str
) -> None:
    cases = {"A": reported(web_street)}
    web_street.later(days=4)
    cases["B"] = reported(web_street, place=Place("u-other", "沿河里"))
    page = signed_in("watch").text(f"/board?{query}")
    assert "".join(name for name, case in cases.items() if f"/cases/{case}/" in page) == shown


def test_the_list_goes_on_page_by_page_and_loses_no_step(
    signed_in: Enter, web_street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.board.LISTED", 2)
    cases = []
    for _ in range(5):
        cases.append(reported(web_street))
        web_street.later(minutes=10)
    watch = signed_in("watch")

    def listed(page: str) -> list[str]:
        rows = watch.text(f"/board?state=ok&page={page}").partition('id="rows"')[2]
        return re.findall(r'<b>[^<]+</b>　<a href="/cases/([^/]+)/', rows)

    assert [listed("1"), listed("2"), listed("3")] == [cases[:2], cases[2:4], cases[4:]]
    assert listed("99") == cases[4:]
    assert listed("0") == listed("-3") == listed("x") == cases[:2]
    second = watch.text("/board?state=ok&page=2")
    assert "共 5 件，这里是第 3 到 4 件。" in second
    assert 'href="/board?state=ok&amp;page=1#rows"' in second
    assert 'href="/board?state=ok&amp;page=3#rows"' in second


def test_half_and_nine_tenths_of_the_limit_are_told_of_units_with_enough_steps(
    signed_in: Enter, web_street: Street
) -> None:
    for _ in range(5):
        confirmed(web_street)  # 22 minutes of one working day each: 4 %
    signed_for(web_street)
    reported(web_street, place=Place("u-tingtao", "听涛苑"))
    assert "九成不超过 </span>" not in signed_in("watch").text("/board")  # today is not over yet
    web_street.later(days=1)
    page = signed_in("watch").text("/board")
    lane = page.partition('<th scope="row">听涛社区</th>')[2].partition("</tr>")[0]
    assert re.findall(r"</span>(\d+)%", lane) == ["4", "4"]
    other = page.partition('<th scope="row">澜安物业（演示）</th>')[2].partition("</tr>")[0]
    assert "办完的太少" in other
    assert nearest_rank([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 90) == 9
    assert nearest_rank([1, 2, 3], 50) == 2
    assert nearest_rank([7], 90) == 7


def test_a_case_is_urged_from_the_board_and_one_is_back_there(
    signed_in: Enter, web_street: Street
) -> None:
    case = reported(web_street)
    watch = signed_in("watch")
    page = watch.text("/board?state=ok")
    assert f'action="/cases/{case}/urges"' in page
    assert '<input type="hidden" name="next" value="/board?state=ok">' in page
    told = {"text": "请抓紧", "next": "/board?state=ok"}
    answer = watch.post(f"/cases/{case}/urges", told)
    assert answer.location == "/board?state=ok"
    away = watch.post(
        f"/cases/{case}/urges", {"text": "请抓紧", "next": "https://elsewhere.example/"}
    )
    assert away.location == f"/cases/{case}"
    assert [e.type for e in web_street.entries(case)].count("case.urged") == 2
    web_street.check()


def test_whoever_may_not_press_a_case_is_offered_nothing_on_the_board(
    signed_in: Enter, web_street: Street
) -> None:
    signed_for(web_street)
    assert "/urges" not in signed_in("fixer").text("/board")


def test_a_supervisor_reassigns_from_the_page_of_the_case(
    signed_in: Enter, web_street: Street
) -> None:
    case = signed_for(web_street)
    watch = signed_in("watch")
    acts = watch.text(f"/cases/{case}").partition('id="acts"')[2]
    assert "改派：整改" in acts
    assert f'action="/cases/{case}/tasks/rectify%231/reassignment"' in acts
    other = web_street.person["fixer2"]
    assert f'<option value="{other}">' in acts
    told = {"to": other, "reason": "原经办人请假"}
    assert watch.post(f"/cases/{case}/tasks/rectify%231/reassignment", told).status_code == 303
    assert "在fixer2演示（澜安物业（演示））手里" in watch.text(f"/cases/{case}")
    web_street.check()


def test_who_may_press_and_not_reassign_is_told_who_can(
    signed_in: Enter, web_street: Street
) -> None:
    case = signed_for(web_street)
    page = signed_in("leader").text(f"/cases/{case}")
    assert "改派由指派岗位或督查岗位办：dispatch演示、watch演示。" in page
    assert "reassignment" not in page
