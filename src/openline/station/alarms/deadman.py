"""A dead-man's switch: a small process, best on another machine, that raises an alarm when a station says nothing any more.

    openline deadman /etc/openline-guard/deadman.toml

It has no key of any line and opens no store. It hears signs of life (heartbeat.py) from a file or over HTTPS, calls the
same people over the same kinds of paths, and keeps its alarms in `state/` beside its configuration, so that an
escalation goes on after a restart. After a start every station has its whole time to be heard. To stop it is to be
without it: watch it with a second one, or by the test that each path gets every watch.
"""

import asyncio
import contextlib
import json
import os
import signal
import tomllib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from openline.kernel.errors import Malformed, Refused, Unavailable, Unknown
from openline.kernel.units import Entropy
from openline.ports import AlarmRow
from openline.station.alarms.calls import LOOK_S, Calls, Clock, Place
from openline.station.alarms.hearing import Hearing
from openline.station.alarms.heartbeat import MOST_BEAT, Beat, Pulse, from_body, from_file, secret_of
from openline.station.alarms.paths import pause_of
from openline.station.alarms.records import Cause, Key, Kind, Raised
from openline.station.alarms.tables import Deadman, Watched, check
from openline.station.clock import StationClock
from openline.station.files import private_folder, read_private, write_private
from openline.station.log import Log, open_log

STATE = "state"
MOST_FILE = 1 << 20
READ_MS = 500
"""A file with signs of life is looked at so often."""
KEEP_MS = 5_000
"""What was heard is written down so often: a beat of before, played back after a restart, is found out by its age."""
UNDELIVERED_MS = 60_000
"""A station that could not call for so long is called for."""
ALARMS, HEARD, ACKNOWLEDGED = "alarms.json", "heard.json", "acknowledged"


def load_deadman(file: Path) -> Deadman:
    """The configuration of a switch. Raises Unknown, Unavailable or Malformed."""
    try:
        data = file.read_bytes()[:MOST_FILE]
    except FileNotFoundError:
        raise Unknown("there is no such file") from None
    except OSError:
        raise Unavailable("the file cannot be read") from None
    try:
        table = msgspec.convert(tomllib.loads(data.decode()), Deadman)
    except (tomllib.TOMLDecodeError, RecursionError, UnicodeDecodeError):
        raise Malformed("the file of the dead-man's switch is not TOML") from None
    except msgspec.ValidationError:
        raise Malformed("the file of the dead-man's switch: a name is unknown, missing or not allowed") from None
    check(table.alarms)
    if not table.stations:
        raise Malformed("the file of the dead-man's switch names no station")
    if table.listen is None and any(not watched.file for watched in table.stations.values()):
        raise Malformed("a station without a file posts its signs of life: then there must be [listen]")
    return table


class FileShelf:
    """Live alarms in one file, replaced whole."""

    def __init__(self, path: Path) -> None:
        """Raises Unavailable for a file that is damaged or cannot be read."""
        self._path = path
        self._rows: dict[int, str] = {}
        self._last = 0
        try:
            kept = json.loads(read_private(path, MOST_FILE))
            self._last, self._rows = int(kept["last"]), {int(number): str(row) for number, row in kept["live"].items()}
        except Unknown:
            return
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Unavailable("the state of the dead-man's switch is damaged: delete its folder") from None

    def add(self, content: bytes) -> int:
        """See book.Shelf."""
        self._last += 1
        self._rows[self._last] = content.decode()
        self._write()
        return self._last

    def put(self, row: AlarmRow) -> None:
        """See book.Shelf; past ones are only in the log."""
        if row.live:
            self._rows[row.number] = row.content.decode()
        else:
            self._rows.pop(row.number, None)
        self._write()

    def live(self) -> Sequence[AlarmRow]:
        """See book.Shelf."""
        return [AlarmRow(number=number, live=True, content=row.encode()) for number, row in self._rows.items()]

    def _write(self) -> None:
        write_private(self._path, json.dumps({"last": self._last, "live": self._rows}).encode())


