"""A report as a workbook: a sheet of facts, one for each section with rows, how to check."""

from engine.spreadsheets import write_xlsx
from web.pdf import Anchored, Issue
from web.printing import Printed
from web.told_report import Section, ToldReport
from web.workbook import Sheet, check_sheet, facts_sheet


def told_book(told: ToldReport, issue: Issue, anchored: Anchored | None) -> Printed:
    """The report as XLSX; pages: its sheets. Nothing is left out for want of room."""
    facts = [
        (told.say("报告", "Report"), told.heading),
        (told.say("关于", "About"), told.subject),
        *told.facts,
        *((told.say("概要", "In short"), words) for words in told.summary),
    ]
    computed = [*told.formulas, (told.say("内容摘要", "Content digest"), told.digest)]
    sheets = [
        facts_sheet(facts, issue, told.locale),
        *(_sheet(section) for section in (*told.sections, *told.appendix) if section.heads),
        *(
            [(told.say("所据案件", "Cases"), [(line,) for line in told.cases])]
            if told.cases
            else []
        ),
        check_sheet(told.log, told.parameters, computed, told.steps, anchored, told.locale),
    ]
    named = [(f"{n} {name}"[:31], rows) for n, (name, rows) in enumerate(sheets, 1)]
    return Printed(write_xlsx(named), len(named))


def _sheet(section: Section) -> Sheet:
    rows = [tuple(cell.text for cell in row) for row in section.rows]
    words = [(line,) for line in (section.lead, section.note, "" if rows else section.none) if line]
    return section.title, [section.heads, *rows, *words]
