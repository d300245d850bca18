"""B12 and B13: who should have kept out of a complaint, and who should not have looked. Pure.

The engine refuses most of this. The rules look for it all the same: in a log of an older version,
of another program, or of whoever operates the database.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from audit.encoding import instant
from audit.entries import Entry
from audit.signals.facts import Brief, Complaint, Handled, Signal
from audit.signals.offices import Offices
from audit.signals.rules import Rule, Steps

Found = Iterator[tuple[int, ...]]
# Looking at the file, or asking to: what reaches somebody, not what they decide.
LOOKS: Final = frozenset(
    {"file.viewed", "content.read", "unseal.requested", "identity.viewed", "report.exported"}
)
# What binds nobody: taking a step in hand and giving it back.
_HANDS: Final = frozenset({"task.claimed", "task.released"})
_READS: Final = LOOKS - {"file.viewed", "report.exported"}


def recused_took_part(entries: Sequence[Entry], steps: Steps, rule: Rule) -> Found:
    """B12: somebody the case was found to be about, or related to it, acted in it or read it.

    Also before that was found: they had not kept out. Their own declaration is no act.
    """
    for person, named in _persons_named(entries, steps):
        did = [
            one.seq for one in _of_staff(entries)
            if person in (one.actor["person"], one.actor.get("on_behalf_of"))
            and one.type not in _HANDS and not _is(one, steps, "declare")
            and (one.seq > named or one.type != "file.viewed")
        ]  # fmt: skip
        if did:
            yield (did[0], named, *did[1:])


def _persons_named(entries: Sequence[Entry], steps: Steps) -> Iterator[tuple[str, int]]:
    named = list(named_in(entries, steps)) if steps.names else []
    acting = {one.actor["person"] for one in _of_staff(entries)} if named else set()
    acting |= {str(one.actor.get("on_behalf_of")) for one in _of_staff(entries)} if named else set()
    told: set[str] = set()
    for seq, name in named:
        if name in acting and name not in told:
            told.add(name)
            yield name, seq


def named_in(entries: Sequence[Entry], steps: Steps) -> Iterator[tuple[int, str]]:
    """Units and persons the case is said to be about: number of the entry, and the name."""
    for entry in entries:
        element = "report" if entry.type == "case.opened" else _element(entry)
        if entry.type in ("case.opened", "task.completed"):
            form = entry.data.get("form", {})
            for field in steps.names.get(element, ()):
                value = form.get(field)
                for one in value if isinstance(value, list) else [value]:
                    if isinstance(one, str):
                        yield entry.seq, one


def read_undeclared(entries: Sequence[Entry], steps: Steps, rule: Rule) -> Found:
    """B12: whoever investigates read what is sealed, or investigated, before declaring."""
    declared: set[str] = set()
    told: set[str] = set()
    for entry in _of_staff(entries):
        who = {entry.actor["person"], entry.actor.get("on_behalf_of") or entry.actor["person"]}
        if _is(entry, steps, "declare") and entry.data["form"].get("relation") == "none":
            declared |= who
        read = entry.type in _READS and entry.actor.get("capacity") == "investigate"
        if (read or _is(entry, steps, "investigate")) and not who & (declared | told):
            told |= who
            yield (entry.seq,)


def seen_without_leave(entries: Sequence[Entry], steps: Steps, rule: Rule) -> Found:
    """B13: an identity was looked at without leave, beyond it, or by leave of whoever asked."""
    asked = {one.seq: one for one in entries if one.type == "unseal.requested"}
    leave: dict[int, Entry] = {}
    for entry in entries:
        request = entry.data.get("request")
        if entry.type == "unseal.granted":
            leave[entry.data["request"]] = entry
        elif entry.type == "identity.viewed" and not _allowed(entry, asked, leave):
            yield (entry.seq, *(number for number in (request,) if number in asked))


def _allowed(look: Entry, asked: Mapping[int, Entry], leave: Mapping[int, Entry]) -> bool:
    request, granted = asked.get(look.data["request"]), leave.get(look.data["request"])
    if request is None or granted is None or not request.data.get("purpose", "").strip():
        return False
    whose = request.actor["person"]
    return (
        look.actor["person"] == whose != granted.actor["person"]
        and look.at < instant(granted.data["until"])
        and set(look.data["fields"]) <= set(request.data["fields"])
    )


def _of_staff(entries: Sequence[Entry]) -> Iterator[Entry]:
    """What people of the street did, after the complaint was made."""
    for entry in entries[1:]:
        if "person" in entry.actor and entry.actor.get("capacity") != "report":
            yield entry


def _is(entry: Entry, steps: Steps, role: str) -> bool:
    return entry.type == "task.completed" and steps.plays(_element(entry), role)


def _element(entry: Entry) -> str:
    return str(entry.data.get("task", "")).partition("#")[0]


# --- what the rules among cases need, and they ----------------------------------------------------


def complaint(entries: Sequence[Entry], steps: Steps) -> Complaint | None:
    """What is to be known of a case as a complaint; None for a process that names nobody."""
    if not steps.names:
        return None
    handled = [
        Handled(
            one.seq, one.type in LOOKS, one.actor.get("unit") or "", one.actor.get("post") or ""
        )
        for one in _of_staff(entries) if one.type not in _HANDS
    ]  # fmt: skip
    linked = [entry.data.get("form", {}).get("linked") for entry in entries
              if entry.type in ("case.opened", "task.completed")]  # fmt: skip
    closed = [
        (entry.seq, entry.at) for entry in entries
        if any(steps.plays(element, "over") for element in _passed(entry.data))
    ]  # fmt: skip
    return Complaint(
        units=tuple(named_in(entries, steps)),
        handled=tuple(handled),
        linked=tuple(sorted({one for one in linked if isinstance(one, str)})),
        closed=tuple(closed),
    )


def _passed(data: Mapping[str, Any]) -> Sequence[str]:
    path = data.get("path", ())
    return [str(one) for one in path]


def concerned_took_part(briefs: Sequence[Brief], rule: Rule, known: Offices) -> Iterator[Signal]:
    """B12: somebody of a unit the complaint is about, or who answers for it, acted in the case."""
    yield from _of_the_line(briefs, "B12", known, look=False)


def concerned_looked(briefs: Sequence[Brief], rule: Rule, known: Offices) -> Iterator[Signal]:
    """B13: such a person looked at the file."""
    yield from _of_the_line(briefs, "B13", known, look=True)


def _of_the_line(
    briefs: Sequence[Brief], rule: str, known: Offices, *, look: bool
) -> Iterator[Signal]:
    for one in briefs:
        if one.complaint is None:
            continue
        for handled in one.complaint.handled:
            named = [seq for seq, unit in one.complaint.units
                     if seq < handled.seq and _in_line(handled, unit, known)]  # fmt: skip
            if named and handled.look == look:
                yield Signal(rule, one.case, (handled.seq, named[0]))


def _in_line(handled: Handled, unit: str, known: Offices) -> bool:
    """Of the unit or below it; or with a post that approves above it."""
    if unit in known.line_of(handled.unit):
        return True
    return handled.post in known.approving and handled.unit in known.line_of(unit)


def inspected_after(briefs: Sequence[Brief], rule: Rule, known: Offices) -> Iterator[Signal]:
    """B13: the place of a case complained of is inspected more often than before the complaint.

    From the complaint until so many days after its last closing; the same length before it. What
    belonged to a plan that stood before is nothing extra. A flag, no conclusion; it stands on the
    complaint alone, where only who may see that may see it.
    """
    by_name = {name: one for one in briefs for name in (one.case, one.number)}
    at_door: dict[tuple[str, str], list[Brief]] = {}
    for one in briefs:
        if one.process in rule.lists["inspections"] and one.begun.by_staff and one.thing[2]:
            at_door.setdefault((one.thing[0], one.thing[2]), []).append(one)
    for one in briefs:
        linked = one.complaint.linked if one.complaint else ()
        about = [by_name[name] for name in linked if name in by_name]
        for door in sorted({(other.thing[0], other.thing[2]) for other in about}):
            yield from _more_often(one, at_door.get(door, []), by_name, rule)


def _more_often(
    one: Brief, there: Sequence[Brief], by_name: Mapping[str, Brief], rule: Rule
) -> Iterator[Signal]:
    assert one.complaint  # noqa: S101 - asked only of complaints
    begun, closed = one.begun.at, one.complaint.closed
    until = max([begun, *(at for _, at in closed)]) + timedelta(days=rule["days"])
    since = begun - (until - begun)
    before = [o for o in there if since <= o.begun.at <= begun]
    extra = [o for o in there if begun < o.begun.at <= until and not _planned(o, by_name, one)]
    if len(extra) >= rule["times"] and len(extra) > len(before):
        others = tuple((other.case, 1) for other in extra)
        yield Signal("B13", one.case, (1, *(seq for seq, _ in closed)), others)


def _planned(one: Brief, by_name: Mapping[str, Brief], complaint: Brief) -> bool:
    """Whether it came out of a case that stood before the complaint: a plan, the case itself."""
    parent = by_name.get(one.begun.parent or "")
    return parent is not None and (
        parent.begun.at < complaint.begun.at or parent.case == complaint.case
    )
