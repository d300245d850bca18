"""Second factors and lock-outs as they are kept: removed or renewed by the owner, reset by others.

An administrator helps whoever has lost their telephone, and never themselves: for that it takes
another administrator, or whoever operates the server.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from audit import log
from audit.encoding import instant
from audit.entries import ENGINE, Draft
from engine import accounts, recovery_codes, second_factor
from engine.accounts import Account, account_table, find_account
from engine.errors import Conflict, NotAllowed
from engine.people import By, administrator, directory, oneself
from engine.reasons import reasoned
from engine.second_factor import NotEnrolled, factor_table


class StillObliged(NotAllowed):
    """A post of theirs takes a second factor."""

    def __init__(self) -> None:
        super().__init__(
            "您的岗位（纪检、身份保管、管理）必须用第二步验证，不能停用。换手机请找另一位管理员重设。",
            "Your posts (discipline, custody, administration) take a second factor; it stays. For "
            "another telephone let another administrator reset it.",
        )


class NotYourOwn(NotAllowed):
    """Administrators do not reset their own."""

    def __init__(self) -> None:
        super().__init__(
            "自己的第二步验证不能自己重设、自己的锁定不能自己解除。请另一位管理员办理，"
            "或由服务器管理者执行 shaoji user 命令。",
            "Nobody resets their own second factor or unlocks themselves. Ask another "
            "administrator, or whoever operates the server (`shaoji user …`).",
        )


class NotLocked(Conflict):
    """The account is not locked."""

    def __init__(self) -> None:
        super().__init__("这个账号没有锁定，不用解除。", "This account is not locked.")


class NotOwner(NotAllowed):
    """This is for the owner of the account."""

    def __init__(self) -> None:
        super().__init__("这是账号本人才能办的事。", "Only the owner of the account may do that.")


def remove_second_factor(conn: Connection, name: str, *, by: By, at: datetime) -> None:
    """Do without a second factor from now on; raises NotOwner, StillObliged, NotEnrolled."""
    head = accounts.take_both(conn)
    account, clerk = _own(conn, name, by)
    if second_factor.obliged(directory(conn), account.person, at):
        raise StillObliged
    second_factor.forget(conn, account.id)
    told = {"account": account.id}
    log.append(conn, head, [Draft("factor.removed", told, clerk, at)])


def renew_recovery_codes(
    conn: Connection, key: bytes, name: str, *, by: By, at: datetime
) -> tuple[str, ...]:
    """Ten new recovery codes, to be shown once; raises NotOwner, NotEnrolled."""
    head = accounts.take_both(conn)
    account, clerk = _own(conn, name, by)
    if not second_factor.is_enrolled(conn, account.id):
        raise NotEnrolled
    told = {"account": account.id}
    log.append(conn, head, [Draft("factor.codes_renewed", told, clerk, at)])
    return recovery_codes.new_codes(conn, key, account.id)


def reset_second_factor(
    conn: Connection, name: str, *, reason: str, by: By | None, at: datetime
) -> None:
    """Take the second factor off somebody else's account and end its sessions.

    Whoever is obliged to have one enrols at the next sign-in. by: None stands for whoever operates
    the server. Raises NotAdministrator, NotYourOwn, UnknownAccount, NotEnrolled, NoReason.
    """
    head = accounts.take_both(conn)
    account, clerk = _others(conn, name, by, at)
    told = {"account": account.id, "reason": reasoned(reason)}
    second_factor.forget(conn, account.id)
    log.append(conn, head, [Draft("factor.reset", told, clerk, at)])
    accounts.end_sessions(conn, account.id, "second_factor", clerk, at)


def unlock_account(
    conn: Connection, name: str, *, reason: str, by: By | None, at: datetime
) -> None:
    """Let somebody else's account try again before its lock-out is over.

    by: None stands for whoever operates the server. Raises NotAdministrator, NotYourOwn,
    UnknownAccount, NotLocked, NoReason.
    """
    head = accounts.take_both(conn)
    account, clerk = _others(conn, name, by, at)
    if locked_until(conn, account.id, at) is None:
        raise NotLocked
    accounts.update_account(conn, account.id, {"failed_count": 0, "locked_until": None})
    told = {"account": account.id, "reason": reasoned(reason)}
    log.append(conn, head, [Draft("account.unlocked", told, clerk, at)])


@dataclass(frozen=True, slots=True)
class Standing:
    """How an account stands with signing in: locked until, second factor since; None if not."""

    account: Account
    locked_until: datetime | None
    enrolled_at: datetime | None


def standings(conn: Connection, at: datetime) -> tuple[Standing, ...]:
    """All accounts in the order of their names."""
    table = account_table.c
    query = (
        select(account_table, factor_table.c.secret, factor_table.c.enrolled_at)
        .outerjoin_from(account_table, factor_table, factor_table.c.account == table.id)
        .order_by(table.name)
    )
    return tuple(
        Standing(
            Account(row.id, row.name, row.person, row.locale, row.disabled_at is not None),
            _later(row.locked_until, at),
            instant(row.enrolled_at) if row.secret is not None else None,
        )
        for row in conn.execute(query)
    )


def locked_until(conn: Connection, account: str, at: datetime) -> datetime | None:
    """When the account's lock-out is over; None if it is not locked."""
    query = select(account_table.c.locked_until).where(account_table.c.id == account)
    return _later(conn.execute(query).scalar(), at)


def _later(told: str | None, at: datetime) -> datetime | None:
    until = instant(told) if told else at
    return until if until > at else None


def _own(conn: Connection, name: str, by: By) -> tuple[Account, dict[str, Any]]:
    account = find_account(conn, name)
    if by.person != account.person or by.on_behalf_of is not None:
        raise NotOwner
    return account, oneself(by, "owner")


def _others(
    conn: Connection, name: str, by: By | None, at: datetime
) -> tuple[Account, dict[str, Any]]:
    account = find_account(conn, name)
    if by is None:
        return account, dict(ENGINE)
    clerk = administrator(conn, by, at)
    if by.person == account.person:
        raise NotYourOwn
    return account, clerk
