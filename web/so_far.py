"""What is known of a case when the next step begins: what was reported, decided, sent back."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from audit.commitments import is_sealed
from audit.reports.facts import CaseRecord, ElementFacts, Evidence, FieldFacts, Responsibility
from web.frame import moment
from web.texts import either, language, say
from web.wording import (
    Names,
    category_words,
    duty_mark,
    element_name,
    person_words,
    round_words,
)


@dataclass(frozen=True, slots=True)
class Told:
    """One step that was done: its mark and name, who and when, the answers, the files."""

    mark: str
    name: str
    who: str
    when: str
    answers: tuple[tuple[str, str], ...]
    reason: str
    note: str
    shots: tuple[Evidence, ...]


def so_far(record: CaseRecord, called: Names) -> list[Told]:
    """The steps done so far, the last one first: that is what the next person asks about."""
    done = (line for line in record.responsibility if line.seq and line.how != "cancelled")
    ordered = sorted(done, key=lambda line: line.seq or 0, reverse=True)
    return [_told(record, line, called) for line in ordered]


def answers(
    facts: ElementFacts | None, form: Mapping[str, Any], called: Names
) -> Iterator[tuple[str, str]]:
    """The answers of a form, in the order asked: question and answer in words."""
    for name, field in (facts.fields if facts else {}).items():
        value = form.get(name)
        if value is not None and value != "" and value is not False:
            yield either(field.title, field.title_en), _answer(field, value, called)


def _answer(field: FieldFacts, value: Any, called: Names) -> str:
    if is_sealed(value):
        return say("（已密封）")
    match field.kind:
        case "choice" | "choices":
            chosen = value if isinstance(value, list) else [value]
            return say("、").join(either(*field.choices.get(one, (one, one))) for one in chosen)
        case "person":
            return called.person(value, language())
        case "unit":
            return called.unit(value)
        case "units":
            return say("、").join(map(called.unit, value))
        case "persons":
            return say("、").join(called.person(one, language()) for one in value)
        case "case":
            return "".join(part.text for part in called.case(value, language()))
        case "check":
            return say("是")
        case "moment":
            return moment(datetime.fromisoformat(value))
        case _:
            return str(value)


def _told(record: CaseRecord, line: Responsibility, called: Names) -> Told:
    locale = language()
    source = record.source if line.how == "reported" else ""
    who, where = person_words(line.who, called, locale, source=source) if line.who else ("", "")
    said = tuple(answers(record.elements.get(line.element), line.outcome, called))
    if line.how == "reported" and not said:
        said = ((say("类别"), category_words(record, locale)),)
    return Told(
        mark=duty_mark(record, line),
        name=" ".join(
            [element_name(record, line.element, locale), round_words(line, locale)]
        ).strip(),
        who=say("{person}（{where}）", person=who, where=where) if where else who,
        when=moment(line.closed or line.opened),
        answers=said,
        reason=line.reason or "",
        note=line.note or "",
        shots=tuple(item for item in record.evidence if item.seq == line.seq),
    )
