"""A thread for what may hang: a file operation on a dead network share ends when it likes, or never.

The loop's own threads are not used: asyncio waits for those at its end, and so
would a station that is told to stop.
"""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import TypeVar

from openline.kernel.errors import Bug

T = TypeVar("T")


class Worker:
    """Does one thing after the other. A thing that hangs is waited for by nobody but itself."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def do(self, work: Callable[[], T]) -> "asyncio.Future[T]":
        """Do it in the thread; the future has what it returns or raises. Given up when nobody waits any more."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="openline-drop", daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        # Who waited may have been cancelled: then nobody asks, and asyncio would log the error with the folder's name.
        future.add_done_callback(lambda done: None if done.cancelled() else done.exception() and None)

        def settle(done: Callable[[], None]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(lambda: None if future.done() else done())

        def step() -> None:
            outcome: Callable[[], None] = lambda: future.set_exception(Bug("a file operation of ours failed"))  # noqa: E731
            try:
                result = work()
                outcome = lambda: future.set_result(result)  # noqa: E731 - the one line it is
            except OSError as error:
                failed = error
                outcome = lambda: future.set_exception(failed)  # noqa: E731
            finally:
                settle(outcome)

        self._work.put(step)
        return future

    def end(self) -> None:
        """Let the thread end after what it is at."""
        self._work.put(None)

    def _run(self) -> None:
        while (step := self._work.get()) is not None:
            step()
