"""A street's register from a sheet: the preview is what the import does, row by row."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from audit import log
from engine.accounts import find_account, hash_password, sign_in
from engine.people import By, NotAdministrator, directory, grant_post, register_person
from engine.register_import import (
    MOST_ACCOUNTS,
    Outcome,
    RegisterMoved,
    confirm,
    new_accounts,
    preview,
    stamp,
)
from engine.register_rows import Row, Rows, read_rows
from engine.spreadsheets import BadSheet, read_sheets
from tests.conftest import Street

ZONE = ZoneInfo("Asia/Shanghai")
HEADING = "姓名,单位,岗位,职责,账号,起始日期"


@pytest.fixture
def admin(street: Street) -> By:
    """The street's administrator, with whom the installation itself stops keeping the register."""
    person = street.do(register_person, "管演示", by=None)
    street.do(grant_post, person, "u-street", "系统管理员", ["administer"], reason="建库", by=None)
    return By(person)


def sheet(*rows: str, heading: str = HEADING) -> tuple[Row, ...]:
    text = "\n".join([heading, *rows])
    return read_rows(read_sheets(text.encode(), most_lines=5000)).rows


def seen(street: Street, admin: By, rows: tuple[Row, ...]) -> list[Outcome]:
    told: list[Outcome] = street.do(preview, rows, by=admin, zone=ZONE)
    return told


def brought(street: Street, admin: By, rows: tuple[Row, ...], **more: Any) -> list[Outcome]:
    """Previewed, then confirmed."""
    foreseen = seen(street, admin, rows)
    hashes = {account: hash_password("correct horse") for account, _ in new_accounts(foreseen)}
    with street.database.begin() as conn:
        rests_on = stamp(conn, "f" * 64, at=street.at, zone=ZONE)
    given: dict[str, Any] = {"file_sha256": "f" * 64, "seen": rests_on, "by": admin, "zone": ZONE}
    told: list[Outcome] = street.do(confirm, rows, hashes, **(given | more))
    assert [one.kind for one in told] == [one.kind for one in foreseen]
    return told


def refusal(street: Street, admin: By, row: str, heading: str = HEADING) -> str:
    [outcome] = seen(street, admin, sheet(row, heading=heading))
    assert outcome.refusal is not None, outcome
    assert outcome.refusal.english
    return outcome.refusal.chinese


def test_a_row_makes_a_person_with_post_and_account_who_can_sign_in(
    street: Street, admin: By
) -> None:
    rows = sheet("新演示,听涛社区,网格员,上报、整改,xin,2020-05-01")
    [told] = brought(street, admin, rows)
    assert [act.kind for act in told.acts] == ["person", "post", "account"]
    with street.database.begin() as conn:
        people = directory(conn)
        account = find_account(conn, "xin")
        [post] = people.posts_of(account.person, street.at)
        assert people.name(account.person) == "新演示"
        assert (post.unit, post.title) == ("u-tingtao", "网格员")
        assert post.duties == {"report", "rectify"}
    assert sign_in(street.database, "xin", "correct horse", at=street.at).person == account.person
    street.check()


def test_nothing_is_dated_back_and_the_day_in_the_sheet_stands_in_the_reason(
    street: Street, admin: By
) -> None:
    brought(street, admin, sheet("新演示,听涛社区,网格员,上报,,2020-05-01"))
    entry = street.entries("@people")[-1]
    assert entry.data["reason"] == "按导入的名册登记（名册所记起始日期：2020-05-01）"
    assert datetime.fromisoformat(entry.data["from"]) == street.at


def test_a_day_to_come_is_when_the_post_begins(street: Street, admin: By) -> None:
    brought(street, admin, sheet("新演示,听涛社区,网格员,上报,,2026/4/1"))
    begins = datetime.fromisoformat(street.entries("@people")[-1].data["from"])
    assert begins == datetime(2026, 4, 1, tzinfo=ZONE)


def test_the_preview_leaves_nothing_behind(street: Street, admin: By) -> None:
    def stands() -> list[int | None]:
        with street.database.begin() as conn:
            return [log.peek(conn, s) for s in ("@units", "@people", "@accounts")]

    before = stands()
    assert seen(street, admin, sheet("新演示,听涛社区,网格员,上报,xin,"))[0].kind == "new"
    assert stands() == before
    street.check()


def test_the_same_file_a_second_time_changes_nothing(street: Street, admin: By) -> None:
    rows = sheet("新演示,听涛社区,网格员,上报,xin,", "新演示,听涛社区,巡查员,巡查,,")
    assert [one.kind for one in brought(street, admin, rows)] == ["new", "changed"]
    street.later(minutes=1)
    assert [one.kind for one in brought(street, admin, rows)] == ["unchanged", "unchanged"]
    street.check()


