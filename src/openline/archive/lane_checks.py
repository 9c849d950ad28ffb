"""The checks of one lane that grow with it, cut into tasks of plain data that any process can do.

    check_tiles     leaves = level 0 tiles, leaf places, the root over each tile
    check_lines     where the lines of opened.jsonl begin; its hash
    check_entries   every commitment, every acknowledgement, entry 0

Tiles are checked against the head before `check_entries` believes them.
Spec: spec/14-export.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from openline.archive.acks import AckWalk, Vector, lane_tree
from openline.archive.files import CHUNK, open_file, read_file
from openline.archive.layout import MAX_LINE, OPENED, TILE, LaneSize, tile_file
from openline.archive.opened import read_line
from openline.archive.tiles import commitments_of, cut_bundle, cut_tile, full_root, largest_leaf
from openline.archive.verdict import Problem
from openline.kernel.errors import Forged, Malformed, Refused, TooLarge
from openline.kernel.lane import GENERATION_ZERO, Entry, Generation, Lane, opens
from openline.kernel.merkle import leaf_hash
from openline.protocol.bodies import decode_body
from openline.protocol.entries import GenerationEntry, TermsEntry
from openline.protocol.fields import decode_kind

TILES_A_TASK = 32
ENTRIES_A_TASK = 8_192
WENT_BACK = "the acknowledgement goes back behind an earlier one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """What every task must know."""

    root: Path
    line: bytes
    terms: bytes = field(repr=False)
    parties: int
    lanes: tuple[LaneSize, ...]
    forked: frozenset[tuple[int, Generation]] = frozenset()
    """Lanes of which a fork is proved: acknowledgements may name the other history."""
    statements: tuple[tuple[int, Generation, bytes], ...] = field(default=(), repr=False)


def hashed(root: Path, name: str, digest: str, most: int) -> bytes:
    """A file of which the manifest has that SHA-256. Raises Forged if it is another, and as `read_file`."""
    data = read_file(root, name, most)
    if sha256(data).hexdigest() != digest:
        raise Forged("not the file that the manifest names")
    return data


@dataclass(frozen=True, slots=True, kw_only=True)
class TileTask:
    """Some tiles of level 0 and their bundles of leaves, with the hashes the manifest has of both."""

    archive: Archive
    lane: LaneSize
    first: int
    digests: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TileResult:
    """The roots over the full ones."""

    key: tuple[int, Generation]
    entries: int
    roots: tuple[bytes, ...]
    problems: tuple[Problem, ...]


def check_tiles(task: TileTask) -> TileResult:
    """Leaves stand at their places, and hash to the tiles."""
    lane = task.lane.lane(task.archive.line)
    roots: list[bytes] = []
    problems: list[Problem] = []
    entries = 0
    name = task.lane.folder
    try:
        for number, (bundle_digest, tile_digest) in enumerate(task.digests, task.first):
            width = min(TILE, task.lane.size - number * TILE)
            name = f"{task.lane.folder}/{tile_file('entries', number, width)}"
            bundle = hashed(task.archive.root, name, bundle_digest, width * (2 + largest_leaf(lane)))
            hashes: list[bytes] = []
            for index, leaf in enumerate(cut_bundle(bundle, width), number * TILE):
                commitments_of(lane, index, leaf)
                hashes.append(leaf_hash(leaf))
            name = f"{task.lane.folder}/{tile_file(0, number, width)}"
            if cut_tile(hashed(task.archive.root, name, tile_digest, 32 * width), width) != hashes:
                raise Forged("the tile's hashes are not those of the leaves")
            entries += width
            if width == TILE:
                roots.append(full_root(hashes))
    except Refused as refusal:
        problems.append(Problem(file=name, reason=str(refusal)))
    return TileResult(key=task.lane.key, entries=entries, roots=tuple(roots), problems=tuple(problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class LineTask:
    """A lane's opened.jsonl, with the hash the manifest has of it."""

    archive: Archive
    lane: LaneSize
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LineResult:
    """Where each run of ENTRIES_A_TASK lines begins, in bytes."""

    offsets: tuple[int, ...]
    problems: tuple[Problem, ...]


def check_lines(task: LineTask) -> LineResult:
    """The file is the one of the manifest and has a line for each entry."""
    name = f"{task.lane.folder}/{OPENED}"
    try:
        offsets, lines, digest = _lines(task.archive.root, name)
        if digest != task.digest:
            raise Forged("not the file that the manifest names")
        if lines != task.lane.size:
            raise Malformed("not one line for each entry")
    except Refused as refusal:
        return LineResult(offsets=(), problems=(Problem(file=name, reason=str(refusal)),))
    return LineResult(offsets=offsets, problems=())


def _lines(root: Path, name: str) -> tuple[tuple[int, ...], int, str]:
    hashing, offsets, lines, at = sha256(), [0], 0, 0
    with open_file(root, name) as file:
        while chunk := file.read(CHUNK):
            hashing.update(chunk)
            within = 0
            found = lines + chunk.count(b"\n")
            while found >= len(offsets) * ENTRIES_A_TASK:
                while lines < len(offsets) * ENTRIES_A_TASK:
                    within = chunk.index(b"\n", within) + 1
                    lines += 1
                offsets.append(at + within)
            lines, at = found, at + len(chunk)
    return tuple(offsets), lines, hashing.hexdigest()


