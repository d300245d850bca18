"""Plans, patrols, directives, receipts and drills as data: complete, readable, well drawn."""

import json
import re
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import combinations, pairwise, product
from pathlib import Path
from typing import Any, Final

import pytest
from lxml import etree

from engine.definitions import Definition, Gateway, parse, read_folder
from engine.diagram import BPMN, DI, read_diagram
from engine.expressions import Read
from engine.lint import lint
from engine.process import Run, Step, draw

WORKFLOWS: Final = Path(__file__).parents[2] / "workflows"
KEYS: Final = ("patrol_plan", "patrol", "directive", "directive_receipt", "drill", "accident")
LIGHT: Final = {key: parse(read_folder(WORKFLOWS / key)) for key in KEYS}
OPENED: Final = {
    (key, send.id): send.opens for key in KEYS for send in LIGHT[key].sends.values() if send.opens
}
CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")

light = pytest.mark.parametrize("drawn", LIGHT.values(), ids=LIGHT)


def schemas(drawn: Definition) -> Iterator[tuple[str, dict[str, Any]]]:
    """The forms of a set as written: name without folder and ending, and the JSON."""
    for name, data in drawn.files.items():
        if name.startswith("forms/"):
            yield name.removeprefix("forms/").removesuffix(".json"), json.loads(data)


# --- the files ------------------------------------------------------------------------------------


@light
def test_it_may_be_deployed(drawn: Definition) -> None:
    assert lint(drawn.files) == []


@light
def test_the_drawing_is_valid_bpmn_2_0(drawn: Definition) -> None:
    spec = find_spec("SpiffWorkflow")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "bpmn" / "parser" / "schema"
    etree.XMLSchema(etree.parse(folder / "BPMN20.xsd")).assertValid(etree.fromstring(drawn.bpmn))


@light
def test_what_a_person_reads_is_chinese_with_english_beside_it(drawn: Definition) -> None:
    for task in drawn.tasks.values():
        shown = [task.name, task.verb, drawn.forms[task.form].title]
        english = [task.name_en, task.verb_en, drawn.forms[task.form].title_en]
        assert all(map(CHINESE.search, shown)), task.id
        assert all(text.isascii() and text for text in english), task.id
    named = [(lane.name, lane.name_en) for lane in drawn.lanes.values()]
    named += [(one.name, one.name_en) for one in drawn.elements.values() if one.name]
    for name, name_en in named:
        assert CHINESE.search(name)
        assert name_en, name


@light
def test_every_question_is_asked_in_both_languages(drawn: Definition) -> None:
    for form, schema in schemas(drawn):
        for name, field in schema["properties"].items():
            choices = field.get("oneOf", []) + field.get("items", {}).get("oneOf", [])
            for asked in [field, *choices]:
                assert CHINESE.search(asked["title"]), (form, name)
                assert asked["x-en"], (form, name)
            assert ("x-hint" in field) is ("x-hint-en" in field), (form, name)


@light
def test_forms_are_short_and_each_is_asked_somewhere(drawn: Definition) -> None:
    asked = {task.form for task in drawn.tasks.values()} | {"report"}
    assert asked == set(drawn.forms)
    assert all(len(form.fields) <= 8 for form in drawn.forms.values())


@light
def test_there_is_a_text_wherever_the_case_may_stand(drawn: Definition) -> None:
    waits = {t.id for t in drawn.timers.values() if not t.attached_to}
    waits |= {m.id for m in drawn.messages.values() if not m.attached_to}
    assert set(drawn.texts) == set(drawn.tasks) | waits | set(outcomes(drawn)) | {"report"}
    for text in drawn.texts.values():
        assert CHINESE.search(text["zh"])
        assert text["en"].isascii()


def outcomes(drawn: Definition) -> dict[str, str]:
    """End event -> how a case that ends there came out."""
    told = {id_: drawn.elements[id_].properties.get("outcome") for id_ in drawn.ends}
    return {id_: outcome for id_, outcome in told.items() if outcome}


