"""Makes and upgrades the tables, with the triggers that keep the log append-only."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import (
    Connection,
    Engine,
    insert,
    inspect,
    select,
    text,
    update,
)

from audit import sequence
from engine import (
    accounts,
    acts,
    anchoring,
    api_tokens,
    attempts,
    awaiting,
    batches,
    calendar_feeds,
    calendar_versions,
    case_texts,
    cases,
    casework,
    definition_sets,
    drafts,
    flow_months,
    idempotency,
    imports,
    inbox,
    index_editions,
    index_weights,
    leases,
    looks,
    metric_facts,
    metric_periods,
    news,
    nodes,
    notice_board,
    notice_choices,
    notice_queue,
    outbox,
    pending,
    photo_prints,
    place_codes,
    provider_answers,
    provider_links,
    published_hazards,
    recovery_codes,
    register,
    report_jobs,
    resident_reports,
    roster,
    saved_filters,
    second_factor,
    signals,
    site_codes,
    taking_part,
    viewings,
)
from engine.errors import Refusal
from engine.rebuild import rebuild

# Every module that brings tables: named here so that the schema test sees them all.
TABLES = (
    accounts,
    acts,
    anchoring,
    api_tokens,
    attempts,
    calendar_feeds,
    awaiting,
    batches,
    calendar_versions,
    case_texts,
    cases,
    casework,
    definition_sets,
    drafts,
    flow_months,
    idempotency,
    imports,
    inbox,
    index_editions,
    index_weights,
    leases,
    looks,
    metric_facts,
    metric_periods,
    news,
    notice_board,
    notice_choices,
    nodes,
    notice_queue,
    viewings,
    outbox,
    pending,
    photo_prints,
    place_codes,
    provider_answers,
    provider_links,
    published_hazards,
    recovery_codes,
    register,
    report_jobs,
    resident_reports,
    roster,
    saved_filters,
    second_factor,
    sequence,
    site_codes,
    taking_part,
    signals,
)


class SchemaMismatch(Refusal):
    """The database is of another release than the program."""


class NodesAtWork(Refusal):
    """Processes are at work that could not go on with the new tables."""

    def __init__(self, alive: Sequence[str]) -> None:
        super().__init__(
            f"这次升级要改动旧程序依赖的表，还有 {len(alive)} 个进程在运行（{'、'.join(alive)}），"
            "没有升级。请先停掉它们，再执行一次。",
            f"This upgrade changes tables that the older program works on, and {len(alive)} "
            f"processes are at work ({', '.join(alive)}); nothing was upgraded. Stop them first, "
            "then run it again.",
        )


def create_schema(engine: Engine, *, at: datetime | None = None) -> None:
    """Bring an empty or older database to the tables of this release, in one transaction.

    Where every migration on the way says that the program before it may go on (SIDE_BY_SIDE), that
    program may be at work meanwhile, and nothing is made anew. Else stored states are, and with
    `at` the upgrade is refused while processes are at work. Raises NodesAtWork, and SchemaMismatch
    for a database of a newer release or of another program; it is left alone.
    """
    config = _config()
    with engine.begin() as conn:
        before = _check_ours(conn)
        todo = _after(before)
        if before is not None and before not in _known():
            raise _newer(before)
        expands = all(_side_by_side(one) for one in todo)
        if todo and not expands and at is not None:
            _refuse_at_work(conn, at)
        if conn.dialect.name == "postgresql":
            # Whoever waits for a table's lock makes everybody else wait behind it.
            conn.execute(text("SET LOCAL lock_timeout = '10s'"))
        config.attributes["connection"] = conn
        command.upgrade(config, "head")
        if todo:
            _set_floor(conn, [one.revision for one in todo if not _side_by_side(one)])
        if before is not None and not expands:
            # Stored states are those of the older release; the log is what they are made from.
            rebuild(conn)


def check_schema(engine: Engine) -> None:
    """Refuse to work on a database that this release does not fit (`fits`)."""
    with engine.begin() as conn:
        found = _check_ours(conn)
    if found is None or (found != wanted_release() and found in _known()):
        raise SchemaMismatch(
            f"数据库版本是 {found or '空'}，程序需要 {wanted_release()}。请先运行 shaoji init。",
            f"The database is at {found or 'nothing'}, this program needs {wanted_release()}. "
            "Run shaoji init first.",
        )


@cache
def wanted_release() -> str:
    """The release of the tables this program works on."""
    return str(_scripts().get_current_head())


def found_release(conn: Connection) -> str | None:
    """The release the tables say they are of; None for a database without any."""
    return MigrationContext.configure(conn).get_current_revision()


def fits(conn: Connection) -> bool:
    """Whether this program may work on these tables: its own, or newer ones that say it may."""
    found = found_release(conn)
    return found == wanted_release() or (found not in _known() and _may_go_on(conn))


def _check_ours(conn: Connection) -> str | None:
    """The release the tables are of, or None in an empty database; raises SchemaMismatch."""
    found = found_release(conn)
    if found is None and inspect(conn).get_table_names():
        raise SchemaMismatch(
            "这个数据库里已有别的程序的表，没有动它。请给哨迹一个空的数据库。",
            "This database holds the tables of another program; nothing was done to it. "
            "Give shaoji an empty one.",
        )
    if found is not None and found not in _known() and not _may_go_on(conn):
        raise _newer(found)
    return found


def _newer(found: str) -> SchemaMismatch:
    return SchemaMismatch(
        f"数据库版本 {found} 是这个程序不认识的，没有动它。请使用建立它的（更新的）程序版本。",
        f"This program does not know the database's release {found}; nothing was done to it. "
        "Use the (newer) program that made it.",
    )


def _may_go_on(conn: Connection) -> bool:
    """Whether newer tables say that the program of this release may work on them."""
    if not inspect(conn).has_table(nodes.floor_table.name):
        return False
    return conn.execute(select(nodes.floor_table.c.oldest)).scalar() in _known()


def _set_floor(conn: Connection, contracting: Sequence[str]) -> None:
    """Say which program is the oldest that may work on the tables as they are now."""
    if not contracting:
        return
    told = {"oldest": contracting[-1]}
    if conn.execute(update(nodes.floor_table).values(told)).rowcount == 0:
        conn.execute(insert(nodes.floor_table), {"id": 1} | told)


def _refuse_at_work(conn: Connection, at: datetime) -> None:
    if not inspect(conn).has_table(nodes.node_table.name):
        return
    alive = [one.node for one in nodes.nodes(conn) if one.is_alive(at)]
    if alive:
        raise NodesAtWork(alive)


def _side_by_side(script: Script) -> bool:
    return bool(getattr(script.module, "SIDE_BY_SIDE", False))


def _after(before: str | None) -> list[Script]:
    """The migrations still to be done, oldest first; all of them for an empty database."""
    told = []
    for script in _revisions():
        if script.revision == before:
            break
        told.append(script)
    return told[::-1]


@cache
def _known() -> frozenset[str]:
    return frozenset(script.revision for script in _revisions())


def _revisions() -> Iterator[Script]:
    return _scripts().walk_revisions()


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "engine:migrations")
    return config
