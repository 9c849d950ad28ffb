"""The alarms of a running station: `station.alarms`.

    station.alarms.raise_alarm("contact-missed", line=line.label, since=at, clock="contact", what=name)
    station.alarms.settle("contact-missed", line=line.label, what=name)

What the station itself raises is found by looking (causes.py) and told by notices (records.NOTICES). A mistake in here
is logged as `loop.fault`, and the looking goes on: it stops no line.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import msgspec

from openline.kernel.errors import Malformed
from openline.kernel.units import Entropy
from openline.ports import AlarmRow, Store
from openline.protocol.events import Noticed
from openline.station.alarms.calls import LOOK_S, Calls, Place
from openline.station.alarms.causes import Causes, Found, Ringing
from openline.station.alarms.heartbeat import Beat, Heart
from openline.station.alarms.makers import make_path
from openline.station.alarms.paths import pause_of
from openline.station.alarms.records import NOTICES, Cause, Key, Raised, State, decode_alarm
from openline.station.alarms.tables import Shift, check
from openline.station.answers import encoded
from openline.station.bearers import Bearers
from openline.station.clock import StationClock
from openline.station.config import Config
from openline.station.feed import Feed, Published
from openline.station.line_runner import LineRunner
from openline.station.links import Links
from openline.station.log import Log
from openline.station.seen import Seen

ROSTER = "alarm-roster"
"""The setting of the store that holds the shifts which an administrator set."""
MISFIT = "the roster that was set does not fit config.toml any more: the one of config.toml holds"
BROKEN_AFTER = 3
"""Failures in a row after which a path counts as broken: a receiver that restarts is none."""
AGAIN_S = 1.0
"""After a mistake in here, the pause before it is tried again."""

_SHIFTS = msgspec.json.Decoder(tuple[Shift, ...] | None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmPace:
    """How often causes are looked at, and how long a path rests after a failure. Seconds."""

    look_s: float = LOOK_S
    pause: Callable[[int], float] = pause_of


class Floor(Protocol):
    """What of a station its alarms need."""

    home: Path
    config: Config
    clock: StationClock
    entropy: Entropy
    store: Store
    log: Log
    feed: Feed
    links: Links
    bearers: Bearers
    lines: dict[bytes, LineRunner]
    refused: dict[str, str]
    counters: Counter[str]

    @property
    def calling(self) -> Ringing:
        """Its calls."""
        ...


class AlarmView(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm, as API and feed show it."""

    id: str
    kind: str
    line: str
    """Label; empty: of no line."""
    about: str
    """A bearer, a party, a path; empty where the kind says all."""
    precedence: str
    clock: str
    subjects: int
    """How many messages it is about."""
    since: int
    raised: int
    state: str
    """open, acknowledged or over."""
    stands: bool
    """Whether its cause is still there."""
    step: int
    next_step_ms: int | None
    """Until the next step of the escalation; None if none comes."""
    called: list[str]
    """Paths that have taken a call."""
    told: list[str]
    """Of these, the ones that have taken the word that it is over."""
    ended: int | None
    sign: str
    exercise: bool


class _Rows:
    """The store's alarms, as lists."""

    def __init__(self, store: Store) -> None:
        self._rows = store.alarms

    def add(self, content: bytes) -> int:
        return self._rows.add(content)

    def put(self, row: AlarmRow) -> None:
        self._rows.put(row)

    def live(self) -> list[AlarmRow]:
        return list(self._rows.live())

    def past(self, before: int, count: int) -> list[AlarmRow]:
        return list(self._rows.past(before, count))


