"""What is wrong with a definition, in sentences that say where."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: `element` = id it concerns (or file name), `rule` = short name of the rule."""

    element: str
    rule: str
    chinese: str
    english: str
