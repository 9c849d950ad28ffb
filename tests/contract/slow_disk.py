"""A disk whose flushes wait until they are told to go on: under every store that is opened in the block.

with slow_disk() as disk:
    store = SqliteStore.open(path, key)
    disk.stop(lambda file: file.endswith("-wal"))
    ...                          # a commit in another thread
    disk.wait_stopped()          # now it stands in its flush
    disk.go_on()
"""

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator

import apsw

DEADLINE_S = 60.0
_DISK = "unix"
_NUMBERS = itertools.count(1)


class SlowDisk:
    """Which flushes wait, and whether one did so in vain."""

    def __init__(self) -> None:
        self._stops: Callable[[str], bool] = lambda _: False
        self._stopped, self._go = threading.Event(), threading.Event()
        self.gave_up = False
        """Nobody told it to go on: whoever should have was blocked by it."""

    def stop(self, stops: Callable[[str], bool]) -> None:
        """From now on flushes of files whose path is one of `stops` wait."""
        self._stopped.clear()
        self._go.clear()
        self._stops = stops

    @property
    def stopped(self) -> bool:
        """Whether a flush waits."""
        return self._stopped.is_set()

    def wait_stopped(self) -> None:
        """Until a flush waits."""
        assert self._stopped.wait(DEADLINE_S), "nothing was flushed"

    def go_on(self) -> None:
        """What waits goes on, and no flush waits any more."""
        self._stops = lambda _: False
        self._stopped.clear()
        self._go.set()

    def flush(self, file: str) -> None:
        """Called before each flush, in the thread that commits."""
        if self._stops(file):
            self._stopped.set()
            if not self._go.wait(DEADLINE_S):
                self.gave_up = True


@contextlib.contextmanager
def slow_disk() -> Iterator[SlowDisk]:
    """Stores that are opened in the block, and closed in it, stand on this disk."""
    disk = SlowDisk()

    class File(apsw.VFSFile):
        def __init__(self, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
            self._file = name.filename() if isinstance(name, apsw.URIFilename) else name or ""
            super().__init__(_DISK, name, flags)

        def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
            disk.flush(self._file)
            super().xSync(flags)

    class Files(apsw.VFS):
        def __init__(self) -> None:
            super().__init__(f"slow-{next(_NUMBERS)}", _DISK, makedefault=True)

        def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
            return File(name, flags)

    files = Files()
    try:
        yield disk
    finally:
        disk.go_on()
        files.unregister()
