"""The console's HTTPS socket: uvicorn's HTTP/1.1 over TLS 1.3, on the station's own loop, with a bound on everything.

The loop also carries the lines, so nobody may hold it: connections that are
shaking hands count as connections, a head has a size and a time, and a
connection beyond the limit is closed before a byte of it is read. Strangers
make room for newer ones; whoever has shown a session never has to, until that
session ends.
"""

import asyncio
import contextlib
import errno
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from openline.kernel.errors import Unavailable
from openline.station.server import served_by, wind_down

MAX_CONNECTIONS = 256
"""A browser opens six; forty consoles on one floor."""
MAX_HEAD_BYTES = 65_536
HEAD_S = 10.0
"""From the first byte of a head to its last."""
HANDSHAKE_S = 5.0
_SHUTDOWN_S = 2.0
_IDLE_S = 75
"""A kept connection without a call for so long is closed."""
_BACKLOG = 128
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
PEER, KNOWN = "peer", "known"
"""Where a call's scope["state"] holds the address of the caller, and what to call once it has shown a session: with
what tells whether that still stands."""


class _Protocol(HttpToolsProtocol):
    """Closes whoever is slow with a head, or sends one without end."""

    _in_head = False
    _head_bytes = 0
    _limit: asyncio.TimerHandle | None = None
    known: Callable[[Callable[[], bool]], None]
    """No stranger any more, as long as that holds."""
    lost: Callable[[], None]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The first head is awaited from now on."""
        peer = transport.get_extra_info("peername")
        self.app_state = {PEER: str(peer[0]) if peer else "", KNOWN: self.known}
        super().connection_made(transport)
        self._limit = self.loop.call_later(HEAD_S, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more to wait for."""
        self._no_limit()
        self.lost()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, and see whether a head has begun and not ended."""
        super().data_received(data)
        if self._in_head or self._idle():
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                _cut(self.transport)
            elif self._limit is None:
                self._limit = self.loop.call_later(HEAD_S, self._too_slow)
        else:
            self._no_limit()

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A head has ended."""
        self._in_head = False
        self._head_bytes = 0
        super().on_headers_complete()

    def _too_slow(self) -> None:
        self._limit = None
        if self._idle():
            _cut(self.transport)

    def _idle(self) -> bool:
        cycle: Any = self.cycle  # None before the first call, whatever its type says
        return cycle is None or cycle.response_complete

    def _no_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None


@dataclass(slots=True, kw_only=True)
class _Caller:
    """A connection that was taken."""

    address: str
    end: Callable[[], object]
    stands: Callable[[], bool] | None = None
    """Whether the session that it has shown is still one."""

    @property
    def is_stranger(self) -> bool:
        return self.stands is None or not self.stands()


class HttpsServer:
    """Listens at one address."""

    def __init__(self, app: Callable[[Any, Any, Any], Awaitable[None]], context: ssl.SSLContext) -> None:
        self._config = served_by(_Protocol, app, idle_s=_IDLE_S)
        self._context = context
        self._state = ServerState()
        self._socket: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._shaking: dict[asyncio.Task[None], socket.socket] = {}
        self._callers: dict[socket.socket, _Caller] = {}
        """The oldest first."""

    def start(self, host: str, port: int) -> int:
        """Listen; the port that was taken. Raises Unavailable."""
        self._config.load()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        plain = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            plain.bind((host, port))
            plain.listen(_BACKLOG)
        except OSError:
            plain.close()
            raise Unavailable(
                "the console cannot listen: see console.listen in config.toml, and who has the port"
            ) from None
        self._socket = plain
        self._accepting = asyncio.create_task(self._accept(plain))
        return int(plain.getsockname()[1])

    async def stop(self) -> None:
        """Take no more calls, let those that run end, and cut what does not."""
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.wait([self._accepting])
        if self._socket is not None:
            self._socket.close()
        for connection in self._shaking.values():
            _hang_up(connection)
        if self._shaking:
            await asyncio.wait(self._shaking)
        await wind_down(self._state)

    def __len__(self) -> int:
        return len(self._shaking) + len(self._state.connections)

    async def _accept(self, plain: socket.socket) -> None:
        while True:
            try:
                connection, address = plain.accept()
            except BlockingIOError:
                await _readable(plain)
                continue
            except OSError as error:
                # It would be told the same at once: let others give back what they hold.
                await asyncio.sleep(1.0 if error.errno in _EXHAUSTED else 0)
                continue
            if len(self) >= MAX_CONNECTIONS and not self._make_room():
                connection.close()
            else:
                connection.setblocking(False)
                task = asyncio.create_task(self._shake_hands(connection))
                self._callers[connection] = _Caller(address=str(address[0]), end=partial(_hang_up, connection))
                self._shaking[task] = connection
                task.add_done_callback(self._shaking.pop)
            await asyncio.sleep(0)  # who calls without end leaves others their turn

    def _make_room(self) -> bool:
        """End the oldest stranger of the address that has the most of them; whether there was one."""
        strangers = {each: caller for each, caller in self._callers.items() if caller.is_stranger}
        if not strangers:
            return False
        ((most, _),) = Counter(caller.address for caller in strangers.values()).most_common(1)
        oldest = next(each for each, caller in strangers.items() if caller.address == most)
        self._callers.pop(oldest).end()
        return True

    async def _shake_hands(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()

        def forget() -> None:
            self._callers.pop(connection, None)

        def know(stands: Callable[[], bool]) -> None:
            if connection in self._callers:
                self._callers[connection].stands = stands

        def made() -> asyncio.Protocol:
            protocol = _Protocol(config=self._config, server_state=self._state, app_state={}, _loop=loop)
            protocol.known, protocol.lost = know, forget
            return protocol

        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            transport, _ = await loop.connect_accepted_socket(
                made,
                connection,
                ssl=self._context,
                ssl_handshake_timeout=HANDSHAKE_S,
                ssl_shutdown_timeout=_SHUTDOWN_S,
            )
        except OSError:  # it left, was slow, or speaks something else; ssl.SSLError is one of them
            forget()
            with contextlib.suppress(OSError):
                connection.close()
        else:
            if connection in self._callers:
                self._callers[connection].end = partial(_cut, transport)


async def _readable(plain: socket.socket) -> None:
    """Wait for a caller without taking the call, so that nobody is lost when this is given up."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(plain, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(plain)


def _hang_up(connection: socket.socket) -> None:
    """End a handshake. Not by cancelling it: asyncio closes no connection whose handshake has not begun."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _cut(transport: asyncio.Transport) -> None:
    if not transport.is_closing():  # one that is closing is gone within _SHUTDOWN_S
        transport.abort()


def new_context() -> ssl.SSLContext:
    """TLS as every browser of the last years speaks it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["http/1.1"])
    return context
