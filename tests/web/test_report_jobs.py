"""Reports through their pages and through the press: progress, the file, who gets it, what dies."""

import hashlib
import io
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import zxingcpp
from cryptography.x509 import load_der_x509_certificate
from flask import Flask
from openpyxl import load_workbook
from PIL import Image
from sqlalchemy.exc import OperationalError

from audit import sequence
from audit.entries import Entry
from audit.offline import verify_pdf
from audit.policy import write_policy
from audit.trust import Trust
from engine import report_jobs
from engine.database import reading
from engine.keys import make_keys, open_keys
from engine.people import directory, end_post
from engine.report_jobs import LEASE, MOST_ATTEMPTS, Job
from tests.conftest import ORIGIN, Street
from tests.offices import open_office
from tests.web.conftest import Visitor
from tests.web.paths import accepted, reported
from tests.web.test_pdf import tool
from web import press
from web.config import Settings
from web.press import Press, attend, make_waiting, start_reports, sweep, work_off_one

Enter = Callable[[str], Visitor]


@pytest.fixture
def case(web_street: Street) -> str:
    return accepted(web_street)


def ask(who: Visitor, case: str, purpose: str = "纪检函调") -> str:
    answer = who.post(f"/cases/{case}/exports", {"purpose": purpose})
    assert answer.status_code == 303
    return str(answer.location)


def work_off(street: Street, settings: Settings) -> int:
    return make_waiting(street.database, settings, clock=lambda: street.at)


def job_at(street: Street, address: str) -> Job:
    with reading(street.database).begin() as conn:
        return report_jobs.read_job(conn, address.rpartition("/")[2])


def ended(street: Street, address: str) -> bool:
    return job_at(street, address).state in ("done", "refused")


def exports(street: Street, case: str) -> list[Entry]:
    return [entry for entry in street.entries(case) if entry.type == "report.exported"]


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", "", html.partition("<main")[2]))


# --- the page ------------------------------------------------------------------------------------


