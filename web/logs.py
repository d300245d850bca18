"""How this program's own log is written: a line an event, with the id of its request.

Nothing of what people typed gets in. Of an error there is its type and where it happened, never its
words, which may repeat a form or a row; of other people's programs there is what they say before
they fill it in. What is recorded of people is in the record, which is kept and guarded otherwise.
"""

import logging
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

import orjson
from flask import g, has_request_context

JSON: Final = "json"
PLAIN: Final = "plain"
OURS: Final = "shaoji"
REQUESTS: Final = "shaoji.requests"
DEEPEST: Final = 12
_ROOT: Final = Path(__file__).parent.parent


class Lines(logging.Formatter):
    """A line for people to read."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, who, what, and the id of the request."""
        told = facts(record)
        words = [told.pop(name) for name in ("time", "level", "logger", "message")]
        return " ".join([*words, *(f"{name}={value}" for name, value in told.items())])


class JSONLines(logging.Formatter):
    """A JSON object for programs to read."""

    def format(self, record: logging.LogRecord) -> str:
        """The facts of the record, in one line."""
        return orjson.dumps(facts(record)).decode()


def set_up(form: str, out: IO[str] | None = None) -> logging.Handler:
    """Write the log of this process in this form, to standard error unless told otherwise.

    Plain has what somebody should look at; JSON has every request and what the worker did, too.
    """
    for before in [one for one in logging.getLogger().handlers if _is_ours(one)]:
        logging.getLogger().removeHandler(before)
    handler = logging.StreamHandler(out)
    handler.setFormatter(JSONLines() if form == JSON else Lines())
    logging.getLogger().addHandler(handler)
    logging.getLogger(OURS).setLevel(logging.INFO if form == JSON else logging.WARNING)
    # A line for each request that waits for a thread; how long they take, /internal/metrics tells.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    return handler


def _is_ours(handler: logging.Handler) -> bool:
    return isinstance(handler.formatter, Lines | JSONLines)


def facts(record: logging.LogRecord) -> dict[str, Any]:
    """What may be told of a record, in the order in which it is told."""
    ours = record.name.split(".")[0] == OURS
    told: dict[str, Any] = {
        "time": f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": " ".join((record.getMessage() if ours else str(record.msg)).split()),
    }
    if has_request_context() and "request_id" in g:
        told["request"] = g.request_id
    told |= getattr(record, "told", {})
    if record.exc_info and record.exc_info[0] is not None:
        told |= {"error": record.exc_info[0].__name__, "at": where(record.exc_info[2])}
    return told


def where(trace: Any) -> list[str]:
    """The frames an error came through, the innermost last: file, line, function."""
    frames = traceback.extract_tb(trace)[-DEEPEST:]
    return [f"{_short(one.filename)}:{one.lineno} {one.name}" for one in frames]


def _short(name: str) -> str:
    path = Path(name)
    inside = path.is_relative_to(_ROOT) and "site-packages" not in path.parts
    return str(path.relative_to(_ROOT)) if inside else "/".join(path.parts[-2:])
