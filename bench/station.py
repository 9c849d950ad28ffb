"""A real station in a process of its own, with a driver beside it that measures from inside.

    python -m bench.station HOME

The station is the one that `openline up` runs; nothing in it knows of this.
The driver submits where the API would (line.submit) and listens where the API
does (feed), and both note CLOCK_MONOTONIC, which all processes of a machine
share. Orders come as JSON lines on standard input, answers go to standard output.
"""

import asyncio
import contextlib
import gc
import json
import os
import signal
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from openline.protocol.entries import Message, Precedence
from openline.station.config import load_config
from openline.station.feed import Published, Subscriber
from openline.station.line_runner import LineRunner
from openline.station.main import serve
from openline.station.runtime import Station
from openline.station.unlock import KeyFile

TEXT = "All quiet on the bridge; the two convoys have passed, and the next word from us comes at 21:30 sharp."
"""100 characters."""
_TCP_INFO_BYTES = 232


class Probe(Subscriber):
    """A subscriber that is told of each event the moment it is handed over."""

    def __init__(self, told: Callable[[Published, int], None]) -> None:
        super().__init__(None)
        self._told = told

    def push(self, event: Published) -> None:
        self._told(event, time.monotonic_ns())


@contextlib.contextmanager
def listening(station: Station, told: Callable[[Published, int], None]) -> Iterator[Probe]:
    """Hear all events of a station inside the block."""
    probe = Probe(told)
    station.feed._subscribers.add(probe)
    try:
        yield probe
    finally:
        station.feed.leave(probe)


class Driver:
    """Carries out one order at a time, on the station's first line but where it says otherwise."""

    def __init__(self, station: Station, line: LineRunner | None = None) -> None:
        self.station = station
        self.line: LineRunner = line or next(iter(station.lines.values()))
        self.lane = 2 * self.line.party + 1
        self.peer = 1 - self.line.party
        self._heard: list[tuple[int, bytes]] = []
        self._hearing: Any = None

    def message(self, precedence: Precedence = Precedence.ROUTINE) -> Message:
        return Message(precedence=precedence, language="en", text=TEXT)

    def held(self) -> int:
        """How much of the own traffic lane the peer has acknowledged."""
        engine = self.line.working()
        return engine.peers[self.peer].holds.get(engine.book.own(urgent=False).lane.key, 0)

    async def _holds(self, size: int, within_s: float = 30) -> None:
        """Until the peer has acknowledged so many."""
        if await self.line.when(lambda: self.held() >= size or None, within_s) is None:
            raise TimeoutError("no acknowledgement in time")

    # --- orders ---

    async def ready(self, _order: dict[str, Any]) -> dict[str, Any]:
        """Wait until an epoch is open and the peer holds all; then what this station is."""
        async with asyncio.timeout(60):
            while not self._settled():  # noqa: ASYNC110 - nothing is measured meanwhile
                await asyncio.sleep(0.005)
        return {"pid": os.getpid(), "entries": self.line.history.last_seq()}

    def _settled(self) -> bool:
        engine = self.line.engine
        if engine is None or engine.peers[self.peer].epoch is None:
            return False
        return self.held() >= engine.book.own(urgent=False).durable > 0

    async def collect(self, _order: dict[str, Any]) -> dict[str, Any]:
        """Free what is garbage, so that memory is compared and not luck."""
        gc.collect()
        return {}

    async def hear(self, _order: dict[str, Any]) -> dict[str, Any]:
        """Note from now on when entries are handed to subscribers."""
        self._heard = []
        self._hearing = listening(
            self.station, lambda event, at: self._heard.append((at, event.data)) if event.name == "entry" else None
        )
        self._hearing.__enter__()
        return {}

    async def heard(self, _order: dict[str, Any]) -> dict[str, Any]:
        """Stop; [lane, index, moment] of each."""
        self._hearing.__exit__(None, None, None)
        refs = [(json.loads(data)["ref"], at) for at, data in self._heard]
        return {"heard": [[ref["lane"], ref["index"], at] for ref, at in refs]}

    async def one_by_one(self, order: dict[str, Any]) -> dict[str, Any]:
        """Say so many messages, each once the last was acknowledged: [index, submitted, durable, acknowledged]."""
        loop = asyncio.get_running_loop()
        acknowledged: asyncio.Future[int] = loop.create_future()

        def told(event: Published, at: int) -> None:
            if event.name == "holds" and not acknowledged.done() and self.held() >= due:
                acknowledged.set_result(at)

        due, done = 1 << 62, []
        with listening(self.station, told):
            for _ in range(order["count"]):
                acknowledged = loop.create_future()
                due = self.line.working().book.own(urgent=False).size + 1
                began = time.monotonic_ns()
                accepted = await self.line.submit(self.message(), self.station.clock.wall())
                durable = time.monotonic_ns()
                async with asyncio.timeout(30):
                    at = await acknowledged
                done.append([accepted.index, began, durable, at])
                await asyncio.sleep(order.get("pause_ms", 0) / 1000)
        return {"lane": self.lane, "said": done}

    async def flow(self, order: dict[str, Any]) -> dict[str, Any]:
        """Keep `window` messages unacknowledged for `seconds`, or until `count` are acknowledged."""
        window, most = order["window"], order.get("count", 1 << 62)
        first = sent = self.line.working().book.own(urgent=False).size
        until = time.monotonic_ns() + int(order["seconds"] * 1e9)
        began = time.monotonic_ns()
        while time.monotonic_ns() < until and sent - first < most:
            held = self.held()
            for _ in range(min(window - (sent - held), most - (sent - first))):
                self.line.submit(self.message(), self.station.clock.wall())
                sent += 1
            await self._holds(held + 1)
        await self._holds(sent)
        seconds = (time.monotonic_ns() - began) / 1e9
        return {"messages": sent - first, "seconds": seconds}

    async def flow_lines(self, order: dict[str, Any]) -> dict[str, Any]:
        """The same on every line at once; `window` is for each."""
        drivers = [Driver(self.station, line) for line in self.station.lines.values()]
        began = time.monotonic_ns()
        flows = await asyncio.gather(*(driver.flow(order) for driver in drivers))
        seconds = (time.monotonic_ns() - began) / 1e9
        return {"messages": sum(flow["messages"] for flow in flows), "seconds": seconds}

    async def all_ready(self, order: dict[str, Any]) -> dict[str, Any]:
        """Wait until every line is `ready`."""
        for line in self.station.lines.values():
            await Driver(self.station, line).ready(order)
        return {"lines": len(self.station.lines)}

    async def linked(self, order: dict[str, Any]) -> dict[str, Any]:
        """Wait until the link, or that of one bearer, is as asked; when that was."""
        station = self.line.stations[self.peer]
        links = self.station.links
        bearer = links.bearers[order["bearer"]] if "bearer" in order else links
        async with asyncio.timeout(order.get("within_s", 60)):
            while bearer.up(station) != order["up"]:  # noqa: ASYNC110 - a millisecond is the grain
                await asyncio.sleep(0.001)
        return {"at": time.monotonic_ns()}

    async def say(self, order: dict[str, Any]) -> dict[str, Any]:
        """Say `count` messages of a precedence; the place of the last, and when it was submitted."""
        message = self.message(Precedence(order.get("precedence", Precedence.ROUTINE)))
        for _ in range(order.get("count", 1) - 1):
            await self.line.submit(message, self.station.clock.wall())
        began = time.monotonic_ns()
        accepted = await self.line.submit(message, self.station.clock.wall())
        return {"lane": accepted.lane.number, "index": accepted.index, "began": began}

    async def arrived(self, order: dict[str, Any]) -> dict[str, Any]:
        """Wait until an entry of the peer's is handed to subscribers, after `hear`; when that was."""
        async with asyncio.timeout(order.get("within_s", 60)):
            while True:
                for at, data in self._heard:
                    ref = json.loads(data)["ref"]
                    if (ref["lane"], ref["index"]) == (order["lane"], order["index"]):
                        return {"at": at}
                await asyncio.sleep(0.001)

    async def quiet(self, order: dict[str, Any]) -> dict[str, Any]:
        """Wait until the peer holds all that was said."""
        await self._holds(self.line.working().book.own(urgent=False).size, order.get("within_s", 30))
        return {}

    async def counts(self, _order: dict[str, Any]) -> dict[str, Any]:
        """What has gone over the bearer port and over the socket below it, and how many commits there were."""
        states = list(self.station.links.states.values())
        return {
            "envelopes": sum(state.sent for state in states),
            "envelope_bytes": sum(state.sent_bytes for state in states),
            "tcp": _tcp(self.station),
            "commits": self.station.committer.commits,
            "commit_seconds": self.station.committer.seconds,
            "entries": self.line.history.last_seq(),
            "cpu_seconds": time.process_time(),
        }

    async def sample(self, order: dict[str, Any]) -> dict[str, Any]:
        """Start, or stop, noting every millisecond of processor time where the program is (costs about 1 %)."""
        if order["on"]:
            self._sampled = Sampled()
            return {}
        return self._sampled.stop()


