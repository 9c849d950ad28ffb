"""What a restart must not forget of calls: which console sits where, and what a ring has committed to and not shown yet.

An own ring is kept by its commitment from before it is said, so that a station
that falls in between can still open what it promised; another's by its leaf.
"""

import contextlib
from collections.abc import Collection

import msgspec

from openline.ports import Store

MAX_KEPT = 64
"""Calls of a line that are over, own ones and others' each: so much of what was before is known after a restart."""


class KeptSeat(msgspec.Struct, kw_only=True):
    """Who sits on a seat of this station."""

    console: str
    uid: int
    """Of the officer or user who acts there."""


class KeptCall(msgspec.Struct, kw_only=True):
    """One call, as far as no entry says it."""

    nonce: str = ""
    """Own ring: hides the fingerprint until the pick up; hexadecimal."""
    fingerprint: str = ""
    seats: dict[int, KeptSeat] = msgspec.field(default_factory=dict)
    accepted: int = 0
    """When this station held the ring first, ms by its own time of day."""
    began: int | None = None
    """When sound first went both ways here, ms."""
    ended: int | None = None
    """When it last did."""


class Kept(msgspec.Struct, kw_only=True):
    """All of a line."""

    calls: dict[str, KeptCall] = msgspec.field(default_factory=dict)
    """By the commitment of an own ring, or the leaf of another's; hexadecimal."""


_ENCODER, _DECODER = msgspec.json.Encoder(), msgspec.json.Decoder(Kept)


class Keeping:
    """Reads and writes it. Raises Unavailable."""

    def __init__(self, store: Store, line: bytes) -> None:
        self._store, self._name = store, "calls " + line.hex()
        data = store.setting(self._name)
        self._kept = Kept()
        if data is not None:
            with contextlib.suppress(msgspec.MsgspecError):  # damaged: seats count as lost, and can be taken over
                self._kept = _DECODER.decode(data)

    def call(self, name: bytes) -> KeptCall:
        """What is kept of a call; a new one if nothing is. Not durable before `save`."""
        return self._kept.calls.setdefault(name.hex(), KeptCall())

    def known(self, name: bytes) -> KeptCall | None:
        """What is kept of a call, if anything is."""
        return self._kept.calls.get(name.hex())

    def save(self, needed: Collection[bytes]) -> None:
        """Make it durable. The oldest beyond the bound are forgotten, but none of those that are `needed`: whoever rings
        without end neither makes this station forget what an open call is, nor what an own ring has promised.
        """
        spared = {name.hex() for name in needed}
        calls = self._kept.calls
        for own in (False, True):
            over = [name for name, call in calls.items() if bool(call.nonce) is own and name not in spared]
            for old in over[:-MAX_KEPT]:
                del calls[old]
        self._store.put_setting(self._name, _ENCODER.encode(self._kept))
