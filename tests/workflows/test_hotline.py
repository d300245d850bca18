"""The hotline as data: complete, readable, sealed, and nobody in it judges their own."""

import json
import re
import tomllib
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest
from lxml import etree

from engine.decisions import check_table, decide
from engine.definitions import Definition, Gateway, parse, read_decisions, read_folder
from engine.diagram import read_diagram
from engine.forms import Field
from engine.lint import lint

FOLDER: Final = Path(__file__).parents[2] / "workflows" / "hotline"
FILES: Final = read_folder(FOLDER)
HOTLINE: Final[Definition] = parse(FILES)
HAZARD: Final[Definition] = parse(read_folder(FOLDER.parent / "hazard"))
TEXTS: Final = tomllib.loads(FILES["texts.toml"].decode())
FORMS: Final = {
    name.removeprefix("forms/").removesuffix(".json"): json.loads(data)
    for name, data in FILES.items()
    if name.startswith("forms/")
}
CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")
CLASSES: Final = {"hazard", "service", "concealment", "rights", "retaliation", "suggestion",
                  "accusation"}  # fmt: skip
RESULTS: Final = ["substantiated", "partly", "unsubstantiated", "unverifiable"]
BY_COMPLAINANT: Final = {"report", "dispute", "recusal", "retaliation"}


def fields() -> list[tuple[str, Field]]:
    return [(name, field) for name, form in HOTLINE.forms.items() for field in form.fields]


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
    schema.assertValid(etree.fromstring(HOTLINE.bpmn))


def test_what_a_person_reads_is_chinese_with_english_beside_it() -> None:
    for task in HOTLINE.tasks.values():
        shown = [task.name, task.verb, HOTLINE.forms[task.form].title]
        english = [task.name_en, task.verb_en, HOTLINE.forms[task.form].title_en]
        assert all(map(CHINESE.search, shown)), task.id
        assert all(text.isascii() and text for text in english), task.id
    for lane in HOTLINE.lanes.values():
        assert CHINESE.search(lane.name)
        assert lane.name_en


@pytest.mark.parametrize("form", sorted(FORMS))
def test_every_question_is_asked_in_both_languages(form: str) -> None:
    for name, field in FORMS[form]["properties"].items():
        choices = field.get("oneOf", []) + field.get("items", {}).get("oneOf", [])
        for asked in [field, *choices]:
            assert CHINESE.search(asked["title"]), (form, name)
            assert asked["x-en"], (form, name)
        assert ("x-hint" in field) is ("x-hint-en" in field), (form, name)


def test_every_form_is_asked_somewhere() -> None:
    asked = {task.form for task in HOTLINE.tasks.values()} | {"report"}
    asked |= {message.form for message in HOTLINE.messages.values() if message.form}
    assert asked == set(FORMS)


def test_the_complainant_has_a_text_wherever_the_case_may_stand() -> None:
    outcomes = {id_ for id_ in HOTLINE.ends if "outcome" in HOTLINE.elements[id_].properties}
    standing = set(HOTLINE.tasks) | set(HOTLINE.timers) | outcomes | {"report"}
    assert set(HOTLINE.texts) == standing
    for text in HOTLINE.texts.values():
        assert CHINESE.search(text["zh"])
        assert text["en"].replace("“", "").replace("”", "").isascii()


def test_every_way_to_the_end_says_how_the_case_came_out() -> None:
    outcomes = {
        id_: HOTLINE.elements[id_].properties["outcome"]
        for id_ in HOTLINE.ends
        if "outcome" in HOTLINE.elements[id_].properties
    }
    closed = {f"closed_{result}": result for result in RESULTS}
    aside = {id_: id_ for id_ in ("refused", "merged", "not_in_remit", "handed_over", "answered")}
    assert outcomes == closed | aside


def test_every_class_is_offered_catalogued_and_judged() -> None:
    assert {one["code"] for one in TEXTS["categories"]} == CLASSES
    for form in ("report", "accept"):
        field = HOTLINE.forms[form].field("category")
        assert field is not None
        assert {choice.value for choice in field.choices} == CLASSES
    titles = {one["code"]: one["title"] for one in TEXTS["categories"]}
    for one in FORMS["report"]["properties"]["category"]["oneOf"]:
        assert one["title"] == titles[one["const"]]
    for rule in HOTLINE.rules.values():
        column = next(column for column in rule.inputs if column.label == "类别")
        assert column.allowed is not None
        assert set(column.allowed.values) == CLASSES


