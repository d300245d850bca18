"""The hazard process in random hands: whatever people, clocks and calendars do, the log replays."""

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from engine.calendar_versions import publish_calendar
from engine.errors import Refusal
from engine.holding import claim_task, delegate_task, reassign_task, release_task
from engine.oversight import answer_supervision, supervise, urge
from engine.people import name_substitute
from engine.rebuild import rebuild
from engine.timekeeping import (
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
from engine.turns import dispute_result, raise_objection, reopen, return_task, withdraw
from tests.conftest import ROOT, Street, photo
from tests.engine.hazard_street import FAILED, PEOPLE, STEPS, Hazard, hazard
from tests.engine.tampering import forget_live_states

OBJECTION = {"legal_basis": "合同", "reason": "不归我们", "proposed_unit": "u-heat"}
# Other answers than the usual ones, by element.
OTHERWISE: dict[str, list[dict[str, Any]]] = {
    "confirm": [{"level": "major"}, {"danger_now": True}],
    "second_look": [{"decision": "override", "verdict": "hazard", "level": "general"},
                    {"decision": "override", "verdict": "other_authority", "authority": "区里"}],
    "assign": [{"unit": "u-heat", "person": "heater"}, {"person": None}, {"five_measures": True},
               {"second_acceptor": "acceptor2"}, {"term": "WD5", "term_reason": "急"}],
    "rule_objection": [{"ruling": "upheld", "unit": "u-heat"}],
    "approve_plan": [{"decision": "reject", "term": None}, {"term": "G7"}],
    "accept": [FAILED, {"result": "escalate", "left": "又不合格"}],
    "second_accept": [FAILED],
    "re_accept": [{"result": "fail", "left": "未动"}],
    "reinspect": [{"result": "present"}],
}  # fmt: skip


class Monkey:
    """Somebody does something, somewhen. A Refusal is an answer; anything else is a bug."""

    def __init__(self, h: Hazard, seed: int) -> None:
        self.h = h
        self.chance = random.Random(seed)
        self.cases: list[str] = []
        self.done: dict[str, int] = {}
        self.calendars = 0

    def play(self, moves: int) -> None:
        for _ in range(moves):
            self.h.street.later(minutes=self.chance.choice([1, 5, 40, 300, 1500, 9000]))
            if len(self.cases) < 2 or self.chance.random() < 0.05:
                self.cases.append(self.h.report(danger_now=self.chance.random() < 0.3).case)
            self.h.case = self.chance.choice(self.cases)
            name, act = self.act()
            try:
                act()
            except Refusal:
                name = f"{name} refused"
            self.done[name] = self.done.get(name, 0) + 1
            if self.chance.random() < 0.1:
                forget_live_states()

    def act(self) -> tuple[str, Callable[[], Any]]:
        acts = [(14, self.step), (10, self.time), (3, self.hold), (3, self.turn), (2, self.press),
                (1, self.register)]  # fmt: skip
        weights = [weight for weight, _ in acts]
        return self.chance.choices([act for _, act in acts], weights)[0]()

    def who(self) -> str:
        return self.chance.choice(list(PEOPLE))

    def task(self) -> str:
        return self.chance.choice(sorted(self.h.state.tasks) or ["confirm#1"])

    def step(self) -> tuple[str, Callable[[], Any]]:
        element = self.task().partition("#")[0]
        if element not in self.h.open:
            return "ring", lambda: self.h.street.do(ring, self.h.case)
        form = self.chance.choice([{}, {}, *OTHERWISE.get(element, [])])
        usual = STEPS[element][0]
        by = self.h.holder(element)
        if self.chance.random() < 0.2 or by is None:
            duty = PEOPLE[usual][2]
            by = self.chance.choice([name for name, told in PEOPLE.items() if duty == told[2]])
        return f"step {element}", lambda: self.h.do(element, by, **form)

    def time(self) -> tuple[str, Callable[[], Any]]:
        h = self.h
        held = [one for one in h.state.tasks.values() if one.holder and one.clock]
        found = self.chance.choice(held) if held else None
        task = found.key if found else self.task()
        names = {person: name for name, person in h.street.person.items()}
        holder = names.get((found and found.holder) or "", "owner")
        soon = h.street.at + timedelta(days=self.chance.choice([1, 5, 30]))
        days = self.chance.choice([1, 5, 40])
        acts: list[Callable[[], Any]] = [
            lambda: h.act(
                request_extension, task, days=days, reason="等料", interim="巡查", by=holder
            ),
            lambda: h.act(
                request_pause, task, counterparty="供电公司", resume_by=soon, reason="等停电",
                evidence=(photo("call"),), by=holder,
            ),
            lambda: h.act(grant_extension, task, "可以", by="chief"),
            lambda: h.act(refuse_extension, task, "不行", by="chief2"),
            lambda: h.act(grant_pause, task, "可以", by="assigner"),
            lambda: h.act(refuse_pause, task, "不行", by="assigner2"),
            lambda: h.act(resume, task, "到了", by=holder),
            lambda: h.act(list_standing, task, "待规划", review_class="MAJ30", by="chief"),
            lambda: h.street.do(ring, h.case),
        ]  # fmt: skip
        # What has been asked for is decided, and what is stopped goes on, more often than not.
        likely = {"extension": [2, 2, 3], "pause": [4, 4, 5]}
        asked = found.request.kind if found and found.request else ""
        choice = likely.get(asked) or ([6, 6, 8] if found and found.pause else [0, 1])
        place = self.chance.choice([*choice, self.chance.randrange(len(acts))])
        return f"time {place}", acts[place]

    def hold(self) -> tuple[str, Callable[[], Any]]:
        task, h, to = self.task(), self.h, self.h.street.person[self.who()]
        acts: list[Callable[[], Any]] = [
            lambda: h.act(claim_task, task, by=self.who()),
            lambda: h.act(release_task, task, "轮休", by=self.who()),
            lambda: h.act(delegate_task, task, to, "出差", by=self.who()),
            lambda: h.act(reassign_task, task, to, "换人", by="assigner"),
        ]
        place = self.chance.randrange(len(acts))
        return f"hold {place}", acts[place]

    def turn(self) -> tuple[str, Callable[[], Any]]:
        task, h = self.task(), self.h
        acts: dict[str, Callable[[], Any]] = {
            "return": lambda: h.act(return_task, task, "不清", by=self.who()),
            "withdraw": lambda: h.act(
                withdraw, task, "错了", by=self.chance.choice(["assigner", "owner"])
            ),
            "object": lambda: h.act(raise_objection, task, OBJECTION, by="owner"),
            "dispute": lambda: h.act(dispute_result, {"reason": "还在"}, by="reporter"),
            "reopen": lambda: h.act(reopen, "不实", by="inspector"),
        }
        name = self.chance.choice(list(acts))
        return name, acts[name]

    def press(self) -> tuple[str, Callable[[], Any]]:
        task, h = self.task(), self.h
        orders = list(h.state.orders)
        acts: list[Callable[[], Any]] = [
            lambda: h.act(urge, "请抓紧", by="inspector"),
            lambda: h.act(supervise, "限期", by="inspector", task=task, deadline_class="WD2"),
            lambda: h.act(supervise, "说明情况", by="inspector"),
            lambda: h.act(answer_supervision, int(orders[0]) if orders else 1, "在办", by="owner"),
        ]
        place = self.chance.randrange(len(acts))
        return f"press {place}", acts[place]

    def register(self) -> tuple[str, Callable[[], Any]]:
        street = self.h.street
        away, instead = self.who(), self.who()

        def substitute() -> None:
            street.do(
                name_substitute, street.person[away], street.person[instead],
                end=street.at + timedelta(days=9), reason="休假", by=street.by(away),
            )  # fmt: skip

        def calendar() -> None:
            self.calendars += 1
            day = street.at + timedelta(days=self.chance.randrange(-5, 9))
            toml = (ROOT / "workflows/calendar/cn.toml").read_text()
            off = f"[years.2026]\noff = [ {day:%Y-%m-%d},"
            toml = toml.replace("[years.2026]\noff = [", off, 1) + f"# {self.calendars}\n"
            street.do(publish_calendar, toml.encode(), by=None)

        return self.chance.choice([("substitute", substitute), ("calendar", calendar)])


@pytest.fixture
def h(street: Street) -> Iterator[Hazard]:
    yield hazard(street)
    forget_live_states()
    street.check()


def everything_replays(h: Hazard, seed: int, moves: int) -> dict[str, int]:
    monkey = Monkey(h, seed)
    monkey.play(moves)
    forget_live_states()
    h.street.check()
    h.street.do(lambda conn, at: rebuild(conn))
    return monkey.done


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_done_to_hazards_replays_and_rebuilds(h: Hazard, seed: int) -> None:
    done = everything_replays(h, seed, 150)
    assert sum(times for name, times in done.items() if not name.endswith("refused")) > 40


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 160))
def test_whatever_is_done_to_hazards_for_long_replays_and_rebuilds(h: Hazard, seed: int) -> None:
    everything_replays(h, seed, 600)
