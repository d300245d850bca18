"""Signing in and out: flask-login around `engine.accounts`; sessions live on the server."""

from typing import Any

from flask import Blueprint, Flask, redirect, render_template, request, session, url_for
from flask_login import (
    LoginManager,
    current_user,
    login_required,
    login_user,
    logout_user,
)
from werkzeug.wrappers import Response

from engine import accounts
from engine.accounts import SignedIn, SignInRefused
from engine.looks import find_scale
from engine.people import By
from web.texts import refusal
from web.visit import at, by, here, house, local_path, reads, see_other, writes

pages = Blueprint("signin", __name__)

# What a person chose for this browser outlives their session.
CHOSEN = ("language", "scale", "theme")


class User:
    """The signed-in person as flask-login wants one; its id is the session's token."""

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def __init__(self, token: str, signed_in: SignedIn) -> None:
        self.token = token
        self.account = signed_in.account
        self.person = signed_in.person
        self.by: By = signed_in.by

    def get_id(self) -> str:
        """The token, which flask-login keeps in the signed cookie."""
        return self.token


def init_app(app: Flask) -> None:
    """Let this application know who is signed in."""
    # Its own context processor would look up who is signed in for every page, and so note the hour
    # at which they were here, on pages for people who are nobody, too: templates are given the
    # proxy instead, which asks when it is asked.
    manager = LoginManager()
    manager.init_app(app, add_context_processor=False)
    app.jinja_env.globals["current_user"] = current_user
    # Its own protection would keep a hash of address and browser; we keep neither.
    manager.session_protection = None
    manager.user_loader(load)
    manager.unauthorized_handler(ask)


def load(token: str) -> User | None:
    """Who is behind a token now; notes at most every few minutes that the session is in use."""
    with reads() as conn:
        found = accounts.find_session(conn, token, at=at())
    if found is None:
        return None
    if found.stale:
        with writes() as conn:
            accounts.touch_session(conn, token, at=at())
    return User(token, found)


def ask() -> Response:
    """Send whoever is not signed in to the sign-in page, and back here afterwards."""
    wanted = here() if request.method == "GET" else None
    return redirect(url_for("signin.form", next=wanted), 303)


@pages.get("/sign-in")
def form() -> str | Response:
    """The sign-in page."""
    if current_user.is_authenticated:
        return redirect(_wanted(), 303)
    return render_template("signin.html", name="", told=None)


@pages.post("/sign-in")
def enter() -> Any:
    """Sign in with account name and password."""
    name = request.form.get("name", "").strip()
    try:
        opened = accounts.sign_in(house().database, name, request.form.get("password", ""), at=at())
    except SignInRefused as refused:
        return render_template("signin.html", name=name, told=refusal(refused)), 403
    chosen = {key: session[key] for key in CHOSEN if key in session}
    # A new cookie for a new session: a token planted before signing in is worth nothing after.
    session.clear()
    session.update(_with_own_scale(chosen, opened.person))
    session.permanent = True
    signed_in = SignedIn(opened.account, opened.person, "web", "zh", stale=False)
    login_user(User(opened.token, signed_in))
    session.pop("_id", None)  # flask-login's hash of address and browser
    return redirect(_wanted(), 303)


@pages.post("/sign-out")
@login_required  # type: ignore[untyped-decorator]
def leave() -> Response:
    """Close the session, on the record."""
    with writes() as conn:
        accounts.sign_out(conn, current_user.token, at=at())
    logout_user()
    return see_other("signin.form")


@pages.post("/password")
@login_required  # type: ignore[untyped-decorator]
def change_password() -> Any:
    """Set another password for oneself; all sessions end."""
    name, told = current_user.account, request.form
    with reads() as conn:
        matches = accounts.password_matches(conn, name, told.get("old", ""))
    if not matches or told.get("new", "") != told.get("again", ""):
        raise accounts.WeakPassword(
            "原密码不对，或两次输入的新密码不一样，密码没有改。",
            "The old password is wrong, or the new ones differ; the password was not changed.",
        )
    hashed = accounts.hash_password(told.get("new", ""))
    with writes() as conn:
        accounts.change_password(conn, name, hashed, by=by(), at=at())
    logout_user()
    return see_other("signin.form")


def _with_own_scale(chosen: dict[str, str], person: str) -> dict[str, str]:
    """What this browser was told, else the size this person chose elsewhere."""
    with reads() as conn:
        scale = find_scale(conn, person)
    return {"scale": scale, **chosen} if scale else chosen


def _wanted() -> str:
    return local_path(request.args.get("next"), url_for("inbox.mine"))
