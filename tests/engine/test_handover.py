"""An accusation goes to the body that may handle it: readable there, no longer readable here."""

import hmac
from dataclasses import dataclass
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from audit.encoding import decode
from engine.errors import BadInput
from engine.handover import (
    MAGIC,
    Accusation,
    AlreadyHandedOver,
    BadHandover,
    BadPublicKey,
    Handed,
    fetch_file,
    hand_over,
    open_handover,
    take_away,
    waiting_files,
)
from engine.mailbox import NotYoursToRead, read_content, write_as_complainant
from engine.receipt_codes import find
from engine.vault import SealDestroyed, SealMissing, destroyed
from tests.engine.complaint_street import (
    NAME,
    PHONE,
    WORDS,
    Complaint,
    PowerFailure,
    power_failure,
)
from tests.engine.complaint_street import complaint as complaint
from tests.engine.vaults import raw

BODY = "区纪检监察机关（演示）"


@dataclass
class Body:
    """A receiving body with a key of its own, which the street never sees."""

    private: bytes
    public: bytes


@pytest.fixture
def body() -> Body:
    key = X25519PrivateKey.generate()
    return Body(key.private_bytes_raw(), key.public_key().public_bytes_raw())


def handed(complaint: Complaint, body: Body, by: str = "intake", **more: object) -> Handed:
    told = {"name": BODY, "public_key": body.public, **more}
    result: Handed = complaint.read(hand_over, by=by, body=told.pop("name"), **told)
    return result


def accused(complaint: Complaint) -> Complaint:
    return complaint.report("desk").held("intake")


def values(opened: Accusation) -> dict[str, object]:
    return {item.field: item.value for item in opened.items}


def test_the_body_reads_content_and_identity_and_the_street_no_longer_does(
    complaint: Complaint, body: Body
) -> None:
    told = handed(accused(complaint), body)
    opened = open_handover(body.private, told.file)
    assert values(opened) == {"description": WORDS, "name": NAME, "phone": PHONE}
    assert opened.header["case"] == complaint.case
    assert opened.header["log"] == "log.tinglan.example"
    for seal in ("content", "identity"):
        assert destroyed(complaint.vault, f"{complaint.case}/{seal}")
    with pytest.raises(SealDestroyed):
        complaint.read(read_content, by="intake")


def test_the_log_keeps_date_class_body_and_what_names_key_and_file(
    complaint: Complaint, body: Body
) -> None:
    told = handed(accused(complaint), body)
    event = complaint.last("accusation.handed_over")
    assert event.data == {
        "class": "service",
        "body": BODY,
        "date": "2026-03-02",
        "key_id": sha256(body.public).hexdigest(),
        "sha256": sha256(told.file).hexdigest(),
        "bytes": len(told.file),
    }
    gone = [entry.data["subject"] for entry in complaint.all("sealed.destroyed")]
    assert gone == [f"{complaint.case}/content", f"{complaint.case}/identity"]


def test_what_was_written_to_the_mailbox_goes_along(complaint: Complaint, body: Body) -> None:
    accused(complaint)
    with complaint.street.database.begin() as conn:
        write_as_complainant(
            conn, complaint.vault, complaint.case, "还有一事",
            complainant=complaint.complainant, at=complaint.street.at,
        )  # fmt: skip
    opened = open_handover(body.private, handed(complaint, body).file)
    assert values(opened)["mailbox"] == "还有一事"


def test_the_receiver_can_hold_each_answer_against_the_log(
    complaint: Complaint, body: Body
) -> None:
    opened = open_handover(body.private, handed(accused(complaint), body).file)
    form = complaint.all("case.opened")[0].data["form"]
    told = {item.field: (item.event, item.commitment) for item in opened.items}
    assert told == {name: (1, form[name]["sealed"]) for name in ("description", "name", "phone")}


def test_the_complainant_still_finds_the_case_by_the_code(complaint: Complaint, body: Body) -> None:
    handed(accused(complaint), body)
    found = find(complaint.vault, complaint.code)
    assert (found.case, found.key) == (complaint.case, None)


def test_the_sealed_file_waits_in_the_vault_until_it_is_taken_away(
    complaint: Complaint, body: Body
) -> None:
    told = handed(accused(complaint), body)
    assert waiting_files(complaint.vault) == {complaint.case: sha256(told.file).hexdigest()}
    assert fetch_file(complaint.vault, complaint.case) == told.file
    take_away(complaint.vault, complaint.case)
    assert waiting_files(complaint.vault) == {}
    with pytest.raises(SealMissing):
        fetch_file(complaint.vault, complaint.case)


def test_neither_file_nor_vault_shows_a_word(complaint: Complaint, body: Body) -> None:
    told = handed(accused(complaint), body)
    for store in (told.file, raw(complaint.vault)):
        for word in (WORDS, "polterabend", NAME, PHONE):
            assert word.encode() not in store


# --- who, and for whom ----------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["searcher", "keeper", "leader", "watch"])
def test_only_the_holder_of_the_step_hands_over(complaint: Complaint, body: Body, by: str) -> None:
    accused(complaint)
    with pytest.raises(NotYoursToRead):
        handed(complaint, body, by=by)
    assert waiting_files(complaint.vault) == {}
    assert complaint.read(read_content, by="intake").values


