"""Alarms in the SQLite store: live ones and past ones, sealed. See ports.AlarmRows."""

from collections.abc import Sequence

from openline.kernel.errors import Unknown
from openline.ports import AlarmRow
from openline.stores import sealing
from openline.stores.sealing import Seal
from openline.stores.sqlite.file import Database

PAST = 10_000
"""Past alarms that are kept: thirty a day for a year."""


class SqliteAlarms:
    """The alarms of one station."""

    def __init__(self, database: Database, seal: Seal) -> None:
        self._database, self._seal = database, seal

    def add(self, content: bytes) -> int:
        """Keep a new, live alarm; its number. The oldest past ones beyond PAST go."""
        with self._database.transaction() as connection:
            connection.execute("INSERT INTO alarms (live, sealed) VALUES (1, x'')")
            number = connection.last_insert_rowid()
            sealed = self._seal.seal(_place(number, live=True), content)
            connection.execute("UPDATE alarms SET sealed = ? WHERE number = ?", (sealed, number))
            connection.execute("DELETE FROM alarms WHERE live = 0 AND number <= ?", (number - PAST,))
            return number

    def put(self, row: AlarmRow) -> None:
        """Replace an alarm. Raises Unknown."""
        sealed = self._seal.seal(_place(row.number, live=row.live), row.content)
        with self._database.transaction() as connection:
            changes = connection.total_changes()
            connection.execute(
                "UPDATE alarms SET live = ?, sealed = ? WHERE number = ?", (int(row.live), sealed, row.number)
            )
            if connection.total_changes() == changes:
                raise Unknown("no such alarm")

    def live(self) -> Sequence[AlarmRow]:
        """The live ones, the oldest first."""
        return self._rows("SELECT number, live, sealed FROM alarms WHERE live = 1 ORDER BY number", ())

    def past(self, before: int, count: int) -> Sequence[AlarmRow]:
        """At most `count` past ones with number < `before`, the latest first."""
        sql = "SELECT number, live, sealed FROM alarms WHERE live = 0 AND number < ? ORDER BY number DESC LIMIT ?"
        return self._rows(sql, (before, count))

    def _rows(self, sql: str, bindings: tuple[int, ...]) -> list[AlarmRow]:
        found = self._database.rows((int, int, bytes), sql, bindings)
        return [
            AlarmRow(number=number, live=bool(live), content=self._seal.open(_place(number, live=bool(live)), sealed))
            for number, live, sealed in found
        ]


def _place(number: int, *, live: bool) -> bytes:
    return b"alarm" + sealing.number(number) + bytes((live,))
