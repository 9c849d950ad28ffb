"""A station's keys in the hands of its people: what is in use, a new one in the place of another, and theft.

The root key never enters the running station: `plan` says what has to be signed, whoever has the root key signs it,
and `take_lane` or `take_certificate` checks all of it before anything changes.

A new certificate is presented once every peer has signed that it holds the card with it; a peer accepts both until
it has seen the new one. So a change cuts no link, also that of a certificate held for stolen: it authenticates no
entry, and a link that is cut could not even say so.

Spec: spec/03-terms.md (3.10), spec/09-envelopes.md (9.38), spec/10-epochs.md (10.22), spec/11-forks.md (11.12).
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from openline.bearers.certificate import check_certificate
from openline.kernel.crypto import Signer, Verifier, digest
from openline.kernel.errors import Conflict, Foreign, Refused, Unavailable, Unknown
from openline.kernel.keys import Card, read_card
from openline.kernel.lane import Generation
from openline.protocol.entries import Cause, KeyNotice, KeyRole, Kind
from openline.protocol.events import Accepted, Renew, Rotate
from openline.protocol.secrets import secret_name
from openline.protocol.succession import check_rotation
from openline.protocol.transcript import Latest
from openline.station.card import keep_card
from openline.station.line_runner import LineRunner
from openline.station.seen import Seen

if TYPE_CHECKING:
    from openline.station.runtime import Station


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A generation of a line for which the root is to sign the new lane key."""

    label: str
    line: bytes
    party: int
    generation: Generation


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the root is to sign: a card with these, and for a lane key a statement for each place."""

    lane: Verifier
    certificate: bytes
    places: tuple[Place, ...]


def lane_name(lane: Verifier) -> bytes:
    """What names a lane key (spec 6.26)."""
    return digest(lane.ed25519_key + lane.mldsa_key)


class Keys:
    """Those of one station, and the cards that it knows of the others."""

    def __init__(self, station: "Station") -> None:
        self._station = station

    # --- what the root signs -----------------------------------------------------------------------------------

    def plan(self, role: KeyRole) -> Plan:
        """Make a new key, not yet in use, and say what must be signed.

        Raises Unavailable (a line is stopped; disk), or Refused (one was restored and has reached nobody, or is full).
        """
        station = self._station
        keys, now = station.keystore, station.clock.wall()
        if role is not KeyRole.LANE:
            certificate = keys.next_certificate(now)
            return Plan(lane=keys.lane.public, certificate=certificate, places=())
        places = []
        for line in station.lines.values():
            engine = line.working()
            check_rotation(engine.book, engine.peers)
            known = engine.book.generations(line.party)
            above = Generation(max(each.counter for each in known) + 1, station.entropy(8))
            places.append(Place(label=line.label, line=line.line, party=line.party, generation=above))
        lane = keys.next_lane(now).public
        certificate = keys.own.next_certificate or keys.certificate
        return Plan(lane=lane, certificate=certificate, places=tuple(places))

    async def take_lane(
        self, card: Card, statements: Mapping[bytes, tuple[Generation, bytes]], *, stolen: bool
    ) -> list[str]:
        """Put the planned lane key in place on every line; the labels of those lines.

        Raises Refused, and nothing has changed: a card or statement that is not the root's for this. Raises
        Unavailable if a line stopped meanwhile: the others have the new key.
        """
        station = self._station
        signer = station.keystore.own.next_lane
        if signer is None:
            raise Conflict("no new lane key waits: plan the change first")
        self._check_own(card, signer.public, station.keystore.own.next_certificate or station.keystore.certificate)
        lines = list(station.lines.values())
        if {line.line for line in lines} != set(statements):
            raise Conflict("the lines are others than when this was planned: plan the change again")
        for line in lines:
            generation, statement = statements[line.line]
            book = line.working().book
            check_rotation(book, line.working().peers)
            if _differ(book.stated(line.party, generation, statement), signer.public):
                raise Foreign("the statement is for another key than this station has made")
            if generation.counter <= max(each.counter for each in book.generations(line.party)):
                raise Conflict("that generation is not above all that are known: plan the change again")
        station.keystore.use_next_lane()
        self._now(card)
        cause = Cause.COMPROMISED if stolen else Cause.ROTATION
        for line in lines:
            await self._rotate(line, *statements[line.line], signer, cause)
            await self._say(line, KeyNotice(role=KeyRole.LANE, stolen=False, key=lane_name(card.lane), card=card.raw))
            if stolen:
                self._renew(line)
        return [line.label for line in lines]

    async def _rotate(
        self, line: LineRunner, generation: Generation, statement: bytes, signer: Signer, cause: Cause
    ) -> Accepted:
        return await line.asked(
            lambda token: Rotate(token=token, generation=generation, statement=statement, signer=signer, cause=cause)
        )

    async def take_certificate(self, card: Card, *, stolen: bool) -> list[str]:
        """Announce the planned certificate on every line; the labels of those lines. Raises as `take_lane`."""
        station = self._station
        certificate = station.keystore.own.next_certificate
        if certificate is None:
            raise Conflict("no new certificate waits: plan the change first")
        self._check_own(card, station.keystore.lane.public, certificate)
        self._now(card)
        for line in station.lines.values():
            key = digest(station.keystore.certificate if stolen else certificate)
            await self._say(line, KeyNotice(role=KeyRole.CERTIFICATE, stolen=stolen, key=key, card=card.raw))
        self.settle()
        return [line.label for line in station.lines.values()]

    def _check_own(self, card: Card, lane: Verifier, certificate: bytes) -> None:
        """Raise Refused unless our root has signed exactly this, and later than our card of now."""
        own = self._station.card
        if card.fingerprint != own.fingerprint or card.name != own.name:
            raise Foreign("the root key is another than this station's")
        if _differ(card.lane, lane) or card.certificate != certificate:
            raise Foreign("the card is for other keys than this station has made")
        if card.made <= own.made:
            raise Conflict("the card is not newer than the one in use: set the clock right")

    def _now(self, card: Card) -> None:
        station = self._station
        keep_card(station.home, card)
        station.card, station.signer = card, station.keystore.lane

    async def _say(self, line: LineRunner, notice: KeyNotice) -> Accepted:
        return await line.submit(notice, self._station.clock.wall())

    def _renew(self, line: LineRunner) -> None:
        for party in line.working().peers:
            line.feed(Renew(party=party))

    # --- theft -------------------------------------------------------------------------------------------------

    async def psk_stolen(self, line: LineRunner) -> None:
        """The pairing keys of a line are held for stolen: nothing is rescued by them any more. Raises Unknown, Unavailable."""
        found = False
        for party, peer in line.working().peers.items():
            for secret in peer.secrets.all:
                found = True
                await self._say(line, KeyNotice(role=KeyRole.PSK, stolen=True, key=secret.name, peer=party))
        if not found:
            raise Unknown("there is no pairing key on this line: pair again")
        self._renew(line)

    async def data_stolen(self) -> None:
        """Everything in this station is held for stolen: said on every line, and all its pairing keys with it."""
        for line in self._station.lines.values():
            await self._say(line, KeyNotice(role=KeyRole.DATA, stolen=True, key=bytes(32)))
            if any(peer.secrets.all for peer in line.working().peers.values()):
                await self.psk_stolen(line)

    async def root_stolen(self) -> None:
        """The root key is held for stolen: said on every line. Nothing under it can be believed to be ours alone."""
        fingerprint = self._station.card.fingerprint
        for line in self._station.lines.values():
            await self._say(line, KeyNotice(role=KeyRole.ROOT, stolen=True, key=fingerprint))

    # --- pairing keys ------------------------------------------------------------------------------------------

    def psk_agreed(self, line: LineRunner, party: int) -> None:
        """An epoch was opened under the newer pairing key: the one before is destroyed, and the line told."""
        self._station.keystore.use_new_psk(line.line, party)
        name = secret_name(self._station.keystore.psk(line.line, party))
        asyncio.get_running_loop().call_soon(self._tell_psk, line, party, name)

    def _tell_psk(self, line: LineRunner, party: int, name: bytes) -> None:
        if line.engine is not None:
            notice = KeyNotice(role=KeyRole.PSK, stolen=False, key=name, peer=party)
            line.submit(notice, self._station.clock.wall()).add_done_callback(_unheard)

    # --- the others' cards -------------------------------------------------------------------------------------

    def newest(self, card: Card) -> Card:
        """The newest card known of the station that has this one."""
        raw = self._setting(f"card.{card.root.ed25519_key.hex()}")
        kept = read_card(raw) if raw else card
        return kept if kept.made > card.made else card

    def reach(self, line: LineRunner) -> None:
        """Tell the bearers who the other parties are and where, by their newest cards."""
        for party, card in enumerate(line.cards):
            if party != line.party:
                self._point(line.stations[party], self.newest(card), card)

    def _point(self, station: str, newest: Card, first: Card) -> None:
        """Pin the certificate that was seen last, and let a newer one take its place when it is shown."""
        pinned = self._pinned(first)
        self._station.bearers.reach(station, replace(newest, certificate=pinned))
        tls = self._station.tls
        if tls is not None and pinned != newest.certificate:
            try:
                tls.expect_certificate(station, newest.certificate, partial(self._shown, station, newest))
            except Refused as refusal:  # meanwhile another station presents it
                self._station.log.event("peer.refused", bearer="tls", code=refusal.code)

    def take_card(self, line: LineRunner, party: int, raw: bytes, *, at_once: bool) -> bool:
        """A party's new card: known from now on, and its certificate in force at once or when it is shown.

        Returns False for a card that is not that party's, does not check, is not newer than the one known, or has a
        certificate that cannot be pinned or is another station's.
        """
        first = line.cards[party]
        try:
            card = read_card(raw)
        except Refused:
            return False
        known = self.newest(first)
        if card.fingerprint != first.fingerprint or (card.raw != known.raw and card.made <= known.made):
            return False
        if not self._presentable(card):
            return False  # kept, it would be in the way at each start
        root = first.root.ed25519_key.hex()
        self._put(f"card.{root}", card.raw)
        if at_once:
            self._put(f"pin.{root}", card.certificate)
        elif not self._setting(f"pin.{root}"):
            self._put(f"pin.{root}", known.certificate)
        for each in self._station.lines.values():
            if line.stations[party] in each.stations:
                self._point(line.stations[party], card, first)
        return True

    def _presentable(self, card: Card) -> bool:
        """Whether a station may change to the certificate of that card: a whole one that nobody else presents."""
        try:
            check_certificate(card.certificate)
        except Refused:
            return False
        keys = self._station.keystore.own
        taken = {keys.certificate, keys.next_certificate, self._station.card.certificate}
        for line in self._station.lines.values():
            others = [first for first in line.cards if first.fingerprint != card.fingerprint]
            taken |= {self._pinned(first) for first in others}
        return card.certificate not in taken

    def _pinned(self, first: Card) -> bytes:
        """The certificate by which the station of that card is known now."""
        return self._setting(f"pin.{first.root.ed25519_key.hex()}") or first.certificate

    def heard(self, line: LineRunner, seen: list[Seen]) -> None:
        """Words about keys among what was shown: cards are taken over."""
        for each in seen:
            notice, party = each.shown.entry, each.shown.lane.party
            if not isinstance(notice, KeyNotice) or party == line.party:
                continue
            self._station.log.event("keys.heard", line=line.label, party=party, role=notice.role.name.lower())
            if notice.card and not self.take_card(line, party, notice.card, at_once=False):
                self._station.log.event("card.refused", line=line.label, party=party)

    def card_by_hand(self, line: LineRunner, card: Card) -> None:
        """People brought a newer card of another party of that line: for a station that missed it on the line.

        Raises Foreign or Conflict: nothing changed.
        """
        parties = [n for n, known in enumerate(line.cards) if n != line.party and known.fingerprint == card.fingerprint]
        if not parties:
            raise Foreign("the card is of no other party of this line")
        if not self.take_card(line, parties[0], card.raw, at_once=True):
            raise Conflict("the card is not newer than the one known of that station: ask for its newest")

    # --- our certificate ---------------------------------------------------------------------------------------

    def start(self) -> None:
        """Once the bearers work: what others announced may be shown from now on, and what we did may be finished."""
        certificate = self._station.keystore.own.next_certificate
        for line in self._station.lines.values():
            self.reach(line)
            if certificate is not None and self._station.card.certificate == certificate:
                self._announce(line, certificate)
        self.settle()

    def _announce(self, line: LineRunner, certificate: bytes) -> None:
        """Say of our new certificate what a crash may have left unsaid."""
        notice = KeyNotice(role=KeyRole.CERTIFICATE, stolen=False, key=digest(certificate), card=self._station.card.raw)
        if line.engine is not None and self._announced(line, certificate) is None:
            line.submit(notice, self._station.clock.wall()).add_done_callback(_unheard)

    def settle(self) -> None:
        """Present the new certificate if every peer has signed that it holds it."""
        certificate = self._station.keystore.own.next_certificate
        if certificate is not None and self._station.card.certificate == certificate and not self.waits_for():
            self._present()

    def waits_for(self) -> list[str]:
        """The parties that have not yet acknowledged the new certificate, as `label: NAME`."""
        certificate = self._station.keystore.own.next_certificate
        if certificate is None:
            return []
        return [
            f"{line.label}: {name}"
            for line in self._station.lines.values()
            for party, name in enumerate(line.names)
            if party != line.party and not self._knows(line, party, certificate)
        ]

    def _announced(self, line: LineRunner, certificate: bytes) -> Latest | None:
        """Our last word about certificates on that line, if it carries the card with this one."""
        if line.engine is None:
            return None
        last = line.engine.fold.last_words.get((Kind.KEYS, line.party, int(KeyRole.CERTIFICATE)))
        if last is None or not isinstance(last.entry, KeyNotice) or not last.entry.card:
            return None
        return last if read_card(last.entry.card).certificate == certificate else None

    def _knows(self, line: LineRunner, party: int, certificate: bytes) -> bool:
        last = self._announced(line, certificate)
        if last is None or line.engine is None:
            return False
        return line.engine.peers[party].holds.get((2 * line.party, last.generation), 0) > last.index

    def _present(self) -> None:
        station = self._station
        station.keystore.use_next_certificate()
        station.log.event("certificate.changed")
        if station.tls is not None:
            station.tls.present(station.keystore.certificate, station.keystore.tls_key)

    # --- settings ----------------------------------------------------------------------------------------------

    def _setting(self, name: str) -> bytes:
        return self._station.store.setting(name) or b""

    def _put(self, name: str, value: bytes) -> None:
        self._station.store.put_setting(name, value)

    def _shown(self, station: str, card: Card, certificate: bytes) -> None:
        """A station has shown its new certificate: from now on it is the only one."""
        self._put(f"pin.{card.root.ed25519_key.hex()}", certificate)
        self._station.bearers.reach(station, card)
        self._station.log.event("certificate.seen")


def _differ(one: Verifier, other: Verifier) -> bool:
    return (one.ed25519_key, one.mldsa_key) != (other.ed25519_key, other.mldsa_key)


def _unheard(future: "asyncio.Future[Accepted]") -> None:
    """Nobody waits for it; if the line stopped meanwhile, the word is said at the next change."""
    if not future.cancelled() and isinstance(future.exception(), Refused | Unavailable):
        return
