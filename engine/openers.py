"""Who acts for whoever opened a case: holders of the duty it takes to open one, in its place."""

from engine.casework import Desk
from engine.directory import Authority
from engine.errors import NotAllowed
from engine.people import By


class NotTheOpener(NotAllowed):
    """This is for whoever opened the case, and their colleagues with the same duty."""

    def __init__(self) -> None:
        super().__init__(
            "这件事只能由发起的一方办理。",
            "Only whoever began this case, or a colleague with the same duty, may do that.",
        )


def opener(desk: Desk, by: By) -> Authority:
    """The post by which this person acts for whoever opened the case; raises NotTheOpener.

    The duty counts in the case's place and the units above it. A process that anybody may open is
    for the one who did.
    """
    people, case = desk.directory, desk.case
    duty = desk.context.definition.opened_by
    if duty is None:
        reporters = {doer.person for doer in case.doers.get("report", ())}
        held = people.capacities(by.person, desk.at) if by.person in reporters else ()
        found = next(iter(held), None)
    else:
        units = people.offices_over(case.place)
        found = people.authority(by.person, duty, units, desk.at, by.on_behalf_of)
    if found is None:
        raise NotTheOpener
    return found
