"""Makes the proofs and checkpoints of this folder: good ones, the others named by their fault.

`python -m tests.golden.proofs.make`, from the root of the repository. Keys, log and case are those
of tests/golden/evidence; equal inputs give equal bytes. `event.json` is the body of the event that
the proofs are about, `kept.checkpoint` what somebody outside kept, `policy.txt` whom they believe.
`expected.json`: by file, the step that must tell the fault, and how.
"""

import base64
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from audit.checkpoint import Checkpoint, cosign
from audit.encoding import timestamp
from audit.entries import leaf_hash, unseal
from audit.note import Note, Signature
from audit.receipt import Receipt, give_receipt
from audit.tlog_proof import Proof
from tests.golden.evidence import make as case

HERE = Path(__file__).parent
SEQ = case.EARLY
BODY = case.bodies()[SEQ - 1]
TREE, PLACES = case.leaves(case.bodies()[:SEQ], case.EARLY_SIZE)
NOTE = case.cosigned(case.checkpoint(TREE))
Fault = tuple[str, str, bytes]


def receipt(hash_: bytes = leaf_hash(BODY), signer: case.KeyForTests = case.RECEIPTS) -> bytes:
    told = Receipt(case.ORIGIN, case.CASE, SEQ, hash_, timestamp(unseal(BODY).at))
    return give_receipt(told, signer).data


def proof() -> Proof:
    return replace(case.proofs(TREE, PLACES, NOTE)[SEQ - 1], extra=receipt())


def bare() -> Proof:
    return replace(proof(), extra=b"")


# --- proofs: name -> (step, outcome, bytes) -------------------------------------------------------


def changed(text: str, by: str) -> bytes:
    data = bare().data.decode()
    assert text in data
    return data.replace(text, by, 1).encode()


def bad_proofs() -> dict[str, Fault]:
    good, path = bare(), bare().path
    flipped = bytes([path[0][0] ^ 1]) + path[0][1:]
    index, size = f"index {good.index}\n", f"\n{case.EARLY_SIZE}\n"
    short = base64.b64encode(path[0][:31]).decode()
    other = case.bodies()[SEQ - 2]
    stranger = case.KeyForTests(case.RECEIPTS.name, word="a key of somebody else")
    return {
        "path_too_short": ("tree", "fails", replace(good, path=path[:-1]).data),
        "path_too_long": ("tree", "fails", replace(good, path=(*path, path[0])).data),
        "path_in_another_order": ("tree", "fails", replace(good, path=path[::-1]).data),
        "hash_changed": ("tree", "fails", replace(good, path=(flipped, *path[1:])).data),
        "index_of_another_leaf": ("tree", "fails", replace(good, index=good.index - 1).data),
        "index_outside_the_tree": ("tree", "fails", replace(good, index=case.EARLY_SIZE).data),
        "index_with_a_zero_before": ("file", "fails", changed(index, f"index 0{good.index}\n")),
        "index_missing": ("file", "fails", changed(index, "")),
        "hash_of_31_bytes": ("file", "fails", changed(base64.b64encode(path[0]).decode(), short)),
        "first_line_of_another_version": ("file", "fails", changed("@v1", "@v2")),
        "no_empty_line": ("file", "fails", changed(f"\n\n{case.ORIGIN}", f"\n{case.ORIGIN}")),
        "extra_not_base64": ("file", "fails", changed("\nindex", "\nextra *\nindex")),
        "size_of_another_tree": ("signature", "fails", changed(size, f"\n{case.EARLY_SIZE + 1}\n")),
        "witness_missing": ("witnesses", "fails", replace(good, note=without_a_witness()).data),
        "signed_by_a_stranger": ("signature", "fails", replace(good, note=of_a_stranger()).data),
        "tree_of_another_log": ("bytes", "fails", replace(good, note=of_another_log()).data),
        "receipt_of_another_event": (
            "promises", "fails", replace(good, extra=receipt(leaf_hash(other))).data,
        ),
        "receipt_by_a_stranger": (
            "promises", "fails", replace(good, extra=receipt(signer=stranger)).data,
        ),
    }  # fmt: skip


# --- checkpoints ----------------------------------------------------------------------------------


