"""High-water marks: how a station knows that its store was restored.

One small file per line, outside the store's folder, outside backups and
outside machine snapshots. It is written after each commit of own entries and
before their head is signed; a store behind it has lost what it may have said.

A file has two slots, in two disk blocks, written in turn: a torn write leaves
the other one. Slot: count of writes u64 | counter u32 | nonce 8 | urgent u64 |
traffic u64 | SHA-256 of label, line id and these, cut to 28 bytes: 64 in all.

Spec: spec/13-restart.md.
"""

import os
import struct
from pathlib import Path

from openline.kernel.crypto import digest, same
from openline.kernel.errors import Bug, Unavailable
from openline.kernel.lane import Generation
from openline.protocol.records import Mark
from openline.station.files import private_folder, sync_folder

_SLOT = struct.Struct(">QI8sQQ28s")
_BLOCK = 4_096
"""Apart by a disk block, so that no torn write reaches both."""


class Marks:
    """The marks of all lines of a station, in one folder. Files stay open: a mark is one write and one fdatasync."""

    def __init__(self, folder: Path) -> None:
        """Raises Unavailable, or Forbidden if the folder is open to others."""
        private_folder(folder)
        self._folder = folder
        self._open: dict[bytes, _MarkFile] = {}

    def read(self, line: bytes) -> Mark | None:
        """The mark of a line; None if it is missing or destroyed, which means a restore. Raises Unavailable."""
        file = self._file(line)
        return file.mark if file else None

    def write(self, line: bytes, mark: Mark) -> None:
        """Make a mark durable. Raises Unavailable (the old one stands), Bug if it goes back."""
        file = self._file(line)
        if file is None:
            file = self._open[line] = _MarkFile.create(self._path(line), line)
        file.write(mark)

    def close(self) -> None:
        """Close the files."""
        for file in self._open.values():
            os.close(file.handle)
        self._open.clear()

    def remove(self, line: bytes) -> None:
        """Forget an archived line's mark."""
        file = self._open.pop(line, None)
        if file is not None:
            os.close(file.handle)
        try:
            self._path(line).unlink(missing_ok=True)
        except OSError:
            raise Unavailable("a mark cannot be removed") from None

    def _path(self, line: bytes) -> Path:
        return self._folder / f"{line.hex()}.mark"

    def _file(self, line: bytes) -> "_MarkFile | None":
        if line not in self._open:
            try:
                handle = os.open(self._path(line), os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                return None
            except OSError:
                raise Unavailable("a mark cannot be read") from None
            self._open[line] = _MarkFile(handle, line)
        return self._open[line]


class _MarkFile:
    __slots__ = ("count", "handle", "line", "mark")

    def __init__(self, handle: int, line: bytes) -> None:
        self.handle, self.line = handle, line
        try:
            slots = [os.pread(handle, _SLOT.size, at) for at in (0, _BLOCK)]
        except OSError:
            os.close(handle)
            raise Unavailable("a mark cannot be read") from None
        self.count, self.mark = max((self._parse(slot) for slot in slots), key=lambda found: found[0])

    @classmethod
    def create(cls, path: Path, line: bytes) -> "_MarkFile":
        """Two empty slots, their blocks allocated: later writes need no room on a full disk."""
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                os.pwrite(handle, bytes(2 * _BLOCK), 0)
                os.fsync(handle)
                sync_folder(path.parent)
            except OSError:
                os.close(handle)
                path.unlink(missing_ok=True)
                raise
        except OSError:
            raise Unavailable("a mark cannot be written") from None
        return cls(handle, line)

    def _digest(self, body: bytes) -> bytes:
        return digest(b"openline/1 mark\n" + self.line + body)[:28]

    def _parse(self, slot: bytes) -> tuple[int, Mark | None]:
        if len(slot) != _SLOT.size or not same(self._digest(slot[:-28]), slot[-28:]):
            return 0, None
        count, counter, nonce, urgent, traffic, _ = _SLOT.unpack(slot)
        return count, Mark(generation=Generation(counter, nonce), urgent=urgent, traffic=traffic)

    def write(self, mark: Mark) -> None:
        old = self.mark
        if old is not None:
            if mark.generation < old.generation:
                raise Bug("a mark of an older generation")
            if mark.generation == old.generation and (mark.urgent < old.urgent or mark.traffic < old.traffic):
                raise Bug("a mark that goes back")
            if mark == old:
                return
        count = self.count + 1
        generation = mark.generation
        body = _SLOT.pack(count, generation.counter, generation.nonce, mark.urgent, mark.traffic, b"")[:-28]
        try:
            written = os.pwrite(self.handle, body + self._digest(body), _BLOCK * (count % 2))
            os.fdatasync(self.handle)
        except OSError:
            raise Unavailable("a mark cannot be written") from None
        if written != _SLOT.size:
            raise Unavailable("a mark cannot be written")
        self.count, self.mark = count, mark
