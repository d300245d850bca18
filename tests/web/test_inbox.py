"""The inbox: what waits for whom, most pressing first, and nothing that is somebody else's."""

from collections.abc import Callable
from datetime import timedelta

from engine.people import By, name_substitute
from tests.conftest import Street
from tests.web.conftest import Visitor
from tests.web.paths import assigned, closed, confirmed, reported, signed_for

Enter = Callable[[str], Visitor]


def test_what_is_given_to_somebody_by_name_stands_in_their_inbox(
    signed_in: Enter, web_street: Street
) -> None:
    assigned(web_street)
    page = signed_in("fixer").text("/inbox")
    assert "要您办的有 1 件" in page
    assert "签收" in page
    assert "dispatch演示（听澜街道·应急办）指派" in page
    assert "要您办的有 1 件" not in signed_in("fixer2").text("/inbox")


def test_a_free_step_stands_with_everybody_whose_post_answers_for_it(
    signed_in: Enter, web_street: Street
) -> None:
    reported(web_street)
    for name in ("head", "head2"):
        assert "可认领 1 件" in signed_in(name).text("/inbox/claimable")
    for name in ("other", "dispatch", "fixer"):
        assert "可认领 0 件" in signed_in(name).text("/inbox/claimable")


def test_an_empty_inbox_says_where_the_claimable_ones_are(
    signed_in: Enter, web_street: Street
) -> None:
    reported(web_street)
    page = signed_in("head").text("/inbox")
    assert "没有要您办的事" in page
    assert "看看可认领的 1 件" in page


def test_the_most_pressing_stands_first(signed_in: Enter, web_street: Street) -> None:
    reported(web_street, title="先报的")
    web_street.later(hours=26)
    reported(web_street, title="后报的")
    page = signed_in("head").text("/inbox/claimable")
    assert page.index("先报的") < page.index("后报的")
    assert "先后次序：最接近或超过时限的在前" in page


def test_a_late_step_is_told_by_shape_word_and_number(signed_in: Enter, web_street: Street) -> None:
    reported(web_street)
    # One working day, and half an hour of the next.
    web_street.later(hours=24, minutes=30)
    page = signed_in("head").text("/inbox/claimable")
    assert "1 件已逾期" in page
    assert "超 30 分钟" in page
    assert 'class="ke late"' in page
    assert 'class="tooth"' in page
    assert "确认：办理中，已逾期" in page


def test_the_overdue_list_shows_what_is_late_where_one_has_duties(
    signed_in: Enter, web_street: Street
) -> None:
    reported(web_street)
    web_street.later(hours=30)
    assert "已逾期 1 件" in signed_in("watch").text("/inbox/overdue")
    assert "已逾期 0 件" in signed_in("other").text("/inbox/overdue")


def test_the_overdue_list_holds_the_own_late_steps_too(
    signed_in: Enter, web_street: Street
) -> None:
    assigned(web_street)
    web_street.later(days=2)
    assert "已逾期 1 件" in signed_in("fixer").text("/inbox/overdue")
    assert "已逾期 0 件" in signed_in("fixer2").text("/inbox/overdue")


def test_a_substitute_finds_the_steps_of_the_absent_person(
    signed_in: Enter, web_street: Street
) -> None:
    assigned(web_street)
    web_street.do(
        name_substitute,
        web_street.person["fixer"],
        web_street.person["accept2"],
        end=web_street.at + timedelta(days=3),
        reason="年休假",
        by=By(web_street.person["fixer"]),
    )
    page = signed_in("accept2").text("/inbox")
    assert "要您办的有 1 件" in page
    assert "代fixer演示" in page


def test_reported_and_done_cases_are_found_again(signed_in: Enter, web_street: Street) -> None:
    confirmed(web_street)
    assert "您上报过 1 件" in signed_in("grid").text("/inbox/started")
    assert "您经办过 1 件" in signed_in("head").text("/inbox/done")
    assert "您上报过 0 件" in signed_in("head").text("/inbox/started")
    assert "您经办过 0 件" in signed_in("head2").text("/inbox/done")


def test_the_own_record_says_what_was_done_in_time_first(
    signed_in: Enter, web_street: Street
) -> None:
    closed(web_street)
    page = signed_in("fixer").text("/inbox/done")
    assert "经办 <b>2</b> 步，其中有时限的 <b>2</b> 步，<b>2</b> 步在时限内办完" in page


def test_the_own_record_keeps_lateness_with_its_explanation(
    signed_in: Enter, web_street: Street
) -> None:
    case = reported(web_street)
    web_street.later(hours=25)
    from tests.web.paths import CONFIRMED

    web_street.complete(case, "confirm#1", "head", CONFIRMED, note="去市里开会")
    page = signed_in("head").text("/inbox/done")
    assert "<b>0</b> 步在时限内办完" in page
    assert "超 1 小时" in page
    assert "本人说明：“去市里开会”" in page


def test_only_a_row_links_to_its_step(signed_in: Enter, web_street: Street) -> None:
    case = signed_for(web_street)
    page = signed_in("fixer").text("/inbox")
    assert f'href="/cases/{case}/tasks/rectify%231"' in page


def test_the_inbox_speaks_english(signed_in: Enter, web_street: Street) -> None:
    assigned(web_street)
    who = signed_in("fixer")
    who.post("/display", {"language": "en"})
    page = who.text("/inbox")
    assert "1 for you to do" in page
    assert "Sign in" in page
    assert "left" in page
