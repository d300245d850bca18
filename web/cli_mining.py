"""The command line of process mining: cases as XES or OCEL, and what their events tell."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import IO, Final, TypeVar

import click
from sqlalchemy import Connection

from audit.mining.events import Trace
from audit.mining.ocel import write_ocel
from audit.mining.views import ENOUGH, Spread, bottlenecks, handovers, variants
from audit.mining.xes import write_xes
from engine.errors import BadInput
from engine.mining import Conformance, conformance, open_cases, traces
from web.quantities import ZONE
from web.shell import Shell, json_option, new_file, print_json

Writer = Callable[[Iterable[Trace], IO[str]], tuple[int, int]]
Row = TypeVar("Row")
_TOO_FEW: Final = f"样本不足 / fewer than {ENOUGH}"


@click.group()
def mining() -> None:
    """流程挖掘：导出事件，看路径、交接、瓶颈 / events for process mining, and what they tell."""


def _cases(
    conn: Connection, process: str | None, since: str | None, until: str | None
) -> list[str]:
    """The cases opened on these days, both included, in local time."""
    end = None if until is None else _midnight(until) + timedelta(days=1)
    start = None if since is None else _midnight(since)
    return open_cases(conn, process=process, since=start, until=end)


def _midnight(day: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(day), time(), ZONE)
    except ValueError:
        raise BadInput(
            f"日期要写成 2026-03-01 这样：{day}", f"Write the day like 2026-03-01: {day}"
        ) from None


def _period(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say which cases."""
    to = click.option("--to", "until", help="立案到这一天，含当天 / opened up to this day")
    since = click.option("--from", "since", help="从这一天起立案 / opened from this day")
    process = click.option("--process", help="只看这个流程 / this process only")
    return process(since(to(command)))


_output = click.option(
    "-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path)
)


@mining.command("xes")
@_output
@_period
@json_option
@click.pass_obj
def xes(
    shell: Shell, output: Path, process: str | None, since: str | None, until: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """导出 XES（IEEE 1849），保密案件除外 / XES, confidential cases left out."""
    _export(shell, output, (process, since, until), write_xes, as_json)


@mining.command("ocel")
@_output
@_period
@json_option
@click.pass_obj
def ocel(
    shell: Shell, output: Path, process: str | None, since: str | None, until: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """导出 OCEL 2.0（JSON），保密案件除外 / OCEL 2.0, confidential cases left out."""
    _export(shell, output, (process, since, until), write_ocel, as_json)


Chosen = tuple[str | None, str | None, str | None]


def _export(shell: Shell, output: Path, chosen: Chosen, write: Writer, as_json: bool) -> None:
    with shell.reader.begin() as conn, new_file(output) as out:
        cases, events = write(traces(conn, _cases(conn, *chosen)), out)
    if as_json:
        print_json({"file": str(output), "cases": cases, "events": events})
    else:
        click.echo(f"{output}：{cases} 件案子，{events} 个事件 / cases and events")


@mining.command("variants")
@_period
@json_option
@click.pass_obj
def variants_(
    shell: Shell, process: str | None, since: str | None, until: str | None, as_json: bool
) -> None:
    """已办结案件走过的路径 / the sequences of steps of ended cases."""
    rows = _told(shell, (process, since, until), variants)
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    for row in rows:
        share = f"{row.share / 10:.1f}%"
        click.echo(f"{row.process}  {row.cases}  {share}  {_spread(row.minutes)}")
        click.echo(f"    {' → '.join(row.steps)}")


@mining.command("handovers")
@_period
@json_option
@click.pass_obj
def handovers_(
    shell: Shell, process: str | None, since: str | None, until: str | None, as_json: bool
) -> None:
    """单位之间、岗位之间的交接次数 / how often units, and posts within one, hand over."""
    rows = _told(shell, (process, since, until), handovers)
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    for row in rows:
        where = "" if row.within is None else f"  （{row.within}）"
        click.echo(f"{row.count:>6}  {row.giver} → {row.taker}{where}")


@mining.command("bottlenecks")
@_period
@json_option
@click.pass_obj
def bottlenecks_(
    shell: Shell, process: str | None, since: str | None, until: str | None, as_json: bool
) -> None:
    """每一步在每个单位等了多久、办了多久 / waiting, working and clock time per step and unit."""
    rows = _told(shell, (process, since, until), bottlenecks)
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    for row in rows:
        click.echo(f"{row.process}  {row.name}（{row.element}）  {row.unit or '-'}")
        click.echo(f"    等人认领 / waiting  {_spread(row.waiting)}")
        click.echo(f"    办理 / working  {_spread(row.working)}")
        click.echo(f"    本步时限已用 / clock  {_spread(row.used)}")


def _told(shell: Shell, chosen: Chosen, view: Callable[[Iterable[Trace]], list[Row]]) -> list[Row]:
    with shell.reader.begin() as conn:
        return view(traces(conn, _cases(conn, *chosen)))


def _spread(told: Spread) -> str:
    if told.median is None:
        return f"n={told.n} {_TOO_FEW}"
    return f"n={told.n} 中位 / median {told.median} min, P90 {told.p90} min"


@mining.command("conformance")
@_period
@json_option
@click.pass_obj
def conformance_(
    shell: Shell, process: str | None, since: str | None, until: str | None, as_json: bool
) -> None:
    """记录的路径与流程图是否一致 / whether what is recorded is what the diagram gives."""
    with shell.reader.begin() as conn:
        rows = conformance(conn, _cases(conn, process, since, until))
    if as_json:
        print_json([asdict(row) | {"share": row.share} for row in rows])
    else:
        for row in rows:
            _show(row)
    if any(row.differing for row in rows):
        raise SystemExit(1)


def _show(row: Conformance) -> None:
    click.echo(f"{row.process}  {row.replayed}/{row.cases}  {row.share / 10:.1f}%")
    if row.imported:
        click.echo(
            f"    其中 {row.imported} 件是导入的：导入前的经过只照录，不重算"
            " / imported: what was before is told, not replayed"
        )
    for case, seq, what in row.differing:
        click.echo(f"    不符 / {case} #{seq}: {what}", err=True)
