"""Makes the evidence files of this folder: two good ones, the others named by their single fault.

Run it again from the root of the repository after the format or tests/golden/logs has changed:
`python -m tests.golden.evidence.make`. Equal inputs give equal bytes: the keys are derived from
their names, so that everybody can have them, and sign nothing but tests.

`good.json` is the whole case, `early.json` the same case while it had nine events, with a smaller
tree of the same log; the faults are done to `early.json`. Beside them lies what somebody outside
would have: `policy.txt` (whom to believe), `kept.checkpoint` (that of `early.json`),
`last.receipt` (promises the ninth event), `tsa.pem` (who may stamp), and `expected.json`: which
step must tell the fault, and how, to whoever has been given all of these. A verifier may stop at
the file already where that says other than it holds; steps are then several.

"""

import base64
import hashlib
import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from audit.checkpoint import Checkpoint, cosign, open_checkpoint, sign_checkpoint
from audit.encoding import canonical
from audit.entries import leaf_hash
from audit.evidence_file import EvidenceFile, write_evidence
from audit.merkle import levels, root
from audit.note import COSIGNATURE, ED25519, Note, Signature, VerifierKey
from audit.pinned import Calendar, DefinitionSet, listing_digest, sha256
from audit.policy import Policy, Witness, write_policy
from audit.receipt import Receipt, give_receipt
from audit.tlog_proof import Proof, prove
from engine.definitions import digest, read_folder

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
ORIGIN = "log.tinglan.example"
CASE = "workshop-2026-00001"
SEALED_AT = 1772618400  # POSIX seconds: 2026-03-04 18:00 in Shanghai
EARLY, EARLY_SIZE, SIZE = 9, 40, 137
Told = dict[str, Any]


@dataclass(frozen=True)
class KeyForTests:
    """An Ed25519 key that everybody can have: its seed is the SHA-256 of its name and a word."""

    name: str
    type: int = ED25519
    word: str = "a key for tests"

    @property
    def _key(self) -> Ed25519PrivateKey:
        seed = hashlib.sha256(f"{self.word}\n{self.name}".encode()).digest()
        return Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def key(self) -> VerifierKey:
        return VerifierKey(self.name, self.type, self._key.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


LOG = KeyForTests(ORIGIN)
STRANGER = KeyForTests(ORIGIN, word="a key of somebody else")
OTHER_LOG = KeyForTests("log.yanhe.example")
RECEIPTS = KeyForTests(f"{ORIGIN}/receipt")
DISTRICT = KeyForTests("witness.nanyu.example", COSIGNATURE)
ARCHIVE = KeyForTests("witness.archive.example", COSIGNATURE)
WITNESSES = (DISTRICT, ARCHIVE)
POLICY = Policy(
    (LOG.key, RECEIPTS.key),
    (Witness("nanyu", DISTRICT.key), Witness("archive", ARCHIVE.key)),
    {"both": (2, ("nanyu", "archive"))},
    "both",
)


# --- good -----------------------------------------------------------------------------------------


def bodies() -> list[bytes]:
    """The entries of tests/golden/logs/good.jsonl."""
    lines = (HERE.parent / "logs" / "good.jsonl").read_bytes().splitlines()
    return [orjson.loads(line)["body"].encode() for line in lines]


def leaves(entries: list[bytes], size: int) -> tuple[list[bytes], list[int]]:
    """A tree's leaves, three of other cases before each of ours, and where ours stand."""
    tree = [hashlib.sha256(f"leaf {n} of another case".encode()).digest() for n in range(size)]
    places = [3 + 4 * n for n in range(len(entries))]
    for place, body in zip(places, entries, strict=True):
        tree[place] = leaf_hash(body)
    return tree, places


def cosigned(note: Note, at: int = SEALED_AT) -> Note:
    return note.signed(*(cosign(note, one, at=at) for one in WITNESSES))


def checkpoint(tree: list[bytes], *, signer: KeyForTests = LOG) -> Note:
    stored = levels(tree)
    told = Checkpoint(signer.name, len(tree), root(lambda k, n: stored[k][n], len(tree)))
    return sign_checkpoint(told, signer)


def proofs(tree: list[bytes], places: list[int], note: Note) -> list[Proof]:
    stored = levels(tree)
    return [prove(lambda k, n: stored[k][n], place, note) for place in places]


def event(seq: int, body: bytes, proof: str | None) -> Told:
    return {"seq": seq, "hash": leaf_hash(body).hex(), "body": body.decode(), "proof": proof}


def evidence(entries: list[bytes], size: int) -> Told:
    """The evidence file of these entries in a tree of so many leaves, all well."""
    tree, places = leaves(entries, size)
    note = cosigned(checkpoint(tree))
    files = read_folder(ROOT / "tests/golden/bpmn/workshop")
    calendar = (HERE.parent / "logs" / "calendar.toml").read_bytes()
    file = EvidenceFile(
        log=ORIGIN,
        case=CASE,
        bodies=tuple(entries),
        proofs=tuple(proofs(tree, places, note)),
        note=note,
        timestamps=(stamp(note.text),),
        keys=(LOG.key,),
        definitions=(DefinitionSet("workshop", digest(files), files),),
        calendars=(Calendar(1, calendar),),
    )
    told: Told = orjson.loads(write_evidence(file))
    return told


# --- a time-stamping authority of tests -----------------------------------------------------------

TSA_KEY = ec.derive_private_key(
    int.from_bytes(hashlib.sha256(b"a time-stamping key for tests").digest()), ec.SECP256R1()
)
TSA_NAME = "演示时间戳中心（测试）"


def tsa_certificate(key: Any = TSA_KEY) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, TSA_NAME)])
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(31)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256(), ecdsa_deterministic=True if key is TSA_KEY else None)
    )


