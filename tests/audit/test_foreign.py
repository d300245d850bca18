"""What another system says, as facts: by the same formulas; no zero for what is not said."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from audit.foreign.activations import put_together
from audit.foreign.facts import facts_of, places_of
from audit.foreign.happenings import ForeignCase, Happening
from audit.foreign.heard import heard
from audit.foreign.metric_needs import NEEDS, had, lacking
from audit.metrics.catalogue import COMPOSITE, METRICS
from audit.metrics.figures import Rate
from audit.metrics.marks import Period
from audit.metrics.results import of, results
from web.formulas import formulas

DAY = datetime(2025, 3, 3, tzinfo=UTC)
MARCH = Period(datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 4, 1, tzinfo=UTC))


def told(*happenings: tuple[Any, ...], **more: Any) -> ForeignCase:
    """A case of (hours, what, element[, fields]) each."""
    made = [
        Happening(n, DAY + timedelta(hours=at), what, element, **(rest[0] if rest else {}))
        for n, (at, what, element, *rest) in enumerate(happenings, 2)
    ]
    plain = ForeignCase(
        "C-1", "C-1", "hazard", (("community", "东塘"),), "", "", "", "", "", tuple(made)
    )
    return replace(plain, **more)


USUAL = (
    (0, "complete", "report"), (1, "complete", "confirm"), (2, "complete", "assign"),
    (3, "schedule", "rectify", {"unit": "物业", "due": DAY + timedelta(hours=30)}),
    (20, "complete", "rectify", {"person": "陈演示", "unit": "物业"}),
    (26, "complete", "accept", {"person": "林演示"}), (27, "complete", "close"),
)  # fmt: skip


def rate(metric: str, *cases: ForeignCase) -> tuple[int, int]:
    facts = [facts_of(case, formulas()) for case in cases]
    found = results(facts, formulas(), places_of(cases), MARCH, zone=UTC)
    figure = of(found, metric)[("",)]
    assert isinstance(figure, Rate)
    return figure.proportion.numerator, figure.proportion.denominator


def test_a_step_without_an_opening_is_opened_by_the_end_of_the_one_before() -> None:
    steps = {one.element: one for one in put_together(told(*USUAL)).steps}
    assert steps["close"].opened == DAY + timedelta(hours=26)
    assert (steps["close"].told, steps["close"].after) == (False, "accept")
    assert (steps["rectify"].told, steps["rectify"].limited) == (True, True)


def test_the_same_formulas_tell_what_was_in_time() -> None:
    late = told(*USUAL[:4], (40, "complete", "rectify"), (41, "complete", "accept"),
                (42, "complete", "close"), id="C-2")  # fmt: skip
    open_ = told(*USUAL[:4], id="C-3")
    assert rate("in_time", told(*USUAL), late, open_) == (1, 3)
    assert rate("rectified_of_due", told(*USUAL), late, open_) == (2, 3)


def test_an_extension_moves_the_lawful_limit_and_not_the_first() -> None:
    longer = (10, "extend", "rectify", {"due": DAY + timedelta(hours=60)})
    case = told(*USUAL[:4], longer, (40, "complete", "rectify"), (41, "complete", "accept"),
                (42, "complete", "close"))  # fmt: skip
    assert rate("in_time", case) == (1, 1)
    assert rate("in_original_time", case) == (0, 1)
    assert rate("extended", case) == (1, 1)


def test_work_that_is_done_again_is_another_activation() -> None:
    again = told(*USUAL[:6], (28, "complete", "rectify"), (30, "complete", "accept"))
    assert [one.task for one in put_together(again).steps][-3:] == [
        "accept#1", "rectify#2", "accept#2",
    ]  # fmt: skip


def test_activations_the_log_tells_apart_stay_apart() -> None:
    one, other = {"instance": "a"}, {"instance": "b"}
    case = told((0, "start", "rectify", one), (1, "start", "rectify", other),
                (2, "complete", "rectify", one), (3, "ate_abort", "rectify", other))  # fmt: skip
    assert [(s.task, s.how) for s in put_together(case).steps] == [
        ("rectify#1", "completed"), ("rectify#2", "cancelled"),
    ]  # fmt: skip


def test_acts_are_about_the_step_that_is_open() -> None:
    case = told(*USUAL[:4], (5, "suspend", "rectify"), (9, "resume", "rectify"),
                (10, "object", "rectify"), (12, "order", ""), (13, "answer", ""))  # fmt: skip
    acts = facts_of(case, formulas()).acts
    assert [(one.type, one.task) for one in acts] == [
        ("pause.granted", "rectify#1"), ("clock.resumed", "rectify#1"),
        ("objection.raised", "rectify#1"), ("case.supervised", ""), ("supervision.answered", ""),
    ]  # fmt: skip
    assert acts[-1].of == acts[-2].seq


def test_every_metric_says_what_it_needs() -> None:
    assert NEEDS.keys() == METRICS.keys()
    nothing = lacking(formulas(), {})
    assert nothing.keys() == {*METRICS, COMPOSITE}
    assert all(
        lack.chinese and lack.english.isascii() for lacks in nothing.values() for lack in lacks
    )


def test_what_is_not_told_is_never_zero() -> None:
    usual = heard([told(*USUAL)])
    missing = lacking(formulas(), usual)
    assert {"in_time", "overdue", "rectified_of_found", "until_accepted"}.isdisjoint(missing)
    assert {"extended", "refuted", "reopened", "ordered", "solved"} <= missing.keys()
    # A limit that is told only when the work is done says nothing of what is open.
    after = heard([told(*USUAL[:3], (20, "complete", "rectify", {"due": DAY}), *USUAL[5:])])
    assert "时限" in lacking(formulas(), after)["in_time"][0].chinese
    assert had(usual, "hazard", formulas()) == {"cases"}
    more = told(*USUAL, (30, "extend", "rectify"), (40, "end", "merged"))
    assert had(heard([more]), "hazard", formulas()) == {"cases", "extended", "merged"}


def test_three_rates_need_all_their_rates() -> None:
    missing = lacking(formulas(), heard([told(*USUAL)]))
    assert len(missing[COMPOSITE]) == len(formulas().weights)


def test_a_step_without_a_limit_among_others_with_one_is_counted() -> None:
    without = told(*USUAL[:3], (3, "schedule", "rectify"), (20, "complete", "rectify"), id="C-2")
    usual = heard([told(*USUAL), without])["hazard"]
    assert (usual.rounds["rectify"], usual.unlimited["rectify"]) == (2, 1)


def test_work_sent_on_is_counted_only_if_each_process_tells_of_objections() -> None:
    objecting = told(*USUAL[:3], (3, "schedule", "sign_in"), (4, "object", "sign_in"))
    assert "objected" not in lacking(formulas(), heard([objecting]))
    departments = replace(objecting, process="response")
    assert "objected" not in lacking(formulas(), heard([departments]))
    silent = replace(
        told((0, "complete", "report"), (1, "schedule", "sign_in")), process="response"
    )
    assert "异议" in lacking(formulas(), heard([objecting, silent]))["objected"][0].chinese
