"""A report that was asked for is made by one worker at a time and recorded once, whoever dies."""

import hashlib
from datetime import timedelta

import pytest

from audit.entries import Entry
from engine import report_jobs
from engine.casework import look
from engine.exports import MayNotExport
from engine.people import directory, end_post
from engine.reasons import NoReason
from engine.report_jobs import (
    LEASE,
    Job,
    LeaseLost,
    Made,
    NoSuchJob,
    claim,
    files_offered,
    finish,
    is_work,
    own_jobs,
    read_job,
    refuse,
    release,
    tell_stage,
)
from tests.conftest import Street

FILE = hashlib.sha256(b"report").hexdigest()


def ask(street: Street, case: str, *, by: str = "watch", key: str = "k1", **more: str) -> Job:
    told = {"purpose": "例会", "locale": "zh"} | more
    with street.database.begin() as conn:
        desk = look(conn, case, street.at)
        return report_jobs.request(conn, desk, by=street.by(by), key=key, **told)


def made(street: Street, case: str) -> Made:
    return Made(FILE, 3, street.entries(case)[-1].hash.hex())


def exports(street: Street, case: str) -> list[Entry]:
    return [entry for entry in street.entries(case) if entry.type == "report.exported"]


def claimed(street: Street, worker: str = "one") -> Job:
    found: Job | None = street.do(claim, worker)
    assert found
    return found


def test_a_report_is_asked_for_once_however_often_the_form_is_sent(street: Street) -> None:
    case = street.report()
    job = ask(street, case)
    assert (job.state, job.case, job.by) == ("requested", case, street.by("watch"))
    assert ask(street, case) == job
    other = ask(street, case, key="k2")
    assert other.id != job.id
    with street.database.begin() as conn:
        assert {one.id for one in own_jobs(conn, case, street.person["watch"])} == {
            job.id,
            other.id,
        }
        assert own_jobs(conn, case, street.person["grid"]) == []
    assert exports(street, case) == []


def test_only_who_may_export_asks_and_says_what_for(street: Street) -> None:
    case = street.report()
    with pytest.raises(MayNotExport):
        ask(street, case, by="accept")
    with pytest.raises(NoReason):
        ask(street, case, purpose=" ")
    with street.database.begin() as conn, pytest.raises(NoSuchJob):
        read_job(conn, "none")


def test_done_means_on_the_record_with_the_hash_of_the_file(street: Street) -> None:
    case = street.report()
    ask(street, case)
    job = claimed(street)
    assert (job.state, job.stage) == ("rendering", "reading")
    street.do(tell_stage, job, "one", "setting")
    with street.database.begin() as conn:
        assert read_job(conn, job.id).stage == "setting"
    street.do(finish, job, "one", made(street, case))
    with street.database.begin() as conn:
        done = read_job(conn, job.id)
        assert not is_work(conn, street.at)
        assert files_offered(conn, street.at) == {FILE}
        assert files_offered(conn, street.at + timedelta(1)) == set()
    assert (done.state, done.sha256, done.pages) == ("done", FILE, 3)
    (entry,) = exports(street, case)
    assert entry.data["sha256"] == FILE
    assert entry.data["purpose"] == "例会"
    street.check()


def test_jobs_are_taken_in_the_order_asked_and_each_by_one_worker(street: Street) -> None:
    case = street.report()
    first = ask(street, case)
    street.later(seconds=1)
    second = ask(street, case, key="k2")
    assert claimed(street, "one").id == first.id
    assert claimed(street, "two").id == second.id
    assert street.do(claim, "three") is None


def test_two_workers_at_the_same_moment_get_different_jobs(street: Street) -> None:
    if street.database.dialect.name == "sqlite":
        return  # there the second waits for the first: one writer
    case = street.report()
    ask(street, case)
    ask(street, case, key="k2")
    with street.database.begin() as one, street.database.begin() as two:
        taken = [claim(one, "one", at=street.at), claim(two, "two", at=street.at)]
    assert len({job.id for job in taken if job}) == 2


def test_a_job_whose_worker_is_not_heard_of_is_taken_over_and_recorded_once(
    street: Street,
) -> None:
    case = street.report()
    ask(street, case)
    job = claimed(street, "dead")
    street.later(seconds=LEASE.total_seconds() - 1)
    assert street.do(claim, "next") is None
    street.later(seconds=2)
    again = claimed(street, "next")
    assert (again.id, again.attempts) == (job.id, 2)
    # The first was only slow: it is turned away at every further step.
    with pytest.raises(LeaseLost):
        street.do(tell_stage, job, "dead", "setting")
    with pytest.raises(LeaseLost):
        street.do(finish, job, "dead", made(street, case))
    assert exports(street, case) == []
    street.do(finish, again, "next", made(street, case))
    with pytest.raises(LeaseLost):
        street.do(finish, job, "dead", made(street, case))
    assert len(exports(street, case)) == 1


def test_each_stage_begins_the_lease_anew(street: Street) -> None:
    ask(street, street.report())
    job = claimed(street)
    for stage in ("setting", "sealing"):
        street.later(seconds=LEASE.total_seconds() - 1)
        street.do(tell_stage, job, "one", stage)
    assert street.do(claim, "two") is None


def test_what_a_dead_worker_had_is_given_back_at_once(street: Street) -> None:
    case = street.report()
    ask(street, case)
    claimed(street, "dead")
    with street.database.begin() as conn:
        assert release(conn, "other") == 0
        assert release(conn, "dead") == 1
        assert is_work(conn, street.at)
    assert claimed(street, "next").attempts == 2


def test_who_has_lost_the_right_meanwhile_gets_no_report(street: Street) -> None:
    case = street.report()
    ask(street, case)
    job = claimed(street)
    end_watch(street)
    with pytest.raises(MayNotExport) as refused:
        street.do(finish, job, "one", made(street, case))
    assert exports(street, case) == []
    street.do(refuse, job, "one", refused.value)
    with street.database.begin() as conn:
        ended = read_job(conn, job.id)
    assert (ended.state, ended.sha256) == ("refused", None)
    assert ended.chinese == refused.value.chinese
    assert exports(street, case) == []
    street.check()


def end_watch(street: Street) -> None:
    """The supervisor's post ends."""
    with street.database.begin() as conn:
        post = directory(conn).capacities(street.person["watch"], street.at)[0].post
        end_post(conn, post, reason="调离", by=None, at=street.at)
    street.later(minutes=1)
