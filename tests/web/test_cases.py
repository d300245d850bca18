"""A case on its page: who did what, where it stands, whether to trust it, what one may do."""

import hashlib
import json
import re
from collections.abc import Callable

import pytest
from flask import Flask
from markupsafe import Markup
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from audit.evidence_file import verify_evidence
from audit.trust import Trust
from tests.conftest import Street
from tests.web.conftest import Visitor
from tests.web.paths import accepted, assigned, closed, confirmed, rectified, reported, signed_for
from web import visit
from web.case_view import TraceRow, folded
from web.config import Settings
from web.press import make_waiting

Enter = Callable[[str], Visitor]


def test_the_page_says_in_whose_hands_the_case_is(signed_in: Enter, web_street: Street) -> None:
    case = signed_for(web_street)
    page = signed_in("watch").text(f"/cases/{case}")
    assert "正在整改，在fixer演示（澜安物业（演示））手里" in page
    assert "整改：办理中" in page
    assert "上报：已完成" in page


def test_the_responsibility_table_names_every_act_with_time_and_limit(
    signed_in: Enter, web_street: Street
) -> None:
    case = signed_for(web_street)
    page = signed_in("watch").text(f"/cases/{case}")
    table = page.partition("<tbody>")[2].partition("</tbody>")[0]
    assert re.findall(r'<span class="dutymark[^"]*" aria-hidden="true">(.)</span>', table) == list(
        "报确派改"
    )
    assert "head演示" in table
    assert "听涛社区·社区网格长" in table
    assert "22 分钟 / 1 个工作日" in table
    assert "按时" in table


def test_the_timeline_tells_every_record_in_a_sentence(
    signed_in: Enter, web_street: Street
) -> None:
    case = confirmed(web_street)
    page = signed_in("watch").text(f"/cases/{case}")
    count = len(web_street.entries(case))
    assert re.findall(r'<li id="e(\d+)"', page) == [str(n) for n in range(1, count + 1)]
    assert "3月2日 星期一" in page
    assert f"按记录时间，共 {count} 条" in page


def test_a_long_story_is_folded_with_nothing_left_out() -> None:
    row = TraceRow(1, "", "", "", Markup(""), ())
    days = [("一", [row] * 30), ("二", [row] * 30), ("三", [row] * 15)]
    assert folded(days, 40) == (days[:1], days[1:])
    assert folded(days, 100) == ([], days)


def test_not_verified_is_not_suspicion_and_verified_is_computed_now(
    signed_in: Enter, web_street: Street
) -> None:
    case = confirmed(web_street)
    who = signed_in("watch")
    assert "badge--none" in who.text(f"/cases/{case}")
    verified = who.text(f"/cases/{case}?verify=1")
    assert "badge--ok" in verified
    assert f"{len(web_street.entries(case))} 条记录前后相接，没有缺号" in verified


def tamper(street: Street, body: str) -> None:
    with street.database.begin() as conn:
        conn.execute(text("DROP TRIGGER event_no_update"))
        conn.execute(text(f"UPDATE event SET body = CAST({body} AS BLOB) WHERE seq = 6"))


def test_a_record_that_cannot_be_read_is_told_and_not_a_crash(
    signed_in: Enter, web_street: Street
) -> None:
    case = confirmed(web_street)
    tamper(web_street, "'{'")
    answer = signed_in("watch").get(f"/cases/{case}")
    assert answer.status_code == 500
    assert "记录的原文已损坏" in answer.text


def test_a_changed_record_is_told_and_the_page_says_to_stop(
    signed_in: Enter, web_street: Street
) -> None:
    case = confirmed(web_street)
    who = signed_in("watch")
    tamper(web_street, "replace(CAST(body AS TEXT), 'general', 'generol')")
    page = who.text(f"/cases/{case}?verify=1")
    assert "badge--bad" in page
    assert "请停止使用这一页并通知管理员" in page


def test_the_record_can_be_downloaded_and_checked_elsewhere(
    signed_in: Enter, web_street: Street
) -> None:
    case = confirmed(web_street)
    answer = signed_in("watch").get(f"/cases/{case}/record.json")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{case}.json"'
    told = json.loads(answer.data)
    prev = ""
    for event in told["events"]:
        assert hashlib.sha256(b"\0" + event["body"].encode()).hexdigest() == event["hash"]
        assert json.loads(event["body"])["prev"] == prev
        prev = event["hash"]
    found = verify_evidence(answer.data, Trust())
    assert not found.fails, found
    assert len(told["events"]) == len(web_street.entries(case))


