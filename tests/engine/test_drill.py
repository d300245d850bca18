"""Drills through commands: every end, every boundary, every message."""

from collections.abc import Iterator

import pytest

from engine.cases import Separated
from engine.errors import NotAllowed
from engine.openers import NotTheOpener
from engine.people import grant_post
from engine.turns import NotDrawn, recall, return_task
from tests.conftest import Street
from tests.engine.light_street import AT, ITEM, Light, light


@pytest.fixture
def s(street: Street) -> Iterator[Light]:
    yield light(street)
    street.check()


def test_a_drill_is_announced_held_and_reviewed(s: Light) -> None:
    drill = s.begin("drill")
    assert drill.open == ["conduct"]
    assert drill.deadline("conduct") == "DRILL15"
    assert drill.do("conduct").open == ["review"]
    assert drill.do("review").ended == "closed"
    assert drill.children == []


@pytest.mark.parametrize("within", ["DRILL7", "DRILL30"])
def test_the_announcement_says_until_when(s: Light, within: str) -> None:
    assert s.begin("drill", within=within).deadline("conduct") == within


def test_each_action_of_the_review_becomes_a_hazard(s: Light) -> None:
    drill = s.begin("drill").do("conduct").do("review", count=2)
    assert drill.holder("record_action") == "lawyer"
    drill.do("record_action")
    assert drill.ended is None
    drill.do("record_action", title="应急灯不亮", category="fire_equipment")
    assert drill.ended == "closed"
    door, lamp = drill.children
    assert door.all("case.opened")[0].data["form"] == {
        **ITEM, "title": "疏散门打不开", "discovered_at": AT,
    }  # fmt: skip
    assert lamp.state.title == "应急灯不亮"
    assert door.open == lamp.open == ["confirm"]
    # The drill itself is over; what comes of its hazards is told to it all the same.
    assert drill.open == []


def test_a_wrong_number_is_sent_back_and_corrected(s: Light) -> None:
    drill = s.begin("drill").do("conduct").do("review", count=3).do("record_action")
    drill.act(return_task, drill.task("record_action").key, "只有一件", by="lawyer")
    assert drill.open == ["review"]
    assert drill.do("review", count=1).ended == "closed"
    assert len(drill.children) == 1


def test_whoever_held_the_drill_does_not_review_it(s: Light) -> None:
    s.street.do(grant_post, s.street.person["head"], "u-street", "复看岗", ["review"],
                reason="兼任", by=None)  # fmt: skip
    drill = s.begin("drill").do("conduct")
    with pytest.raises(Separated):
        drill.do("review", by="head")


def test_a_drill_is_called_off_by_whoever_may_announce_one_until_it_was_held(s: Light) -> None:
    with pytest.raises(NotAllowed, match="指派"):
        s.begin("drill", by="head")
    drill = s.begin("drill")
    with pytest.raises(NotTheOpener):
        drill.act(recall, "下雨", by="head")
    assert drill.act(recall, "台风", by="dispatch").ended == "called_off"
    held = s.begin("drill").do("conduct")
    with pytest.raises(NotDrawn):
        held.act(recall, "来不及了", by="dispatch")


def test_a_late_drill_stays_open_and_is_heard_of(s: Light) -> None:
    drill = s.begin("drill", within="DRILL7")
    drill.wait(days=9)
    assert drill.open == ["conduct"]
    assert [e.data["duty"] for e in drill.all("deadline.escalated")] == ["supervise"]
