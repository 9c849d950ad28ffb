"""All calls of a line, folded from entries in any order that keeps that of each lane.

Kept are the calls that have not ended and the newest of the others: what is
older stands in the store, and is read again from there. At the same entries
every book says the same.

Spec: spec/17-calls.md, 17.5 to 17.19.
"""

from bisect import insort
from dataclasses import replace

from openline.kernel.lane import Generation
from openline.kernel.units import Instant
from openline.protocol.call_entries import HangUp, Minutes, MinutesWord, PickUp, Refusal, Ring, Seat, TypedLine
from openline.protocol.call_views import Parts, view
from openline.protocol.calls import (
    Call,
    CallState,
    Key,
    MinutesState,
    Record,
    Said,
    Seated,
    SeatState,
    may_ring,
    rank,
)
from openline.protocol.entries import Attachment
from openline.protocol.facts import Place
from openline.protocol.fields import Ref

__all__ = [
    "Call", "CallBook", "CallState", "MinutesState", "Record", "Said", "SeatState", "Seated", "may_ring",
]  # fmt: skip

KEPT_CALLS = 64
"""Ended calls kept in memory: a month of a busy line."""
MAX_SEAT_ACTS, MAX_TYPED, MAX_VOICE, MAX_DRAFTS, MAX_WORDS = 512, 256, 64, 32, 64
"""Of one call and one party, the last that are kept in memory; the lanes have the rest."""
MAX_AHEAD = 4_096
"""Entries kept that name a ring or minutes of a lane not yet so far: more than two stations say in a thousand calls."""


class _Gathered:
    """The entries about one ring."""

    def __init__(self, ring: Said, rung: Ring) -> None:
        self.ring, self.rung = ring, rung
        self.first: dict[type[object], dict[int, Said]] = {PickUp: {}, Refusal: {}, HangUp: {}}
        self.seats: list[Said] = []
        self.typed: list[Said] = []
        self.voice: list[Said] = []
        self.drafts: list[Said] = []
        self.words: list[Said] = []
        self.later = ring.time
        self.succeeded = False

    def add(self, said: Said) -> bool:
        """Take an entry; whether it says anything here."""
        match said.entry:
            case PickUp() | Refusal() | HangUp():
                if not isinstance(said.entry, HangUp) and said.party == self.ring.party:
                    return False
                firsts = self.first[type(said.entry)]
                before = firsts.get(said.party)
                if before is not None and before.order <= said.order:
                    return False
                firsts[said.party] = said
                return True
            case Seat():
                return _keep(self.seats, said, MAX_SEAT_ACTS)
            case TypedLine():
                return _keep(self.typed, said, MAX_TYPED)
            case Attachment():
                return _keep(self.voice, said, MAX_VOICE)
            case Minutes():
                return _keep(self.drafts, said, MAX_DRAFTS)
            case MinutesWord():
                return _keep(self.words, said, MAX_WORDS)
            case _:
                return False

    def view(self, line: bytes, parties: int) -> Call:
        parts = Parts(
            ring=self.ring,
            rung=self.rung,
            pick_ups=self.first[PickUp],
            refusals=self.first[Refusal],
            hang_ups=self.first[HangUp],
            seats=self.seats,
            typed=self.typed,
            voice=self.voice,
            drafts=self.drafts,
            words=self.words,
            later=self.later,
            succeeded=self.succeeded,
        )
        return view(parts, line, parties)


def _keep(kept: list[Said], said: Said, most: int) -> bool:
    """Put it into its place; of one party only the last `most` are kept."""
    insort(kept, said, key=lambda each: each.order)
    mine = [each for each in kept if each.party == said.party] if len(kept) > most else []
    if len(mine) > most:
        kept.remove(mine[0])
    return True


