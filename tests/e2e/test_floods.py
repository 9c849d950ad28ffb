"""Floods against a real station: its memory and its disk stay bounded, and the line still serves (12.5, 12.7, 9.24, 9.37, 4.4).

BRAVO is a process of its own. Strangers reach it by its port alone; the authenticated flood comes from a station that has
ALPHA's true keys, is on the line, and seals whatever it likes.
"""

import asyncio
import contextlib
import os
import random
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from openline.bearers.certificate import client_context, new_certificate, new_key
from openline.bearers.tls.limits import HELLO_BYTES, LINK_PROTOCOL, PAIR_PROTOCOL
from openline.kernel.codec import Value, encode
from openline.kernel.envelope import handshake_key, seal_handshake
from openline.kernel.lane import Generation, Head, Lane, SignedHead, sign_head
from openline.kernel.terms import Policy
from openline.protocol.drafts import Draft
from openline.protocol.engine import Engine
from openline.protocol.entries import Unknown
from openline.protocol.frames import (
    Chunk,
    ChunkWant,
    Cosignature,
    Entries,
    Fragment,
    Frame,
    GenerationSeed,
    HeadNote,
    Held,
    Last,
    Want,
    WireEntry,
    encode_content,
    frame_value,
)
from openline.station.client import Client
from openline.station.line_runner import LineRunner
from openline.station.runtime import Station
from tests.e2e.homes import Home, Running, in_service, pair, running
from tests.e2e.inside import call, eventually, linked, stations
from tests.waiting import until

pytestmark = pytest.mark.full

ENVELOPES = 20_000
"""In all, of the authenticated floods."""
CONNECTIONS = 1_500
GROWTH = 8 * 2**20
"""Bytes that the process may grow by; 20,000 envelopes of 256 bytes are 5 MB, with what Python adds to each some 12 MB.
Seen: 2 MB. Half of it is 2,800 bytes a connection, of which TLS alone takes several times as much while it stands."""
DISK = 3 * 2**20
"""Bytes that the store may grow by: 20,000 of anything with its index would be more. Seen: 0.4 MB."""
LOG = 2**19
"""Bytes of log: a line for each envelope would be 2.5 MB."""
WARM = 4_000
"""Envelopes before the first measurement: buffers have their size, and code is loaded."""
POLICY = Policy(title="Test line", urgent_per_hour=600, traffic_per_hour=600)
TOGETHER = 50


def memory(station: Running) -> int:
    """Resident bytes of a station's process."""
    words = Path(f"/proc/{station.process.pid}/status").read_text().partition("VmRSS:")[2].split()
    return int(words[0]) * 1_024


def disk(home: Home) -> int:
    """Bytes of a station's store."""
    return sum(path.stat().st_size for path in (home.folder / "store").iterdir())


def texts(station: Client) -> list[str]:
    """The texts of all messages."""
    listed = station.get("lines/relay/entries", kind="message", limit=1000)["entries"]
    return [entry["body"]["text"] for entry in listed]


def still_serves(here: Client, there: Client, text: str) -> None:
    """What is said at either side comes to the other."""
    for one, other in ((here, there), (there, here)):
        one.post("lines/relay/entries", {"kind": "message", "text": f"{text} {id(one)}", "precedence": "flash"})
        until(lambda one=one, other=other: f"{text} {id(one)}" in texts(other), deadline_s=60)  # type: ignore[misc]


# --- strangers ---------------------------------------------------------------------------------------------


