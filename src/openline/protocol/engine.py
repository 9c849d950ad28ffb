"""The only door: handle(input, now) -> outputs, for one line.

    Submit ──┐                       ┌─> Commit(writes, mark) ── Committed ─┐
    Arrived ─┴─> gathered, drafts ───┘                                      │
                                        sign, Transmit, Accepted, Shown <───┘

One commit is under way at a time; what comes meanwhile is gathered into the
next, so batches grow with the load. Nothing is signed, sent or shown before
what it says is durable and marked. If a commit fails, the caller throws the
engine away and makes a new one from the store.

Spec: spec/07-delivery.md, spec/13-restart.md.
"""

from openline.kernel.errors import Bug, Refused, Unknown
from openline.kernel.keys import Keyring
from openline.kernel.terms import parse_terms
from openline.kernel.units import Entropy, Instant
from openline.protocol.call_rooms import Rooms
from openline.protocol.delivery import Peer
from openline.protocol.drafts import Drafts, Written
from openline.protocol.entries import Ack
from openline.protocol.events import (
    Accepted,
    Arrived,
    Commit,
    Committed,
    Input,
    Link,
    Noticed,
    Now,
    Output,
    Renew,
    Rotate,
    Secret,
    Signal,
    Stored,
    Stow,
    Strange,
    Submit,
    Tick,
    Transmit,
    WakeAt,
)
from openline.protocol.folding import Folding
from openline.protocol.frames import decode_content
from openline.protocol.gathering import Batch, Gathered
from openline.protocol.intake import Intake
from openline.protocol.lane_state import LaneState
from openline.protocol.lanes import LaneBook
from openline.protocol.milestones import Milestones
from openline.protocol.open_epoch import Epoch
from openline.protocol.quotas import quotas_of
from openline.protocol.records import Append, LineReader, Mark, PutChunk, Write
from openline.protocol.rekeying import Opening, Rekeying
from openline.protocol.restart import judge
from openline.protocol.sending import Sending
from openline.protocol.setup import Setup, make_peers, read_cards
from openline.protocol.succession import Succession
from openline.protocol.transfers import Transfers
from openline.protocol.vouching import is_stolen

LOW_INDEXES = 32
"""Reserve envelope indexes when fewer than these are left: half a reservation, so that sending never waits for one."""
MAX_UNKNOWN = 256
"""Envelopes of unknown tag kept until a handshake may have given their keys."""