def test_hazards_found_are_of_the_classes_the_hazard_process_has() -> None:
    asked = HAZARD.forms["report"].field("category")
    assert asked is not None
    for form in ("accept", "verify"):
        field = HOTLINE.forms[form].field("hazard_category")
        assert field is not None
        assert [one.value for one in field.choices] == [one.value for one in asked.choices]


# --- the tables -----------------------------------------------------------------------------------


def test_the_tables_have_one_answer_for_every_case() -> None:
    for decision in read_decisions(FILES).values():
        assert check_table(decision) == []


@pytest.mark.parametrize(("result", "category"), list(product(RESULTS, sorted(CLASSES))))
def test_only_what_was_found_counts_and_only_hazards_and_concealment_may_be_rewarded(
    result: str, category: str
) -> None:
    names = {"verify": {"result": result}, "case": {"category": category}}
    found = result in ("substantiated", "partly")
    assert decide(HOTLINE.rules["published"], names).outputs == {"counted": found}
    rewarded = found and category in ("hazard", "concealment")
    assert decide(HOTLINE.rules["closed"], names).outputs == {"outcome": result, "reward": rewarded}


def test_a_final_review_and_a_changed_class_count_before_what_was_said_first() -> None:
    names = {
        "verify": {"result": "substantiated"},
        "final_review": {"result": "unsubstantiated"},
        "case": {"category": "service"},
        "accept": {"category": "hazard"},
    }
    assert decide(HOTLINE.rules["corrected"], names).outputs == {"counted": False}
    assert decide(HOTLINE.rules["closed"], names).outputs["outcome"] == "unsubstantiated"


# --- what is sealed -------------------------------------------------------------------------------

# Words that staff write in clear, because somebody else acts by them; their forms say that nothing
# of the complaint belongs there.
IN_CLEAR: Final = {
    ("accept", "hazard_title"), ("accept", "hazard_address"), ("accept", "hazard_description"),
    ("verify", "hazard_title"), ("verify", "hazard_address"), ("verify", "hazard_description"),
    ("verify", "order_text"), ("hand_over", "body"), ("refer", "body"),
    ("assess_reward", "rule"), ("assess_reward", "amount"),
}  # fmt: skip


def is_free_text(field: Field) -> bool:
    return field.widget in ("text", "textarea") and not field.choices


def test_whatever_may_hold_the_matter_or_a_name_is_sealed() -> None:
    clear = {
        (form, field.name)
        for form, field in fields()
        if is_free_text(field) and not field.seal and field.name != "call_sha256"
    }
    assert clear == IN_CLEAR


def test_a_complainant_writes_nothing_that_is_not_sealed() -> None:
    for form, field in fields():
        if form in BY_COMPLAINANT and is_free_text(field):
            assert field.seal in ("content", "identity"), (form, field.name)


def test_the_name_and_the_telephone_are_sealed_apart_from_the_matter() -> None:
    sealed = {field.name: field.seal for _, field in fields() if field.seal}
    assert {name for name, seal in sealed.items() if seal == "identity"} == {"name", "phone"}


def test_what_steers_the_process_is_never_sealed_and_what_is_sent_is_no_complaint() -> None:
    sealed = {(form, field.name) for form, field in fields() if field.seal}
    for send in HOTLINE.sends.values():
        for expression in send.payload.values():
            for owner, name in expression.paths:
                form = "report" if owner == "case" else HOTLINE.tasks[owner].form
                assert (form, name) not in sealed, send.id


def test_an_anonymous_complaint_asks_for_a_class_and_the_matter_only() -> None:
    form = HOTLINE.forms["report"]
    values = {"channel": "web", "category": "service", "identity": "anonymous"}
    asked = [
        field.name
        for field in form.fields
        if field.required_when_shown and (field.when is None or field.when.holds(values))
    ]
    assert asked == ["channel", "category", "text", "identity"]
    assert form.field("identity").default == "anonymous"  # type: ignore[union-attr]
    assert form.field("channel").default == "web"  # type: ignore[union-attr]


def test_a_desk_entry_says_whether_it_was_read_back() -> None:
    field = HOTLINE.forms["report"].field("read_back")
    assert field is not None
    assert field.required_when_shown
    assert field.when is not None
    assert field.when.holds({"channel": "desk"})
    assert not field.when.holds({"channel": "web"})


