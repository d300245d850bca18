"""Stored definition sets: deployed once, named by their content, read back and checked by it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import (
    Column,
    Connection,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    insert,
    select,
)

from audit import log
from audit.encoding import instant, timestamp
from audit.entries import Draft
from audit.log import metadata
from audit.pinned import listing_digest, sha256
from audit.statements import Statement
from engine.definitions import OPENING_FORM, Definition, parse
from engine.errors import BadInput, NotFound, Refusal
from engine.findings import Finding
from engine.lint import lint
from engine.people import By, administrator

STREAM = "@definitions"

file_table = Table(
    "definition_file",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("bytes", LargeBinary, nullable=False),
)

set_table = Table(
    "definition_set",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("key", Text, nullable=False),
    Column("version", Integer, nullable=False),
    # JSON text: file name -> SHA-256. The digest is over exactly this listing.
    Column("files", Text, nullable=False),
    Column("deployed_at", Text, nullable=False),
    UniqueConstraint("key", "version", name="definition_set_version_once"),
)

_LATEST = Statement(
    select(set_table.c.digest)
    .where(set_table.c.key == bindparam("k"))
    .order_by(set_table.c.version.desc())
    .limit(1)
)


class UnknownDefinition(NotFound):
    """No such definition is deployed."""


class DefinitionRefused(BadInput):
    """The definition would fail or lie at run time; `findings` says where."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__(
            "流程定义没有通过检查：" + "；".join(f"[{f.element}] {f.chinese}" for f in findings),
            "The definition is refused: "
            + "; ".join(f"[{f.element}] {f.english}" for f in findings),
        )
        self.findings = findings


class DefinitionDamaged(Refusal):
    """What is stored under a digest is not what was deployed."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployed set; new = False if exactly this content was deployed before."""

    key: str
    version: int
    digest: str
    new: bool


def deploy(
    conn: Connection, files: Mapping[str, bytes], *, by: By | None, at: datetime
) -> Deployed:
    """Check a definition set and store it as the next version of its process.

    by: an administrator; None only while the register of people is empty. Cases begun earlier stay
    with the version they were begun on. Raises DefinitionRefused, NotAdministrator.
    """
    who = administrator(conn, by, at)
    findings = lint(files)
    if findings:
        raise DefinitionRefused(findings)
    definition = parse(files)
    head = log.take(conn, STREAM)
    known = conn.execute(select(set_table).where(set_table.c.digest == definition.digest)).first()
    if known:
        return Deployed(known.key, known.version, known.digest, new=False)
    version = _versions(conn, definition.key) + 1
    hashes = {name: sha256(data) for name, data in sorted(files.items())}
    _store(conn, definition, version, hashes, files, at)
    data = {
        "key": definition.key,
        "version": version,
        "sha256": definition.digest,
        "files": [{"name": name, "sha256": hash_} for name, hash_ in hashes.items()],
    }
    log.append(conn, head, [Draft("definition.deployed", data, who, at)])
    return Deployed(definition.key, version, definition.digest, new=True)


def load(conn: Connection, digest: str) -> Definition:
    """The definition set with this digest, its content checked; raises UnknownDefinition.

    Parsed once per process: a digest names one content for ever.
    """
    found = _parsed.get(digest)
    if found is None:
        found = _parsed[digest] = parse(files_of(conn, digest))
        if len(_parsed) > MOST_PARSED:
            _parsed.pop(next(iter(_parsed)))
    return found


MOST_PARSED = 64
_parsed: dict[str, Definition] = {}


def latest(conn: Connection, key: str) -> Definition:
    """The newest deployed definition of a process; raises UnknownDefinition."""
    row = _LATEST.first(conn, {"k": key})
    if row is None:
        raise UnknownDefinition(
            f"还没有部署流程 {key}。请管理员先部署。", f"No definition of {key} is deployed."
        )
    return load(conn, row.digest)


