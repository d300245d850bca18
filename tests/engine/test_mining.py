"""Process mining on both databases: what is read, and that a path that was changed is told."""

from typing import Any

from engine.mining import conformance, open_cases, traces
from engine.vault import Vault
from tests.conftest import Street, photo
from tests.engine.hotline_street import hotline
from tests.engine.tampering import forge


def other_path(bodies: list[dict[str, Any]]) -> None:
    """The last move is told to have passed another element."""
    told = next(body for body in reversed(bodies) if "path" in body["data"])
    told["data"]["path"] = [*told["data"]["path"][:-1], "elsewhere"]


def lived(street: Street) -> str:
    case = street.report()
    street.later(minutes=5)
    street.complete(case, "prepare#1", "head", {"kind": "wood", "pieces": 3})
    street.complete(case, "make#1", "grid", {"what": "拆除"}, evidence=[photo()])
    return case


def test_our_own_cases_conform_and_one_that_was_changed_is_named(street: Street) -> None:
    kept, changed = lived(street), lived(street)
    with street.database.begin() as conn:
        (row,) = conformance(conn, open_cases(conn))
    assert (row.cases, row.replayed, row.imported, row.differing) == (2, 2, 0, ())
    street.check()
    forge(street, changed, other_path)
    with street.database.begin() as conn:
        (row,) = conformance(conn, open_cases(conn))
    assert (row.replayed, row.share, [case for case, _, _ in row.differing]) == (1, 500, [changed])
    assert kept not in {case for case, _, _ in row.differing}


def test_each_event_leads_back_to_its_entry(street: Street) -> None:
    case = lived(street)
    with street.database.begin() as conn:
        (one,) = traces(conn, [case])
    by_number = {entry.seq: entry for entry in street.entries(case)}
    assert [event.hash for event in one.events] == [
        by_number[event.seq].hash.hex() for event in one.events
    ]
    done = [event.element for event in one.events if event.transition == "complete"]
    assert done[:3] == ["report", "prepare", "make"]
    street.check()


def test_a_confidential_case_is_not_among_what_is_read(street: Street, vault: Vault) -> None:
    desk = hotline(street, vault).report()
    with street.database.begin() as conn:
        assert desk.case not in open_cases(conn)
    street.check()
