"""What is done with one station's folders at a time, in a thread: write, look, read.

Each folder is opened for the time of one round only, so that a stick can be
unmounted between two of them.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from openline.bearers.drop import folder
from openline.bearers.drop.folder import Found, Seen, Waiting
from openline.bearers.drop.limits import Event, Pace
from openline.bearers.outbox import Outbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What came of it."""

    ready: bool
    """The folders that are to be there are, and the one to write in was written in."""
    waiting: Waiting
    written: int = 0
    """Files."""
    found: tuple[Found, ...] = ()
    more: bool = False
    """There is more to read."""
    events: Counter[Event] = field(default_factory=Counter)


class Folders:
    """The two folders towards one station, one of them perhaps missing. Its methods block."""

    def __init__(self, *, out: tuple[Path, str] | None, into: tuple[Path, str] | None, keep: bool, pace: Pace) -> None:
        """Where to write and to read, as root and direction; with `keep` what was read stays."""
        self._out, self._into, self._keep, self._pace = out, into, keep, pace
        self._seen = Seen(pace.remembered)
        self._trusted = False
        """Whether the last round could write."""

    def round(self, outbox: Outbox) -> Round:
        """Write what waits, read what came. Never raises for what the world does."""
        events: Counter[Event] = Counter()
        waiting, written = Waiting(), 0
        found: list[Found] = []
        ready = False
        try:
            waiting, written = self._write(outbox)
            found = self._read(events)
            ready = True
        except OSError as error:
            events[folder.meaning(error)] += 1
            self._trusted = False
            if not found:
                found = self._read_anyway(events)
        return Round(
            ready=ready,
            waiting=waiting,
            written=written,
            found=tuple(found),
            more=len(found) >= self._pace.read_files,
            events=events,
        )

    def finish(self, found: Sequence[Found]) -> None:
        """The station has these: delete them, or remember that they were read. Raises OSError."""
        if self._into is None or not found:
            return
        with folder.opened(*self._into, make=False) as handle:
            for file in found:
                if self._keep or not folder.remove(handle, file.name):
                    self._seen.add(file.name, file.stamp)

    def _write(self, outbox: Outbox) -> tuple[Waiting, int]:
        """What lies there then, and how many files were written."""
        if self._out is None:
            return Waiting(), 0
        with folder.opened(*self._out, make=True) as handle:
            if not self._trusted:
                folder.probe(handle)
                self._trusted = True
            folder.check_writable(handle)
            written = 0
            while written < self._pace.read_files and (envelope := outbox.next()) is not None:
                written += folder.put(handle, envelope)
            if written:
                folder.sync(handle)
            return folder.tidy(handle, self._pace.keep_s), written

    def _read(self, events: Counter[Event]) -> list[Found]:
        if self._into is None:
            return []
        root, name = self._into
        if not (root / name).is_dir():
            folder.check_there(root)  # the other side makes its own folder when it first has something to say
            return []
        with folder.opened(root, name, make=False) as handle:
            files, size = self._pace.read_files, self._pace.read_bytes
            found, broken = folder.take(
                handle, self._seen, lambda event: events.update((event,)), files=files, size=size
            )
            if not self._keep:
                for each in broken:
                    folder.remove(handle, each)  # so that the other side, finding it gone, writes it whole
            return found

    def _read_anyway(self, events: Counter[Event]) -> list[Found]:
        """What came is read also where nothing can be written."""
        try:
            return self._read(events)
        except OSError:
            return []
