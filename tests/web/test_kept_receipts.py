"""Receipts that can be kept: what they say, when the proof is there, who gets one, who does not."""

import html
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image, ImageDraw

from audit import log, sequence
from audit.checkpoint import open_checkpoint
from audit.policy import signers
from audit.promised import There, check_carried, check_promise
from audit.receipt import Receipt, check_receipt, read_receipt
from audit.steps import Outcome, Step
from audit.tlog_proof import check, read_proof
from engine.keys import Keys, make_keys, open_keys
from engine.sequencer import run_sequencer
from tests.conftest import NOON, ORIGIN, Street
from tests.web.conftest import Visitor
from tests.web.paths import CONFIRMED, assigned, confirmed, reported
from web.config import Settings

Enter = Callable[[str], Visitor]
LIMIT = timedelta(hours=1)
CONFIRM = {**CONFIRMED, "danger_now": ""}
WAITING = "已登记，正在编入见证树"


@pytest.fixture
def keys(settings: Settings) -> Keys:
    """The keys of this street, made where its pages look for them."""
    make_keys(settings.keys, ORIGIN, "听澜街道", at=NOON)
    return open_keys(settings.keys, ORIGIN)


def path(case: str, seq: int, more: str = "") -> str:
    return f"/cases/{case}/receipts/{seq}{more}"


def sequenced(street: Street, keys: Keys) -> int:
    """Take everything into the tree and sign it; returns the size of the checkpoint."""
    note = run_sequencer(street.database, keys.checkpoint_signers, at=street.at).published
    assert note
    return open_checkpoint(note.data)[1].size


def note_on(page: str) -> str:
    """The text of the receipt on a page."""
    found = re.search(r'<pre class="kept__text"[^>]*>(.*?)</pre>', page, re.DOTALL)
    assert found
    return html.unescape(found[1])


def drawn_on(page: str) -> Image.Image:
    """The code on a page as a picture, drawn from its lines as a browser draws them."""
    svg = page[page.index('<svg viewBox="0 0 ') :].partition("</svg>")[0]
    size = int(svg.partition('viewBox="0 0 ')[2].partition(" ")[0])
    picture = Image.new("L", (size * 4, size * 4), 255)
    pen, x, y = ImageDraw.Draw(picture), 0.0, 0.0
    strokes = svg.partition('stroke="#000" d="')[2].partition('"')[0]
    for act, told in re.findall(r"([Mmh])(-?[\d. -]+)", strokes):
        numbers = [float(one) for one in told.split()]
        if act == "M":
            x, y = numbers
        elif act == "m":
            x, y = x + numbers[0], y + numbers[1]
        else:
            pen.rectangle((x * 4, (y - 0.5) * 4, (x + numbers[0]) * 4 - 1, (y + 0.5) * 4 - 1), 0)
            x += numbers[0]
    return picture


def read_code(picture: Image.Image) -> bytes:
    """What somebody else's reader makes of a picture with one code on it."""
    (found,) = zxingcpp.read_barcodes(picture)
    return bytes(found.bytes)


def checked(note: str, street: Street, keys: Keys) -> Step:
    """The receipt held against the database, as a verifier would."""
    assert keys.receipt
    signed, receipt = read_receipt(note.encode())
    with street.database.begin() as conn:
        rows = [one for one in log.read(conn, receipt.stream) if one.seq == receipt.seq]
        event = rows[0].body if rows else None
        in_tree = sequence.leaf_index(conn, receipt.hash) is not None
    waiting = None if in_tree else timedelta()
    there = There(event, in_tree, waiting)
    return check_promise(signed, receipt, [keys.receipt.key], there, limit=LIMIT)


# --- before and after the tree --------------------------------------------------------------------


