"""Reaching a mail server: a connected socket that notices a dead path by itself, and how soon to try again."""

import asyncio
import contextlib
import socket

from openline.bearers.mail.config import MailServer, is_literal
from openline.bearers.mail.limits import Pace
from openline.kernel.units import Entropy

_KEEPALIVE = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
"""Seconds and probes: an idle path that is dead is known after a minute, whatever the server does."""


class Backoff:
    """Pauses in seconds, each about twice the last."""

    def __init__(self, *, first_s: float, longest_s: float, entropy: Entropy) -> None:
        self._first, self._longest, self._entropy = first_s, longest_s, entropy
        self._next = first_s

    def reset(self) -> None:
        """Start anew: it works."""
        self._next = self._first

    def pause(self) -> float:
        """Return the next pause: a random part of its upper half, so that many clients do not come as one."""
        pause, self._next = self._next, min(self._next * 2, self._longest)
        return pause * (1 + int.from_bytes(self._entropy(2), "big") / 65_536) / 2


async def connect(server: MailServer, pace: Pace) -> socket.socket:
    """Connect within `pace.connect_s`, to the first of a name's addresses that answers. Raises OSError or TimeoutError."""
    async with asyncio.timeout(pace.connect_s):
        if is_literal(server.host):
            family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
            return await _connect(family, (server.host, server.port))
        found = await asyncio.get_running_loop().getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
        for place in found[:-1]:
            with contextlib.suppress(OSError):
                return await _connect(place[0], (str(place[4][0]), server.port))
        return await _connect(found[-1][0], (str(found[-1][4][0]), server.port))


async def _connect(family: socket.AddressFamily, address: tuple[str, int]) -> socket.socket:
    connecting = socket.socket(family, socket.SOCK_STREAM)
    try:
        connecting.setblocking(False)
        connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connecting.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE:
            if hasattr(socket, option):  # not everywhere
                connecting.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        await asyncio.get_running_loop().sock_connect(connecting, address)
    except BaseException:
        connecting.close()
        raise
    return connecting
