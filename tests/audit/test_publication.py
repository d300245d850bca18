"""Published counts: what counts, what is corrected, and that nobody stands alone in a figure."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from audit.entries import Draft, Entry
from audit.log import Head, place
from audit.publication import Cell, Change, changes, merged, publication

JUNE, JULY, AUGUST, SEPTEMBER = (datetime(2026, month, 3, tzinfo=UTC) for month in (6, 7, 8, 9))
SOMEBODY = {"person": "p-1", "capacity": "verify", "channel": "web"}


def entries(*told: tuple[str, dict[str, Any], datetime]) -> Iterable[Entry]:
    head = Head("log", "hotline-2026-00001", 0, b"", "")
    for type_, data, at in told:
        entry, head = place(head, Draft(type_, data, SOMEBODY, at))
        yield entry


def opened(at: datetime, unit: str = "u-a", category: str = "service") -> Any:
    return "case.opened", {"place": {"unit": unit}, "category": category}, at


def done(element: str, at: datetime, **form: Any) -> Any:
    return "task.completed", {"task": f"{element}#1", "form": form}, at


def passed(at: datetime, *path: str) -> Any:
    return "case.advanced", {"path": list(path)}, at


def told(*changes_: Change, until: datetime = SEPTEMBER) -> Any:
    return publication(changes_, until=until, zone=UTC, unit_of=lambda unit: unit)


def three(at: datetime, unit: str = "u-a", category: str = "service") -> list[Change]:
    return [Change(at, unit, category)] * 3


# --- what counts ----------------------------------------------------------------------------------


def test_a_complaint_counts_when_the_time_for_corrections_has_passed() -> None:
    way = [opened(JUNE), done("verify", JULY, unit="u-b")]
    assert list(changes(entries(*way))) == []
    way += [passed(AUGUST, "correction_window", "published", "publication_done")]
    assert list(changes(entries(*way))) == [Change(AUGUST, "u-b", "service")]


def test_the_unit_is_the_one_named_last_and_the_class_the_one_taken_in_under() -> None:
    way = [
        opened(JUNE), done("accept", JUNE, category="rights"), done("verify", JUNE, unit="u-b"),
        done("check_figures", JULY, correct="no", unit="u-c"), passed(JULY, "published"),
    ]  # fmt: skip
    assert list(changes(entries(*way))) == [Change(JULY, "u-c", "rights")]


def test_a_complaint_without_a_unit_counts_where_it_was_made() -> None:
    way = [opened(JUNE), done("verify", JUNE), passed(JULY, "published")]
    assert list(changes(entries(*way))) == [Change(JULY, "u-a", "service")]


def test_a_reversal_is_a_correction_and_found_true_again_it_counts_again() -> None:
    way = [opened(JUNE), passed(JUNE, "published"), passed(JULY, "corrected")]
    way += [passed(AUGUST, "published")]
    assert list(changes(entries(*way))) == [
        Change(JUNE, "u-a", "service"),
        Change(JULY, "u-a", "service", corrected=True, since=JUNE),
        Change(AUGUST, "u-a", "service"),
    ]


def test_found_true_twice_counts_once_unless_it_was_another_unit() -> None:
    way = [opened(JUNE), passed(JUNE, "published"), passed(JULY, "published")]
    assert len(list(changes(entries(*way)))) == 1
    way += [done("final_review", AUGUST, unit="u-b"), passed(AUGUST, "published")]
    assert list(changes(entries(*way)))[1:] == [
        Change(AUGUST, "u-a", "service", corrected=True, since=JUNE),
        Change(AUGUST, "u-b", "service"),
    ]


def test_a_correction_of_nothing_published_is_none() -> None:
    assert list(changes(entries(opened(JUNE), passed(JUNE, "corrected")))) == []


# --- publishing -----------------------------------------------------------------------------------


def test_a_month_is_published_when_it_is_over() -> None:
    figures = told(*three(JULY), until=JULY)
    assert figures.periods == ()
    (period,) = told(*three(JULY), until=AUGUST).periods
    assert (period.first, period.last, period.total) == ("2026-07", "2026-07", 3)


def test_months_with_too_few_wait_and_are_told_together() -> None:
    few = [Change(JUNE, "u-a", "service"), Change(JULY, "u-a", "service")]
    assert (told(*few).periods, told(*few).waiting) == ((), True)
    (period,) = told(*few, Change(AUGUST, "u-a", "service")).periods
    assert (period.first, period.last, period.total) == ("2026-06", "2026-08", 3)


def test_a_correction_stands_beside_the_figure_and_does_not_lower_it() -> None:
    figures = told(*three(JUNE), Change(AUGUST, "u-a", "service", corrected=True, since=JUNE))
    (period,) = figures.periods
    assert (period.total, period.corrections) == (3, (("2026-08", 1),))


def test_what_was_published_never_changes_by_what_comes_later() -> None:
    early = [*three(JUNE), Change(JULY, "u-b", "rights")]
    before = told(*early, until=AUGUST).periods
    after = told(*early, *three(AUGUST, "u-b"), until=SEPTEMBER).periods
    assert after[: len(before)] == before


def test_units_are_told_under_the_one_above_them() -> None:
    figures = publication(
        [*three(JUNE, "u-grid-1"), *three(JUNE, "u-grid-2")],
        until=SEPTEMBER, zone=UTC, unit_of=lambda unit: "u-community",
    )  # fmt: skip
    assert figures.periods[0].cells == (Cell(("u-community",), ("service",), 6),)


# --- merging --------------------------------------------------------------------------------------


def test_a_small_class_is_merged_with_another_of_the_same_unit() -> None:
    cells = merged({("u-a", "service"): 5, ("u-a", "rights"): 1, ("u-a", "hazard"): 4}, 3)
    assert cells == (Cell(("u-a",), ("hazard", "rights"), 5), Cell(("u-a",), ("service",), 5))


def test_small_units_are_merged_with_each_other() -> None:
    cells = merged({("u-a", "service"): 5, ("u-b", "service"): 1, ("u-c", "rights"): 2}, 3)
    assert cells == (
        Cell(("u-a",), ("service",), 5),
        Cell(("u-b", "u-c"), ("rights", "service"), 3),
    )


def test_one_small_unit_is_not_found_by_subtracting() -> None:
    cells = merged({("u-a", "service"): 5, ("u-b", "service"): 1, ("u-c", "rights"): 9}, 3)
    assert Cell(("u-a", "u-b"), ("service",), 6) in cells
    assert len(cells) == 2


@given(
    st.dictionaries(
        st.tuples(st.sampled_from("abcdef"), st.sampled_from("stuvw")), st.integers(1, 9)
    ),
    st.integers(1, 6),
)
def test_no_figure_is_below_the_threshold_and_none_is_lost(
    counts: dict[tuple[str, str], int], threshold: int
) -> None:
    if sum(counts.values()) < threshold:
        return
    cells = merged(counts, threshold)
    assert all(cell.count >= threshold for cell in cells)
    assert sum(cell.count for cell in cells) == sum(counts.values())
    covered = Counter(
        (unit, category)
        for cell in cells for unit in cell.units for category in cell.categories
        if (unit, category) in counts
    )  # fmt: skip
    assert covered == Counter(dict.fromkeys(counts, 1))
