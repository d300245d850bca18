"""Parts of texts found by the index of texts: exactly what reading every text finds."""

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, text, update

from engine.case_texts import BYTES, beginnings, case_text_table, pieces
from engine.cases import Place
from engine.people import directory
from engine.rebuild import rebuild
from engine.register import list_texts, register_table
from engine.rights import places_seen
from engine.search import Query, search
from engine.text_search import all_listed
from tests.conftest import Street

# Few, so that what is looked for often is there; what LIKE takes for itself; what it takes for the
# same on one database and not on the other; letters of one, two, three and four bytes.
LETTERS = "车棚飞线充电楼道3Aaé%_/\\' 号Ж𠮷"
TEXTS = st.text(alphabet=LETTERS, min_size=1, max_size=24)


@given(whole=TEXTS, inside=st.data())
def test_what_stands_in_a_text_has_pieces_that_something_in_it_begins_with(
    whole: str, inside: st.DataObject
) -> None:
    first = inside.draw(st.integers(0, len(whole) - 1))
    last = inside.draw(st.integers(first + 1, len(whole)))
    kept = beginnings([whole])
    assert all(len(one) <= BYTES for one in kept)
    for piece in pieces(whole[first:last]):
        assert any(one.startswith(piece) for one in kept)


def test_a_long_text_is_looked_for_by_its_end_too_where_a_number_tells_it_from_others() -> None:
    assert [piece.decode() for piece in pieces("车棚飞线充电 1234")] == [
        "车棚飞线", "棚飞线充", "飞线充电", "线充电 12", "充电 1234",
    ]  # fmt: skip
    assert [piece.decode() for piece in pieces("充电 1234")] == ["充电 1234"]


def told(chance: random.Random, most: int) -> str:
    return "".join(chance.choice(LETTERS) for _ in range(chance.randint(1, most))).strip() or "楼"


@pytest.fixture
def many(street: Street) -> Iterator[Street]:
    """Forty cases on a dozen days, in two communities; some on one day, some months apart."""
    chance = random.Random(11)
    for number in range(40):
        where, who = [("u-micro-1", "grid"), ("u-other", "other")][chance.randrange(2)]
        street.report(by=who, title=told(chance, 20), place=Place(where, told(chance, 20)))
        if number % 3 == 0:
            street.later(days=chance.choice((0, 1, 1, 30, 90)), minutes=1)
    yield street
    street.check()


def found(street: Street, query: Query, name: str, limit: int) -> list[str]:
    """The cases of all pages, in their order."""
    names: list[str] = []
    after: str | None = None
    with street.database.begin() as conn:
        places = places_seen(directory(conn), street.by(name), street.at)
        while True:
            page = search(
                conn, query, person=street.person[name], places=places, at=street.at,
                after=after, limit=limit,
            )  # fmt: skip
            names += [one.case for one in page.cases]
            after = page.after
            if after is None:
                return names


PLAIN = text(
    'SELECT "case" FROM case_register WHERE (unit = :a OR :all) AND opened_at >= :since AND '
    "opened_at < :until AND (number LIKE :t ESCAPE '!' OR title LIKE :t ESCAPE '!' "
    "OR address LIKE :t ESCAPE '!') ORDER BY opened_at DESC, \"case\" DESC"
)


def read_through(street: Street, query: Query, name: str) -> list[str]:
    """What a plain LIKE over every text finds."""
    part = query.text.strip()
    for special in "!%_":
        part = part.replace(special, f"!{special}")
    given = {
        "t": f"%{part}%",
        "a": "u-other",
        "all": name == "watch",
        "since": query.since.isoformat() if query.since else "0",
        "until": query.until.isoformat() if query.until else "9",
    }
    with street.database.begin() as conn:
        return list(conn.execute(PLAIN, given).scalars())


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_the_same_is_found_as_by_reading_every_text(many: Street, data: st.DataObject) -> None:
    with many.database.begin() as conn:
        assert all_listed(conn)
        rows = conn.execute(
            select(register_table.c.title, register_table.c.address, register_table.c.number)
        ).all()
    # Half of what is looked for is somewhere.
    whole = data.draw(st.one_of(TEXTS, st.sampled_from([one for row in rows for one in row])))
    first = data.draw(st.integers(0, len(whole) - 1))
    last = data.draw(st.integers(first + 1, len(whole)))
    days = st.none() | st.integers(0, 400).map(lambda n: many.at - timedelta(days=n))
    query = Query(text=whole[first:last], since=data.draw(days), until=data.draw(days))
    name = data.draw(st.sampled_from(["watch", "other"]))
    if query.text.strip() in [row.number for row in rows]:
        return
    wanted = read_through(many, query, name)
    assert found(many, query, name, data.draw(st.sampled_from([1, 3, 20]))) == wanted


