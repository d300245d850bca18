"""Checks of the database itself: of which release, how durable, whose clock, whose file.

PostgreSQL is asked for what an acknowledged step rests on; SQLite for what every connection of ours
sets and a file system may refuse.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from stat import S_IMODE
from typing import Final

from sqlalchemy import Connection, text

from engine.checkup import Finding, fails, holds, lasting, look

# The oldest PostgreSQL this is written for, as server_version_num.
OLDEST: Final = 150_000
# Codes of a second factor go by steps of 30 seconds; entries of two machines by their order.
CLOCKS_DIFFER: Final = timedelta(seconds=2)
CLOCKS_APART: Final = timedelta(seconds=30)
# Seconds of silence after which PostgreSQL should ask whether a node is still there.
MOST_IDLE: Final = 60
_SAFE: Final[Mapping[str, tuple[str, ...]]] = {
    "fsync": ("on",),
    "full_page_writes": ("on",),
    # off acknowledges before the disk has it.
    "synchronous_commit": ("on", "remote_apply", "remote_write", "local"),
}
_SQLITE_SAFE: Final[Mapping[str, tuple[str, ...]]] = {
    "journal_mode": ("wal",),
    # 2 FULL, 3 EXTRA: an acknowledged step survives a power cut.
    "synchronous": ("2", "3"),
}


@dataclass(frozen=True, slots=True)
class Durability:
    """What the database says of itself: its kind, its version, its settings by name."""

    dialect: str
    version: int
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Modes:
    """Who may read and write a file, and the folder it lies in, as `st_mode` has it."""

    path: Path
    file: int
    folder: int


def read_durability(conn: Connection) -> Durability:
    """What the database says of itself on this connection."""
    if conn.dialect.name == "sqlite":
        told = {name: str(conn.exec_driver_sql(f"PRAGMA {name}").scalar()) for name in _SQLITE_SAFE}
        return Durability("sqlite", 0, told)
    asked = text("SELECT name, setting FROM pg_settings")
    told = {row.name: row.setting for row in conn.execute(asked)}
    return Durability("postgresql", int(told["server_version_num"]), told)


def read_clock(conn: Connection) -> datetime:
    """The clock of the machine PostgreSQL runs on."""
    told: datetime = conn.execute(text("SELECT clock_timestamp()")).scalar_one()
    return told


def read_modes(path: Path) -> Modes:
    """Who may read and write this file; raises OSError."""
    return Modes(path, S_IMODE(path.stat().st_mode), S_IMODE(path.parent.stat().st_mode))


def check_release(found: str | None, wanted: str, *, fit: bool) -> Finding:
    """Whether the tables are of this program's release. fit: they are, or are newer and let it."""
    told = (
        f"数据库版本 {found or '空'}，程序需要 {wanted}",
        f"tables of release {found or 'none'}, this program needs {wanted}",
    )
    if found == wanted:
        return holds("schema", told)
    if fit:
        return look(
            "schema",
            (f"{told[0]}：新表，旧程序还可以用", f"{told[1]}: newer tables that let it work on"),
            ("请把这个节点也升级。", "Upgrade this node, too."),
        )
    return fails(
        "schema",
        told,
        (
            "旧库请先备份再执行 shaoji init；比程序新的库，请换成建立它的程序版本。",
            (
                "An older one: back it up, then run `shaoji init`. A newer one: use the program "
                "that made it."
            ),
        ),
    )


def check_durability(found: Durability) -> Finding:
    """Whether an acknowledged step survives a power cut, as far as settings say."""
    sqlite = found.dialect == "sqlite"
    wanted = _SQLITE_SAFE if sqlite else _SAFE
    told = "，".join(f"{name}={found.settings.get(name, '?')}" for name in wanted)
    name = "SQLite" if sqlite else f"PostgreSQL {found.version // 10_000}"
    line = (f"{name}：{told}", f"{name}: {told.replace('，', ', ')}")
    if not sqlite and found.version < OLDEST:
        return fails(
            "durability",
            line,
            ("请升级到 PostgreSQL 15 或更新的版本。", "Upgrade to PostgreSQL 15 or newer."),
        )
    unsafe = [name for name, good in wanted.items() if found.settings.get(name) not in good]
    if not unsafe:
        return holds("durability", line)
    if sqlite:
        do = (
            "数据库文件请放在本机磁盘上，不要放网络盘：那里断电会丢已答复的步骤。",
            (
                "Keep the database file on a local disk, not on a network share: acknowledged "
                "steps can be lost there."
            ),
        )
    else:
        names = ", ".join(unsafe)
        do = (
            f"断电会丢已答复的步骤。请把 {names} 改回 on（postgresql.conf 或 ALTER DATABASE）。",
            (
                f"A power cut loses acknowledged steps. Set {names} back to on (postgresql.conf or "
                "ALTER DATABASE)."
            ),
        )
    return fails("durability", line, do)


