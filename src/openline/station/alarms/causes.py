"""What of a running station raises an alarm: looked at again and again, so that nothing hangs on an event that was missed.

A cause is told from the moment on at which it is there, and raises an alarm once it is ripe: a FLASH unread for a minute,
a line in fault for five. Spans are measured by the steady clock from when this process saw the cause first; what an
author claims about his time neither hurries nor delays.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from openline.protocol.clocks import MessageClock, running, unhandled
from openline.protocol.engine import Engine
from openline.protocol.entries import KeyNotice, Precedence, Watch, kind_of
from openline.protocol.entries import Kind as EntryKind
from openline.protocol.facts import Place
from openline.station.alarms.records import Cause, Key, Kind
from openline.station.alarms.tables import Alarms
from openline.station.bearers import Bearers
from openline.station.clock import StationClock
from openline.station.line_runner import LineRunner
from openline.station.links import Links
from openline.station.seen import Seen
from openline.station.silence import Reach, reached

UNREAD = 256
"""Entries that came to an empty floor, of each line that are kept in mind: what is behind them is as late."""
DISK_LOOK_MS = 30_000
REST, MOST_REST_MS = 50, 2_000
"""After a line was read, a pause of so many times as long: looking takes at most a fiftieth of the loop. (100,000
messages take about 10 ms.)"""
RING_MS = 20_000
"""A call that nobody has answered for so long calls people who are elsewhere; on an empty floor, and FLASH, at once."""
_MINUTE = 60_000
_QUIET = frozenset(
    {
        EntryKind.TERMS, EntryKind.GENERATION, EntryKind.ACK, EntryKind.TEST, EntryKind.EPOCH, EntryKind.WATCH,
        EntryKind.KEYS, EntryKind.RECEIPT, EntryKind.ATTACHMENT_RECEIPT, EntryKind.SEAT, EntryKind.HANG_UP,
        EntryKind.PICK_UP,
    }
)  # fmt: skip
"""Entries that a station makes by itself, or that ask nothing of anybody: they call nobody to an empty floor."""


class Ringing(Protocol):
    """What is known of calls."""

    def ringing(self, line: LineRunner) -> Sequence[tuple[str, Precedence]]:
        """The calls that ring on this floor now: a name of each, and its precedence."""
        ...

    def rings_often(self, line: LineRunner) -> bool:
        """Whether others have rung so often of late that another ring is to last before anybody is called from outside."""
        ...


class Floor(Protocol):
    """What of a station is looked at."""

    home: Path
    clock: StationClock
    links: Links
    bearers: Bearers
    lines: dict[bytes, LineRunner]
    refused: dict[str, str]

    @property
    def calling(self) -> Ringing:
        """Its calls."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A cause that is there now."""

    key: Key
    cause: Cause
    ripe: bool
    """Whether it is time to raise an alarm about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """What a line's transcript says, as long as it does not grow."""

    engine: Engine
    entries: int
    attended: bool
    exercise: bool
    unread: tuple[tuple[str, Precedence], ...]
    """Of others, to this party: no person here has handled them."""
    clocks: tuple[MessageClock, ...]


