"""An identity is seen by who asked, for what was allowed, while it lasts; and each look is told."""

from datetime import datetime, timedelta

import pytest

from audit.encoding import timestamp
from engine.errors import BadInput, NotAllowed
from engine.mailbox import NotYoursToRead
from engine.people import directory, end_post, name_substitute
from engine.reasons import NoReason
from engine.roster import read_directory
from engine.unsealing import (
    AlreadyDecided,
    NoIdentity,
    NoSuchRequest,
    NotAllowedToSee,
    NotKeeper,
    OwnRequest,
    Request,
    deny_unsealing,
    grant_unsealing,
    request_unsealing,
    unsealing_requests,
    view_identity,
)
from engine.vault import SealDestroyed, destroy
from tests.engine.complaint_street import NAME, PHONE, Complaint
from tests.engine.complaint_street import complaint as complaint

WHY = "需电话核对检修日期"


def asked(complaint: Complaint, *fields: str, by: str = "searcher") -> int:
    done = complaint.do(request_unsealing, fields or ("phone",), WHY, by=by)
    return int(done.seq)


def granted(complaint: Complaint, *fields: str, by: str = "keeper", **more: object) -> int:
    request = asked(complaint, *fields)
    complaint.do(grant_unsealing, request, "确有必要", by=by, **more)
    return request


def queue(complaint: Complaint, by: str) -> list[Request]:
    street = complaint.street
    with street.database.begin() as conn:
        return unsealing_requests(conn, directory(conn), street.by(by), street.at)


def view_at(complaint: Complaint, at: datetime, request: int, by: str = "searcher") -> object:
    with complaint.street.database.begin() as conn:
        who = complaint.street.by(by)
        return view_identity(conn, complaint.vault, complaint.case, request, by=who, at=at)


# --- the usual way --------------------------------------------------------------------------------


def test_what_was_asked_for_and_allowed_can_be_seen_and_every_look_is_told(
    complaint: Complaint,
) -> None:
    request = granted(complaint.report().held(), "phone", "name")
    first = complaint.read(view_identity, request, by="searcher")
    second = complaint.read(view_identity, request, ["name"], by="searcher")
    assert first.values == {"name#1": NAME, "phone#1": PHONE}
    assert second.values == {"name#1": NAME}
    told = [entry.data for entry in complaint.all("identity.viewed")]
    assert told == [
        {"request": request, "fields": ["name", "phone"]},
        {"request": request, "fields": ["name"]},
    ]


def test_asking_and_deciding_say_who_what_for_and_until_when(complaint: Complaint) -> None:
    request = granted(complaint.report().held())
    asking, decision = complaint.last("unseal.requested"), complaint.last("unseal.granted")
    assert asking.seq == request
    assert asking.data == {"fields": ["phone"], "purpose": WHY}
    assert asking.actor["person"] == complaint.street.person["searcher"]
    assert decision.data["until"] == timestamp(decision.at + timedelta(hours=24))
    assert decision.data["reason"] == "确有必要"
    assert decision.actor["capacity"] == "custody"


def test_a_refusal_is_kept_too_and_another_request_may_follow(complaint: Complaint) -> None:
    request = asked(complaint.report().held())
    complaint.do(deny_unsealing, request, "可经信箱联系", by="keeper")
    with pytest.raises(NotAllowedToSee):
        complaint.read(view_identity, request, by="searcher")
    again = granted(complaint)
    assert complaint.read(view_identity, again, by="searcher").values == {"phone#1": PHONE}
    assert len(complaint.all("unseal.denied")) == 1


def test_the_queue_of_a_keeper_holds_what_waits_and_only_that(complaint: Complaint) -> None:
    request = asked(complaint.report().held())
    (waiting,) = queue(complaint, "keeper")
    assert (waiting.case, waiting.seq, waiting.fields) == (complaint.case, request, ("phone",))
    assert waiting.purpose == WHY
    assert [one.seq for one in queue(complaint, "district")] == [request]
    for nobody in ("searcher", "watch", "leader", "intake"):
        assert queue(complaint, nobody) == []
    complaint.do(deny_unsealing, request, "不必", by="keeper")
    assert queue(complaint, "keeper") == []


