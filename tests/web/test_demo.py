"""The demonstration street: built twice to the same bytes, verified, telling what it promises."""

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection, select, text

from audit import log
from audit.encoding import instant
from audit.entries import Entry
from engine import evidence
from engine.accounts import find_account, password_matches
from engine.database import open_database
from engine.definition_sets import latest
from engine.inbox import InboxRow, claimable_by, held_by, open_task_table
from engine.mailbox import read_own_mailbox
from engine.people import directory
from engine.receipt_codes import find
from engine.register import register_table
from engine.roster import person_name_table
from engine.verification import verify
from tests.web.demo_street import Built, build
from web.demo import (
    ACCOUNTS,
    END,
    codes,
    planted,
    told_cases,
)
from web.demo.answers import ANSWERED
from web.demo.chance import Chance
from web.demo.complaints import linked_complaints, marked_complaints
from web.demo.hotline import PLOTS
from web.demo.ordinary import ordinary_stories
from web.demo.plan import all_stories
from web.demo.story import number
from web.demo.town import BEGIN, LEAVES, SIZES, SUCCESSIONS, town
from web.publication import figures

ROOT = Path(__file__).parents[2]


@pytest.fixture
def conn(built: Built) -> Iterator[Connection]:
    with built.database.connect() as connection:
        yield connection


def everything(conn: Connection) -> list[Entry]:
    return [entry for stream in log.streams(conn) for entry in log.read(conn, stream)]


def person_of(conn: Connection, account: str) -> str:
    return find_account(conn, account).person


# --- the log --------------------------------------------------------------------------------------


BUILDING = """
import sys
from pathlib import Path
from engine.database import open_database
from engine.schema import create_schema
from web.demo import ORIGIN, build_street
from web.demo.town import SIZES

folder = Path(sys.argv[1])
database = open_database(f"sqlite:///{folder}/street.db")
create_schema(database)
small = SIZES["small"]
build_street(database, folder / "evidence", size=small, origin=ORIGIN, progress=lambda *_: None)
"""


def test_another_process_builds_the_same_log_and_the_same_files_byte_for_byte(
    built: Built, tmp_path: Path
) -> None:
    # Another seed for the hashes of str: nothing may hang on the order of a set.
    environ = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", BUILDING, str(tmp_path)], env=environ, check=True)
    again = open_database(f"sqlite:///{tmp_path}/street.db")
    with built.database.connect() as one, again.connect() as other:
        for table, order in ((log.head_table, "stream"), (log.event_table, "stream, seq")):
            rows = select(table).order_by(text(order))
            assert one.execute(rows).all() == other.execute(rows).all()
    again.dispose()
    folders = (built.files, tmp_path / "evidence")
    kept = [{path.relative_to(folder) for path in folder.rglob("*")} for folder in folders]
    assert kept[0] == kept[1]


@pytest.mark.postgres
def test_postgresql_holds_the_same_log(built: Built, postgres_url: str, tmp_path: Path) -> None:
    server = open_database(postgres_url)
    with server.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("DROP DATABASE IF EXISTS shaoji_demo WITH (FORCE)"))
        conn.execute(text("CREATE DATABASE shaoji_demo"))
    there = server.url.set(database="shaoji_demo").render_as_string(hide_password=False)
    server.dispose()
    again = build(tmp_path, there)
    hashes = select(log.head_table.c.stream, log.head_table.c.hash)
    with built.database.connect() as one, again.database.connect() as other:
        kept = [{row.stream: bytes(row.hash) for row in c.execute(hashes)} for c in (one, other)]
    again.database.dispose()
    assert kept[0] == kept[1]


def test_the_whole_log_verifies(built: Built, conn: Connection) -> None:
    found = verify(conn)
    assert found.problems == ()
    assert (found.cases, found.events) == (built.told.cases, built.told.events)
    hazards = [case for case in log.streams(conn) if case.startswith("hazard-")]
    # One hazard was found on a patrol, after the last report.
    assert len(hazards) == SIZES["small"].hazards + 1


