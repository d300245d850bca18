"""The register of units and people as tables: a projection of `@units` and `@people`.

It can be thrown away and rebuilt, all but the names: those are nowhere else.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    LargeBinary,
    Row,
    Table,
    Text,
    func,
    insert,
    select,
    update,
)

from audit import log
from audit.encoding import timestamp
from audit.entries import Entry
from engine.directory import (
    Directory,
    Post,
    Substitution,
    Unit,
    UnknownUnit,
    amended,
    assemble,
)
from engine.errors import NotFound

UNITS: Final = "@units"
PEOPLE: Final = "@people"

unit_table = Table(
    "unit",
    log.metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("parent", Text, index=True),
    Column("since", Text, nullable=False),
    Column("until", Text),
)
person_table = Table(
    "person",
    log.metadata,
    Column("id", Text, primary_key=True),
    Column("registered_at", Text, nullable=False),
    Column("commitment", Text, nullable=False),
)
# Not a projection: the only place where names are. Erasing a row leaves the pseudonym.
person_name_table = Table(
    "person_name",
    log.metadata,
    Column("person", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("salt", LargeBinary, nullable=False),
)
post_table = Table(
    "post",
    log.metadata,
    Column("id", Text, primary_key=True),
    Column("person", Text, nullable=False, index=True),
    Column("unit", Text, nullable=False, index=True),
    Column("title", Text, nullable=False),
    Column("duties", JSON, nullable=False),
    Column("since", Text, nullable=False),
    Column("until", Text),
)
substitution_table = Table(
    "substitution",
    log.metadata,
    Column("id", Text, primary_key=True),
    Column("absent", Text, nullable=False, index=True),
    Column("substitute", Text, nullable=False, index=True),
    Column("posts", JSON(none_as_null=True)),
    Column("since", Text, nullable=False),
    Column("until", Text, nullable=False),
    Column("reason", Text, nullable=False),
)


class UnknownPerson(NotFound):
    """No person has this id."""


class UnknownPost(NotFound):
    """No post, or no substitution, has this id."""


_OF_POST: Final = tuple(one.name for one in fields(Post))


def find_unit(conn: Connection, unit: str) -> Unit:
    """One unit as it stands now; raises UnknownUnit."""
    row = _row(conn, unit_table, unit)
    if row is None:
        raise UnknownUnit(unit)
    return _unit(row)


def find_post(conn: Connection, post: str) -> Post:
    """One post as it stands now; raises UnknownPost."""
    row = _row(conn, post_table, post)
    if row is None:
        raise UnknownPost(f"没有编号为 {post} 的岗位，请核对。", f"There is no post {post}.")
    return _post(row)


def find_substitution(conn: Connection, substitution: str) -> Substitution:
    """One substitution as it stands now; raises UnknownPost."""
    row = _row(conn, substitution_table, substitution)
    if row is None:
        raise UnknownPost(
            f"没有编号为 {substitution} 的代理，请核对。",
            f"There is no substitution {substitution}.",
        )
    return _substitution(row)


def exists(conn: Connection, table: Table, key: str) -> bool:
    """Whether this table of the register has a row with this id."""
    return _row(conn, table, key) is not None


def read_directory(conn: Connection) -> Directory:
    """The whole register, with all its history."""

    def rows(table: Table) -> Any:
        return conn.execute(select(table).order_by(table.c.since, table.c.id))

    # Of a city's posts thousands say the same of unit, title, duties and days: kept once.
    once: dict[Any, Any] = {}
    posts = [_shared(_post(row), once) for row in rows(post_table)]
    names = select(person_name_table.c.person, person_name_table.c.name)
    return assemble(
        map(_unit, rows(unit_table)),
        posts,
        map(_substitution, rows(substitution_table)),
        {once.setdefault(row.person, row.person): row.name for row in conn.execute(names)},
    )


def _shared(post: Post, once: dict[Any, Any]) -> Post:
    """The same post, made of values that equal ones of other posts are made of."""
    return Post(*(once.setdefault(getattr(post, name), getattr(post, name)) for name in _OF_POST))


def amend(conn: Connection, known: Directory, changes: Iterable[Entry]) -> Directory | None:
    """The directory with what these entries changed, as the tables tell it now.

    None where something new would not stand last, or a name was erased since: then read all.
    """
    found: dict[Table, set[str]] = {}
    named: set[str] = set()
    for entry in changes:
        if change := change_of(entry):
            found.setdefault(change.table, set()).add(change.id)
            if change.table is person_table:
                named.add(change.id)

    def rows(table: Table) -> Any:
        of_these = select(table).where(table.c.id.in_(sorted(found.get(table, ()))))
        return conn.execute(of_these.order_by(table.c.since, table.c.id))

    names = select(person_name_table).where(person_name_table.c.person.in_(sorted(named)))
    read = amended(
        known,
        [_unit(row) for row in rows(unit_table)],
        [_post(row) for row in rows(post_table)],
        [_substitution(row) for row in rows(substitution_table)],
        {row.person: row.name for row in conn.execute(names)},
    )
    # A name is erased without an entry.
    kept = conn.execute(select(func.count()).select_from(person_name_table)).scalar()
    return read if read and len(read.names) == kept else None


def read_around(conn: Connection, person: str) -> Directory:
    """As much of the register as says what one person may do: bulk registration stays linear."""
    lent = select(substitution_table).where(substitution_table.c.substitute == person)
    substitutions = [_substitution(row) for row in conn.execute(lent)]
    people = {person, *(sub.absent for sub in substitutions)}
    posts = select(post_table).where(post_table.c.person.in_(people))
    posts = posts.order_by(post_table.c.since, post_table.c.id)
    return assemble((), map(_post, conn.execute(posts)), substitutions, {})


def _unit(row: Row[Any]) -> Unit:
    return Unit(row.id, row.kind, row.name, row.parent, _at(row.since), _until(row.until))


def _post(row: Row[Any]) -> Post:
    duties = frozenset(row.duties)
    since, until = _at(row.since), _until(row.until)
    return Post(row.id, row.person, row.unit, row.title, duties, since, until)


def _substitution(row: Row[Any]) -> Substitution:
    posts = None if row.posts is None else frozenset(row.posts)
    since, until = _at(row.since), _at(row.until)
    return Substitution(row.id, row.absent, row.substitute, posts, since, until, row.reason)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _until(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


@dataclass(frozen=True, slots=True)
class Change:
    """What one event does to the tables: a new row, or other values in the row with this id."""

    table: Table
    id: str
    values: dict[str, Any]
    new: bool = False


def apply(conn: Connection, entry: Entry) -> None:
    """Bring the projections up to one event: the same for a command and for a rebuild."""
    change = change_of(entry)
    if change is None:
        return
    if change.new:
        conn.execute(insert(change.table), {"id": change.id, **change.values})
    else:
        conn.execute(
            update(change.table).where(change.table.c.id == change.id).values(change.values)
        )


def change_of(entry: Entry) -> Change | None:
    """What an event of `@units` or `@people` does to the tables, or None."""
    data = entry.data
    period = {"since": data.get("from"), "until": data.get("to")}
    ended = {"until": data.get("to")}
    match entry.type:
        case "unit.created":
            row = _pick(data, "kind", "name", "parent") | period
            return Change(unit_table, data["unit"], row, new=True)
        case "unit.renamed":
            return Change(unit_table, data["unit"], {"name": data["name"]})
        case "unit.closed":
            return Change(unit_table, data["unit"], ended)
        case "person.registered":
            row = {"registered_at": timestamp(entry.at), "commitment": data["name_commitment"]}
            return Change(person_table, data["person"], row, new=True)
        case "person.name_corrected":
            return Change(person_table, data["person"], {"commitment": data["name_commitment"]})
        case "post.granted":
            row = _pick(data, "person", "unit", "title", "duties") | period
            return Change(post_table, data["post"], row, new=True)
        case "post.ended":
            return Change(post_table, data["post"], ended)
        case "substitute.named":
            row = _pick(data, "absent", "substitute", "posts", "reason") | period
            return Change(substitution_table, data["substitution"], row, new=True)
        case "substitute.ended":
            return Change(substitution_table, data["substitution"], ended)
    return None


def _row(conn: Connection, table: Table, key: str) -> Row[Any] | None:
    return conn.execute(select(table).where(table.c.id == key)).first()


def _pick(data: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: data.get(key) for key in keys}


def name_commitment(salt: bytes, name: str) -> str:
    """What the log holds of a name: HMAC-SHA256 keyed with the salt over `name` and the name."""
    return hmac.new(salt, b"name" + name.encode(), hashlib.sha256).hexdigest()


def swapped_names(conn: Connection) -> list[str]:
    """Persons whose kept name is not the one the log committed to; erased names are not swapped."""
    named = select(person_name_table, person_table.c.commitment).join_from(
        person_name_table,
        person_table,
        person_name_table.c.person == person_table.c.id,
        isouter=True,
    )
    return sorted(
        row.person
        for row in conn.execute(named)
        if name_commitment(bytes(row.salt), row.name) != row.commitment
    )
