"""Checks of the keys: there, their owner's alone, and those this log was signed with."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from audit.note import BadSignature, Note
from audit.policy import signers
from engine.checkup import Finding, Words, fails, holds, look
from engine.errors import Refusal
from engine.field_key import held_field_key
from engine.key_files import is_device
from engine.keys import Keys, Places, open_keys
from engine.second_factor import readable
from engine.vault import is_locked_with
from engine.vault_key import held_keys


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """The keys as this process may open them, or why they cannot be opened.

    there: which of checkpoint, receipt, seal there is a file or a device for.
    """

    places: Places
    there: frozenset[str]
    keys: Keys | None
    refused: Words | None = None


@dataclass(frozen=True, slots=True)
class Locked:
    """Whether a key opens what was locked with it.

    path: its file. there: the file is there. kept, opened: how much is locked, and how much of it
    this key opens. refused: why the file cannot be used.
    """

    path: Path
    there: bool
    kept: int = 0
    opened: int = 0
    refused: Words | None = None


def read_keys(places: Places, origin: str) -> KeyFacts:
    """The log's keys; makes none."""
    named = {"checkpoint": places.checkpoint, "receipt": places.receipt, "seal": places.seal}
    there = frozenset(
        what for what, place in named.items() if is_device(place) or Path(place).exists()
    )
    try:
        return KeyFacts(places, there, open_keys(places, origin))
    except Refusal as refusal:
        return KeyFacts(places, there, None, (refusal.chinese, refusal.english))


def read_vault(url: str, path: Path) -> Locked:
    """Whether the vault is locked with the key in this file; makes neither."""
    try:
        keys = held_keys(path)
        # No key opens a vault whose own is not there; is there one at all?
        locked = [is_locked_with(url, key) for key in keys or [b""]]
    except Refusal as refusal:
        return Locked(path, True, refused=(refusal.chinese, refusal.english))
    kept = int(locked[0] is not None)
    return Locked(path, bool(keys), kept, int(any(locked)))


def read_field(conn: Connection, path: Path) -> Locked:
    """Whether the second factors that are kept are locked with the key in this file."""
    if not path.exists():
        return Locked(path, False, readable(conn, b"\0" * 32)[0])
    try:
        return Locked(path, True, *readable(conn, held_field_key(path)))
    except Refusal as refusal:
        return Locked(path, True, refused=(refusal.chinese, refusal.english))


def check_keys(facts: KeyFacts, last: Note | None) -> list[Finding]:
    """The keys, one line each, and whether the last checkpoint is signed by one we believe."""
    if facts.keys is None:
        return [fails("keys", *_refused(facts.refused))]
    held = {
        "checkpoint": facts.keys.checkpoint,
        "receipt": facts.keys.receipt,
        "seal": facts.keys.seal,
    }
    lines = [_key(facts, what, held[what] is not None) for what in held]
    return [*lines, check_signed(facts.keys, last)]


def check_signed(keys: Keys, last: Note | None) -> Finding:
    """Whether the policy believes the last checkpoint of this log."""
    if last is None:
        return holds("policy", ("还没有检查点", "no checkpoint yet"))
    try:
        believed = bool(signers(last, keys.policy))
    except BadSignature:
        believed = False
    if believed:
        return holds(
            "policy",
            ("信任名单认得上一个检查点的签名", "the policy knows who signed the last checkpoint"),
        )
    return fails(
        "policy",
        (
            "信任名单不认得上一个检查点的签名：密钥或名单不是这个日志的",
            (
                "the policy knows nobody who signed the last checkpoint: keys or policy are not "
                "this log's"
            ),
        ),
        (
            "请放回本日志原来的密钥目录（SHAOJI_KEYS_DIR），在那之前不要签新的检查点。",
            "Put back this log's own folder of keys (SHAOJI_KEYS_DIR); sign nothing until then.",
        ),
    )


def check_locked(check: str, facts: Locked, what: Words) -> Finding:
    """Whether a key is there and opens what it should. what: is locked with it."""
    if facts.refused:
        return fails(check, *_refused(facts.refused))
    back = (
        f"请从备份放回 {facts.path}；没有它，{what[0]}都打不开。",
        f"Put {facts.path} back from the backup; without it nobody opens {what[1]}.",
    )
    if not facts.there and facts.kept:
        return fails(check, (f"{facts.path} 不在", f"{facts.path} is not there"), back)
    if not facts.there:
        return look(
            check,
            (
                f"{facts.path} 不在，也还没有{what[0]}",
                f"{facts.path} is not there, nor anything locked with it ({what[1]})",
            ),
            (
                "第一次启动时会建；建过的请从备份放回。",
                "It is made at the first start; if it was made, put it back from the backup.",
            ),
        )
    if facts.opened < facts.kept:
        return fails(
            check,
            (
                f"{facts.path} 打不开{what[0]}（{facts.kept} 项里打开 {facts.opened} 项）",
                f"{facts.path} does not open the {what[1]} ({facts.opened} of {facts.kept})",
            ),
            back,
        )
    return holds(check, (f"{facts.path} 打得开{what[0]}", f"{facts.path} opens the {what[1]}"))


def _key(facts: KeyFacts, what: str, opened: bool) -> Finding:
    check = f"{what}-key"
    if opened:
        return holds(
            check,
            (
                f"{_NAMES[what][0]}在，只有属主能读",
                f"{_NAMES[what][1]} is there, its owner's alone",
            ),
        )
    if what in facts.there:
        return look(
            check,
            (
                f"{_NAMES[what][0]}在，但当前用户读不到",
                f"{_NAMES[what][1]} is there and this user may not read it",
            ),
            (
                "若由另一个用户运行后台，这样正好；请用那个用户再执行一次 shaoji doctor。",
                "Right, if the worker runs as another user: run `shaoji doctor` as that one, too.",
            ),
        )
    return fails(
        check,
        (
            f"{_NAMES[what][0]}不在 {facts.places.folder}",
            f"{_NAMES[what][1]} is not in {facts.places.folder}",
        ),
        (
            "建过的请从备份放回；从没建过的，执行 shaoji keys init。",
            "If it was ever made, put it back from the backup; else run `shaoji keys init`.",
        ),
    )


_NAMES = {
    "checkpoint": ("检查点密钥", "the checkpoint key"),
    "receipt": ("回执密钥", "the receipt key"),
    "seal": ("印章密钥", "the seal's key"),
}


def _refused(why: Words | None) -> tuple[Words, Words]:
    """A refusal tells what is wrong and what to do in one sentence."""
    return why or ("打不开", "cannot be opened"), (
        "照上面的话办，再执行一次 shaoji doctor。",
        "Do as it says, then run `shaoji doctor` again.",
    )
