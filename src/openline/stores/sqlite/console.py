"""What the console keeps in the SQLite store: officers, sessions and links, sealed. See ports.ConsoleRows."""

from collections.abc import Sequence

from openline.stores.sealing import Seal
from openline.stores.sqlite.file import Database


class SqliteConsole:
    """The console's rows of one station."""

    def __init__(self, database: Database, seal: Seal) -> None:
        self._database, self._seal = database, seal

    def put(self, kind: str, name: bytes, content: bytes) -> None:
        """Keep a row; replaces what stood under (kind, name)."""
        blind = self._seal.blind(_place(kind, name))
        sealed = self._seal.seal(_place(kind, blind), content)
        with self._database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO console VALUES (?, ?, ?)", (kind, blind, sealed))

    def drop(self, kind: str, name: bytes) -> None:
        """Forget a row, if it is there."""
        blind = self._seal.blind(_place(kind, name))
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM console WHERE kind = ? AND name = ?", (kind, blind))

    def clear(self, kind: str) -> None:
        """Forget all rows of a kind."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM console WHERE kind = ?", (kind,))

    def all(self, kind: str) -> Sequence[bytes]:
        """The contents of all rows of a kind, in no order."""
        rows = self._database.rows((bytes, bytes), "SELECT name, sealed FROM console WHERE kind = ?", (kind,))
        return [self._seal.open(_place(kind, blind), sealed) for blind, sealed in rows]


def _place(kind: str, name: bytes) -> bytes:
    return b"console " + kind.encode() + b"\0" + name
