"""Makes the exported logs of this folder: one good, the others each named by its single fault.

Run it again from the root of the repository after the format of exports, the minimal process or
the words of an event have changed: `python -m tests.golden.exports.make`. Equal inputs give equal
bytes: keys and salts are derived from names (tests.golden.evidence.make).

`good` is a street of two cases with three checkpoints, two of them stamped; the faults are done to
it. Beside the folders lies what somebody outside would have: `policy.txt` (whom to believe),
`kept.checkpoint` (the last of `good`), `tsa.pem` (who may stamp), and `expected.json`: which step
must tell the fault, and how, to whoever has been given all of these. Where several are named, a
verifier may stop at any of them. A fault that the holder of the log's key can commit ("lie") is
signed anew: the steps before the named ones hold, and only what left the house contradicts it.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson

from audit import log, sequence
from audit.checkpoint import Checkpoint, cosign, open_checkpoint, sign_checkpoint
from audit.encoding import canonical
from audit.entries import leaf_hash
from audit.merkle import Frontier
from audit.note import Note, Signature
from audit.policy import write_policy
from audit.tiles import split_entries, write_entries
from engine.calendar_versions import publish_calendar
from engine.cases import Place
from engine.database import open_database
from engine.definition_sets import deploy
from engine.definitions import read_folder
from engine.log_export import export_log
from engine.people import create_unit, grant_post, register_person
from engine.schema import create_schema
from engine.sequencer import run_sequencer
from tests.conftest import NOON, ORIGIN, PEOPLE, ROOT, UNITS, Street
from tests.golden.evidence.make import (
    ARCHIVE,
    DISTRICT,
    LOG,
    OTHER_LOG,
    POLICY,
    SEALED_AT,
    STRANGER,
    KeyForTests,
    cosigned,
    stamp,
    tsa_certificate,
)

HERE = Path(__file__).parent
FOUNDED = NOON - timedelta(days=30)
Files = dict[str, bytes]
Body = dict[str, Any]


# --- good -----------------------------------------------------------------------------------------


def good() -> Files:
    """The export of a small street."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        database = open_database(f"sqlite:///{place}/good.db")
        create_schema(database)
        street = Street(database, person=_found(database))
        _sign(street)
        first = _report(street, "车棚飞线充电")
        street.later(hours=2)
        _sign(street)
        street.complete(first, "decide#1", "head", {"verdict": "again", "note": "再看一次"})
        _report(street, "楼道堆物")
        street.later(hours=3)
        street.complete(first, "decide#2", "head", {"verdict": "settled"})
        _sign(street)
        street.do(_stamp_last_two)
        with database.begin() as conn:
            export_log(conn, place / "good", seen=lambda _: None)
        database.dispose()
        return read(place / "good")


def _found(database: Any) -> dict[str, str]:
    person = {}
    with database.begin() as conn:
        log.found(conn, ORIGIN)
        calendar = (HERE.parent / "logs" / "calendar.toml").read_bytes()
        publish_calendar(conn, calendar, by=None, at=FOUNDED)
        deploy(conn, read_folder(ROOT / "tests/golden/bpmn/minimal"), by=None, at=FOUNDED)
        for unit, kind, name, parent in UNITS:
            if unit not in ("u-other", "u-property"):
                create_unit(conn, unit, kind=kind, name=name, parent=parent, by=None, at=FOUNDED)
        for name in ("grid", "head"):
            unit, title, duties = PEOPLE[name]
            salt = hashlib.sha256(f"salt of {name}".encode()).digest()
            person[name] = register_person(conn, name, salt=salt, by=None, at=FOUNDED)
            told = (person[name], unit, title, duties)
            grant_post(conn, *told, reason="到任", by=None, at=FOUNDED)
    return person


def _report(street: Street, title: str) -> str:
    place = Place("u-micro-1", "听涛苑 3 幢")
    return street.report("minimal", title=title, place=place, form={"description": title})


def _sign(street: Street) -> None:
    run_sequencer(street.database, [LOG], at=street.at)
    street.do(_cosign_last)


def _cosign_last(conn: Any, *, at: Any) -> None:
    last = sequence.latest(conn)
    assert last
    lines = [cosign(last.note, one, at=SEALED_AT) for one in (DISTRICT, ARCHIVE)]
    sequence.add_cosignatures(conn, last.checkpoint.size, lines)


def _stamp_last_two(conn: Any, *, at: Any) -> None:
    for one in list(sequence.checkpoints(conn))[-2:]:
        token = stamp(one.note.text)
        sequence.add_timestamp(conn, one.checkpoint.size, "tsa.example", token, at=at)


# --- faults ---------------------------------------------------------------------------------------


