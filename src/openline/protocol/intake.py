"""What arrived: from an envelope that opened to entries accepted, refused or asked for again.

Everything here runs on input from a peer that may lie. It grows lanes only
through signatures, and collects what must become durable before it is shown.

Spec: spec/07-delivery.md, spec/11-forks.md.
"""

from bisect import insort
from collections import deque
from dataclasses import replace

from openline.kernel.codec import decode
from openline.kernel.errors import Foreign, Forged, Refused, Unknown
from openline.kernel.lane import Head, Lane, SignedHead
from openline.kernel.units import Instant
from openline.protocol.acknowledgements import in_place, of_others
from openline.protocol.auditing import Auditing
from openline.protocol.call_signals import CallSignal
from openline.protocol.delivery import GAP_MS, OVERLAP_MS, Peer
from openline.protocol.early import Early
from openline.protocol.entries import Ack, AnyEntry, Kind, TermsEntry, fits
from openline.protocol.events import Now
from openline.protocol.fields import encode_kind
from openline.protocol.forks import signed_at
from openline.protocol.frames import (
    Chunk,
    ChunkWant,
    Cosignature,
    Entries,
    Fragment,
    Frame,
    FullEntries,
    GenerationSeed,
    HeadNote,
    Held,
    Last,
    Want,
    read_frames,
)
from openline.protocol.gathering import WANT_AGAIN_MS, Gathered, Gathering
from openline.protocol.giving import Giving
from openline.protocol.haste import in_haste, shows_haste
from openline.protocol.hearing import Hearing
from openline.protocol.lane_state import LaneState
from openline.protocol.lanes import LaneBook
from openline.protocol.quotas import HOUR_MS, PartyQuotas, full
from openline.protocol.records import Append, EntryRow, PutGeneration, PutHead

_ACK = encode_kind(Kind.ACK)
PURE_PER_HOUR = 720_000
"""Pure acknowledgements accepted of a party: one for each 5 ms (spec 12.5)."""


