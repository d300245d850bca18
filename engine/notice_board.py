"""Notices as told: each once, kept for the person's own page, and put on their way by channel.

The news of a case are taken away, its notices written and their messages put on their way in one
transaction: after a crash the news are there or the notices are, never both and never neither. Two
workers cannot tell the same: the row is skipped where it is locked, and the id of a notice follows
from what it says, so that it stands in the table once.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    Table,
    Text,
    delete,
    insert,
    select,
)
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError

from audit import log
from audit.encoding import instant, timestamp
from audit.log import metadata
from engine import news, notice_queue
from engine.casework import look
from engine.database import reading
from engine.errors import Refusal, named
from engine.notice_choices import (
    Choice,
    addresses,
    after_quiet,
    choices,
    next_digest,
    used_address,
)
from engine.notices import Notice, StepNews, told, told_units

KEPT: Final = timedelta(days=30)
GROUP: Final = "group:"

notice_table = Table(
    "notice",
    metadata,
    Column("id", Text, primary_key=True),
    # "" where it is for a unit's group.
    Column("person", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("case", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("at", Text, nullable=False),
    Column("percent", Integer, nullable=False),
    Column("urgent", Integer, nullable=False),
    Index("notice_by_person", "person", "at"),
    Index("notice_by_time", "at"),
)


@dataclass(frozen=True, slots=True)
class Outlets:
    """Where notices can leave the house. groups: name of a group robot -> the unit it belongs to.

    zone: of quiet hours and digests.
    """

    channels: frozenset[str] = frozenset()
    groups: Mapping[str, str] = field(default_factory=dict)
    zone: tzinfo = UTC


def tell(
    engine: Engine, outlets: Outlets, *, at: datetime, limit: int = 200
) -> tuple[int, list[str]]:
    """Work out whom the news concern, one transaction a case, until none are left.

    Returns how many notices there are more, and a sentence for each case that cannot be told of:
    its news stay, and keep no other's from being told. Raises OperationalError, InterfaceError
    where the database is not there.
    """
    made, stuck = 0, dict[str, str]()
    while True:
        with reading(engine).begin() as conn:
            waiting = news.waiting(conn, limit=limit + len(stuck))
        cases = [case for case in waiting if case not in stuck]
        before = made
        for case in cases:
            try:
                with engine.begin() as conn:
                    made += tell_case(conn, case, outlets, at=at)
            except IntegrityError:
                continue  # Another worker has told the same; what is left is found next time.
            except (OperationalError, InterfaceError):
                raise
            except Refusal as refusal:
                stuck[case] = f"{case}: {refusal.chinese} / {refusal.english}"
            except Exception as error:
                stuck[case] = f"{case}: {named(error)}"
        if len(cases) < limit or made == before:
            return made, list(stuck.values())


def tell_case(conn: Connection, case: str, outlets: Outlets, *, at: datetime) -> int:
    """Tell the news of one case; returns how many notices it gives, 0 if another worker has it."""
    since = news.take(conn, case)
    if since is None:
        return 0
    desk, chosen = look(conn, case, at), choices(conn)

    def wants(person: str, post: str) -> bool:
        return person in chosen and post in chosen[person].posts

    record = log.read(conn, case)
    fresh = put_up(conn, told(desk, record, since, wants), outlets, at=at)
    for news_ in told_units(desk, record, since) if outlets.groups else ():
        _tell_groups(conn, news_, outlets, at)
    return fresh


def put_up(conn: Connection, notices: Iterable[Notice], outlets: Outlets, *, at: datetime) -> int:
    """Keep the notices that are not there yet, and put them on their way; how many those were."""
    fresh, chosen = _unknown(conn, notices), choices(conn)
    if fresh:
        conn.execute(insert(notice_table), [_row(one) for one in fresh])
    for one in fresh:
        _send(conn, one, chosen.get(one.person, Choice(one.person)), outlets, at)
    return len(fresh)


def _unknown(conn: Connection, notices: Iterable[Notice]) -> list[Notice]:
    by_id = {one.id: one for one in notices}
    known = select(notice_table.c.id).where(notice_table.c.id.in_(by_id))
    there = set(conn.execute(known).scalars())
    return [one for id_, one in by_id.items() if id_ not in there]


def _send(conn: Connection, notice: Notice, choice: Choice, outlets: Outlets, at: datetime) -> None:
    """Put a notice on its way by every channel its person uses, when they want to hear of it."""
    for channel, address in addresses(conn, notice.person).items():
        if channel not in outlets.channels or not address.used:
            continue
        if choice.digest_at and not notice.urgent:
            due = next_digest(choice, at, outlets.zone)
            notice_queue.add_to_digest(conn, notice.person, channel, notice.id, due=due)
            continue
        due = at if notice.urgent else after_quiet(choice, at, outlets.zone)
        notice_queue.add(
            conn, notice.person, channel, "single", due=due, notices=[notice.id],
            id_=f"msg_{notice.id}_{channel}",
        )  # fmt: skip


def _tell_groups(conn: Connection, one: StepNews, outlets: Outlets, at: datetime) -> None:
    """One message for a unit's group, however many of its people are told of the step."""
    for name, unit in outlets.groups.items():
        if unit in one.units:
            _tell_group(conn, name, one, outlets, at)


