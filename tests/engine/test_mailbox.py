"""Sealed content is read by those a step makes read it, and by the complainant; nobody unseen."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from engine import receipt_codes
from engine.casework import UnknownCase
from engine.errors import BadInput, NotAllowed
from engine.exclusion import KeptOut
from engine.mailbox import (
    LONGEST_MESSAGE,
    MailboxFull,
    NotYourMailbox,
    NotYoursToRead,
    read_content,
    read_mailbox,
    read_own_mailbox,
    write_as_complainant,
    write_as_staff,
)
from engine.people import name_substitute
from engine.receipt_codes import find
from engine.sealed_answers import sweep_unnamed
from engine.vault import SealDamaged, SealDestroyed, SealMissing, destroy, transaction, value_table
from tests.engine.complaint_street import NAME, PHONE, WORDS, Complaint, PowerFailure, power_failure
from tests.engine.complaint_street import complaint as complaint
from tests.engine.vaults import raw

ANSWER = "已约燃气公司周五上门 kaffeekranz"


def say(complaint: Complaint, text: str = "还没有人来", **more: object) -> object:
    complaint.street.later(minutes=1)
    with complaint.street.database.begin() as conn:
        told = {"complainant": complaint.complainant, "at": complaint.street.at, **more}
        return write_as_complainant(conn, complaint.vault, complaint.case, text, **told)


def own_mailbox(complaint: Complaint) -> list[tuple[str, str | None]]:
    with complaint.street.database.begin() as conn:
        messages = read_own_mailbox(conn, complaint.vault, find(complaint.vault, complaint.code))
    return [(told.side, told.text) for told in messages if told.field == "mailbox"]


# --- content --------------------------------------------------------------------------------------


def test_the_holder_of_a_step_that_reads_reads_the_content_and_it_is_on_record(
    complaint: Complaint,
) -> None:
    read = complaint.report().held().read(read_content, by="searcher")
    assert read.values == {"description#1": WORDS}
    told = complaint.last("content.read")
    assert told.data == {"fields": ["description#1"]}
    assert told.actor["person"] == complaint.street.person["searcher"]
    assert told.actor["capacity"] == "investigate"


def test_the_identity_is_no_content_however_it_is_asked_for(complaint: Complaint) -> None:
    complaint.report().held()
    form = complaint.all("case.opened")[0].data["form"]
    for wanted in (["name"], ["phone#1"], [form["name"]["sealed"]]):
        with pytest.raises(SealMissing):
            complaint.read(read_content, wanted, by="searcher")
    assert complaint.all("content.read") == []


@pytest.mark.parametrize("by", ["searcher2", "keeper", "watch", "leader", "grid"])
def test_nobody_reads_without_holding_the_step(complaint: Complaint, by: str) -> None:
    complaint.report().held()
    with pytest.raises(NotYoursToRead):
        complaint.read(read_content, by=by)
    with pytest.raises(NotYoursToRead):
        complaint.read(read_mailbox, by=by)
    with pytest.raises(NotYoursToRead):
        complaint.read(write_as_staff, "好", by=by)


def test_an_open_step_has_to_be_claimed_first(complaint: Complaint) -> None:
    complaint.report()
    with pytest.raises(NotYoursToRead):
        complaint.read(read_content, by="searcher")


def test_a_step_that_does_not_read_opens_nothing(complaint: Complaint) -> None:
    complaint.report("blind").held()
    with pytest.raises(NotYoursToRead):
        complaint.read(read_content, by="searcher")


def test_when_the_step_is_done_reading_is_over(complaint: Complaint) -> None:
    complaint.report().held().read(read_content, by="searcher")
    complaint.ended()
    with pytest.raises(NotYoursToRead):
        complaint.read(read_content, by="searcher")


def test_those_the_case_is_about_read_nothing(complaint: Complaint) -> None:
    complaint.report(accused=["u-gas"])
    with pytest.raises(NotAllowed):
        complaint.held("gas")
    with pytest.raises(KeptOut):
        complaint.read(read_content, by="gas")


def test_a_substitute_reads_for_the_absent_holder_under_their_own_name(
    complaint: Complaint,
) -> None:
    street = complaint.report().held().street
    street.do(
        name_substitute, street.person["searcher"], street.person["grid"],
        end=street.at + timedelta(days=3), reason="休假", by=None,
    )  # fmt: skip
    absent = street.person["searcher"]
    with street.database.begin() as conn:
        by = street.by("grid", on_behalf_of=absent)
        read = read_content(conn, complaint.vault, complaint.case, by=by, at=street.at)
    assert read.values == {"description#1": WORDS}
    actor = complaint.last("content.read").actor
    assert (actor["person"], actor["on_behalf_of"]) == (street.person["grid"], absent)


def test_damaged_content_is_told_so_and_not_recorded_as_read(complaint: Complaint) -> None:
    complaint.report().held()
    with transaction(complaint.vault) as conn:
        conn.execute(update(value_table).values(box=b"\0" * 300))
    with pytest.raises(SealDamaged):
        complaint.read(read_content, by="searcher")
    assert complaint.all("content.read") == []


# --- the mailbox ----------------------------------------------------------------------------------


def test_both_sides_write_and_read(complaint: Complaint) -> None:
    complaint.report().held()
    say(complaint)
    complaint.read(write_as_staff, ANSWER, by="searcher")
    assert own_mailbox(complaint) == [("complainant", "还没有人来"), ("staff", ANSWER)]
    read = complaint.read(read_mailbox, by="searcher")
    assert [told.text for told in read] == [WORDS, "还没有人来", ANSWER]
    names = [f"{told.field}#{told.seq}" for told in read]
    assert complaint.last("content.read").data == {"fields": names}


def test_the_complainant_reads_their_complaint_and_what_is_for_them_and_nothing_else(
    complaint: Complaint,
) -> None:
    complaint.report().held().ended(findings="内部核查意见", to_complainant="已督促检修")
    with complaint.street.database.begin() as conn:
        told = read_own_mailbox(conn, complaint.vault, find(complaint.vault, complaint.code))
    assert [(one.side, one.field, one.text) for one in told] == [
        ("complainant", "description", WORDS),
        ("staff", "to_complainant", "已督促检修"),
    ]


def test_a_complainant_is_nobody_in_the_log_and_reading_leaves_no_trace(
    complaint: Complaint,
) -> None:
    complaint.report()
    say(complaint, channel="qr")
    before = len(complaint.street.entries(complaint.case))
    own_mailbox(complaint)
    assert len(complaint.street.entries(complaint.case)) == before
    written = complaint.last("mailbox.written")
    who = {"person": complaint.complainant, "capacity": "report", "channel": "qr"}
    assert written.actor == who
    assert written.data["from"] == "complainant"
    assert written.data.keys() == {"from", "field", "commitment", "subject"}


def test_complainants_of_two_cases_cannot_be_linked_and_cannot_mix(complaint: Complaint) -> None:
    first = complaint.report()
    code, case, who = first.code, first.case, first.complainant
    complaint.report()
    assert complaint.complainant != who
    with pytest.raises(NotYourMailbox):
        say(complaint, complainant=who)
    say(complaint)
    mixed = replace(find(complaint.vault, code), case=complaint.case)
    with complaint.street.database.begin() as conn, pytest.raises(NotYourMailbox):
        read_own_mailbox(conn, complaint.vault, mixed)
    assert find(complaint.vault, code).case == case


def test_a_code_of_a_case_that_was_never_recorded_opens_none(complaint: Complaint) -> None:
    found = replace(find(complaint.report().vault, complaint.code), case="complaint-2026-00099")
    with complaint.street.database.begin() as conn, pytest.raises(UnknownCase):
        read_own_mailbox(conn, complaint.vault, found)


def test_after_a_failed_opening_its_code_does_not_open_the_next_case(
    complaint: Complaint,
) -> None:
    with power_failure(complaint.street), pytest.raises(PowerFailure):
        complaint.report()
    lost = complaint.code
    complaint.report()
    with pytest.raises(receipt_codes.UnknownCode):
        find(complaint.vault, lost)
    say(complaint)
    assert own_mailbox(complaint) == [("complainant", "还没有人来")]


def test_a_message_sent_twice_with_one_key_is_written_once(complaint: Complaint) -> None:
    complaint.report()
    assert say(complaint, key="k1").repeated is False  # type: ignore[attr-defined]
    assert say(complaint, key="k1").repeated is True  # type: ignore[attr-defined]
    assert len(own_mailbox(complaint)) == 1


@pytest.mark.parametrize("text", ["", "  \n", "长" * (LONGEST_MESSAGE + 1)])
def test_empty_and_endless_messages_are_refused(complaint: Complaint, text: str) -> None:
    complaint.report().held()
    with pytest.raises(BadInput):
        say(complaint, text)
    with pytest.raises(BadInput):
        complaint.read(write_as_staff, text, by="searcher")


def test_one_side_cannot_fill_the_mailbox(
    complaint: Complaint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.mailbox.MOST_MESSAGES", 2)
    complaint.report().held()
    say(complaint)
    say(complaint)
    with pytest.raises(MailboxFull):
        say(complaint)
    complaint.read(write_as_staff, ANSWER, by="searcher")


def test_a_refused_message_leaves_nothing_in_the_vault(complaint: Complaint) -> None:
    complaint.report()
    before = len(raw(complaint.vault))
    with pytest.raises(NotYourMailbox):
        say(complaint, "x" * 4000, complainant="complainant:0000000000000000")
    assert len(raw(complaint.vault)) == before


def test_after_destruction_the_mailbox_says_that_there_were_messages_and_no_more(
    complaint: Complaint,
) -> None:
    complaint.report().held()
    say(complaint)
    destroy(complaint.vault, f"{complaint.case}/content", at=complaint.street.at)
    assert own_mailbox(complaint) == [("complainant", None)]
    assert [m.text for m in complaint.read(read_mailbox, by="searcher")] == [None, None]
    with pytest.raises(SealDestroyed):
        say(complaint)
    with pytest.raises(SealDestroyed):
        complaint.read(read_content, by="searcher")


def test_what_is_named_in_the_log_survives_the_sweep_and_noise_does_not(
    complaint: Complaint,
) -> None:
    complaint.report().held()
    say(complaint)
    street = complaint.street
    with power_failure(street), pytest.raises(PowerFailure):
        say(complaint, "丢了")
    with street.database.begin() as conn:
        assert sweep_unnamed(conn, complaint.vault, at=street.at) == 0, "it may still be at work"
        assert sweep_unnamed(conn, complaint.vault, at=street.later(days=2)) == 1
    assert own_mailbox(complaint) == [("complainant", "还没有人来")]
    assert complaint.read(read_content, ["description"], by="searcher").values


# --- nothing leaks --------------------------------------------------------------------------------


def test_no_sealed_word_is_in_the_database_nor_in_the_vault(complaint: Complaint) -> None:
    complaint.report().held()
    say(complaint, "我住三楼 weltschmerz")
    complaint.read(write_as_staff, ANSWER, by="searcher")
    complaint.read(read_content, by="searcher")
    complaint.read(read_mailbox, by="searcher")
    for store in (_everything(complaint), raw(complaint.vault)):
        assert complaint.case.encode() in store
        for word in (WORDS, "polterabend", NAME, PHONE, "weltschmerz", "kaffeekranz", "三楼"):
            assert word.encode() not in store
        digits = complaint.code.replace("-", "")
        assert complaint.code.encode() not in store
        assert digits.encode() not in store


def _everything(complaint: Complaint) -> bytes:
    """The main database as bytes: SQLite's files, or all rows of all tables."""
    database = complaint.street.database
    if database.dialect.name == "sqlite":
        from pathlib import Path

        path = Path(database.url.database or "")
        return b"".join(p.read_bytes() for p in path.parent.glob(f"{path.name}*"))
    from sqlalchemy import text

    with database.begin() as conn:
        tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        names = conn.execute(text(tables)).scalars().all()
        rows = [conn.execute(text(f'SELECT * FROM "{name}"')).all() for name in names]
    cells = (cell for found in rows for row in found for cell in row)
    return b"\n".join(c if isinstance(c, bytes) else str(c).encode() for c in cells)