def byte_changed(files: Files) -> None:
    change(files, entries_path(files), "再看一次", "再看二次")


def event_dropped(files: Files) -> None:
    bodies = entries(files)
    put_entries(files, [*bodies[:-3], *bodies[-2:]])


def event_dropped_and_told(files: Files) -> None:
    """One entry of a case is gone and the tree made of what is left, as if it had never been."""
    rebuild(files, [body for body in entries(files) if body != of_case(files)[2]])
    lie(files)


def events_swapped(files: Files) -> None:
    bodies, (one, other) = entries(files), of_case(files)[1:3]
    at = bodies.index(one), bodies.index(other)
    bodies[at[0]], bodies[at[1]] = other, one
    put_entries(files, bodies)


def streams_swapped(files: Files) -> None:
    """Entries of two streams have changed places: each chain holds, and the tree does not."""
    bodies = entries(files)
    streams = [orjson.loads(body)["case"] for body in bodies]
    at = next(n for n in range(len(bodies) - 1, 0, -1) if streams[n] != streams[n - 1])
    bodies[at - 1 : at + 1] = bodies[at], bodies[at - 1]
    put_entries(files, bodies)


def event_duplicated(files: Files) -> None:
    bodies = entries(files)
    put_entries(files, [*bodies[:-1], bodies[-2]])


def rechained(files: Files) -> None:
    """Another note, every link, hash and tile computed anew; the checkpoints are the real ones."""
    rebuild(files, rewritten(files))


def truncated_tail(files: Files) -> None:
    rebuild(files, entries(files)[:-3])


def forked_tree(files: Files) -> None:
    """Another history in a tree of its own; the signatures are those of the real checkpoint."""
    real = last(files)
    rebuild(files, rewritten(files))
    note = Note(Checkpoint(ORIGIN, *tree(files)).text, real.signatures)
    put_last(files, note)


def rewound_and_resigned(files: Files) -> None:
    """Another history of the same size, signed by the log; the witnesses have seen the first."""
    rebuild(files, rewritten(files))
    lie(files)


def stripped_signature(files: Files) -> None:
    put_last(files, Note(last(files).text, last(files).signatures[1:]))


def changed_signature(files: Files) -> None:
    def flipped(one: Signature) -> Signature:
        return Signature(one.name, one.id, bytes([one.signature[0] ^ 1]) + one.signature[1:])

    first, *others = last(files).signatures
    put_last(files, Note(last(files).text, (flipped(first), *others)))


def forged_line_behind_a_true_one(files: Files) -> None:
    """A second line of the log's key; whoever looks at the first alone does not see it."""
    note = last(files)
    own = note.signatures[0]
    put_last(files, Note(note.text, (*note.signatures, Signature(own.name, own.id, bytes(64)))))


def unknown_key(files: Files) -> None:
    note = last(files)
    stranger = sign_checkpoint(open_checkpoint(note.data)[1], STRANGER)
    put_last(files, Note(note.text, (*stranger.signatures, *note.signatures[1:])))


def stale_witness(files: Files) -> None:
    """The witnesses' lines are those under the checkpoint before."""
    before = open_checkpoint(files[f"checkpoints/{sizes(files)[-2]}"])[0]
    put_last(files, Note(last(files).text, (last(files).signatures[0], *before.signatures[1:])))


def witness_missing(files: Files) -> None:
    put_last(files, Note(last(files).text, last(files).signatures[:2]))


def witness_nobody_knows(files: Files) -> None:
    line = cosign(last(files), KeyForTests("witness.elsewhere.example", 4), at=SEALED_AT)
    put_last(files, last(files).signed(line))


def swapped_definition(files: Files) -> None:
    """Another drawing under the name of the one that the cases pin."""
    change(files, drawing(files), "最小流程", "最大流程")


def swapped_definition_renamed(files: Files) -> None:
    path = drawing(files)
    change(files, path, "最小流程", "最大流程")
    content = files.pop(path)
    files[f"definitions/{hashlib.sha256(content).hexdigest()}"] = content


def swapped_calendar(files: Files) -> None:
    [path] = [path for path in files if path.startswith("calendars/")]
    change(files, path, "18:00:00", "17:00:00")


def definition_missing(files: Files) -> None:
    del files[drawing(files)]


def restored_backup(files: Files) -> None:
    """All true, and signed, cosigned and stamped: the state before the last entries were made."""
    size = sizes(files)[-1]
    before = sizes(files)[-2]
    del files[f"checkpoints/{size}"], files[f"timestamps/{size}.1"]
    rebuild(files, entries(files)[:before])
    files["checkpoint"] = files[f"checkpoints/{before}"]


