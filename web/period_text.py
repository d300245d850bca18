"""What the report on a period says: metrics beside the one before, by unit, signals, positions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from audit.metrics.catalogue import METRICS
from audit.reports.periodic import (
    ATTACHMENT,
    PERIOD_VERSION,
    Behind,
    PeriodReport,
    WholePeriodReport,
    period_report_data,
)
from engine.period_reports import Files
from engine.periods import kind_of
from web.formulas import formulas
from web.metric_rows import FigureRow, MetricRow, Telling, sections
from web.metric_words import NOTES
from web.periods import period_words
from web.quantities import ZONE, bare_duration, pick, when
from web.signal_rules import signal_rules
from web.texts import say
from web.told_report import Cell, Link, Section, ToldReport, cells, entry, stamp

NONE: Final = "–"
# What is told first: rates of what was done in time.
HEADINGS: Final = {
    "month": ("月报", "Monthly report"),
    "quarter": ("季报", "Quarterly report"),
    "year": ("年报", "Annual report"),
}
IN_TIME: Final = ("in_time", "walked", "responded", "arrived_in_time")
# By community and by unit, the metrics that say most of each.
BY_GROUP: Final = {
    "community": (
        "in_time", "rectified_of_found", "overdue", "extended", "refuted", "reopened", "walked",
    ),
    "unit": ("in_time", "responded", "arrived_in_time", "objected", "dodged", "ordered"),
}  # fmt: skip


def period_files() -> Files:
    """The files a period is computed by."""
    return Files(formulas(), signal_rules(), ZONE)


class PeriodText:
    """The words of one report; to be made where its language is spoken (web.texts.spoken).

    names: how units and classes are called.
    """

    def __init__(self, content: PeriodReport, names: Mapping[str, str], locale: str) -> None:
        self.content, self.names, self.locale = content, names, locale
        telling = Telling("", names, lambda *_: "")
        self._now = _by_id(content.figures, telling)
        self._before = _by_id(content.before or (), telling)

    def say(self, chinese: str, english: str) -> str:
        """The Chinese or the English."""
        return pick((chinese, english), self.locale)

    def whole(self, behind: Sequence[Behind]) -> ToldReport:
        """The report for a file, with all that stands behind its figures."""
        data = period_report_data(WholePeriodReport(self.content, tuple(behind)))
        return replace(self.told(), appendix=(self._behind(behind),), data=data)

    def told(self) -> ToldReport:
        """The report as its page tells it."""
        content, tell = self.content, self.say
        position = f"{content.now.size}　{when(content.now.at, self.locale, year=True)}"
        end = content.end
        return ToldReport(
            locale=self.locale,
            heading=pick(HEADINGS[kind_of(content.period)], self.locale),
            subject=f"{self._unit()}　{period_words(content.period)}",
            log=content.log,
            facts=(
                (tell("单位", "Unit"), self._unit()),
                (tell("期间", "Period"), period_words(content.period)),
                (tell("算到", "Up to"), self._until()),
                (tell("案件", "Cases"), self._cases()),
            ),
            parameters=(
                (tell("单位", "unit"), content.unit),
                (tell("期间", "period"), content.period),
                (tell("所据日志位置（条数、签名时间）", "log position (entries)"), position),
                (tell("根", "root"), content.now.root),
                (
                    tell("期末的日志位置", "log position at the end of the period"),
                    f"{end.size}　{when(end.at, self.locale, year=True)}" if end
                    else tell("期末前没有签过检查点", "no checkpoint was signed by then"),
                ),
                *(((tell("期末的根", "root at the end"), end.root),) if end else ()),
            ),
            formulas=(
                (tell("算法版本", "version"), f"audit.reports.periodic {PERIOD_VERSION}"),
                (tell("指标口径", "formulas of the metrics"), str(content.formulas_version)),
                (tell("口径的摘要", "digest of the formulas"), content.formulas),
                (tell("线索规则", "rules of the signals"), str(content.rules_version)),
                (tell("规则的摘要", "digest of the rules"), content.rules),
            ),
            summary=tuple(self._summary()),
            sections=tuple(self._sections()),
            cases=(),
            steps=(
                tell(
                    "取得导出的日志（到上面的位置），运行 shaoji metrics --export，"
                    "按同一版口径重算出同样的数。",
                    "With an export of the log up to the position above, shaoji metrics counts the "
                    "same figures by the same version of the formulas.",
                ),
                tell(
                    "每个数是哪些案件、由哪条记录定的，在附件和 Excel 的“计入的记录”里；"
                    "保密案件不列。",
                    "Which cases a number is of, and which entry decided, is attached and stands "
                    "in the workbook; confidential cases are not listed.",
                ),
            ),
            proves=(
                tell("数字由这个位置以前的记录算得出来。", "The figures follow from the entries "
                     "before that position."),
            ),
            proves_not=(
                tell("谁好谁差：没有排名，线索也不是结论。",
                     "Who is better: nothing is ranked, and a signal is no verdict."),
            ),
            attachment=ATTACHMENT,
        )  # fmt: skip

    # --- the cover --------------------------------------------------------------------------

    def _unit(self) -> str:
        return self.names.get(self.content.unit, self.content.unit)

    def _until(self) -> str:
        at = when(self.content.until, self.locale, year=True)
        if self.content.over:
            return self.say(f"{at}，期末那一刻", f"{at}, the end of the period")
        return self.say(f"{at}，这一期还没有过完", f"{at}, the period is not over")

    def _cases(self) -> str:
        told = self.say(f"{self.content.cases} 件", str(self.content.cases))
        out = self.content.left_out
        hidden = self.say(
            f"；另有 {out} 件算在数里，您无权查看，不列出",
            f"; another {out} count, which you may not see and are not listed",
        )
        return told + (hidden if out else "")

    def _summary(self) -> Iterator[str]:
        told = [f"{row.name} {self._value(row.whole)}" for row in self._some(IN_TIME) if row.whole]
        if told:
            yield self.say("按时做到的：", "In time: ") + self.say("；", "; ").join(told)
        overdue = self._now.get("overdue")
        if overdue and overdue.whole:
            yield f"{overdue.name}{self.say('：', ': ')}{self._value(overdue.whole)}"
        too_few = say("样本不足")
        few = [row.name for row in self._now.values() if row.whole and row.whole.small == too_few]
        if few:
            yield too_few + self.say("：", ": ") + self.say("、", ", ").join(few)

    def _some(self, ids: tuple[str, ...]) -> Iterator[MetricRow]:
        return (self._now[id_] for id_ in ids if id_ in self._now)

    # --- the sections -----------------------------------------------------------------------

    def _sections(self) -> Iterator[Section]:
        tell = self.say
        told = sections(self.content.figures, (), Telling("", self.names, lambda *_: ""))
        before = tell("上期", "Period before")
        for section in told:
            yield Section(
                section.title,
                (tell("指标", "Metric"), tell("本期", "This period"), before,
                 tell("计数", "Counts"), tell("区间、分布", "Interval, spread"),
                 tell("不计或另列", "Excluded or apart")),
                tuple(self._row(row) for row in section.rows),
                widths=(36, 20, 20, 32, 0, 34),
            )  # fmt: skip
        for by, ids in BY_GROUP.items():
            yield self._by(by, ids)
        yield self._signals()
        yield self._overdue()

    def _row(self, row: MetricRow) -> tuple[Cell, ...]:
        whole, earlier = row.whole, self._before.get(row.id)
        name = Cell(row.name, self._listed(row.id) if whole else None)
        if whole is None:
            nothing = self.say("本期没有", "none")
            return cells(name, nothing, self._earlier(earlier), "", "", "")
        counts = [f"{one.words} {one.count}" for one in whole.numbers]
        counts += [f"{say('共')} {whole.of}"] if whole.of is not None else []
        notes = [f"{one.words} {one.count}" for one in whole.notes if one.count]
        return cells(
            name, self._value(whole), self._earlier(earlier), " ".join(counts),
            self.say("；", "; ").join(whole.more), " ".join(notes),
        )  # fmt: skip

    def _listed(self, metric: str) -> Link | None:
        if metric not in METRICS:
            return None
        told = {"metric": metric, "period": self.content.period, "place": self.content.unit}
        return Link("metrics.listed", told)

    def _value(self, figure: FigureRow | None) -> str:
        return (figure.big or figure.small) if figure else NONE

    def _earlier(self, row: MetricRow | None) -> str:
        return self._value(row.whole) if row and row.whole else NONE

    def _by(self, by: str, ids: tuple[str, ...]) -> Section:
        titles = {"community": ("各社区", "By community"), "unit": ("各单位", "By unit")}
        telling = Telling(by, self.names, lambda *_: "")
        found: dict[str, dict[str, FigureRow]] = {}
        for section in sections((), self.content.groups[by], telling):
            for row in section.rows:
                for group in row.groups if row.id in ids else ():
                    found.setdefault(group.name, {})[row.id] = group
        heads = [self._now[id_].name if id_ in self._now else id_ for id_ in ids]
        return Section(
            pick(titles[by], self.locale),
            (self.say("单位", "Unit"), *heads),
            tuple(
                cells(name, *told)
                for name in sorted(found)
                if set(told := [self._of_group(found[name].get(id_)) for id_ in ids]) != {NONE}
            ),
            none=self.say("没有。", "None."),
            note=self.say(
                "按名称排列，不排名次。括号里是分子和分母；不到 10 件只写这两个数。"
                "这些数一个也没有的不列。",
                "By name, no ranking. In brackets the two counts; below ten, these alone. Whoever "
                "has none of these figures is not listed.",
            ),
        )

    def _of_group(self, figure: FigureRow | None) -> str:
        if figure is None or figure.of == 0:
            return NONE
        counts = f"{figure.numbers[0].count}/{figure.of}" if figure.of is not None else ""
        if not figure.big:
            return counts or figure.small
        # With a blank, so that on paper a narrow column breaks there and not within a number.
        return f"{figure.big} ({counts})" if counts else figure.big

    def _signals(self) -> Section:
        tell, rules = self.say, signal_rules()
        return Section(
            tell("线索", "Signals"),
            (tell("规则", "Rule"), tell("待核实", "Open"), tell("属实", "Confirmed"),
             tell("排除", "Dismissed")),
            tuple(
                cells(
                    f"{one.rule} {tell(rules[one.rule].name, rules[one.rule].name_en)}",
                    one.open, one.confirmed, one.dismissed,
                )
                for one in self.content.signals
            ),
            none=tell("规则没有找到，不等于没有问题。", "The rules found none, which does not mean "
                      "that all is well."),
            note=tell(
                "按线索所据的第一条记录算在哪一期，核实到哪一步是现在的。待核实的只是提示，不是结论。",
                "Of the period of the first entry it rests on; how it stands is as of now. An open "
                "signal is a reminder to look, no verdict.",
            ),
        )  # fmt: skip

    def _overdue(self) -> Section:
        tell = self.say
        return Section(
            tell("期末逾期未验收的", "Overdue at the end"),
            (tell("事由", "Title"), tell("记录", "Entry"), tell("超期天数乘权重", "Days × weight")),
            tuple(
                cells(one.title, entry(one.case, one.number, one.entry), one.of)
                for one in sorted(self.content.overdue, key=lambda one: one.number)
            ),
            none=tell("没有。", "None."),
            widths=(0, 44, 34),
        )  # fmt: skip

    def _behind(self, behind: Sequence[Behind]) -> Section:
        tell = self.say
        return Section(
            tell("计入的记录", "Entries behind the figures"),
            (tell("指标", "Metric"), tell("案件号", "Case"), tell("事由", "Title"),
             tell("记录号", "Entry"), tell("时间", "At"), tell("单位", "Unit"),
             tell("分子", "Hits"), tell("分母", "Of"), tell("不计的原因或另列", "Reason or apart"),
             tell("多久", "How long")),
            tuple(
                cells(
                    self._now[one.metric].name, one.number, one.title, one.entry, stamp(one.at),
                    self.names.get(one.unit, one.unit), one.hits, one.of,
                    _note(one.reason or one.apart),
                    "" if one.minutes is None else bare_duration(one.minutes, None, self.locale),
                )
                for one in behind
            ),
        )  # fmt: skip


def _note(name: str) -> str:
    return say(NOTES[name]) if name in NOTES else name


def _by_id(figures: tuple[Mapping[str, Any], ...], telling: Telling) -> Mapping[str, MetricRow]:
    found: dict[str, MetricRow] = {}
    for section in sections(figures, (), telling):
        found |= {row.id: row for row in section.rows}
    return found
