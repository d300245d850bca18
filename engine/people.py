"""The register of units and people: who is appointed, ended, stood in for, and who may say so.

Streams `@units` and `@people` are the truth. Names of persons never enter the log: the log holds a
salted commitment to each, so that nobody can be renamed unseen.
"""

import re
import secrets
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, delete, func, insert, or_, select

from audit import log
from audit.chain import link
from audit.encoding import instant, timestamp
from audit.entries import ENGINE, Draft, Entry
from engine import roster
from engine.directory import DUTIES, KINDS, Authority, Directory, Post, Substitution, Unit, valid
from engine.errors import BadInput, Conflict, NotAllowed
from engine.roster import (
    PEOPLE,
    UNITS,
    UnknownPerson,
    UnknownPost,
    exists,
    find_post,
    find_substitution,
    find_unit,
    name_commitment,
    person_name_table,
    person_table,
    post_table,
    substitution_table,
    unit_table,
)


class NotAdministrator(NotAllowed):
    """The register of units and people is kept by administrators."""


class BadUnit(BadInput):
    """The unit does not fit into the tree."""


class BadPeriod(BadInput):
    """The validity ends before it begins, or reaches back into what is already recorded."""


class StillInUse(Conflict):
    """The unit has units or posts below it that outlast it."""


class LastAdministrator(Conflict):
    """Nobody would be left to keep the register."""


@dataclass(frozen=True, slots=True)
class By:
    """Who acts: the real person, by which channel, and for which absent person if for one."""

    person: str
    channel: str = "web"
    on_behalf_of: str | None = None


def actor(authority: Authority, capacity: str, *, channel: str) -> dict[str, Any]:
    """The `actor` of an event whose right comes from a post."""
    told = {
        "person": authority.person,
        "post": authority.post,
        "unit": authority.unit,
        "capacity": capacity,
        "on_behalf_of": authority.on_behalf_of,
        "channel": channel,
    }
    return {key: value for key, value in told.items() if value is not None}


def oneself(by: By, capacity: str) -> dict[str, Any]:
    """The `actor` of what a person does in their own affairs, without any post."""
    return {"person": by.person, "capacity": capacity, "channel": by.channel}


# --- units --------------------------------------------------------------------------------------


def create_unit(
    conn: Connection,
    unit: str,
    kind: str,
    name: str,
    *,
    parent: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    by: By | None,
    at: datetime,
) -> Unit:
    """Add a unit to the tree; its validity begins now unless `start` is later.

    Raises NotAdministrator, BadInput (id, name), BadUnit (kind, parent, taken id), BadPeriod.
    """
    head = log.take(conn, UNITS)
    clerk = administrator(conn, by, at)
    _check_id(unit, "u-")
    if exists(conn, unit_table, unit):
        raise BadUnit(f"编号 {unit} 已有单位使用，请换一个。", f"The id {unit} is taken.")
    since, until = _period(start, end, by, at)
    _check_parent(conn, kind, parent, since)
    data = {"unit": unit, "kind": kind, "name": _text(name, "名称", "name")}
    _record(conn, head, "unit.created", _told(data, since, until, parent=parent), clerk, at)
    return find_unit(conn, unit)


def next_unit(conn: Connection) -> str:
    """A free id for a unit that needs no telling one: `u-` and the number of its event."""
    return f"u-{log.take(conn, UNITS).seq + 1:04d}"


def rename_unit(conn: Connection, unit: str, name: str, *, by: By | None, at: datetime) -> Unit:
    """Give a unit another name from now on; raises NotAdministrator, UnknownUnit, BadInput."""
    head = log.take(conn, UNITS)
    clerk = administrator(conn, by, at)
    find_unit(conn, unit)
    data = {"unit": unit, "name": _text(name, "名称", "name")}
    _record(conn, head, "unit.renamed", data, clerk, at)
    return find_unit(conn, unit)


