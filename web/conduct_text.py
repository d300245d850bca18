"""What the report on a person or a unit says, in rows and sentences: for its page and its PDF."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from audit.reports.conduct import TYPED, Conduct, Done, Late, conduct_digest
from audit.reports.facts import CaseRecord, Responsibility
from audit.vocabulary import TYPES
from engine.disavowals import DISAVOWED
from web.quantities import ZONE, bare_duration, day, limit, pick, when
from web.sentences import Segment, markup, outcome
from web.wording import PROCESSES, Names, element_name, round_words

# Steps listed one by one; more of them are told in numbers, and stand whole in what is attached.
MOST_LISTED = 400


@dataclass(frozen=True, slots=True)
class Row:
    """One step: the day (only where it changes), time, what, which case, number of the entry."""

    day: str
    time: str
    said: Markup
    case: str
    number: str
    seq: int | None


@dataclass(frozen=True, slots=True)
class LateText:
    """A limit that passed, in sentences; note: the holder's own explanation."""

    step: str
    title: str
    case: str
    number: str
    told: Markup
    note: str
    records: str


class ConductText:
    """The words of one report; every method is one part of it."""

    def __init__(
        self, content: Conduct, records: Mapping[str, CaseRecord], names: Names, locale: str
    ) -> None:
        self.content, self.records, self.names, self.locale = content, records, names, locale
        self.digest = conduct_digest(content)
        self._years = content.since.astimezone(ZONE).year != self._last.astimezone(ZONE).year
        self.of_person = content.subject.kind == "person"

    @property
    def _last(self) -> datetime:
        return self.content.until - timedelta(microseconds=1)

    def say(self, chinese: str, english: str) -> str:
        """The Chinese or the English."""
        return pick((chinese, english), self.locale)

    def when(self, at: datetime) -> str:
        """Date with year, and time."""
        return when(at, self.locale, year=True)

    def _when(self, at: datetime) -> str:
        return when(at, self.locale, year=self._years)

    # --- the cover --------------------------------------------------------------------------

    def heading(self) -> str:
        """What the report is called, where its issuer has not named it."""
        return self.say("履责报告", "Record of duties")

    def subject(self) -> str:
        """Whom it is about."""
        id_ = self.content.subject.id
        return self.names.person(id_, self.locale) if self.of_person else self.names.unit(id_)

    def period(self) -> str:
        """2026年3月1日 至 2026年3月31日; with the hour, where it does not end with a day."""
        first, last = self.content.since, self._last
        told = [day(one, self.locale, year=True) for one in (first, last)]
        if self.content.until.astimezone(ZONE).time() != datetime.min.time():
            told[1] = self.when(self.content.until)
        return self.say(f"{told[0]} 至 {told[1]}", f"{told[0]} to {told[1]}")

    def summary(self) -> str:
        """What it comes to, in numbers; in time first."""
        told, n = self.content, len
        own = self.say("在本人手里", "in their own hands") if self.of_person else self.say(
            "在本单位", "in this unit"
        )  # fmt: skip
        overdue = sum(one.line.timing.state == "overdue" for one in told.open)
        parts = [
            self.say(f"按时办结 {n(told.kept)} 步", f"Done in time: {n(told.kept)} steps"),
            self.say(f"没有时限的 {n(told.untimed)} 步", f"without a limit: {n(told.untimed)}"),
            self.say(
                f"{own}过了时限的 {n(told.late)} 步", f"limits that passed {own}: {n(told.late)}"
            ),
        ]  # fmt: skip
        if told.elsewhere:
            parts.append(self.say(
                f"另有 {n(told.elsewhere)} 步到手时已过时限，不算在内",
                f"not counted: {n(told.elsewhere)} that were late before they came",
            ))  # fmt: skip
        parts.append(self.say(
            f"期末还在手里 {n(told.open)} 步，其中 {overdue} 步已过时限",
            f"still in hand at the end: {n(told.open)}, {overdue} of them past their limit",
        ))  # fmt: skip
        return self.say("；".join(parts) + "。", "; ".join(parts) + ".")

    # --- done -------------------------------------------------------------------------------

    def kept(self) -> Iterator[Row]:
        """Steps done in time."""
        return self._rows(self.content.kept)

    def untimed(self) -> Iterator[Row]:
        """Steps done that had no limit."""
        return self._rows(self.content.untimed)

    def _rows(self, lines: tuple[Done, ...]) -> Iterator[Row]:
        date = ""
        for done in sorted(lines, key=lambda one: (one.line.closed or one.since, one.case)):
            at = done.line.closed or done.since
            today = day(at, self.locale, year=self._years)
            yield Row(
                "" if today == date else today, f"{at.astimezone(ZONE):%H:%M}", self._did(done),
                done.case, self._number(done.case), done.line.seq,
            )  # fmt: skip
            date = today

    def _did(self, done: Done) -> Markup:
        record, line = self.records[done.case], done.line
        told = outcome(record, line, self.names, self.locale) if line.how != "reported" else []
        segments = [
            Segment(self._name(done.case, line) if told else self.step(done.case, line), "verb")
        ]
        if told and told[0].text == segments[0].text:
            told = told[2:]  # it says again which step it was
        if told:
            segments += [Segment(self.say("：", ": ")), *told]
        segments.append(Segment(self.say(f"（{record.title}）", f" ({record.title})")))
        if line.timing.used is not None and line.timing.allowed is not None:
            segments.append(Segment(self._took(line)))
        if line.who and line.who.on_behalf_of:
            absent = self.names.person(line.who.on_behalf_of, self.locale)
            segments.append(Segment(self.say(f"，代{absent}", f", for {absent}")))
        if line.who and line.who.informant:
            typist = self.names.person(line.who.person, self.locale)
            segments.append(Segment(self.say(f"，{typist}代录", f", typed by {typist}")))
            if line.seq in {r.data["entry"] for r in record.timeline if r.type == DISAVOWED}:
                denied = self.say("，本人说不是他说的", ", which they deny having said")
                segments.append(Segment(denied, "late"))
        return markup(segments)

    def _took(self, line: Responsibility) -> str:
        timing = line.timing
        used = bare_duration(timing.used or 0, timing.clock, self.locale)
        given = limit(timing.allowed or 0, timing.clock, self.locale)
        return self.say(f"，用时 {used}，时限 {given}", f", took {used}, limit {given}")

    def _name(self, case: str, line: Responsibility) -> str:
        name = element_name(self.records[case], line.element, self.locale)
        return self.say("上报", "Report") if name == "report" else name

    def step(self, case: str, line: Responsibility) -> str:
        """What a step is called, with its round."""
        name = self._name(case, line)
        turn = round_words(line, self.locale)
        return name + (self.say(f"（{turn}）", f" ({turn.lower()})") if turn else "")

    def _number(self, case: str) -> str:
        return self.records[case].number

    # --- late -------------------------------------------------------------------------------

    def late(self) -> Iterator[LateText]:
        """Limits that passed in the subject's hands, with the holder's own words."""
        return (self._late(one, self._own_story(one)) for one in self.content.late)

    def finished(self) -> Iterator[LateText]:
        """Steps done at last, whose limit had passed before the period."""
        return (self._late(one, self._own_story(one)) for one in self.content.finished)

    def elsewhere(self) -> Iterator[LateText]:
        """Steps that were late before they came."""
        return (self._late(one, self._other_story(one)) for one in self.content.elsewhere)

    def _late(self, one: Late, story: list[Segment]) -> LateText:
        record = self.records[one.case]
        seqs = [one.line.opened_seq, one.seq, *([one.line.seq] if one.line.seq else [])]
        return LateText(
            self.step(one.case, one.line), record.title, one.case, record.number, markup(story),
            one.note or "", self.say("、", ", ").join(f"#{seq}" for seq in seqs),
        )  # fmt: skip

    def _own_story(self, one: Late) -> list[Segment]:
        told = [Segment(self._when(one.since), "num"), Segment(self._came(one))]
        told += [
            Segment(self._when(one.due), "num"),
            Segment(self.say(" 时限到。", " the limit passed. ")),
        ]
        return [*told, *self._end(one)]

    def _came(self, one: Late) -> str:
        if one.holder is None:
            return self.say(" 起等岗位认领，没有人认领；", " on it waited to be claimed; ")
        if self.of_person:
            return self.say(" 到手，", " it came into their hands; ")
        who = self.names.person(one.holder, self.locale)
        return self.say(f" 到{who}手里，", f" it came to {who}; ")

    def _end(self, one: Late) -> list[Segment]:
        line = one.line
        if line.how == "open" or line.closed is None:
            if one.until is None:
                return [Segment(self.say("期末还没有办完。", "Not done by the end."), "late")]
            moved = self.say(" 转到别人手里。", " it went to somebody else.")
            return [Segment(self._when(one.until), "num"), Segment(moved)]
        told = [Segment(self._when(line.closed), "num")]
        if line.how == "cancelled" or one.done_by is None:
            return [
                *told,
                Segment(self.say(" 流程改道，没有办。", " the process took another way.")),
            ]
        other = one.done_by.doer.person != one.holder
        who = self.names.person(one.done_by.doer.person, self.locale) if other else ""
        told.append(Segment(self.say(f" {who}办完", f" done{f' by {who}' if who else ''}")))
        over = bare_duration(line.timing.late, line.timing.clock, self.locale)
        words = self.say(f"，超 {over}", f", {over} over") if line.timing.late else ""
        return [*told, *([Segment(words, "late")] if words else []), Segment(self.say("。", "."))]

    def _other_story(self, one: Late) -> list[Segment]:
        where = (
            self.say("还没有人认领", "nobody had claimed it")
            if one.holder is None
            else self.say(
                f"在{self.names.person(one.holder, self.locale)}手里",
                f"it was in the hands of {self.names.person(one.holder, self.locale)}",
            )
        )
        hands = one.line.hands
        told = [Segment(self._when(one.due), "num")]
        told.append(Segment(self.say(f" 时限到，当时{where}；", f" the limit passed, {where}; ")))
        if hands:
            told += [
                Segment(self._when(hands[-1].since), "num"),
                Segment(self.say(" 到手，", " it came, ")),
            ]
        closed = one.line.closed
        if closed is not None:
            told += [
                Segment(self._when(closed), "num"),
                Segment(self.say(" 办完。", " it was done.")),
            ]
        return told

    # --- in hand, and the rest --------------------------------------------------------------

    def open(self) -> Iterator[Row]:
        """What was in hand at the end."""
        for done in self.content.open:
            timing = done.line.timing
            told = [Segment(self.step(done.case, done.line), "verb")]
            title = self.records[done.case].title
            told.append(Segment(self.say(f"（{title}）", f" ({title})")))
            if timing.due is not None:
                due = self._when(timing.due)
                told.append(Segment(self.say(f"，时限 {due}", f", limit {due}")))
            if timing.state == "overdue":
                told.append(Segment(self.say("，已过时限", ", past its limit"), "late"))
            if timing.state == "paused":
                told.append(Segment(self.say("，计时已暂停", ", its clock is stopped")))
            since = day(done.since, self.locale, year=self._years)
            clock = f"{done.since.astimezone(ZONE):%H:%M}"
            yield Row(since, clock, markup(told), done.case, self._number(done.case), None)

    def acts(self) -> str:
        """What else was done, counted; "" for nothing."""
        told = [
            self.say(f"{words[0]} {n} 次", f"{words[1]}: {n}")
            for name, n in self.content.acts.items()
            for words in [_act_words(name)]
        ]
        return self.say("、", "; ").join(told)

    def lent(self) -> str:
        """That others acted in this person's name; "" if nobody did."""
        n = self.content.lent
        if not n:
            return ""
        return self.say(
            f"另有 {n} 步由代理人代办，算在代理人名下。",
            f"Substitutes did {n} steps in this person's name; they count as theirs.",
        )

    def steps(self) -> Iterator[tuple[str, str, int, int, int]]:
        """By step: process, step, in time, without a limit, late."""
        for one in self.content.steps:
            record = next(r for r in self.records.values() if r.process == one.process)
            process = pick(PROCESSES.get(one.process, (one.process, one.process)), self.locale)
            name = element_name(record, one.element, self.locale)
            yield (
                process,
                self.say("上报", "Report") if name == "report" else name,
                one.kept,
                one.untimed,
                one.late,
            )

    def units(self) -> Iterator[tuple[str, int, int, int, int]]:
        """By unit below, in the order of their names: in time, without limit, late, open late."""
        rows = ((self.names.unit(u.unit), u.kept, u.untimed, u.late, u.open_late)
                for u in self.content.units)  # fmt: skip
        return iter(sorted(rows))

    def cases(self) -> Iterator[str]:
        """The cases it rests on, a line each: number, entries, hash of the last."""
        for ref in self.content.cases:
            yield f"{ref.number}  {ref.count:>4}  {ref.head}"


def _act_words(name: str) -> tuple[str, str]:
    if name == TYPED:
        return "替同事录入", "Typed for a colleague whose act it was"
    return TYPES[name].chinese, TYPES[name].english