@dataclass(slots=True, kw_only=True)
class _Station:
    """One station that is watched."""

    name: str
    table: Watched
    secret: bytes = field(repr=False)
    pulse: Pulse
    since: int
    """Steady ms of the last sign of life, or of the start."""
    seen: tuple[int, ...] = ()
    """What the file looked like when it was read last."""
    failing: int | None = None
    """Steady ms since when it cannot call."""
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a switch is put together from, where it is not the usual."""

    clock: Clock = field(default_factory=lambda: StationClock(simulated=False))
    entropy: Entropy = os.urandom
    pause: Callable[[int], float] = pause_of
    look_s: float = LOOK_S


class Switch:
    """A dead-man's switch at work; `running` makes one."""

    def __init__(self, file: Path, table: Deadman, log: Log, means: Means) -> None:
        """Raises Refused or Unavailable: a secret, the state, or the configuration."""
        home, self._state = file.parent, file.parent / STATE
        private_folder(self._state)
        self._table, self._log, self._clock, self._means = table, log, means.clock, means
        self.stations = {name: self._watched(home, name, watched) for name, watched in table.stations.items()}
        self._kept_at = self._read_at = 0
        self._dirty = False
        self._recall()
        self.calls = Calls(
            Place(
                name=table.name,
                home=home,
                table=table.alarms,
                shelf=FileShelf(self._state / ALARMS),
                clock=means.clock,
                entropy=means.entropy,
                log=log,
                number_of=lambda label: label,
                changed=_in_the_log,
                station_of=lambda key: key.what or table.name,
                pause=means.pause,
                look_s=means.look_s,
            )
        )
        self._hearing = Hearing(home, table.listen, self.take) if table.listen is not None else None
        self.port = 0

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, file: Path, means: Means | None = None) -> AsyncIterator["Switch"]:
        """A switch until the block ends; it looks while `work` runs. Raises Refused or Unavailable."""
        table = load_deadman(file)
        log = open_log(file.parent / table.log if table.log else None)
        switch = cls(file, table, log, means or Means())
        try:
            switch.calls.book.recall()
            switch.calls.start()
            if switch._hearing is not None:
                switch.port = await switch._hearing.start()
            log.event("deadman.started", stations=len(switch.stations))
            yield switch
        finally:
            if switch._hearing is not None:
                await switch._hearing.stop()
            await switch.calls.stop()
            switch._keep()
            log.event("deadman.stopped")
            log.close()

    async def work(self) -> None:
        """Look for ever."""
        while True:
            self.look()
            await asyncio.sleep(self._means.look_s)

    def _watched(self, home: Path, name: str, table: Watched) -> _Station:
        pulse = Pulse(name, table.after_seconds * 1_000)
        secret = secret_of(home, table.secret_file)
        return _Station(name=name, table=table, secret=secret, pulse=pulse, since=self._clock.steady())

    # --- hearing -------------------------------------------------------------------------------------------------

    def take(self, body: bytes, given: str) -> bool:
        """A sign of life was posted; whether it is a new one of a station that posts."""
        try:
            name = msgspec.json.decode(body, type=Beat).station
        except msgspec.MsgspecError:
            return False
        station = self.stations.get(name)
        if station is None or station.table.file:
            return False
        return self._heard(station, lambda: from_body(body, station.secret, given))

    def _heard(self, station: _Station, read: Callable[[], Beat]) -> bool:
        try:
            beat = read()
            station.pulse.take(beat, self._clock.machine())
        except Refused as refusal:
            if station.refused != refusal.code:
                station.refused = refusal.code
                self._log.event("deadman.refused", station=station.name, code=refusal.code)
            return False
        now = self._clock.steady()
        station.since, station.refused, self._dirty = now, "", True
        self.calls.book.settle(Key(kind=Kind.STATION_SILENT, what=station.name))
        station.failing = (station.failing or now) if beat.undelivered else None
        return True

    def _read_files(self) -> None:
        for station in self.stations.values():
            if not station.table.file:
                continue
            path = self._state.parent / station.table.file
            with contextlib.suppress(OSError):  # no file is no sign of life
                found = path.stat()
                seen = (found.st_ino, found.st_mtime_ns, found.st_size)
                if seen != station.seen and found.st_size <= MOST_BEAT:
                    data = path.read_bytes()
                    station.seen = seen
                    self._heard(station, lambda data=data, station=station: from_file(data, station.secret))  # type: ignore[misc]

    # --- looking -------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Hear what was written, raise what is due, and call."""
        now = self._clock.steady()
        if now - self._read_at >= READ_MS:
            self._read_at = now
            self._read_files()
            self._acknowledge()
        for station in self.stations.values():
            silent = now - station.since
            if silent >= station.table.after_seconds * 1_000:
                self._raise(Kind.STATION_SILENT, station.name, silent)
            key = Key(kind=Kind.ALARM_PATH, what=station.name)
            if station.failing is None:
                self.calls.book.settle(key)
            elif now - station.failing >= UNDELIVERED_MS:
                self._raise(Kind.ALARM_PATH, station.name, now - station.failing)
        self.calls.look()
        if self._dirty and now - self._kept_at >= KEEP_MS:
            self._kept_at = now
            self._keep()

    def _raise(self, kind: Kind, station: str, lasted_ms: int) -> None:
        cause = Cause(since=int(self._clock.wall()) - lasted_ms)
        self.calls.book.raise_(Key(kind=kind, what=station), cause, stands=True)

    def _acknowledge(self) -> None:
        path = self._state / ACKNOWLEDGED
        try:
            name, _, sign = read_private(path, 256).decode("ascii", "replace").strip().partition(" ")
            path.unlink()
        except (Refused, Unavailable, OSError):
            return
        with contextlib.suppress(Unknown):
            for alarm in self.calls.book.live() if name == "all" else ():
                self.calls.book.acknowledge(alarm.id, sign[:12])
            if name != "all":
                self.calls.book.acknowledge(name, sign[:12])

    # --- what outlives a restart ---------------------------------------------------------------------------------

    def _recall(self) -> None:
        with contextlib.suppress(Refused, ValueError, AttributeError, TypeError):
            for name, boots in json.loads(read_private(self._state / HEARD, MOST_FILE)).items():
                if name in self.stations:
                    self.stations[name].pulse.recall({str(boot): int(count) for boot, count in boots.items()})

    def _keep(self) -> None:
        heard = {name: station.pulse.kept() for name, station in self.stations.items()}
        with contextlib.suppress(Unavailable):
            write_private(self._state / HEARD, json.dumps(heard).encode())
            self._dirty = False


