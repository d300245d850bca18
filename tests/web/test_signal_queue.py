"""The signals that wait for people: who sees them, what is told of each, and how one is judged."""

import re
from collections.abc import Callable

import pytest

from engine.cases import Place
from engine.people import grant_post
from engine.signals import refresh
from engine.timekeeping import ring
from tests.conftest import Street
from tests.web.conftest import Visitor
from tests.web.paths import reported
from web.signal_rules import signal_rules

Enter = Callable[[str], Visitor]


def late(street: Street) -> str:
    """A hazard that nobody confirms in time, found by B1."""
    case = reported(street)
    street.later(days=4)
    look(street, case)
    return case


def look(street: Street, *cases: str) -> None:
    """Let the worker ring what has come due in these cases, and look for signals."""
    for case in cases:
        street.do(ring, case)
    refresh(street.database, signal_rules(), lambda _: None)


def judging(page: str, case: str) -> str:
    """The address to which a card sends what was found."""
    found = re.search(rf'action="(/cases/{case}/signals/B1/\d+/dismissal)"', page)
    assert found, page
    return found[1]


def test_a_signal_is_a_question_with_a_way_out_and_its_entries(
    signed_in: Enter, web_street: Street
) -> None:
    case = late(web_street)
    page = signed_in("watch").text("/signals")
    assert "这一步为什么晚了？" in page
    assert "也可能在等别人的材料" in page
    assert "提示，不是结论。" in page
    assert re.search(rf'href="/cases/{case}#e\d+"', page)
    assert "待核实 1" in page
    web_street.check()


def test_what_was_found_goes_on_the_record_with_a_name_and_leaves_the_queue(
    signed_in: Enter, web_street: Street
) -> None:
    case = late(web_street)
    watch = signed_in("watch")
    address = judging(watch.text("/signals"), case)
    answer = watch.post(address, {"reason": "当天停电，系统用不了", "next": "/signals"})
    assert answer.status_code == 303
    page = watch.text("/signals")
    assert "已记下：说得通" in page
    assert "没有这样的线索" in page
    kept = watch.text("/signals?state=dismissed&rule=B1")
    assert "当天停电，系统用不了" in kept
    assert "/dismissal" not in kept
    again = address.replace("dismissal", "confirmation")
    assert watch.post(again, {"reason": "再看"}).status_code == 409
    web_street.check()


def test_the_page_of_a_case_shows_it_to_who_may_judge_it_and_to_nobody_else(
    signed_in: Enter, web_street: Street
) -> None:
    case = late(web_street)
    watch = signed_in("watch")
    page = watch.text(f"/cases/{case}")
    assert "请人看一眼" in page
    address = judging(page, case).replace("dismissal", "confirmation")
    assert watch.post(address, {"reason": "确实晚了"}).status_code == 303
    assert "确实晚了" in watch.text("/signals?state=confirmed")
    assert "请人看一眼" not in signed_in("grid").text(f"/cases/{case}")


@pytest.mark.parametrize("name", ["grid", "head", "fixer", "admin"])
def test_the_queue_is_for_posts_that_supervise_or_discipline(
    signed_in: Enter, web_street: Street, name: str
) -> None:
    late(web_street)
    visitor = signed_in(name)
    answer = visitor.client.get("/signals")
    assert answer.status_code == 403
    assert "线索由督查和纪检的岗位核实" in answer.get_data(as_text=True)


def test_without_a_reason_or_a_signal_nothing_is_recorded(
    signed_in: Enter, web_street: Street
) -> None:
    case = late(web_street)
    watch = signed_in("watch")
    before = len(web_street.entries(case))
    address = judging(watch.text("/signals"), case)
    assert watch.post(address, {"reason": "　"}).status_code == 400
    assert (
        watch.post(f"/cases/{case}/signals/B2/1/dismissal", {"reason": "看过"}).status_code == 404
    )
    assert len(web_street.entries(case)) == before


def test_whoever_judges_in_one_community_sees_nothing_of_another(
    signed_in: Enter, web_street: Street
) -> None:
    web_street.do(
        grant_post, web_street.person["close"], "u-other", "社区督查", ["supervise"],
        reason="到任", by=web_street.by("admin"),
    )  # fmt: skip
    here = late(web_street)
    there = reported(web_street, place=Place("u-other", "沿河里"))
    web_street.later(days=4)
    look(web_street, there)
    page = signed_in("close").text("/signals")
    assert there in page
    assert here not in page


def test_the_queue_goes_on_page_by_page_and_narrows_by_rule(
    signed_in: Enter, web_street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.signal_queue.LISTED", 2)
    cases = [reported(web_street) for _ in range(3)]
    web_street.later(days=4)
    look(web_street, *cases)
    watch = signed_in("watch")
    first, second = watch.text("/signals"), watch.text("/signals?page=2")
    cards = [re.findall(r"action=\"(/cases/[^\"]+/dismissal)", one) for one in (first, second)]
    assert [len(cards[0]), len(cards[1])] == [2, 1]
    assert not set(cards[0]) & set(cards[1])
    assert "逾期 3" in first
    assert watch.text("/signals?rule=B2&state=nonsense&page=x").count("没有这样的线索") == 1


def test_the_board_says_how_many_wait(signed_in: Enter, web_street: Street) -> None:
    late(web_street)
    assert "线索 1 条待核实" in signed_in("watch").text("/board")
    assert "条待核实" not in signed_in("fixer").text("/board")
