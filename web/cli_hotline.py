"""The command line of the hotline: the vault, the bodies accusations go to, the public figures."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from engine.handover import Item, open_handover, waiting_files
from engine.retention import destroy_due
from engine.sealed_answers import sweep_unnamed
from engine.vault import subjects
from engine.vault_key import replace_key
from web import receivers as bodies
from web.shell import Shell, json_option, print_json


@click.group()
def vault() -> None:
    """密封库：投诉内容和身份 / the vault of what is sealed."""


@vault.command()
@json_option
@click.pass_obj
def status(shell: Shell, as_json: bool) -> None:
    """密封库现在怎样 / how the vault stands."""
    url, key = shell.settings.vault
    told = {
        "vault": url,
        "key_file": str(key),
        "key_id": shell.vault.key_id[:16],
        "readable": len(subjects(shell.vault)),
        "waiting_files": waiting_files(shell.vault),
        "retention_days": shell.settings.retention_days,
    }
    if as_json:
        print_json(told)
        return
    for line in _status(told):
        click.echo(line)


def _status(told: Mapping[str, Any]) -> list[str]:
    readable, days = told["readable"], told["retention_days"]
    waiting = told["waiting_files"].items()
    return [
        f"密封库 {told['vault']}，密钥文件 {told['key_file']}（{told['key_id']}…）",
        f"还能看的 {readable} 份 / readable",
        f"办结后保存 {days} 天 / days kept after the end",
        *(f"等对方取走 / to be fetched: {case}  SHA-256 {sha256}" for case, sha256 in waiting),
    ]


@vault.command("rotate-key")
@click.pass_obj
def rotate_key(shell: Shell) -> None:
    """换密封库的密钥；先停服务 / replace the key; stop the server before."""
    changed = replace_key(shell.vault, shell.settings.vault[1])
    shell.use_vault(changed)
    click.echo(f"已换钥，新密钥 {changed.key_id[:16]}…，请另行备份密钥文件 / replaced; back it up")


@vault.command()
@click.pass_obj
def sweep(shell: Shell) -> None:
    """清掉没有入案的残留 / drop what failed commands left behind."""
    with shell.reader.begin() as conn:
        dropped = sweep_unnamed(conn, shell.vault, at=shell.now())
    click.echo(f"清掉 {dropped} 项残留 / dropped")


@vault.command("destroy-due")
@click.option("--days", type=int, help="默认用 SHAOJI_RETENTION_DAYS / days after the end")
@click.pass_obj
def destroy(shell: Shell, days: int | None) -> None:
    """销毁保存期满的内容和身份，不能恢复 / destroy what is kept long enough, for ever."""
    after = timedelta(days=shell.settings.retention_days if days is None else days)
    gone = destroy_due(shell.engine, shell.vault, at=shell.now(), after=after)
    click.echo(f"已销毁 {gone} 份的密钥 / keys destroyed")


@click.group()
def receivers() -> None:
    """检举控告的接收机关 / the bodies accusations are handed over to."""


@receivers.command("list")
@click.pass_obj
def list_receivers(shell: Shell) -> None:
    """本街道登记的接收机关 / the bodies registered here."""
    for one in bodies.receivers(shell.settings.receivers_dir):
        click.echo(f"{one.name}  {one.key.hex()}")


@receivers.command()
@click.argument("name")
@click.option(
    "--to", "folder", default=".", type=click.Path(file_okay=False, path_type=Path), help="目录"
)
def keygen(name: str, folder: Path) -> None:
    """接收机关自己做一对密钥，私钥自己留着 / a body makes its pair of keys, and keeps one."""
    public, private = bodies.make_keys(folder, name)
    click.echo(f"公钥 {public} 交给街道 / give it to the street")
    click.echo(f"私钥 {private} 自己保管，丢了打不开 / keep it; without it nothing opens")


@receivers.command("open")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--key", "key_file", required=True, type=click.Path(exists=True, path_type=Path), help="私钥"
)
@json_option
def open_file(file: Path, key_file: Path, as_json: bool) -> None:
    """接收机关打开封装文件；逐项核对承诺值 / a body opens a file; every answer is checked."""
    found = open_handover(bodies.private_key(key_file), file.read_bytes())
    if as_json:
        print_json({"header": found.header, "items": [_told(item) for item in found.items]})
        return
    for name, value in found.header.items():
        click.echo(f"{name}: {value}")
    for item in found.items:
        click.echo(f"\n#{item.event} {item.field} ({item.seal})\n{item.value}")


def _told(item: Item) -> dict[str, Any]:
    told = asdict(item)
    return {"as": told.pop("seal"), **told}


@click.command()
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="写到哪个目录"
)
@click.pass_obj
def public(shell: Shell, out: Path) -> None:
    """公开的查实数字，写成网页和数据文件 / the public figures as files."""
    from web.app import create_app
    from web.publication import write_files

    app = create_app(shell.settings, clock=shell.now)
    for path in write_files(app, out, shell.now()):
        click.echo(str(path))
