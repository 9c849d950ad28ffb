"""A new data key for a stopped station: what is written from now on opens by no key of before.

Rows of before stay under the keys that sealed them, which station.key keeps:
who has those and an old copy of the disk reads that copy whatever is done here.
"""

import contextlib
from pathlib import Path

from openline.kernel.units import Entropy
from openline.station.config import load_config, marks_folder
from openline.station.keystore import Keystore
from openline.station.places import Places
from openline.station.unlock import Unlock
from openline.stores.sqlite import SqliteStore


def rotate_data_key(home: Path, unlock: Unlock, entropy: Entropy) -> int:
    """Put a new key in place, for the store and for each line in it. The number of lines.

    The keys go first: cut short, the store opens by those of before, which are
    kept, and the same call then gives it another. Raises Unavailable (the
    station runs; the disk), TooLarge, or what opening the keys raises.
    """
    places = Places(home, marks_folder(home, load_config(home)))
    keystore = Keystore.open(places.keys, unlock, entropy)
    with contextlib.closing(SqliteStore.open(places.store, keystore.data_key)) as store:
        keystore.rotate_data(unlock)
        store.renew(keystore.data_key)
        return len(store.lines())
