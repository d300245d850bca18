"""Keys in a device sign as keys in files do, and what the device refuses is told in a sentence."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from audit.checkpoint import Checkpoint, check_cosignatures, cosign, sign_checkpoint
from audit.note import COSIGNATURE, Note, check_note
from engine import pkcs11_keys
from engine.errors import Refusal
from engine.key_files import signer, write_once, write_over
from engine.key_rotation import finish_rotation, rotate_checkpoint_key
from engine.keys import Places, make_keys, open_keys
from engine.pkcs11_keys import DeviceSigner, DeviceUnfit, device_signer
from engine.seal_key import DeviceKey, SealUnsafe, make_seal_key
from engine.sequencer import run_sequencer
from tests.conftest import NOON, ORIGIN, ROOT, Street
from tests.softhsm import P256, Token, write_conf


@pytest.fixture(scope="session")
def drawn(softhsm: Token) -> Token:
    for name in ("checkpoint", "next", "receipt", "twins", "twins"):
        softhsm.draw(name)
    softhsm.draw("seal", P256)
    return softhsm


def note(*signers: Any) -> Note:
    return sign_checkpoint(Checkpoint(ORIGIN, 5, bytes(32)), *signers)


def test_a_device_signs_what_a_verifier_without_it_checks(drawn: Token) -> None:
    one = signer(drawn.uri("checkpoint"), ORIGIN)
    assert isinstance(one, DeviceSigner)
    assert check_note(note(one), [one.key]) == [one.key]
    assert one.key == signer(drawn.uri("checkpoint"), ORIGIN).key


def test_a_device_cosigns(drawn: Token) -> None:
    one = signer(drawn.uri("receipt"), "district", COSIGNATURE)
    checkpoint = note(signer(drawn.uri("checkpoint"), ORIGIN))
    line = cosign(checkpoint, one, at=1_772_413_200)
    assert check_cosignatures(checkpoint.signed(line), [one.key]) == {one.key: 1_772_413_200}


def test_several_threads_sign_with_one_device(drawn: Token) -> None:
    one, other = signer(drawn.uri("checkpoint"), ORIGIN), signer(drawn.uri("receipt"), "r")
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda n: ((one, other)[n % 2], n), range(20)))
        signed = list(pool.map(lambda pair: pair[0].sign(str(pair[1]).encode()), told))
    for (who, n), signature in zip(told, signed, strict=True):
        assert who.key.holds(signature, str(n).encode())


def test_a_street_keeps_its_keys_in_a_device(drawn: Token, tmp_path: Path) -> None:
    pem, certificate = make_seal_key("听澜街道", at=NOON)
    assert pem
    places = Places(
        tmp_path / "keys", drawn.uri("checkpoint"), drawn.uri("receipt"), drawn.uri("seal")
    )
    places.folder.mkdir()
    places.certificate.write_bytes(certificate)
    assert make_keys(places, ORIGIN, "听澜街道", at=NOON) == ("policy.txt",)
    keys = open_keys(places, ORIGIN)
    assert keys.checkpoint
    assert keys.policy.logs == (keys.checkpoint.key,)
    assert keys.seal
    assert isinstance(keys.seal.private, DeviceKey)


def test_a_file_may_name_a_device_and_then_the_key_can_be_replaced(
    drawn: Token, sqlite_street: Street, tmp_path: Path
) -> None:
    places = Places(tmp_path / "keys")
    places.folder.mkdir()
    write_once(places.folder / "checkpoint.key", f"{drawn.uri('checkpoint')}\n".encode(), 0o600)
    made = make_keys(places, ORIGIN, "听澜街道", at=NOON)
    assert made == ("receipt.key", "seal.key", "seal.pem", "policy.txt")
    rotation = sqlite_street.do(
        rotate_checkpoint_key, places, reason="例行", by=None, address=drawn.uri("next")
    )
    assert rotation.old == signer(drawn.uri("checkpoint"), ORIGIN).key
    assert rotation.new == signer(drawn.uri("next"), ORIGIN).key
    signers = open_keys(places, ORIGIN).checkpoint_signers
    signed = run_sequencer(sqlite_street.database, signers, at=NOON).published
    assert signed
    assert sqlite_street.do(lambda conn, at: finish_rotation(conn, places, signed))
    assert (places.folder / "checkpoint.key").read_text(encoding="ascii").strip() == drawn.uri(
        "next"
    )


def test_a_seal_file_may_name_a_device(drawn: Token, tmp_path: Path) -> None:
    places = Places(tmp_path / "keys")
    make_keys(places, ORIGIN, "听澜街道", at=NOON)
    write_over(places.folder / "seal.key", f"{drawn.uri('seal')}\n".encode(), 0o600)
    seal = open_keys(places, ORIGIN).seal
    assert seal
    assert isinstance(seal.private, DeviceKey)
    assert seal.private.label == "seal"


# --- what is refused ------------------------------------------------------------------------------


def refused(uri: str, told: str) -> None:
    with pytest.raises(DeviceUnfit, match=told) as found:
        device_signer(uri, ORIGIN)
    assert found.value.english
    assert "5678" not in found.value.chinese + found.value.english


def test_another_kind_of_key_is_refused(drawn: Token) -> None:
    refused(drawn.uri("seal"), "不是 Ed25519")


def test_a_key_that_is_not_there_is_refused(drawn: Token) -> None:
    refused(drawn.uri("nothing"), "没有这把密钥")


def test_two_keys_of_one_label_are_refused(drawn: Token) -> None:
    refused(drawn.uri("twins"), "几把密钥都符合")


def test_a_token_that_is_not_there_is_refused(drawn: Token) -> None:
    refused(drawn.uri("checkpoint").replace("token=street", "token=other"), "没有这个令牌")


def test_two_tokens_of_one_label_are_refused(drawn: Token) -> None:
    refused(drawn.uri("checkpoint").replace("token=street", "token=twin"), "几个令牌都符合")


def test_a_token_is_told_apart_by_its_serial(drawn: Token) -> None:
    serial = token_serial(drawn)
    uri = drawn.uri("checkpoint").replace("token=street", f"serial={serial}")
    assert device_signer(uri, ORIGIN).key == device_signer(drawn.uri("checkpoint"), ORIGIN).key


def token_serial(drawn: Token) -> str:
    import pkcs11

    found = pkcs11.lib(drawn.library).get_token(token_label=drawn.label)
    return bytes(found.serial).decode().strip("\0 ")


def test_a_library_that_is_none_is_refused(drawn: Token, tmp_path: Path) -> None:
    refused(f"pkcs11:object=x?module-path={tmp_path}/nothing.so", "nothing.so")
    (tmp_path / "text.so").write_text("no library", encoding="ascii")
    refused(f"pkcs11:object=x?module-path={tmp_path}/text.so", "text.so")


def test_a_wrong_pin_is_refused_and_warned_of(drawn: Token, tmp_path: Path) -> None:
    wrong = tmp_path / "pin"
    wrong.write_text("0000\n", encoding="ascii")
    wrong.chmod(0o600)
    refused(drawn.uri("checkpoint", **{"pin-source": str(wrong)}), "不认这个口令")


def test_a_pin_that_is_not_there_is_refused(drawn: Token, tmp_path: Path) -> None:
    refused(drawn.uri("checkpoint", **{"pin-source": str(tmp_path / "none")}), "none")


def test_a_pin_others_may_read_is_refused(drawn: Token, tmp_path: Path) -> None:
    loose = tmp_path / "pin"
    loose.write_text("5678\n", encoding="ascii")
    loose.chmod(0o644)
    with pytest.raises(SealUnsafe, match="chmod 600"):
        device_signer(drawn.uri("checkpoint", **{"pin-source": str(loose)}), ORIGIN)


def test_a_pin_in_the_address_is_refused(drawn: Token) -> None:
    with pytest.raises(SealUnsafe) as found:
        device_signer(drawn.uri("checkpoint", **{"pin-value": "5678"}), ORIGIN)
    assert "5678" not in found.value.chinese + found.value.english


def test_a_signature_that_is_not_the_keys_own_is_not_given_out(drawn: Token) -> None:
    one = device_signer(drawn.uri("checkpoint"), ORIGIN)
    other = device_signer(drawn.uri("receipt"), ORIGIN)
    with pytest.raises(DeviceUnfit, match="不是它自己的签名"):
        DeviceSigner(one.key, other.device).sign(b"text")


def test_a_device_that_knows_no_eddsa_is_refused_but_for_the_seal(
    drawn: Token, tmp_path: Path
) -> None:
    # In a process of its own: the library reads its configuration once.
    elsewhere = Token(drawn.library, drawn.label, tmp_path)
    (tmp_path / "tokens").symlink_to(drawn.folder / "tokens")
    write_conf(elsewhere, "slots.mechanisms = CKM_ECDSA,CKM_EC_KEY_PAIR_GEN")
    program = (
        "import sys; from engine.pkcs11_keys import DeviceUnfit, device_signer\n"
        "try: device_signer(sys.argv[1], 'x')\n"
        "except DeviceUnfit as refused: print(refused.chinese)\n"
    )
    environ = os.environ | {"SOFTHSM2_CONF": str(elsewhere.conf), "PYTHONIOENCODING": "utf-8"}
    told = subprocess.run(
        [sys.executable, "-c", program, drawn.uri("checkpoint")],
        cwd=ROOT, env=environ, capture_output=True, check=True, encoding="utf-8",
    )  # fmt: skip
    assert "不会 Ed25519" in told.stdout


def test_without_the_extra_the_refusal_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    with pytest.raises(DeviceUnfit, match=r"pip install 'shaoji\[pkcs11\]'"):
        device_signer("pkcs11:object=x?module-path=/nowhere.so", ORIGIN)


def test_python_pkcs11_is_not_loaded_by_whoever_has_no_device() -> None:
    program = "import sys, engine.keys; sys.exit('pkcs11' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_points_come_bare_or_wrapped() -> None:
    import pkcs11

    class Key(dict[Any, bytes]):
        key_type = pkcs11.KeyType.EC_EDWARDS

    point = pkcs11.Attribute.EC_POINT
    for told, wanted in (
        (bytes(32), bytes(32)),
        (b"\x04\x20" + bytes(32), bytes(32)),
        (b"\x04\x21" + bytes(33), None),
        (b"", None),
    ):
        assert pkcs11_keys._public(Key({point: told})) == wanted


def test_a_refusal_of_a_device_is_a_refusal() -> None:
    assert issubclass(DeviceUnfit, Refusal)
