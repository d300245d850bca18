"""A streaming replica of PostgreSQL, and whether it has all that the primary had at a moment."""

from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, text

from engine.checkup import Finding, fails, holds, look

# A replica that is behind is waited for so long; then the primary is read.
PATIENCE: Final = timedelta(milliseconds=250)
# More is worth a look: most reads then go to the primary.
MUCH: Final = timedelta(seconds=10)

# What is flushed holds every commit that was acknowledged; only that is sent to replicas.
_WRITTEN = text("SELECT CAST(pg_current_wal_flush_lsn() AS text)")
_REPLAYED = text(
    "SELECT pg_is_in_recovery() AS follows,"
    " pg_last_wal_replay_lsn() >= CAST(:written AS pg_lsn) AS has_all"
)
_BEHIND = text(
    "SELECT pg_is_in_recovery() AS follows, pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn()"
    " AS has_all, EXTRACT(EPOCH FROM now() - pg_last_xact_replay_timestamp()) AS seconds"
)


class NotAReplica(RuntimeError):
    """This database follows no other: it is a primary, perhaps one that was promoted."""


def written(conn: Connection) -> str:
    """How far the primary has written, as PostgreSQL says it (pg_lsn)."""
    return str(conn.execute(_WRITTEN).scalar_one())


def has_all(conn: Connection, wanted: str) -> bool:
    """Whether a replica has all up to there. Raises NotAReplica."""
    row = conn.execute(_REPLAYED, {"written": wanted}).one()
    if not row.follows:
        raise NotAReplica
    return bool(row.has_all)


def check_replica(conn: Connection) -> Finding:
    """Whether a replica follows, and how far behind it is."""
    row = conn.execute(_BEHIND).one()
    if not row.follows:
        return fails(
            "replica",
            ("SHAOJI_REPLICA_URL 连到的不是备库", "SHAOJI_REPLICA_URL leads to no replica"),
            (
                "请核对地址；备库被提升为主库的，按 docs/cluster.md 处理。页面都读主库。",
                "Check the address; if it was promoted, see docs/cluster.md. The primary is read.",
            ),
        )
    behind = 0.0 if row.has_all else float(row.seconds or 0)
    told = (f"只读副本落后 {behind:.1f} 秒", f"the replica is {behind:.1f} s behind")
    if behind <= MUCH.total_seconds():
        return holds("replica", told)
    return look(
        "replica",
        told,
        (
            "落后时页面读主库，主库会更忙。请看备库的磁盘和网络，以及重放是否被暂停。",
            (
                "While it is behind, pages read the primary. Look at its disk and network, and "
                "whether replay is paused."
            ),
        ),
    )
