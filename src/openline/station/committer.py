"""Commits of all lines, one after the other: on the loop while the disk is quick, in a thread while it is not.

A commit on a good disk takes a few hundred microseconds, less than handing it
to a thread and hearing back costs in latency. A disk that stalls must not stop
bearers, other lines' reading and the API: after one commit longer than SLOW_S
the next ones go to a thread, until it has been quick for a while.

The store is not for two threads at once: `Gate` lets one in at a time.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from openline.kernel.lane import Lane, SignedHead
from openline.ports import Arrival, LineHistory
from openline.protocol.records import EntryRow, PutEvidence, PutGeneration, PutPeer, PutSnapshot, Write

SLOW_S = 0.020
"""A commit longer than this is felt by people who wait for another line."""
QUICK_S = 0.005
QUICK_COMMITS = 16
"""So many quick commits in a row, and the loop takes them over again."""

P = ParamSpec("P")
T = TypeVar("T")


class Gate:
    """One thread in the store at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call into the store."""
        with self._lock:
            return function(*args, **kwargs)


class GatedLine:
    """A LineHistory behind the gate."""

    def __init__(self, history: LineHistory, gate: Gate) -> None:
        self._history, self._gate = history, gate

    def commit(self, writes: Sequence[Write]) -> None:
        """See LineStore."""
        self._gate.call(self._history.commit, writes)

    def generations(self) -> Sequence[PutGeneration]:
        """See LineReader."""
        return self._gate.call(self._history.generations)

    def size(self, lane: Lane) -> int:
        """See LineReader."""
        return self._gate.call(self._history.size, lane)

    def entries(self, lane: Lane, first: int, count: int) -> Sequence[EntryRow]:
        """See LineReader."""
        return self._gate.call(self._history.entries, lane, first, count)

    def node(self, lane: Lane, level: int, place: int) -> bytes:
        """See LineReader."""
        return self._gate.call(self._history.node, lane, level, place)

    def heads(self, lane: Lane, above: int, count: int) -> Sequence[SignedHead]:
        """See LineReader."""
        return self._gate.call(self._history.heads, lane, above, count)

    def last_head(self, lane: Lane) -> SignedHead | None:
        """See LineReader."""
        return self._gate.call(self._history.last_head, lane)

    def peers(self) -> Sequence[PutPeer]:
        """See LineReader."""
        return self._gate.call(self._history.peers)

    def evidence(self) -> Sequence[PutEvidence]:
        """See LineReader."""
        return self._gate.call(self._history.evidence)

    def chunk(self, attachment: bytes, number: int) -> bytes | None:
        """See LineReader."""
        return self._gate.call(self._history.chunk, attachment, number)

    def chunks(self, attachment: bytes) -> int:
        """See LineReader."""
        return self._gate.call(self._history.chunks, attachment)

    def snapshot(self, version: int) -> PutSnapshot | None:
        """See LineReader."""
        return self._gate.call(self._history.snapshot, version)

    def since(self, seq: int, count: int) -> Sequence[Arrival]:
        """See LineHistory."""
        return self._gate.call(self._history.since, seq, count)

    def last_seq(self) -> int:
        """See LineHistory."""
        return self._gate.call(self._history.last_seq)


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
