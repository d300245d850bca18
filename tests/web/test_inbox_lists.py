"""Orders in a list of their own, lists narrowed by links, and what comes next after a step."""

from collections.abc import Callable

from engine.oversight import answer_supervision, orders_for, supervise
from tests.conftest import Street
from tests.web.conftest import Visitor
from tests.web.paths import assigned, confirmed, reported, signed_for

Enter = Callable[[str], Visitor]


def ordered(street: Street, case: str, text: str = "周五前拆除") -> int:
    done = street.do(supervise, case, text, by=street.by("watch"))
    found: int = next(one.seq for one in done.entries if one.type == "case.supervised")
    return found


def test_an_order_stands_with_whoever_gave_it_and_whoever_has_to_answer(
    signed_in: Enter, web_street: Street
) -> None:
    case = signed_for(web_street)
    order = ordered(web_street, case)
    given = signed_in("watch").text("/inbox/orders")
    assert "督办 1 件还没有答复" in given
    assert "周五前拆除" in given
    assert "您提出的，等答复" in given
    for name in ("fixer", "dispatch"):
        page = signed_in(name).text("/inbox/orders")
        assert "等您答复，打开案件就能答复" in page
        assert f'href="/cases/{case}"' in page
    for name in ("fixer2", "other", "head"):
        assert "没有等答复的督办" in signed_in(name).text("/inbox/orders")
    web_street.do(answer_supervision, case, order, "今天拆", by=web_street.by("fixer"))
    for name in ("watch", "fixer", "dispatch"):
        assert "没有等答复的督办" in signed_in(name).text("/inbox/orders")
    web_street.check()


def test_the_order_whose_case_presses_most_stands_first(
    signed_in: Enter, web_street: Street
) -> None:
    later = reported(web_street, title="后到时限")
    ordered(web_street, later, "后督办")
    first = assigned(web_street, title="先到时限")
    ordered(web_street, first, "先督办")
    page = signed_in("watch").text("/inbox/orders")
    assert page.index("先到时限") < page.index("后到时限")


def test_an_order_of_a_substitute_is_told_to_the_person_who_gave_it(web_street: Street) -> None:
    case = signed_for(web_street)
    ordered(web_street, case)
    told = web_street.do(lambda conn, at: orders_for(conn, by=web_street.by("watch"), at=at))
    assert [(one.case, one.given, one.answers) for one in told] == [(case, True, False)]


def test_a_list_is_narrowed_by_links_that_count(signed_in: Enter, web_street: Street) -> None:
    reported(web_street, title="新报的")
    confirmed(web_street, title="已确认的")
    reported(web_street, title="也是新报的")
    web_street.later(hours=30)
    reported(web_street, title="刚报的")
    head = signed_in("head")
    page = head.text("/inbox/claimable")
    assert "只看一部分" in page
    assert "/inbox/claimable?state=late" in page
    late = head.text("/inbox/claimable?state=late")
    assert "新报的" in late
    assert "刚报的" not in late
    assert 'aria-current="true"' in late
    assert "可认领 3 件" in late  # the tab counts the whole list


def test_a_list_with_one_kind_of_everything_offers_nothing_to_narrow(
    signed_in: Enter, web_street: Street
) -> None:
    reported(web_street)
    assert "只看一部分" not in signed_in("head").text("/inbox/claimable")
    # A link kept from before still narrows, and can be undone.
    page = signed_in("head").text("/inbox/claimable?state=late&nonsense=1")
    assert "全部" in page
    assert "车棚飞线充电" not in page


def test_after_a_step_the_most_pressing_next_one_is_offered_with_its_clock(
    signed_in: Enter, web_street: Street
) -> None:
    assigned(web_street, title="先签收的")
    web_street.later(minutes=5)
    assigned(web_street, title="后签收的")
    fixer = signed_in("fixer")
    assert "接下来最急的" not in fixer.text("/inbox")
    path = "/cases/hazard-2026-00001/tasks/sign_in%231/completion"
    sent = fixer.post(path, {"in_charge": "工程主管"}, follow_redirects=True).text
    assert "已提交：签收" in sent
    card = sent.partition("接下来最急的")[2].partition("</section>")[0]
    assert "后签收的" in card or "先签收的" in card
    assert 'class="clock' in card
    assert "接着" in card
    assert "接下来最急的" not in fixer.text("/inbox")
