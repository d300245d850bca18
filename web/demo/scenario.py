"""A year on order: so large, drawn from this seed, and what detectors should find in it."""

from pathlib import Path

import orjson
from sqlalchemy import Engine

from web.demo.chance import seeded
from web.demo.town import SIZES, Size, scaled
from web.demo.truth import truth


def size_of(scale: int, *, small: bool) -> Size:
    """The size of a year with so many times 6,000 hazards; or the smallest."""
    return SIZES["small"] if small else scaled(scale)


def write_truth(engine: Engine, seed: str, size: Size, file: Path) -> int:
    """Write what is to be found in a year lived so, as JSON [{rule, case, seq}]; how much it is."""
    with seeded(seed), engine.connect() as conn:
        told = truth(conn, size)
    file.write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2))
    return len(told)
