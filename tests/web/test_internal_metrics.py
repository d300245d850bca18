"""What Prometheus reads: its format, who may, and that each value is what it says."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from engine.keys import make_keys
from engine.sequencer import sequence_log
from tests.conftest import Street
from tests.web.conftest import Visitor
from tests.web.paths import signed_for
from web.app import create_app
from web.config import BadSettings, Settings
from web.exposition import Family, Sample, expose
from web.tallies import Tally

TOKEN = "t" * 20 + "0123456789ab" + "T" * 8
Values = dict[tuple[str, tuple[tuple[str, str], ...]], float]

# The grammar of the text format 0.0.4, written from its document and not from our writer.
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"'
LINE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? ([^ ]+)")


def read(told: str) -> Values:
    """Every sample of an exposition; fails on a line that is none, or comes before its TYPE."""
    values: Values = {}
    types: dict[str, str] = {}
    assert told.endswith("\n")
    for line in told.splitlines():
        if line.startswith("# HELP "):
            continue
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types, f"two blocks of {name}"
            types[name] = kind
            continue
        found = LINE.fullmatch(line)
        assert found, line
        base = re.sub(r"_(bucket|sum|count)$", "", found[1])
        assert types.get(found[1]) or types.get(base) == "histogram", line
        labels = tuple((one[0], one[1]) for one in re.findall(LABEL, found[2] or ""))
        key = (found[1], tuple(sorted(labels)))
        assert key not in values, f"twice: {line}"
        values[key] = float(found[found.lastindex or 0])
    return values


def of(values: Values, name: str, **labels: str) -> float:
    """The one value of this name that has these labels."""
    (found,) = [
        value for (named, has), value in values.items()
        if named == name and labels.items() <= dict(has).items()
    ]  # fmt: skip
    return found


@pytest.fixture
def settings(web_street: Street, tmp_path: Path) -> Settings:
    token = tmp_path / "metrics.token"
    token.write_text(f"{TOKEN}\n", encoding="ascii")
    token.chmod(0o600)
    return Settings(
        secret_key="k" * 48, database_url=str(web_street.database.url), cookie_secure=False,
        evidence_dir=tmp_path / "evidence", metrics_token=token,
    )  # fmt: skip


@pytest.fixture
def app(web_street: Street, settings: Settings) -> Iterator[Flask]:
    made = create_app(settings, clock=lambda: web_street.at)
    made.testing = True
    yield made
    made.extensions["shaoji"].database.dispose()


def scraped(app: Flask) -> Values:
    answer = app.test_client().get(
        "/internal/metrics", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "Set-Cookie" not in answer.headers
    return read(answer.text)


# --- who may --------------------------------------------------------------------------------------


def test_without_a_token_file_there_is_no_such_page(web_street: Street, settings: Settings) -> None:
    app = create_app(replace(settings, metrics_token=None), clock=lambda: web_street.at)
    client = app.test_client()
    for sent in ("", f"Bearer {TOKEN}", "Bearer "):
        answer = client.get("/internal/metrics", headers={"Authorization": sent})
        assert answer.status_code == 404
    app.extensions["shaoji"].database.dispose()


@pytest.mark.parametrize("sent", ["", "Bearer", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN])
def test_whoever_does_not_show_it_is_told_nothing(app: Flask, sent: str) -> None:
    answer = app.test_client().get("/internal/metrics", headers={"Authorization": sent})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "shaoji_" not in answer.text


def test_signing_in_does_not_open_it(app: Flask) -> None:
    visitor = Visitor(app.test_client())
    visitor.sign_in("admin")
    assert visitor.get("/internal/metrics").status_code == 401


@pytest.mark.parametrize(
    ("content", "mode", "told"),
    [("short", 0o600, "32"), (TOKEN, 0o644, "chmod 600"), ("with a space " * 5, 0o600, "32")],
)
def test_a_token_file_that_is_no_secret_stops_the_start(
    settings: Settings, content: str, mode: int, told: str
) -> None:
    assert settings.metrics_token
    settings.metrics_token.write_text(content, encoding="ascii")
    settings.metrics_token.chmod(mode)
    with pytest.raises(BadSettings, match=told):
        create_app(settings)


# --- what -----------------------------------------------------------------------------------------


def test_the_format_holds_whatever_stands_in_a_label() -> None:
    odd = 'a"b\\c\nd,e="f"}'
    told = expose([
        Family("x", "gauge", "one\nline \\ here", (Sample(1, {"l": odd}), Sample(0.5, {}))),
        Family("empty", "gauge", "left out", ()),
    ])  # fmt: skip
    assert "empty" not in told
    values = read(told)
    ((_, labels),) = [key for key in values if key[1]]
    plain = labels[0][1].replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\")
    assert plain == odd
    assert of(values, "x", l=labels[0][1]) == 1


def test_times_are_counted_under_every_bound_they_are_not_over() -> None:
    tally = Tally(started=5.0)
    for seconds in (0.004, 0.005, 0.0051, 0.3, 11.0):
        tally.count("/x", "GET", 200, seconds)
    values = read(expose(tally.families()))
    under = {bound: of(values, "shaoji_request_seconds_bucket", le=bound)
             for bound in ("0.005", "0.01", "0.25", "0.5", "10.0", "+Inf")}  # fmt: skip
    assert under == {"0.005": 2, "0.01": 3, "0.25": 3, "0.5": 4, "10.0": 4, "+Inf": 5}
    assert of(values, "shaoji_request_seconds_count") == 5
    assert of(values, "shaoji_request_seconds_sum") == pytest.approx(11.3141)
    assert of(values, "shaoji_process_start_time_seconds") == 5.0


def test_requests_are_counted_by_rule_and_status_and_probes_are_not(app: Flask) -> None:
    client = app.test_client()
    for path in ("/sign-in", "/sign-in", "/receipt", "/nowhere/zqx-7719", "/healthz"):
        client.get(path)
    client.open("/sign-in", method="ZQXMETHOD")
    values = scraped(app)
    values = scraped(app)
    count = "shaoji_requests_total"
    assert of(values, count, rule="/sign-in", method="GET", status="200", scope="process") == 2
    assert of(values, count, rule="/receipt", status="200") == 1
    assert of(values, count, rule="-", status="404") == 1
    assert of(values, count, method="OTHER") == 1
    assert of(values, "shaoji_request_seconds_count", rule="/sign-in") >= 2
    rules = {dict(labels).get("rule") for _, labels in values}
    assert rules.isdisjoint({"/healthz", "/readyz", "/internal/metrics"})
    assert "zqx" not in str(values).lower()


def test_what_the_log_says_is_what_an_independent_count_finds(
    app: Flask, web_street: Street, settings: Settings
) -> None:
    make_keys(settings.keys, "log.tinglan.example", "听澜街道（演示）", at=web_street.at)
    case = signed_for(web_street)
    with web_street.database.begin() as conn:
        events = conn.execute(text("SELECT count(*) FROM event")).scalar_one()
    values = scraped(app)
    assert of(values, "shaoji_database_up") == 1
    assert of(values, "shaoji_log_events", scope="log") == events
    assert of(values, "shaoji_waiting", what="outbox") == events
    assert of(values, "shaoji_open_cases") == 1
    assert of(values, "shaoji_overdue_steps") == 0
    assert not [key for key in values if key[0] == "shaoji_checkpoint_age_seconds"]
    sequence_log(web_street.database, settings.keys, at=web_street.at)
    web_street.later(days=60)
    values = scraped(app)
    assert of(values, "shaoji_waiting", what="outbox") == 0
    assert of(values, "shaoji_checkpoint_age_seconds") == timedelta(days=60).total_seconds()
    with web_street.database.begin() as conn:
        late = conn.execute(
            text("SELECT count(*) FROM open_task WHERE due < :now"),
            {"now": web_street.at.isoformat()},
        ).scalar_one()
    assert of(values, "shaoji_overdue_steps") == late == 1
    assert of(values, "shaoji_waiting", what="alarms") == 1
    assert of(values, "shaoji_waiting_seconds", what="alarms") > 86_400
    told = str(values)
    assert case not in told
    assert "演示" not in told
    web_street.check()


def test_a_confidential_case_is_in_neither_count(app: Flask, web_street: Street) -> None:
    signed_for(web_street)
    with web_street.database.begin() as conn:
        conn.execute(text("UPDATE case_register SET confidential = 1"))
    web_street.later(days=60)
    values = scraped(app)
    assert of(values, "shaoji_open_cases") == of(values, "shaoji_overdue_steps") == 0


def test_without_the_database_the_counts_of_the_process_are_told(
    app: Flask, web_street: Street
) -> None:
    app.test_client().get("/sign-in")
    web_street.database.dispose()
    app.extensions["shaoji"].database.dispose()
    path = Path(str(web_street.database.url.database))
    path.write_bytes(b"no database " * 100)
    values = scraped(app)
    assert of(values, "shaoji_database_up") == 0
    assert of(values, "shaoji_requests_total", rule="/sign-in") == 1
    assert not [key for key in values if key[0] == "shaoji_waiting"]
