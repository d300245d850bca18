"""A backup: the databases, the files of evidence, and in a folder of its own the keys.

Order, so that nothing a record names is missing in the copy: the database first, then the vault and
the files, which are written before the entry that names them and never changed. The list
(`backup.json`) is written last: a folder without it is no backup, whatever lies in it.

Putting back goes the other way round: files, vault, keys, and the database last, so that a run that
dies leaves nothing that could be started, and can be begun again.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson
from sqlalchemy import Connection, func, select

from audit import sequence
from audit.encoding import instant, timestamp
from audit.log import event_table, origin
from engine.backup_databases import (
    check_free,
    is_there,
    put_database_back,
    same_database,
    save_database,
)
from engine.backup_files import (
    PRIVATE_FOLDER,
    Kept,
    check,
    files_below,
    put_back,
    save,
)
from engine.errors import BadInput, Conflict
from engine.key_files import PRIVATE, PUBLIC, sync, write_once

LIST: Final = "backup.json"
FORMAT: Final = 1
DATABASE: Final = "database"
VAULT: Final = "vault"
# As engine.evidence keeps them: nobody writes to them again.
EVIDENCE: Final = "evidence/"
EVIDENCE_MODE: Final = 0o440


class NotABackup(BadInput):
    """The folder holds no whole backup."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} 不是完整的备份（没有能读的 {LIST}）。请换一个文件夹。",
            f"{folder} is no whole backup ({LIST} is missing or cannot be read); name another.",
        )


class FolderTaken(Conflict):
    """A backup goes into a folder of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} 里已经有东西，没有写。每次备份请用一个新文件夹。",
            f"There is something in {folder}; nothing was written. Name a new folder each time.",
        )


class OtherKeys(BadInput):
    """The keys were not backed up with this backup."""

    def __init__(self) -> None:
        super().__init__(
            "这份密钥和这份备份不是一起存的，没有恢复。请找同一次备份的两个文件夹。",
            "These keys were not saved with this backup; nothing was put back. Take the two "
            "folders of one backup.",
        )


@dataclass(frozen=True, slots=True)
class Position:
    """Where a log stood: its name, how many entries it had, size and root of the checkpoint."""

    log: str
    entries: int
    size: int
    root: str


@dataclass(frozen=True, slots=True)
class Stores:
    """Where things are. folders, key_folders, key_files: by the name they have in a backup."""

    database: str
    vault: str
    folders: Mapping[str, Path]
    key_folders: Mapping[str, Path]
    key_files: Mapping[str, Path]


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds. id: the same beside its keys. position: it holds at least that.

    databases: file by name; there is no vault of its own where it lies in the same database.
    """

    id: str
    made_at: datetime
    position: Position
    databases: Mapping[str, Kept]
    files: tuple[Kept, ...]


def position_of(conn: Connection) -> Position:
    """Where the log stands."""
    entries = conn.execute(select(func.count()).select_from(event_table)).scalar_one()
    last = sequence.latest(conn)
    if last is None:
        return Position(origin(conn), entries, 0, "")
    return Position(origin(conn), entries, last.checkpoint.size, last.checkpoint.root.hex())


# --- made -----------------------------------------------------------------------------------------


def back_up(
    conn: Connection,
    stores: Stores,
    folder: Path,
    *,
    keys: Path | None,
    previous: Path | None,
    id_: str,
    at: datetime,
    seen: Callable[[int], None],
) -> Backup:
    """Copy everything into `folder`, and the keys into another; both must be new or empty.

    previous: an earlier backup; evidence it holds is linked to, not copied. seen: so many more
    files are done. conn: to read where the log stands. Raises FolderTaken, NotABackup, NoRoom,
    FileDamaged and what `save_database` raises.
    """
    known = {one.path: one for one in read_backup(previous).files} if previous else {}
    for place in filter(None, (folder, keys)):
        _begin(place)
    position = position_of(conn)
    databases = {DATABASE: save_database(stores.database, folder, DATABASE)}
    if not same_database(stores.database, stores.vault) and _has_vault(stores):
        databases[VAULT] = save_database(stores.vault, folder, VAULT)
    files = []
    for name, root in stores.folders.items():
        for path in files_below(root):
            inside = f"{name}/{path.relative_to(root).as_posix()}"
            files.append(save(path, folder, inside, known, previous))
            seen(1)
    made = Backup(id_, at, position, databases, tuple(files))
    if keys is not None:
        _write(keys, Backup(id_, at, position, {}, _save_keys(stores, keys)))
    _write(folder, made)
    return made


