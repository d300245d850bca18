"""Accidents through commands: verified, reported up, reviewed, determined, counted."""

from collections.abc import Iterator

import pytest

from engine.cases import NotYourTask, Separated
from engine.people import grant_post
from engine.turns import NotDrawn, reopen, return_task
from tests.conftest import Street
from tests.engine.light_street import AT, ITEM, Light, light
from tests.engine.metrics_compared import compared


@pytest.fixture
def s(street: Street) -> Iterator[Light]:
    yield light(street)
    street.check()


def reviewed(s: Light) -> Light:
    return s.begin("accident").do("verify").do("report_up").do("review")


def test_an_accident_takes_four_people_and_ends_when_nobody_objects(s: Light) -> None:
    case = s.begin("accident")
    assert case.deadline("verify") == "H2"
    case.do("verify").do("report_up").do("review")
    assert case.open == ["determine"]
    case.do("determine")
    assert (case.open, case.ended) == ([], None)
    case.wait(days=9)
    assert case.ended is None
    case.wait(days=2)
    assert case.ended == "closed"
    assert compared(s.street, "accidents") == (1, 1)


def test_what_is_found_to_be_none_ends_and_counts_nowhere(s: Light) -> None:
    case = s.begin("accident").do("verify", verdict="none", level=None, injured=None, dead=None)
    assert case.ended == "no_accident"
    assert compared(s.street, "accidents") == (0, 0)


def test_nobody_judges_what_they_did_themselves(s: Light) -> None:
    all_ = ["dispatch", "review", "approve"]
    with s.street.database.begin() as conn:
        for name in ("head", "lawyer", "dispatch"):
            grant_post(conn, s.street.person[name], "u-street", "兼职", all_, reason="兼",
                       by=None, at=s.street.at)  # fmt: skip
    case = s.begin("accident")
    with pytest.raises(Separated):
        case.do("verify", by="head")
    case.do("verify").do("report_up")
    for name in ("head", "dispatch"):
        with pytest.raises(Separated):
            case.do("review", by=name)
    case.do("review")
    for name in ("head", "dispatch", "lawyer"):
        with pytest.raises(Separated):
            case.do("determine", by=name)
    case.do("determine")


def test_only_the_streets_leader_determines(s: Light) -> None:
    with pytest.raises(NotYourTask):
        reviewed(s).do("determine", by="head")


def test_each_lesson_becomes_a_hazard_discovered_when_it_happened(s: Light) -> None:
    case = s.begin("accident").do("verify").do("report_up").do("review", count=1)
    (hazard,) = case.do("record_action").children
    form = hazard.all("case.opened")[0].data["form"]
    assert form == {**ITEM, "title": "疏散门打不开", "discovered_at": AT}
    assert case.open == ["determine"]


def test_a_review_that_is_unclear_is_sent_back(s: Light) -> None:
    case = reviewed(s)
    case.act(return_task, case.task("determine").key, "没有写事前知道什么", by="mayor")
    assert case.open == ["review"]
    assert case.do("review").open == ["determine"]


def test_a_determination_that_does_not_hold_is_taken_up_again_and_the_last_one_counts(
    s: Light,
) -> None:
    case = reviewed(s).do("determine")
    case.act(reopen, "车棚归物业管", by="watch")
    assert case.open == ["review"]
    case.do("review").do("determine", answerable="not_answerable", reason="归物业")
    case.wait(days=11)
    assert case.ended == "closed"
    assert compared(s.street, "accidents") == (1, 1)
    with pytest.raises(NotDrawn):
        case.act(reopen, "再看一次", by="watch")
