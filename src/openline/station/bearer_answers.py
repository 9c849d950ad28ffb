"""What the local API answers about bearers and MINIMIZE; and what every answer is."""

import msgspec


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What every answer is."""


class BearerView(Answer, frozen=True, kw_only=True):
    """One bearer's link to one party."""

    party: str
    bearer: str
    up: bool
    last_heard: int | None
    sent: int
    received: int
    sent_bytes: int
    received_bytes: int
    one_way: bool
    """Nothing comes back over it: what went is "sent, unknown"."""
    silent: bool
    """It is up, and several probes in a row were not answered."""
    changed_at: int | None
    """When it came up or went down, ms."""
    sent_at: int | None
    delay_ms: int | None
    """One way, as measured over this bearer; None while it was not."""
    loss: float | None
    """The part of the latest probes that did not come back."""
    probed_at: int | None
    past: list["BearerPastView"]
    """The last 24 hours, the oldest first; before the first nothing is known."""
    trouble: str
    """Why it does not work; empty while it does."""
    there: "BearerThereView | None"
    """What the other station says of its own end; None while it said nothing."""


class BearerPastView(Answer, frozen=True, kw_only=True):
    """How a bearer stood from a moment on, until the next one or now."""

    at: int
    """Ms."""
    was: str
    """up, silent, down, or unseen: this station did not run."""


class BearerThereView(Answer, frozen=True, kw_only=True):
    """One bearer, as the station at the other end says it stands there."""

    up: bool
    last_heard: int | None
    delay_ms: int | None
    loss: float


class BearerTestView(Answer, frozen=True, kw_only=True):
    """What a probe over one bearer to one party came to."""

    party: str
    bearer: str
    answered: bool
    round_trip_ms: int | None
    why: str
    """Which end failed, as far as that is known; empty if it was answered."""


class BearerTestsView(Answer, frozen=True, kw_only=True):
    """Probes over several bearers."""

    tests: list[BearerTestView]


class MinimizeView(Answer, frozen=True, kw_only=True):
    """MINIMIZE, as imposed by one party."""

    party: str
    time: int
    text: str
    sign: str
    automatic: bool
