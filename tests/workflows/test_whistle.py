"""Whistle, response, consultation and opinion as data: complete, readable, well drawn."""

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest

from engine.decisions import check_table
from engine.definitions import Definition, Gateway, parse, read_decisions, read_folder
from engine.process import Run, Step
from tests.workflows import test_light as shared

WORKFLOWS: Final = Path(__file__).parents[2] / "workflows"
KEYS: Final = ("whistle", "response", "consultation", "opinion")
SETS: Final = {key: parse(read_folder(WORKFLOWS / key)) for key in KEYS}
KINDS: Final = ("daily", "tackle", "emergency")

drawings = pytest.mark.parametrize("drawn", SETS.values(), ids=SETS)

# What is claimed of every definition: files, drawing, words, choices.
CLAIMS: Final[tuple[Callable[[Definition], None], ...]] = (
    shared.test_it_may_be_deployed,
    shared.test_the_drawing_is_valid_bpmn_2_0,
    shared.test_what_a_person_reads_is_chinese_with_english_beside_it,
    shared.test_every_question_is_asked_in_both_languages,
    shared.test_there_is_a_text_wherever_the_case_may_stand,
    shared.test_the_readme_names_every_step_and_every_end,
    shared.test_deadlines_are_configuration_and_say_so,
    shared.test_a_choice_names_its_question_and_its_answers,
)
PICTURE_CLAIMS: Final[tuple[Callable[[shared.Picture], None], ...]] = (
    shared.test_everything_is_drawn_and_nothing_else,
    shared.test_every_step_stands_in_its_lane_or_in_its_box_and_on_nothing_else,
    shared.test_labels_are_clear_of_steps_lines_and_each_other,
    shared.test_whatever_is_named_and_stands_outside_its_shape_has_a_label,
)


def name_of(claim: Any) -> str:
    return str(claim.__name__).removeprefix("test_")


@drawings
@pytest.mark.parametrize("claim", CLAIMS, ids=name_of)
def test_what_is_claimed_of_every_definition(
    drawn: Definition, claim: Callable[[Definition], None]
) -> None:
    claim(drawn)


@drawings
@pytest.mark.parametrize("claim", PICTURE_CLAIMS, ids=name_of)
def test_what_is_claimed_of_every_picture(
    drawn: Definition, claim: Callable[[shared.Picture], None]
) -> None:
    claim(shared.Picture(drawn))


@drawings
def test_lines_are_upright_or_level_join_their_steps_and_pass_over_none(drawn: Definition) -> None:
    picture = shared.Picture(drawn)
    for flow in drawn.flows.values():
        points = picture.lines[flow.id]
        for (x, y), node in ((points[0], flow.source), (points[-1], flow.target)):
            left, top, right, bottom = picture.nodes[node]
            assert left <= x <= right, flow.id
            assert top <= y <= bottom, flow.id
            assert x in (left, right) or y in (top, bottom), flow.id
        near = {flow.source, flow.target, drawn.elements[flow.source].attached_to}
        near |= around(picture, flow.source)
        for x0, y0, x1, y1 in picture.segments(flow.id):
            assert x0 == x1 or y0 == y1, flow.id
            for id_ in set(picture.nodes) - near:
                if drawn.elements[id_].attached_to not in near:
                    box = (x0, y0, x1 + 0.1, y1 + 0.1)
                    assert not shared.overlap(box, picture.nodes[id_]), (flow.id, id_)


def around(picture: shared.Picture, node: str) -> set[str]:
    """The boxes a step stands in, inside out."""
    parent = picture.parent[node]
    return {parent} | around(picture, parent) if parent else set()


@drawings
def test_every_form_is_asked_or_told_somewhere(drawn: Definition) -> None:
    asked = {task.form for task in drawn.tasks.values()} | {"report"}
    asked |= {message.form for message in drawn.messages.values() if message.form}
    assert asked == set(drawn.forms)


def test_a_whistle_is_blown_with_five_answers() -> None:
    form = SETS["whistle"].forms["report"]
    assert {field.name for field in form.fields if field.required} == {
        "kind", "title", "category", "address", "why"
    }  # fmt: skip


def test_signing_in_and_reporting_ask_nothing_that_must_be_answered() -> None:
    for form in ("sign_in", "arrive"):
        assert not any(field.required for field in SETS["response"].forms[form].fields)


