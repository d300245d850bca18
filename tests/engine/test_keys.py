"""Keys of a log: made once, whole, one for each purpose, and refused where they are not right."""

import os
import stat
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509 import load_der_x509_certificate

from audit.note import COSIGNATURE, Note, check_note, sign_note
from audit.policy import NONE, Policy, read_policy
from engine.errors import BadInput
from engine.key_files import KeyOpen, KeyUnfit, NoKey, new_private, signer, write_once, write_over
from engine.keys import (
    AnotherWitness,
    KeysAlike,
    OriginUnfit,
    Places,
    PolicyUnfit,
    is_origin,
    make_keys,
    make_witness_key,
    open_keys,
    open_witness,
)
from engine.seal_key import SealUnsafe

ORIGIN = "log.tinglan.example"
STREET = "听澜街道"
AT = datetime(2026, 3, 2, 1, tzinfo=UTC)
ALL = ("checkpoint.key", "receipt.key", "seal.key", "seal.pem", "policy.txt")


def made(folder: Path) -> Places:
    places = Places(folder / "keys")
    make_keys(places, ORIGIN, STREET, at=AT)
    return places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return made(tmp_path)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- making ---------------------------------------------------------------------------------------


def test_all_keys_are_made_at_once_and_none_a_second_time(tmp_path: Path) -> None:
    places = Places(tmp_path / "var" / "keys")
    assert make_keys(places, ORIGIN, STREET, at=AT) == ALL
    before = contents(places)
    assert make_keys(places, ORIGIN, "另一个街道", at=AT) == ()
    assert contents(places) == before


def test_private_keys_are_for_their_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        places = made(tmp_path)
    finally:
        os.umask(before)
    assert mode(places.folder) == 0o700
    assert {name: mode(places.folder / name) for name in ALL} == {
        "checkpoint.key": 0o600, "receipt.key": 0o600, "seal.key": 0o600,
        "seal.pem": 0o644, "policy.txt": 0o644,
    }  # fmt: skip


def test_each_key_bears_the_name_of_its_purpose_and_signs_under_it(places: Places) -> None:
    keys = open_keys(places, ORIGIN)
    assert keys.checkpoint
    assert keys.receipt
    assert (keys.checkpoint.key.name, keys.receipt.key.name) == (ORIGIN, f"{ORIGIN}/receipt")
    note = Note("text\n").signed(sign_note("text\n", keys.checkpoint))
    assert check_note(note, [keys.checkpoint.key, keys.receipt.key]) == [keys.checkpoint.key]
    assert keys.checkpoint_signers == (keys.checkpoint,)


def test_the_seal_is_that_of_the_street(places: Places) -> None:
    seal = open_keys(places, ORIGIN).seal
    assert seal
    certificate = load_der_x509_certificate(seal.certificate)
    assert STREET in certificate.subject.rfc4514_string()
    assert certificate.not_valid_before_utc == AT


def test_the_policy_believes_the_log_and_says_how_to_add_witnesses(places: Places) -> None:
    keys = open_keys(places, ORIGIN)
    assert keys.checkpoint
    text = places.policy.read_text(encoding="utf-8")
    assert text.endswith(f"log {keys.checkpoint.key.vkey}\nquorum none\n")
    assert "shaoji witness" in text
    assert read_policy(text) == keys.policy
    assert keys.policy.quorum == NONE


def test_the_policy_tells_how_to_add_a_witness_in_words_that_are_understood(
    places: Places, tmp_path: Path
) -> None:
    told = places.policy.read_text(encoding="utf-8")
    vkeys = [make_witness_key(tmp_path / name, name).key.vkey for name in ("district", "city")]
    examples = [line.removeprefix("#   ") for line in told.split("\n") if line.startswith("#   ")]
    for vkey in vkeys:
        examples = "\n".join(examples).replace("<vkey>", vkey, 1).split("\n")
    policy = told.replace("\nquorum none", "".join(f"\n{line}" for line in examples))
    assert [one.name for one in read_policy(policy).witnesses] == ["district", "city"]


