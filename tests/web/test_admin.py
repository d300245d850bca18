"""The administrator's pages: registers kept in sentences, changes on the record, no case seen."""

import io
import re
import zipfile
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from engine.calendar_versions import calendar
from engine.people import directory, name_substitute, register_person
from tests.conftest import ROOT, Street
from tests.web.conftest import Visitor
from tests.web.second_factors import device_at, phone
from web.register_sentences import REGISTERS

Enter = Callable[[str], Visitor]

PAGES = [
    "/admin/",
    "/admin/units",
    "/admin/units?ended=1",
    "/admin/units/u-tingtao",
    "/admin/people",
    "/admin/people?q=tingtao",
    "/admin/accounts",
    "/admin/accounts/head",
    "/admin/duties",
    "/admin/duties/matrix",
    "/admin/duties/matrix?kind=street",
    "/admin/calendars",
    "/admin/calendars/1",
    "/admin/calendars/1.toml",
    "/admin/calendars/template.csv",
    "/admin/definitions",
    "/admin/definitions/hazard/1",
    "/admin/deadlines",
    "/admin/imports",
    "/admin/imports/template.xlsx",
    "/admin/imports/template.csv",
    *(f"/admin/history/{register}" for register in REGISTERS),
    *(f"/admin/records/{register}/1" for register in REGISTERS),
]


@pytest.fixture
def admin(signed_in: Enter) -> Visitor:
    return signed_in("admin")


def send(admin: Visitor, path: str, *files: tuple[str, bytes], **more: str) -> TestResponse:
    data: dict[str, object] = {"file": [(io.BytesIO(data), name) for name, data in files], **more}
    return admin.post(path, data, content_type="multipart/form-data")


def done(answer: TestResponse) -> None:
    assert answer.status_code == 303, answer.text


def told(street: Street, stream: str) -> tuple[str, dict[str, object]]:
    last = street.entries(stream)[-1]
    return last.type, last.data


# --- who may come in ----------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_administrator_opens_every_page_in_both_languages(admin: Visitor, language: str) -> None:
    for path in PAGES:
        answer = admin.get(f"{path}{'&' if '?' in path else '?'}language={language}")
        assert answer.status_code == 200, path
        if answer.mimetype == "text/html":
            told = re.sub(r"<script.*?</script>|<pre.*?</pre>", "", answer.text, flags=re.DOTALL)
            assert "{" not in told, path


def test_nobody_else_opens_any_of_them(signed_in: Enter) -> None:
    watch = signed_in("watch")
    for path in PAGES:
        answer = watch.get(path)
        assert answer.status_code == 403, path
        assert "只有管理员" in answer.text


def test_whoever_is_not_signed_in_is_asked_to(visitor: Visitor) -> None:
    answer = visitor.get("/admin/units")
    assert answer.status_code == 303
    assert "/sign-in" in answer.location


def test_a_substitute_of_the_administrator_keeps_the_register(
    signed_in: Enter, web_street: Street
) -> None:
    web_street.do(
        name_substitute, web_street.person["admin"], web_street.person["close"],
        end=web_street.at + timedelta(days=2), reason="休假", by=web_street.by("admin"),
    )  # fmt: skip
    stand_in = signed_in("close")
    done(stand_in.post("/admin/units/u-tingtao/name", {"name": "听涛一社区"}))
    actor = web_street.entries("@units")[-1].actor
    assert actor["on_behalf_of"] == web_street.person["admin"]
    page = stand_in.text("/admin/units/u-tingtao")
    assert "close演示（代admin演示）" in page


def test_administering_opens_no_case(admin: Visitor, web_street: Street) -> None:
    case = web_street.report()
    assert admin.get(f"/cases/{case}").status_code == 403


def test_the_way_to_the_registers_is_in_the_navigation(admin: Visitor, signed_in: Enter) -> None:
    assert 'href="/admin/"' in admin.text("/inbox")
    assert 'href="/admin/"' not in signed_in("head").text("/inbox")


def test_a_form_without_its_token_changes_nothing(admin: Visitor, web_street: Street) -> None:
    answer = admin.client.post("/admin/units/u-tingtao/name", data={"name": "假"})
    assert answer.status_code == 400
    assert told(web_street, "@units")[0] == "unit.created"