def close_unit(
    conn: Connection,
    unit: str,
    *,
    reason: str,
    end: datetime | None = None,
    by: By | None,
    at: datetime,
) -> Unit:
    """End a unit's validity, now unless `end` is later.

    Raises NotAdministrator, UnknownUnit, BadPeriod, and StillInUse while units or posts below it
    last longer.
    """
    head = log.take(conn, UNITS)
    # Nobody may be given a post in it meanwhile.
    log.take(conn, PEOPLE)
    clerk = administrator(conn, by, at)
    known = find_unit(conn, unit)
    until = _end(known.since, known.until, end, at)
    _check_unused(conn, unit, until)
    data = {"unit": unit, "to": timestamp(until), "reason": _text(reason, "原因", "reason")}
    _record(conn, head, "unit.closed", data, clerk, at)
    return find_unit(conn, unit)


# --- persons ------------------------------------------------------------------------------------


def register_person(
    conn: Connection,
    name: str,
    *,
    person: str | None = None,
    salt: bytes | None = None,
    by: By | None,
    at: datetime,
) -> str:
    """Give a person a pseudonymous id (the next free `p-0001` unless one is given); returns it.

    salt: 32 bytes for the commitment to the name, fresh random ones unless given.
    Raises NotAdministrator, BadInput.
    """
    head = log.take(conn, PEOPLE)
    clerk = administrator(conn, by, at)
    person = _next_person(conn) if person is None else _check_id(person, "p-")
    if exists(conn, person_table, person):
        raise BadInput(f"编号 {person} 已有人使用，请换一个。", f"The id {person} is taken.")
    commitment = _keep_name(conn, person, name, salt)
    data = {"person": person, "name_commitment": commitment}
    _record(conn, head, "person.registered", data, clerk, at)
    return person


def correct_name(
    conn: Connection,
    person: str,
    name: str,
    *,
    salt: bytes | None = None,
    by: By | None,
    at: datetime,
) -> None:
    """Put another name behind a pseudonym, on the record.

    Raises NotAdministrator, UnknownPerson, BadInput.
    """
    head = log.take(conn, PEOPLE)
    clerk = administrator(conn, by, at)
    _check_person(conn, person)
    commitment = _keep_name(conn, person, name, salt)
    data = {"person": person, "name_commitment": commitment}
    _record(conn, head, "person.name_corrected", data, clerk, at)


# --- posts and substitutes ----------------------------------------------------------------------


def grant_post(
    conn: Connection,
    person: str,
    unit: str,
    title: str,
    duties: Collection[str],
    *,
    reason: str,
    start: datetime | None = None,
    end: datetime | None = None,
    post: str | None = None,
    by: By | None,
    at: datetime,
) -> Post:
    """Give a person a post in a unit with these duties, from now unless `start` is later.

    post: its id, `k-` and a number unless given. Raises NotAdministrator, UnknownPerson,
    UnknownUnit, BadInput (duty, title, reason), BadPeriod (also: the unit does not exist then).
    """
    # Units before people, in every command: two commands never wait for each other.
    log.take(conn, UNITS)
    head = log.take(conn, PEOPLE)
    clerk = administrator(conn, by, at)
    _check_person(conn, person)
    since, until = _period(start, end, by, at)
    _check_exists(find_unit(conn, unit), since, until)
    post = f"k-{head.seq + 1:04d}" if post is None else _check_id(post, "k-")
    if exists(conn, post_table, post):
        raise BadInput(f"岗位编号 {post} 已使用，请换一个。", f"The post id {post} is taken.")
    data = {
        "post": post,
        "person": person,
        "unit": unit,
        "title": _text(title, "岗位名称", "title"),
        "duties": _check_duties(duties),
        "reason": _text(reason, "原因", "reason"),
    }
    _record(conn, head, "post.granted", _told(data, since, until), clerk, at)
    return find_post(conn, post)


def end_post(
    conn: Connection,
    post: str,
    *,
    reason: str,
    end: datetime | None = None,
    by: By | None,
    at: datetime,
) -> Post:
    """End a tenure, now unless `end` is later.

    Raises NotAdministrator, UnknownPost, BadPeriod, and LastAdministrator if nobody else could keep
    the register from then on.
    """
    head = log.take(conn, PEOPLE)
    clerk = administrator(conn, by, at)
    known = find_post(conn, post)
    until = _end(known.since, known.until, end, at)
    _check_administered(conn, known, until)
    data = {"post": post, "to": timestamp(until), "reason": _text(reason, "原因", "reason")}
    _record(conn, head, "post.ended", data, clerk, at)
    return find_post(conn, post)


