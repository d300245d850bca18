"""风险管控指标: the metrics of a period for supervision and discipline, and the lists behind."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from flask import Blueprint, abort, render_template, request, url_for
from flask_login import login_required
from sqlalchemy import Connection

from audit.encoding import timestamp
from audit.metrics.catalogue import METRICS
from audit.metrics.contributions import Contribution
from engine.definition_sets import load, sets_in_force
from engine.definitions import OPENING_FORM
from engine.directory import Directory
from engine.errors import NotAllowed
from engine.metric_periods import (
    Basis,
    Counted,
    at_one_position,
    basis,
    kept_figures,
    kept_list,
    periods,
)
from engine.people import directory
from engine.periods import begin_of, kind_of
from engine.rights import places_measured
from web.desk import unit_name
from web.formulas import formulas
from web.metric_cases import CASES_LISTED, parts_of, rows_of
from web.metric_rows import Telling, group_name, metric_counts, metric_name, sections
from web.metric_words import BY, NOTES, PARTS
from web.periods import beside, kinds, period_words
from web.quantities import ZONE
from web.texts import either, say
from web.visit import at, by, surveys

pages = Blueprint("metrics", __name__)


class NoMetricsForYou(NotAllowed):
    """Metrics are for posts that supervise or discipline."""

    def __init__(self) -> None:
        super().__init__(
            "风险管控指标给督查和纪检的岗位看，您现在没有这样的岗位。",
            "Metrics are for posts that supervise or discipline; you hold none now.",
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """Which figures: of a period and a unit with all below it, by what they are grouped."""

    period: Counted
    place: str
    by: str

    def address(self, endpoint: str = "metrics.page", **changed: str) -> str:
        """A page of the same figures but for what is changed."""
        told = {"period": self.period.key, "place": self.place, "by": self.by} | changed
        words: dict[str, Any] = {name: value for name, value in told.items() if value}
        return url_for(endpoint, **words)


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to ask for. asked: None before any figures were counted."""

    people: Directory
    places: Sequence[str]
    periods: Sequence[Counted]
    basis: Basis | None
    asked: Asked | None


def known(conn: Connection) -> Known:
    """What this request asks for, of what this person may see; raises NoMetricsForYou."""
    people = directory(conn)
    places = places_measured(people, by(), at())
    if not places:
        raise NoMetricsForYou
    rests, told = basis(conn), periods(conn)
    named = {one.key: one for one in told}
    place = request.args.get("place", "")
    grouped = request.args.get("by", "")
    asked = Asked(
        named.get(request.args.get("period", "")) or _last_month(told),
        place if place in measurable(people, places) else places[0],
        grouped if grouped in BY else "",
    ) if rests and told else None  # fmt: skip
    return Known(people, places, told, rests, asked)


def measurable(people: Directory, places: Sequence[str]) -> frozenset[str]:
    """The units of which figures may be asked for: those of one's posts, and all below them."""
    return frozenset(unit for place in places for unit in people.subtree(place))


def figures(conn: Connection, asked: Asked, grouped: str) -> list[dict[str, Any]]:
    """The kept figures that are asked for, by one of BY."""
    return kept_figures(conn, asked.period.key, grouped, asked.place, formulas(), zone=ZONE)


@pages.get("/metrics")
@login_required  # type: ignore[untyped-decorator]
def page() -> str:
    """All metrics of a period: the last month, if nobody says otherwise."""
    with surveys() as conn:
        found, whole, grouped = at_one_position(conn, lambda: _read(conn))
        asked = found.asked
        if asked is None:
            return render_template("metrics.html", asked=None)
        names = group_names(conn, found.people)
    return render_template(
        "metrics.html",
        asked=asked,
        sections=sections(whole, grouped, Telling(asked.by, names, _listing(asked))),
        period=period_words(asked.period.key),
        kinds=[(words, asked.address(period=key), current)
               for words, key, current in kinds(found.periods, asked.period)],
        runs=asked.period.until == found.basis.at if found.basis else False,
        before=_beside(found, asked, -1),
        after=_beside(found, asked, 1),
        groupings=[(say(words), asked.address(by=name), name == asked.by)
                   for name, words in BY.items()],
        places=_places(found, asked),
        basis=found.basis,
        command=_command(asked),
    )  # fmt: skip


Rows = list[dict[str, Any]]


def _read(conn: Connection) -> tuple[Known, Rows, Rows]:
    """What is asked for, the whole figures and those of the groups."""
    found = known(conn)
    asked = found.asked
    if asked is None:
        return found, [], []
    return found, figures(conn, asked, ""), figures(conn, asked, asked.by) if asked.by else []


