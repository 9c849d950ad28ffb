"""Backups: one encrypted file with all that a station needs to go on, but for what must not be copied.

In it: the store (all lines, drafts, audit log, settings), the station's and
lane's keys, the pairing keys, and small files that the caller names (its
configuration). The pairing keys are in it because a restored station has lost
its epochs, and a line comes back without them only by pairing in person.
Whoever opens a backup can therefore speak as this station: it is sealed by a
passphrase or key file of its own.

Not in it: epochs (their keys would be used twice), the high-water marks (a
restored mark could not tell of the restore, spec 13) and the root key (it has
its own copy, offline).

    "openline/1 backup" LF | length u32 | file key, sealed (see unlock.py) | chunk ...

A chunk is 64 KiB of content under AES-256-GCM-SIV with a key of its own, made
from the file key, the chunk's number and whether it is the last: so a chunk
that is missing, moved, added or cut off is found. Content: items (length of
the name u16, name, length u64, bytes), one after the other.
"""

import contextlib
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from openline.kernel.crypto import SIV_TAG, derive, digest, open_key, seal_key
from openline.kernel.errors import Conflict, Foreign, Forged, Malformed, Refused, Unavailable, Unknown
from openline.kernel.lane import GENERATION_ZERO, Lane
from openline.kernel.units import Entropy
from openline.protocol.records import LineRecord, Mark
from openline.station.console import CALENDARS, PASSING
from openline.station.files import PART, check_path, private_folder, sync_folder
from openline.station.keystore import Keystore
from openline.station.marks import Marks
from openline.station.places import Places
from openline.station.unlock import Unlock, open_secret, seal_secret
from openline.stores.sqlite import SqliteStore
from openline.stores.sqlite.file import copy_without_epochs

_MAGIC = b"openline/1 backup\n"
_CHUNK = 65_536
_PURPOSE = b"backup"
_STORE = "store.db"
_KEYS, _FILES = "keys/", "files/"
_NAMES = re.compile(r"store\.db|keys/(?:psk/)?[a-z0-9][a-z0-9.]*|files/[a-z0-9][a-z0-9._-]*", re.ASCII)
"""What may stand in a backup: whoever seals one chooses no other place on the machine where it is put back."""
_MARKS_S = 2.0
"""A running station writes the mark a fraction of a millisecond after its commit; a bad disk may take a second."""
_MARKS_AGAIN_S = 0.02
_MOST_SMALL = 1 << 20
"""Bytes of one small item: keys and configuration; only the store may be larger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupReport:
    """What was written or read."""

    size: int
    """Of the backup's file, in bytes."""
    store_bytes: int
    lines: int
    files: Mapping[str, bytes] = field(repr=False)
    """The caller's small files."""


def write_backup(
    target: Path,
    places: Places,
    unlock: Unlock,
    seal: Unlock,
    entropy: Entropy,
    *,
    files: Mapping[str, bytes],
    marks_s: float = _MARKS_S,
) -> BackupReport:
    """Back up a station, running or not. `unlock` opens the station, `seal` will open the backup.

    A commit whose mark is still being written is waited for so many seconds.

    `target` appears whole or not at all. Raises Conflict if it is there or the
    last commit has no mark, what opening keys raises, or Unavailable.
    """
    if check_path(target).exists():
        raise Conflict("there is a file of that name already")
    keys = Keystore.open(places.keys, unlock, entropy)
    secrets = keys.secrets(unlock)
    with contextlib.closing(SqliteStore.inspect(places.store, keys.data_key)) as store:
        lines = len(store.lines())
    copy, part = target.with_name(target.name + ".store" + PART), target.with_name(target.name + PART)
    try:
        store_bytes = copy_without_epochs(places.store, copy)
        _wait_for_marks(copy, places, keys.data_key, marks_s)
        small = {_KEYS + name: data for name, data in secrets.items()}
        small.update({_FILES + name: data for name, data in files.items()})
        with _new_file(part) as out, copy.open("rb") as database:
            file_key = entropy(32)
            sealed_key = seal_secret(seal, file_key, _PURPOSE, entropy)
            header = _MAGIC + len(sealed_key).to_bytes(4, "big") + sealed_key
            out.write(header)
            _seal_stream(out, _content(small, database, store_bytes), file_key, digest(header))
            out.flush()
            os.fsync(out.fileno())
        part.replace(target)
        sync_folder(target.parent)
        return BackupReport(size=target.stat().st_size, store_bytes=store_bytes, lines=lines, files=files)
    except OSError:
        raise Unavailable("the backup cannot be written") from None
    finally:
        for left in (copy, part):
            with contextlib.suppress(OSError):
                left.unlink(missing_ok=True)


