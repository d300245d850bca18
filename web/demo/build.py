"""Builds the demonstration street: founds it, lives its year, leaves it on its last evening."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, func, select

from audit import log
from engine import accounts, cases, holding, inbox, people
from engine.calendar_versions import publish_calendar
from engine.definition_sets import deploy, latest
from engine.definitions import read_folder
from engine.people import By
from engine.register import register_table
from engine.vault import Vault
from web.demo.among import AMONG, plan_among
from web.demo.chance import Chance
from web.demo.complaints import plan_complaints
from web.demo.conduct import notice
from web.demo.doors import plan_doors
from web.demo.hotline import PROCESS as HOTLINE
from web.demo.hotline import Code, codes, drawn, plan_hotline, vault_of
from web.demo.life import World, begin
from web.demo.names import Names
from web.demo.patrols import plan_patrols
from web.demo.plan import all_stories
from web.demo.story import Story, case_ids
from web.demo.town import (
    ACCOUNT_OF,
    ACCOUNTS,
    BEGIN,
    END,
    LEAVES,
    NAMED,
    PASSWORD,
    SUCCESSIONS,
    Account,
    Leave,
    Post,
    Size,
    Succession,
    Town,
    town,
)
from web.demo.whistles import plan_whistles

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class StreetBuilt:
    """What was built: announced accounts and receipt codes, how many cases and events there are."""

    accounts: tuple[Account, ...]
    codes: tuple[Code, ...]
    cases: int
    events: int


def build_street(
    engine: Engine,
    evidence_root: Path,
    *,
    size: Size,
    origin: str,
    progress: Progress,
    vault: Vault | None = None,
) -> StreetBuilt:
    """Build the street in an empty database with a schema; photos go below `evidence_root`.

    origin: name of the log. vault: where complaints are sealed; without
    one their words are gone when this returns. progress: is told days lived, days in all, the day.
    Equal size and origin give the same log, byte for byte, with equal releases of the
    engine, the processes and the libraries that draw.
    """
    street = town(size)
    stories = all_stories(street, size)
    hashes = {account.account: accounts.hash_password(PASSWORD) for account in ACCOUNTS}
    sealing = drawn(vault) if vault else vault_of("sqlite://", bytes(32))
    with engine.begin() as conn:
        world = _found(conn, evidence_root, street, stories, origin, hashes, sealing)
    _plan_reports(world, stories)
    _plan_people(world)
    plan_among(world)
    plan_doors(world)
    plan_hotline(world)
    plan_whistles(world, street, size)
    plan_complaints(world, stories, size)
    plan_patrols(world, street, size)
    _live(engine, world, progress)
    with engine.connect() as conn:
        events = conn.execute(select(func.count()).select_from(log.event_table)).scalar_one()
        cases = conn.execute(select(func.count()).select_from(register_table)).scalar_one()
    return StreetBuilt(ACCOUNTS, codes(), cases, events)


def _live(engine: Engine, world: World, progress: Progress) -> None:
    """Live day by day; one transaction a day, because a disk may take long to be sure."""
    days = (END - BEGIN).days + 1
    for day in range(1, days + 1):
        evening = min(BEGIN + timedelta(days=day), END)
        with engine.begin() as conn:
            world.conn = conn
            world.live(evening, partial(notice, world))
        progress(day, days, f"{evening:%Y-%m-%d}")


# --- founding -------------------------------------------------------------------------------------


def _found(
    conn: Connection,
    root: Path,
    street: Town,
    stories: Iterable[Story],
    origin: str,
    hashes: dict[str, str],
    vault: Vault,
) -> World:
    log.found(conn, origin)
    person = _register(conn, street)
    by = By(person["admin 1"])
    workflows = Path(str(files("workflows")))
    calendar = (workflows / "calendar" / "cn.toml").read_bytes()
    publish_calendar(conn, calendar, by=by, at=BEGIN)
    for process in ("hazard", *AMONG, HOTLINE):
        deploy(conn, read_folder(workflows / process), by=by, at=BEGIN)
    for role, (account, _) in ACCOUNT_OF.items():
        accounts.create_account(conn, account, person[role], hashes[account], by=by, at=BEGIN)
    definition = latest(conn, "hazard")
    return begin(conn, root, definition, person=person, vault=vault,
                 ids=case_ids(stories), now=BEGIN)  # fmt: skip


def _register(conn: Connection, street: Town) -> dict[str, str]:
    """Enter units, persons and posts; returns role -> person id."""
    by: By | None = None
    names, person = Names(NAMED), dict[str, str]()
    for unit in street.units:
        people.create_unit(conn, unit.id, unit.kind, unit.name, parent=unit.parent, by=by, at=BEGIN)
    # The first administrator is entered by the installation, and enters everybody else.
    for post in street.posts:
        if post.role not in person:
            person[post.role] = _enter(conn, names, post.role, by, BEGIN)
        _grant(conn, post, person[post.role], "建档", by, BEGIN)
        by = by or By(person["admin 1"])
    for change in SUCCESSIONS:
        person[change.successor] = _enter(conn, names, change.successor, by, BEGIN)
    return person


def _enter(conn: Connection, names: Names, role: str, by: By | None, at: datetime) -> str:
    salt = Chance("salt", role).token()
    return people.register_person(conn, names.name(role), salt=salt, by=by, at=at)


def _grant(
    conn: Connection, post: Post, person: str, reason: str, by: By | None, at: datetime
) -> None:
    people.grant_post(conn, person, post.unit, post.title, post.duties, reason=reason, by=by, at=at)


# --- the year -------------------------------------------------------------------------------------


def _plan_reports(world: World, stories: Iterable[Story]) -> None:
    for story in stories:
        world.plan(story.report.at, partial(_report, world, story))


def _report(world: World, story: Story) -> None:
    report = story.report
    form: dict[str, Any] = {
        "title": story.title,
        "category": report.category,
        "address": report.address,
        "description": report.matter.seen,
        "danger_now": report.danger,
    }
    found = world.now - timedelta(minutes=report.discovered)
    form["discovered_at"] = found.isoformat(timespec="seconds")
    if report.spoken_by:
        form |= {"proxy": True, "spoken_by": report.spoken_by}
    by = world.by(report.reporter)
    evidence = (world.photo(story, "before", cured=False, by=by.person),) if report.photo else ()
    done = cases.open_case(
        world.conn,
        cases.Report(
            process="hazard",
            category=report.category,
            title=story.title,
            place=cases.Place(report.spot.unit, report.address),
            form=form,
            source="proxy" if report.spoken_by else "staff",
            spoken_by=report.spoken_by,
            claimed_at=found,
            evidence=evidence,
        ),
        by=by,
        at=world.now,
    )
    if done.case != world.ids[story.key]:
        raise AssertionError(f"{story.key} became {done.case}, not {world.ids[story.key]}")
    world.stories[done.case] = story
    notice(world, done.case)


def _plan_people(world: World) -> None:
    for change in SUCCESSIONS:
        world.plan(change.at, partial(_succeed, world, change))
    for leave in LEAVES:
        # Told the working day before, as one would.
        world.plan(leave.start - timedelta(hours=15), partial(_substitute, world, leave))


def _succeed(world: World, change: Succession) -> None:
    """One leaves, the next takes over: the post first, then the steps in hand."""
    by, old = world.by("admin 1"), world.person[change.role]
    new = world.person[change.successor]
    for post in world.people().posts_of(old, world.now):
        kept = Post(change.successor, post.unit, post.title, tuple(sorted(post.duties)))
        _grant(world.conn, kept, new, change.reason, by, world.now)
    for row in inbox.held_by(world.conn, old):
        reason = f"{change.reason}，在办事项移交。"
        holding.reassign_task(
            world.conn, row.case, row.task, new, reason, by=world.by("dispatch 1"), at=world.now
        )
    for post in world.people().posts_of(old, world.now):
        people.end_post(world.conn, post.id, reason=change.reason, by=by, at=world.now)


def _substitute(world: World, leave: Leave) -> None:
    people.name_substitute(
        world.conn,
        world.person[leave.role],
        world.person[leave.substitute],
        start=leave.start,
        end=leave.end,
        reason=leave.reason,
        by=world.by("admin 1"),
        at=world.now,
    )
