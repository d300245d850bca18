"""`shaoji doctor`: whether this installation is sound, one line a check, and what to do."""

import sys
from dataclasses import asdict

import click

from engine.checkup import FAILS, Finding, worst
from web.config import BadSettings
from web.doctor import Looking, look_over, unusable
from web.shell import Shell, json_option, now_utc, print_json

_MARKS = {"holds": "✓", "look": "?", "fails": "✗"}


@click.command()
@json_option
@click.pass_obj
def doctor(shell: Shell | BadSettings, as_json: bool) -> None:
    """检查安装：时钟、密钥、磁盘、触发器、积压…… / is this installation sound? Exit 1 if not."""
    if isinstance(shell, BadSettings):
        findings = [unusable(shell)]
    else:
        findings = look_over(Looking(shell.settings, now_utc))
    if as_json:
        print_json({"outcome": worst(findings), "checks": [_plain(one) for one in findings]})
    else:
        for one in findings:
            _tell(one)
    if worst(findings) == FAILS:
        sys.exit(1)


def _tell(one: Finding) -> None:
    click.echo(f"{_MARKS[one.outcome]} {one.outcome:<5} {one.check:<15} {one.found[0]}")
    click.echo(f"{'':24}{one.found[1]}")
    if one.do[0]:
        click.echo(f"{'':22}→ {one.do[0]}\n{'':24}{one.do[1]}")


def _plain(one: Finding) -> dict[str, object]:
    told = asdict(one)
    for name in ("found", "do"):
        told[name] = dict(zip(("chinese", "english"), told[name], strict=True))
    return told
