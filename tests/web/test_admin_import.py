"""A street's register from a file on pages: looked at, confirmed once, refused rows mended."""

import io
import re
from collections.abc import Callable

import pytest
from flask import Flask
from openpyxl import load_workbook
from werkzeug.test import TestResponse

from engine.people import directory, register_person
from engine.spreadsheets import write_xlsx
from tests.conftest import Street
from tests.web.conftest import Visitor
from tests.web.second_factors import device_at, phone

Enter = Callable[[str], Visitor]

HEADING = "姓名,单位,岗位,职责,账号,起始日期"
GOOD = "新演示,听涛社区,网格员,上报、巡查,xin,2020-05-01"
CHANGED = "head演示,听涛社区,社区网格长,确认、巡查,,"
KNOWN = "other演示,沿河社区,社区网格长,上报、确认、复查,other,"
BAD = "坏演示,没有的社区,网格员,上报,,"
FORMULA = '"=HYPERLINK(""http://x"",""y"")",听涛社区,网格员,上报,,'
ALL = f"{HEADING}\n{GOOD}\n{CHANGED}\n{KNOWN}\n{BAD}\n{FORMULA}"


@pytest.fixture
def admin(signed_in: Enter) -> Visitor:
    return signed_in("admin")


def send(admin: Visitor, data: bytes, name: str = "花名册.csv") -> TestResponse:
    form = {"file": (io.BytesIO(data), name)}
    return admin.post("/admin/imports", form, content_type="multipart/form-data")


def sent(admin: Visitor, data: bytes, name: str = "花名册.csv") -> str:
    answer = send(admin, data, name)
    assert answer.status_code == 303, answer.text
    return answer.location


def confirm(admin: Visitor, page: str) -> TestResponse:
    seen = re.search(r'name="seen" value="(\w+)"', admin.text(page))
    assert seen
    return admin.post(page, {"seen": seen[1]})


def test_a_file_is_looked_at_row_by_row_before_anything_counts(
    admin: Visitor, web_street: Street
) -> None:
    before = len(web_street.entries("@people"))
    page = admin.text(sent(admin, ALL.encode("gb18030")))
    assert (
        "任听涛社区·网格员，职责：上报、巡查，从现在起算（名册所记 2020-05-01 写进任职原因）"
        in page
    )
    assert "开账号 xin" in page
    assert "的职责由上报、确认、整改改为确认、巡查，原岗位到现在为止" in page
    assert "没有叫“没有的社区”的单位" in page
    assert "“姓名”是公式" in page
    assert "第 5 行" in page
    assert "确认登记 2 行" in page
    assert len(web_street.entries("@people")) == before


def test_what_was_confirmed_counts_and_its_passwords_are_shown_once(
    admin: Visitor, web_street: Street
) -> None:
    where = sent(admin, ALL.encode())
    answer = confirm(admin, where)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    password = re.search(r'class="code">([^<]+)</td>', answer.text)
    assert password
    person = Visitor(admin.client.application.test_client())
    assert person.sign_in("xin", password[1]).status_code == 303
    with web_street.database.begin() as conn:
        assert "新演示" in directory(conn).names.values()
    assert password[1] not in admin.text(where)
    assert "没有要登记的" in admin.text(where)
    web_street.check()


def test_taking_a_register_in_takes_a_fresh_confirmation_and_loses_nothing(
    app: Flask, admin: Visitor, web_street: Street
) -> None:
    where = sent(admin, ALL.encode())
    seen = re.search(r'name="seen" value="(\w+)"', admin.text(where))
    assert seen
    before = len(web_street.entries("@people"))
    web_street.later(minutes=11)
    asked = admin.post(where, {"seen": seen[1]})
    assert asked.status_code == 422
    assert "接下来：导入名册，开设账号" in asked.text
    assert f'name="seen" value="{seen[1]}"' in asked.text
    assert len(web_street.entries("@people")) == before
    told = {"seen": seen[1], "confirming": "yes"}
    assert admin.post(where, told | {"code": "000000"}).status_code == 422
    answer = admin.post(where, told | {"code": phone(app, "admin").code(device_at(app))})
    assert answer.status_code == 200
    assert len(web_street.entries("@people")) > before


