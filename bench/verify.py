"""Verification of an export of a million entries: of tiles and heads, and of every commitment.

    .venv/bin/python -m bench.verify [ENTRIES]

The export is made once and kept in a cache folder; making it takes longer than verifying it.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

MILLION = 1_000_000
_ROOT = Path(__file__).parent.parent


def cache() -> Path:
    """Where exports are kept between runs: $OPENLINE_BENCH_CACHE, else below the user's cache folder."""
    base = os.environ.get("OPENLINE_BENCH_CACHE") or os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "openline-bench"


def made(entries: int) -> Path:
    """The export of so many entries, made now if it is not there or if another version of the format made it."""
    folder = cache() / f"export-{entries}"
    if (folder / "manifest.json").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    _run("bench.big_export", str(folder), str(entries))
    return folder


def measured(entries: int) -> dict[str, object]:
    """Seconds to verify tiles and heads, and every commitment too, in a process of its own."""
    folder = made(entries)
    found = json.loads(_run("bench.big_export", str(folder), "--verify"))
    if found["outcome"] in {"broken", "foreign"}:  # of an older format: make it anew, once
        shutil.rmtree(folder)
        found = json.loads(_run("bench.big_export", str(made(entries)), "--verify"))
    return {
        "entries": entries,
        "tiles_and_heads": found["tiles_and_heads"],
        "every_commitment": found["everything"],
        "outcome": found["outcome"],
    }


def _run(*command: str) -> str:
    done = subprocess.run([sys.executable, "-m", *command], cwd=_ROOT, stdout=subprocess.PIPE, check=True, text=True)
    return done.stdout


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("entries", type=int, nargs="?", default=MILLION)
    print(json.dumps(measured(parser.parse_args().entries), indent=2))


if __name__ == "__main__":
    main()
