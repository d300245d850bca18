"""Who may see a case: a part in it, a duty over its place, or a step that waits for one's duty."""

from datetime import timedelta

import pytest

from engine.casework import read_case
from engine.holding import delegate_task
from engine.people import (
    By,
    create_unit,
    directory,
    end_post,
    grant_post,
    name_substitute,
    register_person,
)
from engine.rights import NotYoursToSee, check_may_see, may_see, places_seen, watches
from tests.conftest import Street


@pytest.fixture
def street(sqlite_street: Street) -> Street:
    """Rights ask no database: one is enough."""
    return sqlite_street


def sees(street: Street, case: str, name: str) -> bool:
    with street.database.begin() as conn:
        return may_see(read_case(conn, case), directory(conn), street.by(name), street.at)


def test_a_duty_over_the_place_sees_the_case_and_one_beside_it_does_not(street: Street) -> None:
    case = street.report()
    assert {name for name in street.person if sees(street, case, name)} == {
        "grid", "head", "head2", "review", "dispatch", "accept", "accept2", "close", "leader",
        "watch",
    }  # fmt: skip


def test_a_company_sees_a_case_once_it_has_a_part_in_it(street: Street) -> None:
    case = street.report(by="fixer")
    assert sees(street, case, "fixer")
    assert not sees(street, case, "fixer2")


def test_whoever_holds_a_step_sees_its_case(street: Street) -> None:
    case = street.report()
    street.do(
        grant_post, street.person["other"], "u-tingtao", "帮办", ["rectify"],
        reason="借调", end=street.at + timedelta(days=1), by=None,
    )  # fmt: skip
    from engine.holding import claim_task

    street.do(claim_task, case, "prepare#1", by=street.by("grid"))
    street.do(
        delegate_task, case, "prepare#1", street.person["other"], "请代办", by=street.by("grid")
    )
    street.later(days=2)
    assert sees(street, case, "other")


def test_an_administrator_sees_no_case_by_being_one(street: Street) -> None:
    case = street.report()
    admin = street.do(register_person, "管理", by=None)
    street.do(grant_post, admin, "u-street", "管理员", ["administer"], reason="建库", by=None)
    with street.database.begin() as conn:
        state, people = read_case(conn, case), directory(conn)
        assert not may_see(state, people, By(admin), street.at)
        assert watches(people, By(admin), street.at)
        assert places_seen(people, By(admin), street.at) == frozenset()
        with pytest.raises(NotYoursToSee):
            check_may_see(state, people, By(admin), street.at)


def test_a_substitute_sees_what_the_absent_person_sees_and_only_meanwhile(street: Street) -> None:
    case = street.report(by="fixer")
    street.do(
        name_substitute, street.person["fixer"], street.person["fixer2"],
        end=street.at + timedelta(days=1), reason="休假", by=street.by("fixer"),
    )  # fmt: skip
    assert sees(street, case, "fixer2")
    street.later(days=1)
    assert not sees(street, case, "fixer2")


def test_whoever_left_the_post_keeps_only_the_cases_they_had_a_part_in(street: Street) -> None:
    mine, other = street.report(by="head"), street.report()
    street.do(
        grant_post, street.person["leader"], "u-street", "管理员", ["administer"],
        reason="建库", by=None,
    )  # fmt: skip
    with street.database.begin() as conn:
        post = directory(conn).posts_of(street.person["head"], street.at)[0].id
    street.do(end_post, post, reason="调离", by=street.by("leader"))
    assert sees(street, mine, "head")
    assert not sees(street, other, "head")


def test_the_places_of_a_post_are_its_unit_and_all_below(street: Street) -> None:
    with street.database.begin() as conn:
        people = directory(conn)
        assert places_seen(people, street.by("head"), street.at) == {
            "u-tingtao", "u-grid-1", "u-micro-1",
        }  # fmt: skip
        assert "u-other" in places_seen(people, street.by("watch"), street.at)
        assert not watches(people, street.by("head"), street.at)


def test_an_office_of_the_street_sees_the_streets_cases_and_a_line_department_its_own(
    street: Street,
) -> None:
    case = street.report()
    made = {}
    with street.database.begin() as conn:
        for unit, duty in (("u-office", "dispatch"), ("u-line", "rectify")):
            create_unit(conn, unit, "department", unit, parent="u-street", by=None, at=street.at)
            made[unit] = register_person(conn, f"{unit}演示", by=None, at=street.at)
            grant_post(conn, made[unit], unit, "岗位", [duty], reason="到任", by=None, at=street.at)
    with street.database.begin() as conn:
        state, people = read_case(conn, case), directory(conn)
    assert may_see(state, people, By(made["u-office"]), street.at)
    assert not may_see(state, people, By(made["u-line"]), street.at)
    assert "u-micro-1" in places_seen(people, By(made["u-office"]), street.at)
    assert "u-micro-1" not in places_seen(people, By(made["u-line"]), street.at)
