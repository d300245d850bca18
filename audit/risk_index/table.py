"""The table of a month: block and line as canonical JSON tells them, and its hash. Pure.

Fractions are text, exact; points have two decimal places. Whoever computes the same table from the
log gets the same bytes.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from audit.encoding import canonical
from audit.risk_index.block import block_indices
from audit.risk_index.index import Index, points
from audit.risk_index.line import line_indices
from audit.risk_index.parts import Part
from audit.risk_index.ranking import ranks
from audit.risk_index.told import Told
from audit.risk_index.weights import Weights


def index_table(now: Told, before: Told, weights: Weights) -> dict[str, Any]:
    """Both indices of a month; before: the month before, as it stood at its own end."""
    return {
        "communities": plain(block_indices(now, before, weights), ranking=weights.ranking),
        "departments": plain(line_indices(now, before, weights), ranking=weights.ranking),
    }


def figures_hash(table: dict[str, Any]) -> str:
    """SHA-256 of the table's canonical JSON, hex: what an edition is known by."""
    return hashlib.sha256(canonical(table)).hexdigest()


def plain(indices: Sequence[Index], *, ranking: bool) -> list[dict[str, Any]]:
    """The indices as JSON tells them, by id; a rank only where ranks are told, and there is one."""
    told = ranks(indices) if ranking else {}
    return [
        {
            "unit": one.unit,
            "stratum": one.stratum,
            "value": points(one.value),
            "exact": str(one.value),
            "interval": [str(end) for end in one.interval],
            "band": one.band,
            "backed": one.backed,
            "suppressed": one.suppressed,
            "off": one.off,
            "parts": [_plain(part) for part in one.parts],
        }
        # A table by a file older than accidents are recorded keeps its bytes.
        | ({} if one.accidents is None else {"accidents": one.accidents})
        | ({"rank": told[one.unit]} if one.unit in told else {})
        for one in indices
    ]


def _plain(part: Part) -> dict[str, Any]:
    prior = {} if part.prior is None else {"prior": str(part.prior)}
    return {
        "name": part.name, "weight": part.weight, "value": str(part.value),
        "points": points(part.weight * part.value), **part.counts, **prior,
    }  # fmt: skip
