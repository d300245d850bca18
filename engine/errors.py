"""Refusals: each one a sentence fit to show a person, Chinese first, English beside it."""

import traceback
from pathlib import Path


class Refusal(Exception):
    """The act is refused and nothing was written; the sentence says what to do instead."""

    def __init__(self, chinese: str, english: str) -> None:
        super().__init__(chinese)
        self.chinese = chinese
        self.english = english


def named(error: BaseException) -> str:
    """A fault of ours by its type and place: its own words may repeat what somebody wrote."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}{where}"


class NotFound(Refusal):
    """There is no such case, task, person or file."""


class NotAllowed(Refusal):
    """This person may not do or see this now."""


class BadInput(Refusal):
    """What was sent cannot be understood or breaks a stated rule of form."""


class Conflict(Refusal):
    """The thing has changed meanwhile, or somebody else was faster."""
