"""Answers that were sealed and opened later: what was opened is what had been sealed."""

from collections.abc import Iterator, Sequence
from typing import Any

from audit.chain import Problem
from audit.commitments import opens
from audit.entries import Entry


def check_revealed(entries: Sequence[Entry]) -> Iterator[Problem]:
    """The openings in one case's entries that do not fit what was sealed at the step they name."""
    forms: dict[str, dict[str, Any]] = {}
    for entry in entries:
        if entry.type == "task.completed":
            forms[entry.data["task"]] = entry.data["form"]
        revealed = entry.type == "answers.revealed"
        if revealed and not _fits(forms.get(entry.data["task"], {}), entry.data):
            yield Problem(entry.stream, entry.seq, "opened another answer than was sealed", "words")


def _fits(form: dict[str, Any], told: dict[str, Any]) -> bool:
    if not told["form"] or told["form"].keys() != told["salts"].keys():
        return False
    return all(_opens(form.get(n), n, value, told["salts"][n]) for n, value in told["form"].items())


def _opens(sealed: Any, field: str, value: Any, salt: Any) -> bool:
    if not isinstance(sealed, dict) or not isinstance(salt, str):
        return False
    try:
        return opens(str(sealed.get("sealed")), field, value, bytes.fromhex(salt))
    except ValueError:
        return False
