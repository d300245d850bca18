"""Spans sent to a collector by OpenTelemetry's SDK (OTLP over HTTP).

The only module that knows OpenTelemetry, which is optional (extra `telemetry`); imported by
web.telemetry once it is asked for. No span has a parent: what a request brings along of somebody
else's trace is not read.
"""

import logging
from collections.abc import Sequence
from importlib.metadata import version
from threading import Thread
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, StatusCode, Tracer

from web.config import BadSettings
from web.spans import Span, Spans

# What waits to be sent when a process ends is sent within this, or lost.
STOP_SECONDS: Final = 2.0

logger = logging.getLogger("shaoji.telemetry")


def begin(endpoint: str, patience: float | None) -> Spans:
    """Send spans to this address from now on, by a thread of this process.

    Nothing that is told waits for the collector: what it does not take in time is dropped, the
    oldest first. Raises BadSettings for variables of OpenTelemetry that cannot be used.
    """
    sender = _Sender(_exporter(endpoint, patience))
    try:
        batches = BatchSpanProcessor(sender)
    except ValueError as error:
        raise BadSettings(f"OTEL_BSP_… 不能用：{error} / OTEL_BSP_… cannot be used.") from None
    provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
    provider.add_span_processor(batches)
    tracer = provider.get_tracer("shaoji", version("shaoji"))

    def stop() -> None:
        # The SDK's own end waits for half a minute.
        ending = Thread(target=provider.shutdown, name="shaoji-spans-end", daemon=True)
        ending.start()
        ending.join(STOP_SECONDS)
        if ending.is_alive():
            sender.shutdown()

    return Spans(lambda span: _tell(tracer, span), stop)


def takes(endpoint: str) -> bool:
    """Whether the collector takes what is sent, asked with no span at all."""
    exporter = _exporter(endpoint, STOP_SECONDS)
    try:
        return exporter.export(()) is SpanExportResult.SUCCESS
    finally:
        exporter.shutdown()  # type: ignore[no-untyped-call]


def _exporter(endpoint: str, patience: float | None) -> OTLPSpanExporter:
    try:
        made = OTLPSpanExporter(endpoint, timeout=patience)
    except (ImportError, RuntimeError) as error:
        raise BadSettings(f"OTEL_… 不能用：{error} / OTEL_… cannot be used.") from None
    # A line for each batch and each span that is lost; of that, one is said here.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    return made


def _resource() -> Resource:
    found = Resource.create({SERVICE_VERSION: version("shaoji")})
    if str(found.attributes[SERVICE_NAME]).startswith("unknown_service"):
        found = found.merge(Resource({SERVICE_NAME: "shaoji"}))
    return found


def _tell(tracer: Tracer, told: Span) -> None:
    kind = SpanKind.SERVER if told.answers else SpanKind.INTERNAL
    span = tracer.start_span(
        told.name, Context(), kind=kind, attributes=told.facts, start_time=told.began
    )
    if told.failed:
        span.set_status(StatusCode.ERROR)
    span.end(told.ended)


class _Sender(SpanExporter):
    """An exporter that says when spans begin to be lost, and when they arrive again."""

    def __init__(self, exporter: OTLPSpanExporter) -> None:
        self._exporter = exporter
        self._lost = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        lost = result is not SpanExportResult.SUCCESS
        if lost and not self._lost:
            logger.warning("the collector does not take spans; they are lost until it does")
        elif self._lost and not lost:
            logger.warning("the collector takes spans again")
        self._lost = lost
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]
