"""Files that wait to be confirmed: for whoever sent them, for one purpose, for a day."""

import hashlib

import pytest

from engine.awaiting import NoSuchFile, drop, fetch, keep
from tests.conftest import Street


def test_a_file_waits_for_whoever_sent_it(street: Street) -> None:
    id_ = street.do(keep, "register", "名册.csv", b"a,b", person="p-1")
    found = street.do(fetch, id_, "register", person="p-1")
    assert (found.name, found.data) == ("名册.csv", b"a,b")
    assert found.sha256 == hashlib.sha256(b"a,b").hexdigest()


@pytest.mark.parametrize(("purpose", "person"), [("register", "p-2"), ("calendar", "p-1")])
def test_nobody_else_and_nothing_else_gets_it(street: Street, purpose: str, person: str) -> None:
    id_ = street.do(keep, "register", "名册.csv", b"a,b", person="p-1")
    with pytest.raises(NoSuchFile, match="重新上传"):
        street.do(fetch, id_, purpose, person=person)


def test_after_a_day_it_is_gone(street: Street) -> None:
    id_ = street.do(keep, "register", "名册.csv", b"a,b", person="p-1")
    street.later(hours=25)
    with pytest.raises(NoSuchFile):
        street.do(fetch, id_, "register", person="p-1")
    street.do(keep, "register", "另一份.csv", b"c", person="p-2")
    from sqlalchemy import func, select

    from engine.awaiting import awaiting_table

    with street.database.begin() as conn:
        assert conn.execute(select(func.count()).select_from(awaiting_table)).scalar() == 1


def test_what_was_dropped_is_gone(street: Street) -> None:
    id_ = street.do(keep, "register", "名册.csv", b"a,b", person="p-1")
    with street.database.begin() as conn:
        drop(conn, id_)
    with pytest.raises(NoSuchFile):
        street.do(fetch, id_, "register", person="p-1")
