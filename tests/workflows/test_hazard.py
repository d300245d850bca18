"""The hazard process as data: complete, readable, and going where processes of the street go."""

import json
import re
import tomllib
from importlib.util import find_spec
from itertools import combinations, pairwise, product
from pathlib import Path
from typing import Any, Final

import pytest
from lxml import etree

from engine.decisions import check_table
from engine.definitions import Definition, Flow, Gateway, parse, read_decisions, read_folder
from engine.diagram import BPMN, DI, read_diagram
from engine.expressions import Read
from engine.forms import read_form
from engine.lint import lint
from engine.process import Run, Step

FOLDER: Final = Path(__file__).parents[2] / "workflows" / "hazard"
FILES: Final = read_folder(FOLDER)
HAZARD: Final[Definition] = parse(FILES)
TEXTS: Final = tomllib.loads(FILES["texts.toml"].decode())
FORMS: Final = {
    name.removeprefix("forms/").removesuffix(".json"): json.loads(data)
    for name, data in FILES.items()
    if name.startswith("forms/")
}
CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")

# --- the files ------------------------------------------------------------------------------------


def test_it_may_be_deployed() -> None:
    assert lint(FILES) == []


def test_the_drawing_is_valid_bpmn_2_0() -> None:
    spec = find_spec("SpiffWorkflow")
    assert spec is not None
    assert spec.origin is not None
    schema = etree.XMLSchema(
        etree.parse(Path(spec.origin).parent / "bpmn" / "parser" / "schema" / "BPMN20.xsd")
    )
    schema.assertValid(etree.fromstring(HAZARD.bpmn))


def test_what_a_person_reads_is_chinese_with_english_beside_it() -> None:
    for task in HAZARD.tasks.values():
        shown = [task.name, task.verb, HAZARD.forms[task.form].title]
        english = [task.name_en, task.verb_en, HAZARD.forms[task.form].title_en]
        assert all(map(CHINESE.search, shown)), task.id
        assert all(text.isascii() and text for text in english), task.id
    for lane in HAZARD.lanes.values():
        assert CHINESE.search(lane.name)
        assert lane.name_en


@pytest.mark.parametrize("form", sorted(FORMS))
def test_every_question_is_asked_in_both_languages(form: str) -> None:
    for name, field in FORMS[form]["properties"].items():
        choices = field.get("oneOf", []) + field.get("items", {}).get("oneOf", [])
        for asked in [field, *choices]:
            assert CHINESE.search(asked["title"]) or asked["title"][0].isdigit(), (form, name)
            assert asked["x-en"], (form, name)
        assert ("x-hint" in field) is ("x-hint-en" in field), (form, name)


def test_every_form_is_asked_somewhere() -> None:
    asked = {task.form for task in HAZARD.tasks.values()} | {"report"}
    asked |= {message.form for message in HAZARD.messages.values() if message.form}
    assert asked == set(FORMS)


def test_the_reporter_has_a_text_wherever_the_case_may_stand() -> None:
    windows = {"inform_window", "feedback_window", "aftercare_window"}
    outcomes = {id_ for id_ in HAZARD.ends if "outcome" in HAZARD.elements[id_].properties}
    assert set(HAZARD.texts) == set(HAZARD.tasks) | windows | outcomes | {"report"}
    for text in HAZARD.texts.values():
        assert CHINESE.search(text["zh"])
        assert text["en"].isascii()


def test_every_way_to_the_end_says_how_the_case_came_out() -> None:
    outcomes = {
        id_: HAZARD.elements[id_].properties["outcome"]
        for id_ in HAZARD.ends
        if "outcome" in HAZARD.elements[id_].properties
    }
    assert outcomes == {
        "closed_accepted": "accepted",
        "closed_elsewhere": "closed_elsewhere",
        "closed_not_hazard": "not_hazard",
        "merged": "merged",
        "transferred": "transferred",
    }


def categories(form: str) -> list[tuple[str, str]]:
    return [(one["const"], one["title"]) for one in FORMS[form]["properties"]["category"]["oneOf"]]


def test_forms_and_grading_know_the_categories_of_the_catalogue() -> None:
    catalogue = [(one["code"], one["title"]) for one in TEXTS["categories"]]
    assert sorted(categories("report")) == sorted(catalogue)
    assert categories("confirm") == categories("report")
    column = next(c for c in HAZARD.rules["grade"].inputs if c.label == "类别")
    assert column.allowed is not None
    assert set(column.allowed.values) == {code for code, _ in catalogue}