def test_every_file_the_log_names_is_kept_unchanged(built: Built, conn: Connection) -> None:
    named = {item["sha256"] for entry in everything(conn) for item in entry.evidence}
    assert len(named) > 500
    assert evidence.check(built.files, named) == []


def test_nothing_happens_outside_the_virtual_year(conn: Connection) -> None:
    times = [entry.at for entry in everything(conn)]
    assert min(times) == BEGIN.astimezone(UTC)
    assert max(times) <= END
    assert max(times) > END - timedelta(hours=1)


def test_progress_is_told_day_by_day_to_the_end(built: Built) -> None:
    assert [row[0] for row in built.progress] == list(range(1, 366))
    assert built.progress[-1] == (365, 365, "2026-10-31")


def test_everybody_is_marked_as_invented_and_no_name_gets_into_the_log(conn: Connection) -> None:
    names = list(conn.execute(select(person_name_table.c.name)).scalars())
    assert len(set(names)) == len(names) > 100
    assert all(name.startswith("演示") for name in names)
    bodies = b"".join(entry.body for entry in everything(conn)).decode()
    assert not any(name in bodies for name in names)


def test_only_invented_telephone_numbers_are_told(conn: Connection) -> None:
    said = orjson.dumps([entry.data.get("form", entry.data.get("counterparty", ""))
                         for entry in everything(conn)]).decode()  # fmt: skip
    said = re.sub(r"[0-9a-f]{64}", "", said)  # what is sealed is named by a hash
    phones = re.findall(r"(?<![\d-])\d{3,4}-\d{4,8}(?![\d-])|(?<!\d)1\d{10}(?!\d)", said)
    assert phones
    assert all(re.fullmatch(r"000-\d{4}", phone) for phone in phones)


def test_one_thing_more_shifts_nothing_of_the_others() -> None:
    street = town(SIZES["small"])
    fewer = {story.key: story for story in ordinary_stories(street, 60)}
    more = {story.key: story for story in ordinary_stories(street, 90)}
    same = [key for key, story in fewer.items() if more[key].report == story.report]
    # A duplicate is told of another case, and that one may be among the new ones.
    assert len(same) >= 55
    assert Chance("a", 1).token() == Chance("a", 1).token() != Chance("a", 2).token()


# --- people ---------------------------------------------------------------------------------------


def test_every_announced_account_opens_with_the_announced_password(
    built: Built, conn: Connection
) -> None:
    assert built.told.accounts == ACCOUNTS
    people = directory(conn)
    for account in ACCOUNTS:
        person = person_of(conn, account.account)
        assert people.name(person) == account.person
        assert people.posts_of(person, END)
        assert password_matches(conn, account.account, account.password)


def inbox(conn: Connection, account: str) -> list[InboxRow]:
    person = person_of(conn, account)
    free = claimable_by(conn, directory(conn), person, END)
    return [*held_by(conn, person), *free]


@pytest.mark.parametrize(
    ("account", "at_least"),
    [
        ("grid", 5),
        ("community", 3),
        ("review", 4),
        ("dispatch", 5),
        ("property", 10),
        ("accept", 5),
        ("close", 3),
        ("leader", 5),
        ("honest", 2),
        ("village", 3),
    ],
)
def test_every_worker_finds_something_to_do(conn: Connection, account: str, at_least: int) -> None:
    assert len(inbox(conn, account)) >= at_least


@pytest.mark.parametrize("account", ["supervise", "admin"])
def test_whoever_oversees_or_administers_has_no_step_to_do(conn: Connection, account: str) -> None:
    assert inbox(conn, account) == []


def test_the_property_engineer_sees_overdue_steps_first_then_what_presses(conn: Connection) -> None:
    dues = [row.due for row in held_by(conn, person_of(conn, "property"))]
    assert dues == sorted(due for due in dues if due)
    states = Counter("late" if due and due < END else "running" for due in dues)
    assert states["late"] >= 4
    assert states["running"] >= 5


