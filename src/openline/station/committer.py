"""Commits of all lines, one after the other: on the loop while the disk is quick, in a thread while it is not.

A commit on a good disk takes a few hundred microseconds, less than handing it
to a thread and hearing back costs in latency. A disk that stalls must not stop
bearers, other lines' reading and the API: after one commit longer than SLOW_S
the next ones go to a thread, until it has been quick for a while.

Readings of the store do not wait for a commit under way (ports.Store).
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

SLOW_S = 0.020
"""A commit longer than this is felt by people who wait for another line."""
QUICK_S = 0.005
QUICK_COMMITS = 16
"""So many quick commits in a row, and the loop takes them over again."""

Done = Callable[[Callable[[], None]], None]
"""Called on the loop once the work is over, with a function that raises what it raised."""


class Committer:
    """Runs commits in the order they were asked for."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[Callable[[], None], Done]] = deque()
        self._scheduled = False
        self._thread: ThreadPoolExecutor | None = None
        self._quick = 0
        self.commits = 0
        self.seconds = 0.0
        self.slowest_s = 0.0

    def commit(self, work: Callable[[], None], done: Done) -> None:
        """Do `work` after what was asked for before, and then call `done` on the loop.

        Never at once: what the loop has already read from sockets is gathered
        into the same or the next commit, so batches grow with the load.
        """
        if self._thread is not None:
            self._hand_over(work, done)
            return
        self._waiting.append((work, done))
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._drain)

    async def done(self, work: Callable[[], None]) -> None:
        """Do `work` after what was asked for before. Raises what it raises."""
        over: asyncio.Future[Callable[[], None]] = self._loop.create_future()

        def tell(result: Callable[[], None]) -> None:
            if not over.done():
                over.set_result(result)

        self.commit(work, tell)
        (await over)()

    def _drain(self) -> None:
        self._scheduled = False
        for _ in range(len(self._waiting)):
            work, done = self._waiting.popleft()
            if self._thread is not None:
                self._hand_over(work, done)
                continue
            done(partial(self._timed, work))

    def _timed(self, work: Callable[[], None]) -> None:
        began = time.perf_counter()
        try:
            work()
        finally:
            self._note(time.perf_counter() - began)

    def _hand_over(self, work: Callable[[], None], done: Done) -> None:
        if self._thread is None:
            return
        began = time.perf_counter()
        future = self._thread.submit(work)

        def over(finished: "Future[None]") -> None:
            self._loop.call_soon_threadsafe(self._finish, finished, done, time.perf_counter() - began)

        future.add_done_callback(over)

    def _finish(self, finished: "Future[None]", done: Done, seconds: float) -> None:
        if finished.cancelled():  # dropped by `close`
            return
        self._note(seconds)
        done(finished.result)

    def _note(self, seconds: float) -> None:
        self.commits += 1
        self.seconds += seconds
        self.slowest_s = max(self.slowest_s, seconds)
        if self._thread is None:
            if seconds > SLOW_S:
                self._quick = 0
                self._thread = ThreadPoolExecutor(1, "openline-commit")
            return
        self._quick = self._quick + 1 if seconds < QUICK_S else 0
        if self._quick >= QUICK_COMMITS:
            self._thread.shutdown(wait=False)
            self._thread = None

    @property
    def in_thread(self) -> bool:
        """Whether the disk was slow lately."""
        return self._thread is not None

    def close(self) -> None:
        """Wait for the commit under way; whatever waits behind it is dropped, as nobody was told of it."""
        self._waiting.clear()
        if self._thread is not None:
            self._thread.shutdown(wait=True, cancel_futures=True)