def _listing(asked: Asked) -> Callable[[str, str | None, str], str]:
    """Where the lists behind numbers are; said for each of some hundred rows, so built by hand."""
    base = {metric: asked.address("metrics.listed", metric=metric) for metric in METRICS}

    def address(metric: str, group: str | None, part: str) -> str:
        of = "" if group is None else f"&group={quote(group, safe='')}"
        return f"{base[metric]}{of}&part={part}"

    return address


def _last_month(told: Sequence[Counted]) -> Counted:
    return [one for one in told if kind_of(one.key) == "month"][-1]


def _beside(found: Known, asked: Asked, step: int) -> tuple[str, str] | None:
    """The period before or after: how it is called, and its address."""
    key = beside(found.periods, asked.period, step)
    return (period_words(key), asked.address(period=key)) if key else None


def _places(found: Known, asked: Asked) -> list[tuple[str, str, bool]]:
    """The units whose figures there are for this person, if there are several."""
    return [
        (unit_name(found.people, one), asked.address(place=one), one == asked.place)
        for one in found.places
        if len(found.places) > 1
    ]


def _command(asked: Asked) -> str:
    """What whoever operates the server types to count the same anew."""
    since = f"{begin_of(asked.period.key, ZONE):%Y-%m-%d}"
    until = asked.period.until.astimezone(ZONE)
    midnight = (until.hour, until.minute, until.second, until.microsecond) == (0, 0, 0, 0)
    end = f"{until:%Y-%m-%d}" if midnight else timestamp(until)
    grouped = f" --by {asked.by}" if asked.by else ""
    return f"shaoji metrics --from {since} --to {end}{grouped}"


def group_names(conn: Connection, people: Directory) -> dict[str, str]:
    """How units and classes are called."""
    names = {}
    for one in sets_in_force(conn):
        form = load(conn, one.digest).forms[OPENING_FORM]
        for field in (form.field("category"), form.field("kind")):
            for choice in field.choices if field else ():
                names[choice.value] = either(choice.title, choice.title_en)
    return names | {unit.id: unit.name for unit in people.units.values()}


# --- the lists ------------------------------------------------------------------------------------


@pages.get("/metrics/<metric>")
@login_required  # type: ignore[untyped-decorator]
def listed(metric: str) -> str:
    """The cases behind the numbers of one figure, each with the entry that decided."""
    if metric not in METRICS:
        abort(404)
    group, own = request.args.get("group"), request.args.get("own") == "1"
    with surveys() as conn:
        found, rows = at_one_position(conn, lambda: _read_list(conn, metric))
        asked = found.asked
        if asked is None:  # nothing has been counted yet; the page of all metrics says so
            return render_template("metrics.html", asked=None)
        heading = {
            "metric": metric_name(metric),
            "counts": metric_counts(metric),
            "period": period_words(asked.period.key),
            "group": group_name(group, asked.by, group_names(conn, found.people))
            if group is not None and asked.by
            else "",
            "own": own,
            "back": asked.address(),
        }
        if formulas().of(METRICS[metric].process).confidential:
            return render_template("metric.html", confidential=True, **heading)
        parts = parts_of(metric, rows, asked.place, asked.by, group, found.people, own=own)
        part = request.args.get("part", "")
        part = part if part in parts else next(iter(parts), "")
        first = CASES_LISTED * (max(request.args.get("page", 1, int), 1) - 1)
        told = rows_of(conn, found.people, metric, parts.get(part, ()), first)

    def address(of: str, number: int = 0) -> str:
        return _part(asked, metric, group, of, number, own=own)

    return render_template(
        "metric.html",
        confidential=False,
        parts=[(f"{say(PARTS.get(one, NOTES.get(one, one)))} {len(kept)}", address(one),
                one == part) for one, kept in parts.items()],
        told=told,
        first=first,
        back_page=address(part, first // CASES_LISTED) if first else "",
        further=address(part, first // CASES_LISTED + 2),
        basis=found.basis,
        **heading,
    )  # fmt: skip


def _read_list(conn: Connection, metric: str) -> tuple[Known, list[Contribution]]:
    found = known(conn)
    return found, kept_list(conn, found.asked.period.key, metric) if found.asked else []


def _part(
    asked: Asked, metric: str, group: str | None, part: str, number: int = 0, *, own: bool
) -> str:
    of = "" if group is None else f"&group={quote(group, safe='')}"
    of += "&own=1" if own else ""
    page_ = f"&page={number}" if number > 1 else ""
    return f"{asked.address('metrics.listed', metric=metric)}{of}&part={part}{page_}"
