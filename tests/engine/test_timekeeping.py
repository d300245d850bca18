"""Time on the record: more time, stopped clocks, standing lists, orders, alarms exactly once."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest

from audit.encoding import instant
from audit.entries import ENGINE, Entry
from engine.calendar_versions import publish_calendar
from engine.cases import NotYourTask
from engine.errors import BadInput, Refusal
from engine.evidence import Evidence
from engine.holding import claim_task, reassign_task, release_task
from engine.oversight import (
    NoSuchOrder,
    NotShorter,
    UnknownClass,
    answer_supervision,
    supervise,
    urge,
)
from engine.people import By, name_substitute
from engine.process import KERNEL
from engine.register import alarmed
from engine.timekeeping import (
    NoClock,
    OwnRequest,
    RequestPending,
    TooLate,
    TooOften,
    grant_extension,
    grant_pause,
    list_standing,
    refuse_extension,
    refuse_pause,
    request_extension,
    request_pause,
    resume,
    ring,
)
from engine.worker import ring_due
from tests.conftest import ROOT, Street, photo
from tests.engine.hazard_street import Hazard, hazard
from tests.engine.tampering import beneath, forget_live_states

CALL = (photo("call", "函.jpg"),)
DAY = timedelta(days=1)


@pytest.fixture
def h(street: Street) -> Iterator[Hazard]:
    yield hazard(street)
    street.check()


def rectifying(h: Hazard) -> Hazard:
    """A general hazard whose owner has seven natural days to rectify it."""
    return h.assigned().do("sign_in")


def ask_more(h: Hazard, days: int = 5, by: str = "owner", **more: Any) -> None:
    told = {"reason": "等材料", "interim": "每日巡查", **more}
    h.act(request_extension, h.task("rectify").key, days=days, by=by, **told)


def ask_pause(h: Hazard, days: float = 10, by: str = "owner", **more: Any) -> None:
    told: dict[str, Any] = {
        "counterparty": "区供电公司", "reason": "等断电许可", "evidence": CALL,
        "resume_by": h.street.at + timedelta(days=days), **more,
    }  # fmt: skip
    h.act(request_pause, h.task("rectify").key, by=by, **told)


def decide(h: Hazard, command: Callable[..., Any], by: str, reason: str = "属实") -> None:
    h.act(command, h.task("rectify").key, reason, by=by)


def clock(h: Hazard, element: str = "rectify") -> Any:
    found = h.task(element).clock
    assert found
    return found


def deadlines(h: Hazard, task: str = "rectify#1") -> list[Entry]:
    return [entry for entry in h.all("deadline.set") if entry.data["task"] == task]


# --- extension ------------------------------------------------------------------------------------


def test_an_extension_is_a_new_deadline_that_names_the_old_one_which_stays(h: Hazard) -> None:
    rectifying(h)
    first = deadlines(h)[0]
    due = h.due("rectify")
    h.street.later(days=2)
    ask_more(h, days=5)
    h.street.later(hours=3)
    decide(h, grant_extension, "chief")
    old, new = deadlines(h)
    assert old == first
    assert new.data["predecessor"] == old.seq
    assert new.data["allowed"] == old.data["allowed"] + 5 * 24 * 60
    assert new.data["reason"] == "属实"
    assert new.data["approver"] == h.street.person["chief"]
    assert new.cause == h.last("extension.granted").seq
    assert h.last("extension.granted").data["request"] == h.last("extension.requested").seq
    # Five days more, to the minute: the clock goes on from where it stood.
    assert (
        timedelta(0)
        <= due + 5 * DAY - instant(new.data["due"]) + timedelta(minutes=1)
        <= (timedelta(minutes=2))
    )


def test_two_extensions_chain_and_a_third_is_for_the_standing_list(h: Hazard) -> None:
    rectifying(h)
    for n in (1, 2):
        ask_more(h, days=3)
        decide(h, grant_extension, "chief")
        assert clock(h).extended == n
    with pytest.raises(TooOften, match="挂账"):
        ask_more(h)
    one, two, three = deadlines(h)
    assert two.data["predecessor"] == one.seq
    assert three.data["predecessor"] == two.seq
    h.act(list_standing, "rectify#1", "须待规划", review_class="MAJ30", by="chief")
    four = deadlines(h)[3]
    assert four.data["predecessor"] == three.seq
    assert four.data["class"] == "MAJ30"
    assert four.data["approver"] == h.street.person["chief"]
    assert h.task("rectify").standing
    with pytest.raises(TooOften):
        ask_more(h)


def test_an_extension_of_a_working_clock_counts_working_days(h: Hazard) -> None:
    h.assigned(five_measures=True).do("sign_in")
    before = clock(h, "write_plan")
    h.act(request_extension, "write_plan#1", days=2, reason="待勘察", interim="围挡", by="owner")
    h.act(grant_extension, "write_plan#1", "可以", by="chief")
    after = clock(h, "write_plan")
    assert after.allowed == before.allowed + 2 * 480
    assert after.kind == "working"


def test_who_may_decide_on_more_time(h: Hazard) -> None:
    rectifying(h)
    with pytest.raises(RequestPending, match="没有"):
        decide(h, grant_extension, "chief")
    ask_more(h)
    for other in ("owner", "owner2", "assigner", "acceptor", "reporter", "inspector"):
        with pytest.raises(NotYourTask):
            decide(h, grant_extension, other)
    with pytest.raises(RequestPending, match="没有"):
        decide(h, grant_pause, "assigner")  # another kind of request
    with pytest.raises(RequestPending, match="已有"):
        ask_more(h)
    with pytest.raises(Refusal, match="理由"):
        decide(h, grant_extension, "chief", reason=" ")
    decide(h, grant_extension, "chief")
    with pytest.raises(RequestPending):
        decide(h, refuse_extension, "chief")


def test_nobody_grants_their_own_request_nor_stands_in_for_who_asked(h: Hazard) -> None:
    from tests.engine.test_hazard import grant_leader

    rectifying(h)
    grant_leader(h, "owner")
    ask_more(h)
    with pytest.raises(OwnRequest):
        decide(h, grant_extension, "owner")
    # The leader is away and the one who asked stands in for the leader.
    h.street.do(
        name_substitute, h.street.person["chief"], h.street.person["owner"],
        end=h.street.at + 3 * DAY, reason="出差", by=h.street.by("chief"),
    )  # fmt: skip
    absent = By(h.street.person["owner"], on_behalf_of=h.street.person["chief"])
    h.street.later(minutes=1)
    with pytest.raises(OwnRequest):
        h.street.do(grant_extension, h.case, "rectify#1", "属实", by=absent)
    # The other way round: a leader who stands in for the one who asked.
    h.street.do(
        name_substitute, h.street.person["owner"], h.street.person["chief2"],
        end=h.street.at + 3 * DAY, reason="住院", by=h.street.by("owner"),
    )  # fmt: skip
    decide(h, refuse_extension, "chief2")


def test_a_request_made_by_a_substitute_is_not_granted_by_them_nor_by_whom_they_act_for(
    h: Hazard,
) -> None:
    from tests.engine.test_hazard import grant_leader

    rectifying(h)
    h.street.do(
        name_substitute, h.street.person["owner"], h.street.person["owner2"],
        end=h.street.at + 3 * DAY, reason="住院", by=h.street.by("owner"),
    )  # fmt: skip
    ask_more(h, by="owner2")
    for name in ("owner2", "owner"):
        grant_leader(h, name)
        with pytest.raises(OwnRequest):
            decide(h, grant_extension, name)
    decide(h, grant_extension, "chief")


def test_a_request_is_not_granted_by_who_asked_after_the_step_went_to_another(h: Hazard) -> None:
    from tests.engine.test_hazard import grant_leader

    rectifying(h)
    ask_more(h)
    h.act(reassign_task, "rectify#1", h.street.person["owner2"], "换人", by="assigner")
    grant_leader(h, "owner")
    with pytest.raises(OwnRequest):
        decide(h, grant_extension, "owner")


def test_a_refused_request_leaves_the_clock_as_it_was(h: Hazard) -> None:
    rectifying(h)
    before = clock(h)
    ask_more(h)
    decide(h, refuse_extension, "chief", reason="材料已到")
    assert clock(h) == before
    assert len(deadlines(h)) == 1
    ask_more(h)  # another may be asked for


@pytest.mark.parametrize("days", [0, -3, 366, 10**9])
def test_more_time_than_a_year_or_less_than_a_day_is_refused(h: Hazard, days: int) -> None:
    rectifying(h)
    with pytest.raises(BadInput, match="365"):
        ask_more(h, days=days)


def test_more_time_needs_a_reason_and_measures_meanwhile(h: Hazard) -> None:
    rectifying(h)
    with pytest.raises(Refusal, match="理由"):
        ask_more(h, reason=" ")
    with pytest.raises(Refusal, match="措施"):
        ask_more(h, interim="")


def test_only_the_holder_asks_and_only_before_the_limit(h: Hazard) -> None:
    rectifying(h)
    for other in ("owner2", "heater", "chief", "assigner"):
        with pytest.raises(NotYourTask):
            ask_more(h, by=other)
    h.street.at = h.due("rectify")
    h.street.do(
        request_extension, h.case, "rectify#1", days=1, reason="差一天", interim="巡查",
        by=h.street.by("owner"),
    )  # fmt: skip
    h.act(refuse_extension, "rectify#1", "不同意", by="chief")
    with pytest.raises(TooLate, match="时限已过"):
        ask_more(h)


def test_a_step_without_a_clock_has_no_time_to_give(street: Street) -> None:
    case = street.report("workshop")
    street.complete(case, "prepare#1", "head", {"kind": "wood", "pieces": 3})
    street.later(days=30)
    street.do(ring, case)
    street.do(supervise, case, "抓紧", by=street.by("watch"))
    with street.database.begin() as conn:
        from engine.casework import read_case

        state = read_case(conn, case)
    without = [task for task in state.tasks.values() if task.clock is None]
    assert [task.element for task in without] == ["remind"]
    street.do(reassign_task, case, "remind#1", street.person["accept"], "催", by=street.by("watch"))
    with pytest.raises(NoClock):
        street.do(
            request_extension, case, "remind#1", days=1, reason="忙", interim="巡查",
            by=street.by("accept"),
        )  # fmt: skip
    street.check()


def test_a_free_step_has_to_be_claimed_first(h: Hazard) -> None:
    h.report()
    with pytest.raises(NotYourTask, match="认领"):
        h.act(request_extension, "confirm#1", days=1, reason="忙", interim="巡", by="confirmer")


# --- pause and resume -----------------------------------------------------------------------------


def test_a_pause_stops_the_clock_and_it_goes_on_by_itself_on_its_date(h: Hazard) -> None:
    rectifying(h)
    h.street.later(days=2)
    ask_pause(h, days=10)
    resume_by = h.street.at + 10 * DAY - timedelta(minutes=1)
    decide(h, grant_pause, "assigner")
    spent = h.task("rectify").pause.used  # type: ignore[union-attr]
    assert spent == pytest.approx(2 * 24 * 60, abs=5)
    assert h.wait(days=9) == 0  # nothing rings while it is stopped
    assert h.wait(days=2) == 1
    resumed = h.last("clock.resumed")
    assert resumed.actor == ENGINE
    assert resumed.data["reason"] == "auto"
    assert abs(instant(resumed.data["due"]) - resume_by) < timedelta(minutes=2)
    old, new = deadlines(h)
    assert new.data["predecessor"] == old.seq
    assert new.data["used"] == spent
    assert new.data["allowed"] == old.data["allowed"]
    # What was left is left: it runs from the moment at which the clock was let go on.
    left = timedelta(minutes=new.data["allowed"] - spent)
    assert instant(new.data["due"]) == resumed.at + left
    h.do("rectify")
    row = h.last("case.advanced").data["closed"][0]
    assert row["in_time"]
    assert row["late"] == 0


def test_a_clock_is_let_go_on_before_its_date(h: Hazard) -> None:
    rectifying(h)
    ask_pause(h)
    decide(h, grant_pause, "assigner")
    h.street.later(days=3)
    for other in ("heater", "acceptor", "reporter"):
        with pytest.raises(NotYourTask):
            h.act(resume, "rectify#1", "许可已到", by=other)
    h.act(resume, "rectify#1", "许可已到", by="owner")
    assert h.last("clock.resumed").actor["person"] == h.street.person["owner"]
    assert h.task("rectify").pause is None
    with pytest.raises(NoClock, match="没有暂停"):
        h.act(resume, "rectify#1", "再来", by="owner")
    ask_pause(h)
    decide(h, grant_pause, "assigner")
    h.act(resume, "rectify#1", "不用等了", by="inspector")


def test_minutes_used_before_each_pause_add_up(h: Hazard) -> None:
    rectifying(h)
    used = 0
    for _ in range(4):
        h.street.later(days=1)
        ask_pause(h, days=5)
        decide(h, grant_pause, "assigner")
        pause = h.task("rectify").pause
        assert pause
        assert pause.used >= used + 24 * 60
        used = pause.used
        h.wait(days=6)
    assert used < 5 * 24 * 60
    chain = deadlines(h)
    assert [entry.data.get("predecessor") for entry in chain[1:]] == [e.seq for e in chain[:-1]]


def test_who_decides_on_a_pause(h: Hazard) -> None:
    rectifying(h)
    ask_pause(h)
    for other in ("owner", "chief", "acceptor", "inspector"):
        with pytest.raises(NotYourTask):
            decide(h, grant_pause, other)
    decide(h, refuse_pause, "assigner")
    assert h.task("rectify").pause is None


def test_a_pause_needs_proof_of_the_contact_and_a_date_ahead(h: Hazard) -> None:
    rectifying(h)
    with pytest.raises(BadInput, match="凭据"):
        ask_pause(h, evidence=())
    with pytest.raises(BadInput, match="今后"):
        ask_pause(h, days=0)
    with pytest.raises(Refusal, match="对方"):
        ask_pause(h, counterparty=" ")
    ask_pause(h)
    asked = h.last("pause.requested")
    assert asked.evidence[0]["purpose"] == "call"
    assert isinstance(CALL[0], Evidence)


def test_a_stopped_clock_is_neither_stopped_again_nor_extended(h: Hazard) -> None:
    rectifying(h)
    ask_pause(h)
    decide(h, grant_pause, "assigner")
    with pytest.raises(NoClock):
        ask_pause(h)
    with pytest.raises(NoClock):
        ask_more(h)


def test_warnings_already_given_are_not_given_again_after_a_pause(h: Hazard) -> None:
    rectifying(h)
    h.wait(days=4)  # half of seven days
    assert [entry.data["percent"] for entry in h.all("deadline.warned")] == [50]
    ask_pause(h, days=5)
    decide(h, grant_pause, "assigner")
    h.wait(days=6)
    h.wait(days=2)  # four fifths
    assert [entry.data["percent"] for entry in h.all("deadline.warned")] == [50, 80]
    h.wait(days=2)
    types = [entry.type for entry in h.entries]
    assert types.count("overdue.opened") == 1


def test_work_done_while_the_clock_is_stopped_is_in_time(h: Hazard) -> None:
    rectifying(h)
    ask_pause(h, days=30)
    decide(h, grant_pause, "assigner")
    h.street.later(days=20)
    h.do("rectify")
    row = h.last("case.advanced").data["closed"][0]
    assert (row["in_time"], row["late"]) == (True, 0)


def test_a_pause_granted_after_the_limit_does_not_make_late_work_punctual(h: Hazard) -> None:
    rectifying(h)
    ask_pause(h, days=30)
    h.street.later(days=9)
    decide(h, grant_pause, "assigner")
    assert h.all("overdue.opened")
    h.do("rectify")
    row = h.last("case.advanced").data["closed"][0]
    assert not row["in_time"]
    assert row["late"] == row["used"] - row["allowed"] > 24 * 60


def test_a_clock_stopped_after_its_limit_is_over_when_it_goes_on(h: Hazard) -> None:
    rectifying(h)
    ask_pause(h, days=30)
    h.street.later(days=9)
    decide(h, grant_pause, "assigner")
    h.wait(days=30)
    assert h.last("deadline.set").data["due"] == h.last("deadline.set").data["start"]
    assert [entry.type for entry in h.entries].count("overdue.opened") == 1


# --- standing list and orders ---------------------------------------------------------------------


def test_only_the_approving_post_lists_as_standing_and_not_for_itself(h: Hazard) -> None:
    rectifying(h)
    for other in ("owner", "assigner", "acceptor", "inspector"):
        with pytest.raises(NotYourTask):
            h.act(list_standing, "rectify#1", "待规划", review_class="MAJ30", by=other)
    with pytest.raises(BadInput, match="类别"):
        h.act(list_standing, "rectify#1", "待规划", review_class="WEEK", by="chief")
    with pytest.raises(Refusal, match="理由"):
        h.act(list_standing, "rectify#1", "", review_class="MAJ30", by="chief")


def test_the_standing_list_has_a_clock_of_its_own_that_rings(h: Hazard) -> None:
    rectifying(h)
    h.act(list_standing, "rectify#1", "待规划", review_class="MAJ30", by="chief")
    assert h.wait(days=14) == 0
    assert h.wait(days=20) == 4
    assert h.task("rectify").standing
    h.do("rectify")
    assert h.open == ["accept"]


def test_an_order_sets_a_clock_from_now_and_stays_until_it_is_answered(h: Hazard) -> None:
    rectifying(h)
    order = h.act(
        supervise, "三日内整改", by="inspector", legal_basis="条例第 10 条", task="rectify#1",
        deadline_class="RW2",
    )  # fmt: skip
    seq = next(entry.seq for entry in order.entries if entry.type == "case.supervised")
    old, new = deadlines(h)
    assert new.data["predecessor"] == old.seq
    assert new.data["class"] == "RW2"
    assert new.data["start"] == h.state.at
    assert new.data["approver"] == h.street.person["inspector"]
    assert h.state.orders == {str(seq): h.street.person["inspector"]}
    for other in ("acceptor", "reporter"):
        with pytest.raises(Refusal):
            h.act(answer_supervision, seq, "已在办", by=other)
    with pytest.raises(NoSuchOrder):
        h.act(answer_supervision, seq + 1, "已在办", by="owner")
    h.act(answer_supervision, seq, "已在办", by="owner")
    assert h.state.orders == {}
    with pytest.raises(NoSuchOrder):
        h.act(answer_supervision, seq, "又答", by="owner")


def test_only_a_supervising_post_orders(h: Hazard) -> None:
    rectifying(h)
    for other in ("owner", "assigner", "chief", "acceptor"):
        with pytest.raises(NotYourTask):
            h.act(supervise, "限期整改", by=other)
    with pytest.raises(UnknownClass):
        h.act(supervise, "限期", by="inspector", task="rectify#1", deadline_class="NONE")
    with pytest.raises(UnknownClass):
        h.act(supervise, "限期", by="inspector", deadline_class="RW2")


def test_an_order_lets_a_stopped_clock_go_on(h: Hazard) -> None:
    rectifying(h)
    ask_pause(h, days=60)
    decide(h, grant_pause, "assigner")
    h.act(supervise, "不再等", by="inspector", task="rectify#1", deadline_class="RW2")
    assert h.task("rectify").pause is None
    assert h.wait(days=3) == 4


def test_pressing_a_case_changes_no_clock(h: Hazard) -> None:
    rectifying(h)
    before = clock(h)
    h.act(urge, "请抓紧", by="inspector")
    assert clock(h) == before
    with pytest.raises(NotYourTask):
        h.act(urge, "请抓紧", by="owner")


# --- alarms exactly once --------------------------------------------------------------------------


def in_threads(*works: Callable[[], Any]) -> list[Any]:
    """Run all at the same moment; returns what each returned, or its refusal."""
    ready, told = Barrier(len(works)), [None] * len(works)

    def run(place: int) -> None:
        ready.wait()
        try:
            told[place] = works[place]()
        except Refusal as refusal:
            told[place] = refusal  # type: ignore[call-overload]

    threads = [Thread(target=run, args=(place,)) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


def alarms(h: Hazard) -> list[tuple[str, str]]:
    return [
        (entry.type, str(entry.data.get("percent", "")))
        for entry in h.entries
        if entry.type.startswith(("deadline.w", "deadline.e", "overdue", "timer"))
    ]


ONCE = [
    ("deadline.warned", "50"), ("deadline.warned", "80"), ("overdue.opened", ""),
    ("deadline.escalated", ""),
]  # fmt: skip


def test_workers_and_a_command_that_race_record_each_alarm_once(h: Hazard) -> None:
    for _ in range(4):
        race(rectifying(h))


def race(h: Hazard) -> None:
    h.street.later(days=30)
    at, database = h.street.at, h.street.database
    form = {"done": "拆除", "done_at": "2026-03-02T09:30:00+08:00"}
    evidence = [photo("before"), photo("after")]
    told = in_threads(
        lambda: ring_due(database, at=at),
        lambda: ring_due(database, at=at),
        lambda: h.street.do(ring, h.case, at=at),
        lambda: h.street.complete(h.case, "rectify#1", "owner", form, evidence=evidence),
        lambda: h.act_at(at, urge, "抓紧", by="inspector"),
    )
    # The signing-in was in time; the rectification passed every mark of its clock.
    assert [row for row in alarms(h) if row[0] != "timer.fired"] == ONCE, told
    assert not any(isinstance(one, Refusal) for one in told), told


def test_a_worker_that_was_down_for_weeks_rings_in_order_with_the_instants_that_passed(
    h: Hazard,
) -> None:
    cases = []
    for _ in range(3):
        h.report()
        cases.append(h.case)
        h.street.later(hours=1)
    h.street.later(days=40)
    recorded, refused = ring_due(h.street.database, at=h.street.at)
    assert (recorded, refused) == (12, [])
    for case in cases:
        rung = [entry for entry in h.street.entries(case) if "due" in entry.data][1:]
        dues = [instant(entry.data["due"]) for entry in rung]
        assert [entry.type for entry in rung] == [type_ for type_, _ in ONCE]
        assert dues == sorted(dues)
        assert {entry.at for entry in rung} == {h.street.at}
        assert max(dues) < h.street.at - 30 * DAY
    assert ring_due(h.street.database, at=h.street.at) == (0, [])


def test_clocks_of_many_steps_ring_oldest_first_whatever_the_order_of_the_steps(h: Hazard) -> None:
    h.report().do("confirm", danger_now=True).do("assign").do("sign_in")
    h.wait(days=60)
    rung = [entry for entry in h.entries if entry.actor == ENGINE and entry.cause is None]
    dues = [instant(entry.data["due"]) for entry in rung]
    assert dues == sorted(dues)
    steps = {entry.data.get("task") for entry in rung}
    assert {"first_response#1", "rectify#1"} <= steps


def test_a_command_finds_what_is_due_already_recorded_before_it(h: Hazard) -> None:
    rectifying(h)
    h.street.later(days=8)
    h.do("rectify")
    types = [entry.type for entry in h.entries]
    assert types.index("overdue.opened") < len(types) - types[::-1].index("task.completed") - 1
    completed = h.last("task.completed")
    assert h.last("overdue.opened").at == completed.at
    assert instant(h.last("overdue.opened").data["due"]) < completed.at


def test_one_case_that_cannot_go_on_does_not_keep_the_others_from_ringing(h: Hazard) -> None:
    h.report()
    damaged = h.case
    h.report()
    good = h.case
    h.street.later(days=30)
    mend = damage(h.street, damaged)
    recorded, refused = ring_due(h.street.database, at=h.street.at)
    assert recorded == 4
    assert [line.split(":")[0] for line in refused] == [damaged]
    assert [entry.type for entry in h.street.entries(good)].count("deadline.escalated") == 1
    mend()


def damage(street: Street, case: str) -> Callable[[], None]:
    """Damage a case so that it can be neither read nor replayed; returns what mends it."""
    kept = street.entries(case)[1].body
    body = "UPDATE event SET body = :b WHERE stream = :c AND seq = 2"
    state = 'UPDATE case_register SET kernel = :k WHERE "case" = :c'
    beneath(street, body, b=b"{", c=case)
    beneath(street, state, k="other", c=case)
    forget_live_states()

    def mend() -> None:
        beneath(street, body, b=kept, c=case)
        beneath(street, state, k=KERNEL, c=case)

    return mend


def test_a_hundred_cases_that_cannot_go_on_do_not_hide_the_others(h: Hazard) -> None:
    cases = []
    for _ in range(6):
        h.report()
        cases.append(h.case)
    h.street.later(days=30)
    mend = [damage(h.street, case) for case in cases[:5]]
    recorded, refused = ring_due(h.street.database, at=h.street.at, limit=2)
    assert recorded == 4
    assert len(refused) == 5
    with h.street.database.begin() as conn:
        assert cases[5] not in alarmed(conn, h.street.at)
    for again in mend:
        again()


# --- calendars ------------------------------------------------------------------------------------


def new_calendar(h: Hazard, change: Callable[[str], str]) -> None:
    before = (ROOT / "workflows/calendar/cn.toml").read_text()
    after = change(before)
    assert after != before
    h.street.later(minutes=1)
    h.street.do(publish_calendar, after.encode(), by=None)


def march_off(*days: int) -> Callable[[str], str]:
    """The calendar with more days of March 2026 off."""
    off = ", ".join(f"2026-03-{day:02}" for day in days)
    return lambda toml: toml.replace("[years.2026]\noff = [", f"[years.2026]\noff = [ {off},", 1)


def test_a_deadline_in_a_year_not_published_yet_says_so(h: Hazard) -> None:
    h.street.at = datetime(2030, 12, 31, 9, 0, tzinfo=UTC)
    h.report()
    due = deadlines(h, "confirm#1")[0].data
    assert due["due"].startswith("2031-01-01T")
    assert due["unpublished"] is True


def test_a_natural_deadline_is_not_called_unpublished_for_its_year(h: Hazard) -> None:
    h.street.at = datetime(2030, 12, 31, 9, 0, tzinfo=UTC)
    h.report(danger_now=True)
    due = deadlines(h, "confirm#1")[0].data
    assert due["class"] == "M30"
    assert due["unpublished"] is False


def test_a_new_calendar_keeps_old_deadlines_and_rules_new_ones(h: Hazard) -> None:
    h.report()
    old = deadlines(h, "confirm#1")[0].data
    assert old["calendar"]["version"] == 1
    new_calendar(h, march_off(3, 4, 5, 6))
    assert deadlines(h, "confirm#1")[0].data == old
    assert h.due("confirm") == instant(old["due"])
    h.do("confirm")
    new = deadlines(h, "assign#1")[0].data
    assert new["calendar"]["version"] == 2
    h.wait(days=1)  # the old limit rings when it always would
    h.do("assign", person=None)
    h.street.at = datetime(2026, 3, 2, 9, 30, tzinfo=UTC) + DAY
    h.report()
    # Half an hour was left of Monday's office time; Tuesday to Friday are off now.
    assert deadlines(h, "confirm#1")[0].data["due"].startswith("2026-03-09T")


def test_a_clock_stopped_under_a_new_calendar_is_judged_by_the_one_it_was_stopped_with(
    h: Hazard,
) -> None:
    # The minutes used at the pause are counted with the calendar of that moment; nothing that
    # replay can see was recorded between the two calendars.
    h.assigned(five_measures=True).do("sign_in")
    h.street.later(days=2)
    new_calendar(h, march_off(3))
    h.act(
        request_pause, "write_plan#1", counterparty="区供电公司", reason="等断电许可",
        evidence=CALL, resume_by=h.street.at + 10 * DAY, by="owner",
    )  # fmt: skip
    h.act(grant_pause, "write_plan#1", "属实", by="assigner")
    h.street.check()
    h.act(resume, "write_plan#1", "许可已到", by="owner")
    assert h.last("deadline.set").data["calendar"]["version"] == 2
    h.street.check()
    h.do("write_plan")


def test_a_day_made_off_after_it_was_worked_is_not_counted_from_then_on(h: Hazard) -> None:
    h.report()
    h.street.later(days=1)
    new_calendar(h, march_off(3))
    h.do("confirm")
    row = h.last("case.advanced").data["closed"][0]
    assert row["allowed"] == 480
    assert row["used"] <= 480
    assert row["due"] == deadlines(h, "confirm#1")[0].data["due"]


def test_a_released_step_keeps_its_clock(h: Hazard) -> None:
    rectifying(h)
    before = clock(h)
    h.act(release_task, "rectify#1", "轮休", by="owner")
    h.act(claim_task, "rectify#1", by="owner2")
    assert clock(h) == before


def test_a_deadline_class_warns_at_its_own_shares(street: Street) -> None:
    from engine.definition_sets import deploy
    from engine.definitions import read_folder

    files = read_folder(ROOT / "tests/golden/bpmn/workshop")
    told = files["deadlines.toml"].decode().replace("[50, 80]", "[25, 60, 90]")
    files["deadlines.toml"] = told.replace('"supervise"', '"approve"').encode()
    street.later(minutes=1)
    street.do(deploy, files, by=None)
    case = street.report("workshop")
    street.later(days=10)
    assert street.do(ring, case) == 5
    rung = [entry for entry in street.entries(case) if entry.type.startswith("deadline.w")]
    assert [entry.data["percent"] for entry in rung] == [25, 60, 90]
    assert street.entries(case)[-1].data["duty"] == "approve"
    street.check()


def test_an_order_never_gives_more_time_than_the_running_clock_has(h: Hazard) -> None:
    rectifying(h)
    before = deadlines(h)
    with pytest.raises(NotShorter, match="缩短"):
        h.act(supervise, "限期", by="inspector", task="rectify#1", deadline_class="MAJ365")
    assert deadlines(h) == before
    h.street.later(days=30)
    h.act(supervise, "逾期的，另限两日", by="inspector", task="rectify#1", deadline_class="RW2")
    assert clock(h).deadline_class == "RW2"


def test_a_pause_has_an_end_that_somebody_will_live_to_see(h: Hazard) -> None:
    rectifying(h)
    with pytest.raises(BadInput, match="挂账"):
        ask_pause(h, days=181)
    ask_pause(h, days=180)
