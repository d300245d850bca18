"""A step on its page: filled in, refused with what was typed, handed over, sent back, prolonged."""

import re
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest

from engine.together import Group
from tests.conftest import Street
from tests.web.conftest import Visitor, photo
from tests.web.paths import (
    CONFIRMED,
    accepted,
    assigned,
    confirmed,
    rectified,
    reported,
    signed_for,
)

Enter = Callable[[str], Visitor]
CONFIRM = {**CONFIRMED, "danger_now": ""}
RECTIFIED = {"done": "拆除飞线", "done_at.day": "3月2日", "done_at.time": "11:00"}


def path(case: str, task: str, act: str = "") -> str:
    return f"/cases/{case}/tasks/{task.replace('#', '%23')}{act}"


def shot(name: str = "p.jpg", data: bytes | None = None) -> tuple[BytesIO, str]:
    return BytesIO(data or photo()), name


@pytest.mark.parametrize("crowded", [False, True], ids=["alone", "decided before the lock"])
def test_a_step_is_done_on_its_page_and_the_next_one_opens(
    signed_in: Enter, web_street: Street, monkeypatch: pytest.MonkeyPatch, crowded: bool
) -> None:
    monkeypatch.setattr(Group, "is_crowded", lambda _: crowded)
    case = reported(web_street)
    web_street.later(minutes=5)
    who = signed_in("head")
    answer = who.post(path(case, "confirm#1", "/completion"), {**CONFIRM, "note": "看过现场"})
    assert answer.location == "/inbox"
    assert "已提交：确认" in who.text("/inbox")
    done = [e for e in web_street.entries(case) if e.type == "task.completed"]
    assert done[0].data["form"] == CONFIRMED
    assert done[0].data["note"] == "看过现场"
    assert done[0].actor["person"] == web_street.person["head"]
    assert done[0].actor["channel"] == "web"
    web_street.check()


def test_a_form_with_faults_comes_back_with_all_of_them_and_what_was_typed(
    signed_in: Enter, web_street: Street
) -> None:
    case = reported(web_street)
    before = len(web_street.entries(case))
    wrong = {"verdict": "hazard", "level": "general", "reason": "依据在这里"}
    answer = signed_in("head").post(path(case, "confirm#1", "/completion"), wrong)
    assert answer.status_code == 422
    assert "还有 1 处要改" in answer.text
    assert 'href="#f-object"' in answer.text
    assert "依据在这里" in answer.text
    assert re.search(r'value="hazard"[^>]* checked', answer.text)
    assert len(web_street.entries(case)) == before


def test_a_key_sent_twice_is_done_once(signed_in: Enter, web_street: Street) -> None:
    case = reported(web_street)
    who = signed_in("head")
    for _ in range(2):
        answer = who.post(path(case, "confirm#1", "/completion"), {**CONFIRM, "key": "same"})
        assert answer.location == "/inbox"
    assert web_street.types(case).count("task.completed") == 1


def test_every_form_carries_a_key_of_its_own(signed_in: Enter, web_street: Street) -> None:
    case = reported(web_street)
    page = signed_in("head").text(path(case, "confirm#1"))
    keys = re.findall(r'name="key" value="([^"]+)"', page)
    assert len(keys) == len(set(keys)) > 1


def test_somebody_elses_step_shows_why_it_is_not_theirs(
    signed_in: Enter, web_street: Street
) -> None:
    case = assigned(web_street)
    page = signed_in("watch").text(path(case, "sign_in#1"))
    assert "这一步现在不由您办" in page
    assert "由fixer演示办理" in page
    assert "提交签收" not in page


def test_doing_somebody_elses_step_is_refused_and_nothing_is_written(
    signed_in: Enter, web_street: Street
) -> None:
    case = assigned(web_street)
    before = web_street.types(case)
    answer = signed_in("watch").post(path(case, "sign_in#1", "/completion"), {"in_charge": "我来"})
    assert answer.status_code == 403
    assert "这次操作没有生效" in answer.text
    assert web_street.types(case) == before


def test_a_stranger_sees_neither_the_step_nor_the_case(
    signed_in: Enter, web_street: Street
) -> None:
    case = assigned(web_street)
    for address in (path(case, "sign_in#1"), f"/cases/{case}"):
        answer = signed_in("other").get(address)
        assert answer.status_code == 403
        assert "不在您的职责范围内" in answer.text


