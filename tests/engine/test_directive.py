"""Directives and their receipts through commands: every end, every boundary, every message."""

from collections.abc import Iterator

import pytest

from engine.cases import NotYourTask, Separated
from engine.errors import NotAllowed
from engine.forms import FormRefused
from engine.openers import NotTheOpener
from engine.parties import AlreadyAsked, NoSuchParty, NotJoinable, add_party, remove_party
from engine.turns import NotDrawn, recall
from tests.conftest import Street
from tests.engine.light_street import Light, light

BOTH = ["warden", "warden2"]


@pytest.fixture
def s(street: Street) -> Iterator[Light]:
    yield light(street)
    street.check()


def carried_out(receipt: Light, by: str, **executed: str | None) -> Light:
    return receipt.do("read", by=by).do("execute", by=by, **executed)


# --- issuing --------------------------------------------------------------------------------------


def test_a_directive_goes_to_each_person_in_a_case_of_their_own(s: Light) -> None:
    directive = s.begin("directive", audience=BOTH)
    assert directive.open == []
    assert [one.holder("read") for one in directive.children] == BOTH
    opened = directive.children[0].all("case.opened")[0].data
    assert opened["title"] == "防汛备勤"
    assert opened["form"] == {
        "title": "防汛备勤", "category": "directive_order", "level": "important",
        "text": "今晚值守，六时前报到岗", "legal_basis": "防汛预案", "needs_execution": True,
    }  # fmt: skip


def test_a_directive_is_concluded_when_all_receipts_are_in(s: Light) -> None:
    directive = s.begin("directive", audience=BOTH)
    first, second = directive.children
    assert carried_out(first, "warden").ended == "executed"
    assert directive.open == []
    unable = {"result": "unable", "done": None, "why": "无人可派"}
    assert carried_out(second, "warden2", **unable).ended == "not_executed"
    told = [heard.data["form"]["outcome"] for heard in directive.all("message.received")]
    assert told == ["executed", "not_executed"]
    assert directive.open == ["review"]
    assert directive.do("review", by="director2").ended == "completed"


def test_where_no_execution_is_asked_for_reading_is_the_receipt(s: Light) -> None:
    directive = s.begin("directive", audience=["warden"], needs_execution=False)
    assert directive.child("warden").do("read").ended == "read_only"
    assert directive.open == ["review"]


def test_a_directive_has_a_basis_a_level_and_somebody_it_is_for(s: Light) -> None:
    for missing, asked in (("legal_basis", "依据"), ("level", "等级"), ("audience", "发给谁")):
        with pytest.raises(FormRefused, match=asked):
            s.begin("directive", **{"audience": ["warden"], missing: None})


def test_only_whoever_may_direct_gives_a_directive(s: Light) -> None:
    with pytest.raises(NotAllowed, match="发令"):
        s.begin("directive", by="warden", audience=BOTH)


# --- legality -------------------------------------------------------------------------------------


def test_legality_is_reviewed_by_another_before_anything_goes_out(s: Light) -> None:
    directive = s.begin("directive", by="director2", audience=BOTH, legality_review=True)
    assert directive.open == ["legality"]
    assert directive.children == []
    assert directive.deadline("legality") == "WD1"
    with pytest.raises(Separated):
        directive.do("legality", by="director2")
    assert len(directive.do("legality").children) == 2


def test_what_may_not_be_issued_reaches_nobody(s: Light) -> None:
    directive = s.begin("directive", audience=BOTH, legality_review=True)
    directive.do("legality", opinion="unlawful", reason="超出权限")
    assert directive.ended == "not_issued"
    assert directive.children == []


def test_an_urgent_review_has_an_hour(s: Light) -> None:
    directive = s.begin("directive", level="urgent", audience=BOTH, legality_review=True)
    assert directive.deadline("legality") == "H1"


# --- receipts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "read", "execute"),
    [("urgent", "H1", "U24"), ("important", "WH4", "WD2"), ("ordinary", "WD1", "WD5")],
)
def test_the_level_sets_the_clocks(s: Light, level: str, read: str, execute: str) -> None:
    receipt = s.begin("directive", level=level, audience=["warden"]).child("warden")
    assert receipt.deadline("read") == read
    assert receipt.do("read").deadline("execute") == execute


def test_nobody_signs_for_another(s: Light) -> None:
    receipt = s.begin("directive", audience=BOTH).child("warden")
    with pytest.raises(NotYourTask):
        receipt.do("read", by="warden2")


