"""Who looked at a case: an event of a confidential one, a line of a register of any other."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from engine.casework import UnknownCase, read_case
from engine.mailbox import read_content
from engine.people import directory, grant_post, name_substitute
from engine.rights import (
    NotYoursToAudit,
    NotYoursToSee,
    check_may_see_looks,
    may_see,
    may_see_looks,
    seen_as,
)
from engine.unsealing import grant_unsealing, request_unsealing, view_identity
from engine.viewings import Look, NothingSeen, Sight, is_noted, looks_at, note_look
from tests.conftest import Street
from tests.engine.complaint_street import *  # noqa: F403 - the complaint's fixtures
from tests.engine.complaint_street import Complaint

PAGE = Sight("page")
PHOTO = Sight("photo", "ab" * 32)


@pytest.fixture(autouse=True)
def _whole_log(street: Street) -> Iterator[None]:
    yield
    street.check()


def look(street: Street, case: str, name: str, sight: Sight = PAGE) -> None:
    street.do(note_look, case, sight, by=street.by(name))


def told(street: Street, case: str) -> list[Look]:
    with street.database.begin() as conn:
        return list(looks_at(conn, case))


# --- a case like any other ------------------------------------------------------------------------


def test_a_look_is_a_line_with_the_post_and_what_was_seen_and_no_event(street: Street) -> None:
    case = street.report()
    before = street.types(case)
    look(street, case, "watch")
    look(street, case, "watch", PHOTO)
    (one,) = told(street, case)
    assert (one.person, one.unit, one.on_behalf_of) == (street.person["watch"], "u-street", None)
    assert one.post
    assert one.sights == (PAGE, PHOTO)
    assert one.seq is None
    assert street.types(case) == before


def test_each_hour_has_a_line_and_the_same_look_is_noted_once_in_it(street: Street) -> None:
    case = street.report()
    look(street, case, "watch")
    street.later(minutes=20)
    look(street, case, "watch")
    with street.database.begin() as conn:
        asked = {"by": street.by("watch"), "at": street.at}
        assert is_noted(conn, case, PAGE, **asked)
        assert not is_noted(conn, case, PHOTO, **asked)
        assert not is_noted(conn, case, PAGE, by=street.by("head"), at=street.at)
        later = street.at + timedelta(hours=1)
        assert not is_noted(conn, case, PAGE, by=street.by("watch"), at=later)
    street.later(hours=1)
    look(street, case, "watch")
    look(street, case, "head")
    lines = told(street, case)
    assert len(lines) == 3
    assert lines[-1].until - lines[-1].at == timedelta(minutes=20)
    assert [one.at for one in lines] == sorted((one.at for one in lines), reverse=True)


def test_a_substitute_looks_on_behalf_of_whoever_is_absent(street: Street) -> None:
    case = street.report(by="fixer")
    street.do(
        name_substitute, street.person["fixer"], street.person["fixer2"],
        end=street.at + timedelta(days=1), reason="休假", by=street.by("fixer"),
    )  # fmt: skip
    look(street, case, "fixer2")
    (one,) = told(street, case)
    assert (one.person, one.on_behalf_of) == (street.person["fixer2"], street.person["fixer"])


def test_whoever_has_a_part_and_no_post_any_more_looks_without_one(street: Street) -> None:
    case = street.report(by="fixer")
    with street.database.begin() as conn:
        people, state = directory(conn), read_case(conn, case)
        assert seen_as(state, people, street.by("fixer"), street.at)
        before_any_post = street.at - timedelta(days=365)
        assert seen_as(state, people, street.by("fixer"), before_any_post) is None


def test_who_may_not_see_a_case_has_not_looked_at_it(street: Street) -> None:
    case = street.report()
    with pytest.raises(NotYoursToSee):
        look(street, case, "fixer")
    with pytest.raises(NothingSeen):
        look(street, case, "watch", Sight("dream"))
    with pytest.raises(UnknownCase):
        look(street, "hazard-2026-09999", "watch")
    assert told(street, case) == []


# --- a confidential case --------------------------------------------------------------------------


def test_a_look_at_a_complaint_is_an_event_of_it_once_an_hour(complaint: Complaint) -> None:
    complaint.report().held()
    street = complaint.street
    look(street, complaint.case, "searcher")
    look(street, complaint.case, "searcher")
    look(street, complaint.case, "searcher", PHOTO)
    assert [entry.data for entry in complaint.all("file.viewed")] == [
        {"what": "page"}, {"what": "photo", "sha256": PHOTO.sha256},
    ]  # fmt: skip
    entry = complaint.last("file.viewed")
    assert entry.actor["person"] == street.person["searcher"]
    assert (entry.actor["capacity"], entry.actor["unit"]) == ("view", "u-street")
    street.later(hours=1)
    look(street, complaint.case, "searcher")
    assert len(complaint.all("file.viewed")) == 3


def test_a_look_changes_nothing_of_the_state_of_a_complaint(complaint: Complaint) -> None:
    complaint.report().held()
    with complaint.street.database.begin() as conn:
        before = read_case(conn, complaint.case)
    look(complaint.street, complaint.case, "searcher")
    with complaint.street.database.begin() as conn:
        after = read_case(conn, complaint.case)
    assert (after.tasks, after.variables, after.marking) == (
        before.tasks, before.variables, before.marking,
    )  # fmt: skip
    complaint.ended()


def test_what_was_read_and_every_identity_seen_are_among_the_looks(complaint: Complaint) -> None:
    complaint.report().held()
    complaint.read(read_content, by="searcher")
    complaint.do(request_unsealing, ["phone"], "核对日期", by="searcher")
    asked = complaint.last("unseal.requested").seq
    until = complaint.street.at + timedelta(hours=4)
    complaint.do(grant_unsealing, asked, "需要核对", until=until, by="keeper")
    complaint.read(view_identity, asked, by="searcher")
    seen = [one.sights[0].what for one in told(complaint.street, complaint.case)]
    assert seen == ["identity", "sealed"]
    assert all(one.seq for one in told(complaint.street, complaint.case))


def test_who_is_kept_out_of_a_complaint_leaves_no_look(complaint: Complaint) -> None:
    complaint.report(accused=["u-gas"]).held()
    with pytest.raises(NotYoursToSee):
        look(complaint.street, complaint.case, "gas")
    assert complaint.all("file.viewed") == []


# --- who is told ----------------------------------------------------------------------------------


def auditors(street: Street, case: str) -> set[str]:
    with street.database.begin() as conn:
        people, state = directory(conn), read_case(conn, case)
        asked = {name: street.by(name) for name in street.person}
        return {name for name, by in asked.items() if may_see_looks(state, people, by, street.at)}


@pytest.fixture
def officer(street: Street) -> str:
    """`close` is given a second post: discipline officer of the street."""
    post = ("u-street", "纪检员", ["discipline"])
    street.do(grant_post, street.person["close"], *post, reason="到任", by=None)
    return "close"


def test_looks_are_told_to_those_with_a_part_to_supervision_and_discipline(
    street: Street, officer: str
) -> None:
    case = street.report()
    assert auditors(street, case) == {"grid", "watch", officer}
    with street.database.begin() as conn:
        people, state = directory(conn), read_case(conn, case)
        with pytest.raises(NotYoursToAudit):
            check_may_see_looks(state, people, street.by("head"), street.at)


def test_of_a_complaint_supervision_is_told_nothing_and_discipline_who_looked_alone(
    complaint: Complaint, officer: str
) -> None:
    complaint.report().held()
    street = complaint.street
    assert auditors(street, complaint.case) & {"watch", officer, "searcher", "gas"} == {
        officer, "searcher",
    }  # fmt: skip
    with street.database.begin() as conn:
        people, state = directory(conn), read_case(conn, complaint.case)
        assert not may_see(state, people, street.by(officer), street.at)


def test_discipline_that_is_kept_out_is_told_nothing(complaint: Complaint) -> None:
    street = complaint.street
    post = ("u-gas", "纪检员", ["discipline"])
    street.do(grant_post, street.person["gas"], *post, reason="兼任", by=None)
    complaint.report(accused=["u-gas"])
    assert "gas" not in auditors(street, complaint.case)


def test_discipline_sees_the_cases_of_its_street_and_no_complaint_that_is_not_its(
    complaint: Complaint, officer: str
) -> None:
    complaint.report()
    street = complaint.street
    case = street.report()
    with street.database.begin() as conn:
        people = directory(conn)
        sees = {
            one: may_see(read_case(conn, one), people, street.by(officer), street.at)
            for one in (case, complaint.case)
        }
    assert sees == {case: True, complaint.case: False}
