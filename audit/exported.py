"""A log in a folder: all its entries, its tree, its checkpoints, what its entries rest on.

    checkpoint              the last checkpoint, with its cosignatures
    checkpoints/<size>      every checkpoint that was ever signed, this one too
    timestamps/<size>.<n>   RFC 3161 tokens (DER) over the text of that checkpoint
    tile/<level>/<n>        the hashes of the tree, tile/entries/<n> its entries (C2SP tlog-tiles)
    definitions/<sha256>    the files of all deployed definitions, calendars/<sha256> all calendars

Nothing else may be there: a file that nothing vouches for could say anything. From these files the
whole log is computed again, by this module or by anybody who reads docs/audit-format.md.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from audit import vocabulary
from audit.between import check_arrivals, check_proofs
from audit.chain import Problem, check_next, link
from audit.checkpoint import Checkpoint, check_plain, read_checkpoint
from audit.commitments import is_sealed
from audit.encoding import NotCanonical
from audit.entries import Entry, leaf_hash, unseal
from audit.evidence_file import entry_steps, not_reached
from audit.links import check_links
from audit.merkle import Frontier
from audit.note import BadSignature, NotANote, Note, read_note
from audit.pinned import calendars_named, definitions_named, listing_digest, sha256
from audit.revealed import check_revealed
from audit.rotations import by_tree, extend
from audit.steps import Findings, Outcome, Step, failed, findings, held, not_needed, unchecked
from audit.tiles import NotATile, split_entries, tile_path, tiles_of
from audit.trust import Trust, check_checkpoints, forked, known_outside, nothing_outside, worst

CHECKPOINT: Final = "checkpoint"
CHECKPOINTS: Final = "checkpoints"
TIMESTAMPS: Final = "timestamps"
DEFINITIONS: Final = "definitions"
CALENDARS: Final = "calendars"
ENTRIES: Final = "entries"


class NotAnExport(ValueError):
    """The folder does not hold a log in this form; the message names the file."""


@dataclass(slots=True)
class Between:
    """What is checked when all streams are known: messages, codes shown, answers opened."""

    sent: dict[str, Entry] = field(default_factory=dict)
    arrived: list[Entry] = field(default_factory=list)
    shown: dict[tuple[str, int], Entry] = field(default_factory=dict)
    typed: list[Entry] = field(default_factory=list)
    sealed: dict[str, list[Entry]] = field(default_factory=dict)

    def note(self, entry: Entry) -> None:
        """Keep an entry if something rests on it."""
        if entry.type == "message.sent":
            self.sent[entry.hash.hex()] = entry
        elif entry.type in ("message.received", "case.opened") and "origin" in entry.data:
            self.arrived.append(entry)
        elif entry.type == "code.shown":
            self.shown[entry.stream, entry.seq] = entry
        elif entry.type == "answers.revealed":
            self.sealed.setdefault(entry.stream, []).append(entry)
        elif entry.type == "task.completed":
            if any(is_sealed(value) for value in entry.data["form"].values()):
                self.sealed.setdefault(entry.stream, []).append(entry)
            if "proof" in entry.data:
                self.typed.append(entry)

    def problems(self) -> Iterator[Problem]:
        """What does not fit together."""
        yield from check_arrivals(self.sent, self.arrived)
        yield from check_proofs(self.typed, lambda case, seq: self.shown.get((case, seq)))
        for entries in self.sealed.values():
            yield from check_revealed(entries)


@dataclass(slots=True)
class Folded:
    """What folding the entries of a log, in the order of its tree, has found.

    roots: of the sizes that were asked for. between: what streams told each other, opened, showed.
    problem: the first, and then folding stopped.
    """

    tree: Frontier = field(default_factory=Frontier)
    roots: dict[int, bytes] = field(default_factory=dict)
    streams: dict[str, tuple[int, str, datetime]] = field(default_factory=dict)
    definitions: set[tuple[str, str]] = field(default_factory=set)
    calendars: set[tuple[int, str]] = field(default_factory=set)
    deployed: dict[str, str] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)
    published: dict[int, str] = field(default_factory=dict)
    misnamed: list[str] = field(default_factory=list)
    own: list[tuple[Entry, int]] = field(default_factory=list)
    between: Between = field(default_factory=Between)
    problem: Problem | None = None


def fold(log: str, bodies: Iterable[bytes], sizes: Iterable[int] = ()) -> Folded:
    """Check the entries of a log in the order of its tree: bytes, chains, words; compute the tree.

    sizes: of which trees to remember the root.
    """
    wanted, told = set(sizes), Folded()
    told.roots[0] = told.tree.root()
    for body in bodies:
        found = _next(log, body, told)
        if isinstance(found, Problem):
            told.problem = found
            return told
        told.streams[found.stream] = (found.seq, link(found.hash), found.at)
        _note(found, told)
        told.tree.add(found.hash)
        if told.tree.size in wanted:
            told.roots[told.tree.size] = told.tree.root()
    return told


def verify_export(folder: Path, trust: Trust) -> Findings:
    """Compute everything again from an exported log."""
    try:
        export = _Export(folder)
        return findings(_steps(export, trust))
    except NotAnExport as error:
        return Findings((failed("file", f"导出不完整：{error}", str(error)),))


def verify_links(folder: Path, trust: Trust) -> Findings:
    """Hashes, links and tree of an exported log alone, as fast as it can be read (audit.links)."""
    try:
        export = _Export(folder)
        return findings(_quick_steps(export, trust))
    except NotAnExport as error:
        return Findings((failed("file", f"导出不完整：{error}", str(error)),))


def read_bodies(folder: Path) -> tuple[Checkpoint, Iterator[bytes]]:
    """The tree that an export says it rests on, and its entries in order; nothing is checked.

    Raises NotAnExport, while the entries are read too.
    """
    export = _Export(folder)
    tree = read_checkpoint(export.notes[-1])
    return tree, export.entries(tree.size)


def _quick_steps(export: "_Export", trust: Trust) -> Iterator[Step]:
    tree = read_checkpoint(export.notes[-1])
    told = check_links(tree.origin, export.entries(tree.size))
    yield held("file", f"{told.streams} 个流", f"{told.streams} streams")
    if told.problem is not None:
        what = f"{told.problem.case} #{told.problem.seq}: {told.problem.what}"
        yield failed("chain", what, what)
    else:
        yield held("chain")
        fits = told.tree.root() == tree.root
        yield held("tree") if fits else _other_root()
    yield from check_checkpoints(export.notes, export.tokens, trust)
    for name in ("bytes", "words", "consistency", "outside", "pinned"):
        yield unchecked(name, "快速核对不看这一步", "a quick look leaves this out")


def _steps(export: "_Export", trust: Trust) -> Iterator[Step]:
    last = export.notes[-1]
    tree = read_checkpoint(last)
    kept = [one for one in known_outside(trust, tree.origin) if isinstance(one, Checkpoint)]
    sizes = {*export.sizes, *(one.size for one in kept)}
    told = fold(tree.origin, export.entries(tree.size), sizes)
    told_file = f"{len(told.streams)} 个流，{told.tree.size} 条记录"
    yield held("file", told_file, f"{len(told.streams)} streams, {told.tree.size} events")
    yield from entry_steps(told.problem or next(told.between.problems(), None))
    if told.problem is None:
        yield (own := _check_tree(export, told, tree))
        yield _check_consistency(export, told)
        yield _check_pinned(export, told)
        trust = trust_rotations(trust, told.own, export.notes)
        # Entries that are not those of the log's own checkpoint say nothing of what the log did.
        whole = own.outcome is not Outcome.FAILS
        yield compare_outside(trust, told, tree) if whole else next(not_reached("outside"))
    else:
        yield from not_reached("tree", "consistency", "pinned", "outside")
    yield from check_checkpoints(export.notes, export.tokens, trust)
    yield not_needed(
        "replay", "重算要用流程引擎：shaoji verify", "replay takes the engine: shaoji verify"
    )


def compare_outside(trust: Trust, told: Folded, tree: Checkpoint) -> Step:
    """Whether the tree begins with every checkpoint that was kept elsewhere."""
    if not trust.outside:
        return nothing_outside()
    return worst("outside", [
        one if isinstance(one, Step) else _compare(told, tree, one)
        for one in known_outside(trust, tree.origin)
    ])  # fmt: skip


def shorter(kept: int, here: int) -> Step:
    """That the log has fewer events than it once had."""
    return failed(
        "outside",
        f"外部保存的检查点有 {kept} 片叶子，这里只有 {here}：后面的 {kept - here} 条记录不见了"
        "（恢复了旧备份，或被删）",
        f"the checkpoint kept elsewhere has {kept} leaves, there are {here} here: the last "
        f"{kept - here} events are gone (a restored backup, or removed)",
    )


def _compare(told: Folded, tree: Checkpoint, kept: Checkpoint) -> Step:
    if kept.size > tree.size:
        return shorter(kept.size, tree.size)
    if told.roots.get(kept.size) != kept.root:
        return forked(kept.size)
    return held("outside", f"检查点 {kept.size}", f"checkpoint {kept.size}")


def _check_tree(export: "_Export", told: Folded, tree: Checkpoint) -> Step:
    if told.tree.root() != tree.root:
        return _other_root()
    for path, wanted in export.tiles(tree.size):
        if export.read(path) != wanted:
            return failed("tree", f"{path} 不是叶子算出的", f"{path} is not what the leaves give")
    return held("tree", f"检查点 {tree.size}", f"checkpoint {tree.size}")


def _other_root() -> Step:
    what = "the entries give another root than the checkpoint says"
    return failed("tree", "记录算出的树根与检查点不同", what)


def _check_consistency(export: "_Export", told: Folded) -> Step:
    origins = {read_checkpoint(note).origin for note in export.notes}
    if len(origins) > 1:
        what = f"there are checkpoints of several logs: {', '.join(sorted(origins))}"
        return failed("consistency", "有别的日志的检查点", what)
    for note in export.notes:
        one = read_checkpoint(note)
        if told.roots.get(one.size) != one.root:
            return failed(
                "consistency",
                f"检查点 {one.size} 不是这棵树的开头",
                f"checkpoint {one.size} is not the beginning of this tree",
            )
    return held("consistency", f"{len(export.notes)} 个检查点", f"{len(export.notes)} checkpoints")


def _check_pinned(export: "_Export", told: Folded) -> Step:
    if not told.definitions <= set(told.deployed.items()):
        what = "a case pins a definition that was never deployed"
        return failed("pinned", "有案件用了没有部署过的流程定义", what)
    if not told.calendars <= set(told.published.items()):
        what = "an event names a calendar that was never published"
        return failed("pinned", "有记录用了没有发布过的工作日历", what)
    if told.misnamed:
        what = f"the files of definition {told.misnamed[0]} do not give the digest it is named by"
        return failed("pinned", f"流程定义 {told.misnamed[0]} 的文件与它的摘要不符", what)
    for folder, wanted in ((DEFINITIONS, told.files), (CALENDARS, set(told.published.values()))):
        there = {path.name: sha256(path.read_bytes()) for path in export.files(folder)}
        if there != {name: name for name in wanted}:
            return failed(
                "pinned",
                f"{folder} 里的文件不是记录指明的",
                f"the files in {folder} are not those that the events name",
            )
    return held("pinned")


def trust_rotations(trust: Trust, own: Iterable[tuple[Entry, int]], notes: list[Note]) -> Trust:
    """The trust, with the keys that the log's own events hand over to.

    own: entries of `@log` with their leaf index. notes: checkpoints found to be of this tree. Where
    one bears a forged signature nobody is added: the step about signatures says so.
    """
    if trust.policy is None:
        return trust
    try:
        keys = extend(trust.policy.logs, by_tree(own, notes))
    except BadSignature:
        return trust
    return replace(trust, policy=trust.policy.trusting(keys))


# --- folding --------------------------------------------------------------------------------------


def _next(log: str, body: bytes, told: Folded) -> Entry | Problem:
    """The next entry of the tree, which is also the next one of its stream; or what is wrong."""
    try:
        entry = unseal(body)
    except NotCanonical as error:
        return Problem("@tree", told.tree.size, f"not canonical: {error}", "bytes")
    seq, prev, last = told.streams.get(entry.stream, (0, "", None))
    found = check_next(log, entry, seq + 1, prev, last)
    if isinstance(found, Entry) and (what := vocabulary.check(found)):
        return Problem(found.stream, found.seq, what, "words")
    return found


def _note(entry: Entry, told: Folded) -> None:
    """Remember what an entry rests on, or what it brings for others to rest on."""
    told.between.note(entry)
    told.definitions |= definitions_named([entry])
    told.calendars |= calendars_named([entry])
    if entry.type == "definition.deployed":
        told.deployed[entry.data["sha256"]] = entry.data["key"]
        files = {file["name"]: file["sha256"] for file in entry.data["files"]}
        told.files |= set(files.values())
        if listing_digest(files) != entry.data["sha256"]:
            told.misnamed.append(entry.data["key"])
    elif entry.type == "calendar.published":
        told.published[entry.data["version"]] = entry.data["sha256"]
    elif entry.stream == "@log":
        told.own.append((entry, told.tree.size))


# --- the folder -----------------------------------------------------------------------------------


class _Export:
    """The files of an export; raises NotAnExport for whatever cannot be read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        told = {self._checkpoint(path) for path in self.files(CHECKPOINTS)}
        by_size = sorted(told, key=lambda one: one[0])
        if not by_size:
            raise NotAnExport("no checkpoint")
        self.sizes = [size for size, _ in by_size]
        self.notes = [note for _, note in by_size]
        if self.read(CHECKPOINT) != self.notes[-1].data:
            raise NotAnExport("checkpoint is not the last one of checkpoints/")
        self.tokens = self._tokens()
        self._check_nothing_else(read_checkpoint(self.notes[-1]).size)

    def read(self, path: str) -> bytes:
        try:
            return (self._folder / path).read_bytes()
        except OSError:
            raise NotAnExport(f"{path} is missing") from None

    def files(self, part: str) -> list[Path]:
        folder = self._folder / part
        return (
            sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
        )

    def entries(self, size: int) -> Iterator[bytes]:
        """All entries, in the order of the tree."""
        for level, number, width in tiles_of(size):
            if level:
                return
            path = tile_path(ENTRIES, number, width)
            try:
                bodies = split_entries(self.read(path))
            except NotATile as error:
                raise NotAnExport(f"{path}: {error}") from None
            if len(bodies) != width:
                raise NotAnExport(f"{path} has {len(bodies)} entries, not {width}")
            yield from bodies

    def tiles(self, size: int) -> Iterator[tuple[str, bytes]]:
        """Every tile of hashes, by its path, as the entries give it."""
        rows = [leaf_hash(body) for body in self.entries(size)]
        level = 0
        while rows:
            above = []
            for start in range(0, len(rows), 256):
                part = rows[start : start + 256]
                yield tile_path(level, start // 256, len(part)), b"".join(part)
                if len(part) == 256:
                    tree = Frontier()
                    tree.extend(part)
                    above.append(tree.root())
            rows, level = above, level + 1

    def _checkpoint(self, path: Path) -> tuple[int, Note]:
        try:
            note = read_note(path.read_bytes())
            checkpoint = check_plain(note)
        except NotANote as error:
            raise NotAnExport(f"checkpoints/{path.name}: {error}") from None
        if path.name != str(checkpoint.size):
            raise NotAnExport(f"checkpoints/{path.name} is of another size")
        return checkpoint.size, note

    def _tokens(self) -> dict[int, list[bytes]]:
        there = {path.name: path for path in self.files(TIMESTAMPS)}
        found: dict[int, list[bytes]] = {size: [] for size in self.sizes}
        for size, tokens in found.items():
            while path := there.pop(f"{size}.{len(tokens) + 1}", None):
                tokens.append(path.read_bytes())
        if there:
            raise NotAnExport(f"timestamps/{min(there)} is of no checkpoint, or one is missing")
        return found

    def _check_nothing_else(self, size: int) -> None:
        there = set(self._there())
        known = {CHECKPOINT}
        for part in (CHECKPOINTS, TIMESTAMPS, DEFINITIONS, CALENDARS):
            known |= {f"{part}/{path.name}" for path in self.files(part)}
        # One by one: a checkpoint may claim more leaves than there are files in the world.
        for path in _tree_paths(size):
            if path not in there:
                raise NotAnExport(f"{path} is missing")
            known.add(path)
        if there - known:
            raise NotAnExport(f"{min(there - known)} does not belong here")

    def _there(self) -> Iterator[str]:
        """Everything in the folder but folders that hold something; links are not followed."""
        for path in self._folder.rglob("*"):
            if path.is_symlink() or not path.is_dir() or not any(path.iterdir()):
                yield path.relative_to(self._folder).as_posix()


def _tree_paths(size: int) -> Iterator[str]:
    for level, number, width in tiles_of(size):
        yield tile_path(level, number, width)
        if level == 0:
            yield tile_path(ENTRIES, number, width)
