"""Sealed content for those who work on it: one look, one record; identity by approval."""

import re

import pytest

from engine.handover import open_handover, waiting_files
from engine.holding import claim_task
from tests.engine.hotline_street import Hotline
from tests.web.conftest import Visitor
from tests.web.hotline_pages import *  # noqa: F403 - the hotline's fixtures
from tests.web.hotline_pages import Enter, Resident
from web.config import Settings
from web.receivers import make_keys, private_key

CASE = "hotline-2026-00001"
WORDS = "报修三次都说修好了"
TASK = f"/cases/{CASE}/tasks/investigate%231"


@pytest.fixture
def investigated(resident: Resident, h: Hotline) -> Hotline:
    """A confidential complaint that waits for its investigator."""
    resident.complain(identity="confidential", name="陈小禾演示", phone="000-7654-3210")
    return h.do("accept").do("dispatch").do("declare")


def main_of(page: str) -> str:
    return page.partition("<main")[2].partition("</main>")[0]


def shown(page: str) -> list[str]:
    """The questions and words on a page of what was sealed."""
    return re.findall(r'(?:letters__t">|<dd>)(.*?)(?:</p>|</dd>)', main_of(page))


# --- content --------------------------------------------------------------------------------------


def test_the_step_offers_a_look_and_shows_nothing_by_itself(
    investigated: Hotline, signed_in: Enter
) -> None:
    page = signed_in("searcher").text(TASK)
    assert "查看密封内容" in page
    assert WORDS not in page
    assert "陈小禾" not in page


def test_a_look_is_shown_once_and_recorded_first(investigated: Hotline, signed_in: Enter) -> None:
    who = signed_in("searcher")
    answer = who.post(f"/cases/{CASE}/sealed", {"task": "investigate#1"})
    assert WORDS in answer.text
    assert "供热站站长" in answer.text
    assert "查三次报修的经过" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert "陈小禾" not in answer.text
    read = investigated.last("content.read")
    assert f"第 {read.seq} 条" in answer.text
    assert read.actor["person"] == investigated.street.person["searcher"]
    assert who.get(f"/cases/{CASE}/sealed").status_code == 405
    who.post(f"/cases/{CASE}/sealed")
    assert len(investigated.all("content.read")) == 2
    investigated.street.check()


@pytest.mark.parametrize("name", ["searcher2", "desk", "heat", "chief", "keeper", "admin", "watch"])
def test_whoever_does_not_hold_the_step_reads_nothing(
    investigated: Hotline, signed_in: Enter, name: str
) -> None:
    answer = signed_in(name).post(f"/cases/{CASE}/sealed")
    assert answer.status_code == 403
    assert WORDS not in answer.text
    assert investigated.all("content.read") == []


def test_a_free_step_says_to_claim_it_first(
    resident: Resident, h: Hotline, signed_in: Enter
) -> None:
    resident.complain()
    who = signed_in("desk")
    page = who.text(f"/cases/{CASE}/tasks/accept%231")
    assert "先认领这一步，才能看密封内容" in page
    assert who.post(f"/cases/{CASE}/sealed").status_code == 403
    who.post(f"/cases/{CASE}/tasks/accept%231/claim")
    assert WORDS in who.post(f"/cases/{CASE}/sealed").text


def test_a_step_of_a_confidential_case_has_no_open_remark(
    investigated: Hotline, signed_in: Enter
) -> None:
    assert 'name="note"' not in signed_in("searcher").text(TASK)


def test_staff_write_to_the_mailbox_and_the_complainant_answers(
    investigated: Hotline, signed_in: Enter, resident: Resident
) -> None:
    who = signed_in("searcher")
    told = {"words": "第三次是几月几日？", "task": "investigate#1"}
    answer = who.post(f"/cases/{CASE}/mailbox", told, follow_redirects=True)
    assert "已放进投诉人的信箱" in answer.text
    assert "第三次是几月几日" in resident.mailbox("write", words="二月九日").text
    seen = who.post(f"/cases/{CASE}/sealed").text
    assert shown(seen)[-2:] == ["第三次是几月几日？", "二月九日"]
    assert all("几月" not in str(entry.data) for entry in investigated.entries)


# --- identity -------------------------------------------------------------------------------------


def ask(who: Visitor, fields: list[str], purpose: str = "核对报修日期") -> int:
    told = {"fields": fields, "purpose": purpose, "task": "investigate#1"}
    return who.post(f"/cases/{CASE}/identity-requests", told).status_code


def decide(who: Visitor, outcome: str, seq: int, **told: str) -> int:
    form = {"outcome": outcome, "reason": "只有本人说得清", "hours": "24", **told}
    return who.post(f"/custody/{CASE}/{seq}", form).status_code


