"""Kill stations as often as one likes: `python -m tests.e2e.chaos --kills 300 [--seed N] [--senders N] [--report FILE]`.

Two real stations under load, `kill -9` of one or both at random moments, some
of them while they start, with a wire that is cut, stalled, delayed or
corrupted. The first thing that is not true ends it with exit code 1, the seed,
and the folder with both homes, which is kept then.
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from tests.e2e.chaos.campaign import Campaign
from tests.e2e.chaos.rig import make_template, rig


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--senders", type=int, default=2, help="callers of each station")
    parser.add_argument("--pause-ms", type=int, default=400, help="longest pause of a caller between two sends")
    parser.add_argument("--report", type=Path, help="also write the report there")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="openline-chaos-"))

    def progress(text: str) -> None:
        sys.stderr.write(f"\r{text:<70}")
        sys.stderr.flush()

    template = make_template(folder / "template")
    try:
        with rig(template, folder / "pair", asked.seed) as two:
            campaign = Campaign(two, asked.seed, progress)
            report = campaign.run(asked.kills, senders=asked.senders, pause_s=asked.pause_ms / 1_000)
    except (AssertionError, TimeoutError) as failure:
        sys.stderr.write(f"\nFAILED with seed {asked.seed}: {failure}\nBoth homes and logs are in {folder}\n")
        return 1
    shutil.rmtree(folder)
    text = json.dumps(report.as_json(), indent=2)
    if asked.report:
        asked.report.write_text(text + "\n")
    sys.stderr.write("\n")
    sys.stdout.write(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
