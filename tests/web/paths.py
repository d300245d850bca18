"""A hazard played through its steps, so that a test can begin where it wants to."""

from typing import Any

from engine.evidence import Evidence
from tests.conftest import Street, photo

REPORT = {
    "title": "车棚飞线充电",
    "category": "charging",
    "address": "听涛苑 3 幢",
    "description": "有人从楼上拉线充电",
}
CONFIRMED = {
    "verdict": "hazard",
    "level": "general",
    "danger_now": False,
    "object": "3 幢北侧车棚",
    "reason": "现场看到 6 处飞线",
}


def reported(street: Street, **more: Any) -> str:
    return street.report("hazard", form=REPORT, **({"category": "charging"} | more))


def confirmed(street: Street, **more: Any) -> str:
    case = reported(street, **more)
    street.later(minutes=22)
    street.complete(case, "confirm#1", "head", CONFIRMED)
    return case


def assigned(street: Street, **more: Any) -> str:
    case = confirmed(street, **more)
    street.later(minutes=30)
    person = street.person
    street.complete(
        case,
        "assign#1",
        "dispatch",
        {
            "unit": "u-property",
            "person": person["fixer"],
            "acceptor": person["accept"],
            "term": "graded",
            "legal_basis": "充电停放规定",
        },
    )
    return case


def signed_for(street: Street, **more: Any) -> str:
    case = assigned(street, **more)
    street.later(minutes=10)
    street.complete(case, "sign_in#1", "fixer", {"in_charge": "工程主管"})
    return case


def rectified(street: Street, evidence: tuple[Evidence, ...] = (), **more: Any) -> str:
    case = signed_for(street, **more)
    street.later(hours=3)
    done = {"done": "拆除 6 处飞线", "done_at": "2026-03-02T03:00:00Z"}
    photos = evidence or (photo("before"), photo("after"))
    street.complete(case, "rectify#1", "fixer", done, evidence=photos)
    return case


def accepted(street: Street, **more: Any) -> str:
    case = rectified(street, **more)
    street.later(hours=1)
    passed = {
        "visited_at": "2026-03-02T05:00:00Z",
        "checks": ["visited", "gone"],
        "result": "pass",
    }
    street.complete(case, "accept#1", "accept", passed, evidence=(photo("site"),))
    return case


def closed(street: Street, **more: Any) -> str:
    case = accepted(street, **more)
    street.later(hours=1)
    street.complete(
        case, "close#1", "close", {"verified": ["report", "acceptance"], "summary": "已整改"}
    )
    return case
