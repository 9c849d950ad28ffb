"""Several bearers between each pair of stations, each with its own rate, delay and faults, behind the station's true Links.

What the station decides (which bearers, how many, when again) is decided by
the code that decides it in life; only the bearers themselves are simulated.
"""

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from openline.kernel.errors import TooLarge
from openline.ports import BearerTraits
from openline.protocol.delivery import Peer
from openline.protocol.events import Arrived, Link, Strange, Transmit
from openline.station.links import Links

if TYPE_CHECKING:
    from tests.sim.station import Station
    from tests.sim.world import World

QUEUE = 64
"""Envelopes that wait in a bearer; further ones are not taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A sort of bearer."""

    traits: BearerTraits
    delay_ms: int = 30
    """At most, and one at least."""
    knows_sender: bool = True
    from_party: int = -1
    """The only party that may send over it, if it is one way."""


FIBRE = Kind(traits=BearerTraits(name="fibre", largest=16_384, cost=0, one_way=False))
THIN = Kind(traits=BearerTraits(name="thin", largest=270, cost=10, one_way=False, bits_per_second=300), delay_ms=300)
MAIL = Kind(
    traits=BearerTraits(name="mail", largest=16_384, cost=30, one_way=False, delay_ms=30_000),
    delay_ms=60_000,
    knows_sender=False,
)
BURST = Kind(traits=BearerTraits(name="burst", largest=270, cost=100, one_way=False, delay_ms=2_000), delay_ms=4_000)
DIODE = Kind(
    traits=BearerTraits(name="diode", largest=16_384, cost=10, one_way=True, delay_ms=1_000),
    delay_ms=2_000,
    from_party=0,
)
KINDS = {kind.traits.name: kind for kind in (FIBRE, THIN, MAIL, BURST, DIODE)}


class Carrier:
    """One bearer of one station: queues, carries at its rate, and loses what is on the way when it goes down."""

    def __init__(self, world: "World", station: "Station", kind: Kind) -> None:
        self._world, self._station, self._kind = world, station, kind
        self.traits = kind.traits
        self._queues: dict[str, deque[tuple[bytes, int]]] = {}
        self._carrying: set[str] = set()

    async def run(self) -> None:
        """Nothing to do: the world's heap carries."""

    def up(self, station: str) -> bool:
        """Whether the link stands, as both ends know."""
        return not self.traits.one_way and self._pair(station) not in self._world.bearers_down

    def _pair(self, station: str) -> tuple[str, frozenset[int]]:
        return self.traits.name, frozenset((self._station.party, int(station)))

    def offer(self, station: str, envelope: bytes, *, urgent: bool = False) -> bool:
        """Queue one; the same bytes once."""
        if len(envelope) > self.traits.largest:
            raise TooLarge("larger than the bearer carries")
        sends = self._kind.from_party in {-1, self._station.party}
        if not sends or not (self.up(station) or self.traits.one_way):
            return False
        queue = self._queues.setdefault(station, deque())
        if any(waiting == envelope for waiting, _ in queue):
            return True
        if len(queue) >= QUEUE and not urgent:
            return False
        if urgent:
            queue.appendleft((envelope, 0))
        else:
            queue.append((envelope, 1))
        self._carry(station)
        return True

    def _carry(self, station: str) -> None:
        queue = self._queues[station]
        if station in self._carrying or not queue:
            return
        self._carrying.add(station)
        envelope, _ = queue.popleft()
        bits = self.traits.bits_per_second
        took = len(envelope) * 8_000 // bits if bits else 0
        self._world.at(took, self._carried, station, envelope, self._station.incarnation)

    def _carried(self, station: str, envelope: bytes, incarnation: int) -> None:
        self._carrying.discard(station)
        world = self._world
        if incarnation != self._station.incarnation:
            return  # the process that had it is gone
        down = self._pair(station) in world.bearers_down or self._pair(station) in world.bearers_deaf
        if not down and world.dice("network").random() >= (0 if world.healed else world.profile.loss * 0.5):
            wait = world.dice("network").randint(1, self._kind.delay_ms)
            world.at(wait, world.arrive, self._kind, self._station.party, int(station), envelope)
        else:
            world.count("lost")
        self._carry(station)


class Wiring:
    """One station's bearers and Links, as long as its process lives."""

    def __init__(self, world: "World", station: "Station") -> None:
        self._world, self._station = world, station
        self._told: dict[int, Link] = {}
        self.links = Links(lambda: station.now().wall, lambda: station.now().steady, lambda _, __: None)
        for name in world.profile.bearers:
            self.links.add(Carrier(world, station, KINDS[name]))
        for party in range(world.parties):
            if party != station.party:
                for name in world.profile.bearers:
                    if KINDS[name].from_party in {-1, station.party}:
                        self.links.serve(name, str(party))
                self.links.route(str(party), self, party)

    def transmit(self, sent: Transmit) -> None:
        """As the runtime does."""
        self.links.transmit(str(sent.party), sent)

    # --- links.Line ---

    def envelope(self, envelope: bytes, bearer: str, *, stranger: bool = False) -> None:
        """An envelope for this station."""
        self._station.give(Strange(envelope) if stranger else Arrived(envelope))

    def linked(self, link: Link) -> None:
        """What the bearers carry now."""
        self._station.give(link)

    def peer(self, party: int) -> Peer | None:
        """Delivery to a party."""
        engine = self._station.engine
        return engine.peers[party] if engine is not None else None
