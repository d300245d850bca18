"""Every page there is, reached by following links as its people would, and read by axe-core."""

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser, Page
from werkzeug.exceptions import HTTPException
from werkzeug.serving import make_server

from engine.early_warning import raise_warnings
from engine.keys import make_keys
from engine.metric_periods import keep_figures
from engine.notice_board import Outlets
from engine.sequencer import sequence_log
from tests.web.axe import violations
from tests.web.conftest import KEY, Visitor
from tests.web.demo_street import Built
from tests.web.index_street import computed
from tests.web.test_browser import DESK, PHONE, browser
from web.app import create_app
from web.config import Settings
from web.demo import ACCOUNTS, END, ORIGIN, door_codes
from web.formulas import formulas
from web.quantities import ZONE
from web.warning_thresholds import thresholds

__all__ = ["browser"]  # a fixture

# Reached by no link: each with its reason.
NO_PAGE = {
    "static": "a file",
    "health.alive": "asked by what watches the server",
    "health.ready": "asked by what watches the server",
    "internal_metrics.page": "asked by Prometheus, with a token",
    "inbox.home": "sends on to the inbox",
    "verifying.page": "a file of its own, read in test_verify_page",
    "offline.worker": "a script",
    "offline.session": "asked by a script",
    "cases.diagram": "drawn by a script",
    "evidence.thumbnail": "a picture in a page",
    "kept_receipts.proof": "beside a receipt, once a checkpoint covers it",
    "receipts.kept_proof": "beside a receipt that was typed in",
    "receipts.kept_text": "beside a receipt that was typed in",
    "reports.file": "somebody asked for a report",
}
ONLY_AFTER_AN_ACT = {
    "reports.page": "somebody asked for a report",
    "cases.dispute": "a result was told in the last days, to whoever reported",
    "admin.import_preview": "a sheet was sent",
    "admin.refused_rows": "a sheet was sent",
    "admin.next_calendar": "a calendar was sent",
    "admin.next_definition": "a definition was sent",
    "admin.next_weights": "a file of weights was sent",
    "cases.site_code": "a code was shown",
    "confirming.page": "a confirmation is asked for",
    "second_factor.page": "a password was right, and a code is missing",
    "conduct.page": "somebody asked for a record of duties",
    "conduct.file": "somebody asked for a record of duties",
    "special_reports.page": "somebody asked for a report",
    "special_reports.file": "somebody asked for a report",
    "batches.page": "somebody asked for many reports",
    "batches.file": "somebody asked for many reports",
    "followed.ask": "a receipt was typed in",
    "feed.events": "somebody made an address for their calendar",
    "feed.tasks": "somebody made an address for their calendar",
    "reporting.receipt": "somebody reported",
    "kept_receipts.page": "somebody did a step",
    "receipts.kept": "a receipt was typed in",
}
NOBODY = ""
# How many people open a page of one kind (a step of one sort, a case of one process), and how often
# each opens a list with other filters.
PEOPLE = 2
LISTS = 2
# What is on paper, or offered to one person only: the code on a door, an objection before signing,
# on the page of a hazard what is for supervision alone.
STARTS = {
    NOBODY: [f"/q/{one.code}" for one in door_codes()],
    "property": ["/cases/hazard-2026-00244/tasks/sign_in%231"],
    "supervise": ["/cases/hazard-2026-00024"],
}


class Kind(NamedTuple):
    """Pages that look alike; of: the step or the process they are about, None for a list."""

    endpoint: str
    of: str | None


