"""How an entry travels, and what has to travel as FLASH does: FLASH, drills, and the first acknowledgement of either.

Who has said FLASH waits for one thing, the signed word that it is held. It
so comes back over every bearer that is up, past every queue, as the FLASH
came; and again when the FLASH is seen again, since then it was lost. Nothing
else is answered so, and an answer is answered by nothing: no storm comes of it.

Spec: spec/07-delivery.md (7.5, 7.6), spec/09-envelopes.md (9.18, 9.21, 9.23).
"""

from collections import deque
from dataclasses import dataclass, field

from openline.kernel.codec import encode
from openline.kernel.errors import Refused
from openline.kernel.lane import Generation
from openline.protocol.bodies import decode_body
from openline.protocol.call_entries import Ring
from openline.protocol.entries import AnyEntry, Kind, Message, Precedence, Test
from openline.protocol.frames import Entries, FullEntries

AGAIN_MS = 1_000
"""An answer goes again in haste after this long at the earliest: a FLASH comes over several bearers at nearly one time."""
_PRECEDENCE_KEY = b"\x00"  # of a message's body map: first, right after the map's head; its value, 0 to 3, is one byte
_PRECEDENCES = (b"\x00", b"\x01", b"\x02", b"\x03")
_MESSAGE_KIND = encode(int(Kind.MESSAGE))
_TEST_KIND = encode(int(Kind.TEST))
_RING_KIND = encode(int(Kind.RING))


def in_haste(entry: AnyEntry | None) -> bool:
    """Whether it goes over all bearers at once, and must fit the smallest envelope of all (spec 4.14, 9.23)."""
    if isinstance(entry, Message | Ring):
        return entry.precedence is Precedence.FLASH
    return isinstance(entry, Test) and entry.drill


def travels_as(kind: bytes, body: bytes, *, urgent: bool) -> int:
    """How an entry of these fields travels: a message by its own precedence, a FLASH ring as FLASH, and a drill too, so that the pattern tells less.

    All else in an urgent lane travels as PRIORITY: acknowledgements need no second bearer, but for what is in haste.
    """
    if kind == _MESSAGE_KIND and body[1:2] == _PRECEDENCE_KEY and body[2:3] in _PRECEDENCES:
        return body[2]
    if kind == _RING_KIND and urgent and body[1:3] == _PRECEDENCE_KEY + _PRECEDENCES[0]:
        return 0
    if urgent and kind == _TEST_KIND:
        try:
            return 0 if in_haste(decode_body(Kind.TEST, body)) else 2
        except Refused:
            return 2
    return 2 if urgent else 3


def shows_haste(frame: Entries | FullEntries) -> bool:
    """Whether a frame of an urgent lane carries FLASH or a drill; of what is refused, nothing is known."""
    if isinstance(frame, Entries):
        fields = [(encode(item.kind), item.body) for item in frame.items if not frame.lane & 1]
    else:
        fields = [(entry.kind, entry.body) for _, entry in frame.items if frame.lane.urgent]
    return any(travels_as(kind, body, urgent=True) == 0 for kind, body in fields)


@dataclass(slots=True, kw_only=True)
class Haste:
    """What is owed in haste to one peer."""

    answer: tuple[tuple[int, Generation], int] | None = None
    """The own entry (lane generation, index) that acknowledges what it said in haste, until that has gone."""
    given: tuple[tuple[int, Generation], int] | None = None
    """The last one that has gone, and when."""
    given_at: int = 0
    wants: deque[bytes] = field(default_factory=deque)
    """What asks for entries that lie before something in haste (spec 7.12)."""
    shown: bool = False
    """What is being taken from it carries something in haste."""
    again: bool = False
    """Something in haste was seen again: the answer was lost, or is late."""

    def answers(self, key: tuple[int, Generation], first: int, end: int) -> bool:
        """Whether those entries of an own lane have the answer among them."""
        return self.answer is not None and self.answer[0] == key and first <= self.answer[1] < end

    def gone(self, key: tuple[int, Generation], end: int, now: int) -> None:
        """All below `end` of an own lane has been taken for sending."""
        if self.answers(key, 0, end):
            self.given, self.given_at, self.answer = self.answer, now, None

    def lost(self, key: tuple[int, Generation], newest: int, has: int, now: int) -> int | None:
        """The index of the answer that goes once more, if it is due; after a start that is the newest own entry.

        Not if the peer has it, and not sooner than AGAIN_MS: then what was seen again was but another copy.
        """
        again, self.again = self.again, False
        if not again or (self.given is not None and now - self.given_at < AGAIN_MS):
            return None
        index = self.given[1] if self.given is not None and self.given[0] == key else newest
        if index < has:
            return None
        self.answer = (key, index)
        return index