def test_the_case_can_be_seen_as_it_stood(signed_in: Enter, web_street: Street) -> None:
    case = confirmed(web_street)
    who = signed_in("watch")
    then = who.text(f"/cases/{case}?as_of=4")
    assert "这是第 <b>4</b> 条记录时的样子" in then
    assert "确认等听涛社区的岗位认领" in then
    assert "您可以做的" not in then
    assert "这是第" not in who.text(f"/cases/{case}?as_of=9999")
    assert "这是第" not in who.text(f"/cases/{case}?as_of=x")


def test_the_diagram_is_told_in_words_and_marked_from_data(
    signed_in: Enter, web_street: Street
) -> None:
    case = signed_for(web_street)
    who = signed_in("watch")
    page = who.text(f"/cases/{case}")
    assert "已完成：上报、确认、指派、签收。现在：正在整改" in page
    facts = json.loads(page.partition('id="diagram-facts">')[2].partition("</script>")[0])
    assert facts["now"] == ["rectify"]
    assert {"report", "confirm", "assign", "sign_in", "flow_confirm_danger"} <= set(facts["done"])
    drawing = who.get(facts["source"])
    assert drawing.mimetype == "application/xml"
    assert b"<bpmn:definitions" in drawing.data
    assert "immutable" in drawing.headers["Cache-Control"]


def test_an_unknown_drawing_is_not_found(signed_in: Enter) -> None:
    assert signed_in("watch").get(f"/definitions/{'0' * 64}.bpmn").status_code == 404


def test_similar_cases_are_named_as_far_as_one_may_see_them(
    signed_in: Enter, web_street: Street
) -> None:
    first = reported(web_street, title="先报的车棚")
    second = reported(web_street, by="fixer")
    assert f'href="/cases/{first}"' in signed_in("watch").text(f"/cases/{second}")
    assert "先报的车棚" not in signed_in("fixer").text(f"/cases/{second}")


# --- acts ---------------------------------------------------------------------------------------


