"""What the risk report says, in rows and sentences: how long it was known, and in whose hands."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from audit.reports.facts import Actor, CaseRecord
from audit.reports.risk import ATTACHMENT, RISK_VERSION, risk_data
from audit.reports.risk_facts import Holding, Mark, Risk, Share
from web.quantities import bare_duration, pick, when
from web.sentences import plain, spent, timeline_sentence
from web.told_report import Cell, Section, ToldReport, cells, entry, stamp
from web.wording import Names, category_words, element_name, person_words, round_words

_STANDING: Final = {
    "held": ("有步骤在办", "a step was in hand"),
    "resting": ("有案件没有待办步骤", "a case was open, no step"),
    "dismissed": ("没有案件在办（说不是隐患、并案之后）", "no case open, said none or merged"),
    "accepted": ("验收后，没有再报", "accepted, not reported again"),
}  # fmt: skip
_KINDS: Final = (
    ("said", ("说过不是隐患、并案、复看", "Said: no hazard, merged, second looks")),
    ("again", ("重开、不认可", "Reopened, disputed")),
    ("moved", ("退回、异议、改派、转交", "Sent back, objected, handed on")),
    ("limit", ("暂停、延期、挂账、督办、催办", "Paused, extended, listed, ordered, urged")),
)


class RiskText:
    """The words of one risk report."""

    def __init__(
        self, content: Risk, records: Mapping[str, CaseRecord], names: Names, locale: str
    ) -> None:
        self.content, self.records, self.names, self.locale = content, records, names, locale

    def told(self) -> ToldReport:
        """The whole report."""
        content, tell = self.content, self.say
        first = self.records[content.first.case]
        place = content.place
        where = f"{place.address}（{self.names.unit(place.unit)}）" if place.address else (
            self.names.unit(place.unit)
        )  # fmt: skip
        return ToldReport(
            locale=self.locale,
            heading=tell("风险报告", "Risk report"),
            subject=f"{place.address or self.names.unit(place.unit)}　"
            f"{category_words(first, self.locale)}",
            log=content.log,
            facts=(
                (tell("地点", "Place"), where),
                (tell("类别", "Kind"), category_words(first, self.locale)),
                (tell("首次知道", "First known"), self._first()),
                (tell("到", "Until"), self._end()),
                (tell("一共", "In all"), self.long(content.minutes)),
                (tell("案件", "Cases"), self._cases()),
            ),
            parameters=(
                (tell("从哪件案件查的", "asked from case"), place.case),
                (tell("算到", "as of"), self.when(content.until)),
                (
                    tell("同一处", "the same place"),
                    f"{place.unit}　{place.category}　{place.address}",
                ),
            ),
            formulas=((tell("算法版本", "version"), f"audit.reports.risk {RISK_VERSION}"),),
            summary=tuple(self._summary()),
            sections=tuple(self._sections()),
            cases=tuple(f"{r.number}  {r.count:>4}  {r.head}" for r in content.cases),
            steps=(
                tell(
                    "取得各案的证据文件，用 verify.html 或 python -m audit 核对，"
                    "看第“条数”条的哈希是不是上面列的。",
                    "Get the evidence file of each case, check it by verify.html or "
                    "python -m audit, and see that the entry of that number has the hash listed.",
                ),
                tell(
                    "有了这些记录，谁都可以按公开的算法（audit.reports.risk）重算出同一内容摘要。",
                    "With those entries anybody can compute the same content digest by the "
                    "published rule (audit.reports.risk).",
                ),
            ),
            proves=(
                tell(
                    "报告写的，由所列记录算得出来。",
                    "What it says follows from the entries listed.",
                ),
                tell("每一段时间，步骤在谁手里。", "In whose hands a step was, at each time."),
            ),
            proves_not=(
                tell("记录之外谁还知道、什么时候知道的。", "Who else knew, outside the record."),
                tell(
                    "谁有责任：这里只写多久、在谁手里，不下结论。",
                    "Who is to blame: it tells how long and in whose hands, and concludes nothing.",
                ),
            ),
            attachment=ATTACHMENT,
            data=risk_data(content),
        )

    def say(self, chinese: str, english: str) -> str:
        """The Chinese or the English."""
        return pick((chinese, english), self.locale)

    def when(self, at: datetime) -> str:
        """Date with year, and time."""
        return when(at, self.locale, year=True)

    def long(self, minutes: int) -> str:
        """A duration in natural time; – for none."""
        return bare_duration(minutes, None, self.locale) if minutes else "–"

    # --- the cover --------------------------------------------------------------------------

    def _first(self) -> str:
        first = self.content.first
        who = self._who(first.who, source=self.records[first.case].source)
        told = self.say(f"{self.when(first.at)}，{who}上报", f"{self.when(first.at)}, by {who}")
        if first.claimed_at:
            at = self.when(first.claimed_at)
            told += self.say(f"（说是 {at} 发现的）", f" (said to be found {at})")
        return f"{told}　{self.records[first.case].number} #{first.seq}"

    def _end(self) -> str:
        content = self.content
        if content.end is None:
            at = self.when(content.until)
            return self.say(f"{at}，还没有了结", f"{at}, not over yet")
        how = {
            "accepted": ("最后一次验收通过", "last accepted"),
            "dismissed": ("最后一件结案（没有验收）", "last case ended without an acceptance"),
        }[content.end_by or "dismissed"]
        return f"{self.when(content.end)}　{pick(how, self.locale)}"

    def _cases(self) -> str:
        n, out = len(self.content.cases), self.content.left_out
        told = self.say(f"{n} 件", f"{n}")
        if out:
            told += self.say(
                f"；另有 {out} 件您无权查看，没有算进来",
                f"; another {out} you may not see, left out",
            )
        return told

    def _summary(self) -> Iterator[str]:
        content, n = self.content, len(self.content.cases)
        yield self.say(
            f"这一处从第一次上报到{'了结' if content.end else '现在'}共 "
            f"{self.long(content.minutes)}，{n} 件案件。",
            f"From the first report to {'the end' if content.end else 'now'}: "
            f"{self.long(content.minutes)}, cases: {n}.",
        )
        parts = [
            f"{pick(words, self.locale)} {self.long(content.spent(name))}"  # type: ignore[arg-type]
            for name, words in _STANDING.items()
            if content.spent(name)  # type: ignore[arg-type]
        ]
        yield (
            self.say("其中：", "Of that: ") + self.say("；", "; ").join(parts) + self.say("。", ".")
        )
        over = sum(one.over for one in content.persons)
        yield self.say(
            f"按时办结 {len(content.kept)} 步；超过时限的时间合计 {self.long(over)}；"
            f"期间巡查零报告 {len(content.nil)} 次。",
            f"Steps done in time: {len(content.kept)}; time beyond limits: {self.long(over)}; "
            f"nil reports of patrols meanwhile: {len(content.nil)}.",
        )

    # --- the sections -----------------------------------------------------------------------

    def _sections(self) -> Iterator[Section]:
        tell = self.say
        yield Section(
            tell("按时办结的", "Done in time"),
            (tell("办结", "Done"), tell("步骤", "Step"), tell("谁", "Who"), tell("用时", "Took"),
             tell("记录", "Entry")),
            tuple(self._kept()),
            widths=(25, 24, 40, 0, 38),
            none=tell("没有在时限内办结的步骤。", "No step was done within a limit."),
        )  # fmt: skip
        yield self._shares()
        yield self._standing()
        yield Section(
            tell("一段一段，在谁手里", "Hand by hand"),
            (tell("从", "From"), tell("到", "Until"), tell("步骤", "Step"),
             tell("在谁手里", "Hands"), tell("多久", "How long"),
             tell("超时限", "Beyond the limit"), tell("记录", "Entry")),
            tuple(map(self._hand, self.content.held)),
            widths=(25, 25, 24, 0, 19, 19, 38),
            note=tell(
                "同时开着的步骤各写一行。超时限按自然时间，暂停的时间不算。",
                "Steps open at the same time stand in a line each. Beyond the limit is natural "
                "time, without pauses.",
            ),
        )  # fmt: skip
        yield self._steps()
        for kind, words in _KINDS:
            rows = tuple(self._mark(one) for one in self.content.marks if one.kind == kind)
            yield Section(
                pick(words, self.locale),
                (tell("时间", "When"), tell("说的是", "What"), tell("记录", "Entry")),
                rows,
                widths=(27, 0, 38),
                none=tell("没有。", "None."),
            )
        yield Section(
            tell(
                "期间巡查说没有发现的（零报告）",
                "Patrols that found nothing meanwhile (nil reports)",
            ),
            (tell("时间", "When"), tell("谁", "Who"), tell("记录", "Entry")),
            tuple(
                cells(stamp(one.at), self._who(one.who), entry(one.case, one.number, one.seq))
                for one in self.content.nil
            ),
            none=tell("没有。", "None."),
        )

    def _kept(self) -> Iterator[tuple[Cell, ...]]:
        for one in self.content.kept:
            record = self.records[one.case]
            line = next(line for line in record.responsibility if line.seq == one.seq)
            yield cells(
                stamp(one.at), self._step(one.case, one.task), self._who(one.who),
                plain(spent(line.timing, self.locale)),
                entry(one.case, record.number, one.seq),
            )  # fmt: skip

    def _shares(self) -> Section:
        tell, content = self.say, self.content
        whole = [(self._unit(one), "", one) for one in content.units]
        rows = [*whole, *((self._unit(one), self._person(one), one) for one in content.persons)]
        named = sorted(rows, key=lambda row: (row[0], row[1] != "", row[1]))
        return Section(
            tell("在谁手里多久", "How long in whose hands"),
            (tell("单位", "Unit"), tell("谁", "Who"), tell("多久", "How long"),
             tell("超时限", "Beyond the limit")),
            tuple(
                cells(
                    unit, who or tell("合计", "in all"), self.long(one.minutes),
                    self._over(one.over),
                )
                for unit, who, one in named
            ),
            lead=tell(
                "按名称排列，不排名次。同一时间的几个步骤只算一次；不同单位同时在办的，各算各的。",
                "By name, no ranking. Steps at the same time count once in one's hands; what two "
                "units had at the same time counts with each.",
            ),
        )  # fmt: skip

    def _standing(self) -> Section:
        tell = self.say
        return Section(
            tell("从头到尾", "From beginning to end"),
            (tell("从", "From"), tell("到", "Until"), tell("情形", "How it stood"),
             tell("多久", "How long"), tell("从哪条记录起", "Since entry")),
            tuple(
                cells(
                    stamp(one.since), stamp(one.until),
                    pick(_STANDING[one.standing], self.locale), self.long(one.minutes),
                    entry(one.case, self.records[one.case].number, one.seq),
                )
                for one in self.content.stood
            ),
            widths=(27, 27, 0, 34, 38),
        )  # fmt: skip

    def _steps(self) -> Section:
        tell = self.say
        return Section(
            tell("按步骤", "By step"),
            (tell("步骤", "Step"), tell("次数", "Times"), tell("多久", "How long"),
             tell("超时限", "Beyond the limit")),
            tuple(
                cells(
                    self._element(one.element), one.times, self.long(one.minutes),
                    self._over(one.over),
                )
                for one in self.content.steps
            ),
        )  # fmt: skip

    def _hand(self, one: Holding) -> tuple[Cell, ...]:
        until = stamp(one.until) if one.until else self.say("现在", "now")
        who = self.names.person(one.person, self.locale) if one.person else self._nobody()
        return cells(
            stamp(one.since), until, self._step(one.case, one.task),
            f"{self.names.unit(one.unit)}　{who}", self.long(one.minutes), self._over(one.over),
            entry(one.case, self.records[one.case].number, one.seq),
        )  # fmt: skip

    def _mark(self, one: Mark) -> tuple[Cell, ...]:
        record = self.records[one.case]
        row = record.timeline[one.seq - 1]
        said = plain(timeline_sentence(record, row, self.names, self.locale))
        return cells(stamp(one.at), said, entry(one.case, record.number, one.seq))

    # --- words ------------------------------------------------------------------------------

    def _over(self, minutes: int) -> Cell:
        return Cell(self.long(minutes), tone="late" if minutes else "quiet")

    def _who(self, who: Actor, *, source: str = "") -> str:
        name, where = person_words(who.doer, self.names, self.locale, source=source)
        return self.say(f"{name}（{where}）", f"{name} ({where})") if where else name

    def _unit(self, one: Share) -> str:
        return self.names.unit(one.unit)

    def _person(self, one: Share) -> str:
        return self.names.person(one.person, self.locale) if one.person else self._nobody()

    def _nobody(self) -> str:
        return self.say("还没有人认领", "nobody had taken it")

    def _element(self, element: str) -> str:
        records = self.records.values()
        return next(
            (
                element_name(record, element, self.locale)
                for record in records
                if element in record.elements
            ),
            element,
        )

    def _step(self, case: str, task: str) -> str:
        record = self.records[case]
        line = next((one for one in record.responsibility if one.task == task), None)
        name = element_name(record, task.partition("#")[0], self.locale)
        turn = round_words(line, self.locale) if line else ""
        return name + (self.say(f"（{turn}）", f" ({turn.lower()})") if turn else "")