def test_every_category_says_what_to_look_at_and_whether_photos_count() -> None:
    for one in TEXTS["categories"]:
        told = set(one) - {"first"}
        assert told == {"code", "title", "titleEn", "photos", "look", "lookEn", "plain", "plainEn"}


def test_residents_are_shown_few_kinds_at_once_and_one_for_all_the_rest() -> None:
    first = [one["code"] for one in TEXTS["categories"] if one.get("first")]
    assert 4 <= len(first) <= 8
    assert first[-1] == "other"


def test_grading_has_one_answer_for_every_case() -> None:
    for decision in read_decisions(FILES).values():
        assert check_table(decision) == []


# --- deadlines ------------------------------------------------------------------------------------


def used_classes() -> set[str]:
    """Every deadline class that some clock may come to."""
    used = {str(m.window) for m in HAZARD.messages.values() if m.window}
    written = [task.deadline for task in HAZARD.tasks.values()]
    written += [timer.expression for timer in HAZARD.timers.values()]
    for expression in filter(None, written):
        for outcome in expression.outcomes or ():
            used |= _classes_of(outcome)
    return used


def _classes_of(outcome: object) -> set[str]:
    if not isinstance(outcome, Read):
        return {str(outcome)}
    element, name = outcome.path
    if element in HAZARD.rules:
        at = [column.name for column in HAZARD.rules[element].outputs].index(name)
        return {str(rule.results[at]) for rule in HAZARD.rules[element].rules}
    field = HAZARD.forms[HAZARD.tasks[element].form].field(name)
    assert field is not None
    return {choice.value for choice in field.choices} - {"graded"}


def test_every_deadline_class_is_used_and_every_clock_has_one() -> None:
    assert used_classes() == set(HAZARD.classes)


def test_every_step_has_a_clock() -> None:
    assert all(task.deadline for task in HAZARD.tasks.values())


def test_deadlines_are_configuration_and_say_so() -> None:
    assert all(one.source.startswith("配置。") for one in HAZARD.classes.values())


def test_whoever_is_late_is_heard_of_and_whoever_waits_is_not() -> None:
    windows = {str(timer.expression.text)[1:-1] for timer in HAZARD.timers.values()
               if timer.expression}  # fmt: skip
    for id_, one in HAZARD.classes.items():
        assert bool(one.escalate_duty) is (id_ not in windows), id_
        assert bool(one.grace) is (id_ not in windows), id_


# --- who may not ----------------------------------------------------------------------------------


def barred(task: str, **variables: dict[str, Any]) -> set[str]:
    expression = HAZARD.tasks[task].separate_from
    assert expression is not None
    return set(expression.evaluate(variables))


def test_nobody_confirms_what_they_reported() -> None:
    assert barred("confirm") == {"report"}


def test_the_second_look_is_another_persons_and_after_a_dispute_a_third_ones() -> None:
    assert barred("second_look") == {"report", "confirm"}
    assert "second_look" in barred("second_look", inform_dispute={"by": "p-0001"})


@pytest.mark.parametrize("task", ["accept", "second_accept", "re_accept"])
def test_whoever_rectified_does_not_accept(task: str) -> None:
    assert {"rectify", "sign_in", "sign_in_ordered"} <= barred(task)
    own_unit = HAZARD.tasks[task].separate_unit_from
    assert own_unit is not None
    assert own_unit.evaluate({}) == ["rectify"]


def test_a_major_hazard_is_not_accepted_by_whoever_assigned_it() -> None:
    assert "assign" in barred("accept", grade={"level": "major"})
    assert "assign" not in barred("accept", grade={"level": "general"})


def test_the_two_acceptances_and_the_closing_are_different_persons() -> None:
    assert "accept" in barred("second_accept")
    assert {"accept", "second_accept", "close"} <= barred("re_accept")
    assert {"accept", "second_accept", "re_accept"} <= barred("close")


def test_whoever_had_a_part_does_not_reinspect() -> None:
    parts = {"report", "confirm", "assign", "rectify", "accept", "second_accept", "re_accept"}
    assert parts | {"close"} == barred("reinspect")
    assert HAZARD.lanes[HAZARD.tasks["reinspect"].lane].scope == "lot"


