"""The weights of the risk-control index as shipped or replaced by the street. Configuration."""

from functools import cache
from importlib.resources import files

from audit.risk_index.weights import Weights, read_weights


@cache
def index_weights() -> Weights:
    """The weights in force, read once. Raises BadWeights for a file that cannot be read."""
    return read_weights(files("workflows").joinpath("risk_index", "weights.toml").read_bytes())