def opened_entries(root: Path, lane: LaneSize, first: int, offset: int) -> Iterator[Entry | None]:
    """The entries in opened.jsonl from one line on. Raises Malformed or TooLarge."""
    with open_file(root, f"{lane.folder}/{OPENED}") as file:
        file.seek(offset)
        for index in range(first, lane.size):
            line = file.readline(MAX_LINE + 1)
            if len(line) > MAX_LINE:
                raise TooLarge("a line that is longer than it may be")
            yield read_line(line, index)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryTask:
    """A run of entries, and where its first line begins."""

    archive: Archive
    lane: LaneSize
    first: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryResult:
    """What a run of entries said, for the runs beside it and for the verdict."""

    key: tuple[int, Generation]
    first: int
    """The index at which the run begins."""
    opened: int
    unopened: int
    malformed: int
    """Entries whose acknowledgement is of no lawful form."""
    before: Vector | None
    """The first acknowledgement of the run; None if it has none."""
    after: Vector | None
    held: dict[tuple[int, Generation], int]
    beyond: dict[tuple[int, Generation], int]
    refusals: dict[tuple[int, Generation], int]
    contradicts: dict[tuple[int, Generation], int]
    faults: tuple[tuple[int, str], ...]
    """Entries by which their author breaks a rule that its signature does not depend on, each with the rule."""
    problems: tuple[Problem, ...]


def check_entries(task: EntryTask) -> EntryResult:
    """Every field opens its commitment; every acknowledgement names the history that is here."""
    archive, size = task.archive, task.lane
    lane = size.lane(archive.line)
    walk = AckWalk(archive=archive, lane=size)
    name, index = f"{size.folder}/{OPENED}", task.first
    opened = unopened = 0
    problems: list[Problem] = []
    faults: list[tuple[int, str]] = []
    try:
        entries = opened_entries(archive.root, size, task.first, task.offset)
        leaves = _leaves(archive.root, size, lane, task.first)
        last = min(size.size, task.first + ENTRIES_A_TASK)
        for index in range(task.first, last):
            leaf, entry = next(leaves), next(entries)
            if entry is None:
                unopened += 1
                continue
            if not opens(commitments_of(lane, index, leaf), entry):
                raise Forged("the fields do not open the leaf")
            opened += 1
            if index == 0 and (fault := _opening_fault(archive, size, entry, walk)):
                faults.append((0, fault))
            if walk.see(entry):
                faults.append((index, WENT_BACK))
    except Refused as refusal:
        problems.append(Problem(file=name, reason=f"entry {index}: {refusal}"))
    return EntryResult(
        key=size.key, first=task.first, opened=opened, unopened=unopened, malformed=walk.malformed, before=walk.first, after=walk.last,
        held=walk.held, beyond=walk.beyond, refusals=walk.refusals, contradicts=walk.contradicts,
        faults=tuple(faults), problems=tuple(problems),
    )  # fmt: skip


def _leaves(root: Path, size: LaneSize, lane: Lane, first: int) -> Iterator[bytes]:
    for number in range(first // TILE, -(-size.size // TILE)):
        width = min(TILE, size.size - number * TILE)
        data = read_file(root, f"{size.folder}/{tile_file('entries', number, width)}", width * (2 + largest_leaf(lane)))
        yield from cut_bundle(data, width)


def _opening_fault(archive: Archive, lane: LaneSize, entry: Entry, walk: AckWalk) -> str:
    """What is wrong with entry 0, which says which line, or which generation of what, this lane is; empty if nothing.

    It is its author's fault alone: every member takes such a lane (spec 6.24, 7.7), and its signatures stand.
    A head that it names of another history is a contradiction, as in an acknowledgement.
    """
    try:
        said = decode_body(decode_kind(entry.kind), entry.body)
    except Refused:
        return "the lane opens with an entry that is refused"
    if lane.generation == GENERATION_ZERO:
        if not isinstance(said, TermsEntry) or said.terms != archive.terms:
            return "the lane does not open with the terms of the line"
        return ""
    if not isinstance(said, GenerationEntry):
        return "a later generation does not open as one"
    stated = {(party, generation): raw for party, generation, raw in archive.statements}
    if said.statement != stated.get((lane.party, lane.generation), b""):
        return "the key statement is not the one the generation opens with"
    here = {known.key: known for known in archive.lanes}
    for head in said.heads:
        if head.lane // 2 != lane.party or head.generation >= lane.generation:
            return "a generation that follows a lane which is not its own"
        known = here.get((head.lane, head.generation))
        if known is None or head.size > known.size or head.size == 0 or known.key in archive.forked:
            continue
        if lane_tree(archive.root, known).root(head.size) != head.root:
            walk.contradicts.setdefault(known.key, head.size)
    return ""
