"""Reads two-rounds.json, the sample case that make.py made."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from audit.bundle import check_bundle
from audit.chain import Problem
from audit.entries import Entry
from audit.reports.facts import ElementFacts, FieldFacts

FILE = Path(__file__).with_name("two-rounds.json")


@dataclass(frozen=True)
class Sample:
    """The entries of the sample case, the words of its definition, who and what the ids are."""

    entries: list[Entry]
    elements: dict[str, ElementFacts]
    persons: dict[str, str]
    units: dict[str, str]
    posts: dict[str, str]
    bundle: bytes


@cache
def two_rounds() -> Sample:
    told = json.loads(FILE.read_text(encoding="utf-8"))
    bundle = json.dumps(told["bundle"]).encode()
    entries = [entry for entry in check_bundle(bundle) if not isinstance(entry, Problem)]
    elements = {key: element(facts) for key, facts in told["elements"].items()}
    return Sample(entries, elements, told["persons"], told["units"], told["posts"], bundle)


def element(told: dict[str, Any]) -> ElementFacts:
    fields = {
        name: FieldFacts(
            facts["title"],
            facts["title_en"],
            facts["kind"],
            {value: (words[0], words[1]) for value, words in facts["choices"].items()},
        )
        for name, facts in told["fields"].items()
    }
    return ElementFacts(**{**told, "fields": fields})
