"""A second verifier of the audit format of 哨迹, to compare the project's own one with.

It was written from docs/audit-format.md, the C2SP specifications and the RFCs these name, by
somebody who had not read the implementation; it imports nothing of it. What may be recorded is
not in here at all: the tables of sections 2 and 8 are read from the document when it runs, so that
the document is what is tested. It is meant to be read beside the document, section by section, and
not to be fast: the tree is the recursive definition of RFC 6962, as it is printed there.

    python tests/second_verifier.py PATH --policy FILE --checkpoint FILE --tsa-roots PEM \
        --certificate PEM

PATH is an evidence file, a sealed PDF, an export, a proof, a receipt or a checkpoint. It ends with
0 if all holds, 1 if something does not, 3 if something could not be checked (section 15).
Python 3.11 and `cryptography` are all it needs.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import contextlib
import datetime as dt
import hashlib
import hmac
import json
import re
import sys
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "audit-format.md"

# --- Findings: the steps of section 15 ------------------------------------------------------------

STEPS = (
    "file",
    "bytes",
    "chain",
    "words",
    "tree",
    "signature",
    "consistency",
    "witnesses",
    "timestamp",
    "outside",
    "pinned",
    "replay",
    "promises",
    "waiting",
    "seal",
    "files",
)
NOT_NEEDED, HOLDS, UNCHECKED, FAILS = "not_needed", "holds", "unchecked", "fails"
WORSE = (NOT_NEEDED, HOLDS, UNCHECKED, FAILS)


class Refused(Exception):
    """What was read breaks a rule; the words say which."""


@dataclass
class Findings:
    """What was found at each step, the worst of it."""

    steps: dict[str, tuple[str, list[str]]] = field(default_factory=dict)

    def tell(self, step: str, outcome: str, words: str = "") -> None:
        """Note an outcome; a worse one replaces a better one."""
        assert step in STEPS
        before, told = self.steps.get(step, (NOT_NEEDED, []))
        worst = max(before, outcome, key=WORSE.index)
        self.steps[step] = (worst, [*told, words] if words else told)

    def attempt(self, step: str, check: Callable[[], str | None]) -> bool:
        """Do a check that refuses what does not hold; True if it held."""
        try:
            self.tell(step, HOLDS, check() or "")
        except Refused as refused:
            self.tell(step, FAILS, str(refused))
            return False
        return True

    def outcome(self, step: str) -> str | None:
        """The worst that was found at this step."""
        return self.steps[step][0] if step in self.steps else None

    def failing(self) -> set[str]:
        """The steps that do not hold."""
        return {step for step, (outcome, _) in self.steps.items() if outcome == FAILS}

    @property
    def status(self) -> int:
        """The exit status: 1 before 3 before 0."""
        outcomes = {outcome for outcome, _ in self.steps.values()}
        return 1 if FAILS in outcomes else 3 if UNCHECKED in outcomes else 0

    def lines(self) -> Iterator[str]:
        """The numbered steps, as they are printed."""
        for number, step in enumerate(STEPS, 1):
            if step in self.steps:
                outcome, told = self.steps[step]
                yield f"{number:2}. {outcome:<10} {step}" + (f": {'; '.join(told)}" if told else "")


# --- Section 3: canonical bytes -------------------------------------------------------------------

Value = Any
LIMIT_OF_A_BODY = 32_768
LEVELS = 32
ESCAPES = {0x22: '\\"', 0x5C: "\\\\", 8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r"}


def refuse(*words: object) -> NoReturn:
    """Raise Refused with these words."""
    raise Refused(" ".join(str(word) for word in words))


def no_number(digits: str) -> NoReturn:
    """Refuse a number that is no integer."""
    refuse("not an integer:", digits[:30])


def unique_members(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    """Make an object of its members, none of them twice."""
    members = dict(pairs)
    if len(members) != len(pairs):
        refuse("a member stands twice")
    return members


def read_json(raw: bytes) -> Value:
    """Decode JSON in which members are unique and numbers are integers."""
    try:
        return json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=unique_members,
            parse_float=no_number,
            parse_constant=no_number,
        )
    except (ValueError, RecursionError) as error:
        raise Refused(f"not JSON: {error}") from None


def canonical_string(text: str) -> str:
    """Write a string: escaped is only what must be."""
    if any(0xD800 <= ord(c) <= 0xDFFF for c in text):
        refuse("a lone surrogate")
    if not unicodedata.is_normalized("NFC", text):
        refuse("a string is not in NFC")
    return (
        '"'
        + "".join(ESCAPES.get(ord(c), c if c >= " " else f"\\u{ord(c):04x}") for c in text)
        + '"'
    )


def canonical_text(value: Value, level: int = 0) -> str:
    """Write a value of the restricted profile in its one form."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value) if abs(value) < 2**53 else refuse("an integer of 2^53 or more")
    if isinstance(value, str):
        return canonical_string(value)
    if level > LEVELS:
        refuse("more than", LEVELS, "levels below the body")
    if isinstance(value, list):
        return "[" + ",".join(canonical_text(one, level + 1) for one in value) + "]"
    if not isinstance(value, dict):
        refuse("no value of the profile:", type(value))
    if not all(key.isascii() for key in value):
        refuse("a key that is not ASCII")
    members = (
        f"{canonical_string(key)}:{canonical_text(value[key], level + 1)}" for key in sorted(value)
    )
    return "{" + ",".join(members) + "}"


def read_canonical(raw: bytes) -> Value:
    """Decode bytes that are equal to the canonical form of what they decode to."""
    value = read_json(raw)
    if canonical_text(value).encode() != raw:
        refuse("not in canonical form")
    return value


INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")


def is_time(value: Value) -> bool:
    """An instant: UTC, with milliseconds, and a day that there is."""
    if not isinstance(value, str) or not INSTANT.fullmatch(value):
        return False
    try:
        dt.datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def is_hash(value: Value) -> bool:
    """64 lowercase hexadecimal digits."""
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def is_integer(value: Value, least: int) -> bool:
    """An integer, and not one of the two that are truth values."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def is_text(value: Value) -> bool:
    """A string with something other than white space."""
    return isinstance(value, str) and value.strip() != ""


ELEMENT = r"[A-Za-z_][A-Za-z0-9_.-]*"
PURPOSES = ("before", "during", "after", "doc", "call", "site")


def is_element(value: Value, more: str = "") -> bool:
    """The id of an element or flow, and maybe more behind it."""
    return isinstance(value, str) and re.fullmatch(ELEMENT + more, value) is not None


def is_gps(value: Value) -> bool:
    """Two strings."""
    return isinstance(value, list) and len(value) == 2 and all(is_text(one) for one in value)


# --- Section 8: the vocabulary, out of the document -----------------------------------------------


@dataclass(frozen=True)
class Field:
    """A field of an object: what may stand there."""

    shape: str
    many: bool
    needed: bool


@dataclass(frozen=True)
class Kind:
    """A type of entry: the stream it stands in, who makes it, its fields."""

    stream: str
    by: str
    evidence: bool
    fields: Mapping[str, Field]


@dataclass(frozen=True)
class Vocabulary:
    """The tables of sections 2 and 8."""

    members: Mapping[str, str]
    shapes: frozenset[str]
    objects: Mapping[str, Mapping[str, Field]]
    kinds: Mapping[str, Kind]


SIMPLE: dict[str, Callable[[Value], bool]] = {
    "text": is_text,
    "words": lambda value: isinstance(value, str),
    "number": lambda value: is_integer(value, 0),
    "count": lambda value: is_integer(value, 1),
    "minutes": lambda value: is_integer(value, 0),
    "seq": lambda value: is_integer(value, 1),
    "bool": lambda value: isinstance(value, bool),
    "true": lambda value: value is True,
    "time": is_time,
    "hash": is_hash,
    "key": lambda value: is_element(value, "#[1-9][0-9]*"),
    "element": is_element,
    "purpose": lambda value: value in PURPOSES,
    "gps": is_gps,
    "person": is_text,
    "unit": is_text,
    "clock": lambda value: value in ("natural", "working"),
    "how": lambda value: value in ("completed", "cancelled"),
    "form": lambda value: isinstance(value, dict),
    "anything": lambda value: True,
}


def parse_fields(cell: str) -> dict[str, Field]:
    """Read `name:shape` `name?:[shape]` out of a cell of a table."""
    fields = {}
    for written in re.findall(r"`([^`]+)`", cell):
        match = re.fullmatch(r"([a-z0-9_]+)(\??):(\[?)([a-z]+)(\]?)", written)
        if match is None or bool(match[3]) != bool(match[5]):
            raise ValueError(f"section 8 has a field nobody can read: {written}")
        fields[match[1]] = Field(match[4], bool(match[3]), not match[2])
    return fields


def table_rows(part: str) -> Iterator[list[str]]:
    """The rows of the tables in a part of the document, without heads and rules."""
    lines = part.splitlines()
    for number, line in enumerate(lines):
        follower = lines[number + 1] if number + 1 < len(lines) else ""
        if line.startswith("|") and not line.startswith("|-") and not follower.startswith("|-"):
            yield [cell.strip() for cell in line.strip().strip("|").split(" | ")]


def section(document: str, number: int) -> str:
    """One numbered section of the document."""
    match = re.search(rf"^## {number}\. .*?(?=^## |\Z)", document, re.MULTILINE | re.DOTALL)
    if match is None:
        raise ValueError(f"the document has no section {number}")
    return match[0]


@cache
def read_vocabulary(path: Path = DOCUMENT) -> Vocabulary:
    """Read what may be recorded from the document itself."""
    document = path.read_text(encoding="utf-8")
    members = {row[0].strip("`"): row[1] for row in table_rows(section(document, 2))}
    head, *streams = re.split(r"^### ", section(document, 8), flags=re.MULTILINE)
    shapes, objects = set(), {}
    for row in table_rows(head):
        name = row[0].strip("`")
        if row[1].startswith("`") and ":" in row[1].split("`")[1]:
            objects[name] = parse_fields(row[1])
        else:
            shapes.add(name)
    kinds = {}
    for part in streams:
        stream = "" if part.startswith("Case streams") else part.split("`")[1]
        for row in table_rows(part):
            may = "may carry evidence" in row[2]
            kinds[row[0].strip("`")] = Kind(stream, row[1], may, parse_fields(row[3]))
    if shapes != set(SIMPLE):
        raise ValueError(
            f"shapes this verifier and the document do not share: {shapes ^ {*SIMPLE}}"
        )
    return Vocabulary(members, frozenset(shapes), objects, kinds)


def check_object(words: Vocabulary, value: Value, fields: Mapping[str, Field], where: str) -> None:
    """Check an object for its fields, and no others."""
    if not isinstance(value, dict):
        refuse(where, "is not an object")
    if strange := value.keys() - fields.keys():
        refuse(where, "has fields nobody knows:", *sorted(strange))
    for name, told in fields.items():
        if name in value:
            check_field(words, value[name], told, f"{where}.{name}")
        elif told.needed:
            refuse(where, "has no", name)


def check_field(words: Vocabulary, value: Value, told: Field, where: str) -> None:
    """Check what stands in one field."""
    if told.many and not isinstance(value, list):
        refuse(where, "is not a list")
    for one in value if told.many else [value]:
        if told.shape in words.objects:
            check_object(words, one, words.objects[told.shape], where)
        elif not SIMPLE[told.shape](one):
            refuse(where, "is not", told.shape)


MACHINE = {"engine": "shaoji"}


def check_actor(words: Vocabulary, actor: Value, by: str) -> None:
    """A person for an act, the machine for alarms and facts, one of both for `either`."""
    if actor == MACHINE:
        if by == "act":
            refuse("an act of the machine")
        return
    if by in ("alarm", "fact"):
        refuse("an", by, "that is not the machine's")
    check_object(words, actor, words.objects["actor"], "actor")


def check_evidence(words: Vocabulary, files: Value) -> None:
    """A list of files that is not empty (section 6)."""
    if not isinstance(files, list) or not files:
        refuse("evidence is not a list of files")
    for told in files:
        check_object(words, told, words.objects["evidence"], "evidence")


def check_words(entry: dict[str, Value], words: Vocabulary) -> None:
    """Check that an entry says what may be said (section 8)."""
    kind = words.kinds.get(entry["type"])
    if kind is None:
        refuse("a type nobody knows:", entry["type"])
    stream = entry["case"] if entry["case"].startswith("@") else ""
    if kind.stream != stream:
        refuse(entry["type"], "does not stand in", entry["case"])
    if ("cause" in entry) != (kind.by == "fact"):
        refuse("a cause stands with facts, and with facts only")
    check_actor(words, entry["actor"], kind.by)
    if "evidence" in entry:
        if not kind.evidence:
            refuse(entry["type"], "carries no evidence")
        check_evidence(words, entry["evidence"])
    check_object(words, entry["data"], kind.fields, "data")
    for name, told in kind.fields.items():
        if told.shape == "seq" and name in entry["data"] and entry["data"][name] >= entry["seq"]:
            refuse("data." + name, "is not earlier")


# --- Sections 2 and 4: entries and chain ----------------------------------------------------------


def leaf_hash(body: bytes) -> bytes:
    """hash(entry) = SHA-256( 0x00 || body )."""
    return hashlib.sha256(b"\0" + body).digest()


def read_entry(body: bytes, words: Vocabulary) -> dict[str, Value]:
    """Decode a body: canonical bytes and an entry of version 1 (section 2)."""
    if len(body) > LIMIT_OF_A_BODY:
        refuse("a body of", len(body), "bytes")
    entry = read_canonical(body)
    if not isinstance(entry, dict):
        refuse("a body that is no object")
    if strange := entry.keys() - words.members.keys():
        refuse("members nobody knows:", *sorted(strange))
    if missing := {m for m, need in words.members.items() if need == "required"} - entry.keys():
        refuse("members missing:", *sorted(missing))
    checks = {
        "v": entry["v"] == 1 and is_integer(entry["v"], 1),
        "log": is_text(entry["log"]),
        "case": is_text(entry["case"]),
        "seq": is_integer(entry["seq"], 1),
        "prev": entry["prev"] == "" or is_hash(entry["prev"]),
        "type": is_text(entry["type"]),
        "at": is_time(entry["at"]),
        "actor": isinstance(entry["actor"], dict),
        "data": isinstance(entry["data"], dict),
        "claimed_at": "claimed_at" not in entry or is_time(entry["claimed_at"]),
    }
    if wrong := [name for name, fits in checks.items() if not fits]:
        refuse("not an entry of version 1:", *wrong)
    return entry


@dataclass
class Stream:
    """A stream as far as it was read."""

    log: str
    case: str
    entries: list[dict[str, Value]] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)

    def check_next(self, entry: dict[str, Value]) -> None:
        """Check numbers, names, links and times of the next entry (section 4)."""
        number = len(self.entries) + 1
        if (entry["log"], entry["case"]) != (self.log, self.case):
            refuse(f"#{number}: of another log or stream")
        if entry["seq"] != number:
            refuse(f"#{number}: numbered", entry["seq"])
        if entry["prev"] != (self.hashes[-1].hex() if self.hashes else ""):
            refuse(f"#{number}: prev is not the hash of the entry before")
        if self.entries and entry["at"] < self.entries[-1]["at"]:
            refuse(f"#{number}: earlier than the entry before")
        if not is_integer(entry.get("cause", 1), 1) or entry.get("cause", 0) >= number:
            refuse(f"#{number}: a cause that is not earlier")


def take_entry(findings: Findings, stream: Stream, body: bytes, words: Vocabulary) -> bool:
    """Check one entry and append it to its stream; False stops the reading."""
    where = f"{stream.case} #{len(stream.entries) + 1}"
    step = "bytes"
    try:
        entry = read_entry(body, words)
        step = "chain"
        stream.check_next(entry)
        step = "words"
        check_words(entry, words)
        check_revealed(stream, entry)
    except Refused as refused:
        findings.tell(step, FAILS, f"{where}: {refused}")
        return False
    stream.entries.append(entry)
    stream.hashes.append(leaf_hash(body))
    return True


def commitment(salt: str, name: str, value: Value) -> str:
    """HMAC-SHA256 over the field's name, a zero byte, and the canonical value (section 7)."""
    told = name.encode() + b"\0" + canonical_text(value).encode()
    return hmac.new(bytes.fromhex(salt), told, hashlib.sha256).hexdigest()


