"""Bearers and lines, wired: what a line wants sent, and what bearers bring.

A station is known by its id (fingerprint in hexadecimal), whatever bearer it
comes over. Precedence decides how many bearers carry an envelope: FLASH all
that are up, the rest the cheapest that takes it. A bearer is never believed
about delivery; what none took is offered again by the protocol.

Spec: spec/09-envelopes.md, 9.22 to 9.25.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from openline.kernel.envelope import is_handshake
from openline.ports import Bearer
from openline.protocol.delivery import Peer

WIDE_COST = 100
"""A bearer this dear carries no bulk (cosignatures, chunks)."""


class Line(Protocol):
    """What of a line the wiring needs."""

    def envelope(self, envelope: bytes) -> None:
        """An envelope that is, or may be, for this line."""
        ...

    def linked(self, party: int, largest: int, smallest: int) -> None:
        """The bearers to a party changed."""
        ...

    def peer(self, party: int) -> Peer | None:
        """Delivery to a party; None while the line is stopped."""
        ...


@dataclass(frozen=True, slots=True)
class _Route:
    line: Line
    party: int


@dataclass(slots=True)
class BearerState:
    """One bearer's link to one station, as observed here."""

    up: bool = False
    heard_at: int | None = None
    """Time of day, ms, of the last envelope; None if there was none."""
    changed_at: int | None = None
    sent: int = 0
    sent_bytes: int = 0
    received: int = 0
    received_bytes: int = 0


class Links:
    """The station's Intake, and the way out to its bearers."""

    def __init__(self, wall: Callable[[], int], changed: Callable[[str], None]) -> None:
        self._wall, self._changed = wall, changed
        self.bearers: dict[str, Bearer] = {}
        self.states: dict[tuple[str, str], BearerState] = {}
        """(bearer, station) -> state."""
        self.counters: Counter[tuple[str, str]] = Counter()
        """(bearer, event) -> how often."""
        self._routes: dict[str, list[_Route]] = {}

    def add(self, bearer: Bearer) -> None:
        """Use a bearer from now on."""
        self.bearers[bearer.traits.name] = bearer

    def route(self, station: str, line: Line, party: int) -> None:
        """Let a line speak with a station."""
        routes = self._routes.setdefault(station, [])
        if all(each.line is not line for each in routes):
            routes.append(_Route(line, party))
        self.tell(station)

    def unroute(self, line: Line) -> list[str]:
        """Forget a line; returns the stations that no line speaks with any more."""
        for routes in self._routes.values():
            routes[:] = [each for each in routes if each.line is not line]
        left = [station for station, routes in self._routes.items() if not routes]
        for station in left:
            del self._routes[station]
        return left

    def tell(self, station: str) -> None:
        """Tell the lines what the bearers to a station can carry now."""
        sizes = [bearer.traits.largest for bearer in self.bearers.values() if bearer.up(station)]
        largest, smallest = max(sizes, default=0), min(sizes, default=0)
        for route in list(self._routes.get(station, ())):
            route.line.linked(route.party, largest, smallest)

    def up(self, station: str) -> bool:
        """Whether any bearer's link to a station is up."""
        return any(bearer.up(station) for bearer in self.bearers.values())

    def state(self, bearer: str, station: str) -> BearerState:
        """What was observed of a bearer's link to a station."""
        found = self.states.get((bearer, station))
        if found is None:
            found = self.states[bearer, station] = BearerState()
        return found

    # --- out ---------------------------------------------------------------------------------------------------

    def transmit(self, station: str, envelope: bytes, precedence: int, *, bulk: bool) -> None:
        """Offer an envelope: FLASH over every bearer that is up, else over the cheapest that takes it."""
        bearers = [bearer for bearer in self.bearers.values() if bearer.up(station)]
        if len(bearers) > 1:
            bearers.sort(key=lambda bearer: bearer.traits.cost)
        for bearer in bearers:
            traits = bearer.traits
            if len(envelope) > traits.largest or (bulk and traits.cost >= WIDE_COST):
                continue
            if not bearer.offer(station, envelope, urgent=precedence == 0):
                self.counters[traits.name, "offer-refused"] += 1
                continue
            state = self.state(traits.name, station)
            state.sent += 1
            state.sent_bytes += len(envelope)
            if precedence:
                return

    # --- in: ports.Intake --------------------------------------------------------------------------------------

    def arrived(self, bearer: str, station: str | None, envelope: bytes) -> None:
        """Find the line that an envelope is for, by its tag alone, and hand it over."""
        if station is not None:
            state = self.state(bearer, station)
            state.received += 1
            state.received_bytes += len(envelope)
            state.heard_at = self._wall()
            routes = self._routes.get(station, [])
        else:
            routes = [route for known in self._routes.values() for route in known]
        if len(routes) == 1:
            routes[0].line.envelope(envelope)
            return
        for route in routes:
            if _expects(route, envelope):
                route.line.envelope(envelope)
                return
        self.counters[bearer, "unknown-tag"] += 1
        # Nobody knows it, and a line whose epoch was lost must hear of that to open another. An
        # authenticated peer can only trouble its own lines; a stranger's bytes trouble nobody.
        if station is not None:
            for route in list(routes):
                route.line.envelope(envelope)

    def link(self, bearer: str, station: str, *, up: bool) -> None:
        """A link came up or went down."""
        state = self.state(bearer, station)
        state.up, state.changed_at = up, self._wall()
        self.tell(station)
        self._changed(station)

    def counted(self, bearer: str, event: str) -> None:
        """Count it."""
        self.counters[bearer, str(event)] += 1


def _expects(route: _Route, envelope: bytes) -> bool:
    peer = route.line.peer(route.party)
    if peer is None:
        return False
    for epoch in (peer.epoch, peer.previous):
        if epoch is not None and epoch.incoming.knows(envelope):
            return True
    return envelope[:7] in peer.consumed or is_handshake(peer.handshake_in, envelope)
