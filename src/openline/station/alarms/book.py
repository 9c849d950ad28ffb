"""The alarms of one place: raised, acknowledged, over; and whose turn it is to be called.

Every change is durable before anything follows from it, so that an escalation goes on where it was after a kill -9.
While the disk refuses, alarms go out all the same (one of them is that the disk is full) and are kept once it does not.
Steps are timed by the steady clock: a clock of day that is set hurries nobody and holds nobody up. Only after a start
does the clock of day say how long an alarm has been open; if it was set back meanwhile, the next step is timed anew.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from openline.kernel.errors import Unavailable, Unknown
from openline.kernel.units import Entropy, Instant
from openline.ports import AlarmRow
from openline.station.alarms.records import SUBJECTS, Called, Cause, Key, Raised, State, decode_alarm, encode_alarm
from openline.station.alarms.roster import Duty, on_duty
from openline.station.alarms.tables import Calling, Step, duties_of

LIVE = 1_024
"""Alarms that are live at a time: twenty for each of fifty lines. What is beyond is counted and not raised."""


CALLED = 64
"""Calls of one alarm that are remembered as taken: what is older is repeated by nobody."""
OVER = 256
"""Ended alarms that are kept in mind: those whose callees are to be told, and those of which a call may be under way."""
TELL_MS = 24 * 3_600_000
"""Whoever could not be told for a day that an alarm is over is not told any more: by then it is no news."""


class Shelf(Protocol):
    """Where alarms are kept: the part of ports.AlarmRows that a book needs."""

    def add(self, content: bytes) -> int:
        """Keep a new, live alarm; its number."""
        ...

    def put(self, row: AlarmRow) -> None:
        """Replace one."""
        ...

    def live(self) -> Sequence[AlarmRow]:
        """The live ones."""
        ...


class Clock(Protocol):
    """Both clocks of a place."""

    def steady(self) -> int:
        """Ms that never jump."""
        ...

    def wall(self) -> Instant:
        """The time of day, ms since 1970."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A call that is due: of this alarm, for this step, on these paths."""

    alarm: Raised
    step: int
    paths: tuple[str, ...]


