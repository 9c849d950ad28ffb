"""Acknowledgements of one lane, entry by entry, against the lanes that stand in the archive.

Spec: spec/04-lanes.md (4.14 to 4.16, 4.18), spec/07-delivery.md (7.3).
"""

from pathlib import Path
from typing import Protocol

from openline.archive.files import read_file
from openline.archive.layout import LaneSize
from openline.archive.tiles import TileTree
from openline.kernel.codec import encode
from openline.kernel.errors import Refused
from openline.kernel.lane import Entry, Generation
from openline.protocol.acknowledgements import AckItem, decode_ack
from openline.protocol.bodies import decode_body
from openline.protocol.entries import Ack, Kind

_ACK, _BARE = encode(int(Kind.ACK)), encode({})
Key = tuple[int, Generation]
Vector = dict[int, tuple[Generation, int]]
"""By lane number: the generation and size last acknowledged, also in an entry before the latest."""


class Here(Protocol):
    """What must be known of the archive."""

    @property
    def root(self) -> Path: ...  # noqa: D102 - see lane_checks.Archive
    @property
    def parties(self) -> int: ...  # noqa: D102
    @property
    def lanes(self) -> tuple[LaneSize, ...]: ...  # noqa: D102
    @property
    def forked(self) -> frozenset[Key]: ...  # noqa: D102


def lane_tree(root: Path, lane: LaneSize) -> TileTree:
    """The lane's tree, read from its tiles."""
    return TileTree(lane.size, lambda name, length: read_file(root, f"{lane.folder}/{name}", length))


def regressed(author: int, before: Vector, after: Vector) -> bool:
    """Whether a later acknowledgement of the same author says less than an earlier one (spec 4.16).

    A lane may be left out once the other lane of its party is acknowledged in a
    newer generation, of which the author holds nothing in this lane yet; and the
    author's own one in any entry (4.14).
    """
    for number, (generation, size) in before.items():
        later, beside = after.get(number), after.get(number ^ 1)
        if later is None:
            if number // 2 != author and (beside is None or beside[0] <= generation):
                return True
        elif later < (generation, size):
            return True
    return False


def joined(before: Vector | None, after: Vector | None) -> Vector | None:
    """The most that two vectors of one author acknowledged: what goes back is not counted (spec 7.16)."""
    if before is None or after is None:
        return before or after
    return before | {number: max(said, before.get(number, said)) for number, said in after.items()}


def _ended(entry: Entry) -> tuple[AckItem, ...]:
    """What a pure acknowledgement says of ended generations (spec 4.18); nothing if it is malformed, as it was refused."""
    if entry.kind != _ACK or entry.body == _BARE:
        return ()
    try:
        body = decode_body(Kind.ACK, entry.body)
    except Refused:
        return ()
    return body.ended if isinstance(body, Ack) else ()


class AckWalk:
    """The acknowledgements of one lane in order; roots are computed from the tiles as sizes come up."""

    def __init__(self, *, archive: Here, lane: LaneSize) -> None:
        self._archive, self._lane = archive, lane
        self._lanes = {known.key: known for known in archive.lanes}
        self._trees: dict[Key, TileTree] = {}
        self._raw = b""
        self._checked: dict[Key, AckItem] = {}
        self.first: Vector | None = None
        self.last: Vector | None = None
        self.malformed = 0
        self.held: dict[Key, int] = {}
        self.beyond: dict[Key, int] = {}
        self.refusals: dict[Key, int] = {}
        self.contradicts: dict[Key, int] = {}
        """Lanes of which the author signed another history than stands here, and at which size first."""
        self.went_back = False
        """Whether some acknowledgement said less than one before it: the first such one is told."""

    def see(self, entry: Entry) -> bool:
        """Take the next opened entry; whether it is the first that says less than one before it (spec 4.16)."""
        told = self.went_back
        self._see_field(entry)
        for item in _ended(entry):
            if item.lane // 2 != self._lane.party and item.lane // 2 < self._archive.parties:
                self._check(item)
        return self.went_back and not told

    def _see_field(self, entry: Entry) -> None:
        if entry.ack == self._raw:
            return
        self._raw = entry.ack
        try:
            items = decode_ack(entry.ack)
        except Refused:
            self.malformed += 1
            return
        if not all(self._lawful(item) for item in items):
            self.malformed += 1
            return
        vector = {item.lane: (item.generation, item.size) for item in items}
        if self.last is not None and regressed(self._lane.party, self.last, vector):
            self.went_back = True
        if self.first is None:
            self.first = vector
        self.last = joined(self.last, vector)
        for item in items:
            self._check(item)

    def _lawful(self, item: AckItem) -> bool:
        """Another party's lane, or in an urgent lane the author's own traffic lane (spec 4.14)."""
        if item.lane // 2 >= self._archive.parties:
            return False
        if item.lane // 2 != self._lane.party:
            return True
        return (
            item.lane == self._lane.number + 1
            and not self._lane.number & 1
            and item.generation == self._lane.generation
        )

    def _check(self, item: AckItem) -> None:
        key = (item.lane, item.generation)
        if item.refused:
            self.refusals[key] = self.refusals.get(key, 0) + len(item.refused)
        known = self._checked.get(key)
        if known is not None and (known.size, known.root) == (item.size, item.root):
            return
        lane = self._lanes.get(key)
        if lane is None or item.size > lane.size:
            self.beyond[key] = max(item.size, self.beyond.get(key, 0))
            return
        if self._tree(lane).root(item.size) != item.root:
            if key not in self._archive.forked:
                self.contradicts.setdefault(key, item.size)
            return
        self._checked[key] = item
        self.held[key] = max(item.size, self.held.get(key, 0))

    def _tree(self, lane: LaneSize) -> TileTree:
        tree = self._trees.get(lane.key)
        if tree is None:
            tree = self._trees[lane.key] = lane_tree(self._archive.root, lane)
        return tree
