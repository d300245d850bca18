"""Showing again that it is you, before something sealed is seen or anything leaves the house.

Asked in the answer to the very form that needs it: what was filled in stays in hidden fields, and
the same form is sent once more, with the confirmation. Nothing is lost and nothing kept meanwhile.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from flask import Blueprint, redirect, render_template, request, url_for
from flask_login import current_user, login_required

from engine import second_step
from engine.accounts import CONFIRMED_FOR, find_account
from engine.provider_links import links_of
from engine.second_step import CodeRefused, ConfirmationRefused
from web.provider import at_hand, label
from web.texts import later, refusal, say
from web.visit import at, database, device_at, here, house, local_path, reads

pages = Blueprint("confirming", __name__)

# Fields of the confirmation itself, and the token of the page the form came from.
OWN: Final = frozenset({"code", "recovery", "password", "confirming", "csrf_token"})
GOING_ON: Final = later("继续打开刚才的页面")

View = Callable[..., Any]


def confirmed(what: str) -> Callable[[View], View]:
    """Let a view go on only for whoever has shown within ten minutes that it is them.

    what: what they are about to do, as `later("…")`. To stand under `login_required`.
    """

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(**values: Any) -> Any:
            return _asked(what) or view(**values)

        return guarded

    return guard


@pages.get("/confirm")
@login_required  # type: ignore[untyped-decorator]
def page() -> Any:
    """Ask whoever opens a page that takes a confirmation, then send them there."""
    if current_user.signed_in.confirmed(at()):
        return redirect(_next(), 303)
    return _page(GOING_ON, "")


@pages.post("/confirm")
@login_required  # type: ignore[untyped-decorator]
def confirm() -> Any:
    """Confirm, and go on to the page that was wanted."""
    return _confirmed(GOING_ON) or redirect(_next(), 303)


def typed_code() -> str:
    """What was typed: a code of the app, else a recovery code."""
    told = request.form
    return (told.get("code", "").strip() or told.get("recovery", "").strip())[:100]


def _asked(what: str) -> Any:
    """The page that asks, or None if there is nothing to ask."""
    if request.method == "GET":
        fresh = current_user.signed_in.confirmed(at())
        return None if fresh else redirect(url_for("confirming.page", next=here()), 303)
    if "confirming" in request.form and not _confirmed_elsewhere():
        return _confirmed(what)
    return None if current_user.signed_in.confirmed(at()) else (_page(what, ""), 422)


def _confirmed_elsewhere() -> bool:
    """Whether they typed nothing here but have signed in at the provider in another window."""
    typed = typed_code() or request.form.get("password", "")
    return not typed and bool(current_user.signed_in.confirmed(at()))


def _confirmed(what: str) -> Any:
    """The page that asks again, or None if the confirmation was right."""
    enrolled = current_user.signed_in.enrolled
    typed = typed_code() if enrolled else request.form.get("password", "")
    if not typed:
        told = say("请输入验证码。") if enrolled else say("请输入密码。")
        return _page(what, told), 422
    try:
        second_step.confirm(
            database(), house().field_key, current_user.token, typed,
            at=at(), device_at=device_at(),
        )  # fmt: skip
    except (CodeRefused, ConfirmationRefused) as refused:
        return _page(what, refusal(refused)), 422
    return None


def _page(what: str, told: str) -> str:
    kept = [pair for pair in request.form.items(multi=True) if pair[0] not in OWN]
    return render_template(
        "confirm.html",
        what=say(what),
        told=told,
        kept=kept,
        enrolled=current_user.signed_in.enrolled,
        provider=label() if _is_linked() else "",
        minutes=int(CONFIRMED_FOR.total_seconds() // 60),
        back=_back(),
    )


def _is_linked() -> bool:
    """Whether the provider at hand vouches for whoever is signed in."""
    found = at_hand()
    if found is None:
        return False
    with reads() as conn:
        links = links_of(conn, find_account(conn, current_user.account).id)
    return any(one.identity.issuer == found.issuer for one in links)


def _back() -> str:
    """The page the form came from; home, if that was none of ours."""
    told = request.referrer or ""
    return told if told.startswith(request.host_url) else url_for("inbox.home")


def _next() -> str:
    wanted: str = local_path(request.args.get("next"), url_for("inbox.home"))
    return wanted
