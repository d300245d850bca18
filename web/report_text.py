"""What each part of the case report says, as rows and sentences ready to be laid out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from markupsafe import Markup

from audit.reports.facts import (
    Actor,
    CaseRecord,
    ClockHistory,
    DeadlineSet,
    Missed,
    Responsibility,
    TimelineRow,
    Waiting,
)
from web.hold_chart import hold_chart
from web.quantities import ZONE, bare_duration, day, days_words, limit, pick, time_of_day, when
from web.sentences import Result, Segment, markup, outcome, result, timeline_sentence
from web.wording import (
    HIDDEN,
    NOUNS,
    PROCESSES,
    PURPOSES,
    SOURCES,
    Names,
    category_words,
    duty_mark,
    duty_name,
    element_name,
    joined,
    level_words,
    over,
    person_words,
    quoted,
    round_words,
    spent,
)

NUMERALS: Final = "一二三四五六七八九十"
# What may have happened to a case beside its steps, in the order in which it is told.
TURNS: Final = (
    ("task.returned", "退回", "sent back"),
    ("task.withdrawn", "撤回", "taken back"),
    ("objection.raised", "异议", "objections"),
    ("task.reassigned", "改派", "reassigned"),
    ("task.delegated", "转交", "handed over"),
    ("extension.granted", "延期", "extensions"),
    ("pause.granted", "暂停计时", "pauses"),
    ("standing.listed", "挂账", "on the standing list"),
    ("case.urged", "催办", "urged"),
    ("case.supervised", "督办", "orders"),
    ("case.reopened", "重开", "reopened"),
    ("result.disputed", "上报人不认可", "disputed"),
)


@dataclass(frozen=True, slots=True)
class TableRow:
    """One line of the responsibility table; mark and name are empty when they repeat."""

    mark: str
    name: str
    who: str
    where: str
    did: Markup
    used: str
    starred: bool
    limit: str
    result: Result


@dataclass(frozen=True, slots=True)
class TimelineLine:
    """An act with the facts that followed from it: time (date only where it changes), numbers."""

    date: str
    time: str
    text: Markup
    numbers: str
    kind: str


@dataclass(frozen=True, slots=True)
class MissedText:
    """One missed limit, its parts as sentences; note: the person's own explanation."""

    step: str
    who: str
    told: Markup
    note: str
    note_seq: int | None
    after: str
    records: str


