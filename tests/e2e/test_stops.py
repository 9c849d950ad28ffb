"""Who is connecting as a station stops: hung up on, at whatever point of it, and nothing stays open.

Every case stops it after so many turns of the loop, from the first on: each await on the way is met.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from openline.console.listening import HttpsServer, new_context
from openline.station.server import ApiServer
from tests.e2e.alarm_rig import authority

TURNS = range(12)


async def answer(_scope: dict[str, Any], _receive: object, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def descriptors() -> int:
    """How many files and sockets this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def is_over(caller: socket.socket) -> bool:
    """Whether the other end of a connection is gone, as far as the system knows at this moment."""
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
    assert is_over(caller)
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
