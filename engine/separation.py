"""Who may not do a step because of what they did before: asked at claiming and at completing.

It holds for the real person and for the one they act for, so neither a substitute nor an
administrator gets round it.
"""

from collections.abc import Collection, Iterable

from engine.definitions import UserTask
from engine.state import CaseState, Doer


def barred_by(
    case: CaseState, task: UserTask, doer: Doer, units: Collection[str] = ()
) -> str | None:
    """The element whose completer this doer is (as person, substitute or unit), or None.

    units: all in which the doer, or whom they act for, holds a post: who belongs to the unit by one
    post is not made independent of it by another.
    """
    named = task.separate_from.evaluate(case.variables) if task.separate_from else ()
    persons = {doer.person, doer.on_behalf_of} - {None}
    for element in named or ():
        if any(persons & {done.person, done.on_behalf_of} for done in _doers(case, element)):
            return str(element)
    apart = task.separate_unit_from.evaluate(case.variables) if task.separate_unit_from else ()
    for element in apart or ():
        if any(done.unit in (doer.unit, *units) for done in _doers(case, element) if done.unit):
            return str(element)
    return None


def _doers(case: CaseState, element: str) -> Iterable[Doer]:
    return case.doers.get(element, ())
