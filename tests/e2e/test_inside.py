"""What one loop with all lines promises: a bad disk, a bug, a slow disk and a silent peer each stay where they are."""

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from openline.kernel.errors import Unavailable
from openline.kernel.terms import Policy
from openline.ports import LineTest
from openline.protocol.entries import Service
from openline.protocol.records import Append, Write
from openline.station.line_runner import RETRY_S, LineRunner, State
from openline.station.rhythm import Pace
from openline.station.runtime import Parts, Station
from openline.stores.sqlite import SqliteStore
from tests.contract.slow_disk import SlowDisk, slow_disk
from tests.e2e.homes import join, new_home
from tests.e2e.inside import call, eventually, linked, made, stations

Commit = Callable[[Sequence[Write]], None]


class OneBadLine:
    """A store of which one line's commits go through `trouble` first."""

    def __init__(self, store: SqliteStore, trouble: Callable[[Sequence[Write]], None]) -> None:
        self._store, self._trouble = store, trouble

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def line(self, line: bytes) -> Any:
        history = self._store.line(line)
        first = min(self._store.lines(), key=lambda record: record.label)
        return _BadLine(history, self._trouble) if line == first.line else history


class _BadLine:
    def __init__(self, history: Any, trouble: Callable[[Sequence[Write]], None]) -> None:
        self._history, self._trouble = history, trouble

    def __getattr__(self, name: str) -> Any:
        return getattr(self._history, name)

    def commit(self, writes: Sequence[Write]) -> None:
        self._trouble(writes)
        self._history.commit(writes)


def bad(trouble: Callable[[Sequence[Write]], None]) -> Parts:
    """Parts of a station whose line `relay` has that trouble."""
    return Parts(open_store=lambda path, key: OneBadLine(SqliteStore.open(path, key), trouble))


async def truth(condition: Callable[[], bool]) -> bool | None:
    return True if condition() else None


def named(station: Station, label: str) -> LineRunner:
    return station.find(label)


def speaks(writes: Sequence[Write], words: bytes) -> bool:
    """Whether a commit holds an entry with these words."""
    return any(words in row.entry.body for write in writes if isinstance(write, Append) for row in write.rows)


def said(text: str) -> Service:
    return Service(text=text, language="en", sign="W1")


async def submit(station: Station, label: str, text: str) -> object:
    return await station.find(label).submit(said(text), station.clock.wall())


async def held(station: Station, label: str) -> bool:
    """Wait until the other side holds all that this one said there."""
    line = station.find(label)

    def ready() -> bool | None:
        engine = line.engine
        if engine is None:
            return None
        lanes = [engine.book.own(urgent=urgent) for urgent in (True, False)]
        # What only acknowledges is not acknowledged: enough that the last word of ours is.
        wanted = engine.fold.size(lanes[0].lane.number, lanes[0].lane.generation)
        (peer,) = engine.peers.values()
        return True if peer.holds.get(lanes[0].lane.key, 0) >= wanted - 1 else None

    return bool(await line.when(ready, 60))


def test_12_6_a_full_disk_stops_one_line_tells_whoever_waits_and_loses_nothing(tmp_path: Path) -> None:
    full = [True]

    def trouble(writes: Sequence[Write]) -> None:
        if full[0] and speaks(writes, b"no room"):
            raise Unavailable("the disk is full: nothing was written")

    async def scene() -> None:
        homes = made(tmp_path, lines=2)
        async with stations(homes, bad(trouble)) as (alpha, bravo):
            await linked(alpha, bravo)
            await submit(alpha, "relay", "before")
            try:
                await submit(alpha, "relay", "no room for this")
            except Unavailable:
                pass
            else:
                raise AssertionError("it was taken")
            line = named(alpha, "relay")
            assert line.state is State.DISK
            assert await asyncio.wait_for(submit(alpha, "relay-2", "the other line goes on"), 60)
            assert named(bravo, "relay").state is State.RUNNING
            full[0] = False
            await eventually(partial(truth, lambda: line.engine is not None))
            await linked(alpha)
            await submit(alpha, "relay", "after")
            assert await held(alpha, "relay")
            there = named(bravo, "relay").engine
            here = line.engine
            assert there is not None
            assert here is not None
            assert here.book.mine.counter == 0  # a crash, and no restore

    asyncio.run(scene())