@pytest.mark.parametrize(
    ("key", "ends"),
    [
        ("patrol_plan", {"completed", "recalled"}),
        ("patrol", {"nil_report", "items_reported", "not_walked"}),
        ("directive", {"completed", "not_issued", "recalled"}),
        ("directive_receipt", {"executed", "not_executed", "read_only", "removed", "recalled"}),
        ("drill", {"closed", "called_off"}),
        ("accident", {"closed", "no_accident"}),
    ],
)
def test_every_way_to_the_end_says_how_the_case_came_out(key: str, ends: set[str]) -> None:
    assert set(outcomes(LIGHT[key])) == ends


def test_numbers_tell_the_kinds_of_cases_apart() -> None:
    assert [one.number_label for one in LIGHT.values()] == ["计", "巡", "令", "达", "练", "事"]


@light
def test_the_readme_names_every_step_and_every_end(drawn: Definition) -> None:
    text = (WORKFLOWS / drawn.key / "README.md").read_text(encoding="utf-8")
    for id_ in [*drawn.tasks, *drawn.sends, *outcomes(drawn), *drawn.messages]:
        assert f"`{id_}`" in text, id_


# --- deadlines ------------------------------------------------------------------------------------


def used_classes(drawn: Definition) -> set[str]:
    """Every deadline class that some clock may come to."""
    written = [task.deadline for task in drawn.tasks.values()]
    written += [timer.expression for timer in drawn.timers.values()]
    found: set[str] = set()
    for expression in filter(None, written):
        for outcome in expression.outcomes or ():
            found |= _classes_of(drawn, outcome)
    return found


def _classes_of(drawn: Definition, outcome: object) -> set[str]:
    if not isinstance(outcome, Read):
        return {str(outcome)}
    owner, name = outcome.path
    assert owner == "case"
    field = drawn.forms["report"].field(name)
    assert field is not None
    return {choice.value for choice in field.choices}


@light
def test_every_class_is_used_and_every_step_has_a_clock(drawn: Definition) -> None:
    assert used_classes(drawn) == set(drawn.classes)
    assert all(task.deadline for task in drawn.tasks.values())


@light
def test_deadlines_are_configuration_and_say_so(drawn: Definition) -> None:
    assert all(one.source.startswith("配置。") for one in drawn.classes.values())


@light
def test_whoever_is_late_is_heard_of_and_whoever_waits_is_not(drawn: Definition) -> None:
    waits = {"EVERY_DAY", "EVERY_WEEK", "EVERY_MONTH", "OBJ10"}
    for id_, one in drawn.classes.items():
        assert bool(one.escalate_duty) is bool(one.grace) is (id_ not in waits), id_


def clock(key: str, task: str, **opened: Any) -> Any:
    deadline = LIGHT[key].tasks[task].deadline
    assert deadline is not None
    return deadline.evaluate({"case": opened})


@pytest.mark.parametrize(
    ("level", "read", "execute"),
    [("urgent", "H1", "U24"), ("important", "WH4", "WD2"), ("ordinary", "WD1", "WD5")],
)
def test_the_level_of_a_directive_sets_its_clocks(level: str, read: str, execute: str) -> None:
    assert clock("directive_receipt", "read", level=level) == read
    assert clock("directive_receipt", "execute", level=level) == execute


# --- who may, and who may not ---------------------------------------------------------------------


def test_who_opens_what() -> None:
    assert {key: one.opened_by for key, one in LIGHT.items()} == {
        "patrol_plan": "patrol",
        "patrol": "patrol",
        "directive": "direct",
        "directive_receipt": "case",
        "drill": "dispatch",
        "accident": "confirm",
    }


def test_who_does_what() -> None:
    lanes = {
        (key, task.id): (one.lanes[task.lane].duty, one.lanes[task.lane].scope)
        for key, one in LIGHT.items()
        for task in one.tasks.values()
    }
    assert lanes == {
        ("patrol", "walk"): ("patrol", "place"),
        ("patrol", "record_item"): ("patrol", "place"),
        ("patrol", "excuse"): ("confirm", "place"),
        ("patrol", "explain_missed"): ("confirm", "place"),
        ("patrol", "recheck"): ("reinspect", "lot"),
        ("patrol", "record_missed"): ("reinspect", "lot"),
        ("directive", "legality"): ("review", "street"),
        ("directive", "review"): ("direct", "street"),
        ("directive_receipt", "read"): ("receive", "street"),
        ("directive_receipt", "execute"): ("receive", "street"),
        ("directive_receipt", "press"): ("approve", "street"),
        ("drill", "conduct"): ("confirm", "place"),
        ("drill", "review"): ("review", "street"),
        ("drill", "record_action"): ("review", "street"),
        ("accident", "verify"): ("dispatch", "street"),
        ("accident", "report_up"): ("dispatch", "street"),
        ("accident", "review"): ("review", "street"),
        ("accident", "record_action"): ("review", "street"),
        ("accident", "determine"): ("approve", "street"),
    }


