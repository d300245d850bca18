"""The lines of early warning as shipped or replaced by the street: workflows/early_warning."""

from functools import cache
from importlib.resources import files

from audit.early_warning.thresholds import Thresholds, read_thresholds
from web.formulas import formulas


@cache
def thresholds() -> Thresholds:
    """The lines in force, read once. Raises BadThresholds for a file that cannot be read."""
    toml = files("workflows").joinpath("early_warning", "thresholds.toml").read_bytes()
    return read_thresholds(toml, formulas())