def test_an_unknown_case_and_a_step_that_is_done_are_told_apart(
    signed_in: Enter, web_street: Street
) -> None:
    case = confirmed(web_street)
    who = signed_in("head")
    assert who.get(path("hazard-2026-99999", "confirm#1")).status_code == 404
    assert who.get(path("@people", "confirm#1")).status_code == 404
    done = who.get(path(case, "confirm#1"))
    assert done.status_code == 409
    assert "可能刚被别人办完" in done.text


def test_the_reporter_cannot_confirm_their_own_report(signed_in: Enter, web_street: Street) -> None:
    case = reported(web_street, by="head")
    page = signed_in("head").text(path(case, "confirm#1"))
    assert "办过本案的“上报”" in page


def test_photos_are_kept_by_hash_and_named_in_the_record(
    signed_in: Enter, web_street: Street, settings: Any
) -> None:
    case = signed_for(web_street)
    web_street.later(hours=3)
    files = {"evidence_before": shot(), "evidence_after": shot(data=photo("green"))}
    answer = signed_in("fixer").post(path(case, "rectify#1", "/completion"), {**RECTIFIED, **files})
    assert answer.status_code == 303, answer.text
    entry = [e for e in web_street.entries(case) if e.type == "task.completed"][-1]
    assert [item["purpose"] for item in entry.evidence] == ["before", "after"]
    assert entry.data["form"]["done_at"] == "2026-03-02T03:00:00.000Z"
    for item in entry.evidence:
        sha256 = item["sha256"]
        assert (settings.evidence_dir / sha256[:2] / sha256[2:4] / sha256).is_file()
    web_street.check()


def test_a_photo_is_not_asked_for_again_when_the_form_had_faults(
    signed_in: Enter, web_street: Street
) -> None:
    case = signed_for(web_street)
    web_street.later(hours=3)
    who = signed_in("fixer")
    first = who.post(
        path(case, "rectify#1", "/completion"),
        {
            "done": "拆除飞线",
            "evidence_before": shot(),
            "evidence_after": shot("q.jpg", photo("red")),
        },
    )
    assert first.status_code == 422
    assert "已收下" in first.text
    tokens = re.findall(r'name="kept" value="([^"]+)"', first.text)
    assert len(tokens) == 2
    again = who.post(path(case, "rectify#1", "/completion"), {**RECTIFIED, "kept": tokens})
    assert again.status_code == 303, again.text
    assert len(web_street.entries(case)[-3].evidence) == 2


def test_a_kept_photo_of_somebody_else_or_a_forged_one_does_not_count(
    signed_in: Enter, web_street: Street
) -> None:
    case = signed_for(web_street)
    web_street.later(hours=3)
    told = {"done": "拆除飞线", "evidence_after": shot()}
    page = signed_in("fixer").post(path(case, "rectify#1", "/completion"), told).text
    token = re.findall(r'name="kept" value="([^"]+)"', page)[0]
    web_street.do(
        _delegate, case, "rectify#1", web_street.person["fixer2"], by=web_street.by("fixer")
    )
    for forged in (token, token[:-2] + "xx", "nonsense"):
        answer = signed_in("fixer2").post(
            path(case, "rectify#1", "/completion"), {**RECTIFIED, "kept": [forged]}
        )
        assert answer.status_code == 422
        assert "还缺处理后的照片" in answer.text


def _delegate(conn: Any, case: str, task: str, to: str, **more: Any) -> Any:
    from engine.holding import delegate_task

    return delegate_task(conn, case, task, to, "请代办", **more)


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("p.jpg", b"%PDF-1.4 not a photo at all", "内容却是"),
        ("p.png", None, "标明是 .png"),
        ("p.heic", b"\0\0\0\x18ftypheic" + b"\0" * 40, "HEIC"),
        ("empty.jpg", b"\0", "“empty.jpg”"),
    ],
)
def test_an_unfit_file_is_a_fault_of_its_field_and_the_rest_stays(
    signed_in: Enter, web_street: Street, name: str, data: bytes | None, told: str
) -> None:
    case = signed_for(web_street)
    web_street.later(hours=3)
    files = {"evidence_before": shot(), "evidence_after": shot(name, data)}
    answer = signed_in("fixer").post(path(case, "rectify#1", "/completion"), {**RECTIFIED, **files})
    assert answer.status_code == 422
    assert told in answer.text
    assert "拆除飞线" in answer.text
    assert answer.text.count('name="kept"') == 1
    assert web_street.types(case).count("task.completed") == 3


