"""The sealed store: what a case must know and the log must not, in a database of its own.

Every subject (one complaint's content, its complainant's identity, the sealed answers of a case)
has a random key of its own, wrapped by the key of the vault, which lies in a file elsewhere. To
destroy a subject is to destroy its key. How the log and the vault can never contradict each other
is told in docs/sealed-identity.md.
"""

import hmac
import os
import secrets
import sqlite3
import struct
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    create_engine,
    delete,
    event,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url

from audit.commitments import commit, new_salt, opens
from audit.encoding import canonical, decode, timestamp
from engine.database import open_postgresql
from engine.errors import BadInput, Conflict, NotFound, Refusal

FORMAT: Final = 1
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
SCHEMA: Final = "sealed"
# Lengths are told apart by powers of two only, and those of short texts not at all.
SHORTEST: Final = 256
LONGEST: Final = 256 * 1024

# Not audit.log.metadata: the vault is another database, with other keys, backups and readers.
metadata = MetaData(schema=SCHEMA)

# One row: which key wraps (key_id), and the salts of receipt codes, wrapped by it.
root_table = Table(
    "vault_root",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True),
    Column("format", Integer, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("salts", LargeBinary, nullable=False),
)
# wrapped NULL: destroyed, for ever. One row for both, so that a key cannot come back to life.
# told: whether the log of the case says so.
subject_table = Table(
    "subject",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("wrapped", LargeBinary),
    Column("made_at", Text, nullable=False),
    Column("destroyed_at", Text),
    Column("told", Integer, nullable=False, default=0),
)
# kept: seen named in the log; what never is was left behind by a command that failed.
value_table = Table(
    "sealed_value",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("commitment", Text, primary_key=True),
    Column("field", Text, nullable=False),
    Column("box", LargeBinary, nullable=False),
    Column("sealed_at", Text, nullable=False),
    Column("kept", Integer, nullable=False, default=0),
    Index("sealed_value_by_time", "kept", "sealed_at"),
)
# A receipt code, found by what Argon2id makes of it; `subject` is what it opens.
code_table = Table(
    "receipt_code",
    metadata,
    Column("lookup", Text, primary_key=True),
    Column("case", Text, nullable=False),
    Column("complainant", Text, nullable=False),
    Column("subject", Text, nullable=False, index=True),
    Column("wrapped", LargeBinary),
)
# Files sealed for another body, kept until they have been fetched.
handover_table = Table(
    "handover",
    metadata,
    Column("case", Text, primary_key=True),
    Column("key_id", Text, nullable=False),
    Column("sha256", Text, nullable=False, unique=True),
    Column("file", LargeBinary, nullable=False),
)


class SealMissing(NotFound):
    """Nothing is sealed under this name."""

    def __init__(self) -> None:
        super().__init__(
            "密封库里没有这项内容。请管理员核对密封库是否与本库同一备份。",
            "The vault holds no such thing. Let the administrator check that vault and database "
            "are of the same backup.",
        )


class SealDestroyed(Conflict):
    """The key has been destroyed; nobody can read this any more."""

    def __init__(self) -> None:
        super().__init__(
            "这项内容的密钥已销毁，任何人都不能再看。案件记录里写有销毁的时间和理由。",
            "The key of this has been destroyed and nobody can read it any more. The record of "
            "the case says when and why.",
        )


class SealDamaged(Refusal):
    """What the vault holds has been changed, cut or moved to another place."""

    def __init__(self) -> None:
        super().__init__(
            "密封库里的这项内容已损坏或被人动过，不能采信。请管理员从备份恢复密封库。",
            "This part of the vault is damaged or was tampered with. Let the administrator "
            "restore the vault from its backup.",
        )


class WrongKey(Refusal):
    """The vault is not locked with this key."""

    def __init__(self) -> None:
        super().__init__(
            "密封库不是用这把密钥锁的。请管理员放回原来的密钥文件，或在更换密钥后重新启动。",
            "The vault is not locked with this key. Put the right key file back, or restart after "
            "the key was replaced.",
        )


class TooMuch(BadInput):
    """A single value is too long to be sealed."""


@dataclass(frozen=True, slots=True)
class Vault:
    """An open vault: its database, the key that wraps the others, and the salts of codes.

    salt: where the salts of commitments come from; they are all of its randomness that reaches the
    log, so that a demonstration can be lived again to the same bytes.
    """

    engine: Engine
    key: bytes = field(repr=False)
    key_id: str
    salts: bytes = field(repr=False)
    salt: Callable[[], bytes] = field(default=new_salt, repr=False)


