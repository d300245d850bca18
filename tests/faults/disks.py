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


@contextmanager
def only_read(folder: Path) -> Iterator[Path]:
    """The same disk at another place, where it can only be read."""
    there = folder.with_name("read-only")
    there.mkdir()
    assert run("mount", "--bind", str(folder), str(there)).returncode == 0
    try:
        assert run("mount", "-o", "remount,bind,ro", str(there)).returncode == 0
        yield there
    finally:
        run("umount", "--lazy", str(there))


def remount(folder: Path, options: str) -> None:
    """Change a mounted disk: `size=8m`."""
    told = run("mount", "-o", f"remount,{options}", str(folder))
    assert told.returncode == 0, told.stderr


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, check=False)