def test_who_works_on_it_reads_it_and_who_has_no_need_does_not() -> None:
    blind = {id_ for id_, task in HOTLINE.tasks.items() if not task.reads}
    assert blind == {"declare", "check_figures", "ask", "approve_reward", "issue_code"}


def test_it_is_confidential_and_begun_by_a_complainant() -> None:
    assert HOTLINE.confidential
    assert HOTLINE.started_by_complainant
    assert HOTLINE.number_label == "诉"


def test_whoever_is_named_anywhere_is_kept_out() -> None:
    said = {expression.text for expression in HOTLINE.excluded}
    named = set()
    for id_, form in [("case", "report"), *((t.id, t.form) for t in HOTLINE.tasks.values())]:
        for field in HOTLINE.forms[form].fields:
            if field.widget in ("persons", "units") or field.name == "recused":
                named.add(f"{id_}.{field.name}")
    assert said == named | {"case.unit", "case.person"}


# --- deadlines ------------------------------------------------------------------------------------


def test_every_deadline_class_is_used_and_every_step_has_a_clock() -> None:
    written = [task.deadline for task in HOTLINE.tasks.values()]
    assert all(written)
    written += [timer.expression for timer in HOTLINE.timers.values()]
    used = {str(one) for text in filter(None, written) for one in text.outcomes or ()}
    assert used == set(HOTLINE.classes)


def test_deadlines_are_configuration_and_say_so() -> None:
    assert all(one.source.startswith("配置。") for one in HOTLINE.classes.values())


def test_whoever_is_late_is_heard_of_and_whoever_waits_is_not() -> None:
    windows = {str(timer.expression.text)[1:-1] for timer in HOTLINE.timers.values()
               if timer.expression}  # fmt: skip
    for id_, one in HOTLINE.classes.items():
        assert bool(one.escalate_duty) is (id_ not in windows), id_
        assert bool(one.grace) is (id_ not in windows), id_


@pytest.mark.parametrize("category", sorted(CLASSES))
def test_retaliation_and_concealment_are_taken_in_within_two_hours(category: str) -> None:
    urgent = category in ("retaliation", "concealment")
    for element in ("accept", "second_look", "dispatch"):
        deadline = HOTLINE.tasks[element].deadline
        assert deadline is not None
        found = deadline.evaluate({"case": {"category": category}})
        assert found == ("E2H" if urgent else "WD1")


# --- who may not ----------------------------------------------------------------------------------


def barred(task: str) -> set[str]:
    expression = HOTLINE.tasks[task].separate_from
    assert expression is not None
    return set(expression.evaluate({}))


def test_every_way_of_putting_a_complaint_aside_goes_through_a_second_person() -> None:
    ways = {flow.target: flow.condition for flow in HOTLINE.gateways["taken"].flows}
    second = ways["second_look"]
    assert second is not None
    for decision in ("refuse", "merge", "not_in_remit"):
        assert second.holds({"accept": {"decision": decision}})
    said = {"accept": {"decision": "suggestion"}, "case": {"category": "service"}}
    assert second.holds(said)
    assert {"accept", "second_look"} == barred("second_look")


def test_nobody_declares_twice_and_only_who_declared_investigates() -> None:
    assert "declare" in barred("declare")
    holder = HOTLINE.tasks["investigate"].holder
    assert holder is not None
    assert holder.text == "declare.by"


def test_another_person_verifies_rules_and_reviews() -> None:
    assert {"declare", "investigate"} <= barred("verify")
    assert {"declare", "dispatch"} <= barred("rule_recusal")
    assert {"declare", "investigate", "verify"} <= barred("final_review")
    assert "assess_reward" in barred("approve_reward")


@pytest.mark.parametrize("task", ["revisit", "revisit_again", "revisit_last"])
def test_the_handling_unit_never_revisits(task: str) -> None:
    own_unit = HOTLINE.tasks[task].separate_unit_from
    assert own_unit is not None
    assert {"declare", "investigate"} <= set(own_unit.evaluate({}))
    assert {"investigate", "verify", "reply"} <= barred(task)


def test_what_the_street_does_for_others_the_district_does_about_the_street() -> None:
    for lane in HOTLINE.lanes.values():
        if lane.id not in ("lane_complainant", "lane_investigator"):
            assert lane.unit is not None, lane.id
            facts = {"street": "u-street", "district": "u-district"}
            assert lane.unit.evaluate({"case": {**facts, "unit": "u-street"}}) == "u-district"
            assert lane.unit.evaluate({"case": {**facts, "unit": "u-office"}}) == "u-street"
            assert lane.unit.evaluate({"case": facts}) == "u-street"


