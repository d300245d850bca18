"""Filters kept under a name: one's own alone, few, and forgotten when deleted."""

import pytest

from engine.people import By
from engine.saved_filters import (
    LONGEST_NAME,
    MOST,
    NoName,
    NothingAsked,
    SavedFilter,
    TooManyFilters,
    drop_filter,
    filters_of,
    save_filter,
)
from tests.conftest import Street

LATE = {"state": "late", "place": ""}


def test_a_filter_is_kept_for_whoever_named_it_and_for_nobody_else(street: Street) -> None:
    by = street.by("head")
    street_do(street, "我的急件", LATE, by)
    street_do(street, " 楼道  堆物 ", {"process": "hazard"}, by)
    assert own(street, by) == [
        SavedFilter("我的急件", "inbox.mine", {"state": "late"}),
        SavedFilter("楼道 堆物", "inbox.mine", {"process": "hazard"}),
    ]
    assert own(street, street.by("grid")) == []


def test_a_name_given_again_stands_for_the_later_filter(street: Street) -> None:
    by = street.by("head")
    street_do(street, "急", LATE, by)
    street_do(street, "急", {"state": "near"}, by)
    assert [one.asked for one in own(street, by)] == [{"state": "near"}]


def test_a_deleted_filter_is_gone_and_deleting_it_twice_is_no_fault(street: Street) -> None:
    by = street.by("head")
    street_do(street, "急", LATE, by)
    for _ in range(2):
        with street.database.begin() as conn:
            drop_filter(conn, "急", by=by)
    assert own(street, by) == []


@pytest.mark.parametrize("name", ["", "   ", "长" * (LONGEST_NAME + 1)])
def test_a_filter_without_a_short_name_is_refused(street: Street, name: str) -> None:
    with pytest.raises(NoName):
        street_do(street, name, LATE, street.by("head"))


def test_the_whole_list_is_no_filter_and_one_too_many_is_refused(street: Street) -> None:
    by = street.by("head")
    with pytest.raises(NothingAsked):
        street_do(street, "全部", {"state": ""}, by)
    for n in range(MOST):
        street_do(street, f"第 {n}", LATE, by)
    with pytest.raises(TooManyFilters):
        street_do(street, "再来一个", LATE, by)
    street_do(street, "第 3", {"state": "near"}, by)  # instead of one that is there


def street_do(street: Street, name: str, asked: dict[str, str], by: By) -> None:
    with street.database.begin() as conn:
        save_filter(conn, name, "inbox.mine", asked, by=by)


def own(street: Street, by: By) -> list[SavedFilter]:
    with street.database.begin() as conn:
        return sorted(filters_of(conn, by=by), key=lambda one: one.name)
