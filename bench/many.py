"""Throughput of one pair of stations with 1, 10 and 100 lines between them, and what each costs.

    .venv/bin/python -m bench.many [--lines 1,10,100] [--seconds N]

All lines are busy at once; the unacknowledged messages are shared out, 256 in all. Beside the
messages a second: processor time a message at each station, memory, and the time to start.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.floor import floor_in
from bench.stations import make_homes, two_stations

WINDOW = 256
"""Unacknowledged messages of all lines together."""


def measured(folder: Path, lines: Sequence[int], seconds: float) -> dict[str, Any]:
    """By number of lines; and what the machine's disk and processor do meanwhile."""
    with floor_in(folder) as floor:
        found = {str(count): _with_lines(folder / str(count), count, seconds) for count in lines}
        floor.probe(100)
        return {"lines": found, "floor": floor.result()}


def _with_lines(folder: Path, count: int, seconds: float) -> dict[str, Any]:
    homes = make_homes(folder, lines=count)
    with two_stations(homes) as (alpha, bravo):
        for each in (alpha, bravo):
            each.order("all_ready")
        idle = [each.rss_mb() for each in (alpha, bravo)]
        before = [each.order("counts") for each in (alpha, bravo)]
        flow = alpha.order("flow_lines", window=max(1, WINDOW // count), seconds=seconds)
        after = [each.order("counts") for each in (alpha, bravo)]
        cpu = [late["cpu_seconds"] - early["cpu_seconds"] for early, late in zip(before, after, strict=True)]
        return {
            "messages": flow["messages"],
            "per_s": round(flow["messages"] / flow["seconds"]),
            "cpu_ms_per_message": [round(1_000 * each / flow["messages"], 3) for each in cpu],
            "rss_mb_idle": idle,
            "rss_mb_after": [each.rss_mb() for each in (alpha, bravo)],
            "start_ms": round(alpha.up_ms),
        }


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", default="1,10,100")
    parser.add_argument("--seconds", type=float, default=10.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix="bench-") as folder:
        print(
            json.dumps(measured(Path(folder), [int(each) for each in asked.lines.split(",")], asked.seconds), indent=2)
        )


if __name__ == "__main__":
    main()