def test_requests_of_cases_that_ended_wait_no_more(complaint: Complaint) -> None:
    asked(complaint.report().held())
    complaint.ended()
    assert queue(complaint, "keeper") == []


# --- who may ask ----------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["searcher2", "keeper", "watch", "leader", "grid"])
def test_only_the_holder_of_the_investigation_asks(complaint: Complaint, by: str) -> None:
    complaint.report().held()
    with pytest.raises(NotYoursToRead):
        asked(complaint, by=by)


def test_a_step_that_reads_but_does_not_investigate_does_not_ask(complaint: Complaint) -> None:
    complaint.report("desk").held("intake")
    with pytest.raises(NotYoursToRead):
        asked(complaint, by="intake")


@pytest.mark.parametrize("fields", [["description"], ["phone", "address"], []])
def test_what_is_no_part_of_the_identity_cannot_be_asked_for(
    complaint: Complaint, fields: list[str]
) -> None:
    complaint.report().held()
    with pytest.raises(NoIdentity):
        complaint.do(request_unsealing, fields, WHY, by="searcher")


def test_an_anonymous_complaint_has_no_identity_to_ask_for(complaint: Complaint) -> None:
    complaint.report(name=None, phone=None).held()
    with pytest.raises(NoIdentity):
        asked(complaint)


def test_a_purpose_is_needed_and_one_request_at_a_time(complaint: Complaint) -> None:
    complaint.report().held()
    with pytest.raises(NoReason):
        complaint.do(request_unsealing, ["phone"], " ", by="searcher")
    asked(complaint)
    with pytest.raises(AlreadyDecided):
        asked(complaint, "name")


# --- who may decide -------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["searcher", "searcher2", "watch", "leader", "intake", "grid"])
def test_only_keepers_of_the_street_and_above_decide(complaint: Complaint, by: str) -> None:
    request = asked(complaint.report().held())
    for decide in (grant_unsealing, deny_unsealing):
        with pytest.raises(NotKeeper):
            complaint.do(decide, request, "可以", by=by)


def test_a_keeper_who_investigates_does_not_decide_about_their_own_asking(
    complaint: Complaint,
) -> None:
    request = asked(complaint.report().held("keeper2"), by="keeper2")
    for decide in (grant_unsealing, deny_unsealing):
        with pytest.raises(OwnRequest):
            complaint.do(decide, request, "可以", by="keeper2")
    assert queue(complaint, "keeper2") == []
    complaint.do(grant_unsealing, request, "可以", by="keeper")


def test_nobody_decides_for_whom_they_stand_in_nor_for_who_stands_in_for_them(
    complaint: Complaint,
) -> None:
    street = complaint.report().held().street
    request = asked(complaint)
    person, until = street.person, street.at + timedelta(days=3)
    street.do(
        name_substitute, person["searcher"], person["keeper"], end=until, reason="休假", by=None
    )
    with pytest.raises(OwnRequest):
        complaint.do(grant_unsealing, request, "可以", by="keeper")
    street.do(
        name_substitute, person["keeper"], person["searcher"], end=until, reason="休假", by=None
    )
    with pytest.raises(OwnRequest):
        complaint.do(grant_unsealing, request, "可以", by="searcher")
    complaint.do(grant_unsealing, request, "可以", by="district")


def test_those_the_case_is_about_neither_decide_nor_see_what_waits(complaint: Complaint) -> None:
    request = asked(complaint.report(accused=["u-gas"]).held())
    for accused in ("gas", "mayor"):  # of the unit, and who approves for it
        with pytest.raises(NotAllowed):
            complaint.do(grant_unsealing, request, "可以", by=accused)
        assert queue(complaint, accused) == []
    complaint.do(grant_unsealing, request, "可以", by="keeper")