def test_the_honest_worker_was_in_time_at_every_step_of_the_year(conn: Connection) -> None:
    me = person_of(conn, "honest")
    done = list(steps_of(conn, me))
    assert len(done) >= 10
    assert all(row["in_time"] for row in done)


def steps_of(conn: Connection, person: str) -> Iterator[dict[str, Any]]:
    """What the log measured of each step a person completed."""
    entries = {(entry.stream, entry.seq): entry for entry in everything(conn)}
    for entry in entries.values():
        if entry.type == "case.advanced" and entry.cause is not None:
            cause = entries[entry.stream, entry.cause]
            if cause.type == "task.completed" and cause.actor["person"] == person:
                closed = entry.data["closed"]
                yield next(row for row in closed if row["task"] == cause.data["task"])


def test_a_post_changes_hands_in_mid_year_and_the_steps_with_it(conn: Connection) -> None:
    people = directory(conn)
    for change in SUCCESSIONS:
        unit = change.role.split()[1]
        day = change.at.date()
        before = {t.person for t in people.who_held(unit, day - timedelta(1), title=title(change))}
        after = {t.person for t in people.who_held(unit, day + timedelta(1), title=title(change))}
        assert len(before) == len(after) == 1
        assert before != after
        assert held_by(conn, before.pop()) == []


def title(change: Any) -> str:
    return {"head": "总网格长", "engineer": "工程主管"}[change.role.split()[0]]


def test_substitutes_act_under_their_own_name_for_a_time_and_for_a_reason(
    conn: Connection,
) -> None:
    people = directory(conn)
    assert len(people.substitutions) == len(LEAVES)
    assert all(leave.reason for leave in people.substitutions)
    lent = [entry for entry in everything(conn) if "on_behalf_of" in entry.actor]
    assert lent
    for entry in lent:
        leave = next(s for s in people.substitutions if s.absent == entry.actor["on_behalf_of"])
        assert leave.substitute == entry.actor["person"]
        assert leave.since <= entry.at < leave.until


# --- the last evening -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def open_rows(built: Built) -> list[Any]:
    with built.database.connect() as conn:
        return list(conn.execute(select(open_task_table)).all())


def test_every_step_of_the_process_is_answered_and_waits_somewhere(
    conn: Connection, open_rows: list[Any]
) -> None:
    steps = set(latest(conn, "hazard").tasks)
    assert steps == ANSWERED
    assert {row.element for row in open_rows if row.case.startswith("hazard-")} == steps


def test_some_are_overdue_some_press_some_are_fresh_some_are_stopped(open_rows: list[Any]) -> None:
    now = END.astimezone(UTC)
    timed = [row for row in open_rows if row.due]
    overdue = [row for row in timed if instant(row.due) < now]
    pressing = [row for row in timed if now <= instant(row.due) < now + timedelta(days=2)]
    assert len(overdue) >= 15
    assert len(pressing) >= 15
    assert len(timed) - len(overdue) - len(pressing) >= 10
    assert sum(row.paused_until is not None for row in open_rows) == 1
    assert sum(row.standing for row in open_rows) == 1
    assert {row.request for row in open_rows} == {None, "extension", "pause"}


def test_clocks_rang_at_their_hour_not_when_somebody_looked(conn: Connection) -> None:
    rung = [e for e in everything(conn) if e.type in ("deadline.warned", "overdue.opened")]
    assert len(rung) > 400
    assert all(entry.at - instant(entry.data["due"]) < timedelta(seconds=10) for entry in rung)


def test_there_are_cases_of_every_outcome_and_most_went_well(conn: Connection) -> None:
    of_hazards = select(register_table.c.status).where(register_table.c.process == "hazard")
    statuses = Counter(conn.execute(of_hazards).scalars())
    assert set(statuses) == {
        "open", "closed_accepted", "closed_not_hazard", "merged", "transferred"
    }  # fmt: skip
    assert statuses["closed_accepted"] > 0.6 * statuses.total()
    assert 50 <= statuses["open"] <= 90


