"""How much a page asks of the database does not grow with the street: counted, not timed.

Every page is opened on the demonstration street and on the same street with several times its
hazards (benchmarks.year). Whoever adds a page says here whose it is, or why it is not counted.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select

from benchmarks.pages import PAGES
from benchmarks.year import tell_again
from engine.database import open_database
from engine.early_warning import raise_warnings
from engine.inbox import open_task_table
from engine.metric_periods import keep_figures
from engine.notice_board import Outlets
from engine.register import register_table
from engine.sequencer import run_sequencer
from engine.signals import refresh
from tests.conftest import ROOT
from tests.web.demo_street import Built
from tests.web.index_street import computed
from tests.web.test_every_page import NO_PAGE, NOBODY, ONLY_AFTER_AN_ACT, signed_in
from tests.witnessing import signer
from web import records
from web.app import create_app
from web.config import Settings
from web.demo import END, ORIGIN, door_codes
from web.formulas import formulas
from web.quantities import ZONE
from web.signal_rules import signal_rules
from web.warning_thresholds import thresholds

# The most a page may ask, whatever it shows; and how many questions a list may have more because
# what it shows is of more kinds.
MOST, MORE = 60, 4
MANY = 1000
CASE = "/cases/hazard-2026-00100"
# Whose page, and where; of those with nothing to fill in, the address is that of the rule.
GRID = (
    "inbox.mine", "inbox.claimable", "inbox.overdue", "inbox.requests", "inbox.orders",
    "inbox.started", "inbox.done", "display.own", "reporting.form", "reporting.begin",
    "notices.own", "own_sign_in.page", "own_sign_in.enrol", "tokens.page", "offline.waiting",
    "place_sheets.doors",
)  # fmt: skip
ADMIN = (
    "home", "units", "people", "accounts", "duties", "matrix", "deadlines", "calendars",
    "definitions", "imports", "weights",
)  # fmt: skip
PLAIN = {
    **dict.fromkeys(GRID, "grid"),
    **dict.fromkeys((f"admin.{name}" for name in ADMIN), "admin"),
    **dict.fromkeys(("sign_ins.everybody", "notices.sending"), "admin"),
    **dict.fromkeys(
        ("board.page", "signals.page", "metrics.page", "period.page", "early_warning.page",
         "risk_index.page", "flow.page", "act_search.page", "people.who_held"),
        "supervise",
    ),
    **dict.fromkeys(
        ("cases.search_page", "conduct.form", "batches.choose", "publication_sheet.page"),
        "supervise",
    ),
    "custody.queue": "custodian",
    "whistles.form": "community",
    "intake.form": "intake",
    **dict.fromkeys(
        ("signin.form", "complaints.form", "mailboxes.ask", "receipts.ask", "display.checking",
         "publication.page", "publication.data", "publication.table",
         "hazard_publication.page", "hazard_publication.data", "hazard_publication.table"),
        NOBODY,
    ),
}  # fmt: skip
FILLED = {
    "cases.page": ("supervise", CASE),
    "metrics.listed": ("supervise", "/metrics/rectified_of_found?by=community"),
    "early_warning.one": ("supervise", "/warnings/1"),
    "risk_index.edition_page": ("supervise", "/index/editions/2"),
    "access.page": ("discipline", f"{CASE}/access"),
    "tasks.page": ("property", "{step}"),
    "admin.unit": ("admin", "/admin/units/u-tingtao"),
    "admin.person": ("admin", "/admin/people/{person}"),
    "admin.account": ("admin", "/admin/accounts/grid"),
    "admin.register_history": ("admin", "/admin/history/people"),
    "admin.record": ("admin", "/admin/records/people/5"),
    "admin.calendar_page": ("admin", "/admin/calendars/1"),
    "admin.definition": ("admin", "/admin/definitions/hazard/1"),
    "sign_ins.one": ("admin", "/sign-ins/grid"),
    "place_sheets.door": ("community", "/places/u-tingtao-g1-m1"),
    "residents.form": (NOBODY, f"/q/{door_codes()[0].code}"),
}
NOT_COUNTED = {
    "cases.record": "a file, behind a fresh confirmation",
    "evidence.view": "a picture",
    "risk.page": "notes a look at each case of one place, as many as there are",
    "kept_receipts.text": "a file, once somebody did a step",
    "tasks.objection": "the form of one verb, at the step it objects to",
    **dict.fromkeys(
        ("admin.calendar_toml", "admin.calendar_template", "admin.import_template",
         "admin.import_template_csv", "admin.weights_toml", "admin.weights_note",
         "risk_index.edition_weights"),
        "a file",
    ),
}  # fmt: skip


def street(folder: Path, source: Path, hazards: int) -> Flask:
    """A copy of a street with at least so many hazards, behind its pages."""
    folder.mkdir()
    for name in ("street.db", "vault.db", "vault.key"):
        shutil.copy(source / name, folder / name)
    database = open_database(f"sqlite:///{folder}/street.db")
    tell_again(database, hazards, lambda said: None)
    refresh(database, signal_rules(), lambda done: None)
    run_sequencer(database, [signer(ORIGIN)], at=END)
    keep_figures(database, formulas(), zone=ZONE)
    raise_warnings(database, thresholds(), formulas(), Outlets(), at=END)
    computed(database)
    database.dispose()
    settings = Settings(
        secret_key="k" * 48, database_url=f"sqlite:///{folder}/street.db", origin=ORIGIN, demo=True,
        evidence_dir=source / "evidence", cookie_secure=False,
    )  # fmt: skip
    app = create_app(settings, clock=lambda: END)
    app.testing = True
    return app


@pytest.fixture(scope="module")
def streets(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Flask, ...]]:
    """The demonstration street as it is, and with several times its hazards."""
    built.database.dispose()  # the last connection folds the write-ahead log into the file
    folder, source = tmp_path_factory.mktemp("statements"), built.files.parent
    made = street(folder / "few", source, 0), street(folder / "many", source, MANY)
    yield made
    for app in made:
        app.extensions["shaoji"].database.dispose()


def pages(app: Flask) -> dict[str, tuple[str, str]]:
    """Endpoint -> who opens it and where, for every page that is counted."""
    rules = {rule.endpoint: rule.rule for rule in app.url_map.iter_rules()}
    plain = {name: (who, rules[name]) for name, who in PLAIN.items()}
    return plain | {name: (who, filled(app, path)) for name, (who, path) in FILLED.items()}


def filled(app: Flask, path: str) -> str:
    task, case = open_task_table.c, register_table.c
    with app.extensions["shaoji"].database.connect() as conn:
        holder = select(task.case, task.task, task.holder).where(task.element == "rectify")
        step = conn.execute(
            holder.join(register_table, case.case == task.case)
            .where(task.units.contains("|u-lanan|"), task.holder.is_not(None))
            .order_by(task.case)
        ).first()
    assert step
    where = f"/cases/{step.case}/tasks/{step.task.replace('#', '%23')}"
    return path.format(step=where, person=step.holder)


def statements(app: Flask, client: FlaskClient, path: str) -> int:
    """How many statements this page runs, with nothing kept of the records it read before."""
    client.get(path)  # definitions, calendars and the directory are read once a process
    records._kept.clear()
    database, ran = app.extensions["shaoji"].database, []

    def note(conn: object, cursor: object, statement: str, *rest: object) -> None:
        ran.append(statement)

    event.listen(database, "before_cursor_execute", note)
    answer = client.get(path)
    event.remove(database, "before_cursor_execute", note)
    assert answer.status_code == 200, (path, answer.status_code, answer.location)
    return len(ran)


def counted(app: Flask) -> dict[str, int]:
    wanted = pages(app)
    people = {who: signed_in(app, who) for who in {who for who, _ in wanted.values()}}
    return {name: statements(app, people[who], path) for name, (who, path) in wanted.items()}


def test_every_page_is_counted_or_says_why_not(streets: tuple[Flask, ...]) -> None:
    there = {
        rule.endpoint for rule in streets[0].url_map.iter_rules()
        if "GET" in (rule.methods or ()) and not rule.endpoint.startswith("api_")
    }  # fmt: skip
    told = PLAIN.keys() | FILLED.keys() | NOT_COUNTED.keys()
    assert there - told - NO_PAGE.keys() - ONLY_AFTER_AN_ACT.keys() == set()
    assert told - there == set()


def test_what_a_page_asks_is_bounded_and_does_not_grow_with_the_street(
    streets: tuple[Flask, ...],
) -> None:
    few, many = map(counted, streets)
    assert {name: count for name, count in many.items() if count > MOST} == {}
    grown = {name: (few[name], many[name]) for name in few if many[name] > few[name] + MORE}
    assert grown == {}, "questions, on the small and on the large street"


def test_the_benchmark_of_pages_opens_each_page_and_says_what_it_costs(
    streets: tuple[Flask, ...],
) -> None:
    folder = Path(streets[0].extensions["shaoji"].database.url.database).parent
    command = [sys.executable, "benchmarks/pages.py", "--folder", str(folder), "--times", "1"]
    ran = subprocess.run([*command, "--json"], cwd=ROOT, check=True, capture_output=True, text=True)
    told = json.loads(ran.stdout)
    assert told["events"] > 9000
    assert {one["page"] for one in told["pages"]} == {page for _, page in PAGES}
    assert all(one["statements"] <= MOST for one in told["pages"])
