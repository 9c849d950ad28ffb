"""The database file: opened by one process, durable at each commit, copied before it is changed.

Errors of SQLite become the house's three, with constant messages: the disk's
are Unavailable (and the transaction never was), a second writer's is Conflict.

Threads take turns at the file (`turn`). Who reads while another has the turn,
perhaps in a commit that waits for its disk, reads beside it over a connection
of its own: what is durable, and nothing of the transaction under way. Such a
reading ends with its rows, so that no page is kept because of it.

A commit that fails is rolled back. If the power goes at that very moment it
may still be found committed afterwards: then the store is ahead of its mark,
which a restart treats as the crash that it was (spec 13).
"""

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw

from openline.kernel.crypto import digest
from openline.kernel.errors import Bug, Conflict, Foreign, Malformed, Refused, Unavailable, Unknown
from openline.stores.sealing import damaged
from openline.stores.sqlite.schema import APPLICATION, EPOCHS, Migration

Cell = int | bytes | str | None
Row = Any
"""A tuple of cells, of the types that were asked for."""
Shape = tuple[type, ...]

_NOWHERE = 0, 0
_MAGIC = b"SQLite format 3\x00"
_PRAGMAS = (
    "PRAGMA busy_timeout=5000",  # a copy that is being made may hold a lock for a moment
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA secure_delete=ON",  # an erased epoch is overwritten, not only unlinked
    "PRAGMA cell_size_check=ON",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA temp_store=MEMORY",  # nothing leaves the two files
    "PRAGMA cache_size=-2048",  # 2 MB: an append touches few pages, and a station is to stay below 70
    "PRAGMA wal_autocheckpoint=4000",  # 16 MB: a checkpoint costs one slow commit in about a thousand
)
_READING = (
    "PRAGMA busy_timeout=5000",
    "PRAGMA query_only=ON",
    "PRAGMA cell_size_check=ON",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-1024",  # 1 MB: any commit empties it
)
_NEW_FILE = (
    "PRAGMA busy_timeout=5000",
    "PRAGMA journal_mode=DELETE",
    "PRAGMA synchronous=FULL",
    "PRAGMA temp_store=MEMORY",
)


