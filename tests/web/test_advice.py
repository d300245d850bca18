"""Whom to assign, beside the choice: the reasons in a sentence, nothing chosen, nobody hidden."""

import re
from collections.abc import Callable
from datetime import timedelta

from flask import Flask

from engine.holding import delegate_task
from engine.people import grant_post, name_substitute
from tests.conftest import Street
from tests.web.api_client import program
from tests.web.conftest import Visitor
from tests.web.paths import closed, confirmed, rectified, signed_for

Enter = Callable[[str], Visitor]


def field(page: str, name: str) -> str:
    """The whole of one question."""
    return page.partition(f'id="f-{name}"')[2].partition('<div class="field')[0]


def advice(part: str) -> list[tuple[str, str]]:
    """Who is suggested, and why."""
    return re.findall(r"<li><b>([^<]+)</b>([^<]+)</li>", part)


def test_the_unit_to_assign_is_suggested_with_every_reason(
    signed_in: Enter, web_street: Street
) -> None:
    closed(web_street)
    case = confirmed(web_street)
    page = signed_in("dispatch").text(f"/cases/{case}/tasks/assign%231")
    told = advice(field(page, "unit"))
    assert told == [
        ("听涛社区", "管听涛社区，本单位近 90 天在本社区办过 2 件，手上没有事，同类 2 件都按时。"),
        ("澜安物业（演示）", "本单位近 90 天在本社区办过 1 件，手上没有事，同类 1 件都按时。"),
        ("听涛社区·第一网格", "管听涛社区·第一网格，手上没有事。"),
    ]


def test_nothing_is_chosen_beforehand_and_each_candidate_stands_there_once(
    signed_in: Enter, web_street: Street
) -> None:
    case = confirmed(web_street)
    page = signed_in("dispatch").text(f"/cases/{case}/tasks/assign%231")
    for name in ("unit", "person", "acceptor"):
        options = field(page, name).partition("</select>")[0]
        assert '<optgroup label="建议">' in options, name
        assert " selected" not in options, name
        values = re.findall(r'<option value="([^"]+)"', options)
        assert len(values) == len(set(values)), name
    persons = field(page, "person").partition("</select>")[0]
    for name in ("fixer", "fixer2", "head", "grid"):
        assert f'value="{web_street.person[name]}"' in persons


def test_who_has_steps_past_their_limit_is_suggested_after_who_has_none(
    signed_in: Enter, web_street: Street
) -> None:
    signed_for(web_street)
    web_street.later(days=12)
    case = confirmed(web_street)
    page = signed_in("dispatch").text(f"/cases/{case}/tasks/assign%231")
    told = advice(field(page, "person"))
    assert [name.partition("·")[2] for name, _ in told] == [
        "fixer2演示（工程员）", "第一网格·grid演示（一般网格员）", "head演示（社区网格长）",
    ]  # fmt: skip
    assert told[0][1] == "本单位近 90 天在本社区办过 1 件，手上没有事。"
    unit = dict(advice(field(page, "unit")))["澜安物业（演示）"]
    assert unit == "本单位近 90 天在本社区办过 1 件，手上 1 件，1 件逾期，同类 1 件都按时。"


def test_what_was_typed_stays_typed_when_the_form_is_refused(
    signed_in: Enter, web_street: Street
) -> None:
    case = confirmed(web_street)
    who = signed_in("dispatch")
    answer = who.post(f"/cases/{case}/tasks/assign%231/completion", {"unit": "u-tingtao"})
    assert answer.status_code == 422
    assert '<option value="u-tingtao" class="" selected>' in field(answer.text, "unit")
    assert advice(field(answer.text, "unit"))


def test_whom_the_command_would_refuse_is_never_suggested(
    signed_in: Enter, web_street: Street
) -> None:
    street = web_street
    case = rectified(street)
    for name in ("fixer", "fixer2"):
        street.do(grant_post, street.person[name], "u-street", "验收岗", ["accept"],
                  reason="兼任", by=street.by("admin"))  # fmt: skip
    street.do(grant_post, street.person["close"], "u-street", "验收岗", ["accept"],
              reason="兼任", by=street.by("admin"))  # fmt: skip
    street.later(minutes=1)
    page = signed_in("dispatch").text(f"/cases/{case}/tasks/accept%231")
    names = " ".join(name for name, _ in advice(page.partition("改派给别人")[2]))
    assert "accept2演示" in names
    assert "close演示" in names
    assert "fixer" not in names


def test_who_stands_in_and_until_when_is_one_of_the_reasons(
    signed_in: Enter, web_street: Street
) -> None:
    street = web_street
    case = signed_for(street)
    street.do(
        name_substitute, street.person["fixer2"], street.person["close"],
        end=street.at + timedelta(days=2), reason="休假", by=street.by("fixer2"),
    )  # fmt: skip
    street.later(minutes=1)
    told = dict(advice(signed_in("dispatch").text(f"/cases/{case}/tasks/rectify%231")))
    assert "代fixer2演示到 3月4日" in told["澜安物业（演示）·close演示（工程员）"]
    assert "前不在岗，由close演示代" in told["澜安物业（演示）·fixer2演示（工程员）"]


def test_how_it_went_before_is_told_to_who_oversees_and_not_to_a_colleague(
    signed_in: Enter, web_street: Street
) -> None:
    street = web_street
    rectified(street)
    case = signed_for(street)
    street.do(grant_post, street.person["close"], "u-property", "工程员", ["rectify"],
              reason="兼任", by=street.by("admin"))  # fmt: skip
    street.later(minutes=1)
    street.do(delegate_task, case, "rectify#1", street.person["fixer2"], "换人",
              by=street.by("fixer"))  # fmt: skip
    overseen = advice(signed_in("watch").text(f"/cases/{case}").partition('id="acts"')[2])
    assert (
        "澜安物业（演示）·fixer演示（工程主管）",
        "本单位近 90 天在本社区办过 2 件，手上没有事，同类 2 件都按时。",
    ) in overseen
    told = advice(signed_in("fixer2").text(f"/cases/{case}/tasks/rectify%231"))
    assert [why for _, why in told] == ["本单位近 90 天在本社区办过 2 件，手上没有事。"] * 2


def test_a_program_is_told_the_same_suggestion(app: Flask, web_street: Street) -> None:
    case = confirmed(web_street)
    step = program(app, web_street, "dispatch").read(f"/cases/{case}/tasks/assign%231")
    units = step["form"]["choices"]["unit"]
    first = [one for one in units if one["suggested"] == 1]
    assert [one["id"] for one in first] == ["u-tingtao"]
    assert first[0]["why"].startswith("管听涛社区")
    assert [one["why"] for one in units if one["suggested"] is None] == [""] * (len(units) - 3)
    case = signed_for(web_street)
    step = program(app, web_street, "watch").read(f"/cases/{case}/tasks/rectify%231")
    acts = {act["act"]: act["choices"] for act in step["acts"]}
    assert {one["id"] for one in acts["reassignment"]} == {web_street.person["fixer2"]}
