"""Rolling upgrades: what newer tables let an older program do, and what a migration may do."""

import ast
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import text

from engine import nodes, schema
from engine.leases import LEASE
from engine.nodes import Node
from engine.schema import (
    NodesAtWork,
    SchemaMismatch,
    check_schema,
    create_schema,
    fits,
    wanted_release,
)
from tests.conftest import NOON, ROOT, Street

MIGRATIONS = sorted((ROOT / "engine/migrations/versions").glob("0*.py"))
# The first that has to say whether the program before it may go on.
FIRST = "0024"
EXPANDING = {"create_table", "create_index", "add_column", "get_bind", "get_context", "f"}


# --- newer tables under this program --------------------------------------------------------------


def newer(street: Street, *, oldest: str) -> None:
    """What a later release would have made of the tables, and says of programs before it."""
    with street.database.begin() as conn:
        conn.execute(text("CREATE TABLE of_a_later_release (id INTEGER PRIMARY KEY)"))
        conn.execute(text("ALTER TABLE case_register ADD COLUMN of_a_later_release TEXT"))
        conn.execute(text("UPDATE table_floor SET oldest = :o"), {"o": oldest})
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))


def test_newer_tables_that_let_this_program_go_on_are_worked_on(street: Street) -> None:
    case = street.report()
    newer(street, oldest=wanted_release())
    check_schema(street.database)
    with street.database.begin() as conn:
        assert fits(conn)
    street.complete(case, "prepare#1", "head", {"kind": "wood", "pieces": 3})
    street.report()
    street.check()
    # It does not touch what it does not know.
    with pytest.raises(SchemaMismatch, match="9999"):
        create_schema(street.database)


def test_newer_tables_that_do_not_are_refused(street: Street) -> None:
    newer(street, oldest="9999")
    with street.database.begin() as conn:
        assert not fits(conn)
    for refused in (check_schema, create_schema):
        with pytest.raises(SchemaMismatch, match="9999"):
            refused(street.database)


@pytest.mark.parametrize("side_by_side", [False, True])
def test_tables_are_not_changed_under_processes_that_could_not_go_on(
    street: Street, monkeypatch: pytest.MonkeyPatch, side_by_side: bool
) -> None:
    with street.database.begin() as conn:
        nodes.enter(conn, Node("serve-1", "serve", "pc", "0.1", NOON, NOON, {}))
    told = SimpleNamespace(SIDE_BY_SIDE=side_by_side)
    script = SimpleNamespace(revision=wanted_release(), module=told)
    monkeypatch.setattr(schema, "_after", lambda before: [script])
    if not side_by_side:
        with pytest.raises(NodesAtWork, match="serve-1"):
            create_schema(street.database, at=NOON)
    # One that was not heard of for a while is dead, and keeps nobody from upgrading.
    create_schema(street.database, at=NOON if side_by_side else NOON + 2 * LEASE)
    check_schema(street.database)


# --- what a migration may do ----------------------------------------------------------------------


@pytest.mark.parametrize("path", MIGRATIONS, ids=lambda path: path.stem)
def test_a_migration_says_whether_the_program_before_it_may_go_on_and_then_only_adds(
    path: Path,
) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    told = {
        node.targets[0].id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    if path.stem >= FIRST:
        assert "SIDE_BY_SIDE" in told, "say whether the program before may go on: docs/cluster.md"
    if told.get("SIDE_BY_SIDE"):
        assert destructive(tree) == []


def destructive(tree: ast.Module) -> list[str]:
    """What a program that does not know of it could trip over."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name = node.func.attr
        if isinstance(node.func.value, ast.Name) and node.func.value.id == "op":
            if name not in EXPANDING:
                found.append(name)
            elif name == "add_column" and not _may_be_left_out(node):
                found.append("add_column without nullable=True or server_default")
    return found


def _may_be_left_out(call: ast.Call) -> bool:
    """Whether rows of a program that does not know the column go in."""
    (column,) = (one for one in call.args if isinstance(one, ast.Call))
    told = {one.arg: one.value for one in column.keywords}
    nullable = told.get("nullable")
    return "server_default" in told or (
        isinstance(nullable, ast.Constant) and nullable.value is True
    )


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ('op.add_column("t", sa.Column("c", sa.Text(), nullable=True))', []),
        ('op.add_column("t", sa.Column("c", sa.Text(), server_default=""))', []),
        ('op.create_index("i", "t", ["c"])', []),
        ('op.drop_column("t", "c")', ["drop_column"]),
        ('op.execute(sa.text("DELETE FROM t"))', ["execute"]),
        ('op.alter_column("t", "c", nullable=False)', ["alter_column"]),
        ('op.add_column("t", sa.Column("c", sa.Text(), nullable=False))',
         ["add_column without nullable=True or server_default"]),
    ],
)  # fmt: skip
def test_what_takes_away_or_asks_for_more_is_found(line: str, wrong: list[str]) -> None:
    assert destructive(ast.parse(line)) == wrong


# --- a program that is really older ---------------------------------------------------------------

# The last commit whose tables are of release 0022.
OLD = "4b3dbc1"


@pytest.fixture(scope="module")
def old_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("old")
    rooms = ("audit", "engine", "web", "workflows")
    done = subprocess.run(
        ["git", "-C", ROOT, "archive", OLD, *rooms], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("this checkout has no history")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.mark.parametrize("command", [["cases"], ["serve", "--port", "0"], ["init"]])
def test_a_program_from_before_the_rule_refuses_newer_tables_at_its_start(
    sqlite_street: Street, old_program: Path, tmp_path: Path, command: list[str]
) -> None:
    sqlite_street.report()
    url = sqlite_street.database.url.render_as_string(hide_password=False)
    environment = {name: told for name, told in os.environ.items() if name[:7] != "SHAOJI_"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", "from web.cli import main; main()", *command],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
        env=environment | {"PYTHONPATH": str(old_program), "SHAOJI_DATABASE_URL": url},
    )  # fmt: skip
    assert done.returncode == 1
    assert wanted_release() in done.stderr
    assert "Traceback" not in done.stderr
    sqlite_street.check()
