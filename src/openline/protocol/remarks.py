"""Which entries speak of which: receipts, replies, queries and translations by the message that they name.

Twelve bytes a remark, in two columns ascending by the row that is spoken of:
remarks follow soon on what they are about, so a new one goes near the end.
An index of the fold and no part of the state.

Spec: spec/06-entries.md, 6.63.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from openline.kernel.errors import Malformed
from openline.kernel.lane import Generation
from openline.kernel.units import MAX_SEQ

_INDEX_BITS = 48
_LANE_BITS = 5
Source = tuple[int, Generation, int]
"""Lane, generation and index of the entry that speaks."""


class Remarks:
    """The remarks on the rows of one table."""

    __slots__ = ("_generations", "_rows", "_sources")

    def __init__(self) -> None:
        self._rows: array[int] = array("Q")
        self._sources: array[int] = array("Q")
        self._generations: list[Generation] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: int, source: Source) -> None:
        """That entry speaks of that row."""
        lane, generation, index = source
        if generation not in self._generations:
            self._generations.append(generation)
        packed = (self._generations.index(generation) << _LANE_BITS | lane) << _INDEX_BITS | index
        at = bisect_right(self._rows, row)
        self._rows.insert(at, row)
        self._sources.insert(at, packed)

    def of(self, row: int, most: int) -> list[Source]:
        """The first `most` that speak of a row, by lane, generation and index."""
        first, end = bisect_left(self._rows, row), bisect_right(self._rows, row)
        return sorted(self._unpacked(packed) for packed in self._sources[first:end])[:most]

    def _unpacked(self, packed: int) -> Source:
        index, rest = packed & MAX_SEQ, packed >> _INDEX_BITS
        return rest & (1 << _LANE_BITS) - 1, self._generations[rest >> _LANE_BITS], index

    def rows(self) -> list[tuple[int, ...]]:
        """Everything, for a snapshot: row, lane, counter, nonce, index."""
        found: list[tuple[int, ...]] = []
        for row, packed in zip(self._rows, self._sources, strict=True):
            lane, generation, index = self._unpacked(packed)
            found.append((row, lane, generation.counter, int.from_bytes(generation.nonce, "big"), index))
        return found

    def restore(self, rows: Iterable[tuple[int, ...]]) -> None:
        """Take back what `rows` gave. Raises Malformed."""
        for row, lane, counter, nonce, index in rows:
            if not (0 <= lane < 1 << _LANE_BITS and 0 <= index <= MAX_SEQ and row >= 0):
                raise Malformed("not a remark")
            self.add(row, (lane, Generation(counter, (nonce % 2**64).to_bytes(8, "big")), index))
