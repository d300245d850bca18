"""Vault, receivers and public figures on the command line; the worker destroys in time."""

import json
import stat
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest
from click.testing import CliRunner, Result

from engine.handover import hand_over
from engine.holding import claim_task
from engine.vault import Vault, open_vault
from engine.vault_key import kept_key
from tests.engine.hotline_street import Hotline
from tests.web.hotline_pages import *  # noqa: F403 - the hotline's fixtures
from tests.web.hotline_pages import Resident
from web.background import Chores, run_worker
from web.cli import main
from web.config import BadSettings, Settings, read_settings
from web.receivers import KeyThere, make_keys, receiver, receivers


def run(*arguments: str, code: int = 0, env: dict[str, str] | None = None) -> Result:
    result = CliRunner().invoke(main, list(arguments), env=env)
    assert result.exit_code == code, (result.output, result.exception)
    return result


def answered(h: Hotline) -> None:
    """A suggestion answered: the case is over."""
    h.do("accept", decision="suggestion", reason="是建议").do("answer")


@pytest.fixture
def here(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The command line on the street of the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHAOJI_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("SHAOJI_SECRET_KEY", settings.secret_key)
    return settings


# --- the vault ------------------------------------------------------------------------------------


def test_the_status_says_what_there_is_and_never_a_key(here: Settings, resident: Resident) -> None:
    resident.complain(identity="named", name="陈小禾演示", phone="000-1")
    told = json.loads(run("vault", "status", "--json").output)
    assert told["readable"] == 2
    assert told["retention_days"] == 365
    plain = run("vault", "status").output
    assert kept_key(here.vault[1]).hex() not in plain + json.dumps(told)
    assert "还能看的 2 份" in plain


def test_another_key_opens_what_the_old_one_locked(here: Settings, resident: Resident) -> None:
    resident.complain()
    before = kept_key(here.vault[1])
    run("vault", "rotate-key")
    after = kept_key(here.vault[1])
    assert before != after
    assert json.loads(run("vault", "status", "--json").output)["readable"] == 1
    answer = resident.mailbox()
    assert answer.status_code in (409, 422)  # the server still holds the old key
    assert "重新启动" in answer.text


def test_what_is_kept_long_enough_is_destroyed_and_the_log_says_so(
    here: Settings, resident: Resident, h: Hotline
) -> None:
    resident.complain(category="suggestion", person_words=None)
    answered(h)
    assert h.state.ended
    assert "已销毁 0 份" in run("vault", "destroy-due", "--days", "100000").output
    assert "已销毁 1 份" in run("vault", "destroy-due", "--days", "1").output
    assert h.last("sealed.destroyed").data["subject"].endswith("/content")
    assert "（已销毁）" in resident.mailbox().text
    h.street.check()


def test_leftovers_are_swept(here: Settings) -> None:
    assert "清掉 0 项" in run("vault", "sweep").output


def test_the_worker_destroys_what_is_due(resident: Resident, h: Hotline, vault: Vault) -> None:
    resident.complain(category="suggestion", person_words=None)
    answered(h)
    told = list[str]()
    now = h.street.at + timedelta(days=366)

    def tell(sentence: str) -> None:
        told.append(sentence)

    class Once(Event):
        def wait(self, timeout: float | None = None) -> bool:
            self.set()
            return True

    stop = Once()
    run_worker(
        h.street.database, stop, clock=lambda: now,
        chores=Chores(vault, timedelta(days=365)), tell=tell,
    )  # fmt: skip
    assert any("已销毁" in sentence for sentence in told)
    assert h.all("sealed.destroyed")


@pytest.mark.parametrize("days", ["0", "-1", "x", "999999"])
def test_a_retention_that_is_none_is_refused(days: str) -> None:
    told = {"SHAOJI_RETENTION_DAYS": days, "SHAOJI_SECRET_KEY": "k" * 48}
    with pytest.raises(BadSettings, match="RETENTION_DAYS"):
        read_settings(told)


def test_settings_of_the_hotline_are_read(tmp_path: Path) -> None:
    told = {"SHAOJI_RETENTION_DAYS": "90", "SHAOJI_RECEIVERS_DIR": str(tmp_path),
            "SHAOJI_SECRET_KEY": "k" * 48}  # fmt: skip
    read = read_settings(told)
    assert (read.retention_days, read.receivers_dir) == (90, tmp_path)


# --- receivers ------------------------------------------------------------------------------------


def test_a_body_makes_its_keys_and_opens_what_was_sealed_for_it(
    here: Settings, resident: Resident, h: Hotline, tmp_path: Path
) -> None:
    resident.complain(category="accusation")
    run("receivers", "keygen", "区纪委监委", "--to", "var/receivers")
    assert "区纪委监委" in run("receivers", "list").output
    h.do("accept", decision="hand_over", reason="检举个人")
    h.act(claim_task, h.task("hand_over").key, by="officer")
    key = receiver(Path("var/receivers"), "区纪委监委").key
    with h.street.database.begin() as conn:
        handed = hand_over(
            conn, h.vault, h.case, body="区纪委监委", public_key=key,
            by=h.street.by("officer"), at=h.street.at,
        )  # fmt: skip
    (tmp_path / "a.sealed").write_bytes(handed.file)
    opened = run("receivers", "open", "a.sealed", "--key", "var/receivers/区纪委监委.key", "--json")
    items = {item["field"]: item["value"] for item in json.loads(opened.output)["items"]}
    assert items["text"].startswith("报修三次")
    plain = run("receivers", "open", "a.sealed", "--key", "var/receivers/区纪委监委.key").output
    assert "body: 区纪委监委" in plain


def test_another_key_does_not_open_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run("receivers", "keygen", "甲")
    Path("a.sealed").write_bytes(b"shaoji handover 1\n{}\nnothing")
    assert "打不开" in run("receivers", "open", "a.sealed", "--key", "甲.key", code=1).output
    assert "不是私钥" in run("receivers", "open", "a.sealed", "--key", "a.sealed", code=1).output


def test_keys_are_not_overwritten_and_the_private_one_is_private(tmp_path: Path) -> None:
    public, private = make_keys(tmp_path, "甲")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    before = public.read_bytes(), private.read_bytes()
    with pytest.raises(KeyThere):
        make_keys(tmp_path, "甲")
    assert (public.read_bytes(), private.read_bytes()) == before


def test_files_that_hold_no_key_are_left_out(tmp_path: Path) -> None:
    make_keys(tmp_path, "乙")
    (tmp_path / "短.pub").write_text("00ff\n", encoding="ascii")
    (tmp_path / "字.pub").write_text("不是公钥", encoding="utf-8")
    assert [one.name for one in receivers(tmp_path)] == ["乙"]
    assert receivers(tmp_path / "nowhere") == ()


# --- public figures -------------------------------------------------------------------------------


def test_the_public_figures_are_written_to_files(here: Settings, tmp_path: Path) -> None:
    out = run("public", "--out", "figures").output
    assert "index.html" in out
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == [
        "index.html", "public.csv", "public.json",
    ]  # fmt: skip


def test_the_vault_of_the_command_line_is_that_of_the_pages(
    here: Settings, resident: Resident, h: Hotline
) -> None:
    resident.complain()
    url, key = here.vault
    opened = open_vault(url, kept_key(key))
    assert opened.key_id == h.vault.key_id
    opened.engine.dispose()