def test_a_bug_stops_one_line_visibly_and_the_others_go_on(tmp_path: Path) -> None:
    def trouble(writes: Sequence[Write]) -> None:
        if speaks(writes, b"boom"):
            raise ZeroDivisionError("with content that must not be logged")

    async def scene() -> None:
        homes = made(tmp_path, lines=2)
        homes[0].change('file = ""', 'file = "events.log"')
        async with stations(homes, bad(trouble)) as (alpha, bravo):
            await linked(alpha, bravo)
            try:
                await submit(alpha, "relay", "boom")
            except Unavailable:
                pass
            else:
                raise AssertionError("it was taken")
            assert named(alpha, "relay").state is State.BUG
            await asyncio.wait_for(submit(alpha, "relay-2", "the other line goes on"), 60)
            assert await held(alpha, "relay-2")
        log = (homes[0].folder / "events.log").read_text()
        assert "ZeroDivisionError" in log
        assert "content" not in log

    asyncio.run(scene())


@contextlib.asynccontextmanager
async def standing_disk(tmp_path: Path) -> AsyncIterator[tuple[Station, Station, SlowDisk, asyncio.Future[object]]]:
    """ALPHA, whose disk stands in the commit of what it says ("said into it"), in its thread; and BRAVO."""

    homes = made(tmp_path)

    def trouble(writes: Sequence[Write]) -> None:
        if speaks(writes, b"the first slow one"):
            threading.Event().wait(1.0)  # as a flush does, without the interpreter's lock
        if speaks(writes, b"said into it"):
            disk.stop(lambda file: file.startswith(str(homes[0].folder)))

    with slow_disk() as disk:
        async with stations(homes, bad(trouble)) as (alpha, bravo):
            await linked(alpha, bravo)
            await submit(alpha, "relay", "the first slow one, still on the loop")
            assert alpha.committer.in_thread
            said = asyncio.ensure_future(submit(alpha, "relay", "said into it"))
            try:
                await eventually(partial(truth, lambda: disk.stopped))
                yield alpha, bravo, disk, said
            finally:
                disk.go_on()
            assert not disk.gave_up, "the loop waited for the disk"


async def told(station: Station, words: str) -> int:
    """How often the line's entries have these words, as the API tells them."""
    answer = await call(station, "GET", "lines/relay/entries", uid=os.getuid(), limit=500)
    assert answer.status == 200, answer.json
    return answer.data.decode().count(words)


def test_a_slow_disk_does_not_stop_the_loop(tmp_path: Path) -> None:
    """After one slow commit the next go to a thread: meanwhile the loop turns, and whoever reads is answered."""

    async def scene() -> None:
        async with standing_disk(tmp_path) as (alpha, bravo, disk, said):
            line = alpha.find("relay")
            before = line.history.last_seq()
            assert len(line.history.since(0, 1_000)) == before
            assert await told(alpha, "the first slow one, still on the loop") == 1
            for path in ("status", "lines", "lines/relay", "lines/relay/drafts"):
                assert (await call(alpha, "GET", path, uid=os.getuid())).status == 200
            await submit(bravo, "relay", "the other side goes on")
            assert disk.stopped
            assert not said.done()
            assert line.history.last_seq() == before
            disk.go_on()
            await said
            for number in range(40):
                await submit(alpha, "relay", f"quick {number}")
            assert await held(alpha, "relay")
            assert await held(bravo, "relay")
            for words in ("said into it", "the other side goes on"):
                assert await told(alpha, words) == 1

    asyncio.run(scene())


