"""The station's two clocks: a steady one that never jumps, and the time of day.

With a simulated clock the time of day is what people set, and runs on from
there; the steady clock is always the real one. Only the station owns clocks.
"""

import time

from openline.kernel.errors import Forbidden
from openline.kernel.units import Instant
from openline.protocol.events import Now


class StationClock:
    """Both clocks of one station."""

    def __init__(self, *, simulated: bool) -> None:
        self.simulated = simulated
        self._started_ns = time.monotonic_ns()
        self._offset_ms = 0

    def steady(self) -> int:
        """Milliseconds since this station started."""
        return (time.monotonic_ns() - self._started_ns) // 1_000_000

    def wall(self) -> Instant:
        """The time of day, ms since 1970."""
        return Instant(time.time_ns() // 1_000_000 + self._offset_ms)

    def machine(self) -> Instant:
        """The machine's own time of day, never a simulated one: for what outsiders compare with theirs."""
        return Instant(time.time_ns() // 1_000_000)

    def now(self) -> Now:
        """Both."""
        return Now(steady=self.steady(), wall=self.wall())

    def set(self, at: Instant) -> None:
        """Set the time of day of a simulated clock. Raises Forbidden for a real one."""
        if not self.simulated:
            raise Forbidden("the clock of this station is not simulated")
        self._offset_ms = at - time.time_ns() // 1_000_000