def test_nobody_judges_their_own() -> None:
    apart = {
        (key, task.id): task.separate_from.evaluate({})
        for key, one in LIGHT.items()
        for task in one.tasks.values()
        if task.separate_from
    }
    assert apart == {
        ("directive", "legality"): ["report"],
        ("drill", "review"): ["conduct"],
        ("accident", "verify"): ["report"],
        ("accident", "review"): ["report", "verify"],
        ("accident", "determine"): ["report", "verify", "review"],
        ("patrol", "recheck"): ["walk", "record_item"],
    }


# --- what is told ---------------------------------------------------------------------------------


def test_what_opens_what() -> None:
    assert OPENED == {
        ("patrol_plan", "open_patrol"): "patrol",
        ("patrol", "open_hazard"): "hazard",
        ("patrol", "open_missed"): "hazard",
        ("directive", "issue"): "directive_receipt",
        ("drill", "open_hazard"): "hazard",
        ("accident", "open_hazard"): "hazard",
    }


@pytest.mark.parametrize(("sender", "opened"), OPENED.items(), ids=lambda one: "-".join(one))
def test_what_is_told_fills_the_form_of_the_case_it_opens(
    sender: tuple[str, str], opened: str
) -> None:
    payload = LIGHT[sender[0]].sends[sender[1]].payload
    form = parse(read_folder(WORKFLOWS / opened)).forms["report"]
    assert {field.name for field in form.fields if field.required} <= set(payload)
    assert set(payload) <= {field.name for field in form.fields}


@pytest.mark.parametrize("sender", OPENED, ids="-".join)
def test_what_is_told_fits_where_it_goes(sender: tuple[str, str]) -> None:
    drawn = LIGHT[sender[0]]
    asked = parse(read_folder(WORKFLOWS / OPENED[sender])).forms["report"]
    for name, expression in drawn.sends[sender[1]].payload.items():
        ((owner, read),) = expression.paths
        form = drawn.forms["report" if owner == "case" else drawn.tasks[owner].form]
        given, taken = form.field(read), asked.field(name)
        assert given is not None and taken is not None  # noqa: PT018 - for the type checker
        assert given.type == taken.type
        assert given.format == taken.format
        assert given.max_length <= taken.max_length
        assert given.min_length >= taken.min_length
        assert {choice.value for choice in given.choices} <= {c.value for c in taken.choices}


def test_a_receipt_waits_for_what_its_directive_tells() -> None:
    told = {send.message for send in LIGHT["directive"].sends.values() if not send.opens}
    heard = {message.message for message in LIGHT["directive_receipt"].messages.values()}
    assert heard == told | {"party.removed"}


# --- where it goes --------------------------------------------------------------------------------


class Case:
    """A case moved by hand; what other cases do is not in it."""

    def __init__(self, key: str, *, seed: bytes = bytes(32), **opened: Any) -> None:
        self.drawn, self.seed = LIGHT[key], seed
        self.step: Step = Run(self.drawn, None).begin({"case": opened}, seed=seed)

    def open(self) -> set[str]:
        """The elements that wait, but for messages and for what is attached to a step."""
        waiting = {w.element for w in Run(self.drawn, self.step.marking).waiting()}
        attached = {id_ for id_ in waiting if self.drawn.elements[id_].attached_to}
        return waiting - attached - set(self.drawn.messages)

    def do(self, element: str, **outcome: Any) -> "Case":
        run, known = Run(self.drawn, self.step.marking), self.step.variables
        (key,) = [w.key for w in run.waiting() if w.element == element]
        told = {**outcome, "by": "p-0001"}
        if element in self.drawn.tasks:
            self.step = run.complete(key, told, known, seed=self.seed)
        else:
            self.step = run.fire(key, {**known, element: told}, seed=self.seed)
        return self

    @property
    def sent(self) -> list[str]:
        return [sending.send for sending in self.step.sends]


