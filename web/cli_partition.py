"""The command line of keeping events by month, for whoever owns the tables of PostgreSQL."""

import click

from engine.partitions import MOST_AHEAD, Parts, keep_by_month
from web.shell import Shell, json_option, print_json


@click.command()
@click.option(
    "--months", type=click.IntRange(1, MOST_AHEAD), default=24, show_default=True,
    help="往后备几个月的表 / tables for so many months ahead",
)  # fmt: skip
@json_option
@click.pass_obj
def partition(shell: Shell, months: int, as_json: bool) -> None:
    """PostgreSQL：记录按月分表，并备好以后的月份 / keep events by month, with tables to come.

    以表的所有者执行，可以反复执行；程序不必停。 / As the owner of the tables, again and again.
    """
    parts = keep_by_month(shell.engine, ahead=months, at=shell.now())
    if as_json:
        print_json({"tables": parts.names, "until": parts.until, "strays": parts.strays})
        return
    for line in _lines(parts):
        click.echo(line)


def _lines(parts: Parts) -> list[str]:
    lines = [
        f"记录分在 {len(parts.names)} 张表里，备到 {parts.until} 之前",
        f"events lie in {len(parts.names)} tables, made until {parts.until}",
    ]
    if parts.strays:
        lines += [
            "有的记录当时没有对应的月份，放在 event_rest 里，留在那里即可",
            "some had no table of their month and lie in event_rest, where they may stay",
        ]
    return lines