def _in_the_log(_alarm: Raised) -> None:
    """What became of an alarm stands there: nobody looks at a screen of a switch."""


async def serve(file: Path, ready: Callable[[Switch], None], means: Means | None = None) -> None:
    """Run a switch in this loop until SIGTERM or SIGINT. Raises Refused or Unavailable if it cannot start."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    async with Switch.running(file, means) as switch:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        working, ending = asyncio.create_task(switch.work()), asyncio.create_task(stopped.wait())
        try:
            ready(switch)
            # A mistake in here ends the process, and whoever keeps it starts it anew: nobody is left in false safety.
            await asyncio.wait([working, ending], return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            for task in (working, ending):
                task.cancel()
            await asyncio.gather(working, ending, return_exceptions=True)
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


def acknowledge(file: Path, name: str, sign: str) -> None:
    """Tell the switch of that file that somebody has taken an alarm ("all": every one). Raises Unavailable."""
    write_private(file.parent / STATE / ACKNOWLEDGED, f"{name} {sign}\n".encode())


def open_alarms(file: Path) -> list[Raised]:
    """The alarms of the switch of that file that are open or still so, read beside it. Raises Unavailable."""
    from openline.station.alarms.records import decode_alarm

    kept = [decode_alarm(row.content) for row in FileShelf(file.parent / STATE / ALARMS).live()]
    return [alarm for alarm in kept if not alarm.ended_for_good]
