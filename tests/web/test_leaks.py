"""Nothing of a complaint leaks: no byte of it in what we keep, no route to it for whom it is about.

Two complaints go the whole way through the real pages, with words nobody else would write. Then
every byte we keep or give out is searched for them, for pieces of them, and for what they look like
in other encodings; and the accused, their superior, colleagues, an administrator and supervisors
try every address and every act of the application.
"""

import base64
import json
import logging
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import inspect, text

from engine.accounts import create_account, hash_password
from engine.casework import read_case
from engine.definition_sets import load
from engine.people import By, grant_post, register_person
from tests.conftest import NOON, Street
from tests.engine.hotline_street import DANGER, Hotline, hotline
from tests.web.api_client import program
from tests.web.conftest import PASSWORD, Visitor
from tests.web.hotline_pages import *  # noqa: F403 - the hotline's fixtures
from tests.web.hotline_pages import Resident
from tests.web.test_metric_pages import counted
from web.api.bearer import SCOPES_OF
from web.app import create_app
from web.cli import main
from web.config import Settings
from web.publication import write_files

FIRST, SECOND = "hotline-2026-00001", "hotline-2026-00002"
NUMBER = "听澜-诉-2026"
# Words that occur nowhere else in the product.
WORDS = "灰鹤蹲在涵洞旁 zqxjkvb-77193"
WHOM = "戴圆框镜的站长 fjwpqzx-33518"
LETTER = "信里补一句獾猪 wvfgqzt-44027"
ANSWER = "回您一句貉藏獾 kvzbxqj-90412"
FINDING = "查得鸬鹚翻账本 xkcdqwz-61275"
NAME = "欧阳鹭鸶演示"
PHONE = "000-5551-77193"
MARKED = (WORDS, WHOM, LETTER, ANSWER, FINDING, NAME, PHONE)
SHORTEST_PIECE = 4


def pieces(words: str) -> set[str]:
    """The words whole, and every run of a few characters that would still tell something."""
    latin = "".join(char for char in words if char.isascii() and char != " ")
    chinese = "".join(char for char in words if not char.isascii())
    return {words, *runs(latin, 2 * SHORTEST_PIECE), *runs(chinese, SHORTEST_PIECE)}


def runs(words: str, length: int) -> set[str]:
    """Every run of so many characters."""
    return {words[n : n + length] for n in range(len(words) - length + 1)}


def disguises(words: str) -> Iterator[bytes]:
    """What words look like in a file, in whatever encoding."""
    for plain in (words.encode(), words.encode("gb18030"), words.encode("utf-16-le"),
                  words.encode("utf-16-be")):  # fmt: skip
        yield plain
        yield plain.hex().encode()
        yield plain.hex().upper().encode()
    for shift in range(3):
        # Base64 of the words inside a longer text: without the characters at either end.
        coded = base64.b64encode(b"\0" * shift + words.encode())
        yield coded[4 if shift else 0 : -4]
    yield json.dumps(words).strip('"').encode()


NEEDLES = frozenset(
    needle
    for words in MARKED for piece in pieces(words) for needle in disguises(piece)
    if len(needle) >= SHORTEST_PIECE * 2
)  # fmt: skip


def found_in(data: bytes) -> list[bytes]:
    return [needle for needle in NEEDLES if needle in data]


def test_the_search_finds_what_it_looks_for() -> None:
    """Otherwise finding nothing would mean nothing."""
    for words in MARKED:
        assert found_in(words.encode())
        assert found_in(json.dumps({"x": words}).encode())
        assert found_in(base64.b64encode(b"x" + words.encode() + b"yz"))
        assert found_in(words.encode("gb18030"))
        assert found_in(f"…{words[1:-1]}…".encode())
        assert found_in(words.encode().hex().encode())
    assert not found_in("听澜街道的另一件事 000-1".encode())


# --- the two complaints ---------------------------------------------------------------------------


