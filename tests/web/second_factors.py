"""Authenticators for the people of the tests: whoever has to enrol one does, at first sign-in.

`Phone` is one person's app and recovery codes; `phone` finds it again, however often they sign in.
A test's clock may stand still: a code not used yet is that of this step, then that of the next,
which is let pass, and after those a recovery code is taken. Never that of the step before: where
a clock goes, it may be two steps old when it arrives.
"""

import html
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from flask import Flask
from pyotp import TOTP

EXTENSION = "tests.phones"
STEP = timedelta(seconds=30)


@dataclass
class Phone:
    """An authenticator app, which codes of it were used, and the recovery codes left."""

    secret: str = ""
    codes: list[str] = field(default_factory=list)
    used: int = 0

    def code(self, at: datetime) -> str:
        """A code nobody has used yet."""
        app = TOTP(self.secret)
        for drift in (0 * STEP, STEP):
            if (step := app.timecode(at + drift)) > self.used:
                self.used = step
                return app.at(at + drift)
        return self.codes.pop()


def phone(app: Flask, name: str) -> Phone:
    """The telephone of this person at this application."""
    found: Phone = app.extensions.setdefault(EXTENSION, {}).setdefault(name, Phone())
    return found


def device_at(app: Flask) -> datetime:
    """The instant by which telephones go there."""
    found: datetime = app.extensions["shaoji"].device_clock()
    return found


def secret_on(page: str) -> str:
    """The key told in groups on a page that offers an app."""
    told = re.search(r'class="secret"[^>]*>(.*?)</p>', page, re.DOTALL)
    assert told, page
    return "".join(re.findall(r"<span>([A-Z2-7]{4})</span>", told[1]))


def codes_on(page: str) -> list[str]:
    """The recovery codes on a page that shows them."""
    told = re.findall(r"<li>([2-9A-Z]{5}-[2-9A-Z]{5})</li>", html.unescape(page))
    assert len(told) == 10, page
    return told
