"""A step done through the real server: what a browser sends, and how long until it is answered.

`shaoji serve` as it is started for a street (as many processes as there are cores, eight threads
each, its worker beside them) on a fresh SQLite file, `synchronous=FULL`. Eight clients, signed in
by password, each with its session cookie and CSRF token on a connection that is kept alive,
complete a different open step with every request: POST, the answer is 303, durable. In turn with it
the same eight ask the same server for `/healthz`, which does next to nothing: what server, threads
and clients cost by themselves.

    python benchmarks/serving.py [--steps 100] [--rounds 3] [--processes N] [--json]
    python benchmarks/serving.py --profile FILE

--steps: of each client in a round. What the processor worked is told apart for the server, with
all its processes, and for the clients. Afterwards the log is verified and every step looked for.
--profile: of one process, every function of it, all threads together.
"""

import argparse
import http.client
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

sys.path.insert(0, str(Path(__file__).parents[1]))

from engine.accounts import create_account, hash_password
from engine.cases import Place, Report, open_case
from engine.casework import read_case
from engine.database import open_database, reading
from engine.people import By, create_unit, grant_post, register_person
from engine.verification import verify
from web.config import read_settings
from web.founding import STREET, found

ROOT = Path(__file__).parents[1]
CLIENTS = 8
WARM = 3
FORM = "application/x-www-form-urlencoded"
PASSWORD = "benchmark-only-password"  # noqa: S105 - of accounts that live for a minute
ANSWERS = {
    "verdict": "hazard", "level": "general", "category": "charging", "danger_now": "false",
    "object": "3 幢车棚", "reason": "属实",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class House:
    """A street to serve: its settings as environment, its port, its open cases."""

    env: dict[str, str]
    port: int
    cases: list[str]

    @property
    def url(self) -> str:
        return self.env["SHAOJI_DATABASE_URL"]


def settle(folder: Path, cases: int) -> House:
    """Found a street with eight who confirm, and open so many cases."""
    env = {
        "SHAOJI_SECRET_KEY": "benchmark" * 8,
        "SHAOJI_DATABASE_URL": f"sqlite:///{folder}/street.db",
        "SHAOJI_EVIDENCE_DIR": str(folder / "evidence"),
        "SHAOJI_RECEIVERS_DIR": str(folder / "receivers"),
        "SHAOJI_ORIGIN": "log.bench.example",
        "SHAOJI_COOKIE_SECURE": "no",
    }
    at = datetime.now(UTC) - timedelta(hours=1)
    engine = open_database(env["SHAOJI_DATABASE_URL"])
    keys = read_settings(env).keys
    found(engine, "log.bench.example", street="演示街道", account="admin", name="管理员演示",
          keys=keys, at=at)  # fmt: skip
    with engine.begin() as conn:
        by = By("p-0001")
        create_unit(conn, "u-one", kind="community", name="一社区", parent=STREET, by=by, at=at)
        hashed = hash_password(PASSWORD)
        for n in range(CLIENTS + 1):
            person = register_person(conn, f"网格长{n}演示", by=by, at=at)
            grant_post(conn, person, "u-one", "网格长", ["confirm", "report"], reason="到任",
                       by=by, at=at)  # fmt: skip
            create_account(conn, f"head{n}", person, hashed, by=by, at=at)
    form = {"title": "车棚飞线充电", "category": "charging", "address": "3 幢",
            "description": "有人从楼上拉线充电"}  # fmt: skip
    report = Report("hazard", "charging", "车棚飞线充电", Place("u-one", "3 幢"), form)
    opened = []
    for _ in range(cases):
        with engine.begin() as conn:
            opened.append(open_case(conn, report, by=By(person), at=at).case)
    engine.dispose()
    return House(env, free_port(), opened)


def free_port() -> int:
    """A port nobody listens at now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def serve(
    house: House, profile: Path | None = None, processes: int | None = None
) -> "subprocess.Popen[bytes]":
    """Start the server and wait until it answers; by as many processes as usual, or so many."""
    program = "from web.cli import main; main()"
    if profile:
        program = _profiled(program, profile)
    command = [sys.executable, "-c", program, "serve", "--port", str(house.port)]
    if profile or processes:
        command += ["--processes", str(1 if profile else processes)]
    server = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | house.env, stdout=subprocess.DEVNULL
    )
    for _ in range(300):
        with closing(Client(house.port).wire) as wire:
            try:
                wire.request("GET", "/healthz")
                wire.getresponse().read()
            except OSError:
                time.sleep(0.1)
            else:
                return server
    raise RuntimeError("the server does not answer")


def _profiled(program: str, path: Path) -> str:
    """What each function of the program takes, in all of waitress's threads together."""
    return (
        "import cProfile, threading, atexit, waitress.task as t\n"
        "p, lock = cProfile.Profile(), threading.Lock()\n"
        "plain = t.WSGITask.execute\n"
        "def execute(self):\n"
        "    with lock:\n"
        "        return p.runcall(plain, self)\n"
        "t.WSGITask.execute = execute\n"
        f"atexit.register(p.dump_stats, {str(path)!r})\n"
        f"{program}"
    )


class Answer(NamedTuple):
    """What the server said: status, text, and where a browser is sent next."""

    status: int
    text: str
    location: str


class Client:
    """One browser, on one connection that is kept alive."""

    def __init__(self, port: int, account: str = "") -> None:
        self.wire = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.cookies: dict[str, str] = {}
        self.token = ""
        if account:
            self.token = self._token("/sign-in")
            told = {"name": account, "password": PASSWORD, "csrf_token": self.token}
            assert self.post("/sign-in", told) == 303, account
            self.token = self._token("/inbox")

    def get(self, path: str) -> str:
        return self.send("GET", path).text

    def post(self, path: str, form: dict[str, str]) -> int:
        return self.send("POST", path, urlencode(form)).status

    def complete(self, case: str) -> float:
        """Confirm a case; in seconds."""
        task = quote("confirm#1")
        form = ANSWERS | {"csrf_token": self.token, "key": f"bench-{case}"}
        # The cookie as it is after signing in: the answer's has a sentence for the page a browser
        # opens next, and would grow with every step here.
        kept = dict(self.cookies)
        begun = time.perf_counter()
        status = self.post(f"/cases/{case}/tasks/{task}/completion", form)
        spent = time.perf_counter() - begun
        self.cookies = kept
        assert status == 303, f"{case}: {status}"
        return spent

    def healthz(self, _: str) -> float:
        begun = time.perf_counter()
        self.get("/healthz")
        return time.perf_counter() - begun

    def _token(self, path: str) -> str:
        told = re.search(r'name="csrf_token" value="([^"]+)"', self.get(path))
        assert told, path
        return told[1]

    def send(
        self, method: str, path: str, body: str | bytes | None = None, media: str = FORM
    ) -> Answer:
        """Ask as this browser; body: in the form `media` says."""
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if body is not None:
            headers["Content-Type"] = media
        self.wire.request(method, path, body, headers)
        answer = self.wire.getresponse()
        text = answer.read().decode("utf-8", "replace")
        for told in answer.headers.get_all("Set-Cookie") or ():
            name, _, value = told.partition(";")[0].partition("=")
            self.cookies[name] = value
        return Answer(answer.status, text, answer.headers.get("Location", ""))


def at_once(clients: list[Client], act: str, todo: list[list[str]]) -> tuple[float, list[float]]:
    """All clients act on theirs, one after the other; requests a second, and ms of each."""
    start, spent = Barrier(len(clients) + 1), list[float]()
    faults = list[BaseException]()

    def run(client: Client, cases: list[str]) -> None:
        start.wait()
        try:
            spent.extend(1000 * getattr(client, act)(case) for case in cases)
        except BaseException as fault:
            faults.append(fault)
            raise

    threads = [Thread(target=run, args=told) for told in zip(clients, todo, strict=True)]
    for thread in threads:
        thread.start()
    start.wait()
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    assert not faults, faults
    return len(spent) / (time.perf_counter() - begun), sorted(spent)


def worked(first: int) -> float:
    """Seconds the processor worked for a process and those it has begun, dead ones too."""
    ticks, family = 0, {first}
    told = [path.read_text().rpartition(")") for path in Path("/proc").glob("[0-9]*/stat")]
    stats = {int(name.partition(" ")[0]): rest.split() for name, _, rest in told}
    for pid in sorted(stats):
        if pid in family or int(stats[pid][1]) in family:
            family.add(pid)
            ticks += sum(int(n) for n in stats[pid][11:13])
    ticks += sum(int(n) for n in stats[first][13:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def measure(house: House, server: int, steps: int, rounds: int) -> dict[str, Any]:
    """All rounds, in turn; the first of some steps each warms the server up."""
    clients = [Client(house.port, f"head{n}") for n in range(CLIENTS)]
    cases = iter(house.cases)

    def some(count: int) -> list[list[str]]:
        return [[next(cases) for _ in range(count)] for _ in clients]

    at_once(clients, "complete", some(WARM))
    ours, bare, spent = [], [], list[float]()
    of_server = of_clients = 0.0
    for _ in range(rounds):
        bare.append(at_once(clients, "healthz", [[""] * steps] * CLIENTS)[0])
        before = worked(server), time.process_time()
        per_second, each = at_once(clients, "complete", some(steps))
        of_server += worked(server) - before[0]
        of_clients += time.process_time() - before[1]
        ours.append(per_second)
        spent += each
    spent.sort()
    return {
        "completed": len(spent),
        "steps_per_s": round(statistics.median(ours), 1),
        "healthz_per_s": round(statistics.median(bare), 1),
        "ratio_to_healthz": round(statistics.median(ours) / statistics.median(bare), 3),
        "median_ms": round(statistics.median(spent), 1),
        "p95_ms": round(spent[int(len(spent) * 0.95)], 1),
        "longest_ms": round(spent[-1], 1),
        "server_processor_ms": round(1000 * of_server / len(spent), 2),
        "clients_processor_ms": round(1000 * of_clients / len(spent), 2),
    }


def check(house: House, done: int) -> None:
    """Every step answered is in the log, which is whole."""
    engine = open_database(house.url)
    with reading(engine).begin() as conn:
        verdict = verify(conn)
        confirmed = sum("confirm" in read_case(conn, case).doers for case in house.cases)
    engine.dispose()
    assert verdict.ok, verdict.problems
    assert confirmed == done, (confirmed, done)


def main() -> None:
    """Measure, print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int)
    parser.add_argument("--profile", type=Path, help="write cProfile statistics of the server here")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        house = settle(Path(folder), CLIENTS * (WARM + chosen.steps * chosen.rounds))
        server = serve(house, chosen.profile, chosen.processes)
        try:
            told = measure(house, server.pid, chosen.steps, chosen.rounds)
        finally:
            server.terminate()
            server.wait()
        check(house, told["completed"] + CLIENTS * WARM)
    if chosen.json:
        print(json.dumps(told, indent=1))
        return
    for name, value in told.items():
        print(f"{name:20} {value}")


if __name__ == "__main__":
    main()
