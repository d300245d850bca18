"""Exporting a report is itself on the record, with who, what for and which file."""

from collections.abc import Iterator
from typing import Any

import pytest

from engine.definition_sets import load
from engine.exports import MayNotExport, NoSuchReport, element_facts, record_export
from engine.people import name_substitute
from engine.reasons import NoReason
from tests.conftest import Street

FILE = "ab" * 32
PREPARED = {"kind": "wood", "pieces": 3}


@pytest.fixture(autouse=True)
def _whole_log(street: Street) -> Iterator[None]:
    yield
    street.check()


def export(street: Street, case: str, name: str, **more: Any) -> Any:
    told = {
        "kind": "case_report", "sha256": FILE, "head": street.entries(case)[-1].hash.hex(),
        "purpose": "季度抽查", "pages": 5, "by": street.by(name),
    }  # fmt: skip
    return street.do(record_export, case, **(told | more))


def test_an_export_by_a_supervisor_is_recorded_with_its_purpose_and_the_files_hash(
    street: Street,
) -> None:
    case = street.report()
    head = street.entries(case)[-1].hash.hex()
    export(street, case, "watch")
    last = street.entries(case)[-1]
    assert last.type == "report.exported"
    assert last.data == {
        "kind": "case_report", "sha256": FILE, "head": head, "purpose": "季度抽查", "pages": 5,
    }  # fmt: skip
    assert (last.actor["person"], last.actor["capacity"]) == (street.person["watch"], "export")


def test_who_has_a_part_in_the_case_may_export_it(street: Street) -> None:
    case = street.report()
    export(street, case, "grid")
    with pytest.raises(MayNotExport):
        export(street, case, "head")
    street.complete(case, "prepare#1", "head", PREPARED)
    export(street, case, "head")


def test_nobody_else_may_and_nothing_is_recorded(street: Street) -> None:
    case = street.report()
    before = street.types(case)
    for name in ("fixer", "close", "other", "leader", "dispatch"):
        with pytest.raises(MayNotExport, match="督查"):
            export(street, case, name)
    assert street.types(case) == before


def test_a_substitute_exports_in_the_name_of_whoever_has_the_part(street: Street) -> None:
    case = street.report()
    street.complete(case, "prepare#1", "head", PREPARED)
    absent, deputy = street.person["head"], street.person["close"]
    street.do(
        name_substitute, absent, deputy, end=street.at.replace(day=20), reason="休假",
        by=street.by("head"),
    )  # fmt: skip
    by = street.by("close", on_behalf_of=absent)
    export(street, case, "close", by=by)
    assert street.entries(case)[-1].actor["on_behalf_of"] == absent


def test_the_operator_of_the_server_exports_on_the_record_too(street: Street) -> None:
    case = street.report()
    export(street, case, "watch", by=None)
    assert street.entries(case)[-1].actor == {"engine": "shaoji"}


@pytest.mark.parametrize("purpose", ["", "  "])
def test_without_a_purpose_there_is_no_export(street: Street, purpose: str) -> None:
    with pytest.raises(NoReason, match="用途"):
        export(street, street.report(), "watch", purpose=purpose)


@pytest.mark.parametrize(
    "more", [{"kind": "poem"}, {"sha256": "ab"}, {"head": ""}, {"pages": 0}, {"sha256": "XY" * 32}]
)
def test_an_export_that_is_not_told_in_full_is_refused(street: Street, more: Any) -> None:
    with pytest.raises(NoSuchReport):
        export(street, street.report(), "watch", **more)


def test_the_same_export_sent_twice_is_recorded_once(street: Street) -> None:
    case = street.report()
    first = export(street, case, "watch", key="k-1")
    again = export(street, case, "watch", key="k-1")
    assert again.repeated
    assert again.seq == first.seq
    assert street.types(case).count("report.exported") == 1


def test_element_words_come_from_the_pinned_definition(street: Street) -> None:
    case = street.report()
    digest = street.entries(case)[0].data["definition"]["sha256"]
    with street.database.begin() as conn:
        told = element_facts(load(conn, digest))
    assert told["report"].duty5 == "report"
    assert told["report"].fields["description"].kind == "prose"
    assert (told["prepare"].name, told["prepare"].verb_en) == ("准备", "Prepare")
    assert told["check_size"].fields["passed"].kind == "check"
    assert told["make"].fields["done_on"].kind == "date"
    assert told["make_overdue"].duty5 is None
