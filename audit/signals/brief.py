"""One case, folded once: its own signals, and what the rules among cases need of it. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from audit.entries import Entry
from audit.reports.case import case_record
from audit.reports.facts import CaseRecord, Responsibility
from audit.signals.case_rules import ALONE, refutations
from audit.signals.complaints import (
    Found,
    complaint,
    read_undeclared,
    recused_took_part,
    seen_without_leave,
)
from audit.signals.facts import (
    Acceptance,
    Begun,
    Brief,
    Call,
    Complaint,
    Deed,
    Judged,
    Merge,
    Photo,
    Signal,
    Whistle,
)
from audit.signals.ratings import calls
from audit.signals.rules import Rule, Rules, Steps

# What a person may say of a signal: type of the entry -> how it stands from then on.
JUDGEMENTS: Final = {"signal.confirmed": "confirmed", "signal.dismissed": "dismissed"}


def brief(entries: Sequence[Entry], rules: Rules) -> Brief:
    """Fold the entries of one case, in order from its case.opened; ValueError for others."""
    record = case_record(entries, {})
    steps = rules.of(record.process)
    beside = Beside(
        found=tuple(
            Signal(name, record.case, events)
            for name, rule in FROM_ENTRIES
            for events in rule(entries, steps, rules[name])
        ),
        photos=tuple(_photos(entries, steps)),
        judged=tuple(_judged(entries)),
        parent=entries[0].data.get("origin", {}).get("case"),
        complaint=complaint(entries, steps),
        calls=tuple(calls(entries, steps)),
    )
    return brief_of(record, rules, beside)


FROM_ENTRIES: Final[Sequence[tuple[str, Callable[[Sequence[Entry], Steps, Rule], Found]]]] = (
    ("B12", recused_took_part),
    ("B12", read_undeclared),
    ("B13", seen_without_leave),
)


@dataclass(frozen=True, slots=True)
class Beside:
    """What only entries tell, not the record of a case made of them."""

    found: tuple[Signal, ...] = ()
    photos: tuple[Photo, ...] = ()
    judged: tuple[Judged, ...] = ()
    parent: str | None = None
    complaint: Complaint | None = None
    calls: tuple[Call, ...] = ()


NOTHING_BESIDE: Final = Beside()


def brief_of(record: CaseRecord, rules: Rules, beside: Beside = NOTHING_BESIDE) -> Brief:
    """What the rules among cases need of what is known of one case, and its own signals."""
    steps = rules.of(record.process)
    return Brief(
        case=record.case,
        number=record.number,
        process=record.process,
        thing=(record.unit, record.category, record.address),
        title=record.title,
        alone=(*_alone(record, steps, rules), *beside.found),
        confirmed=tuple(_answered(record, steps, ("confirm", "second_look"), "hazard")),
        dismissed=tuple(_dismissed(record, steps)),
        accepted=tuple(_deeds(record, steps, "accept")),
        closed=tuple(_deeds(record, steps, "close")),
        refuted=tuple(refutations(record, steps)),
        pairs=tuple(_pairs(record, steps)),
        photos=beside.photos,
        merge=_merge(record, steps),
        judged=beside.judged,
        begun=Begun(record.opened, beside.parent, record.source != "resident", record.ended_at),
        plans=steps.plays("report", "plan"),
        complaint=beside.complaint,
        whistle=_whistle(record, steps),
        calls=beside.calls,
    )


def _whistle(record: CaseRecord, steps: Steps) -> Whistle | None:
    if not steps.plays("report", "whistle"):
        return None
    opening = next((row.data for row in record.timeline if row.type == "case.opened"), {})
    form: Mapping[str, object] = opening.get("form", {})
    reviews = [line for line in record.responsibility if steps.plays(line.element, "review")]
    returned = [line.seq for line in reviews if line.how == "returned" and line.seq]
    return Whistle(record.reporter.unit or "", str(form.get("kind", "")), tuple(returned))


def _judged(entries: Sequence[Entry]) -> Iterator[Judged]:
    for entry in entries:
        state = JUDGEMENTS.get(entry.type)
        if state:
            yield Judged(entry.data["rule"], entry.data["entry"], state)


def _alone(record: CaseRecord, steps: Steps, rules: Rules) -> Iterator[Signal]:
    for name, rule in ALONE.items():
        for events in rule(record, steps, rules[name]):
            yield Signal(name, record.case, events)


def _deeds(record: CaseRecord, steps: Steps, role: str) -> Iterator[Deed]:
    for line in record.responsibility:
        if line.how == "completed" and steps.plays(line.element, role) and (deed := _deed(line)):
            yield deed


def _deed(line: Responsibility) -> Deed | None:
    if line.seq is None or line.closed is None or line.who is None or line.who.person is None:
        return None
    return Deed(line.seq, line.closed, line.who.person, line.who.unit or "")


def _answered(
    record: CaseRecord, steps: Steps, roles: Sequence[str], verdict: str
) -> Iterator[Deed]:
    for line in record.responsibility:
        said = line.how == "completed" and line.outcome.get("verdict") == verdict
        if said and any(steps.plays(line.element, role) for role in roles):
            deed = _deed(line)
            if deed:
                yield deed


def _dismissed(record: CaseRecord, steps: Steps) -> Iterator[Deed]:
    """The second look that left it at "no hazard": where it ended so, not where it was undone."""
    confirms = [line for line in record.responsibility if steps.plays(line.element, "confirm")]
    none = confirms and confirms[-1].outcome.get("verdict") == "not_hazard"
    looks = [line for line in record.responsibility if steps.plays(line.element, "second_look")]
    if none and looks and looks[-1].outcome.get("decision") == "agree":
        deed = _deed(looks[-1])
        if deed:
            yield deed


def _pairs(record: CaseRecord, steps: Steps) -> Iterator[Acceptance]:
    done: Deed | None = None
    for line in record.responsibility:
        if line.how != "completed":
            continue
        if steps.plays(line.element, "rectify"):
            done = _deed(line)
        elif steps.plays(line.element, "accept") and line.outcome.get("result") == "pass":
            accepted = _deed(line)
            if done and accepted:
                yield Acceptance(accepted.seq, done, accepted)


def _photos(entries: Sequence[Entry], steps: Steps) -> Iterator[Photo]:
    for entry in entries:
        element = str(entry.data.get("task", "")).partition("#")[0]
        role = next((role for role in ("rectify", "accept") if steps.plays(element, role)), "")
        for item in entry.evidence if role else ():
            device, second = item.get("device"), item.get("taken_at")
            who = str(entry.actor.get("person"))
            taken = (who, str(device), str(second)) if device and second else None
            yield Photo(item["sha256"], entry.seq, role, taken)


def _merge(record: CaseRecord, steps: Steps) -> Merge | None:
    for line in record.responsibility:
        of = line.outcome.get("duplicate_of")
        if of and line.seq and line.closed and steps.plays(line.element, "confirm"):
            return Merge(line.seq, line.closed, str(of))
    return None
