"""What people do on a street all day, as a browser sends it: the load of `benchmarks/soak.py`.

Each browser does one errand after the other as some account of the demonstration, drawn by weight,
and sends no more requests than its pace allows. A hazard goes through its ten human steps, three
rounds of rectifying with photos among them. What is answered otherwise than it should be is kept
as a surprise; what was acknowledged is kept, to be looked for in the log.
"""

import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.client import HTTPException
from typing import Any
from urllib.parse import quote, urlencode

from benchmarks.serving import FORM, Answer, Client
from benchmarks.steps import steps_of_a_case
from tests.pictures import jpeg, scaled, scene
from web.demo.town import PASSWORD
from web.quantities import ZONE

# Who takes which step; every one of them has an account of that name in the demonstration.
TAKES = {
    "confirm": "community", "dispatch": "dispatch", "rectify": "property", "accept": "accept",
    "close": "close",
}  # fmt: skip
SIGNED_IN = (*TAKES.values(), "grid", "supervise", "leader", "patrol", "honest")
PLACE, FIRM = "u-tingtao-g1", "u-lanan"
CATEGORIES = ("charging", "corridor", "gas", "falling", "road", "other")
INBOX = ("", "/claimable", "/overdue", "/started", "/done", "/orders", "/requests")
SEARCHES = (
    "/cases", "/cases?text=飞线", "/cases?text=没有这样的地方", "/cases?status=overdue",
    "/cases?status=closed&category=gas", "/acts", "/acts?late=1", "/acts?kind=returned", "/people",
)  # fmt: skip
FIGURES = (
    "/metrics", "/metrics?by=community", "/metrics?by=unit", "/metrics?by=grid",
    "/metrics/rectified_of_due", "/period", "/flow", "/index", "/signals", "/warnings", "/board",
    "/board?state=late",
)  # fmt: skip
OPEN_TO_ALL = (
    "/public", "/public/hazards", "/public.json", "/receipt", "/complain", "/sign-in", "/healthz",
    "/readyz", "/static/shaoji.css",
)  # fmt: skip
# So many cases are under way at most; beyond, steps are done instead of reports.
UNDER_WAY = 60
PHOTOS = 8
BOUNDARY = "soak-7f3a"
REPORT_SECONDS = 120


@dataclass(slots=True)
class Case:
    """A hazard under way: what is to be done next in it."""

    id: str
    ahead: Iterator[tuple[str, str, dict[str, Any], tuple[str, ...]]]


@dataclass(slots=True)
class Day:
    """What all browsers share; person: who has which duty, as `steps_of_a_case` asks."""

    port: int
    person: dict[str, str]
    clock: Callable[[], datetime]
    seconds_a_request: float
    known: list[str]
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    open: list[Case] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    steps: list[tuple[str, str]] = field(default_factory=list)
    reports: list[str] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    spent: list[float] = field(default_factory=list)
    photos: list[bytes] = field(default_factory=list)

    def draw_photos(self) -> None:
        """A few photos; each time one is sent it is told apart by a comment in it."""
        self.photos = [jpeg(scaled(scene(f"soak {n}"), 60), 70) for n in range(PHOTOS)]

    def photo(self, chance: random.Random) -> bytes:
        told = b"soak %d" % chance.getrandbits(64)
        comment = b"\xff\xfe" + (len(told) + 2).to_bytes(2, "big") + told
        drawn = chance.choice(self.photos)
        return drawn[:2] + comment + drawn[2:]


