"""A notice on its way out: what is told, to whom, and how a channel says that it was not taken."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Letter:
    """What is told, in the language of its reader; lines: without the link, which stands last."""

    subject: str
    lines: tuple[str, ...]
    link: str
    due: datetime | None = None
    locale: str = "zh"

    @property
    def text(self) -> str:
        """Everything, as plain text."""
        return "\n".join((*self.lines, self.link))


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message as it leaves.

    id: the same at every attempt. address: of its receiver on this channel. account: the name by
    which another system knows a person. at: of this attempt.
    """

    id: str
    address: str
    account: str
    letter: Letter
    at: datetime


class NotTakenError(Exception):
    """The channel did not take a message; for_good: it never will."""

    def __init__(self, chinese: str, english: str, *, for_good: bool = False) -> None:
        super().__init__(english)
        self.why = (chinese, english)
        self.for_good = for_good


Send = Callable[[Outgoing], None]
