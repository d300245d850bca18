"""Makes two-rounds.json: a hazard case of a made-up street, run through the real commands.

    python tests/golden/cases/make.py        (from the root of the checkout)

It is committed: tests of reports read the file, so that a change of the process does not change
what they are about. Run it again when the vocabulary changes, and look at the difference.
"""

import hashlib
import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from audit import log
from audit.bundle import write_bundle
from engine.calendar_versions import publish_calendar
from engine.cases import Place, Report, complete_task, open_case
from engine.database import open_database
from engine.definition_sets import deploy
from engine.definitions import parse, read_folder
from engine.evidence import Evidence
from engine.exports import element_facts, record_export
from engine.oversight import answer_supervision, supervise
from engine.people import (
    By,
    create_unit,
    directory,
    grant_post,
    name_substitute,
    register_person,
)
from engine.photos import Declared
from engine.schema import create_schema
from engine.timekeeping import (
    grant_extension,
    grant_pause,
    request_extension,
    request_pause,
    resume,
    ring,
)

ROOT = Path(__file__).parents[3]
HERE = ZoneInfo("Asia/Shanghai")
UNITS = [
    ("u-city", "city", "澜江市", None),
    ("u-district", "district", "南屿区", "u-city"),
    ("u-street", "street", "听澜街道", "u-district"),
    ("u-tingtao", "community", "听涛社区", "u-street"),
    ("u-yanhe", "community", "沿河社区", "u-street"),
    ("u-grid-3", "general_grid", "第三网格", "u-tingtao"),
    ("u-micro-12", "micro_grid", "第十二微网格", "u-grid-3"),
    ("u-lanan", "company", "澜安物业", "u-street"),
]
PEOPLE = {
    "周演示": ("u-micro-12", "微网格员", ["report"]),
    "王演示": ("u-tingtao", "一般网格长", ["confirm", "report"]),
    "李演示": ("u-street", "应急办", ["dispatch"]),
    "许演示": ("u-street", "应急办值班", ["report"]),
    "陈演示": ("u-lanan", "工程主管", ["rectify"]),
    "林演示": ("u-street", "验收岗", ["accept"]),
    "何演示": ("u-street", "平安办", ["close"]),
    "赵演示": ("u-street", "分管领导", ["approve"]),
    "郑演示": ("u-street", "督查", ["supervise"]),
    "孙演示": ("u-yanhe", "社区网格长", ["reinspect", "report"]),
}


def at(month: int, day: int, hour: int, minute: int, second: int = 0) -> datetime:
    return datetime(2025, month, day, hour, minute, second, tzinfo=HERE).astimezone(UTC)


START = at(1, 6, 9, 0)


class Street:
    """The made-up street, one transaction a command."""

    def __init__(self, database: Engine) -> None:
        self.database = database
        self.files = read_folder(ROOT / "workflows/hazard")
        self.person: dict[str, str] = {}
        create_schema(database)
        self.do(log.found, "log.tinglan.example")
        calendar = (ROOT / "workflows/calendar/cn.toml").read_bytes()
        self.do(publish_calendar, calendar, by=None, at=START)
        self.do(deploy, self.files, by=None, at=START)
        for unit, kind, name, parent in UNITS:
            self.do(create_unit, unit, kind, name, parent=parent, by=None, at=START)
        for name, (unit, title, duties) in PEOPLE.items():
            salt = hashlib.sha256(name.encode()).digest()  # the same file every time
            person = self.do(register_person, name, salt=salt, by=None, at=START)
            self.person[name] = person
            self.do(grant_post, person, unit, title, duties, reason="到任", by=None, at=START)

    def do(self, command: Any, *args: Any, **kwargs: Any) -> Any:
        with self.database.begin() as conn:
            return command(conn, *args, **kwargs)

    def by(self, name: str, on_behalf_of: str | None = None) -> By:
        return By(self.person[name], on_behalf_of=on_behalf_of and self.person[on_behalf_of])


def photo(purpose: str, name: str, media: str = "image/jpeg") -> Evidence:
    digest = hashlib.sha256(f"{purpose} {name}".encode()).hexdigest()
    size = 180_000 + int(digest[:5], 16)
    return Evidence(digest, size, media, purpose, name, Declared(), START)


