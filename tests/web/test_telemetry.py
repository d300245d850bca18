"""Spans: what a collector really receives, that it is nothing of anybody; that it can be gone."""

import json
import logging
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from threading import enumerate as enumerate_threads
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

import web
from benchmarks.serving import serve, settle
from engine.checkup import HOLDS, LOOK, Finding
from tests.conftest import ROOT, Street
from tests.web.conftest import Visitor
from tests.web.hotline_pages import hotline_template as hotline_template
from tests.web.test_authorisation import COMPLAINT
from tests.web.test_request_log import CANARY, HANZI, House
from tests.web.test_request_log import house as house
from web import telemetry
from web.background import Chores, run_worker
from web.cli import main
from web.config import BadSettings, Settings, read_settings
from web.doctor import Looking, check_telemetry
from web.spans import SILENT, Spans

PARENT = "4bf92f3577b34da6a3ce929d0e0e4736"
ON = Settings(secret_key="k" * 48, telemetry="otlp")


@dataclass
class Collector:
    """A receiver of OTLP over HTTP on this machine: what came, and how it answers."""

    status: int = 200
    holds: bool = False
    body: bytes = b""
    came: list[ExportTraceServiceRequest] = field(default_factory=list)
    bytes_: list[bytes] = field(default_factory=list)
    url: str = ""
    freed: Event = field(default_factory=Event)

    def spans(self) -> list[Span]:
        return [
            span
            for message in list(self.came)
            for resource in message.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def by_process(self, name: str) -> set[str]:
        """The processes that have told of this, by the names they have here."""
        return {
            one.value.string_value
            for message in list(self.came)
            for resource in message.resource_spans
            if name in [span.name for scope in resource.scope_spans for span in scope.spans]
            for one in resource.resource.attributes
            if one.key == "service.instance.id"
        }

    def wait_for(self, name: str, seconds: float = 10) -> list[Span]:
        """All spans of this name, once there are any."""
        end = time.monotonic() + seconds
        while not (found := [one for one in self.spans() if one.name == name]):
            assert time.monotonic() < end, [one.name for one in self.spans()]
            time.sleep(0.02)
        return found


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    found = Collector()

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/v1/traces"
            found.bytes_.append(body)
            found.came.append(ExportTraceServiceRequest.FromString(body))
            if found.holds:
                found.freed.wait()
            self.send_response(found.status)
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    yield found
    found.freed.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens where spans go."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.3")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")


@pytest.fixture
def begin() -> Iterator[Callable[..., Spans]]:
    begun: list[Spans] = []

    def one(settings: Settings = ON, **more: Any) -> Spans:
        begun.append(telemetry.begin(settings, **more))
        return begun[-1]

    yield one
    for spans in begun:
        spans.stop()


@pytest.fixture
def app(house: House, begin: Callable[..., Spans], collector: Collector) -> Iterator[Flask]:
    """The pages of the street with its hotline, whose spans are sent to the collector."""
    assert collector.url
    house.app.extensions["shaoji.spans"] = begin()
    yield house.app
    house.app.extensions["shaoji.spans"] = SILENT


def facts(span: Span) -> dict[str, Any]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


# --- requests -------------------------------------------------------------------------------------


def test_a_request_is_told_by_its_rule_and_its_id_and_by_nothing_else(
    app: Flask, collector: Collector
) -> None:
    before = time.time_ns()
    answer = app.test_client().get(f"/sign-in?next=/{CANARY}")
    (span,) = collector.wait_for("GET /sign-in")
    assert facts(span) == {
        "http.request.method": "GET",
        "http.route": "/sign-in",
        "http.response.status_code": 200,
        "shaoji.request.id": answer.headers["X-Request-ID"],
    }
    assert span.kind == Span.SPAN_KIND_SERVER
    assert span.status.code == Status.STATUS_CODE_UNSET
    assert before <= span.start_time_unix_nano <= span.end_time_unix_nano <= time.time_ns()
    assert not span.parent_span_id
    assert not span.events
    assert not span.links
    (resource,) = {one.resource.SerializeToString() for one in collector.came[0].resource_spans}
    assert b"shaoji" in resource
    names = {one.key for one in collector.came[0].resource_spans[0].resource.attributes}
    assert names == {
        "service.name", "service.version", "service.instance.id",
        "telemetry.sdk.language", "telemetry.sdk.name", "telemetry.sdk.version",
    }  # fmt: skip


