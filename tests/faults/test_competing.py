"""Two act on one case at once, one stopped at a named point: one wins, the other is told so."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread, get_ident
from typing import Any

import pytest
from sqlalchemy import event

from engine.cases import NotYourTask, StepNotOpen
from engine.casework import Done
from engine.definition_sets import deploy
from engine.definitions import read_folder
from engine.errors import Refusal
from engine.holding import AlreadyHeld, claim_task, reassign_task
from engine.timekeeping import ring
from engine.turns import return_task
from tests.conftest import ROOT, Street, photo
from tests.engine.hazard_street import STEPS, Hazard, hazard
from tests.engine.tampering import forget_live_states

Act = Callable[[], Any]
# Before anything is locked; when the first event is about to be written; when all is written.
STOPS = ("BEGIN", "INSERT INTO event", "COMMIT")


@dataclass
class Gate:
    """Where one thread stops until it is let go on."""

    where: str
    thread: int = 0
    reached: Event = field(default_factory=Event)
    opened: Event = field(default_factory=Event)

    def pass_by(self, told: str) -> None:
        if get_ident() == self.thread and told.startswith(self.where):
            self.thread = 0
            self.reached.set()
            assert self.opened.wait(60)


@contextmanager
def gated(street: Street, gate: Gate) -> Iterator[None]:
    def statement(conn: Any, cursor: Any, sql: str, *_: Any) -> None:
        gate.pass_by(sql)

    def begin(conn: Any) -> None:
        gate.pass_by("BEGIN")  # PostgreSQL is sent none of ours

    def commit(conn: Any) -> None:
        gate.pass_by("COMMIT")

    heard = {"before_cursor_execute": statement, "begin": begin, "commit": commit}
    for name, listener in heard.items():
        event.listen(street.database, name, listener, insert=True)
    yield
    for name, listener in heard.items():
        event.remove(street.database, name, listener)


def compete(street: Street, where: str, first: Act, second: Act) -> tuple[Any, Any]:
    """Stop the first at a point, let the second go as far as it comes, then let the first go on.

    Returns what each returned, or the refusal it raised.
    """
    gate, told = Gate(where), dict[str, Any]()

    def run(name: str, act: Act) -> None:
        try:
            told[name] = act()
        except Refusal as refusal:
            told[name] = refusal
        except Exception as error:
            told[name] = AssertionError(f"{name}: {error!r}")
        finally:
            if name == "first":
                gate.reached.set()

    def gated_run() -> None:
        gate.thread = get_ident()
        run("first", first)

    threads = [Thread(target=gated_run), Thread(target=run, args=("second", second))]
    with gated(street, gate):
        threads[0].start()
        assert gate.reached.wait(60)
        threads[1].start()
        threads[1].join(0.1)  # it is done, or it waits for what the first holds
        gate.opened.set()
        for one in threads:
            one.join(60)
    assert not any(one.is_alive() for one in threads)
    return told["first"], told["second"]


def everywhere(street: Street, begin: Callable[[], tuple[Act, Act]]) -> Iterator[tuple[Any, Any]]:
    """Both orders at every stop, each on a case of its own; what the two acts came to."""
    for where in STOPS:
        one, other = compete(street, where, *begin())
        yield one, other
        act, rival = begin()
        one, other = compete(street, where, rival, act)
        yield other, one
    forget_live_states()
    street.check()


def one_wins(told: tuple[Any, Any], *refusals: type[Refusal]) -> None:
    """One act is done, the other refused in the words that belong to it."""
    for one, other, refusal in ((*told, refusals[1]), (*reversed(told), refusals[0])):
        if isinstance(one, Done):
            assert isinstance(other, refusal), told
            return
    raise AssertionError(told)


@pytest.fixture
def h(street: Street) -> Hazard:
    return hazard(street)


def acts(h: Hazard, element: str, *names: str) -> list[Act]:
    """The completion of an open step, by each of these."""
    case, key, street = h.case, h.task(element).key, h.street
    _, form, purposes = STEPS[element]
    told = {
        name: street.person[value] if name in ("person", "acceptor") else value
        for name, value in form.items()
    }
    evidence = [photo(purpose) for purpose in purposes]
    return [lambda n=name: street.complete(case, key, n, told, evidence=evidence) for name in names]


def test_of_two_who_claim_a_step_one_has_it(h: Hazard) -> None:
    def begin() -> tuple[Act, Act]:
        case = h.report().case
        claim = [
            lambda name=name: h.street.do(claim_task, case, "confirm#1", by=h.street.by(name))
            for name in ("confirmer", "confirmer2")
        ]
        return claim[0], claim[1]

    for told in everywhere(h.street, begin):
        one_wins(told, AlreadyHeld, AlreadyHeld)


def test_a_step_is_completed_by_its_holder_or_goes_to_another(h: Hazard) -> None:
    def begin() -> tuple[Act, Act]:
        case = h.assigned().case
        (complete,) = acts(h, "sign_in", "owner")
        to = h.street.person["owner2"]
        by = h.street.by("assigner")
        return complete, lambda: h.street.do(reassign_task, case, "sign_in#1", to, "换人", by=by)

    for told in everywhere(h.street, begin):
        one_wins(told, NotYourTask, StepNotOpen)


def test_a_step_is_completed_or_returned(h: Hazard) -> None:
    def begin() -> tuple[Act, Act]:
        case = h.report().do("confirm").case
        (complete,) = acts(h, "assign", "assigner")
        by = h.street.by("assigner2")
        return complete, lambda: h.street.do(return_task, case, "assign#1", "不清", by=by)

    for told in everywhere(h.street, begin):
        one_wins(told, StepNotOpen, StepNotOpen)


def test_a_clock_that_runs_out_at_a_completion_is_recorded_once_and_before_it(h: Hazard) -> None:
    cases = []

    def begin() -> tuple[Act, Act]:
        case = h.report().case
        cases.append(case)
        (complete,) = acts(h, "confirm", "confirmer")
        h.street.later(days=3)
        return complete, lambda: h.street.do(ring, case)

    for completed, rung in everywhere(h.street, begin):
        assert isinstance(completed, Done), completed
        assert isinstance(rung, int), rung
    for case in cases:
        types = h.street.types(case)
        assert types.count("overdue.opened") == 1
        assert types.index("overdue.opened") < types.index("task.completed")


def test_two_branches_that_end_at_once_are_joined_once(street: Street) -> None:
    cases = []

    def begin() -> tuple[Act, Act]:
        case = street.report()
        street.complete(case, "prepare#1", "head", {"kind": "wood", "pieces": 3})
        street.complete(case, "make#1", "grid", {"what": "拆除"}, evidence=[photo()])
        cases.append(case)
        return (
            lambda: street.complete(case, "check_size#1", "accept", {"passed": True}),
            lambda: street.complete(case, "check_look#1", "accept2", {"passed": True}),
        )

    for told in everywhere(street, begin):
        assert all(isinstance(one, Done) for one in told), told
    for case in cases:
        advanced = [e for e in street.entries(case) if e.type == "case.advanced"]
        assert sum(entry.data["path"].count("is_passed") for entry in advanced) == 1


def test_a_definition_deployed_at_a_completion_leaves_the_case_on_its_own(h: Hazard) -> None:
    files = read_folder(ROOT / "workflows/hazard")
    texts = files["texts.toml"]

    def begin() -> tuple[Act, Act]:
        h.report()
        (complete,) = acts(h, "confirm", "confirmer")
        h.street.later(minutes=1)
        other = {**files, "texts.toml": texts + f"# {h.case}\n".encode()}
        return complete, lambda: h.street.do(deploy, other, by=None)

    for completed, deployed in everywhere(h.street, begin):
        assert isinstance(completed, Done), completed
        assert not isinstance(deployed, Exception), deployed
