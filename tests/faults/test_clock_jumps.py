"""The server's clock jumps: an act before the last entry is refused, an alarm rings once."""

from contextlib import nullcontext
from datetime import datetime, timedelta

import pytest

from engine.casework import ClockSetBack
from engine.oversight import urge
from engine.worker import ring_due
from tests.conftest import Street
from tests.engine.tampering import forget_live_states
from tests.faults.test_kills import seeded
from tests.faults.test_timers import ALARMS
from tests.faults.trying import rows

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PREPARED = {"kind": "wood", "pieces": 3}


def alarms(street: Street, case: str) -> dict[str, int]:
    types = street.types(case)
    return {name: types.count(name) for name in ALARMS}


@pytest.mark.parametrize("back", [timedelta(seconds=1), HOUR, DAY], ids=str)
def test_behind_its_last_entry_a_case_takes_nothing_and_later_goes_on(
    street: Street, back: timedelta
) -> None:
    case = street.report()
    right, before = street.at, rows(street)
    street.at -= back
    for act in (
        lambda: street.complete(case, "prepare#1", "head", PREPARED),
        lambda: street.do(urge, case, "请抓紧", by=street.by("watch")),
    ):
        with pytest.raises(ClockSetBack, match="校准"):
            act()
    assert ring_due(street.database, at=street.at) == (0, [])
    assert rows(street) == before
    street.at = right
    street.complete(case, "prepare#1", "head", PREPARED)
    street.check()


def test_a_clock_set_back_stops_the_cases_it_has_written_and_no_other(street: Street) -> None:
    written = street.report()
    street.at -= DAY
    other = street.report()
    street.complete(other, "prepare#1", "head", PREPARED)
    with pytest.raises(ClockSetBack):
        street.complete(written, "prepare#1", "head", PREPARED)
    street.at += DAY
    street.complete(written, "prepare#1", "head", PREPARED)
    street.check()


@pytest.mark.parametrize("jump", [HOUR, DAY, 20 * DAY], ids=str)
def test_what_rang_while_the_clock_was_fast_does_not_ring_again(
    street: Street, jump: timedelta
) -> None:
    case = street.report()
    right = street.at
    ring_due(street.database, at=right + jump)
    rung = alarms(street, case)
    # Set right again: what was written is there, the case waits until then, nothing rings anew.
    with pytest.raises(ClockSetBack) if any(rung.values()) else nullcontext():
        street.do(urge, case, "请抓紧", by=street.by("watch"), at=right + timedelta(minutes=1))
    assert ring_due(street.database, at=right + timedelta(minutes=2)) == (0, [])
    assert alarms(street, case) == rung
    ring_due(street.database, at=right + 21 * DAY)
    assert alarms(street, case) == ALARMS
    street.do(urge, case, "请抓紧", by=street.by("watch"), at=right + 21 * DAY)
    street.check()


def test_however_the_clock_jumps_every_alarm_rings_once_and_time_never_runs_back(
    street: Street,
) -> None:
    chance = seeded()
    cases: list[str] = []
    refused = 0
    jumps = [HOUR, -HOUR, DAY, -DAY, timedelta(minutes=7), -timedelta(seconds=1)]
    for _ in range(60):
        street.at += chance.choice(jumps)
        try:
            if len(cases) < 6:
                cases.append(street.report())
            elif chance.random() < 0.5:
                street.do(urge, chance.choice(cases), "请抓紧", by=street.by("watch"))
        except ClockSetBack:
            refused += 1
        _, stuck = ring_due(street.database, at=street.at)
        assert all("clock is before" in told for told in stuck), stuck
    last = max(street.at, *(entry.at for case in cases for entry in street.entries(case)))
    ring_due(street.database, at=last + 30 * DAY)
    for case in cases:
        assert alarms(street, case) == ALARMS
        times: list[datetime] = [entry.at for entry in street.entries(case)]
        assert times == sorted(times)
    print(f"60 jumps, {refused} acts refused")
    forget_live_states()
    street.check()