def check_revealed(stream: Stream, entry: dict[str, Value]) -> None:
    """Answers that are opened must fit the commitments of the same task (section 7)."""
    if entry["type"] != "answers.revealed":
        return
    data = entry["data"]
    done = [
        e["data"]["form"]
        for e in stream.entries
        if e["type"] == "task.completed" and e["data"]["task"] == data["task"]
    ]
    if not done:
        refuse("opens answers of a task nobody completed")
    if data["form"].keys() != data["salts"].keys():
        refuse("opens answers without their salts")
    for name, value in data["form"].items():
        salt, sealed = data["salts"][name], done[-1].get(name)
        if not is_hash(salt) or not isinstance(sealed, dict) or sealed.get("as") != "answer":
            refuse("opens what was not sealed as an answer:", name)
        if sealed.get("sealed") != commitment(salt, name, value):
            refuse("an opened answer is not the one that was sealed:", name)


# --- Section 9: the tree --------------------------------------------------------------------------


def node_hash(left: bytes, right: bytes) -> bytes:
    """node(left,right) = SHA-256( 0x01 || left || right )."""
    return hashlib.sha256(b"\1" + left + right).digest()


def split_at(size: int) -> int:
    """The largest power of two that is smaller than the size."""
    return 1 << (size - 1).bit_length() - 1


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962 § 2.1, over hashes of leaves."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split_at(len(leaves))
    return node_hash(tree_root(leaves[:k]), tree_root(leaves[k:]))


def inclusion_path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 6962 § 2.1.1."""
    if len(leaves) == 1:
        return []
    k = split_at(len(leaves))
    if index < k:
        return [*inclusion_path(index, leaves[:k]), tree_root(leaves[k:])]
    return [*inclusion_path(index - k, leaves[k:]), tree_root(leaves[:k])]


def consistency_path(size: int, leaves: Sequence[bytes], whole: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 6962 § 2.1.2; whole is its third argument."""
    if size == len(leaves):
        return [] if whole else [tree_root(leaves)]
    k = split_at(len(leaves))
    if size <= k:
        return [*consistency_path(size, leaves[:k], whole), tree_root(leaves[k:])]
    return [*consistency_path(size - k, leaves[k:], False), tree_root(leaves[:k])]


def included(index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes) -> bool:
    """RFC 9162 § 2.1.3.2."""
    if index >= size:
        return False
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


