"""What arrived: from an envelope that opened to entries accepted, refused or asked for again.

Everything here runs on input from a peer that may lie. It grows lanes only
through signatures, and collects what must become durable before it is shown.

Spec: spec/07-delivery.md, spec/11-forks.md.
"""

from openline.kernel.codec import decode
from openline.kernel.errors import Forged, Refused, Unknown
from openline.kernel.lane import Head, Lane, SignedHead
from openline.kernel.units import Instant
from openline.protocol.acknowledgements import NOTHING, decode_ack
from openline.protocol.auditing import Auditing
from openline.protocol.delivery import Peer
from openline.protocol.entries import Ack, AnyEntry, GenerationEntry, Kind, TermsEntry, fits
from openline.protocol.events import Holds, Now
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
from openline.protocol.lanes import LaneBook, LaneState
from openline.protocol.quotas import PartyQuotas
from openline.protocol.records import (
    Append,
    EntryRow,
    PutGeneration,
    PutHead,
)

GAP_MS = 300
"""How long a gap may last before it is asked for: two bearers seldom differ by more."""
_ACK = encode_kind(Kind.ACK)
MAX_EARLY = 64
"""Frames kept that arrived before the ones they continue, per line: one window of a reordering bearer."""


class Intake:
    """Takes frames of peers; the engine empties `gathered` into commits."""

    def __init__(self, book: LaneBook, peers: dict[int, Peer], quotas: dict[int, PartyQuotas]) -> None:
        self.book, self.quotas = book, quotas
        self._peers = peers
        self.gathering = Gathering(book)
        self._auditing = Auditing(book, peers, self.gathering)
        self._early: dict[tuple[str, int], tuple[int, Entries | FullEntries]] = {}

    @property
    def gathered(self) -> Gathered:
        """What the next commit will take."""
        return self.gathering.now

    def frames(self, peer: Peer, frames: tuple[Frame, ...], now: Now) -> None:
        """Take the frames of one envelope, in order. One that is refused is noticed and does not stop the others."""
        for frame in frames:
            try:
                self._take(peer, frame, now)
            except Refused:
                self.gathering.notice("frame-refused", peer.party)

    def _take(self, peer: Peer, frame: Frame, now: Now) -> None:
        match frame:
            case Entries():
                self._entries(peer, frame, now)
            case FullEntries():
                self._full(peer, frame, now)
            case GenerationSeed():
                self._generation(peer, frame)
            case HeadNote():
                self._auditing.head(peer, frame.signed, now)
            case Want():
                self._want(peer, frame)
            case Held():
                self._held(peer, frame, now)
            case Cosignature():
                self._cosignature(frame)
            case Fragment():
                whole = peer.reassemble(frame)
                values = decode(whole) if whole is not None else []
                inner, _ = read_frames(self.book.terms.line, values if isinstance(values, list) else [])
                self.frames(peer, tuple(f for f in inner if not isinstance(f, Fragment)), now)
            case Last():
                if peer.previous is not None and peer.previous.attempt == frame.attempt:
                    peer.previous_ends = (frame.index, now.steady + 60_000)
            case Chunk():
                self.gathered.fetches.append((frame, peer))
            case ChunkWant():
                self.gathered.chunk_wants.append((frame, peer))

    # --- entries ---

    def _entries(self, peer: Peer, frame: Entries, now: Now) -> None:
        party = frame.lane // 2
        if party >= len(self.book.terms.parties):
            raise Unknown("no such party")
        known = [g for g in self.book.generations(party) if g.counter == frame.counter]
        if not known:
            return  # its generation frame was lost or is still to come; the sender repeats both
        lane = self.book.lane(frame.lane, known[-1])
        state = self.book.state(lane)
        if lane.key in self.book.forked:
            return
        if frame.first > state.size:
            self._keep_early(peer, lane, frame.first, frame, now)
            return
        if frame.first < state.size:
            self._repeated(peer, state, frame, now)
            return
        if not self._within_quota(peer, state, sum(item.kind != Kind.ACK for item in frame.items), now):
            return
        try:
            rows, bodies = self.book.accept_short(state, frame)
        except (Forged, Unknown):
            self.gathering.want(peer, lane, frame.first, now, full=True)
            return
        self._accepted(peer, state, rows, bodies, frame.signature, now)

    def _full(self, peer: Peer, frame: FullEntries, now: Now) -> None:
        state = self.book.state(self.book.lane(*frame.lane.key))
        if not self.book.knows(frame.lane.party, frame.lane.generation) or frame.lane.key in self.book.forked:
            return
        if frame.first > state.size:
            self._keep_early(peer, frame.lane, frame.first, frame, now)
            return
        if frame.first < state.size:
            self._auditing.compare(peer, state, frame, now)
            return
        if not self._within_quota(peer, state, sum(entry.kind != _ACK for _, entry in frame.items), now):
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
        self._judge(lane, rows, bodies)
        rows = tuple(
            row if (body is None) == row.refused else _refused(state, row)
            for row, body in zip(rows, bodies, strict=True)
        )
        gathered.writes.append(Append(lane=lane, size=rows[0].index, rows=rows))
        gathered.writes.append(PutHead(signed=SignedHead(head=state.head(), ed25519=signature)))
        gathered.peers.add(peer.party)
        gathered.shown.extend((lane, row, body) for row, body in zip(rows, bodies, strict=True))
        if any(not isinstance(body, Ack) for body in bodies):
            gathered.acknowledge = True
        if lane.party == self.book.party:
            gathered.own_shown = True
            self.gathering.notice("entries-recovered", peer.party, len(rows))
        else:
            self._heard(lane, rows, bodies, now)
        for author in self._peers.values():
            if lane.key in author.unheard:
                author.unheard.discard(lane.key)
                self.hear_again(author, now)
        early = self._early.pop((lane.origin, state.size), None)
        if early is not None:
            self._take(peer, early[1], now)

    def _judge(self, lane: Lane, rows: tuple[EntryRow, ...], bodies: list[AnyEntry | None]) -> None:
        """Refuse what stands where it must not: terms that are not the line's, kinds in the wrong lane (spec 6.5)."""
        opening = lane.generation.counter == 0
        for place, (row, body) in enumerate(zip(rows, bodies, strict=True)):
            if body is None:
                self.gathering.notice("refused-entry", lane.party, row.index)
                continue
            wrong_terms = isinstance(body, TermsEntry) and body.terms != self.book.terms.raw
            if wrong_terms or not fits(body, urgent=lane.urgent, index=row.index, opening=opening):
                bodies[place] = None
                self.gathering.notice("refused-entry", lane.party, row.index)

    def _within_quota(self, peer: Peer, state: LaneState, count: int, now: Now) -> bool:
        """Whether the author may add so many now; if not, nothing is accepted and its station tries again (spec 12)."""
        author = state.lane.party
        if author == self.book.party:
            return True
        quota = self.quotas[author]
        least = min(count, (quota.urgent if state.lane.urgent else quota.traffic).burst)  # or a large frame never fits
        self.quotas[author], fine = quota.take(Instant(now.steady), least, urgent=state.lane.urgent)
        if not fine:
            self.gathering.notice("quota", peer.party)
        return fine

    def _keep_early(self, peer: Peer, lane: Lane, first: int, frame: Entries | FullEntries, now: Now) -> None:
        self._early[lane.origin, first] = (peer.party, frame)
        if len(self._early) > MAX_EARLY:
            del self._early[next(iter(self._early))]
        peer.gaps.setdefault(lane.key, now.steady + GAP_MS)

    def ask_again(self, peer: Peer, now: Now) -> None:
        """Ask for what a gap is made of, once it has lasted longer than bearers differ."""
        for key, due in list(peer.gaps.items()):
            state = self.book.state(self.book.lane(*key))
            waiting = [first for origin, first in self._early if origin == state.lane.origin and first > state.size]
            if not waiting:
                del peer.gaps[key]
            elif due <= now.steady:
                peer.gaps[key] = now.steady + WANT_AGAIN_MS
                self.gathering.want(peer, state.lane, state.size, now, full=False)

    def _repeated(self, peer: Peer, state: LaneState, frame: Entries, now: Now) -> None:
        """Entries we hold already: the owner's signature tells whether they are the same ones."""
        end = frame.first + len(frame.items)
        if end > state.size:
            self.gathering.want(peer, state.lane, state.size, now, full=False)
            return
        if any(item.kind != Kind.ACK for item in frame.items):
            peer.echo_due = True  # for pure acknowledgements it would be answered by ours, and so on for ever
            self.gathered.peers.add(peer.party)
        head = Head(lane=state.lane, size=end, root=self.book.root_at(state, end))
        try:
            SignedHead(head=head, ed25519=frame.signature).check(self.book.owner(state.lane))
        except Forged:
            self.gathering.want(peer, state.lane, frame.first, now, full=True)

    # --- acknowledgements ---

    def _heard(self, lane: Lane, rows: tuple[EntryRow, ...], bodies: list[AnyEntry | None], now: Now) -> None:
        """What an author says it holds. Its own later generation replaces what it said before (spec 13)."""
        author = self._peers.get(lane.party)
        if author is None or lane.generation != self.book.current(lane.party):
            return
        last = NOTHING
        for row, body in zip(rows, bodies, strict=True):
            if isinstance(body, GenerationEntry) and row.index == 0 and lane.urgent:
                author.holds.clear()
                author.heard.clear()
                author.told.clear()
                author.sent.clear()
                self.gathering.notice("generation-opened", lane.party, lane.generation.counter)
            if body is None or row.entry.ack == last:
                continue
            last = row.entry.ack
            self._acknowledged(author, lane.number, last, now)

    def hear_again(self, author: Peer, now: Now) -> None:
        """What a party said last, held against what is held here now: after a start, and when a lane has grown."""
        for low in (0, 1):
            state = self.book.state(self.book.lane(2 * author.party + low, self.book.current(author.party)))
            if state.size:
                self._acknowledged(author, state.lane.number, state.last_ack, now)

    def _acknowledged(self, author: Peer, by: int, data: bytes, now: Now) -> None:
        for item in decode_ack(data):
            lane = self.book.lane(item.lane, item.generation)
            if lane.party == author.party or not self.book.knows(lane.party, item.generation):
                continue
            state = self.book.state(lane)
            if item.size > state.size:
                author.unheard.add(lane.key)
                if lane.party == self.book.party:
                    self.gathering.want(author, lane, state.size, now, full=False)  # it holds more of us than we do
                continue
            if self.book.root_at(state, item.size) != item.root:
                if lane.party != self.book.party:
                    self._auditing.begin(
                        author, lane, now
                    )  # somebody else's lane: it holds another history, in good faith
                    continue
                self.gathering.suspect(author, "acknowledges-another-history")
                continue
            # Its two lanes arrive in any order, but within one of them what it said it holds never shrinks.
            if item.size < author.heard.get((by, lane.key), 0):
                self.gathering.suspect(author, "acknowledgement-went-back")
            author.heard[by, lane.key] = item.size
            if item.size > author.holds.get(lane.key, 0):
                author.holds[lane.key] = item.size
                author.progress(now.steady)
                if lane.party == self.book.party:
                    number, generation = lane.key
                    self.gathered.outputs.append(
                        Holds(party=author.party, lane=number, generation=generation, size=item.size)
                    )

    # --- generations, heads, requests ---

    def _generation(self, peer: Peer, frame: GenerationSeed) -> None:
        if frame.party >= len(self.book.terms.parties):
            raise Unknown("no such party")
        known = PutGeneration(
            party=frame.party, generation=frame.generation, seed=frame.seed, statement=frame.statement
        )
        if self.book.knows(frame.party, frame.generation):
            empty = not any(
                self.book.state(self.book.lane(2 * frame.party + low, frame.generation)).size for low in (0, 1)
            )
            # Somebody else may have told us a wrong seed; the party itself, or whoever delivers, corrects it.
            if frame.party == self.book.party or not empty:
                return
            if self.book.put_generation(frame.party, frame.generation) == known:
                return
        self.book.learn(known)
        self.gathered.writes.append(known)
        self.gathered.new_generations = True
        self.gathered.peers.add(peer.party)

    def _want(self, peer: Peer, frame: Want) -> None:
        state = self.book.state(self.book.lane(*frame.lane.key))
        key = frame.lane.key
        if frame.first < peer.sent.get(key, state.durable + 1):
            peer.sent[key] = min(frame.first, state.durable)
            peer.behind[key] = -(10**12)  # asked for: hand on without waiting
            if frame.full:
                peer.full.add(key)
        if frame.first <= state.durable:
            peer.told[key] = min(peer.told.get(key, frame.first), frame.first)

    def _held(self, peer: Peer, frame: Held, now: Now) -> None:
        for lane, size in frame.heads:
            if lane.party >= len(self.book.terms.parties):
                continue
            peer.told[lane.key] = size
            if lane.key in peer.sent:
                peer.sent[lane.key] = min(peer.sent[lane.key], max(size, peer.holds.get(lane.key, 0)))
            state = self.book.state(lane)
            mine = lane.party != peer.party and size > state.size
            if mine and self.book.knows(lane.party, lane.generation):
                self.gathering.want(peer, lane, state.size, now, full=False)

    def _cosignature(self, frame: Cosignature) -> None:
        lane = self.book.lane(*frame.lane.key)
        state = self.book.state(lane)
        signed = signed_at(self.book, state, frame.size) if frame.size <= state.durable else None
        if signed is None or signed.mldsa:
            return
        whole = SignedHead(head=signed.head, ed25519=signed.ed25519, mldsa=frame.signature)
        whole.check(self.book.owner(lane))
        self.gathered.writes.append(PutHead(signed=whole))


def _refused(state: LaneState, row: EntryRow) -> EntryRow:
    """The row of an entry that is refused after all, although it decoded; it is named in the next acknowledgement."""
    state.refused_unnamed.append(row.index)
    return EntryRow(index=row.index, nodes=row.nodes, entry=row.entry, unopened=row.unopened, refused=True)
