"""A link over a serial line, apart from any device and clock.

    DOWN --a hello that names our session, or a frame sealed with both sessions--> UP
    UP --silence, the peer's new session, the device gone--> DOWN

Each end draws a session number whenever it is down anew, and tells it in
hellos until it hears that the other has it. Both numbers together seed every
other frame's CRC, so half an envelope never meets the other half of another
life, and what a line echoes is nobody's.

Bytes and `now` (seconds of a steady clock) come in; frames, outputs and the
next deadline go out. Nothing here is believed about delivery: an acknowledged
frame has reached the other end of the wire, whoever sits there.

Spec: spec/09-envelopes.md, 9.70 to 9.78.
"""

import zlib
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from openline.bearers.serial.framing import Receiver, checked, frame_of
from openline.bearers.serial.incoming import Incoming
from openline.bearers.serial.limits import SMALL, STATE_BYTES, Channel, Event, Pace
from openline.bearers.serial.outgoing import Outgoing
from openline.kernel.errors import Malformed, TooLarge
from openline.kernel.units import Entropy

_HELLO: Final = 0x10
_DATA: Final = 0x20
"""Plus the channel, plus 4 if an envelope ends with it."""
_LAST: Final = 4
_STATE: Final = 0x30
_HELLO_SEED: Final = 0
_SESSION_BYTES: Final = 4
_NOBODY: Final = bytes(_SESSION_BYTES)
_ORDER: Final = (Channel.URGENT, Channel.ORDINARY, Channel.BULK)
_CHANNELS: Final = frozenset(_ORDER)
_GATHER: Final = 4
"""Frames that one acknowledgement covers when there is something else to send."""
_PATIENCE: Final = 3
"""A frame that stays unanswered is doubted after 1, 2, 4, 8, 8, ... times the usual wait."""
_PAST: Final = 8
"""Own sessions remembered: their hellos may still come back from a line that echoes."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """An envelope came in whole."""

    envelope: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Linked:
    """The link came up or went down."""

    up: bool


Output = Arrived | Linked | Event


class Link:
    """One end's state. Whoever drives it owns the wire and asks for a frame whenever that is free."""

    def __init__(self, pace: Pace, entropy: Entropy, now: float) -> None:
        self.up = False
        self._pace, self._entropy = pace, entropy
        self._receiver = Receiver()
        self._past: deque[bytes] = deque(maxlen=_PAST)
        self._own = _NOBODY
        self._heard = self._sent_until = now
        """When a frame of the peer's last came; until when our last one takes on the wire."""
        self._quiet_until = now
        self._repeats = self._owed = self._timeouts = self._order = self._burst = 0
        self._renew(now)

    # -- what waits ----------------------------------------------------------

    def offer(self, envelope: bytes, *, urgent: bool) -> bool:
        """Queue an envelope; what is here already is taken once. Raises TooLarge or Malformed."""
        if len(envelope) > self._pace.largest:
            raise TooLarge("the envelope is larger than the bearer carries")
        if not envelope:
            raise Malformed("an envelope has at least one byte")
        if not self.up:
            return False
        channel = Channel.BULK if len(envelope) > SMALL else Channel.ORDINARY
        queue, express = self._out[channel], self._out[Channel.URGENT]
        if express.knows(envelope):
            return True
        if queue.knows(envelope):
            if urgent and queue.withdraw(envelope):
                return express.add(envelope) or queue.add(envelope)
            return True
        return (express if urgent else queue).add(envelope)

    # -- what comes in -------------------------------------------------------

    def receive(self, data: bytes, now: float) -> list[Output]:
        """Take bytes from the line."""
        noise = self._receiver.noise
        outputs: list[Output] = []
        for content in self._receiver.feed(data):
            outputs += self._content(content, now)
        outputs += [Event.NOISE] * (self._receiver.noise - noise)
        if data and self._pace.turn_s and now > self._sent_until + 4 * self._pace.byte_s:  # else it is our echo
            self._quiet_until = now + self._pace.turn_s * (1 + self._chance())
        return outputs

    def tick(self, now: float) -> list[Output]:
        """Let time pass: a silent peer is gone; the oldest frame without an answer is doubted."""
        outputs: list[Output] = [Event.REPEATED] * self._repeats
        self._repeats = 0
        if self.up and now >= self._heard + self._pace.silence_s:
            return [*outputs, Event.PEER_SILENT, *self.reset(now)]
        if self.up and self._flying and now >= self._doubt_at() and not self._ready():
            self._timeouts += 1
            self._patience = self._waited()
            any(self._out[channel].doubt() for channel in _ORDER)
        return outputs

    def reset(self, now: float) -> list[Output]:
        """Go down, as when the device is gone: forget everything and begin a new session."""
        outputs: list[Output] = [Linked(False)] if self.up else []
        self._renew(now)
        return outputs

    # -- what goes out -------------------------------------------------------

    def next_frame(self, now: float) -> bytes | None:
        """Return what to put on the wire now that it is free; None if there is nothing before `deadline`."""
        if now < self._quiet_until and now < self._sent_until + self._pace.hold_s:
            return None  # the other end's turn, though not for longer than a FLASH takes
        body = self._chosen(now) if self.up else self._hello(now)
        if body is None:
            return None
        frame = frame_of(body, self._seed_out if self.up else _HELLO_SEED)
        if now > self._sent_until + max(0.05, 4 * self._pace.byte_s):
            frame = b"\0" + frame  # ends whatever noise an idle line has made
        self._sent_until = now + len(frame) * self._pace.byte_s
        self._burst += 1
        if self._pace.turn_s and self._burst >= _GATHER:
            self._burst = 0
            room = STATE_BYTES * self._pace.byte_s + 2 * self._pace.turn_s
            self._quiet_until = self._sent_until + room * (
                1 + self._chance()
            )  # of two that meet one is first next time
        return frame

    def deadline(self) -> float:
        """Return the time at which `tick` and `next_frame` are worth calling though nothing came in."""
        if not self.up:
            return max(self._hello_at, self._quiet_until)
        times = [self._heard + self._pace.silence_s, max(self._sent_until + self._pace.beat_s, self._quiet_until)]
        if self._flying:
            times.append(max(self._doubt_at(), self._quiet_until))
        if self._owed or self._ready():
            times.append(self._quiet_until)
        return min(times)

    # -- inside: the peer ----------------------------------------------------

    def _renew(self, now: float) -> None:
        """Begin a session: a number not used before, nothing queued, nothing expected."""
        self.up = False
        self._past.append(self._own)
        while self._own in self._past:
            self._own = self._entropy(_SESSION_BYTES)
        self._peer = _NOBODY
        self._seed_in = self._seed_out = _HELLO_SEED
        self._hello_at = now
        self._out = {channel: Outgoing(self._pace.queue_bytes) for channel in Channel}
        self._incoming = {channel: Incoming() for channel in Channel}
        self._owed = self._timeouts = self._order = self._burst = 0
        self._owed_since = self._data_until = self._data_heard = now
        self._hasten = False
        self._patience = self._waited()

    def _content(self, content: bytes, now: float) -> list[Output]:
        body = checked(content, _HELLO_SEED)
        if body is not None:
            return self._hello_heard(body, now)
        if self._peer == _NOBODY:
            return [Event.NOISE]
        body = checked(content, self._seed_in)
        if body is None:
            return [Event.NOISE if checked(content, self._seed_out) is None else Event.ECHO]
        outputs = self._come_up()
        self._heard = now
        return outputs + self._sealed(body, now)

    def _hello_heard(self, body: bytes, now: float) -> list[Output]:
        if len(body) != 1 + 2 * _SESSION_BYTES or body[0] != _HELLO:
            return [Event.NOISE]
        theirs, ours = body[1:5], body[5:]
        if theirs == self._own or theirs in self._past:
            return [Event.ECHO]
        outputs: list[Output] = []
        if self.up and theirs != self._peer:
            outputs = [Event.PEER_RESTARTED, *self.reset(now)]
        self._peer = theirs
        self._seed_out, self._seed_in = (
            zlib.crc32(first + second) for first, second in ((self._own, theirs), (theirs, self._own))
        )
        self._heard = now
        if self.up:
            self._owe(now, hasten=True)  # it does not know yet that we hear it
        elif ours == self._own:
            outputs += self._come_up()
            self._owe(now, hasten=True)
        else:
            self._hello_at = now
        return outputs

    def _come_up(self) -> list[Output]:
        came, self.up = not self.up, True
        return [Linked(True)] if came else []

    def _hello(self, now: float) -> bytes | None:
        if now < self._hello_at:
            return None
        # Not in step with the other side: on a half-duplex line both would never hear each other.
        self._hello_at = now + self._pace.hello_s * (0.5 + self._chance())
        return bytes((_HELLO,)) + self._own + self._peer

    # -- inside: frames in ---------------------------------------------------

    def _sealed(self, body: bytes, now: float) -> list[Output]:
        """Take the body of a frame of this link."""
        head = body[0]
        if head == _STATE and len(body) in {7, 10}:
            return self._state_heard(body, now)
        if head & ~7 != _DATA or head & 3 not in _CHANNELS or len(body) < 3:
            return [Event.FRAME_WRONG]
        incoming = self._incoming[Channel(head & 3)]
        gap = incoming.leaves_a_gap(body[1])
        self._data_heard = now
        last = bool(head & _LAST)
        envelopes, odd = incoming.take(body[1], body[2:], last=last)
        self._owe(now, hasten=gap or last or odd is not None)
        outputs: list[Output] = [Arrived(envelope) for envelope in envelopes]
        return outputs if odd is None else [*outputs, odd]

    def _state_heard(self, body: bytes, now: float) -> list[Output]:
        sent_before = now - STATE_BYTES * self._pace.byte_s
        newest = [
            self._out[channel].acknowledged(body[at : at + 3], sent_before=sent_before)
            for channel, at in zip(_ORDER, range(1, len(body), 3), strict=False)
        ]
        orders = [order for order in newest if order is not None]
        latest = max(orders, default=0)
        if latest:
            self._timeouts = 0
            self._patience = self._waited()
            for outgoing in self._out.values():
                outgoing.lose_before(latest)
        return [] if len(orders) == len(newest) else [Event.FRAME_WRONG]

    def _owe(self, now: float, *, hasten: bool) -> None:
        """Note that the other side is to hear what we have."""
        if not self._owed:
            self._owed_since = now
        self._owed += 1
        self._hasten = self._hasten or hasten

    # -- inside: frames out --------------------------------------------------

    @property
    def _flying(self) -> bool:
        return any(outgoing.flying for outgoing in self._out.values())

    def _ready(self) -> bool:
        return any(outgoing.ready for outgoing in self._out.values())

    def _chosen(self, now: float) -> bytes | None:
        """Choose: what is urgent, then what the other side must hear soon, then the rest, then a beat."""
        urgent, *others = (self._out[channel] for channel in _ORDER)
        # Only a peer that has waited longer than a FLASH takes comes before the next one.
        starved = bool(self._owed) and now >= self._owed_since + self._pace.hold_s
        if urgent.ready and not (starved and urgent.between):
            return self._data(Channel.URGENT, now)
        hurried = next((channel for channel in _ORDER if self._out[channel].hurried and self._out[channel].ready), None)
        if hurried is not None and not starved:
            return self._data(hurried, now)
        gathered = self._owed >= _GATHER or now >= self._owed_since + self._pace.gather_s
        if self._owed and (self._hasten or gathered or not any(outgoing.ready for outgoing in others)):
            return self._state()
        for channel in _ORDER:
            if self._out[channel].ready:
                return self._data(channel, now)
        return self._state() if now >= self._sent_until + self._pace.beat_s else None

    def _data(self, channel: Channel, now: float) -> bytes:
        outgoing = self._out[channel]
        urgent = channel is Channel.URGENT or outgoing.hurried
        piece = outgoing.take(self._pace.urgent if urgent else self._pace.ordinary)
        self._repeats += piece.again
        self._order += 1
        piece.order = self._order
        body = bytes((_DATA | channel | (_LAST if piece.last else 0), piece.number)) + piece.payload
        piece.until = self._data_until = now + (len(body) + 6) * self._pace.byte_s
        return body

    def _state(self) -> bytes:
        self._owed, self._hasten = 0, False
        used = _ORDER if self._incoming[Channel.BULK].used else _ORDER[:2]
        return bytes((_STATE,)) + b"".join(self._incoming[channel].state() for channel in used)

    # -- inside: deadlines ---------------------------------------------------

    def _doubt_at(self) -> float:
        """When the latest frame's answer is late: a peer that is sending itself may answer after a FLASH."""
        busy = min(self._data_heard, self._data_until + self._pace.hold_s)
        return max(self._data_until, busy) + self._patience

    def _waited(self) -> float:
        return self._pace.answer_s * (1 << min(self._timeouts, _PATIENCE)) * (1 + self._chance() / 2)

    def _chance(self) -> float:
        """Return at least 0 and less than 1, so that two ends do not stay in step."""
        return int.from_bytes(self._entropy(2), "big") / 65_536
