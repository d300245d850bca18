"""A database that is damaged or away: pages and interface say so in words, and what to do."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import event

from tests.conftest import Street
from tests.web.conftest import Visitor

PAGE = 4096


def overwrite(street: Street) -> None:
    """Write what means nothing over every page but the first, which says what tables there are."""
    street.database.dispose()
    path = Path(str(street.database.url.database))
    with path.open("r+b") as file:
        pages = path.stat().st_size // PAGE
        file.seek(PAGE)
        file.write(b"\xa5" * PAGE * (pages - 1))


@pytest.mark.parametrize("address", ["/inbox", "/api/v1/cases"])
def test_a_damaged_database_is_told_in_words(
    app: Flask, signed_in: Callable[[str], Visitor], web_street: Street, address: str
) -> None:
    visitor = signed_in("watch")
    app.extensions["shaoji"].database.dispose()
    overwrite(web_street)
    headers = {"Authorization": "Bearer shaoji_x"} if address.startswith("/api") else {}
    answer = visitor.client.get(address, headers=headers)
    assert answer.status_code == 503
    assert "已损坏" in answer.text
    assert "备份" in answer.text


@pytest.mark.parametrize("address", ["/inbox", "/api/v1/cases"])
def test_a_database_that_is_not_there_is_told_in_words(
    app: Flask, signed_in: Callable[[str], Visitor], address: str
) -> None:
    visitor = signed_in("watch")
    database = app.extensions["shaoji"].database
    database.dispose()

    def gone(*_: object) -> None:
        raise sqlite3.OperationalError("unable to open database file")

    event.listen(database, "do_connect", gone)
    headers = {"Authorization": "Bearer shaoji_x"} if address.startswith("/api") else {}
    answer = visitor.client.get(address, headers=headers)
    assert answer.status_code == 503
    assert "没有生效" in answer.text
