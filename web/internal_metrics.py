"""`/internal/metrics`: what Prometheus asks for, told to whoever has the token and nobody else.

Two kinds of value, told apart by the label `scope`: counts of this process (`process`), and what
the log and its tables say, the same from every process (`log`). No person, no case, no unit.
"""

import hmac
import logging
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Final

from flask import Blueprint, Flask, Response, current_app, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import NotFound

from audit.note import NotANote
from engine.backlog import Backlog, read_backlog
from engine.schema import wanted_release
from web.anonymous import guard
from web.api.bearer import CREDENTIALS
from web.config import SHORTEST_KEY, BadSettings, Settings, private_text
from web.exposition import MEDIA, Family, Sample, expose
from web.tallies import Tally
from web.visit import at, house, reads

EXTENSION: Final = "shaoji.internal_metrics"
TALLY: Final = "shaoji.tally"
OF_LOG: Final = {"scope": "log"}

logger = logging.getLogger("shaoji.metrics")
pages = Blueprint("internal_metrics", __name__)
guard(pages)


def init_app(app: Flask, settings: Settings) -> None:
    """Answer to the token of these settings; raises BadSettings for one that is too short."""
    app.extensions[EXTENSION] = _token(settings)


def _token(settings: Settings) -> str:
    if settings.metrics_token is None:
        return ""
    found = private_text(settings.metrics_token)
    if len(found) < SHORTEST_KEY or CREDENTIALS.fullmatch(f"Bearer {found}") is None:
        raise BadSettings(
            f"{settings.metrics_token} 里的令牌不能用：至少 {SHORTEST_KEY} 个字母或数字，不含空白。"
            f" / The token in {settings.metrics_token} cannot be used: at least {SHORTEST_KEY} "
            "letters and digits, no white space."
        )
    return found


@pages.get("/internal/metrics")
def page() -> Response:
    """The counts; 404 where no token is set, 401 for another one."""
    token: str = current_app.extensions[EXTENSION]
    if not token:
        raise NotFound
    sent = CREDENTIALS.fullmatch(request.headers.get("Authorization", ""))
    if sent is None or not hmac.compare_digest(sent[1].encode(), token.encode()):
        return Response(
            "要出示监控令牌 / show the token of SHAOJI_METRICS_TOKEN\n", 401,
            {"WWW-Authenticate": "Bearer"}, mimetype="text/plain",
        )  # fmt: skip
    tally: Tally = current_app.extensions[TALLY]
    return Response(
        expose([*_build(), *tally.families(), *_of_replica(), *_of_log()]),
        headers={"Content-Type": MEDIA},
    )


def _of_replica() -> list[Family]:
    found = house().replica
    return found.families() if found else []


def _build() -> list[Family]:
    labels = {"version": version("shaoji"), "schema": wanted_release(), "scope": "process"}
    return [
        Family(
            "shaoji_build_info", "gauge", "The release of this process and of the tables it wants.",
            (Sample(1, labels),),
        )
    ]  # fmt: skip


def _of_log() -> list[Family]:
    """What the database says, and whether it does: the counts of the process do not need it."""
    try:
        with reads() as conn:
            found = read_backlog(conn, at=at())
    except (SQLAlchemyError, NotANote) as error:
        logger.warning("the backlog cannot be read: %s", type(error).__name__)
        return [_gauge("shaoji_database_up", "Whether the database answered this question.", 0)]
    return [
        _gauge("shaoji_database_up", "Whether the database answered this question.", 1),
        *families_of(found, at()),
    ]


def families_of(found: Backlog, now: datetime) -> list[Family]:
    """What waits, how long, and how much there is. Pure."""
    waiting = {
        "outbox": found.outbox, "checkpoint": found.unsigned, "alarms": found.alarms,
        "case-messages": found.messages, "news": found.news, "notices": found.notices,
        "reports": found.reports,
    }  # fmt: skip
    return [
        Family(
            "shaoji_waiting", "gauge", "How much waits to be done without a person.",
            tuple(Sample(one.count, {"what": what} | OF_LOG) for what, one in waiting.items()),
        ),
        Family(
            "shaoji_waiting_seconds", "gauge", "How long the first of them has waited.",
            tuple(
                Sample(one.age(now).total_seconds(), {"what": what} | OF_LOG)
                for what, one in waiting.items()
            ),
        ),
        _gauge("shaoji_notices_given_up", "Notices no channel took for a day.", found.given_up),
        _gauge("shaoji_log_events", "Events in the log.", found.events),
        _age("shaoji_checkpoint_age_seconds", "Since the last checkpoint was signed.",
             found.signed, now),
        _age("shaoji_metrics_age_seconds", "Since the checkpoint /metrics is counted up to.",
             found.figures, now),
        _gauge("shaoji_open_cases", "Cases with an open step, confidential ones left out.",
               found.open_cases),
        _gauge("shaoji_overdue_steps", "Open steps past their limit, confidential ones left out.",
               found.overdue),
    ]  # fmt: skip


def _gauge(name: str, told: str, value: float) -> Family:
    return Family(name, "gauge", told, (Sample(value, OF_LOG),))


def _age(name: str, told: str, since: datetime | None, now: datetime) -> Family:
    if since is None:
        return Family(name, "gauge", told, ())
    age = max(timedelta(), now - since)
    return Family(name, "gauge", told, (Sample(age.total_seconds(), OF_LOG),))
