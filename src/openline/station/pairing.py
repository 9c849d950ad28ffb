"""All pairings of a station: what people opened, what goes on after a crash.

Spec: spec/15-pairing.md.
"""

from typing import Final

from openline.kernel.errors import Conflict, Malformed, Refused, Unavailable, Unknown
from openline.kernel.keys import Card, read_card
from openline.kernel.terms import Policy, make_terms, parse_terms
from openline.protocol.records import LineRecord
from openline.station.cards import accept_card
from openline.station.line_runner import LineRunner
from openline.station.meeting import Meeting, Pace, State
from openline.station.pairing_records import PairingRecords
from openline.station.papers import Host

KEPT: Final = 16
"""Pairings that are over and can still be asked about."""
MAX_LABEL: Final = 64
_UNDER_WAY: Final = (
    "that station is being paired with already: go on with the same command, or: openline pair --end NAME"
)


class Pairings:
    """All pairings that people have open at one station."""

    def __init__(self, host: Host, pace: Pace | None = None) -> None:
        self._host, self._pace = host, pace or Pace()
        self.records = PairingRecords(host.store)
        self._all: dict[str, Meeting] = {}

    def resume(self) -> None:
        """Go on, at the start of the station, with what was accepted and is not yet a line on both sides."""
        lines = {record.line: record for record in self.lines()}
        for root in self.records.roots():
            waiting = self.records.waiting(root)
            if waiting is None or waiting.record.line in lines:
                self.records.clear_waiting(root)
                continue
            self._make(_peer_of(waiting.record), waiting.terms.policy, waiting.record.label).begin()
        for record in lines.values():
            try:
                terms = parse_terms(record.terms)
                if len(terms.parties) == 2 and self._never_linked(record.line) and not self._meets(_peer_of(record)):
                    self._make(_peer_of(record), terms.policy, record.label).attend(record.line)
            except Refused:
                continue  # a line that cannot start says so itself

    def _never_linked(self, line: bytes) -> bool:
        """Whether no epoch was ever opened on a line: its peer may not have it."""
        history = self._host.store.line(line)
        return all(peer.epoch is None for peer in history.peers())

    def _meets(self, card: Card) -> bool:
        return any(each.card.fingerprint == card.fingerprint for each in self._all.values())

    def open(self, card_text: str, policy: Policy, label: str = "") -> "Meeting":
        """Begin to pair with the station of a card. `label` is what the line will be called here (empty: its name).

        Raises CardRefused, Conflict (it is being paired; the label is taken;
        it has our name), Malformed or Unavailable.
        """
        host = self._host
        if host.tls is None:
            raise Unavailable("no bearer can carry a pairing")
        records = self.lines()
        known = [read_card(raw) for each in records for number, raw in enumerate(each.cards) if number != each.party]
        card = accept_card(card_text, own=host.card, now=host.clock.wall(), known=known)
        chosen = label or card.name
        if len(chosen) > MAX_LABEL or not chosen.isprintable():
            raise Malformed("a label has at most 64 printable characters")
        if card.name == host.card.name:
            raise Conflict("the other station has our name: one of the two must be made anew")
        make_terms((host.card.party(bytes(32)), card.party(bytes(32))), policy)  # raises while people still look
        for each in self._all.values():
            if each.card.fingerprint == card.fingerprint and each.state not in (State.OPEN, State.REFUSED):
                raise Conflict(_UNDER_WAY)
        if any(each.label == chosen and not self._ours(each, card, policy) for each in records):
            raise Conflict("there is a line of that label already: choose another")
        meeting = self._make(card, policy, chosen)
        meeting.begin()
        return meeting

    def again(self, line: LineRunner, card_text: str) -> "Meeting":
        """Begin to agree on a new pairing secret for a line that stands, with the station of a card.

        Without a text, by the newest card known of it. Raises CardRefused, Conflict (it is being paired; the card is
        older than one known; several parties and no card), Malformed or Unavailable.
        """
        host = self._host
        if host.tls is None:
            raise Unavailable("no bearer can carry a pairing")
        others = {card.root.ed25519_key: card for party, card in enumerate(line.cards) if party != line.party}
        if not card_text and len(others) != 1:
            raise Conflict("several parties are on this line: give the card of the one you mean")
        known = {root: host.keys.newest(card) for root, card in others.items()}
        card = next(iter(known.values()))
        if card_text:
            card = accept_card(card_text, own=host.card, now=host.clock.wall(), expected=list(known))
            if card.made < known[card.root.ed25519_key].made:
                raise Conflict("the card is older than the one known of that station: ask for its newest")
        for each in self._all.values():
            if each.card.fingerprint == card.fingerprint and each.state not in (State.OPEN, State.REFUSED):
                raise Conflict(_UNDER_WAY)
        meeting = self._make(card, line.terms.policy, line.label, line)
        meeting.begin()
        return meeting

    def _make(self, card: Card, policy: Policy, label: str, again: LineRunner | None = None) -> "Meeting":
        for each in self._all.values():
            if each.card.fingerprint == card.fingerprint:
                each.leave()
        identity = self._host.entropy(8).hex()
        self._all[identity] = meeting = Meeting(
            self._host, self._pace, identity=identity, card=card, policy=policy, label=label, again=again
        )
        over = [key for key, each in self._all.items() if each.state in (State.OPEN, State.REFUSED)]
        for key in over[:-KEPT]:
            self._all.pop(key).leave()
        return meeting

    def _ours(self, record: LineRecord, card: Card, policy: Policy) -> bool:
        """Whether it is the line that this pairing may have to finish on the other side (spec 15.25)."""
        terms = parse_terms(record.terms)
        roots = {self._host.card.root.ed25519_key, card.root.ed25519_key}
        return terms.policy == policy and {party.root for party in terms.parties} == roots

    def find(self, identity: str) -> "Meeting":
        """The pairing of that number. Raises Unknown."""
        if identity not in self._all:
            raise Unknown("no such pairing")
        return self._all[identity]

    def all(self) -> list["Meeting"]:
        """Every pairing, the oldest first."""
        return list(self._all.values())

    def lines(self) -> list[LineRecord]:
        """All lines of the station."""
        return list(self._host.store.lines())

    async def close(self) -> None:
        """Leave every conversation, to its end; what waits goes on after the next start."""
        for each in self._all.values():
            each.leave()
        for each in self._all.values():
            await each.left()


def _peer_of(record: LineRecord) -> Card:
    """The other party's card, of a line of two."""
    return read_card(record.cards[1 - record.party])
