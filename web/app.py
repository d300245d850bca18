"""Puts the pages together: settings, database, subjects, refusals, headers."""

from collections.abc import Callable
from datetime import datetime, timedelta

from flask import Flask
from flask_wtf.csrf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from engine.database import open_database
from engine.field_key import kept_field_key
from engine.vault_key import open_kept
from web import (
    access,
    act_search,
    admin,
    anonymous,
    batches,
    board,
    cases,
    complaints,
    conduct,
    confirming,
    custody,
    display,
    early_warning,
    evidence,
    feed,
    flow_page,
    followed,
    frame,
    hazard_publication,
    headers,
    health,
    inbox,
    index_page,
    intake,
    internal_metrics,
    kept_receipts,
    looks,
    mailboxes,
    metrics_page,
    notices,
    offline,
    own_sign_in,
    people,
    period_page,
    place_sheets,
    provider_sign_in,
    publication,
    publication_sheet,
    receipts,
    refusals,
    replica,
    report_jobs,
    reporting,
    request_log,
    residents,
    risk_page,
    saved_filters,
    sealed,
    second_factor,
    seeing,
    sign_ins,
    signal_queue,
    signin,
    special_reports,
    tasks,
    texts,
    tokens,
    verifying,
    whistles,
)
from web.api import document
from web.common import Common
from web.config import Settings
from web.replica import open_replica
from web.spans import SILENT, Spans
from web.visit import COOKIE_LENGTH, EXTENSION, House, put_down, utc_now

# Eight photos of 15 MB and a document; each file has its own limit in engine.uploads.
LARGEST_REQUEST = 150 * 1024 * 1024
SUBJECTS = (
    signin, inbox, tasks, cases, reporting, evidence, receipts, people, display,
    complaints, mailboxes, publication, intake, sealed, custody, whistles, board, verifying,
    kept_receipts, report_jobs, residents, followed, place_sheets, hazard_publication,
    offline, notices, feed, act_search, saved_filters, signal_queue, metrics_page, early_warning,
    index_page, flow_page,
    admin, tokens,
    access, conduct, batches, risk_page, special_reports, period_page, publication_sheet,
    second_factor, confirming, own_sign_in, sign_ins,
    health, internal_metrics,
)  # fmt: skip


def create_app(
    settings: Settings,
    *,
    clock: Callable[[], datetime] = utc_now,
    device_clock: Callable[[], datetime] | None = None,
    common: Common | None = None,
    spans: Spans = SILENT,
) -> Flask:
    """The application for these settings; `clock` gives an aware UTC instant, once per request.

    device_clock: the clock telephones go by, where that is another one: in the demonstration.
    common: what it counts together with other processes. spans: where it tells of its requests.
    """
    common = common or Common.of(1)
    app = document.application("web")
    _configure(app, settings)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    database = open_database(settings.database_url)
    app.extensions[EXTENSION] = House(
        settings, database, clock, open_kept(*settings.vault), device_clock or clock,
        kept_field_key(settings.field), open_replica(settings, database, common.replica_reads),
    )  # fmt: skip
    if settings.proxies:
        count = settings.proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, count, count, count)  # type: ignore[method-assign]
    # No view of ours is a coroutine: Flask would look fifteen times a request.
    app.ensure_sync = lambda func: func  # type: ignore[method-assign]
    app.teardown_request(put_down)
    request_log.init_app(app, common.tally, spans)
    texts.init_app(app)
    forgery = CSRFProtect(app)
    for subject in (complaints, mailboxes, residents, followed):
        forgery.exempt(subject.pages)  # nobody is recognised there: see web.anonymous
    for operations in document.SUBJECTS:
        forgery.exempt(operations)  # no cookie counts there: see web.api.bearer
    anonymous.init_app(app, common.doors)
    signin.init_app(app)
    document.init_app(app)
    seeing.init_app(app)
    kept_receipts.init_app(app)
    offline.init_app(app)
    looks.init_app(app)
    health.init_app(app, settings)
    internal_metrics.init_app(app, settings)
    for subject in SUBJECTS:
        app.register_blueprint(subject.pages)
    provider_sign_in.init_app(app, settings)
    refusals.init_app(app)
    replica.init_app(app)
    headers.init_app(app, settings)
    frame.init_app(app)
    return app


def _configure(app: Flask, settings: Settings) -> None:
    """The cookie, the largest request, how long what never changes may be kept."""
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SESSION_COOKIE_NAME="shaoji",
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SECURE=settings.cookie_secure,
        PERMANENT_SESSION_LIFETIME=COOKIE_LENGTH,
        # The cookie is written where it changed, and only there: a script's question that was on
        # its way while somebody chose large type, or signed in, would bring the old one back.
        SESSION_REFRESH_EACH_REQUEST=False,
        MAX_CONTENT_LENGTH=LARGEST_REQUEST,
        # A long form may lie open over lunch: its token lives as long as the session does.
        WTF_CSRF_TIME_LIMIT=None,
        SEND_FILE_MAX_AGE_DEFAULT=timedelta(days=365),
    )
