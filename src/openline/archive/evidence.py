"""Evidence of a fork, as an export carries it (a store keeps it in a form of its own).

Spec: spec/11-forks.md (11.4, 11.8, 11.9), spec/14-export.md (14.12).
"""

from base64 import b64encode

from openline.kernel.codec import Fields, Value, decode, encode
from openline.kernel.crypto import Verifier
from openline.kernel.errors import Foreign, Malformed
from openline.kernel.lane import Fork, Head, Lane, SignedHead, ack_lane, note
from openline.kernel.units import MAX_PROOF, MAX_SEQ


def read_evidence(raw: bytes, line: bytes) -> Fork:
    """The fork that evidence claims; `Fork.check` decides. Raises Malformed, TooLarge, or Foreign (another line)."""
    members = Fields(decode(raw))
    if len(members) not in {7, 12} or members.uint(0, 255) != 1:
        raise Malformed("not evidence of a fork")
    if members.bytes(1, exactly=32) != line:
        raise Foreign("evidence about another line")
    lane = ack_lane(line, Fields([members.any(2), members.any(3), members.any(4)]))
    left, right = _head(lane, members.fields(5)), _head(lane, members.fields(6))
    if (left.head.size, left.head.root) > (right.head.size, right.head.root):
        raise Malformed("heads out of order")
    if len(members) == 7:
        return Fork(left=left, right=right)
    return Fork(
        left=left,
        right=right,
        index=members.uint(7, MAX_SEQ),
        left_leaf=members.bytes(8, exactly=32),
        left_proof=_hashes(members.list(9, MAX_PROOF)),
        right_leaf=members.bytes(10, exactly=32),
        right_proof=_hashes(members.list(11, MAX_PROOF)),
    )


def _head(lane: Lane, members: Fields) -> SignedHead:
    head = Head(lane=lane, size=members.uint(0, MAX_SEQ), root=members.bytes(1, exactly=32))
    return SignedHead(head=head, ed25519=members.bytes(2), mldsa=members.bytes(3))


def _hashes(listed: list[Value]) -> tuple[bytes, ...]:
    members = Fields(listed)
    return tuple(members.bytes(place, exactly=32) for place in range(len(listed)))


def write_evidence(fork: Fork) -> bytes:
    """The one form of evidence: the smaller (size, root) stands left (spec 11.8)."""
    lane = fork.left.head.lane
    sides = [
        (fork.left, fork.left_leaf, fork.left_proof),
        (fork.right, fork.right_leaf, fork.right_proof),
    ]
    sides.sort(key=lambda side: (side[0].head.size, side[0].head.root))
    members: list[Value] = [1, lane.line, lane.number, lane.generation.counter, lane.generation.nonce]
    members += [[signed.head.size, signed.head.root, signed.ed25519, signed.mldsa] for signed, _, _ in sides]
    if fork.left_leaf:
        members.append(fork.index)
        for _, leaf, proof in sides:
            members += [leaf, list(proof)]
    return encode(members)


def evidence_files(fork: Fork, owner: Verifier) -> tuple[bytes, bytes]:
    """A fork as two files that other tools read: signed notes, or tlog-proofs of the two leaves (spec 14.12)."""
    left, right = note(fork.left, owner), note(fork.right, owner)
    if not fork.left_leaf:
        return left, right
    return (
        _leaf_proof(fork.index, fork.left_leaf, fork.left_proof, left),
        _leaf_proof(fork.index, fork.right_leaf, fork.right_proof, right),
    )


def _leaf_proof(index: int, leaf: bytes, path: tuple[bytes, ...], checkpoint: bytes) -> bytes:
    lines = ["c2sp.org/tlog-proof@v1", f"extra {b64encode(leaf).decode()}", f"index {index}"]
    lines += [b64encode(sibling).decode() for sibling in path]
    return "\n".join(lines).encode() + b"\n\n" + checkpoint