def test_most_steps_were_in_time(conn: Connection) -> None:
    closed = [
        row
        for entry in everything(conn)
        if entry.type == "case.advanced"
        for row in entry.data.get("closed", ())
        if row["how"] == "completed" and "in_time" in row
    ]
    late = sum(not row["in_time"] for row in closed)
    assert 0.02 < late / len(closed) < 0.08


# --- what is told of it ---------------------------------------------------------------------------


def told(conn: Connection, key: str) -> list[Entry]:
    return log.read(conn, told_cases(SIZES["small"])[key])


def done(entries: list[Entry], task: str) -> Entry:
    return next(
        entry for entry in entries if entry.type == "task.completed" and entry.data["task"] == task
    )


def ended(entries: list[Entry]) -> str | None:
    return next((e.data["ended"] for e in reversed(entries) if "ended" in e.data), None)


def test_the_shed_was_reported_four_times_before_it_burned(conn: Connection) -> None:
    ends = [ended(told(conn, f"shed|{n}")) for n in range(1, 7)]
    assert ends == [
        "closed_accepted", "closed_not_hazard", "merged", "closed_accepted", "closed_accepted",
        "merged",
    ]  # fmt: skip
    fire = told(conn, "shed|5")
    assert all(told(conn, f"shed|{n}")[0].at < fire[0].at for n in range(1, 5))
    assert fire[0].data["form"]["danger_now"]
    arrived = done(fire, "first_response#1").at - done(fire, "confirm#1").at
    assert arrived < timedelta(minutes=15)
    looked = told(conn, "shed|2")
    assert done(looked, "second_look#1").at - done(looked, "confirm#1").at < timedelta(minutes=4)


def test_seven_uses_of_three_photos_over_five_cases_one_saved_again(conn: Connection) -> None:
    uses = Counter(
        item["sha256"]
        for n in range(1, 6)
        for item in done(told(conn, f"recycler|{n}"), "rectify#1").evidence
        if item["purpose"] == "after"
    )
    assert (uses.total(), len(uses)) == (7, 4)
    acceptors = {done(told(conn, f"recycler|{n}"), "accept#1").actor["person"] for n in range(1, 6)}
    rectifiers = {done(told(conn, f"partner|{n}"), "rectify#1").actor["person"] for n in (1, 2, 3)}
    assert acceptors == rectifiers
    assert len(acceptors) == 1


def test_on_the_last_evening_of_june_one_person_closed_them_all(conn: Connection) -> None:
    count = SIZES["small"].closings
    closings = [done(told(conn, f"monthend|{n}"), "close#1") for n in range(1, count + 1)]
    assert len({entry.actor["person"] for entry in closings}) == 1
    times = sorted(entry.at for entry in closings)
    assert times[-1] - times[0] < timedelta(minutes=50)
    types = [{entry.type for entry in told(conn, f"monthend|{n}")} for n in range(1, count + 1)]
    assert sum(bool({"case.reopened", "result.disputed"} & of) for of in types) == 6


def test_the_storm_only_looks_like_it(conn: Connection) -> None:
    count = SIZES["small"].storm
    cases = [told(conn, f"storm|{n}") for n in range(1, count + 1)]
    assert all(ended(entries) == "closed_accepted" for entries in cases)
    photos = [item["sha256"] for entries in cases for e in entries for item in e.evidence]
    assert len(set(photos)) == len(photos)
    for entries in cases:
        assert not {"overdue.opened", "result.disputed"} & {entry.type for entry in entries}


