"""The command line of the metrics: computed from the log alone, as of a checkpoint."""

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Final

import click

from audit.encoding import timestamp
from audit.metrics.marks import Period
from audit.metrics.plain import metrics_json
from audit.metrics.results import BY, Results, results
from audit.publication import THRESHOLD
from audit.trust import Trust
from engine.errors import BadInput
from engine.keys import policy_of
from engine.metrics import Basis, basis_of_database, basis_of_export
from web.formulas import formulas
from web.metric_words import NOTES
from web.quantities import ZONE, duration
from web.shell import Shell, json_option, print_json, progress_bar
from web.texts import both
from web.trusting import policy_file

FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER: Final = click.Path(exists=True, file_okay=False, path_type=Path)
ALTOGETHER: Final = "全街道 / all"


class WrongPeriod(BadInput):
    """The period is not one, or has no days."""


def from_log(command: Callable[..., None]) -> Callable[..., None]:
    """From which log figures are computed, and on how many cores: what `basis_of` takes."""
    folder = click.option(
        "--export", "folder", type=FOLDER, help="从导出的日志算 / from an exported log"
    )
    policy = click.option(
        "--policy", type=FILE, help="信任谁签的导出 / whose signature on it is believed"
    )
    workers = click.option("--workers", default=os.cpu_count() or 1, show_default=True)
    return folder(policy(workers(command)))


@click.command()
@click.option("--from", "since", required=True, help="从这一天零点起 / from this day on")
@click.option("--to", "until", required=True, help="到这一天零点为止 / up to, not including")
@click.option("--by", type=click.Choice(BY), help="按什么分开算 / grouped by")
@from_log
@json_option
@click.pass_obj
def metrics(
    shell: Shell,
    since: str,
    until: str,
    by: str | None,
    folder: Path | None,
    policy: Path | None,
    workers: int,
    as_json: bool,
) -> None:
    """指标：只从日志算，写明算到哪个检查点 / the metrics, from the log alone."""
    period = period_of(since, until)
    basis = basis_of(shell, folder, policy, workers)
    told = results(basis.cases, formulas(), basis.places, period, by=by or "", zone=ZONE)
    if as_json:
        print_json(_json(told, basis))
    else:
        _show(told, basis)


def period_of(since: str, until: str) -> Period:
    """The days from one up to, not including, another, in local time; raises WrongPeriod."""
    start, end = instant_of(since), instant_of(until)
    if start >= end:
        raise WrongPeriod(
            "结束日期要晚于开始日期，结束那天不算在内。",
            "The end has to be after the beginning; the day of the end does not count.",
        )
    return Period(start, end)


def instant_of(told: str) -> datetime:
    """The midnight a day begins with, or the instant: a month on a page may end at one.

    Raises WrongPeriod.
    """
    try:
        if len(told) > len("2026-03-01"):
            at = datetime.fromisoformat(told)
            return (at if at.tzinfo else at.replace(tzinfo=ZONE)).astimezone(ZONE)
        return datetime.combine(date.fromisoformat(told), time(), ZONE)
    except ValueError:
        raise WrongPeriod(
            f"日期要写成 2026-03-01 这样：{told}", f"Write the day like 2026-03-01: {told}"
        ) from None


def basis_of(shell: Shell, folder: Path | None, policy: Path | None, workers: int) -> Basis:
    """Every case folded, of the database or of an exported log; raises what reading them raises."""
    if folder is not None:
        return basis_of_export(folder, trust_of(shell, policy), formulas(), workers=workers)
    url = shell.engine.url.render_as_string(hide_password=False)
    bar = progress_bar("指标 / metrics")
    return basis_of_database(url, formulas(), workers=workers, progress=bar)


def trust_of(shell: Shell, policy: Path | None) -> Trust:
    """Whose signature on an export is believed: as the file says, else as our own policy does."""
    return Trust(policy=policy_file(policy) if policy else policy_of(shell.settings.keys))


# --- told -----------------------------------------------------------------------------------------


def _json(told: Results, basis: Basis) -> dict[str, Any]:
    return results_json(told) | {
        "position": position_json(basis),
        "metrics": metrics_json(told, basis.places),
    }


