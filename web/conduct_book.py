"""The report on a person or a unit as a workbook: facts, each step with its entry, how to check."""

from collections.abc import Iterator, Mapping, Sequence

from audit.reports.conduct import CONDUCT_VERSION, Done, Late
from engine.spreadsheets import write_xlsx
from web.conduct_text import ConductText, LateText
from web.pdf import Anchored, Issue
from web.printing import Printed
from web.quantities import pick
from web.workbook import ENTRIES, Row, Sheet, at, check_sheet, facts_sheet, plain

# Case -> the hashes (hex) of its entries, the first one first.
Hashes = Mapping[str, Sequence[str]]


def conduct_book(
    text: ConductText, hashes: Hashes, issue: Issue, anchored: Anchored | None
) -> Printed:
    """The report as XLSX; pages: its sheets. Nothing is left out for want of room."""
    sheets = [
        facts_sheet(_facts(text), issue, text.locale),
        *_counts(text),
        (pick(ENTRIES, text.locale), list(_entries(text, hashes))),
        (text.say("所据案件", "Cases"), list(_cases(text))),
        _check(text, anchored),
    ]
    return Printed(write_xlsx(sheets), len(sheets))


def _facts(text: ConductText) -> Iterator[tuple[str, str]]:
    yield text.say("报告", "Report"), text.heading()
    yield text.say("关于", "About"), text.subject()
    yield text.say("期间", "Period"), text.period()
    yield text.say("合计", "In short"), text.summary()
    if acts := text.acts():
        yield text.say("其他操作", "What else was done"), acts
    if lent := text.lent():
        yield text.say("代办", "Substitutes"), lent


def _counts(text: ConductText) -> Iterator[Sheet]:
    heads = (
        text.say("按时", "In time"), text.say("无时限", "No limit"), text.say("过时限", "Late"),
    )  # fmt: skip
    steps: list[Row] = [(text.say("流程", "Process"), text.say("步骤", "Step"), *heads)]
    steps += text.steps()
    yield text.say("各步骤", "Steps"), steps
    if text.content.units:
        end = text.say("期末逾期", "Overdue at the end")
        yield (
            text.say("各单位", "Units"),
            [
                (text.say("单位（按名称，不排名次）", "Unit (by name, no ranking)"), *heads, end),
                *text.units(),
            ],
        )


def _entries(text: ConductText, hashes: Hashes) -> Iterator[Row]:
    heads = (
        ("属于", "Part"), ("案件号", "Case"), ("事由", "Title"), ("步骤", "Step"),
        ("到手", "Came"), ("办结", "Done"), ("时限到", "Limit"), ("用时（分钟）", "Took (min)"),
        ("时限（分钟）", "Limit (min)"), ("说明", "Told"), ("本人说明", "Own explanation"),
        ("记录号", "Entry"), ("记录哈希", "Hash of the entry"),
    )  # fmt: skip
    yield tuple(pick(head, text.locale) for head in heads)
    content = text.content
    for part, done in (
        (("按时办结", "in time"), content.kept),
        (("没有时限", "without a limit"), content.untimed),
    ):
        for one in done:
            yield _done(text, part, one, one.line.seq or one.line.opened_seq, hashes)
    for part, late, told in (
        (("过了时限", "late"), content.late, text.late()),
        (("期前已过，本期办完", "late before, done now"), content.finished, text.finished()),
        (("到手时已过，不算", "late before it came, not counted"), content.elsewhere,
         text.elsewhere()),
    ):  # fmt: skip
        for passed, words in zip(late, told, strict=True):
            yield _late(text, part, passed, words, hashes)
    for one in content.open:
        yield _done(text, ("期末还在手里", "in hand at the end"), one, one.line.opened_seq, hashes)


def _done(text: ConductText, part: tuple[str, str], one: Done, seq: int, hashes: Hashes) -> Row:
    record, timing, locale = text.records[one.case], one.line.timing, text.locale
    return (
        pick(part, locale), record.number, record.title, text.step(one.case, one.line),
        at(one.since, locale), at(one.line.closed, locale) if one.line.closed else "",
        at(timing.due, locale) if timing.due else "",
        "" if timing.used is None else timing.used,
        "" if timing.allowed is None else timing.allowed, "", one.line.note or "", seq,
        hashes[one.case][seq - 1],
    )  # fmt: skip


def _late(
    text: ConductText, part: tuple[str, str], one: Late, told: LateText, hashes: Hashes
) -> Row:
    timing, closed, locale = one.line.timing, one.line.closed, text.locale
    return (
        pick(part, locale), told.number, told.title, told.step, at(one.since, locale),
        at(closed, locale) if closed else "", at(one.due, locale),
        "" if timing.used is None else timing.used,
        "" if timing.allowed is None else timing.allowed, plain(told.told), told.note, one.seq,
        hashes[one.case][one.seq - 1],
    )  # fmt: skip


def _cases(text: ConductText) -> Iterator[Row]:
    yield (
        text.say("案件号", "Case"), text.say("事由", "Title"),
        text.say("到期末的条数", "Entries to the end"), text.say("末条哈希", "Hash of the last"),
    )  # fmt: skip
    for ref in text.content.cases:
        yield ref.number, ref.title, ref.count, ref.head


def _check(text: ConductText, anchored: Anchored | None) -> Sheet:
    content, locale = text.content, text.locale
    parameters = [
        (text.say("关于", "about"), f"{content.subject.kind} {content.subject.id}"),
        (text.say("从", "from"), at(content.since, locale)),
        (text.say("到（不含）", "up to, not including"), at(content.until, locale)),
    ]
    formulas = [
        (text.say("内容摘要", "Content digest"), text.digest),
        (text.say("算法版本", "Version"), f"audit.reports.conduct {CONDUCT_VERSION}"),
    ]
    steps = [
        text.say(
            "取得各案的证据文件，用 verify.html 或 python -m audit 核对，"
            "看第几条的哈希是不是“记录”“所据案件”表里写的。",
            "Get the evidence file of each case, check it by verify.html or python -m audit, and "
            "see that the entries of these numbers have the hashes told in “Entries” and “Cases”.",
        ),
        text.say(
            "有了这些记录，谁都可以按 audit.reports.conduct 重算出同一内容摘要；"
            "同样的报告做成 PDF，附有全部数据。",
            "With those entries anybody computes the same content digest by audit.reports.conduct; "
            "the same report as PDF has all of its data attached.",
        ),
        text.say(
            "只列出具人看得到的案件；保密案件只有办案的人看得到，单位报告不列。",
            "Of the cases that whoever had this made may see; confidential ones are seen by those "
            "on them alone, and are not part of a report on a unit.",
        ),
    ]
    return check_sheet(content.log, parameters, formulas, steps, anchored, locale)
