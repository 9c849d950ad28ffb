"""A bench as people run it: by command, with its small counts, in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def quick(name: str, folder: Path, *, timeout_s: float, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What `python -m bench.<name> --quick` found, with the stations' disks below `folder`."""
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{name}", "--quick", "--json", "--dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found
