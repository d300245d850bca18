"""Sheets that workbooks of reports share: what a report is about, and how to check it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from markupsafe import Markup

from web.pdf import Anchored, Issue
from web.quantities import pick, when

Row = Sequence[str | int]
Sheet = tuple[str, Sequence[Row]]
MEDIA: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# How sheets are called: Chinese, English.
FACTS: Final = ("事实", "Facts")
ENTRIES: Final = ("记录", "Entries")
CHECK: Final = ("怎样核对", "How to check")


def plain(words: Markup | str) -> str:
    """A sentence of a page as the text of a cell."""
    return words.striptags() if isinstance(words, Markup) else words


def facts_sheet(pairs: Iterable[tuple[str, str]], issue: Issue, locale: str) -> Sheet:
    """What a report is about, who had it made, when and for what."""
    rows = [
        (pick(("名目", "What"), locale), pick(("内容", "Says"), locale)),
        *pairs,
        (
            pick(("出具", "Made"), locale),
            f"{when(issue.made_at, locale, year=True)}　{issue.made_by}",
        ),
        (pick(("用途", "For"), locale), issue.purpose),
    ]
    return pick(FACTS, locale), rows


def check_sheet(
    log: str,
    parameters: Iterable[tuple[str, str]],
    formulas: Iterable[tuple[str, str]],
    steps: Iterable[str],
    anchored: Anchored | None,
    locale: str,
) -> Sheet:
    """Position of the log, parameters, versions of what was computed, and what to do with them."""
    rows: list[Row] = [(pick(("名目", "What"), locale), pick(("内容", "Says"), locale))]
    rows += [(pick(("日志", "Log"), locale), log), *_position(anchored, locale)]
    rows += [(pick((f"参数：{zh}", f"Parameter: {zh}"), locale), told) for zh, told in parameters]
    rows += list(formulas)
    rows += [(str(n), step) for n, step in enumerate([*steps, pick(_UNSEALED, locale)], 1)]
    return pick(CHECK, locale), rows


def _position(anchored: Anchored | None, locale: str) -> list[Row]:
    name = pick(("检查点", "Checkpoint"), locale)
    if anchored is None:
        none = ("还没有签过名的检查点。", "There is no signed checkpoint yet.")
        return [(name, pick(none, locale))]
    told = anchored.checkpoint
    signed = when(anchored.signed_at, locale, year=True)
    words = (f"共 {told.size} 条，{signed} 签名", f"{told.size} entries, signed {signed}")
    return [
        (name, pick(words, locale)),
        (pick(("根", "Root"), locale), told.root.hex()),
        (pick(("检查点原文", "Signed text"), locale), anchored.note.data.decode()),
    ]


_UNSEALED: Final = (
    "本表没有盖章，谁都改得了。导出时日志记下了本文件的 SHA-256：对得上，就是当时导出的那一份。",
    (
        "This workbook bears no seal and anybody can change it. The record of its export has the "
        "SHA-256 of the file: if it is the same, this is what left the house."
    ),
)


def at(instant: datetime, locale: str) -> str:
    """An instant with its year, as a cell has it."""
    return when(instant, locale, year=True)
