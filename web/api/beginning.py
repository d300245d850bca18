"""Beginning a case: what one may begin, what its form asks, and the report itself."""

from typing import Any

from pydantic import Field
from sqlalchemy import Connection

from engine.cases import open_case
from engine.definitions import OPENING_FORM
from engine.people import directory
from web.api import telling
from web.api.files import named
from web.api.operations import Command, acts, shows, subject
from web.api.shapes import Acting, Asked, AskedForm, Bilingual, Choice, Told, Wanted, Word, Words
from web.forms import read_told
from web.related import find_case
from web.reporting import (
    KINDS,
    Blank,
    blank_for,
    check_in_office,
    choosing_of,
    may_begin,
    purposes_of,
    report_of,
)
from web.texts import both, later
from web.uploads import MOST_FILES
from web.visit import at, by, reads, vault

operations = subject("beginning", later("发起"))
SCOPE = "cases:report"


class Kind(Told):
    """A process that this person may begin."""

    process: str
    title: Bilingual
    href: str


class Kinds(Told):
    """All of them."""

    items: list[Kind]


class ProcessPath(Wanted):
    """The key of a process, such as hazard."""

    process: Word


class Beginning(Told):
    """What it takes: a form, and the places one may name (none: it concerns the whole street)."""

    process: str
    definition: str
    form: AskedForm
    places: list[Choice]
    place: str


class Report(Asked):
    """form: the answers. place: a unit among `places`. evidence: tokens of files sent before.

    informant: the colleague who says it, where the token's person only types it (代录).
    """

    process: Word
    place: Word = ""
    informant: Word = ""
    form: dict[str, Any]
    evidence: list[Words] = Field(default_factory=list, max_length=MOST_FILES)


@shows(operations, "/begin", later("我可以发起哪几种案件"), Kinds, SCOPE)
def kinds() -> Kinds:
    """What this person may begin."""
    with reads() as conn:
        people = directory(conn)
        found = [kind for kind in KINDS if may_begin(conn, people, by(), kind.process)]
    return Kinds(items=[_kind(one.process, one.title) for one in found])


@shows(operations, "/begin/<process>", later("发起一种案件要填什么"), Beginning, SCOPE)
def form(path: ProcessPath) -> Beginning:
    """The form by which a case is begun."""
    with reads() as conn:
        blank = blank_for(conn, path.process)
        return _beginning(conn, blank)


@acts(operations, "/cases", later("上报，发起一个案件"), SCOPE, status=201)
def report(header: Acting, body: Report) -> Command:
    """Open a case."""
    with reads() as conn:
        blank = blank_for(conn, body.process)
    check_in_office(blank.people)
    asked = blank.definition.forms[OPENING_FORM]
    values, errors = read_told(asked, body.form, now=at(), find_case=find_case)
    received, unfit = named(body.evidence, purposes_of(blank))
    place = body.place if blank.places else blank.here
    informant = body.informant or None
    told = report_of(blank, values, place, received, [*errors, *unfit], informant)
    return lambda conn, key: open_case(conn, told, by=by(), at=at(), vault=vault(), key=key)


def _kind(process: str, title: str) -> Kind:
    chinese, english = both(title)
    return Kind(
        process=process,
        title=Bilingual(zh=chinese, en=english),
        href=f"{operations.url_prefix}/begin/{process}",
    )


def _beginning(conn: Connection, blank: Blank) -> Beginning:
    definition = blank.definition
    return Beginning(
        process=definition.key,
        definition=definition.digest,
        form=telling.asked_form(
            conn,
            definition.digest,
            OPENING_FORM,
            definition.forms[OPENING_FORM],
            choosing=choosing_of(blank),
            purposes=purposes_of(blank),
        ),
        places=telling.choices(blank.places),
        place=blank.here,
    )