def test_a_whistle_knows_the_categories_of_a_hazard() -> None:
    hazard = parse(read_folder(WORKFLOWS / "hazard")).forms["report"].field("category")
    for form in ("report", "joint_record"):
        field = SETS["whistle"].forms[form].field("category")
        assert field is not None
        assert hazard is not None
        assert field.choices == hazard.choices


def test_numbers_tell_the_kinds_of_cases_apart() -> None:
    assert [one.number_label for one in SETS.values()] == ["哨", "应", "商", "见"]


def outcomes(key: str) -> dict[str, str]:
    return shared.outcomes(SETS[key])


def test_every_way_to_the_end_says_how_the_case_came_out() -> None:
    assert outcomes("whistle") == {
        "given_up": "given_up",
        "withdrawn_before": "withdrawn",
        "withdrawn": "withdrawn",
        "closed_solved": "solved",
        "closed_partly": "partly",
        "closed_recurred": "recurred",
    }
    assert outcomes("response") == {
        "released": "released",
        "released_by_desk": "released_by_desk",
        "withdrawn": "withdrawn",
        "responded": "responded",
        "absent": "absent",
    }
    assert outcomes("consultation") == {"decided": "decided"}
    assert outcomes("opinion") == {"given": "given", "missing": "missing"}


# --- deadlines ------------------------------------------------------------------------------------


def used_classes(drawn: Definition) -> set[str]:
    """Every deadline class that some clock or window may come to."""
    written = [task.deadline for task in drawn.tasks.values()]
    written += [timer.expression for timer in drawn.timers.values()]
    clocks = {str(o) for one in filter(None, written) for o in one.outcomes or ()}
    return clocks | {message.window for message in drawn.messages.values() if message.window}


@drawings
def test_every_class_is_used_and_every_step_has_a_clock(drawn: Definition) -> None:
    assert used_classes(drawn) == set(drawn.classes)
    assert all(task.deadline for task in drawn.tasks.values())


@drawings
def test_whoever_is_late_is_heard_of_and_whoever_waits_is_not(drawn: Definition) -> None:
    late = {str(o) for t in drawn.tasks.values() if t.deadline for o in t.deadline.outcomes or ()}
    for id_, one in drawn.classes.items():
        assert bool(one.escalate_duty) is bool(one.grace) is (id_ in late), id_


def clock(key: str, task: str, **variables: Any) -> Any:
    deadline = SETS[key].tasks[task].deadline
    assert deadline is not None
    return deadline.evaluate(variables)


@pytest.mark.parametrize(
    ("kind", "sign_in", "arrive", "part", "record"),
    [("daily", "ACK", "WD1", "WD5", "WD5"), ("tackle", "WD1", "WD3", "K15", "K15"),
     ("emergency", None, "E20", "U24", "U24")],
)  # fmt: skip
def test_the_kind_of_whistle_sets_the_clocks(
    kind: str, sign_in: str | None, arrive: str, part: str, record: str
) -> None:
    case = {"kind": kind}
    if sign_in:
        assert clock("response", "sign_in", case=case) == sign_in
        assert clock("response", "sign_in_bound", case=case) == sign_in
    step = "arrive_at_once" if kind == "emergency" else "arrive"
    assert clock("response", step, case=case) == arrive
    assert clock("response", "do_part", case=case) == part
    assert clock("whistle", "joint_record", case=case) == record


def minutes(key: str, name: str) -> int:
    one = SETS[key].classes[name]
    day = 24 * 60 if one.clock == "natural" else 8 * 60
    return one.amount * {"minutes": 1, "hours": 60, "days": day}[one.unit]


def test_objections_come_before_half_of_the_limit() -> None:
    assert 2 * minutes("response", "HALF10") == minutes("response", "E20")
    assert 2 * minutes("response", "HALF4") <= minutes("response", "WD1")


def test_nobody_in_twice_the_limit_goes_to_the_district() -> None:
    for window, limit in (("NOBODY40", "E20"), ("NOBODY2", "WD1"), ("NOBODY6", "WD3")):
        assert minutes("whistle", window) == 2 * minutes("response", limit)


# --- who may, and who may not ---------------------------------------------------------------------


def test_only_posts_with_the_right_blow_and_parties_are_only_called_by_a_case() -> None:
    assert {key: one.opened_by for key, one in SETS.items()} == {
        "whistle": "whistle",
        "response": "case",
        "consultation": "case",
        "opinion": "case",
    }