def stamp(text: str) -> bytes:
    """An RFC 3161 token over the text of a checkpoint, as the authority of tests gives it."""
    return _signed(_token_info(text))


def _token_info(text: str) -> bytes:
    imprint = tsp.MessageImprint({
        "hash_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"}),
        "hashed_message": hashlib.sha256(text.encode()).digest(),
    })  # fmt: skip
    told: bytes = tsp.TSTInfo({
        "version": "v1",
        "policy": "1.3.6.1.4.1.99999.1",
        "message_imprint": imprint,
        "serial_number": 7,
        "gen_time": datetime.fromtimestamp(SEALED_AT, UTC),
    }).dump()  # fmt: skip
    return told


def _signed(info: bytes) -> bytes:
    """CMS SignedData (RFC 5652) around a TSTInfo, by the key above."""
    certificate = asn1_x509.Certificate.load(
        tsa_certificate().public_bytes(serialization.Encoding.DER)
    )
    named = tsp.SigningCertificateV2({
        "certs": [tsp.ESSCertIDv2({"cert_hash": hashlib.sha256(certificate.dump()).digest()})]
    })  # fmt: skip
    attributes = cms.CMSAttributes([
        cms.CMSAttribute({"type": "content_type", "values": ["tst_info"]}),
        cms.CMSAttribute({"type": "message_digest", "values": [hashlib.sha256(info).digest()]}),
        cms.CMSAttribute({"type": "signing_certificate_v2", "values": [named]}),
    ])  # fmt: skip
    by = cms.IssuerAndSerialNumber({"issuer": certificate.issuer, "serial_number": 31})
    scheme = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    signer = cms.SignerInfo({
        "version": "v1",
        "sid": cms.SignerIdentifier({"issuer_and_serial_number": by}),
        "digest_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"}),
        "signed_attrs": attributes,
        "signature_algorithm": algos.SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"}),
        "signature": TSA_KEY.sign(attributes.dump(), scheme),
    })  # fmt: skip
    content = {"content_type": "tst_info", "content": core.ParsableOctetString(info)}
    signed = cms.SignedData({
        "version": "v3",
        "digest_algorithms": [algos.DigestAlgorithm({"algorithm": "sha256"})],
        "encap_content_info": content,
        "certificates": [certificate],
        "signer_infos": [signer],
    })  # fmt: skip
    told: bytes = cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump()
    return told


