"""Accounts: made, given a new password, disabled. What they open is said by posts, not here."""

import secrets

from flask import flash, render_template
from werkzeug.wrappers import Response

from engine.account_list import Listed, list_accounts
from engine.accounts import (
    UnknownAccount,
    change_password,
    create_account,
    disable_account,
    find_account,
    hash_password,
)
from engine.people import directory
from engine.provider_links import links_of
from web import provider
from web.admin_pages import clerk, pages, typed
from web.confirming import confirmed
from web.registers import history_of
from web.texts import later, say
from web.visit import at, by, reads, see_other, writes


@pages.get("/accounts")
def accounts() -> str:
    """All accounts: whose, whether open, how often signed in now."""
    with reads() as conn:
        people = directory(conn)
        listed = list_accounts(conn, at=at())
    return render_template("admin_accounts.html", people=people, accounts=listed)


@pages.get("/accounts/<name>")
def account(name: str) -> str:
    """One account and what was changed about it."""
    with reads() as conn:
        found = _listed(list_accounts(conn, at=at()), name)
        people = directory(conn)
        told = history_of(conn, ("accounts",), (found.id,))
        links = links_of(conn, found.id)
    return render_template(
        "admin_account.html",
        people=people,
        account=found,
        history=told,
        links=links,
        provider=provider.at_hand(),
        own=found.person == by().person,
    )


@pages.post("/people/<person>/accounts")
def new_account(person: str) -> str:
    """开设账号: with a password that is shown on this one answer and kept nowhere."""
    password = secrets.token_urlsafe(12)
    hashed = hash_password(password)
    with writes() as conn:
        made = create_account(conn, typed("name"), person, hashed, by=clerk(), at=at())
        people = directory(conn)
    return render_template(
        "admin_password.html", people=people, account=made, password=password, new=True
    )


@pages.post("/accounts/<name>/password")
@confirmed(later("给别人设新密码"))
def new_password(name: str) -> str:
    """重设密码: all sessions end; the new password is shown on this one answer."""
    password = secrets.token_urlsafe(12)
    hashed = hash_password(password)
    with writes() as conn:
        change_password(conn, name, hashed, by=clerk(), at=at())
        changed = find_account(conn, name)
        people = directory(conn)
    return render_template(
        "admin_password.html", people=people, account=changed, password=password, new=False
    )


@pages.post("/accounts/<name>/disabling")
def disable(name: str) -> Response:
    """停用账号."""
    with writes() as conn:
        disable_account(conn, name, reason=typed("reason"), by=clerk(), at=at())
    flash(say("账号已停用"))
    return see_other("admin.account", name=name)


def _listed(listed: list[Listed], name: str) -> Listed:
    found = next((one for one in listed if one.name == name), None)
    if found is None:
        raise UnknownAccount(f"没有账号 {name}。", f"There is no account {name}.")
    return found
