"""What runs between the streams of one log: messages arrive once and unchanged, codes were shown.

docs/audit-format.md §7. That a message has not arrived yet is no fault by itself: it is on its way;
whoever has the running log knows whether it still is.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from audit.chain import Problem
from audit.commitments import is_sealed, opens
from audit.entries import Entry

SITE_CODE: Final = "site_code"


def check_arrivals(sent: Mapping[str, Entry], arrived: Iterable[Entry]) -> Iterator[Problem]:
    """What arrived and was not sent, not so, or before.

    sent: hash (hex) -> `message.sent`. arrived: entries with an `origin`, in any order.
    """
    seen: set[str] = set()
    for entry in arrived:
        origin = entry.data["origin"]
        source = sent.get(origin["hash"])
        if source is None:
            yield _problem(entry, "follows from a message nobody sent")
        elif not _same(entry, source, origin):
            yield _problem(entry, "says other than the message it follows from")
        if origin["hash"] in seen:
            yield _problem(entry, "follows from a message that arrived before")
        seen.add(origin["hash"])


def check_proofs(
    entries: Iterable[Entry], shown: Callable[[str, int], Entry | None]
) -> Iterator[Problem]:
    """The codes typed in these entries that nobody had shown where they say.

    shown: (stream, number) -> the entry there.
    """
    for entry in entries:
        proof = entry.data.get("proof")
        if proof is not None and not _is_proven(entry, shown(proof["case"], proof["seq"])):
            yield _problem(entry, "the code typed is not one that was shown")


def _same(entry: Entry, source: Entry, origin: Mapping[str, Any]) -> bool:
    place = (origin.get("case", source.stream), origin.get("seq", source.seq))
    if place != (source.stream, source.seq) or entry.at < source.at:
        return False
    told = source.data
    if entry.type == "message.received":
        return bool((entry.data["message"], entry.data["form"]) == (told["message"], told["form"]))
    # What the new case sealed came from the vault and stands in no message.
    form = {name: v for name, v in entry.data["form"].items() if not is_sealed(v)}
    asked = {name: value for name, value in told["form"].items() if name in form}
    return bool(told["to"] == f"opens:{entry.data['process']}" and form == asked)


def _is_proven(entry: Entry, shown: Entry | None) -> bool:
    if shown is None or shown.type != "code.shown" or entry.at < shown.at:
        return False
    proof = entry.data["proof"]
    salt = bytes.fromhex(proof["salt"])
    return opens(shown.data["commitment"], SITE_CODE, proof["code"], salt)


def _problem(entry: Entry, what: str) -> Problem:
    return Problem(entry.stream, entry.seq, what, "words")
