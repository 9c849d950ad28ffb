"""What this station knows of one line's calls beside the entries: which consoles sit there, and since when nobody does.

Of consoles only that they report themselves is known: one that does not for
some seconds is lost, and the other side hears of it.
"""

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field

from openline.protocol.call_entries import RING_MS
from openline.protocol.call_states import Call, is_settled
from openline.protocol.facts import Place
from openline.station.calling.kept import Keeping, KeptCall, KeptSeat
from openline.station.calling.shelf import Reading, Shelf
from openline.station.line_runner import LineRunner

OFTEN, OFTEN_MS = 3, 600_000
"""Who rings more often in that time calls nobody from outside the floor before it has rung for a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPace:
    """How long is waited for what in calls. Milliseconds."""

    ring: int = RING_MS
    patience: int = 10_000
    """So long after its ring has rung out a caller waits for the other side's word why."""
    lost: int = 6_000
    """Three reports of a console that did not come: a page that is busy for a moment is not lost."""
    restart: int = 10_000
    """After a start of the station its consoles have so long to report themselves."""
    takeover: int = 60_000
    """So long can a call be taken over: an officer walks to another console."""
    reading: Reading = field(default_factory=Reading)
    """How much of a line is read for its calls."""


@dataclass(slots=True, kw_only=True)
class Sitting:
    """A console of this station on its seat."""

    console: str
    uid: int
    heard: int
    """When it last reported, steady ms."""
    sound: bool = False


@dataclass(slots=True, kw_only=True)
class Running:
    """A call as it runs here."""

    accepted: int
    """When its ring was held here first, steady ms."""
    accepted_at: int
    """The same by the time of day."""
    sitting: dict[int, Sitting] = field(default_factory=dict)
    """By seat."""
    vacant: int | None = None
    """Since when nobody sits on seat 0, steady ms."""
    takeover_until: int | None = None
    """Until when it can be taken over, by the time of day."""
    signed: dict[tuple[int, int], set[bytes]] = field(default_factory=dict)
    """By party and seat: the fingerprints that were signed for it."""
    refusals: int = 0
    """Signals of the other station that were not let through."""
    forged: bool = False
    """Whether the other station sent a description with a fingerprint that nobody has signed."""
    counted: bool = False
    """Whether its outcome was counted."""
    told: bytes = b""
    """The hash of the view that was pushed last."""
    unopened: int | None = None
    """Since when a pick up of this station waits for the caller to open what its ring promised, steady ms."""

    def remember(self, call: Call) -> None:
        """What its seats have signed."""
        for seat in call.seats:
            self.signed.setdefault((seat.party, seat.number), set()).add(seat.fingerprint)


class Room:
    """One line."""

    def __init__(self, line: LineRunner, keeping: Keeping, shelf: Shelf) -> None:
        self.line, self.keeping, self.shelf = line, keeping, shelf
        self.lock = asyncio.Lock()
        """Held by whoever writes an entry of a call: what was looked at still stands then."""
        self.running: dict[Place, Running] = {}
        self.outcomes: Counter[str] = Counter()
        """How calls went that were over since the start: by the names of their states."""
        self.rung: deque[int] = deque(maxlen=OFTEN + 1)
        """When the last rings of other parties came, steady ms."""
        self.settled = False
        """Whether nothing is to be done until something comes."""
        self.unsaved = False
        """Whether something is kept that a restart would forget."""

    def kept(self, call: Call) -> KeptCall:
        """What is kept of a call: of an own one by what it committed to, as that is known before it is said; of another's by
        its leaf, since anybody may repeat a commitment.
        """
        return self.keeping.call(self._name(call))

    def came_at(self, call: Call) -> int:
        """When this station first held the ring, by its own time of day; 0 if that is not known any more."""
        kept = self.keeping.known(self._name(call))
        return kept.accepted if kept is not None else 0

    def _name(self, call: Call) -> bytes:
        return call.rung.commitment if call.caller == self.line.party else call.ring.leaf

    def unsettled(self) -> list[Call]:
        """Of which this station has not said its last word: live ones first, then as they came."""
        found = [call for call in self.shelf.book.calls() if not is_settled(call, self.line.party)]
        found.reverse()
        return sorted(found, key=lambda call: not call.live)

    def save(self) -> None:
        """Make durable what is kept. Raises Unavailable."""
        self.keeping.save({self._name(call) for call in self.unsettled()})
        self.unsaved = False

    def tidy(self) -> None:
        """Forget what ran of calls that are not in memory any more."""
        for place in [place for place in self.running if self.shelf.book.call(place) is None]:
            del self.running[place]

    def sit(self, call: Call, number: int, seat: KeptSeat, heard: int) -> None:
        """A console sits down, durably. Raises Unavailable."""
        self.kept(call).seats[number] = seat
        self.save()
        self.running[call.place].sitting[number] = Sitting(console=seat.console, uid=seat.uid, heard=heard)

    def leave(self, call: Call, number: int) -> None:
        """Nobody sits there any more. Raises Unavailable."""
        self.running[call.place].sitting.pop(number, None)
        if self.kept(call).seats.pop(number, None) is not None:
            self.save()