def test_a_line_is_not_made_again_while_a_commit_of_before_is_under_way(tmp_path: Path) -> None:
    """Else it would not know what that commit is about to add, and would stop again over it."""

    async def scene() -> None:
        async with standing_disk(tmp_path) as (alpha, _, disk, said):
            line, due = alpha.find("relay"), asyncio.Event()
            line.fail(State.DISK)
            asyncio.get_running_loop().call_later(RETRY_S[0], due.set)
            await due.wait()  # set after the line looked whether it may be made again
            assert line.engine is None
            assert isinstance(said.exception(), Unavailable)
            disk.go_on()
            await eventually(partial(truth, lambda: line.engine is not None))
            await submit(alpha, "relay", "after")
            assert await held(alpha, "relay")
            assert await told(alpha, "said into it") == 1
            assert not alpha.counters["line-disk"]

    asyncio.run(scene())


def test_both_sides_test_on_their_rhythm_and_keep_results(tmp_path: Path) -> None:
    """Clause 6.12: answered by the acknowledgement; each side counts its own."""

    async def scene() -> None:
        pace = Parts(pace=Pace(first_s=0.05, look_s=0.02))
        async with stations(made(tmp_path), pace, pace) as both:
            await linked(*both)
            for station in both:
                line = station.find("relay")

                async def done(station: Station = station, line: LineRunner = line) -> LineTest | None:
                    tests = station.store.tests(line.line, 1)
                    return tests[0] if tests and tests[0].held is not None else None

                result = await eventually(done)
                assert result.number == 1
                assert 0 <= (result.round_trip_ms or 0) < 60_000
                assert not station.rhythm.missed(line)

    asyncio.run(scene())


def test_a_missed_test_is_noticed_and_a_late_acknowledgement_ends_that(tmp_path: Path) -> None:
    async def scene() -> None:
        homes = made(tmp_path)
        pace = Parts(pace=Pace(first_s=0.05, look_s=0.02, late_s=0.1))
        async with stations(homes[:1], pace) as (alpha,):
            line = alpha.find("relay")
            await eventually(partial(truth, lambda: bool(alpha.counters["notice-test-missed"])))
            assert alpha.rhythm.missed(line)
            async with stations(homes[1:], Parts(pace=Pace(first_s=3_600))) as (bravo,):
                await linked(alpha, bravo)
                await eventually(partial(truth, lambda: not alpha.rhythm.missed(line)))

    asyncio.run(scene())


def test_no_rhythm_no_tests(tmp_path: Path) -> None:
    async def scene() -> None:
        pace = Parts(pace=Pace(first_s=0.0, look_s=0.001))
        async with stations(made(tmp_path, Policy(test_minutes=0)), pace, pace) as both:
            await linked(*both)
            await submit(both[0], "relay", "said by a person")
            assert await held(both[0], "relay")
            for station in both:
                assert not station.store.tests(station.find("relay").line, 1)

    asyncio.run(scene())


def test_a_hundred_lines_with_one_peer_find_their_envelopes(tmp_path: Path) -> None:
    """Fewer here, so that it is quick; the way is the same."""

    async def scene() -> None:
        homes = made(tmp_path, lines=8)
        async with stations(homes) as (alpha, bravo):
            await linked(alpha, bravo)
            for line in alpha.lines.values():
                await submit(alpha, line.label, f"on {line.label}")
            for line in alpha.lines.values():
                assert await held(alpha, line.label)
            assert alpha.counters["line-bug"] == bravo.counters["line-bug"] == 0

    asyncio.run(scene())


def test_three_stations_on_one_line(tmp_path: Path) -> None:
    async def scene() -> None:
        homes = [new_home(tmp_path, name) for name in ("ALPHA", "BRAVO", "CHARLIE")]
        join(homes)
        async with stations(homes) as all_three:
            await linked(*all_three)
            alpha = all_three[0]
            accepted = await alpha.find("relay").submit(said("to both"), alpha.clock.wall())
            line = alpha.find("relay")

            def held_by_both() -> bool | None:
                engine = line.engine
                peers = engine.peers.values() if engine is not None else ()
                return True if all(p.holds.get(accepted.lane.key, 0) > accepted.index for p in peers) else None

            assert await line.when(held_by_both, 60)

            async def agreed() -> bool | None:
                return True if len({station.find("relay").digest() for station in all_three}) == 1 else None

            await eventually(agreed)

    asyncio.run(scene())
