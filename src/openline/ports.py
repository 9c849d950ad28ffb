"""What the station needs of the outside world, as short Protocols.

A new store or bearer is one file and one line in its contract test; nothing
here is a base class.
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class BearerTraits:
    """What a bearer declares of itself."""

    name: str
    largest: int
    """The largest envelope it carries whole, in bytes; larger ones are fragmented by the protocol."""
    cost: int
    """Relative cost of a byte: 0 free (fibre), 10 slow, 100 metered (satellite burst)."""
    one_way: bool
    """True where nothing ever comes back: the state of what it carried is "sent, unknown"."""


class Intake(Protocol):
    """Where a bearer reports; the station implements it."""

    def arrived(self, bearer: str, station: str | None, envelope: bytes) -> None:
        """Bytes came in; `station` is the peer's station id where the bearer has authenticated it."""
        ...

    def link(self, bearer: str, station: str, *, up: bool) -> None:
        """The bearer's link to a station came up (the peer's first byte was read) or went down."""
        ...

    def counted(self, bearer: str, event: str) -> None:
        """Something worth a counter and nothing more happened; `event` is a constant name."""
        ...


class Bearer(Protocol):
    """Moves envelopes; to it they are noise. It is never believed about delivery."""

    @property
    def traits(self) -> BearerTraits:
        """What it can do; constant over its life."""
        ...

    async def run(self) -> None:
        """Work until cancelled; closes everything it opened before it returns."""
        ...

    def offer(self, station: str, envelope: bytes, *, urgent: bool = False) -> bool:
        """Hand over one envelope for a station.

        Returns whether the bearer took it; False (link down, queue full) loses
        nothing: the protocol offers it again. Urgent ones go before what is queued.
        """
        ...

    def up(self, station: str) -> bool:
        """Whether the link to that station is up now."""
        ...
