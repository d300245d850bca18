"""Units: the tree of the street, each with its posts, and the acts that change it."""

from collections.abc import Iterator
from dataclasses import dataclass

from flask import flash, render_template, request
from werkzeug.wrappers import Response

from engine.directory import KINDS, Directory, Post, Unit, valid
from engine.people import close_unit, create_unit, directory, next_unit, rename_unit
from web.admin_pages import clerk, pages, typed, typed_end, typed_start
from web.desk import unit_groups
from web.registers import history_of
from web.texts import either, say
from web.visit import at, reads, see_other, writes


@dataclass(frozen=True, slots=True)
class Branch:
    """A unit in the tree; depth: how many stand above it. posts: those held now."""

    unit: Unit
    depth: int
    kind: str
    posts: int
    ended: bool


@pages.get("/units")
def units() -> str:
    """The tree of units as it stands, or with what has ended."""
    with reads() as conn:
        people = directory(conn)
    ended = "ended" in request.args
    branches = [one for one in _tree(people, None, 0) if ended or not one.ended]
    return render_template(
        "admin_units.html",
        branches=branches,
        ended=ended,
        kinds=[(kind, either(*words[:2])) for kind, words in KINDS.items()],
        groups=unit_groups(people, _valid(people)),
    )


@pages.post("/units")
def new_unit() -> Response:
    """设立单位."""
    with writes() as conn:
        unit = create_unit(
            conn, typed("unit") or next_unit(conn), typed("kind"), typed("name"),
            parent=typed("parent") or None, start=typed_start(), by=clerk(), at=at(),
        )  # fmt: skip
    flash(say("已设立{unit}", unit=unit.name))
    return see_other("admin.unit", unit_id=unit.id)


@pages.get("/units/<unit_id>")
def unit(unit_id: str) -> str:
    """One unit: what stands below it, who holds its posts, what was changed."""
    with reads() as conn:
        people = directory(conn)
        found = people.unit(unit_id)
        told = history_of(conn, ("units", "people"), (unit_id,))
    below = [one for one in people.units.values() if one.parent == unit_id and valid(one, at())]
    return render_template(
        "admin_unit.html",
        people=people,
        unit=found,
        kind=either(*KINDS[found.kind][:2]),
        path=[people.unit(one) for one in reversed(people.ancestors(unit_id))],
        below=below,
        posts=_posts(people, unit_id),
        ended=not valid(found, at()) and found.since <= at(),
        history=told,
    )


@pages.post("/units/<unit_id>/name")
def rename(unit_id: str) -> Response:
    """改名."""
    with writes() as conn:
        named = rename_unit(conn, unit_id, typed("name"), by=clerk(), at=at())
    flash(say("已改名为{unit}", unit=named.name))
    return see_other("admin.unit", unit_id=unit_id)


@pages.post("/units/<unit_id>/closing")
def close(unit_id: str) -> Response:
    """撤销单位."""
    with writes() as conn:
        closed = close_unit(
            conn, unit_id, reason=typed("reason"), end=typed_end(), by=clerk(), at=at()
        )
    flash(say("已撤销{unit}", unit=closed.name))
    return see_other("admin.unit", unit_id=unit_id)


def _valid(people: Directory) -> list[str]:
    return [unit.id for unit in people.units.values() if valid(unit, at())]


def _posts(people: Directory, unit_id: str) -> list[Post]:
    held = people.posts_in({unit_id})
    now = [p for p in held if p.until is None or p.until > at()]
    return sorted(now, key=lambda post: (post.title, post.since))


def _tree(people: Directory, parent: str | None, depth: int) -> Iterator[Branch]:
    kinds = list(KINDS)
    here = [unit for unit in people.units.values() if unit.parent == parent]
    for one in sorted(here, key=lambda u: (kinds.index(u.kind), u.since, u.id)):
        held = sum(valid(post, at()) for post in people.posts_in({one.id}))
        ended = one.until is not None and one.until <= at()
        yield Branch(one, min(depth, 5), either(*KINDS[one.kind][:2]), held, ended)
        yield from _tree(people, one.id, depth + 1)
