"""What a deadline class comes to, and that the recorded deadline can be read back exactly."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.encoding import canonical, instant
from engine.calendar import read_calendar
from engine.clocks import allowed_minutes, remaining, set_deadline, used_minutes
from engine.deadline_classes import DeadlineClass, Span

CN = read_calendar(
    Path(__file__).parents[2].joinpath("workflows/calendar/cn.toml").read_bytes(), version=3
)


def deadline_class(
    span: Span, grace: Span | None = None, warn: tuple[int, ...] = (50, 80)
) -> DeadlineClass:
    return DeadlineClass(
        id="X", title="限时", title_en="limit", clock=span.clock, amount=span.amount,
        unit=span.unit, warn=warn, grace=grace, escalate_duty="supervise", source="test",
    )  # fmt: skip


TWO_DAYS = deadline_class(Span("working", 2, "days"), Span("working", 4, "hours"))
ON_SCENE = deadline_class(Span("natural", 20, "minutes"))
MONDAY = datetime.fromisoformat("2026-03-09T10:00+08:00")

spans = st.builds(
    Span,
    st.sampled_from(["natural", "working"]),
    st.integers(1, 60),
    st.sampled_from(["minutes", "hours", "days"]),
)
classes = st.builds(deadline_class, spans, st.none() | spans)
BEGIN = datetime(2025, 11, 1)  # noqa: DTZ001 the strategy adds the zone itself
END = datetime(2026, 12, 31)  # noqa: DTZ001 as above
instants = st.datetimes(BEGIN, END, timezones=st.just(UTC))


def local(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+08:00")


@pytest.mark.parametrize(
    ("span", "minutes"),
    [
        (Span("natural", 20, "minutes"), 20),
        (Span("natural", 2, "hours"), 120),
        (Span("natural", 7, "days"), 7 * 1440),
        (Span("working", 4, "hours"), 240),
        (Span("working", 5, "days"), 2400),
    ],
)
def test_a_working_day_is_the_office_minutes_of_one_day(span: Span, minutes: int) -> None:
    assert allowed_minutes(span, CN) == allowed_minutes(deadline_class(span), CN) == minutes


def test_a_deadline_states_all_it_was_computed_from() -> None:
    assert set_deadline(CN, TWO_DAYS, task="rectify#1", start=MONDAY) == {
        "task": "rectify#1",
        "class": "X",
        "clock": "working",
        "allowed": 960,
        "used": 0,
        "start": "2026-03-09T02:00:00.000Z",
        "due": "2026-03-11T02:00:00.000Z",
        "warn": ["2026-03-10T02:00:00.000Z", "2026-03-10T08:18:00.000Z"],
        "escalate": "2026-03-11T07:30:00.000Z",
        "calendar": {"version": 3, "sha256": CN.sha256},
        "unpublished": False,
    }


def test_an_extension_names_its_predecessor_reason_and_approver() -> None:
    data = set_deadline(
        CN, TWO_DAYS, task="rectify#1", start=MONDAY, allowed=1440,
        predecessor=7, reason="等配件", approver="p-0009",
    )  # fmt: skip
    assert data["due"] == "2026-03-12T02:00:00.000Z"
    assert (data["predecessor"], data["reason"], data["approver"]) == (7, "等配件", "p-0009")


def test_time_used_before_a_pause_is_not_given_again() -> None:
    data = set_deadline(CN, TWO_DAYS, task="rectify#1", start=MONDAY, used=480)
    assert data["due"] == "2026-03-10T02:00:00.000Z"
    assert data["warn"][0] == data["start"]  # half was used before
    assert data["warn"][1] > data["start"]


def test_a_clock_that_resumes_with_nothing_left_is_due_at_once() -> None:
    data = set_deadline(CN, ON_SCENE, task="arrive#1", start=MONDAY, used=25)
    assert data["due"] == data["start"]
    assert remaining(CN, data, MONDAY) == -5


def test_without_grace_escalation_falls_on_the_limit() -> None:
    data = set_deadline(CN, ON_SCENE, task="arrive#1", start=MONDAY)
    assert data["escalate"] == data["due"] == "2026-03-09T02:20:00.000Z"


def test_grace_may_run_on_the_other_clock() -> None:
    friday = local("2026-03-13T17:50")
    mixed = deadline_class(Span("natural", 20, "minutes"), Span("working", 1, "hours"))
    data = set_deadline(CN, mixed, task="arrive#1", start=friday)
    assert instant(data["due"]) == local("2026-03-13T18:10")
    assert instant(data["escalate"]) == local("2026-03-16T09:30")


def test_a_grace_that_reaches_an_unpublished_year_is_flagged_too() -> None:
    eve = local("2026-12-31T17:00")
    mixed = deadline_class(Span("natural", 20, "minutes"), Span("working", 2, "hours"))
    assert set_deadline(CN, mixed, task="arrive#1", start=eve)["unpublished"]
    assert not set_deadline(CN, ON_SCENE, task="arrive#1", start=eve)["unpublished"]


def test_a_warning_never_comes_before_its_share_is_used() -> None:
    odd = deadline_class(Span("natural", 21, "minutes"), warn=(80,))
    data = set_deadline(CN, odd, task="arrive#1", start=MONDAY)
    assert instant(data["warn"][0]) == MONDAY + timedelta(minutes=17)  # 16.8 minutes


def test_a_start_with_microseconds_is_recorded_and_counted_in_milliseconds() -> None:
    data = set_deadline(CN, ON_SCENE, task="t#1", start=MONDAY.replace(microsecond=123_987))
    assert (data["start"], data["due"]) == ("2026-03-09T02:00:00.123Z", "2026-03-09T02:20:00.123Z")
    assert used_minutes(CN, data, instant(data["due"])) == 20


@given(classes, instants, st.integers(0, 3000))
def test_the_recorded_deadline_reads_back_as_it_was_meant(
    cls: DeadlineClass, start: datetime, spent: int
) -> None:
    data: dict[str, Any] = set_deadline(CN, cls, task="t#1", start=start, used=spent)
    if spent <= data["allowed"]:
        assert remaining(CN, data, instant(data["due"])) == 0
    else:
        assert data["due"] == data["start"]
    # RFC 3339 strings in UTC of one length sort as instants do.
    assert data["start"] <= data["warn"][0] <= data["warn"][1] <= data["due"] <= data["escalate"]
    assert canonical(data)


@given(classes, instants)
def test_a_warning_falls_when_its_share_has_been_used(cls: DeadlineClass, start: datetime) -> None:
    data = set_deadline(CN, cls, task="t#1", start=start)
    for at, percent in zip(data["warn"], cls.warn, strict=True):
        spent = used_minutes(CN, data, instant(at))
        assert (spent - 1) * 100 < percent * data["allowed"] <= spent * 100
