"""What happens on the lines, pushed to whoever subscribed.

A subscriber that does not keep up is cut, never waited for: it resumes from
the last event it got, out of the store. An event is encoded once.
"""

import asyncio
from dataclasses import dataclass, field

QUEUE = 4_096
"""Events that wait for one subscriber: eight commits of the largest size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One event of a line. `seq` is 0 unless it shows an entry."""

    line: bytes
    name: str
    seq: int
    data: bytes = field(repr=False)
    of: str = ""
    """Of what it tells how it stands now: a later event of the same name about the same takes its place while it waits."""


class Subscriber:
    """One stream's queue."""

    def __init__(self, line: bytes | None, signs: tuple[str, ...] = ()) -> None:
        self.line = line
        """None: all lines."""
        self.signs = signs
        """Of the officer whose page at the console it is; empty for all others."""
        self.ended = False
        """No more will come: the station stops, the listener left, or was too slow."""
        self._waiting: dict[object, Published] = {}
        """In their order, by what they are of, or each by itself."""
        self._stirred = asyncio.Event()

    def push(self, event: Published) -> None:
        """Queue an event, or cut a subscriber that has too many."""
        name = (event.line, event.name, event.of) if event.of else object()
        if name not in self._waiting and len(self._waiting) >= QUEUE:
            self.end()
            return
        self._waiting[name] = event
        self._stirred.set()

    def end(self) -> None:
        """Nothing more; what is queued is dropped, as it can be had from the store."""
        self.ended = True
        self._waiting.clear()
        self._stirred.set()

    def take(self) -> list[Published]:
        """All that waits, without waiting."""
        taken = list(self._waiting.values())
        self._waiting.clear()
        self._stirred.clear()
        return taken

    async def wait(self, seconds: float) -> bool:
        """Until something waits or it ended; False if neither was so long."""
        if not self._waiting and not self.ended:
            try:
                async with asyncio.timeout(seconds):
                    await self._stirred.wait()
            except TimeoutError:
                return False
        return True


class Feed:
    """All subscribers of a station."""

    def __init__(self) -> None:
        self._subscribers: set[Subscriber] = set()
        self.cut = 0
        """Subscribers cut for slowness."""
        self.closed = False

    def subscribe(self, line: bytes | None, signs: tuple[str, ...] = ()) -> Subscriber:
        """A new stream, of one line or of all; it sees everything published from now on."""
        subscriber = Subscriber(line, signs)
        if self.closed:
            subscriber.end()
        self._subscribers.add(subscriber)
        return subscriber

    def leave(self, subscriber: Subscriber) -> None:
        """Forget a stream."""
        self._subscribers.discard(subscriber)

    def listened(self, line: bytes) -> bool:
        """Whether anybody would get an event of that line."""
        return any(each.line is None or each.line == line for each in self._subscribers)

    def has_page_of(self, sign: str) -> bool:
        """Whether a page at the console is open, and not locked, of the officer with that sign."""
        return any(sign in each.signs for each in self._subscribers if not each.ended)

    def publish(self, event: Published) -> None:
        """Queue an event for everybody whom it concerns."""
        for subscriber in self._subscribers:
            if subscriber.line is None or subscriber.line == event.line:
                ended = subscriber.ended
                subscriber.push(event)
                self.cut += subscriber.ended and not ended

    def close(self) -> None:
        """End every stream."""
        self.closed = True
        for subscriber in self._subscribers:
            subscriber.end()

    def __len__(self) -> int:
        return len(self._subscribers)
