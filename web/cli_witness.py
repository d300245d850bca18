"""The command line of witnesses: being one for others, and how far our own heads have come."""

import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from audit.encoding import instant, timestamp
from audit.note import ED25519, NotANote, Signer, VerifierKey, read_vkey
from audit.policy import Policy, has_quorum, witnessed
from audit.sequence import latest as latest_checkpoint
from audit.sequence import timestamps
from audit.timestamp import NotStamped, check_stamp, read_stamp
from engine import anchoring
from engine import witnessed as seen
from engine.checkpoint_files import files
from engine.errors import BadInput
from engine.keys import make_witness_key, open_witness, policy_of
from web.anchors import anchors as anchors_by
from web.shell import Shell, json_option, now_utc, print_json

state_option = click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    help="密钥和所见检查点的目录，默认为密钥目录 / folder of the key and of what was seen",
)


@click.group(invoke_without_command=True)
@state_option
@click.option("--name", help="见证方名字，如 district.example/witness，定了不改 / for ever")
@click.option("--log", "logs", multiple=True, help="所见证的日志的公钥，可多个 / keys of the logs")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8100, show_default=True)
@click.pass_context
def witness(
    ctx: click.Context,
    state: Path | None,
    name: str | None,
    logs: tuple[str, ...],
    host: str,
    port: int,
) -> None:
    """替别的单位见证日志 / witness the logs of others."""
    if ctx.invoked_subcommand is None:
        keys = [_log_key(vkey) for vkey in logs]
        if not keys:
            raise BadInput(
                "请用 --log 写上所见证日志的公钥，对方执行 shaoji keys show 可以看到。",
                "Say with --log which keys to believe; the other side sees its own with "
                "`shaoji keys show`.",
            )
        folder = _folder(ctx.obj, state)
        signer = make_witness_key(folder, name) if name else open_witness(folder)
        _serve(folder, signer, keys, host, port)


def _folder(shell: Shell, state: Path | None) -> Path:
    return state or shell.settings.keys.folder


def _log_key(vkey: str) -> VerifierKey:
    try:
        key = read_vkey(vkey.strip())
    except NotANote:
        key = None
    if key is None or key.type != ED25519:
        raise BadInput(
            f"这不是日志的公钥：{vkey}。应整行抄下，形如 名字+编号+一串字母。",
            f"This is no log's key: {vkey}. Copy the whole line, name+id+letters.",
        )
    return key


def _serve(folder: Path, signer: Signer, keys: list[VerifierKey], host: str, port: int) -> None:
    import waitress

    from web.witness import create_witness

    app = create_witness(seen.open_store(folder), signer, keys, now_utc)
    click.echo("见证方公钥，交给日志所属单位 / our key, for those whose log it is")
    click.echo(signer.key.vkey)
    for key in keys:
        click.echo(f"见证 / watching  {key.name}")
    # Listening before it is said; a host with several addresses has one port for all of them.
    server = waitress.create_server(app, host=host, port=port, threads=4, ident=None)
    bound = getattr(server, "effective_port", port)
    click.echo(f"http://{host}:{bound}  (Ctrl+C 结束 / to stop)")
    server.run()


@witness.command()
@state_option
@json_option
@click.pass_obj
def show(shell: Shell, state: Path | None, as_json: bool) -> None:
    """见证过什么，有没有分叉；有分叉时以状态 1 结束 / what was seen; exit status 1 for a fork."""
    told = _seen(_folder(shell, state))
    if as_json:
        print_json(told)
    else:
        for line in _seen_lines(told):
            click.echo(line)
    if any(log["forks"] for log in told["logs"]):
        sys.exit(1)


def _seen(folder: Path) -> dict[str, Any]:
    key = open_witness(folder).key
    store = seen.open_store(folder)
    with store.begin() as conn:
        logs = [_one_log(conn, origin) for origin in seen.origins(conn)]
    store.dispose()
    return {"name": key.name, "vkey": key.vkey, "logs": logs}


def _one_log(conn: Any, origin: str) -> dict[str, Any]:
    last = seen.latest(conn, origin)
    found = seen.evidence(conn, origin)
    return {
        "origin": origin,
        "size": last.checkpoint.size if last else 0,
        "root": last.checkpoint.root.hex() if last else None,
        "at": _told_at(last.at) if last else None,
        "forks": [_contradiction(one) for one in found if one.fork],
        "unproved": [
            _contradiction(one) for one in found if not one.fork and one.settled_at is None
        ],
    }


def _contradiction(one: seen.Evidence) -> dict[str, str]:
    told = {"known": one.known.data.decode(), "told": one.told.data.decode()}
    return {"at": _told_at(one.at), "why": one.why, **told}


def _told_at(at: int) -> str:
    return timestamp(seen.told_at(at))


def _seen_lines(told: Mapping[str, Any]) -> list[str]:
    lines = [f"见证方 {told['name']} / witness", told["vkey"]]
    for log in told["logs"]:
        lines.append(f"{log['origin']}  {log['size']} 条 / leaves  {log['at']}")
        lines.append(f"  {log['root']}")
        for fork in log["forks"]:
            lines += [
                f"  分叉，{fork['at']} 收到，两份检查点不可能都真 / a fork: both cannot be true",
                fork["known"],
                fork["told"],
            ]
        lines += [
            f"  {one['at']} 送来的检查点没有成立的证明 / no proof came with it: {one['why']}"
            for one in log["unproved"]
        ]
    return lines