NOWHERE = [
    "/admin/units/u-nowhere",
    "/admin/people/p-9999",
    "/admin/accounts/nobody",
    "/admin/history/cases",
    "/admin/records/units/9999",
    "/admin/records/access/1",
    "/admin/calendars/99",
    "/admin/definitions/hazard/99",
    "/admin/imports/none",
    "/admin/calendars/next/none",
    "/admin/definitions/next/none",
]


def test_what_is_not_there_is_said_so(admin: Visitor) -> None:
    assert [admin.get(path).status_code for path in NOWHERE] == [404] * len(NOWHERE)


# --- units --------------------------------------------------------------------------------------


def test_a_unit_is_created_renamed_and_closed_and_its_page_says_by_whom(
    admin: Visitor, web_street: Street
) -> None:
    done(
        admin.post("/admin/units", {"name": "新港社区", "kind": "community", "parent": "u-street"})
    )
    unit = str(told(web_street, "@units")[1]["unit"])
    done(admin.post(f"/admin/units/{unit}/name", {"name": "新港湾社区"}))
    assert told(web_street, "@units") == ("unit.renamed", {"unit": unit, "name": "新港湾社区"})
    done(admin.post(f"/admin/units/{unit}/closing", {"reason": "并入听涛社区"}))
    page = admin.text(f"/admin/units/{unit}")
    assert "admin演示 把<b>新港社区</b>改名为<b>新港湾社区</b>" in page
    assert (
        "撤销<b>新港湾社区</b>：原来没有期限，现在到 3月2日 09:00 为止。原因：并入听涛社区" in page
    )
    assert "新港湾社区" not in admin.text("/admin/units")
    assert "新港湾社区" in admin.text("/admin/units?ended=1")
    web_street.check()


NEW = {"name": "新", "kind": "community", "parent": "u-street"}
UNFIT = [
    (NEW | {"name": ""}, 400, "请填写名称"),
    (NEW | {"parent": "u-tingtao"}, 400, "应设在"),
    (NEW | {"kind": "town"}, 400, "没有“town”"),
    (NEW | {"parent": "u-none"}, 404, "没有编号为 u-none"),
    (NEW | {"unit": "x"}, 400, "u- 开头"),
    (NEW | {"start": "2025-01-01"}, 400, "不能倒填"),
    (NEW | {"start": "开会那天"}, 400, "日期请写成"),
]


def test_a_unit_that_does_not_fit_is_refused_in_words(admin: Visitor) -> None:
    for form, status, said in UNFIT:
        answer = admin.post("/admin/units", form)
        assert answer.status_code == status, said
        assert said in answer.text


def test_a_unit_in_use_is_not_closed(admin: Visitor) -> None:
    answer = admin.post("/admin/units/u-tingtao/closing", {"reason": "撤并"})
    assert answer.status_code == 409
    assert "下级单位或岗位" in answer.text


# --- people -------------------------------------------------------------------------------------


def test_a_person_is_registered_appointed_given_an_account_and_leaves(
    admin: Visitor, web_street: Street, signed_in: Enter
) -> None:
    answer = admin.post("/admin/people", {"name": "新演示"})
    done(answer)
    page = answer.location
    appointed = {
        "unit": "u-tingtao", "title": "网格员", "duties": ["report", "patrol"], "reason": "新任",
    }  # fmt: skip
    done(admin.post(f"{page}/posts", appointed))
    made = admin.post(f"{page}/accounts", {"name": "Xin"})
    password = re.search(r'class="kept__place"><b>([^<]+)<', made.text)
    assert password
    assert made.headers["Cache-Control"] == "no-store"
    person = Visitor(admin.client.application.test_client())
    assert person.sign_in("xin", password[1]).status_code == 303
    post = str(told(web_street, "@people")[1]["post"])
    done(admin.post(f"/admin/posts/{post}/end", {"reason": "调离"}))
    shown = admin.text(page)
    assert "任命<b>新演示</b>为听涛社区·网格员，职责：上报、巡查，从 3月2日 09:00 起" in shown
    assert "结束<b>新演示</b>的岗位听涛社区·网格员：原来没有期限，现在到 3月2日 09:00 为止" in shown
    assert "给<b>新演示</b>开设账号 xin" in shown
    assert password[1] not in shown
    web_street.check()


