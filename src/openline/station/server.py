"""The socket of the local API: HTTP/1.1 by uvicorn over a Unix socket, with the caller's user from the kernel.

The user behind a connection is what SO_PEERCRED says, read when it is made.
uvicorn's own server loop is not used: the station has one loop, one stop.
"""

import asyncio
import contextlib
import grp
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from openline.bearers.listening import end_listening
from openline.kernel.errors import Malformed, Unavailable
from openline.station.client import short_path

_CREDENTIALS = struct.Struct("3i")
_IDLE_S = 300
"""A kept connection without a call for so long is closed."""
_LOOK_S = 0.005
BACKLOG = 128
UID = "uid"
"""Where a call's scope["state"] holds the caller's user number."""


class _Protocol(HttpToolsProtocol):
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Read who is at the other end."""
        plain = transport.get_extra_info("socket")
        raw = plain.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        self.app_state = {UID: _CREDENTIALS.unpack(raw)[1]}
        super().connection_made(transport)


def served_by(protocol: type[HttpToolsProtocol], app: Any, *, idle_s: int) -> uvicorn.Config:
    """How this program serves HTTP anywhere: no log and no header of its own, and nothing believed that a caller says of itself."""
    return uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=idle_s,
    )


class ApiServer:
    """Listens at one Unix socket."""

    def __init__(self, app: Any, path: Path, *, group: str = "") -> None:
        """`group`: a Unix group that may connect, beside the station's own user."""
        self._path, self._group = path, group
        self._config = served_by(_Protocol, app, idle_s=_IDLE_S)
        self._state = ServerState()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. Raises Unavailable, or Malformed for a group that does not exist."""
        self._config.load()
        loop = asyncio.get_running_loop()
        plain = _listening(self._path, self._group)
        make: Callable[[], asyncio.Protocol] = lambda: _Protocol(  # noqa: E731 - a factory of one line
            config=self._config, server_state=self._state, app_state={}, _loop=loop
        )
        self._server = await loop.create_unix_server(make, sock=plain, backlog=BACKLOG, start_serving=False)
        await self._server.start_serving()

    async def stop(self, deadline_s: float = 0.5) -> None:
        """Take no more calls, let those that run end, and cut what does not."""
        if self._server is None:
            return
        await end_listening(self._server)
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
        await wind_down(self._state, deadline_s)

    def __len__(self) -> int:
        return len(self._state.connections)


async def wind_down(state: ServerState, deadline_s: float = 0.5) -> None:
    """Let the calls that run end, cut what does not, and close every connection; one that does not read is cut too."""
    for connection in _standing(state):
        connection.shutdown()
    tasks = list(state.tasks)
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=deadline_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=deadline_s)
    for connection in _standing(state):
        connection.transport.close()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(deadline_s):
            while state.connections:  # noqa: ASYNC110 - uvicorn tells nobody
                await asyncio.sleep(_LOOK_S)
    for connection in list(state.connections):
        connection.transport.abort()
    await asyncio.sleep(0)


def _standing(state: ServerState) -> list[Any]:
    """Those that are not closing yet: asyncio's TLS forgets itself when closed twice, and cannot be aborted then."""
    return [each for each in state.connections if not each.transport.is_closing()]


def _listening(path: Path, group: str) -> socket.socket:
    """A socket at that path, for the owner alone or also for a group. The station's lock says that a file there is left over."""
    number = -1
    if group:
        try:
            number = grp.getgrnam(group).gr_gid
        except KeyError:
            raise Malformed("config.toml: api.group: a group that does not exist on this machine") from None
    plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    mask = os.umask(0o177)
    try:
        path.unlink(missing_ok=True)
        with short_path(path) as name:
            plain.bind(name)
        if group:
            os.chown(path, -1, number)
            path.chmod(0o660)
            for folder in (path.parent, path.parent.parent):  # passage to the socket, and to nothing else
                os.chown(folder, -1, number)
                folder.chmod(0o710)
    except OSError:
        plain.close()
        raise Unavailable("the socket of the local API cannot be made") from None
    finally:
        os.umask(mask)
    return plain