def test_right_after_the_act_the_receipt_is_signed_and_the_proof_still_to_come(
    signed_in: Enter, web_street: Street, keys: Keys
) -> None:
    case = reported(web_street)
    who, entry = signed_in("grid"), web_street.entries(case)[0]
    page = who.text(path(case, 1))
    assert WAITING in page
    note, receipt = read_receipt(note_on(page).encode())
    assert receipt == Receipt(ORIGIN, case, 1, entry.hash, "2026-03-02T01:00:00.000Z")
    assert keys.receipt
    assert check_receipt(note, receipt, [keys.receipt.key]) == keys.receipt.key
    assert keys.receipt.key.vkey in html.unescape(page)
    told = who.get(path(case, 1, ".txt"))
    assert told.data == note.data
    assert f'filename="receipt-{case}-1.txt"' in told.headers["Content-Disposition"]
    assert who.get(path(case, 1, ".tlog-proof")).status_code == 404
    assert "receipts/1.tlog-proof" not in page
    assert checked(note_on(page), web_street, keys).outcome is Outcome.HOLDS


def test_once_a_checkpoint_covers_it_the_proof_carries_the_receipt(
    signed_in: Enter, web_street: Street, keys: Keys
) -> None:
    case = reported(web_street)
    size = sequenced(web_street, keys)
    who, entry = signed_in("grid"), web_street.entries(case)[0]
    page = who.text(path(case, 1))
    assert WAITING not in page
    with web_street.database.begin() as conn:
        leaf = sequence.leaf_index(conn, entry.hash)
    assert leaf is not None
    assert "已编入见证树" in page
    assert f"第 {leaf + 1} 片叶子，检查点 {size}。" in page

    answer = who.get(path(case, 1, ".tlog-proof"))
    assert f'filename="receipt-{case}-1.tlog-proof"' in answer.headers["Content-Disposition"]
    proof = read_proof(answer.data)
    check(proof, entry.hash)
    assert proof.index == leaf
    assert signers(proof.note, keys.policy)
    assert proof.extra == note_on(page).encode()
    assert keys.receipt
    assert check_carried(proof, [keys.receipt.key]).outcome is Outcome.HOLDS


def test_in_the_tree_but_under_no_checkpoint_it_is_still_on_its_way(
    signed_in: Enter, web_street: Street, keys: Keys
) -> None:
    sequenced(web_street, keys)
    case = reported(web_street)
    with web_street.database.begin() as conn:
        assert sequence.integrate(conn) > 0
    who = signed_in("grid")
    assert WAITING in who.text(path(case, 1))
    assert who.get(path(case, 1, ".tlog-proof")).status_code == 404


def test_the_same_event_gives_the_same_receipt(
    signed_in: Enter, web_street: Street, keys: Keys
) -> None:
    case = reported(web_street)
    who = signed_in("grid")
    first = note_on(who.text(path(case, 1)))
    web_street.later(hours=1)
    sequenced(web_street, keys)
    assert note_on(who.text(path(case, 1))) == first


def test_a_record_that_is_removed_is_proved_by_the_receipt_kept_before(
    signed_in: Enter, web_street: Street, keys: Keys
) -> None:
    case = confirmed(web_street)
    seq = next(e.seq for e in web_street.entries(case) if e.type == "task.completed")
    note = note_on(signed_in("head").text(path(case, seq)))
    with web_street.database.begin() as conn:
        triggers = conn.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'event'"
        ).scalars()
        for name in list(triggers):
            conn.exec_driver_sql(f'DROP TRIGGER "{name}"')
        conn.exec_driver_sql("DELETE FROM outbox")
        conn.exec_driver_sql("DELETE FROM event WHERE stream = ? AND seq >= ?", (case, seq))
    step = checked(note, web_street, keys)
    assert step.outcome is Outcome.FAILS
    assert "不在了" in step.chinese
    altered = note.replace(f" {seq}\n", f" {seq - 1}\n")
    assert "谁都可能写出" in checked(altered, web_street, keys).chinese


# --- the code -------------------------------------------------------------------------------------


