"""The registers read for the administrator's pages: names, and what was changed."""

from collections.abc import Iterable

from sqlalchemy import Connection, select

from audit import log
from engine.accounts import account_table
from engine.definition_sets import latest, set_table
from engine.people import directory
from engine.register_changes import Changed, changes, concerning
from web.register_sentences import REGISTERS, Called, Told, history
from web.texts import either


def called(conn: Connection) -> Called:
    """Names for sentences about the registers."""
    accounts = conn.execute(select(account_table.c.id, account_table.c.name))
    keys = conn.execute(select(set_table.c.key).distinct()).scalars()
    titles = {key: latest(conn, key) for key in keys}
    return Called(
        directory(conn),
        {row.id: row.name for row in accounts},
        {key: either(one.title, one.title_en) for key, one in titles.items()},
    )


def changed(conn: Connection, *registers: str) -> list[Changed]:
    """All changes of these registers."""
    return [one for name in registers for one in changes(log.read(conn, REGISTERS[name]))]


def history_of(
    conn: Connection, registers: Iterable[str], ids: Iterable[str]
) -> list[tuple[str, list[Told]]]:
    """The history of one unit, person, account or process, by day."""
    return history(concerning(changed(conn, *registers), *ids), called(conn))