class Engine:
    """One line of one station. Reading attributes is free; changing happens through `handle` alone."""

    def __init__(self, setup: Setup, reader: LineReader, entropy: Entropy, now: Now) -> None:
        """Raises Refused if record, cards or store do not fit each other."""
        self.record, self.party = setup.record, setup.record.party
        self.terms = parse_terms(setup.record.terms)
        self.cards = read_cards(setup.record, self.terms)
        self._reader, self._entropy = reader, entropy
        rings = [Keyring(card.root, card.lane) for card in self.cards]
        self.book = LaneBook(self.terms, self.party, rings, reader, (*setup.retired, setup.signer))
        self.peers = make_peers(setup, self.terms, reader)
        quotas = {party: quotas_of(self.terms.policy, Instant(now.steady)) for party in self.peers}
        self.intake = Intake(self.book, self.peers, quotas)
        self.sending = Sending(self.book, entropy)
        self.transfers = Transfers(reader, self.intake.quotas)
        self.milestones = Milestones(self.book)
        self._folding = Folding(self.book, reader, self.transfers)
        self.fold = self._folding.fold
        self._policy = self.terms.policy
        self._follow_policy(now)
        known = {p for p in self.peers if self.fold.epoch(self.party, p) is not None}
        self.rekeying = Rekeying(self.book, self.peers, entropy, known, lambda name: is_stolen(self.fold, name))
        self._drafts = Drafts(self.book, self.suspended, self._held_by_all)
        self._rooms = Rooms(self.party, {party: peer.signals for party, peer in self.peers.items()})
        self._after: list[Transmit] = []
        self._batch: Batch | None = None
        self._unknown: list[bytes] = []
        self._token = 0
        self._wake: int | None = None
        self._marked = setup.mark
        self._succession = Succession(
            book=self.book, peers=self.peers, drafts=self._drafts, gathering=self.intake.gathering, entropy=entropy
        )
        self._succession.start(judge(self.terms.line, self.party, setup.mark, reader), now)
        if self.book.signer(self.book.mine) is None:
            raise Unknown("the lane key of this line is not in the keystore")

    # --- the door ---

    def start(self, now: Now) -> list[Output]:
        """The first outputs of a new engine; call once, before `handle`."""
        self.rekeying.begin(now)
        for peer in self.peers.values():
            self.intake.hearing.again(peer, now)
        return self._advance(now)

    def handle(self, event: Input, now: Now) -> list[Output]:
        """Take one input; return what is to be done, in this order."""
        outputs: list[Output] = []
        match event:
            case Submit():
                refusal = self._drafts.submit(event)
                return [refusal] if refusal is not None else self._begin()  # nothing to send before it is durable
            case Arrived(envelope) | Strange(envelope):
                outputs += self._arrived(envelope, now, known=isinstance(event, Arrived))
            case Stored(token):
                return self._show(
                    self._under_way(token).gathered, now
                )  # nothing to send before the mark is durable too
            case Committed(token):
                outputs += self._committed(token, now)
            case Link():
                self.sending.linked(self.peers[event.party], event, now.steady)
                outputs += self._tick(now)
            case Tick():
                outputs += self._tick(now)
            case Secret():
                self.rekeying.secret(self.peers[event.party], event.psk, now)
                outputs += self._tick(now)
            case Rotate():
                refusal = self._succession.rotate(event, now)
                return [refusal] if refusal is not None else self._begin()
            case Signal(party=party):
                outputs += self._rooms.send(self.fold, party, event.signal, now)
            case Renew(party):
                self.rekeying.renew(self.peers[party], now)
                outputs += self._tick(now)
            case Stow():
                self.intake.gathered.writes.append(
                    PutChunk(attachment=event.attachment, number=event.number, data=event.data)
                )
        return outputs + self._advance(now)

    def _held_by_all(self, state: LaneState) -> bool:
        return all(peer.holds.get(state.lane.key, 0) >= state.size for peer in self.peers.values())

    @property
    def closed(self) -> bool:
        """Whether nothing can be said before there is a new lane key (spec 4.19)."""
        return self._drafts.closed

    def suspended(self) -> list[int]:
        """The parties whose suspension stands."""
        return [party for party in range(len(self.terms.parties)) if self.fold.suspension(party) is not None]

    # --- what arrives ---

    def _arrived(self, envelope: bytes, now: Now, *, known: bool) -> list[Output]:
        for peer in self.peers.values():
            for epoch in (peer.epoch, peer.previous):
                if epoch is not None and epoch.incoming.knows(envelope):
                    return self._open(peer, epoch, envelope, now)
        for peer in self.peers.values():
            if peer.secrets.of(envelope) is not None:
                return self._handshake(peer, envelope, now)
            if peer.seen_again(envelope):
                return []
        for peer in self.peers.values():
            peer.unknown_tags += known
        self._unknown.append(envelope)
        del self._unknown[:-MAX_UNKNOWN]
        return [Noticed(what="unknown-tag", party=self.party)]

    def _open(self, peer: Peer, epoch: Epoch, envelope: bytes, now: Now) -> list[Output]:
        try:
            index, plain = epoch.incoming.open(envelope)
            content = decode_content(self.terms.line, plain)
        except Refused:
            if not epoch.incoming.knows(envelope):  # content out of shape is opened nevertheless, and told as opened
                self.intake.gathered.peers.add(peer.party)
            return [Noticed(what="envelope-refused", party=peer.party)]
        peer.heard_at, peer.unknown_tags = now.steady, 0
        self.intake.gathered.peers.add(peer.party)
        epoch.incoming.raise_floor(min(content.floor, index))
        if epoch is peer.epoch:
            peer.opened_up_to(content.first_unopened, now.steady)
        self.intake.frames(peer, content.frames, now)
        if epoch is peer.epoch:
            peer.note_opened(envelope)
        self._settle(now)
        return [Noticed(what="frame-unknown", party=peer.party, number=content.unknown)] if content.unknown else []

    def _handshake(self, peer: Peer, envelope: bytes, now: Now) -> list[Output]:
        try:
            outputs, opening = self.rekeying.receive(peer, envelope, now)
        except Refused:
            return [Noticed(what="handshake-refused", party=peer.party)]
        if opening is not None:
            self._epoch_opened(opening, now)
        return outputs

    def _epoch_opened(self, opening: Opening, now: Now) -> None:
        peer = opening.peer
        self.intake.gathered.peers.add(peer.party)
        self.intake.gathered.outputs.append(
            Noticed(what="epoch-opened", party=peer.party, number=opening.entry.attempt)
        )
        self.intake.gathered.outputs += self.rekeying.take_agreed()
        self._after += opening.after
        self._drafts.add(opening.entry, now)
        waiting, self._unknown = self._unknown, []
        for envelope in waiting:
            if peer.epoch is not None and peer.epoch.incoming.knows(envelope):
                self._open(peer, peer.epoch, envelope, now)

    def _settle(self, now: Now) -> None:
        """What accepted frames ask of the engine itself."""
        gathered = self.intake.gathered
        self._succession.settle(now)
        for chunk, peer in gathered.fetches:
            try:
                gathered.writes.extend(self.transfers.take(chunk))
            except Unknown:
                gathered.outputs.append(Noticed(what="frame-refused", party=peer.party))
        for wanted, peer in gathered.chunk_wants:
            self.transfers.serve(wanted, peer)
        gathered.fetches, gathered.chunk_wants = [], []

    # --- time ---

    def _tick(self, now: Now) -> list[Output]:
        self._succession.settle(now)
        outputs = self.rekeying.tick(now)
        started, self.rekeying.started = self.rekeying.started, []
        self.intake.gathered.peers.update(peer.party for peer, _ in started)
        self._after += [sent for _, sent in started]
        for peer in self.peers.values():
            peer.reseal(now.steady)
            self.intake.ask_again(peer, now)
            if not peer.pace.bits_per_second:
                outputs += peer.retransmissions(now.steady)
            if peer.previous is not None and peer.previous_ends is not None:
                index, deadline = peer.previous_ends
                if now.steady >= deadline or peer.previous.incoming.first_unopened >= index:
                    peer.previous, peer.previous_ends = None, None
                    self.intake.gathered.peers.add(peer.party)
        self.intake.gathered.writes += self.milestones.cosign(self.peers, now.steady)
        return outputs + self._rooms.hand_out(self.fold, now)

    def _advance(self, now: Now) -> list[Output]:
        """Begin the next commit if none is under way, send what may go, and say when to wake."""
        outputs: list[Output] = []
        asking = self.transfers.ask(self.peers, now.steady)
        for peer in self.peers.values():
            outputs += self._flush(peer, now)
        outputs += self._begin()
        times = [peer.deadline(now.steady) for peer in self.peers.values()] + [self.milestones.deadline(), asking]
        times += [now.steady + 60_000]  # renewals and handing on are looked at once a minute at least
        if len(self.terms.parties) > 2:
            times.append(now.steady + 2_500)
        wake = max(min(at for at in times if at is not None), now.steady + 1)
        if self._wake is None or wake < self._wake or now.steady >= self._wake:
            self._wake = wake
            outputs.append(WakeAt(wake))
        return outputs

    def _flush(self, peer: Peer, now: Now) -> list[Output]:
        """What may go to a peer. On a thin bearer it takes turns with repeats, which what is new alone puts an end to."""
        if not peer.pace.bits_per_second:
            return self.sending.flush(peer, now.steady)
        outputs: list[Output] = []
        for repeats in (False, True) if peer.repeated else (True, False):
            sent = peer.retransmissions(now.steady) if repeats else self.sending.flush(peer, now.steady)
            peer.repeated = repeats if sent else peer.repeated
            outputs += sent
        return outputs

    # --- commits ---

    def _begin(self) -> list[Output]:
        if self._batch is not None:
            return []
        gathered = self.intake.gathered
        reserved = [
            (peer, peer.epoch)
            for peer in self.peers.values()
            if peer.epoch is not None and peer.epoch.outgoing.left < LOW_INDEXES
        ]
        if gathered.acknowledge or self.book.unsaid:
            self._drafts.acknowledge(haste=bool(gathered.hasty))
        unmarked = self._mark() != self._marked  # a crash between commit and mark (spec 13.4)
        if not (self._drafts or gathered.writes or gathered.peers or reserved or self._after or unmarked):
            outputs, gathered.outputs = gathered.outputs, []
            return outputs
        self.intake.gathering.take()
        own, appends = self._drafts.write(haste=bool(gathered.hasty))
        self._answer(gathered.hasty, own)
        fresh = []
        for peer, epoch in reserved:
            state, keys = epoch.outgoing.reserve()
            epoch.record_outgoing = state
            fresh.append((epoch, keys))
            gathered.peers.add(peer.party)
        if gathered.new_generations:
            gathered.peers.update(self.peers)
        kept: list[Write] = [self.peers[party].record() for party in sorted(gathered.peers) if party in self.peers]
        writes = (*gathered.writes, *appends, *kept, *self._folding.snapshot_due())
        self._token += 1
        self._batch = Batch(
            token=self._token,
            gathered=gathered,
            own=own,
            sizes=[(self.book.state(w.lane), w.size + len(w.rows)) for w in writes if isinstance(w, Append)],
            announce=[
                (peer, peer.epoch, peer.epoch.incoming.first_unopened)
                for peer in self.peers.values()
                if peer.epoch is not None
            ],
            reserved=fresh,
            after=self._after,
        )
        self._after = []
        before, self._marked = self._marked, self._mark()
        return [Commit(token=self._token, writes=writes, mark=self._marked if self._marked != before else None)]

    def _answer(self, parties: set[int], own: list[Written]) -> None:
        """What of these own entries first acknowledges what those parties said in haste goes back so (spec 7.5)."""
        places = [(state.lane.key, row.index) for draft, state, row in own if isinstance(draft.entry, Ack)]
        for party in parties:
            self.peers[party].haste.answer = next(iter(places), None)

    def _mark(self) -> Mark | None:
        """What the next commit's mark has to say. While nothing can be written it stays: the next start finds the same."""
        if self._drafts.closed:
            return self._marked
        urgent, traffic = self.book.own(urgent=True), self.book.own(urgent=False)
        return Mark(generation=self.book.mine, urgent=urgent.size, traffic=traffic.size)

    def _under_way(self, token: int) -> Batch:
        if self._batch is None or self._batch.token != token:
            raise Bug("a commit that is not under way")
        return self._batch

    def _show(self, gathered: Gathered, now: Now) -> list[Output]:
        """What others said, once. It is durable; the mark speaks of own lanes, and nothing leaves here (spec 13.2)."""
        outputs: list[Output] = [self._folding.apply(lane, row, entry) for lane, row, entry in gathered.shown]
        outputs += gathered.outputs
        for party, signal in gathered.signals:
            outputs += self._rooms.came(party, signal, now)
        gathered.shown, gathered.outputs, gathered.signals = [], [], []
        return outputs + self._rooms.hand_out(self.fold, now)

    def _committed(self, token: int, now: Now) -> list[Output]:
        batch = self._under_way(token)
        self._batch = None
        for state, size in batch.sizes:
            state.durable = max(state.durable, size)
        for epoch, keys in batch.reserved:
            epoch.outgoing.free(keys)
        for peer, epoch, first_unopened in batch.announce:
            if peer.epoch is epoch:
                peer.announced = first_unopened
        if batch.own:
            self.sending.name_heads(self.peers, batch.sizes)
        outputs: list[Output] = list(batch.after)
        for peer in self.peers.values():
            outputs += self._flush(peer, now)
        for draft, state, row in batch.own:
            outputs.append(self._folding.apply(state.lane, row, draft.entry))
            if draft.token is not None:
                outputs.append(Accepted(token=draft.token, lane=state.lane, index=row.index, leaf_hash=row.nodes[0]))
        outputs += self._show(batch.gathered, now)
        for receipt, writes in self.transfers.finished():
            self.intake.gathered.writes += writes
            if receipt is not None:
                self._drafts.add(receipt, now)
        self.milestones.note(batch.sizes, [(draft.entry, state) for draft, state, _ in batch.own], now.steady)
        self._follow_policy(now)
        return outputs

    def _follow_policy(self, now: Now) -> None:
        """Another policy came into force: its quotas hold from here on (spec 6.45)."""
        policy = self.fold.policy
        if policy is self._policy:
            return
        self._policy = policy
        for party, quota in self.intake.quotas.items():
            self.intake.quotas[party] = quota.amended(policy, Instant(now.steady))
