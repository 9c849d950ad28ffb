"""The entries about one ring, as many as count: what a party says beyond its bounds says nothing, and takes nothing back.

What counts is a function of the set of entries, and not of the order in which
they came: the first or the last by their order in their author's lanes.

Spec: spec/17-calls.md, 17.3, 17.12, 17.15 to 17.19.
"""

from bisect import insort
from collections.abc import Iterator

from openline.kernel.units import Instant
from openline.protocol.call_entries import HangUp, Minutes, MinutesWord, PickUp, Refusal, Ring, Seat, SeatAct, TypedLine
from openline.protocol.call_views import Parts, speaks_of, view
from openline.protocol.calls import MAX_DRAFTS, MAX_SEAT_ACTS, MAX_TYPED, MAX_VOICE, Call, Key, Said, agrees
from openline.protocol.entries import Attachment


class Gathered:
    """The entries about one ring."""

    def __init__(self, ring: Said, rung: Ring) -> None:
        self.ring, self.rung = ring, rung
        self.first: dict[type[object], dict[int, Said]] = {PickUp: {}, Refusal: {}, HangUp: {}}
        self.opening: Said | None = None
        self.seats: list[Said] = []
        self.typed: list[Said] = []
        self.voice: list[Said] = []
        self.drafts: list[Said] = []
        self.words: dict[tuple[int, Key], list[Said]] = {}
        """By who speaks, and of which minutes: the first that agrees, and the last."""
        self.later = ring.time
        self.succeeded = False

    def add(self, said: Said) -> bool:
        """Take an entry; whether it says anything here."""
        match said.entry:
            case PickUp() | Refusal() | HangUp():
                return self._word(said)
            case Seat():
                return self._seat(said, said.entry)
            case TypedLine():
                return _last(self.typed, said, MAX_TYPED)
            case Attachment():
                return _last(self.voice, said, MAX_VOICE)
            case Minutes():
                return _first(self.drafts, said, MAX_DRAFTS)
            case MinutesWord():
                return self._minutes_word(said, said.entry)
            case _:
                return False

    def _word(self, said: Said) -> bool:
        if not isinstance(said.entry, HangUp) and said.party == self.ring.party:
            return False
        firsts = self.first[type(said.entry)]
        before = firsts.get(said.party)
        if before is not None and before.order <= said.order:
            return False
        firsts[said.party] = said
        return True

    def _seat(self, said: Said, seat: Seat) -> bool:
        if seat.act is not SeatAct.OPENS:
            return _last(self.seats, said, MAX_SEAT_ACTS)
        if said.party != self.ring.party or (self.opening is not None and self.opening.order <= said.order):
            return False
        self.opening = said
        return True

    def _minutes_word(self, said: Said, word: MinutesWord) -> bool:
        named = (word.of.lane, word.of.generation, word.of.index)
        if not any(each.key == named and each.party != said.party and speaks_of(word, each) for each in self.drafts):
            return False
        known = self.words.setdefault((said.party, named), [])
        all_words = sorted([*known, said], key=lambda each: each.order)
        first = next((each for each in all_words if agrees(each.entry)), None)
        kept = [each for each in all_words if each is first or each is all_words[-1]]
        self.words[said.party, named] = kept
        return said in kept

    def all(self) -> Iterator[Said]:
        """The ring, and all that counts of what was said of it."""
        yield self.ring
        for firsts in self.first.values():
            yield from firsts.values()
        if self.opening is not None:
            yield self.opening
        for several in (self.seats, self.typed, self.voice, self.drafts, *self.words.values()):
            yield from several

    def view(self, line: bytes, parties: int) -> Call:
        """The call that they make, as if no other rang at the same time."""
        words = sorted((word for kept in self.words.values() for word in kept), key=lambda each: each.order)
        parts = Parts(
            ring=self.ring,
            rung=self.rung,
            pick_ups=self.first[PickUp],
            refusals=self.first[Refusal],
            hang_ups=self.first[HangUp],
            opening=self.opening,
            seats=self.seats,
            typed=self.typed,
            voice=self.voice,
            drafts=self.drafts,
            words=words,
            later=Instant(self.later),
            succeeded=self.succeeded,
        )
        return view(parts, line, parties)


def _mine(kept: list[Said], said: Said) -> list[Said]:
    return [each for each in kept if each.party == said.party]


def _last(kept: list[Said], said: Said, most: int) -> bool:
    """Put it into its place; of one party only the last `most` are kept."""
    insort(kept, said, key=lambda each: each.order)
    mine = _mine(kept, said) if len(kept) > most else []
    if len(mine) <= most:
        return True
    kept.remove(mine[0])
    return mine[0] is not said


def _first(kept: list[Said], said: Said, most: int) -> bool:
    """Put it into its place; of one party only the first `most` are kept."""
    insort(kept, said, key=lambda each: each.order)
    mine = _mine(kept, said)
    if len(mine) <= most:
        return True
    kept.remove(mine[-1])
    return mine[-1] is not said
