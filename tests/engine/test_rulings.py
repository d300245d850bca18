"""Where an objection leads: the step at which somebody rules on it."""

import pytest

from engine.definitions import parse, read_folder
from engine.turns import rulings
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("process", "steps"),
    [
        ("hazard", {"rule_objection"}),
        ("response", {"rule_objection", "rule_at_once"}),
        ("patrol", set()),
    ],
)
def test_the_steps_a_drawn_objection_leads_to_are_rulings(process: str, steps: set[str]) -> None:
    assert rulings(parse(read_folder(ROOT / "workflows" / process))) == steps