def position_json(basis: Basis) -> dict[str, Any]:
    """On which position of which log figures rest."""
    tree = basis.tree
    return {"log": tree.origin, "size": tree.size, "root": tree.root.hex()}


def formulas_json() -> dict[str, Any]:
    """By which file of formulas figures are."""
    return {"version": formulas().version, "sha256": formulas().sha256}


def results_json(told: Results) -> dict[str, Any]:
    """By which formulas, of which period and how many cases figures are."""
    return {
        "formulas": formulas_json(),
        "period": {
            "from": timestamp(told.period.since),
            "to": timestamp(told.period.until),
            "zone": ZONE.key,
        },
        "by": told.by,
        "cases": told.cases,
    }


def show_basis(basis: Basis) -> None:
    """Print on what figures rest."""
    tree = basis.tree
    click.echo(f"日志 {tree.origin}，检查点 {tree.size} {tree.root.hex()} / log, checkpoint")
    show_formulas()


def show_formulas() -> None:
    """Print by which file of formulas figures are."""
    click.echo(f"口径第 {formulas().version} 版 {formulas().sha256} / formulas")


def _show(told: Results, basis: Basis) -> None:
    show_basis(basis)
    show_figures(metrics_json(told, basis.places))


def show_figures(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print metrics as `metrics_json` tells them."""
    for one in rows:
        click.echo(f"\n{one['name']} / {one['name_en']} [{one['source']}]")
        for figure in one["figures"]:
            names = "、".join(name or ALTOGETHER for name in figure["names"])
            click.echo(f"  {names}  {_told(one['kind'], figure)}")
        if not one["figures"]:
            click.echo("  本期没有 / none in the period")


def _told(kind: str, figure: dict[str, Any]) -> str:
    if "withheld" in figure:
        return f"少于 {THRESHOLD} 件的不单列 / withheld: a number is below {THRESHOLD}"
    if kind == "composite":
        value = figure["value"]
        return "样本不足 / too few" if value is None else _percent(value)
    if kind == "duration":
        return _duration(figure) + _noted(figure)
    if kind == "count":
        sum_ = f"，合计 / sum {figure['sum']}" if figure["sum"] != figure["count"] else ""
        return f"{figure['count']}{sum_}" + _noted(figure)
    lower = figure["lower"]
    floor = f"，至少 / at least {_share(lower)}" if lower else ""
    return _share(figure) + floor + _noted(figure)


def _share(figure: dict[str, Any]) -> str:
    counts = f"{figure['numerator']}/{figure['denominator']}"
    if figure["value"] is None or not figure["enough"]:
        return f"{counts} 样本不足 / too few"
    low, high = figure["wilson"]
    return f"{_percent(figure['value'])} = {counts}（95% {_percent(low)}–{_percent(high)}）"


def _percent(share: str) -> str:
    """From four decimal places to per cent with two: a matter of where the point stands."""
    whole, _, places = share.partition(".")
    return f"{int(whole + places[:2])}.{places[2:]}%"


def _duration(figure: dict[str, Any]) -> str:
    n, open_ = figure["n"], figure["censored"]
    counts = f"n={n}，未完 / censored {open_}"
    if not figure["enough"]:
        return f"{counts} 样本不足 / too few"
    median, p90 = (_minutes(figure[name]) for name in ("median_minutes", "p90_minutes"))
    return f"{counts}，中位 / median {median}，P90 {p90}"


def _minutes(told: int | None) -> str:
    return "未完的更长 / beyond the censored" if told is None else duration(told, "natural", "zh")


def _noted(figure: dict[str, Any]) -> str:
    """What stands beside: exclusions, what is told apart, shares of cases that had this or that."""
    apart = {**figure.get("excluded", {}), **figure.get("apart", {})}
    words = [f"{_note(name)} {count}" for name, count in apart.items()]
    beside = figure["beside"]
    out = f"\n      不计或另列 / apart: {'，'.join(words)}" if words else ""
    if beside is None:
        return out
    shares = [f"{_note(name)} {count}" for name, count in beside.items() if name != "cases"]
    told = f" 件里 / of cases: {'，'.join(shares)}" if shares else " 件 / cases"
    return out + f"\n      {beside['cases']}{told}"


def _note(name: str) -> str:
    return " / ".join(both(NOTES[name]))