def test_an_address_nobody_serves_and_a_method_nobody_knows_are_not_repeated(
    app: Flask, collector: Collector
) -> None:
    app.test_client().open(f"/{CANARY}", method=CANARY.upper())
    (span,) = collector.wait_for("OTHER")
    told = facts(span)
    del told["shaoji.request.id"]
    assert told == {"http.request.method": "OTHER", "http.response.status_code": 404}


def test_a_fault_of_ours_is_marked_and_not_told(
    app: Flask, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trip(*_: Any, **__: Any) -> None:
        raise KeyError(HANZI)

    visitor = Visitor(app.test_client())
    token = visitor.token()
    monkeypatch.setattr("engine.accounts.sign_in", trip)
    typed = {"csrf_token": token, "name": CANARY, "password": HANZI}
    assert visitor.client.post("/sign-in", data=typed).status_code == 500
    (span,) = collector.wait_for("POST /sign-in")
    assert span.status.code == Status.STATUS_CODE_ERROR
    assert not span.status.message
    assert facts(span)["http.response.status_code"] == 500


def test_nobody_elses_trace_is_taken_up(app: Flask, collector: Collector) -> None:
    """It could be a message, lead to a resident's address in a proxy's log, or switch us off."""
    sent = {"traceparent": f"00-{PARENT}-00f067aa0ba902b7-00", "tracestate": f"a={CANARY}"}
    app.test_client().get("/complain", headers=sent)
    app.test_client().get("/sign-in", headers=sent)
    for name in ("GET /complain", "GET /sign-in"):
        (span,) = collector.wait_for(name)
        assert span.trace_id.hex() != PARENT
        assert not span.parent_span_id
        assert not span.trace_state


def test_nothing_of_a_sealed_complaint_a_search_or_a_person_gets_into_a_span(
    house: House, app: Flask, collector: Collector
) -> None:
    visitor = Visitor(app.test_client())
    visitor.sign_in("searcher")
    asked = {
        f"/cases/{COMPLAINT}": "GET /cases/<case_id>",
        f"/cases?q={HANZI}%20{CANARY}": "GET /cases",
        f"/q/{CANARY}": "GET /q/<code>",
    }
    assert visitor.get(f"/cases/{COMPLAINT}").status_code == 200, "it is open to them"
    for path in asked:
        visitor.client.get(path, headers={"User-Agent": CANARY, "X-Forwarded-For": CANARY})
    app.test_client().post("/complain", data={"text": f"{CANARY} {HANZI}"})
    for name in (*asked.values(), "POST /complain"):
        for span in collector.wait_for(name):
            assert facts(span).keys() <= {
                "http.request.method", "http.route", "http.response.status_code",
                "shaoji.request.id",
            }  # fmt: skip
    told = b"".join(collector.bytes_)
    people = [*house.street.person.values(), *house.street.person]
    for word in (CANARY, HANZI, COMPLAINT, "searcher", "演示", *people):
        assert word.encode() not in told, word


def test_what_watches_the_server_is_not_told(app: Flask, collector: Collector) -> None:
    app.test_client().get("/healthz")
    app.test_client().get("/sign-in")
    collector.wait_for("GET /sign-in")
    assert [one.name for one in collector.spans()] == ["GET /sign-in"]


# --- a collector that is not as it should be ------------------------------------------------------


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.message for one in caplog.records if one.levelno >= logging.WARNING]


@pytest.fixture
def small_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few pages fill what waits to be sent."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "4")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")


