"""异议期: units object to an edition, are answered, and only then is it published.

An edition whose objection was upheld is never published: another one is computed, with its reason,
and has days for objections of its own.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from audit import log
from audit.entries import Draft, Entry
from audit.risk_index.weights import read_weights
from engine.directory import Authority, Directory
from engine.errors import BadInput, Conflict, NotAllowed
from engine.index_editions import edition_figures, keeping
from engine.index_register import RULINGS, STREAM, Edition, NoSuchEdition, Objection
from engine.index_weights import read_register, weights_file
from engine.people import By, actor, directory
from engine.reasons import reasoned

# Whoever heads a unit: of a community 总网格长, of a department its leader.
HEADING: Final = frozenset({"approve", "confirm"})
CAPACITY: Final = "object"


class NotYourUnit(NotAllowed):
    """Objections are raised by whoever heads a unit of the table."""

    def __init__(self) -> None:
        super().__init__(
            "异议由表上单位的负责人提出，您在这个单位没有负责人的岗位。请找本单位负责人。",
            "Objections are raised by whoever heads a unit of the table; you hold no such post in "
            "this one. Ask its head.",
        )


class ObjectionsOver(Conflict):
    """The days for objections are over, or the edition is not the one to object to any more."""

    def __init__(self) -> None:
        super().__init__(
            "这一期的异议期已过，或已有新的一期，没有收下。请看最新的一期。",
            "The days for objections to this edition are over, or there is a newer one; nothing "
            "was taken. Look at the newest edition.",
        )


class ObjectedAlready(Conflict):
    """The unit has an objection to this edition that waits for its answer."""

    def __init__(self) -> None:
        super().__init__(
            "本单位对这一期的异议还在等答复。请等答复后再提。",
            "An objection of this unit to this edition waits for its answer; wait for that first.",
        )


class AnsweredAlready(Conflict):
    """The objection was answered."""

    def __init__(self) -> None:
        super().__init__("这条异议已经答复过。", "This objection was answered already.")


class BadRuling(BadInput):
    """An objection is upheld or rejected."""

    def __init__(self) -> None:
        super().__init__("请选“成立”或“不成立”。", "Choose upheld or rejected.")


class OwnObjection(NotAllowed):
    """Nobody answers an objection of their own, or of a unit they hold a post in."""

    def __init__(self) -> None:
        super().__init__(
            "不能答复自己或本单位提出的异议。请由别的督查岗位答复。",
            "Nobody answers an objection of their own or of their unit; let another supervising "
            "post answer.",
        )


class NotYetPublishable(Conflict):
    """Something has to happen before this edition may be published."""


# --- objecting ------------------------------------------------------------------------------------


def object_to(conn: Connection, seq: int, unit: str, reason: str, *, by: By, at: datetime) -> Entry:
    """Object to an edition for a unit of its table, with a reason.

    Raises NoSuchEdition, NotYourUnit, ObjectionsOver, ObjectedAlready, NoReason.
    """
    head = log.take(conn, STREAM)
    edition = read_register(conn).edition(seq)
    held = heads_of(directory(conn), edition_figures(conn, edition), by, at).get(unit)
    if held is None:
        raise NotYourUnit
    if not edition.open(at):
        raise ObjectionsOver
    if any(one.unit == unit for one in edition.waiting):
        raise ObjectedAlready
    told = {"computed": seq, "unit": unit, "reason": reasoned(reason)}
    who = actor(held, CAPACITY, channel=by.channel)
    (entry,), _ = log.append(conn, head, [Draft("index.objected", told, who, at)])
    return entry


def heads_of(
    people: Directory, table: Mapping[str, Any], by: By, at: datetime
) -> dict[str, Authority]:
    """The units of a table for which this person may object, each with the post by which."""
    named = {one["unit"] for kind in table.values() for one in kind}
    held = (
        one for one in people.capacities(by.person, at)
        if one.duty in HEADING and one.unit in named
        and by.on_behalf_of in (None, one.on_behalf_of)
    )  # fmt: skip
    found: dict[str, Authority] = {}
    for one in held:
        found.setdefault(one.unit, one)
    return found


# --- answering ------------------------------------------------------------------------------------


def answer_objection(
    conn: Connection, seq: int, ruling: str, reason: str, *, by: By, at: datetime
) -> Entry:
    """Answer an objection, told by the number of its entry: upheld or rejected, with a reason.

    Raises NoSuchEdition, NotYoursToCompute, OwnObjection, AnsweredAlready, BadRuling, NoReason.
    """
    head = log.take(conn, STREAM)
    edition, objection = _objection(conn, seq)
    people = directory(conn)
    who = keeping(people, by, at, _communities(conn, edition))
    if by.person == objection.entry.actor["person"] or _is_of(people, objection.unit, by, at):
        raise OwnObjection
    if objection.answer is not None:
        raise AnsweredAlready
    if ruling not in RULINGS:
        raise BadRuling
    told = {"objected": seq, "ruling": ruling, "reason": reasoned(reason)}
    (entry,), _ = log.append(conn, head, [Draft("index.objection_answered", told, who, at)])
    return entry


def _objection(conn: Connection, seq: int) -> tuple[Edition, Objection]:
    for edition in read_register(conn).editions.values():
        for one in edition.objections:
            if one.entry.seq == seq:
                return edition, one
    raise NoSuchEdition


def _is_of(people: Directory, unit: str, by: By, at: datetime) -> bool:
    return any(one.unit == unit for one in people.capacities(by.person, at))


def _communities(conn: Connection, edition: Edition) -> Mapping[str, Any]:
    told = edition.told
    file = weights_file(conn, told["weights"], told["weights_sha256"])
    return read_weights(file).communities


# --- publishing -----------------------------------------------------------------------------------


def publish_edition(conn: Connection, seq: int, *, by: By, at: datetime) -> Entry:
    """Publish an edition: it is the table of its month from now on.

    Raises NoSuchEdition, NotYoursToCompute, NotYetPublishable, EditionDamaged.
    """
    head = log.take(conn, STREAM)
    edition = read_register(conn).edition(seq)
    who = keeping(directory(conn), by, at, _communities(conn, edition))
    for chinese, english in hindrances(edition, at):
        raise NotYetPublishable(chinese, english)
    edition_figures(conn, edition)
    told = {"computed": seq, "figures": edition.told["figures"]}
    (entry,), _ = log.append(conn, head, [Draft("index.published", told, who, at)])
    return entry


def hindrances(edition: Edition, at: datetime) -> Iterator[tuple[str, str]]:
    """Why an edition may not be published at this instant: Chinese, English."""
    if edition.published is not None:
        yield "这一期已经发布。", "This edition was published already."
    elif edition.followed:
        yield ("已有新的一期，请发布最新的一期。", "There is a newer edition; publish that one.")
    elif any(one.upheld for one in edition.objections):
        yield (
            "有异议成立，这一期不能发布。请写明原因，计算新的一期。",
            "An objection was upheld; this edition is not published. Compute another, and say why.",
        )
    elif at < edition.until:
        yield (
            "异议期还没有过，请到期后再发布。",
            "The days for objections are not over; publish it after them.",
        )
    elif edition.waiting:
        yield (
            "还有异议没有答复，请先答复。",
            "An objection has no answer yet; answer it first.",
        )
