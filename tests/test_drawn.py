"""The check that every element of the drawings is reached can fail, and says what is missing."""

import json
from pathlib import Path

from tests import drawn


def everything() -> list[list[str]]:
    return [
        [definition.key, element, "some test"]
        for definition in drawn.shipped().values()
        for element in drawn.wanted(definition)
    ]


def test_what_no_test_reached_is_named(tmp_path: Path) -> None:
    told = everything()
    (tmp_path / "main.json").write_text(json.dumps(told[1:]))
    assert drawn._report(tmp_path) == [": ".join(told[0][:2])]
    assert "-- no test reaches it --" in (tmp_path / "report.txt").read_text()


def test_what_several_workers_reached_counts_together(tmp_path: Path) -> None:
    told = everything()
    (tmp_path / "gw0.json").write_text(json.dumps(told[::2]))
    (tmp_path / "gw1.json").write_text(json.dumps(told[1::2]))
    assert drawn._report(tmp_path) == []


def test_an_element_of_every_kind_is_wanted() -> None:
    kinds = {
        definition.elements[element].kind
        for definition in drawn.shipped().values()
        for element in drawn.wanted(definition)
        if element in definition.elements
    }
    assert kinds == {
        "startEvent", "endEvent", "userTask", "sendTask", "serviceTask", "businessRuleTask",
        "exclusiveGateway", "parallelGateway", "intermediateCatchEvent", "boundaryEvent",
    }  # fmt: skip