# --- opening ------------------------------------------------------------------------------------


def open_vault(url: str, key: bytes) -> Vault:
    """Open the vault at `sqlite:///path` or in the schema `sealed` of a PostgreSQL database.

    Tables are made on the first opening. Raises WrongKey for another key than the one it is locked
    with, and for a vault of another release.
    """
    if len(key) != KEY_BYTES:
        raise WrongKey
    engine = _engine(url)
    try:
        root = _root(engine, key)
    except BaseException:
        engine.dispose()
        raise
    return Vault(engine, key, root.key_id, unlock(key, bytes(root.salts), ["salts"]))


def _root(engine: Engine, key: bytes) -> Row[Any]:
    """What the vault is locked with, made if it is new; raises WrongKey."""
    with engine.begin() as conn:
        if conn.dialect.name == "postgresql":
            conn.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('shaoji vault', 0))"))
            conn.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        metadata.create_all(conn)
        root = conn.execute(select(root_table)).first()
        if root is None:
            fresh = lock(key, secrets.token_bytes(2 * KEY_BYTES), ["salts"])
            row = {"id": 1, "format": FORMAT, "key_id": key_id(key), "salts": fresh}
            conn.execute(insert(root_table), row)
            root = conn.execute(select(root_table)).one()
    if (root.format, root.key_id) != (FORMAT, key_id(key)):
        raise WrongKey
    return root


def is_locked_with(url: str, key: bytes) -> bool | None:
    """Whether a vault is locked with this key; None where there is no vault. Makes nothing."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite" and not _is_there(address.database):
        return None
    engine = _for_looking(url)
    try:
        with engine.begin() as conn:
            schema = SCHEMA if conn.dialect.name == "postgresql" else None
            if not inspect(conn).has_table(root_table.name, schema=schema):
                return None
            root = conn.execute(select(root_table)).first()
            return None if root is None else (root.format, root.key_id) == (FORMAT, key_id(key))
    finally:
        engine.dispose()


def _for_looking(url: str) -> Engine:
    """The vault's database to be read alone: opening it as ours would write into its header."""
    address = make_url(url)
    if address.get_backend_name() != "sqlite":
        return open_postgresql(address)
    read_only = f"file:{quote(str(address.database))}?mode=ro"
    return create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(read_only, uri=True),
        execution_options={"schema_translate_map": {SCHEMA: None}},
    )


def _is_there(path: str | None) -> bool:
    return bool(path) and Path(str(path)).is_file()


def close_vault(vault: Vault) -> None:
    """Let go of the vault's connections."""
    vault.engine.dispose()


def key_id(key: bytes) -> str:
    """What a key is known by; tells nothing of it."""
    return hmac.digest(key, b"shaoji vault key", "sha256").hex()


