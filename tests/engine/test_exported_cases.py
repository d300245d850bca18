"""From an exported log alone: what the rules find is what they find in the tables."""

from pathlib import Path
from random import Random

import pytest

from audit import log
from audit.metrics.fold import case_facts
from audit.metrics.formulas import read_formulas
from audit.policy import Policy
from audit.signals.brief import brief
from audit.signals.rules import read_rules
from audit.trust import Trust
from engine.exported_cases import ExportFails
from engine.log_export import export_log
from engine.metrics import basis_of_export
from engine.sequencer import run_sequencer
from engine.signals import offices_of, signals_of_export, standing
from engine.vault import Vault
from tests.conftest import ROOT, Street
from tests.engine.any_street import Somebody, found
from tests.engine.test_anchoring import KEY

RULES = read_rules((ROOT / "workflows" / "signals" / "rules.toml").read_bytes())
FORMULAS = read_formulas((ROOT / "workflows" / "metrics" / "formulas.toml").read_bytes())

TRUST = Trust(Policy((KEY.key,)))


def exported(street: Street, folder: Path) -> Path:
    run_sequencer(street.database, [KEY], at=street.later(minutes=1))
    with street.database.begin() as conn:
        export_log(conn, folder, seen=lambda _: None)
    return folder


@pytest.mark.parametrize("workers", [1, 3])
def test_an_export_gives_the_signals_and_facts_of_the_tables(
    street: Street, vault: Vault, tmp_path: Path, workers: int
) -> None:
    found(street)
    somebody = Somebody(street, Random(workers))
    somebody.play(60)
    street.later(days=20)
    somebody.play(60)
    folder = exported(street, tmp_path / "log")
    with street.database.begin() as conn:
        cases = [log.read(conn, name) for name in log.streams(conn) if not name.startswith("@")]
        known = offices_of(conn)
    tree, told = signals_of_export(folder, TRUST, RULES, workers=workers)
    here = standing([brief(entries, RULES) for entries in cases], RULES, (), known)
    assert told == sorted(here, key=lambda one: (one.signal.case, one.signal.events[0]))
    assert len(told) > 5
    basis = basis_of_export(folder, TRUST, FORMULAS, workers=workers)
    assert basis.tree == tree
    expected = {
        case_facts(entries, FORMULAS).case: case_facts(entries, FORMULAS) for entries in cases
    }
    assert {one.case: one for one in basis.cases} == expected
    street.check()


def test_an_export_that_was_changed_gives_no_signals(street: Street, tmp_path: Path) -> None:
    folder = exported(street, tmp_path / "log")
    (tile,) = (folder / "tile" / "entries").rglob("*.p/*")
    tile.write_bytes(tile.read_bytes().replace(b'"unit.created"', b'"unit.renamed"', 1))
    with pytest.raises(ExportFails, match="没有计算"):
        signals_of_export(folder, TRUST, RULES, workers=1)
    street.check()