def _wait_for_marks(copy: Path, places: Places, data_key: bytes, marks_s: float) -> None:
    """Return when no lane in the copy is longer than its mark.

    A leaf without its mark may never be signed. Put back after an older copy
    that went on from that mark, it would be signed beside another of its
    index: a fork (docs/models.md). A running station writes the mark at once;
    one that fell there writes it when it starts. Raises Conflict.
    """
    if not places.marks.exists():
        return
    with contextlib.closing(SqliteStore.inspect(copy, data_key)) as store:
        sizes = [(record.line, _own_sizes(store, record)) for record in store.lines()]
    deadline = time.monotonic() + marks_s
    while True:
        with contextlib.closing(Marks(places.marks)) as marks:
            found = [(marks.read(line), own) for line, own in sizes]
        if all(mark is None or not _ahead(own, mark) for mark, own in found):
            return
        if time.monotonic() > deadline:
            raise Conflict("the last commit is unfinished: start the station once, then back it up")
        time.sleep(_MARKS_AGAIN_S)


def _own_sizes(store: SqliteStore, record: LineRecord) -> Mark:
    """The mark that would fit the store."""
    line = store.line(record.line)
    own = [known.generation for known in line.generations() if known.party == record.party]
    newest = max(own, default=GENERATION_ZERO)
    urgent, traffic = (line.size(Lane(record.line, 2 * record.party + number, newest)) for number in (0, 1))
    return Mark(generation=newest, urgent=urgent, traffic=traffic)


def _ahead(own: Mark, mark: Mark) -> bool:
    if own.generation != mark.generation:
        return own.generation > mark.generation
    return own.urgent > mark.urgent or own.traffic > mark.traffic


