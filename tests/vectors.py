"""Where the published test vectors lie: beside the repository, or where SHAOJI_VECTORS says."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def published(name: str) -> Path:
    """A file or folder of the published vectors.

    Their absence is said loudly, and is a failure where CI is set: they are not copied into the
    project, and a run without them has proved less.
    """
    folder = Path(os.environ.get("SHAOJI_VECTORS") or ROOT.parent / "shared" / "vectors")
    if (folder / name).exists():
        return folder / name
    told = f"published test vectors missing: {folder / name} (set SHAOJI_VECTORS)"
    if os.environ.get("CI"):
        pytest.fail(told)
    pytest.skip(told)