def test_nobody_ratifies_rules_or_approves_their_own() -> None:
    assert barred("ratify") == {"first_response"}
    assert barred("rule_objection") == {"assign"}
    assert barred("approve_plan") == {"write_plan"}


# --- where it goes --------------------------------------------------------------------------------

GENERAL: Final = {"verdict": "hazard", "level": "general", "danger_now": False}
MAJOR: Final = {"verdict": "hazard", "level": "major", "danger_now": False}
TO_PROPERTY: Final = {
    "unit": "u-property",
    "person": "p-0002",
    "acceptor": "p-0003",
    "second_acceptor": "p-0004",
    "term": "graded",
    "five_measures": False,
}


class Case:
    """A case moved by hand, reloaded before every step as from its snapshot."""

    def __init__(self, **opened: Any) -> None:
        self.variables: dict[str, dict[str, Any]] = {
            "case": {"category": "charging", "danger_now": False, **opened}
        }
        self.moves = 0
        self.step: Step = Run(HAZARD, None).begin(self.variables, seed=self.seed())

    def seed(self) -> bytes:
        self.moves += 1
        return self.moves.to_bytes(32, "big")

    def run(self) -> Run:
        return Run(HAZARD, self.step.marking)

    def open(self) -> set[str]:
        """The elements of the open steps, without the messages that may come."""
        return {w.element for w in self.run().waiting() if w.element not in HAZARD.messages}

    def key(self, element: str) -> str:
        (key,) = [w.key for w in self.run().waiting() if w.element == element]
        return key

    def do(self, element: str, **outcome: Any) -> "Case":
        told = {**outcome, "by": f"p-{element}"}
        run, variables = self.run(), self.step.variables
        if element in HAZARD.tasks:
            self.step = run.complete(self.key(element), told, variables, seed=self.seed())
        else:
            known = {**variables, element: told} if element in HAZARD.messages else variables
            self.step = run.fire(self.key(element), known, seed=self.seed())
        return self

    def clock(self, element: str) -> Any:
        deadline = HAZARD.tasks[element].deadline
        assert deadline is not None
        return deadline.evaluate(self.step.variables)

    def grade(self) -> dict[str, Any]:
        return self.step.variables["grade"]

    def assigned(self, **confirmed: Any) -> "Case":
        self.do("confirm", **{**GENERAL, **confirmed})
        if "second_look" in self.open():
            self.do("second_look", decision="agree")
        return self.do("assign", **TO_PROPERTY)

    def planned(self, term: str = "MAJ60") -> "Case":
        self.do("write_plan").do("approve_plan", decision="approve", term=term)
        return self.do("publish_listing")

    def closed(self) -> "Case":
        self.do("rectify").do("accept", result="pass")
        if "second_accept" in self.open():
            self.do("second_accept", result="pass")
        return self.do("close")


def test_the_straight_way() -> None:
    case = Case().assigned().do("sign_in")
    assert case.clock("rectify") == "G7"
    case.closed()
    assert case.open() == {"feedback_window"}
    assert case.do("feedback_window").open() == {"aftercare_window"}
    case.do("aftercare_window")
    assert "draw_lot" in case.step.path


def drawn(case: Case) -> bool:
    return bool(case.step.variables["draw_lot"]["drawn"])


def test_one_general_case_in_ten_is_drawn_and_the_others_end() -> None:
    ends = []
    for number in range(200):
        case = Case().assigned().do("sign_in").closed().do("feedback_window")
        case.moves = 1000 * number
        case.do("aftercare_window")
        ends.append(case.step.ends)
        assert case.step.finished is not drawn(case)
        assert case.open() == ({"reinspect"} if drawn(case) else set())
    assert 5 <= ends.count([]) <= 40
    assert {end for told in ends for end in told} == {"closed_accepted"}


def test_every_major_case_is_drawn_and_reviewed_before_it_ends() -> None:
    case = Case().assigned(**MAJOR).do("sign_in").planned().closed()
    case.do("feedback_window").do("aftercare_window").do("reinspect", result="absent")
    assert case.open() == {"closing_review"}
    assert case.do("closing_review").step.ends == ["closed_accepted"]
    assert case.step.finished


