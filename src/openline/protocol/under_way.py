"""What is under way to a peer: envelopes not yet opened, fragments that wait, requests not yet answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field

WANT_ANSWER_MS = 500
"""The same want is answered once in so long: 256 bytes would else bring a whole lane each time."""


@dataclass(slots=True, kw_only=True)
class Sent:
    """An envelope that the peer has not yet opened, as far as it said."""

    envelope: bytes = field(repr=False)
    due: int
    tries: int
    precedence: int
    bulk: bool
    at: int
    part: bool
    """Carries a fragment."""
    floor: int
    announced: int
    """What its window numbers say (spec 9.8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A fragment frame that waits for room."""

    frame: bytes = field(repr=False)
    precedence: int
    bulk: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked for last of a lane, and not before when it may be asked for again."""

    first: int
    """-1 if it was told, not asked."""
    full: bool
    until: int
    pause: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A want that was answered last of a lane, and when."""

    first: int
    full: bool
    at: int

    def answers(self, first: int, now: int, *, full: bool) -> bool:
        """Whether the same want needs no answer of its own (spec 7.12)."""
        return (self.first, self.full) == (first, full) and now - self.at < WANT_ANSWER_MS


def floor_told(outbox: Mapping[int, Sent], first_unopened: int) -> bool:
    """Whether the peer need not wait for an envelope that is gone, once what is under way was opened."""
    lowest = min(outbox, default=first_unopened)
    return first_unopened >= lowest or any(sent.floor >= lowest for sent in outbox.values())


def opened_told(outbox: Mapping[int, Sent], announced: int) -> bool:
    """Whether something that is under way tells the peer how far its envelopes were opened."""
    return any(sent.announced >= announced for sent in outbox.values())
