"""Disks that are full, slow, or only read: the act is refused, and what was recorded is there."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from engine.casework import Done
from engine.database import open_database
from engine.evidence import StorageFull, keep_whole
from tests.conftest import Street, known_people
from tests.engine.tampering import forget_live_states
from tests.engine.test_concurrency_and_crash import at_once
from tests.faults.disks import disk, only_read, remount

PREPARED = {"kind": "wood", "pieces": 3}


@pytest.fixture
def small(sqlite_template: Path, tmp_path: Path) -> Iterator[tuple[Path, Street]]:
    """A street on a disk that its database fills but for a MiB."""
    room = sqlite_template.stat().st_size // 2**20 + 2
    with disk(tmp_path / "disk", room) as folder:
        shutil.copy(sqlite_template, folder / "street.db")
        database = open_database(f"sqlite:///{folder}/street.db")
        yield folder, Street(database, person=known_people(database))
        database.dispose()


def fill(street: Street) -> list[str]:
    """Open cases until the disk takes no more; returns those that were acknowledged."""
    opened = []
    for _ in range(2000):
        try:
            opened.append(street.report())
        except OperationalError as error:
            if "full" in str(error):
                return opened
            raise
    raise AssertionError("the disk never ran full")


def finish_some(street: Street, opened: list[str]) -> list[str]:
    """Do the step of these cases until the disk takes no more; returns those it is not done of."""
    for number, case in enumerate(opened):
        try:
            street.complete(case, "prepare#1", "head", PREPARED)
        except OperationalError as error:
            if "full" in str(error):
                return opened[number:]
            raise
    raise AssertionError("the disk never ran full")


def test_a_disk_runs_full_and_is_made_larger(small: tuple[Path, Street]) -> None:
    folder, street = small
    opened = fill(street)
    assert opened
    # A step takes less room than a case that is opened: some may still be done.
    left = finish_some(street, opened)
    with pytest.raises(OperationalError, match="full"):
        street.complete(left[0], "prepare#1", "head", PREPARED)
    forget_live_states()
    street.check()  # what is there is read and verified on the full disk
    remount(folder, "size=64m")
    for case in left:
        street.complete(case, "prepare#1", "head", PREPARED)
    number = int(street.report()[-5:])
    assert number == len(opened) + 1  # nothing was taken by what was refused
    street.check()


def test_evidence_that_does_not_fit_leaves_no_half_of_a_file(small: tuple[Path, Street]) -> None:
    folder, street = small
    case = street.report()
    with pytest.raises(StorageFull, match="存储空间已满"):
        keep_whole(folder / "evidence", bytes(8 * 2**20))
    assert [path for path in (folder / "evidence").rglob("*") if path.is_file()] == []
    street.complete(case, "prepare#1", "head", PREPARED)
    street.check()


def test_a_disk_that_can_only_be_read_refuses_and_goes_on_when_it_can_be_written(
    small: tuple[Path, Street],
) -> None:
    folder, street = small
    case = street.report()
    street.database.dispose()
    with only_read(folder) as same:
        database = open_database(f"sqlite:///{same}/street.db")
        reader = Street(database, person=street.person)
        for act in (lambda: reader.complete(case, "prepare#1", "head", PREPARED), reader.report):
            with pytest.raises(OperationalError, match=r"read|open"):
                act()
        database.dispose()
    street.complete(case, "prepare#1", "head", PREPARED)
    street.check()


@contextmanager
def slow(street: Street, seconds: float) -> Iterator[None]:
    """Every COMMIT takes so long, as on a disk that is worn out or shared."""
    dialect = street.database.dialect
    commit = dialect.do_commit

    def late(connection: Any) -> None:
        time.sleep(seconds)
        commit(connection)

    dialect.do_commit = late  # type: ignore[method-assign]
    yield
    del dialect.do_commit


def test_on_a_slow_disk_everybody_waits_and_nobody_is_refused(street: Street) -> None:
    cases = [street.report() for _ in range(6)]
    with slow(street, 0.3):
        told = at_once(
            *[lambda c=case: street.complete(c, "prepare#1", "head", PREPARED) for case in cases]
        )
    assert all(isinstance(one, Done) for one in told), told
    street.check()
