"""Log and vault are held against each other, and every difference is named."""

from datetime import timedelta

from sqlalchemy import delete, update

from engine.retention import destroy_due
from engine.vault import destroy, subject_table, transaction, value_table
from engine.vault_check import check_vault
from tests.engine.complaint_street import Complaint
from tests.engine.complaint_street import complaint as complaint


def problems(complaint: Complaint) -> list[str]:
    with complaint.street.database.begin() as conn:
        return sorted(problem.what for problem in check_vault(conn, complaint.vault))


def test_a_sound_vault_has_no_problems_before_and_after_its_time_is_over(
    complaint: Complaint,
) -> None:
    complaint.report().held().ended()
    assert problems(complaint) == []
    street = complaint.street
    at = street.later(days=200)
    destroy_due(street.database, complaint.vault, at=at, after=timedelta(days=180))
    assert problems(complaint) == []


def test_what_is_missing_or_damaged_is_named(complaint: Complaint) -> None:
    complaint.report()
    with transaction(complaint.vault) as conn:
        conn.execute(delete(value_table).where(value_table.c.field == "name"))
        damaged = update(value_table).where(value_table.c.field == "phone")
        conn.execute(damaged.values(box=b"\0" * 300))
    assert problems(complaint) == ["sealed name is missing", "sealed phone is damaged"]


def test_destruction_nobody_recorded_is_named(complaint: Complaint) -> None:
    complaint.report()
    destroy(complaint.vault, f"{complaint.case}/content", at=complaint.street.at)
    assert problems(complaint) == ["sealed description is destroyed, and the log does not say so"]


def test_a_vault_restored_from_before_a_destruction_is_named(complaint: Complaint) -> None:
    complaint.report().held().ended()
    with transaction(complaint.vault) as conn:
        rows = [dict(row._mapping) for row in conn.execute(subject_table.select())]
    street = complaint.street
    at = street.later(days=200)
    destroy_due(street.database, complaint.vault, at=at, after=timedelta(days=180))
    with transaction(complaint.vault) as conn:
        conn.execute(delete(subject_table))
        conn.execute(subject_table.insert(), rows)
    case = complaint.case
    assert problems(complaint) == [
        f"{case}/content is not destroyed",
        f"{case}/identity is not destroyed",
    ]
