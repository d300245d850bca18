"""People and their posts: found by name, unit or post; appointed, ended, stood in for."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from flask import flash, render_template, request
from sqlalchemy import Connection, select
from werkzeug.wrappers import Response

from engine.account_list import Listed, list_accounts
from engine.directory import DUTIES, Authority, Directory, Post, Substitution, valid
from engine.errors import BadInput, Conflict
from engine.people import (
    correct_name,
    directory,
    end_post,
    end_substitute,
    grant_post,
    name_substitute,
    register_person,
)
from engine.roster import UnknownPerson, person_table
from web.admin_pages import clerk, pages, typed, typed_end, typed_start
from web.desk import person_groups, unit_groups, unit_name
from web.forms import Groups
from web.registers import history_of
from web.texts import either, say
from web.visit import at, reads, see_other, writes

A_PAGE: Final = 60


class KnownAlready(Conflict):
    """The very same is registered already."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in a list: their posts now, and their accounts."""

    id: str
    name: str
    posts: tuple[Post, ...]
    accounts: tuple[Listed, ...]


@pages.get("/people")
def people() -> str:
    """People by name, unit, post or account."""
    asked = request.args.get("q", "").strip()
    page = max(int(request.args.get("page", "1")[:5]), 1) if _is_page() else 1
    with reads() as conn:
        register = directory(conn)
        found = _found(_everybody(conn, register), register, asked)
    return render_template(
        "admin_people.html",
        people=register,
        found=found[(page - 1) * A_PAGE :][:A_PAGE],
        count=len(found),
        asked=asked,
        page=page,
        further=len(found) > page * A_PAGE,
        unit_name=unit_name,
    )


@pages.post("/people")
def new_person() -> Response:
    """登记人员. Of one name twice only if that is meant: a form sent twice must not make two."""
    name = unicodedata.normalize("NFC", typed("name"))
    with writes() as conn:
        known = [id_ for id_, one in directory(conn).names.items() if one == name]
        if known and not typed("another"):
            raise KnownAlready(
                f"已经登记过一位{name}（{'、'.join(known)}）。确是另一位同名的人，"
                "请返回勾选“是另一位同名的人”再登记。",
                f"Somebody called {name} is registered ({', '.join(known)}). If this is another "
                "person, go back and say so.",
            )
        person = register_person(conn, name, by=clerk(), at=at())
    flash(say("已登记{name}", name=name))
    return see_other("admin.person", person=person)


@pages.get("/people/<person>")
def person(person: str) -> str:
    """One person: posts, substitutes, accounts, and what was changed."""
    with reads() as conn:
        register = directory(conn)
        _check_known(conn, person)
        accounts = list_accounts(conn, at=at(), person=person)
        ids = (person, *(one.id for one in accounts))
        told = history_of(conn, ("people", "accounts"), ids)
    posts = register.posts_ever(person)
    return render_template(
        "admin_person.html",
        people=register,
        person=person,
        accounts=accounts,
        posts=[post for post in posts if _lasts(post)],
        past=[post for post in posts if not _lasts(post)],
        absences=[s for s in register.substitutions if s.absent == person and _lasts(s)],
        lent=[s for s in register.substitutions if s.substitute == person and _lasts(s)],
        groups=unit_groups(register, [u.id for u in register.units.values() if valid(u, at())]),
        others=_others(register, person),
        offered=[(duty, either(*words)) for duty, words in DUTIES.items()],
        unit_name=unit_name,
        history=told,
    )


@pages.post("/people/<person>/name")
def correct(person: str) -> Response:
    """更正姓名."""
    with writes() as conn:
        correct_name(conn, person, typed("name"), by=clerk(), at=at())
    flash(say("姓名已更正"))
    return see_other("admin.person", person=person)


