"""The command line of signals: what the rules find in the log; a year to try them on."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import orjson
from sqlalchemy import Connection

from audit.signals.rules import Rules
from engine.casework import Done
from engine.errors import BadInput
from engine.people import directory
from engine.photo_prints import not_compared, unknown
from engine.signal_queue import signals_for
from engine.signals import (
    Found,
    all_signals,
    changed,
    confirm,
    dismiss,
    files_of_open_cases,
    look_at_photos,
    refresh,
    signals_of_export,
)
from web import cli_evidence, listing
from web.cli_metrics import from_log, trust_of
from web.shell import Shell, json_option, new_file, print_json, progress_bar
from web.signal_rules import signal_rules

STATES = {
    "open": "待核实 / open",
    "confirmed": "属实 / holds",
    "dismissed": "不成立 / does not hold",
}


class NotOfAnExport(BadInput):
    """Who may look into what is not for an export to say."""

    def __init__(self) -> None:
        super().__init__(
            "--by 和 --export 不能一起用：导出里没有账号。请去掉一个。",
            "--by does not go with --export, which has no accounts; leave one out.",
        )


@click.group(invoke_without_command=True)
@click.option("--by", "account", help="只列这个账号可以核实的 / what this account may look into")
@from_log
@json_option
@click.pass_context
def signals(
    context: click.Context,
    account: str | None,
    folder: Path | None,
    policy: Path | None,
    workers: int,
    as_json: bool,
) -> None:
    """线索：规则找到的，待人核实 / what the rules find, for people to look into."""
    if context.invoked_subcommand is not None:
        return
    if folder is None:
        _list(context.obj, account, as_json)
    elif account is None:
        _of_export(context.obj, folder, policy, workers, as_json)
    else:
        raise NotOfAnExport


def _of_export(
    shell: Shell, folder: Path, policy: Path | None, workers: int, as_json: bool
) -> None:
    trust = trust_of(shell, policy)
    tree, found = signals_of_export(folder, trust, signal_rules(), workers=workers)
    _show(found, as_json)
    if not as_json:
        click.echo(f"日志 {tree.origin}，检查点 {tree.size} {tree.root.hex()} / log, checkpoint")
        click.echo("导出里没有照片，没有找看上去一样的 / without photos, no look-alikes")


def _list(shell: Shell, account: str | None, as_json: bool) -> None:
    rules = signal_rules()
    with shell.reader.begin() as conn:
        waiting = len(changed(conn, rules))
    with progress_bar("线索 / signals")(max(1, waiting)) as step:
        refresh(shell.engine, rules, step)
    _look_at_photos(shell, rules)
    with shell.reader.begin() as conn:
        found = _found(conn, account, shell.now())
    _show(found, as_json)


def _show(found: list[Found], as_json: bool) -> None:
    rules = signal_rules()
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


def _look_at_photos(shell: Shell, rules: Rules) -> None:
    with shell.reader.begin() as conn:
        waiting = len(unknown(conn, files_of_open_cases(conn)))
    with progress_bar("照片 / photos")(max(1, waiting)) as step:
        look_at_photos(shell.engine, shell.settings.evidence_dir, rules, seen=step)
    with shell.reader.begin() as conn:
        left_out = len(not_compared(conn))
    if left_out:
        told = f"{left_out} 个文件读不出，没有比对 / files could not be read, and were not compared"
        click.echo(told, err=True)


def _found(conn: Connection, account: str | None, at: datetime) -> list[Found]:
    if account is None:
        return all_signals(conn)
    return signals_for(conn, directory(conn), listing.acting(conn, account), at)


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


def _judging(command: Callable[..., None]) -> Callable[..., None]:
    """Which signal, who judges it, and why."""
    reason = click.option("--reason", required=True, help="为什么，写进记录 / why; it is recorded")
    by = click.option("--by", "account", required=True, help="督查或纪检的账号 / who judges")
    entry = click.argument("entry", type=int)
    return click.argument("case")(click.argument("rule")(entry(by(reason(command)))))


@signals.command("confirm")
@_judging
@click.pass_obj
def confirm_(shell: Shell, case: str, rule: str, entry: int, account: str, reason: str) -> None:
    """核实为属实：案件、规则、第一条记录号 / it holds: case, rule, number of its first entry."""
    _judge(shell, confirm, case, rule, entry, account, reason)


@signals.command("dismiss")
@_judging
@click.pass_obj
def dismiss_(shell: Shell, case: str, rule: str, entry: int, account: str, reason: str) -> None:
    """核实为不成立 / it does not hold."""
    _judge(shell, dismiss, case, rule, entry, account, reason)


def _judge(
    shell: Shell, say: Callable[..., Done], case: str, rule: str, entry: int, account: str,
    reason: str,
) -> None:  # fmt: skip
    with shell.engine.begin() as conn:
        by = listing.acting(conn, account)
        done = say(conn, case, rule, entry, reason, rules=signal_rules(), by=by, at=shell.now())
    click.echo(f"已记录，{case} #{done.entries[-1].seq} / recorded")


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
    from web.demo.scenario import size_of, truth_of

    # Asked before a whole year is lived, not after it.
    if truth is not None and (truth.exists() or not truth.parent.is_dir()):
        raise click.UsageError(
            f"{truth} 已经有了，或者没有这个目录；请换一个文件名"
            " / is there, or its folder is not; name another"
        )
    size = size_of(scale, small=small)
    settings = demonstration.live(
        shell.settings, seed=seed, size=size, progress=progress_bar("一年 / a year")
    )
    lived = Shell(settings)
    cli_evidence.sign_and_anchor(lived)
    if truth is not None:
        told = truth_of(lived.engine, seed, size)
        with new_file(truth) as out:
            out.write(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
        click.echo(f"{len(told)} 处埋下的行为写在 {truth} / what was planted")
    click.echo(settings.database_url)
