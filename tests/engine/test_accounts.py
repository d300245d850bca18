"""Accounts and sign-in: who gets in, who is turned away, and that both are on the record."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from argon2 import PasswordHasher
from sqlalchemy import Engine, select

from audit import log
from audit.chain import Problem
from audit.encoding import instant
from engine.access_log import ACCESS, OVERTAKEN
from engine.accounts import (
    IDLE,
    LIFETIME,
    LOCK_OUT,
    SEEN_EVERY,
    Session,
    SignInRefused,
    UnknownAccount,
    WeakPassword,
    account_table,
    change_password,
    create_account,
    disable_account,
    find_account,
    find_session,
    hash_password,
    password_matches,
    session_id,
    session_person,
    session_table,
    sign_in,
    sign_out,
    touch_session,
)
from engine.errors import BadInput
from engine.people import By, NotAdministrator, create_unit, grant_post, register_person
from engine.roster import UnknownPerson

MONDAY = datetime(2026, 3, 9, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CHEN, LI = By("p-chen"), By("p-li")
RIGHT, WRONG = "听涛-correct-horse", "听涛-wrong-donkey"
# As hash_password makes them but at a thousandth of the cost: the parameters are in the hash.
HASH = PasswordHasher(time_cost=1, memory_cost=64).hash(RIGHT)


@pytest.fixture
def street(bare: Engine) -> Iterator[Engine]:
    """陈 administers, 李 confirms; both have an account with the same password."""
    with bare.begin() as conn:
        create_unit(conn, "u-tinglan", "street", "听澜街道", by=None, at=MONDAY)
        for person, duty in (("p-li", "confirm"), ("p-chen", "administer")):
            register_person(conn, "演示", person=person, by=None, at=MONDAY)
            grant = {"reason": "启用", "by": None, "at": MONDAY}
            grant_post(conn, person, "u-tinglan", "岗", [duty], **grant)
        create_account(conn, "chen", "p-chen", HASH, by=None, at=MONDAY)
        create_account(conn, "Li.Wang", "p-li", HASH, locale="en", by=CHEN, at=MONDAY)
    yield bare
    with bare.begin() as conn:
        streams = log.streams(conn)
        checked = [found for s in streams for found in log.check(conn, s, log=log.origin(conn))]
        assert [found for found in checked if isinstance(found, Problem)] == []


def test_whoever_is_overtaken_while_their_password_is_compared_is_let_in(street: Engine) -> None:
    """Two sign in: the second is recorded first. The first is recorded as of then, not refused."""
    first, second = MONDAY + MINUTE, MONDAY + MINUTE + timedelta(milliseconds=300)
    _enter(street, at=second)
    late = _enter(street, at=first)
    with street.begin() as conn:
        told = [entry.at for entry in log.read(conn, ACCESS)]
        opened = conn.execute(
            select(session_table.c.created_at).where(session_table.c.id == session_id(late.token))
        ).scalar_one()
    assert told == [second, second]
    assert instant(opened) == second


def test_a_clock_that_stands_further_back_than_anybody_waits_lets_nobody_in(
    street: Engine,
) -> None:
    _enter(street, at=MONDAY + MINUTE)
    before = MONDAY + MINUTE - OVERTAKEN
    with pytest.raises(log.ClockBehind):
        _enter(street, at=before - timedelta(milliseconds=1))
    with street.begin() as conn:
        assert len(log.read(conn, ACCESS)) == 1
    _enter(street, at=before)


def _enter(street: Engine, name: str = "li.wang", **more: Any) -> Session:
    entered = sign_in(street, name, RIGHT, **{"at": MONDAY, **more})
    assert isinstance(entered, Session)
    return entered


def _fail(street: Engine, name: str = "li.wang", at: datetime = MONDAY, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(SignInRefused):
            sign_in(street, name, WRONG, at=at)


def _by(street: Engine, session: Session, at: datetime = MONDAY) -> By | None:
    with street.begin() as conn:
        return session_person(conn, session.token, at)


def _events(street: Engine, stream: str = "@access") -> list[tuple[str, dict[str, Any]]]:
    with street.begin() as conn:
        return [(entry.type, entry.data) for entry in log.read(conn, stream)]


# --- passwords ----------------------------------------------------------------------------------


def test_a_password_is_kept_as_argon2id_of_rfc_9106() -> None:
    assert hash_password(RIGHT).startswith("$argon2id$v=19$m=65536,t=3,p=4$")


@pytest.mark.parametrize("password", ["", "short-9ch", "aaaaaaaaaaaa", "ababababab", "      1    "])
def test_a_weak_password_is_refused(password: str) -> None:
    with pytest.raises(WeakPassword):
        hash_password(password)


def test_a_demonstration_may_allow_shorter_passwords() -> None:
    assert hash_password("demo", minimum_length=4)


def test_a_password_typed_in_another_unicode_form_is_the_same(street: Engine) -> None:
    with street.begin() as conn:
        create_account(conn, "zhao", "p-li", hash_password("caf\u00e9-au-lait"), by=CHEN, at=MONDAY)
        assert password_matches(conn, "zhao", "cafe\u0301-au-lait")
        assert not password_matches(conn, "zhao", "cafe-au-lait")
        assert not password_matches(conn, "nobody", "cafe-au-lait")


def test_a_password_as_typed_is_never_stored(street: Engine) -> None:
    with street.begin() as conn, pytest.raises(ValueError, match="never as it was typed"):
        create_account(conn, "zhao", "p-li", RIGHT, by=CHEN, at=MONDAY)


# --- accounts -----------------------------------------------------------------------------------


def test_the_log_knows_an_account_by_number_and_holds_no_secret(street: Engine) -> None:
    assert _events(street, "@accounts") == [
        ("account.created", {"account": "a-0001", "person": "p-chen", "locale": "zh"}),
        ("account.created", {"account": "a-0002", "person": "p-li", "locale": "en"}),
    ]
    session = _enter(street)
    _fail(street)
    with street.begin() as conn:
        entries = [e for stream in log.streams(conn) for e in log.read(conn, stream)]
        token_hash = conn.execute(select(session_table.c.id)).scalar_one()
    for secret in ("li.wang", "argon2", RIGHT, WRONG, session.token, token_hash):
        assert not [entry for entry in entries if secret.encode() in entry.body]


def test_an_account_needs_an_administrator_a_person_and_a_new_name(street: Engine) -> None:
    with street.begin() as conn:
        for by in (None, LI):
            with pytest.raises(NotAdministrator):
                create_account(conn, "zhao", "p-li", HASH, by=by, at=MONDAY)
        with pytest.raises(UnknownPerson):
            create_account(conn, "zhao", "p-zhao", HASH, by=CHEN, at=MONDAY)
        for name in ("LI.WANG", " ", "x", "a b", "<script>", "ｃｈｅｎ"):
            with pytest.raises(BadInput):
                create_account(conn, name, "p-li", HASH, by=CHEN, at=MONDAY)


def test_names_are_found_however_they_are_typed(street: Engine) -> None:
    with street.begin() as conn:
        found = find_account(conn, " ＬＩ.wang ")
        assert (found.person, found.locale, found.disabled) == ("p-li", "en", False)
        with pytest.raises(UnknownAccount):
            find_account(conn, "nobody")


def test_a_changed_password_ends_every_session(street: Engine) -> None:
    session, other = _enter(street), _enter(street)
    with street.begin() as conn:
        change_password(conn, "li.wang", hash_password(WRONG), by=LI, at=MONDAY)
    assert _by(street, session) is _by(street, other) is None
    with pytest.raises(SignInRefused):
        _enter(street)
    assert sign_in(street, "li.wang", WRONG, at=MONDAY)
    assert _events(street, "@accounts")[-1] == ("account.password_changed", {"account": "a-0002"})
    closed = [data["how"] for type_, data in _events(street) if type_ == "session.closed"]
    assert closed == ["password_changed", "password_changed"]


def test_only_the_owner_or_an_administrator_changes_a_password(street: Engine) -> None:
    with street.begin() as conn:
        for by in (LI, By("p-chen", on_behalf_of="p-zhao")):
            with pytest.raises(NotAdministrator):
                change_password(conn, "chen", HASH, by=by, at=MONDAY)
        change_password(conn, "li.wang", HASH, by=CHEN, at=MONDAY)
        assert log.read(conn, "@accounts")[-1].actor["capacity"] == "administer"


def test_a_disabled_account_is_out_at_once_and_stays_out(street: Engine) -> None:
    session = _enter(street)
    with street.begin() as conn:
        assert disable_account(conn, "li.wang", reason="离职", by=CHEN, at=MONDAY).disabled
        with pytest.raises(BadInput):
            disable_account(conn, "li.wang", reason="离职", by=CHEN, at=MONDAY)
    assert _by(street, session) is None
    with pytest.raises(SignInRefused):
        _enter(street)
    assert _events(street)[-1] == (
        "session.refused",
        {"account": "a-0002", "reason": "disabled", "count": 1},
    )


def test_only_an_administrator_disables_and_gives_a_reason(street: Engine) -> None:
    with street.begin() as conn:
        with pytest.raises(NotAdministrator):
            disable_account(conn, "chen", reason="x", by=LI, at=MONDAY)
        with pytest.raises(BadInput):
            disable_account(conn, "li.wang", reason=" ", by=CHEN, at=MONDAY)


# --- sessions -----------------------------------------------------------------------------------


def test_who_signs_in_is_known_by_the_token_and_it_is_on_the_record(street: Engine) -> None:
    session = _enter(street, channel="phone")
    assert _by(street, session) == By("p-li", "phone")
    with street.begin() as conn:
        [entry] = log.read(conn, "@access")
        found = find_session(conn, session.token, at=MONDAY)
    assert entry.type == "session.opened"
    assert entry.actor == {"person": "p-li", "capacity": "owner", "channel": "phone"}
    assert found
    assert (found.account, found.locale, found.stale) == ("li.wang", "en", False)
    assert found.by == By("p-li", "phone")


def test_a_made_up_token_is_nobody(street: Engine) -> None:
    _enter(street)
    with street.begin() as conn:
        stored = conn.execute(select(session_table.c.id)).scalar_one()
        for token in ("", "x" * 43, stored, "听涛"):
            assert session_person(conn, token, MONDAY) is None
            sign_out(conn, token, at=MONDAY)
    assert len(_events(street)) == 1


def test_a_session_ends_at_sign_out_once(street: Engine) -> None:
    session, other = _enter(street), _enter(street)
    with street.begin() as conn:
        sign_out(conn, session.token, at=MONDAY)
        sign_out(conn, session.token, at=MONDAY)
    assert _by(street, session) is None
    assert _by(street, other) == LI
    assert [type_ for type_, _ in _events(street)].count("session.closed") == 1


def test_a_session_in_use_ends_with_its_lifetime_and_an_idle_one_sooner(street: Engine) -> None:
    session = _enter(street)
    assert _by(street, session, MONDAY + IDLE - MINUTE) == LI
    assert _by(street, session, MONDAY + IDLE) is None
    at = MONDAY
    while at + IDLE - MINUTE < MONDAY + LIFETIME:
        at += IDLE - MINUTE
        with street.begin() as conn:
            found = find_session(conn, session.token, at=at)
            assert found
            assert found.stale
            touch_session(conn, session.token, at=at)
    assert _by(street, session, session.expires_at - MINUTE) == LI
    assert _by(street, session, session.expires_at) is None


def test_a_session_is_marked_as_seen_only_now_and_then(street: Engine) -> None:
    session = _enter(street)
    with street.begin() as conn:
        soon = find_session(conn, session.token, at=MONDAY + SEEN_EVERY - MINUTE)
        later = find_session(conn, session.token, at=MONDAY + SEEN_EVERY)
    assert soon
    assert not soon.stale
    assert later
    assert later.stale


# --- guessing -----------------------------------------------------------------------------------


def test_five_wrong_passwords_lock_the_account_for_a_quarter_of_an_hour(street: Engine) -> None:
    _fail(street, times=5)
    with pytest.raises(SignInRefused):
        _enter(street, at=MONDAY + LOCK_OUT - MINUTE)
    assert _by(street, _enter(street, at=MONDAY + LOCK_OUT), MONDAY + LOCK_OUT) == LI


def test_a_right_password_starts_the_count_anew(street: Engine) -> None:
    for _ in range(3):
        _fail(street, times=4)
        _enter(street)


def test_after_a_lock_out_the_count_starts_anew(street: Engine) -> None:
    _fail(street, times=5)
    _fail(street, at=MONDAY + LOCK_OUT, times=4)
    assert _enter(street, at=MONDAY + LOCK_OUT)


def test_an_administrator_unlocks_by_setting_a_password(street: Engine) -> None:
    _fail(street, times=5)
    with street.begin() as conn:
        change_password(conn, "li.wang", HASH, by=CHEN, at=MONDAY)
    assert _enter(street)


def test_one_account_locked_leaves_the_others_open(street: Engine) -> None:
    _fail(street, times=5)
    assert sign_in(street, "chen", RIGHT, at=MONDAY)


def test_all_refusals_say_the_same(street: Engine) -> None:
    told = set()
    _fail(street, times=5)
    for name, password in (("nobody", RIGHT), ("li.wang", RIGHT), ("chen", WRONG)):
        with pytest.raises(SignInRefused) as refusal:
            sign_in(street, name, password, at=MONDAY)
        told.add((refusal.value.chinese, refusal.value.english))
    assert len(told) == 1


def test_guessing_does_not_fill_the_log_yet_every_refusal_is_counted(street: Engine) -> None:
    _fail(street, times=12)
    _fail(street, "nobody", times=3)
    _fail(street, "nobody either")
    at = MONDAY + LOCK_OUT
    _fail(street, "nobody", at=at)
    _enter(street, at=at)
    refused = [data for type_, data in _events(street) if type_ == "session.refused"]
    assert refused == [
        {"account": "a-0002", "reason": "password", "count": 1},
        {"account": "a-0002", "reason": "locking", "count": 4},
        {"reason": "unknown", "count": 1},
        {"reason": "unknown", "count": 4},
    ]
    assert _events(street)[-1][1]["refused"] == 7  # while it was locked
    assert sum(data["count"] for data in refused) + 7 == 12 + 3 + 1 + 1


def test_guesses_sent_all_at_once_get_no_more_tries(street: Engine) -> None:
    def guess(password: str) -> bool:
        try:
            sign_in(street, "li.wang", password, at=MONDAY)
        except SignInRefused:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(guess, [WRONG] * 8))
        assert not any(pool.map(guess, [RIGHT] * 4))


def test_a_stranger_and_a_colleague_are_compared_with_a_hash_alike(
    street: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[str] = []
    dear = hash_password(RIGHT).rsplit("$", 2)[0]

    class Noting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 argon2's own name
            compared.append(str(hash))
            return super().verify(hash, password)

    monkeypatch.setattr("engine.accounts._HASHER", Noting())
    with street.begin() as conn:
        assert password_matches(conn, "chen", RIGHT)
        assert not password_matches(conn, "nobody", RIGHT)
    own, nobodys = compared
    assert own == HASH
    assert nobodys.startswith(dear)


def test_a_stored_password_of_another_make_lets_nobody_in(street: Engine) -> None:
    with street.begin() as conn:
        conn.execute(account_table.update().values(password_hash="plain"))
        assert not password_matches(conn, "chen", "plain")
