"""The program's own log: a line a request under its id, and nothing of what people are or typed."""

import io
import json
import logging
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from engine.api_tokens import SCOPES, create_token
from engine.database import open_database
from tests.conftest import Street, known_people
from tests.engine.hotline_street import Hotline
from tests.web.conftest import KEY, PASSWORD, Visitor
from tests.web.hotline_pages import hotline_template as hotline_template
from tests.web.test_authorisation import COMPLAINT, HAZARD, addresses, lived
from web import logs
from web.app import create_app
from web.config import Settings

# In every letter case it would be found; nothing of ours reads like it.
CANARY = "zqxcanary7719"
HANZI = "灰鹤蹲涵洞"
PHONE = "000-5551-7719"
NAME = "演示"
RULE_OF_AN_ID = re.compile(r"[0-9a-f]{16}")


class House:
    """The street with its hotline behind its pages, its log written where it can be read."""

    def __init__(self, folder: Path, template: Path, form: str) -> None:
        path = folder / "street.db"
        shutil.copy(template, path)
        self.database = open_database(f"sqlite:///{path}")
        self.street = Street(self.database, person=known_people(self.database))
        settings = Settings(
            secret_key=KEY, database_url=str(self.database.url), cookie_secure=False,
            evidence_dir=folder / "evidence", log=form,
        )  # fmt: skip
        self.app = create_app(settings, clock=lambda: self.street.at)
        self.street.vault = self.app.extensions["shaoji"].vault
        self.digest = lived(self.street, Hotline(self.street, self.street.vault))
        self.out = io.StringIO()
        self.handler = logs.set_up(form, self.out)

    def close(self) -> None:
        logging.getLogger().removeHandler(self.handler)
        logging.getLogger(logs.OURS).setLevel(logging.NOTSET)
        self.app.extensions["shaoji"].database.dispose()
        self.app.extensions["shaoji"].vault.engine.dispose()
        self.database.dispose()

    def written(self) -> str:
        """What was written since this was asked last."""
        told = self.out.getvalue()
        self.out.seek(0)
        self.out.truncate()
        return told

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.written().splitlines()]


@pytest.fixture(scope="module")
def house(hotline_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("log"), hotline_template, "json")
    yield made
    made.close()


@pytest.fixture
def client(house: House) -> Any:
    house.written()
    return house.app.test_client()


# --- ids ------------------------------------------------------------------------------------------


