"""What Chinese typesetting needs and WeasyPrint does not do by itself."""

import re
from typing import Final

# Full-width marks: half of each cell is blank, on the right of closing ones, left of opening ones.
_CLOSING: Final = "，。、；：！？）〕】》」』”’"
_OPENING: Final = "（〔【《「『“‘"
_MEETING: Final = re.compile(f"[{_CLOSING}](?=[{_CLOSING}{_OPENING}])|[{_OPENING}](?=[{_OPENING}])")
_TOGETHER: Final = re.compile(
    r"(?:\d{4}年)?\d{1,2}月\d{1,2}日(?: \d\d:\d\d)?"
    r"|\d{1,2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)(?: \d{4})?(?: \d\d:\d\d)?"
    r"|\d+ (?:天|小时|分钟|工作时|个工作日|个自然日|条|张|份|次|轮|步|页|处|d|h|min)(?![a-z])"
)
MANY_LINES: Final = 80
_LINE: Final = '<p class="ev'
_PIECES: Final = re.compile(
    r"(?P<kept><(?P<tag>svg|style|code|pre|title)\b.*?</(?P=tag)>)"
    rf"|(?P<line>{_LINE}\b.*?</p>)"
    r'|(?<=>)(?<!class="num">)(?P<text>[^<]+)(?=<)',
    re.DOTALL,
)
_TEXT: Final = re.compile(r"(?<=>)[^<]+(?=<)")
_NUM: Final = re.compile(r'<span class="num">([^<]*)</span>')


def typeset(html: str, locale: str = "zh") -> str:
    """Class `.sq` lets two full-width marks that meet share a cell (CSS text-spacing-trim); class
    `.num` keeps dates and quantities on one line, class `.q` marks the quotation marks of English,
    which Chinese fonts draw full-width. Text inside svg, style, code and pre stays.

    Lines of class `.ev` are kept together by no-break spaces instead, and where there are many of
    them their marks stay apart: every run of text of its own costs half a millisecond to set.
    """
    many = html.count(_LINE) > MANY_LINES
    return _PIECES.sub(lambda found: _piece(found, locale, many), html)


def _piece(found: re.Match[str], locale: str, many: bool) -> str:
    if found["kept"]:
        return found["kept"]
    if found["line"]:
        return _line(found["line"], locale, many)
    text = _TOGETHER.sub(lambda told: f'<span class="num">{told[0]}</span>', found["text"])
    return _marks(text, locale)


def _line(line: str, locale: str, many: bool) -> str:
    line = _TOGETHER.sub(_unbroken, _NUM.sub(r"\1", line))
    return line if many else _TEXT.sub(lambda text: _marks(text[0], locale), line)


def _unbroken(told: re.Match[str]) -> str:
    return told[0].replace(" ", "\N{NO-BREAK SPACE}")


def _marks(text: str, locale: str) -> str:
    text = _MEETING.sub(lambda mark: f'<i class="sq">{mark[0]}</i>', text)
    if locale == "zh":
        return text
    return re.sub("[“”](?!</i>)", lambda mark: f'<i class="q">{mark[0]}</i>', text)
