"""Lanes: to speak is to sign all one ever said.

A lane is a Merkle log with one writer. A leaf commits to the four fields of
an entry (kind, time, acknowledgement, body) under salts that derive one-way
from the entry's secret, so that each field can be shown without the others.
A head is a C2SP checkpoint; its identity is (origin, size, root), never the
bytes of a note.

Leaf and note have one constructor each, here; received bytes are re-made and
compared, never trusted.

Spec: spec/04-lanes.md, spec/05-heads.md; C2SP signed-note, tlog-checkpoint,
tlog-cosignature; RFC 9162.
"""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from openline.kernel.codec import Fields, decode, encode
from openline.kernel.crypto import MLDSA_SIGNATURE, Signer, Verifier, derive, digest
from openline.kernel.errors import Foreign, Forged, Malformed, TooLarge
from openline.kernel.merkle import Peaks, grown, leaf_hash, root_from_inclusion
from openline.kernel.units import MAX_GENERATION, MAX_NOTE, MAX_PARTIES, MAX_SEQ, MAX_SIGNATURES

KIND, TIME, ACK, BODY = 1, 2, 3, 4
FIELDS = (KIND, TIME, ACK, BODY)
_HASH = b"\x58\x20"  # CBOR head of a byte string of 32


class Generation(NamedTuple):
    """One unbroken life of a party's lanes; a restored station opens the next.

    Ordered by (counter, nonce): the greatest known is the current one. A tuple, as it is part of every table's key.
    """

    counter: int
    nonce: bytes

    def __str__(self) -> str:
        return str(self.counter) if self == GENERATION_ZERO else f"{self.counter}-{self.nonce.hex()}"


GENERATION_ZERO = Generation(0, bytes(8))


def parse_generation(text: str) -> Generation:
    """The generation of which `text` is the one form (spec 4.3). Raises Malformed."""
    counter, _, nonce = text.partition("-")
    if not counter.isascii() or not counter.isdigit() or not nonce.isascii():
        raise Malformed("not a generation")
    try:
        found = Generation(int(counter), bytes.fromhex(nonce) if nonce else bytes(8))
    except ValueError:
        raise Malformed("not a generation") from None
    if found.counter > MAX_GENERATION or len(found.nonce) != 8 or str(found) != text:
        raise Malformed("not a generation")
    if found.counter == 0 and found != GENERATION_ZERO:
        raise Malformed("generation zero has no nonce")
    return found


class Lane:
    """The name of one lane in one generation; `prefix` opens every leaf of it."""

    __slots__ = ("generation", "key", "line", "number", "origin", "prefix")

    def __init__(self, line: bytes, number: int, generation: Generation) -> None:
        self.line, self.number, self.generation = line, number, generation
        self.key = (number, generation)
        """What tells it from other lanes of the line."""
        self.origin = f"{line.hex()}/{number}.{generation}"
        whole = encode([1, line, number, generation.counter, generation.nonce])
        self.prefix = b"\x8a" + whole[1:]  # the same first five members, of an array of ten

    @property
    def party(self) -> int:
        """The party that writes this lane."""
        return self.number // 2

    @property
    def urgent(self) -> bool:
        """Whether it is the party's urgent lane (else its traffic lane)."""
        return self.number % 2 == 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Lane) and self.origin == other.origin

    def __hash__(self) -> int:
        return hash(self.origin)

    def __repr__(self) -> str:
        return f"Lane({self.number}.{self.generation})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry, opened: its four field encodings exactly as its author wrote them, and its secret."""

    kind: bytes
    time: bytes
    ack: bytes = field(repr=False)
    body: bytes = field(repr=False)
    secret: bytes = field(repr=False)

    def of(self, number: int) -> bytes:
        """The bytes of field KIND, TIME, ACK or BODY."""
        return (self.kind, self.time, self.ack, self.body)[number - 1]


def leaf_secret(seed: bytes, lane: int, index: int) -> bytes:
    """The secret of one entry, from the seed of its generation (spec 4.6)."""
    return derive(seed, b"openline/1 leaf", lane.to_bytes(2, "big") + index.to_bytes(8, "big"))


def field_salt(secret: bytes, number: int) -> bytes:
    """The salt of one field; one-way, so that showing it shows no other (spec 4.7)."""
    return derive(secret, b"openline/1 salt", bytes((number,)))


def commitment(number: int, salt: bytes, data: bytes) -> bytes:
    """What a leaf says of one field (spec 4.8)."""
    return sha256(b"openline/1 field" + bytes((number,)) + salt + data).digest()


def make_leaf(lane: Lane, index: int, commitments: Sequence[bytes]) -> bytes:
    """The one leaf constructor (spec 4.9)."""
    first, second, third, fourth = commitments
    return b"".join((lane.prefix, encode(index), _HASH, first, _HASH, second, _HASH, third, _HASH, fourth))


def leaf_of(lane: Lane, index: int, entry: Entry) -> bytes:
    """The leaf of an opened entry."""
    secret = entry.secret
    return make_leaf(lane, index, [commitment(n, field_salt(secret, n), entry.of(n)) for n in FIELDS])