def run(street: Street) -> str:
    person, do, by = street.person, street.do, street.by
    report = Report(
        "hazard",
        "charging",
        "听涛苑 3 幢电动车棚飞线充电",
        Place("u-micro-12", "听涛苑 3 幢北侧车棚"),
        {
            "title": "听涛苑 3 幢电动车棚飞线充电",
            "category": "charging",
            "address": "听涛苑 3 幢北侧车棚",
            "description": "三号楼车棚有人从楼上拉线充电，晚上最多。",
            "danger_now": False,
        },
        evidence=[photo("before", "1.jpg")],
        claimed_at=at(11, 20, 13, 20),
    )
    case: str = do(open_case, report, by=by("周演示"), at=at(11, 20, 13, 43, 12)).case

    def step(task: str, name: str, when: datetime, form: dict[str, Any], **more: Any) -> None:
        do(complete_task, case, task, form, by=by(name), at=when, **more)

    step("confirm#1", "王演示", at(11, 20, 14, 5, 30), {
        "verdict": "hazard", "level": "general", "danger_now": False,
        "object": "3 幢北侧车棚，澜安物业管理", "proposed_unit": "u-lanan",
        "reason": "现场看到楼上拉下 7 根充电线，车棚里有 20 多辆车。",
    })  # fmt: skip
    step("assign#1", "李演示", at(11, 20, 15, 10, 2), {
        "unit": "u-lanan", "person": person["陈演示"], "acceptor": person["林演示"],
        "term": "graded", "legal_basis": "〔配置：本街道隐患处置办法〕",
        "interim_measures": "先断电，夜里安排人巡。",
    })  # fmt: skip
    for minute in (41, 59):
        do(ring, case, at=at(11, 20, 15, minute))
    do(ring, case, at=at(11, 20, 16, 11))
    step(
        "sign_in#1", "陈演示", at(11, 20, 16, 31, 20),
        {"in_charge": "本人", "planned_on": "2025-11-26"}, note="在地下车库，没有信号。",
    )  # fmt: skip
    do(ring, case, at=at(11, 24, 4, 35))
    do(
        request_extension, case, "rectify#1", days=3,
        reason="充电柜要从外地调货，最快 28 日到。",
        interim="拉线已全部断电，夜里 22 点加巡一次。",
        by=by("陈演示"), at=at(11, 25, 10, 5),
    )  # fmt: skip
    do(
        grant_extension, case, "rectify#1", "拉线已断，风险可控。",
        by=by("赵演示"), at=at(11, 25, 15, 40),
    )  # fmt: skip
    step(
        "rectify#1", "陈演示", at(11, 27, 16, 40),
        {"done": "拆除私拉电线 6 处，装智能充电柜 2 组。", "cost": 8600,
         "done_at": "2025-11-27T15:50:00+08:00"},
        evidence=[photo("before", "2.jpg"), photo("after", "3.jpg"), photo("after", "4.jpg")],
    )  # fmt: skip
    step(
        "accept#1", "林演示", at(11, 28, 9, 12, 40),
        {"visited_at": "2025-11-28T08:55:00+08:00", "checks": ["visited", "as_told"],
         "result": "fail", "left": "东侧仍有 1 处飞线，没有拆。"},
        evidence=[photo("site", "5.jpg")],
    )  # fmt: skip
    do(
        request_pause, case, "rectify#2", counterparty="区供电公司", resume_by=at(12, 3, 9, 0),
        reason="改线要先停电，供电公司排在 12月2日。", by=by("陈演示"), at=at(11, 28, 11, 20),
        evidence=(photo("call", "通话记录.pdf", "application/pdf"),),
    )  # fmt: skip
    do(
        name_substitute, person["李演示"], person["许演示"], end=at(11, 29, 18, 0),
        reason="出差", by=by("李演示"), at=at(11, 28, 12, 0),
    )  # fmt: skip
    do(
        grant_pause, case, "rectify#2", "有通话凭据。",
        by=by("许演示", "李演示"), at=at(11, 28, 14, 3),
    )  # fmt: skip
    order = do(
        supervise, case, "东侧飞线请在停电当天拆完，并报结果。",
        legal_basis="〔配置：督办依据〕", by=by("郑演示"), at=at(11, 29, 9, 30),
    )  # fmt: skip
    do(
        resume, case, "rectify#2", "供电公司已停电，开始改线。",
        by=by("陈演示"), at=at(12, 2, 8, 45),
    )  # fmt: skip
    do(
        answer_supervision, case, order.entries[0].seq, "今天停电，下午拆完，照片随整改提交。",
        by=by("陈演示"), at=at(12, 2, 9, 5),
    )  # fmt: skip
    step(
        "rectify#2", "陈演示", at(12, 2, 17, 20),
        {"done": "拆除余下 1 处飞线，补装线槽。", "done_at": "2025-12-02T16:10:00+08:00"},
        evidence=[photo("before", "6.jpg"), photo("after", "7.jpg")],
    )  # fmt: skip
    step(
        "accept#2", "林演示", at(12, 3, 10, 30),
        {"visited_at": "2025-12-03T10:00:00+08:00", "result": "pass",
         "checks": ["visited", "gone", "as_told", "no_new", "lasting"]},
        evidence=[photo("site", "8.jpg")],
    )  # fmt: skip
    step("close#1", "何演示", at(12, 3, 15, 5), {
        "verified": ["report", "acceptance", "separation", "interim"],
        "summary": "车棚飞线已全部拆除，装了充电柜，欢迎监督。",
    })  # fmt: skip
    with street.database.begin() as conn:
        head = log.read(conn, case)[-1].hash.hex()
    do(
        record_export, case, kind="case_report", sha256="a3" * 32, head=head,
        purpose="街道季度督查调阅", pages=5, by=by("郑演示"), at=at(12, 4, 9, 10),
    )  # fmt: skip
    return case


def told(value: Any) -> Any:
    """Element words as JSON."""
    if hasattr(value, "__slots__"):
        return {name: told(getattr(value, name)) for name in value.__slots__}
    if hasattr(value, "items"):
        return {key: told(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value


def make() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{folder}/sample.db")
        street = Street(database)
        case = run(street)
        with database.begin() as conn:
            entries = log.read(conn, case)
            posts = {key: post.title for key, post in directory(conn).posts.items()}
        database.dispose()
    bundle = write_bundle(entries[0].log, case, [entry.body for entry in entries])
    return {
        "persons": {person: name for name, person in street.person.items()},
        "units": {unit: name for unit, _, name, _ in UNITS},
        "posts": posts,
        "elements": told(element_facts(parse(street.files))),
        "bundle": json.loads(bundle),
    }


if __name__ == "__main__":
    text = json.dumps(make(), ensure_ascii=False, indent=1) + "\n"
    Path(__file__).with_name("two-rounds.json").write_text(text, encoding="utf-8")
