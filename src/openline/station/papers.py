"""The papers of a pairing: what was signed and waits, what stands, and the line that comes of it.

The order is the point. The secret and the terms are written down before our
signature leaves. The line's mark is written before the line, and the line
before what waits is struck out. A crash between any two leaves something that
pairing again finishes, and never a line that is half open.

Spec: spec/15-pairing.md, 15.16 to 15.25; spec/13-restart.md.
"""

from dataclasses import replace
from itertools import chain, count
from typing import Protocol

from openline.bearers.tls import TlsBearer
from openline.kernel.crypto import Signer
from openline.kernel.errors import Bug, Refused
from openline.kernel.keys import Card, check_member
from openline.kernel.terms import Policy, Terms, parse_terms
from openline.kernel.units import Entropy
from openline.ports import Store
from openline.protocol.events import Secret
from openline.protocol.pairing_messages import Signature, sign_terms
from openline.protocol.pairing_outcomes import NewLine, NewSecret, Setup
from openline.protocol.records import LineRecord
from openline.station.clock import StationClock
from openline.station.config import Config
from openline.station.keys import Keys
from openline.station.keystore import Keystore
from openline.station.line_runner import LineRunner
from openline.station.pairing_records import PAIR_MISMATCHES, PairingRecords, Waiting


class Host(Protocol):
    """What pairing needs of its station."""

    card: Card
    signer: Signer
    keystore: Keystore
    keys: Keys
    lines: dict[bytes, LineRunner]
    store: Store
    clock: StationClock
    entropy: Entropy
    config: Config
    tls: TlsBearer | None

    def open_line(self, record: LineRecord, psks: dict[int, bytes]) -> object:
        """Keep a new line durably and start it. Raises Conflict, Malformed or Unavailable."""
        ...


class SecretPapers:
    """Those of a new pairing secret for a line that stands (spec 15.22). Every method may raise Unavailable."""

    def __init__(self, host: Host, card: Card, line: LineRunner) -> None:
        self._host, self._card, self.line = host, card, line
        self._party = line.terms.party_of_root(card.root.ed25519_key)
        self._records = PairingRecords(host.store)

    def setup(self) -> Setup:
        """What the next conversation is about."""
        host = self._host
        subject = NewSecret(self.line.line)
        return Setup(own=host.card, peer=self._card, signer=host.signer, subject=subject, standing={}, resumes=b"")

    def waiting(self) -> None:
        """Nothing of it is signed."""

    def keep(self, psk: bytes) -> None:
        """People accepted: write the secret down beside the one before, and the card that they compared; then use both."""
        self._host.keystore.put_new_psk(self.line.line, self._party, psk)
        self._host.keys.take_card(self.line, self._party, self._card.raw, at_once=True)
        self.line.feed(Secret(party=self._party, psk=psk))

    def forget(self) -> None:
        """The other floor found another station than ours at the end of its line: nothing is rescued by what was kept."""

    def mismatched_too_often(self) -> bool:
        """See Papers."""
        return self._records.mismatches(self._card.root.ed25519_key, self._host.clock.wall()) >= PAIR_MISMATCHES

    def add_mismatch(self) -> None:
        """See Papers."""
        self._records.add_mismatch(self._card.root.ed25519_key, self._host.clock.wall())


class Papers:
    """Those of pairing with one station. Every method may raise Unavailable."""

    def __init__(self, host: Host, card: Card, policy: Policy) -> None:
        self._host, self._card, self._policy = host, card, policy
        self._root = card.root.ed25519_key
        self._records = PairingRecords(host.store)

    def setup(self) -> Setup:
        """What the next conversation is about."""
        host, waiting, standing = self._host, self.waiting(), self._standing()
        if waiting is not None:
            standing[waiting.record.line] = (waiting.terms, waiting.signatures)
        members = tuple(sorted((host.card.root.ed25519_key, self._root)))
        return Setup(
            own=host.card,
            peer=self._card,
            signer=host.signer,
            subject=NewLine(members=members, policy=self._policy, nonce=host.entropy(32)),
            standing=standing,
            resumes=b"" if waiting is None else waiting.record.line,
        )

    def waiting(self) -> Waiting | None:
        """What waits for this peer, if it is what people propose now; a former proposal is forgotten."""
        waiting = self._records.waiting(self._root)
        if waiting is None:
            return None
        if waiting.record.line in self._lines():
            self._records.clear_waiting(self._root)
            return None
        try:
            if waiting.terms.policy == self._policy:
                check_member(waiting.terms, waiting.terms.party_of_root(self._root), self._card)
                return waiting
        except Refused:
            pass
        self.forget()
        return None

    def keep(self, terms: Terms, psk: bytes, label: str) -> None:
        """Write down what is about to be signed, and the secret with it."""
        own, peer = self._host.card, self._card
        party, other = (terms.party_of_root(card.root.ed25519_key) for card in (own, peer))
        self.forget()
        self._host.keystore.put_psk(terms.line, other, psk)
        cards = (own.raw, peer.raw) if party < other else (peer.raw, own.raw)
        record = LineRecord(line=terms.line, party=party, terms=terms.raw, cards=cards, label=label)
        signatures = (sign_terms(terms.line, party, self._host.signer),)
        self._records.put_waiting(self._root, Waiting(record=record, terms=terms, signatures=signatures))

    def open_line(self, line: bytes, signatures: tuple[Signature, ...]) -> str:
        """Open what waited, now that both have signed; its label. Its mark comes before it (Host.open_line)."""
        lines = self._lines()
        if line in lines:
            label = lines[line].label
        else:
            waiting = self._records.waiting(self._root)
            if waiting is None or waiting.record.line != line:
                raise Bug("a line that was not written down is signed")
            label = _free(waiting.record.label, {record.label for record in lines.values()})
            self._records.put_signatures(line, signatures)
            self._host.open_line(replace(waiting.record, label=label), self._host.keystore.psks(line))
        self._records.clear_waiting(self._root)
        return label

    def forget(self) -> None:
        """Forget what waits for this peer, and its secret."""
        waiting = self._records.waiting(self._root)
        if waiting is not None and waiting.record.line not in self._lines():
            self._host.keystore.drop_psks(waiting.record.line)
        self._records.clear_waiting(self._root)

    def mismatched_too_often(self) -> bool:
        """Whether only fingerprints may be compared with this station today (spec 15.10)."""
        return self._records.mismatches(self._root, self._host.clock.wall()) >= PAIR_MISMATCHES

    def add_mismatch(self) -> None:
        """One more."""
        self._records.add_mismatch(self._root, self._host.clock.wall())

    def _standing(self) -> dict[bytes, tuple[Terms, tuple[Signature, ...]]]:
        """The lines of these two that are open here: a peer that lost our last word may ask for it again."""
        found: dict[bytes, tuple[Terms, tuple[Signature, ...]]] = {}
        for record in self._lines().values():
            terms = parse_terms(record.terms)
            if {party.root for party in terms.parties} == {self._root, self._host.card.root.ed25519_key}:
                kept = self._records.signatures(record.line)
                found[record.line] = (terms, kept or (sign_terms(record.line, record.party, self._host.signer),))
        return found

    def _lines(self) -> dict[bytes, LineRecord]:
        return {record.line: record for record in self._host.store.lines()}


def _free(label: str, taken: set[str]) -> str:
    """The label, or with a number behind it."""
    return next(each for each in chain((label,), (f"{label}-{number}" for number in count(2))) if each not in taken)
