#!/usr/bin/env python3
"""Resolve pyproject.toml into requirements/base.txt, bearers.txt and dev.txt, with every file's hash.

Needs `uv` on the PATH. Releases younger than a week stay out: most poisoned ones are found by then.
base.txt is a part of bearers.txt, and that of dev.txt, version for version; a house test holds that.
The lock names no index: a station may install from any mirror, the hashes decide.

    tools/lock.py [--newest]       --newest: without the week, for the job on newest dependencies
"""

import datetime
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "requirements"
PINNED = re.compile(r"^[a-z0-9-]+==", re.MULTILINE)
HEADER = "# Made by tools/lock.py from pyproject.toml; install with: pip install --require-hashes -r {name}\n"


def resolve(name: str, *options: str) -> None:
    """Write one lock file."""
    target = LOCKS / name
    command = ["uv", "pip", "compile", "pyproject.toml", "--universal", "--python-version", "3.11"]
    command += ["--generate-hashes", "--no-header", "--no-emit-index-url", "--no-emit-find-links", "--no-annotate"]
    command += ["--quiet", "--upgrade", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"lock: {done.stderr.strip()}")
    target.write_text(HEADER.format(name=f"requirements/{name}") + done.stdout)
    print(f"{target.relative_to(ROOT)}: {len(PINNED.findall(done.stdout))} packages")


def main() -> None:
    """Resolve all; dev first, since the others must agree with it."""
    LOCKS.mkdir(exist_ok=True)
    week = datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=7)
    age = [] if "--newest" in sys.argv[1:] else ["--exclude-newer", week.isoformat()]
    resolve("dev.txt", "--extra", "dev", *age)
    resolve("bearers.txt", "--extra", "bearers", "--constraint", str(LOCKS / "dev.txt"), *age)
    resolve("base.txt", "--constraint", str(LOCKS / "dev.txt"), *age)


if __name__ == "__main__":
    main()