class Plan:
    """Who is called when: steps and roster of one configuration."""

    def __init__(self, table: Calling) -> None:
        self._steps = table.steps or (Step(to=tuple(table.paths)),)
        self._all, self._zone, self._repeat = tuple(table.paths), table.zone, table.repeat_minutes
        self.duties: tuple[Duty, ...] = duties_of(table)
        self._duty_names = frozenset(duty.name for duty in self.duties)

    @property
    def all_steps(self) -> tuple[Step, ...]:
        """Every step of the configuration, or the one that stands in for none."""
        return self._steps

    def steps(self, kind: str) -> tuple[Step, ...]:
        """The steps for a kind of alarm, in order. One that no step names goes by all of them: it must not go nowhere."""
        found = tuple(step for step in self._steps if not step.kinds or kind in step.kinds)
        return found or self._steps

    def step(self, kind: str, number: int) -> Step | None:
        """The step of that number, from 1; those after the last are the last one again. None if there is no such step."""
        steps = self.steps(kind)
        beyond = number - len(steps)
        if beyond <= 0:
            return steps[number - 1]
        if not self._repeat:
            return None
        return msgspec.structs.replace(steps[-1], after_minutes=steps[-1].after_minutes + beyond * self._repeat)

    def due(self, kind: str, taken: int, elapsed_ms: int) -> tuple[int, Step] | None:
        """The step to take after `taken`; of repetitions that were due in a long absence only the latest."""
        number, steps = taken + 1, self.steps(kind)
        if taken >= len(steps) and self._repeat:
            late = elapsed_ms - steps[-1].after_minutes * 60_000
            number = max(number, len(steps) + late // (self._repeat * 60_000))
        step = self.step(kind, number)
        return (number, step) if step is not None and elapsed_ms >= step.after_minutes * 60_000 else None

    def paths(self, step: Step, now: Instant) -> tuple[str, ...]:
        """Whom a step calls at that moment. Where nobody has a duty, everybody: an alarm never falls into a gap."""
        found: list[str] = []
        for name in step.to:
            served = on_duty(self.duties, name, now, self._zone) if name in self._duty_names else (name,)
            found.extend(served or self._all)
        return tuple(dict.fromkeys(found))


class Book:
    """All live alarms."""

    def __init__(
        self, shelf: Shelf, clock: Clock, plan: Plan, entropy: Entropy, changed: Callable[[Raised], None]
    ) -> None:
        """`changed` hears of every alarm that was raised or ended, once that is durable."""
        self._shelf, self._clock, self.plan, self._entropy, self._changed = shelf, clock, plan, entropy, changed
        self._numbers: dict[str, int] = {}
        self._live: dict[Key, Raised] = {}
        self._began: dict[str, int] = {}
        """Id -> steady ms at which the escalation began, or would have."""
        self._over: dict[str, Raised] = {}
        """By id, the one that ended first in front: ended alarms, see OVER."""
        self._ended: dict[str, int] = {}
        """Id -> steady ms at which one of these ended, or was taken up again."""
        self._again: set[str] = set()
        """Taken up after a start: calls of theirs may not have gone out."""
        self._late: dict[str, Raised] = {}
        """By id: changes that the shelf has not taken yet."""
        self.beyond = 0
        """Alarms not raised for want of room."""

    def recall(self) -> None:
        """Take up what was live before."""
        for row in self._shelf.live():
            alarm = decode_alarm(row.content)
            self._numbers[alarm.id] = row.number
            if alarm.ended_for_good:
                self._over[alarm.id], self._ended[alarm.id] = alarm, self._clock.steady()
                continue
            self._live[alarm.key] = alarm
            last = self.plan.step(alarm.key.kind, alarm.step) if alarm.step else None
            elapsed = max(0, self._clock.wall() - alarm.raised, last.after_minutes * 60_000 if last is not None else 0)
            self._began[alarm.id] = self._clock.steady() - elapsed
            if alarm.state is State.OPEN:
                self._again.add(alarm.id)

    def live(self) -> list[Raised]:
        """All of them, the oldest first."""
        return sorted(self._live.values(), key=lambda alarm: (alarm.raised, alarm.id))

    def of(self, key: Key) -> Raised | None:
        """The live alarm about that."""
        return self._live.get(key)

    # --- what becomes of them ------------------------------------------------------------------------------------

    def raise_(self, key: Key, cause: Cause, *, stands: bool) -> Raised | None:
        """Raise an alarm, unless there is one about the same already. `stands`: until `settle`; else it only happened.

        One that was acknowledged while its cause stands is raised anew only for subjects that it did not have.
        """
        known = self._live.get(key)
        if known is not None:
            new = cause.subjects - known.cause.subjects
            if known.state is State.OPEN or not new:
                if new:
                    self._keep(msgspec.structs.replace(known, cause=_joined(known.cause, cause)))
                return None
            self._end(msgspec.structs.replace(known, stands=False))
        if len(self._live) >= LIVE:
            self.beyond += 1
            return None
        alarm = Raised(
            id=self._entropy(16).hex(),
            key=key,
            cause=_joined(cause, cause),
            raised=self._clock.wall(),
            stands=stands,
        )
        self._began[alarm.id] = self._clock.steady()
        self._keep(alarm)
        self._changed(alarm)
        return alarm

    def settle(self, key: Key) -> None:
        """Its cause is over: whoever was not called yet is not called any more."""
        alarm = self._live.get(key)
        if alarm is None or (not alarm.stands and alarm.state is not State.OPEN):
            return
        if alarm.state is State.OPEN:
            alarm = msgspec.structs.replace(alarm, state=State.OVER, ended=int(self._clock.wall()))
        self._end(msgspec.structs.replace(alarm, stands=False))

    def acknowledge(self, name: str, sign: str) -> Raised:
        """A person has taken it: the escalation stops. Acknowledged twice, the first stands. Raises Unknown."""
        alarm = next((each for each in self._live.values() if each.id == name), None)
        if alarm is None:
            raise Unknown("no alarm of that id is open")
        if alarm.state is State.OPEN:
            alarm = msgspec.structs.replace(alarm, state=State.ACKNOWLEDGED, ended=int(self._clock.wall()), sign=sign)
            if alarm.stands:
                self._keep(alarm)
                self._changed(alarm)
            else:
                self._end(alarm)
        return alarm

    def was_called(self, name: str, path: str, step: int) -> None:
        """A call was taken by the other end; it may have been under way when the alarm ended."""
        alarm, called = self._known(name), Called(path=path, step=step)
        if alarm is not None and called not in alarm.called:
            self._keep(msgspec.structs.replace(alarm, called=(*alarm.called, called)[-CALLED:]))

    def was_told(self, name: str, path: str) -> None:
        """The word that an alarm is over was taken by the other end."""
        alarm = self._known(name)
        if alarm is not None and path not in alarm.told:
            self._keep(msgspec.structs.replace(alarm, told=(*alarm.told, path)))

    def owed(self) -> list[Raised]:
        """The alarms of which somebody is still to be told that they are over."""
        late = self._clock.steady() - TELL_MS
        for name, alarm in list(self._over.items()):
            if alarm.owed and self._ended[name] <= late:
                self._keep(msgspec.structs.replace(alarm, given_up=True))
        return [alarm for alarm in (*self._live.values(), *self._over.values()) if alarm.owed]

    def ended(self) -> list[AlarmRow]:
        """Past alarms that the shelf has among the live ones, because somebody is still to be told."""
        found = [(self._numbers.get(name), alarm) for name, alarm in self._over.items() if alarm.owed]
        return [
            AlarmRow(number=number, live=True, content=encode_alarm(alarm))
            for number, alarm in found
            if number is not None
        ]

    def _known(self, name: str) -> Raised | None:
        return self._over.get(name) or next((each for each in self._live.values() if each.id == name), None)

    def _end(self, alarm: Raised) -> None:
        del self._live[alarm.key], self._began[alarm.id]
        self._again.discard(alarm.id)
        self._over[alarm.id], self._ended[alarm.id] = alarm, self._clock.steady()
        self._keep(alarm)
        if len(self._over) > OVER:
            first = next(iter(self._over.values()))
            if first.owed:
                self._keep(msgspec.structs.replace(first, given_up=True))
            del self._over[first.id], self._ended[first.id]
            if first.id not in self._late:
                del self._numbers[first.id]
        self._changed(alarm)

    def _keep(self, alarm: Raised) -> None:
        if alarm.id in self._over:
            self._over[alarm.id] = alarm
        else:
            self._live[alarm.key] = alarm
        self._late[alarm.id] = alarm
        self.save()

    def save(self) -> None:
        """Keep what the shelf has not taken yet."""
        for name, alarm in list(self._late.items()):
            number, content = self._numbers.get(name), encode_alarm(alarm)
            try:
                if number is None:
                    number = self._numbers[name] = self._shelf.add(content)
                self._shelf.put(AlarmRow(number=number, live=alarm.live, content=content))
            except Unavailable:
                return
            del self._late[name]
            if name not in self._over and alarm.ended_for_good:
                del self._numbers[name]

    # --- whose turn it is ----------------------------------------------------------------------------------------

    def turns(self) -> list[Turn]:
        """The calls that are due now. A step that was taken is durable; calls that it made are in doubt until taken."""
        found: list[Turn] = []
        self.save()
        for alarm in self.live():
            if alarm.state is not State.OPEN:
                continue
            now, kind = self._clock.wall(), alarm.key.kind
            if alarm.id in self._again:
                self._again.discard(alarm.id)
                found += self._in_doubt(alarm, now)
            elapsed = self._clock.steady() - self._began[alarm.id]
            while (due := self.plan.due(kind, alarm.step, elapsed)) is not None:
                number, step = due
                alarm = msgspec.structs.replace(alarm, step=number, stepped=int(now))  # noqa: PLW2901 - the same alarm
                self._keep(alarm)
                found.append(Turn(alarm=alarm, step=number, paths=self.plan.paths(step, now)))
        return found

    def next_step(self, alarm: Raised) -> int | None:
        """In how many ms the next step comes; None if none does."""
        step = self.plan.step(alarm.key.kind, alarm.step + 1)
        if alarm.state is not State.OPEN or step is None:
            return None
        return max(0, self._began[alarm.id] + step.after_minutes * 60_000 - self._clock.steady())

    def _in_doubt(self, alarm: Raised, now: Instant) -> list[Turn]:
        """Calls of steps that were taken before the start and may not have gone out."""
        done = {(call.path, call.step) for call in alarm.called}
        last = len(self.plan.steps(alarm.key.kind))
        found = []
        for number in range(1, alarm.step + 1) if alarm.step <= last else (alarm.step,):
            step = self.plan.step(alarm.key.kind, number)
            paths = self.plan.paths(step, now) if step is not None else ()
            left = tuple(path for path in paths if (path, number) not in done)
            if left:
                found.append(Turn(alarm=alarm, step=number, paths=left))
        return found


def _joined(known: Cause, cause: Cause) -> Cause:
    subjects = sorted(known.subjects | cause.subjects)[:SUBJECTS]
    return msgspec.structs.replace(known, subjects=frozenset(subjects), precedence=known.precedence or cause.precedence)
