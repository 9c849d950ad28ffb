"""Two homes with an open line between them, made without people.

Pairing is for two floors that compare words; here both homes are on one
table, so each is handed what pairing would have agreed: the same terms, the
same cards, the same pairing key.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from openline.kernel.keys import Card
from openline.kernel.lane import GENERATION_ZERO
from openline.kernel.terms import Policy, make_terms
from openline.kernel.units import Instant
from openline.protocol.records import LineRecord, Mark
from openline.station.config import load_config
from openline.station.keystore import Keystore
from openline.station.marks import Marks
from openline.station.places import Places
from openline.station.setup import create_home
from openline.station.unlock import KeyFile, make_key_file
from openline.stores.sqlite import SqliteStore

LABEL = "bench"
NAMES = ("ALPHA", "BRAVO")
POLICY = Policy(title="Bench", test_minutes=0, urgent_per_hour=2**32, traffic_per_hour=2**32)
"""Without quotas that a bench would meet, and without tests that would fall into its measurements."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """A station's folder, paired."""

    folder: Path
    name: str
    address: str
    party: int
    line: bytes

    @property
    def socket(self) -> Path:
        return self.folder / "run" / "api.sock"

    @property
    def unlock(self) -> KeyFile:
        return KeyFile(self.folder / "key-file")


def two_homes(under: Path, ports: Sequence[int], *, reached: Sequence[int] = (), lines: int = 1) -> tuple[Home, Home]:
    """Make both, paired by so many lines. `ports` on loopback, one each.

    `reached` are the ports in their cards, where something stands between them; without, those they listen at.
    """
    made: list[tuple[Path, KeyFile, Card]] = []
    for name, port, seen in zip(NAMES, ports, reached or ports, strict=True):
        folder = under / name.lower()
        folder.mkdir(mode=0o700)
        unlock = make_key_file(folder / "key-file", os.urandom)
        created = create_home(
            folder,
            name=name,
            unlock=unlock,
            listen=(f"127.0.0.1:{port}",),
            addresses=(f"127.0.0.1:{seen}",),
            now=Instant(time.time_ns() // 1_000_000),
        )
        made.append((folder, unlock, created.card))
    cards = [card for _, _, card in made]
    agreed = [_agree(cards, LABEL if not number else f"{LABEL}-{number}") for number in range(lines)]
    homes = []
    for place, ((folder, unlock, card), port) in enumerate(zip(made, ports, strict=True)):
        records = [records[place] for records, _ in agreed]
        _hand_over(folder, unlock, records, [psk for _, psk in agreed])
        first = records[0]
        homes.append(
            Home(folder=folder, name=card.name, address=f"127.0.0.1:{port}", party=first.party, line=first.line)
        )
    return homes[0], homes[1]


def _agree(cards: Sequence[Card], label: str) -> tuple[list[LineRecord], bytes]:
    """What pairing would have agreed about one line: each side's record of it, and the pairing key."""
    terms = make_terms(tuple(card.party(os.urandom(32)) for card in cards), POLICY)
    parties = [terms.party_of_root(card.root.ed25519_key) for card in cards]
    ordered = tuple(card.raw for _, card in sorted(zip(parties, cards, strict=True), key=lambda pair: pair[0]))
    records = [
        LineRecord(line=terms.line, party=party, terms=terms.raw, cards=ordered, label=label) for party in parties
    ]
    return records, os.urandom(32)


def _hand_over(folder: Path, unlock: KeyFile, records: Sequence[LineRecord], psks: Sequence[bytes]) -> None:
    """What `Station.open_line` does of a pairing's outcome, in a station that does not run."""
    load_config(folder)
    places = Places(folder)
    keystore = Keystore.open(places.keys, unlock, os.urandom)
    marks = Marks(places.marks)
    store = SqliteStore.open(places.store, keystore.data_key)
    for record, psk in zip(records, psks, strict=True):
        keystore.put_psk(record.line, 1 - record.party, psk)
        marks.write(record.line, Mark(generation=GENERATION_ZERO, urgent=0, traffic=0))
        store.add_line(record)
    marks.close()
    store.close()
