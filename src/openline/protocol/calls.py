r"""Where a call stands: a pure view of the entries about it, the same for everybody who holds the same ones.

    RINGING --pick up--> OPEN --hang up of either--> ENDED
       | \--refused by all--> REFUSED, or MISSED where no person refused
       | \--hung up by the caller--> WITHDRAWN, MISSED, or YIELDED
       \---another ring stands---> YIELDED

No clock enters but the times that entries claim; how long a ring rings is the
station's to say (`may_ring`). Nothing here is part of the state digest.

Spec: spec/17-calls.md, 17.5 to 17.19.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from openline.kernel.lane import Generation
from openline.kernel.units import Instant
from openline.protocol.call_entries import (
    RING_MS,
    HangUp,
    Minutes,
    MinutesWord,
    Protection,
    Ring,
)
from openline.protocol.call_keys import SpokenCheck
from openline.protocol.entries import AnyEntry, Role
from openline.protocol.facts import Place

Key = tuple[int, Generation, int]
"""A place that can be looked up: lane, generation, index."""
MAX_SEAT_ACTS, MAX_TYPED, MAX_VOICE = 512, 256, 64
"""Of one call and one party: the last that count of what its seats did beside opening, and that are shown of the others."""
MAX_DRAFTS = 16
"""Minutes that count of one call and one party: the first, so that nobody writes away what was agreed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An entry with its place: what a call is made of."""

    place: Place
    leaf: bytes
    """Its leaf hash."""
    time: Instant
    """As its author claims."""
    entry: AnyEntry = field(repr=False)
    seq: int = field(default=0, compare=False)
    """Its number in the order in which this station came to hold it; 0 if that is not known."""

    @property
    def party(self) -> int:
        """Its author."""
        return self.place.lane // 2

    @property
    def key(self) -> Key:
        """Its place."""
        return self.place.lane, self.place.generation, self.place.index

    @property
    def order(self) -> tuple[Generation, int, int]:
        """Its order among entries of one party, and an order of all."""
        return self.place.generation, self.place.lane, self.place.index

    @property
    def arrival(self) -> tuple[int, Instant, tuple[Generation, int, int]]:
        """How people read several authors' entries: as they came; only where that is not known, by the times they claim."""
        return self.seq, self.time, self.order


class CallState(Enum):
    """Where a call stands."""

    RINGING = "ringing"
    OPEN = "open"
    ENDED = "ended"
    REFUSED = "refused"
    """By a person, or since the line is busy or suspended."""
    MISSED = "missed"
    WITHDRAWN = "withdrawn"
    YIELDED = "yielded"
    """Two rings crossed, and the other stands."""


LIVE = frozenset({CallState.RINGING, CallState.OPEN})


class SeatState(Enum):
    """Where a seat stands."""

    OPENING = "opening"
    CONNECTED = "connected"
    LOST = "lost"
    LEFT = "left"


class Record(Enum):
    """Whether both parties have signed how the call ended."""

    OPEN = "open"
    ONE_SIDED = "one-sided"
    AGREED = "agreed"
    DIFFERS = "differs"


class MinutesState(Enum):
    """Whether a call has minutes."""

    NONE = "none"
    DRAFTED = "drafted"
    AGREED = "agreed"
    DIFFERS = "differs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seated:
    """A seat of a call, as its party's entries say."""

    party: int
    number: int
    role: Role
    sign: str
    language: str
    fingerprint: bytes
    state: SeatState
    since: Instant
    protections: tuple[Protection, ...]
    """The last to each other seat, ascending by party and seat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckWord:
    """What a seat said of the spoken check: its last word."""

    party: int
    seat: int
    matched: bool
    sign: str
    time: Instant
    earlier: bool
    """It was said before a seat 0 was taken over: of other digits than those of now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Minutes of one party, and what others said of them."""

    said: Said
    minutes: Minutes
    """What they say."""
    words: tuple[Said, ...]
    replaced: bool

    def agreed_by(self, parties: Iterable[int]) -> bool:
        """Whether each of these parties wrote them, or agreed to every clause."""
        agreed = {word.party for word in self.words if agrees(word.entry)} | {self.said.party}
        return agreed >= set(parties)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call."""

    ring: Said
    rung: Ring
    """What its ring says."""
    state: CallState
    called: int | None
    """The party that picked up, and counts."""
    pick_up: Said | None
    opening: Said | None
    """The caller's first seat, opened."""
    wrong_key: bool
    """What the caller opened is not what the ring committed to: the called party's station ends the call."""
    check: SpokenCheck | None
    check_words: tuple[CheckWord, ...]
    refusals: tuple[Said, ...]
    hang_ups: tuple[Said, ...]
    """The first of each party, ascending by party."""
    seats: tuple[Seated, ...]
    typed: tuple[Said, ...]
    """The last typed lines, as they came."""
    voice: tuple[Said, ...]
    """Voice messages of this call."""
    drafts: tuple[Draft, ...]
    minutes: MinutesState
    record: Record
    overtaken: bool
    """Its author's lane went on for longer than RING_MS after it: it is not to ring any more."""

    @property
    def place(self) -> Place:
        """Of its ring."""
        return self.ring.place

    @property
    def caller(self) -> int:
        """The party that rang."""
        return self.ring.party

    @property
    def live(self) -> bool:
        """Whether it has not ended."""
        return self.state in LIVE

    def hang_up(self, party: int) -> HangUp | None:
        """That party's word that it is over."""
        found = next((said.entry for said in self.hang_ups if said.party == party), None)
        return found if isinstance(found, HangUp) else None


def may_ring(call: Call, accepted: int, now: int) -> bool:
    """Whether a station that took the ring at `accepted` may ring for it (both steady ms; spec 17.9)."""
    return call.state is CallState.RINGING and not call.overtaken and now - accepted < RING_MS


def rank(call: Call) -> tuple[bool, int, int]:
    """Of calls that are live at once, the least stands: one picked up, then by precedence, then by party (spec 17.7)."""
    return call.state is not CallState.OPEN, int(call.rung.precedence), call.caller


def is_settled(call: Call, party: int) -> bool:
    """Whether that party has said its last word of it: its hang up, or its refusal if it did not pick up (spec 17.14)."""
    if call.hang_up(party) is not None:
        return True
    return party not in {call.caller, call.called} and any(said.party == party for said in call.refusals)


def agrees(entry: AnyEntry) -> bool:
    """Whether it agrees to every clause."""
    return isinstance(entry, MinutesWord) and all(word.agreed for word in entry.clauses)
