"""What a verification did: numbered steps, each held, failed, could not be done or was not asked.

Nothing is skipped silently. A step that could not be done is told as such, and what was verified
does not count as verified unless whoever asked has said that this step need not be done.

    1 file         readable, of a known form, whole
    2 bytes        each event's hash is the hash of its bytes; the bytes are canonical
    3 chain        numbers without gaps; each event names the hash of the one before
    4 words        every event fits the vocabulary
    5 tree         every event has its leaf; tiles and root are what the leaves give
    6 signature    a key of the log that is known from outside has signed the checkpoint
    7 consistency  each stored checkpoint is the beginning of the next
    8 witnesses    the quorum that the policy wants has cosigned
    9 timestamp    a time-stamping authority has seen the checkpoint (RFC 3161)
    10 outside     a checkpoint kept elsewhere is the beginning of this tree
    11 pinned      definitions and calendars are those the events name
    12 replay      the pinned process gives the recorded facts, tables show what the log says
    13 promises    what receipts promise is there
    14 waiting     nothing waits for the tree longer than it may
    15 seal        the PDF is sealed, whole and unchanged, by a known certificate
    16 files       evidence files are what the events name
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final


class Outcome(Enum):
    """How a step ended."""

    HOLDS = "holds"
    FAILS = "fails"
    UNCHECKED = "unchecked"
    # Said outright, by policy or by whoever asks, not to be needed: told, and no failure.
    NOT_NEEDED = "not_needed"


STEPS: Final[dict[str, tuple[int, str, str]]] = {
    name: (number, chinese, english)
    for number, (name, chinese, english) in enumerate(
        (
            ("file", "文件完整、格式认识", "the file is whole and of a known form"),
            ("bytes", "每条记录的摘要与原始字节相符", "every event's hash is that of its bytes"),
            ("chain", "编号连续、前后相连", "numbers have no gaps, links hold"),
            ("words", "每条记录都合乎词汇表", "every event fits the vocabulary"),
            ("tree", "每条记录都在树里，树根相符", "every event is in the tree, the root fits"),
            ("signature", "检查点由本日志的密钥签名", "the log's key signed the checkpoint"),
            ("consistency", "各检查点前后一致", "each checkpoint is the beginning of the next"),
            ("witnesses", "见证达到要求的数目", "the wanted witnesses have cosigned"),
            ("timestamp", "时间戳盖在检查点上", "a time stamp covers the checkpoint"),
            ("outside", "与外部保存的旧检查点一致", "agrees with a checkpoint kept elsewhere"),
            ("pinned", "流程定义和日历就是记录指明的", "definitions and calendars are those named"),
            ("replay", "按流程重算，结果与记录相同", "replay gives the recorded facts"),
            ("promises", "回执许诺的记录都在", "what receipts promise is there"),
            ("waiting", "没有记录迟迟未入树", "nothing waits too long for the tree"),
            ("seal", "PDF 印章有效、盖后未改", "the PDF's seal is valid, nothing changed since"),
            ("files", "证据文件就是记录指明的", "evidence files are those named"),
        ),
        1,
    )
}


@dataclass(frozen=True, slots=True)
class Step:
    """How one step ended, and what is to be said of it: Chinese, then English."""

    name: str
    outcome: Outcome
    chinese: str = ""
    english: str = ""

    @property
    def number(self) -> int:
        """Its number in the list above."""
        return STEPS[self.name][0]


@dataclass(frozen=True, slots=True)
class Findings:
    """The steps of one verification, in order."""

    steps: tuple[Step, ...] = field(default=())

    @property
    def fails(self) -> bool:
        """Whether something is wrong."""
        return any(one.outcome is Outcome.FAILS for one in self.steps)

    @property
    def incomplete(self) -> bool:
        """Whether something that is wanted could not be checked."""
        return any(one.outcome is Outcome.UNCHECKED for one in self.steps)

    @property
    def ok(self) -> bool:
        """Whether all that is wanted was checked and holds."""
        return not self.fails and not self.incomplete

    @property
    def exit_status(self) -> int:
        """0: all holds; 1: something is wrong; 3: something could not be checked."""
        return 1 if self.fails else 3 if self.incomplete else 0

    def without(self, names: Collection[str]) -> "Findings":
        """The same, where these steps need not have been done; `all` stands for any."""
        return Findings(tuple(_spared(step, names) for step in self.steps))

    def to_json(self) -> list[dict[str, object]]:
        """The steps for machines."""
        return [
            {"step": one.number, "name": one.name, "outcome": one.outcome.value,
             "chinese": one.chinese, "english": one.english}
            for one in self.steps
        ]  # fmt: skip


def held(name: str, chinese: str = "", english: str = "") -> Step:
    """The step was done and holds."""
    return Step(name, Outcome.HOLDS, chinese, english)


def failed(name: str, chinese: str, english: str) -> Step:
    """The step was done, and something is wrong."""
    return Step(name, Outcome.FAILS, chinese, english)


def unchecked(name: str, chinese: str, english: str) -> Step:
    """The step could not be done, for this reason."""
    return Step(name, Outcome.UNCHECKED, chinese, english)


def not_needed(name: str, chinese: str, english: str) -> Step:
    """The step is not wanted, by this decision."""
    return Step(name, Outcome.NOT_NEEDED, chinese, english)


def findings(steps: Iterable[Step]) -> Findings:
    """The steps in their order."""
    return Findings(tuple(sorted(steps, key=lambda one: one.number)))


def lines(found: Findings) -> list[str]:
    """What to print: a line a step, Chinese and English."""
    marks = {
        Outcome.HOLDS: ("相符", "holds"),
        Outcome.FAILS: ("不符", "FAILS"),
        Outcome.UNCHECKED: ("未核对", "NOT CHECKED"),
        Outcome.NOT_NEEDED: ("未要求", "not asked for"),
    }
    told = []
    for one in found.steps:
        number, chinese, english = STEPS[one.name]
        zh, en = marks[one.outcome]
        more = f"：{one.chinese} / {one.english}" if one.chinese else ""
        told.append(f"{number:>2}. [{zh}] {chinese} / [{en}] {english}{more}")
    return told


def _spared(step: Step, names: Collection[str]) -> Step:
    if step.outcome is Outcome.UNCHECKED and (step.name in names or "all" in names):
        return Step(step.name, Outcome.NOT_NEEDED, step.chinese, step.english)
    return step
