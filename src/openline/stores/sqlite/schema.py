"""The tables of the SQLite store, as numbered migrations.

A migration is never edited once released; a new one is appended. What is in
the clear: ids of lines, numbers of parties and lanes, indexes, sizes, tree
hashes, states of drafts and the times of tests. All else is sealed (see
sealing.py), and what is in the clear is bound to it: a flipped bit is found
when the row is read, and nothing is signed or sent on the strength of it.

`entries.place` is the line's number * 2^40 + the order of arrival: rows are
appended at the end of each line's range, and reading a line in order of
arrival is one scan.
"""

from dataclasses import dataclass

APPLICATION = 0x4F504C31
"""SQLite's application_id of our files: "OPL1"."""

SEQ_BITS = 40
"""Arrivals of one line: 10^12, a thousand a second for 34 years; leaves 2^23 lines."""

EPOCHS = "epochs"
"""The one table that no copy takes along: a copied epoch would repeat keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """From the version before to `version`, in one transaction."""

    version: int
    sql: str


_FIRST = """
CREATE TABLE about (
    name TEXT PRIMARY KEY, value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE lines (
    number INTEGER PRIMARY KEY AUTOINCREMENT, line BLOB NOT NULL UNIQUE, sealed BLOB NOT NULL
) STRICT;
CREATE TABLE lanes (
    id INTEGER PRIMARY KEY, line INTEGER NOT NULL,
    number INTEGER NOT NULL, counter INTEGER NOT NULL, nonce BLOB NOT NULL, name BLOB NOT NULL,
    UNIQUE (line, number, counter, nonce)
) STRICT;
CREATE TABLE entries (
    place INTEGER PRIMARY KEY, lane INTEGER NOT NULL, idx INTEGER NOT NULL, nodes BLOB NOT NULL, sealed BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX entries_of_lane ON entries (lane, idx);
CREATE TABLE heads (
    lane INTEGER NOT NULL, size INTEGER NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (lane, size)
) STRICT, WITHOUT ROWID;
CREATE TABLE generations (
    line INTEGER NOT NULL, party INTEGER NOT NULL, counter INTEGER NOT NULL, nonce BLOB NOT NULL, sealed BLOB NOT NULL,
    PRIMARY KEY (line, party, counter, nonce)
) STRICT, WITHOUT ROWID;
CREATE TABLE peers (
    line INTEGER NOT NULL, party INTEGER NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (line, party)
) STRICT, WITHOUT ROWID;
CREATE TABLE epochs (
    line INTEGER NOT NULL, party INTEGER NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (line, party)
) STRICT, WITHOUT ROWID;
CREATE TABLE evidence (
    number INTEGER PRIMARY KEY, line INTEGER NOT NULL, party INTEGER NOT NULL,
    name BLOB NOT NULL, sealed BLOB NOT NULL, UNIQUE (line, name)
) STRICT;
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY, line INTEGER NOT NULL, attachment BLOB NOT NULL, number INTEGER NOT NULL,
    sealed BLOB NOT NULL, UNIQUE (line, attachment, number)
) STRICT;
CREATE TABLE snapshots (
    line INTEGER NOT NULL, version INTEGER NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (line, version)
) STRICT;
CREATE TABLE drafts (
    number INTEGER PRIMARY KEY AUTOINCREMENT, line BLOB NOT NULL, state TEXT NOT NULL, sealed BLOB NOT NULL
) STRICT;
CREATE INDEX drafts_in_state ON drafts (state, number);
CREATE TABLE audit (
    number INTEGER PRIMARY KEY, digest BLOB NOT NULL, sealed BLOB NOT NULL
) STRICT;
CREATE TABLE tests (
    line BLOB NOT NULL, party INTEGER NOT NULL, number INTEGER NOT NULL,
    sent INTEGER NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (line, party, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX tests_by_time ON tests (line, sent);
CREATE TABLE settings (
    name TEXT PRIMARY KEY, sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;
"""

_ALARMS = """
CREATE TABLE alarms (
    number INTEGER PRIMARY KEY AUTOINCREMENT, live INTEGER NOT NULL, sealed BLOB NOT NULL
) STRICT;
CREATE INDEX alarms_live ON alarms (live, number);
"""

_CONSOLE = """
CREATE TABLE console (
    kind TEXT NOT NULL, name BLOB NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
"""

_PAST_DRAFTS = """
CREATE TABLE past_drafts (
    number INTEGER PRIMARY KEY, line BLOB NOT NULL, state TEXT NOT NULL, sealed BLOB NOT NULL
) STRICT;
CREATE INDEX past_drafts_of_line ON past_drafts (line, state, number);
INSERT INTO past_drafts SELECT number, line, state, sealed FROM drafts WHERE state IN ('released', 'discarded');
DELETE FROM drafts WHERE state IN ('released', 'discarded');
"""

MIGRATIONS: tuple[Migration, ...] = (
    Migration(version=1, sql=_FIRST),
    Migration(version=2, sql=_ALARMS),
    Migration(version=3, sql=_CONSOLE),
    Migration(version=4, sql=_PAST_DRAFTS),
)

OF_A_LINE = ("lanes", "generations", "peers", EPOCHS, "evidence", "chunks", "snapshots")
"""Tables whose column `line` is the line's number; `entries` and `heads` hang on `lanes`."""
