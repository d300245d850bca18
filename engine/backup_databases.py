"""A database into one file and back, while it is being worked on: SQLite's own copy, pg_dump.

Both copy one state: what was committed when they began, and nothing that was not.
"""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Final

from sqlalchemy import inspect
from sqlalchemy.engine import URL, make_url

from engine.backup_files import AnotherFile, Kept, described, put_back
from engine.database import POOLER, open_database
from engine.errors import BadInput, Conflict, NotFound, Refusal
from engine.key_files import PRIVATE

# A table that every log has, and every vault.
_OURS: Final = (("event", None), ("vault_root", "sealed"))


class NoTool(NotFound):
    """A program of PostgreSQL's is not installed here."""

    def __init__(self, tool: str) -> None:
        super().__init__(
            f"这台机器上没有 {tool}。请安装 PostgreSQL 客户端（postgresql-client），版本同服务器。",
            f"{tool} is not on this machine; install PostgreSQL's client programs "
            "(postgresql-client) of the server's version.",
        )


class ToolFailed(Refusal):
    """A program of PostgreSQL's did not do it; it says why itself."""

    def __init__(self, tool: str, said: str) -> None:
        super().__init__(
            f"{tool} 没有完成：{said}。请按它说的处理后再来。",
            f"{tool} did not finish: {said}. Do as it says, and begin again.",
        )


class DatabaseDamaged(Refusal):
    """What was copied is not a whole database."""

    def __init__(self, said: str) -> None:
        super().__init__(
            f"数据库文件有损坏，没有备份：{said}。请用上一份完好的备份。",
            f"The database is damaged; nothing was backed up: {said}. Use the last whole backup.",
        )


class NoDatabase(NotFound):
    """There is nothing to back up."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"没有数据库 {url}，没有什么可备份的。请核对 SHAOJI_DATABASE_URL、SHAOJI_VAULT_URL。",
            f"There is no database {url}; look at SHAOJI_DATABASE_URL and SHAOJI_VAULT_URL.",
        )


class DatabaseTaken(Conflict):
    """There is a log in that database already."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"{url} 里已经有数据，没有覆盖。恢复只写进空的数据库；请先移开或另建一个。",
            f"There is a log in {url} already; nothing was put over it. A backup is put back into "
            "an empty database only: move it away, or make another.",
        )


class OtherKind(BadInput):
    """The backup is of the other kind of database."""

    def __init__(self, file: str, kind: str) -> None:
        super().__init__(
            f"备份里是 {file}，设置里的数据库是 {kind}，不能这样恢复。请把数据库地址设成同一种。",
            f"The backup holds {file}, and the database of the settings is {kind}; set the address "
            "of a database of the same kind.",
        )


def same_database(one: str, other: str) -> bool:
    """Whether two addresses mean one database, whoever signs in to it."""
    first, second = make_url(one), make_url(other)
    return (_kind(first), *_place(first)) == (_kind(second), *_place(second))


def is_there(url: str) -> bool:
    """Whether there is a file, or an address of a server, to copy from."""
    address = make_url(url)
    return _kind(address) != "sqlite" or Path(address.database or "").is_file()


def save_database(url: str, folder: Path, name: str) -> Kept:
    """Copy a database into a folder, under this name and its kind's ending.

    Raises NoDatabase, DatabaseDamaged, NoTool, ToolFailed.
    """
    address = make_url(url)
    if _kind(address) == "sqlite":
        return _save_sqlite(Path(address.database or ""), folder, f"{name}.db")
    file = f"{name}.dump"
    _run("pg_dump", address, "--format=custom", "--no-owner", f"--file={folder / file}")
    (folder / file).chmod(PRIVATE)
    return described(folder, file)


def _save_sqlite(path: Path, folder: Path, file: str) -> Kept:
    if not path.is_file():
        raise NoDatabase(str(path))
    target = folder / file
    target.touch(PRIVATE)
    with closing(sqlite3.connect(path)) as live, closing(sqlite3.connect(target)) as copy:
        try:
            live.backup(copy)
            (said,) = copy.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.DatabaseError as error:
            said = str(error)
        if said != "ok":
            raise DatabaseDamaged(said)
    # Only one file, whatever the journal was: what is beside it is empty after a clean closing.
    for beside in ("-wal", "-shm"):
        target.with_name(f"{file}{beside}").unlink(missing_ok=True)
    return described(folder, file)


def check_free(url: str) -> None:
    """Raise DatabaseTaken unless there is nothing of ours where a database is to be put back."""
    address = make_url(url)
    if _kind(address) == "sqlite":
        if Path(address.database or "").exists():
            raise DatabaseTaken(str(address.database))
        return
    engine = open_database(url)
    try:
        tables = inspect(engine)
        if any(tables.has_table(name, schema=schema) for name, schema in _OURS):
            raise DatabaseTaken(address.render_as_string())
    finally:
        engine.dispose()


def put_database_back(folder: Path, kept: Kept, url: str) -> None:
    """Put a database back, whole or not at all; a file that is there already may be the same.

    Raises OtherKind, AnotherFile, DatabaseTaken, NoTool, ToolFailed.
    """
    address = make_url(url)
    if kept.path.endswith(".db") != (_kind(address) == "sqlite"):
        raise OtherKind(kept.path, _kind(address))
    if _kind(address) == "sqlite":
        target = Path(address.database or "")
        for beside in ("-wal", "-shm"):
            # A journal of another database would be played into this one.
            if target.with_name(f"{target.name}{beside}").exists():
                raise AnotherFile(target.with_name(f"{target.name}{beside}"))
        put_back(folder, kept, target)
        return
    check_free(url)
    _run(
        "pg_restore", address, "--single-transaction", "--exit-on-error", "--no-owner",
        f"--dbname={_plain(address)}", str(folder / kept.path), named=False,
    )  # fmt: skip


def _run(tool: str, address: URL, *arguments: str, named: bool = True) -> None:
    """The password goes by the environment: arguments can be read by everybody on the machine."""
    program = shutil.which(tool)
    if program is None:
        raise NoTool(tool)
    where = [f"--dbname={_plain(address)}"] if named else []
    environment = os.environ | ({"PGPASSWORD": str(address.password)} if address.password else {})
    done = subprocess.run(
        [program, "--no-password", *where, *arguments],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise ToolFailed(tool, " ".join(done.stderr.split())[:500])


def _plain(address: URL) -> str:
    plain = address.set(drivername="postgresql", password=None)
    return plain.difference_update_query([POOLER]).render_as_string()


def _kind(address: URL) -> str:
    return address.get_backend_name()


def _place(address: URL) -> tuple[object, ...]:
    if _kind(address) == "sqlite":
        return (Path(address.database or "").resolve(),)
    host = address.query.get("host") or address.host
    return host, address.port, address.database
