"""The mailbox: what the code opens, what may be said there and when, and what it does not tell."""

import re

import pytest

from audit import log
from tests.conftest import Street
from tests.engine.hotline_street import Hotline
from tests.web.conftest import Visitor
from tests.web.hotline_pages import *  # noqa: F403 - the hotline's fixtures
from tests.web.hotline_pages import Resident

CASE = "hotline-2026-00001"


def main_of(page: str) -> str:
    return page.partition("<main")[2].partition("</main>")[0]


def said(page: str) -> list[tuple[str, str]]:
    """The messages on a page: whose, and the words."""
    letters = re.findall(r'<li class="(mine)?">.*?letters__t">(.*?)</p>', main_of(page), re.DOTALL)
    return [("mine" if mine else "theirs", words) for mine, words in letters]


def test_the_code_opens_it_however_it_is_typed(resident: Resident) -> None:
    resident.complain()
    digits = resident.code.replace("-", "")
    wide = digits.translate({48 + n: 0xFF10 + n for n in range(10)})
    for typed in (resident.code, digits, f" {digits[:8]} {digits[8:]} ", wide):
        resident.code = typed
        assert "正在看您反映的事" in resident.mailbox().text


def test_the_code_stands_in_no_address(resident: Resident) -> None:
    resident.complain()
    answer = resident.mailbox("write", words="补充")
    assert answer.status_code == 200  # no redirect that would carry anything
    assert resident.code not in str(answer.headers)
    assert not re.findall(rf'(?:href|action)="[^"]*{resident.code}', answer.text)
    assert resident.visitor.get(f"/mailbox?code={resident.code}").text.count("letters") == 0


def test_looking_leaves_no_trace(resident: Resident, h: Hotline) -> None:
    resident.complain()
    before = len(h.entries)
    for _ in range(3):
        resident.mailbox()
    assert len(h.entries) == before


def test_both_sides_words_stand_there_the_newest_first(resident: Resident, h: Hotline) -> None:
    resident.complain()
    resident.mailbox("write", words="昨天又停了")
    h.do("accept", to_complainant="已受理，先去现场")
    page = resident.mailbox().text
    assert said(page)[:2] == [("theirs", "已受理，先去现场"), ("mine", "昨天又停了")]
    assert said(page)[-1][0] == "mine"


def test_a_message_sent_twice_is_there_once(resident: Resident) -> None:
    resident.complain()
    resident.mailbox("write", words="只说一次", key="same")
    answer = resident.mailbox("write", words="只说一次", key="same")
    assert answer.status_code == 200
    assert len([1 for _, words in said(answer.text) if words == "只说一次"]) == 1


def test_an_empty_message_is_refused_and_the_mailbox_stays_open(resident: Resident) -> None:
    resident.complain()
    answer = resident.mailbox("write", words="   ")
    assert answer.status_code == 422
    assert "留言是空的" in answer.text
    assert "正在看您反映的事" in answer.text


@pytest.mark.parametrize("code", ["", "1234", "abcd-efgh", "9" * 16, "9" * 17, "0" * 5000])
def test_a_wrong_code_tells_nothing(visitor: Visitor, code: str) -> None:
    answer = visitor.client.post("/mailbox", data={"code": code})
    assert answer.status_code == 422
    assert "stub__now" not in answer.text


def test_guessing_is_stopped_for_an_hour_and_a_right_code_is_not_counted(
    resident: Resident, web_street: Street
) -> None:
    resident.complain()
    for _ in range(12):
        assert resident.mailbox().status_code == 200
    right, resident.code = resident.code, "1" * 16
    assert [resident.mailbox().status_code for _ in range(11)] == [422] * 10 + [429]
    resident.code = right
    assert resident.mailbox().status_code == 429
    web_street.later(hours=1, minutes=1)
    assert resident.mailbox().status_code == 200


def test_leaving_makes_the_browser_forget(resident: Resident) -> None:
    resident.complain()
    answer = resident.mailbox("leave")
    assert answer.headers["Clear-Site-Data"] == '"cache", "cookies", "storage"'
    assert resident.code not in answer.text


def test_it_does_not_tell_who_handles_it_nor_its_number(resident: Resident, h: Hotline) -> None:
    resident.complain()
    h.do("accept").do("dispatch").do("declare").do("investigate").do("verify").do("reply")
    page = main_of(resident.mailbox().text)
    people = [*h.street.person.values(), *(f"{name}演示" for name in h.street.person)]
    for word in (*people, h.state.number, CASE, "受理员", "督查组", "u-inspection"):
        assert word not in page, word


# --- saying something to the process --------------------------------------------------------------


def offered(page: str) -> set[str]:
    return set(re.findall(r'name="act" value="(dispute|recusal|retaliation)"', page))


