"""Whoever may not see a case reaches no address of it: one guard before every page and act.

Pages and commands decide for themselves, too; but a duty that commands over a place (督办, 改派)
must not find out by trying that there is a confidential case in it.
"""

from typing import Final

from flask import Flask, g, request
from sqlalchemy import Connection

from engine.casework import read_case
from engine.people import directory
from engine.rights import check_may_see
from engine.state import CaseState
from web.visit import at, first_reads, known

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
    with first_reads() as conn:
        g.seen = conn, read_case(conn, case)
        check_may_see(g.seen[1], directory(conn), who, at())


def read_before(conn: Connection, case_id: str) -> CaseState | None:
    """The case of the address as the guard read it, if that was in this very transaction."""
    by, case = g.get("seen", (None, None))
    return case if by is conn and case is not None and case.case == case_id else None
