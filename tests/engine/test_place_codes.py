"""Codes on doors: issued, renewed, printed on the record, and told apart when scanned."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, update

from audit import log
from engine.people import close_unit, grant_post, register_person
from engine.place_codes import (
    LETTERS,
    STREAM,
    AlreadyIssued,
    BadPlaceCode,
    CodeEnded,
    CodeReplaced,
    NoCodeYet,
    NoPlace,
    NotYourPlace,
    UnknownPlaceCode,
    current,
    issue,
    look_up,
    note_printed,
    place_code_table,
    renew,
    written,
)
from engine.reasons import NoReason
from engine.rebuild import rebuild
from engine.verification import verify
from tests.conftest import NOON, Street

CODE = "2345678"


@pytest.fixture
def s(street: Street) -> Iterator[Street]:
    yield street
    street.check()


def issued(s: Street, unit: str = "u-grid-1", by: str = "head") -> str:
    return str(s.do(issue, unit, by=s.by(by)).code)


# --- the code itself ------------------------------------------------------------------------------


@given(st.binary(min_size=16, max_size=16))
def test_every_code_drawn_is_read_back(random: bytes) -> None:
    from engine.place_codes import drawn

    code = drawn(lambda _: random)
    assert written(code) == code
    assert written(f" {code[:4].lower()}-{code[4:]} ") == code


@given(st.text(LETTERS, min_size=7, max_size=7), st.integers(0, 7), st.sampled_from(LETTERS))
def test_one_wrong_letter_is_told_without_looking_it_up(head: str, at: int, other: str) -> None:
    from engine.place_codes import _check

    code = head + _check(head)
    wrong = code[:at] + other + code[at + 1 :]
    if wrong != code:
        with pytest.raises(BadPlaceCode):
            written(wrong)


@given(st.text(LETTERS, min_size=7, max_size=7))
def test_two_letters_exchanged_are_told_as_well(head: str) -> None:
    from engine.place_codes import _check

    code = head + _check(head)
    for one, two in combinations(range(7), 2):
        swapped = list(code)
        swapped[one], swapped[two] = swapped[two], swapped[one]
        if "".join(swapped) != code:
            with pytest.raises(BadPlaceCode):
                written("".join(swapped))


@pytest.mark.parametrize("typed", ["", "2345", "23456789AB", "0O1IL000", "<script>", "二三四五"])
def test_what_is_no_code_is_refused(typed: str) -> None:
    with pytest.raises(BadPlaceCode):
        written(typed)


# --- acts -----------------------------------------------------------------------------------------


def test_whoever_heads_the_community_gives_a_grid_its_code(s: Street) -> None:
    code = issued(s)
    found = s.do(look_up, code)
    assert (found.unit, found.version, found.code) == ("u-grid-1", 1, code)
    (event,) = s.entries(STREAM)
    assert event.data["unit"] == "u-grid-1"
    assert event.actor["person"] == s.person["head"]


def test_an_administrator_gives_codes_everywhere(s: Street) -> None:
    admin = s.person["admin"] = s.do(register_person, "admin演示", by=None)
    s.do(grant_post, admin, "u-street", "管理员", ["administer"], reason="建库", by=None)
    assert s.do(look_up, issued(s, "u-other", "admin")).unit == "u-other"


@pytest.mark.parametrize("name", ["grid", "other", "fixer", "watch"])
def test_nobody_else_does(s: Street, name: str) -> None:
    with pytest.raises(NotYourPlace):
        s.do(issue, "u-grid-1", by=s.by(name))
    code = issued(s)
    with pytest.raises(NotYourPlace):
        s.do(renew, "u-grid-1", "污损", by=s.by(name))
    with pytest.raises(NotYourPlace):
        s.do(note_printed, ["u-grid-1"], by=s.by(name))
    assert s.do(look_up, code)


def test_a_company_gets_no_code(s: Street) -> None:
    with pytest.raises(NoPlace):
        s.do(issue, "u-property", by=s.by("head"))


def test_a_place_has_one_code_at_a_time(s: Street) -> None:
    issued(s)
    with pytest.raises(AlreadyIssued):
        s.do(issue, "u-grid-1", by=s.by("head"))


def test_a_code_renewed_says_politely_that_it_was(s: Street) -> None:
    old = issued(s)
    s.later(days=3)
    new = s.do(renew, "u-grid-1", "被撕掉了", by=s.by("head"))
    assert new.version == 2
    assert s.do(look_up, new.code) == new
    with pytest.raises(CodeReplaced, match="换成新的"):
        s.do(look_up, old)
    assert s.entries(STREAM)[-1].data["replaces"] == old
    assert s.do(current, ["u-grid-1", "u-other"]) == {"u-grid-1": new}


def test_renewing_takes_a_code_and_a_reason(s: Street) -> None:
    with pytest.raises(NoCodeYet):
        s.do(renew, "u-grid-1", "换", by=s.by("head"))
    issued(s)
    with pytest.raises(NoReason):
        s.do(renew, "u-grid-1", "  ", by=s.by("head"))


def test_a_code_ends_on_its_day_and_with_its_place(s: Street) -> None:
    code = issued(s)
    lasting = s.do(issue, "u-micro-1", by=s.by("head"))
    admin = s.person["admin"] = s.do(register_person, "admin演示", by=None)
    s.do(grant_post, admin, "u-street", "管理员", ["administer"], reason="建库", by=None)
    s.later(days=1)
    s.do(close_unit, "u-micro-1", reason="并网格", by=s.by("admin"))
    with pytest.raises(CodeEnded):
        s.do(look_up, lasting.code)
    s.later(days=729)
    with pytest.raises(CodeEnded, match="有效期"):
        s.do(look_up, code)
    again = s.do(issue, "u-grid-1", by=s.by("head"))
    assert again.version == 2


def test_a_code_nobody_issued_is_told_as_such(s: Street) -> None:
    from engine.place_codes import _check

    with pytest.raises(UnknownPlaceCode):
        s.do(look_up, CODE + _check(CODE))


def test_printing_is_on_the_record(s: Street) -> None:
    with pytest.raises(NoCodeYet):
        s.do(note_printed, ["u-grid-1"], by=s.by("head"))
    with pytest.raises(NoCodeYet):
        s.do(note_printed, [], by=s.by("head"))
    codes = [issued(s), issued(s, "u-micro-1")]
    told = s.do(note_printed, ["u-grid-1", "u-micro-1"], by=s.by("head"))
    assert [one.code for one in told] == codes
    assert s.entries(STREAM)[-1].data == {"codes": codes}


# --- the projection -------------------------------------------------------------------------------


def test_the_table_can_be_made_again_from_the_log(s: Street) -> None:
    old = issued(s)
    s.later(days=1)
    new = s.do(renew, "u-grid-1", "污损", by=s.by("head"))
    with s.database.begin() as conn:
        conn.execute(delete(place_code_table))
        rebuild(conn)
        assert look_up(conn, new.code, at=s.at) == new
        with pytest.raises(CodeReplaced):
            look_up(conn, old, at=s.at)


def test_a_code_hung_on_another_door_in_the_table_alone_is_found(street: Street) -> None:
    issued(street)
    with street.database.begin() as conn:
        conn.execute(update(place_code_table).values(unit="u-other"))
        (problem,) = verify(conn).problems
    assert (problem.case, problem.seq) == (STREAM, 1)


def test_a_code_missing_from_the_table_or_put_there_by_hand_is_found(street: Street) -> None:
    code = issued(street)
    with street.database.begin() as conn:
        conn.execute(delete(place_code_table))
        assert "missing" in verify(conn).problems[0].what
        row = {"code": code, "unit": "u-other", "version": 1, "issued_at": "x", "until": "y"}
        conn.execute(place_code_table.insert(), row)
        assert "not kept as it was issued" in verify(conn).problems[0].what


def test_lasts_as_long_as_it_says(s: Street) -> None:
    found = s.do(issue, "u-grid-1", by=s.by("head"), lasts=timedelta(days=10))
    assert found.until == NOON + timedelta(days=10)
    with s.database.begin() as conn:
        assert log.read(conn, STREAM)[0].data["until"].startswith("2026-03-12")
