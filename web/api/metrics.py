"""The metrics of a month, quarter or year, with what they rest on, as the page tells them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import Field
from sqlalchemy import Connection

from audit.metrics.plain import listed
from engine.errors import NotFound
from engine.metric_periods import at_one_position
from engine.periods import begin_of
from web.api.operations import shows, subject
from web.api.shapes import Bilingual, Named, Told, Wanted
from web.api.telling import unit
from web.metrics_page import Known, figures, group_names, known
from web.quantities import ZONE
from web.texts import later
from web.visit import surveys

operations = subject("metrics", later("风险管控指标"))
SCOPE = "cases:read"


class NothingCounted(NotFound):
    """No checkpoint has been counted yet."""

    def __init__(self) -> None:
        super().__init__(
            "指标还没有算出来。签出第一个检查点后，后台每小时算一次，请过后再取。",
            "No metrics have been counted yet: once a first checkpoint is signed they are counted "
            "once an hour. Ask again later.",
        )


class MetricsWanted(Wanted):
    """period: `2026-03`, `2026-Q1`, `2026`; the last month if none is given.

    by: "" for the whole. place: a unit.
    """

    period: str = Field(default="", max_length=7)
    by: Literal["", "community", "grid", "unit", "class"] = ""
    place: str = Field(default="", max_length=200)


class Share(Told):
    """How many of how many; value and interval (Wilson, 95 %) as decimals of four places."""

    numerator: int
    denominator: int
    value: str | None
    wilson: list[str] | None
    enough: bool
    excluded: dict[str, int]


class BesideTold(Told):
    """Of all cases a figure looked at, how many had what could hide work."""

    cases: int
    paused: int
    extended: int
    merged: int
    void: int


class FigureTold(Told):
    """One figure; null is what its kind does not have.

    groups: ids of the groups it is of, several where they are told together, `""` for the whole.
    share, lower: of a rate; lower counts whoever did not answer. n to p90_minutes: of a duration.
    count, sum: of a count. value, parts: of a composite. withheld: a number would be small.
    """

    groups: list[Named]
    share: Share | None
    lower: Share | None
    n: int | None
    censored: int | None
    enough: bool | None
    median_minutes: int | None
    p90_minutes: int | None
    excluded: dict[str, int] | None
    count: int | None
    sum: int | None
    value: str | None
    parts: dict[str, str | None] | None
    apart: dict[str, int] | None
    beside: BesideTold | None
    withheld: bool


class MetricTold(Told):
    """A metric and its figures; source: S0 to S4 papers, S a copied notice, OURS our own."""

    id: str
    kind: Literal["rate", "duration", "count", "composite"]
    name: Bilingual
    source: str
    figures: list[FigureTold]


class PositionTold(Told):
    """The checkpoint all of it rests on: name of the log, size and root of the tree, signed at."""

    log: str
    size: int
    root: str
    signed_at: datetime


class FormulasTold(Told):
    """The file of formulas by which it was counted."""

    version: int
    sha256: str


class Metrics(Told):
    """The metrics of a period in a unit and all below it. since, until: half-open.

    periods, places: what else may be asked for. cases: how many there were by then in the log.
    """

    period: str
    since: datetime
    until: datetime
    by: str
    place: Named
    cases: int
    periods: list[str]
    places: list[Named]
    position: PositionTold
    formulas: FormulasTold
    items: list[MetricTold]


@shows(operations, "/metrics", later("一个月、一季或一年的风险管控指标"), Metrics, SCOPE)
def metrics(query: MetricsWanted) -> Metrics:
    """The metrics of a period, for whoever supervises or disciplines there."""
    with surveys() as conn:
        found, kept = at_one_position(conn, lambda: _read(conn))
        names = group_names(conn, found.people)
    return _told(found, listed(kept, names))


def _read(conn: Connection) -> tuple[Known, list[dict[str, Any]]]:
    found = known(conn)
    if found.asked is None:
        raise NothingCounted
    return found, figures(conn, found.asked, found.asked.by)


def _told(found: Known, told: list[dict[str, Any]]) -> Metrics:
    rests, asked = found.basis, found.asked
    if rests is None or asked is None:
        raise NothingCounted
    return Metrics(
        period=asked.period.key,
        since=begin_of(asked.period.key, ZONE),
        until=asked.period.until,
        by=asked.by,
        place=unit(found.people, asked.place),
        cases=asked.period.cases,
        periods=[one.key for one in found.periods],
        places=[unit(found.people, one) for one in found.places],
        position=PositionTold(log=rests.log, size=rests.size, root=rests.root, signed_at=rests.at),
        formulas=FormulasTold(version=rests.version, sha256=rests.formulas),
        items=[_metric(one) for one in told],
    )


def _metric(told: Mapping[str, Any]) -> MetricTold:
    return MetricTold(
        id=told["id"],
        kind=told["kind"],
        name=Bilingual(zh=told["name"], en=told["name_en"]),
        source=told["source"],
        figures=[_figure(one) for one in told["figures"]],
    )


def _figure(told: Mapping[str, Any]) -> FigureTold:
    """What a kind of figure does not have is null."""
    lower = told.get("lower")
    known_: dict[str, Any] = {name: told.get(name) for name in FigureTold.model_fields}
    named = zip(told["groups"], told["names"], strict=True)
    return FigureTold(
        **known_
        | {
            "groups": [Named(id=group, name=name) for group, name in named],
            "share": _share(told) if "numerator" in told else None,
            "lower": _share(lower) if lower else None,
            "withheld": "withheld" in told,
        }
    )


def _share(told: Mapping[str, Any]) -> Share:
    return Share(**{name: told[name] for name in Share.model_fields})
