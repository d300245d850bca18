"""What somebody may have done, as it is asked for: verbs of any case, and steps of a process."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from engine.definition_sets import UnknownDefinition, latest
from engine.definitions import Definition
from web.texts import either, later, say
from web.wording import PROCESSES

DONE: Final = "task.completed"
# Each: its name in an address, in words, and the types of entry it stands for.
KINDS: Final[tuple[tuple[str, str, frozenset[str]], ...]] = (
    ("opened", later("上报、立案"), frozenset({"case.opened"})),
    ("completed", later("办完一步"), frozenset({DONE})),
    ("claimed", later("认领"), frozenset({"task.claimed"})),
    ("handed", later("转交、放回"), frozenset({"task.delegated", "task.released"})),
    ("reassigned", later("改派"), frozenset({"task.reassigned"})),
    ("returned", later("退回"), frozenset({"task.returned"})),
    ("withdrawn", later("撤回、撤销"), frozenset({"task.withdrawn", "case.recalled"})),
    (
        "objected",
        later("提出异议"),
        frozenset({"objection.raised", "result.disputed", "word.disavowed"}),
    ),
    ("extension", later("申请延期"), frozenset({"extension.requested"})),
    ("pause", later("申请暂停计时、恢复"), frozenset({"pause.requested", "clock.resumed"})),
    (
        "decided",
        later("批复延期、暂停"),
        frozenset({"extension.granted", "extension.refused", "pause.granted", "pause.refused"}),
    ),
    ("standing", later("列入挂账"), frozenset({"standing.listed"})),
    ("urged", later("催办"), frozenset({"case.urged"})),
    ("supervised", later("督办"), frozenset({"case.supervised"})),
    ("answered", later("答复督办"), frozenset({"supervision.answered"})),
    ("reopened", later("重开"), frozenset({"case.reopened"})),
    ("signals", later("核实线索"), frozenset({"signal.confirmed", "signal.dismissed"})),
    ("rated", later("评价结果"), frozenset({"result.rated"})),
    ("parties", later("加签、减签"), frozenset({"party.added", "party.removed"})),
    ("code", later("出示现场码"), frozenset({"code.shown"})),
    (
        "sealed",
        later("看密封内容、身份"),
        frozenset(
            {"content.read", "file.viewed", "unseal.requested", "unseal.granted", "unseal.denied",
             "identity.viewed", "mailbox.written", "accusation.handed_over", "sealed.destroyed"}
        ),
    ),
    (
        "recusal",
        later("要求回避、反映报复"),
        frozenset({"recusal.demanded", "retaliation.reported"}),
    ),
    ("exported", later("导出报告"), frozenset({"report.exported"})),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of act in words, and what of the log it stands for; process "" = of any."""

    words: str
    types: frozenset[str]
    process: str = ""
    elements: frozenset[str] | None = None


def kind_of(conn: Connection, asked: str) -> Kind | None:
    """The kind with this name, `urged` or `hazard.sign_in`; None if there is none."""
    for name, words, types in KINDS:
        if name == asked:
            return Kind(say(words), types)
    process, _, element = asked.partition(".")
    drawn = _definition(conn, process)
    if drawn is None or element not in drawn.tasks:
        return None
    return _step(drawn, element)


def offered(conn: Connection) -> list[tuple[str, list[tuple[str, str]]]]:
    """Kinds to choose from: those of any process, then the steps of each by their verb."""
    steps = [(either(one.title, one.title_en), list(_steps(one))) for one in _deployed(conn)]
    return [("", [(name, say(words)) for name, words, _ in KINDS]), *steps]


def processes(conn: Connection) -> list[tuple[str, str]]:
    """The processes that are deployed, as their newest definition calls them."""
    return [(one.key, either(one.title, one.title_en)) for one in _deployed(conn)]


def _deployed(conn: Connection) -> list[Definition]:
    return [found for key in PROCESSES if (found := _definition(conn, key))]


def _definition(conn: Connection, process: str) -> Definition | None:
    try:
        return latest(conn, process)
    except UnknownDefinition:
        return None


def _steps(drawn: Definition) -> Iterator[tuple[str, str]]:
    """The steps of a process, each verb once: 签收 is 签收, by ruling or not."""
    verbs: dict[str, str] = {}
    for id_, task in drawn.tasks.items():
        verbs.setdefault(task.verb, id_)
    return ((f"{drawn.key}.{id_}", _step(drawn, id_).words) for id_ in verbs.values())


def _step(drawn: Definition, element: str) -> Kind:
    verb = drawn.tasks[element].verb
    alike = frozenset(id_ for id_, task in drawn.tasks.items() if task.verb == verb)
    words = either(verb, drawn.tasks[element].verb_en)
    return Kind(words, frozenset({DONE}), drawn.key, alike)
