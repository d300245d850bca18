"""Whistles through their pages: blown, answered, confirmed on the spot; who may and who may not."""

import re

from audit.reports.case import case_record
from engine import site_codes
from engine.definition_sets import load
from engine.definitions import parse, read_folder
from engine.exports import element_facts
from engine.parties import remove_party
from tests.conftest import ROOT, Street
from tests.engine.whistle_street import Whistle
from tests.web.paths import confirmed
from tests.web.whistle_pages import *  # noqa: F403
from tests.web.whistle_pages import BLOWN, Enter
from web.config import Settings
from web.press import make_waiting
from web.report_text import ReportText
from web.wording import MESSAGES, PROCESSES, Names


def cards(page: str, name: str) -> list[str]:
    return re.findall(rf'name="{name}" value="([^"]+)"', page)


def test_a_whistle_is_blown_and_its_departments_are_called_at_once_in_an_emergency(
    signed_in: Enter, web_street: Street
) -> None:
    told = {**BLOWN, "kind": "emergency", "departments": ["u-fire", "u-gas"]}
    answer = signed_in("blower").post("/whistles", told)
    assert answer.location == "/cases/whistle-2026-00001"
    page = signed_in("blower").text(answer.location)
    assert "2 家里 0 家已到场" in page
    assert "区消防救援局" in page
    assert "听澜-应-2026-00001" in page
    web_street.check()


def test_departments_are_suggested_by_the_duty_list_and_count_only_for_their_category(
    signed_in: Enter, web_street: Street
) -> None:
    who = signed_in("blower")
    page = who.text("/whistles")
    assert set(cards(page, "suggested")) == {"u-fire", "u-urban", "u-gas"}
    assert set(cards(page, "departments")) == {"u-fire", "u-urban", "u-housing", "u-gas"}
    assert "消防通道、消防设施、火情" in page
    told = {**BLOWN, "category": "gas", "suggested": ["u-gas", "u-urban"], "departments": ["u-gas"]}
    who.post("/whistles", told)
    assert web_street.entries("whistle-2026-00001")[0].data["form"]["departments"] == ["u-gas"]


def test_each_kind_says_how_soon_somebody_comes_from_the_clocks_themselves(
    signed_in: Enter,
) -> None:
    page = signed_in("blower").text("/whistles")
    assert "20 分钟内到场，不等审核，事后追认" in page
    assert "1 个工作日内到场" in page


def test_a_whistle_about_a_hazard_brings_along_what_is_known(
    signed_in: Enter, web_street: Street
) -> None:
    case = confirmed(web_street)
    who = signed_in("blower")
    assert f"/whistles?case={case}" in who.text(f"/cases/{case}")
    page = who.text(f"/whistles?case={case}")
    assert 'value="车棚飞线充电"' in page
    assert 'value="听涛苑 3 幢"' in page
    assert re.search(r'value="charging"[^>]* selected', page)
    assert 'value="听澜-隐-2026-00001"' in page
    who.post("/whistles", {**BLOWN, "linked_case": "听澜-隐-2026-00001"})
    opened = web_street.entries("whistle-2026-00001")[0]
    assert opened.data["form"]["linked_case"] == case
    told = who.text("/cases/whistle-2026-00001")
    assert re.search(rf'关联的案件：<a href="/cases/{case}"', told)


def test_faults_of_a_whistle_come_back_with_what_was_typed(
    signed_in: Enter, web_street: Street
) -> None:
    told = {"title": "外墙砖", "departments": ["u-fire"], "linked_case": "听澜-隐-2026-09999"}
    answer = signed_in("blower").post("/whistles", told)
    assert answer.status_code == 422
    for anchor in ("kind", "category", "why", "place_unit", "address", "linked_case"):
        assert f'href="#f-{anchor}"' in answer.text
        assert f'id="f-{anchor}"' in answer.text
    assert re.search(r'name="departments" value="u-fire"[^>]* checked', answer.text)
    assert web_street.types("whistle-2026-00001") == []


def test_a_case_somebody_may_not_see_cannot_be_linked(signed_in: Enter, web_street: Street) -> None:
    confirmed(web_street)
    answer = signed_in("elsewhere").post(
        "/whistles", {**BLOWN, "place_unit": "u-other", "linked_case": "听澜-隐-2026-00001"}
    )
    assert answer.status_code == 422
    assert "没有查到这个案件号" in answer.text


def test_only_posts_with_the_right_blow(signed_in: Enter, web_street: Street) -> None:
    for answer in (signed_in("grid").get("/whistles"), signed_in("grid").post("/whistles", BLOWN)):
        assert answer.status_code == 403
        assert "只有“吹哨”岗位可以发起" in answer.text
    assert web_street.types("whistle-2026-00001") == []


