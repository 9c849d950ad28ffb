"""One channel in: frames in any order, envelopes in theirs.

Holds at most WINDOW frames ahead and one envelope under construction.
Spec: spec/09-envelopes.md, 9.74.
"""

from openline.bearers.serial.limits import LARGEST_ASSEMBLED, WINDOW, Event


class Incoming:
    """What of a channel has come."""

    def __init__(self) -> None:
        self.expected = 0
        """Number of the first frame that has not come, modulo 256."""
        self.used = False
        """Whether any frame has come."""
        self._held: dict[int, tuple[bool, bytes]] = {}
        self._parts: list[bytes] = []
        self._size = 0

    def take(self, number: int, payload: bytes, *, last: bool) -> tuple[list[bytes], Event | None]:
        """Take a frame; return the envelopes that it completes, and what was odd about it."""
        ahead = (number - self.expected) % 256
        if ahead >= WINDOW or number in self._held:
            behind = (self.expected - number) % 256
            known = number in self._held or 0 < behind <= WINDOW
            return [], Event.DUPLICATE if known else Event.OUTSIDE_WINDOW
        self.used = True
        self._held[number] = (last, payload)
        envelopes: list[bytes] = []
        odd: Event | None = None
        while self.expected in self._held:
            last, payload = self._held.pop(self.expected)
            self.expected = (self.expected + 1) % 256
            self._size += len(payload)
            if self._size <= LARGEST_ASSEMBLED:
                self._parts.append(payload)
            else:
                self._parts.clear()
            if last:
                if self._parts:
                    envelopes.append(b"".join(self._parts))
                else:
                    odd = Event.ENVELOPE_TOO_LARGE
                self._parts, self._size = [], 0
        return envelopes, odd

    def leaves_a_gap(self, number: int) -> bool:
        """Whether a frame that has not come yet would show that others were lost: lines do not reorder."""
        newest = max(((held - self.expected) % 256 for held in self._held), default=-1)
        return newest + 1 < (number - self.expected) % 256 < WINDOW

    def state(self) -> bytes:
        """Return what the other end is told: the number expected, then one bit for each frame after that one."""
        bits = sum(1 << (held - self.expected - 1) % 256 for held in self._held)
        return bytes((self.expected,)) + bits.to_bytes(2, "big")
