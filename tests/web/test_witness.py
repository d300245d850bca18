"""The pages of a witness: the protocol over HTTP, and what people read there."""

import html
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from pathlib import Path
from threading import Timer
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from audit.checkpoint import check_cosignatures, open_checkpoint
from audit.note import VerifierKey, read_signatures, read_vkey
from audit.policy import read_policy
from audit.witness import LARGEST_REQUEST, write_request
from engine.witnessed import open_store
from tests.witnessing import ORIGIN, Grown, signer, witness_signer
from web.witness import create_witness, log_id

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
LOG = Grown()
FORGED = Grown(history="forged ", fork=2)
WITNESS = witness_signer()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Engine]:
    opened = open_store(tmp_path)
    yield opened
    opened.dispose()


@pytest.fixture
def client(store: Engine) -> FlaskClient:
    other = signer("elsewhere.example").key
    return create_witness(store, WITNESS, [LOG.key.key, other], lambda: NOON).test_client()


def test_a_cosignature_is_answered_as_the_specification_has_it(client: FlaskClient) -> None:
    told = client.post("/add-checkpoint", data=LOG.request(0, 5))
    assert told.status_code == 200
    note = LOG.note(5).signed(*read_signatures(told.data))
    assert check_cosignatures(note, [WITNESS.key]) == {WITNESS.key: int(NOON.timestamp())}


def test_refusals_have_the_status_of_the_specification(client: FlaskClient) -> None:
    client.post("/add-checkpoint", data=LOG.request(0, 5))
    stranger = Grown(origin="x.example", key=signer("x.example"))
    impostor = Grown(key=signer(ORIGIN, seed="impostor"))
    for status, data in [
        (400, b"old 5"),
        (400, LOG.request(9, 5)),
        (403, impostor.request(5, 9)),
        (404, stranger.request(0, 3)),
        (409, LOG.request(3, 9)),
        (409, FORGED.request(5, 5)),
        (422, FORGED.request(5, 9)),
    ]:
        assert client.post("/add-checkpoint", data=data).status_code == status
    late = client.post("/add-checkpoint", data=LOG.request(3, 9))
    assert (late.headers["Content-Type"], late.data) == ("text/x.tlog.size", b"5\n")


def test_a_request_too_large_is_not_read(client: FlaskClient) -> None:
    data = write_request(0, [], LOG.note(5)) + b"x" * LARGEST_REQUEST
    assert client.post("/add-checkpoint", data=data).status_code == 413


def test_the_page_says_whom_it_witnesses_and_what_it_saw_last(client: FlaskClient) -> None:
    client.post("/add-checkpoint", data=LOG.request(0, 5))
    page = client.get("/").text
    assert "见证 2 个日志" in page
    assert "还没有见证过" in page
    for told in (ORIGIN, LOG.key.key.vkey, "3月2日 12:00", ">5<", "elsewhere.example"):
        assert told in html.unescape(page)
    assert "分叉" not in page
    assert "Witness of 2 logs" in client.get("/?language=en").text


def test_the_line_for_the_policy_can_be_copied_as_it_is(client: FlaskClient) -> None:
    page = html.unescape(client.get("/").text)
    line = re.search(r">(witness \S+ \S+ http\S+/)<", page)
    assert line
    policy = read_policy(f"{line[1]}\nquorum none\n")
    assert policy.witnesses[0].key == WITNESS.key
    assert policy.witnesses[0].url == "http://localhost/"


def test_a_fork_is_shown_with_both_checkpoints_for_whoever_comes(client: FlaskClient) -> None:
    client.post("/add-checkpoint", data=LOG.request(0, 5))
    client.post("/add-checkpoint", data=FORGED.request(5, 5))
    page = html.unescape(client.get("/").text)
    assert "有日志分叉" in page
    shown = re.findall(r"<pre[^>]*>(.*?)</pre>", page, re.DOTALL)
    notes = [open_checkpoint(one.encode())[0] for one in shown]
    assert [one.text for one in notes] == [LOG.note(5).text, FORGED.note(5).text]


