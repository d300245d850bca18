"""The command line of photos: which of them were handed in more than once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import click

from engine.alike_photos import (
    Group,
    Place,
    Resemblance,
    Why,
    alike_groups,
    fingerprints,
    photos_named,
)
from web.shell import Shell, json_option, print_json, progress_bar

Places = Mapping[str, tuple[Place, ...]]

WHY: dict[Why, str] = {
    "missing": "文件不在 / not here",
    "damaged": "与登记的指纹不符 / not what it was",
    "unreadable": "读不出 / cannot be read",
    "undecodable": "打不开 / cannot be decoded",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found among photos: files named by several events, look-alikes, and the rest."""

    named: Places
    same: list[str]
    groups: list[Group]
    left_out: Mapping[str, Why]


@click.group()
def photos() -> None:
    """证据照片 / photos among the evidence."""


@photos.command()
@click.option(
    "--between-cases", is_flag=True, help="只看不同案件之间的 / only those of different cases"
)
@json_option
@click.pass_obj
def alike(shell: Shell, between_cases: bool, as_json: bool) -> None:
    """找出重复使用的照片（保密案件除外） / photos used more than once, confidential cases left out.

    只看画面，不下结论：谁能看案件，谁去核实。 / It compares pictures and accuses nobody.
    """
    seen = _look(shell, between_cases)
    if as_json:
        print_json(_told(seen))
        return
    for line in _lines(seen):
        click.echo(line)


def _look(shell: Shell, between_cases: bool) -> Seen:
    with shell.reader.begin() as conn:
        named = photos_named(conn)
    with progress_bar("照片 / photos")(max(1, len(named))) as step:
        prints = fingerprints(shell.settings.evidence_dir, named, seen=lambda _: step(1))
    found = alike_groups(prints.found)
    same = [sha256 for sha256, places in named.items() if len(places) > 1]
    if between_cases:
        found = [group for group in found if _cases(named, group.files) > 1]
        same = [sha256 for sha256 in same if _cases(named, [sha256]) > 1]
    return Seen(named, same, found, prints.left_out)


def _cases(named: Places, files: Iterable[str]) -> int:
    return len({place.case for sha256 in files for place in named[sha256]})


def _told(seen: Seen) -> dict[str, Any]:
    return {
        "photos": len(seen.named),
        "same_file": [_file(seen, sha256) for sha256 in seen.same],
        "alike": [
            {
                "files": [_file(seen, sha256) for sha256 in group.files],
                "pairs": [_pair(pair) for pair in group.pairs],
            }
            for group in seen.groups
        ],
        "left_out": [_file(seen, one) | {"why": why} for one, why in seen.left_out.items()],
    }


def _file(seen: Seen, sha256: str) -> dict[str, Any]:
    events = [{"case": place.case, "seq": place.seq} for place in seen.named[sha256]]
    return {"sha256": sha256, "events": events}


def _pair(pair: Resemblance) -> dict[str, Any]:
    return {
        "first": pair.first,
        "second": pair.second,
        "correlation": pair.likeness.correlation,
        "squares": pair.likeness.squares,
        "found": pair.likeness.found,
        "mirrored": pair.likeness.mirrored,
    }


def _lines(seen: Seen) -> Iterable[str]:
    for sha256 in seen.same:
        yield f"同一文件 / same file {sha256[:12]}：{_events(seen, sha256)}"
    for number, group in enumerate(seen.groups, 1):
        yield f"第 {number} 组相似 / alike, group {number}"
        for pair in group.pairs:
            yield f"  {_both(seen, pair)}"
    for sha256, why in seen.left_out.items():
        yield f"没有比对 / left out {sha256[:12]}：{WHY[why]}：{_events(seen, sha256)}"
    yield (
        f"{len(seen.named)} 张照片，{len(seen.same)} 个文件用了不止一次，{len(seen.groups)} 组相似"
        " / photos, files used more than once, groups that look alike"
    )


def _both(seen: Seen, pair: Resemblance) -> str:
    mirrored = "，左右相反 / mirrored" if pair.likeness.mirrored else ""
    share = f"{pair.likeness.squares / 10:.1f}%"
    return f"{_events(seen, pair.first)} = {_events(seen, pair.second)}（{share}{mirrored}）"


def _events(seen: Seen, sha256: str) -> str:
    return " ".join(f"{place.case} #{place.seq}" for place in seen.named[sha256])
