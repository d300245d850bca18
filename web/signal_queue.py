"""线索: what the rules found, for whoever supervises or disciplines to look into and judge."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_login import login_required
from werkzeug.wrappers import Response

from engine.casework import Done
from engine.directory import Directory
from engine.errors import NotAllowed
from engine.people import directory
from engine.signal_queue import places_judged, signal_counts, signals_for
from engine.signals import OPEN, confirm, dismiss
from web.signal_rows import signal_cards
from web.signal_rules import signal_rules
from web.texts import either, later, say
from web.visit import at, by, key, local_path, reads, writes

pages = Blueprint("signals", __name__)

LISTED: Final = 10
STATES: Final = {
    OPEN: later("待核实"),
    "confirmed": later("属实"),
    "dismissed": later("说得通"),
}


class NotForYourPost(NotAllowed):
    """Signals are looked into by posts that supervise or discipline."""

    def __init__(self) -> None:
        super().__init__(
            "线索由督查和纪检的岗位核实，您现在没有这样的岗位。",
            "Signals are looked into by posts that supervise or discipline; you hold none now.",
        )


def check_judges(people: Directory) -> None:
    """Refuse whoever judges no signals anywhere now; raises NotForYourPost."""
    if not places_judged(people, by(), at()):
        raise NotForYourPost


@pages.get("/signals")
@login_required  # type: ignore[untyped-decorator]
def page() -> str:
    """The signals of one's places: those that wait, unless others are asked for."""
    state = _one_of("state", STATES, OPEN)
    rule = _one_of("rule", signal_rules().rules, "")
    first = LISTED * (max(request.args.get("page", 1, int), 1) - 1)
    with reads() as conn:
        people = directory(conn)
        check_judges(people)
        counts = signal_counts(conn, people, by(), at())
        found = signals_for(
            conn, people, by(), at(), rule=rule, state=state, first=first, limit=LISTED
        )
        cards = signal_cards(conn, found, people)
    return render_template(
        "signals.html",
        cards=cards,
        states=[(words, _address(state=name, rule=rule), name == state)
                for name, words in _counted_states(counts, rule)],
        rules=_counted_rules(counts, state, rule),
        every=_address(state=state) if rule else "",
        first=first,
        count=_sum(counts, state, rule),
        further=_address(state=state, rule=rule, page=str(first // LISTED + 2)),
        back=_address(state=state, rule=rule, page=str(first // LISTED)) if first else "",
        version=signal_rules().version,
    )  # fmt: skip


@pages.post("/cases/<case_id>/signals/<rule>/<int:entry>/confirmation")
@login_required  # type: ignore[untyped-decorator]
def hold(case_id: str, rule: str, entry: int) -> Response:
    """属实: the signal holds."""
    return _judge(confirm, case_id, rule, entry, say("已记下：属实"))


@pages.post("/cases/<case_id>/signals/<rule>/<int:entry>/dismissal")
@login_required  # type: ignore[untyped-decorator]
def explain(case_id: str, rule: str, entry: int) -> Response:
    """说得通: it does not hold."""
    return _judge(dismiss, case_id, rule, entry, say("已记下：说得通"))


def _judge(
    command: Callable[..., Done], case_id: str, rule: str, entry: int, told: str
) -> Response:
    reason = request.form.get("reason", "")
    with writes() as conn:
        command(
            conn, case_id, rule, entry, reason, rules=signal_rules(), by=by(), at=at(), key=key()
        )
    flash(told)
    return redirect(local_path(request.form.get("next"), url_for("signals.page")), 303)


def _one_of(name: str, known: Mapping[str, Any], usual: str) -> str:
    told = request.args.get(name, "")
    return told if told in known else usual


def _address(**asked: str) -> str:
    told: dict[str, Any] = {name: value for name, value in asked.items() if value}
    return url_for("signals.page", **told)


def _sum(counts: Mapping[tuple[str, str], int], state: str, rule: str) -> int:
    return sum(n for (of, how), n in counts.items() if how == state and rule in ("", of))


def _counted_states(counts: Mapping[tuple[str, str], int], rule: str) -> list[tuple[str, str]]:
    return [(name, f"{say(words)} {_sum(counts, name, rule)}") for name, words in STATES.items()]


def _counted_rules(
    counts: Mapping[tuple[str, str], int], state: str, asked: str
) -> list[tuple[str, str, bool]]:
    """Each rule that found something in this state, in the order of the rules."""
    return [
        (f"{either(one.name, one.name_en)} {counts[name, state]}",
         _address(state=state, rule=name), name == asked)
        for name, one in signal_rules().rules.items()
        if (name, state) in counts
    ]  # fmt: skip
