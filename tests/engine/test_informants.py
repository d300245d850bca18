"""代录: a colleague says it, somebody else types it, and both are on the record."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from audit import log
from audit.reports.case import case_record, plain
from audit.reports.conduct import TYPED, Conduct
from audit.vocabulary import check
from engine.acts import act_table
from engine.cases import Place, Separated
from engine.casework import look
from engine.conduct import Wanted, read_conduct
from engine.definitions import parse, read_folder
from engine.disavowals import AlreadyDisavowed, NotYourWord, deniable, disavow
from engine.forms import FormRefused
from engine.informants import (
    NoColleague,
    NotOnWord,
    NotTheirs,
    NotYourColleague,
    OwnWord,
    check_drawn,
    colleagues,
)
from engine.news import waiting
from engine.notices import told as notices_of
from engine.people import (
    create_unit,
    directory,
    end_post,
    grant_post,
    name_substitute,
    register_person,
)
from engine.reasons import NoReason
from engine.rights import NotYoursToSee, participants
from tests.conftest import NOON, ROOT, Street
from tests.engine.light_street import ITEM, STEPS, Light, light

HAZARD: dict[str, Any] = {**ITEM, "proxy": True, "spoken_by": "colleague"}


@pytest.fixture
def s(street: Street) -> Iterator[Light]:
    yield light(street)
    street.check()


def told(s: Light, by: str, informant: str, **more: Any) -> Light:
    """A hazard that a colleague found and somebody else types."""
    form = HAZARD | {"informant": s.street.person[informant]}
    case = s.street.report(
        "hazard", by, place=Place("u-grid-1", ITEM["address"]), form=form, source="proxy",
        spoken_by="colleague", **more,
    )  # fmt: skip
    return Light(s.street, case)


def walked(patrol: Light, by: str, informant: str, **form: Any) -> Light:
    """A patrol done by a colleague, typed by somebody else."""
    who = patrol.street.person.get(informant, informant)
    answers = {name: one for name, one in {**STEPS["walk"][1], **form}.items() if one is not None}
    patrol.street.later(minutes=1)
    patrol.street.complete(patrol.case, patrol.task("walk").key, by, answers, informant=who)
    patrol.street.deliver()
    return patrol


# --- a report -------------------------------------------------------------------------------------


def test_a_report_on_a_colleagues_word_names_both_and_gives_no_right_away(s: Light) -> None:
    case = told(s, "head", "walker")
    actor = case.all("case.opened")[0].actor
    person = s.street.person
    assert (actor["person"], actor["unit"]) == (person["head"], "u-tingtao")
    assert actor["informant"]["person"] == person["walker"]
    assert actor["informant"]["unit"] == "u-grid-1"
    assert case.all("case.opened")[0].data["spoken_by"] == "colleague"


def test_neither_who_said_it_nor_who_typed_it_confirms_the_report(s: Light) -> None:
    case = told(s, "head", "walker2")
    for name in ("head", "walker2"):
        with pytest.raises(Separated, match="上报"):
            s.street.complete(case.case, case.task("confirm").key, name, {"verdict": "hazard"})
    assert {s.street.person["head"], s.street.person["walker2"]} <= participants(case.state)


def test_the_colleague_is_the_reporter_and_their_unit_the_opener(s: Light) -> None:
    state = told(s, "head", "walker").state
    assert state.last["report"].person == s.street.person["walker"]
    assert state.variables["case"]["opener"] == "u-grid-1"


def test_an_act_on_a_colleagues_word_is_found_under_both_names(s: Light) -> None:
    case = told(s, "head", "walker")
    asked = select(act_table.c.person, act_table.c.on_behalf_of).where(
        act_table.c.case == case.case
    )
    with s.street.database.begin() as conn:
        assert conn.execute(asked).all() == [(s.street.person["head"], s.street.person["walker"])]


def test_nobody_types_for_themselves_for_strangers_or_for_nobody(s: Light) -> None:
    with pytest.raises(OwnWord):
        told(s, "head", "head")
    with pytest.raises(NotYourColleague, match="other"):
        told(s, "head", "other")
    with pytest.raises(NotYourColleague):
        told(s, "walker", "head")  # downwards only: not for one's superiors
    s.street.person["nobody"] = "p-9999"
    with pytest.raises(FormRefused, match="没有岗位"):
        told(s, "head", "nobody")
    with pytest.raises(NoColleague):
        patrol_told(s, "head", "nobody")


def patrol_told(s: Light, by: str, informant: str) -> str:
    form = {"title": "楼道", "category": "patrol_daily", "address": "听涛苑"}
    return s.street.report(
        "patrol", by, place=Place("u-grid-1", "听涛苑"), form=form, source="proxy",
        informant=s.street.person[informant],
    )  # fmt: skip


def test_a_colleague_who_left_says_nothing_any_more(s: Light) -> None:
    with s.street.database.begin() as conn:
        (post,) = directory(conn).posts_of(s.street.person["walker"], s.street.at)
        end_post(conn, post.id, reason="离任", by=None, at=s.street.at)
    s.street.later(minutes=1)
    with pytest.raises(FormRefused, match="没有岗位"):
        told(s, "head", "walker")
    with pytest.raises(NoColleague):
        patrol_told(s, "head", "walker")


def test_only_what_is_drawn_so_is_opened_on_a_colleagues_word(s: Light) -> None:
    with pytest.raises(NotOnWord):
        s.street.report(
            "patrol_plan", "head", place=Place("u-grid-1", "听涛苑"),
            form={"title": "楼道", "category": "patrol_daily", "address": "听涛苑",
                  "interval": "EVERY_DAY"},
            informant=s.street.person["walker"],
        )  # fmt: skip


def test_a_case_takes_the_duty_of_whoever_says_it_not_of_whoever_types(s: Light) -> None:
    with pytest.raises(NotTheirs, match="grid"):
        patrol_told(s, "walker2", "grid")
    case = patrol_told(s, "head", "walker")
    assert s.street.entries(case)[0].actor["person"] == s.street.person["head"]


def test_only_what_may_be_said_for_others_bears_an_informant(s: Light) -> None:
    opened = told(s, "head", "walker").all("case.opened")[0]
    assert check(opened) is None
    urged = replace(opened, type="case.urged", data={"text": "请尽快"}, evidence=())
    assert "word" in str(check(urged))
    nobody = {**opened.actor, "informant": {"person": "p-1"}}
    assert "informant" in str(check(replace(opened, actor=nobody)))


# --- a step ---------------------------------------------------------------------------------------


def test_a_nil_report_on_a_colleagues_word_is_theirs_and_says_who_typed_it(s: Light) -> None:
    (patrol,) = s.begin("patrol_plan", patroller="walker").children
    walked(patrol, "head", "walker")
    assert patrol.ended == "nil_report"
    (done,) = patrol.all("task.completed")
    assert done.actor["person"] == s.street.person["head"]
    assert done.actor["informant"]["person"] == s.street.person["walker"]
    assert patrol.state.last["walk"].person == s.street.person["walker"]


def test_a_free_step_is_claimed_for_the_colleague(s: Light) -> None:
    patrol = walked(s.begin("patrol", patroller=None), "head", "walker", result="found", count=1)
    (claimed,) = patrol.all("task.claimed")
    assert claimed.actor["informant"]["person"] == s.street.person["walker"]
    # What follows is the colleague's, and so is the hazard that comes of it.
    assert patrol.holder("record_item") == "walker"
    s.street.complete(patrol.case, patrol.task("record_item").key, "head", ITEM,
                      informant=s.street.person["walker"])  # fmt: skip
    s.street.deliver()
    (hazard,) = patrol.children
    assert hazard.all("case.opened")[0].actor["informant"]["person"] == s.street.person["walker"]
    with pytest.raises(Separated):
        s.street.complete(hazard.case, hazard.task("confirm").key, "head",
                          {"verdict": "hazard"})  # fmt: skip


def test_a_record_of_duties_credits_who_did_it_and_counts_what_was_typed(s: Light) -> None:
    (patrol,) = s.begin("patrol_plan", patroller="walker").children
    walked(patrol, "head", "walker")
    did, typed = (conduct_of(s, name) for name in ("walker", "head"))
    assert [one.line.task for one in did.kept] == ["walk#1"]
    assert did.kept[0].line.who.person == s.street.person["head"]
    assert TYPED not in did.acts
    assert (typed.kept, typed.untimed) == ((), ())
    assert typed.acts == {TYPED: 1}
    (count,) = conduct_of(s, unit="u-tingtao").units
    assert (count.unit, count.kept) == ("u-grid-1", 1)


def conduct_of(s: Light, name: str = "", unit: str = "") -> Conduct:
    kind, id_ = ("person", s.street.person[name]) if name else ("unit", unit)
    wanted = Wanted(kind, id_, NOON - timedelta(days=1), NOON + timedelta(days=9))
    with s.street.database.begin() as conn:
        told, _ = read_conduct(conn, wanted, by=s.street.by("watch"), at=s.street.at)
    return told


def test_the_table_of_a_case_separates_both_from_what_comes_after(s: Light) -> None:
    case = told(s, "head", "walker")
    record = case_record(s.street.entries(case.case), {})
    assert record.reporter.doer.person == s.street.person["walker"]
    assert record.separation.persons == 2
    assert plain(record.reporter)["informant"]["unit"] == "u-grid-1"
    own = case_record(s.street.entries(s.street.report("hazard", form=ITEM)), {})
    assert "informant" not in plain(own.reporter)  # digests of earlier records stay as they are


def test_what_somebody_else_holds_is_not_typed_for_a_colleague(s: Light) -> None:
    (patrol,) = s.begin("patrol_plan", patroller="walker").children
    with pytest.raises(NotTheirs, match="walker2"):
        walked(patrol, "head", "walker2")
    with pytest.raises(NotTheirs, match="grid"):
        walked(patrol, "head", "grid")  # who has not the duty either


def test_a_step_is_typed_by_a_colleague_nearby_and_by_nobody_else(s: Light) -> None:
    (patrol,) = s.begin("patrol_plan", patroller="walker").children
    with pytest.raises(OwnWord):
        walked(patrol, "walker", "walker")
    with pytest.raises(NoColleague):
        walked(patrol, "head", "p-9999")
    with pytest.raises(NotYoursToSee):
        walked(patrol, "other", "walker")


def test_whoever_sees_a_step_from_elsewhere_does_not_type_it(s: Light) -> None:
    with s.street.database.begin() as conn:
        at = s.street.at
        create_unit(conn, "u-office", "department", "平安办", parent="u-street", by=None, at=at)
        who = s.street.person["officer"] = register_person(conn, "officer演示", by=None, at=at)
        grant_post(conn, who, "u-office", "平安办", ["supervise"], reason="到任", by=None,
                   at=at)  # fmt: skip
    (patrol,) = s.begin("patrol_plan", patroller="walker").children
    with pytest.raises(NotYourColleague):
        walked(patrol, "officer", "walker")


def test_a_step_not_drawn_so_is_done_in_person(s: Light) -> None:
    patrol = s.begin("patrol_plan", patroller="walker").children[0]
    patrol.wait(days=2)
    with pytest.raises(NotOnWord):
        s.street.complete(patrol.case, patrol.task("explain_missed").key, "head",
                          {"reason": "抽去防汛", "arranged": "补巡"},
                          informant=s.street.person["walker2"])  # fmt: skip


def test_a_substitute_says_nothing_for_the_absent_that_somebody_else_types(s: Light) -> None:
    (patrol,) = s.begin("patrol_plan", patroller="walker").children
    with s.street.database.begin() as conn:
        name_substitute(
            conn, s.street.person["walker"], s.street.person["walker2"], reason="休假", by=None,
            at=s.street.at, end=s.street.at + timedelta(days=3),
        )  # fmt: skip
    with pytest.raises(NotTheirs):
        walked(patrol, "head", "walker2")


def test_whom_one_may_type_for_is_who_sits_in_ones_unit_or_below(s: Light) -> None:
    with s.street.database.begin() as conn:
        people = directory(conn)
    found = {one.person for one in colleagues(people, s.street.by("head"), s.street.at)}
    names = {name for name, person in s.street.person.items() if person in found}
    assert {"walker", "walker2", "grid", "head2", "warden"} <= names
    assert not names & {"head", "other", "warden2", "review", "fixer"}


@pytest.mark.parametrize("process", ["hotline", "opinion", "consultation"])
def test_nothing_of_a_complaint_or_an_opinion_is_typed_on_somebodys_word(process: str) -> None:
    definition = parse(read_folder(ROOT / "workflows" / process))
    with pytest.raises(NotOnWord):
        check_drawn(definition)
    for step in definition.tasks.values():
        with pytest.raises(NotOnWord):
            check_drawn(definition, step)
        with pytest.raises(NotOnWord):
            check_drawn(replace(definition, properties={"confidential": "true"}),
                        replace(step, proxy=True))  # fmt: skip


# --- denied ---------------------------------------------------------------------------------------


def test_whoever_is_said_to_have_said_it_may_deny_it_and_both_stay_on_the_record(s: Light) -> None:
    case = told(s, "head", "walker")
    s.street.later(minutes=5)
    case.act(disavow, 1, "当天没有上班", by="walker")
    denied = case.all("word.disavowed")[0]
    assert denied.data == {"entry": 1, "reason": "当天没有上班"}
    assert denied.actor["person"] == s.street.person["walker"]
    assert case.open == ["confirm"]  # nothing moved
    assert deniable(s.street.entries(case.case), s.street.person["walker"]) == []
    with pytest.raises(AlreadyDisavowed):
        case.act(disavow, 1, "再说一遍", by="walker")
    assert conduct_of(s, "walker").acts == {"word.disavowed": 1}


def test_nobody_denies_what_was_not_typed_as_their_word(s: Light) -> None:
    case = told(s, "head", "walker")
    for name, entry in (("head", 1), ("walker", 2), ("walker2", 1)):
        with pytest.raises(NotYourWord):
            case.act(disavow, entry, "不是", by=name)
    with pytest.raises(NotYoursToSee):
        case.act(disavow, 1, "不是", by="other")
    with pytest.raises(NoReason):
        case.act(disavow, 1, " ", by="walker")


def test_both_hear_of_it_whose_word_was_typed_and_who_typed_what_is_denied(s: Light) -> None:
    case = told(s, "head", "walker")
    person = s.street.person
    assert ("typed", person["walker"]) in heard(case)
    assert ("typed", person["head"]) not in heard(case)
    case.act(disavow, 1, "当天没有上班", by="walker")
    assert ("disavowed", person["head"]) in heard(case)


def heard(case: Light) -> set[tuple[str, str]]:
    with case.street.database.begin() as conn:
        assert case.case in waiting(conn)
        desk, record = look(conn, case.case, case.street.at), log.read(conn, case.case)
    return {(one.kind, one.person) for one in notices_of(desk, record, 1, lambda *_: False)}