@dataclass
class Crawler:
    """A browser of somebody who opens whatever is linked; `found` is kind of page -> addresses."""

    app: Flask
    client: FlaskClient
    enough: Counter[Kind]
    found: dict[Kind, list[str]] = field(default_factory=dict)

    def crawl(self, starts: list[str]) -> None:
        waiting, seen = list(starts), set(starts)
        while waiting:
            path = waiting.pop(0)
            kind = self.kind(path)
            if kind.endpoint in NO_PAGE or (self.has_seen(kind) and path not in starts):
                continue
            answer = self.client.get(path)
            assert answer.status_code in (200, 302, 303), (path, answer.status_code)
            if answer.status_code != 200:
                waiting.append(answer.headers["Location"])
                continue
            seen_so_far = self.found.setdefault(kind, [])
            if answer.mimetype != "text/html":
                continue  # a file: that it is there is enough
            seen_so_far.append(path)
            fresh = [link for link in links(answer.text, path) if link not in seen]
            seen.update(fresh)
            waiting += fresh
        self.enough.update(self.found.keys())

    def has_seen(self, kind: Kind) -> bool:
        if kind.of is None:  # a list of one's own: everybody's leads elsewhere
            return self.found.get(kind) == [] or len(self.found.get(kind, ())) >= LISTS
        return kind in self.found or self.enough[kind] >= PEOPLE

    def kind(self, path: str) -> Kind:
        adapter = self.app.url_map.bind("localhost")
        try:
            endpoint, told = adapter.match(urlsplit(path).path, method="GET")
        except HTTPException as none:
            raise AssertionError(f"a link leads nowhere: {path}") from none
        about = told.get("task") or told.get("case_id") or ""
        return Kind(str(endpoint), re.split("[-#]", str(about))[0] if told else None)


def links(html: str, path: str) -> list[str]:
    """The addresses on this server a page links to, without their fragments."""
    found = []
    for told in re.findall(r'<a\s[^>]*?href="([^"]*)"', html):
        link = unescape(told).partition("#")[0]
        if link.startswith("?"):
            link = urlsplit(path).path + link
        if link.startswith("/"):
            found.append(link)
    return list(dict.fromkeys(found))