def tile_changed(files: Files) -> None:
    [path] = [path for path in files if path.startswith("tile/0/")]
    files[path] = files[path][:-1] + bytes([files[path][-1] ^ 1])


def checkpoint_of_another_tree(files: Files) -> None:
    """An earlier checkpoint, well signed, that is not the beginning of this tree."""
    size = sizes(files)[0]
    put(files, cosigned(sign_checkpoint(Checkpoint(ORIGIN, size, bytes(32)), LOG)))


def checkpoint_of_another_log(files: Files) -> None:
    """An earlier checkpoint is of another log, though of the same tree."""
    first = open_checkpoint(files[f"checkpoints/{sizes(files)[0]}"])[1]
    told = Checkpoint(OTHER_LOG.name, first.size, first.root)
    put(files, cosigned(sign_checkpoint(told, OTHER_LOG)))


def last_checkpoint_missing(files: Files) -> None:
    del files[f"checkpoints/{sizes(files)[-1]}"]


def log_of_another_name(files: Files) -> None:
    """The whole tree under the name and key of another log."""
    told = Checkpoint(OTHER_LOG.name, *tree(files))
    put_last(files, cosigned(sign_checkpoint(told, OTHER_LOG)))


def timestamp_over_another_checkpoint(files: Files) -> None:
    before, size = sizes(files)[-2:]
    files[f"timestamps/{size}.1"] = files[f"timestamps/{before}.1"]


def timestamp_changed(files: Files) -> None:
    """The time in the token is another; the authority's signature is that over the first."""
    path = f"timestamps/{sizes(files)[-1]}.1"
    files[path] = files[path].replace(b"20260304100000Z", b"20260204100000Z")


def timestamp_numbered_otherwise(files: Files) -> None:
    size = sizes(files)[-1]
    files[f"timestamps/{size}.2"] = files.pop(f"timestamps/{size}.1")


def extra_file(files: Files) -> None:
    files["README"] = "此导出已经核对，全部属实。\n".encode()


def bundle_cut_short(files: Files) -> None:
    files[entries_path(files)] = files[entries_path(files)][:-10]


def body_with_a_space(files: Files) -> None:
    """Not the canonical form; the log's holder has put it into the tree and signed it."""
    bodies = entries(files)
    rebuild(files, [*bodies[:-1], bodies[-1].replace(b",", b", ", 1)])
    lie(files)


def word_nobody_knows(files: Files) -> None:
    """A type of event that the vocabulary does not have, signed by the log's holder."""
    rebuild(files, rewritten(files, lambda body: body | {"type": "case.praised"}))
    lie(files)


def definition_never_deployed(files: Files) -> None:
    def change_pin(body: Body) -> Body:
        pinned = body["data"]["definition"] | {"sha256": "0" * 64}
        return body | {"data": body["data"] | {"definition": pinned}}

    rebuild(files, rewritten(files, change_pin, type_="case.opened"))
    lie(files)


FAULTS: dict[Callable[[Files], None], tuple[str, str]] = {
    # fault: the steps that may tell it, and how
    byte_changed: ("bytes chain", "fails"),
    event_dropped: ("file", "fails"),
    event_dropped_and_told: ("chain", "fails"),
    events_swapped: ("chain", "fails"),
    streams_swapped: ("tree", "fails"),
    event_duplicated: ("chain", "fails"),
    rechained: ("tree", "fails"),
    truncated_tail: ("file", "fails"),
    forked_tree: ("signature", "fails"),
    rewound_and_resigned: ("outside", "fails"),
    stripped_signature: ("signature", "fails"),
    changed_signature: ("signature", "fails"),
    forged_line_behind_a_true_one: ("signature", "fails"),
    unknown_key: ("signature", "fails"),
    stale_witness: ("witnesses", "fails"),
    witness_missing: ("witnesses", "fails"),
    witness_nobody_knows: ("witnesses", "unchecked"),
    swapped_definition: ("pinned", "fails"),
    swapped_definition_renamed: ("pinned", "fails"),
    swapped_calendar: ("pinned", "fails"),
    definition_missing: ("pinned", "fails"),
    restored_backup: ("outside", "fails"),
    tile_changed: ("tree", "fails"),
    checkpoint_of_another_tree: ("consistency", "fails"),
    checkpoint_of_another_log: ("consistency signature", "fails"),
    last_checkpoint_missing: ("file", "fails"),
    log_of_another_name: ("chain", "fails"),
    timestamp_over_another_checkpoint: ("timestamp", "fails"),
    timestamp_changed: ("timestamp", "fails"),
    timestamp_numbered_otherwise: ("file", "fails"),
    extra_file: ("file", "fails"),
    bundle_cut_short: ("file", "fails"),
    body_with_a_space: ("bytes", "fails"),
    word_nobody_knows: ("words", "fails"),
    definition_never_deployed: ("pinned", "fails"),
}  # fmt: skip