@pytest.mark.usefixtures("down", "small_queue")
def test_a_collector_that_is_down_keeps_no_page_and_is_said_once(
    house: House, begin: Callable[..., Spans], caplog: pytest.LogCaptureFixture
) -> None:
    spans = begin()
    house.app.extensions["shaoji.spans"] = spans
    client = house.app.test_client()
    for _ in range(40):
        assert client.get("/sign-in").status_code == 200
        time.sleep(0.02)
    house.app.extensions["shaoji.spans"] = SILENT
    spans.stop()
    assert len(lines(caplog)) == 1
    assert "lost" in lines(caplog)[0]


@pytest.mark.usefixtures("small_queue")
def test_pages_are_answered_and_a_process_ends_while_the_collector_still_keeps_the_first_batch(
    house: House, begin: Callable[..., Spans], collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "600")
    collector.holds = True
    spans = begin()
    house.app.extensions["shaoji.spans"] = spans
    client = house.app.test_client()
    for _ in range(40):
        assert client.get("/sign-in").status_code == 200
    house.app.extensions["shaoji.spans"] = SILENT
    collector.wait_for("GET /sign-in")
    spans.stop()
    assert len(collector.came) == 1, "nothing more is sent before an answer: it is kept until now"
    assert "shaoji-spans-end" in {one.name for one in enumerate_threads()}


def test_rubbish_is_lost_and_said_once_and_so_is_that_it_is_over(
    app: Flask, collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    collector.status, collector.body = 400, b"\x00rubbish"
    for expected in (1, 2, 3):
        app.test_client().get("/sign-in")
        end = time.monotonic() + 5
        while len(collector.spans()) < expected and time.monotonic() < end:
            time.sleep(0.02)
    time.sleep(0.1)
    assert len(lines(caplog)) == 1
    collector.status = 200
    app.test_client().get("/sign-in")
    end = time.monotonic() + 5
    while len(lines(caplog)) < 2 and time.monotonic() < end:
        time.sleep(0.02)
    assert "again" in lines(caplog)[1]


def test_what_waits_is_sent_before_a_process_ends(
    begin: Callable[..., Spans], collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
    spans = begin()
    with spans.round("worker"):
        pass
    spans.stop()
    assert [one.name for one in collector.spans()] == ["round worker"]


# --- the worker, the command line -----------------------------------------------------------------


def test_a_round_of_the_worker_tells_how_much_it_did(
    sqlite_street: Street, begin: Callable[..., Spans], collector: Collector
) -> None:
    sqlite_street.report()
    stop = Event()
    worker = Thread(
        target=run_worker, args=(sqlite_street.database, stop),
        kwargs={"clock": lambda: sqlite_street.at, "chores": Chores(spans=begin())},
    )  # fmt: skip
    worker.start()
    (span,) = collector.wait_for("round worker")[:1]
    stop.set()
    worker.join()
    assert facts(span) == {
        "shaoji.loop": "worker", "shaoji.done.destroyed": 0, "shaoji.done.clocks": 0,
        "shaoji.done.messages": 0, "shaoji.done.listed": 0, "shaoji.done.integrated": 0,
    }  # fmt: skip
    sqlite_street.check()


def test_a_round_that_fails_tells_the_type_of_the_fault_alone(
    begin: Callable[..., Spans], collector: Collector
) -> None:
    spans = begin()

    def fail() -> None:
        with spans.round("signals") as told:
            told.done["cases"] = 2
            raise KeyError(CANARY)

    with pytest.raises(KeyError):
        fail()
    (span,) = collector.wait_for("round signals")
    assert facts(span) == {
        "shaoji.loop": "signals", "shaoji.done.cases": 2, "error.type": "KeyError",
    }  # fmt: skip
    assert span.status.code == Status.STATUS_CODE_ERROR
    assert not span.status.message
    assert not span.events


def test_a_command_is_told_by_its_name_and_how_it_ended(
    collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHAOJI_TELEMETRY", "otlp")
    monkeypatch.setenv("SHAOJI_SECRET_KEY", "k" * 48)
    monkeypatch.setenv("SHAOJI_DATABASE_URL", f"sqlite:///{tmp_path}/street.db")
    monkeypatch.setenv("SHAOJI_KEYS_DIR", str(tmp_path / "keys"))
    ran = CliRunner().invoke(
        main, ["user", "add", CANARY, "--name", HANZI, "--unit", "u", "--title", "t", "--duty", "x"]
    )
    assert ran.exit_code == 1
    (span,) = collector.spans()
    assert span.name == "shaoji user add"
    assert facts(span) == {"shaoji.command": "user add", "process.exit.code": 1}
    assert CANARY.encode() not in b"".join(collector.bytes_)
    assert HANZI.encode() not in b"".join(collector.bytes_)


# --- settings and the doctor ----------------------------------------------------------------------


def test_unless_asked_for_nothing_is_sent_nor_even_loaded() -> None:
    assert telemetry.begin(replace(ON, telemetry="off")) is SILENT
    script = (
        "import sys; import web.cli, web.serving;"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'opentelemetry'}))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"


def test_asked_for_and_not_installed_it_is_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "web.otlp", raising=False)
    monkeypatch.delattr(web, "otlp", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(BadSettings, match=re.escape("shaoji[telemetry]")):
        telemetry.check(ON)
    ran = CliRunner().invoke(
        main, ["serve"], env={"SHAOJI_TELEMETRY": "otlp", "SHAOJI_SECRET_KEY": "k" * 48}
    )
    assert ran.exit_code == 1
    assert "shaoji[telemetry]" in ran.output


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
    ],
)
def test_a_collector_that_cannot_be_meant_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSettings, match="OTEL_EXPORTER_OTLP_"):
        telemetry.check(ON)