class Causes:
    """Looks at one station."""

    SCANNED = frozenset(
        {
            Kind.FLASH,
            Kind.RING,
            Kind.UNATTENDED,
            Kind.LINE_FAULT,
            Kind.CLOCK_OURS,
            Kind.CLOCK_THEIRS,
            Kind.BEARER_DOWN,
            Kind.DISK_LOW,
        }
    )
    """Kinds whose alarms are over when the cause is not found any more."""

    def __init__(self, floor: Floor, table: Alarms) -> None:
        self._floor, self._table = floor, table
        self._first: dict[tuple[Key, str], tuple[int, int]] = {}
        """When a cause was seen first: steady, and the time of day."""
        self._touched: set[tuple[Key, str]] = set()
        self._lines: dict[bytes, _Line] = {}
        self._rests: dict[bytes, int] = {}
        """Line -> steady ms before which it is not read again."""
        self._arrived: dict[bytes, dict[str, int]] = {}
        """Line -> what came while nobody attended, other than messages, and when."""
        self._disk = (-DISK_LOOK_MS, False)

    # --- events --------------------------------------------------------------------------------------------------

    def arrived(self, line: LineRunner, seen: list[Seen]) -> Iterator[Found]:
        """Entries became durable: what calls somebody although it is no message, and what says that a key was stolen."""
        for each in seen:
            entry, lane = each.shown.entry, each.shown.lane
            if entry is None:
                continue
            if isinstance(entry, KeyNotice) and entry.stolen:
                yield Found(
                    key=Key(kind=Kind.KEY_STOLEN, line=line.label, what=line.names[lane.party]),
                    cause=Cause(since=int(self._floor.clock.wall())),
                    ripe=True,
                )
            kind = kind_of(entry)
            if lane.party != line.party and kind not in _QUIET and kind != EntryKind.MESSAGE:
                waiting = self._arrived.setdefault(line.line, {})
                if len(waiting) < UNREAD:
                    waiting[f"{lane.number}.{lane.generation}:{each.shown.row.index}"] = int(self._floor.clock.wall())

    # --- looking -------------------------------------------------------------------------------------------------

    def look(self) -> list[Found]:
        """Every cause that is there now."""
        self._touched.clear()
        found: list[Found] = []
        for line in list(self._floor.lines.values()):
            found += self._of_line(line)
        found += [self._down(label) for label in self._floor.refused]
        found += self._bearers()
        if self._is_disk_low():
            since, _ = self._seen(Key(kind=Kind.DISK_LOW), "")
            found.append(Found(key=Key(kind=Kind.DISK_LOW), cause=Cause(since=since), ripe=True))
        self._first = {key: at for key, at in self._first.items() if key in self._touched}
        return found

    def _seen(self, key: Key, subject: str) -> tuple[int, int]:
        """Since when (time of day, ms) this is there, and for how many ms."""
        steady, place = self._floor.clock.steady(), (key, subject)
        began, since = self._first.setdefault(place, (steady, int(self._floor.clock.wall())))
        self._touched.add(place)
        return since, steady - began

    def _of_line(self, line: LineRunner) -> Iterator[Found]:
        engine, simulated = line.engine, self._floor.clock.simulated
        if self._is_down(line):
            yield self._down(line.label, exercise=simulated or line.terms.policy.exercise)
        if engine is None:
            return
        says = self._lines.get(line.line)
        if says is None or says.engine is not engine or (says.entries != line.entries and self._may_read(line)):
            says = self._lines[line.line] = self._read(line, engine)
        yield from self._ringing(line, says, exercise=simulated or says.exercise)
        yield from self._unread(line, says, exercise=simulated or says.exercise)
        yield from self._clocks(line, says, exercise=simulated or says.exercise)

    def _down(self, label: str, *, exercise: bool = False) -> Found:
        key = Key(kind=Kind.LINE_FAULT, line=label)
        since, lasted = self._seen(key, "")
        ripe = lasted >= self._table.fault_minutes * _MINUTE
        return Found(key=key, cause=Cause(since=since, exercise=exercise), ripe=ripe)

    def is_over(self, key: Key) -> bool:
        """Whether a cause that is not found any more is over: not while its line is stopped and cannot be read."""
        stopped = {line.label for line in self._floor.lines.values() if line.engine is None}
        return key.kind == Kind.LINE_FAULT or (key.line not in stopped and key.line not in self._floor.refused)

    def _may_read(self, line: LineRunner) -> bool:
        return self._floor.clock.steady() >= self._rests.get(line.line, 0)

    def _read(self, line: LineRunner, engine: Engine) -> _Line:
        """Read a line's transcript; a long one that grows all the time is read less often."""
        began = self._floor.clock.steady()
        says = _read(line, engine)
        ended = self._floor.clock.steady()
        self._rests[line.line] = ended + min(MOST_REST_MS, REST * (ended - began))
        return says

    def _is_down(self, line: LineRunner) -> bool:
        """Whether a party that had been reached is reached no more, or its station is silent."""
        engine = line.engine
        if engine is None:
            return True
        for party, peer in engine.peers.items():
            reach = reached(self._floor.links, line, engine, party).reach
            if peer.epoch is not None and reach in {Reach.BEARERS_DOWN, Reach.STATION_SILENT}:
                return True
        return False

    def _ringing(self, line: LineRunner, says: _Line, *, exercise: bool) -> Iterator[Found]:
        key = Key(kind=Kind.RING, line=line.label)
        calls = {
            place: (precedence, *self._seen(key, place)) for place, precedence in self._floor.calling.ringing(line)
        }
        if not calls:
            return
        highest = min(precedence for precedence, _, _ in calls.values())
        at_once = highest is Precedence.FLASH or not says.attended
        at_once = at_once and not self._floor.calling.rings_often(line)  # or a telephone rings as often as they like
        ripe = {place for place, (_, _, lasted) in calls.items() if at_once or lasted >= RING_MS}
        cause = Cause(
            since=min(since for _, since, _ in calls.values()),
            precedence=highest.name,
            subjects=frozenset(ripe),
            exercise=exercise,
        )
        yield Found(key=key, cause=cause, ripe=bool(ripe))

    def _unread(self, line: LineRunner, says: _Line, *, exercise: bool) -> Iterator[Found]:
        key = Key(kind=Kind.FLASH, line=line.label)
        flashes = [place for place, precedence in says.unread if precedence is Precedence.FLASH]
        seen = {place: self._seen(key, place) for place in flashes}
        ripe = {place for place, (_, lasted) in seen.items() if lasted >= self._table.flash_seconds * 1_000}
        if seen:
            since = min(since for since, _ in seen.values())
            cause = Cause(since=since, precedence="FLASH", subjects=frozenset(ripe), exercise=exercise)
            yield Found(key=key, cause=cause, ripe=bool(ripe))
        if says.attended:
            self._arrived.pop(line.line, None)
            return
        key = Key(kind=Kind.UNATTENDED, line=line.label)
        arrived = {place: self._seen(key, place)[0] for place, _ in says.unread} | self._arrived.get(line.line, {})
        highest = min((precedence for _, precedence in says.unread), default=None)
        cause = Cause(
            since=min(arrived.values(), default=0),
            precedence=highest.name if highest is not None else "",
            subjects=frozenset(arrived),
            exercise=exercise,
        )
        # Unattended with nothing new: what was raised stands until somebody comes.
        yield Found(key=key, cause=cause, ripe=bool(arrived))

    def _clocks(self, line: LineRunner, says: _Line, *, exercise: bool) -> Iterator[Found]:
        now = self._floor.clock.wall()
        late = [clock for clock in says.clocks if clock.due <= now]
        for kind, own in ((Kind.CLOCK_OURS, True), (Kind.CLOCK_THEIRS, False)):
            clocks = [clock for clock in late if (clock.party == line.party) is own]
            if clocks:
                first = min(clocks, key=lambda clock: clock.due)
                cause = Cause(
                    since=first.due,
                    clock=first.basis.value,
                    subjects=frozenset(f"{_place(clock.place)}.{clock.party} {clock.due}" for clock in clocks),
                    exercise=exercise,
                )
                yield Found(key=Key(kind=kind, line=line.label), cause=cause, ripe=True)

    def _bearers(self) -> Iterator[Found]:
        floor = self._floor
        for name in floor.bearers.shown():
            if name == "courier":
                continue
            bearer = floor.links.bearers.get(name)
            # A link that never was up is one that nobody has set up yet: `openline bearers` shows it.
            states = {
                of: state for (each, of), state in floor.links.states.items() if each == name and state.changed_at
            }
            silent = [of for of, state in states.items() if state.silent or bearer is None or not bearer.up(of)]
            if not floor.bearers.trouble(name) and not silent:
                continue
            key = Key(kind=Kind.BEARER_DOWN, what=name)
            since, lasted = self._seen(key, "")
            cause = Cause(since=since, exercise=floor.clock.simulated)
            yield Found(key=key, cause=cause, ripe=lasted >= self._table.bearer_minutes * _MINUTE)

    def _is_disk_low(self) -> bool:
        now = self._floor.clock.steady()
        looked, low = self._disk
        if now - looked >= DISK_LOOK_MS:
            try:
                low = shutil.disk_usage(self._floor.home).free < self._table.disk_mib << 20
            except OSError:
                low = True  # a disk that cannot be asked has no room
            self._disk = now, low
        return low


def _read(line: LineRunner, engine: Engine) -> _Line:
    watch = engine.fold.watch(line.party)
    attended = watch is not None and isinstance(watch.entry, Watch) and watch.entry.attended
    unread = [(_place(message.place), message.precedence) for message in unhandled(engine.fold, line.party)]
    return _Line(
        engine=engine,
        entries=line.entries,
        attended=attended,
        exercise=engine.fold.policy.exercise,
        unread=tuple(unread),
        clocks=tuple(running(engine.fold)),
    )


def _place(place: Place) -> str:
    return f"{place.lane}.{place.generation}:{place.index}"
