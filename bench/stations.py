"""Two station processes on loopback, from the outside: start, order, look at, stop."""

import contextlib
import functools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench import verify
from bench.pair import Home, two_homes
from tests.ports import free_port

_ROOT = Path(__file__).parent.parent
INSTALLED = {"MALLOC_MMAP_THRESHOLD_": "131072"}
"""What packaging/openline.service puts into a station's environment."""


@functools.cache
def environment() -> dict[str, str]:
    """That of an installed station: also, its bytecode is there, as wherever a package was installed.

    What compiles itself at a start takes some megabytes and half a second more. So it is compiled here, once.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    found = {"PYTHONPYCACHEPREFIX": str(verify.cache() / "bytecode"), **kept, **INSTALLED}
    subprocess.run(
        [sys.executable, "-c", "import bench.station, openline.console.serving"], cwd=_ROOT, env=found, check=True
    )
    return found


class Process:
    """One station process."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.spawned_ns = time.monotonic_ns()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.station", str(home.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(home.folder / "station.log").open("ab"),
            text=True,
            cwd=_ROOT,
            env=environment(),
        )
        self.up_ms = 0.0

    def wait_up(self) -> float:
        """Until it works; milliseconds since it was spawned."""
        self._answer()
        self.up_ms = (time.monotonic_ns() - self.spawned_ns) / 1e6
        return self.up_ms

    def begin(self, do: str, **order: object) -> None:
        """Give an order; `end` waits for what comes of it."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **order}) + "\n")
        self._process.stdin.flush()

    def end(self) -> dict[str, Any]:
        """What came of the order."""
        answer = self._answer()
        if "trouble" in answer:
            raise RuntimeError(f"{self.home.name}: {answer['trouble']}")
        return answer

    def order(self, do: str, **order: object) -> dict[str, Any]:
        """Both."""
        self.begin(do, **order)
        return self.end()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            log = (self.home.folder / "station.log").read_text()[-2000:]
            raise RuntimeError(f"{self.home.name} ended: {log}")
        return json.loads(line)

    def rss_mb(self) -> float:
        """Resident memory now."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return round(int(line.split()[1]) / 1024, 1)
        return 0.0

    def stop(self) -> None:
        """End it cleanly."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def two_stations(homes: tuple[Home, Home]) -> Iterator[tuple[Process, Process]]:
    """Both, with the line open between them."""
    pair = Process(homes[0]), Process(homes[1])
    try:
        for each in pair:
            each.wait_up()
        for each in pair:
            each.order("ready")
        yield pair
    finally:
        for each in pair:
            each.stop()


def free_ports() -> tuple[int, int]:
    """Two ports of loopback that are free, and stay so."""
    return free_port(), free_port()


def make_homes(
    under: Path, *, ports: tuple[int, int] | None = None, reached: Sequence[int] = (), lines: int = 1
) -> tuple[Home, Home]:
    """Two homes below a folder, paired by so many lines; see `two_homes`."""
    under.mkdir(mode=0o700, parents=True, exist_ok=True)
    under.chmod(0o700)
    return two_homes(under, ports or free_ports(), reached=reached, lines=lines)
