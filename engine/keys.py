"""The keys of a log: a folder of files, each made once, for one purpose.

    checkpoint.key       signs checkpoints, under the name of the log; the sequencer's alone
    checkpoint.next.key  takes over from it, while it is being replaced (engine.key_rotation)
    receipt.key          signs receipts, as <origin>/receipt; the pages hold it
    seal.key, seal.pem   seals PDFs, and its certificate (engine.seal_key)
    witness.key          cosigns the checkpoints of others; witness.vkey is its public half
    policy.txt           whom a verifier believes (audit.policy); public

The key by which the vault is locked is not among them (engine.vault_key).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from audit.note import COSIGNATURE, Signer, VerifierKey, is_key_name, read_vkey
from audit.policy import NotAPolicy, Policy, read_policy
from audit.receipt import FIRST_LINE, KEY_SUFFIX
from engine.errors import BadInput, Conflict, Refusal
from engine.key_files import (
    PRIVATE,
    PUBLIC,
    KeyUnfit,
    NoKey,
    is_device,
    new_private,
    read_private,
    signer,
    write_once,
)
from engine.seal_key import SCHEME, SealKey, make_seal_key, read_seal_key, seal_key_from_pkcs11

CHECKPOINT: Final = "checkpoint.key"
RECEIPT: Final = "receipt.key"
SEAL: Final = "seal.key"
WITNESS: Final = "witness.key"
WITNESS_VKEY: Final = "witness.vkey"
POLICY: Final = "policy.txt"
RECEIPT_WORD: Final = FIRST_LINE.partition("/")[0]

_CERTIFICATE: Final = b"-----BEGIN CERTIFICATE-----"
_POLICY: Final = """\
# 校验时相信谁（C2SP tlog-policy）：本日志的公钥，以及见证方。
# Whom a verifier believes: the key of this log, and witnesses.
# 请另一个单位运行 shaoji witness，把对方的公钥加在 log 和 quorum 两行之间，再改 quorum，例如：
# Ask another office to run `shaoji witness`, put its key between the two lines below and change
# the last one, for example:
#   witness district <vkey> https://witness.example/
#   witness city <vkey>
#   group two 2 district city
#   quorum two
log {vkey}
quorum none
"""


class KeysAlike(Refusal):
    """One key serves two purposes: whoever is given it for the one could do the other."""


class PolicyUnfit(Refusal):
    """The policy cannot be read, or does not know the key the log signs with."""


class AnotherWitness(Conflict):
    """The folder holds the key of a witness of another name; a witness keeps its name for ever."""


class OriginUnfit(BadInput):
    """No key can bear the name of this log."""

    def __init__(self, origin: str) -> None:
        super().__init__(
            f"日志名“{origin}”不能作密钥名：不能为空，不能有空白和加号，"
            f"不能以 {RECEIPT_WORD} 开头。",
            f"No key can be named {origin!r}: a log's name is not empty, has no white space and no "
            f"plus sign, and does not begin with {RECEIPT_WORD}.",
        )


@dataclass(frozen=True, slots=True)
class Places:
    """Where the keys of a log are: in a folder, but for those that name another file.

    Or, in place of a file, the `pkcs11:` address of a key in a device.
    """

    folder: Path
    other_checkpoint: str = ""
    other_receipt: str = ""
    other_seal: str = ""
    other_policy: Path | None = None

    @property
    def checkpoint(self) -> str | Path:
        """What signs checkpoints."""
        return self.other_checkpoint or self.folder / CHECKPOINT

    @property
    def next(self) -> Path:
        """What takes over from it: a file beside it, so that renaming puts it into its place."""
        path = Path(self.checkpoint)
        return path.with_name(f"{path.stem}.next{path.suffix}")

    @property
    def receipt(self) -> str | Path:
        """What signs receipts."""
        return self.other_receipt or self.folder / RECEIPT

    @property
    def seal(self) -> str | Path:
        """What seals PDFs."""
        return self.other_seal or self.folder / SEAL

    @property
    def certificate(self) -> Path:
        """The certificate of the seal: beside its key, or in the folder if that is in a device."""
        at = self.folder / SEAL if is_device(self.seal) else Path(self.seal)
        return at.with_suffix(".pem")

    @property
    def policy(self) -> Path:
        """Whom a verifier believes."""
        return self.other_policy or self.folder / POLICY


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one log, as far as this process may read them; what is not there is None.

    next: the key that takes over from `checkpoint`. policy: believes nobody where there is none.
    """

    checkpoint: Signer | None
    receipt: Signer | None
    seal: SealKey | None
    policy: Policy
    next: Signer | None = None

    @property
    def checkpoint_signers(self) -> tuple[Signer, ...]:
        """Who signs the next checkpoint: one key, both during a rotation, nobody without a key."""
        if self.checkpoint is None:
            return ()
        return (self.checkpoint,) if self.next is None else (self.checkpoint, self.next)


