"""Roads between browsers, and to a TURN server, that lose, delay or are cut: a UDP forwarder in this process.

Everything sent to an end of a road goes on to that end's target. For each
sender the forwarder has a socket of its own towards the target, so answers find
their way back; what goes back meets the same weather. `weather` may change at
any moment.
"""

import asyncio
import random
import threading
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self, cast

_Address = tuple[str, int]
QUEUE_S = 1.0
"""What waits before a narrow way, as a modem or a radio keeps it."""
HEADERS = 28
"""Bytes of IP and UDP around each message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What befalls each message on its way: lost with that probability, late by so much, or nothing passes at all.

    With `bits_per_second` (headers of IP and UDP count) each way is that narrow: what comes faster waits, and is lost
    where it would wait for more than QUEUE_S.
    """

    loss: float = 0.0
    delay_s: float = 0.0
    cut: bool = False
    bits_per_second: int = 0


class Road:
    """Ends on 127.0.0.1 and one weather over all of them, both ways; a thread of its own carries on while tests wait.

    passed, dropped: how many messages; the losses come from `seed`, in the order in which messages come.
    """

    def __init__(self, weather: Weather | None = None, *, seed: int = 1) -> None:
        self.weather = weather or Weather()
        self.passed = self.dropped = 0
        self._chance = random.Random(seed)
        self._ends: dict[_Address, int] = {}
        self._open: list[asyncio.DatagramTransport] = []
        self._free: dict[int, float] = {}
        """By way: when what was sent on it has passed the narrow place."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def to(self, port: int) -> int:
        """The road's end that leads to this port of 127.0.0.1; the same each time."""
        return self.to_address("127.0.0.1", port)

    def to_address(self, host: str, port: int) -> int:
        """The road's end that leads to this port of this machine's address."""
        return asyncio.run_coroutine_threadsafe(self._to((host, port)), self._loop).result(10)

    def cut(self) -> None:
        """Nothing passes any more."""
        self.weather = replace(self.weather, cut=True)

    async def _to(self, target: _Address) -> int:
        if target not in self._ends:
            transport, _ = await self._loop.create_datagram_endpoint(
                lambda: _End(self, target), local_addr=("127.0.0.1", 0)
            )
            self._open.append(transport)
            self._ends[target] = int(transport.get_extra_info("sockname")[1])
        return self._ends[target]

    async def _close(self) -> None:
        for transport in self._open:
            transport.abort()

    def carry(self, way: asyncio.DatagramTransport, data: bytes, to: _Address | None) -> None:
        """Send, in this weather; called in the road's own thread."""
        weather = self.weather
        waits = self._waits(way, data, weather.bits_per_second)
        if weather.cut or waits is None or self._chance.random() < weather.loss:
            self.dropped += 1
            return
        self.passed += 1
        if waits or weather.delay_s:
            self._loop.call_later(waits + weather.delay_s, _send, way, data, to)
        else:
            _send(way, data, to)

    def _waits(self, way: asyncio.DatagramTransport, data: bytes, rate: int) -> float | None:
        """How long a message is under way on a way of that width; None if it finds no room before it."""
        if not rate:
            return 0.0
        now = self._loop.time()
        begins = max(now, self._free.get(id(way), now))
        if begins - now > QUEUE_S:
            return None
        self._free[id(way)] = begins + (len(data) + HEADERS) * 8 / rate
        return self._free[id(way)] - now

    async def beyond(self, end: "_End", sender: _Address) -> asyncio.DatagramTransport:
        """A socket towards an end's target, for one sender."""
        transport, _ = await self._loop.create_datagram_endpoint(
            lambda: _Beyond(self, end, sender), remote_addr=end.target
        )
        self._open.append(transport)
        return transport

    def soon(self, end: "_End", sender: _Address) -> "asyncio.Task[asyncio.DatagramTransport]":
        """The same, from where nobody can wait."""
        return self._loop.create_task(self.beyond(end, sender))


def _send(way: asyncio.DatagramTransport, data: bytes, to: _Address | None) -> None:
    if not way.is_closing():
        way.sendto(data, to)


class _End(asyncio.DatagramProtocol):
    """Where a road begins."""

    def __init__(self, road: Road, target: _Address) -> None:
        self.road, self.target = road, target
        self.way: asyncio.DatagramTransport | None = None
        self._beyond: dict[_Address, asyncio.Task[asyncio.DatagramTransport]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.way = cast("asyncio.DatagramTransport", transport)  # that it is one, asyncio says only since Python 3.12

    def datagram_received(self, data: bytes, addr: _Address) -> None:
        if addr not in self._beyond:
            self._beyond[addr] = self.road.soon(self, addr)
        made = self._beyond[addr]
        made.add_done_callback(lambda done: self.road.carry(done.result(), data, None))


class _Beyond(asyncio.DatagramProtocol):
    """What comes back from the target goes to the one sender."""

    def __init__(self, road: Road, end: _End, sender: _Address) -> None:
        self.road, self.end, self.sender = road, end, sender

    def datagram_received(self, data: bytes, addr: _Address) -> None:
        assert self.end.way is not None
        self.road.carry(self.end.way, data, self.sender)

    def error_received(self, exc: Exception) -> None:
        """The target's port is closed: a call ended."""
