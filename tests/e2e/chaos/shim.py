"""A bad machine for one station: a wrong clock, a slow or failing disk, an end in the middle of a write.

The station is the real one; shim.c stands between it and the C library. Its
orders lie in a file that both map, so they hold from one call to the next.
"""

import mmap
import shutil
import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")
_MEMBERS = ("clock_ns", "sync_us", "fail_syncs", "die_in", "die_how", "calls")
"""In the order of shim.c; 8 bytes each."""
BEFORE, MIDDLE, AFTER = range(3)
"""When a station dies at a write: nothing of it, half of it or all of it is done."""


def compiler() -> str | None:
    """What builds it; None if nothing here does."""
    return shutil.which("cc") or shutil.which("gcc")


def build(folder: Path) -> Path:
    """The library, made once for a folder."""
    library = folder / "shim.so"
    if not library.exists():
        tool = compiler()
        assert tool is not None, "no C compiler"
        subprocess.run([tool, "-shared", "-fPIC", "-O1", "-Wall", "-o", library, SOURCE, "-ldl"], check=True)
    return library


class Machine:
    """The orders for one station."""

    def __init__(self, library: Path, orders: Path) -> None:
        orders.write_bytes(bytes(8 * len(_MEMBERS)))
        self.env = {"LD_PRELOAD": str(library), "CHAOS_ORDERS": str(orders)}
        with orders.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 8 * len(_MEMBERS))

    def _set(self, member: str, value: int) -> None:
        struct.pack_into("=q", self._map, 8 * _MEMBERS.index(member), value)

    @property
    def calls(self) -> int:
        """Writes and fsyncs to files so far, over all starts."""
        found: int = struct.unpack_from("=q", self._map, 8 * _MEMBERS.index("calls"))[0]
        return found

    def clock(self, seconds: float) -> None:
        """The time of day is so far off."""
        self._set("clock_ns", int(seconds * 1e9))

    def slow(self, seconds: float) -> None:
        """Each fsync takes so much longer."""
        self._set("sync_us", int(seconds * 1e6))

    def failing(self, *, on: bool) -> None:
        """Every fsync fails, as on a disk that goes."""
        self._set("fail_syncs", int(on))

    def die_at(self, call: int, how: int) -> None:
        """SIGKILL at the so many-th write or fsync from now (1: the next one); 0 takes it back."""
        self._set("die_how", how)
        self._set("die_in", call)

    def heal(self) -> None:
        """A good machine with a right clock."""
        for member in _MEMBERS[:-1]:
            self._set(member, 0)

    def close(self) -> None:
        self._map.close()