def is_origin(name: str) -> bool:
    """Whether a log may bear this name: a key may, and nobody takes it for a receipt."""
    return is_key_name(name) and not name.startswith(RECEIPT_WORD)


def open_keys(places: Places, origin: str) -> Keys:
    """The keys of the log of this name, for a process that may hold all of them or only some.

    Raises KeyUnfit, SealUnsafe, DeviceUnfit, KeysAlike, PolicyUnfit; each names the file and what
    to do.
    """
    keys = Keys(
        checkpoint=_if_there(places.checkpoint, origin),
        receipt=_if_there(places.receipt, origin + KEY_SUFFIX),
        seal=_seal(places),
        policy=_policy(places.policy),
        next=None if is_device(places.checkpoint) else _if_there(places.next, origin),
    )
    _check_apart(places.folder, keys)
    _check_believed(places.policy, keys)
    return keys


def policy_of(places: Places) -> Policy:
    """Whom a verifier is to believe; no secret, so that pages may read it. Raises PolicyUnfit."""
    return _policy(places.policy)


def make_keys(places: Places, origin: str, organisation: str, *, at: datetime) -> tuple[str, ...]:
    """Make what is missing of the keys of a log, drawn by the system; returns the files made now.

    organisation: whose name the seal bears, valid from `at`. Nothing that is there is changed: a
    run that was cut short is repeated, and of two at once each file is made by one. The policy is
    written last, from the key that is then on disk. Where it is there and the checkpoint key is
    not, that key is kept elsewhere or lost; none is made in its place, for nobody would believe it.
    So with the seal and its certificate, which has to be moved away before there can be another.
    Raises OriginUnfit, and what `open_keys` raises.
    """
    if not is_origin(origin):
        raise OriginUnfit(origin)
    places.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = [] if places.policy.exists() else [_make(places.checkpoint, new_private)]
    made.append(_make(places.receipt, new_private))
    made += _make_seal(places, organisation, at)
    if not places.policy.exists():
        text = _POLICY.format(vkey=signer(places.checkpoint, origin).key.vkey)
        made.append(_make(places.policy, text.encode, PUBLIC))
    open_keys(places, origin)
    return tuple(path.name for path in made if path)


