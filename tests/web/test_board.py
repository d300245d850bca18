"""The board: every running clock of one's units as a mark that leads to its step."""

import re

from tests.conftest import Street
from tests.engine.whistle_street import Whistle
from tests.web.paths import signed_for
from tests.web.whistle_pages import *  # noqa: F403
from tests.web.whistle_pages import Enter


def test_a_department_sees_its_own_clocks_and_no_others(
    signed_in: Enter, w: Whistle, web_street: Street
) -> None:
    w.called()
    page = signed_in("fire").text("/board")
    assert f"/cases/{w.find('u-fire')}/tasks/sign_in%231" in page
    assert w.find("u-urban") not in page
    assert "等调度台办" not in page


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
    rulings = page.partition("等调度台办")[2].partition("</section>")[0]
    assert "裁定" in rulings
    assert w.find("u-fire") in rulings
    assert "区城市管理局" in page


def test_load_is_told_per_person_by_name_without_rank(signed_in: Enter, web_street: Street) -> None:
    signed_for(web_street)
    signed_for(web_street)
    page = signed_in("fixer").text("/board")
    persons = page.partition("每个人手里")[2]
    assert re.search(r"fixer演示</th><td class=\"n\"><span class=\"vh\">在办 </span>2<", persons)
    assert "不排名" in page


def test_an_empty_board_says_so(signed_in: Enter) -> None:
    assert "您的单位现在没有要办的事" in signed_in("housing").text("/board")


def test_who_works_for_no_unit_has_no_board(signed_in: Enter) -> None:
    answer = signed_in("leader").get("/board")
    assert answer.status_code == 403
    assert "看板给承办单位和调度台的岗位用" in answer.text
