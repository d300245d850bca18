"""The register of units and people: who may act, who held a post, and that the log says so."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from threading import Barrier
from time import sleep
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, delete, select, update

from audit import log
from audit.chain import Problem
from engine import people, roster
from engine.database import reading
from engine.directory import DUTIES, Authority, Directory, Post, UnknownUnit
from engine.errors import BadInput
from engine.people import (
    BadPeriod,
    BadUnit,
    By,
    LastAdministrator,
    NotAdministrator,
    StillInUse,
    actor,
    close_unit,
    correct_name,
    create_unit,
    directory,
    end_post,
    end_substitute,
    grant_post,
    name_substitute,
    rebuild_directory,
    register_person,
    rename_unit,
)
from engine.roster import UnknownPerson, UnknownPost, swapped_names

MONDAY = datetime.fromisoformat("2026-03-09T10:00+08:00").astimezone(UTC)
DAY = timedelta(days=1)
CHEN = By("p-chen")


@pytest.fixture
def conn(bare: Engine) -> Iterator[Connection]:
    """听澜街道 registered, and one transaction in which the log is checked at the end."""
    with bare.begin() as conn:
        _settle(conn)
    with bare.begin() as conn:
        yield conn
        streams = log.streams(conn)
        checked = [found for s in streams for found in log.check(conn, s, log=log.origin(conn))]
        assert [found for found in checked if isinstance(found, Problem)] == []


def _settle(conn: Connection) -> None:
    """听澜街道 with two communities; 陈 administers, 李 heads a community, 王 has no post."""
    at = MONDAY
    for unit, kind, name, parent in [
        ("u-nanyu", "district", "南屿区", None),
        ("u-tinglan", "street", "听澜街道", "u-nanyu"),
        ("u-tingtao", "community", "听涛社区", "u-tinglan"),
        ("u-tinghe", "community", "听荷社区", "u-tinglan"),
        ("u-tingtao-1", "general_grid", "听涛第一网格", "u-tingtao"),
        ("u-tingtao-1-1", "micro_grid", "听涛苑1栋", "u-tingtao-1"),
        ("u-fire", "department", "消防", "u-tinglan"),
    ]:
        create_unit(conn, unit, kind, name, parent=parent, by=None, at=at)
    for person, name in [("p-chen", "陈演示"), ("p-li", "李演示"), ("p-wang", "王演示")]:
        register_person(conn, name, person=person, salt=person.encode(), by=None, at=at)
    _grant(conn, "p-chen", "u-tinglan", "系统管理员", "administer", by=None)
    _grant(conn, "p-li", "u-tingtao", "社区网格长", "confirm", "report", post="k-li")


def _grant(conn: Connection, person: str, unit: str, title: str, *duties: str, **more: Any) -> Post:
    given = {"reason": "任命", "by": CHEN, "at": MONDAY, **more}
    return grant_post(conn, person, unit, title, duties, **given)


def _last(conn: Connection, stream: str) -> Any:
    return log.read(conn, stream)[-1]


# --- the tree -----------------------------------------------------------------------------------


def test_a_new_unit_and_its_event_come_together(conn: Connection) -> None:
    unit = create_unit(conn, "u-gas", "company", "燃气公司", parent="u-nanyu", by=CHEN, at=MONDAY)
    assert directory(conn).unit("u-gas") == unit
    entry = _last(conn, "@units")
    assert entry.type == "unit.created"
    assert entry.data == {
        "unit": "u-gas",
        "kind": "company",
        "name": "燃气公司",
        "parent": "u-nanyu",
        "from": "2026-03-09T02:00:00.000Z",
    }
    assert entry.actor == {
        "person": "p-chen",
        "post": "k-0004",
        "unit": "u-tinglan",
        "capacity": "administer",
        "channel": "web",
    }


def test_the_tree_is_walked_up_and_down(conn: Connection) -> None:
    known = directory(conn)
    assert known.ancestors("u-tingtao-1") == ("u-tingtao", "u-tinglan", "u-nanyu")
    assert known.path("u-tingtao-1") == ("u-tingtao-1", "u-tingtao", "u-tinglan")
    assert known.path("u-tinglan") == ("u-tinglan",)
    assert known.path("u-nanyu") == ("u-nanyu",)
    assert known.within("u-tingtao-1-1", "u-tingtao")
    assert known.within("u-tingtao", "u-tingtao")
    assert not known.within("u-tinglan", "u-tingtao")
    assert known.subtree("u-tingtao") == {"u-tingtao", "u-tingtao-1", "u-tingtao-1-1"}
    assert known.communities("u-tinglan", MONDAY) == ("u-tinghe", "u-tingtao")
    assert known.communities("u-tinglan", MONDAY - DAY) == ()


def test_a_street_acts_by_its_departments_and_not_by_its_communities(conn: Connection) -> None:
    assert directory(conn).offices(["u-tinglan"]) == {"u-tinglan", "u-fire"}
    assert directory(conn).offices(["u-tingtao"]) == {"u-tingtao"}


def test_a_place_answers_the_scopes_place_and_street(conn: Connection) -> None:
    known = directory(conn)
    up = ("u-tingtao-1-1", "u-tingtao-1", "u-tingtao")
    assert known.scope_units("place", "u-tingtao-1-1") == up
    assert known.scope_units("place", "u-tinglan") == ("u-tinglan",)
    assert known.scope_units("street", "u-tingtao-1-1") == ("u-tinglan",)
    assert known.scope_units("street", "u-nanyu") == ()
    with pytest.raises(BadInput):
        known.scope_units("lot", "u-tinglan")


@pytest.mark.parametrize(
    ("kind", "parent"),
    [
        ("micro_grid", "u-tingtao"),
        ("community", None),
        ("community", "u-nanyu"),
        ("street", "u-tinglan"),
        ("department", "u-tingtao"),
        ("village", "u-tinglan"),
    ],
)
def test_a_unit_where_its_kind_does_not_belong_is_refused(
    conn: Connection, kind: str, parent: str | None
) -> None:
    with pytest.raises(BadUnit):
        create_unit(conn, "u-new", kind, "新单位", parent=parent, by=CHEN, at=MONDAY)


@pytest.mark.parametrize("unit", ["tinglan", "u-", "u-Ting", "u-听澜", "u-a b", "u-a\n"])
def test_an_id_of_another_form_is_refused(conn: Connection, unit: str) -> None:
    with pytest.raises(BadInput):
        create_unit(conn, unit, "community", "社区", parent="u-tinglan", by=CHEN, at=MONDAY)


def test_a_taken_id_an_unknown_parent_and_an_empty_name_are_refused(conn: Connection) -> None:
    with pytest.raises(BadUnit):
        create_unit(conn, "u-fire", "department", "消防", parent="u-tinglan", by=CHEN, at=MONDAY)
    with pytest.raises(UnknownUnit):
        create_unit(conn, "u-new", "community", "社区", parent="u-none", by=CHEN, at=MONDAY)
    with pytest.raises(BadInput):
        create_unit(conn, "u-new", "community", " ", parent="u-tinglan", by=CHEN, at=MONDAY)


def test_a_renamed_unit_keeps_its_id(conn: Connection) -> None:
    rename_unit(conn, "u-fire", "消防救援站", by=CHEN, at=MONDAY)
    assert directory(conn).unit("u-fire").name == "消防救援站"
    assert _last(conn, "@units").data == {"unit": "u-fire", "name": "消防救援站"}


def test_a_unit_closes_only_when_nothing_below_it_lasts_longer(conn: Connection) -> None:
    later = MONDAY + DAY
    for unit in ("u-tingtao-1", "u-tingtao"):
        with pytest.raises(StillInUse):
            close_unit(conn, unit, reason="合并", by=CHEN, at=later)
    for unit in ("u-tingtao-1-1", "u-tingtao-1"):
        close_unit(conn, unit, reason="合并", by=CHEN, at=later)
    with pytest.raises(StillInUse, match="1"):
        close_unit(conn, "u-tingtao", reason="合并", by=CHEN, at=later)
    end_post(conn, "k-li", reason="合并", by=CHEN, at=later)
    assert close_unit(conn, "u-tingtao", reason="合并", by=CHEN, at=later).until == later
    assert directory(conn).communities("u-tinglan", later) == ("u-tinghe",)
    assert directory(conn).communities("u-tinglan", MONDAY) == ("u-tinghe", "u-tingtao")
    with pytest.raises(BadPeriod):
        grant_post(conn, "p-li", "u-tingtao", "网格长", ["confirm"], reason="x", by=CHEN, at=later)


# --- persons ------------------------------------------------------------------------------------


def test_a_name_is_known_to_the_directory_and_never_enters_the_log(conn: Connection) -> None:
    person = register_person(conn, "赵演示", by=CHEN, at=MONDAY)
    assert person == "p-0004"
    assert directory(conn).name(person) == "赵演示"
    assert not [
        e for s in log.streams(conn) for e in log.read(conn, s) if "演示".encode() in e.body
    ]


def test_a_name_swapped_in_the_table_is_noticed(conn: Connection) -> None:
    names = roster.person_name_table
    assert swapped_names(conn) == []
    conn.execute(update(names).where(names.c.person == "p-li").values(name="王演示"))
    assert swapped_names(conn) == ["p-li"]


def test_a_corrected_name_is_on_the_record(conn: Connection) -> None:
    correct_name(conn, "p-li", "李演示二", by=CHEN, at=MONDAY)
    assert directory(conn).name("p-li") == "李演示二"
    assert _last(conn, "@people").type == "person.name_corrected"
    assert swapped_names(conn) == []


def test_an_erased_name_leaves_the_pseudonym(conn: Connection) -> None:
    conn.execute(delete(roster.person_name_table))
    people._directories.clear()
    assert directory(conn).name("p-li") == "p-li"
    assert swapped_names(conn) == []


def test_a_taken_person_id_is_refused(conn: Connection) -> None:
    with pytest.raises(BadInput):
        register_person(conn, "李演示", person="p-li", by=CHEN, at=MONDAY)


# --- who keeps the register ---------------------------------------------------------------------


def test_the_installation_keeps_the_register_only_until_there_is_an_administrator(
    conn: Connection,
) -> None:
    assert log.read(conn, "@units")[0].actor == {"engine": "shaoji"}
    with pytest.raises(NotAdministrator):
        register_person(conn, "赵演示", by=None, at=MONDAY)


def test_who_is_no_administrator_may_not_change_the_register(conn: Connection) -> None:
    li = By("p-li")
    for act in (
        lambda: create_unit(conn, "u-x", "department", "科", parent="u-tinglan", by=li, at=MONDAY),
        lambda: rename_unit(conn, "u-fire", "科", by=li, at=MONDAY),
        lambda: close_unit(conn, "u-fire", reason="x", by=li, at=MONDAY),
        lambda: register_person(conn, "赵", by=li, at=MONDAY),
        lambda: correct_name(conn, "p-li", "赵", by=li, at=MONDAY),
        lambda: grant_post(conn, "p-li", "u-fire", "长", ["close"], reason="x", by=li, at=MONDAY),
        lambda: end_post(conn, "k-li", reason="x", by=li, at=MONDAY),
        lambda: name_substitute(
            conn, "p-chen", "p-li", end=MONDAY + DAY, reason="x", by=li, at=MONDAY
        ),
    ):
        before = len(log.read(conn, "@units")), len(log.read(conn, "@people"))
        with pytest.raises(NotAdministrator):
            act()
        assert before == (len(log.read(conn, "@units")), len(log.read(conn, "@people")))


def test_who_stands_in_for_the_administrator_keeps_the_register_and_is_named(
    conn: Connection,
) -> None:
    name_substitute(conn, "p-chen", "p-wang", end=MONDAY + DAY, reason="出差", by=CHEN, at=MONDAY)
    register_person(conn, "赵演示", by=By("p-wang"), at=MONDAY)
    told = _last(conn, "@people").actor
    assert (told["person"], told["on_behalf_of"]) == ("p-wang", "p-chen")
    with pytest.raises(NotAdministrator):
        register_person(conn, "钱演示", by=By("p-wang"), at=MONDAY + DAY)


def test_the_last_administrator_cannot_be_ended(conn: Connection) -> None:
    with pytest.raises(LastAdministrator):
        end_post(conn, "k-0004", reason="调离", by=CHEN, at=MONDAY)
    _grant(conn, "p-wang", "u-tinglan", "管理员", "administer")
    end_post(conn, "k-0004", reason="调离", by=CHEN, at=MONDAY)
    with pytest.raises(NotAdministrator):
        register_person(conn, "赵演示", by=CHEN, at=MONDAY)


# --- posts --------------------------------------------------------------------------------------


def test_a_granted_post_gives_its_duties_in_its_unit(conn: Connection) -> None:
    found = directory(conn).authority("p-li", "confirm", {"u-tingtao", "u-tinghe"}, MONDAY)
    assert found == Authority("p-li", "k-li", "u-tingtao", "社区网格长", "confirm")


@pytest.mark.parametrize(
    ("person", "duty", "units", "at"),
    [
        ("p-li", "accept", {"u-tingtao"}, MONDAY),  # another duty
        ("p-li", "confirm", {"u-tinghe"}, MONDAY),  # another unit
        ("p-li", "confirm", {"u-tinglan"}, MONDAY),  # the unit above: posts do not spread
        ("p-li", "confirm", {"u-tingtao-1"}, MONDAY),  # nor downwards
        ("p-li", "confirm", set(), MONDAY),
        ("p-li", "confirm", {"u-tingtao"}, MONDAY - DAY),  # before the post began
        ("p-wang", "confirm", {"u-tingtao"}, MONDAY),  # no post
        ("p-none", "confirm", {"u-tingtao"}, MONDAY),
    ],
)
def test_without_the_duty_there_and_then_there_is_no_authority(
    conn: Connection, person: str, duty: str, units: set[str], at: datetime
) -> None:
    assert directory(conn).authority(person, duty, units, at) is None


def test_an_ended_post_gives_nothing_from_that_instant(conn: Connection) -> None:
    end = MONDAY + DAY
    end_post(conn, "k-li", reason="调离", end=end, by=CHEN, at=MONDAY)
    known = directory(conn)
    assert known.posts_of("p-li", end - timedelta(milliseconds=1))
    assert known.posts_of("p-li", end) == ()
    assert _last(conn, "@people").data == {
        "post": "k-li",
        "to": "2026-03-10T02:00:00.000Z",
        "reason": "调离",
    }


def test_a_post_may_begin_later(conn: Connection) -> None:
    start = MONDAY + DAY
    _grant(conn, "p-wang", "u-fire", "值班", "rectify", start=start, end=start + DAY)
    known = directory(conn)
    held = [bool(known.posts_of("p-wang", MONDAY + DAY * n)) for n in range(3)]
    assert held == [False, True, False]


def test_nobody_is_appointed_or_ended_backwards_in_time(conn: Connection) -> None:
    """Who could have acted on a past day must not change afterwards."""
    at = MONDAY + DAY
    with pytest.raises(BadPeriod):
        _grant(conn, "p-wang", "u-fire", "值班", "rectify", reason="补登", start=MONDAY, at=at)
    with pytest.raises(BadPeriod):
        end_post(conn, "k-li", reason="补登", end=MONDAY, by=CHEN, at=at)
    with pytest.raises(BadPeriod):
        _stand_in(conn, start=MONDAY, end=at + DAY, at=at)


def test_an_end_already_set_is_not_put_off(conn: Connection) -> None:
    end_post(conn, "k-li", reason="调离", end=MONDAY + DAY, by=CHEN, at=MONDAY)
    for again in (MONDAY + DAY, MONDAY + DAY * 2):
        with pytest.raises(BadPeriod):
            end_post(conn, "k-li", reason="延后", end=again, by=CHEN, at=MONDAY)


def test_a_post_needs_a_known_duty_person_unit_and_a_reason(conn: Connection) -> None:
    grant = {"reason": "任命", "by": CHEN, "at": MONDAY}
    with pytest.raises(BadInput, match="fly"):
        grant_post(conn, "p-li", "u-fire", "长", ["fly"], **grant)
    with pytest.raises(UnknownPerson):
        grant_post(conn, "p-none", "u-fire", "长", ["close"], **grant)
    with pytest.raises(UnknownUnit):
        grant_post(conn, "p-li", "u-none", "长", ["close"], **grant)
    with pytest.raises(BadInput):
        grant_post(conn, "p-li", "u-fire", "长", ["close"], **{**grant, "reason": " "})
    with pytest.raises(BadInput):
        grant_post(conn, "p-li", "u-fire", "长", ["close"], post="k-li", **grant)
    with pytest.raises(BadPeriod):
        grant_post(conn, "p-li", "u-fire", "长", ["close"], end=MONDAY, **grant)
    with pytest.raises(UnknownPost):
        end_post(conn, "k-none", reason="x", by=CHEN, at=MONDAY)


def test_every_duty_can_be_granted(conn: Connection) -> None:
    post = grant_post(conn, "p-wang", "u-tinglan", "全能", DUTIES, reason="x", by=CHEN, at=MONDAY)
    assert post.duties == set(DUTIES)


# --- substitutes --------------------------------------------------------------------------------


def _stand_in(conn: Connection, **more: Any) -> str:
    chosen = {"end": MONDAY + DAY, "reason": "产假", "by": CHEN, "at": MONDAY, **more}
    return name_substitute(conn, "p-li", "p-wang", **chosen).id


def test_a_substitute_acts_in_their_own_name_on_behalf_of_the_absent(conn: Connection) -> None:
    _stand_in(conn)
    found = directory(conn).authority("p-wang", "confirm", {"u-tingtao"}, MONDAY)
    assert found == Authority("p-wang", "k-li", "u-tingtao", "社区网格长", "confirm", "p-li")
    assert actor(found, "确认人", channel="web") == {
        "person": "p-wang",
        "post": "k-li",
        "unit": "u-tingtao",
        "capacity": "确认人",
        "on_behalf_of": "p-li",
        "channel": "web",
    }


def test_the_right_ends_with_the_period_with_the_post_and_with_the_substitution(
    conn: Connection,
) -> None:
    def right(at: datetime) -> Authority | None:
        return directory(conn).authority("p-wang", "confirm", {"u-tingtao"}, at)

    first = _stand_in(conn)
    assert right(MONDAY + DAY) is None
    hour = timedelta(hours=1)
    end_substitute(conn, first, reason="回岗", by=CHEN, at=MONDAY + hour)
    assert right(MONDAY)
    assert not right(MONDAY + hour)
    _stand_in(conn, at=MONDAY + hour)
    end_post(conn, "k-li", reason="调离", by=CHEN, at=MONDAY + 2 * hour)
    assert right(MONDAY + hour)
    assert not right(MONDAY + 2 * hour)


def test_a_substitution_may_cover_one_post_only(conn: Connection) -> None:
    _grant(conn, "p-li", "u-tinghe", "网格长", "confirm", post="k-li-2")
    _stand_in(conn, posts=["k-li-2"])
    known = directory(conn)
    assert known.authority("p-wang", "confirm", {"u-tinghe"}, MONDAY)
    assert not known.authority("p-wang", "confirm", {"u-tingtao"}, MONDAY)
    assert [t.person for t in known.who_held("u-tingtao", date(2026, 3, 9))] == ["p-li"]


def test_an_own_post_comes_before_a_substitution_unless_the_absent_is_named(
    conn: Connection,
) -> None:
    _grant(conn, "p-wang", "u-tingtao", "副网格长", "confirm")
    _stand_in(conn)
    known = directory(conn)
    own = known.authority("p-wang", "confirm", {"u-tingtao"}, MONDAY)
    lent = known.authority("p-wang", "confirm", {"u-tingtao"}, MONDAY, "p-li")
    assert own
    assert own.on_behalf_of is None
    assert lent
    assert lent.on_behalf_of == "p-li"
    assert known.authority("p-wang", "confirm", {"u-tingtao"}, MONDAY, "p-chen") is None


def test_a_substitution_is_not_passed_on(conn: Connection) -> None:
    register_person(conn, "赵演示", person="p-zhao", by=CHEN, at=MONDAY)
    _stand_in(conn)
    name_substitute(conn, "p-wang", "p-zhao", end=MONDAY + DAY, reason="x", by=CHEN, at=MONDAY)
    assert directory(conn).capacities("p-zhao", MONDAY) == ()


def test_the_absent_person_names_and_ends_their_own_substitute(conn: Connection) -> None:
    li = By("p-li", "phone")
    substitution = _stand_in(conn, by=li)
    assert _last(conn, "@people").actor == {
        "person": "p-li",
        "capacity": "absent",
        "channel": "phone",
    }
    end_substitute(conn, substitution, reason="提前回岗", by=li, at=MONDAY)
    with pytest.raises(NotAdministrator):
        end_substitute(conn, substitution, reason="x", by=By("p-wang"), at=MONDAY)


def test_a_substitution_needs_two_people_a_period_and_posts_of_the_absent(
    conn: Connection,
) -> None:
    with pytest.raises(BadInput):
        name_substitute(conn, "p-li", "p-li", end=MONDAY + DAY, reason="x", by=CHEN, at=MONDAY)
    with pytest.raises(UnknownPerson):
        name_substitute(conn, "p-li", "p-none", end=MONDAY + DAY, reason="x", by=CHEN, at=MONDAY)
    with pytest.raises(BadPeriod):
        _stand_in(conn, end=MONDAY)
    with pytest.raises(UnknownPost):
        _stand_in(conn, posts=["k-0004"])
    with pytest.raises(BadInput):
        _stand_in(conn, posts=[])
    with pytest.raises(UnknownPost):
        end_substitute(conn, "s-9999", reason="x", by=CHEN, at=MONDAY)


def test_holders_are_listed_with_their_substitutes(conn: Connection) -> None:
    _stand_in(conn)
    listed = directory(conn).holders("confirm", {"u-tingtao"}, MONDAY)
    assert [(a.person, a.on_behalf_of) for a in listed] == [("p-li", None), ("p-wang", "p-li")]
    assert directory(conn).holders("confirm", {"u-tingtao"}, MONDAY + DAY)[1:] == ()


def test_who_held_the_post_on_that_day_is_answered_long_after(conn: Connection) -> None:
    _stand_in(conn)
    end_post(conn, "k-li", reason="调离", end=MONDAY + 3 * DAY, by=CHEN, at=MONDAY)
    _grant(conn, "p-wang", "u-tingtao", "社区网格长", "confirm", start=MONDAY + 3 * DAY)
    known = directory(conn)

    def held(day: int, **which: str) -> list[tuple[str, str | None]]:
        tenures = known.who_held("u-tingtao", date(2026, 3, day), **which)
        return [(tenure.person, tenure.on_behalf_of) for tenure in tenures]

    assert held(8) == []
    assert held(9, duty="confirm") == [("p-li", None), ("p-wang", "p-li")]
    assert held(11, title="社区网格长") == [("p-li", None)]
    assert held(12) == [("p-li", None), ("p-wang", None)]  # handed over at ten o'clock
    assert held(13) == [("p-wang", None)]
    assert held(13, duty="accept") == held(13, title="书记") == []


def test_a_day_is_a_local_day(conn: Connection) -> None:
    evening = datetime.fromisoformat("2026-03-09T23:30+08:00")
    end_post(conn, "k-li", reason="调离", end=evening, by=CHEN, at=MONDAY)
    known = directory(conn)
    assert known.who_held("u-tingtao", date(2026, 3, 9))
    assert not known.who_held("u-tingtao", date(2026, 3, 10))
    assert known.who_held("u-tingtao", date(2026, 3, 10), zone="Asia/Tokyo")


# --- cache and rebuild --------------------------------------------------------------------------


def test_the_directory_is_read_once_and_again_after_a_change(conn: Connection) -> None:
    first = directory(conn)
    assert directory(conn) is first
    rename_unit(conn, "u-fire", "消防站", by=CHEN, at=MONDAY)
    assert directory(conn) is not first
    assert first.unit("u-fire").name == "消防"


def test_what_was_rolled_back_is_forgotten_even_if_another_event_took_its_number(
    conn: Connection,
) -> None:
    attempt = conn.begin_nested()
    rename_unit(conn, "u-fire", "没有发生", by=CHEN, at=MONDAY)
    assert directory(conn).unit("u-fire").name == "没有发生"
    attempt.rollback()
    assert directory(conn).unit("u-fire").name == "消防"
    rename_unit(conn, "u-fire", "消防站", by=CHEN, at=MONDAY)
    assert directory(conn).unit("u-fire").name == "消防站"


def test_the_projections_can_be_thrown_away_and_rebuilt_from_the_log(conn: Connection) -> None:
    ended = _stand_in(conn, posts=["k-li"])
    end_substitute(conn, ended, reason="回岗", by=CHEN, at=MONDAY + timedelta(hours=1))
    later = MONDAY + timedelta(hours=2)
    _stand_in(conn, at=later)
    correct_name(conn, "p-li", "李演示二", by=CHEN, at=later)
    rename_unit(conn, "u-fire", "消防站", by=CHEN, at=later)
    end_post(conn, "k-li", reason="调离", by=CHEN, at=later)
    close_unit(conn, "u-fire", reason="撤销", by=CHEN, at=later)
    before = _tables(conn)
    known = directory(conn)
    for table in (roster.unit_table, roster.post_table):
        conn.execute(update(table).values(until=None))
    rebuild_directory(conn)
    assert _tables(conn) == before
    people._directories.clear()
    rebuilt = directory(conn)
    assert rebuilt is not known
    assert rebuilt == known


def _tables(conn: Connection) -> list[list[Any]]:
    kept = ("unit", "person", "person_name", "post", "substitution")
    tables = [log.metadata.tables[name] for name in kept]
    return [sorted(conn.execute(select(table)).all(), key=repr) for table in tables]


def test_an_empty_register_answers_with_nothing(bare: Engine) -> None:
    with bare.begin() as conn:
        nothing: Directory = directory(conn)
    assert (nothing.units, nothing.posts, nothing.names) == ({}, {}, {})
    assert nothing.authority("p-li", "confirm", None, MONDAY) is None
    with pytest.raises(UnknownUnit):
        nothing.path("u-none")


def test_posts_are_found_by_unit_and_duty_as_if_all_were_walked_through(conn: Connection) -> None:
    for number, unit in enumerate(("u-tingtao", "u-tinglan", "u-tingtao")):
        person = register_person(conn, f"演示{number}", by=CHEN, at=MONDAY)
        grant_post(conn, person, unit, "网格员", ["report", "confirm"][: number + 1],
                   reason="到任", by=CHEN, at=MONDAY)  # fmt: skip
    register = directory(conn)
    known = list(register.posts.values())
    for units in ({"u-tingtao"}, {"u-tinglan"}, set(register.units), set[str](), {"u-nowhere"}):
        assert register.posts_in(units) == [one for one in known if one.unit in units]
        for duty in ("report", "confirm", "administer", "approve"):
            wanted = [one for one in known if one.unit in units and duty in one.duties]
            assert register.posts_in(units, duty) == wanted
    for duties in ({"report"}, {"report", "administer"}, {"approve"}):
        assert register.posts_with(duties) == [one for one in known if one.duties & duties]
    for person in {one.person for one in known}:
        assert register.posts_ever(person) == tuple(p for p in known if p.person == person)


def test_what_many_posts_say_alike_is_kept_once(conn: Connection) -> None:
    for number in range(2):
        person = register_person(conn, f"演示{number}", by=CHEN, at=MONDAY)
        grant_post(conn, person, "u-tingtao", "网格员", ["report"], reason="到任", by=CHEN,
                   at=MONDAY)  # fmt: skip
    one, other = (p for p in directory(conn).posts.values() if p.title == "网格员")
    assert one.id != other.id
    assert [getattr(one, name) is getattr(other, name)
            for name in ("unit", "title", "duties", "since")] == [True] * 4  # fmt: skip
    assert any(name is one.person for name in directory(conn).names)


def test_one_thread_reads_a_changed_register_and_the_others_wait_for_it(
    bare: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bare.begin() as conn:
        _settle(conn)
    reads, begin = [], Barrier(6)
    read = roster.read_directory

    def slowly(conn: Connection) -> Directory:
        reads.append(1)
        sleep(0.2)
        return read(conn)

    def ask(_: int) -> Directory:
        with reading(bare).begin() as conn:
            begin.wait()
            return directory(conn)

    monkeypatch.setattr(people, "_directories", {})
    monkeypatch.setattr(roster, "read_directory", slowly)
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(ask, range(6)))
    assert len(reads) == 1
    assert all(one is found[0] for one in found)


# --- kept up with ---------------------------------------------------------------------------------


def _caught_up(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> Directory:
    """The directory as a process that knew the one before keeps up with it, reading no register."""

    def unread(_: Connection) -> Directory:
        raise AssertionError("the whole register is read again")

    with monkeypatch.context() as patched:
        patched.setattr(roster, "read_directory", unread)
        return directory(conn)


def _say(one: Directory) -> list[Any]:
    """A directory with the order of all it tells, but for the names."""
    told = [getattr(one, field.name) for field in fields(one) if field.name != "names"]
    return [list(each.items()) if isinstance(each, dict) else each for each in told] + [one.names]


def test_each_change_of_the_register_is_put_in_as_if_all_were_read_again(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory(conn)
    at = MONDAY + timedelta(hours=1)

    def then() -> datetime:
        nonlocal at
        at += timedelta(minutes=1)
        return at

    changes: list[Callable[[], object]] = [
        lambda: create_unit(conn, "u-nine", "general_grid", "九格", parent="u-tingtao", by=CHEN,
                            at=then()),
        lambda: create_unit(conn, "u-law", "department", "执法队", parent="u-tinglan", by=CHEN,
                            at=then()),
        lambda: register_person(conn, "九演示", person="p-nine", by=CHEN, at=then()),
        lambda: grant_post(conn, "p-nine", "u-nine", "网格员", ["report", "rectify"],
                           post="k-nine", reason="到任", by=CHEN, at=then()),
        lambda: grant_post(conn, "p-nine", "u-law", "队员", ["respond"], post="k-law",
                           reason="兼任", by=CHEN, at=then()),
        lambda: rename_unit(conn, "u-nine", "第九网格", by=CHEN, at=then()),
        lambda: correct_name(conn, "p-nine", "玖演示", by=CHEN, at=then()),
        lambda: _stand_in(conn, at=then()),
        lambda: end_post(conn, "k-law", reason="卸任", by=CHEN, at=then()),
        lambda: end_post(conn, "k-nine", reason="调离", by=CHEN, at=then()),
        lambda: close_unit(conn, "u-nine", reason="撤销", by=CHEN, at=then()),
    ]  # fmt: skip
    for change in changes:
        change()
        found = _caught_up(conn, monkeypatch)
        assert _say(found) == _say(roster.read_directory(conn))
    # Several at once as well, and nothing that was known meanwhile has changed itself.
    before = directory(conn)
    told = _say(before)
    rename_unit(conn, "u-law", "综合执法队", by=CHEN, at=then())
    register_person(conn, "十演示", person="p-ten", by=CHEN, at=then())
    grant_post(conn, "p-ten", "u-law", "队员", ["respond"], reason="到任", by=CHEN, at=then())
    assert _say(_caught_up(conn, monkeypatch)) == _say(roster.read_directory(conn))
    assert _say(before) == told


def test_what_would_not_stand_last_is_read_with_all_the_rest(conn: Connection) -> None:
    at = MONDAY + DAY
    register_person(conn, "演示", person="p-nine", by=CHEN, at=at)
    grant: dict[str, Any] = {"reason": "到任", "by": CHEN, "at": at}
    grant_post(conn, "p-nine", "u-tingtao", "预定", ["report"], start=at + 9 * DAY, **grant)
    directory(conn)
    grant_post(conn, "p-nine", "u-tingtao", "网格员", ["report"], **grant)
    assert _say(directory(conn)) == _say(roster.read_directory(conn))


def test_a_register_of_a_transaction_that_was_rolled_back_is_not_kept_up_with(
    bare: Engine,
) -> None:
    with bare.begin() as conn:
        _settle(conn)
    with bare.connect() as attempt:
        rename_unit(attempt, "u-tingtao", "没有成的名字", by=CHEN, at=MONDAY)
        assert directory(attempt).unit("u-tingtao").name == "没有成的名字"
        attempt.rollback()
    with bare.begin() as conn:
        rename_unit(conn, "u-fire", "消防站", by=CHEN, at=MONDAY)
        rename_unit(conn, "u-fire", "消防救援站", by=CHEN, at=MONDAY)
        assert _say(directory(conn)) == _say(roster.read_directory(conn))
        assert directory(conn).unit("u-tingtao").name == "听涛社区"


def test_an_erased_name_is_gone_with_the_next_change(conn: Connection) -> None:
    assert "p-li" in directory(conn).names
    named = roster.person_name_table
    conn.execute(delete(named).where(named.c.person == "p-li"))
    rename_unit(conn, "u-tingtao", "听涛", by=CHEN, at=MONDAY)
    assert "p-li" not in directory(conn).names
