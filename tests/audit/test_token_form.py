"""Tokens have one form: whatever no signature covers is refused, and real authorities are not."""

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import cms, core
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from audit.timestamp import NotStamped, check_stamp, read_reply, write_query
from tests.tsa import Authority, make_authority

DATA = b"log.tinglan.example\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def stamped(authority: Authority) -> bytes:
    query = write_query(DATA)
    return read_reply(authority.reply(query.as_bytes()), query)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("tsa"))


@pytest.fixture(scope="module")
def token(authority: Authority) -> bytes:
    return stamped(authority)


def certificate(name: str, key: Key, issuer: str, by: Key, *, ca: bool) -> x509.Certificate:
    now = datetime.now(UTC)
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False
        )
    )
    if not ca:
        builder = builder.add_extension(usage, critical=True)
    return builder.sign(by, hashes.SHA256())


def under_two(folder: Path, **settings: str) -> Authority:
    """An RSA authority under an authority between, as the large ones are."""
    make_authority(folder)
    keys: list[Key] = [
        rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in "123"
    ]
    root = certificate("根", keys[0], "根", keys[0], ca=True)
    between = certificate("中间", keys[1], "根", keys[0], ca=True)
    leaf = certificate("时间戳", keys[2], "中间", keys[1], ca=False)
    pem = serialization.Encoding.PEM
    (folder / "tsa.pem").write_bytes(leaf.public_bytes(pem))
    (folder / "root.pem").write_bytes(between.public_bytes(pem) + root.public_bytes(pem))
    (folder / "tsa.key").write_bytes(
        keys[2].private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    told = (folder / "tsa.cnf").read_text(encoding="ascii")
    for name, value in settings.items():
        told = "\n".join(
            f"{name} = {value}" if line.startswith(f"{name} ") else line
            for line in told.split("\n")
        )
    (folder / "tsa.cnf").write_text(told, encoding="ascii")
    return Authority(folder, root)


@pytest.mark.parametrize(
    "settings",
    [{}, {"signer_digest": "sha512"}, {"ess_cert_id_alg": "sha1"}, {"ess_cert_id_chain": "yes"}],
)
def test_an_authority_under_others_is_accepted_with_the_chain_it_brings(
    settings: dict[str, str], tmp_path: Path
) -> None:
    far = under_two(tmp_path, **settings)
    assert check_stamp(stamped(far), DATA, [far.root]).authority == "CN=时间戳"


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_no_bit_of_a_token_can_be_changed(authority: Authority, token: bytes) -> None:
    check_stamp(token, DATA, [authority.root])
    for at in range(len(token)):
        changed = bytearray(token)
        changed[at] ^= 1 << at % 8
        with pytest.raises(NotStamped):
            check_stamp(bytes(changed), DATA, [authority.root])


def test_the_count_of_unused_bits_of_a_signature_cannot_be_changed(tmp_path: Path) -> None:
    """Where the last bit is 0 it could be called unused: every other signature ends like that."""
    for number in count():
        authority = make_authority(tmp_path / str(number))
        token = stamped(authority)
        root = authority.root.public_bytes(serialization.Encoding.DER)
        assert root in token
        if root[-1] % 2 == 0:
            break
    at = token.index(root) + len(root) - len(authority.root.signature) - 1
    assert token[at] == 0
    told = token[:at] + b"\x01" + token[at + 1 :]
    with pytest.raises(NotStamped):
        check_stamp(told, DATA, [authority.root])


def changed(token: bytes, change: Callable[[Any], None]) -> bytes:
    info = cms.ContentInfo.load(token)
    change(info["content"])
    told: bytes = info.dump(force=True)
    return told


def unsigned_attribute(signed: Any) -> None:
    told = cms.CMSAttribute({"type": "1.2.3.4", "values": [core.UTF8String("可信")]})
    signed["signer_infos"][0]["unsigned_attrs"] = cms.CMSAttributes([told])


def strange_certificate(signed: Any) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    own = certificate("部委", key, "部委", key, ca=True)
    der = own.public_bytes(serialization.Encoding.DER)
    # In the order of a SET, which is that of the bytes.
    there = [*(one.dump() for one in signed["certificates"]), der]
    signed["certificates"] = [asn1_x509.Certificate.load(one) for one in sorted(there)]


def second_signer(signed: Any) -> None:
    signed["signer_infos"].append(signed["signer_infos"][0].copy())


def another_version(signed: Any) -> None:
    signed["version"] = "v1"


def another_signature_algorithm(signed: Any) -> None:
    signed["signer_infos"][0]["signature_algorithm"] = {"algorithm": "sha384_ecdsa"}


FAULTS = (
    unsigned_attribute,
    strange_certificate,
    second_signer,
    another_version,
    another_signature_algorithm,
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_what_no_signature_covers_cannot_be_written_into_a_token(
    authority: Authority, token: bytes, fault: Callable[[Any], None]
) -> None:
    assert changed(token, lambda signed: None) == token
    bad = changed(token, fault)
    assert bad != token
    with pytest.raises(NotStamped):
        check_stamp(bad, DATA, [authority.root])


def test_openssl_would_accept_some_of_these(
    authority: Authority, token: bytes, tmp_path: Path
) -> None:
    """Why this is checked here: the signature alone holds."""
    (tmp_path / "data").write_bytes(DATA)
    (tmp_path / "token").write_bytes(changed(token, unsigned_attribute))
    command = ["openssl", "ts", "-verify", "-data", "data", "-in", "token", "-token_in",
               "-CAfile", str(authority.roots)]  # fmt: skip
    told = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert "Verification: OK" in told.stdout + told.stderr
