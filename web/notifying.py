"""The worker's post: who is to be told is worked out, and what waits on each channel is sent.

Each channel is served by a thread of its own: one that hangs keeps no other waiting, and none of
them any command.
"""

import logging
import secrets
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, Engine, select

from engine import early_warning, notice_board, notice_queue
from engine.accounts import account_table
from engine.casework import look
from engine.database import reading
from engine.notice_board import GROUP
from engine.notice_choices import addresses
from engine.notice_queue import LeaseLost, Message
from engine.notices import Notice, still_matters
from engine.people import directory
from web import notice_texts
from web.channels import Channels
from web.letters import Letter, NotTakenError, Outgoing
from web.notice_texts import Told
from web.texts import Language
from web.warning_words import as_notice

logger = logging.getLogger("shaoji.notices")
Clock = Callable[[], datetime]


def send_waiting(engine: Engine, channels: Channels, channel: str, *, clock: Clock) -> int:
    """Send everything that is due on a channel; returns how many messages were taken by it."""
    worker, sent = f"post-{secrets.token_hex(6)}", 0
    while True:
        with reading(engine).begin() as conn:
            if not notice_queue.is_due(conn, channel, at=clock()):
                return sent
        with engine.begin() as conn:
            message = notice_queue.claim(conn, channel, worker, at=clock())
        if message is None:
            return sent
        try:
            sent += _send(engine, channels, message, worker, clock)
        except LeaseLost:
            logger.warning("message %s was taken over by another worker", message.id)


def _send(engine: Engine, channels: Channels, message: Message, worker: str, clock: Clock) -> bool:
    try:
        with reading(engine).begin() as conn:
            outgoing = compose(conn, message, channels.public_url, at=clock())
        if outgoing is None:
            with engine.begin() as conn:
                notice_queue.mark_needless(conn, message, worker, at=clock())
            return False
        channels.senders[message.channel](outgoing)
    except NotTakenError as not_taken:
        _failed(engine, message, worker, not_taken.why, clock, for_good=not_taken.for_good)
        return False
    except Exception as error:
        logger.exception("message %s cannot be sent", message.id)
        name = type(error).__name__
        why = (f"程序出错（{name}），请看服务器日志", f"a fault of ours ({name}); see the log")
        _failed(engine, message, worker, why, clock, for_good=False)
        return False
    with engine.begin() as conn:
        notice_queue.mark_sent(conn, message, worker, at=clock())
    return True


def _failed(
    engine: Engine,
    message: Message,
    worker: str,
    why: tuple[str, str],
    clock: Clock,
    *,
    for_good: bool,
) -> None:
    with engine.begin() as conn:
        gave_up = notice_queue.mark_failed(
            conn, message, worker, why, at=clock(), for_good=for_good
        )
    if gave_up:
        logger.error(
            "通知 %s（%s）已放弃：%s / given up: %s", message.id, message.channel, why[0], why[1]
        )


def compose(
    conn: Connection, message: Message, public_url: str, *, at: datetime
) -> Outgoing | None:
    """A message as it leaves now; None where there is nothing to tell or nobody to tell it to."""
    if message.channel.startswith(GROUP):
        letter = _letter(conn, message, public_url, "zh", at)
        return Outgoing(message.id, "", "", letter, at) if letter else None
    row = conn.execute(
        select(account_table.c.name, account_table.c.locale)
        .where(account_table.c.person == message.person, account_table.c.disabled_at.is_(None))
        .order_by(account_table.c.id)
    ).first()
    address = addresses(conn, message.person).get(message.channel)
    if row is None or address is None:
        return None
    locale: Language = "en" if row.locale == "en" else "zh"
    if message.kind == "confirm":
        told = address.code and notice_texts.confirmation(address.code, public_url, locale)
        return Outgoing(message.id, address.address, row.name, told, at) if told else None
    if not address.confirmed:
        return None
    letter = _letter(conn, message, public_url, locale, at)
    return Outgoing(message.id, address.address, row.name, letter, at) if letter else None


def _letter(
    conn: Connection, message: Message, public_url: str, locale: Language, at: datetime
) -> Letter | None:
    if message.kind == "test":
        return notice_texts.trial(public_url, locale)
    notices = notice_board.find(conn, notice_queue.content(conn, message.id))
    told = [words for one in notices if (words := _words(conn, one, locale, at))]
    if not told:
        return None
    if message.kind == "digest":
        return notice_texts.digest(told, public_url, locale, at)
    return notice_texts.single(told[0], public_url, locale, at)


def _words(conn: Connection, notice: Notice, locale: Language, at: datetime) -> Told | None:
    """A notice in words; None where it is news no more."""
    if notice.kind == early_warning.KIND:
        return _warning(conn, notice, locale, at)
    desk = look(conn, notice.case, at)
    group = notice.person.startswith(GROUP)
    if not (notice.task in desk.case.tasks if group else still_matters(desk, notice)):
        return None
    place = notice_texts.place_of(conn, desk)
    return notice_texts.tell(notice, desk, place, locale, group=group)


def _warning(conn: Connection, notice: Notice, locale: Language, at: datetime) -> Told | None:
    """No news any more once somebody has answered it."""
    people = directory(conn)
    told = early_warning.warning_told(conn, notice, people, at)
    if told is None or told.answers:
        return None
    return as_notice(told, people.unit(told.unit).name, locale)