def categories(conn: Connection, key: str) -> dict[str, tuple[str, str]]:
    """What cases of a process are of, by value: Chinese and English name, in their order.

    As its newest definition words them; {} where none is deployed.
    """
    try:
        asked = latest(conn, key).forms[OPENING_FORM].field("category")
    except UnknownDefinition:
        return {}
    return {one.value: (one.title, one.title_en) for one in (asked.choices if asked else ())}


def version_of(conn: Connection, digest: str) -> int | None:
    """The version number under which a digest was deployed, or None."""
    return conn.execute(select(set_table.c.version).where(set_table.c.digest == digest)).scalar()


@dataclass(frozen=True, slots=True)
class InForce:
    """The newest definition set of a process."""

    key: str
    version: int
    digest: str
    deployed_at: datetime


def sets_in_force(conn: Connection) -> list[InForce]:
    """The newest definition set of every process, by key."""
    rows = conn.execute(select(set_table).order_by(set_table.c.key, set_table.c.version))
    newest = {
        row.key: InForce(row.key, row.version, row.digest, instant(row.deployed_at)) for row in rows
    }
    return list(newest.values())


def guarding_duties(conn: Connection) -> frozenset[str]:
    """The duties a step may ask for in a case that is confidential or that keeps somebody out.

    Of every definition ever deployed: open cases stay on theirs.
    """
    digests = conn.execute(select(set_table.c.digest)).scalars().all()
    for digest in digests:
        if digest not in _guarding:
            _guarding[digest] = _guarded(load(conn, digest))
    return frozenset().union(*(_guarding[digest] for digest in digests))


# As few as there are definitions; a digest names one content for ever.
_guarding: dict[str, frozenset[str]] = {}


def _guarded(definition: Definition) -> frozenset[str]:
    if not definition.confidential and not definition.excluded:
        return frozenset()
    lanes = {task.lane for task in definition.tasks.values()}
    return frozenset(definition.lanes[lane].duty for lane in lanes)


def files_of(conn: Connection, digest: str) -> dict[str, bytes]:
    """The files of the set with this digest; raises UnknownDefinition, DefinitionDamaged."""
    listed = conn.execute(select(set_table.c.files).where(set_table.c.digest == digest)).scalar()
    if listed is None:
        raise UnknownDefinition(
            f"没有内容摘要为 {digest} 的流程定义。", f"No definition has the digest {digest}."
        )
    hashes: dict[str, str] = orjson.loads(listed)
    query = select(file_table).where(file_table.c.sha256.in_(hashes.values()))
    stored = {row.sha256: bytes(row.bytes) for row in conn.execute(query)}
    files = {name: stored.get(hash_, b"") for name, hash_ in hashes.items()}
    damaged = [name for name, hash_ in hashes.items() if sha256(files[name]) != hash_]
    if damaged or listing_digest(hashes) != digest:
        raise DefinitionDamaged(
            f"流程定义 {digest} 的内容已被改动，不能使用：{'、'.join(damaged)}",
            f"The stored definition {digest} has been changed and is not used: {damaged}",
        )
    return files


def _versions(conn: Connection, key: str) -> int:
    query = select(set_table.c.version).where(set_table.c.key == key)
    return max(conn.execute(query).scalars(), default=0)


def _store(
    conn: Connection,
    definition: Definition,
    version: int,
    hashes: Mapping[str, str],
    files: Mapping[str, bytes],
    at: datetime,
) -> None:
    known = set(
        conn.execute(
            select(file_table.c.sha256).where(file_table.c.sha256.in_(hashes.values()))
        ).scalars()
    )
    fresh = {hashes[name]: data for name, data in files.items() if hashes[name] not in known}
    if fresh:
        rows = [{"sha256": hash_, "bytes": data} for hash_, data in fresh.items()]
        conn.execute(insert(file_table), rows)
    conn.execute(
        insert(set_table),
        {
            "digest": definition.digest,
            "key": definition.key,
            "version": version,
            "files": orjson.dumps(hashes).decode(),
            "deployed_at": timestamp(at),
        },
    )
