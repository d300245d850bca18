"""The risk-control index at the command line: from the tables and from an export, or refused."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from engine.database import open_database, reading
from engine.index_editions import edition_figures
from engine.index_weights import read_register
from engine.metric_periods import keep_figures
from engine.sequencer import run_sequencer
from tests.conftest import ROOT
from tests.web.demo_street import Built, built
from tests.web.index_street import MONTH, computed
from tests.web.test_cli import IMPORT, Shaoji, founded, shaoji, told
from tests.witnessing import signer
from web.demo import END, ORIGIN
from web.formulas import formulas
from web.index_weights import index_weights
from web.quantities import ZONE

__all__ = ["built", "founded", "shaoji"]  # fixtures


def test_the_tables_and_an_export_give_the_same_index(founded: Shaoji) -> None:
    founded(*IMPORT)
    founded("export", "log", "out")
    month = ("index", "--month", "2026-03")
    exported = told(founded(*month, "--export", "out", "--json"))
    assert exported["position"]["size"] > 0
    assert exported["weights"]["sha256"] == index_weights().sha256
    assert [one["unit"] for one in exported["communities"]] == sorted(index_weights().communities)
    shown = founded(*month).output
    assert "检查点" in shown
    assert "巡查完成" in shown
    # The record of the export itself came after its checkpoint.
    assert told(founded(*month, "--json")) == exported
    Path("out/checkpoint").write_text("?", encoding="utf-8")
    assert "没有计算" in founded(*month, "--export", "out", code=1).output


def test_an_edition_is_what_the_command_computes_as_of_its_checkpoint(
    built: Built, shaoji: Shaoji, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect("street.db")) as target, built.database.connect() as conn:
        conn.connection.driver_connection.backup(target)
    monkeypatch.setenv("SHAOJI_DATABASE_URL", "sqlite:///street.db")
    database = open_database("sqlite:///street.db")
    run_sequencer(database, [signer(ORIGIN)], at=END)
    keep_figures(database, formulas(), zone=ZONE)
    seq = computed(database)
    with reading(database).begin() as conn:
        edition = read_register(conn).edition(seq)
        figures = edition_figures(conn, edition)
    database.dispose()
    report = told(shaoji("index", "--month", MONTH, "--json"))
    assert report["position"]["size"] == edition.told["size"]
    assert report["figures_sha256"] == edition.told["figures"]
    assert {kind: report[kind] for kind in figures} == figures
    assert any(part["of"] for one in figures["departments"] for part in one["parts"])


@pytest.mark.parametrize("month", ["2026", "2026-13", "2026-3", "March", "0000-01"])
def test_a_month_that_is_none_is_refused(founded: Shaoji, month: str) -> None:
    assert "2026-03 这样" in founded("index", "--month", month, code=1).output


def test_a_month_that_is_not_over_is_said_to_be_so(founded: Shaoji) -> None:
    assert "本月未完" in founded("index", "--month", "2999-01").output
    assert "本月未完" not in founded("index", "--month", "2020-01").output


def test_a_file_that_says_nothing_of_accidents_is_said_to_say_nothing(founded: Shaoji) -> None:
    assert "事故没有扣分" not in founded("index", "--month", "2026-03").output
    shipped = (ROOT / "workflows/risk_index/weights.toml").read_text(encoding="utf-8")
    begin, end = shipped.index("# Points off for each accident"), shipped.index("# Source of the")
    Path("older.toml").write_text(shipped[:begin] + shipped[end:], encoding="utf-8")
    told = founded("index", "--month", "2026-03", "--weights", "older.toml").output
    assert "事故没有扣分" in told
