"""Two network namespaces with one cable between them, which can be cut without a word.

Their addresses are in 198.18.0.0/15, which RFC 2544 keeps for tests, and exist inside only.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

DATABASE, NODE = "198.18.0.1", "198.18.0.2"


@dataclass(frozen=True)
class Cable:
    """There stands the database in one namespace and a node in the other."""

    database: str
    node: str

    def within(self, namespace: str) -> tuple[str, ...]:
        """What to put before a command that is to run there."""
        return "ip", "netns", "exec", namespace

    def cut(self) -> None:
        """Whatever is sent from now on arrives nowhere, and nobody is told."""
        self._set("down")

    def mend(self) -> None:
        self._set("up")

    def _set(self, state: str) -> None:
        _ip("-n", self.database, "link", "set", "cable", state)


@contextmanager
def cable() -> Iterator[Cable]:
    """A cable that stands; skips where no namespaces can be made."""
    if os.geteuid():
        pytest.skip("network namespaces are made by root")
    made = Cable(f"shaoji-db-{os.getpid()}", f"shaoji-node-{os.getpid()}")
    try:
        for namespace in (made.database, made.node):
            told = _ip("netns", "add", namespace, check=False)
            if told.returncode:
                pytest.skip(f"no network namespaces here: {told.stderr.strip()}")
        _ip("-n", made.database, "link", "add", "cable", "type", "veth",
            "peer", "name", "cable", "netns", made.node)  # fmt: skip
        for namespace, address in ((made.database, DATABASE), (made.node, NODE)):
            _ip("-n", namespace, "address", "add", f"{address}/30", "dev", "cable")
            _ip("-n", namespace, "link", "set", "cable", "up")
        yield made
    finally:
        for namespace in (made.database, made.node):
            _ip("netns", "delete", namespace, check=False)


def _ip(*arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    told = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert not (check and told.returncode), told.stderr
    return told
