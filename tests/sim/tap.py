"""An omniscient listener: opens every envelope of a station that is watched, from the epoch roots in its memory.

It derives tags and keys by itself from spec 9.3 and 9.4, so that it does not
share the code it watches. What it knows never flows back into a station.
"""

from dataclasses import dataclass, field
from hashlib import blake2b

from openline.kernel.crypto import derive, open_key
from openline.protocol.engine import Engine
from openline.protocol.frames import Content, decode_content


def named(envelope: bytes) -> bytes:
    """A short name for an envelope: a run has too many to keep them whole."""
    return blake2b(envelope, digest_size=16).digest()


@dataclass(slots=True)
class _Way:
    """One direction of one epoch."""

    attempt: int
    chain: bytes
    next: int = 0
    keys: dict[bytes, tuple[int, bytes]] = field(default_factory=dict)
    used: dict[int, bytes] = field(default_factory=dict)
    floor: int = 0
    told: int = 0
    """Below this the other side has said that it opened all."""

    def derive_to(self, index: int) -> None:
        while self.next < index:
            tag = derive(self.chain, b"openline/1 tag")[:6]
            self.keys[tag] = (self.next, derive(self.chain, b"openline/1 key"))
            self.chain = derive(self.chain, b"openline/1 next")
            self.next += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An envelope of an epoch, opened."""

    attempt: int
    root: bytes = field(repr=False)
    """Its epoch's: after two restores two epochs may have one attempt."""
    index: int
    content: Content
    reused: bool
    """Its index was used before for other bytes: a key has sealed two things."""


class Tap:
    """Knows all epochs of the stations it is shown."""

    def __init__(self, line: bytes) -> None:
        self._line = line
        self._ways: dict[tuple[int, int], dict[bytes, _Way]] = {}

    def learn(self, party: int, engine: Engine) -> None:
        """Look for epochs that are new since the last look."""
        for other, peer in engine.peers.items():
            epoch = peer.epoch
            if epoch is None or not any(epoch.root):
                continue
            known = self._ways.setdefault((party, other), {})
            if epoch.root not in known:
                info = party.to_bytes(2, "big") + other.to_bytes(2, "big")
                known[epoch.root] = _Way(epoch.attempt, derive(epoch.root, b"openline/1 chain", info))

    def roots(self) -> list[bytes]:
        """Every epoch root seen: secrets that no bearer may carry."""
        return [root for ways in self._ways.values() for root in ways]

    def called_opened(self, party: int, other: int, root: bytes, below: int) -> list[bytes]:
        """Envelopes of `other` in the epoch of that root of which `party` says here for the first time that it opened them."""
        way = self._ways.get((other, party), {}).get(root)
        if way is None or below <= way.told:
            return []
        new = [way.used[index] for index in range(max(way.told, way.floor), below) if index in way.used]
        way.told = below
        return new

    def open(self, party: int, other: int, envelope: bytes) -> Heard | None:
        """What `party` says to `other` in this envelope; None if it is of no epoch (a handshake)."""
        for root, way in reversed(self._ways.get((party, other), {}).items()):
            for horizon in (way.next, way.next + 64, way.next + 256):
                way.derive_to(horizon)
                if envelope[1:7] in way.keys:
                    return self._opened(root, way, envelope)
        return None

    def _opened(self, root: bytes, way: _Way, envelope: bytes) -> Heard:
        index, key = way.keys[envelope[1:7]]
        padded = open_key(key, envelope[7:], envelope[:7])
        content = decode_content(self._line, padded[2 : 2 + int.from_bytes(padded[:2], "big")])
        way.floor = max(way.floor, content.floor)
        name = named(envelope)
        before = way.used.setdefault(index, name)
        return Heard(attempt=way.attempt, root=root, index=index, content=content, reused=before != name)
