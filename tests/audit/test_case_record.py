"""What the log says of a case, on entries made by hand: nobody is blamed or cleared by accident."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from audit.encoding import timestamp
from audit.entries import ENGINE, Draft, Entry, seal
from audit.reports.case import DIGEST_VERSION, case_record, content_digest
from audit.reports.facts import CaseRecord, ElementFacts
from audit.vocabulary import check
from tests.golden.cases.sample import two_rounds

START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
CALENDAR = {"version": 3, "sha256": "c" * 64}


def words(duty5: str | None, name: str) -> ElementFacts:
    return ElementFacts(duty5, name, name, name, name, "")


ELEMENTS = {
    "report": words("report", "上报"),
    "confirm": words("confirm", "确认"),
    "review": words(None, "复看"),
    "assign": words("assign", "指派"),
    "sign_in": words("rectify", "签收"),
    "rectify": words("rectify", "整改"),
    "accept": words("accept", "验收"),
    "close": words(None, "销号"),
}


class Case:
    """A case written by hand: each step takes the time it is told and is sealed at once."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.at = START
        self.write("case.opened", {
            "process": "hazard", "kernel": "k/1", "number": "听澜-隐-2026-00001",
            "title": "车棚飞线", "category": "charging", "form": {}, "source": "staff",
            "place": {"unit": "u-grid", "path": ["u-grid", "u-street"], "address": "3 幢"},
            "definition": {"key": "hazard", "sha256": "d" * 64}, "similar": [],
        }, by="reporter")  # fmt: skip

    def write(self, type_: str, data: dict[str, Any], by: str | None = None, **more: Any) -> Entry:
        actor: dict[str, Any] = dict(ENGINE)
        if by is not None:
            for_whom = more.pop("behalf", None)
            unit = more.pop("unit", f"u-{by}")
            actor = {"person": by, "post": f"k-{by}", "unit": unit, "capacity": "x"}
            actor |= {"channel": "web"} | ({"on_behalf_of": for_whom} if for_whom else {})
        prev = self.entries[-1].hash.hex() if self.entries else ""
        draft = Draft(type_, data, actor, self.at, **more)
        sealed = seal(draft, log="log.test", stream="c-1", seq=len(self.entries) + 1, prev=prev)
        assert check(sealed) is None, check(sealed)
        self.entries.append(sealed)
        return sealed

    def fact(self, type_: str, data: dict[str, Any], cause: int) -> Entry:
        return self.write(type_, data, cause=cause)

    def later(self, minutes: int) -> "Case":
        self.at += timedelta(minutes=minutes)
        return self

    def advance(self, closed: dict[str, Any] | None = None, *opened: str, **more: Any) -> None:
        """The facts after the last entry: what closed, and each opened step with one hour."""
        cause = self.entries[-1].seq
        tasks = [
            {"task": key, "element": key.partition("#")[0], "duty": "d", "capacity": "c",
             "units": ["u-street"]}
            for key in opened
        ]  # fmt: skip
        data = {"path": ["x"], "calendar": CALENDAR} | more
        data |= ({"closed": [closed]} if closed else {}) | ({"opened": tasks} if tasks else {})
        self.fact("case.advanced", data, cause)
        for key in opened:
            self.deadline(key, cause)

    def deadline(self, task: str, cause: int, allowed: int = 60, **more: Any) -> Entry:
        due = timestamp(self.at + timedelta(minutes=allowed))
        return self.fact("deadline.set", {
            "task": task, "class": "H1", "clock": "natural", "allowed": allowed, "used": 0,
            "start": timestamp(self.at), "due": due, "warn": [], "escalate": due,
            "calendar": CALENDAR, "unpublished": False,
        } | more, cause)  # fmt: skip

    def do(
        self, task: str, by: str, used: int, *opened: str, allowed: int = 60, **more: Any
    ) -> None:
        """Claim a step and finish it after `used` minutes; then what opens."""
        self.later(used)
        note = {"note": more.pop("note")} if "note" in more else {}
        form = more.pop("form", {})
        ended = {"ended": more.pop("ended")} if "ended" in more else {}
        self.write("task.claimed", {"task": task}, by, **more)
        self.write("task.completed", {"task": task, "form": form} | note, by, **more)
        self.advance(self.closing(task, used), *opened, **ended)

    def closing(self, task: str, used: int, allowed: int = 60, how: str = "completed") -> Any:
        late = max(0, used - allowed)
        return {
            "task": task, "how": how, "clock": "natural", "class": "H1", "allowed": allowed,
            "used": used, "due": timestamp(self.at), "in_time": not late, "late": late,
        }  # fmt: skip

    def record(self) -> CaseRecord:
        return case_record(self.entries, ELEMENTS)


