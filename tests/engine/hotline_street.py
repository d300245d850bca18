"""The hotline on the test street: offices, people, complainants, and an answer to every step."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from audit.entries import Entry
from engine import outbox
from engine.cases import Place, Report, open_case
from engine.casework import Done, read_case
from engine.definition_sets import deploy
from engine.definitions import read_folder
from engine.mailbox import read_content
from engine.people import create_unit, grant_post, register_person
from engine.receipt_codes import new_complainant
from engine.state import CaseState, OpenTask
from engine.timekeeping import ring
from engine.turns import complain
from engine.vault import Vault
from tests.conftest import NOON, ROOT, Street

WORDS = "供热站三次说修好了都没有修 polterabend"
UNITS = [
    ("u-hotline", "department", "热线办", "u-street"),
    ("u-discipline", "department", "纪检监察办", "u-street"),
    ("u-inspection", "department", "督查组", "u-street"),
    ("u-legal", "department", "司法所", "u-street"),
    ("u-heat", "company", "澜安供热（演示）", "u-street"),
    ("u-heat-office", "department", "供热办", "u-street"),
    ("u-district-hotline", "department", "区热线办", "u-district"),
]
ALL = ["intake", "discipline", "dispatch", "investigate", "verify", "revisit", "publish"]
PEOPLE = {
    "desk": ("u-hotline", "受理员", ["intake"]),
    "desk2": ("u-hotline", "受理员", ["intake"]),
    "desk3": ("u-hotline", "受理员", ["intake"]),
    "officer": ("u-discipline", "纪检员", ["discipline"]),
    "officer2": ("u-discipline", "纪检员", ["discipline"]),
    "assigner": ("u-hotline", "热线办主任", ["dispatch"]),
    "searcher": ("u-inspection", "核查员", ["investigate"]),
    "searcher2": ("u-inspection", "核查员", ["investigate"]),
    "searcher3": ("u-inspection", "核查员", ["investigate"]),
    "lawyer": ("u-legal", "核查员", ["investigate"]),
    "verifier": ("u-legal", "核实员", ["verify"]),
    "both": ("u-inspection", "核查员", ["investigate", "verify"]),
    "caller": ("u-hotline", "回访员", ["revisit"]),
    "own_caller": ("u-inspection", "督查组回访员", ["revisit"]),
    "publisher": ("u-hotline", "公开员", ["publish"]),
    "keeper": ("u-street", "身份保管员", ["custody"]),
    "chief": ("u-street", "街道主要领导", ["approve", "discipline", "dispatch"]),
    "watcher": ("u-street", "督查专员", ["supervise"]),
    "heat": ("u-heat-office", "供热办主任", ["investigate", "intake", "discipline"]),
    "district": ("u-district-hotline", "区热线员", ALL),
    "district2": ("u-district-hotline", "区热线员", ALL),
    "district3": ("u-district-hotline", "区热线员", ALL),
}

TOLD = {"to_complainant": "已看过，请看信箱"}
FOLLOWS: dict[str, Any] = {
    "hazard_title": "阀井无盖",
    "hazard_category": "road",
    "hazard_place": "u-micro-1",
    "hazard_address": "听涛苑 3 幢",
    "hazard_description": "路中井口敞开",
}
DANGER: dict[str, Any] = {"hazard_now": True, **FOLLOWS}
REACHED = {"reached": "reached", "how": "phone", "solved": "yes", "satisfied": "yes",
           "objects": "no"}  # fmt: skip
OBJECTS = {**REACHED, "solved": "no", "satisfied": "no", "objects": "yes"}
UNREACHABLE = {"reached": "unreachable", "how": "phone", "solved": None, "satisfied": None,
               "objects": None}  # fmt: skip
TAKEN_UP = {"new_facts": "照投诉人所说再查", **TOLD}

# Who does a step unless a test says otherwise, and what they answer.
STEPS: dict[str, tuple[str, dict[str, Any]]] = {
    "accept": ("desk", {"decision": "accept", **TOLD}),
    "second_look": ("desk2", {"verdict": "refuse", "reason": "看过原文，同意", **TOLD}),
    "answer": ("desk", TOLD),
    "hand_over": ("officer", {"decision": "hand_over", "body": "区纪委监委"}),
    "dispatch": ("assigner", {"unit": "u-inspection", "facts": "查三次报修的经过"}),
    "declare": ("searcher", {"relation": "none"}),
    "investigate": ("searcher", {"findings": "三次报修，两次未到场", "heard": "yes",
                    "proposal": "substantiated"}),
    "rule_recusal": ("officer", {"ruling": "rejected", "reason": "没有关系", **TOLD}),
    "verify": ("verifier", {"result": "substantiated", "unit": "u-heat-office",
               "allegations": "三项属实", "basis": "报修记录"}),
    "refer": ("officer", {"body": "区纪委监委"}),
    "check_figures": ("publisher", {"correct": "yes"}),
    "reply": ("desk", {**TOLD, "told": ["checked", "result", "basis", "rights"]}),
    "ask": ("caller", TOLD),
    "revisit": ("caller", REACHED),
    "revisit_again": ("caller", REACHED),
    "revisit_last": ("caller", REACHED),
    "reopen_first": ("desk", TAKEN_UP),
    "reopen_second": ("desk", TAKEN_UP),
    "final_review": ("officer", {"result": "unsubstantiated", "opinion": "维持"}),
    "assess_reward": ("desk", {"eligible": "yes", "first": "yes", "rule": "演示规定第 1 条",
                      "amount": "三等", "reason": "首个有效举报"}),
    "approve_reward": ("officer", {"decision": "approve", "reason": "相符"}),
    "issue_code": ("desk", {"code": "314-159", "to_complainant": "凭码到窗口领取"}),
}  # fmt: skip


@dataclass
class Hotline:
    """A complaint and everybody around it, acted step by step."""

    street: Street
    vault: Vault
    case: str = ""
    complainant: dict[str, Any] = field(default_factory=dict)
    cases: list[str] = field(default_factory=list)

    def report(self, place: str = "u-tingtao", **form: Any) -> "Hotline":
        """A resident complains; a value of None leaves the field out. Later steps work on it."""
        answers = {"channel": "web", "category": "service", "text": WORDS, "identity": "named",
                   "name": "陈小禾演示", "phone": "000-7654-3210", **form}  # fmt: skip
        if answers["identity"] == "anonymous":
            answers |= {"name": None, "phone": None}
        answers = {name: value for name, value in answers.items() if value is not None}
        self.complainant = {"person": new_complainant(), "capacity": "report", "channel": "web"}
        told = Report("hotline", answers["category"], "投诉举报", Place(place, ""), answers,
                      source="resident", actor=self.complainant)  # fmt: skip
        done: Done = self.street.do(open_case, told, by=None, vault=self.vault)
        return self.at(done.case)

    def at(self, case: str) -> "Hotline":
        """Go on with another case."""
        self.case = case
        self.cases.append(case)
        return self

    def do(self, element: str, by: str | None = None, **form: Any) -> "Hotline":
        """Complete the open step of this element, with its usual answer but for what is said."""
        who, usual = STEPS[element]
        answers = {name: value for name, value in {**usual, **form}.items() if value is not None}
        for name in ("person", "recused"):
            if name in answers:
                answers[name] = self.street.person[answers[name]]
        self.street.later(minutes=1)
        key = self.task(element).key
        self.street.complete(self.case, key, by or who, answers, vault=self.vault)
        self.street.deliver()
        return self

    def hazard(self) -> str:
        """Some hazard of the street, for others to be about."""
        form = {"title": "车棚", "category": "charging", "address": "3 幢", "description": "拉线"}
        return self.street.report("hazard", "grid", form=form, category="charging")

    def act(self, command: Any, *args: Any, by: str, **more: Any) -> Any:
        """Run a command on the case."""
        self.street.later(minutes=1)
        return self.street.do(command, self.case, *args, by=self.street.by(by), **more)

    def read(self, by: str) -> dict[str, Any]:
        """What this person reads of what is sealed."""
        with self.street.database.begin() as conn:
            by_ = self.street.by(by)
            found = read_content(conn, self.vault, self.case, by=by_, at=self.street.at)
        return dict(found.values)

    def say(self, message: str, **form: Any) -> "Hotline":
        """What the complainant says by their code: dispute, recusal, retaliation."""
        usual = {"dispute": {"new_facts": "no", "text": "还是没有修"}, "retaliation": {},
                 "recusal": {"text": "核查人是站长的亲戚"}}  # fmt: skip
        self.street.later(minutes=1)
        self.street.do(
            complain, self.case, message, {**usual[message], **form},
            complainant=self.complainant, vault=self.vault,
        )  # fmt: skip
        self.street.deliver()
        return self

    def wait(self, **delta: float) -> int:
        """Let time pass and the worker look; returns how many alarms it recorded."""
        self.street.later(**delta)
        rung: int = self.street.do(ring, self.case)
        self.street.deliver()
        return rung

    # --- ways -------------------------------------------------------------------------------------

    def accepted(self, **form: Any) -> "Hotline":
        return self.report(**form).do("accept")

    def declared(self, by: str = "searcher", **form: Any) -> "Hotline":
        """Assigned, and the investigator has declared that there is no relation."""
        return self.do("dispatch", **form).do("declare", by)

    def investigated(self, by: str = "searcher") -> "Hotline":
        return self.declared(by).do("investigate", by)

    def replied(self, by: str = "searcher", **verified: Any) -> "Hotline":
        return self.investigated(by).do("verify", **verified).do("reply")

    def settled(self, **verified: Any) -> "Hotline":
        """Replied, revisited, and nobody has disagreed for thirty days."""
        self.replied(**verified).do("revisit")
        self.wait(days=31)
        return self

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
    def waiting(self) -> list[str]:
        """The elements of the open clocks of the process, sorted."""
        return sorted(timer.element for timer in self.state.timers.values())

    @property
    def entries(self) -> list[Entry]:
        return self.street.entries(self.case)

    def all(self, type_: str) -> list[Entry]:
        return [entry for entry in self.entries if entry.type == type_]

    def last(self, type_: str) -> Entry:
        return self.all(type_)[-1]

    def rules(self, element: str) -> list[dict[str, Any]]:
        """What a rule of the process decided, each time it was passed."""
        rows = (row for e in self.all("case.advanced") for row in e.data.get("rules", ()))
        return [row["outputs"] for row in rows if row["rule"] == element]

    def children(self) -> list[str]:
        with self.street.database.begin() as conn:
            return [child for _, _, child in outbox.children_of(conn, [self.case])]

    def passed(self) -> set[str]:
        """Every element that a case so far has passed, in any of the cases."""
        entries = (entry for case in self.cases for entry in self.street.entries(case))
        paths: Iterable[list[str]] = (e.data["path"] for e in entries if e.type == "case.advanced")
        return {element for path in paths for element in path}


def hotline(street: Street, vault: Vault) -> Hotline:
    """Deploy the hotline and the hazard process, and register offices and people."""
    street.vault = vault
    at = NOON - timedelta(days=1)
    with street.database.begin() as conn:
        for process in ("hotline", "hazard"):
            deploy(conn, read_folder(ROOT / "workflows" / process), by=None, at=at)
        for unit, kind, name, parent in UNITS:
            create_unit(conn, unit, kind=kind, name=name, parent=parent, by=None, at=at)
        for name, (unit, title, duties) in PEOPLE.items():
            person = street.person[name] = register_person(conn, f"{name}演示", by=None, at=at)
            grant_post(conn, person, unit, title, duties, reason="到任", by=None, at=at)
    return Hotline(street, vault)
