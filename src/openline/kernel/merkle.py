"""RFC 9162 Merkle trees: roots and proofs, from numbers and hashes only.

Never an entry, never a store. A tree of size n is known by its *peaks*: the
roots of the perfect subtrees of the binary digits of n, largest first. They
are all that appending needs, and at most 64 hashes.

Appending leaf i completes the subtrees whose last leaf is i: `grown` returns
their hashes, leaf first, so that a store can keep them beside that leaf and
find any node again: node (level, k) stands beside leaf (k+1)*2^level - 1.

Spec: spec/04-lanes.md; RFC 9162, 2.1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from openline.kernel.errors import Forged, TooLarge
from openline.kernel.units import MAX_PROOF

Node = Callable[[int, int], bytes]
"""(level, k) -> the root of leaves k*2^level .. (k+1)*2^level - 1, a perfect subtree of the tree at hand."""

EMPTY = sha256(b"").digest()
"""The root of no leaves (RFC 9162, 2.1.1)."""


def leaf_hash(leaf: bytes) -> bytes:
    """Hash of a leaf: SHA-256 of 0x00 and the leaf."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node: SHA-256 of 0x01 and both children."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Peaks:
    """A tree, as far as appending and its root need it."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def root(self) -> bytes:
        """The root of the tree."""
        if not self.hashes:
            return EMPTY
        root = self.hashes[-1]
        for peak in reversed(self.hashes[:-1]):
            root = node_hash(peak, root)
        return root


def grown(peaks: Peaks, leaf: bytes) -> tuple[Peaks, tuple[bytes, ...]]:
    """Append a leaf hash; return the larger tree and the subtrees that this leaf completes, leaf first."""
    hashes = list(peaks.hashes)
    completed = [leaf]
    carry = peaks.size
    while carry & 1:
        completed.append(node_hash(hashes.pop(), completed[-1]))
        carry >>= 1
    hashes.append(completed[-1])
    return Peaks(peaks.size + 1, tuple(hashes)), tuple(completed)


def peaks_at(size: int, node: Node) -> Peaks:
    """The peaks of the tree of the first `size` leaves."""
    hashes: list[bytes] = []
    start = 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            hashes.append(node(level, start >> level))
            start += 1 << level
    return Peaks(size, tuple(hashes))


def subtree_root(start: int, end: int, node: Node) -> bytes:
    """The root MTH(D[start:end]) of a range that is a node of some RFC 9162 tree: `start` a multiple of its width."""
    width = end - start
    if width & (width - 1) == 0:
        level = width.bit_length() - 1
        return node(level, start >> level)
    split = 1 << ((width - 1).bit_length() - 1)
    return node_hash(subtree_root(start, start + split, node), subtree_root(start + split, end, node))


def inclusion_proof(index: int, size: int, node: Node) -> list[bytes]:
    """PATH(index, D[size]) of RFC 9162, 2.1.3.1: siblings from the leaf upwards. Raises TooLarge out of range."""
    if not 0 <= index < size:
        raise TooLarge("no such leaf in a tree of that size")
    return _path(index, 0, size, node)


def _path(index: int, start: int, end: int, node: Node) -> list[bytes]:
    if end - start == 1:
        return []
    split = start + (1 << ((end - start - 1).bit_length() - 1))
    if index < split:
        return [*_path(index, start, split, node), subtree_root(split, end, node)]
    return [*_path(index, split, end, node), subtree_root(start, split, node)]


def root_from_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes]) -> bytes:
    """The root that a proof leads to (RFC 9162, 2.1.3.2); compare it with a signed one.

    Raises Forged if the proof has too few, too many or misshapen hashes: no
    unnecessary hash is tolerated.
    """
    if not 0 <= index < size or len(proof) > MAX_PROOF or any(len(part) != 32 for part in (leaf, *proof)):
        raise Forged("inclusion proof out of shape")
    node, last, root, rest = index, size - 1, leaf, list(proof)
    while last:
        if node & 1 or node < last:
            if not rest:
                raise Forged("inclusion proof too short")
            sibling = rest.pop(0)
            root = node_hash(sibling, root) if node & 1 else node_hash(root, sibling)
        node, last = node >> 1, last >> 1
    if rest:
        raise Forged("inclusion proof too long")
    return root


def consistency_proof(old: int, new: int, node: Node) -> list[bytes]:
    """PROOF(old, D[new]) of RFC 9162, 2.1.4.1; empty for old = 0 and old = new. Raises TooLarge out of range."""
    if not 0 <= old <= new:
        raise TooLarge("the older tree is the larger one")
    if old in (0, new):
        return []
    return _subproof(old, 0, new, node, whole=True)


def _subproof(old: int, start: int, end: int, node: Node, *, whole: bool) -> list[bytes]:
    if old == end - start:
        return [] if whole else [subtree_root(start, end, node)]
    split = 1 << ((end - start - 1).bit_length() - 1)
    if old <= split:
        return [*_subproof(old, start, start + split, node, whole=whole), subtree_root(start + split, end, node)]
    return [
        *_subproof(old - split, start + split, end, node, whole=False),
        subtree_root(start, start + split, node),
    ]


def check_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree of `old` leaves is a prefix of that of `new` (RFC 9162, 2.1.4.2). Raises Forged if not.

    From size 0 the proof is empty and the old root that of no leaves
    (as C2SP tlog-witness has it; other libraries refuse size 0).
    """
    if not 0 <= old <= new or len(proof) > MAX_PROOF or any(len(part) != 32 for part in proof):
        raise Forged("consistency proof out of shape")
    if old in (0, new):
        if proof or (old == 0 and old_root != EMPTY) or (old == new and old_root != new_root):
            raise Forged("consistency proof does not check")
        return
    rest = list(proof)
    if old & (old - 1) == 0:
        rest.insert(0, old_root)
    if not rest:
        raise Forged("consistency proof too short")
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    older = newer = rest.pop(0)
    for part in rest:
        if last == 0:
            raise Forged("consistency proof too long")
        if node & 1 or node == last:
            older, newer = node_hash(part, older), node_hash(part, newer)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            newer = node_hash(newer, part)
        node, last = node >> 1, last >> 1
    if last or older != old_root or newer != new_root:
        raise Forged("consistency proof does not check")
