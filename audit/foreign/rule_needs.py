"""What each rule of audit.signals needs to be told, part by part; the rest is refused by name."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from audit.foreign.heard import Heard
from audit.foreign.metric_needs import Lacking
from audit.signals.rules import Rules, Steps

There = Callable[[Heard, Steps], bool]


@dataclass(frozen=True, slots=True)
class Part:
    """One way in which a rule finds something, and when a log tells enough for it."""

    there: There
    lacking: Lacking


@dataclass(frozen=True, slots=True)
class Able:
    """Of a rule: whether some part of it can be looked for at all, and what of it cannot."""

    rule: str
    able: bool
    lacking: tuple[Lacking, ...]


def _elements(steps: Steps, role: str) -> frozenset[str]:
    return steps.roles.get(role, frozenset())


def _done(role: str) -> There:
    return lambda heard, steps: bool(heard.done & _elements(steps, role))


def _by_person(*roles: str) -> There:
    return lambda heard, steps: all(heard.by_person & _elements(steps, one) for one in roles)


def _by_unit(*roles: str) -> There:
    return lambda heard, steps: all(heard.by_unit & _elements(steps, one) for one in roles)


def _answer(role: str, name: str) -> There:
    return lambda heard, steps: any((e, name) in heard.answers for e in _elements(steps, role))


def _claim(heard: Heard, steps: Steps) -> bool:
    return any(name in steps.claims for _, name in heard.answers)


def _act(type_: str) -> There:
    return lambda heard, _: type_ in heard.acts


def _described(heard: Heard, _: Steps) -> bool:
    return heard.described


def _never(heard: Heard, _: Steps) -> bool:
    return False


def _part(chinese: str, english: str, *needs: There) -> Part:
    return Part(lambda heard, steps: all(one(heard, steps) for one in needs), Lacking(
        chinese, english
    ))  # fmt: skip


_AGAIN: Final = (_described, _answer("confirm", "verdict"))

PARTS: Final[Mapping[str, tuple[Part, ...]]] = {
    "B1": (_part("没有在办完前写明的时限", "no limit is told before its step ended",
                 lambda heard, _: bool(heard.limited)),),
    "B2": (
        _part("没有异议和裁定", "no objection with its ruling",
              _act("objection.raised"), _answer("rule", "ruling")),
        _part("没有转办给谁", "to whom a step was handed on is not told",
              lambda heard, _: bool(heard.handed)),
        _part("没有逾期升级的记录", "escalations are not told", _never),
    ),
    "B3": (
        _part("没有销号后的重开", "no reopening of what was closed",
              _done("close"), _act("case.reopened")),
        _part("没有销号后的复查结果", "no check after a closing",
              _done("close"), lambda heard, steps: _answer("accept_again", "result")(heard, steps)
              or _answer("reinspect", "result")(heard, steps)),
        _part("没有销号人，或者没有地址、标题、类别和立案结论，认不出又来一次",
              "the same thing again cannot be told: who closed, address, title, kind, verdict",
              _by_person("close", "confirm"), *_AGAIN),
    ),
    "B4": (
        _part("没有整改人和验收人", "who rectified and who accepted is not told",
              _by_person("rectify", "accept")),
        _part("没有整改和验收的单位、验收结果", "units, or results of acceptance, are not told",
              _by_person("rectify", "accept"), _by_unit("rectify", "accept"),
              _answer("accept", "result")),
    ),
    "B5": (_part("没有照片和文件", "no files", _never),),
    "B6": (_part("没有“自称什么时候办的”", "when somebody says it was done is not told", _claim),),
    "B7": (
        _part("没有复看的结论", "no verdict of a second look",
              _answer("second_look", "verdict"), _answer("second_look", "decision")),
        _part("没有“不是隐患”的结论、地址、标题或类别，认不出后来又立案",
              "a later case of the same thing cannot be told",
              _by_person("confirm", "second_look"), _answer("second_look", "decision"), *_AGAIN),
        _part("没有零报告和抽签复核的结果", "nil reports and second looks at them are not told",
              _answer("walk", "result"), _answer("recheck", "result")),
    ),
    "B8": (
        _part("没有确认和复看各自定的等级", "the levels first and at the second look are not told",
              _answer("confirm", "level"), _answer("second_look", "level")),
    ),
    "B9": (
        _part("没有谁申请、谁批准延期", "who asked for more time and who gave it is not told",
              _never),
    ),
    "B10": (
        _part("没有暂停的申请和对方的证据", "no request for a pause, nor evidence for it", _never),
    ),
    "B11": (_part("没有并入哪一件、什么时候销号", "into which case it was merged is not told",
                  _answer("confirm", "duplicate_of"), _by_person("close")),),
    "B12": (_part("没有回避申明和谁看过密封内容",
                  "declarations, and who read what is sealed, are not told", _never),),
    "B13": (_part("没有谁看过案卷和身份，也没有投诉和检查的关联",
                  "who saw a file or an identity, and which case a complaint is about, is not told",
                  _never),),
    "B14": (
        _part("没有哪个社区吹的哨", "which community blew a whistle is not told",
              _by_unit("whistle")),
        _part("没有哨的种类，认不出已经排了检查和本来自己能办的",
              "kinds of whistles are not told: what was planned, or their own, cannot be", _never),
    ),
    "B15": (
        _part("没有核查和回访的单位", "which unit investigated and which revisited is not told",
              _by_unit("investigate", "rate")),
        _part("没有通话几秒", "how long a call was is not told",
              _answer("rate", "call_seconds"), _answer("rate", "reached")),
        _part("没有办结以后的评价", "no rating after an end",
              _done("finish"), lambda heard, steps: "result.rated" in heard.acts
              or _done("rate")(heard, steps)),
        _part("没有电话和录音的标记", "no marks of telephones and recordings", _never),
    ),
    "B16": (
        _part("没有谁立案", "who confirmed is not told",
              _by_person("confirm"), _answer("confirm", "verdict")),
        _part("没有谁验收", "who accepted is not told", _by_person("accept")),
    ),
    "B17": (_part("没有谁销号", "who closed is not told", _by_person("close")),),
}  # fmt: skip
_NOT_YET: Final = (_part("这条规则还不能用在外来日志上", "not for foreign logs yet", _never),)


def able(rules: Rules, told: Mapping[str, Heard]) -> list[Able]:
    """Every rule, and what of it such a log lets be looked for."""
    return [_able(name, PARTS.get(name, _NOT_YET), rules, told) for name in rules.rules]


def _able(rule: str, parts: Sequence[Part], rules: Rules, told: Mapping[str, Heard]) -> Able:
    lacking = tuple(_lacks(parts, rules, told))
    return Able(rule, len(lacking) < len(parts), lacking)


def _lacks(parts: Sequence[Part], rules: Rules, told: Mapping[str, Heard]) -> Iterator[Lacking]:
    for part in parts:
        if not any(part.there(heard, rules.of(process)) for process, heard in told.items()):
            yield part.lacking
