"""Whom an identity provider vouches for: linked on the record, let in like by a password, once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text, update

from audit import log
from audit.commitments import opens
from engine import attempts
from engine.accounts import (
    CONFIRMED_FOR,
    Pending,
    Session,
    SignInRefused,
    disable_account,
    find_session,
    sign_in,
)
from engine.attempts import TooManyFailures
from engine.people import NotAdministrator
from engine.provider_answers import LIFETIME, answer_table, take_answer
from engine.provider_links import (
    FIELD,
    LONGEST_SUBJECT,
    AccountDisabled,
    AccountLocked,
    AlreadyLinked,
    BadSubject,
    Identity,
    Link,
    LinkedElsewhere,
    LinkYourOwn,
    NoSuchLink,
    NotLinked,
    NotOwner,
    enter,
    find_link,
    link_account,
    link_own,
    link_table,
    links_of,
    refuse_word,
    unlink_account,
    unlink_own,
)
from engine.reasons import NoReason
from engine.second_step import CodeWanted, SignInOver, SomebodyElse, confirm_by_provider
from engine.verification import verify
from tests.engine.test_second_factor import (
    CHEN,
    LI,
    MU,
    WRONG,
    House,
    confirmed,
    enrolled,
)
from tests.engine.test_second_factor import house as house

ISSUER = "https://id.office.example/realm"
LI_THERE = Identity(ISSUER, "4711-li")
MU_THERE = Identity(ISSUER, "4711-mu")
LI_ACCOUNT = "a-0005"


def by_provider(house: House, identity: Identity = LI_THERE, **more: Any) -> Session | Pending:
    return enter(house.database, identity, at=house.at, **more)


def linked(house: House, identity: Identity = LI_THERE, name: str = "li", by: Any = LI) -> Link:
    made: Link = house.do(link_own, name, identity, by=by)
    return made


def links(house: House, account: str = LI_ACCOUNT) -> tuple[Link, ...]:
    found: tuple[Link, ...] = house.do(lambda conn, at: links_of(conn, account))
    return found


# --- linking --------------------------------------------------------------------------------------


def test_a_link_is_an_event_with_a_commitment_and_no_name(house: House) -> None:
    link = linked(house)
    type_, data = house.events("@accounts")[-1]
    assert type_ == "account.linked"
    assert data.keys() == {"account", "link", "issuer", "subject_commitment"}
    assert (data["account"], data["link"], data["issuer"]) == (LI_ACCOUNT, link.id, ISSUER)
    with house.database.begin() as conn:
        row = conn.execute(link_table.select()).one()
        bodies = str(conn.execute(text("SELECT body FROM event")).all())
        assert find_link(conn, LI_THERE) == link
        assert find_link(conn, Identity("https://other.example", LI_THERE.subject)) is None
    assert LI_THERE.subject not in bodies
    assert opens(data["subject_commitment"], FIELD, LI_THERE.subject, bytes(row.salt))
    assert not opens(data["subject_commitment"], FIELD, MU_THERE.subject, bytes(row.salt))


def test_only_the_owner_links_by_having_been_there(house: House) -> None:
    with pytest.raises(NotOwner):
        linked(house, by=MU)
    assert links(house) == ()


def test_an_administrator_links_others_with_a_reason_and_never_themselves(house: House) -> None:
    def link(name: str = "li", reason: str = "入职登记", by: Any = CHEN) -> Any:
        return house.do(link_account, name, LI_THERE, reason=reason, by=by)

    with pytest.raises(NotAdministrator):
        link(by=MU)
    with pytest.raises(NoReason):
        link(reason=" ")
    with pytest.raises(LinkYourOwn):
        link("chen")
    assert links(house) == ()
    link()
    assert house.last("account.linked", "@accounts")["reason"] == "入职登记"
    assert [one.identity for one in links(house)] == [LI_THERE]


def test_an_account_has_one_link_to_a_provider_and_a_subject_one_account(house: House) -> None:
    linked(house)
    with pytest.raises(AlreadyLinked):
        linked(house, MU_THERE)
    with pytest.raises(LinkedElsewhere):
        linked(house, LI_THERE, "mu", MU)
    linked(house, Identity("https://second.example", "x"))
    assert len(links(house)) == 2


@pytest.mark.parametrize(
    "subject", ["", "  ", "a\nb", "a\0", "x" * (LONGEST_SUBJECT + 1), "e\u0301"]
)
def test_what_no_provider_calls_anybody_is_refused(house: House, subject: str) -> None:
    with pytest.raises(BadSubject):
        linked(house, Identity(ISSUER, subject))


def test_of_two_who_link_one_subject_at_once_one_does(house: House) -> None:
    def attempt(who: tuple[str, Any]) -> bool:
        try:
            linked(house, LI_THERE, *who)
        except LinkedElsewhere:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(attempt, [("li", LI), ("mu", MU)])) == [False, True]


def test_a_disabled_account_is_not_linked(house: House) -> None:
    house.do(disable_account, "li", reason="离职", by=CHEN)
    with pytest.raises(AccountDisabled):
        house.do(link_account, "li", LI_THERE, reason="r", by=CHEN)


def test_the_owner_unlinks_and_everything_else_of_theirs_ends(house: House) -> None:
    link, here, there = linked(house), house.enter("li"), by_provider(house)
    assert isinstance(here, Session)
    assert isinstance(there, Session)
    with pytest.raises(NotOwner):
        house.do(unlink_own, "li", link.id, token=here.token, by=MU)
    with pytest.raises(NoSuchLink):
        house.do(unlink_own, "li", "l-9999", token=here.token, by=LI)
    house.do(unlink_own, "li", link.id, token=here.token, by=LI)
    assert house.by(here) == LI
    assert house.by(there) is None
    assert house.last("session.closed")["how"] == "unlinked"
    assert house.events("@accounts")[-1] == (
        "account.unlinked", {"account": LI_ACCOUNT, "link": link.id},
    )  # fmt: skip
    with pytest.raises(NotLinked):
        by_provider(house)
    with house.database.begin() as conn:
        assert conn.execute(link_table.select()).all() == []


def test_an_administrator_unlinks_with_a_reason_and_the_account_is_out(house: House) -> None:
    link, session = linked(house), by_provider(house)
    assert isinstance(session, Session)

    def unlink(reason: str, by: Any, which: str = link.id) -> None:
        house.do(unlink_account, "li", which, reason=reason, by=by)

    with pytest.raises(NotAdministrator):
        unlink("r", MU)
    with pytest.raises(NoReason):
        unlink("", CHEN)
    with pytest.raises(NoSuchLink):
        unlink("r", CHEN, "l-9999")
    assert house.by(session) == LI
    unlink("那边的帐号被盗", CHEN)
    assert house.by(session) is None
    assert house.last("session.closed")["reason"] == "那边的帐号被盗"
    linked(house)


def test_a_link_of_somebody_else_is_none_of_ones_own(house: House) -> None:
    link = linked(house)
    with pytest.raises(NoSuchLink):
        house.do(unlink_own, "mu", link.id, token="", by=MU)


# --- signing in -----------------------------------------------------------------------------------


def test_whom_the_provider_vouches_for_gets_a_session_that_says_so(house: House) -> None:
    link = linked(house)
    session = by_provider(house)
    assert isinstance(session, Session)
    assert (session.account, house.by(session)) == ("li", LI)
    told = house.last("session.opened")
    assert (told["account"], told["link"]) == (LI_ACCOUNT, link.id)
    with house.database.begin() as conn:
        found = find_session(conn, session.token, at=house.at)
    assert found
    assert found.link == link.id
    assert found.confirmed(house.at)
    assert isinstance(house.enter("li"), Session)
    assert "link" not in house.last("session.opened")


def test_nobody_gets_an_account_by_being_known_there(house: House) -> None:
    for stranger in (LI_THERE, Identity("https://other.example", LI_THERE.subject)):
        with pytest.raises(NotLinked):
            by_provider(house, stranger)
    assert house.last("session.refused") == {"reason": "unlinked", "count": 1}


def test_who_must_have_a_second_factor_still_must(house: House) -> None:
    link = linked(house, MU_THERE, "mu", MU)
    waits = by_provider(house, MU_THERE)
    assert isinstance(waits, Pending)
    assert not waits.enrolled
    app = enrolled(house)
    house.later()
    waits = by_provider(house, MU_THERE)
    assert isinstance(waits, Pending)
    assert waits.enrolled
    session = house.give(waits.token, app.code(house.at))
    assert house.by(session) == MU
    told = house.last("session.opened")
    assert (told["factor"], told["link"]) == ("code", link.id)


def test_a_sign_in_that_waits_ends_with_its_link(house: House) -> None:
    link = linked(house, MU_THERE, "mu", MU)
    app = enrolled(house)
    house.later()
    waits = by_provider(house, MU_THERE)
    house.do(unlink_own, "mu", link.id, token=app.session.token, by=MU)
    with pytest.raises(SignInOver):
        house.give(waits.token, app.code(house.at))


def test_a_disabled_account_stays_shut(house: House) -> None:
    linked(house)
    house.do(disable_account, "li", reason="离职", by=CHEN)
    with pytest.raises(AccountDisabled):
        by_provider(house)
    assert house.last("session.refused")["reason"] == "disabled"


def test_a_locked_account_waits_this_way_too_and_then_opens(house: House) -> None:
    linked(house)
    for _ in range(5):
        with pytest.raises(SignInRefused):
            sign_in(house.database, "li", WRONG, at=house.at)
    with pytest.raises(AccountLocked):
        by_provider(house)
    house.later(timedelta(minutes=15))
    assert isinstance(by_provider(house), Session)


def test_strangers_and_forged_words_are_counted_by_place(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "MOST", 3)
    linked(house)
    for _ in range(2):
        with pytest.raises(NotLinked):
            by_provider(house, MU_THERE, place="here")
    refuse_word(house.database, at=house.at, place="here")
    with pytest.raises(TooManyFailures):
        by_provider(house, place="here")
    assert isinstance(by_provider(house, place="there"), Session)
    told = [data["reason"] for type_, data in house.events("@access") if type_ == "session.refused"]
    assert told == ["unlinked"]  # the others are counted with it: one event a quarter of an hour


# --- confirming again -----------------------------------------------------------------------------


def there(house: House, token: str, identity: Identity = LI_THERE) -> None:
    confirm_by_provider(house.database, token, identity, at=house.at)


def test_signing_in_there_anew_confirms_like_the_password(house: House) -> None:
    linked(house)
    session = by_provider(house)
    assert isinstance(session, Session)
    house.later(CONFIRMED_FOR)
    assert not confirmed(house, session)
    there(house, session.token)
    assert confirmed(house, session)
    assert house.last("session.confirmed")["factor"] == "provider"


def test_nobody_else_there_confirms(house: House) -> None:
    linked(house)
    session = house.enter("li")
    assert isinstance(session, Session)
    linked(house, MU_THERE, "mu", MU)
    house.later(CONFIRMED_FOR)
    for stranger in (MU_THERE, Identity(ISSUER, "4711-nobody")):
        with pytest.raises(SomebodyElse):
            there(house, session.token, stranger)
    assert not confirmed(house, session)


def test_it_replaces_no_code(house: House) -> None:
    linked(house, MU_THERE, "mu", MU)
    app = enrolled(house)
    house.later(CONFIRMED_FOR)
    with pytest.raises(CodeWanted):
        there(house, app.session.token, MU_THERE)
    assert not confirmed(house, app.session)


def test_a_locked_account_and_a_session_that_ended_confirm_nothing(house: House) -> None:
    linked(house)
    session = by_provider(house)
    assert isinstance(session, Session)
    for _ in range(5):
        with pytest.raises(SignInRefused):
            sign_in(house.database, "li", WRONG, at=house.at)
    with pytest.raises(AccountLocked):
        there(house, session.token)
    house.do(disable_account, "li", reason="离职", by=CHEN)
    with pytest.raises(SignInOver):
        there(house, session.token)


# --- answers --------------------------------------------------------------------------------------


def test_an_answer_is_taken_once_and_forgotten_when_it_is_old(house: House) -> None:
    assert house.do(take_answer, "state")
    assert not house.do(take_answer, "state")
    assert house.do(take_answer, "another")
    house.later(2 * LIFETIME)
    assert house.do(take_answer, "third")
    with house.database.begin() as conn:
        assert len(conn.execute(answer_table.select()).all()) == 1
        assert "third" not in str(conn.execute(answer_table.select()).all())


def test_of_two_processes_with_one_answer_one_takes_it(house: House) -> None:
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda _: house.do(take_answer, "state"), range(8)))
    assert taken.count(True) == 1


# --- the log stands behind it ---------------------------------------------------------------------


def _redirected(conn: Any, row: Any) -> None:
    conn.execute(update(link_table).values(account="a-0001"))


def _renamed(conn: Any, row: Any) -> None:
    conn.execute(update(link_table).values(subject="somebody"))


def _removed(conn: Any, row: Any) -> None:
    conn.execute(link_table.delete())


def _invented(conn: Any, row: Any) -> None:
    values = row._asdict() | {"id": "l-9000", "account": "a-0001", "subject": "somebody"}
    conn.execute(link_table.insert(), values)


@pytest.mark.parametrize("tamper", [_redirected, _renamed, _removed, _invented])
def test_a_link_made_behind_the_logs_back_is_found(
    house: House, tamper: Callable[[Any, Any], None]
) -> None:
    link = linked(house)
    with house.database.begin() as conn:
        row = conn.execute(link_table.select()).one()
    with house.database.begin() as conn:
        tamper(conn, row)
        found = verify(conn).problems
        assert [one.case for one in found] == ["@accounts"]
        which = "l-9000" if tamper is _invented else link.id
        assert f"the link {which} to a provider is not kept as it was recorded" in str(found)
        conn.rollback()


def test_linking_again_after_unlinking_leaves_a_log_that_verifies(house: House) -> None:
    session = house.enter("li")
    first = linked(house)
    house.do(unlink_own, "li", first.id, token=session.token, by=LI)
    second = linked(house, Identity(ISSUER, "4711-li-new"))
    assert second.id != first.id
    with house.database.begin() as conn:
        assert verify(conn).problems == ()
        assert [entry.type for entry in log.read(conn, "@accounts")][-3:] == [
            "account.linked", "account.unlinked", "account.linked",
        ]  # fmt: skip
