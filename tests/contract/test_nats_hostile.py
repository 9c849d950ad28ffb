"""A relay that is nobody's friend: garbage, endless lines, huge messages, floods, silence (spec 9.50)."""

import asyncio
import contextlib
import gc
import json
import logging
import os
import random
import socket
import tracemalloc
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace

import pytest

from openline.bearers.listening import end_listening
from openline.bearers.nats import Event, NatsBearer, NatsConfig
from openline.bearers.nats.limits import MOST_LINE, MOST_MESSAGE
from tests.contract.bearer_contract import FAR, NEAR, Recorder
from tests.contract.nats_rig import QUICK
from tests.contract.tls_rig import play
from tests.waiting import until

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[object, object, None]]

INFO = (
    b"INFO "
    + json.dumps({"headers": True, "max_payload": 2**30, "connect_urls": ["evil.example:4222"]}).encode()
    + b"\r\n"
)


class Relay:
    """Somebody at the other end of the connection."""

    def __init__(self, talk: Talk) -> None:
        self.seen = Recorder()
        self._talk = talk
        self.visits = 0
        self.address = ""

    @contextlib.asynccontextmanager
    async def at_work(self, *, credentials: bytes = b"") -> AsyncIterator[NatsBearer]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        config = NatsConfig(station=NEAR, servers=(self.address,), credentials=credentials, pace=QUICK)
        bearer = NatsBearer(config, self.seen, os.urandom)
        bearer.set_peer(FAR)
        running = asyncio.create_task(bearer.run())
        try:
            yield bearer
            assert not running.done()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await end_listening(server)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits += 1
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._talk(reader, writer)
        finally:
            writer.transport.abort()

    async def counts(self, event: Event) -> None:
        await self.seen.until(lambda: self.seen.events[event] > 0)


async def admit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """As a relay does at first."""
    writer.write(INFO)
    await reader.readuntil(b"PING\r\n")
    writer.write(b"PONG\r\n")


async def idle(reader: asyncio.StreamReader) -> None:
    while await reader.read(65_536):
        pass


def saying(data: bytes, *, admitted: bool) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if admitted:
            await admit(reader, writer)
        writer.write(data)
        await idle(reader)

    return talk


BEFORE = {
    "noise": random.Random(1).randbytes(5_000) + b"\n",
    "no-info": b"HELLO\r\n",
    "no-json": b"INFO {\r\n",
    "a-list": b"INFO []\r\n",
    "a-bomb": b"INFO " + b"[" * 20_000 + b"\r\n",
    "endless": b"INFO " + b"x" * (MOST_LINE + 10),
    "empty": b"\r\n",
    "http": b"HTTP/1.1 400 Bad Request\r\n\r\n",
}
AFTER = {
    "noise": random.Random(1).randbytes(100_000),
    "endless-line": b"MSG " + b"x" * (3 * MOST_LINE),
    "huge": b"MSG a 1 %d\r\n" % (MOST_MESSAGE + 1),
    "negative": b"MSG a 1 -5\r\n",
    "enormous": b"MSG a 1 99999999999999999999\r\n",
    "no-number": b"MSG a b c\r\n",
    "head-beyond-body": b"HMSG a 1 90 80\r\n" + bytes(82),
    "no-head": b"HMSG a 1 20 20\r\n" + b"x" * 22,
    "words": b"MSG a b c d e f g\r\n",
    "unknown": b"LOGIN please\r\n",
    "empty-line": b"\r\n",
}


@pytest.mark.parametrize("data", BEFORE.values(), ids=BEFORE)
def test_9_50_garbage_before_anything_is_counted_and_tried_again(data: bytes) -> None:
    @play
    async def garbage() -> None:
        relay = Relay(saying(data, admitted=False))
        async with relay.at_work() as bearer:
            await relay.counts(Event.GARBLED)
            await relay.seen.until(lambda: relay.visits > 0 and not bearer.up(FAR))

    garbage()


@pytest.mark.parametrize("data", AFTER.values(), ids=AFTER)
def test_9_50_garbage_later_ends_the_connection(data: bytes) -> None:
    @play
    async def garbage() -> None:
        relay = Relay(saying(data, admitted=True))
        async with relay.at_work():
            await relay.counts(Event.GARBLED)

    garbage()


@pytest.mark.parametrize(
    "data,event",
    [
        (b"-ERR 'Authorization Violation'\r\n", Event.NOT_ADMITTED),
        (b"-ERR 'Unknown Protocol Operation'\r\n", Event.LOST),
        (b"", Event.LOST),
    ],
    ids=["not-admitted", "an-error", "goodbye"],
)
def test_9_50_an_error_of_the_relay_ends_the_connection(data: bytes, event: Event) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await admit(reader, writer)
        writer.write(data)
        await writer.drain()
        if data:
            await idle(reader)

    @play
    async def ended() -> None:
        relay = Relay(talk)
        async with relay.at_work():
            await relay.counts(event)

    ended()