def test_an_act_is_done_though_what_it_tells_other_cases_cannot_be_delivered_now(
    signed_in: Enter, web_street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = reported(web_street)

    def away(*_: object, **__: object) -> None:
        raise OperationalError("BEGIN", {}, Exception("database is locked"))

    monkeypatch.setattr(visit, "deliver", away)
    assert (
        signed_in("watch").post(f"/cases/{case}/urges", {"text": "请今天办完"}).status_code == 303
    )
    assert web_street.types(case)[-1] == "case.urged"


def test_supervisors_urge_and_order_and_others_do_not(signed_in: Enter, web_street: Street) -> None:
    case = signed_for(web_street)
    watch, fixer = signed_in("watch"), signed_in("fixer")
    assert "督办要求" in watch.text(f"/cases/{case}")
    assert "督办要求" not in fixer.text(f"/cases/{case}")
    assert watch.post(f"/cases/{case}/urges", {"text": "请今天办完"}).status_code == 303
    assert watch.post(f"/cases/{case}/urges", {"text": " "}).status_code == 400
    assert fixer.post(f"/cases/{case}/urges", {"text": "x"}).status_code == 403
    told = {"text": "三日内整改", "legal_basis": "督办办法", "task": "rectify#1"}
    assert watch.post(f"/cases/{case}/supervisions", told).status_code == 303
    classed = {**told, "deadline_class": "WD1"}
    assert watch.post(f"/cases/{case}/supervisions", classed).status_code == 303
    assert web_street.types(case)[-3:] == ["case.supervised", "case.supervised", "deadline.set"]


def test_an_order_is_answered_by_whoever_holds_the_step(
    signed_in: Enter, web_street: Street
) -> None:
    case = signed_for(web_street)
    signed_in("watch").post(f"/cases/{case}/supervisions", {"text": "请说明进度"})
    order = web_street.entries(case)[-1].seq
    fixer = signed_in("fixer")
    assert f"答复督办 #{order}" in fixer.text(f"/cases/{case}")
    assert fixer.post(f"/cases/{case}/answers", {"order": "x", "text": "y"}).status_code == 400
    told = {"order": str(order), "text": "今天拆完"}
    assert fixer.post(f"/cases/{case}/answers", told).status_code == 303
    assert fixer.post(f"/cases/{case}/answers", told).status_code == 404
    assert f"答复督办 #{order}" not in fixer.text(f"/cases/{case}")


def test_the_reporter_disputes_the_result_with_the_drawn_form(
    signed_in: Enter, web_street: Street
) -> None:
    case = closed(web_street)
    grid = signed_in("grid")
    assert "写明哪里不认可" in grid.text(f"/cases/{case}")
    assert grid.post(f"/cases/{case}/dispute", {"reason": ""}).status_code == 422
    other = signed_in("watch").post(f"/cases/{case}/dispute", {"reason": "没改好"})
    assert other.status_code == 403
    told = {"reason": "东侧还有一处", "still_there": "true"}
    assert grid.post(f"/cases/{case}/dispute", told).status_code == 303
    assert "result.disputed" in web_street.types(case)
    assert grid.get(f"/cases/{case}/dispute").status_code == 409


def test_a_supervisor_reopens_while_the_process_watches_over_it(
    signed_in: Enter, web_street: Street
) -> None:
    case = closed(web_street)
    watch = signed_in("watch")
    assert "为什么重开" in watch.text(f"/cases/{case}")
    assert watch.post(f"/cases/{case}/reopening", {"reason": "回头看又出现"}).status_code == 303
    assert watch.post(f"/cases/{case}/reopening", {"reason": "再来"}).status_code == 409


def test_a_report_is_exported_with_its_purpose_and_put_on_the_record(
    signed_in: Enter, web_street: Street, settings: Settings
) -> None:
    case = accepted(web_street)
    watch = signed_in("watch")
    assert watch.post(f"/cases/{case}/exports", {"purpose": " "}).status_code == 400
    answer = watch.post(f"/cases/{case}/exports", {"purpose": "纪检函调"})
    assert answer.status_code == 303
    assert make_waiting(web_street.database, settings, clock=lambda: web_street.at) == 1
    answer = watch.get(f"{answer.location}/file")
    assert answer.mimetype == "application/pdf"
    assert answer.data.startswith(b"%PDF-")
    entry = web_street.entries(case)[-1]
    assert entry.type == "report.exported"
    assert entry.data["sha256"] == hashlib.sha256(answer.data).hexdigest()
    assert entry.data["purpose"] == "纪检函调"


def test_whoever_only_sees_a_case_does_not_export_it(signed_in: Enter, web_street: Street) -> None:
    case = confirmed(web_street)
    close = signed_in("close")
    assert "导出责任报告" not in close.text(f"/cases/{case}")
    answer = close.post(f"/cases/{case}/exports", {"purpose": "看看"})
    assert answer.status_code == 403
    assert "report.exported" not in web_street.types(case)


# --- search -------------------------------------------------------------------------------------


def test_the_register_is_searched_and_filters_are_links(
    signed_in: Enter, web_street: Street
) -> None:
    reported(web_street, title="车棚飞线充电")
    reported(web_street, title="井盖有响声", category="road")
    watch = signed_in("watch")
    found = watch.text("/cases?text=井盖")
    assert "井盖有响声" in found
    assert "车棚飞线充电" not in found
    assert 'value="井盖"' in found
    assert "车棚飞线充电" in watch.text("/cases?category=charging&since=3月2日&until=今天")
    assert "没有查到" in watch.text("/cases?until=3月1日")
    assert 'href="/cases?status=overdue"' in found


def test_a_date_nobody_can_read_is_refused(signed_in: Enter) -> None:
    answer = signed_in("watch").get("/cases?since=上个月")
    assert answer.status_code == 400
    assert "11月24日" in answer.text


def test_an_unknown_filter_value_finds_what_it_means_and_does_not_crash(
    signed_in: Enter, web_street: Street
) -> None:
    reported(web_street)
    watch = signed_in("watch")
    assert "车棚" in watch.text("/cases?status=whatever&after=x")
    assert "没有查到" in watch.text("/cases?unit=u-nowhere")


def test_a_long_list_goes_on_on_the_next_page(signed_in: Enter, web_street: Street) -> None:
    for number in range(23):
        reported(web_street, title=f"第 {number} 件")
        web_street.later(minutes=1)
    watch = signed_in("watch")
    first = watch.text("/cases?text=件")
    after = re.search(r'href="(/cases\?[^"]*after=[^"]+)"', first)
    assert after
    second = watch.text(after[1].replace("&amp;", "&"))
    assert "第 22 件" in first
    assert "第 22 件" not in second
    assert "第 0 件" in second


@pytest.mark.parametrize("name", ["fixer", "other"])
def test_the_list_shows_only_what_one_may_see(
    signed_in: Enter, web_street: Street, name: str
) -> None:
    reported(web_street)
    assert "没有查到" in signed_in(name).text("/cases")


def test_the_whole_log_still_verifies_after_working_through_pages(
    signed_in: Enter, web_street: Street
) -> None:
    case = rectified(web_street)
    signed_in("watch").post(f"/cases/{case}/urges", {"text": "请验收"})
    assigned(web_street)
    web_street.check()


def test_a_policy_that_cannot_be_read_closes_no_page(
    signed_in: Enter, web_street: Street, app: Flask
) -> None:
    case = confirmed(web_street)
    places = app.extensions["shaoji"].settings.keys
    places.folder.mkdir(parents=True, exist_ok=True)
    places.policy.write_text("log nobody\n", encoding="utf-8")
    who = signed_in("watch")
    assert "记录可靠吗" in who.text(f"/cases/{case}")
    assert who.get(f"/cases/{case}/record.json").status_code == 200
