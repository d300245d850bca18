"""一码扫楼: the code on a door, which names its place to whoever scans it.

The register `@codes` is the truth: each code issued, renewed with a reason, and printed, by whom.
A code is no secret (it hangs on a wall), so it stands there in clear. The table is a projection.
"""

import re
import secrets
import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Column, Connection, Integer, Table, Text, delete, insert, select, update

from audit import log
from audit.encoding import instant, timestamp
from audit.entries import Draft, Entry
from audit.log import metadata
from engine.directory import Authority, Directory, valid
from engine.errors import BadInput, Conflict, NotAllowed, NotFound
from engine.people import By, actor, directory
from engine.reasons import reasoned

STREAM: Final = "@codes"
# Without 0 O 1 I L: a code is also typed from a wall. 31 letters, a prime number (see `_check`).
LETTERS: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
LENGTH: Final = 8
# What this project chose; a sheet in the weather does not outlast it.
LASTS: Final = timedelta(days=730)
# Where people live and work; offices and companies have no door to hang a code on.
PLACES: Final = ("community", "general_grid", "micro_grid", "exclusive_grid")
# Who looks after the codes: administrators, and whoever heads the community.
ANYWHERE: Final = "administer"
OVER_PLACE: Final = "confirm"

place_code_table = Table(
    "place_code",
    metadata,
    Column("code", Text, primary_key=True),
    Column("unit", Text, nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("issued_at", Text, nullable=False),
    Column("until", Text, nullable=False),
    Column("replaced_at", Text),
)


class BadPlaceCode(BadInput):
    """This is no code of ours: too short, too long, or a letter is wrong."""

    def __init__(self) -> None:
        super().__init__(
            "这个码不对。请重新扫一次；照着墙上输入的，请核对这 8 个字母和数字。",
            "This is not one of our codes. Scan it again; if you typed it, check its 8 letters.",
        )


class UnknownPlaceCode(NotFound):
    """The code was never issued here."""

    def __init__(self) -> None:
        super().__init__(
            "没有发过这个码。可能是别处的码，也可能有人乱贴。请告诉社区，也请直接找网格员上报。",
            "This code was never issued here; it may be another place's, or somebody put it up. "
            "Please tell the community, and report to your grid worker.",
        )


class CodeReplaced(Conflict):
    """Another code counts for this place now."""


class CodeEnded(Conflict):
    """The code is past its date, or its place is no more."""


class AlreadyIssued(Conflict):
    """The place has a code that counts: renew it instead."""


class NoCodeYet(Conflict):
    """There is nothing to renew or to print."""


class NoPlace(BadInput):
    """A unit that is no place people could scan a code at."""


class NotYourPlace(NotAllowed):
    """Codes are looked after by administrators and by whoever heads the community."""

    def __init__(self) -> None:
        super().__init__(
            "这里的码由管理员和所在社区的负责人保管，您不能发码、换码、打印。请找他们办理。",
            "Codes here are kept by administrators and by the head of the community; ask them.",
        )


@dataclass(frozen=True, slots=True)
class PlaceCode:
    """A code: the place it names, the how-manieth it is there, and from when until when it counts.

    replaced_at: since when another one counts instead, or None.
    """

    code: str
    unit: str
    version: int
    issued_at: datetime
    until: datetime
    replaced_at: datetime | None

    def counts(self, at: datetime) -> bool:
        """Whether it may be reported by now."""
        return self.replaced_at is None and at < self.until


# --- acts -----------------------------------------------------------------------------------------


def issue(
    conn: Connection,
    unit: str,
    *,
    by: By,
    at: datetime,
    lasts: timedelta = LASTS,
    randomness: Callable[[int], bytes] = secrets.token_bytes,
) -> PlaceCode:
    """Give a place its first code, or one after the last has run out.

    randomness: gives so many bytes; the demonstration brings its own. Raises NotYourPlace, NoPlace,
    AlreadyIssued.
    """
    head = log.take(conn, STREAM)
    clerk, last = _clerk(conn, unit, by, at), _last(conn, unit)
    if last is not None and last.counts(at):
        raise AlreadyIssued(
            "这里已有一张有效的码。要换新，请用“换新码”，并写明原因。",
            "This place has a code that counts. To replace it, renew it and say why.",
        )
    return _issue(conn, head, unit, last, clerk, at, lasts, randomness, "")


def renew(
    conn: Connection,
    unit: str,
    reason: str,
    *,
    by: By,
    at: datetime,
    lasts: timedelta = LASTS,
    randomness: Callable[[int], bytes] = secrets.token_bytes,
) -> PlaceCode:
    """Replace the code of a place: from now on only the new one counts.

    Raises NotYourPlace, NoPlace, NoCodeYet, NoReason.
    """
    head = log.take(conn, STREAM)
    clerk, last = _clerk(conn, unit, by, at), _last(conn, unit)
    if last is None or not last.counts(at):
        raise _nothing_yet()
    told = reasoned(reason, what="换码的原因", english="why it is renewed")
    return _issue(conn, head, unit, last, clerk, at, lasts, randomness, told)


def note_printed(
    conn: Connection, units: Sequence[str], *, by: By, at: datetime
) -> list[PlaceCode]:
    """Put on the record that the codes of these places are printed; returns them in that order.

    Raises NotYourPlace, NoPlace, NoCodeYet.
    """
    head = log.take(conn, STREAM)
    clerks = [_clerk(conn, unit, by, at) for unit in units]
    counting = current(conn, units, at=at)
    if not clerks or counting.keys() != set(units):
        raise _nothing_yet()
    codes = [counting[unit] for unit in units]
    data = {"codes": [one.code for one in codes]}
    log.append(conn, head, [Draft("code.printed", data, clerks[0], at)])
    return codes


def _nothing_yet() -> NoCodeYet:
    return NoCodeYet(
        "这里还没有有效的码，请先发码。", "There is no code that counts here; issue one first."
    )


def _issue(
    conn: Connection,
    head: log.Head,
    unit: str,
    last: PlaceCode | None,
    clerk: dict[str, Any],
    at: datetime,
    lasts: timedelta,
    randomness: Callable[[int], bytes],
    reason: str,
) -> PlaceCode:
    code = _fresh(conn, randomness)
    version = last.version + 1 if last else 1
    data: dict[str, Any] = {"code": code, "unit": unit, "version": version}
    data["until"] = timestamp(at + lasts)
    data |= {"replaces": last.code, "reason": reason} if last and reason else {}
    entries, _ = log.append(conn, head, [Draft("code.issued", data, clerk, at)])
    apply(conn, entries[0])
    return _told(
        conn.execute(select(place_code_table).where(place_code_table.c.code == code)).one()
    )


def _fresh(conn: Connection, randomness: Callable[[int], bytes]) -> str:
    while True:
        code = drawn(randomness)
        if _find(conn, code) is None:
            return code


def _clerk(conn: Connection, unit: str, by: By, at: datetime) -> dict[str, Any]:
    people = directory(conn)
    where = people.unit(unit)
    if where.kind not in PLACES or not valid(where, at):
        raise NoPlace(
            f"{where.name}不是现有的社区或网格，不能发码。",
            f"{where.name} is no community or grid that exists now; it gets no code.",
        )
    held = keeper(people, by, unit, at)
    if held is None:
        raise NotYourPlace
    return actor(held, held.duty, channel=by.channel)


def keeper(people: Directory, by: By, unit: str, at: datetime) -> Authority | None:
    """The post by which this person looks after the code of a place, or None."""
    over = people.authority(by.person, OVER_PLACE, people.path(unit), at, by.on_behalf_of)
    return over or people.authority(by.person, ANYWHERE, None, at, by.on_behalf_of)


def kept_places(people: Directory, by: By, at: datetime) -> list[str]:
    """The places whose codes this person looks after."""
    held = people.capacities(by.person, at)
    anywhere = any(one.duty == ANYWHERE for one in held)
    below = {unit for one in held for unit in people.subtree(one.unit)}
    places = (unit for unit in people.units.values() if unit.kind in PLACES and valid(unit, at))
    near = (unit.id for unit in places if anywhere or unit.id in below)
    return [unit for unit in near if keeper(people, by, unit, at)]


# --- looking up -----------------------------------------------------------------------------------


def written(typed: str) -> str:
    """A code as it is recorded, from an address or a keyboard; raises BadPlaceCode."""
    plain = re.sub(r"[\s\-]", "", unicodedata.normalize("NFKC", typed[:40]).upper())
    fits = len(plain) == LENGTH and all(letter in LETTERS for letter in plain)
    if not fits or plain[-1] != _check(plain[:-1]):
        raise BadPlaceCode
    return plain


def look_up(conn: Connection, typed: str, *, at: datetime) -> PlaceCode:
    """The code that was scanned. Raises BadPlaceCode, UnknownPlaceCode, CodeReplaced, CodeEnded."""
    found = _find(conn, written(typed))
    if found is None:
        raise UnknownPlaceCode
    if found.replaced_at is not None:
        raise CodeReplaced(
            "这张码已经换成新的了，谢谢您的热心。请扫旁边新贴的码；没有新码，请直接找网格员上报。",
            "This code was replaced by a new one. Please scan the new one beside it; if there is "
            "none, report to your grid worker.",
        )
    if not found.counts(at) or not valid(directory(conn).unit(found.unit), at):
        raise CodeEnded(
            "这张码已过有效期。请告诉社区换新，也请直接找网格员上报。",
            "This code is past its date. Please tell the community, and report to your grid "
            "worker.",
        )
    return found


def current(conn: Connection, units: Collection[str], *, at: datetime) -> dict[str, PlaceCode]:
    """The code that counts now of each of these places that has one."""
    query = select(place_code_table).where(
        place_code_table.c.unit.in_(units), place_code_table.c.replaced_at.is_(None)
    )
    found = (_told(row) for row in conn.execute(query.order_by(place_code_table.c.version)))
    return {one.unit: one for one in found if one.counts(at)}


def _find(conn: Connection, code: str) -> PlaceCode | None:
    row = conn.execute(select(place_code_table).where(place_code_table.c.code == code)).first()
    return _told(row) if row else None


def _last(conn: Connection, unit: str) -> PlaceCode | None:
    query = select(place_code_table).where(place_code_table.c.unit == unit)
    row = conn.execute(query.order_by(place_code_table.c.version.desc()).limit(1)).first()
    return _told(row) if row else None


def _told(row: Any) -> PlaceCode:
    replaced = None if row.replaced_at is None else instant(row.replaced_at)
    return PlaceCode(
        row.code, row.unit, row.version, instant(row.issued_at), instant(row.until), replaced
    )


# --- the code itself ------------------------------------------------------------------------------


def drawn(randomness: Callable[[int], bytes]) -> str:
    """A code, its check letter at the end; randomness: gives so many bytes."""
    # 128 bits over 31^7: no bias anybody could measure.
    number, letters = int.from_bytes(randomness(16)), ""
    for _ in range(LENGTH - 1):
        number, letter = divmod(number, len(LETTERS))
        letters += LETTERS[letter]
    return letters + _check(letters)


def _check(letters: str) -> str:
    """The last letter: a weighted sum modulo a prime, so that no one slip and no swap goes by."""
    told = sum(place * LETTERS.index(letter) for place, letter in enumerate(letters, start=1))
    return LETTERS[told % len(LETTERS)]


# --- the projection -------------------------------------------------------------------------------


def apply(conn: Connection, entry: Entry) -> None:
    """Put an event of the register into the table."""
    for row in rows_of(entry):
        conn.execute(insert(place_code_table), row)
    replaced = entry.data.get("replaces")
    if replaced:
        conn.execute(
            update(place_code_table)
            .where(place_code_table.c.code == replaced)
            .values(replaced_at=timestamp(entry.at))
        )


def rows_of(entry: Entry) -> list[dict[str, Any]]:
    """The rows an event makes: one for a code that was issued."""
    if entry.type != "code.issued":
        return []
    told = {name: entry.data[name] for name in ("code", "unit", "version", "until")}
    return [told | {"issued_at": timestamp(entry.at), "replaced_at": None}]


def folded(entries: Sequence[Entry]) -> dict[str, dict[str, Any]]:
    """All rows that the register gives, by code."""
    rows: dict[str, dict[str, Any]] = {}
    for entry in entries:
        rows |= {row["code"]: row for row in rows_of(entry)}
        if "replaces" in entry.data:
            rows[entry.data["replaces"]]["replaced_at"] = timestamp(entry.at)
    return rows


def rebuild_place_codes(conn: Connection) -> None:
    """Make the table anew from the register."""
    conn.execute(delete(place_code_table))
    for entry in log.read(conn, STREAM):
        apply(conn, entry)
