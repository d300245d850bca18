"""What each metric needs to be told of; a log that does not tell it gives no figure of it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from audit.foreign.heard import Heard
from audit.metrics.catalogue import COMPOSITE, METRICS
from audit.metrics.formulas import Formulas, Roles
from audit.metrics.refusals import DISPATCHING


@dataclass(frozen=True, slots=True)
class Lacking:
    """Something that is not in a log: Chinese, English."""

    chinese: str
    english: str


@dataclass(frozen=True, slots=True)
class Need:
    """Something a log has to tell: found by `there`, else said by `lacking`."""

    there: Callable[[Heard, Roles], bool]
    lacking: Lacking


def _opened(role: str) -> Need:
    words = Lacking(f"没有对应到“{role}”的环节", f"no step is mapped to the role {role}")
    return Need(lambda heard, roles: bool(heard.opened & roles[role]), words)


def _done(role: str) -> Need:
    words = Lacking(f"没有办完的“{role}”环节", f"no step of the role {role} was done")
    return Need(lambda heard, roles: bool(heard.done & roles[role]), words)


def _limit(role: str) -> Need:
    words = Lacking(
        f"“{role}”环节办完之前没有写明时限", f"no limit of {role} is told before its step ended"
    )
    return Need(lambda heard, roles: bool(heard.limited & roles[role]), words)


def _answer(role: str, name: str) -> Need:
    words = Lacking(f"“{role}”环节没有填“{name}”", f"no step of {role} has the answer {name}")
    return Need(
        lambda heard, roles: any((element, name) in heard.answers for element in roles[role]), words
    )


def _either_answer(role: str, other: str, name: str) -> Need:
    one, two = _answer(role, name), _answer(other, name)
    return Need(lambda heard, roles: one.there(heard, roles) or two.there(heard, roles), Lacking(
        f"{one.lacking.chinese}，{two.lacking.chinese}",
        f"{one.lacking.english}, {two.lacking.english}",
    ))  # fmt: skip


def _act(type_: str, chinese: str, english: str) -> Need:
    words = Lacking(f"没有“{chinese}”的记录", f"{english} is not in it")
    return Need(lambda heard, _: type_ in heard.acts, words)


def _ours(chinese: str, english: str) -> tuple[Need, ...]:
    """What only our own record has, whatever the map says."""
    return (Need(lambda heard, _: False, Lacking(chinese, english)),)


_CLOSED = (_done("rectify"), _opened("close"))
_DUE = (*_CLOSED, _limit("rectify"))
_OBJECTED = _act("objection.raised", "提出异议", "an objection")
_SOURCE = Need(
    lambda heard, _: heard.sourced, Lacking("没有说明是不是居民上报的", "who reported is not told")
)
_VISITS = ("first_revisit", "revisit")

NEEDS: Final[Mapping[str, tuple[Need, ...]]] = {
    "rectified_of_due": _DUE,
    "rectified_of_found": (_opened("confirmed"), *_CLOSED),
    "in_time": _DUE,
    "in_original_time": _DUE,
    "until_accepted": (_opened("confirmed"), *_CLOSED),
    "overdue": _DUE,
    "second_looks": (_answer("second_look", "decision"),),
    "extended": (_limit("rectify"), _act("extension.granted", "延期", "an extension")),
    "refuted": (_done("close"), _either_answer("reinspect", "accept_again", "result")),
    "refuted_by_lot": (_done("close"), _answer("reinspect", "result")),
    "reopened": (_done("close"), _act("case.reopened", "重开", "a reopening")),
    "rated_satisfied": (_done("close"), _act("result.rated", "评价", "a rating"), _SOURCE),
    "found_by_others": _ours(
        "外来记录不说明上报人的单位在不在本社区", "whose unit belongs to the block is not told"
    ),
    "suppressed": _ours(
        "瞒报要有人看过线索才算，外来线索没有人定", "nobody judges the signals of a foreign log"
    ),
    "conforming": _ours("外来记录没有逐项的检查表", "checklists are not told item by item"),
    "walked": (_limit("walk"),),
    "objects": (_limit("walk"),),
    "found": (_answer("walk", "result"),),
    "rechecked_items": _ours("外来记录没有逐项的检查表", "checklists are not told item by item"),
    "responded": (_done("sign_in"), _limit("sign_in"), _done("arrive"), _limit("arrive")),
    "arrived_in_time": (_done("arrive"), _limit("arrive")),
    "first_arrival": _ours(
        "外来记录不说明哨声什么时候发给各部门", "when the departments were called is not told"
    ),
    "first_contact": (_done("contact"), _done("arrive")),
    "until_arrival": (_done("arrive"),),
    "evaluated": _ours(
        "外来记录没有封存后再公开的评价", "evaluations that were sealed and opened are not told"
    ),
    "objected": (_opened("dispatched"), _OBJECTED),
    "upheld": (_OBJECTED, _answer("rule", "ruling")),
    "dodged": _ours(
        "推诿要有人看过线索才算，外来线索没有人定", "nobody judges the signals of a foreign log"
    ),
    "ordered": (_act("case.supervised", "督办", "an order"),),
    "listed": (_act("standing.listed", "挂账", "the standing list"),),
    "accidents": (_answer("verify", "level"), _answer("determine", "answerable")),
    "solved": (*map(_opened, _VISITS), _answer("revisit", "reached"), _answer("revisit", "solved")),
    "satisfied": (
        *map(_opened, _VISITS), _answer("revisit", "reached"), _answer("revisit", "satisfied"),
    ),
    "reached": (*map(_opened, _VISITS), _answer("revisit", "reached")),
    "repeated": _ours(
        "外来记录不说明一件投诉和以前哪一件是同一回事", "which complaint repeats which is not told"
    ),
    "reopened_complaints": (_done("reply"), _opened("reopen")),
    "found_true": _ours(
        "核实数按本系统的公布规则计数，只有本系统的记录才有",
        "what counts as found true is decided by our own record alone",
    ),
}  # fmt: skip


def lacking(formulas: Formulas, told: Mapping[str, Heard]) -> dict[str, tuple[Lacking, ...]]:
    """The metrics that cannot be computed of such a log, each with what it lacks."""
    found = {name: tuple(_lacks(name, formulas, told)) for name in METRICS}
    parts = tuple(
        Lacking(f"算不出{METRICS[name].name}", f"{name} cannot be computed")
        for name in formulas.weights
        if found[name]
    )
    return {name: lacks for name, lacks in (found | {COMPOSITE: parts}).items() if lacks}


def _lacks(name: str, formulas: Formulas, told: Mapping[str, Heard]) -> Iterator[Lacking]:
    process = METRICS[name].process
    if name in _ANY_PROCESS:
        # Orders and the standing list are counted of whatever case there is.
        return _of(name, _everything(told), formulas.of(process))
    # What is sent on is counted of several processes: each that there is has to tell enough.
    among = DISPATCHING if name in ("objected", "upheld") else (process,)
    heard = [one for one in among if one in told] or [process]
    lacks = (lack for one in heard for lack in _of(name, told.get(one, Heard()), formulas.of(one)))
    return iter(dict.fromkeys(lacks))


def _of(name: str, heard: Heard, roles: Roles) -> Iterator[Lacking]:
    return (need.lacking for need in NEEDS[name] if not need.there(heard, roles))


_ANY_PROCESS: Final = ("ordered", "listed")


def _everything(told: Mapping[str, Heard]) -> Heard:
    return Heard(acts={act for heard in told.values() for act in heard.acts})


def had(told: Mapping[str, Heard], process: str, formulas: Formulas) -> frozenset[str]:
    """Which of the shares that stand beside a figure of a process the log tells at all."""
    heard, roles = told.get(process, Heard()), formulas.of(process)
    acts = {"paused": "pause.granted", "extended": "extension.granted"}
    by_act = {name for name, type_ in acts.items() if type_ in heard.acts}
    by_end = {name for name in ("merged", "void") if heard.ends & roles[name]}
    return frozenset({"cases", *by_act, *by_end})
