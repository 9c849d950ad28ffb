"""Numbers that must not mix, and every bound with its arithmetic.

Spec: spec/12-limits.md lists the same constants with the same reasons.
"""

from typing import NewType, Protocol

Instant = NewType("Instant", int)
"""A moment: milliseconds since 1970-01-01T00:00:00Z, as claimed by one clock."""

Seq = NewType("Seq", int)
"""The index of an entry in a lane, or of an envelope in one direction of an epoch; from 0."""

Size = NewType("Size", int)
"""A number of entries (of a lane) or of bytes."""


class Entropy(Protocol):
    """A source of secret random bytes; a parameter everywhere, never a default."""

    def __call__(self, size: int, /) -> bytes:
        """Return `size` fresh random bytes."""
        ...
