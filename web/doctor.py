"""Looks over an installation: reads what there is, changes nothing, and judges it line by line.

What cannot be read is itself a finding: one thing that is broken keeps no other from being looked
at, unless that rests on it.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from audit import log, sequence
from audit.note import NotANote
from engine.backlog import check_backlog, read_backlog
from engine.checkup import Finding, fails, holds, look
from engine.database import open_database, reading
from engine.database_checks import (
    check_clocks,
    check_durability,
    check_keepalive,
    check_last_event,
    check_modes,
    check_release,
    read_clock,
    read_durability,
    read_modes,
)
from engine.key_checks import Locked, check_keys, check_locked, read_field, read_keys, read_vault
from engine.node_checks import (
    check_alive,
    check_pooler,
    check_seen,
    check_shared,
    read_pooler,
)
from engine.nodes import marked, nodes
from engine.partitions import check_bound, check_parts, read_bound, read_parts
from engine.place_checks import (
    Least,
    check_fonts,
    check_room,
    check_written,
    nearest,
    read_fonts,
    read_room,
    write_probe,
)
from engine.replica import check_replica
from engine.safeguards import (
    check_role,
    check_triggers,
    read_role,
    read_triggers,
    wanted_triggers,
)
from engine.schema import fits, found_release, wanted_release
from web import telemetry
from web.channels import channels
from web.config import BadSettings, Settings
from web.demonstration import clock_of
from web.heartbeat import fingerprints, shared_folders
from web.provider import configured as provider

FONTS: Final = Path(__file__).parent / "fonts"


@dataclass(frozen=True, slots=True)
class Looking:
    """With what an installation is looked over.

    wall: the clock of this machine. least: how much room there has to be. fonts: their folder.
    """

    settings: Settings
    wall: Callable[[], datetime]
    least: Least = field(default_factory=Least)
    fonts: Path = FONTS


def look_over(by: Looking) -> list[Finding]:
    """All checks of an installation, in the order in which one rests on another."""
    return [
        check_settings(by.settings),
        *_database(by),
        *_places(by),
        _fonts(by),
        *check_telemetry(by),
    ]


def check_settings(settings: Settings) -> Finding:
    """Whether what was configured can be used: channels and identity provider, too."""
    try:
        channels(settings)
        provider(settings)
        telemetry.check(settings)
    except BadSettings as bad:
        return unusable(bad)
    return holds("settings", ("设置都读得懂、配得全", "the settings can be read and are complete"))


def unusable(bad: BadSettings) -> Finding:
    """Settings by which no server starts."""
    chinese, _, english = str(bad).partition(" / ")
    return fails(
        "settings",
        (chinese, english or chinese),
        (
            "改正 SHAOJI_ 开头的环境变量，再执行一次 shaoji doctor。",
            "Correct the SHAOJI_ variables, then run `shaoji doctor` again.",
        ),
    )


# --- what rests on the database -------------------------------------------------------------------


def _database(by: Looking) -> Iterator[Finding]:
    address = make_url(by.settings.database_url)
    where = address.render_as_string(hide_password=True)
    is_file = address.get_backend_name() == "sqlite"
    if is_file and not Path(address.database or "").is_file():
        yield _unreachable(where, "没有这个文件", "there is no such file")
        return
    engine = open_database(by.settings.database_url, pool_size=1)
    try:
        # A question before all others, so that what follows need not doubt it.
        with reading(engine).begin() as conn:
            durability, found, fit = read_durability(conn), found_release(conn), fits(conn)
        yield holds("database", (f"{where} 连得上", f"{where} answers"))
        yield check_release(found, wanted_release(), fit=fit)
        yield check_durability(durability)
        silent = check_keepalive(durability)
        if silent is not None:
            yield silent
        if is_file:
            yield check_modes(read_modes(Path(str(address.database))))
        if fit:
            yield from _record(by, engine)
    except SQLAlchemyError as error:
        # The driver's own words may hold an account or a value: its type is enough.
        kind = type(error).__name__
        yield _unreachable(where, f"{kind}", f"{kind}")
    finally:
        engine.dispose()


def _record(by: Looking, engine: Engine) -> Iterator[Finding]:
    at = clock_of(engine, by.wall)()
    with reading(engine).begin() as conn:
        parts = read_parts(conn)
        names = parts.names if parts else ()
        wanted = wanted_triggers(conn.dialect.name, names)
        yield check_triggers(read_triggers(conn, names), wanted)
        if parts is not None:
            yield check_parts(parts, at)
        if (bound := read_bound(conn)) is not None:
            yield check_bound(bound)
        if conn.dialect.name == "postgresql":
            yield check_role(read_role(conn, names))
            yield check_clocks(by.wall(), read_clock(conn))
            yield check_pooler(read_pooler(engine))
        yield check_last_event(log.last_at(conn), at)
        yield from _nodes(by, conn, at)
        yield from _replica(by)
        try:
            yield from _keys(by, conn)
            yield from check_backlog(read_backlog(conn, at=at), at)
        except NotANote:
            yield _damaged()


def _replica(by: Looking) -> Iterator[Finding]:
    if not by.settings.replica_url:
        return
    try:
        replica = open_database(by.settings.replica_url, pool_size=1)
        try:
            with reading(replica).begin() as conn:
                yield check_replica(conn)
        finally:
            replica.dispose()
    except SQLAlchemyError as error:
        kind = type(error).__name__
        told = (f"只读副本连不上（{kind}）", f"the replica does not answer ({kind})")
        do = ("页面都读主库。请看备库。", "Pages read the primary meanwhile. Look at the replica.")
        yield look("replica", told, do)


def _nodes(by: Looking, conn: Connection, at: datetime) -> Iterator[Finding]:
    found = nodes(conn)
    yield check_alive(found, at)
    yield check_shared(found, fingerprints(by.settings), at)
    for setting, folder in shared_folders(by.settings).items():
        yield check_seen(setting, found, marked(folder), at)


def _keys(by: Looking, conn: Connection) -> Iterator[Finding]:
    try:
        origin = log.origin(conn)
    except LookupError:
        yield fails(
            "log",
            ("数据库里还没有日志", "the database holds no log yet"),
            ("请执行 shaoji init。", "Run `shaoji init`."),
        )
        return
    last = sequence.latest(conn)
    yield from check_keys(read_keys(by.settings.keys, origin), last.note if last else None)
    second = ("第二步验证", "second factors")
    yield check_locked("field-key", read_field(conn, by.settings.field), second)
    yield check_locked("vault-key", _vault(by.settings), ("密封库", "sealed store"))


def _vault(settings: Settings) -> Locked:
    url, path = settings.vault
    try:
        return read_vault(url, path)
    except SQLAlchemyError as error:
        kind = type(error).__name__
        told = (
            f"密封库打不开（{kind}），请检查 SHAOJI_VAULT_URL",
            f"the vault cannot be opened ({kind}); see SHAOJI_VAULT_URL",
        )
        return Locked(path, path.exists(), refused=told)


def _unreachable(where: str, chinese: str, english: str) -> Finding:
    return fails(
        "database",
        (
            f"{where} 用不了（{chinese}），靠它的检查没有做",
            f"{where} cannot be used ({english}); what rests on it was not checked",
        ),
        (
            "请核对 SHAOJI_DATABASE_URL、数据库是否在运行；还没建库的执行 shaoji init。",
            (
                "See SHAOJI_DATABASE_URL and whether the database runs; if there is none yet, run "
                "`shaoji init`."
            ),
        ),
    )


def _damaged() -> Finding:
    return fails(
        "checkpoint",
        (
            "上一个检查点已损坏，靠它的检查没有做",
            "the last checkpoint is damaged; what rests on it was not checked",
        ),
        (
            "请执行 shaoji verify，并与外面留存的检查点核对。",
            "Run `shaoji verify` and compare with checkpoints kept elsewhere.",
        ),
    )


# --- folders and files ----------------------------------------------------------------------------


def _places(by: Looking) -> Iterator[Finding]:
    evidence = by.settings.evidence_dir
    why = "" if _is_folder(evidence) else "不是目录 / not a folder"
    yield check_written(
        "evidence", evidence, there=evidence.is_dir(), why=why or write_probe(nearest(evidence))
    )
    folders = {"evidence": evidence, "reports": by.settings.reports}
    address = make_url(by.settings.database_url)
    if address.get_backend_name() == "sqlite":
        folders = {"database": Path(address.database or "").parent, **folders}
    for name, folder in folders.items():
        with suppress(OSError):
            yield check_room(f"disk-{name}", folder, read_room(folder), by.least)


def _is_folder(path: Path) -> bool:
    """Whether it is one, or can become one."""
    return nearest(path).is_dir()


def _fonts(by: Looking) -> Finding:
    try:
        return check_fonts(read_fonts(by.fonts))
    except (OSError, ValueError, KeyError):
        return check_fonts(())


# --- elsewhere ------------------------------------------------------------------------------------


def check_telemetry(by: Looking) -> Iterator[Finding]:
    """Whether spans are sent, and taken where they are sent to."""
    try:
        found = telemetry.reached(by.settings)
    except BadSettings:
        return  # the finding on settings says so
    if found is None:
        yield holds("telemetry", ("没有开遥测", "no spans are sent anywhere"))
        return
    where, takes = found
    if takes:
        yield holds("telemetry", (f"{where} 收得到遥测", f"{where} takes spans"))
        return
    yield look(
        "telemetry",
        (f"{where} 收不到遥测", f"{where} does not take spans"),
        (
            "页面照常，只是遥测丢了。请看采集器，核对 OTEL_EXPORTER_OTLP_… 各项。",
            "Pages go on, spans are lost. Look at the collector and OTEL_EXPORTER_OTLP_….",
        ),
    )
