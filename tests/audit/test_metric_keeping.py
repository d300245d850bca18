"""Facts and contributions are read as they were written."""

from datetime import UTC, datetime

from audit.metrics.contributions import contributions, within
from audit.metrics.facts import CaseFacts
from audit.metrics.fold import case_facts
from audit.metrics.kept import facts_from_json, facts_to_json, rows_from_json, rows_to_json
from audit.metrics.marks import Period, seen
from audit.metrics.results import figures, results
from tests.audit.test_metrics import FORMULAS, MARCH, PLACES, ZONE, accepted
from tests.golden.cases.sample import two_rounds

EVER = Period(datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))


def cases() -> list[CaseFacts]:
    return [accepted(3 + n, 2 + n % 4, 4 + n, f"hazard-{n}").facts() for n in range(12)]


def test_facts_are_read_as_they_were_written() -> None:
    for case in (*cases(), case_facts(two_rounds().entries, FORMULAS)):
        assert facts_from_json(facts_to_json(case)) == case


def test_figures_of_what_was_kept_are_those_of_the_cases() -> None:
    told = contributions(seen(cases(), FORMULAS, PLACES, MARCH))
    assert sum(map(len, told.values())) > len(told)
    kept = {metric: rows_from_json(rows_to_json(rows)) for metric, rows in told.items()}
    assert kept == told
    for by in ("", "unit", "community", "class"):
        whole = results(cases(), FORMULAS, PLACES, MARCH, by=by, zone=ZONE).told
        assert figures(within(kept, "u-street"), FORMULAS, PLACES, by=by, zone=ZONE) == whole
    elsewhere = within(kept, "u-elsewhere")
    assert not any(elsewhere.values())
    assert figures(elsewhere, FORMULAS, PLACES, zone=ZONE) == ()


def test_every_contribution_names_the_entry_that_decided_it() -> None:
    case = case_facts(two_rounds().entries, FORMULAS)
    told = contributions(seen([case], FORMULAS, PLACES, EVER))
    entries = {one.entry for rows in told.values() for one in rows}
    assert entries
    assert all(1 <= entry <= len(two_rounds().entries) for entry in entries)
