"""Real processes of a cluster on this machine: nodes, a pooler and a balancer from `deploy/`."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy.engine import URL, make_url

from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
POOL = 4
NOTHING: Mapping[str, str] = {}
SBIN = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"


def needs(*programs: str) -> None:
    """Skip where these are not installed; `bin/setup --long` installs all of them."""
    for one in programs:
        if shutil.which(one, path=SBIN) is None:
            pytest.skip(f"{one} is not installed: run bin/setup --long")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_for(true: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Look again and again until it is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.1)


def answers(port: int) -> bool:
    with socket.socket() as one:
        one.settimeout(1)
        return one.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Machine:
    """A folder with the settings all nodes share, and the processes started from it."""

    folder: Path
    environment: dict[str, str]
    stack: ExitStack
    started: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """A `shaoji` process, ended at the end whatever happens; its log is `name`.log."""
        out = self.stack.enter_context((self.folder / f"{name}.log").open("wb"))
        program = "from web.cli import main; main()"
        done = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            cwd=self.folder, env=self.environment, stdout=out, stderr=out,
            start_new_session=True,
        )  # fmt: skip
        self.stack.callback(end, done)
        self.started[name] = done
        return done

    def run(self, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
        program = "from web.cli import main; main()"
        return subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=self.folder, env=self.environment | changed, capture_output=True, text=True,
            check=False,
        )  # fmt: skip

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(encoding="utf-8")


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill all of a program at once, as a machine that dies does."""
    if process.poll() is None:
        own = os.getpgid(process.pid) == process.pid
        (os.killpg if own else os.kill)(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def machine(settings: dict[str, str]) -> Iterator[Machine]:
    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="shaoji-node-") as folder:
        told = {name: told for name, told in os.environ.items() if not name.startswith("SHAOJI_")}
        environment = told | {"PYTHONPATH": str(ROOT)} | settings
        made = Machine(Path(folder), environment, stack)
        try:
            yield made
        except BaseException:
            for name in made.started:
                print(f"--- {name}\n{made.log(name)[-3000:]}")  # pytest shows it
            raise


@contextmanager
def pooler(
    database: URL, names: dict[str, str], more: Mapping[str, str] = NOTHING
) -> Iterator[int]:
    """PgBouncer by deploy/pgbouncer.ini, with other addresses and a small pool; gives its port.

    names: the database each name stands for. more: other values of its settings.
    """
    server = make_url(database)
    where = f"host={server.query['host']} user={server.username}"
    here = {one: f"{where} dbname={real}" for one, real in names.items()} | {
        "auth_type": "trust", "default_pool_size": str(POOL), "reserve_pool_size": "0", **more,
    }  # fmt: skip
    owner = Path(str(server.query["host"])).owner()
    with pooling(here, {str(server.username): ""}, owner) as port:
        yield port


def version_of_pooler() -> tuple[int, int]:
    """Of the PgBouncer that is installed."""
    needs("pgbouncer")
    program = shutil.which("pgbouncer", path=SBIN)
    assert program
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"PgBouncer (\d+)\.(\d+)", told.stdout)
    assert found, told.stdout
    return int(found[1]), int(found[2])


@contextmanager
def pooling(here: dict[str, str], passwords: dict[str, str], owner: str) -> Iterator[int]:
    """PgBouncer by deploy/pgbouncer.ini, with other values for some names; gives its port.

    owner: as whom it runs where the tests are root, which it refuses to be.
    """
    needs("pgbouncer")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="shaoji-pool-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        users = "".join(f'"{user}" "{password}"\n' for user, password in passwords.items())
        (folder / "userlist.txt").write_text(users, encoding="ascii")
        own = {
            "listen_port": str(port), "unix_socket_dir": "", "auth_file": f"{folder}/userlist.txt",
        }  # fmt: skip
        deployed = (DEPLOY / "pgbouncer.ini").read_text(encoding="utf-8")
        (folder / "here.ini").write_text(changed(deployed, here | own), encoding="utf-8")
        as_owner = ["-u", owner] if os.geteuid() == 0 else []
        with running("pgbouncer", *as_owner, str(folder / "here.ini"), port=port):
            yield port


def changed(deployed: str, here: dict[str, str]) -> str:
    """A configuration with other values for some names; those it does not have come last.

    PgBouncer begins a section that stands there twice from its defaults: so one file, changed.
    """
    lines, left = [], dict(here)
    for line in deployed.splitlines():
        name = line.partition(" = ")[0]
        lines.append(f"{name} = {left.pop(name)}" if name in left else line)
    return "\n".join([*lines, *(f"{name} = {told}" for name, told in left.items()), ""])


@contextmanager
def balancer(ports: list[int]) -> Iterator[tuple[int, Callable[[], dict[str, str]]]]:
    """HAProxy by deploy/haproxy.cfg; gives its port, and what it says of each node."""
    needs("haproxy")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="shaoji-front-") as name:
        stats = f"{name}/stats.sock"
        here = {
            "SHAOJI_LISTEN": f"127.0.0.1:{port}", "SHAOJI_STATS": stats,
            "SHAOJI_WEB1": f"127.0.0.1:{ports[0]}", "SHAOJI_WEB2": f"127.0.0.1:{ports[1]}",
        }  # fmt: skip
        with running("haproxy", "-f", str(DEPLOY / "haproxy.cfg"), port=port, **here):
            yield port, lambda: states(stats)


def states(stats: str) -> dict[str, str]:
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(stats)
        one.sendall(b"show stat\n")
        told = b"".join(iter(lambda: one.recv(65536), b"")).decode()
    rows = [line.split(",") for line in told.splitlines() if line and not line.startswith("#")]
    return {row[1]: row[17] for row in rows if row[0] == "nodes" and row[1].startswith("web")}


@contextmanager
def running(name: str, *arguments: str, port: int, **environment: str) -> Iterator[None]:
    program = shutil.which(name, path=SBIN)
    assert program
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            [program, *arguments], env=os.environ | environment, stdout=out, stderr=out
        )
        try:
            wait_for(lambda: answers(port) or process.poll() is not None, name)
            if process.poll() is not None:
                out.seek(0)
                raise AssertionError(out.read().decode())
            yield
        finally:
            end(process)
