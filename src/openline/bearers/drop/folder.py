"""One direction's folder: files that are whole or not there (spec 9.61 to 9.64).

Everything is done relative to an open handle of that folder, which neither
follows links nor stays open: a medium can be pulled, swapped or unmounted at
any moment, and then an operation fails and nothing else happens. What others
put there (links, pipes, folders, huge files) is not opened, or not read.

All functions block. They raise OSError for what concerns the whole folder; a
single bad file is never an error.
"""

import contextlib
import errno
import heapq
import os
import stat
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from openline.bearers.drop.limits import LARGEST_ENVELOPE, NAME, PART, Event, file_name

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""Never a link; and a pipe without a writer is opened at once, instead of never."""
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NOT_PLAIN = frozenset({errno.ENOENT, errno.ELOOP, errno.ENXIO})
"""What opening says of a file that is gone, a link or a socket."""
_CANNOT_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EROFS})
"""What file systems say that do not sync folders."""
_MEANINGS = {
    errno.ENOSPC: Event.FULL,
    errno.EDQUOT: Event.FULL,
    errno.EFBIG: Event.FULL,
    errno.EROFS: Event.READ_ONLY,
    errno.EACCES: Event.READ_ONLY,
    errno.EPERM: Event.READ_ONLY,
    errno.ENOENT: Event.GONE,
    errno.ENOTDIR: Event.GONE,
    errno.ELOOP: Event.GONE,
    errno.ENODEV: Event.GONE,
    errno.ENXIO: Event.GONE,
    errno.EIO: Event.GONE,
    errno.ESTALE: Event.GONE,
}


def meaning(error: OSError) -> Event:
    """What an error of the operating system means for people."""
    return _MEANINGS.get(error.errno or 0, Event.FAILED)


class Seen:
    """Files that were looked at and still lie there, by name and time; the oldest are forgotten first."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._files: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._files)

    def knows(self, name: str, stamp: int) -> bool:
        """Whether that file was looked at as it is now."""
        return self._files.get(name) == stamp

    def add(self, name: str, stamp: int) -> None:
        """Remember it."""
        self._files[name] = stamp
        self._files.move_to_end(name)
        if len(self._files) > self._bound:
            self._files.popitem(last=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One file with an envelope in it."""

    name: str
    stamp: int
    envelope: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What lies in a folder for somebody to fetch."""

    files: int = 0
    size: int = 0
    """Bytes."""


@contextlib.contextmanager
def opened(root: Path, name: str, *, make: bool) -> Iterator[int]:
    """A handle of the folder `name` in `root`, which must be there; with `make` the folder is made, `root` never.

    What is made has the permissions of `root`, so that both sides can read and delete.
    """
    base = os.open(root, _FOLDER)
    try:
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, dir_fd=base)
                handle = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=base)
                _adopt(handle, os.fstat(base).st_mode & 0o7777)
                os.close(handle)
                sync(base)
        handle = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=base)
    finally:
        os.close(base)
    try:
        yield handle
    finally:
        os.close(handle)


def put(handle: int, envelope: bytes) -> bool:
    """Write an envelope's file, unless it is there whole: then its time is renewed, so that a reader looks again.

    Returns whether it was written. The folder's own entry is durable after `sync`.
    """
    name = file_name(envelope)
    if _lies_there(handle, name, envelope):
        with contextlib.suppress(OSError):
            os.utime(name, ns=_now(), dir_fd=handle, follow_symlinks=False)
        return False
    part = f".{name.partition('.')[0]}.part"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(part, dir_fd=handle)
    file = os.open(part, _WRITE, 0o600, dir_fd=handle)
    try:
        try:
            _fill(file, envelope, os.fstat(handle).st_mode & 0o666)
        finally:
            os.close(file)
        os.rename(part, name, src_dir_fd=handle, dst_dir_fd=handle)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(part, dir_fd=handle)
        if error.errno in (errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST):
            return False  # somebody made a folder of that name
        raise
    return True


def _lies_there(handle: int, name: str, envelope: bytes) -> bool:
    """Whether it is there whole; what cannot be read is written anew."""
    try:
        return read(handle, name) == envelope
    except OSError:
        return False


def _fill(file: int, data: bytes, mode: int) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]
    _adopt(file, mode)
    # In the order of writing also where the clock of the file system ticks slowly; the reader keeps to it.
    os.utime(file, ns=_now())
    os.fsync(file)