def test_the_code_is_exactly_the_receipt(signed_in: Enter, web_street: Street, keys: Keys) -> None:
    case = reported(web_street)
    page = signed_in("grid").text(path(case, 1))
    assert read_code(drawn_on(page)) == note_on(page).encode()
    assert "style=" not in page


# --- no key ---------------------------------------------------------------------------------------


def test_without_a_key_the_page_says_so_and_what_to_do(
    signed_in: Enter, web_street: Street
) -> None:
    case = reported(web_street)
    who = signed_in("grid")
    page = who.text(path(case, 1))
    assert "没有回执密钥" in page
    assert "shaoji keys init" in page
    assert 'class="qr"' not in page
    assert note_on(page).splitlines()[2] == f"{case} 1"
    answer = who.get(path(case, 1, ".txt"))
    assert answer.status_code == 404
    assert "shaoji keys init" in answer.text


def test_without_a_receipt_key_the_proof_is_given_all_the_same(
    signed_in: Enter, web_street: Street, settings: Settings, keys: Keys
) -> None:
    Path(settings.keys.receipt).unlink()
    case = reported(web_street)
    sequenced(web_street, keys)
    answer = signed_in("grid").get(path(case, 1, ".tlog-proof"))
    proof = read_proof(answer.data)
    assert proof.extra == b""
    check(proof, web_street.entries(case)[0].hash)


def test_a_key_that_others_may_read_signs_nothing(
    signed_in: Enter, web_street: Street, settings: Settings, keys: Keys
) -> None:
    Path(settings.keys.receipt).chmod(0o644)
    case = reported(web_street)
    assert "没有回执密钥" in signed_in("grid").text(path(case, 1))


def test_a_key_made_later_is_found_without_a_restart(
    signed_in: Enter, web_street: Street, settings: Settings
) -> None:
    case = reported(web_street)
    who = signed_in("grid")
    assert "没有回执密钥" in who.text(path(case, 1))
    make_keys(settings.keys, ORIGIN, "听澜街道", at=NOON)
    read_receipt(note_on(who.text(path(case, 1))).encode())


def test_the_pages_read_no_key_but_the_one_for_receipts(
    signed_in: Enter, web_street: Street, settings: Settings, keys: Keys
) -> None:
    Path(settings.keys.checkpoint).unlink()
    Path(settings.keys.seal).unlink()
    case = reported(web_street)
    read_receipt(note_on(signed_in("grid").text(path(case, 1))).encode())


# --- whose it is ----------------------------------------------------------------------------------


def test_whoever_did_a_step_keeps_its_receipt_and_nobody_keeps_anothers(
    signed_in: Enter, web_street: Street, keys: Keys
) -> None:
    case = assigned(web_street)
    did = {e.actor.get("person"): e.seq for e in web_street.entries(case)
           if e.type == "task.completed"}  # fmt: skip
    person = web_street.person
    head, dispatch = signed_in("head"), signed_in("dispatch")
    assert head.get(path(case, did[person["head"]])).status_code == 200
    for more in ("", ".txt", ".tlog-proof"):
        answer = head.get(path(case, did[person["dispatch"]], more))
        assert answer.status_code == 403
        assert "不能替别人留存回执" in answer.text
    assert dispatch.get(path(case, did[person["dispatch"]])).status_code == 200
    # Who reported may hold the log to everything in their case, who watches over it may not.
    assert signed_in("grid").get(path(case, did[person["head"]])).status_code == 200
    assert signed_in("watch").get(path(case, did[person["head"]])).status_code == 403