def test_who_does_what() -> None:
    lanes = {
        (key, task.id): (one.lanes[task.lane].duty, one.lanes[task.lane].scope.partition(":")[0])
        for key, one in SETS.items()
        for task in one.tasks.values()
    }
    desk, officer, ours = ("command", "street"), ("approve", "street"), ("respond", "unit")
    assert lanes == {
        ("whistle", "review"): officer,
        ("whistle", "ratify"): officer,
        ("whistle", "amend"): ("whistle", "opener"),
        ("whistle", "fix_list"): desk,
        ("whistle", "replace"): desk,
        ("whistle", "name_lead"): desk,
        ("whistle", "standing"): desk,
        ("whistle", "district_answer"): ("command", "unit"),
        ("whistle", "first_measures"): ours,
        ("whistle", "joint_record"): ours,
        ("whistle", "close"): ("close", "street"),
        ("whistle", "recheck"): ("whistle", "opener"),
        ("response", "sign_in"): ours,
        ("response", "sign_in_bound"): ours,
        ("response", "contact"): ours,
        ("response", "arrive"): ours,
        ("response", "arrive_at_once"): ours,
        ("response", "rule_objection"): desk,
        ("response", "rule_at_once"): desk,
        ("response", "leader_called"): ("approve", "unit"),
        ("response", "leader_at_once"): ("approve", "unit"),
        ("response", "district_called"): ("command", "unit"),
        ("response", "district_at_once"): ("command", "unit"),
        ("response", "do_part"): ours,
        ("response", "release_part"): ours,
        ("response", "release_by_desk"): desk,
        ("response", "evaluate"): ("whistle", "unit"),
        ("response", "evaluate_whistle"): ours,
        ("response", "defend"): ours,
        ("consultation", "convene"): desk,
        ("consultation", "proceed"): desk,
        ("consultation", "decide_street"): officer,
        ("consultation", "decide_district"): ("approve", "unit"),
        ("opinion", "give_opinion"): ("any", "unit"),
    }


def test_nobody_judges_their_own() -> None:
    apart = {
        (key, task.id): task.separate_from.evaluate({})
        for key, one in SETS.items()
        for task in one.tasks.values()
        if task.separate_from
    }
    assert apart == {
        ("whistle", "review"): ["report"],
        ("whistle", "ratify"): ["report"],
        ("whistle", "close"): ["report", "joint_record"],
        ("response", "release_part"): ["do_part"],
        ("response", "release_by_desk"): ["do_part"],
        ("consultation", "decide_street"): ["convene"],
        ("consultation", "decide_district"): ["convene"],
    }


def test_arriving_takes_the_code_shown_on_the_spot() -> None:
    proven = {task.id for task in SETS["response"].tasks.values() if task.proof}
    assert proven == {"arrive", "arrive_at_once"}


def test_what_is_sealed_until_the_others_have_written() -> None:
    sealed = {
        (key, name): {field.name for field in form.fields if field.seal == "answer"}
        for key, one in SETS.items()
        for name, form in one.forms.items()
        if any(field.seal for field in form.fields)
    }
    assert sealed == {
        ("response", "evaluate"): {"result", "effort", "reason"},
        ("response", "evaluate_whistle"): {"justified", "complete", "reason"},
        ("opinion", "give_opinion"): {"stance", "opinion"},
    }


def test_what_is_revealed_is_what_was_sealed() -> None:
    for key, elements in (("response", "evaluate evaluate_whistle"), ("opinion", "give_opinion")):
        assert SETS[key].sends["reveal"].payload["of"].evaluate({}) == elements


# --- what is told ---------------------------------------------------------------------------------

OPENED: Final = {
    (key, send.id): send.opens for key in KEYS for send in SETS[key].sends.values() if send.opens
}


def test_what_opens_what() -> None:
    assert OPENED == {
        ("whistle", "call"): "response",
        ("whistle", "call_more"): "response",
        ("whistle", "send_finding"): "hazard",
        ("whistle", "consult"): "consultation",
        ("whistle", "report_again"): "hazard",
        ("consultation", "ask"): "opinion",
    }


@pytest.mark.parametrize(("sender", "opened"), OPENED.items(), ids=lambda one: "-".join(one))
def test_what_is_told_fills_the_form_of_the_case_it_opens(
    sender: tuple[str, str], opened: str
) -> None:
    payload = SETS[sender[0]].sends[sender[1]].payload
    form = parse(read_folder(WORKFLOWS / opened)).forms["report"]
    assert {field.name for field in form.fields if field.required} <= set(payload)
    assert set(payload) <= {field.name for field in form.fields}


