"""Who held which post on which day: for supervisors and administrators, from the record."""

from collections.abc import Callable
from datetime import timedelta

from engine.people import name_substitute
from tests.conftest import Street
from tests.web.conftest import Visitor

Enter = Callable[[str], Visitor]


def test_a_supervisor_asks_who_held_a_post_on_a_day(signed_in: Enter) -> None:
    page = signed_in("watch").text("/people?unit=u-tingtao&duty=confirm&day=3月1日")
    assert "head演示" in page
    assert "社区网格长" in page
    assert "grid演示" not in page.partition("<tbody>")[2]


def test_before_the_appointment_nobody_held_it(signed_in: Enter) -> None:
    page = signed_in("watch").text("/people?unit=u-tingtao&day=2026-01-01")
    assert "没有查到" in page


def test_a_substitute_is_named_with_whom_they_stood_in_for(
    signed_in: Enter, web_street: Street
) -> None:
    web_street.do(
        name_substitute, web_street.person["head"], web_street.person["head2"],
        end=web_street.at + timedelta(days=2), reason="出差", by=web_street.by("head"),
    )  # fmt: skip
    page = signed_in("watch").text("/people?unit=u-tingtao&duty=confirm")
    assert "代head演示" in page


def test_everybody_else_is_refused(signed_in: Enter) -> None:
    answer = signed_in("head").get("/people")
    assert answer.status_code == 403
    assert "只有督查岗位和管理员" in answer.text


def test_a_supervisor_asks_only_about_units_below_their_post(signed_in: Enter) -> None:
    assert signed_in("watch").get("/people?unit=u-district").status_code == 403


def test_a_day_nobody_can_read_is_refused(signed_in: Enter) -> None:
    assert signed_in("watch").get("/people?unit=u-street&day=开会那天").status_code == 400


def test_the_own_page_names_posts_and_duties(signed_in: Enter) -> None:
    page = signed_in("head").text("/me")
    assert "听涛社区·社区网格长" in page
    assert "上报、确认、整改" in page


def test_the_own_page_names_whom_one_stands_in_for(signed_in: Enter, web_street: Street) -> None:
    web_street.do(
        name_substitute, web_street.person["head"], web_street.person["head2"],
        end=web_street.at + timedelta(days=2), reason="出差", by=web_street.by("head"),
    )  # fmt: skip
    assert "代head演示" in signed_in("head2").text("/me")
