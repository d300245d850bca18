"""Who sees what of the risk-control index before it is published."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from engine.directory import Directory
from engine.errors import NotAllowed
from engine.index_objections import heads_of
from engine.index_register import Edition
from engine.people import By
from engine.rights import DISCIPLINE, SUPERVISION, places_overlooked


class NotPublishedYet(NotAllowed):
    """Before it is published an edition is for those it is about, and those who supervise them."""

    def __init__(self) -> None:
        super().__init__(
            "这一期还没有发布：异议期里只给表上单位的负责人和督查、纪检岗位看。请等发布。",
            "This edition is not published yet: until then it is for the heads of the units in it, "
            "and for supervision and discipline. Wait until it is.",
        )


def overlooks_all(people: Directory, by: By, at: datetime, units: Mapping[str, Any]) -> bool:
    """Whether a supervising or disciplining post of theirs looks over all these communities."""
    held = (
        one for one in people.capacities(by.person, at) if one.duty in (SUPERVISION, DISCIPLINE)
    )
    return any(units.keys() <= places_overlooked(people, [one]) for one in held)


def may_see_edition(
    people: Directory, by: By, at: datetime, edition: Edition, table: Mapping[str, Any]
) -> bool:
    """Published ones everybody who signs in; others whom they are about, and who supervises all."""
    if edition.published is not None:
        return True
    units = {one["unit"]: one for one in table["communities"]}
    return overlooks_all(people, by, at, units) or bool(heads_of(people, table, by, at))


def check_may_see_edition(
    people: Directory, by: By, at: datetime, edition: Edition, table: Mapping[str, Any]
) -> None:
    """Raise NotPublishedYet for whoever may not."""
    if not may_see_edition(people, by, at, edition, table):
        raise NotPublishedYet
