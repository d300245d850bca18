"""Records kept in memory: as many as are said, by their number and by their rows."""

import pytest

from engine.database import reading
from tests.conftest import Street
from tests.web.paths import confirmed, reported
from web import records


def rows() -> int:
    return sum(len(file.record.timeline) for file in records._kept.values())


def test_records_kept_are_bounded_by_the_rows_of_all_of_them(
    web_street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [confirmed(web_street) for _ in range(4)] + [reported(web_street)]
    records._kept.clear()
    with reading(web_street.database).begin() as conn:
        told = records.read_files(conn, cases)
        whole, last = rows(), len(told[cases[-1]].record.timeline)
        assert len(records._kept) == 5
        assert whole == sum(len(file.record.timeline) for file in told.values())
        for most, kept in ((whole, 5), (whole - 1, 4), (last, 1), (last - 1, 0)):
            records._kept.clear()
            monkeypatch.setattr(records, "MOST_ROWS", most)
            # Who asks is told all the same, what is kept or not.
            assert records.read_files(conn, cases) == told
            assert rows() <= most
            assert len(records._kept) == kept


def test_the_newest_records_are_kept(web_street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [reported(web_street) for _ in range(4)]
    monkeypatch.setattr(records, "MOST_KEPT", 3)
    records._kept.clear()
    with reading(web_street.database).begin() as conn:
        for case in cases:
            records.read_files(conn, [case])
    named = {file.record.case for file in records._kept.values()}
    assert named == set(cases[1:])
