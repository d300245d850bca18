"""The second factor: who must have one, what a code opens and how often, who may take it away."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from pyotp import TOTP
from sqlalchemy import Engine, inspect, select, text, update

from audit import log
from audit.entries import ENGINE
from engine import attempts, pending, recovery_codes, second_factor
from engine.accounts import (
    CONFIRMED_FOR,
    LOCK_OUT,
    Pending,
    Session,
    SignInRefused,
    account_table,
    create_account,
    disable_account,
    find_session,
    session_person,
    sign_in,
)
from engine.attempts import WITHIN, TooManyFailures, attempt_table, place_of
from engine.directory import Directory
from engine.factor_keeping import (
    NotLocked,
    NotOwner,
    NotYourOwn,
    StillObliged,
    remove_second_factor,
    renew_recovery_codes,
    reset_second_factor,
    unlock_account,
)
from engine.field_key import kept_field_key
from engine.key_files import KeyOpen, KeyUnfit
from engine.people import (
    By,
    NotAdministrator,
    create_unit,
    directory,
    end_post,
    grant_post,
    name_substitute,
    register_person,
)
from engine.reasons import NoReason
from engine.second_factor import AlreadyEnrolled, FieldKeyWrong, NotEnrolled, address, obliged
from engine.second_step import (
    CodeRefused,
    ConfirmationRefused,
    NotConfirmed,
    SignInOver,
    complete,
    confirm,
    enrol,
    enrol_and_enter,
    waiting,
)
from engine.sessions import (
    NoSuchSession,
    end_other_sessions,
    end_session,
    end_sessions_of,
    open_sessions,
)
from engine.verification import verify

MONDAY = datetime(2026, 3, 9, 2, tzinfo=UTC)
MINUTE, STEP = timedelta(minutes=1), timedelta(seconds=30)
KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
RIGHT, WRONG = "听涛-correct-horse", "听涛-wrong-donkey"
HASH = PasswordHasher(time_cost=1, memory_cost=64).hash(RIGHT)
DUTIES = {"chen": "administer", "he": "administer", "mu": "custody", "liang": "discipline"}
CHEN, LI, MU = By("p-chen"), By("p-li"), By("p-mu")


@dataclass
class House:
    """A street with accounts, at some instant of its own."""

    database: Engine
    at: datetime = MONDAY

    def later(self, delta: timedelta = STEP) -> datetime:
        self.at += delta
        return self.at

    def do(self, command: Any, *args: Any, **more: Any) -> Any:
        with self.database.begin() as conn:
            return command(conn, *args, **({"at": self.at} | more))

    def enter(self, name: str, password: str = RIGHT, **more: Any) -> Session | Pending:
        return sign_in(self.database, name, password, at=self.at, **more)

    def waits(self, name: str, **more: Any) -> Pending:
        entered = self.enter(name, **more)
        assert isinstance(entered, Pending)
        return entered

    def give(self, token: str, typed: str, **more: Any) -> Session:
        told = {"at": self.at, "device_at": self.at} | more
        return complete(self.database, KEY, token, typed, **told)

    def confirm(self, token: str, typed: str) -> None:
        confirm(self.database, KEY, token, typed, at=self.at, device_at=self.at)

    def offered(self, token: str) -> str:
        found = self.do(waiting, KEY, token)
        assert found
        return str(found.secret)

    def by(self, session: Session) -> By | None:
        with self.database.begin() as conn:
            return session_person(conn, session.token, self.at)

    def events(self, stream: str) -> list[tuple[str, dict[str, Any]]]:
        with self.database.begin() as conn:
            return [(entry.type, entry.data) for entry in log.read(conn, stream)]

    def last(self, type_: str, stream: str = "@access") -> dict[str, Any]:
        return next(data for told, data in reversed(self.events(stream)) if told == type_)


@dataclass
class App:
    """An authenticator on somebody's telephone, and the recovery codes in their drawer."""

    secret: str
    codes: tuple[str, ...]
    session: Session

    def code(self, at: datetime) -> str:
        return TOTP(self.secret).at(at)


