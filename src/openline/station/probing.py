"""Probing bearers, each by itself: by hand, and slowly by clock so that a dead second one is noticed before it is needed.

A probe over a bearer is answered over the same one (protocol/probing.py). What
that shows is kept in the bearer's state, over restarts too, and told to the
peer, so that both floors see both ends. Bearers that are paid for by the byte
are probed by hand only; what is one way cannot be.
"""

import asyncio
import contextlib
import json
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from openline.kernel.errors import Refused, Unavailable
from openline.kernel.units import BUCKETS, Entropy, Instant
from openline.ports import Store
from openline.protocol import probing
from openline.protocol.probing import End, Probe, Sort
from openline.station.bearer_state import BearerState
from openline.station.bearers import Bearers
from openline.station.clock import StationClock
from openline.station.committer import Committer
from openline.station.line_runner import LineRunner
from openline.station.links import Links
from openline.station.log import Log
from openline.station.ways import METERED_COST, QUICK_MS, Way

ECHOES, ECHO_MS = 20, 10_000
"""Answers to one station over one bearer, at most so many in that time: replayed probes earn no more."""
METERED_ECHOES, METERED_ECHO_MS = 2, 60_000
"""The same where every byte is paid for, and people probe by hand."""
STALE_MS = 600_000
"""A report older than the last is taken all the same if the last was so far ahead of our clock: theirs was put right."""
SETTING = "bearers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How often bearers are probed by clock. Seconds."""

    first_s: float = 2.0
    """After a link came up, and after an answer that took much longer than those before: its delay is known soon."""
    every_s: float = 300.0
    strained: float = 3.0
    """So many times as seldom under MINIMIZE."""
    least_wait_s: float = 10.0
    """For an answer; longer over a slow bearer."""
    keep_s: float = 60.0
    """Between two times that states are written down."""


class Floor(Protocol):
    """What of a station the probes need."""

    clock: StationClock
    entropy: Entropy
    store: Store
    committer: Committer
    log: Log
    links: Links
    bearers: Bearers
    lines: dict[bytes, LineRunner]

    def bearer_changed(self, station: str, bearer: str) -> None:
        """A bearer counts as silent now, or no more."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a probe came to."""

    bearer: str
    answered: bool
    round_trip_ms: int | None
    why: str
    """Which end failed, if it is known: empty if it was answered."""


@dataclass(slots=True)
class _Waiting:
    bearer: str
    began: int
    answered: asyncio.Future[int] = field(repr=False)


@dataclass(slots=True)
class _Said:
    """What a station said of its own ends."""

    time: Instant
    ends: tuple[End, ...]


