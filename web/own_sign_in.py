"""How one signs in oneself: second factor, recovery codes, open sessions."""

from typing import Any

from flask import Blueprint, flash, render_template, request, url_for
from flask_login import current_user, login_required
from werkzeug.wrappers import Response

from engine import recovery_codes, second_factor, second_step, sessions
from engine.accounts import find_account
from engine.factor_keeping import remove_second_factor, renew_recovery_codes
from engine.people import directory
from engine.provider_links import links_of
from engine.second_step import NotConfirmed
from web import provider
from web.confirming import confirmed, typed_code
from web.second_factor import app_address, codes_page, drawn, grouped
from web.texts import later, refusal, say
from web.visit import at, by, database, device_at, house, reads, see_other, writes

pages = Blueprint("own_sign_in", __name__, url_prefix="/me/sign-in")


@pages.get("")
@login_required  # type: ignore[untyped-decorator]
def page() -> str:
    """Whether one has a second factor, and where one is signed in."""
    name = current_user.account
    with reads() as conn:
        account = find_account(conn, name)
        return render_template(
            "own_sign_in.html",
            enrolled_at=second_factor.enrolled_at(conn, account.id),
            left=recovery_codes.left(conn, account.id),
            obliged=second_factor.obliged(directory(conn), account.person, at()),
            sessions=sessions.open_sessions(conn, name, at=at(), token=current_user.token),
            links=links_of(conn, account.id),
            provider=provider.at_hand(),
        )


@pages.route("/enrolment", methods=["GET", "POST"])
@login_required  # type: ignore[untyped-decorator]
@confirmed(later("启用第二步验证"))
def enrol() -> Any:
    """Enrol an app, by choice; the recovery codes are shown once."""
    told = ""
    if request.method == "POST" and typed_code():
        try:
            codes = second_step.enrol(
                database(), house().field_key, current_user.token, typed_code(),
                at=at(), device_at=device_at(),
            )  # fmt: skip
            return codes_page(codes, current_user.account, url_for("own_sign_in.page"))
        except NotConfirmed as refused:
            told = refusal(refused)
    with reads() as conn:
        account = find_account(conn, current_user.account)
        if second_factor.is_enrolled(conn, account.id):
            return see_other("own_sign_in.page")
        secret = second_factor.proposed(conn, house().field_key, account.id, current_user.token)
    address = app_address(secret, account.name)
    shown = render_template(
        "enrol.html",
        address=address,
        drawn=drawn(address),
        groups=grouped(secret),
        account=account.name,
        told=told,
    )
    return shown, 422 if told else 200


@pages.post("/removal")
@login_required  # type: ignore[untyped-decorator]
@confirmed(later("停用第二步验证"))
def remove() -> Response:
    """Do without a second factor, if one's posts allow it."""
    with writes() as conn:
        remove_second_factor(conn, current_user.account, by=by(), at=at())
    flash(say("第二步验证已停用，以后只用密码登录"))
    return see_other("own_sign_in.page")


@pages.post("/codes")
@login_required  # type: ignore[untyped-decorator]
@confirmed(later("换发恢复码"))
def renew() -> str:
    """Ten new recovery codes, shown once."""
    name = current_user.account
    with writes() as conn:
        codes = renew_recovery_codes(conn, house().field_key, name, by=by(), at=at())
    return codes_page(codes, name, url_for("own_sign_in.page"))


@pages.post("/sessions/<session_id>/end")
@login_required  # type: ignore[untyped-decorator]
def end(session_id: str) -> Response:
    """End one of one's own sessions."""
    with writes() as conn:
        sessions.end_session(conn, current_user.account, session_id, by=by(), at=at())
    flash(say("那一处登录已退出"))
    return see_other("own_sign_in.page")


@pages.post("/sessions/end-others")
@login_required  # type: ignore[untyped-decorator]
def end_others() -> Response:
    """End all of one's own sessions but this one."""
    name, token = current_user.account, current_user.token
    with writes() as conn:
        ended = sessions.end_other_sessions(conn, name, token, by=by(), at=at())
    flash(say("其他 {count} 处登录已退出", count=ended))
    return see_other("own_sign_in.page")
