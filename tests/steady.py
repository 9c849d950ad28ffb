"""An event loop whose clock does not count what the machine withholds.

Both ends of a link in one process, with deadlines of tenths of a second: a
machine that stands still for two seconds would be a peer that fell silent.
Here time passes while the loop waits, at most `WAIT_S` for each time that it
looks, and `WORK_S` for what it does in between. So deadlines hold by what was
waited for, and not by how fast the machine is; in peace they are seconds.
Threads and other processes keep the world's time.
"""

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Final, TypeVar

T = TypeVar("T")
WAIT_S: Final = 0.1
WORK_S: Final = 0.005


class _Selector(selectors.DefaultSelector):
    """Looks often, and counts the time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self._left = time.monotonic()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait, a little; whoever asked asks again."""
        wait = WAIT_S if timeout is None else min(max(timeout, 0.0), WAIT_S)
        began = time.monotonic()
        found = super().select(wait)
        work, self._left = began - self._left, time.monotonic()
        self.now += min(work, WORK_S) + min(self._left - began, wait)
        return found


class SteadyLoop(asyncio.SelectorEventLoop):
    """A loop by that clock."""

    def __init__(self) -> None:
        self._steady = _Selector()
        super().__init__(self._steady)

    def time(self) -> float:
        """Seconds; not those of time.monotonic()."""
        return self._steady.now


def run(main: Coroutine[object, object, T]) -> T:
    """As asyncio.run, by that clock."""
    with asyncio.Runner(loop_factory=SteadyLoop) as runner:
        return runner.run(main)
