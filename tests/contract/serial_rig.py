"""Two serial bearers on real terminal devices (pty pairs), joined by a wire that is as slow as a real one.

A wire takes bytes from one end's terminal only as fast as it carries them, so
what a bearer stuffs into the system's buffer waits there, as in the world.
"""

import asyncio
import contextlib
import os
import pty
import tempfile
import tty
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

from openline.bearers.serial import Pace, SerialBearer, SerialConfig, pace_for
from openline.bearers.serial.framing import frame_of
from tests.contract.bearer_contract import DEADLINE_S, FAR, NEAR, Recorder

Fault = Callable[[bytes], bytes]
"""What becomes of a few bytes on the wire."""

_TICK_S = 0.01
"""How many bytes the wire takes at once: those of so much time, one at least."""


def quick(bits_per_second: int) -> Pace:
    """The line's own sizes, and deadlines short enough for tests."""
    return replace(pace_for(bits_per_second), beat_s=0.25, silence_s=1.5, hello_s=0.05, answer_s=0.3)


class Plug:
    """A terminal device under a name of its own, which can be pulled out and put in again."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.path = Path(self._folder.name) / "ttyTEST0"
        self.master = self._held = -1
        self.put_in()

    def put_in(self) -> None:
        self.master, self._held = pty.openpty()
        tty.setraw(self._held)
        os.set_blocking(self.master, False)
        self.path.symlink_to(os.ttyname(self._held))

    def pull_out(self) -> None:
        self.path.unlink()
        os.close(self._held)
        os.close(self.master)
        self.master = -1

    def close(self) -> None:
        if self.master >= 0:
            self.pull_out()
        self._folder.cleanup()


class Wire:
    """One direction, at the line's rate: ten bits a byte."""

    def __init__(self, bits_per_second: int, source: Plug, sink: Plug) -> None:
        self.fault: Fault = bytes
        self.carried = 0
        """Bytes that have come out."""
        self.hold_at: int | None = None
        """When so many have, no more do, until `resume`."""
        self._stirred = asyncio.Event()
        self.rate(bits_per_second)
        self._source, self._sink = source, sink
        self._free_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._reading = -1

    def start(self) -> None:
        self._reading = self._source.master
        asyncio.get_running_loop().add_reader(self._reading, self._readable)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._reading >= 0:
            asyncio.get_running_loop().remove_reader(self._reading)
            self._reading = -1

    def rate(self, bits_per_second: int) -> None:
        """Be as fast as this from now on."""
        self._byte_s = 10 / bits_per_second
        self._at_once = max(1, int(_TICK_S / self._byte_s))

    def resume(self) -> None:
        """Go on after a hold. Harmless where there is none."""
        held, self.hold_at = self.hold_at is not None and self.carried >= self.hold_at, None
        if held and self._reading >= 0:
            asyncio.get_running_loop().add_reader(self._reading, self._readable)

    async def until_carried(self, count: int) -> None:
        """Wait until so many bytes have come out in all."""
        async with asyncio.timeout(2 * DEADLINE_S):
            while self.carried < count:
                self._stirred.clear()
                await self._stirred.wait()

    def put(self, data: bytes) -> None:
        """Let bytes come out at the end that nobody put in."""
        with contextlib.suppress(OSError):
            os.write(self._sink.master, data)

    def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            data = os.read(self._reading, self._at_once)
        except OSError:
            self.stop()
            return
        loop.remove_reader(self._reading)
        # A late timer is made up for, or a busy machine would be a slower line.
        self._free_at = max(self._free_at, loop.time() - _TICK_S) + len(data) * self._byte_s
        self._timer = loop.call_at(self._free_at, self._arrive, data)

    def _arrive(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        self.carried += len(data)
        self._stirred.set()
        self.put(self.fault(data))
        if self._reading >= 0 and (self.hold_at is None or self.carried < self.hold_at):
            loop.add_reader(self._reading, self._readable)


class SerialRig:
    """NEAR and FAR at the two ends of one wire."""

    def __init__(
        self, at_near: Recorder, at_far: Recorder, *, bits_per_second: int = 115_200, pace: Pace | None = None
    ) -> None:
        self.plugs = (Plug(), Plug())
        self._at_near = at_near
        self.near, self.far = (
            SerialBearer(
                SerialConfig(device=plug.path, bits_per_second=bits_per_second, pace=pace, retry_s=0.05),
                intake,
                os.urandom,
            )
            for plug, intake in zip(self.plugs, (at_near, at_far), strict=True)
        )
        self.near.set_peer(FAR)
        self.far.set_peer(NEAR)
        self.there = Wire(bits_per_second, *self.plugs)
        """From NEAR to FAR."""
        self.back = Wire(bits_per_second, *reversed(self.plugs))

    async def started(self) -> None:
        self.there.start()
        self.back.start()

    async def cut(self) -> None:
        self.there.fault = self.back.fault = lambda _: b""

    async def heal(self) -> None:
        self.there.fault = self.back.fault = bytes

    async def intrude(self, envelope: bytes) -> None:
        before = self._at_near.events["noise"]
        for number in range(4):
            head = bytes((0x25, number))
            self.back.put(b"\0" + frame_of(head + envelope, seed=number))
        await self._at_near.until(lambda: self._at_near.events["noise"] >= before + 4)

    async def close(self) -> None:
        self.there.stop()
        self.back.stop()
        for plug in self.plugs:
            plug.close()


def serial_rig(at_near: Recorder, at_far: Recorder) -> SerialRig:
    return SerialRig(at_near, at_far, pace=quick(115_200))


@contextlib.asynccontextmanager
async def ends(
    *, bits_per_second: int, pace: Pace | None = None
) -> AsyncIterator[tuple[SerialRig, Recorder, Recorder]]:
    """Run two bearers on a wire; not yet linked."""
    at_near, at_far = Recorder(), Recorder()
    rig = SerialRig(at_near, at_far, bits_per_second=bits_per_second, pace=pace)
    tasks = [asyncio.create_task(rig.near.run()), asyncio.create_task(rig.far.run())]
    try:
        await rig.started()
        yield rig, at_near, at_far
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await rig.close()


async def linked(rig: SerialRig, at_near: Recorder, at_far: Recorder, *, deadline_s: float = 60.0) -> None:
    """Wait until both ends hear each other."""
    await at_near.until(lambda: rig.near.up(FAR), deadline_s=deadline_s)
    await at_far.until(lambda: rig.far.up(NEAR), deadline_s=deadline_s)
