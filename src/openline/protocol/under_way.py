"""What is under way to a peer: envelopes not yet opened, fragments that wait, requests not yet answered."""

from dataclasses import dataclass, field


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
