"""Bearers and lines, wired: what a line wants sent, and what bearers bring.

A station is known by its id (fingerprint in hexadecimal), whatever bearer it
comes over. Which bearers carry an envelope, how many and in which order stands
in ways.py. A bearer is never believed about delivery; what none took is
offered again by the protocol.

Spec: spec/09-envelopes.md, 9.20 to 9.28.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from openline.ports import Bearer
from openline.protocol.delivery import Peer
from openline.protocol.events import Link, Transmit
from openline.station.bearer_state import BearerState
from openline.station.ways import Way, chosen, link_of, ordered

FEW_LINES = 8
"""Lines to which an envelope from nobody knows whom is shown: each looks at it once more."""


class Line(Protocol):
    """What of a line the wiring needs."""

    def envelope(self, envelope: bytes, bearer: str, *, stranger: bool = False) -> None:
        """An envelope that is, or may be, for this line."""
        ...

    def linked(self, link: Link) -> None:
        """The bearers to a party changed."""
        ...

    def peer(self, party: int) -> Peer | None:
        """Delivery to a party; None while the line is stopped."""
        ...


@dataclass(frozen=True, slots=True)
class _Route:
    line: Line
    party: int


class Links:
    """The station's Intake, and the way out to its bearers."""

    def __init__(self, wall: Callable[[], int], steady: Callable[[], int], changed: Callable[[str, str], None]) -> None:
        """`changed` is told the station and the bearer whose link came up or went down."""
        self._wall, self._steady, self._changed = wall, steady, changed
        self.bearers: dict[str, Bearer] = {}
        self.states: dict[tuple[str, str], BearerState] = {}
        """(bearer, station) -> state."""
        self.counters: Counter[tuple[str, str]] = Counter()
        """(bearer, event) -> how often."""
        self._served: dict[str, set[str]] = {}
        """Station -> bearers that know where it is."""
        self._routes: dict[str, list[_Route]] = {}
        self._best: dict[str, str] = {}
        """Station -> the best bearer to it, as the lines were told last."""

    # --- who is reached how ------------------------------------------------------------------------------------

    def add(self, bearer: Bearer) -> None:
        """Use a bearer from now on."""
        self.bearers[bearer.traits.name] = bearer

    def serve(self, bearer: str, station: str, *, known: bool = True) -> None:
        """A bearer knows (or knows no more) where a station is: what is one way is offered on the strength of this alone."""
        served = self._served.setdefault(station, set())
        if known:
            served.add(bearer)
        else:
            served.discard(bearer)
        self.tell(station)

    def route(self, station: str, line: Line, party: int) -> None:
        """Let a line speak with a station."""
        routes = self._routes.setdefault(station, [])
        if all(each.line is not line for each in routes):
            routes.append(_Route(line, party))
        self.tell(station)

    def tell(self, station: str, *, came_up: str = "") -> None:
        """Tell the lines what the bearers to a station can carry now; `came_up` is the one that just did."""
        ways = self.ways(station)
        best, before = ways[0].traits.name if ways else "", self._best.get(station, "")
        self._best[station] = best
        # A queue that was passed over, or is ordered anew by a delay, has lost nothing.
        gone = before in self.bearers and not self.bearers[before].up(station)
        anew = best == came_up or (best != before and gone)
        for route in list(self._routes.get(station, ())):
            route.line.linked(link_of(ways, route.party, anew=anew))

    def ways(self, station: str) -> list[Way]:
        """The bearers that carry to a station now, the best first; those that are one way last."""
        served = self._served.get(station, ())
        found = []
        for name, bearer in self.bearers.items():
            traits = bearer.traits
            if bearer.up(station) or (traits.one_way and name in served):
                found.append(Way(bearer=bearer, traits=traits, state=self.state(name, station)))
        return ordered(found)

    def stations(self) -> list[str]:
        """All stations that a line speaks with."""
        return list(self._routes)

    def peer(self, station: str) -> Peer | None:
        """Delivery to a station, of the first line with it that works; None if none does."""
        found = (route.line.peer(route.party) for route in self._routes.get(station, ()))
        return next((peer for peer in found if peer is not None), None)

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

    def transmit(self, station: str, sent: Transmit) -> None:
        """Offer an envelope to as many bearers as its precedence asks for (9.21). What none takes comes again."""
        ways = self.ways(station)
        wanted, many = chosen(ways, sent)
        now = self._steady()
        for way in wanted:
            if many <= 0:
                return
            state, name = way.state, way.traits.name
            wait_ms = way.wait_ms(len(sent.envelope))
            if not state.repeats.due(sent.envelope, now, wait_ms, doubling=way.traits.one_way):
                many -= 1  # it is under way there still: offering it again would only fill a thin bearer
                continue
            if not way.bearer.offer(station, sent.envelope, urgent=sent.precedence == 0):
                self.counters[name, "offer-refused"] += 1
                continue
            many -= 1
            if way.slow:
                state.repeats.note(sent.envelope, now)
            state.sent += 1
            state.sent_bytes += len(sent.envelope)
            state.sent_at = self._wall()

    def send_over(self, name: str, station: str, envelope: bytes) -> bool:
        """Offer an envelope to exactly one bearer; whether it took it."""
        bearer, state = self.bearers.get(name), self.state(name, station)
        if bearer is None or len(envelope) > bearer.traits.largest or not bearer.offer(station, envelope):
            return False
        state.sent += 1
        state.sent_bytes += len(envelope)
        state.sent_at = self._wall()
        return True

    # --- in: ports.Intake --------------------------------------------------------------------------------------

    def arrived(self, bearer: str, station: str | None, envelope: bytes) -> None:
        """Find the line that an envelope is for, by its tag alone, and hand it over."""
        if station is not None:
            self._received(bearer, station, len(envelope))
            self.heard(bearer, station)
            routes = self._routes.get(station, [])
        else:
            routes = [route for known in self._routes.values() for route in known]
        if len(routes) == 1 and station is not None:
            routes[0].line.envelope(envelope, bearer)
            return
        found = self._awaited_by(station, envelope)
        if found is not None:
            place, route, fresh = found
            if station is None:
                self._received(bearer, place, len(envelope))
                if fresh:  # who repeats what was said before would make a station that is silent look alive
                    self.heard(bearer, place)
            route.line.envelope(envelope, bearer)
            return
        self.counters[bearer, "unknown-tag"] += 1
        # Nobody knows it, and a line whose epoch was lost must hear of that to open another. An
        # authenticated peer can only trouble its own lines. A stranger's bytes trouble nobody, and wait there for
        # a new epoch that they may have overtaken, as far as the lines are few.
        if station is not None or len(routes) <= FEW_LINES:
            for route in list(routes):
                route.line.envelope(envelope, bearer, stranger=station is None)

    def _awaited_by(self, station: str | None, envelope: bytes) -> tuple[str, _Route, bool] | None:
        """The line that awaits an envelope, and whether nobody can have said it before.

        A look into tables for each line, and a code computed only if none has it.
        """
        places = self._routes if station is None else {station: self._routes.get(station, [])}
        for known in (_awaits, _remembers):
            for place, routes in places.items():
                for route in routes:
                    peer = route.line.peer(route.party)
                    if peer is not None and known(peer, envelope):
                        return place, route, known is _awaits
        return None

    def _received(self, bearer: str, station: str, size: int) -> None:
        state = self.state(bearer, station)
        state.received += 1
        state.received_bytes += size

    def heard(self, bearer: str, station: str) -> None:
        """A station has said something new over a bearer."""
        state = self.state(bearer, station)
        state.heard_at = self._wall()
        if state.hear():
            self.tell(station)
            self._changed(station, bearer)

    def look(self) -> None:
        """Note how every link stands now."""
        now = self._wall()
        for station in self._routes:
            for name, bearer in self.bearers.items():
                self.state(name, station).seen(now, up=bearer.up(station))
        for (name, _), state in self.states.items():
            if name not in self.bearers:  # it could not be made this time
                state.seen(now, up=False)

    def link(self, bearer: str, station: str, *, up: bool) -> None:
        """A link came up or went down."""
        state = self.state(bearer, station)
        state.up, state.changed_at = up, self._wall()
        state.seen(state.changed_at, up=up)
        state.repeats.clear()
        self.tell(station, came_up=bearer if up else "")
        self._changed(station, bearer)

    def counted(self, bearer: str, event: str) -> None:
        """Count it."""
        self.counters[bearer, str(event)] += 1


def _awaits(peer: Peer, envelope: bytes) -> bool:
    """Whether a live epoch awaits its tag."""
    return any(epoch is not None and epoch.incoming.knows(envelope) for epoch in (peer.epoch, peer.previous))


def _remembers(peer: Peer, envelope: bytes) -> bool:
    """Whether it was opened before, or is a handshake."""
    return envelope[:7] in peer.consumed or peer.secrets.of(envelope) is not None
