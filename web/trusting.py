"""What the command line believes: our own policy and kept checkpoints, and files named beside."""

from collections.abc import Iterable
from pathlib import Path

import click
from cryptography.x509 import Certificate, load_der_x509_certificate

from audit.note import NotANote, Note, VerifierKey, read_note, read_vkey
from audit.policy import NotAPolicy, Policy, read_policy
from audit.trust import Trust
from engine.keys import Keys


def own_trust(
    keys: Keys,
    kept: Iterable[Path],
    *,
    policy: Path | None,
    checkpoints: Iterable[Path],
    roots: Iterable[Certificate],
    receipt_keys: Iterable[str],
) -> Trust:
    """Whom to believe when the operator verifies their own log.

    keys: those of this installation. kept: checkpoint files of the days. policy: another one than
    the installation's. Raises click.ClickException for a file that cannot be read.
    """
    believed = policy_file(policy) if policy else keys.policy
    own = [keys.receipt.key] if keys.receipt else []
    return Trust(
        policy=believed if believed.logs else None,
        outside=tuple(_note(path) for path in (*kept, *checkpoints)),
        stampers=tuple(roots),
        sealers=_certificates(keys),
        receipts=(*own, *(_vkey(text) for text in receipt_keys)),
    )


def _certificates(keys: Keys) -> tuple[Certificate, ...]:
    return (load_der_x509_certificate(keys.seal.certificate),) if keys.seal else ()


def policy_file(path: Path) -> Policy:
    """The policy in a file; raises click.ClickException for one that cannot be read."""
    try:
        return read_policy(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, NotAPolicy) as error:
        raise _unfit(path, "信任名单", "a policy", error) from error


def _note(path: Path) -> Note:
    try:
        return read_note(path.read_bytes())
    except (OSError, NotANote) as error:
        raise _unfit(path, "检查点", "a checkpoint", error) from error


def _vkey(text: str) -> VerifierKey:
    try:
        return read_vkey(text)
    except NotANote as error:
        raise click.BadParameter(f"不是公钥 / not a key: {error}") from error


def _unfit(path: Path, chinese: str, english: str, error: Exception) -> click.ClickException:
    return click.ClickException(f"{path} 不是可用的{chinese} / is not {english}: {error}")
