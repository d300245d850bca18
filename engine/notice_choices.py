"""How each person wants to be told: addresses, confirmed before they are used, and when.

Kept in private tables, never in the log: an address is nobody's business but its owner's.
"""

import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta, tzinfo
from typing import Any, Final

import orjson
from sqlalchemy import Column, Connection, Integer, Table, Text, delete, insert, select, update

from audit.encoding import instant, timestamp
from audit.log import metadata
from engine.errors import BadInput, Conflict, NotFound

MAIL: Final = "mail"
SMS: Final = "sms"
PORTAL: Final = "portal"
CODE_HOLDS: Final = timedelta(hours=1)
CODE_AGAIN: Final = timedelta(minutes=1)
CODE_TRIES: Final = 5
_MAIL: Final = re.compile(r"[\w.!#$%&*+/=?^{|}~-]{1,64}@[A-Za-z0-9.-]+\.[A-Za-z0-9-]{2,}", re.ASCII)
_PHONE: Final = re.compile(r"\+?\d[\d -]{4,19}", re.ASCII)
_TIME: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)

choice_table = Table(
    "notice_choice",
    metadata,
    Column("person", Text, primary_key=True),
    # JSON list of posts whose claimable steps the person wants to hear of.
    Column("posts", Text, nullable=False),
    # Local times HH:MM; equal ones: no quiet hours. digest_at "": each notice by itself.
    Column("quiet_from", Text, nullable=False),
    Column("quiet_until", Text, nullable=False),
    Column("digest_at", Text, nullable=False),
)
address_table = Table(
    "notice_address",
    metadata,
    Column("person", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("address", Text, nullable=False),
    Column("wanted", Integer, nullable=False),
    Column("confirmed_at", Text),
    # In clear until it is used: it has to be sent again after a crash, and is worth nothing to
    # whoever can read this table.
    Column("code", Text),
    Column("code_at", Text),
    Column("tries", Integer, nullable=False),
)


class BadAddress(BadInput):
    """The address is none to which this channel can send."""


class BadTime(BadInput):
    """A time of day that is none."""

    def __init__(self) -> None:
        super().__init__(
            "时间请写成 21:00 这样，没有保存。", "Write the time like 21:00; nothing was saved."
        )


class WrongCode(BadInput):
    """The code is not the one that was sent, or holds no longer."""

    def __init__(self) -> None:
        super().__init__(
            "确认码不对，或已过一小时，或输错太多次。请重新获取确认码。",
            "The code is wrong, older than an hour, or was mistyped too often; ask for a new one.",
        )


class TooSoon(Conflict):
    """A code was sent a moment ago."""

    def __init__(self) -> None:
        super().__init__(
            "确认码刚发过，请等一分钟再取。", "A code was sent just now; wait for a minute."
        )


class NoAddress(NotFound):
    """There is no confirmed address on this channel."""

    def __init__(self) -> None:
        super().__init__(
            "这个渠道还没有确认过的地址，请先填写并确认。",
            "There is no confirmed address on this channel; add and confirm one first.",
        )


@dataclass(frozen=True, slots=True)
class Choice:
    """When a person wants to be told. posts: whose claimable steps they want to hear of."""

    person: str
    posts: frozenset[str] = frozenset()
    quiet_from: str = "21:00"
    quiet_until: str = "07:30"
    digest_at: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a person can be reached on a channel. code: confirms it, while it holds."""

    channel: str
    address: str
    wanted: bool
    confirmed: bool
    code: str = ""

    @property
    def used(self) -> bool:
        """Whether notices go there."""
        return self.wanted and self.confirmed


# --- when -----------------------------------------------------------------------------------------


def read_choice(conn: Connection, person: str) -> Choice:
    """What a person has chosen, or the usual."""
    found = select(choice_table).where(choice_table.c.person == person)
    row = conn.execute(found).first()
    return Choice(person) if row is None else _choice(row)


def choices(conn: Connection) -> Mapping[str, Choice]:
    """What everybody has chosen who chose something."""
    return {row.person: _choice(row) for row in conn.execute(select(choice_table))}


def choose(
    conn: Connection,
    person: str,
    *,
    posts: Collection[str],
    quiet_from: str,
    quiet_until: str,
    digest_at: str = "",
) -> Choice:
    """Keep what a person chooses; times are local, HH:MM. Raises BadTime."""
    chosen = Choice(
        person, frozenset(posts), _time(quiet_from), _time(quiet_until),
        _time(digest_at) if digest_at.strip() else "",
    )  # fmt: skip
    row = {
        "posts": orjson.dumps(sorted(chosen.posts)).decode(),
        "quiet_from": chosen.quiet_from,
        "quiet_until": chosen.quiet_until,
        "digest_at": chosen.digest_at,
    }
    known = update(choice_table).where(choice_table.c.person == person)
    if not conn.execute(known.values(row)).rowcount:
        conn.execute(insert(choice_table), {"person": person, **row})
    return chosen


def next_digest(choice: Choice, at: datetime, zone: tzinfo) -> datetime:
    """The next time of day at which this person wants everything at once; after `at`."""
    return _next(choice.digest_at, at, zone)


def after_quiet(choice: Choice, at: datetime, zone: tzinfo) -> datetime:
    """`at`, or the end of the quiet hours it falls into, which may reach over midnight."""
    now = at.astimezone(zone).strftime("%H:%M")
    start, end = choice.quiet_from, choice.quiet_until
    is_quiet = start <= now < end if start <= end else now >= start or now < end
    return _next(end, at, zone) if is_quiet else at


def _next(told: str, at: datetime, zone: tzinfo) -> datetime:
    local = at.astimezone(zone)
    then = datetime.combine(local.date(), time.fromisoformat(told), zone)
    return (then if then > local else then + timedelta(days=1)).astimezone(at.tzinfo)


def _time(text: str) -> str:
    found = _TIME.fullmatch(text.strip().replace("：", ":"))
    if found is None:
        raise BadTime
    return f"{int(found[1]):02d}:{found[2]}"


def _choice(row: Any) -> Choice:
    posts = frozenset(orjson.loads(row.posts))
    return Choice(row.person, posts, row.quiet_from, row.quiet_until, row.digest_at)


# --- where ----------------------------------------------------------------------------------------


def addresses(conn: Connection, person: str) -> dict[str, Address]:
    """Where a person can be reached, by channel."""
    query = select(address_table).where(address_table.c.person == person)
    return {row.channel: _address(row) for row in conn.execute(query)}


def set_address(conn: Connection, person: str, channel: str, text: str, *, at: datetime) -> Address:
    """Keep an address with a fresh code, unconfirmed; the one before is used no more.

    The same address as before keeps what was confirmed. Raises BadAddress, TooSoon.
    """
    address = _clean(channel, text)
    known = conn.execute(_one(person, channel)).first()
    if known is not None and known.address == address and known.confirmed_at:
        return _address(known)
    if known is not None and known.code_at and at < instant(known.code_at) + CODE_AGAIN:
        raise TooSoon
    kept = {"address": address, "wanted": 1, "confirmed_at": None, "tries": 0}
    kept |= {"code": f"{secrets.randbelow(10**6):06d}", "code_at": timestamp(at)}
    _keep(conn, person, channel, kept)
    return addresses(conn, person)[channel]


def confirm(conn: Connection, person: str, channel: str, code: str, *, at: datetime) -> bool:
    """Use the address from now on, if the code is the one that was sent there; else count a try.

    False for a wrong code: the caller commits the count before it refuses (WrongCode).
    """
    row = conn.execute(_one(person, channel).with_for_update()).first()
    if row is None or not row.code or row.tries >= CODE_TRIES:
        return False
    in_time = at < instant(row.code_at) + CODE_HOLDS
    if not in_time or not secrets.compare_digest(row.code.encode(), code.strip().encode()):
        _keep(conn, person, channel, {"tries": row.tries + 1})
        return False
    _keep(conn, person, channel, {"confirmed_at": timestamp(at), "code": None, "code_at": None})
    return True


def use_portal(conn: Connection, person: str, *, at: datetime) -> None:
    """Be told by the other system, which knows people by their account: nothing to confirm."""
    kept = {"address": "", "wanted": 1, "confirmed_at": timestamp(at), "tries": 0}
    _keep(conn, person, PORTAL, kept)


def want(conn: Connection, person: str, channels: Collection[str]) -> None:
    """Be told by these channels of those there are, and by no others."""
    for channel in addresses(conn, person):
        _keep(conn, person, channel, {"wanted": int(channel in channels)})


def forget_address(conn: Connection, person: str, channel: str) -> None:
    """Keep the address no longer."""
    mine = (address_table.c.person == person) & (address_table.c.channel == channel)
    conn.execute(delete(address_table).where(mine))


def used_address(conn: Connection, person: str, channel: str) -> Address:
    """Where notices to a person go on a channel. Raises NoAddress."""
    found = addresses(conn, person).get(channel)
    if found is None or not found.confirmed:
        raise NoAddress
    return found


def masked(address: Address) -> Address:
    """The address as it may be shown to somebody looking over a shoulder: z…@example.cn, 13…67."""
    name, at_sign, host = address.address.partition("@")
    shown = f"{name[:1]}…@{host}" if at_sign else f"{name[:2]}…{name[-2:]}" if name else ""
    return replace(address, address=shown, code="")


def _clean(channel: str, text: str) -> str:
    told = text.strip()
    if channel == MAIL and len(told) <= 254 and _MAIL.fullmatch(told):
        return told
    if channel == SMS and _PHONE.fullmatch(told):
        return told
    if channel == MAIL:
        raise BadAddress(
            "邮箱地址不对，请写成 name@example.cn 这样。",
            "This is no e-mail address; write it like name@example.cn.",
        )
    raise BadAddress(
        "手机号不对，只能有数字、空格、短横线，可以加号开头。",
        "This is no telephone number: digits, spaces and hyphens, with a plus in front or not.",
    )


def _one(person: str, channel: str) -> Any:
    mine = (address_table.c.person == person) & (address_table.c.channel == channel)
    return select(address_table).where(mine)


def _keep(conn: Connection, person: str, channel: str, kept: dict[str, Any]) -> None:
    mine = (address_table.c.person == person) & (address_table.c.channel == channel)
    if not conn.execute(update(address_table).where(mine).values(kept)).rowcount:
        conn.execute(insert(address_table), {"person": person, "channel": channel, **kept})


def _address(row: Any) -> Address:
    return Address(
        row.channel, row.address, bool(row.wanted), row.confirmed_at is not None, row.code or ""
    )
