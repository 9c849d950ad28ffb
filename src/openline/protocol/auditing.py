"""Two histories of one lane: what a differing head, frame or acknowledgement leads to.

Spec: spec/11-forks.md.
"""

from openline.kernel.codec import encode
from openline.kernel.errors import Refused
from openline.kernel.lane import Fork, Generation, Lane, SignedHead
from openline.protocol.delivery import Peer
from openline.protocol.events import Now
from openline.protocol.forks import decode_fork, differs, encode_fork, from_frame, from_head
from openline.protocol.frames import FullEntries, HeadNote, frame_value
from openline.protocol.gathering import Gathering
from openline.protocol.lane_state import LaneState
from openline.protocol.lanes import LaneBook
from openline.protocol.records import PutEvidence, PutGeneration
from openline.protocol.statements import contradiction, encode_contradiction, is_contradiction

MAX_EVIDENCE = 1_024
"""Pieces kept of a line: who signs contradictions without end proves no more by the next one, and fills no disk."""
SHOWN_AGAIN_MS = 60_000
"""The owner of a forked lane is shown the proof at most as often."""


class Auditing:
    """Compares what members show of a lane, until a difference is proof."""

    def __init__(self, book: LaneBook, peers: dict[int, Peer], gathering: Gathering) -> None:
        self.book, self._peers, self.gathering = book, peers, gathering
        self._ahead: dict[tuple[int, tuple[int, Generation]], SignedHead] = {}
        """(who showed it, lane) -> the largest signed head beyond what is held: what comes must fit it (spec 11.2)."""
        self._proofs: dict[tuple[int, Generation], tuple[SignedHead, SignedHead]] = {}
        """Lane -> two heads that no single log has."""
        self._shown: dict[tuple[int, Generation], int] = {}
        """Lane -> until when its owner is not shown them again (steady)."""
        self._second: set[tuple[int, Generation]] = set()
        """Own lanes of which people were told that somebody else writes them."""
        for kept in book.reader.evidence():
            if not is_contradiction(kept.evidence):
                self._remember(decode_fork(book.terms.line, kept.evidence))

    def _remember(self, fork: Fork) -> None:
        key = fork.left.head.lane.key
        self.book.forked.add(key)
        self._proofs.setdefault(key, (fork.left, fork.right))

    def head(self, peer: Peer, signed: SignedHead, now: Now) -> None:
        """Somebody's head, whole: it must be one of ours, or it proves or suggests a fork."""
        lane = self.book.lane(*signed.head.lane.key)
        if not self.book.knows(lane.party, lane.generation) or lane.key in self.book.forked:
            return
        signed.check(self.book.owner(lane))
        state = self.book.state(lane)
        if signed.head.size > state.size:
            if lane.party == self.book.party and lane.generation == self.book.mine:
                self._second_writer(peer, lane)  # we sign nothing before it is durable: somebody else has (spec 13.11)
                return
            if not self.book.named.claimed(lane.party, lane.generation):
                self._ahead[peer.party, lane.key] = signed
            return
        if self.book.root_at(state, signed.head.size) == signed.head.root:
            return
        if lane.party == self.book.party:
            self._second_writer(peer, lane)
            return
        self.gathering.suspect(self._peers[lane.party], "another-history")  # no one log has both, proof or not
        fork = from_head(self.book, state, signed)
        if fork is not None:
            self._proved(lane, fork)
        else:
            self.begin(peer, lane, now)

    def statement(self, shown: PutGeneration) -> None:
        """A root-signed statement for a generation that has another key: both are kept (spec 11.7)."""
        book, party = self.book, shown.party
        if not shown.statement or not book.knows(party, shown.generation):
            return
        kept = book.named.get(party, shown.generation).statement
        if not kept or kept == shown.statement or len(book.reader.evidence()) >= MAX_EVIDENCE:
            return
        found = contradiction(book.terms.line, party, shown.generation, (kept, shown.statement))
        found.check(book.rings[party].root)
        evidence = encode_contradiction(found)
        if all(known.evidence != evidence for known in book.reader.evidence()):
            self.gathering.now.writes.append(PutEvidence(party=party, evidence=evidence))
            self.gathering.notice("keys-contradict", party, shown.generation.counter)

    def grown(self, lane: Lane, now: Now) -> None:
        """A lane has grown: heads that were shown of it before must fit."""
        size = self.book.state(lane).size
        for place in [(party, lane.key) for party in self._peers]:
            shown = self._ahead.get(place)
            if shown is not None and shown.head.size <= size:
                del self._ahead[place]
                self.head(self._peers[place[0]], shown, now)

    def _second_writer(self, peer: Peer, lane: Lane) -> None:
        """Another history of an own lane, under our own signature: people are told, and we go on in a new generation."""
        if lane.key not in self._second:
            self._second.add(lane.key)
            self.gathering.notice("second-writer", peer.party, lane.number)
        if lane.generation == self.book.mine:
            self.gathering.now.own_forked = True

    def refused(self, peer: Peer, lane: Lane, now: Now) -> None:
        """Its owner goes on with a forked lane, of which nothing more is taken: it is shown why (spec 11.8).

        Else the copy that did not speak first would take its line for a sound one, and nothing of it would arrive.
        """
        if peer.party != lane.party or self._shown.get(lane.key, now.steady) > now.steady:
            return
        self._shown[lane.key] = now.steady + peer.pace.long_patience(SHOWN_AGAIN_MS, now.steady)
        for signed in self._proofs.get(lane.key, ()):
            if peer.tell(encode(frame_value(HeadNote(signed=signed)))):
                self.gathering.now.peers.add(peer.party)

    def begin(self, peer: Peer, lane: Lane, now: Now) -> None:
        """Have a peer repeat a lane in full from its start: where it differs from ours, the difference is proof."""
        if lane.key not in peer.audited:
            peer.audited.add(lane.key)
            self.gathering.want(peer, lane, 0, now, full=True)

    def compare(self, peer: Peer, state: LaneState, frame: FullEntries, now: Now) -> None:
        """A full frame of what is held already: the same history, or a fork."""
        end = frame.first + len(frame.items)
        if frame.first > state.durable:
            return
        try:
            fork = from_frame(self.book, state, frame)
            if state.lane.party == self.book.party and differs(self.book, state, frame):
                self._second_writer(peer, state.lane)
                return
        except Refused:
            self.doubt(peer, state.lane)
            self.begin(peer, state.lane, now)
            return
        if fork is not None:
            self._proved(state.lane, fork)
        elif end > state.size:
            self.gathering.want(peer, state.lane, state.size, now, full=False)
        elif state.lane.key not in peer.audited:  # it has not heard that we hold this
            if state.lane.generation == self.book.current(state.lane.party):
                peer.echo_due = True
            else:
                self.gathering.held(peer, state, now)
            self.gathering.now.peers.add(peer.party)

    def doubt(self, peer: Peer, lane: Lane) -> None:
        """A full frame did not check. Its author is suspected; another member may hold another history in good faith."""
        if peer.party == lane.party:
            self.gathering.suspect(peer, "does-not-check")

    def _proved(self, lane: Lane, fork: Fork) -> None:
        if lane.key in self.book.forked:  # one proof is enough, and a peer has contradictions without end
            return
        fork.check(self.book.owner(lane))
        self._remember(fork)
        if len(self.book.reader.evidence()) < MAX_EVIDENCE:
            self.gathering.now.writes.append(PutEvidence(party=lane.party, evidence=encode_fork(fork)))
        self.gathering.notice("fork-proved", lane.party)
        author = self._peers.get(lane.party)
        if author is not None:
            self.gathering.suspect(author, "fork-proved")
