"""All calls of a line, folded from entries in any order that keeps that of each lane.

Kept are the calls that have not ended, those of which the own station has not
said its last word, and the newest of the others, in the order in which they
came: no time that anybody claims moves a call. What is older stands in the
store, and is read again from there. At the same entries every book says the
same of a call.

Spec: spec/17-calls.md, 17.5 to 17.19.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from openline.kernel.lane import Generation
from openline.kernel.units import Instant
from openline.protocol.call_entries import (
    RING_MS,
    HangUp,
    Minutes,
    MinutesWord,
    PickUp,
    Refusal,
    Ring,
    Seat,
    SeatAct,
    TypedLine,
)
from openline.protocol.call_gathering import Gathered
from openline.protocol.calls import (
    MAX_DRAFTS,
    MAX_SEAT_ACTS,
    MAX_TYPED,
    Call,
    CallState,
    Key,
    MinutesState,
    Record,
    Said,
    Seated,
    SeatState,
    is_settled,
    may_ring,
    rank,
)
from openline.protocol.entries import Attachment
from openline.protocol.facts import Place
from openline.protocol.fields import Ref

__all__ = [
    "MAX_DRAFTS", "MAX_SEAT_ACTS", "MAX_TYPED", "Call", "CallBook", "CallState", "MinutesState", "Record", "Said",
    "SeatState", "Seated", "is_settled", "may_ring",
]  # fmt: skip

KEPT_CALLS = 64
"""Ended calls kept in memory: half of them such as were picked up, so that no flood of rings pushes those out."""
MAX_OWED = 256
"""Ended calls kept beside, as the own station has not said its last word of them yet."""
MAX_AHEAD = 1_024
"""Entries of one party kept that name a ring or minutes of a lane not yet so far: more than a station says in hundreds of calls."""
_QUIET = (Seat, TypedLine, Attachment, Minutes, MinutesWord)
"""What may change how a call is shown, and never where it stands, but for a seat that opens it."""


class CallBook:
    """The calls of one line. `take` is the only way to change it."""

    def __init__(
        self,
        line: bytes,
        parties: int,
        *,
        own: int | None = None,
        forgets: Callable[[Gathered], None] | None = None,
    ) -> None:
        """`own` is the party whose last word a call waits for; `forgets` is told what is kept no more."""
        self._line, self._parties = line, parties
        self._own, self._forgets = own, forgets
        self._calls: dict[Key, Gathered] = {}
        """In the order in which the rings came."""
        self._views: dict[Key, Call] = {}
        self._stale: set[Key] = set()
        """Views that are to be made anew when they are asked for."""
        self._moved: set[Key] = set()
        """What may stand elsewhere after the entry that is being taken."""
        self._live: set[Key] = set()
        self._sizes: dict[tuple[int, Generation], int] = {}
        """One past the last entry taken of each lane generation."""
        self._open: dict[tuple[int, Generation], tuple[Key, bytes]] = {}
        """The ring of a lane generation that is not hung up there: another is void."""
        self._newest: dict[int, Generation] = {}
        """The newest generation in which a party rang."""
        self._minutes: dict[Key, tuple[bytes, Key]] = {}
        """Leaf hash of minutes and the call that they are of, by their place."""
        self._ahead: dict[Key, list[Said]] = {}
        self._ahead_count: Counter[int] = Counter()

    # --- reading ---

    def call(self, place: Place) -> Call | None:
        """The call of the ring at that place; None if it is not kept, or void."""
        key = place.lane, place.generation, place.index
        return self._standing_view(key) if key in self._calls else None

    def calls(self) -> list[Call]:
        """All that are kept, those first that came last."""
        return [self._standing_view(key) for key in reversed(self._calls)]

    def standing(self) -> Call | None:
        """The one call that rings or is open and stands, if there is one (spec 17.7)."""
        found = [(rank(self._views[key]), self._views[key].ring.order, key) for key in self._live]
        return self._view(min(found)[2]) if found else None

    def _view(self, key: Key) -> Call:
        if key in self._stale:
            self._stale.discard(key)
            self._views[key] = self._calls[key].view(self._line, self._parties)
        return self._views[key]

    def _standing_view(self, key: Key) -> Call:
        call = self._view(key)
        if call.state is CallState.RINGING:
            standing = self.standing()
            if standing is not None and standing.ring.key != key:
                return replace(call, state=CallState.YIELDED)
        return call

    # --- changing ---

    def take(self, said: Said) -> set[Place]:
        """Take the next entry of a lane, of whatever kind; the rings of the calls that may be shown otherwise now."""
        lane = (said.place.lane, said.place.generation)
        if lane not in self._sizes:
            self._begins(said.place)
        self._sizes[lane] = max(self._sizes.get(lane, 0), said.place.index + 1)
        changed = self._goes_on(said)
        if isinstance(said.entry, Ring):
            changed |= self._ring(said, said.entry)
        else:
            changed |= self._about(said)
        changed |= self._waited(said.key)
        return {
            Place(lane=lane, generation=generation, index=index) for lane, generation, index in self._settle(changed)
        }

    def _begins(self, first: Place) -> None:
        """A lane is taken from there on: what names entries before it waits in vain."""
        for key in [key for key in self._ahead if key[:2] == (first.lane, first.generation) and key[2] < first.index]:
            self._ahead_count.subtract(waiting.party for waiting in self._ahead.pop(key))

    def _waited(self, key: Key) -> set[Key]:
        """What named this place before it was there."""
        changed: set[Key] = set()
        for waiting in self._ahead.pop(key, ()):
            self._ahead_count[waiting.party] -= 1
            changed |= self._about(waiting)
        return changed

    def _ring(self, said: Said, rung: Ring) -> set[Key]:
        lane = (said.place.lane, said.place.generation)
        if lane in self._open:
            return set()  # void
        self._open[lane] = (said.key, said.leaf)
        gathered = self._calls[said.key] = Gathered(said, rung)
        newest = self._newest.get(said.party)
        changed = {said.key}
        self._moved.add(said.key)
        if newest is not None and newest > said.place.generation:
            gathered.succeeded = True
        else:
            self._newest[said.party] = said.place.generation
            for key in self._live:
                before = self._calls[key]
                if before.ring.party == said.party and before.ring.place.generation < said.place.generation:
                    before.succeeded = True
                    changed.add(key)
                    self._moved.add(key)
        return changed

    def _goes_on(self, said: Said) -> set[Key]:
        """An author's lane goes on after its ring: what it claims of the time tells that the ring is stale."""
        changed = set()
        for key in self._live:
            ring = self._calls[key]
            if key[:2] == (said.place.lane, said.place.generation) and said.time > ring.later:
                before = ring.later - ring.ring.time > RING_MS
                ring.later = Instant(said.time)
                if not before and ring.later - ring.ring.time > RING_MS:
                    changed.add(key)
                    self._moved.add(key)
        return changed

    def _about(self, said: Said) -> set[Key]:
        """Let an entry say what it says of a call, now or when what it names is held."""
        named = _named(said)
        if named is None:
            return set()
        key, lane = (named.lane, named.generation, named.index), (said.place.lane, said.place.generation)
        if isinstance(said.entry, HangUp) and self._open.get(lane) == (key, named.leaf):
            del self._open[lane]
        if isinstance(said.entry, MinutesWord):
            found = self._minutes.get(key)
            if found is not None:
                return self._add(found[1], said) if found[0] == named.leaf else set()
        elif key in self._calls:
            return self._add(key, said) if self._calls[key].ring.leaf == named.leaf else set()
        if named.index >= self._sizes.get(key[:2], 0) and self._ahead_count[said.party] < MAX_AHEAD:
            self._ahead.setdefault(key, []).append(said)
            self._ahead_count[said.party] += 1
        return set()

    def _add(self, key: Key, said: Said) -> set[Key]:
        gathered = self._calls[key]
        if not gathered.add(said):
            return set()
        changed = {key}
        opens = isinstance(said.entry, Seat) and said.entry.act is SeatAct.OPENS
        if isinstance(said.entry, _QUIET) and not opens:
            self._stale.add(key)
        else:
            self._moved.add(key)
        if isinstance(said.entry, Minutes):
            self._minutes[said.key] = (said.leaf, key)
            changed |= self._waited(said.key)
        return changed

    def _settle(self, changed: set[Key]) -> set[Key]:
        """Make the views anew; with one that rings or stops, all live ones may be shown otherwise."""
        if not changed:
            return changed
        before = set(self._live)
        moved = False
        stood = {key: self._views.get(key) for key in self._moved}
        self._stale |= self._moved
        self._moved.clear()
        for key, was in stood.items():
            call = self._view(key)
            moved = moved or was is None or was.state is not call.state
            (self._live.add if call.live else self._live.discard)(key)
        if moved:
            changed = changed | before | self._live
        return changed - self._forget() if len(self._calls) > KEPT_CALLS else changed

    def _forget(self) -> set[Key]:
        """Keep what must be kept, and the newest of the rest; what is kept no more."""
        owed = MAX_OWED
        over: tuple[list[Key], list[Key]] = ([], [])
        for key in reversed(self._calls):
            call = self._views[key]
            if key in self._live or self._rings_there(key):
                continue
            if self._own is not None and owed and not is_settled(call, self._own):
                owed -= 1
                continue
            over[call.pick_up is not None].append(key)
        most = [max(KEPT_CALLS // 2, KEPT_CALLS - len(other)) for other in reversed(over)]
        forgotten = {key for keys, kept in zip(over, most, strict=True) for key in keys[kept:]}
        for key in forgotten:
            gathered = self._calls.pop(key)
            del self._views[key]
            self._stale.discard(key)
            for draft in gathered.drafts:
                self._minutes.pop(draft.key, None)
            if self._forgets is not None:
                self._forgets(gathered)
        return forgotten

    def _rings_there(self, key: Key) -> bool:
        """Whether its author has not hung it up where it rang, so that another ring would be void."""
        lane = key[0], key[1]
        found = self._open.get(lane)
        return found is not None and found[0] == key and self._newest.get(key[0] // 2) == key[1]


def _named(said: Said) -> Ref | None:
    match said.entry:
        case PickUp() | Refusal() | HangUp() | Seat() | TypedLine() | Minutes() | MinutesWord():
            return said.entry.of
        case Attachment():
            return said.entry.of
        case _:
            return None
