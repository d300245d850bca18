"""A street's register brought in from a sheet: what each row would do, and doing it.

The preview does what the import does, by the same commands, and takes it back: so it cannot promise
what the import would refuse. A row that is refused leaves nothing behind, the others stay.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from audit import log
from audit.encoding import canonical
from engine.accounts import ACCOUNTS, UnknownAccount, account_table, create_account, find_account
from engine.directory import DUTIES, KINDS, Post, Unit, valid
from engine.errors import BadInput, Conflict, Refusal
from engine.people import (
    By,
    administrator,
    create_unit,
    end_post,
    grant_post,
    next_unit,
    register_person,
    rename_unit,
)
from engine.register_rows import HEADINGS, LONGEST_CELL, Row
from engine.roster import PEOPLE, UNITS, person_name_table, read_around, read_directory
from engine.spreadsheets import FORMULA

MOST_ACCOUNTS: Final = 200  # each takes a tenth of a second for its password
ANOTHER: Final = "新"  # in the column 编号: not the person of this name who is known
# What stands for a password in a preview; it opens nothing, and is rolled back with the rest.
NO_PASSWORD: Final = "$argon2id$preview"  # noqa: S105 - nobody's password

_DAY: Final = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?: 00:00(?::00)?)?")
_RUN: Final = re.compile(r"(\d{4})(\d\d)(\d\d)")
_BETWEEN: Final = re.compile(r"[、,，;；/\s]+")


class RegisterMoved(Conflict):
    """The register changed between the preview and the confirmation."""

    def __init__(self) -> None:
        super().__init__(
            "您核对期间，名册有了变动（或已过了一天），这次没有导入。请再看一遍现在的结果，再确认。",
            "The register changed while you were looking (or a new day began); nothing was "
            "imported. Look at the result as it is now, then confirm again.",
        )


class BadRow(BadInput):
    """This row cannot be taken in as it is."""


@dataclass(frozen=True, slots=True)
class Act:
    """One thing a row does: kind = unit, renamed, person, post, duties, ends or account.

    said: what a sentence about it needs (names, not ids).
    """

    kind: str
    said: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a row does; nothing if it is known already. refusal: why it was not taken in."""

    row: Row
    acts: tuple[Act, ...] = ()
    refusal: Refusal | None = None
    person: str | None = None

    @property
    def kind(self) -> str:
        """refused, unchanged, new (a unit or person that was not there) or changed."""
        if self.refusal is not None:
            return "refused"
        if not self.acts:
            return "unchanged"
        return "new" if {"unit", "person"} & {act.kind for act in self.acts} else "changed"


@dataclass(slots=True)
class _Known:
    """The register as the rows before have left it: looked up for every row, read once."""

    units: dict[str, Unit]
    names: dict[str, list[str]]
    accounts: int = 0


@dataclass(frozen=True, slots=True)
class _Clerk:
    """On whose word, when, in which zone days are meant, and with which passwords."""

    by: By
    at: datetime
    zone: ZoneInfo
    hashes: Callable[[str], str]
    known: _Known = field(repr=False)

    @property
    def today(self) -> date:
        return self.at.astimezone(self.zone).date()

    def midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.zone).astimezone(UTC)


def stamp(conn: Connection, file_sha256: str, *, at: datetime, zone: ZoneInfo) -> str:
    """What a preview rests on, as one hash: the file, the register as it stands, and the day."""
    stands = [log.peek(conn, stream) or 0 for stream in (UNITS, PEOPLE, ACCOUNTS)]
    today = at.astimezone(zone).date().isoformat()
    return hashlib.sha256(canonical([file_sha256, stands, today])).hexdigest()


def preview(
    conn: Connection, rows: Iterable[Row], *, by: By, at: datetime, zone: ZoneInfo
) -> list[Outcome]:
    """What `bring` would do, and nothing of it done; raises NotAdministrator."""
    tried = conn.begin_nested()
    try:
        return bring(conn, rows, lambda _: NO_PASSWORD, by=by, at=at, zone=zone)
    finally:
        tried.rollback()


def confirm(
    conn: Connection,
    rows: Iterable[Row],
    hashes: Mapping[str, str],
    *,
    file_sha256: str,
    seen: str,
    by: By,
    at: datetime,
    zone: ZoneInfo,
) -> list[Outcome]:
    """Bring in what was seen in a preview; `seen` is its stamp.

    hashes: by account name, from `hash_password`, for each account the preview showed as new.
    Raises RegisterMoved, NotAdministrator.
    """
    for stream in (UNITS, PEOPLE, ACCOUNTS):
        log.take(conn, stream)
    if stamp(conn, file_sha256, at=at, zone=zone) != seen:
        raise RegisterMoved
    # A row that was refused asks for a password, too, before it is refused again.
    return bring(
        conn, rows, lambda account: hashes.get(account, NO_PASSWORD), by=by, at=at, zone=zone
    )


