"""Reports of many cases as one ZIP: what is in it, how far it is, what dies, who gets it."""

import hashlib
import io
import re
import zipfile
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from audit import log
from engine import batches
from engine.database import reading
from engine.people import directory, end_post
from engine.report_jobs import LEASE, MOST_ATTEMPTS
from tests.conftest import Street
from tests.web.conftest import Visitor
from tests.web.paths import accepted, reported
from web import batching
from web.config import Settings
from web.press import make_waiting

Enter = Callable[[str], Visitor]


@pytest.fixture
def cases(web_street: Street) -> list[str]:
    return [accepted(web_street), reported(web_street), reported(web_street)]


def ask(who: Visitor, cases: list[str], **more: str) -> str:
    answer = who.post("/exports", {"case": cases, "purpose": "初核", **more})
    assert answer.status_code == 303, answer.text
    return str(answer.location)


def work_off(street: Street, settings: Settings) -> int:
    return make_waiting(street.database, settings, clock=lambda: street.at)


def exports(street: Street, case: str) -> list[Any]:
    return [entry for entry in street.entries(case) if entry.type == "report.exported"]


def batches_left(street: Street) -> list[Any]:
    with reading(street.database).begin() as conn:
        return [entry for entry in log.read(conn, "@log") if entry.type == "batch.exported"]


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", "", html.partition("<main")[2]))


def test_the_cases_found_leave_as_one_zip_with_a_manifest_each_on_its_own_record(
    signed_in: Enter, web_street: Street, settings: Settings, cases: list[str]
) -> None:
    watch = signed_in("watch")
    page = watch.text("/exports/new")
    assert all(f'value="{case}" checked' in page for case in cases)
    assert "/exports/new" in watch.text("/cases")
    address = ask(watch, cases)
    page = watch.text(address)
    assert '<meta http-equiv="refresh"' in page
    assert "已做 0 件，共 3 件" in plain(page)
    assert watch.get(f"{address}/file").status_code == 404
    assert work_off(web_street, settings) == 1
    page = watch.text(address)
    assert "已做 3 件，共 3 件" in plain(page)
    assert "http-equiv" not in page
    data = watch.get(f"{address}/file").data
    (left,) = batches_left(web_street)
    assert left.data["sha256"] == hashlib.sha256(data).hexdigest()
    assert (left.data["cases"], left.data["refused"], left.data["purpose"]) == (3, 0, "初核")
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert archive.testzip() is None
    manifest = orjson.loads(archive.read("manifest.json"))
    assert [told["case"] for told in manifest["reports"]] == cases
    sums = archive.read("SHA256SUMS").decode()
    for told in manifest["reports"]:
        pdf = archive.read(told["file"])
        assert hashlib.sha256(pdf).hexdigest() == told["sha256"]
        assert f"{told['sha256']}  {told['file']}\n" in sums
        (entry,) = exports(web_street, told["case"])
        assert entry.data["sha256"] == told["sha256"]
        assert entry.data["digest"] == told["content_digest"]
    web_street.check()


def test_what_one_may_not_see_is_told_and_stops_nothing(
    signed_in: Enter, web_street: Street, settings: Settings, cases: list[str]
) -> None:
    grid = signed_in("grid")
    hidden = reported(web_street, by="other", place=_elsewhere())
    number = _number(web_street, cases[1])
    address = ask(grid, [cases[0], hidden], more=f"{number}\n听澜-隐-2099-00001")
    assert work_off(web_street, settings) == 1
    page = plain(grid.text(address))
    assert "没有导出的" in page
    assert "不在您的职责范围内" in page
    assert "没有找到案件 听澜-隐-2099-00001" in page
    manifest = orjson.loads(
        zipfile.ZipFile(io.BytesIO(grid.get(f"{address}/file").data)).read("manifest.json")
    )
    assert [told["case"] for told in manifest["reports"]] == cases[:2]
    assert [told["case"] for told in manifest["refused"]] == [hidden, "听澜-隐-2099-00001"]
    assert exports(web_street, hidden) == []