@pytest.fixture
def house(bare: Engine) -> Iterator[House]:
    """陈 and 贺 administer, 沐 keeps identities, 梁 answers for discipline, 李 confirms."""
    told: dict[str, Any] = {"by": None, "at": MONDAY}
    with bare.begin() as conn:
        create_unit(conn, "u-tinglan", "street", "听澜街道", **told)
        for name in ("li", *DUTIES):
            register_person(conn, "演示", person=f"p-{name}", **told)
        grant: dict[str, Any] = {"reason": "启用", "at": MONDAY}
        for name in ("li", "mu", "liang", "chen"):
            duty = DUTIES.get(name, "confirm")
            grant_post(conn, f"p-{name}", "u-tinglan", "岗", [duty], by=None, **grant)
        grant_post(conn, "p-he", "u-tinglan", "岗", ["administer"], by=CHEN, **grant)
        create_account(conn, "chen", "p-chen", HASH, **told)
        for name in ("he", "mu", "liang", "li"):
            create_account(conn, name, f"p-{name}", HASH, by=CHEN, at=MONDAY)
    yield House(bare)
    with bare.begin() as conn:
        assert verify(conn).problems == ()


def enrolled(house: House, name: str = "mu") -> App:
    """Sign in for the first time: enrol an app and get in."""
    token = house.waits(name).token
    secret = house.offered(token)
    told = {"at": house.at, "device_at": house.at}
    session, codes = enrol_and_enter(house.database, KEY, token, TOTP(secret).at(house.at), **told)
    return App(secret, codes, session)


# --- who must have one ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", DUTIES)
def test_who_keeps_order_secrets_or_accounts_gets_no_session_by_password_alone(
    house: House, name: str
) -> None:
    entered = house.waits(name)
    assert not entered.enrolled
    assert house.by(Session(entered.token, "", "", MONDAY)) is None
    assert "session.opened" not in [type_ for type_, _ in house.events("@access")]


def test_for_everybody_else_it_is_optional(house: House) -> None:
    assert isinstance(house.enter("li"), Session)


def people_of(house: House) -> Directory:
    with house.database.begin() as conn:
        return directory(conn)


def test_it_goes_by_the_posts_held_today_those_of_others_included(house: House) -> None:
    by_duty = house.do(grant_post, "p-li", "u-tinglan", "代管", ["custody"], reason="r", by=CHEN,
                       start=MONDAY + timedelta(days=1))  # fmt: skip
    assert not obliged(people_of(house), "p-li", MONDAY)
    assert obliged(people_of(house), "p-li", MONDAY + timedelta(days=1))
    house.later(timedelta(days=2))
    house.do(end_post, by_duty.id, reason="r", by=CHEN)
    assert not obliged(people_of(house), "p-li", house.at)
    until = house.at + timedelta(days=1)
    house.do(name_substitute, "p-mu", "p-li", end=until, reason="休假", by=CHEN)
    assert obliged(people_of(house), "p-li", house.at)
    assert not obliged(people_of(house), "p-li", until)


def test_a_session_ends_when_a_post_comes_to_take_more_than_a_password(house: House) -> None:
    session = house.enter("li")
    assert isinstance(session, Session)
    assert house.by(session) == LI
    house.do(grant_post, "p-li", "u-tinglan", "代管", ["custody"], reason="r", by=CHEN)
    assert house.by(session) is None
    assert not house.waits("li").enrolled


# --- enrolling ------------------------------------------------------------------------------------


def test_the_first_sign_in_enrols_an_app_and_gives_ten_codes_once(house: House) -> None:
    app = enrolled(house)
    assert house.by(app.session) == MU
    assert len(set(app.codes)) == 10
    assert all(len(code) == 11 and code[5] == "-" for code in app.codes)
    assert house.events("@accounts")[-1] == (
        "factor.enrolled",
        {"account": "a-0003", "number": 1},
    )
    assert house.last("session.opened")["factor"] == "code"


def test_what_is_offered_stays_the_same_and_is_nobody_elses(house: House) -> None:
    token, other = house.waits("mu").token, house.waits("mu").token
    assert house.offered(token) == house.offered(token)
    assert house.offered(token) != house.offered(other)
    assert len(house.offered(token)) == 32


