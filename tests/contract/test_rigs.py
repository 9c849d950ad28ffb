"""What the rigs of this folder lean on: a loop's clock that counts no stall, and an end of servers that is one."""

import asyncio
import subprocess
import time

import pytest

from tests import steady
from tests.processes import end_session, living
from tests.waiting import until


def stall(seconds: float) -> None:
    """Keep the loop from its work."""
    end = time.monotonic() + seconds
    until(lambda: time.monotonic() > end)


def test_a_steady_clock_counts_no_stall_and_all_that_is_waited_for() -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        stalled = asyncio.create_task(asyncio.to_thread(stall, 0.3))
        began = loop.time()
        stall(0.5)
        await asyncio.sleep(0)
        assert loop.time() - began <= 3 * (steady.WAIT_S + steady.WORK_S)
        await stalled
        began, world = loop.time(), time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.4):
                await asyncio.Event().wait()
        assert loop.time() - began >= 0.39
        assert time.monotonic() - world >= 0.39
        # A thread is waited for by that clock too, however often the loop looks.
        began = loop.time()
        await asyncio.to_thread(stall, 0.5)
        assert loop.time() - began > 0.2

    steady.run(scene())


def test_a_session_is_over_when_the_last_of_its_children_is_dead() -> None:
    words = "sleep 600 & (trap '' TERM HUP; sleep 600) & wait"
    leader = subprocess.Popen(["/bin/sh", "-c", words], start_new_session=True)
    until(lambda: len(living(leader.pid)) >= 3)
    end_session(leader.pid)
    assert living(leader.pid) == []
    leader.wait()
