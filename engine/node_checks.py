"""Checks of a cluster: whether its nodes are there, of one release, and share what they must."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from engine.checkup import Finding, Words, fails, holds, lasting, look
from engine.database import keeps_prepared, through_pooler
from engine.nodes import Node


@dataclass(frozen=True, slots=True)
class Pooler:
    """How PostgreSQL is reached. prepares: the address says that it keeps what clients prepare.

    keeps: whether it does; true where there is none.
    """

    pooled: bool
    prepares: bool
    keeps: bool


def read_pooler(engine: Engine) -> Pooler:
    """Ask, as steps do, over connections of their own."""
    with engine.connect() as conn, engine.connect() as another:
        driver: Any = conn.connection.driver_connection
        other: Any = another.connection.driver_connection
        pooled, prepares = through_pooler(driver), driver.prepare_threshold is not None
        return Pooler(pooled, prepares, not prepares or keeps_prepared(driver, other))


def check_pooler(found: Pooler) -> Finding:
    """Whether statements are prepared only where they are found again."""
    if not found.keeps:
        return fails(
            "pooler",
            (
                "地址里写了 pooler=prepares，连接池却不替各客户保留预备语句：办理会出错",
                "the address says pooler=prepares, but the pooler keeps none: steps will fail",
            ),
            (
                "PgBouncer 1.21 以上并设 max_prepared_statements；不然去掉 pooler=prepares。",
                "PgBouncer 1.21 or newer with max_prepared_statements; else leave it out.",
            ),
        )
    if not found.pooled:
        return holds("pooler", ("直接连 PostgreSQL", "straight to PostgreSQL"))
    if found.prepares:
        return holds(
            "pooler",
            (
                "隔着连接池，预备语句由它替各客户保留",
                "through a pooler that keeps the statements its clients prepare",
            ),
        )
    return holds(
        "pooler",
        (
            "隔着连接池（按事务分连接也可以），不预备语句",
            "through a pooler (one that pools transactions will do); nothing is prepared",
        ),
    )


def check_alive(found: Sequence[Node], at: datetime) -> Finding:
    """Which processes are at work, and which were and took no leave."""
    alive = [one for one in found if one.is_alive(at)]
    lost = [one for one in found if not one.is_alive(at)]
    told = (
        f"在运行的进程 {len(alive)} 个{_list([_named(one) for one in alive])[0]}",
        f"{len(alive)} processes at work{_list([_named(one) for one in alive])[1]}",
    )
    if not lost:
        return holds("nodes", told)
    gone = [f"{_named(one)} {lasting(at - one.seen_at)[0]}" for one in lost]
    away = [f"{_named(one)} {lasting(at - one.seen_at)[1]}" for one in lost]
    return look(
        "nodes",
        (
            f"{told[0]}；不辞而别 {len(lost)} 个{_list(gone)[0]}",
            f"{told[1]}; {len(lost)} gone without leave{_list(away)[1]}",
        ),
        (
            "请看那台机器：进程被杀、断网或断电。15 秒后别的进程接着做它的活；一天后不再提。",
            (
                "Look at that machine: killed, cut off or without power. Others took its work "
                "over after 15 seconds; after a day this is forgotten."
            ),
        ),
    )


def check_shared(found: Sequence[Node], ours: Mapping[str, str], at: datetime) -> Finding:
    """Whether secrets and keys are the same on all nodes and here."""
    alive = [one for one in found if one.is_alive(at)]
    differ = sorted(
        {
            name
            for one in alive
            for name, print_ in one.shared.items()
            if ours.get(name, print_) != print_
        }
        | {
            name
            for one in alive
            for other in alive
            for name in one.shared.keys() & other.shared.keys()
            if one.shared[name] != other.shared[name]
        }
    )
    if not differ:
        return holds(
            "shared-keys", ("各进程的密钥一致", "all processes have the same secrets and keys")
        )
    names: Words = ("、".join(differ), ", ".join(differ))
    return fails(
        "shared-keys",
        (f"各进程不一致：{names[0]}", f"not the same in all processes: {names[1]}"),
        (
            "请把同一份密钥放到每个节点（SHAOJI_SECRET_KEY 写进 shaoji.env），再重启它们。",
            (
                "Put the same ones on every node (SHAOJI_SECRET_KEY into shaoji.env), then restart "
                "them."
            ),
        ),
    )


def check_seen(
    setting: str, found: Sequence[Node], marks: Collection[str], at: datetime
) -> Finding:
    """Whether the signs that all processes left in a folder are seen from here. marks: those."""
    unseen = [_named(one) for one in found if one.is_alive(at) and one.node not in marks]
    check = f"shared-{setting.removeprefix('SHAOJI_').removesuffix('_DIR').lower()}"
    if not unseen:
        return holds(
            check, (f"{setting} 各进程看到的是同一个", f"{setting} is one folder for all processes")
        )
    return fails(
        check,
        (
            f"{setting}：这里看不到这些进程写的文件{_list(unseen)[0]}",
            f"{setting}: what these processes wrote is not seen here{_list(unseen)[1]}",
        ),
        (
            "请让所有节点挂载同一个共享目录；各放各的，一台收的照片另一台打不开。",
            (
                "Mount one shared folder on all nodes; with one each, what is uploaded to one "
                "cannot be opened on another."
            ),
        ),
    )


def _named(one: Node) -> str:
    return f"{one.node}@{one.host} {one.release}"


def _list(names: Sequence[str]) -> Words:
    return (f"：{'、'.join(names)}", f": {', '.join(names)}") if names else ("", "")
