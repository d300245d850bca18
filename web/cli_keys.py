"""The command line of the log's own keys: made, shown, replaced; never a private one told."""

from datetime import datetime
from hashlib import sha256
from pathlib import Path
from stat import S_IMODE
from typing import Any

import click
from cryptography.x509 import load_der_x509_certificate

from audit import log
from audit.note import Signer
from engine.key_rotation import rotate_checkpoint_key
from engine.keys import WITNESS_VKEY, make_witness_key, open_keys, open_witness
from engine.seal_key import SealKey
from web import founding, listing
from web.shell import Shell, json_option, print_json


@click.group()
def keys() -> None:
    """日志自己的密钥：签检查点、签回执、盖印章 / the keys of the log itself."""


@keys.command()
@click.option("--organisation", help="印章上的单位名，默认为街道名称 / whose name the seal bears")
@json_option
@click.pass_obj
def init(shell: Shell, organisation: str | None, as_json: bool) -> None:
    """补齐还没有的密钥，已有的不动 / make the keys that are missing."""
    made = founding.make_street_keys(
        shell.engine, shell.settings.keys, organisation=organisation, at=shell.now()
    )
    if as_json:
        print_json(made)
        return
    for sentence in founding.key_sentences(made):
        click.echo(sentence)


@keys.command()
@json_option
@click.pass_obj
def show(shell: Shell, as_json: bool) -> None:
    """公钥、证书指纹、文件权限 / public keys, fingerprint, file modes."""
    told = _shown(shell)
    if as_json:
        print_json(told)
        return
    click.echo(f"日志 {told['origin']}，密钥目录 {told['folder']} / log and folder of keys")
    for name, title in _TITLES.items():
        click.echo(f"{title}  {told[name] or '（这里没有 / not here）'}")
    if told["fingerprint"]:
        click.echo(f"检查点公钥的指纹 / its fingerprint  SHA-256 {told['fingerprint']}")
    if told["next"]:
        click.echo(f"正在换钥，下一个检查点由两把密钥同签 / to be replaced by  {told['next']}")
    if told["seal"]:
        click.echo(f"印章证书 / certificate  SHA-256 {told['seal_certificate']}")
        click.echo(f"  {told['seal_from']} – {told['seal_until']}")
    click.echo(f"信任名单 / policy  {told['policy']}")
    for file in told["files"]:
        click.echo(f"  {file['mode']}  {file['name']}")


_TITLES = {
    "checkpoint": "检查点 / checkpoint",
    "receipt": "回执 / receipt",
    "witness": "见证 / witness",
    "seal": "印章 / seal",
}


@keys.group()
def rotate() -> None:
    """换钥 / replace a key."""


@rotate.command()
@click.option("--reason", required=True, help="为什么换，记入日志 / why; goes on the record")
@click.option("--by", "account", help="管理员账号，默认为服务器管理者 / an administrator's account")
@click.option("--new", "address", default="", help="新密钥在设备里的 pkcs11: 地址 / in a device")
@json_option
@click.pass_obj
def checkpoint(shell: Shell, reason: str, account: str | None, address: str, as_json: bool) -> None:
    """换签检查点的密钥，记入日志 / replace the key that signs checkpoints."""
    at = shell.now()
    with shell.engine.begin() as conn:
        by = listing.acting(conn, account) if account else None
        rotation = rotate_checkpoint_key(
            conn, shell.settings.keys, reason=reason, by=by, at=at, address=address
        )
    if as_json:
        print_json({"old": rotation.old.vkey, "new": rotation.new.vkey})
        return
    click.echo(f"旧公钥 / old  {rotation.old.vkey}")
    click.echo(f"新公钥 / new  {rotation.new.vkey}")
    for sentence in _ROTATED:
        click.echo(sentence)


_ROTATED = (
    "下一个检查点由两把密钥同签，随后旧私钥就没有了；备份里的也请销毁。新公钥请告诉见证方。",
    "The next checkpoint is signed by both keys, and then the old private key is gone; destroy it",
    "in backups, too. Tell the witnesses the new public key.",
)


@keys.command()
@click.argument("name")
@json_option
@click.pass_obj
def witness(shell: Shell, name: str, as_json: bool) -> None:
    """见证方建自己的密钥，打印公钥 / make the key of a witness, print its public half."""
    made = make_witness_key(shell.settings.keys.folder, name)
    if as_json:
        print_json({"name": name, "vkey": made.key.vkey})
        return
    click.echo(made.key.vkey)
    click.echo(
        "把这一行交给被见证的街道，写进对方的 policy.txt / give this line to the log", err=True
    )


def _shown(shell: Shell) -> dict[str, Any]:
    places = shell.settings.keys
    with shell.reader.begin() as conn:
        origin = log.origin(conn)
    held = open_keys(places, origin)
    there = (places.folder / WITNESS_VKEY).exists()
    return {
        "origin": origin,
        "folder": str(places.folder),
        "checkpoint": _vkey(held.checkpoint),
        "fingerprint": _fingerprint(held.checkpoint),
        "next": _vkey(held.next),
        "receipt": _vkey(held.receipt),
        "witness": open_witness(places.folder).key.vkey if there else None,
        **_seal(held.seal),
        "policy": str(places.policy),
        "believed": [key.vkey for key in held.policy.logs],
        "files": _files(places.folder),
    }


def _vkey(signer: Signer | None) -> str | None:
    return None if signer is None else signer.key.vkey


def _fingerprint(signer: Signer | None) -> str | None:
    """SHA-256 of the vkey as text: short enough to be read out, and what verify.html shows."""
    return None if signer is None else sha256(signer.key.vkey.encode()).hexdigest()


def _seal(seal: SealKey | None) -> dict[str, Any]:
    if seal is None:
        return {"seal": None}
    certificate = load_der_x509_certificate(seal.certificate)
    return {
        "seal": certificate.subject.rfc4514_string(),
        "seal_certificate": sha256(seal.certificate).hexdigest(),
        "seal_from": _day(certificate.not_valid_before_utc),
        "seal_until": _day(certificate.not_valid_after_utc),
    }


def _day(at: datetime) -> str:
    return at.date().isoformat()


def _files(folder: Path) -> list[dict[str, str]]:
    """All of them: also what a run that was killed has left, which nobody reads."""
    there = sorted(folder.iterdir()) if folder.is_dir() else []
    return [{"name": one.name, "mode": f"{S_IMODE(one.stat().st_mode):04o}"} for one in there]
