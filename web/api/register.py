"""The register: units, who holds which post, and the processes in force."""

from datetime import date, datetime

from flask import Response
from pydantic import Field

from engine.definition_sets import load, sets_in_force
from engine.directory import valid
from engine.people import directory
from engine.rights import NotYoursToAsk, watches
from web import cases as pages
from web.api.operations import gives, shows, subject
from web.api.shapes import Bilingual, Named, Told, Wanted, Word
from web.api.telling import person, unit
from web.people import units_asked
from web.quantities import ZONE
from web.texts import later
from web.visit import at, by, reads

operations = subject("register", later("单位、岗位、流程"))
SCOPE = "register:read"


class UnitTold(Told):
    """A unit of the tree; until null: it exists today without an end."""

    id: str
    kind: str
    name: str
    parent: str | None
    since: datetime
    until: datetime | None


class Units(Told):
    """The units that exist now."""

    items: list[UnitTold]


class Held(Wanted):
    """unit: whose posts. on: the day that is asked about; today if none is given."""

    unit: Word
    on: date | None = Field(default=None, ge=date(1900, 1, 1), le=date(2100, 1, 1))
    duty: str | None = Field(default=None, max_length=40)


class TenureTold(Told):
    """Who had a post, from when until when; on_behalf_of: the absent holder, for substitutes."""

    post: str
    title: str
    unit: Named
    person: Named
    on_behalf_of: Named | None
    duties: list[str]
    since: datetime
    until: datetime | None


class Tenures(Told):
    """The posts of a unit on a day."""

    items: list[TenureTold]


class DefinitionTold(Told):
    """A process in force: its newest definition set. diagram: where its drawing is."""

    process: str
    title: Bilingual
    version: int
    sha256: str
    deployed_at: datetime
    opened_by: str | None
    confidential: bool
    diagram: str


class Definitions(Told):
    """The processes."""

    items: list[DefinitionTold]


class DigestPath(Wanted):
    """A definition set by its digest."""

    digest: str = Field(pattern="^[0-9a-f]{64}$")


@shows(operations, "/units", later("现有的单位"), Units, SCOPE)
def units() -> Units:
    """The tree of units."""
    with reads() as conn:
        people = directory(conn)
    found = sorted((u for u in people.units.values() if valid(u, at())), key=lambda u: u.id)
    return Units(
        items=[
            UnitTold(
                id=one.id, kind=one.kind, name=one.name, parent=one.parent, since=one.since,
                until=one.until,
            )
            for one in found
        ]
    )  # fmt: skip


@shows(operations, "/posts", later("一个单位某一天谁任什么岗位"), Tenures, SCOPE)
def posts(query: Held) -> Tenures:
    """Who held the posts of a unit on a day, for those who may ask."""
    with reads() as conn:
        people = directory(conn)
    if not watches(people, by(), at()) or query.unit not in units_asked(people, by()):
        raise NotYoursToAsk
    day = query.on or at().astimezone(ZONE).date()
    return Tenures(
        items=[
            TenureTold(
                post=one.post,
                title=one.title,
                unit=unit(people, one.unit),
                person=person(people, one.person),
                on_behalf_of=person(people, one.on_behalf_of) if one.on_behalf_of else None,
                duties=sorted(one.duties),
                since=one.since,
                until=one.until,
            )
            for one in people.who_held(query.unit, day, duty=query.duty)
        ]
    )


@shows(operations, "/definitions", later("现行的流程定义"), Definitions, SCOPE)
def definitions() -> Definitions:
    """The newest definition set of each process."""
    with reads() as conn:
        found = [(one, load(conn, one.digest)) for one in sets_in_force(conn)]
    return Definitions(
        items=[
            DefinitionTold(
                process=told.key,
                title=Bilingual(zh=told.title, en=told.title_en or told.title),
                version=one.version,
                sha256=one.digest,
                deployed_at=one.deployed_at,
                opened_by=told.opened_by,
                confidential=told.confidential,
                diagram=f"{operations.url_prefix}/definitions/{one.digest}/diagram",
            )
            for one, told in found
        ]
    )


@gives(
    operations, "/definitions/<digest>/diagram", later("流程图（BPMN）"), "application/xml",
    SCOPE, "cases:read",
)  # fmt: skip
def diagram(path: DigestPath) -> Response:
    """The drawing of a process."""
    return pages.drawing_of(path.digest)