class Database:
    """A connection to our file, the lock on it, and a connection to read beside a commit; or, not `writing`, one to read."""

    __slots__ = ("_beside", "_files", "_lock", "_places", "_reading", "connection", "path", "turn")

    def __init__(self, path: Path, *, writing: bool = True) -> None:
        """Raises Unknown, Foreign, Malformed (cut short) or Unavailable (also: another process has it open)."""
        self.path = path
        if writing:
            check_header(path)
        elif not path.exists():
            raise Unknown("there is no store here")
        self._lock = take_lock(path) if writing else None
        self._files = path, path.with_name(path.name + "-wal")
        self._places: dict[Path, tuple[int, int]] = {}
        """Where the file and its log were seen first: device and inode."""
        self.turn = threading.RLock()
        """Held by the thread that uses `connection`, also over several steps that belong together."""
        self._reading = threading.Lock()
        self._beside: apsw.Connection | None = None
        try:
            self.connection = connect(path, _PRAGMAS if writing else _READING)
            if self.rows((int,), "PRAGMA application_id") != [(APPLICATION,)]:
                raise Foreign("this file is not a store of Openline")
            if writing:
                self._beside = connect(path, _READING)
                # The first query opens the log: now, while it is where the other connection's is.
                self._beside.execute("SELECT count(*) FROM about").fetchall()
        except (Refused, Unavailable, Bug):
            self._unlock()
            raise
        except apsw.Error as error:
            self._unlock()
            raise house_error(error) from None

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)

    def close(self) -> None:
        """Close the file and give up the lock."""
        try:
            with self.turn, self._reading:
                if self._beside is not None:
                    self._beside.close()  # first: the last to close brings the log into the file
                self.connection.close()
        except apsw.Error as error:
            raise house_error(error) from None
        finally:
            self._unlock()

    def rows(self, shape: Shape, sql: str, bindings: Sequence[Cell] = ()) -> list[Row]:
        """All rows of a query, each of that shape. Raises Unavailable for others: a flipped bit can change a type.

        Never waits for another thread's commit. Within a transaction of this thread, it sees what that wrote.
        """
        try:
            rows = self._fetched(sql, bindings)
        except apsw.Error as error:
            raise house_error(error) from None
        except UnicodeDecodeError:
            raise damaged() from None
        if any(tuple(map(type, row)) != shape for row in rows):
            raise damaged()
        return rows

    def _fetched(self, sql: str, bindings: Sequence[Cell]) -> list[Row]:
        if self.turn.acquire(blocking=self._beside is None):
            try:
                return self.connection.execute(sql, bindings).fetchall()
            finally:
                self.turn.release()
        assert self._beside is not None
        with self._reading:
            return self._beside.execute(sql, bindings).fetchall()

    def checkpoint(self, mode: str) -> None:
        """Bring the log into the file, by one of SQLite's modes."""
        with self.turn:
            self.rows((int, int, int), f"PRAGMA wal_checkpoint({mode})")

    @contextlib.contextmanager
    def transaction(self) -> Iterator[apsw.Connection]:
        """All of the block durable at its end, or nothing of it. Other threads' transactions wait for that."""
        with self.turn:
            yield from self._transaction()

    def _transaction(self) -> Iterator[apsw.Connection]:
        connection = self.connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            self._check_places()
            connection.execute("COMMIT")
        except apsw.Error as error:
            self._roll_back()
            raise house_error(error) from None
        except BaseException:
            self._roll_back()
            raise

    def _check_places(self) -> None:
        """Raise Unavailable if the file, or its log, is not where it was: what is written to a deleted file is not durable."""
        for path in self._files:
            try:
                found = path.stat()
                place = found.st_dev, found.st_ino
            except OSError:
                place = _NOWHERE
            if self._places.get(path, place) != place or (place == _NOWHERE and path == self.path):
                raise Unavailable("the store was moved or deleted while in use: stop the station, and put it back")
            if place != _NOWHERE:
                self._places[path] = place

    def _roll_back(self) -> None:
        # SQLite has already rolled back after most errors of the disk.
        if self.connection.in_transaction:
            with contextlib.suppress(apsw.Error):
                self.connection.execute("ROLLBACK")

    def migrate(self, migrations: Sequence[Migration]) -> None:
        """Bring the file to the last of the migrations, with a copy beside it first.

        Raises Refused if a newer program wrote it; Unavailable, and the file
        is as it was, if the copy or the migration cannot be written.
        """
        version = self.version()
        latest = migrations[-1].version
        if version > latest:
            raise Refused("a newer program wrote this store: use that one")
        if version == latest:
            return
        copy_without_epochs(self.path, self.path.with_name(f"{self.path.name}.before-{latest}"))
        for migration in migrations:
            if migration.version > version:
                run(self, migration)

    def version(self) -> int:
        """The number of the last migration."""
        ((version,),) = self.rows((int,), "PRAGMA user_version")
        return int(version)

    def check_schema(self) -> None:
        """Raise Unavailable unless tables and version are as they were written."""
        kept = self.rows((bytes,), "SELECT value FROM about WHERE name = 'schema'")
        if [row[0] for row in kept] != [schema_digest(self.connection)]:
            raise damaged()


def run(database: Database, migration: Migration) -> None:
    """One migration, in one transaction with its number."""
    with database.transaction() as connection:
        connection.execute(migration.sql).fetchall()
        connection.execute(f"PRAGMA user_version={migration.version:d}")
        _note_schema(connection)


def schema_digest(connection: apsw.Connection) -> bytes:
    """What the tables look like, and their version."""
    try:
        sql = "SELECT type, name, sql FROM main.sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%' ORDER BY 2"
        ((version,),) = connection.execute("PRAGMA main.user_version").fetchall()
        return digest(repr((version, connection.execute(sql).fetchall())).encode())
    except apsw.Error as error:
        raise house_error(error) from None
    except UnicodeDecodeError:
        raise damaged() from None


def _note_schema(connection: apsw.Connection) -> None:
    connection.execute("INSERT OR REPLACE INTO about VALUES ('schema', ?)", (schema_digest(connection),))


def house_error(error: apsw.Error) -> Refused | Unavailable | Bug:
    """What an error of SQLite is in this house."""
    match error:
        case apsw.ConstraintError():
            return Conflict("another writer was here first")
        case apsw.FullError():
            return Unavailable("the disk is full: nothing was written")
        case apsw.ReadOnlyError() | apsw.PermissionsError():
            return Unavailable("the store cannot be written: its disk or files are read-only")
        case apsw.IOError() | apsw.CantOpenError():
            return Unavailable("the disk of the store fails or refuses")
        case apsw.BusyError() | apsw.LockedError():
            return Unavailable("the store is busy")
        case apsw.CorruptError() | apsw.NotADBError():
            return damaged()
        case apsw.NoMemError():
            return Unavailable("out of memory")
        case _:
            return Bug("SQLite refused what the store asked of it")


