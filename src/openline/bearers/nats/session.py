"""One connection at work: our inbox is read, and what waits for others is published.

Ends, always by Lost, when the connection does. Everything that runs here is in one group.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

from openline.bearers.nats.jetstream import JetStream, NotThere
from openline.bearers.nats.limits import LARGEST_ENVELOPE, Event, Pace
from openline.bearers.nats.wire import Message, Wire
from openline.bearers.outbox import Outbox

_ENDS_OF_FETCH = frozenset({404, 408})
"""Nothing came in time. 409 says that the consumer is gone, or takes no more: both are set right by opening anew."""


@dataclass(slots=True, kw_only=True)
class Peer:
    """One station."""

    station: str
    outbox: Outbox = field(default_factory=Outbox)
    under_way: set[bytes] = field(default_factory=set)
    """Published, and the relay has not said yet that it has them."""
    stirred: asyncio.Event = field(default_factory=asyncio.Event)
    up: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """Where a session reports."""

    arrived: Callable[[bytes], None]
    link: Callable[[Peer, bool], None]
    counted: Callable[[Event], None]
    working: Callable[[], None]
    """Our inbox is open: the relay works."""


class Session:
    """One connection's work."""

    def __init__(self, wire: Wire, stream: JetStream, station: str, reports: Reports, pace: Pace) -> None:
        self._wire, self._jetstream, self._station = wire, stream, station
        self._reports, self._pace = reports, pace
        self._open = asyncio.Event()
        """Our inbox is there."""
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[str, list[asyncio.Task[None]]] = {}

    async def run(self, peers: list[Peer]) -> None:
        """Work until the connection ends. Raises an ExceptionGroup of Lost."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(self._wire.read())
            group.create_task(self._wire.watch())
            group.create_task(self._fetch())
            for peer in peers:
                self.add(peer)

    def add(self, peer: Peer) -> None:
        """Serve a station too."""
        if self._group is not None:
            work = (self._look(peer), self._publish(peer))
            self._tasks[peer.station] = [self._group.create_task(each) for each in work]

    def remove(self, station: str) -> None:
        """Serve a station no longer."""
        for task in self._tasks.pop(station, ()):
            task.cancel()

    # -- our inbox ---------------------------------------------------------

    async def _fetch(self) -> None:
        pause, loop = self._pace.retry_s, asyncio.get_running_loop()
        while True:
            try:
                stream = await self._jetstream.open_inbox(self._station)
            except NotThere:
                self._reports.counted(Event.NOT_ALLOWED if self._wire.refused else Event.NO_JETSTREAM)
                await asyncio.sleep(pause)
                pause = min(2 * pause, self._pace.slow_retry_s)
                continue
            self._open.set()
            self._reports.working()
            opened = loop.time()
            with contextlib.suppress(NotThere):  # nor does the relay answer
                await self._fetch_from(stream)
            self._open.clear()
            self._reports.counted(Event.NO_INBOX)
            if loop.time() - opened > self._pace.slow_retry_s:
                pause = self._pace.retry_s
            await asyncio.sleep(pause)
            # A copy of this station opens the same inbox anew each time that we do: not many times a second.
            pause = min(2 * pause, self._pace.slow_retry_s)

    async def _fetch_from(self, stream: str) -> None:
        """Ask for messages and take them, until the inbox is not there any more."""
        while True:
            self._jetstream.ask_for_messages(stream)
            left = self._pace.fetch
            asked = asyncio.get_running_loop().time()
            while left > 0:
                try:
                    async with asyncio.timeout(self._pace.fetch_s + self._pace.answer_s):
                        message = await self._jetstream.fetched.get()
                except TimeoutError:
                    return  # not even the end of the fetch was said
                if message.status in _ENDS_OF_FETCH and await self._jetstream.find(self._station) == stream:
                    if asyncio.get_running_loop().time() - asked < self._pace.fetch_s / 2:
                        await asyncio.sleep(self._pace.retry_s)  # a relay that ends every fetch at once sets no pace
                    break
                if message.status:
                    return
                await self._take(message)
                left -= 1

    async def _take(self, message: Message) -> None:
        if 1 <= len(message.data) <= LARGEST_ENVELOPE:
            self._reports.arrived(message.data)
        else:
            self._reports.counted(Event.NO_ENVELOPE)
        await self._jetstream.tell_taken(message)

    # -- others' inboxes ---------------------------------------------------

    async def _look(self, peer: Peer) -> None:
        """Look whether a station's inbox is there."""
        while True:
            await self._open.wait()
            try:
                there = await self._jetstream.find(peer.station) is not None
            except NotThere:
                there = False
            if there is not peer.up:
                self._reports.link(peer, there)
            await asyncio.sleep(self._pace.look_s if there else self._pace.quick_look_s)

    async def _publish(self, peer: Peer) -> None:
        """Publish what waits, so many at a time."""
        slots = asyncio.Semaphore(self._pace.under_way)
        async with asyncio.TaskGroup() as group:
            while True:
                await slots.acquire()
                while (envelope := peer.outbox.next()) is None:
                    peer.stirred.clear()
                    await peer.stirred.wait()
                peer.under_way.add(envelope)
                task = group.create_task(self._put(peer, envelope))
                task.add_done_callback(lambda _task: slots.release())

    async def _put(self, peer: Peer, envelope: bytes) -> None:
        try:
            if not await self._jetstream.publish(peer.station, envelope):
                self._reports.counted(Event.NOT_STORED)
        except NotThere:
            self._reports.counted(Event.NOT_STORED)
            if peer.up:
                self._reports.link(peer, False)
        finally:
            peer.under_way.discard(envelope)
