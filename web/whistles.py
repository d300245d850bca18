"""吹哨: one page for a phone, filled in beforehand from the post and the case it is blown about."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, flash, render_template, request, url_for
from flask_login import login_required
from sqlalchemy import Connection
from werkzeug.datastructures import MultiDict

from engine.definition_sets import UnknownDefinition, latest
from engine.definitions import OPENING_FORM, Definition
from engine.evidence import Evidence
from engine.expressions import ExpressionFailed
from engine.forms import FieldError
from web.desk import choosing_first, desk_of
from web.duty_list import matters_of
from web.forms import MOST_OPTIONS, Question, questions
from web.offline import keep
from web.reporting import PLACE, WHISTLE, Blank, blank_for, draftable, opened, place_asked
from web.texts import either, say
from web.visit import at, fresh_key, reads, settings

pages = Blueprint("whistles", __name__)

DEPARTMENTS: Final = "departments"
SUGGESTED: Final = "suggested"
# The last group of when.css: the form's own questions take the first ones.
GROUP: Final = 8


@dataclass(frozen=True, slots=True)
class Card:
    """A department that may be called; when: the classes by which it shows for a category.

    told: (classes, what it answers for) for each category it fits.
    """

    unit: str
    name: str
    when: str
    told: tuple[tuple[str, str], ...]
    chosen: bool


@pages.get("/whistles")
@login_required  # type: ignore[untyped-decorator]
def form() -> str:
    """The form for a whistle; `case` names the case it is about."""
    about = request.args.get("case", "")
    with reads() as conn:
        blank = blank_for(conn, WHISTLE)
        known = _known(conn, about)
        secret = bool(about) and desk_of(conn, about).case.confidential
    if not secret:
        _keep(blank)
    return _page(blank, given=known)


@pages.post("/whistles")
@login_required  # type: ignore[untyped-decorator]
def blow() -> Any:
    """Blow it; faults are shown beside what was typed."""
    with reads() as conn:
        blank = blank_for(conn, WHISTLE)
    posted = _merged(blank, request.form)

    def page(
        blank: Blank, errors: Sequence[FieldError] = (), _received: Sequence[Evidence] = ()
    ) -> str:
        _keep(blank)
        return _page(blank, given=posted, errors=errors)

    answer = opened(blank, posted, page, "cases.page")
    if not isinstance(answer, tuple):
        flash(say("哨已吹响"))
    return answer


def _keep(blank: Blank) -> None:
    """Let a whistle wait in the browser where there is no network: it is sent once there is."""
    if draftable(blank):
        keep()


def _known(conn: Connection, case_id: str) -> MultiDict[str, str] | None:
    """What a case says already of what it takes to blow a whistle about it."""
    if not case_id:
        return None
    desk = desk_of(conn, case_id)
    told, place = desk.case.opened, desk.case.opened["place"]
    return MultiDict(
        {
            "title": desk.case.title,
            "category": told["category"],
            "address": place.get("address", ""),
            PLACE: place["unit"],
            "linked_case": desk.case.number,
        }
    )


def _merged(blank: Blank, sent: MultiDict[str, str]) -> MultiDict[str, str]:
    """What was sent, with the suggested departments that fit the category among the chosen ones."""
    posted = MultiDict(sent)
    category = posted.get("category", "")
    fitting = [
        unit
        for unit in posted.poplist(SUGGESTED)
        if category
        in _categories(blank.people.unit(unit).name if unit in blank.people.units else "")
    ]
    posted.setlist(DEPARTMENTS, list(dict.fromkeys([*fitting, *posted.getlist(DEPARTMENTS)])))
    return posted


# --- the page -----------------------------------------------------------------------------------


def _page(
    blank: Blank,
    *,
    given: MultiDict[str, str] | None,
    errors: Sequence[FieldError] = (),
) -> str:
    asked = blank.definition.forms[OPENING_FORM]
    choosing = choosing_first(blank.definition, blank.people, at())
    told = questions(asked, given, errors, choosing=choosing, now=at())
    by_name = {question.name: question for question in told}
    category = asked.field("category")
    numbers = {
        choice.value: number
        for number, choice in enumerate(category.choices if category else (), 1)
        if number <= MOST_OPTIONS
    }
    departments = by_name[DEPARTMENTS]
    return render_template(
        "whistle.html",
        form=asked,
        q=by_name,
        kinds=_kinds(blank.definition, by_name["kind"]),
        numbers=numbers,
        group=GROUP,
        suggested=list(_cards(departments, numbers)),
        linked=given.get("linked_case", "") if given else "",
        errors=errors,
        key=request.form.get("key") or fresh_key(),
        back=url_for("inbox.mine"),
        emergency=settings().emergency,
        **place_asked(blank, given, errors),
    )


def _cards(departments: Question, numbers: Mapping[str, int]) -> Iterator[Card]:
    """The departments the duty list knows, each shown for the categories it answers for."""
    for _, group in departments.groups:
        for one in group:
            told = tuple(
                (_marks(matter.categories, numbers), either(matter.chinese, matter.english))
                for matter in matters_of(one.words)
            )
            fits = _marks(_categories(one.words), numbers)
            if fits:
                yield Card(one.value, one.words, fits, told, one.chosen)


def _categories(name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for matter in matters_of(name) for one in matter.categories))


def _marks(categories: Sequence[str], numbers: Mapping[str, int]) -> str:
    told = [f"g{GROUP}o{numbers[one]}" for one in categories if one in numbers]
    return " ".join(["when", *told]) if told else ""


def _kinds(definition: Definition, question: Question) -> list[tuple[str, str, str, bool]]:
    """The kinds of whistle as cards: value, name, how soon who comes, chosen."""
    return [
        (one.value, one.head, one.tail or _promise(one.value), one.chosen)
        for _, group in question.groups
        for one in group
    ]


def _promise(kind: str) -> str:
    """How soon the departments sign and come, from the clocks of their own process."""
    if kind == "emergency":
        soon = _limit(kind, "arrive_at_once")
        return say("有人可能受伤。{soon}内到场，不等审核，事后追认。", soon=soon)
    sign, come = _limit(kind, "sign_in"), _limit(kind, "arrive")
    if kind == "daily":
        return say("街道审核后，{sign}内签收，{come}内到场。", sign=sign, come=come)
    return say("老问题，几家一起办。{sign}内签收，{come}内到场。", sign=sign, come=come)


def _limit(kind: str, element: str) -> str:
    try:
        with reads() as conn:
            definition = latest(conn, "response")
        drawn = definition.tasks[element].deadline
        found = definition.classes[drawn.evaluate({"case": {"kind": kind}})] if drawn else None
    except (UnknownDefinition, ExpressionFailed, KeyError):
        found = None
    return either(found.title, found.title_en) if found else say("规定时限")
