"""B15: whether what people were asked afterwards was asked of them at all. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from audit.entries import Entry
from audit.reports.facts import CaseRecord, Responsibility
from audit.signals.facts import Brief, Call, Signal
from audit.signals.rules import Rule, Steps

Found = Iterator[tuple[int, ...]]
# Fields of forms: the number of whoever complained (sealed: its commitment), a call that was made.
PHONE: Final = "phone"
SECONDS: Final = "call_seconds"
RECORDING: Final = "call_sha256"
NAMED: Final = 20


def rated_oddly(record: CaseRecord, steps: Steps, rule: Rule) -> Found:
    """B15: asked by whoever had handled it, in a call of seconds, or within seconds of its end."""
    lines = [one for one in record.responsibility if one.how == "completed" and one.seq]
    handling = [one for one in lines if steps.plays(one.element, "investigate")]
    ends = [(one.closed, one.seq) for one in lines
            if one.closed and steps.plays(one.element, "finish")]  # fmt: skip
    for line in lines:
        if steps.plays(line.element, "rate"):
            beside = [*_own(line, handling), *_at_once(line.closed, ends, rule)]
            if beside or _too_short(line, rule):
                yield (line.seq or 0, *beside)
    for row in record.timeline:
        if row.type == "result.rated":
            beside = _at_once(row.at, ends, rule)
            if beside:
                yield (row.seq, *beside)


def _own(line: Responsibility, handling: Sequence[Responsibility]) -> list[int]:
    """The last step before it by which the same person, or the same unit, had handled the case."""
    if line.who is None or line.seq is None:
        return []
    mine = [
        one.seq for one in handling
        if one.who and one.seq and one.seq < line.seq
        and (one.who.person == line.who.person
             or (one.who.unit is not None and one.who.unit == line.who.unit))
    ]  # fmt: skip
    return mine[-1:]


def _at_once(
    at: datetime | None, ends: Sequence[tuple[datetime, int | None]], rule: Rule
) -> list[int]:
    near = timedelta(seconds=rule["after_seconds"])
    return [seq for end, seq in ends if seq and at and end <= at <= end + near][-1:]


def _too_short(line: Responsibility, rule: Rule) -> bool:
    seconds = line.outcome.get(SECONDS)
    if line.outcome.get("reached") != "reached" or not str(seconds).isdecimal():
        return False
    return int(str(seconds)) < rule["call_seconds"]


def calls(entries: Sequence[Entry], steps: Steps) -> Iterator[Call]:
    """The marks of telephones and recordings that these entries tell.

    Of a number only its commitment. Ours has a salt for each value, so that two are never alike:
    alike are those of a log that has not, and there it is one telephone.
    """
    for entry in entries:
        form = entry.data.get("form")
        if not isinstance(form, dict) or entry.type not in ("case.opened", "task.completed"):
            continue
        phone, recording = form.get(PHONE), form.get(RECORDING)
        if isinstance(phone, dict) and phone.get("as") == "identity":
            yield Call(entry.seq, "phone", str(phone.get("sealed")))
        element = str(entry.data.get("task", "")).partition("#")[0]
        if isinstance(recording, str) and steps.plays(element, "rate"):
            yield Call(entry.seq, "recording", recording.lower())


def called_again(briefs: Sequence[Brief], rule: Rule) -> Iterator[Signal]:
    """B15: one telephone for too many cases, or the recording of one call for two of them."""
    uses: dict[tuple[str, str], dict[str, int]] = {}
    for one in briefs:
        for call in one.calls:
            uses.setdefault((call.of, call.mark), {}).setdefault(one.case, call.seq)
    for (of, _), by_case in uses.items():
        if len(by_case) > (rule["phones"] if of == "phone" else 1):
            for case, seq in by_case.items():
                others = tuple(other for other in by_case.items() if other[0] != case)
                yield Signal("B15", case, (seq,), others[:NAMED])