def test_a_plan_opens_a_patrol_at_once_and_after_every_wait() -> None:
    case = Case("patrol_plan", interval="EVERY_WEEK")
    for _ in range(60):
        assert case.sent == ["open_patrol"]
        assert case.open() == {"next_round"}
        case.do("next_round")
    assert case.do("rounds_recall").step.ends == ["recalled"]
    assert case.step.finished


def test_a_plan_of_so_many_rounds_ends_with_the_last() -> None:
    case = Case("patrol_plan", interval="EVERY_DAY", rounds=3).do("next_round")
    assert case.do("next_round").step.ends == ["completed"]
    assert Case("patrol_plan", interval="EVERY_DAY", rounds=1).step.finished


def test_nothing_found_is_a_nil_report() -> None:
    case = Case("patrol").do("walk", result="nil")
    assert case.step.ends == ["nil_report", "not_drawn"]
    assert case.step.finished


@pytest.mark.parametrize("count", [1, 2, 5])
def test_as_many_hazards_are_opened_as_were_found(count: int) -> None:
    case = Case("patrol").do("walk", result="found", count=count)
    for _ in range(count):
        assert case.open() == {"record_item"}
        assert case.do("record_item").sent == ["open_hazard"]
    assert case.step.ends == ["items_reported", "not_drawn"]


SEEDS: Final = [bytes([number]) * 32 for number in range(250)]
IS_DRAWN: Final = next(seed for seed in SEEDS if draw(seed, "draw_lot", 1000) < 50)


def test_one_report_in_twenty_is_drawn_nil_or_not() -> None:
    ends = [Case("patrol", seed=seed).do("walk", result="nil").step.ends for seed in SEEDS]
    assert {tuple(one) for one in ends} == {("nil_report",), ("nil_report", "not_drawn")}
    assert 3 <= ends.count(["nil_report"]) <= 25
    found = Case("patrol", seed=IS_DRAWN).do("walk", result="found", count=1).do("record_item")
    assert found.step.ends == ["items_reported"]
    assert found.open() == {"recheck"}


def test_a_second_look_changes_no_report() -> None:
    case = Case("patrol", seed=IS_DRAWN).do("walk", result="nil")
    assert case.open() == {"recheck"}
    assert not case.step.finished
    assert case.do("recheck", result="same").step.ends == ["rechecked"]
    assert case.step.finished


@pytest.mark.parametrize("count", [0, 1, 3])
def test_each_thing_missed_becomes_a_hazard(count: int) -> None:
    case = Case("patrol", seed=IS_DRAWN).do("walk", result="nil")
    case.do("recheck", result="changed", count=count)
    for _ in range(count):
        assert case.open() == {"record_missed"}
        assert case.do("record_missed").sent == ["open_missed"]
    assert case.step.ends == ["rechecked"]


@pytest.mark.parametrize("corrected", [{"result": "changed", "count": 1}, {"result": "same"}])
def test_a_wrong_number_of_missed_ones_is_corrected_by_looking_back(
    corrected: dict[str, Any],
) -> None:
    case = Case("patrol", seed=IS_DRAWN).do("walk", result="nil")
    case.do("recheck", result="changed", count=2).do("record_missed")
    assert case.do("record_missed_return").open() == {"recheck"}
    assert case.do("recheck", **corrected).step.ends == ["rechecked"]


@pytest.mark.parametrize(
    ("corrected", "ends"),
    [({"result": "found", "count": 1}, ["items_reported", "not_drawn"]),
     ({"result": "nil"}, ["items_reported", "not_drawn"]),
     ({"result": "found", "count": 2}, [])],
)  # fmt: skip
def test_a_wrong_number_is_corrected_by_walking_back(
    corrected: dict[str, Any], ends: list[str]
) -> None:
    case = Case("patrol").do("walk", result="found", count=3).do("record_item")
    assert case.do("record_item_return").open() == {"walk"}
    assert case.do("walk", **corrected).step.ends == ends


def test_a_nil_report_can_correct_what_was_never_there() -> None:
    case = Case("patrol").do("walk", result="found", count=1).do("record_item_return")
    assert case.do("walk", result="nil").step.ends == ["nil_report", "not_drawn"]


