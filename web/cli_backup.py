"""The command line of backups: made while everybody works, checked, and put back."""

import secrets
from pathlib import Path
from typing import Any

import click

from audit.encoding import timestamp
from engine.backup import Backup, Stores, back_up, check_backup, position_of, restore
from engine.backup_files import files_below
from engine.database import open_database, reading
from engine.key_files import is_device
from web.config import Settings
from web.shell import Shell, json_option, now_utc, print_json, progress_bar

FOLDER = click.Path(file_okay=False, path_type=Path)
THERE = click.Path(file_okay=False, exists=True, path_type=Path)


@click.command("backup")
@click.argument("folder", type=FOLDER)
@click.option("--keys", type=FOLDER, help="密钥另存到这里 / the keys, into another folder")
@click.option("--previous", type=THERE, help="上一份备份，相同的证据不再复制 / link what it has")
@json_option
@click.pass_obj
def backup(
    shell: Shell, folder: Path, keys: Path | None, previous: Path | None, as_json: bool
) -> None:
    """备份数据库、证据、密钥，不用停 / back up database, evidence and keys, while work goes on."""
    stores = stores_of(shell.settings)
    count = sum(1 for root in stores.folders.values() for _ in files_below(root))
    with progress_bar("备份 / backup")(max(1, count)) as seen, shell.reader.connect() as conn:
        made = back_up(
            conn, stores, folder, keys=keys, previous=previous, id_=secrets.token_hex(16),
            at=now_utc(), seen=seen,
        )  # fmt: skip
    if as_json:
        print_json(_told(made))
        return
    _show(made)
    if keys is None:
        click.echo("密钥不在里面，请另外备份（--keys）/ the keys are not in it (--keys)")
    for name in _devices(shell.settings):
        click.echo(f"{name} 在设备里，不能复制 / is in a device, and cannot be copied")


@click.command("restore")
@click.argument("folder", type=THERE)
@click.option("--keys", type=THERE, help="同一次备份的密钥 / the keys of that backup")
@click.option("--check", "only_check", is_flag=True, help="只查，不写 / read it, write nothing")
@json_option
@click.pass_obj
def put_back(
    shell: Shell, folder: Path, keys: Path | None, only_check: bool, as_json: bool
) -> None:
    """把备份恢复到空的地方 / put a backup back into empty places."""
    if only_check:
        made = check_backup(folder, keys)
    else:
        made = restore(folder, keys, stores_of(shell.settings))
    if as_json:
        print_json(_told(made))
        return
    _show(made)
    if only_check:
        click.echo("每个文件都完好 / every file is whole")
        return
    engine = open_database(shell.settings.database_url)
    with reading(engine).connect() as conn:
        stands = position_of(conn)
    engine.dispose()
    click.echo(f"恢复后有 {stands.entries} 条记录 / entries now")
    click.echo(
        "先不要启动：执行 shaoji verify，看缺了哪个检查点以后的记录（见 docs/operating.md）。"
        " / Do not start yet: `shaoji verify` says from which checkpoint on events are missing."
    )


def stores_of(settings: Settings) -> Stores:
    """Where everything that is backed up lies."""
    vault, vault_key = settings.vault
    keys = settings.keys
    others = {
        "other/checkpoint.key": keys.other_checkpoint,
        "other/receipt.key": keys.other_receipt,
        "other/seal.key": keys.other_seal,
        "other/policy.txt": keys.other_policy or "",
    }
    files = {"vault.key": vault_key, "field.key": settings.field} | {
        name: Path(place) for name, place in others.items() if place and not is_device(place)
    }
    folders = {"evidence": settings.evidence_dir, "receivers": settings.receivers_dir}
    return Stores(settings.database_url, vault, folders, {"keys": keys.folder}, files)


def _devices(settings: Settings) -> list[str]:
    keys = settings.keys
    held = {"checkpoint": keys.checkpoint, "receipt": keys.receipt, "seal": keys.seal}
    return [name for name, place in held.items() if is_device(place)]


def _told(made: Backup) -> dict[str, Any]:
    where = made.position
    return {
        "id": made.id,
        "made_at": timestamp(made.made_at),
        "log": where.log,
        "entries": where.entries,
        "size": where.size,
        "root": where.root,
        "databases": {name: one.sha256 for name, one in made.databases.items()},
        "files": len(made.files),
        "bytes": sum(one.bytes for one in (*made.databases.values(), *made.files)),
    }


def _show(made: Backup) -> None:
    told = _told(made)
    click.echo(f"备份 {told['made_at']}，编号 {told['id']} / backup, id")
    click.echo(
        f"日志 {told['log']}，至少 {told['entries']} 条记录，检查点 {told['size']} / entries at "
        "least, checkpoint"
    )
    click.echo(f"{told['files']} 个文件，共 {told['bytes']} 字节 / files, bytes")