@pytest.mark.parametrize("verdict", ["not_hazard", "duplicate", "other_authority"])
def test_no_report_is_put_aside_on_one_persons_word(verdict: str) -> None:
    case = Case().do("confirm", verdict=verdict)
    assert case.open() == {"second_look"}
    assert case.do("second_look", decision="agree").open() == {"inform_window"}
    ends = {"not_hazard": "closed_not_hazard", "duplicate": "merged",
            "other_authority": "transferred"}  # fmt: skip
    assert case.do("inform_window").step.ends == [ends[verdict]]


def test_the_second_look_may_say_something_else() -> None:
    case = Case().do("confirm", verdict="not_hazard")
    case.do("second_look", decision="override", verdict="hazard", level="major")
    assert case.grade() == {"level": "major", "plan": True, "term": "MAJ365"}
    other = Case().do("confirm", verdict="not_hazard")
    other.do("second_look", decision="override", verdict="duplicate")
    assert other.do("inform_window").step.ends == ["merged"]


def test_the_reporter_may_disagree_once_with_being_put_aside() -> None:
    case = Case().do("confirm", verdict="not_hazard").do("second_look", decision="agree")
    assert case.do("inform_dispute").open() == {"second_look"}
    assert case.do("second_look", decision="agree").step.ends == ["closed_not_hazard"]


def test_a_dispute_may_turn_it_into_a_hazard() -> None:
    case = Case().do("confirm", verdict="not_hazard").do("second_look", decision="agree")
    case.do("inform_dispute")
    case.do("second_look", decision="override", verdict="hazard", level="general")
    assert case.open() == {"assign"}
    assert case.grade()["level"] == "general"


def test_what_was_major_does_not_become_less_on_one_persons_word() -> None:
    case = Case().do("confirm", **MAJOR).do("second_look", decision="agree")
    case.do("assign_return").do("confirm", **GENERAL)
    assert case.open() == {"second_look"}
    assert case.do("second_look", decision="agree").grade()["level"] == "general"


def test_an_old_second_look_does_not_grade_a_later_confirmation() -> None:
    case = Case().do("confirm", verdict="not_hazard")
    case.do("second_look", decision="override", verdict="hazard", level="general")
    case.do("assign_return").do("confirm", **GENERAL)
    assert case.open() == {"assign"}
    assert case.grade()["level"] == "general"


@pytest.mark.parametrize(
    ("category", "danger", "term"),
    [("charging", False, "G7"), ("gas", False, "U24"), ("illegal_building", False, "K15"),
     ("charging", True, "E2H"), ("gas", True, "E2H")],
)  # fmt: skip
def test_general_hazards_are_given_the_time_of_their_kind(
    category: str, danger: bool, term: str
) -> None:
    case = Case(category=category).do("confirm", **{**GENERAL, "danger_now": danger})
    assert case.grade() == {"level": "general", "plan": False, "term": term}


def test_a_corrected_category_counts() -> None:
    case = Case(category="charging").do("confirm", **GENERAL, category="gas")
    assert case.grade()["term"] == "U24"


def test_danger_starts_emergency_measures_beside_the_case() -> None:
    case = Case(danger_now=True)
    assert case.clock("confirm") == "M30"
    case.do("confirm", **{**GENERAL, "danger_now": True})
    assert case.open() == {"first_response", "assign"}
    assert case.clock("first_response") == "E20"
    assert case.do("first_response").open() == {"ratify", "assign"}
    assert case.do("ratify").open() == {"assign"}


def test_measures_beyond_the_community_call_the_departments_before_they_are_ratified() -> None:
    case = Case(danger_now=True, title="车棚冒烟", address="听涛苑 3 幢")
    case.do("confirm", **{**GENERAL, "danger_now": True})
    told = {"why": "要断电", "departments": ["u-power"], "action": "疏散"}
    assert case.do("first_response", whistle=True, **told).open() == {"ratify", "assign"}
    (sending,) = case.step.sends
    assert sending.send == "request_whistle"
    assert sending.form == {
        "kind": "emergency", "title": "车棚冒烟", "category": "charging",
        "address": "听涛苑 3 幢", "why": "要断电", "departments": ["u-power"],
        "description": "疏散",
    }  # fmt: skip
    alone = Case(danger_now=True).do("confirm", **{**GENERAL, "danger_now": True})
    assert alone.do("first_response").step.sends == []
    assert alone.open() == {"ratify", "assign"}


