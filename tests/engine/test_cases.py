"""Cases from report to end, on both databases; the whole log is verified after every test."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from audit import log
from audit.encoding import instant
from engine import casework
from engine.cases import NotYourTask, Separated
from engine.casework import ClockSetBack, Done, TooMuchText, UnknownCase
from engine.errors import NotAllowed, Refusal
from engine.forms import FormRefused
from engine.holding import (
    AlreadyHeld,
    NotFit,
    claim_task,
    delegate_task,
    reassign_task,
    release_task,
)
from engine.people import By, create_unit, grant_post, name_substitute, register_person
from engine.process import StepNotOpen
from tests.conftest import Street, photo
from tests.engine.tampering import forget_live_states

PREPARED = {"kind": "wood", "pieces": 3}


@pytest.fixture(autouse=True)
def _whole_log(street: Street) -> Iterator[None]:
    yield
    street.check()


def made(street: Street, **report: Any) -> str:
    case = street.report(**report)
    street.later(minutes=10)
    street.complete(case, "prepare#1", "head", PREPARED)
    street.later(minutes=30)
    street.complete(case, "make#1", "grid", {"what": "拆除"}, evidence=[photo()])
    return case


def test_a_case_runs_from_report_to_end_and_every_fact_is_on_the_record(street: Street) -> None:
    case = made(street)
    assert case == "workshop-2026-00001"
    street.later(hours=1)
    street.complete(case, "check_size#1", "accept", {"passed": True})
    street.complete(case, "check_look#1", "accept2", {"passed": True})
    types = street.types(case)
    assert types[:4] == ["case.opened", "case.advanced", "deadline.set", "receipt.issued"]
    assert types.count("task.claimed") == types.count("task.completed") == 4
    opened = street.entries(case)[0]
    assert opened.data["place"]["path"] == ["u-micro-1", "u-grid-1", "u-tingtao", "u-street"]
    assert opened.data["number"] == "听澜-坊-2026-00001"


def test_the_rest_ends_by_a_clock_that_is_recorded_when_the_next_command_finds_it_due(
    street: Street,
) -> None:
    from engine.timekeeping import ring

    case = made(street)
    street.complete(case, "check_size#1", "accept", {"passed": True})
    street.complete(case, "check_look#1", "accept2", {"passed": True})
    if "recheck" in str(street.entries(case)[-1].data):
        street.complete(case, "recheck#1", "other", {"passed": True})
    due = instant(street.entries(case)[-1].data["due"])
    assert street.do(ring, case, at=due - timedelta(seconds=1)) == 0
    assert street.do(ring, case, at=due + timedelta(minutes=3)) == 1
    assert street.do(ring, case, at=due + timedelta(minutes=4)) == 0
    fired = next(entry for entry in street.entries(case) if entry.type == "timer.fired")
    assert instant(fired.data["due"]) == due
    assert street.entries(case)[-1].data["ended"] == "done"


def test_warnings_overdue_and_escalation_are_recorded_once_each(street: Street) -> None:
    from engine.timekeeping import ring

    case = street.report()
    street.later(days=10)
    assert street.do(ring, case) == 4
    assert street.do(ring, case) == 0
    types = street.types(case)
    assert types[-4:] == [
        "deadline.warned", "deadline.warned", "overdue.opened", "deadline.escalated",
    ]  # fmt: skip
    street.complete(case, "prepare#1", "head", PREPARED)
    closed = street.entries(case)[-2].data["closed"][0]
    assert closed["late"] > 0
    assert not closed["in_time"]


def test_a_repeated_key_is_answered_as_before_and_writes_nothing(street: Street) -> None:
    case = street.report()
    first = street.complete(case, "prepare#1", "head", PREPARED, key="form-1")
    before = len(street.entries(case))
    again: Done = street.complete(case, "prepare#1", "head", PREPARED, key="form-1")
    assert again.repeated
    assert again.seq == first.seq
    assert len(street.entries(case)) == before


def test_on_postgresql_an_opening_and_a_step_are_written_by_one_statement_each(
    street: Street,
) -> None:
    if street.database.dialect.name != "postgresql":
        pytest.skip("SQLite is told statement by statement")
    case = street.report()
    assert written(street, case) == (set(WRITTEN), 1)
    street.complete(case, "prepare#1", "head", PREPARED)
    tables, statements = written(street, case)
    assert tables >= {"event", "outbox", "stream_head", "case_register", "act", "open_task"}
    assert statements == 1


OF_CASE = 'FROM {table} WHERE "case" = :case'
WRITTEN = {
    "event": "FROM {table} WHERE stream = :case",
    "outbox": "FROM {table} WHERE hash IN (SELECT hash FROM event WHERE stream = :case)",
    "stream_head": "FROM {table} WHERE stream = :case",
    **dict.fromkeys(
        ("case_register", "act", "part", "open_task", "case_news", "case_text"), OF_CASE
    ),
}


def written(street: Street, case: str) -> tuple[set[str], int]:
    """In which tables the last command on a case wrote, and by how many statements."""
    asked = " UNION ".join(
        f"SELECT '{table}' AS name, xmin::text, cmin::text {where.format(table=table)}"
        for table, where in WRITTEN.items()
    )
    with street.database.begin() as conn:
        rows = conn.execute(text(asked), {"case": case}).all()
    last = max(int(row.xmin) for row in rows)
    mine = [row for row in rows if int(row.xmin) == last]
    return {row.name for row in mine}, len({row.cmin for row in mine})


def test_only_the_holder_completes_a_step(street: Street) -> None:
    case = street.report()
    street.do(claim_task, case, "prepare#1", by=street.by("head"))
    with pytest.raises(NotYourTask, match="head演示"):
        street.complete(case, "prepare#1", "grid", PREPARED)
    with pytest.raises(AlreadyHeld, match="head演示"):
        street.do(claim_task, case, "prepare#1", by=street.by("grid"))
    with pytest.raises(NotYourTask):
        street.complete(case, "prepare#1", "accept", PREPARED)


def test_a_step_is_released_and_handed_over_with_its_reason(street: Street) -> None:
    case = street.report()
    street.do(claim_task, case, "prepare#1", by=street.by("head"))
    with pytest.raises(Refusal, match="理由"):
        street.do(release_task, case, "prepare#1", "  ", by=street.by("head"))
    street.do(release_task, case, "prepare#1", "今天轮休", by=street.by("head"))
    street.do(claim_task, case, "prepare#1", by=street.by("head"))
    to = street.person["grid"]
    street.do(delegate_task, case, "prepare#1", to, "去现场方便", by=street.by("head"))
    with pytest.raises(NotYourTask):
        street.complete(case, "prepare#1", "head", PREPARED)
    with pytest.raises(NotFit):
        street.do(
            reassign_task, case, "prepare#1", street.person["accept"], "x", by=street.by("watch")
        )
    to = street.person["head"]
    street.do(reassign_task, case, "prepare#1", to, "负责人办理", by=street.by("watch"))
    street.complete(case, "prepare#1", "head", PREPARED)


def test_nobody_checks_what_they_made_not_even_as_a_substitute(street: Street) -> None:
    case = street.report()
    street.complete(case, "prepare#1", "head", PREPARED)
    street.complete(case, "make#1", "grid", {"what": "拆除"}, evidence=[photo()])
    # The maker is named to stand in for an acceptor: the register allows it, the case does not.
    street.do(
        name_substitute, street.person["accept"], street.person["grid"],
        end=street.at + timedelta(days=3), reason="出差", by=street.by("accept"),
    )  # fmt: skip
    with pytest.raises(Separated, match="制作"):
        street.complete(case, "check_look#1", "grid", {"passed": True})


def test_a_substitute_acts_under_their_own_name_and_for_whom(street: Street) -> None:
    case = made(street)
    street.do(
        name_substitute, street.person["accept"], street.person["leader"],
        end=street.at + timedelta(days=3), reason="出差", by=street.by("accept"),
    )  # fmt: skip
    street.do(claim_task, case, "check_look#1", by=street.by("accept"))
    street.complete(case, "check_look#1", "leader", {"passed": True})
    actor = street.entries(case)[-2].actor
    assert actor["person"] == street.person["leader"]
    assert actor["on_behalf_of"] == street.person["accept"]


def test_a_form_with_faults_writes_nothing_and_says_which_field(street: Street) -> None:
    case = street.report()
    before = street.types(case)
    with pytest.raises(FormRefused) as refused:
        street.complete(case, "prepare#1", "head", {"kind": "wood"})
    assert refused.value.errors[0].field == "pieces"
    with pytest.raises(FormRefused, match="没有“抽查”的岗位"):
        street.complete(case, "prepare#1", "head", PREPARED | {"rechecker": street.person["fixer"]})
    assert street.types(case) == before


def test_a_step_that_asks_for_a_photo_is_refused_without_one(street: Street) -> None:
    case = street.report()
    street.complete(case, "prepare#1", "head", PREPARED)
    with pytest.raises(FormRefused, match="照片"):
        street.complete(case, "make#1", "grid", {"what": "拆除"})


def test_unknown_cases_done_steps_and_strangers_are_refused_in_words(street: Street) -> None:
    case = street.report()
    with pytest.raises(UnknownCase, match="workshop-2026-09999"):
        street.complete("workshop-2026-09999", "prepare#1", "head", PREPARED)
    with pytest.raises(UnknownCase):
        street.complete("@people", "prepare#1", "head", PREPARED)
    street.complete(case, "prepare#1", "head", PREPARED)
    with pytest.raises(StepNotOpen):
        street.complete(case, "prepare#1", "head", PREPARED)
    with pytest.raises(NotAllowed):
        street.do(claim_task, case, "make#1", by=By("p-9999"))


def test_a_clock_set_back_is_refused_and_nothing_is_written(street: Street) -> None:
    case = street.report()
    before = street.types(case)
    with pytest.raises(ClockSetBack, match="时钟"):
        street.complete(case, "prepare#1", "head", PREPARED, at=street.at - timedelta(hours=1))
    assert street.types(case) == before


def test_two_people_at_once_one_wins_and_the_other_reads_a_sentence(street: Street) -> None:
    from threading import Barrier, Thread

    cases = [street.report() for _ in range(8)]
    outcomes: list[str] = []

    def race(name: str, case: str, ready: Barrier) -> None:
        ready.wait()
        try:
            street.complete(case, "prepare#1", name, PREPARED)
            outcomes.append("won")
        except Refusal as refusal:
            outcomes.append(type(refusal).__name__)

    for case in cases:
        ready = Barrier(2)
        racers = [Thread(target=race, args=(name, case, ready)) for name in ("head", "grid")]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join()
    assert outcomes.count("won") == 8
    assert outcomes.count("StepNotOpen") == 8


def test_who_stands_in_for_an_acceptor_lent_from_elsewhere_may_accept(street: Street) -> None:
    with street.database.begin() as conn:
        create_unit(
            conn, "u-lender", "department", "区消防（演示）", parent="u-district", by=None,
            at=street.at,
        )  # fmt: skip
        lent = register_person(conn, "外援演示", by=None, at=street.at)
        grant_post(conn, lent, "u-lender", "验收", ["accept"], reason="借调", by=None, at=street.at)
    case = street.report()
    big = {"kind": "metal", "pieces": 900, "rechecker": lent}  # so that the lot falls for certain
    street.complete(case, "prepare#1", "head", big)
    street.complete(case, "make#1", "grid", {"what": "拆除"}, evidence=[photo()])
    street.complete(case, "check_size#1", "accept", {"passed": True})
    street.complete(case, "check_look#1", "accept2", {"passed": True})
    street.do(
        name_substitute, lent, street.person["leader"], end=street.at + timedelta(days=9),
        reason="出差", by=By(lent),
    )  # fmt: skip
    street.complete(case, "recheck#1", "leader", {"passed": True})
    done = next(e for e in reversed(street.entries(case)) if e.type == "task.completed")
    assert done.actor["on_behalf_of"] == lent


def test_more_than_one_record_holds_is_refused_by_the_longest_answer_and_loses_nothing(
    street: Street,
) -> None:
    # A record names each file: so many of them fill it though every answer is short.
    case = street.report()
    street.complete(case, "prepare#1", "head", PREPARED)
    before = street.types(case)
    many = [photo(name=f"{n}.jpg") for n in range(300)]
    with pytest.raises(TooMuchText, match="32 KB") as refused:
        street.complete(case, "make#1", "grid", {"what": "拆除"}, evidence=many)
    assert [error.field for error in refused.value.errors] == ["what"]
    assert "attach long texts" in refused.value.english
    assert street.types(case) == before
    street.complete(case, "make#1", "grid", {"what": "拆除"}, evidence=[photo()])


def test_a_state_is_kept_at_hand_only_under_the_hash_it_is_of(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two questions, and between them somebody has acted: on a server the second sees that."""
    case = street.report()
    with street.database.begin() as conn:
        before = log.peek_hash(conn, case)
    street.complete(case, "prepare#1", "head", {"kind": "wood", "pieces": 3})
    forget_live_states()
    monkeypatch.setattr(log, "peek_hash", lambda *_: before)
    with street.database.begin() as conn:
        assert before
        assert casework.read_case(conn, case).seq > before[0]
    assert before[1] not in casework._live