def kept(street: Street) -> list[Any]:
    with street.database.begin() as conn:
        query = select(case_text_table).order_by(*case_text_table.primary_key)
        return [(row.day, bytes(row.beginning), row.case) for row in conn.execute(query)]


def as_an_older_release_left_it(street: Street, cases: list[str]) -> None:
    with street.database.begin() as conn:
        conn.execute(delete(case_text_table).where(case_text_table.c.case.in_(cases)))
        register = register_table.c
        conn.execute(update(register_table).where(register.case.in_(cases)).values(texts_listed=0))


@pytest.mark.parametrize("old", [slice(0, 40), slice(5, 7), slice(39, 40)])
def test_cases_of_an_older_release_are_found_before_they_are_listed_and_after(
    many: Street, old: slice
) -> None:
    with many.database.begin() as conn:
        cases = list(conn.execute(select(register_table.c.case).order_by("case")).scalars())[old]
    before, wanted = kept(many), read_through(many, Query(text="车"), "watch")
    as_an_older_release_left_it(many, cases)
    assert kept(many) != before
    assert found(many, Query(text="车"), "watch", 3) == wanted
    with many.database.begin() as conn:
        assert not all_listed(conn)
        times = [list_texts(conn, 15) for _ in range(4)]
        assert all_listed(conn)
    assert sum(times) == len(cases)
    assert times[0] == min(15, len(cases))
    assert kept(many) == before
    assert found(many, Query(text="车"), "watch", 3) == wanted


def test_a_rebuild_lists_every_text(many: Street) -> None:
    before = kept(many)
    with many.database.begin() as conn:
        cases = list(conn.execute(select(register_table.c.case)).scalars())
    as_an_older_release_left_it(many, cases)
    with many.database.begin() as conn:
        rebuild(conn)
        assert all_listed(conn)
    assert kept(many) == before


def test_steps_write_no_texts(street: Street) -> None:
    case = street.report()
    before = kept(street)
    street.complete(case, "prepare#1", "head", {"kind": "wood", "pieces": 3})
    assert kept(street) == before
    street.check()


def test_no_case_somebody_may_not_see_is_found_by_a_part_of_it(street: Street) -> None:
    case = street.report(title="密封的线索")
    assert found(street, Query(text="封的"), "watch", 20) == [case]
    with street.database.begin() as conn:
        conn.execute(update(register_table).values(confidential=1))
    assert found(street, Query(text="封的"), "watch", 20) == []
    assert found(street, Query(text="封的"), "grid", 20) == [case]
    assert found(street, Query(text="封的"), "other", 20) == []


@pytest.mark.parametrize("part", ["", "飞线", "飞", "nowhere"])
def test_whoever_oversees_no_place_finds_their_own_cases_page_by_page(
    street: Street, part: str
) -> None:
    own = [street.report(title=f"飞线 {number}") for number in range(3)]
    street.report(by="other", title="飞线", place=Place("u-other", "沿河里"))
    names, after = [], None
    with street.database.begin() as conn:
        for _ in range(4):
            page = search(
                conn, Query(text=part), person=street.person["grid"], places=[], at=street.at,
                after=after, limit=2,
            )  # fmt: skip
            names += [one.case for one in page.cases]
            after = page.after
            if after is None:
                break
    assert names == ([] if part == "nowhere" else own[::-1])
    street.check()


@pytest.mark.parametrize("after", ["~", "x~y", "2026~x", "9999-99-99~x", "~~~"])
def test_a_page_key_that_says_nothing_does_no_harm(street: Street, after: str) -> None:
    case = street.report()
    with street.database.begin() as conn:
        page = search(
            conn, Query(text="飞线"), person=street.person["watch"], places=["u-micro-1"],
            at=street.at, after=after,
        )  # fmt: skip
    assert [one.case for one in page.cases] in ([case], [])
    assert page.after is None
