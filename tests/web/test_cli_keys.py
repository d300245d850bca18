"""Keys on the command line: made with the street, shown without what is private, replaced."""

import hashlib
import json
import re
import shutil
import stat
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from audit import log, sequence
from audit.note import COSIGNATURE, read_vkey
from engine.database import open_database
from engine.key_files import new_private
from engine.keys import Places, PolicyUnfit, open_keys
from engine.sequencer import sequence_log
from engine.verification import verify
from tests import conftest
from tests.conftest import ROOT
from web import demonstration
from web.cli import main
from web.config import BadSettings, Settings, read_settings
from web.demo import ORIGIN
from web.shell import now_utc

Shaoji = Callable[..., Result]
KEYS = Places(Path("var/keys"))
ALL = ["checkpoint.key", "receipt.key", "seal.key", "seal.pem", "policy.txt"]


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
    shaoji("init", "--street", "听澜街道", "--json")
    return shaoji


def told(result: Result) -> Any:
    return json.loads(result.stdout)


def publish() -> bytes:
    """What the sequencer does; the last checkpoint there is then."""
    database = open_database("sqlite:///var/shaoji.db")
    sequence_log(database, KEYS, at=now_utc())
    with database.begin() as conn:
        last = sequence.latest(conn)
    database.dispose()
    assert last
    return last.note.data


# --- init -----------------------------------------------------------------------------------------


def test_a_street_is_founded_with_its_keys(shaoji: Shaoji) -> None:
    first = shaoji("init")
    assert f"新建密钥 {'、'.join(ALL)}" in first.output
    assert sorted(path.name for path in KEYS.folder.iterdir()) == sorted(ALL)
    assert stat.S_IMODE(Path(KEYS.checkpoint).stat().st_mode) == 0o600
    assert "密钥" not in shaoji("init").output


def test_an_older_street_gets_its_keys_when_it_is_upgraded(
    shaoji: Shaoji, sqlite_template: Path
) -> None:
    Path("var").mkdir()
    shutil.copy(sqlite_template, "var/shaoji.db")
    again = told(shaoji("init", "--json"))
    assert not again["founded"]
    assert again["keys"] == ALL
    shown = told(shaoji("keys", "show", "--json"))
    assert shown["seal"] == "CN=听澜街道,O=听澜街道"
    assert shown["checkpoint"].startswith(f"{conftest.ORIGIN}+")


def test_missing_keys_are_made_alone(founded: Shaoji) -> None:
    Path(KEYS.receipt).unlink()
    assert told(founded("keys", "init", "--json"))["keys"] == ["receipt.key"]
    assert founded("keys", "init").output == ""


def test_the_seal_bears_the_name_it_is_given(founded: Shaoji) -> None:
    Path(KEYS.seal).unlink()
    KEYS.certificate.unlink()
    founded("keys", "init", "--organisation", "听澜街道办事处")
    assert "听澜街道办事处" in founded("keys", "show").output


def test_keys_need_a_street(shaoji: Shaoji) -> None:
    assert "shaoji init" in shaoji("keys", "init", code=1).output


def test_a_street_that_cannot_have_keys_is_not_founded(shaoji: Shaoji) -> None:
    KEYS.folder.mkdir(parents=True)
    KEYS.policy.write_text("nonsense\n", encoding="utf-8")
    assert "policy.txt" in shaoji("init", code=1).output
    KEYS.policy.unlink()
    assert told(shaoji("init", "--json"))["founded"]


def test_a_log_that_has_signed_gets_no_new_key_in_place_of_a_lost_one(founded: Shaoji) -> None:
    publish()
    kept = Path(KEYS.checkpoint).read_bytes()
    KEYS.policy.unlink()
    Path(KEYS.checkpoint).unlink()
    assert "谁也不会认" in founded("keys", "init", code=1).output
    Path(KEYS.checkpoint).write_bytes(new_private())
    Path(KEYS.checkpoint).chmod(0o600)
    assert "谁也不会认" in founded("init", code=1).output
    Path(KEYS.checkpoint).write_bytes(kept)
    assert told(founded("keys", "init", "--json"))["keys"] == ["policy.txt"]


# --- show -----------------------------------------------------------------------------------------


def test_what_is_public_is_shown_and_nothing_else(founded: Shaoji) -> None:
    plain, shown = founded("keys", "show").output, told(founded("keys", "show", "--json"))
    origin = shown["origin"]
    keys = open_keys(KEYS, origin)
    assert keys.checkpoint
    assert keys.receipt
    assert shown["checkpoint"] == keys.checkpoint.key.vkey
    assert shown["receipt"] == keys.receipt.key.vkey
    assert shown["fingerprint"] == hashlib.sha256(shown["checkpoint"].encode()).hexdigest()
    assert shown["fingerprint"] in plain
    assert (shown["next"], shown["witness"]) == (None, None)
    assert shown["believed"] == [keys.checkpoint.key.vkey]
    assert {"name": "seal.key", "mode": "0600"} in shown["files"]
    assert {"name": "policy.txt", "mode": "0644"} in shown["files"]
    assert re.fullmatch("[0-9a-f]{64}", shown["seal_certificate"])
    assert shown["seal_certificate"] in plain
    assert "PRIVATE" not in plain + json.dumps(shown)
    for secret in ("checkpoint.key", "receipt.key", "seal.key"):
        body = (KEYS.folder / secret).read_text(encoding="ascii").split("\n")[1]
        assert body not in plain + json.dumps(shown)


def test_what_is_not_here_is_told(founded: Shaoji) -> None:
    Path(KEYS.checkpoint).unlink()
    Path(KEYS.seal).unlink()
    shown = founded("keys", "show").output
    assert shown.count("这里没有") == 3  # checkpoint, seal, witness
    assert told(founded("keys", "show", "--json"))["seal"] is None


