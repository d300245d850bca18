"""What the record says to people: plain, exact, in two languages, and never blaming."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from audit.reports.case import case_record
from audit.reports.facts import Actor, CaseRecord, Responsibility, TimelineRow, Timing
from audit.vocabulary import TYPES
from tests.golden.cases.sample import two_rounds
from web.quantities import bare_duration, day, days_words, duration, limit, weekday, when
from web.sentences import (
    TEMPLATES,
    Names,
    Segment,
    markup,
    outcome,
    plain,
    result,
    template,
    timeline_sentence,
)
from web.slots import Slots
from web.wording import (
    category_words,
    duty_mark,
    duty_name,
    files,
    five_words,
    level_words,
    person_words,
)

SAMPLE = two_rounds()
RECORD = case_record(SAMPLE.entries, SAMPLE.elements)
NAMES = Names(SAMPLE.persons, SAMPLE.units, SAMPLE.posts)
LOCALES = ("zh", "en")
HANZI = re.compile("[一-鿿]")


def said(seq: int, locale: str = "zh", **more: Any) -> str:
    return plain(timeline_sentence(RECORD, RECORD.timeline[seq - 1], NAMES, locale, **more))


def row(type_: str, data: dict[str, Any], **more: Any) -> TimelineRow:
    """A timeline row by 王演示 about the second round of rectifying."""
    blank = RECORD.timeline[37]
    fields = {
        "type": type_, "data": data, "refers": None, "timing": None, "evidence": (),
        "claimed_at": None, "actor": Actor("p-0002", "k-x", "u-tingtao"),
    }  # fmt: skip
    return replace(blank, **(fields | more))


def sentence(told: TimelineRow, locale: str = "zh") -> str:
    return plain(timeline_sentence(RECORD, told, NAMES, locale))


# --- quantities ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minutes", "clock", "zh", "en"),
    [
        (0, "natural", "不到 1 分钟", "under 1 min"),
        (22, "natural", "22 分钟", "22 min"),
        (60, "natural", "1 小时", "1 h"),
        (81, "natural", "1 小时 21 分钟", "1 h 21 min"),
        (1449, "natural", "1 天 9 分钟", "1 d 9 min"),
        (1928, "natural", "1 天 8 小时 8 分钟", "1 d 8 h 8 min"),
        (92, "working", "1 小时 32 分钟（工作时）", "1 h 32 min (working time)"),
        (959, "working", "15 小时 59 分钟（工作时）", "15 h 59 min (working time)"),
        (1500, "working", "3 个工作日 1 小时", "3 working days 1 h"),
    ],
)
def test_a_duration_names_every_unit_that_is_there(
    minutes: int, clock: str, zh: str, en: str
) -> None:
    assert (duration(minutes, clock, "zh"), duration(minutes, clock, "en")) == (zh, en)
    assert "工作时）" not in bare_duration(minutes, clock, "zh")


@pytest.mark.parametrize(
    ("minutes", "clock", "zh", "en"),
    [
        (60, "natural", "1 小时", "1 hour"),
        (20, "natural", "20 分钟", "20 min"),
        (1440, "natural", "1 个自然日", "1 calendar day"),
        (10080, "natural", "7 个自然日", "7 calendar days"),
        (480, "working", "1 个工作日", "1 working day"),
        (1440, "working", "3 个工作日", "3 working days"),
        (240, "working", "4 工作时", "4 working hours"),
        (90, "working", "1 小时 30 分钟（工作时）", "1 h 30 min (working time)"),
        (1500, "natural", "25 小时", "25 hours"),
        (3000, "natural", "2 天 2 小时", "2 d 2 h"),
        (1501, "natural", "1 天 1 小时 1 分钟", "1 d 1 h 1 min"),
    ],
)
def test_a_limit_is_told_in_the_unit_in_which_it_was_set(
    minutes: int, clock: str, zh: str, en: str
) -> None:
    assert (limit(minutes, clock, "zh"), limit(minutes, clock, "en")) == (zh, en)


def test_dates_are_closed_up_and_local() -> None:
    at = datetime(2025, 11, 20, 16, 5, tzinfo=UTC)  # past midnight in China
    assert when(at, "zh") == "11月21日 00:05"
    assert when(at, "zh", year=True) == "2025年11月21日 00:05"
    assert when(at, "en", year=True) == "21 Nov 2025 00:05"
    assert (day(at, "en"), weekday(at, "zh"), weekday(at, "en")) == ("21 Nov", "星期五", "Friday")


def test_days_are_those_of_the_steps_own_clock() -> None:
    assert days_words(3, "natural", "zh") == "3 天"
    assert days_words(3, "working", "zh") == "3 个工作日"
    assert days_words(1, "working", "en") == "1 working day"


# --- templates -----------------------------------------------------------------------------------


def test_every_type_of_a_case_has_a_sentence_and_no_sentence_is_without_type() -> None:
    types = {name for name, type_ in TYPES.items() if type_.stream == "case"}
    assert {key.partition("/")[0] for key in TEMPLATES} - {"*"} == types


@pytest.mark.parametrize("key", TEMPLATES)
def test_both_languages_fill_only_slots_that_exist(key: str) -> None:
    for text in TEMPLATES[key].values():
        for slot in re.findall(r"\{(\w+)\}", text):
            assert hasattr(Slots, f"_{slot}"), slot
    assert not HANZI.search(TEMPLATES[key]["en"])
    assert HANZI.search(TEMPLATES[key]["zh"])


@pytest.mark.parametrize("key", TEMPLATES)
def test_sentences_have_no_exclamation_no_blame_and_end_with_a_stop(key: str) -> None:
    zh = TEMPLATES[key]["zh"]
    assert zh.endswith("。")
    assert TEMPLATES[key]["en"].endswith(".")
    assert not re.search("！|请勿|违规|失职|瞒报|推诿|拒不", zh)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("n", range(len(RECORD.timeline)))
def test_every_entry_of_the_sample_case_can_be_said(n: int, locale: str) -> None:
    told = sentence(RECORD.timeline[n], locale)
    assert not re.search(r"[{}\[\]]|\*\*|!!|None", told)
    assert "  " not in told


# --- sentences -----------------------------------------------------------------------------------

TOLD = {
    1: "周演示（第十二微网格·微网格员）上报：“三号楼车棚有人从楼上拉线充电，晚上最多”，"
    "附整改前照片 1 张，称 11月20日 13:20 发现。",
    4: "系统出具回执 R-44TJ-9K52。",
    5: "王演示（听涛社区·一般网格长）认领“确认”。",
    12: "系统算出“签收”的时限：1 工作时，11月20日 16:10 到时（工作日历第 1 版）。",
    14: "“签收”的时限已用 80%，在陈演示手里。",
    15: "“签收”时限 1 工作时到，陈演示还没有办完，逾期开始。",
    18: "陈演示（澜安物业·工程主管）签收：现场由谁负责：“本人”，打算哪天改好：11月26日，"
    "用时 1 小时 21 分钟（工作时），时限 1 工作时，超 21 分钟。本人说明：“在地下车库，没有信号。”",
    22: "陈演示（澜安物业·工程主管）为“整改”（第 1 轮）申请延期 3 天，"
    "理由：“充电柜要从外地调货，最快 28 日到”，期间措施：“拉线已全部断电，夜里 22 点加巡一次。”",
    23: "赵演示（听澜街道·分管领导）同意延期 3 天（申请见 #22），理由：“拉线已断，风险可控。”",
    33: "许演示（代李演示，听澜街道·应急办）同意暂停计时，等“区供电公司”，"
    "最迟 12月3日 09:00 恢复（申请见 #32），理由：“有通话凭据。”",
    35: "陈演示（澜安物业·工程主管）让“整改”（第 2 轮）恢复计时，"
    "理由：“供电公司已停电，开始改线。”",
    37: "陈演示（澜安物业·工程主管）答复督办（#34）：“今天停电，下午拆完，照片随整改提交。”",
    48: "郑演示（听澜街道·督查）导出报告，共 5 页，用途：“街道季度督查调阅。”",
}


@pytest.mark.parametrize("seq", TOLD)
def test_the_sample_case_in_chinese(seq: int) -> None:
    receipt = re.sub("R-[0-9A-Z]{4}-[0-9A-Z]{4}", "R-44TJ-9K52", said(seq))
    assert receipt == TOLD[seq]


def test_a_late_step_is_told_in_english_with_its_number() -> None:
    assert "took 1 h 21 min (working time), limit 1 working hour, 21 min over" in said(18, "en")
    assert said(15, "en").endswith("has not finished: overdue from now on.")


def test_somebody_introduced_is_then_named_alone() -> None:
    assert said(18, known={"p-0005"}).startswith("陈演示签收")
    assert said(18, known={"p-0001"}).startswith("陈演示（澜安物业·工程主管）")


def test_a_resident_has_no_name_here() -> None:
    resident = replace(RECORD, source="resident")
    told = replace(RECORD.timeline[0], actor=Actor("resident:x7", None, None, "report", None, "qr"))
    assert plain(timeline_sentence(resident, told, NAMES, "zh")).startswith("居民上报：“")


def test_a_clock_that_runs_on_by_its_date_names_nobody() -> None:
    told = row("clock.resumed", {"task": "rectify#2", "reason": "auto"}, actor=Actor())
    assert sentence(told) == "恢复的日期到了，“整改”（第 2 轮）恢复计时。"


def test_an_imported_case_was_reported_by_nobody_here() -> None:
    told = replace(RECORD.timeline[0], actor=Actor(), evidence=(), claimed_at=None)
    assert sentence(told).startswith("案件从别的系统导入：“三号楼")
    assert person_words(Actor(), NAMES, "zh", source="import") == ("导入", "")


def test_a_report_made_by_the_operator_names_no_person() -> None:
    told = row("report.exported", {"pages": 5, "purpose": "备查"}, actor=Actor())
    assert sentence(told) == "服务器管理者导出报告，共 5 页，用途：“备查。”"


def test_a_turn_is_told_in_the_words_of_its_own_form() -> None:
    asked = {"reason", "legal_basis"}
    turn = next(k for k, e in SAMPLE.elements.items() if not e.verb and asked <= e.fields.keys())
    form = {"reason": "权属不清", "legal_basis": "管护附表"}
    told = sentence(
        row("objection.raised", {"task": "sign_in#1", "message": f"{turn}#1", "form": form})
    )
    assert told.endswith("提出异议：依据：“管护附表”，“权属不清。”")


def test_whoever_speaks_through_somebody_is_told_by_the_words_of_the_form() -> None:
    told = replace(
        RECORD.timeline[0], data=RECORD.timeline[0].data | {"spoken_by": "resident"}, evidence=()
    )
    assert "代居民填写" in sentence(told)


def test_a_signal_is_told_by_the_name_of_its_rule_and_one_that_is_no_more_by_its_id() -> None:
    data = {"rule": "B6", "entry": 17, "rules": "0" * 64, "reason": "不符"}
    told = row("signal.confirmed", data)
    assert "认为属实（B6 倒填时间，#17）：“不符。”" in sentence(told)
    assert "holds (B6 Backdated, #17)" in sentence(told, "en")
    assert "（B99，#17）" in sentence(row("signal.dismissed", data | {"rule": "B99"}))


def test_a_type_not_known_here_still_has_a_sentence() -> None:
    assert sentence(row("case.merged", {})) == "记录了 case.merged。"
    assert template(row("case.merged", {}), "en") == TEMPLATES["*"]["en"]


def test_a_full_stop_goes_into_a_quotation_once() -> None:
    assert sentence(row("case.urged", {"text": "请抓紧。"})).endswith("催办：“请抓紧。”")
    assert sentence(row("case.urged", {"text": "今天能办完吗？"})).endswith("“今天能办完吗？”")
    assert sentence(row("case.urged", {"text": "抓紧"}), "en").endswith("urged: “抓紧”.")


def test_what_people_wrote_is_never_taken_for_a_template_or_for_html() -> None:
    nasty = "<b>{who}</b> **粗** [x] !!y!! & “引”"
    told = row("case.urged", {"text": nasty})
    assert nasty in sentence(told)
    shown = str(markup(timeline_sentence(RECORD, told, NAMES, "zh")))
    assert "&lt;b&gt;{who}&lt;/b&gt; **粗** [x] !!y!! &amp;" in shown
    assert "<b>催办</b>" in shown


def test_markup_marks_the_verb_what_is_late_and_what_must_not_break() -> None:
    late = str(markup(timeline_sentence(RECORD, RECORD.timeline[17], NAMES, "zh")))
    assert "<b>签收</b>" in late
    assert "<em>超 21 分钟</em>" in late
    assert '<span class="num">11月20日 16:10</span>' in str(
        markup(timeline_sentence(RECORD, RECORD.timeline[11], NAMES, "zh"))
    )
    assert str(markup([Segment("a<b", "nobody")])) == "a&lt;b"


# --- the table -----------------------------------------------------------------------------------


def line(task: str) -> Responsibility:
    return next(one for one in RECORD.responsibility if one.task == task)


def did(task: str, locale: str = "zh") -> str:
    return plain(outcome(RECORD, line(task), NAMES, locale))


def test_outcomes_say_what_was_decided_in_the_words_of_the_form() -> None:
    assert did("") == "飞线充电，三号楼车棚有人从楼上拉线充电，晚上最多"
    assert did("assign#1") == "整改单位：澜安物业，整改责任人：陈演示，验收人：林演示"
    assert did("sign_in#1") == "签收，现场由谁负责：本人"
    assert did("rectify#1") == "第 1 轮：拆除私拉电线 6 处，装智能充电柜 2 组"
    assert did("accept#1") == "第 1 轮：不合格，返工，东侧仍有 1 处飞线，没有拆"
    assert did("accept#2", "en") == "Round 2: Passed"


def test_turns_say_themselves() -> None:
    back = replace(line("sign_in#1"), how="returned", outcome={}, reason="不归我们管")
    assert plain(outcome(RECORD, back, NAMES, "zh")) == "签收，退回，不归我们管"


@pytest.mark.parametrize(
    ("timing", "how", "wanted"),
    [
        (Timing("in_time", "natural", "X", 60, 20), "completed", ("●", "按时", "ok")),
        (Timing("late", "natural", "X", 60, 81, late=21), "completed", ("▲", "超 21 分钟", "late")),
        (Timing("late", "natural", "X", 60, 20), "completed", ("▲", "曾逾期", "late")),
        (Timing("overdue", "natural", "X", 60), "open", ("▲", "已逾期", "late")),
        (Timing("paused", "natural", "X", 60), "open", ("‖", "已暂停", "now")),
        (Timing("running", "natural", "X", 60), "open", ("○", "办理中", "now")),
        (Timing(), "open", ("○", "办理中", "now")),
        (Timing(), "completed", ("—", "无时限", "idle")),
        (Timing("in_time", "natural", "X", 60, 20), "cancelled", ("—", "已取消", "idle")),
        (Timing("in_time", "natural", "X", 60, 20), "withdrawn", ("—", "已取消", "idle")),
    ],
)
def test_a_result_has_a_shape_a_word_and_no_need_of_colour(
    timing: Timing, how: Any, wanted: tuple[str, str, str]
) -> None:
    assert result(replace(line("confirm#1"), timing=timing, how=how), "zh") == wanted


def test_duties_have_their_names_and_marks() -> None:
    lines = RECORD.responsibility
    assert "".join(duty_mark(RECORD, one) for one in lines) == "报确派改改改验验销"
    assert duty_name(RECORD, line("sign_in#1"), "zh") == "整改"
    assert duty_name(RECORD, line("close#1"), "en") == "Close"
    assert five_words("now", True, "zh") == "办理中，曾逾期"


def test_levels_and_categories_are_words() -> None:
    assert (level_words(RECORD, "zh"), category_words(RECORD, "zh")) == ("一般隐患", "飞线充电")
    strange: CaseRecord = replace(RECORD, level="级外", category="另类")
    assert (level_words(strange, "zh"), category_words(strange, "en")) == ("级外", "另类")


def test_a_substitute_is_told_with_whom_for() -> None:
    actor = RECORD.timeline[32].actor
    assert person_words(actor, NAMES, "zh") == ("许演示", "代李演示，听澜街道·应急办")
    assert person_words(actor, NAMES, "en")[1] == "for 李演示, 听澜街道·应急办"


def test_an_erased_name_leaves_the_pseudonym() -> None:
    assert Names().person("p-0031") == "p-0031"


def test_files_are_counted_by_purpose() -> None:
    told = [item for item in RECORD.evidence if item.seq == 26]
    assert files(told, "zh") == "整改前照片 1 张、整改后照片 2 张"
    assert files(told, "en") == "1 photo (before), 2 photos (after)"
