"""What both ends of a serial line agree on, and what follows from its bit rate.

The arithmetic that everything else bows to (spec 9.73): at 300 bit/s, with 10
bits a byte on the wire, ten seconds are 300 bytes. A FLASH of 256 bytes goes
in two frames of 128; each frame costs 8 bytes more, so it takes 272. What is
left, 27 bytes, is what may be on the wire already when the FLASH comes: one
ordinary frame of 16 + 8 = 24. Hence 296 bytes, 9.87 s, at worst.
"""

import enum
from dataclasses import dataclass
from typing import Final

from openline.kernel.errors import Malformed

OVERHEAD: Final = 8
"""Bytes of a frame with data besides its data: head 2, CRC 4, the stuffing's first byte, the delimiter."""
MOST_PAYLOAD: Final = 248
"""So that a frame's content is at most 254 bytes, what one block of the stuffing carries: a frame is at most 256."""
STATE_BYTES: Final = 13
"""A state frame on the wire: content 7, CRC 4, stuffing and delimiter; 3 more once there was bulk."""
SMALL: Final = 1_024
"""Envelopes above it are bulk: a bucket of the protocol's, and all that goes over the slow lines."""
HELLO_BYTES: Final = 15
WINDOW: Final = 16
"""Frames of one channel under way: what two bytes can acknowledge one by one, and more than 10 s at 300 bit/s."""
LARGEST_ASSEMBLED: Final = 16_384
"""An envelope that grows beyond it, the largest there is, is dropped while it comes in."""
BITS_A_BYTE: Final = 10
"""8N1: a start bit and a stop bit around each byte."""

_FLASH_BYTES: Final = 256 + 2 * OVERHEAD
_HOLD_BYTES: Final = _FLASH_BYTES + 2 * 24
"""How long a FLASH may hold back everything else, and a little more."""
_BEAT_SHARE: Final = 33
"""A beat takes one part in so many of an idle line: 3 %, a beat each 14 s at 300 bit/s."""


class Channel(enum.IntEnum):
    """Each is a stream of frames of its own, so that one can stand still in mid-envelope while another goes on."""

    ORDINARY = 0
    URGENT = 1
    BULK = 2
    """Envelopes above SMALL: an acknowledgement waits for a frame of them and not for all 4,096 bytes."""


class Event(enum.StrEnum):
    """What is worth a counter; the names that `Intake.counted` gets."""

    NOISE = "noise"
    """Bytes that are no frame of this link: noise, a modem's words, a frame that was damaged, another session's."""
    ECHO = "echo"
    """Our own frame came back."""
    REPEATED = "frame-repeated"
    """A frame was sent again: it was lost, or its acknowledgement was late."""
    DUPLICATE = "frame-duplicate"
    OUTSIDE_WINDOW = "frame-outside-window"
    FRAME_WRONG = "frame-wrong"
    """It checks and means nothing: a fault of the peer's."""
    ENVELOPE_TOO_LARGE = "envelope-too-large"
    PEER_RESTARTED = "peer-restarted"
    PEER_SILENT = "peer-silent"
    DEVICE_ABSENT = "device-absent"
    """It cannot be opened: not there, in use, not permitted, not a serial device."""
    DEVICE_LOST = "device-lost"
    """It was open and is gone."""
    MODEM_FAILED = "modem-failed"
    """No answer, or not the one that was waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Every size (bytes) and deadline (seconds) of a link; `pace_for` makes them fit the line."""

    bits_per_second: int
    ordinary: int
    """Data of an ordinary frame: how long a FLASH may have to wait for it."""
    urgent: int
    largest: int
    """Of envelopes."""
    cost: int
    queue_bytes: int
    """What waits of each channel, at most."""
    beat_s: float
    """Something is sent at least this often ..."""
    silence_s: float
    """... and three beats missed are a dead line. Also how long an end without a link keeps to its session."""
    hello_s: float
    """Between attempts to make a link."""
    answer_s: float
    """How long an acknowledgement is waited for when the other side has nothing else to send."""
    hold_s: float
    """How long a peer that is busy with a FLASH may hold acknowledgements back."""
    gather_s: float
    """How long an acknowledgement waits for others while there is something else to send."""
    turn_s: float
    """Half duplex: the pause that lets the other side speak; 0 where both speak at once."""

    @property
    def byte_s(self) -> float:
        """One byte on the wire."""
        return BITS_A_BYTE / self.bits_per_second

    @property
    def net_bits_per_second(self) -> int:
        """What is left for an envelope, at 8 bits a byte: 160 of 300, 853 of 1,200, 7,440 of 9,600."""
        return max(1, self.bits_per_second * 8 * self.ordinary // (BITS_A_BYTE * (self.ordinary + OVERHEAD)))


def pace_for(
    bits_per_second: int, *, frame: int = MOST_PAYLOAD, delay_ms: int = 200, half_duplex: bool = False
) -> Pace:
    """Return what fits a line of that rate and delay, with frames of at most `frame` data bytes. Raises Malformed."""
    if not 50 <= bits_per_second <= 4_000_000:
        raise Malformed("a serial line has between 50 and 4,000,000 bits per second")
    if not 1 <= frame <= MOST_PAYLOAD:
        raise Malformed("a serial frame has between 1 and 248 bytes of data")
    if not 0 <= delay_ms <= 60_000:
        raise Malformed("a serial line's delay is between 0 and 60,000 ms")
    byte_s = BITS_A_BYTE / bits_per_second
    fitting = bits_per_second * 16 // 300  # the 0.8 s that 300 bit/s allow; beyond 4,650 bit/s the largest frame
    ordinary = max(1, min(frame, fitting, MOST_PAYLOAD))
    urgent = max(ordinary, min(frame, 128))
    ordinary_s = (ordinary + OVERHEAD) * byte_s
    state_s = STATE_BYTES * byte_s
    beat_s = max(2.5, _BEAT_SHARE * state_s)
    wide = bits_per_second >= 9_600
    largest = 4_096 if wide else 1_024
    return Pace(
        bits_per_second=bits_per_second,
        ordinary=ordinary,
        urgent=urgent,
        largest=largest,
        cost=60 if wide else 100,
        queue_bytes=4 * largest,
        beat_s=beat_s,
        silence_s=3 * beat_s,
        hello_s=max(1.0, 8 * HELLO_BYTES * byte_s),
        answer_s=2 * (ordinary_s + state_s) + 2 * delay_ms / 1_000 + 0.2,
        hold_s=_HOLD_BYTES * byte_s,
        gather_s=4 * ordinary_s,
        turn_s=max(0.1, 8 * byte_s) + delay_ms / 1_000 if half_duplex else 0.0,
    )
