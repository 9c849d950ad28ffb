"""A TCP proxy in this process, between two stations: it cuts, also in mid-record, stalls, delays, corrupts and throttles.

It duplicates and reorders nothing, as TCP does not. One thread, one loop, if
asked in a network namespace of its own; the faults are set from the test's
thread and hold for every connection from then on.
"""

import asyncio
import contextlib
import random
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from openline.bearers.listening import end_listening
from tests.e2e.chaos.world import enter

_CHUNK = 16_384
_CRUMB = 97
"""Bytes carried at a time on a thin way: no frame and no TLS record ends there."""


@dataclass
class Weather:
    """What happens to bytes under way."""

    refusing: bool = False
    stalled: bool = False
    delay_s: float = 0.0
    bytes_per_s: int = 0
    """0: as fast as it goes."""
    corrupt: int = 0
    """So many of the next chunks have one bit changed."""
    sever: int = 0
    """So many of the next chunks are carried in half, and their connection ends there."""
    deaf: bool = False
    """What comes back to whoever called is taken and lost: a way that is open in one direction."""


class Proxy:
    """Listens at a port of its own and calls `target` for each connection."""

    def __init__(
        self, target: int, seed: int = 0, *, host: str = "127.0.0.1", called: str = "127.0.0.1", space: str = ""
    ) -> None:
        """Listens at `host` and calls `called`, in the network namespace at the path `space` if one is given."""
        self.target, self.weather, self.port = target, Weather(), 0
        self.connections = self.carried = self.corrupted = self.severed = 0
        self._host, self._called, self._space = host, called, space
        self._dice = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()
        self._clear = asyncio.Event()
        self._clear.set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(60)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._call(self._end)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()

    # --- faults, from any thread ---

    def cut(self) -> None:
        """End every connection, and refuse new ones until `heal`."""
        self.weather.refusing = True
        self._call(self._drop)

    def drop(self) -> None:
        """End every connection; new ones may come at once."""
        self._call(self._drop)

    def stall(self) -> None:
        """Keep connections open and carry nothing, until `heal`."""
        self.weather.stalled = True
        self._call(self._pause)

    def corrupt(self, chunks: int = 1) -> None:
        """Change one bit in each of the next chunks."""
        self.weather.corrupt = chunks

    def sever(self, chunks: int = 1) -> None:
        """Carry half of each of the next chunks, and end its connection there."""
        self.weather.sever = chunks

    def half_open(self) -> None:
        """Lose all that comes back to whoever called; connections stay, and ends are not told."""
        self.weather.deaf = True

    def delay(self, seconds: float) -> None:
        """Hold each chunk back so long."""
        self.weather.delay_s = seconds

    def throttle(self, bytes_per_s: int) -> None:
        """Carry no more than that, each way."""
        self.weather.bytes_per_s = bytes_per_s

    def heal(self) -> None:
        """All faults end."""
        self.weather = Weather()
        self._call(self._resume)

    # --- on the loop ---

    def _call(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        asyncio.run_coroutine_threadsafe(work(), self._loop).result(60)

    async def _drop(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _pause(self) -> None:
        self._clear.clear()

    async def _resume(self) -> None:
        self._clear.set()

    async def _end(self) -> None:
        self._over.set()
        if self._server is not None:
            await end_listening(self._server)
        await asyncio.sleep(0)  # who came last has a task
        await self._drop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # what was aborted is closed

    def _run(self) -> None:
        if self._space:
            enter(self._space)
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._loop.run_forever()

    async def _listen(self) -> None:
        server = self._server = await asyncio.start_server(self._accept, self._host, 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        try:
            await self._carry(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            if task is not None:
                self._tasks.discard(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.weather.refusing:
            return
        there_reader, there = await asyncio.open_connection(self._called, self.target)
        self.connections += 1
        self._open |= {writer, there}
        ways = {
            asyncio.create_task(self._pump(reader, there, back=False)),
            asyncio.create_task(self._pump(there_reader, writer, back=True)),
        }
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._open -= {writer, there}
            for way in ways:
                way.cancel()
            there.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, back: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CRUMB if 0 < self.weather.bytes_per_s < 10 * _CRUMB else _CHUNK):
                await self._clear.wait()
                weather = self.weather
                if weather.deaf and back:
                    continue
                if weather.delay_s:
                    await self._linger(weather.delay_s)
                if weather.bytes_per_s:
                    await self._linger(len(data) / weather.bytes_per_s)
                if weather.corrupt > 0:
                    weather.corrupt -= 1
                    self.corrupted += 1
                    data = self._flipped(data)
                severed = weather.sever > 0
                writer.write(data[: len(data) // 2] if severed else data)
                self.carried += len(data)
                await writer.drain()
                if severed:
                    weather.sever -= 1
                    self.severed += 1
                    return

    async def _linger(self, seconds: float) -> None:
        """So long, or until the proxy ends."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), seconds)

    def _flipped(self, data: bytes) -> bytes:
        changed = bytearray(data)
        changed[self._dice.randrange(len(changed))] ^= 1 << self._dice.randrange(8)
        return bytes(changed)