def test_whoever_waited_beside_an_enrolment_waits_no_more(house: House) -> None:
    thief = house.waits("mu").token
    secret = house.offered(thief)
    enrolled(house)
    assert house.do(waiting, KEY, thief) is None
    told = {"at": house.at, "device_at": house.at}
    with pytest.raises(SignInOver):
        enrol_and_enter(house.database, KEY, thief, TOTP(secret).at(house.at), **told)


def test_a_code_that_does_not_fit_enrols_nothing(house: House) -> None:
    token = house.waits("mu").token
    told = {"at": house.at, "device_at": house.at}
    for typed in ("000000", "", "听澜", "１２３", "9" * 200):
        with pytest.raises(NotConfirmed):
            enrol_and_enter(house.database, KEY, token, typed, **told)
    assert not house.waits("mu").enrolled


def test_who_need_not_may_enrol_and_their_other_sessions_end(house: House) -> None:
    session, other = house.enter("li"), house.enter("li")
    assert isinstance(session, Session)
    assert isinstance(other, Session)
    with house.database.begin() as conn:
        secret = second_factor.proposed(conn, KEY, "a-0005", session.token)
    told = {"at": house.at, "device_at": house.at}
    code = TOTP(secret).at(house.at)
    assert len(enrol(house.database, KEY, session.token, code, **told)) == 10
    assert house.by(session) == LI
    assert house.by(other) is None
    assert house.last("session.closed")["how"] == "second_factor"
    assert house.waits("li").enrolled
    with pytest.raises(AlreadyEnrolled):
        enrol(house.database, KEY, session.token, code, **told)
    with pytest.raises(SignInOver):
        enrol(house.database, KEY, other.token, code, **told)


def test_the_address_in_the_code_names_account_and_street() -> None:
    told = address("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", name="mu", issuer="哨迹:听澜街道")
    assert told.startswith("otpauth://totp/%E5%93%A8%E8%BF%B9%20%E5%90%AC")
    assert told.count(":") == 2  # otpauth: and issuer:name
    assert "secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" in told


# RFC 6238, appendix B, the last six of its eight digits; the key is "12345678901234567890".
@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_codes_are_those_of_rfc_6238(seconds: int, code: str) -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    at = datetime.fromtimestamp(seconds, UTC)
    assert second_factor._step(secret, code, at) == seconds // 30


# --- codes ----------------------------------------------------------------------------------------


def test_a_code_opens_the_session_that_waited_once(house: House) -> None:
    app = enrolled(house)
    house.later()
    waits = house.waits("mu")
    assert waits.enrolled
    session = house.give(waits.token, f" {app.code(house.at)[:3]} {app.code(house.at)[3:]}")
    assert house.by(session) == MU
    with pytest.raises(SignInOver):
        house.give(waits.token, app.code(house.later()))


def test_a_code_is_good_once_and_none_older_than_it(house: House) -> None:
    app = enrolled(house)
    with pytest.raises(CodeRefused):
        house.give(house.waits("mu").token, app.code(house.at))
    house.later(2 * STEP)
    house.give(house.waits("mu").token, app.code(house.at))
    with pytest.raises(CodeRefused):
        house.give(house.waits("mu").token, app.code(house.at - STEP))


def test_one_step_of_drift_each_way_and_no_more(house: House) -> None:
    app = enrolled(house)
    for drift, fits in ((-2, False), (2, False), (-1, True), (1, True)):
        house.later(10 * STEP)
        token = house.waits("mu").token
        if fits:
            house.give(token, app.code(house.at + drift * STEP))
        else:
            with pytest.raises(CodeRefused):
                house.give(token, app.code(house.at + drift * STEP))


def test_telephones_go_by_the_wall_clock_whatever_year_is_played(house: House) -> None:
    app = enrolled(house)
    played, wall = house.at, house.at + timedelta(days=99)
    assert house.give(house.waits("mu").token, app.code(wall), at=played, device_at=wall)


