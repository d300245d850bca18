"""Signing in and out: flask-login around `engine.accounts`; sessions live on the server.

A right password that waits for a second factor is no session: nobody is signed in by it, and its
token lies in the cookie under another name.
"""

from typing import Any, Final

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
from engine.accounts import Pending, Session, SignedIn, SignInRefused
from engine.attempts import TooManyFailures, place_of
from engine.looks import find_scale
from engine.people import By
from engine.second_step import Waiting, waiting
from web.anonymous import source
from web.provider import ends_sessions
from web.texts import refusal
from web.visit import (
    at,
    by,
    database,
    device_at,
    first_reads,
    here,
    house,
    local_path,
    reads,
    see_other,
    writes,
)

pages = Blueprint("signin", __name__)

# What a person chose for this browser outlives their session.
CHOSEN = ("language", "scale", "theme")
WAITING: Final = "waiting"


class User:
    """The signed-in person as flask-login wants one; its id is the session's token."""

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def __init__(self, token: str, signed_in: SignedIn) -> None:
        self.token = token
        self.account = signed_in.account
        self.person = signed_in.person
        self.signed_in = signed_in
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
    with first_reads() as conn:
        found = accounts.find_session(conn, token, at=at())
    if found is None:
        return None
    if found.stale:
        with writes() as conn:
            accounts.touch_session(conn, token, at=at())
    return User(token, found)


def ask() -> Response:
    """Send whoever is not signed in to the sign-in page, and back here afterwards."""
    to = "signin.form" if who_waits() is None else "second_factor.page"
    return redirect(url_for(to, next=here() if request.method == "GET" else None), 303)


def who_waits() -> Waiting | None:
    """The sign-in of this browser that waits for its second factor, if one does."""
    token = session.get(WAITING)
    if not token:
        return None
    with reads() as conn:
        return waiting(conn, house().field_key, token, at=at())


@pages.get("/sign-in")
def form() -> str | Response:
    """The sign-in page."""
    if current_user.is_authenticated:
        return redirect(wanted(), 303)
    return render_template("signin.html", name="", told=None)


@pages.post("/sign-in")
def enter() -> Any:
    """Sign in with account name and password."""
    name = request.form.get("name", "").strip()
    password = request.form.get("password", "")
    try:
        opened = accounts.sign_in(database(), name, password, at=at(), place=place())
    except (SignInRefused, TooManyFailures) as refused:
        return render_template("signin.html", name=name, told=refusal(refused)), 403
    return go_on(opened, request.args.get("next"))


def go_on(opened: Session | Pending, onward: str | None) -> Response:
    """Into the pages whoever signs in wanted, or first to the second factor."""
    if isinstance(opened, Pending):
        _renew_cookie()
        session[WAITING] = opened.token
        return redirect(url_for("second_factor.page", next=onward), 303)
    let_in(opened)
    return redirect(local_path(onward, url_for("inbox.mine")), 303)


def let_in(opened: Session) -> None:
    """Let this browser have the session that was just opened."""
    _renew_cookie()
    _keep_own_scale(opened.person)
    signed_in = SignedIn(opened.account, opened.person, "web", "zh", stale=False)
    login_user(User(opened.token, signed_in))
    session.pop("_id", None)  # flask-login's hash of address and browser


def place() -> str:
    """What the place this request comes from is called today, for counting failures."""
    return place_of(house().field_key, source(), at())


def _renew_cookie() -> None:
    """Begin a new cookie: a token planted before signing in is worth nothing after."""
    chosen = {key: session[key] for key in CHOSEN if key in session}
    session.clear()
    session.update(chosen)
    session.permanent = True


@pages.post("/sign-out")
@login_required  # type: ignore[untyped-decorator]
def leave() -> Response:
    """Close the session, on the record; whoever came by a provider may sign out there, too."""
    vouched = current_user.signed_in.link
    with writes() as conn:
        accounts.sign_out(conn, current_user.token, at=at())
    logout_user()
    left = "provider" if vouched and ends_sessions(device_at()) else None
    return see_other("signin.form", left=left)


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


def _keep_own_scale(person: str) -> None:
    """Show pages at the size this person chose elsewhere, unless this browser was told another."""
    with reads() as conn:
        scale = find_scale(conn, person)
    if scale:
        session.setdefault("scale", scale)


def wanted() -> str:
    """Where whoever signs in wanted to go."""
    return local_path(request.args.get("next"), url_for("inbox.mine"))
