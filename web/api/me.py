"""Who one is by one's token."""

from datetime import datetime

from flask import g

from engine.api_tokens import Bearer
from engine.people import directory
from web.api.operations import shows, subject
from web.api.shapes import Named, Told
from web.api.telling import person, unit
from web.texts import later
from web.visit import at, by, reads

operations = subject("me", later("本人"))


class PostHeld(Told):
    """A post that gives this person duties now; for: whose, where they stand in for somebody."""

    post: str
    title: str
    unit: Named
    duty: str
    on_behalf_of: Named | None


class Me(Told):
    """The person, what they may do now, and what the token is good for. now: the server's time."""

    person: Named
    token: str
    scopes: list[str]
    posts: list[PostHeld]
    now: datetime


@shows(operations, "/me", later("我是谁，现在有哪些岗位，令牌有哪些范围"), Me)
def me() -> Me:
    """The person behind the token."""
    bearer: Bearer = g.bearer
    with reads() as conn:
        people = directory(conn)
    return Me(
        person=person(people, by().person),
        token=bearer.token,
        scopes=sorted(bearer.scopes),
        posts=[
            PostHeld(
                post=held.post,
                title=held.title,
                unit=unit(people, held.unit),
                duty=held.duty,
                on_behalf_of=person(people, held.on_behalf_of) if held.on_behalf_of else None,
            )
            for held in people.capacities(by().person, at())
        ],
        now=at(),
    )
