"""The witness protocol: what is asked, decided and answered, byte by byte as C2SP has it."""

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.checkpoint import cosign, read_checkpoint
from audit.merkle import EMPTY_ROOT
from audit.note import BadSignature, Note, Signature, sign_note
from audit.policy import Policy
from audit.witness import (
    LARGEST_REQUEST,
    MOST_AHEAD,
    BadAnswer,
    BadRequest,
    NotConsistent,
    NotWitnessed,
    OtherRoot,
    OtherSize,
    Seen,
    UnknownKey,
    UnknownLog,
    check_grown,
    check_signed,
    fork_evidence,
    read_answer,
    read_request,
    write_request,
)
from tests.witnessing import ORIGIN, Grown, signer, witness_signer

NOW = 1_800_000_000
LOG = Grown()
FORGED = Grown(history="forged ", fork=5)
KEYS = [LOG.key.key]

# The example of C2SP tlog-witness, as published.
EXAMPLE = """\
old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
"""  # noqa: E501 - bytes of the specification


def seen(size: int, log: Grown = LOG) -> Seen:
    return Seen(size, read_checkpoint(log.note(size)).root) if size else Seen()


def decide(data: bytes, before: Seen) -> Seen:
    request = read_request(data)
    check_signed(request, KEYS)
    return check_grown(request, before)


# --- the request ----------------------------------------------------------------------------------


def test_the_example_of_the_specification_is_read_and_written_byte_for_byte() -> None:
    request = read_request(EXAMPLE.encode())
    assert (request.old, len(request.proof), request.checkpoint.size) == (20852014, 4, 20852163)
    assert len(request.note.signatures) == 2
    assert write_request(request.old, request.proof, request.note) == EXAMPLE.encode()


