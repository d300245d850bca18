"""The command line of early warning: what was raised; which lines a month crosses, from the log."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from audit import log
from audit.early_warning.crossed import Contributed, Crossed, crossed
from audit.early_warning.record import STREAM, EarlyWarning, warnings_told
from audit.encoding import timestamp
from audit.metrics.contributions import contributions
from audit.metrics.marks import Period, seen
from engine.metrics import Basis
from web.cli_index import month_of
from web.cli_metrics import basis_of, formulas_json, from_log, instant_of, position_json, show_basis
from web.formulas import formulas
from web.shell import Shell, json_option, print_json
from web.warning_thresholds import thresholds
from web.warning_words import name_of, says_of


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def warnings(context: click.Context, as_json: bool) -> None:
    """预警：发出过的 / early warnings that were raised."""
    if context.invoked_subcommand is not None:
        return
    with context.obj.reader.begin() as conn:
        told = warnings_told(log.read(conn, STREAM))
    if as_json:
        print_json([_told(one) for one in told])
        return
    for one in told:
        words = f"{one.month} {one.unit} {name_of(one, 'zh')}：{says_of(one, 'zh')}"
        english = f"{name_of(one, 'en')}: {says_of(one, 'en')}"
        answers = f"  {len(one.answers)} 条答复 / answers" if one.answers else ""
        click.echo(f"#{one.seq} {words} / {english}{answers}")
    click.echo(f"{len(told)} 条预警 / early warnings")


@warnings.command("check")
@click.option("--month", required=True, help="哪个月，如 2026-03 / which month")
@click.option("--to", "until", help="算到哪一刻，不写就是月底 / up to when, else the month's end")
@from_log
@json_option
@click.pass_obj
def check(
    shell: Shell,
    month: str,
    until: str | None,
    folder: Path | None,
    policy: Path | None,
    workers: int,
    as_json: bool,
) -> None:
    """只从日志算：这个月越过哪些线 / which lines a month crosses, from the log alone."""
    period, before = month_of(month), month_of(month, -1)
    if until is not None:
        period = Period(period.since, min(period.until, instant_of(until)))
    basis = basis_of(shell, folder, policy, workers)
    told, earlier = _contributed(basis, period), _contributed(basis, before)
    found = crossed(told, earlier, thresholds(), formulas(), basis.places)
    if as_json:
        print_json(_json(month, period, found, basis))
        return
    show_basis(basis)
    click.echo(f"预警规则第 {thresholds().version} 版 {thresholds().sha256} / lines")
    for one in found:
        unit = basis.places.names.get(one.group, one.group)
        click.echo(f"{unit}  {one.rule.name} / {one.rule.name_en}  {_numbers(one.numbers)}")
    click.echo(f"{len(found)} 条线越过 / lines crossed")


def _contributed(basis: Basis, period: Period) -> Contributed:
    return contributions(seen(basis.cases, formulas(), basis.places, period))


def _numbers(told: Mapping[str, int]) -> str:
    return "  ".join(f"{name} {value}" for name, value in told.items())


def _json(month: str, period: Period, found: list[Crossed], basis: Basis) -> dict[str, Any]:
    return {
        "month": month,
        "until": timestamp(period.until),
        "position": position_json(basis),
        "formulas": formulas_json(),
        "thresholds": {"version": thresholds().version, "sha256": thresholds().sha256},
        "crossed": [
            {"rule": one.rule.id, "metric": one.rule.metric, "by": one.rule.by, "unit": one.group,
             "test": one.rule.test, "limit": one.rule.limit, **one.numbers}
            for one in found
        ],
    }  # fmt: skip


def _told(one: EarlyWarning) -> dict[str, Any]:
    return {
        "seq": one.seq, "at": timestamp(one.at), "rule": one.rule, "month": one.month,
        "until": timestamp(one.until), "metric": one.metric, "by": one.by, "unit": one.unit,
        "test": one.test, "limit": one.limit, **one.numbers, "size": one.size, "root": one.root,
        "answers": [
            {"seq": said.seq, "at": timestamp(said.at), "person": said.person, "text": said.text}
            for said in one.answers
        ],
    }  # fmt: skip