class Probes:
    """All probes of one station."""

    def __init__(self, floor: Floor, rate: Rate | None = None) -> None:
        self._floor, self._rate = floor, rate or Rate()
        self._waiting: dict[bytes, _Waiting] = {}
        self._echoed: dict[tuple[str, str], deque[int]] = {}
        self._said: dict[str, _Said] = {}
        self._due: dict[tuple[str, str], float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._main: asyncio.Task[None] | None = None
        self._kept = ""
        self._changed_lately = False

    def start(self) -> None:
        """Take up what was kept, and begin."""
        self._recall()
        self._main = asyncio.create_task(self._run())

    def stop(self) -> None:
        """End, and keep what was observed."""
        for task in (self._main, *self._tasks):
            if task is not None:
                task.cancel()
        with contextlib.suppress(Unavailable):
            self._keep(self._states())

    def said(self, station: str, bearer: str) -> End | None:
        """What the station at the other end last said of a bearer there."""
        said = self._said.get(station)
        return next((end for end in said.ends if end.bearer == bearer), None) if said is not None else None

    # --- by hand -----------------------------------------------------------------------------------------------

    async def test(self, station: str, bearer: str, *, most_s: float = 86_400.0) -> Answer:
        """Send a probe over exactly that bearer, and wait for its echo: as long as that bearer needs, or `most_s`."""
        floor, links = self._floor, self._floor.links
        made, state = links.bearers.get(bearer), links.state(bearer, station)
        if made is None or bearer in floor.bearers.troubles:
            return self._failed(bearer, floor.bearers.trouble(bearer) or "it does not work here")
        if made.traits.one_way:
            return self._failed(bearer, "it is one way: nothing can come back")
        if not made.up(station):
            return self._failed(bearer, "its link is down, as seen from here")
        nonce, since = floor.entropy(8), state.changed_at
        waiting = _Waiting(bearer, floor.clock.steady(), asyncio.get_running_loop().create_future())
        self._waiting[nonce] = waiting
        try:
            if not self._send(station, bearer, Sort.PROBE, nonce):
                return self._failed(bearer, "its queue is full, or no line is open with that station")
            needs_s = self._wait_s(station, bearer)
            try:
                async with asyncio.timeout(min(needs_s, most_s)):
                    took = await waiting.answered
            except TimeoutError:
                if needs_s > most_s:
                    return self._failed(bearer, "no answer yet: this bearer takes longer")
                if state.unanswered():
                    self._changed(station, bearer)
                return self._failed(bearer, self._missing(station, bearer))
        finally:
            self._waiting.pop(nonce, None)
            state.probed_at = floor.clock.wall()
        # What was under way while the link went down and came back has waited for that, and tells of no delay.
        counts, before = state.changed_at == since, state.delay_ms
        if state.answered(took if counts else None):
            links.tell(station)
        if not counts or took // 2 > max(QUICK_MS, 2 * (before or 0)):  # it waited, or may have: once more, soon
            self._due[station, bearer] = floor.clock.steady() + 1_000 * self._rate.first_s
        return Answer(bearer=bearer, answered=True, round_trip_ms=took, why="")

    def _failed(self, bearer: str, why: str) -> Answer:
        return Answer(bearer=bearer, answered=False, round_trip_ms=None, why=why)

    def _missing(self, station: str, bearer: str) -> str:
        """Which end failed, by what the other station says over the bearers that work."""
        end = self.said(station, bearer)
        if end is None:
            return "no answer came: the other station says nothing of this bearer"
        return "no answer came: it is up at both ends" if end.up else "no answer came: it is down at the other end"

    def _wait_s(self, station: str, bearer: str) -> float:
        way = next((way for way in self._floor.links.ways(station) if way.traits.name == bearer), None)
        slow_ms = way.takes_ms(BUCKETS[0]) if way is not None else 0
        return max(self._rate.least_wait_s, 6 * slow_ms / 1_000)

    # --- envelopes ---------------------------------------------------------------------------------------------

    def take(self, line: LineRunner, bearer: str, envelope: bytes) -> bool:
        """Whether an envelope was a probe, an echo or a report; then it was dealt with."""
        engine = line.engine
        if engine is None:
            return False
        for party, peer in engine.peers.items():
            if any(epoch is not None and epoch.incoming.knows(envelope) for epoch in (peer.epoch, peer.previous)):
                return False  # as nearly all are
            probe = probing.opened(peer.secrets, envelope)
            if probe is not None:
                self._take(line.stations[party], bearer, probe)
                return True
        return False

    def _take(self, station: str, bearer: str, probe: Probe) -> None:
        now, last = self._floor.clock, self._said.get(station)
        if last is None or probe.time > last.time:
            self._floor.links.heard(bearer, station)
        if last is None or probe.time > last.time or last.time > now.wall() + STALE_MS:
            changed = last is None or {(e.bearer, e.up) for e in last.ends} != {(e.bearer, e.up) for e in probe.ends}
            self._said[station] = _Said(probe.time, probe.ends)
            if changed:
                self._floor.bearer_changed(station, bearer)
        if probe.sort is Sort.PROBE:
            if self._may_echo(station, bearer):
                self._send(station, bearer, Sort.ECHO, probe.nonce)
        elif probe.sort is Sort.ECHO:
            waiting = self._waiting.get(probe.nonce)
            if waiting is not None and waiting.bearer == bearer and not waiting.answered.done():
                waiting.answered.set_result(max(1, now.steady() - waiting.began))
                self._floor.links.heard(bearer, station)

    def _may_echo(self, station: str, bearer: str) -> bool:
        """Whether one more answer may go there now; it is counted."""
        made, now = self._floor.links.bearers.get(bearer), self._floor.clock.steady()
        metered = made is not None and made.traits.cost >= METERED_COST
        most, within = (METERED_ECHOES, METERED_ECHO_MS) if metered else (ECHOES, ECHO_MS)
        lately = self._echoed.setdefault((station, bearer), deque(maxlen=most))
        if len(lately) == most and now - lately[0] < within:
            return False
        lately.append(now)
        return True

    def _send(self, station: str, bearer: str, sort: Sort, nonce: bytes) -> bool:
        """Hand one over to exactly that bearer; whether it took it."""
        peer = self._floor.links.peer(station)
        if peer is None:
            return False
        time = Instant(max(self._floor.clock.wall(), 0))
        probe = Probe(sort=sort, nonce=nonce, time=time, ends=self._ends(station))
        envelopes = probing.sealed(peer.secrets, probe, self._floor.entropy)
        taken = [self._floor.links.send_over(bearer, station, envelope) for envelope in envelopes]
        return any(taken)

    def _ends(self, station: str) -> tuple[End, ...]:
        """What this station says of its own ends towards another."""
        links, found = self._floor.links, []
        for name in self._floor.bearers.shown():
            state, bearer = links.state(name, station), links.bearers.get(name)
            found.append(
                End(
                    bearer=name,
                    up=bearer is not None and bearer.up(station) and not state.silent,
                    heard=Instant(max(0, state.heard_at or 0)),
                    delay_ms=state.delay_ms or 0,
                    lost_percent=round(100 * (state.loss or 0)),
                )
            )
        return tuple(found)

    def report(self, station: str) -> None:
        """Tell a station how the bearers stand here: something has changed. It is written down soon."""
        self._changed_lately = True
        ways = self._floor.links.ways(station)
        if ways and _asks_nobody(ways[0]):
            self._send(station, ways[0].traits.name, Sort.REPORT, self._floor.entropy(8))

    # --- by clock ----------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        kept = self._floor.clock.steady()
        while True:
            await asyncio.sleep(0.5)
            now = self._floor.clock.steady()
            self._floor.links.look()
            for station in self._floor.links.stations():
                for way in self._floor.links.ways(station):
                    if _asks_nobody(way) and not way.traits.one_way:
                        self._look(station, way.traits.name, now, way.takes_ms(BUCKETS[0]))
            if self._changed_lately or now - kept >= self._rate.keep_s * 1_000:
                kept, self._changed_lately, states = now, False, self._states(exactly=False)
                if states != self._kept:
                    with contextlib.suppress(Unavailable):
                        await self._floor.committer.done(partial(self._keep, states))

    def _look(self, station: str, bearer: str, now: int, takes_ms: int) -> None:
        state = self._floor.links.state(bearer, station)
        spread = int.from_bytes(self._floor.entropy(2), "big") / 65_536
        due = self._due.get((station, bearer))
        if due is None or (state.probed_at is None and due > now + self._rate.every_s * 1_000):
            self._due[station, bearer] = now + self._rate.first_s * 1_000 * (1 + spread)
            return
        if now < due:
            return
        strained = any(line.strained for line in self._floor.lines.values() if station in line.stations)
        every_s = max(self._rate.every_s, 8 * takes_ms / 1_000) * (self._rate.strained if strained else 1)
        if state.lost_in_row:
            every_s /= 5  # whether one was lost or the bearer is dead is soon known
        self._due[station, bearer] = now + every_s * 1_000 * (1 - 0.1 * spread)
        task = asyncio.create_task(self._test(station, bearer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _test(self, station: str, bearer: str) -> None:
        with contextlib.suppress(Refused, Unavailable):
            await self.test(station, bearer)

    def _changed(self, station: str, bearer: str) -> None:
        self._floor.links.tell(station)
        self._floor.bearer_changed(station, bearer)

    # --- kept over restarts ------------------------------------------------------------------------------------

    def _states(self, *, exactly: bool = True) -> str:
        """What is worth keeping of the states."""
        known = {
            f"{name} {station}": state.kept(exactly=exactly)
            for (name, station), state in self._floor.links.states.items()
            if state.heard_at is not None or state.changed_at is not None
        }
        return json.dumps(known, sort_keys=True)

    def _keep(self, text: str) -> None:
        """Write that down, on the loop or in the commit thread. Raises Unavailable."""
        if text != self._kept:
            self._floor.store.put_setting(SETTING, text.encode())
            self._kept = text

    def _recall(self) -> None:
        kept = self._floor.store.setting(SETTING)
        if kept is None:
            return
        known = json.loads(kept)
        for place, values in known.items():
            name, _, station = place.partition(" ")
            recalled: BearerState = self._floor.links.state(name, station)
            recalled.recall(values)


def _asks_nobody(way: Way) -> bool:
    """Whether a station may use it for its own ends: nobody pays for it, and nobody carries it by hand."""
    return not way.metered and way.traits.name != "courier"
