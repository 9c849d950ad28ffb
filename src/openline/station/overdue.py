"""Tells the moment at which a clock runs out, on both floors: each by its own time of day, from the same entries.

An event names the line, the clock and the message by its reference; never what
was said. After a start every clock that has run out is told once more: a
restart must not silence it.

Spec: spec/06-entries.md, 6.21, 6.100.
"""

import asyncio
import contextlib
from typing import TYPE_CHECKING

from openline.kernel.errors import Unavailable, Unknown
from openline.kernel.units import Instant
from openline.protocol.clocks import MessageClock, Phase, next_change, running
from openline.station.answers import RefView, encoded
from openline.station.bearer_answers import Answer
from openline.station.feed import Published
from openline.station.line_runner import LineRunner
from openline.station.line_view import due_view

if TYPE_CHECKING:
    from openline.station.runtime import Station

LOOK_S = 0.5


class OverdueEvent(Answer, frozen=True, kw_only=True):
    """A clock has run out."""

    line: str
    what: str
    """What it rests on: "handling time", "answer by", "acknowledge by" or "interim"."""
    party: str
    """Of whom something was due."""
    mine: bool
    """Whether that is this floor."""
    due: int
    ref: RefView


class Overdue:
    """The watch over all clocks of a station."""

    def __init__(self, station: "Station") -> None:
        self._station = station
        self._main: asyncio.Task[None] | None = None
        self._told: dict[bytes, set[MessageClock]] = {}
        self._next: dict[bytes, tuple[int, int | None]] = {}
        """Line -> entries seen, and the next moment at which a clock changes."""

    def start(self) -> None:
        """Begin."""
        self._main = asyncio.create_task(self._run())

    def stop(self) -> None:
        """End."""
        if self._main is not None:
            self._main.cancel()

    async def _run(self) -> None:
        while True:
            for line in list(self._station.lines.values()):
                with contextlib.suppress(Unavailable, Unknown):
                    self._look(line)
            await asyncio.sleep(LOOK_S)

    def _look(self, line: LineRunner) -> None:
        engine, now = line.engine, self._station.clock.wall()
        entries, change = self._next.get(line.line, (-1, None))
        if engine is None or (entries == line.entries and (change is None or now < change)):
            return
        clocks = list(running(engine.fold))
        self._next[line.line] = (line.entries, next_change(clocks, now))
        late = {clock for clock in clocks if clock.phase(now) is Phase.OVERDUE}
        before = self._told.get(line.line, set())
        self._told[line.line] = late
        for clock in sorted(late - before, key=lambda each: each.due):
            self._tell(line, clock)

    def _tell(self, line: LineRunner, clock: MessageClock) -> None:
        view = due_view(line, line.working(), clock)
        event = OverdueEvent(
            line=line.label,
            what=clock.basis.value,
            party=view.party,
            mine=clock.party == line.party,
            due=Instant(clock.due),
            ref=view.ref,
        )
        self._station.feed.publish(Published(line=line.line, name="overdue", seq=0, data=encoded(event)))
