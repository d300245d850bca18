"""What entries name by its hash and rest on: process definitions and working calendars."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
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


def definitions_named(entries: Iterable[Entry]) -> set[tuple[str, str]]:
    """The definition sets that cases pin: digest (hex) and process as each says it."""
    pinned = (entry.data["definition"] for entry in entries if entry.type == "case.opened")
    return {(one["sha256"], one["key"]) for one in pinned}


def calendars_named(entries: Iterable[Entry]) -> set[tuple[int, str]]:
    """The calendars that entries were computed with: version and SHA-256 (hex) as each says it.

    Only the field `calendar` of the vocabulary names one; what a form says is somebody's answer.
    """
    told: Iterable[Any] = (entry.data.get("calendar") for entry in entries)
    return {(one["version"], one["sha256"]) for one in told if _is_calendar(one)}


def check_pinned(
    definitions: Collection[tuple[str, str]],
    calendars: Collection[tuple[int, str]],
    sets: Iterable[DefinitionSet],
    files: Iterable[Calendar],
) -> Step:
    """Whether definition sets and calendar files at hand are exactly those that are named.

    definitions: digest and process, calendars: version and SHA-256, as the entries name them. Each
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
    if [(one.sha256, one.key) for one in at_hand] != sorted(definitions):
        return failed(
            "pinned",
            "流程定义与记录指明的不是同一批",
            "the definitions are not those that the events name",
        )
    if [(one.version, sha256(one.content)) for one in files] != sorted(calendars):
        return failed(
            "pinned",
            "工作日历与记录指明的不是同一批",
            "the calendars are not those that the events name",
        )
    return held("pinned")


def _is_calendar(told: Any) -> bool:
    if type(told) is not dict or told.keys() != {"version", "sha256"}:
        return False
    return type(told["version"]) is int and type(told["sha256"]) is str
