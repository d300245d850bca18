"""On PostgreSQL what is written is prepared, what is looked for is planned for what it asks for."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from engine.oversight import urge
from engine.search import Query, search
from tests.conftest import Street

pytestmark = pytest.mark.postgres

# A question prepared on a connection may be planned without its values from its eleventh time on.
OFTEN = 12


def test_a_search_is_not_prepared_however_often_it_is_asked_and_an_act_is(
    postgres_street: Street,
) -> None:
    street = postgres_street
    case = street.report()
    at = street.at
    for _ in range(OFTEN):
        street.at += timedelta(minutes=1)
        street.do(urge, case, "请抓紧", by=street.by("watch"))
        with street.database.begin() as conn:
            search(conn, Query(text="楼道"), places=["u-one"], person="p-0001", at=at)
    with street.database.begin() as conn:
        prepared = conn.execute(text("SELECT statement FROM pg_prepared_statements")).scalars()
        sent = " ".join(prepared)
    assert "SELECT stream_head.seq" in sent
    assert "case_text" not in sent
    assert "case_register.title" not in sent
    street.check()
