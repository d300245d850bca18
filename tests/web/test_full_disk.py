"""A full disk: the act is refused in words, and nothing that was recorded is lost."""

from collections.abc import Callable

from flask import Flask
from sqlalchemy import event

from tests.conftest import Street
from tests.web.conftest import Visitor
from tests.web.paths import REPORT

Enter = Callable[[str], Visitor]
TOLD = {**REPORT, "place_unit": "u-micro-1"}


def fill_up(app: Flask) -> None:
    """Let the database have not one page more than it has: SQLite then says its disk is full."""
    database = app.extensions["shaoji"].database
    database.dispose()

    def limit(connection: object, _record: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        (pages,) = cursor.execute("PRAGMA page_count").fetchone()
        cursor.execute(f"PRAGMA max_page_count = {pages}")
        cursor.close()

    event.listen(database, "connect", limit)


def test_on_a_full_disk_a_report_is_refused_in_words_and_the_log_stays_whole(
    app: Flask, signed_in: Enter, web_street: Street
) -> None:
    visitor = signed_in("grid")
    token = visitor.token()
    fill_up(app)
    opened, refused = [], None
    # Free pages inside the file take the first few; then there is no more.
    for number in range(60):
        told = {**TOLD, "csrf_token": token, "key": f"report-{number}-{'k' * 12}"}
        answer = visitor.client.post("/reports", data=told)
        if answer.status_code == 503:
            refused = answer
            break
        opened.append(answer.location.rpartition("/")[2])
    assert refused is not None
    assert "磁盘已满" in refused.text
    assert "没有生效" in refused.text
    assert all(web_street.types(case)[0] == "case.opened" for case in opened)
    web_street.check()
