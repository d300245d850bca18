"""What is told of finished work for whoever follows it with OpenTelemetry, and nothing more.

A request is known by its rule and its id, a round of the worker by its loop and how much it did, a
command by its name: no person, no case, no address, nothing that was sent. How spans are sent is
not known here (web.otlp).
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Span:
    """One piece of work that is over. began, ended: nanoseconds since 1970, by the wall clock.

    facts: all that is told of it beside its name. answers: somebody asked for it over the network.
    """

    name: str
    facts: Mapping[str, str | int]
    began: int
    ended: int
    failed: bool = False
    answers: bool = False


@dataclass(slots=True)
class Round:
    """One round of a loop while it lasts: how much of what is done, and the type of a fault."""

    done: dict[str, int] = field(default_factory=dict)
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Spans:
    """Where one process tells of its work. tell: None where nobody is told. stop: ends it."""

    tell: Callable[[Span], None] | None = None
    stop: Callable[[], None] = lambda: None

    @contextmanager
    def round(self, loop: str) -> Iterator[Round]:
        """Tell of a round of this loop when it is over; what is raised in it is raised."""
        found, began = Round(), time.time_ns()
        try:
            yield found
        except Exception as error:
            found.fault = type(error).__name__
            raise
        finally:
            if self.tell is not None:
                self.tell(_round(loop, found, began, time.time_ns()))


SILENT: Final = Spans()


def _round(loop: str, found: Round, began: int, ended: int) -> Span:
    facts: dict[str, str | int] = {"shaoji.loop": loop}
    facts |= {f"shaoji.done.{what}": count for what, count in found.done.items()}
    if found.fault:
        facts["error.type"] = found.fault
    return Span(f"round {loop}", facts, began, ended, failed=bool(found.fault))


def request(method: str, rule: str, status: int, id_: str, seconds: float) -> Span:
    """A request that is answered now and took so long. rule: "-" where no address was meant."""
    ended = time.time_ns()
    facts: dict[str, str | int] = {
        "http.request.method": method,
        "http.response.status_code": status,
        "shaoji.request.id": id_,
    }
    if rule != "-":
        facts["http.route"] = rule
    name = method if rule == "-" else f"{method} {rule}"
    # A refusal is no fault of ours.
    failed = status >= 500
    return Span(name, facts, ended - int(seconds * 1e9), ended, failed=failed, answers=True)


def command(name: str, status: int, began: int) -> Span:
    """A command of the command line that ends now with this exit status."""
    facts: dict[str, str | int] = {"shaoji.command": name, "process.exit.code": status}
    return Span(f"shaoji {name}", facts, began, time.time_ns(), failed=status != 0)
