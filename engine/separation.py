"""Who may not do a step because of what they did before: asked at claiming and at completing.

It holds for the real person and for the one they act for, so neither a substitute nor an
administrator gets round it.
"""

from collections.abc import Iterable

from engine.definitions import UserTask
from engine.state import CaseState, Doer


def barred_by(case: CaseState, task: UserTask, doer: Doer) -> str | None:
    """The element whose completer this doer is (as person, substitute or unit), or None."""
    named = task.separate_from.evaluate(case.variables) if task.separate_from else ()
    persons = {doer.person, doer.on_behalf_of} - {None}
    for element in named or ():
        if any(persons & {done.person, done.on_behalf_of} for done in _doers(case, element)):
            return str(element)
    units = task.separate_unit_from.evaluate(case.variables) if task.separate_unit_from else ()
    for element in units or ():
        if any(done.unit and done.unit == doer.unit for done in _doers(case, element)):
            return str(element)
    return None


def _doers(case: CaseState, element: str) -> Iterable[Doer]:
    return case.doers.get(element, ())