def _adopt(handle: int, mode: int) -> None:
    with contextlib.suppress(OSError):  # a file system without permissions
        os.fchmod(handle, mode)


def _now() -> tuple[int, int]:
    now = time.time_ns()
    return now, now


def sync(handle: int) -> None:
    """Make a folder's entries durable, where the file system can."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise


def probe(handle: int) -> None:
    """Raise OSError unless an envelope of the largest size can be written now."""
    part = f".{'0' * 64}.part"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(part, dir_fd=handle)
    file = os.open(part, _WRITE, 0o600, dir_fd=handle)
    try:
        _fill(file, bytes(LARGEST_ENVELOPE), 0o600)
    finally:
        os.close(file)
        os.unlink(part, dir_fd=handle)


def tidy(handle: int, keep_s: float) -> Waiting:
    """Count what lies there of ours, and remove what a crash left half-written or nobody fetched for so long."""
    files = size = 0
    oldest = time.time_ns() - int(keep_s * 1e9)
    with os.scandir(handle) as entries:
        for entry in entries:
            half = PART.fullmatch(entry.name) is not None
            if not half and NAME.fullmatch(entry.name) is None:
                continue
            with contextlib.suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                if half or status.st_mtime_ns < oldest:
                    os.unlink(entry.name, dir_fd=handle)
                else:
                    files, size = files + 1, size + status.st_size
    return Waiting(files=files, size=size)


def read(handle: int, name: str) -> bytes | None:
    """The envelope in a file of that name; None unless it is a plain file of a right size whose hash is its name.

    Raises OSError if that cannot be told now: a medium that stutters, a share on which somebody else has the file.
    """
    try:
        file = os.open(name, _READ, dir_fd=handle)
    except OSError as error:
        if error.errno in _NOT_PLAIN:
            return None
        raise
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode) or not 1 <= status.st_size <= LARGEST_ENVELOPE:
            return None
        data = os.read(file, LARGEST_ENVELOPE + 1)
    finally:
        os.close(file)
    return data if file_name(data) == name else None


def take(
    handle: int, seen: Seen, counted: Callable[[Event], None], *, files: int, size: int
) -> tuple[list[Found], list[str]]:
    """Envelopes not seen before, the longest there first, at most so many; and names whose bytes are others.

    What cannot be read is neither: it stays, and is looked at again once its sender has renewed its time (spec 9.63).
    However many entries there are, only so many are kept in memory.
    """
    oldest = heapq.nsmallest(files, _fresh(handle, seen, counted))
    found: list[Found] = []
    broken: list[str] = []
    for stamp, name in oldest:
        try:
            envelope = read(handle, name)
        except OSError:
            counted(Event.BROKEN)
            seen.add(name, stamp)
            continue
        if envelope is None:
            counted(Event.BROKEN)
            seen.add(name, stamp)
            broken.append(name)
            continue
        found.append(Found(name=name, stamp=stamp, envelope=envelope))
        size -= len(envelope)
        if size <= 0:
            break
    return found, broken


def _fresh(handle: int, seen: Seen, counted: Callable[[Event], None]) -> Iterator[tuple[int, str]]:
    with os.scandir(handle) as entries:
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue  # gone meanwhile
            if seen.knows(entry.name, status.st_mtime_ns):
                continue
            if NAME.fullmatch(entry.name) is not None and stat.S_ISREG(status.st_mode):
                yield status.st_mtime_ns, entry.name
            elif PART.fullmatch(entry.name) is None:
                counted(Event.FOREIGN)
                seen.add(entry.name, status.st_mtime_ns)


def remove(handle: int, name: str) -> bool:
    """Delete a file; False if the medium does not let us."""
    try:
        os.unlink(name, dir_fd=handle)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def check_writable(handle: int) -> None:
    """Raise OSError if files cannot be made there now, as far as that shows without making one."""
    if os.fstatvfs(handle).f_flag & os.ST_RDONLY:
        raise OSError(errno.EROFS, "read-only")
    if not os.access(".", os.W_OK | os.X_OK, dir_fd=handle):
        raise OSError(errno.EACCES, "not writable")


def check_there(root: Path) -> None:
    """Raise OSError unless that folder is there."""
    os.close(os.open(root, _FOLDER))