class Intake:
    """Takes frames of peers; the engine empties `gathered` into commits."""

    def __init__(self, book: LaneBook, peers: dict[int, Peer], quotas: dict[int, PartyQuotas]) -> None:
        self.book, self.quotas = book, quotas
        self._peers = peers
        self.gathering = Gathering(book)
        self._auditing = Auditing(book, peers, self.gathering)
        self.hearing = Hearing(book, peers, self.gathering, self._auditing)
        self.early, self.giving = Early(), Giving(book)
        self._next: deque[tuple[Peer, Entries | FullEntries]] = deque()
        """What came early and is due now."""
        self._pure = {party: full(PURE_PER_HOUR, HOUR_MS, quotas[party].urgent.at) for party in peers}

    @property
    def gathered(self) -> Gathered:
        """What the next commit will take."""
        return self.gathering.now

    def frames(self, peer: Peer, frames: tuple[Frame, ...], now: Now) -> None:
        """Take the frames of one envelope, in order. One that is refused is noticed and does not stop the others."""
        for frame in frames:
            self._try(peer, frame, now)
            while self._next:  # one after the other: each may be what the next one continues
                self._try(*self._next.popleft(), now)

    def _try(self, peer: Peer, frame: Frame, now: Now) -> None:
        """Also a frame that came early, still in the name of whoever sent it."""
        try:
            self._take(peer, frame, now)
        except Refused:
            self.gathering.notice("frame-refused", peer.party)

    def _take(self, peer: Peer, frame: Frame, now: Now) -> None:
        match frame:
            case Entries() | FullEntries():
                peer.haste.shown = peer.haste.shown or shows_haste(frame)
                if isinstance(frame, Entries):
                    self._entries(peer, frame, now)
                else:
                    self._full(peer, frame, now)
            case GenerationSeed():
                self._generation(peer, frame, now)
            case HeadNote():
                self._auditing.head(peer, frame.signed, now)
            case Want():
                self._want(peer, frame, now)
            case Held():
                self._held(peer, frame, now)
            case Cosignature():
                self._cosignature(frame)
            case Fragment():
                whole = peer.streams.join(frame)
                values = decode(whole) if whole is not None else []
                inner, _ = read_frames(self.book.terms.line, values if isinstance(values, list) else [])
                self.frames(peer, tuple(f for f in inner if not isinstance(f, Fragment)), now)
            case Last():
                if peer.previous is not None and peer.previous.attempt == frame.attempt:
                    ends = (
                        peer.previous_ends[1]
                        if peer.previous_ends
                        else now.steady + peer.pace.long_patience(OVERLAP_MS, now.steady)
                    )
                    peer.previous_ends = (frame.index, ends)
            case Chunk():
                self.gathered.fetches.append((frame, peer))
            case ChunkWant():
                self.gathered.chunk_wants.append((frame, peer))
            case CallSignal():
                self.gathered.signals.append((peer.party, frame))

    # --- entries ---

    def _entries(self, peer: Peer, frame: Entries, now: Now) -> None:
        party = frame.lane // 2
        if party >= len(self.book.terms.parties):
            raise Unknown("no such party")
        if party != peer.party:
            raise Foreign("short entries from another than their author")
        generation = self.book.named.of_counter(party, frame.counter)
        if generation is None:
            return  # its generation frame was lost or is still to come; the sender repeats both
        lane, first = self.book.lane(frame.lane, generation), frame.first
        state = self.book.state(lane)
        if lane.key in self.book.forked:
            self._auditing.refused(peer, lane, now)
            return
        if frame.first > state.size:
            self._keep_early(peer, lane, frame.first, frame, now)
            return
        if frame.first < state.size:
            if frame.first + len(frame.items) <= state.size:
                self._repeated(peer, state, frame, now)
                return
            frame = _rest(frame, state.size)  # its signature covers what is held too: it checks if that is the same
        pure = sum(item.kind == Kind.ACK for item in frame.items)
        if not self._within_quota(peer, lane, len(frame.items) - pure, pure, now):
            return
        try:
            rows, bodies = self.book.accept_short(state, frame)
        except (Forged, Unknown):
            self.gathering.want(peer, lane, first, now, full=True)
            return
        self._accepted(peer, state, rows, bodies, frame.signature, now)

    def _full(self, peer: Peer, frame: FullEntries, now: Now) -> None:
        lane = self.book.lane(*frame.lane.key)
        if lane.key in self.book.forked:
            self._auditing.refused(peer, lane, now)
            return
        if not self.book.knows(lane.party, lane.generation):
            return
        state = self.book.state(lane)
        if frame.first > state.size:
            self._keep_early(peer, frame.lane, frame.first, frame, now)
            return
        if frame.first < state.size:
            self._auditing.compare(peer, state, frame, now)
            return
        if self.book.named.claimed(lane.party, lane.generation) and not self.book.seed_fits(frame):
            raise Foreign("entries of a generation whose seed is another")
        pure = sum(entry.kind == _ACK for _, entry in frame.items)
        if not self._within_quota(peer, lane, len(frame.items) - pure, pure, now):
            return
        try:
            rows, bodies = self.book.accept_full(state, frame, from_author=peer.party == frame.lane.party)
        except Forged:
            self._auditing.doubt(peer, state.lane)
            if frame.first:
                self._auditing.begin(peer, state.lane, now)
            return
        self._accepted(peer, state, rows, bodies, frame.signature, now)

    def _accepted(  # noqa: PLR0917 - what one accepted frame brings
        self,
        peer: Peer,
        state: LaneState,
        rows: tuple[EntryRow, ...],
        bodies: list[AnyEntry | None],
        signature: bytes,
        now: Now,
    ) -> None:
        gathered, lane = self.gathered, state.lane
        self._count(lane, rows, now)
        self._judge(lane, rows, bodies)
        rows = tuple(
            row if (body is None) == row.refused else _refused(state, row)
            for row, body in zip(rows, bodies, strict=True)
        )
        unstored = self.book.named.unstored(lane.party, lane.generation)
        if unstored is not None:
            gathered.writes.append(unstored)
            gathered.new_generations = True
        gathered.writes.append(Append(lane=lane, size=rows[0].index, rows=rows))
        gathered.writes.append(PutHead(signed=SignedHead(head=state.head(), ed25519=signature)))
        gathered.peers.add(peer.party)
        gathered.shown.extend((lane, row, body) for row, body in zip(rows, bodies, strict=True))
        if any(not isinstance(body, Ack) for body in bodies):
            gathered.acknowledge = True
        if lane.party != self.book.party and any(in_haste(body) for body in bodies):
            gathered.hasty.add(lane.party)
        if lane.party == self.book.party:
            gathered.own_shown = True
            self.gathering.notice("entries-recovered", peer.party, len(rows))
        else:
            self.hearing.heard(lane, rows, bodies, now)
            self._ended(lane, rows)
        self._auditing.grown(lane, now)
        for author in self._peers.values():
            if lane.key in author.unheard or lane.key in author.ended:
                author.unheard.discard(lane.key)
                self.hearing.again(author, now)
        for other in self._peers.values():
            self._next.extend((other, frame) for frame in self.early.take(other.party, lane.key, state.size))

    def _ended(self, lane: Lane, rows: tuple[EntryRow, ...]) -> None:
        """What is held of ended generations no acknowledgement field names: it is signed apart (spec 4.18)."""
        current = self.book.current(lane.party)
        if lane.generation == current and rows[0].index == 0 and current.counter:
            if not self.book.state(self.book.lane(lane.number ^ 1, current)).size:  # the first of its two lanes
                self.book.ended(lane.party)
        elif lane.generation < current:  # kind 3 too: if its author lost it, nothing else says that it is here
            self.book.unsaid.add(lane.key)

    def _judge(self, lane: Lane, rows: tuple[EntryRow, ...], bodies: list[AnyEntry | None]) -> None:
        """Refuse what stands where it must not: terms that are not the line's, kinds in the wrong lane (spec 6.5)."""
        opening = lane.generation.counter == 0
        for place, (row, body) in enumerate(zip(rows, bodies, strict=True)):
            if body is None:
                self.gathering.notice("refused-entry", lane.party, row.index)
                continue
            wrong = isinstance(body, TermsEntry) and body.terms != self.book.terms.raw
            wrong = wrong or not in_place(row.entry.ack, lane, len(self.book.terms.parties))
            wrong = wrong or (isinstance(body, Ack) and not of_others(body.ended, lane, len(self.book.terms.parties)))
            if wrong or not fits(body, urgent=lane.urgent, index=row.index, opening=opening):
                bodies[place] = None
                self.gathering.notice("refused-entry", lane.party, row.index)

    def _within_quota(self, peer: Peer, lane: Lane, count: int, pure: int, now: Now) -> bool:
        """Whether the author may add so many now; if not, nothing is accepted and its station tries again (spec 12.4).

        Nothing is counted yet: what does not check costs its true author nothing.
        """
        if lane.party == self.book.party:
            return True
        quota, at = self.quotas[lane.party], Instant(now.steady)
        least = min(count, (quota.urgent if lane.urgent else quota.traffic).burst)  # or a large frame never fits
        fine = not count or quota.available(at, urgent=lane.urgent) >= max(least, 0)
        if not fine or (pure and self._pure[lane.party].available(at) < 1):
            self.gathering.notice("quota", peer.party)
            return False
        return True

    def _count(self, lane: Lane, rows: tuple[EntryRow, ...], now: Now) -> None:
        """Charge accepted entries to their author."""
        if lane.party != self.book.party:
            pure, at = sum(row.entry.kind == _ACK for row in rows), Instant(now.steady)
            self.quotas[lane.party] = self.quotas[lane.party].charge(at, len(rows) - pure, urgent=lane.urgent)
            self._pure[lane.party] = self._pure[lane.party].charge(at, pure)

    def _keep_early(self, peer: Peer, lane: Lane, first: int, frame: Entries | FullEntries, now: Now) -> None:
        peer.cropped |= self.early.keep(peer.party, lane.key, first, frame)
        peer.gaps.setdefault(lane.key, now.steady + peer.pace.patience(GAP_MS, now.steady))

    def ask_again(self, peer: Peer, now: Now) -> None:
        """Ask for what a gap is made of, once it has lasted longer than bearers differ; and for what others hold of us.

        And give what was asked for a while ago.
        """
        self.giving.due(peer, now.steady)
        if peer.unheard:  # a want that was lost, or crossed what it asked for, is not the last (spec 7.18, 13.8)
            self.hearing.again(peer, now)
        for key, due in list(peer.gaps.items()):
            state = self.book.state(self.book.lane(*key))
            waiting = self.early.ahead(key, state.size)
            if not waiting and key not in peer.cropped:
                del peer.gaps[key]
            elif due <= now.steady:
                peer.cropped.discard(key)
                peer.gaps[key] = now.steady + peer.pace.long_patience(WANT_AGAIN_MS, now.steady)
                # Over all bearers for FLASH: what lacks may have gone over one that does not say that it is dead.
                haste = any(shows_haste(frame) for frame in waiting)
                self.gathering.want(peer, state.lane, state.size, now, full=False, haste=haste)

    def _repeated(self, peer: Peer, state: LaneState, frame: Entries, now: Now) -> None:
        """Entries we hold already: the owner's signature tells whether they are the same ones."""
        end = frame.first + len(frame.items)
        if any(item.kind != Kind.ACK for item in frame.items):
            if state.lane.generation != self.book.current(state.lane.party):
                self.gathering.held(peer, state, now)
            else:
                peer.haste.again = peer.haste.again or shows_haste(frame)
                peer.echo_due = True  # for pure acknowledgements it would be answered by ours, and so on for ever
            self.gathered.peers.add(peer.party)
        head = Head(lane=state.lane, size=end, root=self.book.root_at(state, end))
        try:
            SignedHead(head=head, ed25519=frame.signature).check(self.book.owner(state.lane))
        except Forged:
            self.gathering.want(peer, state.lane, frame.first, now, full=True)

    # --- generations, heads, requests ---

    def _generation(self, peer: Peer, frame: GenerationSeed, now: Now) -> None:
        if frame.party >= len(self.book.terms.parties):
            raise Unknown("no such party")
        if frame.party == self.book.party and frame.generation == self.book.mine:
            return  # nobody tells us what we write
        party, generation = frame.party, frame.generation
        known = PutGeneration(party=party, generation=generation, seed=frame.seed, statement=frame.statement)
        self._auditing.statement(known)
        if not self.book.knows(party, generation) or self.book.named.open_to(known, peer.party):
            gone = self.book.learn(known, claim=peer.party != party)
            for other in self._peers.values():
                other.forget(gone)
        if party == peer.party:
            self.gathering.remind(peer, generation, now)

    def _want(self, peer: Peer, frame: Want, now: Now) -> None:
        lane = self.book.lane(*frame.lane.key)
        if not self.book.knows(lane.party, lane.generation) or self.book.named.claimed(lane.party, lane.generation):
            raise Unknown("a generation of which nothing is held")
        self.giving.asked(peer, lane, frame.first, now.steady, full=frame.full)
        if frame.first <= self.book.state(lane).durable:
            peer.told[lane.key] = min(peer.told.get(lane.key, frame.first), frame.first)

    def _held(self, peer: Peer, frame: Held, now: Now) -> None:
        for lane, size in frame.heads:
            if lane.party >= len(self.book.terms.parties) or not self.book.knows(lane.party, lane.generation):
                continue
            if not self.book.named.claimed(lane.party, lane.generation):
                peer.told[lane.key] = size
            state = self.book.state(lane)
            if lane.party == peer.party and size < state.durable:  # it lost some of its own: it gets them back unasked
                self.giving.asked(peer, lane, size, now.steady)
            elif (lacks := max(size, peer.holds.get(lane.key, 0))) < peer.sent.get(lane.key, 0):
                self.giving.asked(peer, lane, lacks, now.steady, ask=False)
            if lane.party != peer.party and size > state.size:
                self.gathering.want(peer, lane, state.size, now, full=False)

    def _cosignature(self, frame: Cosignature) -> None:
        lane = self.book.lane(*frame.lane.key)
        if not self.book.knows(lane.party, lane.generation):
            raise Unknown("a generation that is not known")
        state = self.book.state(lane)
        if frame.size > state.durable:
            # Its entries came a moment ago: a size is in `roots` before it is durable only if its owner signed it.
            kept = frame.size in state.roots
        else:
            signed = signed_at(self.book, state, frame.size)
            kept = signed is not None and not signed.mldsa
        if not kept:
            return
        head = Head(lane=lane, size=frame.size, root=self.book.root_at(state, frame.size))
        self.book.owner(lane).mldsa(frame.signature, head.cosigned())
        self.gathered.writes.append(PutHead(signed=SignedHead(head=head, ed25519=b"", mldsa=frame.signature)))


def _rest(frame: Entries, size: int) -> Entries:
    """What of a frame goes beyond the entries that are held (spec 7.13)."""
    return replace(frame, first=size, items=frame.items[size - frame.first :])


def _refused(state: LaneState, row: EntryRow) -> EntryRow:
    """The row of an entry that is refused after all, although it decoded; it is named in the next acknowledgement."""
    insort(state.refused_unnamed, row.index)
    return EntryRow(index=row.index, nodes=row.nodes, entry=row.entry, unopened=row.unopened, refused=True)