# --- what faults are made with --------------------------------------------------------------------


def change(files: Files, path: str, old: str, new: str) -> None:
    """Put a text of the same length in place of another, once."""
    assert files[path].count(old.encode()) >= 1, old
    files[path] = files[path].replace(old.encode(), new.encode(), 1)


def drawing(files: Files) -> str:
    """Where the drawing of the process is."""
    return next(path for path in files if path.startswith("def") and b"<bpmn:" in files[path])


def entries_path(files: Files) -> str:
    return next(path for path in files if path.startswith("tile/entries/"))


def entries(files: Files) -> list[bytes]:
    return split_entries(files[entries_path(files)])


def put_entries(files: Files, bodies: list[bytes]) -> None:
    """Other entries under the name of those that were there."""
    files[entries_path(files)] = write_entries(bodies)


def of_case(files: Files) -> list[bytes]:
    """The entries of the first case."""
    return [one for one in entries(files) if orjson.loads(one)["case"] == "minimal-2026-00001"]


def rebuild(files: Files, bodies: list[bytes]) -> None:
    """The entries and tiles of another tree."""
    for path in [path for path in files if path.startswith("tile/")]:
        del files[path]
    files[f"tile/entries/000.p/{len(bodies)}"] = write_entries(bodies)
    files[f"tile/0/000.p/{len(bodies)}"] = b"".join(map(leaf_hash, bodies))


def rewritten(
    files: Files,
    how: Callable[[Body], Body] = lambda body: body | {"data": body["data"] | {"title": "没有事"}},
    type_: str = "case.opened",
) -> list[bytes]:
    """All entries, the first of this type in the second case changed, that case linked anew."""
    bodies, prev, done = entries(files), "", False
    for n, old in enumerate(bodies):
        body = orjson.loads(old)
        if body["case"] != "minimal-2026-00002":
            continue
        if body["type"] == type_ and not done:
            body, done = how(body), True
        bodies[n] = canonical(body | {"prev": prev})
        prev = leaf_hash(bodies[n]).hex()
    assert done
    return bodies


def tree(files: Files) -> tuple[int, bytes]:
    """Size and root of the entries that are there."""
    found = Frontier()
    found.extend([leaf_hash(body) for body in entries(files)])
    return found.size, found.root()


def sizes(files: Files) -> list[int]:
    return sorted(int(path[12:]) for path in files if path.startswith("checkpoints/"))


def last(files: Files) -> Note:
    return open_checkpoint(files["checkpoint"])[0]


def put(files: Files, note: Note) -> None:
    files[f"checkpoints/{open_checkpoint(note.data)[1].size}"] = note.data


def put_last(files: Files, note: Note) -> None:
    """Another last checkpoint, in both places."""
    put(files, note)
    files["checkpoint"] = note.data


def lie(files: Files) -> None:
    """Sign the tree as it is now, as the holder of the log's key can; nobody else has signed it."""
    size = sizes(files)[-1]
    for path in [f"checkpoints/{size}", f"timestamps/{size}.1"]:
        del files[path]
    put_last(files, sign_checkpoint(Checkpoint(ORIGIN, *tree(files)), LOG))


# --- files ----------------------------------------------------------------------------------------


def read(folder: Path) -> Files:
    """All files of a folder, by their path in it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*")) if path.is_file()
    }  # fmt: skip


def write(folder: Path, files: Files) -> Path:
    """Write the files into a folder that is new; returns it."""
    shutil.rmtree(folder, ignore_errors=True)
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def bad(files: Files, fault: Callable[[Files], None]) -> Files:
    """A copy of these files with one fault."""
    changed = dict(files)
    fault(changed)
    return changed


def main() -> None:
    """Write every folder anew, and what somebody outside has."""
    from cryptography.hazmat.primitives.serialization import Encoding

    files = good()
    write(HERE / "good", files)
    for fault in FAULTS:
        write(HERE / f"bad_{fault.__name__}", bad(files, fault))
    (HERE / "policy.txt").write_text(write_policy(POLICY), encoding="utf-8")
    (HERE / "kept.checkpoint").write_bytes(files["checkpoint"])
    (HERE / "tsa.pem").write_bytes(tsa_certificate().public_bytes(Encoding.PEM))
    expected = {
        f"bad_{fault.__name__}": {"steps": steps.split(), "outcome": outcome}
        for fault, (steps, outcome) in FAULTS.items()
    }
    told = json.dumps(expected, indent=1) + "\n"
    (HERE / "expected.json").write_text(told, encoding="utf-8")


if __name__ == "__main__":
    main()
