"""What a case tells others, and what it makes of what they tell it: pure, and part of `advance`."""

from dataclasses import replace
from typing import Any, Final

from audit.entries import ENGINE, Draft, Entry
from engine.definitions import Definition, Send
from engine.process import Sending
from engine.state import CaseState, Child

# What a case says when it has ended, and by what another case orders something (督办).
ENDED: Final = "case.ended"
ORDERED: Final = "supervision.ordered"


def awaiting(case: CaseState, definition: Definition, message: str) -> str | None:
    """The open message of the case that takes what another case tells, or None."""
    waiting = (k for k, e in case.messages.items() if definition.messages[e].message == message)
    return next(waiting, None)


def child_told(case: CaseState, data: dict[str, Any]) -> CaseState:
    """A child that has ended runs no more: noted in `children` and in what expressions read."""
    child = case.children.get(str(data.get("child")))
    if child is None or data["message"] != ENDED or not child.open:
        return case
    done = replace(child, open=False, outcome=data["form"].get("outcome"))
    counts = case.variables.get(child.group, {"count": 1, "open": 1})
    fewer = {**counts, "open": counts["open"] - 1}
    return replace(
        case,
        children={**case.children, str(data["child"]): done},
        variables={**case.variables, child.group: fewer},
    )


def told_others(
    case: CaseState, definition: Definition, sendings: list[Sending], cause: Entry, seq: int
) -> tuple[CaseState, tuple[Draft, ...]]:
    """The case with some sendings said, and their `message.sent` facts, the first numbered `seq`.

    Nothing is said to a parent that is not there, nor to a case nobody named.
    """
    if not sendings:
        return case, ()
    facts: list[Draft] = []
    children = dict(case.children)
    for sending in sendings:
        drawn = definition.sends[sending.send]
        for to in _addresses(case, drawn, sending):
            if drawn.opens:
                children[str(seq + len(facts))] = Child(sending.send, sending.party)
            data = {"send": drawn.id, "message": drawn.message, "to": to, "form": sending.form}
            data |= {"party": sending.party} if sending.party else {}
            facts.append(fact(cause, "message.sent", data))
    return replace(case, children=children), tuple(facts)


def _addresses(case: CaseState, drawn: Send, sending: Sending) -> list[str]:
    if drawn.to == "parent":
        return ["parent"] if "origin" in case.opened else []
    if drawn.to == "case":
        return [f"case:{sending.case}"] if sending.case else []
    group = drawn.to.removeprefix("children:")
    if group == drawn.to:
        return [drawn.to]
    return [f"child:{s}" for s, c in case.children.items() if c.group == group and c.open]


def ending(case: CaseState, cause: Entry) -> list[Draft]:
    """A case that ends tells the one that opened it, so that no path can forget to."""
    if not case.ended or "origin" not in case.opened:
        return []
    data = {"message": ENDED, "to": "parent", "form": {"outcome": case.ended}}
    return [fact(cause, "message.sent", data)]


def fact(cause: Entry, type_: str, data: dict[str, Any]) -> Draft:
    """What a machine computed from a cause, about to be recorded behind it."""
    return Draft(type_, data, ENGINE, cause.at, cause=cause.seq)
