"""Every command on accounts: sessions, second factors, tokens, and links to a provider."""

from datetime import timedelta

from pyotp import TOTP

from audit.entries import ENGINE
from engine.accounts import (
    Pending,
    Session,
    admit,
    change_password,
    create_account,
    disable_account,
    end_sessions,
    find_account,
    sign_in,
    sign_out,
)
from engine.api_tokens import SCOPES, create_token, revoke_token
from engine.factor_keeping import (
    remove_second_factor,
    renew_recovery_codes,
    reset_second_factor,
    unlock_account,
)
from engine.people import By, end_post, grant_post, register_person
from engine.provider_links import link_account, link_own, unlink_account, unlink_own
from engine.second_step import enrol_and_enter, waiting
from engine.sessions import end_other_sessions, end_session, end_sessions_of, open_sessions
from tests.conftest import Street
from tests.engine.test_provider_links import LI_THERE, MU_THERE
from tests.engine.test_second_factor import HASH, KEY, RIGHT


def play(street: Street) -> None:
    """Live through it with an administrator, a keeper of identities, and somebody else."""
    do = street.do
    chen, mu, li = (By(do(register_person, f"{n}演示", by=None)) for n in ("陈", "沐", "李"))
    for by, duty in ((mu, "custody"), (li, "confirm"), (chen, "administer")):
        post = do(grant_post, by.person, "u-street", "岗", [duty], reason="启用", by=None)
        if by is mu:
            keeper = post
    do(create_account, "chen", chen.person, HASH, by=None)
    for name, by in (("mu", mu), ("li", li)):
        do(create_account, name, by.person, HASH, by=chen)
    entered(street, chen, li)
    factors(street, chen, mu, keeper.id)
    linked(street, chen, mu, li)
    do(change_password, "li", HASH, by=li)
    do(disable_account, "li", reason="离职", by=chen)


def session(street: Street, name: str) -> Session:
    found = sign_in(street.database, name, RIGHT, at=street.at)
    assert isinstance(found, Session)
    return found


def entered(street: Street, chen: By, li: By) -> None:
    do = street.do
    opened = do(admit, "li", True, channel="web")
    do(sign_out, opened.token)
    mine, lost, *_ = (session(street, "li") for _ in range(4))
    found = next(o for o in do(open_sessions, "li", token=lost.token) if o.own)
    do(end_session, "li", found.id, by=li)
    do(end_other_sessions, "li", mine.token, by=li)
    do(end_sessions_of, "li", reason="失窃", by=chen)
    session(street, "li")
    with street.database.begin() as conn:
        account = find_account(conn, "li").id
    do(end_sessions, account, "revoked", dict(ENGINE))
    told = do(
        create_token, "li", "台账", sorted(SCOPES)[:1],
        expires_at=street.at + timedelta(days=9), by=li,
    )  # fmt: skip
    do(revoke_token, "li", told.id, by=li)
    for _ in range(5):
        do(admit, "li", False, channel="web")
    do(unlock_account, "li", reason="本人到场", by=chen)


def factors(street: Street, chen: By, mu: By, keeper: str) -> None:
    do = street.do
    for last in (False, True):
        street.later(minutes=1)
        token = sign_in(street.database, "mu", RIGHT, at=street.at)
        assert isinstance(token, Pending)
        secret = do(waiting, KEY, token.token).secret
        typed = TOTP(secret).at(street.at)
        enrol_and_enter(street.database, KEY, token.token, typed, at=street.at, device_at=street.at)
        if not last:
            do(reset_second_factor, "mu", reason="丢失", by=None)
    do(renew_recovery_codes, KEY, "mu", by=mu)
    street.later(minutes=1)
    do(end_post, keeper, reason="离任", by=chen)
    do(remove_second_factor, "mu", by=mu)


def linked(street: Street, chen: By, mu: By, li: By) -> None:
    do = street.do
    own = do(link_own, "li", LI_THERE, by=li)
    do(unlink_own, "li", own.id, token=session(street, "li").token, by=li)
    given = do(link_account, "mu", MU_THERE, reason="入职登记", by=chen)
    do(unlink_account, "mu", given.id, reason="离职", by=chen)
