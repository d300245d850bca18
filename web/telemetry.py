"""Whether spans of this installation's work are sent to a collector, and to which one.

Off unless SHAOJI_TELEMETRY says otherwise; where to, as whom, how often: OpenTelemetry's own
variables. Begun in each process after it was forked, since the sending is done by a thread.
"""

import os
from collections.abc import Mapping
from types import ModuleType
from typing import Final
from urllib.parse import urlsplit

from web.config import OTLP, BadSettings, Settings
from web.spans import SILENT, Spans

USUAL: Final = "http://localhost:4318"
PROTOCOLS: Final = ("", "http/protobuf")


def begin(settings: Settings, *, patience: float | None = None) -> Spans:
    """Where this process tells of its work; stop it before the process ends.

    patience: seconds for an answer of the collector, as its variable says unless told otherwise.
    Raises BadSettings.
    """
    if settings.telemetry != OTLP:
        return SILENT
    begun: Spans = _sending().begin(endpoint(os.environ), patience)
    return begun


def check(settings: Settings) -> None:
    """Raise BadSettings where it is asked for and cannot be had."""
    if settings.telemetry == OTLP:
        _sending()
        endpoint(os.environ)


def reached(settings: Settings) -> tuple[str, bool] | None:
    """The collector, as far as its address may be shown, and whether it takes spans; None if off.

    Raises BadSettings.
    """
    if settings.telemetry != OTLP:
        return None
    sending, address = _sending(), endpoint(os.environ)
    told = urlsplit(address)
    return f"{told.scheme}://{told.netloc.rpartition('@')[2]}{told.path}", sending.takes(address)


def endpoint(environ: Mapping[str, str]) -> str:
    """The address spans are posted to, by the specification of OTLP exporters.

    Raises BadSettings for one that is none, and for a protocol that is not spoken here.
    """
    protocol = environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environ.get(
        "OTEL_EXPORTER_OTLP_PROTOCOL", ""
    )
    if protocol not in PROTOCOLS:
        raise BadSettings(
            "遥测只会 http/protobuf，请改正或去掉 OTEL_EXPORTER_OTLP_PROTOCOL。"
            " / Spans are sent by http/protobuf only: correct OTEL_EXPORTER_OTLP_PROTOCOL."
        )
    base = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or USUAL
    found = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or f"{base.rstrip('/')}/v1/traces"
    if not found.startswith(("http://", "https://")) or not urlsplit(found).hostname:
        raise BadSettings(
            "OTEL_EXPORTER_OTLP_ENDPOINT 应形如 http://collector.example:4318。"
            " / OTEL_EXPORTER_OTLP_ENDPOINT is like http://collector.example:4318."
        )
    return found


def _sending() -> ModuleType:
    """The module that sends, which needs OpenTelemetry."""
    try:
        from web import otlp
    except ModuleNotFoundError:
        raise BadSettings(
            "要发送遥测（SHAOJI_TELEMETRY），但没有安装 OpenTelemetry。"
            "请安装 shaoji[telemetry]，或去掉这个设置。"
            " / SHAOJI_TELEMETRY is set but OpenTelemetry is not installed: install"
            " shaoji[telemetry]."
        ) from None
    return otlp
