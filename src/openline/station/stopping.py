"""The signals that end a process in order."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def told_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """While the block lasts, `stop` is called in this loop at SIGTERM, at Ctrl-C, and when the terminal is closed.

    A process that was started not to care for its terminal (nohup, disown) goes on without one.
    """
    loop, numbers = asyncio.get_running_loop(), [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
