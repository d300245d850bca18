"""The weights of the risk-control index: what the street adopted, else the file as shipped."""

from functools import cache
from importlib.resources import files

from sqlalchemy import Connection

from audit.risk_index.weights import Weights, read_weights
from engine.index_weights import WeightsMissing, weights_for


@cache
def index_weights() -> Weights:
    """The weights as shipped, read once. Raises BadWeights for a file that cannot be read."""
    return read_weights(shipped_file())


def shipped_file() -> bytes:
    """The file as shipped."""
    return files("workflows").joinpath("risk_index", "weights.toml").read_bytes()


def weights_or_shipped(conn: Connection, month: str) -> Weights:
    """The weights in force for a month; where nothing was adopted, those that are shipped.

    Raises WeightsDamaged.
    """
    try:
        return weights_for(conn, month)
    except WeightsMissing:
        return index_weights()
