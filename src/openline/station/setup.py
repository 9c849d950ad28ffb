"""A new station: its folder with configuration, keys, store and card."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from openline.kernel.errors import Conflict
from openline.kernel.keys import Card
from openline.kernel.terms import check_language, check_name
from openline.kernel.units import Entropy, Instant
from openline.station import config as configuration
from openline.station.card import make_own_card
from openline.station.files import check_path, private_folder, write_private
from openline.station.keystore import Keystore
from openline.station.marks import Marks
from openline.station.places import Places
from openline.station.unlock import KeyFile, Unlock
from openline.stores.sqlite import SqliteStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """What was made."""

    home: Path
    card: Card


def create_home(
    home: Path,
    *,
    name: str,
    unlock: Unlock,
    listen: tuple[str, ...] = (),
    addresses: tuple[str, ...] | None = None,
    root_unlock: Unlock | None = None,
    language: str = "en",
    simulated_clock: bool = False,
    entropy: Entropy = os.urandom,
    now: Instant | None = None,
) -> Created:
    """Make a station in `home`, which must not hold one yet.

    `listen` as in the configuration; `addresses` are what the card says (None:
    the addresses listened at). Whoever runs this becomes W1, with all roles.
    Raises Conflict (there is a station), Malformed, Forbidden or Unavailable.
    """
    check_name(name)
    check_language(language)
    private_folder(check_path(home))
    if (home / configuration.FILE).exists():
        raise Conflict("there is a station here already")
    text = configuration.config_text(
        name=name,
        language=language,
        simulated=simulated_clock,
        listen=listen,
        key_file=str(unlock.path) if isinstance(unlock, KeyFile) else "",
        uid=os.getuid(),
    )
    configuration.parse_config(text)
    places = Places(home)
    made = Instant(time.time_ns() // 1_000_000) if now is None else now
    keystore = Keystore.create(places.keys, unlock, entropy, root_unlock=root_unlock, made=made)
    for folder in (places.store.parent, home / "run"):
        private_folder(folder)
    SqliteStore.create(places.store, keystore.data_key).close()
    Marks(places.marks).close()
    card = make_own_card(
        home,
        keystore,
        root_unlock or unlock,
        name=name,
        addresses=tuple(f"tls:{place}" for place in (listen if addresses is None else addresses)),
        now=made,
    )
    # Last: a folder with a configuration is a whole station.
    write_private(home / configuration.FILE, text.encode())
    return Created(home=home, card=card)
