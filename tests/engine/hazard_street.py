"""The hazard process on the test street: its offices, people, and an answer to every step."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from audit.encoding import instant
from audit.entries import Entry
from engine.cases import Place
from engine.casework import Done, read_case
from engine.definition_sets import deploy
from engine.definitions import read_folder
from engine.evidence import Evidence
from engine.people import create_unit, grant_post, register_person
from engine.state import CaseState, OpenTask
from engine.timekeeping import ring
from engine.turns import dispute_result
from tests.conftest import NOON, ROOT, Street, photo

UNITS = [
    ("u-emergency", "department", "应急办", "u-street"),
    ("u-safety", "department", "平安办", "u-street"),
    ("u-acceptance", "department", "验收岗", "u-street"),
    ("u-heat", "company", "澜安供热（演示）", "u-street"),
    ("u-third", "community", "河东社区", "u-street"),
]
PEOPLE = {
    "reporter": ("u-grid-1", "一般网格员", ["report"]),
    "confirmer": ("u-tingtao", "社区网格长", ["confirm", "report"]),
    "confirmer2": ("u-tingtao", "社区副网格长", ["confirm"]),
    "looker": ("u-safety", "复看岗", ["review"]),
    "looker2": ("u-safety", "复看岗", ["review"]),
    "assigner": ("u-emergency", "应急办主任", ["dispatch"]),
    "assigner2": ("u-emergency", "应急办副主任", ["dispatch"]),
    "owner": ("u-property", "物业经理", ["rectify"]),
    "owner2": ("u-property", "工程主管", ["rectify"]),
    "heater": ("u-heat", "供热站长", ["rectify"]),
    "acceptor": ("u-acceptance", "验收员", ["accept"]),
    "acceptor2": ("u-acceptance", "验收员", ["accept"]),
    "acceptor3": ("u-acceptance", "验收员", ["accept"]),
    "closer": ("u-safety", "平安办主任", ["close"]),
    "closer2": ("u-safety", "平安办副主任", ["close"]),
    "chief": ("u-street", "街道主要领导", ["approve"]),
    "chief2": ("u-street", "街道分管领导", ["approve"]),
    "inspector": ("u-street", "督查专员", ["supervise"]),
    "visitor": ("u-other", "沿河社区网格长", ["reinspect", "confirm"]),
    "visitor2": ("u-third", "河东社区网格长", ["reinspect"]),
}
VISIT = "2026-03-02T09:30:00+08:00"
CHECKED = {"visited_at": VISIT, "checks": ["visited", "gone", "as_told"], "result": "pass"}

# Who does a step unless a test says otherwise, what they answer, and with what photos.
STEPS: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "confirm": ("confirmer", {"verdict": "hazard", "level": "general", "danger_now": False,
                "object": "3 幢车棚", "reason": "现场属实"}, ()),
    "second_look": ("looker", {"decision": "agree", "reason": "看过照片，同意"}, ()),
    "first_response": ("confirmer", {"action": "断电，劝离", "ordered_by": "社区网格长",
                       "people_moved": 3}, ()),
    "ratify": ("chief", {"decision": "ratified", "reason": "处置得当"}, ()),
    "assign": ("assigner", {"unit": "u-property", "person": "owner", "acceptor": "acceptor",
               "term": "graded", "legal_basis": "演示依据"}, ()),
    "sign_in": ("owner", {"in_charge": "工程主管"}, ()),
    "sign_in_ordered": ("owner", {"in_charge": "工程主管"}, ()),
    "rule_objection": ("chief", {"ruling": "rejected", "legal_basis": "物业合同第 3 条",
                       "reason": "车棚在物业服务范围内"}, ()),
    "write_plan": ("owner", {"measures": "拆除重做", "responsibility": "物业经理",
                   "funds": "维修资金", "time_limit": "MAJ30",
                   "contingency": "断电备用"}, ("doc",)),
    "approve_plan": ("chief", {"decision": "approve", "term": "MAJ30", "reason": "可行"}, ()),
    "publish_listing": ("assigner", {"published_on": "2026-03-03", "published_where": "街道公告栏",
                        "notice": "挂牌督办"}, ()),
    "rectify": ("owner", {"done": "拆除私拉电线 6 处", "done_at": VISIT}, ("before", "after")),
    "progress": ("owner", {"done": "拆了一半", "next": "拆另一半", "on_track": "yes",
                 "interim_measures": "每日巡查"}, ()),
    "accept": ("acceptor", CHECKED, ("site",)),
    "second_accept": ("acceptor2", CHECKED, ("site",)),
    "re_accept": ("acceptor3", CHECKED, ("site",)),
    "order": ("chief", {"order": "限期整改，挂牌督办", "change_unit": "keep",
              "legal_basis": "演示依据"}, ()),
    "close": ("closer", {"verified": ["report", "acceptance"], "summary": "已消除"}, ()),
    "reinspect": ("visitor", {"visited_at": VISIT, "result": "absent", "findings": "未见复发"},
                  ("site",)),
    "review": ("looker", {"cause": "只拆未管", "known": "销号前已有投诉", "lessons": "回访",
               "actions": "加装充电桩"}, ()),
    "closing_review": ("looker", {"cause": "线路老化", "known": "去年已报", "lessons": "早换",
                       "actions": "纳入改造"}, ()),
}  # fmt: skip
FAILED = {"result": "fail", "left": "东侧还有一处"}
ESCALATED = {"result": "escalate", "left": "第三次不合格"}


@dataclass
class Hazard:
    """A case of the hazard process and everybody around it, acted step by step."""

    street: Street
    case: str = ""
    told: dict[str, Any] = field(default_factory=dict)

    def report(self, by: str = "reporter", **form: Any) -> "Hazard":
        """Open a case; later steps work on it."""
        answers = {"title": "车棚飞线充电", "category": "charging", "address": "听涛苑 3 幢",
                   "description": "有人从楼上拉线充电", **form}  # fmt: skip
        place = Place("u-micro-1", "听涛苑 3 幢")
        category = answers["category"]
        self.case = self.street.report("hazard", by, place=place, form=answers, category=category)
        return self

    def do(self, element: str, by: str | None = None, **form: Any) -> "Hazard":
        """Complete the open step of this element, with its usual answer but for what is said."""
        who, usual, purposes = STEPS[element]
        answers = {**usual, **form}
        for name in ("person", "acceptor", "second_acceptor"):
            if answers.get(name):
                answers[name] = self.street.person[answers[name]]
        answers = {name: value for name, value in answers.items() if value is not None}
        evidence: list[Evidence] = [photo(purpose) for purpose in purposes]
        self.street.later(minutes=1)
        self.street.complete(
            self.case, self.task(element).key, by or who, answers, evidence=evidence
        )
        return self

    def act(self, command: Any, *args: Any, by: str, **more: Any) -> Done:
        """Run a command on the case."""
        self.street.later(minutes=1)
        done: Done = self.street.do(command, self.case, *args, by=self.street.by(by), **more)
        return done

    def act_at(self, at: datetime, command: Any, *args: Any, by: str, **more: Any) -> Done:
        """Run a command on the case at an instant, whatever the street's clock says."""
        done: Done = self.street.do(command, self.case, *args, by=self.street.by(by), at=at, **more)
        return done

    def dispute(self, by: str = "reporter", reason: str = "还在原处", **form: Any) -> "Hazard":
        self.act(dispute_result, {"reason": reason, **form}, by=by)
        return self

    def wait(self, **delta: float) -> int:
        """Let time pass and the worker look; returns how many alarms it recorded."""
        self.street.later(**delta)
        rung: int = self.street.do(ring, self.case)
        return rung

    # --- ways -------------------------------------------------------------------------------------

    def assigned(self, **assign: Any) -> "Hazard":
        """A general hazard, confirmed and assigned to the property company."""
        return self.report().do("confirm").do("assign", **assign)

    def rectified(self, **assign: Any) -> "Hazard":
        return self.assigned(**assign).do("sign_in").do("rectify")

    def closed(self, **assign: Any) -> "Hazard":
        return self.rectified(**assign).do("accept").do("close")

    def major(self) -> "Hazard":
        """A major hazard with its plan approved and published."""
        self.report().do("confirm", level="major").do("second_look")
        self.do("assign", second_acceptor="acceptor2").do("sign_in")
        return self.do("write_plan").do("approve_plan").do("publish_listing")

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
    def entries(self) -> list[Entry]:
        return self.street.entries(self.case)

    def last(self, type_: str) -> Entry:
        return next(entry for entry in reversed(self.entries) if entry.type == type_)

    def all(self, type_: str) -> list[Entry]:
        return [entry for entry in self.entries if entry.type == type_]

    def holder(self, element: str) -> str | None:
        """The name of whoever holds the open step."""
        names = {person: name for name, person in self.street.person.items()}
        held = self.task(element).holder
        return names[held] if held else None

    def due(self, element: str) -> Any:
        clock = self.task(element).clock
        assert clock
        return instant(clock.due)


def hazard(street: Street) -> Hazard:
    """Deploy the hazard process on the street and register its offices and people."""
    with street.database.begin() as conn:
        deploy(conn, read_folder(ROOT / "workflows/hazard"), by=None, at=NOON)
        for unit, kind, name, parent in UNITS:
            create_unit(conn, unit, kind=kind, name=name, parent=parent, by=None, at=NOON)
        for name, (unit, title, duties) in PEOPLE.items():
            person = street.person[name] = register_person(conn, f"{name}演示", by=None, at=NOON)
            grant_post(conn, person, unit, title, duties, reason="到任", by=None, at=NOON)
    return Hazard(street)