@pytest.mark.parametrize(("sender", "opened"), OPENED.items(), ids=lambda one: "-".join(one))
def test_what_is_told_fits_where_it_goes(sender: tuple[str, str], opened: str) -> None:
    drawn, asked = SETS[sender[0]], parse(read_folder(WORKFLOWS / opened)).forms["report"]
    for name, expression in drawn.sends[sender[1]].payload.items():
        taken = asked.field(name)
        if taken is None:
            continue
        for owner, read in expression.paths:
            if (owner, read) == ("case", "opener"):
                assert taken.widget == "unit"
                continue
            given = field_at(drawn, owner, read)
            assert given.type == taken.type
            assert given.format == taken.format
            assert given.max_length <= taken.max_length
            assert given.min_length >= taken.min_length
            assert {choice.value for choice in given.choices} <= {c.value for c in taken.choices}


def field_at(drawn: Definition, owner: str, name: str) -> Any:
    form = "report" if owner == "case" else None
    if form is None:
        form = drawn.tasks[owner].form if owner in drawn.tasks else drawn.messages[owner].form
    return drawn.forms[form or ""].field(name)


PAIRS: Final = (("whistle", "response"), ("whistle", "consultation"), ("consultation", "opinion"))


@pytest.mark.parametrize(("parent", "child"), PAIRS)
def test_what_one_case_tells_the_other_waits_for(parent: str, child: str) -> None:
    opening = {s.id for s in SETS[parent].sends.values() if s.opens == child}
    told = {f"children:{id_}" for id_ in opening}
    down = {send.message for send in SETS[parent].sends.values() if send.to in told}
    up = {send.message for send in SETS[child].sends.values() if send.to == "parent"}
    hears = {key: {m.message for m in SETS[key].messages.values()} for key in (parent, child)}
    assert down <= hears[child]
    assert up <= hears[parent]
    assert {m for m in hears[child] if m.split(".")[0] in (parent, "opinions")} == down


def test_both_groups_of_departments_are_told_the_same() -> None:
    told: dict[str, list[tuple[str, str]]] = {"call": [], "call_more": []}
    for send in SETS["whistle"].sends.values():
        group = send.to.removeprefix("children:")
        if group in told:
            told[group].append((send.message, str(send.payload)))
    assert told["call"] == told["call_more"]
    sends = SETS["whistle"].sends
    assert sends["call"].payload == sends["call_more"].payload


# --- where it goes --------------------------------------------------------------------------------


NOTED: Final = {"lead_named"}


class Case:
    """A case moved by hand; what other cases do is not in it."""

    def __init__(self, key: str, **opened: Any) -> None:
        self.drawn = SETS[key]
        told = {"kind": "daily", "party": "u-fire", **opened}
        self.step: Step = Run(self.drawn, None).begin({"case": told}, seed=bytes(32))

    def open(self) -> set[str]:
        """The elements that wait, but for what is attached to a step, and what is only noted."""
        waiting = {w.element for w in Run(self.drawn, self.step.marking).waiting()}
        return {id_ for id_ in waiting - NOTED if not self.drawn.elements[id_].attached_to}

    def may(self) -> set[str]:
        """The messages and timers attached to what is open."""
        return {w.element for w in Run(self.drawn, self.step.marking).waiting()} - self.open()

    def do(self, element: str, **outcome: Any) -> "Case":
        run, known = Run(self.drawn, self.step.marking), self.step.variables
        key = next(w.key for w in run.waiting() if w.element == element)
        told = {**outcome, "by": f"p-{element}"}
        if element in self.drawn.tasks:
            self.step = run.complete(key, told, known, seed=bytes(32))
        else:
            self.step = run.fire(key, {**known, element: told}, seed=bytes(32))
        return self

    @property
    def sent(self) -> list[str]:
        return [sending.send for sending in self.step.sends]


LISTED: Final = {"departments": ["u-fire", "u-urban"], "lead": "u-fire"}
HERE: Final = {"person": "p-0009", "unit": "u-fire"}


def working(kind: str = "daily") -> Case:
    """A whistle whose first department has come, with a lead named."""
    case = Case("whistle", kind=kind)
    case = case if kind == "emergency" else case.do("review")
    return case.do("fix_list", **LISTED).do("arrived", **HERE)


