"""Refusals: each one a sentence fit to show a person, Chinese first, English beside it."""


class Refusal(Exception):
    """The act is refused and nothing was written; the sentence says what to do instead."""

    def __init__(self, chinese: str, english: str) -> None:
        super().__init__(chinese)
        self.chinese = chinese
        self.english = english


class NotFound(Refusal):
    """There is no such case, task, person or file."""


class NotAllowed(Refusal):
    """This person may not do or see this now."""


class BadInput(Refusal):
    """What was sent cannot be understood or breaks a stated rule of form."""


class Conflict(Refusal):
    """The thing has changed meanwhile, or somebody else was faster."""
