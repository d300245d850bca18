"""A page of the database is overwritten: it is said, never passed over, and a backup helps."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from engine.damage import damage
from tests.conftest import Street
from tests.faults.test_kills import seeded
from tests.web.test_cli import IMPORT, Shaoji, founded, shaoji

__all__ = ["founded", "shaoji"]  # fixtures
PAGE = 4096
DATABASE = Path("var/shaoji.db")


@pytest.fixture
def kept(founded: Shaoji) -> Shaoji:
    """A street with cases, its log signed, and a backup of all of it."""
    founded(*IMPORT)
    founded("checkpoint")
    founded("backup", "backup", "--keys", "backup-keys")
    return founded


def overwrite(path: Path, page: int, chance: Random) -> None:
    """Write what means nothing over one page; pages count from 0."""
    with path.open("r+b") as file:
        file.seek(page * PAGE)
        file.write(chance.randbytes(PAGE))


def pages_of(path: Path, table: str) -> list[int]:
    """The pages that hold a table's rows: those in which the end of a row's body stands."""
    with closing(sqlite3.connect(path)) as conn:
        needles = [bytes(row[0])[-120:] for row in conn.execute(f"SELECT body FROM {table}")]
    found = map(path.read_bytes().find, needles)
    return sorted({place // PAGE for place in found if place >= 0})  # not what two pages share


def sound(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as conn:
        try:
            return bool(conn.execute("PRAGMA integrity_check").fetchone() == ("ok",))
        except sqlite3.DatabaseError:
            return False


@pytest.mark.parametrize("share", [12, pytest.param(1, marks=pytest.mark.long)])
def test_no_page_can_be_overwritten_without_a_backup_refusing_or_a_verification_failing(
    kept: Shaoji, share: int
) -> None:
    chance, whole = seeded(), DATABASE.read_bytes()
    events = set(pages_of(DATABASE, "event"))
    drawn = {p for p in range(len(whole) // PAGE) if chance.randrange(share) == 0}
    pages = sorted(drawn | set(chance.sample(sorted(events), min(3, len(events)))))
    seen = {"verify": 0, "backup": 0, "unused": 0}
    for page in pages:
        for beside in DATABASE.parent.glob("shaoji.db-*"):
            beside.unlink()
        DATABASE.write_bytes(whole)
        overwrite(DATABASE, page, chance)
        if page in events:
            said = kept("verify", code=1).output
            assert "损坏" in said or "不符" in said, said
            seen["verify"] += 1
        if sound(DATABASE):
            seen["unused"] += 1  # a page that nothing is stored on
        else:
            assert "损坏" in kept("backup", f"again-{page}", code=1).output
            seen["backup"] += 1
    assert seen["backup"]
    print(f"{len(pages)} of {len(whole) // PAGE} pages: {seen}")


def test_a_damaged_database_is_put_back_from_its_backup(kept: Shaoji) -> None:
    chance = Random(7)
    for page in pages_of(DATABASE, "event"):
        overwrite(DATABASE, page, chance)
    said = kept("verify", code=1).output
    assert "shaoji restore" in said
    shutil.move("var", "damaged")
    kept("restore", "backup", "--keys", "backup-keys")
    kept("verify", code=3)  # it holds; what nobody gave from outside is not checked
    kept("worker", "--once")


def test_what_is_no_damage_is_none(street: Street) -> None:
    with pytest.raises(DBAPIError) as found, street.database.begin() as conn:
        conn.execute(text("SELECT * FROM no_such_table"))
    assert damage(found.value) is None
