"""What is under way to a peer: envelopes not yet opened, fragments that wait, requests not yet answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

WANT_ANSWER_MS = 500
"""A lane is given anew once in so long: 256 bytes would else bring all of it each time."""
WANT_ANSWER_MOST_MS = 30_000
"""The longest pause: as the first, half of what an honest peer waits."""


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
    """What a peer was given anew of a lane, last."""

    first: int
    full: bool
    at: int
    pause: int
    """How long after `at` it is given nothing of that again."""
    to: int
    """How far the lane had been sent to it by then."""
    most: int
    """The highest index from which it was ever asked for."""
    held: int
    """How much of the lane the peer had signed by then."""
    owed: tuple[int, bool] | None = None
    """What was asked for since and waits for the pause to end: from where on, and whether in full."""

    @property
    def due(self) -> int:
        """When what waits is given."""
        return self.at + self.pause

    def at_once(self, now: int) -> "Given":
        """What waits is due, and the pauses begin anew."""
        return replace(self, at=now - 2 * WANT_ANSWER_MOST_MS)


def floor_told(outbox: Mapping[int, Sent], first_unopened: int) -> bool:
    """Whether the peer need not wait for an envelope that is gone, once what is under way was opened."""
    lowest = min(outbox, default=first_unopened)
    return first_unopened >= lowest or any(sent.floor >= lowest for sent in outbox.values())


def opened_told(outbox: Mapping[int, Sent], announced: int) -> bool:
    """Whether something that is under way tells the peer how far its envelopes were opened."""
    return any(sent.announced >= announced for sent in outbox.values())
