"""The command line of signals: what the rules find in the log; a year to try them on."""

from pathlib import Path
from typing import Any

import click

from engine.signals import Found, all_signals, refresh
from web import cli_evidence
from web.shell import Shell, json_option, print_json, progress_bar
from web.signal_rules import signal_rules

STATES = {
    "open": "待核实 / open",
    "confirmed": "属实 / holds",
    "dismissed": "不成立 / does not hold",
}


@click.command()
@json_option
@click.pass_obj
def signals(shell: Shell, as_json: bool) -> None:
    """线索：规则找到的，待人核实 / what the rules find, for people to look into."""
    rules = signal_rules()
    with progress_bar("线索 / signals")(_waiting(shell)) as step:
        refresh(shell.engine, rules, step)
    with shell.reader.begin() as conn:
        found = all_signals(conn)
    if as_json:
        print_json([_told(one) for one in found])
        return
    for one in found:
        rule, events = rules[one.signal.rule], " ".join(f"#{seq}" for seq in one.signal.events)
        words = f"{rule.id} {rule.name} / {rule.name_en}  {one.signal.case} {events}"
        click.echo(f"{words}  {STATES[one.state]}")
    click.echo(
        f"{len(found)} 条线索，规则第 {rules.version} 版 {rules.sha256[:16]} / signals, rules"
    )


def _waiting(shell: Shell) -> int:
    from engine.signals import changed

    with shell.reader.begin() as conn:
        return max(1, len(changed(conn, signal_rules())))


def _told(found: Found) -> dict[str, Any]:
    one = found.signal
    others = [{"case": case, "seq": seq} for case, seq in one.others]
    return {
        "rule": one.rule,
        "case": one.case,
        "events": list(one.events),
        "others": others,
        "state": found.state,
    }


@click.command()
@click.option("--seed", required=True, help="种子，任意文字 / any text")
@click.option(
    "--scale",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    help="几倍的隐患（1 = 6,000 件）/ so many times 6,000 hazards",
)
@click.option("--small", is_flag=True, help="只要 300 件 / 300 hazards only")
@click.option(
    "--truth",
    type=click.Path(dir_okay=False, path_type=Path),
    help="把埋下的行为写进这个新文件 / what was planted, into this new file",
)
@click.pass_obj
def scenario(shell: Shell, seed: str, scale: int, small: bool, truth: Path | None) -> None:
    """在空数据库里活一年 / live a year in an empty database, drawn from a seed."""
    from web import demonstration
    from web.demo.scenario import size_of, write_truth

    if truth is not None and truth.exists():
        raise click.UsageError(f"{truth} 已经有了，请换一个文件名 / is there; name another")
    size = size_of(scale, small=small)
    settings = demonstration.live(
        shell.settings, seed=seed, size=size, progress=progress_bar("一年 / a year")
    )
    lived = Shell(settings)
    cli_evidence.sign_and_anchor(lived)
    if truth is not None:
        count = write_truth(lived.engine, seed, size, truth)
        click.echo(f"{count} 处埋下的行为写在 {truth} / what was planted")
    click.echo(settings.database_url)