def test_a_request_has_one_line_under_the_id_it_is_answered_with(house: House, client: Any) -> None:
    answer = client.get("/sign-in")
    (line,) = house.lines()
    assert RULE_OF_AN_ID.fullmatch(answer.headers["X-Request-ID"])
    assert line.pop("request") == answer.headers["X-Request-ID"]
    assert line.pop("ms") >= 0
    assert re.fullmatch(r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line == {
        "level": "info", "logger": "shaoji.requests", "message": "request",
        "method": "GET", "rule": "/sign-in", "status": 200,
    }  # fmt: skip


@pytest.mark.parametrize(
    "sent", ["550e8400-e29b-41d4-a716-446655440000", "4BF92F3577B34DA6A3CE929D0E0E4736"]
)
def test_an_id_a_proxy_has_given_is_kept(house: House, client: Any, sent: str) -> None:
    assert client.get("/sign-in", headers={"X-Request-ID": sent}).headers["X-Request-ID"] == sent
    assert house.lines()[0]["request"] == sent


@pytest.mark.parametrize(
    "sent",
    [CANARY, HANZI.encode().decode("latin-1"), "13800005551", "1234567890123456", "a" * 500,
     "abcdef01 2345", "<script>", ""],
)  # fmt: skip
def test_an_id_that_could_be_a_message_is_not(house: House, client: Any, sent: str) -> None:
    answer = client.get("/sign-in", headers={"X-Request-ID": sent})
    assert RULE_OF_AN_ID.fullmatch(answer.headers["X-Request-ID"])
    assert house.lines()[0]["request"] == answer.headers["X-Request-ID"]


def test_a_residents_request_is_not_tied_to_the_proxys_log(house: House, client: Any) -> None:
    sent = "550e8400-e29b-41d4-a716-446655440000"
    answer = client.get("/complain", headers={"X-Request-ID": sent})
    assert answer.headers["X-Request-ID"] != sent
    assert sent not in house.written()


def test_what_watches_the_server_leaves_no_line(house: House, client: Any) -> None:
    for path in ("/healthz", "/readyz", "/internal/metrics"):
        assert client.get(path).headers["X-Request-ID"]
    assert house.lines() == []


# --- cases ----------------------------------------------------------------------------------------


def test_a_case_is_named_unless_it_is_confidential_or_none(house: House) -> None:
    visitor = Visitor(house.app.test_client())
    visitor.sign_in("watch")
    house.written()
    for case in (HAZARD, COMPLAINT, CANARY):
        visitor.get(f"/cases/{case}")
    one, two, three = house.lines()
    assert one["case"] == HAZARD
    assert one["rule"] == two["rule"] == three["rule"] == "/cases/<case_id>"
    assert "case" not in two
    assert "case" not in three


# --- errors ---------------------------------------------------------------------------------------


@pytest.fixture
def failing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every sign-in trips over something that repeats what was typed, as libraries' errors do."""

    def trip(*args: Any, **more: Any) -> None:
        raise KeyError(f"{CANARY} {HANZI} {args} {more}")

    monkeypatch.setattr("engine.accounts.sign_in", trip)


@pytest.mark.usefixtures("failing")
def test_an_error_is_found_by_the_id_on_its_page_and_does_not_repeat_a_word(house: House) -> None:
    visitor = Visitor(house.app.test_client())
    token = visitor.token()
    house.written()
    typed = {"csrf_token": token, "name": CANARY, "password": HANZI}
    answer = visitor.client.post(f"/sign-in?next=/{CANARY}", data=typed)
    assert answer.status_code == 500
    id_ = answer.headers["X-Request-ID"]
    assert f"请求编号 {id_}" in answer.text
    told = house.written()
    assert CANARY not in told
    assert HANZI not in told
    fault, line = map(json.loads, told.splitlines())
    assert fault["request"] == line["request"] == id_
    assert (fault["level"], fault["error"]) == ("error", "KeyError")
    assert re.fullmatch(r"web/signin.py:\d+ enter", fault["at"][-2])
    assert line["status"] == 500


@pytest.mark.usefixtures("failing")
def test_plain_lines_have_what_somebody_should_look_at_and_no_word_more(house: House) -> None:
    visitor = Visitor(house.app.test_client())
    token = visitor.token()
    house.written()
    plain = logs.set_up("plain", house.out)
    try:
        typed = {"csrf_token": token, "name": CANARY, "password": HANZI}
        answer = visitor.client.post("/sign-in", data=typed)
        told = house.written()
    finally:
        logging.getLogger().removeHandler(plain)
        house.handler = logs.set_up("json", house.out)
    (line,) = told.splitlines()
    assert "error shaoji.errors a request failed request=" in line
    assert answer.headers["X-Request-ID"] in line
    assert "error=KeyError" in line
    assert CANARY not in told
    assert HANZI not in told


def test_what_other_programs_fill_in_is_left_out(house: House) -> None:
    house.written()
    logging.getLogger("waitress").warning("Exception while serving %s", f"/q/{CANARY}")
    try:
        raise ValueError(CANARY)
    except ValueError:
        logging.getLogger("waitress").exception("Exception while serving %s", f"/q/{CANARY}")
    one, two = house.lines()
    assert one["message"] == two["message"] == "Exception while serving %s"
    assert two["error"] == "ValueError"


def test_requests_that_wait_for_a_thread_do_not_flood_the_log(house: House) -> None:
    house.written()
    logging.getLogger("waitress.queue").warning("Task queue depth is %d", 3)
    assert house.lines() == []


# --- canaries -------------------------------------------------------------------------------------


def canaried(path: str) -> str:
    """An address with a canary in every place of its own that takes words."""
    return re.sub(
        r"(?<=/)(22222222|x|msg_x|keeper|p-0001|k-0001|s-0001|0{16,64})(?=/|$)", CANARY, path
    )


def test_nothing_of_any_request_to_any_address_gets_into_a_line(house: House) -> None:
    """As nobody, signed in, and as a program; on every address, by every way something is sent."""
    admin = house.street.by("admin")
    token = house.street.do(
        create_token, "head", "测试", list(SCOPES), by=house.street.by("head"),
        expires_at=house.street.at.replace(year=house.street.at.year + 1),
    ).secret  # fmt: skip
    assert admin
    people = [Visitor(house.app.test_client()) for _ in range(2)]
    people[1].sign_in("head")
    secrets = {token, PASSWORD}
    for who in people:
        secrets.add(who.token())
        cookie = who.client.get_cookie("shaoji")
        if cookie:
            secrets |= {cookie.value, *cookie.value.split(".")}
    words = f"{CANARY} {HANZI} {PHONE} 李演示"
    fields = dict.fromkeys(
        ("name", "password", "text", "words", "reason", "code", "number", "title", "description",
         "place", "phone", "key", "purpose", "to", "unit", "person", "task", "since", "until"),
        words,
    )  # fmt: skip
    headers = {
        "User-Agent": CANARY, "Referer": f"http://localhost/{CANARY}", "X-Forwarded-For": CANARY,
        "X-Request-ID": CANARY, "Accept-Language": CANARY, "Idempotency-Key": CANARY,
    }  # fmt: skip
    house.written()
    asked = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(house.app.config, "WTF_CSRF_ENABLED", False)
        for one in addresses(house.app, house.digest):
            for who in people:
                path = canaried(one.path)
                sent = dict(headers)
                if one.for_programs:
                    sent["Authorization"] = f"Bearer {token if who is people[1] else CANARY}"
                if one.method == "GET":
                    who.client.get(path, query_string={"q": words, "text": words, **fields},
                                   headers=sent)  # fmt: skip
                elif one.for_programs:
                    who.client.post(path, json=fields, headers=sent)
                else:
                    who.client.post(path, data=fields, headers=sent)
                asked += 1
    client = house.app.test_client()
    client.post("/sign-in", data={"name": f"{HANZI}演示", "password": CANARY}, headers=headers)
    client.open(f"/{CANARY}", method=CANARY.upper(), headers=headers)
    told = house.written()
    # Three addresses are asked by what watches the server, and leave no line.
    assert len(told.splitlines()) >= asked - 3 * len(people)
    # The ids are drawn by us, and four digits of a telephone number come up among them by chance.
    told, ids_drawn = re.subn(r'"request":"[0-9a-f]{16}"', "", told)
    assert ids_drawn >= asked - 3 * len(people)
    for word in (CANARY, HANZI, PHONE, NAME, "5551"):
        assert word.lower() not in told.lower(), word
        assert json.dumps(word).strip('"').lower() not in told.lower(), word
    assert [one for one in secrets if one and one in told] == []
    with house.database.begin() as conn:
        ids = conn.execute(text('SELECT "case" FROM case_register WHERE confidential = 1'))
        hidden = [row[0] for row in ids]
        names = [row[0] for row in conn.execute(text("SELECT name FROM person_name"))]
    assert hidden
    assert not [one for one in (*hidden, *names, *house.street.person.values()) if one in told]
