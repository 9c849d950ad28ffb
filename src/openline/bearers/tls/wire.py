"""One TLS connection: the handshake, the first byte, frames in, frames out.

    HANDSHAKE --pinned certificate--> HELLO --the peer's hello--> OPEN --> ENDED

A frame is a 4-byte big-endian length of its payload, a type byte, the payload.
The accepting side says hello first, once it has verified the certificate it
was shown: under TLS 1.3 the dialling side has finished by then and knows
nothing. Its own hello, which it sends only on the connection that it keeps,
opens the link.

TLS runs over memory buffers rather than in asyncio's transport, so that a
connection can be judged at every step, and so that what is ready in one turn
of the loop leaves in one record and one system call.
"""

import asyncio
import ssl
from typing import Final, Protocol, cast

from openline.bearers.tls.limits import HELLO_BYTES, LARGEST_LINK_FRAME, Event, Kind, Pace, Phase
from openline.bearers.tls.outbox import HEADER, Outbox
from openline.bearers.tls.tcp import prepare, unanswered

_READ_BYTES: Final = 16_384
_PIECE_BYTES: Final = 32_768
"""Taken from a socket at a time: 120 of the smallest envelopes, some 50 ms of a line's work."""
"""The largest TLS record (RFC 8446 5.1): one read empties one record."""
_BELOW_US_BYTES: Final = 65_536
"""What may wait in the transport, and in the system, where an urgent frame cannot overtake it any more."""
_HANDSHAKE_BYTES: Final = 32_768
"""A stranger's whole budget. An honest side's handshake takes about 1 KiB."""


_LOST_TWICE: Final = 2
"""Attempts in a row that nobody acknowledged: TCP waits ever longer now, up to many times the cut that caused them."""


class Owner(Protocol):
    """What a connection reports, at once and in this order."""

    def made(self, wire: "Wire") -> None:
        """The TCP connection stands."""

    def secured(self, wire: "Wire", certificate: bytes, protocol: str | None) -> bool:
        """TLS stands; whether this certificate may speak this protocol here."""
        ...

    def greeted(self, wire: "Wire") -> None:
        """The peer's hello was read."""

    def envelope(self, wire: "Wire", payload: bytes) -> None:
        """An ENVELOPE frame came in."""

    def proved(self, wire: "Wire") -> None:
        """A doubted connection has said something."""

    def retired(self, wire: "Wire") -> None:
        """The peer has sent its last frame here."""

    def ended(self, wire: "Wire") -> None:
        """Nothing goes in or out any more."""

    def closed(self, wire: "Wire") -> None:
        """The socket is gone."""

    def stalled(self, wire: "Wire") -> None:
        """Whether nothing gets through on an open connection has changed."""

    def counted(self, event: Event) -> None:
        """Something worth a counter."""


