"""Kept figures on both databases: kept up they are what counting everything anew gives."""

from collections.abc import Mapping
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from audit import log, sequence
from audit.encoding import instant
from audit.metrics.catalogue import METRICS
from audit.metrics.contributions import contributions
from audit.metrics.fold import case_facts
from audit.metrics.formulas import Formulas, read_formulas
from audit.metrics.marks import Period, seen
from audit.metrics.places import places
from audit.metrics.plain import figures_json
from audit.metrics.results import results
from engine import metric_periods
from engine.database import reading
from engine.metric_facts import case_table, keep_facts, last_checkpoint, read_facts
from engine.metric_periods import (
    BY,
    Basis,
    at_one_position,
    basis,
    cases_behind,
    figures_table,
    keep_figures,
    kept_figures,
    kept_list,
    months,
    periods,
)
from engine.metrics import under
from engine.sequencer import run_sequencer
from engine.vault import Vault
from tests.conftest import ROOT, Street
from tests.engine.any_street import Somebody, found
from tests.engine.hazard_street import hazard
from tests.engine.test_anchoring import KEY
from web.quantities import ZONE

TOML = (ROOT / "workflows" / "metrics" / "formulas.toml").read_bytes()
FORMULAS = read_formulas(TOML)
STREET = "u-street"


def signed(street: Street) -> None:
    """Everything so far under a checkpoint."""
    run_sequencer(street.database, [KEY], at=street.later(minutes=1))


def kept_up(street: Street, formulas: Formulas = FORMULAS) -> int:
    return keep_figures(street.database, formulas, zone=ZONE)


def standing(street: Street) -> Basis:
    with reading(street.database).begin() as conn:
        told = basis(conn)
    assert told
    return told


def kept(street: Street) -> dict[str, Any]:
    """All that is kept, by period."""
    with reading(street.database).begin() as conn:
        return {
            one.key: {
                "until": one.until,
                "cases": one.cases,
                "lists": {m: kept_list(conn, one.key, m) for m in ("objected", "solved")},
                "behind": {at: cases_behind(conn, one.key, at) for at in ("u-other", STREET)},
            }
            | {by: kept_figures(conn, one.key, by, STREET, FORMULAS, zone=ZONE) for by in BY}
            for one in periods(conn)
        }


def counted_anew(street: Street) -> dict[str, Any]:
    """The same from the entries under the last checkpoint, all at once, by nothing that is kept."""
    with reading(street.database).begin() as conn:
        last = sequence.latest(conn)
        assert last
        leaves = {
            bytes(row.hash)
            for row in conn.execute(select(sequence.leaf_table))
            if row.leaf_index < last.checkpoint.size
        }
        told = {
            name: [one for one in log.read(conn, name) if one.hash in leaves]
            for name in log.streams(conn)
        }
    until = instant(last.at)
    cases = [
        case_facts(entries, FORMULAS) for name, entries in told.items()
        if entries and not name.startswith("@")
    ]  # fmt: skip
    units = places(told["@units"])
    return {
        month: {
            "until": period.until,
            "cases": results(cases, FORMULAS, units, period, zone=ZONE).cases,
            "lists": _lists(cases, units, period),
            "behind": {at: _behind(cases, units, period, at) for at in ("u-other", STREET)},
        }
        | {
            by: figures_json(results(cases, FORMULAS, units, period, by=by, zone=ZONE).told)
            for by in BY
        }
        for month, period in _periods(min(one.opened for one in cases), until).items()
    }


def _lists(cases: Any, units: Any, period: Period) -> Mapping[str, Any]:
    found_ = contributions(seen(cases, FORMULAS, units, period))
    return {metric: found_[metric] for metric in ("objected", "solved")}


def _behind(cases: Any, units: Any, period: Period, place: str) -> frozenset[str]:
    told = contributions(seen(cases, FORMULAS, units, period))
    return frozenset(
        one.case
        for metric, rows in told.items()
        if METRICS[metric].process != "hotline"
        for one in rows
        if place in one.path
    )


def _periods(first: Any, last: Any) -> dict[str, Period]:
    """Months, quarters and years in which there is a day from the first to the last."""
    found_: dict[str, Period] = {}
    begin = first.astimezone(ZONE).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while begin < last:
        end = (begin + timedelta(days=32)).replace(day=1)
        quarter, year = f"{begin:%Y}-Q{(begin.month - 1) // 3 + 1}", f"{begin:%Y}"
        for key in (f"{begin:%Y-%m}", quarter, year):
            # What begins before the first day does so with nothing in it.
            since = found_[key].since if key in found_ else begin
            found_[key] = Period(since, min(end, last))
        begin = end
    return found_