def test_the_straight_way_of_an_everyday_whistle() -> None:
    case = Case("whistle")
    assert case.open() == {"review"}
    assert case.do("review").open() == {"fix_list"}
    case.do("fix_list", **LISTED)
    assert [sending.party for sending in case.step.sends] == ["u-fire", "u-urban"]
    assert case.open() == {"arrived", "released"}
    assert case.do("arrived", **HERE).open() == {"first_measures", "joint_record", "released"}
    case.do("joint_record", result="solved")
    assert case.sent == ["tell_finished", "tell_finished_more"]
    case.do("call_ended").do("more_ended")
    assert case.open() == {"close"}
    assert case.do("close").sent == ["tell_result"]
    assert case.step.ends == ["closed_solved"]
    assert case.step.finished


def test_an_emergency_is_called_at_once_and_ratified_beside() -> None:
    case = Case("whistle", kind="emergency", departments=["u-fire"])
    assert case.sent == ["call"]
    assert case.step.sends[0].form == {"kind": "emergency"}
    assert case.open() == {"ratify", "arrived", "released"}
    case.do("arrived", **HERE)
    assert case.open() == {"ratify", "first_measures", "name_lead", "released"}
    case.do("name_lead", lead="u-fire")
    assert case.sent == ["tell_lead", "tell_lead_more"]
    assert case.open() == {"ratify", "first_measures", "joint_record", "released"}
    assert case.do("ratify").open() == {"first_measures", "joint_record", "released"}


def test_an_emergency_without_departments_goes_to_the_desk_with_ten_minutes() -> None:
    case = Case("whistle", kind="emergency")
    assert case.open() == {"ratify", "fix_list"}
    assert clock("whistle", "fix_list", case={"kind": "emergency"}) == "M10"


def test_an_emergency_not_ratified_stays_open_to_the_end_and_stops_nothing() -> None:
    case = working("emergency").do("joint_record", result="solved")
    case.do("call_ended").do("more_ended").do("close").do("recheck_window")
    case.do("recheck", result="absent")
    assert case.step.ends == ["closed_solved"]
    assert not case.step.finished
    assert case.do("ratify").step.finished


def test_a_whistle_sent_back_is_blown_again_or_given_up() -> None:
    case = Case("whistle").do("review_return")
    assert case.open() == {"amend"}
    assert case.do("amend", decision="again").open() == {"review"}
    assert case.do("review_return").do("amend", decision="give_up").step.ends == ["given_up"]


def test_it_can_be_taken_back_until_the_first_has_come() -> None:
    assert Case("whistle").do("review_recall").step.ends == ["withdrawn_before"]
    case = Case("whistle").do("review")
    assert case.do("list_recall").step.ends == ["withdrawn_before"]
    case = Case("whistle").do("review").do("fix_list", **LISTED).do("recalled")
    assert case.sent == ["tell_withdrawn", "tell_withdrawn_more"]
    assert case.step.ends[-1] == "withdrawn"
    assert case.step.finished
    assert not {"recalled", "review_recall", "list_recall"} & working().may()


def test_released_departments_are_replaced_as_often_as_they_come() -> None:
    case = Case("whistle").do("review").do("fix_list", **LISTED)
    case.do("released", unit="u-fire").do("released", unit="u-urban")
    assert case.open() == {"arrived", "released", "replace"}
    case.do("replace", departments=["u-gas"])
    assert case.sent == ["call_more"]
    assert case.step.sends[0].party == "u-gas"
    assert case.do("replace").sent == []
    assert case.open() == {"arrived", "released"}


def test_nobody_in_time_is_before_the_district_and_the_whistle_stays_open() -> None:
    case = Case("whistle").do("review").do("fix_list", **LISTED).do("nobody")
    assert case.open() == {"arrived", "released", "district_answer"}
    assert case.do("district_answer").open() == {"arrived", "released"}


def test_every_problem_is_a_hazard_of_its_own() -> None:
    case = working()
    for n in range(30):
        case.do("joint_record", result="finding", title=f"第 {n} 个", category="gas")
        assert case.sent == ["send_finding"]
        assert case.step.sends[0].form["title"] == f"第 {n} 个"
    assert "joint_record" in case.open()