def test_each_is_offered_only_while_the_process_waits_for_it(
    resident: Resident, h: Hotline
) -> None:
    resident.complain()
    assert offered(resident.mailbox().text) == set()
    h.do("accept").do("dispatch").do("declare")
    assert offered(resident.mailbox().text) == {"recusal"}
    h.do("investigate").do("verify").do("reply")
    assert offered(resident.mailbox().text) == {"dispute"}
    h.do("ask")
    h.wait(days=40)
    assert "objection_window" not in h.waiting


def test_a_demand_that_is_not_drawn_now_is_refused(resident: Resident, h: Hotline) -> None:
    resident.complain()
    for act in ("dispute", "recusal", "retaliation"):
        answer = resident.mailbox(act, text="现在不行", new_facts="no")
        assert answer.status_code == 422, act
        assert "没有生效" in answer.text
    assert not {"result.disputed", "recusal.demanded"} & {entry.type for entry in h.entries}


def test_a_demand_for_recusal_is_sealed_and_ruled_on(resident: Resident, h: Hotline) -> None:
    resident.complain()
    h.do("accept").do("dispatch").do("declare")
    answer = resident.mailbox("recusal", text="核查人是站长的亲戚")
    assert "已提出" in answer.text
    assert ("mine", "核查人是站长的亲戚") in said(answer.text)
    assert "亲戚" not in str(h.last("recusal.demanded").data)
    h.do("rule_recusal", to_complainant="没有关系，继续核查")
    assert ("theirs", "没有关系，继续核查") in said(resident.mailbox().text)
    h.street.check()


def test_a_dispute_needs_its_answers_and_reopens_the_case(resident: Resident, h: Hotline) -> None:
    resident.complain()
    h.do("accept").do("dispatch").do("declare").do("investigate").do("verify").do("reply")
    answer = resident.mailbox("dispute", text="还是没有修")
    assert answer.status_code == 422
    assert "还是没有修" in answer.text
    answer = resident.mailbox("dispute", text="还是没有修", new_facts="no")
    assert answer.status_code == 200
    assert "reopen_first" in h.open
    assert "重新核查" in answer.text
    h.street.check()


def test_retaliation_is_reported_in_the_guard_and_opens_a_case(
    resident: Resident, h: Hotline
) -> None:
    resident.complain(identity="named", name="陈小禾演示", phone="000-7654-3210")
    h.do("accept").do("dispatch").do("declare").do("investigate")
    h.do("verify", result="unsubstantiated", unit=None).do("reply").do("revisit")
    h.wait(days=31)
    page = resident.mailbox().text
    assert "保护期" in page
    assert offered(page) == {"retaliation"}
    assert resident.mailbox("retaliation", guard_text="停了我家的水").status_code == 200
    (child,) = h.children()
    # The same code opens both; what is written goes where it is read.
    page = resident.mailbox(of="1").text
    assert "停了我家的水" in page
    assert "打击报复（第 1 件）" in page
    assert "打击报复（第 2 件）" not in page
    resident.mailbox("write", of="1", words="今天又停了一次")
    assert "今天又停了一次" in resident.mailbox(of="1").text
    assert "今天又停了一次" not in resident.mailbox().text
    assert [e.type for e in h.street.entries(child)].count("mailbox.written") == 1
    for wrong in ("2", "-1", "x", "99999"):
        assert "今天又停了一次" not in resident.mailbox(of=wrong).text
    h.street.check()


def test_after_a_hand_over_the_case_can_be_followed_but_not_read(
    resident: Resident, h: Hotline
) -> None:
    resident.complain(category="accusation")
    h.do("accept", decision="hand_over", reason="检举个人")
    hand_it_over(h)
    h.do("hand_over")
    page = resident.mailbox().text
    assert "已封装移交有权机关" in page
    assert {words for _, words in said(page)} == {"（已销毁）"}
    assert 'value="write"' not in page
    answer = resident.mailbox("write", words="还有一件事")
    assert answer.status_code == 422


def hand_it_over(h: Hotline) -> None:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from engine.handover import hand_over
    from engine.holding import claim_task

    h.act(claim_task, h.task("hand_over").key, by="officer")
    public = X25519PrivateKey.generate().public_key().public_bytes_raw()
    with h.street.database.begin() as conn:
        hand_over(
            conn, h.vault, h.case, body="区纪委监委", public_key=public,
            by=h.street.by("officer"), at=h.street.at,
        )  # fmt: skip


def test_the_number_of_records_is_told(resident: Resident, h: Hotline) -> None:
    resident.complain()
    with h.street.database.begin() as conn:
        last = log.read(conn, CASE)[-1]
    page = resident.mailbox().text
    assert f"共 {last.seq} 条" in page
    assert last.hash.hex()[:8] in page