def _elsewhere() -> Any:
    from engine.cases import Place

    return Place("u-other", "沿河路 1 号")


def _number(street: Street, case: str) -> str:
    return str(street.entries(case)[0].data["number"])


def test_a_batch_of_nothing_one_may_see_is_refused_in_words(
    signed_in: Enter, web_street: Street, settings: Settings, cases: list[str]
) -> None:
    other = signed_in("fixer2")
    address = ask(other, cases[1:])
    assert work_off(web_street, settings) == 1
    page = plain(other.text(address))
    assert "一件也没有导出" in page
    assert batches_left(web_street) == []
    assert other.get(f"{address}/file").status_code == 404


@pytest.mark.parametrize("chosen", [0, batches.MOST_CASES + 1])
def test_none_or_too_many_are_refused_with_what_was_typed(
    signed_in: Enter, web_street: Street, cases: list[str], chosen: int
) -> None:
    told = {"case": [f"hazard-2026-{n:05}" for n in range(chosen)], "purpose": "抽查用"}
    answer = signed_in("watch").post("/exports", told)
    assert answer.status_code == 400
    assert "一次最多 200 件" in answer.text
    assert "抽查用" in answer.text


class Killed(BaseException):
    """As if the process had been killed here."""


def test_a_worker_that_dies_leaves_what_it_made_and_the_next_one_goes_on(
    signed_in: Enter, web_street: Street, settings: Settings, cases: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    watch, make = signed_in("watch"), batching.make_case_report
    address = ask(watch, cases)
    made: list[str] = []

    def second_dies(engine: Any, case: str, **more: Any) -> Any:
        if made:
            raise Killed
        made.append(case)
        return make(engine, case, **more)

    with monkeypatch.context() as patch:
        patch.setattr(batching, "make_case_report", second_dies)
        with pytest.raises(Killed):
            work_off(web_street, settings)
    assert "已做 1 件，共 3 件" in plain(watch.text(address))
    assert [len(exports(web_street, case)) for case in cases] == [1, 0, 0]
    assert work_off(web_street, settings) == 0
    web_street.later(seconds=LEASE.total_seconds() + 1)
    assert work_off(web_street, settings) == 1
    assert [len(exports(web_street, case)) for case in cases] == [1, 1, 1]
    assert len(batches_left(web_street)) == 1
    assert watch.get(f"{address}/file").status_code == 200
    web_street.check()


def test_a_case_whose_report_fails_again_and_again_is_given_up_and_the_others_are_made(
    signed_in: Enter, web_street: Street, settings: Settings, cases: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    watch, make = signed_in("watch"), batching.make_case_report
    address = ask(watch, cases)

    def faulty(engine: Any, case: str, **more: Any) -> Any:
        if case == cases[1]:
            raise ZeroDivisionError
        return make(engine, case, **more)

    monkeypatch.setattr(batching, "make_case_report", faulty)
    assert work_off(web_street, settings) >= MOST_ATTEMPTS
    page = plain(watch.text(address))
    assert "试了 3 次都没有做成" in page
    assert [len(exports(web_street, case)) for case in cases] == [1, 0, 1]
    assert batches_left(web_street)[0].data["refused"] == 1


def test_who_may_export_no_longer_gets_no_zip_and_nobody_hears_of_anothers(
    signed_in: Enter, web_street: Street, settings: Settings, cases: list[str]
) -> None:
    watch = signed_in("watch")
    address = ask(watch, cases)
    work_off(web_street, settings)
    for path in (address, f"{address}/file"):
        assert signed_in("leader").get(path).status_code == 404
    with web_street.database.begin() as conn:
        post = directory(conn).capacities(web_street.person["watch"], web_street.at)[0].post
        end_post(conn, post, reason="调离", by=web_street.by("admin"), at=web_street.at)
    web_street.later(minutes=1)
    assert watch.get(f"{address}/file").status_code == 403