def test_a_late_patrol_is_explained_beside_and_stays_open() -> None:
    case = Case("patrol").do("walk_overdue")
    assert case.open() == {"walk", "explain_missed"}
    assert case.do("explain_missed").open() == {"walk"}
    assert case.do("walk", result="nil").step.finished


def test_a_patrol_ends_only_when_its_lateness_is_explained() -> None:
    case = Case("patrol").do("walk_overdue").do("walk", result="nil")
    assert not case.step.finished
    assert case.do("explain_missed").step.finished


def test_a_patrol_that_cannot_be_walked_is_decided_on_and_is_no_nil_report() -> None:
    case = Case("patrol").do("walk_return")
    assert case.open() == {"excuse"}
    assert case.do("excuse", decision="walk").open() == {"walk"}
    assert case.do("walk_return").do("excuse", decision="drop").step.ends == ["not_walked"]


TO_TWO: Final = {"audience": ["p-0001", "p-0002"], "level": "ordinary"}


def test_a_directive_goes_to_each_person_once() -> None:
    case = Case("directive", **{**TO_TWO, "audience": ["p-0001", "p-0002", "p-0001"]})
    assert [sending.party for sending in case.step.sends] == ["p-0001", "p-0002"]
    assert case.open() == set()
    assert case.do("all_answered").open() == {"review"}
    assert case.do("review").step.ends == ["completed"]


@pytest.mark.parametrize(("opinion", "ends"), [("lawful", []), ("unlawful", ["not_issued"])])
def test_a_directive_may_be_held_back_until_its_legality_is_reviewed(
    opinion: str, ends: list[str]
) -> None:
    case = Case("directive", legality_review=True, **TO_TWO)
    assert case.open() == {"legality"}
    assert case.sent == []
    case.do("legality", opinion=opinion)
    assert case.step.ends == ends
    assert len(case.sent) == (0 if ends else 2)


def test_taking_a_directive_back_tells_whoever_has_it() -> None:
    case = Case("directive", **TO_TWO).do("issuing_recall")
    assert case.sent == ["tell_recalled"]
    assert case.step.ends == ["recalled"]


@pytest.mark.parametrize(
    ("result", "ends"), [("done", "executed"), ("unable", "not_executed"), (None, "read_only")]
)
def test_a_receipt_is_read_and_if_asked_for_executed(result: str | None, ends: str) -> None:
    case = Case("directive_receipt", needs_execution=result is not None).do("read")
    if result:
        assert case.open() == {"execute"}
        case.do("execute", result=result)
    assert case.step.ends == [ends]


def test_an_unread_receipt_is_brought_before_the_leader_beside() -> None:
    case = Case("directive_receipt").do("read_overdue")
    assert case.open() == {"read", "press"}
    assert case.do("read").open() == {"press"}
    assert case.do("press").step.ends == ["read_only"]


@pytest.mark.parametrize(
    ("message", "ends"), [("work_removed", "removed"), ("work_recalled", "recalled")]
)
def test_whoever_need_not_answer_any_more_has_nothing_left_to_do(message: str, ends: str) -> None:
    case = Case("directive_receipt").do("read_overdue").do(message)
    assert case.open() == set()
    assert case.step.ends == [ends]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_each_action_of_a_drill_becomes_a_hazard(count: int) -> None:
    case = Case("drill", within="DRILL7").do("conduct").do("review", count=count)
    for _ in range(count):
        assert case.open() == {"record_action"}
        assert case.do("record_action").sent == ["open_hazard"]
    assert case.step.ends == ["closed"]


def test_a_drill_review_is_corrected_and_a_drill_called_off() -> None:
    case = Case("drill", within="DRILL7").do("conduct").do("review", count=2).do("record_action")
    assert case.do("record_action_return").open() == {"review"}
    assert case.do("review", count=1).step.ends == ["closed"]
    assert Case("drill", within="DRILL7").do("conduct_recall").step.ends == ["called_off"]