def make_witness_key(folder: Path, name: str) -> Signer:
    """The key by which this office cosigns as a witness of that name, made if it is missing.

    Raises BadInput for a name no key may have, AnotherWitness, NoKey, KeyUnfit.
    """
    if not is_key_name(name):
        raise BadInput(
            f"“{name}”不能作见证方的名字：不能为空，不能有空白和加号。",
            f"A witness cannot be named {name!r}: not empty, no white space, no plus sign.",
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _make(folder / WITNESS, new_private)
    made = signer(folder / WITNESS, name, COSIGNATURE)
    write_once(folder / WITNESS_VKEY, f"{made.key.vkey}\n".encode(), PUBLIC)
    there = open_witness(folder)
    if there.key != made.key:
        raise AnotherWitness(
            f"{folder} 里已有名为 {there.key.name} 的见证密钥。另一个见证方请另用一个目录。",
            f"{folder} holds the key of the witness {there.key.name}; another one takes a folder "
            "of its own.",
        )
    return there


def open_witness(folder: Path) -> Signer:
    """The key of the witness in this folder, under the name it was made for.

    Raises NoKey, KeyUnfit.
    """
    path = folder / WITNESS_VKEY
    try:
        told = read_vkey(path.read_text(encoding="utf-8").strip())
    except OSError:
        raise NoKey(path) from None
    except ValueError:  # NotANote, or no UTF-8
        raise KeyUnfit(path, "里不是公钥", "holds no public key") from None
    found = signer(folder / WITNESS, told.name, COSIGNATURE)
    if found.key != told:
        raise KeyUnfit(path, f"与 {WITNESS} 不是一对", f"is not the public half of {WITNESS}")
    return found


# --- making ---------------------------------------------------------------------------------------


def _make(place: str | Path, content: Callable[[], bytes], mode: int = PRIVATE) -> Path | None:
    """The file, if it was made now; a key in a device is made there."""
    path = Path(place)
    if is_device(place) or path.exists():
        return None
    return path if write_once(path, content(), mode) else None


def _make_seal(places: Places, organisation: str, at: datetime) -> list[Path | None]:
    # One file takes key and certificate at once, so that neither two runs at the same time nor one
    # that is cut short leave halves that do not fit. The other file is a copy of its second half.
    if is_device(places.seal) or places.certificate.exists():
        return []
    made = _make(places.seal, lambda: b"".join(make_seal_key(organisation, at=at)))
    _, begin, told = read_private(Path(places.seal)).partition(_CERTIFICATE)
    return [made, _make(places.certificate, lambda: begin + told, PUBLIC) if begin else None]


# --- opening --------------------------------------------------------------------------------------


def _if_there(place: str | Path, name: str) -> Signer | None:
    try:
        return signer(place, name)
    except NoKey:
        return None


def _seal(places: Places) -> SealKey | None:
    place, certificate = places.seal, places.certificate
    try:
        told = str(place) if is_device(place) else read_private(Path(place)).decode("latin-1")
    except NoKey:
        return None
    if not certificate.exists():
        raise KeyUnfit(certificate, "（印章的证书）不在", "(the seal's certificate) is not there")
    if told.startswith(SCHEME):
        return seal_key_from_pkcs11(told.strip(), certificate)
    return read_seal_key(Path(place), certificate)


def _policy(path: Path) -> Policy:
    try:
        return read_policy(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Policy(())
    except (NotAPolicy, UnicodeDecodeError, OSError) as error:
        raise PolicyUnfit(
            f"信任名单 {path} 不能用（{error}），请改正或从备份放回。",
            f"The policy {path} cannot be used ({error}); correct it or put it back.",
        ) from None


def _check_apart(folder: Path, keys: Keys) -> None:
    seen: dict[bytes, str] = {}
    for what, one in _held(folder, keys):
        other = seen.setdefault(one.key, what)
        if other != what:
            raise KeysAlike(
                f"{folder} 里 {other} 和 {what} 是同一把密钥，应当各用各的。请放回原来的 {what}，"
                "没有就移走它，再执行 shaoji keys init。",
                f"In {folder}, {other} and {what} are the same key; each needs its own. Put back "
                f"the right {what}, or move it away and run `shaoji keys init`.",
            )


def _held(folder: Path, keys: Keys) -> Iterator[tuple[str, VerifierKey]]:
    held = {"checkpoint": keys.checkpoint, "checkpoint.next": keys.next, "receipt": keys.receipt}
    yield from ((what, one.key) for what, one in held.items() if one is not None)
    if (folder / WITNESS_VKEY).exists():
        yield "witness", open_witness(folder).key


def _check_believed(path: Path, keys: Keys) -> None:
    if keys.checkpoint is not None and keys.checkpoint.key not in keys.policy.logs:
        line = f"log {keys.checkpoint.key.vkey}"
        raise PolicyUnfit(
            f"信任名单 {path} 里没有现用的检查点公钥，照它校验的人不会相信新的检查点。"
            f"密钥没放错的话，请加上一行：{line}；放错了，请放回本日志的；这是另一个日志的密钥目录，"
            "就用 SHAOJI_KEYS_DIR 另指一个。",
            f"The policy {path} does not name the key this log signs with: whoever goes by it "
            f"would not believe us. If the key is the right one, add the line: {line}; if it is "
            "not, put back the key of this log; if the folder is that of another log, name one "
            "with SHAOJI_KEYS_DIR.",
        )