def bring(
    conn: Connection,
    rows: Iterable[Row],
    hashes: Callable[[str], str],
    *,
    by: By,
    at: datetime,
    zone: ZoneInfo,
) -> list[Outcome]:
    """Take each row in by the commands an administrator has; raises NotAdministrator.

    hashes: the password's hash for an account about to be made. zone: in which days are meant.
    """
    administrator(conn, by, at)
    clerk = _Clerk(by, at, zone, hashes, _read_known(conn))
    return [_bring_one(conn, clerk, row) for row in rows]


def new_accounts(outcomes: Iterable[Outcome]) -> list[tuple[str, str]]:
    """(account, person's name) of each account that was made."""
    made = (act for one in outcomes for act in one.acts if act.kind == "account")
    return [(act.said["account"], act.said["name"]) for act in made]


# --- one row ------------------------------------------------------------------------------------


def _read_known(conn: Connection) -> _Known:
    names: dict[str, list[str]] = {}
    for row in conn.execute(select(person_name_table).order_by(person_name_table.c.person)):
        names.setdefault(row.name, []).append(row.person)
    return _Known(dict(read_directory(conn).units), names)


def _bring_one(conn: Connection, clerk: _Clerk, row: Row) -> Outcome:
    try:
        with conn.begin_nested():  # a refused row leaves nothing, the others stay
            _check_cells(row)
            outcome = (_bring_unit if row.is_unit else _bring_person)(conn, clerk, row)
    except Refusal as refusal:
        return Outcome(row, refusal=refusal)
    _remember(clerk.known, outcome)
    return outcome


def _remember(known: _Known, outcome: Outcome) -> None:
    for act in outcome.acts:
        if act.kind in ("unit", "renamed"):
            known.units[act.said["unit"].id] = act.said["unit"]
        elif act.kind == "person" and outcome.person:
            known.names.setdefault(act.said["name"], []).append(outcome.person)
        elif act.kind == "account":
            known.accounts += 1


def _check_cells(row: Row) -> None:
    for column, cell in row.told.items():
        heading = HEADINGS[column]
        if cell.startswith("="):
            raise BadRow(
                f"“{heading}”是公式，不会计算。请改成文字（复制后选择性粘贴为数值）。",
                f"{heading} is a formula, which is not worked out; paste its value as text.",
            )
        if len(cell) > LONGEST_CELL or "\n" in cell or "\r" in cell:
            raise BadRow(
                f"“{heading}”写得太长，或分了行。", f"{heading} is too long or has several lines."
            )
        if column in ("name", "unit", "title") and cell.startswith(FORMULA):
            raise BadRow(
                f"“{heading}”以“{cell[0]}”开头，不像名称。", f"{heading} begins with {cell[0]}."
            )


def _needed(row: Row, *columns: str) -> None:
    empty = [HEADINGS[column] for column in columns if column not in row.told]
    if empty:
        raise BadRow(
            f"“{'、'.join(empty)}”是空的。合并的单元格请拆开，逐行填写。",
            f"{', '.join(empty)} is empty. Split merged cells and fill every line.",
        )


# --- units --------------------------------------------------------------------------------------


def _bring_unit(conn: Connection, clerk: _Clerk, row: Row) -> Outcome:
    _needed(row, "unit", "kind")
    kind = _kind(row.told["kind"])
    parent = _unit(clerk, row.told["parent"]).id if "parent" in row.told else None
    known = _known_unit(clerk, row, kind, parent)
    if known is None:
        return _new_unit(conn, clerk, row, kind, parent)
    if known.name == row.told["unit"]:
        return Outcome(row)
    unit = rename_unit(conn, known.id, row.told["unit"], by=clerk.by, at=clerk.at)
    return Outcome(row, (Act("renamed", {"unit": unit, "was": known.name}),))


def _known_unit(clerk: _Clerk, row: Row, kind: str, parent: str | None) -> Unit | None:
    units = clerk.known.units
    if "unit_id" in row.told:
        known = units.get(row.told["unit_id"])
    else:
        named = (u for u in units.values() if u.name == row.told["unit"] and u.parent == parent)
        known = next((unit for unit in named if valid(unit, clerk.at)), None)
    if known is not None and (known.kind, known.parent) != (kind, parent):
        raise BadRow(
            f"{known.name}已登记，类别或上级与这一行不同；类别和上级不能改。请核对，或撤销后另设。",
            f"{known.name} is registered with another kind or parent, which cannot be changed.",
        )
    return known