def bad_checkpoints() -> dict[str, Fault]:
    text = NOTE.text
    origin, size, root = text.rstrip("\n").split("\n")
    rootless = NOTE.data.replace(root.encode(), base64.b64encode(bytes(32)))
    signed = case.sign_checkpoint  # the log's own key, over whatever text
    return {
        "size_with_a_zero_before": ("file", "fails", said(f"{origin}\n0{size}\n{root}\n")),
        "root_of_31_bytes": ("file", "fails", said(f"{origin}\n{size}\n{root[:-4]}\n")),
        "root_missing": ("file", "fails", said(f"{origin}\n{size}\n")),
        "further_line_that_is_empty": ("file", "fails", said(f"{text}\n")),
        "control_character": ("file", "fails", NOTE.data.replace(b"\n", b"\r\n")),
        "no_signature_lines": ("file", "fails", text.encode()),
        "not_utf_8": ("file", "fails", b"\xff" + NOTE.data),
        "text_changed": ("signature", "fails", rootless),
        "signature_of_another_text": ("signature", "fails", crossed().data),
        "signed_by_a_stranger": ("signature", "fails", of_a_stranger().data),
        "signed_by_another_log": ("signature", "unchecked", of_another_log().data),
        "log_signature_stripped": ("signature", "fails", Note(text, NOTE.signatures[1:]).data),
        "witness_missing": ("witnesses", "fails", without_a_witness().data),
        "stale_witness": ("witnesses", "fails", stale().data),
        "cosigned_at_another_time": ("witnesses", "fails", at_another_time().data),
        "line_of_an_unknown_key": ("witnesses", "unchecked", with_a_stranger().data),
        "forked": (
            "outside", "fails",
            case.cosigned(signed(Checkpoint(origin, int(size), bytes(32)), case.LOG)).data,
        ),
    }  # fmt: skip


def said(text: str) -> bytes:
    """A note of the log over any text at all."""
    signature = Signature(case.LOG.name, case.LOG.key.id, case.LOG.sign(text.encode()))
    return Note(text, (signature,)).data


def without_a_witness() -> Note:
    return Note(NOTE.text, NOTE.signatures[:2])


def of_a_stranger() -> Note:
    note = case.checkpoint(TREE, signer=case.STRANGER)
    return Note(note.text, (*note.signatures, *NOTE.signatures[1:]))


def of_another_log() -> Note:
    return case.cosigned(case.checkpoint(TREE, signer=case.OTHER_LOG))


def crossed() -> Note:
    other = case.checkpoint(TREE[:30])
    return Note(NOTE.text, (*other.signatures, *NOTE.signatures[1:]))


def stale() -> Note:
    older = case.cosigned(case.checkpoint(TREE[:30]))
    return Note(NOTE.text, (NOTE.signatures[0], *older.signatures[1:]))


def at_another_time() -> Note:
    log, first, second = NOTE.signatures
    later = (case.SEALED_AT + 60).to_bytes(8) + first.signature[8:]
    return Note(NOTE.text, (log, Signature(first.name, first.id, later), second))


def with_a_stranger() -> Note:
    nobody = case.KeyForTests("witness.nobody.example", case.DISTRICT.type)
    return NOTE.signed(cosign(NOTE, nobody, at=case.SEALED_AT))


# --- writing --------------------------------------------------------------------------------------


def files() -> dict[str, bytes]:
    """Every file of this folder but this one: name -> bytes."""
    told = {
        "event.json": BODY,
        "good.tlog-proof": bare().data,
        "good_with_receipt.tlog-proof": proof().data,
        "good.checkpoint": NOTE.data,
        "kept.checkpoint": NOTE.data,
    }
    expected = {}
    kinds: tuple[tuple[str, Callable[[], dict[str, Fault]]], ...] = (
        ("tlog-proof", bad_proofs),
        ("checkpoint", bad_checkpoints),
    )
    for suffix, faults in kinds:
        for name, (step, outcome, data) in faults().items():
            told[f"bad_{name}.{suffix}"] = data
            expected[f"bad_{name}.{suffix}"] = {"step": step, "outcome": outcome}
    told["expected.json"] = (json.dumps(expected, indent=1) + "\n").encode()
    for name in ("policy.txt", "tsa.pem"):
        told[name] = (case.HERE / name).read_bytes()
    return told


def main() -> None:
    for old in HERE.iterdir():
        if old.is_dir():
            shutil.rmtree(old)
        elif old.name != Path(__file__).name:
            old.unlink()
    for name, data in files().items():
        (HERE / name).write_bytes(data)


if __name__ == "__main__":
    main()