@pytest.fixture(scope="module")
def demo(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """A copy of the demonstration street behind its pages: what looks write stays in the copy."""
    folder = tmp_path_factory.mktemp("pages")
    built.database.dispose()  # the last connection folds the write-ahead log into the file
    for name in ("street.db", "vault.db", "vault.key"):
        shutil.copy(built.files.parent / name, folder / name)
    settings = Settings(
        secret_key=KEY, database_url=f"sqlite:///{folder}/street.db", evidence_dir=built.files,
        origin=ORIGIN, demo=True, cookie_secure=False,
    )  # fmt: skip
    make_keys(settings.keys, ORIGIN, "听澜街道（演示）", at=END)
    app = create_app(settings, clock=lambda: END)
    app.testing = True
    database = app.extensions["shaoji"].database
    sequence_log(database, settings.keys, at=END)
    keep_figures(database, formulas(), zone=ZONE)
    computed(database)
    raise_warnings(database, thresholds(), formulas(), Outlets(), at=END)
    yield app
    app.extensions["shaoji"].database.dispose()


def signed_in(app: Flask, name: str) -> FlaskClient:
    """A browser in which this account is signed in, with a second factor where it has to be."""
    client = app.test_client()
    if name != NOBODY:
        password = next(one.password for one in ACCOUNTS if one.account == name)
        assert Visitor(client).sign_in(name, password).status_code in (200, 302, 303)
    return client


@pytest.fixture(scope="module")
def crawled(demo: Flask) -> dict[str, dict[Kind, list[str]]]:
    """For nobody, and for everybody with an account: the pages reached, files without address."""
    return crawl(demo)


def crawl(demo: Flask) -> dict[str, dict[Kind, list[str]]]:
    reached: dict[str, dict[Kind, list[str]]] = {}
    enough: Counter[Kind] = Counter()
    for name in [NOBODY, *(one.account for one in ACCOUNTS)]:
        crawler = Crawler(demo, signed_in(demo, name), enough)
        crawler.crawl(["/inbox" if name else "/sign-in", *STARTS.get(name, ())])
        reached[name] = crawler.found
    return reached


def test_every_page_is_reached_by_links_from_where_one_begins(
    demo: Flask, crawled: dict[str, dict[Kind, list[str]]]
) -> None:
    pages = {
        rule.endpoint for rule in demo.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and not rule.endpoint.startswith("api_")
    }  # fmt: skip
    reached = {kind.endpoint for found in crawled.values() for kind in found}
    assert pages - reached - NO_PAGE.keys() - ONLY_AFTER_AN_ACT.keys() == set()


def looked_at(crawled: dict[str, dict[Kind, list[str]]]) -> dict[str, list[str]]:
    """Whose pages are looked at: each kind of page for the first who comes to it."""
    eyes: set[Kind] = set()
    chosen: dict[str, list[str]] = {}
    for name, found in crawled.items():
        kinds = [kind for kind in found if kind not in eyes]
        eyes.update(kinds)
        chosen[name] = [path for kind in kinds for path in found[kind][:LISTS]]
        chosen[name].append("/nothing-is-here")
    return chosen


@pytest.mark.browser
@pytest.mark.parametrize(
    ("size", "language"),
    [
        pytest.param(PHONE, "zh", id="390-zh"),
        pytest.param(DESK, "en", id="1280-en"),
        pytest.param(DESK, "zh", id="1280-zh", marks=pytest.mark.long),
        pytest.param(PHONE, "en", id="390-en", marks=pytest.mark.long),
    ],
)
def test_axe_finds_nothing_on_any_page_and_none_scrolls_sideways(
    browser: Browser,
    demo: Flask,
    crawled: dict[str, dict[Kind, list[str]]],
    served: str,
    size: dict[str, int],
    language: str,
) -> None:
    faults = {}
    for name, paths in looked_at(crawled).items():
        with sitting(browser, demo, name, served, viewport=size) as page:
            for path in paths:
                page.set_viewport_size(size)
                page.goto(f"{served}{path}{'&' if '?' in path else '?'}language={language}")
                found = violations(whole(page))
                wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                found += [f"{wide} px too wide"] if wide > 0 else []
                if found:
                    faults[name, path] = found
    assert not faults, "\n".join(f"{key}: {row}" for key, rows in faults.items() for row in rows)


PICTURES = {
    "case-1280": ("supervise", DESK, "/cases/hazard-2026-00249"),
    "board-1280": ("supervise", DESK, "/board"),
    "acts-1280": ("supervise", DESK, "/acts?kind=returned"),
    "metrics-1280": ("supervise", DESK, "/metrics?period=2026-09"),
    "inbox-390": ("grid", PHONE, "/inbox"),
    "scan-390": (NOBODY, PHONE, f"/q/{door_codes()[0].code}"),
    "public-390": (NOBODY, PHONE, "/public/hazards"),
}


@pytest.mark.browser
@pytest.mark.parametrize("name", PICTURES)
def test_pictures_of_the_documents(
    browser: Browser, demo: Flask, served: str, tmp_path: Path, name: str
) -> None:
    who, size, path = PICTURES[name]
    with sitting(browser, demo, who, served, viewport=size) as page:
        answer = page.goto(served + path)
        assert answer
        assert answer.status == 200
        page.wait_for_load_state("networkidle")
        page.screenshot(path=tmp_path / f"{name}.png")
        # A picture shows what the page is about, not an empty list.
        assert page.locator("main").inner_text().count("\n") > 10


def whole(page: Page) -> Page:
    """The page unrolled: what stands under the bar at the foot of a phone is met by scrolling."""
    page.wait_for_load_state("networkidle")  # a drawing or a photo that comes late makes it longer
    height = page.evaluate("document.documentElement.scrollHeight + 200")
    page.set_viewport_size({"width": page.viewport_size["width"], "height": height})
    return page


@pytest.fixture(scope="module")
def served(demo: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, demo, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def sitting(browser: Browser, demo: Flask, name: str, address: str, **more: Any) -> Iterator[Page]:
    context = browser.new_context(locale="zh-CN", **more)
    if name != NOBODY:
        cookie = signed_in(demo, name).get_cookie("shaoji")
        assert cookie
        context.add_cookies([{"name": "shaoji", "value": cookie.value, "url": address}])
    yield context.new_page()
    context.close()