def _new_unit(conn: Connection, clerk: _Clerk, row: Row, kind: str, parent: str | None) -> Outcome:
    start, _ = _start(clerk, row)
    unit = create_unit(
        conn, row.told.get("unit_id") or next_unit(conn), kind, row.told["unit"],
        parent=parent, start=start, by=clerk.by, at=clerk.at,
    )  # fmt: skip
    above = clerk.known.units[parent].name if parent else ""
    return Outcome(row, (Act("unit", {"unit": unit, "above": above, "kind": kind}),))


def _kind(told: str) -> str:
    found = next((kind for kind, words in KINDS.items() if told in (kind, words[0])), None)
    if found is None:
        kinds = "、".join(words[0] for words in KINDS.values())
        raise BadRow(
            f"没有“{told}”这一类单位，可用的有：{kinds}。", f"There is no kind of unit {told}."
        )
    return found


def _unit(clerk: _Clerk, told: str) -> Unit:
    """The unit meant by an id, a name, or names from above down: 听涛社区/第一网格."""
    units = clerk.known.units
    if told in units:
        return units[told]
    names = [name.strip() for name in re.split(r"[/／>]", told)]
    found = [u for u in units.values() if valid(u, clerk.at) and _is_called(units, u, names)]
    if not found:
        raise BadRow(
            f"没有叫“{told}”的单位。请先登记单位，或核对名称。",
            f"There is no unit called {told}; register it first, or check the name.",
        )
    if len(found) > 1:
        raise BadRow(
            f"有 {len(found)} 个单位叫“{told}”，请连上级一起写，如“某社区/{names[-1]}”。",
            f"{len(found)} units are called {told}; write it with its parent.",
        )
    return found[0]


def _is_called(units: Mapping[str, Unit], unit: Unit, names: Sequence[str]) -> bool:
    if unit.name != names[-1]:
        return False
    above = [one.name for one in _above(units, unit)]
    return all(name in above for name in names[:-1])


def _above(units: Mapping[str, Unit], unit: Unit) -> Iterator[Unit]:
    while unit.parent is not None:
        unit = units[unit.parent]
        yield unit


# --- people -------------------------------------------------------------------------------------


def _bring_person(conn: Connection, clerk: _Clerk, row: Row) -> Outcome:
    _needed(row, "name")
    acts: list[Act] = []
    name = row.told["name"]
    person = _who(conn, clerk, row)
    if person is None:
        person = register_person(conn, name, by=clerk.by, at=clerk.at)
        acts.append(Act("person", {"name": name}))
    if {"unit", "title", "duties"} & row.told.keys():
        acts += _bring_post(conn, clerk, row, person)
    if "account" in row.told:
        acts += _bring_account(conn, clerk, row, person)
    return Outcome(row, tuple(acts), person=person)


def _who(conn: Connection, clerk: _Clerk, row: Row) -> str | None:
    """The person a row means: by id, by account, else by a name that only one has. None: nobody."""
    name, told = row.told["name"], row.told.get("person", "")
    owner = _owner(conn, row)
    if told and told != ANOTHER:
        _check_called(conn, told, name)
        return told
    if owner is not None:
        _check_called(conn, owner, name)
        return owner
    known = [] if told == ANOTHER else clerk.known.names.get(name, [])
    if len(known) > 1:
        raise BadRow(
            f"有 {len(known)} 个人叫{name}，请在“编号”一列写明是哪一位（{'、'.join(known)}）。"
            f"又一位同名的人，写“{ANOTHER}”。",
            f"{len(known)} people are called {name}; say which in 编号 ({', '.join(known)}), or "
            f"{ANOTHER} for one more.",
        )
    return known[0] if known else None


def _owner(conn: Connection, row: Row) -> str | None:
    if "account" not in row.told:
        return None
    try:
        return find_account(conn, row.told["account"]).person
    except UnknownAccount:
        return None


def _check_called(conn: Connection, person: str, name: str) -> None:
    query = select(person_name_table.c.name).where(person_name_table.c.person == person)
    called = conn.execute(query).scalar()
    if called is None:
        raise BadRow(f"没有编号为 {person} 的人员。", f"There is no person {person}.")
    if called != name:
        raise BadRow(
            f"{person} 登记的姓名是{called}，这一行写的是{name}。要更正姓名，请到人员页上改。",
            f"{person} is registered as {called}, this row says {name}. Names are corrected on the "
            "page of the person.",
        )