@pytest.mark.parametrize("key", [b"", b"short", bytes(31), bytes(32), b"\1" + bytes(31), bytes(33)])
def test_a_key_that_is_none_is_refused_before_anything_is_destroyed(
    complaint: Complaint, body: Body, key: bytes
) -> None:
    accused(complaint)
    with pytest.raises(BadPublicKey):
        handed(complaint, body, public_key=key)
    assert complaint.read(read_content, by="intake").values


def test_the_receiving_body_is_named(complaint: Complaint, body: Body) -> None:
    accused(complaint)
    with pytest.raises(BadInput):
        handed(complaint, body, name=" ")


def test_it_goes_once(complaint: Complaint, body: Body) -> None:
    handed(accused(complaint), body)
    with pytest.raises(AlreadyHandedOver):
        handed(complaint, body)
    assert len(complaint.all("accusation.handed_over")) == 1


def test_sent_twice_with_one_key_it_is_done_once_and_the_file_is_the_same(
    complaint: Complaint, body: Body
) -> None:
    first = handed(accused(complaint), body, key="k")
    second = handed(complaint, body, key="k")
    assert second.done.repeated
    assert second.file == first.file


# --- the power fails ------------------------------------------------------------------------------


def test_a_crash_before_commit_loses_nothing_and_the_next_attempt_goes_on(
    complaint: Complaint, body: Body
) -> None:
    accused(complaint)
    with power_failure(complaint.street), pytest.raises(PowerFailure):
        handed(complaint, body)
    assert complaint.all("accusation.handed_over") == []
    kept = fetch_file(complaint.vault, complaint.case)
    told = handed(complaint, body)
    assert told.file == kept
    assert values(open_handover(body.private, told.file))["name"] == NAME
    assert len(complaint.all("sealed.destroyed")) == 2


def test_after_such_a_crash_it_goes_to_nobody_else(complaint: Complaint, body: Body) -> None:
    accused(complaint)
    with power_failure(complaint.street), pytest.raises(PowerFailure):
        handed(complaint, body)
    other = X25519PrivateKey.generate().public_key().public_bytes_raw()
    with pytest.raises(AlreadyHandedOver):
        handed(complaint, body, public_key=other)
    handed(complaint, body)


# --- the file -------------------------------------------------------------------------------------


def test_no_other_key_opens_it(complaint: Complaint, body: Body) -> None:
    told = handed(accused(complaint), body)
    for wrong in (X25519PrivateKey.generate().private_bytes_raw(), b"", body.private[:31]):
        with pytest.raises(BadHandover):
            open_handover(wrong, told.file)


def test_a_changed_or_cut_file_does_not_open(complaint: Complaint, body: Body) -> None:
    file = handed(accused(complaint), body).file
    header_end = file.index(b"\n", len(MAGIC))
    for place in (0, len(MAGIC) + 3, header_end - 3, header_end, header_end + 5, len(file) - 1):
        changed = bytearray(file)
        changed[place] ^= 1
        with pytest.raises(BadHandover):
            open_handover(body.private, bytes(changed))
    for cut in (b"", MAGIC, file[:header_end], file[: header_end + 20], file[:-1]):
        with pytest.raises(BadHandover):
            open_handover(body.private, cut)


def test_the_file_opens_by_rfc_9180_alone_as_the_page_describes(
    complaint: Complaint, body: Body
) -> None:
    file = handed(accused(complaint), body).file
    end = file.index(b"\n", len(MAGIC)) + 1
    items = decode(rfc_9180_open(body.private, info=file[:end], sealed=file[end:]))
    assert {item["field"] for item in items} == {"description", "name", "phone"}


def rfc_9180_open(private: bytes, *, info: bytes, sealed: bytes) -> bytes:
    """RFC 9180 sections 4.1, 5.1 and 5.2: base mode, written anew from the text."""
    mine, enc = X25519PrivateKey.from_private_bytes(private), sealed[:32]
    shared = mine.exchange(X25519PublicKey.from_public_bytes(enc))
    kem, suite = b"KEM\0\x20", b"HPKE\0\x20\0\x01\0\x02"
    context = enc + mine.public_key().public_bytes_raw()
    eae = labeled_extract(kem, b"", b"eae_prk", shared)
    secret = labeled_expand(kem, eae, b"shared_secret", context, 32)
    told = b"\0" + labeled_extract(suite, b"", b"psk_id_hash", b"")
    told += labeled_extract(suite, b"", b"info_hash", info)
    schedule = labeled_extract(suite, secret, b"secret", b"")
    key = labeled_expand(suite, schedule, b"key", told, 32)
    nonce = labeled_expand(suite, schedule, b"base_nonce", told, 12)
    return AESGCM(key).decrypt(nonce, sealed[32:], b"")


def labeled_extract(suite: bytes, salt: bytes, label: bytes, material: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + material, "sha256")


def labeled_expand(suite: bytes, secret: bytes, label: bytes, info: bytes, length: int) -> bytes:
    told = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return hmac.digest(secret, told + b"\1", "sha256")[:length]
