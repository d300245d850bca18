"""Who is told what: from the log alone, each once, nobody of what they may not see."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError

from engine import news, notice_board, notice_choices, notice_queue
from engine.casework import look
from engine.holding import claim_task, delegate_task, reassign_task, release_task
from engine.notice_board import GROUP, Outlets, notice_table, tell
from engine.notice_choices import Choice, after_quiet, choose, next_digest
from engine.notices import Notice, still_matters
from engine.oversight import answer_supervision, supervise, urge
from engine.people import By, directory, name_substitute
from engine.rights import may_see
from engine.timekeeping import grant_extension, refuse_pause, request_extension, request_pause
from engine.turns import raise_objection, return_task
from engine.worker import ring_due
from tests.conftest import Street, photo
from tests.engine import any_street
from tests.engine.complaint_street import Complaint, PowerFailure, power_failure
from tests.engine.complaint_street import complaint as complaint  # a fixture
from tests.engine.hazard_street import Hazard, hazard
from tests.engine.test_concurrency_and_crash import at_once
from tests.engine.test_imports import GOOD, sample
from tests.engine.test_imports import Desk as Importing
from tests.engine.whistle_street import whistle

ZONE = ZoneInfo("Asia/Shanghai")
MAIL = Outlets(frozenset({"mail"}), {}, ZONE)
EVERY = Outlets(frozenset({"mail", "sms"}), {"应急群": "u-emergency"}, ZONE)


@pytest.fixture
def h(street: Street) -> Iterator[Hazard]:
    made = hazard(street)
    spread(street)
    yield made
    street.check()


def spread(street: Street, outlets: Outlets = MAIL) -> int:
    """The worker works out whom the news concern; nothing may stay behind."""
    made, stuck = tell(street.database, outlets, at=street.at)
    assert not stuck, stuck
    with street.database.begin() as conn:
        assert news.count(conn) == 0
    return made


def heard(street: Street, name: str) -> list[tuple[str, str]]:
    """(kind, step) of what somebody was told, oldest first."""
    spread(street)
    with street.database.begin() as conn:
        found = notice_board.notices_of(conn, street.person[name])
    return [(one.kind, one.task) for one in reversed(found)]


def messages(street: Street) -> list[Any]:
    with street.database.begin() as conn:
        return list(notice_queue.listed(conn, ["waiting", "sending", "sent"]))


def reachable(street: Street, name: str, channel: str = "mail", **choice: Any) -> None:
    """Somebody with a confirmed address, and what they chose."""
    person = street.person[name]
    text = f"{name}@example.cn" if channel == "mail" else "000-1234"
    with street.database.begin() as conn:
        found = notice_choices.set_address(conn, person, channel, text, at=street.at)
        assert notice_choices.confirm(conn, person, channel, found.code, at=street.at)
        if choice:
            told = {"posts": (), "quiet_from": "21:00", "quiet_until": "07:30", **choice}
            choose(conn, person, **told)


def want(street: Street, name: str) -> None:
    """Somebody wants to hear of what their posts may claim."""
    person = street.person[name]
    with street.database.begin() as conn:
        held = directory(conn).posts_of(person, street.at)
        posts = [post.id for post in held]
        choose(conn, person, posts=posts, quiet_from="21:00", quiet_until="07:30")


# --- the fold -------------------------------------------------------------------------------------


def test_whoever_is_given_a_step_is_told_and_the_giver_is_not(h: Hazard) -> None:
    h.assigned()
    assert ("handed", h.task("sign_in").key) in heard(h.street, "owner")
    assert heard(h.street, "assigner") == []


def test_a_free_step_is_told_to_posts_that_want_it_alone(h: Hazard) -> None:
    want(h.street, "confirmer")
    h.report()
    assert heard(h.street, "confirmer") == [("claimable", h.task("confirm").key)]
    assert heard(h.street, "confirmer2") == []


def test_a_step_put_back_is_claimable_again_but_not_told_to_who_put_it_back(h: Hazard) -> None:
    for name in ("confirmer", "confirmer2"):
        want(h.street, name)
    h.report()
    key = h.task("confirm").key
    h.act(claim_task, key, by="confirmer")
    before = heard(h.street, "confirmer")
    h.act(release_task, key, reason="出差", by="confirmer")
    assert heard(h.street, "confirmer2")[-1] == ("claimable", key)
    assert heard(h.street, "confirmer") == before


def test_reassigning_and_delegating_tell_whoever_has_the_step_now(h: Hazard) -> None:
    h.assigned()
    key = h.task("sign_in").key
    h.act(delegate_task, key, h.street.person["owner2"], reason="他在现场", by="owner")
    assert heard(h.street, "owner2") == [("handed", key)]
    h.act(reassign_task, key, h.street.person["owner"], reason="本人办", by="assigner")
    assert heard(h.street, "owner")[-1] == ("handed", key)


def test_whoever_stands_in_for_the_holder_is_told_as_well(h: Hazard) -> None:
    h.street.do(
        name_substitute, h.street.person["owner"], h.street.person["owner2"],
        end=h.street.at + timedelta(days=9), reason="休假", by=h.street.by("owner"),
    )  # fmt: skip
    h.assigned()
    assert heard(h.street, "owner2") == [("handed", h.task("sign_in").key)]


def test_half_four_fifths_overdue_and_escalation_reach_holder_and_superior(h: Hazard) -> None:
    h.assigned().do("sign_in")
    key = h.task("rectify").key
    heard(h.street, "owner")
    for share in (0.51, 0.81):
        h.street.at = h.task("rectify").clock.start and h.due("rectify") - (
            h.due("rectify") - h.street.at
        ) * (1 - share)
        ring_due(h.street.database, at=h.street.at)
    told = heard(h.street, "owner")
    assert [one for one in told if one[0] == "warned"]
    h.street.at = h.due("rectify") + timedelta(minutes=1)
    ring_due(h.street.database, at=h.street.at)
    assert heard(h.street, "owner")[-1] == ("overdue", key)
    h.street.later(days=20)
    ring_due(h.street.database, at=h.street.at)
    escalated = h.last("deadline.escalated").data
    superior = {"supervise": "inspector", "approve": "chief"}[escalated["duty"]]
    assert ("escalated", key) in heard(h.street, superior)
    assert ("escalated", key) not in heard(h.street, "owner")


def test_of_several_marks_that_rang_at_once_the_last_is_told(h: Hazard) -> None:
    h.assigned().do("sign_in")
    heard(h.street, "owner")
    h.street.at = h.due("rectify") + timedelta(minutes=1)
    ring_due(h.street.database, at=h.street.at)
    marks = [one for one in heard(h.street, "owner") if one[0] in ("warned", "overdue")]
    assert marks == [("overdue", h.task("rectify").key)]


def test_urging_and_ordering_reach_the_holder_and_the_answer_whoever_ordered(h: Hazard) -> None:
    h.assigned()
    key = h.task("sign_in").key
    h.act(urge, "请尽快", by="assigner")
    h.act(supervise, "限三日内办结", by="inspector")
    assert heard(h.street, "owner")[-2:] == [("urged", key), ("ordered", key)]
    order = h.last("case.supervised").seq
    h.act(answer_supervision, order, "已安排", by="owner")
    assert heard(h.street, "inspector") == [("answered", "")]


def test_a_request_reaches_whoever_may_decide_and_the_decision_whoever_asked(h: Hazard) -> None:
    h.assigned().do("sign_in")
    key = h.task("rectify").key
    told = {"reason": "等材料", "interim": "每日巡查"}
    h.act(request_extension, key, days=3, by="owner", **told)
    assert heard(h.street, "chief")[-1] == ("request", key)
    assert ("request", key) not in heard(h.street, "owner")
    h.act(grant_extension, key, "属实", by="chief")
    assert heard(h.street, "owner")[-1] == ("granted", key)
    call = (photo("call", "函.jpg"),)
    h.act(
        request_pause, key, counterparty="区供电公司", reason="等断电",
        resume_by=h.street.at + timedelta(days=4), evidence=call, by="owner",
    )  # fmt: skip
    assert heard(h.street, "assigner")[-1] == ("request", key)
    h.act(refuse_pause, key, "不必等", by="assigner")
    assert heard(h.street, "owner")[-1] == ("refused", key)


def test_an_objection_that_is_ruled_is_told_to_whoever_objected(h: Hazard) -> None:
    h.assigned()
    key = h.task("sign_in").key
    form = {"proposed_unit": "u-heat", "legal_basis": "职责清单", "reason": "归供热"}
    h.act(raise_objection, key, form, by="owner")
    spread(h.street)
    h.do("rule_objection")
    assert ("ruled", "") in heard(h.street, "owner")


def test_the_reporter_is_told_when_the_case_has_ended(street: Street) -> None:
    case = street.report("minimal", by="grid")
    step = next(iter(street.do(look, case).case.tasks))
    street.do(claim_task, case, step, by=street.by("head"))
    street.complete(case, step, "head", {"verdict": "settled"})
    assert heard(street, "grid")[-1] == ("closed", "")
    assert ("closed", "") not in heard(street, "head")
    street.check()


def test_what_is_sent_back_is_told_as_sent_back_to_whoever_did_it(h: Hazard) -> None:
    h.report().do("confirm")
    h.act(return_task, h.task("assign").key, "地点不清", by="assigner")
    assert heard(h.street, "confirmer")[-1] == ("returned", h.task("confirm").key)
    assert heard(h.street, "assigner") == []


def test_a_step_done_before_anybody_looked_is_no_news(h: Hazard) -> None:
    h.assigned().do("sign_in")
    assert heard(h.street, "owner") == []


# --- confidential cases ---------------------------------------------------------------------------


def test_nobody_is_told_of_a_confidential_case_who_may_not_see_it(complaint: Complaint) -> None:
    street = complaint.street
    complaint.report(accused=["u-gas"]).held("searcher")
    street.later(days=60)
    ring_due(street.database, at=street.at)
    spread(street, Outlets(frozenset({"mail"}), {"街道群": "u-street"}, ZONE))
    with street.database.begin() as conn:
        rows = list(conn.execute(select(notice_table.c.person)).scalars())
    assert set(rows) <= {street.person["searcher"]}
    assert street.person["gas"] not in rows
    assert not [one for one in rows if one.startswith(GROUP)]


def test_no_notice_at_random_goes_to_anybody_who_may_not_see_the_case(
    street: Street, vault: Any
) -> None:
    any_street.found(street)
    somebody = any_street.Somebody(street, Random(7))
    with street.database.begin() as conn:
        for person in street.person.values():
            desk_posts = [f"k-{n:04d}" for n in range(1, 400)]
            choose(conn, person, posts=desk_posts, quiet_from="0:00", quiet_until="0:00")
    kinds = set()
    for _ in range(12):
        somebody.play(10)
        before = street.at
        spread(street)
        with street.database.begin() as conn:
            fresh = [notice_board._notice(row) for row in conn.execute(select(notice_table))]
            for one in fresh:
                kinds.add(one.kind)
                desk = look(conn, one.case, before)
                if one.at == before:
                    assert may_see(desk.case, desk.directory, By(one.person), before), one
            conn.execute(delete(notice_table))
    assert {"claimable", "overdue", "escalated"} <= kinds
    street.check()


# --- once -----------------------------------------------------------------------------------------


def test_news_are_told_once_however_often_the_worker_looks(h: Hazard) -> None:
    h.assigned()
    assert spread(h.street) > 0
    assert spread(h.street) == 0


def test_a_worker_that_dies_before_it_has_committed_has_told_nothing(h: Hazard) -> None:
    h.assigned()
    with pytest.raises(PowerFailure), power_failure(h.street):
        h.street.do(notice_board.tell_case, h.case, MAIL)
    assert heard(h.street, "owner") == [("handed", h.task("sign_in").key)]


def test_a_refused_act_is_no_news(h: Hazard) -> None:
    h.assigned()
    spread(h.street)
    with pytest.raises(PowerFailure), power_failure(h.street):
        h.street.do(urge, h.case, "请尽快", by=h.street.by("assigner"))
    assert spread(h.street) == 0


def test_workers_at_once_tell_each_piece_of_news_once(h: Hazard) -> None:
    reachable(h.street, "owner")
    h.assigned()
    at_once(*[lambda: tell(h.street.database, MAIL, at=h.street.at)[0] for _ in range(4)])
    spread(h.street)
    assert heard(h.street, "owner") == [("handed", h.task("sign_in").key)]
    assert len(messages(h.street)) == 1


def test_the_same_notice_cannot_stand_twice(h: Hazard) -> None:
    h.assigned()
    spread(h.street)
    with h.street.database.begin() as conn:
        one = notice_board.notices_of(conn, h.street.person["owner"])[0]
    with pytest.raises(IntegrityError), h.street.database.begin() as conn:
        conn.execute(notice_table.insert(), notice_board._row(one))


def test_a_case_that_cannot_be_told_of_keeps_no_other_from_being_told(
    h: Hazard, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = h.assigned().case, h.report().case
    real = notice_board.look

    def broken(conn: Any, case: str, at: datetime) -> Any:
        if case == first:
            raise RuntimeError("damaged")
        return real(conn, case, at)

    monkeypatch.setattr(notice_board, "look", broken)
    _, stuck = tell(h.street.database, MAIL, at=h.street.at)
    assert [sentence.split(":")[0] for sentence in stuck] == [first]
    monkeypatch.undo()
    assert heard(h.street, "owner") != []
    assert second


# --- groups ---------------------------------------------------------------------------------------


def test_a_units_group_is_told_of_a_step_once_whoever_in_it_is_told(h: Hazard) -> None:
    h.report().do("confirm")
    spread(h.street, EVERY)
    told = [one for one in messages(h.street) if one.channel.startswith(GROUP)]
    assert [(one.kind, one.channel, one.person) for one in told] == [("group", "group:应急群", "")]


# --- when -----------------------------------------------------------------------------------------


def local(day: int, clock: str) -> datetime:
    hour, minute = map(int, clock.split(":"))
    return datetime(2026, 3, day, hour, minute, tzinfo=ZONE).astimezone(UTC)


@pytest.mark.parametrize(
    ("start", "end", "at", "told"),
    [
        ("21:00", "07:30", (2, "20:59"), (2, "20:59")),
        ("21:00", "07:30", (2, "21:00"), (3, "07:30")),
        ("21:00", "07:30", (2, "23:59"), (3, "07:30")),
        ("21:00", "07:30", (3, "00:00"), (3, "07:30")),
        ("21:00", "07:30", (3, "07:29"), (3, "07:30")),
        ("21:00", "07:30", (3, "07:30"), (3, "07:30")),
        ("12:00", "14:00", (3, "13:00"), (3, "14:00")),
        ("12:00", "14:00", (3, "14:00"), (3, "14:00")),
        ("08:00", "08:00", (3, "08:00"), (3, "08:00")),
    ],
)
def test_quiet_hours_reach_over_midnight(
    start: str, end: str, at: tuple[int, str], told: tuple[int, str]
) -> None:
    choice = Choice("p-1", quiet_from=start, quiet_until=end)
    assert after_quiet(choice, local(*at), ZONE) == local(*told)


def test_the_next_digest_is_today_or_tomorrow_never_now() -> None:
    choice = Choice("p-1", digest_at="08:00")
    assert next_digest(choice, local(2, "07:59"), ZONE) == local(2, "08:00")
    assert next_digest(choice, local(2, "08:00"), ZONE) == local(3, "08:00")


def test_what_comes_at_night_leaves_in_the_morning(h: Hazard) -> None:
    reachable(h.street, "owner")
    h.street.at = local(2, "23:10")
    h.assigned()
    spread(h.street)
    assert [one.due for one in messages(h.street)] == [local(3, "07:30")]


def test_an_emergency_leaves_at_night_and_in_no_digest(street: Street) -> None:
    w = whistle(street)
    reachable(street, "fire", digest_at="08:00")
    street.at = local(2, "23:10")
    w.emergency("u-fire")
    spread(street)
    due = [one.due for one in messages(street) if one.person == street.person["fire"]]
    assert due
    assert max(due) <= street.at
    street.check()


def test_a_digest_gathers_what_comes_until_it_leaves_and_no_later(h: Hazard) -> None:
    reachable(h.street, "owner", digest_at="08:00")
    h.street.at = local(2, "10:00")
    h.assigned()
    spread(h.street)
    h.act(urge, "请尽快", by="assigner")
    spread(h.street)
    (one,) = messages(h.street)
    assert (one.kind, one.due) == ("digest", local(3, "08:00"))
    with h.street.database.begin() as conn:
        assert len(notice_queue.content(conn, one.id)) == 2
        assert notice_queue.claim(conn, "mail", "w", at=one.due)
        # Taken to be sent: what comes now, though for the same hour, begins another message.
        notice_queue.add_to_digest(conn, one.person, "mail", "late", due=one.due)
    assert len(messages(h.street)) == 2


def test_what_waited_and_is_done_meanwhile_is_no_news(h: Hazard) -> None:
    h.assigned()
    spread(h.street)
    with h.street.database.begin() as conn:
        (notice,) = notice_board.notices_of(conn, h.street.person["owner"])
        assert still_matters(look(conn, h.case, h.street.at), notice)
    h.do("sign_in")
    with h.street.database.begin() as conn:
        assert not still_matters(look(conn, h.case, h.street.at), notice)
        other = Notice(h.street.person["heater"], "closed", h.case, "", 1, h.street.at)
        assert not still_matters(look(conn, h.case, h.street.at), other)


def test_old_notices_are_forgotten(h: Hazard) -> None:
    h.assigned()
    spread(h.street)
    h.street.later(days=31)
    with h.street.database.begin() as conn:
        assert notice_board.sweep(conn, at=h.street.at) > 0
        assert conn.execute(select(func.count()).select_from(notice_table)).scalar() == 0


def test_importing_another_systems_cases_is_no_news_to_whoever_may_claim_them(
    street: Street,
) -> None:
    want(street, "head")
    imported = Importing(street)
    imported.bring(sample(GOOD))
    assert len(imported.cases()) > 1
    assert heard(street, "head") == []
    street.report(by="grid")
    assert heard(street, "head") == [("claimable", "prepare#1")]
    street.check()
