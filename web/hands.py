"""手上的事: what each person has in hand, for whoever has hands to place. Nobody is ranked."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Final

from flask import url_for
from sqlalchemy import Connection

from engine.calendar import Calendar
from engine.directory import KINDS, Directory, Post, valid
from engine.inbox import InboxRow
from engine.load import NOTHING_DONE, Done, Load, done_by_persons, load_of
from web.desk import unit_name
from web.frame import moment
from web.posts import HANDS
from web.quantities import ZONE
from web.texts import say
from web.visit import at, by

# Over so many days it is told what was done.
LOOKED_BACK: Final = 30


@dataclass(frozen=True, slots=True)
class Hand:
    """One person: post, absence, open steps as numbers that lead to them, what was done lately."""

    person: str
    name: str
    where: str
    away: str
    load: Load
    numbers: tuple[tuple[str, str, int, str], ...]
    done: Done


@dataclass(frozen=True, slots=True)
class Hands:
    """Everybody of some units: who has something in hand, and who has nothing.

    since: the day from which it is told what was done.
    """

    busy: tuple[Hand, ...]
    idle: tuple[Hand, ...]
    since: str


def hands(
    conn: Connection,
    people: Directory,
    steps: Iterable[InboxRow],
    units: Collection[str],
    cal: Calendar,
    narrowed: Mapping[str, str],
) -> Hands:
    """What people of these units have of these steps, and what they did lately.

    In the order of the directory. narrowed: what the addresses of the numbers keep.
    """
    held: dict[str, list[InboxRow]] = {}
    for step in steps:
        if step.holder:
            held.setdefault(step.holder, []).append(step)
    posts = _posts(people, units, held)
    since = datetime.combine((at().astimezone(ZONE) - timedelta(LOOKED_BACK)).date(), time(), ZONE)
    done = done_by_persons(conn, people, held, since=since, by=by(), at=at())
    told = [
        _hand(people, post, load_of(held.get(post.person, ()), cal, at()),
              done.get(post.person, NOTHING_DONE), narrowed)
        for post in posts
    ]  # fmt: skip
    return Hands(
        busy=tuple(one for one in told if one.load.open),
        idle=tuple(one for one in told if not one.load.open),
        since=since.date().isoformat(),
    )


def in_directory_order(people: Directory) -> Callable[[str], tuple[object, ...]]:
    """Where a unit stands among others: by kind, then by the names from the top down."""
    kinds = list(KINDS)

    def place(unit: str) -> tuple[object, ...]:
        above = (*reversed(people.ancestors(unit)), unit)
        return kinds.index(people.unit(unit).kind), *(people.unit(one).name for one in above)

    return place


def _posts(people: Directory, units: Collection[str], holders: Collection[str]) -> list[Post]:
    """One post of everybody who works in these units, or holds one of the steps."""
    place, found = in_directory_order(people), dict[str, Post]()
    of_holders = (post for person in holders for post in people.posts_ever(person))
    known = {post.id: post for post in (*people.posts_in(units), *of_holders)}
    for post in sorted(known.values(), key=lambda one: (one.since, one.id)):
        works = post.unit in units and bool(post.duties & HANDS)
        if valid(post, at()) and (works or post.person in holders):
            before = found.get(post.person)
            if before is None or (works and before.unit not in units):
                found[post.person] = post
    return sorted(found.values(), key=lambda one: (place(one.unit), people.name(one.person)))


def _hand(
    people: Directory, post: Post, load: Load, done: Done, narrowed: Mapping[str, str]
) -> Hand:
    kept = {name: value for name, value in narrowed.items() if value and name != "state"}
    told: dict[str, Any] = {**kept, "holder": post.person}
    counted = (
        ("late", say("逾期"), load.late), ("near", say("快到"), load.near),
        ("paused", say("已暂停"), load.paused), ("asking", say("等批复"), load.asking),
    )  # fmt: skip
    return Hand(
        person=post.person,
        name=people.name(post.person),
        where=say("{unit}·{title}", unit=unit_name(people, post.unit), title=post.title),
        away=_away(people, post),
        load=load,
        numbers=(
            ("", say("在办"), load.open, url_for("board.page", **told, _anchor="rows")),
            *((state, words, number, url_for("board.page", **told, state=state, _anchor="rows"))
              for state, words, number in counted),
        ),
        done=done,
    )  # fmt: skip


def _away(people: Directory, post: Post) -> str:
    now = people.absences(post.id, at())
    last = max(now, key=lambda sub: sub.until, default=None)
    return away_words(people, last.substitute, last.until) if last else ""


def away_words(people: Directory, substitute: str, until: datetime) -> str:
    """That somebody is absent, until when, and who acts for them."""
    name = people.name(substitute)
    return say("{until} 前不在岗，由{name}代", until=moment(until), name=name)
