"""The page between the password and the session: a code, or for the first time an app."""

from typing import Any

import segno
from flask import Blueprint, redirect, render_template, request, session, url_for
from flask_login import current_user
from markupsafe import Markup

from engine import second_factor, second_step
from engine.attempts import TooManyFailures
from engine.people import directory
from engine.second_step import CodeRefused, NotConfirmed, SignInOver, Waiting
from web.confirming import typed_code
from web.frame import street
from web.signin import WAITING, let_in, place, wanted, who_waits
from web.texts import refusal, say
from web.visit import at, database, device_at, house, reads

pages = Blueprint("second_factor", __name__, url_prefix="/second-factor")


@pages.get("")
def page() -> Any:
    """Ask for a code, or offer an app to whoever has none yet."""
    found = who_waits()
    if found is None:
        return _nobody_waits()
    return _asked(found)


@pages.post("")
def give() -> Any:
    """Sign in with a code of the app, or with a recovery code."""
    if who_waits() is None:
        return _nobody_waits()
    typed = typed_code()
    if not typed:
        return _asked(who_waits(), say("请输入验证码。")), 422
    try:
        opened = second_step.complete(
            database(), house().field_key, session[WAITING], typed,
            at=at(), device_at=device_at(), place=place(),
        )  # fmt: skip
    except SignInOver:
        return _nobody_waits()
    except (CodeRefused, TooManyFailures) as refused:
        return _asked(who_waits(), refusal(refused)), 422
    let_in(opened)
    return redirect(wanted(), 303)


@pages.post("/enrolment")
def enrol() -> Any:
    """Enrol the app whose code this is, and sign in; the recovery codes are shown once."""
    if who_waits() is None:
        return _nobody_waits()
    try:
        opened, codes = second_step.enrol_and_enter(
            database(), house().field_key, session[WAITING], typed_code(),
            at=at(), device_at=device_at(),
        )  # fmt: skip
    except SignInOver:
        return _nobody_waits()
    except NotConfirmed as refused:
        return _asked(who_waits(), refusal(refused)), 422
    let_in(opened)
    return codes_page(codes, opened.account, wanted())


def codes_page(codes: tuple[str, ...], account: str, onward: str) -> str:
    """The page that shows recovery codes, once."""
    return render_template("recovery_codes.html", codes=codes, account=account, onward=onward)


def app_address(secret: str, account: str) -> str:
    """What an app reads from the code: the secret, under the names of street and account."""
    with reads() as conn:
        issuer = f"{say('哨迹')} {street(directory(conn))}"
    return second_factor.address(secret, name=account, issuer=issuer)


def drawn(address: str) -> Markup:
    """An address as a code: dark on light whatever the page is, or no telephone reads it."""
    made = segno.make(address, error="m", micro=False)
    told = made.svg_inline(
        border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr", lineclass=None
    )
    # Numbers of ours: nothing anybody wrote is in the drawing.
    return Markup(told)  # noqa: S704


def grouped(secret: str) -> list[str]:
    """A secret in groups of four, to be typed."""
    return [secret[start : start + 4] for start in range(0, len(secret), 4)]


def _asked(found: Waiting | None, told: str = "") -> Any:
    if found is None:
        return _nobody_waits()
    if found.enrolled:
        return render_template("second_factor.html", account=found.account, told=told)
    address = app_address(found.secret, found.account)
    return render_template(
        "enrol_first.html",
        account=found.account,
        address=address,
        drawn=drawn(address),
        groups=grouped(found.secret),
        told=told,
    )


def _nobody_waits() -> Any:
    """There is nothing to add a code to: in already, or to begin anew."""
    if current_user.is_authenticated:
        return redirect(wanted(), 303)
    if session.pop(WAITING, None) is None:
        return redirect(url_for("signin.form", next=request.args.get("next")), 303)
    return render_template("signin.html", name="", told=refusal(SignInOver())), 409
