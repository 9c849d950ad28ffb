"""Two TLS bearers on real sockets, each reaching the other over a path that can be cut or frozen."""

import asyncio
import contextlib
import os
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

from openline.bearers.certificate import client_context, digest_of, new_certificate, new_key
from openline.bearers.listening import end_listening
from openline.bearers.tls import Pace, TlsBearer, TlsConfig
from openline.bearers.tls.limits import HELLO_BYTES, LINK_PROTOCOL, Kind
from openline.bearers.tls.outbox import HEADER
from tests import steady
from tests.contract.bearer_contract import DEADLINE_S, FAR, NEAR, Recorder

HELLO = HEADER.pack(len(HELLO_BYTES), Kind.HELLO) + HELLO_BYTES

# Deadlines short enough for tests; every one is a parameter of the bearer.
QUICK = Pace(
    listen_s=0.05,
    connect_s=1.0,
    handshake_s=2.0,
    hello_s=2.0,
    beat_s=0.2,
    silence_s=0.8,
    retry_s=0.02,
    quick_retry_s=0.2,
    steady_s=0.1,
    retire_s=1.0,
)


class Identity:
    """A key and its certificate; the same number gives the same."""

    def __init__(self, number: int) -> None:
        self.key = new_key(random.Random(number).randbytes(32))
        self.certificate = new_certificate(self.key)

    def context(self, pin: bytes, protocol: str = LINK_PROTOCOL) -> ssl.SSLContext:
        return client_context(self.certificate, self.key, [pin], protocol)


def lower_first(one: Identity, two: Identity) -> tuple[Identity, Identity]:
    ordered = sorted((one, two), key=lambda identity: digest_of(identity.certificate))
    return ordered[0], ordered[1]


def bearer(identity: Identity, intake: Recorder, *, host: str = "127.0.0.1", pace: Pace = QUICK) -> TlsBearer:
    listen = (f"[{host}]:0" if ":" in host else f"{host}:0",)
    config = TlsConfig(listen=listen, certificate=identity.certificate, key=identity.key, pace=pace)
    return TlsBearer(config, intake, os.urandom)


def split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


class Path:
    """A forwarded port: may be cut (connections break, none is made) or frozen (a pulled cable: nothing moves)."""

    def __init__(self, target: str, *, host: str = "127.0.0.1") -> None:
        self._target = split(target)
        self._host = host
        self._whole = True
        self._moving = asyncio.Event()
        self._moving.set()
        self._server: asyncio.Server
        self.tasks: set[asyncio.Task[None]] = set()
        self.stirred = asyncio.Event()

    async def open(self) -> str:
        self._server = await asyncio.start_server(self._accept, self._host, 0)
        port = self._server.sockets[0].getsockname()[1]
        return f"[{self._host}]:{port}" if ":" in self._host else f"{self._host}:{port}"

    async def cut(self) -> None:
        self._whole = False
        await self._break_all()

    async def heal(self) -> None:
        self._whole = True
        self._moving.set()

    def freeze(self) -> None:
        self._moving.clear()

    async def close(self) -> None:
        await end_listening(self._server)
        await self._break_all()

    async def until_connections(self, count: int) -> None:
        """Wait until so many connections go through."""
        async with asyncio.timeout(DEADLINE_S):
            while len(self.tasks) != count:
                await self.next_stir()

    async def next_stir(self) -> None:
        """Wait until a connection comes or goes."""
        self.stirred.clear()
        await self.stirred.wait()

    async def _break_all(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._carry(reader, writer))
        self.tasks.add(task)
        task.add_done_callback(self._done)
        task.add_done_callback(lambda _: writer.transport.abort())  # also of a task that is cancelled before it begins
        self.stirred.set()

    def _done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        self.stirred.set()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        beyond: asyncio.StreamWriter | None = None
        try:
            if not self._whole:
                return
            back, beyond = await asyncio.open_connection(*self._target)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, beyond))
                group.create_task(self._pump(back, writer))
        except OSError:
            pass
        finally:
            if beyond is not None:
                beyond.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65_536):
                await self._moving.wait()
                sink.write(data)
                await sink.drain()
        sink.close()


