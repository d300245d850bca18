"""What a person may do with an open step besides doing it. Nothing is offered that is refused.

Offering is a courtesy: every command decides again for itself, behind the lock on the case.
"""

from dataclasses import dataclass

from audit.encoding import instant
from engine.cases import may_do
from engine.casework import Desk
from engine.deadline_classes import DeadlineClass
from engine.definitions import Message
from engine.errors import NotAllowed, Refusal
from engine.holding import REASSIGNING, fit_for, overseer
from engine.people import By
from engine.rights import deciding_duty
from engine.state import OpenTask, Request
from engine.timekeeping import extension_limits
from engine.turns import turns_open
from web.desk import person_groups
from web.forms import Groups


@dataclass(frozen=True, slots=True)
class Acts:
    """What is offered on one open step.

    why_not: why this person may not do it, None if they may. held: they (or the person they stand
    in for) hold it. objection: the drawn message, with its form. decides: the request they may
    decide. classes: deadline classes for the standing list.
    """

    why_not: Refusal | None
    held: bool
    claim: bool
    delegation: Groups
    reassignment: Groups
    returning: bool
    withdrawal: bool
    objection: Message | None
    extension: bool
    pause: bool
    resumption: bool
    decides: Request | None
    classes: tuple[DeadlineClass, ...]

    @property
    def any_beside(self) -> bool:
        """Whether there is anything to show beside the form."""
        return bool(
            self.delegation or self.reassignment or self.returning or self.withdrawal
            or self.objection or self.extension or self.pause or self.resumption
            or self.classes or (self.held and not self.why_not)
        )  # fmt: skip


def acts_on(desk: Desk, task: OpenTask, by: By) -> Acts:
    """What this person may do with this step now."""
    why_not = refused_to_do(desk, task, by)
    mine = why_not is None
    held = mine and task.holder is not None
    turns = turns_open(desk, task) if task.key in desk.case.tasks else set()
    running = task.clock is not None and task.pause is None
    early = running and task.clock is not None and desk.at <= instant(task.clock.due)
    asking = held and early and task.request is None
    others = person_groups(desk.directory, fit_for(desk, task))
    return Acts(
        why_not=why_not,
        held=held,
        claim=mine and task.holder is None,
        delegation=others if held else [],
        reassignment=others if not held and _oversees(desk, by, REASSIGNING) else [],
        returning=mine and "return" in turns,
        withdrawal="withdraw" in turns and _last_did(desk, task, by),
        objection=_objection(desk, task) if mine and "object" in turns else None,
        extension=bool(asking and _may_be_longer(desk, task)),
        pause=bool(asking),
        resumption=task.pause is not None and (held or _oversees(desk, by, REASSIGNING)),
        decides=_decides(desk, task, by),
        classes=_standing(desk, task, by),
    )


def _may_be_longer(desk: Desk, task: OpenTask) -> bool:
    most, _ = extension_limits(desk, task)
    return task.clock is not None and task.clock.extended < most


def refused_to_do(desk: Desk, task: OpenTask, by: By) -> Refusal | None:
    """Why this person may not do the step, or None."""
    try:
        may_do(desk, task, by)
    except Refusal as refusal:
        return refusal
    return None


def _oversees(desk: Desk, by: By, duties: tuple[str, ...]) -> bool:
    try:
        overseer(desk, by, duties)
    except NotAllowed:
        return False
    return True


def _last_did(desk: Desk, task: OpenTask, by: By) -> bool:
    for message in desk.context.definition.messages.values():
        if message.message == "withdraw" and message.attached_to == task.element and message.by:
            last = desk.case.last.get(message.by)
            return last is not None and last.person == by.person
    return False


def _objection(desk: Desk, task: OpenTask) -> Message | None:
    return next(
        (
            message
            for message in desk.context.definition.messages.values()
            if message.message == "object" and message.attached_to == task.element
        ),
        None,
    )


def _decides(desk: Desk, task: OpenTask, by: By) -> Request | None:
    """An open request this person may decide: not their own."""
    if task.request is None:
        return None
    duty = deciding_duty(task.request.kind, confidential=desk.case.confidential)
    try:
        held = overseer(desk, by, (duty,))
    except NotAllowed:
        return None
    asked = {task.holder, task.request.person} - {None}
    return None if asked & {held.person, held.on_behalf_of} else task.request


def _standing(desk: Desk, task: OpenTask, by: By) -> tuple[DeadlineClass, ...]:
    if task.standing or task.clock is None or not _oversees(desk, by, ("approve",)):
        return ()
    if task.holder == by.person:
        return ()
    return tuple(desk.context.definition.classes.values())
