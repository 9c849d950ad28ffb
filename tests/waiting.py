"""Waiting for another process: until a condition holds, or a deadline has passed.

Inside one process wait on an event instead.
"""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
POLL_S = 0.01


def until(condition: Callable[[], T], *, deadline_s: float = 60.0) -> T:
    """Return the condition's first truthy value; raises TimeoutError after `deadline_s`."""
    end = time.monotonic() + deadline_s
    while not (value := condition()):
        if time.monotonic() > end:
            raise TimeoutError("the condition did not come true in time")
        time.sleep(POLL_S)
    return value