def test_a_person_of_the_same_name_is_registered_only_if_it_is_meant(
    admin: Visitor, web_street: Street
) -> None:
    answer = admin.post("/admin/people", {"name": "head演示"})
    assert answer.status_code == 409
    assert "已经登记过一位head演示" in answer.text
    done(admin.post("/admin/people", {"name": "head演示", "another": "1"}))
    assert told(web_street, "@people")[0] == "person.registered"


def test_a_name_is_corrected_and_the_old_one_is_nowhere(admin: Visitor, web_street: Street) -> None:
    person = web_street.person["grid"]
    done(admin.post(f"/admin/people/{person}/name", {"name": "汪演示"}))
    page = admin.text(f"/admin/people/{person}")
    assert f"更正 {person} 的姓名，现在叫<b>汪演示</b>" in page
    assert "grid演示" not in page
    web_street.check()


def test_the_very_same_post_is_not_registered_twice(admin: Visitor, web_street: Street) -> None:
    form = {"unit": "u-tingtao", "title": "巡查员", "duties": ["patrol"], "reason": "新任"}
    path = f"/admin/people/{web_street.person['grid']}/posts"
    done(admin.post(path, form))
    answer = admin.post(path, form)
    assert answer.status_code == 409
    assert "没有再登记一次" in answer.text


def test_a_substitute_is_named_and_ended_early(admin: Visitor, web_street: Street) -> None:
    away, instead = web_street.person["head"], web_street.person["head2"]
    form = {"to": instead, "end": "2026-03-05", "reason": "出差"}
    done(admin.post(f"/admin/people/{away}/substitutes", form))
    named = told(web_street, "@people")[1]
    assert named["to"] == "2026-03-05T16:00:00.000Z"
    done(admin.post(f"/admin/substitutes/{named['substitution']}/end", {"reason": "提前回来"}))
    page = admin.text(f"/admin/people/{away}")
    assert "指定<b>head2演示</b>代理head演示" in page
    assert "对head演示的代理：原来到 3月6日 00:00 为止，现在到 3月2日 09:00 为止" in page
    web_street.check()


def test_a_substitution_needs_its_last_day(admin: Visitor, web_street: Street) -> None:
    form = {"to": web_street.person["head2"], "reason": "出差"}
    answer = admin.post(f"/admin/people/{web_street.person['head']}/substitutes", form)
    assert answer.status_code == 400
    assert "到哪天为止" in answer.text


def test_the_last_administrator_cannot_be_ended(admin: Visitor, web_street: Street) -> None:
    with web_street.database.begin() as conn:
        [post] = directory(conn).posts_of(web_street.person["admin"], web_street.at)
    answer = admin.post(f"/admin/posts/{post.id}/end", {"reason": "误点"})
    assert answer.status_code == 409
    assert "最后一位管理员" in answer.text


FOUND: dict[str, set[str]] = {
    "head2": {"head2演示"},
    "听涛社区 确认": {"head演示", "head2演示"},
    "工程主管": {"fixer演示"},
    "fixer2": {"fixer2演示"},
    "没有的人": set(),
}


def test_people_are_found_by_name_unit_post_duty_and_account(admin: Visitor) -> None:
    for asked, found in FOUND.items():
        page = admin.get("/admin/people", query_string={"q": asked}).text
        assert set(re.findall(r'people/p-\d+">([^<]+)<', page)) == found, asked


# --- accounts -----------------------------------------------------------------------------------


def test_an_account_gets_a_new_password_shown_once_and_its_sessions_end(
    admin: Visitor, signed_in: Enter, web_street: Street
) -> None:
    head = signed_in("head")
    assert "现在有 1 处登录" in admin.text("/admin/accounts/head")
    answer = admin.post("/admin/accounts/head/password")
    password = re.search(r'class="kept__place"><b>([^<]+)<', answer.text)
    assert password
    assert head.get("/inbox").status_code == 303
    assert head.sign_in("head", password[1]).status_code == 303
    assert "给账号<b>head</b>设了新密码" in admin.text("/admin/accounts/head")
    web_street.check()


