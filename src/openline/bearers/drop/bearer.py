"""The bearer over a folder: a network share, a stick that stays, a data diode (spec 9.60 to 9.66).

Two-way: what was read is deleted, and the link is up while the folder is there
and can be written in; whether anybody reads at the other side no folder tells.
One-way: only one of the two folders is given. Nothing comes back, so no link
is ever reported; what is offered is taken while the folder works.

Every operation on files happens in a thread of that station's own, as a dead
share may hold it for hours; the loop goes on, and the link is down meanwhile.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from openline.bearers.drop.folder import meaning
from openline.bearers.drop.limits import LARGEST_ENVELOPE, Event, Pace, direction
from openline.bearers.drop.rounds import Folders, Round
from openline.bearers.drop.worker import Worker
from openline.bearers.outbox import Outbox
from openline.kernel.errors import Malformed, TooLarge
from openline.ports import BearerTraits, Intake

COST: Final = 20
"""Free, and slower than anything that is pushed."""
DELAY_MS: Final = 2_000
"""Two looks, one at each side, and the disk."""

MOST_COUNTED: Final = 100
"""Of the same kind at one look: a million foreign files are a crowd, and not a million events."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class DropConfig:
    """Where envelopes lie. The same folder twice is a share; one alone is a diode's end."""

    station: str
    """Our own station id."""
    name: str = "drop"
    """Of the bearer; a second one is called drop-<something>."""
    out: Path | None = field(default=None, repr=False)
    """The folder in which we write, each station's files in a folder of their own."""
    into: Path | None = field(default=None, repr=False)
    """The folder in which we read."""
    keep: bool = False
    """Leave what was read, as on a medium that others read too; always so where it cannot be deleted."""
    pace: Pace = field(default_factory=Pace)


@dataclass(slots=True, kw_only=True)
class _Peer:
    """One station."""

    station: str
    folders: Folders
    place: Path | None
    """The folder of its own that it was given."""
    outbox: Outbox = field(default_factory=Outbox)
    worker: Worker = field(default_factory=Worker)
    stirred: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    ready: bool = False
    waiting_files: int = 0
    waiting_size: int = 0
    trouble: Event | None = None
    """What was counted last of the folder: once for each time that it fails."""


