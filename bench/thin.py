"""A FLASH of 100 characters over a serial line of 300, 1,200 and 9,600 bit/s: seconds, and bytes on the wire.

    .venv/bin/python -m bench.thin [--rates 300,1200,9600] [--rounds N]

Two stations agree on keys over TLS; then TLS is cut, and a pair of terminal
devices remains, joined by a wire that carries ten bits a byte at that rate.
Measured from submitting at A until B shows it: alone; and with routine
messages queued, one of them in mid-envelope on the wire.
"""

import argparse
import asyncio
import json
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.pair import Home
from bench.spread import Samples, spread
from bench.stations import Process, free_ports, make_homes, two_stations
from tests.contract.serial_rig import Plug, Wire
from tests.e2e.chaos.proxy import Proxy

FLASH = 0
BACKLOG = 10
"""Routine messages queued before a FLASH."""


class Cable:
    """Two terminal devices and the wire between them, on a loop of their own."""

    def __init__(self, bits_per_second: int) -> None:
        self.ends = Plug(), Plug()
        self.there = Wire(bits_per_second, *self.ends)
        """From the first to the second."""
        self.back = Wire(bits_per_second, *reversed(self.ends))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        for wire in (self.there, self.back):
            self._loop.call_soon_threadsafe(wire.start)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for wire in (self.there, self.back):
            self._loop.call_soon_threadsafe(wire.stop)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        for end in self.ends:
            end.close()


def measured(folder: Path, rate: int, rounds: int) -> dict[str, Any]:
    """Over one cable of that rate."""
    with ExitStack() as opened:
        ports = free_ports()
        proxies = [opened.enter_context(Proxy(port)) for port in ports]
        homes = make_homes(folder, ports=ports, reached=[proxy.port for proxy in proxies])
        cable = opened.enter_context(Cable(rate))
        for home, end in zip(homes, cable.ends, strict=True):
            _plug_in(home, end, rate)
        alpha, bravo = opened.enter_context(two_stations(homes))
        for proxy in proxies:
            proxy.cut()
        for each in (alpha, bravo):
            each.order("linked", up=False, bearer="tls")
            each.order("linked", up=True, bearer="serial")
        alpha.order("quiet", within_s=600)
        bravo.order("hear")
        return {
            "alone": _rounds(alpha, bravo, cable, rounds, backlog=0),
            f"behind {BACKLOG} routine messages": _rounds(alpha, bravo, cable, rounds, backlog=BACKLOG),
        }


def _plug_in(home: Home, end: Plug, rate: int) -> None:
    """Give a station its serial line."""
    config = home.folder / "config.toml"
    config.write_text(f'{config.read_text()}\n[serial]\ndevice = "{end.path}"\nbits_per_second = {rate}\n')


def _rounds(alpha: Process, bravo: Process, cable: Cable, rounds: int, *, backlog: int) -> dict[str, Any]:
    took, carried = Samples(), []
    for _ in range(rounds):
        alpha.order("quiet", within_s=600)
        if backlog:
            alpha.order("say", count=backlog)
        before = cable.there.carried
        said = alpha.order("say", precedence=FLASH)
        at = bravo.order("arrived", lane=said["lane"], index=said["index"], within_s=600)["at"]
        took.add(at - said["began"])
        carried.append(cable.there.carried - before)
    found = {name: round(value / 1_000, 2) for name, value in spread(took).items()}
    return {"seconds": found, "most_seconds": round(max(took.values) / 1e9, 2), "bytes_on_the_wire": max(carried)}


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", default="300,1200,9600")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix="bench-") as folder:
        found = {rate: measured(Path(folder) / rate, int(rate), asked.rounds) for rate in asked.rates.split(",")}
        print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
