"""The virtual year: an agenda of acts, a clock that jumps from one to the next, clocks that ring.

Everything is done through the engine's public commands, at virtual time. What is due in between is
recorded when a worker would have recorded it.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from audit.encoding import instant
from engine import evidence, outbox, register, timekeeping
from engine.alarms import next_alarm
from engine.calendar import Calendar, due
from engine.calendar_versions import calendar
from engine.casework import Desk, look, read_case
from engine.definitions import Definition
from engine.delivery import deliver_one
from engine.directory import Directory
from engine.evidence import Evidence
from engine.people import By, directory
from engine.state import CaseState
from engine.vault import Vault
from web.demo.chance import Chance
from web.demo.pictures import Photo, draw_paper, draw_photo
from web.demo.story import Story
from web.demo.town import END, SUCCESSIONS

Act = Callable[[], None]


@dataclass(slots=True)
class World:
    """The street while its year is being lived.

    person: role -> person id. stories: case id -> story. ids: story key -> case id. seen: what of
    each case is on the agenda already. vault: where what is sealed lies. after: the last
    after-photo of each case. conn: of the transaction that is open now.
    """

    conn: Connection
    evidence_root: Path
    definition: Definition
    calendar: Calendar
    person: dict[str, str]
    ids: dict[str, str]
    vault: Vault
    stories: dict[str, Story] = field(default_factory=dict)
    now: datetime = END
    seen: dict[str, set[str]] = field(default_factory=dict)
    after: dict[str, Photo] = field(default_factory=dict)
    _agenda: list[tuple[datetime, int, Act]] = field(default_factory=list)
    _count: int = 0

    def plan(self, at: datetime, act: Act) -> None:
        """Put an act on the agenda; what would come after the end of the year does not happen."""
        if at <= END:
            self._count += 1
            heapq.heappush(self._agenda, (max(at, self.now), self._count, act))

    def live(self, until: datetime, notice: Callable[[str], None]) -> None:
        """Let everything happen that is due by `until`; `notice` is told each case that moved."""
        while self._agenda and self._agenda[0][0] <= until:
            at, _, act = heapq.heappop(self._agenda)
            self._ring(at, notice)
            self.now = max(self.now, at)
            act()
        self._ring(until, notice)
        self.now = until

    def office(self, minutes: int, after: datetime | None = None) -> datetime:
        """When so many office minutes have passed since an instant (now unless one is given)."""
        return due(self.calendar, "working", after or self.now, minutes).at

    def _ring(self, until: datetime, notice: Callable[[str], None]) -> None:
        """What the engine's worker does: record each clock that has run out, oldest first."""
        while due := register.alarmed(self.conn, until, limit=1):
            case = self.case(due[0])
            alarm = next_alarm(case)
            assert alarm  # noqa: S101 - the register has just said that there is one
            lag = timedelta(milliseconds=Chance("lag", case.case, alarm).between(200, 9000))
            self.now = max(self.now, min(until, instant(alarm) + lag))
            timekeeping.ring(self.conn, case.case, at=self.now)
            self.deliver()
            notice(case.case)

    def deliver(self) -> None:
        """Carry what cases have told each other where it belongs, at once."""
        while waiting := outbox.pending(self.conn):
            for message in waiting:
                deliver_one(self.conn, message, at=self.now, vault=self.vault)

    def case(self, case: str) -> CaseState:
        """A case as it stands now."""
        return read_case(self.conn, case)

    def desk(self, case: CaseState) -> Desk:
        """What the engine looks at when it decides who may do a step."""
        return look(self.conn, case.case, self.now)

    def people(self) -> Directory:
        """Who holds which post now."""
        return directory(self.conn)

    def by(self, role: str) -> By:
        """Whoever has a role now, as the one who acts."""
        return By(self.person[self.current(role)])

    def current(self, role: str) -> str:
        """The role that has taken over from this one, if somebody has."""
        for change in SUCCESSIONS:
            if change.role == role and self.now >= change.at:
                return change.successor
        return role

    def once(self, case: str, what: str) -> bool:
        """Whether this is the first time something is asked of a case."""
        seen = self.seen.setdefault(case, set())
        if what in seen:
            return False
        seen.add(what)
        return True

    def photo(
        self, story: Story, purpose: str, *, cured: bool, turned: bool = False, by: str = ""
    ) -> Evidence:
        """Take a photo of a hazard and keep it; by: whose camera."""
        return self.picture(self.shot(story, purpose, cured=cured, turned=turned, by=by), purpose)

    def shot(self, story: Story, purpose: str, *, cured: bool, turned: bool, by: str) -> Photo:
        """A photo of a hazard as taken a few minutes ago."""
        chance = Chance("photo", story.key, purpose, self.now.isoformat())
        taken = self.now - timedelta(minutes=chance.between(1, 25), seconds=chance.below(60))
        report = story.report
        return Photo(
            scene=f"{report.address}|{report.matter.what}",
            category=report.category,
            cured=cured,
            turned=turned,
            label=report.address,
            taken=taken,
            device=f"A-{Chance('device', by).between(1, 60):02d}",
        )

    def at_the_site(self, case: str, role: str, *, scene: str, category: str = "") -> Evidence:
        """A photo of where a case is, some minutes old; category: of what, if not of the case's."""
        told = self.case(case).opened
        photo = Photo(
            scene=scene,
            category=category or told["category"],
            cured=True,
            turned=False,
            label=told["place"].get("address", ""),
            taken=self.now - timedelta(minutes=4),
            device=f"A-{Chance('device', role).between(1, 60):02d}",
        )
        return self.picture(photo, "site")

    def picture(self, photo: Photo, purpose: str) -> Evidence:
        """Keep a drawing as the file of an act."""
        return self._keep(draw_photo(photo), "photo.jpg", purpose, "image/jpeg")

    def paper(self, title: str, lines: list[str], purpose: str) -> Evidence:
        """Keep a paper as the file of an act."""
        data = draw_paper(title, lines, self.now)
        return self._keep(data, f"{title}.pdf", purpose, "application/pdf")

    def _keep(self, data: bytes, name: str, purpose: str, media: str) -> Evidence:
        return evidence.keep(
            self.evidence_root,
            data,
            name=name,
            purpose=purpose,
            declared_type=media,
            at=self.now,
        )


def begin(conn: Connection, root: Path, definition: Definition, **known: Any) -> World:
    """The world on its first morning."""
    return World(conn, root, definition, calendar(conn), **known)
