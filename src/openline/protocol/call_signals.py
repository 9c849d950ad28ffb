"""What two seats of a call say to each other before they hear each other: descriptions and candidates.

A signal travels in envelopes, under the epoch's keys and no signature; it is
no entry, is kept by nobody, and is good for half a minute.

Spec: spec/17-calls.md, 17.30 to 17.36; spec/08-frames.md, 8.15.
"""

from dataclasses import dataclass, field
from enum import IntEnum

from openline.kernel.codec import Fields, Value
from openline.kernel.errors import Malformed, TooLarge
from openline.kernel.lane import Generation, ack_lane
from openline.kernel.units import MAX_SEQ
from openline.protocol.call_entries import MAX_SEAT

SIGNAL = 11
"""The type of the frame."""
MAX_SIGNAL = 8_192
"""Bytes of a signal: a description of one voice and one channel has 1 to 2 KB; room for what browsers add."""


class SignalType(IntEnum):
    """What a signal is."""

    OFFER = 0
    ANSWER = 1
    CANDIDATE = 2
    RESTART = 3
    """Please make a new offer with a new path: by the seat that does not offer."""
    CANDIDATES_END = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSignal:
    """One signal of one seat to another; the call is named by the place of its ring."""

    lane: int
    generation: Generation
    index: int
    sender: int
    """The seat that sends it."""
    to: int
    """The seat that it is for."""
    type: SignalType
    number: int = 0
    """Given by the sender's engine: later ones are greater, also after a restart."""
    after: int = 0
    """Given by the sender's engine: what it had said in its urgent lane by then, as it may be needed to understand this."""
    data: str = field(default="", repr=False)

    @property
    def ring(self) -> tuple[int, Generation, int]:
        """The place of the ring: lane, generation, index."""
        return self.lane, self.generation, self.index


_TYPES = {int(known): known for known in SignalType}


def signal_value(signal: CallSignal) -> Value:
    """The frame as a codec value."""
    place: list[Value] = [signal.lane, signal.generation.counter, signal.generation.nonce, signal.index]
    seats: list[Value] = [signal.sender, signal.to, int(signal.type), signal.number]
    return [SIGNAL, *place, *seats, signal.data.encode(), signal.after]


def read_signal(line: bytes, members: Fields) -> CallSignal | None:
    """The signal in a frame; None if its type is not known here. Raises Malformed or TooLarge."""
    lane = ack_lane(line, Fields([members.any(1), members.any(2), members.any(3)]))
    kind = _TYPES.get(members.uint(7, 2**32))
    data = members.bytes(9, most=MAX_SIGNAL)
    if kind is None:
        return None
    return CallSignal(
        lane=lane.number,
        generation=lane.generation,
        index=members.uint(4, MAX_SEQ),
        sender=members.uint(5, MAX_SEAT),
        to=members.uint(6, MAX_SEAT),
        type=kind,
        number=members.uint(8, MAX_SEQ),
        after=members.uint(10, MAX_SEQ),
        data=_text(data),
    )


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Malformed("a signal is UTF-8") from None


def check_size(data: str) -> None:
    """Raises TooLarge for what no frame may carry."""
    if len(data.encode()) > MAX_SIGNAL:
        raise TooLarge("a signal beyond its bound")