# --- faults ---------------------------------------------------------------------------------------


def changed_byte(told: Told) -> None:
    one = told["events"][2]
    one["body"] = one["body"].replace('"allowed":240', '"allowed":241')


def hash_of_another_event(told: Told) -> None:
    told["events"][2]["hash"] = told["events"][1]["hash"]


def body_with_a_space(told: Told) -> None:
    _replace(told, 3, told["events"][2]["body"].replace(",", ", ", 1).encode())


def event_dropped(told: Told) -> None:
    del told["events"][3]
    told["count"] -= 1


def events_swapped(told: Told) -> None:
    events = told["events"]
    events[2], events[3] = events[3], events[2]


def event_duplicated(told: Told) -> None:
    told["events"].insert(3, told["events"][2])
    told["count"] += 1


def rechained(told: Told) -> None:
    """Another deadline, every number, link and hash computed anew; the proofs are the old ones."""
    for seq, body in enumerate(_rewritten(told), 1):
        _replace(told, seq, body)
    told["head"] = told["events"][-1]["hash"]


def truncated_tail(told: Told) -> None:
    del told["events"][-2:]


def truncated_tail_told(told: Told) -> None:
    """The file says itself that it is shorter: whoever was promised the last event can tell."""
    truncated_tail(told)
    told["count"], told["head"] = len(told["events"]), told["events"][-1]["hash"]


def forked_tree(told: Told) -> None:
    """Another history in a tree of its own; the signatures are those of the real checkpoint."""
    real = _note(told)
    fork, proved = _other_tree(told)
    note = Note(fork.text, real.signatures)
    _put(told, note, proved(note))


def rewound_and_resigned(told: Told) -> None:
    """What the holder of the log's key can do: another history of the same size, signed. No
    witness that has seen the first one signs the second."""
    fork, proved = _other_tree(told)
    _put(told, fork, proved(fork))
    told["timestamps"] = [_text(stamp(fork.text))]


def stripped_signature(told: Told) -> None:
    _resign(told, lambda note: [one for one in note.signatures if one.name != ORIGIN])


def changed_signature(told: Told) -> None:
    def change(note: Note) -> list[Signature]:
        first, *rest = note.signatures
        flipped = bytes([first.signature[0] ^ 1]) + first.signature[1:]
        return [Signature(first.name, first.id, flipped), *rest]

    _resign(told, change)


def unknown_key(told: Told) -> None:
    stranger = checkpoint(_tree(told), signer=STRANGER)
    _resign(told, lambda note: [*stranger.signatures, *note.signatures[1:]])
    told["keys"][0] = STRANGER.key.vkey


def stale_witness(told: Told) -> None:
    older = cosigned(checkpoint(_tree(told)[:30]))
    _resign(told, lambda note: [note.signatures[0], *older.signatures[1:]])


def witness_missing(told: Told) -> None:
    _resign(told, lambda note: list(note.signatures[:2]))


def cosigned_at_another_time(told: Told) -> None:
    def change(note: Note) -> list[Signature]:
        log, first, second = note.signatures
        later = (SEALED_AT + 3600).to_bytes(8) + first.signature[8:]
        return [log, Signature(first.name, first.id, later), second]

    _resign(told, change)


def changed_definition(told: Told) -> None:
    one = told["definitions"][0]["files"][0]
    one["content"] = _text(base64.b64decode(one["content"]) + b"\n")


def swapped_definition(told: Told) -> None:
    one = told["definitions"][0]
    file = next(file for file in one["files"] if file["name"] == "grade.dmn")
    content = base64.b64decode(file["content"]) + b"\n"
    file["content"], file["sha256"] = _text(content), sha256(content)
    one["sha256"] = listing_digest({file["name"]: file["sha256"] for file in one["files"]})


