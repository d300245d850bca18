"""Files of weights of the risk-control index that were adopted: by whom, from which month on.

A file never changes: an edition names the one it was computed by, and that one stays.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import Column, Connection, Integer, LargeBinary, Table, Text, insert, select

from audit import log
from audit.entries import Draft, Entry
from audit.log import metadata
from audit.note import Signer
from audit.pinned import sha256
from audit.risk_index.signed import MONTH, Adoption, sign_adoption
from audit.risk_index.weights import BadWeights, Weights, read_weights
from engine.errors import BadInput, Conflict, NotFound, Refusal
from engine.index_register import STREAM, IndexRegister, index_register
from engine.people import By, administrator
from engine.reasons import reasoned

weights_table = Table(
    "index_weights",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("sha256", Text, nullable=False, unique=True),
    Column("bytes", LargeBinary, nullable=False),
)
LARGEST: Final = 200_000


class WeightsUnfit(BadInput):
    """The file cannot be read, or does not add up."""


class VersionNotRaised(Conflict):
    """The file bears a version that is not beyond the last one adopted."""


class NoMonth(BadInput):
    """What was given is no month."""

    def __init__(self) -> None:
        super().__init__(
            "月份请写成 2026-03 这样。", "Write the month like 2026-03."
        )  # fmt: skip


class NobodySigns(Refusal):
    """There is no key here by which adopted weights could be signed."""

    def __init__(self) -> None:
        super().__init__(
            "这台服务器没有回执密钥，采用的权重没法签名，所以没有采用。请先运行 shaoji keys init。",
            "This server has no receipt key, so what is adopted could not be signed; nothing was "
            "adopted. Run shaoji keys init first.",
        )


class WeightsMissing(NotFound):
    """No file of weights is in force for this month."""


class WeightsDamaged(Refusal):
    """What is stored is not what was adopted."""


def read_fit_weights(toml: bytes) -> Weights:
    """Read a file of weights that somebody sent; raises WeightsUnfit."""
    try:
        if len(toml) > LARGEST:
            raise BadWeights("too large")
        return read_weights(toml)
    except BadWeights as error:
        raise WeightsUnfit(
            f"这份权重文件不能用：{error}。请改好后重新上传。",
            f"This file of weights cannot be used: {error}. Mend it and send it again.",
        ) from None


def check_month(month: str) -> str:
    """The month as it was told; raises NoMonth."""
    if MONTH.fullmatch(month) is None:
        raise NoMonth
    return month


def adopt_weights(
    conn: Connection,
    toml: bytes,
    month: str,
    reason: str,
    *,
    signer: Signer | None,
    by: By,
    at: datetime,
) -> Entry:
    """Put a file of weights in force from a month on, signed. by: an administrator.

    Raises NotAdministrator, WeightsUnfit, NoMonth, VersionNotRaised, NoReason, NobodySigns.
    """
    head = log.take(conn, STREAM)
    clerk = administrator(conn, by, at)
    weights = read_fit_weights(toml)
    told = {"version": weights.version, "sha256": weights.sha256, "from": check_month(month)}
    _check_raised(conn, weights)
    why = reasoned(reason)
    if signer is None:
        raise NobodySigns
    adoption = Adoption(head.log, weights.version, month, weights.sha256)
    note = sign_adoption(adoption, signer).data.decode()
    draft = Draft("index.weights_adopted", told | {"reason": why, "note": note}, clerk, at)
    (entry,), _ = log.append(conn, head, [draft])
    row = {"version": weights.version, "sha256": weights.sha256, "bytes": toml}
    conn.execute(insert(weights_table), row)
    return entry


def _check_raised(conn: Connection, weights: Weights) -> None:
    last = max((one.version for one in read_register(conn).adopted), default=0)
    if weights.version <= last:
        raise VersionNotRaised(
            f"已采用第 {last} 版。改过的权重要提高版本号，这份写的是第 {weights.version} 版。",
            f"Version {last} was adopted already; a changed file raises its version, and this one "
            f"says {weights.version}.",
        )


def read_register(conn: Connection) -> IndexRegister:
    """What `@index` says."""
    return index_register(log.read(conn, STREAM))


def weights_for(conn: Connection, month: str) -> Weights:
    """The weights in force for a month; raises WeightsMissing, WeightsDamaged."""
    found = read_register(conn).in_force(month)
    if found is None:
        raise WeightsMissing(
            f"{month} 还没有采用的权重文件。请管理员先采用一份，写明从哪个月起。",
            f"No file of weights is in force for {month}. Let an administrator adopt one first, "
            "saying from which month on.",
        )
    return read_weights(weights_file(conn, found.version, found.sha256))


def weights_file(conn: Connection, version: int, hash_: str) -> bytes:
    """The file that was adopted under this version and hash; raises WeightsDamaged."""
    query = select(weights_table.c.bytes).where(weights_table.c.version == version)
    data = conn.execute(query).scalar()
    if data is None or sha256(bytes(data)) != hash_:
        raise WeightsDamaged(
            f"第 {version} 版权重文件不见了或被改动过，不能使用。请管理员用备份恢复。",
            f"File {version} of the weights is missing or was changed; it is not used. Let an "
            "administrator restore it.",
        )
    return bytes(data)
