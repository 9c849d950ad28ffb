"""The station at work: one asyncio loop for all lines, bearers and the local API.

    async with Station.running(home, unlock) as station:
        await station.wait_stopped()

Commit, mark, sign, send: the engine says in which order, and line_runner keeps
it. What goes wrong on one line stops that line, visibly; the others go on.
Names and numbers are logged, nothing that anybody said.
"""

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from openline import __version__
from openline.bearers.drop import CourierBearer
from openline.bearers.tls import TlsBearer
from openline.kernel.errors import Conflict, Malformed, Refused, Unavailable, Unknown
from openline.kernel.keys import Card
from openline.kernel.lane import GENERATION_ZERO
from openline.kernel.units import Entropy, Instant
from openline.ports import Store
from openline.protocol.entries import Service
from openline.protocol.events import Holds, Noticed, Signalled
from openline.protocol.records import LineRecord, Mark
from openline.station.alarms.duty import AlarmDuty, AlarmPace
from openline.station.answers import encoded
from openline.station.audit import AuditLog
from openline.station.bearers import Bearers
from openline.station.calling.desk import Calling
from openline.station.calling.room import CallPace
from openline.station.card import card_in_use
from openline.station.clock import StationClock
from openline.station.committer import Committer
from openline.station.config import Config, load_config, marks_folder, people_of
from openline.station.console import ConsoleDesk
from openline.station.contacts import Contacts
from openline.station.entry_view import entry_view, lane_party
from openline.station.feed import Feed, Published
from openline.station.files import locked, private_folder
from openline.station.grace import GRACE_MS, Grace
from openline.station.keys import Keys
from openline.station.keystore import Keystore
from openline.station.line_runner import LineRunner, State
from openline.station.line_view import state_of
from openline.station.links import Links
from openline.station.log import Few, Log, open_log
from openline.station.marks import Marks
from openline.station.minimize import Minimize
from openline.station.overdue import Overdue
from openline.station.pairing import Pairings
from openline.station.places import Places
from openline.station.probing import Probes, Rate
from openline.station.restores import check_lengths, decode_marks, encode_marks, setting_name
from openline.station.rhythm import Pace, Rhythm
from openline.station.search import Search
from openline.station.seen import Seen
from openline.station.unlock import Unlock
from openline.stores.sqlite import SqliteStore

_QUIET = frozenset({"unknown-tag", "attachment-held", "signal-dropped"})
"""Notices that are counted and not logged: a peer could fill the log with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a station is put together from, where it is not the usual."""

    entropy: Entropy = os.urandom
    open_store: Callable[[Path, bytes], Store] = SqliteStore.open
    pace: Pace = field(default_factory=Pace)
    """Of the automatic tests."""
    probes: Rate = field(default_factory=Rate)
    """Of the bearers."""
    alarms: AlarmPace = field(default_factory=AlarmPace)
    grace_ms: int = GRACE_MS
    calls: CallPace = field(default_factory=CallPace)