@pages.post("/people/<person>/posts")
def appoint(person: str) -> Response:
    """任命."""
    asked = frozenset(request.form.getlist("duties"))
    with writes() as conn:
        held = (post for post in directory(conn).posts_ever(person) if _lasts(post))
        same = (person, typed("unit"), typed("title"), asked)
        if any((p.person, p.unit, p.title, p.duties) == same for p in held):
            raise KnownAlready(
                "这个岗位已经登记，没有再登记一次。", "This very post is registered already."
            )
        grant_post(
            conn, person, typed("unit"), typed("title"), asked,
            reason=typed("reason"), start=typed_start(), end=typed_end(), by=clerk(), at=at(),
        )  # fmt: skip
    flash(say("已任命"))
    return see_other("admin.person", person=person)


@pages.post("/posts/<post>/end")
def dismiss(post: str) -> Response:
    """结束岗位."""
    with writes() as conn:
        ended = end_post(conn, post, reason=typed("reason"), end=typed_end(), by=clerk(), at=at())
    flash(say("岗位已登记结束"))
    return see_other("admin.person", person=ended.person)


@pages.post("/people/<person>/substitutes")
def stand_in(person: str) -> Response:
    """指定代理."""
    end = typed_end()
    if end is None:
        raise BadInput("请写明代理到哪天为止。", "Say until when.")
    with writes() as conn:
        name_substitute(
            conn, person, typed("to"), end=end, reason=typed("reason"),
            posts=request.form.getlist("posts") or None, start=typed_start(), by=clerk(), at=at(),
        )  # fmt: skip
    flash(say("代理已登记"))
    return see_other("admin.person", person=person)


@pages.post("/substitutes/<substitution>/end")
def stand_down(substitution: str) -> Response:
    """结束代理."""
    with writes() as conn:
        ended = end_substitute(
            conn, substitution, reason=typed("reason"), end=typed_end(), by=clerk(), at=at()
        )
    flash(say("代理已登记结束"))
    return see_other("admin.person", person=ended.absent)


# --- finding ------------------------------------------------------------------------------------


def _is_page() -> bool:
    return request.args.get("page", "").isdecimal()


def _lasts(period: Post | Substitution) -> bool:
    return period.until is None or period.until > at()


def _check_known(conn: Connection, person: str) -> None:
    if conn.execute(select(person_table.c.id).where(person_table.c.id == person)).first() is None:
        raise UnknownPerson(f"没有编号为 {person} 的人员。", f"There is no person {person}.")


def _everybody(conn: Connection, register: Directory) -> list[Person]:
    accounts: dict[str, list[Listed]] = {}
    for one in list_accounts(conn, at=at()):
        accounts.setdefault(one.person, []).append(one)
    ids = conn.execute(select(person_table.c.id).order_by(person_table.c.id)).scalars()
    return [
        Person(
            id_,
            register.name(id_),
            register.posts_of(id_, at()),
            tuple(accounts.get(id_, ())),
        )
        for id_ in ids
    ]


def _found(everybody: Iterable[Person], register: Directory, asked: str) -> list[Person]:
    """Whoever has every word asked for somewhere in name, id, account, units or posts."""
    words = unicodedata.normalize("NFKC", asked).casefold().split()
    return [one for one in everybody if all(word in _text(one, register) for word in words)]


def _text(one: Person, register: Directory) -> str:
    told = [one.name, one.id, *(account.name for account in one.accounts)]
    for post in one.posts:
        above = (register.unit(unit).name for unit in register.path(post.unit))
        told += [post.title, *above, *(DUTIES[duty][0] for duty in post.duties)]
    return unicodedata.normalize("NFKC", " ".join(told)).casefold()


def _others(register: Directory, person: str) -> Groups:
    """Whoever else holds a post, by unit: who may stand in."""
    held = {
        post.person: Authority(post.person, post.id, post.unit, post.title, "")
        for post in register.posts.values()
        if valid(post, at()) and post.person != person
    }
    return person_groups(register, held.values())
