"""What every bench of several steps does: take one or all, say each as it is done, and the command around it."""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from bench.floor import Floor

S = TypeVar("S")


def take(steps: Mapping[str, Callable[[], None]], found: Mapping[str, Any], only: str | None) -> None:
    """Run every step, or one; what each adds to `found` is printed on standard error."""
    for name, step in steps.items():
        if only in {None, name}:
            began, before = time.monotonic(), set(found)
            step()
            fresh = {key: value for key, value in found.items() if key not in before}
            print(f"{name}: {time.monotonic() - began:.0f} s {json.dumps(fresh)}", file=sys.stderr)


def closed(found: dict[str, Any], floor: Floor, operations: Mapping[str, Any]) -> dict[str, Any]:
    """What was found, and behind it what every bench ends with: the floor below it, what it counted, the machine."""
    if not len(floor.samples["sign_ms"]):  # the step alone that was asked for has no time in it
        floor.probe(20)
    return {**found, "floor": floor.result(), "operations": operations, "machine": machine()}


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    return {"cores": os.cpu_count(), "load_1m": round(os.getloadavg()[0], 2)}


def command(
    doc: str | None, names: Iterable[str], run: Callable[[Path, S, str | None], dict[str, Any]], *, full: S, quick: S
) -> None:
    """The command line of a bench."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--json", action="store_true", help="one JSON object on standard output, and nothing else there"
    )
    parser.add_argument("--quick", action="store_true", help="small counts: that it runs, not how fast")
    parser.add_argument("--only", choices=[*names], help="one step alone")
    parser.add_argument(
        "--dir",
        type=Path,
        default=Path.cwd(),
        help="where the stations' disks are (a folder in it is made and removed)",
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.dir, prefix="bench-") as folder:
        found = run(Path(folder), quick if asked.quick else full, asked.only)
    if asked.json:
        print(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        print(f"{name:36} {json.dumps(value)}")
