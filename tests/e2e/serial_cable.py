"""A serial cable between two stations that are processes: pty pairs joined at the line's rate, by a thread."""

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.contract.serial_rig import Plug, Wire
from tests.e2e.homes import Home


class Cable:
    """From the first home's device to the second one's."""

    def __init__(self, bits_per_second: int, plugs: tuple[Plug, Plug]) -> None:
        self.bits_per_second = bits_per_second
        self.there, self.back = Wire(bits_per_second, *plugs), Wire(bits_per_second, *reversed(plugs))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def call(self, work: Callable[[], object]) -> None:
        """Let the cable's own thread do it."""
        self._loop.call_soon_threadsafe(work)

    def start(self) -> None:
        self._thread.start()
        for wire in (self.there, self.back):
            self._loop.call_soon_threadsafe(wire.start)

    def stop(self) -> None:
        for wire in (self.there, self.back):
            self._loop.call_soon_threadsafe(wire.stop)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        self.there.fault = self.back.fault = lambda _: b""

    def heal(self) -> None:
        self.there.fault = self.back.fault = bytes


@contextmanager
def plugged() -> Iterator[tuple[Plug, Plug]]:
    """Two terminal devices."""
    plugs = (Plug(), Plug())
    try:
        yield plugs
    finally:
        for plug in plugs:
            plug.close()


@contextmanager
def cable(homes: list[Home], plugs: tuple[Plug, Plug], bits_per_second: int) -> Iterator[Cable]:
    """A cable of that rate, and both homes configured to use nothing else."""
    for home, plug in zip(homes, plugs, strict=True):
        path = home.folder / "config.toml"
        text = re.sub(
            r"^listen = \[.*\]$", "listen = []", path.read_text().split("\n[[serial]]\n")[0], flags=re.MULTILINE
        )
        path.write_text(f'{text}\n[[serial]]\ndevice = "{plug.path}"\nbits_per_second = {bits_per_second}\n')
    joined = Cable(bits_per_second, plugs)
    joined.start()
    try:
        yield joined
    finally:
        joined.stop()