def opened() -> Case:
    case = Case()
    case.advance(None, "confirm#1")
    return case


def to_rectify() -> Case:
    case = opened()
    case.do("confirm#1", "confirmer", 20, "assign#1")
    case.do("assign#1", "dispatcher", 30, "rectify#1")
    return case


def closed_case() -> Case:
    case = to_rectify()
    case.do("rectify#1", "fixer", 50, "accept#1")
    case.do("accept#1", "acceptor", 10, "close#1")
    case.do("close#1", "closer", 10, ended="done")
    return case


def cells(record: CaseRecord) -> str:
    return " ".join(cell.state for cell in record.five)


def test_entries_that_do_not_begin_a_case_are_refused() -> None:
    with pytest.raises(ValueError, match=r"case\.opened"):
        case_record([], ELEMENTS)
    with pytest.raises(ValueError, match=r"case\.opened"):
        case_record(opened().entries[1:], ELEMENTS)


def test_the_table_follows_the_five_duties_and_then_the_closing() -> None:
    record = closed_case().record()
    lines = [(line.duty5, line.element) for line in record.responsibility]
    assert lines == [
        ("report", "report"), ("confirm", "confirm"), ("assign", "assign"),
        ("rectify", "rectify"), ("accept", "accept"), (None, "close"),
    ]  # fmt: skip
    assert record.ended == "done"
    assert cells(record) == "done done done done done"


def test_a_step_of_no_duty_stands_after_the_duty_it_followed() -> None:
    case = opened()
    case.do("confirm#1", "confirmer", 5, "review#1")
    case.do("review#1", "reviewer", 5, "assign#1")
    elements = [line.element for line in case.record().responsibility]
    assert elements == ["report", "confirm", "review", "assign"]


def test_each_round_is_a_line_of_its_own_and_work_sent_back_lets_acceptance_come_again() -> None:
    case = to_rectify()
    case.do("rectify#1", "fixer", 50, "accept#1")
    case.do("accept#1", "acceptor", 10, "rectify#2", form={"result": "fail"})
    record = case.record()
    rounds = [(x.element, x.round, x.rounds, x.how) for x in record.responsibility[3:]]
    assert rounds == [
        ("rectify", 1, 2, "completed"), ("rectify", 2, 2, "open"), ("accept", 1, 1, "completed"),
    ]  # fmt: skip
    assert cells(record) == "done done done now todo"
    assert record.risk.end is None
    assert [line.task for line in record.now] == ["rectify#2"]


def test_what_was_in_time_is_kept_and_what_was_late_is_missed_with_the_own_note() -> None:
    case = to_rectify()
    case.later(60)
    overdue = case.write("overdue.opened", {"task": "rectify#1", "due": timestamp(case.at)})
    case.do("rectify#1", "fixer", 81, "accept#1", note="地下车库没有信号")
    record = case.record()
    assert [line.task for line in record.kept] == ["confirm#1", "assign#1"]
    (missed,) = record.missed
    assert missed.row.timing.late == 21
    assert missed.row.note == "地下车库没有信号"
    assert overdue.seq in missed.records
    assert missed.row.seq in missed.records
    late = next(row for row in record.timeline if row.seq == missed.row.seq)
    assert late.kind == "late"
    assert [cell.was_late for cell in record.five] == [False, False, False, True, False]


