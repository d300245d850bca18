"""What every command starts from: settings, database, vault and clock; and how it answers."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, TypeVar

import click
import orjson
from sqlalchemy import Engine

from engine.database import open_database, reading
from engine.errors import BadInput, Conflict
from engine.schema import check_schema
from engine.vault import Vault, close_vault
from engine.vault_key import open_kept
from web.config import Settings
from web.demonstration import clock_of

json_option = click.option("--json", "as_json", is_flag=True, help="机器可读 / machine-readable")


class FileTaken(BadInput):
    """There is a file of this name."""


class NotWritten(Conflict):
    """The disk did not take the file."""


@dataclass(slots=True)
class Shell:
    """What every command starts from: the settings, and the database once it is asked for.

    stays: it becomes a server or a worker, which tells of itself.
    """

    settings: Settings
    stays: bool = False
    _engine: Engine | None = None
    _clock: Callable[[], datetime] | None = None
    _vault: Vault | None = None

    @property
    def engine(self) -> Engine:
        """The database, brought up to this release by `shaoji init`."""
        if self._engine is None:
            self._engine = open_database(self.settings.database_url)
            check_schema(self._engine)
        return self._engine

    @property
    def vault(self) -> Vault:
        """The store of what is sealed."""
        if self._vault is None:
            self._vault = open_kept(*self.settings.vault)
        return self._vault

    def close(self) -> None:
        """Let go of the connections; whatever is asked for afterwards opens them again."""
        if self._vault is not None:
            close_vault(self._vault)
        if self._engine is not None:
            self._engine.dispose()

    def use_vault(self, vault: Vault) -> None:
        """Go on with the vault under another key."""
        self._vault = vault

    def now(self) -> datetime:
        """The instant at which this command acts, by the clock of the database it acts on."""
        if self._clock is None:
            self._clock = clock_of(self.engine, now_utc)
        return self._clock()

    @property
    def reader(self) -> Engine:
        """The database for reading only."""
        return reading(self.engine)


def now_utc() -> datetime:
    """The wall clock of the command line."""
    return datetime.now(UTC)


def print_json(value: Any) -> None:
    """Answer a program."""
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def progress_bar(label: str) -> Callable[[int], Any]:
    """A progress bar for `total` steps on a terminal; silent where nobody looks."""

    @contextmanager
    def bar(total: int) -> Iterator[Callable[[int], None]]:
        if not sys.stderr.isatty():
            yield lambda steps: None
            return
        with click.progressbar(length=total, label=label, file=sys.stderr) as shown:
            yield shown.update

    return bar


def new_file(path: Path) -> AbstractContextManager[IO[str]]:
    """A text file that takes its name when all of it is on disk; raises FileTaken, NotWritten."""
    return _new(path, lambda partial: partial.open("w", encoding="utf-8", newline="\n"))


def new_binary_file(path: Path) -> AbstractContextManager[IO[bytes]]:
    """The same for bytes."""
    return _new(path, lambda partial: partial.open("wb"))


Opened = TypeVar("Opened", IO[str], IO[bytes])


@contextmanager
def _new(path: Path, begin: Callable[[Path], Opened]) -> Iterator[Opened]:
    if path.exists():
        raise FileTaken(
            f"{path} 已存在，没有写。请换一个文件名。",
            f"{path} exists; nothing was written. Name another file.",
        )
    partial = path.with_name(f"{path.name}.partial")
    try:
        with begin(partial) as out:
            yield out
        partial.replace(path)
    except OSError as error:
        raise NotWritten(
            f"写不进 {path}（{error.strerror}），没有写。请检查磁盘空间和目录。",
            f"{path} could not be written ({error.strerror}); nothing was written. "
            "Look at the disk and the folder.",
        ) from error
    finally:
        partial.unlink(missing_ok=True)
