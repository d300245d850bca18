"""Who did what, on both databases: what is found, for whom, and that searching is recorded."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from engine import act_search, few_cases, holding, oversight
from engine.act_search import ActQuery, ActsPage, search_acts
from engine.acts import act_table, kept, rows_of
from engine.cases import Place
from engine.casework import read_case
from engine.inquiries import (
    LASTS,
    SearchOver,
    record_acts_export,
    record_search,
    searched,
)
from engine.people import directory, name_substitute
from engine.reasons import NoReason
from engine.roster import UnknownPerson
from tests.conftest import Street, photo


def found(
    street: Street, query: ActQuery | None = None, name: str = "watch", **more: Any
) -> ActsPage:
    with street.database.begin() as conn:
        return search_acts(
            conn, query or ActQuery(), directory(conn), by=street.by(name), at=street.at, **more
        )


def told(street: Street, page: ActsPage) -> list[str]:
    """The acts as last digit of the case and type."""
    with_types = {case: street.types(case) for case, _ in page.acts}
    return [f"{case[-1]} {with_types[case][seq - 1]}" for case, seq in page.acts]


@pytest.fixture
def acts(street: Street) -> list[str]:
    """Two communities: a step in time, a case that waits, a step that came late, an urging."""
    first = street.report(by="grid")
    street.later(hours=1)
    street.complete(first, "prepare#1", "head", {"kind": "wood", "pieces": 3})
    second = street.report(by="other", place=Place("u-other", "沿河里"))
    third = street.report(by="grid")
    street.later(days=3)
    street.complete(third, "prepare#1", "head", {"kind": "wood", "pieces": 3})
    street.later(hours=1)
    street.do(oversight.urge, first, "请抓紧", by=street.by("watch"))
    return [first, second, third]


def test_every_act_of_a_person_is_a_row_and_nothing_a_machine_did(
    street: Street, acts: list[str]
) -> None:
    with street.database.begin() as conn:
        rows, case = kept(conn, acts[2]), read_case(conn, acts[2])
    assert [(row["type"], row["element"]) for row in rows] == [
        ("case.opened", "report"), ("task.claimed", "prepare"), ("task.completed", "prepare"),
    ]  # fmt: skip
    assert [row["late"] for row in rows[:2]] == [None, None]
    assert rows[2]["late"] == rows[2]["used"] - rows[2]["allowed"] > 0
    assert rows[2]["unit"] == "u-tingtao"
    assert {(row["process"], row["place"], row["confidential"]) for row in rows} == {
        ("workshop", "u-micro-1", 0)
    }
    assert rows == list(rows_of(case, street.entries(acts[2])))
    street.check()


NEWEST_FIRST = [
    "1 case.urged", "3 task.completed", "3 task.claimed", "3 case.opened", "2 case.opened",
    "1 task.completed", "1 task.claimed", "1 case.opened",
]  # fmt: skip


def test_the_newest_act_stands_first(street: Street, acts: list[str]) -> None:
    assert told(street, found(street)) == NEWEST_FIRST


@pytest.mark.parametrize(
    ("among", "few"),
    [(2000, 3000), (1, 3000), (1, 0)],
    ids=["among the newest", "by what is rare", "among all"],
)
def test_each_condition_finds_what_it_says(
    street: Street, acts: list[str], monkeypatch: pytest.MonkeyPatch, among: int, few: int
) -> None:
    monkeypatch.setattr(act_search, "AMONG", among)
    monkeypatch.setattr(few_cases, "FEW", few)
    begun = street.at - timedelta(days=3, hours=2)
    with street.database.begin() as conn:
        people = directory(conn)
        head_post = people.posts_of(street.person["head"], street.at)[0].id
    of_grid = ["3 case.opened", "1 case.opened"]
    expected = {
        ActQuery(person=street.person["grid"]): of_grid,
        ActQuery(posts=frozenset({head_post})): [
            "3 task.completed", "3 task.claimed", "1 task.completed", "1 task.claimed",
        ],
        ActQuery(units=frozenset({"u-grid-1"})): of_grid,
        ActQuery(within=frozenset({"u-other"})): ["2 case.opened"],
        ActQuery(types=frozenset({"case.urged", "case.supervised"})): ["1 case.urged"],
        ActQuery(elements=frozenset({"prepare"}), types=frozenset({"task.completed"})): [
            "3 task.completed", "1 task.completed",
        ],
        ActQuery(elements=frozenset({"report"})): [
            "3 case.opened", "2 case.opened", "1 case.opened",
        ],
        ActQuery(elements=frozenset({"nobody_did_it"})): [],
        ActQuery(types=frozenset({"case.urged"}), until=begun): [],
        ActQuery(process="workshop"): NEWEST_FIRST,
        ActQuery(process="hazard"): [],
        ActQuery(late=True): ["3 task.completed"],
        ActQuery(in_time=True): ["1 task.completed"],
        ActQuery(since=begun, until=begun + timedelta(hours=1)): ["1 case.opened"],
        ActQuery(since=begun + timedelta(days=2)): NEWEST_FIRST[:3],
        ActQuery(posts=frozenset()): [],
    }  # fmt: skip
    for query, wanted in expected.items():
        assert told(street, found(street, query)) == wanted, query


def test_what_was_done_for_somebody_absent_is_found_under_both(street: Street) -> None:
    street.do(
        name_substitute, street.person["head"], street.person["other"], reason="请假",
        start=street.at, end=street.at + timedelta(days=2), by=street.by("head"),
    )  # fmt: skip
    street.later(minutes=5)
    case = street.report(by="grid")
    by = street.by("other", on_behalf_of=street.person["head"])
    street.do(holding.claim_task, case, "prepare#1", by=by)
    for name in ("head", "other"):
        assert "1 task.claimed" in told(street, found(street, ActQuery(street.person[name])))
    street.check()


def test_acts_of_a_person_are_found_by_indexes_and_not_by_reading_all(
    sqlite_street: Street,
) -> None:
    assert read_by(
        sqlite_street, "on_behalf_of", lambda street: ActQuery(street.person["head"])
    ) == [
        "SEARCH act USING INDEX act_by_person (person=?)",
        "SEARCH act USING INDEX act_by_absent (on_behalf_of=?)",
    ]


@pytest.mark.parametrize("counted", [False, True], ids=["", "counted"])
def test_what_was_late_is_found_by_its_index_and_not_by_reading_all(
    sqlite_street: Street, *, counted: bool
) -> None:
    assert read_by(sqlite_street, "late > 0", lambda _: ActQuery(late=True), counted=counted) == [
        "SCAN act USING INDEX act_by_lateness"
    ]


def test_a_step_that_few_did_is_found_by_its_index(
    sqlite_street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(act_search, "AMONG", 1)
    assert read_by(
        sqlite_street, "act.element IN", lambda _: ActQuery(elements=frozenset({"nobody_did_it"}))
    ) == ["SEARCH act USING COVERING INDEX act_by_element (element=?)"]


@pytest.mark.parametrize("counted", [False, True], ids=["", "counted"])
def test_acts_of_a_common_step_are_read_by_time(
    sqlite_street: Street, monkeypatch: pytest.MonkeyPatch, *, counted: bool
) -> None:
    monkeypatch.setattr(act_search, "AMONG", 1)
    monkeypatch.setattr(few_cases, "FEW", 0)
    common = ActQuery(elements=frozenset({"prepare"}), in_time=True, until=sqlite_street.at)
    assert read_by(sqlite_street, "act.late = ?", lambda _: common, counted=counted) == [
        "SEARCH act USING INDEX act_by_time (at<?)"
    ]


def read_by(
    street: Street, told: str, query: Callable[[Street], ActQuery], *, counted: bool = True
) -> list[str]:
    """How SQLite reads acts for a search whose statement tells this; counted: after ANALYZE."""
    case = street.report()
    street.complete(case, "prepare#1", "head", {"kind": "wood", "pieces": 3})
    with street.database.begin() as conn:
        row = conn.execute(act_table.select()).mappings().first()
        assert row
        others = [
            dict(row) | {"seq": n, "person": f"p-x{n}", "late": n // 1399}
            for n in range(1000, 1400)
        ]
        conn.execute(act_table.insert(), others)
    asked: list[tuple[str, Any]] = []

    def hear(_conn: Any, _cursor: Any, sql: str, parameters: Any, *_: Any) -> None:
        if told in sql:
            asked.append((sql, parameters))

    if counted:
        with street.database.begin() as conn:
            conn.exec_driver_sql("ANALYZE")
    event.listen(street.database, "before_cursor_execute", hear)
    found(street, query(street))
    event.remove(street.database, "before_cursor_execute", hear)
    ((sql, parameters),) = asked
    with street.database.begin() as conn:
        plan = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters).all()
    return [row.detail for row in plan if " act " in row.detail]


def test_nobody_finds_acts_of_cases_they_may_not_see(street: Street, acts: list[str]) -> None:
    assert {case for case, _ in found(street, name="head").acts} == {acts[0], acts[2]}
    assert {case for case, _ in found(street, name="other").acts} == {acts[1]}
    assert found(street, name="fixer").acts == ()
    assert found(street, ActQuery(person=street.person["head"]), name="other").acts == ()


def test_pages_continue_where_the_last_one_ended_whatever_was_done_meanwhile(
    street: Street, acts: list[str]
) -> None:
    seen, after = [], None
    while True:
        page = found(street, limit=2, after=after)
        street.later(minutes=1)
        street.do(oversight.urge, acts[1], "请抓紧", by=street.by("watch"))
        seen += told(street, page)
        after = page.after
        if after is None:
            break
    assert seen == NEWEST_FIRST
    assert len(found(street, limit=20, after="nonsense").acts) == len(NEWEST_FIRST) + 4


def test_acts_of_the_same_instant_are_neither_lost_nor_shown_twice(street: Street) -> None:
    for _ in range(5):
        street.report(by="head")
    seen: list[tuple[str, int]] = []
    after = None
    while True:
        page = found(street, limit=2, after=after)
        seen += page.acts
        after = page.after
        if after is None:
            break
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == 5


def test_an_act_with_files_and_one_that_ends_the_case_are_found(street: Street) -> None:
    case = street.report(by="grid")
    street.complete(case, "prepare#1", "head", {"kind": "wood", "pieces": 3})
    street.complete(case, "make#1", "grid", {"what": "拆除"}, evidence=[photo()])
    assert (case, street.entries(case)[-1].seq) not in found(street).acts
    assert told(street, found(street))[0] == "1 task.completed"
    street.check()


# --- looking somebody up --------------------------------------------------------------------------


def test_a_search_by_person_is_on_the_record_and_covers_its_pages(street: Street) -> None:
    number = street.do(record_search, street.person["head"], by=street.by("watch"))
    entry = street.entries("@access")[number - 1]
    assert (entry.type, entry.data) == ("person.searched", {"of": street.person["head"]})
    assert entry.actor["person"] == street.person["watch"]
    street.later(hours=1)
    assert street.do(searched, number, by=street.by("watch")) == street.person["head"]
    street.check()


def test_the_record_of_a_search_serves_nobody_else_and_not_for_ever(street: Street) -> None:
    number = street.do(record_search, street.person["head"], by=street.by("watch"))
    for name, of in (("leader", number), ("watch", number + 1), ("watch", 0)):
        with pytest.raises(SearchOver, match="再查一次") as refused:
            street.do(searched, of, by=street.by(name))
        assert "Search again" in refused.value.english
    street.at += LASTS + timedelta(minutes=1)
    with pytest.raises(SearchOver):
        street.do(searched, number, by=street.by("watch"))


def test_nobody_unknown_is_searched(street: Street) -> None:
    with pytest.raises(UnknownPerson, match="p-9999"):
        street.do(record_search, "p-9999", by=street.by("watch"))
    assert street.entries("@access") == []


def test_an_export_of_acts_is_on_the_record_with_its_purpose(street: Street) -> None:
    more = {"rows": 2, "sha256": "a" * 64, "by": street.by("watch")}
    head = street.person["head"]
    street.do(record_acts_export, purpose=" 季度督查 ", person=head, **more)
    street.do(record_acts_export, purpose="季度督查", person=None, **more)
    with pytest.raises(NoReason, match="用途"):
        street.do(record_acts_export, purpose=" ", person=None, **more)
    first, second = street.entries("@access")
    assert first.data == {"rows": 2, "sha256": "a" * 64, "purpose": "季度督查", "of": head}
    assert "of" not in second.data
    street.check()
