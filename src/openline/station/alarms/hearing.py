"""Where a dead-man's switch takes signs of life: HTTPS, one POST a connection, everything bounded.

    take(body, signature) -> whether it was a new sign of life

Strangers may connect as they like: each has TALK_S and MOST_HEAD bytes, there are at most CONNECTIONS of them, and the
newest is turned away. Whoever fills all of them makes the switch raise an alarm, which is the side to err on.
"""

import asyncio
import contextlib
import re
import ssl
from collections.abc import Callable
from pathlib import Path

from openline.kernel.errors import Malformed, Unavailable
from openline.station.alarms.heartbeat import MOST_BEAT
from openline.station.alarms.tables import Listening

TALK_S = 10.0
MOST_HEAD = 8_192
CONNECTIONS = 64
_LENGTH = re.compile(rb"content-length: *([0-9]{1,6})", re.IGNORECASE)
_SIGNATURE = re.compile(rb"openline-signature: *(v1=[0-9a-f]{64})", re.IGNORECASE)
_TAKEN, _REFUSED = b"HTTP/1.1 204 Taken\r\n\r\n", b"HTTP/1.1 403 Refused\r\nContent-Length: 0\r\n\r\n"


class Hearing:
    """Listens at one address."""

    def __init__(self, home: Path, table: Listening, take: Callable[[bytes, str], bool]) -> None:
        """Raises Malformed for an address that is none, Unavailable if the certificate cannot be read."""
        self._take = take
        self._talks = 0
        self._server: asyncio.Server | None = None
        host, _, port = table.address.rpartition(":")
        if not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
            raise Malformed("listen.address: written 192.0.2.7:7650")
        self._place = host.strip("[]"), int(port)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            self._context.load_cert_chain(home / table.certificate_file, home / table.key_file)
        except (OSError, ssl.SSLError):
            raise Unavailable("the certificate or its key cannot be read") from None

    async def start(self) -> int:
        """Listen; the port. Raises Unavailable."""
        host, port = self._place
        try:
            self._server = await asyncio.start_server(
                self._talk, host, port, ssl=self._context, limit=MOST_HEAD,
                ssl_handshake_timeout=TALK_S, ssl_shutdown_timeout=1.0,
            )  # fmt: skip
        except OSError:
            raise Unavailable("the address of the dead-man's switch cannot be listened at") from None
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._talks += 1
        try:
            if self._talks <= CONNECTIONS:
                async with asyncio.timeout(TALK_S):
                    writer.write(_TAKEN if await self._hear(reader) else _REFUSED)
                    await writer.drain()
                    writer.close()
                    await writer.wait_closed()
        except (OSError, ssl.SSLError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever does not speak HTTP to the end is not answered
        finally:
            self._talks -= 1
            with contextlib.suppress(OSError):
                writer.transport.abort()

    async def _hear(self, reader: asyncio.StreamReader) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *rest = head.split(b"\r\n")
        length = next((found for line in rest if (found := _LENGTH.fullmatch(line))), None)
        given = next((found for line in rest if (found := _SIGNATURE.fullmatch(line))), None)
        if not first.startswith(b"POST ") or length is None or given is None or int(length[1]) > MOST_BEAT:
            return False
        return self._take(await reader.readexactly(int(length[1])), given[1].decode())