def _bring_post(conn: Connection, clerk: _Clerk, row: Row, person: str) -> list[Act]:
    _needed(row, "unit", "title", "duties")
    unit, duties = _unit(clerk, row.told["unit"]), _duties(row.told["duties"])
    end = _end(clerk, row)
    said = {"unit": unit.name, "title": row.told["title"], "name": row.told["name"]}
    held = _held(conn, clerk, person, unit.id, row.told["title"])
    if held is None:
        start, noted = _start(clerk, row)
        _grant(conn, clerk, row, person, unit.id, duties, start, end)
        return [Act("post", said | {"duties": duties, "start": start, "noted": noted, "end": end})]
    if held.duties != duties:
        # The new one first: the last administrator may be among those whose duties change.
        _grant(conn, clerk, row, person, unit.id, duties, None, end)
        end_post(conn, held.id, reason="按导入的名册，职责有变", by=clerk.by, at=clerk.at)
        return [Act("duties", said | {"was": held.duties, "duties": duties, "end": end})]
    if end is None or end == held.until:
        return []
    end_post(conn, held.id, reason="按导入的名册", end=end, by=clerk.by, at=clerk.at)
    return [Act("ends", said | {"end": end})]


def _held(conn: Connection, clerk: _Clerk, person: str, unit: str, title: str) -> Post | None:
    posts = read_around(conn, person).posts.values()
    left = (post for post in posts if post.until is None or post.until > clerk.at)
    fitting = (p for p in left if (p.person, p.unit, p.title) == (person, unit, title))
    return next(fitting, None)


def _grant(
    conn: Connection,
    clerk: _Clerk,
    row: Row,
    person: str,
    unit: str,
    duties: frozenset[str],
    start: datetime | None,
    end: datetime | None,
) -> None:
    noted = row.told.get("start")
    reason = f"按导入的名册登记（名册所记起始日期：{noted}）" if noted else "按导入的名册登记"
    grant_post(
        conn, person, unit, row.told["title"], duties,
        reason=reason, start=start, end=end, by=clerk.by, at=clerk.at,
    )  # fmt: skip


def _bring_account(conn: Connection, clerk: _Clerk, row: Row, person: str) -> list[Act]:
    if _owner(conn, row) == person:
        return []
    query = select(account_table.c.name).where(account_table.c.person == person)
    other = conn.execute(query.where(account_table.c.disabled_at.is_(None))).scalar()
    if other is not None:
        raise BadRow(
            f"{row.told['name']}已有账号 {other}。要换账号，请先停用旧的。",
            f"{row.told['name']} has the account {other}; disable that one first.",
        )
    if clerk.known.accounts >= MOST_ACCOUNTS:
        raise BadRow(
            f"一次最多开 {MOST_ACCOUNTS} 个账号，这一行留到下一次导入。",
            f"At most {MOST_ACCOUNTS} accounts at a time; import this row next time.",
        )
    wanted = row.told["account"]
    made = create_account(conn, wanted, person, clerk.hashes(wanted), by=clerk.by, at=clerk.at)
    return [Act("account", {"account": wanted, "made": made.name, "name": row.told["name"]})]


def _duties(told: str) -> frozenset[str]:
    words = {words[0]: duty for duty, words in DUTIES.items()} | {duty: duty for duty in DUTIES}
    asked = [word for word in _BETWEEN.split(told) if word]
    unknown = [word for word in asked if word not in words]
    if unknown or not asked:
        known = "、".join(names[0] for names in DUTIES.values())
        raise BadRow(
            f"没有这样的职责：{'、'.join(unknown)}。可用的有：{known}。",
            f"There is no such duty: {', '.join(unknown)}.",
        )
    return frozenset(words[word] for word in asked)


# --- days ---------------------------------------------------------------------------------------


def _start(clerk: _Clerk, row: Row) -> tuple[datetime | None, str]:
    """When a validity begins (None: now), and the day the sheet names if that one is past.

    Nothing is dated back: who could act on a past day must not change afterwards.
    """
    day = _day(row, "start")
    if day is None or day == clerk.today:
        return None, ""
    if day < clerk.today:
        return None, row.told["start"]
    return clerk.midnight(day), ""


def _end(clerk: _Clerk, row: Row) -> datetime | None:
    """The midnight after the last day."""
    day = _day(row, "end")
    if day is None:
        return None
    if day < clerk.today:
        raise BadRow(
            f"结束日期 {row.told['end']} 已过，不能补登记已经结束的岗位。",
            f"The end {row.told['end']} is past; what has ended cannot be registered now.",
        )
    return clerk.midnight(day + timedelta(1))


def _day(row: Row, column: str) -> date | None:
    told = row.told.get(column)
    if told is None:
        return None
    found = _DAY.fullmatch(told) or _RUN.fullmatch(told)
    try:
        if found is None:
            raise ValueError(told)
        return date(*(int(part) for part in found.groups()))
    except ValueError:
        raise BadRow(
            f"“{HEADINGS[column]}”写的“{told}”读不出是哪一天，请写成 2026-03-01。",
            f"{HEADINGS[column]}: {told} is not a day; write it like 2026-03-01.",
        ) from None
