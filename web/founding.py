"""Founding a street: tables, log, calendar, processes, the first administrator; and new users."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, select

import workflows
from audit import log, sequence
from audit.note import check_note
from engine.accounts import create_account, hash_password
from engine.calendar_versions import publish_calendar
from engine.definition_sets import deploy
from engine.definitions import read_folder
from engine.errors import Refusal
from engine.key_files import NoKey, signer
from engine.keys import Places, make_keys
from engine.people import By, create_unit, grant_post, register_person
from engine.roster import unit_table
from engine.schema import create_schema

DATA = Path(workflows.__file__).parent
STREET = "u-street"


class KeyLost(Refusal):
    """The log has signed checkpoints, and neither the key nor a policy that names it is there."""

    def __init__(self, places: Places) -> None:
        super().__init__(
            f"日志已经签过检查点，而 {places.folder} 里没有签它的密钥，也没有 policy.txt。"
            "请从备份放回，或用 SHAOJI_KEYS_DIR 指明密钥目录；新建一把，谁也不会认。",
            f"The log has signed checkpoints, but {places.folder} has neither the key nor "
            "policy.txt. Put them back from the backup, or name the folder with SHAOJI_KEYS_DIR. "
            "A new key would be believed by nobody.",
        )


def found(
    engine: Engine,
    origin: str,
    *,
    street: str,
    account: str,
    name: str,
    keys: Places,
    at: datetime,
) -> dict[str, Any]:
    """Make a database and keys ready for work; on a founded one, only upgrade its tables.

    Returns {origin, founded, keys, account?, password?}: the keys made now; the password is shown
    once and kept nowhere.
    """
    create_schema(engine, at=at)
    with engine.begin() as conn:
        if _is_founded(conn):
            return {"founded": False} | _make_keys(conn, keys, None, at)
        # First: what is refused here must not leave a street whose password nobody was told.
        made = make_keys(keys, origin, street, at=at)
        log.found(conn, origin)
        publish_calendar(conn, (DATA / "calendar" / "cn.toml").read_bytes(), by=None, at=at)
        for process in processes():
            deploy(conn, read_folder(process), by=None, at=at)
        create_unit(conn, STREET, kind="street", name=street, parent=None, by=None, at=at)
        person = register_person(conn, name, by=None, at=at)
        password = secrets.token_urlsafe(12)
        create_account(conn, account, person, hash_password(password), by=None, at=at)
        # Last: from here on the register of people is kept by administrators only.
        grant_post(
            conn, person, STREET, "系统管理员", ["administer"], reason="建库", by=None, at=at
        )
    told = {"origin": origin, "founded": True, "account": account, "password": password}
    return told | {"keys": list(made)}


def make_street_keys(
    engine: Engine, places: Places, *, organisation: str | None, at: datetime
) -> dict[str, Any]:
    """Make what is missing of a founded street's keys; returns {origin, keys: those made now}.

    organisation: whose name the seal bears, if not that of the street. Raises KeyLost, and what
    engine.keys.make_keys raises.
    """
    with engine.begin() as conn:
        return _make_keys(conn, places, organisation, at)


def key_sentences(made: dict[str, Any]) -> list[str]:
    """Which keys were made, for a person."""
    if not made["keys"]:
        return []
    return [
        f"新建密钥 {'、'.join(made['keys'])}，请备份，不要和数据库放在一处 / keys; back them up"
    ]


def sentences(made: dict[str, Any]) -> list[str]:
    """What `found` did, for a person."""
    keys = key_sentences(made)
    if not made["founded"]:
        told = f"数据库已可用，表已是最新。日志名 {made['origin']} / ready, tables up to date"
        return [told, *keys]
    return [
        f"已建库，日志名 {made['origin']} / founded",
        *keys,
        f"管理员账号 {made['account']}，初始密码 {made['password']}（只显示这一次，请登录后修改）",
        f"Administrator {made['account']}, password {made['password']} (shown this once)",
    ]


def add_user(
    conn: Connection,
    account: str,
    *,
    name: str,
    unit: str,
    title: str,
    duties: Sequence[str],
    by: By,
    at: datetime,
) -> dict[str, Any]:
    """Register a person with a post and an account; returns {account, person, password}."""
    person = register_person(conn, name, by=by, at=at)
    grant_post(conn, person, unit, title, duties, reason="新任", by=by, at=at)
    password = secrets.token_urlsafe(12)
    create_account(conn, account, person, hash_password(password), by=by, at=at)
    return {"account": account, "person": person, "password": password}


def processes() -> list[Path]:
    """The process folders shipped with the product."""
    return sorted(path.parent for path in DATA.glob("*/*.bpmn"))


def _make_keys(
    conn: Connection, places: Places, organisation: str | None, at: datetime
) -> dict[str, Any]:
    origin = log.origin(conn)
    _check_not_lost(conn, places, origin)
    name = organisation or _street_name(conn) or origin
    return {"origin": origin, "keys": list(make_keys(places, origin, name, at=at))}


def _check_not_lost(conn: Connection, places: Places, origin: str) -> None:
    last = sequence.latest(conn)
    if last is None or places.policy.exists():
        return
    try:
        key = signer(places.checkpoint, origin).key
    except NoKey:
        raise KeyLost(places) from None
    if not check_note(last.note, [key]):
        raise KeyLost(places)


def _street_name(conn: Connection) -> str | None:
    streets = select(unit_table.c.name).where(unit_table.c.kind == "street")
    return conn.execute(streets.order_by(unit_table.c.since, unit_table.c.id).limit(1)).scalar()


def _is_founded(conn: Connection) -> bool:
    try:
        log.origin(conn)
    except LookupError:
        return False
    return True
