"""Targets in the bearers: whatever comes over a wire, out of a mailbox, a relay or a folder."""

import asyncio
import contextlib
import hashlib
import os
import shutil
import ssl
from collections.abc import Coroutine
from itertools import count
from pathlib import Path
from typing import Any, cast

from fuzz.target import Input, Run, new_loop, part, scratch
from openline.bearers import certificate as certificates
from openline.bearers.drop import folder as drop
from openline.bearers.drop.limits import Event as DropEvent
from openline.bearers.drop.limits import file_name
from openline.bearers.nats import jetstream
from openline.bearers.nats import wire as nats_wire
from openline.bearers.nats.limits import Event as NatsEvent
from openline.bearers.nats.limits import Pace as NatsPace
from openline.bearers.serial import link as serial_link
from openline.bearers.serial.framing import Receiver, frame_of, stuffed, unstuffed
from openline.bearers.serial.limits import pace_for
from openline.bearers.tls import wire as tls_wire
from openline.bearers.tls.limits import HELLO_BYTES, LARGEST_LINK_FRAME, LINK_PROTOCOL, Kind, Pace, Phase
from openline.bearers.tls.limits import Event as TlsEvent
from openline.bearers.tls.outbox import HEADER
from openline.kernel.crypto import digest
from openline.kernel.errors import Malformed, Refused
from openline.kernel.units import Entropy

_LOOP = new_loop()


def _do(work: Coroutine[Any, Any, None]) -> None:
    _LOOP.run_until_complete(work)


# --- TLS ---------------------------------------------------------------------------------------------------


class _Transport(asyncio.Transport):
    """Where a wire writes; nothing listens."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.ended = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def abort(self) -> None:
        self.ended = True

    def close(self) -> None:
        self.ended = True

    def take(self) -> bytes:
        taken, self.written = bytes(self.written), bytearray()
        return taken


class _Owner:
    """Takes what a wire reports, and checks it."""

    def __init__(self) -> None:
        self.envelopes = 0

    def made(self, wire: tls_wire.Wire) -> None: ...

    def secured(self, wire: tls_wire.Wire, certificate: bytes, protocol: str | None) -> bool:  # noqa: ARG002
        return True

    def greeted(self, wire: tls_wire.Wire) -> None: ...

    def envelope(self, wire: tls_wire.Wire, payload: bytes) -> None:  # noqa: ARG002
        assert len(payload) <= LARGEST_LINK_FRAME
        self.envelopes += 1

    def proved(self, wire: tls_wire.Wire) -> None: ...

    def stalled(self, wire: tls_wire.Wire) -> None: ...

    def retired(self, wire: tls_wire.Wire) -> None:
        wire.close()

    def ended(self, wire: tls_wire.Wire) -> None: ...

    def closed(self, wire: tls_wire.Wire) -> None: ...

    def counted(self, event: TlsEvent) -> None: ...


def _handshake(wire: tls_wire.Wire, transport: _Transport, context: ssl.SSLContext) -> tuple[Any, Any, Any]:
    """A peer's end of the connection, after both have shown their certificates."""
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    peer = context.wrap_bio(into, out)
    for _ in range(4):
        with contextlib.suppress(ssl.SSLWantReadError):
            peer.do_handshake()
        if said := out.read():
            wire.data_received(said)
        into.write(transport.take())
    return peer, into, out


def make_tls() -> Run:
    """Spec 9.30 to 9.35. First byte 0: bytes before TLS stands; else what a true peer sends inside it, in pieces."""
    keys = [certificates.new_key(digest(name)) for name in (b"one", b"other")]
    own, other = (certificates.new_certificate(key) for key in keys)
    server = certificates.server_context(own, keys[0], [other], [LINK_PROTOCOL])
    client = certificates.client_context(other, keys[1], [own], LINK_PROTOCOL)

    async def one(data: bytes) -> None:
        transport, given = _Transport(), Input(data)
        mode = given.number()
        wire = tls_wire.Wire(_Owner(), server, dialled=False, pace=Pace())
        wire.connection_made(transport)
        if mode:
            peer, _, out = _handshake(wire, transport, client)
            for piece in given.parts():
                if piece and not transport.ended:
                    peer.write(piece)
                    wire.data_received(out.read())
            assert len(wire._partial) <= LARGEST_LINK_FRAME + HEADER.size, "a partial frame without bound"  # noqa: SLF001
        else:
            for piece in given.parts():
                wire.data_received(piece)
        wire.connection_lost(None)
        assert wire.phase is Phase.ENDED

    return lambda data: _do(one(data))


def _frame(kind: int, payload: bytes = b"", length: int | None = None) -> bytes:
    return HEADER.pack(len(payload) if length is None else length, kind) + payload


