"""The command line, as an operator and a script use it."""

import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pyotp import TOTP
from sqlalchemy import update

from engine.accounts import (
    Pending,
    SignInRefused,
    account_table,
    find_account,
    hash_password,
    sign_in,
)
from engine.database import open_database
from engine.second_factor import proposed
from engine.second_step import enrol_and_enter
from web.cli import main

ROOT = Path(__file__).parents[2]
COUNCIL = """\
unique_key,account,opendate,closedate,complaint_type,descriptor,zip,borough,city,\
council_dist,community_board
X1,NYCC03,2023-01-01,2023-02-14,Sanitation,Dirty Sidewalk,10001,,New York,NYCC03,
X2,NYCC30,2023-01-01,,Housing and Buildings,,11385,Queens,Glendale,NYCC30,05 Queens
X3,NYCC30,2023-01-09,2023-01-02,Sanitation,,11385,Queens,Glendale,NYCC30,05 Queens
"""
MAP = str(ROOT / "workflows/imports/nyc-council.toml")
IMPORT = ("import", "council.csv", "--map", MAP, "--rejects", "r.csv")
Shaoji = Callable[..., Result]


@pytest.fixture
def shaoji(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shaoji:
    """Runs the command in a folder of its own; what it prints as JSON is in `told`."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, list(arguments))
        assert result.exit_code == code, (result.output, result.exception)
        return result

    return run


def told(result: Result) -> Any:
    return json.loads(result.stdout)


@pytest.fixture
def founded(shaoji: Shaoji) -> Shaoji:
    shaoji("init", "--street", "听澜街道", "--json")
    Path("council.csv").write_text(COUNCIL, encoding="utf-8")
    return shaoji


def test_a_street_is_founded_once_and_its_password_is_shown_once(shaoji: Shaoji) -> None:
    first = told(shaoji("init", "--json"))
    assert first["founded"]
    assert len(first["password"]) >= 10
    again = told(shaoji("init", "--json"))
    assert again == {"origin": first["origin"], "founded": False, "keys": []}


def test_a_database_that_was_never_founded_is_refused_with_what_to_do(shaoji: Shaoji) -> None:
    assert "shaoji init" in shaoji("cases", code=1).output


def test_a_misspelt_setting_is_refused(shaoji: Shaoji, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHAOJI_DATABSE_URL", "sqlite:///x.db")
    assert "SHAOJI_DATABSE_URL" in shaoji("cases", code=1).output


def test_users_are_registered_by_the_administrator_there_is(founded: Shaoji) -> None:
    made = told(
        founded(
            "user", "add", "dispatch", "--name", "李演示", "--unit", "u-street",
            "--title", "应急办", "--duty", "dispatch", "--json",
        )
    )  # fmt: skip
    assert made["person"].startswith("p-")
    assert told(founded("inbox", "dispatch", "--json")) == {"mine": [], "claimable": []}
    assert "dispatch" in founded(
        "user", "add", "dispatch", "--name", "李演示", "--unit", "u-street",
        "--title", "应急办", "--duty", "dispatch", code=1,
    ).output  # fmt: skip


def test_a_folder_is_deployed_as_a_version_and_not_twice(founded: Shaoji, tmp_path: Path) -> None:
    folder = ROOT / "tests/golden/bpmn/workshop"
    assert told(founded("deploy", str(folder), "--json"))["version"] == 1
    assert told(founded("deploy", str(folder), "--json"))["new"] is False


def test_lint_names_element_and_fault_and_fails(shaoji: Shaoji) -> None:
    assert told(shaoji("lint", str(ROOT / "workflows/hazard"), "--json")) == []
    bad = ROOT / "tests/golden/bpmn/bad/script_reads_passwd.bpmn"
    findings = told(shaoji("lint", str(bad), "--json", code=1))
    assert {"element", "rule", "chinese", "english", "file"} == set(findings[0])


def test_imported_cases_are_listed_verified_and_never_imported_twice(founded: Shaoji) -> None:
    first = told(founded(*IMPORT, "--json"))
    assert first == {"imported": 2, "rejected": 1, "skipped": 0}
    assert "X3" in Path("r.csv").read_text(encoding="utf-8-sig")
    again = told(founded(*IMPORT, "--json"))
    assert again == {
        "imported": 0,
        "rejected": first["rejected"],
        "skipped": first["imported"] + first["skipped"],
    }
    rows = told(founded("cases", "--json"))
    assert len(rows) == first["imported"]
    assert {"case", "process", "status"} <= set(rows[0])
    one = told(founded("case", rows[0]["case"], "--json"))
    assert one["events"][0]["data"]["source"] == "import"
    verdict = told(founded("verify", "--json"))
    assert verdict["ok"]
    assert verdict["cases"] == first["imported"]


def test_verify_fails_and_names_the_event_that_was_changed(founded: Shaoji) -> None:
    founded(*IMPORT)
    case = told(founded("cases", "--json"))[0]["case"]
    with sqlite3.connect("var/shaoji.db") as forger:
        forger.execute("DROP TRIGGER event_no_update")
        forger.execute(
            "UPDATE event SET body = CAST(replace(CAST(body AS TEXT), 'arrived', 'arriven') "
            "AS BLOB) WHERE stream = ? AND seq = 2",
            (case,),
        )
    verdict = told(founded("verify", "--json", code=1))
    assert verdict["ok"] is False
    assert [(p["case"], p["seq"]) for p in verdict["problems"]] == [(case, 2)]
    assert told(founded("verify", "--case", case, "--json", code=1))["events"] == 1
    assert "没有找到" in founded("verify", "--case", "hazard-2020-00001", code=1).output


def test_rebuild_gives_the_same_lists(founded: Shaoji) -> None:
    founded(*IMPORT)
    before = told(founded("cases", "--json"))
    founded("rebuild")
    assert told(founded("cases", "--json")) == before


def test_the_worker_runs_once_on_request(founded: Shaoji) -> None:
    founded(*IMPORT)
    with closing(sqlite3.connect("var/shaoji.db")) as file:
        file.execute("UPDATE case_register SET texts_listed = 0")
        file.execute("DELETE FROM case_text")
        file.commit()
    output = founded("worker", "--once").output
    assert output.startswith("0 ")
    assert re.search(r"^[1-9]\d* 件旧案编入检索", output, re.MULTILINE)
    assert re.search(r"^[1-9]\d* 件案子重新找过线索", output, re.MULTILINE)
    assert re.search(r"^[1-9]\d* 个月的指标重新算过", output, re.MULTILINE)
    again = founded("worker", "--once").output
    assert "0 件案子重新找过线索" in again
    assert "\n0 件旧案编入检索" in again
    founded("verify")


def test_a_report_has_somewhere_to_go_or_is_not_exported(founded: Shaoji) -> None:
    founded(*IMPORT)
    case = told(founded("cases", "--json"))[0]["case"]
    Path("taken.pdf").write_bytes(b"mine")
    before = len(told(founded("case", case, "--json"))["events"])
    said = founded("report", "case", case, "-o", "taken.pdf", code=1).output
    assert "已存在，没有写" in said
    assert Path("taken.pdf").read_bytes() == b"mine"
    assert "没有写" in founded("report", "case", case, "-o", "nowhere/new.pdf", code=1).output
    assert len(told(founded("case", case, "--json"))["events"]) == before
    assert not list(Path().glob("*.partial"))


def test_the_demonstration_is_built_once_told_and_reported_on(shaoji: Shaoji) -> None:
    said = shaoji("demo", "--small", "--no-serve", "--port", "8765").output
    assert "http://127.0.0.1:8765" in said
    assert "演示" in said
    rows = told(shaoji("cases", "--json"))
    assert len(rows) >= 250
    assert "直接使用" in shaoji("demo", "--small", "--no-serve").output
    assert told(shaoji("cases", "--json")) == rows
    case = next(row["case"] for row in rows if row["status"] == "closed_accepted")
    made = told(shaoji("report", "case", case, "-o", "report.pdf", "--json"))
    assert Path("report.pdf").read_bytes().startswith(b"%PDF")
    assert made["pages"] >= 1
    exported = told(shaoji("case", case, "--json"))["events"][-1]
    assert exported["type"] == "report.exported"
    assert exported["data"]["sha256"] == made["sha256"]
    assert told(shaoji("verify", "--evidence", "--json"))["ok"]
    next(path for path in Path("var/evidence").glob("??/??/*")).unlink()
    lost = told(shaoji("verify", "--evidence", "--json", code=1))["problems"]
    assert [problem["what"][-7:] for problem in lost] == ["missing"]


# --- signing in -----------------------------------------------------------------------------------


@pytest.fixture
def lost(founded: Shaoji) -> Shaoji:
    """A street whose only administrator has enrolled an app, lost it, and is locked out."""
    database, at = open_database("sqlite:///var/shaoji.db"), datetime.now(UTC)
    with database.begin() as conn:
        account = find_account(conn, "admin")
        conn.execute(update(account_table).values(password_hash=hash_password("right password")))
    entered = sign_in(database, "admin", "right password", at=at)
    assert isinstance(entered, Pending)
    with database.begin() as conn:
        secret = proposed(conn, bytes(32), account.id, entered.token)
    told = {"at": at, "device_at": at}
    enrol_and_enter(database, bytes(32), entered.token, TOTP(secret).at(at), **told)
    for _ in range(5):
        with pytest.raises(SignInRefused):
            sign_in(database, "admin", "wrong password", at=at)
    database.dispose()
    return founded


def test_the_only_administrator_gets_back_in_by_the_command_line(lost: Shaoji) -> None:
    assert (
        "已重设 admin"
        in lost("user", "reset-second-factor", "admin", "--reason", "手机丢了").output
    )
    assert "已解除 admin" in lost("user", "unlock", "admin", "--reason", "本人到场").output
    last = "SELECT body FROM event WHERE stream = '@accounts' ORDER BY seq DESC LIMIT 2"
    with sqlite3.connect("var/shaoji.db") as db:
        bodies = [json.loads(row[0]) for row in db.execute(last)]
    assert [body["type"] for body in bodies] == ["account.unlocked", "factor.reset"]
    assert all("person" not in body["actor"] for body in bodies)
    assert (
        "没有启用"
        in lost("user", "reset-second-factor", "admin", "--reason", "再来", code=1).output
    )
    assert "没有锁定" in lost("user", "unlock", "admin", "--reason", "再来", code=1).output


@pytest.mark.parametrize("act", ["reset-second-factor", "unlock"])
def test_in_an_administrators_name_the_command_line_helps_only_others(
    lost: Shaoji, act: str
) -> None:
    told = lost("user", act, "admin", "--reason", "手机丢了", "--by", "admin", code=1)
    assert "另一位管理员" in told.output
    assert "没有账号 nobody" in lost("user", act, "nobody", "--reason", "r", code=1).output
    assert "请写明理由" in lost("user", act, "admin", "--reason", " ", code=1).output
