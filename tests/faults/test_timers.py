"""Alarms ring exactly once, however many workers ring, are killed, or stand still for a while."""

import os
import signal
import time
from random import Random

import pytest

from engine.database import reading
from engine.register import alarmed
from engine.worker import ring_due
from tests.conftest import Street
from tests.faults.nursery import MUCH_LATER, Nursery, nursery
from tests.faults.test_kills import seeded

ALARMS = {"deadline.warned": 2, "overdue.opened": 1, "deadline.escalated": 1}


def trouble(street: Street, workers: Nursery, times: int, chance: Random) -> tuple[int, int]:
    """Three workers ring; one after the other is killed, or stopped for a while.

    Returns how often one was stopped, and how often anything was done while alarms were due.
    """
    url = street.database.url.render_as_string(hide_password=False)
    alive, stops, amid = [workers.fork("rings", url) for _ in range(3)], 0, 0
    for _ in range(times):
        time.sleep(chance.uniform(0, 0.03))
        place = chance.randrange(len(alive))
        with reading(street.database).begin() as conn:
            amid += bool(alarmed(conn, MUCH_LATER, limit=1))
        if chance.random() < 0.5:
            os.kill(alive[place], signal.SIGSTOP)
            time.sleep(chance.uniform(0, 0.15))
            os.kill(alive[place], signal.SIGCONT)
            stops += 1
        else:
            workers.kill(alive[place])
            alive[place] = workers.fork("rings", url)
    return stops, amid


@pytest.mark.parametrize(
    ("cases", "times"), [(60, 12), pytest.param(1500, 200, marks=pytest.mark.long)]
)
def test_every_alarm_is_recorded_once_by_workers_that_are_killed_and_stopped(
    street: Street, cases: int, times: int
) -> None:
    opened = [street.report() for _ in range(cases)]
    with nursery() as workers:
        stops, amid = trouble(street, workers, times, seeded())
    assert amid > 1
    while ring_due(street.database, at=MUCH_LATER) != (0, []):
        pass
    for case in opened:
        types = street.types(case)
        assert {name: types.count(name) for name in ALARMS} == ALARMS, case
    print(
        f"{cases} cases, {times - stops} kills, {stops} stops, {amid} of them while alarms were due"
    )
    street.check()
