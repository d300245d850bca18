"""What changed in a register: each event with what it replaced."""

from datetime import timedelta

from audit import log
from engine.account_list import list_accounts
from engine.accounts import (
    SignInRefused,
    create_account,
    disable_account,
    hash_password,
    sign_in,
)
from engine.people import By, close_unit, create_unit, end_post, grant_post, rename_unit
from engine.register_changes import Changed, changes, concerning
from tests.conftest import Street


def told(street: Street, stream: str) -> list[Changed]:
    with street.database.begin() as conn:
        return changes(log.read(conn, stream))


def test_a_renaming_is_told_with_the_old_name(street: Street) -> None:
    street.do(rename_unit, "u-tingtao", "听涛一社区", by=None)
    street.do(rename_unit, "u-tingtao", "听涛二社区", by=None)
    first, second = concerning(told(street, "@units"), "u-tingtao")[-2:]
    assert (first.before["name"], first.entry.data["name"]) == ("听涛社区", "听涛一社区")
    assert (second.before["name"], second.known["name"]) == ("听涛一社区", "听涛二社区")


def test_what_began_has_nothing_before(street: Street) -> None:
    assert all(not one.before for one in told(street, "@units"))


def test_an_end_is_told_with_what_ended(street: Street) -> None:
    street.do(create_unit, "u-x", "community", "新港社区", parent="u-street", by=None)
    street.do(close_unit, "u-x", reason="并入听涛社区", by=None)
    [_, closed] = concerning(told(street, "@units"), "u-x")
    assert (closed.before["name"], closed.known["reason"]) == ("新港社区", "并入听涛社区")
    street.check()


def test_a_person_is_concerned_by_their_posts(street: Street) -> None:
    person = street.person["head"]
    post = street.do(grant_post, person, "u-other", "代管", ["report"], reason="借调", by=None)
    street.do(end_post, post.id, reason="期满", by=None)
    kinds = [one.entry.type for one in concerning(told(street, "@people"), person)]
    assert kinds == ["person.registered", "post.granted", "post.granted", "post.ended"]


def test_calendars_follow_each_other(street: Street) -> None:
    [first] = told(street, "@calendar")
    assert (first.subject, first.before) == ("calendar", {})


def test_accounts_are_listed_with_their_open_sessions(street: Street) -> None:
    admin = street.person["watch"]
    street.do(grant_post, admin, "u-street", "系统管理员", ["administer"], reason="建库", by=None)
    hashed = hash_password("correct horse")
    for name in ("head", "grid"):
        street.do(create_account, name, street.person[name], hashed, by=By(admin))
    sign_in(street.database, "head", "correct horse", at=street.at)
    sign_in(street.database, "head", "correct horse", at=street.at)
    [grid, head] = street.do(list_accounts)
    assert (grid.name, grid.sessions, head.name, head.sessions) == ("grid", 0, "head", 2)
    street.do(disable_account, "head", reason="调离", by=By(admin))
    [head] = street.do(list_accounts, person=street.person["head"])
    assert (head.sessions, head.disabled_at) == (0, street.at)
    street.check()


def test_a_locked_account_is_listed_so_until_the_lock_ends(street: Street) -> None:
    street.do(
        create_account, "head", street.person["head"], hash_password("correct horse"), by=None
    )
    for _ in range(5):
        try:
            sign_in(street.database, "head", "wrong", at=street.at)
        except SignInRefused:
            continue
    [head] = street.do(list_accounts)
    assert head.locked_until == street.at + timedelta(minutes=15)
    street.later(minutes=15)
    assert street.do(list_accounts)[0].locked_until is None
