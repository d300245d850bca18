"""管控指数的登记: what `@index` says of weights and editions, folded. Pure.

Whoever reads an export reads the same there: which file of weights is in force from which month,
which tables were computed, what units objected to, what they were answered, what was published.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from audit.encoding import instant
from audit.entries import Entry
from engine.errors import NotFound

STREAM: Final = "@index"
UPHELD: Final = "upheld"
REJECTED: Final = "rejected"
RULINGS: Final = (UPHELD, REJECTED)


class NoSuchEdition(NotFound):
    """No edition has this number, or no objection."""

    def __init__(self) -> None:
        super().__init__(
            "没有这一期指数，或没有这条异议。请从指数页面重新打开。",
            "There is no such edition of the index, or no such objection; open it from the page of "
            "the index.",
        )


@dataclass(frozen=True, slots=True)
class Adopted:
    """A file of weights that was adopted; month: from which on it is in force."""

    entry: Entry

    @property
    def version(self) -> int:
        """The version the file bears."""
        return int(self.entry.data["version"])

    @property
    def sha256(self) -> str:
        """Of the file, hex."""
        return str(self.entry.data["sha256"])

    @property
    def month(self) -> str:
        """The first month it is in force, `2026-03`."""
        return str(self.entry.data["from"])

    @property
    def note(self) -> str:
        """The signed note that names all this."""
        return str(self.entry.data["note"])


@dataclass(frozen=True, slots=True)
class Objection:
    """What a unit objects to, and the entry by which it was answered, if it was."""

    entry: Entry
    answer: Entry | None = None

    @property
    def unit(self) -> str:
        """Which unit objects."""
        return str(self.entry.data["unit"])

    @property
    def upheld(self) -> bool:
        """Whether it was found to be right."""
        return self.answer is not None and self.answer.data["ruling"] == UPHELD


@dataclass(frozen=True, slots=True)
class Edition:
    """The table of a month as it was computed once.

    published: by which entry. followed: another edition of its month was computed after it.
    """

    entry: Entry
    objections: tuple[Objection, ...] = ()
    published: Entry | None = None
    followed: bool = False

    @property
    def seq(self) -> int:
        """The number of its entry, which addresses go by."""
        return self.entry.seq

    @property
    def month(self) -> str:
        """Of which month, `2026-03`."""
        return str(self.entry.data["month"])

    @property
    def number(self) -> int:
        """The how-manieth of its month, from 1."""
        return int(self.entry.data["edition"])

    @property
    def told(self) -> Mapping[str, Any]:
        """What its entry says."""
        return self.entry.data

    @property
    def until(self) -> datetime:
        """When the time for objections ends."""
        return instant(self.entry.data["until"])

    @property
    def waiting(self) -> list[Objection]:
        """The objections without an answer."""
        return [one for one in self.objections if one.answer is None]

    def open(self, at: datetime) -> bool:
        """Whether units may object to it now."""
        return at < self.until and self.published is None and not self.followed


@dataclass(frozen=True, slots=True)
class IndexRegister:
    """adopted: in order. editions: by number of their entry, in order."""

    adopted: tuple[Adopted, ...] = ()
    editions: Mapping[int, Edition] = field(default_factory=dict)

    def in_force(self, month: str) -> Adopted | None:
        """The file of weights adopted last among those in force for a month; None for none."""
        fitting = [one for one in self.adopted if one.month <= month]
        return fitting[-1] if fitting else None

    def of(self, month: str) -> list[Edition]:
        """The editions of a month, the first one first."""
        return [one for one in self.editions.values() if one.month == month]

    def published(self, month: str) -> Edition | None:
        """What stands as the table of a month: the edition published last."""
        told = [one for one in self.of(month) if one.published]
        return max(told, key=_published_at, default=None)

    def edition(self, seq: int) -> Edition:
        """The edition whose entry has this number; raises NoSuchEdition."""
        try:
            return self.editions[seq]
        except KeyError:
            raise NoSuchEdition from None

    def overtaken(self) -> list[Edition]:
        """The last edition of each month that stands by other weights than are in force for it."""
        last = {one.month: one for one in self.editions.values()}
        return [one for one in last.values() if self._by_others(one)]

    def _by_others(self, edition: Edition) -> bool:
        now = self.in_force(edition.month)
        return now is not None and now.sha256 != edition.told["weights_sha256"]


def _published_at(edition: Edition) -> int:
    return edition.published.seq if edition.published else 0


def index_register(entries: Iterable[Entry]) -> IndexRegister:
    """Fold the entries of `@index`, in order."""
    adopted, editions, objected = list[Adopted](), dict[int, Edition](), dict[int, int]()
    for entry in entries:
        if entry.type == "index.weights_adopted":
            adopted.append(Adopted(entry))
        elif entry.type == "index.computed":
            for seq, one in editions.items():
                if one.month == entry.data["month"]:
                    editions[seq] = replace(one, followed=True)
            editions[entry.seq] = Edition(entry)
        elif entry.type == "index.objected":
            seq = objected[entry.seq] = entry.data["computed"]
            objections = (*editions[seq].objections, Objection(entry))
            editions[seq] = replace(editions[seq], objections=objections)
        elif entry.type == "index.objection_answered":
            seq = objected[entry.data["objected"]]
            editions[seq] = _answered(editions[seq], entry)
        elif entry.type == "index.published":
            seq = entry.data["computed"]
            editions[seq] = replace(editions[seq], published=entry)
    return IndexRegister(tuple(adopted), editions)


def _answered(edition: Edition, answer: Entry) -> Edition:
    return replace(
        edition,
        objections=tuple(
            replace(one, answer=answer) if one.entry.seq == answer.data["objected"] else one
            for one in edition.objections
        ),
    )
