"""What administrators do about how others sign in: lost telephones, lock-outs, open sessions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, flash, render_template, request
from flask_login import login_required
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from engine import factor_keeping, second_factor
from engine.accounts import find_account
from engine.factor_keeping import Standing
from engine.people import administrator, directory
from engine.sessions import end_sessions_of, open_sessions
from web.confirming import confirmed
from web.texts import later, say
from web.visit import at, by, reads, see_other, writes

pages = Blueprint("sign_ins", __name__, url_prefix="/sign-ins")


@dataclass(frozen=True, slots=True)
class Row:
    """An account as administrators see it; obliged: its posts take a second factor."""

    standing: Standing
    person: str
    obliged: bool

    @property
    def name(self) -> str:
        """The name of the account."""
        return self.standing.account.name


@pages.get("")
@login_required  # type: ignore[untyped-decorator]
def everybody() -> str:
    """All accounts, those that are locked first."""
    asked = request.args.get("q", "").strip()
    with reads() as conn:
        found = [row for row in _rows(conn) if asked.casefold() in f"{row.name} {row.person}"]
    found.sort(key=lambda row: row.standing.locked_until is None)
    return render_template("sign_ins.html", rows=found, asked=asked)


@pages.get("/<name>")
@login_required  # type: ignore[untyped-decorator]
def one(name: str) -> str:
    """One account, and what can be done about it."""
    with reads() as conn:
        rows = _rows(conn)
        account = find_account(conn, name)
        opened = open_sessions(conn, name, at=at())
    return render_template(
        "sign_in_of.html",
        row=next(row for row in rows if row.name == account.name),
        sessions=opened,
        own=account.person == by().person,
    )


@pages.post("/<name>/reset")
@login_required  # type: ignore[untyped-decorator]
@confirmed(later("重设别人的第二步验证"))
def reset(name: str) -> Response:
    """Take the second factor off somebody else's account."""
    return _done(factor_keeping.reset_second_factor, name, say("已重设，下次登录时重新绑定"))


@pages.post("/<name>/unlock")
@login_required  # type: ignore[untyped-decorator]
@confirmed(later("解除别人账号的锁定"))
def unlock(name: str) -> Response:
    """Let somebody try again before their lock-out is over."""
    return _done(factor_keeping.unlock_account, name, say("已解除锁定"))


@pages.post("/<name>/end")
@login_required  # type: ignore[untyped-decorator]
@confirmed(later("让别人的登录全部退出"))
def end(name: str) -> Response:
    """End all sessions of an account."""
    return _done(end_sessions_of, name, say("已全部退出"))


def _done(act: Callable[..., Any], name: str, told: str) -> Response:
    with writes() as conn:
        act(conn, name, reason=request.form.get("reason", ""), by=by(), at=at())
    flash(told)
    return see_other("sign_ins.one", name=name)


def _rows(conn: Connection) -> list[Row]:
    """All accounts, for administrators alone."""
    administrator(conn, by(), at())
    people = directory(conn)
    return [
        Row(
            one,
            people.name(one.account.person),
            second_factor.obliged(people, one.account.person, at()),
        )
        for one in factor_keeping.standings(conn, at())
    ]