class CallBook:
    """The calls of one line. `take` is the only way to change it."""

    def __init__(self, line: bytes, parties: int, kept: int = KEPT_CALLS) -> None:
        self._line, self._parties, self._kept = line, parties, kept
        self._calls: dict[Key, _Gathered] = {}
        self._views: dict[Key, Call] = {}
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
        self._ahead_count = 0

    # --- reading ---

    def call(self, place: Place) -> Call | None:
        """The call of the ring at that place; None if it is not kept, or void."""
        key = place.lane, place.generation, place.index
        return self._standing_view(key) if key in self._calls else None

    def calls(self) -> list[Call]:
        """All that are kept, those last that claim to be the oldest."""
        found = [self._standing_view(key) for key in self._calls]
        return sorted(found, key=lambda call: (call.ring.time, call.ring.order), reverse=True)

    def standing(self) -> Call | None:
        """The one call that rings or is open and stands, if there is one (spec 17.7)."""
        found = [self._views[key] for key in self._live]
        return min(found, key=lambda call: (rank(call), call.ring.order), default=None)

    def _standing_view(self, key: Key) -> Call:
        call = self._views[key]
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
        for waiting in self._ahead.pop(said.key, ()):
            self._ahead_count -= 1
            changed |= self._about(waiting)
        return {
            Place(lane=lane, generation=generation, index=index) for lane, generation, index in self._settle(changed)
        }

    def _begins(self, first: Place) -> None:
        """A lane is taken from there on: what names entries before it waits in vain."""
        for key in [key for key in self._ahead if key[:2] == (first.lane, first.generation) and key[2] < first.index]:
            self._ahead_count -= len(self._ahead.pop(key))

    def _ring(self, said: Said, rung: Ring) -> set[Key]:
        lane = (said.place.lane, said.place.generation)
        if lane in self._open:
            return set()  # void
        self._open[lane] = (said.key, said.leaf)
        gathered = self._calls[said.key] = _Gathered(said, rung)
        newest = self._newest.get(said.party)
        changed = {said.key}
        if newest is not None and newest > said.place.generation:
            gathered.succeeded = True
        else:
            self._newest[said.party] = said.place.generation
            for key in self._live:
                before = self._calls[key]
                if before.ring.party == said.party and before.ring.place.generation < said.place.generation:
                    before.succeeded = True
                    changed.add(key)
        return changed

    def _goes_on(self, said: Said) -> set[Key]:
        """An author's lane goes on after its ring: what it claims of the time tells that the ring is stale."""
        changed = set()
        for key in self._live:
            ring = self._calls[key]
            if key[:2] == (said.place.lane, said.place.generation) and said.time > ring.later:
                ring.later = Instant(said.time)
                changed.add(key)
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
        if named.index >= self._sizes.get(key[:2], 0) and self._ahead_count < MAX_AHEAD:
            self._ahead.setdefault(key, []).append(said)
            self._ahead_count += 1
        return set()

    def _add(self, key: Key, said: Said) -> set[Key]:
        gathered = self._calls[key]
        if not gathered.add(said):
            return set()
        changed = {key}
        if isinstance(said.entry, Minutes):
            self._minutes[said.key] = (said.leaf, key)
            for waiting in self._ahead.pop(said.key, ()):
                self._ahead_count -= 1
                changed |= self._about(waiting)
        return changed

    def _settle(self, changed: set[Key]) -> set[Key]:
        """Make the views anew; with one that rings or stops, all live ones may be shown otherwise."""
        before = set(self._live)
        moved = False
        for key in changed:
            call = self._calls[key].view(self._line, self._parties)
            was = self._views.get(key)
            moved = moved or was is None or was.state is not call.state
            self._views[key] = call
            (self._live.add if call.live else self._live.discard)(key)
        if moved:
            changed = changed | before | self._live
        ended = sorted(self._calls.keys() - self._live, key=self._age)
        for key in ended[: -self._kept or None]:
            del self._calls[key], self._views[key]
            for place in [of for of, (_, ring) in self._minutes.items() if ring == key]:
                del self._minutes[place]
            changed = changed - {key}
        return changed

    def _age(self, key: Key) -> tuple[int, tuple[Generation, int, int]]:
        ring = self._calls[key].ring
        return ring.time, ring.order


def _named(said: Said) -> Ref | None:
    match said.entry:
        case PickUp() | Refusal() | HangUp() | Seat() | TypedLine() | Minutes() | MinutesWord():
            return said.entry.of
        case Attachment():
            return said.entry.of
        case _:
            return None
