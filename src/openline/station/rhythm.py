"""Regular tests, on the rhythm that the terms agree: this station's to every party of every line.

Each side tests by itself, so both directions are proved, and with some jitter,
so that the two do not always meet. A test is answered by the acknowledgement
that covers it; one that is not in time is noticed, and the line shows it.

Spec: spec/06-entries.md, 6.12.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from openline.kernel.errors import Refused, Unavailable
from openline.kernel.units import Entropy
from openline.ports import LineTest, Store
from openline.protocol.entries import Test
from openline.protocol.events import Accepted, Noticed
from openline.station.clock import StationClock
from openline.station.committer import Committer
from openline.station.config import Config
from openline.station.exercise_words import exercise_text
from openline.station.line_runner import LineRunner, State
from openline.station.log import Log

STRAINED = 4
"""So many times as seldom under MINIMIZE: once in four hours is still within a watch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """When to test, beside the rhythm of the terms. Seconds."""

    first_s: float = 10.0
    """After the line has started: so that a fresh line shows soon whether it works."""
    jitter: float = 0.1
    """Up to this part of the rhythm sooner."""
    late_s: float = 300.0
    """Without an acknowledgement for so long (or half the rhythm, if that is less) a test is missed."""
    look_s: float = 1.0


class Floor(Protocol):
    """What of a station the tests need."""

    config: Config
    clock: StationClock
    entropy: Entropy
    store: Store
    committer: Committer
    log: Log
    lines: dict[bytes, LineRunner]

    def noticed(self, line: LineRunner, notice: Noticed) -> None:
        """Tell people."""
        ...


class Rhythm:
    """The tests of all lines of a station."""

    def __init__(self, floor: Floor, pace: Pace | None = None) -> None:
        self._floor, self._pace = floor, pace or Pace()
        self._due: dict[bytes, float] = {}
        """Line -> steady ms of its next test."""
        self._missed: set[bytes] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._main: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._main = asyncio.create_task(self._run())

    def stop(self) -> None:
        """End; results that are outstanding stay unknown."""
        for task in (self._main, *self._tasks):
            if task is not None:
                task.cancel()

    def missed(self, line: LineRunner) -> bool:
        """Whether the line's last automatic test was not acknowledged in time."""
        return line.line in self._missed

    async def test(self, line: LineRunner, *, drill: bool) -> Accepted:
        """Test a line now: done once the test is durable. Raises Unavailable or Refused."""
        engine, floor = line.working(), self._floor
        last = engine.fold.test(line.party)
        number = last.entry.number + 1 if last is not None and isinstance(last.entry, Test) else 1
        text, language = exercise_text(floor.config.language, number + line.party, drill=drill)
        entry = Test(text=text, language=language, drill=drill, number=number)
        sent, began = floor.clock.wall(), floor.clock.steady()
        accepted = await line.submit(entry, sent)
        for party in engine.peers:
            result = LineTest(line=line.line, party=party, number=number, sent=sent, held=None, round_trip_ms=None)
            await floor.committer.done(partial(floor.store.put_test, result))
            task = asyncio.create_task(self._follow(line, result, accepted, began))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return accepted

    async def _follow(self, line: LineRunner, test: LineTest, accepted: Accepted, began: int) -> None:
        with contextlib.suppress(Refused, Unavailable):  # the line stops: the result stays unknown
            await self._result(line, test, accepted, began)

    async def _result(self, line: LineRunner, test: LineTest, accepted: Accepted, began: int) -> None:
        """Wait for the acknowledgement: in time, then late, until the next test or so."""
        engine = line.engine
        rhythm_s = (engine.fold.policy.test_minutes if engine is not None else 60) * 60 or 3_600
        late_s = min(self._pace.late_s, rhythm_s / 2)
        held = partial(_held, line, test.party, accepted, self._floor.clock.steady)
        at = await line.when(held, late_s)
        if at is None:
            self._missed.add(line.line)
            self._floor.noticed(line, Noticed(what="test-missed", party=test.party, number=test.number))
            at = await line.when(held, rhythm_s)
        if at is not None:
            self._missed.discard(line.line)
            done = LineTest(
                line=test.line,
                party=test.party,
                number=test.number,
                sent=test.sent,
                held=self._floor.clock.wall(),
                round_trip_ms=at - began,
            )
            await self._floor.committer.done(partial(self._floor.store.put_test, done))

    async def _run(self) -> None:
        while True:
            for line in list(self._floor.lines.values()):
                if self._is_due(line):
                    try:
                        await self.test(line, drill=False)
                    except (Refused, Unavailable) as trouble:
                        self._floor.log.event("test.not-sent", line=line.label, code=trouble.code)
            await asyncio.sleep(self._pace.look_s)

    def _is_due(self, line: LineRunner) -> bool:
        engine, now = line.engine, self._floor.clock.steady()
        if engine is None or line.state is not State.RUNNING:
            return False
        every = engine.fold.policy.test_minutes * 60_000 * (STRAINED if line.strained else 1)
        if not every:
            self._due.pop(line.line, None)
            return False
        spread = int.from_bytes(self._floor.entropy(2), "big") / 65_536
        due = self._due.get(line.line)
        if due is None:
            # At the start, and spread, so that a centre with many lines does not test all of them at once.
            self._due[line.line] = now + self._pace.first_s * 1_000 * (1 + spread)
            return False
        if now < min(due, now + every):
            return False
        self._due[line.line] = now + every * (1 - self._pace.jitter * spread)
        return True


def _held(line: LineRunner, party: int, accepted: Accepted, steady: Callable[[], int]) -> int | None:
    engine = line.engine
    if engine is None:
        return None
    return steady() if engine.peers[party].holds.get(accepted.lane.key, 0) > accepted.index else None
