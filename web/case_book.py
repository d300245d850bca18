"""The accountability report of one case as a workbook: facts, duties, entries, how to check."""

from collections.abc import Iterator, Sequence

from audit.entries import Entry
from audit.reports.case import DIGEST_VERSION, content_digest
from audit.reports.facts import CaseRecord
from audit.vocabulary import TYPES
from engine.spreadsheets import write_xlsx
from web.pdf import Anchored, Issue
from web.printing import Printed
from web.quantities import pick
from web.report_text import ReportText
from web.sentences import outcome, result, timeline_sentence
from web.sentences import plain as said
from web.wording import Names, duty_name, round_words
from web.workbook import ENTRIES, Row, Sheet, at, check_sheet, facts_sheet, plain


def case_book(
    record: CaseRecord,
    entries: Sequence[Entry],
    issue: Issue,
    *,
    names: Names,
    anchored: Anchored | None,
    locale: str,
) -> Printed:
    """The report as XLSX; pages: its sheets. entries: those the record was folded from, checked."""
    text = ReportText(record, names, locale)
    sheets = [
        facts_sheet(_facts(record, text), issue, locale),
        (text.say("责任表", "Responsibility"), list(_table(record, text, locale))),
        (pick(ENTRIES, locale), list(_entries(record, entries, names, locale))),
        _check(record, text, anchored, locale),
    ]
    return Printed(write_xlsx(sheets), len(sheets))


def _facts(record: CaseRecord, text: ReportText) -> Iterator[tuple[str, str]]:
    yield text.say("报告", "Report"), text.heading()
    yield text.say("案件", "Case"), f"{record.number}　{record.title}"
    yield from text.facts()
    yield text.say("概要", "In short"), plain(text.summary())
    yield text.say("转折", "Turns"), text.turns()
    if told := text.separation():
        yield text.say("职责分离", "Separation"), told


def _table(record: CaseRecord, text: ReportText, locale: str) -> Iterator[Row]:
    yield (
        text.say("职责", "Duty"), text.say("轮次", "Round"), text.say("谁", "Who"),
        text.say("做了什么", "Did"), text.say("交到", "Opened"), text.say("办结", "Done"),
        text.say("用时（分钟）", "Took (min)"), text.say("时限（分钟）", "Limit (min)"),
        text.say("计时", "Clock"), text.say("超时限（分钟）", "Beyond (min)"),
        text.say("结果", "Result"), text.say("本人说明", "Own explanation"),
        text.say("记录号", "Entry"),
    )  # fmt: skip
    clocks = {"working": text.say("工作时", "working"), "natural": text.say("自然时", "natural")}
    for line in record.responsibility:
        timing = line.timing
        ended = result(line, locale)
        yield (
            duty_name(record, line, locale), round_words(line, locale),
            text.person(line.who) or text.names.unit(line.units[-1]),
            said(outcome(record, line, text.names, locale)), at(line.opened, locale),
            at(line.closed, locale) if line.closed else "",
            "" if timing.used is None else timing.used,
            "" if timing.allowed is None else timing.allowed,
            clocks.get(timing.clock or "", ""), timing.late or "", f"{ended.shape} {ended.text}",
            line.note or "", line.seq or "",
        )  # fmt: skip


def _entries(
    record: CaseRecord, entries: Sequence[Entry], names: Names, locale: str
) -> Iterator[Row]:
    heads = (
        ("记录号", "Entry"), ("时间", "Recorded"), ("种类", "Type"), ("说的是", "Says"),
        ("谁的代号", "Id of whom"), ("起因记录", "Caused by"), ("本条哈希", "Hash"),
        ("上一条哈希", "Hash before"),
    )  # fmt: skip
    yield tuple(pick(head, locale) for head in heads)
    for entry, row in zip(entries, record.timeline, strict=True):
        type_ = TYPES[entry.type]
        yield (
            entry.seq, at(entry.at, locale), pick((type_.chinese, type_.english), locale),
            said(timeline_sentence(record, row, names, locale)), row.actor.person or "",
            entry.cause or "", entry.hash.hex(), (entry.prev or ""),
        )  # fmt: skip


def _check(record: CaseRecord, text: ReportText, anchored: Anchored | None, locale: str) -> Sheet:
    covered = anchored.covered if anchored else 0
    parameters = [
        (text.say("案件", "case"), record.case),
        (text.say("到第几条", "up to entry"), str(record.count)),
        (text.say("检查点包括本案的条数", "entries under the checkpoint"), str(covered)),
    ]
    formulas = [
        (text.say("末条哈希", "Last hash"), record.head),
        (text.say("内容摘要", "Content digest"), content_digest(record)),
        (text.say("算法版本", "Version"), f"audit.reports.case {DIGEST_VERSION}"),
        (text.say("流程定义", "Definition"), str(record.definition["sha256"])),
    ]
    steps = [
        text.say(
            "记录的原文和证明在同一案的责任报告 PDF 附件里，也在证据文件里，"
            "用 verify.html 或 python -m audit 核对。",
            "The entries themselves, with proofs, are attached to the PDF of the same case and in "
            "its evidence file; check them by verify.html or python -m audit.",
        ),
        text.say(
            "“记录”表里每条的哈希应与核对出的一样，每条的“上一条哈希”就是前一条的哈希。",
            "The hashes in “Entries” are those that the check computes; each names the one before.",
        ),
    ]
    return check_sheet(record.log, parameters, formulas, steps, anchored, locale)
