"""`shaoji serve` by several processes: one address, one count, one worker, and none left behind."""

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest
from sqlalchemy import text

from benchmarks.serving import House, settle
from engine.database import open_database
from tests.cluster.machines import wait_for
from tests.conftest import ROOT
from tests.engine.test_evidence import keep, photo
from tests.web.test_internal_metrics import TOKEN, of, read
from web import processes, serving
from web.config import Settings, read_settings, usual_processes
from web.serving import NoSeveral, serve

PROGRAM = [sys.executable, "-c", "from web.cli import main; main()"]


@dataclass
class Served:
    """A server of two processes and a worker: the first one, and how to ask."""

    house: House
    first: subprocess.Popen[bytes]
    log: Path

    def ask(self, path: str, **headers: str) -> tuple[int, str]:
        """One question on a connection of its own; 0 if nobody answers."""
        line = HTTPConnection("127.0.0.1", self.house.port, timeout=10)
        try:
            line.request("GET", path, headers=headers)
            answer = line.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, HTTPException):
            return 0, ""
        finally:
            line.close()

    def counted(self) -> float:
        """How often the page for a receipt was asked for, as whoever answers now says."""
        status, told = self.ask("/internal/metrics", Authorization=f"Bearer {TOKEN}")
        assert status == 200, told
        return of(read(told), "shaoji_requests_total", rule="/receipt")

    def children(self) -> list[int]:
        return [int(name) for name in _children(self.first.pid).split()]

    def nodes(self) -> Counter[str]:
        return Counter(self._told("SELECT kind FROM node"))

    def turns(self) -> set[str]:
        """What somebody of the worker's kind has taken on."""
        return set(self._told("SELECT work FROM lease"))

    def _told(self, query: str) -> list[str]:
        engine = open_database(self.house.url)
        with engine.connect() as conn:
            found = list(conn.execute(text(query)).scalars())
        engine.dispose()
        return found


def _children(pid: int) -> str:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")


