"""Residents report by a scanned code, and rate and dispute the result by their receipt code."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from audit import log
from engine.cases import Place, Report, open_case
from engine.casework import Done
from engine.definition_sets import deploy
from engine.definitions import read_folder
from engine.errors import BadInput, NotAllowed
from engine.forms import FormRefused
from engine.mailbox import NotYoursToRead, read_content
from engine.place_codes import UnknownPlaceCode, issue
from engine.receipt_codes import code_of, find, prepare, register
from engine.resident_acts import NotRatedNow, NotYourReport, dispute_by_code, rate
from engine.resident_reports import (
    MOST,
    OPENED,
    SENT,
    NotOpenToResidents,
    NumbersInWords,
    Told,
    TooManyReports,
    count,
    new_resident,
    place_name,
    report_by_code,
    similar_nearby,
)
from engine.sealed_answers import NoVault, subject_of
from engine.turns import NotDrawn, dispute_result
from engine.vault import Vault
from tests.conftest import ROOT, Street, photo
from tests.engine.hazard_street import Hazard, hazard
from tests.engine.metrics_compared import compared

TOLD = Told("charging", "车棚里有人从楼上拉线充电", "3 幢北侧")
CONTACT = "000-7712，晚上方便"


@pytest.fixture
def h(street: Street, vault: Vault) -> Iterator[Hazard]:
    made = hazard(street)
    yield made
    street.check()


@pytest.fixture
def door(h: Hazard) -> str:
    return str(h.street.do(issue, "u-micro-1", by=h.street.by("head")).code)


def told(h: Hazard, door: str, said: Told = TOLD, secret: bytes = b"", **more: Any) -> str:
    """Report by the code; returns the receipt code."""
    secret = secret or secrets.token_bytes(16)
    code = code_of(secret)
    assert h.street.vault
    done: Done = h.street.do(
        report_by_code, h.street.vault, door, said,
        receipt=prepare(h.street.vault, code), key=secret.hex(), **more,
    )  # fmt: skip
    h.case = done.case
    return code


def resident(h: Hazard, code: str) -> str:
    assert h.street.vault
    return find(h.street.vault, code).complainant


# --- reporting ------------------------------------------------------------------------------------


def test_a_scanned_report_is_a_hazard_at_the_place_of_the_code(h: Hazard, door: str) -> None:
    code = told(h, door, replace(TOLD, photos=[photo("before")]))
    opened = h.entries[0]
    assert opened.data["place"]["path"] == ["u-micro-1", "u-grid-1", "u-tingtao", "u-street"]
    assert opened.data["source"] == "resident"
    assert opened.actor == {
        "person": resident(h, code), "capacity": "report", "channel": "qr",
    }  # fmt: skip
    assert opened.data["form"]["description"] == TOLD.words
    assert opened.evidence[0]["purpose"] == "before"
    assert h.open == ["confirm"]
    h.do("confirm")


def test_where_exactly_may_be_left_out(h: Hazard, door: str) -> None:
    told(h, door, replace(TOLD, where=""))
    with h.street.database.begin() as conn:
        from engine.people import directory

        called = place_name(directory(conn), "u-micro-1")
    assert h.entries[0].data["place"]["address"] == called == "听涛社区 第一网格 第一微网格"


def test_two_reports_are_by_two_residents_whom_nothing_links(h: Hazard, door: str) -> None:
    one, two = told(h, door), told(h, door)
    assert resident(h, one) != resident(h, two)


def test_sent_twice_it_is_one_case_and_one_code(h: Hazard, door: str) -> None:
    first = told(h, door, secret=b"s" * 16)
    case = h.case
    assert told(h, door, secret=b"s" * 16) == first
    assert h.case == case
    assert len([e for e in h.entries if e.type == "case.opened"]) == 1


def test_the_contact_is_sealed_and_read_by_whoever_closes(h: Hazard, door: str) -> None:
    told(h, door, replace(TOLD, contact=CONTACT))
    assert "7712" not in str([entry.data for entry in h.entries])
    assert h.entries[0].data["form"]["contact"]["as"] == "content"
    vault = h.street.vault
    assert vault

    def read(who: str) -> Any:
        h.street.later(minutes=1)
        with h.street.database.begin() as conn:
            return read_content(conn, vault, h.case, by=h.street.by(who), at=h.street.at)

    with pytest.raises(NotYoursToRead):
        read("confirmer")
    h.do("confirm").do("assign").do("sign_in").do("rectify").do("accept")
    from engine.holding import claim_task

    h.act(claim_task, h.task("close").key, by="closer")
    assert read("closer").values == {"contact#1": CONTACT}
    assert h.last("content.read").data == {"fields": ["contact#1"]}


def test_without_a_vault_nothing_is_taken(h: Hazard, door: str) -> None:
    assert h.street.vault
    receipt = prepare(h.street.vault, code_of(b"x" * 16))
    with pytest.raises(NoVault):
        h.street.do(report_by_code, None, door, TOLD, receipt=receipt, key="k")


@pytest.mark.parametrize(
    ("said", "field"),
    [
        (replace(TOLD, category=""), "category"),
        (replace(TOLD, category="weather"), "category"),
        (replace(TOLD, words=" "), "words"),
        (replace(TOLD, words="长" * 201), "words"),
        (replace(TOLD, words="打我电话 138 0013 8000"), "words"),
        (replace(TOLD, words="身份证１１０１０１１９９００１０１００１Ｘ"), "words"),
        (replace(TOLD, where="找 000-1234"), "where"),
        (replace(TOLD, where="远" * 101), "where"),
        (replace(TOLD, contact="1" * 101), "contact"),
        (replace(TOLD, photos=[photo("before", str(n)) for n in range(4)]), "evidence_before"),
        (replace(TOLD, photos=[replace(photo("before"), media="application/pdf")]),
         "evidence_before"),
    ],
)  # fmt: skip
def test_faults_are_told_and_nothing_is_opened(
    h: Hazard, door: str, said: Told, field: str
) -> None:
    with pytest.raises(FormRefused) as refused:
        told(h, door, said)
    assert field in {error.field for error in refused.value.errors}
    with h.street.database.begin() as conn:
        assert [s for s in log.streams(conn) if s.startswith("hazard-")] == []


def test_a_house_number_is_no_telephone_number(h: Hazard, door: str) -> None:
    told(h, door, replace(TOLD, where="3 幢 2 单元 1101 室门口", words="第 20260302 号配电箱冒烟"))


def test_an_unknown_code_opens_nothing(h: Hazard) -> None:
    with pytest.raises(UnknownPlaceCode):
        told(h, "2222222" + "2")


def test_a_process_that_does_not_say_so_takes_no_resident(h: Hazard, door: str) -> None:
    files = read_folder(ROOT / "workflows/hazard")
    shut = files["hazard.bpmn"].replace(b'name="startedBy" value="resident"', b'name="x" value="x"')
    shut = shut.replace(b'        <spiffworkflow:property name="x" value="x" />\n', b"")
    h.street.do(deploy, files | {"hazard.bpmn": shut}, by=None)
    with pytest.raises(NotOpenToResidents):
        told(h, door)
    with pytest.raises(NotAllowed):
        h.street.do(
            open_case,
            Report("hazard", "other", "x", Place("u-micro-1", "x"),
                   {"title": "x", "category": "other", "address": "x", "description": "xx"},
                   source="resident", actor={"person": "resident:1", "capacity": "report",
                                             "channel": "qr"}),
            by=None,
        )  # fmt: skip


# --- something like it ----------------------------------------------------------------------------


def test_something_like_it_nearby_is_counted_for_three_days(h: Hazard, door: str) -> None:
    near = {"unit": "u-micro-1", "category": "charging"}
    assert h.street.do(similar_nearby, **near) == 0
    told(h, door)
    assert h.street.do(similar_nearby, **near) == 1
    assert h.street.do(similar_nearby, unit="u-grid-1", category="charging") == 1
    assert h.street.do(similar_nearby, unit="u-other", category="charging") == 0
    assert h.street.do(similar_nearby, unit="u-micro-1", category="gas") == 0
    h.street.later(days=3, minutes=1)
    assert h.street.do(similar_nearby, **near) == 0


def test_it_happened_to_me_too_is_a_case_of_its_own_that_names_the_other(
    h: Hazard, door: str
) -> None:
    told(h, door)
    first = h.case
    told(h, door, replace(TOLD, also=True))
    assert h.case != first
    assert h.entries[0].data["form"]["also"] is True
    assert first in h.entries[0].data["similar"]


# --- floods ---------------------------------------------------------------------------------------


def test_a_code_takes_so_many_an_hour_and_no_more(h: Hazard, door: str) -> None:
    for _ in range(MOST[OPENED][0]):
        h.street.do(count, door, OPENED)
    with pytest.raises(TooManyReports):
        told(h, door)
    h.street.later(hours=1)
    told(h, door)


def test_all_codes_together_take_so_many_forms_an_hour(h: Hazard) -> None:
    for n in range(MOST[SENT][1]):
        h.street.do(count, f"code{n}", SENT)
    with pytest.raises(TooManyReports):
        h.street.do(count, "another", SENT)


def test_counts_are_forgotten_after_a_day(h: Hazard, door: str) -> None:
    from sqlalchemy import select

    from engine.resident_reports import flow_table

    h.street.do(count, door, OPENED)
    h.street.later(days=2)
    h.street.do(count, door, SENT)
    with h.street.database.begin() as conn:
        assert {row.what for row in conn.execute(select(flow_table))} == {SENT}


# --- afterwards -----------------------------------------------------------------------------------


def closed(h: Hazard, door: str) -> str:
    code = told(h, door)
    h.do("confirm").do("assign").do("sign_in").do("rectify").do("accept").do("close")
    return resident(h, code)


def dispute(h: Hazard, who: str, **form: Any) -> None:
    h.street.later(minutes=1)
    h.street.do(dispute_by_code, h.case, {"reason": "还在原处", **form}, resident=who)


def judge(h: Hazard, who: str, answer: str = "satisfied", words: str = "") -> None:
    h.street.later(minutes=1)
    h.street.do(rate, h.case, answer, words, resident=who)


def test_a_resident_disputes_and_somebody_else_accepts_anew(h: Hazard, door: str) -> None:
    who = closed(h, door)
    dispute(h, who, still_there=True)
    event = h.last("result.disputed")
    assert event.actor == {"person": who, "capacity": "report", "channel": "web"}
    assert event.data["form"] == {"still_there": True}
    assert h.open == ["re_accept"]
    from engine.cases import Separated, complete_task

    with pytest.raises(Separated):
        h.act(complete_task, h.task("re_accept").key, {}, by="acceptor")
    h.do("re_accept", result="fail", left="还在")
    assert "assign" in h.open


def test_the_window_is_drawn_and_closes(h: Hazard, door: str) -> None:
    who = closed(h, door)
    h.wait(days=10, minutes=1)
    with pytest.raises(NotDrawn):
        dispute(h, who)


def test_it_cannot_be_disputed_before_it_is_closed(h: Hazard, door: str) -> None:
    who = resident(h, told(h, door))
    with pytest.raises(NotDrawn):
        dispute(h, who)


def test_no_hazard_is_disputed_by_the_code_as_well(h: Hazard, door: str) -> None:
    who = resident(h, told(h, door))
    form = {"verdict": "not_hazard", "reason": "只是停放车辆"}
    h.street.later(minutes=1)
    task = h.task("confirm").key
    h.street.complete(h.case, task, "confirmer", form, evidence=[photo("site")])
    h.do("second_look")
    dispute(h, who)
    assert h.open == ["second_look"]


def test_only_the_residents_own_code_disputes(h: Hazard, door: str) -> None:
    closed(h, door)
    with pytest.raises(NotYourReport):
        dispute(h, new_resident())
    with pytest.raises(NotYourReport):
        judge(h, new_resident())
    with pytest.raises(NotAllowed):
        h.dispute(by="reporter")


def test_a_staff_case_is_not_disputed_by_a_code(h: Hazard) -> None:
    h.closed()
    with pytest.raises(NotYourReport):
        dispute(h, new_resident())
    h.act(dispute_result, {"reason": "还在"}, by="reporter")


def test_a_resident_whose_words_were_taken_down_disputes_by_their_code(h: Hazard) -> None:
    who, vault = new_resident(), h.street.vault
    assert vault
    done = h.street.do(
        open_case,
        Report("hazard", "charging", "x", Place("u-micro-1", "3 幢"),
               {"title": "x", "category": "charging", "address": "3 幢", "description": "拉线",
                "proxy": True, "spoken_by": "resident"},
               source="proxy", spoken_by="resident", resident=who),
        by=h.street.by("reporter"), vault=vault,
    )  # fmt: skip
    h.case, code = done.case, code_of(b"p" * 16)
    subject = subject_of(h.case, "content")
    register(vault, prepare(vault, code), subject, h.case, complainant=who, at=h.street.at)
    h.do("confirm").do("assign").do("sign_in").do("rectify").do("accept").do("close")
    assert resident(h, code) == who
    judge(h, who, "not", "只收了一半")
    dispute(h, who)
    assert h.open == ["re_accept"]


def test_the_reason_of_a_dispute_keeps_no_telephone_number(h: Hazard, door: str) -> None:
    who = closed(h, door)
    with pytest.raises(NumbersInWords):
        dispute(h, who, reason="打 13800138000")
    with pytest.raises(NumbersInWords):
        judge(h, who, "not", "打 13800138000")
    with pytest.raises(FormRefused):
        dispute(h, who, reason="")


def test_the_result_is_rated_once_for_each_closing(h: Hazard, door: str) -> None:
    who = closed(h, door)
    judge(h, who, "not", "只收了一半")
    rated = h.last("result.rated")
    assert rated.data == {"answer": "not", "words": "只收了一半"}
    assert rated.actor["person"] == who
    with pytest.raises(NotRatedNow):
        judge(h, who)
    dispute(h, who)
    with pytest.raises(NotRatedNow):
        judge(h, who)
    h.do("re_accept")
    judge(h, who)
    h.wait(days=30)
    with pytest.raises(NotRatedNow):
        judge(h, who)


def test_ratings_are_the_same_computed_by_other_means(h: Hazard, door: str) -> None:
    judge(h, closed(h, door), "satisfied")
    who = closed(h, door)
    judge(h, who, "not")
    closed(h, door)
    assert compared(h.street, "rated_satisfied") == (1, 2)


def test_it_is_not_rated_before_it_is_done(h: Hazard, door: str) -> None:
    who = resident(h, told(h, door))
    with pytest.raises(NotRatedNow):
        judge(h, who)
    h.do("confirm").do("assign").do("sign_in").do("rectify").do("accept")
    with pytest.raises(NotRatedNow):
        judge(h, who)


@pytest.mark.parametrize(("answer", "words"), [("great", ""), ("", ""), ("not", "长" * 501)])
def test_a_rating_is_one_of_three(h: Hazard, door: str, answer: str, words: str) -> None:
    who = closed(h, door)
    with pytest.raises(BadInput):
        judge(h, who, answer, words)