def test_a_recovery_code_opens_once_however_it_is_typed(house: House) -> None:
    app = enrolled(house)
    first, second = app.codes[:2]
    session = house.give(house.waits("mu").token, first.replace("-", " ").lower())
    assert house.by(session) == MU
    assert house.last("factor.recovery_used") == {"account": "a-0003", "left": 9}
    assert house.last("session.opened")["factor"] == "recovery"
    for typed in (first, second[:-1], f"{second}9"):
        with pytest.raises(CodeRefused):
            house.give(house.waits("mu").token, typed)
    assert house.give(house.waits("mu").token, second)


def test_what_waits_is_over_in_half_an_hour(house: House) -> None:
    app = enrolled(house)
    token = house.waits("mu").token
    house.later(pending.LIFETIME)
    assert house.do(waiting, KEY, token) is None
    with pytest.raises(SignInOver):
        house.give(token, app.code(house.at))


def test_a_disabled_account_waits_for_nothing(house: House) -> None:
    app = enrolled(house)
    token = house.waits("mu").token
    house.do(disable_account, "mu", reason="离职", by=CHEN)
    assert house.do(waiting, KEY, token) is None
    with pytest.raises(SignInOver):
        house.give(token, app.code(house.later()))


# --- guessing -------------------------------------------------------------------------------------


def guess(house: House, token: str, times: int) -> None:
    for _ in range(times):
        with pytest.raises(CodeRefused):
            house.give(token, "000000")


def test_five_wrong_codes_lock_the_account_whatever_comes_between(house: House) -> None:
    app = enrolled(house)
    house.later()
    guess(house, house.waits("mu").token, 4)
    # Knowing the password buys no further guesses.
    token = house.waits("mu").token
    guess(house, token, 1)
    with pytest.raises(CodeRefused):
        house.give(token, app.code(house.at))
    with pytest.raises(SignInRefused):
        house.enter("mu")
    assert house.last("session.refused")["reason"] == "locking"
    house.later(LOCK_OUT)
    assert house.give(house.waits("mu").token, app.code(house.at))


def test_wrong_passwords_and_wrong_codes_are_counted_together(house: House) -> None:
    enrolled(house)
    token = house.waits("mu").token
    guess(house, token, 3)
    for _ in range(2):
        with pytest.raises(SignInRefused):
            house.enter("mu", WRONG)
    with pytest.raises(SignInRefused):
        house.enter("mu")


def test_codes_guessed_all_at_once_get_no_more_tries(house: House) -> None:
    app = enrolled(house)
    token = house.waits("mu").token
    house.later()

    def try_(typed: str) -> bool:
        try:
            house.give(token, typed)
        except (CodeRefused, SignInOver):
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert not any(pool.map(try_, ["000000"] * 6))
        assert not any(pool.map(try_, [app.code(house.at)] * 4))


def test_of_two_who_give_one_code_at_once_one_gets_in(house: House) -> None:
    app = enrolled(house)
    house.later()
    tokens = [house.waits("mu").token for _ in range(4)]

    def try_(token: str) -> bool:
        try:
            house.give(token, app.code(house.at))
        except CodeRefused:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(try_, tokens)) == 1


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """So many failures are allowed from one place: each costs a tenth of a second on purpose."""
    assert attempts.MOST == 30
    monkeypatch.setattr(attempts, "MOST", 5)
    return 5


def test_names_that_are_nobodys_are_limited_by_where_they_come_from(house: House, few: int) -> None:
    here = place_of(KEY, b"192.0.2.7", house.at)
    for n in range(few):
        with pytest.raises(SignInRefused):
            house.enter(f"nobody{n % 3}", WRONG, place=here)
    # A name that exists, with its password: the answer tells nothing of names.
    for name in ("nobody", "li"):
        with pytest.raises(TooManyFailures):
            house.enter(name, place=here)
    assert house.enter("li", place=place_of(KEY, b"192.0.2.8", house.at))
    assert house.enter("li")
    house.later(WITHIN)
    assert house.enter("li", place=here)
    with house.database.begin() as conn:
        rows = conn.execute(select(attempt_table)).all()
    assert all("192.0.2.7" not in str(row) for row in rows)


