"""A small disk of its own for a test that is run by root: in memory, unmounted at the end."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def disk(folder: Path, mebibytes: int) -> Iterator[Path]:
    """Mount a disk of so many MiB on this folder; skips where that is not allowed."""
    folder.mkdir()
    told = run("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "none", str(folder))
    if told.returncode:
        pytest.skip(f"no disk can be mounted here: {told.stderr.strip()}")
    try:
        yield folder
    finally:
        run("umount", "--lazy", str(folder))


def remount(folder: Path, options: str) -> None:
    """Change a mounted disk: `size=8m`, `ro`, `rw`."""
    told = run("mount", "-o", f"remount,{options}", str(folder))
    assert told.returncode == 0, told.stderr


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, check=False)