def seeds_tls() -> dict[str, bytes]:
    hello = _frame(Kind.HELLO, HELLO_BYTES)
    inside = {
        "hello": part(hello),
        "envelope": part(hello + _frame(Kind.ENVELOPE, bytes(256))),
        "pieces": part(hello[:3]) + part(hello[3:] + _frame(Kind.BEAT)) + part(_frame(Kind.PROBE)[:2]),
        "retire": part(hello + _frame(Kind.RETIRE) + _frame(Kind.ENVELOPE, b"late")),
        "large": part(hello + _frame(Kind.ENVELOPE, b"", 16_449)),
        "unknown": part(hello + _frame(9)),
        "wrong": part(_frame(Kind.HELLO, b"OPL\2")),
    }
    outside = {"http": part(b"GET / HTTP/1.1\r\n\r\n"), "tls": part(bytes.fromhex("16030100050100000100"))}
    return {name: b"\1" + data for name, data in inside.items()} | {
        name: b"\0" + data for name, data in outside.items()
    }


# --- a relay -----------------------------------------------------------------------------------------------


class _Writer:
    """Where a NATS connection writes; nothing listens."""

    def __init__(self) -> None:
        self.transport = _Transport()

    def write(self, data: bytes) -> None: ...

    async def drain(self) -> None: ...


def make_nats() -> Run:
    """Spec 9.50 to 9.54: a relay that says anything, while it is asked for our inbox and for messages."""

    async def one(data: bytes) -> None:
        reader = asyncio.StreamReader(limit=4_096)
        writer = cast("asyncio.StreamWriter", _Writer())
        wire = nats_wire.Wire(reader, writer, NatsPace())
        stream = jetstream.JetStream(wire, bytes, NatsPace())
        looking = asyncio.ensure_future(stream.open_inbox("station"))
        await asyncio.sleep(0)
        reader.feed_data(data)
        reader.feed_eof()
        try:
            await wire.read()
        except nats_wire.Lost as lost:
            if lost.event is not NatsEvent.LOST:  # that it ends is no refusal
                raise
        finally:
            for _ in range(8):
                await asyncio.sleep(0)
            assert stream.fetched.qsize() <= 2 * NatsPace().fetch
            if looking.done():
                looking.exception()
            looking.cancel()
            with contextlib.suppress(asyncio.CancelledError, nats_wire.Lost, jetstream.NotThere):
                await looking

    return lambda data: _do(one(data))


def seeds_nats() -> dict[str, bytes]:
    prefix = b"_INBOX." + bytes(12).hex().encode()
    names = b'{"streams":["OPENLINE-1"]}'
    answer = b"MSG %s.a.1 1 %d\r\n%s\r\n" % (prefix, len(names), names)
    head = b"NATS/1.0\r\n\r\n"
    return {
        "info": b'INFO {"server_id":"x"}\r\nPING\r\n+OK\r\n',
        "answer": answer + b"MSG %s.a.2 1 2\r\n{}\r\n" % prefix,
        "message": b"MSG %s.f 2 $JS.ACK.x 5\r\nhello\r\n" % prefix,
        "headers": b"HMSG %s.f 2 $JS.ACK.x %d %d\r\n%shello\r\n" % (prefix, len(head), len(head) + 5, head),
        "nobody": b"HMSG %s.a.1 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n" % prefix,
        "error": b"-ERR 'Authorization Violation'\r\n",
        "denied": b"-ERR 'Permissions Violation'\r\n-ERR 'Stale Connection'\r\n",
    }


# --- a folder ----------------------------------------------------------------------------------------------


def _put(root: Path, kind: int, name: bytes, content: bytes) -> None:
    """Something under any name that a file system takes; `kind` says what."""
    named = name.replace(b"/", b"_").replace(b"\0", b"_")[:200] or b"x"
    if named in {b".", b".."}:
        named += b"x"
    right = file_name(content).encode()
    place = os.path.join(os.fsencode(root), right if kind % 2 else named)  # noqa: PTH118 - names that are no text
    with contextlib.suppress(OSError):
        match kind // 2 % 4:
            case 0 | 1:
                with open(place, "wb") as file:  # noqa: PTH123
                    file.write(content)
            case 2:
                os.mkdir(place)  # noqa: PTH102
            case _:
                os.symlink(content[:100].replace(b"\0", b"_") or b"x", place)  # noqa: PTH211


