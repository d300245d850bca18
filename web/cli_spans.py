"""A span of each command that was run: which one, how it ended, how long it took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import click

from web import spans, telemetry
from web.config import BadSettings
from web.shell import Shell

NAME: Final = "shaoji.command"
# A command waits no longer for a collector.
PATIENCE_SECONDS: Final = 1.0


def note_name(ctx: click.Context, name: str, command: click.Command, rest: list[str]) -> None:
    """Note which command this is going to be, by its own names and nothing that was typed."""
    inner = rest[0] if rest and isinstance(command, click.Group) else ""
    is_known = isinstance(command, click.Group) and inner in command.commands
    ctx.meta[NAME] = f"{name} {inner}" if is_known else name


@contextmanager
def told(ctx: click.Context) -> Iterator[None]:
    """Tell of the command that is run in here once it has ended, in whichever way."""
    began, status = time.time_ns(), 0
    try:
        yield
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise
    except (click.exceptions.Exit, click.ClickException) as end:
        status = end.exit_code
        raise
    except BaseException:
        status = 1
        raise
    finally:
        _tell(ctx, status, began)


def _tell(ctx: click.Context, status: int, began: int) -> None:
    shell, name = ctx.obj, ctx.meta.get(NAME)
    if name is None or not isinstance(shell, Shell) or shell.stays:
        return
    with suppress(BadSettings):  # said by the doctor, whom nothing keeps from looking
        teller = telemetry.begin(shell.settings, patience=PATIENCE_SECONDS)
        if teller.tell is not None:
            teller.tell(spans.command(name, status, began))
        teller.stop()