@pytest.mark.parametrize("missing", ALL)
def test_a_run_that_was_cut_short_is_gone_on_with(places: Places, missing: str) -> None:
    before = contents(places)
    (places.folder / missing).unlink()
    if missing == "checkpoint.key":
        places.policy.unlink()
    if missing == "seal.key":
        places.certificate.unlink()
    again = make_keys(places, ORIGIN, STREET, at=AT)
    assert missing in again
    kept = set(ALL) - set(again)
    assert {name: before[name] for name in kept} == {n: contents(places)[n] for n in kept}
    if missing in ("seal.pem", "policy.txt"):
        assert contents(places) == before


def test_a_lost_checkpoint_key_is_not_made_anew_where_the_policy_names_it(places: Places) -> None:
    Path(places.checkpoint).unlink()
    assert make_keys(places, ORIGIN, STREET, at=AT) == ()
    assert open_keys(places, ORIGIN).checkpoint is None


def test_a_lost_seal_is_not_made_anew_where_its_certificate_is(places: Places) -> None:
    before = places.certificate.read_bytes()
    Path(places.seal).unlink()
    assert make_keys(places, ORIGIN, STREET, at=AT) == ()
    assert open_keys(places, ORIGIN).seal is None
    assert places.certificate.read_bytes() == before
    places.certificate.rename(places.folder / "seal.2026.pem")
    assert make_keys(places, ORIGIN, STREET, at=AT) == ("seal.key", "seal.pem")


def test_of_several_processes_each_file_is_made_by_one_and_all_fit(tmp_path: Path) -> None:
    folders = [tmp_path / str(n) for n in range(5)]
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        for folder in folders:
            told = [pool.submit(make_keys, Places(folder), ORIGIN, STREET, at=AT) for _ in range(4)]
            names = [name for one in told for name in one.result()]
            assert sorted(names) == sorted(ALL)
            assert sorted(path.name for path in folder.iterdir()) == sorted(ALL)
            assert open_keys(Places(folder), ORIGIN).checkpoint


