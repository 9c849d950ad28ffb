"""Frames that wait to be written: urgent ones first, each kind in its order, bounded in bytes."""

import struct
from collections import deque
from typing import Final

from openline.bearers.tls.limits import Kind

HEADER: Final = struct.Struct(">IB")
"""The payload's length, the frame's type."""

_BATCH_BYTES: Final = 65_536
"""Frames joined into one write: what has left for the system, an urgent frame cannot overtake."""
_URGENT_BYTES: Final = 262_144
"""Room that only urgent frames may take when the queue is full: 16 of the largest."""


class Outbox:
    """The queue of one connection."""

    def __init__(self, bound: int) -> None:
        self.size = 0
        """Bytes queued."""
        self._bound = bound
        self._urgent: deque[bytes] = deque()
        self._ordinary: deque[bytes] = deque()

    def room(self, payload: bytes, *, urgent: bool) -> bool:
        """Whether a frame with this payload is within the bound."""
        bound = self._bound + (_URGENT_BYTES if urgent else 0)
        return self.size + HEADER.size + len(payload) <= bound

    def add(self, kind: Kind, payload: bytes, *, urgent: bool) -> None:
        """Queue a frame."""
        frame = HEADER.pack(len(payload), kind) + payload
        (self._urgent if urgent else self._ordinary).append(frame)
        self.size += len(frame)

    def next_batch(self) -> bytes:
        """Take as many frames as go into one write."""
        batch: list[bytes] = []
        size = 0
        while size < _BATCH_BYTES and (self._urgent or self._ordinary):
            frame = (self._urgent or self._ordinary).popleft()
            batch.append(frame)
            size += len(frame)
        self.size -= size
        return batch[0] if len(batch) == 1 else b"".join(batch)

    def move_to(self, other: "Outbox") -> None:
        """Hand all that is queued to another connection's queue; the bound does not apply, nothing is lost."""
        while self.size:
            urgent = bool(self._urgent)
            frame = (self._urgent or self._ordinary).popleft()
            other.take(frame, urgent=urgent)
            self.size -= len(frame)

    def take(self, frame: bytes, *, urgent: bool) -> None:
        """Queue what is a whole frame already."""
        (self._urgent if urgent else self._ordinary).append(frame)
        self.size += len(frame)