def test_what_is_wrong_with_a_key_is_told_in_a_sentence(founded: Shaoji) -> None:
    Path(KEYS.receipt).chmod(0o644)
    refused = founded("keys", "show", code=1)
    assert "chmod 600 var/keys/receipt.key" in refused.output
    assert "Traceback" not in refused.output


# --- rotate ---------------------------------------------------------------------------------------


def test_a_key_is_replaced_and_both_have_signed(founded: Shaoji) -> None:
    rotated = told(founded("keys", "rotate", "checkpoint", "--reason", "例行", "--json"))
    assert "正在换钥" in founded("keys", "show").output
    assert "还没完成" in founded("keys", "rotate", "checkpoint", "--reason", "x", code=1).output
    data = publish()
    assert data.count("— ".encode()) == 2
    shown = told(founded("keys", "show", "--json"))
    assert (shown["checkpoint"], shown["next"]) == (rotated["new"], None)
    assert shown["believed"] == [rotated["old"], rotated["new"]]
    database = open_database("sqlite:///var/shaoji.db")
    with database.begin() as conn:
        assert verify(conn).problems == ()
    database.dispose()


def test_a_rotation_in_an_administrators_name_bears_it(founded: Shaoji) -> None:
    output = founded("keys", "rotate", "checkpoint", "--reason", "例行", "--by", "admin").output
    assert "新公钥" in output
    database = open_database("sqlite:///var/shaoji.db")
    with database.begin() as conn:
        [event] = log.read(conn, "@log")
    database.dispose()
    assert event.actor["channel"] == "cli"
    assert event.actor["person"].startswith("p-")


def test_a_rotation_needs_a_reason(founded: Shaoji) -> None:
    founded("keys", "rotate", "checkpoint", code=2)
    assert "原因" in founded("keys", "rotate", "checkpoint", "--reason", " ", code=1).output
    assert not KEYS.next.exists()


# --- witness --------------------------------------------------------------------------------------


def test_a_witness_makes_its_key_and_prints_its_public_half(founded: Shaoji) -> None:
    vkey = founded("keys", "witness", "district.example").stdout.strip()
    assert (read_vkey(vkey).name, read_vkey(vkey).type) == ("district.example", COSIGNATURE)
    again = told(founded("keys", "witness", "district.example", "--json"))
    assert again == {"name": "district.example", "vkey": vkey}
    assert "district.example" in founded("keys", "witness", "other", code=1).output
    assert vkey in founded("keys", "show").output


# --- settings -------------------------------------------------------------------------------------


def settings(**more: str) -> Settings:
    told = {f"SHAOJI_{name.upper()}": value for name, value in more.items()}
    return read_settings(told | {"SHAOJI_SECRET_KEY": "k" * 48})


def test_keys_lie_beside_the_database() -> None:
    assert settings().keys == Places(Path("var/keys"))
    assert settings(database_url="sqlite:////srv/a.db").keys == Places(Path("/srv/keys"))
    elsewhere = settings(database_url="postgresql+psycopg://db/a")
    assert elsewhere.keys == Places(Path("var/keys"))
    assert elsewhere.vault == ("postgresql+psycopg://db/a", Path("var/vault.key"))


def test_each_key_can_be_named() -> None:
    told = settings(
        keys_dir="/k", checkpoint_key="pkcs11:object=c?module-path=/l.so",
        receipt_key="/k2/r.key", seal_key="/k3/s.key", policy="/p.txt",
    )  # fmt: skip
    assert told.keys == Places(
        Path("/k"), "pkcs11:object=c?module-path=/l.so", "/k2/r.key", "/k3/s.key", Path("/p.txt")
    )


@pytest.mark.parametrize("origin", ["a b", "a+b", "shaoji-receipt/v1"])
def test_an_origin_no_key_can_bear_is_refused(origin: str) -> None:
    with pytest.raises(BadSettings, match="ORIGIN"):
        settings(origin=origin)


# --- the demonstration ----------------------------------------------------------------------------


def test_the_demonstrations_keys_are_real_and_drawn_anew_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demonstration, "_build", build)
    streets = [tmp_path / "a", tmp_path / "b"]
    for street in streets:
        street.mkdir()
        here = settings(database_url=f"sqlite:///{street}/demo.db")
        demonstration.prepare(here, size="small", progress=lambda _: nullcontext(lambda _: None))
    one, other = (open_keys(Places(street / "keys"), ORIGIN) for street in streets)
    assert one.checkpoint
    assert other.checkpoint
    assert one.checkpoint.key != other.checkpoint.key
    signed = one.checkpoint.sign(b"text")
    assert one.checkpoint.key.holds(signed, b"text")
    assert one.seal != other.seal


def build(url: str, *_: object) -> None:
    Path(url.removeprefix("sqlite:///")).touch()


def test_no_private_key_stands_in_the_source() -> None:
    sources = [*ROOT.glob("audit/**/*.py"), *ROOT.glob("engine/**/*.py"), *ROOT.glob("web/**/*.py")]
    found = [path.name for path in sources if "PRIVATE KEY--" in path.read_text(encoding="utf-8")]
    assert found == []


def test_the_demonstration_does_not_take_another_logs_keys(
    founded: Shaoji, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demonstration, "_build", build)
    here = settings(database_url="sqlite:///var/demo.db")
    with pytest.raises(PolicyUnfit, match="SHAOJI_KEYS_DIR"):
        demonstration.prepare(here, size="small", progress=lambda _: nullcontext(lambda _: None))
    assert not Path("var/demo.db").exists()
