"""The command line of witnesses: the second office, and the first that asks it."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from audit.checkpoint import open_checkpoint
from audit.note import Signer
from engine.database import open_database
from engine.keys import open_keys
from engine.sequencer import run_sequencer
from engine.witnessed import open_store, witness
from tests.offices import open_office
from tests.tsa import make_authority
from tests.tsa import served as served_authority
from tests.witnessing import ORIGIN, Grown, signer, witness_signer
from web.anchors import anchors, stamp_roots
from web.cli import main
from web.config import BadSettings, read_settings

Shaoji = Callable[..., Result]


@pytest.fixture
def shaoji(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shaoji:
    """Runs the command in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, list(arguments))
        assert result.exit_code == code, (result.output, result.exception)
        return result

    return run


@pytest.fixture
def founded(shaoji: Shaoji) -> Shaoji:
    shaoji("init", "--street", "听澜街道")
    shaoji("keys", "init")
    return shaoji


def told(result: Result) -> Any:
    return json.loads(result.stdout)


def log_signers() -> tuple[Signer, ...]:
    settings = read_settings({})
    return open_keys(settings.keys, settings.origin).checkpoint_signers


def publish() -> None:
    database = open_database(read_settings({}).database_url)
    run_sequencer(database, log_signers(), at=datetime.now(UTC))
    database.dispose()


def believe(line: str) -> None:
    """Add a witness to the policy, and want its cosignature."""
    policy = Path("var/keys/policy.txt")
    text = policy.read_text(encoding="utf-8").replace("quorum none", f"{line}\nquorum district")
    policy.write_text(text, encoding="utf-8")


def test_before_the_first_checkpoint_that_is_said(founded: Shaoji) -> None:
    with closing(sqlite3.connect("var/shaoji.db")) as raw:
        raw.executescript("DROP TRIGGER checkpoint_no_delete; DELETE FROM checkpoint")
    assert "还没有检查点" in founded("anchors").output
    assert told(founded("anchors", "--json"))["checkpoint"] is None


def test_a_checkpoint_goes_to_the_witness_the_authority_and_the_folder(
    founded: Shaoji, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish()
    authority = make_authority(tmp_path / "tsa")
    keys = [one.key for one in log_signers()]
    with open_office(tmp_path / "office", keys) as office, served_authority(authority) as url:
        monkeypatch.setenv("SHAOJI_TSA_URL", url)
        monkeypatch.setenv("SHAOJI_TSA_ROOTS", str(authority.roots))
        monkeypatch.setenv("SHAOJI_CHECKPOINTS_DIR", str(tmp_path / "theirs"))
        believe(f"witness district {office.signer.key.vkey} {office.url}")
        before = told(founded("anchors", "--json"))
        assert before["quorum"] is False
        after = told(founded("anchors", "--now", "--json"))
    assert after["quorum"] is True
    assert set(after["cosignatures"]) == {"district"}
    assert [one["checked"] for one in after["timestamps"]] == [True]
    assert open_checkpoint(Path(after["file"]).read_bytes())[1].size == after["checkpoint"]["size"]
    assert Path(after["file"]).parent == tmp_path / "theirs"
    assert {one["name"] for one in after["places"]} == {"district", "tsa", "folder"}
    assert all(one["failures"] == 0 for one in after["places"])
    said = founded("anchors").output
    for words in ("见证够了", "时间戳", "已核对", "district", "每日文件"):
        assert words in said


def test_a_witness_that_cannot_be_reached_is_shown_and_is_no_alarm(founded: Shaoji) -> None:
    publish()
    believe(f"witness district {witness_signer().key.vkey} http://127.0.0.1:9")
    said = founded("anchors", "--now").output
    assert "见证还不够" in said
    assert "1 次没送到" in said


def test_another_history_held_elsewhere_ends_with_status_1(founded: Shaoji, tmp_path: Path) -> None:
    publish()
    signers = log_signers()
    size = told(founded("anchors", "--json"))["checkpoint"]["size"]
    with open_office(tmp_path / "office", [one.key for one in signers]) as office:
        believe(f"witness district {office.signer.key.vkey} {office.url}")
        forged = Grown(signers[0].key.name, history="forged ", key=signers[0])
        witness(
            office.store, forged.request(0, size), signer=office.signer,
            keys=[one.key for one in signers], now=lambda: datetime.now(UTC),
        )  # fmt: skip
        assert "严重" in founded("anchors", "--now", code=1).output


def test_what_is_configured_is_where_heads_go(founded: Shaoji, tmp_path: Path) -> None:
    settings = read_settings(
        {"SHAOJI_CHECKPOINTS_DIR": "/mnt/discipline", "SHAOJI_WITNESS_TIMEOUT": "2"}
    )
    where = anchors(settings, open_keys(settings.keys, settings.origin).policy)
    assert (str(where.folder), where.timeout, where.tsa_url) == ("/mnt/discipline", 2.0, "")
    assert read_settings({}).checkpoints == Path("var/checkpoints")
    for name, value in [
        ("TSA_URL", "tsa.example"),
        ("WITNESS_TIMEOUT", "0"),
        ("WITNESS_TIMEOUT", "x"),
    ]:
        with pytest.raises(BadSettings, match=name):
            read_settings({f"SHAOJI_{name}": value})
    (tmp_path / "roots.pem").write_text("nothing", encoding="utf-8")
    for path in ("roots.pem", "missing.pem"):
        with pytest.raises(BadSettings, match=path):
            stamp_roots(Path(path))


# --- being a witness ------------------------------------------------------------------------------


def test_a_witness_without_a_log_or_with_a_wrong_key_does_not_start(shaoji: Shaoji) -> None:
    assert "--log" in shaoji("witness", "--name", "w.example", code=1).output
    for wrong in ("x", witness_signer().key.vkey, signer(ORIGIN).key.vkey[:-1]):
        said = shaoji("witness", "--name", "w.example", "--log", wrong, code=1).output
        assert "不是日志的公钥" in said


def test_what_was_seen_is_shown_and_a_fork_ends_with_status_1(
    shaoji: Shaoji, tmp_path: Path
) -> None:
    made = told(shaoji("keys", "witness", "witness.example/district", "--json"))
    folder, log, key = Path("var/keys"), Grown(), witness_signer()
    store = open_store(folder)
    at = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
    for size in (0, 5):
        witness(
            store, log.request(size, size + 5), signer=key, keys=[log.key.key],
            now=lambda: at,
        )  # fmt: skip
    seen = told(shaoji("witness", "show", "--json"))
    assert seen["vkey"] == made["vkey"]
    assert [(one["origin"], one["size"], one["forks"]) for one in seen["logs"]] == [
        (ORIGIN, 10, [])
    ]
    assert "10 条" in shaoji("witness", "show").output
    with pytest.raises(ValueError, match="root"):
        witness(
            store, Grown(history="forged ").request(10, 10), signer=key, keys=[log.key.key],
            now=lambda: at + timedelta(days=1),
        )  # fmt: skip
    store.dispose()
    assert "分叉" in shaoji("witness", "show", code=1).output
    (fork,) = told(shaoji("witness", "show", "--json", code=1))["logs"][0]["forks"]
    assert open_checkpoint(fork["known"].encode())[1].size == 10
    assert "没有" in shaoji("witness", "show", "--state", str(tmp_path / "other"), code=1).output