def name_substitute(
    conn: Connection,
    absent: str,
    substitute: str,
    *,
    end: datetime,
    reason: str,
    posts: Collection[str] | None = None,
    start: datetime | None = None,
    by: By | None,
    at: datetime,
) -> Substitution:
    """Let somebody act for an absent person until `end`, in all their posts or only in `posts`.

    The absent person may name the substitute, or an administrator. Raises NotAdministrator,
    UnknownPerson, UnknownPost (not one of theirs), BadInput, BadPeriod.
    """
    head = log.take(conn, PEOPLE)
    clerk = _absent_or_administrator(conn, absent, by, at)
    _check_person(conn, absent)
    _check_person(conn, substitute)
    if absent == substitute:
        raise BadInput("不能由本人代理本人，请另选代理人。", "Nobody can stand in for themselves.")
    since, until = _period(start, end, by, at)
    data = {
        "substitution": f"s-{head.seq + 1:04d}",
        "absent": absent,
        "substitute": substitute,
        "reason": _text(reason, "原因", "reason"),
    }
    which = {} if posts is None else {"posts": _check_posts(conn, absent, posts)}
    _record(conn, head, "substitute.named", _told(data | which, since, until), clerk, at)
    return find_substitution(conn, data["substitution"])


def end_substitute(
    conn: Connection,
    substitution: str,
    *,
    reason: str,
    end: datetime | None = None,
    by: By | None,
    at: datetime,
) -> Substitution:
    """End a substitution early; the absent person or an administrator may.

    Raises NotAdministrator, UnknownPost, BadPeriod.
    """
    head = log.take(conn, PEOPLE)
    known = find_substitution(conn, substitution)
    clerk = _absent_or_administrator(conn, known.absent, by, at)
    until = _end(known.since, known.until, end, at)
    data = {
        "substitution": substitution,
        "to": timestamp(until),
        "reason": _text(reason, "原因", "reason"),
    }
    _record(conn, head, "substitute.ended", data, clerk, at)
    return find_substitution(conn, substitution)


# --- who may keep the register ------------------------------------------------------------------


def administrator(conn: Connection, by: By | None, at: datetime) -> dict[str, Any]:
    """The actor of an administrator's act; raises NotAdministrator.

    by: None stands for the installation itself, and only until the first administrator is named.
    """
    if by is None:
        if _administered(conn):
            raise NotAdministrator(
                "已有管理员，今后的登记请由管理员本人办理。",
                "There is an administrator already; from now on they keep the register.",
            )
        return dict(ENGINE)
    authority = roster.read_around(conn, by.person).authority(
        by.person, "administer", None, at, by.on_behalf_of
    )
    if authority is None:
        raise NotAdministrator(
            "只有管理员可以登记单位、人员和岗位，请找管理员办理。",
            "Only an administrator may change units, people and posts; ask one.",
        )
    return actor(authority, "administer", channel=by.channel)


def _absent_or_administrator(
    conn: Connection, absent: str, by: By | None, at: datetime
) -> dict[str, Any]:
    if by is not None and by.person == absent:
        return oneself(by, "absent")
    return administrator(conn, by, at)


def _administered(conn: Connection) -> bool:
    posts = conn.execute(select(post_table.c.duties)).scalars()
    return any("administer" in duties for duties in posts)


# --- reading ------------------------------------------------------------------------------------


class Known(NamedTuple):
    """A directory as of the ends of the two streams: what they hash to, and their lengths."""

    key: tuple[bytes, ...]
    lengths: tuple[int, ...]
    directory: Directory


# One directory per database. The key is what the two streams hash to, so that a directory read
# inside a transaction that was rolled back is never taken for another one with the same numbers.
_directories: dict[Any, Known] = {}
# More changes at once – a list that was imported – are not put in one by one.
MOST_CHANGES: Final = 500
# A city's register takes seconds and a hundred megabytes to read: one thread does it, the others
# wait for it. Whoever reads waits for no lock of the database, so nobody waits in a circle.
_reading = Lock()


def directory(conn: Connection, heads: Mapping[str, bytes] | None = None) -> Directory:
    """The register as this transaction sees it; one small query unless it has changed.

    heads: what log.register_heads told, where the caller has just asked.
    """
    key = _heads(log.register_heads(conn) if heads is None else heads)
    known = _directories.get(conn.engine.url)
    if known is not None and known.key == key:
        return known.directory
    with _reading:
        return _read(conn, key)