class Wire(asyncio.BufferedProtocol):
    """A connection, accepted or dialled. All methods are for the loop's thread."""

    def __init__(self, owner: Owner, context: ssl.SSLContext, *, dialled: bool, pace: Pace) -> None:
        self.owner = owner
        self.dialled = dialled
        self.phase = Phase.HANDSHAKE
        self.station = ""
        """The peer's station id, for the owner to set."""
        self.digest = b""
        """SHA-256 of the certificate that the peer must show (dialled) or has shown."""
        self.largest = LARGEST_LINK_FRAME
        self.doubted = False
        self.stalled = False
        """Nothing gets through at present; what is missing may still come, so it is not ended yet."""
        self.retiring = False
        """Our last frame has been queued."""
        self.left = False
        """The peer's last frame has come, for the owner to set."""
        self.remote: object = None
        """The socket's other end, as the system names it; never to be logged."""
        self.settled = asyncio.Event()
        """Set when OPEN or ENDED."""
        self.socket_closed = asyncio.Event()
        self.outbox = Outbox(pace.queue_bytes)
        self._pace = pace
        self._loop = asyncio.get_running_loop()
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=not dialled)
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle | None = None
        self._heard = self._sent = self._loop.time()
        self._unproved = 0
        self._partial = b""
        self._piece = bytearray(_PIECE_BYTES)
        self._paused = False
        self._corked = False

    # -- what asyncio calls ------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin: options, the handshake's deadline, the first flight if we dialled."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_BELOW_US_BYTES)
        self.remote = transport.get_extra_info("peername")
        prepare(transport.get_extra_info("socket"), self._pace.silence_s, below_us=_BELOW_US_BYTES)
        self._timer = self._loop.call_later(self._pace.handshake_s, self.end, Event.HANDSHAKE_LATE)
        self.owner.made(self)
        if self.dialled:
            self._handshake()

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - asyncio names it
        """Where the next bytes go: few at a time, so that who floods one connection leaves all else its turn."""
        return self._piece

    def buffer_updated(self, nbytes: int) -> None:
        """Take what came into the buffer."""
        self.data_received(bytes(memoryview(self._piece)[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Take what has come, as far as the phase allows."""
        if self.phase is Phase.ENDED:
            return
        self._heard = self._loop.time()
        if self.phase is Phase.HANDSHAKE:
            self._unproved += len(data)
            if self._unproved > _HANDSHAKE_BYTES:
                self.end(Event.HANDSHAKE_FAILED)
                return
        self._in.write(data)
        if self.phase is Phase.HANDSHAKE:
            self._handshake()
        if self.phase in {Phase.HELLO, Phase.OPEN}:
            self._read()

    def eof_received(self) -> None:
        """End at the other side's end: half a connection is of no use here."""
        self.end(self._cut())

    def connection_lost(self, _error: Exception | None) -> None:
        """Report the end, with nothing of the error: it names addresses."""
        self.end(self._cut())
        if self._timer is not None:
            self._timer.cancel()
        self.socket_closed.set()
        self.owner.closed(self)

    def pause_writing(self) -> None:
        """Queue from now on: the transport is full."""
        self._paused = True

    def resume_writing(self) -> None:
        """Write what has been queued."""
        self._paused = False
        self._flush()

    # -- what the owner calls ----------------------------------------------

    def greet(self) -> None:
        """Say our hello."""
        self._queue(Kind.HELLO, HELLO_BYTES, urgent=True)

    def send(self, kind: Kind, payload: bytes = b"", *, urgent: bool = False) -> bool:
        """Queue a frame and write it if that is possible now; False when full, retiring or not open."""
        if self.phase is not Phase.OPEN or self.retiring:
            return False
        if not self.outbox.room(payload, urgent=urgent):
            return False
        self._queue(kind, payload, urgent=urgent)
        return True

    def inherit(self, other: "Wire") -> None:
        """Take over what `other` has queued and not yet written."""
        other.outbox.move_to(self.outbox)
        self._flush()

    def retire(self) -> None:
        """Send our last frame; the peer's last frame, or a deadline, ends the connection."""
        if self.send(Kind.RETIRE):
            self.retiring = True
            self._wait(self._pace.retire_s, None)

    def close(self) -> None:
        """End in good order: what is queued, then TLS's own goodbye."""
        if self.phase is Phase.ENDED:
            return
        if self.phase is Phase.OPEN:
            self._flush()
        self._goodbye()

    def end(self, event: Event | None = None) -> None:
        """End at once, counting `event`. Harmless when repeated."""
        if self._finish(event):
            self._transport.abort()

    def abort(self) -> None:
        """Let go of the socket, whatever is still to be written."""
        self.end()
        self._transport.abort()

    # -- the handshake -----------------------------------------------------

    def _handshake(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._transport.write(self._out.read())
            return
        except ssl.SSLCertVerificationError:
            self._goodbye(Event.UNKNOWN_CERTIFICATE)
            return
        except ssl.SSLError:
            self._goodbye(Event.HANDSHAKE_FAILED)
            return
        certificate = self._tls.getpeercert(binary_form=True) or b""
        self._transport.write(self._out.read())
        if not self.owner.secured(self, certificate, self._tls.selected_alpn_protocol()):
            self._goodbye(Event.UNKNOWN_CERTIFICATE)
            return
        self.phase = Phase.HELLO
        self._wait(self._pace.hello_s, Event.HELLO_LATE)
        if not self.dialled:
            self.greet()

    def _hello(self, kind: int, payload: bytes) -> None:
        if kind != Kind.HELLO or payload != HELLO_BYTES:
            self.end(Event.HELLO_WRONG)
            return
        self.phase = Phase.OPEN
        if self._timer is not None:
            self._timer.cancel()
        self._watch()
        self.settled.set()
        self.owner.greeted(self)

    # -- frames in ---------------------------------------------------------

    def _read(self) -> None:
        while self._in.pending or self._tls.pending():
            try:
                plain = self._tls.read(_READ_BYTES)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLError:
                self.end(self._cut() or Event.RECORD_BROKEN)
                return
            if not plain:  # TLS's own goodbye
                self.close()
                return
            self._parse(self._partial + plain if self._partial else plain)
            if self.phase is Phase.ENDED:
                return
        if self._out.pending:  # an answer to a key update
            self._transport.write(self._out.read())

    def _parse(self, data: bytes) -> None:
        at, end = 0, len(data)
        while end - at >= HEADER.size:
            length, kind = HEADER.unpack_from(data, at)
            if length > self.largest:
                self.end(Event.FRAME_TOO_LARGE)
                return
            begin = at + HEADER.size
            at_next = begin + length
            if at_next > end:
                break
            self._frame(kind, data[begin:at_next])
            if self.phase is Phase.ENDED:
                return
            at = at_next
        self._partial = data[at:]

    def _frame(self, kind: int, payload: bytes) -> None:
        if self.phase is Phase.HELLO:
            self._hello(kind, payload)
            return
        if self.doubted:
            self.owner.proved(self)
        if kind == Kind.ENVELOPE:
            self.owner.envelope(self, payload)
        elif kind == Kind.PROBE:
            self.send(Kind.BEAT, urgent=True)
        elif kind == Kind.RETIRE:
            self.owner.retired(self)
        elif kind != Kind.BEAT:
            self.end(Event.FRAME_UNKNOWN)

    # -- frames out --------------------------------------------------------

    def _queue(self, kind: Kind, payload: bytes, *, urgent: bool) -> None:
        self.outbox.add(kind, payload, urgent=urgent)
        if not self._corked:
            self._flush()

    def _flush(self) -> None:
        """Write what is queued, and hold back the rest of this turn's frames for one write together."""
        while self.outbox.size and not self._paused and self.phase is not Phase.ENDED:
            if not self._corked:
                self._corked = True
                self._loop.call_soon(self._uncork)
            self._write(self.outbox.next_batch())

    def _uncork(self) -> None:
        self._corked = False
        self._flush()

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._tls.write(rest) :]
        except ssl.SSLError:
            self.end(Event.RECORD_BROKEN)
            return
        self._sent = self._loop.time()
        self._transport.write(self._out.read())

    # -- deadlines and the end ---------------------------------------------

    def _wait(self, seconds: float, event: Event | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self.end, event)

    def _watch(self) -> None:
        """Look after a silent peer and our own silence. What has arrived was read before timers run."""
        now = self._loop.time()
        if now - self._heard >= self._pace.silence_s:
            self.end(Event.PEER_SILENT)
            return
        if now - self._sent >= self._pace.beat_s / 2:
            self.send(Kind.BEAT, urgent=True)
        stalled = (
            now - self._heard >= self._pace.doubt_s
            or unanswered(self._transport.get_extra_info("socket")) >= _LOST_TWICE
        )
        if stalled is not self.stalled:
            self.stalled = stalled
            self.owner.stalled(self)
        if self.phase is Phase.OPEN and not self.retiring:
            self._timer = self._loop.call_later(min(self._pace.look_s, self._pace.beat_s / 2), self._watch)

    def _goodbye(self, event: Event | None = None) -> None:
        try:
            self._tls.unwrap()
        except (ssl.SSLError, ValueError):
            pass  # it wants the peer's answer, or TLS never stood: neither is waited for
        if self._out.pending:
            self._transport.write(self._out.read())
        if self._finish(event):
            self._transport.close()
            # A peer that does not read would keep the socket open for ever.
            self._timer = self._loop.call_later(1.0, self._transport.abort)

    def _cut(self) -> Event | None:
        """Return what it means that the other side ends the connection now."""
        if self.phase is Phase.OPEN:
            return None
        return Event.REFUSED_BY_PEER if self.dialled and self.phase is Phase.HELLO else Event.CUT_EARLY

    def _finish(self, event: Event | None) -> bool:
        if self.phase is Phase.ENDED:
            return False
        self.phase = Phase.ENDED
        if self._timer is not None:
            self._timer.cancel()
        if event is not None:
            self.owner.counted(event)
        self.settled.set()
        self.owner.ended(self)
        return True