# --- our own heads --------------------------------------------------------------------------------


@click.command()
@click.option("--now", "go_now", is_flag=True, help="马上去送一次 / take the last one there now")
@json_option
@click.pass_obj
def anchors(shell: Shell, go_now: bool, as_json: bool) -> None:
    """检查点送到了哪里：见证、时间戳、每日文件 / where our checkpoints have got to.

    有别处记着另一段历史时以状态 1 结束 / exit status 1 where another history is held elsewhere.
    """
    policy = policy_of(shell.settings.keys)
    where = anchors_by(shell.settings, policy)
    if go_now:
        anchoring.anchor(shell.engine, where, at=now_utc())
    told = _standing(shell, policy, where)
    if as_json:
        print_json(told)
    else:
        for line in _standing_lines(told):
            click.echo(line)
    if any(place["grave"] for place in told["places"]):
        sys.exit(1)


def _standing(shell: Shell, policy: Policy, where: anchoring.Anchors) -> dict[str, Any]:
    # By the clock of those outside, whatever the log of a demonstration goes by.
    now = now_utc()
    with shell.reader.begin() as conn:
        last = latest_checkpoint(conn)
        states = anchoring.states(conn)
        stamps = timestamps(conn, last.checkpoint.size) if last else {}
    places = [
        *(_place(one.name, anchoring.witness_place(one), states, now) for one in where.witnesses),
        *([_place("tsa", anchoring.authority_place(where.tsa_url), states, now)]
          if where.tsa_url else []),
        _place("folder", anchoring.FOLDER_PLACE, states, now),
    ]  # fmt: skip
    told: dict[str, Any] = {"checkpoint": None, "places": places, "file": None}
    if last is not None:
        told["checkpoint"] = {
            "origin": last.checkpoint.origin,
            "size": last.checkpoint.size,
            "root": last.checkpoint.root.hex(),
            "at": last.at,
            "age": _age(instant(last.at), now),
        }
        there = witnessed(last.note, policy)
        told["quorum"] = has_quorum(policy, there)
        told["cosignatures"] = {name: _told_at(at) for name, at in there.items()}
        data = last.note.text.encode()
        told["timestamps"] = [_stamp(token, data, where) for token in stamps.values()]
        kept = files(where.folder, last.checkpoint.origin) if where.folder else []
        told["file"] = str(kept[-1]) if kept else None
    return told


def _place(
    name: str, place: str, states: Mapping[str, anchoring.State], now: datetime
) -> dict[str, Any]:
    state = states.get(place, anchoring.State())
    return {
        "name": name,
        "size": state.size,
        "reached_at": timestamp(state.reached_at) if state.reached_at else None,
        "age": _age(state.reached_at, now) if state.reached_at else None,
        "failures": state.failures,
        "grave": state.grave,
        "chinese": state.chinese,
        "english": state.english,
    }


def _stamp(token: bytes, data: bytes, where: anchoring.Anchors) -> dict[str, Any]:
    """What a token says; `checked` is None where there is no root to check it against."""
    checked, why = None, ""
    try:
        stamp = read_stamp(token)
        if where.roots:
            check_stamp(token, data, where.roots)
            checked = True
    except NotStamped as error:
        return {"authority": None, "at": None, "checked": False, "why": str(error)}
    return {"authority": stamp.authority, "at": timestamp(stamp.at), "checked": checked, "why": why}


def _age(since: datetime, now: datetime) -> int:
    return int((now - since) / timedelta(seconds=1))


def _standing_lines(told: Mapping[str, Any]) -> list[str]:
    checkpoint = told["checkpoint"]
    if checkpoint is None:
        return ["还没有检查点 / no checkpoint yet"]
    lines = [
        f"检查点 {checkpoint['origin']}  {checkpoint['size']} 条 / leaves  {checkpoint['at']}",
        f"  {checkpoint['root']}",
        "见证够了 / quorum met" if told["quorum"] else "见证还不够 / quorum not met",
        *(f"  {name}  {at}" for name, at in told["cosignatures"].items()),
        *(_stamp_line(one) for one in told["timestamps"]),
    ]
    if told["file"]:
        lines.append(f"每日文件 / file of the day  {told['file']}")
    return [*lines, *(line for place in told["places"] for line in _place_lines(place))]


def _stamp_line(one: Mapping[str, Any]) -> str:
    if one["checked"] is False:
        return f"时间戳不成立 / time stamp does not hold: {one['why']}"
    checked = "已核对 / checked" if one["checked"] else "没有根证书，未核对 / not checked"
    return f"时间戳 / time stamp  {one['at']}  {one['authority']}（{checked}）"


def _place_lines(place: Mapping[str, Any]) -> list[str]:
    since = f"{place['age']} 秒前 / s ago" if place["reached_at"] else "从未送到 / never"
    lines = [f"{place['name']}  {place['size']} 条 / leaves  {since}"]
    if place["failures"]:
        mark = "严重 / grave" if place["grave"] else f"{place['failures']} 次没送到 / failed"
        lines.append(f"  {mark}：{place['chinese']}\n  {place['english']}")
    return lines