class AlarmDuty:
    """All alarms of one station."""

    def __init__(self, floor: Floor, pace: AlarmPace | None = None) -> None:
        """Raises Malformed for a roster that cannot be."""
        self._floor, self.table, pace = floor, floor.config.alarms, pace or AlarmPace()
        self._rows = _Rows(floor.store)
        self.calls = Calls(
            Place(
                name=floor.config.name,
                home=floor.home,
                table=self.table,
                shelf=self._rows,
                clock=floor.clock,
                entropy=floor.entropy,
                log=floor.log,
                number_of=self._number_of,
                changed=self._changed,
                make=partial(make_path, language=floor.config.language),
                pause=pace.pause,
                look_s=pace.look_s,
            )
        )
        self._causes = Causes(floor, self.table)
        self._look_s = pace.look_s
        self._tasks: list[asyncio.Task[None]] = []
        self._heart: Heart | None = None
        self.is_set = self._misfit = False
        """Whether the roster is another than that of config.toml; whether one was set that does not fit there any more."""

    # --- coming and going ----------------------------------------------------------------------------------------

    def recall(self) -> None:
        """Take up what was open before, and the roster that was set. Raises Unavailable."""
        kept = self._floor.store.setting(ROSTER)
        if kept is not None:
            try:
                self._revise(_SHIFTS.decode(kept))
            except (Malformed, msgspec.MsgspecError):
                self._misfit = True  # config.toml has changed since: its own roster holds, and people are told
        self.calls.book.recall()

    def set_roster(self, shifts: tuple[Shift, ...] | None) -> None:
        """Go by these shifts from now on; None: by those of config.toml. Raises Malformed, Unavailable."""
        if shifts is not None:
            check(msgspec.structs.replace(self.table, shifts=shifts))
        self._floor.store.put_setting(ROSTER, msgspec.json.encode(shifts))
        self._revise(shifts)
        self._misfit = False

    def _revise(self, shifts: tuple[Shift, ...] | None) -> None:
        written = self._floor.config.alarms
        table = written if shifts is None else msgspec.structs.replace(written, shifts=shifts)
        check(table)
        self.table, self.is_set = table, shifts is not None
        self.calls.revise(table)

    def start(self) -> None:
        """Begin."""
        self.calls.start()
        self._tasks.append(asyncio.create_task(self._run()))
        if self.table.heartbeat is not None:
            floor = self._floor
            self._heart = Heart(floor.home, self.table.heartbeat, floor.clock, floor.entropy, self._beat)
            self._tasks.append(asyncio.create_task(self._heart.run()))

    async def stop(self) -> None:
        """End; escalations go on at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.calls.stop()

    async def _run(self) -> None:
        while True:
            looking = asyncio.create_task(self._looking())
            try:
                await asyncio.wait([looking])
            finally:
                looking.cancel()
            error = looking.exception() if looking.done() and not looking.cancelled() else None
            self._floor.counters["loop-fault"] += 1
            self._floor.log.event("loop.fault", kind=type(error).__name__ if error is not None else "none")
            await asyncio.sleep(AGAIN_S)

    async def _looking(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(self._look_s)

    def look(self) -> None:
        """Find causes, raise and settle, and make the calls that are due."""
        book = self.calls.book
        found = {each.key: each for each in self._causes.look()}
        found.update({each.key: each for each in self._paths()})
        for each in found.values():
            if each.ripe:
                self._raise(each, stands=True)
        for alarm in book.live():
            if alarm.key.kind in Causes.SCANNED and alarm.key not in found and self._causes.is_over(alarm.key):
                book.settle(alarm.key)
        self.calls.look()

    def _paths(self) -> list[Found]:
        """Paths that do not work: told over the others. (It is over as soon as one call is taken again.)"""
        found = []
        for name, path in self.calls.paths.items():
            key = Key(kind="alarm-path", what=name)
            if path.state.failures >= BROKEN_AFTER:
                cause = Cause(since=path.state.failed_at or 0)
                found.append(Found(key=key, cause=cause, ripe=True))
            elif not path.state.failure and path.state.succeeded_at is not None:
                self.calls.book.settle(key)
        return found

    # --- what raises them ----------------------------------------------------------------------------------------

    def raise_alarm(
        self,
        kind: str,
        *,
        line: str = "",
        since: int | None = None,
        clock: str = "",
        what: str = "",
        precedence: str = "",
        stands: bool = False,
    ) -> None:
        """Raise an alarm. `kind`, `clock` and `what` are constant names: no text of anybody's.

        With `stands` it is live until `settle`, also after somebody has acknowledged it; raised again meanwhile, it is the same one.
        """
        at = int(self._floor.clock.wall()) if since is None else since
        cause = Cause(since=at, clock=clock, precedence=precedence, exercise=self._is_exercise(line))
        self._raise(Found(key=Key(kind=kind, line=line, what=what), cause=cause, ripe=True), stands=stands)

    def settle(self, kind: str, *, line: str = "", what: str = "") -> None:
        """What an alarm was about is over."""
        self.calls.book.settle(Key(kind=kind, line=line, what=what))

    def noticed(self, line: LineRunner, notice: Noticed) -> None:
        """A notice: some raise an alarm."""
        kind = NOTICES.get(notice.what)
        if kind is not None:
            self.raise_alarm(kind, line=line.label, what=f"party-{notice.party}")

    def arrived(self, line: LineRunner, seen: list[Seen]) -> None:
        """Entries became durable."""
        for each in self._causes.arrived(line, seen):
            self._raise(each, stands=False)

    def _raise(self, found: Found, *, stands: bool) -> None:
        raised = self.calls.book.raise_(found.key, found.cause, stands=stands)
        if raised is not None:
            self._floor.counters["alarm-raised"] += 1

    def _is_exercise(self, label: str) -> bool:
        lines = (line for line in self._floor.lines.values() if line.label == label)
        return self._floor.clock.simulated or any(line.terms.policy.exercise for line in lines)

    # --- what people do and see ----------------------------------------------------------------------------------

    def acknowledge(self, name: str, sign: str) -> AlarmView:
        """A person has taken it. Raises Unknown."""
        alarm = self.calls.book.acknowledge(name, sign)
        self._floor.counters["alarm-acknowledged"] += 1
        return self.view(alarm)

    def past(self, before: int, count: int) -> list[tuple[int, AlarmView]]:
        """Past alarms with their numbers, the latest first. Raises Unavailable."""
        rows = [row for row in self.calls.book.ended() if row.number < before] + self._rows.past(before, count)
        latest = sorted(rows, key=lambda row: row.number, reverse=True)[:count]
        return [(row.number, self.view(decode_alarm(row.content))) for row in latest]

    def view(self, alarm: Raised) -> AlarmView:
        """As people see it."""
        key, cause = alarm.key, alarm.cause
        known = self.calls.book.of(key)
        return AlarmView(
            id=alarm.id,
            kind=str(key.kind),
            line=key.line,
            about=key.what,
            precedence=cause.precedence,
            clock=cause.clock,
            subjects=len(cause.subjects),
            since=cause.since,
            raised=alarm.raised,
            state=alarm.state.value,
            stands=alarm.stands,
            step=alarm.step,
            next_step_ms=self.calls.book.next_step(alarm) if known is not None and known.id == alarm.id else None,
            called=sorted({call.path for call in alarm.called}),
            told=sorted(alarm.told),
            ended=alarm.ended or None,
            sign=alarm.sign,
            exercise=cause.exercise,
        )

    def _changed(self, alarm: Raised) -> None:
        line = next((each.line for each in self._floor.lines.values() if each.label == alarm.key.line), b"")
        self._floor.feed.publish(Published(line=line, name="alarm", seq=0, data=encoded(self.view(alarm))))

    def _number_of(self, label: str) -> str:
        labels = [line.label for line in self._floor.lines.values()]
        return str(labels.index(label) + 1) if label in labels else "0"

    def problems(self) -> list[str]:
        """What people should know, in words."""
        failure = self._heart.failure if self._heart is not None else ""
        misfit = [MISFIT] if self._misfit else []
        return [
            *misfit,
            *self.calls.problems(),
            *([f"the heartbeat for the dead-man's switch: {failure}"] if failure else []),
        ]

    def heartbeat(self) -> str:
        """Whether signs of life go out: off, works, or why not."""
        if self._heart is None:
            return "off"
        return self._heart.failure or "works"

    def _beat(self) -> Beat:
        calls = self.calls
        is_open = sum(alarm.state is State.OPEN for alarm in calls.book.live())
        return Beat(station=self._floor.config.name, open=is_open, undelivered=calls.undelivered())
