"""What Chinese typesetting needs and WeasyPrint does not do by itself."""

import re
from typing import Final

# Full-width marks: half of each cell is blank, on the right of closing ones, left of opening ones.
_CLOSING: Final = "，。、；：！？）〕】》」』”’"
_OPENING: Final = "（〔【《「『“‘"
_MEETING: Final = re.compile(f"[{_CLOSING}](?=[{_CLOSING}{_OPENING}])|[{_OPENING}](?=[{_OPENING}])")
_TEXT: Final = re.compile(
    r"(?P<kept><(svg|style|code|pre|title)\b.*?</\2>)|>(?P<text>[^<]+)<", re.DOTALL
)


def squeezed(html: str) -> str:
    """Let two full-width marks that meet share a cell (CSS text-spacing-trim), by a `.sq` class."""
    return _TEXT.sub(_squeeze, html)


def _squeeze(found: re.Match[str]) -> str:
    if found["kept"]:
        return found["kept"]
    text = _MEETING.sub(lambda mark: f'<i class="sq">{mark[0]}</i>', found["text"])
    return f">{text}<"
