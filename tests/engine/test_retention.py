"""Sealed content and identities end in time, the log says so, and goes on to verify."""

from datetime import timedelta

import pytest
from sqlalchemy import delete

from engine.handover import hand_over
from engine.retention import REASON, destroy_due
from engine.vault import destroyed, subjects, transaction, value_table
from engine.verification import verify
from tests.engine.complaint_street import Complaint, PowerFailure, power_failure
from tests.engine.complaint_street import complaint as complaint

KEEP = timedelta(days=180)


def run(complaint: Complaint, **later: float) -> int:
    street = complaint.street
    return destroy_due(street.database, complaint.vault, at=street.later(**later), after=KEEP)


def test_what_a_case_sealed_is_destroyed_when_its_time_is_over(complaint: Complaint) -> None:
    complaint.report().held().ended()
    assert run(complaint, days=179) == 0
    assert run(complaint, days=2) == 2
    assert subjects(complaint.vault) == []
    told = [entry.data for entry in complaint.all("sealed.destroyed")]
    assert told == [
        {"subject": f"{complaint.case}/{seal}", "reason": REASON, "retention": "P180D"}
        for seal in ("content", "identity")
    ]
    assert complaint.last("sealed.destroyed").actor == {"engine": "shaoji"}


def test_it_is_said_once(complaint: Complaint) -> None:
    complaint.report().held().ended()
    assert [run(complaint, days=200), run(complaint, days=1), run(complaint, days=1)] == [2, 0, 0]
    assert len(complaint.all("sealed.destroyed")) == 2


def test_cases_that_run_keep_what_they_have(complaint: Complaint) -> None:
    complaint.report().held()
    assert run(complaint, days=3650) == 0
    assert len(subjects(complaint.vault)) == 2


def test_the_log_verifies_afterwards_though_nothing_can_be_read(complaint: Complaint) -> None:
    complaint.report().held().ended()
    run(complaint, days=200)
    with transaction(complaint.vault) as conn:
        conn.execute(delete(value_table))
    with complaint.street.database.begin() as conn:
        assert verify(conn).problems == ()


def test_after_a_crash_the_next_run_says_what_was_done(complaint: Complaint) -> None:
    complaint.report().held().ended()
    with power_failure(complaint.street), pytest.raises(PowerFailure):
        run(complaint, days=200)
    assert complaint.all("sealed.destroyed") == []
    assert destroyed(complaint.vault, f"{complaint.case}/content")
    assert run(complaint, days=1) == 2
    assert len(complaint.all("sealed.destroyed")) == 2


def test_what_went_to_another_body_is_not_said_to_be_destroyed_again(complaint: Complaint) -> None:
    complaint.report("desk").held("intake")
    complaint.read(hand_over, body="区纪检（演示）", public_key=b"\x09" + bytes(31), by="intake")
    complaint.ended("intake")
    assert run(complaint, days=200) == 0
    assert len(complaint.all("sealed.destroyed")) == 2
    assert subjects(complaint.vault, alive=False) == []
