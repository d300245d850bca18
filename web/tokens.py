"""Tokens for other programs, on a page under 我的: made with the password, shown once, revoked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from flask import Blueprint, flash, render_template, request
from flask_login import current_user, login_required
from werkzeug.wrappers import Response

from engine import api_tokens
from engine.accounts import password_matches
from engine.api_tokens import SCOPES, NewToken, Token
from engine.errors import BadInput, NotAllowed
from web.texts import either, later, refusal, say
from web.visit import at, by, reads, see_other, writes

pages = Blueprint("tokens", __name__)

PATH: Final = "/me/tokens"
# How long a token may be good for: days, and the words for them.
LIVES: Final = (
    (30, later("30 天")),
    (90, later("90 天")),
    (180, later("半年")),
    (365, later("一年")),
)
STATES: Final = {
    "live": (later("有效"), "ok"),
    "expired": (later("已过期"), "dash"),
    "revoked": (later("已撤销"), "dash"),
    "ended": (later("已失效：改过密码或账号停用"), "dash"),
}


class WrongPassword(NotAllowed):
    """Whoever makes a token shows once more that they are who they are."""

    def __init__(self) -> None:
        super().__init__(
            "密码不对，没有创建。请再输一次您的登录密码。",
            "Wrong password; nothing was made. Type your own password once more.",
        )


@dataclass(frozen=True, slots=True)
class Row:
    """A token in the list; scopes, state: in words."""

    token: Token
    scopes: Sequence[str]
    state: str
    shape: str


@pages.get(PATH)
@login_required  # type: ignore[untyped-decorator]
def page() -> str:
    """One's tokens, and a form for another one."""
    return _page()


@pages.post(PATH)
@login_required  # type: ignore[untyped-decorator]
def create() -> Any:
    """Make a token and show it, this once."""
    told = request.form
    with reads() as conn:
        matches = password_matches(conn, current_user.account, told.get("password", ""))
    days = next((days for days, _ in LIVES if str(days) == told.get("days")), 0)
    try:
        if not matches:
            raise WrongPassword
        with writes() as conn:
            made = api_tokens.create_token(
                conn, current_user.account, told.get("name", ""), told.getlist("scopes"),
                expires_at=at() + timedelta(days), by=by(), at=at(),
            )  # fmt: skip
    except (BadInput, WrongPassword) as refused:
        return _page(told=refusal(refused)), 422
    return _page(made=made)


@pages.post(f"{PATH}/<token>/revocation")
@login_required  # type: ignore[untyped-decorator]
def revoke(token: str) -> Response:
    """End a token at once."""
    with writes() as conn:
        api_tokens.revoke_token(conn, current_user.account, token, by=by(), at=at())
    flash(say("令牌已撤销，用它的程序不能再进来"))
    return see_other("tokens.page")


def _page(*, made: NewToken | None = None, told: str = "") -> str:
    with reads() as conn:
        found = api_tokens.tokens_of(conn, current_user.account, at=at())
    refused = bool(told)
    return render_template(
        "tokens.html",
        rows=[_row(one) for one in found],
        made=made,
        told=told,
        scopes=[(scope, either(*words)) for scope, words in SCOPES.items()],
        lives=[(str(days), say(words)) for days, words in LIVES],
        name=request.form.get("name", "") if refused else "",
        chosen=request.form.getlist("scopes") if refused else [],
        days=request.form.get("days", "90") if refused else "90",
    )


def _row(token: Token) -> Row:
    words, shape = STATES[token.state]
    return Row(token, [either(*SCOPES[scope]) for scope in token.scopes], say(words), shape)
