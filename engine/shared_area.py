"""Memory that the processes of one server have in common, made before they are forked.

It is in no file and gone with the last of them. Its lock is held by the operating system, so a
process that dies gives it back; what it was just writing is at most one record half written.
"""

import mmap
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from weakref import finalize

try:
    import fcntl

    _FORKS = True
except ImportError:  # Windows: one process only
    _FORKS = False


class Area:
    """So many bytes, zero at first. Not to be made while other threads may fork."""

    def __init__(self, size: int) -> None:
        self._memory = mmap.mmap(-1, size)
        self._threads = Lock()
        self._lock = _nameless_file() if _FORKS else None
        if self._lock is not None:
            finalize(self, os.close, self._lock)

    @contextmanager
    def held(self) -> Iterator[mmap.mmap]:
        """The memory, while nobody else has it. Not to be nested."""
        with self._threads:
            if self._lock is None:
                yield self._memory
                return
            # Not flock: the lock of a forked process would be the same one.
            fcntl.lockf(self._lock, fcntl.LOCK_EX)
            try:
                yield self._memory
            finally:
                fcntl.lockf(self._lock, fcntl.LOCK_UN)


def _nameless_file() -> int:
    """A file to hang the lock on, which nobody else can open."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("shaoji")
    handle, name = tempfile.mkstemp()
    Path(name).unlink()
    return handle