def test_other_duties_end_the_post_and_begin_it_anew(street: Street, admin: By) -> None:
    [told] = brought(street, admin, sheet("head演示,听涛社区,社区网格长,确认、巡查,,"))
    [act] = told.acts
    assert act.kind == "duties"
    assert act.said["was"] == {"confirm", "rectify", "report"}
    assert street.types("@people")[-2:] == ["post.granted", "post.ended"]
    with street.database.begin() as conn:
        [post] = directory(conn).posts_of(street.person["head"], street.at)
    assert post.duties == {"confirm", "patrol"}
    street.check()


def test_a_last_day_ends_the_post_on_its_evening(street: Street, admin: By) -> None:
    heading = "姓名,单位,岗位,职责,结束日期"
    rows = sheet("head演示,听涛社区,社区网格长,上报、确认、整改,2026年3月31日", heading=heading)
    [told] = brought(street, admin, rows)
    assert [act.kind for act in told.acts] == ["ends"]
    ended = datetime.fromisoformat(street.entries("@people")[-1].data["to"])
    assert ended == datetime(2026, 4, 1, tzinfo=ZONE)


def test_the_last_administrator_keeps_the_register_when_duties_change(
    street: Street, admin: By
) -> None:
    [told] = brought(street, admin, sheet("管演示,听澜街道,系统管理员,管理、督查,,"))
    assert told.kind == "changed"
    [refused] = seen(street, admin, sheet("管演示,听澜街道,系统管理员,督查,,"))
    assert refused.refusal is not None
    assert "最后一位管理员" in refused.refusal.chinese


def test_units_come_before_people_wherever_they_stand_in_the_file(
    street: Street, admin: By
) -> None:
    from engine.spreadsheets import write_xlsx

    data = write_xlsx(
        [
            (
                "人员",
                [["街道人员名册"], HEADING.split(","), ["新演示", "新港社区", "网格长", "确认"]],
            ),
            ("单位", [["单位", "类别", "上级"], ["新港社区", "社区", "听澜街道"]]),
            ("说明", [["怎样填写"]]),
        ]
    )
    told = read_rows(read_sheets(data, most_lines=99))
    assert (told.unused, told.passed) == ((), ("说明",))
    outcomes = brought(street, admin, told.rows)
    assert [(one.row.sheet, one.row.line, one.kind) for one in outcomes] == [
        ("单位", 2, "new"),
        ("人员", 3, "new"),
    ]
    street.check()


def test_a_known_unit_under_another_name_is_renamed_by_its_id(street: Street, admin: By) -> None:
    rows = sheet("u-tingtao,听涛一社区,社区,听澜街道", heading="单位编号,单位,类别,上级")
    [told] = brought(street, admin, rows)
    assert told.acts[0].said["was"] == "听涛社区"
    assert street.types("@units")[-1] == "unit.renamed"


def test_a_refused_row_leaves_the_others_and_nothing_of_its_own(street: Street, admin: By) -> None:
    rows = sheet(
        "甲演示,听涛社区,网格员,上报,,",
        "乙演示,没有的社区,网格员,上报,,",
        "丙演示,听涛社区,网格员,上报,grid!,",
        "丁演示,听涛社区,网格员,上报,,",
    )
    told = brought(street, admin, rows)
    assert [one.kind for one in told] == ["new", "refused", "refused", "new"]
    with street.database.begin() as conn:
        names = set(directory(conn).names.values())
    assert {"甲演示", "丁演示"} <= names
    assert not {"乙演示", "丙演示"} & names
    street.check()


def test_several_rows_of_one_new_person_are_one_person(street: Street, admin: By) -> None:
    told = brought(
        street, admin, sheet("新演示,听涛社区,网格员,上报,xin,", "新演示,沿河社区,网格员,上报,xin,")
    )
    assert told[0].person == told[1].person


def test_a_second_person_of_one_name_is_told_apart_by_a_number(street: Street, admin: By) -> None:
    heading = "姓名,编号,单位,岗位,职责"
    brought(street, admin, sheet("head演示,新,沿河社区,网格员,上报", heading=heading))
    told = refusal(street, admin, "head演示,,沿河社区,网格员,上报", heading)
    assert "有 2 个人叫head演示" in told
    known = street.person["head"]
    [outcome] = seen(
        street, admin, sheet(f"head演示,{known},沿河社区,网格员,上报", heading=heading)
    )
    assert outcome.person == known


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (",听涛社区,网格员,上报,,", "“姓名”是空的"),
        ("新演示,,网格员,上报,,", "“单位”是空的"),
        ("新演示,听涛社区,,,,", "“岗位、职责”是空的"),
        ("新演示,听海社区,网格员,上报,,", "没有叫“听海社区”的单位"),
        ("新演示,听涛社区,网格员,站岗,,", "没有这样的职责：站岗"),
        ("新演示,听涛社区,网格员,上报,,昨天", "读不出是哪一天"),
        ("新演示,听涛社区,网格员,上报,,2026-02-30", "读不出是哪一天"),
        ("=A1,听涛社区,网格员,上报,,", "“姓名”是公式"),
        ("@SUM,听涛社区,网格员,上报,,", "不像名称"),
        (f"{'王' * 300},听涛社区,网格员,上报,,", "写得太长"),
        ("新演示,听涛社区,网格员,上报,x,", "账号名为 2 至 64 个"),
    ],
)
def test_a_row_that_cannot_be_taken_in_says_why(
    street: Street, admin: By, row: str, told: str
) -> None:
    assert told in refusal(street, admin, row)


