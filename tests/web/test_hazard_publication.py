"""The public page of hazards: from the log, the same for everybody, months that are over alone."""

import csv
import io
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select, update

from engine import published_hazards
from engine.database import reading
from engine.people import rename_unit
from engine.verification import verify, verify_on_all_cores
from tests.conftest import Street
from tests.web.conftest import Visitor
from tests.web.paths import closed, reported
from web import hazard_publication
from web.hazard_publication import keep
from web.quantities import ZONE


@pytest.fixture
def told(web_street: Street) -> Street:
    """Three hazards put right and three just reported in March; one more, in April."""
    for _ in range(3):
        closed(web_street)
    for _ in range(3):
        reported(web_street)
    web_street.later(days=31)
    reported(web_street)
    return web_street


@contextmanager
def no_reading_of_the_log(visitor: Visitor) -> Iterator[None]:
    """Fails if the table of events is asked meanwhile."""
    asked: list[str] = []

    def note(conn: object, cursor: object, statement: str, *rest: object) -> None:
        asked.append(statement)

    database = visitor.client.application.extensions["shaoji"].database
    event.listen(database, "before_cursor_execute", note)
    yield
    event.remove(database, "before_cursor_execute", note)
    assert asked
    assert not [statement for statement in asked if "FROM event" in statement]


def test_the_figures_of_months_that_are_over_are_told(told: Street, visitor: Visitor) -> None:
    page = visitor.text("/public/hazards")
    assert "上报隐患 6 件" in page
    assert "听涛社区" in page
    assert "不排名" in page
    assert "看这些数字前，请先知道" in page
    assert "飞线充电" in page
    told.check()


def test_the_running_month_is_not_told(web_street: Street, visitor: Visitor) -> None:
    for _ in range(5):
        reported(web_street)
    page = visitor.text("/public/hazards")
    assert "还没有可公布的数字" in page
    assert json.loads(visitor.text("/public/hazards.json"))["hazards"]["rows"] == []


def test_table_and_data_hold_what_the_page_tells(told: Street, visitor: Visitor) -> None:
    rows = list(csv.DictReader(io.StringIO(visitor.text("/public/hazards.csv"))))
    whole = next(row for row in rows if not row["classes"])
    assert (whole["units"], whole["reported"], whole["rectified"]) == ("听涛社区", "6", "3")
    data = json.loads(visitor.text("/public/hazards.json"))
    assert data["hazards"]["rows"][0]["reported"] == 6
    assert data["position"]["cases"] == 6
    assert data["threshold"] == 3


def test_the_page_keeps_and_tells_nothing_of_who_reads_it(told: Street, visitor: Visitor) -> None:
    answer = visitor.get("/public/hazards")
    assert "Set-Cookie" not in answer.headers
    for name in told.person:
        assert f"{name}演示" not in answer.text


def test_it_is_told_in_english_too(told: Street, visitor: Visitor) -> None:
    page = visitor.text("/public/hazards?language=en")
    assert "6 hazards reported" in page
    assert "Flying leads" in page or "Charging" in page


def test_both_public_pages_lead_to_each_other(told: Street, visitor: Visitor, app: Flask) -> None:
    assert "/public/hazards" in visitor.text("/public")
    assert 'href="/public"' in visitor.text("/public/hazards")


def test_what_the_worker_kept_is_read_by_every_process_without_the_log(
    told: Street, visitor: Visitor
) -> None:
    at_once = visitor.text("/public/hazards.json")
    assert keep(told.database, told.at)
    assert not keep(told.database, told.at)
    hazard_publication._told.clear()  # as in a process that was just started
    with no_reading_of_the_log(visitor):
        page, data = visitor.text("/public/hazards"), visitor.text("/public/hazards.json")
    assert "上报隐患 6 件" in page
    assert "2025年4月至2026年3月" in page
    assert data == at_once


def test_where_nothing_is_kept_few_cases_are_worked_out_once(
    told: Street, visitor: Visitor
) -> None:
    assert "上报隐患 6 件" in visitor.text("/public/hazards")
    with no_reading_of_the_log(visitor):
        assert "上报隐患 6 件" in visitor.text("/public/hazards")