def test_an_identity_is_asked_for_allowed_looked_at_and_all_of_it_stays(
    investigated: Hotline, signed_in: Enter
) -> None:
    who, keeper = signed_in("searcher"), signed_in("keeper")
    assert ask(who, ["name"]) == 303
    assert "等身份保管员决定" in who.text(TASK)
    seq = investigated.last("unseal.requested").seq
    queue = keeper.text("/custody")
    for told in ("听澜-诉-2026-00001", "searcher演示", "姓名", "核对报修日期"):
        assert told in queue
    assert decide(keeper, "granted", seq) == 303
    assert "身份保管员准您看到" in who.text(TASK)
    seen = who.post(f"/cases/{CASE}/identity-requests/{seq}/views", {"task": "investigate#1"})
    assert shown(seen.text) == ["陈小禾演示"]
    assert seen.headers["Cache-Control"] == "no-store"
    assert len(investigated.all("identity.viewed")) == 1
    past = keeper.text("/custody")
    assert "准予查看" in past
    assert "只有本人说得清" in past
    assert "陈小禾" not in past
    investigated.street.check()


def test_a_look_ends_with_its_time(investigated: Hotline, signed_in: Enter) -> None:
    who = signed_in("searcher")
    ask(who, ["name"])
    seq = investigated.last("unseal.requested").seq
    decide(signed_in("keeper"), "granted", seq, hours="4")
    investigated.street.later(hours=4)
    who = signed_in("searcher")
    assert "查看投诉人身份</button>" not in who.text(TASK)
    answer = who.post(f"/cases/{CASE}/identity-requests/{seq}/views")
    assert answer.status_code == 403
    assert "陈小禾" not in answer.text


def test_a_refusal_is_told_and_one_may_ask_again(investigated: Hotline, signed_in: Enter) -> None:
    who = signed_in("searcher")
    ask(who, ["name", "phone"])
    seq = investigated.last("unseal.requested").seq
    assert decide(signed_in("keeper"), "denied", seq) == 303
    page = who.text(TASK)
    assert "您在本案被拒过 1 次" in page
    assert who.post(f"/cases/{CASE}/identity-requests/{seq}/views").status_code == 403
    assert ask(who, ["phone"], "另有用途") == 303


def test_without_a_purpose_or_a_part_nothing_is_asked(
    investigated: Hotline, signed_in: Enter
) -> None:
    who = signed_in("searcher")
    assert ask(who, ["name"], "  ") == 400
    assert ask(who, []) == 404
    assert ask(who, ["text"]) == 404
    assert investigated.all("unseal.requested") == []


def test_an_anonymous_complaint_has_no_identity_to_ask_for(
    resident: Resident, h: Hotline, signed_in: Enter
) -> None:
    resident.complain()
    h.do("accept").do("dispatch").do("declare")
    who = signed_in("searcher")
    assert "申请查看投诉人身份" not in who.text(TASK)
    assert ask(who, ["name"]) == 404


@pytest.mark.parametrize("name", ["searcher", "desk", "officer", "chief", "admin", "watch", "heat"])
def test_only_keepers_see_the_queue_and_decide(
    investigated: Hotline, signed_in: Enter, name: str
) -> None:
    ask(signed_in("searcher"), ["name"])
    who = signed_in(name)
    assert who.get("/custody").status_code == 403
    seq = investigated.last("unseal.requested").seq
    assert decide(who, "granted", seq) == 403
    assert investigated.all("unseal.granted") == []


@pytest.mark.parametrize("told", [{"hours": "200"}, {"hours": ""}, {"hours": "-4"}])
def test_a_keeper_says_for_how_long(
    investigated: Hotline, signed_in: Enter, told: dict[str, str]
) -> None:
    ask(signed_in("searcher"), ["name"])
    keeper, seq = signed_in("keeper"), investigated.last("unseal.requested").seq
    assert decide(keeper, "granted", seq, **told) == 400
    assert decide(keeper, "", seq) == 400
    assert decide(keeper, "granted", seq, reason="") == 400
    assert decide(keeper, "granted", seq + 1) == 404


def test_a_keeper_finds_the_queue_from_the_inbox(investigated: Hotline, signed_in: Enter) -> None:
    assert "身份保管" in signed_in("keeper").text("/inbox")
    ask(signed_in("searcher"), ["name"])
    assert "身份查看申请 1 件" in signed_in("keeper").text("/inbox")
    assert "/custody" not in signed_in("searcher").text("/inbox")


# --- handing over ---------------------------------------------------------------------------------