def test_a_whistle_can_be_filled_from_a_hazard_and_a_hazard_from_a_message() -> None:
    whistle = read_form((FOLDER.parent / "whistle/forms/report.json").read_bytes())
    payload = HAZARD.sends["request_whistle"].payload
    assert {field.name for field in whistle.fields if field.required} <= set(payload)
    assert set(payload) <= {field.name for field in whistle.fields}
    required = {field.name for field in HAZARD.forms["report"].fields if field.required}
    assert required == {"title", "category", "address", "description"}


def test_a_case_stays_open_until_its_emergency_measures_are_ratified() -> None:
    case = Case().assigned(danger_now=True).do("sign_in").closed()
    case.do("feedback_window").do("aftercare_window")
    if drawn(case):
        case.do("reinspect", result="absent")
    assert case.step.ends == ["closed_accepted"]
    assert not case.step.finished
    assert case.do("first_response").do("ratify").step.finished


def test_an_objection_upheld_is_assigned_anew() -> None:
    case = Case().assigned().do("sign_in_object").do("rule_objection", ruling="upheld")
    assert case.open() == {"assign"}


def test_after_a_ruling_there_is_no_objection_any_more() -> None:
    case = Case().assigned().do("sign_in_object").do("rule_objection", ruling="rejected")
    assert [w.element for w in case.run().waiting()] == ["sign_in_ordered"]
    assert case.do("sign_in_ordered").open() == {"rectify"}


def test_an_assignment_can_be_taken_back_and_sent_back() -> None:
    case = Case().assigned().do("sign_in_withdraw")
    assert case.open() == {"assign"}
    assert case.do("assign_return").open() == {"confirm"}


def test_signing_in_late_reminds_and_stops_nothing() -> None:
    case = Case().assigned().do("sign_in_overdue")
    assert case.open() == {"sign_in"}
    assert case.do("sign_in").open() == {"rectify"}


def test_a_plan_is_written_until_it_is_approved_and_its_time_counts() -> None:
    case = Case().assigned(**MAJOR).do("sign_in").do("write_plan")
    assert case.do("approve_plan", decision="reject").open() == {"write_plan"}
    assert case.planned("MAJ90").open() == {"rectify", "progress_due"}
    assert case.clock("rectify") == "MAJ90"


def test_a_general_hazard_may_be_given_a_plan_which_is_not_listed() -> None:
    case = Case().do("confirm", **GENERAL).do("assign", **{**TO_PROPERTY, "five_measures": True})
    case.do("sign_in").do("write_plan").do("approve_plan", decision="approve", term="K15")
    assert case.open() == {"rectify"}
    assert case.clock("rectify") == "K15"


def test_the_dispatcher_may_depart_from_the_graded_time() -> None:
    case = Case().do("confirm", **GENERAL).do("assign", **{**TO_PROPERTY, "term": "U24"})
    assert case.do("sign_in").clock("rectify") == "U24"


def test_progress_is_asked_every_week_until_the_rectification_ends_it() -> None:
    case = Case().assigned(**MAJOR).do("sign_in").planned()
    for _ in range(60):
        assert case.do("progress_due").open() == {"rectify", "progress"}
        assert case.do("progress").open() == {"rectify", "progress_due"}
    case.do("progress_due")
    assert case.do("rectify").open() == {"accept"}
    assert case.step.closed == ["rectify#1", "progress#61"]


def answers(path: tuple[str, ...]) -> list[Any]:
    """Everything that may be read at a path, None included."""
    element, name = path
    if element in HAZARD.rules:
        return [None, "general", "major"] if name == "level" else [None, True, False]
    if element not in HAZARD.tasks:
        return [None, "p-0001"]
    field = HAZARD.forms[HAZARD.tasks[element].form].field(name)
    assert field is not None
    return [None, *([True, False] if field.type == "boolean" else [c.value for c in field.choices])]


CHOICES: Final = {g.id: g for g in HAZARD.gateways.values() if len(g.flows) > 2}


@pytest.mark.parametrize("gateway", CHOICES.values(), ids=CHOICES)
def test_no_choice_depends_on_the_order_in_which_its_answers_are_tried(gateway: Gateway) -> None:
    # SpiffWorkflow tries them from the top of the picture to the bottom.
    conditions = [flow.condition for flow in gateway.flows if flow.condition]
    paths = sorted(set().union(*(condition.paths for condition in conditions)))
    for values in product(*map(answers, paths)):
        known: dict[str, dict[str, Any]] = {}
        for (element, name), value in zip(paths, values, strict=True):
            known.setdefault(element, {})[name] = value
        assert sum(condition.holds(known) for condition in conditions) <= 1, known


