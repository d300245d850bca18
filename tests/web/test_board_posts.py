"""One board per post: what waits for it, what each person has in hand, by whom one may be lent."""

import re
from collections.abc import Callable
from datetime import timedelta

from engine.people import directory, grant_post, name_substitute
from engine.timekeeping import request_extension, request_pause
from engine.turns import raise_objection
from tests.conftest import Street, photo
from tests.web.conftest import Visitor
from tests.web.paths import accepted, assigned, confirmed, rectified, reported, signed_for

Enter = Callable[[str], Visitor]
OBJECTION = {"legal_basis": "合同", "reason": "车棚归业主自管", "proposed_unit": "u-tingtao"}


def section(page: str, heading: str) -> str:
    return page.partition(f"<h2>{heading}")[2].partition("</section>")[0]


def lane(page: str, name: str) -> str:
    hands = section(page, "每个人手上的事")
    return hands.partition(f'<th scope="row">{name}演示<')[2].partition("</tr>")[0]


def numbers(page: str, name: str) -> dict[str, int]:
    """The numbers beside a person, by their words."""
    told = re.findall(r'hands__h">([^<]+) </span>(?:<span.*?</svg>)?(\d+)', lane(page, name))
    return {words: int(number) for words, number in told}


def paused(street: Street) -> str:
    case = signed_for(street)
    street.do(
        request_pause, case, "rectify#1", counterparty="供电公司", reason="要等停电",
        resume_by=street.at + timedelta(days=2), evidence=(photo("call"),), by=street.by("fixer"),
    )  # fmt: skip
    return case


# --- what waits -----------------------------------------------------------------------------------


def test_a_dispatcher_finds_what_waits_for_assignment_and_which_stops_to_decide(
    signed_in: Enter, web_street: Street
) -> None:
    waiting, asked = confirmed(web_street), paused(web_street)
    page = signed_in("dispatch").text("/board")
    assert f"/cases/{waiting}/tasks/assign%231" in section(page, "等您的岗位办")
    rulings = section(page, "等您裁定")
    assert f"/cases/{asked}/tasks/rectify%231" in rulings
    assert "<b>申请暂停计时</b>" in rulings
    assert "要等停电" in rulings
    assert "在时限内" in rulings
    # Deciding is one click away, and then it waits no more.
    step = signed_in("dispatch").text(f"/cases/{asked}/tasks/rectify%231")
    assert "申请暂停计时，请审批" in step
    told = {"outcome": "granted", "reason": "属实"}
    path = f"/cases/{asked}/tasks/rectify%231/pause/decision"
    assert signed_in("dispatch").post(path, told).status_code == 303
    assert "等您裁定" not in signed_in("dispatch").text("/board")
    web_street.check()


def test_a_leader_finds_objections_and_requests_for_time_and_nobody_else_does(
    signed_in: Enter, web_street: Street
) -> None:
    street = web_street
    objected, asked = assigned(street), signed_for(street)
    street.do(raise_objection, objected, "sign_in#1", OBJECTION, by=street.by("fixer"))
    street.do(
        request_extension, asked, "rectify#1", days=2, reason="等材料", interim="先围挡",
        by=street.by("fixer"),
    )  # fmt: skip
    page = signed_in("leader").text("/board")
    rulings = section(page, "等您裁定")
    assert f"/cases/{objected}/tasks/rule_objection%231" in rulings
    assert "fixer演示（澜安物业（演示）·工程主管）对“签收”<b>提出异议</b>" in rulings
    assert "车棚归业主自管" in rulings
    assert "<b>申请延期</b>" in rulings
    assert "先围挡" in rulings
    assert "rule_objection" not in section(page, "等您的岗位办")
    for name in ("dispatch", "watch", "fixer", "head"):
        assert "等您裁定" not in signed_in(name).text("/board"), name
    street.check()


def test_who_closes_or_accepts_has_a_board_of_what_waits_for_the_post(
    signed_in: Enter, web_street: Street
) -> None:
    case, other = accepted(web_street), reported(web_street)
    page = signed_in("close").text("/board")
    assert f"/cases/{case}/tasks/close%231" in section(page, "等您的岗位办")
    assert other not in page
    assert "每个人手上的事" not in page


def test_what_a_colleague_holds_waits_for_nobody_else(signed_in: Enter, web_street: Street) -> None:
    case = rectified(web_street)
    assert case in section(signed_in("accept").text("/board"), "等您的岗位办")
    assert case not in section(signed_in("accept2").text("/board"), "等您的岗位办")


# --- what each person has -------------------------------------------------------------------------


def test_a_dispatcher_sees_what_each_person_has_and_each_number_leads_to_it(
    signed_in: Enter, web_street: Street
) -> None:
    paused(web_street)
    late = assigned(web_street)
    web_street.later(hours=8)
    who = signed_in("dispatch")
    page = who.text("/board")
    assert numbers(page, "fixer") == {"在办": 2, "逾期": 1, "等批复": 1,
                                      "近 30 天按时": 1, "近 30 天超时": 0}  # fmt: skip
    links = re.findall(r'href="(/board\?[^"]+)#rows"', lane(page, "fixer"))
    fixer = web_street.person["fixer"]
    assert links[1].replace("&amp;", "&") == f"/board?holder={fixer}&state=late"
    rows = who.text(links[1].replace("&amp;", "&")).partition('id="rows"')[2]
    assert "fixer演示 手上的" in rows
    assert set(re.findall(r"/cases/(hazard-[\d-]+)/tasks", rows)) == {late}
    asking = who.text(f"/board?holder={fixer}&state=asking").partition('id="rows"')[2]
    assert late not in asking