class DropBearer:
    """A Bearer; besides the port, peers come and go."""

    def __init__(self, config: DropConfig, intake: Intake) -> None:
        """Raise Malformed if neither folder is given, or one by a relative name."""
        given = [folder for folder in (config.out, config.into) if folder is not None]
        if not given:
            raise Malformed("a drop folder needs a folder to write in or to read in")
        if not all(folder.is_absolute() for folder in given):
            raise Malformed("a drop folder is named from the root, beginning with /")
        self._config, self._pace, self._intake = config, config.pace, intake
        self._one_way = len(given) == 1
        self._peers: dict[str, _Peer] = {}
        self._group: asyncio.TaskGroup | None = None
        self._traits = BearerTraits(
            name=config.name, largest=LARGEST_ENVELOPE, cost=COST, one_way=self._one_way, delay_ms=DELAY_MS
        )

    # -- the port ----------------------------------------------------------

    @property
    def traits(self) -> BearerTraits:
        """What it can do."""
        return self._traits

    async def run(self) -> None:
        """Write and read until cancelled. May be run again after it has ended."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for peer in self._peers.values():
                    peer.worker = Worker()
                    peer.task = group.create_task(self._serve(peer))
                await asyncio.get_running_loop().create_future()
        finally:
            self._group = None
            for peer in self._peers.values():
                self._set_ready(peer, ready=False)
                peer.worker.end()

    def offer(self, station: str, envelope: bytes, *, urgent: bool = False) -> bool:
        """Queue one envelope; False when down or full. Raises TooLarge above `traits.largest`.

        Full is also the folder itself, when nobody fetches what lies there: a
        stick is not filled to its brim, and what is urgent has its own room.
        """
        if len(envelope) > LARGEST_ENVELOPE:
            raise TooLarge("the envelope is larger than the bearer carries")
        peer = self._peers.get(station)
        if peer is None or not peer.ready or self._config.out is None:
            return False
        more = self._pace.urgent_files if urgent else 0
        files = self._pace.most_files + more - peer.waiting_files
        size = self._pace.most_bytes + more * LARGEST_ENVELOPE - peer.waiting_size
        taken = peer.outbox.add(envelope, urgent=urgent, files=files, size=size)
        peer.stirred.set()
        return taken

    def up(self, station: str) -> bool:
        """Whether the folder is there and can be written in; never on a one-way medium."""
        peer = self._peers.get(station)
        return peer is not None and peer.ready and not self._one_way

    # -- peers -------------------------------------------------------------

    def set_peer(self, station: str, folder: Path | None = None) -> None:
        """Exchange envelopes with a station, in the folders of the configuration or in another one.

        Raises Malformed for a folder by a relative name.
        """
        if folder is not None and not folder.is_absolute():
            raise Malformed("a drop folder is named from the root, beginning with /")
        if station in self._peers and self._peers[station].place == folder:
            return
        self.drop_peer(station)
        out, into = self._config.out, self._config.into
        if folder is not None:
            out, into = out and folder, into and folder
        folders = Folders(
            out=None if out is None else (out, direction(self._config.station, station)),
            into=None if into is None else (into, direction(station, self._config.station)),
            keep=self._config.keep,
            pace=self._pace,
        )
        peer = self._peers[station] = _Peer(station=station, folders=folders, place=folder)
        if self._group is not None:
            peer.task = self._group.create_task(self._serve(peer))

    def drop_peer(self, station: str) -> None:
        """Forget a station; its files stay. Harmless when it is not there."""
        peer = self._peers.get(station)
        if peer is None:
            return
        self._set_ready(peer, ready=False)
        del self._peers[station]
        if peer.task is not None:
            peer.task.cancel()
        peer.worker.end()

    # -- inside ------------------------------------------------------------

    async def _serve(self, peer: _Peer) -> None:
        loop = asyncio.get_running_loop()
        lively_until = 0.0
        while True:
            peer.stirred.clear()
            began = loop.time()
            done = await self._patiently(peer, lambda: peer.folders.round(peer.outbox))
            took = loop.time() - began
            self._note(peer, done)
            for found in done.found:
                self._intake.arrived(self._config.name, None, found.envelope)
            if done.found:
                await self._finish(peer, done)
            if done.found or done.written:
                lively_until = loop.time() + self._pace.lively_s
            if not done.more and not (done.ready and peer.outbox.files):
                usual = self._pace.quick_poll_s if loop.time() < lively_until else self._pace.poll_s
                await self._pause(peer, max(usual, 0.0 if done.found else self._pace.rest * took))

    async def _finish(self, peer: _Peer, done: Round) -> None:
        try:
            await self._patiently(peer, lambda: peer.folders.finish(done.found))
        except OSError as error:
            # Read again at the next look, if it is still there: an envelope twice does no harm.
            self._trouble(peer, meaning(error))

    async def _patiently(self, peer: _Peer, work: Callable[[], T]) -> T:
        """Wait for the thread; a folder that does not answer is down meanwhile."""
        future = peer.worker.do(work)
        done, _ = await asyncio.wait([future], timeout=self._pace.stuck_s)
        if not done:
            self._trouble(peer, Event.STUCK)
        return await future

    async def _pause(self, peer: _Peer, seconds: float) -> None:
        """Until something is to be written that can be, or it is time for another look."""
        try:
            async with asyncio.timeout(seconds):
                await peer.stirred.wait()
        except TimeoutError:
            pass

    def _note(self, peer: _Peer, done: Round) -> None:
        for event, number in done.events.items():
            if event in (Event.FOREIGN, Event.BROKEN):
                for _ in range(min(number, MOST_COUNTED)):
                    self._intake.counted(self._config.name, event)
            else:
                self._trouble(peer, event)
        peer.waiting_files, peer.waiting_size = done.waiting.files, done.waiting.size
        if done.ready:
            self._set_ready(peer, ready=True)

    def _trouble(self, peer: _Peer, event: Event) -> None:
        if peer.trouble is not event:
            peer.trouble = event
            self._intake.counted(self._config.name, event)
        self._set_ready(peer, ready=False)

    def _set_ready(self, peer: _Peer, *, ready: bool) -> None:
        if peer.ready is ready:
            return
        peer.ready = ready
        if ready:
            peer.trouble = None
            self._intake.counted(self._config.name, Event.READY)
        else:
            peer.outbox.clear()  # it is all offered again
        if not self._one_way:
            self._intake.link(self._config.name, peer.station, up=ready)
