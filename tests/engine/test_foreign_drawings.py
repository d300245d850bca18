"""A foreign path is held against our diagrams: what is drawn fits, what is skipped is named."""

from dataclasses import replace
from functools import cache

import pytest

from audit.foreign.fit import Deviation, Drawing, Fit, fit
from audit.foreign.happenings import ForeignCase
from engine.definitions import parse, read_folder
from engine.foreign_drawings import drawing, held
from tests.audit.test_foreign import told
from tests.conftest import ROOT, Street
from tests.engine.hazard_street import hazard

SHIPPED = sorted(path.parent.name for path in ROOT.glob("workflows/*/*.bpmn"))
USUAL = ("report", "confirm", "assign", "sign_in", "rectify", "accept", "close")


@cache
def drawn(process: str = "hazard") -> Drawing:
    return drawing(parse(read_folder(ROOT / "workflows" / process)))


def path(*elements: str, id_: str = "C-1", end: str = "") -> ForeignCase:
    done = [(hour, "complete", element) for hour, element in enumerate(elements)]
    ended = [(len(done), "end", end)] if end else []
    return told(*done, *ended, id=id_)


def fitted(*cases: ForeignCase) -> Fit:
    return fit("hazard", cases, drawn())


@pytest.mark.parametrize("process", SHIPPED)
def test_every_step_of_a_shipped_diagram_is_reached_from_another(process: str) -> None:
    told_ = drawn(process)
    reached = {name for some in (told_.begins, *told_.done.values(), *told_.broken.values())
               for one in some for name in one}  # fmt: skip
    reached |= {name for some in told_.beside.values() for name in some}
    assert told_.done.keys() <= reached


def test_the_usual_path_is_as_drawn() -> None:
    found = fitted(path(*USUAL, end="closed_accepted"))
    assert (found.cases, found.fitting, found.share, found.deviations) == (1, 1, 1000, ())
    assert (found.steps, found.fitting_steps) == (7, 7)
    assert {"second_look", "reinspect"} <= {*found.silent}


@pytest.mark.parametrize("left_out", USUAL[1:-1])
def test_a_step_that_is_left_out_is_noticed_where_it_is_missed(left_out: str) -> None:
    at = USUAL.index(left_out)
    found = fitted(path(*USUAL[:at], *USUAL[at + 1 :]), path(*USUAL, id_="C-2"))
    assert (found.fitting, found.share) == (1, 500)
    before = USUAL[at - 1] if at > 1 else ""  # the report is the beginning
    assert found.deviations == (Deviation(before, USUAL[at + 1], 1, ("C-1",)),)


def test_rework_is_drawn_and_doing_it_twice_without_being_sent_back_is_not() -> None:
    again = (*USUAL[:6], "rectify", "accept", "close")
    assert fitted(path(*again)).fitting == 1
    (wrong,) = fitted(path(*USUAL[:5], "rectify", "accept", "close")).deviations
    assert (wrong.after, wrong.element) == ("rectify", "rectify")


def test_an_end_that_nothing_leads_to_is_a_deviation() -> None:
    (wrong,) = fitted(path("report", "confirm", end="closed_accepted")).deviations
    assert (wrong.after, wrong.element) == ("confirm", "closed_accepted")


def test_an_objection_leads_where_its_event_on_the_edge_leads() -> None:
    objected = told(
        *[(hour, "complete", element) for hour, element in enumerate(USUAL[:3])],
        (4, "object", "sign_in"), (5, "complete", "rule_objection"), (6, "complete", "assign"),
    )  # fmt: skip
    assert fitted(objected).fitting == 1
    straight = replace(objected, happenings=objected.happenings[:3] + objected.happenings[4:])
    assert fitted(straight).fitting == 0


def test_what_runs_beside_may_open_in_any_order() -> None:
    """First measures and naming the lead begin together when the first department has come."""
    both = [one for one in drawn("whistle").done["fix_list"] if "first_measures" in one]
    assert any({"name_lead", "first_measures"} <= one for one in both)
    whistle = ["report", "review", "fix_list", "name_lead", "first_measures", "joint_record"]
    one = path(*whistle)
    other = path(*whistle[:3], "first_measures", "name_lead", "joint_record", id_="C-2")
    assert fit("whistle", [one, other], drawn("whistle")).fitting == 2


def test_examples_are_a_few_of_the_cases() -> None:
    found = fitted(*(path("report", "close", id_=f"C-{n}") for n in range(9)))
    (wrong,) = found.deviations
    assert (wrong.count, wrong.examples) == (9, ("C-0", "C-1", "C-2", "C-3", "C-4"))


def test_a_process_that_was_never_deployed_is_told_and_not_guessed(street: Street) -> None:
    hazard(street)
    cases = [path(*USUAL), path(*USUAL, id_="C-2"), replace(path("report"), process="other")]
    with street.database.begin() as conn:
        ours, other = held(conn, cases)
    assert ours.fit is not None
    assert (ours.fit.fitting, ours.names["rectify"]) == (2, "整改")
    assert (other.process, other.cases, other.fit) == ("other", 1, None)