class ReportText:
    """The words of one report; every method is one part of it."""

    def __init__(self, record: CaseRecord, names: Names, locale: str) -> None:
        self.record, self.names, self.locale = record, names, locale
        years = {at.astimezone(ZONE).year for at in (record.opened, record.last)}
        self._years = len(years) > 1

    def say(self, chinese: str, english: str) -> str:
        return pick((chinese, english), self.locale)

    def numeral(self, n: int) -> str:
        """The number of a section: 一, 二 …; 1, 2 …"""
        return self.say(NUMERALS[n - 1], str(n))

    def when(self, at: datetime) -> str:
        """Date with year, and time."""
        return when(at, self.locale, year=True)

    def _when(self, at: datetime) -> str:
        return when(at, self.locale, year=self._years)

    def person(self, actor: Actor | None) -> str:
        """A name with unit and post in brackets."""
        if actor is None:
            return ""
        name, where = person_words(actor, self.names, self.locale)
        return self.say(f"{name}（{where}）", f"{name} ({where})") if where else name

    def heading(self) -> str:
        """What the report is called, where its issuer has not named it."""
        if self.record.process == "hazard":
            return self.say("隐患处置责任报告", "Accountability report")
        kind = pick(PROCESSES.get(self.record.process, ("", "")), self.locale)
        return self.say(f"{kind}责任报告", f"Accountability report: {kind}".rstrip(": "))

    @property
    def of_five(self) -> bool:
        """Whether the process has the five duties, so that something can be said of them."""
        return any(facts.duty5 for facts in self.record.elements.values())

    # --- the cover --------------------------------------------------------------------------

    def facts(self) -> Iterator[tuple[str, str]]:
        record, locale = self.record, self.locale
        kinds = (level_words(record, locale), category_words(record, locale))
        name = self.say("级别", "Level") if kinds[0] else self.say("类别", "Kind")
        yield name, self.say("　", ", ").join(filter(None, kinds))
        units = "·".join([self.names.unit(unit) for unit in reversed(record.path)][-3:])
        where = self.say(f"{record.address}（{units}）", f"{record.address} ({units})")
        yield self.say("地点", "Place"), where
        start = when(record.opened, locale, year=True)
        end = when(record.ended_at, locale, year=True) if record.ended_at else ""
        open_ = self.say(f"{start}，未结束", f"{start}, not ended")
        span = self.say(f"{start} 至 {end}", f"{start} to {end}") if end else open_
        yield self.say("起止", "From, to"), span
        yield self.say("现状", "Now"), self.status()

    def status(self) -> str:
        """Where the case stands as of its last entry."""
        record, locale = self.record, self.locale
        if record.ended:
            name = element_name(record, record.ended, locale)
            return self.say(f"已结束：{name}", f"Ended: {name}")
        told = [self._held(line) for line in record.now]
        rests = map(self._rests, record.waiting)
        return self.say("；", "; ").join(told or rests) or self.say("等待中", "waiting")

    def _rests(self, rest: Waiting) -> str:
        name, due = (
            element_name(self.record, rest.element, self.locale),
            when(rest.due, self.locale),
        )
        return self.say(
            f"没有待办的步骤，等“{name}”到期（{due}）",
            f"no step is open; “{name}” runs until {due}",
        )

    def _held(self, line: Responsibility) -> str:
        name = element_name(self.record, line.element, self.locale)
        turn = round_words(line, self.locale)
        who = (
            self.names.person(line.who.doer.person) if line.who else self.names.unit(line.units[-1])
        )
        return self.say(
            f"正在{name}{f'（{turn}）' if turn else ''}，在{who}手里",
            f"{name}{f' ({turn.lower()})' if turn else ''}, in the hands of {who}",
        )

    def summary(self) -> Markup:
        lines = len(self.record.responsibility)
        begin = self.say(
            f"这件事共 {self.record.count} 条记录。责任表 {lines} 步：",
            f"This case has {self.record.count} entries and {lines} steps: ",
        )
        told = joined(list(self._counts()), self.say("，", ", "))
        end = self.say("。", ". ") + self._risk()
        return markup([Segment(begin), *told, Segment(end)])

    def _counts(self) -> Iterator[Segment]:
        """Every line of the table is in exactly one of these."""
        lines = self.record.responsibility
        late = [line for line in lines if line.was_late]
        kept_ = {(line.task, line.seq) for line in self.record.kept}
        rest = [line for line in lines if not line.was_late and (line.task, line.seq) not in kept_]
        open_ = sum(1 for line in rest if line.how == "open")
        free = sum(1 for line in rest if line.how != "open" and line.timing.state == "none")
        other = len(rest) - open_ - free
        if kept := len(self.record.kept):
            yield Segment(self.say(f"{kept} 步按时", f"{kept} in time"), "verb")
        if late:
            yield Segment(self._late_words(late), "verb")
        if open_:
            yield Segment(self.say(f"{open_} 步还在办", f"{open_} still in hand"))
        if other:
            yield Segment(
                self.say(
                    f"{other} 步退回、撤回或取消", f"{other} sent back, withdrawn or cancelled"
                )
            )
        if free:
            yield Segment(self.say(f"{free} 步没有时限", f"{free} without a limit"))

    def _late_words(self, late: Sequence[Responsibility]) -> str:
        minutes = sum(line.timing.late for line in late)
        if len(late) == 1 and minutes:
            much = bare_duration(minutes, late[0].timing.clock, self.locale)
            return self.say(f"1 步逾期 {much}", f"1 late by {much}")
        return self.say(f"{len(late)} 步逾期", f"{len(late)} late")

    def _risk(self) -> str:
        if not self.of_five:
            return ""
        risk = self.record.risk
        if risk.minutes is None:
            return self.say("还没有验收通过。", "Not accepted yet.")
        much = bare_duration(risk.minutes, None, self.locale)
        return self.say(
            f"从第一次上报到验收通过，共 {much}。", f"From the first report to acceptance: {much}."
        )

    # --- the responsibility table -----------------------------------------------------------

    def table(self) -> Iterator[TableRow]:
        before, who_before = "", ""
        for line in self.record.responsibility:
            name = duty_name(self.record, line, self.locale)
            who, where = self._who(line)
            same = name == before and (who + where) == who_before
            yield TableRow(
                "" if name == before else duty_mark(self.record, line),
                "" if name == before else name,
                "" if same else who,
                "" if same else where,
                markup(self._did(line)),
                self._used(line),
                line.timing.clock == "working" and line.timing.used is not None,
                self._limit(line),
                result(line, self.locale),
            )
            before, who_before = name, who + where

    def _who(self, line: Responsibility) -> tuple[str, str]:
        if line.who is None:
            return "—", self.names.unit(line.units[-1])
        source = self.record.source if line.how == "reported" else ""
        return person_words(line.who, self.names, self.locale, source=source)

    def _did(self, line: Responsibility) -> list[Segment]:
        told = outcome(self.record, line, self.names, self.locale)
        if line.how == "open":
            return told or [Segment(element_name(self.record, line.element, self.locale))]
        return told

    def _used(self, line: Responsibility) -> str:
        timing = line.timing
        return "—" if timing.used is None else bare_duration(timing.used, timing.clock, self.locale)

    def _limit(self, line: Responsibility) -> str:
        timing = line.timing
        return "—" if timing.allowed is None else limit(timing.allowed, timing.clock, self.locale)

    def separation(self) -> str:
        """Whether different people did the five duties: a fact, with names where they did not."""
        if not self.of_five:
            return ""
        found = self.record.separation
        told = [
            self.say(
                f"{NOUNS[one][0]}和{NOUNS[other][0]}由同一人（{self.names.person(person)}）承担",
                f"{NOUNS[one][1]} and {NOUNS[other][1]} were done by one person "
                f"({self.names.person(person)})",
            )
            for one, other, person in found.same_person
        ]
        told += [
            self.say(f"整改和验收都有{name}的人", f"{name} both rectified and accepted")
            for name in map(self.names.unit, found.same_unit)
        ]
        if not told and found.persons > 1:
            told.append(
                self.say(
                    f"已办的职责由 {found.persons} 个人承担，没有人兼两项",
                    f"{found.persons} people did the duties so far, nobody two of them",
                )
            )
        if not found.same_unit and {"rectify", "accept"} <= self._duties_done():
            told.append(
                self.say("整改和验收不在同一单位", "rectifying and accepting lay with two units")
            )
        return self.say("；", "; ").join(told) + (self.say("。", ".") if told else "")

    def _duties_done(self) -> set[str | None]:
        return {line.duty5 for line in self.record.responsibility if line.how == "completed"}

    # --- both halves ------------------------------------------------------------------------

    def kept(self) -> Iterator[tuple[str, Markup, int]]:
        for line in self.record.kept:
            assert line.closed  # noqa: S101 - what was kept is closed
            assert line.seq  # noqa: S101 - by an entry
            told = [
                Segment(self._when(line.closed), "num"),
                Segment(" "),
                Segment(self._verb(line)),
                Segment(self.say("，", ", ")),
                *spent(line.timing, self.locale),
                Segment(self.say("。", ".")),
            ]
            yield self._who(line)[0], markup(told), line.seq

    def _verb(self, line: Responsibility) -> str:
        name = element_name(self.record, line.element, self.locale)
        turn = round_words(line, self.locale)
        return name + (self.say(f"（{turn}）", f" ({turn.lower()})") if turn else "")

    def missed(self) -> Iterator[MissedText]:
        for missed in self.record.missed:
            line = missed.row
            records = [f"#{seq}" for seq in missed.records]
            yield MissedText(
                self._verb(line),
                self.person(line.who) or self.names.unit(line.units[-1]),
                markup(self._late_story(missed)),
                line.note or "" if line.seq else "",
                line.seq,
                self._after(line),
                self.say("、", ", ").join(records),
            )

    def _late_story(self, missed: Missed) -> Iterator[Segment]:
        line, clock = missed.row, missed.clock
        first, last = clock.settings[0], clock.settings[-1]
        given = limit(first.allowed, first.clock, self.locale)
        yield Segment(self._when(line.opened), "num")
        yield Segment(self.say(f" 交到手里，时限 {given}，", f" handed over, limit {given}, "))
        yield Segment(self._soon(first, line), "num")
        yield Segment(self.say(" 到时。", " at the latest. "))
        if last.due != first.due:
            yield Segment(self._when(last.due), "num")
            yield Segment(self.say(" 为变更后的最后时限。", " was the last lawful limit. "))
        if line.closed is None:
            yield Segment(self.say("到现在还没有办完。", "It is not done yet. "), "late")
        else:
            yield from self._late_end(line)
        yield Segment(self._changes(clock))

    def _soon(self, first: DeadlineSet, line: Responsibility) -> str:
        same = day(first.due, "zh", year=True) == day(line.opened, "zh", year=True)
        return time_of_day(first.due) if same else self._when(first.due)

    def _late_end(self, line: Responsibility) -> Iterator[Segment]:
        assert line.closed is not None  # noqa: S101 - the caller has asked
        yield Segment(self._when(line.closed), "num")
        if line.how == "cancelled":
            yield Segment(self.say(" 流程改道，没有办。", " the process took another way. "))
            return
        timing = line.timing
        used = bare_duration(timing.used or 0, timing.clock, self.locale)
        mark = self.say("（工作时）", " (working time)") if timing.clock == "working" else ""
        yield Segment(self.say(f" 办完，用时 {used}{mark}，", f" done, took {used}{mark}, "))
        late = over(timing, self.locale) if timing.late else self.say("曾逾期", "was overdue")
        yield Segment(late, "late")
        yield Segment(self.say("。", ". "))

    def _changes(self, clock: ClockHistory) -> str:
        granted = sum(1 for e in clock.extensions if e.decided and e.decided.outcome == "granted")
        paused = sum(1 for p in clock.pauses if p.decided and p.decided.outcome == "granted")
        if not granted and not paused:
            return self.say("没有延期，没有暂停。", "No extension, no pause.")
        return self.say(
            f"延期 {granted} 次，暂停 {paused} 次。", f"Extensions: {granted}, pauses: {paused}."
        )

    def _after(self, line: Responsibility) -> str:
        """What the same person did in time afterwards: the record clears people too."""
        later = [
            kept
            for kept in self.record.kept
            if kept.who and line.who and kept.who.doer.person == line.who.doer.person
            if (kept.seq or 0) > (line.seq or 0)
        ]
        if not later or line.seq is None:
            return ""
        return self.say(
            f"之后同一人办的 {len(later)} 步都按时。",
            f"The {len(later)} steps the same person did afterwards were in time.",
        )

    def turns(self) -> str:
        """What happened beside the steps, and what did not."""
        counts = [(self.record.tally[key], zh, en) for key, zh, en in TURNS]
        counts.append((self.record.tally["substitute"], "代办", "acts for an absent person"))
        some = [self.say(f"{zh} {n} 次", f"{en}: {n}") for n, zh, en in counts if n]
        none = [self.say(zh, en) for n, zh, en in counts if not n]
        told = []
        if some:
            told.append(self.say("有", "There were: ") + self.say("，", ", ").join(some))
        if none:
            told.append(self.say("没有", "None: ") + self.say("、", ", ").join(none))
        return self.say("；", "; ").join(told) + self.say("。", ".")

    def claimed(self) -> str:
        n = self.record.tally["claimed_earlier"]
        return self.say(
            f"有 {n} 条记录写明事情发生在记录之前，时间见“经过”。" if n else "",
            f"Entries about something said to have happened earlier: {n}." if n else "",
        )

    def orders(self) -> Iterator[tuple[Markup, int]]:
        for order in self.record.orders:
            told = [
                Segment(self._when(order.at), "num"),
                Segment(
                    self.say(f" {self.person(order.who)}督办：", f" {self.person(order.who)}: ")
                ),
                *quoted(order.text),
            ]
            if order.legal_basis:
                told.append(Segment(self.say("，依据：", ", on the basis of ")))
                told += quoted(order.legal_basis)
            told.append(Segment(self.say("。", ". ")))
            if order.answer:
                who = self.names.person(order.answer.who.person)
                told.append(Segment(self._when(order.answer.at), "num"))
                told.append(Segment(self.say(f" {who}答复：", f" {who} answered: ")))
                told += quoted(order.answer.text)
                told.append(Segment(f"（#{order.answer.seq}）" if self.locale == "zh" else ""))
            else:
                told.append(Segment(self.say("还没有答复。", "Not answered yet.")))
            yield markup(told), order.seq

    # --- deadlines that were changed --------------------------------------------------------

    def changes(self) -> Iterator[dict[str, Any]]:
        for clock in self.record.clocks:
            if len(clock.settings) > 1:
                yield self._change(clock)

    def _change(self, clock: ClockHistory) -> dict[str, Any]:
        first, last = clock.settings[0], clock.settings[-1]
        name = element_name(self.record, clock.element, self.locale)
        lines = [line for line in self.record.responsibility if line.task == clock.task]
        turn = round_words(lines[0], self.locale) if lines else ""
        return {
            "step": " ".join(filter(None, (name, turn))),
            "was": self._when(first.due),
            "now": self._when(last.due),
            "why": [*map(self._extended, clock.extensions), *map(self._paused, clock.pauses)]
            + [self._ordered(one) for one in clock.settings if one.why in _OTHER],
        }

    def _decision(self, decided: Any) -> str:
        if decided is None:
            return self.say("，还没有审批。", ", not decided yet.")
        words = {"granted": ("同意", "granted"), "refused": ("不同意", "refused")}
        verb = pick(words[decided.outcome], self.locale)
        who, at = self.person(decided.who), self._when(decided.at)
        return self.say(
            f"；{at} {who}{verb}：“{_bare(decided.reason)}”（#{decided.seq}）。",
            f"; {verb} by {who}, {at}: “{_bare(decided.reason)}” (#{decided.seq}).",
        )

    def _extended(self, asked: Any) -> str:
        who, at = self.names.person(asked.who.person), self._when(asked.at)
        clock = next(c for c in self.record.clocks if asked in c.extensions)
        days = days_words(asked.days, clock.settings[0].clock, self.locale)
        return self.say(
            f"延期：{at} {who}申请 {days}，“{_bare(asked.reason)}”，"
            f"期间措施“{_bare(asked.interim)}”（#{asked.seq}）",
            f"Extension: {who} asked for {days}, {at}: “{_bare(asked.reason)}”; meanwhile: "
            f"“{_bare(asked.interim)}” (#{asked.seq})",
        ) + self._decision(asked.decided)

    def _paused(self, asked: Any) -> str:
        who, at = self.names.person(asked.who.person), self._when(asked.at)
        told = self.say(
            f"暂停：{at} {who}申请，等{asked.counterparty}，“{_bare(asked.reason)}”，"
            f"凭据 {asked.evidence} 份（#{asked.seq}）",
            f"Pause: {who} asked, {at}, waiting for {asked.counterparty}: “{_bare(asked.reason)}”, "
            f"files: {asked.evidence} (#{asked.seq})",
        ) + self._decision(asked.decided)
        if asked.resumed_at is None:
            return told
        by = self.names.person(asked.resumed_by.person) if asked.resumed_by else ""
        by = by or self.say("到期自动", "its date")
        at = self._when(asked.resumed_at)
        return told + self.say(
            f"{at} {by}恢复计时（#{asked.resumed_seq}）。",
            f" Ran on from {at} by {by} (#{asked.resumed_seq}).",
        )

    def _ordered(self, setting: DeadlineSet) -> str:
        words = pick(_OTHER[setting.why], self.locale)
        who = self.names.person(setting.approver, self.locale)
        return self.say(
            f"{words}：{self._when(setting.at)} {who}改定（#{setting.seq}）。",
            f"{words}: set anew by {who}, {self._when(setting.at)} (#{setting.seq}).",
        )

    # --- related cases ----------------------------------------------------------------------

    def related(self) -> Iterator[tuple[Markup, str]]:
        """The case this one came from and those it opened, in words, with the entries that say so.

        Only what stands in this record: how the others went is in theirs.
        """
        origin = self.record.timeline[0].data.get("origin")
        if origin:
            told = self.names.case(origin["case"], self.locale) if "case" in origin else []
            told = told or [Segment(pick(HIDDEN, self.locale))]
            yield markup([Segment(self.say("由 ", "Opened out of ")), *told,
                          Segment(self.say(" 立案。", "."))]), "#1"  # fmt: skip
        for row in self.record.timeline:
            if row.type == "message.sent" and row.data["to"].startswith("opens:"):
                yield self._opened(row)

    def _opened(self, row: TimelineRow) -> tuple[Markup, str]:
        kind = pick(PROCESSES.get(row.data["to"][6:], ("", "")), self.locale)
        party = row.data.get("party")
        name = (self.names.units.get(party) or self.names.person(party)) if party else ""
        told = [Segment(self.say(f"立了“{kind}”", f"Opened “{kind}”"))]
        told += [Segment(self.say(f"（{name}）", f" ({name})"))] if name else []
        case = self.names.sent.get(row.seq)
        told += [Segment(" "), *self.names.case(case, self.locale)] if case else []
        back = next((one for one in self.record.timeline if _ends(one, row.seq)), None)
        ended = (
            self.say(f"，{self._when(back.at)} 了结", f", ended {self._when(back.at)}")
            if back
            else ""
        )
        told.append(
            Segment(
                (ended or self.say("，到本记录为止没有了结", ", not ended so far"))
                + self.say("。", ".")
            )
        )
        return markup(told), f"#{row.seq}" + (f"、#{back.seq}" if back else "")

    # --- the account ------------------------------------------------------------------------

    def chart(self) -> Markup:
        return hold_chart(self.record, self.names, self.locale)

    def timeline(self) -> Iterator[TimelineLine]:
        date, year, known = "", 0, dict[str, tuple[str | None, ...]]()
        for rows in folded(self.record.timeline):
            lead = next(row for row in rows if row.type != "task.claimed" or row is rows[-1])
            told = self._account(rows, lead, known)
            this_year = lead.at.astimezone(ZONE).year
            today = day(lead.at, self.locale, year=self._years and this_year != year)
            numbers = f"#{rows[0].seq}" + (f"–{rows[-1].seq}" if len(rows) > 1 else "")
            yield TimelineLine(
                "" if day(lead.at, self.locale) == date else today,
                time_of_day(lead.at),
                told,
                numbers,
                lead.kind,
            )
            date, year = day(lead.at, self.locale), this_year

    def _account(
        self,
        rows: Sequence[TimelineRow],
        lead: TimelineRow,
        known: dict[str, tuple[str | None, ...]],
    ) -> Markup:
        actor = lead.actor.doer
        standing = (actor.unit, actor.post, actor.on_behalf_of)
        met = {actor.person} if actor.person and known.get(actor.person) == standing else set()
        if actor.person:
            known[actor.person] = standing
        told = timeline_sentence(self.record, lead, self.names, self.locale, known=met)
        for row in rows:
            if row is not lead and ("predecessor" in row.data):
                told += timeline_sentence(self.record, row, self.names, self.locale)
            if row.type == "receipt.issued":
                told.append(Segment(self.say("系统出具回执。", " A receipt was issued.")))
        return markup(told)

    def evidence(self) -> Iterator[str]:
        """The files, a line each: number and hash in columns, what follows them in words."""
        yield _file("#", "SHA-256", self.say("用途　文件　谁提交", "Shows, file, given by"))
        gap = self.say("　", ", ")
        for item in self.record.evidence:
            photo = item.media.startswith("image/")
            name = pick(PURPOSES.get(item.purpose, (item.purpose, item.purpose)), self.locale)
            kind = self.say("照片" if photo else "文件", "photo" if photo else "file")
            given = (
                f"{self.names.person(item.who.person, self.locale)} {when(item.at, self.locale)}"
            )
            told = gap.join((name, f"{kind} {_size(item.bytes)}", given))
            yield _file(f"#{item.seq}", item.sha256, told)

    def source(self) -> str:
        return pick(SOURCES.get(self.record.source, ("", "")), self.locale)


_OTHER: Final = {"supervised": ("督办", "Order"), "standing": ("挂账", "Standing list")}


def folded(rows: Sequence[TimelineRow]) -> list[list[TimelineRow]]:
    """The entries in groups: each act or alarm with the facts that followed from it.

    A step that is claimed by being done makes one group with its completion.
    """
    groups: list[list[TimelineRow]] = []
    for row in rows:
        last = groups[-1] if groups else []
        claimed = bool(last) and last[-1].type == "task.claimed" and last[-1].task == row.task
        if last and (row.cause is not None or (claimed and row.at == last[-1].at)):
            last.append(row)
        else:
            groups.append([row])
    return groups


def _ends(row: TimelineRow, child: int) -> bool:
    """Whether an entry says that the case opened by this message has ended."""
    told = row.data
    ended = row.type == "message.received" and told["message"] == "case.ended"
    return ended and told.get("child") == child


def _file(number: str, sha256: str, told: str) -> str:
    return f"{number:<6}{sha256:<65}{told}"


def _bare(text: str) -> str:
    return text.strip().rstrip("。.")


def _size(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB" if size >= 1_000_000 else f"{max(1, round(size / 1000))} kB"
