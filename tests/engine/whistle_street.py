"""Whistles on the test street: departments, desks, leaders, and an answer to every step."""

from dataclasses import dataclass
from typing import Any

from audit.encoding import instant
from audit.entries import Entry
from engine import outbox, site_codes
from engine.cases import Place
from engine.casework import Done, read_case
from engine.definition_sets import deploy
from engine.definitions import read_folder
from engine.people import create_unit, grant_post, register_person
from engine.state import CaseState, OpenTask
from engine.timekeeping import ring
from tests.conftest import NOON, ROOT, Street, photo

PROCESSES = ("hazard", "whistle", "response", "consultation", "opinion")
UNITS = [
    ("u-command", "department", "指挥调度中心", "u-street"),
    ("u-fire", "department", "区消防救援局", "u-district"),
    ("u-urban", "department", "区城市管理局", "u-district"),
    ("u-housing", "department", "区住房建设局", "u-district"),
    ("u-gas", "company", "澜安燃气（演示）", "u-street"),
]
PEOPLE = {
    "blower": ("u-tingtao", "社区书记", ["whistle", "report"]),
    "blower2": ("u-tingtao", "社区副书记", ["whistle"]),
    "elsewhere": ("u-other", "沿河社区书记", ["whistle"]),
    "officer": ("u-street", "街道主任", ["approve", "whistle"]),
    "officer2": ("u-street", "街道书记", ["approve"]),
    "desk": ("u-command", "调度员", ["command"]),
    "desk2": ("u-street", "值班调度", ["command"]),
    "closer": ("u-street", "平安办主任", ["close"]),
    "fire": ("u-fire", "值班员", ["respond"]),
    "fire2": ("u-fire", "副值班员", ["respond"]),
    "fire_chief": ("u-fire", "局长", ["approve"]),
    "urban": ("u-urban", "执法队长", ["respond"]),
    "urban_chief": ("u-urban", "局长", ["approve"]),
    "housing": ("u-housing", "科长", ["respond"]),
    "gas": ("u-gas", "抢修班长", ["respond"]),
    "district_desk": ("u-district", "区调度员", ["command"]),
    "mayor": ("u-district", "分管副区长", ["approve"]),
}
# Whoever of a unit does its steps unless a test says otherwise.
STAFF = {"u-fire": "fire", "u-urban": "urban", "u-housing": "housing", "u-gas": "gas"}
OPENING = {"kind": "daily", "title": "外墙砖松动", "category": "falling",
           "address": "听涛苑 3 幢", "why": "没有执法权，要拆外墙"}  # fmt: skip
OURS = "@"  # a step of the department whose case it is
OBJECTION = {"proposed_unit": "u-housing", "legal_basis": "职责清单", "reason": "外墙归住建"}
RULED = {"legal_basis": "职责清单", "reason": "清单写明"}