def test_nobody_fills_the_disk_through_somebody_elses_step(
    signed_in: Enter, web_street: Street, settings: Any
) -> None:
    case = signed_for(web_street)
    files = {"evidence_after": shot()}
    answer = signed_in("watch").post(path(case, "rectify#1", "/completion"), {**RECTIFIED, **files})
    assert answer.status_code == 403
    assert not settings.evidence_dir.exists()


def test_a_time_that_has_not_come_yet_is_a_fault(signed_in: Enter, web_street: Street) -> None:
    case = signed_for(web_street)
    late = {**RECTIFIED, "done_at.time": "23:30"}
    answer = signed_in("fixer").post(path(case, "rectify#1", "/completion"), late)
    assert answer.status_code == 422
    assert "这个时间还没有到" in answer.text
    assert 'value="23:30"' in answer.text


def test_claiming_and_giving_back(signed_in: Enter, web_street: Street) -> None:
    case = reported(web_street)
    who = signed_in("head")
    assert who.post(path(case, "confirm#1", "/claim")).status_code == 303
    rival = signed_in("head2").post(path(case, "confirm#1", "/claim"))
    assert rival.status_code == 409
    assert "刚被head演示认领" in rival.text
    refused = who.post(path(case, "confirm#1", "/release"), {"reason": " "})
    assert refused.status_code == 400
    assert who.post(path(case, "confirm#1", "/release"), {"reason": "出差"}).status_code == 303
    assert web_street.types(case)[-2:] == ["task.claimed", "task.released"]


def test_a_step_is_handed_over_to_one_who_may_do_it(signed_in: Enter, web_street: Street) -> None:
    case = signed_for(web_street)
    who = signed_in("fixer")
    page = who.text(path(case, "rectify#1"))
    assert "fixer2演示（工程员）" in page
    assert "accept演示（" not in page.partition("转交别人办")[2].partition("</form>")[0]
    to = {"to": web_street.person["fixer2"], "reason": "我去医院"}
    assert who.post(path(case, "rectify#1", "/delegation"), to).status_code == 303
    assert "要您办的有 1 件" in signed_in("fixer2").text("/inbox")
    unfit = {"to": web_street.person["accept"], "reason": "请代办"}
    assert (
        signed_in("fixer2").post(path(case, "rectify#1", "/delegation"), unfit).status_code == 403
    )
    assert who.post(path(case, "rectify#1", "/delegation"), {"reason": "x"}).status_code == 400


def test_a_dispatcher_reassigns_a_step(signed_in: Enter, web_street: Street) -> None:
    case = signed_for(web_street)
    to = {"to": web_street.person["fixer2"], "reason": "原经办人请假"}
    who = signed_in("dispatch")
    assert "改派给别人" in who.text(path(case, "rectify#1"))
    assert who.post(path(case, "rectify#1", "/reassignment"), to).status_code == 303
    assert web_street.types(case)[-1] == "task.reassigned"
    assert signed_in("close").post(path(case, "rectify#1", "/reassignment"), to).status_code == 403


def test_a_step_is_sent_back_the_drawn_way(signed_in: Enter, web_street: Street) -> None:
    case = confirmed(web_street)
    who = signed_in("dispatch")
    answer = who.post(path(case, "assign#1", "/return"), {"reason": "没写清是谁的车棚"})
    assert answer.location == f"/cases/{case}"
    assert "task.returned" in web_street.types(case)
    undrawn = signed_in("head").post(path(case, "confirm#2", "/return"), {"reason": "x"})
    assert undrawn.status_code == 409


def test_one_takes_back_ones_own_step_while_nobody_began_the_next(
    signed_in: Enter, web_street: Street
) -> None:
    case = assigned(web_street)
    assert "撤回我的上一步" in signed_in("dispatch").text(path(case, "sign_in#1"))
    assert "撤回我的上一步" not in signed_in("watch").text(path(case, "sign_in#1"))
    answer = signed_in("dispatch").post(
        path(case, "sign_in#1", "/withdrawal"), {"reason": "派错了单位"}
    )
    assert answer.status_code == 303
    assert "task.withdrawn" in web_street.types(case)


def test_an_objection_has_its_own_form_and_its_faults(signed_in: Enter, web_street: Street) -> None:
    case = assigned(web_street)
    who = signed_in("fixer")
    form = who.text(path(case, "sign_in#1", "/objection"))
    assert "应由谁整改" in form
    wrong = who.post(path(case, "sign_in#1", "/objection"), {"reason": "不是我们的"})
    assert wrong.status_code == 422
    assert "不是我们的" in wrong.text
    right = {"reason": "不是我们的", "legal_basis": "物业合同", "proposed_unit": "u-tingtao"}
    assert who.post(path(case, "sign_in#1", "/objection"), right).status_code == 303
    assert "objection.raised" in web_street.types(case)
    assert who.get(path(case, "sign_in#1", "/objection")).status_code in (404, 409)