def test_a_step_still_open_past_its_limit_is_overdue_and_missed() -> None:
    case = opened().later(61)
    case.write("overdue.opened", {"task": "confirm#1", "due": timestamp(START)})
    record = case.record()
    assert record.now[0].timing.state == "overdue"
    assert [missed.row.task for missed in record.missed] == ["confirm#1"]
    assert cells(record) == "done now todo todo todo"


def test_a_limit_that_was_missed_stays_missed_when_an_order_sets_a_new_one() -> None:
    case = to_rectify().later(61)
    case.write("overdue.opened", {"task": "rectify#1", "due": timestamp(START)})
    told = {"text": "今天办完", "task": "rectify#1", "deadline_class": "H1"}
    order = case.write("case.supervised", told, "watcher")
    case.deadline("rectify#1", order.seq, predecessor=9, approver="watcher")
    assert case.record().now[0].timing.state == "running"
    case.do("rectify#1", "fixer", 20, "accept#1")
    record = case.record()
    assert [missed.row.task for missed in record.missed] == ["rectify#1"]
    assert "rectify#1" not in [line.task for line in record.kept]
    assert record.missed[0].row.timing.late == 0
    assert [one.why for one in record.missed[0].clock.settings] == ["opened", "supervised"]


def test_an_extension_tells_both_limits_who_asked_and_who_allowed() -> None:
    case = to_rectify().later(10)
    ask = {"task": "rectify#1", "days": 2, "reason": "缺料", "interim": "先断电"}
    request = case.write("extension.requested", ask, "fixer")
    granted = case.write(
        "extension.granted", {"task": "rectify#1", "request": request.seq, "reason": "可以"}, "boss"
    )
    case.deadline("rectify#1", granted.seq, 2 * 1440 + 60, predecessor=9, approver="boss")
    (clock,) = [one for one in case.record().clocks if one.task == "rectify#1"]
    first, last = clock.settings
    assert (first.why, last.why, last.approver) == ("opened", "extended", "boss")
    assert last.due > first.due
    (extension,) = clock.extensions
    assert extension.who.person == "fixer"
    assert extension.decided is not None
    assert (extension.decided.outcome, extension.decided.who.person) == ("granted", "boss")


def test_a_pause_tells_for_whom_by_whom_and_when_the_clock_ran_on() -> None:
    case = to_rectify().later(10)
    until = timestamp(case.at + timedelta(days=3))
    ask = {"task": "rectify#1", "counterparty": "供电公司", "resume_by": until, "reason": "等停电"}
    item = {"sha256": "e" * 64, "bytes": 9, "media": "application/pdf", "purpose": "call"}
    request = case.write("pause.requested", ask, "fixer", evidence=({**item, "declared": True},))
    yes = {"task": "rectify#1", "request": request.seq, "reason": "有凭据", "calendar": CALENDAR}
    case.write("pause.granted", yes, "dispatcher")
    assert case.record().now[0].timing.state == "paused"
    case.later(60)
    resumed = case.write("clock.resumed", {"task": "rectify#1", "reason": "停了"}, "fixer")
    case.deadline("rectify#1", resumed.seq, predecessor=9)
    record = case.record()
    (pause,) = next(one for one in record.clocks if one.task == "rectify#1").pauses
    assert (pause.counterparty, pause.evidence) == ("供电公司", 1)
    assert pause.resumed_at == case.at
    assert pause.resumed_by is not None
    assert pause.resumed_by.person == "fixer"
    assert record.now[0].timing.state == "running"
    assert record.tally["pause.granted"] == 1


def test_a_refused_request_changes_no_limit() -> None:
    case = to_rectify()
    ask = {"task": "rectify#1", "days": 2, "reason": "缺料", "interim": "先断电"}
    request = case.write("extension.requested", ask, "fixer")
    no = {"task": "rectify#1", "request": request.seq, "reason": "不必"}
    case.write("extension.refused", no, "boss")
    (clock,) = [one for one in case.record().clocks if one.task == "rectify#1"]
    assert len(clock.settings) == 1
    assert clock.extensions[0].decided is not None
    assert clock.extensions[0].decided.outcome == "refused"


