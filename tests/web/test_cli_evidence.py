"""Proof at the command line: a street signs, verifies, lets its log leave, and is found out."""

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from audit import log
from audit.encoding import timestamp
from audit.receipt import KEY_SUFFIX, Receipt, give_receipt
from audit.steps import STEPS
from engine.database import open_database
from engine.keys import Places, open_keys
from engine.log_export import CASES
from tests.web.test_cli import IMPORT, ROOT, founded, shaoji, told
from web.cli import main

__all__ = ["founded", "shaoji"]  # fixtures
Shaoji = Callable[..., Result]
ORIGIN = "shaoji.example/street"
DATABASE = Path("var/shaoji.db")


@pytest.fixture
def street(founded: Shaoji) -> Shaoji:
    """A founded street with two cases under a checkpoint, one kept in the folder of the day."""
    founded(*IMPORT)
    founded("checkpoint")
    return founded


def steps(verdict: Any) -> dict[str, str]:
    return {one["name"]: one["outcome"] for one in verdict["steps"]}


def audit(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "audit", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
    )  # fmt: skip


@contextmanager
def beneath() -> Iterator[sqlite3.Connection]:
    """The database file in the hands of its owner, triggers out of the way and then back."""
    with closing(sqlite3.connect(DATABASE)) as conn:
        triggers = conn.execute(
            "SELECT name, sql FROM sqlite_master WHERE type='trigger'"
        ).fetchall()
        for name, _ in triggers:
            conn.execute(f"DROP TRIGGER {name}")
        yield conn
        for _, sql in triggers:
            conn.execute(sql)
        conn.commit()


def copy(source: Path, target: Path) -> None:
    """What a backup does, and what putting it back does."""
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


# --- a street that is as it should be -------------------------------------------------------------


def test_a_new_street_has_its_first_checkpoint_and_verifies(founded: Shaoji) -> None:
    verdict = told(founded("verify", "--json"))
    assert verdict["ok"]
    assert verdict["status"] == 0
    assert list(Path("var/checkpoints").iterdir())
    names = [one["name"] for one in verdict["steps"]]
    assert names == sorted(names, key=list(STEPS).index)


def test_verify_numbers_its_steps_and_says_whose_folder_the_checkpoints_lie_in(
    street: Shaoji,
) -> None:
    output = street("verify").output
    assert " 5. [相符] 每条记录都在树里" in output
    assert "10. [相符]" in output
    assert "SHAOJI_CHECKPOINTS_DIR" in output
    assert "全部相符" in output


def test_signing_twice_signs_once(street: Shaoji) -> None:
    assert told(street("checkpoint", "--json")) == {
        "integrated": 0, "checkpoint": None, "failed": [],
    }  # fmt: skip


def test_one_case_verifies_by_itself_and_what_was_just_recorded_may_wait(founded: Shaoji) -> None:
    founded(*IMPORT)
    case = told(founded("cases", "--json"))[0]["case"]
    verdict = told(founded("verify", "--case", case, "--json"))
    assert verdict["ok"], verdict
    founded("checkpoint")
    assert told(founded("verify", "--case", case, "--json"))["ok"]


def test_what_need_not_be_checked_is_said_outright(street: Shaoji) -> None:
    shutil.rmtree("var/checkpoints")
    verdict = told(street("verify", "--json", code=3))
    assert steps(verdict)["outside"] == "unchecked"
    spared = told(street("verify", "--json", "--without", "outside"))
    assert steps(spared)["outside"] == "not_needed"
    assert (
        steps(told(street("verify", "--json", "--no-evidence", "--without", "outside")))["files"]
        == "not_needed"
    )


# --- a street that is not -------------------------------------------------------------------------


def test_a_restored_backup_is_found_by_the_checkpoint_of_the_day(founded: Shaoji) -> None:
    copy(DATABASE, Path("backup.db"))
    founded(*IMPORT)
    founded("checkpoint")
    copy(Path("backup.db"), DATABASE)
    verdict = told(founded("verify", "--json", code=1))
    found = {one["name"]: one for one in verdict["steps"]}
    assert found["outside"]["outcome"] == "fails"
    assert "不见了" in found["outside"]["chinese"]
    assert steps(verdict)["replay"] == "holds"


