"""Whose board: the posts somebody holds or stands in for, and what each has before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flask import url_for

from engine.directory import Authority, Directory
from engine.rights import OVERSEEING
from web.desk import unit_name
from web.texts import say
from web.visit import at, by

COMMAND: Final = "command"
# Who works for a unit has its board.
WORKING: Final = frozenset({"respond", "receive", "rectify"})
# Whose work comes from a whole street or community: every step of it is on their board.
PLACING: Final = frozenset({"dispatch", "confirm"})
# Who answers single steps has a board of those that wait for the post.
ANSWERING: Final = frozenset({"review", "accept", "close"})
BOARDED: Final = WORKING | PLACING | ANSWERING | OVERSEEING | {COMMAND}
# Who has hands to place is told what each person has; whoever only watches is not.
HANDS: Final = WORKING | PLACING | {COMMAND}


@dataclass(frozen=True, slots=True)
class PostBoard:
    """One of somebody's boards: of which post, where it is, and whether it is shown."""

    words: str
    address: str
    current: bool


def boarding(people: Directory, person: str, now: datetime) -> tuple[Authority, ...]:
    """What somebody may do by posts that have a board, own posts first."""
    return tuple(one for one in people.capacities(person, now) if one.duty in BOARDED)


def boarded(people: Directory, person: str, now: datetime) -> bool:
    """Whether this person has a board."""
    return bool(boarding(people, person, now))


def of_post(held: Sequence[Authority], post: str) -> tuple[Authority, ...]:
    """Of what somebody may do what goes with one post; with all, if none is named."""
    return tuple(one for one in held if post in ("", one.post))


def post_boards(
    people: Directory, held: Sequence[Authority], asked: dict[str, str]
) -> list[PostBoard]:
    """The boards somebody may switch between; none where there is only one.

    asked: what else narrows the board; it is kept.
    """
    posts = dict.fromkeys(one.post for one in held)
    if len(posts) < 2:
        return []
    first = [next(one for one in held if one.post == post) for post in posts]
    told = [("", say("全部岗位")), *((one.post, post_words(people, one)) for one in first)]
    return [
        PostBoard(words, _address(asked, post), post == asked.get("post", ""))
        for post, words in told
    ]


def post_words(people: Directory, held: Authority) -> str:
    """A post by unit and title; whose it is, where one stands in for somebody."""
    told = say("{unit}·{title}", unit=unit_name(people, held.unit), title=held.title)
    if held.on_behalf_of is None:
        return told
    return say("代{name}：{post}", name=people.name(held.on_behalf_of), post=told)


def own_boards(people: Directory) -> tuple[Authority, ...]:
    """What whoever asks may do by posts that have a board."""
    return boarding(people, by().person, at())


def _address(asked: dict[str, str], post: str) -> str:
    told: dict[str, Any] = {name: value for name, value in asked.items() if value}
    told.pop("post", None)
    return url_for("board.page", **(told | ({"post": post} if post else {})))
