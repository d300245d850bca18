"""How large somebody wants their pages: kept with the person, so that every phone knows it.

A comfort and no act, so it is not in the log.
"""

from sqlalchemy import Column, Connection, Table, Text, delete, insert, select

from audit.log import metadata

look_table = Table(
    "look",
    metadata,
    Column("person", Text, primary_key=True),
    Column("scale", Text, nullable=False),
)


def find_scale(conn: Connection, person: str) -> str:
    """The size this person chose last, in percent; "" for the usual."""
    asked = select(look_table.c.scale).where(look_table.c.person == person)
    return conn.execute(asked).scalar() or ""


def keep_scale(conn: Connection, person: str, scale: str) -> None:
    """Remember the size this person chose; "" for the usual."""
    conn.execute(delete(look_table).where(look_table.c.person == person))
    if scale:
        conn.execute(insert(look_table), {"person": person, "scale": scale})
