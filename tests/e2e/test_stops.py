"""Who is connecting as a station stops: hung up on, at whatever point of it, and nothing stays open.

Every case stops it after so many turns of the loop, from the first on: each await on the way is met.
"""

import asyncio
import contextlib
import gc
import socket
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from openline.console.listening import HttpsServer, new_context
from openline.station.main import told_twice
from openline.station.server import ApiServer
from tests.e2e.alarm_rig import authority
from tests.waiting import until

TURNS = range(12)


async def answer(_scope: dict[str, Any], _receive: object, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def descriptors() -> int:
    """How many files and sockets this process has open, but for what a test before has left to be collected."""
    gc.collect()
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def is_over(caller: socket.socket) -> bool:
    """Whether the other end of a connection is gone, as far as the system knows at this moment. A busy one may deliver it late."""
    try:
        while caller.recv(65_536):
            pass
    except BlockingIOError:
        return False
    except ConnectionResetError:
        pass
    return True


async def hung_up(server: Any, stop: Callable[[], Coroutine[Any, Any, None]], caller: socket.socket, late: int) -> None:
    """The caller is told by the time the server has stopped, and nothing more is open than before."""
    caller.setblocking(False)
    before = descriptors()
    for _ in range(late):
        await asyncio.sleep(0)
    await stop()
    until(lambda: is_over(caller))  # the loop stands still: nothing more is done for it
    assert descriptors() == before - 1  # the socket it listened at
    assert len(server) == 0


@pytest.mark.parametrize("late", TURNS)
def test_a_call_of_the_local_api(tmp_path: Path, late: int) -> None:
    async def play() -> None:
        server = ApiServer(answer, tmp_path / "api")
        await server.start()
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as caller:
            caller.connect(str(tmp_path / "api"))
            await hung_up(server, server.stop, caller, late)

    asyncio.run(play())


@pytest.mark.parametrize("speaks", [True, False], ids=["it speaks TLS", "it says nothing"])
@pytest.mark.parametrize("late", TURNS)
def test_a_call_of_the_console(tmp_path: Path, late: int, speaks: bool) -> None:
    context = new_context()
    context.load_cert_chain(authority(tmp_path).chain)
    hello = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="console.test").do_handshake()

    async def play() -> None:
        server = HttpsServer(answer, context)
        port = server.start("127.0.0.1", 0)
        with contextlib.closing(socket.create_connection(("127.0.0.1", port))) as caller:
            if speaks:
                caller.sendall(hello.read())
            await hung_up(server, server.stop, caller, late)

    asyncio.run(play())


class Resumes(asyncio.Protocol):
    """Writes when it may again, when nobody reads any more."""

    def __init__(self, other: socket.socket) -> None:
        self.other = other
        self.transport: Any = None
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def resume_writing(self) -> None:
        self.other.close()
        self.transport.write(b"and more")

    def connection_lost(self, _error: Exception | None) -> None:
        self.lost.set()


def test_an_end_that_asyncio_tells_twice_is_no_fault_of_the_station() -> None:
    """Seen where stations fall and start with thousands of messages under way: each time it was logged as a fault to report."""
    faults: list[object] = []

    async def play() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: faults.append(context.get("exception")))
        ours, other = socket.socketpair()
        ours.setblocking(False)
        other.setblocking(False)
        made, protocol = await loop.create_connection(lambda: Resumes(other), sock=ours)
        made.set_write_buffer_limits(high=1)
        while not made.get_write_buffer_size():
            made.write(bytes(1_000))
        while True:  # room for the rest, so that one write drains it
            try:
                other.recv(65_536)
            except BlockingIOError:
                break
        async with asyncio.timeout(30):
            await protocol.lost.wait()
            for _ in range(3):
                await asyncio.sleep(0)

    asyncio.run(play())
    assert all(told_twice(fault) for fault in faults), faults
    assert not told_twice(AttributeError("of another sort"))
    assert not told_twice(None)
