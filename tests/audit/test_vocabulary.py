"""The vocabulary says exactly what the engine writes, and refuses everything else."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyotp import TOTP

from audit import log
from audit.entries import ENGINE, Draft, Entry, seal
from audit.vocabulary import RECORDS, TYPES, VALUES, check, parse_fields, tables
from engine.accounts import (
    Session,
    SignInRefused,
    change_password,
    create_account,
    disable_account,
    find_account,
    hash_password,
    sign_in,
    sign_out,
)
from engine.api_tokens import create_token, revoke_token
from engine.calendar_versions import publish_calendar
from engine.exports import record_export
from engine.factor_keeping import (
    remove_second_factor,
    renew_recovery_codes,
    reset_second_factor,
    unlock_account,
)
from engine.holding import claim_task, delegate_task, reassign_task, release_task
from engine.inquiries import record_acts_export, record_search
from engine.oversight import answer_supervision, supervise, urge
from engine.people import (
    By,
    close_unit,
    correct_name,
    create_unit,
    end_post,
    end_substitute,
    grant_post,
    name_substitute,
    register_person,
    rename_unit,
)
from engine.provider_links import Identity, link_own, unlink_own
from engine.second_factor import proposed
from engine.second_step import confirm, enrol
from engine.timekeeping import (
    grant_extension,
    list_standing,
    refuse_extension,
    refuse_pause,
    request_extension,
    request_pause,
    ring,
)
from engine.turns import withdraw
from tests.conftest import Street, photo
from tests.golden.cases.sample import two_rounds

ROOT = Path(__file__).parents[2]
AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
PERSON = {"person": "p-0001", "capacity": "rectify", "channel": "web"}


def entry(type_: str, data: dict[str, Any], **more: Any) -> Entry:
    stream = more.pop("stream", "hazard-2026-00001")
    draft = Draft(type_, data, more.pop("actor", PERSON), AT, **more)
    return seal(draft, log="log.test", stream=stream, seq=5, prev="00" * 32)


def test_the_tables_of_the_format_page_are_those_of_the_vocabulary() -> None:
    page = (ROOT / "docs/audit-format.md").read_text(encoding="utf-8")
    assert tables() in page, "run: python -m audit.vocabulary, and paste it into the page"


def test_every_type_has_a_meaning_in_both_languages_and_fields_of_known_shapes() -> None:
    for type_ in TYPES.values():
        assert re.search("[一-鿿]", type_.chinese)
        assert type_.english.isascii()
        for fields in (type_.fields, *RECORDS.values()):
            for _, _, shape in parse_fields(fields):
                assert shape.strip("[]") in VALUES.keys() | RECORDS.keys()


def test_every_type_the_code_writes_is_in_the_vocabulary_and_no_type_is_without_code() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "engine").glob("*.py"))
    # f"{kind}.{outcome}" in the decision of requests.
    built = {f"{k}.{o}" for k in ("extension", "pause") for o in ("granted", "refused")}
    named = set(re.findall(r'"([a-z]+\.[a-z_]+)"', code))
    drafted = set(re.findall(r'(?:Draft|fact|_record)\([^"]*"([a-z]+\.[a-z_]+)"', code))
    assert drafted <= TYPES.keys()
    assert TYPES.keys() <= named | built


@pytest.mark.parametrize("told", two_rounds().entries, ids=lambda e: f"{e.seq}-{e.type}")
def test_what_a_case_of_the_hazard_process_writes_is_in_the_vocabulary(told: Entry) -> None:
    assert check(told) is None


@pytest.mark.parametrize("told", two_rounds().entries, ids=lambda e: f"{e.seq}-{e.type}")
def test_a_field_missing_added_or_of_another_type_is_noticed(told: Entry) -> None:
    for name, needed, shape in parse_fields(TYPES[told.type].fields):
        if needed:
            left = {key: value for key, value in told.data.items() if key != name}
            assert "missing" in str(check(replace(told, data=left)))
        if name in told.data and shape != "anything":
            assert check(replace(told, data=told.data | {name: 1.5})) is not None
    assert "not known" in str(check(replace(told, data=told.data | {"extra": 1})))


@pytest.mark.parametrize("told", two_rounds().entries, ids=lambda e: f"{e.seq}-{e.type}")
def test_people_and_machines_cannot_stand_in_for_each_other(told: Entry) -> None:
    if told.actor == ENGINE:
        assert "not done by a person" in str(check(replace(told, actor=PERSON)))
    elif TYPES[told.type].cause == "act":
        assert "needs a person" in str(check(replace(told, actor=ENGINE)))


def test_an_unknown_type_is_named() -> None:
    assert check(entry("case.deleted", {})) == "unknown type case.deleted"


def test_a_type_belongs_to_its_own_stream() -> None:
    told = {"unit": "u-1", "name": "听涛社区"}
    assert check(entry("unit.renamed", told, stream="@units")) is None
    assert "does not belong" in str(check(entry("unit.renamed", told)))
    assert "does not belong" in str(check(entry("task.claimed", {"task": "a#1"}, stream="@units")))


def test_a_fact_names_its_cause_and_an_act_has_none() -> None:
    told = {"receipt": "R-2222-2222"}
    assert check(entry("receipt.issued", told, actor=ENGINE, cause=4)) is None
    assert "lacks its cause" in str(check(entry("receipt.issued", told, actor=ENGINE)))
    assert "is no fact" in str(check(entry("task.claimed", {"task": "a#1"}, cause=4)))


def test_files_come_only_where_they_are_evidence_and_say_that_they_are_declared() -> None:
    item = photo().item()
    done = {"task": "make#1", "form": {}}
    assert check(entry("task.completed", done, evidence=(item,))) is None
    assert "declared" in str(
        check(entry("task.completed", done, evidence=({**item, "declared": False},)))
    )
    assert "takes no evidence" in str(check(entry("case.urged", {"text": "快"}, evidence=(item,))))


def test_an_actor_names_a_person_a_capacity_and_a_channel() -> None:
    told = {"task": "make#1"}
    assert "missing ['channel']" in str(
        check(entry("task.claimed", told, actor={"person": "p-1", "capacity": "x"}))
    )
    named = PERSON | {"name": "王演示"}
    assert "not known ['name']" in str(check(entry("task.claimed", told, actor=named)))


# --- what the engine really writes ---------------------------------------------------------------


@pytest.fixture
def street(sqlite_street: Street) -> Iterator[Street]:
    """A street on which everything is recorded in the vocabulary, and every log verifies."""
    yield sqlite_street
    found = [check(told) for told in written(sqlite_street)]
    assert [wrong for wrong in found if wrong] == []
    sqlite_street.check()


def written(street: Street) -> list[Entry]:
    with street.database.begin() as conn:
        return [told for stream in log.streams(conn) for told in log.read(conn, stream)]


def types(street: Street) -> set[str]:
    return {told.type for told in written(street)}


def administrator(street: Street) -> Any:
    person = street.do(register_person, "管理演示", by=None)
    duties = ["administer"]
    street.do(grant_post, person, "u-street", "管理员", duties, reason="到任", by=None)
    street.person["clerk"] = person
    return street.by("clerk")


def test_the_register_of_units_and_people_is_in_the_vocabulary(street: Street) -> None:
    clerk, at = administrator(street), street.at
    street.do(create_unit, "u-new", "community", "新建社区", parent="u-street", by=clerk)
    street.do(rename_unit, "u-new", "新湖社区", by=clerk)
    person = street.do(register_person, "新人", by=clerk)
    street.do(correct_name, person, "新人演示", by=clerk)
    post = street.do(
        grant_post, person, "u-new", "网格长", ["confirm"], reason="到任", by=clerk,
        end=at + timedelta(days=90),
    )  # fmt: skip
    until = at + timedelta(days=3)
    sub = street.do(
        name_substitute, person, street.person["head"], end=until, reason="休假",
        posts=[post.id], by=clerk,
    )  # fmt: skip
    street.later(hours=1)
    street.do(end_substitute, sub.id, reason="提前回来", by=clerk)
    street.do(end_post, post.id, reason="离任", by=clerk)
    street.do(close_unit, "u-new", reason="并入听涛社区", by=clerk)
    calendar = (ROOT / "workflows/calendar/cn.toml").read_bytes()
    street.do(publish_calendar, calendar + b"\n# again\n", by=clerk)
    written_types = types(street)
    registers = {name for name, t in TYPES.items() if t.stream.startswith("@")}
    # The others are written below, and those of the log's own keys, of codes on doors, of the index
    # and of early warning in tests/engine/test_keys.py, test_place_codes.py, test_index_editions.py
    # and test_early_warning.py.
    apart = ("@accounts", "@access", "@codes", "@index", "@warnings", "@log")
    others = {n for n in registers if TYPES[n].stream in apart}
    assert registers - others <= written_types


def test_accounts_and_sessions_are_in_the_vocabulary(street: Street) -> None:
    clerk = administrator(street)
    secret = hash_password("correct horse battery")
    street.do(create_account, "wang", street.person["head"], secret, by=clerk)
    street.do(create_account, "li", street.person["dispatch"], secret, by=clerk)
    with pytest.raises(SignInRefused):
        sign_in(street.database, "wang", "wrong", at=street.at)
    session = sign_in(street.database, "wang", "correct horse battery", at=street.later(minutes=1))
    assert isinstance(session, Session)
    second_factors(street, session, clerk)
    street.do(sign_out, session.token)
    sign_in(street.database, "li", "correct horse battery", at=street.later(minutes=1))
    token = street.do(
        create_token, "li", "街道平台", ["tasks:read"], expires_at=street.at + timedelta(days=1),
        by=street.by("dispatch"),
    )  # fmt: skip
    street.do(revoke_token, "li", token.id, by=street.by("dispatch"))
    street.do(change_password, "li", secret, by=street.by("dispatch"))
    street.do(disable_account, "li", reason="调离", by=clerk)
    number = street.do(record_search, street.person["head"], by=street.by("watch"))
    assert number > 1
    street.do(
        record_acts_export, rows=1, sha256="a" * 64, purpose="督查", person=None,
        by=street.by("watch"),
    )  # fmt: skip
    accounts = {name for name, t in TYPES.items() if t.stream in ("@accounts", "@access")}
    assert accounts <= types(street)


def second_factors(street: Street, session: Session, clerk: By) -> None:
    """Enrol one, renew its codes, use one up, remove it, have another reset; a lock-out; a link."""
    database, wang, key = street.database, street.by("head"), bytes(32)
    for take_off in (
        lambda: street.do(remove_second_factor, "wang", by=wang),
        lambda: street.do(reset_second_factor, "wang", reason="丢失", by=clerk),
    ):
        with database.begin() as conn:
            secret = proposed(conn, key, find_account(conn, "wang").id, session.token)
        told = {"at": street.at, "device_at": street.at}
        enrol(database, key, session.token, TOTP(secret).at(street.at), **told)
        codes = street.do(renew_recovery_codes, key, "wang", by=wang)
        confirm(database, key, session.token, codes[0], **told)
        take_off()
    for _ in range(5):
        with pytest.raises(SignInRefused):
            sign_in(database, "wang", "wrong", at=street.at)
    street.do(unlock_account, "wang", reason="本人到场", by=clerk)
    link = street.do(link_own, "wang", Identity("https://id.example", "7"), by=wang)
    street.do(unlink_own, "wang", link.id, token=session.token, by=wang)


def test_holding_turning_and_timing_a_step_are_in_the_vocabulary(street: Street) -> None:
    case = street.report()
    street.do(claim_task, case, "prepare#1", by=street.by("head"))
    street.do(release_task, case, "prepare#1", "出差", by=street.by("head"))
    street.do(claim_task, case, "prepare#1", by=street.by("head"))
    street.do(delegate_task, case, "prepare#1", street.person["grid"], "转办", by=street.by("head"))
    head = street.person["head"]
    street.do(reassign_task, case, "prepare#1", head, "改派", by=street.by("dispatch"))
    ask = {"days": 1, "reason": "料没到", "interim": "先断电", "by": street.by("head")}
    street.do(request_extension, case, "prepare#1", **ask)
    street.do(refuse_extension, case, "prepare#1", "不必", by=street.by("leader"))
    street.do(request_extension, case, "prepare#1", **ask)
    street.do(grant_extension, case, "prepare#1", "可以", by=street.by("leader"))
    resume_by = street.at + timedelta(days=2)
    street.do(
        request_pause, case, "prepare#1", counterparty="供电公司", resume_by=resume_by,
        reason="等停电", by=street.by("head"), evidence=(photo("call"),),
    )  # fmt: skip
    street.do(refuse_pause, case, "prepare#1", "不等", by=street.by("dispatch"))
    street.do(urge, case, "请抓紧", by=street.by("watch"))
    done = street.do(supervise, case, "今天办完", by=street.by("watch"), legal_basis="〔配置〕")
    order = done.entries[-1].seq
    street.do(answer_supervision, case, order, "好", by=street.by("head"))
    ask_standing = {"review_class": next(iter(deadline_classes(street, case)))}
    street.do(list_standing, case, "prepare#1", "缺料", by=street.by("leader"), **ask_standing)
    street.do(ring, case, at=street.later(days=60))
    street.complete(case, "prepare#1", "head", {"kind": "wood", "pieces": 3}, note="料到了")
    street.do(withdraw, case, "make#1", "填错", by=street.by("head"))
    last = street.entries(case)[-1].hash.hex()
    street.do(
        record_export, case, kind="case_report", sha256="0" * 64, head=last, purpose="抽查",
        pages=3, by=street.by("watch"),
    )  # fmt: skip
    assert {
        *("task.released", "task.delegated", "task.reassigned", "extension.refused"),
        *("extension.granted", "pause.refused", "case.urged", "supervision.answered"),
        *("standing.listed", "overdue.opened", "deadline.escalated", "task.withdrawn"),
        *("report.exported", "deadline.warned"),
    } <= types(street)


def deadline_classes(street: Street, case: str) -> Any:
    from engine.definition_sets import load

    digest = street.entries(case)[0].data["definition"]["sha256"]
    with street.database.begin() as conn:
        return load(conn, digest).classes