class Station:
    """One running station. Its attributes are there to be read; lines come in through `open_line`."""

    def __init__(self, home: Path, config: Config, keystore: Keystore, unlock: Unlock, parts: "Parts") -> None:
        """Takes over an opened home; `running` is the way to make one."""
        entropy = parts.entropy
        places = Places(home, marks_folder(home, config))
        self.home, self.config, self.keystore, self.unlock, self.entropy = home, config, keystore, unlock, entropy
        self.places = places
        self.signer = keystore.lane
        self.card: Card
        self.people = people_of(config)
        self.log: Log = open_log(home / config.log.file if config.log.file else None)
        self._few = Few()
        self.clock = StationClock(simulated=config.simulated_clock)
        self.started = self.clock.wall()
        self.version = __version__
        self.committer = Committer()
        self.feed = Feed()
        self.marks = Marks(places.marks)
        self.store: Store = parts.open_store(places.store, keystore.data_key)
        self.links = Links(self.clock.wall, self.clock.steady, self._link_changed)
        self.audit = AuditLog(self.store, self.committer, self.clock)
        self.lines: dict[bytes, LineRunner] = {}
        self.refused: dict[str, str] = {}
        """Labels of lines that could not be opened, as their keys or records are damaged, and the error's code."""
        self.counters: Counter[str] = Counter()
        self.uploads = asyncio.Semaphore(1)
        """One file in memory at a time."""
        self.handing = asyncio.Lock()
        """Held while the watch is taken or left."""
        self.rhythm = Rhythm(self, parts.pace)
        self.pairings = Pairings(self)
        self.tls: TlsBearer | None = None
        """Carries pairing too; made by `bearers`."""
        self.courier: CourierBearer | None = None
        """For the sticks that are carried by hand; made by `bearers` too."""
        self.bearers = Bearers(self)
        self.keys = Keys(self)
        self.probes = Probes(self, parts.probes)
        self.minimize = Minimize(self)
        self.grace = Grace(self, parts.grace_ms)
        self.overdue = Overdue(self)
        self.search = Search()
        self.contacts = Contacts(self)
        self.calling = Calling(self, parts.calls)
        self.alarms = AlarmDuty(self, parts.alarms)
        self.console: ConsoleDesk | None = None
        """Puts itself here while it is served."""
        self._told: dict[bytes, str] = {}
        self._stopped = asyncio.Event()

    # --- coming and going --------------------------------------------------------------------------------------

    @classmethod
    @contextlib.asynccontextmanager
    async def running(
        cls, home: Path, unlock: Unlock, *, config: Config | None = None, parts: "Parts | None" = None
    ) -> AsyncIterator["Station"]:
        """A station with its lines and bearers, until the block ends.

        Raises Unknown (no station here), Unavailable (it runs already; it
        cannot listen; disk), Forbidden (wrong passphrase), Malformed.
        """
        config = load_config(home) if config is None else config
        private_folder(home / "run", passage=True)
        lock = locked(home / "run" / "lock")
        try:
            parts = parts or Parts()
            keystore = Keystore.open(home / "keys", unlock, parts.entropy)
            station = cls(home, config, keystore, unlock, parts)
            try:
                await station._begin()
                yield station
            finally:
                await station._end()
        finally:
            os.close(lock)

    async def _begin(self) -> None:
        simulated = self.store.setting("clock")
        if self.clock.simulated and simulated is not None:
            self.clock.set(Instant(int(simulated)))
        records = self.store.lines()
        self.card = card_in_use(self.home, records)
        self.alarms.recall()  # first: a line that starts may have something to raise
        for record in records:
            self._start_line(record)
        await self.bearers.start()
        self.keys.start()
        self.pairings.resume()
        self.rhythm.start()
        self.probes.start()
        self.minimize.start()
        self.grace.start()
        self.overdue.start()
        self.contacts.start()
        self.calling.start()
        self.alarms.start()
        self.log.event("station.started", version=self.version, lines=len(self.lines), simulated=self.clock.simulated)

    async def _end(self) -> None:
        self.feed.close()
        await self.pairings.close()
        self.rhythm.stop()
        self.probes.stop()
        self.minimize.stop()
        self.grace.stop()
        self.overdue.stop()
        self.contacts.stop()
        self.calling.stop()
        await self.alarms.stop()
        await self.bearers.stop()
        self.committer.close()
        with contextlib.suppress(Unavailable):
            self.audit.flush()
        for line in self.lines.values():
            with contextlib.suppress(Unavailable, Refused):  # a snapshot is a cache: without it the start is slower
                line.close()
        self.marks.close()
        with contextlib.suppress(Unavailable):
            self.store.close()
        self.log.event("station.stopped")
        self.log.close()

    def stop(self) -> None:
        """Ask for the end of the block."""
        self._stopped.set()

    async def wait_stopped(self) -> None:
        """Until `stop`."""
        await self._stopped.wait()

    # --- lines -------------------------------------------------------------------------------------------------

    def open_line(self, record: LineRecord, psks: dict[int, bytes]) -> LineRunner:
        """Add a line that pairing agreed, durably, and start it. `psks` by party number, of all others.

        Raises Conflict (it is here, or its label is), Malformed or Unavailable.
        """
        if any(line.label == record.label for line in self.lines.values()):
            raise Conflict("there is a line of that label already: choose another")
        for party, psk in psks.items():
            self.keystore.put_psk(record.line, party, psk)
        if self.marks.read(record.line) is None:
            # Before the line itself: a line without a mark is one that was restored (spec 13.3).
            self.marks.write(record.line, Mark(generation=GENERATION_ZERO, urgent=0, traffic=0))
        self.store.add_line(record)
        line = self._start_line(record)
        if line is None:
            raise Malformed("the line's record does not fit together")
        return line

    def _start_line(self, record: LineRecord) -> LineRunner | None:
        try:
            history = self.store.line(record.line)
            line = LineRunner(self, record, history)
        except Refused as refusal:
            self.log.event("line.refused", line=record.label, code=refusal.code)
            self.refused[record.label] = refusal.code
            return None
        self.lines[record.line] = line
        self.keys.reach(line)
        line.start()
        return line

    def find(self, name: str) -> LineRunner:
        """The line of that label, or whose id begins so. Raises Unknown, or Conflict if several do."""
        found = [line for line in self.lines.values() if line.label == name]
        if not found and len(name) >= 4:
            found = [line for line in self.lines.values() if line.line.hex().startswith(name.lower())]
        if len(found) > 1:
            raise Conflict("several lines begin so: give more of the line's id")
        if not found:
            raise Unknown("no such line")
        return found[0]

    # --- what lines report (line_runner.Host) ------------------------------------------------------------------

    def guard(self, line: LineRunner, step: Callable[[], None]) -> None:
        """Do a step of a line. What goes wrong stops that line, visibly; the others go on."""
        try:
            step()
        except (Unavailable, Conflict) as trouble:
            self.counters["line-disk"] += 1
            self.log.event("line.stopped", line=line.label, why="disk", code=trouble.code)
            line.fail(State.DISK)
        except Exception as bug:  # noqa: BLE001 - the one place: ours, and only this line must suffer
            self.counters["line-bug"] += 1
            place = _place(bug)
            self.log.event("line.stopped", line=line.label, why="bug", kind=type(bug).__name__, at=place)
            line.fail(State.BUG)

    def opened(self, line: LineRunner, mark: Mark | None) -> None:
        """Remember with which mark a successor generation was opened: it tells how much there had been (spec 13.14).

        Raises Unavailable if lanes look shorter than they were.
        """
        name, engine = setting_name(line.line), line.working()
        check_lengths(engine, line.history)
        with contextlib.suppress(Refused):  # what cannot be read of it only makes a screen say less
            line.restores = decode_marks(self.store.setting(name))
        mine = engine.book.mine
        if mark is not None and mine.counter and not (engine.closed or engine.book.own(urgent=True).durable):
            line.restores[mine] = mark
            self.store.put_setting(name, encode_marks(line.restores))

    def read_mark(self, line: bytes) -> Mark | None:
        """The line's mark."""
        return self.marks.read(line)

    def write_mark(self, line: bytes, mark: Mark) -> None:
        """Make the line's mark durable."""
        self.marks.write(line, mark)

    def entries_shown(self, line: LineRunner, seen: list[Seen]) -> None:
        """Push entries to whoever listens; what was said about keys is heeded."""
        self.keys.heard(line, seen)
        self.alarms.arrived(line, seen)
        self.calling.shown(line, seen)
        self.counters["entries"] += len(seen)
        for each in seen:
            if isinstance(each.shown.entry, Service):
                self.minimize.seen(line, each.shown.lane.party, each.shown.entry, each.shown.time)
        if self.feed.listened(line.line):
            for each in seen:
                view = entry_view(line, each.seq, each.shown)
                if view is not None:
                    self.feed.publish(Published(line=line.line, name="entry", seq=each.seq, data=encoded(view)))
        self.state_changed(line)

    def signalled(self, line: LineRunner, said: Signalled) -> None:
        """A seat of another party's says something to one here."""
        self.calling.signalled(line, said)

    def held(self, line: LineRunner, holds: Holds) -> None:
        """Push that a party holds more."""
        self.keys.settle()
        if self.feed.listened(line.line):
            view = {
                "line": line.label,
                "party": line.names[holds.party],
                "lane": holds.lane,
                "generation": str(holds.generation),
                "size": holds.size,
            }
            self.feed.publish(Published(line=line.line, name="holds", seq=0, data=encoded(view)))

    async def release_held(self, line: LineRunner) -> None:
        """Send what MINIMIZE held back."""
        from openline.station.drafting import release_held  # it needs a station itself

        await release_held(self, line)

    def noticed(self, line: LineRunner, notice: Noticed) -> None:
        """Count a notice; log and push it, unless there were many of its kind in this minute."""
        self.counters[f"notice-{notice.what}"] += 1
        if notice.what == "secret-agreed":
            self.keys.psk_agreed(line, notice.party)
        if notice.what in _QUIET:
            return
        self.alarms.noticed(line, notice)
        held = self._few.held_back(self.clock.steady(), line.label, notice.what)
        if held is None:
            return
        more = {"held_back": held} if held else {}
        self.log.event(
            "line.notice", line=line.label, what=notice.what, party=notice.party, number=notice.number, **more
        )
        view = {
            "line": line.label,
            "what": notice.what,
            "party": lane_party(line, notice.party),
            "number": notice.number,
        }
        self.feed.publish(Published(line=line.line, name="noticed", seq=0, data=encoded(view)))
        self.state_changed(line)

    def state_changed(self, line: LineRunner) -> None:
        """Push the line's state if it is another than the last that was pushed."""
        state, words = state_of(self, line)
        if self._told.get(line.line) == state:
            return
        self._told[line.line] = state
        self.log.event("line.state", line=line.label, state=state.replace(" ", "-"))
        view = {"line": line.label, "state": state, "state_words": words}
        self.feed.publish(Published(line=line.line, name="state", seq=0, data=encoded(view)))

    def _link_changed(self, station: str, bearer: str) -> None:
        for line in self.lines.values():
            if station in line.stations:
                up = self.links.bearers[bearer].up(station) if bearer in self.links.bearers else False
                self.log.event("link", line=line.label, party=line.stations.index(station), bearer=bearer, up=up)
                self.state_changed(line)
        self.probes.report(station)

    def bearer_changed(self, station: str, bearer: str) -> None:
        """A bearer counts as silent now, or no more; or the other station said something else of its ends."""
        silent = self.links.state(bearer, station).silent
        for line in self.lines.values():
            if station in line.stations:
                party = line.stations.index(station)
                if silent:
                    self.noticed(line, Noticed(what="bearer-silent", party=party))
                self.state_changed(line)


def _place(bug: BaseException) -> str:
    """Where in our code it happened, as module:line; tracebacks also hold values, so they are not written."""
    at = bug.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return f"{Path(at.tb_frame.f_code.co_filename).stem}:{at.tb_lineno}" if at is not None else "nowhere"
