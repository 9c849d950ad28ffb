"""Which generations of each party are known, on whose word, and under which seeds.

A seed is a claim until an entry of its generation is held. What the party itself said
replaces what another member said of it, never the reverse; and claims are few, not stored and not
handed on, so that nobody fills another's table, displaces its lanes or moves its counter.

Spec: spec/04-lanes.md (4.2 to 4.5), spec/07-delivery.md (7.15), spec/13-restart.md (13.11).
"""

from collections.abc import Callable, Sequence

from openline.kernel.errors import Conflict, TooLarge, Unknown
from openline.kernel.keys import Keyring
from openline.kernel.lane import Generation
from openline.protocol.records import PutGeneration

MAX_GENERATIONS = 64
"""Generations of one party: a restore a week for a year; then terms for a new line are due."""
MAX_KEY_GENERATIONS = 16
"""So many more come in with a key statement, which no thief of a lane key can make: room for the key that replaces it."""
MAX_COUNTERS = 65_536
"""How far a counter may stand above that from which its key signs: a thief of the key leaves counters to its successor."""
MAX_CLAIMS = 8
"""Of these, how many may rest on another member's word alone: more than one restore on the way is rare. One's own
may all do so, as a rebuilt station knows none; they move no counter before their own signature has been seen."""


class Generations:
    """The generations of all parties of a line."""

    def __init__(self, parties: int, held: Callable[[int, Generation], bool], own: int) -> None:
        """`held` says whether any entry of a party's generation is here; `own` is this station's party."""
        self._held, self._own = held, own
        self._known: list[list[Generation]] = [[] for _ in range(parties)]
        self._puts: dict[tuple[int, Generation], PutGeneration] = {}
        self._claims: dict[tuple[int, Generation], None] = {}
        self._stored: set[tuple[int, Generation]] = set()

    def add(self, put: PutGeneration, *, claim: bool, stored: bool) -> list[Generation]:
        """Take one over; return those that made way for it. Raises TooLarge, or Conflict for a claim against better."""
        place = (put.party, put.generation)
        gone: list[Generation] = []
        if place in self._puts:
            if not stored and self._held(*place):
                raise Conflict("entries have opened under another seed")
            if claim and place not in self._claims:
                raise Conflict("the party itself has said otherwise")
        else:
            most = _most(stated=bool(put.statement))
            if put.party == self._own:  # of one's own all that the others know, beside those they do not
                most = 2 * (MAX_GENERATIONS + MAX_KEY_GENERATIONS)
            gone = self._make_room(put.party, most, claim=claim)
            self._known[put.party] = sorted([*self._known[put.party], put.generation])
        self._puts[place] = put
        self._claims.pop(place, None)
        if claim:
            self._claims[place] = None
        if stored:
            self._stored.add(place)
        return gone

    def _make_room(self, party: int, most: int, *, claim: bool) -> list[Generation]:
        claims = [generation for of, generation in self._claims if of == party and not self._held(of, generation)]
        if claim and len(claims) >= MAX_CLAIMS and party != self._own:
            return self._forget(party, claims[0])
        known = self._known[party]
        if len(known) < most:
            return []
        empty = [generation for generation in known if not self._held(party, generation)]
        if not (claims or (empty and not claim)):
            raise TooLarge("too many generations")
        return self._forget(party, (claims or empty)[0])

    def _forget(self, party: int, generation: Generation) -> list[Generation]:
        self._known[party].remove(generation)
        del self._puts[party, generation]
        self._claims.pop((party, generation), None)
        return [generation]

    def check_room(self, party: int, *, stated: bool) -> None:
        """Raise TooLarge if no other member would take one more generation of that party, with a key statement or without."""
        if len(self.held(party)) >= _most(stated=stated):
            raise TooLarge("this line has no room for another generation: export it, and pair anew")

    def open_to(self, put: PutGeneration, said_by: int) -> bool:
        """Whether a known generation may still become this, on the word of that party (spec 7.15)."""
        place = (put.party, put.generation)
        if self._held(*place) or self._puts[place] == put:
            return False
        return said_by == put.party or place in self._claims

    def unstored(self, party: int, generation: Generation) -> PutGeneration | None:
        """What the store must get before the first entry of that generation; None if it has it."""
        place = (party, generation)
        if place in self._stored:
            return None
        self._stored.add(place)
        self._claims.pop(place, None)
        return self._puts[place]

    def get(self, party: int, generation: Generation) -> PutGeneration:
        """What the store and peers need of a generation. Raises Unknown."""
        found = self._puts.get((party, generation))
        if found is None:
            raise Unknown("no such generation")
        return found

    def knows(self, party: int, generation: Generation) -> bool:
        """Whether its seed is here, on whatever word."""
        return (party, generation) in self._puts

    def claimed(self, party: int, generation: Generation) -> bool:
        """Whether only another member says that it exists, and nothing of it is held."""
        return (party, generation) in self._claims and not self._held(party, generation)

    def known(self, party: int) -> Sequence[Generation]:
        """All, ascending."""
        return self._known[party]

    def held(self, party: int) -> Sequence[Generation]:
        """Those of which an entry is here, ascending."""
        return [generation for generation in self._known[party] if self._held(party, generation)]

    def of_counter(self, party: int, counter: int) -> Generation | None:
        """The one that a short form means: of those with that counter the greatest held, or else said by the party."""
        named = [generation for generation in self._known[party] if generation.counter == counter]
        for good in (self._held, lambda of, generation: not self.claimed(of, generation)):
            for generation in reversed(named):
                if good(party, generation):
                    return generation
        return named[-1] if named else None


def check_counter(ring: Keyring, generation: Generation) -> None:
    """Raise TooLarge if it is too far above that from which its key signs, as a thief of the key would make it (spec 4.19)."""
    if generation.counter > ring.since(generation).counter + MAX_COUNTERS:
        raise TooLarge("a counter too far above that from which its key signs")


def _most(*, stated: bool) -> int:
    """Generations of another party that are known, the next among them."""
    return MAX_GENERATIONS + (MAX_KEY_GENERATIONS if stated else 0)