def test_a_log_rewritten_and_signed_anew_is_found_only_from_outside(street: Shaoji) -> None:
    kept = next(Path("var/checkpoints").iterdir())
    shutil.move(kept, "kept.checkpoint")
    # Whoever holds database and key: the tree and all checkpoints made anew over another history.
    with beneath() as conn:
        conn.execute("DELETE FROM tile")
        conn.execute("DELETE FROM checkpoint")
        rows = conn.execute("SELECT hash FROM leaf").fetchall()
        conn.execute("DELETE FROM leaf")
        # The streams as they were, in another order: every chain still holds.
        conn.executemany("INSERT INTO outbox (hash) VALUES (?)", rows[:-3])
        last = conn.execute(
            "SELECT stream FROM event WHERE stream LIKE 'hazard%' ORDER BY stream DESC LIMIT 1"
        ).fetchone()[0]
        conn.execute("DELETE FROM outbox")
        conn.execute("INSERT INTO outbox (hash) SELECT hash FROM event WHERE stream = ?", (last,))
        conn.commit()
        street("checkpoint")
    with beneath() as conn:
        conn.execute(
            "INSERT INTO outbox (hash) SELECT hash FROM event"
            " WHERE hash NOT IN (SELECT hash FROM leaf)"
        )
    street("checkpoint")
    shutil.rmtree("var/checkpoints")
    inside = told(street("verify", "--json", "--without", "outside"))
    assert inside["ok"], "nothing inside shows it"
    verdict = told(street("verify", "--json", "--checkpoint", "kept.checkpoint", code=1))
    assert steps(verdict)["outside"] == "fails"


def test_a_sequencer_that_stands_still_is_told(street: Shaoji) -> None:
    with beneath() as conn:
        # As if an event of last year had never been taken in.
        row = conn.execute("SELECT hash FROM leaf ORDER BY leaf_index DESC LIMIT 1").fetchone()
        conn.execute("DELETE FROM leaf WHERE hash = ?", row)
        conn.execute("INSERT INTO outbox (hash) VALUES (?)", row)
        conn.execute("UPDATE event SET at = '2020-01-01T00:00:00.000Z' WHERE hash = ?", row)
    verdict = told(street("verify", "--json", code=1))
    assert steps(verdict)["waiting"] == "fails"


def test_a_checkpoint_file_that_nobody_has_signed_shows_nothing(street: Shaoji) -> None:
    forged = Path("forged.checkpoint")
    text = next(Path("var/checkpoints").iterdir()).read_text(encoding="utf-8")
    origin, _, rest = text.split("\n", 2)
    forged.write_text(f"{origin}\n999999\n{rest}", encoding="utf-8")
    verdict = told(street("verify", "--json", "--checkpoint", str(forged), code=3))
    assert steps(verdict)["outside"] == "unchecked"
    Path("rubbish").write_text("x", encoding="utf-8")
    assert "检查点" in street("verify", "--checkpoint", "rubbish", code=1).output


# --- receipts -------------------------------------------------------------------------------------


def receipt_of(
    case: str, seq: int, *, hash_: bytes | None = None, stream: str | None = None
) -> Path:
    """A receipt as the pages give it out; with another hash or stream, one that was not kept."""
    engine = open_database(f"sqlite:///{DATABASE}")
    with engine.begin() as conn:
        entry = log.read(conn, case)[seq - 1]
    engine.dispose()
    signer = open_keys(Places(Path("var/keys")), ORIGIN).receipt
    assert signer is not None
    assert signer.key.name == ORIGIN + KEY_SUFFIX
    told_ = Receipt(ORIGIN, stream or case, seq, hash_ or entry.hash, timestamp(entry.at))
    path = Path(f"{stream or case}-{seq}.txt")
    path.write_bytes(give_receipt(told_, signer).data)
    return path