def test_the_code_shown_to_one_is_what_the_other_has_to_type(
    signed_in: Enter, w: Whistle, web_street: Street
) -> None:
    w.emergency("u-fire")
    blower, fire = signed_in("blower"), signed_in("fire")
    assert "出示现场码" in blower.text(f"/cases/{w.case}")
    assert "出示现场码" not in signed_in("desk").text(f"/cases/{w.case}")
    task = "/cases/response-2026-00001/tasks/arrive_at_once%231"
    assert 'inputmode="numeric"' in fire.text(task)
    assert "现在没有有效的现场码" in fire.post(f"{task}/completion", {"site_code": "1"}).text
    shown = blower.post(f"/cases/{w.case}/site-codes", follow_redirects=True).text
    code = "".join(re.findall(r"<span>(\d{3})</span>", shown))
    assert len(code) == 6
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    refused = fire.post(f"{task}/completion", {"site_code": wrong})
    assert refused.status_code == 422
    assert 'id="e-site_code"' in refused.text
    assert "现场码不对" in refused.text
    done = fire.post(f"{task}/completion", {"site_code": f" {code[:3]} {code[3:]} "})
    assert done.status_code == 303
    assert "首发响应" in fire.text("/cases/response-2026-00001")
    page = blower.text(f"/cases/{w.case}")
    assert "1 家里 1 家已到场" in page
    assert "首发响应" in page
    web_street.check()


def test_nobody_but_the_blowing_side_shows_a_code(
    signed_in: Enter, w: Whistle, web_street: Street
) -> None:
    w.emergency("u-fire")
    for name in ("fire", "desk", "elsewhere"):
        answer = signed_in(name).post(f"/cases/{w.case}/site-codes")
        assert answer.status_code == 403
        assert signed_in(name).get(f"/cases/{w.case}/site-codes").status_code == 403
    assert "code.shown" not in web_street.types(w.case)


def test_the_first_to_respond_is_who_told_it_first_not_whose_message_came_first(
    signed_in: Enter, w: Whistle, web_street: Street
) -> None:
    w.emergency("u-fire", "u-urban")
    code = web_street.do(site_codes.show, w.case, by=web_street.by("blower")).code
    urban, fire = w.find("u-urban"), w.find("u-fire")
    web_street.complete(urban, "arrive_at_once#1", "urban", {}, code=code, vault=web_street.vault)
    web_street.later(minutes=2)
    web_street.complete(fire, "arrive_at_once#1", "fire", {}, code=code, vault=web_street.vault)
    web_street.deliver()
    assert "首发响应" in signed_in("desk").text(f"/cases/{urban}").partition("有关的案件")[0]
    assert "首发响应" not in signed_in("desk").text(f"/cases/{fire}").partition("有关的案件")[0]


def test_the_desk_adds_and_takes_off_departments(
    signed_in: Enter, w: Whistle, web_street: Street
) -> None:
    w.called()
    desk = signed_in("desk")
    page = desk.text(f"/cases/{w.case}")
    offered = page.partition('id="party-call"')[2].partition("</select>")[0]
    assert "u-gas" in offered
    assert "u-fire" not in offered
    desk.post(f"/cases/{w.case}/parties", {"group": "call", "to": "u-gas", "reason": "闻到燃气"})
    child = re.search(r'<option value="(\d+)">澜安燃气', desk.text(f"/cases/{w.case}"))
    assert child
    removal = {"child": child[1], "reason": "不是燃气"}
    desk.post(f"/cases/{w.case}/parties/removal", removal)
    told = desk.text(f"/cases/{w.case}")
    assert "加签" in told
    assert "减签" in told
    assert w.ended("u-gas") == "released_by_desk"
    refused = signed_in("fire").post(
        f"/cases/{w.case}/parties", {"group": "call", "to": "u-gas", "reason": "再来"}
    )
    assert refused.status_code == 403
    web_street.check()


def test_a_whistle_is_taken_back_until_the_first_has_come(
    signed_in: Enter, w: Whistle, web_street: Street
) -> None:
    w.called()
    assert "撤销这一案" not in signed_in("desk").text(f"/cases/{w.case}")
    who = signed_in("blower")
    assert "撤销这一案" in who.text(f"/cases/{w.case}")
    who.post(f"/cases/{w.case}/recall", {"reason": "已自行清理"})
    assert "已撤销" in who.text(f"/cases/{w.case}")
    assert w.ended("u-fire") == "withdrawn"
    web_street.check()


def test_both_sides_of_a_message_lead_to_each_other(signed_in: Enter, w: Whistle) -> None:
    w.called()
    child = w.find("u-fire")
    desk = signed_in("desk")
    told = desk.text(f"/cases/{w.case}")
    assert re.search(rf'新立案件“部门报到”（区消防救援局） <a href="/cases/{child}">', told)
    assert re.search(rf'由另一案件（<a href="/cases/{w.case}">', desk.text(f"/cases/{child}"))
    assert re.search(r"请来报到，“没有执法权", told)


