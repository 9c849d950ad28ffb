"""One channel out: envelopes cut into frames, sent once, and again only where one was lost.

A serial line may lose and damage, and does not reorder: a frame that was sent
before one that has been acknowledged, and is not acknowledged itself, is lost.
Spec: spec/09-envelopes.md, 9.74 and 9.75.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final

from openline.bearers.serial.limits import WINDOW

_MOST_ENVELOPES: Final = 256


class Piece:
    """A frame's share of an envelope, under way."""

    __slots__ = ("acked", "again", "last", "lost", "number", "order", "payload", "until")

    def __init__(self, number: int, payload: bytes, *, last: bool) -> None:
        self.number, self.payload, self.last = number, payload, last
        self.order = 0
        """The count of the link's frames when it was last sent."""
        self.until = 0.0
        """When its last byte will have left."""
        self.acked = self.lost = self.again = False


class Outgoing:
    """What of a channel waits and what is under way."""

    def __init__(self, most_bytes: int) -> None:
        self.hurried = False
        """The envelope that was begun has become urgent."""
        self._most_bytes = most_bytes
        self._waiting: dict[bytes, None] = {}
        self._waiting_bytes = 0
        self._begun: deque[bytes] = deque()
        """Envelopes of which a frame has been made and not all are acknowledged; the last may be unfinished."""
        self._offset = 0
        """How much of the last one begun has been cut; 0 between two envelopes."""
        self._flying: deque[Piece] = deque()
        self._next = 0

    def knows(self, envelope: bytes) -> bool:
        """Whether these bytes wait here or are under way."""
        return envelope in self._waiting or envelope in self._begun

    def add(self, envelope: bytes) -> bool:
        """Queue an envelope; False when there is no room."""
        if len(self._waiting) >= _MOST_ENVELOPES or self._waiting_bytes + len(envelope) > self._most_bytes:
            return False
        self._waiting[envelope] = None
        self._waiting_bytes += len(envelope)
        return True

    def withdraw(self, envelope: bytes) -> bool:
        """Take an envelope back; False if it has been begun. What is half sent is only hurried."""
        if envelope in self._waiting:
            del self._waiting[envelope]
            self._waiting_bytes -= len(envelope)
            return True
        self.hurried = self.hurried or bool(self._offset and self._begun[-1] == envelope)
        return False

    @property
    def between(self) -> bool:
        """Whether no envelope is half sent."""
        return not self._offset and not self._lost()

    @property
    def flying(self) -> bool:
        """Whether something waits to be acknowledged."""
        return bool(self._flying)

    @property
    def ready(self) -> bool:
        """Whether there is a frame to send now."""
        return bool(self._lost()) or (bool(self._offset or self._waiting) and len(self._flying) < WINDOW)

    def take(self, size: int) -> Piece:
        """Return the next frame to send: what was lost, else at most `size` new bytes. Only when `ready`."""
        piece = self._lost()
        if piece is not None:
            piece.lost, piece.again = False, True
            return piece
        if not self._offset:
            envelope = next(iter(self._waiting))
            self.withdraw(envelope)
            self._begun.append(envelope)
        envelope, end = self._begun[-1], self._offset + size
        piece = Piece(self._next, envelope[self._offset : end], last=end >= len(envelope))
        self._offset = 0 if piece.last else end
        self.hurried = self.hurried and not piece.last
        self._next = (self._next + 1) % 256
        self._flying.append(piece)
        return piece

    def acknowledged(self, state: bytes, *, sent_before: float) -> int | None:
        """Take the other end's three bytes: the order of the latest frame they newly cover, 0 if none.

        None if they cannot be about what was sent. A frame sent twice counts
        only if its second sending had left by `sent_before`, for else the
        first one is meant.
        """
        first = self._flying[0].number if self._flying else self._next
        before, bits = (state[0] - first) % 256, int.from_bytes(state[1:], "big")
        if before > len(self._flying) or bits >> max(0, len(self._flying) - before - 1):
            return None
        covered = list(self._flying)[:before]
        covered += [piece for at, piece in enumerate(list(self._flying)[before + 1 :]) if bits >> at & 1]
        newest = 0
        for piece in covered:
            if not piece.acked and (not piece.again or piece.until <= sent_before):
                newest = max(newest, piece.order)
            piece.acked, piece.lost = True, False
        while self._flying and self._flying[0].acked:
            if self._flying.popleft().last:
                self._begun.popleft()
        return newest

    def lose_before(self, order: int) -> None:
        """Give up all that was sent before the frame of that order and is not acknowledged."""
        for piece in self._flying:
            piece.lost = piece.lost or (not piece.acked and piece.order < order)

    def doubt(self) -> bool:
        """Give up the oldest frame under way, if none is given up yet; whether there was one."""
        for piece in self._unacknowledged():
            piece.lost = True
            return True
        return False

    def _lost(self) -> Piece | None:
        return next((piece for piece in self._flying if piece.lost), None)

    def _unacknowledged(self) -> Iterator[Piece]:
        return (piece for piece in self._flying if not piece.acked)
