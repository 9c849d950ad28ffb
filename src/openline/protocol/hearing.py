"""What other parties sign that they hold: taken from the acknowledgements in their entries.

Spec: spec/07-delivery.md (7.3, 7.16, 7.17), spec/13-restart.md (13.9).
"""

from openline.kernel.errors import Unknown
from openline.kernel.lane import Lane
from openline.protocol.acknowledgements import NOTHING, AckItem, decode_ack, in_place
from openline.protocol.auditing import Auditing
from openline.protocol.delivery import Peer
from openline.protocol.entries import Ack, AnyEntry, GenerationEntry
from openline.protocol.events import Holds, Now
from openline.protocol.gathering import Gathering
from openline.protocol.lanes import LaneBook
from openline.protocol.records import EntryRow

MAX_CLAIMS = 256
"""What a party said of our lanes or of ended generations and cannot be compared yet, remembered: two entries full."""


class Hearing:
    """Reads acknowledgements and holds them against what is here."""

    def __init__(self, book: LaneBook, peers: dict[int, Peer], gathering: Gathering, auditing: Auditing) -> None:
        self.book, self.gathering = book, gathering
        self._peers, self._auditing = peers, auditing

    def heard(self, lane: Lane, rows: tuple[EntryRow, ...], bodies: list[AnyEntry | None], now: Now) -> None:
        """What an author says it holds. Its own later generation replaces what it said before (spec 13.9)."""
        author = self._peers.get(lane.party)
        if author is None or lane.generation != self.book.current(lane.party):
            return
        last = NOTHING
        for row, body in zip(rows, bodies, strict=True):
            if isinstance(body, GenerationEntry) and row.index == 0 and lane.urgent:
                author.begin_anew()
                self.gathering.notice("generation-opened", lane.party, lane.generation.counter)
            if body is None:
                continue
            if row.entry.ack != last:
                last = row.entry.ack
                for item in decode_ack(last):
                    if not self._item(author, lane, item, now) and item.lane // 2 == self.book.party:
                        self._claimed(author, item)  # its later entries may name another generation of ours
            for item in body.ended if isinstance(body, Ack) else ():
                if not self._item(author, lane, item, now):
                    self._claimed(author, item)

    def again(self, author: Peer, now: Now) -> None:
        """What a party said last, held against what is held here now: after a start, and when a lane has grown."""
        for low in (0, 1):
            state = self.book.state(self.book.lane(2 * author.party + low, self.book.current(author.party)))
            if state.size and in_place(state.last_ack, state.lane, len(self.book.terms.parties)):
                for item in decode_ack(state.last_ack):
                    self._item(author, state.lane, item, now)
        for (number, generation), (size, root) in list(author.ended.items()):
            item = AckItem(lane=number, generation=generation, size=size, root=root)
            if self._item(author, None, item, now):
                del author.ended[number, generation]
                self._keep(author)

    def _claimed(self, author: Peer, item: AckItem) -> None:
        """Remember what cannot be compared before more has come: nothing it says later need name this generation (4.18)."""
        key = item.lane, item.generation
        size, _ = author.ended.get(key, (0, b""))
        if item.size > size and (size or len(author.ended) < MAX_CLAIMS):
            author.ended[key] = item.size, item.root
            self._keep(author)

    def _keep(self, author: Peer) -> None:
        """What is kept of it has changed."""
        self.gathering.now.peers.add(author.party)

    def _item(self, author: Peer, by: Lane | None, item: AckItem, now: Now) -> bool:
        """Whether there is an end to it: it counts, or never will; if not, it is looked at again when more has come.

        `by` is the lane that says it; None: it was remembered, and later words may have counted before it.
        """
        lane = self.book.lane(item.lane, item.generation)
        if lane.party == author.party:
            return True
        known = self.book.knows(lane.party, lane.generation)
        if not known or self.book.named.claimed(lane.party, lane.generation):
            return False
        state = self.book.state(lane)
        if item.size > state.size:
            author.unheard.add(lane.key)
            if lane.party == self.book.party:
                self.gathering.want(author, lane, state.size, now, full=False)  # it holds more of us than we do
            return False
        try:
            root = self.book.root_at(state, item.size)
        except Unknown:  # on its way to the disk
            author.unheard.add(lane.key)
            return False
        if root == item.root:
            self._counts(author, by, lane, item, now)
        elif lane.party == self.book.party:
            self.gathering.suspect(author, "acknowledges-another-history")
        else:
            self._auditing.begin(author, lane, now)  # it may hold another history in good faith
        return True

    def _counts(self, author: Peer, by: Lane | None, lane: Lane, item: AckItem, now: Now) -> None:
        # Its two lanes arrive in any order, but within one lane generation what it said it holds never shrinks.
        if by is not None:
            if item.size < author.heard.get((by.key, lane.key), 0):
                self.gathering.suspect(author, "acknowledgement-went-back")
                return  # not counted (spec 7.16)
            author.heard[by.key, lane.key] = item.size
        if item.size > author.holds.get(lane.key, 0):
            author.holds[lane.key] = item.size
            author.progress(now.steady)
            if lane.generation != self.book.current(lane.party):
                self._keep(author)  # after a start its last words say nothing of this generation
            if lane.party == self.book.party:
                number, generation = lane.key
                self.gathering.now.outputs.append(
                    Holds(party=author.party, lane=number, generation=generation, size=item.size)
                )
