"""The command line of the risk-control index: computed from the log alone, as of a checkpoint."""

import re
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from audit.metrics.marks import Period, Seen, seen
from audit.metrics.places import Places
from audit.risk_index.block import Index, Part, block_indices, plain, points
from engine.metrics import Basis
from web.cli_metrics import (
    WrongPeriod,
    basis_of,
    formulas_json,
    from_log,
    position_json,
    show_basis,
)
from web.formulas import formulas
from web.index_weights import index_weights
from web.quantities import ZONE
from web.shell import Shell, json_option, print_json

NAMES: Final = {
    "patrols": "巡查完成 / patrols walked",
    "self_found": "自查发现 / found by oneself",
    "in_time": "按期整改 / rectified in time",
    "overdue": "超期存量 / overdue at the end",
    "closings_true": "销号属实 / closings that held",
    "solved": "投诉解决（下限）/ complaints solved, at least",
    "found_true": "投诉属实 / complaints found true",
}
BANDS: Final = {
    "blue": "蓝 / blue", "yellow": "黄 / yellow", "orange": "橙 / orange", "red": "红 / red",
}  # fmt: skip
NOT_RECORDED: Final = (
    "事故没有记录，没有扣分 / accidents are not recorded; nothing is taken off for them"
)


@click.command()
@click.option("--month", required=True, help="哪个月，如 2026-03 / which month")
@from_log
@json_option
@click.pass_obj
def index(
    shell: Shell,
    month: str,
    folder: Path | None,
    policy: Path | None,
    workers: int,
    as_json: bool,
) -> None:
    """管控指数（块），不排名 / the risk-control index of communities, never ranked."""
    now, before = month_of(month), _month(month, -1)
    basis = basis_of(shell, folder, policy, workers)
    told = block_indices(_seen(basis, now), _seen(basis, before), index_weights(), ZONE)
    if as_json:
        print_json(_json(month, told, basis))
    else:
        _show(month, told, basis, over=now.until <= shell.now())


def month_of(month: str) -> Period:
    """A month in local time, told as 2026-03; raises WrongPeriod."""
    return _month(month, 0)


def _month(month: str, offset: int) -> Period:
    told = re.fullmatch(r"([12]\d{3})-(0[1-9]|1[0-2])", month)
    if told is None:
        raise WrongPeriod(
            f"月份要写成 2026-03 这样：{month}", f"Write the month like 2026-03: {month}"
        )
    count = int(told[1]) * 12 + int(told[2]) - 1 + offset
    start, end = (datetime(n // 12, n % 12 + 1, 1, tzinfo=ZONE) for n in (count, count + 1))
    return Period(start, end)


def _seen(basis: Basis, period: Period) -> Seen:
    return seen(basis.cases, formulas(), basis.places, period)


# --- told -----------------------------------------------------------------------------------------


def _json(month: str, told: list[Index], basis: Basis) -> dict[str, Any]:
    weights = index_weights()
    return {
        "month": month,
        "position": position_json(basis),
        "formulas": formulas_json(),
        "weights": {"version": weights.version, "sha256": weights.sha256},
        "communities": plain(told),
        "not_recorded": [NOT_RECORDED],
    }


def _show(month: str, told: list[Index], basis: Basis, *, over: bool) -> None:
    weights = index_weights()
    show_basis(basis)
    click.echo(f"权重第 {weights.version} 版 {weights.sha256} / weights")
    click.echo(f"{month}" + ("" if over else "（本月未完 / the month is not over）"))
    for one in told:
        _show_one(one, basis.places)
    click.echo(f"\n{NOT_RECORDED}")


def _show_one(one: Index, places: Places) -> None:
    backed = f"{one.backed}/100 有足够样本 / rest on enough cases"
    name = places.names.get(one.unit, one.unit)
    click.echo(f"\n{name}  {points(one.value)}  {BANDS[one.band]}（{one.stratum}）  {backed}")
    for part in one.parts:
        click.echo(f"  {points(part.weight * part.value):>6}/{part.weight:<3}{_words(part)}")
    if one.suppressed:
        click.echo(f"  瞒报扣分 {one.suppressed} 件 / off for suppressed hazards")


def _words(part: Part) -> str:
    if part.share is not None:
        return f"{NAMES[part.name]}  {part.share.good}/{part.share.of}"
    return f"{NAMES[part.name]}  {part.amount}（{part.households} 户 / households）"
