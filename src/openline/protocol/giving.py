"""Giving entries anew to a peer that asks for them, or says that it holds less than was sent.

Either costs it a few bytes, and may bring a whole lane. So a lane is given anew at most once in WANT_ANSWER_MS, and
after pauses that double as long as the peer gets no further with it; what it asks for in between waits, and nothing
is refused. Who truly lacks it asks at a slower pace than this.

Spec: spec/07-delivery.md (7.12, 7.18, 7.20).
"""

from dataclasses import replace

from openline.kernel.lane import Generation, Lane
from openline.protocol.delivery import Peer
from openline.protocol.lanes import LaneBook
from openline.protocol.under_way import WANT_ANSWER_MOST_MS, WANT_ANSWER_MS, Given


class Giving:
    """Moves the cursors of sending back."""

    def __init__(self, book: LaneBook) -> None:
        self._book = book

    def asked(self, peer: Peer, lane: Lane, first: int, now: int, *, full: bool = False, ask: bool = True) -> None:
        """Give what lies behind `first` now, or after a pause. Where `ask`, a lane that is not one's own goes at once."""
        given = peer.given.get(lane.key)
        waits = given is not None and now - given.at < given.pause
        if given is None or not waits or first > given.to or (full and not given.full):
            self._give(peer, lane.key, first, now, full=full, ask=ask)
        elif now - given.at >= WANT_ANSWER_MS or first != given.first:  # else another copy of the same question
            least, whole = given.owed or (first, full)
            peer.given[lane.key] = replace(given, owed=(min(least, first), whole or full))

    def due(self, peer: Peer, now: int) -> None:
        """Give what has waited long enough."""
        for key, given in list(peer.given.items()):
            if given.owed is not None and given.due <= now:
                first, full = given.owed
                peer.given[key] = replace(given, owed=None)
                self._give(peer, key, first, now, full=full, ask=True)

    def _give(self, peer: Peer, key: tuple[int, Generation], first: int, now: int, *, full: bool, ask: bool) -> None:
        durable = self._book.state(self._book.lane(*key)).durable
        sent, before, held = peer.sent.get(key), peer.given.get(key), peer.holds.get(key, 0)
        if first > (durable if sent is None else sent):
            return
        if ask and key[0] // 2 != self._book.party and key not in self._book.forked:
            peer.asked.add(key)  # also where a lane that was given back has grown since
        if full:
            peer.full.add(key)
        peer.sent[key] = min(first, durable)
        if sent == first:
            return  # nothing goes twice
        pause, most, owed = WANT_ANSWER_MS, first, None
        if before is not None:
            further = first > before.most or held > before.held or now - before.at >= 2 * WANT_ANSWER_MOST_MS
            waits, most = now - before.at < before.pause, max(first, before.most)
            pause = before.pause if waits else min(2 * before.pause, WANT_ANSWER_MOST_MS)
            pause = WANT_ANSWER_MS if further else pause
            owed = before.owed if waits else None
        to = durable if sent is None else sent
        peer.given[key] = Given(first=first, full=full, at=now, pause=pause, to=to, most=most, held=held, owed=owed)
