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


# --- bounds of the codec (spec 2) ---
MAX_VALUE = 65_535
"""Largest CBOR value that is parsed: what a u16 length can announce (leaf bundles of tlog-tiles)."""
MAX_DEPTH = 8
"""Nesting: frame > items > item > ack > item > refused is 6; two more for templates to come."""
MAX_ITEMS = 4_096
"""Items in one value: 81 full entries of 200 bytes fill an envelope, 7 items each; a bomb stops here."""

# --- bounds of terms and lanes (spec 3, 4, 6) ---
MAX_PARTIES = 16
"""An acknowledgement vector of 16 parties is 31 heads of about 56 bytes: 1.8 KB, within an entry's allowance."""
MAX_GENERATION = 2**32 - 1
"""Generations are counted in 32 bits: one restore a second for 136 years."""
MAX_SEQ = 2**48 - 1
"""Entries in a lane: a million a second for nine years; well inside CBOR's 64 bits."""
MAX_INSTANT = 2**48 - 1
"""Milliseconds since 1970 in 48 bits: the year 10889."""
MIN_INSTANT = -MAX_INSTANT
"""As far back: history may be played on a line with a simulated clock."""
MAX_BODY = 12_288
"""Body of an entry: with 1.8 KB of acknowledgements, a signature and a frame it fits one 16 KiB envelope."""
MAX_ACK = 3_072
"""Acknowledgement field: 31 heads and the refused indexes of one item."""
MAX_REFUSED = 256
"""Newly refused indexes named in one acknowledgement item; what is more is named in the next entry."""

# --- bounds of envelopes (spec 9) ---
BUCKETS = (256, 1_024, 4_096, 16_384)
"""Sizes an envelope is padded to: 256 fits a 270-byte satellite burst; the rest grow by four."""
WINDOW = 1_024
"""Keys a receiver holds either side of the highest opened index: 38 bytes and a slot each, 0.2 MB a peer."""
RESERVE = 64
"""Indexes that only FLASH may use, so that neither content nor acknowledgements can shut it out."""
RESERVED_INDEXES = 64
"""Envelope indexes taken at a time in the store; a crash skips fewer than these, far inside WINDOW."""

# --- bounds of notes and proofs (spec 5, 14) ---
MAX_NOTE = 65_536
"""A signed note: three lines and at most 16 signatures of 3.3 KB."""
MAX_SIGNATURES = 16
"""Signature lines read in a note; C2SP signed-note asks for at least 16."""
MAX_PROOF = 64
"""Hashes in an inclusion or consistency proof: the height of a tree of 2^64 leaves."""
