"""What an engine is made from, beside its store.

Spec: spec/03-terms.md, spec/10-epochs.md.
"""

from dataclasses import dataclass, field

from openline.kernel.crypto import Signer
from openline.kernel.keys import Card, check_member, read_card
from openline.kernel.terms import Terms
from openline.protocol.delivery import Peer
from openline.protocol.epochs import Handshake
from openline.protocol.records import LineReader, LineRecord, Mark
from openline.protocol.secrets import Secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A line's record, this station's lane keys, the pairing secrets by party, and the mark (None: it is missing)."""

    record: LineRecord
    signer: Signer
    """The lane key in use."""
    retired: tuple[Signer, ...] = ()
    """Lane keys of before: what they signed is signed again as it stands (spec 13.10)."""
    psks: dict[int, bytes] = field(repr=False)
    """By party; a party that is missing has to be paired with again before an epoch can open."""
    new_psks: dict[int, bytes] = field(default_factory=dict, repr=False)
    """Secrets that people here have accepted, and the other floor perhaps not yet (spec 15.22)."""
    mark: Mark | None


def read_cards(record: LineRecord, terms: Terms) -> list[Card]:
    """Every party's card. Raises Refused unless they are the cards that the terms name."""
    cards = [read_card(raw) for raw in record.cards]
    for number, card in enumerate(cards):
        check_member(terms, number, card)
    return cards


def make_peers(setup: Setup, terms: Terms, reader: LineReader) -> dict[int, Peer]:
    """The other parties, as the store knows them."""
    kept = {peer.party: peer for peer in reader.peers()}
    own = setup.record.party
    peers = {}
    for party, member in enumerate(terms.parties):
        if party == own:
            continue
        known = kept.get(party)
        psks = [held[party] for held in (setup.new_psks, setup.psks) if party in held]
        handshake = Handshake(
            line=terms.line,
            own_root=terms.parties[own].root,
            peer_root=member.root,
            psk=psks[0] if psks else b"",
            signer=setup.signer,
            attempt=known.attempt if known else 0,
        )
        peers[party] = Peer(party, handshake, Secrets(terms.line, own, party, psks), known)
    return peers
