"""What fills the slots of a timeline sentence, one method a slot of web/sentences.toml."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from audit.reports.facts import CaseRecord, TimelineRow
from engine.resident_acts import RATINGS
from web.quantities import days_words, limit, pick, when
from web.signal_rules import signal_rules
from web.wording import (
    ADDRESSES,
    MESSAGES,
    PROCESSES,
    SIGHTS,
    SOURCES,
    Names,
    Segment,
    element_name,
    files,
    first_text,
    full_answers,
    moment,
    person_words,
    quoted,
    round_words,
    spent,
)

# Of what cases tell each other, what is worth a line: the first of these that is there.
TOLD: Final = ("text", "reason", "decision", "summary", "question", "title", "why")


@dataclass(frozen=True, slots=True)
class Slots:
    """What fills the slots of one entry's sentence."""

    record: CaseRecord
    row: TimelineRow
    names: Names
    locale: str
    known: Collection[str]

    def fill(self, name: str) -> list[Segment]:
        """What a slot of this name says; an empty list if there is nothing to say."""
        value = getattr(self, f"_{name}")()
        if isinstance(value, list):
            return value
        return [Segment(value)] if value else []

    def _word(self, zh: str, en: str) -> str:
        return pick((zh, en), self.locale)

    def _quote(self, name: str) -> list[Segment]:
        return quoted(self.row.data.get(name))

    # who and what

    def _who(self) -> list[Segment]:
        source = self.record.source if self.row.type == "case.opened" else ""
        person, where = person_words(self.row.actor, self.names, self.locale, source=source)
        known = self.row.actor.person in self.known and not self.row.actor.informant
        if not where or known:
            return [Segment(person, "who")]
        return [Segment(self._word(f"{person}（{where}）", f"{person} ({where})"), "who")]

    def _to(self) -> str:
        return self.names.person(self.row.data["to"], self.locale)

    def _holder(self) -> str:
        row = self.row
        if row.holder:
            return self.names.person(row.holder, self.locale)
        return self.names.unit(row.units[-1]) if row.units else ""

    def _unit(self) -> str:
        return self.names.unit(self.row.data.get("unit"))

    def _step(self) -> str:
        name = element_name(self.record, self.row.element, self.locale)
        turn = round_words(self.row, self.locale)
        if self.locale == "zh":
            return f"“{name}”" + (f"（{turn}）" if turn else "")
        return f"“{name}”" + (f" ({turn.lower()})" if turn else "")

    def _verb(self) -> str:
        facts = self.record.elements.get(self.row.element or "")
        if facts is None:
            return self.row.element or ""
        return self._word(facts.verb or facts.name, facts.verb_en or facts.name_en or facts.verb)

    def _round(self) -> str:
        return round_words(self.row, self.locale)

    def _type(self) -> str:
        return self.row.type

    # what was said

    def _told(self) -> list[Segment]:
        facts = self.record.elements.get("report")
        text = first_text(facts, self.row.data.get("form", {})) or self.row.data["title"]
        return quoted(text)

    def _did(self) -> list[Segment]:
        # A turn asks a form of its own: the message's, not that of the step it ends.
        asked = str(self.row.data.get("message", "")).partition("#")[0] or self.row.element or ""
        facts = self.record.elements.get(asked)
        form = self.row.data.get("form", {})
        return full_answers(facts, form, self.names, self.locale)

    def _reason(self) -> list[Segment]:
        return self._quote("reason")

    def _interim(self) -> list[Segment]:
        return self._quote("interim")

    def _text(self) -> list[Segment]:
        return self._quote("text")

    def _note(self) -> list[Segment]:
        return self._quote("note")

    def _purpose(self) -> list[Segment]:
        return self._quote("purpose")

    def _basis(self) -> list[Segment]:
        return self._quote("legal_basis")

    def _party(self) -> list[Segment]:
        return quoted(self._asked("counterparty"))

    def _source(self) -> str:
        return pick(SOURCES.get(self.record.source, ("", "")), self.locale)

    def _spoken(self) -> str:
        if self.row.actor.informant:
            return ""  # who it was stands before it
        told = str(self.row.data.get("spoken_by", ""))
        facts = self.record.elements.get("report")
        field = facts.fields.get("spoken_by") if facts else None
        return pick(field.choices.get(told, (told, told)), self.locale) if field else told

    def _receipt(self) -> list[Segment]:
        return [Segment(self.row.data["receipt"], "num")]

    def _similar(self) -> str:
        count = len((self.row.refers or {}).get("similar", ()))
        return str(count or "")

    def _rating(self) -> str:
        return pick(RATINGS[self.row.data["answer"]], self.locale)

    def _words(self) -> list[Segment]:
        return self._quote("words")

    def _pages(self) -> str:
        return str(self.row.data["pages"])

    def _entry(self) -> list[Segment]:
        return [Segment(f"#{self.row.data['entry']}", "num")]

    def _rule(self) -> str:
        """B6 倒填时间; a rule that is no more is told by its id."""
        rule = signal_rules().rules.get(self.row.data["rule"])
        return f"{rule.id} {self._word(rule.name, rule.name_en)}" if rule else self.row.data["rule"]

    def _ref(self) -> str:
        return str(self.row.data.get("request") or self.row.data.get("order"))

    def _asked(self, name: str) -> Any:
        return self.row.data.get(name) or (self.row.refers or {}).get(name)

    def _seen(self) -> str:
        what = str(self.row.data["what"])
        return pick(SIGHTS.get(what, (what, what)), self.locale)

    # other cases

    def _message(self) -> str:
        told = MESSAGES.get(self.row.data["message"])
        return pick(told, self.locale) if told else str(self.row.data["message"])

    def _address(self) -> str:
        kind, _, which = str(self.row.data["to"]).partition(":")
        told = pick(ADDRESSES.get(kind, (kind, kind)), self.locale)
        process = PROCESSES.get(which)
        return f"{told}“{pick(process, self.locale)}”" if process else told

    def _partyname(self) -> str:
        party = str(self.row.data.get("party", ""))
        known = self.names.unit(party)
        return known if known != party else self.names.person(party, self.locale)

    def _origin(self) -> list[Segment]:
        case = (self.row.data.get("origin") or {}).get("case")
        return self.names.case(case, self.locale) if case else []

    def _othercase(self) -> list[Segment]:
        return self.names.case(self.row.data["case"], self.locale)

    def _other(self) -> list[Segment]:
        case = self.names.sent.get(self.row.seq)
        return self.names.case(case, self.locale) if case else []

    def _count(self) -> str:
        return str(self.row.data["count"])

    def _child(self) -> str:
        return str(self.row.data.get("child", ""))

    def _told_form(self) -> list[Segment]:
        form = self.row.data.get("form", {})
        if isinstance(form.get("person"), str):
            return [Segment(self.names.person(form["person"], self.locale))]
        text = next((form[name] for name in TOLD if isinstance(form.get(name), str)), "")
        return quoted(text)

    def _body(self) -> list[Segment]:
        return self._quote("body")

    # times

    def _spent(self) -> list[Segment]:
        timing = self.row.timing
        if timing is None or timing.used is None:
            return []
        return spent(timing, self.locale)

    def _allowed(self) -> str:
        timing = self.row.timing
        minutes = self.row.data.get("allowed") or (timing.allowed if timing else None)
        clock = self.row.data.get("clock") or (timing.clock if timing else None)
        return limit(minutes, clock, self.locale) if minutes else ""

    def _days(self) -> str:
        clock = self.row.timing.clock if self.row.timing else None
        return days_words(self._asked("days") or 0, clock, self.locale)

    def _percent(self) -> str:
        return str(self.row.data["percent"])

    def _due(self) -> list[Segment]:
        return moment(self.row.data["due"], self.locale)

    def _was(self) -> list[Segment]:
        return moment((self.row.refers or {}).get("due"), self.locale)

    def _until(self) -> list[Segment]:
        return moment(self._asked("resume_by"), self.locale)

    def _claimed(self) -> list[Segment]:
        claimed = self.row.claimed_at
        return [Segment(when(claimed, self.locale), "num")] if claimed else []

    def _calendar(self) -> str:
        version = self.row.data["calendar"]["version"]
        return self._word(f"工作日历第 {version} 版", f"working calendar version {version}")

    def _unpublished(self) -> str:
        if not self.row.data.get("unpublished"):
            return ""
        return self._word("其中有尚未公布的日历", "partly on a calendar not published yet")

    def _files(self) -> str:
        return files(self.row.evidence, self.locale)

    # the process

    def _opened(self) -> str:
        opened = [self._opened_step(step) for step in self.row.data.get("opened", ())]
        opened += [
            f"“{element_name(self.record, end, self.locale)}”"
            for end in self.row.data.get("ends", ())
        ]
        if "ended" in self.row.data:
            opened.append(self._word("结束", "the end"))
        return self._word("、", ", ").join(opened)

    def _opened_step(self, step: Mapping[str, Any]) -> str:
        name = element_name(self.record, step["element"], self.locale)
        holder = step.get("holder")
        # Nobody in particular: the widest of the units whose posts may do it.
        who = (
            self.names.person(holder, self.locale) if holder else self.names.unit(step["units"][-1])
        )
        return self._word(f"“{name}”（{who}）", f"“{name}” ({who})")
