"""Envelopes: sealed bytes that a bearer moves; to a bearer they are noise.

    0x01 | tag (6) | AES-256-GCM-SIV(one-use key, length (2) | content | zeros)

Keys and tags of one direction of an epoch come from a ratchet, one per
envelope. A receiver knows the tags of a window ahead, so an unknown tag costs
a dictionary look-up and no cryptography. A key is erased once its envelope
opened; what the store keeps can never open it again.

Handshake envelopes stand outside epochs and carry a random nonce instead:

    0x01 | tag (6) | nonce (16) | AES-256-GCM-SIV(key of nonce, ...)

Spec: spec/09-envelopes.md, spec/10-epochs.md.
"""

from collections import deque
from dataclasses import dataclass, field

from openline.kernel.crypto import SIV_TAG, derive, open_key, same, seal_key
from openline.kernel.errors import Bug, Forged, Malformed, Replayed, TooLarge
from openline.kernel.units import BUCKETS, RESERVED_INDEXES, WINDOW, Entropy

VERSION = b"\x01"
TAG = 6
HEADER = 1 + TAG
NONCE = 16
MAX_CONTENT = BUCKETS[-1] - HEADER - SIV_TAG - 2
"""Content that fits the largest envelope: 16,359 bytes."""
SMALL_CONTENT = BUCKETS[0] - HEADER - SIV_TAG - 2
"""Content that fits the smallest: 231 bytes."""


def _pad(content: bytes, overhead: int) -> bytes:
    need = overhead + 2 + len(content)
    for bucket in BUCKETS:
        if need <= bucket:
            return len(content).to_bytes(2, "big") + content + bytes(bucket - need)
    raise TooLarge("content larger than the largest envelope")


def _unpad(padded: bytes, overhead: int) -> bytes:
    content = padded[2 : 2 + int.from_bytes(padded[:2], "big")]
    if _pad(content, overhead) != padded:  # made again and compared: zeros, true length, smallest size that fits
        raise Malformed("padding is not as specified")
    return content


def first_chain(root: bytes, sender: int, receiver: int) -> bytes:
    """The chain key of one direction of an epoch, by party numbers (spec 9.3)."""
    return derive(root, b"openline/1 chain", sender.to_bytes(2, "big") + receiver.to_bytes(2, "big"))


def _step(chain: bytes) -> tuple[bytes, bytes, bytes]:
    """(tag, key, next chain key) of one index (spec 9.4)."""
    tag = derive(chain, b"openline/1 tag")[:TAG]
    return tag, derive(chain, b"openline/1 key"), derive(chain, b"openline/1 next")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingState:
    """What a store keeps of a sending direction: from here on nothing has been used."""

    index: int
    chain: bytes = field(repr=False)


class Outgoing:
    """The sending direction of an epoch.

    Indexes are used only after the store holds a state beyond them:
    `reserve` hands out that state, and `seal` works once it is durable.
    """

    __slots__ = ("_ahead", "_reserved", "index")

    def __init__(self, state: OutgoingState) -> None:
        self.index = state.index
        """The next index to be used."""
        self._reserved = state
        self._ahead: deque[tuple[int, bytes, bytes]] = deque()

    @property
    def left(self) -> int:
        """Indexes that may be used before the next reservation."""
        return len(self._ahead)

    def reserve(self) -> tuple[OutgoingState, list[tuple[int, bytes, bytes]]]:
        """A state for the store, and the keys it frees; give these to `free` once that state is durable.

        A reservation that never became durable is given up: its indexes stay unused.
        """
        index, chain, fresh = self._reserved.index, self._reserved.chain, []
        for _ in range(RESERVED_INDEXES):
            tag, key, chain = _step(chain)
            fresh.append((index, tag, key))
            index += 1
        self._reserved = OutgoingState(index=index, chain=chain)
        return self._reserved, fresh

    def free(self, fresh: list[tuple[int, bytes, bytes]]) -> None:
        """The reservation that came with these keys is durable."""
        self._ahead.extend(fresh)
        self.index = self._ahead[0][0]

    def seal(self, content: bytes) -> tuple[int, bytes]:
        """Index and envelope of `content` (at most MAX_CONTENT bytes). Raises TooLarge; the key is gone afterwards."""
        padded = _pad(content, HEADER + SIV_TAG)
        if not self._ahead:
            raise Bug("an envelope without a reserved index")
        index, tag, key = self._ahead.popleft()
        self.index = self._ahead[0][0] if self._ahead else index + 1
        header = VERSION + tag
        return index, header + seal_key(key, padded, header)


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingState:
    """What a store keeps of a receiving direction: nothing opened can be opened again from it."""

    edge: int
    """One more than the highest opened index."""
    chain: bytes = field(repr=False)
    """The chain key at `edge`."""
    holes: tuple[tuple[int, bytes, bytes], ...] = field(default=(), repr=False)
    """(index, tag, key) of what is unopened below the edge."""


