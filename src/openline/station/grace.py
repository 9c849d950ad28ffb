"""Ten seconds in which a message can still be taken back, kept over crashes and restarts.

The end of each grace stands in the store. After a start what is past its time
is said at once, unless that is more than LATE_MS ago; what is not waits for
the rest, at most the whole. A line that is stopped is tried again until it
works.
"""

import asyncio
from typing import TYPE_CHECKING

from openline.kernel.errors import Refused, Unavailable, Unknown
from openline.station.drafting import GRACE, RELEASING, end_grace, read_draft, return_late, settle, settle_one

if TYPE_CHECKING:
    from openline.station.runtime import Station

GRACE_MS = 10_000
"""Long enough to see the wrong name on the screen, short against any handling time."""
LATE_MS = 3_600_000
"""What should have been signed longer ago than this is a working draft again: the world has gone on, a person decides.
A backup that is restored later than that sends nothing by itself either."""
RETRY_S = 1.0


class Grace:
    """The graces of one station."""

    def __init__(self, station: "Station", ms: int = GRACE_MS) -> None:
        """`ms`: how long a grace lasts."""
        self._station, self.ms = station, ms
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Settle what was under way, and take up every grace that had not ended. Raises Unavailable."""
        station = self._station
        settle(station)
        for draft in station.store.drafts(GRACE):
            due = read_draft(draft).due
            if due is not None and due < station.clock.wall() - LATE_MS:
                return_late(station, draft)
            else:
                self.begin(draft.number, due)
        for draft in station.store.drafts(RELEASING):  # its line is stopped now
            self.begin(draft.number, None)

    def stop(self) -> None:
        """End; what is not said yet is after the next start."""
        for task in self._tasks.values():
            task.cancel()

    def begin(self, number: int, due: int | None) -> None:
        """Say that draft when its grace ends; a clock of day that is set makes no grace longer than it is."""
        left = 0 if due is None else min(max(0, due - self._station.clock.wall()), self.ms)
        before = self._tasks.pop(number, None)
        if before is not None:
            before.cancel()
        task = asyncio.create_task(self._wait(number, left / 1_000))
        self._tasks[number] = task
        task.add_done_callback(lambda done: self._done(number, done))

    def _done(self, number: int, task: "asyncio.Task[None]") -> None:
        if self._tasks.get(number) is task:
            del self._tasks[number]

    async def _wait(self, number: int, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                if await self._end(number):
                    return
            except Unknown:  # it went with its line
                return
            except (Refused, Unavailable):  # changed in this very moment, or the line is stopped: looked at again
                pass
            seconds = RETRY_S

    async def _end(self, number: int) -> bool:
        """Whether there is nothing more to do about that draft."""
        station = self._station
        draft = station.store.draft(number)
        line = station.lines.get(draft.line)
        if draft.state == RELEASING and line is not None and line.engine is not None:
            settle_one(station, line, draft)
            draft = station.store.draft(number)
        if draft.state == GRACE:
            await end_grace(station, draft)
            draft = station.store.draft(number)
        return draft.state not in {GRACE, RELEASING}
