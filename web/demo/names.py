"""Names of invented persons, from two fixed lists, each marked 演示 so that nobody is meant."""

from collections.abc import Iterator
from typing import Final

from web.demo.chance import Chance

MARK: Final = "演示"
SURNAMES: Final = tuple(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈"
)
GIVEN: Final = tuple(
    "澜涛岚屿汀澄沐溪川禾松柏竹石云帆舟桥岸港晨朗安宁和平乐善敬信勤朴恒远明亮青苗芦苇"
)


class Names:
    """Gives every key its own name, never the same name twice."""

    __slots__ = ("_fixed", "_given")

    def __init__(self, fixed: dict[str, str]) -> None:
        self._fixed = fixed
        self._given = set(fixed.values())

    def name(self, key: str) -> str:
        """The name of the person with this key."""
        if key in self._fixed:
            return MARK + self._fixed[key]
        fresh = next(name for name in _drawn(key) if name not in self._given)
        self._given.add(fresh)
        return MARK + fresh


def _drawn(key: str) -> Iterator[str]:
    chance = Chance("name", key)
    while True:
        yield chance.pick(SURNAMES) + chance.pick(GIVEN)
