"""A case record as a page shows it: responsibility table, timeline, diagram. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from flask import url_for
from markupsafe import Markup

from audit.reports.facts import CaseRecord, Evidence, Responsibility, TimelineRow
from web.case_rows import in_hands, standing
from web.frame import day, time_of_day
from web.quantities import ZONE, bare_duration, limit
from web.records import CaseFile
from web.sentences import markup, outcome, result, timeline_sentence
from web.texts import language, say
from web.wording import Names, duty_mark, duty_name, element_name, person_words

# Who is behind an entry, as a shape: done, turned, late, machine.
_MARKS = {"act": "tick", "turn": "turn", "late": "late", "machine": "ok"}


@dataclass(frozen=True, slots=True)
class TableRow:
    """One line of the responsibility table; same: the person and duty of the line above."""

    mark: str
    duty: str
    state: str
    who: str
    where: str
    did: Markup
    took: str
    shape: str
    result: str
    style: str
    same: bool
    more: bool


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One entry as a sentence."""

    seq: int
    time: str
    shape: str
    style: str
    said: Markup
    shots: tuple[Evidence, ...]


def steps_of(record: CaseRecord, called: Names) -> str:
    """Where the case stands, in a sentence."""
    return standing(record, called)


def table_rows(record: CaseRecord, called: Names) -> list[TableRow]:
    """The responsibility table: one line an act, rounds as lines of their own."""
    lines = list(record.responsibility)
    keys = [(line.duty5 or line.element, line.who and line.who.doer.person) for line in lines]
    return [
        _table_row(
            record, line, called,
            same=bool(index) and keys[index] == keys[index - 1],
            more=index + 1 < len(keys) and keys[index] == keys[index + 1],
        )
        for index, line in enumerate(lines)
    ]  # fmt: skip


def _table_row(
    record: CaseRecord, line: Responsibility, called: Names, *, same: bool, more: bool
) -> TableRow:
    locale = language()
    source = record.source if line.how == "reported" else ""
    who, where = person_words(line.who, called, locale, source=source) if line.who else ("", "")
    if not who and line.units:
        who, where = say("等待认领"), called.unit(line.units[-1])
    ended = result(line, locale)
    return TableRow(
        mark=duty_mark(record, line),
        duty=duty_name(record, line, locale),
        state="now" if line.how == "open" else "done",
        who=who,
        where=where,
        did=markup(outcome(record, line, called, locale)),
        took=_took(line),
        shape={"●": "ok", "▲": "late", "‖": "paused", "○": "ring"}.get(ended.shape, "dash"),
        result=ended.text,
        style={"now": "none", "idle": "none"}.get(ended.style, ended.style),
        same=same,
        more=more,
    )


def _took(line: Responsibility) -> str:
    timing, locale = line.timing, language()
    if timing.allowed is None:
        return "—"
    allowed = limit(timing.allowed, timing.clock, locale)
    if timing.used is None:
        return say("时限 {allowed}", allowed=allowed)
    return f"{bare_duration(timing.used, timing.clock, locale)} / {allowed}"


# --- timeline -----------------------------------------------------------------------------------


def trace_days(record: CaseRecord, called: Names) -> list[tuple[str, list[TraceRow]]]:
    """The entries as sentences, by day; whoever was introduced once is then named alone."""
    known: set[str] = set()
    told = [_trace_row(record, row, called, known) for row in record.timeline]
    pairs = zip(record.timeline, told, strict=True)
    days = groupby(pairs, key=lambda pair: pair[0].at.astimezone(ZONE).date())
    return [(day(on), [row for _, row in group]) for on, group in days]


def _trace_row(record: CaseRecord, row: TimelineRow, called: Names, known: set[str]) -> TraceRow:
    said = timeline_sentence(record, row, called, language(), known=known)
    if row.actor.doer.person:
        known.add(row.actor.doer.person)
    return TraceRow(
        seq=row.seq,
        time=time_of_day(row.at),
        shape=_MARKS[row.kind],
        style={"machine": "sys", "late": "late"}.get(row.kind, ""),
        said=markup(said, link=_case_address),
        shots=row.evidence,
    )


def case_link(called: Names, case: str | None) -> Markup:
    """A case by its number, as a link if it may be seen; empty for none."""
    return markup(called.case(case, language()), link=_case_address) if case else Markup()


def _case_address(case: str) -> str:
    return url_for("cases.page", case_id=case)


def folded(
    days: list[tuple[str, list[TraceRow]]], longest: int
) -> tuple[list[tuple[str, list[TraceRow]]], list[tuple[str, list[TraceRow]]]]:
    """The days of a long story in two: the earlier ones, and the last ones worth reading first."""
    shown = 0
    for index in range(len(days) - 1, -1, -1):
        shown += len(days[index][1])
        if shown >= longest:
            return days[:index], days[index:]
    return [], days


# --- diagram ------------------------------------------------------------------------------------


def diagram_facts(file: CaseFile, called: Names) -> dict[str, Any]:
    """What diagram.js marks, and the same in words for whoever does not see the drawing."""
    record = file.record
    passed = {element for row in record.timeline for element in row.data.get("path", ())}
    now = list(record.now)
    done = passed - {line.element for line in now}
    overdue = {line.element for line in record.responsibility if line.was_late}
    return {
        "source": url_for("cases.diagram", digest=record.definition["sha256"]),
        "done": sorted(done | _flows(file, passed)),
        "now": sorted({line.element for line in now}),
        "overdue": sorted(overdue),
        "flags": dict(_flags(record, now, called)),
        "words": _words(record, now, called),
    }


def _flows(file: CaseFile, passed: set[str]) -> set[str]:
    """The arrows taken: those a gateway is recorded to have chosen, and those without a choice."""
    chosen = {
        taken["flow"] for row in file.record.timeline for taken in row.data.get("gateways", ())
    }
    plain = {
        flow.id
        for flow in file.definition.flows.values()
        if {flow.source, flow.target} <= passed and flow.source not in file.definition.gateways
    }
    return chosen | plain


def _flags(
    record: CaseRecord, now: Sequence[Responsibility], called: Names
) -> Iterator[tuple[str, dict[str, str]]]:
    """A short word at a step: who holds it, or that it was late."""
    for line in record.responsibility:
        if line.was_late:
            yield line.element, {"kind": "overdue", "text": f"▲ {say('曾逾期')}"}
    for line in now:
        holder = line.hands[-1].person if line.hands else None
        name = called.person(holder, language()) if holder else say("待认领")
        late = line.timing.state == "overdue"
        mark = "▲" if late else "●"
        yield line.element, {"kind": "overdue" if late else "now", "text": f"{mark} {name}"}


def _words(record: CaseRecord, now: Sequence[Responsibility], called: Names) -> str:
    done = dict.fromkeys(
        element_name(record, line.element, language())
        for line in record.responsibility
        if line.how in ("completed", "reported")
    )
    hands = [in_hands(record, line, called) for line in now]
    told = [say("已完成：{steps}。", steps=say("、").join(done))]
    if hands:
        told.append(say("现在：{hands}。", hands=say("；").join(hands)))
    elif record.ended:
        ended = element_name(record, record.ended, language())
        told.append(say("流程已结束：{ended}。", ended=ended))
    return "".join(told)
