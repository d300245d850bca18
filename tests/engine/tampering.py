"""What somebody can do who owns the database: change it beneath the triggers, and rehash.

For tests of verification and of what goes on beside a damaged case.
"""

from collections.abc import Callable
from typing import Any

import orjson
from sqlalchemy import Connection, text

from audit.encoding import canonical
from audit.entries import leaf_hash
from engine import casework
from tests.conftest import Street

Change = Callable[[list[dict[str, Any]]], None]


def beneath(street: Street, *statements: str, **values: Any) -> None:
    """Run SQL with the append-only triggers out of the way, which stand again afterwards."""
    with street.database.begin() as conn:
        with_triggers_off(conn, lambda: [conn.execute(text(s), values) for s in statements])


def with_triggers_off(conn: Connection, work: Callable[[], object]) -> None:
    """Do some work on a connection without triggers and foreign keys in the way."""
    if conn.dialect.name == "sqlite":
        told = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        triggers = conn.execute(text(told)).all()
        conn.execute(text("PRAGMA defer_foreign_keys = ON"))
        for name, _ in triggers:
            conn.execute(text(f"DROP TRIGGER {name}"))
        work()
        for _, sql in triggers:
            conn.exec_driver_sql(sql)
        return
    guarded = ("event", "log_origin", "leaf", "checkpoint", "cosignature", "timestamp_token")
    for table in (*guarded, "outbox"):
        conn.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
    work()
    for table in (*guarded, "outbox"):
        conn.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER ALL"))
    for table in guarded:
        for verb in ("change", "truncate"):
            conn.execute(text(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_no_{verb}"))


def forge(street: Street, stream: str, change: Change) -> None:
    """Rewrite a stream as its owner could: change the contents, then number, link and hash anew.

    change: gets the bodies as objects, in order, and changes the list in place. Hashes, links,
    numbers, head and outbox are made to fit, so that the chain alone sees nothing.
    """
    with street.database.begin() as conn:
        query = text("SELECT body FROM event WHERE stream = :s ORDER BY seq")
        bodies = [orjson.loads(bytes(b)) for b in conn.execute(query, {"s": stream}).scalars()]
        change(bodies)
        with_triggers_off(conn, lambda: _write(conn, stream, bodies))
    forget_live_states()


def forget_live_states() -> None:
    """What a restarted server does not know any more."""
    casework._live.clear()


def _write(conn: Connection, stream: str, bodies: list[dict[str, Any]]) -> None:
    of_stream = "(SELECT hash FROM event WHERE stream = :s)"
    conn.execute(text(f"DELETE FROM outbox WHERE hash IN {of_stream}"), {"s": stream})
    conn.execute(text("DELETE FROM event WHERE stream = :s"), {"s": stream})
    prev = ""
    for seq, content in enumerate(bodies, 1):
        body = canonical({**content, "seq": seq, "prev": prev})
        row = {"s": stream, "n": seq, "t": content["type"], "at": content["at"], "b": body,
               "h": leaf_hash(body)}  # fmt: skip
        conn.execute(
            text("INSERT INTO event (stream, seq, type, at, body, hash)"
                 " VALUES (:s, :n, :t, :at, :b, :h)"), row,
        )  # fmt: skip
        conn.execute(text("INSERT INTO outbox (hash) VALUES (:h)"), {"h": row["h"]})
        prev = leaf_hash(body).hex()
    last = {"s": stream, "n": len(bodies), "h": bytes.fromhex(prev), "t": bodies[-1]["at"]}
    conn.execute(
        text("UPDATE stream_head SET seq = :n, hash = :h, at = :t WHERE stream = :s"), last
    )


def remove_case(street: Street, case: str) -> None:
    """Take a case out of every table, so that what is left verifies."""
    keyed = [f'DELETE FROM {table} WHERE "case" = :c' for table in ("open_task", "case_register")]
    beneath(
        street,
        "DELETE FROM outbox WHERE hash IN (SELECT hash FROM event WHERE stream = :c)",
        "DELETE FROM event WHERE stream = :c",
        "DELETE FROM stream_head WHERE stream = :c",
        *keyed,
        c=case,
    )
