"""What a resident does with their receipt code: says whether it was put right, or disputes it.

The code is the authority. In the log the act is that of the case's own resident, by a channel that
says so; nobody on the staff can do it for them.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from audit import log
from audit.entries import Draft, Entry
from engine.casework import Desk, Done, change
from engine.errors import BadInput, Conflict, NotAllowed
from engine.resident_reports import check_no_numbers
from engine.turns import disputed

# Whether it was put right.
RATINGS: Final[Mapping[str, tuple[str, str]]] = {
    "satisfied": ("满意", "satisfied"),
    "mostly": ("基本满意", "mostly satisfied"),
    "not": ("不满意", "not satisfied"),
}
LONGEST_WORDS: Final = 500
CLOSING: Final = "close"


class NotYourReport(NotAllowed):
    """The code is of another case."""

    def __init__(self) -> None:
        super().__init__("这个回执码不是这一件的。", "This code belongs to another report.")


class NotRatedNow(Conflict):
    """It is not done yet, or was rated already."""


def dispute_by_code(
    conn: Connection,
    case_id: str,
    form: Mapping[str, Any],
    *,
    resident: str,
    at: datetime,
    channel: str = "web",
    key: str | None = None,
) -> Done:
    """异议: the resident does not accept the result, within the window the process has drawn.

    resident: as the receipt code has it (receipt_codes.Found). Raises NotDrawn, NotYourReport,
    FormRefused, NoReason.
    """

    check_no_numbers(*(value for value in form.values() if isinstance(value, str)))

    def decide(desk: Desk) -> list[Draft]:
        _check_resident(desk, resident)
        who = _actor(resident, channel)
        return [Draft("result.disputed", disputed(desk, form), who, at)]

    return change(conn, case_id, decide, at=at, key=key)


def rate(
    conn: Connection,
    case_id: str,
    answer: str,
    words: str = "",
    *,
    resident: str,
    at: datetime,
    channel: str = "web",
    key: str | None = None,
) -> Done:
    """评价: the resident says whether it was put right, once for each closing.

    answer: one of RATINGS. Raises NotYourReport, NotRatedNow, BadInput.
    """
    told = _rating(answer, words)

    def decide(desk: Desk) -> list[Draft]:
        _check_resident(desk, resident)
        if not may_rate(desk, log.read(conn, case_id)):
            raise NotRatedNow(
                "现在还不能评价：还没有办完，或这一次已经评价过了。",
                "It cannot be rated now: it is not done yet, or was rated already.",
            )
        return [Draft("result.rated", told, _actor(resident, channel), at)]

    return change(conn, case_id, decide, at=at, key=key)


def may_rate(desk: Desk, entries: Sequence[Entry]) -> bool:
    """Whether the case was closed, nothing of it is being done anew, and nobody rated it since."""
    drawn = desk.context.definition
    closing = {name for name, task in drawn.tasks.items() if drawn.lanes[task.lane].duty == CLOSING}
    accepting = {name for name, task in drawn.tasks.items() if task.duty5 == "accept"}
    open_ = {task.element for task in desk.case.tasks.values()}
    if open_ & closing or any(drawn.tasks[element].duty5 for element in open_):
        return False
    done = [one for one in entries if one.type == "result.rated" or _ends(one, closing | accepting)]
    closed = any(_ends(one, closing) for one in done)
    return closed and done[-1].type == "task.completed"


def ratings(entries: Sequence[Entry]) -> list[Entry]:
    """What was said of the result, in order."""
    return [entry for entry in entries if entry.type == "result.rated"]


def _ends(entry: Entry, elements: set[str]) -> bool:
    return entry.type == "task.completed" and entry.data["task"].partition("#")[0] in elements


def _check_resident(desk: Desk, resident: str) -> None:
    reporters = {doer.person for doer in desk.case.doers.get("report", ())}
    if resident not in reporters | {desk.case.opened.get("resident")}:
        raise NotYourReport


def _actor(resident: str, channel: str) -> dict[str, Any]:
    return {"person": resident, "capacity": "report", "channel": channel}


def _rating(answer: str, words: str) -> dict[str, str]:
    if answer not in RATINGS:
        raise BadInput("请选满意、基本满意或不满意。", "Choose whether you are satisfied.")
    told = unicodedata.normalize("NFC", words).strip()
    check_no_numbers(told)
    if len(told) > LONGEST_WORDS:
        raise BadInput(
            f"最多 {LONGEST_WORDS} 个字，请写短些。", f"{LONGEST_WORDS} characters at most."
        )
    return {"answer": answer} | ({"words": told} if told else {})
