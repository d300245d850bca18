"""What a person or a unit did in a period: in time first, then late, each limit where it passed."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from audit.reports.case import case_record
from audit.reports.conduct import (
    CONDUCT_VERSION,
    Conduct,
    Subject,
    conduct,
    conduct_data,
    conduct_digest,
)
from engine.cases import complete_task
from engine.conduct import (
    NobodySuch,
    NoSuchPeriod,
    Wanted,
    read_conduct,
    record_conduct_export,
    record_lookup,
    wanted_of,
)
from engine.exports import Content
from engine.holding import claim_task, reassign_task
from engine.oversight import urge
from engine.people import directory, end_post, grant_post, name_substitute
from engine.reasons import NoReason
from engine.rights import NotYoursToReport
from tests.conftest import NOON, Street
from tests.engine.complaint_street import *  # noqa: F403 - the complaint's fixtures
from tests.engine.complaint_street import Complaint

PREPARED = {"kind": "wood", "pieces": 3}
MARCH = {"since": NOON - timedelta(days=1), "until": NOON + timedelta(days=20)}


@pytest.fixture(autouse=True)
def _whole_log(street: Street) -> Iterator[None]:
    yield
    street.check()


def about(street: Street, name: str = "", unit: str = "", **period: Any) -> Wanted:
    kind, id_ = ("person", street.person[name]) if name else ("unit", unit)
    return Wanted(kind, id_, **(MARCH | period))


def told(street: Street, wanted: Wanted, by: str = "watch") -> Conduct:
    with street.database.begin() as conn:
        found, records = read_conduct(conn, wanted, by=street.by(by), at=street.at)
    assert set(records) == {ref.case for ref in found.cases}
    return found


def tasks(lines: Any) -> list[str]:
    return [one.line.task for one in lines]


# --- what counts ----------------------------------------------------------------------------------


def test_what_was_done_in_time_and_what_had_no_limit_stand_apart(street: Street) -> None:
    case = street.report()
    street.later(minutes=30)
    street.complete(case, "prepare#1", "head", PREPARED)
    street.later(days=1)
    head = told(street, about(street, "head"))
    assert tasks(head.kept) == ["prepare#1"]
    assert (head.late, head.elsewhere, head.open) == ((), (), ())
    assert [ref.case for ref in head.cases] == [case]
    grid = told(street, about(street, "grid"))
    assert [one.line.how for one in grid.untimed] == ["reported"]
    assert grid.kept == ()


def test_a_limit_that_passed_in_ones_hands_is_ones_own_with_ones_own_explanation(
    street: Street,
) -> None:
    case = street.report()
    street.do(claim_task, case, "prepare#1", by=street.by("head"))
    street.later(days=10)
    street.complete(case, "prepare#1", "head", PREPARED, note="等材料，晚了")
    street.later(minutes=1)
    head = told(street, about(street, "head"))
    (late,) = head.late
    assert (late.line.task, late.holder, late.note) == (
        "prepare#1", street.person["head"], "等材料，晚了",
    )  # fmt: skip
    assert late.since < late.due < late.line.closed
    assert (head.kept, head.elsewhere) == ((), ())


def test_what_waited_until_its_limit_with_nobody_is_not_of_whoever_did_it_then(
    street: Street,
) -> None:
    case = street.report()
    street.later(days=10)
    street.complete(case, "prepare#1", "head", PREPARED)
    street.later(minutes=1)
    head = told(street, about(street, "head"))
    assert head.late == ()
    (one,) = head.elsewhere
    assert (one.line.task, one.holder) == ("prepare#1", None)
    # For the unit whose step it was, it is late all the same.
    assert tasks(told(street, about(street, unit="u-tingtao")).late) == ["prepare#1"]


def test_a_step_handed_on_after_its_limit_is_late_for_the_first_and_not_for_the_second(
    street: Street,
) -> None:
    case = street.report()
    street.do(claim_task, case, "prepare#1", by=street.by("head"))
    street.later(days=10)
    street.do(
        reassign_task, case, "prepare#1", street.person["grid"], "换人", by=street.by("watch")
    )
    street.complete(case, "prepare#1", "grid", PREPARED, note="刚接手")
    street.later(minutes=1)
    first, second = (told(street, about(street, name)) for name in ("head", "grid"))
    (late,) = first.late
    assert (late.note, late.done_by and late.done_by.person) == (None, street.person["grid"])
    assert second.late == ()
    assert tasks(second.elsewhere) == ["prepare#1"]
    assert told(street, about(street, "watch")).acts == {"task.reassigned": 1}


def test_what_a_substitute_did_is_the_substitutes(street: Street) -> None:
    case = street.report()
    street.do(
        name_substitute, street.person["head"], street.person["fixer"],
        end=street.at + timedelta(days=9), reason="休假", by=street.by("head"),
    )  # fmt: skip
    by = street.by("fixer", on_behalf_of=street.person["head"])
    street.do(complete_task, case, "prepare#1", PREPARED, by=by)
    street.later(minutes=1)
    absent, deputy = told(street, about(street, "head")), told(street, about(street, "fixer"))
    assert (absent.kept, absent.lent) == ((), 1)
    assert tasks(deputy.kept) == ["prepare#1"]


def test_what_is_in_hand_at_the_end_of_the_period_is_told_as_it_stood_then(street: Street) -> None:
    case = street.report()
    street.do(claim_task, case, "prepare#1", by=street.by("head"))
    street.later(days=1)
    # Any command rings the clocks that are due; else the worker does, within seconds.
    street.do(urge, case, "请抓紧", by=street.by("watch"))
    street.later(minutes=1)
    end = street.at
    street.later(days=1)
    street.complete(case, "prepare#1", "head", PREPARED)
    street.later(minutes=1)
    early = told(street, about(street, "head", until=end))
    assert (tasks(early.open), early.kept) == (["prepare#1"], ())
    later = told(street, about(street, "head", since=end))
    assert (later.open, later.kept, later.late) == ((), (), ())
    # Its limit had passed before: counted there, and done here.
    assert tasks(later.finished) == tasks(early.late) == ["prepare#1"]


def test_a_unit_is_told_by_step_and_by_the_units_directly_below(street: Street) -> None:
    case = street.report()
    street.later(minutes=30)
    street.complete(case, "prepare#1", "head", PREPARED)
    street.later(minutes=1)
    found = told(street, about(street, unit="u-street"))
    assert {(one.element, one.kept, one.untimed) for one in found.steps} >= {
        ("prepare", 1, 0), ("report", 0, 1),
    }  # fmt: skip
    (row,) = [one for one in found.units if one.unit == "u-tingtao"]
    assert (row.kept, row.untimed, row.late) == (1, 1, 0)
    other = told(street, about(street, unit="u-other"))
    assert (other.cases, other.steps, other.units) == ((), (), ())


# --- computed again -------------------------------------------------------------------------------


def test_anybody_with_the_entries_computes_the_same_content(street: Street) -> None:
    case = street.report()
    street.later(minutes=30)
    street.complete(case, "prepare#1", "head", PREPARED)
    street.later(minutes=1)
    wanted = about(street, "head")
    found = told(street, wanted)
    entries = [entry for entry in street.entries(case) if entry.at < wanted.until]
    with street.database.begin() as conn:
        _, records = read_conduct(conn, wanted, by=street.by("watch"), at=street.at)
    again = case_record(entries, records[case].elements)
    other = conduct(found.log, [again], Subject("person", wanted.id), wanted.since, wanted.until)
    assert conduct_digest(other) == conduct_digest(found)
    assert hashlib.sha256(conduct_data(found)).hexdigest() == conduct_digest(found)
    assert conduct_digest(told(street, about(street, "grid"))) != conduct_digest(found)


# --- who may, and what is recorded ----------------------------------------------------------------


def test_oneself_everybody_others_supervision_and_discipline_over_their_unit(
    street: Street,
) -> None:
    street.report()
    street.later(minutes=1)
    assert told(street, about(street, "fixer"), by="fixer").cases == ()
    assert told(street, about(street, "fixer"), by="watch").cases == ()
    for name in ("head", "leader", "dispatch"):
        with pytest.raises(NotYoursToReport):
            told(street, about(street, "fixer"), by=name)
        with pytest.raises(NotYoursToReport):
            told(street, about(street, unit="u-tingtao"), by=name)
    post = ("u-tingtao", "社区督查", ["supervise"])
    street.do(grant_post, street.person["close"], *post, reason="到任", by=None)
    street.later(minutes=1)
    assert told(street, about(street, "head"), by="close")
    with pytest.raises(NotYoursToReport):
        told(street, about(street, "fixer"), by="close")
    with pytest.raises(NotYoursToReport):
        told(street, about(street, unit="u-street"), by="close")


def test_who_has_left_is_reported_on_for_the_time_of_their_post(street: Street) -> None:
    with street.database.begin() as conn:
        post = directory(conn).posts_of(street.person["head"], street.at)[0].id
    street.do(end_post, post, reason="调离", by=None)
    left = street.at
    street.later(days=2)
    assert told(street, about(street, "head", until=left))
    with pytest.raises(NotYoursToReport):
        told(street, about(street, "head", since=left, until=street.at))


def test_of_a_complaint_a_unit_is_told_nothing_and_whoever_is_on_it_their_own(
    complaint: Complaint,
) -> None:
    complaint.report().held().ended()
    street = complaint.street
    street.later(minutes=1)
    assert told(street, about(street, unit="u-street")).cases == ()
    assert told(street, about(street, "searcher"), by="watch").cases == ()
    own = told(street, about(street, "searcher"), by="searcher")
    assert [ref.case for ref in own.cases] == [complaint.case]


def test_looking_up_others_is_an_event_with_its_reason_and_oneself_is_none(
    street: Street,
) -> None:
    street.later(minutes=1)
    wanted = about(street, "head")
    with pytest.raises(NoReason):
        street.do(record_lookup, wanted, " ", by=street.by("watch"))
    entry = street.do(record_lookup, wanted, "初核", by=street.by("watch"))
    assert (entry.stream, entry.type) == ("@log", "conduct.viewed")
    assert entry.data == {**wanted.told, "purpose": "初核"}
    assert (entry.actor["person"], entry.actor["unit"]) == (street.person["watch"], "u-street")
    assert street.do(record_lookup, wanted, "", by=street.by("head")) is None
    with pytest.raises(NotYoursToReport):
        street.do(record_lookup, wanted, "好奇", by=street.by("fixer"))


def test_an_export_is_an_event_with_the_digest_of_what_left(street: Street) -> None:
    street.later(minutes=1)
    wanted = about(street, unit="u-tingtao")
    content = Content("ab" * 32, CONDUCT_VERSION, 7, "cd" * 32)
    more = {"cases": 0, "sha256": "ef" * 32, "pages": 3, "content": content}
    entry = street.do(record_conduct_export, wanted, **more, purpose="季度", by=street.by("watch"))
    assert entry.data["digest"] == "ab" * 32
    assert (entry.data["unit"], entry.data["size"]) == ("u-tingtao", 7)
    assert wanted_of(entry.data) == wanted
    with pytest.raises(NotYoursToReport):
        street.do(record_conduct_export, wanted, **more, purpose="x", by=street.by("fixer"))
    with pytest.raises(NoReason):
        street.do(record_conduct_export, wanted, **more, purpose="", by=street.by("watch"))


@pytest.mark.parametrize(
    ("since", "until"),
    [(0, 0), (3, 1), (25, 30), (-400, 1)],
)
def test_a_period_has_begun_and_is_a_year_at_most(street: Street, since: int, until: int) -> None:
    street.later(days=20)
    period = {"since": NOON + timedelta(since), "until": NOON + timedelta(until)}
    with pytest.raises(NoSuchPeriod):
        told(street, about(street, "head", **period))


@pytest.mark.parametrize(("kind", "id_"), [("person", "p-9999"), ("unit", "u-x"), ("dog", "p-1")])
def test_nobody_such_is_refused(street: Street, kind: str, id_: str) -> None:
    street.later(minutes=1)
    with pytest.raises(NobodySuch):
        told(street, Wanted(kind, id_, **MARCH))
