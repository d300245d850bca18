"""Signing in by the office's own identity provider: going there, coming back, linking an account.

There only where one is configured. To the provider it goes by links, never by forms: the policy of
our pages lets no form end on another site. What came back is believed once `web.provider` has read
it; whom it lets in is decided by `engine.provider_links`.
"""

import logging
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, Flask, flash, redirect, render_template, request, url_for
from flask_login import current_user, login_required
from werkzeug.wrappers import Response

from engine import attempts, provider_links, second_step
from engine.attempts import TooManyFailures
from engine.errors import Refusal
from engine.provider_answers import LIFETIME, take_answer
from engine.provider_links import Identity, NotLinked, refuse_word
from web import provider, refusals
from web.config import Settings
from web.confirming import confirmed
from web.provider import Provider, Question, Word
from web.provider_refusals import FORGED, ProviderRefused
from web.signed_cookies import drop, hand_on, handed_on
from web.signin import ask, go_on, place, wanted
from web.texts import language, later, refusal, say
from web.visit import at, by, database, device_at, local_path, reads, see_other, writes

pages = Blueprint("provider_sign_in", __name__)

# Cookies of their own, each sent to the pages alone that need it.
QUESTION: Final = "shaoji_question"
QUESTION_PATH: Final = "/sign-in/provider"
SHOWN: Final = "shaoji_shown"
SHOWN_PATH: Final = "/me/sign-in/provider"

logger = logging.getLogger("shaoji.provider")


def init_app(app: Flask, settings: Settings) -> None:
    """Offer the identity provider of these settings; without one there is nothing of it.

    Raises BadSettings if it is configured by halves.
    """
    found = provider.configured(settings)
    app.jinja_env.globals["provider_name"] = provider.label
    if found is not None:
        app.extensions[provider.EXTENSION] = found
        app.register_blueprint(pages)


# --- going there ----------------------------------------------------------------------------------


@pages.get("/sign-in/provider")
def go() -> Any:
    """Go to the provider to sign in."""
    if current_user.is_authenticated:
        return redirect(wanted(), 303)
    return _sent("enter", wanted())


@pages.get("/confirm/provider")
@login_required  # type: ignore[untyped-decorator]
def confirm() -> Any:
    """Go to the provider to show again that it is you."""
    return _sent("confirm", local_path(request.args.get("next"), ""))


@pages.get("/me/sign-in/provider")
@login_required  # type: ignore[untyped-decorator]
@confirmed(later("绑定统一登录"))
def link() -> Any:
    """Go to the provider to show whom to link to one's own account."""
    return _sent("link", url_for("provider_sign_in.linking"))


@pages.get("/sign-in/provider/leaving")
def leaving() -> Any:
    """Sign out at the provider, too."""
    try:
        address = provider.end_address(_provider(), device_at())
        if address is None:
            raise ProviderRefused("no_end")
    except ProviderRefused as refused:
        return _not_in(refused)
    return redirect(address, 303)


def _sent(purpose: str, onward: str) -> Any:
    question = Question(secrets.token_urlsafe(32), purpose, onward, device_at())
    try:
        _check_attempts()
        address = provider.question_address(_provider(), question, language=language())
    except ProviderRefused as refused:
        return _refused(purpose, refused)
    told = [question.token, purpose, onward, question.at.isoformat()]
    response = redirect(address, 303)
    hand_on(response, QUESTION, told, path=QUESTION_PATH)
    return response


# --- coming back ----------------------------------------------------------------------------------


@pages.get("/sign-in/provider/answer")
def answer() -> Any:
    """What the provider answers, in the query of its redirect."""
    question = _question()
    purpose = question.purpose if question else "enter"
    try:
        _check_attempts()
        word = _word(question)
        return _DONE[purpose](question, word)
    except ProviderRefused as refused:
        _count(refused.reason)
        logger.warning("an answer of the identity provider was refused: %s", refused.reason)
        return _refused(purpose, refused)
    except Refusal as refused:
        return _refused(purpose, refused)


def _question() -> Question | None:
    """The question this browser was sent away with; it is answered once."""
    kept = handed_on(QUESTION)
    if kept is None:
        return None
    drop(QUESTION, path=QUESTION_PATH)
    token, purpose, onward, asked_at = kept
    return Question(token, purpose, onward, datetime.fromisoformat(asked_at))


def _word(question: Question | None) -> Word:
    """Whom the provider vouches for; each answer is read once, in whatever process."""
    state = request.args.get("state", "")
    if question is not None and not state:
        provider.check_let_in(request.args)  # some forget the state when they refuse
    if question is None or not provider.fits(question, state):
        raise ProviderRefused("not_asked")
    with database().begin() as conn:
        is_new = take_answer(conn, state, at=device_at())
    if not is_new:
        raise ProviderRefused("used")
    return provider.word_of(_provider(), question, request.args, device_at())


def _entered(question: Question, word: Word) -> Any:
    try:
        opened = provider_links.enter(database(), word.identity, at=at(), place=_place())
    except NotLinked as refused:
        return _not_in(refused, subject=word.identity.subject)
    return go_on(opened, question.onward)


def _confirmed(question: Question, word: Word) -> Any:
    if not current_user.is_authenticated:
        return ask()
    second_step.confirm_by_provider(database(), current_user.token, word.identity, at=at())
    if question.onward:
        return redirect(question.onward, 303)
    return redirect(url_for("provider_sign_in.confirmed_there"), 303)