@pytest.mark.parametrize("count", [0, 2])
def test_an_accident_is_verified_reported_up_reviewed_and_determined(count: int) -> None:
    case = Case("accident").do("verify", verdict="accident", level="general")
    case.do("report_up").do("review", count=count)
    for _ in range(count):
        assert case.do("record_action").sent == ["open_hazard"]
    assert case.open() == {"determine"}
    assert case.do("determine").open() == {"window_days"}
    assert case.do("window_days").step.ends == ["closed"]


def test_what_is_no_accident_ends_and_what_does_not_hold_is_reviewed_again() -> None:
    assert Case("accident").do("verify", verdict="none").step.ends == ["no_accident"]
    case = Case("accident").do("verify", verdict="accident", level="major").do("report_up")
    case.do("review", count=0).do("determine_return")
    assert case.open() == {"review"}
    case.do("review", count=0).do("determine").do("window_reopen")
    assert case.open() == {"review"}


CHOICES: Final = [
    pytest.param(drawn, gateway, id=f"{drawn.key}-{gateway.id}")
    for drawn in LIGHT.values()
    for gateway in drawn.gateways.values()
]


def answers(drawn: Definition, path: tuple[str, ...]) -> list[Any]:
    """Everything that may be read at a path, None included; numbers around those that matter."""
    owner, name = path
    if owner in drawn.sends:
        return [None, 0, 1, 2]
    if owner in drawn.lots:
        return [True, False]
    form = drawn.forms["report" if owner == "case" else drawn.tasks[owner].form]
    field = form.field(name)
    assert field is not None
    values: dict[str, list[Any]] = {"integer": [0, 1, 2], "boolean": [True, False]}
    return [None, *values.get(field.type, [choice.value for choice in field.choices])]


@pytest.mark.parametrize(("drawn", "gateway"), CHOICES)
def test_no_choice_depends_on_the_order_in_which_its_answers_are_tried(
    drawn: Definition, gateway: Gateway
) -> None:
    conditions = [flow.condition for flow in gateway.flows if flow.condition]
    paths = sorted(set().union(*(condition.paths for condition in conditions)))
    for values in product(*(answers(drawn, path) for path in paths)):
        known: dict[str, dict[str, Any]] = {}
        for (element, name), value in zip(paths, values, strict=True):
            known.setdefault(element, {})[name] = value
        if possible(known):
            assert sum(condition.holds(known) for condition in conditions) <= 1, known


def possible(known: dict[str, dict[str, Any]]) -> bool:
    """Not what no form lets through, nor a plan that has opened nothing."""
    walk = {"result": "nil", "count": 1, **known.get("walk", {})}
    review, plan = known.get("review", {"count": 0}), known.get("open_patrol", {"count": 1})
    again = {"result": "same", "count": 0, **known.get("recheck", {})}
    found = walk["result"] == "nil" or (walk["result"] == "found" and walk["count"])
    counted = again["result"] == "same" or again["count"] is not None
    return bool(found and counted) and review["count"] is not None and plan["count"] is not None


# --- the pictures ---------------------------------------------------------------------------------

Box = tuple[float, float, float, float]
DC: Final = "http://www.omg.org/spec/DD/20100524/DC"
DD: Final = "http://www.omg.org/spec/DD/20100524/DI"


class Picture:
    """Where everything is: boxes of nodes and lanes, labels, and lines by flow."""

    def __init__(self, drawn: Definition) -> None:
        self.drawn = drawn
        root = etree.fromstring(drawn.bpmn)
        self.parent = {node.id: node.parent for node in read_diagram(drawn.bpmn).nodes}
        self.shapes = dict(self._boxes(root, f"{{{DC}}}Bounds"))
        self.labels = dict(self._boxes(root, f"{{{DI}}}BPMNLabel/{{{DC}}}Bounds"))
        self.nodes = {id_: box for id_, box in self.shapes.items() if id_ in drawn.elements}
        self.lines = {
            str(edge.get("bpmnElement")): [
                (float(p.get("x", "")), float(p.get("y", "")))
                for p in edge.iter(f"{{{DD}}}waypoint")
            ]
            for edge in root.iter(f"{{{DI}}}BPMNEdge")
        }

    @staticmethod
    def _boxes(root: Any, path: str) -> Iterator[tuple[str, Box]]:
        for shape in root.iter(f"{{{DI}}}BPMNShape", f"{{{DI}}}BPMNEdge"):
            found = shape.find(path)
            if found is not None:
                x, y, wide, high = (float(found.get(k)) for k in ("x", "y", "width", "height"))
                yield shape.get("bpmnElement"), (x, y, x + wide, y + high)

    def segments(self, flow: str) -> list[Box]:
        pairs = pairwise(self.lines[flow])
        return [(min(a, c), min(b, d), max(a, c), max(b, d)) for (a, b), (c, d) in pairs]


