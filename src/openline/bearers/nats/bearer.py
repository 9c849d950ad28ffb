"""The bearer over NATS JetStream (spec 9.50 to 9.55): a relay that keeps envelopes until they are fetched.

The relay is believed about nothing. That it has stored an envelope is not
delivery; what comes out of an inbox may be from anybody. A link is up while
the relay is connected, our inbox is open and the peer's is there; whether the
peer fetches from it, only what the peer says will show.

Addresses are literal and appear in no log, counter or error.
"""

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import Final

from openline.bearers.nats.credentials import read_credentials
from openline.bearers.nats.jetstream import JetStream
from openline.bearers.nats.limits import LARGEST_ENVELOPE, Event, Pace
from openline.bearers.nats.session import Peer, Reports, Session
from openline.bearers.nats.wire import Lost, Wire, dial, parse_server
from openline.kernel.errors import Malformed, TooLarge
from openline.kernel.units import Entropy
from openline.ports import BearerTraits, Intake

COST: Final = 5
"""Behind TLS, which needs nobody in the middle."""
DELAY_MS: Final = 50
"""Twice a network and once a disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NatsConfig:
    """Which relay, and who we are to it."""

    station: str
    """Our own station id."""
    name: str = "nats"
    """Of the bearer; a second one, over another relay, is called nats-<something>."""
    servers: tuple[str, ...] = field(repr=False)
    """Literal addresses of one relay or of one cluster, tried in turn: "192.0.2.1:4222", "[2001:db8::1]:4222"."""
    credentials: bytes = field(default=b"", repr=False)
    """What the credentials file holds; see credentials.read_credentials. Empty: the relay asks nobody."""
    authority: bytes = field(default=b"", repr=False)
    """PEM certificates of which one must have certified the relay's. Empty: no TLS; envelopes need none."""
    server_name: str = field(default="", repr=False)
    """The name in the relay's certificate, if it is not its address."""
    pace: Pace = field(default_factory=Pace)


class NatsBearer:
    """A Bearer; besides the port, peers come and go."""

    def __init__(self, config: NatsConfig, intake: Intake, entropy: Entropy) -> None:
        """Raise Malformed when an address, the credentials or the authority's certificate is none."""
        if not config.servers:
            raise Malformed("a relay needs an address")
        self._config, self._pace = config, config.pace
        self._intake, self._entropy = intake, entropy
        self._servers = [parse_server(text) for text in config.servers]
        self._credentials = read_credentials(config.credentials)
        self._tls = _context(config.authority) if config.authority else None
        self._traits = BearerTraits(
            name=config.name, largest=LARGEST_ENVELOPE, cost=COST, one_way=False, delay_ms=DELAY_MS
        )
        self._peers: dict[str, Peer] = {}
        self._session: Session | None = None
        self._worked = False
        self._event: Event | None = None
        """Why there is no connection: counted once for each time."""

    # -- the port ----------------------------------------------------------

    @property
    def traits(self) -> BearerTraits:
        """What it can do."""
        return self._traits

    async def run(self) -> None:
        """Connect, and connect again, until cancelled."""
        pause, number = self._pace.retry_s, 0
        while True:
            self._worked, longest = False, self._pace.slow_retry_s
            server = self._servers[number % len(self._servers)]
            number += 1
            try:
                wire = await dial(server, self._tls, self._config.server_name, self._credentials, self._pace)
                await self._work(wire)
            except Lost as lost:
                self._note(lost.event)
                longest = self._pace.longest(lost.event)
            if self._worked:
                pause, number = self._pace.retry_s, number - 1  # the one that worked is tried first
            await asyncio.sleep(min(pause, longest))
            pause = min(2 * pause, longest)

    def offer(self, station: str, envelope: bytes, *, urgent: bool = False) -> bool:
        """Queue one envelope; False when down or full. Raises TooLarge above `traits.largest`."""
        if len(envelope) > LARGEST_ENVELOPE:
            raise TooLarge("the envelope is larger than the bearer carries")
        peer = self._peers.get(station)
        if peer is None or not peer.up:
            return False
        if envelope in peer.under_way:
            return True
        more = self._pace.urgent_files if urgent else 0
        files, size = self._pace.queue_files + more, self._pace.queue_bytes + more * LARGEST_ENVELOPE
        taken = peer.outbox.add(envelope, urgent=urgent, files=files, size=size)
        peer.stirred.set()
        return taken

    def up(self, station: str) -> bool:
        """Whether the relay is connected, our inbox open, and the station's there."""
        peer = self._peers.get(station)
        return peer is not None and peer.up

    # -- peers -------------------------------------------------------------

    def set_peer(self, station: str) -> None:
        """Exchange envelopes with a station over this relay. Harmless when it is known."""
        if station in self._peers:
            return
        peer = self._peers[station] = Peer(station=station)
        if self._session is not None:
            self._session.add(peer)

    def drop_peer(self, station: str) -> None:
        """Forget a station. Harmless when it is not there."""
        peer = self._peers.get(station)
        if peer is None:
            return
        self._link(peer, False)
        del self._peers[station]
        if self._session is not None:
            self._session.remove(station)

    # -- inside ------------------------------------------------------------

    async def _work(self, wire: Wire) -> None:
        """Raises Lost when the connection has ended."""
        reports = Reports(arrived=self._arrived, link=self._link, counted=self._note, working=self._working)
        stream = JetStream(wire, self._entropy, self._pace)
        self._session = Session(wire, stream, self._config.station, reports, self._pace)
        lost: Lost | None = None
        try:
            await self._session.run(list(self._peers.values()))
        except* Lost as group:
            lost = _first(group)
        finally:
            self._session = None
            for peer in self._peers.values():
                self._link(peer, False)
            await wire.close()
        if lost is not None:
            raise lost

    def _working(self) -> None:
        self._worked, self._event = True, None

    def _arrived(self, envelope: bytes) -> None:
        self._intake.arrived(self._config.name, None, envelope)

    def _link(self, peer: Peer, up: bool) -> None:
        if peer.up is up:
            return
        peer.up = up
        if not up:
            peer.outbox.clear()  # it is all offered again
        self._intake.link(self._config.name, peer.station, up=up)

    def _note(self, event: Event) -> None:
        """Count it; the same trouble again and again, once."""
        if event in (Event.NOT_STORED, Event.NO_ENVELOPE) or event is not self._event:
            self._intake.counted(self._config.name, event)
        if event not in (Event.NOT_STORED, Event.NO_ENVELOPE):
            self._event = event


def _first(group: ExceptionGroup[Lost]) -> Lost:
    found: Lost | ExceptionGroup[Lost] = group
    while isinstance(found, ExceptionGroup):
        found = found.exceptions[0]
    return found


def _context(authority: bytes) -> ssl.SSLContext:
    """Trusts these authorities alone, at TLS 1.2 and above. Raises Malformed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=authority.decode("ascii"))
    except (ssl.SSLError, UnicodeDecodeError):
        raise Malformed("the relay's authority is not a certificate in PEM") from None
    return context