def test_a_unit_whose_name_two_have_is_asked_for_with_its_parent(street: Street, admin: By) -> None:
    heading = "单位,类别,上级"
    brought(street, admin, sheet("第一网格,一般网格,沿河社区", heading=heading))
    assert "有 2 个单位叫“第一网格”" in refusal(street, admin, "新演示,第一网格,网格员,上报,,")
    [told] = brought(street, admin, sheet("新演示,沿河社区/第一网格,网格员,上报,,"))
    assert told.kind == "new"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("新社区,镇,听澜街道", "没有“镇”这一类单位"),
        ("新社区,社区,听涛社区", "应设在"),
        ("听涛社区,部门,听澜街道", "类别和上级不能改"),
        ("新社区,,听澜街道", "“类别”是空的"),
    ],
)
def test_a_unit_that_does_not_fit_says_why(street: Street, admin: By, row: str, told: str) -> None:
    assert told in refusal(street, admin, row, "单位,类别,上级")


def test_an_account_of_somebody_else_or_a_second_one_is_refused(street: Street, admin: By) -> None:
    brought(street, admin, sheet("head演示,听涛社区,网格员,上报,head,"))
    assert "登记的姓名是head演示" in refusal(street, admin, "新演示,听涛社区,网格员,上报,head,")
    assert "已有账号 head" in refusal(street, admin, "head演示,听涛社区,网格员,上报,head-2,")


def test_a_number_that_is_somebody_elses_is_refused(street: Street, admin: By) -> None:
    heading = "姓名,编号"
    assert "登记的姓名是" in refusal(street, admin, f"新演示,{street.person['head']}", heading)
    assert "没有编号为 p-9999" in refusal(street, admin, "新演示,p-9999", heading)


def test_what_has_ended_cannot_be_registered_now(street: Street, admin: By) -> None:
    heading = "姓名,单位,岗位,职责,结束日期"
    told = refusal(street, admin, "新演示,听涛社区,网格员,上报,2026-02-01", heading)
    assert "不能补登记" in told


def test_so_many_accounts_at_a_time_and_no_more(street: Street, admin: By) -> None:
    rows = sheet(*(f"甲{n}演示,听涛社区,网格员,上报,jia{n}," for n in range(MOST_ACCOUNTS + 1)))
    told = seen(street, admin, rows)
    assert [one.kind for one in told[-2:]] == ["new", "refused"]


def test_a_register_that_moved_since_the_preview_is_looked_at_again(
    street: Street, admin: By
) -> None:
    rows = sheet("新演示,听涛社区,网格员,上报,,")
    with street.database.begin() as conn:
        rests_on = stamp(conn, "f" * 64, at=street.at, zone=ZONE)
    street.do(register_person, "别人演示", by=admin)
    with pytest.raises(RegisterMoved, match="再看一遍"):
        brought(street, admin, rows, seen=rests_on)
    assert street.types("@people")[-1] == "person.registered"
    street.check()


@pytest.mark.parametrize("more", [{"file_sha256": "0" * 64}, {"seen": ""}])
def test_another_file_than_the_one_looked_at_is_refused(
    street: Street, admin: By, more: dict[str, str]
) -> None:
    with pytest.raises(RegisterMoved):
        brought(street, admin, sheet("新演示,听涛社区,网格员,上报,,"), **more)


def test_a_new_day_asks_for_a_new_look(street: Street, admin: By) -> None:
    with street.database.begin() as conn:
        rests_on = stamp(conn, "f" * 64, at=street.at, zone=ZONE)
        street.later(days=1)
        assert stamp(conn, "f" * 64, at=street.at, zone=ZONE) != rests_on


def test_only_an_administrator_looks_or_confirms(street: Street, admin: By) -> None:
    rows = sheet("新演示,听涛社区,网格员,上报,,")
    with pytest.raises(NotAdministrator):
        seen(street, street.by("watch"), rows)
    with pytest.raises(NotAdministrator):
        brought(street, admin, rows, by=street.by("watch"))


def test_a_sheet_without_headings_is_refused() -> None:
    with pytest.raises(BadSheet, match="没有找到标题行"):
        sheet("王演示,听涛社区", heading="甲,乙")


def test_a_heading_named_twice_is_refused() -> None:
    with pytest.raises(BadSheet, match="不止一次"):
        sheet("王演示,李演示", heading="姓名,人员")


def test_columns_that_mean_nothing_are_named() -> None:
    told: Rows = read_rows(read_sheets("姓名,电话,行\n王演示,1,2".encode(), most_lines=9))
    assert told.unused == ("电话", "行")
    assert told.rows[0].cells == ("王演示", "1", "2")
