"""Cases as rows of a list: where each stands, and in whose hands."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import url_for
from sqlalchemy import Connection

from audit.reports.facts import CaseRecord, Responsibility
from engine.definitions import Definition
from engine.directory import Directory
from engine.search import FoundCase
from web.frame import moment
from web.records import CaseFile, Cell, five_cells, names, read_files
from web.texts import either, language, say
from web.wording import Names, category_words, element_name, level_words, party_name


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One case as a row; standing: 正在整改，在陈演示手里. late: some step of it is overdue now."""

    address: str
    title: str
    party: str
    place: str
    number: str
    kind: str
    opened: str
    standing: str
    late: bool
    cells: tuple[Cell, ...]


def case_rows(conn: Connection, found: Sequence[FoundCase], people: Directory) -> list[CaseRow]:
    """These cases as rows, in their order."""
    called, files = names(people), read_files(conn, [case.case for case in found])
    return [_row(case, files[case.case], called) for case in found]


def _row(case: FoundCase, file: CaseFile, called: Names) -> CaseRow:
    record = file.record
    late = any(line.timing.state == "overdue" for line in record.now)
    return CaseRow(
        address=url_for("cases.page", case_id=case.case),
        title=case.title,
        party=party_name(record.timeline[0].data.get("party"), called, language()),
        place="　".join([called.unit(case.community), case.address]),
        number=case.number,
        kind="　".join(dict.fromkeys(filter(None, _kind(file)))),
        opened=_opened(record),
        standing=standing(record, called),
        late=late,
        cells=five_cells(record, "late" if late else ""),
    )


def _opened(record: CaseRecord) -> str:
    when = moment(record.opened)
    if five_cells(record):
        return say("{moment} 上报", moment=when)
    return say("{moment} 立案", moment=when)


def _kind(file: CaseFile) -> tuple[str, ...]:
    """What kind of case it is: a hazard by its category, another by its process too."""
    record, title = file.record, either(file.definition.title, file.definition.title_en)
    own = "" if five_cells(record) else title
    return own, category_words(record, language()), level_words(record, language())


def standing(record: CaseRecord, called: Names) -> str:
    """Where a case stands, in a sentence: in whose hands, or how it ended."""
    if record.ended_at is not None:
        ended = element_name(record, record.ended, language())
        return say("{ended}，{when}", ended=ended, when=moment(record.ended_at))
    hands = [in_hands(record, line, called) for line in record.now]
    return say("；").join(hands) or _resting(record)


def _resting(record: CaseRecord) -> str:
    """What a case without an open step waits for: the cases it opened, a date, something drawn."""
    opened = {row.seq for row in record.timeline
              if row.type == "message.sent" and row.data["to"].startswith("opens:")}  # fmt: skip
    ended = {row.data.get("child") for row in record.timeline
             if row.type == "message.received" and row.data["message"] == "case.ended"}  # fmt: skip
    told = [
        say("等“{name}”，{when}", name=element_name(record, rest.element, language()),
            when=moment(rest.due))
        for rest in record.waiting
    ]  # fmt: skip
    if opened - ended:
        told.append(say("等 {count} 件下级案件办结", count=len(opened - ended)))
    return say("；").join(told) or say("等待下一个条件")


def texts_of(record: CaseRecord, definition: Definition) -> str:
    """The sentence the process has for where the case stands (texts.toml); "" if it has none."""
    here = [line.element for line in record.now] or [rest.element for rest in record.waiting]
    if record.ended is not None:
        here = [record.ended]
    told = (definition.texts[element] for element in here if element in definition.texts)
    return next((either(text["zh"], text["en"]) for text in told), "")


def in_hands(record: CaseRecord, line: Responsibility, called: Names) -> str:
    """正在整改（第 2 轮），在陈演示（澜安物业）手里; or who may claim it."""
    step = element_name(record, line.element, language())
    if line.rounds > 1:
        step = say("{step}（第 {round} 轮）", step=step, round=line.round)
    holder = line.hands[-1].person if line.hands else None
    unit = called.unit(line.units[-1]) if line.units else ""
    if holder is None:
        return say("{step}等{unit}的岗位认领", step=step, unit=unit)
    person = called.person(holder, language())
    return say("正在{step}，在{person}（{unit}）手里", step=step, person=person, unit=unit)
