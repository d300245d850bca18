"""Tokens for other programs: made by their owner, told once, ended in four ways, all on record."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import Engine, select

from audit import log
from engine.accounts import (
    ACCOUNTS,
    UnknownAccount,
    change_password,
    create_account,
    disable_account,
)
from engine.api_tokens import (
    LONGEST_LIFE,
    MOST_TOKENS,
    SCOPES,
    USED_EVERY,
    NewToken,
    NoSuchToken,
    NotTheOwner,
    ScopeMissing,
    TokenExpired,
    TokenRevoked,
    TooManyTokens,
    UnknownToken,
    create_token,
    find_bearer,
    revoke_token,
    token_table,
    tokens_of,
    touch_token,
)
from engine.errors import BadInput
from engine.people import By, create_unit, grant_post, register_person

MONDAY = datetime(2026, 3, 9, 2, tzinfo=UTC)
WEEK = timedelta(days=7)
CHEN, LI = By("p-chen"), By("p-li")


def hashed(password: str) -> str:
    # As hash_password makes them but at a thousandth of the cost: the parameters are in the hash.
    return PasswordHasher(time_cost=1, memory_cost=64).hash(password)


@pytest.fixture
def street(bare: Engine) -> Engine:
    """陈 administers, 李 confirms; both have an account."""
    with bare.begin() as conn:
        create_unit(conn, "u-tinglan", "street", "听澜街道", by=None, at=MONDAY)
        for person, duty in (("p-li", "confirm"), ("p-chen", "administer")):
            register_person(conn, "演示", person=person, by=None, at=MONDAY)
            grant = {"reason": "启用", "by": None, "at": MONDAY}
            grant_post(conn, person, "u-tinglan", "岗", [duty], **grant)
        create_account(conn, "chen", "p-chen", hashed("听涛-correct"), by=None, at=MONDAY)
        create_account(conn, "li", "p-li", hashed("听涛-correct"), by=CHEN, at=MONDAY)
    return bare


def made(street: Engine, **more: Any) -> NewToken:
    told = {"account": "li", "name": "街道平台", "scopes": ["tasks:read"], "by": LI, "at": MONDAY,
            "expires_at": MONDAY + WEEK} | more  # fmt: skip
    with street.begin() as conn:
        return create_token(conn, **told)


def events(street: Engine) -> list[Any]:
    with street.begin() as conn:
        return [e for e in log.read(conn, ACCOUNTS) if e.type.startswith("token.")]


def test_a_token_is_the_person_it_was_made_by_for_what_it_was_made_for(street: Engine) -> None:
    token = made(street, scopes=["tasks:act", "tasks:read"])
    with street.begin() as conn:
        found = find_bearer(conn, token.secret, at=MONDAY)
    assert found.by == By("p-li", "api")
    assert found.scopes == {"tasks:read", "tasks:act"}


def test_the_secret_is_neither_in_the_table_nor_in_the_log(street: Engine) -> None:
    token = made(street)
    with street.begin() as conn:
        row = conn.execute(select(token_table)).one()
    assert token.secret not in str(row)
    (event,) = events(street)
    assert token.secret.encode() not in event.body
    assert "街道平台" not in event.body.decode()
    assert event.data == {
        "account": "a-0002",
        "token": token.id,
        "scopes": ["tasks:read"],
        "expires": "2026-03-16T02:00:00.000Z",
    }
    assert event.actor == {"person": "p-li", "capacity": "owner", "channel": "web"}


def test_what_was_never_made_here_is_unknown(street: Engine) -> None:
    token = made(street)
    with street.begin() as conn:
        for wrong in ("", "shaoji_", token.secret[:-1], token.secret + "x", "\udcff", "令牌"):
            with pytest.raises(UnknownToken):
                find_bearer(conn, wrong, at=MONDAY)


def test_a_hash_that_only_begins_like_ours_is_unknown(street: Engine) -> None:
    token = made(street)
    with street.begin() as conn:
        conn.execute(token_table.update().values(sha256=token.id + "0" * 48))
        with pytest.raises(UnknownToken):
            find_bearer(conn, token.secret, at=MONDAY)


def test_a_token_ends_with_its_time(street: Engine) -> None:
    token = made(street)
    with street.begin() as conn:
        find_bearer(conn, token.secret, at=MONDAY + WEEK - timedelta(seconds=1))
        with pytest.raises(TokenExpired):
            find_bearer(conn, token.secret, at=MONDAY + WEEK)
        assert tokens_of(conn, "li", at=MONDAY + WEEK)[0].state == "expired"


def test_a_token_ends_when_its_owner_revokes_it_and_once_is_enough(street: Engine) -> None:
    token = made(street)
    for _ in range(2):
        with street.begin() as conn:
            revoke_token(conn, "li", token.id, by=LI, at=MONDAY)
    with street.begin() as conn, pytest.raises(TokenRevoked):
        find_bearer(conn, token.secret, at=MONDAY)
    assert [event.type for event in events(street)] == ["token.created", "token.revoked"]


def test_another_password_ends_all_tokens(street: Engine) -> None:
    token = made(street)
    with street.begin() as conn:
        change_password(conn, "li", hashed("听涛-another"), by=LI, at=MONDAY)
        with pytest.raises(TokenRevoked):
            find_bearer(conn, token.secret, at=MONDAY)
        assert tokens_of(conn, "li", at=MONDAY)[0].state == "ended"


def test_a_disabled_account_has_no_tokens_and_makes_none(street: Engine) -> None:
    token = made(street)
    with street.begin() as conn:
        disable_account(conn, "li", reason="调离", by=CHEN, at=MONDAY)
        with pytest.raises(TokenRevoked):
            find_bearer(conn, token.secret, at=MONDAY)
    with pytest.raises(NotTheOwner):
        made(street)


def test_nobody_makes_or_revokes_a_token_for_somebody_else(street: Engine) -> None:
    token = made(street)
    stands_in = By("p-li", on_behalf_of="p-chen")
    for by in (CHEN, stands_in):
        with pytest.raises(NotTheOwner):
            made(street, by=by)
        with street.begin() as conn, pytest.raises(NotTheOwner):
            revoke_token(conn, "li", token.id, by=by, at=MONDAY)
    with street.begin() as conn, pytest.raises(NoSuchToken):
        revoke_token(conn, "chen", token.id, by=CHEN, at=MONDAY)
    with pytest.raises(UnknownAccount):
        made(street, account="nobody")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "},
        {"name": "长" * 61},
        {"name": "a\x00b"},
        {"scopes": []},
        {"scopes": ["everything"]},
        {"scopes": ["tasks:read", "everything"]},
        {"expires_at": MONDAY},
        {"expires_at": MONDAY + LONGEST_LIFE + timedelta(seconds=1)},
    ],
)
def test_a_token_has_a_name_a_use_and_an_end_within_a_year(
    street: Engine, wrong: dict[str, Any]
) -> None:
    with pytest.raises(BadInput):
        made(street, **wrong)
    assert events(street) == []


def test_an_account_has_so_many_tokens_and_revoked_ones_do_not_count(street: Engine) -> None:
    tokens = [made(street) for _ in range(MOST_TOKENS)]
    with pytest.raises(TooManyTokens):
        made(street)
    with street.begin() as conn:
        revoke_token(conn, "li", tokens[0].id, by=LI, at=MONDAY)
    made(street)


def test_use_is_noted_every_few_minutes_at_most(street: Engine) -> None:
    token = made(street)
    with street.begin() as conn:
        assert find_bearer(conn, token.secret, at=MONDAY).stale
        touch_token(conn, token.id, at=MONDAY)
        assert not find_bearer(conn, token.secret, at=MONDAY).stale
        assert find_bearer(conn, token.secret, at=MONDAY + USED_EVERY).stale
        assert tokens_of(conn, "li", at=MONDAY)[0].used_at == MONDAY


def test_a_missing_scope_names_itself() -> None:
    for scope in SCOPES:
        refused = ScopeMissing(scope)
        assert scope in refused.chinese
        assert scope in refused.english