def _read(conn: Connection, key: tuple[bytes, ...]) -> Directory:
    known = _directories.get(conn.engine.url)
    if known is not None and known.key == key:
        return known.directory
    # Under READ COMMITTED a change may slip in between the queries: then read again.
    while True:
        lengths = tuple(log.peek(conn, stream) or 0 for stream in (UNITS, PEOPLE))
        read = (known and _caught_up(conn, known)) or roster.read_directory(conn)
        if (now := _heads(log.register_heads(conn))) == key:
            break
        key = now
    _directories[conn.engine.url] = Known(key, lengths, read)
    return read


def _caught_up(conn: Connection, known: Known) -> Directory | None:
    """The directory with what has changed since; None if it is easier to read all of it.

    A city's register changes many times a day, and takes seconds to read.
    """
    changes: list[Entry] = []
    for stream, length, hash_ in zip((UNITS, PEOPLE), known.lengths, known.key, strict=True):
        new = log.read(conn, stream, after=length)
        # What was read in a transaction that was rolled back is not what these follow upon.
        if new and new[0].prev != (link(hash_) if length else ""):
            return None
        if not new and log.peek_hash(conn, stream) != ((length, hash_) if length else None):
            return None
        changes += new
    if len(changes) > MOST_CHANGES:
        return None
    return roster.amend(conn, known.directory, changes)


def rebuild_directory(conn: Connection) -> None:
    """Throw the projections away and refill them from the events; names stay where they are."""
    log.take(conn, UNITS)
    log.take(conn, PEOPLE)
    for table in (unit_table, person_table, post_table, substitution_table):
        conn.execute(delete(table))
    for stream in (UNITS, PEOPLE):
        for entry in log.read(conn, stream):
            roster.apply(conn, entry)


def _heads(heads: Mapping[str, bytes]) -> tuple[bytes, ...]:
    return heads.get(UNITS, b""), heads.get(PEOPLE, b"")


# --- recording ----------------------------------------------------------------------------------


def _record(
    conn: Connection,
    head: log.Head,
    type_: str,
    data: dict[str, Any],
    clerk: dict[str, Any],
    at: datetime,
) -> None:
    entries, _ = log.append(conn, head, [Draft(type_, data, clerk, at)])
    roster.apply(conn, entries[0])


def _told(
    data: dict[str, Any], since: datetime, until: datetime | None, **more: str | None
) -> dict[str, Any]:
    to = None if until is None else timestamp(until)
    told = {**more, "from": timestamp(since), "to": to}
    return data | {key: value for key, value in told.items() if value is not None}


def _keep_name(conn: Connection, person: str, name: str, salt: bytes | None) -> str:
    name = _text(name, "姓名", "name")
    salt = secrets.token_bytes(32) if salt is None else salt
    conn.execute(delete(person_name_table).where(person_name_table.c.person == person))
    conn.execute(insert(person_name_table), {"person": person, "name": name, "salt": salt})
    return name_commitment(salt, name)


# --- checks -------------------------------------------------------------------------------------


def _check_id(id_: str, prefix: str) -> str:
    if not re.fullmatch(rf"{prefix}[a-z0-9][a-z0-9_-]{{0,62}}", id_):
        raise BadInput(
            f"编号 {id_} 应以 {prefix} 开头，后接小写字母、数字或短横。",
            f"The id {id_} should be {prefix} followed by small letters, digits or hyphens.",
        )
    return id_


def _text(text: str, chinese: str, english: str) -> str:
    text = unicodedata.normalize("NFC", text.strip())
    if not text:
        raise BadInput(f"请填写{chinese}。", f"Please fill in the {english}.")
    return text


def _check_duties(duties: Collection[str]) -> list[str]:
    unknown = sorted(set(duties) - set(DUTIES))
    if unknown:
        names = "、".join(unknown)
        raise BadInput(f"没有这样的职责：{names}。", f"There is no such duty: {names}.")
    return sorted(set(duties))