class Browser:
    """One of them: a connection, and a cookie jar for each account that signed in on it."""

    def __init__(self, day: Day, number: int) -> None:
        self.day = day
        self.chance = random.Random(f"soak {number}")
        self.client = Client(day.port)
        self.jars: dict[str, dict[str, str]] = {}
        self.next_at = time.monotonic()

    def run(self) -> None:
        """Errands until the day is over."""
        errands, weights = zip(*ERRANDS.items(), strict=True)
        while not self.day.stop.is_set():
            errand = self.chance.choices(errands, weights)[0]
            try:
                errand(self)
            except (OSError, HTTPException, Unexpected) as fault:
                self.client.wire.close()
                self.day.surprises.append(f"{errand.__name__}: {type(fault).__name__} {fault}")

    # --- asking -----------------------------------------------------------------------------------

    def ask(
        self, method: str, path: str, body: str | bytes | None = None, media: str = FORM,
        *, gives: Iterable[int] = (200,),
    ) -> Answer:  # fmt: skip
        """Send in its turn; raises Unexpected for another status than one that it should give."""
        pace = self.day.seconds_a_request * self.chance.uniform(0.5, 1.5)
        self.next_at = max(time.monotonic(), self.next_at + pace)
        time.sleep(max(0.0, self.next_at - time.monotonic()))
        begun = time.perf_counter()
        answer = self.client.send(
            method, quote(path, safe="/?=&#%").replace("#", "%23"), body, media
        )
        self.day.spent.append(1000 * (time.perf_counter() - begun))
        self.day.asked[f"{method} /{re.split('[/?.]', path)[1]} {answer.status}"] += 1
        if answer.status not in gives:
            raise Unexpected(f"{method} {path}: {answer.status} {answer.location}")
        return answer

    def post(self, path: str, told: list[tuple[str, str]], **how: Any) -> Answer:
        return self.ask("POST", path, urlencode(told), **how)

    def sit(self, account: str) -> None:
        """Go on as this account; "" = as nobody."""
        if not account or account in self.jars:
            self.client.cookies = self.jars.setdefault(account, {})
            return
        self.client.cookies = {}
        token = _token(self.ask("GET", "/sign-in"))
        told = [("name", account), ("password", PASSWORD), ("csrf_token", token)]
        self.post("/sign-in", told, gives=(303,))
        self.jars[account] = self.client.cookies

    # --- errands ----------------------------------------------------------------------------------

    def look_into_inbox(self) -> None:
        self.sit(self.chance.choice(SIGNED_IN))
        self.ask("GET", f"/inbox{self.chance.choice(INBOX)}")

    def look_at_case(self) -> None:
        self.sit("supervise")
        case = self.chance.choice(self.day.known)
        page = self.ask("GET", f"/cases/{case}").text
        shots = re.findall(r'src="(/cases/[^"]+/thumbnail)"', page)
        if shots:
            self.ask("GET", self.chance.choice(shots))
        if self.chance.random() < 0.2:
            # It leaves the house: without a fresh confirmation one is asked for it first.
            self.ask("GET", f"/cases/{case}/record.json", gives=(200, 303))

    def search(self) -> None:
        self.sit("supervise")
        self.ask("GET", self.chance.choice(SEARCHES))

    def read_figures(self) -> None:
        self.sit("supervise")
        self.ask("GET", self.chance.choice(FIGURES))

    def be_nobody(self) -> None:
        self.sit("")
        self.ask("GET", self.chance.choice(OPEN_TO_ALL))

    def report(self) -> None:
        """Open a hazard; of three, one comes with a photo."""
        if len(self.day.open) >= UNDER_WAY:
            self.do_step()
            return
        self.sit("grid")
        token, number = _token(self.ask("GET", "/reports")), self.chance.getrandbits(48)
        told = [
            ("csrf_token", token), ("key", f"soak-{number:x}"), ("place_unit", PLACE),
            ("title", f"浸泡试验 {number:x}（演示）"), ("category", self.chance.choice(CATEGORIES)),
            ("address", f"听涛苑 {number % 30} 幢"), ("description", "有人从楼上拉线充电"),
        ]  # fmt: skip
        files = ["before"] if number % 3 == 0 else []
        went = self._send_form("/reports", told, files)
        case = went.location.rpartition("/")[2]
        ahead = iter(steps_of_a_case(self.day))
        with self.day.lock:
            self.day.opened.append(case)
            self.day.known.append(case)
            self.day.open.append(Case(case, ahead))
        self.ask("GET", went.location)

    def do_step(self) -> None:
        """The next step of some case, as whoever takes it; one of ten is sent wrongly first."""
        with self.day.lock:
            if not self.day.open:
                return
            case = self.day.open.pop(self.chance.randrange(len(self.day.open)))
        step = next(case.ahead, None)
        if step is None:
            return
        task, who, form, purposes = step
        self.sit(TAKES[who])
        address = f"/cases/{case.id}/tasks/{task}"
        token = _token(self.ask("GET", address))
        told = [("csrf_token", token), ("key", f"soak-{case.id}-{task}"), *self._posted(form)]
        if self.chance.random() < 0.1:
            self._send_form(f"{address}/completion", told[:2], [], gives=(422,))
        went = self._send_form(f"{address}/completion", told, purposes)
        with self.day.lock:
            self.day.steps.append((case.id, task))
            self.day.open.append(case)
        self.ask("GET", went.location)

    def sign_in_and_out(self) -> None:
        account = self.chance.choice(SIGNED_IN)
        kept = self.jars.pop(account, None)
        self.client.wire.close()
        self.sit(account)
        token = _token(self.ask("GET", "/inbox"))
        self.post("/sign-out", [("csrf_token", token)], gives=(303,))
        self.jars.pop(account)
        if kept is not None:
            self.jars[account] = kept

    def go_wrong(self) -> None:
        """What nobody should be given."""
        self.sit("grid")
        which = self.chance.randrange(5)
        if which == 0:
            self.ask("GET", f"/cases/hazard-2026-{self.chance.randrange(10**7)}", gives=(404,))
        elif which == 1:
            self.ask("GET", f"/nowhere/{self.chance.getrandbits(32)}", gives=(404,))
        elif which == 2:
            self.post("/reports", [("csrf_token", "forged"), ("title", "x")], gives=(400,))
        elif which == 3:
            self.ask("GET", "/admin/people", gives=(403,))
        else:
            token = _token(self.ask("GET", "/reports"))
            self.post("/reports", [("csrf_token", token), ("title", "只有题目")], gives=(422,))

    def mistype_password(self) -> None:
        """A name that is nobody's; seldom, since thirty in a quarter of an hour close the door."""
        self.sit("")
        token = _token(self.ask("GET", "/sign-in"))
        told = [("name", "nobody"), ("password", "wrong"), ("csrf_token", token)]
        self.post("/sign-in", told, gives=(403,))

    def export(self) -> None:
        """A case's report, as PDF or Excel, waited for and fetched."""
        self.sit("supervise")
        case = self.chance.choice(self.day.known)
        token = _token(self.ask("GET", f"/cases/{case}"))
        told = [
            ("csrf_token", token), ("key", f"soak-{self.chance.getrandbits(48):x}"),
            ("purpose", "浸泡试验"), ("format", self.chance.choice(("pdf", "pdf", "xlsx"))),
            ("confirming", "yes"), ("password", PASSWORD),
        ]  # fmt: skip
        page = self.post(f"/cases/{case}/exports", told, gives=(303,)).location
        since = time.monotonic()
        while f'{page}/file"' not in self.ask("GET", page).text:
            if self.day.stop.is_set():
                return
            if time.monotonic() > since + REPORT_SECONDS:
                raise Unexpected(f"{page}: not made in {REPORT_SECONDS} s")
        self.ask("GET", f"{page}/file")
        self.day.reports.append(case)

    # --- forms ------------------------------------------------------------------------------------

    def _send_form(
        self, path: str, told: list[tuple[str, str]], purposes: Iterable[str],
        gives: Iterable[int] = (303,),
    ) -> Answer:  # fmt: skip
        parts = [_part(f'name="{name}"', value.encode()) for name, value in told]
        for purpose in purposes:
            named = f'name="evidence_{purpose}"; filename="p.jpg"\r\nContent-Type: image/jpeg'
            parts.append(_part(named, self.day.photo(self.chance)))
        body = b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
        return self.ask(
            "POST", path, body, f"multipart/form-data; boundary={BOUNDARY}", gives=gives
        )

    def _posted(self, form: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """Answers as a page posts them; whatever happened, happened a minute ago."""
        then = (self.day.clock() - timedelta(minutes=1)).astimezone(ZONE)
        for name, value in form.items():
            if name.endswith("_at"):
                yield f"{name}.day", f"{then.month}月{then.day}日"
                yield f"{name}.time", f"{then:%H:%M}"
            elif name == "unit":
                yield name, FIRM
            elif isinstance(value, list):
                yield from ((name, one) for one in value)
            elif value is not False:
                yield name, "true" if value is True else str(value)


class Unexpected(Exception):
    """Another answer than there should be."""


# How often each is drawn.
ERRANDS: dict[Callable[[Browser], None], float] = {
    Browser.look_into_inbox: 26,
    Browser.do_step: 32,
    Browser.look_at_case: 12,
    Browser.search: 9,
    Browser.read_figures: 7,
    Browser.be_nobody: 5,
    Browser.report: 4,
    Browser.sign_in_and_out: 2,
    Browser.go_wrong: 2.5,
    Browser.export: 0.4,
    Browser.mistype_password: 0.1,
}


def _token(page: Answer) -> str:
    told = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    if told is None:
        raise Unexpected("a page without its token")
    return told[1]


def _part(named: str, content: bytes) -> bytes:
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; {named}\r\n\r\n"
    return head.encode() + content + b"\r\n"