def swapped_calendar(told: Told) -> None:
    one = told["calendars"][0]
    content = base64.b64decode(one["content"]).replace(b"18:00:00", b"17:00:00")
    one["content"], one["sha256"] = _text(content), sha256(content)


def proof_of_another_leaf(told: Told) -> None:
    told["events"][2]["proof"] = told["events"][3]["proof"]


def wrong_index(told: Told) -> None:
    one = told["events"][2]
    one["proof"] = one["proof"].replace("index 11\n", "index 12\n")


def path_too_short(told: Told) -> None:
    lines = told["events"][2]["proof"].split("\n")
    del lines[2]
    told["events"][2]["proof"] = "\n".join(lines)


def proof_to_another_checkpoint(told: Told) -> None:
    """A true proof, into an older tree than the one the file is about."""
    tree = _tree(told)[:30]
    told["events"][2]["proof"] = proofs(tree, [11], cosigned(checkpoint(tree)))[0].data.decode()


def checkpoint_of_another_log(told: Told) -> None:
    tree = _tree(told)
    note = cosigned(checkpoint(tree, signer=OTHER_LOG))
    _put(told, note, proofs(tree, _places(told), note))
    told["timestamps"], told["keys"] = [_text(stamp(note.text))], [OTHER_LOG.key.vkey]


def log_of_another_name(told: Told) -> None:
    told["log"] = OTHER_LOG.name


def case_of_another_name(told: Told) -> None:
    told["case"] = "workshop-2026-00002"


def timestamp_over_another_checkpoint(told: Told) -> None:
    told["timestamps"] = [_text(stamp(checkpoint(_tree(told)[:30]).text))]


def timestamp_changed(told: Told) -> None:
    """The time in the token is another; the authority's signature is that over the first."""
    token = base64.b64decode(told["timestamps"][0])
    told["timestamps"] = [_text(token.replace(b"20260304100000Z", b"20260204100000Z"))]


def unknown_format(told: Told) -> None:
    told["format"] = "shaoji-evidence/9"


def proof_missing(told: Told) -> None:
    told["events"][-1]["proof"] = None


def proof_missing_between(told: Told) -> None:
    """Entries enter the tree in their order: no later one can be there without this one."""
    told["events"][2]["proof"] = None


def checkpoint_missing(told: Told) -> None:
    told["checkpoint"] = None
    for one in told["events"]:
        one["proof"] = None
    told["timestamps"], told["keys"] = [], []


def member_nobody_knows(told: Told) -> None:
    told["note"] = "可信"


FAULTS: dict[Callable[[Told], None], tuple[str, str]] = {
    # fault: the steps that may tell it, and how
    changed_byte: ("bytes file", "fails"),
    hash_of_another_event: ("bytes file", "fails"),
    body_with_a_space: ("bytes", "fails"),
    event_dropped: ("chain file", "fails"),
    events_swapped: ("chain file", "fails"),
    event_duplicated: ("chain file", "fails"),
    log_of_another_name: ("chain", "fails"),
    case_of_another_name: ("chain", "fails"),
    rechained: ("tree", "fails"),
    truncated_tail: ("file", "fails"),
    truncated_tail_told: ("promises", "fails"),
    forked_tree: ("signature", "fails"),
    rewound_and_resigned: ("outside", "fails"),
    stripped_signature: ("signature", "fails"),
    changed_signature: ("signature", "fails"),
    unknown_key: ("signature", "fails"),
    stale_witness: ("witnesses", "fails"),
    witness_missing: ("witnesses", "fails"),
    cosigned_at_another_time: ("witnesses", "fails"),
    changed_definition: ("pinned file", "fails"),
    swapped_definition: ("pinned", "fails"),
    swapped_calendar: ("pinned", "fails"),
    proof_of_another_leaf: ("tree", "fails"),
    wrong_index: ("tree", "fails"),
    path_too_short: ("tree", "fails"),
    proof_to_another_checkpoint: ("tree", "fails"),
    checkpoint_of_another_log: ("signature", "fails"),
    timestamp_over_another_checkpoint: ("timestamp", "fails"),
    timestamp_changed: ("timestamp", "fails"),
    unknown_format: ("file", "fails"),
    member_nobody_knows: ("file", "fails"),
    proof_missing_between: ("tree", "fails"),
    proof_missing: ("tree", "unchecked"),
    checkpoint_missing: ("tree", "unchecked"),
}  # fmt: skip