def test_who_is_called_sees_the_whistle_and_of_the_others_only_that_they_are_there(
    signed_in: Enter, w: Whistle
) -> None:
    w.called()
    fire = signed_in("fire")
    page = fire.text(f"/cases/{w.find('u-fire')}")
    assert f"/cases/{w.case}" in page
    assert "一件您无权查看的案件" in page
    assert w.find("u-urban") not in page
    assert w.find("u-urban") not in fire.text(f"/cases/{w.case}")
    assert fire.get(f"/cases/{w.find('u-urban')}").status_code == 403
    assert signed_in("gas").get(f"/cases/{w.case}").status_code == 403
    assert signed_in("elsewhere").get(f"/cases/{w.case}").status_code == 403


def test_who_was_taken_off_sees_the_whistle_no_longer(signed_in: Enter, w: Whistle) -> None:
    w.called()
    assert signed_in("fire").get(f"/cases/{w.case}").status_code == 200
    seq = next(seq for seq, child in w.state.children.items() if child.party == "u-fire")
    w.act(remove_party, int(seq), "不归消防", by="desk")
    assert signed_in("fire").get(f"/cases/{w.case}").status_code == 403


def test_processes_without_five_duties_show_no_false_cells(signed_in: Enter, w: Whistle) -> None:
    w.called()
    fire = signed_in("fire")
    inbox = fire.text("/inbox/claimable")
    assert 'class="five"' not in inbox
    assert "<b>报到</b>" in inbox
    task = fire.text(f"/cases/{w.find('u-fire')}/tasks/sign_in%231")
    assert 'class="five"' not in task
    case = fire.text(f"/cases/{w.find('u-fire')}")
    assert "每一步谁办的，用了多久" in case
    assert "谁上报、谁确认" not in case
    assert "falling" not in case


def test_sealed_answers_say_so_before_they_are_given(signed_in: Enter, w: Whistle) -> None:
    w.called().arrived("u-fire").arrived("u-urban").do("joint_record")
    w.worked("u-fire", "release_by_desk").worked("u-urban")
    case = w.find("u-fire")
    page = signed_in("blower").text(f"/cases/{case}/tasks/evaluate%231")
    assert page.count("密封：各方都交了，或等待期满，才一起打开。") == 3
    told = {"result": "fair", "effort": "full", "reason": "来得晚了一点"}
    signed_in("blower").post(f"/cases/{case}/tasks/evaluate%231/completion", told)
    assert "来得晚了一点" not in signed_in("fire").text(f"/cases/{case}")
    w.do("evaluate_whistle", "u-fire")
    assert "来得晚了一点" in signed_in("fire").text(f"/cases/{case}")


def test_departments_offered_are_those_that_respond(signed_in: Enter, w: Whistle) -> None:
    w.blow().do("review")
    page = signed_in("desk").text(f"/cases/{w.case}/tasks/fix_list%231")
    assert set(cards(page, "departments")) == {"u-fire", "u-urban", "u-housing", "u-gas"}
    lead = page.partition('id="f-lead"')[2].partition("</select>")[0]
    assert "u-property" not in lead


def test_the_report_tells_of_related_cases_in_words(
    signed_in: Enter, w: Whistle, web_street: Street, settings: Settings
) -> None:
    w.called().arrived("u-fire")
    desk = signed_in("desk")
    answer = desk.post(f"/cases/{w.find('u-fire')}/exports", {"purpose": "例会"})
    assert make_waiting(web_street.database, settings, clock=lambda: web_street.at) == 1
    assert desk.get(f"{answer.location}/file").mimetype == "application/pdf"
    digest, entries = w.state.definition, w.entries()
    with web_street.database.begin() as conn:
        record = case_record(entries, element_facts(load(conn, digest)))
    text = ReportText(record, Names(units={"u-fire": "区消防救援局"}), "zh")
    told = [str(words) for words, _ in text.related()]
    assert told[0].startswith("立了“部门报到”（区消防救援局）")
    assert told[0].endswith("到本记录为止没有了结。")
    assert text.heading() == "吹哨报到责任报告"
    assert text.separation() == ""


def test_every_message_cases_tell_each_other_has_its_words() -> None:
    folders = sorted({path.parent for path in (ROOT / "workflows").glob("*/*.bpmn")})
    definitions = [parse(read_folder(folder)) for folder in folders]
    sent = {send.message for one in definitions for send in one.sends.values()}
    assert sent - set(MESSAGES) == set()
    assert {one.key for one in definitions} - set(PROCESSES) == set()


def test_the_desk_is_told_which_departments_the_duty_list_names_and_how_much_they_have(
    signed_in: Enter, w: Whistle
) -> None:
    w.called()
    w.blow(category="gas").do("review")
    page = signed_in("desk").text(f"/cases/{w.case}/tasks/fix_list%231")
    first = page.partition('<p class="legend legend--sub">建议</p>')[2].partition("</div>")[0]
    told = re.findall(r'value="([^"]+)".*?<b>([^<]+)</b><span>([^<]+)</span>', first)
    assert told == [
        ("u-gas", "澜安燃气（演示）", "职责清单：停气、管线阀门，手上没有事。"),
        ("u-fire", "区消防救援局", "职责清单：消防通道、消防设施、火情，手上 1 件，没有逾期。"),
        ("u-housing", "区住房建设局", "手上没有事。"),
    ]