def test_what_was_kept_stays_when_units_are_renamed(told: Street, visitor: Visitor) -> None:
    assert keep(told.database, told.at)
    before = visitor.text("/public/hazards.csv")
    with told.database.begin() as conn:
        rename_unit(conn, "u-tingtao", "观澜社区", by=told.by("admin"), at=told.at)
    assert visitor.text("/public/hazards.csv") == before
    told.later(days=30)
    assert keep(told.database, told.at)
    assert "观澜社区" in visitor.text("/public/hazards.csv")


def test_while_the_new_month_is_not_worked_out_the_one_before_is_told_as_such(
    told: Street, visitor: Visitor
) -> None:
    assert keep(told.database, told.at)
    told.at = datetime(2026, 5, 1, tzinfo=ZONE) + timedelta(minutes=59)
    assert not keep(told.database, told.at)
    page = visitor.text("/public/hazards")
    assert "2025年4月至2026年3月" in page
    assert "上报隐患 6 件" in page
    told.at += timedelta(minutes=1)
    assert keep(told.database, told.at)
    page = visitor.text("/public/hazards")
    assert "2025年5月至2026年4月" in page
    assert "上报隐患 7 件" in page


def test_many_cases_are_not_worked_out_while_somebody_waits(
    told: Street, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published_hazards, "FEW", 5)
    refused = visitor.get("/public/hazards")
    assert refused.status_code == 404
    assert "这几个月的数字还没有算好" in refused.text
    assert visitor.get("/public/hazards.json").status_code == 404
    assert keep(told.database, told.at)
    assert "上报隐患 6 件" in visitor.text("/public/hazards")


def test_a_worker_told_to_stop_keeps_no_half_figures(told: Street) -> None:
    assert not keep(told.database, told.at, lambda: True)
    with reading(told.database).begin() as conn:
        assert published_hazards.kept(conn, told.at) is None


def test_what_is_kept_is_verified_against_the_log_whatever_came_later(told: Street) -> None:
    assert keep(told.database, told.at)
    closed(told)
    told.check()
    with told.database.begin() as conn:
        rename_unit(conn, "u-tingtao", "观澜社区", by=told.by("admin"), at=told.at)
    told.check()


@pytest.mark.parametrize("renamed", [False, True], ids=["", "after units were renamed"])
@pytest.mark.parametrize(
    "forged",
    [
        lambda figures: figures["hazards"]["whole"].update(rectified=4),
        lambda figures: figures["position"].update(records=1),
    ],
    ids=["of the whole street", "position"],
)
def test_figures_that_the_log_does_not_give_are_found(
    told: Street, forged: Callable[[dict[str, Any]], None], *, renamed: bool
) -> None:
    assert keep(told.database, told.at)
    forge(told, forged)
    if renamed:
        with told.database.begin() as conn:
            rename_unit(conn, "u-tingtao", "观澜社区", by=told.by("admin"), at=told.at)
    with told.database.begin() as conn:
        (problem,) = verify(conn).problems
    assert problem.case == "published_hazards"
    url = told.database.url.render_as_string(hide_password=False)
    assert verify_on_all_cores(url, workers=2, seen=lambda _: None).problems == (problem,)


def test_a_row_of_a_community_that_the_log_does_not_give_is_found(told: Street) -> None:
    assert keep(told.database, told.at)
    forge(told, lambda figures: figures["hazards"]["rows"][0].update(in_time=0))
    with told.database.begin() as conn:
        (problem,) = verify(conn).problems
    assert "not what the log gives" in problem.what


def forge(street: Street, change: Callable[[dict[str, Any]], None]) -> None:
    """Change what is kept, as whoever may write the table."""
    table = published_hazards.published_table
    with street.database.begin() as conn:
        figures = json.loads(zlib.decompress(conn.execute(select(table.c.told)).scalar_one()))
        change(figures)
        told = zlib.compress(json.dumps(figures).encode())
        conn.execute(update(table).values(told=told))


def test_in_the_first_hour_of_a_month_nothing_is_kept(told: Street, visitor: Visitor) -> None:
    # What was recorded before midnight may be on its way to the log still.
    midnight = datetime(2026, 5, 1, tzinfo=ZONE)
    told.at = midnight + timedelta(minutes=1)
    assert "上报隐患 7 件" in visitor.text("/public/hazards")
    told.at = midnight - timedelta(seconds=1)
    reported(told)
    told.at = midnight + timedelta(minutes=2)
    assert "上报隐患 8 件" in visitor.text("/public/hazards")