def test_wrong_codes_count_for_where_they_come_from(house: House, few: int) -> None:
    app = enrolled(house)
    here = place_of(KEY, b"192.0.2.7", house.at)
    token = house.waits("mu").token
    for _ in range(few):
        with pytest.raises(CodeRefused):
            house.give(token, "000000", place=here)
    house.do(unlock_account, "mu", reason="测试", by=None)
    with pytest.raises(TooManyFailures):
        house.give(token, app.code(house.later()), place=here)
    assert house.give(token, app.code(house.at))


def test_a_place_has_another_name_each_day() -> None:
    names = {place_of(KEY, b"192.0.2.7", MONDAY + timedelta(days=n)) for n in range(3)}
    assert len(names) == 3


# --- what a copy of the database gives ------------------------------------------------------------


def test_the_database_alone_gives_no_code(house: House) -> None:
    app = enrolled(house)
    pending_token = house.waits("mu").token
    told = [app.secret, *app.codes, *(code.replace("-", "") for code in app.codes), pending_token]
    stored = b""
    with house.database.begin() as conn:
        for table in inspect(conn).get_table_names():
            for row in conn.execute(text(f'SELECT * FROM "{table}"')):
                for cell in row:
                    data = cell if isinstance(cell, bytes | memoryview) else str(cell).encode()
                    stored += bytes(data)
    assert [secret for secret in told if secret.encode() in stored] == []


def test_another_field_key_is_told_and_locks_nobody_out_for_good(house: House) -> None:
    app = enrolled(house)
    token = house.waits("mu").token
    told = {"at": house.at, "device_at": house.later()}
    with pytest.raises(FieldKeyWrong, match=r"field\.key"):
        complete(house.database, OTHER_KEY, token, app.code(house.at), **told)
    house.do(reset_second_factor, "mu", reason="密钥丢失", by=None)
    assert not house.waits("mu").enrolled


def test_a_secret_moved_to_another_account_opens_nothing(house: House) -> None:
    app, other = enrolled(house), enrolled(house, "liang")
    table = second_factor.factor_table
    with house.database.begin() as conn:
        secret = conn.execute(select(table.c.secret).where(table.c.account == "a-0003")).scalar()
        moved = update(table).where(table.c.account == "a-0004").values(secret=secret)
        conn.execute(moved)
    assert app.secret != other.secret
    with pytest.raises(FieldKeyWrong):
        house.give(house.waits("liang").token, app.code(house.later()))


def test_the_field_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "field.key"
    key = kept_field_key(path)
    assert kept_field_key(path) == key
    assert len(key) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(KeyOpen, match="chmod 600"):
        kept_field_key(path)
    path.chmod(0o600)
    for damaged in ("", "zz", "00" * 31, "钥"):
        path.write_text(damaged, encoding="utf-8")
        with pytest.raises(KeyUnfit):
            kept_field_key(path)


# --- showing again that it is you -----------------------------------------------------------------


def confirmed(house: House, session: Session) -> bool:
    with house.database.begin() as conn:
        found = find_session(conn, session.token, at=house.at)
    assert found
    return found.confirmed(house.at)


def test_a_confirmation_holds_for_ten_minutes(house: House) -> None:
    app = enrolled(house)
    house.later(CONFIRMED_FOR - MINUTE)
    assert confirmed(house, app.session)
    house.later(MINUTE)
    assert not confirmed(house, app.session)
    house.confirm(app.session.token, app.code(house.at))
    assert confirmed(house, app.session)
    told = house.last("session.confirmed")
    assert (told["account"], told["factor"]) == ("a-0003", "code")
    house.confirm(app.session.token, app.codes[0])
    assert house.last("session.confirmed")["factor"] == "recovery"
    assert house.last("factor.recovery_used")["left"] == 9


def test_without_a_second_factor_the_password_confirms(house: House) -> None:
    session = house.enter("li")
    assert isinstance(session, Session)
    house.later(CONFIRMED_FOR)
    with pytest.raises(ConfirmationRefused):
        house.confirm(session.token, WRONG)
    assert not confirmed(house, session)
    house.confirm(session.token, RIGHT)
    assert confirmed(house, session)
    assert house.last("session.confirmed")["factor"] == "password"


