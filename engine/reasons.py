"""Reasons in words: no act that changes somebody's duty goes without one."""

import unicodedata

from engine.errors import BadInput

LONGEST = 2000


class NoReason(BadInput):
    """The reason is missing, empty or too long."""


def reasoned(text: str, *, what: str = "理由", english: str = "a reason") -> str:
    """The text trimmed and in NFC; raises NoReason if nothing is left or it is too long."""
    told = unicodedata.normalize("NFC", text).strip()
    if not told:
        raise NoReason(f"请写明{what}。", f"Please give {english}.")
    if len(told) > LONGEST:
        raise NoReason(
            f"{what}太长，请控制在 {LONGEST} 字以内。",
            f"Keep {english} under {LONGEST} characters.",
        )
    return told
