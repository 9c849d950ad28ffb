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


def two_homes(under: Path, ports: Sequence[int]) -> tuple[Home, Home]:
    """Make both, paired. `ports` on loopback, one each."""
    made: list[tuple[Path, KeyFile, Card]] = []
    for name, port in zip(NAMES, ports, strict=True):
        folder = under / name.lower()
        folder.mkdir(mode=0o700)
        unlock = make_key_file(folder / "key-file", os.urandom)
        created = create_home(
            folder,
            name=name,
            unlock=unlock,
            listen=(f"127.0.0.1:{port}",),
            now=Instant(time.time_ns() // 1_000_000),
        )
        made.append((folder, unlock, created.card))
    terms = make_terms(tuple(card.party(os.urandom(32)) for _, _, card in made), POLICY)
    parties = [terms.party_of_root(card.root.ed25519_key) for _, _, card in made]
    cards = tuple(
        card.raw for _, card in sorted(zip(parties, (each[2] for each in made), strict=True), key=lambda pair: pair[0])
    )
    psk = os.urandom(32)
    homes = []
    for (folder, unlock, card), party, port in zip(made, parties, ports, strict=True):
        record = LineRecord(line=terms.line, party=party, terms=terms.raw, cards=cards, label=LABEL)
        _hand_over(folder, unlock, record, psk)
        homes.append(Home(folder=folder, name=card.name, address=f"127.0.0.1:{port}", party=party, line=terms.line))
    return homes[0], homes[1]


def _hand_over(folder: Path, unlock: KeyFile, record: LineRecord, psk: bytes) -> None:
    """What `Station.open_line` does of a pairing's outcome, in a station that does not run."""
    load_config(folder)
    places = Places(folder)
    keystore = Keystore.open(places.keys, unlock, os.urandom)
    keystore.put_psk(record.line, 1 - record.party, psk)
    marks = Marks(places.marks)
    marks.write(record.line, Mark(generation=GENERATION_ZERO, urgent=0, traffic=0))
    marks.close()
    store = SqliteStore.open(places.store, keystore.data_key)
    store.add_line(record)
    store.close()
