"""A serial cable between the two sites: dead, unplugged at one end, or full of noise."""

import random
import threading
from collections.abc import Callable

from tests.contract.serial_rig import Plug
from tests.e2e.chaos.rig import Station
from tests.e2e.serial_cable import Cable

BITS_PER_SECOND = 38_400


class Cord:
    """The cable with its two plugs, for stations in this order; it carries."""

    def __init__(self, stations: tuple[Station, Station], seed: int) -> None:
        self._plugs = (Plug(), Plug())
        self._cable = Cable(BITS_PER_SECOND, self._plugs)
        self._dice = random.Random(f"cord {seed}")
        self._out: set[int] = set()
        for station, plug in zip(stations, self._plugs, strict=True):
            with (station.home / "config.toml").open("a") as config:
                config.write(f'\n[serial]\ndevice = "{plug.path}"\nbits_per_second = {BITS_PER_SECOND}\n')
        self._cable.start()

    def cut(self) -> None:
        """It carries nothing; the devices are there."""
        self._cable.cut()

    def heal(self) -> None:
        """As new: both ends are plugged in, and it carries."""
        for side in list(self._out):
            self._on_loop(lambda side=side: self._put_in(side))  # type: ignore[misc]
        self._cable.heal()

    def unplug(self, side: int) -> None:
        """The device at that end is gone."""
        self._on_loop(lambda: self._pull_out(side))

    def noise(self, share: float) -> None:
        """That share of what passes is changed; at times something comes that nobody sent."""
        dice = self._dice

        def spoiled(data: bytes) -> bytes:
            changed = bytearray(data)
            for place in range(len(changed)):
                if dice.random() < share:
                    changed[place] ^= 1 << dice.randrange(8)
            return dice.randbytes(3) + changed if dice.random() < share else bytes(changed)

        self._cable.there.fault = self._cable.back.fault = spoiled

    def close(self) -> None:
        self._cable.stop()
        for plug in self._plugs:
            plug.close()

    def _pull_out(self, side: int) -> None:
        self._stop()
        self._plugs[side].pull_out()
        self._out.add(side)

    def _put_in(self, side: int) -> None:
        self._plugs[side].put_in()
        self._out.discard(side)
        if not self._out:
            for wire in (self._cable.there, self._cable.back):
                wire.start()

    def _stop(self) -> None:
        for wire in (self._cable.there, self._cable.back):
            wire.stop()

    def _on_loop(self, work: Callable[[], None]) -> None:
        done = threading.Event()

        def there() -> None:
            work()
            done.set()

        self._cable.call(there)
        assert done.wait(60)
