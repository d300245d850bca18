"""居民扫码上报: a hazard reported by somebody who is nobody here, where they scanned a code.

Floods are kept out by counting reports, per code and in all, in the hour that runs. Nothing of who
reports is looked at, so there is nothing of them to keep.
"""

import re
import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Column, Connection, Integer, Table, Text, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from audit.encoding import timestamp
from audit.log import metadata
from engine import place_codes
from engine.cases import Place, Report, open_case
from engine.casework import Done, answered
from engine.definition_sets import latest
from engine.definitions import OPENING_FORM
from engine.directory import Directory
from engine.errors import BadInput, NotAllowed, Refusal
from engine.evidence import Evidence
from engine.forms import FieldError, FormRefused
from engine.people import directory
from engine.receipt_codes import Prepared, register
from engine.register import register_table
from engine.sealed_answers import NoVault, subject_of
from engine.uploads import PHOTOS
from engine.vault import Vault

PROCESS: Final = "hazard"
CHANNEL: Final = "qr"
RESIDENT: Final = "resident:"
# What a form of the opening asks of residents alone.
CONTACT, ALSO = "contact", "also"
LONGEST_WORDS: Final = 200
LONGEST_TITLE: Final = 60
LONGEST_WHERE: Final = 100
LONGEST_CONTACT: Final = 100
MOST_PHOTOS: Final = 3
# Within the hour: cases opened, and forms sent at all (a form may come back for a fault).
OPENED, SENT = "opened", "sent"
MOST: Final = {OPENED: (20, 200), SENT: (80, 800)}
ALL: Final = ""
SIMILAR_FOR: Final = timedelta(days=3)
# Mobile and fixed telephones, identity cards, and the numbers of the demonstration.
_PERSONAL: Final = re.compile(
    r"(?<!\d)(?:1[3-9]\d[\s-]?\d{4}[\s-]?\d{4}|0\d{2,3}-?\d{7,8}|\d{17}[\dXx]|000-\d{4})(?!\d)"
)

flow_table = Table(
    "resident_flow",
    metadata,
    Column("code", Text, primary_key=True),
    Column("what", Text, primary_key=True),
    Column("hour", Text, primary_key=True),
    Column("count", Integer, nullable=False),
)


class TooManyReports(NotAllowed):
    """This code, or all of them, had as many within the hour as can be looked at."""

    def __init__(self) -> None:
        super().__init__(
            "这一小时里报得太多，没有收下，怕是有人捣乱。填的请先留着，过一小时再报；急的请找网格员。",
            "There were too many reports within the hour; this was not taken. Keep what you wrote "
            "and try in an hour, or tell your grid worker if it is urgent.",
        )


class NumbersInWords(BadInput):
    """A telephone or identity number stands where everybody at work reads it."""


class NotOpenToResidents(Refusal):
    """The process as it is deployed takes no reports from residents."""

    def __init__(self) -> None:
        super().__init__(
            "本街道还没有开通扫码上报。请找网格员或社区上报。",
            "This street does not take reports by code yet. Tell your grid worker.",
        )


@dataclass(frozen=True, slots=True)
class Told:
    """What a resident says. category: of the catalogue. contact: how to tell them the result.

    also: they were told that something like it had been reported, and say that it happened to them.
    """

    category: str
    words: str
    where: str = ""
    contact: str = field(default="", repr=False)
    also: bool = False
    photos: Sequence[Evidence] = ()


def new_resident() -> str:
    """Who a resident is in the log: drawn anew for each case, so that nothing links two."""
    return f"{RESIDENT}{secrets.token_hex(8)}"


def report_by_code(
    conn: Connection,
    vault: Vault | None,
    code: str,
    told: Told,
    *,
    receipt: Prepared,
    at: datetime,
    key: str,
    resident: str = "",
) -> Done:
    """Open a hazard at the place of a scanned code, and let the receipt code follow it.

    receipt: made of the code that answers this form (receipt_codes.prepare). Sent twice, it is
    answered twice with the same case. resident: a new one unless the demonstration names theirs.
    Raises what `place_codes.look_up` does, TooManyReports, FormRefused, NotOpenToResidents and
    NoVault.
    """
    known = answered(conn, key)
    if known:
        return known
    if vault is None:
        raise NoVault
    place = place_codes.look_up(conn, code, at=at)
    check(told)
    if not latest(conn, PROCESS).started_by_resident:
        raise NotOpenToResidents
    count(conn, place.code, OPENED, at=at)
    who = resident or new_resident()
    report = _report(directory(conn), place.unit, told, who)
    done = open_case(conn, report, by=None, at=at, vault=vault, key=key)
    if not done.repeated:
        subject = subject_of(done.case, "content")
        register(vault, receipt, subject, done.case, complainant=who, at=at)
    return done


def _report(people: Directory, unit: str, told: Told, who: str) -> Report:
    words, address = _plain(told.words), _plain(told.where) or place_name(people, unit)
    form: dict[str, Any] = {
        "title": words[:LONGEST_TITLE],
        "category": told.category,
        "address": address,
        "description": words,
    }
    form |= {ALSO: True} if told.also else {}
    form |= {CONTACT: _plain(told.contact)} if _plain(told.contact) else {}
    return Report(
        process=PROCESS,
        category=told.category,
        title=words[:LONGEST_TITLE],
        place=Place(unit, address),
        form=form,
        source="resident",
        evidence=told.photos,
        actor={"person": who, "capacity": "report", "channel": CHANNEL},
    )


