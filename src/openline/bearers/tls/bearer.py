"""The bearer over TCP: TLS 1.3 between stations that know each other's certificate.

Both sides dial and both accept. When two connections stand, the one dialled by
the side with the lower certificate digest stays, as soon as it has proved to
be alive; the other one is retired without losing a frame, and the link stays
up all the while. A link is up once the peer's hello was read, and down once
no connection is left.

Strangers get a handshake's and a hello's deadline, a few kilobytes and a
counter; when there are too many, the source address that has the most
connections loses its oldest. Addresses are literal, so no name service is
asked, and they appear in no log, counter or error.
"""

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from openline.bearers.certificate import check_certificate, client_context, digest_of, server_context
from openline.bearers.tls.address import Address, parse_address, source_of
from openline.bearers.tls.announced import Announced, Announcements
from openline.bearers.tls.dial import UNREACHED, first_reached, keep_linked, reach
from openline.bearers.tls.limits import LARGEST_ENVELOPE, LINK_PROTOCOL, PAIR_PROTOCOL, Event, Kind, Pace
from openline.bearers.tls.listen import Listeners
from openline.bearers.tls.pair import PairStream
from openline.bearers.tls.peer import Peer
from openline.bearers.tls.wire import Wire
from openline.kernel.errors import Conflict, TooLarge, Unavailable
from openline.kernel.units import Entropy
from openline.ports import BearerTraits, Intake

TRAITS: Final = BearerTraits(name="tls", largest=LARGEST_ENVELOPE, cost=0, one_way=False)

