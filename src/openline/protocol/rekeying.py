"""Epochs with every peer: when a handshake starts, goes on and ends.

Spec: spec/10-epochs.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product

from openline.kernel.codec import Fields, decode, encode
from openline.kernel.crypto import SIV_TAG, Verifier, digest
from openline.kernel.envelope import HEADER, NONCE, open_handshake, seal_handshake
from openline.kernel.errors import Unknown
from openline.kernel.keys import statement_generation
from openline.kernel.lane import Head
from openline.kernel.units import BUCKETS, MAX_SEQ, Entropy
from openline.protocol.delivery import OVERLAP_MS, Peer
from openline.protocol.entries import EpochEntry, Mode
from openline.protocol.epochs import NO_ROOT, RESEND_MS, Opened, Said, Stage, shown_statement
from openline.protocol.events import Noticed, Now, Output, Transmit
from openline.protocol.fragments import cut
from openline.protocol.frames import FRAGMENT, Fragment, Last, frame_value, read_frames
from openline.protocol.introducing import introductions
from openline.protocol.lanes import LaneBook
from openline.protocol.open_epoch import Epoch
from openline.protocol.secrets import Secret

FIRST_MS = 500
"""How much later the higher party calls, so that two stations that start together do not both call."""
RENEW_MS = 24 * 3_600_000
"""An epoch lives a day: what is recorded on the wire and a key that is stolen later cover no more."""
WIDE_HANDSHAKE = 4_096
"""Envelopes that carry a handshake message whole (spec 9.22)."""
RENEW_THIN_MS = 6 * RENEW_MS
"""How much longer an epoch lives while only thin bearers are up: a handshake takes them three minutes at 300 bit/s."""
RENEW_LATER_MS = 5 * 60_000
"""The higher party gives the lower one this long to renew first."""
RENEW_ENVELOPES = 2**20
"""Or this many envelopes."""
DEAF_MS = 5_000
"""Unknown tags and nothing that opens for this long: the peer uses keys that we lack."""
RESCUE_AGAIN_MS = 30_000
NO_EVERY_MS = 10_000
"""A replayed init earns six answers a minute (spec 10.17)."""
NO_AT_ONCE = 4
"""And so many at once: a station that is restored again within seconds is not made to wait for its attempt number."""
SEALED = 4
"""Messages kept as they were sealed: own init or reply, finish or confirm, and a `no`."""
ANSWER_EVERY_MS = 500
"""New inits answered at most so often: below the first repetition of an honest one, far above what a flood would like."""


@dataclass(slots=True, kw_only=True)
class Opening:
    """What an opened epoch asks of the engine: an entry now, and answers once it is durable."""

    entry: EpochEntry
    peer: Peer
    after: list[Transmit] = field(default_factory=list)


class Rekeying:
    """Runs every peer's handshake on the engine's clock."""

    def __init__(
        self,
        book: LaneBook,
        peers: dict[int, Peer],
        entropy: Entropy,
        known: set[int],
        stolen: Callable[[bytes], bool],
    ) -> None:
        """`stolen` says of a pairing secret's name whether either side holds it for stolen (spec 10.22)."""
        self._book, self._peers, self._entropy, self._stolen = book, peers, entropy, stolen
        self.agreed: list[int] = []
        """Parties with whom an epoch was opened under a newer pairing secret: the one before may be destroyed."""
        self._known = known
        """Peers with whom some epoch was opened before: without a base, the next one is a rescue."""
        self.started: list[tuple[Peer, Transmit]] = []
        """First messages of new attempts; they go out once the store has the attempt numbers (spec 10.16)."""

    def begin(self, now: Now) -> None:
        """At the start of a line: call every peer with whom no epoch is open."""
        for peer in self._peers.values():
            peer.heard_at = now.steady
            peer.call_later_ms = FIRST_MS if peer.party < self._book.party else 0
            if peer.previous is not None:
                peer.previous_ends = (MAX_SEQ, now.steady + OVERLAP_MS)
            if peer.epoch is not None:
                # One from the future was opened by a clock that has been set back: nothing tells how long ago.
                peer.epoch.since = now.steady - (RENEW_MS if peer.epoch.opened > now.wall else 0)
                peer.control.extend(introductions(self._book))  # whatever was on its way when the process ended
            else:
                self._call_at(peer, now.steady + peer.call_later_ms)

    def _call_at(self, peer: Peer, at: int) -> None:
        peer.handshake_due = at if peer.handshake_due is None else min(at, peer.handshake_due)

    def renew(self, peer: Peer, now: Now) -> None:
        """Open a new epoch as soon as possible; a handshake under way is given up with its offer (spec 10.22)."""
        peer.handshake.abandon()
        self._call_at(peer, now.steady)

    def take_agreed(self) -> list[Noticed]:
        """Once: the parties with whom an epoch was opened under a newer pairing secret."""
        agreed, self.agreed = self.agreed, []
        return [Noticed(what="secret-agreed", party=party) for party in agreed]

    def secret(self, peer: Peer, psk: bytes, now: Now) -> None:
        """A new pairing secret was accepted here: it is tried at once."""
        peer.secrets.add(psk)
        peer.handshake.abandon()
        peer.refuse_after = peer.answer_after = now.steady
        self._call_at(peer, now.steady)

    def _heads(self) -> list[Head]:
        """One's own heads as far as they are durable."""
        own = [self._book.own(urgent=urgent) for urgent in (True, False)]
        return [state.head() for state in own if state.size and state.size == state.durable]

    def tick(self, now: Now) -> list[Output]:
        """Start, repeat or renew what is due; what starts waits in `started` until its attempt number is durable."""
        outputs: list[Output] = []
        for peer in self._peers.values():
            self._watch(peer, now)
            if peer.handshake_due is None or peer.handshake_due > now.steady:
                continue
            if not peer.largest:
                peer.handshake_due = None if peer.epoch else now.steady + 60_000  # a link that comes up makes it due
                continue
            if peer.one_way:
                peer.handshake_due = now.steady + 60_000  # nothing would be answered (spec 7.28)
                continue
            if peer.handshake.stage in (Stage.IDLE, Stage.ANSWERED):
                base = peer.epoch.attempt if peer.epoch and peer.base_ok and any(peer.epoch.root) else 0
                root = peer.epoch.root if peer.epoch and base else NO_ROOT
                peer.secrets.chosen = None
                if not self._speakable(peer, base):
                    peer.handshake_due = now.steady + 60_000  # people must pair again (spec 10.22)
                    continue
                self._speak(peer)
                said = peer.handshake.start(self._heads(), base, root, self._entropy)
                self.started.extend((peer, sent) for sent in self._seal(peer, said.messages, now))
            else:
                outputs.extend(self._seal(peer, peer.handshake.again().messages, now))
            peer.handshake_due = now.steady + peer.pace.long_patience(peer.handshake.wait_ms(), now.steady)
        return outputs

    def _speakable(self, peer: Peer, base: int) -> bool:
        """Whether some pairing secret may open an epoch on that base."""
        return any(base or not self._stolen(secret.name) for secret in peer.secrets.all)

    def _watch(self, peer: Peer, now: Now) -> None:
        """Notice when an epoch has to be renewed, or no longer serves."""
        if peer.epoch is None or peer.handshake_due is not None:
            return
        patience = RENEW_LATER_MS if peer.party < self._book.party else 0
        if peer.widest < WIDE_HANDSHAKE or peer.pace.bits_per_second:
            patience += RENEW_THIN_MS
        used = max(peer.epoch.outgoing.index, peer.epoch.incoming.edge)
        age = max(now.wall - peer.epoch.opened, now.steady - peer.epoch.since)
        old = age >= RENEW_MS + patience or used >= RENEW_ENVELOPES
        silent_ms = now.steady - peer.heard_at
        deaf = peer.unknown_tags > 0 and silent_ms >= peer.pace.long_patience(DEAF_MS, now.steady)
        if old or deaf:
            peer.unknown_tags = 0
            peer.heard_at = now.steady + RESCUE_AGAIN_MS
            self._call_at(peer, now.steady)

    def receive(self, peer: Peer, envelope: bytes, now: Now) -> tuple[list[Output], Opening | None]:
        """Take a handshake envelope. Raises Refused: nothing changed."""
        secret = peer.secrets.of(envelope)
        if secret is None:
            raise Unknown("no handshake envelope of this peer")
        content = open_handshake(secret.incoming, envelope)
        members = Fields(decode(content))
        if members.uint(0, 255) == FRAGMENT:
            frames, _ = read_frames(self._book.terms.line, [decode(content)])
            whole = peer.handshake_streams.join(frames[0]) if isinstance(frames[0], Fragment) else None
            if whole is None:
                return [], None
            content = whole
            members = Fields(decode(content))
        peer_key = self._heard_from(peer, shown_statement(members))
        self._speak(peer)
        roots = {e.attempt: e.root for e in (peer.epoch, peer.previous) if e is not None and any(e.root)}
        was = peer.handshake.stage
        peer.handshake.use(secret.psk)
        said = peer.handshake.receive(
            content,
            peer_key,
            self._heads(),
            roots,
            self._entropy,
            yields=peer.party < self._book.party,
            may_refuse=now.steady >= peer.refuse_after - (NO_AT_ONCE - 1) * NO_EVERY_MS,
            may_answer=now.steady >= peer.answer_after,
            may_rescue=not self._stolen(secret.name),
        )
        peer.secrets.chosen = secret
        if said.refused:
            peer.refuse_after = max(peer.refuse_after, now.steady) + NO_EVERY_MS
        if said.answered:
            peer.answer_after = now.steady + ANSWER_EVERY_MS
            peer.rescue_at = now.steady if peer.epoch is not None and peer.handshake.base_refused else peer.rescue_at
        if said.opened is not None:
            return [], self._opened(peer, said.opened, said, now)
        outputs: list[Output] = [*self._seal(peer, said.messages, now)]
        if was is Stage.CALLING and peer.handshake.stage is Stage.IDLE:
            peer.base_ok = not peer.handshake.base_refused
            peer.refusals += 1  # unsigned: who has no more than the pairing secret uses no numbers up (spec 10.18)
            pause = RESEND_MS[min(peer.refusals - NO_AT_ONCE, len(RESEND_MS)) - 1] if peer.refusals > NO_AT_ONCE else 0
            peer.handshake_due = now.steady + pause
        elif said.answered and peer.handshake_due is not None:
            # The caller repeats; we call only if it falls silent.
            peer.handshake_due = now.steady + peer.pace.long_patience(10 * FIRST_MS, now.steady)
        elif peer.handshake.stage is Stage.PROVED and was is not Stage.PROVED:
            peer.handshake_due = now.steady + peer.pace.long_patience(peer.handshake.wait_ms(), now.steady)
        return outputs, None

    def _speak(self, peer: Peer) -> None:
        """Have a handshake signed by the key in force, and show its statement where the peer may not know it."""
        book, mine = self._book, self._book.mine
        signer = book.signer(mine)
        if signer is None:
            raise Unknown("the lane key of this line is not in the keystore")
        statement = book.statement(book.party, mine)
        since = statement_generation(statement) if statement else mine
        known = any(
            of // 2 == book.party and generation >= since and size for (of, generation), size in peer.holds.items()
        )
        peer.handshake.speak_as(signer, statement, known=known)

    def _heard_from(self, peer: Peer, statement: bytes) -> Verifier:
        """The key that must have signed what a peer shows with that statement (spec 10.27).

        That of its latest generation held here, unless its root puts a later one in place: never an earlier one,
        which may be the thief's. Raises Refused.
        """
        current = self._book.current(peer.party)
        if statement and (generation := statement_generation(statement)) > current:
            return self._book.stated(peer.party, generation, statement)
        return self._book.rings[peer.party].lane(current)

    def _opened(self, peer: Peer, opened: Opened, said: Said, now: Now) -> Opening:
        mode = Mode.RENEWAL if opened.base else Mode.RESCUE if peer.party in self._known else Mode.FIRST
        self._known.add(peer.party)
        peer.refusals = 0
        old = peer.epoch.attempt if peer.epoch else None
        left = peer.switch(Epoch.begin(opened, self._book.party, peer.party, now), now.steady)
        if peer.secrets.served():
            self.agreed.append(peer.party)
        elif len(peer.secrets.all) > 1:
            self._call_at(peer, now.steady + peer.secrets.pause_ms())  # a reply under the newer one may have been lost
        peer.heard_at = now.steady
        peer.progress(now.steady)
        peer.control.clear()
        peer.haste.wants.clear()
        peer.control.extend(introductions(self._book))
        if old is not None and left is not None:
            peer.control.append(encode(frame_value(Last(attempt=old, index=left))))
        entry = EpochEntry(peer=peer.party, attempt=opened.attempt, mode=mode, handshake=digest(opened.transcript))
        return Opening(entry=entry, peer=peer, after=self._seal(peer, said.messages, now))

    def _seal(self, peer: Peer, messages: Sequence[bytes], now: Now) -> list[Transmit]:
        """Handshake messages in envelopes that the widest bearer to this peer carries (spec 9.22).

        What begins an attempt goes out under every pairing secret that may serve, what answers under the one that
        the peer spoke by.
        """
        chosen = peer.secrets.chosen
        secrets = peer.secrets.all if chosen is None else [chosen]
        limit = peer.widest or BUCKETS[-1]
        room = max((bucket for bucket in BUCKETS if bucket <= limit), default=BUCKETS[0])
        room -= HEADER + NONCE + SIV_TAG + 2
        envelopes = [each for message in messages for each in self._sealed(peer, message, secrets, room)]
        for envelope in envelopes:
            if peer.widest == peer.largest:
                peer.pace.took(len(envelope), now.steady, bulk=False)
        return [Transmit(party=peer.party, envelope=envelope, precedence=2) for envelope in envelopes]

    def _sealed(self, peer: Peer, message: bytes, secrets: Sequence[Secret], room: int) -> tuple[bytes, ...]:
        """One message as it is sealed, the same bytes each time: a slow bearer knows it again, and carries it once.

        A repeated message is cut into the same parts under the same id, so that each fills a gap of the former.
        """
        place = (digest(message), room, tuple(secret.name for secret in secrets))
        found = peer.sealed.get(place)
        if found is None:
            stream = int.from_bytes(digest(message)[:4], "big") | 1
            parts = [message] if len(message) <= room else cut(message, stream, room - 24)
            found = tuple(
                seal_handshake(secret.outgoing, part, self._entropy) for secret, part in product(secrets, parts)
            )
            peer.sealed[place] = found
            if len(peer.sealed) > SEALED:
                peer.sealed.popitem(last=False)
        else:
            peer.sealed.move_to_end(place)
        return found
