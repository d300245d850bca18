"""Programs that report and do steps over keep-alive connections, and keep what was acknowledged."""

import http.client
import json
import time
from dataclasses import dataclass, field
from threading import Event
from typing import Any
from urllib.parse import quote

from tests.web.paths import CONFIRMED, REPORT


@dataclass
class Client:
    """Reports a case and does its first step, again and again, as two persons.

    What is not answered is sent again under the same key, as a browser and a program do. keys: of
    acts begun. acknowledged: (case, act).
    """

    name: str
    port: int
    tokens: dict[str, str]
    acknowledged: list[tuple[str, str]] = field(default_factory=list)
    again: int = 0
    slowest: float = 0.0
    refused: list[str] = field(default_factory=list)
    connection: http.client.HTTPConnection | None = None

    def work(self, stop: Event) -> None:
        """Until `stop` is set, or something is refused."""
        try:
            self._work(stop)
        finally:
            if self.connection is not None:
                self.connection.close()

    def _work(self, stop: Event) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            told = {"process": "hazard", "place": "u-micro-1", "form": REPORT}
            done = self.act("grid", "/cases", told, f"{self.name}-{number}-report")
            if done is None:
                return
            self.acknowledged.append((done["case"], "report"))
            path = f"/cases/{done['case']}/tasks/{quote('confirm#1', safe='')}/completion"
            if self.act("head", path, {"form": CONFIRMED}, f"{self.name}-{number}-confirm") is None:
                return
            self.acknowledged.append((done["case"], "confirm"))

    def act(self, who: str, path: str, told: Any, key: str) -> Any:
        """What the server answered in the end; None if it refused."""
        began = time.monotonic()
        while True:
            status, answer = self._send(who, path, told, key)
            if status in (200, 201):
                self.slowest = max(self.slowest, time.monotonic() - began)
                return json.loads(answer)
            if status and status < 500:
                self.refused.append(f"{status} {answer.decode()}")
                return None
            self.again += 1
            assert time.monotonic() < began + 60, f"no answer for a minute: {status} {answer!r}"
            time.sleep(0.1)

    def _send(self, who: str, path: str, told: Any, key: str) -> tuple[int, bytes]:
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {
            "Authorization": f"Bearer {self.tokens[who]}",
            "Idempotency-Key": key,
            "Content-Type": "application/json",
        }
        try:
            self.connection.request("POST", f"/api/v1{path}", json.dumps(told), headers)
            answer = self.connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            self.connection = None
            return 0, b""
