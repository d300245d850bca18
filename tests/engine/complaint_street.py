"""A complaint on the test street: a small confidential process, its people, and a vault."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from audit.entries import Entry
from engine import receipt_codes
from engine.cases import Place, Report, open_case
from engine.casework import Done
from engine.definition_sets import deploy
from engine.definitions import read_folder
from engine.holding import claim_task
from engine.people import create_unit, grant_post, register_person
from engine.receipt_codes import new_code, new_complainant, prepare, register
from engine.sealed_answers import subject_of
from engine.vault import Vault, close_vault
from tests.conftest import NOON, ROOT, Street
from tests.engine.vaults import vault_beside

WORDS = "燃气检修拖了三个月 polterabend"
NAME, PHONE = "陈小禾演示", "000-7654-3210"
UNITS = [
    ("u-gas", "department", "燃气办", "u-street"),
    ("u-desk", "department", "热线办", "u-street"),
]
PEOPLE = {
    "intake": ("u-desk", "受理员", ["intake"]),
    "searcher": ("u-street", "核查员", ["investigate"]),
    "searcher2": ("u-street", "核查员", ["investigate"]),
    "keeper": ("u-street", "身份保管员", ["custody"]),
    "keeper2": ("u-street", "身份保管员", ["custody", "investigate"]),
    "district": ("u-district", "区身份保管员", ["custody"]),
    "gas": ("u-gas", "燃气办主任", ["investigate", "custody"]),
    "mayor": ("u-street", "街道主要领导", ["approve", "custody"]),
}


def _text(title: str, english: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "title": title, "x-en": english, "maxLength": 2000, **more}


FORM = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "投诉举报",
    "x-en": "Complaint",
    "type": "object",
    "properties": {
        "description": _text("内容", "What is the matter", **{"x-seal": "content"}),
        "name": _text("姓名", "Name", **{"x-seal": "identity"}),
        "phone": _text("电话", "Telephone", **{"x-seal": "identity"}),
        "accused": {"type": "array", "title": "被投诉单位", "x-en": "Unit complained of",
                    "items": {"type": "string"}, "x-widget": "units", "x-routing": True},
    },
    "required": ["description"],
    "additionalProperties": False,
}  # fmt: skip


def definition(key: str, duty: str, *, reads: bool = True) -> dict[str, bytes]:
    """The minimal process made confidential: one step of this duty, which reads what is sealed."""
    files = read_folder(ROOT / "tests/golden/bpmn/minimal")
    drawn = files.pop("minimal.bpmn").decode().replace("minimal", key)
    told = {"confidential": "true", "startedBy": "complainant", "exclude": "case.accused"}
    more = "".join(f'<spiffworkflow:property name="{n}" value="{v}" />' for n, v in told.items())
    label = '<spiffworkflow:property name="numberLabel" value="练" />'
    drawn = drawn.replace(label, label + more)
    drawn = drawn.replace('name="duty" value="rectify"', f'name="duty" value="{duty}"')
    drawn = drawn.replace('name="scope" value="place"', 'name="scope" value="street"')
    step = f'<spiffworkflow:property name="capacity" value="{duty}" />'
    read = '<spiffworkflow:property name="reads" value="true" />' if reads else ""
    drawn = drawn.replace('<spiffworkflow:property name="capacity" value="rectify" />', step + read)
    report = json.dumps(FORM, ensure_ascii=False).encode()
    decide = json.loads(files["forms/decide.json"])
    for name in ("findings", "to_complainant"):
        decide["properties"][name] = _text("密封", "Sealed", **{"x-seal": "content"})
    files["forms/decide.json"] = json.dumps(decide, ensure_ascii=False).encode()
    return {**files, f"{key}.bpmn": drawn.encode(), "forms/report.json": report}


@dataclass
class Complaint:
    """A complaint, with its code and complainant; `held` = who holds its step."""

    street: Street
    vault: Vault
    case: str = ""
    code: str = ""
    complainant: str = ""

    def report(self, process: str = "complaint", **form: Any) -> "Complaint":
        """A named resident complains; a value of None leaves the field out."""
        answers = {"description": WORDS, "name": NAME, "phone": PHONE, **form}
        answers = {name: value for name, value in answers.items() if value is not None}
        self.complainant, self.code = new_complainant(), new_code()
        prepared = prepare(self.vault, self.code)
        who = {"person": self.complainant, "capacity": "report", "channel": "web"}
        told = Report(
            process,
            "service",
            "投诉",
            Place("u-tingtao", ""),
            answers,
            source="resident",
            actor=who,
        )
        with self.street.database.begin() as conn:
            done: Done = open_case(conn, told, by=None, at=self.street.at, vault=self.vault)
            register(
                self.vault, prepared, subject_of(done.case, "content"), done.case,
                complainant=self.complainant, at=self.street.at,
            )  # fmt: skip
        self.case = done.case
        return self

    def held(self, by: str = "searcher") -> "Complaint":
        self.street.do(claim_task, self.case, "decide#1", by=self.street.by(by))
        return self

    def ended(self, by: str = "searcher", **answers: str) -> "Complaint":
        form = {"verdict": "settled", **answers}
        self.street.complete(self.case, "decide#1", by, form, vault=self.vault)
        return self

    def do(self, command: Any, *args: Any, by: str, **more: Any) -> Any:
        """Run a command that needs no vault, a minute later."""
        self.street.later(minutes=1)
        return self.street.do(command, self.case, *args, by=self.street.by(by), **more)

    def read(self, command: Any, *args: Any, by: str, **more: Any) -> Any:
        """Run a command that needs the vault, a minute later."""
        self.street.later(minutes=1)
        with self.street.database.begin() as conn:
            return command(
                conn, self.vault, self.case, *args, by=self.street.by(by), at=self.street.at, **more
            )

    def all(self, type_: str) -> list[Entry]:
        return [entry for entry in self.street.entries(self.case) if entry.type == type_]

    def last(self, type_: str) -> Entry:
        return self.all(type_)[-1]


class PowerFailure(RuntimeError):
    """What happens just before COMMIT."""


@contextmanager
def power_failure(street: Street) -> Iterator[None]:
    """No transaction of the street's database is committed within, though all goes well before."""
    real = street.database

    class Unpowered:
        @contextmanager
        def begin(self) -> Iterator[Connection]:
            with real.begin() as conn:
                yield conn
                raise PowerFailure

    street.database = Unpowered()  # type: ignore[assignment]
    try:
        yield
    finally:
        street.database = real


def complaints(street: Street, vault: Vault) -> Complaint:
    """Deploy the process on the street, with its offices and people."""
    street.vault = vault
    at = NOON - timedelta(days=1)
    with street.database.begin() as conn:
        deploy(conn, definition("complaint", "investigate"), by=None, at=at)
        deploy(conn, definition("desk", "intake"), by=None, at=at)
        deploy(conn, definition("blind", "investigate", reads=False), by=None, at=at)
        for unit, kind, name, parent in UNITS:
            create_unit(conn, unit, kind=kind, name=name, parent=parent, by=None, at=at)
        for name, (unit, title, duties) in PEOPLE.items():
            person = street.person[name] = register_person(conn, f"{name}演示", by=None, at=at)
            grant_post(conn, person, unit, title, duties, reason="到任", by=None, at=at)
    return Complaint(street, vault)


@pytest.fixture
def complaint(
    street: Street, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Complaint]:
    """The street ready for a complaint; at the end the whole log is verified."""
    monkeypatch.setattr(receipt_codes, "MEMORY_KIB", 64)  # test_receipt_codes looks at the cost
    vault = vault_beside(street.database, tmp_path)
    yield complaints(street, vault)
    close_vault(vault)
    street.check()