def lived(resident: Resident, h: Hotline, app: Flask) -> None:
    """An anonymous complaint to its guard, and a confidential one whose identity was looked at."""
    resident.complain(text=WORDS, person_words=WHOM)
    resident.mailbox("write", words=LETTER)
    staff(app, "desk", FIRST, "accept#1")
    h.do("accept", to_complainant=ANSWER, persons=None, units=["u-heat-office"], **DANGER)
    h.do("dispatch", facts=FINDING).do("declare")
    staff(app, "searcher", FIRST, "investigate#1")
    h.do("investigate", findings=FINDING).do("verify", allegations=FINDING, basis=FINDING)
    h.do("reply", to_complainant=ANSWER).do("ask", to_complainant=ANSWER)
    resident.mailbox("write", words=LETTER)
    resident.mailbox("dispute", text=LETTER, new_facts="yes")

    other = Resident(Visitor(app.test_client()))
    other.complain(text=WORDS, person_words=WHOM, identity="confidential", name=NAME, phone=PHONE)
    h.at(SECOND).do("accept", to_complainant=ANSWER).do("dispatch", facts=FINDING).do("declare")
    who = staff(app, "searcher", SECOND, "investigate#1")
    told = {"fields": ["name", "phone"], "purpose": "核对日期", "task": "investigate#1"}
    who.post(f"/cases/{SECOND}/identity-requests", told)
    seq = h.last("unseal.requested").seq
    keeper = entered(app, "keeper")
    granted = {"outcome": "granted", "hours": "24", "reason": "需要核对"}
    keeper.post(f"/custody/{SECOND}/{seq}", granted)
    seen = who.post(f"/cases/{SECOND}/identity-requests/{seq}/views").text
    assert NAME in seen
    assert PHONE in seen
    counted(h.street)


def entered(app: Flask, name: str) -> Visitor:
    who = Visitor(app.test_client())
    assert who.sign_in(name).status_code == 303, name
    return who


def staff(app: Flask, name: str, case: str, task: str) -> Visitor:
    """Somebody takes a step, reads what is sealed, and writes to the mailbox."""
    who = entered(app, name)
    who.post(f"/cases/{case}/tasks/{task.replace('#', '%23')}/claim")
    seen = who.post(f"/cases/{case}/sealed")
    assert WORDS in seen.text
    who.post(f"/cases/{case}/mailbox", {"words": ANSWER, "task": task})
    return who


# --- bytes ----------------------------------------------------------------------------------------


