"""The pairing conversation's stream: frames between two stations that are not yet peers.

It runs over the same port, handshake and pins as a link, under its own ALPN
name, and carries at most 64 KiB a frame. Nothing here knows what is said.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from openline.bearers.tls.limits import LARGEST_PAIR_FRAME, Event, Kind, Phase
from openline.bearers.tls.wire import Wire
from openline.kernel.errors import TooLarge, Unavailable

_UNREAD_FRAMES: Final = 16
"""A conversation takes turns; whoever sends this many unasked is not conversing."""


class PairStream:
    """A conversation over one open connection, which it owns from now on."""

    def __init__(self, wire: Wire, *, counted: Callable[[Event], None], forget: Callable[[Wire], None]) -> None:
        self._wire = wire
        self._counted = counted
        self._forget = forget
        self._unread: deque[bytes] = deque()
        self._stirred = asyncio.Event()
        wire.largest = LARGEST_PAIR_FRAME
        wire.owner = self

    async def send(self, data: bytes) -> None:
        """Hand over one frame. Raises TooLarge above 64 KiB, Unavailable when the stream has ended."""
        if len(data) > LARGEST_PAIR_FRAME:
            raise TooLarge("a pairing frame has at most 64 KiB")
        if not self._wire.send(Kind.ENVELOPE, data):
            raise Unavailable("the pairing connection has ended")

    async def receive(self, *, deadline_s: float = 60.0) -> bytes:
        """Return the next frame. Raises Unavailable at the deadline, and once ended and read empty."""
        try:
            async with asyncio.timeout(deadline_s):
                while not self._unread:
                    if self._wire.phase is Phase.ENDED:
                        raise Unavailable("the pairing connection has ended")
                    self._stirred.clear()
                    await self._stirred.wait()
        except TimeoutError:
            raise Unavailable("the other side did not answer in time") from None
        return self._unread.popleft()

    def close(self) -> None:
        """End the conversation; what was sent still goes out."""
        self._wire.close()

    # -- what the connection reports ---------------------------------------

    def made(self, wire: Wire) -> None:
        """Nothing: the connection is handed over after that."""

    def secured(self, _wire: Wire, _certificate: bytes, _protocol: str | None) -> bool:
        """Nothing: the connection is handed over after that."""
        return False

    def greeted(self, wire: Wire) -> None:
        """Nothing: the connection is handed over after that."""

    def proved(self, wire: Wire) -> None:
        """Nothing: only links are doubted."""

    def envelope(self, wire: Wire, payload: bytes) -> None:
        """Keep one frame until it is asked for."""
        if len(self._unread) >= _UNREAD_FRAMES:
            wire.end(Event.PAIR_FLOODED)
            return
        self._unread.append(payload)
        self._stirred.set()

    def retired(self, wire: Wire) -> None:
        """End: a conversation has no second connection to move to."""
        wire.close()

    def stalled(self, _wire: Wire) -> None:
        """Nothing: people are at both ends, and see it."""

    def ended(self, _wire: Wire) -> None:
        """Wake whoever waits."""
        self._stirred.set()

    def closed(self, wire: Wire) -> None:
        """Let the bearer forget the socket."""
        self._forget(wire)

    def counted(self, event: Event) -> None:
        """Pass a counter on."""
        self._counted(event)