def is_gone(pid: int) -> bool:
    """Ended: gone, or only waiting to be noticed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):  # the one before it is opened, or after
        return True


@pytest.fixture
def house(tmp_path: Path) -> House:
    return settle(tmp_path, 0)


@pytest.fixture
def begin(house: House, tmp_path: Path) -> Iterator[Callable[..., Served]]:
    token = tmp_path / "metrics.token"
    token.write_text(TOKEN, encoding="ascii")
    token.chmod(0o600)
    started: list[Served] = []

    def begin_one(**changed: str) -> Served:
        log = tmp_path / "server.log"
        own = {"SHAOJI_METRICS_TOKEN": str(token), "SHAOJI_PROCESSES": "2"} | changed
        with log.open("wb") as out:
            first = subprocess.Popen(
                [*PROGRAM, "serve", "--port", str(house.port)], cwd=ROOT, stdout=out, stderr=out,
                env=os.environ | house.env | own, start_new_session=True,
            )  # fmt: skip
        served = Served(house, first, log)
        started.append(served)
        return served

    yield begin_one
    for one in started:
        if one.first.poll() is None:
            os.killpg(one.first.pid, signal.SIGKILL)
        one.first.wait()


def ready(served: Served) -> Served:
    wait_for(lambda: served.ask("/readyz")[0] == 200, "the server to be ready")
    wait_for(lambda: len(served.children()) == 3, "two processes and a worker")
    return served


def test_two_processes_and_one_worker_serve_as_one_and_a_dead_one_is_begun_anew(
    begin: Callable[..., Served],
) -> None:
    served = ready(begin())
    wait_for(lambda: served.nodes() == {"serve": 2, "worker": 1}, "all to tell of themselves")
    assert {served.ask("/receipt")[0] for _ in range(40)} == {200}
    assert {served.counted() for _ in range(20)} == {40}, "whichever answers has the sum"
    # One is killed: nobody who asks meanwhile is told that no work may be sent here.
    dies, *others = served.children()
    os.kill(dies, signal.SIGKILL)
    wait_for(lambda: is_gone(dies), "it to die")
    asked = 0
    while len(served.children()) < 3 or asked < 20:
        assert served.ask("/readyz")[0] == 200
        asked += 1
    assert set(others) < set(served.children())
    wait_for(lambda: "ended (-9)" in served.log.read_text(encoding="utf-8"), "a line in the log")
    assert {served.counted() for _ in range(10)} == {40}, "what it had counted stays counted"
    assert served.ask("/receipt")[0] == 200
    assert served.counted() == 41
    children = served.children()
    served.first.send_signal(signal.SIGTERM)
    assert served.first.wait(20) == 0
    assert all(map(is_gone, children))
    assert served.ask("/healthz")[0] == 0
    # The killed one took no leave; all others did.
    assert served.nodes() == {"serve": 1}


@pytest.mark.parametrize("processes", ["1", "2"])
def test_the_worker_does_everything_whether_in_a_thread_or_a_process(
    house: House, begin: Callable[..., Served], processes: str
) -> None:
    folder = Path(house.env["SHAOJI_EVIDENCE_DIR"])
    folder.mkdir(exist_ok=True)
    kept = keep(folder, photo())
    served = begin(SHAOJI_PROCESSES=processes)
    wait_for(lambda: served.ask("/readyz")[0] == 200, "the server to be ready")
    wait_for(lambda: copies(folder, kept.sha256) == 2, "both copies of the photo", 60)
    loops = {"anchors", "figures", "retention", "sequencer", "signals", "flows", "publication"}
    wait_for(lambda: loops <= served.turns(), "the worker to take its turns", 60)


def copies(folder: Path, sha256: str) -> int:
    return len(list((folder / "served").rglob(f"{sha256}-*.jpg")))


def test_guesses_are_counted_by_all_processes_together(begin: Callable[..., Served]) -> None:
    served = ready(begin())
    answers = [served.ask(f"/receipt?number=R-ZZZZ-{n:04d}")[0] for n in range(60)]
    assert answers.count(429) >= 25, Counter(answers)
    first = answers.index(429)
    assert set(answers[first:]) == {429}, "once stopped, stopped whichever process is asked"


def test_behind_a_proxy_all_say_that_they_end_before_they_do(begin: Callable[..., Served]) -> None:
    served = ready(begin(SHAOJI_PROXIES="1"))
    served.first.send_signal(signal.SIGTERM)
    wait_for(lambda: {served.ask("/readyz")[0] for _ in range(10)} == {503}, "both to say so")
    assert {served.ask("/healthz")[0] for _ in range(10)} == {200}
    assert served.first.wait(20) == 0


def test_when_the_first_is_killed_nobody_answers_for_it(begin: Callable[..., Served]) -> None:
    served = ready(begin())
    children = served.children()
    served.first.kill()
    served.first.wait()
    wait_for(lambda: all(map(is_gone, children)), "all to notice")
    assert served.ask("/healthz")[0] == 0


def test_settings_that_cannot_be_used_end_it_with_the_sentence(
    begin: Callable[..., Served], tmp_path: Path
) -> None:
    bad = tmp_path / "bad.token"
    bad.write_text("short", encoding="ascii")
    bad.chmod(0o600)
    served = begin(SHAOJI_METRICS_TOKEN=str(bad))
    assert served.first.wait(30) == 1
    assert "32" in served.log.read_text(encoding="utf-8")


@pytest.mark.parametrize("count", ["1", "2"])
def test_an_address_that_is_taken_is_told_in_a_sentence(
    house: House, begin: Callable[..., Served], count: str
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", house.port))
        other.listen()
        served = begin(SHAOJI_PROCESSES=count)
        assert served.first.wait(30) == 1
    told = served.log.read_text(encoding="utf-8")
    assert f"不能在 127.0.0.1:{house.port} 上提供网页" in told
    assert "Traceback" not in told


def test_a_system_that_cannot_fork_serves_by_one_process_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(serving, "can_fork", lambda: False)
    settings = Settings("k" * 48, f"sqlite:///{tmp_path}/street.db", processes=2)
    with pytest.raises(NoSeveral) as refused:
        serve(settings, "127.0.0.1", 0, with_worker=False)
    assert "SHAOJI_PROCESSES" in refused.value.chinese
    monkeypatch.delattr(os, "fork")
    assert usual_processes() == 1


def test_by_default_there_is_a_process_for_each_core_and_four_at_most(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for cores, wanted in ((1, 1), (2, 2), (64, 4)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, n=cores: set(range(n)))
        assert usual_processes() == wanted
    assert read_settings({}, var=tmp_path).processes == 0, "as usual"
    assert read_settings({"SHAOJI_PROCESSES": "3"}, var=tmp_path).processes == 3


# --- keeping them ---------------------------------------------------------------------------------


def test_what_dies_again_and_again_is_begun_ever_more_seldom(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """Really forked: a part that dies at once, beside one that lives; ended by a signal."""
    tries = tmp_path / "tries"
    tries.touch()

    def die() -> None:
        with tries.open("a") as file:
            file.write("x")
        os._exit(9)

    def live() -> None:
        signal.pause()

    def end_then(record: logging.LogRecord) -> bool:
        if "in 4 s" in record.getMessage():
            os.kill(os.getpid(), signal.SIGTERM)
        return True

    processes.logger.addFilter(end_then)
    assert processes.run([processes.Part("dies", die), processes.Part("lives", live)]) == 0
    processes.logger.removeFilter(end_then)
    # At 0, after 1 s, after 2 s more; the next would be due 4 s later.
    assert tries.read_text() == "xxx"
    rests = re.findall(r"dies ended \(9\); begun anew in (\d+) s", caplog.text)
    assert rests == ["1", "2", "4"]


def test_what_is_told_to_end_while_it_is_set_up_ends_once_it_is(tmp_path: Path) -> None:
    left = tmp_path / "left"

    def leave(*_: object) -> None:
        left.touch()
        raise SystemExit(0)

    def set_up_slowly() -> None:
        with suppress(BaseException):  # as somebody does somewhere in a library
            os.kill(os.getppid(), signal.SIGTERM)  # the first passes it on
            time.sleep(2)
        processes.at_the_end(leave)
        signal.pause()

    assert processes.run([processes.Part("slow", set_up_slowly)]) == 0
    assert left.exists()