def test_an_order_stays_open_until_it_is_answered() -> None:
    case = to_rectify()
    order = case.write("case.supervised", {"text": "办完报结果", "legal_basis": "某条"}, "watcher")
    assert case.record().orders[0].answer is None
    case.write("supervision.answered", {"order": order.seq, "text": "已办"}, "fixer")
    (told,) = case.record().orders
    assert told.legal_basis == "某条"
    assert told.answer is not None
    assert told.answer.who.person == "fixer"


def test_a_step_sent_back_is_a_line_with_its_reason_and_not_a_kept_promise() -> None:
    case = to_rectify().later(5)
    back = {"task": "rectify#1", "message": "sent_back#1", "reason": "不归我们管"}
    case.write("task.returned", back, "fixer")
    case.advance(case.closing("rectify#1", 5, how="cancelled"), "assign#2")
    record = case.record()
    line = next(x for x in record.responsibility if x.task == "rectify#1")
    assert (line.how, line.reason) == ("returned", "不归我们管")
    assert line.who is not None
    assert line.who.person == "fixer"
    assert line not in record.kept
    assert cells(record) == "done done now todo todo"
    assert record.tally["task.returned"] == 1
    assert next(row for row in record.timeline if row.type == "task.returned").kind == "turn"


def test_a_step_that_fell_away_blames_and_credits_nobody() -> None:
    case = to_rectify()
    case.later(5).write("case.supervised", {"text": "换单位"}, "watcher")
    case.write("timer.fired", {"timer": "wait#1", "due": timestamp(case.at)})
    case.advance(case.closing("rectify#1", 5, how="cancelled"), "assign#2")
    line = next(x for x in case.record().responsibility if x.task == "rectify#1")
    assert (line.how, line.who) == ("cancelled", None)
    assert line not in case.record().kept


def test_hands_tell_who_held_a_step_from_when_to_when() -> None:
    case = opened().later(5)
    case.write("task.claimed", {"task": "confirm#1"}, "one")
    case.later(5)
    case.write("task.delegated", {"task": "confirm#1", "to": "two", "reason": "出差"}, "one")
    case.do("confirm#1", "two", 10, "assign#1")
    line = next(x for x in case.record().responsibility if x.task == "confirm#1")
    held = [(hand.person, hand.how) for hand in line.hands]
    assert held[:3] == [(None, "opened"), ("one", "claimed"), ("two", "delegated")]
    assert all(a.until == b.since for a, b in zip(line.hands, line.hands[1:], strict=False))
    assert line.hands[-1].until == line.closed


def test_an_open_step_is_in_the_hands_of_whoever_it_was_given_to() -> None:
    case = opened()
    case.write("task.reassigned", {"task": "confirm#1", "to": "two", "reason": "忙"}, "boss")
    (line,) = case.record().now
    assert line.who is not None
    assert line.who.person == "two"
    case.write("task.released", {"task": "confirm#1", "reason": "出差"}, "two")
    assert case.record().now[0].who is None


def test_five_different_people_are_told_apart() -> None:
    found = closed_case().record().separation
    assert (found.persons, found.same_person, found.same_unit) == (5, (), ())


def test_one_person_in_two_duties_is_told_even_behind_a_substitute() -> None:
    case = to_rectify()
    case.do("rectify#1", "fixer", 5, "accept#1")
    case.do("accept#1", "deputy", 5, "close#1", behalf="dispatcher", unit="u-fixer")
    found = case.record().separation
    assert found.same_person == (("assign", "accept", "dispatcher"),)
    assert found.same_unit == ("u-fixer",)
    assert case.record().tally["substitute"] == 2


def test_the_risk_lasts_from_the_first_report_to_the_last_acceptance() -> None:
    risk = closed_case().record().risk
    assert risk.minutes == 20 + 30 + 50 + 10
    assert risk.end == START + timedelta(minutes=110)


