"""Tasks spread over processes, or done here when there is little to do.

Each process starts afresh (spawn), so tasks and results are plain data, and a
script that asks for more than one job needs the usual `if __name__ == "__main__"`.
"""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import TypeVar

from openline.kernel.errors import Unavailable

Task = TypeVar("Task")
Result = TypeVar("Result")
_AHEAD = 4
"""Tasks waiting for each process: enough that none idles, few enough that memory stays bounded."""


def _start() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # on Ctrl-C a worker ends at once and says nothing


class Workers:
    """Some processes, for the length of a `with` block."""

    def __init__(self, jobs: int) -> None:
        """With one job everything is done in this process."""
        context = multiprocessing.get_context("spawn")
        self._jobs = jobs
        self._pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start) if jobs > 1 else None

    def __enter__(self) -> "Workers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=kind is None, cancel_futures=True)

    def begin(self, function: Callable[[Task], Result], task: Task) -> Callable[[], Result]:
        """Begin one task now; the function returned waits for its result. Raises Unavailable if a process dies."""
        if self._pool is None:
            return lambda: function(task)
        future = self._pool.submit(function, task)
        return lambda: _result(future)

    def each(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """The results of tasks, in their order. Raises Unavailable if a process dies."""
        if self._pool is None:
            yield from map(function, tasks)
            return
        waiting: deque[Future[Result]] = deque()
        for task in tasks:
            waiting.append(self._pool.submit(function, task))
            if len(waiting) >= _AHEAD * self._jobs:
                yield _result(waiting.popleft())
        while waiting:
            yield _result(waiting.popleft())


def _result(future: "Future[Result]") -> Result:
    try:
        return future.result()
    except BrokenProcessPool:
        raise Unavailable("a checking process died: too little memory?") from None
