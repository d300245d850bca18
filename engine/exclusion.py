"""Who is kept out of a case because it is about them: they see nothing of it and do nothing in it.

A process names by `exclude` what says so: units and persons. Kept out are these persons; everybody
with a post in these units or below them; and whoever has to approve for these units, their superior
in line. A substitute is kept out where the one they stand in for is.
"""

from datetime import datetime
from typing import Final

from engine.directory import Directory
from engine.errors import NotAllowed
from engine.state import CaseState, OpenTask

# Whose duty it is to answer for a unit from above.
SUPERIOR: Final = "approve"


class KeptOut(NotAllowed):
    """The case is about this person, their unit, or a unit they answer for."""

    def __init__(self) -> None:
        super().__init__(
            "按回避规定，这件案子不由您看，也不由您办。",
            "By the rules of recusal you neither see this case nor act in it.",
        )


def is_excluded(case: CaseState, directory: Directory, person: str, at: datetime) -> bool:
    """Whether a person is kept out of a case at this instant, or whoever they act for is.

    Asked of every post they hold now: one post does not make independent of another.
    """
    if not case.kept_out:
        return False
    if person in case.kept_out:
        return True
    units = [unit for unit in case.kept_out if unit in directory.units]
    below = frozenset(one for unit in units for one in directory.subtree(unit))
    above = directory.offices({one for unit in units for one in directory.ancestors(unit)})
    return any(
        held.unit in below or (held.duty == SUPERIOR and held.unit in above)
        for held in directory.capacities(person, at)
    ) or any(held.on_behalf_of in case.kept_out for held in directory.capacities(person, at))


def answering_units(
    case: CaseState, directory: Directory, task: OpenTask, at: datetime
) -> frozenset[str]:
    """In which units a post's duty counts for an open step: the step's own, with their offices.

    Where everybody there is kept out of the case, those above the street answer for it, so that a
    complaint about the only office with a duty does not stand still.
    """
    units = directory.offices(task.units)
    if not case.kept_out:
        return units
    held = directory.holders(task.duty, units, at)
    if any(not is_excluded(case, directory, one.person, at) for one in held):
        return units
    return units | directory.offices(directory.ancestors(case.place[-1]))


def check_not_excluded(case: CaseState, directory: Directory, person: str, at: datetime) -> None:
    """Raise KeptOut for somebody the case is about."""
    if is_excluded(case, directory, person, at):
        raise KeptOut
