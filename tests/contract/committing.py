"""A process that commits until it is killed, and says what was reported durable: `python committing.py FOLDER`.

Each line it prints is the number of entries whose commit and mark have returned.
"""

import sys
from pathlib import Path

from openline.kernel.lane import GENERATION_ZERO
from openline.protocol.records import Mark
from openline.station.marks import Marks
from openline.stores.sqlite import SqliteStore
from tests.contract.store_contract import LINE, TRAFFIC, a_head, a_peer, an_epoch, append

KEY = b"k" * 32


def text(index: int) -> str:
    """What entry `index` says: of many sizes, some beyond a page."""
    return f"entry {index} " * (1 + index * index % 97 * 9)


def main(folder: Path) -> None:
    line = SqliteStore.open(folder / "store.db", KEY).line(LINE)
    marks = Marks(folder / "marks")
    size = line.size(TRAFFIC)
    while True:
        texts = [text(size + n) for n in range(1 + size % 7)]
        epoch = an_epoch(size, holes=size % 50)
        line.commit([append(TRAFFIC, size, *texts), a_head(TRAFFIC, size + len(texts)), a_peer(epoch=epoch)])
        size += len(texts)
        marks.write(LINE, Mark(generation=GENERATION_ZERO, urgent=0, traffic=size))
        sys.stdout.write(f"{size}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