def test_figures_kept_up_through_a_streets_life_are_those_counted_anew(
    street: Street, vault: Vault
) -> None:
    found(street)
    somebody = Somebody(street, Random(12))
    somebody.play(3)
    kinds = set()
    for step in range(36):
        somebody.play(4)
        if step % 3 < 2:
            signed(street)
        kept_up(street)
        told = kept(street)
        assert told == counted_anew(street)
        kinds |= {one["metric"] for period in told.values() for one in period[""]}
    assert len(told) > 4
    assert len(kinds) > 16
    # Starting over comes to the same as keeping up.
    with street.database.begin() as conn:
        for table in (case_table, metric_periods.basis_table, figures_table):
            conn.execute(delete(table))
    assert kept_up(street) == len(told)
    assert kept(street) == told
    assert kept_up(street) == 0
    street.check()


def test_what_came_after_the_checkpoint_is_in_no_figure(street: Street) -> None:
    case = hazard(street).assigned()
    signed(street)
    kept_up(street)
    before, position = kept(street), standing(street)
    case.do("sign_in").do("rectify")
    assert kept_up(street) == 0
    assert (kept(street), standing(street)) == (before, position)
    # In the tree and not signed is as little.
    with street.database.begin() as conn:
        sequence.integrate(conn)
    assert kept_up(street) == 0
    assert (kept(street), standing(street)) == (before, position)
    signed(street)
    assert kept_up(street) == 3
    assert standing(street).size > position.size
    assert kept(street) == counted_anew(street)
    street.check()


def test_without_a_checkpoint_there_are_no_figures(street: Street) -> None:
    hazard(street).assigned()
    assert kept_up(street) == 0
    with street.database.begin() as conn:
        assert basis(conn) is None
        assert periods(conn) == []
        assert kept_list(conn, "2026-03", "in_time") == []
    street.check()


def test_a_period_that_has_ended_is_counted_again_only_for_what_was_recorded_in_it(
    street: Street,
) -> None:
    case = hazard(street).assigned()
    street.later(days=40)
    signed(street)
    # March and April, two quarters, the year.
    assert kept_up(street) == 5
    case.do("sign_in")
    signed(street)
    assert kept_up(street) == 3
    with street.database.begin() as conn:
        conn.execute(update(case_table).values(news="2026-03-02T01:00:00.000Z"))
    assert kept_up(street) == 5
    assert kept(street) == counted_anew(street)
    street.check()


def test_other_formulas_count_everything_anew(street: Street) -> None:
    hazard(street).closed()
    signed(street)
    assert kept_up(street) == 3
    other = read_formulas(TOML.replace(b"version = 3", b"version = 4"))
    assert kept_up(street, other) == 3
    told = standing(street)
    assert (told.formulas, told.version) == (other.sha256, 4)
    assert kept_up(street, other) == 0
    street.check()


def test_figures_of_a_place_nobody_answers_for_are_counted_when_they_are_asked_for(
    street: Street,
) -> None:
    hazard(street).closed()
    signed(street)
    kept_up(street)
    with reading(street.database).begin() as conn:
        (month,) = months(conn)
        assert set(conn.execute(select(figures_table.c.place)).scalars()) == {STREET}
        whole = kept_figures(conn, month.key, "", STREET, FORMULAS, zone=ZONE)
        block = kept_figures(conn, month.key, "", "u-tingtao", FORMULAS, zone=ZONE)
        other = kept_figures(conn, month.key, "", "u-other", FORMULAS, zone=ZONE)
    assert whole
    assert block == whole
    assert other == []
    street.check()


def test_whoever_is_overtaken_by_another_process_writes_nothing(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = hazard(street).assigned()
    signed(street)
    with reading(street.database).begin() as conn:
        old = last_checkpoint(conn)
    assert old
    case.do("sign_in")
    signed(street)
    kept_up(street)
    told, position = kept(street), standing(street)
    assert keep_facts(street.database, old, FORMULAS, lambda _: None) == 0
    with reading(street.database).begin() as conn:
        assert read_facts(conn, old, FORMULAS) is None
    monkeypatch.setattr(metric_periods, "last_checkpoint", lambda conn: old)
    assert kept_up(street) == 0
    assert (kept(street), standing(street)) == (told, position)
    street.check()


def test_what_is_written_while_cases_are_folded_is_beyond_the_tree(street: Street) -> None:
    case = hazard(street).assigned()
    signed(street)
    with street.database.begin() as conn:
        size = sequence.tree_size(conn)
        before = under(conn, size)
    case.do("sign_in")
    with street.database.begin() as conn:
        assert under(conn, size) == before
        assert under(conn, 0) == {}
    street.check()


def test_what_is_read_rests_on_one_position_though_it_is_replaced_meanwhile(
    street: Street,
) -> None:
    case = hazard(street).assigned()
    signed(street)
    kept_up(street)
    case.do("sign_in")
    signed(street)
    with reading(street.database).begin() as conn:

        def read() -> int:
            at = basis(conn)
            kept_up(street)
            assert at
            return at.size

        size, told = at_one_position(conn, read), basis(conn)
    assert told
    assert size == told.size
    street.check()
