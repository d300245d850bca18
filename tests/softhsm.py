"""A token in software (SoftHSM 2): a device for the tests, with keys drawn in it."""

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PIN = "5678"
# DER of the curves' names: edwards25519 (RFC 8410) and P-256.
ED25519 = bytes.fromhex("06032b6570")
P256 = bytes.fromhex("06082a8648ce3d030107")
LIBRARIES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)


@dataclass(frozen=True)
class Token:
    """A token with a PIN in a file; its keys are made in it and stay there."""

    library: str
    label: str
    folder: Path

    @property
    def conf(self) -> Path:
        return self.folder / "softhsm2.conf"

    @property
    def pin_file(self) -> Path:
        return self.folder / "pin"

    def uri(self, object_: str, **more: str) -> str:
        told = {"module-path": self.library, "pin-source": f"file:{self.pin_file}"} | more
        query = "&".join(f"{name}={value}" for name, value in told.items())
        return f"pkcs11:token={self.label};object={object_}?{query}"

    def draw(self, object_: str, curve: bytes = ED25519) -> None:
        """Make a pair of keys in the token."""
        import pkcs11

        kind = pkcs11.KeyType.EC_EDWARDS if curve == ED25519 else pkcs11.KeyType.EC
        how: Any = (
            pkcs11.Mechanism.EC_EDWARDS_KEY_PAIR_GEN
            if curve == ED25519
            else pkcs11.Mechanism.EC_KEY_PAIR_GEN
        )
        token = pkcs11.lib(self.library).get_token(token_label=self.label)
        with token.open(rw=True, user_pin=PIN) as session:
            told = {pkcs11.Attribute.EC_PARAMS: curve}
            domain = session.create_domain_parameters(kind, told, local=True)
            domain.generate_keypair(mechanism=how, store=True, label=object_)


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Token]:
    """One device for all tests of a process: the library is told where once, when it is loaded."""
    library = next((path for path in LIBRARIES if Path(path).exists()), None)
    if library is None or shutil.which("softhsm2-util") is None:
        told = "SoftHSM is missing: keys in devices are not tested (bin/setup --tests installs it)"
        if os.environ.get("CI"):
            pytest.fail(told)
        pytest.skip(told)
    folder = tmp_path_factory.mktemp("softhsm")
    made = Token(library, "street", folder)
    write_conf(made)
    made.pin_file.write_text(f"{PIN}\n", encoding="ascii")
    made.pin_file.chmod(0o600)
    patch = pytest.MonkeyPatch()
    patch.setenv("SOFTHSM2_CONF", str(made.conf))
    # Two of one name, for the one that is not to be told apart.
    for label in ("street", "twin", "twin"):
        init(label)
    yield made
    patch.undo()


def write_conf(token: Token, *more: str) -> None:
    tokens = token.folder / "tokens"
    tokens.mkdir(exist_ok=True)
    lines = (f"directories.tokendir = {tokens}", "objectstore.backend = file", *more)
    token.conf.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def init(label: str) -> None:
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN,
         "--so-pin", secrets.token_hex(8)],
        check=True, capture_output=True,
    )  # fmt: skip