def test_of_several_threads_each_file_is_made_by_one_and_all_fit(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for n in range(10):
            places = Places(tmp_path / str(n))
            make = partial(make_keys, places, ORIGIN, STREET, at=AT)
            names = [name for told in pool.map(lambda _: make(), range(8)) for name in told]  # noqa: B023 - awaited here
            assert sorted(names) == sorted(ALL)
            assert open_keys(places, ORIGIN).seal


def test_keys_are_drawn_and_never_the_same(tmp_path: Path) -> None:
    one, other = contents(made(tmp_path / "a")), contents(made(tmp_path / "b"))
    assert all(one[name] != other[name] for name in ALL)


@pytest.mark.parametrize(
    "origin", ["", "a b", "a+b", "a\nb", "a\u3000b", "shaoji-receipt/v1", "shaoji-receipts.example"]
)
def test_a_log_whose_name_no_key_can_bear_gets_no_keys(tmp_path: Path, origin: str) -> None:
    assert not is_origin(origin)
    with pytest.raises(OriginUnfit) as refused:
        make_keys(Places(tmp_path / "keys"), origin, STREET, at=AT)
    assert "shaoji-receipt" in refused.value.chinese
    assert not (tmp_path / "keys").exists()


def test_a_chinese_name_is_a_name(tmp_path: Path) -> None:
    assert is_origin("日志.听澜街道")
    make_keys(Places(tmp_path), "日志.听澜街道", STREET, at=AT)
    assert open_keys(Places(tmp_path), "日志.听澜街道").checkpoint


def test_keys_may_lie_elsewhere(tmp_path: Path) -> None:
    other = tmp_path / "sequencer"
    other.mkdir()
    places = Places(
        tmp_path / "keys", str(other / "cp.key"), str(other / "r.key"), str(other / "s.key"),
        other / "who.txt",
    )  # fmt: skip
    assert make_keys(places, ORIGIN, STREET, at=AT) == (
        "cp.key", "r.key", "s.key", "s.pem", "who.txt",
    )  # fmt: skip
    keys = open_keys(places, ORIGIN)
    assert keys.checkpoint
    assert keys.seal
    assert keys.policy.logs == (keys.checkpoint.key,)
    assert list((tmp_path / "keys").iterdir()) == []


def test_a_file_is_made_whole_or_not_at_all_and_never_over_another(tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    assert write_once(path, b"first", 0o600)
    assert not write_once(path, b"second", 0o600)
    assert path.read_bytes() == b"first"
    write_over(path, b"third", 0o600)
    assert path.read_bytes() == b"third"
    assert list(tmp_path.iterdir()) == [path]


# --- opening --------------------------------------------------------------------------------------


def test_a_process_opens_what_it_holds_and_has_none_of_the_rest(places: Places) -> None:
    Path(places.checkpoint).unlink()
    Path(places.seal).unlink()
    keys = open_keys(places, ORIGIN)
    assert (keys.checkpoint, keys.seal, keys.next) == (None, None, None)
    assert keys.receipt
    assert keys.policy.logs
    assert keys.checkpoint_signers == ()


def test_without_any_key_nobody_signs_and_nobody_is_believed(tmp_path: Path) -> None:
    keys = open_keys(Places(tmp_path), ORIGIN)
    assert (keys.checkpoint, keys.receipt, keys.seal) == (None, None, None)
    assert keys.policy == Policy(())


def test_a_key_of_another_user_is_not_there_for_this_process(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Path.open

    def of_others(path: Path, mode: str = "r", **more: str) -> object:
        if path == places.checkpoint:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, mode, **more)  # type: ignore[call-overload]

    # Root, as whom tests may run, is never denied anything.
    monkeypatch.setattr(Path, "open", of_others)
    keys = open_keys(places, ORIGIN)
    assert keys.checkpoint is None
    assert keys.receipt


@pytest.mark.parametrize("name", ["checkpoint.key", "receipt.key", "seal.key"])
@pytest.mark.parametrize("bits", [0o640, 0o604, 0o660, 0o610])
def test_a_key_others_may_read_is_refused_with_the_remedy(
    places: Places, name: str, bits: int
) -> None:
    (places.folder / name).chmod(bits)
    with pytest.raises(KeyOpen, match=f"chmod 600 {places.folder / name}"):
        open_keys(places, ORIGIN)


def test_what_counts_is_the_file_behind_a_link(places: Places, tmp_path: Path) -> None:
    path, real = Path(places.checkpoint), tmp_path / "secret"
    path.rename(real)
    path.symlink_to(real)
    assert open_keys(places, ORIGIN).checkpoint
    real.chmod(0o644)
    with pytest.raises(KeyOpen):
        open_keys(places, ORIGIN)


def encrypted() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )


def p256() -> bytes:
    return generate_private_key(SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (lambda: b"", "不是私钥或已损坏"),
        (lambda: b"\x00\xff", "不是私钥或已损坏"),
        (lambda: new_private()[:70], "不是私钥或已损坏"),
        (lambda: new_private().replace(b"PRIVATE", b"PUBLIC"), "不是私钥或已损坏"),
        (encrypted, "设了口令"),
        (p256, "不是 Ed25519"),
    ],
)
def test_a_file_that_holds_no_such_key_is_refused(
    places: Places, content: Callable[[], bytes], told: str
) -> None:
    path = Path(places.receipt)
    path.write_bytes(content())
    with pytest.raises(KeyUnfit, match=told) as refused:
        open_keys(places, ORIGIN)
    assert str(path) in refused.value.chinese
    assert str(path) in refused.value.english


def test_a_folder_in_the_place_of_a_key_is_refused(places: Places) -> None:
    Path(places.receipt).unlink()
    Path(places.receipt).mkdir(mode=0o700)
    with pytest.raises(KeyUnfit, match="读不出来"):
        open_keys(places, ORIGIN)


def test_a_key_that_is_not_there_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NoKey, match="shaoji keys init"):
        signer(tmp_path / "x.key", ORIGIN)


def test_one_key_for_two_purposes_is_refused(places: Places) -> None:
    Path(places.receipt).write_bytes(Path(places.checkpoint).read_bytes())
    with pytest.raises(KeysAlike, match="checkpoint 和 receipt"):
        open_keys(places, ORIGIN)


def test_the_witness_has_a_key_of_its_own(places: Places) -> None:
    (places.folder / "witness.key").write_bytes(Path(places.checkpoint).read_bytes())
    (places.folder / "witness.key").chmod(0o600)
    make_witness_key(places.folder, "district")
    with pytest.raises(KeysAlike, match="checkpoint 和 witness"):
        open_keys(places, ORIGIN)


def test_the_key_that_takes_over_is_another_one(places: Places) -> None:
    write_once(places.next, Path(places.checkpoint).read_bytes(), 0o600)
    with pytest.raises(KeysAlike, match=r"checkpoint\.next"):
        open_keys(places, ORIGIN)


