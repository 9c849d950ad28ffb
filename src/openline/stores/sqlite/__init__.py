"""The default store: one SQLite file for all lines of a station, through apsw.

schema       the tables, as numbered migrations
file         the database file: lock, errors, transactions, copies
line         one line: commit and read
store        all of it behind the Store port
"""

from openline.stores.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