BAD = {
    "nothing": lambda good: b"",
    "no empty line": lambda good: good.replace(b"\n\n", b"\n"),
    "an old size with a zero before": lambda good: good.replace(b"old 3", b"old 03"),
    "a negative old size": lambda good: good.replace(b"old 3", b"old -3"),
    "no old size": lambda good: good.replace(b"old 3\n", b""),
    "two spaces": lambda good: good.replace(b"old 3", b"old  3"),
    "a line end of another system": lambda good: good.replace(b"old 3\n", b"old 3\r\n"),
    "a hash too short": lambda good: good.replace(b"old 3\n", b"old 3\nAAAA\n"),
    "a hash that is no base64": lambda good: good.replace(
        b"old 3\n", b"old 3\n" + b"*" * 44 + b"\n"
    ),
    "another spelling of the same hash": lambda good: good.replace(
        b"old 3\n", b"old 3\n" + base64.b64encode(bytes(32))[:-2] + b"B=\n"
    ),
    "64 hashes": lambda good: good.replace(
        b"old 3\n", b"old 3\n" + (base64.b64encode(bytes(32)) + b"\n") * 64
    ),
    "no signature": lambda good: good[: good.index("—".encode())],
    "no last line end": lambda good: good[:-1],
    "a size beyond what is counted": lambda good: good.replace(
        b"\n7\n", b"\n9999999999999999999\n"
    ),
    "too much": lambda good: good.replace(
        b"old 3\n", b"old 3\n" + b"A" * LARGEST_REQUEST + b"\n"
    ),
    "not UTF-8": lambda good: good.replace(b"old 3", b"old \xff"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BAD)
def test_a_request_of_another_form_is_answered_400(fault: str) -> None:
    spoilt = BAD[fault](LOG.request(3, 7))
    with pytest.raises(BadRequest) as refused:
        read_request(spoilt)
    assert refused.value.status == 400


def test_a_checkpoint_may_say_more_and_bear_signatures_of_strangers() -> None:
    text = LOG.note(7).text + "说明行\n"
    stranger = signer("stranger.example")
    note = Note(text).signed(sign_note(text, LOG.key), sign_note(text, stranger))
    assert decide(write_request(0, [], note), Seen()).size == 7


def test_more_than_63_hashes_are_never_sent() -> None:
    with pytest.raises(ValueError, match="63"):
        write_request(1, [bytes(32)] * 64, LOG.note(7))


# --- the decision ---------------------------------------------------------------------------------


def test_a_log_that_has_only_grown_is_cosigned_at_every_pair_of_sizes() -> None:
    for old in range(18):
        for new in range(old, 18):
            assert decide(LOG.request(old, new), seen(old)) == (seen(new) if new else Seen())


def test_an_unknown_origin_is_answered_404_and_an_untrusted_key_403() -> None:
    elsewhere = Grown(origin="elsewhere.example", key=signer("elsewhere.example"))
    with pytest.raises(UnknownLog) as unknown:
        decide(elsewhere.request(0, 3), Seen())
    assert unknown.value.status == 404
    impostor = Grown(key=signer(ORIGIN, seed="impostor"))
    with pytest.raises(UnknownKey) as untrusted:
        decide(impostor.request(0, 3), Seen())
    assert untrusted.value.status == 403


def test_a_signature_that_is_not_the_keys_own_is_answered_403() -> None:
    note = LOG.note(7)
    one = note.signatures[0]
    spoilt = Signature(one.name, one.id, bytes(64))
    for signatures in ((spoilt,), (spoilt, one)):
        with pytest.raises(UnknownKey):
            decide(write_request(0, [], Note(note.text, signatures)), Seen())


def test_an_old_size_above_the_new_is_answered_400_whatever_the_witness_knows() -> None:
    for known in (0, 7, 9):
        with pytest.raises(BadRequest):
            decide(LOG.request(9, 7), seen(known))


@pytest.mark.parametrize(("old", "new", "known"), [(0, 7, 3), (3, 7, 5), (5, 5, 9), (3, 3, 0)])
def test_another_old_size_is_answered_409_with_the_size_known(
    old: int, new: int, known: int
) -> None:
    with pytest.raises(OtherSize) as other:
        decide(LOG.request(old, new), seen(known))
    told = other.value
    assert (told.status, told.kind, told.body) == (409, "text/x.tlog.size", f"{known}\n".encode())


def test_another_root_for_the_same_size_is_answered_409_without_a_size() -> None:
    with pytest.raises(OtherRoot) as other:
        decide(FORGED.request(7, 7), seen(7))
    assert other.value.status == 409
    assert other.value.kind != "text/x.tlog.size"


def test_another_history_is_answered_422_with_whatever_proof() -> None:
    proofs = [FORGED.proof(7, 12), LOG.proof(7, 12), [], [bytes(32)]]
    for proof in proofs:
        with pytest.raises(NotConsistent) as inconsistent:
            decide(write_request(7, proof, FORGED.note(12)), seen(7))
        assert inconsistent.value.status == 422


def test_a_proof_from_nothing_is_empty() -> None:
    with pytest.raises(NotConsistent):
        decide(write_request(0, [bytes(32)], LOG.note(7)), Seen())
    assert Seen().root == EMPTY_ROOT


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_whatever_is_sent_the_witness_never_goes_back_and_never_changes_history(
    known: int, old: int, new: int, fork: int
) -> None:
    before = seen(known)
    for log in (LOG, Grown(history="other ", fork=fork)):
        try:
            after = decide(log.request(old, new), before)
        except NotWitnessed:
            continue
        assert after.size >= before.size
        assert log.note(known).text == LOG.note(known).text


# --- the answer -----------------------------------------------------------------------------------

WITNESS = witness_signer()
KEY = WITNESS.key


def answered(note: Note, *, at: int = NOW) -> bytes:
    return cosign(note, WITNESS, at=at).line.encode()


def test_a_cosignature_comes_back_with_its_time() -> None:
    note = LOG.note(7)
    line, at = read_answer(200, "text/plain", answered(note), note, KEY, at=NOW + 2)
    assert at == NOW
    assert line == cosign(note, WITNESS, at=NOW)


def test_of_several_cosignatures_those_of_others_are_passed_over_and_the_latest_counts() -> None:
    note = LOG.note(7)
    other = cosign(note, witness_signer("other.example"), at=NOW).line.encode()
    body = other + answered(note, at=NOW - 9) + answered(note)
    assert read_answer(200, "", body, note, KEY, at=NOW)[1] == NOW


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"OK\n",
        b"\xff\xfe",
        os.urandom(300),
        "— witness.example/district AAAA\n".encode(),
        answered(LOG.note(6)),  # a stale one, over an older checkpoint
        answered(FORGED.note(7)),
        answered(LOG.note(7))[:-1],
        cosign(LOG.note(7), witness_signer("other.example"), at=NOW).line.encode(),
        answered(LOG.note(7)) + answered(LOG.note(6)),
        sign_note(LOG.note(7).text, signer(KEY.name)).line.encode(),  # signed, but no cosignature
    ],
)
def test_anything_else_than_its_cosignature_over_this_checkpoint_is_refused(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        read_answer(200, "text/plain", body, LOG.note(7), KEY, at=NOW)


def test_a_cosignature_from_the_future_is_refused() -> None:
    note = LOG.note(7)
    body = answered(note, at=NOW + MOST_AHEAD)
    assert read_answer(200, "", body, note, KEY, at=NOW)[1] == NOW + MOST_AHEAD
    with pytest.raises(BadAnswer, match="ahead"):
        read_answer(200, "", body, note, KEY, at=NOW - 1)


REFUSED = [
    BadRequest("a"), UnknownKey("b"), UnknownLog("c"), OtherSize(9), OtherRoot("d"),
    NotConsistent("e"),
]  # fmt: skip


@pytest.mark.parametrize("refused", REFUSED, ids=lambda one: type(one).__name__)
def test_every_refusal_is_read_as_it_was_decided(refused: NotWitnessed) -> None:
    with pytest.raises(type(refused)) as read:
        read_answer(refused.status, refused.kind, refused.body, LOG.note(7), KEY, at=NOW)
    assert str(read.value) == str(refused)


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (500, "text/plain", b"oops"),
        (302, "text/html", b""),
        (204, "", b""),
        (409, "text/x.tlog.size", b"-1\n"),
        (409, "text/x.tlog.size", b"12"),
        (409, "text/x.tlog.size", b"9" * 5000 + b"\n"),
    ],
)
def test_other_answers_are_none(status: int, kind: str, body: bytes) -> None:
    with pytest.raises(BadAnswer):
        read_answer(status, kind, body, LOG.note(7), KEY, at=NOW)


