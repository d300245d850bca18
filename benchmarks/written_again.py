"""Writes the lived cases of a street again and again by SQL, under further numbers.

Their hashes are drawn and no tree is grown: what comes of it is a log to read and to act in, none
to verify. Titles and addresses are of their own, places and holders change from case to case.
"""

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text

LIVED = 200
HOLDERS = 10_000
# Those written again have a number of eight digits, those that were lived one of five.
_AGAIN = """SELECT max("case") FROM case_register
WHERE length("case") = length('hazard-2026-00000000')"""
# Not those that were measured since.
_LIVED = f"""SELECT "case" FROM case_register
WHERE length("case") = length('hazard-2026-00000') ORDER BY "case" LIMIT {LIVED}"""  # noqa: S608 - from above
# Of PostgreSQL so many cases with one statement.
AT_ONCE = 10_000

# What titles and addresses are made of: some words of them every tenth case has, their combinations
# few, a number one in five thousand.
_NAMES = ("锦绣", "阳光", "翠湖", "和平", "滨江", "金桂", "银杏", "紫荆", "听涛", "望山")
_KINDS = ("花园", "家园", "新村", "苑", "小区")
_SPOTS = (
    "车棚", "楼道", "地下室", "天台", "消防通道", "配电间", "电梯厅", "沿街商铺", "垃圾房",
    "架空层",
)  # fmt: skip
_FAULTS = ("飞线充电", "堆放杂物", "灭火器过期", "线路老化", "通道被占", "防火门损坏", "违规住人")


@dataclass(frozen=True, slots=True)
class Words:
    """How a database says what is told again.

    numbered: a number behind a word, in so many digits; in_bytes: a text; renamed: bytes of a
    column with the new name of the case in them; dated: a moment of a column so many days earlier;
    one_of: the word at a number. join: behind `c`, so that not all of a table is read.
    """

    numbered: Callable[[str, int, str], str]
    in_bytes: Callable[[str], str]
    renamed: Callable[[str], str]
    dated: Callable[[str], str]
    one_of: Callable[[Sequence[str], str], str]
    join: str


SQLITE = Words(
    numbered=lambda word, digits, number: f"printf('{word}%0{digits}d', {number})",
    in_bytes=lambda told: f"cast({told} AS BLOB)",
    renamed=lambda column: f"cast(replace(cast(t.{column} AS TEXT), c.old, c.new) AS BLOB)",
    dated=lambda column: (
        f"strftime('%Y-%m-%dT%H:%M:%S.000Z', t.{column}, '-' || (c.serial % 365) || ' days')"
    ),
    one_of=lambda words, number: (
        f"json_extract('{json.dumps(words, ensure_ascii=False)}', "
        f"'$[' || (({number}) % {len(words)}) || ']')"
    ),
    join="CROSS JOIN",  # c first
)
POSTGRES = Words(
    numbered=lambda word, digits, number: f"'{word}' || lpad(({number})::text, {digits}, '0')",
    in_bytes=lambda told: f"convert_to({told}, 'UTF8')",
    renamed=lambda column: (
        f"convert_to(replace(convert_from(t.{column}, 'UTF8'), c.old, c.new), 'UTF8')"
    ),
    dated=lambda column: (
        f"to_char(t.{column}::timestamptz AT TIME ZONE 'UTC' - "
        "make_interval(days => (c.serial % 365)::int), "
        """'YYYY-MM-DD"T"HH24:MI:SS".000Z"')"""
    ),
    one_of=lambda words, number: (
        f"(ARRAY[{', '.join(repr(one) for one in words)}])[({number}) % {len(words)} + 1]"
    ),
    join="JOIN",
)


def _told(words: Words) -> dict[str, dict[str, str]]:
    """The tables of a case, and how its columns are told again; what is not named is as it was.

    c.old, c.new: its names; c.serial: how many cases there were before it.
    """
    place = words.numbered("u-c", 3, "c.serial % 100")
    holder = words.numbered("p-x", 5, f"c.serial % {HOLDERS}")
    estate = (
        f"{words.one_of(_NAMES, 'c.serial / 100')} || {words.one_of(_KINDS, 'c.serial / 1000')}"
    )
    spot = words.one_of(_SPOTS, "c.serial * 7919 / 13")
    fault = words.one_of(_FAULTS, "c.serial * 104729 / 17")
    return {
        "event": {
            "stream": "c.new", "at": words.dated("at"), "body": words.renamed("body"),
            "hash": words.in_bytes(f"c.new || {words.numbered('#', 8, 't.seq')}"),
        },
        "stream_head": {
            "stream": "c.new", "at": words.dated("at"), "began": words.dated("began"),
        },
        "case_register": {
            "case": "c.new", "number": "c.new", "receipt": "c.new",
            "state": words.renamed("state"),
            "title": f"{estate} || {spot} || {fault} || ' ' || (c.serial % 5000) || ' 号'",
            "address": f"{estate} || (c.serial % 40 + 1) || ' 幢 ' || (c.serial % 6 + 1) "
            "|| ' 单元'",
            "unit": place, "community": place, "opened_at": words.dated("opened_at"),
            "texts_listed": "0",
        },
        "act": {"case": "c.new", "person": holder, "at": words.dated("at"), "place": place},
        "part": {"case": "c.new", "person": f"t.person || '-' || (c.serial % {HOLDERS})"},
        "open_task": {
            "case": "c.new", "unit": place, "units": f"'|' || {place} || '|'",
            "holder": f"CASE WHEN t.holder IS NULL THEN NULL ELSE {holder} END",
        },
    }  # fmt: skip


_NAMED = {"event": "stream", "stream_head": "stream"}


