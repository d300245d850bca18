"""The command line of notices: what waits, what failed and why, and a message to try a channel."""

from typing import Any

import click

from audit.encoding import timestamp
from engine import news, notice_board, notice_queue
from engine.accounts import find_account
from engine.database import reading
from engine.errors import BadInput
from engine.notice_queue import OPEN, Message
from web.channels import channels
from web.notifying import send_waiting
from web.shell import Shell, json_option, print_json


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def notices(ctx: click.Context, as_json: bool) -> None:
    """通知：在等的、没发成的和原因 / notices: what waits, what failed, and why."""
    if ctx.invoked_subcommand is not None:
        return
    told = standing(ctx.obj)
    if as_json:
        print_json(told)
        return
    for sentence in _sentences(told):
        click.echo(sentence)


@notices.command("test")
@click.argument("account")
@click.option("--channel", help="只试这个渠道 / this channel alone")
@json_option
@click.pass_obj
def try_out(shell: Shell, account: str, channel: str | None, as_json: bool) -> None:
    """给一个账号已确认的地址试发一条 / send a test message to an account's confirmed addresses."""
    made = channels(shell.settings)
    usable = sorted(made.outlets.channels) if channel is None else [channel]
    sent = _queue_tests(shell, account, [name for name in usable if name in made.senders])
    for name in sent:
        send_waiting(shell.engine, made, name, clock=shell.now)
    with shell.reader.begin() as conn:
        found = [notice_queue.find(conn, id_) for id_ in sent.values()]
    told = [_told(message) for message in found if message]
    if as_json:
        print_json(told)
        return
    for row in told:
        why = f"  {row['why']}" if row["why"] else ""
        click.echo(f"{row['channel']}  {row['state']}{why}")


def _queue_tests(shell: Shell, account: str, usable: list[str]) -> dict[str, str]:
    """Channel -> id of the test message put on its way there."""
    with shell.engine.begin() as conn:
        person = find_account(conn, account).person
        known = notice_board.reachable_by(conn, person)
        sent = {
            name: notice_board.try_out(conn, person, name, at=shell.now())
            for name in usable
            if name in known
        }
    if not sent:
        raise BadInput(
            "没有可试的渠道：要先在设置里配好渠道，本人再到“我的－通知”里填写并确认地址。",
            "No channel to try: configure one, and let the person confirm an address first.",
        )
    return sent


def tell_and_send(shell: Shell) -> tuple[int, int, list[str]]:
    """Work out and send everything that is due now: (notices, messages sent, what could not be)."""
    made = channels(shell.settings)
    told, stuck = notice_board.tell(shell.engine, made.outlets, at=shell.now())
    sent = sum(send_waiting(shell.engine, made, name, clock=shell.now) for name in made.senders)
    with shell.engine.begin() as conn:
        notice_board.sweep(conn, at=shell.now())
    return told, sent, stuck


def standing(shell: Shell) -> dict[str, Any]:
    """How notices stand: {channels, untold, counts, waiting, troubled}."""
    made = channels(shell.settings)
    with reading(shell.engine).begin() as conn:
        return {
            "channels": sorted(made.senders),
            "untold": news.count(conn),
            "counts": notice_queue.counts(conn),
            "waiting": [_told(one) for one in notice_queue.listed(conn, OPEN)],
            "troubled": [_told(one) for one in notice_queue.troubled(conn)],
        }


def _told(message: Message) -> dict[str, Any]:
    why = f"{message.chinese} / {message.english}" if message.chinese else ""
    return {
        "id": message.id,
        "person": message.person,
        "channel": message.channel,
        "kind": message.kind,
        "state": message.state,
        "since": timestamp(message.since),
        "due": timestamp(message.due),
        "attempts": message.attempts,
        "why": why,
    }


def _sentences(told: dict[str, Any]) -> list[str]:
    names = "、".join(told["channels"]) or "没有配置，通知只在网页上看 / none: on the pages alone"
    lines = [f"渠道 / channels: {names}", f"还没分发的记录 / news not worked out: {told['untold']}"]
    for channel, states in told["counts"].items():
        counted = "  ".join(f"{state} {n}" for state, n in states.items())
        lines.append(f"{channel}: {counted}")
    return [*lines, *map(_trouble, told["troubled"])]


def _trouble(row: dict[str, Any]) -> str:
    told = (row[name] for name in ("id", "channel", "person", "state", "attempts", "why"))
    return "  " + "  ".join(map(str, told))
