"""Which answers of an identity provider were taken: each is good once, in whatever process.

The question lies in the browser's signed cookie and costs the database nothing; only an answer
that fits one writes a row. Rows older than any question that is still good are gone.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Column, Connection, Table, Text, delete
from sqlalchemy.dialects import postgresql, sqlite

from audit import log
from audit.encoding import timestamp

# So long somebody may take to sign in at the provider.
LIFETIME: Final = timedelta(minutes=10)

answer_table = Table(
    "provider_answer",
    log.metadata,
    Column("state", Text, primary_key=True),
    Column("taken_at", Text, nullable=False),
)


def take_answer(conn: Connection, state: str, *, at: datetime) -> bool:
    """Whether the answer to the question of this state was not taken yet; from now on it was."""
    # Twice as long: the clock that dates questions may differ from the one that dates answers.
    conn.execute(
        delete(answer_table).where(answer_table.c.taken_at <= timestamp(at - 2 * LIFETIME))
    )
    insert = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    row = {"state": hashlib.sha256(state.encode()).hexdigest(), "taken_at": timestamp(at)}
    # Of two that come at once, one takes it.
    taken = insert(answer_table).on_conflict_do_nothing(index_elements=["state"])
    return conn.execute(taken.returning(answer_table.c.state), row).first() is not None
