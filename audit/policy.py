"""Whom to believe (C2SP tlog-policy): which keys are the log's, whose cosignatures are wanted.

    log <vkey> [<url>]
    witness <name> <vkey> [<url>]
    group <name> all|any|<k> <name>…
    quorum <name>|none

A policy comes from outside what is checked. One that came along in the same file would say that
whoever made the file is to be believed.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from audit.checkpoint import check_cosignatures
from audit.note import COSIGNATURE, ED25519, NotANote, Note, VerifierKey, check_note, read_vkey

NONE: Final = "none"
# Spaces and tabs alone part words: what Unicode calls white space may stand within a name.
_BLANK: Final = re.compile(r"[ \t]+")
_COUNT: Final = re.compile(r"[1-9][0-9]{0,8}")


class NotAPolicy(ValueError):
    """The text is not a policy; the message names the line."""


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness of the policy; url: where it takes checkpoints, for whoever asks it."""

    name: str
    key: VerifierKey
    url: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """Keys of logs, witnesses, groups (name -> how many of which), and the name of the quorum."""

    logs: tuple[VerifierKey, ...]
    witnesses: tuple[Witness, ...] = ()
    groups: Mapping[str, tuple[int, tuple[str, ...]]] | None = None
    quorum: str = NONE

    def trusting(self, keys: Iterable[VerifierKey]) -> "Policy":
        """The same policy with further keys of the log."""
        return replace(self, logs=tuple(dict.fromkeys((*self.logs, *keys))))


def signers(note: Note, policy: Policy) -> list[VerifierKey]:
    """The keys of the log, of those the policy knows, that have signed this checkpoint.

    Raises BadSignature for a line under the name and id of one of them that is not its signature.
    """
    origin = note.text.split("\n", 1)[0]
    # A key of another log on this one's checkpoint is nobody's.
    return check_note(note, (key for key in policy.logs if key.name == origin))


def witnessed(note: Note, policy: Policy) -> dict[str, int]:
    """The witnesses of the policy that have cosigned this checkpoint: name -> POSIX seconds.

    Raises BadSignature for a line under the name and id of one of them that is not its signature.
    """
    times = check_cosignatures(note, (one.key for one in policy.witnesses))
    return {one.name: times[one.key] for one in policy.witnesses if one.key in times}


def has_quorum(policy: Policy, there: Mapping[str, int]) -> bool:
    """Whether these witnesses are enough; always where the policy wants none."""
    return _met(policy, policy.quorum, there)


def _met(policy: Policy, name: str, there: Mapping[str, int]) -> bool:
    if name == NONE or name in there:
        return True
    needed, members = (policy.groups or {}).get(name, (1, ()))
    return sum(_met(policy, one, there) for one in members) >= needed


def read_policy(text: str) -> Policy:
    """Read a policy file; raises NotAPolicy."""
    reader = _Reader()
    for number, line in enumerate(text.split("\n"), 1):
        if any((c < " " and c != "\t") or c == "\x7f" for c in line):
            raise NotAPolicy(f"line {number}: a control character")
        words = [word for word in _BLANK.split(line) if word]
        if words and not words[0].startswith("#"):
            try:
                reader.take(words)
            except (NotANote, ValueError) as error:
                raise NotAPolicy(f"line {number}: {error}") from None
    if reader.quorum is None:
        raise NotAPolicy("there is no quorum line")
    return Policy(tuple(reader.logs), tuple(reader.witnesses), reader.groups, reader.quorum)


def write_policy(policy: Policy) -> str:
    """A policy as its file."""
    return "".join(f"{line}\n" for line in _lines(policy))


def _lines(policy: Policy) -> Iterator[str]:
    yield from (f"log {key.vkey}" for key in policy.logs)
    yield from (f"witness {one.name} {one.key.vkey} {one.url}".rstrip() for one in policy.witnesses)
    for name, (needed, members) in (policy.groups or {}).items():
        yield f"group {name} {needed} {' '.join(members)}"
    yield f"quorum {policy.quorum}"


class _Reader:
    """The lines of a policy, taken one by one."""

    def __init__(self) -> None:
        self.logs: list[VerifierKey] = []
        self.witnesses: list[Witness] = []
        self.groups: dict[str, tuple[int, tuple[str, ...]]] = {}
        self.quorum: str | None = None
        self._grouped: set[str] = set()

    def take(self, words: list[str]) -> None:
        match words:
            case ["log", vkey] | ["log", vkey, _]:
                self._log(vkey)
            case ["witness", name, vkey, *url] if len(url) <= 1:
                self._witness(name, vkey, *url)
            case ["group", name, needed, *members] if members:
                self._group(name, needed, members)
            case ["quorum", name] if self.quorum is None:
                if name != NONE and name not in self._known:
                    raise ValueError(f"{name} is not defined above")
                self.quorum = name
            case _:
                raise ValueError(f"not understood: {' '.join(words)[:80]}")

    @property
    def _known(self) -> set[str]:
        return {one.name for one in self.witnesses} | self.groups.keys()

    def _log(self, vkey: str) -> None:
        key = read_vkey(vkey)
        if key.type != ED25519 or any(one.key == key.key for one in self.logs):
            raise ValueError("not the key of a log (type 0x01), or there already")
        self.logs.append(key)

    def _witness(self, name: str, vkey: str, url: str = "") -> None:
        key = read_vkey(vkey)
        if key.type != COSIGNATURE or any(one.key.key == key.key for one in self.witnesses):
            raise ValueError("not the key of a witness (type 0x04), or there already")
        self._new(name)
        self.witnesses.append(Witness(name, key, url))

    def _group(self, name: str, needed: str, members: list[str]) -> None:
        self._new(name)
        for member in members:
            if member not in self._known or member in self._grouped:
                raise ValueError(f"{member} is not defined above, or in a group already")
            self._grouped.add(member)
        told = int(needed) if _COUNT.fullmatch(needed) else 0
        count = {"all": len(members), "any": 1}.get(needed, told)
        if not 1 <= count <= len(members):
            raise ValueError(f"a group of {len(members)} cannot need {needed}")
        self.groups[name] = (count, tuple(members))

    def _new(self, name: str) -> None:
        if name == NONE or name in self._known:
            raise ValueError(f"the name {name} is taken")
