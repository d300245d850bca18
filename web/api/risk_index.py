"""The risk-control index: editions of a month's table, and what pages do with them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import Field
from sqlalchemy import Connection

from audit.entries import Entry
from engine.directory import Directory
from engine.index_editions import compute_edition, edition_figures
from engine.index_objections import answer_objection, object_to, publish_edition
from engine.index_register import Edition, Objection
from engine.index_weights import read_register
from engine.people import directory
from web.api import telling
from web.api.operations import Command, acts, shows, subject
from web.api.shapes import Acting, Asked, Named, Paging, Told, Wanted, Word, Words
from web.formulas import formulas
from web.index_page import editions_seen
from web.index_seeing import check_may_see_edition
from web.quantities import ZONE
from web.texts import later
from web.visit import at, by, reads

operations = subject("index", later("管控指数"))
READING, ACTING = "cases:read", "cases:act"
EDITION = "/index/editions/<int:seq>"


class EditionPath(Wanted):
    """The number of an edition's entry in `@index`."""

    seq: int = Field(ge=1, le=999_999_999)


class EditionsWanted(Paging):
    """month: like 2026-03, "" for all."""

    month: str = Field(default="", max_length=7)


class EditionAsked(Asked):
    """known: how many editions of the month the sender has seen. reason: not of the first one."""

    month: Word
    known: int = Field(ge=0, le=99_999)
    reason: Words = ""


class ObjectionAsked(Asked):
    """unit: of the table, for which the sender objects."""

    unit: Word
    reason: Words


class AnswerAsked(Asked):
    """ruling: upheld (another edition is computed) or rejected."""

    ruling: Literal["upheld", "rejected"]
    reason: Words


class Recorded(Told):
    """The entry by which it stands in `@index`."""

    seq: int
    type: str


class ObjectionTold(Told):
    """An objection; ruling, answer, answered_at: null until it is answered."""

    seq: int
    unit: Named
    at: datetime
    reason: str
    ruling: str | None
    answer: str | None
    answered_at: datetime | None


class EditionLine(Told):
    """An edition. until: of objections. figures: SHA-256 of its table's canonical JSON.

    size, root: of the checkpoint it rests on. followed: another one was computed after it.
    """

    seq: int
    href: str
    month: str
    edition: int
    computed_at: datetime
    until: datetime
    published_at: datetime | None
    followed: bool
    reason: str
    figures: str
    weights: int
    weights_sha256: str
    formulas: int
    formulas_sha256: str
    size: int
    root: str


class EditionPage(Told):
    """Editions, the first one first."""

    items: list[EditionLine]
    next: str | None


class EditionTold(Told):
    """An edition whole. communities, departments: its table, exactly what `figures` is the hash of.

    objections: with their answers.
    """

    edition: EditionLine
    communities: list[dict[str, Any]]
    departments: list[dict[str, Any]]
    objections: list[ObjectionTold]


@shows(operations, "/index/editions", later("管控指数的各期"), EditionPage, READING)
def editions(query: EditionsWanted) -> EditionPage:
    """The editions this person may see."""
    with reads() as conn:
        seen = editions_seen(conn, directory(conn), read_register(conn))
    after = int(query.after) if query.after and query.after.isdecimal() else 0
    behind = [
        one for one in seen if one.seq > after and query.month in ("", one.month)
    ]  # fmt: skip
    shown = behind[: query.limit]
    further = str(shown[-1].seq) if len(behind) > len(shown) else None
    return EditionPage(items=[_line(one) for one in shown], next=telling.next_href(further))


@shows(operations, EDITION, later("管控指数的一期"), EditionTold, READING)
def edition(path: EditionPath) -> EditionTold:
    """One edition with its table and its objections."""
    with reads() as conn:
        people = directory(conn)
        found = read_register(conn).edition(path.seq)
        table = edition_figures(conn, found)
    check_may_see_edition(people, by(), at(), found, table)
    return EditionTold(
        edition=_line(found),
        communities=table["communities"],
        departments=table["departments"],
        objections=[_objection(one, people) for one in found.objections],
    )


@acts(
    operations, "/index/editions", later("算一期管控指数"), ACTING, answer=Recorded, status=201
)  # fmt: skip
def compute(header: Acting, body: EditionAsked) -> Command:
    """计算一期."""
    return _recorded(
        lambda conn: compute_edition(
            conn, body.month, formulas(), body.reason, known=body.known, zone=ZONE, by=by(),
            at=at(),
        )
    )  # fmt: skip


@acts(operations, f"{EDITION}/objections", later("对一期指数提出异议"), ACTING, answer=Recorded)
def object_(path: EditionPath, header: Acting, body: ObjectionAsked) -> Command:
    """提出异议."""
    return _recorded(
        lambda conn: object_to(conn, path.seq, body.unit, body.reason, by=by(), at=at())
    )


@acts(
    operations, "/index/objections/<int:seq>/answer", later("答复对指数的异议"), ACTING,
    answer=Recorded,
)  # fmt: skip
def answer(path: EditionPath, header: Acting, body: AnswerAsked) -> Command:
    """答复异议."""
    return _recorded(
        lambda conn: answer_objection(conn, path.seq, body.ruling, body.reason, by=by(), at=at())
    )


@acts(operations, f"{EDITION}/publication", later("发布一期指数"), ACTING, answer=Recorded)
def publish(path: EditionPath, header: Acting) -> Command:
    """发布."""
    return _recorded(lambda conn: publish_edition(conn, path.seq, by=by(), at=at()))


def _recorded(act: Any) -> Command:
    def command(conn: Connection, _key: str) -> Recorded:
        entry: Entry = act(conn)
        return Recorded(seq=entry.seq, type=entry.type)

    return command


# --- telling --------------------------------------------------------------------------------------


def _line(one: Edition) -> EditionLine:
    told: Mapping[str, Any] = one.told
    same = ("month", "edition", "figures", "weights", "weights_sha256", "formulas",
            "formulas_sha256", "size", "root")  # fmt: skip
    return EditionLine(
        **{name: told[name] for name in same},
        seq=one.seq,
        href=f"/api/v1/index/editions/{one.seq}",
        computed_at=one.entry.at,
        until=one.until,
        published_at=one.published.at if one.published else None,
        followed=one.followed,
        reason=told.get("reason", ""),
    )


def _objection(one: Objection, people: Directory) -> ObjectionTold:
    answered = one.answer
    return ObjectionTold(
        seq=one.entry.seq,
        unit=telling.unit(people, one.unit),
        at=one.entry.at,
        reason=one.entry.data["reason"],
        ruling=answered.data["ruling"] if answered else None,
        answer=answered.data["reason"] if answered else None,
        answered_at=answered.at if answered else None,
    )