def _replace(told: Told, seq: int, body: bytes) -> None:
    told["events"][seq - 1] = event(seq, body, told["events"][seq - 1]["proof"])


def _rewritten(told: Told) -> list[bytes]:
    """The same events, the third with a later deadline, linked anew."""
    written, prev = [], ""
    for one in told["events"]:
        content = orjson.loads(one["body"])
        if content["seq"] == 3:
            content["data"]["due"] = "2026-04-01T00:00:00.000Z"
        body = canonical({**content, "prev": prev})
        prev = leaf_hash(body).hex()
        written.append(body)
    return written


def _other_tree(told: Told) -> tuple[Note, Callable[[Note], list[Proof]]]:
    rechained(told)
    tree = _tree(told)
    return checkpoint(tree), lambda note: proofs(tree, _places(told), note)


def _tree(told: Told) -> list[bytes]:
    return leaves([one["body"].encode() for one in told["events"]], EARLY_SIZE)[0]


def _places(told: Told) -> list[int]:
    return [3 + 4 * n for n in range(len(told["events"]))]


def _note(told: Told) -> Note:
    return open_checkpoint(told["checkpoint"].encode())[0]


def _resign(told: Told, change: Callable[[Note], list[Signature]]) -> None:
    """Other signature lines under the same checkpoint, everywhere it stands in the file."""
    note = Note(_note(told).text, tuple(change(_note(told))))
    _put(told, note, proofs(_tree(told), _places(told), note))


def _put(told: Told, note: Note, proved: list[Proof]) -> None:
    told["checkpoint"] = note.data.decode()
    for one, proof in zip(told["events"], proved, strict=True):
        one["proof"] = proof.data.decode()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


# --- files ----------------------------------------------------------------------------------------


def main() -> None:
    """Write every file anew."""
    entries = bodies()
    early = evidence(entries[:EARLY], EARLY_SIZE)
    write("good", evidence(entries, SIZE))
    write("early", early)
    for fault in FAULTS:
        bad = deepcopy(early)
        fault(bad)
        write(f"bad_{fault.__name__}", bad)
    outside(early)


def outside(early: Told) -> None:
    """What somebody has who does not trust the file."""
    (HERE / "policy.txt").write_text(write_policy(POLICY), encoding="utf-8")
    (HERE / "kept.checkpoint").write_text(early["checkpoint"], encoding="utf-8")
    last = orjson.loads(early["events"][-1]["body"])
    promised = bytes.fromhex(early["events"][-1]["hash"])
    receipt = Receipt(ORIGIN, CASE, last["seq"], promised, last["at"])
    (HERE / "last.receipt").write_bytes(give_receipt(receipt, RECEIPTS).data)
    expected = {
        f"bad_{fault.__name__}": {"steps": steps.split(), "outcome": outcome}
        for fault, (steps, outcome) in FAULTS.items()
    }
    pem = tsa_certificate().public_bytes(serialization.Encoding.PEM)
    (HERE / "tsa.pem").write_bytes(pem)
    told = json.dumps(expected, indent=1) + "\n"
    (HERE / "expected.json").write_text(told, encoding="utf-8")


def write(name: str, told: Told) -> None:
    data = orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    (HERE / f"{name}.json").write_bytes(data)


if __name__ == "__main__":
    main()
