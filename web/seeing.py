"""Whoever may not see a case reaches no address of it: one guard before every page and act.

Pages and commands decide for themselves, too; but a duty that commands over a place (督办, 改派)
must not find out by trying that there is a confidential case in it.
"""

from typing import Final

from flask import Flask, request

from engine.casework import read_case
from engine.people import directory
from engine.rights import check_may_see
from web.visit import at, known, reads

# Keepers of identities decide about cases they do not see; discipline is told who looked at them.
UNSEEN: Final = frozenset({"custody", "access"})


def init_app(app: Flask) -> None:
    """Guard every address of this application that names a case."""
    app.before_request(check)


def check() -> None:
    """Raise NotYoursToSee, UnknownCase; people who are not signed in are asked to by the page."""
    case = (request.view_args or {}).get("case_id")
    if case is None or request.blueprint in UNSEEN:
        return
    who = known()
    if who is None:
        return
    with reads() as conn:
        check_may_see(read_case(conn, case), directory(conn), who, at())
