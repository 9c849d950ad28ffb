"""A real nats-server with JetStream on a folder of its own, and two bearers over it."""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from openline.bearers.nats import NatsBearer, NatsConfig, Pace
from openline.bearers.nats.credentials import Credentials
from openline.bearers.nats.jetstream import JetStream
from openline.bearers.nats.wire import Wire, dial, parse_server
from tests.contract.bearer_contract import FAR, NEAR, Recorder
from tests.contract.tls_rig import Path as Cable
from tests.ports import free_port
from tests.waiting import until

PROGRAM = "/usr/sbin/nats-server"
needs_nats = pytest.mark.skipif(not Path(PROGRAM).exists(), reason="nats-server is not installed")

QUICK = Pace(
    connect_s=2.0,
    beat_s=0.5,
    silence_s=5.0,
    answer_s=3.0,
    retry_s=0.02,
    slow_retry_s=0.2,
    look_s=0.2,
    quick_look_s=0.05,
    fetch_s=2.0,
)


class Server:
    """The relay, which may be killed and started again on what it has stored."""

    def __init__(self, *options: str, config: str = "") -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="openline-nats-"))
        self._options, self._config = options, config
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        for old in self.folder.glob("*.ports"):
            old.unlink()
        words = [PROGRAM, "-a", "127.0.0.1", "-p", str(self._port), "-js", "-sd", str(self.folder / "store")]
        words += ["--ports_file_dir", str(self.folder), *self._options]
        if self._config:
            (self.folder / "nats.conf").write_text(self._config)
            words += ["-c", str(self.folder / "nats.conf")]
        self._process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._port = until(self._listening)

    def _listening(self) -> int:
        assert self._process is not None
        assert self._process.poll() is None, "nats-server has ended"
        for file in self.folder.glob("*.ports"):
            with contextlib.suppress(ValueError):
                return int(json.loads(file.read_text())["nats"][0].rpartition(":")[2])
        return 0

    def kill(self) -> None:
        """kill -9: nothing is flushed."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(60)

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def server(*options: str, config: str = "") -> Iterator[Server]:
    relay = Server(*options, config=config)
    try:
        yield relay
    finally:
        relay.close()


@contextlib.asynccontextmanager
async def administrator(relay: Server) -> AsyncIterator[tuple[Wire, JetStream]]:
    """Somebody with every right on the relay, and with our own small client."""
    wire = await dial(parse_server(relay.address), None, "", Credentials(), QUICK)
    reading = asyncio.create_task(wire.read())
    try:
        yield wire, JetStream(wire, os.urandom, QUICK)
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await wire.close()


class NatsRig:
    """NEAR and FAR on one relay, each over a cable that can be cut."""

    def __init__(self, at_near: Recorder, at_far: Recorder) -> None:
        self.relay = Server()
        self.cables = [Cable(self.relay.address), Cable(self.relay.address)]
        self.at_near = at_near
        # The cables' ports are known when they are open, before anything dials.
        self.near = _Late(NEAR, FAR, at_near, self.cables[0])
        self.far = _Late(FAR, NEAR, at_far, self.cables[1])

    async def started(self) -> None:
        pass

    async def cut(self) -> None:
        await asyncio.gather(*(cable.cut() for cable in self.cables))

    async def heal(self) -> None:
        await asyncio.gather(*(cable.heal() for cable in self.cables))

    async def intrude(self, envelope: bytes) -> None:
        """A station that nobody knows puts into another one's inbox; what it puts into ours is its own affair: 9.54."""
        async with administrator(self.relay) as (_, stream):
            await stream.open_inbox("stranger")
            assert await stream.publish("stranger", envelope)

    async def close(self) -> None:
        for cable in self.cables:
            with contextlib.suppress(AttributeError):  # it was never opened
                await cable.close()
        self.relay.close()


class _Late(NatsBearer):
    """Opens its cable when it begins to run, as a cable needs the loop."""

    def __init__(self, own: str, other: str, seen: Recorder, cable: Cable) -> None:
        super().__init__(NatsConfig(station=own, servers=("127.0.0.1:1",), pace=QUICK), seen, os.urandom)
        self._cable = cable
        self.set_peer(other)

    async def run(self) -> None:
        self._servers = [parse_server(await self._cable.open())]
        await super().run()


class Post:
    """A running bearer with its recorder, straight on a relay."""

    def __init__(self, own: str, other: str, address: str, *, pace: Pace = QUICK, credentials: bytes = b"") -> None:
        self.seen = Recorder()
        config = NatsConfig(station=own, servers=(address,), pace=pace, credentials=credentials)
        self.bearer = NatsBearer(config, self.seen, os.urandom)
        self.other = other
        self.bearer.set_peer(other)

    async def up(self) -> None:
        await self.seen.until(lambda: self.bearer.up(self.other))

    async def down(self) -> None:
        await self.seen.until(lambda: not self.bearer.up(self.other))

    async def counts(self, event: str, number: int = 1) -> None:
        await self.seen.until(lambda: self.seen.events[event] >= number)

    async def sends(self, to: "Post", envelope: bytes) -> None:
        assert self.bearer.offer(self.other, envelope)
        await to.seen.until(lambda: envelope in to.seen.envelopes)


@contextlib.asynccontextmanager
async def running(*posts: Post) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(post.bearer.run()) for post in posts]
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
