"""A stick as its courier's command sees it: envelopes as files, in folders that the station names.

Runs in the command, with the rights of whoever types it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from openline.bearers.drop import folder
from openline.bearers.drop.folder import Found, Seen
from openline.bearers.drop.limits import Event
from openline.kernel.errors import Unavailable

_MOST_FILES, _MOST_BYTES = 512, 4 * 2**20
"""Handed to the station at a time."""
_WORDS = {
    Event.GONE: "the folder is not there: is the medium plugged in and mounted?",
    Event.FULL: "the medium is full: make room on it, or take another",
    Event.READ_ONLY: "the folder cannot be written: look at its permissions, and at the medium's lock",
    Event.FAILED: "the medium does not work: try another",
}


class Faulty(Unavailable):
    """The medium does not let us; so many files were written before."""

    def __init__(self, event: Event, written: int) -> None:
        super().__init__(_WORDS.get(event, _WORDS[Event.FAILED]))
        self.written = written


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was put on a stick."""

    files: int
    size: int
    """Bytes."""
    there: int
    """Envelopes that were on it already."""


@dataclass(slots=True, kw_only=True)
class Looked:
    """What lies in one folder, a part at a time."""

    found: list[Found] = field(default_factory=list)
    foreign: int = 0
    """Files that are no envelopes, and envelopes that are damaged."""


class Stick:
    """A folder on a medium."""

    def __init__(self, root: Path) -> None:
        """Raises Unavailable unless it is there."""
        self.root = root
        try:
            folder.check_there(root)
        except OSError as error:
            raise Faulty(folder.meaning(error), 0) from None

    def write(self, name: str, envelopes: Sequence[bytes]) -> Written:
        """Write files into one of its folders; they are on the medium when this returns. Raises Faulty."""
        files = size = 0
        try:
            with folder.opened(self.root, name, make=True) as handle:
                for envelope in envelopes:
                    if folder.put(handle, envelope):
                        files, size = files + 1, size + len(envelope)
                folder.sync(handle)
        except OSError as error:
            raise Faulty(folder.meaning(error), files) from None
        return Written(files=files, size=size, there=len(envelopes) - files)

    def parts(self, name: str) -> Iterable[Looked]:
        """What lies in one of its folders, so much at a time as the station takes at once. Raises Faulty."""
        seen = Seen(2**20)
        while True:
            looked = Looked()

            def count(_event: Event, looked: Looked = looked) -> None:
                looked.foreign += 1

            try:
                with folder.opened(self.root, name, make=False) as handle:
                    looked.found, _ = folder.take(handle, seen, count, files=_MOST_FILES, size=_MOST_BYTES)
            except FileNotFoundError:
                return  # nobody has written there yet
            except OSError as error:
                raise Faulty(folder.meaning(error), 0) from None
            for each in looked.found:
                seen.add(each.name, each.stamp)
            yield looked
            if not looked.found:
                return

    def delete(self, name: str, found: Sequence[Found]) -> int:
        """Delete files that the station has; how many went. Raises Faulty."""
        try:
            with folder.opened(self.root, name, make=False) as handle:
                gone = sum(folder.remove(handle, each.name) for each in found)
                folder.sync(handle)
        except OSError as error:
            raise Faulty(folder.meaning(error), 0) from None
        return gone