def _check_parent(conn: Connection, kind: str, parent: str | None, since: datetime) -> None:
    if kind not in KINDS:
        raise BadUnit(f"没有“{kind}”这类单位。", f"There is no kind of unit called {kind}.")
    above = "" if parent is None else find_unit(conn, parent).kind
    chinese, english, parents = KINDS[kind]
    if above not in parents:
        raise BadUnit(
            f"{chinese}应设在{'、'.join(_place(p)[0] for p in sorted(parents))}，请另选上级。",
            f"A {english} belongs {', '.join(_place(p)[1] for p in sorted(parents))}.",
        )
    if parent is not None and not valid(find_unit(conn, parent), since):
        raise BadPeriod(
            "上级单位此时不存在，请核对时间。", "The parent does not exist at that time."
        )


def _place(parent: str) -> tuple[str, str]:
    if not parent:
        return "最上级", "at the top"
    return f"{KINDS[parent][0]}之下", f"below a {KINDS[parent][1]}"


def _check_person(conn: Connection, person: str) -> None:
    if not exists(conn, person_table, person):
        raise UnknownPerson(
            f"没有编号为 {person} 的人员，请先登记。",
            f"There is no person {person}; register them first.",
        )


def _check_posts(conn: Connection, absent: str, posts: Collection[str]) -> list[str]:
    for post in posts:
        if find_post(conn, post).person != absent:
            raise UnknownPost(
                f"{post} 不是被代理人的岗位，请核对。",
                f"{post} is not a post of the absent person.",
            )
    if not posts:
        raise BadInput("请至少选一个代理的岗位。", "Choose at least one post to stand in for.")
    return sorted(set(posts))


def _check_exists(unit: Unit, since: datetime, until: datetime | None) -> None:
    outlasts = unit.until is not None and (until is None or until > unit.until)
    if not valid(unit, since) or outlasts:
        raise BadPeriod(
            f"{unit.name}在这段时间内并不一直存在，请核对起止时间。",
            f"{unit.name} does not exist all through this period; check its dates.",
        )


def _check_administered(conn: Connection, ending: Post, until: datetime) -> None:
    if "administer" not in ending.duties:
        return
    posts = roster.read_directory(conn).posts.values()
    others = (post for post in posts if post.id != ending.id and "administer" in post.duties)
    if not any(valid(post, until) for post in others):
        raise LastAdministrator(
            "这是最后一位管理员，请先任命接替的管理员。",
            "This is the last administrator; appoint another one first.",
        )


def _check_unused(conn: Connection, unit: str, until: datetime) -> None:
    for table, above in ((unit_table, unit_table.c.parent), (post_table, post_table.c.unit)):
        outlasting = or_(table.c.until.is_(None), table.c.until > timestamp(until))
        count = select(func.count()).select_from(table).where(above == unit, outlasting)
        left = conn.execute(count).scalar_one()
        if left:
            raise StillInUse(
                f"该单位下还有 {left} 个下级单位或岗位，请先撤销它们。",
                f"{left} units or posts below it last longer; end those first.",
            )


def _period(
    start: datetime | None, end: datetime | None, by: By | None, at: datetime
) -> tuple[datetime, datetime | None]:
    """Validity to the millisecond, as recorded; only the installation may reach back in time.

    Who could act on a past day must not change afterwards: blame and credit hang on it.
    """
    since = _recorded(start or at)
    until = None if end is None else _recorded(end)
    if by is not None and since < _recorded(at):
        raise BadPeriod(
            "不能倒填起始时间；请从现在起登记，并在原因中写明实际日期。",
            "A validity cannot be dated back; let it begin now and give the real date as reason.",
        )
    if until is not None and until <= since:
        raise BadPeriod("结束时间应晚于起始时间。", "The end must be later than the beginning.")
    return since, until


def _end(since: datetime, until: datetime | None, end: datetime | None, at: datetime) -> datetime:
    """When a validity now ends: never before now, never later than it would have ended anyway."""
    now = _recorded(at)
    last = max(now, since) if end is None else _recorded(end)
    if last < now or (until is not None and last >= until):
        raise BadPeriod(
            "结束时间应在现在之后、原定结束之前。",
            "The end must lie between now and the end already set.",
        )
    return last


def _recorded(at: datetime) -> datetime:
    return instant(timestamp(at))


def _next_person(conn: Connection) -> str:
    count = conn.execute(select(func.count()).select_from(person_table)).scalar_one()
    while True:
        count += 1
        person = f"p-{count:04d}"
        if not exists(conn, person_table, person):
            return person
