"""The contract of every bearer. A new bearer is tested by one line:

    @pytest.mark.parametrize("check", CHECKS)
    def test_mine(check): steady.run(check(my_rig))

`my_rig(near_intake, far_intake)` returns a Rig: two bearers on one medium that
can be cut. The checks know nothing else of it, and wait on conditions only.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Protocol

import pytest

from openline.kernel.errors import Refused
from openline.ports import Bearer

NEAR, FAR = "near", "far"
DEADLINE_S = 30.0


class Recorder:
    """An Intake that remembers, and wakes whoever waits."""

    def __init__(self) -> None:
        self.arrivals: list[tuple[str | None, bytes]] = []
        self.links: list[tuple[str, bool]] = []
        self.events: Counter[str] = Counter()
        self._stirred = asyncio.Event()

    def arrived(self, bearer: str, station: str | None, envelope: bytes) -> None:
        self.arrivals.append((station, envelope))
        self._stirred.set()

    def link(self, bearer: str, station: str, *, up: bool) -> None:
        self.links.append((station, up))
        self._stirred.set()

    def counted(self, bearer: str, event: str) -> None:
        self.events[event] += 1
        self._stirred.set()

    @property
    def envelopes(self) -> list[bytes]:
        return [envelope for _, envelope in self.arrivals]

    async def until(self, condition: Callable[[], bool], *, deadline_s: float = DEADLINE_S) -> None:
        """Wait until a condition on what was recorded holds."""
        async with asyncio.timeout(deadline_s):
            while not condition():
                self._stirred.clear()
                await self._stirred.wait()


class Rig(Protocol):
    """Two bearers, NEAR's and FAR's, on one medium."""

    near: Bearer
    far: Bearer

    async def started(self) -> None:
        """Both bearers run now: what can only be arranged then."""

    async def cut(self) -> None:
        """Break the medium in both directions."""

    async def heal(self) -> None:
        """Mend it."""

    async def intrude(self, envelope: bytes) -> None:
        """Let a station that NEAR does not know try to hand it an envelope, to the end."""

    async def close(self) -> None:
        """Take the medium down; the bearers have stopped. Harmless when repeated."""


Factory = Callable[[Recorder, Recorder], Rig]
Check = Callable[[Factory], Coroutine[object, object, None]]


class Stage:
    """A rig with its recorders, both bearers running."""

    def __init__(self, factory: Factory) -> None:
        self.at_near, self.at_far = Recorder(), Recorder()
        self.rig = factory(self.at_near, self.at_far)
        self.near, self.far = self.rig.near, self.rig.far
        self.tasks: list[asyncio.Task[None]] = []

    async def linked(self) -> None:
        """Wait until both sides say that the link is up, as far as they can know."""
        if not self.near.traits.one_way:
            await self.at_near.until(lambda: self.near.up(FAR))
            await self.at_far.until(lambda: self.far.up(NEAR))

    async def deliver(self, envelope: bytes) -> None:
        """Send one envelope from NEAR to FAR and wait until it is there."""
        assert self.near.offer(FAR, envelope)
        await self.at_far.until(lambda: envelope in self.at_far.envelopes)

    async def room(self) -> None:
        """Wait until NEAR takes one again: what lay there at a cut may fill it until FAR has fetched it."""
        async with asyncio.timeout(DEADLINE_S):
            while not self.near.offer(FAR, b"room"):
                with contextlib.suppress(TimeoutError):
                    await self.at_near.until(lambda: False, deadline_s=0.05)

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def stage(factory: Factory) -> AsyncIterator[Stage]:
    """Run both bearers until the block ends; an error of theirs is an error of the test."""
    play = Stage(factory)
    play.tasks = [asyncio.create_task(play.near.run()), asyncio.create_task(play.far.run())]
    try:
        await play.rig.started()
        await play.linked()
        yield play
        for task in play.tasks:
            if task.done() and not task.cancelled():
                task.result()
    finally:
        await play.stop()
        await play.rig.close()


def _noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


# -- the checks ---------------------------------------------------------------


async def declares_itself(factory: Factory) -> None:
    async with stage(factory) as play:
        traits = play.near.traits
        assert traits == play.near.traits == play.far.traits
        assert traits.name == traits.name.strip().lower() != ""
        assert traits.largest >= 64
        assert traits.cost >= 0


async def carries_every_size_unchanged(factory: Factory) -> None:
    async with stage(factory) as play:
        largest = play.near.traits.largest
        sizes = sorted({1, 2, 31, 256, 270, largest // 2, largest - 1, largest} & set(range(1, largest + 1)))
        for size in sizes:
            await play.deliver(_noise(size, size))
        assert sorted(play.at_far.envelopes) == sorted(_noise(size, size) for size in sizes)
        assert {station for station, _ in play.at_far.arrivals} <= {NEAR, None}


async def changes_no_byte_that_means_something_elsewhere(factory: Factory) -> None:
    awkward = [
        bytes(64),
        b"\xff" * 64,
        b"\r\n.\r\n" * 12,
        b"\x11\x13\x1a\x04" * 16,
        b"From here\n" * 6,
        bytes(range(64)),
    ]
    async with stage(factory) as play:
        for envelope in awkward:
            await play.deliver(envelope)
        assert Counter(play.at_far.envelopes) == Counter(awkward)


async def refuses_what_is_too_large(factory: Factory) -> None:
    async with stage(factory) as play:
        with pytest.raises(Refused):
            play.near.offer(FAR, bytes(play.near.traits.largest + 1))
        await play.deliver(b"the next one")
        assert play.at_far.envelopes == [b"the next one"]


async def takes_nothing_it_cannot_carry(factory: Factory) -> None:
    play = Stage(factory)
    assert not play.near.offer(FAR, b"not running")
    assert not play.near.up(FAR)
    await play.rig.close()
    async with stage(factory) as play:
        assert not play.near.offer("nobody", b"unknown station")
        assert not play.near.up("nobody")


async def carries_all_it_takes_while_the_medium_holds(factory: Factory) -> None:
    """The queue is bounded, and what was taken into it arrives, in whatever order."""
    async with stage(factory) as play:
        size = min(play.near.traits.largest, 4_096)
        taken: list[bytes] = []
        while play.near.offer(FAR, envelope := _noise(size, len(taken))):
            taken.append(envelope)
            assert len(taken) < 100_000, "the queue has no bound"
        await play.at_far.until(lambda: len(play.at_far.arrivals) >= len(taken))
        assert Counter(play.at_far.envelopes) == Counter(taken)


async def lets_urgent_ones_overtake(factory: Factory) -> None:
    async with stage(factory) as play:
        ordinary = [b"ordinary %d" % index for index in range(20)]
        for envelope in ordinary:
            assert play.near.offer(FAR, envelope)
        assert play.near.offer(FAR, b"urgent", urgent=True)
        await play.at_far.until(lambda: len(play.at_far.arrivals) == 21)
        order = play.at_far.envelopes
        # What left before it cannot be overtaken; most of what was queued can.
        assert order.index(b"urgent") <= 2
        assert [envelope for envelope in order if envelope != b"urgent"] == ordinary


async def takes_urgent_ones_when_full(factory: Factory) -> None:
    async with stage(factory) as play:
        size = min(play.near.traits.largest, 4_096)
        taken = 0
        while play.near.offer(FAR, _noise(size, taken)):
            taken += 1  # never the same bytes: a slow bearer takes those again and again
        assert play.near.offer(FAR, b"urgent", urgent=True)
        await play.at_far.until(lambda: b"urgent" in play.at_far.envelopes)


async def hears_no_stranger(factory: Factory) -> None:
    async with stage(factory) as play:
        await play.rig.intrude(b"from a stranger")
        await play.deliver(b"from a peer")
        assert play.far.offer(NEAR, b"an answer")
        await play.at_near.until(lambda: bool(play.at_near.arrivals))
        assert play.at_near.envelopes == [b"an answer"]
        assert {station for station, _ in play.at_near.links} == {FAR}


async def reports_the_link(factory: Factory) -> None:
    """Up once, down once, up once; what `up` says agrees with what was reported."""
    async with stage(factory) as play:
        assert play.at_near.links == [(FAR, True)]
        assert play.at_far.links == [(NEAR, True)]
        await play.rig.cut()
        await play.at_near.until(lambda: play.at_near.links == [(FAR, True), (FAR, False)])
        assert not play.near.up(FAR)
        assert not play.near.offer(FAR, b"down")
        await play.at_far.until(lambda: not play.far.up(NEAR))
        await play.rig.heal()
        await play.linked()
        assert play.at_near.links == [(FAR, True), (FAR, False), (FAR, True)]


async def works_again_after_a_cut(factory: Factory) -> None:
    """What was taken before a cut arrives whole or not at all; after it, all is as before."""
    async with stage(factory) as play:
        size = play.near.traits.largest
        taken: list[bytes] = []
        while play.near.offer(FAR, envelope := _noise(size, len(taken))):
            taken.append(envelope)
        await play.at_far.until(lambda: bool(play.at_far.arrivals))
        await play.rig.cut()
        await play.at_near.until(lambda: not play.near.up(FAR))
        await play.at_far.until(lambda: not play.far.up(NEAR))
        await play.rig.heal()
        await play.linked()
        await play.room()
        await play.deliver(b"after the cut")
        assert play.far.offer(NEAR, b"and back")
        await play.at_near.until(lambda: b"and back" in play.at_near.envelopes)
        assert set(play.at_far.envelopes) <= {*taken, b"room", b"after the cut"}


async def stops_within_a_second(factory: Factory) -> None:
    async with stage(factory) as play:
        assert play.near.offer(FAR, b"under way")
        async with asyncio.timeout(1.0):
            await play.stop()
        assert all(task.cancelled() for task in play.tasks)
        assert not play.near.up(FAR)
        assert not play.near.offer(FAR, b"stopped")
        # Nothing of it is left to work on behind our backs.
        await play.rig.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def carries_one_way_only(factory: Factory) -> None:
    """Nothing comes back: the far side takes nothing for the near one, and no link is ever reported."""
    async with stage(factory) as play:
        assert play.near.traits.one_way
        await play.deliver(b"one way")
        assert not play.far.offer(NEAR, b"the other way")
        assert not play.near.up(FAR)
        assert play.at_near.links == play.at_far.links == []


async def queues_the_same_bytes_once(factory: Factory) -> None:
    """The protocol repeats what still waits in a slow bearer's queue; a repeat takes no room and no time on the wire."""
    async with stage(factory) as play:
        ordinary = [b"first", b"second", b"third", b"second", b"third", b"first"]
        for envelope in ordinary:
            assert play.near.offer(FAR, envelope)
        assert play.near.offer(FAR, b"third", urgent=True)
        await play.deliver(b"last")
        assert Counter(play.at_far.envelopes) == Counter([b"first", b"second", b"third", b"last"])


ANY = (
    declares_itself,
    carries_every_size_unchanged,
    changes_no_byte_that_means_something_elsewhere,
    refuses_what_is_too_large,
    takes_nothing_it_cannot_carry,
    carries_all_it_takes_while_the_medium_holds,
    lets_urgent_ones_overtake,
    takes_urgent_ones_when_full,
    stops_within_a_second,
)
CHECKS: tuple[Check, ...] = (*ANY, hears_no_stranger, reports_the_link, works_again_after_a_cut)
ONE_WAY_CHECKS: tuple[Check, ...] = (*ANY, carries_one_way_only)
SLOW_CHECKS: tuple[Check, ...] = (queues_the_same_bytes_once,)
"""For bearers that queue: all but those that write at once."""