class Sampled:
    """Counts of functions by processor time: on top of the stack, and anywhere on it."""

    def __init__(self) -> None:
        self.on_top: Counter[str] = Counter()
        self.anywhere: Counter[str] = Counter()
        signal.signal(signal.SIGPROF, self._note)
        signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)

    def _note(self, _number: int, frame: FrameType | None) -> None:
        names = []
        while frame is not None:
            names.append(f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}")
            frame = frame.f_back
        self.on_top[names[0]] += 1
        self.anywhere.update(set(names))

    def stop(self) -> dict[str, Any]:
        signal.setitimer(signal.ITIMER_PROF, 0)
        whole = max(1, sum(self.on_top.values()))
        return {
            name: {place: round(100 * count / whole, 1) for place, count in found.most_common(40)}
            for name, found in (("on_top", self.on_top), ("anywhere", self.anywhere))
        }


def _tcp(station: Station) -> dict[str, int]:
    """Bytes and segments of the TCP connections of the link, from the kernel (TCP_INFO)."""
    found = {"bytes_sent": 0, "bytes_received": 0, "segments_sent": 0, "segments_received": 0}
    for wire in station.tls._wires if station.tls is not None else ():
        plain = wire._transport.get_extra_info("socket")
        info = plain.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
        acked, received, segments_out, segments_in = struct.unpack_from("=QQII", info, 120)
        found["bytes_sent"] += acked
        found["bytes_received"] += received
        found["segments_sent"] += segments_out
        found["segments_received"] += segments_in
    return found


async def _orders() -> AsyncIterator[dict[str, Any]]:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield json.loads(line)


async def _obey(station: Station) -> None:
    driver = Driver(station)
    print(json.dumps({"up": True}), flush=True)
    async for order in _orders():
        try:
            answer = await getattr(driver, order["do"])(order)
        except Exception as trouble:  # noqa: BLE001 - the parent is to hear of it, whatever it is
            answer = {"trouble": f"{type(trouble).__name__}: {trouble}"}
        print(json.dumps(answer), flush=True)
    station.stop()


async def run(home: Path) -> None:
    """Run a station until the orders end."""
    obeying: list[asyncio.Task[None]] = []
    await serve(
        home,
        KeyFile(home / "key-file"),
        load_config(home),
        ready=lambda station: obeying.append(asyncio.create_task(_obey(station))),
    )


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1])))
