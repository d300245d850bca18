"""The register searched, on both databases: what is found, for whom, page by page."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import select, update

from audit.encoding import timestamp
from engine import few_cases, inbox
from engine import search as searching
from engine.cases import Place
from engine.people import directory
from engine.register import register_table
from engine.rights import places_seen
from engine.search import (
    Page,
    Query,
    case_of_receipt,
    count_done_by,
    count_reported_by,
    done_by,
    reported_by,
    search,
)
from tests.conftest import Street

# Among the newest, by the index of what is rare, and through all cases: the same is found.
WAYS = {"newest": (2000, 3000), "few": (0, 3000), "through": (0, -1)}


@pytest.fixture(autouse=True, params=WAYS.values(), ids=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    among, few = request.param
    monkeypatch.setattr(searching, "AMONG", among)
    monkeypatch.setattr(few_cases, "FEW", few)


def found(street: Street, query: Query | None = None, name: str = "watch", **more: Any) -> Page:
    with street.database.begin() as conn:
        people = directory(conn)
        asked = query or Query()
        below = people.subtree(asked.unit) if asked.unit else frozenset()
        return search(
            conn, asked, person=street.person[name], below=below, at=street.at,
            places=places_seen(people, street.by(name), street.at), **more,
        )  # fmt: skip


def numbers(page: Page) -> list[str]:
    return [case.case[-1] for case in page.cases]


@pytest.fixture
def cases(street: Street) -> list[str]:
    first = street.report(title="车棚飞线充电")
    street.later(days=1)
    second = street.report(
        by="head", category="road", title="井盖有响声", place=Place("u-tingtao", "沿河路 12 号")
    )
    street.later(days=1)
    third = street.report(by="other", title="楼道 100% 堆满", place=Place("u-other", "沿河里"))
    return [first, second, third]


def test_the_newest_stands_first(street: Street, cases: list[str]) -> None:
    assert numbers(found(street)) == ["3", "2", "1"]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (Query(text="井盖"), ["2"]),
        (Query(text="沿河"), ["3", "2"]),
        (Query(text="100%"), ["3"]),
        (Query(text="%"), ["3"]),
        (Query(text="00002"), ["2"]),
        (Query(category="road"), ["2"]),
        (Query(unit="u-tingtao"), ["2", "1"]),
        (Query(status="open"), ["3", "2", "1"]),
        (Query(status="closed"), []),
        (Query(process="hazard"), []),
        (Query(text="没有的"), []),
    ],
)
def test_filters_find_what_they_say(
    street: Street, cases: list[str], query: Query, told: list[str]
) -> None:
    assert numbers(found(street, query)) == told


def test_a_receipt_finds_its_case(street: Street, cases: list[str]) -> None:
    receipt = next(e.data["receipt"] for e in street.entries(cases[0]) if "receipt" in e.data)
    assert numbers(found(street, Query(text=receipt.lower()))) == ["1"]
    with street.database.begin() as conn:
        assert case_of_receipt(conn, receipt) == cases[0]
        assert case_of_receipt(conn, "R-0000-0000") is None


def test_a_whole_number_means_its_case_alone_and_a_hidden_case_has_none(
    street: Street, cases: list[str]
) -> None:
    with street.database.begin() as conn:
        number = conn.execute(
            select(register_table.c.number).where(register_table.c.case == cases[0])
        ).scalar_one()
    naming = street.report(title=f"与 {number} 一起看", by="grid")
    assert numbers(found(street, Query(text=number))) == ["1"]
    with street.database.begin() as conn:
        mine = register_table.c.case == cases[0]
        conn.execute(update(register_table).where(mine).values(confidential=1))
    # Whether a hidden case bears that number is not told by what else is found.
    assert [one.case for one in found(street, Query(text=number)).cases] == [naming]


def test_the_interval_of_reporting_is_half_open(street: Street, cases: list[str]) -> None:
    day = timedelta(days=1)
    first = street.at - 2 * day
    assert numbers(found(street, Query(since=first, until=first + day))) == ["1"]
    assert numbers(found(street, Query(since=first + day))) == ["3", "2"]


@pytest.mark.parametrize("many", [0, 1, 5000])
def test_overdue_are_the_cases_with_a_step_past_its_limit(
    street: Street, cases: list[str], many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "MANY", many)
    # Four working hours each: only the last one is still in time.
    assert numbers(found(street, Query(status="overdue"))) == ["2", "1"]


def test_nobody_finds_what_they_may_not_see(street: Street, cases: list[str]) -> None:
    assert numbers(found(street, name="head")) == ["2", "1"]
    assert numbers(found(street, name="other")) == ["3"]
    assert numbers(found(street, name="fixer")) == []


def test_a_part_in_a_case_is_enough_to_find_it(street: Street) -> None:
    street.report(by="fixer")
    assert numbers(found(street, name="fixer")) == ["1"]
    assert numbers(found(street, name="fixer2")) == []


def test_pages_continue_where_the_last_one_ended_whatever_came_meanwhile(
    street: Street, cases: list[str]
) -> None:
    first = found(street, limit=2)
    assert numbers(first) == ["3", "2"]
    street.later(minutes=1)
    street.report()
    assert numbers(found(street, limit=2, after=first.after)) == ["1"]
    assert found(street, limit=2, after=first.after).after is None
    assert numbers(found(street, limit=1, after="nonsense")) == ["4"]


def test_cases_of_the_same_instant_are_neither_lost_nor_shown_twice(street: Street) -> None:
    for _ in range(5):
        street.report()
    seen, after = [], None
    while True:
        page = found(street, limit=2, after=after)
        seen += numbers(page)
        after = page.after
        if after is None:
            break
    assert seen == ["5", "4", "3", "2", "1"]


def test_what_somebody_reported_and_did_is_found_apart(street: Street) -> None:
    reported = street.report(by="head")
    done = street.report(by="grid")
    street.complete(done, "prepare#1", "head", {"kind": "wood", "pieces": 3})
    head, grid = street.person["head"], street.person["grid"]
    with street.database.begin() as conn:
        assert [case.case for case in reported_by(conn, head).cases] == [reported]
        assert {case.case for case in done_by(conn, head).cases} == {reported, done}
        assert count_reported_by(conn, grid) == 1
        assert count_done_by(conn, grid) == 1
        # p-1 is not p-12.
        assert count_done_by(conn, grid[:-1]) == 0


def test_whatever_is_asked_all_ways_find_the_same_page_by_page(street: Street) -> None:
    chance, one = Random(3), register_table.c
    for number in range(24):
        street.later(minutes=chance.choice([0, 1, 5000]))
        who, unit = chance.choice(
            [("head", "u-tingtao"), ("other", "u-other"), ("grid", "u-grid-1")]
        )
        place = Place(unit, f"沿河路 {number} 号")
        case = street.report(by=who, category=chance.choice(["road", "charging"]), place=place)
        told: dict[str, Any] = {"level": chance.choice([None, None, "major"])}
        if chance.random() < 0.4:
            told |= {"status": "done", "ended_at": timestamp(street.at)}
        with street.database.begin() as conn:
            conn.execute(update(register_table).where(one.case == case).values(told))
    with street.database.begin() as conn:
        rows = conn.execute(select(register_table).order_by(one.opened_at.desc(), one.case.desc()))
        listed, people = rows.all(), directory(conn)
    for _ in range(60):
        query = Query(
            category=chance.choice(["", "road", "gas"]),
            unit=chance.choice(["", "u-other", "u-grid-1"]),
            status=chance.choice(["", "open", "closed"]), level=chance.choice(["", "", "major"]),
        )  # fmt: skip
        below = people.subtree(query.unit) if query.unit else {row.unit for row in listed}
        whole = [
            row.case for row in listed
            if query.category in ("", row.category) and row.unit in below
            and query.level in ("", row.level)
            and query.status in ("", "closed" if row.ended_at else "open")
        ]  # fmt: skip
        seen, after = list[str](), None
        while True:
            page = found(street, query, after=after, limit=3)
            seen += [case.case for case in page.cases]
            after = page.after
            if after is None:
                break
        assert seen == whole, query


@pytest.mark.parametrize("many", [0, 1000])
def test_the_open_steps_of_places_are_the_same_however_they_are_found(
    street: Street, cases: list[str], many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "MANY", many)
    street.complete(cases[1], "prepare#1", "head", {"kind": "wood", "pieces": 3})
    with street.database.begin() as conn:
        both = inbox.steps_within(conn, ["u-micro-1", "u-tingtao", "u-other"])
        one = inbox.steps_within(conn, ["u-other"])
        whole = inbox.open_steps(conn, cases)
    assert len({row.unit for row in whole}) == 3
    assert both == whole
    assert one == [row for row in whole if row.unit == "u-other"]
