"""How soon a line is back: from the end of a total cut until what was said meanwhile has arrived.

    .venv/bin/python -m bench.recovery [--rounds N]

Two stations whose only paths are two TCP proxies. A cut either ends and
refuses all connections, or swallows everything silently; it lasts so many
seconds. During it a message is said at A. Measured from the moment when the
proxies carry again: until the link is up, and until B shows the message.
"""

import argparse
import json
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.spread import Samples, spread
from bench.stations import Process, free_ports, make_homes, two_stations
from tests.e2e.chaos.proxy import Proxy

CUTS = (("refused", 3.0), ("refused", 15.0), ("silent", 12.0))
"""How the path is broken, and for how many seconds: less and more than it takes to notice (spec 9.34: 7.5)."""


def measured(folder: Path, *, rounds: int, cuts: tuple[tuple[str, float], ...] = CUTS) -> dict[str, Any]:
    """For each cut: milliseconds until the link is up and until delivery; and how much was lost or doubled."""
    with ExitStack() as opened:
        ports = free_ports()
        proxies = [opened.enter_context(Proxy(port)) for port in ports]
        homes = make_homes(folder / "homes", ports=ports, reached=[proxy.port for proxy in proxies])
        alpha, bravo = opened.enter_context(two_stations(homes))
        bravo.order("hear")
        found = {}
        for kind, seconds in cuts:
            linked, delivered = Samples(), Samples()
            for _ in range(rounds):
                up, shown = _round(alpha, bravo, proxies, kind, seconds)
                linked.add(up)
                delivered.add(shown)
            found[f"{kind} {seconds:g} s"] = {"link_up_ms": spread(linked), "delivered_ms": spread(delivered)}
        heard = [(lane, index) for lane, index, _ in bravo.order("heard")["heard"]]
        return {"recovery": found, "rounds": rounds, "shown_twice": len(heard) - len(set(heard))}


def _round(alpha: Process, bravo: Process, proxies: list[Proxy], kind: str, seconds: float) -> tuple[int, int]:
    """One cut; nanoseconds from its end until the link is up and until the message is shown."""
    for proxy in proxies:
        if kind == "silent":
            proxy.stall()
        else:
            proxy.cut()
    ends = time.monotonic() + seconds
    alpha.order("linked", up=False)
    place = alpha.order("say")
    time.sleep(max(0.0, ends - time.monotonic()))
    healed = time.monotonic_ns()
    for proxy in proxies:
        proxy.heal()
    at = alpha.order("linked", up=True)["at"]
    shown = bravo.order("arrived", lane=place["lane"], index=place["index"])["at"]
    return at - healed, shown - healed


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix="bench-") as folder:
        print(json.dumps(measured(Path(folder), rounds=asked.rounds), indent=2))


if __name__ == "__main__":
    main()