def test_who_has_nothing_is_named_apart_in_the_order_of_the_directory(
    signed_in: Enter, web_street: Street
) -> None:
    assigned(web_street)
    page = signed_in("dispatch").text("/board")
    idle = section(page, "每个人手上的事").partition("手上没有事的")[2].partition("</details>")[0]
    named = re.findall(r"<p>([a-z0-9]+)演示</p>", idle)
    assert named == ["dispatch", "head2", "head", "other", "grid", "fixer2"]
    assert "不排名、不打分" in page


def test_absence_and_who_stands_in_until_when_stand_beside_the_name(
    signed_in: Enter, web_street: Street
) -> None:
    street = web_street
    signed_for(street)
    street.do(
        name_substitute, street.person["fixer"], street.person["fixer2"],
        end=street.at + timedelta(days=2), reason="休假", by=street.by("fixer"),
    )  # fmt: skip
    street.later(minutes=1)
    page = signed_in("dispatch").text("/board")
    assert "3月4日 10:02 前不在岗，由fixer2演示代" in lane(page, "fixer")


def test_what_was_done_is_looked_up_by_a_form_that_leaves_a_record_and_lists_as_many(
    signed_in: Enter, web_street: Street
) -> None:
    street = web_street
    signed_for(street)
    assigned(street)
    street.later(hours=8)
    who = signed_in("dispatch")
    page = who.text("/board")
    street.complete("hazard-2026-00002", "sign_in#1", "fixer", {"in_charge": "工程主管"})
    page = who.text("/board")
    assert numbers(page, "fixer")["近 30 天按时"] == 1
    assert numbers(page, "fixer")["近 30 天超时"] == 1
    since = re.search(r'name="since" value="([^"]+)"', page)
    assert since
    for late, case in (("0", "hazard-2026-00001"), ("1", "hazard-2026-00002")):
        told = {"person": street.person["fixer"], "since": since[1], "late": late}
        answer = who.post("/acts", told)
        assert answer.status_code == 303
        assert "search=" in (answer.location or "")
        listed = who.text(answer.location or "").partition("查到的</h2>")[2]
        assert re.findall(r"听澜-隐-2026-(\d+) #", listed) == [case[-5:]]
    street.check()


def test_without_a_record_the_numbers_are_no_links(signed_in: Enter, web_street: Street) -> None:
    signed_for(web_street)
    hands = lane(signed_in("dispatch").text("/board"), "fixer")
    assert "/acts" not in hands
    assert f'form="look-in-time" name="person" value="{web_street.person["fixer"]}"' in hands


# --- one board per post ---------------------------------------------------------------------------


def test_who_holds_two_posts_switches_between_their_boards(
    signed_in: Enter, web_street: Street
) -> None:
    street = web_street
    street.do(grant_post, street.person["dispatch"], "u-street", "平安办", ["close"],
              reason="兼任", by=street.by("admin"))  # fmt: skip
    street.later(minutes=1)
    to_assign, to_close = confirmed(street), accepted(street)
    who = signed_in("dispatch")
    page = who.text("/board")
    boards = page.partition('aria-label="您的岗位"')[2].partition("</nav>")[0]
    told = re.findall(r'href="([^"]+)"(?: aria-current="page")?>([^<]+)<', boards)
    assert [words for _, words in told] == ["全部岗位", "听澜街道·应急办", "听澜街道·平安办"]
    assert 'href="/board" aria-current="page"' in boards
    waiting = section(page, "等您的岗位办")
    assert to_assign in waiting
    assert to_close in waiting
    closing = who.text(told[2][0])
    assert "<h1>听澜街道·平安办的看板</h1>" in closing
    assert to_close in closing
    assert to_assign not in closing
    assert "每个人手上的事" not in closing
    assigning = who.text(told[1][0])
    assert to_assign in section(assigning, "等您的岗位办")
    assert to_close not in section(assigning, "等您的岗位办")


def test_a_substitute_has_the_boards_of_the_absent_person(
    signed_in: Enter, web_street: Street
) -> None:
    street = web_street
    case = confirmed(street)
    street.do(
        name_substitute, street.person["dispatch"], street.person["close"],
        end=street.at + timedelta(days=2), reason="休假", by=street.by("dispatch"),
    )  # fmt: skip
    street.later(minutes=1)
    page = signed_in("close").text("/board")
    assert ">代dispatch演示：听澜街道·应急办</a>" in page
    assert case in section(page, "等您的岗位办")


def test_the_board_of_a_post_of_somebody_else_is_refused(
    signed_in: Enter, web_street: Street
) -> None:
    with web_street.database.begin() as conn:
        posts = directory(conn).posts.values()
    watch = next(p.id for p in posts if p.person == web_street.person["watch"])
    for post in (watch, "k-9999", "' OR 1=1"):
        answer = signed_in("fixer").get("/board", query_string={"post": post})
        assert answer.status_code == 403, post
        assert "您现在没有这样的岗位" in answer.text


def test_who_holds_one_post_is_offered_no_other_board(signed_in: Enter, web_street: Street) -> None:
    assert 'aria-label="您的岗位"' not in signed_in("dispatch").text("/board")
