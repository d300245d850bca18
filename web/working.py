"""The worker of an installation: what it does, and doing it until it is told to stop."""

from dataclasses import replace
from datetime import timedelta
from threading import Event

import click

from engine.keys import policy_of
from engine.vault import Vault
from web import logs, telemetry
from web.anchors import anchors
from web.background import Chores, run_worker, start_beside
from web.channels import channels
from web.config import Settings
from web.heartbeat import start_heartbeat
from web.press import start_reports
from web.processes import at_the_end
from web.replica import check_usable
from web.shell import Shell


def chores_of(settings: Settings, held: Vault) -> Chores:
    """What a worker of this installation does: anchors are asked anew, the policy may grow."""
    return Chores(
        held,
        timedelta(days=settings.retention_days),
        settings.keys,
        lambda: anchors(settings, policy_of(settings.keys)),
        channels(settings),
        settings.evidence_dir,
    )


def work(shell: Shell) -> None:
    """Do what is due until SIGTERM."""
    # The press would find out in a process of its own, again and again.
    check_usable(shell.settings, shell.engine)
    logs.set_up(shell.settings.log)
    spans = telemetry.begin(shell.settings)
    stop = Event()
    at_the_end(lambda *_: stop.set())
    turns, heart = start_heartbeat(
        shell.engine, stop, shell.settings, kind="worker", clock=shell.now
    )
    chores = replace(chores_of(shell.settings, shell.vault), turns=turns, spans=spans)
    start_beside(shell.engine, stop, shell.now, chores)
    reports = start_reports(shell.engine, stop, settings=shell.settings, clock=shell.now)
    try:
        run_worker(shell.engine, stop, clock=shell.now, chores=chores, tell=click.echo)
    finally:
        stop.set()
        reports.join()
        heart.join()
        spans.stop()