@pytest.mark.parametrize(
    "steps",
    [[], [("joint_record", "cannot")], [("joint_record", "cannot"), ("decided", "standing")]],
)
def test_a_lead_that_is_gone_is_replaced_whatever_it_was_at(steps: list[tuple[str, str]]) -> None:
    case = working()
    for step, result in steps:
        case.do(step, result=result)
    case.do("lead_gone", unit="u-fire")
    assert case.open() == {"first_measures", "name_lead", "released"}
    assert case.do("name_lead", lead="u-urban").sent == ["tell_lead", "tell_lead_more"]
    assert "joint_record" in case.open()
    lead = SETS["whistle"].lanes["lane_lead"].unit
    assert lead is not None
    assert lead.evaluate(case.step.variables) == "u-urban"


def test_a_lead_gone_before_anybody_came_is_replaced_then() -> None:
    case = Case("whistle").do("review").do("fix_list", **LISTED)
    case.do("lead_gone_early", unit="u-fire").do("arrived", person="p-0009", unit="u-urban")
    assert case.open() == {"first_measures", "name_lead", "released"}


def test_what_cannot_be_solved_is_consulted_on_and_goes_on_or_stands() -> None:
    case = working().do("joint_record", result="cannot", question="拆不拆")
    assert case.sent == ["consult"]
    assert case.open() == {"first_measures", "decided", "released"}
    case.do("decided", result="again")
    assert "joint_record" in case.open()
    case.do("joint_record", result="cannot").do("decided", result="standing")
    for _ in range(24):  # two years on the standing list
        assert "standing" in case.do("standing", state="still").open()
    assert "joint_record" in case.do("standing", state="retry").open()
    assert case.step.ends == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("result", ["solved", "partly"])
def test_emergencies_and_hard_problems_are_looked_at_again(kind: str, result: str) -> None:
    case = working(kind).do("joint_record", result=result).do("call_ended").do("more_ended")
    case.do("close")
    if kind != "daily":
        case.do("recheck_window").do("recheck", result="absent")
    assert case.step.ends == [f"closed_{result}"]


def test_a_problem_there_again_is_a_new_hazard() -> None:
    case = working("tackle").do("joint_record", result="solved").do("call_ended").do("more_ended")
    case.do("close").do("recheck_window").do("recheck", result="present", title="又掉砖")
    assert case.sent == ["report_again"]
    assert case.step.ends == ["closed_recurred"]


# --- the response ---------------------------------------------------------------------------------


def evaluated(case: Case) -> Case:
    return case.do("evaluate").do("evaluate_whistle").do("defend")


def test_the_straight_way_of_a_response() -> None:
    case = Case("response", lead="u-urban")
    assert case.open() == {"sign_in"}
    assert case.do("sign_in").open() == {"arrive", "contact"}
    assert case.do("contact").open() == {"arrive"}
    case.do("arrive")
    assert [sending.form for sending in case.step.sends] == [
        {"person": "p-arrive", "unit": "u-fire"}
    ]
    assert case.open() == {"do_part"}
    assert case.do("do_part").open() == {"release_part"}
    case.do("release_part", decision="release")
    assert case.open() == {"evaluate", "evaluate_whistle"}
    assert case.do("evaluate").sent == []
    assert case.do("evaluate_whistle").sent == ["reveal"]
    assert case.do("defend").step.ends == ["responded"]
    assert case.step.finished


def test_an_objection_upheld_releases_and_asks_for_another() -> None:
    case = Case("response").do("sign_in_object", proposed_unit="u-gas")
    assert case.open() == {"rule_objection"}
    case.do("rule_objection", ruling="upheld")
    assert [s.form for s in case.step.sends] == [{"unit": "u-fire", "proposed": "u-gas"}]
    assert case.step.ends[-1] == "released"
    assert case.step.finished


@pytest.mark.parametrize("named", [None, "u-fire"])
def test_a_lead_that_goes_says_so(named: str | None) -> None:
    case = Case("response", lead=None if named else "u-fire")
    case = case.do("lead_named", unit="u-urban").do("lead_named", unit=named) if named else case
    assert case.do("removed").sent == ["tell_lead_gone"]
    assert case.step.ends == ["released_by_desk"]
    case = Case("response", lead="u-fire").do("sign_in_object")
    assert case.do("rule_objection", ruling="upheld").sent == ["tell_released", "tell_lead_gone"]
    assert case.step.ends[-1] == "released"


def test_after_a_ruling_there_is_no_objection_any_more() -> None:
    case = Case("response").do("sign_in_object").do("rule_objection", ruling="rejected")
    assert case.open() == {"sign_in_bound"}
    assert "sign_in_object" not in case.may()
    assert case.do("sign_in_bound").open() == {"arrive", "contact"}


