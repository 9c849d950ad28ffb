"""Lean clients of a console: HTTPS and its event stream, nothing drawn; many in one thread, so that the station is what is measured."""

import asyncio
import json
import ssl
import threading
import time
from collections.abc import Collection, Sequence
from types import TracebackType
from typing import Self

from bench.spread import Samples
from tests.e2e.console_rig import Browser

PATIENCE_S = 60.0
_ENTRY = b"event: entry\n"
_DATA = b"data: "


class LeanClients:
    """Open streams of signed-in sessions. Each notes when it had read an entry."""

    def __init__(self, sessions: Sequence[Browser]) -> None:
        self._sessions = sessions
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._streams: list[asyncio.Task[None]] = []
        self.read: list[tuple[int, int, int]] = []
        """Lane, index, moment (monotonic ns); of all clients."""

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(PATIENCE_S)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(PATIENCE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    def wait(self, arrived: Collection[tuple[int, int]]) -> None:
        """Until every client has read these entries, whatever came besides. Raises TimeoutError."""
        deadline, wanted = time.monotonic() + PATIENCE_S, len(arrived) * len(self._sessions)
        while (read := sum((lane, index) in arrived for lane, index, _ in self.read)) < wanted:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{read} of {wanted} entries were read")
            time.sleep(0.01)

    def since(self, arrived: dict[tuple[int, int], int]) -> Samples:
        """From each entry's arrival until each client had read it."""
        return Samples(at - arrived[lane, index] for lane, index, at in self.read if (lane, index) in arrived)

    async def _start(self) -> None:
        ready = [asyncio.Event() for _ in self._sessions]
        self._streams = [
            asyncio.create_task(self._follow(session, opened))
            for session, opened in zip(self._sessions, ready, strict=True)
        ]
        for opened in ready:
            await opened.wait()

    async def _stop(self) -> None:
        for task in self._streams:
            task.cancel()
        await asyncio.gather(*self._streams, return_exceptions=True)

    async def _follow(self, session: Browser, opened: asyncio.Event) -> None:
        context: ssl.SSLContext = session.context
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", session.port, ssl=context, server_hostname=session.host
        )
        try:
            writer.write(
                f"GET /v1/events HTTP/1.1\r\nHost: {session.host}:{session.port}\r\nSec-Fetch-Site: same-origin\r\n"
                f"Cookie: __Host-openline={session.cookie}\r\nOpenline-Page: {session.page}\r\n\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.partition(b"\r\n")[0].decode())
            data = await reader.readuntil(b": openline\n\n")  # from here on everything is told
            opened.set()
            while more := await reader.read(262_144):
                data = self._take(data + more, time.monotonic_ns())
        finally:
            writer.close()

    def _take(self, data: bytes, at: int) -> bytes:
        """Note the entries that are whole; what is left."""
        while (end := data.find(b"\n\n")) >= 0:
            event, data = data[:end], data[end + 2 :]
            if _ENTRY in event:
                ref = json.loads(event[event.index(_DATA) + len(_DATA) :])["ref"]
                self.read.append((ref["lane"], ref["index"], at))
        return data