def test_with_a_second_factor_the_password_does_not(house: House) -> None:
    app = enrolled(house)
    with pytest.raises(CodeRefused):
        house.confirm(app.session.token, RIGHT)


def test_guessing_to_confirm_locks_the_account_too(house: House) -> None:
    app = enrolled(house)
    house.later()
    for _ in range(5):
        with pytest.raises(CodeRefused):
            house.confirm(app.session.token, "000000")
    with pytest.raises(CodeRefused):
        house.confirm(app.session.token, app.code(house.at))
    with pytest.raises(SignInRefused):
        house.enter("mu")


def test_nobody_confirms_for_a_session_that_has_ended(house: House) -> None:
    app = enrolled(house)
    house.do(end_sessions_of, "mu", reason="离岗", by=CHEN)
    with pytest.raises(SignInOver):
        house.confirm(app.session.token, app.code(house.later()))
    with pytest.raises(SignInOver):
        house.confirm("made up", "000000")


# --- keeping --------------------------------------------------------------------------------------


def test_an_administrator_resets_somebody_elses_with_a_reason(house: House) -> None:
    app = enrolled(house)
    with pytest.raises(NoReason):
        house.do(reset_second_factor, "mu", reason=" ", by=CHEN)
    house.do(reset_second_factor, "mu", reason="手机丢了", by=CHEN)
    assert house.by(app.session) is None
    assert house.last("factor.reset", "@accounts") == {
        "account": "a-0003",
        "reason": "手机丢了",
    }
    assert house.last("session.closed")["how"] == "second_factor"
    fresh = enrolled(house)
    assert fresh.secret != app.secret
    assert house.events("@accounts")[-1][1]["number"] == 2
    with pytest.raises(CodeRefused):
        house.give(house.waits("mu").token, app.codes[0])


def test_nobody_resets_their_own_not_even_the_only_administrator(house: House) -> None:
    enrolled(house, "chen")
    with pytest.raises(NotYourOwn):
        house.do(reset_second_factor, "chen", reason="手机丢了", by=CHEN)
    for by in (LI, MU, By("p-li", on_behalf_of="p-mu")):
        with pytest.raises(NotAdministrator):
            house.do(reset_second_factor, "chen", reason="手机丢了", by=by)
    house.do(reset_second_factor, "chen", reason="手机丢了", by=None)
    with house.database.begin() as conn:
        assert log.read(conn, "@accounts")[-1].actor == ENGINE


def test_there_is_nothing_to_reset_where_there_is_nothing(house: House) -> None:
    for by in (CHEN, None):
        with pytest.raises(NotEnrolled):
            house.do(reset_second_factor, "li", reason="手机丢了", by=by)


def test_who_must_have_one_does_not_remove_it(house: House) -> None:
    enrolled(house)
    with pytest.raises(StillObliged):
        house.do(remove_second_factor, "mu", by=MU)


def test_who_need_not_removes_it_and_the_password_is_enough_again(house: House) -> None:
    app = enrolled(house)
    keeper = next(p for p in people_of(house).posts.values() if p.person == "p-mu")
    house.do(end_post, keeper.id, reason="离任", by=CHEN)
    house.later()
    for by in (LI, CHEN, By("p-mu", on_behalf_of="p-li")):
        with pytest.raises(NotOwner):
            house.do(remove_second_factor, "mu", by=by)
    house.do(remove_second_factor, "mu", by=MU)
    assert house.last("factor.removed", "@accounts") == {"account": "a-0003"}
    assert isinstance(house.enter("mu"), Session)
    with pytest.raises(NotEnrolled):
        house.do(remove_second_factor, "mu", by=MU)
    assert house.by(app.session) == MU


def test_new_recovery_codes_put_the_old_ones_out(house: House) -> None:
    app = enrolled(house)
    with pytest.raises(NotOwner):
        house.do(renew_recovery_codes, KEY, "mu", by=CHEN)
    with pytest.raises(NotEnrolled):
        house.do(renew_recovery_codes, KEY, "li", by=LI)
    fresh = house.do(renew_recovery_codes, KEY, "mu", by=MU)
    assert not set(fresh) & set(app.codes)
    with house.database.begin() as conn:
        assert recovery_codes.left(conn, "a-0003") == 10
    with pytest.raises(CodeRefused):
        house.give(house.waits("mu").token, app.codes[0])
    assert house.give(house.waits("mu").token, fresh[0])


