"""Which generation a station writes: continued after a stop, succeeded after a loss, a fork or a longer life elsewhere.

A successor opens at once and waits for nobody. Only what stands under one's own valid signature moves the
counter: a claim of somebody else changes nothing.

Spec: spec/13-restart.md.
"""

from openline.kernel.crypto import Verifier
from openline.kernel.errors import Conflict, Foreign, Refused, TooLarge
from openline.kernel.lane import GENERATION_ZERO, Generation
from openline.kernel.units import MAX_GENERATION, Entropy
from openline.protocol.delivery import Peer
from openline.protocol.drafts import Drafts
from openline.protocol.entries import MAX_NAMED_HEADS, Cause, GenerationEntry, TermsEntry
from openline.protocol.epochs import Stage
from openline.protocol.events import Now, Rejected, Rotate
from openline.protocol.fields import NamedHead
from openline.protocol.gathering import Gathering
from openline.protocol.introducing import generation_frame
from openline.protocol.lanes import LaneBook
from openline.protocol.records import Append, PutGeneration
from openline.protocol.restart import Continue, Restored

SUCCEED_AT_ONCE = 8
"""Superseded so often since the start, a station waits before it opens another: no restore is shown that many."""
SUCCEED_AGAIN_MS = 60_000
"""For how long, doubling."""
SUCCEED_MOST_MS = 86_400_000
"""The longest wait: two copies that both run need weeks for the generations that a line has room for."""


