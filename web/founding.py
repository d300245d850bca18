"""Founding a street: tables, log, calendar, processes, the first administrator; and new users."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

import workflows
from audit import log
from engine.accounts import create_account, hash_password
from engine.calendar_versions import publish_calendar
from engine.definition_sets import deploy
from engine.definitions import read_folder
from engine.people import By, create_unit, grant_post, register_person
from engine.schema import create_schema

DATA = Path(workflows.__file__).parent
STREET = "u-street"


def found(
    engine: Engine, origin: str, *, street: str, account: str, name: str, at: datetime
) -> dict[str, Any]:
    """Make a database ready for work; on one that is founded already, only upgrade its tables.

    Returns {origin, founded, account?, password?}: the password is shown once and kept nowhere.
    """
    create_schema(engine)
    with engine.begin() as conn:
        if _is_founded(conn):
            return {"origin": log.origin(conn), "founded": False}
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
    return {"origin": origin, "founded": True, "account": account, "password": password}


def sentences(made: dict[str, Any]) -> list[str]:
    """What `found` did, for a person."""
    if not made["founded"]:
        return [f"数据库已可用，表已是最新。日志名 {made['origin']} / ready, tables up to date"]
    return [
        f"已建库，日志名 {made['origin']} / founded",
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


def _is_founded(conn: Connection) -> bool:
    try:
        log.origin(conn)
    except LookupError:
        return False
    return True