def check_keepalive(found: Durability) -> Finding | None:
    """Whether PostgreSQL soon notices a node that is gone; None where no network lies between.

    Until then what that node had locked stays locked, and whoever wants the same case waits.
    """
    idle = int(found.settings.get("tcp_keepalives_idle", "0"))
    if found.dialect == "sqlite" or idle == 0:
        return None  # a socket of the same machine: its end is noticed at once
    told = (
        f"断线的程序，数据库 {idle} 秒后才去查",
        f"the database looks after {idle} s whether a silent node is still there",
    )
    if idle <= MOST_IDLE:
        return holds("keepalive", told)
    do = (
        (
            "网线断了，它锁住的案子要等到那时才放开。请设 tcp_keepalives_idle = 10、"
            "tcp_keepalives_interval = 5、tcp_keepalives_count = 3、tcp_user_timeout = 20s"
            "（postgresql.conf 或 ALTER DATABASE）。"
        ),
        (
            "After a cut cable, cases it had locked stay locked until then. Set "
            "tcp_keepalives_idle = 10, tcp_keepalives_interval = 5, tcp_keepalives_count = 3 "
            "and tcp_user_timeout = 20s (postgresql.conf or ALTER DATABASE)."
        ),
    )
    return look("keepalive", told, do)


def check_modes(found: Modes) -> Finding:
    """Whether others on this machine may read or write the database file."""
    # A folder nobody else may enter keeps its files, whatever their modes.
    others = found.file & 0o066 if found.folder & 0o011 else 0
    told = (
        f"{found.path} 权限 {found.file:04o}，目录 {found.folder:04o}",
        f"{found.path} has mode {found.file:04o}, its folder {found.folder:04o}",
    )
    do = (f"请执行 chmod 700 {found.path.parent}。", f"Run `chmod 700 {found.path.parent}`.")
    if others & 0o022 or found.folder & 0o022:
        return fails("roles", (f"{told[0]}：别人能改", f"{told[1]}: others may change it"), do)
    if others:
        return look("roles", (f"{told[0]}：别人能读", f"{told[1]}: others may read it"), do)
    return holds("roles", told)


def check_clocks(ours: datetime, theirs: datetime) -> Finding:
    """Whether this machine's clock and PostgreSQL's agree; both read at the same moment."""
    apart = abs(ours - theirs)
    told = (
        f"本机与数据库的时钟相差 {apart.total_seconds():.1f} 秒",
        f"this machine's clock and the database's differ by {apart.total_seconds():.1f} s",
    )
    if apart <= CLOCKS_DIFFER:
        return holds("clock", told)
    do = (
        "请让两台机器都与时间服务器同步（timedatectl）。",
        "Let both machines follow a time server (timedatectl).",
    )
    return (fails if apart > CLOCKS_APART else look)("clock", told, do)


def check_last_event(last: datetime | None, at: datetime) -> Finding:
    """Whether the last entry lies in the past: commands before it are refused."""
    if last is None or last <= at:
        age = lasting(at - last) if last else ("还没有记录", "no entry yet")
        return holds(
            "last-event",
            (
                f"最后一条记录：{age[0]}{'前' if last else ''}",
                f"last entry: {age[1]}{' ago' if last else ''}",
            ),
        )
    ahead = lasting(last - at)
    return fails(
        "last-event",
        (
            f"最后一条记录比本机时钟晚 {ahead[0]}",
            f"the last entry is {ahead[1]} ahead of our clock",
        ),
        (
            "请先校准本机时钟；时钟没错的，说明记录是时钟快的时候写的，等到那一刻之前不能再记。",
            (
                "Set this machine's clock. If it is right, entries were written while it was "
                "fast: nothing more is recorded on those cases until then."
            ),
        ),
    )