def test_an_administrator_unlocks_somebody_else(house: House) -> None:
    for name in ("li", "chen"):
        for _ in range(5):
            with pytest.raises(SignInRefused):
                house.enter(name, WRONG)
    with pytest.raises(NotYourOwn):
        house.do(unlock_account, "chen", reason="忘了", by=CHEN)
    with pytest.raises(NotAdministrator):
        house.do(unlock_account, "li", reason="忘了", by=MU)
    with pytest.raises(NoReason):
        house.do(unlock_account, "li", reason="", by=CHEN)
    house.do(unlock_account, "li", reason="本人到场", by=CHEN)
    house.do(unlock_account, "chen", reason="本人到场", by=None)
    assert house.events("@accounts")[-2] == (
        "account.unlocked",
        {"account": "a-0005", "reason": "本人到场"},
    )
    assert isinstance(house.enter("li"), Session)
    with pytest.raises(NotLocked):
        house.do(unlock_account, "li", reason="再来", by=CHEN)


# --- sessions -------------------------------------------------------------------------------------


def test_somebody_sees_their_open_sessions_and_which_is_this_one(house: House) -> None:
    first, phone = house.enter("li"), house.enter("li", channel="phone")
    assert isinstance(first, Session)
    assert isinstance(phone, Session)
    told = house.do(open_sessions, "li", token=first.token)
    assert {(one.channel, one.own) for one in told} == {("web", True), ("phone", False)}
    assert all(one.since == one.seen == house.at for one in told)
    house.later(timedelta(hours=2))
    assert house.do(open_sessions, "li") == ()


def test_one_of_them_or_all_others_can_be_ended(house: House) -> None:
    mine, *others = (house.enter("li") for _ in range(4))
    assert isinstance(mine, Session)
    lost = next(one for one in house.do(open_sessions, "li", token=mine.token) if not one.own)
    for name, by in (("mu", MU), ("li", MU)):
        with pytest.raises(NoSuchSession):
            house.do(end_session, name, lost.id, by=by)
    with pytest.raises(NoSuchSession):
        house.do(end_other_sessions, "li", mine.token, by=MU)
    house.do(end_session, "li", lost.id, by=LI)
    with pytest.raises(NoSuchSession):
        house.do(end_session, "li", lost.id, by=LI)
    assert house.last("session.closed") == {
        "account": "a-0005",
        "session": lost.id,
        "how": "revoked",
    }
    assert house.do(end_other_sessions, "li", mine.token, by=LI) == 2
    assert [house.by(one) for one in others if isinstance(one, Session)] == [None] * 3
    assert house.by(mine) == LI
    assert house.do(end_other_sessions, "li", mine.token, by=LI) == 0


def test_an_administrator_ends_somebodys_sessions_with_a_reason(house: House) -> None:
    app = enrolled(house)
    waits = house.waits("mu").token
    with pytest.raises(NoReason):
        house.do(end_sessions_of, "mu", reason=" ", by=CHEN)
    with pytest.raises(NotAdministrator):
        house.do(end_sessions_of, "mu", reason="r", by=LI)
    assert house.do(end_sessions_of, "mu", reason="手机丢了", by=CHEN) == 1
    assert house.by(app.session) is None
    assert house.last("session.closed")["reason"] == "手机丢了"
    with house.database.begin() as conn:
        assert log.read(conn, "@access")[-1].actor["person"] == "p-chen"
    with pytest.raises(SignInOver):
        house.give(waits, app.code(house.later()))


def test_the_log_says_nothing_of_secrets(house: House) -> None:
    app = enrolled(house)
    house.give(house.waits("mu").token, app.codes[0])
    with house.database.begin() as conn:
        bodies = [e.body for stream in log.streams(conn) for e in log.read(conn, stream)]
        names = conn.execute(select(account_table.c.name)).scalars().all()
    for secret in (app.secret, *app.codes, *names):
        assert not [body for body in bodies if f'"{secret}"'.encode() in body], secret
