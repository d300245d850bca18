"""The formulas of the metrics as shipped or replaced by the street: workflows/metrics."""

from functools import cache
from importlib.resources import files

from audit.metrics.formulas import Formulas, read_formulas


@cache
def formulas() -> Formulas:
    """The formulas in force, read once. Raises BadFormulas for a file that cannot be read."""
    return read_formulas(files("workflows").joinpath("metrics", "formulas.toml").read_bytes())
