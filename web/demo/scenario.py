"""A year on order: so large, drawn from this seed, and what detectors should find in it."""

from typing import Any

from sqlalchemy import Engine

from web.demo.chance import seeded
from web.demo.town import SIZES, Size, scaled
from web.demo.truth import truth


def size_of(scale: int, *, small: bool) -> Size:
    """The size of a year with so many times 6,000 hazards; or the smallest."""
    return SIZES["small"] if small else scaled(scale)


def truth_of(engine: Engine, seed: str, size: Size) -> list[dict[str, Any]]:
    """What is to be found in a year lived so: {rule, case, seq} each."""
    with seeded(seed), engine.connect() as conn:
        return truth(conn, size)
