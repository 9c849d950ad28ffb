"""How fast the bearers to a peer carry, and what follows for how soon something is said again.

An envelope of 256 bytes takes seven seconds at 300 bit/s. Who repeats it each
second, or hands over two hundred at once, shuts out everything that follows.
So what a thin bearer has been given is counted as time, hardly more than one
envelope waits there at a time, and nothing is repeated before an answer could
have come. What is not handed over stays in the lane, where FLASH passes it.

Spec: spec/09-envelopes.md, 9.17, 9.21, 9.25 to 9.27.
"""

from openline.kernel.units import BUCKETS
from openline.protocol.events import Link

BULK_BITS = 4_800
"""The slowest bearer for cosignatures and chunks, bit/s: four seconds for 2,420 bytes that are owed in time, not at once."""

TRIP_MS = 3_600_000
"""A bearer this slow is carried by people: what does not go with this trip waits for the next one."""


class Pace:
    """The bearers to one peer, as time."""

    __slots__ = ("bits_per_second", "busy_until", "slow_ms")

    def __init__(self) -> None:
        self.slow_ms = 0
        """What one envelope takes to the peer by the best bearer that is up; 0 where that is not worth counting."""
        self.bits_per_second = 0
        """How fast that bearer carries; 0 where it does not matter."""
        self.busy_until = 0
        """Steady ms until which it carries what was handed to it."""

    def link(self, link: Link, now: int) -> bool:
        """Other bearers are up; return whether the best of them is much quicker than the best before."""
        quicker = self.slow_ms >= 2 * max(link.slow_ms, 1)
        if (self.slow_ms, self.bits_per_second) != (link.slow_ms, link.bits_per_second):
            self.busy_until = now
        self.slow_ms, self.bits_per_second = link.slow_ms, link.bits_per_second
        return quicker

    @property
    def by_trips(self) -> bool:
        """Whether the best bearer takes hours, so that much has to go at once."""
        return self.slow_ms >= TRIP_MS

    def took(self, size: int, now: int, *, bulk: bool) -> None:
        """So many bytes were handed over. Bulk that the best bearer does not carry goes another way."""
        if self.bits_per_second and not (bulk and self.bits_per_second < BULK_BITS):
            self.busy_until = max(self.busy_until, now) + size * 8_000 // self.bits_per_second

    def ahead(self, now: int) -> int:
        """For how long it is still busy, ms."""
        return max(0, self.busy_until - now)

    def takes(self, now: int) -> bool:
        """Whether something that is not urgent may be handed over: at most one envelope waits there."""
        return self.ahead(now) <= self._slot

    def free_at(self, now: int) -> int | None:
        """When it takes something again; None if it does now."""
        return None if self.takes(now) else self.busy_until - self._slot

    @property
    def _slot(self) -> int:
        """What the smallest envelope takes, ms."""
        return BUCKETS[0] * 8_000 // self.bits_per_second if self.bits_per_second else 0

    def patience(self, usual: int, now: int) -> int:
        """How long to wait for the answer to an envelope handed over now: never less than there and back, twice over."""
        return max(usual, 2 * self.slow_ms + self.ahead(now))

    def long_patience(self, usual: int, now: int) -> int:
        """How long to wait for an answer that takes several envelopes, or for the end of what is under way."""
        return max(usual, 4 * self.slow_ms + 3 * self.ahead(now))

    def transfer_ms(self, size: int) -> int:
        """How long to wait for so many bytes that were asked for."""
        return 4 * self.slow_ms + (2 * size * 8_000 // self.bits_per_second if self.bits_per_second else 0)
