"""Two drop-folder bearers on one folder that can be pulled out and put back, and the two ends of a diode."""

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from openline.bearers.drop import DropBearer, DropConfig, Event, Pace
from openline.bearers.drop import folder as files
from openline.bearers.drop.limits import direction, file_name
from tests.contract.bearer_contract import FAR, NEAR, Recorder
from tests.waiting import until

# Bounds small enough to be reached with a disk that takes its time.
QUICK = Pace(poll_s=0.02, stuck_s=5.0, most_files=96, urgent_files=16)


class DropRig:
    """NEAR and FAR on one folder; one_way lets only NEAR write and only FAR read."""

    def __init__(self, at_near: Recorder, at_far: Recorder, *, one_way: bool = False) -> None:
        self.top = Path(tempfile.mkdtemp(prefix="openline-drop-"))
        self.folder = self.top / "share"
        self.folder.mkdir()
        self.at_near, self.at_far, self.one_way = at_near, at_far, one_way
        into = None if one_way else self.folder
        near = DropConfig(station=NEAR, out=self.folder, into=into, pace=QUICK)
        far = DropConfig(station=FAR, out=into, into=self.folder, pace=QUICK)
        self.near, self.far = DropBearer(near, at_near), DropBearer(far, at_far)
        self.near.set_peer(FAR)
        self.far.set_peer(NEAR)

    async def started(self) -> None:
        for recorder in (self.at_near, self.at_far):
            await recorder.until(lambda recorder=recorder: recorder.events[Event.READY] > 0)  # type: ignore[misc]

    async def cut(self) -> None:
        """The stick is pulled."""
        self.folder.rename(self.top / "pulled")

    async def heal(self) -> None:
        (self.top / "pulled").rename(self.folder)

    async def intrude(self, envelope: bytes) -> None:
        """A stranger's folder, and strangers' things in the folder that NEAR reads."""
        with files.opened(self.folder, direction("stranger", NEAR), make=True) as handle:
            files.put(handle, envelope)
        with files.opened(self.folder, direction(FAR, NEAR), make=True) as handle:
            for name in ("readme.txt", "0" * 64 + ".envelope"):
                file = os.open(name, os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=handle)
                os.write(file, envelope)
                os.close(file)
        await self.at_near.until(lambda: self.at_near.events[Event.FOREIGN] >= 1 <= self.at_near.events[Event.BROKEN])

    async def close(self) -> None:
        shutil.rmtree(self.top, ignore_errors=True)


def share_rig(at_near: Recorder, at_far: Recorder) -> DropRig:
    return DropRig(at_near, at_far)


def diode_rig(at_near: Recorder, at_far: Recorder) -> DropRig:
    return DropRig(at_near, at_far, one_way=True)


class Post:
    """One running bearer with its recorder; what the other side puts there a test puts itself."""

    def __init__(self, folder: Path, *, keep: bool = False, pace: Pace = QUICK, own: str = NEAR) -> None:
        self.seen = Recorder()
        self.folder = folder
        config = DropConfig(station=own, out=folder, into=folder, keep=keep, pace=pace)
        self.bearer = DropBearer(config, self.seen)
        self.bearer.set_peer(FAR)
        self.out = folder / direction(own, FAR)
        self.into = folder / direction(FAR, own)

    def receives(self, envelope: bytes) -> Path:
        """What FAR would do."""
        with files.opened(self.folder, self.into.name, make=True) as handle:
            files.put(handle, envelope)
        return self.into / file_name(envelope)

    async def ready(self) -> None:
        await self.seen.until(lambda: self.bearer.up(FAR))

    async def down(self) -> None:
        await self.seen.until(lambda: not self.bearer.up(FAR))

    async def counts(self, event: Event, number: int = 1) -> None:
        await self.seen.until(lambda: self.seen.events[event] >= number)

    async def heard(self, envelope: bytes) -> None:
        await self.seen.until(lambda: envelope in self.seen.envelopes)


@contextlib.contextmanager
def a_folder() -> Iterator[Path]:
    """A folder to be shared, in one of its own."""
    with tempfile.TemporaryDirectory(prefix="openline-drop-") as top:
        folder = Path(top) / "share"
        folder.mkdir()
        yield folder


async def until_there(condition: Callable[[], bool]) -> None:
    """Wait for something in a folder, which wakes nobody."""
    await asyncio.to_thread(until, condition)


@contextlib.asynccontextmanager
async def working(*posts: Post) -> AsyncIterator[None]:
    """Run bearers until the block ends, ready or not."""
    tasks = [asyncio.create_task(post.bearer.run()) for post in posts]
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def running(*posts: Post) -> AsyncIterator[None]:
    """The same, ready."""
    async with working(*posts):
        for post in posts:
            await post.ready()
        yield
