"""One station: its pin, its addresses, and which of its connections is in use.

Both sides dial, so two connections can cross. The one dialled by the side with
the lower certificate digest is the better one, on both sides alike. A better
or a newer connection has just proved alive by its hello and takes over at
once; an older better one has to answer first. The one given up is retired:
each side sends its last frame there, so nothing on its way is lost, and the
link is up all the while.
"""

import asyncio
import ssl

from openline.bearers.certificate import digest_of
from openline.bearers.tls.address import Address
from openline.bearers.tls.limits import Kind
from openline.bearers.tls.wire import Wire


class Peer:
    """A station we may be linked to, and its connections that have said hello."""

    def __init__(self, station: str, certificate: bytes, context: ssl.SSLContext, *, own_digest: bytes) -> None:
        self.station = station
        self.certificate = certificate
        self.digest = digest_of(certificate)
        self.context = context
        """For dialling it."""
        self.addresses: tuple[Address, ...] = ()
        self.active: Wire | None = None
        """The connection that envelopes go out on; None is a link that is down."""
        self.linked = asyncio.Event()
        self.unlinked = asyncio.Event()
        self.unlinked.set()
        self.up_since = 0.0
        """Loop time at which the link last came up."""
        self.delay = 0.0
        """Seconds: the back-off as it stands."""
        self.keeper: asyncio.Task[None] | None = None
        self._wires: list[Wire] = []
        self._we_lead = own_digest < self.digest

    def pin(self, certificate: bytes, context: ssl.SSLContext, own_digest: bytes) -> None:
        """The station is known by this certificate from now on."""
        self.certificate, self.digest = certificate, digest_of(certificate)
        self.known_as(own_digest, context)

    def known_as(self, own_digest: bytes, context: ssl.SSLContext) -> None:
        """We are known by that certificate from now on."""
        self.context, self._we_lead = context, own_digest < self.digest

    def join(self, wire: Wire) -> bool:
        """Put a connection that has just said hello to use; return whether the link came up by it."""
        old, self.active = self.active, wire
        self._wires.append(wire)
        if old is None:
            self.unlinked.clear()
            self.linked.set()
            return True
        wire.inherit(old)
        if old.dialled == self._we_lead and wire.dialled != self._we_lead and not old.left:
            old.doubted = True
            old.send(Kind.PROBE, urgent=True)
        else:
            _retire(old)
        return False

    def doubt(self, wire: Wire) -> None:
        """Have the peer dialled beside a connection on which nothing gets through, or no more when that has mended itself."""
        if wire is not self.active:
            return
        if wire.stalled:
            self.linked.clear()
            self.unlinked.set()
        else:
            self.unlinked.clear()
            self.linked.set()

    def set_aside(self) -> Wire | None:
        """The connection in use, if nothing gets through on it: it is in use no more, and the link is down."""
        if self.active is None or not self.active.stalled:
            return None
        stalled, self.active = self.active, None
        return stalled

    def give_up(self, stalled: Wire) -> None:
        """Move what was queued on a connection that was set aside, and retire it."""
        if self.active is not None:
            self.active.inherit(stalled)
        _retire(stalled)

    def proved(self, wire: Wire) -> None:
        """Return to a doubted connection that has answered."""
        wire.doubted = False
        lesser, self.active = self.active, wire
        if lesser is not None and lesser is not wire:
            wire.inherit(lesser)
            _retire(lesser)

    def retired(self, wire: Wire) -> None:
        """Answer the peer's last frame here with ours, once we have another connection to move to."""
        wire.left = True
        if wire is not self.active:
            _retire(wire)

    def leave(self, wire: Wire) -> bool:
        """Drop a connection that has ended; return whether the link went down by it."""
        if wire not in self._wires:
            return False
        self._wires.remove(wire)
        if wire is not self.active:
            return False
        self.active = next((other for other in reversed(self._wires) if not other.retiring), None)
        if self.active is not None:
            self.active.inherit(wire)
            return False
        self.linked.clear()
        self.unlinked.set()
        return True


def _retire(wire: Wire) -> None:
    if not wire.retiring:
        wire.retire()
    if wire.left:
        wire.close()
