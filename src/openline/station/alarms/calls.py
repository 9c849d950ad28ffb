"""A book of alarms, the paths out of the building, and the tests of these paths: at work in a station or a dead-man's switch."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from openline.kernel.errors import Conflict, Unknown
from openline.kernel.units import Entropy, Instant
from openline.ports import Alarm, AlarmCall
from openline.station.alarms.book import Book, Plan, Shelf, Turn
from openline.station.alarms.makers import make_path
from openline.station.alarms.paths import OutPath, pause_of
from openline.station.alarms.records import Key, Kind, Raised, State
from openline.station.alarms.roster import gaps
from openline.station.alarms.tables import Calling
from openline.station.log import Log

LOOK_S = 0.25
FIRST_TEST_MS = 60_000
TEST_PAUSE_MS = 10_000
"""Between two tests of one path: who tests asks meanwhile whether it has come, and nobody floods a telephone at night."""
_HOUR = 3_600_000


class Clock(Protocol):
    """The clocks of a place."""

    def steady(self) -> int:
        """Ms that never jump."""
        ...

    def wall(self) -> Instant:
        """The time of day here, which may be simulated."""
        ...

    def machine(self) -> Instant:
        """The machine's own time of day, which others compare with theirs."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Whose alarms these are."""

    name: str
    home: Path
    """Files of the configuration lie below it."""
    table: Calling
    shelf: Shelf
    clock: Clock
    entropy: Entropy
    log: Log
    number_of: Callable[[str], str]
    """A line's number by its label: what leaves the building if labels stay at home."""
    changed: Callable[[Raised], None]
    """An alarm was raised or ended."""
    station_of: Callable[[Key], str] | None = None
    """Whose station an alarm is about, if not the one of that name."""
    make: Callable[[Path, Calling, str, Callable[[], Instant]], Alarm] = make_path
    pause: Callable[[int], float] = pause_of
    look_s: float = LOOK_S


