"""A brief as JSON, for whoever keeps it: equal briefs give equal bytes."""

from datetime import datetime
from typing import Any

import orjson

from audit.signals.facts import (
    Acceptance,
    Begun,
    Brief,
    Call,
    Complaint,
    Deed,
    Handled,
    Judged,
    Merge,
    Photo,
    Signal,
    Whistle,
)


def to_json(brief: Brief) -> bytes:
    """Write a brief."""
    return orjson.dumps(brief, option=orjson.OPT_SORT_KEYS)


def from_json(data: bytes) -> Brief:
    """Read what `to_json` wrote."""
    told = orjson.loads(data)
    return Brief(
        case=told["case"],
        number=told["number"],
        process=told["process"],
        thing=tuple(told["thing"]),
        title=told["title"],
        alone=tuple(_signal(one) for one in told["alone"]),
        confirmed=_deeds(told["confirmed"]),
        dismissed=_deeds(told["dismissed"]),
        accepted=_deeds(told["accepted"]),
        closed=_deeds(told["closed"]),
        refuted=tuple((seq, _at(at)) for seq, at in told["refuted"]),
        pairs=tuple(
            Acceptance(one["seq"], _deed(one["done"]), _deed(one["accepted"]))
            for one in told["pairs"]
        ),
        photos=tuple(_photo(one) for one in told["photos"]),
        merge=told["merge"] and Merge(**told["merge"] | {"at": _at(told["merge"]["at"])}),
        judged=tuple(Judged(**one) for one in told["judged"]),
        begun=_begun(told["begun"]),
        plans=told["plans"],
        complaint=told["complaint"] and _complaint(told["complaint"]),
        whistle=told["whistle"] and _whistle(told["whistle"]),
        calls=tuple(Call(**one) for one in told["calls"]),
    )


def _begun(told: dict[str, Any]) -> Begun:
    ended = told["ended"] and _at(told["ended"])
    return Begun(_at(told["at"]), told["parent"], told["by_staff"], ended)


def _complaint(told: dict[str, Any]) -> Complaint:
    return Complaint(
        tuple((seq, unit) for seq, unit in told["units"]),
        tuple(Handled(**one) for one in told["handled"]),
        tuple(told["linked"]),
        tuple((seq, _at(at)) for seq, at in told["closed"]),
    )


def _whistle(told: dict[str, Any]) -> Whistle:
    return Whistle(told["unit"], told["kind"], tuple(told["returned"]))


def _signal(told: dict[str, Any]) -> Signal:
    others = tuple((case, seq) for case, seq in told["others"])
    return Signal(told["rule"], told["case"], tuple(told["events"]), others)


def _deeds(told: list[dict[str, Any]]) -> tuple[Deed, ...]:
    return tuple(map(_deed, told))


def _deed(told: dict[str, Any]) -> Deed:
    return Deed(told["seq"], _at(told["at"]), told["person"], told["unit"])


def _photo(told: dict[str, Any]) -> Photo:
    taken = told["taken"]
    return Photo(told["sha256"], told["seq"], told["role"], taken and tuple(taken))


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
