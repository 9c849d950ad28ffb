"""A small true station on disk for tests: keys, a line of two with signed lanes, marks."""

import os
from dataclasses import dataclass
from pathlib import Path

from openline.kernel.crypto import Signer
from openline.kernel.keys import make_card
from openline.kernel.lane import GENERATION_ZERO, Entry, Lane, extend, leaf_secret, sign_head
from openline.kernel.merkle import Peaks
from openline.kernel.terms import Policy, Terms, make_terms
from openline.kernel.units import Instant
from openline.protocol.records import Append, EntryRow, LineRecord, Mark, PutGeneration, PutHead
from openline.station.card import keep_card
from openline.station.keystore import Keystore
from openline.station.marks import Marks
from openline.station.places import Places
from openline.station.unlock import Passphrase
from openline.stores.sqlite import SqliteStore
from tests.contract.store_contract import a_peer, an_epoch

UNLOCK = Passphrase("correct horse", 4)
NOW = Instant(1_800_000_000_000)
ENTRIES = 70


@dataclass
class Station:
    places: Places
    keys: Keystore
    terms: Terms
    party: int

    @property
    def lane(self) -> Lane:
        return Lane(self.terms.line, 2 * self.party, GENERATION_ZERO)


def make_station(folder: Path) -> Station:
    places = Places(folder)
    keys = Keystore.create(places.keys, UNLOCK, os.urandom)
    other_lane, other_root = Signer(b"1" * 32, b"2" * 32), Signer(b"3" * 32, b"4" * 32)
    expires = Instant(NOW + 400 * 86_400_000)
    cards = [
        make_card(
            name=name,
            root=root,
            lane=lane.public,
            certificate=keys.certificate,
            addresses=(),
            made=NOW,
            expires=expires,
        )
        for name, root, lane in (("ALPHA", keys.root(UNLOCK), keys.lane), ("BRAVO", other_root, other_lane))
    ]
    keep_card(folder, cards[0])
    terms = make_terms(tuple(card.party(bytes((n,)) * 32) for n, card in enumerate(cards)), Policy())
    party = terms.party_of_root(cards[0].root.ed25519_key)
    if party == 1:
        cards.reverse()
    places.store.parent.mkdir(mode=0o700)
    store = SqliteStore.create(places.store, keys.data_key)
    raw = tuple(card.raw for card in cards)
    store.add_line(LineRecord(line=terms.line, party=party, terms=terms.raw, cards=raw, label="bravo"))
    station = Station(places, keys, terms, party)
    speak(store, station)
    keys.put_psk(terms.line, 1 - party, b"p" * 32)
    for act in (b"one", b"two", b"three"):
        store.append_audit(act)
    marks = Marks(places.marks)
    marks.write(terms.line, Mark(generation=GENERATION_ZERO, urgent=ENTRIES, traffic=0))
    marks.close()
    store.close()
    return station


def speak(store: SqliteStore, station: Station) -> None:
    seed, peaks = b"s" * 32, Peaks()
    line = store.line(station.terms.line)
    line.commit([PutGeneration(party=station.party, generation=GENERATION_ZERO, seed=seed)])
    line.commit([a_peer(1 - station.party, epoch=an_epoch(1))])
    for start in range(0, ENTRIES, 10):
        entries = [
            Entry(
                kind=b"\x10",
                time=b"\x00",
                ack=b"\x80",
                body=b"\xa0",
                secret=leaf_secret(seed, station.lane.number, start + n),
            )
            for n in range(10)
        ]
        extension = extend(station.lane, peaks, entries)
        peaks = extension.peaks
        rows = tuple(
            EntryRow(index=start + n, nodes=nodes, entry=entry)
            for n, (entry, (_, nodes)) in enumerate(zip(entries, extension.leaves, strict=True))
        )
        head = sign_head(station.keys.lane, extension.head(station.lane), milestone=start == 20)
        line.commit([Append(lane=station.lane, size=start, rows=rows), PutHead(signed=head)])
