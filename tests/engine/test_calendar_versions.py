"""Publishing a calendar: on the record, once, and never changed afterwards."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from audit import log
from engine.calendar import BadCalendar
from engine.calendar_versions import (
    AlreadyPublished,
    NoCalendar,
    calendar,
    calendar_version,
    publish_calendar,
)
from engine.people import By, NotAdministrator, create_unit, grant_post, register_person

CN = Path(__file__).parents[2].joinpath("workflows/calendar/cn.toml").read_bytes()
SHORT = CN.replace(b"to = 18:00:00", b"to = 17:30:00")
MONDAY = datetime(2026, 3, 9, 2, tzinfo=UTC)


@pytest.fixture
def conn(bare: Engine) -> Iterator[Connection]:
    with bare.begin() as conn:
        yield conn


def test_the_first_calendar_is_version_1_and_on_the_record(conn: Connection) -> None:
    published = publish_calendar(conn, CN, by=None, at=MONDAY)
    assert calendar(conn) == published
    [entry] = log.read(conn, "@calendar")
    assert entry.type == "calendar.published"
    assert entry.actor == {"engine": "shaoji"}
    assert entry.data == {
        "version": 1,
        "sha256": published.sha256,
        "zone": "Asia/Shanghai",
        "years": [2024, 2025, 2026],
        "office": [["08:30", "12:00"], ["13:30", "18:00"]],
    }


def test_the_next_calendar_holds_and_the_one_before_stays_as_it_was(conn: Connection) -> None:
    first = publish_calendar(conn, CN, by=None, at=MONDAY)
    second = publish_calendar(conn, SHORT, by=None, at=MONDAY)
    assert calendar(conn) == second
    assert calendar(conn) is calendar(conn)
    assert (second.version, calendar_version(conn, 1)) == (2, first)


def test_the_same_calendar_again_is_refused(conn: Connection) -> None:
    publish_calendar(conn, CN, by=None, at=MONDAY)
    publish_calendar(conn, SHORT, by=None, at=MONDAY)
    with pytest.raises(AlreadyPublished, match="1"):
        publish_calendar(conn, CN, by=None, at=MONDAY)
    assert len(log.read(conn, "@calendar")) == 2


def test_a_wrong_file_publishes_nothing(conn: Connection) -> None:
    with pytest.raises(BadCalendar):
        publish_calendar(conn, b"zone = 8", by=None, at=MONDAY)
    assert log.read(conn, "@calendar") == []


def test_before_the_first_one_there_is_none(conn: Connection) -> None:
    with pytest.raises(NoCalendar):
        calendar(conn)
    publish_calendar(conn, CN, by=None, at=MONDAY)
    with pytest.raises(NoCalendar):
        calendar_version(conn, 2)


def test_a_version_that_was_rolled_back_does_not_answer_for_the_next_one(conn: Connection) -> None:
    attempt = conn.begin_nested()
    publish_calendar(conn, SHORT, by=None, at=MONDAY)
    assert calendar(conn).version == 1
    attempt.rollback()
    published = publish_calendar(conn, CN, by=None, at=MONDAY)
    assert calendar(conn) == published


def test_once_there_is_an_administrator_only_they_publish(conn: Connection) -> None:
    create_unit(conn, "u-tinglan", "street", "听澜街道", by=None, at=MONDAY)
    for person in ("p-chen", "p-li"):
        register_person(conn, "演示", person=person, by=None, at=MONDAY)
    grant_post(conn, "p-li", "u-tinglan", "网格长", ["confirm"], reason="任命", by=None, at=MONDAY)
    grant = {"reason": "启用", "by": None, "at": MONDAY}
    grant_post(conn, "p-chen", "u-tinglan", "管理员", ["administer"], **grant)
    for by in (None, By("p-li"), By("p-none")):
        with pytest.raises(NotAdministrator):
            publish_calendar(conn, CN, by=by, at=MONDAY)
    publish_calendar(conn, CN, by=By("p-chen"), at=MONDAY)
    assert log.read(conn, "@calendar")[0].actor["person"] == "p-chen"
