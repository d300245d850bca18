"""How long a risk was known and in whose hands: through commands, and against a count by hand."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from audit.reports.case import case_record
from audit.reports.risk import risk, risk_digest
from audit.reports.risk_facts import Risk
from engine.cases import Place, Report, complete_task, open_case
from engine.holding import claim_task
from engine.oversight import urge
from engine.risk_reports import NoRiskHere, NotYoursToTrace, Traced, read_risk
from engine.turns import reopen
from tests.conftest import Street, photo
from tests.engine.hazard_street import Hazard, hazard

DAY = 24 * 60


@pytest.fixture
def h(street: Street) -> Iterator[Hazard]:
    yield hazard(street)
    street.check()


def traced(h: Hazard, case: str = "", by: str = "inspector") -> Traced:
    street = h.street
    street.later(minutes=1)
    with street.database.begin() as conn:
        return read_risk(conn, case or h.case, street.at, by=street.by(by), at=street.at)


def told(h: Hazard) -> Risk:
    return traced(h).content


def again(h: Hazard) -> Hazard:
    """The same thing reported once more, a while later."""
    h.street.later(days=10)
    return Hazard(h.street).report()


def test_from_the_first_report_to_the_acceptance_every_minute_is_in_somebodys_hands(
    h: Hazard,
) -> None:
    opened = h.report().street.at
    h.street.later(hours=2)
    h.do("confirm").do("assign").do("sign_in").do("rectify")
    h.street.later(hours=3)
    h.do("accept")
    accepted = h.street.at
    h.street.later(hours=5)
    h.do("close")
    found = told(h)
    assert (found.first.at, found.end, found.end_by) == (opened, accepted, "accepted")
    assert found.minutes == (accepted - opened) // timedelta(minutes=1)
    assert found.spent("held") == found.minutes
    assert [one.standing for one in found.stood] == ["held"]
    # What came after the acceptance is in nobody's hands any more.
    assert "close" not in {one.element for one in found.held}
    assert sum(one.minutes for one in found.steps) >= found.minutes
    assert {one.task for one in found.kept} >= {"confirm#1", "assign#1", "rectify#1", "accept#1"}


def test_between_an_acceptance_and_the_next_report_it_is_told_apart(h: Hazard) -> None:
    h.closed()
    accepted = next(e.at for e in reversed(h.entries) if e.data.get("task") == "accept#1"
                    and e.type == "task.completed")  # fmt: skip
    later = again(h)
    opened = later.street.at
    found = told(later)
    assert [ref.case for ref in found.cases] == [h.case, later.case]
    assert (found.end, found.spent("dismissed")) == (None, 0)
    assert found.spent("accepted") == (opened - accepted) // timedelta(minutes=1)
    gap = next(one for one in found.stood if one.standing == "accepted")
    assert (gap.case, gap.since, gap.until) == (h.case, accepted, opened)
    assert sum(one.minutes for one in found.stood) in (found.minutes, found.minutes - 1)


def test_after_no_hazard_it_is_in_nobodys_hands_until_it_is_reported_again(h: Hazard) -> None:
    h.report()
    said = {"verdict": "not_hazard", "reason": "没看到"}
    h.act(complete_task, "confirm#1", said, by="confirmer", evidence=[photo("site")])
    h.do("second_look")
    h.wait(days=11)
    assert h.state.ended == "closed_not_hazard"
    later = again(h)
    found = told(later)
    assert found.spent("resting") == 11 * DAY
    assert found.spent("dismissed") == 10 * DAY
    assert [(one.kind, one.case) for one in found.marks] == [("said", h.case)] * 2


def test_a_reopened_case_has_the_risk_again_from_then_on(h: Hazard) -> None:
    h.closed()
    h.street.later(days=3)
    h.act(reopen, "查到没改", by="inspector")
    found = told(h)
    assert found.end is None
    assert found.spent("accepted") >= 3 * DAY
    assert [one.kind for one in found.marks] == ["again"]
    assert found.stood[-1].standing == "held"


def test_time_beyond_the_limit_counts_where_the_step_was(h: Hazard) -> None:
    h.report()
    h.act(claim_task, "confirm#1", by="confirmer")
    h.wait(days=20)
    h.act(urge, "快些", by="inspector")
    found = told(h)
    (mine,) = [one for one in found.persons if one.person == h.street.person["confirmer"]]
    (clock,) = [one for one in traced(h).records[h.case].clocks if one.task == "confirm#1"]
    due = clock.settings[0].due
    assert abs(mine.over - (found.until - due) // timedelta(minutes=1)) <= 1
    assert mine.minutes > mine.over > 0
    (unit,) = [one for one in found.units if one.unit == "u-tingtao"]
    assert unit.over == mine.over


def test_what_is_elsewhere_or_of_another_kind_is_not_laid_together(h: Hazard) -> None:
    h.report()
    street = h.street
    form = h.entries[0].data["form"]
    for category, address in (("gas", "听涛苑 3 幢"), ("charging", "听涛苑 9 幢")):
        place = Place(h.entries[0].data["place"]["unit"], address)
        report = Report(
            "hazard", category, "别的", place, {**form, "category": category, "address": address}
        )
        street.do(open_case, report, by=street.by("reporter"))
    assert [ref.case for ref in told(h).cases] == [h.case]


def test_anybody_with_the_entries_computes_the_same_content(h: Hazard) -> None:
    h.closed()
    later = again(h)
    found = traced(later)
    content = found.content
    records = [
        case_record([e for e in h.street.entries(case) if e.at < content.until], record.elements)
        for case, record in found.records.items()
    ]
    same = risk(content.log, content.place, reversed(records), [], content.until)
    assert risk_digest(same) == risk_digest(content)
    assert risk_digest(told(later)) != risk_digest(content)


def test_only_supervision_and_discipline_over_the_place_have_it_and_only_of_hazards(
    h: Hazard,
) -> None:
    h.report()
    for name in ("reporter", "confirmer"):
        with pytest.raises(NotYoursToTrace, match="督查岗位和本街道的纪检岗位"):
            traced(h, by=name)
    other = h.street.report()
    with pytest.raises(NoRiskHere, match="只有隐患案件"):
        traced(h, case=other)


def test_a_case_that_whoever_asks_may_not_see_is_counted_as_left_out_and_not_told(
    h: Hazard, monkeypatch: pytest.MonkeyPatch
) -> None:
    h.closed()
    later = again(h)
    seen = {later.case}
    monkeypatch.setattr("engine.risk_reports.may_see", lambda state, *rest: state.case in seen)
    found = traced(later)
    assert [ref.case for ref in found.content.cases] == [later.case]
    assert found.content.left_out == 1
    assert h.case not in str(found.content)
    assert set(found.records) == seen
