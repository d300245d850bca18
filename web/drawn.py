"""Acts with a form of their own that the process has drawn as a message: objection, dispute."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson
from flask import flash, render_template, request
from sqlalchemy import Connection

from engine.casework import Desk, Done
from engine.definitions import Message
from engine.forms import DIALECT, FieldError, Form, FormRefused, read_form
from web.desk import choosing
from web.forms import questions, read_answers
from web.related import find_case
from web.texts import either
from web.visit import at, fresh_key, see_other, writes

Act = Callable[[Connection, dict[str, Any]], Done]

# What is asked where the process has drawn no form.
PLAIN_SCHEMA: Final[dict[str, Any]] = {
    "$schema": DIALECT,
    "type": "object",
    "title": "理由",
    "x-en": "Reason",
    "properties": {
        "reason": {
            "type": "string",
            "title": "理由",
            "x-en": "Reason",
            "x-widget": "textarea",
            "maxLength": 2000,
        }
    },
    "required": ["reason"],
    "additionalProperties": False,
}
PLAIN: Final = read_form(orjson.dumps(PLAIN_SCHEMA))


def form_of(desk: Desk, message: Message) -> Form:
    """What a drawn act asks: its own form, else a reason."""
    return desk.context.definition.forms[message.form] if message.form else PLAIN


def fill_in(desk: Desk, message: Message, act: Act, *, told: str, back: str) -> Any:
    """Show the form of a drawn act; sent, do it, or show its faults beside what was typed.

    told: what is said when it is done. back: where to go if one thinks better of it.
    """
    form = form_of(desk, message)
    errors: Sequence[FieldError] = ()
    if request.method == "POST":
        try:
            values, errors = read_answers(
                form, request.form, now=at(), choosing=choosing(desk, message.id),
                find_case=find_case,
            )  # fmt: skip
            if errors:
                raise FormRefused(list(errors))
            with writes() as conn:
                act(conn, values)
        except FormRefused as refused:
            errors = refused.errors
        else:
            flash(told)
            return see_other("cases.page", case_id=desk.case.case)
    return _page(desk, message, form, errors, back), 422 if errors else 200


def _page(desk: Desk, message: Message, form: Form, errors: Sequence[FieldError], back: str) -> str:
    posted = request.form if request.method == "POST" else None
    drawn = desk.context.definition.elements[message.id]
    return render_template(
        "act.html",
        name=either(drawn.name, drawn.name_en),
        case=desk.case,
        form=form,
        questions=questions(form, posted, errors, choosing=choosing(desk, message.id), now=at()),
        errors=errors,
        key=request.form.get("key") or fresh_key(),
        back=back,
    )
