"""A city's people: what a page looks through of their register does not grow with it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from sqlalchemy import Connection, or_, select

from engine import people
from engine.database import reading
from engine.directory import Directory
from engine.inbox import InboxRow, _may_answer, _rows, _states, claimable_by, duties_of
from engine.inbox import open_task_table as step
from engine.people import By, directory, grant_post, register_person
from engine.register import GUARDED
from tests.conftest import NOON, Street
from tests.web.conftest import Visitor
from tests.web.demo_street import Built
from tests.web.paths import confirmed, reported
from web import records
from web.demo import END

MANY = 60


@dataclass
class Looked:
    """How many posts were looked at one after the other."""

    count: int = 0


class Group(tuple[Any, ...]):  # noqa: SLOT001 - it has to say to whom it counts
    """Posts that count who walks through them."""

    looked: Looked

    def __iter__(self) -> Iterator[Any]:
        self.looked.count += len(self)
        return super().__iter__()


class Posts(dict[str, Any]):
    """All posts, by id; to look one up is no walk."""

    looked: Looked

    def values(self) -> Any:
        self.looked.count += len(self)
        return super().values()

    def __iter__(self) -> Iterator[str]:
        self.looked.count += len(self)
        return super().__iter__()


def watched(known: Directory, looked: Looked) -> Directory:
    """The same register, counting."""

    def group(told: tuple[Any, ...]) -> Group:
        made = Group(told)
        made.looked = looked
        return made

    posts = Posts(known.posts)
    posts.looked = looked
    indexes: dict[str, Mapping[str, Group]] = {
        one.name: {key: group(told) for key, told in getattr(known, one.name).items()}
        for one in fields(known)
        if one.name in ("_by_person", "_by_duty", "_by_unit")
    }
    return replace(known, posts=posts, **indexes)


def looked_at(street: Street, visitor: Visitor, path: str) -> int:
    """How many posts this page looks at."""
    with reading(street.database).begin() as conn:
        directory(conn)
    url, looked = street.database.url, Looked()
    told = people._directories[url]
    made = watched(told.directory, looked)
    people._directories[url] = told._replace(directory=made)
    records.names(made)  # gathered once for each state of the register
    looked.count = 0
    answer = visitor.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    assert people._directories[url].directory is made
    people._directories[url] = told
    return looked.count


def settle(conn: Connection, unit: str, count: int, by: By) -> None:
    """So many more people with a post in this unit."""
    for number in range(count):
        person = register_person(conn, f"演示{number}", by=by, at=NOON)
        grant_post(conn, person, unit, "网格员", ["report", "confirm", "patrol"], reason="到任",
                   by=by, at=NOON)  # fmt: skip


def test_a_page_looks_at_no_more_posts_when_people_come_elsewhere(
    web_street: Street, signed_in: Callable[[str], Visitor]
) -> None:
    case = confirmed(web_street)
    mine = reported(web_street)
    pages = [
        ("head", "/inbox"), ("head", "/inbox/claimable"), ("head", "/inbox/overdue"),
        ("head", "/inbox/orders"), ("head", "/begin"), ("head", "/reports"), ("head", "/cases"),
        ("head", f"/cases/{mine}"), ("head", f"/cases/{mine}/tasks/confirm%231"),
        ("dispatch", "/inbox"), ("dispatch", f"/cases/{case}/tasks/assign%231"),
        ("grid", "/inbox"), ("grid", "/inbox/started"), ("leader", "/inbox"),
    ]  # fmt: skip
    visitors = {name: signed_in(name) for name in {name for name, _ in pages}}
    before = [looked_at(web_street, visitors[name], path) for name, path in pages]
    with web_street.database.begin() as conn:
        settle(conn, "u-other", MANY, web_street.by("admin"))
    after = [looked_at(web_street, visitors[name], path) for name, path in pages]
    grown = {page: (one, other)
             for page, one, other in zip(pages, before, after, strict=True)
             if other > one}  # fmt: skip
    assert grown == {}


def test_the_probe_notices_a_walk(web_street: Street, signed_in: Callable[[str], Visitor]) -> None:
    """The page of all people of the register, which administrators have, does walk."""
    admin = signed_in("admin")
    before = looked_at(web_street, admin, "/admin/people")
    with web_street.database.begin() as conn:
        settle(conn, "u-other", MANY, web_street.by("admin"))
    assert looked_at(web_street, admin, "/admin/people") >= before + MANY


# --- what may be claimed, found by the index ------------------------------------------------------


def by_every_step(conn: Connection, register: Directory, person: str) -> list[InboxRow]:
    """What somebody may claim, looked for among all open steps and not by their unit."""
    choices = [
        (step.c.duty == duty)
        & or_(*(step.c.units.contains(f"|{unit}|", autoescape=True) for unit in units), GUARDED)
        for duty, units in duties_of(register, person, END).items()
    ]
    if not choices:
        return []
    free = _rows(conn, step.c.holder.is_(None) & or_(*choices), 200)
    states = _states(conn, {row.case for row in free if row.guarded})
    return [
        row for row in free
        if not row.guarded or _may_answer(states[row.case], row, register, person, END)
    ]  # fmt: skip


def test_what_may_be_claimed_is_what_a_look_at_every_open_step_finds(built: Built) -> None:
    with reading(built.database).begin() as conn:
        register = directory(conn)
        persons = sorted({post.person for post in register.posts.values()})
        found = {one: claimable_by(conn, register, one, END) for one in persons}
        assert found == {one: by_every_step(conn, register, one) for one in persons}
        told = [row for rows in found.values() for row in rows]
    # Steps for a place, for an office and of guarded cases are among them.
    assert {len(row.units) > 1 for row in told} == {True, False}
    assert any(row.guarded for row in told)


def test_the_first_of_a_steps_units_lies_at_or_below_the_others(built: Built) -> None:
    with reading(built.database).begin() as conn:
        register = directory(conn)
        rows = conn.execute(select(step.c.unit, step.c.units)).all()
    assert len(rows) > 20
    for first, units in rows:
        named = units.strip("|").split("|")
        assert named[0] == first
        assert all(register.within(first, one) for one in named)
