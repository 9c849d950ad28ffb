"""MINIMIZE: while a line is under stress, messages below IMMEDIATE are held back, visibly on both floors.

It stands when a floor says so, or by itself when only thin or metered bearers
are up for a while. Either way the other floor is told by a service message
that both transcripts show. What would follow a held message in its lane must
not wait for it: so it is not in the lane at all but a draft that is kept, and
goes out by itself when MINIMIZE ends.

    NORMAL --a floor's word, or thin for a minute--> MINIMIZE --all have lifted--> NORMAL

Spec: spec/06-entries.md, 6.75 to 6.77.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from openline.kernel.errors import Refused, Unavailable
from openline.kernel.units import BUCKETS
from openline.ports import Store
from openline.protocol.entries import Service
from openline.protocol.events import Accepted
from openline.protocol.fields import decode_time
from openline.protocol.lanes import read_body
from openline.station.clock import StationClock
from openline.station.committer import Committer
from openline.station.line_runner import LineRunner, State
from openline.station.links import Links
from openline.station.log import Log

STATION_SIGN = "STATION"
"""Who says it when nobody did."""
PATIENCE_MS = 60_000
"""How long bearers must have been thin, or wide again, before the station says so: a link that flaps says nothing."""
SLOW_MS = 60_000
"""A bearer slower than this (sticks carried by hand) does not count as wide."""
HELD_BELOW = frozenset({"priority", "routine"})
_LOOK_BACK = 512
"""Entries looked at after a start, for what was said in the moment before it."""


@dataclass(slots=True, kw_only=True)
class Word:
    """What one party last said of MINIMIZE."""

    on: bool
    time: int
    text: str
    sign: str


class Floor(Protocol):
    """What of a station this needs."""

    clock: StationClock
    store: Store
    committer: Committer
    log: Log
    links: Links
    lines: dict[bytes, LineRunner]

    def state_changed(self, line: LineRunner) -> None:
        """A line's state may be another now."""
        ...

    async def release_held(self, line: LineRunner) -> None:
        """Send what was held back."""
        ...


class Minimize:
    """MINIMIZE on all lines of a station."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._words: dict[bytes, dict[int, Word]] = {}
        self._since: dict[bytes, tuple[bool, int]] = {}
        """Line -> whether only thin bearers are up, and since when (steady ms)."""
        self._main: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Take up what was said before, and begin."""
        for line in self._floor.lines.values():
            self._recall(line)
        self._main = asyncio.create_task(self._run())

    def stop(self) -> None:
        """End."""
        if self._main is not None:
            self._main.cancel()

    def words(self, line: LineRunner) -> dict[int, Word]:
        """The parties for which MINIMIZE stands, and what they said."""
        return {party: word for party, word in self._words.get(line.line, {}).items() if word.on}

    def holds(self, line: LineRunner, precedence: str, *, considered: bool) -> bool:
        """Whether a message is held back now."""
        return line.strained and precedence in HELD_BELOW and not considered

    async def say(self, line: LineRunner, *, on: bool, reason: str, sign: str, language: str) -> Accepted:
        """Impose it, or lift one's own. Raises what submitting raises."""
        text = ("MINIMIZE. " if on else "MINIMIZE lifted. ") + reason
        entry = Service(text=text.strip(), language=language, sign=sign, minimize=on)
        return await line.submit(entry, self._floor.clock.wall())

    def seen(self, line: LineRunner, party: int, entry: Service, time: int) -> None:
        """A party's service message became durable here."""
        if entry.minimize is None:
            return
        words = self._words.setdefault(line.line, {})
        words[party] = Word(on=entry.minimize, time=time, text=entry.text, sign=entry.sign)
        self._apply(line)
        kept = {str(number): [word.on, word.time, word.text, word.sign] for number, word in words.items()}
        keep = partial(self._floor.store.put_setting, _setting(line), json.dumps(kept).encode())
        self._floor.committer.commit(keep, _kept)

    def _apply(self, line: LineRunner) -> None:
        strained = bool(self.words(line))
        if strained is not line.strained:
            line.strained = strained
            self._floor.log.event("line.minimize", line=line.label, on=strained)
            self._floor.state_changed(line)

    # --- by itself ---------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            for line in list(self._floor.lines.values()):
                if line.line not in self._words:
                    self._recall(line)
                if line.state is State.RUNNING:
                    with contextlib.suppress(Refused, Unavailable):
                        await self._look(line)

    async def _look(self, line: LineRunner) -> None:
        now, thin = self._floor.clock.steady(), self._thin(line)
        before = self._since.get(line.line)
        if before is None or before[0] is not thin:
            before = self._since[line.line] = (thin, now)
        own = self._words.get(line.line, {}).get(line.party)
        automatic = own is not None and own.on and own.sign == STATION_SIGN
        settled = now - before[1] >= PATIENCE_MS
        if settled and thin and not (own is not None and own.on):
            await self.say(line, on=True, reason="Only thin bearers are up.", sign=STATION_SIGN, language="en")
        elif settled and automatic and not thin and self._linked(line):
            await self.say(line, on=False, reason="A wide bearer is up again.", sign=STATION_SIGN, language="en")
        if not line.strained:
            await self._floor.release_held(line)

    def _linked(self, line: LineRunner) -> bool:
        return all(self._floor.links.up(station) for party, station in enumerate(line.stations) if party != line.party)

    def _thin(self, line: LineRunner) -> bool:
        """Whether some party is reached by thin or metered bearers alone. One that is not reached at all is a fault."""
        for party, station in enumerate(line.stations):
            ways = self._floor.links.ways(station) if party != line.party else []
            wide = any(way.wide and not way.state.silent and way.takes_ms(BUCKETS[0]) < SLOW_MS for way in ways)
            if any(not way.traits.one_way for way in ways) and not wide:
                return True
        return False

    # --- after a start -----------------------------------------------------------------------------------------

    def _recall(self, line: LineRunner) -> None:
        """What was kept, and what was said in the moment after that was written."""
        words = self._words.setdefault(line.line, {})
        kept = self._floor.store.setting(_setting(line))
        if kept is not None:
            for party, (on, time, text, sign) in json.loads(kept).items():
                words[int(party)] = Word(on=on, time=time, text=text, sign=sign)
        first = max(0, line.history.last_seq() - _LOOK_BACK)
        for arrival in line.history.since(first, _LOOK_BACK):
            body = None if arrival.row.refused else read_body(arrival.row.entry)
            if isinstance(body, Service) and body.minimize is not None:
                said = decode_time(arrival.row.entry.time)
                words[arrival.lane.party] = Word(on=body.minimize, time=said, text=body.text, sign=body.sign)
        self._apply(line)


def _kept(result: Callable[[], None]) -> None:
    with contextlib.suppress(Unavailable):
        result()


def _setting(line: LineRunner) -> str:
    return "minimize " + line.line.hex()
