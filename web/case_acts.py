"""What a person may do about a case as a whole. Nothing is offered that would be refused."""

from collections.abc import Iterator
from dataclasses import dataclass

from engine.casework import Desk
from engine.deadline_classes import DeadlineClass
from engine.definitions import Message
from engine.errors import NotAllowed
from engine.exports import exporter
from engine.holding import overseer
from engine.oversight import URGING
from engine.people import By
from web.texts import either


@dataclass(frozen=True, slots=True)
class CaseActs:
    """What is offered on a case.

    orders: numbers of the open 督办 this person may answer. steps: open steps with a clock an order
    may set anew, key and name; classes: the deadline classes for it.
    """

    urge: bool
    supervise: bool
    orders: tuple[str, ...]
    reopen: bool
    dispute: bool
    export: bool
    steps: tuple[tuple[str, str], ...]
    classes: tuple[DeadlineClass, ...]

    @property
    def any(self) -> bool:
        """Whether there is anything to show."""
        return any((self.urge, self.supervise, self.orders, self.reopen, self.dispute, self.export))


def case_acts(desk: Desk, by: By) -> CaseActs:
    """What this person may do about this case now."""
    is_open = desk.case.ended is None
    supervises = _oversees(desk, by, ("supervise",))
    return CaseActs(
        urge=is_open and _oversees(desk, by, URGING),
        supervise=is_open and supervises,
        orders=tuple(desk.case.orders) if _answers(desk, by) else (),
        reopen=waiting_message(desk, "reopen") is not None
        and _oversees(desk, by, ("supervise", "approve")),
        dispute=waiting_message(desk, "dispute") is not None and _reported(desk, by),
        export=_exports(desk, by),
        steps=tuple(_steps(desk)) if supervises else (),
        classes=tuple(desk.context.definition.classes.values()) if supervises else (),
    )


def waiting_message(desk: Desk, name: str) -> Message | None:
    """The drawn message of this name the case waits for now, or None."""
    drawn = desk.context.definition.messages
    waiting = (drawn[element] for element in desk.case.messages.values())
    return next((message for message in waiting if message.message == name), None)


def _steps(desk: Desk) -> Iterator[tuple[str, str]]:
    for key, task in desk.case.tasks.items():
        drawn = desk.context.definition.tasks[task.element]
        yield key, either(drawn.name, drawn.name_en)


def _oversees(desk: Desk, by: By, duties: tuple[str, ...]) -> bool:
    try:
        overseer(desk, by, duties)
    except NotAllowed:
        return False
    return True


def _answers(desk: Desk, by: By) -> bool:
    holds = any(task.holder == by.person for task in desk.case.tasks.values())
    dispatches = desk.directory.authority(by.person, "dispatch", None, desk.at) is not None
    return holds or dispatches


def _reported(desk: Desk, by: By) -> bool:
    return any(doer.person == by.person for doer in desk.case.doers.get("report", ()))


def _exports(desk: Desk, by: By) -> bool:
    try:
        exporter(desk, by)
    except NotAllowed:
        return False
    return True
