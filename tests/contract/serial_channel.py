"""Two ends of a serial line on a clock that only tests move: every byte takes its time, every fault is chosen."""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass

from openline.bearers.serial.limits import Event, Pace
from openline.bearers.serial.link import Arrived, Link, Linked

Fault = Callable[[bytes], bytes]
"""What becomes of one frame on its way."""


def whole(frame: bytes) -> bytes:
    return frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    at: float
    what: bytes | bool | Event


class End:
    """A link and its half of the wire."""

    def __init__(self, pace: Pace, seed: int) -> None:
        self.dice = random.Random(seed)
        self.link = Link(pace, self.dice.randbytes, 0.0)
        self.pace = pace
        self.free_at = 0.0
        self.seen: list[Seen] = []
        self.sent: list[tuple[float, bytes]] = []
        """(when its first byte left, frame)."""
        self.present = True

    @property
    def envelopes(self) -> list[bytes]:
        return [each.what for each in self.seen if isinstance(each.what, bytes)]

    @property
    def links(self) -> list[bool]:
        return [each.what for each in self.seen if isinstance(each.what, bool)]

    def events(self, event: Event) -> int:
        return sum(each.what is event for each in self.seen)

    def when(self, envelope: bytes) -> float:
        return next(each.at for each in self.seen if each.what == envelope)

    def note(self, outputs: list[Arrived | Linked | Event], now: float) -> None:
        for output in outputs:
            match output:
                case Arrived(envelope):
                    self.seen.append(Seen(at=now, what=envelope))
                case Linked(up):
                    self.seen.append(Seen(at=now, what=up))
                case _:
                    self.seen.append(Seen(at=now, what=output))

    def restart(self, now: float) -> None:
        """As another process would begin: nothing is known."""
        self.link = Link(self.pace, self.dice.randbytes, now)


class SerialLine:
    """Joins two ends; `faults[end]` is asked about each frame that this end sends."""

    def __init__(self, pace: Pace, *, seed: int = 1, delay_s: float = 0.0, collides: bool = False) -> None:
        self.now = 0.0
        self.ends = (End(pace, 2 * seed), End(pace, 2 * seed + 1))
        self.faults: list[Fault] = [whole, whole]
        self.echoes = False
        self.chunk = 4
        """Bytes that a reader gets at once."""
        self._pace, self._delay_s, self._collides = pace, delay_s, collides
        self._events: list[tuple[float, int, int, bytes, float]] = []
        """(when it arrives, number, to whom, bytes, when the first of them left)."""
        self._count = 0

    def run(self, until: Callable[[], bool], *, limit_s: float = 3_600.0) -> None:
        """Let time pass until a condition holds."""
        end = self.now + limit_s
        while not until():
            assert self.now < end, "it did not come true"
            self.step()

    def pass_time(self, seconds: float) -> None:
        """Let just so much time pass."""
        end = self.now + seconds
        while self._next() <= end:
            self.step()
        self.now = end

    def linked(self) -> None:
        self.run(lambda: all(end.link.up for end in self.ends))

    def step(self) -> None:
        """Go on to the next thing that happens."""
        self.now = max(self.now, self._next())
        while self._events and self._events[0][0] <= self.now:
            at, _, to, data, left_at = heapq.heappop(self._events)
            if self._collides and self._speaks(to, left_at, at - self._delay_s):
                data = self.ends[to].dice.randbytes(len(data))
            if self.ends[to].present:
                self.ends[to].note(self.ends[to].link.receive(data, self.now), self.now)
        for index, end in enumerate(self.ends):
            if end.present:
                end.note(end.link.tick(self.now), self.now)
                self._send(index, end)

    def deliver(self, to: int, data: bytes, *, at: float) -> None:
        """Let bytes begin to come out at an end."""
        for start in range(0, len(data), self.chunk):
            piece = data[start : start + self.chunk]
            left_at = at + start * self._pace.byte_s
            arrives = left_at + len(piece) * self._pace.byte_s + self._delay_s
            self._count += 1
            heapq.heappush(self._events, (arrives, self._count, to, piece, left_at))

    def _next(self) -> float:
        times = [max(end.link.deadline(), end.free_at) for end in self.ends if end.present]
        times += [self._events[0][0]] if self._events else []
        return min(times)

    def _send(self, index: int, end: End) -> None:
        if self.now < end.free_at:
            return
        frame = end.link.next_frame(self.now)
        if frame is None:
            return
        end.free_at = self.now + len(frame) * self._pace.byte_s
        end.sent.append((self.now, frame))
        data = self.faults[index](frame)
        self.deliver(1 - index, data, at=self.now)
        if self.echoes:
            self.deliver(index, data, at=self.now + self._delay_s)

    def _speaks(self, who: int, begin: float, end: float) -> bool:
        """Whether an end sends at any time between."""
        spoken = ((at, at + len(frame) * self._pace.byte_s) for at, frame in self.ends[who].sent[-8:])
        return any(start < end and begin < stop for start, stop in spoken)