def test_no_step_is_the_superiors_who_are_kept_out() -> None:
    assert "approve" not in {lane.duty for lane in HOTLINE.lanes.values()}


# --- where it goes --------------------------------------------------------------------------------


def answers() -> dict[str, dict[str, list[Any]]]:
    """What each element may have said of what steers: element -> field -> values or None."""
    steps = {"case": "report", **{t.id: t.form for t in HOTLINE.tasks.values()}}
    steps |= {m.id: m.form for m in HOTLINE.messages.values() if m.form}
    found: dict[str, dict[str, list[Any]]] = {}
    for step, form in steps.items():
        for field in HOTLINE.forms[form].fields:
            if field.routing:
                values: list[Any] = [choice.value for choice in field.choices]
                found.setdefault(step, {})[field.name] = [*(values or ["x", "y"]), None]
    return found


@pytest.mark.parametrize("gateway", [g for g in HOTLINE.gateways.values() if len(g.flows) > 2],
                         ids=lambda gateway: gateway.id)  # fmt: skip
def test_the_answers_of_a_choice_exclude_each_other(gateway: Gateway) -> None:
    conditions = [flow.condition for flow in gateway.flows if flow.condition]
    paths = sorted({path for condition in conditions for path in condition.paths})
    for values in product(*(_values(path) for path in paths)):
        names: dict[str, dict[str, Any]] = {}
        for (owner, name), value in zip(paths, values, strict=True):
            names.setdefault(owner, {})[name] = value
        if all(_possible(owner, said) for owner, said in names.items()):
            assert sum(condition.holds(names) for condition in conditions) <= 1, names


def _values(path: tuple[str, ...]) -> list[Any]:
    owner, name = path
    if name == "by":
        return ["p-0001", None]
    if owner in HOTLINE.rules:
        outputs = [one.name for one in HOTLINE.rules[owner].outputs]
        at = outputs.index(name)
        return [*{rule.results[at] for rule in HOTLINE.rules[owner].rules}]
    return answers()[owner][name]


def _possible(owner: str, said: dict[str, Any]) -> bool:
    """Nobody says what was not asked: each field's own condition holds for what stands before."""
    form = HOTLINE.forms.get(HOTLINE.tasks[owner].form) if owner in HOTLINE.tasks else None
    for name, value in said.items():
        when = getattr(form and form.field(name), "when", None)
        if value is not None and when and when.names <= set(said) and not when.holds(said):
            return False
    return True


def test_reopening_is_twice_and_then_the_final_review() -> None:
    flows = HOTLINE.gateways["again"].flows

    def way(**done: dict[str, str]) -> str:
        held = [f.target for f in flows if f.condition and f.condition.holds(done)]
        default = next(f.target for f in flows if f.condition is None)
        return held[0] if held else default

    first, second = {"by": "p-0001"}, {"by": "p-0002"}
    assert way() == "reopen_first"
    assert way(reopen_first=first) == "reopen_second"
    assert way(reopen_first=first, reopen_second=second) == "final_review"


def test_messages_are_the_complainants_or_the_two_steps_back() -> None:
    drawn = {(m.message, m.attached_to) for m in HOTLINE.messages.values()}
    assert drawn == {
        ("dispute", "inform"),
        ("dispute", "settling"),
        ("recusal", "investigate"),
        ("retaliation", None),
        ("withdraw", "declare"),
        ("return", "verify"),
    }


def test_what_a_case_opens_gets_what_it_asks_for() -> None:
    for send in HOTLINE.sends.values():
        if send.opens == "hazard":
            asked = {f.name for f in HAZARD.forms["report"].fields if f.required}
            assert asked <= set(send.payload), send.id
        if send.opens == "hotline":
            told = {name: one.evaluate({}) for name, one in send.payload.items()}
            asked = {
                f.name
                for f in HOTLINE.forms["report"].fields
                if f.required_when_shown and (f.when is None or f.when.holds(told))
            }
            assert asked <= set(send.payload)


def test_a_step_in_the_box_of_its_phase_is_in_the_lane_of_its_duty() -> None:
    inside = {"rule_recusal": "investigation", "approve_reward": "reward"}
    lanes = {lane.id: set(lane.members) for lane in read_diagram(HOTLINE.bpmn).lanes}
    for task, box in inside.items():
        assert task in lanes["lane_discipline"]
        assert HOTLINE.elements[task].parent == box
