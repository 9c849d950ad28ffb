"""Trees as C2SP tlog-tiles: written leaf by leaf, read at any size.

Spec: spec/14-export.md; C2SP tlog-tiles; RFC 9162, 2.1.
"""

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256

from openline.archive.layout import COMMITMENTS_LENGTH, TILE, tile_file
from openline.kernel.codec import encode
from openline.kernel.errors import Foreign, Malformed
from openline.kernel.lane import Lane
from openline.kernel.merkle import peaks_at

_HEAD = b"\x58\x20"
_KEPT = 48
"""Tiles whose inner nodes a reader keeps: 511 hashes each, 2 MB in all."""


def halved(hashes: Sequence[bytes]) -> list[bytes]:
    """The level above: hashes of adjacent pairs, an odd last one left out."""
    pairs = iter(hashes)
    return [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)]


def full_root(hashes: Sequence[bytes]) -> bytes:
    """The root over a full tile."""
    while len(hashes) > 1:
        hashes = halved(hashes)
    return hashes[0]


class TileWriter:
    """Cuts a growing tree into tiles and bundles; keeps at most one tile a level in memory."""

    def __init__(self, put: Callable[[str, bytes], None]) -> None:
        """`put` takes a path within the lane's folder, and bytes."""
        self._put = put
        self._bundle: list[bytes] = []
        self._levels: list[list[bytes]] = [[]]
        self._done: list[int] = [0]

    def add(self, leaf: bytes, digest: bytes) -> None:
        """Append a leaf and its hash."""
        self._bundle += (len(leaf).to_bytes(2, "big"), leaf)
        self._grow(0, digest)

    def _grow(self, level: int, digest: bytes) -> None:
        if level == len(self._levels):
            self._levels.append([])
            self._done.append(0)
        tile = self._levels[level]
        tile.append(digest)
        if len(tile) == TILE:
            root = full_root(tile)
            self._flush(level)
            self._grow(level + 1, root)

    def _flush(self, level: int) -> None:
        tile, number = self._levels[level], self._done[level]
        if level == 0:
            self._put(tile_file("entries", number, len(tile)), b"".join(self._bundle))
            self._bundle = []
        self._put(tile_file(level, number, len(tile)), b"".join(tile))
        self._levels[level] = []
        self._done[level] = number + 1

    def close(self) -> None:
        """Write the partial tiles at the right edge."""
        for level, tile in enumerate(self._levels):
            if tile:
                self._flush(level)


class TileTree:
    """A tree read from its tiles: the root at any size up to its own. Believes them: check them first."""

    def __init__(self, size: int, read: Callable[[str, int], bytes]) -> None:
        """`read` takes a path within the lane's folder and the exact length in bytes."""
        self.size = size
        self._read = read
        self._kept: dict[tuple[int, int], list[list[bytes]]] = {}

    def node(self, level: int, place: int) -> bytes:
        """The root of a perfect subtree (kernel.merkle.Node)."""
        above, within = divmod(level, 8)
        number, start = divmod(place << within, TILE)
        return self._rows(above, number)[within][start >> within]

    def root(self, size: int) -> bytes:
        """The root of the first `size` leaves."""
        return peaks_at(size, self.node).root()

    def _rows(self, level: int, number: int) -> list[list[bytes]]:
        rows = self._kept.get((level, number))
        if rows is None:
            if len(self._kept) >= _KEPT:
                del self._kept[next(iter(self._kept))]
            width = min(TILE, (self.size >> 8 * level) - number * TILE)
            data = self._read(tile_file(level, number, width), 32 * width)
            rows = [cut_tile(data, width)]
            while len(rows) < 8:
                rows.append(halved(rows[-1]))
            self._kept[level, number] = rows
        return rows


def cut_tile(data: bytes, width: int) -> list[bytes]:
    """The hashes of a tile. Raises Malformed unless there are `width`."""
    if len(data) != 32 * width:
        raise Malformed("a tile of another width")
    return [data[at : at + 32] for at in range(0, len(data), 32)]


def cut_bundle(data: bytes, width: int) -> Iterator[bytes]:
    """The leaves of a bundle, in order. Raises Malformed unless there are `width`, and nothing after them."""
    at = 0
    for _ in range(width):
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        leaf = data[start:at]
        if not leaf or at > len(data):
            raise Malformed("a bundle that is cut short")
        yield leaf
    if at != len(data):
        raise Malformed("bytes after the last leaf of a bundle")


def largest_leaf(lane: Lane) -> int:
    """No leaf of that lane is longer."""
    return len(lane.prefix) + 9 + COMMITMENTS_LENGTH


def commitments_of(lane: Lane, index: int, leaf: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """The four commitments of a leaf that stands at its place (the fast form of kernel.lane.parse_leaf).

    Raises Foreign for a leaf of another place or shape.
    """
    start = lane.prefix + encode(index)
    at = len(start)
    if len(leaf) != at + COMMITMENTS_LENGTH or not leaf.startswith(start):
        raise Foreign("a leaf of another place")
    if leaf[at : at + 2] != _HEAD or leaf[at + 34 : at + 36] != _HEAD:
        raise Foreign("a leaf of another place")
    if leaf[at + 68 : at + 70] != _HEAD or leaf[at + 102 : at + 104] != _HEAD:
        raise Foreign("a leaf of another place")
    return leaf[at + 2 : at + 34], leaf[at + 36 : at + 68], leaf[at + 70 : at + 102], leaf[at + 104 :]
