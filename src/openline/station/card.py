"""The station's own card: made with its root key, kept as text in `card.txt`, given to the other stations."""

from collections.abc import Sequence
from pathlib import Path

from openline.kernel.crypto import Signer
from openline.kernel.errors import Refused, Unavailable, Unknown
from openline.kernel.keys import Card, make_card, read_card
from openline.kernel.units import Instant
from openline.protocol.records import LineRecord
from openline.station.cards import armoured, unarmoured
from openline.station.files import write_private
from openline.station.keystore import Keystore
from openline.station.unlock import Unlock

FILE = "card.txt"
DAYS = 365
"""A card is for pairing; a line once open does not look at its dates (spec 3.12)."""
_DAY_MS = 86_400_000


def make_own_card(
    home: Path, keystore: Keystore, root_unlock: Unlock, *, name: str, addresses: tuple[str, ...], now: Instant
) -> Card:
    """Sign a card with the root key and keep it. `addresses` as "tls:HOST:PORT", where the others reach us.

    Raises what opening the root key raises, Malformed or TooLarge for a name
    or address, Unavailable.
    """
    return certify(home, keystore, keystore.root(root_unlock), name=name, addresses=addresses, now=now)


def certify(
    home: Path, keystore: Keystore, root: Signer, *, name: str, addresses: tuple[str, ...], now: Instant
) -> Card:
    """The same with an opened root key."""
    card = make_card(
        name=name,
        root=root,
        lane=keystore.lane.public,
        certificate=keystore.certificate,
        addresses=addresses,
        made=now,
        expires=Instant(now + DAYS * _DAY_MS),
    )
    keep_card(home, card)
    return card


def keep_card(home: Path, card: Card) -> None:
    """Make it the station's card. Raises Unavailable."""
    write_private(home / FILE, armoured(card).encode())


def card_in_use(home: Path, records: Sequence[LineRecord]) -> Card:
    """The station's card; where its file is gone or damaged, the one that a line was paired with.

    A line needs the names and fingerprints in it and not the file: it must not
    fall silent for a public text. Raises as `own_card` if there is no line.
    """
    try:
        return own_card(home)
    except (Unknown, Unavailable):
        if not records:
            raise
        return read_card(records[0].cards[records[0].party])


def own_card(home: Path) -> Card:
    """The card that was made last. Raises Unknown, Unavailable, or Refused if the file is damaged."""
    try:
        text = (home / FILE).read_text("ascii")
    except FileNotFoundError:
        raise Unknown("there is no card here: openline card --new makes one") from None
    except (OSError, ValueError):
        raise Unavailable("the card cannot be read") from None
    try:
        return read_card(unarmoured(text))
    except Refused:
        raise Unavailable("the card of this station is damaged: openline card --new makes another") from None