def _has_vault(stores: Stores) -> bool:
    """Nothing was sealed yet where there is neither a vault nor its key; a key alone is a loss."""
    return stores.key_files["vault.key"].exists() or is_there(stores.vault)


def _save_keys(stores: Stores, keys: Path) -> tuple[Kept, ...]:
    inside = [
        (f"{name}/{path.relative_to(root).as_posix()}", path)
        for name, root in stores.key_folders.items()
        for path in files_below(root)
    ]
    alone = [(name, path) for name, path in stores.key_files.items() if path.is_file()]
    return tuple(save(path, keys, name, {}, None) for name, path in (*inside, *alone))


def _begin(folder: Path) -> None:
    folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FolderTaken(folder)


def _write(folder: Path, made: Backup) -> None:
    told = asdict(made) | {"format": FORMAT, "made_at": timestamp(made.made_at)}
    for name in sorted({path.parent for path in folder.rglob("*")}):
        sync(name)
    write_once(folder / LIST, orjson.dumps(told, option=orjson.OPT_INDENT_2), PRIVATE)


# --- read -----------------------------------------------------------------------------------------


def read_backup(folder: Path) -> Backup:
    """What a folder holds, as its list says; raises NotABackup."""
    try:
        told = orjson.loads((folder / LIST).read_bytes())
        if told["format"] != FORMAT:
            raise NotABackup(folder)
        return Backup(
            told["id"],
            instant(told["made_at"]),
            Position(**told["position"]),
            {name: _kept(one) for name, one in told["databases"].items()},
            tuple(_kept(one) for one in told["files"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise NotABackup(folder) from None


def _kept(told: Mapping[str, Any]) -> Kept:
    kept = Kept(**told)
    path = Path(kept.path)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError(kept.path)
    return kept


def check_backup(folder: Path, keys: Path | None) -> Backup:
    """Read every file of a backup and of its keys; raises NotABackup, OtherKeys, FileDamaged."""
    made = read_backup(folder)
    check(folder, (*made.databases.values(), *made.files))
    if keys is not None:
        held = read_backup(keys)
        if held.id != made.id:
            raise OtherKeys
        check(keys, held.files)
    return made


# --- put back -------------------------------------------------------------------------------------


def restore(folder: Path, keys: Path | None, stores: Stores) -> Backup:
    """Put a backup back into empty places; begun again after a crash it goes on.

    Raises what `check_backup` does, DatabaseTaken, AnotherFile, NoRoom, NoTool, ToolFailed.
    """
    made = check_backup(folder, keys)
    check_free(stores.database)
    for kept in made.files:
        mode = EVIDENCE_MODE if kept.path.startswith(EVIDENCE) else PUBLIC
        put_back(folder, kept, _target(folder, kept.path, stores.folders, {}), mode=mode)
    if keys is not None:
        for kept in read_backup(keys).files:
            target = _target(keys, kept.path, stores.key_folders, stores.key_files)
            put_back(keys, kept, target)
    if VAULT in made.databases:
        put_database_back(folder, made.databases[VAULT], stores.vault)
    put_database_back(folder, made.databases[DATABASE], stores.database)
    return made


def _target(
    folder: Path, path: str, folders: Mapping[str, Path], files: Mapping[str, Path]
) -> Path:
    name, _, inside = path.partition("/")
    if path in files:
        return files[path]
    if not inside or name not in folders:
        raise NotABackup(folder)
    return folders[name] / inside
