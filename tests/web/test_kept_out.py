"""Whoever a confidential case is about is offered nothing of it, whatever duties they hold."""

from engine.inbox import claimable_by
from engine.people import By, directory, grant_post
from tests.conftest import Street
from tests.engine.hotline_street import Hotline
from tests.web.hotline_pages import *  # noqa: F403
from tests.web.hotline_pages import Resident


def offered(street: Street, name: str) -> list[str]:
    with street.database.begin() as conn:
        people = directory(conn)
        return [row.case for row in claimable_by(conn, people, street.person[name], street.at)]


def test_the_accused_are_offered_no_step_of_a_complaint_about_them(
    resident: Resident, h: Hotline, web_street: Street
) -> None:
    resident.complain()
    assert offered(web_street, "desk") == [h.case]
    accused = next(
        name for name, person in web_street.person.items() if _works_at(web_street, person)
    )
    with web_street.database.begin() as conn:
        posts = directory(conn).posts.values()
    desk = next(p for p in posts if p.person == web_street.person["desk"])
    admin = By(web_street.person["admin"])
    web_street.do(grant_post, web_street.person[accused], desk.unit, "受理员（兼）",
                  sorted(desk.duties), reason="兼任", by=admin)  # fmt: skip
    assert offered(web_street, accused) == []


def _works_at(street: Street, person: str) -> bool:
    with street.database.begin() as conn:
        return any(p.unit == "u-heat-office" for p in directory(conn).posts_of(person, street.at))