def test_a_report_is_asked_for_and_its_page_looks_again_until_it_is_there(
    signed_in: Enter, web_street: Street, settings: Settings, case: str
) -> None:
    watch = signed_in("watch")
    address = ask(watch, case)
    page = watch.text(address)
    assert '<meta http-equiv="refresh" content="2">' in page
    assert "用途：纪检函调" in page
    assert watch.get(f"{address}/file").status_code == 404
    assert exports(web_street, case) == []
    assert work_off(web_street, settings) == 1
    page = watch.text(address)
    assert "http-equiv" not in page
    (entry,) = exports(web_street, case)
    assert entry.data["sha256"] in plain(page).replace(" ", "")
    answer = watch.get(f"{address}/file")
    assert hashlib.sha256(answer.data).hexdigest() == entry.data["sha256"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert address in watch.text(f"/cases/{case}")


def test_each_stage_is_shown_as_it_is_reached(
    signed_in: Enter, web_street: Street, case: str
) -> None:
    watch = signed_in("watch")
    address = ask(watch, case)
    job = web_street.do(report_jobs.claim, "one")
    told = {"reading": "读取记录", "setting": "排版", "sealing": "盖章"}
    for stage, words in told.items():
        web_street.do(report_jobs.tell_stage, job, "one", stage)
        assert f"{words} 正在做" in plain(watch.text(address))


def test_a_report_no_worker_takes_up_says_so(
    signed_in: Enter, web_street: Street, case: str
) -> None:
    watch = signed_in("watch")
    address = ask(watch, case)
    assert "还没有后台进程接手" not in watch.text(address)
    web_street.later(minutes=1)
    assert "还没有后台进程接手" in watch.text(address)


def test_the_same_form_sent_twice_is_one_report(
    signed_in: Enter, web_street: Street, settings: Settings, case: str
) -> None:
    watch = signed_in("watch")
    form = {"purpose": "例会", "key": "same"}
    sent = {watch.post(f"/cases/{case}/exports", form).location for _ in range(2)}
    assert len(sent) == 1
    assert work_off(web_street, settings) == 1
    assert watch.post(f"/cases/{case}/exports", form).location in sent
    assert work_off(web_street, settings) == 0
    assert len(exports(web_street, case)) == 1


def test_nobody_but_who_asked_gets_a_report_or_hears_of_it(
    signed_in: Enter, web_street: Street, settings: Settings, case: str
) -> None:
    address = ask(signed_in("watch"), case)
    work_off(web_street, settings)
    # Somebody who may export the case too, and asks for a report of their own.
    other = signed_in("head")
    own = ask(other, case, "自己留底")
    for path in (address, f"{address}/file"):
        assert other.get(path).status_code == 404
    assert address not in other.text(f"/cases/{case}")
    another = reported(web_street)
    assert signed_in("watch").get(address.replace(case, another)).status_code == 404
    assert own != address


def test_who_may_export_the_case_no_longer_gets_the_file_no_more(
    signed_in: Enter, web_street: Street, settings: Settings, case: str
) -> None:
    watch = signed_in("watch")
    address = ask(watch, case)
    work_off(web_street, settings)
    assert watch.get(f"{address}/file").status_code == 200
    end_watch(web_street)
    assert watch.get(f"{address}/file").status_code == 403


def test_who_has_lost_the_right_before_the_record_is_refused_in_words(
    signed_in: Enter, web_street: Street, settings: Settings, case: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    watch, keep = signed_in("watch"), press.keep_report
    address = ask(watch, case)

    def meanwhile(folder: Path, data: bytes) -> str:
        end_watch(web_street)
        return keep(folder, data)

    monkeypatch.setattr(press, "keep_report", meanwhile)
    assert work_off(web_street, settings) == 1
    assert exports(web_street, case) == []
    job = job_at(web_street, address)
    assert (job.state, job.sha256) == ("refused", None)
    assert job.chinese == "只有本街道督查、纪检岗位和本案经办人可以导出报告。请向他们索取。"


def end_watch(street: Street) -> None:
    with street.database.begin() as conn:
        post = directory(conn).capacities(street.person["watch"], street.at)[0].post
        end_post(conn, post, reason="调离", by=street.by("admin"), at=street.at)
    street.later(minutes=1)


def test_a_refusal_is_shown_in_its_own_words(
    signed_in: Enter, web_street: Street, settings: Settings
) -> None:
    watch = signed_in("watch")
    address = ask(watch, reported(web_street, title="𠮷家车棚"))
    work_off(web_street, settings)
    page = watch.text(address)
    assert "没有导出" in page
    assert "报告里有字体缺少的字：𠮷（U+20BB7）" in page
    assert "http-equiv" not in page


# --- what is kept --------------------------------------------------------------------------------


def test_old_files_are_dropped_and_the_record_stays(
    signed_in: Enter, web_street: Street, settings: Settings, case: str
) -> None:
    watch = signed_in("watch")
    address = ask(watch, case)
    work_off(web_street, settings)
    (kept,) = settings.reports.iterdir()
    made_at = web_street.at.timestamp()
    os.utime(kept, (made_at, made_at))
    assert sweep(web_street.database, settings, at=web_street.later(days=29)) == 0
    assert sweep(web_street.database, settings, at=web_street.later(days=2)) == 1
    assert not list(settings.reports.iterdir())
    watch = signed_in("watch")
    assert "文件已过保存期（30 天）" in watch.text(address)
    assert watch.get(f"{address}/file").status_code == 404
    assert len(exports(web_street, case)) == 1


def test_a_file_that_was_changed_is_not_handed_out(
    signed_in: Enter, web_street: Street, settings: Settings, case: str
) -> None:
    watch = signed_in("watch")
    address = ask(watch, case)
    work_off(web_street, settings)
    (kept,) = settings.reports.iterdir()
    kept.write_bytes(kept.read_bytes()[:-1] + b"\n\n")
    assert watch.get(f"{address}/file").status_code == 404


# --- what dies -----------------------------------------------------------------------------------


class Killed(BaseException):
    """As if the process had been killed here: nothing of it runs any more."""


def crash(*_: Any, **__: Any) -> None:
    raise Killed


@pytest.mark.parametrize("where", ["make_case_report", "keep_report", "report_jobs.finish"])
def test_whatever_dies_before_the_record_the_next_worker_makes_the_report(
    where: str, signed_in: Enter, web_street: Street, settings: Settings, case: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    watch = signed_in("watch")
    address = ask(watch, case)
    with monkeypatch.context() as patch:
        patch.setattr(f"web.press.{where}", crash)
        with pytest.raises(Killed):
            work_off(web_street, settings)
    assert exports(web_street, case) == []
    assert work_off(web_street, settings) == 0
    web_street.later(seconds=LEASE.total_seconds() + 1)
    assert work_off(web_street, settings) == 1
    (entry,) = exports(web_street, case)
    data = watch.get(f"{address}/file").data
    assert hashlib.sha256(data).hexdigest() == entry.data["sha256"]
    web_street.check()


def test_a_worker_that_was_only_slow_records_nothing(
    signed_in: Enter, web_street: Street, settings: Settings, case: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    ask(signed_in("watch"), case)
    keep = press.keep_report

    def slow(folder: Path, data: bytes) -> str:
        monkeypatch.setattr(press, "keep_report", keep)
        web_street.later(seconds=LEASE.total_seconds() + 1)
        assert work_off(web_street, settings) == 1
        return keep(folder, data)

    monkeypatch.setattr(press, "keep_report", slow)
    told = {"worker": "slow", "clock": lambda: web_street.at}
    assert work_off_one(web_street.database, settings.reports, press.means(settings), **told)
    assert len(exports(web_street, case)) == 1


def test_a_fault_of_ours_is_tried_again_and_then_given_up(
    signed_in: Enter, web_street: Street, settings: Settings, case: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def faulty(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    watch = signed_in("watch")
    address = ask(watch, case)
    monkeypatch.setattr(press, "make_case_report", faulty)
    assert work_off(web_street, settings) == MOST_ATTEMPTS + 1
    assert "试了 3 次都没有做成" in watch.text(address)
    assert exports(web_street, case) == []


def test_a_database_that_is_gone_for_a_moment_costs_no_report(
    signed_in: Enter, web_street: Street, settings: Settings, case: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def gone(*_: Any, **__: Any) -> None:
        raise OperationalError("", {}, Exception("gone"))

    ask(signed_in("watch"), case)
    with monkeypatch.context() as patch:
        patch.setattr(report_jobs, "finish", gone)
        with pytest.raises(OperationalError):
            work_off(web_street, settings)
    web_street.later(seconds=LEASE.total_seconds() + 1)
    assert work_off(web_street, settings) == 1
    assert len(exports(web_street, case)) == 1


# --- the real process ----------------------------------------------------------------------------


@pytest.fixture
def real(settings: Settings) -> Iterator[Press]:
    """A press of its own process; it goes by the wall clock."""
    started = Press(settings)
    yield started
    started.close()


def until(true: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


def test_a_press_killed_at_work_is_replaced_and_the_report_is_recorded_once(
    web_street: Street, settings: Settings, real: Press, app: Flask, signed_in: Enter, case: str
) -> None:
    web_street.at = press.utc_now()  # months after the case, which was opened on the street's clock
    watch = signed_in("watch")
    address = ask(watch, case)
    real.call()
    until(lambda: job_at(web_street, address).stage in ("setting", "sealing"))
    assert real.pid
    os.kill(real.pid, signal.SIGKILL)
    until(lambda: real.pid is None)
    assert exports(web_street, case) == []
    assert job_at(web_street, address).state == "rendering"
    # The caller knows that it is dead, and waits for no lease.
    assert attend(web_street.database, real, at=press.utc_now())
    real.call()
    until(lambda: ended(web_street, address))
    assert job_at(web_street, address).state == "done", job_at(web_street, address)
    (entry,) = exports(web_street, case)
    web_street.at = press.utc_now()
    data = watch.get(f"{address}/file").data
    assert hashlib.sha256(data).hexdigest() == entry.data["sha256"]
    assert job_at(web_street, address).attempts == 2
    web_street.check()


def test_the_caller_starts_a_press_when_one_is_needed_and_ends_it_with_itself(
    web_street: Street, settings: Settings, app: Flask, signed_in: Enter, case: str
) -> None:
    web_street.at = press.utc_now()
    address = ask(signed_in("watch"), case)
    stop = Event()
    told = {"settings": settings, "clock": press.utc_now}
    thread = start_reports(web_street.database, stop, **told)
    until(lambda: ended(web_street, address))
    stop.set()
    thread.join(30)
    assert not thread.is_alive()
    assert len(exports(web_street, case)) == 1


# --- under a checkpoint, and sealed --------------------------------------------------------------


@pytest.fixture
def keyed(web_street: Street, settings: Settings) -> Settings:
    """The street with keys of its own."""
    make_keys(settings.keys, ORIGIN, "听澜街道（演示）", at=web_street.at)
    return settings


def test_a_report_is_sealed_stands_under_a_checkpoint_and_holds_without_us(
    signed_in: Enter, web_street: Street, keyed: Settings, case: str, tmp_path: Path
) -> None:
    watch = signed_in("watch")
    address = ask(watch, case)
    assert work_off(web_street, keyed) == 1
    data = watch.get(f"{address}/file").data
    keys = open_keys(keyed.keys, ORIGIN)
    assert keys.seal
    trust = Trust(policy=keys.policy, sealers=(load_der_x509_certificate(keys.seal.certificate),))
    found = verify_pdf(data, trust)
    assert not [step for step in found.steps if step.outcome.name == "FAILS"], found
    held = {step.name for step in found.steps if step.outcome.name == "HOLDS"}
    assert {"bytes", "chain", "words", "tree", "signature", "seal", "pinned"} <= held
    (tmp_path / "report.pdf").write_bytes(data)
    text = "".join(tool("pdftotext", "-layout", str(tmp_path / "report.pdf"), "-").split())
    assert "二维码是签过名的检查点" in text
    assert "还没有外单位见证" in text
    assert "本文件盖有数字印章" in text
    assert "python-mauditreport.pdf" in text
    assert "verify.html" in text


def test_a_report_bears_the_cosignature_of_its_own_checkpoint(
    signed_in: Enter, web_street: Street, keyed: Settings, case: str, tmp_path: Path
) -> None:
    keys = open_keys(keyed.keys, ORIGIN)
    with open_office(tmp_path / "office", keys.policy.logs) as office:
        wanted = replace(keys.policy, witnesses=(office.witness,), quorum=office.witness.name)
        keyed.keys.policy.write_text(write_policy(wanted), encoding="utf-8")
        watch = signed_in("watch")
        address = ask(watch, case)
        assert work_off(web_street, keyed) == 1
    data = watch.get(f"{address}/file").data
    found = verify_pdf(data, Trust(policy=wanted))
    assert {step.name: step.outcome.name for step in found.steps}["witnesses"] == "HOLDS", found
    (tmp_path / "report.pdf").write_bytes(data)
    text = "".join(tool("pdftotext", "-layout", str(tmp_path / "report.pdf"), "-").split())
    assert f"见证{office.witness.name}" in text.replace("：", "")
    assert "还没有外单位见证" not in text


def test_a_telephone_reads_the_whole_checkpoint_from_the_page(
    signed_in: Enter, web_street: Street, keyed: Settings, case: str, tmp_path: Path
) -> None:
    watch = signed_in("watch")
    address = ask(watch, case)
    work_off(web_street, keyed)
    (tmp_path / "report.pdf").write_bytes(watch.get(f"{address}/file").data)
    page = str(tmp_path / "page")
    tool("pdftoppm", "-r", "150", "-l", "1", "-png", str(tmp_path / "report.pdf"), page)
    (picture,) = tmp_path.glob("page*.png")
    (code,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(picture.read_bytes())))
    with reading(web_street.database).begin() as conn:
        last = sequence.latest(conn)
    assert last
    # The export itself came after the checkpoint that the report stands under.
    assert code.text.encode() == last.note.data


def test_without_keys_the_report_says_that_nothing_is_signed_yet(
    signed_in: Enter, web_street: Street, settings: Settings, case: str, tmp_path: Path
) -> None:
    watch = signed_in("watch")
    address = ask(watch, case)
    work_off(web_street, settings)
    (tmp_path / "report.pdf").write_bytes(watch.get(f"{address}/file").data)
    text = "".join(tool("pdftotext", "-layout", str(tmp_path / "report.pdf"), "-").split())
    assert "这些记录还没有进入签过名的检查点" in text
    assert "数字印章" not in text


def test_reports_are_kept_where_the_settings_say(settings: Settings, tmp_path: Path) -> None:
    assert settings.reports == tmp_path / "reports"
    assert replace(settings, reports_dir=tmp_path / "x").reports == tmp_path / "x"
    assert settings.reports_days == timedelta(days=30).days


# --- the same as a workbook -----------------------------------------------------------------------


def test_the_report_as_excel_has_every_entry_with_its_hash_and_is_on_the_record(
    signed_in: Enter, web_street: Street, settings: Settings
) -> None:
    make_keys(settings.keys, ORIGIN, "听澜街道（演示）", at=web_street.at)
    case = accepted(web_street, title="=HYPERLINK(1)")
    watch = signed_in("watch")
    answer = watch.post(f"/cases/{case}/exports", {"purpose": "+函调", "format": "xlsx"})
    address = str(answer.location)
    before = web_street.entries(case)
    assert work_off(web_street, settings) == 1
    assert "下载 Excel（4 张表）" in watch.text(address)
    file = watch.get(f"{address}/file")
    assert file.mimetype.endswith("spreadsheetml.sheet")
    assert f'filename="{case}.xlsx"' in file.headers["Content-Disposition"]
    (entry,) = exports(web_street, case)
    assert (entry.data["format"], entry.data["pages"]) == ("xlsx", 4)
    assert hashlib.sha256(file.data).hexdigest() == entry.data["sha256"]
    book = load_workbook(io.BytesIO(file.data))
    assert book.sheetnames == ["事实", "责任表", "记录", "怎样核对"]
    rows = list(book["记录"].iter_rows(min_row=2, values_only=True))
    assert [(row[0], row[6]) for row in rows] == [(one.seq, one.hash.hex()) for one in before]
    check = {row[0]: row[1] for row in book["怎样核对"].iter_rows(values_only=True)}
    assert check["内容摘要"] == entry.data["digest"]
    assert check["末条哈希"] == entry.data["head"] == before[-1].hash.hex()
    assert check["根"] == entry.data["root"]
    written = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert [one for one in written if one.data_type == "f"] == []
    assert any(one.value == "+函调" and one.quotePrefix for one in written)
    web_street.check()


def test_another_format_than_pdf_or_excel_is_refused(
    signed_in: Enter, web_street: Street, case: str
) -> None:
    answer = signed_in("watch").post(f"/cases/{case}/exports", {"purpose": "x", "format": "doc"})
    assert answer.status_code == 400
    assert "报告只能做成 PDF 或 Excel" in answer.text
