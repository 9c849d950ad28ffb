"""Files that hold secrets: private to their owner, replaced whole, durable by name.

A file is written beside its place, synchronised, renamed over it, and the
folder synchronised: after a power cut the old or the new one is there.
"""

import contextlib
import fcntl
import os
import stat
from pathlib import Path

from openline.kernel.errors import Forbidden, Malformed, TooLarge, Unavailable, Unknown

PART = ".part"
"""Ending of a file that is being written; one that lies about is left over from a crash."""


PASSAGE = stat.S_IXGRP
"""A group may pass through the station's folder and `run/` to the API's socket, and list nothing."""


MAX_PATH = 400
"""Bytes of the absolute path of a station's folder or of a backup: SQLite takes 512, and what lies inside has a name too."""


def check_path(path: Path) -> Path:
    """A place for a station or a backup, which every part of the program can name. Raises Malformed."""
    named = os.fsencode(path.absolute())
    if len(named) > MAX_PATH:
        raise Malformed("the path of this folder or file is too long: choose a shorter one")
    try:
        whole = named.decode()
    except UnicodeDecodeError:
        raise Malformed("the path of this folder or file is not UTF-8: choose another name") from None
    if not whole.isprintable():
        raise Malformed("the path of this folder or file has a character that cannot be shown: choose another name")
    return path


def private_folder(folder: Path, *, passage: bool = False) -> None:
    """Make a folder (and those above it) unless it is there; 0700. Raises Unavailable, or Forbidden if others may enter.

    With `passage` a group may pass through it.
    """
    try:
        for above in [*reversed(folder.parents), folder]:
            above.mkdir(mode=0o700, exist_ok=True)
        mode = folder.stat().st_mode
    except OSError:
        raise Unavailable("a folder cannot be made") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO) & ~(PASSAGE if passage else 0):
        raise Forbidden("a folder of secrets is open to others: chmod 700")


def write_private(path: Path, data: bytes) -> None:
    """Replace a file by `data`, 0600, whole or not at all. Raises Unavailable."""
    part = path.with_name(path.name + PART)
    try:
        part.unlink(missing_ok=True)
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        sync_folder(path.parent)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise Unavailable("a file cannot be written here") from None


def read_private(path: Path, most: int) -> bytes:
    """A secret file of at most `most` bytes.

    Raises Unknown if there is none, Forbidden if group or others may read or
    write it, TooLarge, or Unavailable.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(most + 1)
    except FileNotFoundError:
        raise Unknown("a key file is missing") from None
    except OSError:
        raise Unavailable("a key file cannot be read") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Forbidden("a key file is open to others: chmod 600")
    if len(data) > most:
        raise TooLarge("a key file is larger than any that this program writes")
    return data


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def locked(path: Path) -> int:
    """One station process in a home. Raises Unavailable."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        raise Unavailable("the station's run folder cannot be written") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise Unavailable("this station runs already") from None
    return handle
