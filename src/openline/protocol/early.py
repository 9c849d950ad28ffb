"""Entries that came before those which they continue: kept a while, of each peer so much and no more.

A frame is counted as the bytes that it takes once it is read. In fragments one has four times an envelope's
bytes, and made of acknowledgement items ten times its own: frames alone are no bound.

Spec: spec/07-delivery.md (7.12).
"""

from collections import Counter
from dataclasses import dataclass

from openline.kernel.lane import Generation
from openline.kernel.units import BUCKETS, WINDOW
from openline.protocol.fitting import LEAF_BYTES
from openline.protocol.frames import Entries, FullAck, FullEntries, WireAck

MAX_EARLY = 256
"""Frames kept that arrived before the ones they continue, of each peer: after a cut all that was under way comes again
at once, the most urgent first, which is not a lane's order."""
MAX_EARLY_BYTES = WINDOW // 2 * BUCKETS[-1]
"""And so many bytes of each peer, 8 MiB: all that one may have under way in the largest envelopes."""
SHORT_ITEM, FULL_ITEM, REFUSED_INDEX = 128, 704, 48
"""Bytes that parts of an acknowledgement take once they are read: measured, and rounded up."""

LaneKey = tuple[int, Generation]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    frame: Entries | FullEntries
    bytes: int


def bytes_of(frame: Entries | FullEntries) -> int:
    """The bytes that a frame takes here, about; never fewer."""
    if isinstance(frame, FullEntries):
        return sum(
            LEAF_BYTES + len(leaf) + len(entry.kind) + len(entry.time) + len(entry.ack) + len(entry.body)
            for leaf, entry in frame.items
        )
    return sum(LEAF_BYTES + len(item.body) + _ack_bytes(item.ack or ()) for item in frame.items)


def _ack_bytes(ack: WireAck) -> int:
    return sum(
        FULL_ITEM + REFUSED_INDEX * len(item.refused) if isinstance(item, FullAck) else SHORT_ITEM for item in ack
    )


class Early:
    """Of all peers; none pushes out what another brought."""

    __slots__ = ("_of",)

    def __init__(self) -> None:
        self._of: dict[int, dict[tuple[LaneKey, int], _Waiting]] = {}

    def __len__(self) -> int:
        return sum(len(mine) for mine in self._of.values())

    def keep(self, party: int, key: LaneKey, first: int, frame: Entries | FullEntries) -> set[LaneKey]:
        """Keep a frame; return the lanes of which too much has come: what is farthest ahead there is dropped."""
        mine = self._of.setdefault(party, {})
        mine[key, first] = _Waiting(frame=frame, bytes=bytes_of(frame))
        cropped: set[LaneKey] = set()
        taken = sum(waiting.bytes for waiting in mine.values())
        while len(mine) > MAX_EARLY or taken > MAX_EARLY_BYTES:
            in_bytes = taken > MAX_EARLY_BYTES
            sizes: Counter[LaneKey] = Counter()
            for (lane, _), waiting in mine.items():
                sizes[lane] += waiting.bytes if in_bytes else 1
            crowded = sizes.most_common(1)[0][0]
            taken -= mine.pop((crowded, max(begins for lane, begins in mine if lane == crowded))).bytes
            cropped.add(crowded)
        return cropped

    def take(self, party: int, key: LaneKey, size: int) -> list[Entries | FullEntries]:
        """What a peer brought that goes on where a lane now ends; what the lane has passed is kept no longer."""
        mine = self._of.get(party, {})
        due = sorted(first for lane, first in mine if lane == key and first <= size)
        frames = [mine.pop((key, first)).frame for first in due]
        return [frame for frame in frames if frame.first + len(frame.items) > size]

    def ahead(self, key: LaneKey, size: int) -> list[Entries | FullEntries]:
        """What anybody brought of a lane beyond that size."""
        return [
            waiting.frame
            for mine in self._of.values()
            for (lane, first), waiting in mine.items()
            if lane == key and first > size
        ]

    def bytes_kept(self, party: int) -> int:
        """Of one peer."""
        return sum(waiting.bytes for waiting in self._of.get(party, {}).values())
