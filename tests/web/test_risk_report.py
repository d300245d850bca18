"""The risk report on its page, as PDF and as Excel; and the shed of the demonstration, by hand."""

import hashlib
import io
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from openpyxl import load_workbook
from sqlalchemy import select

from audit import log
from audit.encoding import instant
from audit.sealed_pdf import open_pdf
from engine.database import reading
from engine.keys import make_keys
from engine.people import By
from engine.register import register_table
from engine.risk_reports import read_risk
from tests.conftest import ORIGIN, Street
from tests.web.conftest import Visitor
from tests.web.demo_street import Built
from tests.web.paths import accepted, reported
from tests.web.test_pdf import tool
from web.config import Settings
from web.demo import END
from web.press import make_waiting

Enter = Callable[[str], Visitor]
SHED = "听涛苑 3 幢北侧电动车棚"
# Steps of the five duties, as the process has them: while one is open, the risk is there.
OF_FIVE = {"confirm", "second_look", "assign", "sign_in", "sign_in_ordered", "rectify", "accept",
           "second_accept"}  # fmt: skip


def exports(street: Street) -> list[Any]:
    with reading(street.database).begin() as conn:
        return [one for one in log.read(conn, "@log") if one.type == "special.exported"]


def ask(who: Visitor, case: str, format_: str, purpose: str = "初核") -> str:
    answer = who.post(f"/cases/{case}/risk", {"purpose": purpose, "format": format_})
    assert answer.status_code == 303, answer.text
    return str(answer.location)


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", html.partition("<main")[2]))


def test_the_page_lays_the_cases_of_a_place_together_and_each_line_leads_to_its_entry(
    signed_in: Enter, web_street: Street
) -> None:
    first = accepted(web_street)
    web_street.later(days=20)
    again = reported(web_street)
    web_street.later(hours=1)
    watch = signed_in("watch")
    assert f"/cases/{again}/risk" in watch.text(f"/cases/{again}")
    page = watch.text(f"/cases/{again}/risk")
    told = plain(page)
    assert told.index("按时办结的") < told.index("在谁手里多久") < told.index("一段一段")
    assert "验收后，没有再报 20 天" in told
    assert "还没有了结" in told
    for case, seq in ((first, 1), (again, 1)):
        assert f'href="/cases/{case}#e{seq}"' in page
    # Whose file was opened is on the register of looks of both.
    for case in (first, again):
        assert "watch演示" in watch.text(f"/cases/{case}/access")
    web_street.check()


def test_it_is_not_for_those_who_work_on_the_case(signed_in: Enter, web_street: Street) -> None:
    case = accepted(web_street)
    for name in ("head", "fixer"):
        who = signed_in(name)
        assert f"/cases/{case}/risk" not in who.text(f"/cases/{case}")
        for answer in (who.get(f"/cases/{case}/risk"), who.post(f"/cases/{case}/risk", {})):
            assert answer.status_code == 403
    assert exports(web_street) == []


def test_as_pdf_it_is_sealed_with_its_data_and_on_the_record(
    signed_in: Enter, web_street: Street, settings: Settings, tmp_path: Path
) -> None:
    make_keys(settings.keys, ORIGIN, "听澜街道（演示）", at=web_street.at)
    case = accepted(web_street)
    web_street.later(days=2)
    watch = signed_in("watch")
    address = ask(watch, case, "pdf")
    assert make_waiting(web_street.database, settings, clock=lambda: web_street.at) == 1
    (left,) = exports(web_street)
    data = watch.get(f"{address}/file").data
    assert hashlib.sha256(data).hexdigest() == left.data["sha256"]
    attached = open_pdf(data).attachments["risk.json"]
    assert hashlib.sha256(attached).hexdigest() == left.data["digest"]
    told = orjson.loads(attached)
    assert told["format"] == "shaoji-risk/1"
    assert (left.data["kind"], left.data["case"], left.data["cases"]) == ("risk", case, 1)
    assert (left.data["left_out"], left.data["version"]) == (0, 1)
    assert left.data["size"] > 0
    (tmp_path / "r.pdf").write_bytes(data)
    text = "".join(tool("pdftotext", "-layout", str(tmp_path / "r.pdf"), "-").split())
    assert text.index("按时办结的") < text.index("在谁手里多久")
    assert told["cases"][0]["head"] in text
    assert f"内容摘要{left.data['digest'][:8]}" in text
    assert signed_in("leader").get(address).status_code == 404
    web_street.check()


