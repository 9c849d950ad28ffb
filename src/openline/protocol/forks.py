"""Forks: finding, proving and keeping them. A fork is not an error; people are told.

Two signed heads of one lane that cannot be of one log prove that its owner
signed two histories. Either they have one size and two roots, or one index
holds two leaves, each included under its own head.

Spec: spec/11-forks.md.
"""

from openline.kernel.codec import Fields, Value, decode, encode
from openline.kernel.errors import Malformed, Unknown
from openline.kernel.lane import Fork, Head, Lane, SignedHead, ack_lane
from openline.kernel.merkle import Node, inclusion_proof, leaf_hash, node_hash, peaks_at
from openline.kernel.units import MAX_PROOF, MAX_SEQ
from openline.protocol.frames import FullEntries
from openline.protocol.lane_state import LaneState
from openline.protocol.lanes import LaneBook


def encode_fork(fork: Fork) -> bytes:
    """A fork as it is kept and exported."""
    lane = fork.left.head.lane
    place: list[Value] = [lane.number, lane.generation.counter, lane.generation.nonce]
    sides: list[Value] = [
        [side.head.size, side.head.root, side.ed25519, leaf, list(proof)]
        for side, leaf, proof in (
            (fork.left, fork.left_leaf, fork.left_proof),
            (fork.right, fork.right_leaf, fork.right_proof),
        )
    ]
    return encode([1, place, fork.index, *sides])


def decode_fork(line: bytes, data: bytes) -> Fork:
    """Read a kept fork; `Fork.check` is the caller's to call. Raises Malformed or TooLarge."""
    members = Fields(decode(data))
    if len(members) != 5 or members.uint(0, 255) != 1:
        raise Malformed("not evidence of a fork")
    lane = ack_lane(line, members.fields(1))
    left, left_leaf, left_proof = _side(lane, members.fields(3))
    right, right_leaf, right_proof = _side(lane, members.fields(4))
    return Fork(
        left=left,
        right=right,
        index=members.uint(2, MAX_SEQ),
        left_leaf=left_leaf,
        left_proof=left_proof,
        right_leaf=right_leaf,
        right_proof=right_proof,
    )


def _side(lane: Lane, members: Fields) -> tuple[SignedHead, bytes, tuple[bytes, ...]]:
    head = Head(lane=lane, size=members.uint(0, MAX_SEQ), root=members.bytes(1, exactly=32))
    proof = Fields(members.list(4, MAX_PROOF))
    return (
        SignedHead(head=head, ed25519=members.bytes(2, exactly=64)),
        members.bytes(3, most=32),
        tuple(proof.bytes(place, exactly=32) for place in range(len(proof))),
    )


def signed_at(book: LaneBook, state: LaneState, size: int) -> SignedHead | None:
    """The owner's signed head of exactly this size, if it is kept."""
    for signed in book.reader.heads(state.lane, size - 1, 1):
        if signed.head.size == size and signed.ed25519:
            return signed
    return None


def from_head(book: LaneBook, state: LaneState, shown: SignedHead) -> Fork | None:
    """The fork that a checked head of another root and a size held here proves, if ours of that size is kept."""
    ours = signed_at(book, state, shown.head.size)
    return Fork(left=ours, right=shown) if ours is not None and ours.head.root != shown.head.root else None


def from_frame(book: LaneBook, state: LaneState, frame: FullEntries) -> Fork | None:
    """The fork that a full frame over our own prefix proves; None if it tells the same history.

    Raises Refused if the frame does not stand on our prefix or is not signed.
    """

    def ours(level: int, place: int) -> bytes:
        return book.reader.node(state.lane, level, place)

    prefix = peaks_at(frame.first, ours)
    extension = book.check_full(prefix, frame)
    theirs = {frame.first + place: leaf_hash(leaf) for place, (leaf, _) in enumerate(frame.items)}
    differing = _differing(book, state, frame)
    last = book.reader.last_head(state.lane)
    if not differing or last is None or last.head.size <= differing[0]:
        return None
    index = differing[0]
    left_size, right_size = last.head.size, extension.peaks.size
    return Fork(
        left=last,
        right=SignedHead(head=extension.head(state.lane), ed25519=frame.signature),
        index=index,
        left_leaf=ours(0, index),
        left_proof=tuple(inclusion_proof(index, left_size, ours)),
        right_leaf=theirs[index],
        right_proof=tuple(inclusion_proof(index, right_size, _grafted(ours, theirs, frame.first))),
    )


def differs(book: LaneBook, state: LaneState, frame: FullEntries) -> bool:
    """Whether a full frame that checked, as `from_frame` saw, has another leaf than the lane held here."""
    return bool(_differing(book, state, frame))


def _differing(book: LaneBook, state: LaneState, frame: FullEntries) -> list[int]:
    shown = ((frame.first + place, leaf_hash(leaf)) for place, (leaf, _) in enumerate(frame.items))
    return [i for i, leaf in shown if i < state.durable and book.reader.node(state.lane, 0, i) != leaf]


def _grafted(ours: Node, theirs: dict[int, bytes], first: int) -> Node:
    """Nodes of the tree that shares our leaves before `first` and has theirs from there."""

    def node(level: int, place: int) -> bytes:
        start = place << level
        if start + (1 << level) <= first:
            return ours(level, place)
        if level == 0:
            if start not in theirs:
                raise Unknown("a leaf that was not shown")
            return theirs[start]
        return node_hash(node(level - 1, 2 * place), node(level - 1, 2 * place + 1))

    return node
