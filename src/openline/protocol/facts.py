"""What the fold tells: facts as they become true, and where a message stands.

Spec: spec/06-entries.md, 6.15 to 6.23.
"""

from dataclasses import dataclass
from enum import IntEnum, IntFlag

from openline.kernel.lane import Generation
from openline.kernel.units import Instant
from openline.protocol.entries import Precedence


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an entry stands."""

    lane: int
    generation: Generation
    index: int

    @property
    def party(self) -> int:
        """Its author."""
        return self.lane // 2


class Mark(IntFlag):
    """What one party has said of another party's message. Marks are only ever added."""

    NONE = 0
    PRESENTED = 1
    READ = 2
    RELAYED = 4
    INTERIM = 8
    DECLINED = 16
    ANSWERED = 32
    QUERIED = 64
    """It asked the author about it."""


HANDLED = Mark.READ | Mark.RELAYED | Mark.INTERIM | Mark.DECLINED | Mark.ANSWERED | Mark.QUERIED
"""Any of these ends the handling time: a person has it."""
SETTLED = Mark.DECLINED | Mark.ANSWERED
"""Any of these ends the clock of that party."""


class Standing(IntEnum):
    """Where a message stands with one party: the furthest that its signed entries say (spec 6.21)."""

    SENT = 0
    HELD = 1
    PRESENTED = 2
    READ = 3
    RELAYED = 4
    CONSIDERING = 5
    DECLINED = 6
    ANSWERED = 7


_STANDINGS = (
    (Mark.ANSWERED, Standing.ANSWERED),
    (Mark.DECLINED, Standing.DECLINED),
    (Mark.INTERIM, Standing.CONSIDERING),
    (Mark.RELAYED, Standing.RELAYED),
    (Mark.READ, Standing.READ),
    (Mark.PRESENTED, Standing.PRESENTED),
)


def standing_of(marks: Mark, *, held: bool) -> Standing:
    """The standing that the marks and the party's acknowledgements amount to."""
    for mark, standing in _STANDINGS:
        if mark in marks:
            return standing
    return Standing.HELD if held else Standing.SENT


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyStatus:
    """What one party has said of a message."""

    party: int
    marks: Mark
    until: Instant | None
    """The moment its last interim names, while that stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageStatus:
    """What is known of one message from the entries."""

    place: Place
    serial: int
    """Its number among the messages of its lane generation, from 1."""
    precedence: Precedence
    time: Instant
    """The author's claim."""
    answer_by: Instant | None
    """While the clock runs for somebody."""
    acknowledge_by: Instant | None = None
    """While a person of some party is still to acknowledge it (spec 6.100)."""
    superseded: bool
    parties: tuple[PartyStatus, ...]
    """Every party but the author, ascending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """A message stands in the transcript."""

    place: Place
    serial: int
    precedence: Precedence


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A party has said something new of a message."""

    place: Place
    party: int
    mark: Mark


@dataclass(frozen=True, slots=True)
class Superseded:
    """The author has replaced this message."""

    place: Place


@dataclass(frozen=True, slots=True)
class Adopted:
    """All parties have voted for this proposal: its policy is in force."""

    proposal: bytes
    """Leaf hash; the line id if the first terms are in force again, as a recovered vote came before others."""


@dataclass(frozen=True, slots=True)
class WatchChanged:
    """That party's watch changed hands, came or went."""

    party: int


@dataclass(frozen=True, slots=True)
class SuspensionChanged:
    """That party suspended or lifted."""

    party: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentMarked:
    """A party holds or refused an attachment."""

    place: Place
    party: int
    held: bool


@dataclass(frozen=True, slots=True)
class ContactSaid:
    """A party's word about a regular contact."""

    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactMarked:
    """A party agreed with another's word about a contact, or did not."""

    place: Place
    party: int
    agreed: bool


@dataclass(frozen=True, slots=True)
class Voided:
    """This entry, or a reference in it, has no effect (spec 6.2)."""

    place: Place


Fact = (
    Came | Marked | Superseded | Adopted | WatchChanged | SuspensionChanged | AttachmentMarked
    | ContactSaid | ContactMarked | Voided
)  # fmt: skip
