"""The command line of proof: signing a checkpoint, verifying, letting a log leave the house."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from audit import log
from audit.steps import STEPS, lines
from audit.trust import Trust
from engine.anchoring import anchor
from engine.checkpoint_files import files as kept_files
from engine.database import reading
from engine.exports import record_log_export
from engine.keys import open_keys, policy_of
from engine.log_export import Exported, cases_of, export_cases, export_log
from engine.people import directory
from engine.roster import find_unit
from engine.sequencer import sequence_log
from web.anchors import anchors, stamp_roots
from web.shell import Shell, json_option, now_utc, print_json, progress_bar
from web.trusting import own_trust
from web.verdicts import Asked, to_json, verdict

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@json_option
@click.pass_obj
def checkpoint(shell: Shell, as_json: bool) -> None:
    """现在就编入、签检查点、送出去 / take in what waits, sign, and let the head leave."""
    told = sign_and_anchor(shell)
    if as_json:
        print_json(told)
        return
    click.echo(f"编入 {told['integrated']} 条 / taken into the tree")
    click.echo(told["checkpoint"] or "没有新的检查点 / no new checkpoint")
    for sentence in told["failed"]:
        click.echo(sentence, err=True)


def sign_and_anchor(shell: Shell) -> dict[str, Any]:
    """Sequence, sign and anchor once: {integrated, checkpoint, failed: sentences}."""
    done = sequence_log(shell.engine, shell.settings.keys, at=shell.now())
    # Whoever is outside goes by the wall clock, also where the log is the demonstration's.
    where = anchors(shell.settings, policy_of(shell.settings.keys))
    failed = anchor(shell.engine, where, at=now_utc())
    return {
        "integrated": done.integrated,
        "checkpoint": done.published.data.decode() if done.published else None,
        "failed": [f"{one.chinese} / {one.english}" for one in failed],
    }


@click.command()
@click.option("--case", "case_id", help="只校验一件 / one case only")
@click.option("--workers", default=os.cpu_count() or 1, show_default=True)
@click.option("--evidence/--no-evidence", default=True, help="证据文件 / the evidence files, too")
@click.option("--policy", type=FILE, help="另一份信任名单 / another policy than our own")
@click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    type=FILE,
    help="外部保存的旧检查点，可多个 / a checkpoint kept elsewhere",
)
@click.option("--receipt", "receipts", multiple=True, type=FILE, help="别人手里的回执 / a receipt")
@click.option("--receipt-key", "receipt_keys", multiple=True, help="回执公钥 / its key (vkey)")
@click.option(
    "--without",
    multiple=True,
    type=click.Choice([*STEPS, "all"]),
    help="这一步不必核对 / this step need not be done",
)
@json_option
@click.pass_obj
def verify(
    shell: Shell,
    case_id: str | None,
    workers: int,
    evidence: bool,
    policy: Path | None,
    checkpoints: tuple[Path, ...],
    receipts: tuple[Path, ...],
    receipt_keys: tuple[str, ...],
    without: tuple[str, ...],
    as_json: bool,
) -> None:
    """校验：字节、链、重算、树、签名、见证、外部的检查点 / verify everything, step by step."""
    asked = Asked(
        case_id,
        tuple(path.read_bytes() for path in receipts),
        shell.settings.evidence_dir if evidence else None,
        without,
    )
    found, steps = verdict(
        shell.engine, asked, _trust(shell, policy, checkpoints, receipt_keys),
        workers=workers, at=shell.now(), progress=progress_bar("校验 / verify"),
    )  # fmt: skip
    if as_json:
        print_json(to_json(found, steps))
        sys.exit(steps.exit_status)
    click.echo(f"{found.cases} 件案子，{found.events} 条记录 / cases and events")
    for one in found.problems:
        click.echo(f"不符 / {one.case} #{one.seq}: {one.what}", err=True)
    for line in lines(steps):
        click.echo(line)
    if _is_ours(shell.settings.checkpoints):
        click.echo(OURS)
    click.echo(SUMMARY[steps.exit_status])
    sys.exit(steps.exit_status)


OURS = (
    "注意：每日检查点的目录归本用户所有，挡不住能用本用户的人。"
    "请用 SHAOJI_CHECKPOINTS_DIR 指到别人名下的目录。"
    " / The folder of daily checkpoints belongs to this very user: point SHAOJI_CHECKPOINTS_DIR"
    " at a place of somebody else."
)


def _is_ours(folder: Path) -> bool:
    return folder.is_dir() and folder.stat().st_uid == os.getuid()


SUMMARY = {
    0: "全部相符 / all of it holds",
    1: "有不符之处 / it does not hold",
    3: "没有发现不符，但有没能核对的（--without 写明哪一步不必核对）"
    " / nothing is wrong, but something could not be checked (--without: what need not be)",
}


def _trust(
    shell: Shell, policy: Path | None, checkpoints: tuple[Path, ...], keys: tuple[str, ...]
) -> Trust:
    settings = shell.settings
    origin = _origin(shell)
    return own_trust(
        open_keys(settings.keys, origin),
        kept_files(settings.checkpoints, origin),
        policy=policy,
        checkpoints=checkpoints,
        roots=stamp_roots(settings.tsa_roots),
        receipt_keys=keys,
    )


def _origin(shell: Shell) -> str:
    with reading(shell.engine).begin() as conn:
        return log.origin(conn)


@click.group()
def export() -> None:
    """让日志走出系统，别人可以脱离系统核对 / let the log leave, to be verified without us."""


@export.command("log")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--unit", help="只导出这个单位的案件 / the cases of this unit only")
@click.option("--purpose", default="命令行导出", show_default=True, help="用途 / what for")
@json_option
@click.pass_obj
def export_log_(shell: Shell, folder: Path, unit: str | None, purpose: str, as_json: bool) -> None:
    """整个日志，或一个单位的案件 / the whole log, or the cases of a unit."""
    sign_and_anchor(shell)
    left = _leave(shell, folder, unit)
    # On the record before anybody has it: the folder is whole, and here, and nowhere else yet.
    with shell.engine.begin() as conn:
        record_log_export(conn, left, unit=unit, purpose=purpose, at=shell.now())
    if as_json:
        print_json({"folder": str(folder), "cases": left.cases, "events": left.events,
                    "size": left.size, "root": left.root})  # fmt: skip
        return
    click.echo(f"{folder}：{left.cases} 件案子，{left.events} 条记录 / cases and events")
    click.echo(f"检查点 {left.size} {left.root} / checkpoint")
    click.echo(f"核对 / verify: python -m audit {folder} --policy {shell.settings.keys.policy}")


def _leave(shell: Shell, folder: Path, unit: str | None) -> Exported:
    with reading(shell.engine).begin() as conn:
        if unit is None:
            return export_log(conn, folder, seen=lambda _: None)
        people = directory(conn)
        find_unit(conn, unit)
        cases = cases_of(conn, people.subtree(unit), confidential=False)
        policy = policy_of(shell.settings.keys)
        return export_cases(conn, folder, cases, policy, seen=lambda _: None)