def test_a_form_sent_twice_registers_nobody_twice(admin: Visitor, web_street: Street) -> None:
    where = sent(admin, ALL.encode())
    seen = re.search(r'name="seen" value="(\w+)"', admin.text(where))
    assert seen
    assert admin.post(where, {"seen": seen[1]}).status_code == 200
    count = len(web_street.entries("@people"))
    answer = admin.post(where, {"seen": seen[1]})
    assert answer.status_code == 409
    assert "再看一遍" in answer.text
    assert len(web_street.entries("@people")) == count


def test_a_register_that_moved_in_between_is_refused(admin: Visitor, web_street: Street) -> None:
    where = sent(admin, ALL.encode())
    seen = re.search(r'name="seen" value="(\w+)"', admin.text(where))
    assert seen
    web_street.do(register_person, "别人演示", by=web_street.by("admin"))
    answer = admin.post(where, {"seen": seen[1]})
    assert answer.status_code == 409
    assert "名册有了变动" in answer.text
    assert confirm(admin, where).status_code == 200


def test_refused_rows_are_downloaded_with_their_reasons_and_hold_no_formula(
    admin: Visitor,
) -> None:
    where = sent(admin, ALL.encode())
    told = admin.get(f"{where}/refused.csv").data.decode("utf-8-sig").splitlines()
    assert told[0] == f"行,原因,{HEADING}"
    assert told[1].startswith("5,")
    assert "'=HYPERLINK" in told[2]
    book = load_workbook(io.BytesIO(admin.get(f"{where}/refused.xlsx").data))
    assert [cell.value for cell in book.active[1]][:3] == ["行", "原因", "姓名"]
    assert {cell.data_type for row in book.active.iter_rows() for cell in row if cell.value} == {
        "s"
    }


def test_a_mended_list_is_taken_as_it_was_downloaded(admin: Visitor, web_street: Street) -> None:
    where = sent(admin, f"{HEADING}\n{BAD}".encode())
    mended = admin.get(f"{where}/refused.csv").data.decode("utf-8-sig")
    again = sent(admin, mended.replace("没有的社区", "听涛社区").encode())
    page = admin.text(again)
    assert "没有用到的列：行、原因" in page
    assert "确认登记 1 行" in page


def test_an_excel_file_with_units_and_people_is_taken_whole(
    admin: Visitor, web_street: Street
) -> None:
    data = write_xlsx(
        [
            ("单位", [["单位", "类别", "上级"], ["新港社区", "社区", "听澜街道"]]),
            ("人员", [HEADING.split(","), ["新演示", "新港社区", "网格长", "确认", "", ""]]),
        ]
    )
    where = sent(admin, data, "名册.xlsx")
    assert "设立社区，上级听澜街道" in admin.text(where)
    assert confirm(admin, where).status_code == 200
    assert web_street.types("@units")[-1] == "unit.created"
    web_street.check()


def test_the_template_is_itself_a_file_that_can_be_read(admin: Visitor) -> None:
    template = admin.get("/admin/imports/template.xlsx")
    page = admin.text(sent(admin, template.data, "模板.xlsx"))
    assert "演示甲" in page
    assert "没有标题行、没有读的表：说明" in page


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"PK\x03\x04 broken", "不是能读"),
        (b"\x89PNG\r\n\x1a\n\x00", "不是 CSV"),
        ("甲,乙\n1,2".encode(), "没有找到标题行"),
        (("\n".join(["姓名", *(f"演示{n}" for n in range(2100))])).encode(), "行数太多"),
    ],
)
def test_a_file_that_is_no_register_is_refused_in_words(
    admin: Visitor, data: bytes, said: str
) -> None:
    answer = send(admin, data)
    assert answer.status_code == 400
    assert said in answer.text


def test_no_file_is_asked_for(admin: Visitor) -> None:
    answer = admin.post("/admin/imports", {}, content_type="multipart/form-data")
    assert answer.status_code == 400
    assert "请选一个文件" in answer.text


def test_a_file_is_seen_by_whoever_sent_it_alone(
    admin: Visitor, signed_in: Enter, web_street: Street
) -> None:
    from engine.people import grant_post

    where = sent(admin, ALL.encode())
    web_street.do(
        grant_post, web_street.person["close"], "u-street", "管理员", ["administer"],
        reason="新任", by=web_street.by("admin"),
    )  # fmt: skip
    assert signed_in("close").get(where).status_code == 404
    assert signed_in("watch").get(where).status_code == 403
    assert signed_in("watch").get(f"{where}/refused.csv").status_code == 403