def check_header(path: Path) -> None:
    """Look at the file before SQLite does, which would take an empty or a foreign one for its own.

    Never while this process has the store open: closing the file would drop
    the locks that SQLite holds on it for the whole process.

    Raises Unknown if there is none, Foreign if it is not a store of ours,
    Malformed if it is shorter than it says, Unavailable if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            header = file.read(100)
        size = path.stat().st_size
        wal = path.with_name(path.name + "-wal")
        pending = wal.stat().st_size if wal.exists() else 0
    except FileNotFoundError:
        raise Unknown("there is no store here") from None
    except OSError:
        raise Unavailable("the store cannot be read") from None
    if len(header) < 100 and _MAGIC.startswith(header[:16]):
        raise Malformed("the store is cut short: restore a backup")
    if header[:16] != _MAGIC or int.from_bytes(header[68:72], "big") != APPLICATION:
        raise Foreign("this file is not a store of Openline")
    page = int.from_bytes(header[16:18], "big")
    page = 65_536 if page == 1 else page
    # Pages that a checkpoint had not brought over yet stand in the write-ahead log.
    if size + pending < page * int.from_bytes(header[28:32], "big"):
        raise Malformed("the store is cut short: restore a backup")


def take_lock(path: Path) -> int:
    """An exclusive lock beside the file, gone with the process. Raises Unavailable if another process has it."""
    try:
        lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        raise Unavailable("the folder of the store cannot be written") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise Unavailable("another process has this store open") from None
    return lock


def locked(path: Path) -> bool:
    """Whether some process has the store open."""
    try:
        os.close(take_lock(path))
    except Unavailable:
        return path.with_name(path.name + ".lock").exists()
    return False


def connect(path: Path, pragmas: Sequence[str]) -> apsw.Connection:
    """Open an existing file. Raises Unavailable."""
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        for pragma in pragmas:
            connection.execute(pragma).fetchall()
        return connection
    except apsw.Error as error:
        raise house_error(error) from None


def new_file(path: Path, migrations: Sequence[Migration], rows: Sequence[tuple[str, bytes]]) -> None:
    """Make a store's file, whole or not at all, with `rows` in table `about`. Raises Conflict if there is one."""
    if path.exists():
        raise Conflict("there is a store here already")
    with _fresh(path) as connection:
        for migration in migrations:
            connection.execute(migration.sql).fetchall()
            connection.execute(f"PRAGMA user_version={migration.version:d}")
        _note_schema(connection)
        connection.executemany("INSERT INTO about VALUES (?, ?)", rows)


def copy_without_epochs(source: Path, target: Path) -> int:
    """A consistent copy of a store that may be in use: all its tables but the epochs. Returns its size in bytes.

    It is a new database, row by row, so that no freed page of the old one
    comes along. `target` appears whole or not at all. Raises Unavailable.
    """
    with _fresh(target, source) as connection:
        schema = "SELECT name, sql, type FROM source.sqlite_schema WHERE sql IS NOT NULL"
        listed: list[Row] = connection.execute(schema).fetchall()
        ((version,),) = connection.execute("PRAGMA source.user_version").fetchall()
        for name, sql, kind in listed:
            if kind != "table" or name.startswith("sqlite_"):
                continue
            connection.execute(sql)
            if name != EPOCHS:
                connection.execute(f'INSERT INTO main."{name}" SELECT * FROM source."{name}"')  # noqa: S608 - our names
        connection.execute("DELETE FROM main.sqlite_sequence")
        connection.execute("INSERT INTO main.sqlite_sequence SELECT * FROM source.sqlite_sequence")
        for _, sql, kind in listed:
            if kind == "index":
                connection.execute(sql)
        connection.execute(f"PRAGMA main.user_version={version:d}")
    return target.stat().st_size


@contextlib.contextmanager
def _fresh(path: Path, source: Path | None = None) -> Iterator[apsw.Connection]:
    """A new database of ours under a temporary name, in a transaction; named `path` once it is whole and durable."""
    part = path.with_name(path.name + ".part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        connection = apsw.Connection(str(part), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            for pragma in (*_NEW_FILE, f"PRAGMA application_id={APPLICATION:d}"):
                connection.execute(pragma).fetchall()
            if source is not None:
                connection.execute("ATTACH ? AS source", (str(source),))
            connection.execute("BEGIN")
            yield connection
            connection.execute("COMMIT")
        finally:
            connection.close()
        part.replace(path)
        sync_folder(path.parent)
    except apsw.Error as error:
        part.unlink(missing_ok=True)
        raise house_error(error) from None
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise Unavailable("a new store cannot be written here") from None


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