def _again(words: Words, table: str, columns: Sequence[str], source: str) -> str:
    told = _told(words)[table]
    values = ", ".join(told.get(one, f't."{one}"') for one in columns)
    named = ", ".join(f'"{one}"' for one in columns)
    # Names and expressions stand above, in this file.
    return (
        f"INSERT INTO {table} ({named}) SELECT {values} "  # noqa: S608
        f'FROM c {words.join} {source} t ON t."{_NAMED.get(table, "case")}" = c.old'
    )


def _rows(names: Sequence[str], first: int, size: int) -> list[tuple[str, str, int]]:
    """Old name, new name, serial number of the cases to be written next."""
    return [(names[n % len(names)], f"hazard-2026-{n:08d}", n) for n in range(first, first + size)]


def there(conn: Connection) -> int:
    """How many cases were written again or lived to be; 0 before the first."""
    last = conn.execute(text(_AGAIN)).scalar()
    return int(last.rpartition("-")[2]) + 1 if last else 0


def write_again_in_sqlite(path: Path, first: int, size: int) -> None:
    """All lived cases again from the first-th on, 0 for none yet, until there are so many."""
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        for pragma in (
            "journal_mode=OFF", "synchronous=OFF", "cache_size=-2000000", "temp_store=MEMORY",
        ):  # fmt: skip
            raw.execute(f"PRAGMA {pragma}")
        names = [row[0] for row in raw.execute(_LIVED)]
        raw.execute("CREATE TEMP TABLE c (old TEXT, new TEXT, serial INTEGER)")
        # The guards of the log stand aside meanwhile: of what is only added they ask twice as much.
        # So do indexes: sorted once they are made in a fraction of the time.
        tables = _told(SQLITE)
        aside = raw.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND (type = 'trigger' "
            "OR type = 'index' AND tbl_name IN (SELECT value FROM json_each(?)))",
            (json.dumps([*tables]),),
        ).fetchall()
        for kind, name, _ in aside:
            raw.execute(f"DROP {kind} {name}")
        statements = [
            _again(SQLITE, table, [row[1] for row in raw.execute(f"PRAGMA table_info({table})")],
                   table)
            for table in tables
        ]  # fmt: skip
        raw.execute("BEGIN")
        for serial in range(first or len(names), size, len(names)):
            raw.execute("DELETE FROM c")
            raw.executemany(
                "INSERT INTO c VALUES (?, ?, ?)",
                _rows(names, serial, min(len(names), size - serial)),
            )
            for statement in statements:
                raw.execute(statement)
        raw.execute("COMMIT")
        for _, _, sql in aside:
            raw.execute(sql)
        raw.execute("PRAGMA journal_mode=WAL")


def write_again_in_postgres(engine: Engine, first: int, size: int) -> None:
    """The same in PostgreSQL, and what its vacuum would do in time.

    engine: of the owner. Without fsync and with one statement for ten thousand cases.
    """
    alone = engine.execution_options(isolation_level="AUTOCOMMIT")
    tables = _told(POSTGRES)
    with alone.connect() as conn:
        names: list[str] = [*conn.execute(text(_LIVED)).scalars()]
        _set(conn, fsync="off", full_page_writes="off", max_wal_size="8GB")
        aside = _indexes(conn, [*tables])
        for name, _ in aside:
            conn.execute(text(f"DROP INDEX {name}"))
        conn.execute(text("CREATE TEMP TABLE c (old text, new text, serial bigint)"))
        for table in tables:
            lived = f"length(\"{_NAMED.get(table, 'case')}\") = length('hazard-2026-00000')"
            kept = f"CREATE TEMP TABLE lived_{table} AS SELECT * FROM {table} WHERE {lived}"  # noqa: S608 - from above
            conn.execute(text(kept))
            conn.execute(text(f"ANALYZE lived_{table}"))
        for serial in range(first or len(names), size, AT_ONCE):
            conn.execute(text("TRUNCATE c"))
            rows = _rows(names, serial, min(AT_ONCE, size - serial))
            conn.execute(
                _TOLD_APART,
                dict(zip(("old", "new", "n"), map(list, zip(*rows, strict=True)), strict=True)),
            )
            conn.execute(text("ANALYZE c"))
            for table in tables:
                columns = [row[0] for row in conn.execute(_COLUMNS, {"t": table})]
                conn.execute(text(_again(POSTGRES, table, columns, f"lived_{table}")))
        for _, made in aside:
            conn.execute(text(made))
        _set(conn, fsync="on", full_page_writes="on")
        conn.execute(text("CHECKPOINT"))
        conn.execute(text("VACUUM ANALYZE"))


_TOLD_APART = text(
    "INSERT INTO c SELECT * FROM unnest(:old ::text[], :new ::text[], :n ::bigint[])"
)
_COLUMNS = text(
    "SELECT column_name FROM information_schema.columns WHERE table_name = :t "
    "AND table_schema = current_schema() ORDER BY ordinal_position"
)


def _indexes(conn: Connection, tables: Sequence[str]) -> list[tuple[Any, Any]]:
    """Name and definition of those that keep nothing unique."""
    asked = text(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index "
        "WHERE indrelid = ANY(:t ::regclass[]) AND NOT indisunique"
    )
    rows = conn.execute(asked, {"t": list(tables)})
    # ON ONLY: of a whole that is kept by month, without its months.
    return [(row[0], row[1].replace(" ON ONLY ", " ON ")) for row in rows]


def _set(conn: Connection, **settings: str) -> None:
    for name, value in settings.items():
        conn.execute(text(f"ALTER SYSTEM SET {name} = '{value}'"))
    conn.execute(text("SELECT pg_reload_conf()"))
