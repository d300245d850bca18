"""Where the heads of this log go, by its settings and its policy."""

from collections.abc import Sequence
from pathlib import Path

from cryptography.x509 import Certificate

from audit.policy import Policy
from audit.timestamp import read_roots
from engine.anchoring import Anchors, anchors_of
from web.config import BadSettings, Settings
from web.quantities import ZONE


def anchors(settings: Settings, policy: Policy) -> Anchors:
    """The witnesses of the policy that have an address, the authority, the folder.

    Raises BadSettings for roots that cannot be read.
    """
    return anchors_of(
        policy,
        tsa_url=settings.tsa_url,
        roots=tuple(stamp_roots(settings.tsa_roots)),
        folder=settings.checkpoints,
        timeout=settings.witness_timeout,
        zone=ZONE,
    )


def stamp_roots(path: Path | None) -> Sequence[Certificate]:
    """Whom time stamps must come from; raises BadSettings for a file that holds no certificate."""
    if path is None:
        return ()
    try:
        return read_roots(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BadSettings(
            f"时间戳根证书 {path} 读不出来：{error}。应为 PEM 格式。"
            f" / The roots of time stamps in {path} cannot be read; PEM is wanted."
        ) from error
