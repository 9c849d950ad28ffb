"""One connection to a relay in NATS's own protocol, as much of it as a bearer needs.

Written here rather than taken from a library, because the relay is nobody's
friend: every line and message has a bound, nothing is dialled that the relay
names, no word is said before TLS stands where TLS is asked for, and all that
runs here ends with the connection (docs/decisions/0012-nats-by-hand.md).

Protocol: https://docs.nats.io/reference/reference-protocols/nats-protocol
"""

import asyncio
import contextlib
import ipaddress
import json
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from openline.bearers.nats.credentials import Credentials
from openline.bearers.nats.limits import MOST_LINE, MOST_MESSAGE, Event, Pace
from openline.kernel.errors import Malformed, Unavailable

_STATUS = re.compile(rb"NATS/1\.0(?: ([0-9]{3})[^\r\n]*)?\r\n")
_PLAIN = re.compile(r"[!-~]{1,512}", re.ASCII)
"""Subjects that we send back: no space and no line's end gets into our own lines."""


class Lost(Unavailable):
    """The connection has ended, or was never made; `event` says why."""

    def __init__(self, event: Event) -> None:
        super().__init__("the relay is not reached")
        self.event = event


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where a relay listens."""

    host: str = field(repr=False)
    port: int = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Something that was published."""

    subject: str
    reply: str
    """Where an answer to it goes; empty for nowhere."""
    status: int
    """0, or what the relay itself says: 404, 408 and 409 end a fetch, 503 means that nobody listens."""
    data: bytes = field(repr=False)


Heard = Callable[[Message], None]


def parse_server(text: str) -> Server:
    """Read "192.0.2.1:4222" or "[2001:db8::1]:4222". Raises Malformed for anything else, names included."""
    host, _, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        literal = ipaddress.ip_address(host[1:-1] if bracketed else host)
        number = int(port) if port.isascii() and port.isdigit() else 0
    except ValueError:
        raise Malformed("not a literal address with a port") from None
    if bracketed is not (literal.version == 6) or not 1 <= number <= 65_535:
        raise Malformed("not a literal address with a port")
    return Server(host=str(literal), port=number)