class Incoming:
    """The receiving direction of an epoch: the tags that may come, and their keys."""

    __slots__ = ("_ahead", "_chain", "_derived", "_holes", "_tags", "edge")

    def __init__(self, state: IncomingState) -> None:
        self.edge = state.edge
        self._chain, self._derived = state.chain, state.edge
        self._ahead: deque[tuple[int, bytes, bytes, bytes]] = deque()  # index, tag, key, chain key after it
        self._holes = {index: (tag, key) for index, tag, key in state.holes}
        self._tags: dict[bytes, tuple[int, ...]] = {}  # two indexes may share a tag, by chance or by a grinding peer
        for index, tag, _ in state.holes:
            self._await(tag, index)
        self._look_ahead()

    def _await(self, tag: bytes, index: int) -> None:
        self._tags[tag] = (*self._tags.get(tag, ()), index)

    def _forget(self, tag: bytes, index: int) -> None:
        rest = tuple(other for other in self._tags.pop(tag) if other != index)
        if rest:
            self._tags[tag] = rest

    def _look_ahead(self) -> None:
        while self._derived < self.edge + WINDOW:
            chain = self._ahead[-1][3] if self._ahead else self._chain
            tag, key, after = _step(chain)
            self._ahead.append((self._derived, tag, key, after))
            self._await(tag, self._derived)
            self._derived += 1

    @property
    def first_unopened(self) -> int:
        """The lowest index that may still come and has not been opened; told to the sender in every envelope."""
        return min(self._holes, default=self.edge)

    @property
    def state(self) -> IncomingState:
        """For the store, in the same transaction as what the opened envelopes said."""
        holes = tuple((index, tag, key) for index, (tag, key) in sorted(self._holes.items()))
        return IncomingState(edge=self.edge, chain=self._chain, holes=holes)

    def knows(self, envelope: bytes) -> bool:
        """Whether its tag is awaited."""
        return envelope[:1] == VERSION and envelope[1:HEADER] in self._tags

    def open(self, envelope: bytes) -> tuple[int, bytes]:
        """Index and content of an awaited envelope; its key is erased.

        Raises Replayed for a tag that is not awaited, Forged if it does not
        open (garbage under a seen tag): then its key stays, for the true one.
        Raises Malformed, the key erased, if the sender padded it wrongly.
        """
        if len(envelope) not in BUCKETS:
            raise Malformed("an envelope of no known size")
        if not self.knows(envelope):
            raise Replayed("an unknown or used tag")
        header = envelope[:HEADER]
        for index in self._tags[header[1:]]:
            key = self._holes[index][1] if index in self._holes else self._ahead[index - self.edge][2]
            try:
                padded = open_key(key, envelope[HEADER:], header)
            except Forged:
                continue
            self._consume(index, header[1:])
            return index, _unpad(padded, HEADER + SIV_TAG)
        raise Forged("sealed bytes do not open")

    def _consume(self, index: int, tag: bytes) -> None:
        self._forget(tag, index)
        if index in self._holes:
            del self._holes[index]
            return
        while self.edge <= index:
            passed, passed_tag, key, self._chain = self._ahead.popleft()
            if passed != index:
                self._holes[passed] = (passed_tag, key)
            self.edge += 1
        self._erase_below(self.edge - WINDOW)
        self._look_ahead()

    def raise_floor(self, floor: int) -> None:
        """The sender will never again send an index below `floor`: erase those keys. Never beyond the edge."""
        self._erase_below(min(floor, self.edge))

    def _erase_below(self, floor: int) -> None:
        for index in [known for known in self._holes if known < floor]:
            tag, _ = self._holes.pop(index)
            self._forget(tag, index)


def handshake_key(psk: bytes, line: bytes, sender: int, receiver: int) -> bytes:
    """The key under which one side's handshake envelopes are sealed (spec 10.2)."""
    return derive(psk, b"openline/1 handshake", line + sender.to_bytes(2, "big") + receiver.to_bytes(2, "big"))


def seal_handshake(key: bytes, content: bytes, entropy: Entropy) -> bytes:
    """A handshake envelope. Raises TooLarge."""
    nonce = entropy(NONCE)
    header = VERSION + derive(key, b"openline/1 handshake tag", nonce)[:TAG] + nonce
    padded = _pad(content, len(header) + SIV_TAG)
    return header + seal_key(derive(key, b"openline/1 handshake key", nonce), padded, header)


def is_handshake(key: bytes, envelope: bytes) -> bool:
    """Whether an envelope is a handshake envelope of that key: one HMAC, no public-key work."""
    if len(envelope) not in BUCKETS or envelope[:1] != VERSION:
        return False
    nonce = envelope[HEADER : HEADER + NONCE]
    return same(derive(key, b"openline/1 handshake tag", nonce)[:TAG], envelope[1:HEADER])


def open_handshake(key: bytes, envelope: bytes) -> bytes:
    """The content of a handshake envelope. Raises Forged or Malformed."""
    if not is_handshake(key, envelope):
        raise Forged("not a handshake envelope of this pair")
    header = envelope[: HEADER + NONCE]
    sealed = envelope[HEADER + NONCE :]
    padded = open_key(derive(key, b"openline/1 handshake key", header[HEADER:]), sealed, header)
    return _unpad(padded, len(header) + SIV_TAG)
