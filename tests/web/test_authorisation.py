"""Who may open and do what: every address × people of every duty × cases of theirs and others'.

The table (authorisation.txt) is made from the application's own list of addresses: an address that
is new, or opens to somebody else than it did, fails until its row was judged and written down.
"""

import re
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from engine.api_tokens import SCOPES, create_token
from engine.casework import read_case
from engine.database import open_database
from engine.definition_sets import deploy, load
from engine.definitions import read_folder
from engine.keys import make_keys
from engine.people import grant_post
from tests.conftest import ROOT, Street, known_people
from tests.engine.hotline_street import Hotline
from tests.web.api_client import document_of
from tests.web.conftest import KEY, Visitor
from tests.web.hotline_pages import hotline_template as hotline_template
from tests.web.paths import signed_for
from web.api.bearer import SCOPES_OF
from web.app import create_app
from web.config import Settings

TABLE: Final = Path(__file__).with_name("authorisation.txt")
# Whoever reported the hazard and whoever has it in hand, their colleague, who answers for the place
# and who answers for another; whoever the complaint is about and whoever investigates it, their
# colleague; above and beside them. heat has posts everywhere but in what is about heat, head2 also
# blows the whistle.
PEOPLE: Final = (
    "", "grid", "head", "other", "dispatch", "fixer", "fixer2", "leader", "watch", "desk",
    "searcher", "keeper", "officer", "heat", "head2", "admin",
)  # fmt: skip
CALLED: Final = tuple(name or "nobody" for name in PEOPLE)
HAZARD, COMPLAINT = "hazard-2026-00001", "hotline-2026-00001"
STEPS: Final = {HAZARD: "rectify#1", COMPLAINT: "investigate#1"}
# Ends the session the next address needs, or locks its owner out; looked at in test_signin.py.
LEFT_OUT: Final = frozenset({"signin.leave", "signin.change_password", "static"})
# What is typed on pages, in whatever field is asked for.
TYPED: Final = {
    "reason": "想看看", "text": "想看看", "words": "想看看", "outcome": "granted", "hours": "24",
    "purpose": "想看看", "fields": ["name", "phone"], "days": "3", "interim": "守着",
    "counterparty": "供应商", "resume_by": "3月9日", "review_class": "WD1", "sure": "yes",
    "sha256": "0" * 64, "order": "1", "kind": "routine", "legal_basis": "规定",
    "party": "u-property", "entry": "1", "more": f"{HAZARD} {COMPLAINT}",
}  # fmt: skip
TYPED_AT: Final = {
    "/conduct": {"kind": "unit", "unit": "u-tingtao", "since": "3月1日", "until": "3月2日"},
    "/period": {"unit": "u-tingtao", "period": "2026-03"},
    "/filters": {"page": "inbox.mine", "name": "急", "state": "late"},
    "/filters/removal": {"page": "inbox.mine", "name": "急"},
    "/places": {"unit": "u-tingtao"},
    "/admin/people": {"name": "某人演示"},
    "/admin/units": {"id": "u-new", "kind": "community", "name": "新社区", "parent": "u-street"},
}
# Answers to a person who is let in: done, shown, or sent on; more is asked for; not now.
MARKS: Final = {200: "+", 201: "+", 202: "+", 302: "+", 303: "+", 400: "?", 422: "?", 409: "!",
                429: "!", 401: ">", 403: "-", 404: "."}  # fmt: skip
LEGEND: Final = """\
# +  let in: shown or done              ?  let in: something is missing in what was typed
# !  let in: not now, and why           >  asked to sign in first, or to show a token
# -  refused: not for this person       .  there is nothing here for this person
# "the hazard": {hazard} is being rectified by fixer, grid reported it, dispatch assigned it.
# "the complaint": {complaint} is about heat and investigated by searcher.
"""


@dataclass(frozen=True)
class Files:
    """The databases, put back after every question: none changes what the next is answered."""

    paths: tuple[Path, ...]

    def keep(self) -> None:
        for path in self.paths:
            _copy(path, path.with_suffix(".kept"))

    def put_back(self) -> None:
        for path in self.paths:
            _copy(path.with_suffix(".kept"), path)


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


