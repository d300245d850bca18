"""Patrols, directives and drills on the test street: their people, and an answer to every step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from audit.entries import Entry
from engine import outbox
from engine.cases import Place
from engine.casework import read_case
from engine.definition_sets import deploy
from engine.definitions import read_folder
from engine.people import grant_post, register_person
from engine.state import CaseState, OpenTask
from engine.timekeeping import ring
from tests.conftest import NOON, ROOT, Street, photo

PROCESSES = ("hazard", "patrol_plan", "patrol", "directive", "directive_receipt", "drill",
             "accident")  # fmt: skip
PEOPLE = {
    "walker": ("u-grid-1", "巡查员", ["patrol"]),
    "walker2": ("u-tingtao", "社区巡查员", ["patrol", "confirm"]),
    "director": ("u-street", "街道主任", ["direct"]),
    "director2": ("u-street", "街道副主任", ["direct", "review"]),
    "lawyer": ("u-street", "司法所", ["review"]),
    "warden": ("u-tingtao", "社区书记", ["receive", "confirm"]),
    "warden2": ("u-other", "社区书记", ["receive"]),
    "warden3": ("u-grid-1", "一般网格员", ["receive"]),
    "mayor": ("u-street", "街道主要领导", ["approve"]),
}
AT = "2026-03-02T09:20:00+08:00"
ITEM = {"title": "楼道堆旧家具", "category": "corridor", "address": "听涛苑 2 幢 1 单元",
        "description": "二层平台堆满，走不了人"}  # fmt: skip

# Who does a step unless a test says otherwise, and what they answer.
STEPS: dict[str, tuple[str, dict[str, Any]]] = {
    "walk": ("walker", {"walked_at": AT, "checked": ["corridor", "charging"], "result": "nil"}),
    "record_item": ("walker", ITEM),
    "recheck": (
        "other",
        {
            "visited_at": AT,
            "looked_again": ["corridor"],
            "result": "same",
            "findings": "与所报一致",
        },
    ),
    "record_missed": ("other", ITEM),
    "explain_missed": ("head", {"reason": "巡查员抽去防汛", "arranged": "当天下午补巡"}),
    "excuse": ("head", {"decision": "drop", "reason": "台风红色预警"}),
    "legality": ("lawyer", {"opinion": "lawful", "reason": "依据有效，权限相符"}),
    "read": ("warden", {}),
    "execute": ("warden", {"result": "done", "done": "已逐户通知"}),
    "press": ("mayor", {"reached": "yes", "remark": "电话联系"}),
    "conduct": ("head", {"held_at": AT, "participants": 42, "course": "6 分钟全部到位"}),
    "record_action": ("lawyer", {**ITEM, "title": "疏散门打不开"}),
    "verify": (
        "dispatch",
        {
            "verdict": "accident",
            "level": "general",
            "injured": 1,
            "dead": 0,
            "findings": "车棚烧了 6 平方米",
        },
    ),
    "report_up": ("dispatch", {"body": "区应急局", "reported_at": AT, "how": "telephone"}),
    "determine": (
        "mayor",
        {"answerable": "answerable", "basis": "职责清单", "reason": "巡查没有看"},
    ),
}
REVIEWS: dict[str, tuple[str, dict[str, Any]]] = {
    "directive": ("director", {"carried_out": "all", "summary": "都已落实"}),
    "accident": ("lawyer", {"cause": "飞线充电", "known": "三周前有人报过", "handled": "七分钟扑灭",
                 "lessons": "车棚要天天看", "count": 0}),
    "drill": ("lawyer", {"went_well": "到位快", "went_wrong": "一扇门打不开", "lessons": "门要常查",
              "count": 0}),
}  # fmt: skip
OPENINGS: dict[str, tuple[str, str, dict[str, Any]]] = {
    # process: (who, where, answers)
    "patrol_plan": ("walker", "u-grid-1", {"title": "楼道和车棚", "category": "patrol_daily",
                    "address": "听涛苑", "interval": "EVERY_DAY"}),
    "patrol": ("walker", "u-grid-1", {"title": "楼道和车棚", "category": "patrol_daily",
               "address": "听涛苑"}),
    "directive": ("director", "u-street", {"title": "防汛备勤", "category": "directive_order",
                  "level": "important", "text": "今晚值守，六时前报到岗", "legal_basis": "防汛预案",
                  "needs_execution": True}),
    "accident": ("head", "u-grid-1", {"title": "3 幢车棚起火", "category": "accident_fire",
                 "address": "听涛苑 3 幢", "happened_at": AT, "description": "充电时起火",
                 "injured": 0, "dead": 0}),
    "drill": ("dispatch", "u-tingtao", {"title": "夜间疏散", "category": "drill_evacuation",
              "address": "听涛苑", "scenario": "3 幢车棚起火", "takes_part": "居民 40 人",
              "within": "DRILL15"}),
}  # fmt: skip


@dataclass
class Light:
    """One case and what it opens, acted step by step; messages are delivered after every act."""

    street: Street
    case: str = ""

    def begin(self, process: str, by: str | None = None, **form: Any) -> "Light":
        """Open a case; returns it. Persons in the form are given by name."""
        who, where, usual = OPENINGS[process]
        answers = self._persons({**usual, **form})
        self.street.later(minutes=1)
        case = self.street.report(
            process, by or who, place=Place(where, answers.get("address", "全街道")), form=answers,
            category=answers["category"], title=answers["title"],
        )  # fmt: skip
        self.street.deliver()
        return Light(self.street, case)

    def do(self, element: str, by: str | None = None, **form: Any) -> "Light":
        """Complete the open step of this element, with its usual answer but for what is said.

        If the lot falls on a patrol then, another community looks again and agrees.
        """
        self.only(element, by, **form)
        return self.only("recheck") if self.drawn else self

    @property
    def drawn(self) -> bool:
        """Whether the lot fell on it and nobody has looked again yet."""
        return "recheck" in self.open

    def only(self, element: str, by: str | None = None, **form: Any) -> "Light":
        """Complete the open step of this element, and nothing beside."""
        process = self.state.process
        who, usual = REVIEWS[process] if element == "review" else STEPS[element]
        answers = {name: v for name, v in {**usual, **form}.items() if v is not None}
        self.street.later(minutes=1)
        evidence = [photo("site")] if element == "recheck" else []
        self.street.complete(self.case, self.task(element).key, by or who, answers,
                             evidence=evidence)  # fmt: skip
        self.street.deliver()
        return self

    def act(self, command: Any, *args: Any, by: str, **more: Any) -> "Light":
        """Run a command on the case."""
        self.street.later(minutes=1)
        self.street.do(command, self.case, *args, by=self.street.by(by), **more)
        self.street.deliver()
        return self

    def wait(self, **delta: float) -> int:
        """Let time pass and the worker look; returns how many alarms it recorded."""
        self.street.later(**delta)
        rung: int = self.street.do(ring, self.case)
        self.street.deliver()
        return rung

    def _persons(self, answers: dict[str, Any]) -> dict[str, Any]:
        known = self.street.person
        if answers.get("patroller"):
            answers["patroller"] = known[answers["patroller"]]
        if answers.get("audience"):
            answers["audience"] = [known[name] for name in answers["audience"]]
        return answers

    # --- looking ----------------------------------------------------------------------------------

    @property
    def state(self) -> CaseState:
        with self.street.database.begin() as conn:
            return read_case(conn, self.case)

    def task(self, element: str) -> OpenTask:
        found = [task for task in self.state.tasks.values() if task.element == element]
        assert found, f"{element} is not open: {self.open}"
        return found[-1]

    @property
    def open(self) -> list[str]:
        """The elements of the open steps, sorted."""
        return sorted(task.element for task in self.state.tasks.values())

    @property
    def ended(self) -> str | None:
        return self.state.ended

    @property
    def children(self) -> list["Light"]:
        """The cases this one opened, in order."""
        with self.street.database.begin() as conn:
            found = outbox.children_of(conn, [self.case])
        return [Light(self.street, child) for _, _, child in found]

    def child(self, party: str) -> "Light":
        """The newest case opened for a person."""
        person = self.street.person[party]
        return next(c for c in reversed(self.children) if c.state.opened.get("party") == person)

    def number(self, child: "Light") -> int:
        """The number of the message that opened a child."""
        with self.street.database.begin() as conn:
            found = outbox.children_of(conn, [self.case])
        return next(seq for _, seq, case in found if case == child.case)

    def all(self, type_: str) -> list[Entry]:
        return [entry for entry in self.street.entries(self.case) if entry.type == type_]

    def holder(self, element: str) -> str | None:
        """The name of whoever holds the open step."""
        names = {person: name for name, person in self.street.person.items()}
        held = self.task(element).holder
        return names[held] if held else None

    def deadline(self, element: str) -> str:
        clock = self.task(element).clock
        assert clock
        return clock.deadline_class


def light(street: Street, processes: Sequence[str] = PROCESSES) -> Light:
    """Deploy the light case types on the street and register their people."""
    with street.database.begin() as conn:
        for process in processes:
            deploy(conn, read_folder(ROOT / "workflows" / process), by=None, at=NOON)
        for name, (unit, title, duties) in PEOPLE.items():
            person = street.person[name] = register_person(conn, f"{name}演示", by=None, at=NOON)
            grant_post(conn, person, unit, title, duties, reason="到任", by=None, at=NOON)
    return Light(street)