async def garbage(port: int, data: bytes) -> None:
    with contextlib.suppress(OSError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(data)
        writer.write_eof()
        await reader.read(64)
        writer.close()


async def stranger(port: int, context: ssl.SSLContext) -> None:
    """TLS with a certificate that nobody pinned; then a hello all the same."""
    with contextlib.suppress(OSError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        writer.write(len(HELLO_BYTES).to_bytes(4, "big") + b"\0" + HELLO_BYTES)
        await reader.read(64)
        writer.close()


async def strangers(home: Home, connections: int) -> None:
    """Many connections: some silent and held open, some with garbage, some with TLS of no member's."""
    chance = random.Random(1)
    key = new_key(os.urandom(32))
    certificate, own = new_certificate(key), home.card.certificate
    contexts = [client_context(certificate, key, [own], protocol) for protocol in (LINK_PROTOCOL, PAIR_PROTOCOL)]
    for start in range(0, connections, TOGETHER):
        calls = []
        silent = []
        for number in range(start, start + TOGETHER):
            match number % 5:
                case 0:
                    with contextlib.suppress(OSError):
                        silent.append(await asyncio.open_connection("127.0.0.1", home.port))
                case 1:
                    calls.append(stranger(home.port, contexts[number % 2]))
                case 2:
                    calls.append(garbage(home.port, b"\x16\x03\x01\x40\x00\x01" + chance.randbytes(20_000)))
                case 3:
                    calls.append(garbage(home.port, b"GET / HTTP/1.1\r\n\r\n" * 4))
                case _:
                    calls.append(garbage(home.port, chance.randbytes(chance.choice((1, 40, 5_000)))))
        await asyncio.wait_for(asyncio.gather(*calls), 60)
        for _, writer in silent:
            writer.close()


def test_strangers_cost_a_counter_and_no_memory(tmp_path: Path) -> None:
    alpha, bravo = pair(tmp_path)
    with running(alpha, bravo) as (_, victim), alpha.client() as here, bravo.client() as there:
        in_service(alpha, bravo)
        asyncio.run(strangers(bravo, CONNECTIONS // 3))
        before = memory(victim)
        asyncio.run(strangers(bravo, CONNECTIONS))
        assert memory(victim) - before < GROWTH / 2
        still_serves(here, there, "After the strangers.")


# --- an authenticated peer ---------------------------------------------------------------------------------


class Hostile:
    """ALPHA's line, with true keys, in this process."""

    def __init__(self, station: Station, line: LineRunner) -> None:
        assert line.engine is not None
        self.station, self.line = station, line
        self.engine: Engine = line.engine
        (self.victim,) = self.engine.peers
        self.name = next(iter(station.links.stations()))
        self.chance = random.Random(2)
        self.sent = 0

    @property
    def lane(self) -> Lane:
        return self.engine.book.own(urgent=False).lane

    def elsewhere(self) -> Lane:
        """A lane of ALPHA's in a generation that nobody has opened."""
        return Lane(self.lane.line, self.lane.number, self.generation())

    def generation(self) -> Generation:
        return Generation(self.chance.randrange(1, 2**32), self.chance.randbytes(8))

    def seal(self, *frames: Frame | Value) -> bytes:
        """Any content under the true keys."""
        peer = self.engine.peers[self.victim]
        assert peer.epoch is not None
        if not peer.epoch.outgoing.left:
            peer.epoch.record_outgoing, keys = peer.epoch.outgoing.reserve()
            peer.epoch.outgoing.free(keys)
        raw = [encode(each if isinstance(each, list) else frame_value(each)) for each in frames]  # type: ignore[arg-type]
        index = peer.epoch.outgoing.index
        return peer.epoch.outgoing.seal(encode_content(peer.announced, index, raw))[1]

    async def send(self, envelope: bytes) -> None:
        """Hand it to the bearer, waiting while its queue is full."""
        async with asyncio.timeout(60):
            while not self.station.links.bearers["tls"].offer(self.name, envelope):  # noqa: ASYNC110 - no event for it
                await asyncio.sleep(0)
        self.sent += 1
        if self.sent % 16 == 0:
            await asyncio.sleep(0)

    def write(self, kind: int, body: bytes) -> None:
        """Sign an entry of any kind and body into the own traffic lane, unchecked; FLASH must pass nevertheless (12.5)."""
        draft = Draft(
            token=None, urgent=False, entry=Unknown(kind=kind, raw=body), body=body, time=self.station.clock.wall()
        )
        self.engine._drafts._waiting.append(draft)


def said(hostile: Hostile) -> Iterator[Callable[[], Frame | Value]]:
    """Frames of every sort that might fill something, each made anew."""
    chance, lane = hostile.chance, hostile.lane

    def hashed() -> bytes:
        return chance.randbytes(32)

    yield lambda: GenerationSeed(party=lane.party, generation=hostile.generation(), seed=hashed(), statement=b"")
    yield lambda: Held(heads=tuple((hostile.elsewhere(), 7) for _ in range(3)))
    yield lambda: Want(lane=hostile.elsewhere(), first=chance.randrange(99), full=True)
    yield lambda: ChunkWant(attachment=hashed(), first=0, count=32)
    yield lambda: Chunk(attachment=hashed(), number=chance.randrange(99), data=bytes(100))
    yield lambda: Cosignature(lane=lane, size=chance.randrange(1, 2**40), signature=bytes(100))
    yield lambda: Last(attempt=chance.randrange(2**32), index=chance.randrange(2**32))
    yield lambda: Fragment(stream=chance.randrange(2**32), part=0, parts=512, data=bytes(120))
    yield lambda: [chance.randrange(100, 200), hashed()]
    yield lambda: [chance.randrange(0, 11), chance.randrange(9), hashed()]
    yield lambda: HeadNote(
        signed=SignedHead(
            head=Head(lane=lane, size=chance.randrange(2**40), root=hashed()), ed25519=bytes(64), mldsa=b""
        )
    )
    yield lambda: HeadNote(
        signed=sign_head(hostile.station.signer, Head(lane=lane, size=chance.randrange(10_000, 2**40), root=hashed()))
    )
    yield lambda: Entries(
        lane=lane.number,
        counter=0,
        first=chance.randrange(1_000, 2**40),
        items=(WireEntry(kind=3, delta=0, ack=None, body=hashed()),),
        signature=bytes(64),
    )


async def flood(hostile: Hostile, envelopes: int) -> None:
    """Frames of all sorts, envelopes of unknown tag, handshakes, and entries that are refused or of unknown kinds."""
    sorts = list(said(hostile))
    (psk,) = hostile.station.keystore.psks(hostile.lane.line).values()
    key = handshake_key(psk, hostile.lane.line, hostile.lane.party, hostile.victim)
    target = hostile.sent + envelopes
    while hostile.sent < target:
        for sort in sorts:
            for _ in range(8):
                await hostile.send(hostile.seal(sort()))
        await hostile.send(hostile.seal(Want(lane=hostile.lane, first=0, full=bool(hostile.chance.randrange(2)))))
        for _ in range(16):
            await hostile.send(b"\1" + hostile.chance.randbytes(255))
        await hostile.send(seal_handshake(key, encode([24, hostile.chance.randrange(2**32), 7, 0]), os.urandom))
        for kind, body in ((16, b"poisoned"), (60_000, hostile.chance.randbytes(100)), (6, b"\xff")):
            hostile.write(kind, body)
        await asyncio.sleep(0)


async def says(station: Station, text: str) -> None:
    """A FLASH at the station in this process."""
    body = {"kind": "message", "text": text, "precedence": "flash"}
    answer = await call(station, "POST", "lines/relay/entries", body, uid=os.getuid())
    assert answer.status == 201, answer.json


async def is_heard(station: Station, victim: Home, text: str) -> None:
    """A FLASH of the victim's comes through."""

    def says_so() -> None:
        with victim.client() as there:
            there.post("lines/relay/entries", {"kind": "message", "text": text, "precedence": "flash"})

    async def here() -> bool | None:
        listed = await call(station, "GET", "lines/relay/entries", uid=os.getuid(), kind="message", limit=1000)
        return True if text in [entry["body"]["text"] for entry in listed.json["entries"]] else None

    await asyncio.to_thread(says_so)
    assert await eventually(here)


async def both_are_heard(station: Station, victim: Home, text: str) -> None:
    """A FLASH comes through from either side to the other."""
    await says(station, text)

    def at_the_victims() -> None:
        with victim.client() as there:
            until(lambda: text in texts(there), deadline_s=120)

    await asyncio.to_thread(at_the_victims)
    await is_heard(station, victim, f"Heard: {text}")


def test_an_authenticated_peer_fills_neither_memory_nor_disk(tmp_path: Path) -> None:
    alpha, bravo = pair(tmp_path, POLICY)

    async def scene(victim: Running) -> None:
        async with stations([alpha]) as (station,):
            await linked(station)
            hostile = Hostile(station, station.find("relay"))
            await flood(hostile, WARM)
            await both_are_heard(station, bravo, "Before the flood.")
            memory_before, disk_before, log_before = memory(victim), disk(bravo), bravo.log.stat().st_size
            await flood(hostile, ENVELOPES)
            await both_are_heard(station, bravo, "After the flood.")
            assert memory(victim) - memory_before < GROWTH
            assert disk(bravo) - disk_before < DISK
            assert bravo.log.stat().st_size - log_before < LOG

    with running(bravo) as (victim,):
        asyncio.run(scene(victim))


def test_a_peer_that_forks_again_and_again_leaves_one_proof(tmp_path: Path) -> None:
    """11.6: after a proof the generation takes nothing more, and the victim's own lanes go on."""
    alpha, bravo = pair(tmp_path, POLICY)

    async def scene(victim: Running) -> None:
        async with stations([alpha]) as (station,):
            await linked(station)
            await both_are_heard(station, bravo, "Before the forks.")
            hostile = Hostile(station, station.find("relay"))
            size = hostile.engine.book.own(urgent=False).size
            memory_before, disk_before = memory(victim), disk(bravo)
            for _ in range(5_000):
                head = Head(lane=hostile.lane, size=size, root=hostile.chance.randbytes(32))
                await hostile.send(hostile.seal(HeadNote(signed=sign_head(station.signer, head))))

            def proved() -> None:
                with bravo.client() as there:
                    until(lambda: there.get("lines/relay")["forks"], deadline_s=120)

            await asyncio.to_thread(proved)
            await is_heard(station, bravo, "I go on.")
            assert memory(victim) - memory_before < GROWTH  # 5,000 signed heads are 17 MB
            assert disk(bravo) - disk_before < DISK / 2
            with bravo.client() as there:
                assert there.get("lines/relay")["forks"] == 1

    with running(bravo) as (victim,):
        asyncio.run(scene(victim))