@dataclass(frozen=True)
class Address:
    """One way to ask: an address filled in, and what row of the table it is."""

    method: str
    rule: str
    about: str
    path: str
    for_programs: bool

    @property
    def row(self) -> str:
        rule = re.sub(r"<(?:\w+(?:\(.*?\))?:)?(\w+)>", r"<\1>", self.rule)
        return f"{self.method:4} {rule}{'  # ' + self.about if self.about else ''}"


def addresses(app: Flask, digest: str) -> Iterator[Address]:
    """Every address with every method; those about a case twice."""
    adapter = app.url_map.bind("localhost")
    told: dict[str, Any] = {
        "sha256": "0" * 64, "digest": digest, "seq": 1, "job_id": "x", "code": "22222222",
        "unit": "u-tingtao", "channel": "mail", "token": "x", "message": "msg_x",
        "process": "hazard", "name": "keeper", "session_id": "0" * 16, "number": 1, "version": 1,
        "key": "hazard", "file": "x", "person": "p-0001", "register": "accounts", "ending": "csv",
        "post": "k-0001", "substitution": "s-0001", "unit_id": "u-tingtao",
        "rule": "B1", "entry": 1, "metric": "in_time",
    }  # fmt: skip
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        if rule.endpoint in LEFT_OUT:
            continue
        for method in sorted({"GET", "POST"} & (rule.methods or set())):
            cases = (HAZARD, COMPLAINT) if "case_id" in rule.arguments else ("",)
            for case in cases:
                values = {**told, "case_id": case, "task": STEPS.get(case, "")}
                path = adapter.build(
                    rule.endpoint, {name: values[name] for name in rule.arguments}, method=method
                )
                yield Address(method, rule.rule, _about(case), path, rule.endpoint in SCOPES_OF)


def _about(case: str) -> str:
    return {HAZARD: "the hazard", COMPLAINT: "the complaint", "": ""}[case]


def mark(answer: TestResponse) -> str:
    """How somebody was answered, in one sign."""
    if (answer.location or "").startswith(("/sign-in?", "/sign-in", "/second-factor")):
        return ">"
    return MARKS[answer.status_code]


@dataclass
class Asker:
    """Somebody at a browser, and a program of theirs with a token for everything."""

    visitor: Visitor
    token: str
    form_token: str

    def ask(self, one: Address, told: dict[str, Any]) -> TestResponse:
        client = self.visitor.client
        if one.for_programs:
            headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
            if one.method == "GET":
                return client.get(one.path, headers=headers)
            return client.post(one.path, json=told, headers={**headers, "Idempotency-Key": "k-1"})
        if one.method == "GET":
            return client.get(one.path)
        return client.post(one.path, data={**told, "csrf_token": self.form_token})


def told_at(one: Address, document: dict[str, Any], to: str) -> dict[str, Any]:
    """What is sent there: all fields a page may have, or what the document asks a program for."""
    if not one.for_programs:
        return {**TYPED, "to": to, **TYPED_AT.get(one.rule, {})}
    path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", one.rule)
    body = document["paths"][path].get(one.method.lower(), {}).get("requestBody", {})
    asked = body.get("content", {}).get("application/json", {}).get("schema")
    if not asked:
        return {}
    schema = document["components"]["schemas"][asked["$ref"].rpartition("/")[2]]
    samples = {"integer": 3, "boolean": False, "object": {}, "array": []}
    known = {**TYPED, "to": to, "process": "hazard", "resume_by": "2026-03-09"}
    return {
        name: samples.get(schema["properties"][name].get("type"), known.get(name, "x"))
        for name in schema.get("required", ())
    }


def signed_in(app: Flask, street: Street, name: str) -> Asker:
    """Somebody signed in, with a token for everything; nobody for an empty name."""
    visitor = Visitor(app.test_client())
    if not name:
        return Asker(visitor, "", visitor.token())
    assert visitor.sign_in(name).status_code in (200, 302, 303), name
    made = street.do(
        create_token, name, "测试", list(SCOPES), by=street.by(name),
        expires_at=street.at.replace(year=street.at.year + 1),
    )  # fmt: skip
    return Asker(visitor, made.secret, visitor.token())