def make_drop() -> Run:
    """Spec 9.60 to 9.64: a folder that others write, with anything under any name."""
    home = scratch()

    def run(data: bytes) -> None:
        root = home / "stick"
        root.mkdir()
        given = Input(data)
        try:
            with drop.opened(root, "inbox", make=True) as handle:
                for _ in range(16):
                    if not given:
                        break
                    _put(root / "inbox", given.number(), given.part(), given.part())
                counted: list[DropEvent] = []
                seen = drop.Seen(64)
                found, broken = drop.take(handle, seen, counted.append, files=8, size=100_000)
                assert all(file_name(each.envelope) == each.name for each in found)
                assert not {each.name for each in found} & set(broken)
                drop.tidy(handle, 3_600.0)
                for each in found:
                    drop.remove(handle, each.name)
                again, _ = drop.take(handle, seen, counted.append, files=8, size=100_000)
                assert not {each.name for each in found} & {each.name for each in again}, "a file came twice"
        finally:
            shutil.rmtree(root, ignore_errors=True)

    return run


def seeds_drop() -> dict[str, bytes]:
    name = file_name(b"envelope").encode()
    return {
        "one": b"\1" + part(b"") + part(b"envelope"),
        "renamed": b"\0" + part(name) + part(b"another"),
        "half": b"\0" + part(b"." + name.partition(b".")[0] + b".part") + part(b"env"),
        "folder": b"\4" + part(name) + part(b"x"),
        "link": b"\6" + part(name) + part(b"/etc/passwd"),
        "several": b"\1"
        + part(b"")
        + part(b"a")
        + b"\1"
        + part(b"")
        + part(b"b" * 256)
        + b"\0"
        + part(b"\xff\n")
        + part(b"c"),
    }


# --- a serial line -----------------------------------------------------------------------------------------


def make_serial_framing() -> Run:
    """Spec 9.70, 9.71: bytes off the line; stuffing has one form."""

    def run(data: bytes) -> None:
        whole, pieces = Receiver(), Receiver()
        cut = len(data) // 3
        contents = whole.feed(data)
        assert pieces.feed(data[:cut]) + pieces.feed(data[cut : 2 * cut]) + pieces.feed(data[2 * cut :]) == contents
        assert pieces.noise == whole.noise
        for content in contents:
            assert unstuffed(stuffed(content)) == content
            assert len(content) <= 254
        if not contents:
            raise Malformed("noise")

    return run


def seeds_serial_framing() -> dict[str, bytes]:
    return {
        "frame": frame_of(b"hello\0there", 7),
        "two": frame_of(bytes(200), 7) + b"\0\0" + frame_of(b"x", 7),
        "noise": b"\x05abc\0" + bytes(range(1, 255)),
    }


def make_serial() -> Run:
    """Spec 9.72 to 9.78. Pairs of a byte and a part: bytes off the line, or bodies framed under the link's true seed."""
    pace = pace_for(9_600)

    def drawn() -> Entropy:
        numbers = count(1)
        return lambda size: hashlib.sha256(str(next(numbers)).encode()).digest()[:size]

    def run(data: bytes) -> None:
        given, now = Input(data), 100.0
        link = serial_link.Link(pace, drawn(), now)
        for _ in range(64):
            if not given:
                break
            kind, body = given.number(), given.part()[:4_000]
            match kind % 6:
                case 0:
                    outputs = link.receive(body, now)
                case 1:
                    outputs = link.receive(frame_of(body[:250], serial_link._HELLO_SEED), now)  # noqa: SLF001
                case 2 | 3:
                    outputs = link.receive(frame_of(body[:250], link._seed_in), now)  # noqa: SLF001
                case 4:
                    now += int.from_bytes(body[:2], "big") / 1_000
                    outputs = link.tick(now)
                    link.next_frame(now)
                case _:
                    outputs = []
                    with contextlib.suppress(Refused):
                        link.offer(body, urgent=bool(kind & 32))
            for output in outputs:
                if isinstance(output, serial_link.Arrived):
                    assert 0 < len(output.envelope) <= pace.largest
            assert link.deadline() == link.deadline()

    return run


def seeds_serial() -> dict[str, bytes]:
    link = serial_link.Link(pace_for(9_600), lambda size: bytes((7,)) * size, 100.0)
    hello = link.next_frame(100.0) or b""
    body = bytes((serial_link._HELLO,)) + bytes((7,)) * 4 + bytes(4)  # noqa: SLF001
    up = b"\1" + part(body)
    data = b"\2" + part(bytes((serial_link._DATA | serial_link._LAST, 0)) + b"envelope")  # noqa: SLF001
    state = b"\2" + part(bytes((serial_link._STATE,)) + bytes(6))  # noqa: SLF001
    return {
        "raw-hello": b"\0" + part(hello),
        "hello": up,
        "data": up + data + data,
        "state": up + state + b"\5" + part(b"envelope") + b"\4" + part(b"\1\0"),
        "silence": up + data + b"\4" + part(b"\xff\xff") + data,
    }