# Who does a step unless a test says otherwise, and what they answer.
STEPS: dict[str, tuple[str, dict[str, Any]]] = {
    "review": ("officer", {}),
    "amend": ("blower", {"decision": "again", "matter": "补充：已掉下两块"}),
    "fix_list": ("desk", {"departments": ["u-fire", "u-urban"], "lead": "u-fire"}),
    "ratify": ("officer", {"decision": "ratified", "reason": "确有危险"}),
    "replace": ("desk", {"departments": ["u-housing"]}),
    "district_answer": ("district_desk", {"order": "已电话催到，两小时内到场"}),
    "name_lead": ("desk", {"lead": "u-urban"}),
    "first_measures": ("fire", {"measures": "围挡，劝离", "safe": "safe"}),
    "joint_record": ("fire", {"result": "solved", "summary": "松动处已清除"}),
    "standing": ("desk", {"state": "still", "reason": "资金未到位，已围挡"}),
    "close": ("closer", {"summary": "外墙已修好"}),
    "recheck": ("blower", {"result": "absent"}),
    "sign_in": (OURS, {}),
    "sign_in_bound": (OURS, {}),
    "arrive": (OURS, {"people": 3}),
    "arrive_at_once": (OURS, {"people": 3}),
    "rule_objection": ("desk", {"ruling": "rejected", **RULED}),
    "rule_at_once": ("desk", {"ruling": "rejected", **RULED}),
    "leader_called": ("fire_chief", {"reason": "出警未归", "measure": "副队长 10 点到"}),
    "leader_at_once": ("fire_chief", {"reason": "出警未归", "measure": "副队长马上到"}),
    "district_called": ("district_desk", {"order": "责令立即到场"}),
    "district_at_once": ("district_desk", {"order": "责令立即到场"}),
    "do_part": (OURS, {"done": "清除松动外墙砖", "no_photo": "unsafe"}),
    "release_part": ("fire2", {"decision": "release"}),
    "release_by_desk": ("desk", {"decision": "release"}),
    "evaluate": ("blower", {"result": "satisfied", "effort": "full"}),
    "evaluate_whistle": (OURS, {"justified": "yes", "complete": "yes"}),
    "defend": (OURS, {"answer": "accept"}),
    "convene": ("desk", {"risk": "general", "participants": ["fire", "urban", "housing"]}),
    "proceed": ("desk", {"reason": "一人出差，不再等"}),
    "decide_street": ("officer", {"result": "again", "decision": "拆除重做", "dissent": "无"}),
    "decide_district": ("mayor", {"result": "standing", "decision": "挂账", "dissent": "应拆"}),
    "give_opinion": ("fire", {"stance": "again", "opinion": "应当拆除"}),
}  # fmt: skip


