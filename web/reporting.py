"""Beginning a case: what one may begin, a short form for it, and the receipt one gets for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from flask import Blueprint, redirect, render_template, request, url_for
from flask_login import login_required
from sqlalchemy import Connection
from werkzeug.datastructures import MultiDict

from audit.encoding import instant
from engine.cases import Place, Report, open_case
from engine.definition_sets import UnknownDefinition, latest
from engine.definitions import OPENING_FORM, Definition
from engine.directory import DUTIES, Directory, valid
from engine.errors import NotAllowed, NotFound
from engine.evidence import Evidence
from engine.forms import FieldError, FormRefused
from engine.people import By, directory
from web import informants
from web.case_rows import standing, texts_of
from web.desk import choosing_first, desk_of, unit_name
from web.drafts import drop_sent, left, take_draft
from web.forms import Choosing, Groups, questions, read_answers
from web.informants import for_opening
from web.offline import filled_at, keep
from web.records import names, read_file
from web.related import find_case
from web.texts import either, later, say
from web.uploads import asked_purposes, receive, uploads
from web.visit import at, by, fresh_key, key, reads, see_other, vault, writes

pages = Blueprint("reporting", __name__)

PROCESS: Final = "hazard"
WHISTLE: Final = "whistle"
PLACE: Final = "place_unit"
# What a form for a report need not ask itself, because every report has it.
LONGEST_TITLE: Final = 60
# Where hazards are: not in departments or companies.
GROUNDS: Final = ("community", "general_grid", "micro_grid", "exclusive_grid")


class Offer(NamedTuple):
    """A kind of case one may begin: where its form is, and what it is for."""

    address: str
    icon: str
    title: str
    words: str


class Kind(NamedTuple):
    """A process that people begin; what it is for, in a line."""

    process: str
    icon: str
    title: str
    words: str


# All others are opened by a case, or by somebody who need not sign in.
KINDS: Final = (
    Kind(PROCESS, "report", later("上报隐患"), later("看到会伤人、会出事的，先报上来。")),
    Kind(WHISTLE, "whistle", later("吹哨"), later("看得见、管不着的事，请部门来。")),
    Kind("patrol", "walk", later("巡查一次"), later("临时巡查，没发现也要报。")),
    Kind("patrol_plan", "walk", later("定巡查计划"), later("定好后按时自动发出，不用每次再填。")),
    Kind("directive", "send", later("发布指令"), later("每个人各收一份，读没读、办没办都看得到。")),
    Kind(
        "accident",
        "alert",
        later("报告事故"),
        later("先救人、打 119 和 120，再在这里报。"),
    ),
    Kind("drill", "drill", later("安排演练"), later("练完复盘，查出的事逐件整改。")),
)


class MayNotBegin(NotAllowed):
    """It takes a post with a certain duty to begin this."""

    def __init__(self, duty: str) -> None:
        chinese, english = DUTIES[duty]
        super().__init__(
            f"只有“{chinese}”岗位可以发起，您现在没有这个岗位。需要发起的，请找有这个岗位的人。",
            f"It takes a post with the duty “{english}” to begin this, and you hold none now. Ask "
            "somebody who does.",
        )


class NotBegunHere(NotAllowed):
    """Cases of this kind are opened by another case."""

    def __init__(self) -> None:
        super().__init__(
            "这一类由别的案件自动立案，不能在这里发起。",
            "Cases of this kind are opened by other cases; nobody begins them here.",
        )


@dataclass(frozen=True, slots=True)
class Blank:
    """What a form is made of: the process, and the places somebody may name (none: the street).

    colleagues: for whom they may type it.
    """

    definition: Definition
    people: Directory
    places: Groups
    here: str
    colleagues: Groups

    @property
    def hazard(self) -> bool:
        """Whether this is a hazard: its words are its own."""
        return self.definition.key == PROCESS


@pages.get("/begin")
@login_required  # type: ignore[untyped-decorator]
def begin() -> str:
    """What this person may begin."""
    with reads() as conn:
        people = directory(conn)
        found, waiting = offers(conn, people, by()), informants.errands(conn, people)
    return render_template("begin.html", offers=found, waiting=waiting)


@pages.get("/reports")
@login_required  # type: ignore[untyped-decorator]
def form() -> Any:
    """The form by which a case is begun."""
    if request.args.get("process") == WHISTLE:
        return redirect(url_for("whistles.form"), 303)
    with reads() as conn:
        return page(blank_for(conn, request.args.get("process", PROCESS)))


@pages.post("/reports")
@login_required  # type: ignore[untyped-decorator]
def report() -> Any:
    """Open a case; faults are shown beside what was typed."""
    with reads() as conn:
        blank = blank_for(conn, request.args.get("process", PROCESS))
    return opened(blank, request.form, page, "reporting.receipt")


@pages.post("/reports/draft")
@login_required  # type: ignore[untyped-decorator]
def draft() -> Any:
    """Keep, or discard, what is filled in so far."""
    process = request.args.get("process", PROCESS)
    with reads() as conn:
        blank = blank_for(conn, process)
    if not draftable(blank):
        raise NotFound("这张表不能先存着。", "This form cannot be kept half filled.")
    check_may_report(blank)
    return take_draft(_draft_of(blank), purposes_of(blank), _address(blank, "reporting.form"))


@pages.get("/reports/<case_id>")
@login_required  # type: ignore[untyped-decorator]
def receipt(case_id: str) -> str:
    """The receipt of a case just begun, to be told or shown to whoever reported it."""
    with reads() as conn:
        desk = desk_of(conn, case_id)
        file = read_file(conn, case_id)
    called, definition = names(desk.directory), file.definition
    hazard = definition.key == PROCESS
    return render_template(
        "reported.html",
        record=file.record,
        called=called,
        hazard=hazard,
        process=either(definition.title, definition.title_en),
        words=texts_of(file.record, definition) or say("已立案"),
        standing=standing(file.record, called),
        again=url_for("reporting.form", process=None if hazard else definition.key),
    )


# --- what one may begin -------------------------------------------------------------------------


def offers(conn: Connection, people: Directory, who: By) -> list[Offer]:
    """The kinds of cases this person may begin, as links."""
    return [
        Offer(
            url_for("whistles.form")
            if kind.process == WHISTLE
            else url_for(
                "reporting.form", process=None if kind.process == PROCESS else kind.process
            ),
            kind.icon,
            say(kind.title),
            say(kind.words),
        )
        for kind in KINDS
        if may_begin(conn, people, who, kind.process)
    ]


def may_begin(conn: Connection, people: Directory, who: By, process: str) -> bool:
    """Whether this person may begin a case of this process now."""
    try:
        duty = latest(conn, process).opened_by
    except UnknownDefinition:
        return False
    return may_open(people, who, duty)


def may_open(people: Directory, who: By, duty: str | None) -> bool:
    """Whether this person holds the duty it takes to open a case, or stands in for a holder."""
    if duty is None:
        return bool(people.capacities(who.person, at()))
    return people.authority(who.person, duty, None, at(), who.on_behalf_of) is not None


def blank_for(conn: Connection, process: str) -> Blank:
    """The form of a process for this person; raises NotBegunHere, MayNotBegin."""
    people, definition = directory(conn), latest(conn, process)
    if process not in {kind.process for kind in KINDS}:
        raise NotBegunHere
    if definition.opened_by and not may_open(people, by(), definition.opened_by):
        raise MayNotBegin(definition.opened_by)
    # What concerns the whole street asks for no address, and takes place in the street.
    asks = definition.forms[OPENING_FORM].field("address") is not None
    places = place_groups(people, by(), at()) if asks else []
    own = [held.unit for held in people.capacities(by().person, at())]
    known = {value for _, group in places for value, _ in group}
    here = next((unit for unit in own if unit in known), "")
    street = people.path(own[0])[-1] if own and not asks else ""
    return Blank(definition, people, places, here or street, for_opening(definition, people))


# --- opening ------------------------------------------------------------------------------------


Page = Callable[..., str]


def opened(blank: Blank, posted: MultiDict[str, str], page: Page, endpoint: str) -> Any:
    """Open a case from what was posted and go to `endpoint`; with faults, the page once more."""
    check_may_report(blank)
    asked = blank.definition.forms[OPENING_FORM]
    values, errors = read_answers(
        asked, posted, now=at(), choosing=choosing_of(blank), find_case=find_case
    )
    received, unfit = receive(purposes_of(blank), at=at())
    place = posted.get(PLACE, "") if blank.places else blank.here
    informant = posted.get(informants.FIELD) or None
    try:
        told = report_of(blank, values, place, received, [*errors, *unfit], informant)
        with writes() as conn:
            done = open_case(conn, told, by=by(), at=at(), vault=vault(), key=key())
            drop_sent(conn, _draft_of(blank))
    except FormRefused as refused:
        return page(blank, refused.errors, received), 422
    return see_other(endpoint, case_id=done.case)


def check_may_report(blank: Blank) -> None:
    """Before anything is kept for a report; raises NotAllowed."""
    check_in_office(blank.people)


def check_in_office(people: Directory) -> None:
    """Before a file is kept: an account without a post must not fill the disk."""
    if not people.capacities(by().person, at()):
        raise NotAllowed(
            "您现在没有任何岗位，不能上报。请联系管理员。",
            "You hold no post now and cannot report. Ask the administrator.",
        )


def report_of(
    blank: Blank,
    values: dict[str, Any],
    place: str,
    received: Sequence[Evidence],
    errors: Sequence[FieldError],
    informant: str | None,
) -> Report:
    """What is reported; informant: the colleague who says it, where it is typed for one.

    Raises FormRefused for these errors, or if it is nowhere one may name.
    """
    known = {blank.here, *(value for _, group in blank.places for value, _ in group)} - {""}
    wrong = [*errors, *([] if place in known else [_no_place()])]
    if wrong:
        raise FormRefused(wrong)
    told = _report(blank.definition, values, place, received)
    if informant is None or informants.asks_itself(blank.definition):
        return told
    return replace(told, source="proxy", informant=informant)


def choosing_of(blank: Blank) -> Choosing:
    """The persons and units its form may name; of colleagues those for whom one may type."""
    usual = choosing_first(blank.definition, blank.people, at())
    return lambda field: blank.colleagues if field.name == informants.FIELD else usual(field)


def draftable(blank: Blank) -> bool:
    """Whether a draft may be kept of this form, and a copy of its page: nothing in it is sealed."""
    asked = blank.definition.forms[OPENING_FORM].fields
    return not any(field.seal and not field.machine for field in asked)


def _draft_of(blank: Blank) -> str:
    return f"reports/{blank.definition.key}"


def _address(blank: Blank, endpoint: str, draft: str | None = None) -> str:
    process = None if blank.hazard else blank.definition.key
    return url_for(endpoint, process=process, draft=draft)


def place_groups(people: Directory, who: By, now: datetime) -> Groups:
    """Communities and grids of the streets this person works in, by community, own ones first."""
    own = [held.unit for held in people.capacities(who.person, now)]
    streets = {path[-1] for path in map(people.path, own)}
    grounds = [
        unit for street in sorted(streets) for unit in people.subtree(street)
        if people.unit(unit).kind in GROUNDS and valid(people.unit(unit), now)
    ]  # fmt: skip
    mine = [unit for unit in own if unit in grounds]
    groups: dict[str, list[tuple[str, str]]] = {}
    for unit in sorted(grounds, key=lambda one: (_community(people, one), _depth(people, one))):
        heading = people.unit(_community(people, unit)).name
        groups.setdefault(heading, []).append((unit, unit_name(people, unit)))
    first = [(unit, unit_name(people, unit)) for unit in dict.fromkeys(mine)]
    return [*([(say("我的岗位所在"), first)] if first else []), *groups.items()]


def _community(people: Directory, unit: str) -> str:
    path = people.path(unit)
    return next((one for one in path if people.unit(one).kind == "community"), path[-1])


def _depth(people: Directory, unit: str) -> tuple[str, ...]:
    return tuple(reversed(people.path(unit)))


def _report(
    definition: Definition, values: dict[str, Any], place: str, received: Sequence[Evidence]
) -> Report:
    found = values.get("discovered_at")
    return Report(
        process=definition.key,
        category=values.get("category", "other"),
        title=values.get("title") or str(values.get("description", ""))[:LONGEST_TITLE],
        place=Place(place, values.get("address", "")),
        form=values,
        source="proxy" if values.get("proxy") else "staff",
        spoken_by=values.get("spoken_by"),
        claimed_at=instant(found) if found else filled_at(request.form),
        evidence=received,
    )


def purposes_of(blank: Blank) -> list[str]:
    """A photo of the hazard is always welcome and never asked for unless the form does."""
    asked = asked_purposes(blank.definition.forms[OPENING_FORM])
    if not blank.hazard:
        return asked
    return asked if "before" in asked else ["before", *asked]


def _no_place() -> FieldError:
    return FieldError(PLACE, "请选择在哪个社区或网格。", "Choose the community or grid.")


def page(blank: Blank, errors: Sequence[FieldError] = (), received: Sequence[Evidence] = ()) -> str:
    """The form, with what was typed and what is wrong with it."""
    asked = blank.definition.forms[OPENING_FORM]
    before = None
    if draftable(blank):
        keep()
        with reads() as conn:
            before = left(conn, _draft_of(blank), purposes_of(blank))
    posted: MultiDict[str, str] | None = before.values if before else None
    if request.method == "POST":
        posted = request.form
    received = received or (before.received if before else ())
    choosing = choosing_of(blank)
    groups = [] if informants.asks_itself(blank.definition) else blank.colleagues
    return render_template(
        "report.html",
        form=asked,
        hazard=blank.hazard,
        heading=say("上报隐患") if blank.hazard else either(asked.title, asked.title_en),
        questions=questions(asked, posted, errors, choosing=choosing, now=at()),
        uploads=[
            replace(one, label=say("现场照片")) if one.name == "evidence_before" else one
            for one in uploads(asked, purposes_of(blank), received, errors)
        ],
        informant=informants.asked(groups, errors, needed=False),
        errors=errors,
        key=request.form.get("key") or fresh_key(),
        left=before,
        draft=_address(blank, "reporting.draft"),
        go_on=_address(blank, "reporting.form", draft="on"),
        **place_asked(blank, posted, errors),
    )


def place_asked(
    blank: Blank, posted: MultiDict[str, str] | None, errors: Sequence[FieldError]
) -> dict[str, Any]:
    """What a page needs to ask for the place."""
    wrong = next((error for error in errors if error.field == PLACE), None)
    return {
        "places": blank.places,
        "place": posted.get(PLACE, "") if posted is not None else blank.here,
        "place_error": either(wrong.chinese, wrong.english) if wrong else "",
    }