PICTURES: Final = {key: Picture(drawn) for key, drawn in LIGHT.items()}
pictures = pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)


def overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def within(inner: Box, outer: Box) -> bool:
    return overlap(inner, outer) and inner[:2] >= outer[:2] and inner[2] <= outer[2]


@pictures
def test_everything_is_drawn_and_nothing_else(picture: Picture) -> None:
    drawn = picture.drawn
    assert set(picture.shapes) == set(drawn.elements) | set(drawn.lanes)
    assert set(picture.lines) == set(drawn.flows)


@pictures
def test_every_step_stands_in_its_lane_or_in_its_box_and_on_nothing_else(picture: Picture) -> None:
    elements = picture.drawn.elements
    for id_, box in picture.nodes.items():
        around = elements[id_].parent or elements[id_].lane
        if elements[id_].attached_to is None:
            assert around is not None
            assert within(box, picture.shapes[around]), id_
    for one, other in combinations(picture.nodes, 2):
        hosts = {elements[one].attached_to, elements[other].attached_to}
        if picture.parent[one] == picture.parent[other] and not hosts & {one, other}:
            assert not overlap(picture.nodes[one], picture.nodes[other]), (one, other)


@pictures
def test_lines_are_upright_or_level_join_their_steps_and_pass_over_none(picture: Picture) -> None:
    elements = picture.drawn.elements
    for flow in picture.drawn.flows.values():
        for (x, y), node in zip(
            (picture.lines[flow.id][0], picture.lines[flow.id][-1]), (flow.source, flow.target),
            strict=True,
        ):  # fmt: skip
            left, top, right, bottom = picture.nodes[node]
            assert left <= x <= right, flow.id
            assert top <= y <= bottom, flow.id
            assert x in (left, right) or y in (top, bottom), flow.id
        near = {flow.source, flow.target, elements[flow.source].attached_to}
        near |= {picture.parent[flow.source]}
        for x0, y0, x1, y1 in picture.segments(flow.id):
            assert x0 == x1 or y0 == y1, flow.id
            for id_ in set(picture.nodes) - near:
                if elements[id_].attached_to not in near:
                    assert not overlap((x0, y0, x1 + 0.1, y1 + 0.1), picture.nodes[id_]), flow.id


@pictures
def test_labels_are_clear_of_steps_lines_and_each_other(picture: Picture) -> None:
    for one, other in combinations(picture.labels, 2):
        assert not overlap(picture.labels[one], picture.labels[other]), (one, other)
    for id_, label in picture.labels.items():
        for flow in picture.drawn.flows:
            for x0, y0, x1, y1 in picture.segments(flow):
                assert not overlap((x0, y0, x1 + 0.1, y1 + 0.1), label), (id_, flow)
        for node, box in picture.nodes.items():
            if node != id_ and picture.drawn.elements[node].kind != "subProcess":
                assert not overlap(label, box), (id_, node)


@pictures
def test_whatever_is_named_and_stands_outside_its_shape_has_a_label(picture: Picture) -> None:
    drawn = picture.drawn
    outside = {
        id_
        for id_, element in drawn.elements.items()
        if element.name and ("Event" in element.kind or "Gateway" in element.kind)
    }
    assert set(picture.labels) == outside | {flow.id for flow in drawn.flows.values() if flow.name}


@light
def test_a_choice_names_its_question_and_its_answers(drawn: Definition) -> None:
    for gateway in etree.fromstring(drawn.bpmn).iter(f"{{{BPMN}}}exclusiveGateway"):
        flows = drawn.gateways[gateway.get("id") or ""].flows
        if len(flows) == 1:
            continue
        assert CHINESE.search(gateway.get("name") or "")
        for flow in flows:
            target = drawn.elements[flow.target]
            assert flow.name or (target.kind == "endEvent" and target.name), flow.id