def test_a_proof_that_fails_is_shown_as_owed_until_it_is_given(client: FlaskClient) -> None:
    client.post("/add-checkpoint", data=LOG.request(0, 5))
    client.post("/add-checkpoint", data=write_request(5, [], LOG.note(9)))
    page = client.get("/").text
    assert "没有证明是接着旧记录往后加的" in page
    assert "有日志分叉" not in page
    client.post("/add-checkpoint", data=LOG.request(5, 9))
    assert "没有证明是接着旧记录往后加的" not in client.get("/").text


def test_what_was_cosigned_can_be_taken_along(client: FlaskClient) -> None:
    client.post("/add-checkpoint", data=LOG.request(0, 5))
    for name in ("latest", "2026-03-02"):
        told = client.get(f"/logs/{log_id(ORIGIN)}/{name}.checkpoint")
        note, checkpoint = open_checkpoint(told.data)
        assert checkpoint.size == 5
        assert check_cosignatures(note, [WITNESS.key])
        assert "attachment" in told.headers["Content-Disposition"]
    for path in (f"/logs/{log_id(ORIGIN)}/2026-03-03", "/logs/0/latest"):
        assert client.get(f"{path}.checkpoint").status_code == 404


def test_what_a_log_is_called_is_text_on_the_page(store: Engine) -> None:
    origin = "<script>alert(1)</script>"
    odd = Grown(origin=origin, key=signer(origin))
    client = create_witness(store, WITNESS, [odd.key.key], lambda: NOON).test_client()
    assert client.post("/add-checkpoint", data=odd.request(0, 2)).status_code == 200
    page = client.get("/")
    assert "<script>" not in page.text
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]


# --- as a program ---------------------------------------------------------------------------------


class Running:
    """`shaoji witness` as a process of its own."""

    def __init__(self, folder: Path) -> None:
        command = [
            sys.executable, "-c", "from web.cli import main; main()", "witness",
            "--state", "state", "--name", "witness.example/district", "--port", "0",
            "--log", LOG.key.key.vkey,
        ]  # fmt: skip
        environ = {**os.environ, "SHAOJI_SECRET_KEY": "k" * 40, "PYTHONUNBUFFERED": "1"}
        root = str(Path(__file__).parents[2])
        environ["PYTHONPATH"] = root
        self.process = subprocess.Popen(
            command, cwd=folder, env=environ, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        self.key: VerifierKey | None = None
        for line in self.process.stdout:
            if line.startswith("witness.example/district+"):
                self.key = read_vkey(line.strip())
            found = re.match(r"http://127\.0\.0\.1:\d+", line)
            if found:
                self.url = found[0]
                return
        raise AssertionError("the witness did not start")

    def ask(self, data: bytes) -> tuple[int, bytes]:
        try:
            asked = Request(f"{self.url}/add-checkpoint", data)  # noqa: S310 - http on 127.0.0.1
            with urlopen(asked, timeout=30) as told:  # noqa: S310 - the same
                return told.status, told.read()
        except HTTPError as refused:
            with refused:
                return refused.code, refused.read()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()


def test_a_witness_killed_at_any_moment_never_forgets_what_it_has_cosigned(
    tmp_path: Path,
) -> None:
    size, key = 0, None
    for round_ in range(3):
        running = Running(tmp_path)
        assert key in (None, running.key)
        key = running.key
        assert key
        status, told = running.ask(LOG.request(0, 1))
        # What it has said before it was killed it knows, and perhaps one more.
        known = 1 if status == 200 else int(told)
        assert status == (409 if size else 200)
        assert known in (size, size + 1)
        size = known
        killer = Timer(0.2 + 0.13 * round_, running.process.kill)
        killer.start()
        try:
            while True:
                status, told = running.ask(LOG.request(size, size + 1))
                assert status == 200, told
                note = LOG.note(size + 1).signed(*read_signatures(told))
                at = check_cosignatures(note, [key])[key]
                assert abs(datetime.fromtimestamp(at, UTC) - datetime.now(UTC)) < timedelta(hours=1)
                size += 1
        except (OSError, HTTPException):
            pass
        killer.join()
        running.end()
        assert size
