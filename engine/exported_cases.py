"""Every case of an exported log folded on several cores, once the export has been checked.

What is checked: files, hashes, links, root, signature; `python -m audit` checks every word. Each
core reads all of it, and keeps the entries of the cases that fall to it, as bytes, to the end.
"""

import gc
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar
from zlib import crc32

from audit.checkpoint import Checkpoint
from audit.entries import Entry, reread
from audit.exported import NotAnExport, read_bodies, verify_links
from audit.metrics.places import UNITS
from audit.steps import Findings, Outcome
from audit.trust import Trust
from engine.errors import BadInput

_UNREADABLE: Final = (KeyError, TypeError, ValueError, IndexError, AttributeError)
# What folding cases needs beside them: units, and who holds which post.
REGISTERS: Final = (UNITS, "@people")
# In a canonical body the name of the stream stands behind the time, as in audit.links.
_CASE: Final = b'Z","case":"'
Folded = TypeVar("Folded")


class ExportFails(BadInput):
    """The export is not what its checkpoint says, or nobody known has signed that."""


@dataclass(frozen=True, slots=True)
class ExportedCases(Generic[Folded]):
    """What every case of an export comes to, in no order, and the entries of REGISTERS."""

    tree: Checkpoint
    cases: tuple[Folded, ...]
    registers: Mapping[str, Sequence[Entry]]

    @property
    def units(self) -> Sequence[Entry]:
        """The entries of `@units`."""
        return self.registers[UNITS]


def fold_export(
    folder: Path, trust: Trust, fold: Callable[[Sequence[Entry]], Folded], *, workers: int
) -> ExportedCases[Folded]:
    """Check an exported log, and give the entries of each case to `fold`, which travels to cores.

    trust: whose signature on the checkpoint is believed. Raises ExportFails.
    """
    with _collecting_nothing(), ProcessPoolExecutor(workers, initializer=gc.disable) as pool:
        shares = [pool.submit(_fold_share, folder, fold, n, workers) for n in range(workers)]
        _check(verify_links(folder, trust))
        try:
            tree, _ = read_bodies(folder)
            told = [one.result() for one in shares]
        except (NotAnExport, *_UNREADABLE) as error:
            raise _fails(str(error), f"{error}") from error
    cases = tuple(case for folded, _ in told for case in folded)
    registers = {name: [one for _, kept in told for one in kept[name]] for name in REGISTERS}
    return ExportedCases(tree, cases, registers)


@contextmanager
def _collecting_nothing() -> Iterator[None]:
    """Entries and facts hold no cycles, and looking for some takes a third of the time."""
    wanted = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if wanted:
            gc.enable()


def _check(found: Findings) -> None:
    for step in found.steps:
        if step.outcome is Outcome.FAILS:
            raise _fails(step.chinese, step.english)
    signed = next((one for one in found.steps if one.name == "signature"), None)
    if signed is None or signed.outcome is not Outcome.HOLDS:
        raise ExportFails(
            "不知道检查点是谁签的，没有计算。请用 --policy 给出从别处得到的信任名单。",
            "Nobody knows who signed the checkpoint; nothing was computed. Name a policy that you "
            "have from elsewhere (--policy).",
        )


def _fails(chinese: str, english: str) -> ExportFails:
    return ExportFails(
        f"导出的日志不能用，没有计算：{chinese}。请重新导出，或用 python -m audit 查明原因。",
        f"The exported log cannot be used; nothing was computed: {english}. Export it again, or "
        "look into it with python -m audit.",
    )


def _fold_share(
    folder: Path, fold: Callable[[Sequence[Entry]], Folded], which: int, of: int
) -> tuple[list[Folded], dict[str, list[Entry]]]:
    """Every `of`-th stream by its name, and the registers that are among them."""
    kept = defaultdict[bytes, list[bytes]](list)
    _, bodies = read_bodies(folder)
    for body in bodies:
        name = _stream(body)
        wanted = not name.startswith(b"@") or name.decode() in REGISTERS
        if wanted and crc32(name) % of == which:
            kept[name].append(body)
    registers = {name: [reread(body) for body in kept.pop(name.encode(), ())] for name in REGISTERS}
    # Given back as they are folded: bytes and entries of everything at once are too much.
    folded = [fold([reread(body) for body in kept.pop(name)]) for name in sorted(kept)]
    return folded, registers


def _stream(body: bytes) -> bytes:
    begin = body.find(_CASE) + len(_CASE)
    return body[begin : body.find(b'"', begin)]