@pytest.fixture
def accusation(resident: Resident, h: Hotline) -> Hotline:
    """An accusation, taken by the discipline officer."""
    resident.complain(category="accusation", identity="named", name="陈小禾演示", phone="000-1")
    h.do("accept", decision="hand_over", reason="检举个人")
    h.act(claim_task, h.task("hand_over").key, by="officer")
    return h


STEP = f"/cases/{CASE}/tasks/hand_over%231"
SURE = {"body": "区纪委监委", "sure": "yes", "task": "hand_over#1"}


def test_an_accusation_is_sealed_fetched_and_opened_by_its_receiver_alone(
    accusation: Hotline, signed_in: Enter, settings: Settings
) -> None:
    _, private = make_keys(settings.receivers_dir, "区纪委监委")
    who = signed_in("officer")
    assert "投诉内容、身份、来信的密钥当场销毁" in who.text(STEP)
    assert who.post(f"/cases/{CASE}/handover", SURE).status_code == 303
    page = who.text(STEP)
    assert 'value="区纪委监委"' in page
    file = who.post(f"/cases/{CASE}/handover/file").data
    assert WORDS.encode() not in file
    opened = open_handover(private_key(private), file)
    values = {item.field: item.value for item in opened.items}
    assert values["text"].startswith(WORDS)
    assert values["name"] == "陈小禾演示"
    assert who.post(f"/cases/{CASE}/sealed").status_code in (403, 404, 409)
    form = {"decision": "hand_over", "body": "区纪委监委"}
    assert who.post(f"{STEP}/completion", form).status_code == 303
    assert accusation.state.ended
    accusation.street.check()


def test_without_sealing_it_cannot_be_said_to_have_gone(
    accusation: Hotline, signed_in: Enter
) -> None:
    form = {"decision": "hand_over", "body": "区纪委监委"}
    answer = signed_in("officer").post(f"{STEP}/completion", form)
    assert answer.status_code >= 400
    assert accusation.state.ended is None


def test_a_body_without_a_key_is_no_receiver(
    accusation: Hotline, signed_in: Enter, settings: Settings
) -> None:
    who = signed_in("officer")
    assert "还没有登记接收机关的公钥" in who.text(STEP)
    settings.receivers_dir.mkdir(parents=True)
    (settings.receivers_dir / "坏.pub").write_text("no key", encoding="ascii")
    for body in ("区纪委监委", "坏", "../坏", ""):
        assert who.post(f"/cases/{CASE}/handover", {**SURE, "body": body}).status_code == 400
    assert accusation.all("accusation.handed_over") == []


def test_it_takes_a_tick_to_destroy(
    accusation: Hotline, signed_in: Enter, settings: Settings
) -> None:
    make_keys(settings.receivers_dir, "区纪委监委")
    told = {**SURE, "sure": ""}
    assert signed_in("officer").post(f"/cases/{CASE}/handover", told).status_code == 400
    assert accusation.all("accusation.handed_over") == []


def test_the_file_is_for_whoever_handed_it_over_and_goes_when_it_was_read_back(
    accusation: Hotline, signed_in: Enter, settings: Settings
) -> None:
    make_keys(settings.receivers_dir, "区纪委监委")
    who = signed_in("officer")
    who.post(f"/cases/{CASE}/handover", SURE)
    for name in ("officer2", "desk", "heat", "admin", "chief"):
        for act in ("file", "acknowledgement"):
            answer = signed_in(name).post(f"/cases/{CASE}/handover/{act}", {"sha256": "0" * 8})
            assert answer.status_code in (403, 404), name
    sha256 = accusation.last("accusation.handed_over").data["sha256"]
    path = f"/cases/{CASE}/handover/acknowledgement"
    for wrong in ("", sha256[:7], "g" * 8, sha256[1:9]):
        assert who.post(path, {"sha256": wrong}).status_code == 400
    assert waiting_files(accusation.vault)
    assert who.post(path, {"sha256": f"{sha256[:4]} {sha256[4:8].upper()}"}).status_code == 303
    assert waiting_files(accusation.vault) == {}
    assert who.post(f"/cases/{CASE}/handover/file").status_code == 404


def test_on_a_confidential_case_nobody_is_suggested_and_no_load_is_told(
    resident: Resident, h: Hotline, signed_in: Enter
) -> None:
    resident.complain()
    h.do("accept")
    page = signed_in("assigner").text(f"/cases/{CASE}/tasks/dispatch%231")
    assert 'id="f-unit"' in page
    assert "建议" not in main_of(page).partition('id="f-unit"')[2]
    assert "手上" not in main_of(page)