def test_a_receipt_that_was_kept_holds(street: Shaoji) -> None:
    case = told(street("cases", "--json"))[0]["case"]
    verdict = told(street("verify", "--json", "--receipt", str(receipt_of(case, 1))))
    assert steps(verdict)["promises"] == "holds"


@pytest.mark.parametrize("fault", ["rewritten", "missing"])
def test_a_receipt_that_was_not_kept_proves_it(street: Shaoji, fault: str) -> None:
    case = told(street("cases", "--json"))[0]["case"]
    more: dict[str, Any] = (
        {"hash_": bytes(32)} if fault == "rewritten" else {"stream": "hazard-2020-00001"}
    )
    path = receipt_of(case, 1, **more)
    verdict = told(street("verify", "--json", "--receipt", str(path), code=1))
    found = {one["name"]: one for one in verdict["steps"]}
    assert found["promises"]["outcome"] == "fails"
    assert "证据" in found["promises"]["chinese"]


# --- leaving --------------------------------------------------------------------------------------


def test_the_whole_log_leaves_and_verifies_without_us(street: Shaoji) -> None:
    left = told(street("export", "log", "out", "--purpose", "移交档案", "--json"))
    assert left["cases"] == 2
    kept = str(next(Path("var/checkpoints").iterdir()))
    done = audit("out", "--policy", "var/keys/policy.txt", "--checkpoint", kept)
    assert done.returncode == 0, done.stdout
    assert audit("out").returncode == 3
    quick = audit("out", "--policy", "var/keys/policy.txt", "--quick", "--without", "all")
    assert quick.returncode == 0, quick.stdout


def test_that_a_log_has_left_is_on_its_record(street: Shaoji) -> None:
    left = told(street("export", "log", "out", "--purpose", "移交档案", "--json"))
    with closing(sqlite3.connect(DATABASE)) as conn:
        body = conn.execute("SELECT body FROM event WHERE type = 'log.exported'").fetchone()[0]
    data = json.loads(body)["data"]
    assert (data["scope"], data["purpose"], data["root"]) == ("log", "移交档案", left["root"])
    street("checkpoint")
    assert told(street("verify", "--json"))["ok"]


def test_the_cases_of_a_unit_leave_as_evidence_files(street: Shaoji) -> None:
    left = told(street("export", "log", "cases", "--unit", "u-street", "--json"))
    assert left["cases"] == 2
    assert len(list(Path("cases", CASES).iterdir())) == 2
    done = audit("cases", "--policy", "var/keys/policy.txt", "--without", "outside")
    assert done.returncode == 0, done.stdout


def test_nothing_is_exported_over_what_is_there(street: Shaoji) -> None:
    Path("out").mkdir()
    Path("out/mine").write_text("x", encoding="utf-8")
    assert "已有内容" in street("export", "log", "out", code=1).output
    assert [path.name for path in Path("out").iterdir()] == ["mine"]
    assert not Path("out.partial").exists()
    assert "u-nowhere" in street("export", "log", "new", "--unit", "u-nowhere", code=1).output


def test_without_the_checkpoint_key_the_tree_grows_and_nothing_is_signed(street: Shaoji) -> None:
    before = told(street("verify", "--json"))
    assert before["ok"]
    shutil.move("var/keys/checkpoint.key", "elsewhere")
    Path("council.csv").write_text(
        Path("council.csv").read_text(encoding="utf-8").replace("X1,", "Y1,"), encoding="utf-8"
    )
    street(*IMPORT)
    done = told(street("checkpoint", "--json"))
    assert done["integrated"] > 0
    assert done["checkpoint"] is None


def test_the_worker_takes_events_in_signs_and_lets_the_head_leave(founded: Shaoji) -> None:
    founded(*IMPORT)
    shutil.rmtree("var/checkpoints")
    output = founded("worker", "--once").output
    assert "编入树" in output
    assert list(Path("var/checkpoints").iterdir())
    assert told(founded("verify", "--json"))["ok"]


def test_help_names_every_command_of_proof() -> None:
    output = CliRunner().invoke(main, ["--help"]).output
    assert all(name in output for name in ("anchors", "checkpoint", "export", "keys", "witness"))