def _engine(url: str) -> Engine:
    address = make_url(url)
    if address.get_backend_name() != "sqlite":
        return open_postgresql(address)
    if address.database:
        _make_private(Path(address.database))
    engine = create_engine(address, execution_options={"schema_translate_map": {SCHEMA: None}})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", lambda conn: conn.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _make_private(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # every BEGIN is ours, as in engine.database
    cursor = connection.cursor()
    # What is deleted is overwritten and given back, and no write-ahead log keeps older pages.
    for pragma in (
        "auto_vacuum=FULL",
        "journal_mode=DELETE",
        "secure_delete=ON",
        "synchronous=EXTRA",
        "temp_store=MEMORY",
        "busy_timeout=30000",
        "trusted_schema=OFF",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


@contextmanager
def transaction(vault: Vault) -> Iterator[Connection]:
    """A transaction of the vault; raises WrongKey if its key was replaced since it was opened.

    Otherwise somebody who still runs with the old key would wrap new keys nobody can open.
    """
    with vault.engine.begin() as conn:
        now = conn.execute(select(root_table.c.key_id).with_for_update(read=True)).scalar()
        if now != vault.key_id:
            raise WrongKey
        yield conn


# --- sealing and opening values -------------------------------------------------------------------


def seal(vault: Vault, subject: str, field: str, value: Any, *, at: datetime) -> str:
    """Seal a value under a subject and commit it; returns the commitment (hex) for the log.

    value: anything the log's profile can say. To be called before the transaction that records
    the commitment ends: a value nobody names is noise, a name without a value would be a loss.
    Raises SealDestroyed for a subject that is gone, TooMuch, NotCanonical.
    """
    salt = vault.salt()
    commitment = commit(field, value, salt)
    plain = _padded(canonical({"salt": salt.hex(), "value": value}))
    with transaction(vault) as conn:
        key = _subject_key(conn, vault, subject, at)
        box = lock(key, plain, ["value", subject, field, commitment])
        row = {"subject": subject, "commitment": commitment, "field": field, "box": box}
        conn.execute(insert(value_table), row | {"sealed_at": timestamp(at), "kept": 0})
    return commitment


def opened(
    vault: Vault, subject: str, commitment: str, *, key: bytes | None = None
) -> tuple[Any, bytes]:
    """The value behind a commitment and its salt.

    key: the subject's own, where a receipt code gave it; else it is unwrapped with the vault's.
    Raises SealMissing, SealDestroyed, SealDamaged.
    """
    with transaction(vault) as conn:
        key = key or _unwrapped(conn, vault, subject)
        row = conn.execute(
            select(value_table.c.field, value_table.c.box).where(
                value_table.c.subject == subject, value_table.c.commitment == commitment
            )
        ).first()
    if row is None:
        raise SealMissing
    plain = unlock(key, bytes(row.box), ["value", subject, row.field, commitment])
    told = decode(_unpadded(plain))
    salt = bytes.fromhex(told["salt"])
    if not opens(commitment, row.field, told["value"], salt):
        raise SealDamaged
    return told["value"], salt


def subject_key(vault: Vault, subject: str, *, at: datetime) -> bytes:
    """The key of a subject, made if it has none yet; raises SealDestroyed."""
    with transaction(vault) as conn:
        return _subject_key(conn, vault, subject, at)


def _subject_key(conn: Connection, vault: Vault, subject: str, at: datetime) -> bytes:
    """Made by whoever comes first; of two at once one writes and the other reads."""
    fresh = lock(vault.key, secrets.token_bytes(KEY_BYTES), ["key", subject])
    row = {"subject": subject, "wrapped": fresh, "made_at": timestamp(at), "told": 0}
    upsert = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    conn.execute(upsert(subject_table).on_conflict_do_nothing(), row)
    return _unwrapped(conn, vault, subject)


def _unwrapped(conn: Connection, vault: Vault, subject: str) -> bytes:
    wrapped = select(subject_table.c.wrapped).where(subject_table.c.subject == subject)
    row = conn.execute(wrapped).first()
    if row is None:
        raise SealMissing
    if row.wrapped is None:
        raise SealDestroyed
    return unlock(vault.key, bytes(row.wrapped), ["key", subject])


# --- destroying -----------------------------------------------------------------------------------


def destroy(vault: Vault, subject: str, *, at: datetime) -> None:
    """Destroy a subject for ever: its key, its values, and what receipt codes had of the key.

    Does nothing to one that is destroyed already; one that never was is destroyed beforehand.
    """
    gone = {"wrapped": None, "destroyed_at": timestamp(at)}
    with transaction(vault) as conn:
        upsert = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
        row = {"subject": subject, "made_at": timestamp(at), "told": 0, **gone}
        conn.execute(
            upsert(subject_table).on_conflict_do_update(
                index_elements=["subject"], set_=gone, where=subject_table.c.wrapped.is_not(None)
            ),
            row,
        )
        conn.execute(delete(value_table).where(value_table.c.subject == subject))
        ours = code_table.c.subject == subject
        conn.execute(update(code_table).where(ours).values(wrapped=None))


def destroyed(vault: Vault, subject: str) -> bool:
    """Whether this subject has been destroyed."""
    gone = select(subject_table.c.subject).where(
        subject_table.c.subject == subject, subject_table.c.destroyed_at.is_not(None)
    )
    with transaction(vault) as conn:
        return conn.execute(gone).first() is not None


def subjects(vault: Vault, *, alive: bool = True) -> list[str]:
    """All subjects that can still be read; or those destroyed of which the log does not know."""
    table = subject_table.c
    wanted = table.wrapped.is_not(None) if alive else table.wrapped.is_(None) & (table.told == 0)
    with transaction(vault) as conn:
        return list(
            conn.execute(select(table.subject).where(wanted).order_by(table.subject)).scalars()
        )


def mark_told(vault: Vault, subject: str) -> None:
    """Note that the log of the case says that this subject was destroyed."""
    ours = subject_table.c.subject == subject
    with transaction(vault) as conn:
        conn.execute(update(subject_table).where(ours).values(told=1))


def forget(vault: Vault, subjects: Collection[str]) -> None:
    """Drop what a case left behind whose opening failed: its number will be given out again.

    Nothing of it may be there when the next one seals: not its key, and not its receipt code.
    """
    with transaction(vault) as conn:
        for table in (value_table, code_table, subject_table):
            conn.execute(delete(table).where(table.c.subject.in_(subjects)))


def sweep(
    vault: Vault, *, before: datetime, named: Callable[[str, Collection[str]], Collection[str]]
) -> int:
    """Drop values sealed before an instant that no log names; returns how many.

    named: which of these commitments of a subject the log names. Each is asked about once.
    """
    rows = select(value_table.c.subject, value_table.c.commitment).where(
        value_table.c.kept == 0, value_table.c.sealed_at < timestamp(before)
    )
    asked: dict[str, list[str]] = {}
    with transaction(vault) as conn:
        for row in conn.execute(rows):
            asked.setdefault(row.subject, []).append(row.commitment)
    dropped = 0
    for subject, commitments in asked.items():
        known = frozenset(named(subject, commitments))
        dropped += _sweep(vault, subject, known, frozenset(commitments) - known)
    return dropped


def _sweep(vault: Vault, subject: str, known: Collection[str], unknown: Collection[str]) -> int:
    of_it = value_table.c.subject == subject
    with transaction(vault) as conn:
        kept = update(value_table).where(of_it, value_table.c.commitment.in_(known)).values(kept=1)
        conn.execute(kept)
        conn.execute(delete(value_table).where(of_it, value_table.c.commitment.in_(unknown)))
    return len(unknown)


def tidy(vault: Vault) -> None:
    """Let PostgreSQL take back the space of what was destroyed; SQLite has done so at once."""
    if vault.engine.dialect.name != "postgresql":
        return
    with vault.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        for table in (subject_table, value_table, code_table, handover_table):
            conn.execute(text(f"VACUUM {SCHEMA}.{table.name}"))


def rotate(vault: Vault, key: bytes) -> Vault:
    """Wrap every key with another one, all or none; the vault is open with it from here on.

    What was destroyed before, and lingers in a backup, is beyond reach once the old key is gone.
    Whoever still has the vault open with the old key is refused from then on.
    """
    if len(key) != KEY_BYTES:
        raise WrongKey
    with vault.engine.begin() as conn:
        now = conn.execute(select(root_table.c.key_id).with_for_update()).scalar()
        if now != vault.key_id:
            raise WrongKey
        for row in conn.execute(select(subject_table).where(subject_table.c.wrapped.is_not(None))):
            inner = unlock(vault.key, bytes(row.wrapped), ["key", row.subject])
            conn.execute(
                update(subject_table)
                .where(subject_table.c.subject == row.subject)
                .values(wrapped=lock(key, inner, ["key", row.subject]))
            )
        salts = lock(key, vault.salts, ["salts"])
        conn.execute(update(root_table).values(key_id=key_id(key), salts=salts))
    return replace(vault, key=key, key_id=key_id(key))


# --- boxes ----------------------------------------------------------------------------------------


def lock(key: bytes, plain: bytes, place: list[str]) -> bytes:
    """AES-256-GCM: nonce || ciphertext || tag, bound to the place where it is kept."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, canonical(place))


def unlock(key: bytes, box: bytes, place: list[str]) -> bytes:
    """What `lock` locked; raises SealDamaged for other bytes, another key or another place."""
    try:
        return AESGCM(key).decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], canonical(place))
    except (InvalidTag, ValueError):
        raise SealDamaged from None


def _padded(plain: bytes) -> bytes:
    """Its length, itself, and zeros up to the next power of two."""
    if len(plain) > LONGEST:
        raise TooMuch(
            "这项内容太长，不能密封。请写短一些，或作为附件。",
            "This is too long to be sealed; make it shorter or attach a file.",
        )
    whole = struct.pack(">I", len(plain)) + plain
    size = max(SHORTEST, 1 << (len(whole) - 1).bit_length())
    return whole.ljust(size, b"\0")


def _unpadded(padded: bytes) -> bytes:
    (length,) = struct.unpack(">I", padded[:4])
    return padded[4 : 4 + length]