def test_a_new_password_for_somebody_takes_a_fresh_confirmation(
    app: Flask, admin: Visitor, signed_in: Enter, web_street: Street
) -> None:
    head = signed_in("head")
    web_street.later(minutes=11)
    asked = admin.post("/admin/accounts/head/password")
    assert asked.status_code == 422
    assert "接下来：给别人设新密码" in asked.text
    assert "kept__place" not in asked.text
    assert head.get("/inbox").status_code == 200
    code = phone(app, "admin").code(device_at(app))
    answer = admin.post("/admin/accounts/head/password", {"confirming": "yes", "code": code})
    assert "kept__place" in answer.text
    assert head.get("/inbox").status_code == 303
    web_street.check()


def test_a_disabled_account_signs_in_no_more_and_says_why(
    admin: Visitor, signed_in: Enter, web_street: Street
) -> None:
    head = signed_in("head")
    done(admin.post("/admin/accounts/head/disabling", {"reason": "调离本街道"}))
    assert head.get("/inbox").status_code == 303
    assert head.sign_in("head").status_code == 403
    assert "停用账号<b>head</b>，不能再登录。原因：调离本街道" in admin.text("/admin/accounts/head")
    answer = admin.post("/admin/accounts/head/disabling", {"reason": "再停一次"})
    assert answer.status_code == 400


def test_an_account_name_that_is_taken_is_refused(admin: Visitor, web_street: Street) -> None:
    answer = admin.post(f"/admin/people/{web_street.person['grid']}/accounts", {"name": "HEAD"})
    assert answer.status_code == 400
    assert "已存在" in answer.text


def test_a_forgotten_reason_is_asked_for(admin: Visitor) -> None:
    assert admin.post("/admin/accounts/head/disabling", {"reason": " "}).status_code == 400


# --- duties -------------------------------------------------------------------------------------


def test_the_table_of_duties_is_read_from_the_rules(admin: Visitor) -> None:
    page = admin.text("/admin/duties")
    rows = {
        found[1]: found[0]
        for found in re.findall(
            r"(<tr><th scope=\"row\">.*?code\">(\w+)</span>.*?</tr>)", page, re.DOTALL
        )
    }
    assert "不因此看到任何案件" in rows["administer"]
    assert "只看自己经办过的" in rows["intake"]
    assert "看全街道的" in rows["accept"]
    assert "看本单位和下级单位的案件</td>" in rows["confirm"]
    assert "隐患整改闭环：" in rows["accept"]
    assert "批延期" in rows["approve"]
    assert "空岗" in rows["custody"]


def test_a_vacancy_is_named_where_units_of_the_kind_have_the_duty(admin: Visitor) -> None:
    page = admin.text("/admin/duties/matrix?kind=community")
    other = re.search(r"沿河社区</a></th>(.*?)</tr>", page, re.DOTALL)
    assert other
    # 听涛社区 rectifies, 沿河社区 has nobody for it.
    assert other[1].count("空岗") == 1
    assert "other演示" in other[1]


def test_a_substitute_stands_in_the_matrix_after_whom_they_stand_in_for(
    admin: Visitor, web_street: Street
) -> None:
    web_street.do(
        name_substitute, web_street.person["other"], web_street.person["head2"],
        end=web_street.at + timedelta(days=2), reason="出差", by=web_street.by("other"),
    )  # fmt: skip
    assert "head2演示（代other演示）" in admin.text("/admin/duties/matrix?kind=community")


# --- calendars ----------------------------------------------------------------------------------


def publish(admin: Visitor, page: str) -> TestResponse:
    shown = admin.text(page)
    base = re.search(r'name="base" value="(\d+)"', shown)
    assert base
    return admin.post(page, {"base": base[1]})


