"""Keys for signed notes in a device (PKCS#11) that signs by them and never gives them out.

Where another algorithm is to follow, SM2 for one, it follows here: its mechanism and type of key
beside EDDSA, and in audit.note a type of key of its own with what its signatures are checked by.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from audit.note import ED25519, KEY_BYTES, VerifierKey
from engine.errors import Refusal
from engine.seal_key import SCHEME as SCHEME
from engine.seal_key import DeviceKey, read_pkcs11_uri

if TYPE_CHECKING:
    from pkcs11 import Session

# A public point comes bare (PKCS#11 3.0) or, from most devices, as a DER OCTET STRING.
_OCTETS: Final = b"\x04\x20"

# Logging in and out is done for the whole process: of two sessions the first to end would take the
# other's rights away. Whoever else opens a device in this process holds this, too.
ONE_AT_A_TIME: Final = Lock()


class DeviceUnfit(Refusal):
    """The device does not answer, does not open, or has no such key."""


@dataclass(frozen=True, slots=True)
class DeviceSigner:
    """A key in a device. Each signature is a session of its own: nothing stays logged in."""

    key: VerifierKey
    device: DeviceKey

    def sign(self, message: bytes) -> bytes:
        """The key's Ed25519 signature over the message; raises DeviceUnfit.

        It is checked before it is given out: a checkpoint nobody believes must not be published.
        """
        with opened(self.device) as session:
            pkcs11 = _python_pkcs11()
            private = _key(session, self.device, pkcs11.ObjectClass.PRIVATE_KEY)
            signature = bytes(private.sign(message, mechanism=pkcs11.Mechanism.EDDSA))
        if not self.key.holds(signature, message):
            raise _refused(
                self.device, "签出来的不是它自己的签名", "gave a signature that is not its own"
            )
        return signature


def device_signer(uri: str, name: str, kind: int = ED25519) -> DeviceSigner:
    """The Ed25519 key at a `pkcs11:` address, under this name and type of a note's key.

    Raises DeviceUnfit, and SealUnsafe for an address that cannot be read.
    """
    device = read_pkcs11_uri(uri)
    with opened(device) as session:
        _check_can_sign(session, device)
        public = _public(_key(session, device, _python_pkcs11().ObjectClass.PUBLIC_KEY))
    if public is None:
        raise _refused(device, "里的密钥不是 Ed25519", "holds no Ed25519 key under that label")
    return DeviceSigner(VerifierKey(name, kind, public), device)


@contextmanager
def opened(device: DeviceKey) -> Iterator["Session"]:
    """A session with the device, logged in if there is a PIN; raises DeviceUnfit.

    After a fork the maker's library has to be loaded anew; who forks, opens keys after it.
    """
    pkcs11 = _python_pkcs11()
    with ONE_AT_A_TIME:
        try:
            token = _token(pkcs11.lib(device.module), device)
            with token.open(user_pin=device.pin) as session:
                yield session
        except OSError as error:
            raise _refused(device, f"用不了（{error}）", f"cannot be used ({error})") from error
        except RuntimeError as error:  # what PKCS#11 answers, and a library that is none
            told = type(error).__name__
            raise _refused(device, _CHINESE.get(told, f"出错（{told}）"), f"says {told}") from error


def _token(library: Any, device: DeviceKey) -> Any:
    wanted = {"token_label": device.token, "token_serial": (device.serial or "").encode()}
    given = {name: told for name, told in wanted.items() if told}
    found = list(library.get_tokens(**given))
    if not found:
        raise _refused(device, "里没有这个令牌", "holds no such token")
    if len(found) > 1:
        raise _refused(
            device,
            "里有几个令牌都符合，请用 token 和 serial 写明是哪个",
            "holds several such tokens: say which by token and serial",
        )
    return found[0]


_CHINESE: Final = {
    "PinIncorrect": "不认这个口令（PinIncorrect），再错几次会锁死",
    "PinLocked": "已因口令多次有误而锁死（PinLocked）",
}


def _python_pkcs11() -> ModuleType:
    try:
        import pkcs11
    except ImportError:
        raise DeviceUnfit(
            "要用硬件里的密钥，请先安装：pip install 'shaoji[pkcs11]'。",
            "For keys in a device, install the extra first: pip install 'shaoji[pkcs11]'.",
        ) from None
    return pkcs11


def _key(session: "Session", device: DeviceKey, kind: Any) -> Any:
    attribute = _python_pkcs11().Attribute
    wanted = {attribute.CLASS: kind, attribute.LABEL: device.label, attribute.ID: device.id}
    given = {name: told for name, told in wanted.items() if told is not None}
    # A list: a search that is not gone through to its end blocks the session.
    found = list(session.get_objects(given))
    if not found:
        raise _refused(device, "里没有这把密钥", "holds no such key")
    if len(found) > 1:
        raise _refused(
            device,
            "里有几把密钥都符合，请用 object 和 id 写明是哪把",
            "holds several such keys: say which by object and id",
        )
    return found[0]


def _check_can_sign(session: "Session", device: DeviceKey) -> None:
    if _python_pkcs11().Mechanism.EDDSA not in session.token.slot.get_mechanisms():
        raise _refused(
            device,
            "不会 Ed25519（EDDSA），检查点和回执用不了它；印章（P-256）可以",
            "cannot do Ed25519 (EDDSA): no use for checkpoints and receipts, only for the seal",
        )


def _public(key: Any) -> bytes | None:
    pkcs11 = _python_pkcs11()
    if key.key_type != pkcs11.KeyType.EC_EDWARDS:
        return None
    point = bytes(key[pkcs11.Attribute.EC_POINT])
    if len(point) == len(_OCTETS) + KEY_BYTES and point.startswith(_OCTETS):
        point = point.removeprefix(_OCTETS)
    return point if len(point) == KEY_BYTES else None


def _refused(device: DeviceKey, chinese: str, english: str) -> DeviceUnfit:
    which = ", ".join(one for one in (device.token, device.serial, device.label) if one)
    return DeviceUnfit(
        f"密钥设备 {device.module}（{which}）{chinese}。",
        f"The device {device.module} ({which}) {english}.",
    )
