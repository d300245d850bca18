"""Refusals and errors as pages: mapped here once, in words that say what to do."""

import logging
from typing import Final

from flask import Flask, render_template, request, url_for
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DatabaseError, DBAPIError, IntegrityError, OperationalError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from audit.encoding import NotCanonical
from audit.log import ClockBehind, ForkRefused
from engine.casework import ClockSetBack
from engine.damage import damage
from engine.errors import BadInput, Conflict, NotAllowed, NotFound, Refusal
from web.anonymous import is_quiet
from web.offline import FORGED
from web.texts import later, refusal, say
from web.visit import was_overtaken

STATUSES: Final[tuple[tuple[type[Refusal], int], ...]] = (
    (NotFound, 404),
    (NotAllowed, 403),
    (BadInput, 400),
    (Conflict, 409),
)
TITLES: Final = {
    400: later("这样提交没有生效"),
    403: later("这一步不能由您办理"),
    404: later("没有找到"),
    405: later("这个地址不能这样打开"),
    409: later("这一步没有生效"),
    413: later("文件太大，没有收下"),
    429: later("请求太密，请稍等"),
    500: later("出了差错"),
    503: later("现在写不进去"),
}
ADVICE: Final = {
    400: later("收到的内容不完整。请返回上一页，刷新后重新提交。"),
    403: later("您没有办理或查看这里的岗位。"),
    404: later("这个地址下没有内容。请核对链接，或从待办、案件里重新打开。"),
    405: later("请从页面上的按钮提交，不要直接打开这个地址。"),
    413: later("一次最多 150 MB，单张照片 15 MB，PDF 25 MB。请减少张数后分次提交。"),
    500: later("服务器没有办成，也没有留下半截记录。请稍后再试；一再出现的，请把时间告诉管理员。"),
}
TORN: Final = {500, 502, 503}
OUTRUN: Final = later("别人刚刚先办了一步，您这次没有生效。请刷新后看看现在的情况，再决定。")
CLOCK_BEHIND: Final = later("服务器时钟早于最后一条记录，没有生效。请管理员先校准服务器时间。")
NO_WRITING: Final = later(
    "数据库现在写不进去，多半是磁盘已满。您这次没有生效，已有的记录都还在。"
    "请把填写的内容先留着，请管理员腾出空间后再提交。"
)
DAMAGED: Final = later("记录的原文已损坏，不能显示。请停止使用这一页并通知管理员校验。")

AWAY: Final = later(
    "数据库现在连不上。您这次没有生效，先前已有答复的都还在。"
    "请把填写的内容先留着，过几分钟再提交；一直连不上的，请告诉管理员。"
)
UNREADABLE: Final = later(
    "数据库文件已损坏，读不出来。您这次没有生效。"
    "请通知管理员停止使用、恢复上一份完好的备份并校验；填写的内容请先留着。"
)


def init_app(app: Flask) -> None:
    """Show refusals and errors of this application as pages."""
    app.register_error_handler(Refusal, refused)
    app.register_error_handler(CSRFError, forged)
    app.register_error_handler(HTTPException, failed)
    app.register_error_handler(ForkRefused, outrun)
    app.register_error_handler(IntegrityError, outrun)
    app.register_error_handler(ClockBehind, clock_behind)
    app.register_error_handler(OperationalError, no_writing)
    app.register_error_handler(DatabaseError, unreadable)
    app.register_error_handler(NotCanonical, damaged)


def status(refused_: Refusal) -> int:
    """The HTTP status of a refusal: 404, 403, 400, else 409."""
    return status_of(type(refused_))


def status_of(kind: type[Refusal]) -> int:
    """The HTTP status of a kind of refusal."""
    return next((code for above, code in STATUSES if issubclass(kind, above)), 409)


def refused(refused_: Refusal) -> tuple[str, int]:
    """The page of a refusal, in its own words."""
    if isinstance(refused_, ClockSetBack) and was_overtaken(refused_):
        return outrun(refused_)
    return card(refusal(refused_), status(refused_))


def forged(_error: CSRFError) -> tuple[str, int, dict[str, str]]:
    """A form without its token: from another site, or from before signing in again.

    The header lets the worker in the browser keep it and send it with a token of today.
    """
    told = say(
        "这张表单是登录前或很久以前打开的，为防他人冒用没有收下。请返回上一页，刷新后重新提交。"
        "若一再出现，请检查浏览器是否允许本站的 Cookie。"
    )
    return *card(told, 400), {FORGED: "yes"}


def failed(error: HTTPException) -> tuple[str, int] | Response:
    """Any other HTTP error; redirects pass as they are."""
    code = error.code or 500
    if code < 400:
        return error.get_response()
    if code in TORN:
        told = say(ADVICE[500])
        return render_template("torn.html", title=say(TITLES[500]), told=told), code
    if code == 413 and request.blueprint == "residents":
        return card(say("照片太大，没有收下。一次最多 3 张，每张 15 MB，请少选几张再交。"), code)
    if code == 413 and is_quiet():
        return card(say("写得太长，没有收下。请分几次写，先交最要紧的。"), code)
    return card(say(ADVICE.get(code, ADVICE[400])), code)


def outrun(error: Exception) -> tuple[str, int]:
    """Somebody else wrote first; nothing of this request was kept."""
    logging.getLogger("shaoji").warning("a request was outrun: %s", type(error).__name__)
    return card(say(OUTRUN), 409)


def clock_behind(error: ClockBehind) -> tuple[str, int]:
    """The server's clock stands before the last record: only its administrator can help.

    Unless it does not any more: then somebody who began later was recorded first.
    """
    if was_overtaken(error):
        return outrun(error)
    logging.getLogger("shaoji").error("the clock stands behind the log")
    return card(say(CLOCK_BEHIND), 409)


def no_writing(error: OperationalError) -> tuple[str, int]:
    """The database takes nothing now: its disk is full, it is locked, or it cannot be reached."""
    logging.getLogger("shaoji").error("the database cannot be written: %s", error.orig)
    try:
        return card(say(NO_WRITING), 503)
    except DBAPIError:
        # Not even read: the page of somebody who is signed in cannot be made.
        return render_template("torn.html", title=say(TITLES[503]), told=say(AWAY)), 503


def unreadable(error: DatabaseError) -> tuple[str, int]:
    """The database says that its own pages are damaged; its other errors are faults of ours."""
    if damage(error) is None:
        raise error
    logging.getLogger("shaoji").error("the database is damaged: %s", error.orig)
    return render_template("torn.html", title=say(TITLES[503]), told=say(UNREADABLE)), 503


def damaged(error: NotCanonical) -> tuple[str, int]:
    """Stored bytes that are no record any more: nothing is shown rather than something wrong."""
    logging.getLogger("shaoji").error("a stored record cannot be read; run shaoji verify")
    return card(say(DAMAGED), 500)


def card(told: str, code: int) -> tuple[str, int]:
    """The page with the refusal card."""
    title = say(TITLES.get(code, TITLES[400]))
    back = request.referrer if _is_ours(request.referrer) else None
    page = render_template(
        "refusal.html", title=title, told=told, code=code, back=back, acted=_acted(code)
    )
    return page, code


def _acted(code: int) -> bool:
    """Whether something was tried, so that "nothing was done" is worth saying."""
    return request.method == "POST" and code not in TORN


def _is_ours(address: str | None) -> bool:
    return bool(address) and str(address).startswith(url_for("inbox.home", _external=True))
