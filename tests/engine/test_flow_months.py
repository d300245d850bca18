"""How cases went, as it is kept: what the views tell of these cases, anew when they move."""

import pytest
from sqlalchemy import update

from audit.mining.views import bottlenecks, handovers, variants
from engine.flow_months import Basis, Flow, bases, flow_of, keep_flows
from engine.mining import conformance, open_cases, traces
from engine.register import register_table
from tests.conftest import Street
from tests.engine.tampering import forge
from tests.engine.test_mining import lived, other_path
from web.quantities import ZONE


def kept_up(street: Street) -> int:
    return keep_flows(street.database, zone=ZONE, at=street.at)


def kept(street: Street) -> tuple[Basis, Flow]:
    with street.database.begin() as conn:
        (basis,) = bases(conn)
        flow = flow_of(conn, basis.process, basis.month)
    assert flow
    return basis, flow


def test_what_is_kept_is_what_the_views_tell_of_the_same_cases(street: Street) -> None:
    lived(street)
    lived(street)
    assert kept_up(street) == 1
    basis, flow = kept(street)
    with street.database.begin() as conn:
        cases = open_cases(conn)
        told = list(traces(conn, cases))
        (whole,) = conformance(conn, cases)
    assert flow.basis == basis
    assert basis.cases == 2
    assert basis.entries == sum(len(street.entries(case)) for case in cases)
    assert flow.at == street.at
    assert flow.conformance == whole
    assert list(flow.variants) == variants(told)
    assert list(flow.handovers) == handovers(told)
    assert list(flow.bottlenecks) == bottlenecks(told)
    for one in flow.variants:
        assert set(one.steps) <= flow.names.keys()
        assert set(flow.examples[one.steps]) <= set(cases)
    street.check()


def test_only_a_month_whose_cases_have_moved_is_made_anew(street: Street) -> None:
    street.report()
    assert (kept_up(street), kept_up(street)) == (1, 0)
    street.later(days=40)
    case = street.report()
    assert (kept_up(street), kept_up(street)) == (1, 0)
    street.complete(case, "prepare#1", "head", {"kind": "wood", "pieces": 3})
    assert (kept_up(street), kept_up(street)) == (1, 0)
    with street.database.begin() as conn:
        assert [one.month for one in bases(conn)] == ["2026-03", "2026-04"]
        assert flow_of(conn, "nothing", "2026-03") is None
    street.check()


def test_a_record_that_leaves_its_diagram_is_named_among_what_is_kept(street: Street) -> None:
    lived(street)
    changed = lived(street)
    street.check()
    forge(street, changed, other_path)
    kept_up(street)
    _, flow = kept(street)
    assert [case for case, _, _ in flow.conformance.differing] == [changed]


def test_a_case_that_became_confidential_is_gone_from_what_is_kept(street: Street) -> None:
    case = lived(street)
    kept_up(street)
    with street.database.begin() as conn:
        mine = register_table.c.case == case
        conn.execute(update(register_table).where(mine).values(confidential=1))
    kept_up(street)
    with street.database.begin() as conn:
        assert bases(conn) == []


@pytest.mark.parametrize("after", [0, 1])
def test_what_was_made_before_it_was_stopped_stays(street: Street, after: int) -> None:
    street.report()
    street.later(days=40)
    street.report()
    asked = iter([False] * after + [True] * 9)
    made = keep_flows(street.database, zone=ZONE, at=street.at, stopped=lambda: next(asked))
    with street.database.begin() as conn:
        assert made == len(bases(conn)) == after
    assert kept_up(street) == 2 - after
    street.check()