class Wire:
    """An open connection. `read` and `watch` must run for anything to be heard."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pace: Pace) -> None:
        self._reader, self._writer, self._pace = reader, writer, pace
        self._loop = asyncio.get_running_loop()
        self._heard: dict[int, Heard] = {}
        self._last_heard = self._loop.time()
        self.refused = 0
        """How often the relay refused us a subject."""

    def write(self, *parts: bytes) -> None:
        """Send bytes as they are."""
        self._writer.write(b"".join(parts))

    async def drained(self) -> None:
        """Wait until the relay has taken most of what was sent. Raises Lost."""
        try:
            await self._writer.drain()
        except OSError:
            raise Lost(Event.LOST) from None

    def subscribe(self, subject: str, number: int, heard: Heard) -> None:
        """Hear what is published there; `number` names the subscription on this connection."""
        self._heard[number] = heard
        self.write(f"SUB {subject} {number}\r\n".encode())

    def publish(self, subject: str, data: bytes, *, reply: str = "", headers: Mapping[str, str] | None = None) -> None:
        """Publish; subjects that came from the relay must be plain words."""
        if not _PLAIN.fullmatch(subject):
            return
        if headers is None:
            self.write(f"PUB {subject} {reply} {len(data)}\r\n".encode(), data, b"\r\n")
            return
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"NATS/1.0\r\n{lines}\r\n".encode()
        self.write(f"HPUB {subject} {reply} {len(head)} {len(head) + len(data)}\r\n".encode(), head, data, b"\r\n")

    async def close(self) -> None:
        """End it at once. Harmless when repeated."""
        self._writer.transport.abort()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def watch(self) -> None:
        """Look after a silent relay. Always raises Lost."""
        while True:
            await asyncio.sleep(self._pace.beat_s)
            if self._loop.time() - self._last_heard >= self._pace.silence_s:
                raise Lost(Event.SILENT)
            self.write(b"PING\r\n")

    async def read(self) -> None:
        """Hear what comes, to the end of the connection. Always raises Lost."""
        try:
            while True:
                line = await self._reader.readuntil(b"\n")
                self._last_heard = self._loop.time()
                await self._line(line.rstrip(b"\r\n"))
        except asyncio.IncompleteReadError:
            raise Lost(Event.LOST) from None
        except (asyncio.LimitOverrunError, Malformed):
            raise Lost(Event.GARBLED) from None
        except OSError:
            raise Lost(Event.LOST) from None

    async def _line(self, line: bytes) -> None:
        words = line.split()
        match words[0].upper() if words else b"":
            case b"MSG" if len(words) in (4, 5):
                await self._message(words, head=0, size=_number(words[-1]))
            case b"HMSG" if len(words) in (5, 6):
                await self._message(words, head=_number(words[-2]), size=_number(words[-1]))
            case b"PING":
                self.write(b"PONG\r\n")
                await self.drained()  # who asks and does not read is not read from either
            case b"PONG" | b"+OK" | b"INFO":
                pass  # what a cluster says of itself is not followed: it could name anybody
            case b"-ERR" if b"permissions" in line.lower():
                self.refused += 1
            case b"-ERR":
                raise Lost(Event.NOT_ADMITTED if b"auth" in line.lower() else Event.LOST)
            case _:
                raise Malformed("not the protocol of NATS")

    async def _message(self, words: list[bytes], *, head: int, size: int) -> None:
        if not head <= size <= MOST_MESSAGE:
            raise Malformed("a message beyond every bound")
        data = await self._reader.readexactly(size + 2)
        status = 0
        if head:
            found = _STATUS.match(data)
            if found is None:
                raise Malformed("headers that are none")
            status = int(found[1] or 0)
        # MSG subject sid [reply] size; HMSG has the size of its headers before the size
        reply = words[3] if len(words) - bool(head) == 5 else b""
        heard = self._heard.get(_number(words[2]))
        if heard is not None:
            heard(Message(subject=_text(words[1]), reply=_text(reply), status=status, data=data[head:size]))


def _text(word: bytes) -> str:
    text = word.decode("ascii", "replace")
    return text if _PLAIN.fullmatch(text) else ""


def _number(word: bytes) -> int:
    if not word.isdigit() or len(word) > 9:
        raise Malformed("not a number")
    return int(word)


async def dial(server: Server, tls: ssl.SSLContext | None, name: str, credentials: Credentials, pace: Pace) -> Wire:
    """Connect and be admitted. `tls`: demand TLS, the certificate for `name`. Raises Lost."""
    plain = socket.socket(socket.AF_INET6 if ":" in server.host else socket.AF_INET, socket.SOCK_STREAM)
    plain.setblocking(False)
    writer: asyncio.StreamWriter | None = None
    admitted = False
    try:
        async with asyncio.timeout(pace.connect_s):
            async with asyncio.timeout(pace.reach_s):
                await asyncio.get_running_loop().sock_connect(plain, (server.host, server.port))
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            info = await _info(plain)
            if tls is not None and not info.get("tls_required") and not info.get("tls_available"):
                raise Lost(Event.NOT_SECURED)
            reader, writer = await asyncio.open_connection(
                sock=plain, limit=MOST_LINE, ssl=tls, server_hostname=(name or server.host) if tls else None
            )
            wire = Wire(reader, writer, pace)
            wire.write(_connect(info, credentials, secured=tls is not None), b"PING\r\n")
            await _admitted(reader)
        admitted = True
        return wire
    except ssl.SSLError:
        raise Lost(Event.NOT_SECURED) from None
    except (Malformed, asyncio.LimitOverrunError):
        raise Lost(Event.GARBLED) from None
    except asyncio.IncompleteReadError:
        raise Lost(Event.NOT_ADMITTED) from None
    except OSError:
        raise Lost(Event.DIAL_FAILED) from None
    finally:
        if not admitted:
            if writer is not None:
                writer.transport.abort()
            plain.close()


async def _info(plain: socket.socket) -> dict[str, object]:
    """The relay's first line, read to its end and no byte further: what follows comes under TLS, or counts for nothing.

    Raises Malformed.
    """
    loop = asyncio.get_running_loop()
    line = bytearray()
    while not line.endswith(b"\n"):
        piece = await loop.sock_recv(plain, 1)
        if not piece or len(line) >= MOST_LINE:
            raise Malformed("not the protocol of NATS")
        line += piece
    word, _, text = bytes(line).partition(b" ")
    try:
        info = json.loads(text)
    except (ValueError, RecursionError):
        raise Malformed("not the protocol of NATS") from None
    if word != b"INFO" or not isinstance(info, dict):
        raise Malformed("not the protocol of NATS")
    return info


def _connect(info: Mapping[str, object], credentials: Credentials, *, secured: bool) -> bytes:
    if not info.get("headers"):
        raise Lost(Event.NO_JETSTREAM)  # a server from before JetStream
    said = {
        "verbose": False,
        "pedantic": False,
        "tls_required": secured,
        "lang": "openline",
        "version": "1",
        "protocol": 1,
        "headers": True,
        "no_responders": True,
        "echo": True,
        **credentials.answer(str(info.get("nonce", ""))[:256]),
    }
    return b"CONNECT " + json.dumps(said).encode() + b"\r\n"


async def _admitted(reader: asyncio.StreamReader) -> None:
    """Wait for the answer to our first ping: before it the relay says whether it lets us in. Raises Lost."""
    while True:
        line = await reader.readuntil(b"\n")
        word = line[:4].upper()
        if word == b"PONG":
            return
        if word == b"-ERR":
            raise Lost(Event.NOT_ADMITTED)
        if word not in (b"INFO", b"+OK\r", b"PING"):
            raise Malformed("not the protocol of NATS")