def test_who_comes_without_a_call_is_asked_for_none() -> None:
    case = Case("response").do("sign_in").do("arrive")
    assert case.open() == {"do_part"}


def test_in_an_emergency_the_department_comes_while_its_objection_is_ruled_on() -> None:
    case = Case("response", kind="emergency").do("at_once_object", proposed_unit="u-gas")
    assert case.open() == {"arrive_at_once", "rule_at_once"}
    assert "at_once_object" not in case.may()
    case.do("arrive_at_once")
    assert case.sent == ["tell_arrived"]
    assert case.open() == {"do_part", "rule_at_once"}
    rejected = case.do("rule_at_once", ruling="rejected")
    assert rejected.open() == {"do_part"}


@pytest.mark.parametrize("arrived", [False, True])
def test_in_an_emergency_an_objection_upheld_lets_the_department_go(arrived: bool) -> None:
    case = Case("response", kind="emergency").do("at_once_object", proposed_unit="u-gas")
    case = case.do("arrive_at_once") if arrived else case
    case.do("rule_at_once", ruling="upheld")
    assert case.sent == ["tell_released_at_once"]
    assert case.step.ends[-1] == "released"
    assert case.step.finished


@pytest.mark.parametrize(
    ("late", "steps"),
    [("sign_in_overdue", ()), ("bound_overdue", ("sign_in_object", "rule_objection")),
     ("arrive_overdue", ("sign_in", "contact"))],
)  # fmt: skip
def test_a_late_department_is_before_its_leader_and_then_the_district(
    late: str, steps: tuple[str, ...]
) -> None:
    case = Case("response")
    for step in steps:
        case.do(step)
    (waiting,) = case.open()
    assert case.do(late).open() == {waiting, "leader_called"}
    assert case.do("leader_overdue").open() == {waiting, "leader_called", "district_called"}
    assert case.do("district_called").do("leader_called").open() == {waiting}


def test_a_department_late_in_an_emergency_is_before_its_leader_and_then_the_district() -> None:
    case = Case("response", kind="emergency").do("at_once_overdue")
    assert case.open() == {"arrive_at_once", "leader_at_once"}
    case.do("leader_at_once_overdue")
    assert case.open() == {"arrive_at_once", "leader_at_once", "district_at_once"}
    case.do("district_at_once").do("leader_at_once").do("arrive_at_once")
    assert case.open() == {"do_part"}


def test_nobody_answering_stays_open_with_leader_and_district() -> None:
    case = Case("response").do("sign_in_overdue").do("leader_overdue")
    timers = case.may() & {t.id for t in SETS["response"].timers.values() if t.interrupting}
    assert timers == set()


@pytest.mark.parametrize("kind", KINDS)
def test_who_never_came_is_evaluated_as_absent(kind: str) -> None:
    case = Case("response", kind=kind)
    case.do("at_once_finished" if kind == "emergency" else "turnout_finished")
    assert evaluated(case).step.ends == ["absent"]


def test_three_rounds_of_rework() -> None:
    case = Case("response", lead="u-urban").do("sign_in").do("arrive")
    for _ in range(3):
        case.do("do_part").do("release_part", decision="rework")
        assert clock("response", "do_part", **case.step.variables) == "RW1"
    case.do("do_part").do("release_part", decision="release")
    assert evaluated(case).step.ends == ["responded"]


@pytest.mark.parametrize(
    ("lead", "named", "releases"),
    [("u-urban", None, "release_part"), ("u-fire", None, "release_by_desk"),
     (None, None, "release_by_desk"), (None, "u-urban", "release_part"),
     ("u-urban", "u-fire", "release_by_desk"), (None, "u-fire", "release_by_desk")],
)  # fmt: skip
def test_the_lead_releases_and_the_desk_where_there_is_none_or_it_is_theirs(
    lead: str | None, named: str | None, releases: str
) -> None:
    case = Case("response", kind="emergency", lead=lead)
    case = case.do("lead_named", unit=named) if named else case
    case.do("arrive_at_once").do("do_part")
    assert case.open() == {releases}
    assert case.do(releases, decision="rework").open() == {"do_part"}
    assert case.do("do_part").do(releases, decision="release").open() >= {"evaluate"}


@pytest.mark.parametrize("steps", [(), ("sign_in",), ("sign_in", "arrive"),
                                   ("sign_in", "arrive", "do_part")])  # fmt: skip