def test_every_failure_is_a_round_with_a_short_time() -> None:
    case = Case().assigned().do("sign_in")
    for round_ in range(2, 6):
        case.do("rectify").do("accept", result="fail")
        assert case.key("rectify") == f"rectify#{round_}"
        assert case.clock("rectify") == "RW2"


def test_a_failure_before_the_second_acceptor_is_a_round_too() -> None:
    case = Case().assigned(**MAJOR).do("sign_in").planned().do("rectify")
    case.do("accept", result="pass").do("second_accept", result="fail")
    assert case.key("rectify") == "rectify#2"
    assert case.clock("rectify") == "RW10"


@pytest.mark.parametrize("failing", ["accept", "second_accept"])
def test_the_street_leaders_order_leads_to_a_new_assignment_with_its_own_time(failing: str) -> None:
    case = Case().assigned(**MAJOR).do("sign_in").planned().do("rectify")
    if failing == "second_accept":
        case.do("accept", result="pass")
    assert case.do(failing, result="escalate").open() == {"order"}
    assert case.do("order").do("assign", **TO_PROPERTY).do("sign_in").planned("MAJ30").open() >= {
        "rectify"
    }
    assert case.clock("rectify") == "MAJ30"


def test_a_rectification_can_be_taken_back_and_a_closing_sent_back() -> None:
    case = Case().assigned().do("sign_in").do("rectify").do("accept_withdraw")
    assert case.open() == {"rectify"}
    case.do("rectify").do("accept", result="pass").do("close_return")
    assert case.open() == {"accept"}


def test_a_result_disputed_is_accepted_anew_by_another_person() -> None:
    case = Case().assigned().do("sign_in").closed().do("feedback_dispute")
    assert case.open() == {"re_accept"}
    assert case.do("re_accept", result="pass").open() == {"aftercare_window"}


@pytest.mark.parametrize("how", ["feedback_reopen", "aftercare_reopen", "re_accept", "reinspect"])
def test_a_refuted_closing_is_assigned_and_reviewed_at_once(how: str) -> None:
    case = Case().assigned(**MAJOR).do("sign_in").planned().closed()
    if how == "feedback_reopen":
        case.do("feedback_reopen")
    elif how == "re_accept":
        case.do("feedback_dispute").do("re_accept", result="fail")
    elif how == "aftercare_reopen":
        case.do("feedback_window").do("aftercare_reopen")
    else:
        case.do("feedback_window").do("aftercare_window").do("reinspect", result="present")
    assert case.open() == {"assign", "review"}


def test_nothing_of_an_earlier_life_decides_the_next_one() -> None:
    case = Case().assigned().do("sign_in").do("rectify").do("accept", result="fail")
    case.closed().do("feedback_dispute").do("re_accept", result="fail")
    case.do("review").do("assign", **TO_PROPERTY).do("sign_in")
    assert case.clock("rectify") == "G7"
    case.closed().do("feedback_window").do("aftercare_window")
    assert case.open() <= {"reinspect"}


# --- the picture ----------------------------------------------------------------------------------

Box = tuple[float, float, float, float]
DC: Final = "http://www.omg.org/spec/DD/20100524/DC"
DD: Final = "http://www.omg.org/spec/DD/20100524/DI"
DRAWN: Final = read_diagram(HAZARD.bpmn)
PARENT: Final = {node.id: node.parent for node in DRAWN.nodes}


