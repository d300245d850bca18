"""The receipts of a complaint: for whoever has its code, of their own acts, telling no hour."""

import re

import pytest

from audit.policy import signers
from audit.receipt import check_receipt, read_receipt
from audit.tlog_proof import check, read_proof
from engine.keys import Keys, make_keys, open_keys
from engine.sequencer import run_sequencer
from tests.conftest import NOON, ORIGIN, Street
from tests.engine.hotline_street import Hotline
from tests.web.hotline_pages import *  # noqa: F403 - the hotline's fixtures
from tests.web.hotline_pages import Enter, Resident
from tests.web.hotline_pages import Visitor as Visitor
from tests.web.test_kept_receipts import drawn_on, note_on, read_code
from web.config import Settings

CASE = "hotline-2026-00001"


@pytest.fixture
def keys(settings: Settings) -> Keys:
    make_keys(settings.keys, ORIGIN, "听澜街道", at=NOON)
    return open_keys(settings.keys, ORIGIN)


@pytest.fixture
def signed_in(app: object) -> Enter:
    def enter(name: str) -> Visitor:
        who = Visitor(app.test_client())  # type: ignore[attr-defined]
        assert who.sign_in(name).status_code == 303
        return who

    return enter


def own(h: Hotline) -> list[int]:
    complainant = h.entries[0].actor["person"]
    return [e.seq for e in h.entries if e.actor.get("person") == complainant]


def test_the_answer_to_a_complaint_carries_its_receipt(
    resident: Resident, h: Hotline, keys: Keys
) -> None:
    answer = resident.complain()
    note, receipt = read_receipt(note_on(answer.text).encode())
    entry = h.entries[0]
    assert keys.receipt
    assert check_receipt(note, receipt, [keys.receipt.key]) == keys.receipt.key
    assert (receipt.stream, receipt.seq, receipt.hash) == (CASE, 1, entry.hash)
    assert receipt.at == "2026-03-02"  # no hour: it would tell who was where
    assert read_code(drawn_on(answer.text)) == note.data
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers
    # Folded away, and not printed with the code unless somebody wants it.
    folded = answer.text.partition("<details>")[2].partition("</details>")[0]
    assert note_on(folded) == note_on(answer.text)
    assert "就知道有人投诉过" in folded
    assert CASE not in answer.text.replace(folded, "")


def test_the_receipt_tells_nothing_of_who_complained_or_of_what(
    resident: Resident, h: Hotline, keys: Keys
) -> None:
    page = resident.complain(identity="named", name="陈小禾演示", phone="000-7654-3210").text
    lines = note_on(page).splitlines()
    complainant = h.entries[0].actor["person"].partition(":")[2]
    for word in (
        complainant,
        resident.code,
        resident.code.replace("-", ""),
        "陈",
        "7654",
        "u-heat",
    ):
        assert word not in "\n".join([*lines[:3], lines[4]]), word
    assert len(lines) == 7


def test_a_form_sent_twice_is_answered_with_one_receipt(resident: Resident, keys: Keys) -> None:
    told = resident.form()
    first = resident.visitor.client.post("/complain", data=told).text
    second = resident.visitor.client.post("/complain", data=told).text
    assert note_on(first) == note_on(second)


def test_the_mailbox_gives_the_receipts_of_ones_own_acts(
    resident: Resident, h: Hotline, keys: Keys, web_street: Street
) -> None:
    resident.complain()
    web_street.later(days=1)
    resident.mailbox("write", words="昨天又停了")
    h.do("accept", to_complainant="已受理")
    page = resident.mailbox().text
    assert [int(seq) for seq in re.findall(r'name="seq" value="(\d+)"', page)] == own(h)
    assert CASE not in page.partition("<main")[2]
    for seq in own(h):
        answer = resident.mailbox("keep", seq=str(seq))
        _, receipt = read_receipt(note_on(answer.text).encode())
        assert (receipt.seq, receipt.hash) == (seq, h.entries[seq - 1].hash)
        assert len(receipt.at) == len("2026-03-03")
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "Set-Cookie" not in answer.headers
        assert "就知道有人投诉过" in answer.text


def test_what_others_did_gives_no_receipt_there(resident: Resident, h: Hotline, keys: Keys) -> None:
    resident.complain()
    h.do("accept", to_complainant="已受理")
    others = {e.seq for e in h.entries} - set(own(h))
    assert others
    for act in ("keep", "keep-text", "keep-proof"):
        for seq in [*map(str, others), "0", "-1", "", "x", "9" * 40, "999"]:
            answer = resident.mailbox(act, seq=seq)
            assert answer.status_code == 422, (act, seq)
            assert "没有您可以留存的" in answer.text
            assert CASE not in answer.text.partition("<main")[2]