def test_what_was_planted_is_found_in_the_log(conn: Connection) -> None:
    rows = planted(conn, SIZES["small"])
    counts = Counter(row.behaviour for row in rows)
    assert set(counts) == {
        "B1", "B1 disguised", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B9", "B10", "B11",
        "B12", "B13", "B14", "B15", "B16", "B17",
        "decoy B5", "decoy B12", "decoy B13", "decoy B14", "decoy B15", "decoy B17",
    }  # fmt: skip
    assert counts["B17"] == SIZES["small"].closings
    events = {(entry.stream, entry.seq) for entry in everything(conn)}
    assert {(row.case, row.seq) for row in rows} <= events


def test_the_product_never_reads_what_was_planted() -> None:
    own = ROOT / "web" / "demo"
    rooms = [path for room in ("audit", "engine", "web") for path in (ROOT / room).rglob("*.py")]
    reading = re.compile(r"planted\(|told_cases|demo\.truth|import.*planted")
    product = [path for path in rooms if own not in path.parents]
    assert [path for path in product if reading.search(path.read_text("utf-8"))] == []


@pytest.mark.parametrize("size", sorted(SIZES))
def test_the_document_names_every_told_case_by_its_number(size: str) -> None:
    page = (ROOT / "docs" / "demo.md").read_text(encoding="utf-8")
    for key, case in told_cases(SIZES[size]).items():
        if key.split("|")[0] in ("shed", "recycler", "partner", "wall", "honest"):
            assert f"`{number(case)}`" in page, (key, number(case))


@pytest.mark.parametrize("size", sorted(SIZES))
def test_a_street_of_either_size_has_as_many_hazards_as_it_says(size: str) -> None:
    street = town(SIZES[size])
    stories = all_stories(street, SIZES[size])
    assert len(stories) == SIZES[size].hazards == len({story.key for story in stories})
    kinds = {unit.kind for unit in street.units}
    assert kinds >= {"community", "general_grid", "micro_grid", "exclusive_grid", "company"}
    assert sum(unit.kind == "community" for unit in street.units) == 9


def test_reports_follow_the_seasons() -> None:
    stories = all_stories(town(SIZES["full"]), SIZES["full"])
    months: dict[str, Counter[int]] = {}
    for story in stories:
        if story.key.startswith("ordinary|"):
            at: datetime = story.report.at
            months.setdefault(story.report.category, Counter())[at.month] += 1
    gas = months["gas"]
    assert sum(gas[m] for m in (11, 12, 1, 2)) > 1.5 * sum(gas[m] for m in (5, 6, 7, 8))
    water = months["road"]
    assert sum(water[m] for m in (6, 7, 8)) > sum(water[m] for m in (11, 12, 1, 2))


# --- the hotline ----------------------------------------------------------------------------------


def test_announced_codes_open_their_mailboxes(built: Built, conn: Connection) -> None:
    assert built.told.codes == codes()
    for one in codes():
        messages = read_own_mailbox(conn, built.vault, find(built.vault, one.code))
        assert messages
        assert all(message.text for message in messages), one


def test_docs_announce_the_codes() -> None:
    told = (ROOT / "docs/demo.md").read_text(encoding="utf-8")
    assert all(one.code in told for one in codes())


def test_no_word_of_a_complaint_is_in_the_log_of_the_street(built: Built, conn: Connection) -> None:
    written = b"".join(conn.execute(select(log.event_table.c.body)).scalars())
    size = SIZES["small"]
    plots = [one.plot for one in marked_complaints(size)]
    plots += [one.marked.plot for one in linked_complaints(all_stories(town(size), size), size)]
    for plot in (*PLOTS, *plots):
        assert plot.text.encode() not in written
        assert not plot.name or plot.name.encode() not in written


def test_the_street_has_published_figures_and_a_request_for_its_keeper(conn: Connection) -> None:
    told = figures(conn, END)
    assert [one.total for one in told.publication.periods] == [6, 3]
    assert told.publication.waiting
    types = [entry.type for entry in everything(conn)]
    # One was refused in winter (story 6), one waits.
    assert types.count("unseal.requested") == 2
    assert types.count("unseal.denied") == 1
    assert types.count("unseal.granted") == 0