def test_more_time_is_asked_for_and_decided_by_another_post(
    signed_in: Enter, web_street: Street
) -> None:
    case = signed_for(web_street)
    who = signed_in("fixer")
    told = {"days": "3", "reason": "等配件", "interim": "已断电"}
    assert (
        who.post(path(case, "rectify#1", "/extension"), {**told, "days": "三"}).status_code == 400
    )
    assert who.post(path(case, "rectify#1", "/extension"), told).status_code == 303
    assert "已申请延期，等审批" in who.text(path(case, "rectify#1"))
    leader = signed_in("leader")
    assert "申请延期 3 天，请审批" in leader.text(path(case, "rectify#1"))
    nothing = leader.post(path(case, "rectify#1", "/extension/decision"), {"reason": "可以"})
    assert nothing.status_code == 400
    granted = {"reason": "可以", "outcome": "granted"}
    own = who.post(path(case, "rectify#1", "/extension/decision"), granted)
    assert own.status_code == 403
    answer = leader.post(path(case, "rectify#1", "/extension/decision"), granted)
    assert answer.status_code == 303
    assert web_street.types(case)[-2:] == ["extension.granted", "deadline.set"]


def test_a_clock_is_stopped_with_proof_and_runs_on_again(
    signed_in: Enter, web_street: Street
) -> None:
    case = signed_for(web_street)
    who = signed_in("fixer")
    told = {"counterparty": "澜江燃气", "resume_by": "3月6日", "reason": "等燃气公司关阀"}
    bare = who.post(path(case, "rectify#1", "/pause"), told)
    assert bare.status_code == 400
    assert "凭据" in bare.text
    undated = who.post(path(case, "rectify#1", "/pause"), {**told, "resume_by": "过几天"})
    assert undated.status_code == 400
    asked = who.post(path(case, "rectify#1", "/pause"), {**told, "evidence_call": shot()})
    assert asked.status_code == 303
    granted = {"reason": "同意", "outcome": "granted"}
    answer = signed_in("dispatch").post(path(case, "rectify#1", "/pause/decision"), granted)
    assert answer.status_code == 303
    assert "等澜江燃气，到 3月7日 00:00" in who.text("/inbox")
    resumed = who.post(path(case, "rectify#1", "/resumption"), {"reason": "燃气公司来了"})
    assert resumed.status_code == 303
    assert web_street.types(case)[-2:] == ["clock.resumed", "deadline.set"]


def test_what_cannot_be_done_yet_is_put_on_the_standing_list(
    signed_in: Enter, web_street: Street
) -> None:
    case = signed_for(web_street)
    leader = signed_in("leader")
    page = leader.text(path(case, "rectify#1"))
    classes = re.findall(r'<option value="(\w+)"', page.partition("多久复核一次")[2])
    told = {"reason": "要等市里的规划", "review_class": classes[0]}
    assert leader.post(path(case, "rectify#1", "/standing"), told).status_code == 303
    assert "standing.listed" in web_street.types(case)
    assert "已挂账" in signed_in("fixer").text("/inbox")


def test_what_was_said_before_stands_beside_the_form(signed_in: Enter, web_street: Street) -> None:
    case = rectified(web_street)
    page = signed_in("accept").text(path(case, "accept#1"))
    assert "拆除 6 处飞线" in page
    assert "现场看到 6 处飞线" in page
    assert "有人从楼上拉线充电" in page


def test_a_person_chosen_in_a_form_is_one_who_may_do_the_later_step(
    signed_in: Enter, web_street: Street
) -> None:
    case = confirmed(web_street)
    page = signed_in("dispatch").text(path(case, "assign#1"))
    acceptors = page.partition('id="f-acceptor"')[2].partition("</select>")[0]
    assert "accept演示（验收岗）" in acceptors
    assert "fixer演示" not in acceptors
    units = page.partition('id="f-unit"')[2].partition("</select>")[0]
    assert "澜安物业（演示）" in units
    assert "沿河社区" not in units


def test_only_the_supervisor_of_the_case_is_offered_to_reopen(
    signed_in: Enter, web_street: Street
) -> None:
    case = accepted(web_street)
    assert "为什么重开" not in signed_in("watch").text(f"/cases/{case}")
