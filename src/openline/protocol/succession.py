"""Which generation a station writes: continued after a stop, succeeded after a loss, a fork or a longer life elsewhere.

A successor opens at once and waits for nobody. Only what stands under one's own valid signature moves the
counter: a claim of somebody else changes nothing.

Spec: spec/13-restart.md.
"""

from openline.kernel.errors import TooLarge
from openline.kernel.lane import Generation
from openline.kernel.units import MAX_GENERATION, Entropy
from openline.protocol.delivery import Peer
from openline.protocol.drafts import Drafts
from openline.protocol.entries import MAX_NAMED_HEADS, Cause, GenerationEntry, TermsEntry
from openline.protocol.events import Now
from openline.protocol.fields import NamedHead
from openline.protocol.gathering import Gathering
from openline.protocol.lanes import LaneBook
from openline.protocol.records import Append, PutGeneration
from openline.protocol.restart import Continue, Restored
from openline.protocol.sending import generation_frame


class Succession:
    """Opens own generations."""

    def __init__(
        self, *, book: LaneBook, peers: dict[int, Peer], drafts: Drafts, gathering: Gathering, entropy: Entropy
    ) -> None:
        self._book, self._peers, self._drafts = book, peers, drafts
        self._gathering, self._entropy = gathering, entropy

    def start(self, verdict: Continue | Restored, now: Now) -> None:
        """Go on, or open a successor, as restart.judge found."""
        if isinstance(verdict, Restored):
            for peer in self._peers.values():
                if peer.lose_epochs():  # no backup of ours has any; a copy of the disk has, and would use indexes twice
                    self._gathering.now.peers.add(peer.party)
            self._succeed(verdict.above, Cause.RESTORED, now)
            return
        book = self._book
        book.mine = verdict.generation
        if not book.knows(book.party, book.mine):
            self._learn(book.mine)
        if not book.own(urgent=True).size:
            self._drafts.open_lanes(TermsEntry(book.terms.raw), now)

    def settle(self, now: Now) -> None:
        """What was shown of one's own lanes, under one's own signature, may end the generation (spec 13.11)."""
        gathered, book = self._gathering.now, self._book
        if not gathered.own_shown and not gathered.own_forked:
            return
        newest = max([book.mine, *book.named.held(book.party)])
        ours = [w.lane.generation for w in gathered.writes if isinstance(w, Append) and w.lane.party == book.party]
        ended = newest > book.mine or book.mine in ours or gathered.own_forked
        gathered.own_shown = gathered.own_forked = False
        if not ended:
            return
        try:
            self._succeed(newest.counter, Cause.SUPERSEDED, now)
        except TooLarge:
            self._gathering.notice("generations-exhausted", book.party)

    def _learn(self, generation: Generation) -> None:
        known = PutGeneration(party=self._book.party, generation=generation, seed=self._entropy(32))
        self._book.learn(known, stored=True)
        self._gathering.now.writes.append(known)
        for peer in self._peers.values():
            if peer.epoch is not None:
                peer.control.append(generation_frame(known))

    def _succeed(self, above: int, cause: Cause, now: Now) -> None:
        """Open a successor generation; the old lanes are never continued (spec 13.6). Raises TooLarge: the table is full."""
        book = self._book
        held = book.named.held(book.party)
        named = []
        for number in (2 * book.party, 2 * book.party + 1):
            for generation in held[-(MAX_NAMED_HEADS // 2) :]:
                state = book.state(book.lane(number, generation))
                if state.size:
                    named.append(NamedHead(lane=number, generation=generation, size=state.size, root=state.root))
        counter = max([above, *(generation.counter for generation in held)]) + 1
        successor = Generation(min(counter, MAX_GENERATION), self._entropy(8))
        self._learn(successor)
        book.mine = successor
        self._drafts.open_lanes(GenerationEntry(heads=tuple(named), cause=cause), now)
        self._gathering.notice("restored", book.party, successor.counter)
