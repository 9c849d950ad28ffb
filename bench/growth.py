"""What a message costs as the transcript grows, from ten entries to a million: it must stay flat.

    .venv/bin/python -m bench.growth [--most N]

Messages flow from A to B, 256 unacknowledged at a time. At each size the next
few hundred are measured: processor time a message at both stations, messages
a second, one message alone (one way), memory, bytes on disk for each entry.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.floor import floor_in
from bench.spread import Samples, spread
from bench.stations import Process, make_homes, two_stations

SIZES = (10, 100, 1_000, 10_000, 100_000, 1_000_000)
SAMPLE = 2_000
"""Messages measured at each size, in the flow; a hundredth of them alone."""


def measured(folder: Path, most: int, sample: int = SAMPLE) -> dict[str, Any]:
    """By size of the sender's lane."""
    with floor_in(folder) as floor:
        homes = make_homes(folder / "homes")
        found = {}
        with two_stations(homes) as (alpha, bravo):
            sent = 0
            for size in (size for size in SIZES if size <= most):
                if size > sent:
                    sent += alpha.order("flow", window=256, seconds=36_000, count=size - sent)["messages"]
                floor.probe(20)
                found[str(size)] = _at(alpha, bravo, sample)
                sent += sample + sample // 100
                print(f"growth: {size}: {json.dumps(found[str(size)])}", file=sys.stderr)
        store = sum(file.stat().st_size for file in (homes[1].folder / "store").iterdir())
        return {"growth": found, "store_bytes_per_entry": round(store / sent), "floor": floor.result()}


def _at(alpha: Process, bravo: Process, sample: int) -> dict[str, Any]:
    pair = alpha, bravo
    before = [each.order("counts") for each in pair]
    flow = alpha.order("flow", window=256, seconds=600, count=sample)
    after = [each.order("counts") for each in pair]
    cpu = [late["cpu_seconds"] - early["cpu_seconds"] for early, late in zip(before, after, strict=True)]
    bravo.order("hear")
    said = alpha.order("one_by_one", count=sample // 100)
    at = {(lane, index): moment for lane, index, moment in bravo.order("heard")["heard"]}
    alone = Samples(at[said["lane"], index] - submitted for index, submitted, _, _ in said["said"])
    return {
        "cpu_ms_per_message": [round(1_000 * each / flow["messages"], 3) for each in cpu],
        "per_s": round(flow["messages"] / flow["seconds"]),
        "one_way_ms": spread(alone)["p50"],
        "rss_mb": [each.rss_mb() for each in pair],
    }


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=SIZES[-1], help="the largest transcript (default: a million)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix="bench-") as folder:
        print(json.dumps(measured(Path(folder), asked.most), indent=2))


if __name__ == "__main__":
    main()
