"""Every path out, each with its own queue and worker: a path that hangs, lies or is slow holds up neither another nor the station.

A call is tried until the other end has taken it, with growing pauses, as long as its alarm is open; the same call keeps
its id, so that a receiver which got it twice knows. Of one alarm only the newest step waits. Word that an alarm is over
waits behind every call.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from openline.kernel.errors import Unavailable
from openline.ports import Alarm, AlarmCall
from openline.station.alarms.records import State
from openline.station.alarms.webhook import CallFailed

QUEUE = 256
"""Calls that wait for one path; beyond it the least urgent goes, and is made again at the next start if it still matters."""
CALL_S = 45.0
"""A call that takes longer is given up and tried again: a mail takes several exchanges of ten seconds at most."""
PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


def pause_of(failures: int) -> float:
    """The pause after so many failures in a row, in seconds."""
    return PAUSES_S[min(failures, len(PAUSES_S)) - 1] if failures else 0.0


@dataclass(slots=True, kw_only=True)
class PathState:
    """What is known of one path."""

    succeeded_at: int | None = None
    """Time of day, ms, of the last call that was taken."""
    failed_at: int | None = None
    failure: str = ""
    """Why the last call was not taken, as a constant name; empty if it was."""
    failures: int = 0
    """In a row."""
    calls: int = 0
    """Taken since the start."""
    tested_at: int | None = None
    """When a test of it was last begun, ms."""


class OutPath:
    """One path at work."""

    def __init__(
        self,
        name: str,
        alarm: Alarm,
        wall: Callable[[], int],
        report: "Callable[[OutPath, AlarmCall], None]",
        pause: Callable[[int], float] = pause_of,
    ) -> None:
        """`report` hears of every attempt: whether it was taken is `state.failure`."""
        self.name, self.state = name, PathState()
        self._alarm, self._wall, self._report, self._pause = alarm, wall, report, pause
        self._waiting: dict[str, AlarmCall] = {}
        """By alarm."""
        self._tries: dict[str, int] = {}
        """By alarm: a call that is refused does not keep the others waiting."""
        self._stirred = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End; a call that is under way is cut off, and made again at the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def task(self) -> "asyncio.Task[None] | None":
        """Its worker."""
        return self._task

    def __len__(self) -> int:
        return len(self._waiting)

    def call(self, call: AlarmCall) -> None:
        """Queue a call; it replaces an earlier one about the same alarm."""
        self._waiting.pop(call.alarm, None)
        self._waiting[call.alarm] = call
        if len(self._waiting) > QUEUE:
            self.withdraw(max(self._waiting, key=lambda name: _urgency(self._waiting[name])))
        self._stirred.set()

    def has_room_to_tell(self, alarm: str) -> bool:
        """Whether word that an alarm is over may be queued: it is not there yet, and leaves half of the room to calls."""
        return alarm not in self._waiting and len(self._waiting) < QUEUE // 2

    def withdraw(self, alarm: str) -> None:
        """Nobody needs to be called about that any more."""
        self._waiting.pop(alarm, None)
        self._tries.pop(alarm, None)

    async def attempt(self, call: AlarmCall) -> bool:
        """Make one call now, beside the queue; whether it was taken."""
        state = self.state
        try:
            async with asyncio.timeout(CALL_S):
                await self._alarm.send(call)
        except TimeoutError:
            state.failure = "timeout"
        except CallFailed as failed:
            state.failure = failed.how
        except Unavailable:
            state.failure = "unavailable"
        else:
            state.failure, state.failures, state.succeeded_at = "", 0, self._wall()
            state.calls += 1
        if state.failure:
            state.failed_at = self._wall()
            state.failures += 1
        self._report(self, call)
        return not state.failure

    async def _run(self) -> None:
        while True:
            await self._stirred.wait()
            if not self._waiting:
                self._stirred.clear()
                continue
            call = min(self._waiting.values(), key=lambda each: (self._tries.get(each.alarm, 0), _urgency(each)))
            if await self.attempt(call):
                if self._waiting.get(call.alarm) == call:
                    self.withdraw(call.alarm)
            else:
                if call.alarm in self._waiting:
                    self._tries[call.alarm] = self._tries.get(call.alarm, 0) + 1
                await asyncio.sleep(self._pause(self.state.failures))


def _urgency(call: AlarmCall) -> tuple[int, int]:
    """FLASH first, then the older one; what is over comes last."""
    if call.state != State.OPEN:
        return (2, call.since)
    return (0 if call.precedence == "FLASH" else 1, call.since)


def trouble_of(paths: Mapping[str, OutPath]) -> dict[str, str]:
    """The paths that do not work now, and why."""
    return {name: path.state.failure for name, path in paths.items() if path.state.failure}
