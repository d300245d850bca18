"""What entries name by its hash and rest on: process definitions and working calendars."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from audit.entries import Entry
from audit.steps import Step, failed, held


@dataclass(frozen=True, slots=True)
class DefinitionSet:
    """A pinned definition: its process, its digest (hex), its files by name."""

    key: str
    sha256: str
    files: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Calendar:
    """A published working calendar: its version and its file."""

    version: int
    content: bytes


def sha256(content: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


def listing_digest(hashes: Mapping[str, str]) -> str:
    """The digest (hex) of a definition set whose files have these SHA-256 (name -> hex).

    SHA-256 over a line `<sha256>  <name>` for each file, sorted by the UTF-8 bytes of the name.
    """
    names = sorted(hashes, key=lambda name: name.encode())
    return sha256("".join(f"{hashes[name]}  {name}\n" for name in names).encode())


def definitions_named(entries: Iterable[Entry]) -> dict[str, str]:
    """The definition sets that cases pin: digest (hex) -> process."""
    pinned = (entry.data["definition"] for entry in entries if entry.type == "case.opened")
    return {one["sha256"]: one["key"] for one in pinned}


def calendars_named(entries: Iterable[Entry]) -> dict[int, str]:
    """The calendars that entries were computed with: version -> SHA-256 (hex)."""
    return dict(told for entry in entries for told in _calendars(entry.data))


def check_pinned(
    definitions: Mapping[str, str],
    calendars: Mapping[int, str],
    sets: Iterable[DefinitionSet],
    files: Iterable[Calendar],
) -> Step:
    """Whether definition sets and calendar files at hand are exactly those that are named.

    definitions: digest -> process, calendars: version -> SHA-256, as the entries name them. Each
    once and in order: of two that bear one name, a reader might be shown the other one.
    """
    at_hand = list(sets)
    for one in at_hand:
        if listing_digest({name: sha256(data) for name, data in one.files.items()}) != one.sha256:
            return failed(
                "pinned",
                f"流程定义 {one.key} 的文件不是记录指明的",
                f"the files of definition {one.key} do not give the digest that the events name",
            )
    if [(one.sha256, one.key) for one in at_hand] != sorted(definitions.items()):
        return failed(
            "pinned",
            "流程定义与记录指明的不是同一批",
            "the definitions are not those that the events name",
        )
    if [(one.version, sha256(one.content)) for one in files] != sorted(calendars.items()):
        return failed(
            "pinned",
            "工作日历与记录指明的不是同一批",
            "the calendars are not those that the events name",
        )
    return held("pinned")


def _calendars(data: Any) -> Iterator[tuple[int, str]]:
    if type(data) is dict:
        told = data.get("calendar")
        if type(told) is dict and told.keys() == {"version", "sha256"}:
            yield told["version"], told["sha256"]
        for value in data.values():
            yield from _calendars(value)
    elif type(data) is list:
        for value in data:
            yield from _calendars(value)