def test_batches_that_cannot_be_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "-1")
    with pytest.raises(BadSettings, match="OTEL_BSP"):
        telemetry.begin(ON)


def test_a_word_that_is_no_way_to_send_is_refused() -> None:
    with pytest.raises(BadSettings, match="SHAOJI_TELEMETRY"):
        read_settings({"SHAOJI_TELEMETRY": "zipkin", "SHAOJI_SECRET_KEY": "k" * 48})


def line(settings: Settings) -> Finding:
    (found,) = check_telemetry(Looking(settings, lambda: datetime.now(UTC)))
    return found


def test_the_doctor_says_whether_spans_are_sent_and_taken(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert line(replace(ON, telemetry="off")).outcome == HOLDS
    held = line(ON)
    assert held.outcome == HOLDS
    assert f"{collector.url}/v1/traces" in held.found[0]
    assert collector.spans() == [], "asked without telling anything"
    collector.status = 401
    assert line(ON).outcome == LOOK
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:secret@127.0.0.1:9")
    lost = line(ON)
    assert lost.outcome == LOOK
    assert "secret" not in json.dumps([lost.found, lost.do])
    assert lost.do[0]


# --- processes ------------------------------------------------------------------------------------


def test_each_process_of_a_server_sends_by_itself(collector: Collector, tmp_path: Path) -> None:
    house = settle(tmp_path, 0)
    house.env["SHAOJI_TELEMETRY"] = "otlp"
    server = serve(house, processes=2)
    try:
        end = time.monotonic() + 15
        while len(collector.by_process("GET /receipt")) < 2:
            with closing(HTTPConnection("127.0.0.1", house.port, timeout=10)) as wire:
                wire.request("GET", "/receipt")
                assert wire.getresponse().status == 200
            assert time.monotonic() < end
        collector.wait_for("round worker")
    finally:
        server.terminate()
        assert server.wait(20) == 0
    pages = collector.by_process("GET /receipt")
    worker = collector.by_process("round worker")
    assert len(worker) == 1
    assert not pages & worker
