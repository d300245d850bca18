"""What is still open on the last evening: some cases at every step, fresh, pressing and overdue."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from web.demo.arcs import BRISK, spot_of
from web.demo.chance import Chance
from web.demo.story import Report, Story, draw_matter, draw_place, draw_unit
from web.demo.town import Town, local

TINGTAO, TINGTAO_2 = "u-tingtao-g1-m1", "u-tingtao-g1-m2"


@dataclass(frozen=True, slots=True)
class Open:
    """A case that still stands at `stop` (elements or step keys). more: fields of its story."""

    stop: str
    at: datetime
    unit: str
    category: str
    reporter: str = ""
    danger: bool = False
    more: dict[str, Any] = field(default_factory=dict)
    paces: dict[str, int] = field(default_factory=dict)


def unfinished_stories(town: Town) -> Iterator[Story]:
    """The open cases of the last evening, 31 October 2026, 18:00, a Saturday."""
    for index, row in enumerate((*_BEFORE_RECTIFYING, *_RECTIFYING, *_AFTER_RECTIFYING)):
        yield _story(town, index, row)


def _story(town: Town, index: int, row: Open) -> Story:
    chance = Chance("open", index)
    spot = spot_of(town, row.unit)
    where, address = draw_place(chance, spot, row.category)
    report = Report(
        row.at,
        spot,
        where,
        address,
        row.category,
        draw_matter(chance, row.category, spot.setting),
        row.reporter or (f"micro {spot.unit}" if spot.grid else f"engineer {spot.firm}"),
        photo=row.danger or chance.happens(500),
        danger=row.danger,
        discovered=3 if row.danger else 15,
    )
    given: dict[str, Any] = {
        "unit": draw_unit(chance, spot, row.category),
        "acceptor": "accept 1",
        "doers": _CLAIMED_BY,
    }
    return Story(
        f"open|{index + 1:02d}",
        report,
        paces={**BRISK, "rectify": 12, **row.paces},
        stop=tuple(row.stop.split()),
        **(given | row.more),
    )


# Free steps that are claimed are claimed by the people who have accounts.
_CLAIMED_BY: Final = {
    "second_look": "review 1", "assign": "dispatch 1", "rule_objection": "leader 1",
    "approve_plan": "leader 1", "order": "leader 1", "ratify": "leader 1", "close": "close 1",
}  # fmt: skip


def _october(day: int, hour: int, minute: int = 0) -> datetime:
    return local(2026, 10, day, hour, minute)


LANAN: Final = {"unit": "u-lanan"}
# Thursday is the 29th, Friday the 30th: office time ends on Friday at 18:00.
_BEFORE_RECTIFYING: Final = (
    # 确认: overdue, pressing, fresh; danger reported minutes ago
    Open("confirm", _october(29, 9, 5), TINGTAO_2, "corridor", "deputy u-tingtao"),
    Open("confirm", _october(30, 9, 50), TINGTAO, "facility", "deputy u-tingtao"),
    Open("confirm", _october(31, 15, 10), TINGTAO, "road"),
    Open("confirm", _october(30, 9, 30), "u-tingtao-g2-m1", "fire_lane", "grid u-tingtao-g2"),
    Open("confirm", _october(30, 14, 20), "u-tingtao-g2-m2", "corridor", "grid u-tingtao-g2"),
    Open("confirm", _october(28, 16), "u-shangyu-g1-m1", "electricity", "grid u-shangyu-g1"),
    Open("confirm", _october(30, 16, 20), "u-shangyu-g1-m2", "road", "grid u-shangyu-g1"),
    Open("confirm", _october(29, 8, 50), "u-shangyu-g1-m1", "facility", "grid u-shangyu-g1"),
    Open("confirm", _october(30, 10, 5), "u-nanbu-g1-m1", "corridor"),
    Open("confirm", _october(31, 11, 20), "u-nanbu-g1-m2", "fire_lane"),
    Open("confirm", _october(31, 17, 42), "u-yanhe-g1-m1", "gas", danger=True),
    # 复看
    Open("second_look", _october(28, 14), "u-wanglan-g1-m1", "corridor",
         more={"verdict": "not_hazard"}),
    Open("second_look", _october(30, 15), "u-songping-g2-m1", "road",
         more={"verdict": "other_authority"}),
    Open("second_look", _october(30, 9, 10), "u-nanbu-g1-m2", "electricity",
         more={"level": "major"}),
    # 先期处置 and 复看 at once: it is happening now
    Open("first_response second_look", _october(31, 17, 38), "u-guanchao-g1-m2", "falling",
         danger=True, more={"level": "major"}, paces={"confirm": 200}),
    Open("ratify accept", _october(30, 19, 40), "u-changting-g1-m1", "gas", danger=True,
         paces={"confirm": 200, "rectify": 400}),
    # 指派
    Open("assign", _october(30, 14, 1), "u-yanhe-g2-m1", "charging"),
    Open("assign", _october(29, 14), "u-changting-g2-m2", "fire_equipment"),
    Open("assign", _october(30, 16, 45), "u-x-market", "food"),
    # 签收: overdue and escalated, pressing, fresh
    Open("sign_in", _october(30, 9), TINGTAO_2, "charging", more=LANAN),
    Open("sign_in", _october(30, 16, 10), TINGTAO, "fire_equipment", more=LANAN),
    Open("sign_in", _october(30, 16, 55), "u-songping-g1-m1", "falling"),
    # 裁定异议
    Open("rule_objection", _october(29, 16), "u-wanglan-g2-m1", "road",
         more={"objection": "rejected", "unit": "u-urban"}),
    Open("rule_objection", _october(26, 9), "u-nanbu-g2-m1", "facility",
         more={"objection": "upheld", "first_unit": "u-lanan"}),
    Open("sign_in_ordered", _october(30, 11, 30), "u-guanchao-g2-m1", "fire_lane",
         more={"objection": "rejected"}),
    # 方案
    Open("write_plan", _october(26, 8, 35), TINGTAO, "fire_equipment",
         more={**LANAN, "level": "major"}),
    Open("approve_plan", _october(27, 9, 20), "u-x-tower", "fire_equipment",
         more={"level": "major"}, paces={"write_plan": 300}),
    Open("publish_listing", _october(26, 10), "u-x-mall", "fire_lane",
         more={"level": "major"}),
)  # fmt: skip
_RECTIFYING: Final = (
    Open("rectify", _october(23, 8, 40), TINGTAO, "corridor", more=LANAN),
    Open("rectify", _october(30, 8, 40), TINGTAO_2, "electricity", more=LANAN),
    Open("rectify", _october(26, 8, 40), TINGTAO, "fire_lane", more={**LANAN, "term": "WD5"}),
    Open("rectify", _october(30, 13, 40), TINGTAO_2, "corridor", more=LANAN),
    Open("rectify", _october(26, 9, 10), TINGTAO_2, "facility",
         more={"unit": "u-tingtao", "term": "WD5"}),
    Open("rectify", _october(29, 9, 10), TINGTAO, "facility", more={"unit": "u-tingtao"}),
    Open("rectify", _october(31, 16), "u-yanhe-g1-m2", "gas", danger=True,
         more={"unit": "u-gas"}, paces={"confirm": 250, "assign": 70, "sign_in": 70}),
    Open("rectify", _october(19, 8, 40), "u-shangyu-g1-m1", "illegal_building"),
    # asked for more time; clock stopped; asked to stop it; on the standing list; under an order
    Open("rectify", _october(26, 8, 50), TINGTAO, "charging",
         more={**LANAN, "extension": "pending"}),
    Open("rectify", _october(26, 9, 30), TINGTAO_2, "charging",
         more={**LANAN, "pause": "granted"}),
    Open("rectify", _october(28, 9, 20), "u-songping-g1-m2", "fire_equipment",
         more={"pause": "pending"}),
    Open("rectify", _october(9, 9), "u-xiayu-g1-m1", "facility", more={"standing": True}),
    Open("rectify", _october(22, 9), TINGTAO, "fire_equipment",
         more={**LANAN, "supervised": True, "urged": True}),
    Open("rectify#2", _october(28, 8, 40), TINGTAO_2, "corridor", more={**LANAN, "rework": 1}),
    Open("rectify progress#2", _october(9, 8, 40), TINGTAO, "falling",
         more={**LANAN, "level": "major"}),
)  # fmt: skip
_AFTER_RECTIFYING: Final = (
    # 验收: overdue, pressing, fresh
    Open("accept", _october(26, 8, 40), "u-wanglan-g1-m2", "charging"),
    Open("accept", _october(28, 8, 50), "u-nanbu-g2-m2", "corridor"),
    Open("accept", _october(30, 11), "u-x-park", "electricity"),
    Open("second_accept", _october(9, 9, 30), "u-x-coldstore", "electricity",
         more={"level": "major", "acceptor": "accept 2", "second_acceptor": "accept 1"},
         paces={"rectify": 150, "write_plan": 80}),
    Open("order", _october(16, 9), "u-songping-g2-m2", "corridor", more={"rework": 3}),
    # 销号
    Open("close", _october(27, 8, 40), "u-changting-g1-m2", "charging"),
    Open("close", _october(29, 9, 10), "u-guanchao-g1-m1", "fire_lane"),
    Open("close", _october(30, 8, 40), "u-yanhe-g2-m2", "corridor"),
    # after closing: disputed, looked at again, reviewed, refuted
    Open("re_accept", _october(12, 9), "u-wanglan-g2-m2", "corridor",
         more={"disputes_result": "pass", "at": {"dispute": _october(20, 10)}}),
    Open("re_accept", _october(20, 9), "u-tingtao-g2-m1", "falling",
         more={"disputes_result": "fail", "at": {"dispute": _october(29, 16)}}),
    Open("reinspect", local(2026, 8, 24), "u-x-market", "fire_equipment",
         more={"level": "major", "at": {"close": local(2026, 9, 29, 10)}}, paces={"rectify": 150}),
    Open("closing_review", local(2026, 8, 17), "u-x-school", "falling",
         more={"level": "major", "at": {"close": local(2026, 9, 18, 10)}}, paces={"rectify": 150}),
    Open("review assign#2", _october(8, 9), "u-nanbu-g1-m1", "corridor",
         more={"reopened": True, "at": {"reopen": _october(30, 10)}}),
)  # fmt: skip