def lived(street: Street, h: Hotline) -> str:
    """A hazard that is being rectified and a complaint that is being investigated.

    Returns the digest of the hazard's definition.
    """
    admin = street.by("admin")
    for process in ("whistle", "response"):
        street.do(deploy, read_folder(ROOT / "workflows" / process), by=admin)
    street.do(
        grant_post, street.person["head2"], "u-tingtao", "社区书记", ["whistle"],
        reason="到任", by=admin,
    )  # fmt: skip
    assert signed_for(street) == HAZARD
    h.report().do("accept", persons=[street.person["heat"]]).do("dispatch").do("declare")
    assert h.case == COMPLAINT
    with street.database.begin() as conn:
        return load(conn, read_case(conn, HAZARD).definition).digest


@dataclass(frozen=True)
class House:
    """The street behind its pages, and everybody in front of them."""

    app: Flask
    street: Street
    askers: tuple[Asker, ...]
    digest: str
    files: Files

    def answers(self, one: Address) -> list[str]:
        """How each of them is answered at an address, in the order of the columns."""
        to = self.street.person["fixer2"]
        told, marks = told_at(one, document_of(self.app), to), []
        for asker in self.askers:
            marks.append(mark(asker.ask(one, told)))
            if one.method == "POST":
                self.files.put_back()
        self.files.put_back()
        return marks


@pytest.fixture(scope="module")
def house(hotline_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("authorisation")
    path = folder / "street.db"
    shutil.copy(hotline_template, path)
    database = open_database(f"sqlite:///{path}")
    street = Street(database, person=known_people(database))
    settings = Settings(
        secret_key=KEY, database_url=str(database.url), evidence_dir=folder / "evidence",
        cookie_secure=False,
    )  # fmt: skip
    # Without keys no server is ready.
    make_keys(settings.keys, settings.origin, "听澜街道（演示）", at=street.at)
    app = create_app(settings, clock=lambda: street.at)
    app.testing = True
    street.vault = app.extensions["shaoji"].vault
    digest = lived(street, Hotline(street, street.vault))
    files = Files((path, folder / "vault.db"))
    askers = tuple(signed_in(app, street, name) for name in PEOPLE)
    files.keep()
    yield House(app, street, askers, digest, files)
    app.extensions["shaoji"].database.dispose()
    database.dispose()


ROOMS: Final = {
    "administrators": r"/(admin|sign-ins)\b",
    "programs": r"/api/(?!v1/cases/<)",
    "programs-cases": r"/api/v1/cases/<",
    "cases": r"/cases\b",
    "the-rest": r"/",
}


def room(rule: str) -> str:
    """Which part of the table an address stands in: the first that fits."""
    return next(name for name, pattern in ROOMS.items() if re.match(pattern, rule))


@pytest.mark.parametrize("name", ROOMS)
def test_every_address_opens_to_whom_the_table_says_and_to_nobody_else(
    house: House, tmp_path: Path, name: str
) -> None:
    found = [one for one in addresses(house.app, house.digest) if room(one.rule) == name]
    made = [_line(house.answers(one)) + one.row for one in found]
    (tmp_path / "authorisation.txt").write_text("\n".join(made), encoding="utf-8")
    assert made == table()[name], f"judge each cell that is other than it was, in {tmp_path}"


def table() -> dict[str, list[str]]:
    """The rows that were judged, by the part of the table they stand in."""
    parts: dict[str, list[str]] = {name: [] for name in ROOMS}
    for row in TABLE.read_text(encoding="utf-8").splitlines():
        if " /" in row and not row.startswith("#"):
            parts[room("/" + row.partition(" /")[2].partition("  #")[0])].append(row)
    return parts


def test_the_table_says_what_its_signs_mean_and_whose_its_columns_are() -> None:
    text = TABLE.read_text(encoding="utf-8")
    assert text.startswith(
        LEGEND.format(hazard=HAZARD, complaint=COMPLAINT) + _line(CALLED).rstrip()
    )


def _line(cells: Iterable[str]) -> str:
    return "".join(f"{cell:{len(name) + 1}}" for name, cell in zip(CALLED, cells, strict=True))