def _shown(question: Question, word: Word) -> Any:
    if not current_user.is_authenticated:
        return ask()
    # By whom it was shown, too: somebody else may sign in here meanwhile.
    told = [current_user.account, word.identity.subject, word.called, device_at().isoformat()]
    response = redirect(question.onward, 303)
    hand_on(response, SHOWN, told, path=SHOWN_PATH)
    return response


_DONE: Final[Mapping[str, Callable[[Any, Word], Any]]] = {
    "enter": _entered,
    "confirm": _confirmed,
    "link": _shown,
}


@pages.get("/confirm/provider/done")
@login_required  # type: ignore[untyped-decorator]
def confirmed_there() -> str:
    """Tell who has confirmed in another window to go back to the first."""
    return render_template("provider_confirmed.html")


# --- linking --------------------------------------------------------------------------------------


@pages.route("/me/sign-in/provider/linking", methods=["GET", "POST"])
@login_required  # type: ignore[untyped-decorator]
@confirmed(later("绑定统一登录"))
def linking() -> Any:
    """Ask whether that is oneself, and link it.

    The answer came with a redirect, which another site can bring about: only this form links.
    """
    account, subject, called, shown_at = handed_on(SHOWN) or ("", "", "", "")
    if account != current_user.account or _is_over(shown_at):
        drop(SHOWN, path=SHOWN_PATH)
        flash(say("还没有绑定：离在统一登录那边登录已超过 10 分钟，或换了账号。请再来一次。"))
        return see_other("own_sign_in.page")
    if request.method == "GET":
        return render_template("provider_linking.html", subject=subject, called=called)
    drop(SHOWN, path=SHOWN_PATH)
    with writes() as conn:
        identity = Identity(_provider().issuer, subject)
        provider_links.link_own(conn, account, identity, by=by(), at=at())
    flash(say("已绑定，以后可以用{provider}登录", provider=provider.label()))
    return see_other("own_sign_in.page")


@pages.post("/me/sign-in/links/<link_id>/removal")
@login_required  # type: ignore[untyped-decorator]
@confirmed(later("解除统一登录的绑定"))
def unlink(link_id: str) -> Response:
    """Take a link off one's own account; all other sessions end."""
    name, token = current_user.account, current_user.token
    with writes() as conn:
        provider_links.unlink_own(conn, name, link_id, token=token, by=by(), at=at())
    flash(say("绑定已解除，别处的登录都已退出。以后用密码登录。"))
    return see_other("own_sign_in.page")


@pages.post("/admin/accounts/<name>/links")
@login_required  # type: ignore[untyped-decorator]
@confirmed(later("给别人的账号绑定统一登录"))
def link_account(name: str) -> Response:
    """Link somebody's account to what the provider calls them."""
    identity = Identity(_provider().issuer, request.form.get("subject", "").strip())
    reason = request.form.get("reason", "")
    with writes() as conn:
        provider_links.link_account(conn, name, identity, reason=reason, by=by(), at=at())
    flash(say("已绑定，本人以后可以用{provider}登录", provider=provider.label()))
    return see_other("admin.account", name=name)


@pages.post("/admin/accounts/<name>/links/<link_id>/removal")
@login_required  # type: ignore[untyped-decorator]
@confirmed(later("解除别人账号的统一登录"))
def unlink_account(name: str, link_id: str) -> Response:
    """Take a link off somebody's account; all its sessions end."""
    reason = request.form.get("reason", "")
    with writes() as conn:
        provider_links.unlink_account(conn, name, link_id, reason=reason, by=by(), at=at())
    flash(say("绑定已解除，这个账号的登录都已退出"))
    return see_other("admin.account", name=name)


def _is_over(shown_at: str) -> bool:
    return not shown_at or device_at() - datetime.fromisoformat(shown_at) > LIFETIME


# --- refusing -------------------------------------------------------------------------------------


def _refused(purpose: str, refused: Refusal) -> Any:
    """The refusal where it was met: at the sign-in page, or as a card for who is signed in."""
    if purpose == "enter" and not current_user.is_authenticated:
        return _not_in(refused)
    code = refusals.status(refused)
    page = render_template(
        "refusal.html",
        title=say(refusals.TITLES[code]),
        told=refusal(refused),
        code=code,
        acted=False,
        back=url_for("own_sign_in.page") if current_user.is_authenticated else None,
        here=url_for("inbox.home"),
    )
    return page, code


def _not_in(refused: Refusal, subject: str = "") -> Any:
    """The sign-in page, saying why; subject: what an administrator needs to link it."""
    page = render_template(
        "signin.html", name="", told=refusal(refused), subject=subject, here=url_for("signin.form")
    )
    return page, refusals.status(refused)


def _check_attempts() -> None:
    try:
        with reads() as conn:
            attempts.check(conn, _place(), at=at())
    except TooManyFailures:
        raise ProviderRefused("often") from None


def _count(reason: str) -> None:
    """Count what did not come right; what was forged is recorded, too."""
    if reason in FORGED:
        refuse_word(database(), at=at(), place=_place())
    elif reason == "failed":  # each costs the provider an answer
        with database().begin() as conn:
            attempts.count(conn, _place(), at=at())


def _place() -> str:
    """The place a request comes from, counted apart from passwords.

    A provider with a wrong clock must not lock a whole office out of those.
    """
    return f"provider {place()}"


def _provider() -> Provider:
    found = provider.at_hand()
    if found is None:
        raise RuntimeError("these pages are there only where a provider is configured")
    return found
