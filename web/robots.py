"""Notices into a unit's group chat by its robot: WeCom, DingTalk, Feishu, through apprise.

The only module that knows apprise, which is optional (extra `notify`).
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from web.config import BadSettings, private_text
from web.letters import NotTakenError, Outgoing, Send

PARTS: Final = 3


def robot_senders(path: Path) -> Iterator[tuple[str, str, Send]]:
    """(name, unit, how to send) of each line of this file. Raises BadSettings."""
    try:
        from apprise import Apprise
    except ModuleNotFoundError:
        raise BadSettings(
            "配置了群机器人（SHAOJI_ROBOTS），但没有安装 apprise。"
            "请安装 shaoji[notify]，或去掉这个设置。"
            " / SHAOJI_ROBOTS is set but apprise is not installed: install shaoji[notify]."
        ) from None
    # What it says of a request may hold the robot's address: only that it failed is told.
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    for number, line in enumerate(private_text(path).splitlines(), 1):
        parts = line.split()
        if not parts or line.startswith("#"):
            continue
        robot = Apprise.instantiate(parts[2]) if len(parts) == PARTS else None
        if robot is None:
            raise BadSettings(
                f"{path} 第 {number} 行不对，应为：名字 单位编号 机器人地址。"
                f" / {path}, line {number}: a name, the id of a unit, the robot's address."
            )
        yield parts[0], parts[1], _sender(robot)


def _sender(robot: Any) -> Send:
    def send(outgoing: Outgoing) -> None:
        letter = outgoing.letter
        if not robot.notify(title=letter.subject, body=letter.text):
            raise NotTakenError("群机器人没有收下", "the group's robot did not take it")

    return send
