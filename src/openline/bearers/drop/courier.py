"""The bearer of those who carry a stick by hand (spec 9.67): it is up for as long as somebody stands there with one.

    async with courier.trip(stations) as trip:     what is offered from now on is kept
        ...                                        the envelopes of a stick are taken, and answered
        trip.announce()                            the links come up; all that waits is offered
        ...                                        until it has gone quiet
        envelopes = trip.envelopes(station)

It touches no file: the command that holds the stick does. While envelopes of a
stick are read, answers are offered at once, before anybody asks for a stick to
write them on; they are kept for the next one, and so a handshake moves on by
one message a trip. A link that comes up makes a line call for keys where it has
none: so it is announced after the stick was heard, which may hold the answer.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from typing import Final

from openline.kernel.errors import Conflict, TooLarge, Unavailable
from openline.ports import BearerTraits, Intake

NAME: Final = "courier"
LARGEST_ENVELOPE: Final = 16_384
TRAITS: Final = BearerTraits(name=NAME, largest=LARGEST_ENVELOPE, cost=90, one_way=False, delay_ms=6 * 3_600_000)
"""Dear, as people's legs are; but a stick takes bulk. A trip there takes hours."""
MOST_FILES: Final = 4_096
"""On one trip to one station: four windows (spec 9.12), 64 MiB."""


class Trip:
    """What is offered while a stick is at hand."""

    def __init__(self, bearer: "CourierBearer", stations: Sequence[str]) -> None:
        self.stations = tuple(stations)
        self._bearer = bearer

    def announce(self) -> None:
        """Say that the links are up."""
        self._bearer.announce()

    @property
    def offered(self) -> int:
        """How many different envelopes were offered until now, for all of these stations."""
        return sum(len(self._bearer.kept(station)) for station in self.stations)

    def envelopes(self, station: str) -> list[bytes]:
        """All for that station, the urgent ones first; they are on their way then, and not kept any longer."""
        return self._bearer.hand_over(station)


class CourierBearer:
    """A Bearer; besides the port, peers come and go, and trips are made."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._kept: dict[str, OrderedDict[bytes, bool]] = {}
        """Station -> envelopes for the next stick, and whether they are urgent."""
        self._up: frozenset[str] = frozenset()
        self._announced: frozenset[str] = frozenset()
        self._running = False

    # -- the port ----------------------------------------------------------

    @property
    def traits(self) -> BearerTraits:
        """What it can do."""
        return TRAITS

    async def run(self) -> None:
        """Let trips be made until cancelled."""
        self._running = True
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self._running = False
            self._lower(self._up)

    def offer(self, station: str, envelope: bytes, *, urgent: bool = False) -> bool:
        """Keep one envelope for the stick; False when there is none, or too much. Raises TooLarge."""
        if len(envelope) > LARGEST_ENVELOPE:
            raise TooLarge("the envelope is larger than the bearer carries")
        if station not in self._up:
            return False
        kept = self._kept[station]
        if envelope not in kept and len(kept) >= MOST_FILES + (128 if urgent else 0):
            return False
        kept[envelope] = kept.get(envelope, False) or urgent
        return True

    def up(self, station: str) -> bool:
        """Whether somebody stands there with a stick."""
        return station in self._up

    # -- peers, and trips --------------------------------------------------

    def set_peer(self, station: str) -> None:
        """Let sticks be carried to a station."""
        self._kept.setdefault(station, OrderedDict())

    def drop_peer(self, station: str) -> None:
        """Forget a station, and what was kept for it. Harmless when it is not there."""
        self._lower(frozenset({station}))
        self._kept.pop(station, None)

    @contextlib.asynccontextmanager
    async def trip(self, stations: Sequence[str]) -> AsyncIterator[Trip]:
        """Take what is offered for these stations, of those that are known, until the block ends.

        Raises Conflict while another trip is prepared, and Unavailable when the bearer does not run.
        """
        if not self._running:
            raise Unavailable("the station is not ready for a stick yet")
        if self._up:
            raise Conflict("another stick is being written or read: wait until that is done")
        self._up = frozenset(stations) & frozenset(self._kept)
        try:
            yield Trip(self, sorted(self._up))
        finally:
            self._lower(self._up)

    def announce(self) -> None:
        """See Trip.announce."""
        fresh = self._up - self._announced
        self._announced |= fresh
        for station in sorted(fresh):
            self._intake.link(NAME, station, up=True)

    def kept(self, station: str) -> Sequence[bytes]:
        """What waits for the next stick to a station."""
        return tuple(self._kept.get(station, ()))

    def hand_over(self, station: str) -> list[bytes]:
        """Take what waits, the urgent ones first."""
        kept = self._kept.get(station)
        if kept is None:
            return []
        envelopes = sorted(kept, key=lambda envelope: not kept[envelope])
        kept.clear()
        return envelopes

    def _lower(self, stations: frozenset[str]) -> None:
        self._up -= stations
        ended, self._announced = self._announced & stations, self._announced - stations
        for station in sorted(ended):
            self._intake.link(NAME, station, up=False)