def restore_backup(source: Path, places: Places, seal: Unlock, unlock: Unlock, entropy: Entropy) -> BackupReport:
    """Put a backup into a new folder, its keys sealed by `unlock`; the next start opens successor generations (spec 13).

    Nothing stands in its place before the whole file was checked. Raises
    Unknown (no such file), Conflict (there is a station here), Forbidden
    (wrong passphrase), Foreign (not a backup), Malformed (cut short), Forged
    (damaged) or Unavailable.
    """
    if places.keys.exists() or places.store.exists():
        raise Conflict("there is a station here already: restore into a new folder")
    private_folder(check_path(places.folder))
    private_folder(places.store.parent)
    part = places.store.with_name(places.store.name + PART)
    try:
        with _existing(source) as file, _new_file(part) as out:
            small = _read_items(_open_stream(file, seal), out)
            out.flush()
            os.fsync(out.fileno())
        keys = {name.removeprefix(_KEYS): data for name, data in small.items() if name.startswith(_KEYS)}
        keystore = Keystore.put_back(places.keys, unlock, entropy, keys)
        part.replace(places.store)
        sync_folder(places.store.parent)
        with contextlib.closing(SqliteStore.open(places.store, keystore.data_key)) as store:
            lines = len(store.lines())
            for kind in PASSING:  # what was ended or used since the backup was made must not be good again
                store.console.clear(kind)
            store.put_setting(CALENDARS, b"[]")
        files = {name.removeprefix(_FILES): data for name, data in small.items() if name.startswith(_FILES)}
        sizes = source.stat().st_size, places.store.stat().st_size
        return BackupReport(size=sizes[0], store_bytes=sizes[1], lines=lines, files=files)
    except OSError:
        raise Unavailable(
            "the backup cannot be put back here: make room or look at the disk, and begin again"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def check_backup(source: Path, seal: Unlock) -> int:
    """Read a backup to its end without putting it anywhere; its size in bytes. Raises as `restore_backup`."""
    try:
        with _existing(source) as file:
            return sum(len(chunk) for chunk in _open_stream(file, seal))
    except OSError:
        raise Unavailable("the backup cannot be read") from None


def _new_file(path: Path) -> BinaryIO:
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


def _existing(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise Unknown("there is no such backup") from None


def _content(small: Mapping[str, bytes], database: BinaryIO, size: int) -> Iterator[bytes]:
    for name, data in small.items():
        yield _head(name, len(data)) + data
    yield _head(_STORE, size)
    while data := database.read(_CHUNK):
        yield data


def _head(name: str, size: int) -> bytes:
    encoded = name.encode()
    return len(encoded).to_bytes(2, "big") + encoded + size.to_bytes(8, "big")


def _chunk_key(file_key: bytes, number: int, *, last: bool) -> bytes:
    return derive(file_key, b"openline/1 backup chunk", number.to_bytes(8, "big") + bytes((last,)))


def _seal_stream(out: BinaryIO, content: Iterator[bytes], file_key: bytes, header: bytes) -> None:
    waiting, number = b"", 0
    for data in content:
        waiting += data
        while len(waiting) > _CHUNK:  # never all of it: the last chunk is only known at the end
            out.write(seal_key(_chunk_key(file_key, number, last=False), waiting[:_CHUNK], header))
            waiting, number = waiting[_CHUNK:], number + 1
    out.write(seal_key(_chunk_key(file_key, number, last=True), waiting, header))


def _open_stream(file: BinaryIO, seal: Unlock) -> Iterator[bytes]:
    start = file.read(len(_MAGIC) + 4)
    if start[: len(_MAGIC)] != _MAGIC:
        raise Foreign("this file is not a backup of Openline")
    size = int.from_bytes(start[len(_MAGIC) :], "big")
    if size > 4_096:
        raise Malformed("not a backup of this version")
    sealed_key = file.read(size)
    file_key, header = open_secret(seal, sealed_key, _PURPOSE), digest(start + sealed_key)
    number, chunk = 0, file.read(_CHUNK + SIV_TAG)
    while chunk:
        following = file.read(_CHUNK + SIV_TAG)
        try:
            yield open_key(_chunk_key(file_key, number, last=not following), chunk, header)
        except Forged:
            if not following:
                raise Malformed("the backup is cut short or damaged") from None
            raise Forged("the backup is damaged") from None
        number, chunk = number + 1, following
    if not number:
        raise Malformed("the backup is cut short or damaged")


class _Stream:
    """Exact reads over chunks."""

    __slots__ = ("_chunks", "_waiting")

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._waiting = chunks, b""

    def some(self, most: int) -> bytes:
        """At least one byte, at most `most`; empty at the end."""
        if not self._waiting:
            self._waiting = next(self._chunks, b"")
        taken, self._waiting = self._waiting[:most], self._waiting[most:]
        return taken

    def exactly(self, size: int) -> bytes:
        """So many bytes. Raises Malformed if there are fewer."""
        parts = []
        while size:
            part = self.some(size)
            if not part:
                raise Malformed("the backup ends in the middle")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def _read_items(chunks: Iterator[bytes], store: BinaryIO) -> dict[str, bytes]:
    """All small items; the store's bytes go to `store`. Every chunk has been checked when this returns."""
    stream, small = _Stream(chunks), dict[str, bytes]()
    found_store = False
    while first := stream.some(2):
        name_size = int.from_bytes((first + stream.exactly(2 - len(first))), "big")
        try:
            name = stream.exactly(name_size).decode()
        except UnicodeDecodeError:
            raise Malformed("not a backup of this version") from None
        size = int.from_bytes(stream.exactly(8), "big")
        if not _NAMES.fullmatch(name):
            raise Malformed("a backup with a name that leads elsewhere")
        if name == _STORE:
            found_store = True
            while size:
                part = stream.some(min(size, _CHUNK))
                if not part:
                    raise Malformed("the backup ends in the middle")
                store.write(part)
                size -= len(part)
        elif size > _MOST_SMALL:
            raise Malformed("not a backup of this version")
        else:
            small[name] = stream.exactly(size)
    if not found_store:
        raise Refused("the backup has no store in it")
    return small
