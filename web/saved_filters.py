"""Filters kept under a name: links above the lists they narrow, for whoever named them alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from flask import Blueprint, flash, redirect, request, url_for
from flask_login import login_required
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from engine.errors import NotFound
from engine.saved_filters import drop_filter, filters_of, save_filter
from web.texts import say
from web.visit import by, writes

pages = Blueprint("saved_filters", __name__)

# The lists that can be narrowed, and by what.
LISTS: Final = ("inbox.mine", "inbox.claimable", "inbox.overdue", "inbox.requests", "board.page")
ASKED: Final = ("post", "holder", "process", "level", "place", "state")


@dataclass(frozen=True, slots=True)
class Kept:
    """A filter as a link; current: the list is narrowed by it now."""

    name: str
    address: str
    current: bool


@dataclass(frozen=True, slots=True)
class KeptFilters:
    """Those of whoever looks, for one list; asked: what it is narrowed by now, to be kept."""

    page: str
    kept: tuple[Kept, ...]
    asked: Mapping[str, str]


@pages.post("/filters")
@login_required  # type: ignore[untyped-decorator]
def keep() -> Response:
    """Keep what the list is narrowed by under a name."""
    page, told = _list(), request.form
    asked = {name: told.get(name, "")[:100] for name in ASKED}
    with writes() as conn:
        saved = save_filter(conn, told.get("name", ""), page, asked, by=by())
    flash(say("已存为“{name}”", name=saved.name))
    return redirect(_address(page, saved.asked), 303)


@pages.post("/filters/removal")
@login_required  # type: ignore[untyped-decorator]
def forget() -> Response:
    """Forget one."""
    with writes() as conn:
        drop_filter(conn, request.form.get("name", ""), by=by())
    flash(say("已删掉这个筛选"))
    return redirect(url_for(_list()), 303)


def kept_filters(conn: Connection, page: str) -> KeptFilters:
    """The filters of whoever looks for this list."""
    asked = {name: request.args[name] for name in ASKED if request.args.get(name)}
    own = (one for one in filters_of(conn, by=by()) if one.page == page)
    kept = (Kept(one.name, _address(page, one.asked), one.asked == asked) for one in own)
    return KeptFilters(page, tuple(kept), asked)


def _list() -> str:
    page = request.form.get("page", "")
    if page not in LISTS:
        raise NotFound("没有这个列表。", "There is no such list.")
    return page


def _address(page: str, asked: Mapping[str, str]) -> str:
    return url_for(page, **asked)  # type: ignore[arg-type]
