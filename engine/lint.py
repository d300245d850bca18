"""What may be deployed: every way in which a definition would fail, or lie, at run time."""

from collections.abc import Mapping

from engine.definitions import parse
from engine.errors import BadInput
from engine.findings import Finding


def lint(files: Mapping[str, bytes]) -> list[Finding]:
    """Say what is wrong with a definition set; an empty list means it may be deployed."""
    try:
        parse(files)
    except BadInput as refused:
        return [Finding("", "file", refused.chinese, refused.english)]
    return []
