"""Forms filled half: for whoever fills them alone, never over a newer one, and not for ever."""

from datetime import timedelta

import pytest

from engine.drafts import (
    KEPT,
    LONGEST,
    DraftMoved,
    DraftTooLong,
    drop_draft,
    find_draft,
    save_draft,
    sweep_drafts,
)
from tests.conftest import Street

PAGE = "reports/hazard"


def left(street: Street, name: str, page: str = PAGE) -> object:
    return street.do(lambda conn, at: find_draft(conn, page, by=street.by(name)))


def save(street: Street, name: str, text: str, version: int = 0) -> int:
    told = [("title", text), ("photo", "one"), ("photo", "two")]
    draft = street.do(save_draft, PAGE, told, version=version, by=street.by(name))
    found: int = draft.version
    return found


def test_a_draft_is_kept_in_its_order_for_its_person_and_page(street: Street) -> None:
    save(street, "grid", "飞线")
    found = left(street, "grid")
    assert found is not None
    assert found.values == (("title", "飞线"), ("photo", "one"), ("photo", "two"))  # type: ignore[attr-defined]
    assert found.saved_at == street.at  # type: ignore[attr-defined]
    assert left(street, "head") is None
    assert left(street, "grid", "reports/drill") is None
    street.check()


def test_a_draft_saved_over_another_one_than_was_seen_is_refused(street: Street) -> None:
    first = save(street, "grid", "先")
    second = save(street, "grid", "后", first)
    for seen in (0, first, second + 1):
        with pytest.raises(DraftMoved, match="别的窗口"):
            save(street, "grid", "旧窗口", seen)
    assert left(street, "grid").values[0] == ("title", "后")  # type: ignore[attr-defined]


def test_a_draft_dropped_does_not_come_back_from_an_older_window(street: Street) -> None:
    seen = save(street, "grid", "填到一半")
    street.do(lambda conn, at: drop_draft(conn, PAGE, by=street.by("grid")))
    assert left(street, "grid") is None
    with pytest.raises(DraftMoved):
        save(street, "grid", "填到一半", seen)


def test_a_draft_has_its_limit(street: Street) -> None:
    with pytest.raises(DraftTooLong, match="太长"):
        save(street, "grid", "长" * LONGEST)
    assert left(street, "grid") is None


def test_drafts_nobody_came_back_to_are_forgotten(street: Street) -> None:
    save(street, "grid", "旧的")
    street.later(days=1)
    save(street, "head", "新的")
    street.at += KEPT - timedelta(hours=1)
    assert street.do(sweep_drafts) == 1
    assert left(street, "grid") is None
    assert left(street, "head") is not None
