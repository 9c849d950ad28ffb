"""The simulated world: virtual time, the bearers between stations, and chance. One seed, one history."""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random
from typing import Any

from openline.kernel.crypto import Signer
from openline.kernel.keys import make_card
from openline.kernel.terms import Policy, make_terms
from openline.kernel.units import Instant
from openline.protocol.events import Arrived, Transmit
from openline.protocol.records import LineRecord
from tests.sim.bearers import Kind
from tests.sim.checkers import Checkers
from tests.sim.profiles import THIN, WIDE, Profile
from tests.sim.station import Station
from tests.sim.tap import Tap, named

MOST_A_SECOND = 5_000
"""Envelopes in a virtual second beyond which a run is a storm, and would never end."""

MOST_EVENTS = 3_000_000


@dataclass(slots=True)
class Way:
    """The bearers from one party to another."""

    largest: int = WIDE
    smallest: int = WIDE
    loss: float = 0.0
    duplicate: float = 0.0
    corrupt: float = 0.0
    delay_ms: int = 20
    cut: bool = False
    """Nothing passes, whether or not the stations were told."""


class World:
    """Stations, ways and the heap of what happens next. Raises checkers.Failed when something is not as it must be."""

    def __init__(self, seed: int, profile: Profile, *, trace: Callable[[str], None] | None = None) -> None:
        self.seed, self.profile = seed, profile
        self.scenario = f"{profile.name} {seed if profile.crash_at < 0 else 0}"
        """What is the same for all seeds of a profile that moves one crash through one history."""
        self._dice: dict[str, Random] = {}
        self._trace, self._digest = trace, hashlib.sha256()
        self.now = 0
        self._heap: list[tuple[int, int, Callable[..., Any], tuple[Any, ...]]] = []
        self._count = 0
        self.faults: Counter[str] = Counter()
        self.events = self.outputs = self.envelopes = 0
        self.delivered: set[tuple[int, bytes]] = set()
        self._second = (0, 0)
        self.healed = False
        self.secrets: set[bytes] = set()
        setup = self.dice("setup")
        self.parties = setup.choice(profile.parties)
        self.swarm = {name: self.dice("swarm").random() < 0.75 for name in _CLASSES}
        self.crash_at = seed if profile.crash_at >= 0 else -1
        self.full_disks: set[int] = set()
        self._make_line(setup)
        self._make_ways()
        self.bearers_down: set[tuple[str, frozenset[int]]] = set()
        """(bearer, the pair) that are down, as both ends know."""
        self.bearers_deaf: set[tuple[str, frozenset[int]]] = set()
        """Those that lose everything though they say they are up."""
        self.replayable: list[tuple[int, int, bytes]] = []
        self.tap = Tap(self.line)
        self.checks = Checkers(self)

    # --- setting up ---

    def _make_line(self, setup: Random) -> None:
        names = ["ALPHA", "BRAVO", "CHARLIE", "DELTA"][: self.parties]
        pairs = {name: (self._signer(setup), self._signer(setup)) for name in names}
        cards = {
            name: make_card(
                name=name,
                root=root,
                lane=lane.public,
                certificate=b"-",
                addresses=(),
                made=Instant(1),
                expires=Instant(2),
            )
            for name, (root, lane) in pairs.items()
        }
        policy = Policy(urgent_per_hour=30, traffic_per_hour=25) if self.profile.quota else Policy()
        terms = make_terms(tuple(card.party(setup.randbytes(32)) for card in cards.values()), policy)
        self.terms, self.line = terms, terms.line
        order = [party.name for party in terms.parties]
        self.cards = [cards[name] for name in order]
        self.signers = [pairs[name][1] for name in order]
        self.roots = [pairs[name][0] for name in order]
        psks: dict[frozenset[int], bytes] = {}
        for a in range(self.parties):
            for b in range(a):
                psks[frozenset((a, b))] = setup.randbytes(32)
        self.secrets.update(psks.values())
        raw = tuple(card.raw for card in self.cards)
        self.stations = [
            Station(
                self,
                LineRecord(line=self.line, party=party, terms=terms.raw, cards=raw, label="SIM"),
                self.signers[party],
                {other: psks[frozenset((party, other))] for other in range(self.parties) if other != party},
            )
            for party in range(self.parties)
        ]
        self.faces: dict[tuple[int, int], Station] = {}

    def _signer(self, setup: Random) -> Signer:
        seeds = setup.randbytes(32), setup.randbytes(32)
        self.secrets.update(seeds)
        return Signer(*seeds)

    def _make_ways(self) -> None:
        dice, p = self.dice("ways"), self.profile
        on = {name: float(self.swarm[name]) for name in ("loss", "duplicate", "corrupt", "delay")}
        self.ways: dict[tuple[int, int], Way] = {}
        for a in range(self.parties):
            for b in range(self.parties):
                if a != b:
                    self.ways[a, b] = Way(
                        loss=dice.random() * p.loss * on["loss"],
                        duplicate=dice.random() * p.duplicate * on["duplicate"],
                        corrupt=dice.random() * p.corrupt * on["corrupt"],
                        delay_ms=int(max(20, dice.random() * p.delay_ms * on["delay"])),
                    )
        for a in range(self.parties):
            for b in range(a):
                if dice.random() < p.thin:
                    largest = dice.choice((THIN, WIDE))
                    for way in (self.ways[a, b], self.ways[b, a]):
                        way.largest, way.smallest = largest, THIN

        self.sizes = {pair: (way.largest, way.smallest) for pair, way in self.ways.items()}
        """What carries envelopes when nothing is cut."""

    def all_stations(self) -> list[Station]:
        """Every process, a liar's faces too."""
        return [*self.stations, *{id(face): face for face in self.faces.values() if face.face}.values()]

    def honest_stations(self) -> list[Station]:
        return [station for station in self.stations if station.honest]

    def liars(self) -> list[Station]:
        return [station for station in self.stations if not station.honest]

    def way(self, station: Station, party: int) -> Way | None:
        """The bearers from a station to a party; None where another face of a liar serves it."""
        if self.faces.get((station.party, party), station) is not station:
            return None
        return self.ways[station.party, party]

    # --- time and chance ---

    def dice(self, name: str) -> Random:
        """A stream of chance for one purpose, so that more of one fault does not shuffle all others."""
        if name not in self._dice:
            of = f"{self.seed}" if name == "crash" else self.scenario
            self._dice[name] = Random(f"{of} {self.profile.name} {name}")
        return self._dice[name]

    def at(self, wait_ms: int, what: Callable[..., Any], *args: Any) -> None:
        """Do something later."""
        self._count += 1
        heappush(self._heap, (self.now + max(0, wait_ms), self._count, what, args))

    def run(self, wait_ms: int) -> None:
        """Let so much time pass."""
        end = self.now + wait_ms
        while self._heap and self._heap[0][0] <= end:
            at, _, what, args = heappop(self._heap)
            self.now = at
            self.events += 1
            if self.events > MOST_EVENTS:
                self.checks.fail("quiet", "events without end")
            what(*args)
        self.now = end

    def note(self, station: Station | None, what: str) -> None:
        """One line of the trace."""
        who = station.name if station is not None else "-"
        line = f"{self.now:>9} {who:<4} {what}"
        self._digest.update(line.encode())
        if self._trace is not None:
            self._trace(line)

    def fingerprint(self) -> str:
        """Of the whole trace."""
        return self._digest.hexdigest()

    def count(self, what: str) -> None:
        self.faults[what] += 1

    def fault(self, what: str, station: Station | None = None) -> None:
        self.count(what)
        self.note(station, f"! {what}")

    # --- what stations ask ---

    def crashes_here(self, station: Station) -> bool:
        """Whether the process dies at this point; asked between every two outputs and steps of a commit."""
        self.outputs += 1
        if self.healed:
            return False
        if self.crash_at >= 0:
            return self.outputs == self.crash_at
        return self.profile.crash > 0 and self.swarm["crash"] and self.dice("crash").random() < self.profile.crash

    def disk_fails(self, station: Station) -> bool:
        if self.healed or not self.swarm["disk"]:
            return False
        return station.party in self.full_disks or self.dice("disk").random() < self.profile.disk

    def latency(self, station: Station) -> int:
        return self.dice("latency").randint(0, 5 if self.healed else self.profile.latency_ms)

    def station_for(self, party: int, other: int) -> Station:
        """Which station of a party stands towards another."""
        return self.faces.get((party, other), self.stations[party])

    # --- the bearers ---

    def carry(self, station: Station, sent: Transmit) -> None:
        """Take an envelope over, or lose, double, delay or spoil it."""
        self.envelopes += 1
        second, begun = self._second
        if second != self.now // 1_000:
            self._second = (self.now // 1_000, self.envelopes)
        elif self.envelopes - begun > MOST_A_SECOND:
            self.checks.fail("quiet", "a storm: envelopes without end")
        way, dice = self.ways[station.party, sent.party], self.dice("network")
        self.replayable.append((station.party, sent.party, sent.envelope))
        if len(self.replayable) > 400:
            del self.replayable[: dice.randrange(1, 200)]
        if station.wiring is not None:
            return station.wiring.transmit(sent)
        if way.cut or len(sent.envelope) > way.largest:
            return self.count("cut off")
        if dice.random() < way.loss:
            return self.fault("lost", station)
        copies = 1
        if dice.random() < way.duplicate:
            copies = dice.choice((2, 2, 3))
            self.fault("duplicated", station)
        for _ in range(copies):
            envelope = sent.envelope
            if dice.random() < way.corrupt:
                envelope = spoilt(envelope, dice)
                self.fault("corrupted", station)
            self.at(dice.randint(1, way.delay_ms), self.deliver, station.party, sent.party, envelope)
        return None

    def arrive(self, kind: Kind, sender: int, receiver: int, envelope: bytes) -> None:
        """Bytes arrive at a party over a bearer."""
        self.delivered.add((receiver, named(envelope)))
        wiring = self.station_for(receiver, sender).wiring
        if wiring is not None:
            wiring.links.arrived(kind.traits.name, str(sender) if kind.knows_sender else None, envelope)

    def deliver(self, sender: int, receiver: int, envelope: bytes) -> None:
        """Bytes arrive at a party."""
        self.delivered.add((receiver, named(envelope)))
        self.station_for(receiver, sender).give(Arrived(envelope))


_CLASSES = (
    "loss", "duplicate", "corrupt", "delay", "cuts", "replay", "flood", "crash", "disk", "clocks", "restores", "forget",
    "rotations",
)  # fmt: skip


def spoilt(envelope: bytes, dice: Random) -> bytes:
    """An envelope with something wrong: a flipped bit anywhere, cut short, longer, or nothing left."""
    match dice.randrange(8):
        case 0:
            return envelope[: dice.randrange(len(envelope))]
        case 1:
            return envelope + dice.randbytes(dice.randrange(1, 300))
        case 2:
            return b""
        case _:
            data = bytearray(envelope)
            place = dice.choice((dice.randrange(min(8, len(data))), dice.randrange(len(data)), len(data) - 1))
            data[place] ^= 1 << dice.randrange(8)
            return bytes(data)
