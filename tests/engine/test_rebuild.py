"""Projections are disposable: what they hold after a rebuild is what they held before."""

from typing import Any

from sqlalchemy import delete, select

from engine.acts import act_table
from engine.case_texts import case_text_table
from engine.inbox import open_task_table
from engine.rebuild import rebuild
from engine.register import register_table
from engine.taking_part import part_table
from tests.conftest import Street, photo

TABLES = (open_task_table, register_table, act_table, part_table, case_text_table)


def _rows(street: Street) -> list[Any]:
    with street.database.begin() as conn:
        return [
            list(conn.execute(select(table).order_by(*table.primary_key)).all()) for table in TABLES
        ]


def test_a_rebuild_gives_back_register_inbox_acts_parts_and_texts_exactly(street: Street) -> None:
    for number in range(3):
        case = street.report()
        street.later(minutes=5)
        if number:
            street.complete(case, "prepare#1", "head", {"kind": "wood", "pieces": 3})
        if number > 1:
            street.complete(case, "make#1", "grid", {"what": "拆除"}, evidence=[photo()])
    before = _rows(street)
    with street.database.begin() as conn:
        for table in TABLES:
            conn.execute(delete(table))
    with street.database.begin() as conn:
        assert rebuild(conn) == 3
    assert _rows(street) == before
    street.check()


def test_numbers_go_on_after_a_rebuild(street: Street) -> None:
    street.report()
    with street.database.begin() as conn:
        rebuild(conn)
    assert street.report() == "workshop-2026-00002"
    street.check()
