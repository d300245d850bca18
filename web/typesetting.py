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
_TEXT: Final = re.compile(
    r"(?P<kept><(?P<tag>svg|style|code|pre|title)\b.*?</(?P=tag)>)|(?<=>)(?P<text>[^<]+)(?=<)",
    re.DOTALL,
)


def typeset(html: str) -> str:
    """Class `.sq` lets two full-width marks that meet share a cell (CSS text-spacing-trim); class
    `.num` keeps dates and quantities on one line, class `.q` marks quotation marks, which Chinese
    fonts draw full-width. Text inside svg, style, code and pre stays.
    """
    return _TEXT.sub(_typeset, html)


def _typeset(found: re.Match[str]) -> str:
    if found["kept"]:
        return found["kept"]
    text = _TOGETHER.sub(lambda told: f'<span class="num">{told[0]}</span>', found["text"])
    text = _MEETING.sub(lambda mark: f'<i class="sq">{mark[0]}</i>', text)
    return re.sub("[“”](?!</i>)", lambda mark: f'<i class="q">{mark[0]}</i>', text)