def test_days_typed_in_become_the_next_version_after_a_look(
    admin: Visitor, web_street: Street
) -> None:
    answer = admin.post(
        "/admin/calendars/days", {"days": "2027-01-01 放假\n2027-01-02 上班\n2026-01-01 照常\n"}
    )
    done(answer)
    page = admin.text(answer.location)
    assert "2027 年从此算作已公布" in page
    assert "放假 → 照常" in page
    done(publish(admin, answer.location))
    with web_street.database.begin() as conn:
        cal = calendar(conn)
    assert cal.version == 2
    assert cal.days[date(2027, 1, 1)] is False
    assert cal.days[date(2027, 1, 2)] is True
    assert date(2026, 1, 1) not in cal.days
    assert 2027 in cal.published
    assert "原来是第 1 版" in admin.text("/admin/calendars")
    assert "照常 → 放假" in admin.text("/admin/calendars/2")
    web_street.check()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_days_from_a_table_become_the_next_version(
    admin: Visitor, web_street: Street, encoding: str
) -> None:
    table = "日期,类型\n2027/01/01,放假\n2027-02-20,补班\n".encode(encoding)
    answer = send(admin, "/admin/calendars/files", ("日历.csv", table))
    done(answer)
    done(publish(admin, answer.location))
    assert told(web_street, "@calendar")[1]["version"] == 2


UNREADABLE = {
    "": "没有日期",
    "2027-01-01": "看不懂",
    "2027-02-30 放假": "看不懂",
    "2027-01-01 也许": "看不懂",
    "2027-01-01 放假\n2027-01-01 上班": "写了两次",
}


def test_days_nobody_can_read_are_refused_by_their_line(admin: Visitor) -> None:
    for days, said in UNREADABLE.items():
        answer = admin.post("/admin/calendars/days", {"days": days})
        assert answer.status_code == 400, days
        assert said in answer.text


def test_a_calendar_looked_at_before_another_was_published_is_not_published(
    admin: Visitor,
) -> None:
    first = admin.post("/admin/calendars/days", {"days": "2027-01-01 放假"}).location
    second = admin.post("/admin/calendars/days", {"days": "2027-01-02 放假"}).location
    admin.text(first)
    done(publish(admin, second))
    answer = admin.post(first, {"base": "1"})
    assert answer.status_code == 409
    assert "在新版本上重做" in answer.text


def test_a_calendar_that_says_nothing_new_is_refused(admin: Visitor) -> None:
    first = admin.post("/admin/calendars/days", {"days": "2027-01-01 放假"}).location
    done(publish(admin, first))
    again = admin.post("/admin/calendars/days", {"days": "2027-01-01 放假"}).location
    assert "日子没有变" in admin.text(again)


# --- definitions --------------------------------------------------------------------------------


def hazard(**changed: bytes) -> list[tuple[str, bytes]]:
    """The files of the hazard process by name; changed: with others in their place."""
    from engine.definitions import read_folder

    files = read_folder(ROOT / "workflows" / "hazard") | changed
    return sorted(files.items())


def zipped(files: list[tuple[str, bytes]], folder: str = "") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in files:
            packed.writestr(folder + name, data)
    return out.getvalue()


def changed_deadlines() -> list[tuple[str, bytes]]:
    files = dict(hazard())
    files["deadlines.toml"] = files["deadlines.toml"].replace(b"amount = 20\n", b"amount = 25\n")
    return sorted(files.items())


def test_a_process_sent_as_a_zip_is_deployed_after_a_look(
    admin: Visitor, web_street: Street
) -> None:
    packed = zipped([*changed_deadlines(), ("README.md", b"x")], "hazard/")
    answer = send(admin, "/admin/definitions/files", ("hazard.zip", packed))
    done(answer)
    page = admin.text(answer.location)
    assert "部署后是第 2 版" in page
    assert "25 分钟" in page
    done(admin.post(answer.location))
    kind, data = told(web_street, "@definitions")
    assert (kind, data["key"], data["version"]) == ("definition.deployed", "hazard", 2)
    assert "第 2 版，原来是第 1 版；有变动的文件：deadlines.toml" in admin.text(
        "/admin/definitions"
    )
    assert "25 分钟" in admin.text("/admin/deadlines")
    web_street.check()


