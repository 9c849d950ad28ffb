"""Files of an export: written whole or not at all, read as if an enemy had laid them out.

A file is read only if it is a regular one, by a path without links, and no
larger than its bound. Nothing of a path or of content reaches a message.
"""

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from openline.kernel.errors import Conflict, Malformed, TooLarge, Unavailable, Unknown

CHUNK = 1 << 20
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def open_file(root: Path, name: str) -> BinaryIO:
    """A regular file of the export, for reading.

    The folders on the way are those of `listing`, which follows no link.
    Raises Unknown if it is not there, Malformed if it is no regular file,
    Unavailable if the machine will not let us.
    """
    try:
        handle = os.open(root / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise Unknown("the file is missing") from None
    except OSError as failure:
        if failure.errno == errno.ELOOP:
            raise Malformed("not a regular file") from None
        raise Unavailable("the file cannot be read") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise Malformed("not a regular file")
    return os.fdopen(handle, "rb")


def read_file(root: Path, name: str, most: int) -> bytes:
    """The whole of a file. Raises as `open_file`, and TooLarge beyond `most` bytes."""
    with open_file(root, name) as file:
        try:
            size = os.fstat(file.fileno()).st_size
            data = file.read(min(most, size) + 1)  # the bound alone would reserve room that nobody needs
        except OSError:
            raise Unavailable("the file cannot be read") from None
    if len(data) > most:
        raise TooLarge("the file is larger than it may be")
    return data


def listing(root: Path, most: int) -> Iterator[tuple[str, str]]:
    """Every name under a folder, without following links: (path, `file`, `folder` or `other`); at most `most`."""
    waiting, seen = [""], 0
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(root / folder) as found:
                for item in found:
                    seen += 1
                    if seen > most:
                        raise TooLarge("far more files than the manifest names")
                    name = f"{folder}/{item.name}" if folder else item.name
                    if item.is_dir(follow_symlinks=False):
                        waiting.append(name)
                        yield name, "folder"
                    else:
                        yield name, "file" if item.is_file(follow_symlinks=False) else "other"
        except OSError:
            raise Unavailable("the folder cannot be read") from None


class Stream:
    """One file being written piece by piece; its digest is known when it is closed."""

    def __init__(self, output: "Output", name: str) -> None:
        self._output, self._name, self._digest = output, name, sha256()
        self._file = output.create(name)

    def write(self, data: bytes) -> None:
        """Append bytes. Raises Unavailable."""
        with _writing():
            self._file.write(data)
        self._digest.update(data)

    def __enter__(self) -> "Stream":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _writing():
            self._file.close()
        self._output.digests[self._name] = self._digest.hexdigest()


class Output:
    """A folder being written; `digests` has the SHA-256 of every file in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.digests: dict[str, str] = {}

    def create(self, name: str) -> BinaryIO:
        """A new file, and the folders above it. Raises Unavailable."""
        path = self.root / name
        with _writing():
            try:
                return path.open("xb")
            except FileNotFoundError:
                path.parent.mkdir(parents=True, exist_ok=True)
                return path.open("xb")

    def put(self, name: str, data: bytes) -> None:
        """Write a file whole. Raises Unavailable."""
        with self.stream(name) as file:
            file.write(data)

    def stream(self, name: str) -> Stream:
        """Begin a file. Raises Unavailable."""
        return Stream(self, name)


@contextmanager
def new_folder(folder: Path) -> Iterator[Output]:
    """Write a folder that appears whole under its name when the block ends, and not at all if it fails.

    Raises Conflict if something stands there (an empty folder may), and
    Unavailable when the disk is full, read-only or failing.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise Conflict("something other than a folder stands there")
    with _writing():
        if folder.exists() and any(folder.iterdir()):
            raise Conflict("the folder is not empty")
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".partial", dir=folder.parent))
    try:
        yield Output(partial)
        with _writing():
            partial.chmod(0o755)
            _settle(partial)
            partial.replace(folder)
            _settle(folder.parent)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _settle(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as failure:
        if failure.errno in _FULL:
            raise Unavailable("the disk is full") from None
        raise Unavailable("the folder cannot be written") from None