def test_what_one_may_not_see_gives_no_receipt_and_nor_does_what_is_not_there(
    signed_in: Enter, visitor: Visitor, web_street: Street, keys: Keys
) -> None:
    case = reported(web_street)
    for more in ("", ".txt", ".tlog-proof"):
        assert signed_in("fixer").get(path(case, 1, more)).status_code == 403
        assert "/sign-in" in visitor.get(path(case, 1, more)).location
        for seq in (0, 99, 10**30):
            assert signed_in("grid").get(path(case, seq, more)).status_code == 404
        assert signed_in("grid").get(path("hazard-2026-09999", 1, more)).status_code == 404
        assert signed_in("grid").get(path("@people", 1, more)).status_code == 404


# --- where one comes across it --------------------------------------------------------------------


def test_after_a_step_the_receipt_is_a_link_away_and_can_be_passed_over(
    signed_in: Enter, web_street: Street, keys: Keys
) -> None:
    case = reported(web_street)
    who = signed_in("head")
    answer = who.post(f"/cases/{case}/tasks/confirm%231/completion", CONFIRM)
    assert answer.location == "/inbox"
    told = who.text("/inbox").partition('class="said-done"')[2].partition("</p>")[0]
    link = re.search(r'href="([^"]+)">留存回执', told)
    assert link
    _, receipt = read_receipt(note_on(who.text(link[1])).encode())
    done = next(e for e in web_street.entries(case) if e.type == "task.completed")
    assert (receipt.stream, receipt.seq, receipt.hash) == (case, done.seq, done.hash)


def test_the_receipts_of_all_own_acts_are_listed_and_of_no_others(
    signed_in: Enter, web_street: Street, keys: Keys
) -> None:
    case = assigned(web_street)
    page = signed_in("head").text("/inbox/done")
    listed = {int(seq) for seq in re.findall(rf"/cases/{case}/receipts/(\d+)", page)}
    own = {e.seq for e in web_street.entries(case)
           if e.actor.get("person") == web_street.person["head"]}  # fmt: skip
    assert listed == own
    assert f"我做过的 {len(own)} 条" in page


def test_whoever_begins_a_case_is_offered_its_receipt(
    signed_in: Enter, web_street: Street, keys: Keys
) -> None:
    case = reported(web_street)
    assert f'href="{path(case, 1)}"' in signed_in("grid").text(f"/reports/{case}")


# --- by the number of a report --------------------------------------------------------------------


def number_of(street: Street, case: str) -> str:
    return next(e.data["receipt"] for e in street.entries(case) if e.type == "receipt.issued")


def test_whoever_has_the_number_keeps_the_proof_of_the_report_and_nothing_else(
    visitor: Visitor, web_street: Street, keys: Keys
) -> None:
    case = assigned(web_street)
    number = number_of(web_street, case)
    assert f"/receipt/kept?number={number}" in visitor.text(f"/receipt?number={number}")
    page = visitor.text(f"/receipt/kept?number={number.lower()}&seq=5")
    _, receipt = read_receipt(note_on(page).encode())
    assert (receipt.seq, receipt.hash) == (1, web_street.entries(case)[0].hash)
    assert visitor.get(f"/receipt/kept.txt?number={number}").data == note_on(page).encode()
    assert visitor.get(f"/receipt/kept.tlog-proof?number={number}").status_code == 404
    sequenced(web_street, keys)
    proof = read_proof(visitor.get(f"/receipt/kept.tlog-proof?number={number}").data)
    check(proof, receipt.hash)
    told = page.partition("<main")[2].partition("</main>")[0]
    for word in ("演示", "车棚", "拉线", "听涛苑", *web_street.person.values()):
        assert word not in told, word


@pytest.mark.parametrize("more", ["", ".txt", ".tlog-proof"])
@pytest.mark.parametrize("number", ["", "R-AAAA-BBBB", '"><script>', "x" * 300, "\r\nX: y"])
def test_a_wrong_number_gives_nothing(visitor: Visitor, more: str, number: str) -> None:
    answer = visitor.get(f"/receipt/kept{more}", query_string={"number": number})
    assert answer.status_code == 404
    assert "没有这个回执号" in answer.text
    assert "<script>" not in answer.text