def parse_leaf(lane: Lane, index: int, leaf: bytes) -> list[bytes]:
    """The four commitments of a leaf that must stand at that place. Raises Malformed or Foreign."""
    members = Fields(decode(leaf))
    if len(members) != 10:
        raise Malformed("a leaf has ten members")
    commitments = [members.bytes(place, exactly=32) for place in range(6, 10)]
    if make_leaf(lane, index, commitments) != leaf:
        raise Foreign("a leaf of another place")
    return commitments


def opens(commitments: Sequence[bytes], entry: Entry) -> bool:
    """Whether all four fields are the ones the leaf committed to."""
    return all(commitment(n, field_salt(entry.secret, n), entry.of(n)) == commitments[n - 1] for n in FIELDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A claim about a lane: this many entries, this root. Signed or not, these three are its identity."""

    lane: Lane
    size: int
    root: bytes

    def text(self) -> bytes:
        """The one note constructor: the text that Ed25519 signs (C2SP tlog-checkpoint; spec 5.1)."""
        return f"{self.lane.origin}\n{self.size}\n{b64encode(self.root).decode()}\n".encode()

    def cosigned(self) -> bytes:
        """The message that ML-DSA-44 signs (C2SP tlog-cosignature, type 0x06, timestamp 0; spec 5.4)."""
        name = self.lane.origin.encode()
        return b"".join(
            (
                b"subtree/v1\n\x00",
                bytes((len(name),)),
                name,
                bytes(8),
                bytes((len(name),)),
                name,
                bytes(8),
                self.size.to_bytes(8, "big"),
                self.root,
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedHead:
    """A head with its owner's signatures: Ed25519 always, ML-DSA-44 at milestones (empty if absent)."""

    head: Head
    ed25519: bytes
    mldsa: bytes = b""

    def check(self, owner: Verifier) -> None:
        """Raise Forged unless every signature present is the owner's."""
        owner.ed25519(self.ed25519, self.head.text())
        if self.mldsa:
            owner.mldsa(self.mldsa, self.head.cosigned())


def sign_head(signer: Signer, head: Head, *, milestone: bool = False) -> SignedHead:
    """Sign a head: with both keys at a milestone."""
    mldsa = signer.mldsa(head.cosigned()) if milestone else b""
    return SignedHead(head=head, ed25519=signer.ed25519(head.text()), mldsa=mldsa)


def key_id(name: str, kind: int, public: bytes) -> bytes:
    """A C2SP key id: the first 4 bytes of SHA-256 of name, newline, type and key."""
    return digest(name.encode() + b"\n" + bytes((kind,)) + public)[:4]


def vkeys(name: str, owner: Verifier) -> list[str]:
    """The owner's two verifier keys as C2SP vkey lines, Ed25519 first."""
    keys = ((0x01, owner.ed25519_key), (0x06, owner.mldsa_key))
    return [f"{name}+{key_id(name, t, k).hex()}+{b64encode(bytes((t,)) + k).decode()}" for t, k in keys]


def note(signed: SignedHead, owner: Verifier) -> bytes:
    """The full C2SP signed note of a head (spec 5.5)."""
    name = signed.head.lane.origin
    return signed.head.text() + b"\n" + signature_lines(name, owner, signed.ed25519, signed.mldsa)


def signature_lines(name: str, owner: Verifier, ed25519: bytes, mldsa: bytes = b"") -> bytes:
    """Signature lines of a note: Ed25519 (0x01) first, then ML-DSA-44 (0x06, timestamp 0) if there is one."""
    lines = [key_id(name, 0x01, owner.ed25519_key) + ed25519]
    if mldsa:
        lines.append(key_id(name, 0x06, owner.mldsa_key) + bytes(8) + mldsa)
    return "".join(f"— {name} {b64encode(line).decode()}\n" for line in lines).encode()


def parse_note(data: bytes, lane: Lane, owner: Verifier) -> SignedHead:
    """Read and check a note that must be this lane's, signed by its owner (spec 5.6).

    Other keys' signatures are ignored. Raises Malformed, TooLarge, Foreign,
    or Forged: also when one of the owner's signatures fails beside a good one.
    """
    if len(data) > MAX_NOTE:
        raise TooLarge("note beyond its bound")
    text, found = split_note(data)
    lines = text.decode().split("\n")
    if len(lines) != 4:
        raise Malformed("not the three lines of a checkpoint")
    if lines[0] != lane.origin:
        raise Foreign("a note of another origin")
    size, root = lines[1], lines[2]
    if not size.isascii() or not size.isdigit() or len(size) > 15:
        raise Malformed("a size that is no number")
    head = Head(lane=lane, size=int(size), root=_b64(root, 32))
    if head.size > MAX_SEQ or head.text() != text:
        raise Malformed("not the one form of a checkpoint")
    ed25519 = found.get((lane.origin, key_id(lane.origin, 0x01, owner.ed25519_key)), b"")
    mldsa = found.get((lane.origin, key_id(lane.origin, 0x06, owner.mldsa_key)), b"")
    if mldsa and (len(mldsa) != 8 + MLDSA_SIGNATURE or mldsa[:8] != bytes(8)):
        raise Forged("an ML-DSA-44 cosignature out of shape")
    signed = SignedHead(head=head, ed25519=ed25519, mldsa=mldsa[8:])
    signed.check(owner)
    return signed


def split_note(data: bytes) -> tuple[bytes, dict[tuple[str, bytes], bytes]]:
    """Text and signatures of a C2SP note, by (name, key id), nothing verified. Raises Malformed or TooLarge."""
    try:
        whole = data.decode()
    except UnicodeDecodeError:
        raise Malformed("a note that is not UTF-8") from None
    if any(ord(char) < 0x20 and char != "\n" for char in whole):
        raise Malformed("a control character in a note")
    text, blank, lines = whole.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise Malformed("a note without signatures")
    found: dict[tuple[str, bytes], bytes] = {}
    listed = lines[:-1].split("\n")
    if len(listed) > MAX_SIGNATURES:
        raise TooLarge("too many signatures")
    for line in listed:
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "—" or not parts[1] or "+" in parts[1]:
            raise Malformed("not a signature line")
        signature = _b64(parts[2])
        if len(signature) < 5 or (parts[1], signature[:4]) in found:
            raise Malformed("a signature without content, or twice")
        found[parts[1], signature[:4]] = signature[4:]
    return (text + "\n").encode(), found


def _b64(text: str, size: int | None = None) -> bytes:
    try:
        found = b64decode(text.encode("ascii"), validate=True)
    except (ValueError, UnicodeEncodeError):
        raise Malformed("not base64") from None
    if b64encode(found).decode() != text or (size is not None and len(found) != size):
        raise Malformed("not the one base64 form")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """A lane grown by some entries: the new tree, and per entry its leaf and the subtrees it completed."""

    peaks: Peaks
    leaves: tuple[tuple[bytes, tuple[bytes, ...]], ...]

    def head(self, lane: Lane) -> Head:
        """The head to sign or to check."""
        return Head(lane=lane, size=self.peaks.size, root=self.peaks.root())


def extend(lane: Lane, peaks: Peaks, entries: Sequence[Entry]) -> Extension:
    """Append entries to a lane, in memory: nothing is signed or kept by this."""
    return extend_leaves(peaks, [leaf_of(lane, peaks.size + n, entry) for n, entry in enumerate(entries)])


def extend_leaves(peaks: Peaks, leaves: Sequence[bytes]) -> Extension:
    """Append leaves as they stand. Raises TooLarge beyond the last index a lane may have."""
    if peaks.size + len(leaves) > MAX_SEQ:
        raise TooLarge("the lane is full")
    done: list[tuple[bytes, tuple[bytes, ...]]] = []
    for leaf in leaves:
        peaks, completed = grown(peaks, leaf_hash(leaf))
        done.append((leaf, completed))
    return Extension(peaks=peaks, leaves=tuple(done))


def accept(lane: Lane, peaks: Peaks, entries: Sequence[Entry], signature: bytes, owner: Verifier) -> Extension:
    """Extend another party's lane by entries it signed. Raises Forged, and nothing has changed, unless it did."""
    extension = extend(lane, peaks, entries)
    owner.ed25519(signature, extension.head(lane).text())
    return extension


def read_generation(members: Fields, place: int) -> Generation:
    """The generation in two members from `place` on, counter and nonce (spec 4.2). Raises Malformed or TooLarge."""
    found = Generation(members.uint(place, MAX_GENERATION), members.bytes(place + 1, exactly=8))
    if found.counter == 0 and found != GENERATION_ZERO:
        raise Malformed("generation zero has no nonce")
    return found


def ack_lane(line: bytes, members: Fields) -> Lane:
    """The lane that an acknowledgement, a frame or a reference names in members 0 to 2. Raises Malformed or TooLarge."""
    generation = read_generation(members, 1)
    return Lane(line, members.uint(0, 2 * MAX_PARTIES - 1), generation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """Proof that a lane's owner signed two histories: two signed heads that cannot both be of one log.

    Either both have the same size and different roots; or the same index
    holds two leaves, each with an inclusion proof under its own head.
    """

    left: SignedHead
    right: SignedHead
    index: int = 0
    left_leaf: bytes = b""
    left_proof: tuple[bytes, ...] = ()
    right_leaf: bytes = b""
    right_proof: tuple[bytes, ...] = ()

    def check(self, owner: Verifier) -> None:
        """Raise Forged unless this proves a fork by the owner of the lane; needs nothing but the owner's keys."""
        self.left.check(owner)
        self.right.check(owner)
        left, right = self.left.head, self.right.head
        if left.lane != right.lane:
            raise Forged("heads of two lanes prove no fork")
        if left.size == right.size:
            if left.root == right.root:
                raise Forged("one head twice proves no fork")
            return
        if self.left_leaf == self.right_leaf:
            raise Forged("one leaf twice proves no fork")
        for head, leaf, proof in ((left, self.left_leaf, self.left_proof), (right, self.right_leaf, self.right_proof)):
            if root_from_inclusion(self.index, head.size, leaf, proof) != head.root:
                raise Forged("inclusion proof does not check")
