"""The checks of all lanes, in stages: tiles up to the heads, then lines, entries, transcript.

Spec: spec/14-export.md (14.8).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from openline.archive.acks import Vector, joined, lane_tree, regressed
from openline.archive.lane_checks import (
    ENTRIES_A_TASK,
    TILES_A_TASK,
    WENT_BACK,
    Archive,
    EntryResult,
    EntryTask,
    LineTask,
    TileTask,
    check_entries,
    check_lines,
    check_tiles,
    hashed,
)
from openline.archive.layout import CHECKPOINT, MILESTONE, OPENED, TILE, LaneSize, tile_file
from openline.archive.tiles import cut_tile, full_root
from openline.archive.transcript_check import TranscriptTask, check_transcript
from openline.archive.verdict import LaneVerdict, Problem
from openline.archive.workers import Workers
from openline.kernel.errors import Forged, Refused
from openline.kernel.lane import Generation

Key = tuple[int, Generation]


@dataclass(slots=True)
class _Tally:
    """What the entries of one lane came to."""

    opened: int = 0
    unopened: int = 0
    malformed: int = 0
    last: Vector | None = None
    held: dict[Key, int] = field(default_factory=dict)
    beyond: dict[Key, int] = field(default_factory=dict)


class LaneStages:
    """Runs the stages; each begins only if the one before found nothing."""

    def __init__(
        self, archive: Archive, files: Mapping[str, str], workers: Workers, progress: Callable[[str, int, int], None]
    ) -> None:
        self._archive, self._files, self._workers, self._progress = archive, files, workers, progress
        self._total = sum(lane.size for lane in archive.lanes)
        self._tallies = {lane.key: _Tally() for lane in archive.lanes}
        self._refused: dict[Key, int] = {}
        self._offsets: dict[Key, tuple[int, ...]] = {}
        self.problems: list[Problem] = []
        self._faults: dict[Key, list[tuple[int, str]]] = {lane.key: [] for lane in archive.lanes}
        self._contradicts: dict[tuple[int, Key], int] = {}
        """(party, lane of another) -> the first size of which that party signed another history."""

    def run(self, milestones: Mapping[Key, tuple[int, bytes]]) -> None:
        """All stages."""
        for stage in (self._tiles, lambda: self._milestones(milestones), self._lines, self._entries):
            stage()
            if self.problems:
                return

    # --- leaves, tiles, heads ---

    def _tiles(self) -> None:
        roots: dict[Key, list[bytes]] = {lane.key: [] for lane in self._archive.lanes}
        done = 0
        for result in self._workers.each(check_tiles, self._tile_tasks()):
            self.problems += result.problems
            roots[result.key] += result.roots
            done += result.entries
            self._progress("tiles", done, self._total)
        if not self.problems:
            for lane in self._archive.lanes:
                self._upper(lane, roots[lane.key])

    def _tile_tasks(self) -> Iterator[TileTask]:
        for lane in self._archive.lanes:
            count = -(-lane.size // TILE)
            for first in range(0, count, TILES_A_TASK):
                digests: list[tuple[str, str]] = []
                for number in range(first, min(count, first + TILES_A_TASK)):
                    width = min(TILE, lane.size - number * TILE)
                    bundle, tile = tile_file("entries", number, width), tile_file(0, number, width)
                    digests.append((self._files[f"{lane.folder}/{bundle}"], self._files[f"{lane.folder}/{tile}"]))
                yield TileTask(archive=self._archive, lane=lane, first=first, digests=tuple(digests))

    def _upper(self, lane: LaneSize, hashes: list[bytes]) -> None:
        """The tiles above level 0 hold the roots of those below, and the whole has the root of the head."""
        level = 1
        name = f"{lane.folder}/{CHECKPOINT}"
        try:
            while hashes:
                above: list[bytes] = []
                for number in range(-(-len(hashes) // TILE)):
                    part = hashes[number * TILE : (number + 1) * TILE]
                    name = f"{lane.folder}/{tile_file(level, number, len(part))}"
                    data = hashed(self._archive.root, name, self._files[name], 32 * len(part))
                    if cut_tile(data, len(part)) != part:
                        raise Forged("the tile's hashes are not those of the level below")
                    if len(part) == TILE:
                        above.append(full_root(part))
                hashes, level = above, level + 1
            name = f"{lane.folder}/{CHECKPOINT}"
            if lane_tree(self._archive.root, lane).root(lane.size) != lane.root:
                raise Forged("the tree has another root than the signed head")
        except Refused as refusal:
            self.problems.append(Problem(file=name, reason=str(refusal)))

    def _milestones(self, milestones: Mapping[Key, tuple[int, bytes]]) -> None:
        for lane in self._archive.lanes:
            size, root = milestones.get(lane.key, (0, b""))
            if size and lane_tree(self._archive.root, lane).root(size) != root:
                reason = "a head of another history"
                self.problems.append(Problem(file=f"{lane.folder}/{MILESTONE}", reason=reason))

    # --- entries ---

    def _lines(self) -> None:
        lanes = self._archive.lanes
        tasks = (
            LineTask(archive=self._archive, lane=lane, digest=self._files[f"{lane.folder}/{OPENED}"]) for lane in lanes
        )
        for done, (lane, result) in enumerate(zip(lanes, self._workers.each(check_lines, tasks), strict=True), 1):
            self.problems += result.problems
            self._offsets[lane.key] = result.offsets
            self._progress("lines", done, len(lanes))

    def _entries(self) -> None:
        transcript = self._workers.begin(check_transcript, TranscriptTask.of(self._archive, self._files))
        done = 0
        tasks = (
            EntryTask(archive=self._archive, lane=lane, first=first, offset=self._offsets[lane.key][number])
            for lane in self._archive.lanes
            for number, first in enumerate(range(0, lane.size, ENTRIES_A_TASK))
        )
        for result in self._workers.each(check_entries, tasks):
            self._count(result)
            done += result.opened + result.unopened
            self._progress("entries", done, self._total)
        self._progress("transcript", 0, 1)
        found = transcript()
        if not self.problems:
            self.problems += found
        self._progress("transcript", 1, 1)

    def _count(self, result: EntryResult) -> None:
        tally = self._tallies[result.key]
        self.problems += result.problems
        author, faults = result.key[0] // 2, self._faults[result.key]
        if tally.last is not None and result.before is not None and regressed(author, tally.last, result.before):
            faults.append((result.first, WENT_BACK))
        tally.opened += result.opened
        tally.unopened += result.unopened
        tally.malformed += result.malformed
        tally.last = joined(tally.last, result.after)
        faults += result.faults
        for key, size in result.contradicts.items():
            self._contradicts.setdefault((author, key), size)
        for mine, theirs in ((tally.held, result.held), (tally.beyond, result.beyond)):
            for key, size in theirs.items():
                mine[key] = max(size, mine.get(key, 0))
        for key, count in result.refusals.items():
            self._refused[key] = self._refused.get(key, 0) + count

    # --- what it came to ---

    def findings(
        self, name: Callable[[int], str], both_to: Mapping[Key, int]
    ) -> tuple[tuple[LaneVerdict, ...], tuple[str, ...]]:
        """Each lane as far as it was proved, and what is known to be missing."""
        verdicts = tuple(self._lane(lane, name, both_to.get(lane.key, 0)) for lane in self._archive.lanes)
        sizes = {lane.key: lane.size for lane in self._archive.lanes}
        gaps: list[str] = []
        for (author, _), tally in self._tallies.items():
            for (number, generation), size in tally.beyond.items():
                here = sizes.get((number, generation), 0)
                who, whose = name(author // 2), name(number // 2)
                gaps.append(
                    f"{who} signed that it holds {size} entries of {whose}'s lane {number}.{generation}; here are {here}"
                )
        return verdicts, tuple(dict.fromkeys(gaps))

    def faults(self, name: Callable[[int], str]) -> tuple[str, ...]:
        """What the parties' own entries break; the first of each rule and lane."""
        found: list[str] = []
        for (number, generation), faults in self._faults.items():
            first = {reason: index for index, reason in reversed(faults)}
            found += [
                f"{name(number // 2)}, lane {number}.{generation}, entry {index}: {reason}"
                for reason, index in first.items()
            ]
        return tuple(found)

    def contradictions(self, name: Callable[[int], str]) -> tuple[str, ...]:
        """Where a party signed that there is another history of a lane than the one its owner signed here."""
        return tuple(
            f"{name(author)} signed another history of {name(number // 2)}'s lane {number}.{generation}, at size {size}"
            for (author, (number, generation)), size in self._contradicts.items()
        )

    def _lane(self, lane: LaneSize, name: Callable[[int], str], both_to: int) -> LaneVerdict:
        held: dict[str, int] = {}
        for (number, _), tally in self._tallies.items():
            size = tally.held.get(lane.key, 0)
            if size and number // 2 != lane.party:
                held[name(number // 2)] = max(size, held.get(name(number // 2), 0))
        tally = self._tallies[lane.key]
        return LaneVerdict(
            number=lane.number,
            generation=str(lane.generation),
            party=name(lane.party),
            size=lane.size,
            root=lane.root.hex(),
            both_to=both_to,
            opened=tally.opened,
            unopened=tally.unopened,
            refused=tally.malformed + self._refused.get(lane.key, 0),
            held_by=tuple(sorted(held.items())),
        )