def test_a_key_the_policy_does_not_know_is_refused_because_nobody_would_believe_it(
    places: Places,
) -> None:
    Path(places.checkpoint).write_bytes(new_private())
    with pytest.raises(PolicyUnfit, match="不会相信") as refused:
        open_keys(places, ORIGIN)
    vkey = signer(places.checkpoint, ORIGIN).key.vkey
    assert f"log {vkey}" in refused.value.chinese
    assert f"log {vkey}" in refused.value.english


def test_the_keys_of_another_log_are_refused(places: Places) -> None:
    for use in (open_keys, partial(make_keys, organisation=STREET, at=AT)):
        with pytest.raises(PolicyUnfit, match="SHAOJI_KEYS_DIR"):
            use(places, "log.other.example")


@pytest.mark.parametrize("text", ["", "log x\n", "quorum nobody\n", "quorum none\nnonsense\n"])
def test_a_policy_that_is_none_is_refused(places: Places, text: str) -> None:
    places.policy.write_text(text, encoding="utf-8")
    with pytest.raises(PolicyUnfit, match=r"policy\.txt"):
        open_keys(places, ORIGIN)


def test_a_policy_that_is_no_text_is_refused(places: Places) -> None:
    places.policy.write_bytes(b"\xff\xfe")
    with pytest.raises(PolicyUnfit):
        open_keys(places, ORIGIN)


def test_a_seal_without_its_certificate_is_refused(places: Places) -> None:
    places.certificate.unlink()
    with pytest.raises(KeyUnfit, match="证书"):
        open_keys(places, ORIGIN)


def test_a_seal_with_the_certificate_of_another_is_refused(places: Places, tmp_path: Path) -> None:
    other = made(tmp_path / "other")
    places.certificate.write_bytes(other.certificate.read_bytes())
    with pytest.raises(SealUnsafe):
        open_keys(places, ORIGIN)


def test_a_private_key_is_never_told(places: Places) -> None:
    keys = open_keys(places, ORIGIN)
    assert "private" not in repr(keys.checkpoint)
    assert "private" not in repr(keys.seal)


# --- witnesses ------------------------------------------------------------------------------------


def test_a_witness_has_a_key_of_the_witnesses_type_and_keeps_its_name(tmp_path: Path) -> None:
    first = make_witness_key(tmp_path / "keys", "district")
    assert (first.key.name, first.key.type) == ("district", COSIGNATURE)
    assert make_witness_key(tmp_path / "keys", "district").key == first.key
    assert open_witness(tmp_path / "keys").key == first.key
    assert mode(tmp_path / "keys" / "witness.key") == 0o600
    with pytest.raises(AnotherWitness, match="district"):
        make_witness_key(tmp_path / "keys", "city")
    assert open_witness(tmp_path / "keys").key == first.key


def test_the_making_of_a_witness_that_was_cut_short_is_gone_on_with(tmp_path: Path) -> None:
    first = make_witness_key(tmp_path, "district")
    (tmp_path / "witness.vkey").unlink()
    assert make_witness_key(tmp_path, "district").key == first.key


@pytest.mark.parametrize("name", ["", "a b", "a+b"])
def test_a_witness_of_no_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput):
        make_witness_key(tmp_path, name)


def test_a_witness_that_is_damaged_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoKey):
        open_witness(tmp_path)
    make_witness_key(tmp_path, "district")
    vkey = tmp_path / "witness.vkey"
    told = vkey.read_text(encoding="ascii")
    vkey.write_text("nonsense", encoding="ascii")
    with pytest.raises(KeyUnfit, match="不是公钥"):
        open_witness(tmp_path)
    vkey.write_text(told, encoding="ascii")
    (tmp_path / "witness.key").write_bytes(new_private())
    with pytest.raises(KeyUnfit, match="不是一对"):
        open_witness(tmp_path)


def contents(places: Places) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in places.folder.iterdir()}


def test_places_are_told_by_their_settings() -> None:
    places = Places(Path("keys"))
    assert replace(places, other_checkpoint="/s/cp.key").next == Path("/s/cp.next.key")
    assert places.next == Path("keys/checkpoint.next.key")
    device = replace(places, other_seal="pkcs11:token=x;object=y?module-path=/l.so")
    assert device.certificate == Path("keys/seal.pem")