def consistent(
    first: int, first_root: bytes, second: int, second_root: bytes, path: Sequence[bytes]
) -> bool:
    """RFC 9162 § 2.1.4.2; the tree of 0 leaves is the beginning of every tree."""
    if first == 0:
        return not path and first_root == tree_root([])
    if first >= second:
        return first == second and not path and first_root == second_root
    steps = [first_root, *path] if first & (first - 1) == 0 else list(path)
    if not steps or not path:
        return False
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = steps[0]
    for c in steps[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == first_root and sr == second_root


# --- Section 10: notes, keys, checkpoints ---------------------------------------------------------


def read_base64(text: str) -> bytes:
    """Decode base64 in its one form with padding (RFC 4648 § 4)."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if base64.b64encode(raw).decode() != text:
        refuse("not base64 in its one form:", text[:20])
    return raw


def check_key_name(name: str) -> None:
    """A key name is not empty, and has no spaces and no plus."""
    if not name or "+" in name or any(c.isspace() for c in name):
        refuse("not the name of a key:", repr(name))


NOTE_KEY, WITNESS_KEY = 1, 4


@dataclass(frozen=True)
class Key:
    """A key that signs notes, as a vkey tells it."""

    name: str
    type: int
    public: bytes

    @property
    def id(self) -> bytes:
        """The first four bytes of SHA-256( name || 0x0A || type || public key )."""
        told = self.name.encode("utf-8", "surrogateescape") + b"\n" + bytes([self.type])
        return hashlib.sha256(told + self.public).digest()[:4]

    def signed(self, text: str, signature: bytes) -> bool:
        """True if the signature is this key's over this text."""
        message = text.encode()
        if self.type == WITNESS_KEY:
            time, signature = int.from_bytes(signature[:8], "big"), signature[8:]
            if time >= 2**63:
                return False
            message = b"cosignature/v1\ntime %d\n" % time + message
        if len(signature) != 64:
            return False
        try:
            ed25519.Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


def read_key(vkey: str, types: Iterable[int] = (NOTE_KEY, WITNESS_KEY)) -> Key:
    """Read a vkey: name "+" key id in hex "+" base64( type || public key )."""
    parts = vkey.split("+", 2)
    if len(parts) != 3:
        refuse("not a vkey:", vkey[:40])
    check_key_name(parts[0])
    raw = read_base64(parts[2])
    if len(raw) != 33 or raw[0] not in types:
        refuse("not a key of the kind that is wanted:", vkey[:40])
    key = Key(parts[0], raw[0], raw[1:])
    if key.id.hex() != parts[1]:
        refuse("a vkey whose id is not its key's:", vkey[:40])
    return key


@dataclass(frozen=True)
class Line:
    """A signature line of a note."""

    name: str
    id: bytes
    signature: bytes


@dataclass(frozen=True)
class Note:
    """A C2SP signed note."""

    raw: str
    text: str
    lines: tuple[Line, ...]

    def of(self, key: Key) -> list[Line]:
        """The lines with the name and id of a key."""
        return [line for line in self.lines if (line.name, line.id) == (key.name, key.id)]

    def signed_by(self, key: Key) -> bool:
        """True if the key has a line, and each of its lines is its signature."""
        lines = self.of(key)
        return bool(lines) and all(key.signed(self.text, line.signature) for line in lines)

    def forged_for(self, key: Key) -> bool:
        """True if a line has the key's name and id and is not its signature."""
        return any(not key.signed(self.text, line.signature) for line in self.of(key))

    def unknown(self, keys: Iterable[Key]) -> list[Line]:
        """The lines of keys that are none of these."""
        known = {(key.name, key.id) for key in keys}
        return [line for line in self.lines if (line.name, line.id) not in known]


def read_line(line: str) -> Line:
    """Read a signature line: em dash, space, key name, space, base64."""
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "\u2014":
        refuse("not a signature line:", line[:40])
    check_key_name(parts[1])
    raw = read_base64(parts[2])
    if len(raw) < 5:
        refuse("a signature line without signature")
    return Line(parts[1], raw[:4], raw[4:])


def read_note(raw: str) -> Note:
    """Read a signed note: a text, an empty line, signature lines."""
    if any(c < " " and c != "\n" for c in raw):
        refuse("a note with control characters")
    end = raw.rfind("\n\n")
    if end < 1 or not raw.endswith("\n"):
        refuse("not a signed note")
    lines = raw[end + 2 : -1].split("\n")
    return Note(raw, raw[: end + 1], tuple(read_line(line) for line in lines))


def read_decimal(text: str) -> int:
    """Read a number from 0 without leading zeros."""
    if not re.fullmatch(r"0|[1-9][0-9]{0,18}", text):
        refuse("not a number:", text[:20])
    return int(text)


@dataclass(frozen=True)
class Checkpoint:
    """What the tree is at one size."""

    origin: str
    size: int
    root: bytes
    note: Note


def read_checkpoint(raw: str) -> Checkpoint:
    """Read a checkpoint: a note of exactly three lines."""
    note = read_note(raw)
    lines = note.text.split("\n")
    if len(lines) != 4 or not lines[0]:
        refuse("a checkpoint has three lines")
    root = read_base64(lines[2])
    if len(root) != 32:
        refuse("a root of", len(root), "bytes")
    return Checkpoint(lines[0], read_decimal(lines[1]), root, note)


# --- C2SP tlog-policy -----------------------------------------------------------------------------


@dataclass
class Policy:
    """Whose keys are believed, and which witnesses are wanted."""

    logs: list[Key] = field(default_factory=list)
    witnesses: dict[str, Key] = field(default_factory=dict)
    groups: dict[str, tuple[int, list[str]]] = field(default_factory=dict)
    quorum: str | None = None

    def met(self, name: str, signed: set[str]) -> bool:
        """True if a witness has signed, or enough members of a group."""
        if name == "none" or name in signed:
            return True
        if name not in self.groups:
            return False
        wanted, members = self.groups[name]
        return sum(self.met(member, signed) for member in members) >= wanted


def known_name(policy: Policy, name: str) -> bool:
    """True if a witness or a group of this name was defined."""
    return name in policy.witnesses or name in policy.groups


def policy_log(policy: Policy, words: list[str]) -> None:
    """log <vkey> [<url>]."""
    if len(words) not in (1, 2):
        refuse("policy: a log has a key and maybe a URL")
    key = read_key(words[0], [NOTE_KEY])
    if any(key.public == other.public for other in policy.logs):
        refuse("policy: a log twice")
    policy.logs.append(key)


def policy_witness(policy: Policy, words: list[str]) -> None:
    """witness <name> <vkey> [<url>]."""
    if len(words) not in (2, 3) or words[0] == "none" or known_name(policy, words[0]):
        refuse("policy: not a witness:", *words)
    key = read_key(words[1], [WITNESS_KEY])
    if any(key.public == other.public for other in policy.witnesses.values()):
        refuse("policy: a witness twice")
    policy.witnesses[words[0]] = key


def policy_group(policy: Policy, words: list[str]) -> None:
    """group <name> all|any|<k> <name>…"""
    if len(words) < 3 or words[0] == "none" or known_name(policy, words[0]):
        refuse("policy: not a group:", *words)
    name, wanted, members = words[0], words[1], words[2:]
    listed = [one for _, others in policy.groups.values() for one in others] + members
    if len(listed) != len(set(listed)) or not all(known_name(policy, one) for one in members):
        refuse("policy: members must be defined before, and be members once:", name)
    k = {"all": len(members), "any": 1}.get(wanted) or read_decimal(wanted)
    if not 1 <= k <= len(members):
        refuse("policy: a threshold out of range:", name)
    policy.groups[name] = (k, members)


def policy_quorum(policy: Policy, words: list[str]) -> None:
    """quorum <name>."""
    if policy.quorum is not None or len(words) != 1:
        refuse("policy: exactly one quorum")
    if words[0] != "none" and not known_name(policy, words[0]):
        refuse("policy: a quorum nobody defined:", words[0])
    policy.quorum = words[0]


POLICY_LINES = {
    "log": policy_log,
    "witness": policy_witness,
    "group": policy_group,
    "quorum": policy_quorum,
}


def read_policy(raw: bytes) -> Policy:
    """Read a policy file."""
    if any((octet < 0x20 and octet not in b"\t\n") or octet == 0x7F for octet in raw):
        refuse("policy: control characters")
    policy = Policy()
    for line in raw.decode("utf-8", "surrogateescape").split("\n"):
        words = [word for word in re.split(r"[ \t]+", line) if word]
        if not words or words[0].startswith("#"):
            continue
        if words[0] not in POLICY_LINES:
            refuse("policy: a line nobody knows:", words[0])
        POLICY_LINES[words[0]](policy, words[1:])
    if policy.quorum is None:
        refuse("policy: no quorum")
    return policy


# --- What the verifier has from elsewhere ---------------------------------------------------------


@dataclass
class Trust:
    """What was got from elsewhere than what is verified."""

    policy: Policy | None = None
    outside: list[Checkpoint] = field(default_factory=list)
    tsa_roots: list[x509.Certificate] = field(default_factory=list)
    certificates: list[x509.Certificate] = field(default_factory=list)
    receipt_keys: list[Key] = field(default_factory=list)

    def log_keys(self, origin: str) -> list[Key]:
        """The keys that are believed to sign this log's checkpoints."""
        return [key for key in self.policy.logs if key.name == origin] if self.policy else []

    def all_keys(self) -> list[Key]:
        """Every key that is known at all."""
        known = [*self.policy.logs, *self.policy.witnesses.values()] if self.policy else []
        return [*known, *self.receipt_keys]


def check_signature(findings: Findings, trust: Trust, note: Note, believed: list[Key]) -> None:
    """Step 6: signed by a log key that is known from elsewhere."""
    if not believed:
        findings.tell("signature", UNCHECKED, "no key of the log is known (--policy)")
    elif any(
        note.forged_for(key) for key in [*trust.all_keys(), *believed] if key.type == NOTE_KEY
    ):
        findings.tell("signature", FAILS, "a line of a log key is forged")
    elif signers := [key for key in believed if note.signed_by(key)]:
        findings.tell("signature", HOLDS, ", ".join(key.id.hex() for key in signers))
    else:
        findings.tell("signature", FAILS, "no believed key signed the checkpoint")


def check_witnesses(
    findings: Findings, trust: Trust, note: Note, believed: list[Key], quorum: bool = True
) -> None:
    """Step 8: no forged line, enough witnesses, and no line nobody could check."""
    if trust.policy is None:
        findings.tell("witnesses", UNCHECKED, "nobody said who should cosign (--policy)")
        return
    policy = trust.policy
    if forged := [n for n, key in policy.witnesses.items() if note.forged_for(key)]:
        findings.tell("witnesses", FAILS, "forged: " + ", ".join(forged))
        return
    signed = {name for name, key in policy.witnesses.items() if note.signed_by(key)}
    if quorum and not policy.met(policy.quorum or "none", signed):
        findings.tell("witnesses", FAILS, "the quorum is not met")
    elif strange := note.unknown([*trust.all_keys(), *believed]):
        findings.tell("witnesses", UNCHECKED, "lines of unknown keys: " + strange[0].name)
    else:
        findings.tell("witnesses", HOLDS, ", ".join(sorted(signed)))


def check_outside(
    findings: Findings,
    trust: Trust,
    current: Checkpoint,
    believed: list[Key],
    root_of: Callable[[int], bytes | None],
) -> None:
    """Step 10: checkpoints kept elsewhere are the beginning of this tree."""
    if not trust.outside:
        findings.tell("outside", UNCHECKED, "no checkpoint kept elsewhere (--checkpoint)")
    for kept in trust.outside:
        if kept.origin != current.origin:
            findings.tell("outside", UNCHECKED, "the checkpoint kept elsewhere is another log's")
        elif not any(kept.note.signed_by(key) for key in believed):
            findings.tell("outside", UNCHECKED, "no believed key signed what was kept elsewhere")
        elif (root := root_of(kept.size)) is None:
            findings.tell("outside", UNCHECKED, "of another size: takes the whole log")
        elif root != kept.root:
            findings.tell("outside", FAILS, "the checkpoint kept elsewhere is of another tree")
        else:
            findings.tell("outside", HOLDS)


# --- Section 11: proofs and receipts --------------------------------------------------------------


@dataclass(frozen=True)
class Proof:
    """A C2SP tlog-proof@v1."""

    extra: bytes | None
    index: int
    path: list[bytes]
    checkpoint: str


PROOF_HEAD = "c2sp.org/tlog-proof@v1"


def read_proof(raw: str) -> Proof:
    """Read a proof: head, maybe extra, index, audit path, empty line, checkpoint."""
    top, gap, checkpoint = raw.partition("\n\n")
    lines = top.split("\n")
    if not gap or lines.pop(0) != PROOF_HEAD:
        refuse("not a proof")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = read_base64(lines.pop(0).removeprefix("extra "))
    if not lines or not lines[0].startswith("index "):
        refuse("a proof without index")
    index = read_decimal(lines.pop(0).removeprefix("index "))
    path = [read_base64(line) for line in lines]
    if any(len(one) != 32 for one in path):
        refuse("a path of something else than hashes")
    return Proof(extra, index, path, checkpoint)


def check_inclusion(proof: Proof, leaf: bytes, checkpoint: Checkpoint) -> None:
    """Refuse a proof that does not lead from the leaf to the root."""
    if not included(proof.index, checkpoint.size, leaf, proof.path, checkpoint.root):
        refuse("the proof for leaf", proof.index, "does not lead to the root")


@dataclass(frozen=True)
class Receipt:
    """The log's promise that an entry is recorded."""

    log: str
    case: str
    seq: int
    leaf: bytes
    at: str
    note: Note


RECEIPT_HEAD = "shaoji-receipt/v1"


def read_receipt(raw: str) -> Receipt:
    """Read a receipt: a note of five lines."""
    note = read_note(raw)
    lines = note.text.split("\n")
    if len(lines) != 6 or lines[0] != RECEIPT_HEAD:
        refuse("not a receipt")
    case, _, number = lines[2].rpartition(" ")
    seq, leaf = read_decimal(number), read_base64(lines[3])
    day = re.fullmatch(r"[0-9-]{10}", lines[4]) is not None
    at = f"{lines[4]}T00:00:00.000Z" if day else lines[4]
    if not lines[1] or not case or seq < 1 or len(leaf) != 32 or not is_time(at):
        refuse("not a receipt: one of its lines")
    return Receipt(lines[1], case, seq, leaf, lines[4], note)


def check_receipt_key(findings: Findings, trust: Trust, receipt: Receipt) -> bool:
    """True if a receipt key that is known from elsewhere signed the receipt."""
    name = receipt.log + "/receipt"
    keys = [key for key in trust.receipt_keys if key.name == name]
    if any(receipt.note.forged_for(key) for key in keys):
        findings.tell("promises", FAILS, "the signature of the receipt is forged")
    elif not keys:
        findings.tell("promises", UNCHECKED, "no receipt key is known (--receipt-key)")
    elif not any(receipt.note.signed_by(key) for key in keys):
        findings.tell("promises", FAILS, "no known receipt key signed the receipt")
    else:
        return True
    return False


def fits_receipt(receipt: Receipt, entry: Mapping[str, Value], leaf: bytes) -> bool:
    """True if an entry is the one that was promised."""
    return (
        (receipt.log, receipt.case, receipt.seq) == (entry["log"], entry["case"], entry["seq"])
        and receipt.leaf == leaf
        and receipt.at in (entry["at"], entry["at"][:10])
    )


# --- Section 12: the evidence file ----------------------------------------------------------------

TEXT, COUNT, MAYBE = str, int, (str, type(None))
EVIDENCE = {
    "format": TEXT,
    "log": TEXT,
    "case": TEXT,
    "count": COUNT,
    "head": TEXT,
    "check": TEXT,
    "events": [{"seq": COUNT, "hash": TEXT, "body": TEXT, "proof": MAYBE}],
    "checkpoint": MAYBE,
    "timestamps": [TEXT],
    "keys": [TEXT],
    "definitions": [
        {"key": TEXT, "sha256": TEXT, "files": [{"name": TEXT, "sha256": TEXT, "content": TEXT}]}
    ],
    "calendars": [{"version": COUNT, "sha256": TEXT, "content": TEXT}],
}


def check_form(value: Value, form: Any, where: str = "the file") -> None:
    """Check members, their order and what kind of value each has."""
    if isinstance(form, dict):
        if not isinstance(value, dict) or list(value) != list(form):
            refuse(where, "has not the members it must have, in their order")
        for name, inner in form.items():
            check_form(value[name], inner, f"{where}.{name}")
    elif isinstance(form, list):
        if not isinstance(value, list):
            refuse(where, "is not a list")
        for one in value:
            check_form(one, form[0], where)
    elif not isinstance(value, form) or isinstance(value, bool):
        refuse(where, "is of another kind")


def read_evidence(raw: bytes) -> dict[str, Value]:
    """Read an evidence file; written again it must be the same bytes."""
    told = read_json(raw)
    check_form(told, EVIDENCE)
    if told["format"] != "shaoji-evidence/2":
        refuse("a format nobody knows:", told["format"])
    again = json.dumps(told, indent=2, ensure_ascii=False) + "\n"
    if again.encode() != raw:
        refuse("written again, the file is another one")
    return dict(told)


def check_case(findings: Findings, told: dict[str, Value], words: Vocabulary) -> Stream:
    """Steps 2 to 4, up to the first entry that does not hold (section 4)."""
    stream = Stream(told["log"], told["case"])
    for event in told["events"]:
        body = event["body"].encode()
        if event["hash"] != leaf_hash(body).hex():
            findings.tell("bytes", FAILS, f"#{event['seq']}: the hash is not that of the body")
            break
        if event["seq"] != len(stream.entries) + 1:
            findings.tell("chain", FAILS, f"#{event['seq']} stands in another place")
            break
        if not take_entry(findings, stream, body, words):
            break
    tell_entries(findings, len(stream.entries) == len(told["events"]))
    return stream


def tell_entries(findings: Findings, whole: bool) -> None:
    """Tell steps 2 to 4: what was not read to the end is not done."""
    for step in ("bytes", "chain", "words"):
        findings.tell(step, HOLDS if whole else UNCHECKED)


def check_told(told: dict[str, Value]) -> None:
    """Refuse a file that is another one when it is written again from what it holds."""
    events, files = told["events"], [one for d in told["definitions"] for one in d["files"]]
    if any(e["hash"] != leaf_hash(e["body"].encode()).hex() for e in events):
        refuse("a hash is not that of its body")
    if any(event["seq"] != number for number, event in enumerate(events, 1)):
        refuse("the entries are not numbered 1, 2, 3 …")
    if told["count"] != len(events) or told["head"] != events[-1]["hash"]:
        refuse("count or head do not fit")
    for one in [*files, *told["calendars"]]:
        check_content(one)
    for definition in told["definitions"]:
        names = [one["name"].encode() for one in definition["files"]]
        if names != sorted(set(names)):
            refuse("the files of a definition are not in order")


def check_proofs(told: dict[str, Value], checkpoint: Checkpoint | None) -> bool:
    """Check every proof against the checkpoint; False if the last entries have none."""
    last, bare = -1, False
    for event in told["events"]:
        if event["proof"] is None:
            bare = True
            continue
        if checkpoint is None or bare:
            refuse(f"#{event['seq']}: a proof where none can be")
        proof = read_proof(event["proof"])
        if proof.checkpoint != checkpoint.note.raw or proof.extra is not None:
            refuse(f"#{event['seq']}: not a proof to the checkpoint of the file, without extra")
        check_inclusion(proof, leaf_hash(event["body"].encode()), checkpoint)
        if proof.index <= last:
            refuse(f"#{event['seq']}: a leaf before that of the entry before")
        last = proof.index
    return not bare


def check_keys(keys: list[Key], checkpoint: Checkpoint) -> None:
    """Check that the keys that are told are those that have lines, and signed."""
    note = checkpoint.note
    if keys and any(line.name == checkpoint.origin for line in note.unknown(keys)):
        refuse("a line under the log's name is of none of the keys that are told")
    for key in keys:
        if key.name != checkpoint.origin or not note.signed_by(key) or keys.count(key) > 1:
            refuse("a key that did not sign the checkpoint, or twice:", key.id.hex())


def check_tree(findings: Findings, told: dict[str, Value], checkpoint: Checkpoint | None) -> None:
    """Step 5: every entry is a leaf of the tree that the checkpoint tells."""
    try:
        whole = check_proofs(told, checkpoint)
    except Refused as refused:
        findings.tell("tree", FAILS, str(refused))
        return
    if checkpoint is None:
        findings.tell("tree", UNCHECKED, "there is no checkpoint yet")
    elif not whole:
        findings.tell("tree", UNCHECKED, "the last entries are not under the checkpoint yet")
    else:
        findings.tell("tree", HOLDS, f"checkpoint {checkpoint.size}")


def set_digest(files: Iterable[Mapping[str, Value]]) -> str:
    """SHA-256 over `<sha256>  <name>` LF, sorted by the UTF-8 bytes of the name (section 8)."""
    ordered = sorted(files, key=lambda one: one["name"].encode())
    lines = "".join(f"{one['sha256']}  {one['name']}\n" for one in ordered)
    return hashlib.sha256(lines.encode()).hexdigest()


def named_calendars(entries: Iterable[Mapping[str, Value]]) -> set[tuple[int, str]]:
    """Version and hash of every calendar that entries name in their data."""
    named = [e["data"]["calendar"] for e in entries if "calendar" in e["data"]]
    return {(told["version"], told["sha256"]) for told in named}


def pinned_sets(entries: Iterable[Mapping[str, Value]]) -> set[tuple[str, str]]:
    """Key and digest of every definition set that a case pins."""
    pins = [e["data"]["definition"] for e in entries if e["type"] == "case.opened"]
    return {(pin["key"], pin["sha256"]) for pin in pins}


def check_content(told: Mapping[str, Value]) -> None:
    """Check that a file that is carried along has the hash it is said to have."""
    if hashlib.sha256(read_base64(told["content"])).hexdigest() != told["sha256"]:
        refuse("a file has another hash:", told.get("name", told.get("version")))


def check_pinned(told: dict[str, Value], entries: list[dict[str, Value]]) -> None:
    """Step 11: exactly the definitions and calendars that the entries name."""
    for definition in told["definitions"]:
        if set_digest(definition["files"]) != definition["sha256"]:
            refuse("a definition set has another digest:", definition["key"])
        for one in definition["files"]:
            check_content(one)
    for calendar in told["calendars"]:
        check_content(calendar)
    sets = [(one["key"], one["sha256"]) for one in told["definitions"]]
    calendars = [(one["version"], one["sha256"]) for one in told["calendars"]]
    wanted = named_calendars(entries)
    if sets != sorted(pinned_sets(entries), key=lambda pin: (pin[1], pin[0])):
        refuse("the definitions are not those the case pins")
    if calendars != sorted(wanted):
        refuse("the calendars are not those the entries name")


def check_anchors(
    findings: Findings, trust: Trust, checkpoint: Checkpoint | None, tokens: list[bytes]
) -> None:
    """Steps 6, 8, 9 and 10 of one checkpoint by itself."""
    if checkpoint is None:
        for step in ("signature", "witnesses", "timestamp", "outside"):
            findings.tell(step, UNCHECKED, "there is no checkpoint")
        return
    believed = trust.log_keys(checkpoint.origin)
    check_signature(findings, trust, checkpoint.note, believed)
    check_witnesses(findings, trust, checkpoint.note, believed)
    check_timestamps(findings, trust, checkpoint.note.text, tokens)
    wanted = trust.policy is not None and (trust.policy.quorum or "none") != "none"
    if not trust.outside and wanted and findings.outcome("witnesses") == HOLDS:
        findings.tell("outside", NOT_NEEDED, "the wanted witnesses have checked that")
        return
    check_outside(
        findings,
        trust,
        checkpoint,
        believed,
        lambda size: checkpoint.root if size == checkpoint.size else None,
    )


def verify_evidence(raw: bytes, trust: Trust, words: Vocabulary) -> tuple[Findings, Stream | None]:
    """Verify an evidence file (steps 1 to 11)."""
    findings = Findings()
    try:
        told = read_evidence(raw)
        if not told["events"]:
            refuse("a file without entries")
        tokens = [read_base64(one) for one in told["timestamps"]]
        checkpoint = None if told["checkpoint"] is None else read_checkpoint(told["checkpoint"])
        for proof in [event["proof"] for event in told["events"] if event["proof"] is not None]:
            read_checkpoint(read_proof(proof).checkpoint)
        keys = [read_key(vkey, [NOTE_KEY]) for vkey in told["keys"]]
        if checkpoint is None and (tokens or keys):
            refuse("time stamps or keys without a checkpoint")
    except Refused as refused:
        findings.tell("file", FAILS, str(refused))
        return findings, None
    findings.attempt("file", lambda: check_told(told))
    stream = check_case(findings, told, words)
    check_tree(findings, told, checkpoint)
    check_anchors(findings, trust, checkpoint, tokens)
    try:
        if checkpoint:
            check_keys(keys, checkpoint)
        if checkpoint and checkpoint.origin != told["log"]:
            refuse("the checkpoint is another log's")
    except Refused as refused:
        findings.tell("signature", FAILS, str(refused))
    if len(stream.entries) == len(told["events"]):
        findings.attempt("pinned", lambda: check_pinned(told, stream.entries))
    else:
        findings.tell("pinned", UNCHECKED, "the entries do not hold")
    findings.tell("replay", NOT_NEEDED, "takes the process engine")
    return findings, stream


# --- Section 13: exports --------------------------------------------------------------------------


def tile_path(level: str, number: int, width: int) -> str:
    """Where C2SP tlog-tiles put tile number n of a level."""
    digits = f"{number:03}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    path = "/".join([*(f"x{part}" for part in parts[:-1]), parts[-1]])
    return f"tile/{level}/{path}" + (f".p/{width}" if width < 256 else "")


def tile_paths(level: str, count: int) -> list[str]:
    """The paths of all tiles of a level that holds so many hashes."""
    return [tile_path(level, n, min(256, count - 256 * n)) for n in range(-(-count // 256))]


def read_bundle(raw: bytes) -> list[bytes]:
    """Entries, each behind its length in two bytes, big endian."""
    entries, place = [], 0
    while place < len(raw):
        size = int.from_bytes(raw[place : place + 2], "big")
        entries.append(raw[place + 2 : place + 2 + size])
        place += 2 + size
    if place != len(raw) or not all(entries):
        refuse("a bundle that ends amid an entry")
    return entries


@dataclass
class Export:
    """A folder, and which of its files have been accounted for."""

    folder: Path
    left: set[str]

    def take(self, path: str) -> bytes:
        """Read a file that must be there."""
        if path not in self.left:
            refuse("there is no", path)
        self.left.discard(path)
        return (self.folder / path).read_bytes()

    def take_note(self, path: str) -> Checkpoint:
        """Read a checkpoint that must be there."""
        return read_checkpoint(decode_text(self.take(path)))

    def under(self, start: str) -> list[str]:
        """The files below a folder."""
        return sorted(path for path in self.left if path.startswith(start + "/"))


def decode_text(raw: bytes) -> str:
    """Decode UTF-8."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        refuse("not UTF-8")


@dataclass
class Log:
    """A whole log, as read from an export."""

    last: Checkpoint
    stored: dict[int, Checkpoint] = field(default_factory=dict)
    bodies: list[bytes] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    entries: list[dict[str, Value]] = field(default_factory=list)
    tokens: dict[int, list[bytes]] = field(default_factory=dict)


def read_export(export: Export) -> Log:
    """Read checkpoints, entries and time stamps; refuse a folder that is not whole."""
    log = Log(export.take_note("checkpoint"))
    for path in export.under("checkpoints"):
        size = read_decimal(path.removeprefix("checkpoints/"))
        log.stored[size] = export.take_note(path)
        if log.stored[size].size != size:
            refuse(path, "is of another size")
    if not log.stored or log.stored[max(log.stored)].note.raw != log.last.note.raw:
        refuse("checkpoint is not the last one of checkpoints/")
    for path in export.under("timestamps"):
        stamped, _, number = path.removeprefix("timestamps/").partition(".")
        tokens = log.tokens.setdefault(read_decimal(stamped), [])
        tokens.append(export.take(f"timestamps/{stamped}.{len(tokens) + 1}"))
        if read_decimal(number) < 1 or int(stamped) not in log.stored:
            refuse(path, "stamps no checkpoint")
    for path in tile_paths("entries", log.last.size):
        log.bodies += read_bundle(export.take(path))
    if len(log.bodies) != log.last.size:
        refuse("there are", len(log.bodies), "entries for", log.last.size, "leaves")
    log.leaves = [leaf_hash(body) for body in log.bodies]
    return log


def check_tiles(export: Export, log: Log) -> None:
    """Check that every hash tile is what the leaves give, and the root that of the checkpoint."""
    level, row = 0, log.leaves
    while row:
        for number, path in enumerate(tile_paths(str(level), len(row))):
            if export.take(path) != b"".join(row[256 * number : 256 * number + 256]):
                refuse(path, "is not what the leaves give")
        full = len(row) // 256
        row = [tree_root(row[256 * n : 256 * n + 256]) for n in range(full)]
        level += 1
    if tree_root(log.leaves) != log.last.root:
        refuse("the root is not that of the checkpoint")


def check_streams(findings: Findings, log: Log, words: Vocabulary) -> bool:
    """Steps 2 to 4, in the order of the tree; False if an entry does not hold."""
    streams: dict[str, Stream] = {}
    for number, body in enumerate(log.bodies):
        try:
            case = read_entry(body, words)["case"]
        except Refused as refused:
            findings.tell("bytes", FAILS, f"leaf {number}: {refused}")
            return False
        stream = streams.setdefault(case, Stream(log.last.origin, case))
        if not take_entry(findings, stream, body, words):
            return False
        log.entries.append(stream.entries[-1])
    return True


def check_consistency(log: Log) -> None:
    """Step 7: the first n leaves give the root of checkpoints/n, for each."""
    for size, checkpoint in sorted(log.stored.items()):
        if checkpoint.origin != log.last.origin:
            refuse(f"checkpoints/{size} is another log's")
        if tree_root(log.leaves[:size]) != checkpoint.root:
            refuse(f"checkpoints/{size} is of another tree")


def turned_keys(log: Log) -> Iterator[tuple[int, Key, Key]]:
    """The leaf, the old and the new key of every replacement that can be read."""
    for number, entry in enumerate(log.entries):
        if entry["type"] == "log.key_rotated":
            with contextlib.suppress(Refused):
                old, new = (read_key(entry["data"][f"{age}_vkey"]) for age in ("old", "new"))
                if old.type == new.type == NOTE_KEY and old.name == new.name:
                    yield number, old, new


def believed_keys(log: Log, trust: Trust) -> list[Key]:
    """The keys known from elsewhere, and those that they pass on to (section 10)."""
    believed = trust.log_keys(log.last.origin)
    notes = [*log.stored.values(), log.last]
    turns = list(turned_keys(log))
    for _ in turns:
        for number, old, new in turns:
            signed = (c for c in notes if c.size > number)
            if old not in believed or new in believed:
                continue
            if any(checkpoint.note.signed_by(key) for checkpoint in signed for key in believed):
                believed.append(new)
    return believed


def check_folders(export: Export, log: Log) -> None:
    """Step 11: deployed and published is what is pinned and named, and the files are there."""
    deployed = [e["data"] for e in log.entries if e["type"] == "definition.deployed"]
    published = [e["data"] for e in log.entries if e["type"] == "calendar.published"]
    for data in deployed:
        if set_digest(data["files"]) != data["sha256"]:
            refuse("a definition set was deployed under another digest:", data["key"])
    wanted = {f"definitions/{one['sha256']}" for data in deployed for one in data["files"]}
    wanted |= {f"calendars/{data['sha256']}" for data in published}
    for path in sorted(wanted):
        if hashlib.sha256(export.take(path)).hexdigest() != path.split("/")[1]:
            refuse(path, "has another hash")
    if not pinned_sets(log.entries) <= {(data["key"], data["sha256"]) for data in deployed}:
        refuse("a case pins a definition that was never deployed")
    named = named_calendars(log.entries)
    if not named <= {(data["version"], data["sha256"]) for data in published}:
        refuse("a calendar is named that was never published")


def check_stored_lines(findings: Findings, trust: Trust, log: Log, believed: list[Key]) -> None:
    """Steps 6, 8 and 9 over every checkpoint that is stored, the last one first."""
    check_signature(findings, trust, log.last.note, believed)
    check_witnesses(findings, trust, log.last.note, believed)
    if not any(log.tokens.values()):
        findings.tell("timestamp", NOT_NEEDED, "there are no time stamps")
    for size, checkpoint in sorted(log.stored.items()):
        check_signature(findings, trust, checkpoint.note, believed)
        check_witnesses(findings, trust, checkpoint.note, believed, quorum=False)
        if size in log.tokens:
            check_timestamps(findings, trust, checkpoint.note.text, log.tokens[size])


def verify_log(export: Export, trust: Trust, words: Vocabulary) -> Findings:
    """Verify the export of a log (steps 1 to 11)."""
    findings = Findings()
    try:
        log = read_export(export)
    except Refused as refused:
        findings.tell("file", FAILS, str(refused))
        return findings
    findings.tell("file", HOLDS, f"{log.last.origin}, {log.last.size} entries")
    sound = check_streams(findings, log, words)
    tell_entries(findings, sound)
    findings.attempt("tree", lambda: check_tiles(export, log))
    findings.attempt("consistency", lambda: check_consistency(log))
    if sound:
        findings.attempt("pinned", lambda: check_folders(export, log))
        check_log_anchors(findings, trust, log)
    else:
        for step in ("signature", "witnesses", "timestamp", "outside", "pinned"):
            findings.tell(step, UNCHECKED, "the entries do not hold")
    if export.left and findings.status != 1:
        findings.tell("file", FAILS, "nobody knows " + min(export.left))
    findings.tell("replay", NOT_NEEDED, "takes the process engine")
    return findings


def check_log_anchors(findings: Findings, trust: Trust, log: Log) -> None:
    """Steps 6, 8, 9 and 10 of a whole log."""
    believed = believed_keys(log, trust)
    check_stored_lines(findings, trust, log, believed)
    check_outside(
        findings,
        trust,
        log.last,
        believed,
        lambda size: tree_root(log.leaves[:size]) if size <= len(log.leaves) else b"",
    )


def verify_cases(export: Export, trust: Trust, words: Vocabulary) -> Findings:
    """Verify the export of a unit's cases: one evidence file each, and nothing else."""
    findings = Findings()
    for path in sorted(export.left):
        raw = export.take(path)
        told, stream = verify_evidence(raw, trust, words)
        for step, (outcome, said) in told.steps.items():
            findings.tell(step, outcome, "; ".join(f"{path}: {one}" for one in said))
        if stream and path != f"cases/{stream.case}.json":
            findings.tell("file", FAILS, f"{path} holds {stream.case}")
    return findings


def verify_folder(folder: Path, trust: Trust, words: Vocabulary) -> Findings:
    """Verify an export of either kind; a folder in it holds something, or does not belong there."""
    paths = list(folder.rglob("*"))
    plain = [path for path in paths if path.is_file() or not any(path.iterdir())]
    export = Export(folder, {path.relative_to(folder).as_posix() for path in plain})
    if not all(path.is_file() for path in plain) or not plain:
        findings = Findings()
        findings.tell("file", FAILS, "a folder without files")
        return findings
    if "checkpoint" in export.left:
        return verify_log(export, trust, words)
    return verify_cases(export, trust, words)


# --- DER, CMS (RFC 5652) and time stamps (RFC 3161) -----------------------------------------------


@dataclass(frozen=True)
class Der:
    """One element of DER: its tag, what it holds, and its bytes."""

    tag: int
    content: bytes
    raw: bytes

    @property
    def inner(self) -> list[Der]:
        """The elements it is made of."""
        found, rest = [], self.content
        while rest:
            one, rest = read_der(rest)
            found.append(one)
        return found

    @property
    def oid(self) -> str:
        """An object identifier, dotted."""
        if self.tag != 0x06 or not self.content or self.content[-1] & 0x80:
            refuse("DER: not an object identifier")
        arcs, value = [], 0
        for octet in self.content:
            value = value << 7 | octet & 0x7F
            if not octet & 0x80:
                arcs.append(value)
                value = 0
        first = min(arcs[0] // 40, 2)
        return ".".join(str(arc) for arc in [first, arcs[0] - 40 * first, *arcs[1:]])

    @property
    def integer(self) -> int:
        """An integer."""
        return int.from_bytes(self.of(0x02).content, "big", signed=True)

    def of(self, tag: int) -> Der:
        """The element itself, refused if it has another tag."""
        return self if self.tag == tag else refuse(f"DER: tag {self.tag:#x} for {tag:#x}")


def read_der(data: bytes) -> tuple[Der, bytes]:
    """Read one element; give it and what stands behind it."""
    if len(data) < 2 or data[0] & 0x1F == 0x1F:
        refuse("DER: no element")
    size, start = data[1], 2
    if size & 0x80:
        start += size & 0x7F
        size = int.from_bytes(data[2:start], "big")
        if not 2 < start <= 6 or size < 0x80 or data[2] == 0:
            refuse("DER: a length not in its shortest form")
    if start + size > len(data):
        refuse("DER: cut short")
    return Der(data[0], data[start : start + size], data[: start + size]), data[start + size :]


def read_whole_der(data: bytes) -> Der:
    """Read one element with nothing behind it."""
    element, rest = read_der(data)
    return element if not rest else refuse("DER: something stands behind it")


SEQUENCE, SET, OCTETS = 0x30, 0x31, 0x04
DATA, SIGNED_DATA = "1.2.840.113549.1.7.1", "1.2.840.113549.1.7.2"
TST_INFO = "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE, MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
SIGNING_TIME = "1.2.840.113549.1.9.5"
SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.12"
SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47"
SIGNATURE_TIME_STAMP = "1.2.840.113549.1.9.16.2.14"
DIGESTS: dict[str, type[hashes.HashAlgorithm]] = {
    "2.16.840.1.101.3.4.2.1": hashes.SHA256,
    "2.16.840.1.101.3.4.2.2": hashes.SHA384,
    "2.16.840.1.101.3.4.2.3": hashes.SHA512,
}
SHA256 = "2.16.840.1.101.3.4.2.1"
ECDSA_SHA256 = "1.2.840.10045.4.3.2"
SIGNATURES: dict[str, type[hashes.HashAlgorithm]] = {
    ECDSA_SHA256: hashes.SHA256,
    "1.2.840.10045.4.3.3": hashes.SHA384,
    "1.2.840.10045.4.3.4": hashes.SHA512,
    "1.2.840.113549.1.1.11": hashes.SHA256,
    "1.2.840.113549.1.1.12": hashes.SHA384,
    "1.2.840.113549.1.1.13": hashes.SHA512,
}


def digest(algorithm: str, data: bytes) -> bytes:
    """The digest of data under an algorithm of the SHA-2 family."""
    if algorithm not in DIGESTS:
        refuse("a digest that is not accepted:", algorithm)
    return hashlib.new(DIGESTS[algorithm]().name, data).digest()


@dataclass
class Signed:
    """A CMS SignedData with one signer."""

    version: int
    content_type: str
    content: bytes | None
    certificates: list[x509.Certificate]
    signer_id: Der
    digest_algorithm: str
    signed_attributes: Der
    attributes: dict[str, list[Der]]
    signature_algorithm: str
    signature: bytes
    unsigned: dict[str, list[Der]]


def load_certificate(raw: bytes) -> x509.Certificate:
    """Load a certificate in DER."""
    try:
        return x509.load_der_x509_certificate(raw)
    except ValueError as error:
        raise Refused(f"not a certificate: {error}") from None


def read_attributes(told: Der) -> dict[str, list[Der]]:
    """Attributes by their type, none of them twice."""
    pairs = [one.of(SEQUENCE).inner for one in told.inner]
    if any(len(pair) != 2 or not pair[1].of(SET).inner for pair in pairs):
        refuse("CMS: not an attribute")
    found = {pair[0].oid: pair[1].inner for pair in pairs}
    return found if len(found) == len(pairs) else refuse("CMS: an attribute twice")


def algorithm_of(told: Der) -> str:
    """The identifier of an algorithm."""
    inner = told.of(SEQUENCE).inner
    if not inner or [one.raw for one in inner[1:]] not in ([], [b"\x05\0"]):
        refuse("DER: no algorithm, or one with parameters")
    return inner[0].oid


def take(parts: list[Der], tag: int) -> Der | None:
    """Take the next element if it has this tag."""
    return parts.pop(0) if parts and parts[0].tag == tag else None


def need(parts: list[Der], tag: int) -> Der:
    """Take the next element, which must have this tag."""
    return take(parts, tag) or refuse(f"DER: no {tag:#x} where one must be")


def read_signed(raw: bytes) -> Signed:
    """Read a CMS SignedData (RFC 5652 § 5.1 and § 5.3)."""
    info = read_whole_der(raw).of(SEQUENCE).inner
    if len(info) != 2 or info[0].oid != SIGNED_DATA:
        refuse("not a CMS SignedData")
    parts = read_whole_der(info[1].of(0xA0).content).of(SEQUENCE).inner
    version = need(parts, 0x02).integer
    algorithms = [algorithm_of(one) for one in need(parts, SET).inner]
    told = need(parts, SEQUENCE).inner
    content = None
    if len(told) == 2:
        content = read_whole_der(told[1].of(0xA0).content).of(OCTETS).content
    certificates = take(parts, 0xA0)
    take(parts, 0xA1)
    signers = need(parts, SET).inner
    if len(signers) != 1 or parts or len(told) not in (1, 2):
        refuse("CMS: not exactly one signer")
    loaded = [load_certificate(one.raw) for one in (certificates.inner if certificates else [])]
    cms = read_signer(signers[0], told[0].oid, content, loaded)
    by_name = cms.signer_id.tag == SEQUENCE
    if cms.digest_algorithm not in algorithms or cms.version != (1 if by_name else 3):
        refuse("CMS: a signer that says other than the whole")
    if version != (1 if by_name and cms.content_type == DATA else 3):
        refuse("CMS: of another version")
    return cms


def read_signer(
    info: Der, kind: str, content: bytes | None, certificates: list[x509.Certificate]
) -> Signed:
    """Read a SignerInfo."""
    parts = info.of(SEQUENCE).inner
    version = need(parts, 0x02).integer
    signer_id = parts.pop(0) if parts else refuse("CMS: no signer")
    digest_algorithm = algorithm_of(need(parts, SEQUENCE))
    attributes = need(parts, 0xA0)
    signature_algorithm = algorithm_of(need(parts, SEQUENCE))
    signature = need(parts, OCTETS).content
    unsigned = take(parts, 0xA1)
    if parts:
        refuse("CMS: more than a signer has")
    return Signed(
        version,
        kind,
        content,
        certificates,
        signer_id,
        digest_algorithm,
        attributes,
        read_attributes(attributes),
        signature_algorithm,
        signature,
        read_attributes(unsigned) if unsigned else {},
    )


def is_signer(told: Der, certificate: x509.Certificate) -> bool:
    """True if a SignerIdentifier names this certificate."""
    if told.tag == 0x80:
        try:
            found = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        except (x509.ExtensionNotFound, ValueError):
            return False
        return found.value.digest == told.content
    parts = told.of(SEQUENCE).inner
    return (
        len(parts) == 2
        and parts[0].raw == certificate.issuer.public_bytes()
        and parts[1].integer == certificate.serial_number
    )


def check_certificate_reference(cms: Signed, certificate: x509.Certificate) -> None:
    """The signed attribute names the certificate by its hash (RFC 2634, RFC 5035)."""
    raw = certificate.public_bytes(serialization.Encoding.DER)
    v2 = cms.attributes.get(SIGNING_CERTIFICATE_V2)
    v1 = cms.attributes.get(SIGNING_CERTIFICATE)
    told = (v2 or v1 or refuse("CMS: the signer's certificate is not among what is signed"))[0]
    lists = told.of(SEQUENCE).inner
    named = lists[0].of(SEQUENCE).inner if lists else []
    parts = named[0].of(SEQUENCE).inner if named else []
    algorithm = SHA256
    if v2 and parts and parts[0].tag == SEQUENCE:
        algorithm = algorithm_of(parts.pop(0))
    wanted = need(parts, OCTETS).content
    found = digest(algorithm, raw) if v2 else hashlib.sha1(raw).digest()  # noqa: S324 (RFC 2634)
    if found != wanted:
        refuse("CMS: what is signed names another certificate")


def check_public_key(
    key: Any, algorithm: str, hashed: hashes.HashAlgorithm, signature: bytes, message: bytes
) -> None:
    """Check a signature of an EC or RSA key."""
    try:
        if isinstance(key, ec.EllipticCurvePublicKey) and algorithm.startswith("1.2.840.10045."):
            key.verify(signature, message, ec.ECDSA(hashed))
        elif isinstance(key, rsa.RSAPublicKey) and algorithm.startswith("1.2.840.113549.1.1."):
            key.verify(signature, message, padding.PKCS1v15(), hashed)
        else:
            refuse("CMS: a kind of signature that is not accepted:", algorithm)
    except InvalidSignature:
        refuse("CMS: the signature is not the signer's")


def check_signed(cms: Signed, content: bytes) -> x509.Certificate:
    """Check a SignedData over its content; give the signer's certificate."""
    signers = [one for one in cms.certificates if is_signer(cms.signer_id, one)]
    if not signers:
        refuse("CMS: the signer's certificate is not there")
    told = cms.attributes.get(CONTENT_TYPE), cms.attributes.get(MESSAGE_DIGEST)
    if not told[0] or not told[1] or len(told[0]) != 1 or len(told[1]) != 1:
        refuse("CMS: what is signed names neither content nor digest")
    if told[0][0].oid != cms.content_type:
        refuse("CMS: content of another type")
    if told[1][0].of(OCTETS).content != digest(cms.digest_algorithm, content):
        refuse("CMS: the digest is not that of the content")
    algorithm = cms.signature_algorithm
    if algorithm == "1.2.840.113549.1.1.1":  # RSA that leaves the digest to the other field
        hashed = DIGESTS[cms.digest_algorithm]()
    elif algorithm in SIGNATURES:
        hashed = SIGNATURES[algorithm]()
    else:
        refuse("CMS: a kind of signature that is not accepted:", algorithm)
    message = bytes([SET]) + cms.signed_attributes.raw[1:]
    check_public_key(signers[0].public_key(), algorithm, hashed, cms.signature, message)
    check_certificate_reference(cms, signers[0])
    return signers[0]


def may_sign_certificates(certificate: x509.Certificate) -> bool:
    """True if a certificate is that of a certification authority."""
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        if not basic.value.ca:
            return False
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    except x509.ExtensionNotFound as missing:
        return missing.oid == x509.KeyUsage.oid
    return usage.value.key_cert_sign


def path_length_holds(certificate: x509.Certificate, below: int) -> bool:
    """True if so many authorities may stand below this one."""
    basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    return basic.value.path_length is None or below <= basic.value.path_length


def leads_to_root(
    certificate: x509.Certificate,
    others: list[x509.Certificate],
    roots: list[x509.Certificate],
    at: dt.datetime,
    below: int = 0,
) -> bool:
    """True if a chain of certificates, all valid at a time, leads to one of the roots."""
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        return False
    if certificate in roots:
        return True
    if below > 6:
        return False
    for issuer in [*roots, *others]:
        if issuer.subject != certificate.issuer or not may_sign_certificates(issuer):
            continue
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            continue
        if path_length_holds(issuer, below) and leads_to_root(issuer, others, roots, at, below + 1):
            return True
    return False


def stamps_only(certificate: x509.Certificate) -> bool:
    """RFC 3161 § 2.3: the one extended use is time stamping, and critical."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return False
    return usage.critical and list(usage.value) == [ExtendedKeyUsageOID.TIME_STAMPING]


def read_general_time(told: Der) -> dt.datetime:
    """Read a GeneralizedTime as RFC 3161 writes it."""
    text = told.of(0x18).content.decode("ascii", "replace")
    match = re.fullmatch(r"([0-9]{14})(?:\.([0-9]*[1-9]))?Z", text)
    if match is None:
        refuse("a time stamp with a time in another form")
    return guarded_time(match[1])


def guarded_time(digits: str) -> dt.datetime:
    """An instant written as 14 digits, in UTC."""
    try:
        return dt.datetime.strptime(digits + "+0000", "%Y%m%d%H%M%S%z")
    except ValueError:
        refuse("a time that there is not:", digits)


def read_stamp(info: bytes) -> tuple[str, bytes, dt.datetime]:
    """Read a TSTInfo: the imprint's algorithm and digest, and the time."""
    parts = read_whole_der(info).of(SEQUENCE).inner
    if need(parts, 0x02).integer != 1:
        refuse("a time stamp of another version")
    need(parts, 0x06)
    imprint = need(parts, SEQUENCE).inner
    need(parts, 0x02)
    time = read_general_time(need(parts, 0x18))
    if len(imprint) != 2:
        refuse("a time stamp without imprint")
    return algorithm_of(imprint[0]), imprint[1].of(OCTETS).content, time


def check_stamp(token: bytes, stamped: bytes) -> tuple[Signed, dt.datetime]:
    """Check what a token says of itself: it is over these bytes."""
    cms = read_signed(token)
    if cms.content_type != TST_INFO or cms.content is None:
        refuse("not a time stamp")
    algorithm, imprint, time = read_stamp(cms.content)
    if imprint != digest(algorithm, stamped):
        refuse("the time stamp is over something else")
    return cms, time


def check_authority(cms: Signed, time: dt.datetime, roots: list[x509.Certificate]) -> str:
    """Check who stamped: a chain from a stamping certificate to a root that is known."""
    signer = check_signed(cms, cms.content or b"")
    if not stamps_only(signer):
        refuse("the certificate is not one for time stamps, and critically so")
    if not leads_to_root(signer, cms.certificates, roots, time):
        refuse("the time stamp does not lead to a root that is known")
    return f"{time:%Y-%m-%dT%H:%M:%SZ} {signer.subject.rfc4514_string()}"


UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


@contextlib.contextmanager
def strangers() -> Iterator[None]:
    """What cannot be read in certificates of others is refused."""
    try:
        yield
    except UNREADABLE as error:
        raise Refused(f"{type(error).__name__}: {error}") from None


def check_timestamps(findings: Findings, trust: Trust, text: str, tokens: list[bytes]) -> None:
    """Step 9: tokens over the text of a checkpoint, without its signature lines."""
    if not tokens:
        findings.tell("timestamp", NOT_NEEDED, "there are no time stamps")
    for token in tokens:
        check_timestamp(findings, trust, "timestamp", token, text.encode())


def check_timestamp(
    findings: Findings, trust: Trust, step: str, token: bytes, stamped: bytes
) -> None:
    """Check one token; without roots it can be refused, and not believed."""
    try:
        with strangers():
            cms, time = check_stamp(token, stamped)
            if trust.tsa_roots:
                findings.tell(step, HOLDS, check_authority(cms, time, trust.tsa_roots))
            else:
                findings.tell(step, UNCHECKED, "no root of an authority is known (--tsa-roots)")
    except Refused as refused:
        findings.tell(step, FAILS, str(refused))


# --- A small reader of PDF (ISO 32000) ------------------------------------------------------------


class Name(str):
    """A name: /Something."""

    __slots__ = ()


class Word(str):
    """A keyword: obj, stream, R …"""

    __slots__ = ()


@dataclass(frozen=True)
class Ref:
    """A reference to an object."""

    number: int
    generation: int


@dataclass(frozen=True)
class Text:
    """A string, and where it stands."""

    data: bytes
    start: int
    end: int


@dataclass(frozen=True)
class Data:
    """A stream: its dictionary and its bytes as they stand there."""

    told: dict[str, Any]
    raw: bytes


BLANK = b"\0\t\n\f\r "
DELIMITERS = b"()<>[]{}/%"
LITERALS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
TOKEN = re.compile(rb"[^\0\t\n\f\r ()<>\[\]{}/%]+")
NUMBER = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)")
LARGEST = 1 << 28


class Lexer:
    """Reads objects from bytes, one after the other."""

    def __init__(self, data: bytes, place: int = 0) -> None:
        self.data, self.place = data, place

    def skip(self) -> None:
        """Skip white space and comments."""
        while self.place < len(self.data):
            if self.data[self.place] in BLANK:
                self.place += 1
            elif self.data[self.place] == 0x25:
                while self.place < len(self.data) and self.data[self.place] not in b"\r\n":
                    self.place += 1
            else:
                return

    def starts(self, token: bytes) -> bool:
        """Take a token if it comes next."""
        if self.data.startswith(token, self.place):
            self.place += len(token)
            return True
        return False

    def word(self) -> bytes:
        """Take regular characters."""
        match = TOKEN.match(self.data, self.place)
        if match is None:
            refuse("PDF: nothing readable at", self.place)
        self.place = match.end()
        return match[0]

    def read(self, level: int = 0) -> Any:
        """Read one object."""
        self.skip()
        if level > 64:
            refuse("PDF: nested too deep")
        start = self.place
        if self.starts(b"<<"):
            return self.dictionary(level)
        if self.starts(b"["):
            return self.array(level)
        if self.starts(b"/"):
            return self.name()
        if self.starts(b"("):
            return Text(self.literal(), start, self.place)
        if self.starts(b"<"):
            return Text(self.hexadecimal(), start, self.place)
        word = self.word()
        if NUMBER.fullmatch(word):
            return float(word) if b"." in word else self.number(int(word))
        constants = {b"true": True, b"false": False, b"null": None}
        return constants[word] if word in constants else Word(word.decode("latin-1"))

    def number(self, value: int) -> int | Ref:
        """A number, or a reference if that is what it begins."""
        match = re.compile(rb"[\0\t\n\f\r ]+([0-9]+)[\0\t\n\f\r ]+R(?![^\0\t\n\f\r ()<>\[\]{}/%])")
        if found := match.match(self.data, self.place):
            self.place = found.end()
            return Ref(value, int(found[1]))
        return value

    def name(self) -> Name:
        """A name, with its #xx decoded."""
        match = TOKEN.match(self.data, self.place)
        raw = match[0] if match else b""
        self.place += len(raw)
        plain = re.sub(rb"#([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), raw)
        return Name(plain.decode("latin-1"))

    def array(self, level: int) -> list[Any]:
        """The rest of an array."""
        found: list[Any] = []
        while True:
            self.skip()
            if self.starts(b"]"):
                return found
            found.append(self.read(level + 1))

    def dictionary(self, level: int) -> dict[str, Any]:
        """The rest of a dictionary; no key may stand twice."""
        found: dict[str, Any] = {}
        while True:
            self.skip()
            if self.starts(b">>"):
                return found
            key = self.read(level + 1)
            if not isinstance(key, Name) or key in found:
                refuse("PDF: a dictionary nobody can read")
            found[key] = self.read(level + 1)

    def hexadecimal(self) -> bytes:
        """The rest of a string in hexadecimal."""
        end = self.data.find(b">", self.place)
        digits = bytes(c for c in self.data[self.place : end] if c not in BLANK)
        if end < 0 or not re.fullmatch(rb"[0-9A-Fa-f]*", digits):
            refuse("PDF: not a hexadecimal string")
        self.place = end + 1
        return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode())

    def literal(self) -> bytes:
        """The rest of a string in parentheses."""
        found, depth = bytearray(), 1
        while self.place < len(self.data):
            c = self.data[self.place : self.place + 1]
            self.place += 1
            if c == b"\\":
                found += self.escape()
                continue
            depth += (c == b"(") - (c == b")")
            if depth == 0:
                return bytes(found)
            found += c
        refuse("PDF: a string without end")

    def escape(self) -> bytes:
        """What stands behind a backslash."""
        if match := re.compile(rb"[0-7]{1,3}").match(self.data, self.place):
            self.place = match.end()
            return bytes([int(match[0], 8) & 0xFF])
        if self.starts(b"\r\n") or self.starts(b"\n") or self.starts(b"\r"):
            return b""
        c = self.data[self.place : self.place + 1]
        self.place += 1
        return LITERALS.get(c, c)


def inflate(raw: bytes) -> bytes:
    """Undo Flate, to an end and no further than a limit."""
    engine = zlib.decompressobj()
    try:
        plain = engine.decompress(raw, LARGEST)
    except zlib.error as error:
        raise Refused(f"PDF: {error}") from None
    return plain if engine.eof else refuse("PDF: a stream without end")


def unpredict(raw: bytes, columns: int) -> bytes:
    """Undo the predictors of PNG, for one byte a sample (None, Sub and Up)."""
    found, before = bytearray(), bytes(columns)
    for start in range(0, len(raw), columns + 1):
        kind, row = raw[start], bytearray(raw[start + 1 : start + 1 + columns])
        if kind > 2 or len(row) != columns:
            refuse("PDF: a predictor that is not known")
        for i in range(columns):
            row[i] = row[i] + (0, row[i - 1] if i else 0, before[i])[kind] & 0xFF
        found += row
        before = bytes(row)
    return bytes(found)


class Pdf:
    """A PDF: its objects by number, those of the last revision first."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.places: dict[int, tuple[int, int, int]] = {}
        self.opened: dict[int, list[Any]] = {}
        ends = list(re.finditer(rb"startxref[\r\n]+([0-9]+)[\r\n]+%%EOF", data))
        if not data.startswith(b"%PDF-") or not ends:
            refuse("not a PDF")
        self.trailer = self.read_places(int(ends[-1][1]))
        self.revisions, older = 1, self.trailer.get("Prev")
        while older is not None and self.revisions < 100:
            self.revisions, older = self.revisions + 1, self.read_places(older).get("Prev")
        if "XRefStm" in self.trailer or "Encrypt" in self.trailer:
            refuse("PDF: encrypted, or of two minds")
        self.root = self.dictionary(self.trailer.get("Root"))

    def read_places(self, place: int) -> dict[str, Any]:
        """Read the cross-reference table or stream; give the trailer."""
        lexer = Lexer(self.data, place)
        if lexer.starts(b"xref"):
            return self.read_table(lexer)
        told = self.read_at(place)
        if not isinstance(told, Data) or told.told.get("Type") != "XRef":
            refuse("PDF: no cross-references")
        widths, raw = told.told.get("W"), self.plain(told)
        size = told.told.get("Size")
        if not isinstance(widths, list) or len(widths) != 3 or not all(0 <= w < 9 for w in widths):
            refuse("PDF: cross-references nobody can read")
        ranges, step = told.told.get("Index", [0, size]), sum(widths)
        numbers = [n for i in range(0, len(ranges), 2) for n in spread(ranges[i], ranges[i + 1])]
        if not step or len(raw) != step * len(numbers):
            refuse("PDF: cross-references of another length")
        for row, number in enumerate(numbers):
            at, values = row * step, []
            for width in widths:
                values.append(int.from_bytes(raw[at : at + width], "big"))
                at += width
            kind = values[0] if widths[0] else 1
            self.places.setdefault(number, (kind, values[1], values[2]))
        return told.told

    def read_table(self, lexer: Lexer) -> dict[str, Any]:
        """Read a table of cross-references and the trailer behind it."""
        while True:
            first = lexer.read()
            if first == "trailer":
                trailer = lexer.read()
                return trailer if isinstance(trailer, dict) else refuse("PDF: no trailer")
            for number in spread(first, lexer.read()):
                place, generation, kind = lexer.read(), lexer.read(), lexer.read()
                self.places.setdefault(number, (1 if kind == "n" else 0, place, generation))

    def read_at(self, place: int, number: int | None = None) -> Any:
        """Read the object at a place, which must have this number."""
        lexer = Lexer(self.data, place)
        head = [lexer.read(), lexer.read(), lexer.read()]
        if head[2] != "obj" or number not in (None, head[0]):
            refuse("PDF: no object where one should be")
        value = lexer.read()
        lexer.skip()
        if not isinstance(value, dict) or not lexer.starts(b"stream"):
            return value
        if not (lexer.starts(b"\r\n") or lexer.starts(b"\n")):
            refuse("PDF: a stream nobody can read")
        size = self.get(value.get("Length"))
        start = lexer.place
        if not is_integer(size, 0) or start + size > len(self.data):
            refuse("PDF: a stream of another length")
        lexer.place = start + size
        lexer.skip()
        if not lexer.starts(b"endstream"):
            refuse("PDF: a stream of another length")
        return Data(value, self.data[start : start + size])

    def get(self, value: Any) -> Any:
        """Follow references."""
        for _ in range(8):
            if not isinstance(value, Ref):
                return value
            kind, one, two = self.places.get(value.number, (0, 0, 0))
            if kind == 1:
                value = self.read_at(one, value.number)
            elif kind == 2:
                value = self.in_stream(one, two, value.number)
            else:
                return None
        refuse("PDF: references that lead nowhere")

    def in_stream(self, stream: int, index: int, number: int) -> Any:
        """Take an object out of an object stream."""
        if self.places.get(stream, (0,))[0] != 1:
            refuse("PDF: an object stream within another")
        if stream not in self.opened:
            self.opened[stream] = self.open_stream(self.get(Ref(stream, 0)))
        found = self.opened[stream]
        if index >= len(found) or found[index][0] != number:
            refuse("PDF: an object that is not in its stream")
        return found[index][1]

    def open_stream(self, told: Any) -> list[Any]:
        """Read all objects of an object stream."""
        if not isinstance(told, Data) or told.told.get("Type") != "ObjStm":
            refuse("PDF: not an object stream")
        raw = self.plain(told)
        count, first = self.get(told.told.get("N")), self.get(told.told.get("First"))
        head = Lexer(raw)
        pairs = [(head.read(), head.read()) for _ in range(count)]
        return [(number, Lexer(raw, first + place).read()) for number, place in pairs]

    def plain(self, told: Any) -> bytes:
        """The bytes of a stream without its filter."""
        if not isinstance(told, Data):
            refuse("PDF: not a stream")
        filters, parms = self.get(told.told.get("Filter")), self.get(told.told.get("DecodeParms"))
        filters = filters if isinstance(filters, list) else [filters] if filters else []
        parms = parms[0] if isinstance(parms, list) and parms else parms
        if filters not in ([], ["FlateDecode"]):
            refuse("PDF: a filter that is not known")
        plain = inflate(told.raw) if filters else told.raw
        if parms and self.get(parms.get("Predictor", 1)) >= 10:
            return unpredict(plain, self.get(parms.get("Columns", 1)))
        return plain

    def dictionary(self, value: Any) -> dict[str, Any]:
        """A dictionary, through references."""
        found = self.get(value)
        return found if isinstance(found, dict) else refuse("PDF: no dictionary where one must be")

    def embedded(self) -> list[tuple[str, bytes]]:
        """The names and bytes of embedded files."""
        names = self.get(self.root.get("Names"))
        tree = self.get(names.get("EmbeddedFiles")) if isinstance(names, dict) else None
        return list(self.files_under(tree)) if tree else []

    def files_under(self, node: Any, level: int = 0) -> Iterator[tuple[str, bytes]]:
        """The embedded files under a node of the name tree."""
        branch = self.dictionary(node)
        if level > 8:
            refuse("PDF: a name tree too deep")
        for kid in self.get(branch.get("Kids")) or []:
            yield from self.files_under(kid, level + 1)
        leaves = self.get(branch.get("Names")) or []
        for name, spec in zip(leaves[::2], leaves[1::2], strict=True):
            file = self.dictionary(spec)
            told = [self.get(name), self.get(file.get("F")), self.get(file.get("UF"))]
            names = {text_of(one.data) for one in told if isinstance(one, Text)}
            if len(names) != 1:
                refuse("PDF: a file without name, or with two")
            ways = self.dictionary(file.get("EF"))
            yield names.pop(), self.plain(self.get(ways.get("UF", ways.get("F"))))


def spread(first: Any, count: Any) -> range:
    """The numbers of one part of the cross-references."""
    if not is_integer(first, 0) or not is_integer(count, 0) or count > 1 << 22:
        refuse("PDF: cross-references nobody can read")
    return range(first, first + count)


def text_of(raw: bytes) -> str:
    """Decode a text string."""
    if raw.startswith(b"\xfe\xff"):
        return raw[2:].decode("utf-16-be", "replace")
    if raw.startswith(b"\xef\xbb\xbf"):
        return raw[3:].decode("utf-8", "replace")
    return raw.decode("latin-1")


# --- Section 14: the sealed report ----------------------------------------------------------------


def find_seal(pdf: Pdf) -> dict[str, Any]:
    """The dictionary of the one signature in the one form field."""
    form = pdf.dictionary(pdf.root.get("AcroForm"))
    fields = pdf.get(form.get("Fields")) or []
    if len(fields) != 1:
        refuse("there is not exactly one form field")
    told = pdf.dictionary(fields[0])
    if told.get("FT") != "Sig" or "V" not in told:
        refuse("the form field is no signature")
    seal = pdf.dictionary(told["V"])
    if seal.get("SubFilter") != "ETSI.CAdES.detached":
        refuse("the seal is no PAdES")
    if pdf.dictionary(pdf.root.get("Perms")).get("DocMDP") != told["V"]:
        refuse("the signature does not certify")
    kinds = [pdf.dictionary(one) for one in pdf.get(seal.get("Reference")) or []]
    modes = [
        pdf.dictionary(one.get("TransformParams")).get("P")
        for one in kinds
        if one.get("TransformMethod") == "DocMDP"
    ]
    if modes != [1]:
        refuse("the seal allows changes")
    return seal


def sealed_bytes(pdf: Pdf, seal: dict[str, Any]) -> tuple[bytes, bytes]:
    """The CMS, and all that it covers: everything but /Contents."""
    ranges, contents = pdf.get(seal.get("ByteRange")), seal.get("Contents")
    if not isinstance(contents, Text) or not isinstance(ranges, list) or len(ranges) != 4:
        refuse("the seal has no /ByteRange and /Contents")
    if ranges != [0, contents.start, contents.end, len(pdf.data) - contents.end]:
        refuse("/ByteRange does not cover everything but /Contents")
    digits = pdf.data[contents.start : contents.end]
    if not re.fullmatch(rb"<(?:[0-9A-F]{2})+>", digits):
        refuse("/Contents is not in upper-case hexadecimal")
    cms, rest = read_der(contents.data)
    if rest.strip(b"\0"):
        refuse("something stands behind the CMS")
    return cms.raw, pdf.data[: contents.start] + pdf.data[contents.end :]


def check_seal(pdf: Pdf, trust: Trust) -> tuple[Signed, x509.Certificate]:
    """Check a seal up to the question whose certificate it is."""
    seal = find_seal(pdf)
    raw, covered = sealed_bytes(pdf, seal)
    cms = read_signed(raw)
    if cms.content_type != DATA or cms.content is not None or SIGNING_TIME in cms.attributes:
        refuse("the CMS is not that of a PAdES")
    if cms.unsigned.keys() - {SIGNATURE_TIME_STAMP}:
        refuse("something stands in the CMS beside what is signed")
    if (cms.digest_algorithm, cms.signature_algorithm) != (SHA256, ECDSA_SHA256):
        refuse("the seal is not ECDSA with SHA-256")
    signer = check_signed(cms, covered)
    key = signer.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        refuse("the seal's key is not on P-256")
    if not signer.not_valid_before_utc <= sealing_time(seal) <= signer.not_valid_after_utc:
        refuse("the certificate was not valid when it sealed")
    return cms, signer


def sealing_time(seal: dict[str, Any]) -> dt.datetime:
    """When the seal says that it was made: /M, in UTC."""
    told = seal.get("M")
    match = re.fullmatch(r"D:([0-9]{14})(?:Z|[+]00'00'?)", text_of(told.data)) if told else None
    if match is None:
        refuse("the seal does not say when it was made, in UTC")
    return guarded_time(match[1])


def judge_seal(findings: Findings, pdf: Pdf, trust: Trust) -> None:
    """Step 15: the seal, whose certificate it is, and the stamp on it."""
    try:
        with strangers():
            cms, signer = check_seal(pdf, trust)
    except Refused as refused:
        findings.tell("seal", FAILS, str(refused))
        return
    if not trust.certificates:
        findings.tell("seal", UNCHECKED, "whose certificate it is, is not known (--certificate)")
    elif signer not in trust.certificates:
        findings.tell("seal", FAILS, "the certificate is another one")
    else:
        findings.tell("seal", HOLDS, signer.subject.rfc4514_string())
    for token in cms.unsigned.get(SIGNATURE_TIME_STAMP, []):
        check_timestamp(findings, trust, "seal", token.raw, cms.signature)


def verify_pdf(raw: bytes, trust: Trust, words: Vocabulary) -> Findings:
    """Verify a sealed report: the evidence file in it, and its seal."""
    findings = Findings()
    try:
        pdf = Pdf(raw)
        if pdf.revisions != 1:
            refuse("more than one revision")
        inside = [data for name, data in pdf.embedded() if name == "evidence.json"]
        if len(inside) != 1:
            refuse("there is not one evidence.json in it")
        findings, _ = verify_evidence(inside[0], trust, words)
        judge_seal(findings, pdf, trust)
    except (Refused, TypeError, ValueError, LookupError, AttributeError) as error:
        findings.tell("file", FAILS, f"PDF: {error}")
    return findings


# --- The command ----------------------------------------------------------------------------------


def verify_checkpoint(raw: str, trust: Trust) -> Findings:
    """Verify a checkpoint by itself."""
    findings = Findings()
    try:
        checkpoint = read_checkpoint(raw)
    except Refused as refused:
        findings.tell("file", FAILS, str(refused))
        return findings
    findings.tell("file", HOLDS, f"{checkpoint.origin}, {checkpoint.size} leaves")
    check_anchors(findings, trust, checkpoint, [])
    return findings


def verify_proof(raw: str, trust: Trust, event: bytes | None) -> Findings:
    """Verify a proof; its leaf is the event's, or that of the receipt in `extra`."""
    findings = Findings()
    try:
        proof = read_proof(raw)
        checkpoint = read_checkpoint(proof.checkpoint)
        receipt = read_receipt(decode_text(proof.extra)) if proof.extra is not None else None
    except Refused as refused:
        findings.tell("file", FAILS, str(refused))
        return findings
    findings.tell("file", HOLDS, f"leaf {proof.index}")
    if event is not None and json.loads(event).get("log") != checkpoint.origin:
        findings.tell("bytes", FAILS, "the event is of another log than the checkpoint")
    leaf = leaf_hash(event) if event is not None else receipt.leaf if receipt else None
    if leaf is None:
        findings.tell("tree", UNCHECKED, "the event is not there (--event)")
    elif receipt and receipt.leaf != leaf:
        findings.tell("tree", FAILS, "the receipt is for another event")
    else:
        findings.attempt("tree", lambda: check_inclusion(proof, leaf, checkpoint))
    check_anchors(findings, trust, checkpoint, [])
    if receipt:
        if receipt.log != checkpoint.origin:
            findings.tell("promises", FAILS, "the receipt is another log's")
        elif check_receipt_key(findings, trust, receipt):
            findings.tell("promises", HOLDS)
    return findings


def verify_receipt(raw: str, trust: Trust, words: Vocabulary, evidence: bytes | None) -> Findings:
    """Verify a receipt; with an evidence file, that what it promised is there."""
    findings, stream = Findings(), None
    if evidence is not None:
        findings, stream = verify_evidence(evidence, trust, words)
    try:
        receipt = read_receipt(raw)
    except Refused as refused:
        findings.tell("file", FAILS, str(refused))
        return findings
    findings.tell("file", HOLDS, f"{receipt.case} #{receipt.seq}")
    if check_receipt_key(findings, trust, receipt):
        look_up(findings, receipt, stream)
    return findings


def look_up(findings: Findings, receipt: Receipt, stream: Stream | None) -> None:
    """Step 13: the entry that was promised is there, and under a checkpoint of the log."""
    read = findings.outcome("chain") == findings.outcome("bytes") == HOLDS
    if not read or stream is None or (stream.log, stream.case) != (receipt.log, receipt.case):
        findings.tell("promises", UNCHECKED, "where it should be, is not there (--evidence)")
        return
    place = receipt.seq - 1
    if place >= len(stream.entries):
        findings.tell("promises", FAILS, "the entry that was promised is missing")
    elif not fits_receipt(receipt, stream.entries[place], stream.hashes[place]):
        findings.tell("promises", FAILS, "the entry is not the one that was promised")
    elif findings.outcome("tree") == findings.outcome("signature") == HOLDS:
        findings.tell("promises", HOLDS)
    else:
        findings.tell("promises", UNCHECKED, "it is not shown to be in the log's tree")


def verify(
    path: Path,
    trust: Trust,
    words: Vocabulary | None = None,
    event: bytes | None = None,
    evidence: bytes | None = None,
) -> Findings:
    """Verify whatever this is."""
    words = words or read_vocabulary()
    if path.is_dir():
        return verify_folder(path, trust, words)
    raw = path.read_bytes()
    if raw.startswith(b"%PDF"):
        return verify_pdf(raw, trust, words)
    if raw.lstrip().startswith(b"{"):
        return verify_evidence(raw, trust, words)[0]
    try:
        text = decode_text(raw)
    except Refused as refused:
        findings = Findings()
        findings.tell("file", FAILS, str(refused))
        return findings
    if text.startswith(PROOF_HEAD):
        return verify_proof(text, trust, event)
    if text.startswith(RECEIPT_HEAD):
        return verify_receipt(text, trust, words, evidence)
    return verify_checkpoint(text, trust)


def read_trust(
    policy: Path | None = None,
    checkpoints: Iterable[Path] = (),
    tsa_roots: Iterable[Path] = (),
    certificates: Iterable[Path] = (),
    receipt_keys: Iterable[str] = (),
) -> Trust:
    """Read what was got from elsewhere."""
    return Trust(
        read_policy(policy.read_bytes()) if policy else None,
        [read_checkpoint(decode_text(path.read_bytes())) for path in checkpoints],
        [one for path in tsa_roots for one in x509.load_pem_x509_certificates(path.read_bytes())],
        [one for p in certificates for one in x509.load_pem_x509_certificates(p.read_bytes())],
        [read_key(vkey, [NOTE_KEY]) for vkey in receipt_keys],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify a path and print the numbered steps."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--policy", type=Path)
    for option in ("--checkpoint", "--tsa-roots", "--certificate"):
        parser.add_argument(option, type=Path, action="append", default=[])
    parser.add_argument("--receipt-key", action="append", default=[])
    parser.add_argument("--event", type=Path, help="the event a proof is about")
    parser.add_argument("--evidence", type=Path, help="where to look a receipt up")
    given = parser.parse_args(arguments)
    try:
        trust = read_trust(
            given.policy, given.checkpoint, given.tsa_roots, given.certificate, given.receipt_key
        )
    except (Refused, ValueError) as error:
        sys.stderr.write(f"what is to be believed cannot be read: {error}\n")
        return 2
    findings = verify(
        given.path,
        trust,
        event=given.event.read_bytes() if given.event else None,
        evidence=given.evidence.read_bytes() if given.evidence else None,
    )
    sys.stdout.writelines(line + "\n" for line in findings.lines())
    return findings.status


if __name__ == "__main__":
    sys.exit(main())