@dataclass
class Whistle:
    """A whistle with all its cases, and everybody around it, acted step by step."""

    street: Street
    case: str = ""

    def blow(self, by: str = "blower", **form: Any) -> "Whistle":
        """Blow a whistle; later steps work on it."""
        answers = {**OPENING, **form}
        self.case = self.street.report(
            "whistle", by, place=Place("u-micro-1", answers["address"]), form=answers,
            title=answers["title"], category=answers["category"],
        )  # fmt: skip
        self.street.deliver()
        return self

    def do(
        self, element: str, case: str | None = None, by: str | None = None, **form: Any
    ) -> "Whistle":
        """Complete the open step of this element with its usual answer but for what is said.

        case: a unit or person whose case it is, or a case id; the whistle itself by default.
        """
        where = self.find(case)
        who, usual = STEPS[element]
        answers = {**usual, **form}
        if "participants" in answers:
            answers["participants"] = [self.street.person[one] for one in answers["participants"]]
        answers = {name: value for name, value in answers.items() if value is not None}
        evidence = [photo("site")] if answers.pop("photo", None) else []
        who = STAFF[str(self._read(where).opened["party"])] if who == OURS and not by else who
        self.street.later(minutes=1)
        code = self.code() if element.startswith("arrive") else ""
        key = self.task(element, where).key
        self.street.complete(
            where, key, by or who, answers, evidence=evidence, code=code, vault=self.street.vault
        )
        self.street.deliver()
        return self

    def act(self, command: Any, *args: Any, by: str, case: str | None = None, **more: Any) -> Done:
        """Run a command on the whistle or one of its cases, and deliver what it brings about."""
        self.street.later(minutes=1)
        by_ = self.street.by(by)
        done: Done = self.street.do(command, self.find(case), *args, by=by_, **more)
        self.street.deliver()
        return done

    def wait(self, case: str | None = None, **delta: float) -> "Whistle":
        """Let time pass and the worker look at one case."""
        self.street.later(**delta)
        self.street.do(ring, self.find(case))
        self.street.deliver()
        return self

    def code(self, by: str = "blower") -> str:
        """The code that whoever blew shows on the spot."""
        return str(self.street.do(site_codes.show, self.case, by=self.street.by(by)).code)

    # --- ways -------------------------------------------------------------------------------------

    def called(self, **listed: Any) -> "Whistle":
        """An everyday whistle, reviewed, its departments called."""
        return self.blow().do("review").do("fix_list", **listed)

    def emergency(self, *departments: str, **form: Any) -> "Whistle":
        """An emergency; those named are called at once."""
        if departments:
            form["departments"] = list(departments)
        return self.blow(kind="emergency", **form)

    def arrived(self, unit: str = "u-fire") -> "Whistle":
        """A department has signed in and come."""
        return self.do("sign_in", unit).do("arrive", unit)

    def worked(self, unit: str, release: str = "release_part") -> "Whistle":
        """A department that is there does its part and is released."""
        return self.do("do_part", unit).do(release, unit)

    def evaluated(self, unit: str) -> "Whistle":
        """Both sides evaluate, and the department has nothing to add."""
        return self.do("evaluate", unit).do("evaluate_whistle", unit).do("defend", unit)

    def both_done(self) -> "Whistle":
        """Both departments have come, done their parts, and everybody has been evaluated."""
        self.arrived("u-fire").arrived("u-urban").do("joint_record")
        self.worked("u-fire", "release_by_desk").worked("u-urban")
        return self.evaluated("u-fire").evaluated("u-urban")

    # --- looking ----------------------------------------------------------------------------------

    def find(self, case: str | None) -> str:
        """A case id from a unit or person of the newest case for them, or from itself."""
        if case is None:
            return self.case
        if case in self.street.person:
            case = self.street.person[case]
        found = [child for party, child in self.family() if case in (party, child)]
        return found[-1] if found else case

    def family(self) -> list[tuple[str, str]]:
        """(party or empty, case) of everything the whistle opened, and what that opened."""
        found: list[tuple[str, str]] = []
        above = [self.case]
        while above:
            with self.street.database.begin() as conn:
                below = [child for _, _, child in outbox.children_of(conn, above)]
            found += [(str(self._read(one).opened.get("party", "")), one) for one in below]
            above = below
        return found

    def only(self, process: str) -> str:
        """The one case of this process that the whistle led to."""
        (found,) = [case for _, case in self.family() if case.startswith(f"{process}-")]
        return found

    def state_of(self, case: str | None = None) -> CaseState:
        return self._read(self.find(case))

    def _read(self, case: str) -> CaseState:
        with self.street.database.begin() as conn:
            return read_case(conn, case)

    @property
    def state(self) -> CaseState:
        return self.state_of()

    def task(self, element: str, case: str | None = None) -> OpenTask:
        tasks = self.state_of(case).tasks.values()
        found = [task for task in tasks if task.element == element]
        assert found, f"{element} is not open: {[task.element for task in tasks]}"
        return found[-1]

    def open(self, case: str | None = None) -> list[str]:
        """The elements of the open steps of a case, sorted."""
        return sorted(task.element for task in self.state_of(case).tasks.values())

    def ended(self, case: str | None = None) -> str | None:
        return self.state_of(case).ended

    def entries(self, case: str | None = None) -> list[Entry]:
        return self.street.entries(self.find(case))

    def all(self, type_: str, case: str | None = None) -> list[dict[str, Any]]:
        """The data of all events of a type in a case."""
        return [entry.data for entry in self.entries(case) if entry.type == type_]

    def heard(self, case: str | None = None) -> list[str]:
        """The messages a case has received, in order."""
        return [data["message"] for data in self.all("message.received", case)]

    def clock(self, element: str, case: str | None = None) -> str:
        """The deadline class of an open step."""
        clock = self.task(element, case).clock
        assert clock
        return clock.deadline_class

    def due(self, element: str, case: str | None = None) -> Any:
        clock = self.task(element, case).clock
        assert clock
        return instant(clock.due)


def whistle(street: Street) -> Whistle:
    """Deploy the whistle and all it may lead to, and register its offices and people."""
    with street.database.begin() as conn:
        for process in PROCESSES:
            deploy(conn, read_folder(ROOT / "workflows" / process), by=None, at=NOON)
        for unit, kind, name, parent in UNITS:
            create_unit(conn, unit, kind=kind, name=name, parent=parent, by=None, at=NOON)
        for name, (unit, title, duties) in PEOPLE.items():
            person = street.person[name] = register_person(conn, f"{name}演示", by=None, at=NOON)
            grant_post(conn, person, unit, title, duties, reason="到任", by=None, at=NOON)
    return Whistle(street)
