"""Reports that leave the house: what a definition calls things, and the record of each export."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from audit import log
from audit.entries import ENGINE, Draft, Entry
from audit.reports.facts import ElementFacts, FieldFacts
from engine.cases import NotYourTask
from engine.casework import Desk, Done, change
from engine.definition_sets import MOST_PARSED
from engine.definitions import OPENING_FORM, Definition
from engine.directory import Authority
from engine.errors import BadInput, NotAllowed
from engine.forms import Field, Form
from engine.holding import overseer
from engine.log_export import Exported as LogExported
from engine.people import By, actor
from engine.reasons import reasoned
from engine.rights import DISCIPLINE, SUPERVISION, participants

KINDS: Final = ("case_report",)
PDF: Final = "pdf"
XLSX: Final = "xlsx"
FORMATS: Final = (PDF, XLSX)
LOG: Final = "@log"


@dataclass(frozen=True, slots=True)
class Content:
    """What a report says, so that it can be computed again: SHA-256 (hex) of its data.

    version: of the computation. size, root (hex): of the checkpoint it bears, if any.
    """

    digest: str
    version: int
    size: int | None = None
    root: str | None = None

    @property
    def told(self) -> dict[str, Any]:
        """As the record of an export has it."""
        tree = {"size": self.size, "root": self.root} if self.size else {}
        return {"digest": self.digest, "version": self.version, **tree}


class MayNotExport(NotAllowed):
    """Reports are exported by supervision, by discipline, and by whoever has a part in the case."""


class NoSuchReport(BadInput):
    """What was exported is not told in the form the record asks for."""


def record_export(
    conn: Connection,
    case_id: str,
    *,
    kind: str,
    sha256: str,
    head: str,
    purpose: str,
    pages: int,
    content: Content | None = None,
    format_: str = PDF,
    by: By | None,
    at: datetime,
    key: str | None = None,
) -> Done:
    """Put on the record that a report was exported; call it before the file leaves the house.

    sha256: of the file (hex). head: hash (hex) of the last entry the report rests on; the case may
    have moved on meanwhile. content: what it says, for whoever computes it again. pages: of a
    workbook its sheets. format_: one of FORMATS. by: None stands for whoever operates the server.
    Raises MayNotExport, NoSuchReport, NoReason.
    """
    hashes = all(re.fullmatch(r"[0-9a-f]{64}", told) for told in (sha256, head))
    if kind not in KINDS or format_ not in FORMATS or not hashes or pages < 1:
        raise NoSuchReport(
            "导出的报告没有写全种类、页数和摘要。",
            "Kind, pages and hashes of the report are needed.",
        )

    def decide(desk: Desk) -> list[Draft]:
        data = {
            "kind": kind,
            "sha256": sha256,
            "head": head,
            "purpose": reasoned(purpose, what="用途", english="a purpose"),
            "pages": pages,
            **format_told(format_),
            **(content.told if content else {}),
        }
        who = actor(exporter(desk, by), "export", channel=by.channel) if by else dict(ENGINE)
        return [Draft("report.exported", data, who, at)]

    return change(conn, case_id, decide, at=at, key=key)


def format_told(format_: str) -> dict[str, str]:
    """What the record of an export says of the format of the file: nothing of a PDF."""
    return {} if format_ == PDF else {"format": format_}


def record_log_export(
    conn: Connection, left: LogExported, *, unit: str | None, purpose: str, at: datetime
) -> Entry:
    """Put on the record that the log, or a unit's cases, left the house; before it is handed out.

    Only whoever operates the server does that, at its command line. Raises NoReason.
    """
    data = {
        "scope": "unit" if unit else "log",
        "cases": left.cases,
        "events": left.events,
        "size": left.size,
        "root": left.root,
        "purpose": reasoned(purpose, what="用途", english="a purpose"),
    }
    told = data | ({"unit": unit} if unit else {})
    head = log.take(conn, LOG)
    (entry,), _ = log.append(conn, head, [Draft("log.exported", told, dict(ENGINE), at)])
    return entry


def exporter(desk: Desk, by: By) -> Authority:
    """The post by which this person may export reports of the case; raises MayNotExport.

    A supervising or discipline post over its place, or any post of somebody with a part in it.
    """
    try:
        return overseer(desk, by, (SUPERVISION, DISCIPLINE))
    except NotYourTask:
        held = desk.directory.capacities(by.person, desk.at)
    parts = {by.person, by.on_behalf_of} & participants(desk.case)
    fitting = [one for one in held if by.on_behalf_of in (None, one.on_behalf_of)]
    if not parts or not fitting:
        raise MayNotExport(
            "只有本街道督查、纪检岗位和本案经办人可以导出报告。请向他们索取。",
            "Only supervising and discipline posts of this street and those with a part in the "
            "case may export reports. Ask one of them.",
        )
    return fitting[0]


# --- what a definition calls things -------------------------------------------------------------


def element_facts(definition: Definition) -> Mapping[str, ElementFacts]:
    """Words and duties of a definition's elements, for audit.reports.case.

    `report` stands for the opening of the case. Told once per process: a digest names one content.
    """
    found = _facts.get(definition.digest)
    if found is None:
        if len(_facts) >= MOST_PARSED:
            _facts.clear()
        found = _facts[definition.digest] = _element_facts(definition)
    return found


_facts: dict[str, Mapping[str, ElementFacts]] = {}


def _element_facts(definition: Definition) -> Mapping[str, ElementFacts]:
    told = {
        id_: ElementFacts(None, element.name, element.name_en, "", "", "")
        for id_, element in definition.elements.items()
    }
    for id_, task in definition.tasks.items():
        told[id_] = ElementFacts(
            task.duty5, task.name, task.name_en, task.verb, task.verb_en, task.capacity,
            _fields(definition.forms[task.form]),
        )  # fmt: skip
    for id_, message in definition.messages.items():
        if message.form is not None:
            fields = _fields(definition.forms[message.form])
            told[id_] = ElementFacts(None, message.name, told[id_].name_en, "", "", "", fields)
    told["report"] = _opening(definition)
    return told


def _opening(definition: Definition) -> ElementFacts:
    """Opening a case is the first of the five duties where there are five; else what is drawn."""
    fields = _fields(definition.forms[OPENING_FORM])
    if any(task.duty5 for task in definition.tasks.values()):
        return ElementFacts("report", "上报", "Report", "上报", "Report", "report", fields)
    start = definition.elements[definition.start]
    zh, en = start.name or definition.title, start.name_en or definition.title_en
    return ElementFacts(None, zh, en, zh, en, "report", fields)


def _fields(form: Form) -> Mapping[str, FieldFacts]:
    return {field.name: _field(field) for field in form.fields}


def _field(field: Field) -> FieldFacts:
    choices = {choice.value: (choice.title, choice.title_en) for choice in field.choices}
    return FieldFacts(field.title, field.title_en, _kind(field), choices)


def _kind(field: Field) -> str:
    if field.widget in ("person", "unit", "persons", "units", "case"):
        return field.widget
    if field.type == "array":
        return "choices"
    if field.choices:
        return "choice"
    kinds = {"integer": "number", "boolean": "check"}
    if field.type in kinds:
        return kinds[field.type]
    if field.format:
        return {"date": "date", "date-time": "moment"}[field.format]
    return "prose" if field.widget == "textarea" else "text"
