"""What both ends of a TLS link agree on, and every deadline and bound of ours."""

import enum
from dataclasses import dataclass
from typing import Final

LARGEST_ENVELOPE: Final = 16_384
LARGEST_LINK_FRAME: Final = LARGEST_ENVELOPE + 64
LARGEST_PAIR_FRAME: Final = 65_536

LINK_PROTOCOL: Final = "openline/1"
PAIR_PROTOCOL: Final = "openline-pair/1"

HELLO_BYTES: Final = b"OPL\x01"
"""Three bytes of magic, one of version."""


class Kind(enum.IntEnum):
    """The type byte of a frame."""

    HELLO = 0
    ENVELOPE = 1
    BEAT = 2
    """Nothing to say, still there."""
    PROBE = 3
    """Say something at once."""
    RETIRE = 4
    """My last frame on this connection."""


class Event(enum.StrEnum):
    """What is worth a counter; the names that `Intake.counted` gets."""

    CUT_EARLY = "cut-early"
    """Closed by the other side before its hello: a port scan, a probe, a lost race."""
    REFUSED_BY_PEER = "refused-by-peer"
    """We dialled, and were closed after our handshake: the peer does not know our certificate, or not now."""
    HANDSHAKE_FAILED = "handshake-failed"
    UNKNOWN_CERTIFICATE = "unknown-certificate"
    HANDSHAKE_LATE = "handshake-late"
    HELLO_LATE = "hello-late"
    HELLO_WRONG = "hello-wrong"
    CROWDED_OUT = "crowded-out"
    FRAME_TOO_LARGE = "frame-too-large"
    FRAME_UNKNOWN = "frame-unknown"
    RECORD_BROKEN = "record-broken"
    PEER_SILENT = "peer-silent"
    DIAL_FAILED = "dial-failed"
    LISTEN_FAILED = "listen-failed"
    """An address of ours cannot be listened at, at the start; it is tried again."""
    PAIR_FLOODED = "pair-flooded"


class Phase(enum.Enum):
    """How far a connection has come."""

    HANDSHAKE = "handshake"
    HELLO = "hello"
    OPEN = "open"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Every deadline (seconds) and bound of the bearer; the defaults are for the world as it is."""

    listen_s: float = 5.0
    """Between attempts to listen at an address that is not there yet."""
    connect_s: float = 3.0
    """A TCP connection. Its SYN is repeated after 1 s; a new attempt beats a third one after 3 s."""
    handshake_s: float = 5.0
    hello_s: float = 5.0
    beat_s: float = 2.5
    """Something is sent at least this often ..."""
    silence_s: float = 7.5
    """... and three beats missed are a pulled cable: seen within 10 s."""
    doubt_s: float = 3.5
    """A beat and a second: then another connection is tried beside the one that is silent."""
    look_s: float = 0.5
    """How often a connection is looked at."""
    stagger_s: float = 0.25
    """Between attempts at a peer's several addresses (RFC 8305 section 8)."""
    retry_s: float = 0.1
    quick_retry_s: float = 1.0
    """Longest pause while the loss is fresh: a healed path is found within 2 s."""
    quick_for_s: float = 600.0
    slow_retry_s: float = 2.0
    """Then, for as long as it takes: a SYN in two seconds costs nobody anything, and a line that is needed after a
    night's cut is needed at once."""
    steady_s: float = 5.0
    """A link that lasted this long starts the back-off anew."""
    retire_s: float = 5.0
    strangers: int = 64
    """Connections that have not said hello, in total."""
    queue_bytes: int = 1_048_576