def test_no_byte_of_a_complaint_is_in_anything_that_is_kept(
    resident: Resident, h: Hotline, app: Flask, tmp_path: Path,
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    lived(resident, h, app)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    names = {path.name for path in files}
    assert {"street.db", "street.db-wal", "vault.db", "vault.key"} <= names
    for path in files:
        assert found_in(path.read_bytes()) == [], path
    out, err = capfd.readouterr()
    assert found_in((caplog.text + out + err).encode()) == []
    h.street.check()


def test_no_byte_of_a_complaint_is_in_anything_that_is_given_out(
    resident: Resident, h: Hotline, app: Flask, tmp_path: Path, settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    lived(resident, h, app)
    h.street.later(days=40)
    monkeypatch.setenv("SHAOJI_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("SHAOJI_SECRET_KEY", settings.secret_key)
    monkeypatch.chdir(tmp_path)
    given: dict[str, bytes] = {}
    for case in (FIRST, SECOND):
        told = CliRunner().invoke(main, ["case", case, "--json"])
        assert told.exit_code == 0, told.output
        given[f"case {case}"] = told.output.encode()
        made = CliRunner().invoke(main, ["report", "case", case, "-o", f"{case}.pdf"])
        assert made.exit_code == 0, (made.output, made.exception)
        given[f"report {case}"] = text_of_pdf(tmp_path / f"{case}.pdf")
        who = entered(app, "searcher" if case == SECOND else "verifier")
        answer = who.get(f"/cases/{case}/record.json")
        assert answer.status_code == 200
        given[f"record {case}"] = answer.data
        given[f"page {case}"] = who.get(f"/cases/{case}").data
    for path in write_files(app, tmp_path / "public", h.street.at):
        given[path.name] = path.read_bytes()
    given["cookies"] = str([str(who) for who in resident.visitor.client._cookies or {}]).encode()
    for what, data in given.items():
        assert found_in(data) == [], what


def text_of_pdf(path: Path) -> bytes:
    tool = shutil.which("pdftotext")
    if tool is None:
        return path.read_bytes()
    ran = subprocess.run([tool, "-layout", path, "-"], capture_output=True, check=True)
    return ran.stdout.replace(b"\n", b"")


# --- routes ---------------------------------------------------------------------------------------

# The accused; who answers for them from above; colleagues of the investigator and others; who
# keeps accounts; supervisors.
OUTSIDE = ("heat", "chief", "leader", "searcher3", "head", "grid", "admin", "watch", "watcher")
# Adds nothing here, ends the session the others need, or is not ready without the log's keys.
LEFT_OUT = frozenset({"static", "signin.leave", "signin.change_password", "health.ready"})
TYPED = {
    "reason": "想看看", "text": "想看看", "words": "想看看", "outcome": "granted", "hours": "24",
    "purpose": "想看看", "fields": ["name", "phone"], "to": "", "days": "3", "interim": "守着",
    "counterparty": "供应商", "resume_by": "3月9日", "review_class": "WD1", "body": "区纪委监委",
    "sure": "yes", "sha256": "0" * 64, "order": "1", "kind": "routine", "party": "u-heat-office",
    "legal_basis": "规定", "decision": "accept", "to_complainant": "好",
}  # fmt: skip


def addresses(
    app: Flask, h: Hotline, case: str, method: str, *, interface: bool = False
) -> Iterator[tuple[str, str]]:
    """Every address of pages, or of the interface, with this method, filled in for it."""
    with h.street.database.begin() as conn:
        state = read_case(conn, case)
        digest = load(conn, state.definition).digest
    tasks = [*state.tasks, "accept#1", "investigate#1", "verify#1"]
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        if method not in (rule.methods or ()) or rule.endpoint in LEFT_OUT:
            continue
        if (rule.endpoint in SCOPES_OF) != interface:
            continue
        filled = {"case_id": case, "sha256": "0" * 64, "digest": digest, "seq": 1, "job_id": "x",
                  "code": "22222222", "unit": "u-tingtao",
                  "channel": "mail", "token": "x", "message": "msg_x",
                  "process": "hotline"}  # fmt: skip
        filled |= {"name": "keeper", "session_id": "0" * 16, "number": 1, "version": 1,
                   "key": "hotline", "file": "x", "person": "p-0001", "register": "accounts",
                   "ending": "csv", "post": "k-0001", "substitution": "s-0001",
                   "unit_id": "u-tingtao", "rule": "B1", "entry": 1,
                   "metric": "reached"}  # fmt: skip
        for task in tasks if "task" in rule.arguments else [""]:
            told = {**filled, "task": task}
            values: dict[str, Any] = {name: told[name] for name in rule.arguments}
            yield rule.endpoint, adapter.build(rule.endpoint, values, method=method)


def asked(h: Hotline, case: str) -> list[str]:
    """Questions of one's own to the lists and the search."""
    entries = h.street.entries(case)
    receipts = [entry.data["receipt"] for entry in entries if entry.type == "receipt.issued"]
    number = entries[0].data["number"]
    questions = ["投诉", "投诉举报", "诉", number, case, *receipts, WORDS, NAME]
    return [
        *(f"/cases?text={one}" for one in questions),
        *(f"/receipt{more}?number={one}" for one in [*receipts, number, case]
          for more in ("", "/kept", "/kept.txt", "/kept.tlog-proof")),
        "/cases?status=open", "/cases?category=service", "/cases?unit=u-tingtao",
        f"/cases/{case}?as_of=1", f"/cases/{case}?verify=1", "/begin", "/people?unit=u-hotline",
    ]  # fmt: skip


def text_of(answer: Any) -> str:
    """What an answer says; tables for Excel are in GB 18030."""
    data: bytes = answer.get_data()
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("gb18030", "replace")


def check_quiet(answer: Any, case: str, path: str, who: str) -> None:
    """An answer tells neither words nor identity, nor that there is such a case."""
    assert answer.status_code < 500, (who, path)
    # What somebody typed stands in the field it was typed into; that is theirs.
    told = re.sub(r'value="[^"]*"', "", text_of(answer))
    assert found_in(told.encode()) == [], (who, path)
    for word in (NUMBER, case):
        assert word not in told, (who, path)
    if case in path and "?" not in path:
        assert answer.status_code in (403, 404, 405), (who, path, answer.status_code)


def at_stage(h: Hotline, resident: Resident, stage: str) -> None:
    resident.complain(
        text=WORDS, person_words=WHOM, identity="confidential", name=NAME, phone=PHONE
    )
    if stage == "taken":
        return
    h.do("accept", to_complainant=ANSWER, persons=[h.street.person["heat"]])
    h.do("dispatch", facts=FINDING).do("declare")
    if stage == "investigated":
        return
    h.do("investigate", findings=FINDING).do("verify", allegations=FINDING, basis=FINDING)
    h.do("reply", to_complainant=ANSWER).do("revisit")
    h.wait(days=20)


STAGES = ("taken", "investigated", "settling")


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", OUTSIDE)
def test_no_page_shows_it_to_whom_it_is_not_for(
    app: Flask, h: Hotline, resident: Resident, name: str, stage: str
) -> None:
    at_stage(h, resident, stage)
    counted(h.street)
    who = entered(app, name)
    for _, path in addresses(app, h, FIRST, "GET"):
        check_quiet(who.get(path), FIRST, path, name)
    for path in asked(h, FIRST):
        check_quiet(who.get(path), FIRST, path, name)
    for path in ("/inbox", "/inbox/claimable", "/inbox/overdue", "/inbox/started", "/inbox/done"):
        assert "投诉举报" not in who.text(path).partition("<main")[2], (name, path)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", OUTSIDE)
def test_no_act_reaches_it_for_whom_it_is_not_for(
    app: Flask, h: Hotline, resident: Resident, name: str, stage: str
) -> None:
    at_stage(h, resident, stage)
    before = len(h.entries)
    who = entered(app, name)
    for endpoint, path in addresses(app, h, FIRST, "POST"):
        if endpoint.startswith(("complaints.", "signin.", "reporting.", "whistles.")):
            continue
        answer = who.post(path, dict(TYPED))
        check_quiet(answer, FIRST, path, name)
    assert len(h.entries) == before
    h.street.check()


def test_whoever_may_see_the_case_still_sees_no_words_on_any_page(
    app: Flask, h: Hotline, resident: Resident
) -> None:
    """What is sealed is shown in answer to a recorded act alone, never by opening an address."""
    at_stage(h, resident, "investigated")
    for name in ("searcher", "desk", "assigner", "keeper"):
        who = entered(app, name)
        for _, path in addresses(app, h, FIRST, "GET"):
            assert found_in(who.get(path).data) == [], (name, path)


def test_no_program_reaches_it_for_whom_it_is_not_for(
    app: Flask, h: Hotline, resident: Resident
) -> None:
    at_stage(h, resident, "investigated")
    before = len(h.entries)
    for name in OUTSIDE:
        who = program(app, h.street, name)
        for _, path in addresses(app, h, FIRST, "GET", interface=True):
            check_quiet(who.get(path), FIRST, path, name)
        for _, path in addresses(app, h, FIRST, "POST", interface=True):
            check_quiet(who.act(path, {}), FIRST, path, name)
        for path in asked(h, FIRST):
            if path.startswith("/cases?"):
                check_quiet(who.get(path), FIRST, path, name)
    assert len(h.entries) == before
    h.street.check()


def test_no_program_is_told_words_even_where_its_person_may_see_the_case(
    app: Flask, h: Hotline, resident: Resident
) -> None:
    at_stage(h, resident, "investigated")
    for name in ("searcher", "desk", "assigner", "keeper"):
        who = program(app, h.street, name)
        for _, path in addresses(app, h, FIRST, "GET", interface=True):
            assert found_in(who.get(path).data) == [], (name, path)


def test_somebody_who_is_not_signed_in_finds_nothing(
    app: Flask, h: Hotline, resident: Resident, visitor: Visitor
) -> None:
    at_stage(h, resident, "investigated")
    for _, path in addresses(app, h, FIRST, "GET"):
        answer = visitor.get(path)
        assert found_in(answer.data) == [], path
        assert NUMBER not in answer.text
    for path in asked(h, FIRST):
        check_quiet(visitor.get(path, follow_redirects=True), FIRST, path, "nobody")


def test_the_hazard_that_followed_does_not_tell_of_the_complaint(
    app: Flask, h: Hotline, resident: Resident
) -> None:
    resident.complain(text=WORDS, person_words=WHOM)
    h.do("accept", to_complainant=ANSWER, **DANGER)
    (hazard,) = h.children()
    who = entered(app, "head")
    evidence = json.loads(who.text(f"/cases/{hazard}/record.json"))
    # The definition is that of every hazard; one of its forms is called accept, too.
    definitions = str(evidence.pop("definitions"))
    assert FIRST not in definitions
    told = who.text(f"/cases/{hazard}") + json.dumps(evidence, ensure_ascii=False)
    # Whoever had the hazard opened answers for that by name; what made them do it is not told.
    for word in (FIRST, NUMBER, "投诉", "complainant", "accept"):
        assert word not in told, word


# --- PostgreSQL -----------------------------------------------------------------------------------


@pytest.mark.postgres
def test_no_byte_of_a_complaint_is_in_any_table_of_postgresql(
    postgres_street: Street, tmp_path: Path
) -> None:
    street = postgres_street
    hotline(street, None)  # type: ignore[arg-type]
    _accounts(street)
    url = street.database.url.render_as_string(hide_password=False)
    app = create_app(
        Settings(secret_key="k" * 48, database_url=url, evidence_dir=tmp_path / "e",
                 cookie_secure=False, vault_key=tmp_path / "vault.key"),
        clock=lambda: street.at,
    )  # fmt: skip
    app.testing = True
    street.vault = app.extensions["shaoji"].vault
    assert street.vault is not None
    h = Hotline(street, street.vault, case=FIRST, cases=[FIRST])
    lived(Resident(Visitor(app.test_client())), h, app)
    scanned = 0
    with street.database.begin() as conn:
        for schema in ("public", "sealed"):
            for table in inspect(conn).get_table_names(schema=schema):
                query = text(f'SELECT * FROM {schema}."{table}"')
                for row in conn.execute(query):
                    scanned += 1
                    for cell in row:
                        data = cell if isinstance(cell, bytes | memoryview) else str(cell).encode()
                        assert found_in(bytes(data)) == [], table
    assert scanned > 100
    street.check()
    app.extensions["shaoji"].database.dispose()
    street.vault.engine.dispose()


def _accounts(street: Street) -> None:
    hashed, at = hash_password(PASSWORD), NOON
    with street.database.begin() as conn:
        admin = register_person(conn, "admin演示", by=None, at=at)
        create_account(conn, "admin", admin, hashed, by=None, at=at)
        grant_post(
            conn, admin, "u-street", "系统管理员", ["administer"], reason="建库", by=None, at=at
        )
        for name, person in street.person.items():
            create_account(conn, name, person, hashed, by=By(admin), at=at)