def test_a_case_that_rests_names_the_timer_it_waits_for() -> None:
    case = to_rectify()
    case.do("rectify#1", "fixer", 50, "accept#1")
    case.later(10)
    case.write("task.completed", {"task": "accept#1", "form": {}}, "acceptor")
    timers = [{"timer": "feedback#1", "element": "feedback"}]
    case.advance(case.closing("accept#1", 10), timers=timers)
    case.deadline("feedback#1", case.entries[-1].cause or 0, 14400)
    (rest,) = case.record().waiting
    assert (rest.element, rest.due) == ("feedback", case.at + timedelta(days=10))
    assert case.record().ended is None
    case.write("timer.fired", {"timer": "feedback#1", "due": timestamp(case.at)})
    case.advance(None, ended="done")
    assert case.record().waiting == ()
    assert case.record().ended == "done"


def test_evidence_is_listed_with_who_gave_it_and_for_what() -> None:
    case = to_rectify().later(5)
    item = {"sha256": "a" * 64, "bytes": 1, "media": "image/jpeg", "purpose": "after"}
    done = {"task": "rectify#1", "form": {}}
    case.write("task.completed", done, "fixer", evidence=({**item, "declared": True},))
    case.advance(case.closing("rectify#1", 5), "accept#1")
    (found,) = case.record().evidence
    assert (found.purpose, found.task, found.who.person) == ("after", "rectify#1", "fixer")
    assert next(x for x in case.record().responsibility if x.task == "rectify#1").evidence == 1


def test_the_first_entries_give_the_case_as_it_stood_then() -> None:
    entries = two_rounds().entries
    for n in range(1, len(entries) + 1):
        record = case_record(entries[:n], two_rounds().elements)
        assert (record.count, record.head) == (n, entries[n - 1].hash.hex())
        assert len(record.timeline) == n
        assert record.last == entries[n - 1].at


def test_the_digest_rests_on_the_entries_and_not_on_the_words_for_them() -> None:
    entries = two_rounds().entries
    record = case_record(entries, two_rounds().elements)
    renamed = {k: replace(e, name="改名", verb="改名") for k, e in two_rounds().elements.items()}
    assert content_digest(case_record(entries, renamed)) == content_digest(record)
    assert content_digest(case_record(entries[:-1], renamed)) != content_digest(record)


def test_whoever_changes_the_fold_raises_the_version_of_the_digest() -> None:
    # Reports in people's hands bear this digest: if it changes, so must DIGEST_VERSION.
    sample = two_rounds()
    digest = content_digest(case_record(sample.entries, sample.elements))
    assert (DIGEST_VERSION, digest[:16]) == (1, "608e56d5bc65d494")


def test_the_sample_case_is_told_as_it_happened() -> None:
    record = case_record(two_rounds().entries, two_rounds().elements)
    assert record.count == 48
    assert record.level == "general"
    late = [(missed.row.element, missed.row.timing.late) for missed in record.missed]
    assert late == [("sign_in", 21)]
    assert len(record.kept) == 7
    assert [c.task for c in record.clocks if len(c.settings) > 1] == ["rectify#1", "rectify#2"]
    assert record.risk.minutes == 18526
    told = {name: n for name, n in record.tally.items() if n}
    assert told == {
        "extension.granted": 1, "pause.granted": 1, "case.supervised": 1, "report.exported": 1,
        "substitute": 1, "claimed_earlier": 1,
    }  # fmt: skip


TAMPERED: list[Callable[[dict[str, Any]], Any]] = [
    lambda closed: closed.update(in_time=True, late=0),
    lambda closed: closed.update(used=59),
]


@pytest.mark.parametrize("tamper", TAMPERED)
def test_another_recorded_fact_is_another_digest(tamper: Callable[[dict[str, Any]], Any]) -> None:
    case = to_rectify()
    case.do("rectify#1", "fixer", 81, "accept#1")
    honest = content_digest(case.record())
    tamper(case.entries[-2].data["closed"][0])
    assert content_digest(case.record()) != honest