@pytest.mark.parametrize(
    ("message", "ends"), [("removed", "released_by_desk"), ("withdrawn_by_whistle", "withdrawn")]
)
def test_who_is_taken_off_or_called_off_has_nothing_left_to_do(
    steps: tuple[str, ...], message: str, ends: str
) -> None:
    case = Case("response", lead="u-urban").do("sign_in_overdue")
    for step in steps:
        case.do(step)
    case.do(message)
    assert case.open() == set()
    assert case.step.ends == [ends]


@pytest.mark.parametrize("given", [(), ("evaluate",), ("evaluate_whistle",)])
def test_three_days_open_the_evaluations_whoever_has_written(given: tuple[str, ...]) -> None:
    case = Case("response").do("turnout_finished")
    for step in given:
        case.do(step)
    assert case.do("evaluation_closed").sent == ["reveal"]
    assert case.open() == {"defend"}
    assert case.do("defend_closed").step.ends == ["absent"]


# --- consultation and opinion ---------------------------------------------------------------------

ASKED: Final = {"risk": "general", "participants": ["p-0001", "p-0002", "p-0003"]}


def test_opinions_are_opened_when_all_are_in() -> None:
    case = Case("consultation").do("convene", **ASKED)
    assert [sending.party for sending in case.step.sends] == ASKED["participants"]
    for _ in range(2):
        assert case.do("opinion_given").sent == []
        assert case.open() == {"opinion_given", "slow"}
    assert case.do("opinion_given").sent == ["open_opinions"]
    assert case.do("settled").open() == {"decide_street"}
    case.do("decide_street", result="again", decision="拆", dissent="无")
    assert [s.form for s in case.step.sends] == [{"result": "again", "decision": "拆"}]
    assert case.step.ends == ["decided"]
    assert case.step.finished


def test_as_many_as_may_be_asked_can_be_counted() -> None:
    field = SETS["consultation"].forms["convene"].field("participants")
    assert field is not None
    people = [f"p-{n:04}" for n in range(field.max_items)]
    case = Case("consultation").do("convene", risk="major", participants=people)
    for _ in people:
        assert case.open() == {"opinion_given", "slow"}
        case.do("opinion_given")
    assert case.do("settled").open() == {"decide_district"}


def test_the_desk_may_wait_no_longer_and_need_not_if_all_come_in() -> None:
    case = Case("consultation").do("convene", **ASKED).do("opinion_given").do("slow")
    assert case.open() == {"opinion_given", "proceed"}
    assert case.do("proceed").sent == ["open_opinions"]
    case = Case("consultation").do("convene", **ASKED).do("slow")
    for _ in range(3):
        case.do("opinion_given")
    assert case.open() == {"settled"}


def test_counting_has_one_answer_for_every_number() -> None:
    for decision in read_decisions(SETS["consultation"].files).values():
        assert check_table(decision) == []


def test_an_opinion_waits_for_the_others_before_it_is_opened() -> None:
    case = Case("opinion").do("give_opinion")
    assert case.sent == ["tell_given"]
    assert case.open() == {"opened"}
    assert case.do("opened").sent == ["reveal"]
    assert case.step.ends == ["given"]


def test_an_opinion_not_given_in_time_is_missing() -> None:
    assert Case("opinion").do("opened_without").step.ends == ["missing"]


# --- choices --------------------------------------------------------------------------------------


def choices() -> Iterator[Any]:
    for drawn in SETS.values():
        for gateway in drawn.gateways.values():
            if len(gateway.flows) > 2:
                yield pytest.param(drawn, gateway, id=f"{drawn.key}-{gateway.id}")


@pytest.mark.parametrize(("drawn", "gateway"), list(choices()))
def test_no_choice_depends_on_the_order_in_which_its_answers_are_tried(
    drawn: Definition, gateway: Gateway
) -> None:
    conditions = [flow.condition for flow in gateway.flows if flow.condition]
    paths = sorted(set().union(*(condition.paths for condition in conditions)))
    fields = [field_at(drawn, owner, name) for owner, name in paths]
    for values in product(*([None, *(c.value for c in field.choices)] for field in fields)):
        known: dict[str, dict[str, Any]] = {}
        for (element, name), value in zip(paths, values, strict=True):
            known.setdefault(element, {})[name] = value
        assert sum(condition.holds(known) for condition in conditions) <= 1, known