def test_as_excel_it_has_every_row_and_how_to_check(
    signed_in: Enter, web_street: Street, settings: Settings
) -> None:
    case = accepted(web_street, title="=1+1")
    web_street.later(days=2)
    watch = signed_in("watch")
    address = ask(watch, case, "xlsx", "@函调")
    assert make_waiting(web_street.database, settings, clock=lambda: web_street.at) == 1
    (left,) = exports(web_street)
    assert left.data["format"] == "xlsx"
    file = watch.get(f"{address}/file")
    assert hashlib.sha256(file.data).hexdigest() == left.data["sha256"]
    book = load_workbook(io.BytesIO(file.data))
    assert len(book.sheetnames) == left.data["pages"]
    check = {row[0]: row[1] for row in book[book.sheetnames[-1]].iter_rows(values_only=True)}
    assert check["内容摘要"] == left.data["digest"]
    assert check["算法版本"] == "audit.reports.risk 1"
    written = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert [one for one in written if one.data_type == "f"] == []
    assert any(one.value == "@函调" and one.quotePrefix for one in written)


def test_without_a_purpose_nothing_is_made(signed_in: Enter, web_street: Street) -> None:
    case = accepted(web_street)
    answer = signed_in("watch").post(f"/cases/{case}/risk", {"purpose": " ", "format": "pdf"})
    assert answer.status_code == 400
    assert "请写明用途" in answer.text


def test_in_english_it_says_the_same(signed_in: Enter, web_street: Street) -> None:
    case = accepted(web_street)
    watch = signed_in("watch")
    watch.post("/display", {"language": "en"})
    told = plain(watch.text(f"/cases/{case}/risk"))
    assert "Done in time" in told
    assert "How long in whose hands" in told
    assert not re.search("[一-鿿]{3,}", re.sub("演示|听澜街道|听涛苑|车棚", "", told)[:200])


# --- the shed of the demonstration ----------------------------------------------------------------


def test_the_shed_is_told_as_its_entries_say_counted_again_by_hand(built: Built) -> None:
    with reading(built.database).begin() as conn:
        file = register_table.c
        query = select(file.case).where(file.address == SHED, file.process == "hazard")
        cases = sorted(conn.execute(query).scalars())
        bodies = {case: [json.loads(e.body) for e in log.read(conn, case)] for case in cases}
        by = By(supervisor(conn))
        found = read_risk(conn, cases[0], END, by=by, at=END).content
    assert len(cases) == 6
    assert [ref.case for ref in found.cases] == sorted(cases, key=lambda c: bodies[c][0]["at"])
    first = min(instant(told[0]["at"]) for told in bodies.values())
    there = [span for told in bodies.values() for span in spans(told, OF_FIVE)]
    end = max(until for _, until in there)
    assert (found.first.at, found.end, found.end_by) == (first, end, "accepted")
    assert found.minutes // (24 * 60) == 138
    gaps = between(there)
    idle = sum(((b - a) for a, b in gaps), timedelta())
    told = found.spent("dismissed") + found.spent("accepted")
    assert abs(told - idle // timedelta(minutes=1)) <= len(gaps)
    over = {one.person: one.over for one in found.persons if one.over}
    assert list(over.values()) == [8751]
    assert [one.kind for one in found.marks].count("again") == 1


def supervisor(conn: Any) -> str:
    from engine.accounts import find_account

    return str(find_account(conn, "supervise").person)


def spans(told: list[dict[str, Any]], of: set[str]) -> list[tuple[datetime, datetime]]:
    """When a case held the risk, from its raw entries: until accepted, or until it ended."""
    open_: dict[str, datetime] = {"": instant(told[0]["at"])}
    begun, found = instant(told[0]["at"]), list[tuple[datetime, datetime]]()
    on, passed = True, False
    for body in told:
        at, data = instant(body["at"]), body["data"]
        if body["type"] == "task.completed":
            passed = data["form"].get("result") == "pass"
        if body["type"] != "case.advanced":
            continue
        closed = {row["task"] for row in data.get("closed", ())}
        opened = [row["task"] for row in data.get("opened", ()) if row["element"] in of]
        accepts = any(task.partition("#")[0] in ("accept", "second_accept") for task in closed)
        for task in closed:
            open_.pop(task, None)
        open_.pop("", None)
        open_.update(dict.fromkeys(opened, at))
        if on and not open_ and ((accepts and passed) or "ended" in data):
            found.append((begun, at))
            on = False
        elif not on and opened:
            begun, on = at, True
    return found


def between(spans_: list[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """The gaps between stretches."""
    gaps, last = list[tuple[datetime, datetime]](), min(spans_)[1]
    for since, until in sorted(spans_):
        if since > last:
            gaps.append((last, since))
        last = max(last, until)
    return gaps
