"""Metrics of complaints: no small number is told, and no complaint is named in a list."""

import pytest
from flask import Flask

from tests.conftest import Street
from tests.engine.hotline_street import Hotline
from tests.web.conftest import Visitor
from tests.web.hotline_pages import *  # noqa: F403 - the hotline's fixtures
from tests.web.test_metric_pages import counted, links, metric, words


@pytest.mark.parametrize("name", ["watch", "officer"])
def test_complaints_are_not_listed_and_their_small_numbers_are_not_told(
    h: Hotline, app: Flask, web_street: Street, name: str
) -> None:
    h.accepted().settled()
    counted(web_street)
    visitor = Visitor(app.test_client())
    visitor.sign_in(name)
    page = visitor.text("/metrics?period=2026-03")
    told = metric(page, "reached")
    assert "不足 3 件的数不单列" in words(told)
    assert links(told) == []
    assert h.case not in page
    for part in ("", "&part=hits", "&by=unit&group=u-heat-office"):
        lists = visitor.text(f"/metrics/reached?period=2026-03{part}")
        assert "投诉不逐件列出" in lists
        assert h.case not in lists
    web_street.check()