def test_a_process_sent_as_the_files_of_its_folder_is_read(
    admin: Visitor, web_street: Street
) -> None:
    # A browser tells file names alone: forms are told by their ending.
    files = [(Path(name).name, data) for name, data in changed_deadlines()]
    done(send(admin, "/admin/definitions/files", *files))


def test_the_version_that_is_deployed_already_is_said_to_be(admin: Visitor) -> None:
    answer = send(admin, "/admin/definitions/files", ("h.zip", zipped(hazard())))
    assert "这套内容就是第 1 版，没有变化" in admin.text(answer.location)


def test_a_faulty_process_is_refused_with_its_faults(admin: Visitor, web_street: Street) -> None:
    files = dict(hazard())
    files["deadlines.toml"] = files["deadlines.toml"].replace(b"[classes.E20]", b"[classes.E21]")
    answer = send(admin, "/admin/definitions/files", ("h.zip", zipped(sorted(files.items()))))
    assert answer.status_code == 422
    assert "没有部署，什么都没有改" in answer.text
    assert "E20" in answer.text
    assert told(web_street, "@definitions")[1]["version"] == 1


HOSTILE = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"><process id="p">&e;</process>
</definitions>"""
SCRIPTED = b"""<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"><process id="p">
<scriptTask id="s"><script>import os; os.system("true")</script></scriptTask></process>
</definitions>"""


PACKAGES: list[tuple[list[tuple[str, bytes]], int, str]] = [
    ([("x.bpmn", HOSTILE)], 422, "DOCTYPE"),
    ([("x.bpmn", SCRIPTED)], 422, "[s]"),
    ([("x.bpmn", b"\x00\xff")], 422, "没有部署"),
    ([("README.md", b"x")], 400, "没有找到流程文件"),
    ([("x.zip", b"PK\x03\x04")], 400, "ZIP 打不开"),
    ([("x.zip", zipped([("../../etc/x.bpmn", b"x")]))], 400, "指向文件夹以外"),
    ([("x.zip", zipped([("/etc/x.bpmn", b"x")]))], 400, "指向文件夹以外"),
    ([("x.zip", zipped([("x.bpmn", b"0" * 6_000_000)]))], 400, "没有收下"),
    ([("x.zip", zipped([(f"{n}.json", b"0") for n in range(200)]))], 400, "没有收下"),
    ([("a.json", b"1"), ("forms/a.json", b"2"), ("x.bpmn", b"x")], 400, "有两份"),
    ([], 400, "请选 ZIP"),
]


def test_a_hostile_or_empty_package_is_refused_in_words(admin: Visitor, web_street: Street) -> None:
    for files, status, said in PACKAGES:
        answer = send(admin, "/admin/definitions/files", *files)
        assert answer.status_code == status, said
        assert said in answer.text
    assert told(web_street, "@definitions")[1]["version"] == 1


# --- the record ---------------------------------------------------------------------------------


def test_every_line_of_a_history_leads_to_its_event(admin: Visitor) -> None:
    for register in REGISTERS:
        page = admin.text(f"/admin/history/{register}")
        links = re.findall(r'href="(/admin/records/[^"]+)"', page)
        assert links
        for link in links:
            assert "SHA-256" in admin.text(link) or "记录指纹" in admin.text(link)


def test_an_event_is_shown_with_its_bytes_and_their_hash(
    admin: Visitor, web_street: Street
) -> None:
    entry = web_street.entries("@units")[2]
    page = admin.text("/admin/records/units/3")
    assert entry.hash.hex() in page
    assert "&#34;type&#34;:&#34;unit.created&#34;" in page


def test_a_long_history_is_turned_over_page_by_page(admin: Visitor, web_street: Street) -> None:
    for number in range(105):
        web_street.do(register_person, f"第{number}演示", by=web_street.by("admin"))
    page = admin.text("/admin/history/people")
    assert page.count('class="trace__s"') == 100
    assert "page=2" in page
    assert admin.text("/admin/history/people?page=2").count('class="trace__s"') > 5


def test_what_asks_for_a_look_is_on_the_first_page(admin: Visitor) -> None:
    page = admin.text("/admin/")
    assert "没有人担任的职责：" in page
    assert "身份保管" in page