class Calls:
    """Who is called about what, and whether that works."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self.plan = Plan(place.table)
        self.book = Book(place.shelf, place.clock, self.plan, place.entropy, self._changed)
        self.paths: dict[str, OutPath] = {}
        self.gaps = gaps(self.plan.duties)
        """Duties that at some minute of the week nobody has: everybody is called then."""
        self._down: set[str] = set()
        self._tested: dict[str, int] = {}
        """Path -> steady ms at which it was tested last."""
        self._begun: dict[str, int] = {}
        """Path -> steady ms at which a test of it was begun last."""
        self._tests: set[asyncio.Task[bool]] = set()

    def revise(self, table: Calling) -> None:
        """Go by another roster from now on: steps that were taken stay taken."""
        self.plan = self.book.plan = Plan(table)
        self.gaps = gaps(self.plan.duties)

    def start(self) -> None:
        """Begin; what was open is in the book by now."""
        place = self._place
        for name in place.table.paths:
            made = place.make(place.home, place.table, name, place.clock.machine)
            self.paths[name] = OutPath(name, made, place.clock.wall, self._reported, place.pause)
            self.paths[name].start()

    async def stop(self) -> None:
        """End. What was not taken yet is called again at the next start."""
        for task in self._tests:
            task.cancel()
        for path in self.paths.values():
            await path.stop()

    def look(self) -> None:
        """Make the calls that are due."""
        for turn in self.book.turns():
            self._call(turn)
        self._tell()
        hours = self._place.table.test_hours
        now = self._place.clock.steady()
        for name, path in self.paths.items():
            # The first a little after the start: a station that starts again and again must not fill a mailbox.
            last = self._tested.setdefault(name, now - hours * _HOUR + FIRST_TEST_MS)
            if hours and now - last >= hours * _HOUR:
                self._begin_test(path)

    async def run(self) -> None:
        """Look for ever."""
        while True:
            self.look()
            await asyncio.sleep(self._place.look_s)

    def _call(self, turn: Turn) -> None:
        alarm = turn.alarm
        self._place.log.event("alarm.step", kind=alarm.key.kind, step=turn.step, paths=len(turn.paths))
        for name in turn.paths:
            if name in self.paths:
                self.paths[name].call(self._call_of(alarm, turn.step))

    def _tell(self) -> None:
        """Tell those who took a call of an alarm that is over. Looked at again and again, so that a start forgets nobody."""
        for alarm in self.book.owed():
            for name in alarm.owed:
                path = self.paths.get(name)
                if path is not None and path.has_room_to_tell(alarm.id):
                    step = max(call.step for call in alarm.called if call.path == name)
                    path.call(self._call_of(alarm, step))

    def _call_of(self, alarm: Raised, step: int) -> AlarmCall:
        place, key, cause = self._place, alarm.key, alarm.cause
        return AlarmCall(
            id=f"{alarm.id}.{step if alarm.state is State.OPEN else 'over'}",
            alarm=alarm.id,
            station=place.station_of(key) if place.station_of is not None else place.name,
            kind=key.kind,
            state=alarm.state.value,
            line=key.line if place.table.name_lines or not key.line else place.number_of(key.line),
            precedence=cause.precedence,
            clock=cause.clock,
            since=cause.since,
            step=step,
            exercise=cause.exercise,
        )

    def _changed(self, alarm: Raised) -> None:
        if alarm.state is not State.OPEN:
            for path in self.paths.values():
                path.withdraw(alarm.id)
        event = "alarm.raised" if alarm.state is State.OPEN else "alarm.ended"
        self._place.log.event(event, kind=alarm.key.kind, line=alarm.key.line or None, state=alarm.state.value)
        self._place.changed(alarm)

    def _reported(self, path: OutPath, call: AlarmCall) -> None:
        failure = path.state.failure
        if not failure and call.state != State.OPEN:
            self.book.was_told(call.alarm, path.name)
        elif not failure:
            self.book.was_called(call.alarm, path.name, call.step)
        if bool(failure) is not (path.name in self._down):
            if failure:
                self._down.add(path.name)
                self._place.log.event("alarm.path-down", path=path.name, kind=failure)
            else:
                self._down.discard(path.name)
                self._place.log.event("alarm.path-works", path=path.name)

    # --- tests ---------------------------------------------------------------------------------------------------

    def _begin_test(self, path: OutPath) -> "asyncio.Task[bool]":
        place = self._place
        self._tested[path.name] = self._begun[path.name] = place.clock.steady()
        path.state.tested_at = int(place.clock.wall())
        name = place.entropy(16).hex()
        call = AlarmCall(
            id=f"{name}.0",
            alarm=name,
            station=place.name,
            kind=Kind.TEST.value,
            state=State.OPEN.value,
            line="",
            precedence="",
            clock="",
            since=place.clock.wall(),
            step=0,
            exercise=False,
        )
        task = asyncio.create_task(path.attempt(call))
        self._tests.add(task)
        task.add_done_callback(self._tests.discard)
        return task

    async def test(self, names: Iterable[str], most_s: float) -> dict[str, bool | None]:
        """Test paths now, all at once; None where no answer came within `most_s`.

        Raises Unknown for a path that is not there, Conflict if one of them was tested a moment ago: none is called then.
        """
        wanted = list(names) or list(self.paths)
        if any(name not in self.paths for name in wanted):
            raise Unknown("there is no path of that name")
        now = self._place.clock.steady()
        if any(now - self._begun[name] < TEST_PAUSE_MS for name in wanted if name in self._begun):
            raise Conflict("a path is tested once in ten seconds: wait, and ask whether the last test has come")
        begun = {name: self._begin_test(self.paths[name]) for name in wanted}
        if begun:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait(begun.values(), timeout=most_s)
        return {name: task.result() if task.done() else None for name, task in begun.items()}

    # --- how it stands -------------------------------------------------------------------------------------------

    def problems(self) -> list[str]:
        """What people should know, in words."""
        found = [f"alarm path {name}: {path.state.failure}" for name, path in self.paths.items() if path.state.failure]
        found += [f"the roster has hours without {name}: everybody is called then" for name in self.gaps]
        if self.book.beyond:
            found.append("more alarms than this station keeps: some were not raised")
        return found

    def undelivered(self) -> int:
        """Open alarms whose calls no path has taken; without a path there is nothing to take them."""
        if not self.paths:
            return 0
        return sum(alarm.state is State.OPEN and alarm.step > 0 and not alarm.called for alarm in self.book.live())