def _tell_group(conn: Connection, name: str, one: StepNews, outlets: Outlets, at: datetime) -> None:
    told_ = f"{name} {one.case} {one.seq} {one.kind} {one.task}"
    notice = Notice(
        f"{GROUP}{name}", one.kind, one.case, one.task, one.seq, one.at, one.percent, one.urgent
    )
    if not _unknown(conn, [notice]):
        return
    conn.execute(insert(notice_table), _row(notice))
    due = at if one.urgent else after_quiet(Choice(""), at, outlets.zone)
    notice_queue.add(
        conn, "", f"{GROUP}{name}", "group", due=due, notices=[notice.id],
        id_=f"msg_{sha256(told_.encode()).hexdigest()[:24]}",
    )  # fmt: skip


# --- looking --------------------------------------------------------------------------------------


def notices_of(conn: Connection, person: str, *, limit: int = 50) -> list[Notice]:
    """What a person was told of late, newest first."""
    mine = select(notice_table).where(notice_table.c.person == person)
    newest = mine.order_by(notice_table.c.at.desc(), notice_table.c.seq.desc()).limit(limit)
    return [_notice(row) for row in conn.execute(newest)]


def find(conn: Connection, ids: Collection[str]) -> list[Notice]:
    """These notices, oldest first; those swept away are left out."""
    query = select(notice_table).where(notice_table.c.id.in_(ids)).order_by(notice_table.c.at)
    return [_notice(row) for row in conn.execute(query)]


def try_out(conn: Connection, person: str, channel: str, *, at: datetime) -> str:
    """Put a message that shows that a channel works on its way; its id. Raises NoAddress."""
    used_address(conn, person, channel)
    return notice_queue.add(conn, person, channel, "test", due=at)


def reachable_by(conn: Connection, person: str) -> list[str]:
    """The channels on which a person has a confirmed address."""
    return [name for name, one in addresses(conn, person).items() if one.confirmed]


def sweep(conn: Connection, *, at: datetime) -> int:
    """Forget what was told long enough ago, and messages with it; returns how many notices."""
    notice_queue.sweep(conn, at=at)
    old = notice_table.c.at < timestamp(at - KEPT)
    return conn.execute(delete(notice_table).where(old)).rowcount


def _row(notice: Notice) -> dict[str, Any]:
    return {
        "id": notice.id,
        "person": notice.person,
        "kind": notice.kind,
        "case": notice.case,
        "task": notice.task,
        "seq": notice.seq,
        "at": timestamp(notice.at),
        "percent": notice.percent,
        "urgent": int(notice.urgent),
    }


def _notice(row: Any) -> Notice:
    return Notice(
        row.person, row.kind, row.case, row.task, row.seq, instant(row.at), row.percent,
        bool(row.urgent),
    )  # fmt: skip