def test_what_is_not_read_in_time_comes_before_the_leader_beside(s: Light) -> None:
    receipt = s.begin("directive", level="urgent", audience=["warden"]).child("warden")
    receipt.wait(minutes=61)
    assert receipt.open == ["press", "read"]
    assert receipt.do("press", reached="substitute").open == ["read"]
    assert receipt.do("read").do("execute").ended == "executed"


def test_a_receipt_stays_open_until_the_leader_has_answered(s: Light) -> None:
    directive = s.begin("directive", level="urgent", audience=["warden"], needs_execution=False)
    receipt = directive.child("warden")
    receipt.wait(minutes=61)
    assert receipt.do("read").ended is None
    assert directive.open == []
    assert receipt.do("press").ended == "read_only"
    assert directive.open == ["review"]


def test_an_answer_is_done_or_a_reason(s: Light) -> None:
    receipt = s.begin("directive", audience=["warden"]).child("warden").do("read")
    with pytest.raises(FormRefused, match="为什么办不了"):
        receipt.do("execute", result="unable")


# --- adding and taking off ------------------------------------------------------------------------


def test_one_more_person_is_added_and_waited_for(s: Light) -> None:
    directive = s.begin("directive", audience=["warden"])
    third = s.street.person["warden3"]
    directive.act(add_party, "issue", third, "漏了一般网格", by="director2")
    assert directive.child("warden3").holder("read") == "warden3"
    assert directive.child("warden3").state.title == "防汛备勤"
    carried_out(directive.child("warden"), "warden")
    assert directive.open == []
    carried_out(directive.child("warden3"), "warden3")
    assert directive.open == ["review"]


def test_whoever_is_taken_off_has_nothing_left_to_do_and_is_not_waited_for(s: Light) -> None:
    directive = s.begin("directive", level="urgent", audience=BOTH)
    receipt = directive.child("warden2")
    receipt.wait(minutes=61)
    number = directive.number(receipt)
    directive.act(remove_party, number, "已调离", by="director")
    assert receipt.ended == "removed"
    assert receipt.open == []  # neither theirs nor the leader's
    carried_out(directive.child("warden"), "warden").do("press")
    assert directive.open == ["review"]


def test_whoever_has_answered_is_not_taken_off_any_more(s: Light) -> None:
    directive = s.begin("directive", audience=BOTH)
    done = directive.child("warden")
    carried_out(done, "warden")
    with pytest.raises(NoSuchParty):
        directive.act(remove_party, directive.number(done), "不用了", by="director")


def test_only_whoever_may_direct_changes_the_list_while_it_is_out(s: Light) -> None:
    directive = s.begin("directive", audience=["warden"])
    third = s.street.person["warden3"]
    with pytest.raises(NotAllowed):
        directive.act(add_party, "issue", third, "漏了", by="mayor")
    with pytest.raises(AlreadyAsked):
        directive.act(add_party, "issue", s.street.person["warden"], "再发", by="director")
    carried_out(directive.child("warden"), "warden")
    with pytest.raises(NotJoinable):
        directive.act(add_party, "issue", third, "漏了", by="director")


def test_everybody_taken_off_leaves_only_the_conclusion(s: Light) -> None:
    directive = s.begin("directive", audience=BOTH)
    for receipt in directive.children:
        directive.act(remove_party, directive.number(receipt), "发错了", by="director")
    assert [one.ended for one in directive.children] == ["removed", "removed"]
    assert directive.open == ["review"]


# --- taking back ----------------------------------------------------------------------------------


def test_a_directive_taken_back_is_taken_from_whoever_still_has_it(s: Light) -> None:
    directive = s.begin("directive", audience=BOTH)
    carried_out(directive.child("warden"), "warden")
    with pytest.raises(NotTheOpener):
        directive.act(recall, "我来撤", by="warden")
    directive.act(recall, "依据有误", by="director2")
    assert directive.ended == "recalled"
    assert directive.child("warden").ended == "executed"
    assert directive.child("warden2").ended == "recalled"
    assert directive.child("warden2").open == []


def test_nothing_is_taken_back_before_it_went_out_nor_after_all_answered(s: Light) -> None:
    directive = s.begin("directive", audience=["warden"], legality_review=True)
    with pytest.raises(NotDrawn):
        directive.act(recall, "不发了", by="director")
    carried_out(directive.do("legality").child("warden"), "warden")
    with pytest.raises(NotDrawn):
        directive.act(recall, "不算了", by="director")
