"""Another system's log is kept apart on both databases; that it was imported is on the record."""

import io
from pathlib import Path

import pytest

from audit import log
from audit.foreign.facts import facts_of
from audit.metrics.fold import case_facts
from audit.mining.xes import write_xes
from engine.definition_sets import UnknownDefinition
from engine.errors import Refusal
from engine.foreign import (
    BadName,
    ForeignGone,
    Imported,
    NameTaken,
    NothingRead,
    UnknownForeign,
    UnknownStep,
    examine,
    import_foreign,
    imported,
    opened,
)
from engine.mining import open_cases, traces
from engine.people import NotAdministrator, grant_post, register_person
from engine.register import register_table
from tests.conftest import ROOT, Street
from tests.engine.hazard_street import Hazard, hazard
from web.formulas import formulas

LEDGER = (ROOT / "tests/golden/foreign/ledger.csv").read_bytes()
MAP = (ROOT / "workflows/foreign/dispatch-ledger.toml").read_bytes()
OURS = (ROOT / "workflows/foreign/shaoji-xes.toml").read_bytes()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "foreign"


@pytest.fixture
def desk(street: Street) -> Hazard:
    """The hazard process on a street with an administrator; no case yet."""
    case = hazard(street)
    with street.database.begin() as conn:
        admin = register_person(conn, "管理演示", by=None, at=street.at)
        grant_post(
            conn, admin, "u-street", "系统管理员", ["administer"], reason="建库", by=None,
            at=street.at,
        )  # fmt: skip
    street.person["admin"] = admin
    return case


def bring(
    street: Street, root: Path, *, name: str = "old", file: bytes = LEDGER, map_: bytes = MAP
) -> Imported:
    with street.database.begin() as conn:
        told = examine(conn, file=file, map_=map_, at=street.at)
        return import_foreign(conn, root, told, name=name, by=street.by("admin"), at=street.at)


def test_what_is_imported_is_on_the_record_and_nowhere_among_our_cases(
    desk: Hazard, root: Path
) -> None:
    street = desk.street
    desk.assigned()
    with street.database.begin() as conn:
        before = {name: len(log.read(conn, name)) for name in log.streams(conn)}
    told = bring(street, root)
    with street.database.begin() as conn:
        after = {name: len(log.read(conn, name)) for name in log.streams(conn)}
        (entry,) = log.of_types(conn, ["foreign.imported"])
        assert conn.execute(register_table.select()).all() != []
        numbers = set(conn.execute(register_table.select()).scalars())
        assert imported(conn) == [told]
        found, read = opened(conn, root, "old")
    assert after == before | {"@log": before.get("@log", 0) + 1}
    assert not {case.id for case in read.cases} & numbers
    assert (found, entry.actor["person"]) == (told, street.person["admin"])
    assert (told.cases, told.rows, told.rejected, told.left_out) == (5, 6, 1, 1)
    # Nobody's name, and nothing of what the file says, is in the log.
    assert "演示".encode() not in entry.body
    street.check()


def test_our_own_history_read_back_gives_the_same_facts(desk: Hazard, root: Path) -> None:
    street = desk.street
    desk.assigned()
    desk.do("sign_in")
    out = io.StringIO()
    with street.database.begin() as conn:
        write_xes(traces(conn, open_cases(conn)), out)
        ours = case_facts(log.read(conn, desk.case), formulas())
    bring(street, root, file=out.getvalue().encode(), map_=OURS)
    with street.database.begin() as conn:
        (told,) = opened(conn, root, "old")[1].cases
    theirs = facts_of(told, formulas())
    for fact in ("case", "process", "opened", "opener", "level"):
        assert getattr(theirs, fact) == getattr(ours, fact)
    assert [(s.task, s.opened, s.closed, s.how, s.units) for s in theirs.steps] == [
        (s.task, s.opened, s.closed, s.how, s.units[:1]) for s in ours.steps
    ]
    street.check()


@pytest.mark.parametrize(
    ("more", "refusal", "word"),
    [
        ({"name": "Old System"}, BadName, "小写字母"),
        ({"name": "../old"}, BadName, "小写字母"),
        ({"name": "taken"}, NameTaken, "--as"),
        ({"file": b"<log/>", "map_": OURS}, NothingRead, "一件案子也读不出来"),
        ({"map_": MAP.replace(b'step = "close"', b'step = "archive"')}, UnknownStep, "archive"),
        ({"map_": MAP.replace(b'"hazard"', b'"nothing"', 1)}, UnknownDefinition, "nothing"),
    ],
)
def test_what_cannot_be_taken_in_is_refused_and_leaves_nothing(
    street: Street,
    desk: Hazard,
    root: Path,
    more: dict[str, bytes],
    refusal: type[Refusal],
    word: str,
) -> None:
    bring(street, root, name="taken")
    kept = sorted(root.rglob("*"))
    with pytest.raises(refusal) as told:
        bring(street, root, **more)  # type: ignore[arg-type]  # one of three, by its name
    assert word in told.value.chinese
    assert sorted(root.rglob("*")) == kept
    with street.database.begin() as conn:
        assert len(imported(conn)) == 1
    street.check()


def test_only_an_administrator_takes_a_log_in(desk: Hazard, root: Path) -> None:
    street = desk.street
    with street.database.begin() as conn:
        told = examine(conn, file=LEDGER, map_=MAP, at=street.at)
    for by in (None, street.by("head")):
        with street.database.begin() as conn, pytest.raises(NotAdministrator):
            import_foreign(conn, root, told, name="old", by=by, at=street.at)
    assert not root.exists()


def test_a_file_that_is_gone_or_another_one_gives_no_figures(desk: Hazard, root: Path) -> None:
    street = desk.street
    told = bring(street, root)
    path = root / told.file_sha256[:2] / told.file_sha256[2:4] / told.file_sha256
    assert path.read_bytes() == LEDGER
    path.chmod(0o640)
    path.write_bytes(LEDGER + b"\n")
    with street.database.begin() as conn:
        with pytest.raises(ForeignGone, match="备份"):
            opened(conn, root, "old")
        path.unlink()
        with pytest.raises(ForeignGone, match="备份"):
            opened(conn, root, "old")
        with pytest.raises(UnknownForeign, match="old"):
            opened(conn, root, "other")
