"""Published counts of hazards: from the entries alone, never small, adding up, ranking nobody."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from audit.entries import ENGINE, Entry
from audit.hazard_publication import COLUMNS, FULL, Fate, Published, fate, hazards, whistles
from audit.publication import THRESHOLD

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2027, 1, 1, tzinfo=UTC)


def made(unit: str = "u-a", category: str = "gas", **more: Any) -> Fate:
    told = {"confirmed": True, "days": None, "late": False, "overdue": False, "ended": False}
    at = BEGIN + timedelta(days=1)
    return Fate(at, unit, category, **{"imported": False, **told, **more})


def published(*cases: Fate) -> Published:
    return hazards(cases, since=BEGIN, until=END, unit_of=lambda unit: unit)


# --- one case -------------------------------------------------------------------------------------


def entry(seq: int, type_: str, days: float, **data: Any) -> Entry:
    at = BEGIN + timedelta(days=days)
    who = {"person": "p-1", "capacity": "x", "channel": "web"}
    return Entry(
        log="l", stream="hazard-1", seq=seq, prev="", type=type_, at=at,
        actor=dict(ENGINE) if seq > 1 else who, data=data, evidence=(), cause=None,
        claimed_at=None, body=b"", hash=bytes([seq]) * 32,
    )  # fmt: skip


def opened(**more: Any) -> Entry:
    return entry(1, "case.opened", 0, place={"unit": "u-a"}, category="gas", **more)


def moved(seq: int, days: float, closed: str = "", opens: str = "", **more: Any) -> Entry:
    told: dict[str, Any] = {"path": []}
    told |= {"closed": [{"task": closed}]} if closed else {}
    told |= {"opened": [{"task": opens}]} if opens else {}
    return entry(seq, "case.advanced", days, **told, **more)


def test_a_case_is_confirmed_when_it_is_assigned_and_done_when_it_is_closed() -> None:
    told = [opened(), moved(2, 0, opens="confirm#1")]
    assert fate(told).confirmed is False
    told.append(moved(3, 1, closed="confirm#1", opens="assign#1"))
    assert fate(told).confirmed is True
    assert fate(told).days is None
    told.append(entry(4, "task.completed", 6, task="close#1", form={}))
    assert fate(told).days == 6
    assert fate(told).late is False


def test_a_case_assigned_again_is_not_put_right() -> None:
    told = [opened(), entry(2, "task.completed", 6, task="close#1", form={})]
    told.append(moved(3, 20, opens="assign#2"))
    assert fate(told).days is None


def test_overdue_is_what_is_open_and_late_what_ever_was() -> None:
    told = [opened(), moved(2, 0, opens="confirm#1"),
            entry(3, "overdue.opened", 1, task="confirm#1", due="x")]  # fmt: skip
    assert fate(told).overdue
    told.append(moved(4, 2, closed="confirm#1", opens="assign#1"))
    assert not fate(told).overdue
    assert fate(told).late


def test_an_imported_case_is_told_as_such_and_left_out() -> None:
    one = fate([opened(imported={"x": 1})])
    assert one.imported
    assert published(*[made(imported=True)] * 9).rows == ()


# --- many -----------------------------------------------------------------------------------------


def test_few_are_not_told_at_all() -> None:
    assert published(made(), made()).rows == ()
    assert published().rows == ()


def test_a_community_with_enough_of_everything_stands_alone() -> None:
    cases = [made(days=2.5)] * 3 + [made(overdue=True)] * 3
    (row,) = published(*cases).rows
    assert (row.units, row.reported, row.confirmed, row.rectified) == (("u-a",), 6, 6, 3)
    assert (row.in_time, row.median_days, row.open, row.overdue) == (3, 3, 3, 3)


def test_small_communities_are_told_together_and_none_is_blank() -> None:
    cases = [made("u-a")] * 2 + [made("u-b")] * 1 + [made("u-c")] * 9
    rows = published(*cases).rows
    assert [row.units for row in rows] == [("u-a", "u-b"), ("u-c",)]


def test_what_the_street_has_too_few_of_is_not_told_apart() -> None:
    found = published(*[made()] * 8, made(overdue=True))
    assert "overdue" not in found.columns
    assert found.rows[0].overdue is None
    assert found.rows[0].open == 9


def test_no_hazard_is_reported_and_not_confirmed() -> None:
    cases = [made(confirmed=False, ended=True)] * 4 + [made(confirmed=False)] * 3 + [made()] * 3
    (row,) = published(*cases).rows
    assert (row.reported, row.confirmed, row.open) == (10, 3, 6)


def test_only_those_reported_in_the_interval_count() -> None:
    old = [Fate(BEGIN - timedelta(days=1), "u-a", "gas", False, True, None, False, False, False)]
    assert published(*old * 5).rows == ()


cases = st.builds(
    made,
    st.sampled_from(["u-a", "u-b", "u-c", "u-d"]),
    st.sampled_from(["gas", "road", "food"]),
    confirmed=st.booleans(), late=st.booleans(), overdue=st.booleans(), ended=st.booleans(),
    days=st.none() | st.floats(0, 90),
)  # fmt: skip


@given(st.lists(cases, max_size=60))
def test_no_figure_and_no_difference_of_figures_is_small(told: list[Fate]) -> None:
    found = published(*told)
    for row in found.rows:
        values = [getattr(row, name) for name in found.columns if name != "median_days"]
        values += [cell.count for cell in found.categories if cell.units == row.units]
        if "rectified" in found.columns:
            rest = row.reported - row.rectified  # type: ignore[operator]
            going = 0
            if "confirmed" in found.columns:
                going = row.confirmed - row.rectified  # type: ignore[operator]
            if "open" in found.columns:
                values += [going, row.open - going]  # type: ignore[operator]
                rest -= row.open  # type: ignore[operator]
            values.append(rest)
        if "in_time" in found.columns:
            values.append(row.rectified - row.in_time)  # type: ignore[operator]
        if "overdue" in found.columns:
            values.append(row.open - row.overdue)  # type: ignore[operator]
        assert all(value == 0 or value >= THRESHOLD for value in values), row


@given(st.lists(cases, max_size=60))
def test_rows_share_nothing_and_leave_nothing_out(told: list[Fate]) -> None:
    found = published(*told)
    if not found.rows:
        assert len(told) < THRESHOLD
        return
    units = [unit for row in found.rows for unit in row.units]
    assert sorted(units) == sorted({one.unit for one in told})
    assert sum(row.reported for row in found.rows) == len(told)
    for row in found.rows:
        mine = [cell for cell in found.categories if cell.units == row.units]
        assert sum(cell.count for cell in mine) == row.reported
        assert {c for cell in mine for c in cell.categories} == {
            one.category for one in told if one.unit in row.units
        }
    assert found.columns in COLUMNS


def test_communities_are_kept_apart_by_telling_fewer_figures_of_each() -> None:
    names = [f"u-{n}" for n in range(6)]
    cases = [made(name, days=3.0) for name in names for _ in range(5)] + [made(n) for n in names]
    found = published(*cases)
    assert len(found.rows) >= 3
    assert "open" not in found.columns
    assert found.whole is not None
    assert (found.whole.reported, found.whole.open) == (36, 6)


@given(st.lists(cases, max_size=60))
def test_the_whole_street_is_the_sum_of_its_rows(told: list[Fate]) -> None:
    found = published(*told)
    if found.whole is None:
        assert found.rows == ()
        return
    for name in set(found.columns) - {"median_days"}:
        assert getattr(found.whole, name) == sum(getattr(row, name) for row in found.rows)


def test_the_sets_of_columns_go_from_all_to_one() -> None:
    assert COLUMNS[0] == FULL
    assert COLUMNS[-1] == ("reported",)
    for more, less in pairwise(COLUMNS):
        assert len(less) <= len(more)
        assert less[0] == "reported"


def test_a_single_report_not_looked_at_yet_does_not_hide_the_rest() -> None:
    found = published(*[made(days=2.0)] * 6, *[made()] * 5, made(confirmed=False))
    assert found.columns == ("reported", "rectified", "in_time", "median_days", "open", "overdue")
    assert found.rows[0].open == 6


@given(st.lists(cases, max_size=30))
def test_whistles_are_counted_by_community_and_never_small(told: list[Fate]) -> None:
    cells = whistles(told, since=BEGIN, until=END, unit_of=lambda unit: unit)
    assert all(cell.count >= THRESHOLD for cell in cells)
    assert sum(cell.count for cell in cells) == (len(told) if len(told) >= THRESHOLD else 0)
    counted = Counter(one.unit for one in told)
    assert not cells or {unit for cell in cells for unit in cell.units} == set(counted)
