"""Copies of photos for browsers, made by a worker before somebody looks.

To make them takes a third of a second of a processor for a photo as telephones take them.
"""

import logging
from collections.abc import Callable
from pathlib import Path

from engine.errors import Refusal
from engine.evidence import FRESH, THUMBNAIL, VIEW, served_copy

logger = logging.getLogger("shaoji.worker")


def make_copies(root: Path, *, stopped: Callable[[], bool] = lambda: False) -> int:
    """Make the copies of photos that were kept in `root` since the last time; how many they are of.

    stopped: asked between one photo and the next. A photo of which none can be made is left to
    whoever looks at it: they are told why. Two workers may make the same: either is whole.
    """
    done = 0
    for note in _notes(root):
        if stopped():
            break
        try:
            for width in (THUMBNAIL, VIEW):
                served_copy(root, note.name, width=width)
            done += 1
        except Refusal:
            logger.exception("no copy can be made of the photo %s", note.name[:12])
        note.unlink(missing_ok=True)
    return done


def is_fresh(root: Path) -> bool:
    """Whether there is a photo that nobody has made copies of."""
    return bool(_notes(root))


def _notes(root: Path) -> list[Path]:
    try:
        return sorted((root / FRESH).iterdir())
    except FileNotFoundError:
        return []
