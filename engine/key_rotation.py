"""Replacing the key that signs checkpoints: on the record, by both keys, and then for good.

    1  the new key is made as checkpoint.next.key
    2  `log.key_rotated` is recorded, with both public keys: COMMIT
    3  checkpoints are signed by both keys, until one that covers the event is stored: COMMIT
    4  the policy names both keys, the old one with the last size it signed
    5  checkpoint.next.key takes the place of checkpoint.key

Cut short after 1, nobody has heard of the new key, and the same command goes on with it. After 2, 3
or 4 the next checkpoint is signed by both once more, and then 4 and 5 are done, or done again.

The old private key is not kept: what it signed is checked by its public half, which log and policy
name for ever. Kept, it would be good for one thing only, to sign another history for everybody who
knows just that half. What backups have of it is for the operator to destroy; so is a key in a
device, of which the file has only the address.
"""

from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from audit import log, sequence
from audit.checkpoint import read_checkpoint
from audit.entries import ENGINE, Draft, Entry
from audit.note import Note, VerifierKey, check_note
from audit.rotations import STREAM, Rotation, read_rotation
from engine.errors import BadInput, Conflict, Refusal
from engine.key_files import PRIVATE, PUBLIC, NoKey, is_device, new_private, sync, write_over
from engine.keys import Keys, Places, PolicyUnfit, open_keys
from engine.people import By, administrator


class RotationUnderWay(Conflict):
    """One rotation at a time: the last one ends with the next checkpoint."""

    def __init__(self) -> None:
        super().__init__(
            "上一次换钥还没完成：等新旧两把密钥同签的下一个检查点出来，再换。",
            "The last rotation is not over yet: it ends with the next checkpoint, signed by both "
            "keys.",
        )


class KeyNamedInSetting(Refusal):
    """The key's address is in a setting, which a rotation cannot change."""

    def __init__(self) -> None:
        super().__init__(
            "检查点密钥的地址写在设置里，换不了。请把 pkcs11: 地址写进密钥目录的 checkpoint.key "
            "（权限 600），去掉 SHAOJI_CHECKPOINT_KEY，再换。",
            "The checkpoint key is named in a setting, which cannot be changed from here. Write "
            "its pkcs11: address into checkpoint.key in the folder of keys (mode 600), drop "
            "SHAOJI_CHECKPOINT_KEY, and run this again.",
        )


def rotate_checkpoint_key(
    conn: Connection,
    places: Places,
    *,
    reason: str,
    by: By | None,
    at: datetime,
    address: str = "",
) -> Rotation:
    """Begin to replace the key that signs checkpoints: steps 1 and 2.

    by: an administrator; None stands for whoever operates the server. address: `pkcs11:` address of
    the new key; without one, it is a file drawn here. Raises BadInput, NotAdministrator,
    KeyNamedInSetting, NoKey, RotationUnderWay, and what `open_keys` raises; then roll back.
    """
    if not reason.strip():
        raise BadInput("请写明换钥的原因。", "Say why the key is replaced.")
    if is_device(places.checkpoint):
        raise KeyNamedInSetting
    who = dict(ENGINE) if by is None else administrator(conn, by, at)
    # Whoever holds the end of this stream is the only one to touch the files.
    head = log.take(conn, STREAM)
    keys = open_keys(places, head.log)
    if _recorded(conn, keys) is not None:
        raise RotationUnderWay
    rotation = _draw(places, head.log, address)
    told = {"old_vkey": rotation.old.vkey, "new_vkey": rotation.new.vkey, "reason": reason.strip()}
    log.append(conn, head, [Draft("log.key_rotated", told, who, at)])
    return rotation


def finish_rotation(conn: Connection, places: Places, note: Note) -> bool:
    """End a rotation with this checkpoint, if it is stored, by both keys and covers the event.

    Steps 4 and 5; may be called after every checkpoint. Returns whether it was ended now: from then
    on the keys have to be opened anew. Raises PolicyUnfit if the policy cannot be written, and what
    `open_keys` raises; the rotation then goes on with the next checkpoint.
    """
    if is_device(places.checkpoint) or not places.next.exists():
        return False
    # As when it was begun: nobody else touches the files meanwhile.
    keys = open_keys(places, log.take(conn, STREAM).log)
    event = _recorded(conn, keys)
    if event is None or not _covers(conn, note, event, keys):
        return False
    old, new = (one.key for one in keys.checkpoint_signers)
    _name_both(places.policy, old, new, read_checkpoint(note).size)
    places.next.replace(places.checkpoint)
    sync(places.next.parent)
    return True


def _draw(places: Places, origin: str, address: str) -> Rotation:
    """The new key on disk; one that is there already was left by a run that was cut short."""
    if address or not places.next.exists():
        write_over(places.next, f"{address}\n".encode() if address else new_private(), PRIVATE)
    keys = open_keys(places, origin)
    if keys.checkpoint is None or keys.next is None:
        raise NoKey(Path(places.checkpoint if keys.checkpoint is None else places.next))
    return Rotation(keys.checkpoint.key, keys.next.key)


def _recorded(conn: Connection, keys: Keys) -> Entry | None:
    """The event by which the key that is to take over does so, if it is on the record."""
    if keys.checkpoint is None or keys.next is None:
        return None
    wanted = Rotation(keys.checkpoint.key, keys.next.key)
    found = (one for one in log.read(conn, STREAM) if read_rotation(one) == wanted)
    return next(found, None)


def _covers(conn: Connection, note: Note, event: Entry, keys: Keys) -> bool:
    index = sequence.leaf_index(conn, event.hash)
    signers = [one.key for one in keys.checkpoint_signers]
    fits = index is not None and index < read_checkpoint(note).size
    return fits and check_note(note, signers) == signers


def _name_both(policy: Path, old: VerifierKey, new: VerifierKey, size: int) -> None:
    try:
        told = policy.read_text(encoding="utf-8")
        write_over(policy, _with_both(told, old, new, size).encode(), PUBLIC)
    except OSError as error:
        raise PolicyUnfit(
            f"信任名单 {policy} 写不进去（{error}），换钥还没完成。",
            f"The policy {policy} cannot be written ({error}); the rotation is not over.",
        ) from error


def _with_both(text: str, old: VerifierKey, new: VerifierKey, size: int) -> str:
    """A policy in which the new key follows the old one; everything else stays as it was written.

    The old one stays for the checkpoints it signed. Its last size is for people to read: a later
    checkpoint that bears its signature alone is forged.
    """
    mark = f"# {old.id.hex()} 已停用 / retired; "
    lines = [line for line in text.split("\n") if not line.startswith(mark)]
    at = next(n for n, line in enumerate(lines) if line.split()[:2] == ["log", old.vkey])
    known = any(line.split()[:2] == ["log", new.vkey] for line in lines)
    told = [f"{mark}最后签的树有 {size} 片叶子 / its last tree has {size} leaves", lines[at]]
    added = [] if known else [f"log {new.vkey}"]
    return "\n".join([*lines[:at], *told, *added, *lines[at + 1 :]])