@play
async def test_9_50_a_relay_that_says_nothing_is_left() -> None:
    async def mute(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await idle(reader)

    async def falls_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await admit(reader, writer)
        await idle(reader)

    for talk, event in ((mute, Event.DIAL_FAILED), (falls_silent, Event.SILENT)):
        relay = Relay(talk)
        quick = replace(QUICK, connect_s=0.2, beat_s=0.05, silence_s=0.2, answer_s=0.1)
        server = await asyncio.start_server(relay._serve, "127.0.0.1", 0)
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        bearer = NatsBearer(NatsConfig(station=NEAR, servers=(address,), pace=quick), relay.seen, os.urandom)
        running = asyncio.create_task(bearer.run())
        await relay.counts(event)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await end_listening(server)


@play
async def test_9_50_messages_that_nobody_asked_for_fill_no_memory() -> None:
    flooded = asyncio.Event()

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await admit(reader, writer)
        payload = bytes(16_384)
        with contextlib.suppress(OSError):
            for _ in range(3_000):  # 48 MiB
                for number in (1, 2, 77):
                    writer.write(b"MSG _INBOX.x %d $JS.ACK.x 16384\r\n" % number + payload + b"\r\n")
                await writer.drain()
        flooded.set()
        await idle(reader)

    relay = Relay(flood)
    gc.collect()
    tracemalloc.start()
    try:
        async with relay.at_work():
            await relay.counts(Event.GARBLED)  # far more than was asked for
            async with asyncio.timeout(60):
                await flooded.wait()
            most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 16 * 2**20
    assert relay.seen.arrivals == []


@play
async def test_9_50_a_relay_that_asks_and_never_reads_fills_no_memory() -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await admit(reader, writer)
        reader._transport.pause_reading()  # type: ignore[attr-defined] # asyncio has no other way
        while True:
            writer.write(b"PING\r\n" * 1_000)
            await writer.drain()

    relay = Relay(deaf)
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)  # so that little is enough
    narrow.bind(("127.0.0.1", 0))
    server = await asyncio.start_server(relay._serve, sock=narrow)
    address = f"127.0.0.1:{narrow.getsockname()[1]}"
    quick = replace(QUICK, beat_s=0.1, silence_s=0.5)
    bearer = NatsBearer(NatsConfig(station=NEAR, servers=(address,), pace=quick), relay.seen, os.urandom)
    running = asyncio.create_task(bearer.run())
    try:
        await relay.counts(Event.SILENT)  # no more was read from it than was answered
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await end_listening(server)


@play
async def test_9_50_an_answer_goes_only_where_acknowledgements_go() -> None:
    """A relay that would have us publish elsewhere, or break out of a line, is not obeyed."""
    heard = bytearray()
    done = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(INFO)
        numbers = {b"f": 0}
        while line := await reader.readuntil(b"\r\n"):
            heard.extend(line)
            words = line.split()
            if words[0] == b"PING":
                writer.write(b"PONG\r\n")
            elif words[0] == b"PUB":
                body = await reader.readexactly(int(words[-1]) + 2)
                heard.extend(body)
                reply = words[2] if len(words) == 4 else b""
                if b"STREAM.NAMES" in words[1]:
                    answer = b'{"streams": ["A"]}'
                    writer.write(b"MSG %b 1 %d\r\n%b\r\n" % (reply, len(answer), answer))
                elif b"CONSUMER.DURABLE" in words[1]:
                    writer.write(b'MSG %b 1 13\r\n{"name": "A"}\r\n' % reply)
                elif b"MSG.NEXT" in words[1] and not numbers[b"f"]:
                    numbers[b"f"] = 1
                    for place in (b"somebody.else", b"$JS.ACK\x01", b"$JS.ACK.good", b"$SYS.x"):
                        writer.write(b"MSG %b 2 %b 5\r\nhello\r\n" % (reply, place))
                elif words[1] == b"$JS.ACK.good":
                    done.set()

    relay = Relay(talk)
    async with relay.at_work():
        await relay.seen.until(lambda: len(relay.seen.arrivals) == 4)
        async with asyncio.timeout(60):
            await done.wait()
    assert b"PUB $JS.ACK.good" in heard
    assert b"PUB somebody.else" not in heard
    assert b"PUB $SYS" not in heard


@play
async def test_9_50_servers_that_the_relay_names_are_not_dialled() -> None:
    other = Relay(saying(b"", admitted=True))
    listening = await asyncio.start_server(other._serve, "127.0.0.1", 0)
    address = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    named: list[bytes] = []

    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(named[0])
        await writer.drain()

    info = {"headers": True, "connect_urls": [address], "cluster": "x", "ldm": True}
    named.append(b"INFO " + json.dumps(info).encode() + b"\r\n")
    relay = Relay(talk)
    async with relay.at_work():
        await asyncio.to_thread(until, lambda: relay.visits >= 5)
    await end_listening(listening)
    assert other.visits == 0


def test_9_50_addresses_get_into_no_counter_log_or_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    @play
    async def quiet() -> None:
        relay = Relay(saying(b"-ERR 'Authorization Violation'\r\n", admitted=True))
        async with relay.at_work(credentials=b"hidden:word"):
            await relay.counts(Event.NOT_ADMITTED)
        gone = NatsConfig(station=NEAR, servers=(relay.address,), pace=QUICK)
        bearer = NatsBearer(gone, relay.seen, os.urandom)
        running = asyncio.create_task(bearer.run())
        await relay.counts(Event.DIAL_FAILED)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        told = repr(relay.seen.events) + repr(bearer) + caplog.text
        assert relay.address not in told
        assert "hidden" not in told

    quiet()
