"""A station's store in one SQLite file.

    store = SqliteStore.open(folder / "store.db", key)
    store.line(line_id).commit(writes)      # durable when it returns

Durable means: in the write-ahead log, synchronised (synchronous=FULL). One
process at a time; a copy that is being made by another does not disturb.
For any thread: writes wait for each other, readings wait for none of them.

Spec: spec/07-delivery.md, spec/13-restart.md; the port is ports.Store.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import apsw

from openline.kernel.errors import Bug, Conflict, Forbidden, Refused, Unavailable, Unknown
from openline.kernel.units import MAX_PARTIES
from openline.ports import PAST_DRAFTS, AuditRow, Draft, LineTest
from openline.protocol.records import LineRecord
from openline.stores import sealing
from openline.stores.sealing import KEY, Seal
from openline.stores.sqlite.alarms import SqliteAlarms
from openline.stores.sqlite.console import SqliteConsole
from openline.stores.sqlite.file import Cell, Database, new_file
from openline.stores.sqlite.line import SqliteLine
from openline.stores.sqlite.schema import MIGRATIONS, OF_A_LINE, Migration

_CHECK = b"openline store"
_DRAFT = "SELECT number, line, state, sealed FROM drafts "
_PAST_DRAFT = "SELECT number, line, state, sealed FROM past_drafts "
_DISCARDED = "discarded"
DISCARDED_KEPT = 1_000
"""Discarded drafts of a line go when so many newer ones were begun: nobody looks for them after weeks."""
_AUDIT_END = "audit-end"
_HANGS_ON_LANES = ("entries", "heads")


class SqliteStore:
    """A ports.Store in one file. Make it with `create`, later `open`."""

    def __init__(self, database: Database, key: bytes) -> None:
        self._database = database
        self._seal = Seal(key)
        self._lines: dict[bytes, SqliteLine] = {}
        self.alarms = SqliteAlarms(database, self._seal)
        self.console = SqliteConsole(database, self._seal)

    @classmethod
    def create(cls, path: Path, key: bytes, migrations: Sequence[Migration] = MIGRATIONS) -> "SqliteStore":
        """A new, empty store. Raises Conflict if there is one, Unavailable if it cannot be written."""
        check = Seal(key).seal(b"about", _CHECK)
        new_file(path, migrations, [("check", check)])
        return cls.open(path, key, migrations)

    @classmethod
    def open(cls, path: Path, key: bytes, migrations: Sequence[Migration] = MIGRATIONS) -> "SqliteStore":
        """The store at `path`, of an older program too: then it is copied and migrated first.

        Raises Unknown (none here), Foreign (not ours), Malformed (cut short),
        Forbidden (another key), Refused (of a newer program), Unavailable
        (another process has it; the disk). Nothing has changed then.
        """
        return cls._checked(Database(path), key, migrations)

    @classmethod
    def inspect(cls, path: Path, key: bytes) -> "SqliteStore":
        """The store to be read only, also while another process has it open.

        Raises as `open`; and Refused for a store that waits to be migrated.
        """
        store = cls._checked(Database(path, writing=False), key, ())
        if store._database.version() != MIGRATIONS[-1].version:  # noqa: SLF001 - of this class
            store.close()
            raise Refused("the store is of another version of this program")
        return store

    @classmethod
    def _checked(cls, database: Database, key: bytes, migrations: Sequence[Migration]) -> "SqliteStore":
        try:
            found = database.rows((bytes,), "SELECT value FROM about WHERE name = 'check'")
            if len(found) != 1 or not Seal(key).opens(b"about", found[0][0]):
                raise Forbidden("this key does not open this store")
            database.check_schema()
            if migrations:
                database.migrate(migrations)
            return cls(database, key)
        except (Refused, Unavailable, Bug):
            database.close()
            raise

    def sound(self) -> bool:
        """Whether SQLite finds its own structures whole (integrity_check: reads all of the file)."""
        return self._database.rows((str,), "PRAGMA integrity_check(1)") == [("ok",)]

    def close(self) -> None:
        """Release the file; it is whole at every moment, so this may also be left out."""
        self._database.close()

    def tidy(self) -> None:
        """Bring the write-ahead log into the file: for idle moments, so that no commit has to."""
        self._database.checkpoint("PASSIVE")

    # --- lines ---------------------------------------------------------------------------------------------

    def lines(self) -> Sequence[LineRecord]:
        """Every line, the oldest first."""
        rows = self._database.rows((int, bytes, bytes), "SELECT number, line, sealed FROM lines ORDER BY number")
        return [self._opened(*row)[1] for row in rows]

    def _opened(self, number: int, line: bytes, sealed: bytes) -> tuple[bytes, LineRecord]:
        return sealing.as_line(line, self._seal.open(_line_place(number, line), sealed))

    def _line_row(self, line: bytes) -> tuple[int, bytes, LineRecord]:
        rows = self._database.rows((int, bytes), "SELECT number, sealed FROM lines WHERE line = ?", (line,))
        if not rows:
            raise Unknown("no such line is kept here")
        number, sealed = rows[0]
        return number, *self._opened(number, line, sealed)

    def add_line(self, record: LineRecord) -> None:
        """Keep a new line, with a new key for its rows. Raises Conflict if it is there."""
        row = sealing.line_row(os.urandom(KEY), record)
        with self._database.transaction() as connection:
            connection.execute("INSERT INTO lines (line, sealed) VALUES (?, x'')", (record.line,))
            number = connection.last_insert_rowid()
            sealed = self._seal.seal(_line_place(number, record.line), row)
            connection.execute("UPDATE lines SET sealed = ? WHERE number = ?", (sealed, number))

    def replace_line(self, record: LineRecord) -> None:
        """Put newer cards or another label. Raises Unknown, or Conflict if party or terms are not the same."""
        with self._database.transaction() as connection:
            number, key, kept = self._line_row(record.line)
            if (record.party, record.terms) != (kept.party, kept.terms):
                raise Conflict("party and terms of a line never change")
            sealed = self._seal.seal(_line_place(number, record.line), sealing.line_row(key, record))
            connection.execute("UPDATE lines SET sealed = ? WHERE number = ?", (sealed, number))

    def renew(self, key: bytes) -> None:
        """Seal by a new key from now on, which stands before those of before in `key`; each line gets a new one too.

        For a store that nothing else uses.
        """
        seal = Seal(key)
        with self._database.transaction() as connection:
            connection.execute("UPDATE about SET value = ? WHERE name = 'check'", (seal.seal(b"about", _CHECK),))
            rows = self._database.rows((int, bytes, bytes), "SELECT number, line, sealed FROM lines")
            for number, line, sealed in rows:
                old, record = self._opened(number, line, sealed)
                row = sealing.line_row(os.urandom(KEY) + old, record)
                connection.execute(
                    "UPDATE lines SET sealed = ? WHERE number = ?", (seal.seal(_line_place(number, line), row), number)
                )
        self._seal = seal
        self._lines.clear()

    def line(self, line: bytes) -> SqliteLine:
        """One line's store, the same object each time. Raises Unknown."""
        if line not in self._lines:
            number, key, _ = self._line_row(line)
            self._lines.setdefault(line, SqliteLine(self._database, number, line, key))
        return self._lines[line]

    def destroy_line(self, line: bytes) -> None:
        """Destroy a line's key and all its rows, also in the write-ahead log. Raises Unknown.

        What a disk keeps of overwritten blocks is beyond any program; the
        line's key was overwritten with the rest.
        """
        with self._database.transaction() as connection:
            number, _, _ = self._line_row(line)
            for table in _HANGS_ON_LANES:
                connection.execute(
                    f"DELETE FROM {table} WHERE lane IN (SELECT id FROM lanes WHERE line = ?)",  # noqa: S608 - constants
                    (number,),
                )
            for table in OF_A_LINE:
                connection.execute(f"DELETE FROM {table} WHERE line = ?", (number,))  # noqa: S608 - constants
            for table in ("drafts", "past_drafts", "tests", "lines"):
                connection.execute(f"DELETE FROM {table} WHERE line = ?", (line,))  # noqa: S608 - constants
        self._lines.pop(line, None)
        self._database.checkpoint("TRUNCATE")

    # --- drafts --------------------------------------------------------------------------------------------

    def add_draft(self, line: bytes, state: str, content: bytes) -> int:
        """Keep a draft; its number."""
        with self._database.transaction() as connection:
            connection.execute("INSERT INTO drafts (line, state, sealed) VALUES (?, ?, x'')", (line, state))
            number = connection.last_insert_rowid()
            self._put_draft(connection, Draft(number=number, line=line, state=state, content=content))
            return number

    def move_draft(self, number: int, expected: str, state: str) -> None:
        """Change a draft's state from `expected`, else Conflict. Raises Unknown."""
        with self._database.transaction() as connection:
            draft = self.draft(number)
            if draft.state != expected:
                raise Conflict("the draft is in another state")
            self._put_draft(connection, replace(draft, state=state))

    def rewrite_draft(self, before: Draft, state: str, content: bytes) -> None:
        """Replace a draft that is still exactly `before`, else Conflict. Raises Unknown."""
        with self._database.transaction() as connection:
            if self.draft(before.number) != before:
                raise Conflict("the draft is in another state, or somebody has changed it")
            self._put_draft(connection, replace(before, state=state, content=content))

    def _put_draft(self, connection: apsw.Connection, draft: Draft) -> None:
        number, line, state = draft.number, draft.line, draft.state
        sealed = self._seal.seal(_draft_place(number, line, state), draft.content)
        table = "past_drafts" if state in PAST_DRAFTS else "drafts"
        for each in ("drafts", "past_drafts"):
            connection.execute(f"DELETE FROM {each} WHERE number = ?", (number,))  # noqa: S608 - constants
        connection.execute(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", (number, line, state, sealed))  # noqa: S608
        if state == _DISCARDED:
            old = "DELETE FROM past_drafts WHERE line = ? AND state = ? AND number <= ?"
            connection.execute(old, (line, state, number - DISCARDED_KEPT))

    def draft(self, number: int) -> Draft:
        """One draft. Raises Unknown."""
        # One query: between two, another thread may move it from the one table to the other.
        found = self._drafts(f"{_DRAFT} WHERE number = ?1 UNION ALL {_PAST_DRAFT} WHERE number = ?1", (number,))
        if not found:
            raise Unknown("no such draft")
        return found[0]

    def drafts(self, state: str) -> Sequence[Draft]:
        """All drafts in a state that is none of PAST_DRAFTS, the oldest first."""
        assert state not in PAST_DRAFTS, "they are asked for a page at a time"
        found, count = self._counted(state)
        if count != len(found):
            with self._database.turn:  # another thread may have moved one meanwhile
                found, count = self._counted(state)
        if count != len(found):
            raise sealing.damaged()  # index and table differ: no draft may go unseen
        return found

    def _counted(self, state: str) -> tuple[list[Draft], int]:
        found = self._drafts(_DRAFT + "WHERE state = ? ORDER BY number", (state,))
        ((count,),) = self._database.rows((int,), "SELECT count(*) FROM drafts NOT INDEXED WHERE state = ?", (state,))
        return found, count

    def past_drafts(self, line: bytes, state: str, before: int, count: int) -> Sequence[Draft]:
        """At most `count` drafts of a line in one of PAST_DRAFTS, with number < `before`, the latest first."""
        sql = _PAST_DRAFT + "WHERE line = ? AND state = ? AND number < ? ORDER BY number DESC LIMIT ?"
        return self._drafts(sql, (line, state, before, count))

    def _drafts(self, sql: str, bindings: Sequence[Cell]) -> list[Draft]:
        rows = self._database.rows((int, bytes, str, bytes), sql, bindings)
        done = []
        for number, line, state, sealed in rows:
            content = self._seal.open(_draft_place(number, line, state), sealed)
            done.append(Draft(number=number, line=line, state=state, content=content))
        return done

    # --- audit log -----------------------------------------------------------------------------------------

    def append_audit(self, content: bytes) -> AuditRow:
        """Append an act to the audit log, durably. Where the last acts are missing, a number is left out for good."""
        with self._database.transaction() as connection:
            rows = self._database.rows((int, bytes), "SELECT number, digest FROM audit ORDER BY number DESC LIMIT 1")
            last, before = rows[0] if rows else (0, bytes(32))
            end = self.audit_end()
            if (last, before) != end:
                last = max(last, end[0]) + 1
            row = AuditRow(number=last + 1, content=content, digest=sealing.audit_digest(before, last + 1, content))
            sealed = self._seal.seal(b"audit" + row.number.to_bytes(8, "big") + row.digest, content)
            connection.execute("INSERT INTO audit VALUES (?, ?, ?)", (row.number, row.digest, sealed))
            end_now = self._seal.seal(_setting_place(_AUDIT_END), row.number.to_bytes(8, "big") + row.digest)
            connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (_AUDIT_END, end_now))
        return row

    def audit_end(self) -> tuple[int, bytes]:
        """Number and digest of the act that was appended last, whatever stands in the log; 0 and 32 zero bytes before any.

        Sealed beside the log: who has the file and not the key can cut acts off, and cannot write this anew.
        """
        kept = self.setting(_AUDIT_END)
        return (int.from_bytes(kept[:8], "big"), kept[8:]) if kept is not None else (0, bytes(32))

    def last_audit(self) -> int:
        """The number of the latest act; 0 if there is none."""
        ((last,),) = self._database.rows((int,), "SELECT coalesce(max(number), 0) FROM audit")
        return int(last)

    def audit(self, after: int, count: int) -> Sequence[AuditRow]:
        """At most `count` acts with number > `after`, in order."""
        sql = "SELECT number, digest, sealed FROM audit WHERE number > ? ORDER BY number LIMIT ?"
        rows = self._database.rows((int, bytes, bytes), sql, (after, count))
        return [
            AuditRow(
                number=number,
                content=self._seal.open(b"audit" + number.to_bytes(8, "big") + digested, sealed),
                digest=digested,
            )
            for number, digested, sealed in rows
        ]

    # --- tests and settings --------------------------------------------------------------------------------

    def put_test(self, result: LineTest) -> None:
        """Keep a test's result; replaces what stood under (line, party, number)."""
        place = _test_place(result.line, result.party, result.number, result.sent)
        sealed = self._seal.seal(place, sealing.test_row(result))
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO tests VALUES (?, ?, ?, ?, ?)",
                (result.line, result.party, result.number, result.sent, sealed),
            )

    def tests(self, line: bytes, count: int) -> Sequence[LineTest]:
        """The latest tests of a line by their numbers, the latest first."""
        sql = "SELECT party, number, sent, sealed FROM tests WHERE line = ? AND party = ? ORDER BY number DESC LIMIT ?"
        shape = (int, int, int, bytes)
        rows = [row for party in range(MAX_PARTIES) for row in self._database.rows(shape, sql, (line, party, count))]
        rows.sort(key=lambda row: (-row[1], -row[2], row[0]))
        return [
            sealing.as_test(line, party, number, sent, self._seal.open(_test_place(line, party, number, sent), sealed))
            for party, number, sent, sealed in rows[:count]
        ]

    def put_setting(self, name: str, value: bytes) -> None:
        """Keep a setting; replaces what stood there."""
        sealed = self._seal.seal(_setting_place(name), value)
        with self._database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, sealed))

    def setting(self, name: str) -> bytes | None:
        """One setting."""
        # All are opened, which are few: one whose name was damaged must not pass for absent.
        rows = self._database.rows((str, bytes), "SELECT name, sealed FROM settings")
        return {found: self._seal.open(_setting_place(found), sealed) for found, sealed in rows}.get(name)


def _setting_place(name: str) -> bytes:
    return b"setting" + name.encode()


def _line_place(number: int, line: bytes) -> bytes:
    return b"line" + sealing.number(number) + line


def _draft_place(number: int, line: bytes, state: str) -> bytes:
    return b"draft" + sealing.number(number) + line + state.encode()


def _test_place(line: bytes, party: int, number: int, sent: int) -> bytes:
    return b"test" + line + sealing.number(party) + sealing.number(number) + sealing.number(sent)
