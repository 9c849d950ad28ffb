"""Break two real stations for as long as one likes: `python -m tests.e2e.chaos --minutes 10 [--seed N] [--report FILE]`.

Two stations in namespaces of their own, under load; every class of fault in
turn, from a plan that the seed gives. The first thing that is not true ends it
with exit code 1, the seed, and the folder with both homes, which is kept then.
The report is written after every step. `--kills N` needs no root: kills only,
over one connection.
"""

import argparse
import json
import math
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Any

from tests.e2e.chaos.campaign import Campaign
from tests.e2e.chaos.faults import FAULTS, LONGEST_S, plan
from tests.e2e.chaos.rig import make_template, rig
from tests.e2e.chaos.sites import sites, unavailable
from tests.e2e.chaos.storm import Storm

STEPS_A_MINUTE = 60
"""Steps of a run that ends by the clock."""


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.chaos", description=__doc__)
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--steps", type=int, help=f"so many faults (default: {len(FAULTS)}, each class once)")
    length.add_argument("--minutes", type=float, help="for so long")
    length.add_argument("--kills", type=int, help="only kills, so many, without namespaces")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="only these classes of faults, with commas between them")
    parser.add_argument("--shortest", type=float, default=0.0, help="shortest that one fault holds, in seconds")
    parser.add_argument("--longest", type=float, default=LONGEST_S, help="longest that one fault holds, in seconds")
    parser.add_argument("--senders", type=int, default=2, help="callers of each station")
    parser.add_argument("--pause-ms", type=int, default=400, help="longest pause of a caller between two sends")
    parser.add_argument("--report", type=Path, help="also write the report there")
    asked = parser.parse_args()
    unknown = sorted(set(filter(None, asked.only.split(","))) - set(FAULTS))
    if unknown:
        parser.error(f"no such class: {', '.join(unknown)}. There are: {', '.join(FAULTS)}")
    if not asked.kills and (why := unavailable()):
        parser.error(why)
    signal.signal(signal.SIGTERM, _interrupted)
    folder = Path(tempfile.mkdtemp(prefix=f"openline-chaos-{os.getpid()}-"))
    try:
        report = _run(asked, folder)
    except (AssertionError, TimeoutError) as failure:
        sys.stderr.write(f"\nFAILED with seed {asked.seed}: {failure}\nBoth homes and logs are in {folder}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(f"\nInterrupted. Both homes and logs are in {folder}\n")
        return 130
    shutil.rmtree(folder)
    text = json.dumps(report, indent=2)
    if asked.report:
        asked.report.write_text(text + "\n")
    sys.stderr.write("\n")
    sys.stdout.write(text + "\n")
    return 0


def _interrupted(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _run(asked: argparse.Namespace, folder: Path) -> dict[str, Any]:
    template, pause_s = make_template(folder / "template"), asked.pause_ms / 1_000
    if asked.kills:
        with rig(template, folder / "pair", asked.seed) as two:
            return (
                Campaign(two, asked.seed, _progress).run(asked.kills, senders=asked.senders, pause_s=pause_s).as_json()
            )
    count = math.ceil(asked.minutes * STEPS_A_MINUTE) if asked.minutes else asked.steps or len(FAULTS)
    only = tuple(filter(None, asked.only.split(",")))
    steps = plan(asked.seed, count, shortest_s=asked.shortest, longest_s=asked.longest, only=only)
    with sites(template, folder / "pair", asked.seed) as made:
        storm = Storm(made, steps, asked.seed, file=asked.report, progress=_progress)
        return storm.run(senders=asked.senders, pause_s=pause_s, until_s=(asked.minutes or 0) * 60).as_json()


def _progress(text: str) -> None:
    sys.stderr.write(f"\r{text:<100}")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