def test_somebody_who_stands_in_for_the_accused_does_not_decide(complaint: Complaint) -> None:
    street = complaint.report(accused=["u-gas"]).held().street
    request = asked(complaint)
    street.do(
        name_substitute, street.person["gas"], street.person["keeper"],
        end=street.at + timedelta(days=3), reason="休假", by=None,
    )  # fmt: skip
    with pytest.raises(NotAllowed):
        complaint.do(grant_unsealing, request, "可以", by="keeper")


def test_a_request_is_decided_once(complaint: Complaint) -> None:
    request = granted(complaint.report().held())
    for decide in (grant_unsealing, deny_unsealing):
        with pytest.raises(AlreadyDecided):
            complaint.do(decide, request, "再来", by="keeper2")
    with pytest.raises(NoSuchRequest):
        complaint.do(grant_unsealing, request + 1, "可以", by="keeper")
    with pytest.raises(NoSuchRequest):
        complaint.do(grant_unsealing, 1, "可以", by="keeper")


@pytest.mark.parametrize("hours", [-1, 0, 73, 24 * 365])
def test_the_time_to_look_is_limited(complaint: Complaint, hours: int) -> None:
    request = asked(complaint.report().held())
    until = complaint.street.at + timedelta(hours=hours, minutes=1)  # `do` lets a minute pass
    with pytest.raises(BadInput):
        complaint.do(grant_unsealing, request, "可以", by="keeper", until=until)


# --- who may look ---------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["searcher2", "keeper", "keeper2", "watch", "gas"])
def test_nobody_else_looks_not_even_who_allowed_it(complaint: Complaint, by: str) -> None:
    request = granted(complaint.report().held())
    with pytest.raises(NotAllowedToSee):
        complaint.read(view_identity, request, by=by)
    assert complaint.all("identity.viewed") == []


def test_before_the_decision_and_for_other_parts_there_is_nothing_to_see(
    complaint: Complaint,
) -> None:
    request = asked(complaint.report().held())
    with pytest.raises(NotAllowedToSee):
        complaint.read(view_identity, request, by="searcher")
    complaint.do(grant_unsealing, request, "可以", by="keeper")
    for fields in (["name"], ["phone", "name"], []):
        with pytest.raises(NotAllowedToSee):
            complaint.read(view_identity, request, fields, by="searcher")
    with pytest.raises(NoSuchRequest):
        complaint.read(view_identity, 1, by="searcher")


def test_the_identity_is_seen_until_the_instant_and_not_at_it(complaint: Complaint) -> None:
    until = complaint.street.at + timedelta(hours=2)
    request = granted(complaint.report().held(), until=until)
    view_at(complaint, until - timedelta(milliseconds=1), request)
    with pytest.raises(NotAllowedToSee):
        view_at(complaint, until, request)


def test_when_the_investigation_is_over_so_is_looking(complaint: Complaint) -> None:
    request = granted(complaint.report().held())
    complaint.ended()
    with pytest.raises(NotYoursToRead):
        complaint.read(view_identity, request, by="searcher")


def test_who_lost_the_post_looks_no_more(complaint: Complaint) -> None:
    request = granted(complaint.report().held())
    street = complaint.street
    with street.database.begin() as conn:
        (post,) = read_directory(conn).posts_of(street.person["searcher"], street.at)
    street.do(end_post, post.id, reason="调离", by=None)
    with pytest.raises(NotAllowed):
        complaint.read(view_identity, request, by="searcher")


def test_a_destroyed_identity_cannot_be_seen_though_it_was_allowed(complaint: Complaint) -> None:
    request = granted(complaint.report().held())
    destroy(complaint.vault, f"{complaint.case}/identity", at=complaint.street.at)
    with pytest.raises(SealDestroyed):
        complaint.read(view_identity, request, by="searcher")
    assert complaint.all("identity.viewed") == []
