"""The command line of the risk-control index: computed from the log alone, as of a checkpoint."""

import re
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from audit.metrics.marks import Period, seen
from audit.metrics.places import Places
from audit.risk_index.table import figures_hash, index_table
from audit.risk_index.told import Told, told_of
from audit.risk_index.weights import Weights
from engine.index_weights import read_fit_weights
from engine.metrics import Basis
from web.cli_metrics import (
    FILE,
    WrongPeriod,
    basis_of,
    formulas_json,
    from_log,
    position_json,
    show_basis,
)
from web.formulas import formulas
from web.index_weights import index_weights, weights_or_shipped
from web.index_words import BANDS, NO_ACCIDENTS, PARTS
from web.quantities import ZONE
from web.shell import Shell, json_option, print_json
from web.texts import both

KINDS: Final = {"communities": "块：社区 / blocks", "departments": "条：部门 / lines"}


@click.command()
@click.option("--month", required=True, help="哪个月，如 2026-03 / which month")
@click.option("--weights", "file", type=FILE, help="用这份权重文件 / by this file of weights")
@from_log
@json_option
@click.pass_obj
def index(
    shell: Shell,
    month: str,
    file: Path | None,
    folder: Path | None,
    policy: Path | None,
    workers: int,
    as_json: bool,
) -> None:
    """管控指数（块、条）/ the risk-control index of communities and departments."""
    now, before = month_of(month), month_of(month, -1)
    weights = _weights(shell, file, month) if folder is None else _file(file)
    basis = basis_of(shell, folder, policy, workers)
    table = index_table(_told(basis, now), _told(basis, before), weights)
    if as_json:
        print_json(_json(month, table, basis, weights))
    else:
        _show(month, table, basis, weights, over=now.until <= shell.now())


def month_of(month: str, offset: int = 0) -> Period:
    """A month in local time, told as 2026-03, or so many months after it; raises WrongPeriod."""
    told = re.fullmatch(r"([12]\d{3})-(0[1-9]|1[0-2])", month)
    if told is None:
        raise WrongPeriod(
            f"月份要写成 2026-03 这样：{month}", f"Write the month like 2026-03: {month}"
        )
    count = int(told[1]) * 12 + int(told[2]) - 1 + offset
    start, end = (datetime(n // 12, n % 12 + 1, 1, tzinfo=ZONE) for n in (count, count + 1))
    return Period(start, end)


def _weights(shell: Shell, file: Path | None, month: str) -> Weights:
    """The file that is named, else what is in force for the month here, else what is shipped."""
    if file is not None:
        return _file(file)
    with shell.reader.begin() as conn:
        return weights_or_shipped(conn, month)


def _file(file: Path | None) -> Weights:
    return index_weights() if file is None else read_fit_weights(file.read_bytes())


def _told(basis: Basis, period: Period) -> Told:
    return told_of(seen(basis.cases, formulas(), basis.places, period), ZONE)


# --- told -----------------------------------------------------------------------------------------


def _json(month: str, table: dict[str, Any], basis: Basis, weights: Weights) -> dict[str, Any]:
    return {
        "month": month,
        "position": position_json(basis),
        "formulas": formulas_json(),
        "weights": {"version": weights.version, "sha256": weights.sha256},
        "figures_sha256": figures_hash(table),
        **table,
    }


def _show(month: str, table: dict[str, Any], basis: Basis, weights: Weights, *, over: bool) -> None:
    show_basis(basis)
    click.echo(f"权重第 {weights.version} 版 {weights.sha256} / weights")
    click.echo(f"{month}" + ("" if over else "（本月未完 / the month is not over）"))
    for kind, name in KINDS.items():
        click.echo(f"\n{name}")
        for one in table[kind]:
            _show_one(one, basis.places)
    if not weights.accidents:
        click.echo(f"\n{_words(NO_ACCIDENTS)}")
    click.echo(f"表的摘要 {figures_hash(table)} / digest of the table")


def _show_one(one: dict[str, Any], places: Places) -> None:
    backed = f"{one['backed']}/100 有足够样本 / rest on enough cases"
    name, (low, high) = places.names.get(one["unit"], one["unit"]), one["interval"]
    rank = f"  档内第 {one['rank']} / rank in its stratum" if "rank" in one else ""
    click.echo(
        f"\n{name}  {one['value']}（{low}–{high}）  {_words(BANDS[one['band']])}"
        f"（{one['stratum']}）{rank}  {backed}"
    )
    for part in one["parts"]:
        click.echo(f"  {part['points']:>6}/{part['weight']:<3}{_part(part)}")
    if one["suppressed"]:
        click.echo(f"  瞒报扣分 {one['suppressed']} 件 / off for suppressed hazards")
    if one.get("accidents"):
        click.echo(f"  有责事故 {one['accidents']} 件 / off for accidents it answers for")


def _part(part: dict[str, Any]) -> str:
    name = _words(PARTS[part["name"]])
    if "good" in part:
        return f"{name}  {part['good']}/{part['of']}"
    if "amount" in part:
        return f"{name}  {part['amount']}（{part['households']} 户 / households）"
    percent = f"，九成不超过时限的 {part['percent']}% / of the limit" if "percent" in part else ""
    return f"{name}  {part['of']} 次 / calls{percent}"


def _words(text: str) -> str:
    return " / ".join(both(text))