def _box(element: Any) -> Box:
    x, y, width, height = (float(element.get(k)) for k in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def boxes(path: str) -> dict[str, Box]:
    shapes = etree.fromstring(HAZARD.bpmn).iter(f"{{{DI}}}BPMNShape", f"{{{DI}}}BPMNEdge")
    found = {shape.get("bpmnElement"): shape.find(path) for shape in shapes}
    return {id_: _box(bounds) for id_, bounds in found.items() if bounds is not None}


SHAPES: Final = boxes(f"{{{DC}}}Bounds")
LABELS: Final = boxes(f"{{{DI}}}BPMNLabel/{{{DC}}}Bounds")
LINES: Final = {
    edge.get("bpmnElement"): [
        (float(p.get("x")), float(p.get("y"))) for p in edge.iter(f"{{{DD}}}waypoint")
    ]
    for edge in etree.fromstring(HAZARD.bpmn).iter(f"{{{DI}}}BPMNEdge")
}
NODES: Final = {id_: box for id_, box in SHAPES.items() if id_ in HAZARD.elements}


def overlap(one: Box, other: Box) -> bool:
    return (
        one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
    )  # fmt: skip


def within(inner: Box, outer: Box) -> bool:
    return (
        outer[0] <= inner[0]
        and outer[1] <= inner[1]
        and inner[2] <= outer[2]
        and inner[3] <= outer[3]
    )


def test_everything_is_drawn_and_nothing_else() -> None:
    drawn = set(SHAPES) | set(LINES)
    assert drawn == set(HAZARD.elements) | set(HAZARD.flows) | set(HAZARD.lanes)


def test_every_step_stands_in_its_lane_or_in_its_box() -> None:
    for id_, box in NODES.items():
        element = HAZARD.elements[id_]
        around = element.parent or element.lane
        if element.attached_to is None:
            assert around is not None
            assert within(box, SHAPES[around]), id_


def test_no_two_steps_lie_on_each_other() -> None:
    for one, other in combinations(NODES, 2):
        elements = HAZARD.elements[one], HAZARD.elements[other]
        hosts = {e.attached_to for e in elements}
        if PARENT[one] == PARENT[other] and not hosts & {one, other}:
            assert not overlap(NODES[one], NODES[other]), (one, other)


def segments(flow: Flow) -> list[Box]:
    points = LINES[flow.id]
    return [(min(a, c), min(b, d), max(a, c), max(b, d)) for (a, b), (c, d) in pairwise(points)]


def test_lines_are_upright_or_level_and_pass_over_no_step() -> None:
    for flow in HAZARD.flows.values():
        near = {flow.source, flow.target, HAZARD.elements[flow.source].attached_to}
        near |= {PARENT[flow.source]}
        for x0, y0, x1, y1 in segments(flow):
            assert x0 == x1 or y0 == y1, flow.id
            for id_ in set(NODES) - near:
                if HAZARD.elements[id_].attached_to not in near:
                    assert not overlap((x0, y0, x1 + 0.1, y1 + 0.1), NODES[id_]), (flow.id, id_)


def test_lines_end_at_the_steps_they_join() -> None:
    for flow in HAZARD.flows.values():
        ends = (LINES[flow.id][0], flow.source), (LINES[flow.id][-1], flow.target)
        for (x, y), node in ends:
            left, top, right, bottom = NODES[node]
            assert (x in (left, right) and top <= y <= bottom) or (
                y in (top, bottom) and left <= x <= right
            ), flow.id


def test_labels_are_clear_of_steps_lines_and_each_other() -> None:
    for one, other in combinations(LABELS, 2):
        assert not overlap(LABELS[one], LABELS[other]), (one, other)
    for id_, label in LABELS.items():
        for flow in HAZARD.flows.values():
            for x0, y0, x1, y1 in segments(flow):
                assert not overlap((x0, y0, x1 + 0.1, y1 + 0.1), label), (id_, flow.id)
        for node, box in NODES.items():
            if node != id_ and HAZARD.elements[node].kind != "subProcess":
                assert not overlap(label, box), (id_, node)


def test_whatever_is_named_and_stands_outside_its_shape_has_a_place_for_its_label() -> None:
    outside = {
        id_
        for id_, element in HAZARD.elements.items()
        if element.name and ("Event" in element.kind or "Gateway" in element.kind)
    }
    assert set(LABELS) == outside | {flow.id for flow in HAZARD.flows.values() if flow.name}


def test_a_choice_names_its_question_and_its_answers() -> None:
    root = etree.fromstring(HAZARD.bpmn)
    for gateway in root.iter(f"{{{BPMN}}}exclusiveGateway"):
        flows = HAZARD.gateways[gateway.get("id")].flows
        if len(flows) == 1:
            continue
        assert CHINESE.search(gateway.get("name"))
        for flow in flows:
            target = HAZARD.elements[flow.target]
            assert flow.name or (target.kind == "endEvent" and target.name), flow.id