class Succession:
    """Opens own generations."""

    def __init__(
        self, *, book: LaneBook, peers: dict[int, Peer], drafts: Drafts, gathering: Gathering, entropy: Entropy
    ) -> None:
        self._book, self._peers, self._drafts = book, peers, drafts
        self._gathering, self._entropy = gathering, entropy
        self._superseded, self._not_before = 0, 0
        self._waits = False
        """Whether a generation above ours is held, and another above it is not opened yet."""

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
        if book.own(urgent=True).size:
            return
        if book.mine == GENERATION_ZERO:
            self._drafts.open_lanes(TermsEntry(book.terms.raw), now)
        else:  # a rebuilt station: its root certified this generation, and nothing else of its own is here yet
            self._open(book.mine, Cause.RESTORED, now)

    def rotate(self, event: Rotate, now: Now) -> Rejected | None:
        """Go on in that generation under that key, or say why not; then nothing has changed."""
        book = self._book
        try:
            _same_key(book.stated(book.party, event.generation, event.statement), event.signer.public)
            check_rotation(book, self._peers)
            above = max(book.generations(book.party))
            if event.generation.counter <= above.counter:
                raise Conflict("that generation is not above all that are known: ask for a new one")
            known = PutGeneration(
                party=book.party, generation=event.generation, seed=self._entropy(32), statement=event.statement
            )
            book.learn(known, stored=True)
        except Refused as refusal:
            return Rejected(token=event.token, code=refusal.code, reason=str(refusal))
        book.add_signer(event.signer)
        self._announce(known)
        self._open(event.generation, event.cause, now, event.token)
        for peer in self._peers.values():
            if peer.epoch is None or peer.handshake.stage is not Stage.IDLE:
                peer.handshake.abandon()  # it was signed by the key of before
                peer.handshake_due = now.steady
        return None

    def settle(self, now: Now) -> None:
        """What was shown of one's own lanes, under one's own signature, may end the generation (spec 13.11, 13.17)."""
        gathered, book = self._gathering.now, self._book
        if not (gathered.own_shown or gathered.own_forked or self._waits):
            return
        others = [generation for generation in book.named.held(book.party) if generation != book.mine]
        newest = max([book.mine, *others])
        ours = [w.lane.generation for w in gathered.writes if isinstance(w, Append) and w.lane.party == book.party]
        passed = is_passed(book) or newest > book.mine
        shared = book.mine in ours or gathered.own_forked
        gathered.own_shown = gathered.own_forked = False
        self._waits = passed and not shared and now.steady < self._not_before
        if self._waits or not (passed or shared):
            return
        try:
            self._succeed(newest.counter, Cause.SUPERSEDED, now)
        except TooLarge:
            self._gathering.notice("generations-exhausted", book.party)
        self._pace(now)

    def _pace(self, now: Now) -> None:
        """Another copy of this station may run: each would pass the other until the line has no room (spec 13.17)."""
        self._superseded += 1
        if self._superseded >= SUCCEED_AT_ONCE:
            pause = SUCCEED_AGAIN_MS << min(self._superseded - SUCCEED_AT_ONCE, 16)
            self._not_before = now.steady + min(pause, SUCCEED_MOST_MS)
            self._gathering.notice("second-writer", self._book.party, self._book.mine.counter)

    def _learn(self, generation: Generation) -> None:
        known = PutGeneration(party=self._book.party, generation=generation, seed=self._entropy(32))
        self._book.learn(known, stored=True)
        self._announce(known)

    def _announce(self, known: PutGeneration) -> None:
        self._gathering.now.writes.append(known)
        for peer in self._peers.values():
            if peer.epoch is not None:
                peer.control.append(generation_frame(known))

    def _succeed(self, above: int, cause: Cause, now: Now) -> None:
        """Open a successor generation; the old lanes are never continued (spec 13.6).

        Raises TooLarge where the table is full and this station may go on; after a restore it then says nothing more.
        """
        book = self._book
        counter = max([above, *(generation.counter for generation in book.named.held(book.party))]) + 1
        successor = Generation(min(counter, MAX_GENERATION), self._entropy(8))
        try:
            book.named.check_room(book.party, stated=False)
            book.check_counter(book.party, successor)
        except TooLarge:
            if cause is not Cause.RESTORED:
                raise
            # What a restore has ended is never continued: all is heard, and nothing said before there is a new lane key.
            book.mine, self._drafts.closed = successor, True
            self._gathering.notice("generations-exhausted", book.party)
            return
        self._learn(successor)
        self._open(successor, cause, now)
        self._gathering.notice("restored", book.party, successor.counter)

    def _open(self, successor: Generation, cause: Cause, now: Now, token: int | None = None) -> None:
        """Write on in a generation that is known."""
        book = self._book
        held = [generation for generation in book.named.held(book.party) if generation < successor]
        named = []
        for number in (2 * book.party, 2 * book.party + 1):
            for generation in held[-(MAX_NAMED_HEADS // 2) :]:
                state = book.state(book.lane(number, generation))
                if state.size:
                    named.append(NamedHead(lane=number, generation=generation, size=state.size, root=state.root))
        book.mine = successor
        book.all_ended()
        statement = book.named.get(book.party, successor).statement
        opening = GenerationEntry(heads=tuple(named), cause=cause, statement=statement)
        self._drafts.open_lanes(opening, now, token)


def is_passed(book: LaneBook) -> bool:
    """Whether a copy of this station has opened a generation that does not come before the one it writes (spec 13.17)."""
    held, mine = book.named.held(book.party), book.mine
    return any(generation.counter >= mine.counter > 0 for generation in held if generation != mine)


def check_rotation(book: LaneBook, peers: dict[int, Peer]) -> None:
    """Raise Conflict or TooLarge where this station may not have a new lane key now.

    Not while nobody has seen the generation that a restore opened (spec 13.16): if the store is from before a rotation,
    it is under a key that the others have replaced, and they would take it, certified a second time by what follows,
    for a lie. And not where no other member would take one more generation (spec 4.19).
    """
    heard = any((2 * book.party, book.mine) in peer.holds or peer.epoch for peer in peers.values())
    own = book.named.get(book.party, book.mine) if book.knows(book.party, book.mine) else None
    if book.mine.counter and not heard and not (own and own.statement):
        raise Conflict("this line was restored and has reached nobody since: reach the other side first, or rebuild")
    book.named.check_room(book.party, stated=True)


def _same_key(stated: Verifier, ours: Verifier) -> None:
    if (stated.ed25519_key, stated.mldsa_key) != (ours.ed25519_key, ours.mldsa_key):
        raise Foreign("the statement is for another key than this station has made")