def test_files_bear_a_name_that_tells_nothing(
    resident: Resident, h: Hotline, keys: Keys, web_street: Street
) -> None:
    resident.complain()
    answer = resident.mailbox("keep-text", seq="1")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="receipt.txt"'
    assert answer.headers["Cache-Control"] == "no-store"
    note, receipt = read_receipt(answer.data)
    early = resident.mailbox("keep-proof", seq="1")
    assert early.status_code == 422
    assert "还没有完整证明" in early.text
    run_sequencer(web_street.database, keys.checkpoint_signers, at=web_street.at)
    answer = resident.mailbox("keep-proof", seq="1")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="receipt.tlog-proof"'
    proof = read_proof(answer.data)
    check(proof, receipt.hash)
    assert signers(proof.note, keys.policy)
    assert proof.extra == note.data


def test_a_code_gives_the_receipts_of_its_own_case_alone(
    resident: Resident, h: Hotline, keys: Keys, app: object
) -> None:
    resident.complain()
    other = Resident(Visitor(app.test_client()))  # type: ignore[attr-defined]
    other.complain(text="另一件事")
    _, receipt = read_receipt(other.mailbox("keep-text", seq="1", of="0").data)
    assert receipt.stream == "hotline-2026-00002"
    other.code = "1" * 16
    assert other.mailbox("keep-text", seq="1").status_code == 422


def test_what_follows_from_a_complaint_has_receipts_of_its_own(
    resident: Resident, h: Hotline, keys: Keys
) -> None:
    resident.complain(identity="named", name="陈小禾演示", phone="000-7654-3210")
    h.do("accept").do("dispatch").do("declare").do("investigate")
    h.do("verify", result="unsubstantiated", unit=None).do("reply").do("revisit")
    h.wait(days=31)
    resident.mailbox("retaliation", guard_text="停了我家的水")
    (child,) = h.children()
    resident.mailbox("write", of="1", words="今天又停了一次")
    page = resident.mailbox(of="1").text
    seqs = re.findall(r'name="seq" value="(\d+)"', page)
    told = [read_receipt(resident.mailbox("keep-text", of="1", seq=one).data)[1] for one in seqs]
    assert told
    assert {one.stream for one in told} == {child}
    assert all(len(one.at) == len("2026-03-02") for one in told)


def test_looking_at_a_receipt_leaves_no_trace(resident: Resident, h: Hotline, keys: Keys) -> None:
    resident.complain()
    before = len(h.entries)
    for act in ("keep", "keep-text", "keep-proof"):
        resident.mailbox(act, seq="1")
    assert len(h.entries) == before


def test_no_number_opens_the_receipt_of_a_complaint(
    resident: Resident, h: Hotline, keys: Keys, visitor: Visitor
) -> None:
    """The log gives every case a number for residents; a complaint's is in its record alone."""
    resident.complain()
    number = next(e.data["receipt"] for e in h.entries if e.type == "receipt.issued")
    unknown = visitor.get("/receipt/kept?number=R-AAAA-BBBB")
    for more in ("", ".txt", ".tlog-proof"):
        answer = visitor.get(f"/receipt/kept{more}?number={number}")
        assert answer.status_code == unknown.status_code == 404
        assert CASE not in answer.text
    assert "/receipt/kept" not in visitor.text(f"/receipt?number={number}")


def test_those_named_on_the_case_keep_the_receipts_of_their_own_steps_only(
    resident: Resident, h: Hotline, keys: Keys, signed_in: Enter
) -> None:
    resident.complain()
    h.do("accept", to_complainant="已受理")
    done = next(e for e in h.entries if e.type == "task.completed")
    name = next(n for n, p in h.street.person.items() if p == done.actor["person"])
    who = signed_in(name)
    page = who.text(f"/cases/{CASE}/receipts/{done.seq}")
    _, receipt = read_receipt(note_on(page).encode())
    assert receipt.at == "2026-03-02"
    assert "这一案保密" in page
    assert who.get(f"/cases/{CASE}/receipts/1").status_code == 403
    for outside in ("heat", "chief", "watch"):
        answer = signed_in(outside).get(f"/cases/{CASE}/receipts/{done.seq}")
        assert answer.status_code == 403
        assert "不在您的职责范围内" in answer.text


def test_a_complaint_is_answered_where_nothing_is_signed(resident: Resident, h: Hotline) -> None:
    page = resident.complain().text
    assert "没有回执密钥" in page
    assert resident.code
    assert "没有回执密钥" in resident.mailbox("keep", seq="1").text
    answer = resident.mailbox("keep-text", seq="1")
    assert answer.status_code == 422
    assert "没有生效" in answer.text