_GOODBYE_S: Final = 0.3
"""Of the station's two seconds to stop in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsConfig:
    """Where to listen ("127.0.0.1:7601", "[::1]:7601"; port 0 takes a free one), and who we are."""

    listen: tuple[str, ...] = field(repr=False)
    certificate: bytes = field(repr=False)
    """DER; see `certificate.new_certificate`."""
    key: bytes = field(repr=False)
    """PKCS8 DER."""
    pace: Pace = field(default_factory=Pace)


class TlsBearer:
    """A Bearer; besides the port, peers come and go, and pairing conversations are held."""

    def __init__(self, config: TlsConfig, intake: Intake, entropy: Entropy) -> None:
        """Raise Malformed when an address, the certificate or the key is not one."""
        check_certificate(config.certificate)
        self._config = config
        self._pace = config.pace
        self._intake = intake
        self._entropy = entropy
        self._listen = tuple(parse_address(text) for text in config.listen)
        self._digest = digest_of(config.certificate)
        self._peers: dict[str, Peer] = {}
        self._by_digest: dict[bytes, Peer] = {}
        self._pairing: dict[bytes, tuple[bytes, Callable[[PairStream], None]]] = {}
        self._announced = Announcements()
        self._wires: set[Wire] = set()
        self._strangers: dict[Wire, bytes] = {}
        """Accepted, hello not yet read, oldest first; each with its source."""
        self._listeners = Listeners(self._listen, self._accepted, self.counted)
        self._listening = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self._accepting: ssl.SSLContext = self._server_context()

    # -- the port ----------------------------------------------------------

    @property
    def trouble(self) -> str:
        """What is wrong though it works, in words for people; empty while nothing is."""
        deaf = self._listening.is_set() and self._listeners.missing
        return (
            "cannot listen at a configured address: is it there, and its port free? It is tried again" if deaf else ""
        )

    @property
    def traits(self) -> BearerTraits:
        """What it can do."""
        return TRAITS

    async def run(self) -> None:
        """Listen, dial and carry until cancelled. An address that cannot be listened at is tried again."""
        try:
            async with asyncio.TaskGroup() as group:
                try:
                    self._group = group
                    await self._listeners.open()
                    self._listening.set()
                    for peer in self._peers.values():
                        self._start(peer)
                    await self._listeners.complete(self._pace.listen_s)
                    await asyncio.get_running_loop().create_future()
                finally:
                    self._group = None  # it takes nothing more
        finally:
            self._listening.clear()
            await self._listeners.close()
            await self._close_wires()

    def offer(self, station: str, envelope: bytes, *, urgent: bool = False) -> bool:
        """Queue one envelope; False when down or full. Raises TooLarge above `traits.largest`."""
        if len(envelope) > LARGEST_ENVELOPE:
            raise TooLarge("the envelope is larger than the bearer carries")
        peer = self._peers.get(station)
        if peer is None or peer.active is None:
            return False
        return peer.active.send(Kind.ENVELOPE, envelope, urgent=urgent)

    def up(self, station: str) -> bool:
        """Whether a connection that has said hello stands."""
        peer = self._peers.get(station)
        return peer is not None and peer.active is not None

    # -- peers, and where we listen ----------------------------------------

    async def listening(self) -> tuple[str, ...]:
        """Wait until `run` listens; return the addresses with the ports that were taken."""
        await self._listening.wait()
        return self._listeners.bound

    def set_peer(self, station: str, certificate: bytes, addresses: Iterable[str]) -> None:
        """Pin a station's certificate and say where it may be reached (nowhere: it dials us).

        A link stays up when only addresses change. Raises Malformed for a
        certificate or address that is none, Conflict when the certificate is
        our own or another station's.
        """
        parsed = tuple(parse_address(text) for text in addresses)
        peer = self._peers.get(station)
        if peer is None or peer.certificate != certificate:
            check_certificate(certificate)
            digest = digest_of(certificate)
            if digest == self._digest or digest in self._by_digest:
                raise Conflict("the certificate is another station's")
            context = self._client_context(certificate, LINK_PROTOCOL)
            self.drop_peer(station)
            peer = Peer(station, certificate, context, own_digest=self._digest)
            peer.delay = self._pace.retry_s
            self._peers[station] = self._by_digest[digest] = peer
            self._accepting = self._server_context()
        if peer.addresses != parsed:
            peer.addresses = parsed
            self._start(peer)

    def expect_certificate(self, station: str, certificate: bytes, seen: Callable[[bytes], None]) -> None:
        """Accept another certificate of a peer as well; once it shows it, that is its pin, and `seen` is told.

        Raises Malformed for a certificate that is none, Conflict when it is our own or another station's.
        """
        check_certificate(certificate)
        digest = digest_of(certificate)
        peer = self._peers.get(station)
        if digest == self._digest or self._by_digest.get(digest, peer) is not peer:
            raise Conflict("the certificate is another station's")
        if peer is None or peer.digest == digest:
            return
        self._announced.expect(Announced(station=station, certificate=certificate, seen=seen))
        peer.context = self._client_context(peer.certificate, LINK_PROTOCOL, certificate)
        self._accepting = self._server_context()

    def present(self, certificate: bytes, key: bytes) -> None:
        """Be known by another certificate from now on: every connection begins anew. Raises Malformed."""
        check_certificate(certificate)
        self._config = replace(self._config, certificate=certificate, key=key)
        self._digest = digest_of(certificate)
        for peer in self._peers.values():
            pins = (peer.certificate, *self._announced.of(peer.station))
            peer.known_as(self._digest, self._client_context(pins[0], LINK_PROTOCOL, *pins[1:]))
        self._accepting = self._server_context()
        for wire in list(self._wires):
            wire.end()

    def _renewed(self, digest: bytes, dialled: str | None = None) -> Peer | None:
        """The peer that shows, with a certificate of that digest, the one it was expected to change to."""
        found = self._announced.shown(digest, dialled)
        peer = self._peers.get(found.station) if found is not None else None
        if found is None or peer is None:
            return None
        del self._by_digest[peer.digest]
        peer.pin(found.certificate, self._client_context(found.certificate, LINK_PROTOCOL), self._digest)
        self._by_digest[digest] = peer
        self._accepting = self._server_context()
        found.seen(found.certificate)
        return peer

    def drop_peer(self, station: str) -> None:
        """Forget a station and end its link at once. Harmless when it is not there."""
        peer = self._peers.get(station)
        if peer is None:
            return
        if peer.keeper is not None:
            peer.keeper.cancel()
        for wire in [wire for wire in self._wires if wire.digest == peer.digest]:
            wire.end()
        self._announced.drop(station)
        # Last, so that the end of the link has still been reported.
        del self._peers[station], self._by_digest[peer.digest]
        self._accepting = self._server_context()

    # -- pairing -----------------------------------------------------------

    def expect_pairing(self, certificate: bytes, accept: Callable[[PairStream], None]) -> None:
        """Let the holder of this certificate open a pairing conversation: `accept` gets each. Raises Malformed."""
        check_certificate(certificate)
        self._pairing[digest_of(certificate)] = (certificate, accept)
        self._accepting = self._server_context()

    def end_pairing(self, certificate: bytes) -> None:
        """Expect no conversation any more; those that run go on."""
        self._pairing.pop(digest_of(certificate), None)
        self._accepting = self._server_context()

    async def pair_dial(self, certificate: bytes, addresses: Iterable[str], *, deadline_s: float = 15.0) -> PairStream:
        """Open a pairing conversation with the holder of a certificate, at the first address that answers.

        Raises Malformed for a certificate or address that is none, Unavailable
        when nobody with that certificate accepts before the deadline.
        """
        check_certificate(certificate)
        context = self._client_context(certificate, PAIR_PROTOCOL)
        targets = [parse_address(text) for text in addresses]
        digest = digest_of(certificate)

        def begin(to: Address) -> asyncio.Task[Wire | None]:
            if self._group is None:
                raise Unavailable(UNREACHED)
            return self._group.create_task(reach(self, to, context, digest, self._pace))  # it ends with the bearer

        try:
            async with asyncio.timeout(deadline_s):
                wire = await first_reached(targets, begin, self._pace.stagger_s)
        except TimeoutError:
            raise Unavailable(UNREACHED) from None
        wire.greet()
        return self._pair_stream(wire)

    def _pair_stream(self, wire: Wire) -> PairStream:
        return PairStream(wire, counted=self.counted, forget=self._wires.discard)

    # -- what connections report (tls_wire.Owner) --------------------------

    def made(self, wire: Wire) -> None:
        """Keep account of a connection; make room among the strangers."""
        self._wires.add(wire)
        if self._group is None:
            wire.end()  # the system had it ready as we stopped
            return
        if wire.dialled:
            return
        if len(self._strangers) >= self._pace.strangers:
            crowd = Counter(self._strangers.values())
            most = max(crowd.values())
            next(other for other, source in self._strangers.items() if crowd[source] == most).end(Event.CROWDED_OUT)
        self._strangers[wire] = source_of(wire.remote)

    def secured(self, wire: Wire, certificate: bytes, protocol: str | None) -> bool:
        """Compare the whole certificate: OpenSSL has only checked that a pinned key stands behind it."""
        digest = digest_of(certificate)
        if wire.dialled:
            dialled = self._by_digest.get(wire.digest)
            if digest != wire.digest and dialled is not None and protocol == LINK_PROTOCOL:
                wire.digest = digest if self._renewed(digest, dialled.station) else wire.digest
            return digest == wire.digest and protocol is not None
        wire.digest = digest
        peer = self._by_digest.get(digest) or (self._renewed(digest) if protocol == LINK_PROTOCOL else None)
        if protocol == LINK_PROTOCOL and peer is not None:
            wire.station = peer.station
            return True
        return protocol == PAIR_PROTOCOL and digest in self._pairing

    def greeted(self, wire: Wire) -> None:
        """Let an accepted connection in; a dialled one is awaited by its dialler."""
        if wire.dialled:
            return
        self._strangers.pop(wire, None)
        peer = self._peers.get(wire.station)
        if peer is not None:
            self._join(peer, wire)
        elif wire.digest in self._pairing:
            self._pairing[wire.digest][1](self._pair_stream(wire))
        else:
            wire.end(Event.UNKNOWN_CERTIFICATE)

    def envelope(self, wire: Wire, payload: bytes) -> None:
        """Hand an envelope to the station."""
        if len(payload) > LARGEST_ENVELOPE:
            wire.end(Event.FRAME_TOO_LARGE)
        elif not wire.station:
            wire.end(Event.HELLO_WRONG)  # it speaks before our hello
        else:
            self._intake.arrived(TRAITS.name, wire.station, payload)

    def proved(self, wire: Wire) -> None:
        """Let the peer return to it."""
        self._peers[wire.station].proved(wire)

    def retired(self, wire: Wire) -> None:
        """Let the peer move to another connection."""
        peer = self._peers.get(wire.station)
        if peer is None:
            wire.close()
        else:
            peer.retired(wire)

    def ended(self, wire: Wire) -> None:
        """Move to another connection of the peer, or report the link down."""
        self._strangers.pop(wire, None)
        peer = self._peers.get(wire.station)
        if peer is None or not peer.leave(wire):
            return
        lasted = asyncio.get_running_loop().time() - peer.up_since
        if lasted >= self._pace.steady_s:
            peer.delay = self._pace.retry_s
        else:
            peer.delay = min(peer.delay * 2, self._pace.quick_retry_s)
        self._intake.link(TRAITS.name, peer.station, up=False)

    def stalled(self, wire: Wire) -> None:
        """Dial the peer beside it, or no more."""
        peer = self._peers.get(wire.station)
        if peer is not None:
            peer.doubt(wire)

    def closed(self, wire: Wire) -> None:
        """Forget a socket that is gone."""
        self._wires.discard(wire)

    def counted(self, event: Event) -> None:
        """Pass a counter on."""
        self._intake.counted(TRAITS.name, event)

    # -- inside ------------------------------------------------------------

    def _join(self, peer: Peer, wire: Wire) -> None:
        stalled = peer.set_aside()
        if stalled is not None:  # what it swallowed is to be repeated at once, as when a link comes up
            self._intake.link(TRAITS.name, peer.station, up=False)
        if peer.join(wire):
            peer.up_since = asyncio.get_running_loop().time()
            self._intake.link(TRAITS.name, peer.station, up=True)
        if stalled is not None:
            peer.give_up(stalled)

    async def _attempt(self, peer: Peer, address: Address) -> None:
        """Link a peer at one address, unless it has been linked or dropped meanwhile."""
        wire = await reach(self, address, peer.context, peer.digest, self._pace)
        if wire is None:
            return
        if peer.linked.is_set() or self._peers.get(peer.station) is not peer:
            wire.end()
            return
        wire.station = peer.station
        wire.greet()
        self._join(peer, wire)

    def _start(self, peer: Peer) -> None:
        """Dial a peer from now on, at the addresses it has now."""
        if peer.keeper is not None:
            peer.keeper.cancel()
        if self._group is not None and peer.addresses:
            keeping = keep_linked(peer, self._attempt, pace=self._pace, entropy=self._entropy)
            peer.keeper = self._group.create_task(keeping)

    def _server_context(self) -> ssl.SSLContext:
        pins = [peer.certificate for peer in self._peers.values()]
        pins += [certificate for certificate, _ in self._pairing.values()]
        pins += self._announced.certificates()
        return server_context(self._config.certificate, self._config.key, pins, [LINK_PROTOCOL, PAIR_PROTOCOL])

    def _client_context(self, pin: bytes, protocol: str, *also: bytes) -> ssl.SSLContext:
        return client_context(self._config.certificate, self._config.key, [pin, *also], protocol)

    def _accepted(self) -> Wire:
        return Wire(self, self._accepting, dialled=False, pace=self._pace)

    async def _close_wires(self) -> None:
        """Say goodbye on every connection, and wait no longer than the goodbye takes."""
        wires = list(self._wires)
        for wire in wires:
            wire.close()
        try:
            async with asyncio.timeout(_GOODBYE_S):
                for wire in wires:
                    await wire.socket_closed.wait()
        except TimeoutError:
            for wire in wires:
                wire.abort()
                await wire.socket_closed.wait()
