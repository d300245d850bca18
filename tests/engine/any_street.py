"""A street where every process runs, and somebody who does whatever can be done there.

Answers come from the forms themselves and persons from the register, so that a process needs no
line of its own here. What a person may do is asked of nobody: the engine refuses or it does not.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Any

from sqlalchemy import select

from engine import forms
from engine.cases import Place, Report, open_case
from engine.casework import Desk, look
from engine.definition_sets import deploy
from engine.definitions import OPENING_FORM, parse, read_folder
from engine.directory import DUTIES
from engine.errors import Refusal
from engine.expressions import ExpressionFailed
from engine.forms import Field, Form
from engine.holding import claim_task, delegate_task, reassign_task, release_task
from engine.oversight import answer_supervision, supervise, urge
from engine.parties import add_party, open_groups, remove_party
from engine.people import By, create_unit, grant_post, name_substitute, register_person
from engine.receipt_codes import new_complainant
from engine.register import register_table
from engine.site_codes import show
from engine.state import CaseState, OpenTask
from engine.timekeeping import (
    grant_extension,
    grant_pause,
    request_extension,
    request_pause,
    resume,
    ring,
)
from engine.turns import complain, dispute_result, raise_objection, recall, reopen, return_task
from tests.conftest import NOON, ROOT, Street, photo

OFFICES = ("u-office-1", "u-office-2", "u-office-3")
GROUND = ("u-tingtao", "u-other")
PROCESSES = sorted(path.parent for path in (ROOT / "workflows").glob("*/*.bpmn"))
# Duties whose posts sit in communities and grids; all others sit in offices of the street.
OUTSIDE = {"report", "confirm", "reinspect", "patrol", "whistle"}


def found(street: Street) -> None:
    """Deploy every process; give every duty three holders in three places, and one superior."""
    with street.database.begin() as conn:
        for folder in PROCESSES:
            deploy(conn, read_folder(folder), by=None, at=NOON)
        for unit in OFFICES:
            create_unit(conn, unit, "department", unit, parent="u-street", by=None, at=NOON)
        create_unit(conn, "u-above", "department", "区办", parent="u-district", by=None, at=NOON)
        for duty in (duty for duty in DUTIES if duty != "administer"):
            places = (*GROUND, "u-grid-1") if duty in OUTSIDE else OFFICES
            for n, unit in enumerate((*places, "u-above", places[0])):
                who = f"{duty}{n}"
                street.person[who] = register_person(conn, f"{who}演示", by=None, at=NOON)
                grant_post(
                    conn, street.person[who], unit, duty, [duty], reason="任", by=None, at=NOON
                )
        for n in range(2):
            who = street.person[f"street{n}"] = register_person(
                conn, f"street{n}演示", by=None, at=NOON
            )
            grant_post(
                conn, who, "u-street", "领导", ["approve", "supervise"], reason="任", by=None,
                at=NOON,
            )  # fmt: skip


@dataclass
class Somebody:
    """Does things at random; `done` counts what was done, by name, refusals apart."""

    street: Street
    chance: Random
    cases: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    complainants: dict[str, dict[str, Any]] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)

    def play(self, moves: int) -> None:
        for _ in range(moves):
            self.street.later(minutes=self.chance.choice([1, 5, 40, 300, 1500, 9000]))
            name, act = self.choose()
            try:
                act()
            except Refusal:
                name = f"{name} refused"
            self.done[name] = self.done.get(name, 0) + 1
            if not name.endswith("refused"):
                self.street.deliver()
                self.find_cases()

    def find_cases(self) -> None:
        with self.street.database.begin() as conn:
            rows = conn.execute(select(register_table.c.case, register_table.c.ended_at)).all()
        self.cases = sorted(row.case for row in rows)
        self.open = sorted(row.case for row in rows if row.ended_at is None)

    def choose(self) -> tuple[str, Callable[[], Any]]:
        if len(self.cases) < 4 or self.chance.random() < 0.06:
            return self.opening()
        acts = [(16, self.step), (4, self.time), (3, self.hold), (4, self.turn), (3, self.press)]
        chosen = self.chance.choices([act for _, act in acts], [weight for weight, _ in acts])[0]
        return chosen()

    # --- looking ----------------------------------------------------------------------------------

    def desk(self, case: str) -> Desk:
        with self.street.database.begin() as conn:
            return look(conn, case, self.street.at)

    def any_case(self) -> tuple[str, Desk]:
        case = self.chance.choice(self.open or self.cases)
        return case, self.desk(case)

    def any_task(self, state: CaseState) -> OpenTask | None:
        return self.chance.choice(sorted(state.tasks.values(), key=lambda t: t.key) or [None])

    def whoever(self) -> By:
        return By(self.chance.choice(sorted(self.street.person.values())))

    def somebody_fit(self, desk: Desk, task: OpenTask) -> By:
        """Mostly the holder or one with the duty in the right unit; else anybody."""
        if self.chance.random() < 0.15:
            return self.whoever()
        if task.holder is not None:
            return By(task.holder)
        people = desk.directory
        held = people.holders(task.duty, people.offices(task.units), desk.at)
        return By(self.chance.choice(sorted(h.person for h in held))) if held else self.whoever()

    def with_duty(self, duty: str) -> By:
        """Somebody with the duty; anybody where nobody can have it."""
        names = [name for name in self.street.person if name.rstrip("0123456789") == duty]
        return By(self.street.person[self.chance.choice(sorted(names or self.street.person))])

    # --- acts -------------------------------------------------------------------------------------

    def opening(self) -> tuple[str, Callable[[], Any]]:
        folder = self.chance.choice(PROCESSES)
        definition = parse(read_folder(folder))
        form = definition.forms[OPENING_FORM]
        values = self.answers(form, None)
        report = Report(
            process=definition.key,
            category=str(values.get("category") or "other"),
            title=str(values.get("title") or "某事"),
            place=Place(self.chance.choice(["u-micro-1", "u-grid-1", "u-other"]), "某处"),
            form=values,
        )
        by: By | None = self.with_duty(definition.opened_by or "report")
        if definition.started_by_complainant:
            report = replace(report, title="投诉", source="resident", actor=complainant())
            by = None

        def open_() -> None:
            done = self.street.do(open_case, report, by=by, vault=self.street.vault)
            if report.actor:
                self.complainants[done.case] = dict(report.actor)

        return f"open {definition.key}", open_

    def step(self) -> tuple[str, Callable[[], Any]]:
        case, desk = self.any_case()
        task = self.any_task(desk.case)
        if task is None:
            return "ring", lambda: self.street.do(ring, case)
        drawn = desk.context.definition.tasks[task.element]
        form = desk.context.definition.forms[drawn.form]
        values = self.answers(form, desk)
        cleaned = forms.clean(form, values)
        evidence = [
            photo(rule.purpose, f"{n}.jpg")
            for rule in forms.evidence_rules(form, cleaned)
            for n in range(rule.minimum)
        ]
        code = self.code(case) if drawn.proof else ""
        by = self.somebody_fit(desk, task)

        def complete() -> None:
            self.street.complete(
                case, task.key, self.name_of(by), values, evidence=evidence, code=code,
                vault=self.street.vault,
            )  # fmt: skip

        return f"step {desk.case.process}", complete

    def name_of(self, by: By) -> str:
        return next(name for name, person in self.street.person.items() if person == by.person)

    def code(self, case: str) -> str:
        from engine import outbox

        with self.street.database.begin() as conn:
            above = outbox.parent_of(conn, case)
        try:
            shown = self.street.do(show, above[0], by=self.with_duty("whistle")) if above else None
        except Refusal:
            return "000000"
        return shown.code if shown else "000000"

    def time(self) -> tuple[str, Callable[[], Any]]:
        case, desk = self.any_case()
        task = self.any_task(desk.case)
        if task is None:
            return "ring", lambda: self.street.do(ring, case)
        by = By(task.holder) if task.holder else self.whoever()
        soon = self.street.at + timedelta(days=5)
        do = self.street.do
        asked = task.request.kind if task.request else ""
        if asked:
            command = {"extension": grant_extension, "pause": grant_pause}[asked]
            who = self.with_duty("approve" if asked == "extension" else "dispatch")
            return f"grant {asked}", lambda: do(command, case, task.key, "可以", by=who)
        if task.pause:
            return "resume", lambda: do(resume, case, task.key, "到了", by=by)
        if self.chance.random() < 0.5:
            return "extension", lambda: do(
                request_extension, case, task.key, days=3, reason="等料", interim="巡查", by=by
            )
        return "pause", lambda: do(
            request_pause, case, task.key, counterparty="供电", resume_by=soon, reason="等",
            evidence=(photo("call"),), by=by,
        )  # fmt: skip

    def hold(self) -> tuple[str, Callable[[], Any]]:
        case, desk = self.any_case()
        task = self.any_task(desk.case)
        key = task.key if task else "confirm#1"
        by = self.somebody_fit(desk, task) if task else self.whoever()
        to = self.whoever().person
        acts: list[tuple[str, Callable[[], Any]]] = [
            ("claim", lambda: self.street.do(claim_task, case, key, by=by)),
            ("release", lambda: self.street.do(release_task, case, key, "轮休", by=by)),
            ("delegate", lambda: self.street.do(delegate_task, case, key, to, "出差", by=by)),
            (
                "reassign",
                lambda: self.street.do(
                    reassign_task, case, key, to, "换人", by=self.with_duty("dispatch")
                ),
            ),
            ("substitute", lambda: self.substitute()),
        ]
        return self.chance.choice(acts)

    def substitute(self) -> None:
        away, instead = self.whoever(), self.whoever()
        self.street.do(
            name_substitute, away.person, instead.person,
            end=self.street.at + timedelta(days=9), reason="休假", by=away,
        )  # fmt: skip

    def turn(self) -> tuple[str, Callable[[], Any]]:
        """Whatever message the case waits for, by somebody who might send it."""
        case, desk = self.any_case()
        drawn = desk.context.definition.messages
        waiting = [drawn[element] for element in desk.case.messages.values()]
        verbs = sorted({one.message for one in waiting if "." not in one.message})
        if not verbs:
            return "reopen", lambda: self.street.do(reopen, case, "不实", by=self.whoever())
        verb = self.chance.choice(verbs)
        message = next(one for one in waiting if one.message == verb)
        form = desk.context.definition.forms[message.form] if message.form else None
        values = self.answers(form, desk) if form else {}
        task = next((t for t in desk.case.tasks.values() if t.element == message.attached_to), None)
        key = task.key if task else "none#1"
        fit = self.somebody_fit(desk, task) if task else self.whoever()
        do, vault = self.street.do, self.street.vault
        if case in self.complainants and verb in ("dispute", "recusal", "retaliation"):
            who = self.complainants[case]
            return verb, lambda: do(complain, case, verb, values, complainant=who, vault=vault)
        reporters = sorted(d.person for d in desk.case.doers.get("report", ()))
        told = {"reason": "不认可", **values}
        acts: dict[str, Callable[[], Any]] = {
            "return": lambda: do(return_task, case, key, "不清", by=fit),
            "object": lambda: do(raise_objection, case, key, values, by=fit),
            "reopen": lambda: do(reopen, case, "不实", by=By(self.street.person["street0"])),
            "recall": lambda: do(recall, case, "误报", by=By((reporters or [fit.person])[0])),
            "dispute": lambda: do(
                dispute_result, case, told, by=By((reporters or [fit.person])[0])
            ),
        }
        return verb, acts.get(verb, lambda: do(ring, case))

    def press(self) -> tuple[str, Callable[[], Any]]:
        case, desk = self.any_case()
        do, leader = self.street.do, By(self.street.person["street1"])
        if desk.case.orders:
            order = int(next(iter(desk.case.orders)))
            task = self.any_task(desk.case)
            by = By(task.holder) if task and task.holder else self.with_duty("dispatch")
            return "answer", lambda: do(answer_supervision, case, order, "在办", by=by)
        groups = open_groups(desk)
        if groups:
            return self.party(case, desk, groups[0])
        if self.chance.random() < 0.5:
            return "urge", lambda: do(urge, case, "请抓紧", by=leader)
        return "supervise", lambda: do(supervise, case, "说明情况", by=leader)

    def party(self, case: str, desk: Desk, group: str) -> tuple[str, Callable[[], Any]]:
        do = self.street.do
        by = self.with_duty(desk.context.definition.sends[group].joinable or "")
        units = any(child.party in desk.directory.units for child in desk.case.children.values())
        party = self.chance.choice(OFFICES) if units else self.whoever().person
        if self.chance.random() < 0.6:
            return "add party", lambda: do(add_party, case, group, party, "加", by=by)
        seqs = [int(seq) for seq, child in desk.case.children.items() if child.group == group]
        return "remove party", lambda: do(remove_party, case, self.chance.choice(seqs), "减", by=by)

    # --- answers ----------------------------------------------------------------------------------

    def answers(self, form: Form, desk: Desk | None) -> dict[str, Any]:
        """Answers the form accepts."""
        told: dict[str, Any] = {}
        for one in form.fields:
            if not _asked(one, told):
                continue
            needed = one.required or one.required_when_shown
            if needed or self.chance.random() < 0.5:
                told[one.name] = self.answer(one, desk)
        return told

    def answer(self, one: Field, desk: Desk | None) -> Any:
        if one.widget == "person":
            return self.whoever().person
        if one.widget == "unit":
            return self.chance.choice([*OFFICES, "u-property", *GROUND])
        if one.widget == "case":
            return self.chance.choice(self.cases or ["hazard-2026-00001"])
        if one.type == "boolean":
            return self.chance.random() < 0.5
        if one.type == "integer":
            return self.chance.randint(max(one.minimum, 0), min(one.maximum, 9))
        if one.type == "array":
            return self.several(one)
        if one.choices:
            return self.chance.choice(one.choices).value
        if one.format == "date":
            return "2026-03-05"
        if one.format == "date-time":
            return "2026-03-02T09:30:00+08:00"
        if one.name.endswith("place") and desk:
            return "u-micro-1"
        if one.pattern:
            tries = ("0" * n for n in range(one.min_length, one.max_length + 1))
            return next(text for text in tries if one.pattern.search(text))
        return "某些说明" * (1 + one.min_length // 4)

    def several(self, one: Field) -> list[str]:
        count = max(one.min_items, self.chance.choice([1, 2, 3]))
        if one.widget == "units":
            return self.chance.sample(OFFICES, min(count, len(OFFICES)))
        if one.widget == "persons":
            return self.chance.sample(sorted(self.street.person.values()), count)
        values = [choice.value for choice in one.choices] or ["甲", "乙", "丙"]
        return self.chance.sample(values, min(max(count, 1), len(values), one.max_items))


def complainant() -> dict[str, Any]:
    return {"person": new_complainant(), "capacity": "report", "channel": "web"}


def _asked(one: Field, told: dict[str, Any]) -> bool:
    try:
        return one.when is None or one.when.holds(told)
    except ExpressionFailed:
        return False