class TlsRig:
    """NEAR and FAR, each dialling the other."""

    def __init__(self, at_near: Recorder, at_far: Recorder, *, host: str = "127.0.0.1") -> None:
        self._host = host
        self.near_identity, self.far_identity = Identity(1), Identity(2)
        self.near = bearer(self.near_identity, at_near, host=host)
        self.far = bearer(self.far_identity, at_far, host=host)
        self.paths: list[Path] = []
        self._at_near = at_near

    async def started(self) -> None:
        for own, other, identity, name in (
            (self.near, self.far, self.far_identity, FAR),
            (self.far, self.near, self.near_identity, NEAR),
        ):
            path = Path((await other.listening())[0], host=self._host)
            self.paths.append(path)
            own.set_peer(name, identity.certificate, (await path.open(),))

    async def cut(self) -> None:
        await asyncio.gather(*(path.cut() for path in self.paths))

    async def heal(self) -> None:
        await asyncio.gather(*(path.heal() for path in self.paths))

    async def intrude(self, envelope: bytes) -> None:
        stranger = Identity(666).context(self.near_identity.certificate)
        host, port = split((await self.near.listening())[0])
        # Under TLS 1.3 the stranger may believe it is through, and write; then it is told.
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(host, port, ssl=stranger, server_hostname="")
            writer.write(HEADER.pack(4, Kind.HELLO) + HELLO_BYTES)
            writer.write(HEADER.pack(len(envelope), Kind.ENVELOPE) + envelope)
            assert await reader.read() == b""
            writer.close()
        await self._at_near.until(lambda: self._at_near.events["unknown-certificate"] == 1)

    async def close(self) -> None:
        for path in self.paths:
            await path.close()


def ipv4_rig(at_near: Recorder, at_far: Recorder) -> TlsRig:
    return TlsRig(at_near, at_far)


def ipv6_rig(at_near: Recorder, at_far: Recorder) -> TlsRig:
    return TlsRig(at_near, at_far, host="::1")


class Post:
    """A running bearer with its recorder."""

    def __init__(self, identity: Identity, *, pace: Pace = QUICK) -> None:
        self.identity = identity
        self.seen = Recorder()
        self.bearer = bearer(identity, self.seen, pace=pace)
        self.address = ""

    def knows(self, name: str, other: "Post", *addresses: str) -> None:
        self.bearer.set_peer(name, other.identity.certificate, addresses)

    async def linked(self, name: str) -> None:
        await self.seen.until(lambda: self.bearer.up(name))

    async def unlinked(self, name: str) -> None:
        await self.seen.until(lambda: not self.bearer.up(name))

    async def counts(self, event: str, number: int = 1) -> None:
        await self.seen.until(lambda: self.seen.events[event] >= number)


@contextlib.asynccontextmanager
async def running(*posts: Post) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(post.bearer.run()) for post in posts]
    try:
        for post in posts:
            post.address = (await post.bearer.listening())[0]
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def linked_posts(*, pace: Pace = QUICK) -> AsyncIterator[tuple[Post, Post, Path]]:
    """NEAR dials FAR over a path; FAR only accepts."""
    near, far = Post(Identity(1), pace=pace), Post(Identity(2), pace=pace)
    async with running(near, far):
        path = Path(far.address)
        far.knows(NEAR, near)
        near.knows(FAR, far, await path.open())
        await near.linked(FAR)
        await far.linked(NEAR)
        try:
            yield near, far, path
        finally:
            await path.close()


async def works(near: Post, far: Post) -> None:
    """One envelope each way."""
    mark = os.urandom(8)
    assert near.bearer.offer(FAR, mark)
    await far.seen.until(lambda: mark in far.seen.envelopes)
    assert far.bearer.offer(NEAR, mark)
    await near.seen.until(lambda: mark in near.seen.envelopes)


class RawClient:
    """Somebody with a certificate and no manners."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def dial(cls, identity: Identity, target: Post, protocol: str = LINK_PROTOCOL) -> "RawClient":
        context = identity.context(target.identity.certificate, protocol)
        return cls(*await asyncio.open_connection(*split(target.address), ssl=context, server_hostname=""))

    async def closed(self) -> None:
        """Wait until the other side has had enough."""
        with contextlib.suppress(OSError), contextlib.closing(self.writer.transport):
            async with asyncio.timeout(DEADLINE_S):
                while await self.reader.read(65_536):
                    pass

    async def frame(self) -> tuple[Kind, bytes]:
        """Read one frame."""
        async with asyncio.timeout(DEADLINE_S):
            length, kind = HEADER.unpack(await self.reader.readexactly(HEADER.size))
            return Kind(kind), await self.reader.readexactly(length)

    async def frames(self) -> AsyncIterator[tuple[Kind, bytes]]:
        """Read frames to the end of the connection."""
        with contextlib.suppress(asyncio.IncompleteReadError), contextlib.closing(self.writer.transport):
            while True:
                yield await self.frame()


@contextlib.asynccontextmanager
async def mute_server(context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Somebody who accepts every connection and never says a word."""
    came: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: came.append(writer), "127.0.0.1", 0, ssl=context)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"{host}:{port}"
    finally:
        await end_listening(server)
        await asyncio.sleep(0)  # the last of them is told to us
        for writer in came:
            writer.transport.abort()
        await asyncio.sleep(0)


def play(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    def test_in_a_loop() -> None:
        async def limited() -> None:
            async with asyncio.timeout(120):
                await test()

        steady.run(limited())

    test_in_a_loop.__name__ = test.__name__
    test_in_a_loop.__doc__ = test.__doc__
    return test_in_a_loop
