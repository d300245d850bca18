"""代录: what a colleague says and somebody else types. The record has both, and both did it.

Whoever types needs no right to the step and gets none: the colleague who said it must be able to
do it. It is for what a process has drawn `proxy`, in the colleague's own post, by somebody with a
post of their own in the colleague's unit or above it, and never for what is confidential.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from engine.definitions import Definition, UserTask
from engine.directory import Authority, Directory
from engine.errors import BadInput, NotAllowed, NotFound
from engine.people import By, actor
from engine.rights import BLIND


class NoColleague(NotFound):
    """Nobody by this id holds a post now."""

    def __init__(self) -> None:
        super().__init__(
            "没有这位同事，或现在没有岗位，不能代录。请重新选。",
            "There is no such colleague with a post now. Choose again.",
        )


class OwnWord(BadInput):
    """What one says oneself is not typed for somebody."""

    def __init__(self) -> None:
        super().__init__(
            "自己的事不用代录。请去掉“替同事录入”，直接提交。",
            "This is your own: leave out for whom you type it, and send it as yours.",
        )


class NotYourColleague(NotAllowed):
    """One types for people of one's own unit and of those below it."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name}不在您的单位或下级单位，不能由您代录。请{name}单位的同事来录。",
            f"{name} belongs neither to your unit nor to one below it. Let somebody there type it.",
        )


class NotOnWord(NotAllowed):
    """The process has not drawn that this may be done on a colleague's word."""

    def __init__(self) -> None:
        super().__init__(
            "这件事不能代录，须由本人办理。", "This is not typed for others: it is done in person."
        )


class NotTheirs(NotAllowed):
    """The colleague could not do it either."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name}自己现在也不能办这件事（没有这个岗位、在别人手里，或须回避），所以不能代录。",
            f"{name} could not do this now either: it takes another post, is in other hands, or "
            "they are kept from it. So it cannot be typed for them.",
        )


def check_drawn(definition: Definition, step: UserTask | None = None) -> None:
    """What may be typed for a colleague: a step, or the opening where none is given.

    Raises NotOnWord.
    """
    drawn = definition.proxy if step is None else step.proxy
    if not drawn or definition.confidential:
        raise NotOnWord


def typist(people: Directory, by: By, said: Authority, at: datetime) -> Authority:
    """The own post by which somebody types what `said` is the colleague's right to say.

    Raises OwnWord, NotYourColleague.
    """
    if by.person == said.person:
        raise OwnWord
    above = people.path(said.unit)
    held = (one for one in _own(people, by.person, at) if one.unit in above)
    found = next(held, None)
    if found is None:
        raise NotYourColleague(people.name(said.person))
    return found


def on_word(
    people: Directory, by: By, said: Authority, capacity: str, at: datetime
) -> dict[str, Any]:
    """The actor of what is typed for a colleague; raises OwnWord, NotYourColleague, NotTheirs."""
    if said.on_behalf_of is not None:
        raise NotTheirs(people.name(said.person))
    who = actor(typist(people, by, said, at), capacity, channel=by.channel)
    informant = {"person": said.person, "post": said.post, "unit": said.unit}
    return who | {"informant": informant}


def check_in_office(people: Directory, person: str, at: datetime) -> None:
    """Raise NoColleague for a person without a post now."""
    if not people.posts_of(person, at):
        raise NoColleague


def colleagues(people: Directory, by: By, at: datetime) -> Iterator[Authority]:
    """Everybody one may type for, by a post of theirs: of one's own units and of those below."""
    for post in people.posts_in(units_below(people, by, at)):
        for held in _own(people, post.person, at):
            if held.post == post.id and post.person != by.person:
                yield held


def units_below(people: Directory, by: By, at: datetime) -> set[str]:
    """One's own units and those below them: whoever has a post there is a colleague."""
    own = {one.unit for one in _own(people, by.person, at)}
    return {unit for mine in own for unit in people.subtree(mine) if mine in people.path(unit)}


def _own(people: Directory, person: str, at: datetime) -> Iterator[Authority]:
    """What somebody may do by their own posts; keeping the register is no work among colleagues."""
    held = people.capacities(person, at)
    return (one for one in held if one.on_behalf_of is None and one.duty not in BLIND)
