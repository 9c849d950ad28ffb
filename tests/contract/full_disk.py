"""A disk that is full, then has room, then is read-only: `unshare -rm python full_disk.py FOLDER`, which must be empty.

Mounts a file system of its own in a mount namespace of its own. Ends with "passed" on its last line.
"""

import subprocess
import sys
from pathlib import Path

from openline.kernel.errors import Unavailable
from openline.station.marks import Marks
from openline.stores.sqlite import SqliteStore
from tests.contract.store_contract import LINE, RECORD, TRAFFIC, append

KEY = b"k" * 32


def fill(store: SqliteStore) -> int:
    """Commit until the disk is full; the size that was reported."""
    line = store.line(LINE)
    for size in range(line.size(TRAFFIC), 100_000):
        try:
            line.commit([append(TRAFFIC, size, f"{size} " * 300)])
        except Unavailable:
            return size
    raise AssertionError("the disk was never full")


def main(folder: Path) -> None:
    def mount(options: str) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)

    mount("size=1m")
    store = SqliteStore.create(folder / "store.db", KEY)
    store.add_line(RECORD)
    line = store.line(LINE)
    size = fill(store)
    assert size > 20
    assert line.size(TRAFFIC) == line.last_seq() == len(line.entries(TRAFFIC, 0, size + 1)) == size
    for _ in range(3):
        try:
            line.commit([append(TRAFFIC, size, "x" * 9_000)])
        except Unavailable:
            continue
        raise AssertionError("there was room")
    mount("remount,size=4m")
    line.commit([append(TRAFFIC, size, "there is room again")])
    size = fill(store)
    store.close()

    mount("remount,ro,size=8m")
    for attempt in (lambda: SqliteStore.open(folder / "store.db", KEY), lambda: Marks(folder / "marks")):
        try:
            attempt()
        except Unavailable:
            continue
        raise AssertionError("a read-only disk was written")
    mount("remount,rw,size=8m")
    store = SqliteStore.open(folder / "store.db", KEY)
    line = store.line(LINE)
    assert line.size(TRAFFIC) == len(line.since(0, size + 1)) == size
    line.commit([append(TRAFFIC, size, "writable again")])
    store.close()
    sys.stdout.write("passed\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