def test_what_a_witness_says_cannot_write_on_our_terminal() -> None:
    with pytest.raises(UnknownKey) as refused:
        read_answer(403, "", b"\x1b[2Jno\nmore\n" + b"x" * 10_000, LOG.note(7), KEY, at=NOW)
    assert str(refused.value) == "?[2Jno"


# --- proof of two histories -----------------------------------------------------------------------

POLICY = Policy((LOG.key.key,))


def test_two_roots_for_one_size_under_one_key_are_proof() -> None:
    found = fork_evidence(LOG.note(7), FORGED.note(7), POLICY)
    assert found
    assert (found.key, found.size) == (LOG.key.key, 7)
    assert found.roots[0] != found.roots[1]


def test_anything_less_is_no_proof() -> None:
    assert fork_evidence(LOG.note(7), LOG.note(7), POLICY) is None
    assert fork_evidence(LOG.note(7), FORGED.note(8), POLICY) is None
    assert fork_evidence(LOG.note(7), FORGED.note(7), Policy(())) is None
    unsigned = Note(FORGED.note(7).text)
    assert fork_evidence(LOG.note(7), unsigned, POLICY) is None
    other = Grown(origin="elsewhere.example", key=signer("elsewhere.example"))
    both = Policy((LOG.key.key, other.key.key))
    assert fork_evidence(LOG.note(7), other.note(7), both) is None
    impostor = Grown(history="forged ", key=signer(ORIGIN, seed="impostor"))
    assert fork_evidence(LOG.note(7), impostor.note(7), Policy((*KEYS, impostor.key.key))) is None


def test_a_spoilt_signature_is_no_proof_and_is_said_to_be_spoilt() -> None:
    one = FORGED.note(7).signatures[0]
    spoilt = Note(FORGED.note(7).text, (Signature(one.name, one.id, bytes(64)),))
    with pytest.raises(BadSignature):
        fork_evidence(LOG.note(7), spoilt, POLICY)
