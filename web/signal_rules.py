"""The rules of signals as shipped or replaced by the street: workflows/signals. Configuration."""

from functools import cache
from importlib.resources import files

from audit.signals.rules import Rules, read_rules


@cache
def signal_rules() -> Rules:
    """The rules in force, read once. Raises BadRules for a file that cannot be read."""
    return read_rules(files("workflows").joinpath("signals", "rules.toml").read_bytes())
