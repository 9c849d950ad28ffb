"""Destroy an archived line: its pairing keys, its rows and their key, its mark. The one way to delete.

The station must not run: the store has one writer. Keys go first, so that what
a crash leaves behind cannot be spoken with; the same call then finishes it.
"""

import contextlib
from pathlib import Path

from openline.kernel.units import Entropy
from openline.station.config import load_config, marks_folder
from openline.station.keystore import Keystore
from openline.station.marks import Marks
from openline.station.places import Places
from openline.station.unlock import Unlock
from openline.stores.sqlite import SqliteStore


def erase_line(home: Path, unlock: Unlock, line: bytes, entropy: Entropy) -> None:
    """Destroy everything of that line in a stopped station.

    Raises Unavailable (it runs; the disk), Unknown (no such line here), or
    what opening the keys raises.
    """
    places = Places(home, marks_folder(home, load_config(home)))
    keystore = Keystore.open(places.keys, unlock, entropy)
    with contextlib.closing(SqliteStore.open(places.store, keystore.data_key)) as store:
        store.line(line)  # Unknown, before anything is gone
        keystore.drop_psks(line)
        store.destroy_line(line)
    marks = Marks(places.marks)
    try:
        marks.remove(line)
    finally:
        marks.close()