def place_name(people: Directory, unit: str) -> str:
    """A place as people call it: 听涛社区 听涛苑 第一网格."""
    path = reversed(people.path(unit)[:-1] or (unit,))
    return " ".join(people.unit(one).name for one in path)


def check(told: Told) -> None:
    """Raise FormRefused for whatever a resident has to put right, all of it at once."""
    errors = [*_category(told.category), *_words(told.words), *_where(told.where)]
    if len(_plain(told.contact)) > LONGEST_CONTACT:
        errors.append(_too_long(CONTACT, LONGEST_CONTACT))
    if len(told.photos) > MOST_PHOTOS or any(p.media not in PHOTOS for p in told.photos):
        chinese = f"照片最多 {MOST_PHOTOS} 张，只收照片。"
        errors.append(
            FieldError("evidence_before", chinese, f"{MOST_PHOTOS} photos at most, only photos.")
        )
    if errors:
        raise FormRefused(errors)


def _category(category: str) -> list[FieldError]:
    if category:
        return []
    return [FieldError("category", "请选一类。", "Choose what it is.")]


def _words(text: str) -> list[FieldError]:
    words = _plain(text)
    if len(words) < 2:
        return [
            FieldError("words", "请用一句话说说看到了什么。", "Say in a sentence what you saw.")
        ]
    if len(words) > LONGEST_WORDS:
        return [_too_long("words", LONGEST_WORDS)]
    return _personal("words", words)


def _where(text: str) -> list[FieldError]:
    where = _plain(text)
    if len(where) > LONGEST_WHERE:
        return [_too_long("where", LONGEST_WHERE)]
    return _personal("where", where)


def _too_long(name: str, most: int) -> FieldError:
    return FieldError(name, f"最多 {most} 个字，请写短些。", f"{most} characters at most.")


def _personal(name: str, text: str) -> list[FieldError]:
    """What would stay in the record for ever: told before it gets there."""
    return [FieldError(name, *_NUMBERS)] if _PERSONAL.search(_folded(text)) else []


def check_no_numbers(*texts: str) -> None:
    """Raise NumbersInWords if one of these has a telephone or identity number in it."""
    if any(_PERSONAL.search(_folded(text)) for text in texts):
        raise NumbersInWords(*_NUMBERS)


_NUMBERS: Final = (
    "这里像是写了电话或证件号。请删去：这一栏办事的人都看得到，写进记录就删不掉了。",
    (
        "This looks like a telephone or identity number. Take it out: whoever works on it sees "
        "this, and what is on the record stays."
    ),
)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


# --- something like it ----------------------------------------------------------------------------


def similar_nearby(conn: Connection, unit: str, category: str, *, at: datetime) -> int:
    """How many hazards of this category were reported around this place in the last three days.

    A number and nothing else: what others wrote is theirs.
    """
    known = register_table.c
    query = select(func.count()).where(
        known.process == PROCESS,
        known.category == category,
        known.confidential == 0,
        known.unit.in_(_around(directory(conn), unit)),
        known.opened_at >= timestamp(at - SIMILAR_FOR),
    )
    return int(conn.execute(query).scalar_one())


def _around(people: Directory, unit: str) -> frozenset[str]:
    """The place and what lies in it; of a micro-grid, the grid it is part of."""
    where = people.unit(unit)
    whole = where.parent if where.kind == "micro_grid" and where.parent else unit
    return people.subtree(whole)


# --- floods ---------------------------------------------------------------------------------------


def count(conn: Connection, code: str, what: str, *, at: datetime) -> None:
    """Count one more of this hour, for the code and in all; raises TooManyReports.

    Of two at once one waits here for the other, so that no limit is passed unseen.
    """
    hour = timestamp(at)[:13]
    conn.execute(delete(flow_table).where(flow_table.c.hour < timestamp(at - timedelta(1))[:13]))
    # Always in this order: two that lock two rows the other way round would wait for ever.
    for name, most in zip((ALL, code), reversed(MOST[what]), strict=True):
        if _counted(conn, name, what, hour) > most:
            raise TooManyReports


def _counted(conn: Connection, code: str, what: str, hour: str) -> int:
    dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
    row = {"code": code, "what": what, "hour": hour, "count": 1}
    more = dialect.insert(flow_table).values(row)
    more = more.on_conflict_do_update(
        index_elements=["code", "what", "hour"], set_={"count": flow_table.c.count + 1}
    )
    return int(conn.execute(more.returning(flow_table.c.count)).scalar_one())


def asked_categories(conn: Connection) -> list[tuple[str, str, str]]:
    """The categories a report may be of: value, Chinese and English name, in their order."""
    asked = latest(conn, PROCESS).forms[OPENING_FORM].field("category")
    return [(one.value, one.title, one.title_en) for one in (asked.choices if asked else ())]
